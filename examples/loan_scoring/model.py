"""The scoring model: imputed numbers and encoded categories into gradient-boosted trees."""

import hashlib
import json
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import GradientBoostingClassifier
from sklearn.impute import SimpleImputer
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import OrdinalEncoder

from examples.loan_scoring.world import CATEGORIES, FEATURES, LABEL, NUMBERS

NAME = "loan-scoring"
VERSION = "1"
DECISION_THRESHOLD = 0.5
TRAINING_ROWS = 16_000
DIGITS = 6
HYPER_PARAMETERS: dict[str, Any] = {
    "n_estimators": 80,
    "learning_rate": 0.2,
    "max_depth": 4,
    "min_samples_leaf": 20,
    "subsample": 0.5,
    "max_features": 5,
    "random_state": 0,
}


def train(table: pd.DataFrame) -> Pipeline:
    """A pipeline fitted on a table with the columns FEATURES and `default`.

    The encoded columns keep the order of FEATURES; a missing number becomes the median, an unseen category -1.
    """
    encoder = OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1)
    columns = [("numbers", SimpleImputer(strategy="median"), list(NUMBERS)), ("categories", encoder, list(CATEGORIES))]
    steps = [("columns", ColumnTransformer(columns)), ("trees", GradientBoostingClassifier(**HYPER_PARAMETERS))]
    return Pipeline(steps).fit(table[list(FEATURES)], table[LABEL])


def predict_proba(pipeline: Pipeline, applicants: pd.DataFrame) -> NDArray[np.float64]:
    """The predicted probability of default of each applicant, to six digits as the endpoint answers."""
    probabilities: NDArray[np.float64] = pipeline.predict_proba(applicants[list(FEATURES)])[:, 1]
    return probabilities.round(DIGITS)


def save(pipeline: Pipeline, folder: Path) -> dict[str, Any]:
    """Write ``model.joblib`` and its card ``model.json``; returns the card."""
    folder.mkdir(parents=True, exist_ok=True)
    joblib.dump(pipeline, folder / "model.joblib", compress=3)
    card = {
        "name": NAME,
        "version": VERSION,
        "sha256": hashlib.sha256((folder / "model.joblib").read_bytes()).hexdigest(),
        "decision_threshold": DECISION_THRESHOLD,
        "hyper_parameters": HYPER_PARAMETERS,
        "features": list(FEATURES),
        "categories": categories(pipeline),
    }
    (folder / "model.json").write_text(json.dumps(card, indent=2) + "\n")
    return card


def categories(pipeline: Pipeline) -> dict[str, list[str]]:
    """The categories that the pipeline saw in training, by feature, in the order of their codes."""
    encoder = pipeline.named_steps["columns"].named_transformers_["categories"]
    return {name: list(map(str, seen)) for name, seen in zip(CATEGORIES, encoder.categories_, strict=True)}
