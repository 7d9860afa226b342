"""Tables put aside until they are needed: in a file that the caller opened, or in memory."""

from typing import BinaryIO, NamedTuple

import pyarrow as pa


class Kept(NamedTuple):
    """A table that was put aside."""

    rows: int
    start: int
    end: int
    table: pa.Table | None


class Spill:
    """Where tables are put aside."""

    def __init__(self, file: BinaryIO | None = None) -> None:
        """Puts them into `file`, which is empty and stays open; without one, keeps them in memory."""
        self._file = file

    def put(self, table: pa.Table) -> Kept:
        """Puts a table aside."""
        if self._file is None or not table.num_rows:
            return Kept(table.num_rows, 0, 0, table)
        start = self._file.seek(0, 2)
        with pa.ipc.new_stream(pa.PythonFile(self._file, "w"), table.schema) as writer:
            writer.write_table(table)
        return Kept(table.num_rows, start, self._file.tell(), None)

    def get(self, kept: Kept) -> pa.Table:
        """The table again."""
        if kept.table is not None:
            return kept.table
        if self._file is None:
            raise ValueError("the table was put aside elsewhere")
        self._file.seek(kept.start)
        return pa.ipc.open_stream(self._file.read(kept.end - kept.start)).read_all()
