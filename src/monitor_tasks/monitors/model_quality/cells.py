"""The cells by which a regression's losses are estimated: grown on a reference, pinned with its baseline."""

from collections.abc import Iterable, Mapping
from functools import reduce
from typing import NamedTuple

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from monitor_tasks.metrics.losses import SMALLEST, grown
from monitor_tasks.monitors.model_quality.problem import column, labels
from monitor_tasks.monitors.model_quality.regression import PREDICTION
from monitor_tasks.monitors.settings import ModelQualitySettings
from monitor_tasks.profiles.cells import as_text
from monitor_tasks.profiles.partition import Axis, Column, Partition
from monitor_tasks.profiles.replicates import row_hashes
from monitor_tasks.profiles.residuals import LARGEST
from monitor_tasks.profiles.scores import numbers
from monitor_tasks.value import UserError

Numbers = NDArray[np.float64]
LEARNED = 50_000
"""Rows that the tree is grown on, at most: those with the smallest hashes."""
CATEGORIES = 64


def partition_of(batches: Iterable[pa.Table], settings: ModelQualitySettings) -> Partition | None:
    """The tree that tells best how far predictions are off, by the prediction and what else the rows have.

    None where no row has both a label and a prediction. Of the rows, which come in batches of the same columns, those
    that the tree is grown on are held.

    Raises:
        UserError: the settings name a column that the rows lack.
    """
    learned = reduce(_learned, (_judged(rows, settings) for rows in batches if rows.num_rows), None)
    if learned is None or not learned.rows.num_rows:
        return None
    rows = learned.rows
    columns = {**_columns(rows, settings), PREDICTION: _predicted(rows, settings)}
    losses = _losses(rows, settings)
    axes = tuple(_axis(name, one, losses) for name, one in columns.items())
    return Partition(axes, grown(Partition(axes).matrix(columns), losses))


class _Rows(NamedTuple):
    """Rows with a label and a prediction, and their hashes."""

    rows: pa.Table
    hashes: NDArray[np.uint64]


def _judged(rows: pa.Table, settings: ModelQualitySettings) -> _Rows:
    judged = np.flatnonzero(_losses(rows, settings) <= LARGEST)
    return _Rows(rows.take(pa.array(judged)), row_hashes(rows)[judged])


def _learned(known: _Rows | None, more: _Rows) -> _Rows:
    """Of both those with the smallest hashes, smallest first, of equal ones the first."""
    rows = pa.concat_tables([known.rows, more.rows]) if known else more.rows
    hashes = np.concatenate([known.hashes, more.hashes]) if known else more.hashes
    order = np.argsort(hashes, kind="stable")[:LEARNED]
    return _Rows(rows.take(pa.array(order)), hashes[order])


def _predicted(rows: pa.Table, settings: ModelQualitySettings) -> Column | None:
    return column(rows, settings.inference_attribute, "inference_attribute")


def _losses(rows: pa.Table, settings: ModelQualitySettings) -> Numbers:
    """How far each prediction is off; NaN where there is no label, or no prediction."""
    predicted, label = _predicted(rows, settings), labels(rows, settings)
    return np.full(rows.num_rows, np.nan) if predicted is None else np.abs(numbers(predicted) - numbers(label))


def _columns(rows: pa.Table, settings: ModelQualitySettings) -> Mapping[str, Column]:
    """The columns beside the prediction that losses are told from: those named, else all but the label."""
    names = settings.estimate_attributes
    if strange := ", ".join(name for name in names if name not in rows.column_names):
        raise UserError(
            f"model_quality.estimate_attributes: the rows have no column {strange}; correct the name. "
            f"They have: {', '.join(rows.column_names)}"
        )
    keys = [one for one in (settings.ground_truth_attribute, settings.inference_attribute) if one]
    taken = {key if key in rows.column_names else rows.column_names[int(key)] for key in keys}
    return {name: rows[name] for name in names or sorted(rows.column_names) if name not in taken and name[:1] != "@"}


def _axis(name: str, known: Column, losses: Numbers) -> Axis:
    """A column of numbers, unless most of its cells are none: then of its frequent texts, by what they lose on average.

    A text in too few rows to make a cell is told from none: it would only be learned by heart.
    """
    if 2 * np.isfinite(numbers(known)).sum() >= len(known) - known.null_count:
        return Axis(name)
    array = known.combine_chunks() if isinstance(known, pa.ChunkedArray) else known
    texts = as_text(array).dictionary_encode()
    codes = texts.indices.fill_null(len(texts.dictionary)).to_numpy(zero_copy_only=False)
    counts = np.bincount(codes, minlength=len(texts.dictionary) + 1)[:-1]
    means = np.bincount(codes, losses, len(texts.dictionary) + 1)[:-1] / np.maximum(counts, 1)
    frequent = sorted((-int(counts[place]), text, place) for place, text in enumerate(texts.dictionary.to_pylist())
                      if counts[place] >= SMALLEST)[:CATEGORIES]  # fmt: skip
    return Axis(name, tuple(text for _, text, place in sorted(frequent, key=lambda one: (means[one[2]], one[1]))))
