"""``python -m benchmarks.dashboard [--endpoints 100] [--days 90]``: what pages ask of hourly windows, from shards.

The shards are written by the real writer from made reports; one day is stored whole and compacted, for its cost.
"""

import gc
import os
import resource
import time
from collections.abc import Callable
from datetime import datetime, timedelta
from math import inf
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory
from typing import Annotated
from unittest.mock import patch

import typer

from benchmarks.replay import ENDPOINT, START, first_report, moved, stored
from monitor_tasks import indexing, reading
from monitor_tasks.io.index import Index
from monitor_tasks.report import Report, judge
from monitor_tasks.shard import Judged, MonitorRecord, Shard, VerdictRecord, WindowRecord, judged_in
from monitor_tasks.site import Site, load_endpoint
from monitor_tasks.verdict import Action

AGAIN = 9
EARLY = START - timedelta(days=1)
MONITORS = ("data_quality", "model_quality", "bias", "attribution")


def site(home: Path, name: str) -> Site:
    """One endpoint of the home."""
    text = ENDPOINT.replace("endpoint_name: history", f"endpoint_name: {name}")
    return Site(load_endpoint(str(home / f"{name}.yaml"), text, str(home)))


def day_of(name: str, model: Report, day: int, random: Random) -> Shard:
    """The shard of a made day: the report's metrics in every hour, moved by chance."""
    windows: list[tuple[WindowRecord, list[Judged]]] = []
    for hour in range(24):
        end = START + timedelta(days=day, hours=hour)
        text, place = f"{end - timedelta(hours=1):%Y-%m-%dT%H:%M:%SZ}/PT1H", f"{end:%Y/%m/%d/%H}"
        constraints = [one.constraint for one in model.findings]
        findings = judge([moved(one.metric, random) for one in model.findings if one.metric], constraints)
        report = model.model_copy(update={"window": text, "findings": findings})
        windows.append((recorded(name, report, text, place), judged_in(report)))
    return Shard.of(name, f"{START + timedelta(days=day):%Y-%m-%d}", windows)


def recorded(name: str, report: Report, text: str, place: str) -> WindowRecord:
    """What is remembered of a made window, all monitors told alike."""
    told = {**indexing.told_by(report), "revision": "0" * 20, "restatements": 0}
    keys = {one: f"{name}/{one}/{place}/revisions/{'0' * 20}/manifest.json" for one in MONITORS}
    records = {one: MonitorRecord(**told, schedule=one, key=key) for one, key in keys.items()}
    action = Action.ALERT if report.violations else Action.REST
    verdict = VerdictRecord(action=action, status=report.status, because="", key=f"{name}/verdict/{place}")
    numbers = dict.fromkeys(("captured", "labelled", "labels", "verdict", *MONITORS), 1)
    return WindowRecord(place=place, text=text, numbers=numbers, ledger={"read": 100, "used": 100}, monitors=records,
                        verdict=verdict)  # fmt: skip


def tell(what: str, ask: Callable[[], object], times: int = 1) -> None:
    """Says what it took; of several times the fastest, since others may use the machine."""
    wall, cpu = inf, inf
    for _ in range(times):
        began = time.perf_counter(), time.process_time()
        ask()
        wall, cpu = min(wall, time.perf_counter() - began[0]), min(cpu, time.process_time() - began[1])
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    typer.echo(f"{what}: {wall * 1000:.0f} ms, {cpu * 1000:.0f} ms of CPU; peak of the process so far {peak} MB")


def main(
    endpoints: Annotated[int, typer.Option(min=1)] = 100,
    days: Annotated[int, typer.Option(min=4)] = 90,
    columns: Annotated[int, typer.Option(min=1)] = 30,
) -> None:
    """Measure the overview of all endpoints, the history of one, and what a day costs to compact."""
    with TemporaryDirectory(prefix="benchmarks-") as top, patch.object(os, "fsync"):
        sites = [site(Path(top), f"endpoint-{number}") for number in range(endpoints)]
        typer.echo(f"{endpoints} endpoints, {days} days of hours; {written(sites, days, columns)}")
        gc.collect()
        measure(sites, START + timedelta(days=days))
        compaction(Path(top) / "stored", columns)


def written(sites: list[Site], days: int, columns: int) -> str:
    """Writes the same days for every endpoint; says how large they are."""
    random, model = Random(1), first_report(columns)
    made = [day_of("endpoint-0", model, day, random) for day in range(days)]
    for place in sites:
        index = Index(place.store, place.name)
        for one in made:
            own = one._replace(head=one.head.model_copy(update={"endpoint": place.name}))
            index.create(one.head.day, "", own.to_bytes())
        index.begin()
    return f"{len(model.findings)} metrics, a shard has {sum(len(one.to_bytes()) for one in made) // days:,} bytes"


def measure(sites: list[Site], moment: datetime) -> None:
    """What pages ask, the first time and again."""
    tell("overview, first", lambda: reading.overview(sites, moment=moment))
    tell("overview, warm", lambda: reading.overview(sites, moment=moment), AGAIN)
    tell("history of one endpoint, all metrics", lambda: reading.history(sites[0], EARLY, moment), AGAIN)
    tell("missed windows of one endpoint", lambda: reading.coverage(sites[0], EARLY, moment), AGAIN)


def compaction(home: Path, columns: int) -> None:
    """What it costs to compact two days of one monitor's reports, and two that have not changed."""
    home.mkdir()
    place = stored(home, 2, columns)
    tell("compaction of 48 windows of one monitor", lambda: indexing.compact(place))
    tell("compaction of nothing new", lambda: indexing.compact(place))
    tell("the same windows, reindexed", lambda: indexing.reindex(place))


if __name__ == "__main__":
    typer.run(main)
