"""Where each of many hashes stands, asked for many hashes at once.

A dictionary of numpy arrays: a table of places, twice as long as there are hashes, by some of their bits. Of hashes
that want one cell one gets it, and the others go on to the next, smaller table by other bits of theirs.
"""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Hashes = NDArray[np.uint64]
Rows = NDArray[np.int32]

PIECE = 1 << 18
"""Hashes that are looked at together: what is noted of them stays in a processor's cache."""
NOWHERE = -1
_ODD = 0x9E3779B97F4A7C15
"""Its multiples spread the bits of a hash, each in another way (Knuth's multiplicative hashing)."""


class _Level(NamedTuple):
    """A table of places."""

    factor: np.uint64
    shift: np.uint64
    rows: Rows

    @classmethod
    def empty(cls, number: int, count: int) -> "_Level":
        """The table of a number with cells for so many hashes."""
        bits = max((2 * count - 1).bit_length(), 4)
        factor = np.uint64(_ODD * (2 * number + 1) % 2**64)
        return cls(factor, np.uint64(64 - bits), np.full(1 << bits, NOWHERE, np.int32))

    def cells(self, hashes: Hashes) -> NDArray[np.int64]:
        return ((hashes * self.factor) >> self.shift).astype(np.int64)


class HashIndex:
    """The places of hashes among those that it was made of.

    >>> index = HashIndex(np.array([7, 9, 9], np.uint64))
    >>> index.places(np.array([9, 8, 7], np.uint64)).tolist()
    [2, -1, 0]
    >>> index.repeated.tolist()
    [2]
    """

    def __init__(self, hashes: Hashes) -> None:
        """An index of less than 2^31 hashes, which it keeps: 8 bytes each, and 8 to 16 more for its tables."""
        self._hashes = hashes
        self._levels: list[_Level] = []
        rows, repeated = np.arange(len(hashes), dtype=np.int32), list[Rows]()
        while len(rows):
            level = _Level.empty(len(self._levels), len(rows))
            self._levels.append(level)
            for piece in _pieces(len(rows)):
                level.rows[level.cells(hashes[piece])] = rows[piece]
            left = list[tuple[Rows, Hashes]]()
            for piece in _pieces(len(rows)):
                there = level.rows[level.cells(hashes[piece])]
                is_left = there != rows[piece]
                there, others, own = there[is_left], rows[piece][is_left], hashes[piece][is_left]
                is_same = self._hashes[there] == own
                repeated.append(there[is_same])
                left.append((others[~is_same], own[~is_same]))
            rows, hashes = (np.concatenate(one) for one in zip(*left, strict=True))
        self.repeated: Rows = np.unique(np.concatenate([np.empty(0, np.int32), *repeated]))
        """The places of hashes that stand there more than once; of each the one place that is found."""

    def places(self, hashes: Hashes) -> Rows:
        """The place of each hash; `NOWHERE` of one that is not there."""
        found = np.full(len(hashes), NOWHERE, np.int32)
        asked: NDArray[np.int64] | None = None
        for level in self._levels:
            there = level.rows[level.cells(hashes)]
            is_it = (there != NOWHERE) & (self._hashes[there] == hashes)
            if asked is None:
                found, asked = np.where(is_it, there, found), np.flatnonzero(~is_it)
            else:
                found[asked[is_it]] = there[is_it]
                asked = asked[~is_it]
            if not len(asked):
                break
            hashes = hashes[~is_it]
        return found


def _pieces(count: int) -> Iterator[slice]:
    return (slice(start, start + PIECE) for start in range(0, count, PIECE))
