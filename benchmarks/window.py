"""The whole sentence for one window of the demo's endpoint, as the command line runs it: what a worker must have."""

import os
import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from time import perf_counter

from benchmarks.measure import Cost, Peer, Step, Target
from examples.loan_scoring.simulate import simulate
from examples.loan_scoring.story import HEALTHY, Chapter
from monitor_tasks.retention import KINDS
from monitor_tasks.window import format_time

PROJECT = Path(__file__).parents[1]
START = datetime(2026, 1, 1, tzinfo=UTC)
FEW = 1000
"""Rows of the window that has the baseline suggested, outside the clock."""
APART = 5
"""Hours between the windows: longer than labels are waited for, so that none reads another's files."""


def make(folder: Path, rows: int) -> None:
    """Three windows with labels: a first one, which is run, one of a tenth of the rows, one of all."""
    sizes = (FEW, rows // 10, rows)
    story = [Chapter("healthy", APART * turn, HEALTHY, traffic=size / rows) for turn, size in enumerate(sizes)]
    simulate(folder, story, START, rows, seed=7)
    shutil.copy(PROJECT / "dags/endpoints/loan-scoring.yaml", folder)
    shutil.copy(PROJECT / "examples/loan_scoring/suite.json", folder)
    _run(folder, 0)
    (folder / "artifacts").rename(folder / "pinned")


def steps(rows: int) -> list[Step]:
    """The window of all rows beside that of a tenth: what does not grow with the rows is paid by both."""
    tenth = Peer(f"{rows // 10:,} rows", partial(_window, 1), (Target(10, "at most"),))
    return [Step(f"one window of {rows:,} rows, four monitors", partial(_window, 2), (tenth,))]


def _window(turn: int, folder: Path) -> Callable[[], Cost]:
    shutil.rmtree(folder / "artifacts", ignore_errors=True)
    shutil.copytree(folder / "pinned", folder / "artifacts")
    return partial(_run, folder, turn)


def _run(folder: Path, turn: int) -> Cost:
    """Runs the window in a process of its own, models' processes included."""
    span = f"{format_time(START + timedelta(hours=APART * turn))}/PT1H"
    command = [sys.executable, "-c", "from monitor_tasks.cli import app; app()"]
    words = [*command, "run", str(folder / "loan-scoring.yaml"), "--window", span, "--json"]
    began = perf_counter()
    with subprocess.Popen(words, stdout=subprocess.PIPE, env={**os.environ, "MONITOR_TASKS_HOME": str(folder)}) as run:
        assert run.stdout
        told = run.stdout.read()
        _, status, used = os.wait4(run.pid, 0)
        run.returncode = os.waitstatus_to_exitcode(status)
    assert run.returncode in (0, 1), told.decode()
    return Cost(perf_counter() - began, used.ru_maxrss / 1024, note=_left(folder), busy=used.ru_utime + used.ru_stime)


def _left(folder: Path) -> str:
    """What the newest window left below the root, by kind of file."""
    sizes = Counter[str]()
    for file in (folder / "artifacts").rglob("*"):
        if file.is_file() and not (folder / "pinned" / file.relative_to(folder / "artifacts")).exists():
            sizes[next((kind for name, kind in KINDS.items() if file.match(name)), "numbers")] += file.stat().st_size
    return "left " + ", ".join(f"{kind} {size / 1e6:.1f} MB" for kind, size in sorted(sizes.items()))
