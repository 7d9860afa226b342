"""Estimates without labels: what the metrics are expected to be, in which band, and what they turned out to be."""

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any, NamedTuple

from monitor_tasks.baseline import Constraint, Metric
from monitor_tasks.metrics import estimation, losses
from monitor_tasks.metrics.measured import Measured
from monitor_tasks.monitors.model_quality.problem import View
from monitor_tasks.monitors.settings import ModelQualitySettings, ProblemType
from monitor_tasks.profiles.residuals import RegressionProfile
from monitor_tasks.profiles.scores import ScoreProfile
from monitor_tasks.report import ESTIMATED, Estimate, Realised
from monitor_tasks.value import UserError

BAND = 1.96
"""Deviations to either side: of a normal distribution they hold 95 %."""
Found = Mapping[str, Measured]


class Estimator(NamedTuple):
    """How the metrics of one problem type are estimated; profiles are of its own kind."""

    names: Collection[str]
    """The metrics that can be estimated."""
    of_all: Callable[[Any, Any, Collection[str]], Found]
    """Of all predictions of a profile, by what the baseline's teaches."""
    of_labelled: Callable[[Any, Any, Collection[str]], Found]
    """Of the labelled predictions alone, their labels left aside."""
    largest: float | None = None
    """No band reaches farther."""


def _binary(profile: ScoreProfile, known: ScoreProfile, names: Collection[str]) -> Found:
    return estimation.estimated(estimation.all_predictions(profile), known.known, names)


def _binary_labelled(profile: ScoreProfile, known: ScoreProfile, names: Collection[str]) -> Found:
    return estimation.estimated(estimation.labelled_predictions(profile), known.known, names)


def _regression(profile: RegressionProfile, known: RegressionProfile, names: Collection[str]) -> Found:
    return losses.estimated_losses(profile.losses, known.losses, names)


def _regression_labelled(profile: RegressionProfile, known: RegressionProfile, names: Collection[str]) -> Found:
    return losses.estimated_losses(profile.losses, known.losses, names, labelled=True)


ESTIMATORS: Mapping[ProblemType, Estimator] = {
    "BinaryClassification": Estimator(tuple(estimation.ESTIMATED), _binary, _binary_labelled, 1.0),
    "Regression": Estimator(tuple(losses.ESTIMATED), _regression, _regression_labelled),
}
CAN_BE_NEGATIVE = "matthews_correlation"
"""The one metric of these that can be below 0."""


def estimates(view: View, realised: Found, judged: int) -> tuple[Estimate, ...]:
    """What every metric is expected to be; beside it what it was, once `judged` rows with labels are enough."""
    estimator = ESTIMATORS[view.settings.problem_type]
    found = estimator.of_all(view.profile, view.known, estimator.names)
    mine: Found = {}
    if judged >= view.settings.minimum_rows:
        mine = estimator.of_labelled(view.profile, view.known, estimator.names)
    return tuple(
        Estimate(
            name=f"{ESTIMATED}{name}", value=one.value, rows=one.rows or 0, because=one.because,
            realised=_realised(name, realised[name], mine[name], estimator.largest) if mine else None,
            **_band(name, one, estimator.largest),
        )
        for name, one in found.items()
    )  # fmt: skip


def metrics(view: View, constraints: Sequence[Constraint]) -> list[Metric]:
    """The estimates that constraints judge, as metrics of all predictions."""
    estimator = ESTIMATORS[view.settings.problem_type]
    wanted = [one.metric.removeprefix(ESTIMATED) for one in constraints if one.metric.startswith(ESTIMATED)]
    found = estimator.of_all(view.profile, view.known, wanted) if wanted else {}
    return [
        Metric(
            name=f"{ESTIMATED}{name}", value=one.value, n=one.rows or 0, because=one.because, deviation=one.deviation,
            details={"estimate": "told without labels; true only if there is no concept drift"},
        )
        for name, one in found.items()
    ]  # fmt: skip


def judged(settings: ModelQualitySettings) -> tuple[str, ...]:
    """The metrics whose estimates are judged.

    Raises:
        UserError: the settings name one that cannot be estimated, or ask for no estimates.
    """
    names, known = settings.judged_estimates, ESTIMATORS[settings.problem_type].names
    if names and not settings.estimate:
        raise UserError("model_quality.judged_estimates: there are no estimates to judge; set estimate: true beside it")
    if strange := ", ".join(name for name in names if name not in known):
        raise UserError(
            f"model_quality.judged_estimates: {strange} of {settings.problem_type} is not estimated; "
            f"take it out, or name some of {', '.join(known)}"
        )
    return names


def constraint(name: str, like: Constraint, margin: float) -> Constraint:
    """The constraint on an estimate: the bound of the metric itself, which gives way to the estimate's own error."""
    return like.model_copy(
        update={
            "check": f"{ESTIMATED}{name}_check", "metric": f"{ESTIMATED}{name}", "margin": margin, "expected": (),
            "reason": f"{like.reason}; judged by an estimate, which waits for no label",
        }
    )  # fmt: skip


def _band(name: str, one: Measured, largest: float | None) -> dict[str, float]:
    if one.value is None or one.deviation is None:
        return {}
    smallest = -1.0 if name == CAN_BE_NEGATIVE else 0.0
    lower, upper = max(one.value - BAND * one.deviation, smallest), one.value + BAND * one.deviation
    return {"lower": lower, "upper": upper if largest is None else min(upper, largest)}


def _realised(name: str, found: Measured, expected: Measured, largest: float | None) -> Realised | None:
    band = _band(name, expected, largest)
    if found.value is None or expected.value is None or not band:
        return None
    return Realised(value=found.value, rows=expected.rows or 0, expected=expected.value, **band)
