"""Ground truth: the labels that become known two hours after the applicants were scored."""

from datetime import datetime, timedelta
from pathlib import Path

import numpy as np
import pandas as pd

from examples.loan_scoring.capture import line
from examples.loan_scoring.world import LABEL

DELAY = timedelta(hours=2)
LABELLED_SHARE = 0.95


def write_labels(root: Path, hour: datetime, scored: pd.DataFrame, generator: np.random.Generator) -> int:
    """Write the labels of most of an hour's applicants, indexed by inference id; returns how many."""
    known = scored[LABEL][generator.random(len(scored)) < LABELLED_SHARE].sample(frac=1, random_state=generator)
    collected = hour + DELAY + timedelta(seconds=int(generator.integers(3600)))
    path = root / "ground-truth" / collected.strftime("%Y/%m/%d/%H/%M%S.jsonl")
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(_label(str(name), label) + "\n" for name, label in known.items()))
    return len(known)


def _label(inference_id: str, label: int) -> str:
    truth = {"data": str(label), "encoding": "CSV"}
    return line({"groundTruthData": truth, "eventMetadata": {"eventId": inference_id}, "eventVersion": "0"})
