"""How differently two groups are labelled and predicted, from their counts (contract bias.md, section 2).

Every metric takes the outcomes outside the group (Clarify's facet a), then those of the group (facet d), and works on
numbers and on arrays of resamples alike. Source of all formulas: the contract, after Amazon SageMaker Clarify.
"""

from collections.abc import Callable, Iterator
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from monitor_tasks.metrics.outcomes import Numbers, Outcomes, difference, lacks, outcomes_of, ratio


def class_imbalance(a: Outcomes, d: Outcomes) -> Numbers:
    """Class Imbalance (CI): by how much the group is smaller than the rest, as a share of all rows.

    >>> float(class_imbalance(Outcomes.of(3, 1, 2, 4), Outcomes.of(1, 1, 2, 6)))
    0.0
    """
    return ratio(a.rows - d.rows, a.rows + d.rows)


def difference_in_positive_proportions_in_labels(a: Outcomes, d: Outcomes) -> Numbers:
    """Difference in Positive Proportions in Labels (DPL).

    >>> float(difference_in_positive_proportions_in_labels(Outcomes.of(3, 1, 2, 4), Outcomes.of(1, 1, 1, 5)))
    0.25
    """
    return difference(ratio(a.positives, a.rows), ratio(d.positives, d.rows))


def kullback_leibler_divergence(a: Outcomes, d: Outcomes) -> Numbers:
    """Kullback-Leibler Divergence (KL) of the labels, in natural logarithms, on the classes that both groups have.

    >>> round(float(kullback_leibler_divergence(Outcomes.of(5, 0, 0, 5), Outcomes.of(1, 0, 0, 3))), 6)
    0.143841
    """
    return _summed(of_a * _log(of_a, of_d) for of_a, of_d in _shares(a, d))


def jensen_shannon_divergence(a: Outcomes, d: Outcomes) -> Numbers:
    """Jensen-Shannon Divergence (JS) of the labels, in natural logarithms, on the classes that both groups have.

    >>> round(float(jensen_shannon_divergence(Outcomes.of(5, 0, 0, 5), Outcomes.of(1, 0, 0, 3))), 6)
    0.033822
    """
    middle = [(of_a, of_d, (of_a + of_d) / 2) for of_a, of_d in _shares(a, d)]
    return _summed((of_a * _log(of_a, of_p) + of_d * _log(of_d, of_p)) / 2 for of_a, of_d, of_p in middle)


def lp_norm(a: Outcomes, d: Outcomes) -> Numbers:
    """L-p Norm (LP): Euclidean distance of the label shares.

    >>> round(float(lp_norm(Outcomes.of(5, 0, 0, 5), Outcomes.of(1, 0, 0, 3))), 6)
    0.353553
    """
    return np.sqrt(_summed((of_a - of_d) ** 2 for of_a, of_d in _shares(a, d)))


def total_variation_distance(a: Outcomes, d: Outcomes) -> Numbers:
    """Total Variation Distance (TVD): half the sum of the differences of the label shares.

    >>> float(total_variation_distance(Outcomes.of(5, 0, 0, 5), Outcomes.of(1, 0, 0, 3)))
    0.25
    """
    return _summed(abs(of_a - of_d) for of_a, of_d in _shares(a, d)) / 2


def kolmogorov_smirnov_distance(a: Outcomes, d: Outcomes) -> Numbers:
    """Kolmogorov-Smirnov Distance (KS): the largest difference of the label shares.

    >>> float(kolmogorov_smirnov_distance(Outcomes.of(5, 0, 0, 5), Outcomes.of(1, 0, 0, 3)))
    0.25
    """
    return np.asarray(np.max([abs(of_a - of_d) for of_a, of_d in _shares(a, d)], axis=0), np.float64)


def conditional_demographic_disparity_in_labels(a: Outcomes, d: Outcomes) -> Numbers:
    """Conditional Demographic Disparity in Labels (CDDL): the last axis are the subgroups.

    The group's share of the rejected less its share of the accepted, averaged over the subgroups by their rows.

    >>> a, d = Outcomes.of([4, 1], 0, 0, [2, 4]), Outcomes.of([1, 1], 0, 0, [2, 4])
    >>> round(float(conditional_demographic_disparity_in_labels(a, d)), 6)
    0.142105
    """
    return _disparity((a.positives, a.negatives), (d.positives, d.negatives))


def accuracy_difference(a: Outcomes, d: Outcomes) -> Numbers:
    """Accuracy Difference (AD).

    >>> round(float(accuracy_difference(Outcomes.of(3, 1, 2, 4), Outcomes.of(1, 1, 1, 5))), 6)
    -0.05
    """
    return difference(_accuracy(a), _accuracy(d))


def conditional_demographic_disparity_in_predicted_labels(a: Outcomes, d: Outcomes) -> Numbers:
    """Conditional Demographic Disparity in Predicted Labels (CDDPL): the last axis are the subgroups.

    >>> a, d = Outcomes.of([4, 1], 0, 0, [2, 4]), Outcomes.of([1, 1], 0, 0, [2, 4])
    >>> round(float(conditional_demographic_disparity_in_predicted_labels(a, d)), 6)
    0.142105
    """
    return _disparity((a.predicted_positives, a.predicted_negatives), (d.predicted_positives, d.predicted_negatives))


def difference_in_acceptance_rates(a: Outcomes, d: Outcomes) -> Numbers:
    """Difference in Acceptance Rates (DAR): of the precisions.

    >>> float(difference_in_acceptance_rates(Outcomes.of(3, 1, 2, 4), Outcomes.of(1, 1, 1, 5)))
    0.25
    """
    return difference(
        ratio(a.true_positives, a.predicted_positives), ratio(d.true_positives, d.predicted_positives)
    )  # fmt: skip


def difference_in_conditional_acceptance(a: Outcomes, d: Outcomes) -> Numbers:
    """Difference in Conditional Acceptance (DCA): of the positive labels per positive prediction.

    >>> float(difference_in_conditional_acceptance(Outcomes.of(3, 1, 2, 4), Outcomes.of(1, 1, 1, 5)))
    0.25
    """
    return difference(ratio(a.positives, a.predicted_positives), ratio(d.positives, d.predicted_positives))


def difference_in_conditional_rejection(a: Outcomes, d: Outcomes) -> Numbers:
    """Difference in Conditional Rejection (DCR): of the negative labels per negative prediction.

    >>> round(float(difference_in_conditional_rejection(Outcomes.of(3, 1, 2, 4), Outcomes.of(1, 1, 1, 5))), 6)
    0.166667
    """
    return difference(ratio(d.negatives, d.predicted_negatives), ratio(a.negatives, a.predicted_negatives))


def disparate_impact(a: Outcomes, d: Outcomes) -> Numbers:
    """Disparate Impact (DI): the group's positive predictions per row over those of the rest; fair is 1.

    >>> float(disparate_impact(Outcomes.of(3, 1, 2, 4), Outcomes.of(1, 1, 1, 5)))
    0.625
    """
    return ratio(ratio(d.predicted_positives, d.rows), ratio(a.predicted_positives, a.rows))


def difference_in_positive_proportions_in_predicted_labels(a: Outcomes, d: Outcomes) -> Numbers:
    """Difference in Positive Proportions in Predicted Labels (DPPL); others call it demographic parity difference.

    >>> round(
    ...     float(
    ...         difference_in_positive_proportions_in_predicted_labels(Outcomes.of(3, 1, 2, 4), Outcomes.of(1, 1, 1, 5))
    ...     ),
    ...     6,
    ... )
    0.15
    """
    return difference(ratio(a.predicted_positives, a.rows), ratio(d.predicted_positives, d.rows))


def difference_in_rejection_rates(a: Outcomes, d: Outcomes) -> Numbers:
    """Difference in Rejection Rates (DRR): of the true negatives per negative prediction.

    >>> round(float(difference_in_rejection_rates(Outcomes.of(3, 1, 2, 4), Outcomes.of(1, 1, 1, 5))), 6)
    0.166667
    """
    return difference(
        ratio(d.true_negatives, d.predicted_negatives), ratio(a.true_negatives, a.predicted_negatives)
    )  # fmt: skip


def generalized_entropy(a: Outcomes, d: Outcomes) -> Numbers:
    """Generalized Entropy (GE) with alpha 2 of the benefits (2 false positive, 1 right, 0 false negative) of all rows.

    >>> round(float(generalized_entropy(Outcomes.of(3, 1, 2, 4), Outcomes.of(1, 1, 1, 5))), 6)
    0.153979
    """
    rows, wrongly = a.rows + d.rows, a.false_positives + d.false_positives
    benefits = rows + wrongly - a.false_negatives - d.false_negatives
    squares = benefits + 2 * wrongly
    return (ratio(squares * rows, benefits**2) - 1) / 2


def recall_difference(a: Outcomes, d: Outcomes) -> Numbers:
    """Recall Difference (RD); others call it equal opportunity difference.

    >>> round(float(recall_difference(Outcomes.of(3, 1, 2, 4), Outcomes.of(1, 1, 1, 5))), 6)
    0.1
    """
    return difference(ratio(a.true_positives, a.positives), ratio(d.true_positives, d.positives))


def specificity_difference(a: Outcomes, d: Outcomes) -> Numbers:
    """Specificity Difference (SD).

    >>> round(float(specificity_difference(Outcomes.of(3, 1, 2, 4), Outcomes.of(1, 1, 1, 5))), 6)
    0.033333
    """
    return difference(ratio(d.true_negatives, d.negatives), ratio(a.true_negatives, a.negatives))


def treatment_equality(a: Outcomes, d: Outcomes) -> Numbers:
    """Treatment Equality (TE): of the false negatives per false positive.

    >>> float(treatment_equality(Outcomes.of(3, 1, 2, 4), Outcomes.of(1, 1, 1, 5)))
    -1.0
    """
    return difference(ratio(d.false_negatives, d.false_positives), ratio(a.false_negatives, a.false_positives))


def _accuracy(group: Outcomes) -> Numbers:
    return ratio(group.true_positives + group.true_negatives, group.rows)


def _shares(a: Outcomes, d: Outcomes) -> Iterator[tuple[Numbers, Numbers]]:
    """The shares of both label classes in either group; 0 in both where one of them lacks the class."""
    for of_a, of_d in ((a.negatives, d.negatives), (a.positives, d.positives)):
        both = (of_a > 0) & (of_d > 0)
        yield np.where(both, ratio(of_a, a.rows), 0.0), np.where(both, ratio(of_d, d.rows), 0.0)


def _log(share: Numbers, other: Numbers) -> Numbers:
    """The logarithm of the ratio of two shares, 0 where they are 0."""
    return np.log(np.where(share > 0, ratio(share, other), 1.0))


def _summed(terms: Iterator[Numbers]) -> Numbers:
    return np.asarray(np.sum(list(terms), axis=0), np.float64)


def _disparity(a: tuple[Numbers, Numbers], d: tuple[Numbers, Numbers]) -> Numbers:
    """Share of the rejected less share of the accepted who are in the group, averaged by the subgroups' rows."""
    (a_accepted, a_rejected), (d_accepted, d_rejected) = a, d
    accepted, rejected = a_accepted + d_accepted, a_rejected + d_rejected
    rows = accepted + rejected
    differences = ratio(d_rejected, rejected) - ratio(d_accepted, accepted)
    return ratio(np.sum(rows * differences, axis=-1), np.sum(rows, axis=-1))


class Fairness(NamedTuple):
    """One metric's line: how files call it, what it looks at, and its function."""

    name: str
    description: str
    stage: Literal["pre_training", "post_training"]
    function: Callable[[Outcomes, Outcomes], Numbers]
    reads: frozenset[str] = frozenset({"group"})
    """What has to be there: rows in and outside the group; positive labels; both classes; a class that both have."""
    by_subgroup: bool = False

    def of(self, cells: ArrayLike) -> Numbers:
        """The metric of counts whose last axes are outside and in the group, label, prediction.

        An axis before them are the subgroups of a metric by subgroup; axes before all of these are resamples.
        """
        counts = np.asarray(cells, np.float64)
        a, d = (outcomes_of(counts[..., place, :, :]) for place in (0, 1))
        return self.function(a, d)

    def undefined(self, cells: ArrayLike) -> str:
        """Why the metric has no value on counts of this shape; empty where it has one."""
        counts = np.asarray(cells, np.float64)
        total = counts.sum(axis=tuple(range(counts.ndim - 3)))
        a, d = (outcomes_of(total[place]) for place in (0, 1))
        return next((reason for need, reason in lacks(a, d) if need in (*self.reads, self.stage)), "")


_GROUP = frozenset({"group"})
_LABELS = frozenset({"group", "labels"})
_SHARED = frozenset({"group", "labels", "shared label"})

FAIRNESS = {
    metric.name: metric
    for metric in (
        Fairness(
            "AD", "Accuracy Difference (AD)", "post_training", accuracy_difference, _LABELS
        ),
        Fairness(
            "CDDPL", "Conditional Demographic Disparity in Predicted Labels (CDDPL)", "post_training",
            conditional_demographic_disparity_in_predicted_labels, frozenset({"group", "both predictions"}), True,
        ),
        Fairness(
            "DAR", "Difference in Acceptance Rates (DAR)", "post_training", difference_in_acceptance_rates, _LABELS
        ),
        Fairness(
            "DCA", "Difference in Conditional Acceptance (DCA)", "post_training",
            difference_in_conditional_acceptance, _LABELS,
        ),
        Fairness(
            "DCR", "Difference in Conditional Rejection (DCR)", "post_training",
            difference_in_conditional_rejection, _LABELS,
        ),
        Fairness("DI", "Disparate Impact (DI)", "post_training", disparate_impact, _GROUP),
        Fairness(
            "DPPL", "Difference in Positive Proportions in Predicted Labels (DPPL)", "post_training",
            difference_in_positive_proportions_in_predicted_labels, _GROUP,
        ),
        Fairness(
            "DRR", "Difference in Rejection Rates (DRR)", "post_training", difference_in_rejection_rates, _LABELS
        ),
        Fairness("GE", "Generalized Entropy (GE)", "post_training", generalized_entropy, frozenset({"labels"})),
        Fairness("RD", "Recall Difference (RD)", "post_training", recall_difference, _LABELS),
        Fairness("SD", "Specificity Difference (SD)", "post_training", specificity_difference, _LABELS),
        Fairness("TE", "Treatment Equality (TE)", "post_training", treatment_equality, _LABELS),
        Fairness(
            "CDDL", "Conditional Demographic Disparity in Labels (CDDL)", "pre_training",
            conditional_demographic_disparity_in_labels, frozenset({"group", "labels", "both labels"}), True,
        ),
        Fairness("CI", "Class Imbalance (CI)", "pre_training", class_imbalance, _GROUP),
        Fairness(
            "DPL", "Difference in Positive Proportions in Labels (DPL)", "pre_training",
            difference_in_positive_proportions_in_labels, _LABELS,
        ),
        Fairness("JS", "Jensen-Shannon Divergence (JS)", "pre_training", jensen_shannon_divergence, _SHARED),
        Fairness("KL", "Kullback-Liebler Divergence (KL)", "pre_training", kullback_leibler_divergence, _SHARED),
        Fairness("KS", "Kolmogorov-Smirnov Distance (KS)", "pre_training", kolmogorov_smirnov_distance, _SHARED),
        Fairness("LP", "L-p Norm (LP)", "pre_training", lp_norm, _SHARED),
        Fairness("TVD", "Total Variation Distance (TVD)", "pre_training", total_variation_distance, _SHARED),
    )
}  # fmt: skip
"""Every metric by its short name, in the order of Clarify's files: after training, then before, sorted by name."""
