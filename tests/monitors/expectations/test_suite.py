"""The user's suite: a finding for every expectation, a reason where one has no verdict, an error where it is theirs."""

from typing import Any

import pytest

from monitor_tasks.baseline import Metric
from monitor_tasks.monitors.expectations import validate
from monitor_tasks.report import State
from monitor_tasks.value import UserError
from tests.monitors.expectations.samples import (
    FROM_PROFILE,
    FROM_ROWS,
    PROFILE,
    TABLE,
    asked,
    constraint,
    expect,
    judged,
)

KEPT, BROKEN, UNDECIDED, FAILED = State.KEPT, State.BROKEN, State.UNDECIDED, State.FAILED


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
