"""Bins: the same as a search among all edges, for any shape; they add up, and both stored forms are read."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from monitor_tasks.profiles import bins
from monitor_tasks.profiles.bins import Bins, Grid

CHANCE = np.random.default_rng(20260102)
SIZE = 20_000
LARGEST = np.finfo(np.float64).max
SHAPES = {
    "normal": CHANCE.normal(size=SIZE),
    "lognormal": CHANCE.lognormal(0, 3, SIZE),
    "cauchy": CHANCE.standard_cauchy(SIZE),
    "timestamps": CHANCE.uniform(1.7e9, 1.7e9 + 3600, SIZE),
    "all magnitudes": CHANCE.lognormal(0, 150, SIZE) * CHANCE.choice([-1, 1], SIZE),
    "two tight clusters": np.concatenate([CHANCE.normal(0, 1e-9, SIZE), CHANCE.normal(1e9, 1e-3, SIZE)]),
    "heavy zeros": np.concatenate([np.zeros(SIZE), CHANCE.exponential(1, SIZE)]),
    "subnormals": CHANCE.integers(-9, 9, SIZE) * 5e-324,
    "the largest": CHANCE.choice([-LARGEST, -1.0, 0.0, 1.0, LARGEST], SIZE),
    "two values": CHANCE.choice([3.0, np.nextafter(3.0, 4.0)], SIZE),
}


def edges_of(values: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.unique(np.quantile(values, np.linspace(0, 1, 2048), method="lower"))


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("other", ["normal", None])
def test_a_grid_finds_the_bins_that_a_search_finds(shape: str, other: str | None) -> None:
    edges = edges_of(SHAPES[shape])
    near = [np.nextafter(edges, end) for end in (-LARGEST, LARGEST)]
    numbers = np.concatenate([SHAPES[other or shape], edges, *near, [LARGEST, -LARGEST]])
    assert Grid(edges).bins(numbers) == Bins.of(np.searchsorted(edges, numbers, "left"))


def test_batches_of_numbers_are_counted_together(monkeypatch: pytest.MonkeyPatch) -> None:
    numbers = SHAPES["normal"]
    whole = Grid(edges_of(numbers)).bins(numbers)
    monkeypatch.setattr(bins, "_BATCH", 999)
    assert Grid(edges_of(numbers)).bins(numbers) == whole


counts = st.dictionaries(st.integers(0, 4100).map(str), st.integers(1, 2**40), max_size=30)


@given(counts, counts)
def test_bins_add_up_as_counts_do(mine: dict[str, int], theirs: dict[str, int]) -> None:
    one, two = Bins.of_mapping(mine), Bins.of_mapping(theirs)
    assert one + two == two + one == {key: mine.get(key, 0) + theirs.get(key, 0) for key in {**mine, **theirs}}
    assert one + Bins() == Bins() + one == one


@given(counts)
def test_bins_survive_their_file_and_the_first_form_is_read(known: dict[str, int]) -> None:
    one = Bins.of_mapping(known)
    assert Bins.from_dict(one.to_dict()) == Bins.from_dict(known) == one == known
    assert dict(one) == known
    assert hash(Bins.from_dict(known)) == hash(one)


def test_a_bin_that_is_empty_is_not_there() -> None:
    known = Bins.of_mapping({"3": 2})
    assert (known["3"], known.get("2"), known.get("9"), "03" in known) == (2, None, None, False)
