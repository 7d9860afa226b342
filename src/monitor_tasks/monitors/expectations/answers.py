"""GX's metrics read off a profile; GX's own function runs on the different cells where that gives the same."""

from collections.abc import Callable, Mapping
from fractions import Fraction
from typing import Any

import numpy as np

from monitor_tasks.monitors.expectations.known import Known, NeedsRows
from monitor_tasks.monitors.expectations.rows import dtype_of
from monitor_tasks.profiles.columns import ColumnProfile, TableProfile

MEASURED = "monitor_tasks.measured"
"""The metric of GX that stands for any metric of ours."""
SHOWN = 20
"""How many unexpected cells a result shows."""


def answer(metric: Any, known: Known, inputs: Mapping[str, Any], compute: Callable[[Any], Any]) -> Any:
    """The metric's value; `inputs` are those of the metrics it rests on, `compute` is GX's own function of a frame.

    Raises:
        NeedsRows: the profile cannot give exactly what the rows would give.
    """
    name, domain = metric.metric_name, metric.metric_domain_kwargs
    if beyond := sorted(key for key, value in domain.items() if value and key not in _OF_DOMAIN):
        raise NeedsRows(f"a profile knows no {', '.join(beyond)}")
    if name == MEASURED:
        return known.measure(metric.metric_value_kwargs["metric"], metric.metric_value_kwargs["subject"])
    if name in _OF_TABLE:
        return _OF_TABLE[name](known.profile)
    if name in _OF_METRICS:
        return compute(None)
    if name in _OF_NUMBERS:
        return _OF_NUMBERS[name](known.numbers(domain["column"]))
    if name in _OF_MISSING:
        return _OF_MISSING[name](known.column(domain["column"]))
    return _of_cells(metric, known, inputs, compute)


def _of_cells(metric: Any, known: Known, inputs: Mapping[str, Any], compute: Callable[[Any], Any]) -> Any:
    name = metric.metric_name
    base, _, part = name.rpartition(".")
    if name in _OF_DISTINCT or (base in _PER_VALUE and part in ("condition", "map")):
        return compute(known.cells(metric)[0].to_frame(metric.metric_domain_kwargs["column"]))
    if base in _PER_VALUE and part in ("unexpected_count", "unexpected_values"):
        return _unexpected(part, known, metric, inputs["unexpected_condition"][0])
    raise NeedsRows(f"{name} is not known to a profile")


def _unexpected(part: str, known: Known, metric: Any, condition: Any) -> Any:
    """How many cells are unexpected, or the first of them in their order."""
    cells, counts = known.cells(metric)
    mask, present = np.asarray(condition, dtype=bool), cells.notna().to_numpy()
    cells, counts = cells[present][mask], counts[present][mask]
    if part == "unexpected_count":
        return int(counts.sum())
    if known.is_type_match(metric):
        return []
    shown = cells[:SHOWN].repeat(np.minimum(counts[:SHOWN], SHOWN))
    return shown[:SHOWN].tolist()


def _whole(column: ColumnProfile, value: float | Fraction) -> float:
    return int(value) if column.inferred_type == "Integral" else float(value)


def _column_types(profile: TableProfile) -> list[dict[str, Any]]:
    return [{"name": name, "type": np.dtype(dtype_of(column))} for name, column in profile.columns.items()]


def _nothing(_: ColumnProfile) -> list[Any]:
    return []


_OF_DOMAIN = {"batch_id", "column", "condition_parser"}
_OF_TABLE: Mapping[str, Callable[[TableProfile], Any]] = {
    "table.row_count": lambda profile: profile.rows,
    "table.columns": lambda profile: list(profile.columns),
    "table.column_types": _column_types,
}
_OF_METRICS = {"table.column_count", "column.unique_proportion", "column.non_null_proportion"}
_OF_NUMBERS: Mapping[str, Callable[[ColumnProfile], Any]] = {
    "column.min": lambda column: _whole(column, column.minimum or 0.0),
    "column.max": lambda column: _whole(column, column.maximum or 0.0),
    "column.sum": lambda column: _whole(column, column.total.fraction()),
    "column.mean": lambda column: float(column.total.fraction() / column.finite),
}
_OF_MISSING: Mapping[str, Callable[[ColumnProfile], Any]] = {
    "column.non_null_count": lambda column: column.present,
    "column_values.nonnull.unexpected_count": lambda column: column.missing,
    "column_values.nonnull.unexpected_values": _nothing,
    "column_values.nonnull.condition": _nothing,
    "column_values.null.unexpected_count": lambda column: column.present,
    "column_values.null.unexpected_values": _nothing,
    "column_values.null.condition": _nothing,
}
_OF_DISTINCT = {
    "column.distinct_values",
    "column.distinct_values.count",
    "column.distinct_values.not_in_set",
    "column.distinct_values.not_in_set.count",
    "column.distinct_values.missing_from_column",
    "column.distinct_values.missing_from_column.count",
}
_PER_VALUE = {
    f"column_values.{kind}"
    for kind in [
        *("in_set", "not_in_set", "between", "of_type", "in_type_list"),
        *("value_length", "value_length.equals", "value_length.between"),
        *("match_regex", "not_match_regex", "match_regex_list", "not_match_regex_list"),
        *("match_strftime_format", "dateutil_parseable", "json_parseable", "match_json_schema"),
    ]
}
