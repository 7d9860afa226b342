"""The flip test: how often the group is predicted otherwise than its nearest neighbours outside it."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from monitor_tasks.metrics.measured import Measured
from monitor_tasks.metrics.resampling import deviation


class Described(NamedTuple):
    """How files call a metric."""

    name: str
    description: str
    stage: str


FLIP_TEST = Described("FT", "Flip Test (FT)", "post_training")
NEIGHBOURS, FEW = 5, 10
"""Clarify's k, and how many rows outside the group it needs; with fewer k is 1 (contract bias.md, section 2)."""
_LOOKED_AT = 4 * NEIGHBOURS
"""So many of the nearest contents are known, for resamples in which some of them are missing."""
_AT_ONCE = 1 << 20

Weights = NDArray[np.int64]


class Sampled(NamedTuple):
    """The rows of a sample: different contents, and how often each occurs."""

    features: NDArray[np.float64]
    """Of shape (contents, features)."""
    inside: NDArray[np.bool_]
    """Which are in the group."""
    positive: NDArray[np.bool_]
    """Which are predicted positive."""
    counts: Weights

    def only(self, kept: NDArray[np.intp]) -> "Sampled":
        """Some of the contents."""
        return Sampled(self.features[kept], self.inside[kept], self.positive[kept], self.counts[kept])


def flip_test(sampled: Sampled, with_chance: bool = True) -> Measured:
    """Flip Test (FT): of the group's rows the share predicted positive against their neighbours, less the contrary.

    The prediction that a row would have outside the group is that of most of its 5 nearest neighbours there (Euclidean,
    features as they are; of equally near contents the first ones count). Source: contract bias.md, section 2; Black,
    Yeom and Fredrikson 2020.

    >>> features = np.array([[0.0], [1.0], [0.1], [0.2]])
    >>> inside, positive = np.array([False, False, True, True]), np.array([True, False, False, True])
    >>> flip_test(Sampled(features, inside, positive, np.array([1, 1, 1, 1]))).value
    -0.5
    """
    known = sampled.only(np.flatnonzero(np.isfinite(sampled.features).all(axis=1)))
    inside, outside = (int(known.counts[side].sum()) for side in (known.inside, ~known.inside))
    sizes = {"rows_in_group": inside, "rows_outside": outside, "rows_sampled": int(sampled.counts.sum())}
    measured = Measured(None, rows=min(inside, outside), details=sizes)
    if not inside or not outside:
        where = "outside the group" if inside else "of the group"
        return measured._replace(because=f"no sampled row {where} has a number in every feature")
    test = _Neighbours.of(known, NEIGHBOURS if outside >= FEW else 1)
    value = float(test.flips(known.counts[np.newaxis])[0])
    spread = deviation(known.counts, test.flips) if with_chance else None
    return measured._replace(value=value, deviation=spread)


class _Neighbours(NamedTuple):
    """What does not depend on how often each content occurs."""

    inside: NDArray[np.intp]
    near: NDArray[np.intp]
    """For each content of the group those outside, the nearest first."""
    positive: NDArray[np.bool_]
    k: int

    @classmethod
    def of(cls, known: Sampled, k: int) -> "_Neighbours":
        from scipy.spatial.distance import cdist

        inside, outside = np.flatnonzero(known.inside), np.flatnonzero(~known.inside)
        step = max(1, _AT_ONCE // len(outside))
        near = [
            np.argsort(cdist(known.features[some], known.features[outside]), axis=1, kind="stable")[:, :_LOOKED_AT]
            for some in (inside[start : start + step] for start in range(0, len(inside), step))
        ]
        return cls(inside, outside[np.concatenate(near)], known.positive, k)

    def flips(self, counts: Weights) -> NDArray[np.float64]:
        """The flip test of each replicate of counts, of shape (replicates, contents)."""
        mine = self.positive[self.inside]
        step = max(1, _AT_ONCE // (len(counts) * self.near.shape[1]))
        theirs = [self._voted(counts, self.near[start : start + step]) for start in range(0, len(mine), step)]
        flips = mine.astype(np.int64) - np.concatenate(theirs, axis=1)
        rows = counts[:, self.inside]
        return np.asarray((rows * flips).sum(axis=1) / rows.sum(axis=1))

    def _voted(self, counts: Weights, near: NDArray[np.intp]) -> NDArray[np.bool_]:
        """Whether most of the k nearest rows are predicted positive; a content votes as often as it occurs."""
        weights = counts.astype(np.int32)[:, near]
        left = self.k + weights - np.cumsum(weights, axis=2, dtype=np.int32)
        votes = np.minimum(np.maximum(left, 0, out=left), weights, out=left)
        return np.asarray(np.einsum("rcm,cm->rc", votes, np.where(self.positive[near], 1, -1).astype(np.int32)) > 0)
