"""Numbers counted between the edges of a baseline: fast to count, sparse to keep, two arrays to add."""

from base64 import b64encode
from binascii import a2b_base64
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

Numbers = NDArray[np.float64]
Places = NDArray[np.int64]

_CELLS = 1 << 16
_BATCH = 1 << 17
_FEW = 4_096
"""So many numbers are searched for one by one: a table would not pay."""
_STEPS = 3
"""So many edges of one cell are passed one by one; in cells with more a number is searched for."""


@dataclass(frozen=True, eq=False)
class Bins(Mapping[str, int]):
    """How many numbers fell in each bin, by the bin's number as text; empty bins are left out, and any two add up.

    >>> dict(Bins.of(np.array([0, 3, 0])) + Bins.of(np.array([1])))
    {'0': 2, '1': 1, '3': 1}
    """

    places: Places = field(default_factory=lambda: np.zeros(0, np.int64))
    """The bins' numbers, rising."""
    counts: Places = field(default_factory=lambda: np.zeros(0, np.int64))

    @classmethod
    def of(cls, places: Places, counts: Places | None = None) -> Self:
        """The bins of numbers that fell in these places, each of them once or as often as `counts` says."""
        return cls.of_all(np.bincount(places, counts).astype(np.int64))

    @classmethod
    def of_mapping(cls, counts: Mapping[str, int]) -> "Bins":
        """The bins of counts by the bin's number as text."""
        if isinstance(counts, Bins):
            return counts
        places = np.array(sorted(map(int, counts)), np.int64)
        return cls(places, np.array([counts[str(place)] for place in places], np.int64))

    @classmethod
    def of_all(cls, counts: Places) -> Self:
        """The bins of counts of all of them, the empty ones among them."""
        places = (counts != 0).nonzero()[0]
        return cls(places, counts[places])

    @classmethod
    def sum_of(cls, many: Sequence[Self]) -> Self:
        """The bins of all of them together."""
        counts = np.zeros(1 + max((int(one.places[-1]) for one in many if len(one.places)), default=-1), np.int64)
        for one in many:
            counts[one._reach] += one.counts
        return cls.of_all(counts)

    def __add__(self, other: Self) -> Self:
        return self.sum_of([self, other])

    @property
    def _reach(self) -> slice | Places:
        """The bins' numbers as an index: a span of neighbours is faster to add to than numbers one by one."""
        count = len(self.places)
        if not count:
            return slice(0)
        span = slice(int(self.places[0]), int(self.places[-1]) + 1)
        return span if span.stop - span.start == count else self.places

    def __getitem__(self, bin_: str) -> int:
        place = int(np.searchsorted(self.places, int(bin_)))
        if place == len(self.places) or str(self.places[place]) != bin_:
            raise KeyError(bin_)
        return int(self.counts[place])

    def __iter__(self) -> Iterator[str]:
        return map(str, self.places.tolist())

    def __len__(self) -> int:
        return len(self.places)

    def __eq__(self, other: object) -> bool:
        if isinstance(other, Bins):
            return np.array_equal(self.places, other.places) and np.array_equal(self.counts, other.counts)
        return super().__eq__(other)

    def __hash__(self) -> int:
        return hash((self.places.tobytes(), self.counts.tobytes()))

    def to_dict(self) -> dict[str, Any]:
        """The bins as plain values: a bit a bin, set where it is filled, and the counts, as wide as the largest one."""
        filled = np.zeros(self.places[-1] + 1 if len(self) else 0, np.bool_)
        filled[self.places] = True
        width = np.min_scalar_type(int(self.counts.max(initial=0))).itemsize
        counts = self.counts.astype(f"<u{width}").tobytes()
        return {"filled": _text(np.packbits(filled).tobytes()), "width": width, "counts": _text(counts)}

    @classmethod
    def from_dict(cls, known: Mapping[str, Any]) -> "Bins":
        """The bins that ``to_dict`` gave; those of the first form were counts by the bin's number."""
        if "counts" not in known:
            return cls.of_mapping(known)
        return cls(
            _places(known["filled"]), np.frombuffer(a2b_base64(known["counts"]), f"<u{known['width']}").astype(np.int64)
        )


class Grid:
    """Tells the bins of numbers: a table says how many edges lie before a small cell, so few are left to compare.

    The cells are narrow around the edges' median and wider with the distance from it, so edges seldom share one,
    whatever the shape of the numbers. Which cell a number lies in never falls as the number grows, rounding included;
    so the bins are exactly those of a search among all edges.
    """

    def __init__(self, edges: Numbers) -> None:
        self.edges = edges

    def bins(self, numbers: Numbers) -> Bins:
        """The finite `numbers` by bin: ``searchsorted(edges, numbers, "left")``."""
        counts = np.zeros(len(self.edges) + 1, np.int64)
        for places in self._batches(numbers):
            counts += np.bincount(places, minlength=len(counts))
        return Bins.of_all(counts)

    def places(self, numbers: Numbers) -> NDArray[np.intp]:
        """The bin of each of the finite `numbers`."""
        return np.concatenate([np.zeros(0, np.intp), *self._batches(numbers)])

    def _batches(self, numbers: Numbers) -> Iterator[NDArray[np.intp]]:
        """The bins' numbers, batch by batch: a batch stays in the processor's cache."""
        if len(numbers) < _FEW or len(self.edges) < 2:
            yield np.searchsorted(self.edges, numbers, "left")
            return
        with np.errstate(over="ignore"):
            for start in range(0, len(numbers), _BATCH):
                yield self._places(numbers[start : start + _BATCH])

    def _places(self, numbers: Numbers) -> NDArray[np.intp]:
        before, crowded, steps, bounds = self._table
        cells = self._cells(numbers)
        places = before.take(cells).astype(np.intp)
        for _ in range(steps):
            places += bounds.take(places) < numbers
        if crowded is not None:
            unsure = np.flatnonzero(crowded.take(cells))
            places[unsure] = np.searchsorted(self.edges, numbers[unsure], "left")
        return places

    @cached_property
    def _table(self) -> tuple[NDArray[Any], NDArray[np.bool_] | None, int, Numbers]:
        """By cell: the edges before it, and whether it has more than a few; how many at most, and what they are."""
        counts = np.bincount(self._cells(self.edges), minlength=_CELLS)
        most = int(counts.max())
        before = (np.cumsum(counts) - counts).astype(np.min_scalar_type(len(self.edges)))
        crowded = counts > _STEPS if most > _STEPS else None
        return before, crowded, min(most, _STEPS), np.append(self.edges, np.inf)

    @cached_property
    def _shape(self) -> tuple[np.float64, np.float64]:
        """The edges' median, and how far from it half of them are."""
        middle = self.edges[len(self.edges) // 2]
        return middle, np.median(np.abs(self.edges - middle))

    @cached_property
    def _span(self) -> tuple[float, float]:
        """The first edge's key, and how many cells a key is."""
        first, last = self._keys(self.edges[[0, -1]])
        return first, (_CELLS - 1) / (last - first) if last > first else 0.0

    def _keys(self, numbers: Numbers) -> Numbers:
        """A rising function of numbers: near the median in proportion to the distance from it, far away to its log.

        The bits of a positive double, read as a whole number, are such a logarithm.
        """
        middle, spread = self._shape
        distances = numbers - middle
        keys = ((np.abs(distances) + spread).view(np.int64) - spread.view(np.int64)).astype(np.float64)
        return np.copysign(keys, distances, out=keys)

    def _cells(self, numbers: Numbers) -> NDArray[np.intp]:
        first, scale = self._span
        cells = self._keys(numbers)
        cells -= first
        cells *= scale
        return np.clip(cells, 0, _CELLS - 1, out=cells).astype(np.intp)


@lru_cache(maxsize=256)
def _places(filled: str) -> Places:
    """The places of the bits that are set; the hours of an endpoint mostly fill the same bins."""
    places = np.unpackbits(np.frombuffer(a2b_base64(filled), np.uint8)).view(np.bool_).nonzero()[0]
    places.flags.writeable = False
    return places


def _text(content: bytes) -> str:
    return b64encode(content).decode("ascii")
