"""Rank correlations from co-moments: numpy's and scipy's on the rows, and a test that keeps its level."""

from math import atanh, sqrt

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy import stats

from monitor_tasks.metrics.correlation import CorrelationShift, correlation_shift, rank_correlations
from monitor_tasks.profiles.columns import Edges, TableProfile
from monitor_tasks.profiles.correlations import Correlations
from monitor_tasks.profiles.extras import Also

Columns = dict[str, NDArray[np.float64]]


def summed(columns: Columns, edges: Edges) -> Correlations:
    found = TableProfile.of(pa.table(columns), edges, Also(correlations=True)).correlations
    assert found is not None
    return found


def edges_of(columns: Columns) -> Edges:
    return Edges.of(pa.table(columns))


def cloud(seed: int, rows: int, correlation: float) -> Columns:
    """Two columns so correlated, and one that knows nothing of them."""
    x, y, z = np.random.default_rng(seed).normal(size=(3, rows))
    return {"x": x, "y": correlation * x + sqrt(1 - correlation**2) * y, "z": z}


def codes_of(columns: Columns, edges: Edges, *names: str) -> list[NDArray[np.int64]]:
    return [np.searchsorted(edges.by_column[name], columns[name]) for name in names]


@given(st.lists(st.tuples(*[st.integers(-9, 9)] * 2), unique=True, min_size=2, max_size=40), st.integers(0, 40))
def test_it_is_numpys_on_the_bins_pair_by_pair(points: list[tuple[int, int]], gaps: int) -> None:
    x, y = np.array(points, np.float64).T
    columns = {"x": x, "y": np.where(np.arange(len(y)) < gaps % (len(y) - 1), np.nan, y)}
    edges = edges_of({"x": x, "y": y})
    has = ~np.isnan(columns["y"])
    mine, theirs = (codes[has] for codes in codes_of(columns, edges, "x", "y"))
    found = rank_correlations(summed(columns, edges))["x"]["y"]
    if mine.std() == 0 or theirs.std() == 0:
        assert found is None
    else:
        assert found == pytest.approx(np.corrcoef(mine, theirs)[0, 1], abs=1e-9)


@pytest.mark.parametrize("correlation", [-0.95, -0.3, 0.0, 0.6, 0.999])
@pytest.mark.parametrize("rows", [5, 300, 2048])
def test_it_is_spearmans_where_each_row_has_a_bin_of_its_own(correlation: float, rows: int) -> None:
    columns = cloud(rows, rows, correlation)
    columns["x"] = np.exp(columns["x"])
    found = rank_correlations(summed(columns, edges_of(columns)))
    for one, other in (("x", "y"), ("x", "z"), ("y", "z")):
        expected = stats.spearmanr(columns[one], columns[other]).statistic
        assert found[one][other] == found[other][one] == pytest.approx(expected, abs=1e-9)
        assert found[one][one] == 1


@pytest.mark.parametrize("correlation", [-0.9, 0.0, 0.5])
def test_on_many_rows_it_is_spearmans_of_the_bins_and_of_the_rows_to_two_thousandths(correlation: float) -> None:
    reference, window = cloud(1, 50_000, correlation), cloud(2, 20_000, correlation)
    edges = edges_of(reference)
    for columns in (reference, window):
        found = rank_correlations(summed(columns, edges))["x"]["y"]
        bins = stats.spearmanr(*codes_of(columns, edges, "x", "y")).statistic
        rows = stats.spearmanr(columns["x"], columns["y"]).statistic
        assert (found, found) == (pytest.approx(bins, abs=0.002), pytest.approx(rows, abs=0.002))


def test_two_binary_columns_have_the_phi_coefficient() -> None:
    chance = np.random.default_rng(5)
    x = chance.integers(0, 2, 9_000).astype(float)
    columns = {"x": x, "y": np.where(chance.random(9_000) < 0.8, x, 1 - x)}
    expected = stats.spearmanr(columns["x"], columns["y"]).statistic
    assert rank_correlations(summed(columns, edges_of(columns)))["x"]["y"] == pytest.approx(expected, abs=1e-9)


def test_what_is_undefined_is_none() -> None:
    columns = {"x": np.array([1.0, 2.0, 3.0]), "constant": np.ones(3), "alone": np.array([1.0, np.nan, np.nan])}
    edges = edges_of(columns)
    found = rank_correlations(summed(columns, edges))
    assert found["x"] == {"x": 1.0, "constant": None, "alone": None}
    assert found["constant"]["constant"] is None
    assert rank_correlations(summed({"x": np.array([])}, edges))["x"]["x"] is None


def shifts(current: Columns, reference: Columns) -> dict[str, CorrelationShift | None]:
    edges = edges_of(reference)
    return correlation_shift(summed(current, edges), summed(reference, edges))


def test_a_broken_link_is_found_with_its_partner_direction_size_and_rows() -> None:
    current, reference = cloud(1, 900, 0.1), cloud(2, 2_000, 0.8)
    current["z"][:100] = np.nan
    found = shifts(current, reference)
    x, y, z = found["x"], found["y"], found["z"]
    assert x is not None
    assert y is not None
    assert z is not None
    assert (x.column, y.column, x.direction, x.n, x.m) == ("y", "x", "down", 900, 2_000)
    assert x.value == pytest.approx(x.reference - x.correlation, abs=1e-12)
    assert x.effect_size == pytest.approx(atanh(x.reference) - atanh(x.correlation), abs=1e-9)
    error = sqrt((1 + x.correlation**2 / 2) / 897 + (1 + x.reference**2 / 2) / 1997)
    assert x.p_value == pytest.approx(2 * 2 * stats.norm.sf(x.effect_size / error), rel=1e-9)
    assert (z.n, z.m) == (800, 2_000)
    assert (y.p_value, z.p_value > 0.01) == (x.p_value, True)
    grown = shifts(reference, current)["x"]
    assert grown is not None
    assert grown.direction == "up"


def test_equal_tables_have_not_shifted() -> None:
    columns = cloud(1, 500, 0.7)
    found = shifts(columns, columns)["x"]
    assert found is not None
    assert (found.value, found.effect_size, found.direction, found.p_value) == (0.0, 0.0, "none", 1.0)


@pytest.mark.parametrize("correlation", [0.0, 0.5, 0.9])
def test_without_a_shift_few_p_values_are_small(correlation: float) -> None:
    edges = edges_of(cloud(0, 20_000, correlation))
    small = 0
    for seed in range(300):
        one, two = (summed(cloud(2 * seed + side, 200, correlation), edges) for side in (1, 2))
        found = correlation_shift(one, two)["x"]
        assert found is not None
        small += found.p_value < 0.05
    assert small / 300 < 0.05 + 3 * sqrt(0.05 * 0.95 / 300)


def test_few_rows_in_perfect_order_are_no_proof() -> None:
    reference = cloud(1, 2_000, 0.5)
    line = np.arange(5.0)
    found = shifts({"x": line, "y": line, "z": line}, reference)["x"]
    assert found is not None
    assert found.correlation > 0.9
    assert 0.01 < found.p_value <= 1
    assert np.isfinite(found.effect_size)


def test_a_column_without_a_partner_has_no_shift() -> None:
    reference = cloud(1, 100, 0.5)
    three = {name: values[:3] for name, values in reference.items()}
    assert shifts(three, reference) == {"x": None, "y": None, "z": None}
    constant = {**reference, "y": np.ones(100)}
    found = shifts(constant, reference)
    assert found["y"] is None
    assert found["x"] is not None
    assert found["x"].column == "z"
    alone = {"x": reference["x"]}
    assert shifts(alone, alone) == {"x": None}
