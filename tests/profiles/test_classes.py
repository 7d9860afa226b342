"""Class profiles: what counts as a class, what is counted apart, and that any split adds to the same bytes."""

import random
from functools import reduce
from itertools import pairwise
from operator import add
from typing import Any

import numpy as np
import orjson
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from monitor_tasks.profiles import classes as room
from monitor_tasks.profiles.classes import Classes, ClassProfile, Shares

CELLS = st.none() | st.sampled_from(["a", "b", "c", "10", "9", "9.0", "nan", " ", "inf", "a "])
PARTS = st.sampled_from([(0.2, 0.3, 0.5), (0.5, 0.5, 0.0), (1 / 3, 1 / 3, 1 / 3), (1.0, 0.0, 0.0), (0.5, 0.1, 0.1),
                         (float("nan"), 0.5, 0.5), (-0.1, 0.6, 0.5)])  # fmt: skip
tables = st.lists(st.tuples(CELLS, CELLS, PARTS), max_size=30)
randoms = st.randoms(use_true_random=False)
NAMES = ("9", "a", "b")


def profile(rows: list[Any], *, given_: bool = True) -> ClassProfile:
    label, predicted = (pa.array([row[place] for row in rows], pa.string()) for place in range(2))
    shares = Shares.of(
        {name: pa.array([row[2][place] for row in rows], pa.float64()) for place, name in enumerate(NAMES)}
    )
    return ClassProfile.of(label, Classes.of(predicted) if given_ else shares.most_probable, shares)


@settings(max_examples=80)
@pytest.mark.parametrize("limit", [128, 2])
@pytest.mark.parametrize("given_", [True, False])
@given(rows=tables, chance=randoms)
def test_any_split_in_any_order_adds_to_the_same_bytes(
    limit: int, given_: bool, rows: list[Any], chance: random.Random
) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(room, "CLASS_LIMIT", limit)
        whole = profile(rows, given_=given_)
        mixed = chance.sample(rows, len(rows))
        cuts = pairwise([0, *sorted(chance.randint(0, len(rows)) for _ in range(3)), len(rows)])
        parts = [profile(mixed[start:end], given_=given_) for start, end in cuts]
        assert reduce(add, parts).to_json() == reduce(add, parts[::-1]).to_json() == whole.to_json()
        assert (parts[0] + (parts[1] + (parts[2] + parts[3]))).to_json() == whole.to_json()
        zero = ClassProfile()
        assert (zero + whole).to_json() == (whole + zero).to_json() == whole.to_json()
        again = ClassProfile.from_json(whole.to_json())
        assert again == whole
        assert (again + again).to_json() == (whole + whole).to_json()


@pytest.mark.parametrize(
    "column",
    [
        pa.array(["1", "1.0", " 1.00", "2", "NaN", "", None]),
        pa.array([1, 1.0, 1.0, 2, float("nan"), float("inf"), None], pa.float64()),
        pa.chunked_array([["1", "1"], ["+1", "2", " nan ", "-inf", None]]).dictionary_encode(),
    ],
)
def test_a_number_is_one_class_however_it_is_written(column: Any) -> None:
    found = Classes.of(column)
    assert found.names == ("1", "2")
    assert found.codes.tolist() == [0, 0, 0, 1, -1, -1, -2]


def test_every_row_is_counted_once_in_its_place() -> None:
    even, odd = (0.2, 0.3, 0.5), (0.5, 0.1, 0.1)
    found = profile([("a", "a", even), ("a", "b", even), ("b", "b", odd), (None, "a", even), ("nan", "a", even),
                     ("c", "", even)])  # fmt: skip
    assert (found.rows, found.labelled, found.unknown_labels, found.unusable_predictions) == (6, 4, 1, 1)
    assert (found.judged, found.cells) == (3, {("a", "a"): 1, ("a", "b"): 1, ("b", "b"): 1})
    assert found.confusion()[0] == ("a", "b")
    assert found.confusion()[1].tolist() == [[1, 1], [0, 1]]
    known = found.probabilities
    assert (known.ranks, known.judged, known.unusable, known.unknown_labels) == ((0, 2), 2, 1, 1)
    assert known.confidences[10] == 5


def test_of_equally_probable_classes_the_last_one_leads() -> None:
    found = profile([("9", None, (0.5, 0.5, 0.0)), ("a", None, (0.5, 0.5, 0.0))], given_=False)
    assert found.cells == {("9", "a"): 1, ("a", "a"): 1}
    assert found.probabilities.ranks == (1, 1)


def test_past_the_limit_outcomes_are_not_kept_and_all_else_is() -> None:
    names = pa.array(np.arange(129).astype(str))
    found = ClassProfile.of(names, Classes.of(names))
    assert (found.cells, found.judged) == (None, 129)
    assert ClassProfile.of(names.slice(1), Classes.of(names.slice(1))).cells is not None
    assert (ClassProfile.of(names.slice(0, 90), Classes.of(names.slice(0, 90))) + found).cells is None


def test_a_profile_of_the_first_form_is_read_and_has_no_steps() -> None:
    shares = Shares(("a", "b"), np.array([[0.3, 0.7], [0.6, 0.4]]))
    profile = ClassProfile.of(pa.array(["a", None]), shares.most_probable, shares)
    assert profile.steps == {("a", "b", 19): (1, 0, 0), ("b", "b", 44): (0, 1, 0), ("a", "a", 38): (0, 0, 1),
                             ("b", "a", 25): (0, 0, 1)}  # fmt: skip
    assert ClassProfile.from_json(profile.to_json()) == profile
    stored = orjson.loads(profile.to_json())
    del stored["steps"]
    former = ClassProfile.from_json(orjson.dumps({**stored, "schema_version": 1}))
    assert (former.steps, former.cells) == ({}, profile.cells)
