"""Any address (local disk, S3, GCS, Azure, memory) behind one small store; the only room that knows paths."""

import contextlib
import errno
import os
import re
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from io import SEEK_CUR, SEEK_END, SEEK_SET, BufferedReader, BytesIO, RawIOBase
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import obstore
from obstore.store import LocalStore, MemoryStore

from monitor_tasks.io.addresses import checked, home, hour_folder, local_folder, roots, split
from monitor_tasks.io.content import CHUNK, Content, as_buffer, digest, digest_of, size_of
from monitor_tasks.io.disk import write_whole
from monitor_tasks.io.errors import OURS, Exists, Missing, Refused, StoreError, Unreachable, as_ours
from monitor_tasks.io.remote import Credentials, open_remote, patiently
from monitor_tasks.window import Window

__all__ = [
    "Credentials", "Entry", "Exists", "Missing", "Refused", "Store", "StoreError", "Unreachable",
    "home", "hour_folder", "list_objects", "open_object", "roots",
]  # fmt: skip

T = TypeVar("T")

SINGLE = 8 * CHUNK
"""Up to here an object goes out in one request, which alone the store can refuse where something is already."""


BUFFER = 1 << 16
"""Bytes that are fetched at least from a file that is read here and there."""


class Entry(NamedTuple):
    """One object of a listing."""

    key: str
    size: int


_MEMORY: dict[str, MemoryStore] = {}


class Store:
    """Objects below one root address; keys are relative to it and never leave it."""

    def __init__(self, address: str, credentials: Credentials | None = None) -> None:
        """The store at `address`: a local path, ``file://``, ``memory://`` or any URL that obstore knows.

        Raises:
            Refused: the address is empty or holds a step out of its root.
            Unreachable: no kind of store is known for the address.
        """
        scheme, rest = split(checked(address))
        self.address = scheme + (rest.rstrip("/") or rest[:1])
        self._local = local_folder(scheme, rest)
        self._prefix = ""
        self._store: Any = None
        if scheme == "memory://":
            name, _, folder = rest.strip("/").partition("/")
            self._store, self._prefix = _MEMORY.setdefault(name, MemoryStore()), folder and f"{folder}/"
        elif self._local is None:
            self._store = open_remote(self.address, credentials or {})

    def get(self, key: str) -> bytes:
        """The bytes of the object at `key`.

        Raises:
            Missing, Refused, Unreachable: it cannot be had.
        """
        return b"".join(self.chunks(key))

    def chunks(self, key: str) -> Iterator[bytes]:
        """The bytes of the object at `key`, piece by piece; never the whole object in memory.

        Each piece is asked for, and asked for again, by itself; all are of one version of the object.

        Raises:
            Missing, Refused, Unreachable: it cannot be had, or no more of it.
        """
        piece, size, version = self._asked(key, self._first)
        if size <= CHUNK:
            yield piece
            return
        for start in range(0, size, CHUNK):
            part = {"range": (start, min(start + CHUNK, size)), "if_match": version}
            yield self._asked(key, partial(self._part, part))

    def ranged(self, key: str) -> BufferedReader:
        """The object at `key` as a file of which no more is fetched than is read from it.

        Raises:
            Missing, Refused, Unreachable: it cannot be had; reading may raise them, too.
        """
        found = self._asked(key, lambda path: obstore.head(self._opened(), path))

        def part(start: int, end: int) -> bytes:
            asked = {"range": (start, end), "if_match": found["e_tag"]}
            return self._asked(key, partial(self._part, asked))

        return BufferedReader(_Ranged(part, found["size"]), BUFFER)

    def put(self, key: str, content: Content) -> None:
        """Writes the object, replacing what is there; never visible half-written. An open file is streamed."""
        self._write(key, content, new=False)

    def create(self, key: str, content: Content) -> None:
        """Writes the object only where none is; our own bytes found there count as written (a lost answer).

        Raises:
            Exists: other bytes lie there.
        """
        try:
            self._write(key, content, new=True)
        except Exists:
            with contextlib.suppress(Missing):
                if digest_of(self.chunks(key)) == digest(content):
                    return
            raise

    def has(self, key: str) -> bool:
        """Whether an object lies at `key`."""
        try:
            self._asked(key, lambda path: obstore.head(self._opened(), path))
        except Missing:
            return False
        return True

    def holds(self, prefix: str = "") -> bool:
        """Whether any object lies below the folder `prefix`."""
        return bool(self._listed(prefix, lambda path: next(iter(obstore.list(self._opened(), path, chunk_size=1)), [])))

    def entries(self, prefix: str = "", after: str = "") -> list[Entry]:
        """Every object below the folder `prefix` whose key follows `after`, sorted by key; none where there is none."""
        offset = self._prefix + after if after else None

        def listed(path: str | None) -> list[Any]:
            return [x for batch in obstore.list(self._opened(), path, offset=offset) for x in batch]

        found = self._listed(prefix, listed)
        return sorted(Entry(str(one["path"]).removeprefix(self._prefix), int(one["size"])) for one in found)

    def files(self, folder: str) -> list[str]:
        """The names of the objects that lie directly in the folder, sorted."""
        found = self._listed(folder, lambda path: obstore.list_with_delimiter(self._opened(), path)["objects"])
        return sorted(str(one["path"]).rpartition("/")[2] for one in found)

    def folders(self, folder: str = "") -> list[str]:
        """The names of the folders that lie directly in the folder, sorted."""
        found = self._listed(folder, lambda path: obstore.list_with_delimiter(self._opened(), path)["common_prefixes"])
        return sorted(str(one).rstrip("/").rpartition("/")[2] for one in found)

    def delete(self, key: str) -> None:
        """Removes the object; nothing there is fine."""
        with contextlib.suppress(Missing):
            self._asked(key, lambda path: obstore.delete(self._opened(), path))

    def address_of(self, key: str) -> str:
        """The full address of `key`."""
        return f"{self.address}{'' if self.address.endswith('/') else '/'}{key}" if key else self.address

    def _first(self, path: str) -> tuple[bytes, int, str | None]:
        """A small object's bytes, of a large one none; its size; and what tells its version from another."""
        found = obstore.get(self._opened(), path)
        size = found.meta["size"]
        return bytes(found.bytes()) if size <= CHUNK else b"", size, found.meta["e_tag"]

    def _part(self, part: Any, path: str) -> bytes:
        return bytes(obstore.get(self._opened(), path, options=part).bytes())

    def _write(self, key: str, content: Content, *, new: bool) -> None:
        local = self._local
        if local is not None:
            self._asked(key, lambda path: write_whole(local / path, content, new))
        elif isinstance(self._store, MemoryStore) or size_of(content) <= SINGLE:
            whole = bytes(as_buffer(content)) if isinstance(self._store, MemoryStore) else as_buffer(content)
            mode: Any = "create" if new else "overwrite"
            self._asked(key, lambda path: obstore.put(self._opened(), path, whole, mode=mode, use_multipart=False))
        elif new and self.has(key):
            raise as_ours(self.address_of(key), FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST)))
        else:
            self._asked(key, lambda path: self._upload(path, content))

    def _upload(self, path: str, content: Content) -> None:
        """Writes a large object in parts; it is visible when the last one has arrived."""
        file = BytesIO(content) if isinstance(content, bytes) else content
        file.seek(0)
        obstore.put(self._opened(), path, file, use_multipart=True, chunk_size=2 * CHUNK, max_concurrency=4)

    def _listed(self, prefix: str, ask: Callable[[str | None], Any]) -> Any:
        """What a listing finds; a local folder that is not there holds nothing."""
        try:
            return self._asked(prefix, lambda path: ask(path or None), folder=True)
        except Missing:
            if self._local is None:
                raise
            return []

    def _asked(self, key: str, ask: Callable[[str], T], folder: bool = False) -> T:
        """Asks about the object at `key`; any error becomes one of our four, naming the address."""
        if not key and not folder:
            raise Refused(f"{self.address}: names no object; add the object's name to the address")
        path = checked(key).strip("/") if key else ""
        try:
            self._confine(path)
            return patiently(ask, (self._prefix + path).rstrip("/"))
        except OURS as error:
            raise as_ours(self.address_of(key), error) from error

    def _confine(self, path: str) -> None:
        """Lets nobody out of a local folder, and no name in that a listing would not show."""
        if self._local is None:
            return
        if not Path(os.path.realpath(self._local / path)).is_relative_to(os.path.realpath(self._local)):
            raise PermissionError(errno.EPERM, f"a link leads out of {self._local}")
        if re.search(r"(^|/)\.?(/|$)|#\d+$", path) and path:
            raise PermissionError(errno.EPERM, "a name may not be empty, a dot, or end in # and a number")

    def _opened(self) -> Any:
        """The obstore behind us; a local folder may come to be later."""
        if self._store is None and self._local is not None:
            if not self._local.is_dir():
                raise FileNotFoundError(errno.ENOENT, "no such folder")
            self._store = LocalStore(self._local)
        return self._store


class _Ranged(RawIOBase):
    """A file in a store; all that is read of it is of one version."""

    def __init__(self, part: Callable[[int, int], bytes], size: int) -> None:
        """A file of `size` bytes; `part` fetches those from one place until before another."""
        self._part, self._size, self._at = part, size, 0

    def readable(self) -> bool:
        """It is."""
        return True

    def seekable(self) -> bool:
        """It is."""
        return True

    def seek(self, offset: int, whence: int = SEEK_SET) -> int:
        """Goes to a place, and says where that is."""
        self._at = offset + {SEEK_SET: 0, SEEK_CUR: self._at, SEEK_END: self._size}[whence]
        return self._at

    def readinto(self, buffer: Any) -> int:
        """Reads as much as the buffer holds, or is left."""
        end = min(self._at + len(buffer), self._size)
        if end <= self._at:
            return 0
        piece = self._part(self._at, end)
        buffer[: len(piece)], self._at = piece, end
        return len(piece)


def open_object(address: str, credentials: Credentials | None = None) -> tuple[Store, str]:
    """The store around one object's address, and the object's key in it."""
    scheme, rest = split(checked(address))
    folder, _, key = (rest if scheme else str(Path(rest).absolute())).rstrip("/").rpartition("/")
    if scheme in ("", "file://"):
        folder = folder or "/"
    return (Store(scheme + folder, credentials), key) if folder else (Store(address, credentials), "")


def list_objects(
    address: str,
    credentials: Credentials | None = None,
    window: Window | None = None,
    above: Sequence[str] | None = ("",),
) -> list[tuple[Store, str]]:
    """Every object below an address, or the one object that it names; with a window, its hour folders and neighbours.

    The hour folders lie in the folders `above`; None means in every folder that lies directly below the address.

    Raises:
        Missing: there is nothing at all.
    """
    store = Store(address, credentials)
    if store.holds():
        if window is None:
            return [(store, entry.key) for entry in store.entries()]
        outer = store.folders() if above is None else above
        hours = [hour_folder(hour) for hour in window.hours(around=1)]
        folders = [f"{folder}/{hour}" if folder else hour for folder in outer for hour in hours]
        return [(store, entry.key) for folder in folders for entry in store.entries(folder)]
    around, key = open_object(address, credentials)
    if not key or not around.has(key):
        raise Missing(f"{address}: no file is there; check the address, or wait for the first capture")
    return [(around, key)]
