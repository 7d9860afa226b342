"""Policy: which violations count, how severe they are, and what follows; an endpoint's YAML may say so."""

from datetime import timedelta
from enum import StrEnum
from functools import cached_property
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, AliasChoices, Field, model_validator

from monitor_tasks.value import Value
from monitor_tasks.window import Window, parse_duration, parse_time


class Severity(StrEnum):
    """How much a violation matters, the least first."""

    LOW = "low"
    MEDIUM = "medium"
    HIGH = "high"

    @property
    def rank(self) -> int:
        """Its place in the order: a higher one matters more."""
        return list(Severity).index(self)


def _is_persistence(text: str) -> str:
    n, m = persistence(text)
    if not 1 <= n <= m <= 168:
        raise ValueError(f"{text!r}: write it as '2 of 3', of at most 168 windows")
    return text


def persistence(text: str) -> tuple[int, int]:
    """In how many of the last windows something must be seen.

    >>> persistence("2 of 3")
    (2, 3)
    """
    n, _, m = text.partition(" of ")
    return int(n), int(m)


def _is_duration(text: str) -> str:
    if not timedelta(0) <= parse_duration(text) <= timedelta(days=366):
        raise ValueError(f"{text!r}: a time to wait is not negative, and a year at most")
    return text


def _is_moment(text: str) -> str:
    parse_time(text)
    return text


Persistence = Annotated[str, Field(pattern=r"^\d{1,3} of \d{1,3}$"), AfterValidator(_is_persistence)]
Wait = Annotated[str, AfterValidator(_is_duration)]
MomentText = Annotated[str, AfterValidator(_is_moment)]
Doing = Literal["record", "alert", "retrain"]


class Named(Value):
    """Patterns that name constraints; ``*`` stands for anything, as in names of files."""

    monitor: str = "*"
    check: str = "*"
    metric: str = "*"
    subject: str = "*"
    """The column, facet or label."""
    cause: Literal["data", "world"] | None = None
    """Only broken data, or only a changed world."""

    def __str__(self) -> str:
        said = [
            f"{name}: {getattr(self, name)}" for name in Named.model_fields if getattr(self, name) not in ("*", None)
        ]
        return ", ".join(said) or "everything"


class Rule(Named):
    """What holds for the violations that its patterns name."""

    severity: Severity = Severity.HIGH
    windows: Persistence = "1 of 1"
    """In how many of the last judged windows the rule must be broken before anything follows."""
    effect_floor: float = Field(0.0, ge=0)
    """Smaller violations do not count: by the metric's effect size, or else by how far it lies beyond its bound."""
    owner: str = ""
    """Who is told; left out, the endpoint's owner."""


class Actions(Value):
    """What each severity does: nothing but be recorded, an alert, or a hand-over to retraining where that may be."""

    low: Doing = "record"
    medium: Doing = "alert"
    high: Doing = "retrain"


class Maintenance(Value):
    """A span in which nobody is told of anything, and nothing is learned."""

    start: MomentText = Field(validation_alias=AliasChoices("from", "start"))
    end: MomentText = Field(validation_alias=AliasChoices("to", "end"))
    every: Wait | None = None
    """After how long it comes again: ``P7D`` is every week."""
    because: str = "maintenance"

    @model_validator(mode="after")
    def _runs_forward(self) -> Self:
        length = parse_time(self.end) - parse_time(self.start)
        if length <= timedelta(0) or (self.every and parse_duration(self.every) < length):
            raise ValueError("from must lie before to, and every may not be shorter than the span")
        return self

    def covers(self, window: Window) -> bool:
        """Whether the window touches the span, or one of its repetitions."""
        start, end = parse_time(self.start), parse_time(self.end)
        if window.end <= start:
            return False
        if self.every is None:
            return window.start < end
        again = parse_duration(self.every)
        place = (window.start - start) % again
        return place < end - start or place + (window.end - window.start) > again


class Freshness(Value):
    """When windows without data are an alert of their own."""

    no_data_for: Wait
    """After so much time without data, counted only where there usually is some."""
    weeks: int = Field(4, ge=0, le=52)
    """From how many weeks it is learned which hours of the week have traffic: half of them at least; 0: all have."""
    severity: Severity = Severity.MEDIUM


class Volume(Value):
    """When a window with far fewer or far more rows than usual is an alert of its own."""

    lower: float | None = Field(0.5, ge=0)
    """The least part of what the same hour of the week usually has."""
    upper: float | None = Field(None, ge=0)
    """The largest multiple of it."""
    weeks: int = Field(4, ge=2, le=52)
    """From how many weeks it is learned; the median of them counts, of two at least."""
    severity: Severity = Severity.MEDIUM


class Stopped(Value):
    """When a monitor that has stopped running is an alert of its own."""

    windows: int = Field(2, ge=1, le=168)
    """After so many windows of the schedule in a row without its report."""
    severity: Severity = Severity.MEDIUM


class Policy(Value):
    """What follows from violations; a policy that says nothing tells every window with one, and retrains once."""

    rules: tuple[Rule, ...] = ()
    """The first that names a violation decides; what none names has the severity and the windows below."""
    severity: Severity = Severity.HIGH
    windows: Persistence = "1 of 1"
    actions: Actions = Actions()
    failed: Severity = Severity.MEDIUM
    """How severe it is that a check could not run."""
    once: bool = False
    """Whether an episode is told once, and again only when it becomes more severe; else every window is."""
    cool_down: Wait = "PT0H"
    """For so long after an alert only a more severe one follows."""
    healthy_windows: int = Field(1, ge=1, le=168)
    """How many healthy windows in a row end an episode."""
    maintenance: tuple[Maintenance, ...] = ()
    freshness: Freshness | None = None
    volume: Volume | None = None
    stopped: Stopped | None = None
    look_back: Wait = "P31D"
    """How far before a window its history is read; an episode may be longer and keeps its number."""

    @cached_property
    def lines(self) -> tuple[Rule, ...]:
        """The rules, and after them the one for all that none of them names."""
        return (*self.rules, Rule(severity=self.severity, windows=self.windows))

    @property
    def longest(self) -> int:
        """The most windows that any rule looks at."""
        return max(persistence(rule.windows)[1] for rule in self.lines)

    def does(self, severity: Severity) -> Doing:
        """What a severity does."""
        done: Doing = getattr(self.actions, severity)
        return done

    def maintained(self, window: Window) -> str:
        """Why nobody is told of the window; empty outside of maintenance."""
        return next((one.because or "maintenance" for one in self.maintenance if one.covers(window)), "")


class Bound(Named):
    """Other bounds for the constraints that its patterns name; a bound that is null is taken away."""

    lower: float | None = None
    upper: float | None = None

    @model_validator(mode="after")
    def _says_something(self) -> Self:
        if not self.changes:
            raise ValueError("name lower, upper or both: a number, or null for none")
        return self

    @property
    def changes(self) -> dict[str, float | None]:
        """The bounds that it replaces."""
        return {name: getattr(self, name) for name in ("lower", "upper") if name in self.model_fields_set}


class Proposal(Value):
    """What history is judged by again."""

    policy: Policy | None = None
    """Left out, the endpoint's."""
    bounds: tuple[Bound, ...] = ()
    """The first that names a constraint replaces its bounds; all others are as they were."""
