"""The payloads of one shape: how DuckDB and a CSV reader take all of them apart at once."""

import re
from collections.abc import Mapping
from typing import Any, NamedTuple, Self

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from monitor_tasks.endpoint import Records
from monitor_tasks.tables.files import read_rows
from monitor_tasks.tables.payloads import (
    Unusable,
    by_shape,
    compiled,
    documents,
    kind_of,
    rows_in,
    rows_of_csv,
    rows_of_json,
    text_of,
)

Form = tuple[str, ...] | int
"""What the cells of one side are called; or how many there are, where they have no names."""

GAPS = ("^,", ",,", r",\n")
"""What the line of a row with an empty cell holds, one or another."""
WIDEST = 1024
"""Cells up to which a shape is worth its query."""

_TOKEN = re.compile(r'"[^"]*"(?P<key>\s*:)?|[^\s,:{}\[\]"]+')


class Text(NamedTuple):
    """How a payload's text is written."""

    kind: str
    encoding: str
    tail: str
    """The ends of lines behind it."""

    @classmethod
    def of(cls, payload: Mapping[str, Any]) -> Self:
        """How the payload is written."""
        text = text_of(payload)
        return cls(kind_of(payload), payload["encoding"], text[len(text.rstrip("\r\n")) :])

    def decoded(self, side: str, careful: bool) -> str:
        """The whole text."""
        if self.encoding != "BASE64":
            return f"{side}_data"
        return f"try(decode(from_base64({side}_data)))" if careful else f"decode(from_base64({side}_data))"

    def trimmed(self, side: str) -> str:
        """The text without its tail."""
        return f"{side}_whole[:{-len(self.tail) - 1}]" if self.tail else f"{side}_whole"

    def known(self, side: str) -> str:
        """Whether the text is written in this way."""
        said = f"{side}_encoding = '{self.encoding}' and {side}_whole is not null"
        said += f" and ends_with({side}_whole, ${side}_tail)" if self.tail else ""
        if self.encoding != "BASE64":
            return said
        return f"{said} and {'not ' if self.kind == 'CSV' else ''}coalesce(contains({side}_type, 'json'), false)"


class Csv(NamedTuple):
    """One row of so many cells: a CSV reader takes all of them apart together."""

    form: int
    has_gaps: bool
    """Whether cells may be empty."""
    has_quotes: bool
    """Whether cells may be in quotes, with commas but no end of a line in them."""

    @property
    def rows(self) -> int:
        """How many rows each text has."""
        return 1

    @classmethod
    def of(cls, text: str) -> Self | None:
        """The shape of a text that was read; None for one that has several rows."""
        found = rows_of_csv(text)
        width = len(found[0])
        if len(found) > 1 or width > WIDEST:
            return None
        has_quotes = '"' in text
        return cls(width, has_quotes or None in found[0], has_quotes)

    def values(self, side: str) -> dict[str, Any]:
        """The values of the query's parts."""
        cell = r'([^",\r\n]*|"([^"\r\n]|"")*")'
        return {f"{side}_row": f"{cell}(,{cell}){{{self.form - 1}}}"} if self.has_quotes else {}

    def split(self, _: str) -> str:
        """What is done with the text first."""
        return ""

    def pieces(self, _: str) -> list[str]:
        """What is done then."""
        return []

    def fits(self, side: str) -> str:
        """Whether the text has this shape, as far as that is not seen better from all texts together."""
        text = f"{side}_text"
        if self.has_quotes:
            return f"{text} <> '' and regexp_full_match({text}, ${side}_row)"
        marks = ("','", "'\"'", "chr(10)", "chr(13)") if self._is_cell else ()
        return " and ".join([f"{text} <> ''", *(f"not contains({text}, {mark})" for mark in marks)])

    def sifted(self, cells: list[pa.ChunkedArray]) -> pa.ChunkedArray | None:
        """Which of the texts have this shape, looked at one by one; None where the query has seen it."""
        (lines,) = cells
        if self.has_quotes or self._is_cell:
            return None
        odd = pc.match_substring_regex(lines, "|".join(['["\\r]', r"\n.", *(() if self.has_gaps else GAPS)]))
        fits = pc.and_not(pc.equal(pc.count_substring(lines, ","), self.form - 1), odd)
        return pc.fill_null(fits, False)

    def cells(self, side: str) -> list[str]:
        """The whole text, as a line."""
        return [f"{side}_text" if self._is_cell else f"{side}_text || chr(10)"]

    def finished(self, cells: list[pa.ChunkedArray]) -> list[pa.ChunkedArray] | None:
        """The cells of all texts; None where one of them has another shape after all."""
        (lines,) = cells
        if self._is_cell:
            return cells
        if not len(lines):
            return [pa.chunked_array([], pa.string())] * self.form
        text = lines.combine_chunks()
        start, end = (np.frombuffer(text.buffers()[1], np.int32)[text.offset + place] for place in (0, len(text)))
        content = text.buffers()[2].slice(int(start), int(end - start))
        names = [str(number) for number in range(self.form)]
        if self.has_quotes:
            return list(read_rows(content, names).columns)
        if _count(content, '"') or _count(content, "\r") or _count(content, "\n") > len(lines):
            return None
        try:
            found = read_rows(content, names, is_plain=True, has_gaps=self.has_gaps)
        except pa.ArrowInvalid:
            return None
        return None if not self.has_gaps and any(_has_gaps(column) for column in found.columns) else list(found.columns)

    @property
    def _is_cell(self) -> bool:
        return self.form == 1 and not self.has_quotes


def _count(content: pa.Buffer, mark: str) -> int:
    return int(np.count_nonzero(np.frombuffer(content, np.uint8) == ord(mark)))


def _has_gaps(column: pa.ChunkedArray) -> bool:
    return any(
        not np.diff(np.frombuffer(one.buffers()[1], np.int32)[one.offset :][: len(one) + 1]).all()
        for one in column.chunks
    )


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

    def values(self, side: str) -> dict[str, Any]:
        """The values of the query's parts."""
        opened = sum(one.count("[") + one.count("{") for one in self.before)
        values: dict[str, Any] = {f"{side}_opened": opened, f"{side}_value": VALUE}
        values |= {f"{side}_before_{number}": before for number, before in enumerate(self.before)}
        return values | {f"{side}_after_{number}": after for number, after in enumerate(self.after)}

    def split(self, side: str) -> str:
        """What is done with the text first."""
        return f", string_split({side}_text, ',') as {side}_split"

    def pieces(self, side: str) -> list[str]:
        """What is done then."""
        pieces = []
        for number, (before, after) in enumerate(zip(self.before, self.after, strict=True)):
            piece = f"{side}_split[{number + 1}]"
            stands = f"starts_with({piece}, ${side}_before_{number})"
            stands += f" and ends_with({piece}, ${side}_after_{number})" if after else ""
            inner = f"{piece}[{len(before) + 1}:{-len(after) - 1 if after else ''}]"
            pieces.append(f"case when {stands} then {inner} end as {side}_value_{number}")
        return pieces

    def fits(self, side: str) -> str:
        """Whether the text has this shape."""
        fits = [f"len({side}_split) = {len(self.before)}", PLAIN_JSON.format(side=side)]
        for number, is_number in enumerate(self.are_numbers):
            fits.append(
                (NUMBER if is_number else "regexp_full_match({0}, ${1}_value)").format(f"{side}_value_{number}", side)
            )
        fits += [f"not contains({side}_text, 'null')"] if self.drops_nulls else []
        return " and ".join(fits)

    def cells(self, side: str) -> list[str]:
        """The cells, row by row."""
        forms = ["nullif({0}, 'null')" if is_number else CELL for is_number in self.are_numbers]
        return [forms[number].format(f"{side}_value_{number}") for row in self.numbers for number in row]

    def sifted(self, _: list[pa.ChunkedArray]) -> None:
        """Which of the texts have this shape: the query has seen it."""

    def finished(self, cells: list[pa.ChunkedArray]) -> list[pa.ChunkedArray]:
        """The cells of all texts that fit; their rows follow each other."""
        if self.rows == 1:
            return cells
        width = len(self.numbers[0])
        order = pa.array(np.arange(len(cells[0]) * self.rows).reshape(self.rows, -1).T.ravel())
        columns = [[chunk for column in cells[number::width] for chunk in column.chunks] for number in range(width)]
        return [pa.chunked_array(column, pa.string()).take(order) for column in columns]


Payload = Csv | Json


MARK = "\\u0000"
PLAIN_JSON = r"""
not contains({side}_text, '\') and not contains({side}_text, chr(10)) and not contains({side}_text, chr(13))
and not contains({side}_text, chr(9)) and not contains({side}_text, ' ,') and not contains({side}_text, ' }}')
and not contains({side}_text, ' ]') and json_valid({side}_text)
and strlen({side}_text) - strlen(replace(replace({side}_text, '{{', ''), '[', '')) = ${side}_opened
"""
VALUE = r"""-?[0-9][0-9.eE+-]*|true|false|null|"[^"]*\""""
# DuckDB's JSON knows nan and inf, which Python's does not; all else that a number needs, json_valid has seen.
NUMBER = "({0} >= '0' and {0} < ':' or {0} >= '-0' and {0} < '-:' or {0} = 'null')"
CELL = """
case when {0} < ':' and {0} >= '-' then {0} when starts_with({0}, '"') then {0}[2:-2] when {0} <> 'null' then {0} end
"""


def payload_of(payload: Mapping[str, Any], paths: Mapping[str, str], settings: Records) -> Payload | None:
    """The shape of a payload; None where it has none that others could have too."""
    text = text_of(payload)
    if kind_of(payload) == "CSV":
        return Csv.of(text)
    rows_of_json(text, paths, settings.limits.depth)
    return Json.of(text, paths, settings)


def _number(cell: str | None) -> int:
    """The number of the value that a marked cell is."""
    if cell is None or not cell.startswith("\0"):
        raise ValueError("the cell is not one plain value")
    return int(cell[1:])
