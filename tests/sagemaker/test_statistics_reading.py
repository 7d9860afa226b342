"""A statistics.json read back: the profile of the rows it was made from, and drift against SageMaker's file alone."""

import json
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor_tasks.metrics.drift import Pair, drift
from monitor_tasks.profiles.columns import ColumnProfile, Edges, TableProfile
from monitor_tasks.profiles.sketch import SageMakerBlock
from monitor_tasks.sagemaker.statistics import statistics_json
from monitor_tasks.sagemaker.statistics_reading import read_statistics
from monitor_tasks.tables.files import read_table
from monitor_tasks.value import UserError

CELL = st.one_of(st.none(), st.integers(-50, 50), st.floats(-1e6, 1e6))


def back(table: pa.Table) -> tuple[TableProfile, Edges]:
    return read_statistics(statistics_json(SageMakerBlock.of(table)), "statistics.json")


@given(st.lists(CELL, min_size=1, max_size=60))
def test_few_numbers_come_back_whole(cells: list[float | None]) -> None:
    table = pa.table({"a": pa.array([None if cell is None else float(cell) for cell in cells], pa.float64())})
    found, edges = back(table)
    own = ColumnProfile.of(table["a"], edges.by_column.get("a"))
    mine = found.columns["a"]
    assert (mine.present, mine.missing, mine.minimum, mine.maximum) == (
        *(own.present, own.missing, own.minimum, own.maximum),
    )
    assert (mine.bins, mine.numbers) == (own.bins, own.numbers) if own.present else True
    assert float(mine.total) == pytest.approx(float(own.total), rel=1e-12, abs=1e-6)
    assert found.rows == len(cells)


def test_categories_come_back() -> None:
    found, _ = back(pa.table({"plan": ["a", "b", "a", None], "many": [f"x{n}" for n in range(4)]}))
    assert found.columns["plan"] == ColumnProfile.of(pa.array(["a", "b", "a", None]), None).__class__(
        1, {"String": 3}, texts={"a": 2, "b": 1}
    )
    ids, _ = back(pa.table({"id": [f"id {n}" for n in range(500)]}))
    assert ids.columns["id"].texts is None


def test_the_drift_from_a_sketch_is_that_of_the_rows_within_a_thousandth_or_so() -> None:
    random = np.random.default_rng(2)
    reference, window = random.lognormal(size=50_000), random.lognormal(0.1, size=20_000)
    found, edges = back(pa.table({"a": reference}))
    for method in ("ks", "psi", "jensen_shannon", "mean_shift", "wasserstein"):
        sides = []
        for cut, known in (
            (edges.by_column["a"], found.columns["a"]),
            (Edges.of(pa.table({"a": reference})).by_column["a"], None),
        ):
            theirs = known or ColumnProfile.of(pa.array(reference), cut)
            sides.append(drift(method, Pair(ColumnProfile.of(pa.array(window), cut), theirs, edges=cut)).value)
        assert sides[0] == pytest.approx(sides[1], abs=0.004), method


def test_the_golden_files_are_read(shared: Path) -> None:
    folder = shared / "sagemaker"
    table = read_table((folder / "sdk/data_quality/baseline_dataset.csv").read_bytes(), "x.csv", header=False)
    found, edges = read_statistics((folder / "sdk/data_quality/statistics.json").read_bytes(), "statistics.json")
    own = TableProfile.of(table, edges)
    assert {name: (one.kinds, one.bins) for name, one in found.columns.items()} == (
        {name: (one.kinds, one.bins) for name, one in own.columns.items()}
    )
    churn, _ = read_statistics((folder / "churn/statistics.features-00-14.json").read_bytes(), "statistics.json")
    assert churn.rows == 2333
    assert {sum(one.bins.values()) for one in churn.columns.values()} == {2333}


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (b"{", "(whole file)"),
        (b'{"dataset": {"item_count": -1}, "features": []}', "dataset.item_count"),
        (json.dumps({"dataset": {"item_count": 1}, "features": [{"name": "a"}]}).encode(), "features.0.inferred_type"),
    ],
)
def test_what_is_no_statistics_file_is_one_clear_error(text: bytes, told: str) -> None:
    with pytest.raises(
        UserError, match=r"here/statistics\.json: not a readable statistics\.json of data quality"
    ) as error:
        read_statistics(text, "here/statistics.json")
    assert told in str(error.value)
