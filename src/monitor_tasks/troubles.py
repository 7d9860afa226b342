"""Troubles: what windows may tell under a policy; each kind is a small fold that knows since when it is so."""

from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence, Set
from datetime import timedelta
from difflib import get_close_matches
from fnmatch import fnmatchcase
from statistics import median
from typing import Any, NamedTuple, Protocol, TypeAlias

from monitor_tasks.baseline import Constraint
from monitor_tasks.policy import Named, Policy, Severity, persistence
from monitor_tasks.report import Finding, Report, Status, bounds
from monitor_tasks.verdict import Action, Outcome, Permission, decide, worst
from monitor_tasks.window import Window, format_time, parse_duration

DECIDED = (Status.COMPLETED, Status.WITH_VIOLATIONS)
WEEK = timedelta(weeks=1)


class Seen(NamedTuple):
    """What all monitors say of one window, as far as a policy counts it."""

    window: Window
    status: Status
    """Violations that do not count leave a window healthy; one in maintenance is not judged."""
    counted: tuple[tuple[int, Finding], ...]
    """The violations that count, each with the place of its rule."""
    rows: int
    monitors: frozenset[str]
    """The monitors that have a report; of a window that never ran none."""
    maintenance: str = ""

    @classmethod
    def of(cls, window: Window, reports: Mapping[str, Report], policy: Policy) -> "Seen":
        """What the reports of a window, by monitor, say under a policy."""
        counted, statuses = list[tuple[int, Finding]](), list[Status]()
        for name, report in reports.items():
            found = [(place, one) for one in report.violations if (place := _rule(policy, name, one)) is not None]
            statuses.append(report.status_without(0 if found else len(report.violations)))
            counted += found
        because = policy.maintained(window)
        status = Status.NOT_ENOUGH_DATA if because else worst(statuses)
        rows = max((report.rows for report in reports.values()), default=0)
        return cls(window, status, tuple(counted), rows, frozenset(reports), because)

    @property
    def outcome(self) -> Outcome:
        """The window's outcome, as far as the policy counts it."""
        return Outcome.told(self.status, [one.constraint for _, one in self.counted])


Key: TypeAlias = tuple[str, str, str, str, Any]
"""A constraint's monitor, check, metric, subject and cause."""
Look = Callable[[Window], Seen]
"""What is known of a window of the schedule."""


def _rule(policy: Policy, monitor: str, finding: Finding) -> int | None:
    """The place of the rule that names a violation; None where it does not count."""
    for place, rule in enumerate(policy.lines):
        if names(rule, monitor, finding.constraint):
            counts = policy.does(rule.severity) != "record" and effect(finding) >= rule.effect_floor
            return place if counts else None
    return None


def names(rule: Named, monitor: str, constraint: Constraint) -> bool:
    """Whether patterns name a monitor's constraint.

    >>> names(Named(metric="drift_*"), "data_quality", Constraint(check="c", metric="drift_ks", subject="age"))
    True
    """
    pairs = (
        (monitor, rule.monitor),
        (constraint.check, rule.check),
        (constraint.metric, rule.metric),
        (constraint.subject, rule.subject),
    )
    fits = (pattern == "*" or fnmatchcase(name, pattern) for name, pattern in pairs)
    return rule.cause in (None, constraint.cause) and all(fits)


def is_named(one: Named, key: Key) -> bool:
    """Whether patterns name a stored constraint."""
    monitor, check, metric, subject, cause = key
    return names(one, monitor, Constraint(check=check, metric=metric, subject=subject, cause=cause))


def nameless(patterns: Mapping[str, Named], known: Set[Key]) -> Iterator[str]:
    """Which patterns, each by its place in a policy, name none of the known constraints, and what comes close."""
    for place, one in patterns.items():
        if known and not any(is_named(one, key) for key in known):
            words = {word for key in known for word in key[:4]}
            said = [getattr(one, name) for name in ("monitor", "check", "metric", "subject")]
            close = [near for word in said if word not in words for near in get_close_matches(word, words, 1)]
            hint = f"did you mean {close[0]}?" if close else "look the names up in a report.json"
            yield f"{place}: {one}: names no constraint of these reports; {hint}"


def rules_in(policy: Policy) -> dict[str, Named]:
    """The rules of a policy, each by its place."""
    return {f"policy.rules.{place}": rule for place, rule in enumerate(policy.rules)}


def effect(finding: Finding) -> float:
    """How large a violation is: the metric's effect size where it has one, else how far it lies beyond its bound."""
    metric = finding.metric
    if metric is None or metric.value is None:
        return float("inf")
    if isinstance(known := metric.details.get("effect_size"), int | float):
        return abs(known)
    lower, upper = bounds(finding.constraint, metric)
    beyond = [lower - metric.value] if lower is not None else []
    beyond += [metric.value - upper] if upper is not None else []
    return max(beyond, default=float("inf"))


class Trouble(NamedTuple):
    """Something that a window tells, and since which window it is so: the two name it."""

    kind: str
    since: Window
    severity: Severity
    text: str
    retrains: bool = False
    """Whether it asks for retraining."""
    owner: str = ""


class Watch(Protocol):
    """One kind of trouble: it is shown all windows of the schedule in order, those that never ran too."""

    def after(self, here: Seen) -> Trouble | None:
        """What there is to tell after the next window."""


class Violations:
    """Runs of windows with violations that count; one in which a rule was broken often enough is an episode."""

    def __init__(self, policy: Policy, permission: Permission) -> None:
        """Of an endpoint that may retrain, or may not."""
        self.policy, self.permission, self.lines = policy, permission, policy.lines
        self.marks = [deque[bool](maxlen=persistence(rule.windows)[1]) for rule in self.lines]
        self.run: Window | None = None
        self.healthy = 0
        self.episode: Window | None = None
        """The first window of the open episode."""
        self.closed: Window | None = None
        """The first window of the episode that ended just now."""

    def after(self, here: Seen) -> Trouble | None:
        """The violations of a window in which a rule was broken often enough."""
        self.closed = None
        if here.status not in DECIDED:
            return None
        broken = {place for place, _ in here.counted}
        for place, marks in enumerate(self.marks):
            marks.append(place in broken)
        if not broken:
            self._heal()
            return None
        self.run, self.healthy = self.run or here.window, 0
        firing = [place for place in sorted(broken) if sum(self.marks[place]) >= self._needed(place)]
        if not firing:
            return None
        self.episode = self.run
        rule = self.lines[max(firing, key=lambda place: self.lines[place].severity.rank)]
        action, text = decide(here.outcome, self._allowed(rule.severity))
        owner = next((self.lines[place].owner for place in firing if self.lines[place].owner), "")
        return Trouble("violations", self.run, rule.severity, text, action is Action.RETRAIN, owner)

    def pending(self, here: Seen) -> str:
        """Which rules were broken, but not often enough."""
        places = sorted({place for place, _ in here.counted})
        rules = [f"{sum(self.marks[place])} of the {self._needed(place)} windows that are needed" for place in places]
        return f"{', '.join(rules)} had violations: {', '.join(here.outcome.what[:3])}" if rules else ""

    def _needed(self, place: int) -> int:
        return persistence(self.lines[place].windows)[0]

    def _heal(self) -> None:
        self.healthy += 1
        if self.healthy >= self.policy.healthy_windows:
            self.closed, self.run, self.episode = self.episode, None, None

    def _allowed(self, severity: Severity) -> Permission:
        if self.policy.does(severity) == "retrain":
            return self.permission
        return Permission(retraining=False, because=f"the policy only alerts of severity {severity}")


class Failures:
    """Windows in a row in which a check could not run."""

    def __init__(self, policy: Policy) -> None:
        """As the policy has it."""
        self.policy = policy
        self.since: Window | None = None

    def after(self, here: Seen) -> Trouble | None:
        """The failure of a window of which nothing else is known."""
        if here.status in DECIDED:
            self.since = None
        if here.status is not Status.FAILED:
            return None
        self.since = self.since or here.window
        return Trouble("failures", self.since, self.policy.failed, decide(here.outcome, NOBODY)[1])


NOBODY = Permission(retraining=False)


class Silence:
    """Windows in a row without data, where there usually is some."""

    def __init__(self, policy: Policy, look: Look) -> None:
        """As the policy has it; `look` knows the weeks before."""
        self.asked, self.look = policy.freshness, look
        self.since: Window | None = None
        self.length = timedelta(0)

    def after(self, here: Seen) -> Trouble | None:
        """The silence that has been too long."""
        if self.asked is None or not here.monitors:
            return None
        if here.rows:
            self.since, self.length = None, timedelta(0)
        elif self._has_traffic(here.window, self.asked.weeks):
            self.since = self.since or here.window
            self.length += here.window.end - here.window.start
        if self.since is None or self.length < parse_duration(self.asked.no_data_for):
            return None
        return Trouble("silence", self.since, self.asked.severity, f"no data since {format_time(self.since.start)}")

    def _has_traffic(self, window: Window, weeks: int) -> bool:
        known = list(_usual(window, weeks, self.look))
        return not known or 2 * sum(rows > 0 for rows in known) >= len(known)


class Volumes:
    """Windows in a row with far fewer or far more rows than usual."""

    def __init__(self, policy: Policy, look: Look) -> None:
        """As the policy has it; `look` knows the weeks before."""
        self.asked, self.look = policy.volume, look
        self.since: Window | None = None

    def after(self, here: Seen) -> Trouble | None:
        """The volume that is unlike the same hour of the weeks before; without two of them there is no usual."""
        if self.asked is None or not here.rows:
            return None
        known = [rows for rows in _usual(here.window, self.asked.weeks, self.look) if rows]
        usual = median(known) if len(known) >= 2 else None
        least, most = self.asked.lower or 0.0, self.asked.upper or float("inf")
        if usual is None or least * usual <= here.rows <= most * usual:
            self.since = None
            return None
        self.since = self.since or here.window
        text = f"{here.rows:,} rows, where the same hour of the week usually has {usual:,.0f}"
        return Trouble("volume", self.since, self.asked.severity, text)


def _usual(window: Window, weeks: int, look: Look) -> Iterator[int]:
    """The rows of the same hour in the weeks before, as far as they are known."""
    for week in range(1, weeks + 1):
        here = look(Window(window.start - week * WEEK, window.end - week * WEEK))
        if here.monitors and not here.maintenance:
            yield here.rows


class Gaps:
    """Monitors that have stopped: they ran before, and the schedule's windows go on without them."""

    def __init__(self, policy: Policy, monitors: Sequence[str]) -> None:
        """Of the configured monitors, none of which is known to have run."""
        self.asked = policy.stopped
        self.missing: dict[str, list[Window] | None] = dict.fromkeys(monitors)

    def after(self, here: Seen) -> Trouble | None:
        """The monitors that were missing for too long, up to this window or just before it."""
        if self.asked is None or here.maintenance:
            return None
        found = dict[str, list[Window]]()
        for name, missing in self.missing.items():
            gap = missing if missing is None or name in here.monitors else [*missing, here.window]
            if gap and len(gap) >= self.asked.windows:
                found[name] = gap
            self.missing[name] = [] if name in here.monitors else gap
        if not found or not here.monitors:
            return None
        since = min(gap[0] for gap in found.values())
        told = ", ".join(f"{name} ({len(gap)} windows)" for name, gap in found.items())
        return Trouble("stopped", since, self.asked.severity, f"no report since {format_time(since.start)}: {told}")
