"""Payloads of JSON of one shape: the same keys and brackets around plain values, cut at the commas between them."""

import re
from collections.abc import Mapping
from typing import Any, NamedTuple, Self

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from monitor_tasks.inputs import Records
from monitor_tasks.tables.csv_shapes import WIDEST, Form
from monitor_tasks.tables.marks import (
    FIRST_PRINTED,
    Bytes,
    Mask,
    Places,
    between,
    bytes_of,
    counts,
    firsts,
    in_one_piece,
    places_of,
    stand,
)
from monitor_tasks.tables.payloads import Unusable, by_shape, compiled, documents, rows_in

MARK = "\\u0000"
VALUE = r"""^(?:-?[0-9][0-9.eE+-]*|true|false|null|"[^"\\]*")$"""

VALUES = 1 << 18
"""Values whose places are held at once."""

_TOKEN = re.compile(r'"[^"]*"(?P<key>\s*:)?|[^\s,:{}\[\]"]+')


class Json(NamedTuple):
    """JSON of the same keys and brackets around its plain values."""

    before: tuple[str, ...]
    after: tuple[str, ...]
    """What stands around each value, up to the comma."""
    form: Form
    numbers: tuple[tuple[int, ...], ...]
    """For every row the numbers of the values that are its cells."""
    are_numbers: tuple[bool, ...]
    """For every value whether it is a number; a number may be missing."""
    drops_nulls: bool
    """Whether a missing value may change which others are found."""

    @property
    def rows(self) -> int:
        """How many rows each text has."""
        return len(self.numbers)

    @classmethod
    def of(cls, text: str, paths: Mapping[str, str], settings: Records) -> Self | None:
        """The shape of a text that was read before."""
        text = text.rstrip("\r\n")
        if re.search(r"[\\\n\r\t]", text) or not all(by_shape(compiled(path).parsed) for path in paths.values()):
            return None
        tokens = [found for found in _TOKEN.finditer(text) if not found["key"]]
        ends = [0, *(end for found in tokens for end in found.span()), len(text)]
        first, *others = (text[start:end] for start, end in zip(ends[::2], ends[1::2], strict=True))
        outside = first + "".join(others[-1:]) + "".join(found[0] for found in tokens)
        if not 0 < len(tokens) <= WIDEST or "," in outside or any(one.count(",") != 1 for one in others[:-1]):
            return None
        marked = "".join(f'{one}"{MARK}{number}"' for number, one in enumerate([first, *others[:-1]])) + others[-1]
        try:
            rows = [row for one in documents(marked, settings.limits.depth) for row in rows_in(one, paths)]
            numbers = tuple(tuple(map(_number, row.values() if isinstance(row, dict) else row)) for row in rows)
        except (Unusable, ValueError):
            return None
        forms: set[Form] = {tuple(row) if isinstance(row, dict) else len(row) for row in rows}
        if len(forms) != 1 or (len(rows) > 1 and not settings.split_rows):
            return None
        are_numbers = tuple(found[0][0] in "-0123456789" for found in tokens)
        before, after = zip(*(one.split(",") for one in others[:-1]), strict=True) if others[:-1] else ((), ())
        return cls((first, *after), (*before, others[-1]), forms.pop(), numbers, are_numbers, bool(paths))

    def values(self, _: str) -> dict[str, Any]:
        """The values of the query's parts."""
        return {}

    def fits(self, side: str) -> str:
        """Whether the text may have this shape, as far as that is not seen better from all texts together."""
        return f"json_valid({side}_text)" + (f" and not contains({side}_text, 'null')" if self.drops_nulls else "")

    def line(self, side: str) -> str:
        """The whole text, as a line."""
        return f"{side}_text || chr(10)"

    def lines(self, texts: pa.StringArray) -> pa.StringArray:
        """Whole texts, as lines."""
        return pc.binary_join_element_wise(texts, "\n", "")

    def taken(self, lines: pa.ChunkedArray) -> tuple[list[pa.ChunkedArray], Mask]:
        """The cells of the texts that have this shape, whose rows follow each other, and which these are."""
        whole, at_once = in_one_piece(lines), max(VALUES // len(self.before), 1)
        starts = range(0, max(len(whole), 1), at_once)
        cells, fits = zip(*(self._taken(whole.slice(start, at_once)) for start in starts), strict=True)
        return [pa.chunked_array(column, pa.string()) for column in zip(*cells, strict=True)], np.concatenate(fits)

    def _taken(self, lines: pa.StringArray) -> tuple[list[pa.Array], Mask]:
        """The same for texts whose places can be held."""
        content, bounds = bytes_of(lines)
        commas = places_of(content, ord(","))
        first = firsts(commas, bounds)
        fits = np.diff(first) == len(self.before) - 1
        fits &= counts(np.flatnonzero(content < FIRST_PRINTED), bounds) == 1
        starts, ends = self._pieces(commas, first[:-1][fits], bounds[:-1][fits], bounds[1:][fits])
        alike = self._are_alike(content, starts, ends)
        if not alike.all():
            starts, ends = starts[alike], ends[alike]
            fits[fits] = alike
        values, are_values = list[pa.Array](), np.ones(len(starts), bool)
        for texts, is_number in zip(between(content, starts, ends), self.are_numbers, strict=True):
            found, is_value = _numbers(texts) if is_number else _plain_values(texts)
            are_values &= is_value
            values.append(found)
        if not are_values.all():
            fits[fits] = are_values
            values = [one.filter(pa.array(are_values)) for one in values]
        return self._cells(values), fits

    def _pieces(self, commas: Places, first: Places, begins: Places, ends: Places) -> tuple[Places, Places]:
        """Where the values of lines of so many commas begin and end, if they are as they should be; a row for each."""
        inner = commas[first[:, None] + np.arange(len(self.before) - 1)]
        lefts = np.column_stack([begins, inner + 1]) + [len(one.encode()) for one in self.before]
        rights = np.column_stack([inner, ends - 1]) - [len(one.encode()) for one in self.after]
        return lefts, rights

    def _are_alike(self, content: Bytes, starts: Places, ends: Places) -> Mask:
        """In which rows what should stand around the values does."""
        alike: Mask = np.logical_and.reduce(starts < ends, axis=1)
        for number, (before, after) in enumerate(zip(self.before, self.after, strict=True)):
            rows = slice(None) if alike.all() else alike
            alike[rows] = stand(content, starts[rows, number] - len(before.encode()), before.encode())
            rows = slice(None) if alike.all() else alike
            alike[rows] = stand(content, ends[rows, number], after.encode())
        return alike

    def _cells(self, values: list[pa.Array]) -> list[pa.Array]:
        """The cells that are values, those of several rows after each other."""
        if self.rows == 1:
            return [values[number] for number in self.numbers[0]]
        order = pa.array(np.arange(len(values[0]) * self.rows).reshape(self.rows, -1).T.ravel())
        return [
            pa.concat_arrays([values[number] for number in column]).take(order)
            for column in zip(*self.numbers, strict=True)
        ]


def _numbers(values: pa.StringArray) -> tuple[pa.StringArray, Mask]:
    """Numbers as they are, null as missing; and whether they are such. JSON they are: so their ends tell.

    DuckDB's JSON knows nan and inf, which Python's does not. No value is empty.
    """
    content, bounds = bytes_of(values)
    first, last = content[bounds[:-1]], content[bounds[1:] - 1]
    second = content.take(bounds[:-1] + 1, mode="clip") if len(content) else first
    fits = (_is_digit(first) | (first == ord("-")) & _is_digit(second)) & _is_digit(last)
    if fits.all():
        return values, fits
    is_null = pc.equal(values, "null")
    return pc.if_else(is_null, None, values), fits | is_null.to_numpy(zero_copy_only=False)


def _is_digit(byte: NDArray[np.uint8]) -> Mask:
    return (byte >= ord("0")) & (byte <= ord("9"))


def _plain_values(values: pa.StringArray) -> tuple[pa.StringArray, Mask]:
    """Numbers, texts without their quotes and truth values as they are, null as missing; and whether they are such."""
    fits = pc.match_substring_regex(values, VALUE)
    inner = pc.if_else(pc.starts_with(values, '"'), pc.utf8_slice_codeunits(values, 1, -1), values)
    return pc.if_else(pc.equal(values, "null"), None, inner), fits.to_numpy(zero_copy_only=False)


def _number(cell: str | None) -> int:
    """The number of the value that a marked cell is."""
    if cell is None or not cell.startswith("\0"):
        raise ValueError("the cell is not one plain value")
    return int(cell[1:])
