"""The hash filter that picks the sample: the same rows in any order of rows and columns, on any machine."""

import hashlib
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from monitor_tasks.tables.files import Stored

HASH = "@hash"
EVENT_ID = "@event_id"
_PIECE = 1 << 16
"""Rows that are hashed together."""

Hashes = NDArray[np.uint64]


def smallest_hashes(table: pa.Table | Stored, k: int, columns: Sequence[str] | None = None) -> pa.Table:
    """The `k` rows with the smallest hashes, smallest first, and the hashes as the column ``@hash`` (uint64).

    The hash is the first 8 bytes, big-endian, of SHA-256 of the event id, where every row has one of its own; else of
    the row's content, its cells in the order of the columns' names, and of equal rows the n-th hashes that n as well.
    A table that has its hashes already keeps them, so a sample of a sample is the smaller sample.

    A stored table is read batch by batch: what is held of a row that is not picked are the 8 bytes of its hash. Of the
    rows that are picked only the named `columns` are read, where any are named.
    """
    stored = Stored.of(table)
    hashes = _hashes(stored)
    places = _smallest(hashes, k)
    known = [name for name in stored.column_names if name != HASH]
    names = [name for name in known if name in (columns or ())] or known
    return stored.select(names).rows_at(places).append_column(HASH, pa.array(hashes[places], pa.uint64()))


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
    for piece in _pieces(table, [EVENT_ID]):
        if piece[EVENT_ID].null_count:
            return None
        found.append(_hashed([text.encode() for text in piece[EVENT_ID].to_pylist()]))
    hashes = _joined(found)
    ordered = np.sort(hashes)
    return None if (ordered[1:] == ordered[:-1]).any() else hashes


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
    nth = np.arange(len(ordered)) - np.searchsorted(ordered, ordered)
    again = np.flatnonzero(nth)
    apart = hashes.copy()
    apart[order[again]] = _hashed([b"%d of %d" % (nth[place], ordered[place]) for place in again])
    return apart


def _hashed(texts: list[bytes]) -> Hashes:
    return np.frombuffer(b"".join(hashlib.sha256(text).digest()[:8] for text in texts), ">u8").astype(np.uint64)
