"""The bias monitor: from rows to constraints and metrics, on Clarify's own data and on tables with something wrong."""

import json
import math
from functools import reduce
from operator import add

import pyarrow as pa
import pyarrow.csv
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from monitor_tasks.baseline import Baseline, Constraint
from monitor_tasks.metrics.fairness import FAIRNESS
from monitor_tasks.monitors.bias import NO_GROUP, Bias
from monitor_tasks.monitors.settings import BiasSettings
from monitor_tasks.profiles.groups import GroupProfile
from monitor_tasks.report import State, judge
from monitor_tasks.sagemaker.bias import analysis_json, read_constraints, violations_json
from monitor_tasks.value import UserError


def bias(*facets: dict, **chosen) -> Bias:
    known = {"predicted_label": "p", "label": "y", "facets": facets or ({"name": "sex", "value_or_threshold": [0]},)}
    return Bias(BiasSettings.model_validate({**known, **chosen}))


def people(*groups: tuple[int, int, int, int, int], city: str = "Bern") -> pa.Table:
    """Rows of a sex with so many true positives, false positives, false negatives and true negatives."""
    lines = [
        {"sex": sex, "y": y, "p": p, "city": city}
        for sex, *counts in groups
        for (y, p), count in zip(((1, 1), (0, 1), (1, 0), (0, 0)), counts, strict=True)
        for _ in range(count)
    ]
    return pa.Table.from_pylist(lines)


ADULT = people((1, 86, 36, 57, 277), (0, 8, 2, 9, 191))
"""The baseline run of Clarify's example: the only predictions that give what it published."""
LATER = people((1, 36, 13, 128, 47), (0, 2, 0, 78, 30))
"""Its monitoring run."""


def suggested(monitor: Bias, rows: pa.Table) -> Baseline:
    profile = monitor.profile(rows)
    return Baseline("id", tuple(monitor.suggest([profile])), profile)


def states(monitor: Bias, rows: pa.Table, baseline: Baseline) -> dict[str, State]:
    findings = judge(monitor.measure(monitor.profile(rows), baseline), baseline.constraints)
    return {f"{one.constraint.metric} {one.constraint.subject}": one.state for one in findings}


def broken(monitor: Bias, rows: pa.Table, baseline: Baseline) -> set[str]:
    return {key.split()[0] for key, state in states(monitor, rows, baseline).items() if state is State.BROKEN}


def values(monitor: Bias, rows: pa.Table, subject: str) -> dict[str, float | None]:
    return {one.name: one.value for one in monitor.statistics(monitor.profile(rows)) if one.subject == subject}


def adult(shared) -> tuple[Bias, pa.Table]:
    """Clarify's example as its configuration has it; its table holds no predictions."""
    folder = shared / "sagemaker/adult"
    config = json.loads((folder / "bias_analysis_config.json").read_text())
    names = config["headers"][1:]
    lines = [json.loads(line) for line in (folder / "validation-dataset.jsonl").read_text().splitlines()]
    rows = pa.Table.from_pylist(
        [
            {**dict(zip(names, line["features"], strict=True)), "Target": line["label"], "p": line["label"]}
            for line in lines
        ]
    )
    facets = [
        {"name": one["name_or_index"], "value_or_threshold": one["value_or_threshold"]} for one in config["facet"]
    ]
    monitor = bias(
        *facets, label=config["label"], label_values_or_threshold=config["label_values_or_threshold"],
        group_variable=config["group_variable"],
    )  # fmt: skip
    return monitor, rows


def test_clarifys_example_gives_its_published_figures_before_training(shared) -> None:
    monitor, rows = adult(shared)
    published = json.loads((shared / "sagemaker/adult/bias_baseline.analysis.json").read_text())
    ours = json.loads(analysis_json(monitor.statistics(monitor.profile(rows))))
    expected, found = (one["pre_training_bias_metrics"] for one in (published, ours))
    (theirs,), (mine,) = expected["facets"].pop("Sex"), found["facets"].pop("Sex")
    assert (expected, list(published)) == (found, list(ours))
    assert mine["value_or_threshold"] == theirs["value_or_threshold"] == "0"
    assert [(one["name"], one["description"]) for one in mine["metrics"]] == [
        (one["name"], one["description"]) for one in theirs["metrics"]
    ]
    assert [one["value"] for one in mine["metrics"]] == pytest.approx(
        [one["value"] for one in theirs["metrics"]], abs=1e-12
    )


def test_clarifys_example_gives_its_published_figures_after_training(shared) -> None:
    published = json.loads((shared / "sagemaker/adult/bias_baseline.analysis.json").read_text())
    theirs = published["post_training_bias_metrics"]["facets"]["Sex"][0]["metrics"]
    ours = values(bias(), ADULT, "sex=0")
    expected = {one["name"]: one["value"] for one in theirs if one["name"] not in ("CDDPL", "FT")}
    assert {name: ours[name] for name in expected} == pytest.approx(expected, abs=1e-12)


def test_its_monitoring_run_is_judged_as_clarify_judged_it(shared) -> None:
    folder = shared / "sagemaker/adult"
    renamed = (folder / "bias_baseline.analysis.json").read_text().replace('"Sex"', '"sex"')
    constraints = read_constraints(renamed.encode(), "analysis.json")
    monitor = bias(minimum_rows=1)
    findings = judge(monitor.measure(monitor.profile(LATER), Baseline("id", constraints, GroupProfile())), constraints)
    ours = json.loads(violations_json(findings) or b"")["violations"]
    theirs = json.loads((folder / "batch_bias_violations.json").read_text())["violations"]
    assert [one["metric_name"] for one in ours] == [
        one["metric_name"] for one in theirs if one["metric_name"] != "CDDPL"
    ]
    by_name = {one["metric_name"]: one["description"] for one in theirs}
    exact = {one["metric_name"] for one in ours if one["description"] == by_name[one["metric_name"]]}
    assert {one["metric_name"] for one in ours} - exact <= {"GE"}  # the last digits of a sum of 334 numbers
    assert {one.constraint.metric for one in findings if one.state is State.UNDECIDED} == {"FT", "CDDL", "CDDPL"}


@pytest.mark.parametrize(
    ("facet", "expected"),
    [
        ({"name": "f19", "value_or_threshold": ["A201"]}, ("f19=A201", 0.0329040012335, 0.112552192137)),
        ({"name": "f12", "value_or_threshold": [40]}, ("f12=(40, max]", -0.0601777806494, 0.0065318840129)),
    ],
)
def test_the_german_credit_data_give_the_published_figures(shared, facet, expected) -> None:
    subject, disparity, divergence = expected
    names = [f"f{index}" for index in range(21)]
    rows = pa.csv.read_csv(
        shared / "german-credit/german.csv", read_options=pa.csv.ReadOptions(column_names=names)
    ).append_column("p", pa.array([1] * 1000))
    monitor = bias(facet, label="f20", group_variable="f14")
    found = values(monitor, rows, subject)
    assert (found["CDDL"], found["KL"]) == pytest.approx((disparity, divergence), abs=1e-9)
    text = pa.table({name: rows[name].cast(pa.string()) for name in rows.column_names})
    assert values(monitor, text, subject) == found


def test_subgroups_of_the_real_run_need_their_variable() -> None:
    found = {one.name: one for one in bias().statistics(bias().profile(ADULT))}
    for name in ("CDDL", "CDDPL"):
        assert (found[name].value, found[name].because) == (None, NO_GROUP)
    grouped = bias(group_variable="city")
    assert values(grouped, ADULT, "sex=0")["CDDPL"] is not None
    empty = ADULT.set_column(3, "city", pa.nulls(ADULT.num_rows))
    assert {one.because for one in grouped.statistics(grouped.profile(empty)) if one.name == "CDDL"} == {NO_GROUP}


def test_every_metric_has_its_constraint_in_the_order_of_clarifys_file() -> None:
    monitor = bias({"name": "sex"}, group_variable="city", minimum_rows=7)
    constraints = monitor.suggest([monitor.profile(ADULT)])
    post = [name for name, metric in FAIRNESS.items() if metric.stage == "post_training"]
    pre = [name for name, metric in FAIRNESS.items() if metric.stage == "pre_training"]
    assert [one.metric for one in constraints] == [*post, *post, *pre, *pre]
    assert [one.subject for one in constraints] == [
        *(["sex=0"] * 12), *(["sex=1"] * 12), *(["sex=0"] * 8), *(["sex=1"] * 8),
    ]  # fmt: skip
    assert constraints[0] == Constraint(
        check="bias_drift_check", metric="AD", subject="sex=0", lower=-0.15156641604010024, upper=0.15156641604010024,
        cause="world", expected=("-0.15156641604010024",), minimum_rows=7,
        rule="no farther from 0 than in the reference, by however little (SageMaker's rule)",
        reason="the reference has -0.15156641604010024; farther from 0 is a violation",
    )  # fmt: skip


def test_the_interval_rule_moves_the_bound_outward_and_judges_impact_by_its_distance_from_one() -> None:
    monitor = bias(rule="interval")
    baseline = suggested(monitor, ADULT)
    by_name = {one.metric: one for one in baseline.constraints}
    found = {one.name: one for one in monitor.statistics(baseline.profile)}
    spread = found["DPPL"].deviation
    assert spread == pytest.approx(math.sqrt(122 * 334 / 456**3 + 10 * 200 / 210**3), rel=0.15)
    assert by_name["DPPL"].upper == pytest.approx(found["DPPL"].value + 3 * spread)
    assert by_name["DPPL"].lower == -by_name["DPPL"].upper
    assert by_name["DPPL"].margin == 3.0
    impact = by_name["DI"]
    low, high = found["DI"].interval
    assert low < found["DI"].value < high < 1
    assert (impact.lower, impact.upper) == pytest.approx((low, 1 / low))
    assert "farther from 1 on the logarithm's scale" in impact.rule


def test_what_chance_explains_breaks_the_observed_rule_only() -> None:
    similar = people((1, 82, 38, 61, 275), (0, 7, 2, 10, 191))
    worse = people((1, 140, 60, 3, 253), (0, 1, 0, 16, 193))
    observed, interval = bias(), bias(rule="interval")
    assert broken(observed, similar, suggested(observed, ADULT))
    assert not broken(interval, similar, suggested(interval, ADULT))
    assert {"DPPL", "RD"} <= broken(interval, worse, suggested(interval, ADULT))


def test_impact_that_leaves_one_is_caught_by_the_interval_rule_alone() -> None:
    fair = people((1, 300, 100, 100, 500), (0, 300, 100, 100, 500))
    unfair = people((1, 300, 100, 100, 500), (0, 60, 20, 100, 820))
    observed, interval = bias(), bias(rule="interval")
    assert "DI" not in broken(observed, unfair, suggested(observed, fair))
    assert "DI" in broken(interval, unfair, suggested(interval, fair))


def test_sizes_are_those_of_the_labelled_rows_and_small_groups_are_undecided() -> None:
    unlabelled = ADULT.set_column(1, "y", pa.nulls(ADULT.num_rows, pa.int64()))
    rows = pa.concat_tables([ADULT, unlabelled])
    monitor = bias(minimum_rows=210)
    found = next(one for one in monitor.statistics(monitor.profile(rows)) if one.name == "RD")
    assert (found.n, found.details["rows_in_group"], found.details["rows_outside"]) == (210, 210, 456)
    assert values(monitor, rows, "sex=0") == values(monitor, ADULT, "sex=0")
    baseline = suggested(bias(minimum_rows=211), ADULT)
    assert set(states(monitor, LATER, baseline).values()) == {State.UNDECIDED}
    assert set(states(monitor, unlabelled, baseline).values()) == {State.UNDECIDED}


def test_a_row_without_a_prediction_counts_before_training_only() -> None:
    rows = pa.concat_tables([ADULT, people((0, 5, 0, 0, 0)).set_column(2, "p", pa.nulls(5, pa.int64()))])
    found = {one.name: one for one in bias().statistics(bias().profile(rows))}
    assert (found["DPL"].n, found["RD"].n) == (215, 210)
    assert found["RD"].value == values(bias(), ADULT, "sex=0")["RD"]


@pytest.mark.parametrize(
    ("rows", "because"),
    [
        (people((1, 5, 5, 5, 5)), "sex=0: the group has no labelled row"),
        (people((0, 5, 5, 5, 5)), "sex=0: there is no labelled row outside the group"),
        (people((0, 0, 5, 0, 5), (1, 0, 5, 0, 5)), "sex=0: no label is positive"),
        (people((0, 0, 0, 5, 5), (1, 0, 0, 5, 5)), "sex=0: no labelled row is predicted positive"),
    ],
)
def test_what_is_undefined_is_none_with_a_reason_and_gets_no_constraint(rows, because) -> None:
    monitor = bias(minimum_rows=1)
    found = {one.name: one for one in monitor.statistics(monitor.profile(rows))}
    assert (found["RD"].value, found["RD"].because) == (None, because)
    assert all(one.value is not None or one.because for one in found.values())
    assert "RD" not in {one.metric for one in monitor.suggest([monitor.profile(rows)])}
    assert states(monitor, rows, suggested(monitor, ADULT))["RD sex=0"] is State.UNDECIDED


def test_a_value_that_is_gone_is_undecided_where_each_value_is_compared() -> None:
    monitor = bias({"name": "sex"}, minimum_rows=1)
    baseline = suggested(monitor, ADULT)
    found = states(monitor, people((1, 5, 5, 5, 5), (2, 5, 5, 5, 5)), baseline)
    assert found["RD sex=0"] is State.UNDECIDED
    assert found["RD sex=1"] is not State.UNDECIDED


def test_whether_a_number_is_a_threshold_is_the_baselines_to_say() -> None:
    ages = [20 + row % 60 for row in range(600)]
    rows = pa.table({"age": ages, "y": [row % 2 for row in range(600)], "p": [row % 3 // 2 for row in range(600)]})
    monitor = bias({"name": "age", "value_or_threshold": [40]}, minimum_rows=1)
    baseline = suggested(monitor, rows)
    assert {one.subject for one in baseline.constraints} == {"age=(40, max]"}
    few = rows.filter(pa.array([age in (40, 41, 42) for age in ages]))
    assert {one.subject for one in monitor.statistics(monitor.profile(few))} == {"age=40"}
    (value,) = {one.details["facet_value"] for one in monitor.measure(monitor.profile(few), baseline)}
    assert value == "(40, 42]"
    read = read_constraints(analysis_json(monitor.statistics(baseline.profile)), "analysis.json")
    assert {one.subject for one in read} == {"age=(40, max]"}
    measured = monitor.measure(monitor.profile(few), Baseline("id", read, GroupProfile()))
    assert {one.subject for one in measured} == {"age=(40, max]"}


def test_a_scored_label_above_a_threshold_is_positive() -> None:
    rows = pa.table(
        {"sex": [0, 0, 1, 1] * 50, "y": [0.2, 0.9, 0.4, 0.8] * 50, "p": [0.1, 0.7, 0.9, 0.6] * 50}
    )  # fmt: skip
    monitor = bias(label_values_or_threshold=[0.5])
    found = monitor.statistics(monitor.profile(rows))
    assert {one.details["label_value"] for one in found} == {"(0.5, 0.9]"}
    by_name = {one.name: one.value for one in found}
    assert (by_name["DPL"], by_name["DPPL"]) == (0.0, 0.5)


def test_a_facet_of_too_many_values_is_unknown_and_says_what_to_do() -> None:
    rows = pa.table({"sex": [f"id {row}" for row in range(2000)], "y": [0, 1] * 1000, "p": [1, 0] * 1000})
    named = bias({"name": "sex", "value_or_threshold": ["id 1"]})
    found = named.statistics(named.profile(rows))
    assert {one.because for one in found} == {"sex has too many different values to know them all"}
    assert named.suggest([named.profile(rows)]) == []
    each = bias({"name": "sex"})
    with pytest.raises(UserError, match="value_or_threshold"):
        each.suggest([each.profile(rows)])


def test_a_missing_column_is_named() -> None:
    with pytest.raises(UserError, match=r"no column 'sex'; the table has 'y', 'p', 'city'"):
        bias().profile(ADULT.drop_columns(["sex"]))


def test_a_stored_profile_is_read_back() -> None:
    monitor = bias({"name": "sex"}, group_variable="city")
    profile = monitor.profile(ADULT)
    assert monitor.read_profile(profile.to_json()) == profile


CELLS = {
    "sex": st.sampled_from(["0", "1", "2", None]),
    "age": st.integers(18, 60) | st.none(),
    "city": st.sampled_from(["Bern", "Chur", None]),
    "y": st.sampled_from([0, 1, 1, None]),
    "p": st.floats(0, 1) | st.none(),
}


@st.composite
def tables(draw: st.DrawFn, max_rows: int = 60) -> pa.Table:
    lines = draw(st.lists(st.fixed_dictionaries(CELLS), max_size=max_rows))
    types = {"sex": pa.string(), "age": pa.int64(), "city": pa.string(), "y": pa.int64(), "p": pa.float64()}
    return pa.Table.from_pylist(lines, pa.schema(list(types.items())))


def usual(**chosen) -> Bias:
    facets = ({"name": "sex"}, {"name": "age", "value_or_threshold": [40]})
    return bias(*facets, probability_threshold=0.5, group_variable="city", **chosen)


@settings(max_examples=60)
@given(rows=tables(), repeats=st.sampled_from([1, 8]))
def test_a_table_never_breaks_the_baseline_it_suggested(rows: pa.Table, repeats: int) -> None:
    table = pa.concat_tables([rows] * repeats)
    for rule in ("observed", "interval"):
        monitor = usual(rule=rule, minimum_rows=1)
        assert broken(monitor, table, suggested(monitor, table)) == set()


@settings(max_examples=40)
@given(rows=tables(), window=tables(max_rows=29))
def test_a_tiny_window_is_undecided_and_nothing_is_nan(rows: pa.Table, window: pa.Table) -> None:
    monitor = usual()
    baseline = suggested(monitor, rows)
    assert set(states(monitor, window, baseline).values()) <= {State.UNDECIDED}
    assert set(states(monitor, window.slice(0, 0), baseline).values()) <= {State.UNDECIDED}
    for metric in monitor.measure(monitor.profile(window), baseline):
        assert (metric.value is None) == bool(metric.because)
        assert metric.value is None or not math.isnan(metric.value)


@settings(max_examples=40)
@given(rows=tables(), chance=st.randoms(use_true_random=False))
def test_any_split_in_any_order_gives_the_same_bytes_and_metrics(rows: pa.Table, chance) -> None:
    monitor = usual()
    mixed = rows.take(pa.array(chance.sample(range(rows.num_rows), rows.num_rows), pa.int64()))
    cut = chance.randint(0, rows.num_rows)
    parts = [monitor.profile(mixed.slice(0, cut)), monitor.profile(mixed.slice(cut))]
    whole = monitor.profile(rows)
    assert reduce(add, parts).to_json() == whole.to_json()
    assert monitor.suggest(parts) == monitor.suggest([whole])


@settings(max_examples=40)
@given(rows=tables())
def test_constraints_survive_their_files(rows: pa.Table) -> None:
    monitor = usual()
    profile = monitor.profile(rows)
    constraints = monitor.suggest([profile])
    assert [Constraint.from_json(one.to_json()) for one in constraints] == constraints
    read = read_constraints(analysis_json(monitor.statistics(profile)), "analysis.json")
    asked = [one for one in constraints if one.upper is not None]  # the others say that the reference lacks the group
    assert {one.key: one.upper for one in read} == {one.key: one.upper for one in asked}
