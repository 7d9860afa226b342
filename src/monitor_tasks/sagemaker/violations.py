"""Broken findings <-> SageMaker's constraint_violations.json (contract data-quality.md, section 3)."""

from collections.abc import Iterable
from typing import Self

from pydantic import ConfigDict, ValidationError, model_validator

from monitor_tasks.report import Finding, State
from monitor_tasks.sagemaker.text import jackson, java_double
from monitor_tasks.sagemaker.words import unreadable
from monitor_tasks.value import Value

_COLUMN_COUNTS = {"missing_column_check": "missing", "extra_column_check": "extra"}
_SHARES = ("completeness_check", "categorical_values_check")


class Violation(Value):
    """One entry of constraint_violations.json; data quality names a feature."""

    model_config = ConfigDict(extra="ignore")

    feature_name: str
    constraint_check_type: str
    description: str


class Told(Value):
    """One entry of anybody's constraint_violations.json: of any monitor, and of any container's age."""

    model_config = ConfigDict(extra="ignore")

    constraint_check_type: str
    description: str
    feature_name: str = ""
    facet: str = ""
    facet_value: str = ""
    label: str = ""
    metric_name: str = ""

    @model_validator(mode="after")
    def _names_something(self) -> Self:
        if not (self.feature_name or self.metric_name):
            raise ValueError("names neither a feature nor a metric")
        return self

    @property
    def what(self) -> str:
        """What is violated: the check, and what it judges.

        >>> Told(
        ...     constraint_check_type="bias_drift_check",
        ...     description="",
        ...     facet="Sex",
        ...     facet_value="0",
        ...     metric_name="DPL",
        ... ).what
        'bias_drift_check Sex=0 DPL'
        """
        group = f"{self.facet}={self.facet_value}" if self.facet else ""
        named = (self.constraint_check_type, self.feature_name, group, self.label, self.metric_name)
        return " ".join(one for one in named if one)


class _File(Value):
    model_config = ConfigDict(extra="ignore")

    violations: tuple[Told, ...]


def violations_json(findings: Iterable[Finding]) -> bytes:
    """The text of constraint_violations.json: the broken ones among `findings`, in their order.

    Of a column that fails its type check the drift is not told, as in the published runs of 2021 and 2022.
    """
    broken = [finding for finding in findings if finding.state is State.BROKEN]
    other = {finding.constraint.subject for finding in broken if finding.constraint.check == "data_type_check"}
    told = [
        one for one in broken if one.constraint.check != "baseline_drift_check" or one.constraint.subject not in other
    ]
    return jackson({"violations": [violation_of(finding).model_dump() for finding in told]})


def read_violations(text: bytes, address: str) -> tuple[Told, ...]:
    """The violations that a constraint_violations.json of any monitor names.

    Raises:
        UserError: the text at `address` is no such file.
    """
    try:
        return _File.from_json(text).violations
    except ValidationError as error:
        raise unreadable(address, "constraint_violations.json", error) from error


def violation_of(finding: Finding) -> Violation:
    """A broken finding in SageMaker's words of 2020 to 2022; a check that SageMaker lacks keeps its own reason."""
    check = finding.constraint.check
    kind = _COLUMN_COUNTS.get(check)
    feature = finding.constraint.subject if kind is None else f"{kind.capitalize()} columns"
    return Violation(feature_name=feature, constraint_check_type=check, description=_description(finding))


def _description(finding: Finding) -> str:
    constraint, metric = finding.constraint, finding.metric
    if metric is None or metric.value is None:
        return finding.because
    value, lower, upper = metric.value, constraint.lower or 0.0, constraint.upper or 0.0
    if constraint.check == "data_type_check":
        return _type_match(constraint.expected[0], lower, value)
    if constraint.check == "baseline_drift_check":
        return f"Baseline drift distance: {java_double(value)} exceeds threshold: {java_double(upper)}"
    if constraint.check in _SHARES:
        return f"Value: {java_double(value)} does not meet the constraint requirement! "
    if kind := _COLUMN_COUNTS.get(constraint.check):
        return _column_count(kind, int(value), int(lower or upper))
    return finding.because


def _type_match(expected: str, threshold: float, share: float) -> str:
    required, observed = java_double(threshold * 100), java_double(share * 100)
    return (
        f"Data type match requirement is not met. Expected data type: {expected}, "
        f"Expected match: {required}%. Observed: Only {observed}% of data is {expected}."
    )


def _column_count(kind: str, current: int, baseline: int) -> str:
    return (
        f"There are {kind} columns in current dataset. Number of columns in current dataset: {current}, "
        f"Number of columns in baseline constraints: {baseline}"
    )
