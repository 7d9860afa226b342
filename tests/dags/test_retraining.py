"""The retraining DAG: its gates as boxes, SageMaker's jobs and pipelines on moto's server, and what it refuses."""

import io
import json
import shutil
import tarfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import boto3
import pandas as pd
import pytest
import skops.io
from sklearn.compose import ColumnTransformer
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import OrdinalEncoder
from sklearn.tree import DecisionTreeClassifier

from tests.moto_server import forget
from tests.retraining_story import ENDPOINT, EPISODE, HOURS, judge, site, write

ROOT = Path(__file__).resolve().parents[2]
BUCKET = "monitored"
ASKED = {"endpoint": "tiny", "episode": EPISODE, "window": str(HOURS[2])}
KEYS = {"aws_access_key_id": "a", "aws_secret_access_key": "b", "region_name": "eu-central-1"}
ALL = dict.fromkeys(("check_evidence", "approve", "train", "compare", "promote"), "success")
JOB = """
  training_job:
    model_file: model.skops
    request:
      AlgorithmSpecification: {TrainingImage: 1234.dkr.ecr.eu-central-1.amazonaws.com/train, TrainingInputMode: File}
      RoleArn: arn:aws:iam::123456789012:role/train
      ResourceConfig: {InstanceType: ml.m5.large, InstanceCount: 1, VolumeSizeInGB: 10}
      StoppingCondition: {MaxRuntimeInSeconds: 600}
"""
PIPELINE = """
  pipeline: {name: train-tiny, parameters: {Rows: "{rows}", Output: "{output}"}}
"""
RUN = """
import json, sys
sys.path.append({folder!r})
import retrain_model
from airflow.models.taskinstance import TaskInstance
from airflow.utils.session import create_session
dag = retrain_model.dag
for one in dag.tasks:
    one.retries = 0
    if hasattr(one, "check_interval"):
        one.check_interval = 0
run = dag.test(run_conf={asked!r})
with create_session() as session:
    found = session.query(TaskInstance).filter_by(run_id=run.run_id).all()
    print(json.dumps({{one.task_id: str(one.state) for one in found}}))
"""


@pytest.fixture(scope="module")
def handed_over(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small endpoint whose third hour was handed over to retraining."""
    home = write(tmp_path_factory.mktemp("story") / "home", range(3))
    assert [judge(site(home), window).action for window in HOURS[:3]] == ["rest", "rest", "retrain"]
    return home


class Cloud:
    """moto's server with a bucket that holds what was handed over."""

    def __init__(self, address: str, home: Path) -> None:
        self.address = address
        self.s3, self.sagemaker = (boto3.client(one, endpoint_url=self.address, **KEYS) for one in ("s3", "sagemaker"))
        self.s3.create_bucket(Bucket=BUCKET, CreateBucketConfiguration={"LocationConstraint": KEYS["region_name"]})
        for path in (home / "artifacts").rglob("*"):
            if path.is_file():
                self.put(f"artifacts/{path.relative_to(home / 'artifacts')}", path.read_bytes())

    def put(self, key: str, content: bytes) -> None:
        self.s3.put_object(Bucket=BUCKET, Key=key, Body=content)

    def records(self) -> list[dict[str, Any]]:
        """What became of each gate."""
        found = self.s3.list_objects_v2(Bucket=BUCKET, Prefix=f"artifacts/tiny/episodes/{EPISODE}/retraining/")
        return [json.loads(self.read(one["Key"])) for one in found["Contents"]]

    def read(self, key: str) -> bytes:
        content: bytes = self.s3.get_object(Bucket=BUCKET, Key=key)["Body"].read()
        return content

    def connection(self) -> str:
        told = {"endpoint_url": self.address, "region_name": KEYS["region_name"]}
        return json.dumps({"conn_type": "aws", "login": "a", "password": "b", "extra": told})


@pytest.fixture
def cloud(moto: str, handed_over: Path) -> Iterator[Cloud]:
    yield Cloud(moto, handed_over)
    forget(moto)


@pytest.fixture
def retrained(
    in_airflow: Callable[..., Any], airflow: Any, cloud: Cloud, handed_over: Path, tmp_path: Path
) -> Callable[[str], dict[str, str]]:
    """The states of the boxes after a run of the DAG in which the endpoint trains as a section says."""

    def run(section: str) -> dict[str, str]:
        shutil.copytree(ROOT / "dags", (bundle := tmp_path / "bundle"))
        text = ENDPOINT.replace("root: artifacts", f"root: s3://{BUCKET}/artifacts\naws_conn_id: cloud")
        (bundle / "endpoints/tiny.yaml").write_text(text[: text.index("retraining:")] + f"retraining:{section}")
        airflow.run("dags", "reserialize")
        found: dict[str, str] = in_airflow(
            RUN.format(folder=str(bundle), asked=ASKED),
            AIRFLOW_CONN_CLOUD=cloud.connection(),
            AIRFLOW__CORE__DAGS_FOLDER=str(bundle),
            MONITOR_TASKS_HOME=str(handed_over),
        )
        return found

    return run


def challenger() -> bytes:
    """A model file that has learned what turned round."""
    rows = pd.DataFrame([(amount, region) for amount in range(20, 80) for region in "ab"], columns=["amount", "region"])
    columns = ColumnTransformer([("amount", "passthrough", ["amount"]), ("region", OrdinalEncoder(), ["region"])])
    steps = [("columns", columns), ("tree", DecisionTreeClassifier(max_depth=4, random_state=0))]
    return skops.io.dumps(Pipeline(steps).fit(rows, ((rows["amount"] >= 50) ^ (rows["region"] == "a")).astype(int)))


def archived(name: str, content: bytes) -> bytes:
    held = io.BytesIO()
    with tarfile.open(fileobj=held, mode="w:gz") as archive:
        about = tarfile.TarInfo(name)
        about.size = len(content)
        archive.addfile(about, io.BytesIO(content))
    return held.getvalue()


@pytest.mark.long
def test_a_training_job_makes_the_new_champion(retrained: Callable[[str], dict[str, str]], cloud: Cloud) -> None:
    folder = f"artifacts/tiny/models/{EPISODE}"
    cloud.put(f"{folder}/tiny-{EPISODE}/output/model.tar.gz", archived("model.skops", challenger()))
    states = retrained(JOB)
    assert states == dict.fromkeys(
        ("check_evidence", "approve", "train", "training_job", "compare", "promote"), "success"
    )
    job = cloud.sagemaker.describe_training_job(TrainingJobName=f"tiny-{EPISODE}")
    assert job["InputDataConfig"][0]["DataSource"]["S3DataSource"]["S3Uri"] == f"s3://{BUCKET}/{folder}/learned/"
    assert [(one["gate"], one["outcome"]) for one in cloud.records()] == [(gate, "passed") for gate in ALL]
    alias = json.loads(cloud.read("artifacts/tiny/models/champion.json"))
    assert alias["model"]["address"] == f"s3://{BUCKET}/{folder}/model.skops"


@pytest.mark.long
def test_a_pipeline_makes_the_new_champion(retrained: Callable[[str], dict[str, str]], cloud: Cloud) -> None:
    role = "arn:aws:iam::123456789012:role/train"
    cloud.sagemaker.create_pipeline(
        PipelineName="train-tiny", PipelineDefinition="{}", ClientRequestToken="t" * 32, RoleArn=role
    )
    card = {"address": "python://tests.trained:small_ones_default_in_a", "version": "9"}
    cloud.put(f"artifacts/tiny/models/{EPISODE}/model.json", json.dumps(card).encode())
    states = retrained(PIPELINE)
    assert states == {**ALL, "pipeline": "success"}
    (ran,) = cloud.sagemaker.list_pipeline_executions(PipelineName="train-tiny")["PipelineExecutionSummaries"]
    told = cloud.sagemaker.list_pipeline_parameters_for_execution(PipelineExecutionArn=ran["PipelineExecutionArn"])
    assert {one["Name"]: one["Value"] for one in told["PipelineParameters"]} == {
        "Rows": f"s3://{BUCKET}/artifacts/tiny/models/{EPISODE}/learned/",
        "Output": f"s3://{BUCKET}/artifacts/tiny/models/{EPISODE}",
    }
    assert json.loads(cloud.read("artifacts/tiny/models/champion.json"))["model"]["version"] == "9"


@pytest.mark.long
def test_a_pipeline_that_fails_leaves_the_champion_and_stands_in_the_record(
    retrained: Callable[[str], dict[str, str]], cloud: Cloud
) -> None:
    states = retrained(PIPELINE)  # there is no such pipeline
    assert (states["pipeline"], states["compare"], states["promote"]) == ("failed", *["upstream_failed"] * 2)
    last = cloud.records()[-1]
    assert (last["gate"], last["outcome"], last["by"]) == ("train", "failed", "pipeline")
    assert "StartPipelineExecution" in last["because"]


@pytest.mark.long
def test_too_little_evidence_skips_all_that_follows(retrained: Callable[[str], dict[str, str]], cloud: Cloud) -> None:
    states = retrained(' {train: "tests.trained:better", minimum_rows: 301}\n')
    assert states.pop("check_evidence") == "success"
    assert states == dict.fromkeys(("approve", "train", "compare", "promote"), "skipped")
    assert [(one["gate"], one["outcome"]) for one in cloud.records()] == [("check_evidence", "refused")]


NAUGHTY = """
import json, sys
sys.path.append({folder!r})
import monitor_endpoints, retrain_model
taken, tried = [], 0
for dag in (vars(monitor_endpoints)["monitor__loan-scoring"], retrain_model.dag):
    for text in json.load(open({strings!r}, encoding="utf-8")):
        for name in ("window", "baseline_id", "endpoint", "episode"):
            if name in dag.params:
                tried += 1
                try:
                    dag.params.get_param(name).resolve(text)
                    taken.append([dag.dag_id, name, text])
                except Exception as error:
                    if "Invalid input" not in str(error) and "does not match" not in str(error): raise
print(json.dumps([tried, taken]))
"""


def test_a_trigger_form_takes_no_naughty_string_but_a_name(
    in_airflow: Callable[..., Any], shared: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Words of letters and digits are names of endpoints like any other; nothing else passes, and none is an id."""
    strings = shared / "naughty-strings/blns.json"
    tried, taken = in_airflow(NAUGHTY.format(folder=str(ROOT / "dags"), strings=str(strings)))
    assert tried > 2000
    assert {name for _, name, _ in taken} == {"endpoint"}
    assert all(text.isascii() and text.replace("-", "").replace("_", "").isalnum() for _, _, text in taken)
    with capsys.disabled():
        print(f"\n{tried} injected, {tried - len(taken)} refused, {len(taken)} are names")  # noqa: T201
