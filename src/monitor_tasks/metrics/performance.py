"""How well a binary classifier predicts, from its outcomes counted by score (contract model-quality.md, section 5).

Metrics of the four outcomes are functions of arrays of shape (..., 4), so that one call serves all resamples:
label 0 as class 0, label 0 as class 1, label 1 as class 0, label 1 as class 1. Where such an array leaves one
undefined its entry is NaN; what leaves this file is a `Measured`, which says None and why.
"""

from collections.abc import Callable, Collection, Mapping
from functools import partial
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from monitor_tasks.metrics import classes
from monitor_tasks.metrics.curves import (
    Counts,
    Values,
    area_under_curve,
    average_precision,
    average_precision_error,
    by_score,
    share,
)
from monitor_tasks.metrics.measured import NO_LABELS, REPLICATES, Measured
from monitor_tasks.metrics.probabilities import (
    brier_score,
    expected_calibration_error,
    log_loss,
    unscored,
)
from monitor_tasks.metrics.resampling import deviation
from monitor_tasks.profiles.scores import ScoreProfile, Tally

RESAMPLED_SCORES = 1024
"""More scores than this are put together, neighbours with neighbours, before the AUC's deviation is resampled."""


def recall(outcomes: ArrayLike) -> Values:
    """Share of the rows of label 1 that are predicted as 1; the true positive rate.

    >>> recall([6, 2, 1, 3]).item()
    0.75
    """
    cells = np.asarray(outcomes)
    return share(cells[..., 3], cells[..., 2] + cells[..., 3])


def precision(outcomes: ArrayLike) -> Values:
    """Share of the rows predicted as 1 whose label is 1.

    >>> precision([6, 2, 1, 3]).item()
    0.6
    """
    cells = np.asarray(outcomes)
    return share(cells[..., 3], cells[..., 1] + cells[..., 3])


def accuracy(outcomes: ArrayLike) -> Values:
    """Share of the rows whose predicted class is their label.

    >>> accuracy([6, 2, 1, 3]).item()
    0.75
    """
    cells = np.asarray(outcomes)
    return share(cells[..., 0] + cells[..., 3], cells.sum(axis=-1))


def false_positive_rate(outcomes: ArrayLike) -> Values:
    """Share of the rows of label 0 that are predicted as 1.

    >>> false_positive_rate([6, 2, 1, 3]).item()
    0.25
    """
    cells = np.asarray(outcomes)
    return share(cells[..., 1], cells[..., 0] + cells[..., 1])


def true_negative_rate(outcomes: ArrayLike) -> Values:
    """Share of the rows of label 0 that are predicted as 0: 1 less the false positive rate.

    >>> true_negative_rate([6, 2, 1, 3]).item()
    0.75
    """
    return np.asarray(1.0 - false_positive_rate(outcomes))


def false_negative_rate(outcomes: ArrayLike) -> Values:
    """Share of the rows of label 1 that are predicted as 0: 1 less the recall, which is SageMaker's last digit.

    >>> false_negative_rate([6, 2, 1, 3]).item()
    0.25
    """
    return np.asarray(1.0 - recall(outcomes))


def f_beta(outcomes: ArrayLike, beta: float) -> Values:
    """Mean of precision and recall in which recall weighs `beta` times as much (van Rijsbergen 1979).

    It is 0 where labels and predictions of class 1 never meet, and undefined where there are neither.

    >>> f_beta([6, 2, 1, 3], 1).item()  # 2 * 0.6 * 0.75 / (0.6 + 0.75)
    0.6666666666666665
    >>> f_beta([6, 0, 1, 0], 1).item()
    0.0
    """
    cells = np.asarray(outcomes)
    exactly, found, weight = precision(cells), recall(cells), beta * beta
    value = share((1 + weight) * exactly * found, weight * exactly + found)
    apart = (cells[..., 3] == 0) & (cells[..., 1:].sum(axis=-1) > 0)
    return np.where(apart, 0.0, value)


def balanced_accuracy(outcomes: ArrayLike) -> Values:
    """Mean of the true positive and the true negative rate.

    >>> balanced_accuracy([6, 2, 1, 3]).item()
    0.75
    """
    return classes.balanced_accuracy(_square(outcomes))


def matthews_correlation(outcomes: ArrayLike) -> Values:
    """Correlation of label and predicted class, from -1 to 1 (Matthews 1975).

    >>> matthews_correlation([6, 2, 1, 3]).item()  # (6 * 3 - 2 * 1) / (8 * 4 * 7 * 5) ** 0.5
    0.47809...
    """
    return classes.matthews_correlation(_square(outcomes))


def _square(outcomes: ArrayLike) -> Counts:
    cells = np.asarray(outcomes)
    return cells.reshape(*cells.shape[:-1], 2, 2)


class _Measure(NamedTuple):
    """One metric of the outcomes, and why it is undefined where it is."""

    of: Callable[[ArrayLike], Values]
    undefined: str


_NO_POSITIVES, _NO_NEGATIVES = "no label is 1", "no label is 0"
_NEITHER = "no label and no prediction is 1"
_MEASURES: Mapping[str, _Measure] = {
    "recall": _Measure(recall, _NO_POSITIVES),
    "precision": _Measure(precision, "no prediction is 1"),
    "accuracy": _Measure(accuracy, ""),
    "true_positive_rate": _Measure(recall, _NO_POSITIVES),
    "true_negative_rate": _Measure(true_negative_rate, _NO_NEGATIVES),
    "false_positive_rate": _Measure(false_positive_rate, _NO_NEGATIVES),
    "false_negative_rate": _Measure(false_negative_rate, _NO_POSITIVES),
    "f0_5": _Measure(partial(f_beta, beta=0.5), _NEITHER),
    "f1": _Measure(partial(f_beta, beta=1.0), _NEITHER),
    "f2": _Measure(partial(f_beta, beta=2.0), _NEITHER),
    "balanced_accuracy": _Measure(balanced_accuracy, classes.ONE_CLASS),
    "matthews_correlation": _Measure(matthews_correlation, "all labels or all predictions are of one class"),
}
"""Metrics of the four outcomes, in SageMaker's order, then those it does not know."""
OF_OUTCOMES: Mapping[str, Callable[[ArrayLike], Values]] = {name: measure.of for name, measure in _MEASURES.items()}
"""The same as plain functions of outcomes, NaN where undefined."""
CONSTANT_MEASURES = ("recall", "precision", "accuracy", "f0_5", "f1", "f2")
"""Metrics that are also given for the classifier that always predicts one class."""


def outcomes(profile: ScoreProfile) -> Counts:
    """The four outcomes of the labelled rows."""
    return np.asarray(profile.known.counts.sum(axis=0))


def measured(
    profile: ScoreProfile, names: Collection[str] | None = None, replicates: int = REPLICATES
) -> dict[str, Measured]:
    """Metrics of the labelled predictions by name: all of them, or those that are named."""
    wanted = METRICS if names is None else [name for name in METRICS if name in names]
    return {name: METRICS[name](profile, replicates) for name in wanted}


def best_constant(profile: ScoreProfile) -> dict[str, Measured]:
    """The metrics of a classifier that always predicts the more frequent label (0 where both are as frequent)."""
    zeros, ones = outcomes(profile).reshape(2, 2).sum(axis=1)
    cells = np.array([0, zeros, 0, ones] if ones > zeros else [zeros, 0, ones, 0], np.int64)
    return {name: _measured(cells, _MEASURES[name], REPLICATES) for name in CONSTANT_MEASURES}


def _of_outcomes(name: str, profile: ScoreProfile, replicates: int) -> Measured:
    return _measured(outcomes(profile), _MEASURES[name], replicates)


def _measured(cells: Counts, measure: _Measure, replicates: int) -> Measured:
    value = measure.of(cells).item()
    if np.isnan(value):
        return Measured(None, None, measure.undefined if cells.any() else NO_LABELS)
    return Measured(value, deviation(cells, measure.of, replicates))


def _auc(profile: ScoreProfile, replicates: int) -> Measured:
    labels, because = by_score(profile.known), unscored(profile)
    if because or not labels.sum(axis=0).all():
        return Measured(None, None, because or (_NO_NEGATIVES if labels[:, 1].any() else _NO_POSITIVES))
    details = {} if profile.known.exact else {"error": auc_error(profile.known)}
    return _over_scores(labels, area_under_curve, replicates)._replace(details=details)


def _average_precision(profile: ScoreProfile, replicates: int) -> Measured:
    labels, because = by_score(profile.known), unscored(profile)
    if because or not labels[:, 1].any():
        return Measured(None, None, because or _NO_POSITIVES)
    details = {} if profile.known.exact else {"error": average_precision_error(labels)}
    return _over_scores(labels, average_precision, replicates)._replace(details=details)


def _over_scores(labels: Counts, statistic: Callable[[ArrayLike], Values], replicates: int) -> Measured:
    """A number of the labels by score, neighbouring scores put together for its deviation."""
    spread = deviation(_grouped(labels).ravel(), lambda cells: statistic(cells.reshape(len(cells), -1, 2)), replicates)
    return Measured(statistic(labels).item(), spread)


METRICS: Mapping[str, Callable[[ScoreProfile, int], Measured]] = {
    **{name: partial(_of_outcomes, name) for name in _MEASURES},
    "auc": _auc,
    "average_precision": _average_precision,
    "log_loss": lambda profile, _: log_loss(profile),
    "brier_score": lambda profile, _: brier_score(profile),
    "expected_calibration_error": expected_calibration_error,
}
"""All metrics of a binary classifier that its own labelled rows define."""


def _grouped(labels: Counts) -> Counts:
    """Neighbouring scores put together, so that about as many rows are in each group."""
    if len(labels) <= RESAMPLED_SCORES:
        return labels
    rows = labels.sum(axis=1)
    group = (np.cumsum(rows) - rows) * RESAMPLED_SCORES // rows.sum()
    return np.asarray(np.add.reduceat(labels, np.unique(group, return_index=True)[1]))


def auc_error(tally: Tally) -> float:
    """How far the AUC may be off because scores are known by their step only: 0 while they are exact.

    Half the share of pairs of a label 0 and a label 1 that lie on the same step, for only their order is lost.
    """
    labels = by_score(tally).astype(np.float64)
    pairs = labels.sum(axis=0).prod()
    return 0.0 if tally.exact or not pairs else float(labels.prod(axis=1).sum() / pairs / 2)
