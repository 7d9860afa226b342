"""Addresses: where they begin, what they mean on this machine, and which are refused before anything is asked."""

import os
from datetime import datetime
from pathlib import Path
from urllib.parse import unquote

from monitor_tasks.io.errors import Refused, Unreachable
from monitor_tasks.value import checked_address


def hour_folder(moment: datetime) -> str:
    """The folder of an hour, as SageMaker lays out captures and executions."""
    return f"{moment:%Y/%m/%d/%H}"


def home() -> str:
    """Where relative addresses begin: ``MONITOR_TASKS_HOME``; empty when it is not set."""
    return os.environ.get("MONITOR_TASKS_HOME", "")


def roots() -> tuple[str, ...]:
    """Where addresses may lie at all: the comma-separated ``MONITOR_TASKS_ROOTS``; empty means anywhere."""
    return tuple(root for root in os.environ.get("MONITOR_TASKS_ROOTS", "").split(",") if root)


def private_key() -> bytes:
    """What hashes of private cells are keyed with: ``MONITOR_TASKS_PRIVATE_KEY``; empty when it is not set."""
    return os.environ.get("MONITOR_TASKS_PRIVATE_KEY", "").encode()


def split(address: str) -> tuple[str, str]:
    """An address as its scheme with ``://`` (empty for a local path) and the rest."""
    scheme, colon, rest = address.partition("://")
    return (scheme + colon, rest) if colon else ("", address)


def local_folder(scheme: str, rest: str) -> Path | None:
    """The local folder that the address means; None where it means something else."""
    if scheme not in ("", "file://"):
        return None
    path = unquote(rest.removeprefix("localhost")) if scheme else rest
    if scheme and not path.startswith("/"):
        raise Unreachable(f"{scheme}{rest}: is no folder of this machine; write it as file:///folder")
    return Path(path).absolute()


def checked(address: str) -> str:
    """The address itself, if no part of it steps out of its root; else it is refused."""
    try:
        return checked_address(address)
    except ValueError as error:
        raise Refused(str(error)) from error
