"""Sums of floating numbers that are exact, so that they add up to the same bytes in any order and split."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from monitor_tasks.profiles.cells import FEW

_BATCH = 1 << 17
"""Numbers that are sliced at once: the slices stay in the processor's cache."""
_BLOCK = 1 << 13
_BITS = 20
"""Digits of a slice. The sum of a block's products stays within 2 * 20 + 13 bits: a double holds it exactly."""
_SLICES = 4
"""They hold every number that is not 2**27 times smaller than the largest one; the others have a turn of their own."""

Numbers = NDArray[np.float64]


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
    def of(cls, values: Numbers) -> "ExactSum":
        """The sum of finite `values`, any number of them."""
        return Moments.of(values).total

    @classmethod
    def of_squares(cls, values: Numbers) -> "ExactSum":
        """The sum of the squares of finite `values`, without overflow."""
        return Moments.of(values).squares

    def __add__(self, other: "ExactSum") -> "ExactSum":
        return self.sum_of([self, other])

    @classmethod
    def sum_of(cls, many: Sequence["ExactSum"]) -> "ExactSum":
        """The sum of all of them, brought to lowest terms once."""
        base = min((one.exponent for one in many), default=0)
        return _lowest_terms(sum(one.mantissa << (one.exponent - base) for one in many), base)

    def fraction(self) -> Fraction:
        """The sum as a fraction, for arithmetic that rounds only once."""
        return Fraction(self.mantissa) * Fraction(2) ** self.exponent

    def __float__(self) -> float:
        """The sum rounded once to the nearest double; infinite where it does not fit."""
        try:
            return float(self.fraction())
        except OverflowError:
            return float("inf") if self.mantissa > 0 else float("-inf")


class Moments(NamedTuple):
    """The exact sum of numbers, and that of their squares."""

    total: ExactSum = ExactSum()
    squares: ExactSum = ExactSum()

    @classmethod
    def of(cls, values: Numbers) -> "Moments":
        """The moments of finite `values`; both cost little more than one of them.

        Few are summed up one by one. Of many, every number is cut into whole digits to the base 2**20, the same places
        for all of them. Sums of digits and of products of digits are exact in doubles, whatever order the processor
        adds them in.
        """
        if len(values) <= FEW:
            return _one_by_one(values.tolist())
        total, squares = ExactSum(), ExactSum()
        while len(values):
            top = int(np.frexp(max(values.max(), -values.min()))[1])
            digits: Counter[int] = Counter()
            products: Counter[int] = Counter()
            smaller = [_add_digits(batch, top, digits, products) for batch in _batches(values)]
            total += _from_digits(digits, top)
            squares += _from_digits(products, 2 * top)
            values = np.concatenate(smaller)
        return cls(total, squares)


def _one_by_one(values: Sequence[float]) -> Moments:
    """The moments of few numbers: whole ones, over the largest power of two that any of them is divided by."""
    ratios = [value.as_integer_ratio() for value in values]
    below = max((divisor.bit_length() for _, divisor in ratios), default=1)
    whole = [mantissa << (below - divisor.bit_length()) for mantissa, divisor in ratios]
    squares = sum(one * one for one in whole)
    return Moments(_lowest_terms(sum(whole), 1 - below), _lowest_terms(squares, 2 - 2 * below))


def _batches(values: Numbers) -> Iterator[Numbers]:
    return (values[start : start + _BATCH] for start in range(0, len(values), _BATCH))


def _add_digits(values: Numbers, top: int, digits: Counter[int], products: Counter[int]) -> Numbers:
    """Count the sums of digits and of their products by place; returns the numbers that are too small for it."""
    slices, smaller = _sliced(values, top)
    for place, total in enumerate(slices.sum(axis=(1, 2)).tolist(), start=1):
        digits[place] += int(total)
    for one, mine in enumerate(slices):
        for other, theirs in enumerate(slices[one:], start=one):
            total = int(np.vecdot(mine, theirs).astype(np.int64).sum())
            products[one + other + 2] += total if one == other else 2 * total
    return smaller


def _sliced(values: Numbers, top: int) -> tuple[Numbers, Numbers]:
    """The digits of numbers below 2**top, of shape (places, blocks, numbers), and the numbers that have more digits."""
    count = len(values)
    rest = np.zeros(-(-count // _BLOCK) * _BLOCK)
    slices = np.empty((_SLICES, len(rest)))
    np.ldexp(values, _BITS - top, rest[:count])
    deep = (rest[:count] == 0) & (values != 0) if top > _BITS else np.zeros(count, np.bool_)  # scaled to nothing
    for place, digits in enumerate(slices, start=1):
        np.rint(rest, digits)
        rest -= digits
        if place == 1 and not rest.any():  # whole numbers of few digits are common
            slices = slices[:1]
            break
        rest *= 2.0**_BITS
    else:
        deep |= rest[:count] != 0
    if deep.any():
        slices[:, :count][:, deep] = 0.0
    return slices.reshape(len(slices), -1, _BLOCK), values[deep]


def _from_digits(counts: Counter[int], top: int) -> ExactSum:
    last = max(counts)
    return _lowest_terms(sum(count << (_BITS * (last - place)) for place, count in counts.items()), top - _BITS * last)


def _lowest_terms(mantissa: int, exponent: int) -> ExactSum:
    if mantissa == 0:
        return ExactSum()
    zeros = (mantissa & -mantissa).bit_length() - 1
    return ExactSum(mantissa >> zeros, exponent + zeros)
