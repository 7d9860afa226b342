"""A table file's bytes to an Arrow table: CSV (cells stay text), Parquet, JSON Lines."""

import io
import json
from collections.abc import Callable, Iterable
from functools import partial
from itertools import chain
from typing import BinaryIO

import pyarrow as pa
import pyarrow.csv as pa_csv
import pyarrow.parquet as pa_parquet

from monitor_tasks.value import UserError

LONGEST_ROW = 16 << 20
"""Bytes of the longest row of a CSV."""
SAMPLE = 4096
"""Rows that tell whether a column's text repeats."""
KINDS = {".csv": "csv", ".parquet": "parquet", ".jsonl": "json", ".json": "json"}


def read_table(content: bytes, name: str, kind: str | None = None, header: bool = True) -> pa.Table:
    """The table in a file; its `kind` (csv, parquet, json) is told by the name's ending where it is not given.

    Cells of CSV stay text, so that 3.0 is told from 3; an empty cell is missing.

    Raises:
        UserError: the file is not such a table.
    """
    kind = kind or next((kind for ending, kind in KINDS.items() if name.endswith(ending)), None)
    csv = partial(_csv, header=header)
    readers: dict[str, Callable[[bytes], pa.Table]] = {"csv": csv, "parquet": _parquet, "json": _json}
    if kind is None or kind not in readers:
        raise UserError(f"{name}: unknown kind of table; name it .csv, .parquet or .jsonl, or set dataset_format")
    try:
        table = readers[kind](content)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError, ValueError, OSError, RecursionError) as error:
        raise UserError(f"{name}: not readable as {kind}: {str(error).splitlines()[0]}") from error
    twice = sorted({column for column in table.column_names if table.column_names.count(column) > 1})
    if twice:
        raise UserError(f"{name}: column {twice[0]!r} stands there twice; rename one (or set csv: {{header: false}})")
    return table


def table_bytes(table: pa.Table) -> bytes:
    """The table as Parquet; equal tables give equal bytes."""
    sink = io.BytesIO()
    pa_parquet.write_table(table, sink, compression="zstd")
    return sink.getvalue()


def write_table(batches: Iterable[pa.Table], schema: pa.Schema, file: BinaryIO) -> None:
    """Writes a table as Parquet, batch by batch; equal batches give equal bytes.

    Text of which most is different is written as it is, other text by a dictionary.
    """
    waiting = iter(batches)
    first = next(waiting, schema.empty_table())
    repeated = [
        name for name in schema.names if len(first[name].slice(0, SAMPLE).unique()) <= min(first.num_rows, SAMPLE) // 2
    ]
    with pa_parquet.ParquetWriter(file, schema, compression="lz4", use_dictionary=repeated) as writer:
        for batch in chain([first], waiting):
            writer.write_table(batch)


def _parquet(content: bytes) -> pa.Table:
    return pa_parquet.ParquetFile(io.BytesIO(content), pre_buffer=False).read()


def _csv(content: bytes, header: bool) -> pa.Table:
    content = content.removeprefix(b"\xef\xbb\xbf").lstrip(b"\r\n")
    if not content:
        raise ValueError("the file is empty")
    content += b"\n" * (not content.endswith(b"\n"))
    end = _end_of_first_row(content)
    width = read_rows(content[:end], None).num_columns
    columns = [f"_c{index}" for index in range(width)]
    if header:
        columns = [cells[0].as_py() or "" for cells in read_rows(content[:end], columns).columns]
        content = content[end:]
    if not content.strip(b"\r\n"):
        return pa.Table.from_arrays([pa.array([], pa.string())] * width, columns)
    return read_rows(content, columns)


def _end_of_first_row(content: bytes) -> int:
    """Where the first row ends: at a line's end that is not inside quotes."""
    end = quotes = 0
    while end < len(content):
        start, end = end, content.find(b"\n", end) + 1 or len(content)
        quotes += content.count(b'"', start, end)
        if quotes % 2 == 0:
            break
    return end


def read_rows(
    content: bytes | pa.Buffer, columns: list[str] | None, *, is_plain: bool = False, has_gaps: bool = True
) -> pa.Table:
    """The rows of a CSV without a header; only an empty cell is missing. A plain one has no quotes and is UTF-8."""
    return pa_csv.read_csv(
        pa.BufferReader(content),
        pa_csv.ReadOptions(
            column_names=columns,
            autogenerate_column_names=columns is None,
            block_size=LONGEST_ROW,
            use_threads=not is_plain,
        ),
        pa_csv.ParseOptions(quote_char=False if is_plain else '"', newlines_in_values=not is_plain),
        pa_csv.ConvertOptions(
            column_types=dict.fromkeys(columns or (), pa.string()),
            strings_can_be_null=has_gaps,
            quoted_strings_can_be_null=True,
            null_values=[""],
            check_utf8=not is_plain,
        ),
    )


def _json(content: bytes) -> pa.Table:
    """JSON Lines of flat objects; numbers keep their digits as text."""
    rows = [
        json.loads(line, parse_int=str, parse_float=str, parse_constant=str)
        for line in content.splitlines()
        if line.strip()
    ]
    if not all(isinstance(row, dict) for row in rows):
        raise ValueError("expected one object a line")
    names = list(dict.fromkeys(name for row in rows for name in row))
    return pa.table({name: pa.array([_cell(row.get(name)) for row in rows], pa.string()) for name in names})


def _cell(value: object) -> str | None:
    return value if value is None or isinstance(value, str) else json.dumps(value)
