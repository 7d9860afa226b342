"""SageMaker's block: left-to-right sums and Welford's deviation, in any split of the same order."""

import math
from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from monitor_tasks.profiles.columns import TableProfile
from monitor_tasks.profiles.sketch import SageMakerBlock, profile_and_block


def _plain_welford(values: list[float]) -> tuple[float, float]:
    count, mean, squares = 0.0, 0.0, 0.0
    for value in values:
        count += 1
        delta = value - mean
        mean += delta / count
        squares += delta * (delta - delta / count)
    return mean, squares


@pytest.fixture(scope="module")
def numbers() -> NDArray[np.float64]:
    return np.random.default_rng(7).lognormal(size=40_000)


@settings(max_examples=25, deadline=None)
@given(st.lists(st.integers(0, 20_000), max_size=6))
def test_any_split_in_the_same_order_gives_the_same_block(cuts: list[int]) -> None:
    random = np.random.default_rng(3)
    holes = random.random(20_000) < 0.3
    whole = pa.table(
        {
            "x": random.normal(1e6, 1.0, 20_000),
            "n": pa.array(random.normal(size=20_000), mask=holes),
            "i": random.integers(0, 9, 20_000),
            "s": pa.array(random.choice(["a", "b", "c"], 20_000)),
        }
    )
    block = SageMakerBlock()
    edges = [0, *sorted(cuts), 20_000]
    for start, end in pairwise(edges):
        block = block.update(whole.slice(start, end - start))
    assert block.to_json() == SageMakerBlock.of(whole).to_json()


def test_sums_and_deviations_are_those_of_row_by_row_addition(numbers: NDArray[np.float64]) -> None:
    holes = np.random.default_rng(5).random((3, len(numbers))) < np.array([[0.0], [0.1], [0.9]])
    columns = {f"x{index}": pa.array(numbers * 1e3 + index, mask=mask) for index, mask in enumerate(holes)}
    block = SageMakerBlock.of(pa.table(columns))
    for name, column in columns.items():
        values = column.drop_null().to_pylist()
        total = 0.0
        for value in values:
            total += value
        found = block.columns[name]
        assert found.total == total
        assert (found.mean, found.squares) == _plain_welford(values)
        assert (found.minimum, found.maximum) == (min(values), max(values))


def test_the_order_of_rows_matters_and_is_kept() -> None:
    up, down = SageMakerBlock.of(pa.table({"x": [1.0, 2.0]})), SageMakerBlock.of(pa.table({"x": [2.0, 1.0]}))
    assert up.to_json() != down.to_json()


def test_a_block_survives_its_file() -> None:
    rows = pa.table({"x": [1e308, 1e308, None], "s": ["a", None, "b"], "u": pa.nulls(3), "i": [1, 2, 3]})
    block = SageMakerBlock.of(rows)
    read = SageMakerBlock.from_json(block.to_json())
    assert read.to_json() == block.to_json()
    assert read.columns["x"].total == math.inf
    assert read.update(rows).to_json() == block.update(rows).to_json()


def test_a_column_that_comes_and_goes_is_missing_in_between() -> None:
    block = SageMakerBlock.of(pa.table({"b": [1, 2]})).update(pa.table({"a": ["x"]})).update(pa.table({"b": [3]}))
    assert list(block.columns) == ["b", "a"]
    assert [(column.present, column.missing) for column in block.columns.values()] == [(3, 1), (1, 3)]


def test_a_numeric_column_that_becomes_text_does_not_know_its_earlier_texts() -> None:
    before = SageMakerBlock.of(pa.table({"x": ["1", None, "2"]}))
    column = before.update(pa.table({"x": ["oops"]})).update(pa.table({"x": ["3"]})).columns["x"]
    assert (column.inferred_type, column.present, column.missing) == ("String", 4, 1)
    assert (column.distinct, column.texts, column.sketch.count, column.minimum) == (None, None, 0, None)


def test_a_column_empty_at_first_learns_its_texts_later() -> None:
    column = SageMakerBlock.of(pa.table({"x": pa.nulls(2, pa.string())})).update(pa.table({"x": ["a"]})).columns["x"]
    assert (column.distinct, column.texts, column.missing) == (1, {"a": 1}, 2)


def test_different_texts_are_counted_past_those_that_are_known() -> None:
    many = pa.table({"id": [f"id{index}" for index in range(70_000)]})
    block = SageMakerBlock.of(many)
    assert (block.columns["id"].distinct, block.columns["id"].texts) == (70_000, None)
    assert block.update(many).columns["id"].distinct == 70_000
    assert block.update(pa.table({"id": ["one", "more", "id7"]})).columns["id"].distinct == 70_002
    assert SageMakerBlock.from_json(block.to_json()).update(many).to_json() == block.update(many).to_json()


@settings(max_examples=25, deadline=None)
@given(
    st.lists(
        st.tuples(
            st.sampled_from(["1", "+2", "- 3", "0.5", "1e999", "true", "oops", "", None]),
            st.one_of(st.none(), st.integers(-9, 9).map(str)),
            st.one_of(st.none(), st.floats()),
        ),
        min_size=1,
        max_size=12,
    ),
    st.lists(st.integers(0, 12), max_size=3),
)
def test_the_block_of_batches_is_the_block_of_the_whole(rows: list[tuple[Any, ...]], cuts: list[int]) -> None:
    types = {"odd": pa.string(), "digits": pa.string(), "number": pa.float64()}
    cells = zip(*rows, strict=True)
    whole = pa.table({name: pa.array(one, type_) for (name, type_), one in zip(types.items(), cells, strict=True)})

    def read(columns: Sequence[str] | None) -> list[pa.Table]:
        found = whole if columns is None else whole.select(columns)
        return [found.slice(start, end - start) for start, end in pairwise([0, *sorted(cuts), len(rows)])]

    profile, block = profile_and_block(read)
    assert block.to_json() == SageMakerBlock.of(whole).to_json()
    assert profile.to_json() == TableProfile.of(whole).to_json()


def test_the_table_is_not_changed_and_neither_is_the_block() -> None:
    values = np.arange(5_000.0)
    rows = pa.table({"x": values})
    block = SageMakerBlock.of(rows)
    text = block.to_json()
    block.update(rows)
    assert block.to_json() == text
    assert rows["x"].to_numpy().tolist() == values.tolist()
