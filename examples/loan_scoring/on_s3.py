"""The simulated endpoint with all its addresses in a bucket: its files, its YAML, and its training function."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pandas as pd

from examples.loan_scoring import model
from examples.loan_scoring.retrain import DRIFT, _labelled

CONNECTION, BUCKET = "monitor_s3", "monitoring"
HERE = Path(__file__).resolve().parent
ENDPOINT = HERE.parents[1] / "dags" / "endpoints" / "loan-scoring.yaml"
MOVED = ("root: ", "address: ", "card: ", "dataset: ", "suite: ")


def configuration(name: str, folder: str, monitors: Sequence[str] = ()) -> str:
    """The demo's YAML under another name, its addresses in the bucket; with `monitors` only those watch it."""
    lines = ENDPOINT.read_text().splitlines()
    for number, line in enumerate(lines):
        key, value = line[: len(line) - len(line.lstrip())], line.lstrip()
        for start in MOVED:
            if value.startswith(start):
                below = f"{folder}/{name}" if start == "root: " else folder
                lines[number] = f"{key}{start}s3://{BUCKET}/{below}/{value.removeprefix(start)}"
    text = "\n".join([*lines, f"aws_conn_id: {CONNECTION}", ""])
    text = text.replace("endpoint_name: loan-scoring", f"endpoint_name: {name}")
    text = text.replace("examples.loan_scoring.retrain:", f"{__name__}:")
    return _only(text, monitors) if monitors else text


def _only(text: str, monitors: Sequence[str]) -> str:
    """The YAML with some of its monitors."""
    import yaml

    known: dict[str, Any] = yaml.safe_load(text)
    known["monitors"] = {name: known["monitors"][name] for name in monitors}
    return yaml.safe_dump(known, sort_keys=False)


def client(credentials: Mapping[str, str]) -> Any:
    """Who asks the S3 server itself."""
    import boto3

    return boto3.client(
        "s3",
        endpoint_url=credentials["aws_endpoint"],
        region_name=credentials["aws_region"],
        aws_access_key_id=credentials["aws_access_key_id"],
        aws_secret_access_key=credentials["aws_secret_access_key"],
    )


def upload(store: Any, simulated: Path, folder: str) -> None:
    """Puts what was simulated into the bucket, and the user's own expectations beside it."""
    files = {path.relative_to(simulated): path for path in simulated.rglob("*") if path.is_file()}
    for name, path in {**files, Path("suite.json"): HERE / "suite.json"}.items():
        store.upload_file(str(path), BUCKET, f"{folder}/{name.as_posix()}")


def train(evidence: Mapping[str, Any]) -> dict[str, Any]:
    """Fits the scoring model on the drifted windows in the bucket; the new model's card.

    `evidence` names the episode's labelled windows with what was violated in them, and the folder for the output.
    """
    from airflow.providers.amazon.aws.hooks.s3 import S3Hook

    hook = S3Hook(CONNECTION)
    drifted = [one for one in evidence["windows"] if any(DRIFT in violation for violation in one["violations"])]
    with TemporaryDirectory() as folder:
        tables = [
            _labelled(hook.download_file(*hook.parse_s3_url(one["address"])[::-1], local_path=folder))
            for one in drifted
        ]
        card = model.save(model.train(pd.concat(tables, ignore_index=True)), Path(folder))
        address = f"{evidence['output']}/model.joblib"
        hook.load_file(f"{folder}/model.joblib", address, replace=True)
    version = str(int(evidence["model"]["version"]) + 1)
    return {**card, "version": version, "address": address, "windows": [one["window"] for one in drifted]}
