"""Tests and effect sizes from counts and exact moments: those of scipy on the rows, and hand values."""

from collections import Counter
from fractions import Fraction
from math import log

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from scipy import stats

from monitor_tasks.metrics.significance import (
    Sums,
    benjamini_hochberg,
    chi_square,
    kolmogorov_smirnov,
    mean_shift,
    rows_beyond_chance,
    variance_shift,
)
from monitor_tasks.profiles.columns import ColumnProfile

many = st.lists(st.integers(40, 400), min_size=3, max_size=3)
whole = st.lists(st.integers(-9, 9), min_size=2, max_size=120)
numbers = st.lists(st.floats(-1e6, 1e6, width=32), min_size=3, max_size=60)


def counted(values: list[int]) -> dict[str, int]:
    return {str(value): count for value, count in Counter(values).items()}


def sums(values: list[float]) -> Sums:
    return Sums.of(ColumnProfile.of(pa.array(values, pa.float64()), None))


@given(many, many)
def test_chi_square_is_scipys(mine: list[int], theirs: list[int]) -> None:
    found = chi_square(dict(zip("abc", mine, strict=True)), dict(zip("abc", theirs, strict=True)))
    expected = stats.chi2_contingency([mine, theirs], correction=False)
    assert found is not None
    assert found.statistic == pytest.approx(expected.statistic, rel=1e-9, abs=1e-9)
    assert found.p_value == pytest.approx(expected.pvalue, rel=1e-9, abs=1e-12)
    association = stats.contingency.association(np.array([mine, theirs]), "cramer")
    assert found.cramers_v == pytest.approx(association, rel=1e-9, abs=1e-9)


@pytest.mark.parametrize(
    ("mine", "theirs", "pooled"),
    [
        ({"a": 50, "b": 50, "c": 3, "d": 2, "e": 9}, {"a": 60, "b": 40, "f": 8}, [[50, 50, 14], [60, 40, 8]]),
        ({"a": 50, "b": 30, "c": 1}, {"a": 50, "b": 30, "c": 1}, [[50, 31], [50, 31]]),
        ({"a": 9, "b": 1}, {"a": 1, "b": 9}, [[9, 1], [1, 9]]),
    ],
)
def test_small_cells_are_put_together(mine: dict[str, int], theirs: dict[str, int], pooled: list[list[int]]) -> None:
    found = chi_square(mine, theirs)
    assert found is not None
    assert found.statistic == pytest.approx(stats.chi2_contingency(pooled, correction=False).statistic, abs=1e-12)
    assert found.degrees == len(pooled[0]) - 1


@pytest.mark.parametrize("sides", [({}, {"a": 1}), ({"a": 50}, {"a": 60}), ({"a": 2, "b": 1}, {"a": 3}), ({}, {})])
def test_chi_square_needs_two_cells_on_two_sides(sides: tuple[dict[str, int], dict[str, int]]) -> None:
    assert chi_square(*sides) is None


def test_no_common_category_is_a_cramers_v_of_one() -> None:
    found = chi_square({"a": 1000}, {"b": 300})
    assert found is not None
    assert (found.cramers_v, found.degrees) == (pytest.approx(1.0), 1)


@given(whole, whole)
def test_kolmogorov_smirnov_is_scipys(mine: list[int], theirs: list[int]) -> None:
    expected = stats.ks_2samp(mine, theirs, method="asymp")
    found = kolmogorov_smirnov(counted(mine), counted(theirs))
    assert found == (pytest.approx(expected.statistic, abs=1e-12), pytest.approx(expected.pvalue, abs=1e-9))
    assert kolmogorov_smirnov({}, counted(mine)) is None


@given(numbers, numbers)
def test_mean_and_variance_shift_are_scipys(mine: list[float], theirs: list[float]) -> None:
    assume(min(np.std(mine), np.std(theirs)) > 1e-3)
    moved, spread = mean_shift(sums(mine), sums(theirs)), variance_shift(sums(mine), sums(theirs))
    expected = stats.ttest_ind(mine, theirs, equal_var=False)
    assert moved is not None
    assert spread is not None
    assert moved.effect == pytest.approx((np.mean(mine) - np.mean(theirs)) / np.std(theirs, ddof=1), rel=1e-6, abs=1e-6)
    assert moved.p_value == pytest.approx(expected.pvalue, rel=1e-6, abs=1e-9)
    ratio = np.var(mine, ddof=1) / np.var(theirs, ddof=1)
    f = stats.f(len(mine) - 1, len(theirs) - 1)
    assert spread.effect == pytest.approx(log(ratio), rel=1e-6, abs=1e-6)
    bounds = [log(ratio / f.ppf(0.975)), log(ratio / f.ppf(0.025))]
    assert [spread.lower, spread.upper] == pytest.approx(bounds, rel=1e-6, abs=1e-6)


def test_on_usual_numbers_they_are_scipys_to_nine_digits() -> None:
    chance = np.random.default_rng(3)
    mine, theirs = chance.normal(0.1, 1.1, 900), chance.normal(0, 1, 2000)
    found, expected = mean_shift(sums(mine.tolist()), sums(theirs.tolist())), stats.ttest_ind(mine, theirs, equal_var=0)
    assert found is not None
    assert found.p_value == pytest.approx(expected.pvalue, rel=1e-9)


def test_a_small_shift_of_large_numbers_is_seen_exactly() -> None:
    """Seconds since 1970 that move by a millisecond: means that are rounded first differ by 0.00099992752."""
    theirs = [1.7e9, 1.7e9 + 1]
    found = mean_shift(sums([value + 2**-10 for value in theirs]), sums(theirs))
    assert found is not None
    assert found.effect == pytest.approx(2**-10 / 0.5**0.5, rel=1e-14)


@pytest.mark.parametrize("theirs", [[1.0], [1.0, 1.0], [5e-324] * 3])
def test_moments_that_do_not_vary_have_no_shift(theirs: list[float]) -> None:
    assert mean_shift(sums([1.0, 2.0]), sums(theirs)) is variance_shift(sums([1.0, 2.0]), sums(theirs)) is None


def test_a_shift_that_no_double_holds_is_undefined() -> None:
    tiny, huge = sums([0.0, 5e-324]), sums([1e308, -1e308, 1.7e308])
    assert mean_shift(huge, tiny) is None
    assert variance_shift(huge, tiny) is not None
    assert mean_shift(tiny, huge) is not None


def test_benjamini_and_hochbergs_own_example() -> None:
    """Their paper of 1995 adjusts fifteen p-values and finds four of them below 0.05."""
    known = [0.0001, 0.0004, 0.0019, 0.0095, 0.0201, 0.0278, 0.0298, 0.0344, 0.0459, 0.324, 0.4262, 0.5719]
    adjusted = benjamini_hochberg([*known, 0.6528, 0.759, 1.0])
    assert sum(p <= 0.05 for p in adjusted) == 4
    assert adjusted[3] == pytest.approx(0.0095 * 15 / 4)
    assert benjamini_hochberg([]) == []


def test_rows_beyond_chance() -> None:
    alone = stats.chi2(9).ppf(0.99)
    assert rows_beyond_chance(0.2, 9, 10**9) == 109
    assert rows_beyond_chance(0.2, 9, 50) == int(2 * alone / 0.2) + 1


def test_sums_are_exact() -> None:
    assert sums([0.1, 0.2]).mean == (Fraction(0.1) + Fraction(0.2)) / 2
    assert sums([1.0, 2.0, 3.0, float("nan")]).variance == 1
