"""A process of its own gets little: no secrets, network or files, little memory and time; and says how it ended."""

import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from monitor_tasks.io.limited import Limits, in_a_process
from monitor_tasks.value import UserError

HERE = "tests.io.test_limited"


def twice(content: bytes) -> bytes:
    sys.stdout.write("libraries print what they like\n")
    return content * 2


def write(path: bytes) -> bytes:
    Path(path.decode()).mkdir()
    return b""


def connect(port: bytes) -> bytes:
    socket.create_connection(("127.0.0.1", int(port)), 1)
    return b""


def refuse(content: bytes) -> bytes:
    raise UserError(f"{content.decode()}: cannot be mended here")


def outgrow(content: bytes) -> bytes:
    return bytes(4 << 30) + content


def abort(_: bytes) -> bytes:
    os.abort()


def sleep(_: bytes) -> bytes:
    time.sleep(60)
    return b""


def note_and_sleep(path: bytes) -> bytes:
    Path(path.decode()).write_text(str(os.getpid()))
    return sleep(b"")


def tell(name: bytes) -> bytes:
    return os.environ.get(name.decode(), "nothing").encode()


def asked(name: str, content: bytes = b"", limits: Limits = Limits()) -> bytes:  # noqa: B008
    return in_a_process(f"{HERE}:{name}", [content], "the file", limits)


def test_bytes_come_back_whatever_is_printed() -> None:
    content = os.urandom(1 << 20)
    assert asked("twice", content) == content * 2


def test_it_writes_no_file_and_reaches_no_network(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server, pytest.raises(UserError, match="ended by exit code 1"):
        asked("connect", str(server.getsockname()[1]).encode())
    with pytest.raises(UserError, match="Permission denied"):
        asked("write", str(tmp_path / "planted").encode())
    assert not (tmp_path / "planted").exists()


def test_your_own_code_may_do_what_you_may(tmp_path: Path) -> None:
    asked("write", str(tmp_path / "made").encode(), Limits(trusted=True))
    assert (tmp_path / "made").exists()


def test_no_secret_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    assert asked("tell", b"AWS_SECRET_ACCESS_KEY") == b"nothing"
    assert asked("tell", b"AWS_SECRET_ACCESS_KEY", Limits(trusted=True)) == b"secret"


def test_what_a_person_can_mend_is_told_as_it_is() -> None:
    with pytest.raises(UserError, match=r"^the model: cannot be mended here$"):
        asked("refuse", b"the model")


@pytest.mark.parametrize(
    ("name", "limits", "message"),
    [
        ("outgrow", Limits(memory="2GB"), "the file: .*MemoryError.*2GB of memory enough"),
        ("abort", Limits(), "the file: its process ended by signal 6"),
        ("sleep", Limits(seconds=1.5), "the file: took longer than 1.5 s and was ended; .*predictor.time_limit"),
    ],
)
def test_how_it_ended_is_one_clear_error(name: str, limits: Limits, message: str) -> None:
    with pytest.raises(UserError, match=message):
        asked(name, b"", limits)


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux ends a process with its parent")
@pytest.mark.parametrize("trusted", [True, False])
def test_it_ends_with_the_task_that_asked(trusted: bool, tmp_path: Path) -> None:
    noted = Path("/dev/shm") / f"asked-{os.getpid()}-{trusted}"  # one place where it may write
    code = (
        "from tests.io.test_limited import Limits, asked\n"
        f"asked('note_and_sleep', {str(noted).encode()!r}, Limits(trusted={trusted}))"
    )
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    with subprocess.Popen([sys.executable, "-c", code], env=environment) as task:
        while not (noted.exists() and noted.read_text()):
            assert task.poll() is None
            time.sleep(0.05)
        task.send_signal(signal.SIGKILL)
    asked_for = Path("/proc") / noted.read_text() / "status"
    noted.unlink()
    for _ in range(100):
        if not asked_for.exists() or "State:\tZ" in asked_for.read_text():
            return
        time.sleep(0.05)
    os.kill(int(asked_for.parent.name), signal.SIGKILL)
    pytest.fail("the process goes on without its task")
