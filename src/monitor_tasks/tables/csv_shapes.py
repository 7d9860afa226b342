"""Payloads of CSV of one shape: how DuckDB and a CSV reader take all of them apart at once."""

from collections.abc import Sequence
from typing import Any, NamedTuple, Self

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from monitor_tasks.tables.files import read_rows
from monitor_tasks.tables.marks import Bytes, Mask, are_plain, bytes_of, have, in_one_piece, lengths_of
from monitor_tasks.tables.payloads import rows_of_csv
from monitor_tasks.tables.pieces import Piece, cut

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

    @property
    def pieces(self) -> tuple[Piece, ...] | None:
        """What stands between the commas of a text, if nothing else parts it."""
        return None if self.has_quotes else (Piece(),) * self.form

    def taken(self, lines: pa.ChunkedArray) -> tuple[list[pa.ChunkedArray], Mask]:
        """The cells of the texts that have this shape, and which these are."""
        fits: Mask = np.ones(len(lines), bool)
        if self._is_cell:
            return [lines], fits
        if not len(lines):
            return [pa.chunked_array([], pa.string())] * self.form, fits
        if self.has_quotes:
            names = [str(number) for number in range(self.form)]
            return list(read_rows(content_of(lines), names).columns), fits
        content = bytes_of(in_one_piece(lines))[0]
        if any(_count(content, mark) > most for mark, most in (('"', 0), ("\r", 0), ("\n", len(lines)))):
            fits = have(lines, {"\n": 1, '"': 0, "\r": 0})
        plain = lines if fits.all() else lines.filter(pa.array(fits))
        among, (_, columns, _) = cut(in_one_piece(plain), [Piece()] * self.form)
        cells, stand = self.cells([*columns.values()], escaped=False)
        among[among] = stand
        fits[fits] = among
        return cells, fits

    def cells(self, columns: Sequence[pa.StringArray], *, escaped: bool) -> tuple[list[pa.ChunkedArray], Mask]:
        """The cells that stand between the commas of texts, of those texts that have this shape, and which these are.

        Where they are `escaped`, the texts stand within texts of JSON.
        """
        masks = [are_plain(column) for column in columns] if escaped else [np.ones(len(columns[0]), bool)]
        if not self.has_gaps or self.form == 1:
            masks += [lengths_of(column) > 0 for column in columns]
        else:
            columns = [_with_gaps(column) for column in columns]
        stand = np.logical_and.reduce(masks)
        kept = columns if stand.all() else [column.filter(pa.array(stand)) for column in columns]
        return [pa.chunked_array([column]) for column in kept], stand

    @property
    def _is_cell(self) -> bool:
        return self.form == 1 and not self.has_quotes


def content_of(texts: pa.ChunkedArray) -> pa.Buffer:
    """The bytes of all texts, one after the other."""
    return pa.py_buffer(bytes_of(in_one_piece(texts))[0])


def _count(content: Bytes, mark: str) -> int:
    return int(np.count_nonzero(content == ord(mark)))


def _with_gaps(cells: pa.StringArray) -> pa.StringArray:
    """The same cells, of which the empty ones are missing."""
    is_there = pc.greater(pc.binary_length(cells), 0)
    return cells if pc.all(is_there).as_py() else pc.if_else(is_there, cells, None)
