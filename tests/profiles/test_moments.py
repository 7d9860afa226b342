"""Exact sums: the very number, whatever the order, the split and the size of the values."""

import math
from fractions import Fraction
from functools import reduce

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor_tasks.profiles import moments
from monitor_tasks.profiles.cells import FEW
from monitor_tasks.profiles.moments import ExactSum

finite = st.floats(allow_nan=False, allow_infinity=False)
numbers = st.lists(finite, max_size=60).map(lambda values: np.array(values, np.float64))

NASTY = {
    "nothing": [],
    "zeros": [0.0, -0.0],
    "subnormals": [5e-324] * 7 + [-5e-324] * 3,
    "largest": [1e308] * 9 + [-1e308] * 8,
    "beyond the largest": [1e308] * 9,
    "cancellation": [1e100, 1.0, -1e100, 1e-100],
    "all magnitudes": [2.0**power for power in range(-1074, 1024)],
    "far from zero": [1.7e9 + step / 1024 for step in range(1000)],
    "alternating": [(-1.0) ** step / (step + 1) for step in range(1000)],
}


@pytest.mark.parametrize("values", NASTY.values(), ids=NASTY)
def test_sums_of_nasty_values_are_exact(values: list[float]) -> None:
    found = np.array(values + [0.0] * FEW, np.float64)
    assert ExactSum.of(found).fraction() == sum(map(Fraction, values))
    assert ExactSum.of_squares(found).fraction() == sum(Fraction(value) ** 2 for value in values)


@given(numbers)
def test_sums_are_exact(values: np.ndarray) -> None:
    many = np.concatenate([values, np.zeros(FEW)])
    assert ExactSum.of(values).fraction() == sum(map(Fraction, values.tolist()))
    assert ExactSum.of_squares(values).fraction() == sum(Fraction(value) ** 2 for value in values.tolist())
    assert moments.Moments.of(values) == moments.Moments.of(many), "zeros add nothing, but are sliced with the others"


@given(st.lists(st.floats(-1e300, 1e300), max_size=60))
def test_a_sum_rounds_once_as_fsum_does(values: list[float]) -> None:
    assert float(ExactSum.of(np.array(values, np.float64))) == math.fsum(values)


def test_what_does_not_fit_is_infinite() -> None:
    assert [float(ExactSum.of(np.array([sign * 1e308] * 9))) for sign in (1, -1)] == [math.inf, -math.inf]
    assert float(ExactSum.of_squares(np.array([1e308]))) == math.inf
    assert float(ExactSum.of_squares(np.array([5e-324]))) == 0.0


@given(numbers, st.integers(0, 60), st.integers(0, 60), st.randoms(use_true_random=False))
def test_any_order_and_split_gives_the_same(values: np.ndarray, one: int, two: int, chance: object) -> None:
    turned = values.copy()
    chance.shuffle(turned)  # type: ignore[attr-defined]
    parts = np.split(turned, sorted(min(cut, len(turned)) for cut in (one, two)))
    for measure in (ExactSum.of, ExactSum.of_squares):
        assert reduce(ExactSum.__add__, map(measure, parts), ExactSum()) == measure(values)


def test_batches_add_up(monkeypatch: pytest.MonkeyPatch) -> None:
    values = np.random.default_rng(1).lognormal(0, 50, 1000)
    whole = ExactSum.of(values), ExactSum.of_squares(values)
    monkeypatch.setattr(moments, "_BATCH", 7)
    assert (ExactSum.of(values), ExactSum.of_squares(values)) == whole


def test_a_full_batch_of_the_largest_mantissas_is_exact() -> None:
    largest = np.nextafter(2.0, 0.0)
    values = np.full(moments._BATCH, -largest)
    assert ExactSum.of(values).fraction() == -Fraction(largest) * moments._BATCH


@pytest.mark.parametrize("top", [-1074, -1000, -30, 0, 19, 21, 60, 1000, 1023])
def test_numbers_of_any_size_beside_a_large_one_are_exact(top: int) -> None:
    values = np.array([2.0**top, 0.0, 5e-324, -5e-324, 1e-300, math.pi * 2.0 ** max(top - 40, -1000), 2.0**-1022, 1.1])
    assert ExactSum.of(values).fraction() == sum(map(Fraction, values.tolist()))
    assert ExactSum.of_squares(values).fraction() == sum(Fraction(value) ** 2 for value in values.tolist())
