"""A monitor of one's own, registered by its import path: in the YAML, the schema, the reports and the verdict."""

import os
import random
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from examples.own_monitor import REGISTRATION
from monitor_tasks.monitors.settings import registered
from tests.test_readme import blocks
from tests.test_restating import captured

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs/own-monitor.md").read_text()
PATHS = os.pathsep.join(map(str, (ROOT / "src", ROOT)))
WITH_IT = {**os.environ, "PYTHONPATH": PATHS, "MONITOR_TASKS_MONITORS": "examples.own_monitor:REGISTRATION"}


def cli(home: Path, *words: str, **environment: str) -> Any:
    command = [sys.executable, "-c", "from monitor_tasks.cli import app; app()", *words]
    return subprocess.run(command, cwd=home, env=WITH_IT | environment, capture_output=True, text=True, check=False)


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """An hour of amounts half of which are guessed, and a reference in which few are."""
    draw = random.Random(3)
    (yaml,) = blocks(PAGE, "yaml")
    (tmp_path / "endpoint.yaml").write_text(yaml)
    rows = [f"0.5,{draw.randint(1, 9999)}.5,a" for _ in range(900)] + ["0.5,5000,a"] * 100
    (tmp_path / "reference.csv").write_text("\n".join(["probability,amount,region", *rows]) + "\n")
    folder = tmp_path / "capture/2026/01/01/00"
    folder.mkdir(parents=True)
    amounts = [f"{draw.randint(1, 9)}000" if number % 2 else f"{draw.randint(1, 9999)}.5" for number in range(200)]
    lines = [captured(0, number, "0.5", amount, "a") for number, amount in enumerate(amounts)]
    (folder / "part.jsonl").write_text("\n".join(lines) + "\n")
    return tmp_path


def test_its_window_is_judged_reported_and_decided_on_like_any_other(home: Path) -> None:
    done = cli(home, "run", "endpoint.yaml", "--window", "2026-01-01T00:00:00Z/PT1H")
    assert done.returncode == 1, done.stdout + done.stderr
    assert "broken data" in done.stdout
    folder = home / "artifacts/loans/round_numbers/2026/01/01/01"
    assert {path.name for path in folder.iterdir()} >= {"report.json", "report.html"}
    page = (folder / "report.html").read_text()
    assert "Round numbers" in page
    assert "100 of 1000 numbers of the reference are round" in page


def test_the_schema_has_its_settings_only_where_it_is_registered(home: Path) -> None:
    assert '"RoundNumbersSettings"' in cli(home, "schema").stdout
    assert '"RoundNumbersSettings"' not in cli(home, "schema", MONITOR_TASKS_MONITORS="").stdout
    done = cli(home, "run", "endpoint.yaml", "--window", "2026-01-01T00:00:00Z/PT1H", MONITOR_TASKS_MONITORS="")
    assert "monitors.round_numbers: unknown monitor" in done.stderr


def test_the_registration_imports_nothing_heavy(home: Path) -> None:
    code = "import sys, monitor_tasks.endpoint; print(sorted({'pyarrow', 'pandas', 'numpy'} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], env=WITH_IT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize(
    ("path", "wrong"),
    [
        ("nowhere:REGISTRATION", "No module named 'nowhere'; write it as module:REGISTRATION"),
        ("examples.own_monitor:LOST", "no attribute 'LOST'; write it as"),
        ("examples.own_monitor:NAME", "is a str, expected a Registration"),
        (":", "Empty module name; write it as"),
    ],
)
def test_what_is_no_registration_is_told(path: str, wrong: str) -> None:
    with pytest.raises((ImportError, TypeError), match=f"MONITOR_TASKS_MONITORS: {path}: .*{wrong}"):
        registered(path)


def test_several_are_named_with_commas() -> None:
    assert registered(" , examples.own_monitor:REGISTRATION,") == (REGISTRATION,)


@pytest.mark.parametrize("file", ["__init__.py", "monitor.py"])
def test_the_page_shows_the_example_as_it_is(file: str) -> None:
    assert (ROOT / "examples/own_monitor" / file).read_text() in blocks(PAGE, "python")
