"""A table file's bytes to an Arrow table: CSV (cells stay text), Parquet, JSON Lines."""

import io
import json

import pyarrow as pa
import pyarrow.csv as pa_csv
import pyarrow.parquet as pa_parquet

from monitor_tasks.value import UserError

KINDS = {".csv": "csv", ".parquet": "parquet", ".jsonl": "json", ".json": "json"}


def read_table(content: bytes, name: str, kind: str | None = None, header: bool = True) -> pa.Table:
    """The table in a file; its `kind` (csv, parquet, json) is told by the name's ending where it is not given.

    Cells of CSV stay text, so that 3.0 is told from 3; an empty cell is missing.

    Raises:
        UserError: the file is not such a table.
    """
    kind = kind or next((kind for ending, kind in KINDS.items() if name.endswith(ending)), None)
    readers = {"csv": lambda: _csv(content, header), "parquet": lambda: _parquet(content), "json": lambda: _json(content)}
    if kind not in readers:
        raise UserError(f"{name}: unknown kind of table; name it .csv, .parquet or .jsonl, or set dataset_format")
    try:
        table = readers[kind]()
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError, ValueError, OSError) as error:
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


def _parquet(content: bytes) -> pa.Table:
    return pa_parquet.ParquetFile(io.BytesIO(content), pre_buffer=False).read()


def _csv(content: bytes, header: bool) -> pa.Table:
    first = content[: content.find(b"\n") + 1] or content
    names = pa_csv.read_csv(io.BytesIO(first), pa_csv.ReadOptions(autogenerate_column_names=True)).num_columns
    columns = [f"_c{index}" for index in range(names)]
    if header:
        head = pa_csv.read_csv(
            io.BytesIO(first),
            pa_csv.ReadOptions(column_names=columns),
            convert_options=pa_csv.ConvertOptions(column_types=dict.fromkeys(columns, pa.string())),
        )
        columns = [head[column][0].as_py() for column in columns]
    return pa_csv.read_csv(
        io.BytesIO(content),
        pa_csv.ReadOptions(column_names=columns, skip_rows=int(header)),
        pa_csv.ParseOptions(newlines_in_values=True),
        pa_csv.ConvertOptions(
            column_types=dict.fromkeys(columns, pa.string()),
            strings_can_be_null=True,
            quoted_strings_can_be_null=True,
            null_values=[""],
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
