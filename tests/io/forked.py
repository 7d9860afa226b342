"""Runs windows in processes that can be killed at any system call or any write, without paying for imports each time.

Started as a program it imports everything once, then forks a child per run and never runs anything itself. A line in:
``{"home": folder, "does": arguments of the command line or ["module:function", arguments], "times": n,
"strace": [arguments], "dies_at": write, "listing": seed, "user": id}``; a line out: the runs' exit codes (-9: killed)
and what they said. Runs at once begin together; with ``"shares"`` there is one for each, with these as its last
arguments.
"""

import json
import locale
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from importlib import import_module
from pathlib import Path
from random import Random
from typing import Any, NamedTuple

WRITES = "write,pwrite64,writev,rename,renameat,renameat2,link,linkat,fsync,fdatasync,unlink,unlinkat,mkdir,mkdirat"

_FAKED = sorted(Path("/usr/lib").glob("*/faketime/libfaketimeMT.so.1"))
CLOCK = {"LD_PRELOAD": str(_FAKED[0]), "FAKETIME": "+25h"} if _FAKED else {}
"""The environment of a process whose clock is 25 hours ahead; empty on a machine without libfaketime."""


class Ran(NamedTuple):
    code: int
    said: str


class Forker:
    """The test's side: a process that forks runs of ``monitor-tasks run``."""

    def __init__(self, environment: dict[str, str] | None = None) -> None:
        self._process = subprocess.Popen(
            [sys.executable, __file__],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path)), **(environment or {})},
        )

    def run(self, endpoint: Path, window: str, **how: Any) -> list[Ran]:
        """Runs ``monitor-tasks run``; see the file's head for what may be said of how."""
        return self._ask(endpoint.parent, ["run", endpoint.name, "--window", window], **how)

    def call(self, home: Path, *does: Any, **how: Any) -> Ran:
        """Calls ``module:function`` with its arguments in a folder."""
        return self.calls(home, *does, **how)[0]

    def calls(self, home: Path, *does: Any, **how: Any) -> list[Ran]:
        """The same, as often at once as is said."""
        return self._ask(home, does, **how)

    def _ask(self, home: Path, does: Sequence[Any], **how: Any) -> list[Ran]:
        job = {"home": str(home), "does": does, "times": 1, "strace": [], "dies_at": 0, "listing": 0, "user": 0, **how}
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(job) + "\n")
        self._process.stdin.flush()
        return [Ran(*one) for one in json.loads(self._process.stdout.readline())]

    def close(self) -> None:
        self._process.communicate()


def _fork(job: dict[str, Any]) -> tuple[int, socket.socket, list[subprocess.Popen[bytes]]]:
    ours, theirs = socket.socketpair()
    child = os.fork()
    if child == 0:
        ours.close()
        theirs.recv(1)
        _run(job, theirs)
    theirs.close()
    tracer = []
    if job["strace"]:
        tracer = [
            subprocess.Popen(["strace", "-f", "-qq", *job["strace"], "-p", str(child)], stderr=subprocess.DEVNULL)
        ]
        while "TracerPid:\t0\n" in Path(f"/proc/{child}/status").read_text():
            time.sleep(0.001)
    return child, ours, tracer


def _run(job: dict[str, Any], answer: socket.socket) -> None:
    import contextlib
    import io

    from monitor_tasks.cli import app, commands
    from monitor_tasks.value import UserError

    said = io.StringIO()
    commands.out.file = commands.err.file = said
    code = 99
    try:
        with contextlib.redirect_stdout(said), contextlib.redirect_stderr(said):
            with contextlib.suppress(locale.Error):  # a machine need not have it
                locale.setlocale(locale.LC_ALL, "")
            os.chdir(job["home"])  # addresses in the YAML are relative, so trees are comparable
            if job["user"]:
                os.setuid(job["user"])
            _die_at(job["dies_at"])
            _list_in_another_order(job["listing"])
            module, _, function = job["does"][0].partition(":")
            if function:
                said.write(json.dumps(getattr(import_module(module), function)(*job["does"][1:])))
            else:
                app(job["does"])
            code = 0
    except UserError as error:
        said.write(str(error))
        code = 2
    except SystemExit as end:
        code = int(end.code or 0)
    except BaseException as error:  # noqa: BLE001 - whatever it is, the test must see it
        said.write(f"{type(error).__name__}: {error}")
    answer.send(said.getvalue().encode()[-100_000:])
    os._exit(code)


def _die_at(number: int) -> None:
    """From now on the process is killed when it is about to do its n-th write to a store; 0: never."""
    from monitor_tasks.io.store import Store

    begun = 0

    def deadly(change: Callable[..., None]) -> Callable[..., None]:
        def changed(*args: Any, **kwargs: Any) -> None:
            nonlocal begun
            begun += 1
            if begun == number:
                os.kill(os.getpid(), signal.SIGKILL)
            change(*args, **kwargs)

        return changed

    if number:
        for name in ("_write", "delete"):
            setattr(Store, name, deadly(getattr(Store, name)))


def _list_in_another_order(seed: int) -> None:
    """From now on every listing comes in an order of its own; 0: as the store gives it."""
    import obstore

    random, listed, divided = Random(seed), obstore.list, obstore.list_with_delimiter

    def shuffled(found: Sequence[Any]) -> list[Any]:
        return random.sample(list(found), len(found))

    def listing(*args: Any, **kwargs: Any) -> list[list[Any]]:
        return [shuffled([one for batch in listed(*args, **kwargs) for one in batch])]

    def parts(*args: Any, **kwargs: Any) -> dict[str, Any]:
        return {name: shuffled(found) for name, found in divided(*args, **kwargs).items()}

    if seed:
        obstore.list, obstore.list_with_delimiter = listing, parts  # type: ignore[assignment]


HEAVY = (
    *("altair", "great_expectations", "pyarrow.csv", "pyarrow.parquet", "vl_convert"),
    *("monitor_tasks.cli", "monitor_tasks.on_tables", "monitor_tasks.pages.report", "tests.whole"),
    *(f"monitor_tasks.monitors.{name}" for name in ("attribution", "bias", "data_quality", "expectations")),
    "monitor_tasks.monitors.model_quality",
)
"""What every run imports; nothing of it may be called before a fork."""


def _serve() -> None:
    for name in HEAVY:
        import_module(name)
    for line in sys.stdin:
        job = json.loads(line)
        shares = job.get("shares") or [[]] * job["times"]
        children = [_fork({**job, "does": [*job["does"], *share]}) for share in shares]
        for _, talk, _ in children:
            talk.send(b"!")
        ends = []
        for child, talk, tracer in children:
            said = bytearray()
            while part := _received(talk):
                said += part
            code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
            for one in tracer:
                one.wait()
            talk.close()
            ends.append((code, said.decode()))
        sys.stdout.write(json.dumps(ends) + "\n")
        sys.stdout.flush()


def _received(talk: socket.socket) -> bytes:
    try:
        return talk.recv(65536)
    except ConnectionResetError:
        return b""


if __name__ == "__main__":
    _serve()
