"""Sums over resampled rows: every row weighs what its hash says, so that resamples of parts add to those of the whole.

A replicate draws each row a number of times, about Poisson distributed with mean 1 (the bootstrap of Chamandy et al.
2012, "Estimating uncertainty for massive data streams"). Which number follows from the row's hash and the replicate's
place alone; sums are whole numbers times a power of two. So the same rows give the same bytes in any order and split.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from fractions import Fraction
from functools import reduce
from math import exp, factorial
from operator import or_
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from monitor_tasks.profiles.batches import each_column
from monitor_tasks.profiles.rows import HashedColumn

REPLICATES = 200
"""A deviation over so many replicates is itself off by five percent, one standard deviation."""
EVENT_ID = "@event_id"
_BLOCK = 1 << 14
"""Rows that are weighed at once; a sum of weighed digits stays within 14 + 32 + 4 bits: a double holds it exactly."""
_PIECE = 32
_DIGIT = 32
_PER_HASH = 4
"""Weights that are drawn from one hash of 64 bits."""
_STEP = np.uint64(0x9E3779B97F4A7C15)

Numbers = NDArray[np.float64]
Hashes = NDArray[np.uint64]


def _poisson() -> Numbers:
    """How often a row is drawn, by 16 random bits."""
    share = np.cumsum([exp(-1) / factorial(count) for count in range(16)])
    return np.searchsorted(share, (np.arange(1 << 16) + 0.5) / (1 << 16)).astype(np.float64)


_WEIGHTS = _poisson()


@dataclass(frozen=True, slots=True)
class ReplicateSums:
    """The sum of one number in every replicate: integers times a power of two, in lowest terms; any two add up."""

    mantissas: tuple[int, ...] = (0,) * REPLICATES
    exponent: int = 0

    def __add__(self, other: "ReplicateSums") -> "ReplicateSums":
        base = min(self.exponent, other.exponent)
        mine, theirs = self.exponent - base, other.exponent - base
        pairs = zip(self.mantissas, other.mantissas, strict=True)
        return _lowest_terms([(one << mine) + (two << theirs) for one, two in pairs], base)

    def fractions(self) -> list[Fraction]:
        """The sums as fractions, for arithmetic that rounds only once."""
        unit = Fraction(2) ** self.exponent
        return [mantissa * unit for mantissa in self.mantissas]

    def to_list(self) -> list[Any]:
        """The sums as plain values for JSON, which knows no large integers."""
        return [self.exponent, " ".join(map(str, self.mantissas))]

    @classmethod
    def from_list(cls, known: list[Any]) -> "ReplicateSums":
        """The sums that ``to_list`` gave."""
        return cls(tuple(map(int, known[1].split())), known[0])


def row_hashes(table: pa.Table) -> Hashes:
    """One hash a row: of its event id, or of all its cells and their columns' names where the table has no ids."""
    known = [name for name in table.column_names if name == EVENT_ID] or table.column_names
    columns = each_column(lambda name, column: HashedColumn.of(name, column).hashes, table.select(known))
    return sum(columns.values(), np.full(table.num_rows, _STEP))


def replicate_sums(hashes: Hashes, columns: Mapping[str, Numbers]) -> dict[str, ReplicateSums]:
    """The sums of columns of finite numbers in every replicate, and of 1 as ``rows``."""
    total = dict.fromkeys(("rows", *columns), ReplicateSums())
    for start in range(0, len(hashes), _BLOCK):
        rows = slice(start, start + _BLOCK)
        weights = _weights(hashes[rows])
        block = {"rows": np.ones(len(weights)), **{name: values[rows] for name, values in columns.items()}}
        for name, sums in _weighed(weights, block):
            total[name] += sums
    return total


def _weights(hashes: Hashes) -> Numbers:
    """How often each row is drawn, of shape (rows, replicates)."""
    turns = np.arange(1, REPLICATES // _PER_HASH + 1, dtype=np.uint64) * _STEP
    bits = _mixed(hashes[:, np.newaxis] + turns)
    return np.asarray(_WEIGHTS[bits.astype("<u8", copy=False).view("<u2")])


def _weighed(weights: Numbers, columns: Mapping[str, Numbers]) -> Iterator[tuple[str, ReplicateSums]]:
    """The sums of the columns' digits, place by place."""
    digits = [(name, *one) for name, values in columns.items() for one in _digits(values)]
    sums = _product(np.stack([digit for _, _, digit in digits]), weights)
    for (name, place, _), column in zip(digits, sums, strict=True):
        yield name, _lowest_terms(column.astype(np.int64).tolist(), place)


def _product(digits: Numbers, weights: Numbers) -> Numbers:
    """The product of two matrices of whole numbers, piece by piece.

    A piece is too small for the library to start threads on it: where cores are busy these wait for each other, which
    was seen to take twenty times as long as the work.
    """
    end = len(weights) // _PIECE * _PIECE
    pieces = digits[:, :end].reshape(len(digits), -1, _PIECE).swapaxes(0, 1)
    products = pieces @ weights[:end].reshape(-1, _PIECE, REPLICATES)
    return np.asarray(products.sum(axis=0) + digits[:, end:] @ weights[end:])


def _digits(values: Numbers) -> Iterator[tuple[int, Numbers]]:
    """The numbers as whole digits of 32 bits and the powers of two that these stand for, the highest first."""
    rest = values
    while rest.any():
        place = int(np.frexp(np.abs(rest).max())[1]) - _DIGIT
        digits = np.trunc(np.ldexp(rest, -place))
        yield place, digits
        rest = rest - np.ldexp(digits, place)


def _mixed(hashes: Hashes) -> Hashes:
    """Hashes whose bits all depend on all bits of these (the last steps of SplitMix64: Steele, Lea and Flood 2014)."""
    mixed = (hashes ^ (hashes >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return np.asarray(mixed ^ (mixed >> np.uint64(31)))


def _lowest_terms(mantissas: list[int], exponent: int) -> ReplicateSums:
    bits = reduce(or_, mantissas)
    if not bits:
        return ReplicateSums()
    zeros = (bits & -bits).bit_length() - 1
    return ReplicateSums(tuple(mantissa >> zeros for mantissa in mantissas), exponent + zeros)
