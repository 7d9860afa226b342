"""The main job on this machine: a simulated endpoint, monitored hour by hour by a real Airflow.

python -m examples.demo [--keep]
"""

import json
import shutil
import signal
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, NamedTuple

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.table import Column, Table

from examples.airflow_processes import PROJECT, LocalAirflow, free_port
from examples.loan_scoring.simulate import simulate
from examples.loan_scoring.story import FIVE
from monitor_tasks.io.executions import newest, read_artifact
from monitor_tasks.site import Site, load_endpoint
from monitor_tasks.verdict import Action, Verdict
from monitor_tasks.window import Window, parse_time

ENDPOINT = PROJECT / "dags" / "endpoints" / "loan-scoring.yaml"
STORY = FIVE
START = parse_time("2026-01-01T00:00:00Z")
END = START.replace(hour=len(STORY))
DAG, RETRAINING = "monitor__loan-scoring", "retrain_model"
DONE = ("success", "failed")
PATIENCE = 600.0

console = Console()


class Told(NamedTuple):
    """What became of one window."""

    window: Window
    story: str
    used: int
    quarantined: int
    verdict: Verdict
    triggered: str
    """The state of the run that was triggered, with its id; else the action itself."""


def main(
    keep: Annotated[bool, typer.Option(help="Leave Airflow running for a look, until Ctrl-C.")] = False,
    rows: Annotated[int, typer.Option(help="Applicants an hour.")] = 1500,
) -> None:
    """Prepares the demo endpoint, backfills its windows through the real scheduler, and shows what came out."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    began = time.monotonic()
    home = PROJECT / ".demo"
    shutil.rmtree(home, ignore_errors=True)
    with LocalAirflow(home, 8080 if keep else free_port()) as airflow:
        told = play(airflow, home, rows)
        show(told, home)
        console.print(f"{time.monotonic() - began:.0f} s", style="dim")
        if keep:
            console.print(f"Airflow is at {airflow.url} (no password); Ctrl-C ends it.")
            while True:
                airflow.check()
                time.sleep(1)


def play(airflow: LocalAirflow, home: Path, rows: int) -> list[Told]:
    """Tells the whole story below `home` through `airflow`; what became of each window.

    Raises:
        RuntimeError: a run failed, or they were not over in time.
    """
    with _progress() as progress:
        _prepare(airflow, progress, home, rows)
        states = _follow(airflow, progress, home)
    failed = sorted(run for run, state in states.items() if state != "success")
    if failed:
        raise RuntimeError(f"runs failed: {', '.join(failed)}; Airflow's logs are in {home / 'airflow'}")
    return [_told(home, window, story.name, states) for window, story in zip(windows(home), STORY, strict=True)]


@contextmanager
def _progress() -> Iterator[Progress]:
    columns = (
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=console) as progress:
        yield progress


def _prepare(airflow: LocalAirflow, progress: Progress, home: Path, rows: int) -> None:
    """Simulates the traffic and makes the backfill; on SQLite that has to come before the scheduler starts."""
    steps = progress.add_task("simulate the traffic, migrate the database", total=4)
    with ThreadPoolExecutor() as pool:
        migrated = pool.submit(airflow.run, "db", "migrate")
        simulate(home, STORY, START, rows, seed=7)
        shutil.copy(PROJECT / "examples" / "loan_scoring" / "suite.json", home)
        progress.advance(steps)
        migrated.result()
    progress.update(steps, advance=1, description="read the DAGs")
    airflow.run("dags", "reserialize")
    progress.update(steps, advance=1, description="make the backfill")
    last = START.replace(hour=len(STORY) - 1)
    airflow.run(
        "backfill", "create", "--dag-id", DAG, "--from-date", START.isoformat(), "--to-date", last.isoformat(),
        "--max-active-runs", "4", "--dag-run-conf", json.dumps({"allow_retraining": True}),
    )  # fmt: skip
    progress.update(steps, advance=1, description="prepared")


def _follow(airflow: LocalAirflow, progress: Progress, home: Path) -> dict[str, str]:
    """Starts Airflow and waits until every run is over; the state of each run by its id."""
    bar = progress.add_task("Airflow starts", total=len(STORY))
    airflow.start("api-server", "scheduler", "dag-processor")
    airflow.wait_until_up()
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        airflow.check()
        states = airflow.states(DAG)
        progress.update(bar, completed=sum(state in DONE for state in states.values()), description="windows")
        if len(states) == len(STORY) and all(state in DONE for state in states.values()):
            retraining = airflow.states(RETRAINING)
            if all(state in DONE for state in retraining.values()) and handed_over(home) <= retraining.keys():
                return {**states, **retraining}
        time.sleep(1)
    raise RuntimeError(f"the runs were not over after {PATIENCE:.0f} s; Airflow's logs are in {home / 'airflow'}")


def site(home: Path) -> Site:
    """The demo's endpoint, its addresses below `home`."""
    return Site(load_endpoint(str(ENDPOINT), ENDPOINT.read_text(), str(home)))


def windows(home: Path) -> list[Window]:
    """The story's windows."""
    return list(site(home).endpoint.schedule.windows(START, END))


def handed_over(home: Path) -> set[str]:
    """The id of every run that a verdict hands over to."""
    found = [verdict(home, window) for window in windows(home)]
    return {_run_id(one) for one in found if one is not None and one.action is Action.RETRAIN}


def verdict(home: Path, window: Window) -> Verdict | None:
    """The newest verdict of a window; None where its run ended before there was one."""
    content = _newest(home, "verdict", window, "verdict.json")
    return Verdict.read(content, str(window)) if content else None


def _newest(home: Path, schedule: str, window: Window, name: str) -> bytes | None:
    place = site(home)
    key = newest(place.store, place.folder(schedule, window))
    return read_artifact(place.store, key, name) if key else None


def _run_id(verdict: Verdict) -> str:
    return f"retrain__{verdict.endpoint}__{verdict.episode}"


def _told(home: Path, window: Window, story: str, states: dict[str, str]) -> Told:
    found, ledger = verdict(home, window), _newest(home, "captured", window, "ledger.json")
    if found is None or ledger is None:
        raise RuntimeError(f"{window} has no verdict; Airflow's logs are in {home / 'airflow'}")
    totals, run = json.loads(ledger)["totals"], _run_id(found)
    triggered = f"{run}: {states[run]}" if found.action is Action.RETRAIN else str(found.action)
    return Told(window, story, totals["used"], totals["quarantined"], found, triggered)


def show(told: list[Told], home: Path) -> None:
    """One line a window, and where everything lies."""
    fixed = ("window", "story", "rows used", "quarantined", "status", "triggered")
    table = Table(*(Column(title, no_wrap=True) for title in fixed), "verdict")
    for one in told:
        cells = (one.window, one.story, one.used, one.quarantined, one.verdict.status, one.triggered)
        table.add_row(*map(str, cells), one.verdict.because)
    Console(width=max(console.width, 190)).print(table)
    artifacts = home / "artifacts" / "loan-scoring"
    console.print(f"reports:   {artifacts}/data_quality/yyyy/MM/dd/HH/report.json", soft_wrap=True)
    console.print(f"baselines: {artifacts}/baselines", soft_wrap=True)


if __name__ == "__main__":
    typer.run(main)
