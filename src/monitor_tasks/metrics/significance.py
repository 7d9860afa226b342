"""Whether a difference of two samples is more than chance, from their counts or exact moments.

scipy is imported where it is used: it takes long to import, and usual settings ask for none of this.
"""

from collections.abc import Mapping, Sequence
from fractions import Fraction
from math import ceil, inf, isfinite, log, sqrt
from typing import NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from monitor_tasks.metrics.distance import l_infinity_of_values
from monitor_tasks.profiles.columns import ColumnProfile

EXPECTED = 5
"""Cells of which fewer rows are expected on a side are put together before the chi-square test."""


class ChiSquare(NamedTuple):
    """Pearson's test of the same shares on both sides, and its effect size."""

    statistic: float
    degrees: int
    p_value: float
    cramers_v: float
    """Root of the statistic per row: 0 are equal shares, 1 no common cell."""


def chi_square(mine: Mapping[str, int], theirs: Mapping[str, int]) -> ChiSquare | None:
    """Pearson's chi-square test of homogeneity, without continuity correction, and Cramér's V of the same table.

    Cells that lead to fewer than five expected rows on a side are put together; if these are still too few, they join
    the smallest of the others. None where a side is empty or fewer than two cells remain. Source: Pearson 1900;
    Cramér 1946; Cochran 1954 on the five.

    >>> chi_square({"a": 10, "b": 30}, {"a": 20, "b": 20})
    ChiSquare(statistic=5.33..., degrees=1, p_value=0.0209..., cramers_v=0.258...)
    """
    from scipy.special import chdtrc

    cells = sorted({*mine, *theirs})
    table = np.array([[side.get(cell, 0) for side in (mine, theirs)] for cell in cells], np.float64).reshape(-1, 2)
    sides = table.sum(axis=0)
    if not sides.all():
        return None
    table = _pooled(table, float(sides.min() / sides.sum()))
    if len(table) < 2:
        return None
    expected = np.outer(table.sum(axis=1), sides) / sides.sum()
    statistic, degrees = float(((table - expected) ** 2 / expected).sum()), len(table) - 1
    return ChiSquare(statistic, degrees, float(chdtrc(degrees, statistic)), min(1.0, sqrt(statistic / sides.sum())))


def _pooled(table: NDArray[np.float64], smaller: float) -> NDArray[np.float64]:
    """The table's cells by falling rows, the small ones as one; `smaller` is the smaller side's part of all rows."""
    table = table[np.argsort(-table.sum(axis=1), kind="stable")]
    few = table.sum(axis=1) * smaller < EXPECTED
    kept: NDArray[np.float64] = table[~few]
    rest = table[few].sum(axis=0)
    if len(kept) and rest.any() and rest.sum() * smaller < EXPECTED:
        kept[-1] += rest
        return kept
    return np.concatenate([kept, rest[np.newaxis]]) if rest.any() else kept


def kolmogorov_smirnov(mine: Mapping[str, int], theirs: Mapping[str, int]) -> tuple[float, float] | None:
    """Two-sample Kolmogorov-Smirnov: D and its two-sided p-value, from the counts of *all* values of both sides.

    Never of bins or sketches: their D is smaller than that of the rows, and a p-value of it would not be one. By the
    distribution of D for nm / (n + m) rows, as large samples have it. Ties make the p-value larger than it need be.
    None where a side is empty.

    >>> kolmogorov_smirnov({"1": 50, "2": 50}, {"1": 75, "2": 25})
    (0.25, 0.0030...)
    """
    from scipy.stats import kstwo

    distance = l_infinity_of_values(mine, theirs)
    if distance is None:
        return None
    n, m = sum(mine.values()), sum(theirs.values())
    return distance, float(np.clip(kstwo.sf(distance, max(1, round(n * m / (n + m)))), 0, 1))


class Sums(NamedTuple):
    """How many numbers there are, their exact sum and that of their squares."""

    n: int
    total: Fraction
    squares: Fraction

    @classmethod
    def of(cls, column: ColumnProfile) -> Self:
        """The sums of a column's finite numbers."""
        return cls(column.finite, column.total.fraction(), column.squares.fraction())

    @property
    def mean(self) -> Fraction:
        """The mean, exactly."""
        return self.total / self.n

    @property
    def variance(self) -> Fraction:
        """The variance of a sample, exactly: over n - 1."""
        return (self.squares - self.total**2 / self.n) / (self.n - 1)


class Shift(NamedTuple):
    """How far a moment has moved, with a p-value or an interval."""

    effect: float
    p_value: float | None = None
    lower: float | None = None
    upper: float | None = None


def mean_shift(mine: Sums, theirs: Sums) -> Shift | None:
    """By how many of their standard deviations the mean has moved (Glass's delta), and Welch's two-sided p-value.

    All differences are taken of exact fractions. None where a side has fewer than two numbers or theirs do not vary.
    Source: Welch 1947; Glass 1976.

    >>> one, two = Sums(3, Fraction(9), Fraction(29)), Sums(3, Fraction(6), Fraction(14))  # 2, 3, 4 and 1, 2, 3
    >>> mean_shift(one, two)
    Shift(effect=1.0, p_value=0.287..., lower=None, upper=None)
    """
    from scipy.special import stdtr

    if min(mine.n, theirs.n) < 2 or not theirs.variance:
        return None
    moved = mine.mean - theirs.mean
    parts = mine.variance / mine.n, theirs.variance / theirs.n
    degrees = sum(parts) ** 2 / (parts[0] ** 2 / (mine.n - 1) + parts[1] ** 2 / (theirs.n - 1))
    effect = sqrt(rounded(moved**2 / theirs.variance)) * (1 if moved >= 0 else -1)
    p_value = 2 * float(stdtr(rounded(degrees), -sqrt(rounded(moved**2 / sum(parts)))))
    return Shift(effect, p_value) if isfinite(effect) else None


def variance_shift(mine: Sums, theirs: Sums, level: float = 0.95) -> Shift | None:
    """Natural logarithm of my variance over theirs, and its interval for normal numbers (F distribution).

    The interval is too narrow for numbers with heavy tails, so there is no p-value. None where a side has fewer than
    two numbers or does not vary.

    >>> one, two = Sums(3, Fraction(0), Fraction(8)), Sums(3, Fraction(6), Fraction(14))  # -2, 0, 2 and 1, 2, 3
    >>> variance_shift(one, two)
    Shift(effect=1.386..., p_value=None, lower=-2.277..., upper=5.049...)
    """
    from scipy.special import fdtri

    if min(mine.n, theirs.n) < 2 or not mine.variance or not theirs.variance:
        return None
    ratio = mine.variance / theirs.variance
    effect, rest = log(ratio.numerator) - log(ratio.denominator), (1 - level) / 2
    upper, lower = (effect - log(fdtri(mine.n - 1, theirs.n - 1, part)) for part in (rest, 1 - rest))
    return Shift(effect, None, lower, upper)


def benjamini_hochberg(p_values: Sequence[float]) -> list[float]:
    """The p-values adjusted for being several: below q, at most a part q of what is found is expected to be chance.

    Source: Benjamini and Hochberg 1995.

    >>> benjamini_hochberg([0.01, 0.04, 0.03])
    [0.03, 0.04, 0.04]
    """
    if not p_values:
        return []
    from scipy.stats import false_discovery_control

    return [float(p_value) for p_value in false_discovery_control(p_values)]


def rows_beyond_chance(noise: float, degrees: int, theirs: int, level: float = 0.01) -> int:
    """With how many rows chance alone rarely exceeds `noise`, where it gives about chi-square * (1 / n + 1 / theirs).

    "Rarely" is one time in 100. As many as both sides need where `theirs` are too few for any number of mine.

    >>> rows_beyond_chance(0.2, 9, 10_000), rows_beyond_chance(0.2, 9, 100)
    (110, 217)
    """
    from scipy.special import chdtri

    allowed = noise / float(chdtri(max(1, degrees), level))
    return ceil(2 / allowed if allowed * theirs < 2 else 1 / (allowed - 1 / theirs))


def rounded(number: Fraction) -> float:
    """The fraction as a double; infinite where it does not fit.

    >>> rounded(Fraction(10) ** 400)
    inf
    """
    try:
        return float(number)
    except OverflowError:
        return inf if number > 0 else -inf
