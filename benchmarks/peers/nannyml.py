"""NannyML: missing cells, mean, deviation and median of the numbers, and the Jensen-Shannon distance of every column.

Its defaults: Jensen-Shannon for numbers and categories alike, each file in ten chunks, limits at three deviations of
the reference's chunks. It keeps what it has learned of the reference.
"""

from pathlib import Path
from typing import Any

from benchmarks.peers.report import report


def load(_: Path) -> None:
    import nannyml  # noqa: F401


def learn(path: Path) -> list[Any]:
    import nannyml
    import pandas as pd

    rows = pd.read_parquet(path)
    names = list(rows.columns)
    numbers = list(rows.select_dtypes("number").columns)
    of_numbers = (
        nannyml.SummaryStatsAvgCalculator,
        nannyml.SummaryStatsStdCalculator,
        nannyml.SummaryStatsMedianCalculator,
    )
    calculators = [
        nannyml.MissingValuesCalculator(column_names=names),
        *(calculator(column_names=numbers) for calculator in of_numbers),
        nannyml.UnivariateDriftCalculator(column_names=names),
    ]
    return [calculator.fit(rows) for calculator in calculators]


def judge(calculators: list[Any], path: Path) -> int:
    import pandas as pd

    rows = pd.read_parquet(path)
    *_, drift = [calculator.calculate(rows).filter(period="analysis").to_df() for calculator in calculators]
    return sum(drift[name]["jensen_shannon"]["value"].notna().all() for name in rows.columns).item()


if __name__ == "__main__":
    report(("nannyml", "pandas"), load, learn, judge)
