"""Performance: those of scikit-learn on the rows, SageMaker's last digits, and why a number is undefined."""

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn import metrics as sk

from monitor_tasks.metrics import performance
from monitor_tasks.metrics.curves import by_score, precision_recall, receiver_operating_characteristic
from monitor_tasks.metrics.performance import auc_error, best_constant, measured, outcomes
from monitor_tasks.metrics.resampling import deviation
from monitor_tasks.profiles.scores import Predictions, ScoreProfile
from monitor_tasks.tables.files import read_table

SMALL = st.lists(
    st.tuples(st.booleans(), st.sampled_from([0.0, 0.1, 0.25, 0.5, 0.75, 1.0]) | st.floats(0, 1), st.booleans()),
    max_size=60,
)


def profile(labels: Any, scores: Any = None, classes: Any = None) -> ScoreProfile:
    as_column = [None if one is None else pa.array(np.asarray(one, np.float64)) for one in (scores, classes)]
    return ScoreProfile.of(pa.array(np.asarray(labels, np.int64)), Predictions(*as_column))


ONE_CLASS = {
    "balanced_accuracy": "all labels are of one class",
    "matthews_correlation": "all labels or all predictions are of one class",
}
OF_SCORES = ["auc", "average_precision", "log_loss", "brier_score", "expected_calibration_error"]


def by_bin(labels: Any, scores: Any) -> float:
    """The expected calibration error, bin by bin."""
    bins = np.minimum(np.floor(scores * 16), 15)
    parts = [bins == place for place in range(16)]
    return sum(abs(scores[part].mean() - labels[part].mean()) * part.mean() for part in parts if part.any())


def of_scikit_learn(labels: Any, scores: Any, classes: Any) -> dict[str, float | None]:
    """What is defined of the metrics that SageMaker does not know."""
    both = len(set(labels)) == 2
    return {
        "balanced_accuracy": sk.balanced_accuracy_score(labels, classes) if both else None,
        "matthews_correlation": sk.matthews_corrcoef(labels, classes) if both and len(set(classes)) == 2 else None,
        "average_precision": sk.average_precision_score(labels, scores) if labels.any() else None,
        "log_loss": sk.log_loss(labels, scores, labels=[0, 1]) if len(labels) else None,
        "brier_score": sk.brier_score_loss(labels, scores, pos_label=1) if len(labels) else None,
        "expected_calibration_error": by_bin(labels, scores) if len(labels) else None,
    }


@given(SMALL)
def test_metrics_are_those_of_scikit_learn_on_the_rows(rows: list[tuple[bool, float, bool]]) -> None:
    labels, scores, classes = (np.array([row[place] for row in rows], np.float64) for place in range(3))
    found = {name: one.value for name, one in measured(profile(labels, scores, classes)).items()}
    positives, predicted = labels.sum(), classes.sum()
    expected: dict[str, float | None] = {
        "recall": sk.recall_score(labels, classes) if positives else None,
        "true_positive_rate": sk.recall_score(labels, classes) if positives else None,
        "precision": sk.precision_score(labels, classes) if predicted else None,
        "accuracy": sk.accuracy_score(labels, classes) if rows else None,
        "true_negative_rate": sk.recall_score(labels, classes, pos_label=0) if positives < len(rows) else None,
        "auc": sk.roc_auc_score(labels, scores) if 0 < positives < len(rows) else None,
    }
    for name, beta in (("f0_5", 0.5), ("f1", 1.0), ("f2", 2.0)):
        expected[name] = sk.fbeta_score(labels, classes, beta=beta) if positives or predicted else None
    expected |= of_scikit_learn(labels, scores, classes)
    if expected["recall"] is not None:
        expected["false_negative_rate"] = 1 - expected["recall"]
    if expected["true_negative_rate"] is not None:
        expected["false_positive_rate"] = 1 - expected["true_negative_rate"]
    assert {name: value for name, value in found.items() if value is not None} == pytest.approx(
        {name: value for name, value in expected.items() if value is not None}, abs=1e-9
    )


@given(SMALL)
def test_what_is_undefined_says_why_and_what_is_defined_does_not(rows: list[tuple[bool, float, bool]]) -> None:
    found = profile(*(np.array([row[place] for row in rows], np.float64) for place in range(3)))
    for one in (*measured(found).values(), *best_constant(found).values()):
        assert (one.value is None) == bool(one.because)
        assert one.value is None or -1 <= one.value <= 37
        assert one.deviation is None


@given(SMALL)
def test_the_confusion_matrix_is_that_of_scikit_learn(rows: list[tuple[bool, float, bool]]) -> None:
    labels, scores, classes = (np.array([row[place] for row in rows], np.float64) for place in range(3))
    expected = sk.confusion_matrix(labels, classes, labels=[0, 1]) if rows else np.zeros((2, 2))
    assert outcomes(profile(labels, scores, classes)).reshape(2, 2).tolist() == expected.tolist()


@given(SMALL)
def test_curves_pass_through_the_points_of_scikit_learn(rows: list[tuple[bool, float, bool]]) -> None:
    labels, scores, _ = (np.array([row[place] for row in rows], np.float64) for place in range(3))
    counts = by_score(profile(labels, scores).known)
    rates, curve = receiver_operating_characteristic(counts), precision_recall(counts)
    if rates is not None:
        across, up, _ = sk.roc_curve(labels, scores, drop_intermediate=False)
        assert rates.across == pytest.approx((*across, 1.0))
        assert rates.up == pytest.approx((*up, 1.0))
    if curve is not None:
        precisions, recalls, _ = sk.precision_recall_curve(labels, scores)
        assert curve.across == pytest.approx((0.0, *recalls[-2::-1]))
        assert curve.up[1:] == pytest.approx(precisions[-2::-1])
        assert curve.up[0] == curve.up[1]
    assert (rates is None) == (len(set(labels)) < 2)
    assert (curve is None) == (not labels.any())


@pytest.fixture(scope="module")
def churn(shared: Path) -> ScoreProfile:
    rows = read_table((shared / "sagemaker/churn/validation_with_predictions.csv").read_bytes(), "churn.csv")
    return ScoreProfile.of(rows["label"], Predictions(rows["probability"], rows["prediction"]))


def test_the_last_digits_of_the_churn_baseline_are_sagemakers(churn: ScoreProfile) -> None:
    found = measured(churn)
    assert found["auc"].value == 0.9395127993393898
    assert found["recall"].value == 0.5714285714285714
    assert found["false_negative_rate"].value == 0.4285714285714286
    assert found["f1"].value == 0.7272727272727273
    assert found["accuracy"].value == 0.9402985074626866
    assert outcomes(churn).tolist() == [173, 0, 12, 16]


def test_the_last_digits_of_the_churn_run_are_sagemakers() -> None:
    """Counts that the shares of the printed run stand for: 1318 labels of 1 and 499 of 0."""
    found = measured(profile([0] * 499 + [1] * 1318, classes=[0] * 434 + [1] * 65 + [0] * 1167 + [1] * 151))
    expected = {
        "recall": 0.11456752655538695,
        "precision": 0.6990740740740741,
        "accuracy": 0.3219592735277931,
        "true_positive_rate": 0.11456752655538695,
        "true_negative_rate": 0.8697394789579158,
        "false_positive_rate": 0.13026052104208416,
        "false_negative_rate": 0.8854324734446131,
        "f1": 0.196870925684485,
        "f2": 0.1375728862973761,
    }
    assert {name: found[name].value for name in expected} == expected


def test_a_constant_classifier_predicts_the_more_frequent_label(churn: ScoreProfile) -> None:
    found = {name: one.value for name, one in best_constant(churn).items()}
    assert found == {"recall": 0, "precision": None, "accuracy": 173 / 201, "f0_5": 0, "f1": 0, "f2": 0}
    mostly_ones = {name: one.value for name, one in best_constant(profile([1, 1, 1, 0], [0.5] * 4)).items()}
    assert (mostly_ones["recall"], mostly_ones["precision"], mostly_ones["accuracy"]) == (1.0, 0.75, 0.75)
    assert best_constant(profile([1, 0], [0.5] * 2))["recall"].value == 0.0


@pytest.mark.parametrize(
    ("labels", "scores", "classes", "because"),
    [
        ([], [], [], dict.fromkeys(performance.METRICS, "no row has both a label and a usable prediction")),
        (
            [0, 0],
            [0.1, 0.2],
            None,
            {
                **dict.fromkeys(["recall", "true_positive_rate", "false_negative_rate", "auc"], "no label is 1"),
                "precision": "no prediction is 1",
                **dict.fromkeys(["f0_5", "f1", "f2"], "no label and no prediction is 1"),
                "average_precision": "no label is 1",
                **ONE_CLASS,
            },
        ),
        (
            [1, 1],
            [0.9, 0.2],
            None,
            {**dict.fromkeys(["true_negative_rate", "false_positive_rate", "auc"], "no label is 0"), **ONE_CLASS},
        ),
        (
            [1, 0],
            [0.2, 0.2],
            None,
            {
                "precision": "no prediction is 1",
                "matthews_correlation": "all labels or all predictions are of one class",
            },
        ),
        ([1, 0], None, [1, 0], dict.fromkeys(OF_SCORES, "there are no probabilities")),
    ],
)
def test_reasons(labels: Any, scores: Any, classes: Any, because: dict[str, str]) -> None:
    found = measured(profile(labels, scores, classes))
    assert {name: one.because for name, one in found.items() if one.value is None} == because


def test_the_deviation_is_that_of_other_samples_of_as_many_rows() -> None:
    chance = np.random.default_rng(11)

    def sample() -> ScoreProfile:
        scores = chance.random(600)
        return profile(chance.random(600) < scores, scores)

    first = measured(sample())
    others = [measured(sample()) for _ in range(60)]
    for name, one in first.items():
        spread = float(np.std([other[name].value for other in others]))
        assert one.deviation == pytest.approx(spread, rel=0.35), name


def test_the_deviation_needs_200_rows_and_is_the_same_every_time() -> None:
    labels, classes = [0, 1] * 100, [0, 1, 1, 1] * 50
    assert measured(profile(labels[:-1], classes=classes[:-1]))["accuracy"].deviation is None
    assert measured(profile(labels, classes=classes)) == measured(profile(labels[::-1], classes=classes[::-1]))
    assert measured(profile(labels, classes=classes))["accuracy"].deviation == pytest.approx(0.0306, rel=0.1)


def _of(cells: Any, whole: Any) -> Any:
    return cells / whole


def test_a_statistic_that_most_resamples_leave_undefined_has_no_deviation() -> None:
    assert deviation([10**6, 1], lambda cells: _of(cells[:, 1], cells[:, 1])) == 0.0
    assert deviation([10**6, 0], lambda cells: _of(cells[:, 1], cells[:, 1])) is None
    assert deviation([10**6, 1], lambda cells: np.where(cells[:, 1] == 1, 1.0, np.nan)) is None
    assert deviation([0, 10**6, 0], lambda cells: cells[:, 0] + cells[:, 2] + 0.0) == 0.0


def test_many_cells_are_resampled_in_parts_as_in_one(monkeypatch: pytest.MonkeyPatch) -> None:
    counts = np.arange(50)
    whole = deviation(counts, lambda cells: cells[:, 7] / 1.0)
    monkeypatch.setattr("monitor_tasks.metrics.resampling._DRAWN_AT_ONCE", 333)
    assert deviation(counts, lambda cells: cells[:, 7] / 1.0) == whole


def many(size: int, concentrated: bool = False) -> tuple[Any, Any]:
    chance = np.random.default_rng(5)
    scores = chance.random(size) * (1e-4 if concentrated else 1.0)
    labels = chance.random(size) < scores / scores.max()
    return labels, scores


@pytest.mark.parametrize("concentrated", [False, True])
def test_past_65536_scores_the_auc_is_off_by_no_more_than_it_says(concentrated: bool) -> None:
    labels, scores = many(150_000, concentrated)
    found = profile(labels, scores)
    value, error = measured(found)["auc"].value, auc_error(found.known)
    assert value is not None
    assert not found.known.exact
    assert abs(value - sk.roc_auc_score(labels, scores)) <= error + 1e-12
    assert (error < 1 / 65_536) is not concentrated


def test_putting_scores_together_does_not_move_the_deviation(monkeypatch: pytest.MonkeyPatch) -> None:
    found = profile(*many(5_000))
    grouped = measured(found)["auc"].deviation
    monkeypatch.setattr(performance, "RESAMPLED_SCORES", 10**6)
    assert grouped == pytest.approx(measured(found)["auc"].deviation, rel=0.2)
    assert auc_error(found.known) == 0.0
