"""A window's files as SageMaker's CloudWatch metrics: names, namespaces, dimensions, statistic sets, switches."""

import json
from pathlib import Path
from typing import Any

import pytest

from monitor_tasks.baseline import Constraint, Metric
from monitor_tasks.report import Finding, Report, State
from monitor_tasks.sagemaker.cloudwatch import LARGEST, Source, cloudwatch_metrics, column_numbers, namespace

SOURCE = Source("churn", "hourly", "2026-01-01T01:00:00Z")
COMMON = [{"Name": "Endpoint", "Value": "churn"}, {"Name": "MonitoringSchedule", "Value": "hourly"}]
DATA = {
    "features": [
        {"name": "age", "numerical_statistics": {"common": {"num_present": 4, "num_missing": 1},
                                                 "sum": 10.0, "min": -1.0, "max": 6.0}},
        {"name": "empty", "numerical_statistics": {"common": {"num_present": 0, "num_missing": 5},
                                                   "sum": 0.0, "min": "NaN", "max": "NaN"}},
        {"name": "größe", "string_statistics": {"common": {"num_present": 5, "num_missing": 0},
                                                "distinct_count": 3.0}},
    ]
}  # fmt: skip


def report(*findings: Finding, rows: int = 5) -> Report:
    return Report(endpoint="churn", monitor="m", window="w", baseline="b", rows=rows, findings=findings)


def drift(column: str, value: float | None) -> Finding:
    return Finding(
        constraint=Constraint(check="baseline_drift_check", metric="drift_linf", subject=column, upper=0.1),
        metric=Metric(name="drift_linf", subject=column, value=value, n=5),
        state=State.KEPT,
    )


def values(found: list[dict[str, Any]]) -> dict[str, Any]:
    return {one["MetricName"]: one.get("Value", one.get("StatisticValues")) for one in found}


def as_text(content: Any) -> bytes:
    return json.dumps(content).encode()


def test_columns_have_counts_a_statistic_set_and_their_distance() -> None:
    found = cloudwatch_metrics("data_quality", report(drift("age", 0.25), drift("empty", None)), as_text(DATA), SOURCE)
    assert values(found) == {
        "feature_non_null_age": 4.0,
        "feature_data_age": {"SampleCount": 4.0, "Sum": 10.0, "Minimum": -1.0, "Maximum": 6.0},
        "feature_non_null_empty": 0.0,
        "feature_non_null_gr\\xf6\\xdfe": 5.0,
        "feature_baseline_drift_age": 0.25,
    }
    assert all(one["Dimensions"] == COMMON and one["Timestamp"] == SOURCE.time for one in found)


def test_a_batch_transform_has_its_own_namespace_and_no_endpoint() -> None:
    source = SOURCE._replace(is_batch=True)
    found = cloudwatch_metrics("data_quality", report(), as_text(DATA), source)
    assert namespace("data_quality", source) == "aws/sagemaker/ModelMonitoring/data-metrics"
    assert {str(one["Dimensions"]) for one in found} == {str(COMMON[1:])}


@pytest.mark.parametrize(
    ("switches", "silent"),
    [
        ({}, set()),
        ({"monitoring_config": {"emit_metrics": "Disabled"}}, {"age", "empty", "größe"}),
        (
            {"monitoring_config": {"emit_metrics": "Disabled"},
             "features": [{"name": "age", "monitoring_config_overrides": {"emit_metrics": "Enabled"}}]},
            {"empty", "größe"},
        ),
        ({"features": [{"name": "age", "monitoring_config_overrides": {"emit_metrics": "Disabled"}}]}, {"age"}),
    ],
)  # fmt: skip
def test_emit_metrics_of_the_baseline_is_obeyed(switches: dict[str, Any], silent: set[str]) -> None:
    text = as_text({"version": 0.0, "features": [], **switches})
    found = values(cloudwatch_metrics("data_quality", report(drift("age", 0.25)), as_text(DATA), SOURCE, text))
    assert ("feature_baseline_drift_age" in found) is ("age" not in silent)
    assert {name for name in ("age", "empty") if f"feature_non_null_{name}" not in found} == silent & {"age", "empty"}


def test_an_empty_window_publishes_nothing() -> None:
    assert cloudwatch_metrics("data_quality", report(rows=0), as_text(DATA), SOURCE) == []


def test_model_metrics_have_their_own_names() -> None:
    metrics = {
        "confusion_matrix": {"0": {"0": 5, "1": 2}},
        "f2": {"value": 0.5, "standard_deviation": 0.1},
        "auc": {"value": "NaN", "standard_deviation": "NaN"},
        "receiver_operating_characteristic_curve": {"false_positive_rates": [0.0, 1.0]},
    }
    text = as_text({"version": 0.0, "dataset": {"item_count": 7}, "binary_classification_metrics": metrics})
    assert values(cloudwatch_metrics("model_quality", report(), text, SOURCE)) == {"f2": 0.5}


def test_a_real_run_of_sagemaker_is_published_in_full(shared: Path) -> None:
    """Every numeric column of the container's own statistics.json has a set whose mean is the file's."""
    text = (shared / "sagemaker/churn/statistics.features-00-14.json").read_bytes()
    found = values(cloudwatch_metrics("data_quality", report(), text, SOURCE))
    features = json.loads(text)["features"]
    numbers = {one["name"]: one["numerical_statistics"] for one in features if "numerical_statistics" in one}
    assert len(numbers) >= 10
    for name, known in numbers.items():
        told = found[f"feature_data_{name}"]
        assert told["Sum"] / told["SampleCount"] == pytest.approx(known["mean"], rel=1e-12)
        assert (told["Minimum"], told["Maximum"]) == (known["min"], known["max"])
    assert sum(name.startswith("feature_non_null_") for name in found) == len(features)


@pytest.mark.parametrize(("monitor", "file"), [("bias", "bias_baseline"), ("attribution", "attribution_baseline")])
def test_real_files_of_clarify_are_published_in_full(shared: Path, monitor: str, file: str) -> None:
    text = (shared / f"sagemaker/adult/{file}.analysis.json").read_bytes()
    found = cloudwatch_metrics(monitor, report(), text, SOURCE)
    if monitor == "bias":
        content = json.loads(text)["post_training_bias_metrics"]["facets"]
        known = [metric for groups in content.values() for group in groups for metric in group["metrics"]]
        told = [one["Value"] for one in found if {"Name": "BiasStage", "Value": "Post-Training"} in one["Dimensions"]]
        assert told == [one["value"] for one in known if one["value"] is not None]
        assert len(told) >= 10
    else:
        (shap,) = json.loads(text)["explanations"]["kernel_shap"].values()
        assert values(found) == {
            **{f"feature_{name}": value for name, value in shap["global_shap_values"].items()},
            "ExpectedValue": shap["expected_value"],
        }


def test_bias_metrics_carry_stage_label_and_facet() -> None:
    analysis = {
        "version": "1.0",
        "pre_training_bias_metrics": {
            "label": "sex", "label_value_or_threshold": "1",
            "facets": {"age": [{"value_or_threshold": "40", "metrics": [
                {"name": "CI", "value": 0.5}, {"name": "KL", "value": "-Infinity"}, {"name": "JS", "value": None},
            ]}]},
        },
    }  # fmt: skip
    found = cloudwatch_metrics("bias", report(), as_text(analysis), SOURCE)
    assert values(found) == {"bias_metric_CI": 0.5, "bias_metric_KL": -LARGEST}
    told = {"BiasStage": "Pre-training", "Label": "sex", "LabelValue": "1", "Facet": "age", "FacetValue": "40"}
    assert found[0]["Dimensions"] == [*COMMON, *({"Name": name, "Value": value} for name, value in told.items())]


def test_attributions_are_published_by_label() -> None:
    shap = {"global_shap_values": {"age": 0.5, "none": None}, "expected_value": 0.25}
    text = as_text({"version": "1.0", "explanations": {"kernel_shap": {"label0": shap}}})
    found = cloudwatch_metrics("attribution", report(), text, SOURCE)
    assert values(found) == {"feature_age": 0.5, "ExpectedValue": 0.25}
    kinds = [one["Dimensions"][-1]["Value"] for one in found]
    assert kinds == ["GlobalShapValues", "ExpectedValue"]


def test_names_fit_into_cloudwatch() -> None:
    long = {"features": [{**DATA["features"][2], "name": "\u0000" + "x" * 999}]}
    (one,) = cloudwatch_metrics("data_quality", report(), as_text(long), SOURCE)
    assert len(one["MetricName"]) == 255
    assert one["MetricName"].isascii()
    assert one["MetricName"].isprintable()


def test_the_numbers_of_columns_are_those_of_the_file() -> None:
    assert column_numbers(as_text(DATA)) == {
        "age": {"sum": 10.0, "min": -1.0, "max": 6.0, "count": 4.0, "nullCount": 1},
        "empty": {"sum": 0.0, "count": 0.0, "nullCount": 5},
        "größe": {"count": 5.0, "nullCount": 0, "distinctCount": 3},
    }
