"""Model quality: what is suggested, measured and broken, and the laws of every monitor."""

import random
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from monitor_tasks.baseline import Baseline
from monitor_tasks.monitors.model_quality import PROBLEMS, ModelQuality
from monitor_tasks.monitors.model_quality.problem import find_column
from monitor_tasks.monitors.settings import ModelQualitySettings
from monitor_tasks.profiles import scores as profiles
from monitor_tasks.profiles.scores import ScoreProfile
from monitor_tasks.report import Finding, State, judge
from monitor_tasks.tables.files import read_table
from monitor_tasks.value import UserError

LABELS = st.none() | st.sampled_from(["0", "1", "0.0", "1.0", "maybe", ""])
SCORES = st.none() | st.sampled_from(["0", "1", "0.5", "0.25", "x", "1.5"]) | st.floats(0, 1).map(repr)
CLASSES = st.none() | st.sampled_from(["0", "1", "1.0", "2", "yes"])
CONSTRAINED = tuple(PROBLEMS["BinaryClassification"].constrained)
randoms = st.randoms(use_true_random=False)


@st.composite
def tables(draw: st.DrawFn, max_rows: int = 40) -> pa.Table:
    rows = draw(st.lists(st.tuples(LABELS, SCORES, CLASSES), max_size=max_rows))
    names = ("label", "score", "class")
    return pa.table({name: pa.array([row[place] for row in rows], pa.string()) for place, name in enumerate(names)})


def monitor(**chosen: Any) -> ModelQuality:
    usual = {"probability_attribute": "score", "inference_attribute": "class"}
    return ModelQuality(ModelQualitySettings(**{**usual, **chosen}))


MONITORS = [
    monitor(minimum_rows=1),
    monitor(minimum_rows=1, inference_attribute=None),
    monitor(minimum_rows=1, probability_attribute=None),
    monitor(minimum_rows=1, rule="interval"),
]
every_monitor = pytest.mark.parametrize("one", MONITORS)


def learned(one: ModelQuality, *tables: pa.Table) -> Baseline:
    found = [one.profile(table) for table in tables]
    return Baseline("id", tuple(one.suggest(found)), sum(found, ScoreProfile()))


def findings(one: ModelQuality, window: pa.Table, baseline: Baseline) -> tuple[Finding, ...]:
    return judge(one.measure(one.profile(window), baseline), baseline.constraints)


def names(found: Sequence[Finding], state: State) -> list[str]:
    return [finding.constraint.metric for finding in found if finding.state is state]


def sample(rows: int, seed: int, quality: float = 1.0) -> pa.Table:
    """Rows of a model whose scores are probabilities; below 1 its labels are drawn more and more at random."""
    chance = np.random.default_rng(seed)
    scores = chance.random(rows)
    labels = np.where(chance.random(rows) < quality, chance.random(rows) < scores, chance.random(rows) < 0.5)
    return pa.table({"label": labels.astype(int), "score": scores, "class": (scores > 0.5).astype(int)})


@every_monitor
@given(table=tables(), chance=randoms)
def test_any_split_in_any_order_gives_the_same_bytes(one: ModelQuality, table: pa.Table, chance: random.Random) -> None:
    mixed = table.take(pa.array(chance.sample(range(table.num_rows), table.num_rows), pa.int64()))
    cuts = [0, *sorted(chance.randint(0, table.num_rows) for _ in range(3)), table.num_rows]
    parts = [one.profile(mixed.slice(start, end - start)) for start, end in pairwise(cuts)]
    assert sum(parts, ScoreProfile()).to_json() == one.profile(table, edges=None).to_json()
    assert one.read_profile(parts[0].to_json()) == parts[0]


@every_monitor
@given(table=tables())
def test_a_table_never_breaks_the_baseline_it_suggested(one: ModelQuality, table: pa.Table) -> None:
    baseline = learned(one, table)
    assert names(findings(one, table, baseline), State.BROKEN) == []


@hypothesis_settings(max_examples=15)
@given(st.integers(0, 10**6), st.sampled_from(["observed", "interval"]))
def test_nor_does_a_table_large_enough_for_deviations(seed: int, rule: str) -> None:
    one, table = monitor(rule=rule), sample(400, seed)
    baseline = learned(one, table)
    assert names(findings(one, table, baseline), State.KEPT) == list(CONSTRAINED)


@every_monitor
@given(table=tables(), window=tables(max_rows=29), chance=randoms)
def test_an_empty_or_tiny_window_is_undecided(
    one: ModelQuality, table: pa.Table, window: pa.Table, chance: random.Random
) -> None:
    asking = ModelQuality(one.settings.model_copy(update={"minimum_rows": 30}))
    baseline = learned(asking, table)
    for tiny in (table.slice(0, 0), window, table.slice(0, chance.randint(0, 29)), pa.table({})):
        found = findings(asking, tiny, baseline)
        assert {finding.state for finding in found} <= {State.UNDECIDED}
        assert all(finding.because for finding in found)


@every_monitor
@given(table=tables(), more=tables())
def test_rows_without_a_label_change_no_metric(one: ModelQuality, table: pa.Table, more: pa.Table) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(profiles, "SCORE_LIMIT", 12)
        unlabelled = more.set_column(0, "label", pa.nulls(more.num_rows, pa.string()))
        both, alone = one.profile(pa.concat_tables([table, unlabelled])), one.profile(table)
        baseline = learned(one, table)
        assert one.measure(both, baseline) == one.measure(alone, baseline)
        assert one.statistics(both) == one.statistics(alone)
        assert both.rows == table.num_rows + more.num_rows


@pytest.fixture(scope="module")
def churn(shared: Path) -> pa.Table:
    return read_table((shared / "sagemaker/churn/validation_with_predictions.csv").read_bytes(), "churn.csv")


CHURN = monitor(probability_attribute="probability", inference_attribute="prediction")


def test_the_churn_table_suggests_sagemakers_constraints(churn: pa.Table, shared: Path) -> None:
    printed = (shared / "sagemaker/churn/model_quality_baseline.printed.txt").read_text()
    lines = printed.partition("comparison_operator\n")[2].splitlines()
    expected = [line.split() for line in lines]
    suggested = CHURN.suggest([CHURN.profile(churn)])
    shown = [(one.metric, one.upper if one.lower is None else one.lower, one.check) for one in suggested]
    assert [(name, round(value or 0.0, 6), operator) for name, value, operator in shown] == [
        (name, float(value), operator) for name, value, operator in expected
    ]
    assert {(one.minimum_rows, one.margin, one.expected, one.cause) for one in suggested} == {(30, 0.0, (), "world")}
    assert suggested[0].reason == "recall of the reference is 0.5714285714285714"


def test_the_churn_table_in_slices_suggests_the_same(churn: pa.Table) -> None:
    slices = [CHURN.profile(churn.slice(start, 50)) for start in range(0, 250, 50)]
    assert CHURN.suggest(slices) == CHURN.suggest([CHURN.profile(churn)])


def test_a_threshold_gives_the_classes_that_the_file_holds(churn: pa.Table) -> None:
    by_threshold = monitor(
        probability_attribute="probability", inference_attribute=None, probability_threshold_attribute=0.8
    )
    assert by_threshold.profile(churn) == CHURN.profile(churn)


def test_columns_may_be_named_by_their_place(churn: pa.Table) -> None:
    by_place = monitor(probability_attribute="0", inference_attribute="1", ground_truth_attribute="2")
    assert by_place.profile(churn) == CHURN.profile(churn)
    table = pa.table({"a": [0], "0": [1]})
    assert find_column(table, "0") == table["0"]
    assert find_column(table, "1") == table["0"]
    assert find_column(table, "2") is find_column(table, "-1") is find_column(table, "²") is None


@pytest.mark.parametrize("key", ["probability_attribute", "inference_attribute", "ground_truth_attribute"])
def test_a_name_that_no_column_has_is_told_with_its_key(churn: pa.Table, key: str) -> None:
    wrong = ModelQuality(CHURN.settings.model_copy(update={key: "probabilty"}))
    with pytest.raises(UserError, match=rf"model_quality\.{key}: .*'probabilty'.*probability, prediction, label"):
        wrong.profile(churn)


def test_settings_that_name_no_prediction_are_an_error(churn: pa.Table) -> None:
    with pytest.raises(UserError, match="probability_attribute and inference_attribute are not set"):
        ModelQuality(ModelQualitySettings()).profile(churn)


def test_a_worse_model_breaks_every_constraint_and_a_better_one_none() -> None:
    baseline = learned(monitor(), sample(3000, 1, quality=0.5))
    assert names(findings(monitor(), sample(3000, 2, quality=0.0), baseline), State.BROKEN) == list(CONSTRAINED)
    assert names(findings(monitor(), sample(3000, 3, quality=1.0), baseline), State.KEPT) == list(CONSTRAINED)


def test_all_unlabelled_rows_are_undecided_and_say_so() -> None:
    one = monitor()
    window = sample(500, 1).set_column(0, "label", pa.nulls(500, pa.string()))
    metrics = one.measure(one.profile(window), learned(one, sample(500, 2)))
    assert {(metric.value, metric.n, metric.because) for metric in metrics} == {
        (None, 0, "no row has both a label and a usable prediction")
    }
    assert one.suggest([one.profile(window)]) == []


def test_what_is_left_out_is_told() -> None:
    one = monitor()
    strange = pa.table({"label": ["1", "0", "yes", "1"], "score": ["0.9", "0.1", "0.1", "7"], "class": ["1", "0"] * 2})
    metric = one.measure(one.profile(strange), Baseline("", (), None))[0]
    assert (metric.n, metric.value) == (2, 1.0)
    assert metric.details == {"unknown_labels": 1, "unusable_predictions": 1}


def test_an_undefined_metric_of_the_reference_gets_no_constraint() -> None:
    one = monitor(probability_attribute=None)
    only_zeros = pa.table({"label": ["0"] * 50, "class": ["0"] * 49 + ["1"]})
    assert [c.metric for c in one.suggest([one.profile(only_zeros)])] == [
        "precision", "accuracy", "true_negative_rate", "false_positive_rate", "f0_5", "f1", "f2",
    ]  # fmt: skip


def test_the_error_of_the_auc_is_told_once_scores_are_steps() -> None:
    one = monitor()
    metrics = {metric.name: metric for metric in one.measure(one.profile(sample(70_000, 1)), Baseline("", (), None))}
    assert 0 < metrics["auc"].details["error"] < 1 / 65_536  # type: ignore[operator]
    assert "error" not in metrics["recall"].details


def test_the_interval_rule_bears_chance_and_finds_a_worse_model() -> None:
    strict, lenient = monitor(), monitor(rule="interval")
    reference = sample(2000, 1)
    known = [(one, learned(one, reference)) for one in (strict, lenient)]
    alarms = {"observed": 0, "interval": 0}
    for seed in range(2, 14):
        for one, baseline in known:
            found = findings(one, sample(1000, seed), baseline)
            alarms[one.settings.rule] += bool(names(found, State.BROKEN))
    assert alarms["observed"] > 6
    assert alarms["interval"] == 0
    worse = findings(lenient, sample(1000, 99, quality=0.0), known[1][1])
    assert names(worse, State.BROKEN) == list(CONSTRAINED)


def test_the_interval_rule_carries_the_value_and_asks_for_rows_enough_to_know_a_deviation() -> None:
    one = monitor(rule="interval")
    recall = one.suggest([one.profile(sample(2000, 1))])[0]
    assert recall.lower is not None
    assert float(recall.expected[0]) > recall.lower
    assert (recall.margin, recall.minimum_rows) == (3.0, 200)
    assert "3 of its own deviations" in recall.reason
    small = one.suggest([one.profile(sample(100, 1))])[0]
    assert float(small.expected[0]) == small.lower
    assert "not known below 200 rows" in small.reason


def test_statistics_are_in_sagemakers_order(churn: pa.Table) -> None:
    printed = [
        "problem_type", "item_count", "confusion_matrix", "recall", "precision", "accuracy",
        "recall_best_constant_classifier", "precision_best_constant_classifier", "accuracy_best_constant_classifier",
        "true_positive_rate", "true_negative_rate", "false_positive_rate", "false_negative_rate",
        "receiver_operating_characteristic_curve", "precision_recall_curve", "auc", "f0_5", "f1", "f2",
        "f0_5_best_constant_classifier", "f1_best_constant_classifier", "f2_best_constant_classifier",
    ]  # fmt: skip
    assert list(CHURN.statistics(CHURN.profile(churn))) == printed
    by_class = monitor(probability_attribute=None, inference_attribute="prediction")
    found = list(by_class.statistics(by_class.profile(churn)))
    assert found == [name for name in printed if name != "auc" and not name.endswith("curve")]


def test_statistics_of_one_class_leave_out_the_curves_that_it_has_not() -> None:
    found = monitor().statistics(monitor().profile(pa.table({"label": [1, 1], "score": [0.1, 0.9], "class": [0, 1]})))
    assert "receiver_operating_characteristic_curve" not in found
    assert found["precision_recall_curve"] == {"precisions": (1.0, 1.0, 1.0), "recalls": (0.0, 0.5, 1.0)}
    assert found["auc"] == {"value": None, "standard_deviation": None}
