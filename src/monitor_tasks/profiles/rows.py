"""The rows themselves: the k whose contents have the smallest hashes, each with how often it occurs; itself a sum."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from hashlib import blake2b
from typing import Any, NamedTuple, Self

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from monitor_tasks.profiles.batches import column_by_column
from monitor_tasks.profiles.cells import Cells

ROWS = 1_024
_BYTES = 8
_EMPTY = np.uint64(0x9E3779B97F4A7C15)
"""What the hash of a row starts from: one without any present cell has one like every other."""

Row = tuple[str | None, ...]
Hashes = NDArray[np.uint64]


class HashedColumn(NamedTuple):
    """The cells of a column, and what each of them, row by row, adds to the hash of its row."""

    cells: Cells
    hashes: Hashes

    @classmethod
    def of(cls, name: str, column: pa.ChunkedArray) -> "HashedColumn":
        """An Arrow column of any type by that name."""
        return cls.of_cells(name, Cells.of(column))

    @classmethod
    def of_cells(cls, name: str, cells: Cells) -> "HashedColumn":
        """The column of cells that were told apart; a missing cell adds nothing, so an absent column is a missing one.

        Numbers go by their bits, texts by a hash of each different one; the column's name shifts both.
        """
        shift = _digests([name.encode(errors="surrogatepass")])
        numbers = cells.numbers.view(np.uint64).copy()
        numbers[np.isnan(cells.numbers)] = np.float64(np.nan).view(np.uint64)
        texts = _hashes_of(cells.texts)
        return cls(cells, cells.by_row(_mixed(numbers + shift), _mixed(texts + shift), np.uint64(0)))


@dataclass(frozen=True)
class RowSample:
    """What is remembered of whole rows: the k contents with the smallest hashes, up to k different ones all of them.

    Rows are equal where all their cells are, as the profile counts cells: 1, 1.0 and "1" are one number (rounded to a
    double), missing is missing, and a column that a table lacks is missing in its rows.
    """

    k: int = ROWS
    """How many different rows are kept at most."""
    rows: int = 0
    """All rows seen, the kept ones and the others."""
    columns: tuple[str, ...] = ()
    """The names of all columns seen, sorted."""
    hashes: tuple[int, ...] = ()
    """The smallest hashes of 64 bits, rising."""
    counts: tuple[int, ...] = ()
    """How many of all rows have each of them."""
    cells: tuple[Row, ...] = ()
    """The contents of the kept rows as text, in the order of the columns; None where missing."""

    @classmethod
    def of(cls, table: pa.Table, k: int = ROWS) -> Self:
        """The sample of an Arrow table."""
        sample = cls(k)
        for piece, columns in column_by_column(HashedColumn.of, [table]):
            sample = sample.after(piece.num_rows, columns)
        return sample

    def after(self, rows: int, columns: Mapping[str, HashedColumn]) -> Self:
        """The sample after the `rows` of the next piece, whose columns were hashed."""
        names = tuple(sorted(columns))
        total = np.full(rows, _EMPTY)
        for column in columns.values():
            total += column.hashes
        hashes, first, counts = _smallest(_mixed(total), self.k, self._limit)
        cells = tuple(zip(*(columns[name].cells.as_texts(first) for name in names), strict=True)) if names else ()
        kept = cells or ((),) * len(first)
        return self + type(self)(self.k, rows, names, tuple(hashes.tolist()), tuple(counts.tolist()), kept)

    @property
    def _limit(self) -> int:
        """No row with a larger hash will be kept."""
        return self.hashes[-1] if self.hashes and len(self.hashes) == self.k else 2 ** (8 * _BYTES) - 1

    def __add__(self, other: Self) -> Self:
        """The sample of both parts' rows; a column that one lacks is missing there, of two limits the smaller holds."""
        k = min((one.k for one in (self, other) if one.rows), default=min(self.k, other.k))
        columns = tuple(sorted({*self.columns, *other.columns}))
        counts, cells = dict[int, int](), dict[int, Row]()
        for one in (self, other):
            counts |= {hash_: counts.get(hash_, 0) + count for hash_, count in zip(one.hashes, one.counts, strict=True)}
            cells |= zip(one.hashes, one._cells_of(columns), strict=True)
        hashes = tuple(sorted(counts)[:k])
        kept = tuple(map(counts.__getitem__, hashes)), tuple(map(cells.__getitem__, hashes))
        return type(self)(k, self.rows + other.rows, columns, hashes, *kept)

    def _cells_of(self, columns: tuple[str, ...]) -> tuple[Row, ...]:
        """The kept rows in the order of other columns, some of which may be missing here."""
        if columns == self.columns:
            return self.cells
        place = {name: index for index, name in enumerate(self.columns)}
        places = [place.get(name, len(place)) for name in columns]
        return tuple(tuple((*row, None)[at] for at in places) for row in self.cells)

    def to_dict(self) -> dict[str, Any]:
        """The sample as plain values for JSON."""
        return dict(vars(self))

    @classmethod
    def from_dict(cls, known: Mapping[str, Any]) -> Self:
        """The sample that ``to_dict`` gave."""
        lists = {name: tuple(known[name]) for name in ("columns", "hashes", "counts")}
        return cls(known["k"], known["rows"], **lists, cells=tuple(map(tuple, known["cells"])))


def _smallest(hashes: Hashes, k: int, limit: int) -> tuple[Hashes, NDArray[np.intp], NDArray[np.intp]]:
    """The k smallest different hashes that are not above the limit, a row of each, and how many rows have it."""
    rows = np.flatnonzero(hashes <= np.uint64(limit))
    size = 2 * k
    while len(rows) > size:  # few of many are looked at, unless these repeat so much that they are too few
        few = rows[hashes[rows] <= np.partition(hashes[rows], size)[size]]
        if len(np.unique(hashes[few])) >= k:
            rows = few
            break
        size *= 4
    different, first, counts = np.unique(hashes[rows], return_index=True, return_counts=True)
    return different[:k], rows[first[:k]], counts[:k]


def _mixed(hashes: Hashes) -> Hashes:
    """Hashes whose bits all depend on all bits of these (the last steps of SplitMix64: Steele, Lea and Flood 2014)."""
    mixed = hashes ^ (hashes >> np.uint64(30))
    mixed *= np.uint64(0xBF58476D1CE4E5B9)
    mixed ^= mixed >> np.uint64(27)
    mixed *= np.uint64(0x94D049BB133111EB)
    mixed ^= mixed >> np.uint64(31)
    return mixed


def _hashes_of(texts: pa.Array) -> Hashes:
    """The hash of each text, asked once for all that are alike."""
    encoded = texts if pa.types.is_dictionary(texts.type) else texts.dictionary_encode()
    different = _digests(text.encode() for text in encoded.dictionary.to_pylist())
    codes: NDArray[np.int32] = encoded.indices.to_numpy()
    return different[codes]


def _digests(contents: Iterable[bytes]) -> Hashes:
    digests = b"".join([blake2b(content, digest_size=_BYTES).digest() for content in contents])
    return np.frombuffer(digests, f"<u{_BYTES}").astype(np.uint64)
