"""Intake: what lies at a capture's address for a window, in whatever form, as objects of capture records."""

import hashlib
import re
from collections.abc import Callable, Iterator
from datetime import datetime
from functools import partial
from tempfile import TemporaryFile
from typing import NamedTuple

from monitor_tasks.inputs import Capture, DatasetFormat
from monitor_tasks.io.addresses import private_key
from monitor_tasks.io.content import digest, digest_of
from monitor_tasks.io.store import Credentials, Missing, Refused, Store, list_objects, open_object, roots
from monitor_tasks.tables.captured import Source
from monitor_tasks.tables.hooks import hook_of
from monitor_tasks.tables.ledger import Ledger
from monitor_tasks.tables.lines import Object
from monitor_tasks.tables.manifests import Manifest, Pair, is_manifest, pairs, read_manifest
from monitor_tasks.tables.private import fingerprint
from monitor_tasks.tables.readings import Span
from monitor_tasks.tables.streamed import Writing
from monitor_tasks.tables.transforms import Making, tabled, transformed
from monitor_tasks.value import UserError, checked_address
from monitor_tasks.window import Window, parse_time

SIDES = ("", "output", "input")
"""Folders above the hours in which tables and a batch transform's manifests lie."""

_HOUR = re.compile(r"(?:^|/)(\d{4})/(\d\d)/(\d\d)/(\d\d)/")


class Intake(NamedTuple):
    """What is read for a window."""

    settings: Capture
    script: bytes
    """The record preprocessor script; empty where none is named."""
    objects: tuple[Object, ...]
    """Objects of capture records."""
    hashes: dict[str, str]
    """The sha256 of every object that is read."""
    hours: dict[str, datetime]
    """The hour of every object of records whose folder tells one."""

    @property
    def inputs(self) -> dict[str, str]:
        """All that the captured table is a function of, beside settings and window."""
        found = {f"object {name}": sha256 for name, sha256 in self.hashes.items()}
        found |= {"preprocessor": digest(self.script)} if self.script else {}
        return found | fingerprint(self.settings.private, private_key())

    def source(self, opened: Callable[[Object], Object] = lambda one: one) -> Source:
        """What is ingested; the script is run now. `opened` may put something between an object and its reader."""
        address = self.settings.record_preprocessor_script
        hook = hook_of(_decoded(self.script, address), address, self.settings) if address else None
        made_from = self.hashes if self.settings.dataset_format else {}
        return Source([opened(one) for one in self.objects], hook, made_from)

    def span(self, window: Window | None) -> Span:
        """Which of the records are wanted; objects of the hours around the window are known as such."""
        own = set(window.hours()) if window else set()
        return Span(window, frozenset(name for name, hour in self.hours.items() if window and hour not in own))

    def prove(self, ledger: Ledger) -> None:
        """Lets nothing pass that is not what it was when it was hashed.

        Raises:
            UserError: an object was changed meanwhile.
        """
        for name, sha256 in ledger.objects.items():
            if sha256 != self.hashes[name]:
                raise _changed(name)


def intake(settings: Capture, credentials: Credentials | None = None, window: Window | None = None) -> Intake:
    """What lies at the capture's address; with a window, in its hour folders and their neighbours.

    Raises:
        UserError: something cannot be had, is refused, or is no manifest where one must be.
    """
    has_variants = settings.layout == "variants"
    above = None if has_variants else SIDES if settings.dataset_format else ("",)
    found = list_objects(settings.address, credentials, window if settings.layout != "flat" else None, above)
    taken = Intake(settings, _script(settings, credentials), (), {}, {})
    if settings.dataset_format is not None:
        return _Making(taken, settings.dataset_format, credentials).of(found)
    return taken._replace(
        objects=tuple(_object(store, key, has_variants) for store, key in found),
        hashes={key: digest_of(store.chunks(key)) for store, key in found},
        hours={key: hour for _, key in found if (hour := _hour(key))},
    )


def _object(store: Store, key: str, has_variants: bool) -> Object:
    return Object(key, partial(store.chunks, key), key.partition("/")[0] if has_variants else None)


def _hour(key: str) -> datetime | None:
    """The hour of the innermost hour folder that the key lies in."""
    found = _HOUR.findall(key)
    try:
        return parse_time("{}-{}-{}T{}:00:00Z".format(*found[-1])) if found else None
    except ValueError:
        return None


def _script(settings: Capture, credentials: Credentials | None) -> bytes:
    """The record preprocessor script, proven by its pinned hash."""
    address, pinned = settings.record_preprocessor_script, settings.record_preprocessor_sha256
    if address is None:
        return b""
    store, key = open_object(address, credentials)
    script = store.get(key)
    if pinned and digest(script) != pinned:
        raise UserError(
            f"{address}: its sha256 is {digest(script)}, capture.record_preprocessor_sha256 says {pinned}; "
            "look who changed the script, or pin the new one"
        )
    return script


def _decoded(script: bytes, address: str) -> str:
    try:
        return script.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise UserError(f"{address}: is no Python script: byte {error.start} is not UTF-8") from error


def _changed(name: str) -> UserError:
    return UserError(f"{name}: changed while it was read; run the window again when it is complete")


class _Making:
    """Objects of records out of tables, and out of what the manifests of batch transforms name."""

    def __init__(self, taken: Intake, written: DatasetFormat, credentials: Credentials | None) -> None:
        settings = taken.settings
        writing = Writing(written, settings.limits, TemporaryFile)
        self._making = Making(writing, settings.output_names, bool(settings.record_preprocessor_script))
        self._taken, self._credentials = taken, credentials
        self._objects: list[Object] = []
        self._stores: dict[str, Store] = {}

    def of(self, found: list[tuple[Store, str]]) -> Intake:
        """The intake of all that was found."""
        manifests = {(store, key): self._manifest(store, key) for store, key in found}
        known = pairs([one for one in manifests.values() if one is not None])
        for pair in known:
            self._put(self._transformed(pair), pair.hour)
        named = {_local(address) for pair in known for address in pair[:2] if isinstance(address, str)}
        for (store, key), manifest in manifests.items():
            if manifest is None and _local(store.address_of(key)) not in named:
                variant = key.partition("/")[0] if self._taken.settings.layout == "variants" else None
                one = self._opened(store, key, key)._replace(variant=variant)
                self._put(tabled(one, _hour(key), self._making), _hour(key))
        return self._taken._replace(objects=tuple(self._objects))

    def _manifest(self, store: Store, key: str) -> Manifest | None:
        """The manifest at a key; None where a table lies there.

        Below ``input`` and ``output`` all must be manifests; where the address itself ends in these, tables may be.
        """
        address = store.address_of(key)
        if not is_manifest(address):
            return None
        content = store.get(key)
        try:
            found = read_manifest(address, content)
        except UserError:
            if is_manifest(key):
                raise
            return None
        self._taken.hashes[key] = digest(content)
        return found

    def _put(self, one: Object, hour: datetime | None) -> None:
        self._objects.append(one)
        if hour is not None:
            self._taken.hours[one.name] = hour

    def _transformed(self, pair: Pair) -> Object:
        """The records of an output; an input that is gone is missed only by rows that do not hold it themselves."""
        output = self._named(pair.output) if pair.output else None
        try:
            answered = self._named(pair.input) if pair.input else None
        except Missing:
            if output is None:
                raise
            answered = None
        return transformed(output, answered, pair.hour, self._making)

    def _named(self, address: str) -> Object:
        """An object that a manifest names."""
        root = _root(_local(address), _local(self._taken.settings.address))
        store = self._stores.setdefault(root, Store(root, self._credentials))
        return self._opened(store, _local(address)[len(root) :].lstrip("/"), address)

    def _opened(self, store: Store, key: str, name: str) -> Object:
        self._taken.hashes[name] = digest_of(store.chunks(key))
        return Object(name, partial(_proven, store, key, self._taken.hashes[name]))


def _proven(store: Store, key: str, sha256: str) -> Iterator[bytes]:
    """The pieces of an object, which at its end has proved to be the one that was hashed."""
    found = hashlib.sha256()
    for piece in store.chunks(key):
        found.update(piece)
        yield piece
    if found.hexdigest() != sha256:
        raise _changed(store.address_of(key))


def _local(address: str) -> str:
    """The address, a local one as a path."""
    return address.removeprefix("file://")


def _root(address: str, capture: str) -> str:
    """The root below which an object that a manifest names may be read.

    That is one of MONITOR_TASKS_ROOTS. Without any, it is the object's own bucket in a store of the capture's kind,
    and on a local disk the capture's own folder: who writes a manifest could else have any file read.

    Raises:
        Refused: it lies below none.
    """
    try:
        checked_address(address)
    except ValueError as error:
        raise Refused(f"a manifest at {capture} names {error}") from error
    kind, _, rest = address.partition("://")
    is_remote = bool(rest) and capture.startswith(f"{kind}://")
    allowed = tuple(map(_local, roots())) or ((f"{kind}://{rest.partition('/')[0]}",) if is_remote else (capture,))
    for root in (root.rstrip("/") for root in allowed):
        if address.startswith(f"{root}/"):
            return root
    told = f"a manifest at {capture} names {address}, which lies outside of {', '.join(allowed)}"
    raise Refused(f"{told}; add its root to MONITOR_TASKS_ROOTS")
