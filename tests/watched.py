"""Endpoints with stored windows, written through the real executions from made reports: quick, and named at will."""

import json
from collections.abc import Iterator, Sequence
from datetime import timedelta
from pathlib import Path

from monitor_tasks.baseline import Constraint, Constraints, Metric
from monitor_tasks.io.executions import Execution
from monitor_tasks.pages.report import report_page
from monitor_tasks.report import Estimate, Finding, ModelCard, Realised, Report, State
from monitor_tasks.site import Site, load_endpoint
from monitor_tasks.verdict import Action, Verdict
from monitor_tasks.window import Window, format_time, parse_time

START = parse_time("2026-01-01T00:00:00Z")
ENDPOINT = """\
endpoint_name: {name}
owner: {owner}
tags: [demo]
root: artifacts
capture: {{address: capture}}
start_date: 2026-01-01T00:00:00Z
monitors: {{data_quality: {{}}, bias: {{label: bought, predicted_label: guess, facets: [{{name: contract}}]}}}}
"""


def window_at(hour: int) -> Window:
    """The hour of the story."""
    return Window.of(START + timedelta(hours=hour), START + timedelta(hours=hour + 1))


def watched(
    folder: Path, name: str = "churn", windows: int = 4, subjects: Sequence[str] = ("age",), owner: str = "team"
) -> Site:
    """An endpoint whose windows break in turn; every third one was never run, and one has no data."""
    path = folder / "endpoints" / f"{name}.yaml"
    path.parent.mkdir(exist_ok=True)
    path.write_text(ENDPOINT.format(name=name, owner=owner))
    site = Site(load_endpoint(str(path), path.read_text(), str(folder)))
    baselines = [_baseline(site, subjects, bound) for bound in (0.9, 0.8)]
    for hour in range(windows):
        if hour % 3 != 2:
            _window(site, window_at(hour), subjects, baselines[0], is_broken=hour % 2 == 1)
    return site


def _baseline(site: Site, subjects: Sequence[str], bound: float) -> str:
    files = {
        f"{monitor}/bounds.json": Constraints(
            monitor=monitor, constraints=tuple(_constraint(one, bound) for one in subjects)
        ).to_json()
        for monitor in site.endpoint.configured()
    }
    execution = Execution(site.store, f"{site.name}/baselines", {"reference": str(bound)})
    execution.commit(files)
    since = None if bound == 0.9 else START + timedelta(days=1)
    site.pin("baselines", {"baseline": execution.revision}, f"it keeps {bound}", since)
    return execution.revision


def _constraint(subject: str, bound: float) -> Constraint:
    return Constraint(
        check="completeness_check", metric="completeness", subject=subject, lower=bound, cause="data",
        rule=f"{subject} is as complete as it was", reason=f"{subject} had it", expected=(subject,), slices=10,
    )  # fmt: skip


def _window(site: Site, window: Window, subjects: Sequence[str], baseline: str, is_broken: bool) -> None:
    totals = {"read": 12, "used": 10, "quarantined": 1, "duplicate": 1, "out_of_window": 0}
    ledger = json.dumps({"schema_version": 1, "totals": totals, "reasons": {"not_json": 1}}).encode()
    site.execution("captured", window, {"objects": "1"}).commit({"ledger.json": ledger})
    reports = list(_reports(site, window, subjects, baseline, is_broken))
    for report in reports:
        schedule = site.endpoint.configured()[report.monitor].monitoring_schedule_name
        files = {"report.json": report.to_json(), "report.html": report_page(report, ()), "profile.json": b"{}"}
        site.execution(schedule, window, {"rows": str(window)}).commit(files, ("report.json", "report.html"))
    verdict = Verdict(
        endpoint=site.name, window=str(window), action=Action.ALERT if is_broken else Action.REST,
        because=f"broken data: {subjects[0]}" if is_broken else "no violations", status=reports[0].status,
        episode="000001" if is_broken else "", severity="high" if is_broken else "",
        since=str(window) if is_broken else "", owner=subjects[0],
    )  # fmt: skip
    site.execution("verdict", window, {"window": str(window)}).commit({"verdict.json": verdict.to_json()})


def _reports(site: Site, window: Window, subjects: Sequence[str], baseline: str, is_broken: bool) -> Iterator[Report]:
    """A report of each monitor: data quality breaks, bias is undecided."""
    value = 0.5 if is_broken else 0.95
    for monitor in site.endpoint.configured():
        breaks = is_broken and monitor == "data_quality"
        state = State.BROKEN if breaks else State.KEPT if monitor == "data_quality" else State.UNDECIDED
        findings = tuple(
            Finding(
                constraint=_constraint(one, 0.9),
                state=state,
                because="" if state is State.KEPT else f"{one} says so",
                metric=Metric(name="completeness", subject=one, value=value, n=10, details={"category": one}),
            )
            for one in subjects
        )
        realised = Realised(value=0.8, rows=9, expected=0.81, lower=0.7, upper=0.9)
        yield Report(
            endpoint=site.name, monitor=monitor, window=str(window), baseline=baseline, rows=10, findings=findings,
            model=ModelCard(name=subjects[0], version="1"), notes=(f"{subjects[0]} was matched by position",),
            estimates=(Estimate(name="estimated_auc", value=0.8, lower=0.7, upper=0.9, rows=10, realised=realised),),
        )  # fmt: skip


def step(hour: int) -> str:
    """A window as a step of an address."""
    return format_time(window_at(hour).start).replace("-", "").replace(":", "") + "_PT1H"
