"""What the cells of captured records are called: outputs first, and no two columns alike."""

import re
from collections.abc import Collection, Iterable
from typing import NamedTuple

from monitor_tasks.tables.csv_shapes import Form

Places = dict[str, int]
"""The cells of one side, by number, under their final names."""


class Naming(NamedTuple):
    """How the cells of a window are named."""

    outputs: tuple[str, ...]
    """What cells of outputs without a name are called; empty: by their position."""
    inputs: tuple[str, ...]
    before: int
    """How many cells without a name the outputs have: positions of inputs begin there."""
    known: tuple[Collection[str], Collection[str]]
    """The names of either side that may be columns."""

    def of(self, outputs: Form, inputs: Form) -> tuple[Places, Places]:
        """Where each column of a row stands; an input that bears an output's name, or one of ours, says so.

        >>> Naming((), (), 1, ((), {"a", "_c0"})).of(1, ("a", "_c0"))
        ({'_c0': 0}, {'a': 0, 'input._c0': 1})
        """
        first = _apart(self._numbered(outputs, self.outputs, 0, self.known[0]), ())
        return first, _apart(self._numbered(inputs, self.inputs, self.before, self.known[1]), first)

    def columns(self, found: Iterable[tuple[Places, Places]]) -> list[str]:
        """The columns of all rows: of either side those with a set name, positions by number, the others by name."""
        sides: tuple[set[str], set[str]] = (set(), set())
        for places in found:
            for side, names in zip(sides, places, strict=True):
                side.update(names)
        columns: list[str] = []
        for wanted, side in zip((self.outputs, self.inputs), sides, strict=True):
            known = {*columns, *self.outputs, *self.inputs}
            columns += [*wanted, *sorted(side - known, key=_natural)]
        return columns

    @staticmethod
    def _numbered(form: Form, names: tuple[str, ...], start: int, known: Collection[str]) -> Places:
        if isinstance(form, tuple):
            return {name: number for number, name in enumerate(form) if name in known}
        return {name: number for number, name in enumerate(names[:form] or [f"_c{start + at}" for at in range(form)])}


def free(name: str, prefix: str, taken: Collection[str]) -> str:
    """The name, with the prefix as often as it is taken.

    >>> free("a", "input.", {"a", "input.a"})
    'input.input.a'
    """
    while name in taken:
        name = prefix + name
    return name


def _apart(side: Places, others: Collection[str]) -> Places:
    """The side's cells under names that neither the others bear nor our own columns, which begin with ``@``."""
    named = {name: number for name, number in side.items() if name not in others and not name.startswith("@")}
    for name in sorted(side.keys() - named.keys()):
        plain = f"input{name}" if name.startswith("@") else f"input.{name}"
        named[free(plain, "input.", {*named, *others})] = side[name]
    return named


def _natural(name: str) -> tuple[int, int, str]:
    """Positional names in order of their number, before all others."""
    position = re.fullmatch(r"_c(\d{1,9})", name, re.ASCII)
    return (0, int(position[1]), name) if position else (1, 0, name)
