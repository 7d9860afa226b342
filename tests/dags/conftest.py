"""An Airflow of the tests' own: its home in a temporary folder, every import of it in a process of its own."""

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from examples.airflow_processes import LocalAirflow, free_port
from examples.loan_scoring.simulate import simulate
from examples.loan_scoring.story import FIVE
from monitor_tasks.window import parse_time
from tests.moto_server import moto_server

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def moto() -> Iterator[str]:
    """The address of a server that answers as AWS does."""
    with moto_server() as address:
        yield address


@pytest.fixture(scope="session")
def airflow(tmp_path_factory: pytest.TempPathFactory) -> LocalAirflow:
    """A migrated Airflow with the demo's traffic below its home; no service runs."""
    home = tmp_path_factory.mktemp("home")
    simulate(home, FIVE, parse_time("2026-01-01T00:00:00Z"), 200, seed=7)
    (home / "suite.json").write_bytes((ROOT / "examples" / "loan_scoring" / "suite.json").read_bytes())
    found = LocalAirflow(home, free_port())
    found.run("db", "migrate")
    return found


@pytest.fixture
def in_airflow(airflow: LocalAirflow) -> Callable[..., Any]:
    """Runs a piece of Python beside Airflow in a process of its own; its last line of output, read as JSON."""

    def run(code: str, **environment: str) -> Any:
        done = subprocess.run(
            [sys.executable, "-W", "ignore", "-c", code],
            env={**airflow.environment, **environment},
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-6000:]
        return json.loads(done.stdout.strip().splitlines()[-1])

    return run
