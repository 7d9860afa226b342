"""Payloads of JSON of one shape: the same keys and brackets around plain values, cut at the commas between them."""

import re
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, Self

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from monitor_tasks.inputs import Records
from monitor_tasks.tables.csv_shapes import WIDEST, Form
from monitor_tasks.tables.marks import Mask, bytes_of, in_one_piece
from monitor_tasks.tables.payloads import Unusable, by_shape, compiled, documents, rows_in
from monitor_tasks.tables.pieces import Piece, cut

MARK = "\\u0000"
NUMBER = r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?"
TEXT = r'[^"\\\x00-\x1f]*'
QUOTE = ('"', '\\"')
"""How a quote is written in a text of JSON, and in a text within a text of JSON."""

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
        """Whether the text may have this shape: that is seen better from all texts together."""
        return f"{side}_text <> ''"

    def line(self, side: str) -> str:
        """The whole text, as a line."""
        return f"{side}_text || chr(10)"

    @property
    def pieces(self) -> tuple[Piece, ...]:
        """What stands between the commas of a text."""
        return tuple(map(Piece, self.before, self.after))

    def taken(self, lines: pa.ChunkedArray) -> tuple[list[pa.ChunkedArray], Mask]:
        """The cells of the texts that have this shape, whose rows follow each other, and which these are."""
        fits, (_, columns, _) = cut(in_one_piece(lines), self.pieces)
        values = [piece.within(columns[number]) for number, piece in enumerate(self.pieces)]
        cells, stand = self.cells(values, escaped=False)
        fits[fits] = stand
        return cells, fits

    def cells(self, columns: Sequence[pa.StringArray], *, escaped: bool) -> tuple[list[pa.ChunkedArray], Mask]:
        """The cells of the texts whose values these are, of those that have this shape, and which these are.

        Where they are `escaped`, the texts stand within texts of JSON.
        """
        values, stand = list[pa.Array](), np.ones(len(columns[0]), bool)
        for texts, is_number in zip(columns, self.are_numbers, strict=True):
            found, is_value = _numbers(texts) if is_number else _plain_values(texts, QUOTE[escaped])
            stand &= is_value
            if self.drops_nulls and found.null_count:
                stand &= found.is_valid().to_numpy(zero_copy_only=False)
            values.append(found)
        kept = values if stand.all() else [one.filter(pa.array(stand)) for one in values]
        return [pa.chunked_array([column]) for column in self._cells(kept)], stand

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
    """Numbers as they are, null as missing; and whether they are such."""
    if _are_decimals(values):
        return values, np.ones(len(values), bool)
    is_null = pc.equal(values, "null")
    fits = pc.or_(is_null, pc.match_substring_regex(values, f"^{NUMBER}$"))
    return pc.if_else(is_null, None, values), fits.to_numpy(zero_copy_only=False)


def _are_decimals(values: pa.StringArray) -> bool:
    """Whether all are numbers without an exponent: what Arrow reads as one is such if its ends are as JSON has them."""
    content, bounds = bytes_of(values)
    if not len(content) or not (bounds[:-1] < bounds[1:]).all() or ((content | 32) == ord("e")).any():
        return not len(values)
    first, last = content[bounds[:-1]], content[bounds[1:] - 1]
    signed = first == ord("-")
    second = content.take(bounds[:-1] + 1 + signed, mode="clip")
    if signed.any():
        first = np.where(signed, content.take(bounds[:-1] + 1, mode="clip"), first)
    padded = (first == ord("0")) & _is_digit(second) & (bounds[:-1] + 1 + signed < bounds[1:])
    if padded.any() or not (_is_digit(first) & _is_digit(last)).all():
        return False
    try:
        values.cast(pa.float64())
    except pa.ArrowInvalid:
        return False
    return True


def _is_digit(byte: NDArray[np.uint8]) -> Mask:
    return byte - ord("0") < 10  # below 0 they turn into large numbers


def _plain_values(values: pa.StringArray, quote: str) -> tuple[pa.StringArray, Mask]:
    """Numbers, texts without their quotes and truth values as they are, null as missing; and whether they are such."""
    mark = re.escape(quote)
    fits = pc.match_substring_regex(values, f"^(?:{NUMBER}|true|false|null|{mark}{TEXT}{mark})$")
    size = len(quote)
    inner = pc.if_else(pc.starts_with(values, quote), pc.utf8_slice_codeunits(values, size, -size), values)
    return pc.if_else(pc.equal(values, "null"), None, inner), fits.to_numpy(zero_copy_only=False)


def _number(cell: str | None) -> int:
    """The number of the value that a marked cell is."""
    if cell is None or not cell.startswith("\0"):
        raise ValueError("the cell is not one plain value")
    return int(cell[1:])
