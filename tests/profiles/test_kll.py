"""The KLL sketch is the one of deequ's rule, value by value."""

from fractions import Fraction

import numpy as np
import pytest
from numpy.typing import NDArray

from monitor_tasks.profiles.kll import KLLSketch
from tests.profiles.plain_sketch import PlainSketch


def _levels(sketch: KLLSketch) -> list[list[float]]:
    return [level.tolist() for level in sketch.levels]


@pytest.fixture(scope="module")
def numbers() -> NDArray[np.float64]:
    return np.random.default_rng(7).lognormal(size=40_000)


@pytest.mark.parametrize("count", [0, 1, 2050, 2051, 3365, 10_000, 40_000])
def test_the_sketch_is_the_one_that_value_by_value_gives(numbers: NDArray[np.float64], count: int) -> None:
    plain = PlainSketch()
    for value in numbers[:count].tolist():
        plain.add(value)
    sketch = KLLSketch().extended(numbers[:count])
    assert _levels(sketch) == plain.levels
    assert list(sketch.compactions) == plain.compactions
    assert sketch.count == count


def test_repeated_values_are_sketched_alike(numbers: NDArray[np.float64]) -> None:
    rounded = numbers.round(1)
    plain = PlainSketch()
    for value in rounded[:10_000].tolist():
        plain.add(value)
    assert _levels(KLLSketch().extended(rounded[:10_000])) == plain.levels


def test_up_to_2050_numbers_the_sketch_is_the_column_itself(numbers: NDArray[np.float64]) -> None:
    assert _levels(KLLSketch().extended(numbers[:2050])) == [numbers[:2050].tolist()]


def test_weights_count_what_an_item_stands_for(numbers: NDArray[np.float64]) -> None:
    sketch = KLLSketch().extended(numbers)
    values = np.concatenate(sketch.levels)
    below = Fraction(int(sketch.weights[values <= 1.0].sum()), sketch.count)
    assert sketch.weights.sum() == len(numbers)
    assert abs(float(below) - np.mean(numbers <= 1.0)) < 0.01
