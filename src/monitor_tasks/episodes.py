"""Episodes: runs of violated windows, and which violations a policy counts; read off the windows' records."""

from collections.abc import Iterable
from typing import NamedTuple

from monitor_tasks.baseline import Constraint
from monitor_tasks.policy import Policy, Severity
from monitor_tasks.shard import Broken, WindowRecord
from monitor_tasks.troubles import DECIDED, names
from monitor_tasks.verdict import Action
from monitor_tasks.window import Window


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
