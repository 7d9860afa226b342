"""What a row's prediction says of itself: how undecided it is, and how wide its interval."""

from collections.abc import Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from monitor_tasks.tables.model_inputs import NUMBER

ADDED = ENTROPY, WIDTH = "prediction_entropy", "prediction_interval_width"
ROUNDING = 1e-3
"""How far the probabilities of all classes may be from 1 together."""

Floats = NDArray[np.float64]


def with_uncertainty(rows: pa.Table, probabilities: Sequence[str], interval: Sequence[str]) -> pa.Table:
    """The rows with the columns ``prediction_entropy`` and ``prediction_interval_width``, where these can be told.

    The entropy is that of the label given the row, as the model sees it, in bits: of one column, the probability of
    class 1; of several, those of all classes. The width is the upper bound of the interval less the lower. A cell is
    missing where the numbers are none, or no probabilities. Source: Shannon 1948.

    >>> rows = pa.table({"p": ["0.5", "1.0", "2"], "low": [1, 2, 3], "high": [2, 4, None]})
    >>> with_uncertainty(rows, ["p"], ["low", "high"]).select([ENTROPY, WIDTH]).to_pydict()
    {'prediction_entropy': [1.0, 0.0, None], 'prediction_interval_width': [1.0, 2.0, None]}
    """
    for name, wanted, measure in ((ENTROPY, probabilities, _entropy), (WIDTH, interval, _width)):
        if wanted and {*wanted} <= {*rows.column_names} and name not in rows.column_names:
            found = measure(*(_numbers(rows[column]) for column in wanted))
            rows = rows.append_column(name, pa.array(found, mask=~np.isfinite(found)))
    return rows


def _entropy(*classes: Floats) -> Floats:
    shares = np.stack(classes if len(classes) > 1 else [classes[0], 1 - classes[0]])
    total = shares.sum(axis=0)
    with np.errstate(divide="ignore", invalid="ignore"):
        shares = np.where((shares >= 0) & (np.abs(total - 1) <= ROUNDING), shares / total, np.nan)
        bits: Floats = np.where(shares > 0, shares * -np.log2(shares), shares * 0.0)
    return np.asarray(bits.sum(axis=0) + 0.0)


def _width(lower: Floats, upper: Floats) -> Floats:
    return upper - lower


def _numbers(column: pa.ChunkedArray) -> Floats:
    """The cells as numbers; NaN where they are none."""
    if pa.types.is_dictionary(column.type):
        column = column.cast(column.type.value_type)
    if pa.types.is_string(column.type) or pa.types.is_large_string(column.type):
        is_number = pc.match_substring_regex(column, f"^(?:{NUMBER.pattern})$")
        column = pc.if_else(is_number, pc.utf8_ltrim(pc.replace_substring(column, " ", ""), "+"), None)
    return np.asarray(pc.fill_null(column.cast(pa.float64(), safe=False), np.nan), np.float64)
