"""The KLL sketch value by value, as a reader of the contract would write it down."""

import math


class PlainSketch:
    """The rule of the contract, value by value, as a reader would write it down."""

    def __init__(self) -> None:
        self.levels: list[list[float]] = [[]]
        self.compactions, self.offsets = [0], [0]

    def capacity(self, height: int) -> int:
        return 2 * (math.ceil(2048 * math.pow(0.64, height) / 2) + 1)

    def add(self, value: float) -> None:
        self.levels[0].append(value)
        if sum(map(len, self.levels)) > sum(map(self.capacity, range(len(self.levels)))):
            self.compact()

    def compact(self) -> None:
        height = next(h for h, level in enumerate(self.levels) if len(level) >= self.capacity(h))
        if height + 1 == len(self.levels):
            self.levels.append([])
            self.compactions.append(0)
            self.offsets.append(0)
        if self.compactions[height] % 2 == 1:
            self.offsets[height] = 1 - self.offsets[height]
        level = self.levels[height]
        even = len(level) - len(level) % 2
        self.levels[height + 1].extend(sorted(level[:even])[self.offsets[height] :: 2])
        self.levels[height] = level[even:]
        self.compactions[height] += 1
