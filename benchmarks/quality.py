"""Metrics of a binary classifier with their uncertainty: ours from counts by score, scikit-learn's from rows."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from benchmarks.measure import Call, Peer, Step, Target

BOOTSTRAPS = 10


def make(folder: Path, rows: int) -> None:
    """Labels and scores, most of them different."""
    chance = np.random.default_rng(3)
    scores = chance.beta(2, 3, rows)
    labels = (chance.random(rows) < scores).astype(np.int64)
    pq.write_table(pa.table({"label": labels, "score": scores}), folder / "scored.parquet")


def steps(rows: int) -> list[Step]:
    """One step: 200 replicates of ours against ten of scikit-learn's."""
    peer = Peer(f"scikit-learn, {BOOTSTRAPS} bootstraps", _theirs, (Target(15),))
    return [Step(f"binary metrics of {rows:,} rows, 200 replicates", _ours, (peer,))]


def _ours(folder: Path) -> Call:
    from monitor_tasks.metrics.performance import measured
    from monitor_tasks.profiles.scores import Predictions, ScoreProfile

    table = pq.read_table(folder / "scored.parquet")

    def call() -> int:
        found = measured(ScoreProfile.of(table["label"], Predictions(table["score"])))
        return round((found["accuracy"].value or 0) * table.num_rows)

    return call


def _theirs(folder: Path) -> Call:
    from sklearn import metrics

    table = pq.read_table(folder / "scored.parquet")
    labels, scores = (table[name].to_numpy() for name in ("label", "score"))

    def found(labels: np.ndarray, scores: np.ndarray) -> list[float]:
        classes = scores > 0.5
        return [
            metrics.accuracy_score(labels, classes),
            metrics.recall_score(labels, classes),
            metrics.precision_score(labels, classes),
            *metrics.confusion_matrix(labels, classes, normalize="true").ravel(),
            *(metrics.fbeta_score(labels, classes, beta=beta) for beta in (0.5, 1, 2)),
            metrics.balanced_accuracy_score(labels, classes),
            metrics.matthews_corrcoef(labels, classes),
            metrics.roc_auc_score(labels, scores),
            metrics.average_precision_score(labels, scores),
            metrics.log_loss(labels, scores),
            metrics.brier_score_loss(labels, scores),
        ]

    def call() -> int:
        whole, chance = found(labels, scores), np.random.default_rng(0)
        drawn = (chance.integers(0, len(labels), len(labels)) for _ in range(BOOTSTRAPS))
        np.std([found(labels[rows], scores[rows]) for rows in drawn], axis=0, ddof=1)
        return round(whole[0] * len(labels))

    return call
