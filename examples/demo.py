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
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.table import Table

from examples.airflow_processes import PROJECT, LocalAirflow, free_port, runs_of
from examples.loan_scoring.simulate import simulate
from examples.loan_scoring.story import FIVE
from monitor_tasks.io.executions import newest, read_artifact
from monitor_tasks.site import Site, load_endpoint
from monitor_tasks.verdict import Verdict
from monitor_tasks.window import Window, parse_time

HOME = PROJECT / ".demo"
ENDPOINT = PROJECT / "dags" / "endpoints" / "loan-scoring.yaml"
START = parse_time("2026-01-01T00:00:00Z")
PATIENCE = 600.0
DAG, RETRAINING = "monitor__loan-scoring", "retrain_model"
DONE = ("success", "failed")

console = Console()


def main(
    keep: Annotated[bool, typer.Option(help="Leave Airflow running for a look, until Ctrl-C.")] = False,
    rows: Annotated[int, typer.Option(help="Applicants an hour.")] = 1500,
) -> None:
    """Prepares the demo endpoint, backfills its windows through the real scheduler, and shows what came out."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    began = time.monotonic()
    shutil.rmtree(HOME, ignore_errors=True)
    with LocalAirflow(HOME, 8080 if keep else free_port()) as airflow:
        with _progress() as progress:
            _prepare(airflow, progress, rows)
            states = _follow(airflow, progress)
        _show(states)
        console.print(f"{time.monotonic() - began:.0f} s", style="dim")
        if keep:
            console.print(f"Airflow is at {airflow.url} (no password); Ctrl-C ends it.")
            while True:
                airflow.check()
                time.sleep(1)
    if any(state != "success" for state in states.values()):
        raise typer.Exit(1)


@contextmanager
def _progress() -> Iterator[Progress]:
    columns = (SpinnerColumn(), TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console) as progress:
        yield progress


def _prepare(airflow: LocalAirflow, progress: Progress, rows: int) -> None:
    """Simulates the traffic and makes the backfill; on SQLite that has to come before the scheduler starts."""
    steps = progress.add_task("simulate the traffic, migrate the database", total=4)
    with ThreadPoolExecutor() as pool:
        migrated = pool.submit(airflow.run, "db", "migrate")
        simulate(HOME, FIVE, START, rows, seed=7)
        shutil.copy(PROJECT / "examples" / "loan_scoring" / "suite.json", HOME)
        progress.advance(steps)
        migrated.result()
    progress.update(steps, advance=1, description="read the DAGs")
    airflow.run("dags", "reserialize")
    progress.update(steps, advance=1, description="make the backfill")
    last = START.replace(hour=len(FIVE) - 1)
    airflow.run(
        "backfill", "create", "--dag-id", DAG, "--from-date", START.isoformat(), "--to-date", last.isoformat(),
        "--max-active-runs", "4", "--dag-run-conf", json.dumps({"allow_retraining": True}),
    )  # fmt: skip
    progress.update(steps, advance=1, description="prepared")


def _follow(airflow: LocalAirflow, progress: Progress) -> dict[str, str]:
    """Starts Airflow and waits until every run is over; the state of each run by its id."""
    bar = progress.add_task("Airflow starts", total=len(FIVE))
    airflow.start("api-server", "scheduler", "dag-processor")
    airflow.wait_until_up()
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        airflow.check()
        runs = runs_of(airflow, (DAG, RETRAINING))
        states = {run["dag_run_id"]: run["state"] for run in runs}
        finished = sum(run["dag_id"] == DAG and run["state"] in DONE for run in runs)
        progress.update(bar, completed=finished, description="windows")
        if len(runs) >= len(FIVE) and all(state in DONE for state in states.values()) and _all_handed_over(states):
            return states
        time.sleep(1)
    raise RuntimeError(f"the runs were not over after {PATIENCE:.0f} s; Airflow's logs are in {HOME / 'airflow'}")


def _site() -> Site:
    """The demo's endpoint, its addresses below the demo's folder."""
    return Site(load_endpoint(str(ENDPOINT), ENDPOINT.read_text(), str(HOME)))


def _all_handed_over(states: dict[str, str]) -> bool:
    """Whether each retraining that a verdict asks for has a run."""
    wanted = [f"retrain__{one.endpoint}__{one.episode}" for one in map(_verdict, _windows()) if one.action == "retrain"]
    return all(run in states for run in wanted)


def _windows() -> list[Window]:
    return list(_site().endpoint.schedule.windows(START, START.replace(hour=len(FIVE))))


def _newest(schedule: str, window: Window, name: str) -> bytes:
    site = _site()
    key = newest(site.store, site.folder(schedule, window))
    if key is None:
        raise RuntimeError(f"{window} has no {schedule}; Airflow's logs are in {HOME / 'airflow'}")
    return read_artifact(site.store, key, name)


def _verdict(window: Window) -> Verdict:
    return Verdict.read(_newest("verdict", window, "verdict.json"), str(window))


def _show(states: dict[str, Any]) -> None:
    """One line a window, and where everything lies."""
    table = Table()
    for title in ("window", "story", "rows used", "quarantined", "status", "verdict", "triggered"):
        table.add_column(title, no_wrap=title != "verdict")
    for window, chapter in zip(_windows(), FIVE, strict=True):
        counts = json.loads(_newest("captured", window, "ledger.json"))["totals"]
        verdict = _verdict(window)
        run = f"retrain__{verdict.endpoint}__{verdict.episode}"
        triggered = f"{run}: {states.get(run)}" if verdict.action == "retrain" else verdict.action
        cells = (window, chapter.name, counts["used"], counts["quarantined"], verdict.status, verdict.because, triggered)
        table.add_row(*map(str, cells))
    wide = Console(width=max(console.width, 180))
    wide.print(table)
    folder = Path(_site().store.address) / "loan-scoring"
    console.print(f"reports and artifacts: {folder / 'data_quality'}", soft_wrap=True)
    console.print(f"baseline: {folder / 'baselines'}", soft_wrap=True)


if __name__ == "__main__":
    typer.run(main)
