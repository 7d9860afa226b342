"""The sentence really runs: once with ``dag.test``, once through the real scheduler with the hand-off."""

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from examples.airflow_processes import LocalAirflow, free_port
from examples.demo import DAG, RETRAINING, Told, play, site, windows

ROOT = Path(__file__).resolve().parents[2]
ROWS = 300

TEST = """
import json, sys
sys.path.append({folder!r})
import monitor_endpoints
from monitor_tasks.window import parse_time
from airflow.models.taskinstance import TaskInstance
from airflow.utils.session import create_session
run = vars(monitor_endpoints)["monitor__loan-scoring"].test(logical_date=parse_time({moment!r}))
with create_session() as session:
    found = session.query(TaskInstance).filter_by(run_id=run.run_id).all()
    print(json.dumps({{one.task_id: str(one.state) for one in found}}))
"""


def test_one_window_with_dag_test(in_airflow: Callable[..., Any], airflow: LocalAirflow) -> None:
    airflow.run("dags", "reserialize")
    states = in_airflow(TEST.format(folder=str(ROOT / "dags"), moment="2026-01-01T02:00:00Z"))
    done = ("ingest_capture", "suggest_baseline", "validate_data", "choose_action", "alert")
    assert states == {**dict.fromkeys(done, "success"), "trigger_retraining": "skipped", "rest": "skipped"}
    home = Path(airflow.environment["MONITOR_TASKS_HOME"])
    report = json.loads((home / "artifacts/loan-scoring/data_quality/2026/01/01/02/report.json").read_bytes())
    assert report["window"] == "2026-01-01T01:00:00Z/PT1H"
    broken = {one["constraint"]["subject"] for one in report["findings"] if one["state"] == "broken"}
    assert {"debt_to_income", "home_ownership"} <= broken


@pytest.fixture(scope="module")
def scheduled(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """The demo's story, told through the real scheduler; Airflow still runs."""
    home = tmp_path_factory.mktemp("demo")
    with LocalAirflow(home, free_port()) as running:
        yield running, home, play(running, home, ROWS)


def test_the_scheduler_tells_the_story(scheduled: tuple[LocalAirflow, Path, list[Told]]) -> None:
    _, home, told = scheduled
    assert [(one.verdict.status, one.verdict.action) for one in told] == [
        ("Completed", "rest"),
        ("CompletedWithViolations", "alert"),
        ("NoData", "rest"),
        ("CompletedWithViolations", "retrain"),
        ("Completed", "rest"),
    ]
    assert "retraining is refused" in told[1].verdict.because
    assert told[3].triggered == "retrain__loan-scoring__000001: success"
    traffic = json.loads((home / "traffic.json").read_bytes())["hours"]
    assert [one.quarantined for one in told] == [hour["malformed"] for hour in traffic]
    clean = sum(hour["clean"] for hour in traffic) + sum(hour["out_of_window"] for hour in traffic)
    assert sum(one.used for one in told) <= clean


def test_the_hand_off_carries_ids_and_leaves_evidence(scheduled: tuple[LocalAirflow, Path, list[Told]]) -> None:
    airflow, home, told = scheduled
    run = airflow.get(f"/dags/{RETRAINING}/dagRuns/retrain__loan-scoring__000001")
    assert run["conf"] == {"endpoint": "loan-scoring", "episode": "000001", "window": str(told[3].window)}
    record = json.loads((home / "artifacts/loan-scoring/episodes/000001/retrained.json").read_bytes())
    assert record["because"] == told[3].verdict.because
    assert Path(record["model"]).is_file()


def test_a_window_asked_for_again_changes_nothing(scheduled: tuple[LocalAirflow, Path, list[Told]]) -> None:
    airflow, home, told = scheduled
    before = _tree(home / "artifacts")
    conf = {"window": str(told[3].window), "allow_retraining": True}
    run = airflow.post(f"/dags/{DAG}/dagRuns", {"logical_date": None, "conf": conf})["dag_run_id"]
    deadline = time.monotonic() + 120
    while airflow.states(DAG)[run] not in ("success", "failed"):
        assert time.monotonic() < deadline
        time.sleep(0.5)
    assert _task_states(airflow, run) == {
        **dict.fromkeys(("ingest_capture", "suggest_baseline", "validate_data", "choose_action"), "success"),
        **dict.fromkeys(("trigger_retraining", "alert", "rest"), "skipped"),
    }
    assert len(airflow.states(RETRAINING)) == 1
    assert _tree(home / "artifacts") == before


def test_the_command_line_agrees_with_the_scheduler(scheduled: tuple[LocalAirflow, Path, list[Told]]) -> None:
    _, home, _ = scheduled
    from monitor_tasks import tasks

    place = site(home)
    before = _tree(home / "artifacts")
    for window in windows(home):
        captured = tasks.ingest_capture(place, window)
        tasks.validate_data(place, window, captured, tasks.suggest_baseline(place, window, captured))
    assert _tree(home / "artifacts") == before


def _task_states(airflow: LocalAirflow, run: str) -> dict[str, str]:
    found = airflow.get(f"/dags/{DAG}/dagRuns/{run}/taskInstances")["task_instances"]
    return {one["task_id"]: one["state"] for one in found}


def _tree(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}
