"""Data quality on the public churn tables and on small ones: what is suggested, measured and broken."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from monitor_tasks.baseline import Baseline, Constraint, in_order
from monitor_tasks.monitors.data_quality import DataQuality, align, column_names
from monitor_tasks.monitors.settings import DataQualitySettings, Rule
from monitor_tasks.profiles.columns import Edges, TableProfile
from monitor_tasks.report import Finding, State, judge
from monitor_tasks.tables.files import read_table

USUAL = DataQuality(DataQualitySettings())
SMALL = pa.table(
    {
        "score": [n / 100 for n in range(100)],
        "age": [str(20 + n % 50) for n in range(100)],
        "colour": [("red", "blue")[n % 2] for n in range(100)],
    }
)


def learned(table: pa.Table, monitor: DataQuality = USUAL) -> tuple[Baseline, Edges]:
    edges = Edges.of(table)
    profile = monitor.profile(table, edges)
    return Baseline("id", in_order(monitor.suggest([profile]), table.column_names), profile), edges


def findings(window: pa.Table, reference: pa.Table, monitor: DataQuality = USUAL) -> dict[str, Finding]:
    baseline, edges = learned(reference, monitor)
    rows, _ = align(window, baseline.constraints)
    found = judge(monitor.measure(monitor.profile(rows, edges), baseline), baseline.constraints)
    return {f"{one.constraint.check} {one.constraint.subject}".strip(): one for one in found}


def having(found: dict[str, Finding], state: State) -> list[str]:
    return [name for name, one in found.items() if one.state is state]


@pytest.fixture(scope="module")
def churn(shared: Path) -> pa.Table:
    content = (shared / "sagemaker/churn/training-dataset-with-header.csv").read_bytes()
    return read_table(content, "training.csv")


@pytest.fixture(scope="module")
def churn_inputs(shared: Path) -> pa.Table:
    content = (shared / "sagemaker/churn/test-dataset-input-cols.csv").read_bytes()
    return read_table(content, "inputs.csv", header=False)


def test_the_churn_table_keeps_what_it_suggested(churn: pa.Table) -> None:
    found = findings(churn, churn)
    assert (churn.num_rows, churn.num_columns) == (2333, 70)
    assert having(found, State.KEPT) == list(found)
    assert len(found) == 2 + 3 * 70


def test_inputs_alone_miss_one_column_and_nothing_else_is_claimed(churn: pa.Table, churn_inputs: pa.Table) -> None:
    found = findings(churn_inputs, churn)
    assert churn_inputs.num_rows == 334
    assert having(found, State.BROKEN) == ["missing_column_check"]
    assert having(found, State.KEPT) == ["extra_column_check"]
    assert "cannot be matched" in found["completeness_check Churn"].because
    rows, note = align(churn_inputs, learned(churn)[0].constraints)
    assert rows is churn_inputs
    assert note.startswith("69 columns cannot be matched by position to the baseline's 70")
    assert "'Churn' (outputs come first)" in note


def test_the_mangled_row_costs_each_column_one_cell(churn: pa.Table, churn_inputs: pa.Table) -> None:
    """The real run counted 59 columns with one wrong cell a pass, and the scores in the label's column."""
    scores = pa.array(["0.5"] * churn_inputs.num_rows)
    found = findings(churn_inputs.add_column(0, "score", scores), churn)
    wrong = {name: one for name, one in found.items() if one.state is State.BROKEN and name.startswith("data_type")}
    assert len(wrong) == 60
    assert wrong["data_type_check Churn"].metric.value == 0.0  # type: ignore[union-attr]
    assert {one.metric.value for one in wrong.values() if one.metric} == {0.0, 333 / 334}


def test_what_is_suggested_says_what_it_was_learned_from() -> None:
    constraints = {one.key: one for one in USUAL.suggest([TableProfile.of(SMALL)])}
    assert list(constraints) == [
        *("missing_column_check:column_count:", "extra_column_check:column_count:"),
        *("data_type_check:type_match:age", "completeness_check:completeness:age"),
        *("non_negative_check:minimum:age", "baseline_drift_check:drift_linf:age"),
        *("range_check:minimum:age", "range_check:maximum:age", "constant_check:different_values:age"),
        *("data_type_check:type_match:colour", "completeness_check:completeness:colour"),
        *("categorical_values_check:domain_share:colour", "baseline_drift_check:drift_linf:colour"),
        *("constant_check:different_values:colour", "encoding_check:encoding_share:colour"),
        *("data_type_check:type_match:score", "completeness_check:completeness:score"),
        *("non_negative_check:minimum:score", "baseline_drift_check:drift_linf:score"),
        *("range_check:minimum:score", "range_check:maximum:score", "constant_check:different_values:score"),
    ]
    unasked = ("non_negative_check", "range_check", "constant_check", "encoding_check")
    assert {one.check for one in constraints.values() if not one.enabled} == {*unasked}
    assert all(one.rule and one.reason and one.minimum_rows == 30 for one in constraints.values())
    assert constraints["categorical_values_check:domain_share:colour"].expected == ("blue", "red")
    assert constraints["data_type_check:type_match:age"].expected == ("Integral",)
    assert {one.cause for one in constraints.values() if one.check != "baseline_drift_check"} == {"data"}
    assert {one.cause for one in constraints.values() if one.check == "baseline_drift_check"} == {"world"}


def test_slices_in_time_suggest_what_the_whole_does() -> None:
    profiles = [TableProfile.of(SMALL.slice(start, 25)) for start in (0, 25, 50, 75)]
    assert USUAL.suggest(profiles) == USUAL.suggest([TableProfile.of(SMALL)])


def test_the_sign_is_written_and_only_judged_when_enabled() -> None:
    baseline, edges = learned(SMALL)
    below = SMALL.set_column(0, "score", pa.array([-1.0] * 100))
    enabled = tuple(
        one.model_copy(update={"enabled": True}) for one in baseline.constraints if one.check == "non_negative_check"
    )
    found = judge(USUAL.measure(USUAL.profile(below, edges), baseline._replace(constraints=enabled)), enabled)
    assert {one.constraint.subject: one.state for one in found} == {"score": State.BROKEN, "age": State.KEPT}
    assert "non_negative_check score" not in findings(below, SMALL)
    signed = learned(below)[0].constraints
    assert [one.lower for one in signed if one.check == "non_negative_check"] == [None, 0.0]


def test_positions_take_the_baselines_names() -> None:
    positional = SMALL.rename_columns(["_c0", "_c1", "_c2"])
    constraints = learned(SMALL)[0].constraints
    rows, note = align(positional, constraints)
    assert (rows.column_names, note) == (SMALL.column_names, "columns were matched to the baseline by position")
    assert rows.rename_columns(positional.column_names) == positional
    assert column_names(constraints) == tuple(SMALL.column_names)


def test_names_that_are_shared_are_never_matched_by_position() -> None:
    constraints = learned(SMALL)[0].constraints
    for table in (SMALL.select(["colour", "age", "score"]), SMALL.rename_columns(["score", "years", "colour"])):
        assert align(table, constraints) == (table, "")
    assert align(SMALL, ()) == (SMALL, "")
    assert having(findings(SMALL.select(["colour", "score", "age"]), SMALL), State.BROKEN) == []


def test_a_column_that_is_not_there_is_incomplete() -> None:
    found = findings(SMALL.rename_columns(["score", "years", "colour"]), SMALL)
    assert having(found, State.BROKEN) == ["completeness_check age"]
    assert found["completeness_check age"].metric.value == 0.0  # type: ignore[union-attr]
    assert having(found, State.UNDECIDED) == ["data_type_check age", "baseline_drift_check age"]


def test_a_column_without_a_cell_is_incomplete_and_of_no_type() -> None:
    found = findings(SMALL.set_column(1, "age", pa.nulls(100, pa.string())), SMALL)
    assert having(found, State.BROKEN) == ["completeness_check age"]
    assert having(found, State.UNDECIDED) == ["data_type_check age", "baseline_drift_check age"]


def test_a_reference_without_a_cell_expects_nothing_of_the_column() -> None:
    empty = SMALL.set_column(1, "age", pa.nulls(100, pa.string()))
    found = findings(SMALL, empty)
    assert having(found, State.KEPT) == list(found)
    assert "completeness_check age" not in found
    assert found["data_type_check age"].constraint.expected == ("Unknown",)


@pytest.mark.parametrize(
    ("cells", "kind", "lower"),
    [(["1", "2"], "Integral", 1.0), (["1.0", "2"], "Fractional", 0.5), (["1", "x"], "String", 1.0)],
)
def test_a_mixed_reference_asks_for_no_more_than_it_has(cells: list[str], kind: str, lower: float) -> None:
    table = pa.table({"x": cells * 50})
    (check,) = (one for one in learned(table)[0].constraints if one.check == "data_type_check")
    assert (check.expected, check.lower) == ((kind,), lower)
    assert having(findings(table, table), State.BROKEN) == []


def test_a_column_of_texts_that_holds_numbers_alone_is_another_type() -> None:
    texts, numbers = pa.table({"x": ["a", "b"] * 30}), pa.table({"x": ["1", "2.5"] * 30})
    assert having(findings(numbers, texts), State.BROKEN)[0] == "data_type_check x"
    some = pa.table({"x": ["a", *["1"] * 49] * 20})
    (name, few) = next(item for item in findings(numbers, some).items() if item[0] == "data_type_check x")
    assert (few.state, few.because) == (
        State.UNDECIDED, "in the reference numbers and texts mix; so few cells may lack a text"
    )  # fmt: skip
    many = pa.table({"x": ["1", "2.5"] * 500})
    assert name in having(findings(many, some), State.BROKEN)


def test_settings_bound_what_is_suggested() -> None:
    loose = DataQuality(
        DataQualitySettings(datatype_check_threshold=0.9, domain_content_threshold=0.8, comparison_threshold=0.3)
    )
    bounds = {one.check: one.lower if one.upper is None else one.upper for one in learned(SMALL, loose)[0].constraints}
    assert (bounds["data_type_check"], bounds["categorical_values_check"], bounds["baseline_drift_check"]) == (
        *(0.9, 0.8, 0.3),
    )
    few = DataQuality(DataQualitySettings(domain_limit=1))
    checks = {one.check for one in learned(SMALL, few)[0].constraints if one.subject == "colour" and one.enabled}
    assert checks == {"data_type_check", "completeness_check"}


@pytest.mark.parametrize(("method", "state"), [("Simple", State.BROKEN), ("Robust", State.KEPT)])
def test_the_robust_distance_forgives_small_samples(method: str, state: State) -> None:
    monitor = DataQuality(DataQualitySettings.model_validate({"comparison_method": method}))
    moved = SMALL.set_column(0, "score", pa.array([(n + 20) / 100 for n in range(100)]))
    drift = findings(moved, SMALL, monitor)["baseline_drift_check score"]
    assert drift.state is state
    assert drift.metric is not None
    assert drift.metric.details == {"distance": pytest.approx(0.2), "n_baseline": 100}


def test_drift_is_undecided_where_nothing_can_be_compared() -> None:
    baseline, edges = learned(SMALL)
    drift = tuple(one for one in baseline.constraints if one.check == "baseline_drift_check")
    other = Edges.of(SMALL.slice(0, 10))
    many = SMALL.set_column(2, "colour", pa.array([f"c{n}" for n in range(100)]))
    texts = SMALL.set_column(0, "score", pa.array(["x"] * 100))

    def because(profile: TableProfile, known: Baseline, subject: str) -> str:
        found = judge(USUAL.measure(profile, known), [one for one in drift if one.subject == subject])
        assert [one.state for one in found] == [State.UNDECIDED]
        return found[0].because

    own = USUAL.profile(SMALL, edges)
    assert because(own, Baseline("id", drift, TableProfile()), "score").startswith("the baseline has no statistics")
    assert because(USUAL.profile(SMALL, other), baseline, "score") == "it is counted on other edges than the baseline"
    assert because(USUAL.profile(texts, edges), baseline, "score").startswith("not enough data: 0 rows")
    far = judge(USUAL.measure(USUAL.profile(many, edges), baseline), drift)
    assert {one.constraint.subject: one.state for one in far}["colour"] is State.BROKEN


def test_an_unknown_metric_in_the_file_is_refused() -> None:
    baseline, edges = learned(SMALL)
    strange = baseline._replace(constraints=(Constraint(check="c", metric="beauty", subject="age"),))
    with pytest.raises(ValueError, match="measures no 'beauty'"):
        USUAL.measure(USUAL.profile(SMALL, edges), strange)


def test_sixty_rows_like_those_of_the_reference_raise_no_alarm() -> None:
    random = np.random.default_rng(7)

    def rows(count: int) -> pa.Table:
        plans = random.zipf(1.6, count).clip(max=400)  # many a plan is rare, so small windows lack most of them
        kinds = random.random(count)
        return pa.table(
            {
                "gappy": pa.array(random.normal(size=count), mask=random.random(count) < 0.05),
                "seldom_gappy": pa.array(random.normal(size=count), mask=random.random(count) < 0.001),
                "mixed": ["x" if kind < 0.02 else "1" for kind in kinds],
                "plan": [f"plan {plan}" for plan in plans],
            }
        )

    settings = DataQualitySettings(domain_limit=1000, datatype_check_threshold=1.0)
    reference = rows(10_000)
    baseline, edges = learned(reference, DataQuality(settings))
    exact = [one.model_copy(update={"margin": 0.0}) for one in baseline.constraints]
    alarms = exact_alarms = 0
    for _ in range(200):
        metrics = USUAL.measure(USUAL.profile(rows(60), edges), baseline)
        alarms += sum(one.state is State.BROKEN for one in judge(metrics, baseline.constraints))
        exact_alarms += sum(one.state is State.BROKEN for one in judge(metrics, exact))
    assert exact_alarms > 200
    assert alarms <= 6


@pytest.mark.parametrize("rule", ["observed", "interval"])
def test_what_the_reference_never_had_is_no_chance(rule: Rule) -> None:
    monitor = DataQuality(DataQualitySettings(rule=rule))
    one_odd = SMALL.set_column(1, "age", pa.array(["old", *(str(20 + n % 50) for n in range(99))]))
    assert having(findings(one_odd, SMALL, monitor), State.BROKEN) == ["data_type_check age"]


def test_the_settings_say_whether_chance_excuses() -> None:
    gaps = SMALL.set_column(1, "age", pa.array([*[None] * 10, *map(str, range(90))]))
    more = SMALL.set_column(1, "age", pa.array([*[None] * 12, *map(str, range(88))]))
    many = SMALL.set_column(1, "age", pa.array([*[None] * 40, *map(str, range(60))]))
    bare = DataQuality(DataQualitySettings(rule="observed"))
    assert having(findings(more, gaps, bare), State.BROKEN) == ["completeness_check age"]
    assert not having(findings(more, gaps), State.BROKEN)
    assert "completeness_check age" in having(findings(many, gaps), State.BROKEN)


def test_nameless_columns_take_names_where_the_others_stand_in_their_places() -> None:
    constraints = learned(SMALL)[0].constraints
    rows, note = align(SMALL.rename_columns(["_c0", "age", "colour"]), constraints)
    assert (rows.column_names, note) == (SMALL.column_names, "columns were matched to the baseline by position")
    for names in (["_c0", "colour", "age"], ["other", "age", "colour"]):
        moved = SMALL.rename_columns(names)
        assert align(moved, constraints) == (moved, "")
