"""Global values and nDCG: the documentation's example, scikit-learn's numbers, and what is undefined."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from scipy.stats import rankdata
from sklearn.metrics import ndcg_score

from monitor_tasks.metrics.attribution import (
    drivers,
    global_values,
    mean_abs,
    mean_sq,
    median,
    ndcg,
    ndcg_deviation,
    paired,
    why_undefined,
)

NAMES = [f"feature {number}" for number in range(12)]
gains = st.lists(st.sampled_from([0.0, 0.1, 0.5]) | st.floats(0, 1e6), min_size=12, max_size=12)
scores = st.lists(st.sampled_from([0.0, 0.1, -0.5]) | st.floats(-1e6, 1e6), min_size=12, max_size=12)


def named(values: list[float]) -> dict[str, float | None]:
    return dict(zip(NAMES, values, strict=False))


@given(gains, scores)
def test_ndcg_is_scikit_learns(baseline: list[float], current: list[float]) -> None:
    assume(sum(baseline) > 1e-6)
    found = ndcg(named(baseline), named(current))
    assert found == pytest.approx(ndcg_score([baseline], [current]), rel=0, abs=1e-12)


@given(gains)
def test_the_same_ranking_is_exactly_one(baseline: list[float]) -> None:
    assume(any(baseline))
    assert ndcg(named(baseline), named(baseline)) == 1.0


@given(gains, scores, st.permutations(range(12)))
def test_the_order_of_the_features_does_not_matter(baseline: list[float], current: list[float], way: list[int]) -> None:
    mixed = [[side[place] for place in way] for side in (baseline, current)]
    renamed = [dict(zip([NAMES[place] for place in way], side, strict=True)) for side in mixed]
    assert ndcg(renamed[0], renamed[1]) == ndcg(named(baseline), named(current))


def test_the_example_of_the_documentation() -> None:
    baseline, current = named([0.70, 0.50, 0.05]), named([0.1, 0.2, 0.3])
    assert ndcg(baseline, current) == pytest.approx(0.68764, abs=1e-6)


def test_equal_current_values_share_their_gain() -> None:
    found = ndcg(named([1.0, 0.0]), named([0.3, 0.3]))
    assert found == pytest.approx((0.5 + 0.5 / np.log2(3)), abs=1e-15)


@pytest.mark.parametrize(
    ("baseline", "current", "because"),
    [
        ([0.5, -0.1], [0.5, 0.1], "the baseline's value of 'feature 1' is negative"),
        ([0.0, 0.0], [0.5, 0.1], "no feature drives the baseline's predictions"),
        ([], [0.5], "the baseline has no explained rows"),
        ([None], [0.5], "the baseline has no explained rows"),
        ([0.5], [], "there are no explained rows"),
        ([0.5], [None], "there are no explained rows"),
        ([0.5, 0.2], [0.5], "only one side has a value of 'feature 1'"),
    ],
)
def test_undefined_is_none_with_a_reason(baseline: list[float], current: list[float], because: str) -> None:
    assert ndcg(named(baseline), named(current)) is None
    assert why_undefined(named(baseline), named(current)) == because


def test_global_values_by_clarifys_methods() -> None:
    values = np.array([[-1.0, 2.0], [3.0, 2.0], [1.0, -5.0]])
    assert global_values(values, ["b", "a"]) == {"b": 5 / 3, "a": 3.0}
    assert global_values(values, ["b", "a"], "mean_sq") == {"b": 11 / 3, "a": 11.0}
    assert global_values(values, ["b", "a"], "median") == {"b": 1.0, "a": 2.0}


@pytest.mark.parametrize("method", [mean_abs, mean_sq, median])
def test_no_rows_have_no_global_value(method: object) -> None:
    assert method(np.empty(0)) is None  # type: ignore[operator]
    assert global_values(np.empty((0, 1)), ["a"]) == {"a": None}


def test_the_deviation_is_that_of_other_samples_of_as_many_rows() -> None:
    generator = np.random.default_rng(5)
    scales = np.array([0.5, 0.55, 0.6])
    draws = generator.normal(0, 1, (200, 500, 3)) * scales
    baseline = dict(zip("abc", [0.2, 0.3, 1.0], strict=True))
    seen = [ndcg(baseline, global_values(rows, list("abc"))) for rows in draws]
    guesses = [ndcg_deviation(baseline, rows, "mean_abs", 0) for rows in draws[:10]]
    assert 0.5 < np.mean(guesses) / np.std(seen) < 2
    assert ndcg_deviation(baseline, draws[0], "mean_abs", 7) == ndcg_deviation(baseline, draws[0], "mean_abs", 7)
    assert ndcg_deviation(baseline, draws[0][:50], "mean_abs", 0) is None


@pytest.mark.parametrize("method", ["mean_abs", "mean_sq", "median"])
def test_what_drives_is_what_pandas_says_of_the_rows(method: str) -> None:
    generator = np.random.default_rng(2)
    rows = generator.normal(0.2, 1, (400, 3)) * [1.0, 0.1, 3.0]
    frame = pd.DataFrame(rows, columns=list("abc"))
    found = drivers(rows, list("abc"), method, seed=0)
    known = global_values(rows, list("abc"), method)
    sizes = frame.abs().mean()
    for name in "abc":
        one = found[name]
        assert one.value == pytest.approx(known[name], rel=1e-9)
        assert (one.mean, one.spread) == pytest.approx((frame[name].mean(), frame[name].std(ddof=0)), rel=1e-9)
        assert one.share == pytest.approx(sizes[name] / sizes.sum(), rel=1e-9)
        assert one.mean_error == pytest.approx(frame[name].sem(), rel=0.25)
    if method != "median":
        assert [found[name].rank for name in "abc"] == [2, 3, 1]
    assert found == drivers(rows, list("abc"), method, seed=0)
    assert drivers(rows[:1], list("abc"), method, seed=0) == {}
    assert drivers(np.zeros((5, 1)), ["a"], method, seed=0)["a"].share == 0


def test_ranks_are_scipys_and_what_is_as_strong_as_another_may_change_places() -> None:
    rows = np.random.default_rng(3).normal(0, 1, (400, 4)) * [1.0, 1.0, 9.0, 0.1]
    rows = np.column_stack([rows, rows[:, 0]])
    found = drivers(rows, list("abcde"), "mean_abs", seed=0)
    known = rankdata(-np.abs(rows).mean(axis=0), method="min")
    assert [found[name].rank for name in "abcde"] == known.tolist()
    assert found["a"].rank == found["e"].rank
    assert (found["c"].rank_error, found["d"].rank_error) == (0.0, 0.0)
    assert 0.3 < found["b"].rank_error < 1.5


def test_labels_are_paired_by_name_or_else_by_place() -> None:
    assert paired(["a", "b"], ["b", "c"]) == [("a", None), ("b", "b")]
    assert paired(["0.1", "0.2"], ["x", "y", "z"]) == [("0.1", "x"), ("0.2", "y")]
    assert paired(["0.1", "0.2"], ["x"]) == [("0.1", "x"), ("0.2", None)]
