"""Timeline: what a policy makes of the windows' reports: a fold in window order, whatever the order of execution."""

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from typing import NamedTuple

from monitor_tasks.policy import Policy, Severity
from monitor_tasks.report import Status
from monitor_tasks.troubles import DECIDED, Failures, Gaps, Look, Silence, Trouble, Violations, Volumes, Watch
from monitor_tasks.verdict import Action, Permission, decide
from monitor_tasks.window import Window, format_time, parse_duration


class Assessed(NamedTuple):
    """What a policy makes of one window."""

    window: Window
    action: Action
    """What it leads to; a hand-over to retraining is only made once in an episode."""
    alerts: bool
    """Whether somebody is told where it is not handed over."""
    because: str
    severity: Severity | None = None
    since: Window | None = None
    """The first window of what is told here."""
    episode: Window | None = None
    """The first window of the open episode."""
    closes: Window | None = None
    """The first window of the episode that it ends."""
    owner: str = ""


def fold(
    windows: Iterable[Window], look: Look, policy: Policy, permission: Permission, monitors: Sequence[str] = ()
) -> Iterator[Assessed]:
    """What the policy makes of every window that has reports, in the order of the schedule's `windows`.

    `look` is also asked for the same hour of the weeks before, where the policy learns from them.
    """
    violations, telling = Violations(policy, permission), _Telling(policy)
    gaps, rest = Gaps(policy, monitors), (Failures(policy), Silence(policy, look), Volumes(policy, look))
    watches: tuple[Watch, ...] = (violations, *rest, gaps)
    for window in windows:
        here = look(window)
        troubles = [one for watch in watches if (one := watch.after(here)) is not None]
        found = [one for one in troubles if policy.does(one.severity) != "record"]
        if here.maintenance:
            yield Assessed(window, Action.REST, False, f"nobody is told: {here.maintenance}")
        elif here.monitors:
            calm = violations.pending(here) or decide(here.outcome, permission)[1]
            assessed = telling.of(window, found, calm)
            is_in = violations.episode if here.status is Status.WITH_VIOLATIONS else None
            yield assessed._replace(episode=is_in, closes=violations.closed)


class _Telling:
    """Which troubles are told, and which were told before."""

    def __init__(self, policy: Policy) -> None:
        self.once, self.cool_down = policy.once, parse_duration(policy.cool_down)
        self.told = dict[tuple[str, Window], Severity]()
        self.last = dict[str, tuple[datetime, Severity]]()

    def of(self, window: Window, found: Sequence[Trouble], calm: str) -> Assessed:
        """What a window's troubles lead to; the one that matters most gives its name."""
        if not found:
            return Assessed(window, Action.REST, False, calm)
        silenced = [self._silenced(one, window) for one in found]
        for one, why in zip(found, silenced, strict=True):
            if not why:
                self.told[one.kind, one.since] = one.severity
                self.last[one.kind] = (window.end, one.severity)
        alerts, main = not all(silenced), max(found, key=lambda one: one.severity.rank)
        action = Action.ALERT if alerts else Action.REST
        texts = [f"{one.text} ({why})" if why else one.text for one, why in zip(found, silenced, strict=True)]
        return Assessed(
            window, Action.RETRAIN if any(one.retrains for one in found) else action, alerts, "; ".join(texts),
            main.severity, main.since, owner=next((one.owner for one in found if one.owner), ""),
        )  # fmt: skip

    def _silenced(self, one: Trouble, window: Window) -> str:
        """Why nobody is told again; empty where somebody is."""
        before = self.told.get((one.kind, one.since))
        if self.once and before and one.severity.rank <= before.rank:
            return f"told before, since {format_time(one.since.start)}"
        then, severity = self.last.get(one.kind, (None, one.severity))
        if then and window.end - then < self.cool_down and one.severity.rank <= severity.rank:
            return f"told less than the cool-down ago, at {format_time(then)}"
        return ""


def handed_over_once(assessed: Iterable[Assessed]) -> Iterator[Assessed]:
    """The same, where only the first window of an episode that asks for retraining is handed over."""
    handed = set[Window | None]()
    for one in assessed:
        yield not_handed_over(one) if one.action is Action.RETRAIN and one.episode in handed else one
        if one.action is Action.RETRAIN:
            handed.add(one.episode)


def not_handed_over(one: Assessed) -> Assessed:
    """What a window leads to whose episode was handed over before."""
    action = Action.ALERT if one.alerts else Action.REST
    return one._replace(action=action, because=f"retraining was handed over before in this episode; {one.because}")


def needed(
    window: Window, before: Iterable[Window], look: Look, policy: Policy, monitors: Sequence[str] = ()
) -> list[Window]:
    """The windows that a window's assessment rests on, in order, itself the last.

    `before` are the schedule's windows before it, the latest first; it is read back to a calm time that lies beyond
    everything that the policy remembers.
    """
    found, first, healthy, waited = [window], window, 0, parse_duration(policy.cool_down)
    calm, everyone = max(policy.healthy_windows, policy.longest - 1), set(monitors) if policy.stopped else set()
    for other in before:
        found.append(other)
        here = look(other)
        is_usual = everyone <= here.monitors and Volumes(policy, look).after(here) is None
        if here.status is Status.COMPLETED and is_usual:
            healthy += 1
            if healthy >= calm and first.end - other.end >= waited:
                break
        else:
            first, healthy = other, 0 if here.status in DECIDED else healthy
    return found[::-1]
