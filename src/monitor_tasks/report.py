"""Report: kept, broken, undecided or failed. Constraints judge metrics; a violation is a metric outside its bounds."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from enum import StrEnum

from pydantic import Field

from monitor_tasks.baseline import Constraint, Metric
from monitor_tasks.exhibit import ModelComparison
from monitor_tasks.value import Address, Artifact, Value


class State(StrEnum):
    """What became of one constraint."""

    KEPT = "kept"
    BROKEN = "broken"
    UNDECIDED = "undecided"
    FAILED = "failed"


class Status(StrEnum):
    """What became of one execution: SageMaker's words, and two states it shows as failure or as health."""

    COMPLETED = "Completed"
    WITH_VIOLATIONS = "CompletedWithViolations"
    FAILED = "Failed"
    NO_DATA = "NoData"
    NOT_ENOUGH_DATA = "NotEnoughData"


class Finding(Value):
    """One constraint, the metric it judged, and the answer."""

    constraint: Constraint
    metric: Metric | None
    state: State
    because: str = ""


class ModelCard(Value):
    """The model that a window's predictions came from, as far as it was declared."""

    name: str = ""
    version: str = ""
    sha256: str = ""
    decision_threshold: float | None = None
    hyper_parameters: Mapping[str, float | int | str | bool | None] = Field(default_factory=dict)
    features: tuple[str, ...] = ()
    categories: Mapping[str, tuple[str, ...]] = Field(default_factory=dict)
    address: Address | None = None

    def changes(self, former: "ModelCard") -> tuple[str, ...]:
        """What differs from the former model, one line each."""
        names = ("version", "sha256", "decision_threshold", "hyper_parameters")
        return tuple(
            f"the model's {name} changed from {getattr(former, name)} to {getattr(self, name)}"
            for name in names
            if getattr(former, name) != getattr(self, name)
        )


ESTIMATED = "estimated_"
"""What the name of every estimate begins with, so that nobody takes one for what was measured."""


class Realised(Value):
    """What a metric was on the rows whose labels have arrived, beside what was to be expected of these very rows."""

    value: float
    rows: int
    expected: float
    """The estimate of these rows alone; of all rows, once all have a label."""
    lower: float
    upper: float
    """The band in which the value was to be expected."""

    @property
    def inside(self) -> bool:
        """Whether the estimate stood the test."""
        return self.lower <= self.value <= self.upper


class Estimate(Value):
    """What a metric is expected to be, told without the window's labels; true only if there is no concept drift."""

    name: str
    """The metric's name after ``estimated_``."""
    value: float | None
    lower: float | None = None
    upper: float | None = None
    """The band that holds the realised value in 95 of 100 windows, as long as there is no concept drift."""
    rows: int
    """The predictions that it rests on, labelled or not."""
    because: str = ""
    """Why there is none."""
    realised: Realised | None = None
    """What it is graded by; None while too few labels have arrived."""

    @property
    def metric(self) -> str:
        """The name of the metric that is estimated."""
        return self.name.removeprefix(ESTIMATED)


class Report(Artifact):
    """What one monitor found in one window."""

    endpoint: str
    monitor: str
    window: str
    baseline: str
    """Id of the baseline that it was judged by."""
    rows: int
    """Rows that the monitor saw."""
    findings: tuple[Finding, ...]
    model: ModelCard | None = None
    """The model that made the window's predictions."""
    notes: tuple[str, ...] = ()
    """What a reader should know beside the findings: a changed model, a column matched by position."""
    comparison: ModelComparison | None = None
    """Two variants beside each other, where the settings ask for it."""
    estimates: tuple[Estimate, ...] = ()
    """What metrics of labels are expected to be, where the settings ask for it."""

    def having(self, state: State) -> tuple[Finding, ...]:
        """The findings in this state, in the order of the constraints."""
        return tuple(finding for finding in self.findings if finding.state is state)

    @property
    def violations(self) -> tuple[Finding, ...]:
        """The constraints whose metric lay outside its bounds."""
        return self.having(State.BROKEN)

    @property
    def status(self) -> Status:
        """The execution's status; a report in which nothing could be decided is never shown as healthy."""
        return self.status_without(0)

    def status_without(self, uncounted: int) -> Status:
        """The status if so many of the violations do not count."""
        if self.rows == 0:
            return Status.NO_DATA
        if len(self.violations) > uncounted:
            return Status.WITH_VIOLATIONS
        if self.having(State.FAILED):
            return Status.FAILED
        if not self.baseline or (self.findings and not self.having(State.KEPT) and not self.violations):
            return Status.NOT_ENOUGH_DATA
        return Status.COMPLETED


def judge(metrics: Iterable[Metric], constraints: Sequence[Constraint]) -> tuple[Finding, ...]:
    """Every enabled constraint's answer: a metric outside its bounds is broken, an undefined one undecided.

    >>> judge(
    ...     [Metric(name="completeness", subject="age", value=0.5, n=10)],
    ...     [Constraint(check="completeness_check", metric="completeness", subject="age", lower=0.9)],
    ... )[0].state
    <State.BROKEN: 'broken'>
    """
    measured = {(metric.name, metric.subject): metric for metric in metrics}
    return tuple(
        _judge_one(measured.get((constraint.metric, constraint.subject)), constraint)
        for constraint in constraints
        if constraint.enabled
    )


def tried(constraints: Sequence[Constraint], slices: Iterable[Sequence[Finding]]) -> tuple[Constraint, ...]:
    """The constraints with the false alarms that they would have raised, by the findings in slices of the reference."""
    decided, broken = Counter[str](), Counter[str]()
    for findings in slices:
        decided.update(one.constraint.key for one in findings if one.state in (State.KEPT, State.BROKEN))
        broken.update(one.constraint.key for one in findings if one.state is State.BROKEN)
    return tuple(one.model_copy(update={"slices": decided[one.key], "alarms": broken[one.key]}) for one in constraints)


def _judge_one(metric: Metric | None, constraint: Constraint) -> Finding:
    if metric is None:
        state, because = State.UNDECIDED, f"{constraint.metric} of {constraint.subject or 'the table'} was not measured"
    elif metric.n < constraint.minimum_rows:
        state, because = State.UNDECIDED, f"not enough data: {metric.n} rows, {constraint.minimum_rows} needed"
    elif metric.value is None:
        state, because = State.UNDECIDED, metric.because
    elif constraint.margin and metric.deviation is None:
        state, because = State.UNDECIDED, f"{metric.n} rows are too few to tell {constraint.metric} from chance"
    else:
        lower, upper = bounds(constraint, metric)
        if lower is not None and not metric.value >= lower:
            state, because = State.BROKEN, f"{metric.value} is below {constraint.lower}"
        elif upper is not None and not metric.value <= upper:
            state, because = State.BROKEN, f"{metric.value} is above {constraint.upper}"
        else:
            state, because = State.KEPT, ""
    return Finding(constraint=constraint, metric=metric, state=state, because=because)


def bounds(constraint: Constraint, metric: Metric) -> tuple[float | None, float | None]:
    """The constraint's lower and upper bound, as far as they give way to the chance of the metric's sample.

    >>> bounds(Constraint(check="a", metric="b", lower=0.9, margin=2), Metric(name="b", value=0.8, n=9, deviation=0.1))
    (0.7, None)

    Where the metric has an interval of its own, all of it has to leave the bounds:

    >>> seen = Metric(name="b", value=0.75, n=9, deviation=0.1, interval=(0.5, 1.25))
    >>> bounds(Constraint(check="a", metric="b", lower=0.875, upper=1.0, margin=3), seen)
    (0.375, 1.25)
    """
    below = above = constraint.margin * (metric.deviation or 0.0)
    if constraint.margin and metric.interval and metric.value is not None:
        below, above = metric.interval[1] - metric.value, metric.value - metric.interval[0]
    lower, upper = constraint.lower, constraint.upper
    return None if lower is None else lower - below, None if upper is None else upper + above
