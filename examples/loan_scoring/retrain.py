"""What the demo's retraining DAG calls: fit the model again on the windows whose applicants have changed."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from examples.loan_scoring import model
from examples.loan_scoring.world import CATEGORIES, FEATURES, LABEL, NUMBERS

DRIFT = "drift_linf of"


def train(evidence: Mapping[str, Any]) -> dict[str, Any]:
    """Fits the scoring model on the labelled reference and the drifted windows; the new model's card.

    `evidence` names the episode's labelled windows with what was violated in them, and the folder for the output.
    """
    drifted = [one for one in evidence["windows"] if any(DRIFT in violation for violation in one["violations"])]
    tables = [pd.read_csv(Path(os.environ["MONITOR_TASKS_HOME"]) / "reference_labelled.csv")]
    tables += [_labelled(one["address"]) for one in drifted]
    folder = Path(evidence["output"])
    card = model.save(model.train(pd.concat(tables, ignore_index=True)), folder)
    version = str(int(evidence["model"]["version"]) + 1)
    used = [one["window"] for one in drifted]
    return {**card, "version": version, "address": str(folder / "model.joblib"), "windows": used}


def _labelled(address: str) -> pd.DataFrame:
    """The rows of a window whose label has arrived, as the model's training takes them."""
    rows = pd.read_parquet(address)
    rows = rows[rows[LABEL].notna()]
    numbers = rows[[*NUMBERS, LABEL]].apply(pd.to_numeric)
    return pd.concat([numbers, rows[list(CATEGORIES)]], axis=1)[[*FEATURES, LABEL]]
