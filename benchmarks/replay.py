"""A policy replayed, and bounds tuned, on a made history of hourly windows."""

import os
from collections.abc import Callable
from datetime import timedelta
from functools import partial
from pathlib import Path
from random import Random
from unittest.mock import patch

import pyarrow as pa
from typer.testing import CliRunner

from benchmarks.measure import Cost, Peer, Step, Target
from monitor_tasks.baseline import Metric
from monitor_tasks.cli import app
from monitor_tasks.judging import check, read_baseline, suggest
from monitor_tasks.monitors.settings import MONITORS
from monitor_tasks.report import Report, judge
from monitor_tasks.site import Site, load_endpoint
from monitor_tasks.verdict import Action, Verdict
from monitor_tasks.window import Window, format_time, parse_time

COLUMNS = 30
START = parse_time("2026-01-05T00:00:00Z")
ENDPOINT = "endpoint_name: history\nroot: results\ncapture: {address: capture}\nmonitors: {data_quality: {}}\n"
NEW = "policy: {windows: 2 of 3, once: true}\nbounds: [{metric: drift_linf, upper: 0.15}]\n"


def first_report(columns: int) -> Report:
    """What data quality says of a table of numbers and categories, judged by itself."""
    random = Random(0)
    table = pa.table({
        f"column_{place}": [random.gauss(0, 1) if place % 3 else random.choice("abcdef") for _ in range(2000)]
        for place in range(columns)
    })  # fmt: skip
    settings = MONITORS["data_quality"].settings()
    known = read_baseline("0" * 20, "data_quality", settings, suggest("data_quality", settings, table).get)
    return check("data_quality", settings, table, known).report("history", "")


def stored(home: Path, days: int, columns: int) -> Site:
    """A home in which every hour of so many days has a report and a verdict; some drift by chance."""
    random, model = Random(1), first_report(columns)
    (home / "history.yaml").write_text(ENDPOINT)
    site = Site(load_endpoint(str(home / "history.yaml"), ENDPOINT, str(home)))
    constraints = [one.constraint for one in model.findings]
    for window in site.endpoint.schedule.windows(START, START + timedelta(days=days)):
        metrics = [moved(one.metric, random) for one in model.findings if one.metric]
        report = model.model_copy(update={"window": str(window), "findings": judge(metrics, constraints)})
        key = site.execution("data_quality", window, {"rows": str(window)}).commit(
            {"report.json": report.to_json()}, shown=("report.json",)
        )
        write_verdict(site, window, report, key)
    return site


def moved(metric: Metric, random: Random) -> Metric:
    """The metric of another window: its drift is chance, and now and then more."""
    if not metric.name.startswith("drift") or metric.value is None:
        return metric
    return metric.model_copy(update={"value": random.expovariate(30 if random.random() < 0.998 else 6)})


def write_verdict(site: Site, window: Window, report: Report, key: str) -> None:
    """What was done about a window: every violation was told."""
    action = Action.ALERT if report.violations else Action.REST
    verdict = Verdict(endpoint=site.name, window=str(window), action=action, because="", status=report.status)
    site.execution("verdict", window, {"data_quality": key}).commit(
        {"verdict.json": verdict.to_json()}, shown=("verdict.json",)
    )


def make(folder: Path, rows: int) -> None:
    """So many hourly windows, and a policy that was not theirs."""
    with patch.object(os, "fsync"):
        stored(folder, rows // 24, COLUMNS)
    (folder / "new.yaml").write_text(NEW)


def steps(rows: int) -> list[Step]:
    """Both verbs as a person waits for them, but for loading libraries."""
    verbs = {"replay": ["--policy", "new.yaml"], "tune": ["--false-alarms", "0.01"]}
    limit = Peer("limit: 5 s", Cost(5), (Target(1, "at most"),))
    return [
        Step(f"{verb} of {rows // 24 * 24:,} windows x {COLUMNS}", partial(_asked, verb, more, rows), (limit,))
        for verb, more in verbs.items()
    ]


def _asked(verb: str, more: list[str], rows: int, folder: Path) -> Callable[[], None]:
    span = ["--from", format_time(START), "--to", format_time(START + timedelta(days=rows // 24))]
    words = [
        verb,
        str(folder / "history.yaml"),
        *span,
        *(str(folder / one) if one == "new.yaml" else one for one in more),
    ]

    def call() -> None:
        done = CliRunner().invoke(app, words)
        assert done.exit_code in (0, 1), done.output

    return call
