"""From nothing but a Python to an environment that holds uv, on friendly and unfriendly machines."""

import hashlib
import importlib.util
import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import ModuleType

import pytest

SCRIPT = Path(__file__).parents[1] / "scripts" / "bootstrap.py"
FILES = ["pip-9.0.3", "pip-26.1", "pip-26.1.2", "pip-26.2rc1", "pip-27.0", "pip-28.0"]


@pytest.fixture
def bootstrap() -> ModuleType:
    spec = importlib.util.spec_from_file_location("bootstrap", SCRIPT)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def stub(path: Path, says: str = "true") -> Path:
    """Write a small program."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\n{says}\n")
    path.chmod(0o755)
    return path


def start(folder: Path, *options: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run the script under this Python in a changed environment."""
    command = [sys.executable, *(options or (str(SCRIPT), str(folder)))]
    return subprocess.run(command, env=os.environ | environment, capture_output=True, text=True, check=False)


def as_old_python(folder: Path, path: str) -> subprocess.CompletedProcess[str]:
    """Run the script under a Python that says it is 3.9.2."""
    lines = (
        "import os, runpy, sys",
        f"sys.argv = [{str(SCRIPT)!r}, {str(folder)!r}]",
        "import shutil, ssl, subprocess, tempfile, urllib.request",
        "sys.version_info = (3, 9, 2, 'final', 0)",
        "runpy.run_path(sys.argv[0], run_name='__main__')",
    )
    return start(folder, "-c", "\n".join(lines), PATH=path)


def test_a_good_environment_is_left_alone(tmp_path: Path) -> None:
    programs = [stub(tmp_path / "env/bin" / name) for name in ("python", "uv")]
    before = [(path.read_text(), path.stat().st_mtime_ns) for path in programs]
    done = start(tmp_path / "env")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert [(path.read_text(), path.stat().st_mtime_ns) for path in programs] == before
    assert sorted(path.name for path in (tmp_path / "env").rglob("*")) == ["bin", "python", "uv"]


def test_an_old_python_is_told_what_was_found_and_what_to_do(tmp_path: Path) -> None:
    done = as_old_python(tmp_path / "env", path=str(tmp_path))
    assert done.returncode == 1
    assert "Python 3.11 or newer is needed" in done.stderr
    assert f"{sys.executable} is Python 3.9.2" in done.stderr
    assert "make install PYTHON=" in done.stderr
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "env").exists()


def test_an_old_python_hands_over_to_a_newer_one_that_runs(tmp_path: Path) -> None:
    stub(tmp_path / "python3.12", "exit 127")
    stub(tmp_path / "python3.13", f'echo "$@" >> {tmp_path}/asked')
    done = as_old_python(tmp_path / "env", path=f"{tmp_path}:/usr/bin:/bin")
    assert done.returncode == 0
    assert (tmp_path / "asked").read_text().splitlines()[-1] == f"{SCRIPT} {tmp_path}/env"


@pytest.fixture
def index(monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, bytes]]:
    """Serve a package index of a few pip wheels; what a test puts into it is served in their place."""
    bodies = {f"/files/{name}-py3-none-any.whl": name.encode() for name in FILES}
    entries = [
        {
            "filename": f"{name}-py3-none-any.whl",
            "url": f"../../files/{name}-py3-none-any.whl",
            "hashes": {"sha256": hashlib.sha256(name.encode()).hexdigest()},
            "yanked": name == "pip-27.0",
            "requires-python": ">=3.99" if name == "pip-28.0" else ">=3.10",
        }
        for name in FILES
    ]
    bodies["/simple/pip/"] = json.dumps({"files": [{"filename": "pip-99.tar.gz"}, *entries]}).encode()

    class Index(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200 if self.path in bodies else 404)
            self.end_headers()
            self.wfile.write(bodies.get(self.path, b""))

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Index) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        monkeypatch.setenv("PIP_INDEX_URL", f"http://127.0.0.1:{server.server_port}/simple/")
        yield bodies
        server.shutdown()
        thread.join()


@pytest.mark.usefixtures("index")
def test_the_newest_final_wheel_for_this_python_is_fetched(bootstrap: ModuleType, tmp_path: Path) -> None:
    wheel = Path(bootstrap.fetch_pip(str(tmp_path)))
    assert (wheel.name, wheel.read_text()) == ("pip-26.1.2-py3-none-any.whl", "pip-26.1.2")


def test_a_wheel_that_is_not_what_the_index_names_is_refused(
    bootstrap: ModuleType, index: dict[str, bytes], tmp_path: Path
) -> None:
    index["/files/pip-26.1.2-py3-none-any.whl"] = b"something else"
    assert "is not the file the index names" in bootstrap.pip_out_of_its_wheel(sys.executable)
    with pytest.raises(ValueError, match="not the file the index names"):
        bootstrap.fetch_pip(str(tmp_path))
    assert list(tmp_path.iterdir()) == []


def test_an_index_without_pip_is_named_in_one_line(bootstrap: ModuleType, index: dict[str, bytes]) -> None:
    del index["/simple/pip/"]
    assert bootstrap.pip_out_of_its_wheel(sys.executable) == "HTTPError: HTTP Error 404: Not Found"


def holds_uv(folder: Path) -> bool:
    """Tell whether the environment's own uv sees the environment's own Python."""
    command = [folder / "bin/uv", "pip", "list", "--python", folder / "bin/python", "--quiet", "--format", "json"]
    done = subprocess.run(command, capture_output=True, check=False)
    return done.returncode == 0 and "uv" in {package["name"] for package in json.loads(done.stdout)}


@pytest.mark.long
@pytest.mark.parametrize(
    ("absent", "way"),
    [
        ((), "pip of the environment"),
        (("ensurepip",), "pip of the system"),
        (("ensurepip", "pip"), "pip out of its wheel"),
    ],
    ids=["a whole Python", "no ensurepip", "no ensurepip and no pip"],
)
def test_uv_is_brought_in(absent: tuple[str, ...], way: str, tmp_path: Path) -> None:
    for name in absent:
        (tmp_path / f"{name}.py").write_text(f"raise ImportError('no {name} on this machine')")
    done = start(tmp_path / "env", PYTHONPATH=str(tmp_path))
    assert done.returncode == 0, done.stderr
    assert f"by the {way}" in done.stdout
    assert holds_uv(tmp_path / "env")
    assert (tmp_path / "env/bin/pip").exists() == (not absent)


@pytest.mark.long
def test_uv_is_brought_into_an_environment_that_lost_it(tmp_path: Path) -> None:
    subprocess.run([sys.executable, "-m", "venv", tmp_path / "env"], check=True)
    (tmp_path / "env/mine").touch()
    assert start(tmp_path / "env").returncode == 0
    assert holds_uv(tmp_path / "env")
    assert (tmp_path / "env/mine").exists()
