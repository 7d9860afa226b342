"""Executions: keyed by revision, committed by one create-only manifest; and logs that only grow."""

import contextlib
import hashlib
import json
from collections.abc import Callable, Iterator, Mapping
from io import BytesIO
from typing import BinaryIO, NamedTuple

from monitor_tasks.io.content import Content, digest
from monitor_tasks.io.index import note_change
from monitor_tasks.io.store import Exists, Missing, Store, hour_folder
from monitor_tasks.retention import Removed, Taken
from monitor_tasks.value import Artifact, UserError
from monitor_tasks.window import Window, format_duration

__all__ = [
    "MANIFEST", "REMOVED", "Execution", "Manifest", "append", "digest", "folder_of", "last_number", "newest",
    "note_removed", "numbered", "place_of", "read_artifact", "read_artifact_to", "read_log", "read_manifest",
    "removed_from", "revision_of", "told_if_removed",
]  # fmt: skip

MANIFEST = "manifest.json"
REMOVED = "removed.json"


class Manifest(Artifact):
    """What one execution read and wrote; its existence is the commit."""

    revision: str
    inputs: dict[str, str]
    """All that the artifacts are a function of, by name: hashes of objects, ids of baseline and configuration."""
    artifacts: dict[str, str]
    """Every artifact's sha256 by its name."""
    shown: tuple[str, ...] = ()
    """The artifacts that also appear in the window's own folder, where SageMaker puts them."""


def revision_of(inputs: Mapping[str, str]) -> str:
    """The id of an execution's inputs: equal inputs, equal id."""
    return digest(json.dumps(dict(inputs), sort_keys=True).encode())[:20]


def folder_of(owner: str, schedule: str, window: Window, own: bool) -> str:
    """Where SageMaker puts the execution: the hour is the scheduled time, which is the window's end."""
    return f"{owner}/{schedule}/{place_of(window, own)}"


def place_of(window: Window, own: bool) -> str:
    """The window's folder below that of a schedule."""
    if own:
        return hour_folder(window.end)
    return f"spans/{window.start:%Y%m%dT%H%M%SZ}_{format_duration(window.end - window.start)}"


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

    def commit(self, artifacts: Mapping[str, Content], shown: tuple[str, ...] = ()) -> str:
        """Writes the artifacts and then the manifest; the first manifest of a revision wins.

        An artifact is bytes, or an open file, which is streamed.
        Returns the manifest's key.
        """
        for name, content in sorted(artifacts.items()):
            self._write(name, content)
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

    def _write(self, name: str, content: Content) -> None:
        """Writes one artifact; other bytes there are a killed run's of another release, or they are committed."""
        key = self.key.removesuffix(MANIFEST) + name
        try:
            self.store.create(key, content)
        except Exists:
            if not self.store.has(self.key):
                self.store.put(key, content)

    def _show(self) -> None:
        """Numbers the revision, unless it is the newest, and shows the newest in the window's folder."""
        append(self.store, f"{self.folder}/revisions/log", self._next)
        shown = ""
        while shown != (key := newest(self.store, self.folder) or ""):  # another may become the newest meanwhile
            shown = key
            self._copy(shown)

    def _next(self, known: list[bytes]) -> bytes | None:
        """The revision, unless it is the newest already: inputs that come back are the newest again."""
        if known[-1:] == [self.revision.encode()]:
            return None
        note_change(self.store, self.folder, len(known) + 1)
        return self.revision.encode()

    def _copy(self, key: str) -> None:
        """Puts what a revision shows into the window's folder, and takes away what it does not show."""
        gone = removed_from(self.store, key)
        names = [name for name in read_manifest(self.store, key).shown if name not in gone]
        there = self.store.files(self.folder)
        for name in names:
            content = read_artifact(self.store, key, name)
            if name not in there or self.store.get(f"{self.folder}/{name}") != content:
                self.store.put(f"{self.folder}/{name}", content)
        for former in there:
            if former not in names:
                self.store.delete(f"{self.folder}/{former}")


def append(store: Store, folder: str, decide: Callable[[list[bytes]], bytes | None]) -> list[bytes]:
    """Appends to a log that only grows: `decide` sees all entries and gives the next one, or None.

    Two writers at once cannot both take a number: the loser reads again and decides again; equal entries of
    two writers at once are one entry.
    Returns all entries.
    """
    entries: list[bytes] = []
    while True:
        entries += _read_after(store, folder, len(entries))
        entry = decide(entries)
        if entry is None:
            return entries
        try:
            store.create(_entry(folder, len(entries) + 1), entry)
        except Exists:
            continue
        return [*entries, entry]


def read_log(store: Store, folder: str) -> list[bytes]:
    """All entries of a log, the oldest first.

    Raises:
        Missing: one in the middle is gone.
    """
    return _read_after(store, folder, 0)


def newest(store: Store, folder: str) -> str | None:
    """The manifest of the newest revision: the one that was numbered last."""
    last = last_number(store, folder)
    return numbered(store, folder, last) if last else None


def last_number(store: Store, folder: str) -> int:
    """How many times a revision became the newest; 0 where there is none."""
    return _length(store, f"{folder}/revisions/log")


def numbered(store: Store, folder: str, number: int) -> str:
    """The manifest of the revision that got a number."""
    return f"{folder}/revisions/{store.get(_entry(f'{folder}/revisions/log', number)).decode()}/{MANIFEST}"


def _read_after(store: Store, folder: str, known: int) -> list[bytes]:
    return [store.get(_entry(folder, number)) for number in range(known + 1, _length(store, folder) + 1)]


def _entry(folder: str, number: int) -> str:
    return f"{folder}/{number:06d}"


def _length(store: Store, folder: str) -> int:
    """The highest number of a log: a listing made while others write may lack some below it."""
    return max((int(name) for name in store.files(folder) if name.isdecimal()), default=0)


def read_manifest(store: Store, key: str) -> Manifest:
    """The manifest at `key`."""
    return Manifest.read(store.get(key), store.address_of(key))


def removed_from(store: Store, manifest_key: str) -> dict[str, Taken]:
    """What was removed of an execution, by name."""
    key = manifest_key.removesuffix(MANIFEST) + REMOVED
    try:
        return Removed.read(store.get(key), store.address_of(key)).artifacts
    except Missing:
        return {}


@contextlib.contextmanager
def told_if_removed(store: Store, manifest_key: str, name: str) -> Iterator[None]:
    """Reading an artifact that retention has removed is an error that says so.

    Raises:
        UserError: it was removed, when and why.
    """
    try:
        yield
    except Missing as error:
        if taken := removed_from(store, manifest_key).get(name):
            address = store.address_of(manifest_key.removesuffix(MANIFEST) + name)
            raise UserError(
                f"{address}: was removed by `monitor-tasks clean` at {taken.when} ({taken.because}); what it counted "
                "stands in the window's reports; to read its rows again, run the window below another root"
            ) from error
        raise


def note_removed(store: Store, folder: str, names: Mapping[str, str], when: str) -> None:
    """Notes what is about to be removed from a folder, by name with the reason; what was noted before stays so."""
    known = removed_from(store, f"{folder}/{MANIFEST}")
    noted = {name: Taken(because=because, when=when) for name, because in names.items()} | known
    if noted != known:
        store.put(f"{folder}/{REMOVED}", Removed(artifacts=dict(sorted(noted.items()))).to_json())


def read_artifact(store: Store, manifest_key: str, name: str) -> bytes:
    """One artifact of an execution, proven by its manifest.

    Raises:
        UserError: it is not what the manifest says.
    """
    held = BytesIO()
    read_artifact_to(store, manifest_key, name, held)
    return held.getvalue()


def read_artifact_to(store: Store, manifest_key: str, name: str, file: BinaryIO) -> None:
    """Writes one artifact of an execution into an open file, piece by piece, and proves it by its manifest.

    Raises:
        UserError: it is not what the manifest says; what is in the file then is worth nothing.
    """
    expected = read_manifest(store, manifest_key).artifacts.get(name)
    key = manifest_key.removesuffix(MANIFEST) + name
    if expected is None:
        raise Missing(f"{store.address_of(manifest_key)}: names no artifact {name!r}")
    found = hashlib.sha256()
    with told_if_removed(store, manifest_key, name):
        for piece in store.chunks(key):
            found.update(piece)
            file.write(piece)
    if found.hexdigest() != expected:
        raise UserError(
            f"{store.address_of(key)}: its sha256 is {found.hexdigest()[:12]}…, its manifest says {expected[:12]}…; "
            "the file was changed after it was committed: restore it, or remove the revision's folder and run again"
        )
