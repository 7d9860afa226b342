"""The verbs of what goes out of a judged window: messages to people, and metrics and events to other systems.

Both may be run again: what was confirmed is never sent a second time, and what was not is sent by a later run.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from datetime import timedelta
from functools import partial
from typing import Any, NamedTuple

from monitor_tasks.endpoint import Target
from monitor_tasks.io import emit as outside
from monitor_tasks.io import notify
from monitor_tasks.io.executions import digest, newest, place_of, read_artifact, read_manifest
from monitor_tasks.io.lineage import Traced, send_findings
from monitor_tasks.io.store import Missing
from monitor_tasks.message import Message, Routing, is_for
from monitor_tasks.policy import Severity
from monitor_tasks.report import Report, Status
from monitor_tasks.site import Site
from monitor_tasks.value import UserError
from monitor_tasks.verdict import Action, Verdict
from monitor_tasks.window import Window, format_time, now

TOLD = (Action.ALERT, Action.RETRAIN)
"""What somebody is told of."""
OLDEST = timedelta(days=14)
"""CloudWatch takes no metrics that are older, and what could not be sent for so long is given up."""
CLOUDWATCH = ("data_quality", "model_quality", "bias", "attribution")
"""The monitors whose numbers have names in CloudWatch."""
WITH_SCRIPTS = ("data_quality", "model_quality")
"""The monitors that SageMaker runs a postprocess script after."""
LISTED = 100
"""So many violations stand in an event; the report has the others."""

Send = Callable[[Target, Message], None]
Options = Callable[[str], Mapping[str, Any]]


class Judged(NamedTuple):
    """A window's newest verdict and what it rests on."""

    window: Window
    verdict: Verdict
    revision: str
    reports: Mapping[str, Report]
    keys: Mapping[str, str]
    """The manifests of the reports, by monitor."""


def judged(site: Site, window: Window) -> Judged:
    """The newest verdict of a window with its reports.

    Raises:
        UserError: the window has no verdict.
    """
    key = newest(site.store, site.folder("verdict", window))
    if key is None:
        raise UserError(f"{site.name}: {window} has no verdict; run the window first")
    manifest = read_manifest(site.store, key)
    verdict = Verdict.read(read_artifact(site.store, key, "verdict.json"), key)
    keys = {name: manifest.inputs[name] for name in site.endpoint.configured() if name in manifest.inputs}
    return Judged(window, verdict, manifest.revision, {name: site.report(one) for name, one in keys.items()}, keys)


def announce(site: Site, *windows: Window) -> bool:
    """Lays into the outbox what is to be told of judged windows, and the end of incidents that are over.

    Returns whether anything waits there to be delivered.
    """
    if not site.endpoint.alerts:
        return False
    outbox = _outbox(site)
    for found in (judged(site, window) for window in windows if site.endpoint.schedule.has(window)):
        if found.verdict.action in TOLD:
            _announce(site, outbox, found, _routing(site, found))
    for letter in outbox.unresolved():
        alert = outbox.read(letter)
        if healthy := _healthy_since(site, alert):
            outbox.resolve(letter, _pages().resolve_message(alert, healthy))
    return any(one.target in _targets(site) for one in outbox.waiting())


def deliver(site: Site, send: Send) -> None:
    """Sends what waits in the outbox.

    Raises:
        UserError: a target could not be reached; the others were, and what is left waits for the next run.
    """
    failures = notify.deliver(_outbox(site), _targets(site), send)
    if failures:
        told = "; ".join(f"{one.target}: {one.because}" for one in failures)
        raise UserError(f"{site.name}: what could not be delivered waits for the next run: {told}")


def emit(site: Site, window: Window, options: Options, lineage: Any = None) -> list[str]:
    """Sends a window's numbers and its verdict wherever the configuration says, and after them what others left.

    What was sent before is left out; what cannot be sent is noted, and every later run tries it again for two weeks.

    Args:
        site: The endpoint.
        window: A judged window.
        options: What a client of an AWS service is made with: keys, region, endpoint.
        lineage: A client of OpenLineage, where that is asked for.

    Returns:
        What a person should know: a script that failed, metrics that are too old, another window that still waits.

    Raises:
        UserError: something of this window could not be sent; the others were.
    """
    notes, failures = _sent(site, window, options, lineage)
    waiting = f"{_waiting(site)}/{place_of(window, own=False).rpartition('/')[2]}"
    if failures:
        site.store.put(waiting, str(window).encode())
        raise UserError(f"{site.name} {window}: not everything was sent: {'; '.join(failures)}")
    site.store.delete(waiting)
    return [*notes, *_caught_up(site, options, lineage)]


def _caught_up(site: Site, options: Options, lineage: Any) -> Iterator[str]:
    """Sends what earlier runs could not; what still fails is told, and given up after two weeks."""
    for entry in site.store.entries(_waiting(site)):
        with suppress(Missing):  # another run was quicker
            window = Window.parse(site.store.get(entry.key).decode())
            try:
                notes, failures = _sent(site, window, options, lineage)
            except UserError as error:
                notes, failures = [], [str(error)]
            yield from (*notes, *(f"{window}: not sent yet: {one}" for one in failures))
            if not failures or now() - window.end > OLDEST:
                site.store.delete(entry.key)


def _waiting(site: Site) -> str:
    """Where it is noted which windows were not sent whole."""
    return f"{site.name}/emitted/waiting"


def _sent(site: Site, window: Window, options: Options, lineage: Any) -> tuple[list[str], list[str]]:
    """What a person should know of one window's sending, and what could not be sent."""
    notes, failures = list[str](), list[str]()
    for sink, revision, send in _sinks(site, judged(site, window), options, lineage):
        receipt = _receipt(site, window, sink, revision)
        if site.store.has(receipt):
            continue
        try:
            note = send()
        except UserError as error:
            failures.append(f"{sink}: {error}")
        else:
            notes += [note] if note else []
            site.store.put(receipt, note.encode())
    return notes, failures


def _announce(site: Site, outbox: notify.Outbox, found: Judged, routing: Routing) -> None:
    links = {name: site.store.address_of(_page_of(key)) for name, key in found.keys.items()}
    message = _pages().alert_message(found.verdict, routing, found.reports, links)
    for target in site.endpoint.alerts:
        if is_for(target, routing):
            outbox.announce(target.label, message)


def _page_of(manifest: str) -> str:
    return f"{manifest.rpartition('/')[0]}/report.html"


def _pages() -> Any:
    from monitor_tasks.pages import messages

    return messages


def _outbox(site: Site) -> notify.Outbox:
    return notify.Outbox(site.store, f"{site.name}/alerts")


def _targets(site: Site) -> dict[str, Target]:
    return {one.label: one for one in site.endpoint.alerts}


def _routing(site: Site, found: Judged) -> Routing:
    """How much a verdict matters, whose it is, and since when it holds."""
    verdict = found.verdict
    since = Window.parse(verdict.since) if verdict.since else found.window
    severity = Severity(verdict.severity or Severity.HIGH)
    return Routing(severity, verdict.owner or site.endpoint.owner, format_time(since.start))


def _healthy_since(site: Site, alert: Message) -> str:
    """The first window from the alert's own on whose newest verdict is healthy; empty where there is none yet."""
    first = Window.parse(alert.window)
    for window in site.windows("verdict"):
        if window >= first and _status(site, window) is Status.COMPLETED:
            return str(window)
    return ""


def _status(site: Site, window: Window) -> Status | None:
    key = newest(site.store, site.folder("verdict", window))
    return Verdict.read(read_artifact(site.store, key, "verdict.json"), key).status if key else None


Sink = tuple[str, str, Callable[[], str]]
"""Where to, which revision of what, and what sends it and gives a note back."""


def _sinks(site: Site, found: Judged, options: Options, lineage: Any) -> Iterator[Sink]:
    settings = site.endpoint.emit
    if settings.cloudwatch:
        for name in (one for one in found.reports if one in CLOUDWATCH):
            yield "cloudwatch", f"{name}-{_revision(found, name)}", partial(_publish, site, found, name, options)
    if settings.eventbridge:
        yield "eventbridge", found.revision, partial(_put_event, site, found, settings.eventbridge, options)
    if settings.prometheus:
        yield "prometheus", found.revision, partial(_expose, site, found, settings.prometheus)
    if settings.openlineage:
        yield "openlineage", found.revision, partial(_trace, site, found, lineage)
    if script := settings.post_analytics_processor_script:
        for name in (one for one in WITH_SCRIPTS if one in found.reports and found.reports[one].rows):
            yield "postprocess", f"{name}-{_revision(found, name)}", partial(_postprocess, site, found, name, script)


def _receipt(site: Site, window: Window, sink: str, revision: str) -> str:
    """Where it is noted that a revision was sent; what begins so, and goes on, is a part of it."""
    return f"{site.folder(f'emitted/{sink}', window)}/{revision}"


def _revision(found: Judged, name: str) -> str:
    return found.keys[name].split("/")[-2]


def _publish(site: Site, found: Judged, name: str, options: Options) -> str:
    """One monitor's numbers to CloudWatch."""
    from monitor_tasks.dialects import Source, cloudwatch_metrics, namespace

    if now() - found.window.end > OLDEST:
        return f"{name}: {found.window} is more than two weeks old, and CloudWatch takes no such metrics"
    report, file = found.reports[name], "analysis.json" if name in ("bias", "attribution") else "statistics.json"
    if not report.rows:
        return ""
    schedule = site.endpoint.configured()[name].monitoring_schedule_name
    source = Source(
        site.name, schedule, format_time(found.window.end), site.endpoint.capture.dataset_format is not None
    )
    switches = site.baseline_file(report.baseline, f"{name}/constraints.json") if name == "data_quality" else None
    text = read_artifact(site.store, found.keys[name], file)
    metrics = cloudwatch_metrics(name, report, text, source, switches)
    parts = outside.Receipts(site.store, _receipt(site, found.window, "cloudwatch", f"{name}-{_revision(found, name)}"))
    outside.put_metrics(options("cloudwatch"), namespace(name, source), metrics, parts)
    return ""


def event_of(site: Site, found: Judged) -> dict[str, Any]:
    """A verdict as other systems are told of it: plain JSON of bounded size.

    The same verdict has the same key, however often it is told; one that a restatement made has another.
    """
    from monitor_tasks.dialects import exit_message

    broken = [(name, one.constraint) for name, report in found.reports.items() for one in report.violations]
    routing = _routing(site, found)
    return {
        **found.verdict.model_dump(mode="json"),
        "key": f"{site.name}/{found.window}/{found.revision}",
        "severity": routing.severity,
        "owner": routing.owner,
        "since": routing.since,
        "exit_messages": {name: exit_message(report) for name, report in found.reports.items()},
        "violations": [
            {"monitor": name, "check": one.check, "metric": one.metric, "subject": one.subject}
            for name, one in broken[:LISTED]
        ],
        "violation_count": len(broken),
        "reports": {name: site.store.address_of(_page_of(key)) for name, key in found.keys.items()},
    }


def _put_event(site: Site, found: Judged, bus: str, options: Options) -> str:
    outside.put_event(options("events"), bus, "Model Monitor Verdict", event_of(site, found))
    return ""


def _expose(site: Site, found: Judged, address: str) -> str:
    """The text file for Prometheus, unless a newer window stands there."""
    from monitor_tasks.pages.exposition import end_of, exposition

    if end_of(outside.text_at(address, site.credentials)) > found.window.end.timestamp():
        return ""
    outside.put_text(address, site.credentials, exposition(found.verdict, found.reports))
    return ""


def _trace(site: Site, found: Judged, client: Any) -> str:
    """The findings as facets of the captured dataset."""
    from monitor_tasks.dialects import column_numbers

    data = found.reports.get("data_quality")
    has_columns = data is not None and data.rows
    text = read_artifact(site.store, found.keys["data_quality"], "statistics.json") if has_columns else b""
    columns = column_numbers(text) if text else {}
    capture, time = site.endpoint.capture.address, format_time(now())
    send_findings(client, Traced(site.name, found.revision, capture, time, found.reports, columns))
    return ""


def _postprocess(site: Site, found: Judged, name: str, address: str) -> str:
    """The user's script after one monitor; that it failed is a note, and changes nothing."""
    script, pinned = site.read(address), site.endpoint.emit.post_analytics_processor_sha256
    if pinned and digest(script) != pinned:
        raise UserError(f"{address}: its sha256 is {digest(script)[:12]}…, post_analytics_processor_sha256 is another")
    manifest = read_manifest(site.store, found.keys[name])
    files = {one: read_artifact(site.store, found.keys[name], one) for one in manifest.shown}
    environment = {
        "sagemaker_endpoint_name": site.name,
        "sagemaker_monitoring_schedule_name": site.endpoint.configured()[name].monitoring_schedule_name,
        "start_time": format_time(found.window.start),
        "end_time": format_time(found.window.end),
    }
    return outside.postprocess(script, address, files, environment)
