"""whylogs: its profile of every column (counts, types, moments, KLL quantiles, frequent items, distinct), then drift.

Its defaults: Kolmogorov-Smirnov over a hundred quantiles of the sketches for numbers, chi-square over the frequent
items for texts. It keeps the reference's profile.
"""

from pathlib import Path
from typing import Any

from benchmarks.peers.report import report


def load(_: Path) -> None:
    import pandas as pd  # noqa: F401
    import whylogs  # noqa: F401
    from whylogs.viz.drift import column_drift_algorithms  # noqa: F401


def learn(path: Path) -> Any:
    import pandas as pd
    import whylogs

    return whylogs.log(pandas=pd.read_parquet(path)).view()


def judge(known: Any, path: Path) -> int:
    from whylogs.viz.drift.column_drift_algorithms import calculate_drift_scores

    scores = calculate_drift_scores(target_view=learn(path), reference_view=known, with_thresholds=True)
    return sum(score is not None for score in scores.values())


if __name__ == "__main__":
    report(("whylogs", "numpy", "pandas"), load, learn, judge)
