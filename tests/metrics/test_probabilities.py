"""Probabilities of a binary classifier: scikit-learn on many rows, bounds past the limit, calibration, uncertainty."""

from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from sklearn import metrics as sk
from sklearn.calibration import calibration_curve as of_scikit_learn

from monitor_tasks.metrics.performance import measured
from monitor_tasks.metrics.probabilities import calibration_curve, uncertain_prediction_rate
from monitor_tasks.profiles import scores as room
from monitor_tasks.profiles.scores import Predictions, ScoreProfile


def sample(rows: int, seed: int = 1, digits: int = 12) -> tuple[Any, Any]:
    chance = np.random.default_rng(seed)
    scores = chance.beta(0.7, 0.9, rows).round(digits)
    return (chance.random(rows) < scores**1.3).astype(int), scores


def profile(labels: Any, scores: Any) -> ScoreProfile:
    return ScoreProfile.of(pa.array(labels), Predictions(pa.array(scores)))


@pytest.mark.parametrize("digits", [4, 12])
def test_on_100_000_rows_they_are_those_of_scikit_learn_or_as_near_as_is_said(digits: int) -> None:
    labels, scores = sample(100_000, digits=digits)
    found = measured(profile(labels, scores), replicates=0)
    assert found["log_loss"].value == pytest.approx(sk.log_loss(labels, scores), abs=1e-9)
    assert found["brier_score"].value == pytest.approx(sk.brier_score_loss(labels, scores), abs=1e-9)
    for name, expected in (
        ("average_precision", sk.average_precision_score(labels, scores)),
        ("auc", sk.roc_auc_score(labels, scores)),
        ("expected_calibration_error", by_bin(labels, scores)),
    ):
        error = found[name].details.get("error", 0)
        assert (error > 0) == (digits == 12)
        assert abs(found[name].value - expected) <= error + 1e-9, name
        assert error < 1e-4


def by_bin(labels: Any, scores: Any) -> float:
    bins = np.minimum(np.floor(scores * 16), 15)
    parts = [bins == place for place in range(16)]
    return sum(abs(scores[part].mean() - labels[part].mean()) * part.mean() for part in parts if part.any())


def test_the_calibration_curve_is_that_of_scikit_learn() -> None:
    labels, scores = sample(5000)
    curve = calibration_curve(profile(labels, scores).known)
    up, across = of_scikit_learn(labels, scores, n_bins=16)
    assert curve.across == pytest.approx(across, abs=1e-9)
    assert curve.up == pytest.approx(up, abs=1e-9)


def test_on_the_steps_no_row_leaves_its_bin(monkeypatch: pytest.MonkeyPatch) -> None:
    labels, scores = sample(5000, digits=2)
    exact = calibration_curve(profile(labels, scores).known)
    monkeypatch.setattr(room, "SCORE_LIMIT", 3)
    stepped = profile(labels, scores).known
    assert not stepped.exact
    assert calibration_curve(stepped).up == exact.up
    assert calibration_curve(stepped).across == pytest.approx(exact.across, abs=1 / 131_072)


def test_the_uncertain_are_counted_with_and_without_a_label() -> None:
    labels = pa.array([1, 0, None, None, 7])
    scores = pa.array([0.4, 0.9, 0.55, 0.1, 0.5])
    found = ScoreProfile.of(labels, Predictions(scores))
    assert uncertain_prediction_rate(found, 0.5, 0.1)[:1] == (0.5,)
    assert uncertain_prediction_rate(found, 0.5, 0.1).rows == 4
    assert uncertain_prediction_rate(ScoreProfile(), 0.5, 0.1).because == "there is no usable prediction"
    by_class = ScoreProfile.of(labels, Predictions(None, pa.array([1, 0, 1, 0, 1])))
    assert uncertain_prediction_rate(by_class, 0.5, 0.1).because == "there are no probabilities"


def test_past_the_limit_the_uncertain_are_off_by_no_more_than_is_said() -> None:
    labels, scores = sample(150_000)
    found = uncertain_prediction_rate(profile(labels, scores), 0.5, 0.1 + 1e-6)
    exact = (np.abs(scores - 0.5) <= 0.1 + 1e-6).mean()
    assert abs(found.value - exact) <= found.details["error"] < 1e-4
    assert found.deviation == pytest.approx((exact * (1 - exact) / 150_000) ** 0.5, rel=0.1)


def test_the_deviation_is_that_of_other_samples_of_as_many_rows() -> None:
    names = ("log_loss", "brier_score", "average_precision", "balanced_accuracy", "matthews_correlation")
    first = measured(profile(*sample(600)), names)
    others = [measured(profile(*sample(600, seed)), names, 0) for seed in range(2, 80)]
    for name in names:
        spread = float(np.std([other[name].value for other in others]))
        assert first[name].deviation == pytest.approx(spread, rel=0.35), name


def test_a_certain_prediction_that_is_wrong_costs_what_scikit_learn_says() -> None:
    found = measured(profile([1, 0], [0.0, 1.0]))
    assert found["log_loss"].value == pytest.approx(sk.log_loss([1, 0], [0.0, 1.0]), abs=1e-9)
    assert found["brier_score"].value == 1.0
