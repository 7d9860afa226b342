"""The sentence really runs: once with ``dag.test``, once through the real scheduler with the hand-off."""

import hashlib
import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from examples.airflow_processes import LocalAirflow, free_port
from examples.demo import DAG, RETRAINING, Told, play, site, windows
from monitor_tasks.evidence import records
from monitor_tasks.gates import Gate
from monitor_tasks.monitors.settings import MONITORS
from monitor_tasks.promoting import moves

ROOT = Path(__file__).resolve().parents[2]
ROWS = 1500
CHECKED = (
    *("ingest_capture", "suggest_baseline", "merge_labels"),
    *("validate_data", "measure_quality", "check_bias", "check_attribution", "choose_action"),
)

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
    done = (*CHECKED, "alert")
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
    broken = [{report.monitor for report in one.reports if report.violations} for one in told]
    assert [one.verdict.status for one in told] == [
        "Completed",
        "CompletedWithViolations",
        "NoData",
        *["CompletedWithViolations"] * 4,
        "Completed",
    ]
    assert (broken[0], broken[2], broken[7]) == (set(), set(), set())
    assert "data_quality" in broken[1]
    assert "retraining is refused" in told[1].verdict.because
    assert broken[3] == {"data_quality"}
    assert "data_quality" not in broken[4]
    assert "model_quality" in broken[4]
    assert "bias" in broken[5]
    assert [hour for hour, monitors in enumerate(broken) if "attribution" in monitors] == [6]
    traffic = json.loads((home / "traffic.json").read_bytes())["hours"]
    assert [one.quarantined for one in told] == [hour["malformed"] for hour in traffic]
    assert sum(one.used for one in told) <= sum(hour["clean"] + hour["out_of_window"] for hour in traffic)


def test_retraining_is_handed_over_once(scheduled: tuple[LocalAirflow, Path, list[Told]]) -> None:
    airflow, home, told = scheduled
    asked = [one for one in told if one.verdict.action == "retrain"]
    assert len(asked) == 1
    assert airflow.states(RETRAINING) == {"retrain__loan-scoring__000001": "success"}
    run = airflow.get(f"/dags/{RETRAINING}/dagRuns/retrain__loan-scoring__000001")
    assert run["conf"] == {"endpoint": "loan-scoring", "episode": "000001", "window": str(asked[0].window)}
    known = records(site(home), "000001")
    assert [(one.gate, one.outcome) for one in known] == [(gate, "passed") for gate in Gate]
    learned, promoted = known[2].details, known[4].details
    assert asked[0].verdict.because in moves(site(home))[0].because
    assert learned["used"] == [str(told[3].window)]
    assert hashlib.sha256(Path(learned["model"]["address"]).read_bytes()).hexdigest() == learned["model"]["sha256"]
    assert promoted["since"] == "2026-01-01T07:00:00Z"


def test_a_person_has_approved_of_the_new_model_through_the_api(
    scheduled: tuple[LocalAirflow, Path, list[Told]],
) -> None:
    airflow, home, told = scheduled
    answered = airflow.get("/dags/~/dagRuns/~/hitlDetails")["hitl_details"]
    assert [(one["chosen_options"], one["task_instance"]["task_id"]) for one in answered] == [(["Approve"], "approve")]
    (asked,) = answered
    assert asked["subject"] == "Retrain loan-scoring on episode 000001?"
    assert asked["body"].startswith(f"Episode 000001 of loan-scoring, handed over by {told[3].window}: a changed world")
    approval = records(site(home), "000001")[1]
    assert approval.by == asked["responded_by_user"]["name"]
    assert told[7].verdict.closes == "000001", "the episode is over"


def test_only_the_next_window_is_judged_by_what_was_learned(
    scheduled: tuple[LocalAirflow, Path, list[Told]],
) -> None:
    _, _, told = scheduled
    versions = [one.reports[0].model.version for one in told if one.reports[0].model]
    assert versions == ["1"] * 7 + ["2"]
    assert len({one.reports[0].baseline for one in told[:7]}) == 1
    assert told[7].reports[0].baseline != told[0].reports[0].baseline
    assert any("the model's sha256 changed" in note for note in told[7].reports[0].notes)


def test_a_window_asked_for_again_changes_nothing(scheduled: tuple[LocalAirflow, Path, list[Told]]) -> None:
    airflow, home, told = scheduled
    before = _tree(home / "artifacts")
    asked = next(one for one in told if one.verdict.action == "retrain")
    conf = {"window": str(asked.window), "allow_retraining": True}
    run = airflow.post(f"/dags/{DAG}/dagRuns", {"logical_date": None, "conf": conf})["dag_run_id"]
    deadline = time.monotonic() + 120
    while airflow.states(DAG)[run] not in ("success", "failed"):
        assert time.monotonic() < deadline
        time.sleep(0.5)
    assert _task_states(airflow, run) == {
        **dict.fromkeys(CHECKED, "success"),
        **dict.fromkeys(("trigger_retraining", "alert", "rest"), "skipped"),
    }
    assert len(airflow.states(RETRAINING)) == 1
    assert _tree(home / "artifacts") == before


def test_the_command_line_agrees_with_the_scheduler(scheduled: tuple[LocalAirflow, Path, list[Told]]) -> None:
    _, home, _ = scheduled
    from monitor_tasks import tasks

    place = site(home)
    before = _tree(home / "artifacts")
    for window in windows(home)[:4]:  # labels of the last hour have arrived since for the others
        captured = tasks.ingest_capture(place, window)
        baseline = tasks.suggest_baseline(place, window, captured)
        rows = {"captured": captured, "explained": captured, "labelled": tasks.merge_labels(place, window, captured)}
        for name in place.endpoint.configured():
            tasks.run_monitor(place, name, window, rows[MONITORS[name].stage], baseline)
    assert _tree(home / "artifacts") == before


def _task_states(airflow: LocalAirflow, run: str) -> dict[str, str]:
    found = airflow.get(f"/dags/{DAG}/dagRuns/{run}/taskInstances")["task_instances"]
    return {one["task_id"]: one["state"] for one in found}


def _tree(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}
