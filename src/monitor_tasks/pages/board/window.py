"""The page of one window: its violations, what each monitor found, its ledger, verdicts and stored files."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from monitor_tasks.exhibit import Exhibit
from monitor_tasks.history import Violated, WindowView
from monitor_tasks.pages.board import common
from monitor_tasks.pages.board.common import Asked
from monitor_tasks.pages.board.frame import Page, Place, rendered, windowed
from monitor_tasks.pages.charts import Drawing
from monitor_tasks.pages.numbers import NOTHING, number, sentence, text
from monitor_tasks.pages.shown import shown
from monitor_tasks.pages.words import MARKS, STATUSES, Told, told
from monitor_tasks.report import Finding, Report, State
from monitor_tasks.window import Window

PICTURES = 24
"""So many distributions of a monitor are shown; the report has all."""
HANDED_OUT = frozenset({
    "report.json", "report.html", "constraint_violations.json", "statistics.json", "constraints.json", "analysis.json",
    "verdict.json", "ledger.json", "labels.json", "expectations.json",
})  # fmt: skip
"""What is handed out: what was found, never the rows or the sample that it was found in."""
_LEDGER = ("read", "used", "quarantined", "duplicate", "out_of_window")


class Around(NamedTuple):
    """What lies around a window: its neighbours and its run in Airflow."""

    before: str = ""
    """The step of the address of the window before it; empty where there is none."""
    after: str = ""
    run: str = ""
    """The id of its newest run in Airflow."""


class _Violation(NamedTuple):
    """A violation as a line of the table."""

    severity: str
    rank: int
    monitor: str
    subject: str
    seen: str
    address: str
    cause: str
    value: str
    sort: str
    allowed: str
    picture: Drawing | None
    direction: str
    rows: str
    sure: str
    since: str
    since_address: str
    look_at: str


class _Report(NamedTuple):
    """What one monitor found."""

    monitor: str
    name: str
    state: State | None
    status: str
    rows: str
    counts: Sequence[tuple[State, int]]
    judged: str
    because: str
    report: str
    shown: Sequence[Any]
    more_shown: int
    notes: Sequence[str]
    files: Sequence[tuple[str, str, str]]


def window_page(asked: Asked, view: WindowView, exhibits: Mapping[str, Sequence[Exhibit]], around: Around) -> Page:
    """All that is known of one window."""
    place, name, record = asked.place, asked.name, view.record
    window, verdict = record.window, record.verdict
    state, status, _ = STATUSES[verdict.status] if verdict else (None, "No verdict yet", "")
    violations = list(_violations(place, name, view))
    return rendered(
        "window.html.j2", place, f"{name}, {common.span(window)}",
        trail=[(name, place.to("endpoints", name)), (common.span(window), "")], name=text(name),
        span=common.span(window), state=state or "undecided", sign=MARKS.get(state, "·") if state else "·",
        status=status, because=sentence(verdict.because if verdict else "the window is not finished, or a task failed"),
        facts=_facts(view), views=_views(place, name, view, around),
        unreadable=[sentence(f"{what}: {why}") for what, why in record.unreadable.items()],
        violations=violations[: common.LISTED], more_violations=len(violations[common.LISTED :]),
        nothing_broken=_nothing_broken(view),
        reports=[_report(place, name, view, one, exhibits.get(one, ())) for one in asked.monitors],
        ledger=_ledger(view.ledger), reconciled=_reconciled(view.ledger), reasons=_reasons(view.ledger),
        labels=[(what.replace("_", " "), number(value) if isinstance(value, int | float) else text(value))
                for what, value in view.labels.items() if what != "schema_version" and value is not None],
        verdicts=_verdicts(view), actions=common.doing(asked, window),
    )  # fmt: skip


def _facts(view: WindowView) -> list[tuple[str, str]]:
    record, verdict = view.record, view.record.verdict
    models = {one.model for one in record.monitors.values() if one.model}
    baselines = {one.baseline for one in record.monitors.values() if one.baseline}
    again = max((one.restatements for one in record.monitors.values()), default=0)
    return common.facts(
        action=verdict.action if verdict else "", severity=verdict.severity if verdict else "",
        episode=verdict.episode.lstrip("0") if verdict else "",
        since=common.span(Window.parse(verdict.since)) if verdict and verdict.since else "",
        owner=verdict.owner if verdict else "",
        used_rows=f"{record.ledger['used']:,}" if "used" in record.ledger else "",
        labelled="" if record.labels is None else common.percent(record.labels.coverage),
        model=", ".join(sorted(models)), baseline=", ".join(sorted(baselines)),
        judged_again=f"{again} times" if again else "",
    )  # fmt: skip


def _views(place: Place, name: str, view: WindowView, around: Around) -> Iterator[tuple[str, str, bool]]:
    """Ways from here: words, address, and whether it leads to Airflow's own pages."""
    for words, step in (("The window before", around.before), ("The window after", around.after)):
        if step and (address := place.to("endpoints", name, "windows", step)):
            yield words, address, False
    if address := place.dag(f"monitor__{name}", around.run):
        yield ("Its run in Airflow" if around.run else "Its DAG in Airflow"), address, True
    for baseline in sorted({one.baseline for one in view.record.monitors.values() if one.baseline}):
        yield "The constraints it was judged by", place.to("endpoints", name, "baselines", baseline), False


def _violations(place: Place, name: str, view: WindowView) -> Iterator[_Violation]:
    """The violations in words: broken data first, and of these the most severe."""
    found = {
        (monitor, one.constraint.check, one.constraint.metric, one.constraint.subject): one
        for monitor, report in view.reports.items() for one in report.violations
    }  # fmt: skip
    ordered = sorted(view.violations, key=lambda one: (one.broken.cause, -_rank(one), one.monitor))
    for one in ordered:
        key = (one.monitor, one.broken.check, one.broken.metric, one.broken.subject)
        if key in found:
            yield _violation(place, name, one, found[key])


def _rank(one: Violated) -> int:
    return one.severity.rank if one.severity else -1


def _violation(place: Place, name: str, one: Violated, finding: Finding) -> _Violation:
    line: Told = told(finding)
    broken = one.broken
    key = (one.monitor, broken.check, broken.metric, broken.subject)
    return _Violation(
        severity=one.severity or "not counted", rank=-_rank(one), monitor=one.monitor.replace("_", " "),
        subject=text(broken.subject), seen=line.seen, address=common.to_series(place, name, key),
        cause=line.cause, value=line.value, sort=common.told_number(broken.value), allowed=line.bound,
        picture=line.picture, direction=_direction(finding), rows=line.rows, sure=line.sure,
        since=common.span(one.since), since_address=common.to_window(place, name, one.since), look_at=line.look_at,
    )  # fmt: skip


def _direction(finding: Finding) -> str:
    """On which side of its bounds the value lies, and which way the column went."""
    metric, constraint = finding.metric, finding.constraint
    if metric is None or metric.value is None:
        return NOTHING
    side = "below" if constraint.lower is not None and metric.value < constraint.lower else "above"
    way = metric.details.get("direction")
    return f"{side}; went {text(way, 20)}" if way not in (None, "none") else side


def _nothing_broken(view: WindowView) -> str:
    if not view.reports:
        return "No monitor has a report of this window, so nothing is known of it."
    healthy = all(STATUSES[one.status][0] is State.KEPT for one in view.reports.values())
    return "None." if healthy else "None was found; but not everything could be decided, see below."


def _report(place: Place, name: str, view: WindowView, monitor: str, exhibits: Sequence[Exhibit]) -> _Report:
    record, report = view.record.monitors.get(monitor), view.reports.get(monitor)
    state, status = common.answered(record.status if record else None)
    broken = {one.constraint.subject for one in report.violations} if report else set()
    ordered = sorted(exhibits, key=lambda one: getattr(one, "subject", "") not in broken or not broken)
    files = view.artifacts.get(record.schedule, {}) if record else {}
    step = windowed(view.record.window)
    return _Report(
        monitor=monitor, name=monitor.replace("_", " "), state=state, status=status,
        rows=f"{report.rows:,}" if report else "", counts=_counts(report), judged=_judged(view, monitor),
        because="" if report and state is State.KEPT else sentence(record.because if record else "no report yet"),
        report=place.to("endpoints", name, "windows", step, monitor) if "report.html" in files else "",
        shown=[_Shown.of(one, broken) for one in ordered[:PICTURES]], more_shown=len(ordered[PICTURES:]),
        notes=[sentence(note) for note in (report.notes if report else ())[:20]],
        files=[_file(place, (name, step, monitor), file, address) for file, address in sorted(files.items())],
    )  # fmt: skip


class _Shown(NamedTuple):
    """A distribution beside its baseline."""

    title: str
    sketch: Drawing
    lines: Sequence[Any]
    facts: Sequence[Any]
    change: str
    broken: bool
    note: str
    is_histogram: bool
    sides: tuple[str, str]

    @classmethod
    def of(cls, exhibit: Exhibit, broken: set[str]) -> "_Shown":
        """The exhibit in words, with its small picture."""
        one = shown(exhibit, chart=False)
        is_broken = getattr(exhibit, "subject", "") in broken and bool(getattr(exhibit, "subject", ""))
        return cls(one.subject, one.sketch, one.lines, one.facts, one.change, is_broken, one.note, one.is_histogram,
                   one.sides)  # fmt: skip


def _counts(report: Report | None) -> list[tuple[State, int]]:
    if report is None:
        return []
    return [(state, count) for state in State if (count := len(report.having(state)))]


def _judged(view: WindowView, monitor: str) -> str:
    """By which baseline, and how often."""
    one = view.record.monitors.get(monitor)
    if one is None:
        return ""
    again = f", judged again {one.restatements} times as labels or settings changed" if one.restatements else ""
    return f"Judged by baseline {text(one.baseline) or 'none'}{again}."


def _file(place: Place, of: tuple[str, str, str], file: str, address: str) -> tuple[str, str, str]:
    """A stored file: its name, the way to it where it is handed out, and where it lies."""
    name, window, monitor = of
    served = file in HANDED_OUT and not place.files
    folder = place.to("endpoints", name, "windows", window, monitor) if served else ""
    return text(file), f"{folder}{file}" if folder else "", text(address, 300)


def _ledger(ledger: Mapping[str, Any]) -> list[tuple[str, str]]:
    totals = ledger.get("totals", {})
    return [(fate.replace("_", " "), f"{totals[fate]:,}") for fate in _LEDGER if fate in totals]


def _reconciled(ledger: Mapping[str, Any]) -> str:
    totals = ledger.get("totals", {})
    if not totals:
        return ""
    rest = sum(totals.get(fate, 0) for fate in _LEDGER[1:])
    sums = " + ".join(f"{totals.get(fate, 0):,}" for fate in _LEDGER[1:])
    adds_up = "✓ The counts add up" if rest == totals.get("read") else "✕ The counts do not add up"
    return f"{adds_up}: {totals.get('read', 0):,} read, {sums} = {rest:,}."


def _reasons(ledger: Mapping[str, Any]) -> list[tuple[str, str]]:
    reasons = ledger.get("reasons", {})
    return [(text(reason), f"{count:,}") for reason, count in sorted(reasons.items()) if isinstance(count, int)]


def _verdicts(view: WindowView) -> list[Any]:
    return [
        {"action": one.action, "severity": text(one.severity), "episode": text(one.episode.lstrip("0")),
         "because": sentence(one.because)}
        for one in reversed(view.verdicts)
    ]  # fmt: skip
