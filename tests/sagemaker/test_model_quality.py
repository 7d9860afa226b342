"""SageMaker's files of model quality: a real run's numbers and texts, and every way to loosen constraints.json."""

import json
import re
from typing import Any

import pyarrow as pa
import pytest

from monitor_tasks.baseline import Baseline, Constraint, Metric
from monitor_tasks.monitors.model_quality import ModelQuality
from monitor_tasks.monitors.settings import ModelQualitySettings
from monitor_tasks.report import Finding, judge
from monitor_tasks.sagemaker.model_quality import constraints_json, files, read_constraints, violations_json
from monitor_tasks.value import UserError
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
        (b"{}", "binary_classification_constraints: Field required"),
        (b'{"regression_constraints": {}}', "binary_classification_constraints: Field required"),
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


def test_the_run_that_was_printed_breaks_the_churn_baseline_and_f0_5_with_it(churn: pa.Table) -> None:
    """SageMaker's container leaves f0_5 out; we judge it."""
    monitor = ModelQuality(ModelQualitySettings(probability_attribute=None, inference_attribute="prediction"))
    constraints = [one for one in written(churn)[1] if one.metric != "auc"]
    outcomes = {("0", "0"): 434, ("0", "1"): 65, ("1", "0"): 1167, ("1", "1"): 151}
    cells = [cell for cell, count in outcomes.items() for _ in range(count)]
    window = pa.table({"label": [label for label, _ in cells], "prediction": [predicted for _, predicted in cells]})
    findings = judge(monitor.measure(monitor.profile(window), Baseline("id", tuple(constraints), None)), constraints)
    ours = {one["metric_name"]: one["description"] for one in json.loads(violations_json(findings))["violations"]}
    theirs = json.loads(sample("churn/model_quality_violations.run1.json"))["violations"]
    assert set(ours) == {one["metric_name"] for one in theirs} - {"auc"} | {"f0_5"}
    without_deviation = re.compile(r" \+/- \S+")
    for one in theirs:
        if one["metric_name"] != "auc":
            expected = without_deviation.sub("", one["description"])
            assert without_deviation.sub("", ours[one["metric_name"]]) == expected


def test_no_violations() -> None:
    kept = judge(
        [Metric(name="recall", value=1.0, n=9)], [Constraint(check="LessThanThreshold", metric="recall", lower=1.0)]
    )
    assert violations_json(kept) == b'{\n  "violations" : [ ]\n}'


def test_a_violation_below_200_rows_says_nan() -> None:
    constraint = Constraint(check="LessThanThreshold", metric="recall", lower=0.9)
    found = judge([Metric(name="recall", value=0.5, n=50)], [constraint])
    assert b"Metric recall with 0.5 +/- NaN was LessThanThreshold '0.9'" in violations_json(found)
