"""The checks beyond SageMaker's: formats, encoding, balance of classes, repeated rows, correlations, all columns."""

from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from monitor_tasks.baseline import Baseline
from monitor_tasks.monitors.data_quality import DataQuality
from monitor_tasks.monitors.settings import DataQualitySettings
from monitor_tasks.profiles.columns import Edges, TableProfile
from monitor_tasks.report import Finding, State, judge

ROWS = 400
RANDOM = np.random.default_rng(3)


def table(rows: int = ROWS, **columns: Any) -> pa.Table:
    random = np.random.default_rng(5)
    income = random.normal(size=rows)
    usual: dict[str, Any] = {
        "income": income,
        "spending": income + random.normal(scale=0.3, size=rows),
        "day": [f"2026-{1 + row % 12:02}-{1 + row % 28:02}" for row in range(rows)],
        "city": [("Paris", "Zürich", "Łódź")[row % 3] for row in range(rows)],
        "answer": [("no", "yes")[row % 5 == 0] for row in range(rows)],
    }
    return pa.table(usual | columns)


def findings(window: pa.Table, **said: Any) -> dict[str, Finding]:
    monitor = DataQuality(DataQualitySettings.model_validate(said))
    reference = table()
    edges = Edges.of(reference)
    profile = monitor.profile(reference, edges)
    baseline = Baseline("id", tuple(monitor.suggest([profile])), profile, edges)
    found = judge(monitor.measure(monitor.profile(window, edges), baseline), baseline.constraints)
    return {f"{one.constraint.check} {one.constraint.subject}".strip(): one for one in found}


def broken(found: dict[str, Finding]) -> list[str]:
    return [name for name, one in found.items() if one.state is State.BROKEN]


EVERYTHING: dict[str, Any] = {
    "format_check": True,
    "encoding_check": True,
    "class_balance": ["answer"],
    "duplicate_rows_check": True,
    "range_check": True,
    "constant_check": True,
    "drift": {"correlation": True, "table": ["mmd", "domain_classifier"], "sample_rows": 400},
}


def test_a_table_keeps_every_check_that_it_suggested() -> None:
    found = findings(table(), **EVERYTHING)
    assert {one.state for one in found.values()} == {State.KEPT}, broken(found)
    assert {
        *("format_check day", "encoding_check city", "encoding_check day", "class_balance_check answer"),
        *("duplicate_rows_check", "correlation_drift_check income", "mmd_drift_check", "domain_classifier_drift_check"),
    } <= found.keys()
    assert "format_check city" not in found


def test_every_check_is_named_though_it_is_not_asked_for() -> None:
    monitor = DataQuality(DataQualitySettings())
    suggested = monitor.suggest([TableProfile.of(table())])
    off = {one.check for one in suggested if not one.enabled}
    assert off == {"non_negative_check", "range_check", "constant_check", "format_check", "encoding_check"}
    assert all(one.rule.endswith(tuple("abcdefghijklmnopqrstuvwxyz")) and one.reason for one in suggested)


@pytest.mark.parametrize(
    ("check", "columns"),
    {
        "format_check day": {"day": [f"{1 + row % 28}. {1 + row % 12}. 26" for row in range(ROWS)]},
        "encoding_check city": {
            "city": [("Paris", "ZÃ¼rich", "\N{REPLACEMENT CHARACTER}ód")[n % 3] for n in range(ROWS)]
        },
        "class_balance_check answer": {"answer": [("no", "yes")[row % 40 == 0] for row in range(ROWS)]},
        "correlation_drift_check income": {"spending": -table()["spending"].to_numpy()},
        "mmd_drift_check": {"income": table()["income"].to_numpy() + 1},
        "domain_classifier_drift_check": {"income": table()["income"].to_numpy() + 1},
    }.items(),
)
def test_each_sees_what_it_is_for(check: str, columns: dict[str, Any]) -> None:
    found = findings(table(**columns), **EVERYTHING)
    assert check in broken(found)
    assert found[check].metric is not None


def test_repeated_rows() -> None:
    rows = table()
    repeated = pa.concat_tables([rows.slice(0, ROWS - 40), rows.slice(0, 40)])
    found = findings(repeated, **EVERYTHING)["duplicate_rows_check"]
    assert found.metric is not None
    assert (found.state, found.metric.value) == (State.BROKEN, pytest.approx(0.1))
    assert findings(rows, duplicate_rows_check=True)["duplicate_rows_check"].state is State.KEPT


def test_a_class_that_is_rarer_by_chance_is_no_alarm() -> None:
    few = table(40, answer=[("no", "yes")[row in {3, 9, 20}] for row in range(40)])
    assert findings(few, class_balance=["answer"])["class_balance_check answer"].state is State.KEPT
    exact = findings(few, class_balance=["answer"], rule="observed")["class_balance_check answer"]
    assert exact.state is State.BROKEN
    assert exact.metric is not None
    assert exact.metric.details["class"] == "yes"


def test_without_what_a_check_needs_it_is_undecided_and_says_what_to_set() -> None:
    monitor = DataQuality(DataQualitySettings.model_validate(EVERYTHING))
    reference = table()
    edges = Edges.of(reference)
    baseline = Baseline("id", tuple(monitor.suggest([monitor.profile(reference, edges)])), TableProfile.of(reference))
    found = judge(monitor.measure(TableProfile.of(reference, edges), baseline), baseline.constraints)
    why = {one.constraint.check: one.because for one in found if one.state is State.UNDECIDED}
    assert why["duplicate_rows_check"] == "no rows were sampled; set duplicate_rows_check"
    assert why["correlation_drift_check"] == "correlations were not summed up; set drift.correlation"
    assert why["mmd_drift_check"] == "no rows were sampled; name the method in drift.table"


def test_an_empty_window_is_undecided() -> None:
    found = findings(table().slice(0, 0), **EVERYTHING)
    assert {one.state for name, one in found.items() if "column_check" not in name} == {State.UNDECIDED}


def test_p_values_of_the_table_are_adjusted_with_those_of_the_columns() -> None:
    found = findings(table(), drift={"table": ["mmd"], "numeric": ["mean_shift"]})
    metric = found["mmd_drift_check"].metric
    assert metric is not None
    assert metric.value == metric.details["p_adjusted"]
    assert "statistic" in metric.details
