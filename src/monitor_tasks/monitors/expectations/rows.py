"""Cells as pandas would hold them: Arrow rows for the plain pass, and the different cells of a profile alike."""

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from monitor_tasks.profiles.cells import Cells, as_text
from monitor_tasks.profiles.columns import ColumnProfile, TableProfile

if TYPE_CHECKING:
    import pandas as pd

_EXACT_INTEGERS = 2.0**53


def dtype_of(column: ColumnProfile) -> str:
    """How pandas would hold the column's rows: numbers where all cells are; past exact doubles as Python's own."""
    largest = math.inf if column.not_finite else max(abs(column.minimum or 0), abs(column.maximum or 0))
    if column.inferred_type == "Integral" and largest < _EXACT_INTEGERS:
        return "float64" if column.missing else "int64"
    return "float64" if column.inferred_type == "Fractional" else "object"


def series(cells: Sequence[Any], dtype: Any) -> "pd.Series[Any]":
    """Cells, None where one is missing, as pandas holds them."""
    import pandas as pd

    if dtype == "object":
        return pd.Series(list(cells), dtype="object")
    return pd.Series([math.nan if cell is None else float(cell) for cell in cells], dtype="float64").astype(dtype)


def frame(rows: pa.Table, profile: TableProfile) -> "pd.DataFrame":
    """Rows for plain GX: columns of numbers where every cell is one, else of text; `profile` tells it of all rows."""
    import pandas as pd

    columns = {name: (rows[name].combine_chunks(), profile.columns[name]) for name in rows.column_names}
    return pd.DataFrame({name: _row_series(*column) for name, column in columns.items()})


def _row_series(column: pa.Array, known: ColumnProfile) -> "pd.Series[Any]":
    import pandas as pd

    if pa.types.is_dictionary(column.type):
        column = column.dictionary_decode()
    dtype: Any = dtype_of(known)
    if dtype != "object":
        cells = Cells.of(column)
        numbers = np.full(len(column), math.nan)
        numbers[column.is_valid().to_numpy(zero_copy_only=False)] = cells.numbers
        return pd.Series(numbers).astype(dtype)
    texts = as_text(column).to_pylist()
    if known.inferred_type == "Integral":
        texts = [None if text is None else int(text.replace(" ", "")) for text in texts]
    return series(texts, dtype)
