"""Entropy and interval width of predictions, against scipy on the rows."""

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import entropy

from monitor_tasks.tables.predictions import ENTROPY, WIDTH, with_uncertainty

PROBABILITY = st.floats(0, 1)


@given(st.lists(st.lists(st.floats(0.001, 1), min_size=3, max_size=3), min_size=1, max_size=20))
def test_the_entropy_of_several_classes_is_scipys(rows: list[list[float]]) -> None:
    shares = np.array([np.array(row) / sum(row) for row in rows])
    table = pa.table({f"p{index}": [repr(float(share)) for share in shares[:, index]] for index in range(3)})
    found = with_uncertainty(table, table.column_names, ())[ENTROPY].to_pylist()
    assert found == pytest.approx(entropy(shares, base=2, axis=1).tolist(), abs=1e-9)


@given(st.lists(PROBABILITY, min_size=1, max_size=20))
def test_the_entropy_of_one_probability_is_that_of_both_classes(shares: list[float]) -> None:
    found = with_uncertainty(pa.table({"p": shares}), ["p"], ())[ENTROPY].to_pylist()
    assert found == pytest.approx([float(entropy([one, 1 - one], base=2)) for one in shares], abs=1e-9)


@pytest.mark.parametrize(
    ("cells", "expected"),
    [
        (["-0.1", "1.1", "x", None, "nan", ""], [None] * 6),
        (["+0.5", "+ 0.5", "5e-1", "0.50"], [1.0] * 4),
        (["- 0.5", "0.5 ", "0,5"], [None] * 3),
    ],
)
def test_what_is_no_probability_is_missing(cells: list[str | None], expected: list[float | None]) -> None:
    table = pa.table({"p": pa.array(cells, pa.string())})
    assert with_uncertainty(table, ["p"], ())[ENTROPY].to_pylist() == expected


def test_classes_that_do_not_add_up_are_missing() -> None:
    table = pa.table({"a": ["0.5", "0.5", "0.3333"], "b": ["0.5", "0.6", "0.6666"]})
    found = with_uncertainty(table, ["a", "b"], ())[ENTROPY].to_pylist()
    assert found[:2] == [1.0, None]
    assert found[2] == pytest.approx(0.918, abs=1e-3)


def test_the_width_of_intervals() -> None:
    texts = pa.array(["1.5", "- 2", "x"]).dictionary_encode()
    table = pa.table({"low": texts, "high": [2.0, 2.0, 2.0]})
    assert with_uncertainty(table, (), ["low", "high"])[WIDTH].to_pylist() == [0.5, 4.0, None]


def test_rows_without_what_it_takes_and_rows_that_have_it_stay() -> None:
    table = pa.table({"p": [0.5], ENTROPY: [7.0]})
    assert with_uncertainty(table, ["p"], ["low", "high"]) is table
    assert with_uncertainty(pa.table({"q": [1]}), ["p"], ()).column_names == ["q"]
    assert with_uncertainty(table.select(["p"]).slice(0, 0), ["p"], ()).num_rows == 0
