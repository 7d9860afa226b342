"""What is past its time goes by a DAG of its own, where the YAML says a retention; run with ``dag.test``."""

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from examples.airflow_processes import LocalAirflow
from monitor_tasks.cli import app

ROOT = Path(__file__).resolve().parents[2]
PATHS = os.pathsep.join(map(str, (ROOT, ROOT / "src", ROOT / "config")))
TEST = """
import json, sys
from airflow.dag_processing.dagbag import DagBag
from airflow.models.taskinstance import TaskInstance
from airflow.utils.session import create_session
sys.path.append({folder!r})
bag = DagBag({folder!r})
run = bag.dags["clean__loan-scoring"].test(run_conf={{"dry_run": {dry}}})
with create_session() as session:
    states = [str(one.state) for one in session.query(TaskInstance).filter_by(run_id=run.run_id).all()]
print(json.dumps({{"errors": list(bag.import_errors.values()), "dags": sorted(bag.dags), "states": states}}))
"""


@pytest.fixture
def dags(tmp_path: Path) -> Path:
    """The DAG files, with a retention in the demo's YAML."""
    shutil.copytree(ROOT / "dags", tmp_path / "dags", ignore=shutil.ignore_patterns("__pycache__"))
    for other in ("index_windows.py", "monitor_endpoints.py", "restate_labels.py", "retrain_model.py"):
        (tmp_path / "dags" / other).unlink()
    with (tmp_path / "dags/endpoints/loan-scoring.yaml").open("a") as file:
        file.write("retention: {rows: P1D}\n")
    return tmp_path / "dags"


@pytest.mark.long
def test_the_rows_of_a_year_ago_go_and_a_dry_run_only_tells(
    in_airflow: Callable[..., Any], airflow: LocalAirflow, dags: Path
) -> None:
    home = Path(airflow.environment["MONITOR_TASKS_HOME"])
    yaml = ROOT / "dags/endpoints/loan-scoring.yaml"
    window = ["--window", "2026-01-01T00:00:00Z/PT1H"]
    done = CliRunner().invoke(app, ["run", str(yaml), *window], env={"MONITOR_TASKS_HOME": str(home)})
    assert done.exit_code != 2, done.output
    rows = home / "artifacts/loan-scoring/captured"
    settings = {"PYTHONPATH": PATHS, "AIRFLOW__CORE__DAGS_FOLDER": str(dags)}
    airflow.environment.update(settings)
    airflow.run("dags", "reserialize")
    for dry, left in ((True, 1), (False, 0), (False, 0)):
        told = in_airflow(TEST.format(folder=str(dags), dry=dry), **settings)
        assert told == {"errors": [], "dags": ["clean__loan-scoring"], "states": ["success"]}
        assert len([*rows.rglob("captured.parquet")]) == left
    (removed,) = rows.rglob("removed.json")
    assert json.loads(removed.read_bytes())["artifacts"]["captured.parquet"]["because"] == "retention.rows: P1D"
