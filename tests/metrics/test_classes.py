"""Multiclass metrics: those of scikit-learn on the rows, and why a number is undefined."""

from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn import metrics as sk

from monitor_tasks.metrics.classes import best_constant, brier_score, log_loss, measured, top_k_accuracy
from monitor_tasks.profiles import classes as room
from monitor_tasks.profiles.classes import Classes, ClassProfile, Shares

NAMES = ("a", "b", "c", "d")
ROW = st.tuples(st.integers(0, 3), st.integers(0, 3), st.lists(st.integers(0, 4), min_size=4, max_size=4))
SMALL = st.lists(ROW, min_size=1, max_size=60)
NO_LABELS = "no row has both a label and a usable prediction"
ONE_CLASS = {"balanced_accuracy": "all labels are of one class",
             "matthews_correlation": "all labels or all predictions are of one class"}  # fmt: skip


def profile(labels: Any, predicted: Any, shares: Any = None) -> ClassProfile:
    label, given_ = (pa.array([NAMES[one] for one in side], pa.string()) for side in (labels, predicted))
    return ClassProfile.of(label, Classes.of(given_), None if shares is None else Shares(NAMES, shares))


def of_scikit_learn(labels: Any, predicted: Any) -> dict[str, float | None]:
    weighted = {"average": "weighted", "zero_division": 0}
    several = len(set(labels)) > 1
    return {
        "accuracy": sk.accuracy_score(labels, predicted),
        "weighted_recall": sk.recall_score(labels, predicted, **weighted),
        "weighted_precision": sk.precision_score(labels, predicted, **weighted),
        "weighted_f0_5": sk.fbeta_score(labels, predicted, beta=0.5, **weighted),
        "weighted_f1": sk.fbeta_score(labels, predicted, beta=1, **weighted),
        "weighted_f2": sk.fbeta_score(labels, predicted, beta=2, **weighted),
        "balanced_accuracy": sk.recall_score(labels, predicted, labels=sorted(set(labels)), average="macro")
        if several
        else None,
        "matthews_correlation": sk.matthews_corrcoef(labels, predicted)
        if several and len(set(predicted)) > 1
        else None,
    }


def rows_of(rows: Any) -> tuple[Any, Any, Any]:
    labels, predicted = (np.array([row[place] for row in rows]) for place in range(2))
    weights = np.array([row[2] for row in rows], np.float64)
    weights[weights.sum(axis=1) == 0] = 1
    return labels, predicted, weights / weights.sum(axis=1, keepdims=True)


@given(SMALL)
def test_metrics_are_those_of_scikit_learn_on_the_rows(rows: Any) -> None:
    labels, predicted, _ = rows_of(rows)
    found = {name: one.value for name, one in measured(profile(labels, predicted)).items()}
    assert found == pytest.approx(of_scikit_learn(labels, predicted), abs=1e-9)
    names, counts = profile(labels, predicted).confusion()
    for (row, column), count in np.ndenumerate(counts):
        assert count == ((labels == NAMES.index(names[row])) & (predicted == NAMES.index(names[column]))).sum()


@given(SMALL)
def test_losses_and_ranks_are_those_of_scikit_learn_on_the_rows(rows: Any) -> None:
    labels, predicted, shares = rows_of(rows)
    found = profile(labels, predicted, shares)
    assert log_loss(found).value == pytest.approx(sk.log_loss(labels, shares, labels=range(4)), abs=1e-9)
    brier = sk.brier_score_loss(labels, shares, labels=range(4), scale_by_half=False)
    assert brier_score(found).value == pytest.approx(brier, abs=1e-9)
    for k in range(1, 4):
        expected = sk.top_k_accuracy_score(labels, shares, k=k, labels=range(4))
        assert top_k_accuracy(found, k).value == pytest.approx(expected, abs=1e-9)
    assert top_k_accuracy(found, 4).value == top_k_accuracy(found, 9).value == 1.0
    most_probable = ClassProfile.of(pa.array([NAMES[one] for one in labels]), Shares(NAMES, shares).most_probable)
    assert measured(most_probable)["accuracy"].value == pytest.approx(top_k_accuracy(found, 1).value)


def test_they_are_on_many_rows_too() -> None:
    chance = np.random.default_rng(3)
    shares = chance.dirichlet([0.4] * 4, 100_000)
    labels, predicted = (chance.random((100_000, 1)) < shares.cumsum(axis=1)).argmax(axis=1), shares.argmax(axis=1)
    found = profile(labels, predicted, shares)
    assert {name: one.value for name, one in measured(found).items()} == pytest.approx(
        of_scikit_learn(labels, predicted), abs=1e-9
    )
    assert log_loss(found).value == pytest.approx(sk.log_loss(labels, shares), abs=1e-9)
    brier = sk.brier_score_loss(labels, shares, labels=range(4), scale_by_half=False)
    assert brier_score(found).value == pytest.approx(brier, abs=1e-9)


@given(SMALL)
def test_the_best_constant_classifier_predicts_the_most_frequent_label(rows: Any) -> None:
    labels, predicted, _ = rows_of(rows)
    most = np.full(len(labels), np.bincount(labels).argmax())
    found = {name: one.value for name, one in best_constant(profile(labels, predicted)).items()}
    expected = of_scikit_learn(labels, most)
    assert found == pytest.approx({name: expected[name] for name in found}, abs=1e-9)


def test_the_example_of_the_documentation() -> None:
    """Three classes; accuracy and weighted precision are the printed ones (contract, section 5)."""
    counts = [[1180, 510], [1, 138]]
    labels, predicted = np.repeat([0, 0, 1, 1], np.ravel(counts)), np.repeat([0, 1, 0, 1], np.ravel(counts))
    found = measured(profile(labels, predicted))
    assert found["accuracy"].value == pytest.approx((1180 + 138) / 1829)
    assert found["weighted_recall"].value == pytest.approx(found["accuracy"].value)


@pytest.mark.parametrize(
    ("labels", "predicted", "because"),
    [
        ([], [], dict.fromkeys(measured(ClassProfile()), NO_LABELS)),
        ([1, 1], [1, 0], ONE_CLASS),
        ([1, 0], [1, 1], {"matthews_correlation": ONE_CLASS["matthews_correlation"]}),
    ],
)
def test_reasons(labels: Any, predicted: Any, because: dict[str, str]) -> None:
    found = measured(profile(labels, predicted))
    assert {name: one.because for name, one in found.items() if one.value is None} == because


def test_too_many_classes_are_undecided_and_say_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(room, "CLASS_LIMIT", 3)
    found = profile([0, 1, 2, 3], [0, 1, 2, 3])
    for one in (*measured(found).values(), *best_constant(found).values()):
        assert (one.value, one.because) == (None, "there are more than 128 classes")


def test_what_lacks_of_probabilities_is_told() -> None:
    assert log_loss(profile([0], [0])).because == "no column of a class's probability is named"
    unusable = profile([0, 1], [0, 1], np.array([[0.5, 0.1, 0.1, 0.1], [0.2, 0.8, 0.0, 0.0]]))
    assert (log_loss(unusable).rows, log_loss(unusable).details) == (1, {"unusable_probabilities": 1})
    none = ClassProfile.of(pa.array(["z"]), Classes.of(pa.array(["a"])), Shares(NAMES, np.array([[1.0, 0, 0, 0]])))
    for one in (log_loss(none), brier_score(none), top_k_accuracy(none, 2)):
        assert (one.value, one.because, one.details) == (None, NO_LABELS, {"labels_without_probability": 1})


def test_the_deviation_is_that_of_other_samples_of_as_many_rows() -> None:
    chance = np.random.default_rng(11)

    def sample() -> dict[str, Any]:
        shares = chance.dirichlet([0.5] * 4, 600)
        labels = (chance.random((600, 1)) < shares.cumsum(axis=1)).argmax(axis=1)
        known = profile(labels, shares.argmax(axis=1), shares)
        more = {"log_loss": log_loss(known), "brier_score": brier_score(known), "top": top_k_accuracy(known, 2)}
        return {**measured(known), **more}

    first, others = sample(), [sample() for _ in range(60)]
    for name, one in first.items():
        spread = float(np.std([other[name].value for other in others]))
        assert one.deviation == pytest.approx(spread, rel=0.35), name
