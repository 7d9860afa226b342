"""Estimates without labels: what the metrics are expected to be, in which band, and what they turned out to be."""

from collections.abc import Callable, Collection, Mapping, Sequence
from math import inf
from typing import NamedTuple

from monitor_tasks.baseline import Constraint, Metric
from monitor_tasks.metrics import class_estimation, estimation, losses
from monitor_tasks.metrics.classes import OF_CONFUSION
from monitor_tasks.metrics.measured import Measured
from monitor_tasks.monitors.model_quality.problem import View
from monitor_tasks.monitors.settings import ModelQualitySettings, ProblemType
from monitor_tasks.report import ESTIMATED, Estimate, Realised
from monitor_tasks.value import UserError

BAND = 1.96
"""Deviations to either side: of a normal distribution they hold 95 %."""
Found = Mapping[str, Measured]


class Estimator(NamedTuple):
    """How the metrics of one problem type are estimated."""

    names: Collection[str]
    """The metrics that can be estimated."""
    estimated: Callable[[View, Collection[str], bool], Found]
    """The named ones, of all predictions or of the labelled ones alone, by what the baseline teaches."""
    untold: Mapping[str, str] = {}
    """Metrics that predictions do not tell, and why."""


def _two_classes(view: View, names: Collection[str], labelled: bool) -> Found:
    told = estimation.labelled_predictions if labelled else estimation.all_predictions
    return estimation.estimated(told(view.profile), view.known.known, names)


def _classes(view: View, names: Collection[str], labelled: bool) -> Found:
    return class_estimation.estimated_classes(view.profile, view.known, names, labelled=labelled)


def _losses(view: View, names: Collection[str], labelled: bool) -> Found:
    return losses.estimated_losses(view.profile.losses, view.known.losses, names, labelled=labelled)


COARSE = "the probabilities of several classes are known by 64 steps only, too few for a loss"
SPREAD = "how far labels lie from their mean is not known before they come, and the baseline's need not lie as far"
ESTIMATORS: Mapping[ProblemType, Estimator] = {
    "BinaryClassification": Estimator(estimation.OF_SCORES, _two_classes),
    "MulticlassClassification": Estimator(
        tuple(OF_CONFUSION), _classes, dict.fromkeys(("log_loss", "brier_score"), COARSE)
    ),
    "Regression": Estimator(tuple(losses.ESTIMATED), _losses, {"r2": SPREAD}),
}
RANGES = {
    "matthews_correlation": (-1.0, 1.0),
    **dict.fromkeys(("log_loss", *losses.ESTIMATED), (0.0, inf)),
}
"""How far a metric reaches where that is not from 0 to 1: no band reaches farther."""


def estimates(view: View, realised: Found, judged: int) -> tuple[Estimate, ...]:
    """What every metric is expected to be; beside it what it was, once `judged` rows with labels are enough."""
    estimator = ESTIMATORS[view.settings.problem_type]
    found = estimator.estimated(view, estimator.names, False)
    mine: Found = {}
    if judged >= view.settings.minimum_rows:
        mine = estimator.estimated(view, estimator.names, True)
    told = tuple(
        Estimate(
            name=f"{ESTIMATED}{name}", value=one.value, rows=one.rows or 0, because=one.because,
            realised=_realised(name, realised[name], mine[name]) if mine else None, **_band(name, one),
        )
        for name, one in found.items()
    )  # fmt: skip
    rows = max((one.rows for one in told), default=0)
    untold = estimator.untold.items()
    return *told, *(Estimate(name=f"{ESTIMATED}{name}", value=None, rows=rows, because=why) for name, why in untold)


def metrics(view: View, constraints: Sequence[Constraint]) -> list[Metric]:
    """The estimates that constraints judge, as metrics of all predictions."""
    estimator = ESTIMATORS[view.settings.problem_type]
    wanted = [one.metric.removeprefix(ESTIMATED) for one in constraints if one.metric.startswith(ESTIMATED)]
    found = estimator.estimated(view, wanted, False) if wanted else {}
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
            "check": "estimate_check", "metric": f"{ESTIMATED}{name}", "margin": margin, "expected": (),
            "reason": f"{like.reason}; judged by an estimate, which waits for no label",
        }
    )  # fmt: skip


def _band(name: str, one: Measured) -> dict[str, float]:
    if one.value is None or one.deviation is None:
        return {}
    (smallest, largest), reach = RANGES.get(name, (0.0, 1.0)), BAND * one.deviation
    return {"lower": max(one.value - reach, smallest), "upper": min(one.value + reach, largest)}


def _realised(name: str, found: Measured, expected: Measured) -> Realised | None:
    band = _band(name, expected)
    if found.value is None or expected.value is None or not band:
        return None
    return Realised(value=found.value, rows=expected.rows or 0, expected=expected.value, **band)
