"""Whoever read SageMaker's files reads ours: with the SageMaker SDK's own classes, in an environment of their own."""

import json
from pathlib import Path

import boto3
import pytest

from benchmarks.environments import SAGEMAKER_SDK
from benchmarks.measure import NotMeasured
from monitor_tasks.baseline import Metric
from monitor_tasks.configuration import read_yaml
from monitor_tasks.judging import check, read_baseline, suggest
from monitor_tasks.monitors.settings import MONITORS
from monitor_tasks.sagemaker.attribution import analysis_json
from monitor_tasks.sagemaker.constraints_reading import read_constraints
from monitor_tasks.tables.files import read_table
from tests.moto_server import moto_server

SHAP = [
    Metric(name="mean_abs_shap", subject="age", value=0.12, n=9, details={"label": "label0"}),
    Metric(name="mean_abs_shap", subject="income", value=0.3, n=9, details={"label": "label0"}),
    Metric(name="expected_value", subject="label0", value=0.25, n=9),
]


def written(folder: Path, small: Path) -> None:
    """Our files of a checked table, as they lie in a window's folder."""
    names = ("reference.csv", "new_relation.csv")
    reference, window = (read_table((small / name).read_bytes(), name) for name in names)
    for name in ("data_quality", "model_quality", "bias"):
        path = small / f"{name}.yaml"
        settings = read_yaml(MONITORS[name].settings, path.read_text() if path.exists() else "{}", name).value
        known = read_baseline("", name, settings, suggest(name, settings, reference).get)
        (folder / name).mkdir()
        for file, content in check(name, settings, window, known).artifacts.items():
            (folder / name / file).write_bytes(content)
    (folder / "attribution").mkdir()
    (folder / "attribution/analysis.json").write_bytes(analysis_json(SHAP, ["age", "income"]))


@pytest.mark.long
def test_the_sdk_reads_every_file_that_has_sagemakers_name(
    tmp_path: Path, repository: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    try:
        SAGEMAKER_SDK.said()
    except NotMeasured as why:
        pytest.skip(f"sagemaker: {why}")
    written(tmp_path, repository / "docs/examples")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "key")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    with moto_server() as address:
        monkeypatch.setenv("AWS_ENDPOINT_URL", address)
        s3 = boto3.client("s3", region_name="us-east-1")
        s3.create_bucket(Bucket="monitored")
        for path in tmp_path.rglob("*.json"):
            s3.upload_file(str(path), "monitored", str(path.relative_to(tmp_path)))
        found = json.loads(SAGEMAKER_SDK.said("s3://monitored", tmp_path))
        edited = s3.get_object(Bucket="monitored", Key="data_quality/edited.json")["Body"].read()
    for name in ("data_quality", "model_quality"):
        files = {kind: json.loads((tmp_path / name / file).read_bytes()) for kind, file in {
            "statistics": "statistics.json", "constraints": "constraints.json",
            "violations": "constraint_violations.json"}.items()}  # fmt: skip
        assert found[name] == files
    assert found["model_quality"]["violations"]["violations"]
    switched = {one.enabled for one in read_constraints(edited, "edited") if one.subject == "default"}
    assert switched == {False}
    assert "auc" in found["model_quality/statistics.json"]["binary_classification_metrics"]
    assert any("DPPL" in names for names in found["bias/analysis.json"].values())
    assert found["attribution/analysis.json"]
