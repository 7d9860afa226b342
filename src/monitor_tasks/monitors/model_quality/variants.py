"""Champion and challenger: what the differences of two models prove, and how many more labels it would take."""

from collections.abc import Mapping
from typing import Any, NamedTuple

from monitor_tasks.baseline import Metric
from monitor_tasks.exhibit import Decision, ModelComparison, ModelDifference
from monitor_tasks.metrics.comparison import LEVEL, Difference, holm, labels_needed
from monitor_tasks.monitors.model_quality.differences import SideBySide
from monitor_tasks.monitors.model_quality.sides import Sides
from monitor_tasks.monitors.settings import ProblemType
from monitor_tasks.profiles.pairs import VariantProfile
from monitor_tasks.value import UserError

DECIDING: Mapping[ProblemType, str] = {
    "BinaryClassification": "accuracy",
    "MulticlassClassification": "accuracy",
    "Regression": "mae",
}
"""The metric that decides, unless another is named."""
SAME_AS = {
    "true_positive_rate": "recall",
    "false_negative_rate": "recall",
    "false_positive_rate": "true_negative_rate",
    "weighted_recall": "accuracy",
}
"""Metrics that are others by another name, or 1 less them: both are one test."""
UNTOLD: Decision = "cannot tell yet"


def compare(
    sides: Sides, profile: VariantProfile, names: tuple[str, str], metric: str | None = None
) -> ModelComparison:
    """Every metric of both models, the differences, and what these prove; `metric` decides.

    Raises:
        UserError: the problem type has no such metric.
    """
    deciding = metric or DECIDING[sides.problem_type]
    if deciding not in sides.worse:
        raise UserError(
            f"compare.metric: {sides.problem_type} has no {deciding!r}; name one of {', '.join(sides.worse)}"
        )
    both = SideBySide.of(sides, profile)
    found = {name: both.difference(name) for name in sides.worse}
    tests = _Tests.of(found, deciding)
    return ModelComparison(
        champion=names[0],
        challenger=names[1],
        paired=both.pairs is not None,
        rows=both.rows,
        metric=deciding,
        differences=tuple(
            ModelDifference(
                metric=name,
                champion=both.measured[0][name].value,
                challenger=both.measured[1][name].value,
                **tests.told(name, one, both.labels, more_is_better=sides.worse[name] == "smaller"),
            )
            for name, one in found.items()
        ),
    )


def metrics_of(comparison: ModelComparison) -> list[Metric]:
    """The differences as metrics such as ``accuracy_difference``, which a constraint may judge."""
    names = {"champion": comparison.champion, "challenger": comparison.challenger}
    return [
        Metric(
            name=f"{one.metric}_difference", value=one.difference, n=min(comparison.rows), because=one.because,
            deviation=one.deviation, details=names,
        )
        for one in comparison.differences
    ]  # fmt: skip


class _Tests(NamedTuple):
    """The p-values of all tests: the deciding one's stands alone, the others' are adjusted for being several."""

    deciding: str
    adjusted: Mapping[str, float]

    @classmethod
    def of(cls, found: Mapping[str, Difference], deciding: str) -> "_Tests":
        first = SAME_AS.get(deciding, deciding)
        known = {SAME_AS.get(name, name): one.p_value for name, one in found.items()}
        return cls(first, holm({name: p for name, p in known.items() if p is not None and name != first}))

    def told(self, name: str, found: Difference, labels: int, *, more_is_better: bool) -> dict[str, Any]:
        """What a difference of one metric over so many labels proves."""
        test = SAME_AS.get(name, name)
        alone, adjusted = test == self.deciding, self.adjusted.get(test)
        known = {
            "difference": found.value, "lower": found.lower, "upper": found.upper, "deviation": found.deviation,
            "p_value": found.p_value, "p_adjusted": adjusted, "because": found.because,
            "more_is_better": more_is_better,
        }  # fmt: skip
        verdict = _verdict(found, found.p_value if alone else adjusted, more_is_better)
        needed = labels_needed(found, labels, 1 if alone else max(1, len(self.adjusted)))
        more = max(1, needed - labels) if needed and verdict["verdict"] == UNTOLD else None
        return known | verdict | {"more_labels": more}


def _verdict(found: Difference, p_value: float | None, more_is_better: bool) -> dict[str, Any]:
    if p_value is None or found.value is None:
        return {"verdict": UNTOLD}
    if p_value < LEVEL:
        return {"verdict": "better" if (found.value > 0) == more_is_better else "worse"}
    holds_0 = found.lower is None or found.upper is None or found.lower <= 0 <= found.upper
    return {
        "verdict": UNTOLD,
        "because": "chance may explain it" if holds_0 else "chance may explain one of so many metrics",
    }
