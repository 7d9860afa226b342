"""Lines of ground truth and the predictions that wait for them, in a database that spills what exceeds its memory.

An id takes 16 bytes there as long as all ids are UUIDs, and is text from the first one on that is none.
"""

from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, Self

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

LABELS = pa.schema(
    [
        ("@label_id", pa.string()),
        ("@label", pa.string()),
        ("@label_object", pa.string()),
        ("@label_line", pa.int64()),
    ]
)
THREADS = 2
PIECE = 1 << 17
"""Rows that a thread looks at together."""
TABLES = """
set preserve_insertion_order = false;
create temp table lines (key uuid, label varchar, place bigint);
create temp table predictions (owner integer, key uuid);
"""
"""A line's place is the number of its object, shifted by 40 bits, and its own: one integer tells which came first."""
TEXTS = "alter table lines alter key type varchar; alter table predictions alter key type varchar"
PUT_LINES = "insert into lines select id::{}, label, line + (?::bigint << 40) from batch"
PUT_PREDICTIONS = "insert into predictions select distinct ?, id::{} from batch"
FIRST = "select key, min(place) as place, arg_min(label, place) as label from lines group by key"
FATES = """
with repeated as materialized (select key from lines group by key having count(*) > 1),
again as materialized (select lines.* from lines semi join repeated using (key)),
first as (select key, min(place) as place, arg_min(label, place) as label from again group by key),
told as (
    select place, 'accepted' as fate from lines anti join repeated using (key)
    union all
    select again.place, case when again.place = first.place then 'accepted'
        when again.label = first.label then 'duplicate' else 'conflicting' end
    from again join first using (key)
)
select place >> 40 as object, fate, count(*) from told group by all order by all
"""
"""Usually few ids are repeated; only of these one looks which came first."""
TABLE = """select key::varchar as "@label_id", label as "@label", place from {} order by place"""


class LabelLines:
    """Usable lines of ground truth; they come in the order of their objects' names."""

    def __init__(self, connection: duckdb.DuckDBPyConnection) -> None:
        """No lines yet, in a database of their own."""
        self.connection = connection
        self.objects: list[str] = []
        """The objects by their numbers."""
        self._are_uuids = True
        self._behind = ThreadPoolExecutor(1)
        self._last: Future[Any] = Future()
        self._last.set_result(None)
        connection.execute(TABLES)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._behind.shutdown()

    def put(self, name: str, ids: pa.Array, labels: pa.Array, numbers: pa.Array) -> None:
        """Takes in lines of an object while the next ones are read."""
        if self.objects[-1:] != [name]:
            self.objects.append(name)
        rows = pa.table([ids, labels, numbers], ["id", "label", "line"])
        self.settle()
        self._last = self._behind.submit(self._insert, PUT_LINES, rows, len(self.objects) - 1)

    def settle(self) -> None:
        """Waits until what was put is there; raises what went wrong."""
        self._last.result()

    def expect(self, owner: int, ids: pa.ChunkedArray) -> None:
        """Takes in ids of predictions that belong to the window of a number."""
        self._insert(PUT_PREDICTIONS, pa.table([ids], ["id"]), owner)

    def _insert(self, query: str, rows: pa.Table, number: int) -> None:
        if self._are_uuids and not are_uuids(rows["id"]):
            self.connection.execute(TEXTS)
            self._are_uuids = False
        self.connection.register("batch", in_pieces(rows))
        self.connection.execute(query.format("uuid" if self._are_uuids else "varchar"), [number])
        self.connection.unregister("batch")

    def fates(self) -> Iterator[tuple[str, str, int]]:
        """What became of the lines: object, fate, and how many."""
        self.settle()
        for number, fate, count in self.connection.execute(FATES).fetchall():
            yield self.objects[number], fate, count

    def lines(self) -> pa.Table:
        """All lines, in the order in which they count: columns of `LABELS`."""
        return self.named(self.connection.sql(TABLE.format("lines")).to_arrow_table())

    def accepted(self) -> pa.Table:
        """The first line of every id."""
        return self.named(self.connection.sql(TABLE.format(f"({FIRST})")).to_arrow_table())

    def named(self, rows: pa.Table) -> pa.Table:
        """Rows with ids, labels and places as rows of `LABELS`."""
        places = rows["place"].combine_chunks()
        numbers = pc.shift_right(places, 40).cast(pa.int32())
        names = pa.DictionaryArray.from_arrays(numbers, pa.array(self.objects, pa.string())).cast(pa.string())
        lines = pc.bit_wise_and(places, (1 << 40) - 1)
        return pa.Table.from_arrays([rows["@label_id"], rows["@label"], names, lines], schema=LABELS).combine_chunks()


def are_uuids(ids: pa.ChunkedArray) -> bool:
    """Whether every id is a UUID as Python writes it, so that its 16 bytes tell its text.

    >>> are_uuids(pa.chunked_array([["5dc9e2bc-3b0d-4d3c-9d3c-0a4bd3c1ab17", "5dc9e2bc-3b0d-4d3c-9d3c-0a4bd3c1ab18"]]))
    True
    >>> are_uuids(pa.chunked_array([["5DC9e2bc-3b0d-4d3c-9d3c-0a4bd3c1ab17"]]))
    False
    """
    return ids.null_count == 0 and all(
        _are_uuids(chunk.slice(start, PIECE >> 2)) for chunk in ids.chunks for start in range(0, len(chunk), PIECE >> 2)
    )


def _are_uuids(ids: pa.StringArray) -> bool:
    _, offsets, text = ids.buffers()
    bounds = np.frombuffer(offsets, np.int32)[ids.offset : ids.offset + len(ids) + 1]
    if (np.diff(bounds) != 36).any():
        return False
    letters = np.frombuffer(text, np.uint8)[bounds[0] : bounds[-1]].reshape(-1, 36)
    dashed = all((letters[:, place] == ord("-")).all() for place in (8, 13, 18, 23))
    hexadecimal = (letters - ord("0") < 10) | (letters - ord("a") < 6)  # below 0 they turn into large numbers
    return bool(dashed) and np.count_nonzero(hexadecimal) == 32 * len(ids)


def in_pieces(rows: pa.Table) -> pa.Table:
    """The same rows in pieces, which several threads of DuckDB may read at once."""
    return pa.Table.from_batches(rows.to_batches(max_chunksize=PIECE), rows.schema)
