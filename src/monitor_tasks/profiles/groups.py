"""Outcomes by facet, label and prediction: how the rows of every group were labelled and predicted."""

import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple, Self

import numpy as np
import orjson
import pyarrow as pa
from numpy.typing import NDArray

from monitor_tasks.profiles.coded import ALL, VALUE_LIMIT, Coded, Codes, Column, Mark, Numbers, value_text
from monitor_tasks.value import UserError

PAIR_LIMIT = 65_536
"""With more pairs of facet and group value the groups are not kept."""
FEW = 10
"""A column of at most as many different whole numbers names categories, however short it is."""

_STATES = 5
_DENSE = 1 << 22

Cell = tuple[str | None, str | None, int, int]
"""Facet value and group value, None where missing; label and prediction: 0 is none, else 1, +1 where the cell has a
named value, +2 where it is above the named number."""


def subject_of(facet: str, value: str) -> str:
    """The name of one group: ``facet=value``; an interval's upper end, which moves with the rows, is called max.

    Only ``%`` and ``=`` of the facet's name are written as ``%25`` and ``%3D``, so the first ``=`` ends it.

    >>> subject_of("Sex", "0"), subject_of("a=b", "1,2"), subject_of("Age", "(40.0, 75.0]")
    ('Sex=0', 'a%3Db=1,2', 'Age=(40, max]')
    """
    if interval := re.fullmatch(r"\(([^,]+), [^\],]+\]", value):
        value = f"({value_text(interval[1])}, max]"
    return named(facet, value)


def named(column: str, value: str) -> str:
    """A column and one of its values, written as they are, so that `parse_subject` tells them apart.

    >>> named("a=b", "(1, 2]")
    'a%3Db=(1, 2]'
    """
    return f"{column.replace('%', '%25').replace('=', '%3D')}={value}"


def parse_subject(subject: str) -> tuple[str, str]:
    """The facet and the value that a subject names.

    >>> parse_subject("a%3Db=1,2")
    ('a=b', '1,2')
    """
    facet, _, value = subject.partition("=")
    return facet.replace("%3D", "=").replace("%25", "%"), value


class Asked(NamedTuple):
    """What is counted of a table: its outcome columns, its facets and its subgroups."""

    label: str
    positive: Mark
    predicted: str
    probability_threshold: float | None
    facets: tuple[tuple[str, Mark], ...]
    group: str | None = None

    @property
    def id(self) -> str:
        """Hash of all of it; profiles counted otherwise refuse to add."""
        return hashlib.sha256(orjson.dumps(self, default=list)).hexdigest()


@dataclass(frozen=True)
class FacetCounts:
    """The rows of a table by facet value, group value, label and prediction; any two of the same facet add up."""

    cells: Mapping[Cell, int] | None = field(default_factory=dict)
    """None past 1,024 different facet values."""
    grouped: bool = True
    """False once there are too many groups to keep: then every cell's group value is None."""

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


Facets = Mapping[tuple[str, float | None], FacetCounts]


@dataclass(frozen=True)
class GroupProfile:
    """What is remembered of a table's outcomes by group; any two that were counted alike add up."""

    rows: int = 0
    counted: str = ""
    """Hash of what was asked; empty where nothing was."""
    facets: Facets = field(default_factory=dict)
    """By column and, where cells above a number are told from the others, that number."""
    columns: Mapping[str, Numbers] = field(default_factory=dict)
    """The columns on which one number was named."""

    @classmethod
    def of(cls, table: pa.Table, asked: Asked) -> Self:
        """The profile of an Arrow table; rows whose label is missing are kept apart.

        Raises:
            UserError: the table lacks a column that is asked for.
        """
        _check(table, asked)
        label = Column.of(table[asked.label])
        labels = label.states(asked.positive)
        states = labels * _STATES + _predicted(table, asked)
        group = Column.of(table[asked.group]).by_value() if asked.group else ALL
        facets: dict[tuple[str, float | None], FacetCounts] = {}
        columns = {} if asked.positive.threshold is None else {asked.label: label.labelled_numbers(labels)}
        for name, mark in asked.facets:
            column = Column.of(table[name])
            facets[name, None] = _count(column.by_value(), group, states)
            if mark.threshold is not None:
                facets[name, mark.threshold] = _count(column.by_threshold(mark.threshold), group, states)
                columns[name] = column.labelled_numbers(labels)
        return cls(table.num_rows, asked.id, facets, columns)

    def __add__(self, other: Self) -> Self:
        """The profile of both tables.

        Raises:
            ValueError: the two were not counted alike.
        """
        if not self.counted or not other.counted:
            return self if self.counted else other
        if self.counted != other.counted:
            raise ValueError(f"profiles counted otherwise do not add: {self.counted[:12]} and {other.counted[:12]}")
        return type(self)(
            self.rows + other.rows,
            self.counted,
            {key: mine + other.facets[key] for key, mine in self.facets.items()},
            {name: mine + other.columns[name] for name, mine in self.columns.items()},
        )

    def is_scale(self, name: str, mark: Mark) -> bool:
        """Whether the number named on a column is a threshold: the labelled rows hold many numbers, or not whole ones.

        Source: contract bias.md, section 1: at least 0.05 different ones a row (and, so that a short table of ten
        codes is none, more than ten).
        """
        column = self.columns.get(name, Numbers())
        if mark.threshold is None or column.others or not column.count:
            return False
        if column.values is None or not all(map(_whole, (*column.values, *mark.values))):
            return True
        return len(column.values) > FEW and len(column.values) / column.count >= 0.05

    def interval(self, name: str, threshold: float) -> str:
        """The numbers above a threshold as Clarify writes them: ``(0.5, 1.0]`` (contract bias.md, section 1)."""
        column = self.columns.get(name, Numbers())
        ends = sorted({threshold, threshold if column.maximum is None else column.maximum})
        if not column.fractions and all(end.is_integer() for end in ends):
            return f"({', '.join(str(int(end)) for end in ends)}]"
        return f"({', '.join(repr(end) for end in ends)}]"

    def to_json(self) -> bytes:
        """The profile as canonical JSON: equal profiles give equal bytes."""
        facets = [
            {"name": name, "threshold": threshold, "grouped": counts.grouped, "cells": _lines(counts.cells)}
            for (name, threshold), counts in self.facets.items()
        ]
        columns = {name: column.plain for name, column in self.columns.items()}
        known = {"schema_version": 1, "rows": self.rows, "counted": self.counted, "facets": facets, "columns": columns}
        return orjson.dumps(known)

    @classmethod
    def from_json(cls, text: bytes) -> Self:
        """The profile that ``to_json`` wrote."""
        known = orjson.loads(text)
        facets = {(one["name"], one["threshold"]): _facet(one) for one in known["facets"]}
        columns = {name: Numbers(**column) for name, column in known["columns"].items()}
        return cls(known["rows"], known["counted"], facets, columns)


def _check(table: pa.Table, asked: Asked) -> None:
    wanted = (asked.label, asked.predicted, *(name for name, _ in asked.facets), *filter(None, (asked.group,)))
    if missing := [name for name in dict.fromkeys(wanted) if name not in table.column_names]:
        known, lacking = (", ".join(map(repr, names)) for names in (table.column_names, missing))
        raise UserError(
            f"there is no column {lacking}; the table has {known}: "
            "correct the names in the bias section, or have the column captured"
        )


def _predicted(table: pa.Table, asked: Asked) -> Codes:
    """Each row's prediction as an outcome; a probability stands for class 1 where it is larger, else for class 0."""
    column = Column.of(table[asked.predicted])
    if asked.probability_threshold is None:
        return column.states(asked.positive)
    positive = column.numbers > asked.probability_threshold
    if "0" in asked.positive.values and "1" not in asked.positive.values:
        positive = ~positive
    return np.where(np.isnan(column.numbers), 0, np.where(positive, 4, 1))[column.codes]


def _count(value: Coded | None, group: Coded | None, states: Codes) -> FacetCounts:
    """The rows by facet value, group value and outcomes."""
    if value is None:
        return FacetCounts(None, grouped=False)
    known = group or ALL
    codes = (value.codes * len(known.texts) + known.codes) * _STATES**2 + states
    found, counts = _tally(codes, len(value.texts) * len(known.texts) * _STATES**2)
    pairs, outcomes = np.divmod(found, _STATES**2)
    cells: dict[Cell, int] = {}
    for pair, outcome, count in zip(pairs.tolist(), outcomes.tolist(), counts.tolist(), strict=True):
        texts = value.texts[pair // len(known.texts)], known.texts[pair % len(known.texts)]
        cell = (*texts, *divmod(outcome, _STATES))
        cells[cell] = cells.get(cell, 0) + count  # the text "inf" and a number too large to hold are one value
    return FacetCounts(cells, grouped=group is not None)._within_limits()


def _tally(codes: Codes, size: int) -> tuple[Codes, Codes]:
    """The different codes, all below `size`, and how often each occurs."""
    if size > _DENSE:
        found, counts = np.unique(codes, return_counts=True)
        return found, counts.astype(np.int64)
    counts = np.bincount(codes, minlength=1)
    found = np.flatnonzero(counts)
    return found, counts[found]


def _whole(text: str) -> bool:
    return text.lstrip("-").isdigit()


def _lines(cells: Mapping[Cell, int] | None) -> list[Any] | None:
    """The cells in their order, missing values first, each with its count."""
    if cells is None:
        return None
    ordered = sorted(cells, key=lambda cell: (*((text is not None, text or "") for text in cell[:2]), *cell[2:]))
    return [[*cell, cells[cell]] for cell in ordered]


def _facet(known: Mapping[str, Any]) -> FacetCounts:
    lines = known["cells"]
    cells = None if lines is None else {(line[0], line[1], line[2], line[3]): line[4] for line in lines}
    return FacetCounts(cells, known["grouped"])
