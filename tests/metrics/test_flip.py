"""The flip test against scikit-learn's nearest neighbours on the raw rows, and what it says where it has no value."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.neighbors import KNeighborsClassifier

from monitor_tasks.metrics.flip import Sampled, flip_test


def rows(size: int, features: int, seed: int) -> Sampled:
    chance = np.random.default_rng(seed)
    matrix = chance.normal(size=(size, features))
    inside = chance.random(size) < 0.4
    positive = matrix[:, 0] + inside * 0.5 + chance.normal(size=size) > 0.2
    return Sampled(matrix, inside, positive, chance.integers(1, 4, size))


def by_scikit_learn(sampled: Sampled) -> float:
    """Clarify's definition, each row as often as it occurs (contract bias.md, section 2)."""
    matrix, inside, positive, _ = (np.repeat(column, sampled.counts, axis=0) for column in sampled)
    k = 1 if (~inside).sum() < 10 else 5
    neighbours = KNeighborsClassifier(k).fit(matrix[~inside], positive[~inside])
    mine, theirs = positive[inside], neighbours.predict(matrix[inside])
    return float((mine & ~theirs).sum() - (~mine & theirs).sum()) / len(mine)


@settings(max_examples=40)
@given(st.integers(12, 80), st.integers(1, 6), st.integers(0, 10**6))
def test_it_is_scikit_learns_neighbours_on_the_rows(size, features, seed) -> None:
    sampled = rows(size, features, seed)
    if 0 < sampled.inside.sum() < size:
        assert flip_test(sampled).value == pytest.approx(by_scikit_learn(sampled), abs=1e-12)


def test_few_rows_outside_have_one_neighbour_each() -> None:
    sampled = rows(12, 2, 3)._replace(inside=np.arange(12) >= 9, counts=np.ones(12, np.int64))
    assert flip_test(sampled).value == by_scikit_learn(sampled)
    assert flip_test(sampled._replace(inside=np.arange(12) >= 10)).value == by_scikit_learn(
        sampled._replace(inside=np.arange(12) >= 10)
    )


def test_its_deviation_is_that_of_drawing_the_rows_again() -> None:
    sampled = rows(400, 2, 1)._replace(counts=np.ones(400, np.int64))
    chance, drawn = np.random.default_rng(5), []
    for _ in range(150):
        again = chance.integers(0, 400, 400)
        drawn.append(by_scikit_learn(Sampled(*(column[again] for column in sampled))))
    found = flip_test(sampled)
    assert found.deviation == pytest.approx(np.std(drawn), rel=0.25)
    assert flip_test(rows(60, 2, 1)).deviation is None


def test_rows_without_a_number_are_left_out_and_nothing_is_made_of_nothing() -> None:
    whole = rows(40, 2, 2)
    holed = whole._replace(features=np.vstack([whole.features, [math.nan, 1], [math.inf, 1]]))
    more = Sampled(holed.features, np.r_[whole.inside, True, False], np.r_[whole.positive, True, True],
                   np.r_[whole.counts, 1, 1])  # fmt: skip
    assert flip_test(more).value == flip_test(whole).value
    assert flip_test(more).details["rows_sampled"] == flip_test(whole).details["rows_sampled"] + 2
    for inside, where in ((True, "outside the group"), (False, "of the group")):
        found = flip_test(whole._replace(inside=np.full(40, inside)))
        assert (found.value, found.because) == (None, f"no sampled row {where} has a number in every feature")


def test_many_rows_are_looked_at_in_pieces(monkeypatch) -> None:
    sampled = rows(120, 3, 9)
    whole = flip_test(sampled)
    monkeypatch.setattr("monitor_tasks.metrics.flip._AT_ONCE", 300)
    assert flip_test(sampled) == whole
