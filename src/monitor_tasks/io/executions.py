"""Executions: keyed by revision, committed by one create-only manifest; and logs that only grow."""

import contextlib
import hashlib
import json
from collections.abc import Callable, Mapping
from typing import NamedTuple

from monitor_tasks.io.store import Exists, Missing, Store, hour_folder
from monitor_tasks.value import Artifact, UserError
from monitor_tasks.window import Window, format_duration

MANIFEST = "manifest.json"


class Manifest(Artifact):
    """What one execution read and wrote; its existence is the commit."""

    revision: str
    inputs: dict[str, str]
    """Everything that the artifacts are a function of, by name: hashes of objects, ids of baseline and configuration."""
    artifacts: dict[str, str]
    """Every artifact's sha256 by its name."""
    shown: tuple[str, ...] = ()
    """The artifacts that also appear in the window's own folder, where SageMaker puts them."""


def digest(content: bytes) -> str:
    """The sha256 of the content as hexadecimal text."""
    return hashlib.sha256(content).hexdigest()


def revision_of(inputs: Mapping[str, str]) -> str:
    """The id of an execution's inputs: equal inputs, equal id."""
    return digest(json.dumps(dict(inputs), sort_keys=True).encode())[:20]


def folder_of(owner: str, schedule: str, window: Window, own: bool) -> str:
    """Where SageMaker puts the execution: the hour is the scheduled time, which is the window's end."""
    if own:
        return f"{owner}/{schedule}/{hour_folder(window.end)}"
    return f"{owner}/{schedule}/spans/{window.start:%Y%m%dT%H%M%SZ}_{format_duration(window.end - window.start)}"


class Execution(NamedTuple):
    """One execution's place: the folder of its window, and the revision of its inputs."""

    store: Store
    folder: str
    inputs: Mapping[str, str]

    @property
    def revision(self) -> str:
        """The id of its inputs."""
        return revision_of(self.inputs)

    @property
    def key(self) -> str:
        """The manifest's key."""
        return f"{self.folder}/revisions/{self.revision}/{MANIFEST}"

    def committed(self) -> str | None:
        """The manifest's key when this very execution has been done before, finishing what a kill left undone."""
        if not self.store.has(self.key):
            return None
        self._show()
        return self.key

    def commit(self, artifacts: Mapping[str, bytes], shown: tuple[str, ...] = ()) -> str:
        """Writes the artifacts and then the manifest; the first manifest of a revision wins.

        Returns the manifest's key.
        """
        for name, content in sorted(artifacts.items()):
            self.store.put(f"{self.folder}/revisions/{self.revision}/{name}", content)
        manifest = Manifest(
            revision=self.revision,
            inputs=dict(sorted(self.inputs.items())),
            artifacts={name: digest(content) for name, content in sorted(artifacts.items())},
            shown=shown,
        )
        with contextlib.suppress(Exists):
            self.store.create(self.key, manifest.to_json())
        self._show()
        return self.key

    def _show(self) -> None:
        """Numbers the revision, and shows it in the window's folder if it is the newest."""
        append(self.store, f"{self.folder}/revisions/log", lambda known: _new(self.revision, known))
        if newest(self.store, self.folder) != self.key:
            return
        shown = read_manifest(self.store, self.key).shown
        for name in shown:
            self.store.put(f"{self.folder}/{name}", read_artifact(self.store, self.key, name))
        for former in self.store.files(self.folder):
            if former not in shown:
                self.store.delete(f"{self.folder}/{former}")


def _new(revision: str, known: list[bytes]) -> bytes | None:
    return None if revision.encode() in known else revision.encode()


def append(store: Store, folder: str, decide: Callable[[list[bytes]], bytes | None]) -> list[bytes]:
    """Appends to a log that only grows: `decide` sees all entries and gives the next one, or None.

    Two writers at once cannot both take a number: the loser reads again and decides again.
    Returns all entries.
    """
    while True:
        entries = read_log(store, folder)
        entry = decide(entries)
        if entry is None:
            return entries
        try:
            store.create(f"{folder}/{len(entries) + 1:06d}", entry)
        except Exists:
            continue
        return [*entries, entry]


def read_log(store: Store, folder: str) -> list[bytes]:
    """All entries of a log, the oldest first."""
    return [store.get(entry.key) for entry in store.entries(folder)]


def newest(store: Store, folder: str) -> str | None:
    """The manifest of the newest revision: the one that was numbered last."""
    entries = read_log(store, f"{folder}/revisions/log")
    return f"{folder}/revisions/{entries[-1].decode()}/{MANIFEST}" if entries else None


def read_manifest(store: Store, key: str) -> Manifest:
    """The manifest at `key`."""
    return Manifest.read(store.get(key), store.address_of(key))


def read_artifact(store: Store, manifest_key: str, name: str) -> bytes:
    """One artifact of an execution, proven by its manifest.

    Raises:
        UserError: it is not what the manifest says.
    """
    expected = read_manifest(store, manifest_key).artifacts.get(name)
    key = manifest_key.removesuffix(MANIFEST) + name
    if expected is None:
        raise Missing(f"{store.address_of(manifest_key)}: names no artifact {name!r}")
    content = store.get(key)
    if digest(content) != expected:
        raise UserError(
            f"{store.address_of(key)}: its sha256 is {digest(content)[:12]}…, its manifest says {expected[:12]}…; "
            "the file was changed after it was committed: restore it, or remove the revision's folder and run again"
        )
    return content
