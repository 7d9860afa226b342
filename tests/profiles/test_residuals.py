"""Regression profiles: what is summed up, what is counted apart, and that any split adds to the same bytes."""

import random
from functools import reduce
from itertools import pairwise
from operator import add
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from monitor_tasks.profiles import residuals as room
from monitor_tasks.profiles.replicates import row_hashes
from monitor_tasks.profiles.residuals import RegressionProfile, ResidualTally

STRANGE = ["0", "-0.0", "1", "1.0", "5e-324", "-1e149", "NaN", "inf", "", "yes", "1e151"]
CELLS = st.none() | st.floats(-1e6, 1e6).map(repr) | st.sampled_from(STRANGE)
tables = st.lists(st.tuples(CELLS, CELLS), max_size=30)
randoms = st.randoms(use_true_random=False)


def profile(rows: list[Any]) -> RegressionProfile:
    label, predicted = (pa.array([row[place] for row in rows], pa.string()) for place in range(2))
    return RegressionProfile.of(label, predicted, row_hashes(pa.table({"label": label, "predicted": predicted})))


@settings(max_examples=60)
@pytest.mark.parametrize("limit", [4096, 3])
@given(rows=tables, chance=randoms)
def test_any_split_in_any_order_adds_to_the_same_bytes(limit: int, rows: list[Any], chance: random.Random) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(room, "RESIDUAL_LIMIT", limit)
        whole = profile(rows)
        mixed = chance.sample(rows, len(rows))
        cuts = pairwise([0, *sorted(chance.randint(0, len(rows)) for _ in range(3)), len(rows)])
        parts = [profile(mixed[start:end]) for start, end in cuts]
        assert reduce(add, parts).to_json() == reduce(add, parts[::-1]).to_json() == whole.to_json()
        assert (parts[0] + (parts[1] + (parts[2] + parts[3]))).to_json() == whole.to_json()
        zero = RegressionProfile()
        assert (zero + whole).to_json() == (whole + zero).to_json() == whole.to_json()
        again = RegressionProfile.from_json(whole.to_json())
        assert again == whole
        assert (again + again).to_json() == (whole + whole).to_json()


def test_every_row_is_counted_once_in_its_place() -> None:
    found = profile([("1", "2"), ("0", "1"), (None, "3"), ("NaN", "1"), ("inf", "1"), ("1e151", "1"), ("2", None),
                     ("2", "-inf"), ("yes", "no")])  # fmt: skip
    assert (found.rows, found.labelled, found.unknown_labels, found.unusable_predictions) == (9, 4, 4, 3)
    assert (found.judged, found.relative) == (2, 1)
    assert found.residuals.scores.tolist() == [1.0]
    assert found.residuals.counts.tolist() == [[2]]
    assert float(found.errors.relative) == 1.0


def test_a_ratio_to_a_label_next_to_0_is_none() -> None:
    found = profile([("5e-324", "1"), ("2", "3")])
    assert (found.judged, found.relative, float(found.errors.relative)) == (2, 1, 0.5)


def test_past_the_limit_a_residual_is_known_within_a_256th() -> None:
    values = np.sort(np.random.default_rng(1).normal(0, 1e3, 10_000))
    tally = ResidualTally.of(values, np.zeros(10_000, np.int64), 1)
    assert not tally.exact
    assert len(tally.scores) < 10_000
    stepped = np.sort(tally.stepped(values))
    assert (np.abs(stepped) <= np.abs(values)).all()
    assert (np.abs(values) < np.abs(stepped) * (1 + 1 / 256)).all()


def test_the_square_of_a_label_is_whole_in_its_two_parts() -> None:
    labels = np.array([1.7e9 + 0.1, -0.1, 1e149, 3.0, 1e-300])
    terms = room._terms(labels, labels)
    for label, square, rest in zip(labels, terms["label_squares"], terms["label_square_rests"], strict=True):
        exact = room.ExactSum.of_squares(np.array([label])).fraction()
        known = room.ExactSum.of(np.array([square, rest])).fraction()
        assert abs(known - exact) <= exact / 2**100 + 2**-1074
