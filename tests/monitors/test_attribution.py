"""Attribution on the example's story: its ranking holds in healthy hours and falls when the drivers change."""

import json
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from sklearn.pipeline import Pipeline

from examples.loan_scoring import simulate
from examples.loan_scoring.story import HEALTHY, NEW_DRIVERS, SLOWLY_SHIFTED
from examples.loan_scoring.world import FEATURES, World, draw
from monitor_tasks.baseline import Baseline
from monitor_tasks.monitors.attribution import Attribution
from monitor_tasks.monitors.settings import AttributionSettings
from monitor_tasks.profiles.sample import SampleProfile
from monitor_tasks.report import Finding, State, judge
from monitor_tasks.tables.explained import explain
from monitor_tasks.tables.sampling import smallest_hashes

SAMPLE = 250
USUAL = Attribution(AttributionSettings(sample_rows=SAMPLE))


@pytest.fixture(scope="module")
def pipeline() -> Pipeline:
    return simulate.train(7)


def explained(pipeline: Pipeline, world: World, rows: int, seed: int) -> pa.Table:
    frame = draw(world, rows, np.random.default_rng(seed))[list(FEATURES)]
    cells = {name: [None if pd.isna(cell) else str(cell) for cell in frame[name].tolist()] for name in FEATURES}
    ids = [f"{seed}-{number}" for number in range(rows)]
    return explain(smallest_hashes(pa.table({"@event_id": ids, **cells}), SAMPLE), pipeline, FEATURES)


@pytest.fixture(scope="module")
def reference(pipeline: Pipeline) -> pa.Table:
    return explained(pipeline, HEALTHY, 2000, 1)


@pytest.fixture(scope="module")
def baseline(reference: pa.Table) -> Baseline:
    profile = USUAL.profile(reference)
    return Baseline("id", tuple(USUAL.suggest([profile])), profile)


def found(rows: pa.Table, baseline: Baseline, monitor: Attribution = USUAL) -> Finding:
    (finding,) = judge(monitor.measure(monitor.profile(rows), baseline), baseline.constraints)
    return finding


def value(finding: Finding) -> Any:
    return finding.metric.value if finding.metric else None


def test_the_ranking_holds_in_a_healthy_hour(pipeline: Pipeline, baseline: Baseline) -> None:
    finding = found(explained(pipeline, HEALTHY, 600, 2), baseline)
    assert finding.state is State.KEPT
    assert value(finding) > 0.98


def test_income_that_shifts_changes_no_drivers(pipeline: Pipeline, baseline: Baseline) -> None:
    assert value(found(explained(pipeline, SLOWLY_SHIFTED, 600, 3), baseline)) > 0.98


def test_new_drivers_of_the_score_break_it(pipeline: Pipeline, baseline: Baseline) -> None:
    finding = found(explained(pipeline, NEW_DRIVERS, 600, 4), baseline)
    assert finding.state is State.BROKEN
    assert value(finding) < 0.9
    assert finding.metric
    assert finding.metric.deviation
    assert finding.metric.deviation < 0.01
    details = dict(finding.metric.details)
    assert details.pop("residual") < 1e-12
    assert (finding.metric.n, details) == (
        SAMPLE,
        {
            "sample_size": SAMPLE, "n_baseline": SAMPLE, "explainer": "tree_path_dependent", "scale": "margin",
            "evaluations": 0,
        },
    )  # fmt: skip


def test_the_reference_keeps_what_it_suggested(reference: pa.Table, baseline: Baseline) -> None:
    assert value(found(reference, baseline)) == 1.0
    (constraint,) = baseline.constraints
    assert (constraint.check, constraint.metric) == ("feature_attribution_drift_check", "shap")
    assert (constraint.subject, constraint.lower, constraint.cause) == ("label0", 0.9, "world")
    assert constraint.minimum_rows == 30
    assert "12 features against 250 explained rows" in constraint.reason


def test_each_feature_has_its_global_value(reference: pa.Table, baseline: Baseline) -> None:
    metrics = USUAL.measure(baseline.profile, baseline)[1:]
    known = {one.subject: one.value for one in metrics}
    assert {one.name for one in metrics} == {"mean_abs_shap"}
    assert known == {name: pytest.approx(np.abs(reference[name].to_numpy()).mean(), rel=1e-12) for name in FEATURES}
    *drivers, expected = USUAL.statistics(baseline.profile)
    assert drivers == metrics
    assert (expected.name, expected.subject) == ("expected_value", "label0")
    assert expected.value == json.loads(reference.schema.metadata[b"expected_value"])[0]


def test_any_split_of_the_explained_rows_gives_the_same_bytes(reference: pa.Table, baseline: Baseline) -> None:
    parts = [USUAL.profile(part) for part in (reference.slice(90), reference.slice(0, 90))]
    whole = parts[0] + parts[1]
    assert whole.to_json() == USUAL.profile(reference).to_json()
    assert USUAL.read_profile(whole.to_json()) == whole
    assert USUAL.suggest(parts) == list(baseline.constraints)


def test_same_seed_same_bytes(reference: pa.Table, baseline: Baseline) -> None:
    once, again = (USUAL.measure(USUAL.profile(reference), baseline) for _ in range(2))
    assert [one.to_json() for one in once] == [one.to_json() for one in again]


NOT_EXPLAINED = [pa.table({}), pa.table({"x": ["1"] * 40}), pa.table({"@hash": pa.array([], pa.uint64())})]


@pytest.mark.parametrize("rows", NOT_EXPLAINED)
def test_rows_that_are_not_explained_are_undecided(rows: pa.Table, baseline: Baseline) -> None:
    finding = found(rows, baseline)
    assert finding.state is State.UNDECIDED
    assert finding.because
    own = Baseline("id", tuple(USUAL.suggest([USUAL.profile(rows)])), USUAL.profile(rows))
    assert found(rows, own).state is State.UNDECIDED


def test_few_rows_are_undecided(reference: pa.Table, baseline: Baseline) -> None:
    finding = found(reference.slice(0, 29), baseline)
    assert (finding.state, finding.because) == (State.UNDECIDED, "not enough data: 29 rows, 30 needed")


def test_a_baseline_without_explained_rows_is_no_measure(reference: pa.Table, baseline: Baseline) -> None:
    for profile in (None, SampleProfile()):
        finding = found(reference, baseline._replace(profile=profile))
        assert (finding.state, finding.because) == (State.UNDECIDED, "the baseline has no explained rows")


def test_a_median_below_zero_is_undecided(reference: pa.Table, baseline: Baseline) -> None:
    monitor = Attribution(AttributionSettings(sample_rows=SAMPLE, agg_method="median"))
    finding = found(reference, baseline, monitor)
    assert finding.state is State.UNDECIDED
    assert finding.because.endswith("is negative")
    assert finding.metric
    assert finding.metric.deviation is None


def test_expected_values_of_two_models_are_averaged_and_none_is_undefined() -> None:
    row = {"@hash": pa.array([1], pa.uint64()), "a": [1.0]}
    parts = [pa.table(row, metadata={"expected_value": str(n)}) for n in (1, 2)]
    both = USUAL.profile(parts[0]) + USUAL.profile(parts[1])
    assert USUAL.statistics(both)[-1].value == 1.5
    nothing = USUAL.statistics(SampleProfile())[-1]
    assert (nothing.value, nothing.because) == (None, "there are no explained rows")
