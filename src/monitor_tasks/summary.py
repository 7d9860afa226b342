"""Summary: what pages tell of an endpoint in one line, and of its baselines; decided by nobody."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Literal, NamedTuple

from monitor_tasks.baseline import Constraint
from monitor_tasks.coverage import LATE, Missed, missed, number_expected
from monitor_tasks.endpoint import Endpoint
from monitor_tasks.episodes import Episode, counts, episodes
from monitor_tasks.policy import Policy, Severity
from monitor_tasks.report import Status
from monitor_tasks.shard import WindowRecord
from monitor_tasks.troubles import DECIDED
from monitor_tasks.window import Window


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
