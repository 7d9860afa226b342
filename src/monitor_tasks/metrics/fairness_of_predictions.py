"""How differently two groups are predicted, from their counts (contract bias.md, section 2).

Every metric takes the outcomes outside the group (Clarify's facet a), then those of the group (facet d), and works on
numbers and on arrays of resamples alike. Source of all formulas: the contract, after Amazon SageMaker Clarify.
"""

from monitor_tasks.metrics.outcomes import Numbers, Outcomes, difference, disparity, ratio


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
    return disparity((a.predicted_positives, a.predicted_negatives), (d.predicted_positives, d.predicted_negatives))


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


def statistical_parity_difference(a: Outcomes, d: Outcomes) -> Numbers:
    """Statistical Parity Difference: the group's positive predictions per row less those of the rest; -DPPL.

    Source: Bellamy et al. 2018, AI Fairness 360.

    >>> round(float(statistical_parity_difference(Outcomes.of(3, 1, 2, 4), Outcomes.of(1, 1, 1, 5))), 6)
    -0.15
    """
    return difference(ratio(d.predicted_positives, d.rows), ratio(a.predicted_positives, a.rows))


def equal_opportunity_difference(a: Outcomes, d: Outcomes) -> Numbers:
    """Equal Opportunity Difference: the group's recall less that of the rest; -RD.

    Source: Hardt, Price and Srebro 2016.

    >>> round(float(equal_opportunity_difference(Outcomes.of(3, 1, 2, 4), Outcomes.of(1, 1, 1, 5))), 6)
    -0.1
    """
    return difference(ratio(d.true_positives, d.positives), ratio(a.true_positives, a.positives))


def average_odds_difference(a: Outcomes, d: Outcomes) -> Numbers:
    """Average Odds Difference: the mean of the differences of recall and of the false positive rate.

    Source: Bellamy et al. 2018, AI Fairness 360.

    >>> round(float(average_odds_difference(Outcomes.of(3, 1, 2, 4), Outcomes.of(1, 1, 1, 5))), 6)
    -0.066667
    """
    false_alarms = difference(ratio(d.false_positives, d.negatives), ratio(a.false_positives, a.negatives))
    return (equal_opportunity_difference(a, d) + false_alarms) / 2


def _accuracy(group: Outcomes) -> Numbers:
    return ratio(group.true_positives + group.true_negatives, group.rows)
