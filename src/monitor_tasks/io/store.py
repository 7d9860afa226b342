"""Any address (local disk, S3, GCS, Azure, memory) behind one small store; the only room that knows paths."""

import contextlib
import os
from collections.abc import Callable, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any, NamedTuple, TypeVar
from urllib.parse import unquote

import obstore
from obstore import exceptions as errors
from obstore.store import LocalStore, MemoryStore, from_url

from monitor_tasks.value import UserError, checked_address
from monitor_tasks.window import Window

T = TypeVar("T")


class StoreError(UserError):
    """Something about an address; the message names it."""


class Missing(StoreError):
    """There is nothing at the address."""


class Exists(StoreError):
    """Something else lies at the address already."""


class Refused(StoreError):
    """The address may not be read or written by us."""


class Unreachable(StoreError):
    """The store behind the address does not answer as it should."""


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
            Refused: the address holds a step out of its root.
            Unreachable: no kind of store is known for the address.
        """
        self.address = _checked(address).rstrip("/") or "/"
        self._local: Path | None = None
        scheme, _, rest = self.address.partition("://")
        try:
            if not rest or scheme == "file":
                self._local = Path(unquote(rest) if rest else self.address).absolute()
                self._store: Any = LocalStore(self._local, mkdir=False) if self._local.is_dir() else None
            elif scheme == "memory":
                self._store = _MEMORY.setdefault(rest, MemoryStore())
            else:
                self._store = from_url(self.address, config=dict(credentials or {}) or None)  # type: ignore[arg-type]
        except (errors.BaseError, ValueError, OSError) as error:
            raise Unreachable(
                f"{self.address}: {_first_line(error)}; expected a folder or an address such as s3://bucket/prefix"
            ) from error

    def get(self, key: str) -> bytes:
        """The bytes of the object at `key`.

        Raises:
            Missing, Refused, Unreachable: it cannot be had.
        """
        return self._asked(key, lambda: bytes(obstore.get(self._opened(key), self._inside(key)).bytes()))

    def put(self, key: str, content: bytes) -> None:
        """Writes the object, replacing what is there; never visible half-written."""
        self._asked(key, lambda: obstore.put(self._opened(key, write=True), self._inside(key), content))

    def create(self, key: str, content: bytes) -> None:
        """Writes the object only where none is; our own bytes found there count as written (a lost answer).

        Raises:
            Exists: other bytes lie there.
        """
        try:
            self._asked(
                key, lambda: obstore.put(self._opened(key, write=True), self._inside(key), content, mode="create")
            )
        except Exists:
            if self.get(key) != content:
                raise

    def has(self, key: str) -> bool:
        """Whether an object lies at `key`."""
        try:
            self._asked(key, lambda: obstore.head(self._opened(key), self._inside(key)))
        except Missing:
            return False
        return True

    def entries(self, prefix: str = "") -> list[Entry]:
        """Every object below the folder `prefix`, sorted by key; empty where there is none."""

        def ask() -> list[Entry]:
            batches = obstore.list(self._opened(prefix), self._inside(prefix) or None)
            return [Entry(str(found["path"]), int(found["size"])) for batch in batches for found in batch]

        try:
            return sorted(self._asked(prefix, ask))
        except Missing:
            return []

    def files(self, folder: str) -> list[str]:
        """The names of the objects that lie directly in the folder, sorted."""

        def ask() -> list[str]:
            found = obstore.list_with_delimiter(self._opened(folder), self._inside(folder) or None)
            return [str(entry["path"]).rpartition("/")[2] for entry in found["objects"]]

        try:
            return sorted(self._asked(folder, ask))
        except Missing:
            return []

    def delete(self, key: str) -> None:
        """Removes the object; nothing there is fine."""
        with contextlib.suppress(Missing):
            self._asked(key, lambda: obstore.delete(self._opened(key), self._inside(key)))

    def address_of(self, key: str) -> str:
        """The full address of `key`."""
        return f"{self.address.rstrip('/')}/{key}" if key else self.address

    def _opened(self, key: str, write: bool = False) -> Any:
        """The obstore behind us; a local folder is made by the first write only."""
        if self._local is None:
            return self._store
        if self._store is None:
            if not write:
                if self._local.is_dir():
                    self._store = LocalStore(self._local)
                    return self._store
                raise FileNotFoundError(key)
            self._local.mkdir(parents=True, exist_ok=True)
            self._store = LocalStore(self._local)
        if not (self._local / key).resolve().is_relative_to(self._local.resolve()):
            raise PermissionError(f"it leaves {self._local} through a link")
        return self._store

    def _inside(self, key: str) -> str:
        return _checked(key).strip("/")

    def _asked(self, key: str, ask: Callable[[], T]) -> T:
        """Asks the store; whatever it answers with becomes one of our four errors, naming the address."""
        where = self.address_of(key)
        try:
            return ask()
        except (FileNotFoundError, errors.NotFoundError) as error:
            raise Missing(f"{where}: nothing is there; check the address") from error
        except errors.AlreadyExistsError as error:
            raise Exists(f"{where}: something else is there already; it is never overwritten") from error
        except (errors.PermissionDeniedError, errors.UnauthenticatedError, PermissionError) as error:
            raise Refused(f"{where}: access was refused ({_first_line(error)}); check rights or credentials") from error
        except (errors.BaseError, OSError, ValueError) as error:
            if "Permission denied" in str(error) or "Read-only file system" in str(error):
                raise Refused(f"{where}: may not be written ({_first_line(error)}); check the rights") from error
            raise Unreachable(f"{where}: {_first_line(error)}; check the address and try again") from error


def open_object(address: str, credentials: Mapping[str, str] | None = None) -> tuple[Store, str]:
    """The store around one object's address, and the object's key in it."""
    folder, _, key = (str(Path(address).absolute()) if "://" not in address else address).rpartition("/")
    return Store(folder or "/", credentials), key


def list_objects(
    address: str, credentials: Mapping[str, str] | None = None, window: Window | None = None
) -> list[tuple[Store, str]]:
    """Every object below an address, or the one object that it names; with a window, its hour folders and neighbours.

    Raises:
        Missing: there is nothing at all.
    """
    folder, key = open_object(address, credentials)
    if folder.has(key):
        return [(folder, key)]
    store = Store(address, credentials)
    folders = [""] if window is None else map(hour_folder, window.hours(around=1))
    found = [entry for folder in folders for entry in store.entries(folder)]
    if not found and not store.entries():
        raise Missing(f"{address}: no file is there; check the address, or wait for the first capture")
    return [(store, entry.key) for entry in found]


def hour_folder(moment: datetime) -> str:
    """The folder of an hour, as SageMaker lays out captures and executions."""
    return f"{moment:%Y/%m/%d/%H}"


def home() -> str:
    """Where relative addresses begin: ``MONITOR_TASKS_HOME``; empty when it is not set."""
    return os.environ.get("MONITOR_TASKS_HOME", "")


def roots() -> tuple[str, ...]:
    """Where addresses may lie at all: the comma-separated ``MONITOR_TASKS_ROOTS``; empty means anywhere."""
    return tuple(root for root in os.environ.get("MONITOR_TASKS_ROOTS", "").split(",") if root)


def _checked(address: str) -> str:
    try:
        return checked_address(address) if address else address
    except ValueError as error:
        raise Refused(str(error)) from error


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0]
