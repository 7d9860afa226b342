"""Spark on two local threads, warm: the aggregation that Deequ's profile is, and drift from its answers.

One pass gives present cells, distinct values (approximate), and of numbers minimum, maximum, mean, deviation and 99
quantiles (by default within 1 / 10,000); a pass per text column gives its values. Spark has no drift of its own:
Kolmogorov-Smirnov over the quantiles, and the largest difference in share of the texts, are computed from the answers.
Both files are gone through once before the clock runs. It keeps the reference's answers.
"""

import os
import shutil
import sys
from bisect import bisect_right
from pathlib import Path
from typing import Any, NamedTuple

from benchmarks.peers.report import report

SHARES = [place / 100 for place in range(1, 100)]


class Known(NamedTuple):
    """What is remembered of a file."""

    quantiles: dict[str, list[float]]
    texts: dict[str, dict[str | None, int]]


def load(folder: Path) -> None:
    if not (shutil.which("java") or "JAVA_HOME" in os.environ):
        sys.exit("no Java on this machine")
    for name in ("reference", "window"):
        learn(folder / f"{name}.parquet")


def learn(path: Path) -> Known:
    from pyspark.sql import functions as of

    rows = _session().read.parquet(str(path))
    texts = [name for name, kind in rows.dtypes if kind == "string"]
    numbers = [name for name in rows.columns if name not in texts]
    asked = [of.count(of.lit(1)).alias("rows")]
    asked += [measure(name) for name in rows.columns for measure in (of.count, of.approx_count_distinct)]
    asked += [measure(name) for name in numbers for measure in (of.min, of.max, of.avg, of.stddev_pop)]
    asked += [of.percentile_approx(name, SHARES).alias(name) for name in numbers]
    found = rows.agg(*asked).first()
    return Known(
        {name: found[name] for name in numbers},
        {name: dict(rows.groupBy(name).count().collect()) for name in texts},
    )


def judge(known: Known, path: Path) -> int:
    seen = learn(path)
    of_numbers = [_ks(known.quantiles[name], quantiles) for name, quantiles in seen.quantiles.items()]
    of_texts = [_largest_difference(known.texts[name], counts) for name, counts in seen.texts.items()]
    return len(of_numbers + of_texts)


def _session() -> Any:
    from pyspark.sql import SparkSession

    quiet = {"spark.ui.enabled": "false", "spark.ui.showConsoleProgress": "false"}
    session = SparkSession.builder.master("local[2]").config(map={**quiet, "spark.sql.shuffle.partitions": "2"})
    return session.getOrCreate()


def _ks(mine: list[float], theirs: list[float]) -> float:
    """The largest distance of two distributions, seen at their quantiles."""
    return max(abs(bisect_right(mine, x) / len(mine) - bisect_right(theirs, x) / len(theirs)) for x in mine + theirs)


def _largest_difference(mine: dict[str | None, int], theirs: dict[str | None, int]) -> float:
    rows, others = sum(mine.values()), sum(theirs.values())
    return max(abs(mine.get(text, 0) / rows - theirs.get(text, 0) / others) for text in {*mine, *theirs})


if __name__ == "__main__":
    report(("pyspark",), load, learn, judge)
