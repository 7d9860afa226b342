"""Model quality of all problem types: what is suggested, measured and broken, and what the settings may say."""

from typing import Any, get_args

import numpy as np
import pyarrow as pa
import pytest

from monitor_tasks.baseline import Baseline
from monitor_tasks.exhibit import Comparison
from monitor_tasks.monitors.model_quality import PROBLEMS, ModelQuality
from monitor_tasks.monitors.settings import FurtherMetric, ModelQualitySettings, ProblemType
from monitor_tasks.report import Finding, State, judge
from monitor_tasks.value import UserError

CLASSES = ("cat", "dog", "eel")
COLUMNS = {
    "BinaryClassification": {"probability_attribute": "score"},
    "MulticlassClassification": {"class_probability_attributes": {name: name for name in CLASSES}, "top_k": 2},
    "Regression": {"inference_attribute": "predicted"},
}
every_type = pytest.mark.parametrize("problem_type", get_args(ProblemType))


def monitor(problem_type: Any, **chosen: Any) -> ModelQuality:
    further = tuple(PROBLEMS[problem_type].further)
    usual = {"problem_type": problem_type, "further_metrics": further, **COLUMNS[problem_type]}
    return ModelQuality(ModelQualitySettings(**{**usual, **chosen}))


def sample(problem_type: str, rows: int, seed: int, noise: float = 0.0, shift: float = 0.0) -> pa.Table:
    """Rows of a model whose probabilities are right; `noise` makes it worse, `shift` moves its labels."""
    chance = np.random.default_rng(seed)
    at_random = chance.random(rows) < noise
    if problem_type == "Regression":
        labels = chance.normal(50 + 20 * shift, 10, rows)
        return pa.table({"label": labels, "predicted": labels + chance.normal(noise, 2 + 3 * noise, rows)})
    if problem_type == "BinaryClassification":
        scores = chance.beta(0.6 + shift, 0.6, rows)
        labels = np.where(at_random, chance.random(rows) < 0.5, chance.random(rows) < scores)
        return pa.table({"label": labels.astype(int), "score": scores})
    shares = chance.dirichlet((0.4 + shift, 0.4, 0.4), rows)
    labels = (chance.random((rows, 1)) < shares.cumsum(axis=1)).argmax(axis=1)
    labels = np.where(at_random, chance.integers(0, 3, rows), labels)
    return pa.table({"label": np.array(CLASSES)[labels], **dict(zip(CLASSES, shares.T, strict=True))})


def learned(one: ModelQuality, table: pa.Table) -> Baseline:
    profile = one.profile(table)
    return Baseline("id", tuple(one.suggest([profile])), profile)


def findings(one: ModelQuality, window: pa.Table, baseline: Baseline) -> tuple[Finding, ...]:
    return judge(one.measure(one.profile(window), baseline), baseline.constraints)


def names(found: tuple[Finding, ...], state: State) -> set[str]:
    return {finding.constraint.metric for finding in found if finding.state is state}


def test_the_settings_name_every_further_metric_and_no_other() -> None:
    assert {name for problem in PROBLEMS.values() for name in problem.further} == set(get_args(FurtherMetric))
    assert set(PROBLEMS) == set(get_args(ProblemType))


@every_type
def test_a_metric_of_another_problem_type_is_told(problem_type: Any) -> None:
    other = next(name for name in get_args(FurtherMetric) if name not in PROBLEMS[problem_type].further)
    one = monitor(problem_type, further_metrics=("label_drift", other))
    with pytest.raises(UserError, match=rf"further_metrics: {problem_type} has no {other}; .*label_drift"):
        one.suggest([one.problem.kind()])


@every_type
def test_without_further_metrics_sagemakers_alone_are_judged(problem_type: Any) -> None:
    one = monitor(problem_type, further_metrics=())
    baseline = learned(one, sample(problem_type, 300, 1))
    constrained = list(PROBLEMS[problem_type].constrained)
    assert [constraint.metric for constraint in baseline.constraints] == constrained
    assert [metric.name for metric in one.measure(one.profile(sample(problem_type, 300, 2)), baseline)] == constrained


@every_type
def test_a_metric_that_a_constraint_names_is_measured_too(problem_type: Any) -> None:
    every = learned(monitor(problem_type), sample(problem_type, 300, 1))
    one = monitor(problem_type, further_metrics=())
    found = findings(one, sample(problem_type, 300, 1), every)
    assert names(found, State.KEPT) == {*PROBLEMS[problem_type].constrained, *PROBLEMS[problem_type].further}


@every_type
def test_the_interval_rule_bears_chance_and_finds_what_became_worse(problem_type: Any) -> None:
    one = monitor(problem_type, rule="interval")
    baseline = learned(one, sample(problem_type, 3000, 1))
    assert {constraint.minimum_rows for constraint in baseline.constraints} == {200}
    alarms = [names(findings(one, sample(problem_type, 1500, seed), baseline), State.BROKEN) for seed in range(2, 8)]
    assert alarms == [set()] * 6
    worse = names(findings(one, sample(problem_type, 1500, 9, noise=0.8), baseline), State.BROKEN)
    same = {"label_drift", "uncertain_prediction_rate"} | ({"r2"} if problem_type == "Regression" else set())
    assert worse >= {*PROBLEMS[problem_type].constrained, *PROBLEMS[problem_type].further} - same - {"mape"}
    assert "label_drift" in names(findings(one, sample(problem_type, 1500, 9, shift=1.0), baseline), State.BROKEN)


@every_type
def test_a_worse_model_breaks_by_the_bare_numbers(problem_type: Any) -> None:
    one = monitor(problem_type)
    baseline = learned(one, sample(problem_type, 2000, 1))
    found = findings(one, sample(problem_type, 2000, 2, noise=0.8), baseline)
    assert names(found, State.BROKEN) >= set(PROBLEMS[problem_type].constrained)
    assert names(found, State.UNDECIDED) == set()


@every_type
def test_unlabelled_rows_are_undecided_with_the_reason(problem_type: Any) -> None:
    one = monitor(problem_type)
    window = sample(problem_type, 500, 1)
    window = window.set_column(0, "label", pa.nulls(500, pa.string()))
    baseline = learned(one, sample(problem_type, 500, 2))
    for metric in one.measure(one.profile(window), baseline):
        if metric.name == "uncertain_prediction_rate":
            assert (metric.n, metric.value is None) == (500, False)
        else:
            assert (metric.value, metric.n, metric.because) == (
                None,
                0,
                "no row has both a label and a usable prediction",
            )


@every_type
def test_what_is_left_out_is_told(problem_type: Any) -> None:
    one = monitor(problem_type)
    usual = sample(problem_type, 40, 1)
    texts = usual.set_column(0, "label", pa.array(["nan", *map(str, usual["label"].to_pylist()[1:])]))
    last = texts.num_columns - 1
    values = [*texts.column(last).to_pylist()[:-1], float("inf")]
    strange = texts.set_column(last, texts.column_names[last], pa.array(values))
    metric = one.measure(one.profile(strange), Baseline("", (), None))[0]
    assert metric.n == 38
    assert metric.details == {"unknown_labels": 1, "unusable_predictions": 1}


@every_type
def test_exhibits_show_the_metrics_that_are_not_judged_too(problem_type: Any) -> None:
    one = monitor(problem_type, further_metrics=())
    baseline = learned(one, sample(problem_type, 300, 1))
    shown = one.exhibits(one.profile(sample(problem_type, 300, 2)), baseline)
    more = shown[-1]
    assert isinstance(more, Comparison)
    assert [pair.label.replace(" ", "_") for pair in more.pairs] == list(PROBLEMS[problem_type].further)
    assert all(pair.here is not None and pair.baseline is not None for pair in more.pairs)
    for one_shown in shown[:-1]:
        assert isinstance(one_shown, Comparison) is not hasattr(one_shown, "across")
    histograms = [comparison for comparison in shown if isinstance(comparison, Comparison) and comparison.cuts]
    assert len(histograms) == 1
    for side in ("here", "baseline"):
        assert sum(getattr(pair, side) for pair in histograms[0].pairs) == pytest.approx(1)
    assert one.exhibits(one.problem.kind(), Baseline("", (), None))


def test_settings_that_name_no_prediction_are_an_error() -> None:
    for problem_type, words in (
        ("MulticlassClassification", "inference_attribute and class_probability_attributes are not set"),
        ("Regression", "inference_attribute is not set"),
    ):
        with pytest.raises(UserError, match=words):
            ModelQuality(ModelQualitySettings(problem_type=problem_type)).profile(pa.table({"label": [1]}))
    wrong = monitor("MulticlassClassification", class_probability_attributes={"cat": "kat"})
    with pytest.raises(UserError, match=r"class_probability_attributes\.cat: the rows have no column 'kat'"):
        wrong.profile(sample("MulticlassClassification", 5, 1))


def test_a_bias_may_not_grow_in_either_direction() -> None:
    one = monitor("Regression", further_metrics=("residual_mean",))
    labels = np.arange(100.0)
    baseline = learned(one, pa.table({"label": labels, "predicted": labels + 1}))
    bias = baseline.constraints[-1]
    assert (bias.check, bias.lower, bias.upper) == ("residual_mean_check", -1.0, 1.0)
    for shift, state in ((-1.0, State.KEPT), (-1.5, State.BROKEN), (1.5, State.BROKEN)):
        found = findings(one, pa.table({"label": labels, "predicted": labels + shift}), baseline)
        assert found[-1].state is state


def test_the_profile_of_another_problem_type_is_told() -> None:
    texts = {name: monitor(name).profile(sample(name, 40, 1)).to_json() for name in get_args(ProblemType)}
    for mine in texts:
        for theirs, text in texts.items():
            if mine != theirs:
                with pytest.raises(UserError, match=rf"the stored profile is not one of {mine}; suggest"):
                    monitor(mine).read_profile(text)


def test_top_k_follows_the_setting() -> None:
    table = sample("MulticlassClassification", 500, 1)
    found = {}
    for k in (1, 2, 3):
        one = monitor("MulticlassClassification", top_k=k)
        found[k] = {metric.name: metric.value for metric in one.measure(one.profile(table), learned(one, table))}
    assert found[1]["top_k_accuracy"] == found[1]["accuracy"]
    assert found[1]["top_k_accuracy"] < found[2]["top_k_accuracy"] < found[3]["top_k_accuracy"] == 1.0


def test_too_many_classes_are_undecided() -> None:
    one = monitor("MulticlassClassification", class_probability_attributes={}, inference_attribute="predicted")
    few = pa.table({"label": [str(row % 5) for row in range(300)], "predicted": [str(row % 5) for row in range(300)]})
    many = pa.table({"label": [str(row) for row in range(300)], "predicted": [str(row) for row in range(300)]})
    baseline = learned(one, few)
    found = findings(one, many, baseline)
    assert {(finding.state, finding.because) for finding in found} == {
        (State.UNDECIDED, "there are more than 128 classes")
    }
    assert one.statistics(one.profile(many))["confusion_matrix"] == {}
    assert "128" in one.exhibits(one.profile(many), baseline)[0].note  # type: ignore[union-attr]
