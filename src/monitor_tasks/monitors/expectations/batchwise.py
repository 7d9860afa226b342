"""The plain pass over rows: what is said of single rows is counted batch by batch, the rest is asked of whole columns.

An expectation is still answered wholly from one set of rows: batches are the set's parts, and their counts add up.
"""

import gc
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Protocol, Self

import pyarrow as pa

from monitor_tasks.monitors.expectations.answers import SHOWN
from monitor_tasks.monitors.expectations.engine import run
from monitor_tasks.monitors.expectations.results import Expectation, Result, exception
from monitor_tasks.monitors.expectations.rows import frame
from monitor_tasks.profiles.columns import TableProfile

ROWS_AT_ONCE = 1 << 17
"""Rows of a frame: GX makes an object of every unexpected cell."""
_COLLECTED_AFTER = 8


class Rows(Protocol):
    """Rows that are read when they are asked for; an Arrow table has them in memory."""

    num_rows: int | None
    column_names: Sequence[str]

    def select(self, names: Sequence[str]) -> Self:
        """Some of the columns."""

    def batches(self) -> Iterator[pa.Table]:
        """The rows, in pieces of bounded size."""

    def whole(self) -> pa.Table:
        """All rows at once."""


def of_rows(asked: Mapping[int, Expectation], rows: "pa.Table | Rows", profile: TableProfile) -> dict[int, Result]:
    """GX's result for every expectation, from the rows; `profile` is theirs and tells how pandas holds a column."""
    single = {number: item for number, item in asked.items() if item["type"] in _OF_SINGLE_ROWS}
    added = _added(single, rows, profile)
    rest = {number: item for number, item in asked.items() if number not in added}
    return added | (run(rest, frame(_whole(_columns(rest, rows)), profile)) if rest else {})


def _added(asked: Mapping[int, Expectation], rows: "pa.Table | Rows", profile: TableProfile) -> dict[int, Result]:
    """The results on single rows, added up over the batches; without those that a batch raised an error for."""
    if not asked:
        return {}
    found: dict[int, list[Result]] = {number: [] for number in asked}
    for place, batch in enumerate(_batches(_columns(asked, rows)), 1):
        still = {number: asked[number] for number in found}
        for number, result in run(still, frame(batch, profile)).items():
            if exception(result):
                del found[number]
            else:
                found[number].append(result)
        if place % _COLLECTED_AFTER == 0:
            gc.collect()  # GX's batches hold their frames in circles, which Python by itself leaves for long
    return {number: _sum(results) for number, results in found.items()}


def _sum(results: Sequence[Result]) -> Result:
    """The result on the rows of all batches, as GX computes it of their counts."""
    parts = [result["result"] for result in results]
    total, missing, unexpected = (
        sum(part.get(name, 0) for part in parts) for name in ("element_count", "missing_count", "unexpected_count")
    )
    present = total - missing
    said: dict[str, Any] = {
        "element_count": total,
        "missing_count": missing,
        "missing_percent": missing / total * 100 if total else None,
        "partial_unexpected_list": [cell for part in parts for cell in part["partial_unexpected_list"]][:SHOWN],
        "unexpected_count": unexpected,
        "unexpected_percent": unexpected / present * 100 if present else None,
        "unexpected_percent_nonmissing": unexpected / present * 100 if present else None,
        "unexpected_percent_total": unexpected / total * 100 if total else None,
    }
    mostly = results[0]["expectation_config"]["kwargs"].get("mostly", 1)
    success = not present or (present - unexpected) / present >= mostly
    return {**results[0], "success": success, "result": {name: said[name] for name in parts[0]}}


def _columns(asked: Mapping[int, Expectation], rows: "pa.Table | Rows") -> "pa.Table | Rows":
    """The rows with the columns that the expectations read: those they name, or all where one may read any."""
    kwargs = [item["kwargs"] for item in asked.values()]
    if any(one.get("row_condition") for one in kwargs) or {item["type"] for item in asked.values()} - _OF_NAMED_COLUMNS:
        return rows
    named = {one[key] for one in kwargs for key in ("column", "column_A", "column_B") if key in one}
    named |= {name for one in kwargs for name in one.get("column_list", ())}
    return rows.select([name for name in rows.column_names if name in named])


def _batches(rows: "pa.Table | Rows") -> Iterator[pa.Table]:
    for piece in [rows] if isinstance(rows, pa.Table) else rows.batches():
        for start in range(0, piece.num_rows, ROWS_AT_ONCE):
            yield piece.slice(start, ROWS_AT_ONCE)


def _whole(rows: "pa.Table | Rows") -> pa.Table:
    return rows if isinstance(rows, pa.Table) else rows.whole()


_OF_SINGLE_ROWS = {
    *(
        f"expect_column_values_to_{kind}"
        for kind in [
            *("be_between", "be_in_set", "not_be_in_set", "be_null", "not_be_null"),
            *("match_regex", "not_match_regex", "match_regex_list", "not_match_regex_list"),
            *("match_strftime_format", "be_dateutil_parseable", "be_json_parseable", "match_json_schema"),
        ]
    ),
    *("expect_column_value_lengths_to_be_between", "expect_column_value_lengths_to_equal"),
    *("expect_column_pair_values_a_to_be_greater_than_b", "expect_column_pair_values_to_be_equal"),
    *("expect_column_pair_values_to_be_in_set", "expect_multicolumn_sum_to_equal"),
    *("expect_multicolumn_values_to_be_equal", "expect_select_column_values_to_be_unique_within_record"),
}
"""Expectations that look at each row alone and count."""
_OF_NAMED_COLUMNS = _OF_SINGLE_ROWS | {
    *("expect_column_max_to_be_between", "expect_column_mean_to_be_between", "expect_column_median_to_be_between"),
    *("expect_column_min_to_be_between", "expect_column_stdev_to_be_between", "expect_column_sum_to_be_between"),
    *("expect_column_quantile_values_to_be_between", "expect_column_unique_value_count_to_be_between"),
    *("expect_column_values_to_be_unique", "expect_compound_columns_to_be_unique"),
    *("expect_column_values_to_be_increasing", "expect_column_values_to_be_decreasing"),
    *("expect_column_value_z_scores_to_be_less_than", "expect_column_values_to_not_be_outliers"),
}
"""Expectations that look at no column but those they name."""
