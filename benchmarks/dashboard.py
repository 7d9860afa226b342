"""What pages ask of hourly windows, from shards, and the pages themselves as a browser gets them.

The shards are written by the real writer from made reports; one day is stored whole and compacted, for its cost.
"""

import os
from collections.abc import Callable
from datetime import timedelta
from functools import partial
from pathlib import Path
from random import Random
from socket import socket
from threading import Thread
from unittest.mock import patch

import httpx
import uvicorn

from benchmarks.measure import Call, Cost, Peer, Step, Target
from benchmarks.replay import COLUMNS, ENDPOINT, first_report, moved, stored
from monitor_tasks import indexing, reading
from monitor_tasks.dashboard import Watched
from monitor_tasks.io.index import Index
from monitor_tasks.report import Report, judge
from monitor_tasks.serving import dashboard_app
from monitor_tasks.shard import Judged, MonitorRecord, Shard, VerdictRecord, WindowRecord, judged_in
from monitor_tasks.site import Site, load_endpoint
from monitor_tasks.verdict import Action
from monitor_tasks.window import now

ENDPOINTS = 100
TODAY = now().replace(hour=0, minute=0, second=0, microsecond=0)
"""When the made windows end, so that pages are not told of months without any."""
MONITORS = ("data_quality", "model_quality", "bias", "attribution")


def site(home: Path, name: str) -> Site:
    """One endpoint of the home."""
    text = ENDPOINT.replace("endpoint_name: history", f"endpoint_name: {name}")
    return Site(load_endpoint(str(home / f"{name}.yaml"), text, str(home)))


def day_of(name: str, model: Report, day: int, random: Random) -> Shard:
    """The shard of a made day before today: the report's metrics in every hour, moved by chance."""
    windows: list[tuple[WindowRecord, list[Judged]]] = []
    for hour in range(24):
        end = TODAY + timedelta(days=day, hours=hour)
        text, place = f"{end - timedelta(hours=1):%Y-%m-%dT%H:%M:%SZ}/PT1H", f"{end:%Y/%m/%d/%H}"
        constraints = [one.constraint for one in model.findings]
        findings = judge([moved(one.metric, random) for one in model.findings if one.metric], constraints)
        report = model.model_copy(update={"window": text, "findings": findings})
        windows.append((recorded(name, report, text, place), judged_in(report)))
    return Shard.of(name, f"{TODAY + timedelta(days=day):%Y-%m-%d}", windows)


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
    made = [day_of("endpoint-0", model, day, random) for day in range(-(rows // 24), 0)]
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
    what = f"{ENDPOINTS} endpoints x {rows // 24 * 24:,} windows"
    days = min(rows // 24, 366)
    asked = {
        f"overview of {what}, warm": (_overview, 0.3),
        f"history of one of {what}, all metrics, for the first time": (partial(_history, days, 0), 0.5),
        "the same, warm": (partial(_history, days, 1), 0.5),
        f"missed windows of one of {what}": (partial(_missed, days), 0.5),
        f"page of all of {what}, over HTTP, warm": (partial(_page, ""), 0.3),
        f"page of one of {what}, over HTTP, warm": (partial(_page, f"endpoints/endpoint-0/?days={days}"), 0.5),
    }
    limits = [
        Step(name, side, (Peer(f"limit: {most * 1000:g} ms", Cost(most), (Target(1, "at most"),)),))
        for name, (side, most) in asked.items()
    ]
    return [*limits, Step("48 windows of one monitor compacted", _compacted, (Peer("again, nothing new", _again),))]


def sites(home: Path) -> list[Site]:
    """The endpoints of the home."""
    return [site(home, f"endpoint-{number}") for number in range(ENDPOINTS)]


def _overview(folder: Path) -> Call:
    places = sites(folder)
    reading.overview(places, moment=TODAY)
    return lambda: len(reading.overview(places, moment=TODAY))


def _history(days: int, times: int, folder: Path) -> Call:
    """A history that was asked for some times before."""
    ask = partial(reading.history, sites(folder)[0], TODAY - timedelta(days=days), TODAY)
    for _ in range(times):
        ask()
    return lambda: _silent(ask)


def _missed(days: int, folder: Path) -> Call:
    place = sites(folder)[0]
    return lambda: _silent(reading.coverage, place, TODAY - timedelta(days=days), TODAY)


def _page(address: str, folder: Path) -> Call:
    """A page as a server on loopback gives it, asked for before."""
    known = {place.name: Watched(f"{place.name}.yaml", place) for place in sites(folder)}
    listener = socket()
    listener.bind(("127.0.0.1", 0))
    listener.listen()
    server = uvicorn.Server(uvicorn.Config(dashboard_app(lambda: known), log_level="warning"))
    Thread(target=server.run, args=([listener],), daemon=True).start()
    asked = f"http://127.0.0.1:{listener.getsockname()[1]}/{address}"

    def ask() -> int:
        return len(httpx.get(asked, timeout=60).raise_for_status().content)

    ask()
    return ask


def _compacted(folder: Path) -> Call:
    place = Site(load_endpoint(str(folder / "stored/history.yaml"), ENDPOINT, str(folder / "stored")))
    return lambda: _silent(indexing.reindex, place)


def _again(folder: Path) -> Call:
    place = Site(load_endpoint(str(folder / "stored/history.yaml"), ENDPOINT, str(folder / "stored")))
    indexing.compact(place)
    return lambda: _silent(indexing.compact, place)


def _silent(ask: Callable[..., object], *given: object) -> None:
    ask(*given)
