"""Columns whose cells nobody may read: hashed, or left out, before anything is remembered of the rows."""

import hmac
from collections.abc import Mapping
from typing import Literal

import pyarrow as pa

Hiding = Literal["hash", "drop"]


def hidden(rows: pa.Table, private: Mapping[str, Hiding], key: bytes) -> pa.Table:
    """The rows with the private columns hashed or left out; a missing cell stays missing, equal cells stay equal.

    The hash is 16 hexadecimal digits of HMAC-SHA256. With an empty key anyone can try what a hash is the hash of.

    >>> hidden(pa.table({"who": ["Ada", None], "pin": [1, 2]}), {"who": "hash", "pin": "drop"}, b"key").to_pydict()
    {'who': ['#c066342b76c7754f', None]}
    """
    for name, hiding in private.items():
        if name in rows.column_names:
            place = rows.column_names.index(name)
            rows = (
                rows.remove_column(place)
                if hiding == "drop"
                else rows.set_column(place, name, _hashed(rows[name], key))
            )
    return rows


def _hashed(column: pa.ChunkedArray, key: bytes) -> pa.ChunkedArray:
    encoded = column if pa.types.is_dictionary(column.type) else column.dictionary_encode()
    return pa.chunked_array([_hashed_chunk(chunk, key) for chunk in encoded.chunks], pa.string())


def _hashed_chunk(chunk: pa.DictionaryArray, key: bytes) -> pa.Array:
    different = chunk.dictionary.to_pylist()
    hashes = [None if cell is None else "#" + _digest(str(cell), key) for cell in different]
    return pa.array(hashes, pa.string()).take(chunk.indices)


def _digest(cell: str, key: bytes) -> str:
    return hmac.new(key, cell.encode(errors="surrogatepass"), "sha256").hexdigest()[:16]
