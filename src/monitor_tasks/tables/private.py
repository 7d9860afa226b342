"""Columns whose cells nobody may read: hashed, or left out, before anything is remembered of the rows."""

import hmac
import re
from collections.abc import Collection, Mapping, Sequence
from typing import Literal

import pyarrow as pa

from monitor_tasks.value import UserError

Hiding = Literal["hash", "drop"]
POSITION = re.compile(r"_c\d+", re.ASCII)
"""What a cell is called that has no name."""


def hiding(columns: Sequence[str], private: Mapping[str, Hiding], known: Collection[str]) -> dict[str, Hiding]:
    """How each of these columns is hidden; a private name also hides what bears it behind a prefix of ours.

    >>> hiding(["pin", "input.pin", "score"], {"pin": "drop"}, ["score"])
    {'pin': 'drop', 'input.pin': 'drop'}

    Raises:
        UserError: a private column may be there under another name than one of those that are `known`.
    """
    lost, strange = {*private} - {*columns}, {*columns} - {*known} - {*private}
    if lost and strange:
        raise UserError(
            f"private: no column is called {min(lost)!r}, so it cannot be hidden; the columns are called "
            f"{', '.join(columns)}: name the captured cells in capture.input_names and output_names"
        )
    names = {name: name if name in private else re.sub(r"^((input|attribute)\.)+", "", name) for name in columns}
    return {column: private[name] for column, name in names.items() if name in private}


def fingerprint(private: Mapping[str, Hiding], key: bytes) -> dict[str, str]:
    """What tells a key from another, without telling the key: an input of all that is hidden by it."""
    return {"private key": _digest("", key)} if private else {}


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
