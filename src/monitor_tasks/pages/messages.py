"""What an alert says: what changed, since when, how sure, what follows, and where the report lies."""

from collections.abc import Iterator, Mapping
from hashlib import sha256

from monitor_tasks.message import Message, Routing
from monitor_tasks.pages.evidence import evidence, false_alarms
from monitor_tasks.pages.numbers import NOTHING, sentence, text
from monitor_tasks.pages.vocabulary import word
from monitor_tasks.pages.words import seen_in, value_and_bound
from monitor_tasks.report import Finding, Report, State
from monitor_tasks.verdict import Action, Verdict

TOLD = 8
"""So many findings of a monitor are told one by one; the report has the others."""
FOLLOWS = {
    Action.ALERT: "somebody has to look; nothing is retrained",
    Action.RETRAIN: "the episode was handed over to retraining",
}


def alert_message(
    verdict: Verdict, routing: Routing, reports: Mapping[str, Report], links: Mapping[str, str]
) -> Message:
    """The message of a verdict that somebody is told of; `links` say where each monitor's report lies."""
    bad = {name: (*report.violations, *report.having(State.FAILED)) for name, report in reports.items()}
    found = sum(len(findings) for findings in bad.values())
    kind = "violation" if any(report.violations for report in reports.values()) else "failed check"
    counted = f"{found} {kind}{'' if found == 1 else 's'}" if found else str(verdict.status)
    since = routing.since or _start(verdict.window)
    lines = [
        f"{verdict.endpoint}, window {verdict.window}: {text(verdict.because, 400)}",
        *(("", "What changed") if found else ()),
        *(line for name, findings in bad.items() for line in _findings(name, findings)),
        "",
        f"Since: {since}",
        f"Severity: {routing.severity}" + (f", owner: {text(routing.owner)}" if routing.owner else ""),
        f"What follows: {FOLLOWS.get(verdict.action, str(verdict.action))}",
        *((f"Episode: {verdict.episode}",) if verdict.episode else ()),
        *(f"Report of {name}: {link}" for name, link in links.items() if bad.get(name)),
    ]
    return Message(
        endpoint=verdict.endpoint, incident=incident_of(verdict), event="alert", severity=routing.severity,
        owner=routing.owner, window=verdict.window, since=since, text="\n".join(lines), links=links,
        about=sha256(verdict.to_json()).hexdigest()[:20],
        subject=f"[{routing.severity}] {verdict.endpoint}: {counted} since {since}",
    )  # fmt: skip


def resolve_message(alert: Message, window: str) -> Message:
    """The message that ends an incident: `window` is the healthy one, `alert` the last that was told."""
    about = f"episode {alert.incident}" if alert.incident.isdecimal() else f"the state {alert.incident}"
    told = (
        f"{alert.endpoint}, window {window}: healthy again, no constraint is broken.",
        "",
        f"This ends {about}, which began with {alert.since}; the last alert was about {alert.window}.",
    )
    return alert.model_copy(
        update={
            "event": "resolve",
            "window": window,
            "text": "\n".join(told),
            "subject": f"[resolved] {alert.endpoint}: healthy again since {_start(window)}",
        }
    )


def incident_of(verdict: Verdict) -> str:
    """What a verdict's messages are about: its episode, or where there is none its status."""
    return verdict.episode or str(verdict.status)


def _findings(monitor: str, findings: tuple[Finding, ...]) -> Iterator[str]:
    for finding in findings[:TOLD]:
        constraint, metric = finding.constraint, finding.metric
        line = word(constraint, metric)
        where = f"{monitor}, {text(constraint.subject)}" if constraint.subject else monitor
        if finding.state is State.FAILED:
            yield f"- {where}: {line.what}: the check failed: {sentence(finding.because)}"
            continue
        bound = value_and_bound(finding)[1]
        yield f"- {where}: {seen_in(finding)}" + (f" (expected {bound})" if bound != NOTHING else "")
        sure = evidence(line, metric, constraint) if metric else ""
        tried = false_alarms(constraint)
        yield f"  how sure: {sure or 'not known'}" + (f"; a false alarm in {tried}" if tried else "")
    if len(findings) > TOLD:
        yield f"- {monitor}: {len(findings) - TOLD} more, in its report"


def _start(window: str) -> str:
    return window.partition("/")[0]
