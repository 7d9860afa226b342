"""Verdict: rest, alert or retrain; a fold over what the windows' reports say, in window order."""

from collections.abc import Callable, Iterable, Sequence
from enum import StrEnum
from typing import NamedTuple

from monitor_tasks.baseline import Cause, Constraint
from monitor_tasks.report import Report, Status
from monitor_tasks.value import Artifact, Value
from monitor_tasks.window import Window


class Action(StrEnum):
    """What a window's reports lead to."""

    REST = "rest"
    ALERT = "alert"
    RETRAIN = "retrain"


class Outcome(NamedTuple):
    """What all monitors of an endpoint say of one window together."""

    status: Status
    causes: frozenset[Cause]
    """What the violations mean: broken data, a changed world, or both."""
    what: tuple[str, ...]
    """The broken constraints, as a person would name them."""

    @classmethod
    def of(cls, reports: Sequence[Report]) -> "Outcome":
        """The reports' worst status: violations, then failure, then nothing to judge, then health."""
        broken = [violation.constraint for report in reports for violation in report.violations]
        return cls.told(worst(report.status for report in reports), broken)

    @classmethod
    def told(cls, status: Status, broken: Sequence[Constraint]) -> "Outcome":
        """The outcome of a status and the constraints that were broken."""
        return cls(
            status,
            frozenset(constraint.cause for constraint in broken),
            tuple(f"{one.metric} of {one.subject}" if one.subject else one.metric for one in broken),
        )


def worst(statuses: Iterable[Status]) -> Status:
    """The worst of some statuses: violations, then failure, then nothing to judge, then health."""
    order = (Status.WITH_VIOLATIONS, Status.FAILED, Status.NOT_ENOUGH_DATA, Status.COMPLETED, Status.NO_DATA)
    found = set(statuses)
    return next((status for status in order if status in found), Status.NO_DATA)


class Permission(Value):
    """Whether a violation in this run may start retraining, and if not, why."""

    retraining: bool
    because: str = ""


class Verdict(Artifact):
    """What is done about one window, and why."""

    endpoint: str
    window: str
    action: Action
    because: str
    status: Status
    episode: str = ""
    """The episode that the window's violations belong to; its number tells it from all others of the endpoint."""
    severity: str = ""
    """The policy's word for how much it matters; empty where nothing does."""
    since: str = ""
    """The first window of what is told here: of the episode, of the silence, of the failures."""
    owner: str = ""
    """Who is told."""
    closes: str = ""
    """The episode that this healthy window ends."""

    @property
    def text(self) -> str:
        """The verdict as one line that an alert can carry."""
        episode = f" (episode {self.episode})" if self.episode else ""
        return f"{self.endpoint} {self.window}: {self.action}{episode}: {self.because}"


def decide(outcome: Outcome, permission: Permission) -> tuple[Action, str]:
    """The action that an outcome leads to, and why: the cause decides, and a failure is never read as health."""
    if outcome.status is Status.FAILED:
        return Action.ALERT, "a check failed to run; nothing is known of this window"
    if not outcome.causes:
        healthy = outcome.status is Status.COMPLETED
        return Action.REST, "no violations" if healthy else _SILENT[outcome.status]
    some = ", ".join(outcome.what[:3]) + (f" and {len(outcome.what) - 3} more" if len(outcome.what) > 3 else "")
    if "data" in outcome.causes:
        return Action.ALERT, f"broken data, so retraining is refused: {some}"
    if not permission.retraining:
        return Action.ALERT, f"a changed world, but no retraining ({permission.because}): {some}"
    return Action.RETRAIN, f"a changed world: {some}"


_SILENT = {Status.NO_DATA: "no data", Status.NOT_ENOUGH_DATA: "not enough data to judge"}


def episode_around(
    window: Window, windows: Sequence[Window], status: Callable[[Window], Status], healthy_windows: int = 1
) -> tuple[Window, ...]:
    """The run of violated windows around `window`: windows that could not be judged are skipped, healthy ones end it.

    `windows` are all that have a report, in order; `status` is only asked as far as the run reaches.
    """
    before = (other for other in reversed(windows) if other < window)
    after = (other for other in windows if other > window)
    return (*reversed(violated(before, status, healthy_windows)), window, *violated(after, status, healthy_windows))


def violated(windows: Iterable[Window], status: Callable[[Window], Status], healthy_windows: int = 1) -> list[Window]:
    """The violated windows up to the first `healthy_windows` healthy ones in a row."""
    run, healthy = [], 0
    for window in windows:
        found = status(window)
        if found in (Status.COMPLETED, Status.WITH_VIOLATIONS):
            healthy = healthy + 1 if found is Status.COMPLETED else 0
        if healthy == healthy_windows:
            break
        if found is Status.WITH_VIOLATIONS:
            run.append(window)
    return run
