"""The KLL sketch by deequ's deterministic rule: a column's numbers in their order, thinned out level by level."""

from dataclasses import dataclass
from itertools import accumulate
from math import ceil
from typing import Self

import numpy as np
from numpy.typing import NDArray

Numbers = NDArray[np.float64]

SKETCH_SIZE = 2048
SHRINKING_FACTOR = 0.64

_CAPACITY = [2 * (ceil(SKETCH_SIZE * SHRINKING_FACTOR**height / 2) + 1) for height in range(64)]
_CAPACITY_UP_TO = list(accumulate(_CAPACITY))
_NOTHING: Numbers = np.empty(0)


@dataclass(frozen=True, eq=False, slots=True)
class KLLSketch:
    """A column's numbers thinned out by deequ's deterministic KLL rule (contract data-quality.md, section 1).

    >>> KLLSketch().extended(np.array([3.0, 1.0])).levels[0].tolist()
    [3.0, 1.0]
    """

    levels: tuple[Numbers, ...] = (_NOTHING,)
    """Level i holds numbers that stand for 2**i each; the first is in the order of arrival."""
    compactions: tuple[int, ...] = (0,)
    """How often each level was compacted; it decides which half is passed on."""

    @property
    def count(self) -> int:
        """Numbers that went in: compaction keeps the total weight."""
        return sum(len(level) << height for height, level in enumerate(self.levels))

    @property
    def weights(self) -> NDArray[np.int64]:
        """What each item stands for, in the order of ``np.concatenate(levels)``."""
        return np.repeat(1 << np.arange(len(self.levels)), [len(level) for level in self.levels])

    def extended(self, numbers: Numbers) -> Self:
        """The sketch after `numbers`, one after the other; any split of them gives the same sketch."""
        levels, compactions = list(self.levels), list(self.compactions)
        size, start = sum(map(len, levels)), 0
        while start < len(numbers):
            taken = numbers[start : start + _CAPACITY_UP_TO[len(levels) - 1] - size + 1]
            levels[0] = np.concatenate([levels[0], taken])
            start += len(taken)
            size += len(taken)
            if size > _CAPACITY_UP_TO[len(levels) - 1]:
                size -= _compact(levels, compactions)
        return type(self)(tuple(levels), tuple(compactions))


def _compact(levels: list[Numbers], compactions: list[int]) -> int:
    """Halve the first full level into the next one; how many items went away."""
    height = next(height for height, level in enumerate(levels) if len(level) >= _CAPACITY[height])
    if height + 1 == len(levels):
        levels.append(_NOTHING)
        compactions.append(0)
    level, offset = levels[height], (compactions[height] + 1) // 2 % 2
    even = len(level) // 2 * 2
    # Above the first level the items arrive in sorted runs, which a merging sort (numpy's "stable") only joins.
    ordered = np.sort(level[:even], kind="stable" if height else "quicksort")
    levels[height + 1] = np.concatenate([levels[height + 1], ordered[offset::2]])
    levels[height] = level[even:].copy()
    compactions[height] += 1
    return even // 2
