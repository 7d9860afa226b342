"""Files of libraries that not everybody has: their own numbers where they are installed, one clear word where not."""

import hashlib
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from sklearn.linear_model import LinearRegression, LogisticRegression

from monitor_tasks.explaining import Located, answered
from monitor_tasks.io.models import load_model
from monitor_tasks.monitors.settings import PredictorSettings
from monitor_tasks.value import UserError

GENERATOR = np.random.default_rng(0)
FRAME = pd.DataFrame(GENERATOR.normal(size=(200, 4)), columns=["a", "b", "c", "d"])
FRAME.loc[:20, "b"] = np.nan
LABELS = {
    "binary": (FRAME["a"] + FRAME["c"] > 0).astype(int),
    "multi": pd.cut(FRAME["a"] * FRAME["d"], [-99, -0.3, 0.3, 99], labels=False),
    "number": 3 * FRAME["a"] - FRAME["c"] + 100,
}


def stored(folder: Path, name: str, content: bytes) -> tuple[str, str]:
    (folder / name).write_bytes(content)
    return str(folder / name), hashlib.sha256(content).hexdigest()


def xgboost_booster(kind: str) -> Any:
    xgboost = pytest.importorskip("xgboost")
    more = {"binary": "binary:logistic", "multi": "multi:softprob", "number": "reg:squarederror"}[kind]
    settings = {"objective": more, "nthread": 1, **({"num_class": 3} if kind == "multi" else {})}
    return xgboost.train(settings, xgboost.DMatrix(FRAME, LABELS[kind]), 8)


def lightgbm_booster(kind: str) -> Any:
    lightgbm = pytest.importorskip("lightgbm")
    settings = {"objective": {"binary": "binary", "multi": "multiclass", "number": "regression"}[kind],
                "verbosity": -1, "num_threads": 1, **({"num_class": 3} if kind == "multi" else {})}  # fmt: skip
    return lightgbm.train(settings, lightgbm.Dataset(FRAME, LABELS[kind]), 8)


@pytest.mark.parametrize("kind", LABELS)
@pytest.mark.parametrize("form", ["ubj", "json"])
def test_xgboost_answers_and_contributes_as_itself(tmp_path: Path, kind: str, form: str) -> None:
    xgboost = pytest.importorskip("xgboost")
    booster = xgboost_booster(kind)
    model = load_model(*stored(tmp_path, f"model.{form}", bytes(booster.save_raw(form))))
    assert (model.names, model.width) == (("a", "b", "c", "d"), 4)
    assert np.array_equal(model.predict(FRAME), booster.predict(xgboost.DMatrix(FRAME)))
    found = model.contributions(FRAME)
    known = booster.predict(xgboost.DMatrix(FRAME), pred_contribs=True).reshape(200, -1, 5)
    assert np.array_equal(found.values, known[:, :, :4].transpose(0, 2, 1))
    assert np.allclose(found.values.sum(axis=1) + found.expected, found.margins, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("kind", LABELS)
def test_lightgbm_answers_and_contributes_as_itself(tmp_path: Path, kind: str) -> None:
    booster = lightgbm_booster(kind)
    model = load_model(*stored(tmp_path, "model.txt", booster.model_to_string().encode()))
    assert (model.names, model.width) == (("a", "b", "c", "d"), 4)
    assert np.array_equal(model.predict(FRAME), booster.predict(FRAME.to_numpy()))
    found = model.contributions(FRAME)
    assert np.allclose(found.values.sum(axis=1) + found.expected, found.margins, rtol=0, atol=1e-9)
    known = booster.predict(FRAME.to_numpy(), pred_contrib=True).reshape(200, -1, 5)
    assert np.array_equal(found.values, known[:, :, :4].transpose(0, 2, 1))


@pytest.mark.parametrize(("kind", "zipped"), [("binary", True), ("binary", False), ("multi", False), ("number", False)])
def test_onnx_answers_as_the_model_that_it_was_made_of(tmp_path: Path, kind: str, zipped: bool) -> None:
    pytest.importorskip("onnxruntime")
    skl2onnx = pytest.importorskip("skl2onnx")
    cells = FRAME.fillna(0.0).to_numpy(np.float32)
    estimator = (LinearRegression() if kind == "number" else LogisticRegression()).fit(cells, LABELS[kind])
    options = {} if kind == "number" else {"options": {id(estimator): {"zipmap": zipped}}}
    graph = skl2onnx.to_onnx(estimator, cells[:1], **options).SerializeToString()
    model = load_model(*stored(tmp_path, "model.onnx", graph))
    known = estimator.predict(cells) if kind == "number" else estimator.predict_proba(cells)
    assert model.width == 4
    assert np.allclose(model.predict(FRAME.fillna(0.0)), known.reshape(200, -1), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize(
    ("module", "ending", "package"),
    [("xgboost", "ubj", "xgboost"), ("lightgbm", "txt", "lightgbm"), ("onnxruntime", "onnx", "onnxruntime")],
)
def test_a_library_that_is_not_there_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, module: str, ending: str, package: str
) -> None:
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(UserError, match=f"model.{ending}: {package} is not installed; install it with: pip install"):
        load_model(*stored(tmp_path, f"model.{ending}", b"x"))


@pytest.mark.parametrize(("module", "ending"), [("xgboost", "json"), ("lightgbm", "txt"), ("onnxruntime", "onnx")])
def test_a_damaged_file_is_one_clear_error_and_takes_nobody_along(module: str, ending: str) -> None:
    """XGBoost ends its process over an empty file, so it is tried where files are loaded: in a process apart."""
    pytest.importorskip(module)
    rows = pa.table({"a": ["1"]})
    for content in (b"", b"tree, but no model"):
        with pytest.raises(UserError, match=rf"model.{ending}: (not a readable model: |its process ended by signal)"):
            answered(rows, Located(f"model.{ending}", content), ("a",), PredictorSettings())
