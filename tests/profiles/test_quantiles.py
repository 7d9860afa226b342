"""Edges by counting: of any shape, split and order of rows, no bin but one value's own holds a thousandth."""

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.stats import ks_2samp

from monitor_tasks.metrics.distance import l_infinity_of_bins
from monitor_tasks.profiles.columns import Edges, TableProfile
from monitor_tasks.profiles.quantiles import edges_of

ROWS = 60_000
CHANCE = np.random.default_rng(0)
SHAPES = {
    "normal": CHANCE.normal(size=ROWS),
    "heavy tails on both sides": CHANCE.standard_cauchy(ROWS) ** 3,
    "lognormal, below zero": -CHANCE.lognormal(0, 3, ROWS),
    "seconds of one day": 1.7e9 + CHANCE.random(ROWS) * 86_400,
    "two tight clusters, far apart": np.r_[1 + 1e-12 * CHANCE.random(ROWS // 2), 1e9 + CHANCE.random(ROWS // 2)],
    "mostly zero": np.where(CHANCE.random(ROWS) < 0.6, 0.0, CHANCE.lognormal(size=ROWS)),
    "one value among many": np.where(CHANCE.random(ROWS) < 0.05, 9.99, CHANCE.normal(10, 0.01, ROWS)),
    "whole numbers": CHANCE.integers(-500_000, 500_000, ROWS).astype(np.float64),
    "as large as doubles are": CHANCE.normal(size=ROWS) * 2e307,
    "as small as doubles are": CHANCE.integers(0, 99_999, ROWS) * 5e-324,
}


def edges(numbers: NDArray[np.float64]) -> NDArray[np.float64]:
    return edges_of(lambda _: [pa.table({"x": numbers})]).by_column["x"]


@pytest.mark.parametrize("shape", SHAPES)
def test_no_bin_but_a_values_own_holds_a_thousandth(shape: str) -> None:
    numbers = SHAPES[shape]
    cut = edges(numbers)
    bins = np.searchsorted(cut, numbers, "left")
    for full in np.flatnonzero(np.bincount(bins) >= ROWS / 1000):
        assert len(np.unique(numbers[bins == full])) == 1
    assert len(cut) <= 2 * 2048


@pytest.mark.parametrize("shape", SHAPES)
def test_drift_on_the_edges_is_that_of_the_rows(shape: str) -> None:
    numbers = SHAPES[shape]
    window = np.concatenate([numbers[::3], numbers[numbers > np.median(numbers)][::5]])
    cut = Edges({"x": edges(numbers)})
    here, there = (TableProfile.of(pa.table({"x": one}), cut).columns["x"].bins for one in (window, numbers))
    distance = l_infinity_of_bins(here, there)
    assert distance == pytest.approx(ks_2samp(window, numbers, method="asymp").statistic, abs=0.001)


NUMBER = st.one_of(st.floats(), st.integers(-3, 3).map(float), st.sampled_from([1.0, 1.0 + 2**-52, 5e-324, -5e-324]))


@settings(max_examples=50, deadline=None)
@given(st.lists(NUMBER, max_size=40), st.lists(st.integers(0, 40), max_size=3), st.randoms(use_true_random=False))
def test_few_numbers_have_the_edges_of_rows_in_memory_in_any_split_and_order(
    numbers: list[float], cuts: list[int], chance: object
) -> None:
    shuffled = list(numbers)
    chance.shuffle(shuffled)  # type: ignore[attr-defined]
    table = pa.table({"x": pa.array(shuffled, pa.float64()), "s": ["text"] * len(shuffled)})

    def read(names: Sequence[str] | None) -> list[pa.Table]:
        found = table if names is None else table.select(names)
        return [found.slice(start, end - start) for start, end in pairwise([0, *sorted(cuts), len(numbers)])]

    assert edges_of(read).to_json() == Edges.of(pa.table({"x": pa.array(numbers, pa.float64())})).to_json()


def test_many_numbers_have_the_same_edges_in_any_split_and_order() -> None:
    numbers = SHAPES["two tight clusters, far apart"]
    table = pa.table({"x": np.sort(numbers)[::-1]})
    parts = [table.slice(0, 17), table.slice(17, 40_000), table.slice(40_017)]
    assert edges_of(lambda _: parts).to_json() == Edges({"x": edges(numbers)}).to_json()


def test_only_columns_with_full_cells_are_read_again() -> None:
    table = pa.table({"spread": SHAPES["normal"], "few": np.arange(ROWS) % 5, "text": ["a"] * ROWS})
    asked: list[Sequence[str] | None] = []

    def read(names: Sequence[str] | None) -> list[pa.Table]:
        asked.append(names)
        return [table if names is None else table.select(names)]

    assert sorted(edges_of(read).by_column) == ["few", "spread"]
    assert asked[:2] == [None, ["spread"]]
