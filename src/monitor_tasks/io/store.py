"""Any address (local disk, S3, GCS, Azure, memory) behind one small store; the only room that knows paths."""

import contextlib
import errno
import os
import re
from collections.abc import Callable, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any, NamedTuple, TypeVar
from urllib.parse import unquote

import obstore
from obstore.store import LocalStore, MemoryStore, from_url
from tenacity import Retrying, retry_if_exception, stop_after_attempt, wait_exponential

from monitor_tasks.io.disk import write_whole
from monitor_tasks.io.errors import OURS, Exists, Missing, Refused, StoreError, Unreachable, as_ours
from monitor_tasks.value import checked_address
from monitor_tasks.window import Window

__all__ = [
    "Entry", "Exists", "Missing", "Refused", "Store", "StoreError", "Unreachable",
    "home", "hour_folder", "list_objects", "open_object", "roots",
]  # fmt: skip

T = TypeVar("T")


class Entry(NamedTuple):
    """One object of a listing."""

    key: str
    size: int


_MEMORY: dict[str, MemoryStore] = {}


class Store:
    """Objects below one root address; keys are relative to it and never leave it."""

    def __init__(self, address: str, credentials: Mapping[str, str] | None = None) -> None:
        """The store at `address`: a local path, ``file://``, ``memory://`` or any URL that obstore knows.

        Raises:
            Refused: the address is empty or holds a step out of its root.
            Unreachable: no kind of store is known for the address.
        """
        scheme, rest = _split(_checked(address))
        self.address = scheme + (rest.rstrip("/") or rest[:1])
        self._local = _local(scheme, rest)
        self._prefix = ""
        self._store: Any = None
        if scheme == "memory://":
            name, _, folder = rest.strip("/").partition("/")
            self._store, self._prefix = _MEMORY.setdefault(name, MemoryStore()), folder and f"{folder}/"
        elif self._local is None:
            self._store = _remote(self.address, dict(credentials or {}))

    def get(self, key: str) -> bytes:
        """The bytes of the object at `key`.

        Raises:
            Missing, Refused, Unreachable: it cannot be had.
        """
        return self._asked(key, lambda path: bytes(obstore.get(self._opened(), path).bytes()))

    def put(self, key: str, content: bytes) -> None:
        """Writes the object, replacing what is there; never visible half-written."""
        self._write(key, content, new=False)

    def create(self, key: str, content: bytes) -> None:
        """Writes the object only where none is; our own bytes found there count as written (a lost answer).

        Raises:
            Exists: other bytes lie there.
        """
        try:
            self._write(key, content, new=True)
        except Exists:
            with contextlib.suppress(Missing):
                if self.get(key) == content:
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

    def entries(self, prefix: str = "") -> list[Entry]:
        """Every object below the folder `prefix`, sorted by key; empty where there is none."""
        found = self._listed(prefix, lambda path: [x for batch in obstore.list(self._opened(), path) for x in batch])
        return sorted(Entry(str(one["path"]).removeprefix(self._prefix), int(one["size"])) for one in found)

    def files(self, folder: str) -> list[str]:
        """The names of the objects that lie directly in the folder, sorted."""
        found = self._listed(folder, lambda path: obstore.list_with_delimiter(self._opened(), path)["objects"])
        return sorted(str(one["path"]).rpartition("/")[2] for one in found)

    def delete(self, key: str) -> None:
        """Removes the object; nothing there is fine."""
        with contextlib.suppress(Missing):
            self._asked(key, lambda path: obstore.delete(self._opened(), path))

    def address_of(self, key: str) -> str:
        """The full address of `key`."""
        return f"{self.address}{'' if self.address.endswith('/') else '/'}{key}" if key else self.address

    def _write(self, key: str, content: bytes, *, new: bool) -> None:
        local = self._local
        if local is None:
            mode: Any = "create" if new else "overwrite"
            self._asked(key, lambda path: obstore.put(self._opened(), path, content, mode=mode))
        else:
            self._asked(key, lambda path: write_whole(local / path, content, new))

    def _listed(self, prefix: str, ask: Callable[[str | None], Any]) -> Any:
        """What a listing finds; asked again when its answer was cut, which obstore does not do itself."""
        again = Retrying(
            retry=retry_if_exception(_was_cut),
            stop=stop_after_attempt(4),
            wait=wait_exponential(0.1),
            reraise=True,
        )
        try:
            return again(self._asked, prefix, lambda path: ask(path or None), folder=True)
        except Missing:
            return []

    def _asked(self, key: str, ask: Callable[[str], T], folder: bool = False) -> T:
        """Asks about the object at `key`; any error becomes one of our four, naming the address."""
        if not key and not folder:
            raise Refused(f"{self.address}: names no object; add the object's name to the address")
        path = _checked(key).strip("/") if key else ""
        try:
            self._confine(path)
            return ask((self._prefix + path).rstrip("/"))
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


def open_object(address: str, credentials: Mapping[str, str] | None = None) -> tuple[Store, str]:
    """The store around one object's address, and the object's key in it."""
    scheme, rest = _split(_checked(address))
    folder, _, key = (rest if scheme else str(Path(rest).absolute())).rstrip("/").rpartition("/")
    if scheme in ("", "file://"):
        folder = folder or "/"
    return (Store(scheme + folder, credentials), key) if folder else (Store(address, credentials), "")


def list_objects(
    address: str, credentials: Mapping[str, str] | None = None, window: Window | None = None
) -> list[tuple[Store, str]]:
    """Every object below an address, or the one object that it names; with a window, its hour folders and neighbours.

    Raises:
        Missing: there is nothing at all.
    """
    store = Store(address, credentials)
    if store.holds():
        folders = [""] if window is None else map(hour_folder, window.hours(around=1))
        return [(store, entry.key) for folder in folders for entry in store.entries(folder)]
    around, key = open_object(address, credentials)
    if not key or not around.has(key):
        raise Missing(f"{address}: no file is there; check the address, or wait for the first capture")
    return [(around, key)]


def hour_folder(moment: datetime) -> str:
    """The folder of an hour, as SageMaker lays out captures and executions."""
    return f"{moment:%Y/%m/%d/%H}"


def home() -> str:
    """Where relative addresses begin: ``MONITOR_TASKS_HOME``; empty when it is not set."""
    return os.environ.get("MONITOR_TASKS_HOME", "")


def roots() -> tuple[str, ...]:
    """Where addresses may lie at all: the comma-separated ``MONITOR_TASKS_ROOTS``; empty means anywhere."""
    return tuple(root for root in os.environ.get("MONITOR_TASKS_ROOTS", "").split(",") if root)


def _split(address: str) -> tuple[str, str]:
    """An address as its scheme with ``://`` (empty for a local path) and the rest."""
    scheme, colon, rest = address.partition("://")
    return (scheme + colon, rest) if colon else ("", address)


def _local(scheme: str, rest: str) -> Path | None:
    """The local folder that the address means; None where it means something else."""
    if scheme not in ("", "file://"):
        return None
    path = unquote(rest.removeprefix("localhost")) if scheme else rest
    if scheme and not path.startswith("/"):
        raise Unreachable(f"{scheme}{rest}: is no folder of this machine; write it as file:///folder")
    return Path(path).absolute()


def _remote(address: str, credentials: dict[str, str]) -> Any:
    """The obstore of a URL; plain HTTP only where the credentials' own endpoint says so (MinIO, Ceph)."""
    plain = credentials.get("aws_endpoint", "").startswith("http://")
    options: Any = {"allow_http": True} if plain else None
    config: Any = credentials or None
    try:
        return from_url(address, config=config, client_options=options)
    except OURS as error:
        said = str(error).strip().splitlines()[0]
        raise Unreachable(f"{address}: {said}; expected a folder or an address such as s3://bucket/prefix") from error


def _was_cut(error: BaseException) -> bool:
    return isinstance(error, Unreachable) and "list response body" in str(error)


def _checked(address: str) -> str:
    try:
        return checked_address(address)
    except ValueError as error:
        raise Refused(str(error)) from error
