"""Windows of an endpoint: run, restated, listed, indexed, cleaned."""

from functools import partial
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.progress import track

from monitor_tasks import cleaning, indexing, reading, restating, tasks
from monitor_tasks.cli.commands import (
    EXIT,
    AsJson,
    End,
    Start,
    Yaml,
    endpoint_in,
    endpoints_in,
    err,
    moment_of,
    out,
    verb,
    windows_between,
    worst,
)
from monitor_tasks.endpoint import Endpoint
from monitor_tasks.pages.terminal import (
    cleaning_table,
    coverage_table,
    graded,
    history_table,
    windows_table,
)
from monitor_tasks.rehearsing import judge_window
from monitor_tasks.site import Site
from monitor_tasks.verdict import Permission
from monitor_tasks.window import Window, now

OneWindow = Annotated[str, typer.Option(help="START/DURATION in UTC: 2026-01-01T00:00:00Z/PT1H")]
NO_AIRFLOW = Permission(retraining=False, because="only Airflow hands over to retraining")


@verb
def run(
    endpoint: Yaml,
    window: OneWindow,
    as_json: AsJson = False,
) -> int:
    """Run the whole sentence for one window; retraining is only ever handed over by Airflow."""
    return _show([_run(endpoint_in(endpoint), Window.parse(window))], as_json)


@verb
def backfill(
    endpoint: Yaml,
    start: Start,
    end: End,
    as_json: AsJson = False,
) -> int:
    """Run every window of the schedule between two moments, in order."""
    known = endpoint_in(endpoint)
    windows = windows_between(known, start, end)
    return _show([_run(known, one) for one in track(windows, "windows", console=err, transient=True)], as_json)


@verb
def restate(endpoint: Yaml, as_json: AsJson = False) -> int:
    """Judge again every window that labels have reached since; retraining is only ever handed over by Airflow."""
    site = Site(endpoint_in(endpoint))
    plan = restating.meet_labels(site)
    failed = None
    try:
        verdicts = restating.restate(site, plan, NO_AIRFLOW) if plan else []
    except restating.NotRestated as error:
        verdicts, failed = error.verdicts, error
    if plan:
        restating.settle_labels(site, plan, failed.failed if failed else ())
    if as_json:
        out.print_json(data=[one.model_dump(mode="json") for one in verdicts])
    elif verdicts or not failed:
        out.print("\n".join(one.text for one in verdicts) or "no window was touched", markup=False, soft_wrap=True)
    if failed:
        raise failed
    return worst([EXIT[one.status] for one in verdicts]) if verdicts else 0


@verb
def history(
    endpoint: Yaml,
    window: OneWindow,
    as_json: AsJson = False,
) -> int:
    """Show what was known of a window as its labels arrived, one line a revision."""
    site = Site(endpoint_in(endpoint))
    known = restating.history(site, Window.parse(window))
    if as_json:
        out.print_json(data=known)
    else:
        out.print(history_table(known))
        metrics = {one["metric"] for one in known if one["estimate"] is not None}
        for one in restating.grades(site) if metrics else ():
            if one["metric"] in metrics:
                out.print(graded(one), markup=False, soft_wrap=True)
    return 0 if known else 3


@verb
def coverage(
    endpoint: Annotated[Path, typer.Argument(metavar="ENDPOINT.yaml", help="The configuration, or a folder of them.")],
    start: Annotated[str | None, typer.Option("--from", help="Left out: the first window that was executed.")] = None,
    end: Annotated[str | None, typer.Option("--to", help="Left out: the newest window that may be over.")] = None,
    as_json: AsJson = False,
) -> int:
    """List the windows of the schedule that have no verdict, and how far they came."""
    span = (moment_of(start) if start else None, moment_of(end) if end else None)
    sites = [Site(one) for one in endpoints_in(endpoint)]
    found = {one.name: reading.coverage(one, *span) for one in track(sites, "endpoints", console=err, transient=True)}
    if as_json:
        out.print_json(data=[one.told | {"endpoint": name} for name, one in found.items()])
    else:
        out.print(coverage_table(found))
    if not any(one.expected for one in found.values()):
        return 3
    return int(any(one.missed for one in found.values()))


@verb
def reindex(
    endpoint: Yaml,
    changed: Annotated[
        bool, typer.Option("--changed", help="Only the days in which something has changed since the last time.")
    ] = False,
) -> int:
    """Write the index that pages are read from, from the manifests and reports that stand."""
    done = (indexing.compact if changed else indexing.reindex)(
        Site(endpoint_in(endpoint)), partial(track, description="days", console=err, transient=True)
    )
    new, windows = sum(one.is_new for one in done), sum(one.windows for one in done)
    out.print(f"{windows} windows of {len(done)} days were read, {new} days written anew")
    return 0 if done or changed else 3


@verb
def clean(
    endpoint: Yaml,
    apply: Annotated[bool, typer.Option("--apply", help="Remove it; without this, only say what would go.")] = False,
    at: Annotated[str | None, typer.Option(help="As of this moment, in UTC; left out: now.")] = None,
    as_json: AsJson = False,
) -> int:
    """Remove what is past the time that the endpoint's retention gives it; without --apply, only show it."""
    site, moment = Site(endpoint_in(endpoint)), moment_of(at) if at else now()
    found = cleaning.plan(site, moment)
    if apply:
        cleaning.clean(site, found, moment)
    if as_json:
        out.print_json(data=found.told)
    else:
        out.print(cleaning_table(found.told, apply))
    return 0


def _run(endpoint: Endpoint, window: Window) -> dict[str, Any]:
    """One window through the verbs that the DAG calls."""
    site = Site(endpoint)
    captured, baseline, reports = judge_window(site, window)
    verdict = tasks.choose_action(site, window, reports, NO_AIRFLOW)
    totals = site.ledger(captured)["totals"]
    found = {name: site.report(key) for name, key in reports.items()}
    return {
        "window": str(window),
        "ledger": totals,
        "baseline": baseline,
        "status": verdict.status,
        "action": verdict.action,
        "because": verdict.because,
        "reports": {name: site.store.address_of(key) for name, key in reports.items()},
        "violations": [one.model_dump(mode="json") for report in found.values() for one in report.violations],
    }


def _show(results: list[dict[str, Any]], as_json: bool) -> int:
    if as_json:
        out.print_json(data=results[0] if len(results) == 1 else results)
    else:
        out.print(windows_table(results))
        for name, address in results[-1]["reports"].items():
            out.print(f"{name}: {address}", soft_wrap=True, markup=False)
    return worst([EXIT[one["status"]] for one in results])
