"""The curves of a binary classifier and the area under one, from its labels by score (model-quality.md, section 5)."""

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from monitor_tasks.profiles.scores import Tally

Counts = NDArray[np.int64]
Values = NDArray[np.float64]


class Curve(NamedTuple):
    """Points of a curve in the order of falling scores."""

    across: tuple[float, ...]
    up: tuple[float, ...]


def share(part: Values | Counts, whole: Values | Counts) -> Values:
    """One count or rate over another; NaN where both are 0.

    >>> share(np.array([3, 0]), np.array([4, 0])).tolist()
    [0.75, nan]
    """
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.asarray(part / whole, np.float64)


def by_score(tally: Tally) -> Counts:
    """Rows of label 0 and of label 1 at each score."""
    return np.stack([tally.counts[:, :2].sum(axis=1), tally.counts[:, 2:].sum(axis=1)], axis=1)


def area_under_curve(by_score: ArrayLike) -> Values:
    """Area under the receiver operating characteristic, by trapezoids added up from the highest score down (AUC).

    `by_score` has shape (..., scores, 2): rows of label 0 and of label 1 at each score, scores rising.

    >>> area_under_curve([[2, 0], [1, 1], [0, 2]]).item()
    0.9444444444444444
    """
    across, up = _rates(np.asarray(by_score))
    return np.asarray(np.cumsum(np.diff(across) * (up[..., 1:] + up[..., :-1]) / 2, axis=-1)[..., -1])


def _rates(by_score: Counts) -> tuple[Values, Values]:
    """False and true positive rates at each score as a threshold, falling, from (0, 0) on."""
    falling = np.cumsum(by_score[..., ::-1, :], axis=-2)
    rates = share(falling, falling[..., -1:, :])
    start = np.zeros((*rates.shape[:-2], 1, 2))
    rates = np.concatenate([start, rates], axis=-2)
    return rates[..., 0], rates[..., 1]


def average_precision(by_score: ArrayLike) -> Values:
    """Mean of the precisions at each score as a threshold, each weighing as the labels 1 that it adds (AP).

    `by_score` as for the area under the curve. Source: Zhu 2004, "Recall, precision and average precision".

    >>> average_precision([[2, 0], [1, 1], [0, 1]]).item()  # 1/2 * 1 + 1/2 * 2/3
    0.8333333333333333
    """
    falling = np.cumsum(np.asarray(by_score)[..., ::-1, :], axis=-2)
    ones = falling[..., 1]
    gained = np.diff(ones, axis=-1, prepend=0)
    precisions = share(ones, falling.sum(axis=-1))
    return share(np.where(gained > 0, gained * precisions, 0.0).sum(axis=-1), ones[..., -1])


def average_precision_error(by_score: ArrayLike) -> float:
    """How far the average precision may be off where the order of the rows at each score is not known.

    >>> average_precision_error([[1, 1]])  # 1/2; it would be 1, were the label 1 known to be first
    0.5
    """
    cells = np.asarray(by_score, np.float64)[::-1]
    zeros, ones = cells[:, 0], cells[:, 1]
    before, hits = (np.cumsum(one) - one for one in (zeros, ones))
    known = share(hits + ones, hits + ones + before + zeros)
    best, worst = share(hits + ones, hits + ones + before), share(hits + 1, hits + 1 + before + zeros)
    off = (np.nansum(ones * np.abs(one - known)) for one in (best, worst))
    return float(max(off) / ones.sum())


def receiver_operating_characteristic(by_score: ArrayLike) -> Curve | None:
    """False positive rates across, true positive rates up: (0, 0), every score, and (1, 1) once more.

    None unless there are labels of both classes. Source: contract model-quality.md, section 5 (Spark's points).

    >>> receiver_operating_characteristic([[2, 0], [0, 2]])
    Curve(across=(0.0, 0.0, 1.0, 1.0), up=(0.0, 1.0, 1.0, 1.0))
    """
    cells = np.asarray(by_score)
    if not cells.sum(axis=0).all():
        return None
    across, up = _rates(cells)
    return Curve((*across.tolist(), 1.0), (*up.tolist(), 1.0))


def precision_recall(by_score: ArrayLike) -> Curve | None:
    """Recalls across, precisions up: recall 0 with the precision of the highest score, then every score.

    None unless there are labels of class 1. Source: contract model-quality.md, section 5 (Spark's points).

    >>> precision_recall([[2, 0], [1, 1], [0, 1]])
    Curve(across=(0.0, 0.5, 1.0, 1.0), up=(1.0, 1.0, 0.6666666666666666, 0.4))
    """
    falling = np.cumsum(np.asarray(by_score)[::-1], axis=0)
    if not len(falling) or not falling[-1, 1]:
        return None
    precisions = share(falling[:, 1], falling.sum(axis=1)).tolist()
    return Curve((0.0, *share(falling[:, 1], falling[-1, 1]).tolist()), (precisions[0], *precisions))
