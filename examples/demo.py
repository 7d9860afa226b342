"""The main job on this machine: a simulated endpoint, monitored hour by hour by a real Airflow.

python -m examples.demo [--keep]
"""

import json
import shutil
import signal
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, NamedTuple

import joblib
import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.table import Column, Table

from examples.airflow_processes import PROJECT, LocalAirflow, free_port
from examples.loan_scoring.simulate import simulate, tell_next
from examples.loan_scoring.story import EIGHT
from monitor_tasks.io.executions import newest, read_artifact
from monitor_tasks.report import Report, Status
from monitor_tasks.site import Site, load_endpoint
from monitor_tasks.verdict import Action, Verdict
from monitor_tasks.window import Window, parse_time

ENDPOINT = PROJECT / "dags" / "endpoints" / "loan-scoring.yaml"
STORY = EIGHT
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
    labelled: int
    verdict: Verdict
    reports: tuple[Report, ...]
    triggered: str
    """The state of the run that was triggered, with its id; else the action itself."""

    @property
    def saw(self) -> str:
        """Which monitor saw what: its violations, or its status where it is not simply healthy."""
        found = [_saw(report) for report in self.reports]
        return "\n".join(text for text in found if text) or "all four: healthy"


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
    steps = progress.add_task("simulate the traffic, read the DAGs, make the backfill", total=2)
    last = START.replace(hour=len(STORY) - 2)
    backfill = (
        "backfill", "create", "--dag-id", DAG, "--from-date", START.isoformat(), "--to-date", last.isoformat(),
        "--max-active-runs", "4", "--dag-run-conf", json.dumps({"allow_retraining": True}),
    )  # fmt: skip
    with ThreadPoolExecutor() as pool:
        made = pool.submit(airflow.run_all, ("db", "migrate"), ("dags", "reserialize"), backfill)
        simulate(home, STORY[:-1], START, rows, seed=7)
        shutil.copy(PROJECT / "examples" / "loan_scoring" / "suite.json", home)
        progress.advance(steps)
        made.result()
    progress.update(steps, advance=1, description="prepared")


def _follow(airflow: LocalAirflow, progress: Progress, home: Path) -> dict[str, str]:
    """Lets the hours pass, then the retraining that they asked for, then the hour after it; all runs' states."""
    hours = progress.add_task("Airflow starts", total=len(STORY) - 1)
    airflow.start("api-server", "scheduler", "dag-processor")
    airflow.wait_until_up()
    airflow.patch(f"/dags/{RETRAINING}", {"is_paused": True})  # so that it learns from every hour of the episode
    states = _wait(
        airflow, DAG, len(STORY) - 1, lambda done: progress.update(hours, completed=done, description="hours")
    )
    retraining = progress.add_task("retraining, which waits for a person's approval", total=1)
    airflow.patch(f"/dags/{RETRAINING}", {"is_paused": False})

    def approved(done: int) -> None:
        airflow.approve()
        progress.update(retraining, completed=done)

    states |= _wait(airflow, RETRAINING, 1, approved)
    progress.update(retraining, description="retraining, approved through Airflow's API")
    after = progress.add_task("the hour after it", total=1)
    last, model = windows(home)[-1], site(home).model(windows(home)[-1])
    tell_next(home, STORY, START, joblib.load(model.address))
    airflow.post(f"/dags/{DAG}/dagRuns", {"logical_date": None, "conf": {"window": str(last)}})
    states |= _wait(airflow, DAG, len(STORY), lambda done: progress.update(after, completed=done - len(STORY) + 1))
    return states


def _wait(airflow: LocalAirflow, dag_id: str, runs: int, tell: Callable[[int], None]) -> dict[str, str]:
    """The states of a DAG's runs when so many are over; `tell` hears how many are."""
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        airflow.check()
        states = airflow.states(dag_id)
        done = sum(state in DONE for state in states.values())
        tell(done)
        if done >= runs and done == len(states):
            return states
        time.sleep(0.5)
    raise RuntimeError(f"the runs of {dag_id} were not over after {PATIENCE:.0f} s: {states}")


def site(home: Path) -> Site:
    """The demo's endpoint, its addresses below `home`."""
    return Site(load_endpoint(str(ENDPOINT), ENDPOINT.read_text(), str(home)))


def windows(home: Path) -> list[Window]:
    """The story's windows."""
    return list(site(home).endpoint.schedule.windows(START, END))


def verdict(home: Path, window: Window) -> Verdict | None:
    """The newest verdict of a window; None where its run ended before there was one."""
    content = _newest(home, "verdict", window, "verdict.json")
    return Verdict.read(content, str(window)) if content else None


def _newest(home: Path, schedule: str, window: Window, name: str) -> bytes | None:
    place = site(home)
    key = newest(place.store, place.folder(schedule, window))
    return read_artifact(place.store, key, name) if key else None


def _told(home: Path, window: Window, story: str, states: dict[str, str]) -> Told:
    found = verdict(home, window)
    counts = [
        _newest(home, *where) for where in (("captured", window, "ledger.json"), ("labelled", window, "labels.json"))
    ]
    reports = [_newest(home, name, window, "report.json") for name in site(home).endpoint.configured()]
    if found is None or None in (*counts, *reports):
        raise RuntimeError(f"{window} is not complete; Airflow's logs are in {home / 'airflow'}")
    ledger, labels = (json.loads(content or b"") for content in counts)
    run = f"retrain__{found.endpoint}__{found.episode}"
    return Told(
        window, story, ledger["totals"]["used"], ledger["totals"]["quarantined"], labels["matched"], found,
        tuple(Report.read(content or b"", str(window)) for content in reports),
        f"{run}: {states[run]}" if found.action is Action.RETRAIN else str(found.action),
    )  # fmt: skip


def _saw(report: Report) -> str:
    broken = [f"{one.constraint.metric} {one.constraint.subject}".strip() for one in report.violations]
    some = ", ".join(broken[:3]) + (f", {len(broken) - 3} more" if len(broken) > 3 else "")
    quiet = "" if report.status is Status.COMPLETED else str(report.status)
    return f"{report.monitor}: {some or quiet}" if some or quiet else ""


def show(told: list[Told], home: Path) -> None:
    """One line a window, and where everything lies."""
    fixed = ("window", "story", "used", "quarantined", "labelled", "status", "verdict")
    table = Table(*(Column(title, no_wrap=True) for title in fixed), "who saw what", show_lines=True)
    for one in told:
        counts = (one.used, one.quarantined, one.labelled)
        table.add_row(*map(str, (one.window, one.story, *counts, one.verdict.status, one.triggered)), one.saw)
    Console(width=max(console.width, 200)).print(table)
    for note in told[-1].reports[0].notes:
        console.print(f"{told[-1].window}: {note}", soft_wrap=True, markup=False)
    artifacts = home / "artifacts" / "loan-scoring"
    console.print(f"reports:   {artifacts}/<monitor>/yyyy/MM/dd/HH/report.json", soft_wrap=True, markup=False)
    console.print(f"baselines: {artifacts}/baselines, models: {artifacts}/models", soft_wrap=True)


if __name__ == "__main__":
    typer.run(main)
