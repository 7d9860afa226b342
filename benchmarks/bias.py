"""Bias metrics of five facets, against fairlearn."""

import shutil
from functools import partial
from pathlib import Path

from benchmarks import data
from benchmarks.environments import FAIRLEARN
from benchmarks.measure import Call, Peer, Step, Target, warm


def make(folder: Path, rows: int) -> None:
    import pyarrow.parquet as pq

    pq.write_table(data.groups(rows), folder / "reference.parquet")
    shutil.copy(folder / "reference.parquet", folder / "window.parquet")


def steps(rows: int) -> list[Step]:
    peers = (Peer("fairlearn: 6 rates", FAIRLEARN.side, (Target(100),)),)
    return [
        Step(f"20 metrics + 3 with intervals, 5 facets x {rows:,}", partial(_bias, 0), peers),
        Step(f"the same and the flip test, 5 facets x {rows:,}", partial(_bias, 1024), peers),
    ]


def _bias(sample_rows: int, folder: Path) -> Call:
    """Rows in memory profiled, and every metric of every group; answers what those say that the peer has, too."""
    import pyarrow.parquet as pq

    from benchmarks.peers.fairlearn import FACETS, RATES
    from monitor_tasks.monitors.bias import Bias
    from monitor_tasks.monitors.settings import BiasSettings

    warm("scipy.spatial.distance")
    facets = [{"name": name, "value_or_threshold": [value]} for name, value in (FACETS | {"age": 40}).items()]
    outcomes = {"label": "y", "predicted_label": "p", "excluded_columns": ["sex", "race"]}
    monitor = Bias(BiasSettings.model_validate({**outcomes, "facets": facets, "sample_rows": sample_rows}))
    table = pq.read_table(folder / "reference.parquet")

    def call() -> int:
        found = monitor.statistics(monitor.profile(table))
        return round(1e9 * sum(one.value or 0.0 for one in found if one.name in RATES))

    return call
