import http.client
import json
from contextlib import closing
from io import StringIO
from pathlib import Path

import joblib
import pandas as pd
import pytest

from examples.loan_scoring import model
from examples.loan_scoring.simulate import train
from examples.loan_scoring.traffic import ENDPOINT
from examples.loan_scoring.world import FEATURES
from examples.serve import APPLICANT, known_model, service
from monitor_tasks.capture import CaptureWriter, DataCaptureConfig
from tests.capture.servers import post, served

CELLS = dict(zip(FEATURES, APPLICANT.split(","), strict=True))


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a model in it."""
    folder = tmp_path_factory.mktemp("home")
    model.save(train(seed=7), folder / "model")
    return folder


def test_the_served_model_scores_and_its_calls_are_captured(home: Path, tmp_path: Path) -> None:
    pipeline = known_model(home)
    config = DataCaptureConfig(endpoint_name=ENDPOINT, destination=str(tmp_path), initial_sampling_percentage=100)
    writer = CaptureWriter(config)
    applicant = pd.read_csv(StringIO(APPLICANT), names=list(FEATURES))
    expected = float(model.predict_proba(pipeline, applicant)[0])
    with served(service(pipeline, writer)) as port, closing(http.client.HTTPConnection("127.0.0.1", port)) as client:
        as_csv = post(client, "/invocations", APPLICANT.encode(), content_type="text/csv")
        as_json = post(client, "/invocations", json.dumps(CELLS).encode(), content_type="application/json")
        short = post(client, "/invocations", b"1,2", content_type="text/csv")
        unread = post(client, "/invocations", b"[]", content_type="application/json")
    assert as_csv == (200, str(expected).encode())
    assert (as_json[0], json.loads(as_json[1])) == (200, {"probability": expected})
    assert (short[0], unread[0]) == (400, 400)
    assert (writer.counts.sampled, writer.counts.captured) == (4, 4)
    lines = [json.loads(line) for path in tmp_path.rglob("*.jsonl") for line in path.read_text().splitlines()]
    sides = [one["captureData"] for one in lines]
    assert [side.get("endpointOutput", {}).get("data") for side in sides] == [
        str(expected),
        as_json[1].decode(),
        None,
        None,
    ]
    assert [side["endpointInput"]["data"] for side in sides] == [APPLICANT, json.dumps(CELLS), "1,2", "[]"]


def test_a_home_without_a_model_gets_one(tmp_path: Path, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("examples.serve.train", lambda seed: joblib.load(home / "model/model.joblib"))
    known_model(tmp_path)
    assert json.loads((tmp_path / "model/model.json").read_text())["name"] == ENDPOINT
