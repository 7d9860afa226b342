"""Tables by pieces of bounded size, and their columns by all cores."""

import gc
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from typing import TypeVar

import pyarrow as pa

CELLS_AT_ONCE = 1 << 22
"""Cells of a piece, about; two pieces are in memory at a time."""
ROWS_AT_ONCE = 1 << 15
"""The rows of a piece are a multiple of so many: counting and summing up take so many numbers in one go."""
THREADS = min(pa.cpu_count(), 8)
_WORTH_THREADS = 1 << 16
"""Cells of a piece that is worth starting threads for."""

Found = TypeVar("Found")
Begun = tuple[pa.Table, dict[str, Callable[[], Found]]]
"""A piece, and the calls that answer with what was found in its columns."""


def rows_at_once(columns: int) -> int:
    """How many rows of a table with so many columns are best read and profiled at once.

    >>> rows_at_once(2), rows_at_once(30), rows_at_once(300)
    (2097152, 131072, 32768)
    """
    return max(CELLS_AT_ONCE // max(columns, 1) // ROWS_AT_ONCE, 1) * ROWS_AT_ONCE


def pieces(tables: Iterable[pa.Table | pa.RecordBatch]) -> Iterator[pa.Table]:
    """The rows of all tables, in pieces of bounded size; of an empty table one empty piece, for its columns."""
    for table in tables:
        whole = pa.Table.from_batches([table]) if isinstance(table, pa.RecordBatch) else table
        rows = rows_at_once(whole.num_columns)
        for start in range(0, max(whole.num_rows, 1), rows):
            yield whole.slice(start, min(rows, whole.num_rows - start))  # Arrow makes up rows where there is no column


@contextmanager
def without_cycles() -> Iterator[None]:
    """Python does not look for cycles of objects meanwhile; worth it while many small objects come, which have none."""
    was_looking = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_looking:
            gc.enable()


def column_by_column(
    work: Callable[[str, pa.ChunkedArray], Found], tables: Iterable[pa.Table | pa.RecordBatch]
) -> Iterator[tuple[pa.Table, dict[str, Found]]]:
    """The pieces of the tables, each with what `work` finds in its columns, by name.

    Columns are worked on by several threads (numpy and Arrow let them run side by side), and the next piece is read
    meanwhile. Two pieces are in memory at a time.
    """
    with ThreadPoolExecutor(THREADS) as pool:
        begun: deque[Begun[Found]] = deque()
        for piece in pieces(tables):
            begun.append((piece, _begin(work, piece, pool)))
            if len(begun) > 1:
                yield _ended(*begun.popleft())
        for one in begun:
            yield _ended(*one)


def each_column(work: Callable[[str, pa.ChunkedArray], Found], table: pa.Table) -> dict[str, Found]:
    """What `work` finds in the columns of a whole table, by name; several threads work on them."""
    with ThreadPoolExecutor(THREADS) as pool:
        return _ended(table, _begin(work, table, pool))[1]


def _begin(
    work: Callable[[str, pa.ChunkedArray], Found], piece: pa.Table, pool: ThreadPoolExecutor
) -> dict[str, Callable[[], Found]]:
    if piece.num_rows * piece.num_columns < _WORTH_THREADS:
        return {name: partial(work, name, piece[name]) for name in piece.column_names}
    return {name: pool.submit(work, name, piece[name]).result for name in piece.column_names}


def _ended(piece: pa.Table, columns: dict[str, Callable[[], Found]]) -> tuple[pa.Table, dict[str, Found]]:
    return piece, {name: result() for name, result in columns.items()}
