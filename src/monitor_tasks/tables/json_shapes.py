"""Payloads of JSON of one shape: the same keys and brackets around plain values, taken apart as lines of CSV."""

import re
from collections.abc import Mapping
from typing import Any, NamedTuple, Self

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from monitor_tasks.endpoint import Records
from monitor_tasks.tables.csv_shapes import WIDEST, Form, content_of, read_lines
from monitor_tasks.tables.files import LONGEST_ROW
from monitor_tasks.tables.marks import Mask, bytes_of, have
from monitor_tasks.tables.payloads import Unusable, by_shape, compiled, documents, rows_in

MARK = "\\u0000"
VALUE = r"""^(?:-?[0-9][0-9.eE+-]*|true|false|null|"[^"\\]*")$"""

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

    def sifted(self, lines: pa.ChunkedArray) -> Mask:
        """Which of the texts have this shape, looked at one by one."""
        fits = have(lines, {",": len(self.before) - 1, "\n": 1, "\r": 0})
        if fits.any():
            fits[fits] = self._taken(read_lines(content_of(lines.filter(pa.array(fits))), len(self.before)))[1]
        return fits

    def finished(self, lines: pa.ChunkedArray) -> list[pa.ChunkedArray] | None:
        """The cells of all texts, whose rows follow each other; None where one of them has another shape after all."""
        if not len(lines):
            return [pa.chunked_array([], pa.string())] * len(self.numbers[0])
        try:
            pieces = read_lines(content_of(lines), len(self.before))
        except pa.ArrowInvalid:
            return None
        if pieces.num_rows != len(lines):
            return None
        values, fits = self._taken(pieces)
        if not fits.all():
            return None
        found = [values[number] for row in self.numbers for number in row]
        if self.rows == 1:
            return found
        width = len(self.numbers[0])
        order = pa.array(np.arange(len(lines) * self.rows).reshape(self.rows, -1).T.ravel())
        columns = [[chunk for column in found[number::width] for chunk in column.chunks] for number in range(width)]
        return [pa.chunked_array(column, pa.string()).take(order) for column in columns]

    def _taken(self, pieces: pa.Table) -> tuple[list[pa.ChunkedArray], Mask]:
        """The values without what stands around them, and which texts have this shape."""
        fits, columns = np.ones(pieces.num_rows, bool), list[pa.ChunkedArray]()
        for piece, before, after, is_number in zip(
            pieces.columns, self.before, self.after, self.are_numbers, strict=True
        ):
            inner = [_inside(chunk, before, after) for chunk in piece.chunks]
            values = pa.chunked_array([value for value, _ in inner], pa.string())
            fits &= np.concatenate([np.ones(0, bool), *(stands for _, stands in inner)])
            values, is_value = _numbers(values) if is_number else _plain_values(values)
            fits &= is_value
            columns.append(values)
        return columns, fits


def _inside(pieces: pa.StringArray, before: str, after: str) -> tuple[pa.StringArray, Mask]:
    """What stands between two texts, and whether it does."""
    stands = pc.and_(pc.starts_with(pieces, before), pc.ends_with(pieces, after))
    stands = pc.and_(stands, pc.greater(pc.binary_length(pieces), len(before) + len(after)))
    fits = stands.to_numpy(zero_copy_only=False)
    if not fits.all():
        pieces = pc.if_else(stands, pieces, before + after)
    end = -len(after.encode()) or LONGEST_ROW
    return pc.binary_slice(pieces.view(pa.binary()), len(before.encode()), end).view(pa.string()), fits


def _numbers(values: pa.ChunkedArray) -> tuple[pa.ChunkedArray, Mask]:
    """Numbers as they are, null as missing; and whether they are such. JSON they are: so their ends tell.

    DuckDB's JSON knows nan and inf, which Python's does not.
    """
    first, second, last = (
        np.concatenate([np.zeros(0, np.uint8), *(_bytes(chunk, place) for chunk in values.chunks)])
        for place in (0, 1, -1)
    )
    fits = (_is_digit(first) | (first == ord("-")) & _is_digit(second)) & _is_digit(last)
    if fits.all():
        return values, fits
    is_null = pc.equal(values, "null")
    return pc.if_else(is_null, None, values), fits | is_null.to_numpy()


def _bytes(values: pa.StringArray, place: int) -> NDArray[np.uint8]:
    """A byte of each value, by its place from the beginning or the end; 0 where it is not so long."""
    content, bounds = bytes_of(values)
    if not len(content):
        return np.zeros(len(values), np.uint8)
    starts = bounds[:-1] if place >= 0 else bounds[1:]
    found = content.take(starts + place, mode="clip")
    return np.where(np.diff(bounds) > max(place, -1 - place), found, np.uint8(0))


def _is_digit(byte: NDArray[np.uint8]) -> Mask:
    return (byte >= ord("0")) & (byte <= ord("9"))


def _plain_values(values: pa.ChunkedArray) -> tuple[pa.ChunkedArray, Mask]:
    """Numbers, texts without their quotes and truth values as they are, null as missing; and whether they are such."""
    fits = pc.match_substring_regex(values, VALUE)
    inner = pc.if_else(pc.starts_with(values, '"'), pc.utf8_slice_codeunits(values, 1, -1), values)
    return pc.if_else(pc.equal(values, "null"), None, inner), fits.to_numpy()


def _number(cell: str | None) -> int:
    """The number of the value that a marked cell is."""
    if cell is None or not cell.startswith("\0"):
        raise ValueError("the cell is not one plain value")
    return int(cell[1:])
