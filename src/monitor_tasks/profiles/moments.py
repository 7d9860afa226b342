"""Sums of floating numbers that are exact, so that they add up to the same bytes in any order and split."""

from dataclasses import dataclass
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

_HALF = 27
_BATCH = 1 << 24


@dataclass(frozen=True, slots=True)
class ExactSum:
    """The exact sum of doubles: an integer times a power of two, in lowest terms.

    >>> float(ExactSum.of(np.array([1e100, 1.0, -1e100])))
    1.0
    >>> ExactSum.of(np.array([0.1, 0.2])) + ExactSum.of(np.array([0.3])) == ExactSum.of(np.array([0.3, 0.2, 0.1]))
    True
    """

    mantissa: int = 0
    exponent: int = 0

    @classmethod
    def of(cls, values: NDArray[np.float64]) -> "ExactSum":
        """The sum of finite `values`, any number of them."""
        mantissas, exponents = np.frexp(values)
        return _add_up(mantissas, exponents)

    @classmethod
    def of_squares(cls, values: NDArray[np.float64]) -> "ExactSum":
        """The sum of the squares of finite `values`, without overflow: each square is kept as two doubles."""
        mantissas, exponents = np.frexp(values)
        carrier = mantissas * 134217729.0
        high = carrier - (carrier - mantissas)
        low = mantissas - high
        square = mantissas * mantissas
        error = ((high * high - square) + 2.0 * high * low) + low * low
        more_mantissas, more_exponents = np.frexp(error)
        squares_mantissas, squares_exponents = np.frexp(square)
        return _add_up(squares_mantissas, squares_exponents + 2 * exponents) + _add_up(
            more_mantissas, more_exponents + 2 * exponents
        )

    def __add__(self, other: "ExactSum") -> "ExactSum":
        base = min(self.exponent, other.exponent)
        total = (self.mantissa << (self.exponent - base)) + (other.mantissa << (other.exponent - base))
        return _lowest_terms(total, base)

    def fraction(self) -> Fraction:
        """The sum as a fraction, for arithmetic that rounds only once."""
        return Fraction(self.mantissa) * Fraction(2) ** self.exponent

    def __float__(self) -> float:
        """The sum rounded once to the nearest double; infinite where it does not fit."""
        try:
            return float(self.fraction())
        except OverflowError:
            return float("inf") if self.mantissa > 0 else float("-inf")


def _add_up(mantissas: NDArray[np.float64], exponents: NDArray[np.int32]) -> ExactSum:
    total = ExactSum()
    for start in range(0, len(mantissas), _BATCH):
        total += _add_up_batch(mantissas[start : start + _BATCH], exponents[start : start + _BATCH])
    return total


def _add_up_batch(mantissas: NDArray[np.float64], exponents: NDArray[np.int32]) -> ExactSum:
    """Per exponent the high and the low halves of the mantissas are counted as whole numbers, then shifted together."""
    whole = (mantissas * 9007199254740992.0).astype(np.int64)
    first = int(exponents.min())
    steps = exponents - first
    high = np.bincount(steps, weights=whole >> _HALF)
    low = np.bincount(steps, weights=whole & ((1 << _HALF) - 1))
    total = sum(
        ((int(high[step]) << _HALF) + int(low[step])) << int(step) for step in np.flatnonzero((high != 0) | (low != 0))
    )
    return _lowest_terms(total, first - 53)


def _lowest_terms(mantissa: int, exponent: int) -> ExactSum:
    if mantissa == 0:
        return ExactSum()
    zeros = (mantissa & -mantissa).bit_length() - 1
    return ExactSum(mantissa >> zeros, exponent + zeros)
