"""Methods of drift, range and constancy as checks of a baseline: asked for by name, and beside SageMaker's files."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, get_args

import numpy as np
import pyarrow as pa
import pyarrow.csv
import pytest
from pydantic import ValidationError
from scipy import stats

from monitor_tasks.baseline import Baseline, Metric
from monitor_tasks.judging import check, read_baseline, suggest
from monitor_tasks.metrics.drift import METHODS
from monitor_tasks.metrics.multivariate import MULTIVARIATE
from monitor_tasks.monitors.data_quality import THRESHOLDS, DataQuality
from monitor_tasks.monitors.settings import CategoricalMethod, DataQualitySettings, NumericMethod
from monitor_tasks.profiles.columns import Edges
from monitor_tasks.report import Finding, State, judge
from monitor_tasks.tables.files import read_table

CHANCE = np.random.default_rng(20)
ROWS = 3000
REFERENCE = pa.table(
    {
        "amount": CHANCE.normal(10, 2, ROWS),
        "count": CHANCE.poisson(4, ROWS),
        "colour": CHANCE.choice(["red", "green", "blue"], ROWS, p=[0.5, 0.3, 0.2]),
        "id": [f"row {row}" for row in range(ROWS)],
    }
)
MOVED = pa.table(
    {
        "amount": CHANCE.normal(11, 3, ROWS),
        "count": CHANCE.poisson(6, ROWS),
        "colour": CHANCE.choice(["red", "green", "blue"], ROWS, p=[0.2, 0.3, 0.5]),
        "id": [f"row {row}" for row in range(ROWS)],
    }
)
NUMERIC, CATEGORICAL = get_args(NumericMethod), get_args(CategoricalMethod)
ALL: dict[str, Any] = {"drift": {"numeric": NUMERIC, "categorical": CATEGORICAL}}


def settings(**said: Any) -> DataQualitySettings:
    return DataQualitySettings.model_validate(said)


def found(window: pa.Table, reference: pa.Table, known: Any = True, **said: Any) -> dict[str, Finding]:
    """The findings of ours by check and column."""
    monitor, edges = DataQuality(settings(**said)), Edges.of(reference)
    profile = monitor.profile(reference, edges)
    baseline = Baseline("id", tuple(monitor.suggest([profile])), profile, edges if known else None)
    findings = judge(monitor.measure(monitor.profile(window, edges), baseline), baseline.constraints)
    return {f"{one.constraint.check} {one.constraint.subject}": one for one in findings}


def metric(finding: Finding) -> Metric:
    assert finding.metric is not None
    return finding.metric


def test_the_menu_is_the_same_everywhere() -> None:
    assert {*METHODS} == {*NUMERIC} == {*THRESHOLDS} - {"correlation", *MULTIVARIATE}
    assert {*CATEGORICAL} < {*NUMERIC}


def test_nothing_is_asked_for_unless_it_is_named() -> None:
    usual = suggest("data_quality", settings(), REFERENCE)
    asked = suggest("data_quality", settings(**ALL, range_check=True, constant_check=True), REFERENCE)
    assert usual["bounds.json"] != asked["bounds.json"]
    for name in ("constraints.json", "statistics.json"):
        assert usual[name] == asked[name]


@pytest.mark.parametrize("method", NUMERIC)
def test_every_method_sees_what_moved_and_nothing_else(method: str) -> None:
    here = found(MOVED, REFERENCE, **ALL)
    columns = ["amount", "count", *(["colour"] if method in CATEGORICAL else [])]
    for name in columns:
        one = metric(here[f"{method}_drift_check {name}"])
        assert here[f"{method}_drift_check {name}"].state is State.BROKEN, (method, name, one)
        assert one.n == one.details["n_baseline"] == ROWS
        assert {"direction", "effect_size"} <= {*one.details}
    assert f"{method}_drift_check id" not in here
    again = found(REFERENCE, REFERENCE, **ALL)
    assert {again[f"{method}_drift_check {name}"].state for name in columns} == {State.KEPT}


def test_direction_and_effect_size() -> None:
    here = found(MOVED, REFERENCE, drift={"numeric": ["psi"], "categorical": ["psi"]})
    amount, colour = (metric(here[f"psi_drift_check {name}"]).details for name in ("amount", "colour"))
    mine, theirs = (np.array(table["amount"]) for table in (MOVED, REFERENCE))
    assert amount["direction"] == "up"
    assert amount["effect_size"] == pytest.approx((mine.mean() - theirs.mean()) / theirs.std(ddof=1), rel=1e-9)
    assert colour["category"] in ("red", "blue")
    assert colour["direction"] == {"red": "down", "blue": "up"}[str(colour["category"])]
    back = metric(found(REFERENCE, MOVED, drift={"numeric": ["mean_shift"]})["mean_shift_drift_check amount"])
    assert back.details["direction"] == "down"
    assert (back.value or 0) < 0


def test_only_complete_values_have_a_kolmogorov_smirnov_p_value() -> None:
    here = found(MOVED, REFERENCE, drift={"numeric": ["ks"]})
    mine, theirs = (np.array(table["count"]) for table in (MOVED, REFERENCE))
    expected = stats.ks_2samp(mine, theirs, method="asymp")
    count, amount = (metric(here[f"ks_drift_check {name}"]) for name in ("count", "amount"))
    assert count.value == pytest.approx(expected.statistic, abs=1e-12)
    assert count.details["p_value"] == pytest.approx(expected.pvalue, rel=1e-9)
    assert "p_value" not in amount.details
    rows = stats.ks_2samp(np.array(MOVED["amount"]), np.array(REFERENCE["amount"]), method="asymp").statistic
    assert amount.value == pytest.approx(rows, abs=1e-3)


def test_p_values_are_adjusted_over_the_columns_that_are_judged() -> None:
    same = {f"x{n}": np.random.default_rng(n).choice(["a", "b"], ROWS) for n in range(20)}
    window = pa.table({name: np.random.default_rng(100 + n).choice(["a", "b"], ROWS) for n, name in enumerate(same)})
    here = found(window, pa.table(same), drift={"categorical": ["chi_square"]})
    tested = [metric(one) for name, one in here.items() if name.startswith("chi_square")]
    raw = [float(one.details["p_value"]) for one in tested]
    adjusted = stats.false_discovery_control(raw)
    assert [one.details["p_adjusted"] for one in tested] == pytest.approx(adjusted.tolist(), abs=1e-12)
    assert [one.value for one in tested] == [one.details["p_adjusted"] for one in tested]
    assert min(raw) < 0.05 < min(adjusted)
    assert State.BROKEN not in {one.state for one in here.values()}


def test_a_disabled_check_takes_no_part_in_the_adjustment() -> None:
    monitor, edges = DataQuality(settings(drift={"numeric": ["mean_shift"]})), Edges.of(REFERENCE)
    profile = monitor.profile(REFERENCE, edges)
    off = [
        one.model_copy(update={"enabled": one.subject == "count"}) if one.check == "mean_shift_drift_check" else one
        for one in monitor.suggest([profile])
    ]
    measured = monitor.measure(monitor.profile(MOVED, edges), Baseline("id", tuple(off), profile))
    details = {one.subject: one.details for one in measured if one.name == "drift_mean_shift"}
    assert details["count"]["p_adjusted"] == details["count"]["p_value"]
    assert "amount" not in details


def test_methods_and_thresholds_of_single_columns() -> None:
    chosen = {"numeric": ["psi"], "columns": {"amount": ["ks", "wasserstein"], "colour": ["ks"], "count": []}}
    here = found(MOVED, REFERENCE, drift={**chosen, "thresholds": {"ks": 0.5}})
    ours = {name: one for name, one in here.items() if name.endswith(("amount", "colour", "count"))}
    checks = [name for name in ours if "_drift_check" in name and not name.startswith("baseline")]
    assert checks == ["ks_drift_check amount", "wasserstein_drift_check amount", "ks_drift_check colour"]
    assert here["ks_drift_check amount"].constraint.upper == 0.5
    assert here["ks_drift_check amount"].state is State.KEPT
    assert here["ks_drift_check colour"].state is State.UNDECIDED
    assert here["ks_drift_check colour"].because == "ks compares numbers, the reference's cells are String"


@pytest.mark.parametrize(
    "said", [{"numeric": ["beauty"]}, {"categorical": ["ks"]}, {"thresholds": {"psi": -1}}, {"thresholds": {"x": 1}}]
)
def test_settings_name_known_methods_only(said: Mapping[str, Any]) -> None:
    with pytest.raises(ValidationError):
        settings(drift=said)


def test_too_few_rows_to_tell_drift_from_chance_are_undecided() -> None:
    asked = {"numeric": ["psi", "ks"], "categorical": ["psi"]}
    here = found(MOVED.slice(0, 40), REFERENCE, drift=asked)
    assert {one.state for name, one in here.items() if name.startswith(("psi", "ks"))} == {State.UNDECIDED}
    small = found(MOVED, REFERENCE.slice(0, 60), drift=asked)
    assert "baseline has too few cells" in small["psi_drift_check amount"].because
    assert small["psi_drift_check amount"].state is State.UNDECIDED


@pytest.mark.parametrize("method", [one for one in NUMERIC if one != "variance_shift"])
def test_chance_alone_seldom_breaks_a_bound_even_with_the_fewest_rows(method: str) -> None:
    """Of 200 columns of 3,000 rows and windows of the fewest rows that are judged, at most 3 % are broken."""
    chance = np.random.default_rng(6)
    broken = 0
    for _ in range(20):
        reference = pa.table({f"x{n}": chance.normal(size=ROWS) for n in range(10)})
        monitor, edges = DataQuality(settings(drift={"numeric": [method]})), Edges.of(reference)
        profile = monitor.profile(reference, edges)
        ours = tuple(one for one in monitor.suggest([profile]) if one.metric == f"drift_{method}")
        fewest = max(60, ours[0].minimum_rows)
        window = pa.table({f"x{n}": chance.normal(size=fewest) for n in range(10)})
        baseline = Baseline("id", ours, profile, edges)
        findings = judge(monitor.measure(monitor.profile(window, edges), baseline), ours)
        assert State.UNDECIDED not in {one.state for one in findings}
        broken += sum(one.state is State.BROKEN for one in findings)
    assert broken <= 6


def test_without_edges_the_earth_mover_asks_for_all_values() -> None:
    here = found(MOVED, REFERENCE, known=False, drift={"numeric": ["wasserstein"]})
    assert here["wasserstein_drift_check count"].state is State.BROKEN
    assert here["wasserstein_drift_check amount"].because.startswith("the baseline's edges are not at hand")
    amount = metric(found(MOVED, REFERENCE, drift={"numeric": ["wasserstein"]})["wasserstein_drift_check amount"])
    mine, theirs = (np.array(table["amount"]) for table in (MOVED, REFERENCE))
    distance = stats.wasserstein_distance(mine, theirs)
    assert abs(float(amount.details["distance"]) - distance) <= float(amount.details["distance_error"])
    assert amount.value == pytest.approx(distance / theirs.std(ddof=1), rel=0.07)  # a part lies outside of all edges


def test_range() -> None:
    here = found(MOVED, REFERENCE, range_check=True)
    ranges = [one for one in here if one.startswith("range_check")]
    assert ranges == ["range_check amount", "range_check count"]
    assert here["range_check amount"].state is State.BROKEN
    assert found(REFERENCE, REFERENCE, range_check=True)["range_check amount"].state is State.KEPT


def test_constant() -> None:
    stuck = REFERENCE
    for name, cell in (("amount", 3.5), ("colour", "red"), ("id", "row")):
        stuck = stuck.set_column(stuck.column_names.index(name), name, pa.array([cell] * ROWS))
    here = found(stuck, REFERENCE, constant_check=True)
    broken = [name for name, one in here.items() if name.startswith("constant") and one.state is State.BROKEN]
    assert broken == ["constant_check amount", "constant_check colour", "constant_check id"]
    assert here["constant_check amount"].constraint.reason == "the reference has at least 1025 different values"
    assert "constant_check amount" not in found(REFERENCE, stuck, constant_check=True)
    assert {one.state for one in found(REFERENCE, REFERENCE, constant_check=True).values()} == {State.KEPT}
    void = REFERENCE.set_column(2, "colour", pa.nulls(ROWS, pa.string()))
    assert found(void, REFERENCE, constant_check=True)["constant_check colour"].state is State.UNDECIDED


def test_a_chi_square_on_too_few_rows_is_undefined() -> None:
    few = found(MOVED.slice(0, 35), REFERENCE, drift={"numeric": ["chi_square"]})["chi_square_drift_check amount"]
    assert few.state is State.UNDECIDED
    assert few.because.startswith("chi_square is undefined here")


def test_a_check_against_files_keeps_ours_beside_sagemakers_edits() -> None:
    """A user edits constraints.json by SageMaker's rules and bounds.json by ours; Great Expectations agrees."""
    asked = settings(**ALL, range_check=True, constant_check=True)
    files = suggest("data_quality", asked, REFERENCE)
    edited = files["constraints.json"].replace(b'"comparison_threshold" : 0.1', b'"comparison_threshold" : 0.9')
    bounds = files["bounds.json"].replace(b'"upper": 0.2,', b'"upper": 7.0,')
    assert edited != files["constraints.json"]
    assert bounds != files["bounds.json"]
    known = read_baseline("id", "data_quality", asked, {**files, "constraints.json": edited, "bounds.json": bounds}.get)
    assert len(known.baseline.constraints) == files["bounds.json"].count(b'"check"')
    checked = check("data_quality", asked, MOVED, known)
    states = {one.constraint.key: one.state for one in checked.findings}
    assert State.FAILED not in states.values()
    assert states["baseline_drift_check:drift_linf:colour"] is State.KEPT
    assert states["psi_drift_check:drift_psi:colour"] is State.KEPT
    assert states["hellinger_drift_check:drift_hellinger:colour"] is State.BROKEN
    assert b'"constraint_check_type" : "hellinger_drift_check"' in checked.artifacts["constraint_violations.json"]


def test_a_report_of_an_earlier_version_is_still_read() -> None:
    assert Metric.from_json('{"name": "completeness", "value": 1.0, "n": 3}').details == {}


def test_on_the_titanic_it_is_scipys_on_the_rows(shared: Path) -> None:
    folder = shared / "nannyml-titanic"
    reference, window = (
        read_table((folder / f"titanic_{name}.csv").read_bytes(), "titanic.csv") for name in ("reference", "analysis")
    )
    columns = {name: ["ks", "mean_shift"] for name in ("Age", "Fare", "SibSp")} | {"Sex": ["chi_square", "psi"]}
    here = found(window, reference, drift={"columns": columns})
    frames = [table.to_pandas() for table in (window, reference)]
    for name in ("Age", "Fare", "SibSp"):
        mine, theirs = (frame[name].dropna().astype(float) for frame in frames)
        one = metric(here[f"ks_drift_check {name}"])
        expected = stats.ks_2samp(mine, theirs, method="asymp")
        assert (one.n, one.details["n_baseline"]) == (len(mine), len(theirs))
        assert one.details.get("p_value") == pytest.approx(expected.pvalue, rel=1e-9)
        welch = metric(here[f"mean_shift_drift_check {name}"])
        assert welch.details["p_value"] == pytest.approx(
            stats.ttest_ind(mine, theirs, equal_var=False).pvalue, rel=1e-9
        )
    counts = [frame["Sex"].value_counts()[["male", "female"]] for frame in frames]
    sex = metric(here["chi_square_drift_check Sex"])
    assert sex.details["p_value"] == pytest.approx(stats.chi2_contingency(counts, correction=False).pvalue, rel=1e-9)
    p, q = (one / one.sum() for one in counts)
    assert metric(here["psi_drift_check Sex"]).details["category"] in ("male", "female")
    shown = stats.entropy(p, q) + stats.entropy(q, p)
    wide = metric(found(window, reference, drift={"columns": {"Sex": ["psi"]}})["psi_drift_check Sex"])
    assert wide.value == pytest.approx(shown, abs=1e-12)
