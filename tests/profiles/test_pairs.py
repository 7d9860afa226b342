"""Pairs of predictions add up whatever the split, are counted by what both said, and survive their file."""

import random
from functools import reduce
from itertools import pairwise
from operator import add

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from monitor_tasks.profiles import pairs
from monitor_tasks.profiles.classes import Classes
from monitor_tasks.profiles.moments import ExactSum
from monitor_tasks.profiles.pairs import Call, PairProfile, log_odds_step

ROWS = st.lists(
    st.tuples(st.integers(0, 2), st.integers(0, 2), st.integers(0, 2), st.floats(0, 1), st.floats(0, 1)), max_size=30
)
Row = tuple[int, int, int, float, float]


def profiled(rows: list[Row]) -> PairProfile:
    """The profile of rows: label, class of either side, and their probabilities, of which 0 is none."""

    def call(said: int) -> Call:
        scores = np.array([row[2 + said] or np.nan for row in rows], np.float64)
        classes = (Classes(("a", "b", "c"), np.array([row[at] for row in rows], np.int64)) for at in (0, said))
        return Call(*classes, log_odds_step(scores), np.stack([scores, scores**2], axis=1).reshape(-1, 2))

    return PairProfile.of(call(1), call(2))


@settings(max_examples=40)
@given(rows=ROWS, chance=st.randoms(use_true_random=False), limit=st.sampled_from([3, pairs.PAIR_LIMIT]))
def test_any_split_in_any_order_adds_up_to_the_same(rows: list[Row], chance: random.Random, limit: int) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pairs, "PAIR_LIMIT", limit)
        mixed = chance.sample(rows, len(rows))
        cuts = [0, *sorted(chance.randint(0, len(rows)) for _ in range(3)), len(rows)]
        parts = [profiled(mixed[start:end]) for start, end in pairwise(cuts)]
        whole = profiled(rows)
        assert reduce(add, parts).to_dict() == reduce(add, parts[::-1]).to_dict() == whole.to_dict()
        assert whole + PairProfile() == PairProfile() + whole == whole
        assert PairProfile.from_dict(whole.to_dict()) == whole
        assert (whole.cells is None) == (len({_cell(row) for row in rows}) > limit)


def _cell(row: Row) -> tuple[int, ...]:
    return (*row[:3], *log_odds_step(np.array([score or np.nan for score in row[3:]])).tolist())


def test_what_is_counted_can_be_read_off() -> None:
    found = profiled([(0, 0, 1, 0.5, 0.5), (0, 0, 1, 0.5, 0.5), (2, 2, 2, 0.0, 0.25)])
    assert found.cells == {("a", "a", "b", 24, 24): 2, ("c", "c", "c", -1, 22): 1}
    assert (found.rows, found.scored, found.losses.logarithmic.total) == (3, 2, ExactSum())
