"""Limited work is a fork of a process that knows nothing, asks nothing, and ends with those who may ask."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from monitor_tasks.io.fork_server import AVAILABLE
from monitor_tasks.io.limited import Limits, in_a_process, prepare
from monitor_tasks.value import UserError

pytestmark = pytest.mark.skipif(not AVAILABLE, reason="the system cannot watch over a process")
HERE = "tests.io.test_fork_server"
PATIENCE = 20.0


def environment(_: bytes) -> bytes:
    own, keeper, server = (Path(f"/proc/{process}/environ").read_bytes() for process in lineage())
    return own + keeper + server + repr(dict(os.environ)).encode()


def sockets(_: bytes) -> bytes:
    found = [str(one.readlink()) for one in Path("/proc/self/fd").iterdir() if one.is_symlink()]
    return str(sum(one.startswith("socket") for one in found)).encode()


def imported(name: bytes) -> bytes:
    return str(name.decode() in sys.modules).encode()


def leave_a_child(_: bytes) -> bytes:
    child = os.fork()
    if child == 0:
        time.sleep(PATIENCE)
        os._exit(0)
    return str(child).encode()


def processes(_: bytes) -> bytes:
    return json.dumps(lineage()).encode()


def sleep(_: bytes) -> bytes:
    time.sleep(60)
    return b""


def lineage() -> list[int]:
    """The work's process, the one that watches over it, and the server."""
    keeper = os.getppid()
    return [os.getpid(), keeper, int(Path(f"/proc/{keeper}/stat").read_text().rpartition(")")[2].split()[1])]


def asked(name: str, content: bytes = b"", limits: Limits = Limits(), modules: tuple[str, ...] = ()) -> bytes:  # noqa: B008
    return in_a_process(f"{HERE}:{name}", [content], "the file", limits, modules)


def is_gone(process: int) -> bool:
    """Whether the process has ended, sooner or later; a dead one whose parent has not asked yet counts as ended."""
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        status = Path(f"/proc/{process}/stat")
        try:
            if status.read_text().rpartition(")")[2].split()[0] == "Z":
                return True
        except (FileNotFoundError, ProcessLookupError):
            return True
        time.sleep(0.02)
    return False


def test_neither_the_work_nor_its_parents_know_a_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "lies-in-no-environment")
    prepare(())
    found = asked("environment")
    assert b"lies-in-no-environment" not in found
    assert b"PATH" in found


def test_the_work_holds_no_way_to_the_server() -> None:
    assert asked("sockets") == b"1"  # what it answers by


def test_what_is_prepared_is_imported_before_the_fork() -> None:
    prepare(("colorsys",))
    assert asked("imported", b"colorsys") == b"True"
    assert asked("imported", b"sndhdr") == b"False"


def test_the_first_work_imports_for_itself_and_later_ones_find_what_they_name() -> None:
    prepare(())
    assert [asked("imported", b"colorsys", modules=("colorsys", "no_such_module")) for _ in range(2)] == [
        b"False", b"True",
    ]  # fmt: skip


def test_what_the_work_left_running_is_ended_with_it() -> None:
    assert is_gone(int(asked("leave_a_child")))


def test_a_work_whose_time_is_over_is_ended() -> None:
    server = json.loads(asked("processes"))[2]
    with pytest.raises(UserError, match=r"took longer than 0.5 s"):
        asked("sleep", b"", Limits(seconds=0.5))
    children = Path(f"/proc/{server}/task/{server}/children").read_text().split()
    assert all(is_gone(int(one)) for one in children)


def test_a_server_that_died_is_started_again() -> None:
    first = json.loads(asked("processes"))[2]
    os.kill(first, signal.SIGKILL)
    assert is_gone(first)
    assert json.loads(asked("processes"))[2] != first


ASKER = f"""
import os, sys
sys.path.append(os.getcwd())
from monitor_tasks.io.limited import in_a_process
ask = lambda name: in_a_process("{HERE}:" + name, [b""], "the file")
first = ask("processes")
if os.fork() == 0:
    print(ask("processes").decode(), flush=True)
    os._exit(0)
os.wait()
print(first.decode(), flush=True)
ask(sys.argv[1])
"""


def test_forks_ask_the_same_server_which_ends_with_the_last_of_them() -> None:
    command = [sys.executable, "-c", ASKER, "processes"]
    done = subprocess.run(command, capture_output=True, text=True, check=True, cwd=Path(__file__).parents[2])
    (*_, of_fork), (*_, of_parent) = (json.loads(line) for line in done.stdout.splitlines())
    assert of_fork == of_parent
    assert is_gone(of_parent)


def test_the_work_of_an_asker_that_was_killed_is_ended() -> None:
    command = [sys.executable, "-c", ASKER, "sleep"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=Path(__file__).parents[2]) as asker:
        assert asker.stdout is not None
        server = [json.loads(asker.stdout.readline())[2] for _ in range(2)][1]
        keepers: list[str] = []
        while not keepers:
            keepers = Path(f"/proc/{server}/task/{server}/children").read_text().split()
        (work,) = Path(f"/proc/{keepers[-1]}/task/{keepers[-1]}/children").read_text().split() or [keepers[-1]]
        asker.kill()
    assert is_gone(int(work))
    assert is_gone(int(keepers[-1]))
    assert is_gone(server)
