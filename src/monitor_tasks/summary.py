"""Summary: what pages tell of endpoints, windows and baselines; read off the windows' records, decided by nobody."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, Literal, NamedTuple

from monitor_tasks.baseline import Constraint
from monitor_tasks.endpoint import Endpoint
from monitor_tasks.policy import Policy, Severity
from monitor_tasks.report import Report, Status
from monitor_tasks.shard import Broken, Series, WindowRecord
from monitor_tasks.troubles import DECIDED, names
from monitor_tasks.verdict import Action, Verdict
from monitor_tasks.window import Window

LATE = timedelta(hours=1)
"""So long after its end a window may still run before it counts as missed."""


class Risk(StrEnum):
    """How much there is to worry about, in the words of Amazon's Model Dashboard."""

    LOW = "low"
    MEDIUM = "medium"
    HIGH = "high"
    UNKNOWN = "unknown"


class Cell(NamedTuple):
    """One window of a strip."""

    window: Window
    status: Status | None
    """None where nothing was reported."""
    violations: int = 0
    because: str = ""
    """The violations or reasons as a person would name them; why nothing was reported."""


class Episode(NamedTuple):
    """A run of violated windows that the policy gave a number."""

    number: str
    first: Window
    """The first window; before what was read, where the verdict says so."""
    last: Window
    """The newest violated window."""
    windows: int
    """The violated windows that were read."""
    is_open: bool
    severity: str
    """The highest that it had."""
    owner: str
    because: str
    """Of its newest verdict."""
    retrained: Window | None = None
    """The window that was handed over to retraining."""
    closed_by: Window | None = None


class Missed(NamedTuple):
    """A window of the schedule without a verdict."""

    window: Window
    because: str
    """How far it came: ``never ran``, ``no report of bias``, ``reports, but no verdict``."""
    maintenance: str = ""
    """Why nobody would have been told."""


class Coverage(NamedTuple):
    """How many windows a schedule has in a span of time, and which of them have no verdict."""

    expected: int
    missed: tuple[Missed, ...]

    @property
    def told(self) -> dict[str, Any]:
        """The same as JSON holds it."""
        lacking = [
            {"window": str(one.window), "because": one.because, "maintenance": one.maintenance} for one in self.missed
        ]
        return {"expected": self.expected, "missed": lacking}


class EndpointSummary(NamedTuple):
    """One line of the page of all endpoints."""

    name: str
    owner: str = ""
    tags: tuple[str, ...] = ()
    schedule: str = ""
    monitors: tuple[str, ...] = ()
    windows: tuple[Window, ...] = ()
    """The windows of the strips, the newest last."""
    strips: Mapping[str, tuple[Cell, ...]] = {}
    """By monitor, one cell for each of the windows."""
    risk: Risk = Risk.UNKNOWN
    because: str = ""
    """Why the risk is what it is."""
    episodes: tuple[Episode, ...] = ()
    """Those that are open."""
    last_window: Window | None = None
    """The newest with a verdict."""
    capture_lag: timedelta | None = None
    """How long ago the newest window ended that holds captured records; None where none does."""
    label_coverage: float | None = None
    """The share of the predictions in the strip's windows that are labelled; None where no labels are looked for."""
    missed: tuple[Missed, ...] = ()
    """The windows of the strip without a verdict."""
    behind: int = 0
    """How many windows have ended since the last one with a verdict, and may be over."""
    error: str = ""
    """Why nothing could be read."""


MarkKind = Literal["model", "baseline", "restatement", "retraining", "episode", "recovery", "maintenance"]


class Mark(NamedTuple):
    """Something that happened at a window of a history."""

    window: Window
    kind: MarkKind
    text: str
    monitor: str = ""
    """The one that it concerns; empty where it is all of them."""


class EstimateSeries(NamedTuple):
    """An estimated metric beside the one that was realised once labels had arrived; one entry for each window."""

    monitor: str
    metric: str
    values: Sequence[float | None]
    lower: Sequence[float | None]
    upper: Sequence[float | None]
    realised: Sequence[float | None]
    inside: Sequence[bool | None]
    """Whether what was realised lay in the band in which it was to be expected."""


class History(NamedTuple):
    """What happened to one endpoint over a span of time."""

    endpoint: str
    windows: tuple[Window, ...]
    records: tuple[WindowRecord, ...]
    """One for each of the windows."""
    series: tuple[Series, ...]
    """Values, bounds and states of every metric, one entry for each of the windows."""
    estimates: tuple[EstimateSeries, ...]
    marks: tuple[Mark, ...]
    episodes: tuple[Episode, ...]
    missed: tuple[Missed, ...]


class Violated(NamedTuple):
    """A violation of one window, with what only other windows and the policy tell."""

    monitor: str
    broken: Broken
    severity: Severity | None
    """None where the policy does not count it."""
    since: Window
    """The first window of those in a row in which it was broken; undecided ones between them are passed over."""


class WindowView(NamedTuple):
    """All that is known of one window."""

    record: WindowRecord
    ledger: Mapping[str, Any]
    """The whole ledger, reasons and objects included; empty where none was ingested."""
    labels: Mapping[str, Any]
    reports: Mapping[str, Report]
    """By monitor."""
    violations: tuple[Violated, ...]
    verdicts: tuple[Verdict, ...]
    """All that were given, the oldest first."""
    artifacts: Mapping[str, Mapping[str, str]]
    """The address of every artifact by schedule and name."""
    revisions: Mapping[str, tuple[str, ...]]
    """The manifests of all revisions by schedule, the oldest first."""


class BaselineView(NamedTuple):
    """One stored baseline."""

    id: str
    pins: tuple[tuple[str, str], ...]
    """Since when it was pinned (empty: from the beginning) and why; the oldest first."""
    constraints: Mapping[str, tuple[Constraint, ...]]
    """By monitor."""
    inputs: Mapping[str, str]
    """What it was made of."""
    address: str = ""
    """Its manifest."""
    error: str = ""
    """Why it cannot be read, though it is pinned."""


class BaselineChange(NamedTuple):
    """A constraint in which two baselines differ."""

    monitor: str
    kind: Literal["added", "removed", "changed"]
    before: Constraint | None
    after: Constraint | None
    fields: tuple[str, ...] = ()
    """What differs."""


def episodes(records: Iterable[WindowRecord], policy: Policy) -> tuple[Episode, ...]:
    """The episodes of windows in order, the oldest first; one is open until a verdict or calm windows end it."""
    found: dict[str, Episode] = {}
    healthy = 0
    for one in records:
        verdict = one.verdict
        if verdict is None or verdict.status not in DECIDED or policy.maintained(one.window):
            continue
        if verdict.episode:
            found[verdict.episode] = _longer(found.get(verdict.episode), one)
        if verdict.closes in found:
            found[verdict.closes] = found[verdict.closes]._replace(is_open=False, closed_by=one.window)
        healthy = 0 if counts(policy, one) else healthy + 1
        if healthy >= policy.healthy_windows:
            found = {name: this._replace(is_open=False) for name, this in found.items()}
    return tuple(sorted(found.values(), key=lambda this: (this.first, this.number)))


def _longer(known: Episode | None, one: WindowRecord) -> Episode:
    """An episode with one window more."""
    verdict = one.verdict
    assert verdict is not None  # noqa: S101  # only windows with one come here
    first = Window.parse(verdict.since) if verdict.since else one.window
    retrained = one.window if verdict.action is Action.RETRAIN else None
    if known is None:
        return Episode(verdict.episode, first, one.window, 1, True, verdict.severity, verdict.owner, verdict.because,
                       retrained)  # fmt: skip
    worse = max(known.severity, verdict.severity, key=lambda word: Severity(word).rank if word else -1)
    return known._replace(
        first=min(first, known.first), last=one.window, windows=known.windows + 1, is_open=True, severity=worse,
        because=verdict.because, owner=verdict.owner, retrained=known.retrained or retrained, closed_by=None,
    )  # fmt: skip


def severity_of(policy: Policy, monitor: str, broken: Broken) -> Severity | None:
    """The severity that the policy's rules give a violation; None where it does not count."""
    told = Constraint(check=broken.check, metric=broken.metric, subject=broken.subject, cause=broken.cause)
    for rule in policy.lines:
        if names(rule, monitor, told):
            is_counted = policy.does(rule.severity) != "record" and broken.effect >= rule.effect_floor
            return rule.severity if is_counted else None
    return None


def counts(policy: Policy, record: WindowRecord) -> bool:
    """Whether any violation of a window counts."""
    return any(severity_of(policy, name, one) for name, found in record.monitors.items() for one in found.broken)


def expected(endpoint: Endpoint, since: datetime, until: datetime) -> Iterator[Window]:
    """Every window that the schedule has between two moments; none where windows are made on demand."""
    return endpoint.schedule.windows(since, until) if endpoint.schedule.hours and since < until else iter(())


def number_expected(endpoint: Endpoint, since: datetime, until: datetime) -> int:
    """How many windows the schedule has between two moments, without a look at each of many days."""
    days = max((until - since).days - 2, 0)
    return days * len(endpoint.schedule.hours) + len(list(expected(endpoint, since + timedelta(days=days), until)))


def missed(endpoint: Endpoint, windows: Iterable[Window], records: Mapping[Window, WindowRecord]) -> tuple[Missed, ...]:
    """Which of the windows have no verdict, and how far they came."""
    found = ((window, _lacks(endpoint, records.get(window))) for window in windows)
    return tuple(Missed(window, why, endpoint.policy.maintained(window)) for window, why in found if why)


def _lacks(endpoint: Endpoint, record: WindowRecord | None) -> str:
    """What a window lacks; empty where it has its verdict."""
    if record is None:
        return "never ran"
    if record.verdict is not None:
        return ""
    lacking = [name for name in endpoint.configured() if name not in record.monitors]
    if not lacking:
        return "reports, but no verdict"
    return f"no report of {', '.join(lacking)}" if record.monitors or record.ledger else "began, but wrote nothing"


def summarise(
    endpoint: Endpoint, windows: Sequence[Window], records: Sequence[WindowRecord], moment: datetime
) -> EndpointSummary:
    """One endpoint's line: its strips over the `windows`, by the `records` of these and of some before them."""
    known = {one.window: one for one in records if one.own or not endpoint.schedule.hours}
    monitors = tuple(endpoint.configured())
    strips = {name: tuple(_cell(known.get(window), window, name) for window in windows) for name in monitors}
    judged = [one for one in records if one.verdict]
    captured = [one.window.end for one in records if one.ledger.get("used")]
    labelled = [one.labels for one in map(known.get, windows) if one and one.labels]
    predictions = sum(one.predictions for one in labelled)
    gaps = missed(endpoint, windows, known)
    is_open = tuple(one for one in episodes(records, endpoint.policy) if one.is_open)
    last = judged[-1] if judged else None
    behind = number_expected(endpoint, last.window.end, moment - LATE) if last else 0
    return EndpointSummary(
        endpoint.endpoint_name, endpoint.owner, endpoint.tags, endpoint.schedule_expression, monitors,
        tuple(windows), strips,
        *risk(endpoint.policy, is_open, last, behind - sum(bool(one.maintenance) for one in gaps)),
        episodes=is_open,
        last_window=last.window if last else None,
        capture_lag=moment - max(captured) if captured else None,
        label_coverage=sum(one.matched for one in labelled) / predictions if predictions else None,
        missed=gaps,
        behind=behind,
    )  # fmt: skip


def risk(policy: Policy, is_open: Sequence[Episode], last: WindowRecord | None, silent: int) -> tuple[Risk, str]:
    """How much there is to worry about, and why; after `silent` windows without a verdict it is not known."""
    worst = max(is_open, key=lambda one: Severity(one.severity).rank if one.severity else -1, default=None)
    if worst is not None:
        high = worst.severity == Severity.HIGH
        return (Risk.HIGH if high else Risk.MEDIUM), f"episode {worst.number} is open: {worst.because}"
    if last is None or last.verdict is None:
        return Risk.UNKNOWN, "no window was judged yet"
    verdict, since = last.verdict, f"{last.window.end:%Y-%m-%d %H:%M}"
    answers = (
        (verdict.status is Status.FAILED, Risk.MEDIUM, verdict.because),
        (counts(policy, last), Risk.MEDIUM, f"violations that are no episode: {verdict.because}"),
        (silent > 0, Risk.UNKNOWN, f"no verdict since {since}; {silent:,} windows have ended since then"),
        (verdict.status not in DECIDED, Risk.UNKNOWN, verdict.because),
        (True, Risk.LOW, verdict.because),
    )
    return next((answer, because) for holds, answer, because in answers if holds)


def _cell(record: WindowRecord | None, window: Window, monitor: str) -> Cell:
    one = record.monitors.get(monitor) if record else None
    if one is None:
        return Cell(window, None, 0, "never ran" if record is None else "no report")
    violations = [f"{broken.metric} of {broken.subject}" if broken.subject else broken.metric for broken in one.broken]
    return Cell(window, one.status, len(violations), ", ".join(violations) or one.because)


def marks(records: Sequence[WindowRecord], found: Sequence[Episode], policy: Policy) -> tuple[Mark, ...]:
    """What happened at the windows: changes of models and baselines, restatements, episodes, retraining."""
    told = [*_changed(records, "model"), *_changed(records, "baseline")]
    for record in records:
        told += [
            Mark(record.window, "restatement", f"judged again: revision {one.restatements + 1}", name)
            for name, one in record.monitors.items() if one.restatements
        ]  # fmt: skip
        if why := policy.maintained(record.window):
            told.append(Mark(record.window, "maintenance", why))
    for one in found:
        told.append(Mark(one.first, "episode", f"episode {one.number} began: {one.because}"))
        if one.retrained:
            told.append(Mark(one.retrained, "retraining", f"episode {one.number} was handed over to retraining"))
        if one.closed_by:
            told.append(Mark(one.closed_by, "recovery", f"episode {one.number} ended"))
    return tuple(sorted(told))


def _changed(records: Sequence[WindowRecord], what: Literal["model", "baseline"]) -> Iterator[Mark]:
    """Where a monitor's model or baseline is another one than before."""
    before: dict[str, str] = {}
    for record in records:
        for name, one in record.monitors.items():
            now = getattr(one, what)
            if now and before.get(name, now) != now:
                yield Mark(record.window, what, f"the {what} changed from {before[name]} to {now}", name)
            before[name] = now or before.get(name, "")


def estimates(records: Sequence[WindowRecord]) -> tuple[EstimateSeries, ...]:
    """Every estimated metric beside what was realised."""
    columns: dict[tuple[str, str], list[tuple[Any, ...]]] = {}
    nothing = (None,) * 5
    for place, record in enumerate(records):
        for name, monitor in record.monitors.items():
            for one in monitor.estimates:
                column = columns.setdefault((name, one.metric), [nothing] * len(records))
                realised = one.realised
                told = (realised.value, realised.inside) if realised else (None, None)
                column[place] = (one.value, one.lower, one.upper, *told)
    return tuple(EstimateSeries(*key, *zip(*column, strict=True)) for key, column in sorted(columns.items()))


def begun(states: str) -> tuple[int | None, bool]:
    """Where the broken ones at the end of some states begin, if there are any, and whether they were kept before.

    Where nothing was decided, or judged, what was goes on.

    >>> begun("kbkbub"), begun("bb.u"), begun("k.")
    ((3, True), (0, False), (None, True))
    """
    kept = states.rfind("k")
    first = states.find("b", kept + 1)
    return None if first < 0 else first, kept >= 0


def differences(
    before: Mapping[str, Sequence[Constraint]], after: Mapping[str, Sequence[Constraint]]
) -> tuple[BaselineChange, ...]:
    """In which constraints two baselines differ, by monitor, in the order of the newer one."""
    found = []
    for monitor in dict.fromkeys((*after, *before)):
        old = {one.key: one for one in before.get(monitor, ())}
        new = {one.key: one for one in after.get(monitor, ())}
        for key in dict.fromkeys((*new, *old)):
            a, b = old.get(key), new.get(key)
            if a is None or b is None:
                found.append(BaselineChange(monitor, "added" if a is None else "removed", a, b))
            elif changed := tuple(name for name in Constraint.model_fields if getattr(a, name) != getattr(b, name)):
                found.append(BaselineChange(monitor, "changed", a, b, changed))
    return tuple(found)
