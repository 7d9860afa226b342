"""Distances from counts: those of scipy on the rows, and deequ's own test vectors."""

import json
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import ks_2samp

from monitor_tasks.metrics.distance import l_infinity_of_bins, l_infinity_of_categories, robust

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
