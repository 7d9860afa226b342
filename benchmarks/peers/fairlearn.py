"""fairlearn: six rates by group with MetricFrame, once for each of five facets, and their differences.

The rates are those that our metrics compare, too: accuracy (AD), precision (DAR), selection rate (DPPL), recall (RD),
specificity (SD), false positive rate (average odds). Its groups are truth values that were made before.
"""

from pathlib import Path
from typing import Any

from benchmarks.peers.report import report

FACETS = {"sex": "f", "race": "b", "region": 3, "union": True}
RATES = {"AD": "accuracy", "DAR": "precision", "DPPL": "selection", "RD": "recall"}


def load(_: Path) -> None:
    import fairlearn.metrics  # noqa: F401


def learn(path: Path) -> Any:
    import pandas as pd

    rows = pd.read_parquet(path)
    groups = {name: rows[name] == value for name, value in FACETS.items()} | {"age": rows["age"] > 40}
    return rows["y"], rows["p"], groups


def judge(known: Any, _: Path) -> int:
    from fairlearn import metrics as rates
    from sklearn.metrics import accuracy_score, precision_score

    labels, predictions, groups = known
    functions = {
        "accuracy": accuracy_score, "precision": precision_score, "selection": rates.selection_rate,
        "recall": rates.true_positive_rate, "specificity": rates.true_negative_rate,
        "false alarms": rates.false_positive_rate,
    }  # fmt: skip
    total = 0.0
    for group in groups.values():
        frame = rates.MetricFrame(
            metrics=functions, y_true=labels, y_pred=predictions, sensitive_features=group
        ).by_group
        total += sum(frame.loc[False, rate] - frame.loc[True, rate] for rate in RATES.values())
    return round(1e9 * total)


if __name__ == "__main__":
    report(("fairlearn", "scikit-learn", "pandas"), load, learn, judge)
