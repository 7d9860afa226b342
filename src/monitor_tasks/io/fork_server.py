"""A process that imports libraries once and never calls them, so that limited work is a fork of it and not a new start.

It is started clean, by its own command and with the few variables that limited work is told: what forks from it has
never seen the asking process's memory. It ends when every process that may ask has ended.
"""

import atexit
import contextlib
import json
import os
import select
import signal
import socket
import struct
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from importlib import import_module
from typing import Any, NamedTuple, NoReturn

AVAILABLE = hasattr(os, "pidfd_open")
"""Whether the system can watch over a process as it has to be: Linux."""
PATIENCE = 120.0
"""Seconds beyond a work's own in which its answer must be there: the server may still be importing."""
_CHANNEL = 3
_MESSAGE = 1 << 16
_END = struct.Struct("!?iI")
"""What follows an answer: whether time was over, the exit code, and how long the text before it is."""
_TEXT = 4096

Work = Callable[[socket.socket, Mapping[str, Any]], None]


class Ended(NamedTuple):
    """How a work ended."""

    answer: bytes
    said: str
    """The end of what it printed."""
    code: int | None
    """Negative: a signal; None: its time was over."""


class _Server:
    """The way to the server; whoever is forked from here asks the same one."""

    channel: socket.socket | None = None


def start(environment: Mapping[str, str], modules: Sequence[str] = ()) -> socket.socket:
    """Starts the server, which imports the modules at once; the way to it."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with theirs:
        nothing = [(os.POSIX_SPAWN_OPEN, fd, os.devnull, os.O_RDWR, 0) for fd in range(_CHANNEL)]
        actions = [*nothing, (os.POSIX_SPAWN_DUP2, theirs.fileno(), _CHANNEL)]
        command = [sys.executable, "-m", __name__, *modules]
        os.posix_spawn(sys.executable, command, environment, file_actions=actions, setpgroup=0)
    if _Server.channel:
        _Server.channel.close()
    _Server.channel = ours
    atexit.register(ours.close)
    return ours


def ask(told: Mapping[str, Any], parts: bytes, environment: Mapping[str, str]) -> Ended:
    """What a fork of the server made of the parts; `told` names its ``work``, ``modules`` and ``seconds``.

    The work is a function of ours, ``module:name``, of the socket that it reads and answers by, and what it was told.
    """
    ours, theirs = socket.socketpair()
    deadline = time.monotonic() + told["seconds"] + PATIENCE
    with ours:
        with theirs:
            _send(json.dumps(told).encode(), theirs, environment)
        ours.settimeout(told["seconds"] + PATIENCE)
        with contextlib.suppress(BrokenPipeError, ConnectionResetError, TimeoutError):
            ours.sendall(parts)
        return _ended(_received(ours, deadline))


def _send(message: bytes, connection: socket.socket, environment: Mapping[str, str]) -> None:
    """Hands the connection to the server; to a new one where there is none, or it has died."""
    if _Server.channel:
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            socket.send_fds(_Server.channel, [message], [connection.fileno()])
            return
    socket.send_fds(start(environment), [message], [connection.fileno()])


def _received(connection: socket.socket, deadline: float) -> bytes:
    """All that comes until the other side ends, or the deadline."""
    found = bytearray()
    with contextlib.suppress(ConnectionResetError, TimeoutError):
        while (left := deadline - time.monotonic()) > 0:
            connection.settimeout(left)
            if not (part := connection.recv(1 << 20)):
                break
            found += part
    return bytes(found)


def _ended(found: bytes) -> Ended:
    if len(found) < _END.size:
        return Ended(b"", "the process that it was to be forked from has died", -signal.SIGKILL)
    late, code, length = _END.unpack(found[-_END.size :])
    rest = found[: -_END.size]
    said = rest[len(rest) - length :].decode(errors="replace")
    return Ended(rest[: len(rest) - length], said, None if late else code)


def main() -> None:
    """Forks a keeper for every request, until nobody can ask any more.

    The first work imports for itself what it needs; those after it find imported what they name.
    """
    os.closerange(_CHANNEL + 1, os.sysconf("SC_OPEN_MAX"))
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    _imported(sys.argv[1:])
    channel, asked_before = socket.socket(fileno=_CHANNEL), False
    while True:
        message, handed, *_ = socket.recv_fds(channel, _MESSAGE, 1)
        if not message:
            return
        with socket.socket(fileno=handed[0]) as connection:
            told = json.loads(message)
            if asked_before:
                _imported(told["modules"])
            asked_before = True
            if os.fork() == 0:
                channel.close()  # a work must not ask for another one
                _keep(connection, told)


def _imported(modules: Sequence[str]) -> None:
    """Imports what is there; what is not, the work that needs it will tell."""
    for name in modules:
        with contextlib.suppress(Exception):
            import_module(name)


def _keep(connection: socket.socket, told: Mapping[str, Any]) -> NoReturn:
    """Ends a work when its time is over or nobody waits for it, and tells how it ended."""
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    with tempfile.TemporaryFile(dir=told["folder"]) as said:
        worker = os.fork()
        if worker == 0:
            os.setsid()
            os.dup2(said.fileno(), 1)  # whatever libraries print is no answer
            os.dup2(said.fileno(), 2)
            _work(connection, told)
        late = _is_late(worker, connection, told["seconds"])
        for kill in (os.killpg, os.kill):
            with contextlib.suppress(ProcessLookupError):
                kill(worker, signal.SIGKILL)
        code = os.waitstatus_to_exitcode(os.waitpid(worker, 0)[1])
        said.seek(max(0, said.seek(0, os.SEEK_END) - _TEXT))
        text = said.read()
    with contextlib.suppress(OSError):
        connection.settimeout(PATIENCE)
        connection.sendall(text + _END.pack(late, code, len(text)))
        connection.shutdown(socket.SHUT_RDWR)
    os._exit(0)


def _is_late(worker: int, connection: socket.socket, seconds: float) -> bool:
    """Waits for the end of a process, of the one who asked, or of the time; whether it was the last."""
    watched = select.poll()
    watched.register(os.pidfd_open(worker), select.POLLIN)
    watched.register(connection, select.POLLRDHUP)
    return not watched.poll(seconds * 1000)


def _work(connection: socket.socket, told: Mapping[str, Any]) -> NoReturn:
    """Does the work; nothing that it planted for the end of the process runs."""
    try:
        sys.path[:] = told["path"]
        os.environ.update(told["environment"])
        tempfile.tempdir = None
        module, _, name = told["worker"].partition(":")
        work: Work = getattr(import_module(module), name)
        work(connection, told)
        sys.stderr.flush()
        os._exit(0)
    except BaseException:  # noqa: BLE001 - it is printed, and the exit code tells
        import traceback

        traceback.print_exc()
        sys.stderr.flush()
        os._exit(1)


if __name__ == "__main__":
    main()
