"""A real Airflow whose task, worker and scheduler are killed: the window ends like one to which nothing happened."""

import json
import os
import shutil
import sys
import time
from pathlib import Path
from typing import Any

import boto3
import psutil
import pytest

from examples.airflow_processes import LocalAirflow, free_port
from monitor_tasks.endpoint import Endpoint
from monitor_tasks.io.store import Store
from monitor_tasks.site import Site, load_endpoint
from tests import whole
from tests.io.faulty import FaultyProxy
from tests.io.torn import torn

ROOT = Path(__file__).resolve().parents[2]
DAG, RETRAINING = "monitor__tiny", "retrain_model"
TASK_DIES, WORKER_DIES = 25, 120
"""At these requests to the store the process that asks is killed; the second time its worker with it."""
PATIENCE = 420.0

pytestmark = pytest.mark.long


def keys(endpoint: str) -> dict[str, str]:
    return {
        "aws_access_key_id": "key",
        "aws_secret_access_key": "secret",
        "aws_region": "us-east-1",
        "aws_endpoint": endpoint,
    }


def asker(port: int) -> psutil.Process:
    """The process that asks the store by a connection."""
    found = [one.pid for one in psutil.net_connections("tcp") if one.laddr and one.laddr.port == port and one.pid]
    return psutil.Process(next(pid for pid in found if pid != os.getpid()))


class Killer:
    """Kills whoever asks at certain requests."""

    def __init__(self, proxy: FaultyProxy) -> None:
        self.proxy, self.killed = proxy, list[str]()

    def __call__(self, number: int) -> None:
        if number in (TASK_DIES, WORKER_DIES):
            task = asker(self.proxy.asked[-1].port)
            parent = task.parent()
            task.kill()
            if number == WORKER_DIES and parent is not None:
                parent.kill()
            self.killed.append("task" if number == TASK_DIES else "worker")


def endpoint(bucket: str, folder: str) -> str:
    """The tiny endpoint in a bucket; nobody is told of it."""
    text = whole.YAML.format(root=f"s3://{bucket}/{folder}/").partition("alerts:")[0]
    return f"{text}aws_conn_id: store\n"


def laid(store: Store) -> None:
    for name, content in whole.laid_out(1, {0: 30.0}).items():
        store.put(name, content)


def tree(store: Store) -> dict[str, bytes]:
    return {entry.key: store.get(entry.key) for entry in store.entries("artifacts")}


def watched(bucket: str, folder: str) -> Endpoint:
    return load_endpoint("tiny.yaml", endpoint(bucket, folder))


def unharmed(bucket: str, moto: str) -> dict[str, bytes]:
    """What the same hour ends in without any Airflow; its folder, a part of the configuration's hash, is another."""
    store = Store(f"s3://{bucket}/calm", keys(moto))
    laid(store)
    for verb in whole.verbs(Site(watched(bucket, "calm"), keys(moto)), whole.hour(0)).values():
        verb()
    calm, rough = (watched(bucket, one).config_hash.encode() for one in ("calm", "rough"))
    return {key: content.replace(calm, rough) for key, content in tree(store).items()}


def wait_for(airflow: LocalAirflow, run: str, is_over: Any) -> dict[str, Any]:
    """The run's tasks once something is so of them."""
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        airflow.check()
        found = airflow.get(f"/dags/{DAG}/dagRuns/{run}/taskInstances")["task_instances"]
        tasks = {one["task_id"]: one for one in found}
        if is_over(tasks):
            return tasks
        time.sleep(0.3)
    raise AssertionError({name: one["state"] for name, one in tasks.items()})


def test_a_window_survives_its_task_its_worker_and_its_scheduler(
    tmp_path: Path, moto: str, capsys: pytest.CaptureFixture[str]
) -> None:
    boto3.client("s3", endpoint_url=moto, aws_access_key_id="key", aws_secret_access_key="secret",
                 region_name="us-east-1").create_bucket(Bucket="tiny")  # fmt: skip
    rough = Store("s3://tiny/rough", keys(moto))
    laid(rough)
    bundle = tmp_path / "dags"
    shutil.copytree(ROOT / "dags", bundle, ignore=shutil.ignore_patterns("*.yaml", "__pycache__"))
    (bundle / "endpoints").mkdir(exist_ok=True)
    (bundle / "endpoints/tiny.yaml").write_text(endpoint("tiny", "rough"))
    for path in bundle.glob("*.py"):
        path.write_text(path.read_text().replace("timedelta(seconds=30)", "timedelta(seconds=1)"))
    with FaultyProxy(moto) as proxy:
        proxy.heard = killer = Killer(proxy)
        connection = {"conn_type": "aws", "login": "key", "password": "secret",
                      "extra": {"endpoint_url": proxy.address, "region_name": "us-east-1"}}  # fmt: skip
        settings = {
            "PYTHONPATH": os.pathsep.join(str(ROOT / one) for one in ("src", ".", "config")),
            "AIRFLOW__CORE__DAGS_FOLDER": str(bundle),
            "AIRFLOW_CONN_STORE": json.dumps(connection),
            "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_SEC": "2",
            "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT": "20",
            "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT_DETECTION_INTERVAL": "2",
        }
        with LocalAirflow(tmp_path / "home", free_port(), settings) as airflow:
            airflow.run("db", "migrate")
            airflow.run("dags", "reserialize")
            airflow.start("api-server", "scheduler", "dag-processor")
            airflow.wait_until_up()
            airflow.patch(f"/dags/{RETRAINING}", {"is_paused": True})
            conf = {"window": str(whole.hour(0))}
            run = airflow.post(f"/dags/{DAG}/dagRuns", {"logical_date": None, "conf": conf})["dag_run_id"]
            wait_for(airflow, run, lambda tasks: tasks["suggest_baseline"]["state"] == "success")
            airflow.kill("scheduler")
            time.sleep(1)
            airflow.start("scheduler")
            tasks = wait_for(airflow, run, lambda _: airflow.states(DAG)[run] in ("success", "failed"))
            states = {name: (one["state"], one["try_number"]) for name, one in tasks.items()}
            assert airflow.states(DAG)[run] == "success", states
            assert airflow.states(RETRAINING) == {"retrain__tiny__000001": "queued"}
    again = [name for name, (_, tries) in states.items() if tries > 1]
    assert torn(Store("s3://tiny/rough/artifacts", keys(moto))) == []
    found, expected = tree(rough), unharmed("tiny", moto)
    different = [key for key in found.keys() | expected.keys() if found.get(key) != expected.get(key)]
    with capsys.disabled():
        told = ", ".join([*killer.killed, "scheduler"])
        sys.stdout.write(f"\n3 injected ({told}), 3 survived, {len(different)} lost; tried again: {again}\n")
    assert (killer.killed, different) == (["task", "worker"], [])
    assert len(again) >= 2, states
