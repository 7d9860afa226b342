"""How far two distributions lie apart, from their counts."""

from collections.abc import Mapping
from math import sqrt

import numpy as np
from numpy.typing import NDArray

from monitor_tasks.profiles.bins import Bins


def l_infinity_of_bins(mine: Mapping[str, int], theirs: Mapping[str, int]) -> float | None:
    """Largest difference of two cumulative distributions counted on the same edges (two-sample Kolmogorov-Smirnov).

    Counts by bin number; the distance is exact at the edges. None where a side is empty.
    Source: contract data-quality.md, section 4.

    >>> l_infinity_of_bins({"0": 1, "1": 1}, {"1": 1, "2": 1})
    0.5
    """
    mine, theirs = Bins.of_mapping(mine), Bins.of_mapping(theirs)
    n, m = int(mine.counts.sum()), int(theirs.counts.sum())
    if not n or not m:
        return None
    bins = np.union1d(mine.places, theirs.places)
    return float(np.abs(_below(mine, bins) / n - _below(theirs, bins) / m).max())


def _below(known: Bins, bins: NDArray[np.int64]) -> NDArray[np.int64]:
    """How many numbers lie in each of the bins or in one before it."""
    return np.append(0, np.cumsum(known.counts))[np.searchsorted(known.places, bins, "right")]


def l_infinity_of_categories(mine: Mapping[str, int], theirs: Mapping[str, int]) -> float | None:
    """Largest difference of two categories' shares; None where a side is empty.

    Source: contract data-quality.md, section 4.

    >>> l_infinity_of_categories({"a": 1, "b": 1}, {"a": 3, "b": 1})
    0.25
    """
    n, m = sum(mine.values()), sum(theirs.values())
    if not n or not m:
        return None
    return max(abs(mine.get(key, 0) / n - theirs.get(key, 0) / m) for key in {*mine, *theirs})


def robust(distance: float, n: int, m: int) -> float:
    """The distance less what two samples of n and m rows differ by chance (deequ's factor 1.8), at least 0.

    Source: contract data-quality.md, section 4.

    >>> robust(0.5, 100, 100) == 0.5 - 1.8 * (200 / 10000) ** 0.5
    True
    >>> robust(0.01, 100, 100)
    0.0
    """
    return max(0.0, distance - 1.8 * sqrt((n + m) / (n * m)))
