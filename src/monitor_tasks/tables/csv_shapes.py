"""Payloads of CSV of one shape: how DuckDB and a CSV reader take all of them apart at once."""

from typing import Any, NamedTuple, Self

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from monitor_tasks.tables.files import read_rows
from monitor_tasks.tables.marks import Mask, bytes_of, have, in_one_piece
from monitor_tasks.tables.payloads import rows_of_csv

Form = tuple[str, ...] | int
"""What the cells of one side are called; or how many there are, where they have no names."""

WIDEST = 1024
"""Cells up to which a shape is worth its query."""


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

    def fits(self, side: str) -> str:
        """Whether the text has this shape, as far as that is not seen better from all texts together."""
        text = f"{side}_text"
        if self.has_quotes:
            return f"{text} <> '' and regexp_full_match({text}, ${side}_row)"
        marks = ("','", "'\"'", "chr(10)", "chr(13)") if self._is_cell else ()
        return " and ".join([f"{text} <> ''", *(f"not contains({text}, {mark})" for mark in marks)])

    def line(self, side: str) -> str:
        """The whole text, as a line."""
        return f"{side}_text" if self._is_cell else f"{side}_text || chr(10)"

    def lines(self, texts: pa.StringArray) -> pa.StringArray:
        """Whole texts, as lines."""
        return texts if self._is_cell else pc.binary_join_element_wise(texts, "\n", "")

    def taken(self, lines: pa.ChunkedArray) -> tuple[list[pa.ChunkedArray], Mask]:
        """The cells of the texts that have this shape, and which these are."""
        fits = np.ones(len(lines), bool)
        if self._is_cell:
            return [lines], fits
        if self.has_quotes:
            return list(read_rows(content_of(lines), _names(self.form)).columns) if len(lines) else self._none, fits
        content = content_of(lines)
        if _count(content, '"') or _count(content, "\r") or _count(content, "\n") > len(lines):
            fits = have(lines, {"\n": 1, '"': 0, "\r": 0})
            content = content_of(lines.filter(pa.array(fits)))
        if not content.size:
            return self._none, fits
        others = list[int]()
        found = read_lines(content, self.form, others, has_gaps=self.has_gaps)
        fits[np.flatnonzero(fits)[others]] = False
        if self.has_gaps or not any(_has_gaps(column) for column in found.columns):
            return list(found.columns), fits
        whole = np.logical_and.reduce([pc.binary_length(column).to_numpy() > 0 for column in found.columns])
        fits[fits] = whole
        return list(found.filter(pa.array(whole)).columns), fits

    @property
    def _none(self) -> list[pa.ChunkedArray]:
        """The cells of no text."""
        return [pa.chunked_array([], pa.string())] * self.form

    @property
    def _is_cell(self) -> bool:
        return self.form == 1 and not self.has_quotes


def content_of(texts: pa.ChunkedArray) -> pa.Buffer:
    """The bytes of all texts, one after the other."""
    return pa.py_buffer(bytes_of(in_one_piece(texts))[0])


def read_lines(content: pa.Buffer, width: int, others: list[int], *, has_gaps: bool) -> pa.Table:
    """The cells of lines without quotes; the numbers of those that have not so many cells are added to the `others`."""

    def skip(row: Any) -> str:
        others.append(row.number - 1)
        return "skip"

    return read_rows(content, _names(width), skip, has_gaps=has_gaps)


def _names(width: int) -> list[str]:
    return [str(number) for number in range(width)]


def _count(content: pa.Buffer, mark: str) -> int:
    return int(np.count_nonzero(np.frombuffer(content, np.uint8) == ord(mark)))


def _has_gaps(column: pa.ChunkedArray) -> bool:
    return any(not np.diff(bytes_of(one)[1]).all() for one in column.chunks)
