"""DuckDB, as a calculator on tables in hand."""

import re
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Self

import duckdb
import pyarrow as pa


def opened(memory: str, threads: int, spill: str = "") -> duckdb.DuckDBPyConnection:
    """A database in memory that holds at most so much of it, spills into a folder, fetches nothing, and is silent."""
    settings: dict[str, str | bool | int | float | list[str]] = {
        "memory_limit": memory,
        "threads": threads,
        "temp_directory": spill,
        "autoinstall_known_extensions": False,
        "autoload_known_extensions": False,
    }
    connection = duckdb.connect(":memory:", config=settings)
    connection.execute("set enable_progress_bar = false")
    return connection


class Engine:
    """A database for queries over one table; several threads may ask at once."""

    def __init__(self, memory: str) -> None:
        """An engine that holds at most `memory` beside its answers."""
        beside = ThreadPoolExecutor(1)
        self._opening = beside.submit(opened, memory, threads=1)  # it takes 20 ms: meanwhile others fetch
        beside.shutdown(wait=False)

    def ask(self, query: str, rows: pa.Table, values: Mapping[str, Any] | None = None) -> pa.Table:
        """The answer to a query over the table `rows`, with its named values.

        Raises:
            duckdb.Error: a row is too strange for the query.
        """
        used = set(re.findall(r"\$(\w+)", query))
        with self._opening.result().cursor() as cursor:
            cursor.register("rows", rows)
            params = {name: value for name, value in (values or {}).items() if name in used}
            try:
                return cursor.sql(query, params=params).to_arrow_table()
            except UnicodeDecodeError as error:  # it quotes what it complains of, and may cut that within a character
                raise duckdb.InvalidInputException(error.object.decode(errors="replace")) from error

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._opening.result().close()
