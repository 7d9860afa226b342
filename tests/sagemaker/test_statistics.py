"""statistics.json, to the byte where SageMaker's own file is at hand."""

import json
import math
from typing import Any

import pyarrow as pa

from monitor_tasks.profiles.sketch import SageMakerBlock
from monitor_tasks.sagemaker.statistics import statistics_json
from tests.sagemaker.samples import sample, table


def _features(rows: pa.Table) -> dict[str, Any]:
    written = json.loads(statistics_json(SageMakerBlock.of(rows)))
    return {feature["name"]: feature for feature in written["features"]}


def test_statistics_of_the_sdk_sample_are_the_same_bytes() -> None:
    block = SageMakerBlock.of(table("sdk/data_quality/baseline_dataset.csv", header=False))
    assert statistics_json(block) == sample("sdk/data_quality/statistics.json")


def test_statistics_of_fifteen_churn_columns_are_the_same_bytes() -> None:
    block = SageMakerBlock.of(table("churn/training-dataset-with-header.csv", header=True))
    first = SageMakerBlock(block.rows, dict(list(block.columns.items())[:15]))
    assert statistics_json(first) == sample("churn/statistics.features-00-14.json").rstrip(b"\n")


def test_statistics_of_the_churn_table_read_in_three_windows_are_the_same_bytes() -> None:
    rows = table("churn/training-dataset-with-header.csv", header=True)
    block = SageMakerBlock.of(rows.slice(0, 700)).update(rows.slice(700, 1)).update(rows.slice(701))
    first = SageMakerBlock(block.rows, dict(list(block.columns.items())[:15]))
    assert statistics_json(first) == sample("churn/statistics.features-00-14.json").rstrip(b"\n")


def test_a_text_column_has_its_categories_by_falling_frequency() -> None:
    feature = _features(pa.table({"s": ["b", "x", "b", "a", None]}))["s"]
    assert feature == {
        "name": "s",
        "inferred_type": "String",
        "string_statistics": {
            "common": {"num_present": 4, "num_missing": 1},
            "distinct_count": 3.0,
            "distribution": {
                "categorical": {
                    "buckets": [
                        {"value": "b", "count": 2},
                        {"value": "a", "count": 1},
                        {"value": "x", "count": 1},
                    ]
                }
            },
        },
    }


def test_a_text_column_of_many_values_has_only_their_number() -> None:
    feature = _features(pa.table({"s": [f"id{index}" for index in range(121)]}))["s"]
    assert feature["string_statistics"]["distinct_count"] == 121.0
    assert "distribution" not in feature["string_statistics"]


def test_a_number_among_texts_keeps_the_text_it_was_written_as() -> None:
    feature = _features(pa.table({"s": ["02134", "A1", "1.0"]}))["s"]
    buckets = feature["string_statistics"]["distribution"]["categorical"]["buckets"]
    assert [bucket["value"] for bucket in buckets] == ["02134", "1.0", "A1"]


def test_boolean_and_unknown_columns_have_statistics_of_text() -> None:
    features = _features(pa.table({"b": [True, None], "u": pa.nulls(2)}))
    assert features["b"]["inferred_type"] == "Boolean"
    assert features["b"]["string_statistics"]["distinct_count"] == 1.0
    assert features["u"]["inferred_type"] == "Unknown"
    assert features["u"]["string_statistics"] == {"common": {"num_present": 0, "num_missing": 2}, "distinct_count": 0.0}


def test_numbers_that_are_not_finite_are_present_and_in_no_sum() -> None:
    known = _features(pa.table({"x": [1.0, math.nan, 3.0, math.inf, None]}))["x"]["numerical_statistics"]
    assert known["common"] == {"num_present": 4, "num_missing": 1}
    assert (known["mean"], known["sum"], known["min"], known["max"]) == (2.0, 4.0, 1.0, 3.0)


def test_a_column_without_one_finite_number_is_undefined() -> None:
    known = _features(pa.table({"x": [math.nan]}))["x"]["numerical_statistics"]
    assert (known["mean"], known["std_dev"], known["min"], known["max"]) == ("NaN", "NaN", "NaN", "NaN")
    assert known["distribution"]["kll"]["buckets"] == []


def test_the_last_bucket_of_a_constant_column_holds_it_all() -> None:
    known = _features(pa.table({"x": [7.0, 7.0]}))["x"]["numerical_statistics"]
    assert [bucket["count"] for bucket in known["distribution"]["kll"]["buckets"]] == [0.0] * 9 + [2.0]


def test_columns_keep_the_order_of_the_data_set() -> None:
    assert list(_features(pa.table({"z": [1], "a": [1], "m": ["x"]}))) == ["z", "a", "m"]
