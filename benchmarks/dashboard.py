"""What pages ask of hourly windows, from shards.

The shards are written by the real writer from made reports; one day is stored whole and compacted, for its cost.
"""

import os
from collections.abc import Callable
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from random import Random
from unittest.mock import patch

from benchmarks.measure import Cost, Peer, Step, Target
from benchmarks.replay import COLUMNS, ENDPOINT, START, first_report, moved, stored
from monitor_tasks import indexing, reading
from monitor_tasks.io.index import Index
from monitor_tasks.report import Report, judge
from monitor_tasks.shard import Judged, MonitorRecord, Shard, VerdictRecord, WindowRecord, judged_in
from monitor_tasks.site import Site, load_endpoint
from monitor_tasks.verdict import Action

ENDPOINTS = 100
EARLY = START - timedelta(days=1)
Call = Callable[[], int | None]
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


def make(folder: Path, rows: int) -> None:
    """The same days for every endpoint as shards; and two days of one monitor's reports as they are stored."""
    random, model = Random(1), first_report(COLUMNS)
    made = [day_of("endpoint-0", model, day, random) for day in range(rows // 24)]
    with patch.object(os, "fsync"):
        for place in sites(folder):
            index = Index(place.store, place.name)
            for one in made:
                own = one._replace(head=one.head.model_copy(update={"endpoint": place.name}))
                index.create(one.head.day, "", own.to_bytes())
            index.begin()
        (folder / "stored").mkdir()
        stored(folder / "stored", 2, COLUMNS)


def steps(rows: int) -> list[Step]:
    """What pages ask, warm; and what two days cost to compact, which is only shown."""
    moment, what = START + timedelta(days=rows // 24), f"{ENDPOINTS} endpoints x {rows // 24 * 24:,} windows"
    asked = {
        f"overview of {what}, warm": (_overview, 0.3),
        f"history of one of {what}, all metrics": (_history, 0.5),
        f"missed windows of one of {what}": (_missed, 0.5),
    }
    limits = [
        Step(name, partial(side, moment), (Peer(f"limit: {most * 1000:g} ms", Cost(most), (Target(1, "at most"),)),))
        for name, (side, most) in asked.items()
    ]
    return [*limits, Step("48 windows of one monitor compacted", _compacted, (Peer("again, nothing new", _again),))]


def sites(home: Path) -> list[Site]:
    """The endpoints of the home."""
    return [site(home, f"endpoint-{number}") for number in range(ENDPOINTS)]


def _overview(moment: datetime, folder: Path) -> Call:
    places = sites(folder)
    reading.overview(places, moment=moment)
    return lambda: len(reading.overview(places, moment=moment))


def _history(moment: datetime, folder: Path) -> Call:
    place = sites(folder)[0]
    reading.history(place, EARLY, EARLY + timedelta(days=2))
    return lambda: _silent(reading.history, place, EARLY, moment)


def _missed(moment: datetime, folder: Path) -> Call:
    place = sites(folder)[0]
    return lambda: _silent(reading.coverage, place, EARLY, moment)


def _compacted(folder: Path) -> Call:
    place = Site(load_endpoint(str(folder / "stored/history.yaml"), ENDPOINT, str(folder / "stored")))
    return lambda: _silent(indexing.reindex, place)


def _again(folder: Path) -> Call:
    place = Site(load_endpoint(str(folder / "stored/history.yaml"), ENDPOINT, str(folder / "stored")))
    indexing.compact(place)
    return lambda: _silent(indexing.compact, place)


def _silent(ask: Callable[..., object], *given: object) -> None:
    ask(*given)
