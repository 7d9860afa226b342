"""The hash filter that picks the sample: the same rows in any order of rows and columns, on any machine."""

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from monitor_tasks.tables.ahead import ahead
from monitor_tasks.tables.files import Stored

HASH = "@hash"
EVENT_ID, ROW, VARIANT = "@event_id", "@row", "@variant"
PICKED, LARGEST = "sample.parquet", 4_096
"""The file of the rows that are picked as a captured table is written, and how many of each variant these are at most.
Another number needs another name: there are files of this one."""
_PIECE = 1 << 16
"""Rows that are hashed together."""

Hashes = NDArray[np.uint64]


def smallest_hashes(table: pa.Table | Stored, k: int, columns: Sequence[str] | None = None) -> pa.Table:
    """The `k` rows with the smallest hashes, smallest first, and the hashes as the column ``@hash`` (uint64).

    The hash is the first 8 bytes, big-endian, of SHA-256 of the event id, where every row has one of its own or the
    rows of an event are numbered; else of the row's content, its cells in the order of the columns' names. Of an
    event's rows, and of equal ones, the n-th hashes that n as well. A table that has its hashes already keeps them, so
    a sample of a sample is the smaller sample.

    A stored table is read batch by batch: what is held of a row that is not picked are the 8 bytes of its hash. Of the
    rows that are picked only the named `columns` are read, where any are named.
    """
    stored = Stored.of(table)
    hashes = _hashes(stored)
    places = _smallest(hashes, k)
    known = [name for name in stored.column_names if name != HASH]
    names = [name for name in known if name in (columns or ())] or known
    return stored.select(names).rows_at(places).append_column(HASH, pa.array(hashes[places], pa.uint64()))


class Picking:
    """Picks the `k` rows of each variant with the smallest hashes while a captured table passes by, piece by piece.

    Of any of the variants together, the `k` rows with the smallest hashes are among these; so they are the sample of
    the whole table, and of those of several windows that of all, at the cost of a hash a row.
    """

    def __init__(self, k: int = LARGEST) -> None:
        """A picking that has seen no row."""
        self._k, self._rows = k, 0
        self._picked: dict[str | None, _Smallest] = {}

    def passing(self, pieces: Iterable[pa.Table]) -> Iterator[pa.Table]:
        """The pieces as they are; every row has an event id, and with the number of its row it is the only one."""
        for piece, hashes in ahead(lambda piece: (piece, _of_events(piece)), pieces):
            self._look_at(piece, hashes)
            yield piece

    @property
    def table(self) -> pa.Table | None:
        """The picked rows, smallest hash first, with the hashes as the column ``@hash``; None where they are all."""
        tables = [one.table for one in self._picked.values()]
        if sum(one.num_rows for one in tables) == self._rows:
            return None
        return pa.concat_tables(tables).sort_by(HASH).combine_chunks()

    def _look_at(self, piece: pa.Table, hashes: Hashes) -> None:
        self._rows += piece.num_rows
        variants = piece[VARIANT].unique()
        for variant in variants:
            found = self._picked.setdefault(variant.as_py(), _Smallest(self._k))
            among = hashes <= found.limit
            if len(variants) > 1:
                own = pc.equal(piece[VARIANT], variant) if variant.is_valid else pc.is_null(piece[VARIANT])
                among &= own.fill_null(False).to_numpy()
            if among.any():
                rows = piece if among.all() else piece.filter(pa.array(among))
                found.take_in(rows.append_column(HASH, pa.array(hashes[among])))


class _Smallest:
    """The `k` rows with the smallest hashes of those that were taken in; some more are held meanwhile."""

    def __init__(self, k: int) -> None:
        self._k, self._held, self._count = k, list[pa.Table](), 0
        self.limit = np.iinfo(np.uint64).max
        """No row with a larger hash is picked any more."""

    def take_in(self, rows: pa.Table) -> None:
        self._held.append(rows)
        self._count += rows.num_rows
        if self._count > 2 * self._k:  # seldom: a window may come in many small pieces
            self._held = [self.table]
            self._count, self.limit = self._k, self._held[0][HASH][-1].as_py()

    @property
    def table(self) -> pa.Table:
        rows = pa.concat_tables(self._held)
        return rows.take(pa.array(_smallest(rows[HASH].to_numpy(), self._k))).combine_chunks()


def halves(table: pa.Table) -> tuple[pa.Table, pa.Table]:
    """Two halves of the rows by the last bit of their hashes: one to learn from, one to be judged by."""
    ordered = smallest_hashes(table, table.num_rows)
    odd = pa.array(ordered[HASH].to_numpy() & np.uint64(1) == 1, pa.bool_())
    plain = ordered if HASH in table.column_names else ordered.drop_columns([HASH])
    return plain.filter(odd), plain.filter(pc.invert(odd))


def parted(table: pa.Table | Stored, k: int) -> tuple[pa.Table, Stored]:
    """The `k` rows with the smallest hashes, at most half of all, and all others: to search in, and to confirm by."""
    stored = Stored.of(table)
    hashes = _hashes(stored)
    places = _smallest(hashes, min(k, len(hashes) // 2))
    return stored.rows_at(places), stored.without_rows(places)


def _smallest(hashes: Hashes, k: int) -> NDArray[np.int64]:
    """The places of the `k` smallest hashes, smallest first, of equal ones the first."""
    if k >= len(hashes):
        return np.argsort(hashes, kind="stable")
    among = np.flatnonzero(hashes <= np.partition(hashes, k)[k])
    return among[np.argsort(hashes[among], kind="stable")[:k]]


def _hashes(table: Stored) -> Hashes:
    names = table.column_names
    if HASH in names:
        return _joined(batch[HASH].to_numpy() for batch in table.batches([HASH]))
    if EVENT_ID in names and (found := _of_ids(table)) is not None:
        return found
    content = sorted(name for name in names if name == EVENT_ID or not name.startswith("@"))
    return _told_apart(_joined(map(_of_content, _pieces(table, content))))


def _of_ids(table: Stored) -> Hashes | None:
    """The hashes of the event ids; None where a row has none, or two have the same."""
    found = []
    for piece in _pieces(table, [name for name in (EVENT_ID, ROW) if name in table.column_names]):
        if piece[EVENT_ID].null_count:
            return None
        found.append(_of_events(piece))
    hashes = _joined(found)
    del found  # they take as much memory once more
    ordered = np.sort(hashes)
    return None if (ordered[1:] == ordered[:-1]).any() else hashes


def _of_events(piece: pa.Table) -> Hashes:
    """The hashes of the event ids, of an event's second, third, … row those of that number."""
    hashes = _hashed(piece[EVENT_ID].cast(pa.string()).cast(pa.binary()).to_pylist())
    return _counted(hashes, piece[ROW].to_numpy()) if ROW in piece.column_names else hashes


def _of_content(piece: pa.Table) -> Hashes:
    rows = zip(*(column.to_pylist() for column in piece.columns), strict=True)
    return _hashed([repr(row).encode(errors="surrogatepass") for row in rows])


def _pieces(table: Stored, columns: list[str]) -> Iterator[pa.Table]:
    for batch in table.batches(columns):
        yield from (batch.slice(start, _PIECE) for start in range(0, batch.num_rows, _PIECE))


def _joined(parts: Any) -> Hashes:
    return np.concatenate([np.empty(0, np.uint64), *parts])


def _told_apart(hashes: NDArray[np.uint64]) -> Hashes:
    """Other hashes for the second, third, … of equal rows; which of them is which makes no difference."""
    order = np.argsort(hashes, kind="stable")
    ordered = hashes[order]
    nth = np.empty(len(order), np.int64)
    nth[order] = np.arange(len(ordered)) - np.searchsorted(ordered, ordered)
    return _counted(hashes, nth)


def _counted(hashes: Hashes, nth: NDArray[np.int64]) -> Hashes:
    """The hashes, but that of the number as well where it is not 0."""
    again = np.flatnonzero(nth)
    apart = hashes.copy()
    apart[again] = _hashed([b"%d of %d" % (nth[place], hashes[place]) for place in again])
    return apart


def _hashed(texts: list[bytes]) -> Hashes:
    return np.frombuffer(b"".join(hashlib.sha256(text).digest()[:8] for text in texts), ">u8").astype(np.uint64)
