"""Distances from counts: those of scipy on the rows, and deequ's own test vectors."""

import json
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.spatial import distance as scipys
from scipy.stats import entropy, ks_2samp, wasserstein_distance

from monitor_tasks.metrics.distance import (
    Placed,
    coarse,
    hellinger,
    jensen_shannon,
    kullback_leibler,
    l_infinity_of_bins,
    l_infinity_of_categories,
    l_infinity_of_values,
    population_stability_index,
    robust,
    wasserstein,
)
from monitor_tasks.profiles.bins import Bins
from monitor_tasks.profiles.columns import Edges

counts = st.dictionaries(st.sampled_from("abcdef"), st.integers(1, 50), min_size=1)
rows = st.lists(st.integers(-20, 20), min_size=2, max_size=80)


def bins(values: list[int]) -> dict[str, int]:
    return {str(value): count for value, count in Counter(values).items()}


@given(rows, rows)
def test_on_bins_as_fine_as_the_values_it_is_scipys(mine: list[int], theirs: list[int]) -> None:
    expected = ks_2samp(mine, theirs, method="asymp").statistic
    assert l_infinity_of_bins(bins(mine), bins(theirs)) == pytest.approx(expected, abs=1e-12)


def test_bins_stand_in_order_of_their_number() -> None:
    assert l_infinity_of_bins({"2": 1, "10": 1}, {"9": 2}) == 0.5
    assert l_infinity_of_bins({"2": 1, "9": 1}, {"10": 2}) == 1.0


def _distance(case: dict[str, Any]) -> float:
    if case["method"] == "KS":
        mine, theirs = bins(case["x_values"]), bins(case["y_values"])
        found = l_infinity_of_bins(mine, theirs)
    else:
        mine, theirs = case["x"], case["y"]
        found = l_infinity_of_categories(mine, theirs)
    assert found is not None
    return robust(found, sum(mine.values()), sum(theirs.values())) if case["robust"] else found


def test_deequs_vectors_to_twelve_digits(shared: Path) -> None:
    """Two of the six are left out: a correction by alpha and the chi-square test are forms that we do not compute."""
    cases = json.loads((shared / "deequ-distance/cases.json").read_text())["cases"]
    ours = [case for case in cases if "alpha" not in case and not case["method"].startswith("Chisquare")]
    assert len(ours) == 4
    for case in ours:
        assert _distance(case) == pytest.approx(case["expected"], abs=1e-12), case["name"]


@given(counts, counts)
def test_a_distance_is_symmetric_bounded_and_blind_to_size(mine: dict[str, int], theirs: dict[str, int]) -> None:
    found = l_infinity_of_categories(mine, theirs)
    assert found is not None
    assert 0 <= found <= 1
    assert found == l_infinity_of_categories(theirs, mine)
    assert found == pytest.approx(l_infinity_of_categories({key: 7 * n for key, n in mine.items()}, theirs), abs=1e-12)
    assert l_infinity_of_categories(mine, mine) == 0.0


@pytest.mark.parametrize("distance", [l_infinity_of_bins, l_infinity_of_categories])
def test_an_empty_side_is_undefined_and_strangers_are_far_apart(distance: Any) -> None:
    assert distance({}, {"1": 1}) is distance({"1": 1}, {}) is distance({}, {}) is None
    assert distance({"1": 3}, {"2": 5}) == 1.0


@pytest.mark.parametrize(
    ("distance", "n", "m", "expected"),
    [(0.5, 100, 100, 0.5 - 1.8 * 0.02**0.5), (0.1, 100, 100, 0.0), (1.0, 1, 1, 0.0), (0.3, 10**9, 10**9, 0.2999195)],
)
def test_robust(distance: float, n: int, m: int, expected: float) -> None:
    assert robust(distance, n, m) == pytest.approx(expected, abs=1e-7)
    assert robust(distance, n, m) == robust(distance, m, n)


@given(st.floats(0, 1), st.integers(1, 10**6), st.integers(1, 10**6))
def test_more_rows_never_make_a_distance_smaller(distance: float, n: int, m: int) -> None:
    assert 0 <= robust(distance, n, m) <= robust(distance, 2 * n, m) <= distance


def test_chance_alone_stays_below_the_usual_bound() -> None:
    chance = np.random.default_rng(5)
    for _ in range(100):
        mine, theirs = (chance.integers(0, 1000, 60).tolist() for _ in range(2))
        found = l_infinity_of_bins(bins(mine), bins(theirs))
        assert found is not None
        assert robust(found, 60, 60) <= 0.1


@given(st.lists(st.integers(1, 400), min_size=6, max_size=6), st.lists(st.integers(1, 400), min_size=6, max_size=6))
def test_divergences_of_full_cells_are_scipys(mine: list[int], theirs: list[int]) -> None:
    sides = dict(zip("abcdef", mine, strict=True)), dict(zip("abcdef", theirs, strict=True))
    both = entropy(mine, theirs) + entropy(theirs, mine)
    root = np.sqrt([np.array(one) / sum(one) for one in (mine, theirs)])
    assert kullback_leibler(*sides) == pytest.approx(entropy(mine, theirs), abs=1e-9)
    assert population_stability_index(*sides) == pytest.approx(both, abs=1e-9)
    assert jensen_shannon(*sides) == pytest.approx(scipys.jensenshannon(mine, theirs, base=2), abs=1e-7)
    assert (jensen_shannon(*sides) or 0) ** 2 == pytest.approx(
        scipys.jensenshannon(mine, theirs, base=2) ** 2, abs=1e-9
    )
    assert hellinger(*sides) == pytest.approx(scipys.euclidean(*root) / 2**0.5, abs=1e-9)


def test_a_lacking_cell_is_half_a_row() -> None:
    mine, theirs = {"a": 9, "b": 0}, {"b": 9}
    p, q = [9 / 9.5, 0.5 / 9.5], [0.5 / 9.5, 9 / 9.5]
    assert kullback_leibler(mine, theirs) == pytest.approx(entropy(p, q), abs=1e-12)
    assert population_stability_index(mine, theirs) == pytest.approx(2 * entropy(p, q), abs=1e-12)
    assert jensen_shannon(mine, theirs) == hellinger(mine, theirs) == 1.0


SHARES = [population_stability_index, kullback_leibler, jensen_shannon, hellinger]


@pytest.mark.parametrize("distance", SHARES)
def test_an_empty_side_has_no_divergence_and_the_same_shares_none(distance: Any) -> None:
    assert distance({}, {"a": 1}) is distance({"a": 1}, {}) is distance({}, {}) is distance({"a": 0}, {"a": 1}) is None
    assert distance({"a": 1, "b": 3}, {"b": 6, "a": 2}) == pytest.approx(0.0, abs=1e-12)


@given(counts, counts)
def test_divergences_are_in_their_bounds_whatever_the_cells(mine: dict[str, int], theirs: dict[str, int]) -> None:
    for distance in SHARES:
        found = distance(mine, theirs)
        assert found is not None
        assert found >= -1e-12
        if distance is not kullback_leibler:
            assert found == pytest.approx(distance(theirs, mine), abs=1e-12)
    assert max(jensen_shannon(mine, theirs) or 0, hellinger(mine, theirs) or 0) <= 1.0


def test_the_coarse_cells_of_a_shifted_column_are_those_of_the_rows() -> None:
    """Counted between the very edges that the cells end with, so nothing is lost beside the rows."""
    chance = np.random.default_rng(7)
    mine, theirs = chance.normal(0.3, 1.2, 5000), chance.normal(0, 1, 20_000)
    edges = Edges.of(pa.table({"x": theirs}))
    found = coarse(*(edges.grids["x"].bins(side) for side in (mine, theirs)))
    below = np.cumsum(edges.grids["x"].bins(theirs).counts)
    cuts = edges.by_column["x"][[np.searchsorted(below, len(theirs) * part / 10) for part in range(1, 10)]]
    for cells, rows in zip(found, (mine, theirs), strict=True):
        assert list(cells.values()) == np.bincount(np.searchsorted(cuts, rows, "left"), minlength=10).tolist()
    assert max(found[1].values()) - min(found[1].values()) <= 2 * len(theirs) / 2048 + 1


@given(rows, rows)
def test_coarse_cells_hold_every_row_and_none_is_empty_in_the_reference(mine: list[int], theirs: list[int]) -> None:
    edges = Edges.of(pa.table({"x": theirs}))
    one, two = coarse(*(edges.grids["x"].bins(np.array(side, float)) for side in (mine, theirs)))
    assert (sum(one.values()), sum(two.values())) == (len(mine), len(theirs))
    assert one.keys() == two.keys()
    assert 1 <= len(two) <= 10
    assert all(two.values())


def test_nothing_is_coarse_without_a_reference() -> None:
    assert coarse(Bins.of(np.array([1, 2])), Bins()) == ({"0": 2}, {"0": 0})
    assert coarse(Bins(), Bins()) == ({"0": 0}, {"0": 0})


@given(rows, rows)
def test_by_value_l_infinity_and_the_earth_mover_are_scipys(mine: list[int], theirs: list[int]) -> None:
    one, two = bins(mine), bins(theirs)
    assert l_infinity_of_values(one, two) == pytest.approx(ks_2samp(mine, theirs, method="asymp").statistic, abs=1e-12)
    found = wasserstein(Placed.of_values(one), Placed.of_values(two))
    assert found == pytest.approx(wasserstein_distance(mine, theirs), abs=1e-9)
    assert l_infinity_of_values({}, one) is wasserstein(Placed.of_values({}), Placed.of_values(two)) is None


def placed(side: np.ndarray, edges: Edges) -> Placed:
    return Placed.of_bins(edges.grids["x"].bins(side), edges.by_column["x"], (side.min(), side.max()))


@given(rows, rows)
def test_the_earth_mover_on_bins_is_within_its_error(mine: list[int], theirs: list[int]) -> None:
    edges, window, reference = Edges.of(pa.table({"x": theirs})), np.array(mine, float), np.array(theirs, float)
    one, two = placed(window, edges), placed(reference, edges)
    found = wasserstein(one, two)
    assert found is not None
    assert abs(found - wasserstein_distance(window, reference)) <= one.error + two.error + 1e-9


def test_the_earth_mover_on_bins_is_exact_for_values_that_have_a_bin_of_their_own() -> None:
    reference, window = np.repeat([1.0, 5.0, 7.0], 3000), np.repeat([1.0, 5.0, 7.0], [10, 40, 50])
    edges = Edges.of(pa.table({"x": reference}))
    one, two = placed(window, edges), placed(reference, edges)
    assert one.error + two.error < 1e-14
    assert wasserstein(one, two) == pytest.approx(wasserstein_distance(window, reference), abs=1e-12)


@pytest.mark.parametrize(("shape", "within"), [("normal", 0.01), ("exponential", 0.01), ("lognormal", 0.15)])
def test_on_many_different_numbers_the_earth_mover_is_close(shape: str, within: float) -> None:
    chance = np.random.default_rng(11)
    reference, window = getattr(chance, shape)(size=50_000), getattr(chance, shape)(size=5_000) * 1.2
    edges = Edges.of(pa.table({"x": reference}))
    one, two = placed(window, edges), placed(reference, edges)
    found, expected = wasserstein(one, two), wasserstein_distance(window, reference)
    assert found is not None
    assert abs(found - expected) <= one.error + two.error
    assert found == pytest.approx(expected, rel=within)


def test_an_earth_mover_that_no_double_holds_is_undefined() -> None:
    far = Placed.of_values({"-1.7e308": 1}), Placed.of_values({"1.7e308": 1})
    assert wasserstein(*far) is None
