"""Table files as Arrow tables, whole or batch by batch: CSV (cells stay text), Parquet, JSON Lines."""

import io
import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from itertools import accumulate, chain
from typing import Any, BinaryIO, Self

import numpy as np
import pyarrow as pa
import pyarrow.csv as pa_csv
import pyarrow.parquet as pa_parquet
from numpy.typing import NDArray

from monitor_tasks.value import UserError

LONGEST_ROW = 16 << 20
"""Bytes of the longest row of a CSV, and of a CSV's batch."""
SAMPLE = 4096
"""Rows that tell whether a column's text repeats."""
CELLS_AT_ONCE, ROWS_AT_ONCE, MOST_ROWS = 1 << 22, 1 << 15, 1 << 19
"""Cells of a batch of Parquet, about; its rows are a multiple of so many, and of few columns at most so many."""
_BUFFER = 1 << 17
"""Bytes of a column that are read ahead."""
KINDS = {".csv": "csv", ".parquet": "parquet", ".jsonl": "json", ".json": "json"}
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"

Read = Callable[[list[str]], Iterator[pa.Table]]
"""The named columns of a file, batch by batch."""


@dataclass(frozen=True, eq=False)
class Stored:
    """A table whose rows are read when they are asked for, and as often: its columns are told like an Arrow table's."""

    schema: pa.Schema
    """The columns as the file has them."""
    columns: Mapping[str, str]
    """The columns that are wanted: what each is called here, and in the file."""
    read: Read
    num_rows: int | None = None
    """How many rows there are; None where only reading all of them tells."""

    @classmethod
    def of(cls, table: "pa.Table | Stored") -> "Stored":
        """A table in memory as one that is read; what is stored is left as it is."""
        if isinstance(table, Stored):
            return table
        return _stored(table.schema, lambda names: iter([table.select(names)]), table.num_rows)

    @classmethod
    def in_file(cls, file: BinaryIO, name: str, kind: str | None = None, header: bool = True) -> "Stored":
        """The table in a file that stays open; `kind` (csv, parquet, json) is told by the ending where it is not given.

        Cells of CSV stay text, so that 3.0 is told from 3; an empty cell is missing.

        Raises:
            UserError: the file is not such a table; reading its rows may raise it, too.
        """
        kind = kind or next((kind for ending, kind in KINDS.items() if name.endswith(ending)), "")
        if kind not in KINDS.values():
            raise UserError(f"{name}: unknown kind of table; name it .csv, .parquet or .jsonl, or set dataset_format")
        with _readable(name, kind):
            found = _csv(file, header) if kind == "csv" else _parquet(file) if kind == "parquet" else _json(file)
        names = found.schema.names
        twice = sorted({column for column in names if names.count(column) > 1})
        if twice:
            raise UserError(
                f"{name}: column {twice[0]!r} stands there twice; rename one (or set csv: {{header: false}})"
            )

        def read(columns: list[str]) -> Iterator[pa.Table]:
            with _readable(name, kind):
                yield from found.read(columns)

        return replace(found, read=read)

    @property
    def column_names(self) -> list[str]:
        """The columns that are wanted, in their order."""
        return list(self.columns)

    @property
    def num_columns(self) -> int:
        """How many columns are wanted."""
        return len(self.columns)

    @property
    def form(self) -> pa.Schema:
        """The columns that are wanted, as they are called here, with their types in the file."""
        return self._named(self._empty()).schema

    def select(self, names: Sequence[str]) -> Self:
        """The table of these columns alone, in this order."""
        return replace(self, columns={name: self.columns[name] for name in names})

    def rename_columns(self, names: Sequence[str]) -> Self:
        """The table with these names for its columns, in their order."""
        return replace(self, columns=dict(zip(names, self.columns.values(), strict=True)))

    def changed(self, change: Callable[[pa.Table], pa.Table]) -> "Stored":
        """The table after a change of its rows, batch by batch; no row may come or go."""

        def read(columns: list[str]) -> Iterator[pa.Table]:
            return (change(batch).select(columns) for batch in self.batches())

        return _stored(change(self._named(self._empty())).schema, read, self.num_rows)

    def followed(self, others: Sequence["Stored"]) -> "Stored":
        """These rows and then those of the others; a column that one of them lacks is missing there."""
        tables = [self, *others]
        if len(tables) == 1:
            return self
        schema = pa.unify_schemas([one.form for one in tables], promote_options="default")

        def read(columns: list[str]) -> Iterator[pa.Table]:
            for one in tables:
                for batch in one.batches([name for name in columns if name in one.columns]):
                    nulls = {name: pa.nulls(batch.num_rows, schema.field(name).type) for name in columns}
                    yield _with(batch, nulls, columns)

        counts = [one.num_rows for one in tables]
        return _stored(schema, read, None if None in counts else sum(count or 0 for count in counts))

    def appended(self, columns: Mapping[str, pa.Array]) -> "Stored":
        """The table with more columns at its end, whose cells are in memory, in the order of the rows."""
        schema = self.form
        for name, cells in columns.items():
            schema = schema.append(pa.field(name, cells.type))

        def read(names: list[str]) -> Iterator[pa.Table]:
            start = 0
            for batch in self.batches([name for name in names if name not in columns]):
                yield _with(batch, {name: cells.slice(start, batch.num_rows) for name, cells in columns.items()}, names)
                start += batch.num_rows

        return _stored(schema, read, self.num_rows)

    def narrowed(self, change: Callable[[pa.Table], pa.Table]) -> "Stored":
        """The table after a change that may leave rows out; how many there are then, only reading tells."""
        return replace(self.changed(change), num_rows=None)

    def rows_at(self, places: NDArray[np.int64]) -> pa.Table:
        """The rows at these places, in the order of the places; no others are held."""
        order = np.argsort(places)
        rising, pieces, start = places[order], [], 0
        for batch in self.batches():
            first, last = np.searchsorted(rising, (start, start + batch.num_rows))
            pieces.append(batch.take(pa.array(rising[first:last] - start)))
            start += batch.num_rows
        found = pa.concat_tables(pieces).cast(self.form)
        return found.take(pa.array(np.argsort(order))).combine_chunks()

    def without_rows(self, places: NDArray[np.int64]) -> "Stored":
        """All rows but those at these places."""
        rising = np.sort(places)

        def read(columns: list[str]) -> Iterator[pa.Table]:
            start = 0
            for batch in self.batches(columns):
                first, last = np.searchsorted(rising, (start, start + batch.num_rows))
                kept = np.ones(batch.num_rows, np.bool_)
                kept[rising[first:last] - start] = False
                yield batch.filter(pa.array(kept))
                start += batch.num_rows

        return _stored(self.form, read)

    def holds(self, rows: int) -> bool:
        """Whether there are at least so many rows; no more are read than tell it."""
        counts = (batch.num_rows for batch in self.batches()) if self.num_rows is None else iter([self.num_rows])
        return any(total >= rows for total in accumulate(counts))

    def batches(self, columns: Sequence[str] | None = None) -> Iterator[pa.Table]:
        """The rows, or some of their columns, in pieces of bounded size; of no rows one empty piece, for its columns.

        Texts that repeat may be encoded by a dictionary.
        """
        if columns is not None:
            return self.select(columns).batches()
        pieces = self.read(list(self.columns.values()))
        first = next(pieces, None)
        return map(self._named, chain([self._empty() if first is None else first], pieces))

    def held(self, cells: int) -> pa.Table | None:
        """All rows in memory, where these are at most so many cells; None of more."""
        if self.num_rows is not None and self.num_rows * self.num_columns > cells:
            return None
        batches = []
        for batch in self.batches():
            cells -= batch.num_rows * batch.num_columns
            if cells < 0:
                return None
            batches.append(batch)
        return pa.concat_tables(batches)

    def typed(self) -> Iterator[pa.Table]:
        """The rows in pieces of bounded size, each column of its type in the file."""
        form = self.form
        return (batch.cast(form) for batch in self.batches())

    def whole(self) -> pa.Table:
        """All rows in memory, each column of its type in the file."""
        return pa.concat_tables(self.batches()).cast(self.form)

    def _named(self, piece: pa.Table) -> pa.Table:
        names = self.column_names
        return piece if piece.column_names == names else piece.rename_columns(names)  # that loses metadata

    def _empty(self) -> pa.Table:
        return self.schema.empty_table().select(list(self.columns.values()))


def read_table(content: bytes, name: str, kind: str | None = None, header: bool = True) -> pa.Table:
    """The table in a file's bytes, whole in memory; the file is told, and refused, as ``Stored.in_file`` does.

    Raises:
        UserError: the file is not such a table.
    """
    return Stored.in_file(io.BytesIO(content), name, kind, header).whole()


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
    numbers = [field.name for field in schema if not pa.types.is_string(field.type)]  # the least text tells nobody much
    form: dict[str, Any] = {"compression": "lz4", "use_dictionary": repeated, "write_statistics": numbers}
    with pa_parquet.ParquetWriter(file, schema, **form) as writer:
        for batch in chain([first], waiting):
            writer.write_table(batch)


def _with(batch: pa.Table, more: Mapping[str, pa.Array], names: Sequence[str]) -> pa.Table:
    """The named columns: a batch's own, and others where it has none of that name."""
    found = [batch[name] if name in batch.column_names else more[name] for name in names]
    return pa.Table.from_arrays(found, names)


def _stored(schema: pa.Schema, read: Read, num_rows: int | None = None) -> Stored:
    return Stored(schema, {name: name for name in schema.names}, read, num_rows)


@contextmanager
def _readable(name: str, kind: str) -> Iterator[None]:
    """Whatever is wrong with a file is one line that names it."""
    try:
        yield
    except RecursionError as error:  # each Python says it otherwise
        raise UserError(f"{name}: not readable as {kind}: too many lists or objects lie in each other") from error
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError, ValueError, OSError) as error:
        raise UserError(f"{name}: not readable as {kind}: {str(error).splitlines()[0]}") from error


def _parquet(file: BinaryIO) -> Stored:
    """Columns whose text was written by a dictionary are read by it."""
    plain = pa_parquet.ParquetFile(file, pre_buffer=False)
    schema, groups = plain.schema_arrow, plain.metadata
    texts = [place for place, field in enumerate(schema) if pa.types.is_string(field.type)]
    is_flat = groups.num_columns == len(schema)
    repeated = [
        schema.names[place]
        for place in texts
        if is_flat and groups.num_row_groups and groups.row_group(0).column(place).has_dictionary_page
    ]

    def read(names: list[str]) -> Iterator[pa.Table]:
        opened = pa_parquet.ParquetFile(file, pre_buffer=False, buffer_size=_BUFFER, read_dictionary=repeated)
        rows = max(CELLS_AT_ONCE // max(len(names), 1) // ROWS_AT_ONCE, 1) * ROWS_AT_ONCE
        rows = min(rows, MOST_ROWS)  # text may be long: two million ids are a hundred megabytes and more
        for batch in opened.iter_batches(rows, columns=names):
            yield pa.Table.from_batches([batch]).select(names)

    return _stored(schema, read, groups.num_rows)


def _csv(file: BinaryIO, header: bool) -> Stored:
    start, first = _first_row(file)
    names = [f"_c{index}" for index in range(read_rows(first, None).num_columns)]
    if header:
        names = [cells[0].as_py() or "" for cells in read_rows(first, names).columns]
        start += len(first)

    def read(columns: list[str]) -> Iterator[pa.Table]:
        file.seek(start)
        if not file.read(1):
            return
        file.seek(start)
        for batch in pa_csv.open_csv(file, *_options(names, columns)):
            yield pa.Table.from_batches([batch])

    return _stored(pa.schema([(name, pa.string()) for name in names]), read)


def _first_row(file: BinaryIO) -> tuple[int, bytes]:
    """Where the first row begins, after a byte order mark and empty lines, and its bytes: no row ends inside quotes."""
    file.seek(0)
    start = len(_BYTE_ORDER_MARK) if file.read(len(_BYTE_ORDER_MARK)) == _BYTE_ORDER_MARK else 0
    file.seek(start)
    row, quotes = bytearray(), 0
    while (not row or quotes % 2) and len(row) < LONGEST_ROW and (line := file.readline(LONGEST_ROW)):
        row += line if row else line.lstrip(b"\r\n")
        quotes += line.count(b'"')
    if not row:
        raise ValueError("the file is empty")
    if len(row) >= LONGEST_ROW:
        raise ValueError(f"its first row is longer than {LONGEST_ROW} bytes; is a quote left open?")
    end = b"" if row.endswith(b"\n") else b"\n"
    return file.tell() - len(row), bytes(row) + end


def read_rows(content: bytes | pa.Buffer, columns: list[str] | None) -> pa.Table:
    """The rows of a CSV without a header; only an empty cell is missing."""
    return pa_csv.read_csv(pa.BufferReader(content), *_options(columns))


def _options(columns: list[str] | None, wanted: list[str] | None = None) -> tuple[Any, Any, Any]:
    """How Arrow reads a CSV of these columns, or the wanted ones of them: every cell is text."""
    return (
        pa_csv.ReadOptions(column_names=columns, autogenerate_column_names=columns is None, block_size=LONGEST_ROW),
        pa_csv.ParseOptions(newlines_in_values=True),
        pa_csv.ConvertOptions(
            column_types=dict.fromkeys(columns or (), pa.string()),
            include_columns=wanted,
            strings_can_be_null=True,
            quoted_strings_can_be_null=True,
            null_values=[""],
        ),
    )


def _json(file: BinaryIO) -> Stored:
    """JSON Lines of flat objects, which are held; numbers keep their digits as text."""
    file.seek(0)
    rows = [
        json.loads(line, parse_int=str, parse_float=str, parse_constant=str)
        for line in file.read().splitlines()
        if line.strip()
    ]
    if not all(isinstance(row, dict) for row in rows):
        raise ValueError("expected one object a line")
    names = list(dict.fromkeys(name for row in rows for name in row))
    cells = {name: pa.array([_cell(row.get(name)) for row in rows], pa.string()) for name in names}
    return Stored.of(pa.table(cells))


def _cell(value: object) -> str | None:
    return value if value is None or isinstance(value, str) else json.dumps(value)
