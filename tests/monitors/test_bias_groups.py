"""Bias beyond single facets: the flip test, several facets at once, further metrics, what a reference lacks."""

import json

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from pydantic import ValidationError
from sklearn.neighbors import KNeighborsClassifier

from monitor_tasks.baseline import Baseline
from monitor_tasks.monitors.bias import Bias
from monitor_tasks.monitors.settings import BiasSettings
from monitor_tasks.profiles.groups import GroupProfile
from monitor_tasks.report import State, judge
from monitor_tasks.sagemaker.bias import analysis_json, read_constraints, violations_json
from tests.monitors.test_bias import ADULT, bias, broken, people, states, suggested, tables

SEX_AND_RACE = ({"name": "sex", "value_or_threshold": ["f"]}, {"name": "race"})


def applicants(size: int = 400, seed: int = 0, **changed) -> pa.Table:
    """People with two facets, numbers as features, labels and predictions."""
    chance = np.random.default_rng(seed)
    sex, race = chance.choice(["f", "m"], size), chance.choice(["x", "y", "z"], size, p=[0.5, 0.4, 0.1])
    income, age = chance.normal(size=size), chance.integers(18, 80, size)
    y = (income + chance.normal(size=size) > 0).astype(int)
    p = (income + 0.3 * (sex == "m") + chance.normal(size=size) > 0.2).astype(int)
    columns = {"sex": sex, "race": race, "income": income, "age": age, "y": y, "p": p}
    return pa.table({**columns, **changed})


def metric(monitor: Bias, rows: pa.Table, name: str, subject: str):
    found = monitor.statistics(monitor.profile(rows))
    return next(one for one in found if (one.name, one.subject) == (name, subject))


# The flip test


def by_rows(rows: pa.Table, inside: np.ndarray, features: list[str]) -> float:
    matrix = np.column_stack([rows[name].to_numpy() for name in features])
    positive = rows["p"].to_numpy() == 1
    theirs = KNeighborsClassifier(5).fit(matrix[~inside], positive[~inside]).predict(matrix[inside])
    mine = positive[inside]
    return float((mine & ~theirs).sum() - (~mine & theirs).sum()) / inside.sum()


def test_the_flip_test_of_few_rows_is_that_of_all_of_them_and_says_so() -> None:
    rows = applicants(300)
    monitor = bias({"name": "sex", "value_or_threshold": ["f"]}, excluded_columns=["race"])
    found = metric(monitor, rows, "FT", "sex=f")
    inside = rows["sex"].to_numpy(zero_copy_only=False) == "f"
    assert found.value == pytest.approx(by_rows(rows, inside, ["income", "age"]), abs=1e-12)
    assert (found.details["rows_sampled"], found.details["rows_sampled_from"]) == (300, 300)
    assert (found.details["rows_in_group"], found.details["rows_outside"]) == (inside.sum(), (~inside).sum())
    assert found.interval[0] < found.value < found.interval[1]
    text = pa.table({name: rows[name].cast(pa.string()) for name in rows.column_names})
    assert metric(monitor, text, "FT", "sex=f").value == found.value


def test_the_flip_test_of_a_threshold_and_of_a_repeated_table() -> None:
    rows = applicants(300, race=["x"] * 300)
    monitor = bias({"name": "age", "value_or_threshold": [40.5]}, excluded_columns=["race", "sex"])
    inside = rows["age"].to_numpy() > 40
    assert metric(monitor, rows, "FT", "age=(40.5, max]").value == by_rows(rows, inside, ["income"])
    repeated = pa.concat_tables([rows] * 5)
    found = metric(monitor, repeated, "FT", "age=(40.5, max]")
    again = np.tile(inside, 5)
    assert found.value == pytest.approx(by_rows(repeated, again, ["income"]), abs=1e-12)
    assert found.value != by_rows(rows, inside, ["income"])


def test_a_sample_stands_for_many_rows_whatever_their_order() -> None:
    rows = applicants(6000)
    monitor = bias(*SEX_AND_RACE[:1], excluded_columns=["race"], sample_rows=1500)
    found = metric(monitor, rows, "FT", "sex=f")
    assert 1500 <= found.details["rows_sampled"] < 1600  # 1,500 different ones, some of them several times
    assert found.details["rows_sampled_from"] == 6000
    inside = rows["sex"].to_numpy(zero_copy_only=False) == "f"
    assert abs(found.value - by_rows(rows, inside, ["income", "age"])) < 3 * found.deviation
    mixed = rows.take(pa.array(np.random.default_rng(1).permutation(6000)))
    parts = monitor.profile(mixed.slice(0, 2500)) + monitor.profile(mixed.slice(2500))
    assert parts.to_json() == monitor.profile(rows).to_json()
    assert GroupProfile.from_json(parts.to_json()) == parts


@pytest.mark.parametrize(
    ("rows", "chosen", "because"),
    [
        (applicants(), {}, "the flip test needs numbers, and race hold text: name them in excluded_columns"),
        (applicants().select(["sex", "y", "p"]), {}, "the flip test needs features, and the table has none"),
        (applicants(p=pa.nulls(400, pa.int64())), {}, "sex=f: no labelled row has a prediction"),
        (applicants(race=pa.nulls(400)), {}, "sex=f: no sampled row of the group has a number in every feature"),
    ],
)
def test_without_numbers_there_is_no_flip_test_and_it_says_why(rows, chosen, because) -> None:
    found = metric(bias(*SEX_AND_RACE[:1], **chosen), rows, "FT", "sex=f")
    assert (found.value, found.because) == (None, because)
    entry = json.loads(analysis_json([found]))["post_training_bias_metrics"]["facets"]["sex"][0]["metrics"][0]
    assert entry == {"name": "FT", "description": "Flip Test (FT)", "value": None, "error": because}


def test_the_flip_test_can_be_left_out_and_truth_values_are_numbers() -> None:
    monitor = bias(*SEX_AND_RACE[:1], sample_rows=0)
    profile = monitor.profile(applicants())
    assert profile.sample.rows == 0
    assert "FT" not in {one.name for one in monitor.statistics(profile)}
    truths = applicants(race=[row % 2 == 0 for row in range(400)])
    assert metric(bias(*SEX_AND_RACE[:1]), truths, "FT", "sex=f").value is not None


def test_a_flip_that_gets_larger_is_a_violation() -> None:
    monitor = bias(*SEX_AND_RACE[:1], excluded_columns=["race"])
    rows = applicants(900)
    refused = rows.set_column(5, "p", pa.array([0 if s == "f" else p for s, p in zip(*(rows[n].to_pylist() for n in ("sex", "p")), strict=True)]))  # fmt: skip  # noqa: E501
    assert "FT" in broken(monitor, refused, suggested(monitor, rows))
    interval = bias(*SEX_AND_RACE[:1], excluded_columns=["race"], rule="interval")
    assert "FT" in broken(interval, refused, suggested(interval, rows))
    assert "FT" not in broken(interval, applicants(900, seed=4), suggested(interval, rows))


# Several facets at once


def test_facets_looked_at_together_are_a_facet_of_their_own() -> None:
    rows = applicants()
    both = pa.array([f"{s}{r}" for s, r in zip(rows["sex"].to_pylist(), rows["race"].to_pylist(), strict=True)])
    named = bias({"name": "both"})
    crossed = bias(*SEX_AND_RACE, intersections=[["sex", "race"]])
    plain = {one.name: one.value for one in named.statistics(named.profile(rows.append_column("both", both)))
             if one.subject == "both=fy"}  # fmt: skip
    found = crossed.statistics(crossed.profile(rows))
    assert {one.subject for one in found} == {
        "sex=f", "race=x", "race=y", "race=z", "sex & race=f & x", "sex & race=f & y", "sex & race=f & z"
    }  # fmt: skip
    crossings = {one.name: one.value for one in found if one.subject == "sex & race=f & y"}
    plain.pop("FT"), crossings.pop("FT")
    assert crossings == plain


def test_every_pair_of_values_is_compared_where_none_is_named_and_thresholds_cross_too() -> None:
    rows = applicants()
    pairs = bias({"name": "sex"}, {"name": "race"}, intersections=[["sex", "race"]])
    subjects = {one.subject for one in pairs.statistics(pairs.profile(rows))}
    assert {one for one in subjects if "&" in one} == {f"sex & race={s} & {r}" for s in "fm" for r in "xyz"}
    old = bias({"name": "age", "value_or_threshold": [40]}, SEX_AND_RACE[0], intersections=[["age", "sex"]])
    found = metric(old, rows, "CI", "age & sex=(40, max] & f")
    inside = (rows["age"].to_numpy() > 40) & (rows["sex"].to_numpy(zero_copy_only=False) == "f")
    assert found.details["rows_in_group"] == inside.sum()
    assert found.details["facet_value"] == f"(40, {max(rows['age'].to_pylist())}] & f"


def test_an_intersection_is_judged_told_and_read_back() -> None:
    monitor = bias(*SEX_AND_RACE, intersections=[["sex", "race"]])
    rows = applicants(900)
    baseline = suggested(monitor, rows)
    hurt = [0 if (s, r) == ("f", "y") else p for s, r, p in zip(*(rows[n].to_pylist() for n in ("sex", "race", "p")), strict=True)]  # fmt: skip  # noqa: E501
    findings = judge(monitor.measure(monitor.profile(rows.set_column(5, "p", pa.array(hurt))), baseline),
                     baseline.constraints)  # fmt: skip
    told = {(one["facet"], one["facet_value"], one["metric_name"])
            for one in json.loads(violations_json(findings) or b"")["violations"]}  # fmt: skip
    assert ("sex & race", "f & y", "DPPL") in told
    analysis = read_constraints(analysis_json(monitor.statistics(baseline.profile)), "analysis.json")
    assert {one.key for one in analysis} == {one.key for one in baseline.constraints}
    without = rows.filter(pa.array([r != "z" for r in rows["race"].to_pylist()]))
    measured = monitor.measure(monitor.profile(without), Baseline("id", analysis, GroupProfile()))
    lost = {one.because for one in measured if one.subject == "sex & race=f & z"}
    assert "sex & race=f & z: the group has no labelled row" in lost


@settings(max_examples=25)
@given(rows=tables())
def test_crossed_counts_add_up_and_never_break_their_own_baseline(rows: pa.Table) -> None:
    facets = ({"name": "sex"}, {"name": "age", "value_or_threshold": [40]}, {"name": "city"})
    monitor = bias(*facets, intersections=[["sex", "age"], ["city", "sex"]], minimum_rows=1, probability_threshold=0.5)
    cut = rows.num_rows // 3
    parts = monitor.profile(rows.slice(cut)) + monitor.profile(rows.slice(0, cut))
    assert parts.to_json() == monitor.profile(rows).to_json()
    assert broken(monitor, rows, suggested(monitor, rows)) == set()


@pytest.mark.parametrize(
    ("intersections", "message"),
    [
        ([["sex", "city"]], "'city' is no facet; the facets are sex, race"),
        ([["sex", "sex"]], "needs two or more different facets"),
        ([["sex"]], "needs two or more different facets"),
    ],
)
def test_an_intersection_names_facets(intersections, message) -> None:
    with pytest.raises(ValidationError, match=message):
        bias(*SEX_AND_RACE, intersections=intersections)


# Further metrics, and what a reference lacks


def test_further_metrics_are_judged_where_they_are_named_and_none_of_clarifys_files_shows_them() -> None:
    monitor = bias(*SEX_AND_RACE[:1], further_metrics=["average_odds_difference"])
    baseline = suggested(monitor, applicants())
    asked = [one.metric for one in baseline.constraints if one.metric.endswith("_difference")]
    assert asked == ["average_odds_difference"]
    statistics = {one.name: one for one in monitor.statistics(baseline.profile)}
    assert statistics["statistical_parity_difference"].value == -statistics["DPPL"].value
    assert statistics["equal_opportunity_difference"].value == -statistics["RD"].value
    assert b'difference"' not in analysis_json(monitor.statistics(baseline.profile))
    assert BiasSettings.model_validate({"predicted_label": "p", "facets": [{"name": "a"}]}).further_metrics == ()


def test_a_group_that_the_reference_lacks_is_undecided_with_the_reason() -> None:
    monitor = bias({"name": "sex", "value_or_threshold": [7]}, {"name": "city"}, minimum_rows=1)
    baseline = suggested(monitor, ADULT)
    (lone,) = (one for one in baseline.constraints if one.key == "bias_drift_check:CI:sex=7")
    assert {one.metric for one in baseline.constraints if one.subject == "sex=7"} == {"CI", "GE"}  # GE knows no group
    findings = judge(monitor.measure(monitor.profile(people((7, 5, 5, 5, 5), (1, 5, 5, 5, 5))), baseline), [lone])
    assert (findings[0].state, findings[0].metric.value) == (State.UNDECIDED, None)
    assert "the reference has no labelled row of the group" in findings[0].because


def test_a_group_without_positives_is_undecided_by_the_interval_rule_alone() -> None:
    none = people((1, 80, 20, 20, 80), (0, 0, 20, 0, 80))
    for rule, state in (("observed", State.BROKEN), ("interval", State.UNDECIDED)):
        monitor = bias(rule=rule)
        assert states(monitor, none, suggested(monitor, ADULT))["RD sex=0"] is state
    monitor = bias(rule="interval")
    found = monitor.measure(monitor.profile(none), suggested(monitor, ADULT))
    assert next(one for one in found if one.name == "RD").because == "sex=0: no row in the group has a positive label"


def test_a_groups_sizes_and_what_nothing_judges_are_shown() -> None:
    monitor = bias(*SEX_AND_RACE[:1])
    baseline = suggested(monitor, applicants())
    (shown,) = monitor.exhibits(monitor.profile(applicants(200, seed=3)), baseline)
    facts = {one.label: (one.here, one.baseline) for one in shown.facts}
    inside = applicants(200, seed=3)["sex"].to_pylist().count("f")
    assert facts["labelled rows in the group"] == (inside, applicants()["sex"].to_pylist().count("f"))
    assert "Average Odds Difference" in facts
    assert "the flip test needs numbers" in shown.note
