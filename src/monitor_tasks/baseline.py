"""Metric, Constraint, Baseline: a number, its bounds, and what the bounds were learned from."""

from collections.abc import Mapping, Sequence
from typing import Any, Literal, NamedTuple

from pydantic import Field

from monitor_tasks.value import Artifact, Value

Cause = Literal["data", "world"]


class Metric(Value):
    """A number read off a profile, with the rows it rests on; it knows no threshold."""

    name: str
    """What was measured, in the field's words: ``completeness``."""
    subject: str = ""
    """What it was measured on: a column, a facet or a label; empty for the whole table."""
    value: float | None
    """The number; None when it is undefined."""
    n: int
    """How many rows or cells the number rests on."""
    because: str = ""
    """Why the number is undefined."""
    deviation: float | None = None
    """Standard deviation of the number over other samples of as many rows; None where it is not known."""
    interval: tuple[float, float] | None = None
    """Where the number lies by chance, three deviations to either side on its own scale; None: as `deviation` says."""
    details: Mapping[str, float | int | str] = Field(default_factory=dict)
    """What else was learned on the way: effect size, rows of the baseline, group sizes."""


class Constraint(Value):
    """Two optional bounds on one metric, and why they are there."""

    check: str
    """The name under which the check is reported, SageMaker's where it has one: ``completeness_check``."""
    metric: str
    """The metric that it judges."""
    subject: str = ""
    """The column, facet or label that it judges; empty for the whole table."""
    lower: float | None = None
    """The metric may not be smaller."""
    upper: float | None = None
    """The metric may not be larger."""
    cause: Cause = "world"
    """What a violation means: broken data, or a world that changed."""
    rule: str = ""
    """The rule that suggested it, as a sentence."""
    reason: str = ""
    """What the rule saw in the reference: the value that the bounds were learned from."""
    slices: int = 0
    """By how many slices in time of the reference it was tried: each judged as all others would suggest it."""
    alarms: int = 0
    """In how many of these slices it was broken: its false alarms, since the reference is what is right."""
    expected: tuple[str, ...] = ()
    """What the metric compares with where a bound is not enough: an inferred type, or the known categories."""
    minimum_rows: int = 1
    """With fewer rows than this the constraint is undecided."""
    margin: float = 0.0
    """How many standard deviations of the metric a bound gives way: 0 judges the bare number."""
    enabled: bool = True
    """A disabled constraint is kept in the file and never judged."""

    @property
    def key(self) -> str:
        """One line that tells the constraint from all others of its baseline."""
        return f"{self.check}:{self.metric}:{self.subject}"


class Constraints(Artifact):
    """The constraints of one monitor, in an order that a person reads: the file a user edits."""

    monitor: str
    constraints: tuple[Constraint, ...]


def in_order(constraints: Sequence[Constraint], subjects: Sequence[str]) -> tuple[Constraint, ...]:
    """The constraints in the order of their subjects: a file that a person reads follows the table's columns."""
    place = {subject: index for index, subject in enumerate(subjects)}
    return tuple(sorted(constraints, key=lambda one: place.get(one.subject, -1)))


class Baseline(NamedTuple):
    """What a monitor compares with: constraints, and the profile that they were learned from."""

    id: str
    """Hash of everything the baseline holds; ``""`` while nothing is pinned."""
    constraints: tuple[Constraint, ...]
    profile: Any
    """A profile of the monitor's own kind."""
    edges: Any = None
    """Where the profile's histograms are cut, for what needs the bins' places; None where nobody has them at hand."""
