"""How columns rise together, and how that has changed, from rank co-moments.

scipy is imported where it is used: it takes long to import, and usual settings ask for none of this.
"""

from collections.abc import Mapping
from math import copysign, log, sqrt
from typing import NamedTuple

from monitor_tasks.profiles.correlations import Correlations

FEWEST = 4
"""Rows of a pair: of fewer there is no standard error."""

Matrix = Mapping[str, Mapping[str, float | None]]


class CorrelationShift(NamedTuple):
    """The largest change of a column's correlations."""

    value: float
    """Absolute difference of the two correlations."""
    column: str
    """The other column of the pair."""
    correlation: float
    reference: float
    n: int
    """Rows that have both numbers."""
    m: int
    """Such rows of the reference."""
    effect_size: float
    """Cohen's q: the difference of the two after Fisher's transformation."""
    direction: str
    """Whether the correlation went up or down."""
    p_value: float


def rank_correlations(known: Correlations) -> Matrix:
    """Correlation of each two columns' ranks (Spearman's, on the ranks that the baseline's quantiles give).

    Pearson's correlation of the numbers of the bins, over the rows that have both: Spearman's where every value has a
    bin of its own and no two rows share one, and close to it where the baseline's values seldom repeat. A value that
    fills many rows has one rank more than its neighbour and not as many as it fills, so on skewed counts it lies
    below Spearman's, on both sides of a comparison alike. None where a column is constant, or in fewer than two rows.
    Exact sums are divided once. Source: Spearman 1904.

    >>> from numpy import array
    >>> sums = array([[[4, 4], [4, 4]], [[6, 6], [6, 6]], [[14, 14], [14, 14]], [[14, 4], [4, 14]]])
    >>> rank_correlations(Correlations(("a", "b"), (), sums))["a"]
    {'a': 1.0, 'b': -1.0}
    """
    rows, totals, squares, products = known.sums.astype(object)  # integers without end
    covariances = rows * products - totals * totals.T
    spreads = rows * squares - totals * totals
    return {
        mine: {
            theirs: _ratio(covariances[i, j], spreads[i, j] * spreads[j, i]) for j, theirs in enumerate(known.columns)
        }
        for i, mine in enumerate(known.columns)
    }


def _ratio(covariance: int, spread: int) -> float | None:
    return max(-1.0, min(1.0, covariance / sqrt(spread))) if spread else None


def correlation_shift(current: Correlations, reference: Correlations) -> dict[str, CorrelationShift | None]:
    """Largest change of a column's rank correlation with any other column, by column.

    The p-value is that of the difference of the two after Fisher's transformation, whose variance for ranks is about
    (1 + r² / 2) / (n - 3), times the number of the column's pairs (Bonferroni). A correlation nearer to 1 than half
    the step that n ranks leave is taken to be that far from it. None where no pair is defined on at least four rows
    of both sides. Source: Fieller, Hartley and Pearson 1957; Bonett and Wright 2000; Cohen 1988.

    >>> from numpy import array
    >>> rising = array([[[5, 5]] * 2, [[10, 10]] * 2, [[30, 30]] * 2, [[30, 29], [29, 30]]])
    >>> falling = array([[[5, 5]] * 2, [[10, 10]] * 2, [[30, 30]] * 2, [[30, 11], [11, 30]]])
    >>> columns = ("a", "b")
    >>> correlation_shift(Correlations(columns, (), falling), Correlations(columns, (), rising))["a"]
    CorrelationShift(value=1.8, column='b', correlation=-0.9, reference=0.9, n=5, m=5, effect_size=2.94...,
    direction='down', p_value=0.012...)
    """
    sides = [(rank_correlations(side), _rows(side)) for side in (current, reference)]
    columns = [name for name in current.columns if name in reference.columns]
    return {name: _largest([_change(name, other, *sides) for other in columns if other != name]) for name in columns}


Side = tuple[Matrix, Mapping[str, Mapping[str, int]]]


def _rows(known: Correlations) -> Mapping[str, Mapping[str, int]]:
    rows = known.sums[0].tolist()
    return {
        name: dict(zip(known.columns, counts, strict=True)) for name, counts in zip(known.columns, rows, strict=True)
    }


def _largest(changes: list[CorrelationShift | None]) -> CorrelationShift | None:
    defined = [change for change in changes if change]
    if not defined:
        return None
    largest = max(defined, key=lambda change: change.value)
    return largest._replace(p_value=min(1.0, largest.p_value * len(defined)))


def _change(name: str, other: str, current: Side, reference: Side) -> CorrelationShift | None:
    (mine, n), (theirs, m) = (
        (correlations[name][other], rows[name][other]) for correlations, rows in (current, reference)
    )
    if mine is None or theirs is None or min(n, m) < FEWEST:
        return None
    q = _fisher(mine, n) - _fisher(theirs, m)
    error = sqrt((1 + mine**2 / 2) / (n - 3) + (1 + theirs**2 / 2) / (m - 3))
    direction = "none" if mine == theirs else "up" if mine > theirs else "down"
    return CorrelationShift(abs(mine - theirs), other, mine, theirs, n, m, abs(q), direction, _two_sided(q / error))


def _fisher(correlation: float, rows: int) -> float:
    """Fisher's transformation, which is finite for a perfect correlation too."""
    gap = max(1 - abs(correlation), 6 / (rows**3 - rows))
    return copysign(log((2 - gap) / gap) / 2, correlation)


def _two_sided(deviations: float) -> float:
    from scipy.special import ndtr

    return float(2 * ndtr(-abs(deviations)))
