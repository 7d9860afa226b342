"""Lines that are alike but for some of their texts: a reader of CSV takes all of them apart at their commas at once."""

from collections.abc import Iterator, Sequence
from itertools import groupby
from typing import Any, NamedTuple, Self

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pa_csv

from monitor_tasks.tables.marks import Bytes, Mask, Places, between, bytes_of, in_one_piece, lengths_of, stand

BLOCK = 1 << 20
"""Bytes that are taken apart together: what is noted of them stays in a processor's cache."""


class Piece(NamedTuple):
    """What stands between two commas of a line."""

    before: str = ""
    """What stands before its varying text, or all of it."""
    after: str | None = ""
    """What stands behind that text; None where nothing varies."""

    def stands(self, column: pa.StringArray) -> Mask:
        """Around which of the varying texts it stands."""
        found = pc.and_(pc.starts_with(column, self.before), pc.ends_with(column, self.after))
        if self.before and self.after:
            found = pc.and_(
                found, pc.greater_equal(pc.binary_length(column), len(f"{self.before}{self.after}".encode()))
            )
        return np.asarray(found)

    def within(self, column: pa.StringArray) -> pa.StringArray:
        """The varying texts."""
        if not self.before and not self.after:
            return column
        content, bounds = bytes_of(column)
        starts, ends = bounds[:-1] + len(self.before.encode()), bounds[1:] - len((self.after or "").encode())
        return between(content, starts[:, None], ends[:, None])[0]


class Cut(NamedTuple):
    """Lines that were taken apart."""

    content: Bytes
    columns: dict[int, pa.StringArray]
    """By their numbers, the pieces in which something varies."""
    places: list[Places]
    """Where each piece begins in the content, and behind the last one the next line does."""

    def at(self, lines: Mask) -> Self:
        """The same of some of the lines."""
        kept = pa.array(lines)
        columns = {number: column.filter(kept) for number, column in self.columns.items()}
        return self._replace(columns=columns, places=[place[lines] for place in self.places])


def cut(lines: pa.Array, pieces: Sequence[Piece]) -> tuple[Mask, Cut]:
    r"""Which of the lines, each with its end, have these pieces and no others; and these lines cut at their commas.

    >>> fits, (_, columns, _) = cut(pa.array(["a=1,b\n", "a=2,c\n", "a=3,b,\n"]), [Piece("a="), Piece("b", None)])
    >>> fits.tolist(), {number: column.to_pylist() for number, column in columns.items()}
    ([True, False, False], {0: ['a=1']})
    """
    content, bounds = bytes_of(lines)
    fits, found = _read(content, bounds, pieces)
    places = [bounds[:-1][fits]]
    for number, piece in enumerate(pieces):
        length = len(piece.before.encode()) if piece.after is None else lengths_of(found[number])
        places.append(places[-1] + length + 1)
    ends = bounds[1:][fits]
    is_whole = ends == places[-1]
    if not is_whole.all():
        is_whole |= (ends == places[-1] + 1) & (content[ends - 2] == ord("\r"))
    parts = _kept(Cut(content, found, places), fits, is_whole)
    alike: Mask = np.ones(len(parts.places[0]), bool)
    for number, piece in enumerate(pieces):
        if piece.after is not None and piece != Piece():
            alike &= piece.stands(parts.columns[number])
    for first, text in _fixed(pieces):
        alike &= stand(content, parts.places[first], text.encode())
    return fits, _kept(parts, fits, alike)


def _kept(parts: Cut, fits: Mask, alike: Mask) -> Cut:
    """The parts of those lines that are alike; the others do not fit."""
    if alike.all():
        return parts
    fits[fits] = alike
    return parts.at(alike)


def _fixed(pieces: Sequence[Piece]) -> Iterator[tuple[int, str]]:
    """The pieces in which nothing varies: the number of the first of those that follow each other, and all of them."""
    for varies, run in groupby(enumerate(pieces), lambda item: item[1].after is not None):
        if not varies:
            numbers, texts = zip(*run, strict=True)
            yield numbers[0], ",".join(text.before for text in texts)


def _read(content: Bytes, bounds: Places, pieces: Sequence[Piece]) -> tuple[Mask, dict[int, pa.StringArray]]:
    """Which lines have as many commas as they should, and the varying pieces of these."""
    lengths, others = np.diff(bounds), list[int]()
    fits: Mask = np.ones(len(lengths), bool)
    names = [str(number) for number in range(len(pieces))]
    varying = [number for number, piece in enumerate(pieces) if piece.after is not None]

    def skip(row: Any) -> str:
        others.append(row.number - 1)
        return "skip"

    if len(lengths):
        found = pa_csv.read_csv(
            pa.BufferReader(pa.py_buffer(content)),
            pa_csv.ReadOptions(column_names=names, block_size=max(BLOCK, int(lengths.max())), use_threads=False),
            pa_csv.ParseOptions(quote_char=False, ignore_empty_lines=False, invalid_row_handler=skip),
            pa_csv.ConvertOptions(
                column_types=dict.fromkeys(names, pa.string()),
                include_columns=[names[number] for number in varying],
                check_utf8=False,
            ),
        )
        if found.num_rows + len(others) == len(lengths):  # else there is an end of a line within one, or an empty line
            fits[others] = False
            return fits, dict(zip(varying, map(in_one_piece, found.columns), strict=True))
    return np.zeros(len(lengths), bool), dict.fromkeys(varying, pa.array([], pa.string()))
