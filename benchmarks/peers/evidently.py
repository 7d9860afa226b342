"""Evidently: its presets DataSummary (counts, moments, quantiles, most common values) and DataDrift.

Its defaults for more than a thousand rows: the normed Wasserstein distance for numbers, Jensen-Shannon for categories.
It keeps nothing of the reference but its rows: what it computes of them belongs to every window's cost.
"""

from pathlib import Path
from typing import Any

from benchmarks.peers.report import report


def load(_: Path) -> None:
    import evidently.presets  # noqa: F401


def learn(path: Path) -> Any:
    import pandas as pd
    from evidently import DataDefinition, Dataset

    rows = pd.read_parquet(path)
    numbers = list(rows.select_dtypes("number").columns)
    texts = [name for name in rows.columns if name not in numbers]
    return Dataset.from_pandas(rows, DataDefinition(numerical_columns=numbers, categorical_columns=texts))


def judge(known: Any, path: Path) -> int:
    from evidently import Report
    from evidently.presets import DataDriftPreset, DataSummaryPreset

    found = Report([DataSummaryPreset(), DataDriftPreset()]).run(learn(path), known).dict()
    return sum(metric["metric_name"].startswith("ValueDrift(") for metric in found["metrics"])


if __name__ == "__main__":
    report(("evidently", "pandas"), load, learn, judge)
