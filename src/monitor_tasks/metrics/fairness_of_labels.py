"""How differently two groups are labelled, from their counts (contract bias.md, section 2).

Every metric takes the outcomes outside the group (Clarify's facet a), then those of the group (facet d), and works on
numbers and on arrays of resamples alike. Source of all formulas: the contract, after Amazon SageMaker Clarify.
"""

from collections.abc import Iterator

import numpy as np

from monitor_tasks.metrics.outcomes import Numbers, Outcomes, difference, disparity, ratio


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
    return disparity((a.positives, a.negatives), (d.positives, d.negatives))


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
