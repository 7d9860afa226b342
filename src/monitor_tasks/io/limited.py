"""Work in a process of its own: bytes in, bytes out, with little memory and time, no network, and no file written."""

import contextlib
import ctypes
import json
import os
import resource
import socket
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

from monitor_tasks.io import fork_server
from monitor_tasks.io.fork_server import Ended
from monitor_tasks.value import UserError

KEPT = ("PATH", "PYTHONPATH", "HOME", "LANG", "LC_ALL", "TZ", "VIRTUAL_ENV", "OMP_NUM_THREADS", "LD_LIBRARY_PATH")
"""What the process is told of its environment: no credentials."""
_UNITS = {"MB": 1 << 20, "GB": 1 << 30}
_NEW_USER, _NEW_NET = 0x10000000, 0x40000000
_CREATE_RULESET, _ADD_RULE, _RESTRICT_SELF = 444, 445, 446
_NO_NEW_PRIVILEGES = 38
_WRITES = sum(1 << bit for bit in (1, *range(4, 13)))
"""Landlock's rights to write, remove and make files of any kind, as its first version has them."""


class Limits(NamedTuple):
    """How far the process may go."""

    seconds: float = 600.0
    memory: str = "8GB"
    trusted: bool = False
    """Your own code, not a file's: only the time is limited."""


USUAL = Limits()


def in_a_process(
    work: str, parts: Sequence[bytes], about: str, limits: Limits = USUAL, modules: Sequence[str] = ()
) -> bytes:
    """What the function ``module:name`` answers to the parts, called in a process of its own; `about` is for errors.

    Your own code runs in a process that is started for it, other's in a fork of the server, which has imported the
    `modules` that such work needs.

    Raises:
        UserError: the function raised one, took too long or too much memory, or ended its process.
    """
    told = {"work": work, "sizes": [len(part) for part in parts], "trusted": limits.trusted,
            "memory": int(limits.memory[:-2]) * _UNITS[limits.memory[-2:]]}  # fmt: skip
    run = _spawned if limits.trusted or not fork_server.AVAILABLE else partial(_forked, modules=modules)
    with tempfile.TemporaryDirectory() as folder:
        done = run(told, b"".join(parts), limits, folder)
    if done.code is None:
        raise UserError(
            f"{about}: took longer than {limits.seconds:g} s and was ended; explain fewer rows (sample_rows), or "
            "raise predictor.time_limit"
        )
    if done.code == 0 and done.answer[:1] == b"+":
        return done.answer[1:]
    raise UserError(_why(about, done, limits))


def prepare(modules: Sequence[str]) -> None:
    """Starts the server that limited work is forked from, with the modules imported: for this process and its forks."""
    if fork_server.AVAILABLE:
        fork_server.start(_environment(trusted=False), modules)


def _environment(trusted: bool) -> dict[str, str]:
    known = {name: value for name, value in os.environ.items() if trusted or name in KEPT}
    return known | {"PYTHONPATH": os.pathsep.join(_path())}


def _path() -> list[str]:
    return [path for path in sys.path if path]


def _own(folder: str) -> dict[str, str]:
    """Where libraries may write."""
    return {"TMPDIR": folder, "NUMBA_CACHE_DIR": folder, "MPLCONFIGDIR": folder}


def _forked(told: Mapping[str, Any], parts: bytes, limits: Limits, folder: str, modules: Sequence[str]) -> Ended:
    how = {"worker": f"{__name__}:answer", "seconds": limits.seconds, "folder": folder, "environment": _own(folder),
           "path": _path(), "modules": [__name__, told["work"].partition(":")[0], *modules]}  # fmt: skip
    return fork_server.ask({**told, **how}, parts, _environment(trusted=False))


def _spawned(told: Mapping[str, Any], parts: bytes, limits: Limits, folder: str) -> Ended:
    try:
        done = subprocess.run(  # noqa: S603 - our own module
            [sys.executable, "-m", __name__], input=json.dumps(told).encode() + b"\n" + parts,
            capture_output=True, timeout=limits.seconds, env=_environment(limits.trusted) | _own(folder), check=False,
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        return Ended(b"", "", None)
    return Ended(done.stdout, done.stderr.decode(errors="replace"), done.returncode)


def _why(about: str, done: Ended, limits: Limits) -> str:
    if done.code == 0 and done.answer[:1] == b"-":
        return done.answer[1:].decode()
    said = (done.said.strip().splitlines() or ["it said nothing"])[-1]
    ended = f"signal {-done.code}" if done.code is not None and done.code < 0 else f"exit code {done.code}"
    return (
        f"{about}: its process ended by {ended}: {said}; is the file whole, and {limits.memory} of memory enough "
        "(predictor.memory_limit)?"
    )


def main() -> None:
    """Reads what to do from the standard input; answers ``+`` and bytes, or ``-`` and what a person can mend."""
    source, answers = sys.stdin.buffer, os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # whatever libraries print is no answer
    told = json.loads(source.readline())
    with answers as out:
        out.write(_answer(source, told))
    os._exit(0)  # nothing that a model planted for the end of the process runs


def answer(connection: socket.socket, told: Mapping[str, Any]) -> None:
    """The same for a process that was forked: by the socket."""
    with connection.makefile("rb") as source:
        connection.sendall(_answer(source, told))


def _answer(source: BinaryIO, told: Mapping[str, Any]) -> bytes:
    parts = [source.read(size) for size in told["sizes"]]
    if not told["trusted"]:
        limit(told["memory"])
    module, _, name = told["work"].partition(":")
    function: Callable[..., bytes] = getattr(import_module(module), name)
    try:
        return b"+" + function(*parts)
    except UserError as error:
        return b"-" + str(error).encode(errors="replace")


def limit(memory: int) -> None:
    """No network, no new file outside the process's own folder, no core dump, no more address space.

    Where the system's kernel has no such rights to take away, the others are still taken.
    """
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.unshare(_NEW_NET):
        libc.unshare(_NEW_USER | _NEW_NET)
    with contextlib.suppress(OSError):
        _write_only_below(libc, (Path(os.environ["TMPDIR"]), Path("/dev")))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_AS, (memory, memory))


def _write_only_below(libc: ctypes.CDLL, folders: Sequence[Path]) -> None:
    """Takes the right to write elsewhere, by Landlock (Linux 5.13)."""
    rights = ctypes.c_uint64(_WRITES)
    rules = libc.syscall(_CREATE_RULESET, ctypes.byref(rights), ctypes.sizeof(rights), 0)
    if rules < 0:
        return
    for folder in folders:
        opened = os.open(folder, os.O_PATH)
        rule = _WRITES.to_bytes(8, sys.byteorder) + opened.to_bytes(4, sys.byteorder)
        libc.syscall(_ADD_RULE, rules, 1, rule, 0)
        os.close(opened)
    libc.prctl(_NO_NEW_PRIVILEGES, 1, 0, 0, 0)
    libc.syscall(_RESTRICT_SELF, rules, 0)
    os.close(rules)


if __name__ == "__main__":
    main()
