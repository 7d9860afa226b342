"""The sampled rows of two sides as one matrix of numbers, in which every column weighs about the same."""

import re
from bisect import bisect_left
from collections import Counter
from collections.abc import Sequence
from math import sqrt
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from monitor_tasks.metrics.drift import Undecided
from monitor_tasks.profiles.cells import FRACTIONAL, INTEGRAL
from monitor_tasks.profiles.rows import RowSample

Counts = NDArray[np.int64]
Values = NDArray[np.float64]

LEAST = 30
"""With fewer rows on a side nothing is said about many columns at once."""
MOST = 2_000
"""Different rows that are compared of a side, those with the smallest hashes: a kernel holds every pair of them."""
CATEGORIES = 20
"""The reference's commonest categories have a place of their own; the rest share one."""
REPEATS = 1.1
"""How often a sampled row may occur, on average over the rows, and still be taken for a row drawn by itself."""
_OCCURRENCES = 10**8
"""More than so many are scaled down: numpy's hypergeometric numbers end at 10**9."""
_FARTHEST = 1e6
_NUMBER = re.compile(f"{INTEGRAL}|{FRACTIONAL}")


class Encoded(NamedTuple):
    """The different rows of both sides as numbers, and how often each occurs on either side."""

    matrix: Values
    """Of shape (rows, encoded columns); those of the current side come first."""
    names: tuple[str, ...]
    """The column that each encoded one is made from."""
    current: Counts
    reference: Counts


def encoded(current: RowSample, reference: RowSample) -> Encoded:
    """The rows of both samples in the columns that both know, as numbers scaled by the reference.

    A column is numeric where at least half of the reference's present cells are finite numbers. A number becomes its
    distance from the reference's median in interquartile ranges (standard deviations where that range is 0; only its
    side of the reference's one number where it has no other), at most 1e6; missing cells and text are 0 and an
    indicator each. Any other column becomes an indicator for each of the reference's 20 commonest categories, for the
    rest and for missing cells; two categories are as far apart as two numbers one interquartile range apart. What does
    not vary over both sides is left out.

    Where rows repeat and a sample is not whole, the rows of the hashes that both samples cover are compared: of
    content that one side alone was asked about, chance alone would make a difference.

    Raises:
        Undecided: no column in common, fewer than 30 rows on a side, or nothing varies.

    >>> def sample(*cells):
    ...     return RowSample(9, 90, ("age",), tuple(range(3)), (30, 30, 30), tuple((cell,) for cell in cells))
    >>> encoded(sample("6", "8", None), sample("0", "2", "4")).matrix.tolist()  # median 2, interquartile range 4
    [[1.0, 0.0], [1.5, 0.0], [0.0, 1.0], [-0.5, 0.0], [0.0, 0.0], [0.5, 0.0]]
    """
    names = sorted({*current.columns} & {*reference.columns})
    if not names:
        raise Undecided("the two sides have no column in common")
    sides = [(side, size) for side, size in zip((current, reference), _comparable(current, reference), strict=True)]
    mine, theirs = (_occurrences(side.counts[:size]) for side, size in sides)
    if min(mine.sum(), theirs.sum()) < LEAST:
        raise Undecided(f"{mine.sum()} comparable rows against {theirs.sum()}: it takes {LEAST} on each side")
    weights = np.concatenate([np.zeros_like(mine), theirs])
    blocks = [_varying(_column([cell for side in sides for cell in _cells(*side, name)], weights)) for name in names]
    if not any(block.shape[1] for block in blocks):
        raise Undecided("nothing varies: all rows of both sides are the same")
    origin = tuple(name for name, block in zip(names, blocks, strict=True) for _ in range(block.shape[1]))
    return Encoded(np.hstack(blocks), origin, np.concatenate([mine, np.zeros_like(theirs)]), weights)


def _comparable(current: RowSample, reference: RowSample) -> list[int]:
    """How many rows of each sample, by rising hash, are compared."""
    sides = [(side, min(len(side.hashes), MOST)) for side in (current, reference)]
    bounds = [side.hashes[size - 1] for side, size in sides if size and sum(side.counts[:size]) < side.rows]
    if not bounds or not any(_repeats(side.counts[:size]) for side, size in sides):
        return [size for _, size in sides]
    if current.columns != reference.columns:
        raise Undecided("rows repeat, and samples of different columns do not hold the same ones")
    return [bisect_left(side.hashes, min(bounds), 0, size) for side, size in sides]


def _repeats(counts: Sequence[int]) -> bool:
    return sum(count * count for count in counts) > REPEATS * sum(counts)


def _occurrences(counts: Sequence[int]) -> Counts:
    total = sum(counts)
    known = counts if total <= _OCCURRENCES else [-(-count * _OCCURRENCES // total) for count in counts]
    return np.array(known, np.int64)


def _cells(side: RowSample, size: int, name: str) -> list[str | None]:
    place = side.columns.index(name)
    return [row[place] for row in side.cells[:size]]


def _column(cells: Sequence[str | None], weights: Counts) -> Values:
    """The cells of both sides as numbers, of shape (rows, encoded columns); `weights` are the reference's rows."""
    missing = np.array([cell is None for cell in cells])
    numbers = np.array([_number(cell) for cell in cells])
    numeric, present = (weights[which].sum() for which in (np.isfinite(numbers), ~missing))
    if 2 * numeric >= present > 0:
        return _numeric(numbers, missing, weights)
    return _categorical(cells, weights)


def _number(cell: str | None) -> float:
    """The number that a cell names, by the house's rule of what one is; else NaN."""
    return float(cell.replace(" ", "")) if cell is not None and _NUMBER.fullmatch(cell) else np.nan


def _numeric(numbers: Values, missing: NDArray[np.bool_], weights: Counts) -> Values:
    finite = np.isfinite(numbers)
    known = finite & (weights > 0)
    size = np.abs(numbers[known]).max() or 1.0  # nothing overflows between -1 and 1
    values, occurring = numbers[known] / size, weights[known]
    low, middle, high = np.quantile(values, [0.25, 0.5, 0.75], weights=occurring, method="inverted_cdf")
    apart = values - middle
    unit = high - low or sqrt(np.average((apart - np.average(apart, weights=occurring)) ** 2, weights=occurring))
    with np.errstate(over="ignore"):
        moved = numbers[finite] / size - middle
        scaled = np.clip(moved / unit, -_FARTHEST, _FARTHEST) if unit else np.sign(moved)
    columns = np.column_stack([np.zeros(len(numbers)), missing, ~finite & ~missing])
    columns[finite, 0] = scaled
    return columns


def _categorical(cells: Sequence[str | None], weights: Counts) -> Values:
    tally = Counter[str]()
    for cell, weight in zip(cells, weights.tolist(), strict=True):
        if cell is not None and weight:
            tally[cell] += weight
    commonest = sorted(tally, key=lambda cell: (-tally[cell], cell))[:CATEGORIES]
    places: dict[str | None, int] = {cell: place for place, cell in enumerate(commonest)}
    places[None] = len(commonest)
    indicators = np.eye(len(places) + 1) * sqrt(0.5)
    return indicators[[places.get(cell, len(places)) for cell in cells]]


def _varying(columns: Values) -> Values:
    return columns[:, np.ptp(columns, axis=0) > 0]
