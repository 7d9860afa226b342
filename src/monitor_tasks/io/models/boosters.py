"""XGBoost's and LightGBM's own files: boosters that predict, and tell what each feature contributed."""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from monitor_tasks.io.models.libraries import library

Floats = NDArray[np.float64]


class Contributions(NamedTuple):
    """A library's own exact SHAP values, and what they add up to."""

    values: Floats
    """Of shape (rows, features, labels)."""
    expected: Floats
    """One a label: what the model answers where nothing is known of a row."""
    margins: Floats
    """Of shape (rows, labels): what values and expected add up to."""
    explainer: str
    tolerance: float
    """How far sums may lie beside the margin by the numbers that the library counts in, relative to the largest."""


class XGBoostModel(NamedTuple):
    """A booster of XGBoost."""

    booster: Any
    matrix: Any

    @property
    def names(self) -> tuple[str, ...]:
        """The columns that it learned; empty where the file does not say."""
        return tuple(self.booster.feature_names or ())

    @property
    def width(self) -> int:
        """How many columns it learned."""
        return int(self.booster.num_features())

    def predict(self, frame: Any) -> Floats:
        """What it answers, one line a row: probabilities for classifiers."""
        return np.asarray(self.booster.predict(self._rows(frame)), np.float64)

    def contributions(self, frame: Any) -> Contributions:
        """Exact contributions to the margin, in the numbers of single precision."""
        rows = self._rows(frame)
        found = np.asarray(self.booster.predict(rows, pred_contribs=True), np.float64)
        margins = np.asarray(self.booster.predict(rows, output_margin=True), np.float64).reshape(len(frame), -1)
        return _apart(found.reshape(len(frame), margins.shape[1], -1), margins, "xgboost_pred_contribs", 1e-4)

    def _rows(self, frame: Any) -> Any:
        return self.matrix(frame.to_numpy(np.float32), feature_names=self.booster.feature_names)


class LightGBMModel(NamedTuple):
    """A booster of LightGBM."""

    booster: Any

    @property
    def names(self) -> tuple[str, ...]:
        """The columns that it learned; empty where they were not named."""
        found = tuple(str(name) for name in self.booster.feature_name())
        return () if found == tuple(f"Column_{place}" for place in range(len(found))) else found

    @property
    def width(self) -> int:
        """How many columns it learned."""
        return int(self.booster.num_feature())

    def predict(self, frame: Any) -> Floats:
        """What it answers, one line a row: probabilities for classifiers."""
        return np.asarray(self.booster.predict(frame.to_numpy(np.float64)), np.float64)

    def contributions(self, frame: Any) -> Contributions:
        """Exact contributions to the margin."""
        cells = frame.to_numpy(np.float64)
        found = np.asarray(self.booster.predict(cells, pred_contrib=True), np.float64)
        margins = np.asarray(self.booster.predict(cells, raw_score=True), np.float64).reshape(len(frame), -1)
        return _apart(found.reshape(len(frame), margins.shape[1], -1), margins, "lightgbm_pred_contrib", 1e-6)


def read_xgboost(content: bytes) -> XGBoostModel:
    """The booster in a file ``.ubj`` or ``.json``."""
    xgboost = library("xgboost", "xgboost")
    booster = xgboost.Booster()
    booster.load_model(bytearray(content))
    return XGBoostModel(booster, xgboost.DMatrix)


def read_lightgbm(content: bytes) -> LightGBMModel:
    """The booster in a text file of LightGBM."""
    lightgbm = library("lightgbm", "lightgbm")
    text = content.decode()
    if not text.startswith("tree"):
        raise ValueError("a text file of LightGBM begins with 'tree'")
    return LightGBMModel(lightgbm.Booster(model_str=text))


def _apart(found: Floats, margins: Floats, explainer: str, tolerance: float) -> Contributions:
    """Of shape (rows, labels, features and a last one): the last one is what is expected of any row."""
    values = found[:, :, :-1].transpose(0, 2, 1)
    expected = found[0, :, -1] if len(found) else np.zeros(margins.shape[1])
    return Contributions(values, expected, margins, explainer, tolerance)
