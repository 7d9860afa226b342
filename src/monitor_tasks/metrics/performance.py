"""How well a binary classifier predicts, from its outcomes counted by score (contract model-quality.md, section 5).

Metrics of the four outcomes are functions of arrays of shape (..., 4), so that one call serves all resamples:
label 0 as class 0, label 0 as class 1, label 1 as class 0, label 1 as class 1. Where such an array leaves one
undefined its entry is NaN; what leaves this file is a `Measured`, which says None and why.
"""

from collections.abc import Callable, Mapping
from functools import partial
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from monitor_tasks.metrics.curves import Counts, Values, area_under_curve, by_score, share
from monitor_tasks.metrics.resampling import deviation
from monitor_tasks.profiles.scores import ScoreProfile, Tally

REPLICATES = 1000
"""Resamples of a deviation: its own chance is then two percent, where 200 would leave five."""
RESAMPLED_SCORES = 1024
"""More scores than this are put together, neighbours with neighbours, before the AUC's deviation is resampled."""


class Measured(NamedTuple):
    """A number, its deviation over other samples of as many rows, and why it is undefined where it is None."""

    value: float | None
    deviation: float | None = None
    because: str = ""


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
}
"""Metrics of the four outcomes, in SageMaker's order; the AUC needs scores and stands apart."""
CONSTANT_MEASURES = ("recall", "precision", "accuracy", "f0_5", "f1", "f2")
"""Metrics that are also given for the classifier that always predicts one class."""
NO_LABELS = "no row has both a label and a usable prediction"


def outcomes(profile: ScoreProfile) -> Counts:
    """The four outcomes of the labelled rows."""
    return np.asarray(profile.known.counts.sum(axis=0))


def measured(profile: ScoreProfile) -> dict[str, Measured]:
    """Every metric of the labelled predictions by its name, the AUC among them."""
    cells = outcomes(profile)
    return {**{name: _measured(cells, measure) for name, measure in _MEASURES.items()}, "auc": _auc(profile.known)}


def best_constant(profile: ScoreProfile) -> dict[str, Measured]:
    """The metrics of a classifier that always predicts the more frequent label (0 where both are as frequent)."""
    zeros, ones = outcomes(profile).reshape(2, 2).sum(axis=1)
    cells = np.array([0, zeros, 0, ones] if ones > zeros else [zeros, 0, ones, 0], np.int64)
    return {name: _measured(cells, _MEASURES[name]) for name in CONSTANT_MEASURES}


def _measured(cells: Counts, measure: _Measure) -> Measured:
    value = measure.of(cells).item()
    if np.isnan(value):
        return Measured(None, None, measure.undefined if cells.any() else NO_LABELS)
    return Measured(value, deviation(cells, measure.of, REPLICATES))


def _auc(tally: Tally) -> Measured:
    labels = by_score(tally)
    if not len(labels):
        return Measured(None, None, NO_LABELS)
    if not tally.scored:
        return Measured(None, None, "there are no probabilities")
    if not labels.sum(axis=0).all():
        return Measured(None, None, _NO_NEGATIVES if labels[:, 1].any() else _NO_POSITIVES)
    return Measured(area_under_curve(labels).item(), deviation(_grouped(labels).ravel(), _auc_of_each, REPLICATES))


def _auc_of_each(cells: Counts) -> Values:
    return area_under_curve(cells.reshape(len(cells), -1, 2))


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
