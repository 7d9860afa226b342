"""Work in a process of its own: bytes in, bytes out, with little memory and time, no network, and no file written."""

import contextlib
import ctypes
import json
import os
import resource
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from importlib import import_module
from pathlib import Path
from typing import NamedTuple, NoReturn

from monitor_tasks.value import UserError

KEPT = ("PATH", "PYTHONPATH", "HOME", "LANG", "LC_ALL", "TZ", "VIRTUAL_ENV", "OMP_NUM_THREADS", "LD_LIBRARY_PATH")
"""What the process is told of its environment: no credentials."""
_UNITS = {"MB": 1 << 20, "GB": 1 << 30}
_NEW_USER, _NEW_NET = 0x10000000, 0x40000000
_CREATE_RULESET, _ADD_RULE, _RESTRICT_SELF = 444, 445, 446
_DEATH_SIGNAL, _NO_NEW_PRIVILEGES = 1, 38
_WRITES = sum(1 << bit for bit in (1, *range(4, 13)))
"""Landlock's rights to write, remove and make files of any kind, as its first version has them."""


class Limits(NamedTuple):
    """How far the process may go."""

    seconds: float = 600.0
    memory: str = "8GB"
    trusted: bool = False
    """Your own code, not a file's: only the time is limited."""


USUAL = Limits()


def in_a_process(work: str, parts: Sequence[bytes], about: str, limits: Limits = USUAL) -> bytes:
    """What the function ``module:name`` answers to the parts, called in a process of its own; `about` is for errors.

    Raises:
        UserError: the function raised one, took too long or too much memory, or ended its process.
    """
    told = {"work": work, "sizes": [len(part) for part in parts], "trusted": limits.trusted,
            "memory": int(limits.memory[:-2]) * _UNITS[limits.memory[-2:]]}  # fmt: skip
    environment = {name: value for name, value in os.environ.items() if limits.trusted or name in KEPT}
    with tempfile.TemporaryDirectory() as folder:
        environment |= {"TMPDIR": folder, "NUMBA_CACHE_DIR": folder, "MPLCONFIGDIR": folder}
        environment["PYTHONPATH"] = os.pathsep.join(path for path in sys.path if path)
        try:
            done = subprocess.run(  # noqa: S603 - our own module
                [sys.executable, "-m", __name__], input=b"".join([json.dumps(told).encode(), b"\n", *parts]),
                capture_output=True, timeout=limits.seconds, env=environment, check=False,
            )  # fmt: skip
        except subprocess.TimeoutExpired as error:
            raise UserError(
                f"{about}: took longer than {limits.seconds:g} s and was ended; explain fewer rows (sample_rows), or "
                "raise predictor.time_limit"
            ) from error
    if done.returncode == 0 and done.stdout[:1] == b"+":
        return done.stdout[1:]
    raise UserError(_why(about, done, limits))


def _why(about: str, done: "subprocess.CompletedProcess[bytes]", limits: Limits) -> str:
    if done.returncode == 0 and done.stdout[:1] == b"-":
        return done.stdout[1:].decode()
    said = (done.stderr.decode(errors="replace").strip().splitlines() or ["it said nothing"])[-1]
    ended = f"signal {-done.returncode}" if done.returncode < 0 else f"exit code {done.returncode}"
    return (
        f"{about}: its process ended by {ended}: {said}; is the file whole, and {limits.memory} of memory enough "
        "(predictor.memory_limit)?"
    )


def main() -> None:
    """Reads what to do from the standard input; answers ``+`` and bytes, or ``-`` and what a person can mend."""
    source, answers = sys.stdin.buffer, os.dup(1)
    os.dup2(2, 1)  # whatever libraries print is no answer
    told = json.loads(source.readline())
    parts = [source.read(size) for size in told["sizes"]]
    if not told["trusted"]:
        limit(told["memory"])
    _die_with_parent()  # not before: a user namespace of its own would take it back
    module, _, name = told["work"].partition(":")
    function: Callable[..., bytes] = getattr(import_module(module), name)
    try:
        answer = b"+" + function(*parts)
    except UserError as error:
        answer = b"-" + str(error).encode(errors="replace")
    _tell(answers, answer)


def _die_with_parent() -> None:
    """A task that is killed leaves nobody behind who counts on its time limit; Linux alone has a word for it."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_DEATH_SIGNAL, signal.SIGKILL, 0, 0, 0)


def _tell(file: int, answer: bytes) -> NoReturn:
    """Writes the answer and ends at once: nothing that a model planted for the end of the process runs."""
    with open(file, "wb") as out:
        out.write(answer)
    os._exit(0)


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
