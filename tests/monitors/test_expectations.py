"""Great Expectations over a profile says what the constraint says, and what plain GX says on the rows."""

import json
import os
import socket
import subprocess
import sys
import warnings
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from monitor_tasks.baseline import Constraint, Metric
from monitor_tasks.metrics.cells import completeness, domain_share, type_match
from monitor_tasks.monitors.expectations import Validation, validate
from monitor_tasks.profiles.columns import ColumnProfile, TableProfile
from monitor_tasks.report import Finding, State, judge
from monitor_tasks.value import UserError

KEPT, BROKEN, UNDECIDED, FAILED = State.KEPT, State.BROKEN, State.UNDECIDED, State.FAILED

NOT_NULL = "expect_column_values_to_not_be_null"
REGEX = "expect_column_values_to_match_regex"
IN_SET = "expect_column_values_to_be_in_set"
COLUMNS = "expect_table_column_count_to_be_between"
METRIC = "expect_metric_to_be_between"

CELLS: dict[str, list[Any]] = {
    "age": [31, 45, None, 45, 60, 18],
    "visits": [1, 2, 2, 3, 3, 3],
    "weight": [60.5, 72.25, 80.0, None, 99.5, 60.5],
    "plan": ["basic", "gold", "basic", None, "basic", "Gold"],
    "code": ["A-1", "A-2", "B-1", "A-1", "x", "A-2"],
    "day": ["2026-01-01", "2026-02-30", "2026-03-01", None, "soon", "2026-01-01"],
    "note": ['{"a": 1}', "[]", "{", None, "[7]", "{}"],
    "mixed": ["1", "2.5", "true", "text", "7", None],
}
TABLE = pa.table(CELLS)
PROFILE = TableProfile.of(TABLE)


def expect(kind: str, **kwargs: Any) -> dict[str, Any]:
    return {"type": kind, "kwargs": kwargs}


def measure(constraint: Constraint, profile: TableProfile) -> Metric:
    column = profile.columns.get(constraint.subject, ColumnProfile(missing=profile.rows))
    value: float | None = {
        "completeness": lambda: completeness(column.present, column.missing),
        "type_match": lambda: type_match(column.kinds, constraint.expected[0]),
        "domain_share": lambda: domain_share(column.values or {}, constraint.expected),
        "column_count": lambda: float(len(profile.columns)),
    }.get(constraint.metric, lambda: 0.2)()
    return Metric(name=constraint.metric, subject=constraint.subject, value=value, n=profile.rows)


def judged(profile: TableProfile, *constraints: Constraint) -> tuple[Finding, ...]:
    return tuple(finding for one in constraints for finding in judge([measure(one, profile)], [one]))


def asked(*suite: dict[str, Any], rows: pa.Table | None = TABLE, table: pa.Table = TABLE) -> tuple[Finding, ...]:
    return validate(TableProfile.of(table), (), {"name": "mine", "expectations": list(suite)}, rows).findings


def constraint(metric: str, subject: str = "", **more: Any) -> Constraint:
    return Constraint(check=f"{metric}_check", metric=metric, subject=subject, **more)


@pytest.mark.parametrize(
    ("one", "state", "kind"),
    [
        (constraint("completeness", "age", lower=5 / 6), KEPT, NOT_NULL),
        (constraint("completeness", "age", lower=0.84), BROKEN, NOT_NULL),
        (constraint("completeness", "lost", lower=0.5), BROKEN, NOT_NULL),
        (constraint("type_match", "mixed", expected=("Integral",), lower=0.4), KEPT, REGEX),
        (constraint("type_match", "mixed", expected=("Integral",), lower=0.5), BROKEN, REGEX),
        (constraint("type_match", "mixed", expected=("Fractional",), lower=0.2), KEPT, REGEX),
        (constraint("type_match", "visits", expected=("Fractional",), lower=0.2), BROKEN, REGEX),
        (constraint("type_match", "mixed", expected=("Boolean",), lower=0.2), KEPT, REGEX),
        (constraint("type_match", "mixed", expected=("String",), lower=1.0), KEPT, METRIC),
        (constraint("domain_share", "plan", expected=("basic", "gold"), lower=0.8), KEPT, IN_SET),
        (constraint("domain_share", "plan", expected=("basic",), lower=0.8), BROKEN, IN_SET),
        (constraint("domain_share", "visits", expected=("2", "3"), lower=0.8), KEPT, IN_SET),
        (constraint("column_count", lower=8), KEPT, COLUMNS),
        (constraint("column_count", lower=8.5), BROKEN, COLUMNS),
        (constraint("column_count", upper=8), KEPT, COLUMNS),
        (constraint("column_count", upper=7), BROKEN, COLUMNS),
        (constraint("drift_linf", "age", upper=0.2), KEPT, METRIC),
        (constraint("drift_linf", "age", upper=0.1), BROKEN, METRIC),
        (constraint("novelty", "age", lower=0.1, upper=0.3), KEPT, METRIC),
        (constraint("novelty", lower=0.3), BROKEN, METRIC),
        (constraint("novelty", upper=float("inf")), KEPT, METRIC),
        (constraint("completeness", "age", upper=0.5), BROKEN, METRIC),
    ],
)  # fmt: skip
def test_a_constraint_becomes_an_expectation_with_the_same_verdict(one: Constraint, state: State, kind: str) -> None:
    findings = judged(PROFILE, one)
    validation = validate(PROFILE, findings, None, None)
    assert validation.findings == findings
    assert findings[0].state is state
    result = json.loads(validation.results)["constraints"][0]
    assert result["expectation_config"]["type"] == kind
    assert result["expectation_config"]["meta"]["constraint"] == one.key
    assert result["success"] is (state is KEPT)
    assert result["exception_info"] == {"raised_exception": False, "exception_message": None}


def test_an_undecided_finding_is_left_as_it_is() -> None:
    undecided = judge([], [constraint("completeness", "age", lower=0.5)])
    validation = validate(PROFILE, undecided, None, None)
    assert validation.findings == undecided
    assert json.loads(validation.results) == {"constraints": [], "expectations": []}


def test_a_verdict_that_differs_from_the_constraint_is_a_failure() -> None:
    (kept,) = judged(PROFILE, constraint("completeness", "age", lower=0.5))
    (finding,) = validate(PROFILE, [kept.model_copy(update={"state": BROKEN})], None, None).findings
    assert finding.state is FAILED
    assert finding.because.startswith("Great Expectations and the constraint disagree: ")
    assert (finding.constraint, finding.metric) == (kept.constraint, kept.metric)


def test_a_constraint_that_the_profile_cannot_answer_is_a_failure_with_its_reason() -> None:
    profile = TableProfile.of(pa.table({"x": np.arange(2000.0)}))
    one = constraint("domain_share", "x", expected=("1",), lower=0.5)
    (finding,) = validate(profile, judge([Metric(name="domain_share", subject="x", value=1, n=9)], [one]), None, None)[
        0
    ]
    assert finding.state is FAILED
    assert "too many different values" in finding.because


CELL = st.one_of(
    st.none(), st.integers(-3, 3).map(str), st.sampled_from(["0.5", "1e5", "true", "false", "", "a", "b", "é\n", "+ 1"])
)
RATIO = st.one_of(st.sampled_from([0.0, 0.1, 1 / 3, 0.5, 2 / 3, 0.7, 0.9, 1.0]), st.floats(0, 1))


@settings(max_examples=25, deadline=None)
@given(
    st.lists(st.tuples(CELL, CELL), min_size=1, max_size=12), RATIO, st.sets(st.sampled_from(["a", "1", "", "true"]))
)
def test_judge_and_great_expectations_agree(rows: list[tuple[Any, Any]], ratio: float, domain: set[str]) -> None:
    columns = zip(*rows, strict=True)
    profile = TableProfile.of(
        pa.table({name: pa.array(cells, pa.string()) for name, cells in zip("xy", columns, strict=True)})
    )
    kinds = ("Integral", "Fractional", "Boolean", "String")
    findings = judged(
        profile,
        *(constraint("completeness", name, lower=ratio) for name in "xy"),
        *(constraint("type_match", name, lower=ratio, expected=(kind,)) for name in "xy" for kind in kinds),
        *(constraint("domain_share", name, lower=ratio, expected=tuple(sorted(domain))) for name in "xy"),
        constraint("column_count", lower=ratio * 4),
        constraint("column_count", upper=ratio * 4),
        constraint("drift_linf", "x", upper=ratio),
    )
    assert validate(profile, findings, None, None).findings == findings


FROM_PROFILE = [
    expect("expect_column_values_to_not_be_null", column="age", mostly=0.8),
    expect("expect_column_values_to_be_null", column="plan"),
    expect("expect_column_values_to_be_in_set", column="plan", value_set=["basic", "gold"], mostly=0.8),
    expect("expect_column_values_to_be_in_set", column="visits", value_set=[2, 3]),
    expect("expect_column_values_to_not_be_in_set", column="age", value_set=[45]),
    expect("expect_column_values_to_be_between", column="age", min_value=20, max_value=50, mostly=0.6),
    expect("expect_column_values_to_be_between", column="weight", min_value=61),
    expect("expect_column_values_to_match_regex", column="code", regex=r"^[A-Z]-\d$", mostly=0.8),
    expect("expect_column_values_to_not_match_regex", column="code", regex="^B"),
    expect("expect_column_values_to_match_regex", column="visits", regex="^[12]$"),
    expect("expect_column_values_to_match_regex_list", column="code", regex_list=["^A", "^x"]),
    expect("expect_column_values_to_not_match_regex_list", column="code", regex_list=["^B", "^x"]),
    expect("expect_column_value_lengths_to_equal", column="code", value=3),
    expect("expect_column_value_lengths_to_be_between", column="plan", min_value=5),
    expect("expect_column_values_to_match_strftime_format", column="day", strftime_format="%Y-%m-%d"),
    expect("expect_column_values_to_be_dateutil_parseable", column="day"),
    expect("expect_column_values_to_be_json_parseable", column="note"),
    expect("expect_column_values_to_be_of_type", column="code", type_="str"),
    expect("expect_column_values_to_be_in_type_list", column="visits", type_list=["int64"]),
    expect("expect_column_min_to_be_between", column="age", min_value=20),
    expect("expect_column_max_to_be_between", column="weight", max_value=99.5),
    expect("expect_column_mean_to_be_between", column="weight", min_value=74.55, max_value=74.56),
    expect("expect_column_sum_to_be_between", column="visits", min_value=14, max_value=14),
    expect("expect_column_distinct_values_to_be_in_set", column="plan", value_set=["basic", "gold"]),
    expect("expect_column_distinct_values_to_equal_set", column="visits", value_set=[1, 2, 3]),
    expect("expect_column_distinct_values_to_contain_set", column="code", value_set=["A-1"]),
    expect("expect_column_unique_value_count_to_be_between", column="plan", max_value=3),
    expect("expect_column_proportion_of_unique_values_to_be_between", column="plan", max_value=0.5),
    expect("expect_column_proportion_of_non_null_values_to_be_between", column="plan", min_value=0.8),
    expect("expect_table_row_count_to_equal", value=6),
    expect("expect_table_row_count_to_be_between", min_value=7),
    expect("expect_table_column_count_to_equal", value=8),
    expect("expect_table_columns_to_match_set", column_set=["age"], exact_match=False),
    expect("expect_column_to_exist", column="plan"),
    expect("expect_column_to_exist", column="lost"),
]
FROM_ROWS = [
    expect("expect_column_values_to_be_unique", column="code"),
    expect("expect_column_values_to_be_increasing", column="visits"),
    expect("expect_column_median_to_be_between", column="age", min_value=40, max_value=50),
    expect("expect_column_stdev_to_be_between", column="age", max_value=10),
    expect("expect_column_value_z_scores_to_be_less_than", column="age", threshold=1, double_sided=True),
    expect("expect_column_most_common_value_to_be_in_set", column="plan", value_set=["basic"]),
    expect("expect_column_quantile_values_to_be_between", column="weight",
           quantile_ranges={"quantiles": [0.5], "value_ranges": [[60, 70]]}),
    expect("expect_column_pair_values_a_to_be_greater_than_b", column_A="age", column_B="visits"),
    expect("expect_compound_columns_to_be_unique", column_list=["plan", "code"]),
    expect("expect_column_values_to_be_in_set", column="plan", value_set=["basic"], row_condition="visits > 1",
           condition_parser="pandas"),
    expect("expect_column_values_to_match_regex", column="mixed", regex=r"^\d(\.\d)?$"),
    expect("expect_table_columns_to_match_ordered_list", column_list=list(CELLS)),
    expect("expect_column_to_exist", column="visits", column_index=1),
]  # fmt: skip


def plain(suite: Sequence[Mapping[str, Any]]) -> list[tuple[bool, int | None]]:
    """What plain GX says on a frame that pandas made."""
    import great_expectations as gx
    from great_expectations.expectations.expectation_configuration import ExpectationConfiguration

    numbers = ("age", "visits", "weight")
    columns = {name: pd.Series(cells, dtype=None if name in numbers else object) for name, cells in CELLS.items()}
    context = gx.get_context(mode="ephemeral")
    context.variables.progress_bars = {"globally": False, "metric_calculations": False}
    asset = context.data_sources.add_pandas("plain").add_dataframe_asset("plain")
    batch = asset.add_batch_definition_whole_dataframe("plain").get_batch(
        batch_parameters={"dataframe": pd.DataFrame(columns)}
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        results = [batch.validate(ExpectationConfiguration(**item).to_domain_obj()) for item in suite]
    return [(result.success, result.result.get("unexpected_count")) for result in results]


def found(validation: Validation) -> list[tuple[bool, int | None]]:
    results = json.loads(validation.results)["expectations"]
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


def test_a_finding_of_the_users_suite_names_its_column_and_its_share() -> None:
    (finding,) = asked(expect("expect_column_values_to_be_in_set", column="plan", value_set=["basic"]))
    assert finding.constraint.check == "expectation"
    assert (finding.constraint.metric, finding.constraint.subject) == ("expect_column_values_to_be_in_set", "plan")
    assert (finding.constraint.cause, finding.constraint.reason) == ("data", "the user's suite")
    assert finding.metric == Metric(name="expect_column_values_to_be_in_set", subject="plan", value=0.6, n=6)
    assert finding.because == "2 of 5 are unexpected"


def test_user_findings_follow_the_compiled_ones_in_their_order() -> None:
    findings = judged(PROFILE, constraint("completeness", "age", lower=0.5))
    suite = [
        FROM_ROWS[0],
        {"expectation_type": "expect_table_row_count_to_equal", "kwargs": {"value": 6}},
        FROM_ROWS[1],
    ]
    names = [finding.constraint.metric for finding in validate(PROFILE, findings, suite, TABLE).findings]
    assert names == ["completeness", FROM_ROWS[0]["type"], "expect_table_row_count_to_equal", FROM_ROWS[1]["type"]]


def test_numbers_written_as_text_are_numbers_to_the_suite_and_truth_values_are_text() -> None:
    table = pa.table({"n": ["1", "+2", "- 3", None], "flag": [True, False, True, None]})
    suite = (
        expect("expect_column_values_to_be_between", column="n", min_value=-3, max_value=2),
        expect("expect_column_median_to_be_between", column="n", min_value=1, max_value=1),
        expect("expect_column_values_to_be_in_set", column="flag", value_set=[True]),
    )
    assert [finding.state for finding in asked(*suite, table=table, rows=table)] == [KEPT, KEPT, BROKEN]


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


def test_a_lacking_column_is_one_failure_with_one_reason() -> None:
    findings = asked(
        expect("expect_column_values_to_not_be_null", column="lost"),
        expect("expect_compound_columns_to_be_unique", column_list=["age", "lost"]),
        expect("expect_table_row_count_to_equal", value=6),
    )
    assert [finding.state for finding in findings] == [FAILED, FAILED, KEPT]
    assert findings[0].because == findings[1].because == "column 'lost' is not in the table"


def test_an_expectation_that_breaks_fails_alone() -> None:
    findings = asked(
        expect("expect_column_median_to_be_between", column="plan", max_value=1),
        expect("expect_table_row_count_to_equal_other_table", other_table_name="elsewhere"),
        expect("expect_column_values_to_be_unique", column="visits"),
    )
    assert [finding.state for finding in findings] == [FAILED, FAILED, BROKEN]
    assert all(finding.because for finding in findings)


def test_a_metric_that_was_not_measured_fails_alone() -> None:
    unmeasured = expect("expect_metric_to_be_between", metric="wonder", min_value=1)
    findings = asked(unmeasured, expect("expect_table_row_count_to_equal", value=6))
    assert [finding.state for finding in findings] == [FAILED, KEPT]


def test_an_empty_window_is_undecided() -> None:
    empty = TABLE.slice(0, 0)
    findings = asked(*FROM_PROFILE[:3], FROM_PROFILE[-6], table=empty, rows=empty)
    assert {finding.state for finding in findings} == {UNDECIDED}


@pytest.mark.parametrize(
    ("suite", "words"),
    [
        ([expect("expect_table_row_count_to_equal", value=6), expect("expect_wonders", column="age")],
         ["expectation 1", "expect_wonders"]),
        ([expect("expect_column_values_to_be_in_set", column="age", values=[1])],
         ["expectation 0", "expect_column_values_to_be_in_set", "values"]),
        ([expect("expect_column_values_to_be_in_set", column="age", value_set={"$PARAMETER": "ages"})],
         ["expectation 0", "parameters"]),
        (["expect_column_to_exist"], ["expectation 0"]),
        ({"name": "mine"}, ["expectations"]),
    ],
)  # fmt: skip
def test_a_suite_that_cannot_be_read_is_the_users_to_mend(suite: Any, words: list[str]) -> None:
    with pytest.raises(UserError) as error:
        validate(PROFILE, (), suite, None)
    assert all(word in str(error.value) for word in words)


def test_results_are_the_same_bytes_in_any_process_and_order_of_rows() -> None:
    script = (
        "import sys; sys.path.insert(0, 'tests/monitors'); import test_expectations as t; "
        "sys.stdout.buffer.write(t.everything(t.TABLE))"
    )
    run = subprocess.run([sys.executable, "-c", script], capture_output=True, check=True)
    assert run.stdout == everything(TABLE)
    assert b"Traceback" not in run.stdout
    backwards = validate(TableProfile.of(TABLE.take(list(range(5, -1, -1)))), (), FROM_PROFILE, None)
    assert backwards.results == validate(PROFILE, (), FROM_PROFILE, None).results


def everything(table: pa.Table) -> bytes:
    findings = judged(PROFILE, constraint("completeness", "age", lower=0.5), constraint("drift_linf", "age", upper=0.1))
    return validate(PROFILE, findings, FROM_PROFILE + FROM_ROWS, table).results


def test_nothing_is_sent_and_nothing_is_printed(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    def refuse(*_: Any) -> None:
        raise AssertionError("a network attempt")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    everything(TABLE)
    assert os.environ["GX_ANALYTICS_ENABLED"] == "false"
    assert capfd.readouterr() == ("", "")


def test_importing_the_room_loads_neither_great_expectations_nor_pandas() -> None:
    script = (
        "import sys, monitor_tasks.monitors.expectations; "
        "sys.exit(bool({'great_expectations', 'pandas'} & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", script], check=False).returncode == 0
