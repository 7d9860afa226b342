"""Expectations: from a stored profile, and from rows by Great Expectations on pandas."""

from pathlib import Path
from typing import Any

from benchmarks import data
from benchmarks.measure import Call, Cost, Peer, Step, Target


def steps(_: int) -> list[Step]:
    peers = (Peer("limit: 2 s", Cost(2), (Target(1, "at most"),)), Peer("Great Expectations on pandas", _gx_on_pandas))
    return [Step("150 expectations from the profile", _expectations, peers)]


def _suite() -> list[dict[str, Any]]:
    """Five expectations on each of the 30 columns."""
    words = [f"word_{number:03}" for number in range(4**data.TEXT_COLUMNS)]
    of_text: dict[str, dict[str, Any]] = {
        "expect_column_values_to_be_in_set": {"value_set": words},
        "expect_column_values_to_not_be_in_set": {"value_set": ["nothing"]},
        "expect_column_value_lengths_to_be_between": {"min_value": 1, "max_value": 9},
        "expect_column_values_to_match_regex": {"regex": "^word_"},
    }
    measures = ("min", "max", "mean", "sum")
    of_numbers = {f"expect_column_{name}_to_be_between": {"min_value": -1e15, "max_value": 1e15} for name in measures}
    return [
        {"type": kind, "kwargs": {"column": column, **more}}
        for column in data.table(1, seed=1).column_names
        for kind, more in {
            "expect_column_values_to_not_be_null": {"mostly": 0.5},
            **(of_text if column.startswith("text") else of_numbers),
        }.items()
    ]


def _expectations(folder: Path) -> Call:
    from monitor_tasks.monitors.expectations import validate
    from monitor_tasks.profiles.columns import TableProfile

    profile, suite = TableProfile.from_json((folder / "reference.json").read_bytes()), _suite()
    validate(TableProfile(), (), suite[:1], None)  # loads the library
    return lambda: sum(finding.state == "kept" for finding in validate(profile, (), suite, None).findings)


def _gx_on_pandas(folder: Path) -> Call:
    import os

    os.environ["GX_ANALYTICS_ENABLED"] = "false"
    import great_expectations as gx
    import pandas as pd
    from great_expectations.expectations.expectation_configuration import ExpectationConfiguration

    frame = pd.read_parquet(folder / "reference.parquet")
    suite = gx.ExpectationSuite("data", [ExpectationConfiguration(**item).to_domain_obj() for item in _suite()])
    context = gx.get_context(mode="ephemeral")
    context.variables.progress_bars = {"globally": False, "metric_calculations": False}
    asset = context.data_sources.add_pandas("data").add_dataframe_asset("data")
    batch = asset.add_batch_definition_whole_dataframe("data").get_batch({"dataframe": frame})
    return lambda: sum(result.success for result in batch.validate(suite, result_format="BASIC").results)
