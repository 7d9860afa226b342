"""Clarify's analysis.json and constraint_violations.json of bias: read, written, and judged as Clarify judged."""

import json
import math
import re

import pytest

from monitor_tasks.baseline import Constraint, Metric
from monitor_tasks.report import Finding, State, judge
from monitor_tasks.sagemaker.bias import analysis_json, read_constraints, violations_json
from monitor_tasks.sagemaker.text import clarify
from monitor_tasks.value import UserError
from tests.sagemaker.analysed import KEPT, statistics
from tests.sagemaker.samples import sample

VALUE = re.compile(r"Metric value (\S+) doesn't meet the baseline constraint requirement (\S+)")


@pytest.mark.parametrize("name", ["adult/bias_baseline.analysis.json", "fraud/bias_1.analysis.json"])
def test_a_real_analysis_is_written_again(name: str) -> None:
    text = sample(name)
    written = analysis_json(statistics(json.loads(text)))
    assert json.loads(written) == json.loads(text)
    whole_number = text.replace(b'"value": 0\n', b'"value": 0.0\n')
    assert written.decode() == whole_number.decode().rstrip("\n")


def test_what_is_undefined_or_infinite_is_written_as_clarify_does() -> None:
    details = {"stage": "pre_training", "description": "d", "facet": "Sex", "facet_value": "0", "label": "y"}
    metrics = [
        Metric(name=name, subject="Sex=0", value=value, n=9, because="why", details={**details, "label_value": "1"})
        for name, value in (("b", -math.inf), ("a", None))
    ]
    analysis = json.loads(analysis_json(metrics))
    assert list(analysis) == ["version", "pre_training_bias_metrics"]
    assert analysis["pre_training_bias_metrics"]["facets"]["Sex"][0]["metrics"] == [
        {"name": "a", "description": "d", "value": None, "error": "why"},
        {"name": "b", "description": "d", "value": "-Infinity"},
    ]


def test_an_analysis_is_read_as_constraints_in_the_order_of_the_file() -> None:
    constraints = read_constraints(sample("adult/bias_baseline.analysis.json"), "analysis.json")
    assert len(constraints) == 21
    assert [one.metric for one in constraints[:3]] == ["AD", "CDDPL", "DAR"]
    assert {one.subject for one in constraints} == {"Sex=0"}
    first = constraints[0]
    assert (first.check, first.lower, first.upper) == ("bias_drift_check", -0.15156641604010024, 0.15156641604010024)
    assert first.expected == ("-0.15156641604010024",)


def test_an_entry_with_an_error_asks_nothing() -> None:
    constraints = read_constraints(sample("fraud/bias_1.analysis.json"), "analysis.json")
    assert "CDDL" not in {one.metric for one in constraints}
    assert len(constraints) == 17


def test_intervals_and_infinities_are_read() -> None:
    entry = {"name": "TE", "description": "", "value": "Infinity"}
    facets = {"a=b": [{"value_or_threshold": "(40, 75]", "metrics": [entry]}]}
    (one,) = read_constraints(json.dumps({"pre_training_bias_metrics": {"facets": facets}}).encode(), "x")
    assert (one.subject, one.upper, one.lower) == ("a%3Db=(40, max]", math.inf, -math.inf)


@pytest.mark.parametrize(
    "text", [b"", b"[]", b'{"post_training_bias_metrics": {"facets": {"Sex": 1}}}', b'{"a": "\xff"}']
)
def test_another_file_is_one_clear_error(text: bytes) -> None:
    with pytest.raises(UserError, match=r"s3://b/analysis.json: not a readable analysis.json"):
        read_constraints(text, "s3://b/analysis.json")


def judged(current: dict[str, float]) -> tuple[Finding, ...]:
    constraints = read_constraints(sample("adult/bias_baseline.analysis.json"), "analysis.json")
    metrics = [Metric(name=name, subject="Sex=0", value=value, n=334) for name, value in current.items()]
    return judge(metrics, constraints)


def test_a_real_run_is_judged_as_clarify_judged_it() -> None:
    published = json.loads(sample("adult/batch_bias_violations.json"))
    current = {one["metric_name"]: float(VALUE.match(one["description"])[1]) for one in published["violations"]}
    text = violations_json(judged({**current, **KEPT}))
    assert text is not None
    assert json.loads(text) == published
    assert text == clarify(
        {
            "version": "1.0",
            "violations": [
                {
                    key: one[key]
                    for key in ("facet", "facet_value", "metric_name", "constraint_check_type", "description")
                }
                for one in published["violations"]
            ],
        }
    )


def test_without_a_violation_there_is_no_file() -> None:
    assert violations_json([]) is None
    assert violations_json(judged({"AD": 0.0})) is None


def test_equal_is_kept_and_infinity_is_larger_than_anything_but_itself() -> None:
    states = {
        (bound, value): judge(
            [Metric(name="TE", value=value, n=9)], [Constraint(check="c", metric="TE", lower=-bound, upper=bound)]
        )[0].state
        for bound in (0.5, math.inf)
        for value in (0.5, -0.5, math.inf, -math.inf)
    }
    assert [key for key, state in states.items() if state is State.BROKEN] == [(0.5, math.inf), (0.5, -math.inf)]


def test_the_facets_present_value_is_the_one_of_the_window() -> None:
    constraint = Constraint(check="bias_drift_check", metric="TE", subject="a=(40, max]", expected=("-inf",))
    metric = Metric(name="TE", subject="a=(40, max]", value=1.5, n=9, details={"facet": "a", "facet_value": "(40, 80]"})
    text = violations_json([Finding(constraint=constraint, metric=metric, state=State.BROKEN)])
    assert json.loads(text or b"")["violations"] == [
        {
            "facet": "a",
            "facet_value": "(40, 80]",
            "metric_name": "TE",
            "constraint_check_type": "bias_drift_check",
            "description": "Metric value 1.5 doesn't meet the baseline constraint requirement -Infinity",
        }
    ]
