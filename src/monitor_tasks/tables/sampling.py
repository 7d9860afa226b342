"""The hash filter that picks the sample: the same rows in any order of rows and columns, on any machine."""

import hashlib

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

HASH = "@hash"
EVENT_ID = "@event_id"


def smallest_hashes(table: pa.Table, k: int) -> pa.Table:
    """The `k` rows with the smallest hashes, smallest first, and the hashes as the column ``@hash`` (uint64).

    The hash is the first 8 bytes, big-endian, of SHA-256 of the event id, where every row has one of its own; else of
    the row's content, its cells in the order of the columns' names, and of equal rows the n-th hashes that n as well.
    A table that has its hashes already keeps them, so a sample of a sample is the smaller sample.
    """
    if HASH not in table.column_names:
        table = table.append_column(HASH, pa.array(_hashes(table), pa.uint64()))
    order = np.argsort(table[HASH].to_numpy(), kind="stable")[:k]
    return table.take(pa.array(order, pa.int64())).combine_chunks()


def halves(table: pa.Table) -> tuple[pa.Table, pa.Table]:
    """Two halves of the rows by the last bit of their hashes: one to learn from, one to be judged by."""
    ordered = smallest_hashes(table, table.num_rows)
    odd = pa.array(ordered[HASH].to_numpy() & np.uint64(1) == 1, pa.bool_())
    plain = ordered if HASH in table.column_names else ordered.drop_columns([HASH])
    return plain.filter(odd), plain.filter(pc.invert(odd))


def parted(table: pa.Table, k: int) -> tuple[pa.Table, pa.Table]:
    """The `k` rows with the smallest hashes, at most half of all, and all others: to search in, and to confirm by."""
    ordered = smallest_hashes(table, table.num_rows)
    plain = ordered if HASH in table.column_names else ordered.drop_columns([HASH])
    size = min(k, table.num_rows // 2)
    return plain.slice(0, size), plain.slice(size)


def _hashes(table: pa.Table) -> NDArray[np.uint64]:
    if EVENT_ID in table.column_names:
        ids = table[EVENT_ID]
        if not ids.null_count and len(pc.unique(ids)) == len(ids):
            return _hashed([text.encode() for text in ids.to_pylist()])
    names = sorted(name for name in table.column_names if name == EVENT_ID or not name.startswith("@"))
    rows = zip(*(table[name].to_pylist() for name in names), strict=True)
    return _told_apart(_hashed([repr(row).encode(errors="surrogatepass") for row in rows]))


def _told_apart(hashes: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """Other hashes for the second, third, … of equal rows; which of them is which makes no difference."""
    order = np.argsort(hashes, kind="stable")
    ordered = hashes[order]
    nth = np.arange(len(ordered)) - np.searchsorted(ordered, ordered)
    again = np.flatnonzero(nth)
    apart = hashes.copy()
    apart[order[again]] = _hashed([b"%d of %d" % (nth[place], ordered[place]) for place in again])
    return apart


def _hashed(texts: list[bytes]) -> NDArray[np.uint64]:
    return np.frombuffer(b"".join(hashlib.sha256(text).digest()[:8] for text in texts), ">u8").astype(np.uint64)
