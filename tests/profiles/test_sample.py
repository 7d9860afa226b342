"""The sample of explained rows is a sum: any split, any order, the same bytes."""

import random
from functools import reduce
from operator import add

import numpy as np
import orjson
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor_tasks.profiles.sample import Entry, Explained, SampleProfile

hashes = st.integers(0, 5) | st.integers(0, 2**64 - 1)
values = st.sampled_from([0.0, -0.0, 1.5, -2.0]) | st.floats()
rows = st.lists(st.tuples(hashes, values, values, st.sampled_from([0.5, -1.0])), max_size=25)
limits = st.none() | st.integers(0, 30)


def table(known: list[tuple[int, float, float, float]], expected: float = 0.5) -> pa.Table:
    columns = list(zip(*known, strict=True)) or [(), (), (), ()]
    kinds = {"@hash": pa.uint64(), "b": pa.float64(), "a": pa.float64()}
    arrays = {name: pa.array(cells, kind) for (name, kind), cells in zip(kinds.items(), columns, strict=False)}
    return pa.table(arrays, metadata={"expected_value": repr(expected)})


@given(rows, limits, st.integers(0, 99))
def test_any_split_in_any_order_gives_the_same_bytes(
    known: list[tuple[int, float, float, float]], k: int | None, seed: int
) -> None:
    chance = random.Random(seed)
    whole = table(known)
    mixed = whole.take(pa.array(chance.sample(range(len(known)), len(known)), pa.int64())).select(["a", "@hash", "b"])
    cut = chance.randint(0, len(known))
    parts = [SampleProfile.of(part, k) for part in (mixed.slice(0, cut), mixed.slice(cut))]
    profile = SampleProfile.of(whole, k)
    assert reduce(add, parts).to_json() == reduce(add, parts[::-1]).to_json() == profile.to_json()
    assert SampleProfile.from_json(profile.to_json()) == profile
    assert SampleProfile.from_json(profile.to_json()).to_json() == profile.to_json()


@given(st.lists(st.tuples(rows, limits, st.sampled_from([0.5, -1.0])), min_size=3, max_size=3))
def test_adding_is_associative_and_commutative_and_has_a_zero(
    parts: list[tuple[list[tuple[int, float, float, float]], int | None, float]],
) -> None:
    a, b, c = (SampleProfile.of(table(known, expected), k) for known, k, expected in parts)
    assert ((a + b) + c).to_json() == (a + (b + c)).to_json() == ((c + b) + a).to_json()
    assert (a + SampleProfile()).to_json() == (SampleProfile() + a).to_json() == a.to_json()


def test_the_smallest_hashes_are_kept_and_all_rows_counted() -> None:
    profile = SampleProfile.of(table([(9, 1.0, 2.0, 0), (3, 3.0, 4.0, 0), (5, 5.0, 6.0, 0)]), 2)
    assert (profile.rows, profile.k, profile.features) == (3, 2, ("a", "b"))
    assert profile.entries == (Entry(3, (4.0, 3.0), (0.5,)), Entry(5, (6.0, 5.0), (0.5,)))
    assert np.array_equal(profile.values, [[4.0, 3.0], [6.0, 5.0]])


def test_equal_rows_of_two_parts_are_two_rows() -> None:
    one = SampleProfile.of(table([(1, 1.0, 1.0, 0)]), 10)
    assert (one + one).entries == one.entries * 2
    assert (one + one).rows == 2


def test_a_row_with_an_undefined_value_is_counted_and_not_kept() -> None:
    profile = SampleProfile.of(table([(1, np.nan, 1.0, 0), (2, np.inf, 1.0, 0), (3, 1.0, 1.0, 0)]))
    assert (profile.rows, [entry.hash for entry in profile.entries]) == (3, [3])


def test_rows_that_are_not_explained_are_only_counted() -> None:
    profile = SampleProfile.of(pa.table({"x": ["a", "b"]}), 5)
    assert profile == SampleProfile(2, 5)
    assert profile.values.shape == (0, 0)
    assert (profile + SampleProfile.of(table([(1, 1.0, 1.0, 0)]), 5)).features == ("a", "b")


def test_samples_of_different_features_refuse_to_add() -> None:
    one = SampleProfile.of(table([(1, 1.0, 1.0, 0)]))
    with pytest.raises(ValueError, match="samples of different features do not add: b"):
        one + SampleProfile(1, None, ("a",))


def labelled(names: list[str], rows: list[list[float]]) -> pa.Table:
    """One feature of several labels."""
    told = {"labels": orjson.dumps(names).decode(), "expected_value": str([0.5] * len(names)), "explainer": "linear",
            "scale": "margin", "evaluations": "0", "residual": "0.0", "background": "{}"}  # fmt: skip
    cells = pa.array(rows, pa.list_(pa.float64(), len(names)))
    return pa.table({"@hash": pa.array(range(len(rows)), pa.uint64()), "a": cells}, metadata=told)


def test_several_labels_have_values_of_their_own_and_survive_the_file() -> None:
    whole = SampleProfile.of(labelled(["no", "yes"], [[1.0, 2.0], [3.0, 4.0], [5.0, np.nan]]))
    assert whole.values_of("yes").tolist() == [[2.0], [4.0]]
    assert whole.expected_of("no") == [0.5, 0.5]
    assert (whole.explained, whole.background) == ((Explained("linear", "margin", 0, 0.0),), "{}")
    assert SampleProfile.from_json(whole.to_json()) == whole
    assert (whole + SampleProfile()) == whole
    with pytest.raises(ValueError, match="samples of different labels do not add"):
        whole + SampleProfile.of(labelled(["a"], [[1.0]]))


def test_a_profile_of_the_first_version_is_read() -> None:
    text = b'{"schema_version":1,"rows":2,"k":5,"features":["a"],"entries":[[1,[0.5],0.25],[2,[0.5],null]]}'
    known = SampleProfile.from_json(text)
    assert known.entries == (Entry(1, (0.5,), (0.25,)), Entry(2, (0.5,)))
    assert known.labels == ("label0",)
