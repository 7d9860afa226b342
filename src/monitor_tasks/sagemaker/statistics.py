"""The block of a table -> SageMaker's statistics.json of data quality (contract data-quality.md, section 1)."""

from itertools import pairwise
from math import nan, sqrt
from typing import Any

import numpy as np

from monitor_tasks.profiles.kll import SHRINKING_FACTOR, SKETCH_SIZE
from monitor_tasks.profiles.sketch import BlockColumn, SageMakerBlock
from monitor_tasks.sagemaker.text import jackson

CATEGORIES = 120
"""Columns with more different texts than this have no categories: deequ's limit for a histogram."""
_BUCKETS = 10


def statistics_json(block: SageMakerBlock) -> bytes:
    """The text of statistics.json, to the byte where the rows came from one file."""
    features = [_feature(name, column) for name, column in block.columns.items()]
    return jackson({"version": 0.0, "dataset": {"item_count": block.rows}, "features": features})


def categories(column: BlockColumn) -> list[tuple[str, int]]:
    """The texts of a column of few different ones with their counts, most frequent first; else none.

    The order is deequ's for suggested domains; the container's is unverified, ties are ordered by text.
    """
    texts = column.texts or {}
    return sorted(texts.items(), key=lambda pair: (-pair[1], pair[0])) if len(texts) <= CATEGORIES else []


def _feature(name: str, column: BlockColumn) -> dict[str, Any]:
    """One column's statistics; a Boolean or an Unknown one has those of a String, which no sample contradicts."""
    common = {"num_present": column.present, "num_missing": column.missing}
    known = {"name": name, "inferred_type": column.inferred_type}
    if column.is_numeric:
        return {**known, "numerical_statistics": {"common": common, **_numerical(column)}}
    return {**known, "string_statistics": {"common": common, **_textual(column)}}


def _numerical(column: BlockColumn) -> dict[str, Any]:
    count = column.sketch.count
    return {
        "mean": column.total / count if count else nan,
        "sum": column.total,
        "std_dev": sqrt(column.squares / count) if count else nan,
        "min": nan if column.minimum is None else column.minimum,
        "max": nan if column.maximum is None else column.maximum,
        "distribution": {"kll": {"buckets": _buckets(column), "sketch": _sketch(column)}},
    }


def _sketch(column: BlockColumn) -> dict[str, Any]:
    parameters = {"c": SHRINKING_FACTOR, "k": float(SKETCH_SIZE)}
    return {"parameters": parameters, "data": [level.tolist() for level in column.sketch.levels]}


def _buckets(column: BlockColumn) -> list[dict[str, float]]:
    """Ten spans of equal width and the sketch's weight in each; the last one holds its upper bound."""
    if column.minimum is None or column.maximum is None:
        return []
    values, weights = np.concatenate(column.sketch.levels), column.sketch.weights
    lowest, width = column.minimum, column.maximum - column.minimum
    bounds = [lowest + width * step / float(_BUCKETS) for step in range(_BUCKETS + 1)]
    buckets = []
    for step, (lower, upper) in enumerate(pairwise(bounds), 1):
        inside = (values >= lower) & ((values < upper) if step < _BUCKETS else (values <= upper))
        buckets.append({"lower_bound": lower, "upper_bound": upper, "count": float(weights[inside].sum())})
    return buckets


def _textual(column: BlockColumn) -> dict[str, Any]:
    distinct = {"distinct_count": nan if column.distinct is None else float(column.distinct)}
    buckets = [{"value": text, "count": count} for text, count in categories(column)]
    return {**distinct, "distribution": {"categorical": {"buckets": buckets}}} if buckets else distinct
