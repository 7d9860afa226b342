"""How well one class among several is predicted (contract model-quality.md, section 5: Spark's MulticlassMetrics).

Metrics of outcomes are functions of arrays of shape (..., labels, predicted classes), so that one call serves all
resamples. Precision, recall and F of a class that has none are 0 there, as Spark has them.
"""

from collections.abc import Callable, Collection, Mapping
from functools import partial

import numpy as np
from numpy.typing import ArrayLike

from monitor_tasks.metrics.curves import Counts, Values, share
from monitor_tasks.metrics.measured import NO_LABELS, REPLICATES, Measured, mean_of
from monitor_tasks.metrics.resampling import deviation, deviations
from monitor_tasks.profiles.classes import CLASS_LIMIT, ClassProfile

NO_PROBABILITIES = "no column of a class's probability is named"
ONE_CLASS = "all labels are of one class"
TOO_MANY = f"there are more than {CLASS_LIMIT} classes"


def accuracy(outcomes: ArrayLike) -> Values:
    """Share of the rows whose predicted class is their label.

    >>> accuracy([[2, 1], [0, 1]]).item()
    0.75
    """
    labels, _, hits = _margins(outcomes)
    return share(hits.sum(axis=-1), labels.sum(axis=-1))


def weighted_recall(outcomes: ArrayLike) -> Values:
    """Mean of the classes' recalls, each weighing as its labels.

    >>> weighted_recall([[2, 1], [0, 1]]).item()
    0.75
    """
    labels, _, hits = _margins(outcomes)
    return _weighted(_or_0(hits, labels), labels)


def weighted_precision(outcomes: ArrayLike) -> Values:
    """Mean of the classes' precisions, each weighing as its labels.

    >>> weighted_precision([[2, 1], [0, 1]]).item()  # 3/4 * 1 + 1/4 * 1/2
    0.875
    """
    labels, predicted, hits = _margins(outcomes)
    return _weighted(_or_0(hits, predicted), labels)


def weighted_f_beta(outcomes: ArrayLike, beta: float) -> Values:
    """Mean of the classes' F scores, each weighing as its labels; recall weighs `beta` times as much as precision.

    >>> weighted_f_beta([[2, 1], [0, 1]], 1).item()  # 3/4 * 4/5 + 1/4 * 2/3
    0.7666666666666667
    """
    labels, predicted, hits = _margins(outcomes)
    recall, precision, weight = _or_0(hits, labels), _or_0(hits, predicted), beta * beta
    return _weighted(_or_0((1 + weight) * precision * recall, weight * precision + recall), labels)


def balanced_accuracy(outcomes: ArrayLike) -> Values:
    """Mean of the recalls of all classes that occur among the labels; undefined where that is one only.

    >>> balanced_accuracy([[6, 2], [1, 3]]).item()
    0.75
    """
    labels, _, hits = _margins(outcomes)
    occurring = (labels > 0).sum(axis=-1)
    return np.where(occurring > 1, share(_or_0(hits, labels).sum(axis=-1), occurring), np.nan)


def matthews_correlation(outcomes: ArrayLike) -> Values:
    """Correlation of labels and predictions over all classes, from -1 to 1 (Matthews 1975, Gorodkin 2004).

    >>> matthews_correlation([[6, 2], [1, 3]]).item()  # (6 * 3 - 2 * 1) / (8 * 4 * 7 * 5) ** 0.5
    0.47809...
    """
    labels, predicted, hits = (one.astype(np.float64) for one in _margins(outcomes))
    rows = labels.sum(axis=-1)
    together = hits.sum(axis=-1) * rows - (labels * predicted).sum(axis=-1)
    of_labels, of_predictions = (rows * rows - np.square(one).sum(axis=-1) for one in (labels, predicted))
    return share(together, np.sqrt(of_labels) * np.sqrt(of_predictions))


_MEASURES: Mapping[str, Callable[[ArrayLike], Values]] = {
    "accuracy": accuracy,
    "weighted_recall": weighted_recall,
    "weighted_precision": weighted_precision,
    "weighted_f0_5": partial(weighted_f_beta, beta=0.5),
    "weighted_f1": partial(weighted_f_beta, beta=1.0),
    "weighted_f2": partial(weighted_f_beta, beta=2.0),
    "balanced_accuracy": balanced_accuracy,
    "matthews_correlation": matthews_correlation,
}
OF_CONFUSION = _MEASURES
"""The metrics of the outcomes as plain functions of rows by label and predicted class."""
CONSTANT_MEASURES = tuple(_MEASURES)[:6]
"""Metrics that are also given for the classifier that always predicts one class."""
_UNDEFINED = {
    "balanced_accuracy": ONE_CLASS,
    "matthews_correlation": "all labels or all predictions are of one class",
}


def measured(
    profile: ClassProfile, names: Collection[str] = tuple(_MEASURES), replicates: int = REPLICATES
) -> dict[str, Measured]:
    """Metrics of the outcomes of the labelled rows, by name; all of them if none is named."""
    if profile.cells is None:
        return {name: Measured(None, because=TOO_MANY) for name in names if name in _MEASURES}
    return _measured(profile.confusion()[1], names, replicates)


def best_constant(profile: ClassProfile, replicates: int = REPLICATES) -> dict[str, Measured]:
    """The metrics of a classifier that always predicts the most frequent label (the first of equally frequent ones)."""
    if profile.cells is None:
        return measured(profile, CONSTANT_MEASURES)
    labels = profile.confusion()[1].sum(axis=1)
    constant = np.zeros((len(labels), len(labels)), np.int64)
    if len(labels):
        constant[:, np.argmax(labels)] = labels
    return _measured(constant, CONSTANT_MEASURES, replicates)


def top_k_accuracy(profile: ClassProfile, k: int, replicates: int = REPLICATES) -> Measured:
    """Share of the rows whose label is among the k most probable classes; of equal ones the last in order leads.

    >>> import pyarrow as pa
    >>> from monitor_tasks.profiles.classes import Shares
    >>> shares = Shares(("a", "b", "c"), np.array([[0.3, 0.5, 0.2], [0.6, 0.3, 0.1]]))
    >>> top_k_accuracy(ClassProfile.of(pa.array(["a", "c"]), shares.most_probable, shares), 2).value
    0.5
    """
    rows = profile.probabilities.judged
    if not rows:
        return _without_probabilities(profile)
    hits = sum(profile.probabilities.ranks[:k])
    spread = deviation([hits, rows - hits], lambda cells: share(cells[..., 0], cells.sum(axis=-1)), replicates)
    return Measured(hits / rows, spread, "", rows, _left_out(profile))


def log_loss(profile: ClassProfile) -> Measured:
    """Mean of minus the natural logarithm of the probability that the label was given, cut off at 2.2e-16."""
    return _mean_loss(profile, "logarithmic")


def brier_score(profile: ClassProfile) -> Measured:
    """Mean over the rows of the squares of what all classes' probabilities lack or exceed, from 0 to 2 (Brier 1950)."""
    return _mean_loss(profile, "squared")


def _mean_loss(profile: ClassProfile, kind: str) -> Measured:
    rows = profile.probabilities.judged
    if not rows:
        return _without_probabilities(profile)
    known = mean_of(getattr(profile.probabilities.losses, kind), rows)
    return known._replace(rows=rows, details=_left_out(profile))


def _without_probabilities(profile: ClassProfile) -> Measured:
    """Why no row can be judged by its probabilities."""
    known = profile.probabilities
    because = NO_LABELS if any(known.confidences) or known.unusable or not profile.rows else NO_PROBABILITIES
    return Measured(None, None, because, 0, _left_out(profile))


def _left_out(profile: ClassProfile) -> dict[str, int]:
    known = profile.probabilities
    counts = {"unusable_probabilities": known.unusable, "labels_without_probability": known.unknown_labels}
    return {name: count for name, count in counts.items() if count}


def _measured(confusion: Counts, names: Collection[str], replicates: int) -> dict[str, Measured]:
    """Metrics of one table of outcomes; all of them are read off the same resamples."""
    wanted = [name for name in _MEASURES if name in names]
    if not confusion.any():
        return {name: Measured(None, because=NO_LABELS) for name in wanted}

    def values(cells: Counts) -> Values:
        drawn = cells.reshape(-1, *confusion.shape)
        return np.stack([_MEASURES[name](drawn) for name in wanted], axis=-1)

    found = values(confusion)[0].tolist() if wanted else []
    spreads = deviations(confusion.ravel(), values, replicates) if wanted else []
    return {
        name: Measured(None, because=_UNDEFINED[name]) if np.isnan(value) else Measured(value, spread)
        for name, value, spread in zip(wanted, found, spreads or [None] * len(found), strict=True)
    }


def _margins(outcomes: ArrayLike) -> tuple[Counts, Counts, Counts]:
    """Rows by label, rows by predicted class, and those where both are the same."""
    cells = np.asarray(outcomes)
    return cells.sum(axis=-1), cells.sum(axis=-2), np.diagonal(cells, axis1=-2, axis2=-1)


def _or_0(part: Values | Counts, whole: Values | Counts) -> Values:
    return np.nan_to_num(share(part, whole), nan=0.0)


def _weighted(values: Values, weights: Counts) -> Values:
    return share((values * weights).sum(axis=-1), weights.sum(axis=-1))
