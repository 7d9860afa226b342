"""Distributions as a person looks at them: bars are round, add up to all rows, and hide nothing."""

import numpy as np
import pyarrow as pa
import pytest

from monitor_tasks.exhibit import Comparison
from monitor_tasks.metrics.distributions import BARS, CATEGORIES, by_label, compared, cut, scores, thinned
from monitor_tasks.profiles.columns import Edges, TableProfile
from monitor_tasks.profiles.scores import Predictions, ScoreProfile

SEEDED = np.random.default_rng(7)


def beside(here: pa.Array, there: pa.Array) -> Comparison:
    """The column of two tables, both counted on the second one's edges."""
    edges = Edges.of(pa.table({"c": there}))
    mine, theirs = (TableProfile.of(pa.table({"c": one}), edges).columns["c"] for one in (here, there))
    return compared("c", mine, theirs, edges.by_column.get("c"))


def adds_up(found: Comparison) -> bool:
    sums = [sum(one or 0 for one in side) for side in zip(*((p.here, p.baseline) for p in found.pairs), strict=True)]
    return all(total == pytest.approx(1) for total in sums)


@pytest.mark.parametrize(
    "numbers",
    [
        SEEDED.normal(size=5000),
        SEEDED.lognormal(0, 3, size=5000),
        SEEDED.normal(1.7e9, 1e-3, size=5000),
        np.concatenate([SEEDED.normal(-1e300, 1e290, 3000), SEEDED.normal(1.7e308, 1e290, 3000)]),
        np.linspace(-1, 1, 5000) * 1.79e308,
        np.linspace(0, 1e-310, 5000),
        np.concatenate([np.zeros(4000), SEEDED.normal(size=3000)]),
        SEEDED.integers(18, 76, 4000).astype(float),
    ],
    ids=["normal", "lognormal", "timestamps", "two clusters", "overflow", "denormal", "zeros", "whole"],
)
def test_a_histogram_has_few_rising_cuts_and_adds_up(numbers: np.ndarray) -> None:
    found = beside(pa.array(numbers[::2]), pa.array(numbers))
    assert adds_up(found)
    assert 2 <= len(found.pairs) <= BARS + 3
    assert list(found.cuts) == sorted(set(found.cuts))
    assert np.isfinite(found.cuts).all()


def test_what_lies_outside_of_the_baseline_is_in_the_tails() -> None:
    found = beside(pa.array(np.linspace(1000, 2000, 3000)), pa.array(np.linspace(0, 1, 3000)))
    assert found.pairs[-1].here == pytest.approx(1)
    assert found.pairs[-1].baseline == pytest.approx(0, abs=0.06)


def test_cuts_of_whole_numbers_are_whole() -> None:
    assert all(one == int(one) for one in cut(np.arange(0.0, 60.0), None, whole=True))


def test_bars_agree_with_the_rows() -> None:
    here, there = SEEDED.normal(0.3, 1, 4000), SEEDED.normal(0, 1, 4000)
    found = beside(pa.array(here), pa.array(there))
    counted = np.histogram(here, [-np.inf, *found.cuts, np.inf])[0] / len(here)
    assert np.abs(counted - [pair.here for pair in found.pairs]).max() < 0.002


def test_few_numbers_are_told_one_by_one_in_their_order() -> None:
    found = beside(pa.array([2, 10, 10]), pa.array([10, 2, 1, 1]))
    assert [(pair.label, pair.here, pair.baseline) for pair in found.pairs] == [
        ("1", 0, 0.5),
        ("2", pytest.approx(1 / 3), 0.25),
        ("10", pytest.approx(2 / 3), 0.25),
    ]


def test_many_categories_are_twelve_and_the_others() -> None:
    found = beside(pa.array([f"v{i}" for i in range(10_000)]), pa.array(["v1", "v2"] * 50))
    assert len(found.pairs) == CATEGORIES + 1
    assert found.pairs[-1].label == "9,988 others"
    assert adds_up(found)


def test_a_column_that_lost_its_numbers_or_its_cells_says_so() -> None:
    found = beside(pa.array(["x", None, "1"]), pa.array([1.0, 2.0, 3.0]))
    facts = {fact.label: (fact.here, fact.baseline) for fact in found.facts}
    assert facts["missing cells"] == (1, 0)
    assert facts["String cells"] == (1, 0)
    nothing = beside(pa.nulls(3, pa.string()), pa.array(["a"] * 3))
    assert [(pair.here, pair.baseline) for pair in nothing.pairs] == [(None, 1.0)]


def test_without_a_baseline_many_numbers_have_no_histogram_and_few_have_bars() -> None:
    profile = TableProfile.of(pa.table({"many": np.arange(5000.0), "few": np.arange(5000) % 3}))
    many, few = (compared(name, profile.columns[name], None, None) for name in ("many", "few"))
    assert (many.pairs, "no baseline" in many.note) == ((), True)
    assert [pair.baseline for pair in few.pairs] == [None] * 3


def test_scores_count_what_is_labelled_and_what_is_not() -> None:
    predictions = Predictions(pa.array([0.01, 0.5, 0.99, 0.99]))
    profile = ScoreProfile.of(pa.array(["0", None, "1", None]), predictions)
    found = scores(profile, None)
    assert found is not None
    assert (found.pairs[0].here, found.pairs[-1].here) == (0.25, 0.5)
    assert scores(ScoreProfile(), profile) is None


def test_labels_are_sorted_by_the_baseline_and_limited() -> None:
    found = by_label("t", {"a": 1.0, "b": 3.0}, {"a": 2.0}, "value")
    assert [pair.label for pair in found.pairs] == ["a", "b"]
    many = by_label("t", {str(i): float(i) for i in range(100)}, {}, "value")
    assert (len(many.pairs), many.note) == (BARS, "76 more are left out")


def test_a_thinned_curve_keeps_its_ends() -> None:
    points = thinned(np.linspace(0, 1, 5000), np.linspace(0, 1, 5000))
    assert (len(points), points[0], points[-1]) == (100, (0, 0), (1, 1))
