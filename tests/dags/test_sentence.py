"""The DAG says the sentence: its boxes, its arrows, its form, and what it costs to read it."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
HEAVY = ("pandas", "scipy", "sklearn", "great_expectations", "shap", "pyarrow", "duckdb", "airflow.api_fastapi")

READ = """
import json, sys
from airflow.dag_processing.dagbag import DagBag
sys.path.append({folder!r})  # as every bundle's folder is
bag = DagBag({folder!r})
print(json.dumps({{
    "errors": list(bag.import_errors.values()),
    "dags": {{dag.dag_id: {{
        "arrows": {{one.task_id: sorted(one.downstream_task_ids) for one in dag.tasks}},
        "params": {{name: dag.params.get_param(name).schema for name in dag.params}},
        "copied": [one.task_id for one in dag.tasks if one.params],
        "timetable": type(dag.timetable).__name__,
        "catchup": dag.catchup, "max_active_runs": dag.max_active_runs, "tags": sorted(dag.tags), "doc": dag.doc_md,
    }} for dag in bag.dags.values()}},
}}))
"""

MONITORS = ["check_attribution", "check_bias", "measure_quality", "validate_data"]
SENTENCE = {
    "ingest_capture": ["check_attribution", "merge_labels", "suggest_baseline", "validate_data"],
    "suggest_baseline": MONITORS,
    "merge_labels": ["check_bias", "measure_quality"],
    **{monitor: ["choose_action"] for monitor in MONITORS},
    "choose_action": ["alert", "rest", "trigger_retraining"],
    "trigger_retraining": [],
    "alert": [],
    "rest": [],
}


def test_the_dag_has_the_boxes_and_arrows_of_the_sentence(in_airflow: Callable[..., Any]) -> None:
    found = in_airflow(READ.format(folder=str(ROOT / "dags")))
    assert found["errors"] == []
    dag = found["dags"]["monitor__loan-scoring"]
    assert dag["arrows"] == SENTENCE
    assert found["dags"]["retrain_model"]["arrows"] == {
        "check_evidence": ["approve"],
        "approve": ["train"],
        "train": ["compare"],
        "compare": ["promote"],
        "promote": [],
    }
    assert dag["timetable"] == "CronDataIntervalTimetable"
    assert (dag["catchup"], dag["max_active_runs"]) == (False, 8)
    assert sorted(dag["params"]) == ["allow_retraining", "baseline_id", "monitors", "window"]
    assert dag["copied"] == found["dags"]["labels__loan-scoring"]["copied"] == []  # or reading a DAG costs five times
    assert dag["params"]["monitors"]["items"]["enum"] == ["data_quality", "model_quality", "bias", "attribution"]


def test_the_ascii_graph_names_every_box() -> None:
    graph = (ROOT / "dags" / "monitor_endpoints.py").read_text().split('"""')[1]
    assert [box for box in SENTENCE if box not in graph] == []


def test_a_broken_file_costs_only_its_own_dag(in_airflow: Callable[..., Any], tmp_path: Path) -> None:
    shutil.copytree(ROOT / "dags", tmp_path / "dags")
    good = (ROOT / "dags" / "endpoints" / "loan-scoring.yaml").read_text()
    (tmp_path / "dags" / "endpoints" / "typo.yaml").write_text(good.replace("dataset:", "dataset_address:"))
    (tmp_path / "dags" / "endpoints" / "twin.yaml").write_text(good)
    found = in_airflow(READ.format(folder=str(tmp_path / "dags")))
    assert found["errors"] == []
    assert found["dags"]["monitor__loan-scoring"]["arrows"] == SENTENCE
    broken = found["dags"]["monitor__typo"]
    assert "broken-configuration" in broken["tags"]
    line = good.splitlines().index("  dataset: reference_labelled.csv") + 1
    assert f"typo.yaml:{line}: baseline.dataset_address: unknown key; did you mean dataset" in broken["doc"]
    assert "loan-scoring is taken by" in found["dags"]["monitor__twin"]["doc"]


def test_a_monitor_that_is_not_configured_has_no_box(in_airflow: Callable[..., Any], tmp_path: Path) -> None:
    shutil.copytree(ROOT / "dags", tmp_path / "dags")
    path = tmp_path / "dags" / "endpoints" / "loan-scoring.yaml"
    head, _, tail = path.read_text().partition("  model_quality:")
    path.write_text(head + tail[tail.index("retraining:") :])
    dag = in_airflow(READ.format(folder=str(tmp_path / "dags")))["dags"]["monitor__loan-scoring"]
    assert dag["arrows"] == {
        "ingest_capture": ["suggest_baseline", "validate_data"],
        "suggest_baseline": ["validate_data"],
        "validate_data": ["choose_action"],
        "choose_action": SENTENCE["choose_action"],
        **{box: [] for box in ("trigger_retraining", "alert", "rest")},
    }


def test_a_changed_configuration_changes_the_serialized_dag(in_airflow: Callable[..., Any], tmp_path: Path) -> None:
    shutil.copytree(ROOT / "dags", tmp_path / "dags")
    before = in_airflow(READ.format(folder=str(tmp_path / "dags")))["dags"]["monitor__loan-scoring"]["doc"]
    path = tmp_path / "dags" / "endpoints" / "loan-scoring.yaml"
    path.write_text(path.read_text().replace("minimum_rows: 100", "minimum_rows: 101"))
    after = in_airflow(READ.format(folder=str(tmp_path / "dags")))["dags"]["monitor__loan-scoring"]["doc"]
    assert before != after


def test_only_the_dag_that_is_asked_for_is_built(in_airflow: Callable[..., Any]) -> None:
    code = f"""
import json, sys
sys.path.insert(0, {str(ROOT / "dags")!r})
import monitor_endpoints
print(json.dumps([name for name in vars(monitor_endpoints) if name.startswith("monitor__")]))
"""
    assert in_airflow(code) == ["monitor__loan-scoring"]
    assert in_airflow(code, AIRFLOW_PARSING_CONTEXT_DAG_ID="monitor__other", **PARSING) == []


PARSING = {"_AIRFLOW_PARSING_CONTEXT_DAG_ID": "monitor__other", "_AIRFLOW_PARSING_CONTEXT_TASK_ID": "x"}


def test_nothing_heavy_is_imported_when_a_dag_is_parsed(in_airflow: Callable[..., Any]) -> None:
    code = f"""
import json, sys
import airflow.sdk, airflow.providers.standard.operators.trigger_dagrun, airflow.providers.standard.operators.empty
before = set(sys.modules)
sys.path.insert(0, {str(ROOT / "dags")!r})
import monitor_endpoints, retrain_model, monitor_tasks.tasks, monitor_tasks.site
print(json.dumps(sorted(set(sys.modules) - before)))
"""
    loaded = in_airflow(code)
    assert "monitor_tasks.tasks" in loaded
    assert [name for name in loaded if name.split(".")[0] in HEAVY or name in HEAVY] == []


def test_the_tasks_alone_import_nothing_heavy(in_airflow: Callable[..., Any]) -> None:
    code = "import json, sys; import monitor_tasks.tasks, monitor_tasks.site; print(json.dumps(sorted(sys.modules)))"
    assert [name for name in in_airflow(code) if name.split(".")[0] in (*HEAVY, "airflow", "numpy")] == []


def test_the_trigger_form_takes_ids_and_windows_only(in_airflow: Callable[..., Any]) -> None:
    poisons = json.dumps(["{{ 1 }}", "../x", "2026-01-01T00:00:00Z/PT1H; rm", "2026-01-01T00:00:00Z/PT1H\n", "a\0"])
    code = f"""
import json, sys
sys.path.insert(0, {str(ROOT / "dags")!r})
from airflow.sdk.exceptions import AirflowException
from airflow.sdk.definitions.param import ParamsDict
import monitor_endpoints, retrain_model
taken = []
for dag in (vars(monitor_endpoints)["monitor__loan-scoring"], retrain_model.dag):
    for name in ("window", "baseline_id", "endpoint", "episode"):
        for poison in {poisons}:
            if name in dag.params:
                try:
                    dag.params.get_param(name).resolve(poison)
                    taken.append([dag.dag_id, name, poison])
                except Exception as error:
                    if "Invalid input" not in str(error) and "does not match" not in str(error): raise
print(json.dumps(taken))
"""
    assert in_airflow(code) == []


def test_copies_of_the_dag_files_share_the_endpoints(in_airflow: Callable[..., Any], tmp_path: Path) -> None:
    shutil.copytree(ROOT / "dags", tmp_path / "dags")
    text = (ROOT / "dags" / "endpoints" / "loan-scoring.yaml").read_text()
    names = ["loan-scoring", *(f"loan-{number}" for number in range(5))]
    for name in names[1:]:
        (tmp_path / "dags" / "endpoints" / f"{name}.yaml").write_text(text.replace(": loan-scoring", f": {name}", 1))
    for kind in ("monitor_endpoints", "restate_labels"):
        (tmp_path / "dags" / f"{kind}_2.py").symlink_to(f"{kind}.py")
    code = READ.replace('"arrows"', '"file": dag.fileloc, "arrows"')
    found = in_airflow(code.format(folder=str(tmp_path / "dags")))
    assert found["errors"] == []
    for kind, file in (("monitor", "monitor_endpoints"), ("labels", "restate_labels")):
        places = {Path(found["dags"][f"{kind}__{name}"]["file"]).name for name in names}
        assert places == {f"{file}.py", f"{file}_2.py"}


def test_a_tasks_pool_is_the_endpoints(in_airflow: Callable[..., Any], tmp_path: Path) -> None:
    shutil.copytree(ROOT / "dags", tmp_path / "dags")
    path = tmp_path / "dags" / "endpoints" / "loan-scoring.yaml"
    path.write_text(path.read_text() + "pool: risk\n")
    code = READ.replace('"arrows"', '"pools": sorted({{one.pool for one in dag.tasks}}), "arrows"')
    found = in_airflow(code.format(folder=str(tmp_path / "dags")))["dags"]
    pools = {name: found[name]["pools"] for name in ("monitor__loan-scoring", "labels__loan-scoring")}
    assert pools == {"monitor__loan-scoring": ["risk"], "labels__loan-scoring": ["risk"]}
