"""How far two distributions lie apart, from their counts."""

from collections.abc import Mapping
from math import isfinite, log, sqrt
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from monitor_tasks.profiles.bins import Bins

Counts = Mapping[str, int]
Values = NDArray[np.float64]


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


def l_infinity_of_values(mine: Counts, theirs: Counts) -> float | None:
    """Largest difference of two cumulative distributions of numbers by value: exact (Kolmogorov-Smirnov's D).

    Counts of all numbers, each by its text. None where a side is empty.

    >>> l_infinity_of_values({"2": 1, "10": 1}, {"9": 2})
    0.5
    """
    place = {value: str(index) for index, value in enumerate(sorted({*mine, *theirs}, key=float))}
    return l_infinity_of_bins(*({place[value]: n for value, n in side.items()} for side in (mine, theirs)))


def coarse(mine: Bins, theirs: Bins, parts: int = 10) -> tuple[dict[str, int], dict[str, int]]:
    """Both sides on few cells, which hold about equal parts of theirs: neighbouring bins are put together.

    A cell ends with the bin in which the next tenth of theirs is reached, so a frequent value may fill several tenths
    and there are fewer cells. Nothing is lost or guessed: the cells' bounds are edges of the bins.

    >>> coarse(Bins.of(np.array([9])), Bins.of(np.arange(4)), parts=2)
    ({'0': 0, '1': 1}, {'0': 2, '1': 2})
    """
    below = np.cumsum(theirs.counts)
    reached = np.searchsorted(below, np.arange(1, parts) / parts * theirs.counts.sum(), "left")
    last = np.setdiff1d(theirs.places[reached], theirs.places[-1:]) if len(theirs) else theirs.places
    tallies = (
        np.bincount(np.searchsorted(last, side.places, "left"), side.counts, len(last) + 1) for side in (mine, theirs)
    )
    first, second = ({str(cell): int(n) for cell, n in enumerate(tally)} for tally in tallies)
    return first, second


def population_stability_index(mine: Counts, theirs: Counts) -> float | None:
    """Population stability index: the sum of (p - q) ln(p / q) over all cells, with natural logarithms.

    A cell that one side lacks is taken as half a row of it, and its shares still sum to 1; without such cells nothing
    is smoothed. From 0, without bound. None where a side is empty.

    >>> round(population_stability_index({"a": 1, "b": 3}, {"a": 1, "b": 1}), 6)  # 0.25 ln 3
    0.274653
    """
    p, q = _shares(mine, theirs, empty=0.5)
    return _relative_entropy(p, q) + _relative_entropy(q, p) if len(p) else None


def kullback_leibler(mine: Counts, theirs: Counts) -> float | None:
    """Kullback-Leibler divergence of mine from theirs, in nats: the sum of p ln(p / q) over all cells.

    A cell that one side lacks is taken as half a row of it, and its shares still sum to 1. Not symmetric. From 0,
    without bound. None where a side is empty. Source: Kullback and Leibler 1951.

    >>> round(kullback_leibler({"a": 1, "b": 3}, {"a": 1, "b": 1}), 6)  # 0.25 ln 0.5 + 0.75 ln 1.5
    0.130812
    """
    p, q = _shares(mine, theirs, empty=0.5)
    return _relative_entropy(p, q) if len(p) else None


def jensen_shannon(mine: Counts, theirs: Counts) -> float | None:
    """Jensen-Shannon distance to base 2: the square root of the divergence, from 0 to 1.

    Nothing is smoothed. None where a side is empty. Source: Lin 1991; Endres and Schindelin 2003.

    >>> jensen_shannon({"a": 1}, {"b": 1}), jensen_shannon({"a": 1}, {"a": 2})
    (1.0, 0.0)
    """
    p, q = _shares(mine, theirs)
    middle = (p + q) / 2
    divergence = (_relative_entropy(p, middle) + _relative_entropy(q, middle)) / 2 / log(2)
    return sqrt(min(1.0, max(0.0, divergence))) if len(p) else None


def hellinger(mine: Counts, theirs: Counts) -> float | None:
    """Hellinger distance, from 0 to 1: the length of the difference of the roots of the shares, over the root of 2.

    Nothing is smoothed. None where a side is empty.

    >>> hellinger({"a": 1}, {"b": 1}), hellinger({"a": 1}, {"a": 2})
    (1.0, 0.0)
    """
    p, q = _shares(mine, theirs)
    return min(1.0, sqrt(float(((np.sqrt(p) - np.sqrt(q)) ** 2).sum()) / 2)) if len(p) else None


class Placed(NamedTuple):
    """Numbers that are known by their place: how often each occurs, and how far they lie from there at most."""

    values: Values
    counts: NDArray[np.int64]
    error: float = 0.0
    """Largest mean distance of the numbers from where they are placed, in their unit."""

    @classmethod
    def of_values(cls, counts: Counts) -> "Placed":
        """Numbers whose every value is known."""
        return cls(np.array([float(value) for value in counts]), np.array(list(counts.values()), np.int64))

    @classmethod
    def of_bins(cls, bins: Bins, edges: Values, reach: tuple[float, float]) -> "Placed":
        """Numbers by bin, each in its middle; `reach` is their smallest and largest, which closes the outer bins.

        Exact for a value that has a bin of its own.
        """
        starts, ends = np.append(min(reach[0], edges[0]), edges), np.append(edges, max(reach[1], edges[-1]))
        middle, half = (ends / 2 + starts / 2)[bins.places], (ends / 2 - starts / 2)[bins.places]
        with np.errstate(over="ignore"):
            return cls(middle, bins.counts, float(half @ bins.counts / max(1, int(bins.counts.sum()))))


def wasserstein(mine: Placed, theirs: Placed) -> float | None:
    """Earth mover's distance: how far a number has to be moved on average to make one side the other, in their unit.

    Wrong by no more than the sum of both sides' errors: 0 where every value is known. None where a side is empty or the
    distance is no finite double.

    >>> wasserstein(Placed.of_values({"0": 1, "1": 1}), Placed.of_values({"2": 1, "3": 1}))
    2.0
    """
    from scipy.stats import wasserstein_distance  # slow to import, and few columns ask for it

    if not mine.counts.sum() or not theirs.counts.sum():
        return None
    with np.errstate(over="ignore", invalid="ignore"):
        found = float(wasserstein_distance(mine.values, theirs.values, mine.counts, theirs.counts))
    return found if isfinite(found) else None


def _relative_entropy(p: Values, q: Values) -> float:
    from scipy.special import rel_entr  # slow to import, and few columns ask for it

    return float(rel_entr(p, q).sum())


def _shares(mine: Counts, theirs: Counts, empty: float = 0.0) -> tuple[Values, Values]:
    """Both sides' shares of the cells that either has, in one order; a lacking cell counts as `empty` rows.

    Of no cells where a side is empty.
    """
    cells = sorted({cell for side in (mine, theirs) for cell, count in side.items() if count})
    counts = np.array([[side.get(cell, 0) for cell in cells] for side in (mine, theirs)], np.float64)
    if not counts.any(axis=1).all():
        return np.zeros(0), np.zeros(0)
    counts[counts == 0] = empty
    first, second = counts / counts.sum(axis=1, keepdims=True)
    return first, second
