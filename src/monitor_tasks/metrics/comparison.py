"""Two models on the same metric: the difference, its 95 % interval, how likely chance is, and how many labels decide.

A difference is the challenger's value less the champion's. scipy is imported where it is used: it takes long to import.
"""

from collections.abc import Mapping
from math import ceil, isfinite, sqrt
from typing import NamedTuple

LEVEL = 0.05
"""An interval leaves this part of all samples outside; so does a verdict."""
POWER = 0.8
"""With so many labels as `labels_needed` says, a difference as large as the one seen is found so often."""
NORMAL = 1.959963984540054
"""What a standard normal number exceeds in size with probability 0.05."""
EXPECTED = 5.0
"""With fewer expected rows in a cell, two shares are compared by Fisher's test instead of Pearson's."""
NO_CHANCE = "it does not move on resamples, so its chance is not known"


class Difference(NamedTuple):
    """A difference, its 95 % interval, its p-value and its deviation; None where they are undefined."""

    value: float | None
    lower: float | None = None
    upper: float | None = None
    p_value: float | None = None
    deviation: float | None = None
    because: str = ""
    """Why there is no interval."""


class Share(NamedTuple):
    """A part of counted rows."""

    hits: int
    rows: int

    @property
    def value(self) -> float:
        """The share itself."""
        return self.hits / self.rows

    @property
    def variance(self) -> float:
        """The variance of the share over samples of as many rows."""
        return self.value * (1 - self.value) / self.rows


class Agreement(NamedTuple):
    """The same rows, judged twice: how many are hits of both, of one only, of neither."""

    both: int
    champion: int
    challenger: int
    neither: int

    @property
    def rows(self) -> int:
        """All rows."""
        return sum(self)


def wilson(share: Share) -> tuple[float, float]:
    """The score interval of a share (Wilson 1927).

    >>> wilson(Share(56, 70))
    (0.6918..., 0.8769...)
    """
    squared, middle = NORMAL**2, share.hits + NORMAL**2 / 2
    reach = NORMAL * sqrt(squared / 4 + share.hits * (share.rows - share.hits) / share.rows)
    low, high = ((middle + side) / (share.rows + squared) for side in (-reach, reach))
    return (0.0 if share.hits == 0 else low), (1.0 if share.hits == share.rows else high)


def of_shares(champion: Share, challenger: Share) -> Difference:
    """The difference of two shares of different rows: Newcombe's score interval, and Pearson's test of equal shares.

    Where fewer than five rows are expected in a cell the p-value is Fisher's, which is exact. Source: Newcombe 1998,
    "Interval estimation for the difference between independent proportions", method 10.

    >>> of_shares(Share(48, 80), Share(56, 70))[:4]
    (0.2..., 0.0524..., 0.3338..., 0.0080...)
    """
    if not champion.rows or not challenger.rows:
        return Difference(None, because="one side has no such row")
    (low, high), (low_other, high_other) = wilson(challenger), wilson(champion)
    value, other = challenger.value, champion.value
    return Difference(
        value - other,
        value - other - sqrt((value - low) ** 2 + (high_other - other) ** 2),
        value - other + sqrt((high - value) ** 2 + (other - low_other) ** 2),
        _equal_shares(champion, challenger),
        sqrt(champion.variance + challenger.variance),
    )


def _equal_shares(champion: Share, challenger: Share) -> float:
    """The two-sided p-value of two shares being the same."""
    from scipy.special import ndtr
    from scipy.stats import fisher_exact

    rows, hits = champion.rows + challenger.rows, champion.hits + challenger.hits
    pooled = hits / rows
    if min(pooled, 1 - pooled) * min(champion.rows, challenger.rows) < EXPECTED:
        return float(fisher_exact([[one.hits, one.rows - one.hits] for one in (champion, challenger)]).pvalue)
    spread = sqrt(pooled * (1 - pooled) * (1 / champion.rows + 1 / challenger.rows))
    return 2 * float(ndtr(-abs(challenger.value - champion.value) / spread))


def of_paired_shares(cells: Agreement) -> Difference:
    """The difference of two shares of the same rows: Newcombe's score interval, and McNemar's exact test.

    Source: Newcombe 1998, "Improved confidence intervals for the difference between binomial proportions based on
    paired data", method 10; McNemar 1947.

    >>> of_paired_shares(Agreement(59, 16, 6, 80))[:4]  # complete response before and after therapy, Cavo et al. 2012
    (-0.0621..., -0.1186..., -0.0046..., 0.0524...)
    """
    from scipy.stats import binomtest

    if not cells.rows:
        return Difference(None, because="there is no such pair")
    champion, challenger = (Share(cells.both + own, cells.rows) for own in (cells.champion, cells.challenger))
    value, other, phi = challenger.value, champion.value, _correlation(cells)
    (low, high), (low_other, high_other) = wilson(challenger), wilson(champion)
    apart = cells.champion + cells.challenger
    return Difference(
        value - other,
        value - other - _reach(value - low, high_other - other, phi),
        value - other + _reach(high - value, other - low_other, phi),
        float(binomtest(cells.challenger, apart).pvalue) if apart else 1.0,
        sqrt(max(apart / cells.rows - (value - other) ** 2, 0.0) / cells.rows),
    )


def _correlation(cells: Agreement) -> float:
    """Correlation of the two judgements, nearer to 0 by a correction where it is positive."""
    both, champion, challenger, neither = cells
    product = both * neither - champion * challenger
    corrected = product if product < 0 else max(product - cells.rows / 2, 0.0)
    margins = (both + champion) * (challenger + neither) * (both + challenger) * (champion + neither)
    return corrected / sqrt(margins) if margins else 0.0


def _reach(mine: float, theirs: float, phi: float) -> float:
    return sqrt(max(mine**2 - 2 * phi * mine * theirs + theirs**2, 0.0))


def by_deviation(value: float | None, deviation: float | None, because: str = "") -> Difference:
    """A difference that is normal over samples, with the deviation that it has there.

    >>> by_deviation(0.02, 0.01)[:4]
    (0.02, 0.0004..., 0.0395..., 0.0455...)
    >>> by_deviation(0.02, 0.0).because
    'it does not move on resamples, so its chance is not known'
    """
    from scipy.special import ndtr

    if value is None or deviation is None or not deviation or not isfinite(deviation):
        return Difference(value, because=because or NO_CHANCE)
    reach, p_value = NORMAL * deviation, 2 * float(ndtr(-abs(value) / deviation))
    return Difference(value, value - reach, value + reach, p_value, deviation)


def holm(p_values: Mapping[str, float]) -> dict[str, float]:
    """The p-values adjusted for being several: below q, anything found is chance with probability q at most.

    Source: Holm 1979.

    >>> holm({"a": 0.01, "b": 0.04, "c": 0.03})
    {'a': 0.03, 'c': 0.06, 'b': 0.06}
    """
    adjusted, largest = dict[str, float](), 0.0
    for place, (name, p_value) in enumerate(sorted(p_values.items(), key=lambda one: one[1])):
        largest = max(largest, min(1.0, p_value * (len(p_values) - place)))
        adjusted[name] = largest
    return adjusted


def labels_needed(found: Difference, rows: int, tests: int = 1) -> int | None:
    """How many rows it takes to find a difference as large as the one seen, with power 80 %; None where none was seen.

    n ((z(1 - 0.05 / 2 / tests) + z(0.8)) deviation / difference)², where n rows gave the deviation: it falls with their
    root. Source: Fleiss 1981, chapter 3, with the deviation that was seen.

    >>> labels_needed(by_deviation(0.02, 0.02), 1000), labels_needed(by_deviation(0.0, 0.02), 1000)
    (7849, None)
    """
    from scipy.special import ndtri

    if not found.value or not found.deviation:
        return None
    needed = (-float(ndtri(LEVEL / 2 / tests)) + float(ndtri(POWER))) * found.deviation / found.value
    return ceil(rows * needed**2)
