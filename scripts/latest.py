"""The newest versions of everything, for the oldest Python that we take and the newest that Airflow supports.

``python -m scripts.latest`` resolves them for both, and runs the tests with them on each of the two that is on this
machine, in an environment below ``.latest``. Arguments go to pytest: ``make latest ARGS="-k window"``.
"""

import os
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterable
from importlib import metadata
from pathlib import Path

from packaging.specifiers import SpecifierSet

ROOT = Path(__file__).parents[1]
FOLDER = ROOT / ".latest"


def pythons() -> tuple[str, str]:
    """The oldest Python that we take, and the newest that Airflow supports."""
    ours = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["requires-python"].removeprefix(">=")
    told = metadata.metadata("apache-airflow-core")
    known = [one.rpartition(" :: ")[2] for one in told.get_all("Classifier") if ":: Python :: 3." in one]
    return ours, newest_of(told["Requires-Python"], known)


def newest_of(allowed: str, known: Iterable[str]) -> str:
    """The newest of the versions that are allowed."""
    return max((one for one in known if one in SpecifierSet(allowed)), key=lambda one: tuple(map(int, one.split("."))))


def resolved(python: str) -> Path:
    """The newest versions that go together on a Python, as wheels: a list with hashes."""
    FOLDER.mkdir(exist_ok=True)
    file = FOLDER / f"requirements-{python}.txt"
    asked = ["--group", "dev", "--all-extras", "--upgrade", "--only-binary", ":all:", "--generate-hashes", "--quiet"]
    _uv("pip", "compile", "pyproject.toml", *asked, "--python-version", python, "--output-file", str(file))
    return file


def tested(python: str, requirements: Path, arguments: list[str]) -> int:
    """Runs the tests with these versions; the exit code."""
    home = FOLDER / f"python-{python}"
    _uv("venv", "--quiet", "--clear", "--python", python, str(home))
    interpreter = home / "bin/python"
    _uv("pip", "sync", "--quiet", "--python", str(interpreter), str(requirements))
    _uv("pip", "install", "--quiet", "--no-deps", "--python", str(interpreter), "--editable", ".")
    command = [interpreter, "-m", "pytest", "--numprocesses", "auto", "--dist", "loadfile", *arguments]
    return subprocess.run(command, cwd=ROOT, check=False).returncode


def is_here(python: str) -> bool:
    """Whether this machine has that Python; none is fetched."""
    asked = ["uv", "python", "find", "--no-python-downloads", python]
    return subprocess.run(asked, capture_output=True, check=False).returncode == 0


def _uv(*words: str) -> None:
    subprocess.run([shutil.which("uv") or "uv", *words], cwd=ROOT, check=True)


def main(arguments: list[str]) -> int:
    """Both Pythons; the worst exit code."""
    os.environ.pop("VIRTUAL_ENV", None)
    worst = 0
    for python in pythons():
        requirements = resolved(python)
        count = sum("==" in line for line in requirements.read_text().splitlines())
        print(f"Python {python}: {count} packages, the newest that go together -> {requirements.relative_to(ROOT)}")
        if is_here(python):
            worst = max(worst, tested(python, requirements, arguments))
        else:
            print(f"Python {python}: not on this machine, so the tests were not run with it")
    return worst


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
