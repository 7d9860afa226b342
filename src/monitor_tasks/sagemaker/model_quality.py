"""Model quality <-> SageMaker's statistics, constraints and violations (contract model-quality.md, sections 5 to 7)."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from math import nan
from typing import Any, Literal, NamedTuple

from pydantic import BaseModel, Field, ValidationError, model_validator

from monitor_tasks.baseline import Constraint
from monitor_tasks.report import Finding, State
from monitor_tasks.sagemaker.text import jackson, java_double
from monitor_tasks.sagemaker.words import unreadable

_LESS, _GREATER = "LessThanThreshold", "GreaterThanThreshold"
_CONSTANT = "_best_constant_classifier"
_ROWS_OF_A_DEVIATION = 200
_CAMEL_CASE = {
    "true_positive_rate": "truePositiveRate",
    "true_negative_rate": "trueNegativeRate",
    "false_positive_rate": "falsePositiveRate",
    "false_negative_rate": "falseNegativeRate",
}
"""Names that SageMaker spells in another way in its violations, and only there."""


_ORDER = (
    "auc", "precision", "true_positive_rate", "f1", "accuracy", "false_positive_rate", "true_negative_rate",
    "false_negative_rate", "recall", "f2",
)  # fmt: skip
"""In which order its violations stand; what it does not judge comes after."""


class _Kind(NamedTuple):
    """A problem type's word in the files, and the metrics that can have a constraint there."""

    word: str
    constrained: frozenset[str]


_WEIGHTED = ("weighted_recall", "weighted_precision", "weighted_f0_5", "weighted_f1", "weighted_f2")
_KINDS = {
    "BinaryClassification": _Kind(
        "binary_classification",
        frozenset({"recall", "precision", "accuracy", "auc", "f0_5", "f1", "f2", *_CAMEL_CASE}),
    ),
    "MulticlassClassification": _Kind("multiclass_classification", frozenset({"accuracy", *_WEIGHTED})),
    "Regression": _Kind("regression", frozenset({"mae", "mse", "rmse", "r2"})),
}


class _Bound(BaseModel):
    threshold: float = Field(allow_inf_nan=False)
    comparison_operator: Literal["LessThanThreshold", "GreaterThanThreshold"]


class _File(BaseModel):
    binary_classification_constraints: dict[str, _Bound] | None = None
    multiclass_classification_constraints: dict[str, _Bound] | None = None
    regression_constraints: dict[str, _Bound] | None = None

    @model_validator(mode="after")
    def _of_one_kind(self) -> "_File":
        names = ", ".join(type(self).model_fields)
        if len(self.model_fields_set) != 1:
            raise ValueError(f"one of {names} is required")
        return self

    @property
    def bounds(self) -> dict[str, _Bound]:
        return next((bounds for _, bounds in self if bounds), {})


def files(statistics: Mapping[str, Any], constraints: Sequence[Constraint]) -> dict[str, bytes]:
    """The files of a baseline or a window, by their names in SageMaker's folder."""
    kind = _KINDS[statistics["problem_type"]]
    return {"statistics.json": statistics_json(statistics), "constraints.json": _constraints_json(kind, constraints)}


def statistics_json(statistics: Mapping[str, Any]) -> bytes:
    """The text of statistics.json; an undefined number is the string NaN, as is a deviation below 200 rows."""
    rows, kind = statistics["item_count"], _KINDS[statistics["problem_type"]]
    named = ((name, metric) for name, metric in statistics.items() if isinstance(metric, Mapping))
    metrics = {name: _shown(name, metric, rows) for name, metric in named}
    return jackson({"version": 0.0, "dataset": {"item_count": rows}, f"{kind.word}_metrics": metrics})


def constraints_json(constraints: Sequence[Constraint]) -> bytes:
    """The text of constraints.json: the baseline's values; a disabled constraint is left out, for it has no switch.

    So are metrics that SageMaker does not know, and segments. The problem type is the one that knows most of them.
    """
    names = {one.metric for one in constraints}
    return _constraints_json(max(_KINDS.values(), key=lambda kind: len(kind.constrained & names)), constraints)


def threshold_of(constraint: Constraint) -> float:
    """The value that SageMaker shows for a constraint: the baseline's, where our bound lies beyond it, else the bound.

    >>> threshold_of(Constraint(check="LessThanThreshold", metric="recall", lower=0.7, expected=("0.8",)))
    0.8
    """
    if constraint.expected:
        return float(constraint.expected[0])
    bound = constraint.lower if constraint.check == _LESS else constraint.upper
    return nan if bound is None else bound


def read_constraints(text: bytes, address: str) -> tuple[Constraint, ...]:
    """The constraints that a constraints.json of any problem type asks for, in its order.

    Raises:
        UserError: the text at `address` is no such file.
    """
    try:
        return tuple(_constraints(_File.model_validate_json(text)))
    except ValidationError as error:
        raise unreadable(address, "constraints.json of model quality", error) from error


def violations_json(findings: Iterable[Finding]) -> bytes:
    """The text of constraint_violations.json: the broken ones among `findings`, in the order of the published runs."""
    broken = sorted((one for one in findings if one.state is State.BROKEN), key=_place)
    return jackson({"violations": [_violation(one) for one in broken]})


def _constraints_json(kind: _Kind, constraints: Sequence[Constraint]) -> bytes:
    bounds = {
        one.metric: {"threshold": threshold_of(one), "comparison_operator": one.check}
        for one in constraints
        if one.enabled and one.metric in kind.constrained and not one.subject
    }
    return jackson({"version": 0.0, f"{kind.word}_constraints": bounds})


def _constraints(file: _File) -> Iterator[Constraint]:
    for name, bound in file.bounds.items():
        side = {"lower" if bound.comparison_operator == _LESS else "upper": bound.threshold}
        yield Constraint(check=bound.comparison_operator, metric=name, **side)


def _shown(name: str, metric: Mapping[str, Any], rows: int) -> Mapping[str, Any]:
    """A metric as SageMaker shows it; what a constant class leaves undefined is 0 there, as a real run showed."""
    if "standard_deviation" not in metric:
        return metric
    undefined = 0.0 if name.endswith(_CONSTANT) and rows else nan
    value, deviation = metric["value"], metric["standard_deviation"]
    if deviation is None:
        deviation = undefined if value is None and rows >= _ROWS_OF_A_DEVIATION else nan
    return {"value": undefined if value is None else value, "standard_deviation": deviation}


def _place(finding: Finding) -> int:
    name = finding.constraint.metric
    return _ORDER.index(name) if name in _ORDER else len(_ORDER)


def _violation(finding: Finding) -> dict[str, str]:
    constraint, metric = finding.constraint, finding.metric
    name = _CAMEL_CASE.get(constraint.metric, constraint.metric)
    description = finding.because
    if metric is not None and metric.value is not None and constraint.check in (_LESS, _GREATER):
        deviation = nan if metric.deviation is None else metric.deviation
        description = (
            f"Metric {name} with {java_double(metric.value)} +/- {java_double(deviation)} "
            f"was {constraint.check} '{java_double(threshold_of(constraint))}'"
        )
    told = f"{name} of {constraint.subject}" if constraint.subject else name
    return {"constraint_check_type": constraint.check, "description": description, "metric_name": told}
