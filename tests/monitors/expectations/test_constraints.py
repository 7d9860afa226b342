"""A constraint said as an expectation has the constraint's own verdict, and where it has not, that is a failure."""

import json
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from monitor_tasks.baseline import Constraint, Metric
from monitor_tasks.monitors.expectations import validate
from monitor_tasks.profiles.columns import TableProfile
from monitor_tasks.report import State, judge
from tests.monitors.expectations.samples import PROFILE, constraint, judged

KEPT, BROKEN, FAILED = State.KEPT, State.BROKEN, State.FAILED
NOT_NULL = "expect_column_values_to_not_be_null"
REGEX = "expect_column_values_to_match_regex"
IN_SET = "expect_column_values_to_be_in_set"
COLUMNS = "expect_table_column_count_to_be_between"
METRIC = "expect_metric_to_be_between"


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
    (result,) = json.loads(validation.results)["constraints"]["results"]
    assert result["expectation_config"]["type"] == kind
    assert result["expectation_config"]["meta"]["constraint"] == one.key
    assert result["success"] is (state is KEPT)
    assert result["exception_info"] == {"raised_exception": False, "exception_message": None}


def test_an_undecided_finding_is_left_as_it_is() -> None:
    undecided = judge([], [constraint("completeness", "age", lower=0.5)])
    validation = validate(PROFILE, undecided, None, None)
    assert validation.findings == undecided
    suites = json.loads(validation.results)
    assert [(name, one["success"], one["results"]) for name, one in suites.items()] == [
        ("constraints", True, []), ("expectations", True, []),
    ]  # fmt: skip


def test_a_verdict_that_differs_from_the_constraint_is_a_failure() -> None:
    (kept,) = judged(PROFILE, constraint("completeness", "age", lower=0.5))
    (finding,) = validate(PROFILE, [kept.model_copy(update={"state": BROKEN})], None, None).findings
    assert finding.state is FAILED
    assert finding.because.startswith("Great Expectations and the constraint disagree: ")
    assert (finding.constraint, finding.metric) == (kept.constraint, kept.metric)


def test_a_constraint_that_the_profile_cannot_answer_is_a_failure_with_its_reason() -> None:
    profile = TableProfile.of(pa.table({"x": np.arange(2000.0)}))
    one = constraint("domain_share", "x", expected=("1",), lower=0.5)
    findings = judge([Metric(name="domain_share", subject="x", value=1, n=9)], [one])
    (finding,) = validate(profile, findings, None, None).findings
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
