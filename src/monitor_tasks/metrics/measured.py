"""Measured: a number, how far it would move on other samples, and why it is undefined where it is."""

from collections.abc import Mapping
from fractions import Fraction
from math import sqrt
from types import MappingProxyType
from typing import NamedTuple

from monitor_tasks.metrics.resampling import MINIMUM_ROWS
from monitor_tasks.profiles.moments import Moments

REPLICATES = 1000
"""Resamples of a deviation: its own chance is then two percent, where 200 would leave five."""
NO_LABELS = "no row has both a label and a usable prediction"
NOTHING: Mapping[str, float | int | str] = MappingProxyType({})


class Measured(NamedTuple):
    """A number, its deviation over other samples of as many rows, and why it is undefined where it is None."""

    value: float | None
    deviation: float | None = None
    because: str = ""
    rows: int | None = None
    """How many rows it rests on, where these are not all that have a label and a usable prediction."""
    details: Mapping[str, float | int | str] = NOTHING
    """What else a reader has to know: how far it may be off, or what was left out."""


def rounded(number: Fraction) -> float | None:
    """The nearest double; None where there is none so large.

    >>> rounded(Fraction(1, 2)), rounded(Fraction(10) ** 400)
    (0.5, None)
    """
    try:
        return float(number)
    except OverflowError:
        return None


def mean_of(moments: Moments, rows: int) -> Measured:
    """The mean of exact sums and its deviation, which is that of the numbers over the root of their count.

    >>> import numpy as np
    >>> mean_of(Moments.of(np.arange(300.0)), 300)[:2]
    (149.5, 5.00832...)
    >>> mean_of(Moments(), 0).because
    'no row has both a label and a usable prediction'
    """
    if not rows:
        return Measured(None, because=NO_LABELS)
    total, squares = moments.total.fraction(), moments.squares.fraction()
    if rows < MINIMUM_ROWS:
        return Measured(float(total / rows))
    return Measured(float(total / rows), sqrt((squares - total**2 / rows) / (rows - 1) / rows))
