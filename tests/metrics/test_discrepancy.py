"""MMD: a double loop over rows written out, scikit-learn's kernel, uniform p-values without and power with a change."""

from itertools import combinations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from sklearn.metrics.pairwise import rbf_kernel

from monitor_tasks.metrics.discrepancy import gaussian_kernel, maximum_mean_discrepancy
from monitor_tasks.metrics.encoding import Encoded

cells = st.lists(st.tuples(st.integers(-3, 3), st.integers(0, 2), st.integers(1, 3)), min_size=3, max_size=7)


def sides(current: np.ndarray, reference: np.ndarray, *counts: np.ndarray) -> Encoded:
    """Rows of two sides; without counts each occurs once."""
    mine, theirs = counts or (np.ones(len(current), int), np.ones(len(reference), int))
    names = tuple(f"column {number}" for number in range(current.shape[1]))
    occurring = np.concatenate([mine, 0 * theirs]), np.concatenate([0 * mine, theirs])
    return Encoded(np.vstack([current, reference]), names, *occurring)


def normal(seed: int, rows: int = 60) -> tuple[np.ndarray, np.ndarray]:
    generator = np.random.default_rng(seed)
    return generator.normal(size=(rows, 2)), generator.normal(size=(rows, 2))


def by_loops(current: np.ndarray, reference: np.ndarray, bandwidth: float) -> float:
    """Gretton et al. 2012, equation 3, term by term."""

    def alike(one: np.ndarray, two: np.ndarray) -> float:
        return float(np.exp(-sum((a - b) ** 2 for a, b in zip(one, two, strict=True)) / (2 * bandwidth**2)))

    n, m = len(current), len(reference)
    mine = sum(alike(current[i], current[j]) for i in range(n) for j in range(n) if i != j) / (n * (n - 1))
    theirs = sum(alike(reference[i], reference[j]) for i in range(m) for j in range(m) if i != j) / (m * (m - 1))
    return mine + theirs - 2 * sum(alike(one, two) for one in current for two in reference) / (n * m)


@settings(max_examples=30, deadline=None)
@given(cells, cells)
def test_the_value_is_that_of_a_double_loop_over_the_rows_written_out(
    current: list[tuple[int, int, int]], reference: list[tuple[int, int, int]]
) -> None:
    one, two = np.array([*current, (9, 9, 1)]), np.array(reference)
    found = maximum_mean_discrepancy(sides(one[:, :2] * 0.7, two[:, :2] * 0.7, one[:, 2], two[:, 2]), permutations=1)
    out = [np.repeat(side[:, :2] * 0.7, side[:, 2], axis=0) for side in (one, two)]
    distances = [np.linalg.norm(a - b) for a, b in combinations(np.vstack(out), 2) if (a != b).any()]
    assert found.bandwidth == pytest.approx(np.quantile(distances, 0.5, method="inverted_cdf"), rel=1e-12)
    assert found.value == pytest.approx(by_loops(*out, found.bandwidth), rel=1e-9, abs=1e-12)
    assert (found.n, found.n_baseline) == (len(out[0]), len(out[1]))


def test_the_kernel_is_scikit_learns() -> None:
    rows = sides(*normal(0))
    kernel, bandwidth = gaussian_kernel(rows)
    assert kernel == pytest.approx(rbf_kernel(rows.matrix, gamma=1 / (2 * bandwidth**2)), rel=1e-9)


def test_rows_that_repeat_are_as_many_rows() -> None:
    one, two = normal(1)
    rows = sides(one + 0.3, two, np.arange(60) % 3 + 1, np.arange(60) % 2 + 1)
    out = sides(np.repeat(one + 0.3, np.arange(60) % 3 + 1, axis=0), np.repeat(two, np.arange(60) % 2 + 1, axis=0))
    found, expected = (maximum_mean_discrepancy(side, permutations=2000) for side in (rows, out))
    assert found.value == pytest.approx(expected.value, rel=1e-9)
    assert found.effect_size == pytest.approx(expected.effect_size, rel=1e-9)
    assert found.bandwidth == expected.bandwidth
    assert found.p_value == pytest.approx(expected.p_value, abs=0.02)


def test_the_p_value_is_that_of_dealing_the_rows_again_one_by_one() -> None:
    one, two = normal(4, rows=12)
    found = maximum_mean_discrepancy(sides(one + 0.5, two), permutations=5000)
    rows, generator = np.vstack([one + 0.5, two]), np.random.default_rng(1)
    kernel = rbf_kernel(rows, gamma=1 / (2 * found.bandwidth**2)) - np.eye(24)

    def dealt(way: np.ndarray) -> float:
        first, second = way[:12], way[12:]
        within = kernel[np.ix_(first, first)].sum() + kernel[np.ix_(second, second)].sum()
        return within / (12 * 11) - 2 * kernel[np.ix_(first, second)].mean()

    exceeding = np.mean([dealt(generator.permutation(24)) >= found.value for _ in range(5000)])
    assert 0.02 < exceeding < 0.5
    assert found.p_value == pytest.approx(exceeding, abs=5 * (exceeding * (1 - exceeding) / 2500) ** 0.5)


def test_of_equal_sides_the_p_values_are_uniform() -> None:
    p_values = [maximum_mean_discrepancy(sides(*normal(seed)), permutations=99).p_value for seed in range(150)]
    assert stats.kstest(p_values, "uniform").pvalue > 0.01


def test_a_shift_of_the_mean_is_seen() -> None:
    p_values = [
        maximum_mean_discrepancy(sides(one + np.array([1.0, 0.0]), two), 199).p_value
        for one, two in map(normal, range(20))
    ]
    assert np.mean(np.array(p_values) <= 0.05) > 0.9


def test_a_correlation_between_equal_margins_is_seen() -> None:
    def correlated(seed: int) -> Encoded:
        one, two = normal(seed, rows=200)
        return sides(np.column_stack([one[:, 0], 0.9 * one[:, 0] + 0.19**0.5 * one[:, 1]]), two)

    p_values = [maximum_mean_discrepancy(correlated(seed), 199).p_value for seed in range(20)]
    assert np.mean(np.array(p_values) <= 0.05) > 0.9


def test_the_effect_is_cohens_d_along_one_column_of_a_wide_kernel() -> None:
    generator = np.random.default_rng(0)
    one, two = generator.normal(1.0, 1.0, (400, 1)), generator.normal(0.0, 1.0, (400, 1))
    plain = maximum_mean_discrepancy(sides(one, two), 1)
    cohen = (one.mean() - two.mean()) / np.sqrt((one.var(ddof=1) + two.var(ddof=1)) / 2)
    assert plain.effect_size == pytest.approx(cohen, rel=0.15)


def test_two_different_points_have_no_spread_to_measure_an_effect_by() -> None:
    points = np.array([[0.0]]), np.array([[1.0]])
    found = maximum_mean_discrepancy(sides(*points, np.array([40]), np.array([40])), 99)
    assert found.effect_size is None
    assert found.value == pytest.approx(2 - 2 * np.exp(-0.5), rel=1e-12)
    assert found.p_value == 0.01


def test_the_sides_can_be_exchanged() -> None:
    one, two = normal(5)
    found, turned = (maximum_mean_discrepancy(sides(*pair), 1) for pair in ((one + 1, two), (two, one + 1)))
    assert found.value == pytest.approx(turned.value, rel=1e-12)
    assert found.effect_size == pytest.approx(turned.effect_size, rel=1e-12)


def test_the_same_seed_gives_the_same_bytes_and_another_seed_another_p_value() -> None:
    rows = sides(*normal(6))
    found, again, other = (maximum_mean_discrepancy(rows, seed=seed) for seed in (0, 0, 1))
    assert repr(found) == repr(again)
    assert found.p_value != other.p_value
    assert found.value == other.value
