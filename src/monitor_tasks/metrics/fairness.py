"""The table of all fairness metrics that are read off counts: name, stage, function, what it needs, and its chance."""

from collections.abc import Callable, Iterable, Mapping
from itertools import product
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from monitor_tasks.metrics import fairness_of_labels as labels
from monitor_tasks.metrics import fairness_of_predictions as predictions
from monitor_tasks.metrics.chance import REACH
from monitor_tasks.metrics.outcomes import Numbers, Outcomes, lacks, outcomes_of
from monitor_tasks.metrics.resampling import deviations

Stage = Literal["pre_training", "post_training", "further"]
HALF = 0.5
"""Rows by which every cell is larger where chance is told, so that what was not met may yet be (Agresti 2013)."""


class Chance(NamedTuple):
    """How far a metric would move on other samples of as many rows; None where that is not known."""

    deviation: float | None = None
    interval: tuple[float, float] | None = None
    """Three deviations to either side; of a ratio on the logarithm's scale."""


class Fairness(NamedTuple):
    """One metric's line: how files call it, what it looks at, and its function."""

    name: str
    description: str
    stage: Stage
    """When Clarify computes it; further ones are none of Clarify's."""
    function: Callable[[Outcomes, Outcomes], Numbers]
    reads: frozenset[str] = frozenset({"group"})
    """What has to be there: rows in and outside the group; positive labels; both classes; a class that both have."""
    per: tuple[str, ...] = ()
    """Of which rows either group's rate is a share: without any, Clarify's rate is 0, and strictly there is none."""
    by_subgroup: bool = False
    fair: float = 0.0
    """Its value where the two groups do not differ; 1 of a ratio."""

    def of(self, cells: ArrayLike) -> Numbers:
        """The metric of counts whose last axes are outside and in the group, label, prediction.

        An axis before them are the subgroups of a metric by subgroup; axes before all of these are resamples.
        """
        return self.function(*_sides(cells))

    def undefined(self, cells: ArrayLike, strict: bool = False) -> str:
        """Why the metric has no value on counts of this shape; empty where it has one.

        `strict` asks that no rate is one of no rows at all.
        """
        counts = np.asarray(cells, np.float64)
        a, d = _sides(counts.sum(axis=tuple(range(counts.ndim - 3))))
        stage = "pre_training" if self.stage == "pre_training" else "post_training"
        if reason := next((reason for need, reason in lacks(a, d) if need in (*self.reads, stage)), ""):
            return reason
        if not strict and self.stage != "further":
            return ""
        sides = (("in the group", d), ("outside the group", a))
        lacking = ((where, per) for (where, one), per in product(sides, self.per) if not getattr(one, per))
        return next((f"no row {where} has {_WORDS[per]}" for where, per in lacking), "")

    def symmetric(self, cells: ArrayLike) -> Numbers:
        """The metric on the scale on which chance is alike on both sides: of a ratio the logarithm, never infinite."""
        return np.log(self.of(np.asarray(cells) + HALF)) if self.fair else self.of(cells)


def chances(metrics: Iterable[Fairness], cells: ArrayLike) -> dict[str, Chance]:
    """How far metrics of the same counts would move on other samples of as many rows, by name.

    The rows are drawn again from the shares of the cells, each half a row larger where there are no subgroups.

    >>> found = chances([FAIRNESS["DI"]], [[[280, 120], [40, 60]], [[160, 40], [10, 40]]])["DI"]
    >>> [round(end, 2) for end in found.interval]
    [0.63, 1.26]
    """
    known, counts = tuple(metrics), np.asarray(cells, np.int64)
    if not known:
        return {}
    prior = 0.0 if counts.ndim > 3 else HALF  # with many subgroups halves would outweigh the rows

    def both(drawn: NDArray[np.int64]) -> Numbers:
        shaped = drawn.reshape(-1, *counts.shape)
        return np.stack([one for metric in known for one in (metric.of(shaped), metric.symmetric(shaped))], axis=1)

    spreads = deviations(counts.ravel(), both, prior=prior) or [None] * 2 * len(known)
    pairs = zip(known, spreads[::2], spreads[1::2], strict=True)
    return {metric.name: Chance(plain, _interval(metric, counts, spread)) for metric, plain, spread in pairs}


def _interval(metric: Fairness, counts: ArrayLike, spread: float | None) -> tuple[float, float] | None:
    if spread is None:
        return None
    middle, value = float(metric.symmetric(counts)), float(metric.of(counts))
    low, high = middle - REACH * spread, middle + REACH * spread
    if metric.fair:
        low, high = min(value, float(np.exp(low))), max(value, float(np.exp(high)))
    return (low, high) if np.isfinite([low, high]).all() else None


def _sides(cells: ArrayLike) -> tuple[Outcomes, Outcomes]:
    counts = np.asarray(cells, np.float64)
    return outcomes_of(counts[..., 0, :, :]), outcomes_of(counts[..., 1, :, :])


_WORDS: Mapping[str, str] = {
    "positives": "a positive label", "negatives": "a negative label", "predicted_positives": "a positive prediction",
    "predicted_negatives": "a negative prediction",
}  # fmt: skip
_GROUP = frozenset({"group"})
_LABELS = frozenset({"group", "labels"})
_SHARED = frozenset({"group", "labels", "shared label"})

FAIRNESS = {
    metric.name: metric
    for metric in (
        Fairness("AD", "Accuracy Difference (AD)", "post_training", predictions.accuracy_difference, _LABELS),
        Fairness(
            "CDDPL", "Conditional Demographic Disparity in Predicted Labels (CDDPL)", "post_training",
            predictions.conditional_demographic_disparity_in_predicted_labels,
            frozenset({"group", "both predictions"}), by_subgroup=True,
        ),
        Fairness(
            "DAR", "Difference in Acceptance Rates (DAR)", "post_training",
            predictions.difference_in_acceptance_rates, _LABELS, ("predicted_positives",),
        ),
        Fairness(
            "DCA", "Difference in Conditional Acceptance (DCA)", "post_training",
            predictions.difference_in_conditional_acceptance, _LABELS, ("predicted_positives",),
        ),
        Fairness(
            "DCR", "Difference in Conditional Rejection (DCR)", "post_training",
            predictions.difference_in_conditional_rejection, _LABELS, ("predicted_negatives",),
        ),
        Fairness("DI", "Disparate Impact (DI)", "post_training", predictions.disparate_impact, _GROUP, fair=1.0),
        Fairness(
            "DPPL", "Difference in Positive Proportions in Predicted Labels (DPPL)", "post_training",
            predictions.difference_in_positive_proportions_in_predicted_labels, _GROUP,
        ),
        Fairness(
            "DRR", "Difference in Rejection Rates (DRR)", "post_training",
            predictions.difference_in_rejection_rates, _LABELS, ("predicted_negatives",),
        ),
        Fairness(
            "GE", "Generalized Entropy (GE)", "post_training", predictions.generalized_entropy, frozenset({"labels"})
        ),
        Fairness(
            "RD", "Recall Difference (RD)", "post_training", predictions.recall_difference, _LABELS, ("positives",)
        ),
        Fairness(
            "SD", "Specificity Difference (SD)", "post_training", predictions.specificity_difference, _LABELS,
            ("negatives",),
        ),
        Fairness("TE", "Treatment Equality (TE)", "post_training", predictions.treatment_equality, _LABELS),
        Fairness(
            "CDDL", "Conditional Demographic Disparity in Labels (CDDL)", "pre_training",
            labels.conditional_demographic_disparity_in_labels, frozenset({"group", "labels", "both labels"}),
            by_subgroup=True,
        ),
        Fairness("CI", "Class Imbalance (CI)", "pre_training", labels.class_imbalance, _GROUP),
        Fairness(
            "DPL", "Difference in Positive Proportions in Labels (DPL)", "pre_training",
            labels.difference_in_positive_proportions_in_labels, _LABELS,
        ),
        Fairness("JS", "Jensen-Shannon Divergence (JS)", "pre_training", labels.jensen_shannon_divergence, _SHARED),
        Fairness(
            "KL", "Kullback-Liebler Divergence (KL)", "pre_training", labels.kullback_leibler_divergence, _SHARED
        ),
        Fairness(
            "KS", "Kolmogorov-Smirnov Distance (KS)", "pre_training", labels.kolmogorov_smirnov_distance, _SHARED
        ),
        Fairness("LP", "L-p Norm (LP)", "pre_training", labels.lp_norm, _SHARED),
        Fairness("TVD", "Total Variation Distance (TVD)", "pre_training", labels.total_variation_distance, _SHARED),
        Fairness(
            "statistical_parity_difference", "Statistical Parity Difference (-DPPL)", "further",
            predictions.statistical_parity_difference, _GROUP,
        ),
        Fairness(
            "equal_opportunity_difference", "Equal Opportunity Difference (-RD)", "further",
            predictions.equal_opportunity_difference, _LABELS, ("positives",),
        ),
        Fairness(
            "average_odds_difference", "Average Odds Difference", "further", predictions.average_odds_difference,
            _LABELS, ("positives", "negatives"),
        ),
    )
}  # fmt: skip
"""Every metric by its short name, in the order of Clarify's files: after training, then before, sorted by name."""
