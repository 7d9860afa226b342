"""Replicate sums: exact, the same in any order and split, and as far apart as other samples would be."""

import random
from fractions import Fraction
from functools import reduce
from operator import add

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor_tasks.profiles import replicates
from monitor_tasks.profiles.replicates import REPLICATES, ReplicateSums, replicate_sums, row_hashes

FINITE = st.floats(-1e150, 1e150) | st.sampled_from([0.0, -0.0, 1e150, -1e150, 5e-324, 1e-300, 0.1, 3.0])
randoms = st.randoms(use_true_random=False)


def hashes(rows: int) -> np.ndarray:
    return np.random.default_rng(1).integers(0, 2**63, rows).astype(np.uint64)


@given(st.lists(FINITE, max_size=30))
def test_sums_are_exactly_those_of_the_weighed_numbers(numbers: list[float]) -> None:
    values, keys = np.array(numbers, np.float64), hashes(len(numbers))
    found = replicate_sums(keys, {"values": values})
    weights = replicates._weights(keys)
    assert found["rows"].fractions() == [Fraction(int(one)) for one in weights.sum(axis=0)]
    for place in (0, 1, REPLICATES - 1):
        pairs = zip(weights[:, place].tolist(), numbers, strict=True)
        assert found["values"].fractions()[place] == sum((int(w) * Fraction(x) for w, x in pairs), Fraction())


@given(numbers=st.lists(FINITE, min_size=1, max_size=30), chance=randoms)
def test_any_split_in_any_order_gives_the_same_sums(numbers: list[float], chance: random.Random) -> None:
    values, keys = np.array(numbers), hashes(len(numbers))
    whole = replicate_sums(keys, {"values": values})["values"]
    mixed = np.array(chance.sample(range(len(numbers)), len(numbers)))
    parts = np.array_split(mixed, 3)
    sums = [replicate_sums(keys[part], {"values": values[part]})["values"] for part in parts]
    assert reduce(add, sums) == reduce(add, sums[::-1]) == whole
    assert ReplicateSums.from_list(whole.to_list()) == whole
    assert whole + ReplicateSums() == whole


def test_blocks_add_up(monkeypatch: pytest.MonkeyPatch) -> None:
    values, keys = np.random.default_rng(2).lognormal(0, 20, 1000), hashes(1000)
    whole = replicate_sums(keys, {"values": values})
    monkeypatch.setattr(replicates, "_BLOCK", 7)
    assert replicate_sums(keys, {"values": values}) == whole


def test_weights_are_poissons_and_replicates_do_not_depend_on_each_other() -> None:
    weights = replicates._weights(np.arange(20_000, dtype=np.uint64))
    assert weights.shape == (20_000, REPLICATES)
    assert weights.mean() == pytest.approx(1, abs=0.002)
    assert weights.var() == pytest.approx(1, abs=0.005)
    assert (weights == 0).mean() == pytest.approx(np.exp(-1), abs=0.001)
    correlations = np.corrcoef(weights[:, :40].T)[~np.eye(40, dtype=bool)]
    assert np.abs(correlations).max() < 0.04


def test_means_of_replicates_are_as_far_apart_as_those_of_other_samples() -> None:
    values = np.random.default_rng(3).exponential(2, 4000)
    found = replicate_sums(hashes(4000), {"values": values})
    means = [
        float(total / rows) for total, rows in zip(found["values"].fractions(), found["rows"].fractions(), strict=True)
    ]
    assert np.std(means) == pytest.approx(values.std() / 4000**0.5, rel=0.15)
    assert np.mean(means) == pytest.approx(values.mean(), abs=0.02)


def test_rows_are_told_apart_by_their_event_id_else_by_all_cells() -> None:
    table = pa.table({"@event_id": ["a", "b", "a"], "label": [1, 2, 3]})
    ids = row_hashes(table)
    assert (ids[0] == ids[2], ids[0] == ids[1]) == (True, False)
    cells = row_hashes(table.select(["label"]))
    assert len(set(cells.tolist())) == 3
    same = pa.table({"b": ["x", "y"], "a": [1.0, 2.0]})
    other = pa.table({"a": [1, 2], "b": ["x", "y"]})
    assert row_hashes(same).tolist() == row_hashes(other).tolist()
    assert len(row_hashes(table.slice(0, 0))) == 0
