"""Chance: how far a share may lie from its true value, against scipy's exact intervals and drawn samples."""

from math import hypot

import numpy as np
import pytest
from scipy.stats import binomtest

from monitor_tasks.metrics.chance import REACH, TAIL, share_deviation


@pytest.mark.parametrize(("good", "of"), [(0, 10), (7, 10), (59, 60), (9_990, 10_000)])
def test_the_reach_is_scipys_exact_interval(good: int, of: int) -> None:
    many = 10**12  # of so large a reference nothing is left to chance
    found = share_deviation(good, of, 0.5 * many, many)
    above = binomtest(good, of).proportion_ci(1 - 2 * TAIL, method="exact").high - good / of
    assert found is not None
    assert found * REACH == pytest.approx(above, abs=1e-5)


def test_both_samples_count() -> None:
    either = binomtest(90, 100).proportion_ci(1 - 2 * TAIL, method="exact")
    found = share_deviation(90, 100, 90, 100)
    assert found is not None
    assert found * REACH == pytest.approx(hypot(either.high - 0.9, 0.9 - either.low), abs=1e-9)


def test_without_cells_nothing_is_known_and_without_exceptions_nothing_is_chance() -> None:
    assert share_deviation(0, 0, 5, 10) is None
    assert share_deviation(5, 10, 0, 0) is None
    assert share_deviation(5, 10, 10, 10) == 0.0


@pytest.mark.parametrize("share", [0.5, 0.9, 0.99])
@pytest.mark.parametrize("sizes", [(60, 10_000), (1_000, 1_000), (10_000, 500)])
def test_equal_shares_seldom_seem_unequal(share: float, sizes: tuple[int, int]) -> None:
    random, (n, m) = np.random.default_rng(1), sizes
    broken = 0
    for good, reference in zip(random.binomial(n, share, 2_000), random.binomial(m, share, 2_000), strict=True):
        deviation = share_deviation(int(good), n, int(reference), m)
        assert deviation is not None
        broken += reference < m and good / n + REACH * deviation < reference / m
    assert broken <= 10  # 2.7 are expected of 2,000
