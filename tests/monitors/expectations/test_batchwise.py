"""Rows asked batch by batch say what they say at once, and only the columns that are asked about are read."""

from collections.abc import Iterator, Sequence
from typing import Any

import pyarrow as pa
import pytest

from monitor_tasks.monitors.expectations import validate
from monitor_tasks.monitors.expectations.batchwise import _OF_NAMED_COLUMNS, _OF_SINGLE_ROWS
from monitor_tasks.profiles.columns import TableProfile
from monitor_tasks.report import State
from monitor_tasks.tables.files import Stored
from tests.monitors.expectations.compared import EXPECTATIONS, SORTS, columns, suite
from tests.monitors.expectations.samples import expect


class Read:
    """A stored table of small batches that remembers which columns were read."""

    def __init__(self, table: pa.Table, size: int) -> None:
        self.table, self.size, self.columns = table, size, list[list[str]]()
        self.stored = Stored(table.schema, {name: name for name in table.column_names}, self.read, table.num_rows)

    def read(self, names: list[str]) -> Iterator[pa.Table]:
        self.columns.append(names)
        wanted = self.table.select(names)
        yield from (wanted.slice(start, self.size) for start in range(0, wanted.num_rows, self.size))


PLAIN: dict[str, str] = {}
CONDITION = {"row_condition": 'w != "b"', "condition_parser": "pandas"}


@pytest.mark.parametrize(
    ("sort", "condition"),
    [
        *((sort, PLAIN) for sort, known in SORTS.items() if not known.large),
        *((sort, CONDITION) for sort in ("with holes", "texts with holes")),
    ],
)
def test_batches_say_what_all_rows_say_at_once(sort: str, condition: dict[str, str]) -> None:
    kind = None if SORTS[sort].numeric else pa.string()
    rows = pa.table({name: pa.array(cells, kind) for name, cells in columns(sort).items()})
    rows = rows.append_column("w", pa.array([("a", "b", "c")[row % 3] for row in range(rows.num_rows)]))
    asked = [{**item, "kwargs": item["kwargs"] | condition} for item in suite(sort) if item["type"] in _OF_SINGLE_ROWS]
    profile = TableProfile.of(rows)
    at_once = validate(profile, (), asked, rows)
    read = Read(rows, max(rows.num_rows // 5, 7))
    assert validate(profile, (), asked, read.stored).results == at_once.results
    assert read.columns or not condition


def of_numbers(*asked: dict[str, Any]) -> tuple[list[list[str]], Sequence[State]]:
    rows = pa.table({"x": [row / 7 for row in range(3000)], "y": range(3000), "z": ["a", "b", "c"] * 1000})
    read = Read(rows, 1000)
    found = validate(TableProfile.of(rows), (), asked, read.stored)
    return read.columns, [finding.state for finding in found.findings]


BETWEEN = expect("expect_column_values_to_be_between", column="x", max_value=400, mostly=0.9)


def test_no_row_is_read_where_the_profile_answers() -> None:
    known = expect("expect_column_values_to_be_in_set", column="z", value_set=["a", "b", "c"])
    assert of_numbers(known) == ([], [State.KEPT])


def test_only_the_columns_that_are_named_are_read() -> None:
    median = expect("expect_column_median_to_be_between", column="y", min_value=1499, max_value=1500)
    assert of_numbers(BETWEEN, median) == ([["x"], ["y"]], [State.KEPT, State.KEPT])


def test_a_condition_on_rows_may_read_any_column() -> None:
    conditional = {**BETWEEN["kwargs"], "row_condition": 'z == "a"', "condition_parser": "pandas"}
    read, states = of_numbers({**BETWEEN, "kwargs": conditional})
    assert (read, states) == ([["x", "y", "z"]], [State.KEPT])


def test_the_expectations_that_name_their_columns_are_the_librarys() -> None:
    assert {*EXPECTATIONS} >= _OF_NAMED_COLUMNS
