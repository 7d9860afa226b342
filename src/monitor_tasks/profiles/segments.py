"""Segments: what is remembered of a table as a whole, and of its rows by the values of some columns."""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import pairwise
from math import inf
from typing import Any, ClassVar, NamedTuple, Self

import numpy as np
import orjson
import pyarrow as pa

from monitor_tasks.profiles.coded import Coded, Column, value_text
from monitor_tasks.profiles.scores import NUMBER
from monitor_tasks.value import known_version

VALUE_LIMIT = 32
"""A column with more different values is not counted by them."""
MISSING, NO_NUMBER = "(missing)", "(no number)"
"""What the segment of missing cells is called, and among numbers that are cut that of all other cells."""

Parts = Mapping[str, Any]
"""The profile of the rows of each value."""


class Segmented(NamedTuple):
    """A column whose values part the rows, and where it is cut if it is one of numbers."""

    column: str
    cuts: tuple[float, ...] = ()

    def coded(self, cells: pa.ChunkedArray) -> Coded | None:
        """The segment of every row; None where the column has more different values than can be told apart."""
        column = Column.of(cells)
        if not self.cuts:
            known = column.by_value()
            return None if known is None else known._replace(texts=[MISSING, *known.texts[1:]])
        is_number = ~np.isnan(column.numbers)
        place = 2 + np.searchsorted(self.cuts, column.numbers)
        codes = np.where(is_number, place, np.where(column.present, 1, 0))
        return Coded(codes[column.codes], [MISSING, NO_NUMBER, *interval_names(self.cuts)])

    def ordered(self, values: Iterable[str]) -> list[str]:
        """The values as a person lists them: numbers by their size, then texts; missing cells last.

        >>> Segmented("age", (30.0,)).ordered(["(missing)", "over 30", "up to 30"]), Segmented("n").ordered(["10", "9"])
        (['up to 30', 'over 30', '(missing)'], ['9', '10'])
        """
        names = interval_names(self.cuts) if self.cuts else []
        place = {name: float(index) for index, name in enumerate(names)}
        numbers = {value: place.get(value, float(value) if re.match(NUMBER, value) else inf) for value in values}
        return sorted(numbers, key=lambda value: (value == MISSING, numbers[value], value))


def interval_names(cuts: tuple[float, ...]) -> list[str]:
    """What the numbers between the cuts are called; an interval is open on the left and closed on the right.

    >>> interval_names((30.0, 45.5))
    ['up to 30', '30 to 45.5', 'over 45.5']
    """
    texts = [value_text(cut) for cut in cuts]
    return [f"up to {texts[0]}", *(f"{low} to {high}" for low, high in pairwise(texts)), f"over {texts[-1]}"]


@dataclass(frozen=True)
class SegmentProfile:
    """What is remembered of a table as a whole and by segment; any two of the same segments add up."""

    SCHEMA_VERSION: ClassVar[int] = 1

    whole: Any
    """The profile of all rows."""
    columns: Mapping[Segmented, Parts | None] = field(default_factory=dict)
    """The profiles of the rows of each value; None past 32 different ones. Nothing where there are no rows."""

    @classmethod
    def of(
        cls,
        table: pa.Table,
        cells: Mapping[Segmented, pa.ChunkedArray],
        profile: Callable[[pa.Table], Any],
        of_part: Callable[[pa.Table], Any] | None = None,
    ) -> Self:
        """The profile of an Arrow table that has rows; `cells` says what parts it, `of_part` makes a part's profile.

        Left out, parts are profiled as the whole is. The rows are copied once a column, in the order of their values.
        """
        made = of_part or profile
        return cls(profile(table), {one: _parts(table, one.coded(column), made) for one, column in cells.items()})

    @property
    def rows(self) -> int:
        """All rows."""
        return int(self.whole.rows)

    def __add__(self, other: Self) -> Self:
        """The profile of both tables.

        Raises:
            ValueError: the two have rows and are of different segments.
        """
        whole = self.whole + other.whole
        if not self.rows or not other.rows:
            return type(self)(whole, self.columns if self.rows else other.columns)
        if self.columns.keys() != other.columns.keys():
            mine, theirs = (", ".join(one.column for one in side.columns) or "none" for side in (self, other))
            raise ValueError(f"profiles of different segments do not add: {mine} and {theirs}")
        return type(self)(whole, {one: _sum(parts, other.columns[one]) for one, parts in self.columns.items()})

    def to_json(self) -> bytes:
        """The profile as canonical JSON: equal profiles give equal bytes."""
        columns = [
            {"column": one.column, "cuts": one.cuts, "values": None if parts is None else dict(_texts(parts))}
            for one, parts in self.columns.items()
        ]
        return orjson.dumps(
            {"schema_version": self.SCHEMA_VERSION, "whole": orjson.Fragment(self.whole.to_json()), "segments": columns}
        )

    @classmethod
    def from_json(cls, text: bytes, kind: Any) -> Self:
        """The profile that ``to_json`` wrote, its parts being of a `kind`; such a part alone has no segments."""
        stored = orjson.loads(text)
        if "segments" not in stored:
            return cls(kind.from_json(text))
        known_version(stored, cls)
        columns = {
            Segmented(one["column"], tuple(one["cuts"])): None if one["values"] is None else {
                value: kind.from_json(orjson.dumps(part)) for value, part in one["values"].items()
            }
            for one in stored["segments"]
        }  # fmt: skip
        return cls(kind.from_json(orjson.dumps(stored["whole"])), columns)


def _parts(table: pa.Table, coded: Coded | None, profile: Callable[[pa.Table], Any]) -> Parts | None:
    """The profile of the rows of each value that occurs; None where there are too many."""
    if coded is None:
        return None
    counts = np.bincount(coded.codes, minlength=len(coded.texts))
    if len({coded.texts[code] for code in np.flatnonzero(counts)} - {MISSING}) > VALUE_LIMIT:
        return None
    ends = np.cumsum(counts)
    ordered = table.take(pa.array(np.argsort(coded.codes, kind="stable")))
    found: dict[str, Any] = {}
    for text, end, rows in zip(coded.texts, ends.tolist(), counts.tolist(), strict=True):
        if rows and text is not None:
            part = profile(ordered.slice(end - rows, rows))
            found[text] = found[text] + part if text in found else part  # a cell may be called as missing ones are
    return found


def _sum(mine: Parts | None, theirs: Parts | None) -> Parts | None:
    if mine is None or theirs is None:
        return None
    total = {**mine, **{value: mine[value] + part if value in mine else part for value, part in theirs.items()}}
    return total if len(total.keys() - {MISSING}) <= VALUE_LIMIT else None


def _texts(parts: Parts) -> Iterator[tuple[str, orjson.Fragment]]:
    for value in sorted(parts):
        yield value, orjson.Fragment(parts[value].to_json())
