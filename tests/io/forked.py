"""Runs windows in processes that can be killed at any system call, without paying for the imports each time.

Started as a program it imports everything once, then forks a child per run and never runs anything itself. A line in:
``{"endpoint": path, "window": text, "times": n, "strace": [arguments]}``; a line out: the runs' exit codes (-9: killed)
and what they said.
"""

import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

WRITES = "write,pwrite64,writev,rename,renameat,renameat2,link,linkat,fsync,fdatasync,unlink,unlinkat,mkdir,mkdirat"


class Ran(NamedTuple):
    code: int
    said: str


class Forker:
    """The test's side: a process that forks runs of ``monitor-tasks run``."""

    def __init__(self, environment: dict[str, str] | None = None, user: int | None = None) -> None:
        self._process = subprocess.Popen(
            [sys.executable, __file__],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, **(environment or {})},
            user=user,
        )

    def run(self, endpoint: Path, window: str, times: int = 1, strace: Sequence[str] = ()) -> list[Ran]:
        job = {"endpoint": str(endpoint), "window": window, "times": times, "strace": list(strace)}
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

    from monitor_tasks import cli

    said = io.StringIO()
    cli.out.file = cli.err.file = said
    code = 99
    try:
        with contextlib.redirect_stdout(said), contextlib.redirect_stderr(said):
            os.chdir(Path(job["endpoint"]).parent)  # addresses in the YAML are relative, so trees are comparable
            cli.app(["run", Path(job["endpoint"]).name, "--window", job["window"]])
    except SystemExit as end:
        code = int(end.code or 0)
    except BaseException as error:  # noqa: BLE001 - whatever it is, the test must see it
        said.write(f"{type(error).__name__}: {error}")
    answer.send(said.getvalue().encode()[-100_000:])
    os._exit(code)


def _serve() -> None:
    import great_expectations  # noqa: F401
    import pyarrow.csv
    import pyarrow.parquet  # noqa: F401

    import monitor_tasks.cli
    import monitor_tasks.monitors.data_quality
    import monitor_tasks.monitors.expectations
    import monitor_tasks.on_tables  # noqa: F401

    for line in sys.stdin:
        job = json.loads(line)
        children = [_fork(job) for _ in range(job["times"])]
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
