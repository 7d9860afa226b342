"""The DAG that keeps the index: run with ``dag.test`` beside an endpoint whose store does not answer."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from typer.testing import CliRunner

from examples.airflow_processes import LocalAirflow
from monitor_tasks.cli import app

ROOT = Path(__file__).resolve().parents[2]
YAML = ROOT / "dags/endpoints/loan-scoring.yaml"
TEST = f"""
import json, sys
sys.path.append({str(ROOT / "dags")!r})
from airflow.dag_processing.dagbag import DagBag
bag = DagBag({str(ROOT / "dags")!r})
dag = bag.dags["index_windows"]
sys.path.insert(0, {str(ROOT / "dags")!r})
import index_windows
good = next(iter(index_windows.load_endpoints(index_windows.ENDPOINTS).values()))
bad = good.model_copy(update={{"root": "s3://nobody/has/this", "aws_conn_id": "no_such_connection"}})
told = [index_windows.compacted(one) for one in (bad, good)]
state = str(dag.test().state)
print(json.dumps({{"errors": list(bag.import_errors.values()), "state": state, "told": told,
    "runs": dag.max_active_runs, "catchup": dag.catchup, "boxes": [one.task_id for one in dag.tasks]}}))
"""


def test_the_index_is_written_off_the_way_of_any_window(in_airflow: Callable[..., Any], airflow: LocalAirflow) -> None:
    home = Path(airflow.environment["MONITOR_TASKS_HOME"])
    asked = ["run", str(YAML), "--window", "2026-01-01T02:00:00Z/PT1H"]
    assert CliRunner().invoke(app, asked, env={"MONITOR_TASKS_HOME": str(home)}).exit_code != 2
    airflow.run("dags", "reserialize")
    told = in_airflow(TEST)
    assert (told["errors"], told["runs"], told["catchup"], told["boxes"]) == ([], 1, False, ["compact_days"])
    assert told["state"] == "success"
    assert told["told"][0].startswith("loan-scoring: ")
    assert told["told"][1] == ""
    (shard,) = (home / "artifacts/loan-scoring/index/days").glob("2026-01-01.*.jsonl")
    windows = json.loads(shard.read_bytes().splitlines()[0])["windows"]
    assert "2026-01-01T02:00:00Z/PT1H" in [one["text"] for one in windows]
    assert not [*(home / "artifacts/loan-scoring/index/changed").iterdir()]
