"""The rows of one facet by value, group, label and prediction: what is counted of them, and how it adds up."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from monitor_tasks.profiles.coded import ALL, VALUE_LIMIT, Coded, Codes

PAIR_LIMIT = 65_536
"""With more pairs of facet and group value the groups are not kept."""
STATES = 5
"""Of a label or a prediction, as a cell has them."""

_DENSE = 1 << 22

Cell = tuple[str | None, str | None, int, int]
"""Facet value and group value, None where missing; label and prediction: 0 is none, else 1, +1 where the cell has a
named value, +2 where it is above the named number."""


@dataclass(frozen=True)
class FacetCounts:
    """The rows of a table by facet value, group value, label and prediction; any two of the same facet add up."""

    cells: Mapping[Cell, int] | None = field(default_factory=dict)
    """None past 1,024 different facet values."""
    grouped: bool = True
    """False once there are too many groups to keep: then every cell's group value is None."""

    @classmethod
    def of(cls, value: Coded | None, group: Coded | None, states: Codes) -> Self:
        """The rows by facet value, group value and outcomes; None stands for too many values or groups."""
        if value is None:
            return cls(None, grouped=False)
        known = group or ALL
        codes = (value.codes * len(known.texts) + known.codes) * STATES**2 + states
        found, counts = _tally(codes, len(value.texts) * len(known.texts) * STATES**2)
        pairs, outcomes = np.divmod(found, STATES**2)
        cells: dict[Cell, int] = {}
        for pair, outcome, count in zip(pairs.tolist(), outcomes.tolist(), counts.tolist(), strict=True):
            texts = value.texts[pair // len(known.texts)], known.texts[pair % len(known.texts)]
            cell = (*texts, *divmod(outcome, STATES))
            cells[cell] = cells.get(cell, 0) + count  # the text "inf" and a number too large to hold are one value
        return cls(cells, grouped=group is not None)._within_limits()

    def __add__(self, other: Self) -> Self:
        if self.cells is None or other.cells is None:
            return type(self)(None, grouped=False)
        mine, theirs = self, other
        if mine.grouped != theirs.grouped:
            mine, theirs = mine._without_groups(), theirs._without_groups()
        total = dict(mine.cells or {})
        for cell, count in (theirs.cells or {}).items():
            total[cell] = total.get(cell, 0) + count
        return type(self)(total, mine.grouped)._within_limits()

    @property
    def values(self) -> list[str]:
        """The facet values of labelled rows, sorted."""
        return sorted({cell[0] for cell in self.cells or () if cell[0] is not None and cell[2]})

    def outcomes(self, values: Sequence[str], label: int, prediction: int) -> NDArray[np.int64]:
        """Labelled rows by (value, group, label, prediction): rows of no such value last, of no group first.

        `label` and `prediction` say what is positive: 1 for a named value, 2 for more than the named number. The last
        two axes are negative, positive and none, negative, positive.
        """
        cells = [cell for cell in self.cells or () if cell[2]]
        groups = [None, *sorted({cell[1] for cell in cells if cell[1] is not None})]
        line: dict[str | None, int] = {value: index for index, value in enumerate(values)}
        place = {group: index for index, group in enumerate(groups)}
        counts = np.zeros((len(values) + 1, len(groups), 2, 3), np.int64)
        for cell in cells:
            value, group, actual, predicted = cell
            outcome = 1 + bool((predicted - 1) & prediction) if predicted else 0
            at = (line.get(value, len(values)), place[group], int(bool((actual - 1) & label)), outcome)
            counts[at] += (self.cells or {})[cell]
        return counts

    def to_dict(self) -> dict[str, Any]:
        """The counts as plain values for JSON, in canonical order."""
        return {"grouped": self.grouped, "cells": _lines(self.cells)}

    @classmethod
    def from_dict(cls, known: Mapping[str, Any]) -> Self:
        """The counts that ``to_dict`` gave."""
        lines = known["cells"]
        cells = None if lines is None else {(line[0], line[1], line[2], line[3]): line[4] for line in lines}
        return cls(cells, known["grouped"])

    def _without_groups(self) -> Self:
        total: dict[Cell, int] = {}
        for (value, _, label, predicted), count in (self.cells or {}).items():
            total[value, None, label, predicted] = total.get((value, None, label, predicted), 0) + count
        return type(self)(total, grouped=False)

    def _within_limits(self) -> Self:
        values, groups = ({cell[axis] for cell in self.cells or ()} - {None} for axis in (0, 1))
        pairs = {cell[:2] for cell in self.cells or ()}
        if len(values) > VALUE_LIMIT:
            return type(self)(None, grouped=False)
        if self.grouped and (len(groups) > VALUE_LIMIT or len(pairs) > PAIR_LIMIT):
            return self._without_groups()
        return self


def _tally(codes: Codes, size: int) -> tuple[Codes, Codes]:
    """The different codes, all below `size`, and how often each occurs."""
    if size > _DENSE:
        found, counts = np.unique(codes, return_counts=True)
        return found, counts.astype(np.int64)
    counts = np.bincount(codes, minlength=1)
    found = np.flatnonzero(counts)
    return found, counts[found]


def _lines(cells: Mapping[Cell, int] | None) -> list[Any] | None:
    """The cells in their order, missing values first, each with its count."""
    if cells is None:
        return None
    ordered = sorted(cells, key=lambda cell: (*((text is not None, text or "") for text in cell[:2]), *cell[2:]))
    return [[*cell, cells[cell]] for cell in ordered]
