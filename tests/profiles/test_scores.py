"""Score profiles: what is counted, what is counted apart, and that any split adds to the same bytes."""

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

from monitor_tasks.profiles import scores as room
from monitor_tasks.profiles.scores import SCORE_LIMIT, Predictions, ScoreProfile, Tally, numbers

TEXTS = ["0", "1", "0.0", "1.0", " 1", "0.25", ".5", "5e-1", "0.75", "1e-400", "-0.0"]
STRANGE = ["yes", "", "2", "-0.1", "1.0000001", "NaN", "inf", "true", "0x1", "1e400", "0,5"]
cells = st.none() | st.sampled_from(TEXTS + STRANGE)
tables = st.lists(st.tuples(cells, cells, cells), max_size=40)
randoms = st.randoms(use_true_random=False)


def profile(rows: list[Any], *, scores: bool = True, classes: bool = True) -> ScoreProfile:
    label, score, class_ = (pa.array([row[place] for row in rows], pa.string()) for place in range(3))
    return ScoreProfile.of(label, Predictions(score if scores else None, class_ if classes else None))


def slices(size: int, chance: random.Random) -> list[tuple[int, int]]:
    return list(pairwise([0, *sorted(chance.randint(0, size) for _ in range(3)), size]))


@pytest.mark.parametrize(("scores", "classes"), [(True, True), (True, False), (False, True)])
@given(rows=tables, chance=randoms)
def test_any_split_in_any_order_adds_to_the_same_bytes(
    scores: bool, classes: bool, rows: list[Any], chance: random.Random
) -> None:
    whole = profile(rows, scores=scores, classes=classes)
    mixed = chance.sample(rows, len(rows))
    parts = [profile(mixed[start:end], scores=scores, classes=classes) for start, end in slices(len(rows), chance)]
    assert reduce(add, parts).to_json() == reduce(add, parts[::-1]).to_json() == whole.to_json()
    assert (parts[0] + (parts[1] + (parts[2] + parts[3]))).to_json() == whole.to_json()
    assert (ScoreProfile() + whole).to_json() == (whole + ScoreProfile()).to_json() == whole.to_json()


@settings(max_examples=60)
@given(rows=tables, chance=randoms)
def test_past_the_limit_any_split_adds_to_the_same_bytes_too(rows: list[Any], chance: random.Random) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(room, "SCORE_LIMIT", 2)
        test_any_split_in_any_order_adds_to_the_same_bytes.hypothesis.inner_test(True, False, rows, chance)


@settings(max_examples=60)
@given(rows=tables, chance=randoms)
def test_coarser_profiles_of_any_split_add_to_that_of_the_whole(rows: list[Any], chance: random.Random) -> None:
    whole, parts = profile(rows), [profile(rows[start:end]) for start, end in slices(len(rows), chance)]
    for steps in (2, 4):
        coarse = whole.coarser(steps)
        assert reduce(add, (one.coarser(steps) for one in parts)).to_json() == coarse.to_json()
        assert (whole.coarser(steps) + ScoreProfile()).to_json() == coarse.to_json()
        assert ScoreProfile.from_json(coarse.to_json()) == coarse
        assert whole.coarser(8).coarser(steps) == coarse
        assert (coarse.judged, coarse.losses) == (whole.judged, whole.losses)
        assert max(len(tally.scores) for tally in (coarse.known, coarse.waiting)) <= steps + 1  # one may be missing


@given(tables)
def test_a_profile_survives_its_file(rows: list[Any]) -> None:
    whole = profile(rows)
    again = ScoreProfile.from_json(whole.to_json())
    assert again == whole
    assert hash(again.known) == hash(whole.known)
    assert again.to_json() == whole.to_json()
    assert (again + again).to_json() == (whole + whole).to_json()


@given(tables)
def test_every_row_is_counted_once_in_its_place(rows: list[Any]) -> None:
    found = profile(rows)
    label, score, class_ = (numbers(pa.array([row[place] for row in rows], pa.string())) for place in range(3))
    has_label = (label == 0) | (label == 1)
    usable = (score >= 0) & (score <= 1) & ((class_ == 0) | (class_ == 1))
    missing = np.array([row[0] is None for row in rows], bool)
    assert found.rows == len(rows)
    assert found.labelled == has_label.sum()
    assert found.unknown_labels == (~has_label & ~missing).sum()
    assert found.unusable_predictions == (~usable).sum()
    assert found.judged == (has_label & usable).sum()
    assert found.waiting.counts.sum() == (missing & usable).sum()


def test_counts_of_a_small_table() -> None:
    found = profile(
        [("1", "0.9", "1"), ("1.0", "0.9", "0"), ("0", "0.25", "0"), (None, "0.25", "1"), ("maybe", "1", "1")]
    )
    assert found.known.scores.tolist() == [0.25, 0.9]
    assert found.known.counts.tolist() == [[1, 0, 0, 0], [0, 0, 1, 1]]
    assert (found.waiting.scores.tolist(), found.waiting.counts.tolist()) == ([0.25], [[0, 1]])
    assert (found.rows, found.labelled, found.unknown_labels, found.unusable_predictions) == (5, 3, 1, 0)
    assert found.known.scored


@pytest.mark.parametrize("strange", [text for text in STRANGE if text != "2"])
def test_a_strange_label_or_prediction_is_never_taken_for_zero(strange: str) -> None:
    assert profile([(strange, "0.5", "0")]).unknown_labels == 1
    assert profile([("0", strange, "0")]).unusable_predictions == 1
    assert profile([("0", "0.5", strange)]).unusable_predictions == 1
    assert profile([(strange, "0.5", "0"), ("0", strange, "0"), ("0", "0.5", strange)]).judged == 0


def test_without_a_class_the_score_has_to_be_larger_than_the_cut() -> None:
    label, score = pa.array([0, 0, 0]), pa.array([0.79, 0.8, 0.81])
    found = ScoreProfile.of(label, Predictions(score, cut=0.8))
    assert found.known.counts.tolist() == [[1, 0, 0, 0], [1, 0, 0, 0], [0, 1, 0, 0]]


def test_without_a_score_outcomes_are_counted_all_the_same() -> None:
    found = profile([("1", None, "1"), ("0", "x", "1")], scores=False)
    assert found.known.counts.tolist() == [[0, 1, 0, 1]]
    assert not found.known.scored
    assert b'"scores":[null]' in found.to_json()


def test_without_any_prediction_every_row_is_unusable() -> None:
    found = profile([("1", "1", "1")], scores=False, classes=False)
    assert (found.rows, found.unusable_predictions, found.judged) == (1, 1, 0)


@pytest.mark.parametrize(
    "column",
    [
        pa.array(["0", "1", None], pa.large_string()),
        pa.array([0, 1, None], pa.int8()),
        pa.array([0, 1, None], pa.uint64()),
        pa.array([0.0, 1.0, None], pa.float32()),
        pa.array(["0", "1.0", None]).dictionary_encode(),
        pa.chunked_array([pa.array(["0"]), pa.array([], pa.string()), pa.array(["1", None])]),
        pa.array([0, 1, None], pa.decimal128(3, 1)),
    ],
    ids=lambda column: str(column.type),
)
def test_numbers_of_any_type_of_column(column: Any) -> None:
    assert np.array_equal(numbers(column), [0.0, 1.0, np.nan], equal_nan=True)
    assert ScoreProfile.of(column, Predictions(column)).known.counts.tolist() == [[1, 0, 0, 0], [0, 0, 0, 1]]


@pytest.mark.parametrize("column", [pa.array([True, False]), pa.nulls(2), pa.array([[1], [0]])], ids=str)
def test_a_column_of_no_numbers_has_none(column: Any) -> None:
    assert np.isnan(numbers(column)).all()


def tally(scores: Any) -> Tally:
    return Tally.of(np.asarray(scores, np.float64), np.zeros(len(scores), np.int64), 1)


def test_scores_are_exact_up_to_the_limit_and_steps_beyond_it() -> None:
    chance = np.random.default_rng(3)
    values = np.unique(chance.random(SCORE_LIMIT + 1))
    assert len(values) == SCORE_LIMIT + 1
    at_limit, beyond = tally(values[1:]), tally(values)
    assert at_limit.exact
    assert np.array_equal(at_limit.scores, values[1:])
    assert not beyond.exact
    assert np.abs(np.repeat(beyond.scores, beyond.counts[:, 0]) - values).max() <= 1 / 131_072
    assert at_limit + tally(values[:1]) == beyond
    assert (at_limit + at_limit).exact
    assert beyond + tally([]) == beyond
    assert (beyond + at_limit).counts.sum() == 2 * SCORE_LIMIT + 1


def test_the_ends_of_the_unit_interval_lie_on_steps_of_their_own() -> None:
    ends = tally(np.concatenate([np.linspace(0, 1, SCORE_LIMIT + 1), [0.0, 1.0]]))
    assert not ends.exact
    assert len(ends.scores) == SCORE_LIMIT
    assert ends.scores[0] == 0.5 / SCORE_LIMIT
    assert ends.scores[-1] == 1 - 0.5 / SCORE_LIMIT
    assert ends.counts.sum() == SCORE_LIMIT + 3


def test_losses_of_the_first_form_are_read_off_the_scores() -> None:
    chance = np.random.default_rng(4)
    scores = chance.random(500).round(2)
    found = ScoreProfile.of(pa.array((chance.random(500) < scores).astype(int)), Predictions(pa.array(scores)))
    first = orjson.loads(found.to_json())
    del first["losses"]
    assert ScoreProfile.from_json(orjson.dumps({**first, "schema_version": 1})) == found
    by_class = ScoreProfile.of(pa.array([0, 1]), Predictions(None, pa.array([0, 1])))
    assert by_class.losses == ScoreProfile().losses
