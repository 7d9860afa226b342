"""Labels that arrive after their window was judged: the DAG that restates it, run with ``dag.test``."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

from typer.testing import CliRunner

from examples.airflow_processes import LocalAirflow
from monitor_tasks.cli import app

ROOT = Path(__file__).resolve().parents[2]
YAML = ROOT / "dags/endpoints/loan-scoring.yaml"
WINDOWS = ["2026-01-01T00:00:00Z/PT1H", "2026-01-01T01:00:00Z/PT1H"]
BOXES = {
    "meet_labels": ["restate_windows", "settle_labels"],
    "restate_windows": ["alert", "emit_metrics", "trigger_retraining"],
    "trigger_retraining": ["settle_labels"],
    "alert": ["settle_labels"],
    "emit_metrics": ["settle_labels"],
    "settle_labels": [],
}
TEST = """
import json, sys
sys.path.append({folder!r})
from airflow.dag_processing.dagbag import DagBag
from airflow.models.asset import AssetEvent, AssetModel
from airflow.models.taskinstance import TaskInstance
from airflow.utils.session import create_session
bag = DagBag({folder!r})
dag = bag.dags["labels__loan-scoring"]
found = []
for _ in range(2):
    run = dag.test()
    with create_session() as session:
        done = session.query(TaskInstance).filter_by(run_id=run.run_id).all()
        found.append({{one.task_id: str(one.state) for one in done}})
with create_session() as session:
    events = session.query(AssetEvent).filter_by(source_dag_id=dag.dag_id).order_by(AssetEvent.id).all()
    told = [[session.get(AssetModel, one.asset_id).name, one.extra] for one in events]
print(json.dumps({{"errors": list(bag.import_errors.values()), "states": found, "told": told,
    "arrows": {{one.task_id: sorted(one.downstream_task_ids) for one in dag.tasks}},
    "runs": dag.max_active_runs, "catchup": dag.catchup}}))
"""


def test_late_labels_restate_their_windows_once_and_tell_of_each(
    in_airflow: Callable[..., Any], airflow: LocalAirflow, tmp_path: Path
) -> None:
    shutil.copytree(ROOT / "dags", bundle := tmp_path / "dags")
    with (bundle / "endpoints/loan-scoring.yaml").open("a") as file:
        file.write("emit: {asset: true}\n")
    home = Path(airflow.environment["MONITOR_TASKS_HOME"])
    (home / "ground-truth").rename(home / "later")
    for window in WINDOWS:
        judged = CliRunner().invoke(app, ["run", str(YAML), "--window", window], env={"MONITOR_TASKS_HOME": str(home)})
        assert judged.exit_code in (1, 3), judged.output
    (home / "later").rename(home / "ground-truth")
    airflow.run("dags", "reserialize")
    told = in_airflow(TEST.format(folder=str(bundle)), AIRFLOW__CORE__DAGS_FOLDER=str(bundle))
    assert (told["errors"], told["arrows"], told["runs"], told["catchup"]) == ([], BOXES, 1, False)
    assert told["states"] == [
        {**dict.fromkeys(BOXES, "success"), "trigger_retraining": "skipped"},
        {**dict.fromkeys(BOXES, "skipped"), "settle_labels": "success"},
    ]
    root = home / "artifacts/loan-scoring"
    labels = json.loads((root / "labelled/2026/01/01/01/labels.json").read_bytes())
    assert labels["matched"] > 0.8 * labels["predictions"] > 0
    revisions = {
        one: len([*(root / one / "2026/01/01/01/revisions/log").iterdir()])
        for one in ("captured", "labelled", "data_quality", "model_quality", "bias", "attribution", "verdict")
    }
    again = dict.fromkeys(("labelled", "model_quality", "bias", "verdict"), 2)
    assert [(asset, one["window"]) for asset, one in told["told"]] == [
        ("monitor__loan-scoring", one) for one in WINDOWS
    ]
    newest = (root / "verdict/2026/01/01/01/revisions/log").iterdir()
    assert told["told"][0][1]["key"] == f"loan-scoring/{WINDOWS[0]}/{max(newest).read_text()}"
    assert revisions == {**dict.fromkeys(revisions, 1), **again}


ASSETS = """
import json, sys
sys.path.append({folder!r})
from airflow.dag_processing.dagbag import DagBag
bag = DagBag({folder!r})
print(json.dumps([list(bag.import_errors.values()), {{
    name: [one.name for one in dag.timetable.asset_condition.objects]
    + [type(dag.timetable.timetable).__name__]
    for name, dag in bag.dags.items() if getattr(dag.timetable, "asset_condition", None)
}}]))
"""


def test_an_asset_that_tells_of_labels_starts_the_dag_beside_its_schedule(
    in_airflow: Callable[..., Any], tmp_path: Path
) -> None:
    shutil.copytree(ROOT / "dags", tmp_path / "dags")
    path = tmp_path / "dags/endpoints/loan-scoring.yaml"
    known = path.read_text()
    path.write_text(known.replace("ground_truth:\n", "ground_truth:\n  asset: loan-labels\n"))
    (tmp_path / "dags/endpoints/other.yaml").write_text(known.replace("loan-scoring", "other"))
    errors, found = in_airflow(ASSETS.format(folder=str(tmp_path / "dags")))
    assert errors == []
    assert found == {"labels__loan-scoring": ["loan-labels", "CronDataIntervalTimetable"]}


def test_the_ascii_graph_names_every_box() -> None:
    graph = (ROOT / "dags" / "restate_labels.py").read_text().split('"""')[1]
    assert [box for box in BOXES if box not in graph] == []
