"""What the profile answers and what the rows answer is what plain GX says on the rows."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
from hypothesis import given, settings
from hypothesis import strategies as st

from monitor_tasks.baseline import Metric
from monitor_tasks.monitors.expectations import Validation, validate
from monitor_tasks.monitors.expectations.results import Result
from monitor_tasks.report import State
from monitor_tasks.tables.sampling import smallest_hashes
from tests.monitors.expectations.compared import frame, plainly, results
from tests.monitors.expectations.samples import CELLS, FROM_PROFILE, FROM_ROWS, PROFILE, TABLE, asked, expect

KEPT, BROKEN, UNDECIDED, FAILED = State.KEPT, State.BROKEN, State.UNDECIDED, State.FAILED


def plain(suite: Sequence[Mapping[str, Any]]) -> list[tuple[bool, int | None]]:
    """What plain GX says on a frame that pandas made."""
    return _said(plainly(suite, frame(CELLS, numeric=("age", "visits", "weight"))))


def found(validation: Validation) -> list[tuple[bool, int | None]]:
    return _said(results(validation.results))


def _said(results: Sequence[Result]) -> list[tuple[bool, int | None]]:
    return [(result["success"], result["result"].get("unexpected_count")) for result in results]


def test_the_profile_answers_as_plain_great_expectations_does_on_the_rows() -> None:
    validation = validate(PROFILE, (), FROM_PROFILE, None)
    assert [finding.because for finding in validation.findings if finding.state in (UNDECIDED, FAILED)] == []
    assert found(validation) == plain(FROM_PROFILE)


COLUMN = st.one_of(
    *(
        st.lists(st.sampled_from(pool), min_size=6, max_size=6)
        for pool in (["1", "+2", None, "10"], ["1", "2.5", "1e3", None], ["a", "", None, "[1]", "2020-01-01"],
                     ["true", "false", None], ["x", "1.0", "true"], [1, 2, None], [0.5, 1.0, None], [True, False, None],
                     [2**60, 1, None])
    )
)  # fmt: skip


@settings(max_examples=15, deadline=None)
@given(COLUMN, st.sampled_from([0.5, 1.0]))
def test_where_the_profile_answers_the_rows_would_answer_the_same(cells: list[Any], mostly: float) -> None:
    table = pa.table({"x": cells, "one": [1] * len(cells)})
    suite = [
        expect("expect_column_values_to_be_in_set", column="x", value_set=[1, 2, "a", True], mostly=mostly),
        expect("expect_column_values_to_match_regex", column="x", regex="^[-+]?[0-9]+$", mostly=mostly),
        expect("expect_column_values_to_be_between", column="x", min_value=0, max_value=2, mostly=mostly),
        expect("expect_column_value_lengths_to_equal", column="x", value=1, mostly=mostly),
        expect("expect_column_values_to_be_json_parseable", column="x", mostly=mostly),
        expect("expect_column_values_to_not_be_null", column="x", mostly=mostly),
        expect("expect_column_max_to_be_between", column="x", max_value=2),
        expect("expect_column_sum_to_be_between", column="x", max_value=5),
        expect("expect_column_distinct_values_to_be_in_set", column="x", value_set=[1, 2, "a"]),
        expect("expect_column_proportion_of_unique_values_to_be_between", column="x", min_value=0.4),
    ]
    # A condition that holds in every row sends the same question to the rows.
    always = {"row_condition": "one == 1", "condition_parser": "pandas"}
    on_rows = [{**item, "kwargs": {**item["kwargs"], **always}} for item in suite]
    for ours, theirs in zip(
        asked(*suite, table=table, rows=None), asked(*on_rows, table=table, rows=table), strict=True
    ):
        assert ours.state is UNDECIDED or (ours.state, ours.metric) == (theirs.state, theirs.metric)


def test_what_needs_rows_is_answered_from_the_rows_as_plain_great_expectations_does() -> None:
    validation = validate(PROFILE, (), FROM_ROWS, TABLE)
    assert [finding.because for finding in validation.findings if finding.state in (UNDECIDED, FAILED)] == []
    assert found(validation) == plain(FROM_ROWS)


def test_what_needs_rows_is_undecided_without_them() -> None:
    for finding in validate(PROFILE, (), FROM_ROWS, None).findings:
        assert finding.state is UNDECIDED
        assert finding.because.startswith("needs the rows: ")
        assert finding.metric is None


def test_a_column_that_is_bad_only_in_its_tail_is_found() -> None:
    tail = pa.table({"x": np.r_[np.linspace(0, 1, 9_000), np.linspace(5, 6, 1_000)]})
    suite = expect("expect_column_values_to_be_between", column="x", max_value=2, mostly=0.95)
    (without,), (with_rows,) = asked(suite, table=tail, rows=None), asked(suite, table=tail, rows=tail)
    assert without.state is UNDECIDED
    assert "too many different values" in without.because
    assert with_rows.state is BROKEN
    assert with_rows.metric == Metric(name=suite["type"], subject="x", value=0.9, n=10_000)


def test_a_column_that_is_half_bad_outside_the_sample_never_passes() -> None:
    """The sample is spotless; every other row that it has not is bad. Only all rows together tell."""
    whole = pa.table({"id": range(10_000), "x": np.linspace(0, 1, 10_000)})
    sampled = np.isin(whole["id"].to_numpy(), smallest_hashes(whole, 1_000)["id"].to_numpy())
    bad = ~sampled & (np.cumsum(~sampled) % 2 == 1)
    table = whole.set_column(1, "x", pa.array(np.where(bad, whole["x"].to_numpy() + 5, whole["x"].to_numpy())))
    sample = table.filter(pa.array(sampled))
    suite = [
        expect("expect_column_values_to_be_between", column="x", max_value=2, mostly=0.8),
        expect("expect_column_values_to_be_between", column="x", max_value=2, row_condition="id >= 0",
               condition_parser="pandas", mostly=0.8),
        expect("expect_column_median_to_be_between", column="x", max_value=0.6),
        expect("expect_column_quantile_values_to_be_between", column="x",
               quantile_ranges={"quantiles": [0.9], "value_ranges": [[0, 2]]}),
    ]  # fmt: skip
    assert {finding.state for finding in asked(*suite, table=sample, rows=sample)} == {KEPT}
    assert {finding.state for finding in asked(*suite, table=table, rows=table)} == {BROKEN}
    assert {finding.state for finding in asked(*suite, table=table, rows=None)} == {UNDECIDED}
    for finding in asked(*suite, table=table, rows=sample):
        assert finding.state is UNDECIDED
        assert finding.because.endswith("; 1000 of 10000 are a part, which proves nothing of all")
    by_profile = expect("expect_column_max_to_be_between", column="x", max_value=2)
    assert [finding.state for finding in asked(by_profile, table=table, rows=sample)] == [BROKEN]


def test_numbers_that_doubles_cannot_hold_are_asked_of_the_rows() -> None:
    table = pa.table({"id": [2**53 + 1, 2**53 + 2, None]})
    suite = expect("expect_column_values_to_be_in_set", column="id", value_set=[2**53 + 1, 2**53 + 2])
    assert asked(suite, table=table, rows=None)[0].state is UNDECIDED
    assert asked(suite, table=table, rows=table)[0].state is KEPT
    assert (
        asked({**suite, "kwargs": {"column": "id", "value_set": [2**53]}}, table=table, rows=table)[0].state is BROKEN
    )


def test_numbers_that_are_not_finite_are_asked_of_the_rows() -> None:
    table = pa.table({"x": [1.0, float("nan"), float("inf"), None]})
    suite = expect("expect_column_values_to_not_be_null", column="x", mostly=0.6)
    assert asked(suite, table=table, rows=None)[0].state is UNDECIDED
    assert asked(suite, table=table, rows=table)[0].state is BROKEN


def test_numbers_written_as_text_are_numbers_to_the_suite_and_truth_values_are_text() -> None:
    table = pa.table({"n": ["1", "+2", "- 3", None], "flag": [True, False, True, None]})
    suite = (
        expect("expect_column_values_to_be_between", column="n", min_value=-3, max_value=2),
        expect("expect_column_median_to_be_between", column="n", min_value=1, max_value=1),
        expect("expect_column_values_to_be_in_set", column="flag", value_set=[True]),
    )
    assert [finding.state for finding in asked(*suite, table=table, rows=table)] == [KEPT, KEPT, BROKEN]
