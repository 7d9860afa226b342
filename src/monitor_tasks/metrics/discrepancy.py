"""Whether two sides' rows come from one distribution over all columns together, by a kernel: MMD."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from monitor_tasks.metrics.encoding import Encoded

Values = NDArray[np.float64]
_TIE = 1e-12
"""Sums of the same kernel values in another order differ by less."""


class Discrepancy(NamedTuple):
    """How far apart the mean embeddings of two sides are."""

    value: float
    """The unbiased squared MMD: about 0, and below it as often as above, where both sides are the same; at most 2."""
    p_value: float
    """How rarely rows dealt to the two sides by chance give as large a value."""
    effect_size: float | None
    """By how many standard deviations the rows of both sides lie apart along the witness function; None without any.

    Along one column, with a wide kernel, it is Cohen's d.
    """
    bandwidth: float
    n: int
    n_baseline: int


def maximum_mean_discrepancy(rows: Encoded, permutations: int = 500, seed: int = 0) -> Discrepancy:
    """Squared distance of the two sides' mean embeddings under a Gaussian kernel, unbiased (maximum mean discrepancy).

    It sees any change of the joint distribution, also one of correlations alone, and has no direction. A row that
    occurs several times counts as several. The bandwidth is the median distance of rows that differ, over both sides;
    the p-value is by permutation of the rows. The same rows and seed give the same numbers.
    Source: Gretton et al. 2012, A Kernel Two-Sample Test, lemma 6 and section 8.

    >>> numbers = np.linspace([0.0], [1.0], 40)
    >>> sides = np.repeat([[1, 0], [0, 1]], 40, axis=1)
    >>> maximum_mean_discrepancy(Encoded(np.vstack([numbers + 1, numbers]), ("age",) * 80, *sides), permutations=99)
    Discrepancy(value=0.96..., p_value=0.01, effect_size=4.5..., bandwidth=0.5..., n=40, n_baseline=40)
    """
    kernel, bandwidth = gaussian_kernel(rows)
    sides = rows.current.astype(np.float64), rows.reference.astype(np.float64)
    value, variance = _witness(kernel, *sides)
    drawn = np.random.default_rng(seed).multivariate_hypergeometric(
        rows.current + rows.reference, int(rows.current.sum()), size=permutations
    )
    exceeding = int(np.count_nonzero(_values(kernel, drawn, sides[0] + sides[1]) >= value - _TIE))
    effect = float(value / np.sqrt(variance)) if variance > 0 else None
    n, m = int(rows.current.sum()), int(rows.reference.sum())
    return Discrepancy(value, (1 + exceeding) / (1 + permutations), effect, bandwidth, n, m)


def gaussian_kernel(rows: Encoded) -> tuple[Values, float]:
    """The similarity of every pair of rows, 1 for equal ones, and the bandwidth: their median distance.

    >>> kernel, bandwidth = gaussian_kernel(Encoded(np.array([[0.0], [2.0]]), ("age",), *np.eye(2, dtype=int)))
    >>> kernel.round(4).tolist(), bandwidth
    ([[1.0, 0.6065], [0.6065, 1.0]], 2.0)
    """
    from scipy.spatial.distance import pdist, squareform

    distances = pdist(rows.matrix)
    occurring = rows.current + rows.reference
    apart = distances > 0
    pairs = None if (occurring == 1).all() else _pairs(occurring)[apart]  # without weights it is much faster
    bandwidth = float(np.quantile(distances[apart], 0.5, weights=pairs, method="inverted_cdf"))
    kernel = squareform(np.exp(-0.5 * (distances / bandwidth) ** 2))
    np.fill_diagonal(kernel, 1)
    return kernel, bandwidth


def _pairs(occurring: NDArray[np.int64]) -> Values:
    """How often each pair of rows occurs."""
    one, two = np.triu_indices(len(occurring), 1)
    return np.multiply(occurring[one], occurring[two], dtype=np.float64)


def _witness(kernel: Values, current: Values, reference: Values) -> tuple[float, float]:
    """How far the sides' means of the witness function lie apart, which is the squared MMD, and its variance in them.

    The witness of a row is its mean similarity to the current rows less that to the reference's, itself left out.
    """
    n, m = current.sum(), reference.sum()
    like_current, like_reference = ((kernel * side).sum(axis=1) for side in (current, reference))
    mine = (like_current - 1) / (n - 1) - like_reference / m
    theirs = like_current / n - (like_reference - 1) / (m - 1)
    means = np.average(mine, weights=current), np.average(theirs, weights=reference)
    squares = current * (mine - means[0]) ** 2 + reference * (theirs - means[1]) ** 2
    return float(means[0] - means[1]), float(squares.sum() / (n + m - 2))


def _values(kernel: Values, drawn: NDArray[np.int64], occurring: Values) -> Values:
    """The squared MMD for each way to deal the rows: `drawn`, of shape (ways, rows), to one side."""
    one = drawn.astype(np.float64)
    two = occurring - one
    n, m = one[0].sum(), two[0].sum()
    like_one = one @ kernel
    like_two = occurring @ kernel - like_one
    within = ((like_one * one).sum(axis=1) - n) / (n * (n - 1)) + ((like_two * two).sum(axis=1) - m) / (m * (m - 1))
    return np.asarray(within - 2 * (like_one * two).sum(axis=1) / (n * m))
