"""What the demo's retraining DAG calls: fit the model again and lay it where the evidence says."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from examples.loan_scoring import model


def train(evidence: Mapping[str, Any]) -> str:
    """Fits the scoring model on the labelled reference and returns the new model's address."""
    table = pd.read_csv(Path(os.environ["MONITOR_TASKS_HOME"]) / "reference_labelled.csv")
    folder = Path(evidence["output"])
    model.save(model.train(table), folder)
    return str(folder / "model.joblib")
