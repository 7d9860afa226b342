"""Estimates of classifiers against scikit-learn's calibration on raw rows, their bands against simulated windows."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from sklearn.isotonic import IsotonicRegression
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import brier_score_loss, log_loss
from sklearn.model_selection import cross_val_predict
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from monitor_tasks.metrics.class_estimation import OLD, estimated_classes
from monitor_tasks.metrics.classes import OF_CONFUSION, TOO_MANY
from monitor_tasks.metrics.classes import measured as measured_classes
from monitor_tasks.metrics.estimation import (
    ESTIMATED,
    FEW_LABELS,
    LOSSES,
    NEAR_THE_ENDS,
    NO_PREDICTIONS,
    NO_SCORES,
    OF_SCORES,
    all_predictions,
    estimated,
    labelled_predictions,
)
from monitor_tasks.metrics.performance import measured
from monitor_tasks.profiles import scores
from monitor_tasks.profiles.classes import STEPS, ClassProfile, Shares
from monitor_tasks.profiles.scores import Predictions, ScoreProfile

BAND = 1.96


def drawn(chance: np.random.Generator, rows: int, shift: float = 0.0, drift: float = 0.0) -> tuple[Any, Any]:
    """Scores of a badly calibrated model and labels; `shift` moves the rows, `drift` what a score means."""
    number = chance.normal(shift, 1.3, rows)
    true = 1 / (1 + np.exp(-((0.7 - drift) * number - 0.4)))
    return np.round(1 / (1 + np.exp(-number)), 3), (chance.random(rows) < true).astype(int)


def profile(score: Any, label: Any) -> ScoreProfile:
    return ScoreProfile.of(pa.array(label), Predictions(pa.array(score)))


def unlabelled(score: Any) -> ScoreProfile:
    return ScoreProfile.of(pa.nulls(len(score), pa.int64()), Predictions(pa.array(score)))


@pytest.mark.parametrize("digits", [1, 3])
def test_the_expected_outcomes_are_those_of_an_isotonic_regression_on_raw_rows(digits: int) -> None:
    chance = np.random.default_rng(5)
    score, label = drawn(chance, 1200)
    score = np.round(score, digits)
    taught = pd.DataFrame({"score": score, "label": label}).sort_values("score", kind="stable")
    if digits == 3:  # more scores than groups: neighbours share their mean
        first = taught.groupby("score")["label"].transform("size").groupby(taught["score"]).first()
        before = first.cumsum() - first
        group = taught["score"].map(before * 34 // 1200)
        taught["score"] = taught["score"].groupby(group).transform("mean")
    calibration = IsotonicRegression(out_of_bounds="clip").fit(taught["score"], taught["label"])
    window = np.round(drawn(chance, 700, shift=0.5)[0], digits)
    one = calibration.predict(window)
    yes = window > 0.5
    true, false = one[yes].sum(), (1 - one)[yes].sum()
    missed, refused = one[~yes].sum(), (1 - one)[~yes].sum()
    expected = {
        "accuracy": (true + refused) / 700,
        "precision": true / (true + false),
        "recall": true / (true + missed),
        "f1": 2 * true / (2 * true + false + missed),
        "false_positive_rate": false / (false + refused),
    }
    pairs = np.multiply.outer(one, 1 - one)
    above = np.greater.outer(window, window) + 0.5 * np.equal.outer(window, window)
    expected["auc"] = (pairs * above).sum() / (one.sum() * (1 - one).sum())
    answers, weights = np.repeat([1, 0], 700), np.concatenate([one, 1 - one])
    expected["log_loss"] = log_loss(answers, np.tile(window, 2), sample_weight=weights)
    expected["brier_score"] = brier_score_loss(answers, np.tile(window, 2), sample_weight=weights)
    found = estimated(all_predictions(unlabelled(window)), profile(score, label).known, expected)
    assert {name: one.value for name, one in found.items()} == pytest.approx(expected, rel=0, abs=1e-9)


@pytest.mark.parametrize("shift", [0.0, 1.0])
def test_the_band_holds_what_is_realised_as_long_as_there_is_no_concept_drift(shift: float) -> None:
    chance, off = np.random.default_rng(8), []
    names = ("accuracy", "precision", "recall", "auc", "log_loss", "brier_score")
    for _ in range(25):
        known, window = profile(*drawn(chance, 2000)), profile(*drawn(chance, 500, shift))
        found, realised = estimated(all_predictions(window), known.known, names), measured(window, names, 0)
        off += [(realised[name].value - found[name].value) / found[name].deviation for name in names]  # type: ignore[operator]
    inside = np.mean(np.abs(off) <= BAND)
    assert 0.88 <= inside <= 0.995
    assert abs(np.mean(off)) < 0.3


def test_a_score_that_means_something_else_falls_outside() -> None:
    chance, names = np.random.default_rng(9), ("accuracy", "auc", "log_loss", "brier_score")
    known, window = profile(*drawn(chance, 5000)), profile(*drawn(chance, 2000, drift=0.6))
    found, realised = estimated(all_predictions(window), known.known, names), measured(window, names, 0)
    for name in names:
        worse = realised[name].value - found[name].value  # type: ignore[operator]
        worse = worse if name in LOSSES else -worse
        assert worse > 2 * BAND * found[name].deviation  # type: ignore[operator]


def test_labels_change_no_estimate_and_the_labelled_rows_have_their_own() -> None:
    chance = np.random.default_rng(10)
    known, (score, label) = profile(*drawn(chance, 1000)), drawn(chance, 400)
    some = score > 0.4
    whole = profile(score[some], label[some]) + unlabelled(score[~some])
    flipped = profile(score[some], 1 - label[some]) + unlabelled(score[~some])
    names = tuple(ESTIMATED)
    mine = estimated(all_predictions(whole), known.known, names)
    assert mine == estimated(all_predictions(flipped), known.known, names)
    assert mine == estimated(all_predictions(unlabelled(score)), known.known, names)
    alone = estimated(labelled_predictions(whole), known.known, names)
    assert alone == estimated(all_predictions(unlabelled(score[some])), known.known, names)
    assert alone["accuracy"].deviation > mine["accuracy"].deviation  # type: ignore[operator]


def test_steps_hardly_change_an_estimate(monkeypatch: pytest.MonkeyPatch) -> None:
    chance = np.random.default_rng(11)
    rows = drawn(chance, 3000), drawn(chance, 3000)

    def found() -> dict[str, Any]:
        known, window = (profile(*one) for one in rows)
        return estimated(all_predictions(window), known.known, OF_SCORES)

    exact = found()
    monkeypatch.setattr(scores, "SCORE_LIMIT", 100)
    stepped = found()
    for name, one in exact.items():
        assert stepped[name].value == pytest.approx(one.value, abs=1e-4)


def test_a_logarithm_of_a_score_that_is_known_by_its_step_only_is_not_guessed(monkeypatch: pytest.MonkeyPatch) -> None:
    chance = np.random.default_rng(13)
    (score, label), known = drawn(chance, 500), profile(*drawn(chance, 1000)).known
    score[0] = 1e-9
    assert estimated(all_predictions(unlabelled(score)), known, OF_SCORES)["log_loss"].value is not None
    monkeypatch.setattr(scores, "SCORE_LIMIT", 100)
    found = estimated(all_predictions(profile(score, label)), known, OF_SCORES)
    assert (found["log_loss"].value, found["log_loss"].because) == (None, NEAR_THE_ENDS)
    assert found["brier_score"].value is not None


def test_an_estimate_that_cannot_be_made_says_why() -> None:
    chance = np.random.default_rng(12)
    known = profile(*drawn(chance, 1000))
    by_class = ScoreProfile.of(pa.array([0, 1] * 200), Predictions(classes=pa.array([0, 1] * 200)))

    def because(window: ScoreProfile, baseline: ScoreProfile) -> str:
        (one,) = estimated(all_predictions(window), baseline.known, ["accuracy"]).values()
        assert (one.value, one.deviation) == (None, None)
        return one.because

    assert because(known, ScoreProfile()) == because(known, profile(*drawn(chance, 199))) == FEW_LABELS
    assert because(ScoreProfile(), known) == NO_PREDICTIONS
    assert because(by_class, known) == because(known, by_class) == NO_SCORES
    ones = estimated(all_predictions(unlabelled(np.full(50, 0.1))), known.known, ["precision", "accuracy"])
    assert (ones["precision"].value, bool(ones["precision"].because)) == (None, True)
    assert ones["accuracy"].value is not None


FEATURES = ["Pclass", "Age", "SibSp", "Parch", "Fare", "woman"]


def test_on_the_titanic_what_is_realised_lies_in_the_band(shared: Path) -> None:
    reference, window = (
        pd.read_csv(shared / f"nannyml-titanic/titanic_{one}.csv") for one in ("reference", "analysis")
    )
    survived = pd.read_csv(shared / "nannyml-titanic/titanic_target.csv")["Survived"]
    for rows in (reference, window):
        rows["woman"] = (rows["Sex"] == "female").astype(int)
    filled = reference[FEATURES].median()
    known, seen = (rows[FEATURES].fillna(filled) for rows in (reference, window))
    model = make_pipeline(StandardScaler(), LogisticRegression())
    taught = cross_val_predict(model, known, reference["Survived"], cv=10, method="predict_proba")[:, 1]
    score = model.fit(known, reference["Survived"]).predict_proba(seen)[:, 1]
    names = ("accuracy", "precision", "recall", "f1", "auc")
    baseline, mine = profile(taught, reference["Survived"].to_numpy()), profile(score, survived.to_numpy())
    found, realised = estimated(all_predictions(mine), baseline.known, names), measured(mine, names, 0)
    for name in names:
        assert abs(realised[name].value - found[name].value) <= BAND * found[name].deviation  # type: ignore[operator]


def of_classes(chance: np.random.Generator, rows: int, drift: float = 0.0) -> tuple[Shares, Any]:
    numbers = chance.normal(0, 1.2, (rows, 3))
    share, true = (np.exp(numbers * one + more) for one, more in ((1, 0), (0.7 - drift, np.array([0, 0.3, 0]))))
    true /= true.sum(axis=1, keepdims=True)
    places = (chance.random(rows)[:, None] > true.cumsum(axis=1)).sum(axis=1)
    label = np.array(["a", "b", "c"])[np.minimum(places, 2)]
    return Shares(("a", "b", "c"), share / share.sum(axis=1, keepdims=True)), label


def class_profile(shares: Shares, label: Any, labelled: int | None = None) -> ClassProfile:
    texts = pa.array([text if labelled is None or row < labelled else None for row, text in enumerate(label.tolist())])
    return ClassProfile.of(texts, shares.most_probable, shares)


def test_several_classes_are_expected_as_isotonic_regressions_of_each_tell() -> None:
    chance = np.random.default_rng(13)
    (taught, label), (seen, unknown) = of_classes(chance, 4500), of_classes(chance, 600)
    cells = np.zeros((3, 3))
    given = np.argmax(seen.values, axis=1)
    for place, name in enumerate("abc"):
        step, mine = ((np.minimum(np.floor(side.values[:, place] * STEPS), STEPS - 1) + 0.5) / STEPS
                      for side in (taught, seen))  # fmt: skip
        one = IsotonicRegression(out_of_bounds="clip").fit(step, label == name).predict(mine)
        np.add.at(cells, (place, given), one)
    cells *= np.bincount(given, minlength=3) / cells.sum(axis=0)
    expected = {name: float(metric(cells)) for name, metric in OF_CONFUSION.items()}
    known, window = class_profile(taught, label), class_profile(seen, unknown, labelled=250)
    found = estimated_classes(window, known, expected)
    assert {name: one.value for name, one in found.items()} == pytest.approx(expected, rel=0, abs=1e-9)
    alone = estimated_classes(window, known, expected, labelled=True)
    assert {one.rows for one in found.values()} == {600}
    assert {one.rows for one in alone.values()} == {250}
    again = class_profile(Shares(seen.names, seen.values[:250]), unknown[:250])
    assert alone == estimated_classes(again, known, expected)


def test_the_band_of_several_classes_holds_until_there_is_concept_drift() -> None:
    chance, off, drifted = np.random.default_rng(14), [], []
    for _ in range(12):
        known = class_profile(*of_classes(chance, 1500))
        for drift, found in ((0.0, off), (0.5, drifted)):
            window = class_profile(*of_classes(chance, 800, drift))
            expected, realised = estimated_classes(window, known, OF_CONFUSION), measured_classes(window, replicates=0)
            found += [(realised[name].value - one.value) / one.deviation for name, one in expected.items()]  # type: ignore[operator]
    assert np.mean(np.abs(off) <= BAND) >= 0.85
    assert np.mean(np.abs(drifted) <= BAND) < 0.05


def test_several_classes_that_cannot_be_estimated_say_why() -> None:
    chance = np.random.default_rng(15)
    known, (shares, label) = class_profile(*of_classes(chance, 1000)), of_classes(chance, 150)
    window = class_profile(shares, label)
    plain = ClassProfile.of(pa.array(label), shares.most_probable)
    many = Shares(tuple(f"class {number:02d}" for number in range(40)), np.full((1, 40), 1 / 40))

    def because(one: ClassProfile, baseline: ClassProfile) -> str:
        (found,) = estimated_classes(one, baseline, ["accuracy"]).values()
        assert found.value is None
        return found.because

    assert because(window, window) == because(window, ClassProfile()) == FEW_LABELS
    assert because(plain, known) == NO_SCORES
    assert because(ClassProfile(), known) == NO_PREDICTIONS
    assert because(window, plain) == OLD
    assert because(ClassProfile.of(pa.array(["class 01"]), many.most_probable, many), known) == TOO_MANY
