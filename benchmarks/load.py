"""``python -m benchmarks.load``: many endpoints at once through docker-compose.yml's services, as processes here.

Each endpoint's present hour runs by its schedule, while a backfill of the hours before it waits for the same workers.
"""

import json
import sys
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated, Any, NamedTuple

import numpy as np
import typer

from examples.composed import PROJECT, Composed, dags_folder, missing, read_env
from examples.loan_scoring.on_s3 import client, configuration, upload
from examples.loan_scoring.simulate import simulate
from examples.loan_scoring.story import HEALTHY, Chapter
from monitor_tasks.site import Site, load_endpoint
from monitor_tasks.window import Window
from scripts.make_env import filled
from scripts.s3_gateway import Gateway

HOUR = timedelta(hours=1)
FOLDER = "load"
PATIENCE = 4 * 3600.0
PAGE = 100
ROWS = 500
"""Records a window."""


class Load(NamedTuple):
    """What became of the windows of all endpoints."""

    windows: int
    verdicts: dict[int, int]
    """How many windows have so many verdicts: one each, where none is missed and none was judged twice."""
    failed: int
    """Runs that failed."""
    seconds: float
    """From the data's being there to the last verdict."""
    live: tuple[float, float]
    """Seconds from the data's being there to the verdict, of the present hour: median and 95th percentile."""
    past: tuple[float, float]
    """The same of the hours before, which the backfills asked for at the same moment."""
    busy: float
    """Seconds of the processors that the services took."""
    megabytes: dict[str, int]
    """The most that each service held, by name; what its processes share counts once."""

    @property
    def hourly(self) -> float:
        """Windows in an hour."""
        return self.windows * 3600 / self.seconds

    def __str__(self) -> str:
        held = ", ".join(f"{name} {size}" for name, size in self.megabytes.items())
        return "\n".join(
            [
                f"{self.windows} windows in {self.seconds:.0f} s: {self.hourly:.0f} an hour, "
                f"{self.busy / self.windows:.1f} s of the processors each",
                f"verdicts a window: {self.verdicts}; failed runs: {self.failed}",
                "from data to verdict: present hour p50 {:.0f} s, p95 {:.0f} s; ".format(*self.live)
                + "backfill p50 {:.0f} s, p95 {:.0f} s".format(*self.past),
                f"MB at most: {held}; together {sum(self.megabytes.values())}",
            ]
        )


def measure(composed: Composed, endpoints: int, windows: int, monitors: Sequence[str] = ()) -> Load:
    """Watches so many endpoints for so many windows through the running services; all data is there at the start."""
    names = [f"load-{number:03d}" for number in range(endpoints)]
    folder = composed.mounts["./dags"] / "endpoints"
    for name in names:
        (folder / f"{name}.yaml").write_text(configuration(name, FOLDER, monitors))
    until(lambda: len(pages(composed, "/dags", "dags", dag_id_pattern="monitor__load-")) == endpoints)
    while datetime.now(UTC).minute >= 58:  # the present hour must not end before it is scheduled
        time.sleep(1)
    start = datetime.now(UTC).replace(minute=0, second=0, microsecond=0) - windows * HOUR
    with TemporaryDirectory() as simulated:
        simulate(Path(simulated), [Chapter("healthy", hour, HEALTHY) for hour in range(windows)], start, ROWS, seed=7)
        upload(client(composed.credentials()), Path(simulated), FOLDER)
    began, before = datetime.now(UTC), composed.busy()
    last = start + (windows - 2) * HOUR
    for name in names:
        past = {"from_date": start.isoformat(), "to_date": last.isoformat(), "max_active_runs": windows}
        composed.api.post("/backfills", {"dag_id": f"monitor__{name}", **past})
        composed.api.patch(f"/dags/monitor__{name}", {"is_paused": False})
    held = Counter[str]()
    runs = followed(composed, endpoints * windows, held)
    chosen = pages(composed, "/dags/~/dagRuns/~/taskInstances", "task_instances", task_id="choose_action")
    took = {
        (one["dag_id"], one["dag_run_id"]): (datetime.fromisoformat(one["end_date"]) - began).total_seconds()
        for one in chosen
        if one["end_date"] and one["dag_id"].startswith("monitor__load-")
    }
    spans = [Window.of(start + hour * HOUR, start + (hour + 1) * HOUR) for hour in range(windows)]
    return Load(
        endpoints * windows,
        dict(Counter(len(site(composed, name, monitors).verdicts(span)) for name in names for span in spans)),
        sum(state == "failed" for state in runs.values()),
        max(took.values()),
        percentiles([seconds for (_, run), seconds in took.items() if run.startswith("scheduled")]),
        percentiles([seconds for (_, run), seconds in took.items() if run.startswith("backfill")]),
        composed.busy() - before,
        {name: size >> 20 for name, size in held.items() if size},
    )


def followed(composed: Composed, runs: int, held: Counter[str]) -> dict[tuple[str, str], str]:
    """The states of all runs when so many are over; `held` is told the most bytes of each service."""
    states: dict[tuple[str, str], str] = {}

    def over() -> bool:
        held.update({name: max(size - held[name], 0) for name, size in composed.memory().items()})
        found = pages(composed, "/dags/~/dagRuns", "dag_runs", dag_id_pattern="monitor__load-")
        states.update({(one["dag_id"], one["dag_run_id"]): one["state"] for one in found})
        done = sum(state in ("success", "failed") for state in states.values())
        sys.stderr.write(f"\r{done} of {runs} windows ")
        return done >= runs

    until(over, 5.0)
    return states


def pages(composed: Composed, path: str, what: str, **query: Any) -> list[dict[str, Any]]:
    """Everything that a question of several pages is answered with."""

    def read() -> Iterator[dict[str, Any]]:
        offset, total = 0, 1
        while offset < total:
            answer = composed.api.get(path, limit=PAGE, offset=offset, **query)
            yield from answer[what]
            offset, total = offset + PAGE, answer["total_entries"]

    return list(read())


def until(is_so: Any, pause: float = 1.0) -> None:
    """Returns when it is so.

    Raises:
        TimeoutError: that took too long.
    """
    deadline = time.monotonic() + PATIENCE
    while not is_so():
        if time.monotonic() > deadline:
            raise TimeoutError(f"not after {PATIENCE:.0f} s")
        time.sleep(pause)


def site(composed: Composed, name: str, monitors: Sequence[str]) -> Site:
    """One of the endpoints, as its stored results are read."""
    return Site(load_endpoint(f"{name}.yaml", configuration(name, FOLDER, monitors)), composed.credentials())


def percentiles(seconds: Sequence[float]) -> tuple[float, float]:
    """Median and 95th percentile."""
    half, most = np.percentile(seconds, [50, 95])
    return float(half), float(most)


def main(
    endpoints: Annotated[int, typer.Option(min=1, max=1000)] = 20,
    windows: Annotated[int, typer.Option(min=2, help="Of each endpoint; the last is the present hour.")] = 6,
    workers: Annotated[int, typer.Option(min=1, help="Tasks at once.")] = 4,
    monitors: Annotated[str, typer.Option(help="Names with commas between them; left out, all four.")] = "",
    json_file: Annotated[Path | None, typer.Option("--json", help="Write the figures there too.")] = None,
) -> None:
    """Load on the services of docker-compose.yml: windows an hour, latency, memory."""
    if lacking := [*missing(), *Gateway.missing()]:
        raise typer.BadParameter(f"not installed: {', '.join(lacking)}")
    said = read_env(filled((PROJECT / ".env.example").read_text()))
    variables = {**said, "WORKER_CONCURRENCY": str(workers), "API_WORKERS": "1"}
    with (
        TemporaryDirectory(prefix="load-") as top,
        Composed(Path(top), variables, {"./dags": dags_folder(Path(top))}) as composed,
    ):
        composed.build()
        composed.up()
        found = measure(composed, endpoints, windows, monitors.split(",") if monitors else ())
    print(f"\n{found}")
    if json_file:
        json_file.write_text(json.dumps({**found._asdict(), "hourly": found.hourly}, indent=2) + "\n")
    if found.verdicts != {1: found.windows} or found.failed:
        raise typer.Exit(1)


if __name__ == "__main__":
    typer.run(main)
