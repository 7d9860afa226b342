"""Worst slices: every slice's numbers against pandas and scipy, a planted one found, and chance never confirmed."""

import numpy as np
import pyarrow as pa
import pytest
from scipy import stats

from monitor_tasks.metrics import slices
from monitor_tasks.metrics.slices import Condition, Features, Losses, Slice, confirm, search
from monitor_tasks.profiles.coded import Column

ROWS = 3000


def features(table: pa.Table) -> Features:
    return {name: Column.of(table[name]) for name in table.column_names}


def rows(seed: int, size: int = ROWS) -> pa.Table:
    chance = np.random.default_rng(seed)
    missing = chance.random(size) < 0.1
    return pa.table(
        {
            "city": chance.choice(["Bern", "Basel", "Chur", "Genf"], size),
            "age": pa.array(chance.integers(18, 90, size), mask=missing),
            "size": chance.choice(["1", "2", "3"], size),
            "id": [f"customer {row}" for row in range(size)],
        }
    )


def losses(table: pa.Table, seed: int, kind: str, hurt: float = 0.0) -> Losses:
    """What each row loses; where someone in Bern is over 71 it is `hurt` more."""
    chance, frame = np.random.default_rng(seed), table.to_pandas()
    bad = hurt * ((frame["city"] == "Bern") & (frame["age"] > 71)).to_numpy()
    if kind == "share":
        return (chance.random(len(frame)) < 0.15 + bad).astype(float)
    return np.abs(chance.standard_t(3, len(frame))) * (1 + 5 * bad)


every_kind = pytest.mark.parametrize("kind", ["share", "number"])


@every_kind
def test_every_slice_that_is_looked_at_has_the_numbers_of_pandas_and_scipy(kind: str) -> None:
    table = rows(1, 1200)
    lost, known = losses(table, 2, kind, 0.2), features(table)
    conditions = slices._conditions(known, len(lost), 50)
    met = np.stack([where for _, where in conditions], axis=1).astype(float)
    found = slices._contrasts(met, lost, np.array([one.column for one, _ in conditions]), 50)
    assert {str(one) for one, _ in conditions if one.column != "age"} == {
        *(f"city={city}" for city in ("Bern", "Basel", "Chur", "Genf")), "size=1", "size=2", "size=3"
    }  # fmt: skip
    too_few = 4 + 3  # rows without an age in a city, or of a size
    assert len(found.p_values) == 4 + 3 + 5 + 4 * 3 + 4 * 5 + 3 * 5 - too_few
    for place in range(0, len(found.p_values), 3):
        pair = {int(found.first[place]), int(found.second[place])}
        inside = Slice(tuple(conditions[one][0] for one in pair)).rows(known)
        expected = stats.ttest_ind(lost[inside], lost[~inside], equal_var=False, alternative="greater")
        assert found.rows[place] == inside.sum()
        assert found.means[place] == pytest.approx(lost[inside].mean(), abs=1e-9)
        assert found.means_outside[place] == pytest.approx(lost[~inside].mean(), abs=1e-9)
        assert found.p_values[place] == pytest.approx(expected.pvalue, abs=1e-9)


def test_a_condition_is_met_by_the_rows_that_pandas_picks() -> None:
    table = rows(3)
    known, frame = features(table), table.to_pandas()
    for condition, expected in (
        (Condition("city", "Bern"), frame["city"] == "Bern"),
        (Condition("size", "2"), frame["size"] == "2"),
        (Condition("age"), frame["age"].isna()),
        (Condition("age", above=30.0, up_to=45.0), frame["age"].between(30, 45, inclusive="right")),
        (Condition("age", up_to=30.0), frame["age"] <= 30),
        (Condition("age", above=45.0), frame["age"] > 45),
    ):
        assert condition.rows(known).tolist() == expected.tolist(), str(condition)


@every_kind
def test_a_contrast_is_the_one_of_scipy(kind: str) -> None:
    table = rows(4)
    lost, (bern,) = losses(table, 5, kind, 0.2), [Slice((Condition("city", "Bern"),))]
    (found,) = confirm([bern], features(table), lost)
    inside = table.to_pandas()["city"].to_numpy() == "Bern"
    here, there = lost[inside], lost[~inside]
    assert found is not None
    assert found[:2] == (inside.sum(), pytest.approx(here.mean(), abs=1e-12))
    assert found.deviation == pytest.approx(np.sqrt(here.var(ddof=1) / len(here) + there.var(ddof=1) / len(there)))
    if kind == "share":
        counts = [[here.sum(), (1 - here).sum()], [there.sum(), (1 - there).sum()]]
        p_value = stats.fisher_exact(np.array(counts, int), alternative="greater").pvalue
        low, high = stats.binomtest(int(here.sum()), len(here)).proportion_ci(0.95, method="exact")
    else:
        p_value = stats.ttest_ind(here, there, equal_var=False, alternative="greater").pvalue
        low, high = stats.t.interval(0.95, len(here) - 1, here.mean(), stats.sem(here))
    assert (found.p_value, found.lower, found.upper) == pytest.approx((p_value, low, high), rel=1e-9)


@every_kind
def test_a_planted_slice_of_two_columns_is_found_first_and_confirmed(kind: str) -> None:
    for seed in range(3):
        sample, others = rows(10 + seed), rows(20 + seed)
        found = search(features(sample), losses(sample, seed, kind, 0.4), 50, 0.05, 5)
        worst = found.candidates[0].slice
        assert {one.column for one in worst.conditions} == {"age", "city"}, str(worst)
        assert "city=Bern" in str(worst)
        (contrast, *_) = confirm([one.slice for one in found.candidates], features(others),
                                 losses(others, 30 + seed, kind, 0.4))  # fmt: skip
        assert contrast is not None
        assert contrast.p_value < 1e-6
        assert len(found.candidates) <= 2


@every_kind
def test_chance_is_confirmed_no_more_often_than_the_level_says_even_without_the_search_holding_back(kind: str) -> None:
    """At level 1 the search hands on its five best whatever they are; the other rows alone have to refuse them."""
    tables, alarms = 60, 0
    for seed in range(tables):
        sample, others = rows(1000 + seed, 800), rows(2000 + seed, 800)
        found = search(features(sample), losses(sample, seed, kind), 40, 1.0, 5)
        assert len(found.candidates) == 5
        contrasts = confirm([one.slice for one in found.candidates], features(others), losses(others, seed + 500, kind))
        alarms += any(one is not None and one.p_value * 5 <= 0.05 for one in contrasts)
    assert alarms <= stats.binom.ppf(0.999, tables, 0.05)


def test_equal_losses_and_few_rows_give_no_slice() -> None:
    table = rows(6, 400)
    assert search(features(table), np.ones(400), 50, 0.05, 5).candidates == ()
    assert search(features(table), np.ones(400), 201, 0.05, 5) == ((), 0)
    assert search({}, np.ones(0), 50, 0.05, 5) == ((), 0)
    one = Slice((Condition("city", "Nowhere"),))
    assert confirm([one], features(table), np.ones(400)) == [None]


def test_two_columns_that_say_the_same_are_one_slice_of_one_condition() -> None:
    town = pa.chunked_array([["a", "b", "b", "b"] * 200])
    table = pa.table({"town": town, "again": town})
    found = search(features(table), np.tile([1.0, 0, 0, 0], 200), 50, 0.05, 5)
    assert [str(one.slice) for one in found.candidates] == ["again=a"]
    assert found.candidates[0].rows == 200
