"""SageMaker's files of model quality: a real run's numbers and texts, and every way to loosen constraints.json."""

import json
import re
from typing import Any

import pyarrow as pa
import pytest

from monitor_tasks.baseline import Constraint, Metric
from monitor_tasks.monitors.model_quality import ModelQuality
from monitor_tasks.monitors.settings import ModelQualitySettings
from monitor_tasks.report import Finding, Report, State, judge
from monitor_tasks.sagemaker.model_quality import constraints_json, files, read_constraints, violations_json
from monitor_tasks.sagemaker.words import exit_message
from monitor_tasks.value import UserError
from tests.sagemaker.churn_run import findings, published, violations
from tests.sagemaker.samples import sample, table

CHURN = {"probability_attribute": "probability", "inference_attribute": "prediction"}


def written(rows: pa.Table, **chosen: Any) -> tuple[dict[str, bytes], list[Constraint]]:
    monitor = ModelQuality(ModelQualitySettings(**{**CHURN, **chosen}))
    profile = monitor.profile(rows)
    constraints = monitor.suggest([profile])
    return files(monitor.statistics(profile), constraints), constraints


@pytest.fixture(scope="module")
def churn() -> pa.Table:
    return table("churn/validation_with_predictions.csv", header=True)


def flat(value: Any, name: str = "") -> dict[str, Any]:
    if not isinstance(value, dict):
        return {name: value}
    return {
        key: one for inner, entry in value.items() for key, one in flat(entry, f"{name}.{inner}".strip(".")).items()
    }


def test_statistics_are_those_of_the_real_baseline_to_the_printed_digits(churn: pa.Table) -> None:
    """All but the deviations, which are random there; order and names are the printed ones."""
    printed = sample("churn/model_quality_baseline.printed.txt").decode().partition("\n\n")[0].splitlines()[1:]
    expected = dict(re.split(r" {2,}", line, maxsplit=1) for line in printed)
    metrics = json.loads(written(churn)[0]["statistics.json"])["binary_classification_metrics"]
    found = flat(metrics)
    assert [name[:40] for name in found] == [name[:40] for name in expected]
    for (name, value), text in zip(found.items(), expected.values(), strict=True):
        if isinstance(value, list):
            start = [float(one) for one in text.strip("[. ").split(", ")[:2]]
            assert value[:2] == start, name
        elif "standard_dev" not in name:
            assert round(value, 6) == float(text), name
        else:
            assert (value == 0) == (float(text) == 0), name
    assert len(metrics["receiver_operating_characteristic_curve"]["true_positive_rates"]) == 201 + 2
    assert len(metrics["precision_recall_curve"]["recalls"]) == 201 + 1


def test_statistics_have_the_names_that_model_cards_read(churn: pa.Table) -> None:
    card = flat(json.loads(sample("sdk/model_card/model_quality_binary.json")))
    ours = flat(json.loads(written(churn)[0]["statistics.json"]))
    assert set(card) == {name for name in ours if name.startswith("binary")}


def test_the_head_of_statistics_json(churn: pa.Table) -> None:
    head = (
        b'{\n  "version" : 0.0,\n  "dataset" : {\n    "item_count" : 201\n  },\n  "binary_classification_metrics" : {\n'
        b'    "confusion_matrix" : {\n      "0" : {\n        "0" : 173,\n        "1" : 0\n      },\n'
        b'      "1" : {\n        "0" : 12,\n        "1" : 16\n      }\n    },\n'
        b'    "recall" : {\n      "value" : 0.5714285714285714,\n'
    )
    assert written(churn)[0]["statistics.json"].startswith(head)


def test_below_200_rows_deviations_are_the_string_nan(churn: pa.Table) -> None:
    metrics = json.loads(written(churn.slice(0, 199))[0]["statistics.json"])["binary_classification_metrics"]
    assert {one["standard_deviation"] for one in metrics.values() if "value" in one} == {"NaN"}
    assert metrics["precision_best_constant_classifier"]["value"] == 0.0


def test_an_empty_table_has_statistics_too(churn: pa.Table) -> None:
    metrics = json.loads(written(churn.slice(0, 0))[0]["statistics.json"])["binary_classification_metrics"]
    assert {one["value"] for one in metrics.values() if "value" in one} == {"NaN"}
    assert "auc" in metrics
    assert json.loads(written(churn.slice(0, 0))[0]["constraints.json"])["binary_classification_constraints"] == {}


def test_the_text_of_constraints_json(churn: pa.Table) -> None:
    text = written(churn)[0]["constraints.json"]
    assert text.startswith(
        b'{\n  "version" : 0.0,\n  "binary_classification_constraints" : {\n    "recall" : {\n'
        b'      "threshold" : 0.5714285714285714,\n      "comparison_operator" : "LessThanThreshold"\n    },\n'
    )
    assert b'"auc" : {\n      "threshold" : 0.9395127993393898,' in text
    assert text.endswith(
        b'"f2" : {\n      "threshold" : 0.625,\n      ' + b'"comparison_operator" : "LessThanThreshold"\n    }\n  }\n}'
    )


def test_our_own_file_reads_back_as_the_same_constraints(churn: pa.Table) -> None:
    text, constraints = written(churn, minimum_rows=1)
    plain = [one.model_copy(update={"reason": ""}) for one in constraints]
    assert list(read_constraints(text["constraints.json"], "constraints.json")) == plain
    assert constraints_json(plain) == text["constraints.json"]


def test_the_interval_rule_still_shows_the_values_of_the_baseline(churn: pa.Table) -> None:
    by_interval, constraints = written(churn, rule="interval")
    assert by_interval["constraints.json"] == written(churn)[0]["constraints.json"]
    assert constraints[0].lower != 0.5714285714285714


def test_a_disabled_constraint_is_left_out(churn: pa.Table) -> None:
    constraints = [one.model_copy(update={"enabled": one.metric != "f0_5"}) for one in written(churn)[1]]
    again = read_constraints(constraints_json(constraints), "constraints.json")
    assert [one.metric for one in again] == [one.metric for one in constraints if one.metric != "f0_5"]


def test_scientific_notation_and_unknown_keys_are_read() -> None:
    text = b"""{"version": 0.0, "more": 1, "binary_classification_constraints": {
        "recall": {"threshold": 1.0E-4, "comparison_operator": "LessThanThreshold", "additional_properties": null},
        "false_positive_rate": {"threshold": 2e-05, "comparison_operator": "GreaterThanThreshold"}}}"""
    assert read_constraints(text, "constraints.json") == (
        Constraint(check="LessThanThreshold", metric="recall", lower=0.0001),
        Constraint(check="GreaterThanThreshold", metric="false_positive_rate", upper=0.00002),
    )


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (b"{", "whole file"),
        (b"{}", "one of binary_classification_constraints, multiclass_classification_constraints"),
        (
            b'{"binary_classification_constraints": {}, "regression_constraints": {}}',
            "regression_constraints is required",
        ),
        (b'{"binary_classification_constraints": {"auc": {"threshold": 1}}}', "auc.comparison_operator"),
        (
            b'{"binary_classification_constraints": {"auc": {"threshold": "NaN", '
            b'"comparison_operator": "LessThanThreshold"}}}',
            "auc.threshold",
        ),
        (
            b'{"binary_classification_constraints": {"auc": {"threshold": 1, "comparison_operator": "Equals"}}}',
            "auc.comparison_operator",
        ),
    ],
)
def test_another_file_is_one_clear_error(text: bytes, expected: str) -> None:
    with pytest.raises(UserError, match=rf"s3://b/constraints.json: not a readable .*{re.escape(expected)}"):
        read_constraints(text, "s3://b/constraints.json")


SENTENCE = re.compile(r"Metric \w+ with (\S+) \+/- (\S+) was (\w+) '(\S+)'")
SNAKE = re.compile(r"(?<=[a-z])(?=[A-Z])")


def finding_of(violation: dict[str, str]) -> Finding:
    """The finding that a printed violation tells of."""
    value, deviation, operator, threshold = SENTENCE.fullmatch(violation["description"]).groups()  # type: ignore[union-attr]
    name = SNAKE.sub("_", violation["metric_name"]).lower()
    side = {"lower" if operator == "LessThanThreshold" else "upper": float(threshold)}
    metric = Metric(name=name, value=float(value), n=1817, deviation=float(deviation))
    return judge([metric], [Constraint(check=operator, metric=name, **side)])[0]


def test_the_violations_of_a_real_run_are_the_same_texts() -> None:
    theirs = json.loads(sample("churn/model_quality_violations.run1.json"))["violations"]
    assert len(theirs) == 10
    ours = json.loads(violations_json(finding_of(one) for one in theirs))["violations"]
    assert ours == theirs
    assert [list(one) for one in ours] == [list(one) for one in theirs]


def test_the_real_run_is_replayed_violation_by_violation() -> None:
    """Texts, names, operators, all digits and their order, from the window's rows; only deviations are random."""
    strict = findings(strict=True)
    assert violations(violations_json(strict)) == published()
    known = {"endpoint": "e", "monitor": "model_quality", "window": "w", "baseline": "id", "rows": 1817}
    report = Report(**known, findings=strict)
    assert exit_message(report) == "CompletedWithViolations: Job completed successfully with 10 violations."
    (left,) = report.having(State.UNDECIDED)
    assert (left.constraint.metric, left.because) == (
        "f0_5",
        "SageMaker's container does not judge it, and strict_compatibility is set",
    )


def test_unless_it_is_to_be_strict_f0_5_is_judged_too() -> None:
    ours = violations(violations_json(findings(strict=False)))
    assert ours[:-1] == published()
    assert ours[-1]["metric_name"] == "f0_5"


def test_a_strict_baseline_holds_f0_5_all_the_same(churn: pa.Table) -> None:
    assert written(churn, strict_compatibility=True)[0] == written(churn)[0]


def test_no_violations() -> None:
    kept = judge(
        [Metric(name="recall", value=1.0, n=9)], [Constraint(check="LessThanThreshold", metric="recall", lower=1.0)]
    )
    assert violations_json(kept) == b'{\n  "violations" : [ ]\n}'


def test_a_violation_below_200_rows_says_nan() -> None:
    constraint = Constraint(check="LessThanThreshold", metric="recall", lower=0.9)
    found = judge([Metric(name="recall", value=0.5, n=50)], [constraint])
    assert b"Metric recall with 0.5 +/- NaN was LessThanThreshold '0.9'" in violations_json(found)


LINES = 300
KINDS = {
    "MulticlassClassification": (
        pa.table({"label": ["a", "b", "b"] * 100, "p": ["a", "b", "a"] * 100}), "multiclass_classification",
        ["accuracy", "weighted_recall", "weighted_precision", "weighted_f0_5", "weighted_f1", "weighted_f2"],
    ),
    "Regression": (
        pa.table({"label": [1.0, 2.0, 4.0] * 100, "p": [1.5, 2.0, 3.0] * 100}), "regression",
        ["mae", "mse", "rmse", "r2"],
    ),
}  # fmt: skip
every_kind = pytest.mark.parametrize("problem_type", KINDS)


def of_kind(problem_type: str, rows: pa.Table, **chosen: Any) -> tuple[dict[str, bytes], list[Constraint]]:
    named = {"problem_type": problem_type, "inference_attribute": "p"}
    monitor = ModelQuality(ModelQualitySettings(**named, **chosen))
    profile = monitor.profile(rows)
    constraints = monitor.suggest([profile])
    return files(monitor.statistics(profile), constraints), constraints


@every_kind
def test_the_files_of_other_problem_types_have_the_names_of_the_contract(problem_type: str) -> None:
    rows, word, names = KINDS[problem_type]
    texts, constraints = of_kind(problem_type, rows)
    statistics, bounds = (json.loads(texts[name]) for name in ("statistics.json", "constraints.json"))
    assert list(statistics) == ["version", "dataset", f"{word}_metrics"]
    assert statistics["dataset"] == {"item_count": LINES}
    metrics = statistics[f"{word}_metrics"]
    expected = names
    if word != "regression":
        expected = ["confusion_matrix", *names, *(f"{name}_best_constant_classifier" for name in names)]
        assert metrics["confusion_matrix"] == {"a": {"a": 100, "b": 0}, "b": {"a": 100, "b": 100}}
        assert metrics["accuracy_best_constant_classifier"]["value"] == pytest.approx(2 / 3)
    assert list(metrics) == expected
    assert all(isinstance(metrics[name]["standard_deviation"], float) for name in names)
    assert list(bounds) == ["version", f"{word}_constraints"]
    larger = {"mae", "mse", "rmse"}
    assert bounds[f"{word}_constraints"] == {
        name: {"threshold": metrics[name]["value"],
               "comparison_operator": "GreaterThanThreshold" if name in larger else "LessThanThreshold"}
        for name in names
    }  # fmt: skip
    plain = [one.model_copy(update={"reason": "", "minimum_rows": 1}) for one in constraints]
    assert list(read_constraints(texts["constraints.json"], "constraints.json")) == plain
    assert constraints_json(plain) == texts["constraints.json"]


def test_the_text_of_a_regressions_files() -> None:
    texts = of_kind("Regression", KINDS["Regression"][0].slice(0, 3))[0]
    assert texts["statistics.json"].startswith(
        b'{\n  "version" : 0.0,\n  "dataset" : {\n    "item_count" : 3\n  },\n  "regression_metrics" : {\n'
        b'    "mae" : {\n      "value" : 0.5,\n      "standard_deviation" : "NaN"\n    },\n'
    )
    assert texts["constraints.json"].startswith(
        b'{\n  "version" : 0.0,\n  "regression_constraints" : {\n    "mae" : {\n      "threshold" : 0.5,\n'
        b'      "comparison_operator" : "GreaterThanThreshold"\n    },\n'
    )


@every_kind
def test_what_is_undefined_and_what_is_empty_has_files_too(problem_type: str) -> None:
    rows, word, _ = KINDS[problem_type]
    empty = of_kind(problem_type, rows.slice(0, 0))[0]
    metrics = json.loads(empty["statistics.json"])[f"{word}_metrics"]
    assert {one["value"] for name, one in metrics.items() if name != "confusion_matrix"} == {"NaN"}
    assert json.loads(empty["constraints.json"]) == {"version": 0.0, f"{word}_constraints": {}}
    alike = json.loads(of_kind(problem_type, rows.take([0] * 300))[0]["statistics.json"])[f"{word}_metrics"]
    if problem_type == "Regression":
        assert alike["r2"] == {"value": "NaN", "standard_deviation": "NaN"}
    else:
        assert alike["weighted_f1"] == {"value": 1.0, "standard_deviation": 0.0}


@every_kind
def test_metrics_that_sagemaker_does_not_know_are_in_no_file_of_constraints(problem_type: str) -> None:
    rows = KINDS[problem_type][0]
    plain, more = of_kind(problem_type, rows), of_kind(problem_type, rows, further_metrics=("label_drift",))
    assert more[0] == plain[0]
    assert [one.metric for one in more[1]] == [*(one.metric for one in plain[1]), "label_drift"]
    found = judge([Metric(name="label_drift", value=0.5, n=300)], more[1][-1:])
    assert json.loads(violations_json(found))["violations"] == [
        {"constraint_check_type": "label_drift_check", "description": "0.5 is above 0.1", "metric_name": "label_drift"}
    ]


def test_a_violation_of_a_regression_reads_as_sagemakers() -> None:
    constraint = Constraint(check="GreaterThanThreshold", metric="rmse", upper=0.5)
    found = judge([Metric(name="rmse", value=2.0, n=300, deviation=0.25)], [constraint])
    assert json.loads(violations_json(found))["violations"] == [
        {"constraint_check_type": "GreaterThanThreshold", "metric_name": "rmse",
         "description": "Metric rmse with 2.0 +/- 0.25 was GreaterThanThreshold '0.5'"}
    ]  # fmt: skip
