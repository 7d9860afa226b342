"""Cells as pandas would hold them: Arrow rows for the plain pass, and the different cells of a profile alike."""

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from monitor_tasks.profiles.cells import Cells, as_text, inferred_type
from monitor_tasks.profiles.columns import ColumnProfile

if TYPE_CHECKING:
    import pandas as pd

_EXACT_INTEGERS = 2.0**53


def dtype_of(column: ColumnProfile) -> str:
    """How pandas would hold the column's rows."""
    return _dtype(column.inferred_type, column.missing, max(abs(column.minimum or 0), abs(column.maximum or 0)))


def series(cells: Sequence[Any], dtype: Any) -> "pd.Series[Any]":
    """Cells, None where one is missing, as pandas holds them."""
    import pandas as pd

    if dtype == "object":
        return pd.Series(list(cells), dtype="object")
    return pd.Series([math.nan if cell is None else float(cell) for cell in cells], dtype="float64").astype(dtype)


def frame(rows: pa.Table) -> "pd.DataFrame":
    """Rows for plain GX: columns of numbers where every cell is one, else of text."""
    import pandas as pd

    return pd.DataFrame({name: _row_series(rows[name].combine_chunks()) for name in rows.column_names})


def _dtype(kind: str, missing: int, largest: float) -> str:
    """Numbers where all cells are; whole ones past the exact doubles as Python's own."""
    if kind == "Integral" and largest < _EXACT_INTEGERS:
        return "float64" if missing else "int64"
    return "float64" if kind == "Fractional" else "object"


def _row_series(column: pa.Array) -> "pd.Series[Any]":
    import pandas as pd

    if pa.types.is_dictionary(column.type):
        column = column.dictionary_decode()
    cells = Cells.of(column)
    kind = inferred_type(cells.counts)
    dtype: Any = _dtype(kind, cells.missing, float(np.abs(cells.numbers).max(initial=0.0)))
    if dtype != "object":
        numbers = np.full(len(column), math.nan)
        numbers[column.is_valid().to_numpy(zero_copy_only=False)] = cells.numbers
        return pd.Series(numbers).astype(dtype)
    texts = as_text(column).to_pylist()
    if kind == "Integral":
        texts = [None if text is None else int(text.replace(" ", "")) for text in texts]
    return series(texts, dtype)
