"""Attribution from end to end: every kind of model by its address, and nothing that a file planted ever runs."""

import csv
import hashlib
import json
import os
import re
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
import skops.io
from sklearn.linear_model import LogisticRegression
from sklearn.neighbors import KNeighborsRegressor
from typer.testing import CliRunner

from monitor_tasks.cli import app
from monitor_tasks.endpoint import Endpoint
from monitor_tasks.explaining import Located, answered, explained, located
from monitor_tasks.io.models.files import READERS
from monitor_tasks.monitors.settings import AttributionSettings, PredictorSettings
from monitor_tasks.value import UserError
from tests.io.models.test_live import Endpoint as Answering
from tests.io.models.test_live import endpoint

__all__ = ["endpoint"]

NAMES = ("age", "income", "tenure")
TEACHER = np.random.default_rng(0)
FRAME = pd.DataFrame(TEACHER.normal(size=(240, 3)), columns=NAMES)
CLASSES = np.array(["low", "middle", "high"])[np.digitize(FRAME["income"] + 0.2 * FRAME["age"], [-0.5, 0.5])]
ROWS = pa.table({name: FRAME[name].to_numpy() for name in NAMES})


def told(*words: object) -> tuple[int, str]:
    result = CliRunner().invoke(app, [str(word) for word in words])
    return result.exit_code, " ".join((result.output + (str(result.exception) if result.exception else "")).split())


class Folder:
    """A table and a configuration, for the command line."""

    def __init__(self, path: Path) -> None:
        self.path = path
        FRAME.to_csv(path / "table.csv", index=False)

    def configured(self, **settings: Any) -> "Folder":
        (self.path / "config.yaml").write_text(json.dumps(settings))
        return self

    def stored(self, name: str, content: bytes) -> dict[str, Any]:
        (self.path / name).write_bytes(content)
        return {"address": str(self.path / name), "sha256": hashlib.sha256(content).hexdigest()}

    def suggest(self) -> tuple[int, str]:
        return told("suggest", self.path / "table.csv", "--monitor", "attribution",
                    "--config", self.path / "config.yaml", "--output", self.path / "base")  # fmt: skip

    def check(self, baseline: str = "base") -> tuple[int, str]:
        return told("check", self.path / "table.csv", "--monitor", "attribution", "--baseline", self.path / baseline,
                    "--config", self.path / "config.yaml", "--output", self.path / "run")  # fmt: skip

    def read(self, name: str) -> Any:
        text = (self.path / name).read_text()
        return json.loads(text) if name.endswith(".json") else text


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    return Folder(tmp_path)


def test_three_classes_are_explained_and_judged_label_by_label(folder: Folder) -> None:
    model = LogisticRegression().fit(FRAME, CLASSES)
    labels = ["high", "low", "middle"]
    folder.configured(
        model=folder.stored("model.skops", skops.io.dumps(model)), predictor={"label_headers": labels},
        save_local_shap_values=True, num_clusters=5,
    )  # fmt: skip
    assert folder.suggest()[0] == 0
    code, text = folder.check()
    assert code == 0, text
    analysis = folder.read("run/analysis.json")["explanations"]["kernel_shap"]
    assert list(analysis) == labels
    assert list(analysis["low"]["global_shap_values"]) == list(NAMES)
    background = list(csv.DictReader(folder.read("run/explanations_shap/baseline.csv").splitlines()))
    weights = json.loads(folder.read("base/profile.json")["background"])["weights"]
    mean = np.array(weights) @ pd.DataFrame(background).astype(float)[list(NAMES)].to_numpy()
    local = pd.read_csv(folder.path / "run/explanations_shap/out.csv")
    assert local.shape == (240, 9)
    for place, label in enumerate(labels):
        known = model.coef_[place] * (FRAME.to_numpy() - mean)
        assert analysis[label]["expected_value"] == pytest.approx(
            model.decision_function(pd.DataFrame([mean], columns=NAMES))[0, place]
        )
        for number, name in enumerate(NAMES):
            assert sorted(local[f"{name}_{label}"]) == pytest.approx(sorted(known[:, number]), abs=1e-9)
            found = analysis[label]["global_shap_values"][name]
            assert found == pytest.approx(np.abs(known[:, number]).mean(), abs=1e-9)
    report = folder.read("run/report.json")
    assert [one["constraint"]["subject"] for one in report["findings"]] == labels
    assert {one["metric"]["details"]["explainer"] for one in report["findings"]} == {"linear"}
    page = re.sub(r"<[^>]*>", " ", folder.read("run/report.html"))
    for words in ("explained by linear", "share of all attribution, low", "rank of the feature", "±"):
        assert words in page


def test_a_function_of_your_own_drifts_from_another_ones_baseline(folder: Folder) -> None:
    settings = {"baseline": [[0, 0, 0]], "predictor": {"label_headers": ["score"]}}
    folder.configured(**settings, model={"address": "python://tests.scoring:weigh", "features": NAMES})
    assert folder.suggest()[0] == 0
    folder.configured(**settings, model={"address": "python://tests.scoring:turn", "features": NAMES})
    code, text = folder.check()
    assert code == 1, text
    (finding,) = folder.read("run/report.json")["findings"]
    details = finding["metric"]["details"]
    assert (details["explainer"], details["scale"], details["evaluations"]) == ("permutation", "answer", 4 * 240)
    assert finding["metric"]["deviation"] is not None
    violation = folder.read("run/constraint_violations.json")["violations"][0]
    assert (violation["label"], violation["constraint_check_type"]) == ("score", "feature_attribution_drift_check")
    assert "permutation" in folder.read("run/report.html")
    first = (folder.path / "run/profile.json").read_bytes(), (folder.path / "run/report.html").read_bytes()
    folder.check()
    assert first == ((folder.path / "run/profile.json").read_bytes(), (folder.path / "run/report.html").read_bytes())


@pytest.mark.parametrize(
    ("values", "settings", "bound", "code"),
    [
        ((0.1, 0.9, 0.0), {}, 0.9, 0),
        ((0.1, 0.0, 0.9), {}, 0.9, 1),
        ((0.1, 0.0, 0.9), {"threshold": 0.3}, 0.3, 0),
    ],
)
def test_clarifys_analysis_alone_is_a_baseline(
    folder: Folder, values: tuple[float, ...], settings: dict[str, float], bound: float, code: int
) -> None:
    known = {"global_shap_values": dict(zip(NAMES, values, strict=True)), "expected_value": 0.25}
    analysis = {"version": "1.0", "explanations": {"kernel_shap": {"0.7956": known}}}
    (folder.path / "clarify").mkdir()
    (folder.path / "clarify/analysis.json").write_text(json.dumps(analysis))
    model = {"address": "python://tests.scoring:weigh", "features": NAMES}
    folder.configured(model=model, baseline=[[0, 0, 0]], **settings)
    assert folder.check("clarify")[0] == code
    (finding,) = folder.read("run/report.json")["findings"]
    assert (finding["constraint"]["subject"], finding["constraint"]["lower"]) == ("0.7956", bound)
    assert "Clarify's analysis.json" in finding["constraint"]["reason"]


class Planted:
    """A payload: whoever unpickles it creates a folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def __reduce__(self) -> object:
        return os.mkdir, (str(self.folder),)


def test_planted_payloads_run_no_time(folder: Folder) -> None:
    planted, bomb = folder.path / "planted", folder.path / "bomb.joblib"
    joblib.dump(Planted(planted), bomb)
    good = skops.io.dumps(KNeighborsRegressor().fit(FRAME, FRAME["age"]))
    swapped = {**folder.stored("swapped.skops", good), "sha256": "0" * 64}
    foreign = skops.io.dumps({"model": Planted})
    tried = {
        "a pickle runs whatever code it holds": folder.stored("bomb.joblib", bomb.read_bytes()),
        "the file's sha256 is": swapped,
        "holds types that may run code": folder.stored("foreign.skops", foreign),
        "not a readable model": folder.stored("cut.skops", good[: len(good) // 2]),
        "no address or no sha256": {"address": str(folder.path / "swapped.skops")},
    }
    for message, model in tried.items():
        folder.configured(model=model)
        code, text = folder.suggest()
        assert (code, message in text) == (2, True), text
    assert not planted.exists()


def test_a_pickle_that_was_asked_for_still_writes_nothing(folder: Folder) -> None:
    joblib.dump(Planted(folder.path / "planted"), folder.path / "bomb.joblib")
    model = folder.stored("bomb.joblib", (folder.path / "bomb.joblib").read_bytes())
    with pytest.raises(UserError, match=r"bomb.joblib: not a readable model: PermissionError"):
        answered(ROWS, located(**model, allow_pickle=True), NAMES, PredictorSettings())
    assert not (folder.path / "planted").exists()


def test_a_function_that_takes_forever_is_one_clear_error() -> None:
    settings = AttributionSettings(predictor=PredictorSettings(time_limit=3.0))
    with pytest.raises(UserError, match=r"dawdle: took longer than 3 s and was ended"):
        explained(ROWS, Located("python://tests.scoring:dawdle"), NAMES, settings)


def test_a_live_endpoint_is_explained_in_few_requests(endpoint: Answering) -> None:
    def weighed(_: str, body: bytes) -> tuple[int, bytes]:
        rows = [[float(cell) for cell in line.split(",")] for line in body.decode().splitlines()]
        return 200, "".join(f"{2 * income + age!r}\n" for age, income, _ in rows).encode()

    endpoint.usual = weighed
    settings = AttributionSettings(
        sample_rows=50,
        baseline=((0.0, 0.0, 0.0), (1.0, 1.0, 1.0)),
        predictor=PredictorSettings(requests_per_second=1000, batch_rows=150),
    )
    live = explained(ROWS, located(endpoint.address, None), NAMES, settings)
    assert len(endpoint.asked) == 1 + 1 + 3  # the rows, the background, and 50 rows x 4 coalitions x 2 of them
    here = explained(ROWS, Located("python://tests.scoring:weigh"), NAMES, settings)
    for name in NAMES:
        assert np.allclose(live[name].to_numpy(), here[name].to_numpy(), rtol=0, atol=1e-9)


def test_the_pages_examples_of_models_and_settings_are_ones() -> None:
    page = (Path(__file__).parents[1] / "docs/attribution.md").read_text()
    blocks = re.findall(r"```yaml\n(.*?)```", page, re.DOTALL)
    assert len(blocks) == 4
    for block in blocks:
        rest = "" if "monitors:" in block else "monitors: {attribution: {}}\n"
        text = f"endpoint_name: churn\nroot: a\ncapture: {{address: c}}\n{block}{rest}"
        assert Endpoint.parse(text, "docs/attribution.md").configured()["attribution"]
    settings = {*AttributionSettings.model_fields} - {"monitoring_schedule_name", "minimum_rows"}
    assert settings == set(re.findall(r"^\| `(\w+)` \|", page.partition("| setting |")[2], re.MULTILINE))
    for ending in READERS:
        assert f"`{ending}`" in page or f"model{ending}`" in page
