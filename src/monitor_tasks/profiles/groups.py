"""Outcomes by facet, label and prediction: how the rows of every group were labelled and predicted."""

import hashlib
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple, Self

import numpy as np
import orjson
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from monitor_tasks.profiles.cells import FRACTIONAL, INTEGRAL, Cells, as_text
from monitor_tasks.value import UserError

VALUE_LIMIT = 1_024
"""A facet with more different values is not counted; a group variable with more is not kept."""
PAIR_LIMIT = 65_536
"""With more pairs of facet and group value the groups are not kept."""
FEW = 10
"""A column of at most as many different whole numbers names categories, however short it is."""
SELECTED, OTHER = "selected", "other"

_STATES = 5
_DENSE = 1 << 22

Named = Sequence[str | float]
Cell = tuple[str | None, str | None, int, int]
"""Facet value and group value, None where missing; label and prediction: 0 is none, else 1, +1 where the cell has a
named value, +2 where it is above the named number."""
Codes = NDArray[np.int64]


def value_text(value: str | float) -> str:
    """A cell as text: 1, 1.0 and "1.00" are the same value.

    >>> value_text(1.0), value_text("1.00"), value_text(0.5), value_text("A201")
    ('1', '1', '0.5', 'A201')
    """
    if isinstance(value, str):
        if not re.match(f"{INTEGRAL}|{FRACTIONAL}", value):
            return value
        value = float(value.replace(" ", ""))
    return str(int(value)) if float(value).is_integer() and abs(value) < 1e15 else repr(float(value))


def subject_of(facet: str, value: str) -> str:
    """The name of one group: ``facet=value``; an interval's upper end, which moves with the rows, is called max.

    Only ``%`` and ``=`` of the facet's name are written as ``%25`` and ``%3D``, so the first ``=`` ends it.

    >>> subject_of("Sex", "0"), subject_of("a=b", "1,2"), subject_of("Age", "(40.0, 75.0]")
    ('Sex=0', 'a%3Db=1,2', 'Age=(40, max]')
    """
    if interval := re.fullmatch(r"\(([^,]+), [^\],]+\]", value):
        value = f"({value_text(interval[1])}, max]"
    return f"{facet.replace('%', '%25').replace('=', '%3D')}={value}"


def parse_subject(subject: str) -> tuple[str, str]:
    """The facet and the value that a subject names.

    >>> parse_subject("a%3Db=1,2")
    ('a=b', '1,2')
    """
    facet, _, value = subject.partition("=")
    return facet.replace("%3D", "=").replace("%25", "%"), value


class Mark(NamedTuple):
    """Which cells of a column are meant: those of some values, or, where one number is named, those above it."""

    values: tuple[str, ...]
    threshold: float | None

    @classmethod
    def of(cls, named: Named) -> "Mark":
        """The mark that settings name; a number may be a value or a threshold, text is a value."""
        number = named[0] if len(named) == 1 and not isinstance(named[0], str) else None
        return cls(tuple(map(value_text, named)), None if number is None else float(number))

    @property
    def meant(self) -> frozenset[str]:
        """The values, and the truth values that 1 and 0 stand for."""
        return frozenset(self.values) | {truth for one, truth in (("1", "true"), ("0", "false")) if one in self.values}


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


@dataclass(frozen=True)
class Numbers:
    """The labelled rows of a column on which one number was named: tells a value from a threshold; any two add up."""

    count: int = 0
    """Cells that are finite numbers."""
    fractions: int = 0
    """Of these the ones that are written with a fraction, or of a floating type."""
    others: int = 0
    """Cells that are text or truth values."""
    values: Mapping[str, int] | None = field(default_factory=dict)
    """The finite numbers by value; None past 1,024 different ones."""
    maximum: float | None = None

    def __add__(self, other: Self) -> Self:
        values: Counter[str] | None = None
        if self.values is not None and other.values is not None:
            values = Counter(self.values) + Counter(other.values)
        return type(self)(
            self.count + other.count,
            self.fractions + other.fractions,
            self.others + other.others,
            None if values is None or len(values) > VALUE_LIMIT else dict(values),
            max((one for one in (self.maximum, other.maximum) if one is not None), default=None),
        )

    @property
    def plain(self) -> dict[str, Any]:
        """The values for JSON, in canonical order."""
        values = None if self.values is None else dict(sorted(self.values.items()))
        return {**vars(self), "values": values}


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
        label = _Column.of(table[asked.label])
        labels = label.states(asked.positive)
        states = labels * _STATES + _predicted(table, asked)
        group = _Column.of(table[asked.group]).by_value() if asked.group else _ALL
        facets: dict[tuple[str, float | None], FacetCounts] = {}
        columns = {} if asked.positive.threshold is None else {asked.label: label.labelled_numbers(labels)}
        for name, mark in asked.facets:
            column = _Column.of(table[name])
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


class _Coded(NamedTuple):
    """A column whose cells are numbers of a list of texts, the first of which is None for a missing cell."""

    codes: Codes
    texts: list[str | None]


_ALL = _Coded(np.zeros(1, np.int64), [None])


class _Column(NamedTuple):
    """A column by its different cells: what a cell is, is asked once for all that are alike."""

    codes: Codes
    """Which of the different cells; the last one is a missing cell."""
    numbers: NDArray[np.float64]
    """The different cells that are numbers; NaN for the others."""
    texts: pa.Array
    """The different cells that are text or truth values; null for the others."""
    fractional: NDArray[np.bool_]
    """The different cells that are written with a fraction, or of a floating type."""

    @classmethod
    def of(cls, column: pa.ChunkedArray) -> "_Column":
        """The column of any Arrow type; NaN is missing."""
        array = _plain(column)
        if pa.types.is_floating(array.type):  # measures repeat too seldom to be worth encoding
            numbers = np.append(array.to_numpy(zero_copy_only=False).astype(np.float64) + 0.0, np.nan)
            nothing = pa.nulls(len(numbers), pa.string())
            return cls(np.arange(len(array)), numbers, nothing, np.full(len(numbers), fill_value=True))
        encoded = array.dictionary_encode()
        different = encoded.dictionary
        codes = encoded.indices.fill_null(len(different)).to_numpy(zero_copy_only=False).astype(np.int64)
        if pa.types.is_integer(different.type):
            numbers = np.append(different.to_numpy(zero_copy_only=False).astype(np.float64), np.nan)
            return cls(codes, numbers, pa.nulls(len(numbers), pa.string()), np.full(len(numbers), fill_value=False))
        return cls(codes, *_told_apart(as_text(different)))

    @property
    def present(self) -> NDArray[np.bool_]:
        """Which of the different cells are not missing."""
        return ~np.isnan(self.numbers) | self._is_text

    @property
    def _is_text(self) -> NDArray[np.bool_]:
        return np.asarray(self.texts.is_valid().to_numpy(zero_copy_only=False))

    def states(self, mark: Mark) -> Codes:
        """Each row's outcome: 0 missing, else 1, +1 where the value is meant, +2 where it is above the number."""
        named = [float(value) for value in mark.values if re.fullmatch(f"{INTEGRAL}|{FRACTIONAL}", value)]
        texts = pc.is_in(self.texts, pa.array(sorted(mark.meant), pa.string())).to_numpy(zero_copy_only=False)
        states = 1 + (np.isin(self.numbers, named) | (texts & self._is_text)).astype(np.int64)
        if mark.threshold is not None:
            states += 2 * (self.numbers > mark.threshold)
        return np.where(self.present, states, 0)[self.codes]

    def by_value(self) -> _Coded | None:
        """The cells by value; None past 1,024 different ones."""
        is_number, is_text = ~np.isnan(self.numbers), self._is_text
        values, places = np.unique(self.numbers[is_number], return_inverse=True)
        if len(values) + is_text.sum() > VALUE_LIMIT:
            return None
        code = np.zeros(len(self.numbers), np.int64)
        code[is_number] = 1 + places
        code[is_text] = 1 + len(values) + np.arange(is_text.sum())
        texts = self.texts.drop_null().to_pylist()
        return _Coded(code[self.codes], [None, *map(value_text, values.tolist()), *texts])

    def labelled_numbers(self, labels: Codes) -> Numbers:
        """What tells whether a number named on the column is a value or a threshold."""
        counts = np.bincount(self.codes[labels > 0], minlength=len(self.numbers))
        finite = np.isfinite(self.numbers) & (counts > 0)
        if not finite.any():
            return Numbers(others=int(counts[self._is_text].sum()))
        values, places = np.unique(self.numbers[finite], return_inverse=True)
        known = None
        if len(values) <= VALUE_LIMIT:
            sums = np.bincount(places, weights=counts[finite]).astype(np.int64).tolist()
            known = dict(zip(map(value_text, values.tolist()), sums, strict=True))
        fractions, others = counts[finite & self.fractional].sum(), counts[self._is_text].sum()
        return Numbers(int(counts[finite].sum()), int(fractions), int(others), known, float(values[-1]))

    def by_threshold(self, threshold: float) -> _Coded:
        """The cells above a number, and the others."""
        code = np.where(self.present, np.where(self.numbers > threshold, 1, 2), 0)
        return _Coded(code[self.codes], [None, SELECTED, OTHER])


def _told_apart(texts: pa.Array) -> tuple[NDArray[np.float64], pa.Array, NDArray[np.bool_]]:
    """The numbers, the other texts, and which are fractions, with a missing cell at the end of each."""
    fractional = pc.match_substring_regex(texts, FRACTIONAL)
    numeric = pc.or_(fractional, pc.match_substring_regex(texts, INTEGRAL))
    numbers = np.full(len(texts) + 1, np.nan)
    numbers[:-1][numeric.to_numpy(zero_copy_only=False)] = Cells.of(texts).numbers
    others = pa.concat_arrays([pc.if_else(numeric, None, texts), pa.nulls(1, pa.string())])
    return numbers, others, np.append(fractional.to_numpy(zero_copy_only=False), False)


def _check(table: pa.Table, asked: Asked) -> None:
    wanted = (asked.label, asked.predicted, *(name for name, _ in asked.facets), *filter(None, (asked.group,)))
    if missing := [name for name in dict.fromkeys(wanted) if name not in table.column_names]:
        known, lacking = (", ".join(map(repr, names)) for names in (table.column_names, missing))
        raise UserError(
            f"there is no column {lacking}; the table has {known}: "
            "correct the names in the bias section, or have the column captured"
        )


def _plain(column: pa.ChunkedArray) -> pa.Array:
    """The column as one array that Arrow can encode: numbers, truth values or text."""
    array = column.combine_chunks()
    if pa.types.is_dictionary(array.type):
        array = array.dictionary_decode()
    kind = array.type
    if pa.types.is_string(kind) or pa.types.is_boolean(kind) or pa.types.is_integer(kind) or pa.types.is_floating(kind):
        return array
    if pa.types.is_nested(kind):
        return pa.array([None if value is None else str(value) for value in array.to_pylist()], pa.string())
    return pc.cast(array, pa.string())


def _predicted(table: pa.Table, asked: Asked) -> Codes:
    """Each row's prediction as an outcome; a probability stands for class 1 where it is larger, else for class 0."""
    column = _Column.of(table[asked.predicted])
    if asked.probability_threshold is None:
        return column.states(asked.positive)
    positive = column.numbers > asked.probability_threshold
    if "0" in asked.positive.values and "1" not in asked.positive.values:
        positive = ~positive
    return np.where(np.isnan(column.numbers), 0, np.where(positive, 4, 1))[column.codes]


def _count(value: _Coded | None, group: _Coded | None, states: Codes) -> FacetCounts:
    """The rows by facet value, group value and outcomes."""
    if value is None:
        return FacetCounts(None, grouped=False)
    known = group or _ALL
    codes = (value.codes * len(known.texts) + known.codes) * _STATES**2 + states
    found, counts = _tally(codes, len(value.texts) * len(known.texts) * _STATES**2)
    pairs, outcomes = np.divmod(found, _STATES**2)
    cells = {
        (value.texts[pair // len(known.texts)], known.texts[pair % len(known.texts)], *divmod(outcome, _STATES)): count
        for pair, outcome, count in zip(pairs.tolist(), outcomes.tolist(), counts.tolist(), strict=True)
    }
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
