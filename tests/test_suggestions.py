"""Suggesting and checking: false alarms in slices, predictions, private columns, SageMaker's baseline alone."""

import json
from collections.abc import Mapping
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from monitor_tasks.baseline import Constraints
from monitor_tasks.judging import Checked, check, read_baseline, suggest
from monitor_tasks.monitors.settings import DataQualitySettings
from monitor_tasks.report import State
from monitor_tasks.value import UserError

ROWS = 3_000
SEASON = np.repeat(np.linspace(0, 5, 10), ROWS // 10)


def table(rows: int = ROWS, seed: int = 1, **columns: Any) -> pa.Table:
    random = np.random.default_rng(seed)
    usual: dict[str, Any] = {
        "score": random.random(rows).round(3),
        "steady": random.normal(size=rows),
        "email": [f"{row % 7}@example.org" for row in range(rows)],
        "pin": random.integers(0, 9999, rows),
    }
    return pa.table(usual | columns)


def settings(**said: Any) -> DataQualitySettings:
    return DataQualitySettings.model_validate(said)


def checked(rows: pa.Table, files: Mapping[str, bytes], **said: Any) -> Checked:
    known = read_baseline("id", "data_quality", settings(**said), files.get)
    return check("data_quality", settings(**said), rows, known)


def states(found: Checked, state: State) -> list[str]:
    return [f"{one.constraint.check} {one.constraint.subject}".strip() for one in found.findings if one.state is state]


def test_a_season_raises_false_alarms_and_a_steady_column_none() -> None:
    files = suggest(
        "data_quality",
        settings(drift={"numeric": ["mean_shift"]}),
        table(seasonal=SEASON + table()["steady"].to_numpy()),
    )
    found = {one.key: one for one in Constraints.read(files["bounds.json"], "bounds.json").constraints}
    season, steady = (found[f"mean_shift_drift_check:drift_mean_shift:{name}"] for name in ("seasonal", "steady"))
    assert (season.slices, steady.slices) == (10, 10)
    assert season.alarms >= 6
    assert steady.alarms <= 2
    assert found["data_type_check:type_match:pin"].alarms == 0
    smallest = found["range_check:minimum:steady"]
    assert (smallest.slices, smallest.alarms) == (10, 1), "what is disabled is tried too; one slice has the smallest"


def test_a_reference_too_small_for_slices_is_tried_by_none() -> None:
    files = suggest("data_quality", settings(minimum_rows=30), table(60))
    found = Constraints.read(files["bounds.json"], "bounds.json").constraints
    assert {one.slices for one in found if one.check != "missing_column_check"} == {0}
    assert suggest("data_quality", settings(minimum_rows=1), table(1))["bounds.json"]


def test_slices_do_not_depend_on_the_batches() -> None:
    whole = table()
    parts = pa.concat_tables([whole.slice(start, 137) for start in range(0, ROWS, 137)])
    assert (
        suggest("data_quality", settings(), whole)["bounds.json"]
        == suggest("data_quality", settings(), parts)["bounds.json"]
    )


def test_predictions_are_watched_for_how_sure_they_are() -> None:
    said = {"predictions": {"probabilities": ["score"], "interval": ["low", "high"]}}
    reference = table(low=np.zeros(ROWS), high=table()["score"].to_numpy() + 1)
    files = suggest("data_quality", settings(**said), reference)
    unsure = table(seed=2, score=np.full(ROWS, 0.5), low=np.zeros(ROWS), high=np.full(ROWS, 9.0))
    found = checked(unsure, files, **said)
    assert {"baseline_drift_check prediction_entropy", "baseline_drift_check prediction_interval_width"} <= {
        *states(found, State.BROKEN)
    }
    assert not states(checked(reference, files, **said), State.BROKEN)
    assert "prediction_entropy" in found.artifacts["statistics.json"].decode()


PRIVATE: dict[str, Any] = {"private": {"email": "hash", "pin": "drop"}}


def test_no_cell_of_a_private_column_is_in_any_file(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MONITOR_TASKS_PRIVATE_KEY", "secret")
    asked = {**PRIVATE, "drift": {"table": ["mmd"]}, "duplicate_rows_check": True, "format_check": True}
    reference = table(pin=[70_000_000 + row for row in range(ROWS)])
    files = suggest("data_quality", settings(**asked), reference)
    other = table(seed=3, email=["new@example.org"] * ROWS, pin=[70_000_000 + row for row in range(ROWS)])
    found = checked(other, files, **asked)
    assert "categorical_values_check email" in states(found, State.BROKEN)
    exhibits = [one.model_dump_json().encode() for one in found.exhibits]
    for content in (*files.values(), *found.artifacts.values(), *exhibits, found.report("a", "b").to_json()):
        assert b"example.org" not in content
        assert b"7000000" not in content
    assert b'"pin"' not in files["bounds.json"]
    assert not states(checked(reference, files, **asked), State.BROKEN)


def test_private_columns_are_hidden_under_positions_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MONITOR_TASKS_PRIVATE_KEY", "secret")
    said = {"private": {"email": "hash"}}
    files = suggest("data_quality", settings(**said), table())
    positional = table().rename_columns([f"_c{place}" for place in range(4)])
    found = checked(positional, files, **said)
    assert not states(found, State.BROKEN)
    assert all(b"example.org" not in content for content in found.artifacts.values())


@pytest.mark.parametrize("columns", [["score", "steady", "mail", "pin"], ["_c0", "_c1", "_c2", "_c3"]])
def test_what_may_be_private_under_another_name_is_an_error_and_not_shown(columns: list[str]) -> None:
    with pytest.raises(UserError, match="private: no column is called 'email', so it cannot be hidden"):
        suggest("data_quality", settings(**PRIVATE), table().rename_columns(columns))
    files = suggest("data_quality", settings(**PRIVATE), table())
    with pytest.raises(UserError, match="private: no column is called 'email'"):
        checked(table().rename_columns(columns), files, **PRIVATE)


def test_a_private_column_that_is_simply_gone_is_a_missing_column() -> None:
    files = suggest("data_quality", settings(**PRIVATE), table())
    found = checked(table().drop_columns(["email"]), files, **PRIVATE)
    assert "missing_column_check" in states(found, State.BROKEN)


def test_sagemakers_baseline_alone_tells_drift() -> None:
    ours = suggest("data_quality", settings(), table())
    theirs = {name: ours[name] for name in ("statistics.json", "constraints.json")}
    assert not states(checked(table(), theirs), State.BROKEN)
    moved = checked(table(seed=2, steady=table()["steady"].to_numpy() + 1), theirs)
    assert "baseline_drift_check steady" in states(moved, State.BROKEN)
    only = checked(table(seed=2), {"constraints.json": ours["constraints.json"]})
    assert "baseline_drift_check steady" in states(only, State.UNDECIDED)


def test_a_bound_that_a_user_set_in_sagemakers_file_is_exact() -> None:
    gaps = [None if row % 10 == 0 else float(row) for row in range(ROWS)]
    files = suggest("data_quality", settings(), table(steady=gaps))
    edited = json.loads(files["constraints.json"])
    (feature,) = (one for one in edited["features"] if one["name"] == "steady")
    fewer = table(steady=[None if row % 10 == 0 or row == 1 else float(row) for row in range(ROWS)])
    assert not states(checked(fewer, files), State.BROKEN)
    feature["completeness"] = 0.8998
    found = checked(fewer, {**files, "constraints.json": json.dumps(edited).encode()})
    assert "completeness_check steady" in states(found, State.BROKEN)


def test_great_expectations_gives_way_to_chance_as_the_constraint_does() -> None:
    said = {"drift": {"table": ["domain_classifier"]}, "class_balance": ["email"]}
    gaps, more = ([None if row % 50 < few else float(row) for row in range(ROWS)] for few in (1, 2))
    files = suggest("data_quality", settings(**said), table(steady=gaps))
    few = table(100, seed=5, steady=more[:100])
    found = checked(few, files, **said)
    kept = {f"{one.constraint.check} {one.constraint.subject}": one for one in found.findings}[
        "completeness_check steady"
    ]
    assert kept.metric is not None
    assert kept.metric.value is not None
    assert kept.metric.value < (kept.constraint.lower or 0)
    assert kept.state is State.KEPT
    assert not states(found, State.FAILED)
