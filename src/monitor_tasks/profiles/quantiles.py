"""The edges of a baseline that is too long to be held: its numbers are counted in cells, which are split where full.

A cell is a span of doubles whose leading bits are alike. Every pass over the rows counts the numbers in parts of the
cells that the pass before found full, until a part holds one value only, or less than 1/4,096 of its column's numbers.
Two passes do for most columns. Counts add up, so neither the order nor the split of the rows matters.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Self

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from monitor_tasks.profiles.batches import column_by_column
from monitor_tasks.profiles.cells import Cells
from monitor_tasks.profiles.columns import STEPS, Edges

Numbers = NDArray[np.float64]
Keys = NDArray[np.uint64]
"""Doubles by their bits, so turned that a larger number is a larger key."""
Places = NDArray[np.int64]
Read = Callable[[Sequence[str] | None], Iterable[pa.Table | pa.RecordBatch]]
"""The rows, or some of their columns, batch by batch; it may be asked several times."""

FULL = 1 / 4_096
"""A part of several values is full from this share of its column's numbers: a bin has at most a step and two parts."""
_FINE = 1 << 14
"""A full cell is split as all numbers would be into so many parts."""
_FIRST_BITS = 13
"""The first pass goes by sign, exponent, and one bit of the mantissa."""
_SIGN = np.uint64(1 << 63)
_LARGEST = np.finfo(np.float64).max


def edges_of(read: Read) -> Edges:
    """The edges of every column that holds finite numbers; its rows are read several times, few at a time.

    A bin that is not one value's own holds less than 0.001 of the numbers, as one of exact quantiles does.
    """
    trees = _grown({}, read(None))
    while names := [name for name, tree in trees.items() if tree.is_open]:
        trees |= _grown(trees, read(names))
    return Edges({name: tree.edges for name, tree in sorted(trees.items())})


@dataclass(frozen=True, eq=False)
class Split:
    """Cells that are counted by their parts: how each of them is split by its next bits."""

    starts: Keys
    """The smallest key of each cell."""
    shifts: Keys
    """How many bits of a key tell nothing of the part it is in, by cell."""
    offsets: Places
    """Where the parts of each cell begin among all; the end of the last one's comes last."""
    cells: Places
    """By part of the split before, which of the cells it is; -1 for those that are not split."""

    def parts(self, keys: Keys, cells: Places | int) -> Places:
        """Which part of its cell each of the keys is in."""
        return self.offsets[cells] + ((keys - self.starts[cells]) >> self.shifts[cells]).astype(np.int64)

    @cached_property
    def spans(self) -> tuple[Keys, Keys]:
        """The smallest key of every part, and how many bits of its keys are free."""
        sizes = np.diff(self.offsets)
        shifts = np.repeat(self.shifts, sizes)
        places = np.arange(self.offsets[-1]) - np.repeat(self.offsets[:-1], sizes)
        return np.repeat(self.starts, sizes) + (places.astype(np.uint64) << shifts), shifts


@dataclass(frozen=True, eq=False)
class Tally:
    """How many numbers are in each part; any two of the same split add up."""

    counts: Places
    samples: Keys
    """One of the keys in each part."""
    mixed: NDArray[np.bool_]
    """Whether a part holds different keys."""

    @classmethod
    def of(cls, parts: Places, keys: Keys, size: int) -> Self:
        """The tally of keys in their parts."""
        samples, mixed = np.zeros(size, np.uint64), np.zeros(size, np.bool_)
        samples[parts] = keys
        mixed[parts[samples[parts] != keys]] = True
        return cls(np.bincount(parts, minlength=size), samples, mixed)

    def __add__(self, other: Self) -> Self:
        filled = self.counts > 0
        differ = filled & (other.counts > 0) & (self.samples != other.samples)
        samples = np.where(filled, self.samples, other.samples)
        return type(self)(self.counts + other.counts, samples, self.mixed | other.mixed | differ)


_WHOLE = Split(
    starts=np.zeros(1, np.uint64),
    shifts=np.array([64 - _FIRST_BITS], np.uint64),
    offsets=np.array([0, 1 << _FIRST_BITS]),
    cells=np.zeros(1, np.int64),
)


@dataclass(frozen=True, eq=False)
class Tree:
    """One column's numbers, counted in parts of parts."""

    splits: tuple[Split, ...] = (_WHOLE,)
    tallies: tuple[Tally, ...] = ()
    """One for each split but the last, which is counted next; for each of them once no part is full."""

    @property
    def is_open(self) -> bool:
        """Whether another pass has to count."""
        return len(self.splits) > len(self.tallies)

    def count(self, numbers: Numbers) -> Tally | None:
        """The tally of the last split's parts; None of no finite number."""
        keys = _keys(numbers[np.isfinite(numbers)])
        if not len(keys):
            return None
        parts = self.splits[0].parts(keys, 0)
        for split in self.splits[1:]:
            cells = split.cells[parts]
            inside = cells >= 0
            keys = keys[inside]
            parts = split.parts(keys, cells[inside])
        return Tally.of(parts, keys, int(self.splits[-1].offsets[-1]))

    def after(self, tally: Tally) -> "Tree":
        """The tree after a pass, with the parts that it found full as the next to be split."""
        grown = Tree(self.splits, (*self.tallies, tally))
        full = np.flatnonzero(grown._is_full(tally))
        if not len(full):
            return grown
        starts, shifts = (span[full] for span in self.splits[-1].spans)
        bits = np.frexp(tally.counts[full] / grown.total * _FINE)[1].astype(np.uint64)
        bits = np.minimum(bits, shifts)
        cells = np.full(len(tally.counts), -1)
        cells[full] = np.arange(len(full))
        offsets = np.concatenate([[0], np.cumsum(1 << bits.astype(np.int64))])
        return Tree((*self.splits, Split(starts, shifts - bits, offsets, cells)), grown.tallies)

    @property
    def total(self) -> int:
        """All numbers."""
        return int(self.tallies[0].counts.sum())

    @property
    def edges(self) -> Numbers:
        """The edges that cut the numbers in up to 2,048 steps; a value that fills more than one has its own bin."""
        values, counts = self._leaves
        steps = np.linspace(0, self.total - 1, min(STEPS, self.total)).round().astype(np.int64)
        edges, repeats = np.unique(values[np.searchsorted(np.cumsum(counts), steps, side="right")], return_counts=True)
        heavy = edges[repeats > 1]
        return np.unique(np.concatenate([edges, np.nextafter(heavy[heavy > -_LARGEST], -np.inf)]))

    @property
    def _leaves(self) -> tuple[Numbers, Places]:
        """The parts that hold numbers and were not split, in order: each one's value, or its largest, and its count."""
        keys, counts = [], []
        for split, tally in zip(self.splits, self.tallies, strict=True):
            leaves = np.flatnonzero((tally.counts > 0) & ~self._is_full(tally))
            starts, shifts = (span[leaves] for span in split.spans)
            last = starts + ((np.uint64(1) << shifts) - np.uint64(1))
            keys.append(np.where(tally.mixed[leaves], last, tally.samples[leaves]))
            counts.append(tally.counts[leaves])
        order = np.argsort(np.concatenate(keys))
        return _numbers(np.concatenate(keys)[order]), np.concatenate(counts)[order]

    def _is_full(self, tally: Tally) -> NDArray[np.bool_]:
        return tally.mixed & (tally.counts > self.total * FULL)


def _grown(trees: Mapping[str, Tree], batches: Iterable[pa.Table | pa.RecordBatch]) -> dict[str, Tree]:
    """The trees of the batches' columns after one more pass."""

    def count(name: str, column: pa.ChunkedArray) -> Tally | None:
        return trees.get(name, Tree()).count(Cells.of(column).numbers)

    sums: dict[str, Tally] = {}
    for _, found in column_by_column(count, batches):
        for name, tally in found.items():
            if tally is not None:
                sums[name] = sums[name] + tally if name in sums else tally
    return {name: trees.get(name, Tree()).after(tally) for name, tally in sums.items()}


def _keys(numbers: Numbers) -> Keys:
    bits = numbers.view(np.int64)
    return bits.view(np.uint64) ^ ((bits >> 63).view(np.uint64) | _SIGN)


def _numbers(keys: Keys) -> Numbers:
    turned = (keys ^ _SIGN).view(np.int64) >> 63
    return (keys ^ (turned.view(np.uint64) | _SIGN)).view(np.float64)
