"""Binary classification: counts by score, label and predicted class."""

from collections.abc import Collection, Iterator, Mapping
from typing import Any

import pyarrow as pa

from monitor_tasks.exhibit import Curve, Exhibit
from monitor_tasks.metrics.curves import Curve as Points
from monitor_tasks.metrics.curves import by_score, precision_recall, receiver_operating_characteristic
from monitor_tasks.metrics.distributions import by_label, scores, thinned
from monitor_tasks.metrics.measured import Measured
from monitor_tasks.metrics.performance import best_constant, measured, outcomes
from monitor_tasks.metrics.probabilities import calibration_curve, uncertain_prediction_rate
from monitor_tasks.monitors.model_quality.problem import (
    CONSTANT,
    Problem,
    View,
    column,
    confusion_matrix,
    drift_of_classes,
    labels,
    shown,
)
from monitor_tasks.monitors.settings import ModelQualitySettings
from monitor_tasks.profiles.scores import Predictions, ScoreProfile
from monitor_tasks.value import UserError

SHARES = ("recall", "precision", "accuracy")
RATES = ("true_positive_rate", "true_negative_rate", "false_positive_rate", "false_negative_rate")
F_SCORES = ("f0_5", "f1", "f2")


def _profile(rows: pa.Table, settings: ModelQualitySettings) -> ScoreProfile:
    keys = ("probability_attribute", "inference_attribute")
    probabilities, classes = (column(rows, getattr(settings, key), key) for key in keys)
    if probabilities is None and classes is None:
        raise UserError(
            "model_quality: probability_attribute and inference_attribute are not set; name a prediction's column"
        )
    predictions = Predictions(probabilities, classes, settings.probability_threshold_attribute)
    return ScoreProfile.of(labels(rows, settings), predictions)


def _measured(view: View, names: Collection[str]) -> Mapping[str, Measured]:
    found, settings = measured(view.profile, names, view.replicates), view.settings
    if "uncertain_prediction_rate" in names:
        band = settings.probability_threshold_attribute, settings.uncertain_margin
        found["uncertain_prediction_rate"] = uncertain_prediction_rate(view.profile, *band, view.replicates)
    if "label_drift" in names:
        found["label_drift"] = drift_of_classes(view, _labels)
    return found


def _labels(profile: ScoreProfile) -> dict[str, int]:
    zeros, ones = outcomes(profile).reshape(2, 2).sum(axis=1).tolist()
    return {"0": zeros, "1": ones}


def _statistics(profile: ScoreProfile, settings: ModelQualitySettings) -> dict[str, Any]:
    found, constant = measured(profile, tuple(BINARY.constrained)), best_constant(profile)
    return {
        "confusion_matrix": confusion_matrix(("0", "1"), outcomes(profile).reshape(2, 2).tolist()),
        **shown(found, SHARES),
        **shown(constant, SHARES, CONSTANT),
        **shown(found, RATES),
        **_curves(profile),
        **shown(found, ("auc",) if settings.probability_attribute else ()),
        **shown(found, F_SCORES),
        **shown(constant, F_SCORES, CONSTANT),
    }


def _curves(profile: ScoreProfile) -> dict[str, dict[str, tuple[float, ...]]]:
    """The curves that are defined, as SageMaker names them and their axes."""
    if not profile.known.scored:
        return {}
    counts, found = by_score(profile.known), {}
    if rates := receiver_operating_characteristic(counts):
        axes = {"false_positive_rates": rates.across, "true_positive_rates": rates.up}
        found["receiver_operating_characteristic_curve"] = axes
    if curve := precision_recall(counts):
        found["precision_recall_curve"] = {"precisions": curve.up, "recalls": curve.across}
    return found


def _exhibits(view: View) -> Iterator[Exhibit]:
    """The outcomes, the scores, the receiver operating characteristic and the calibration beside the baseline's."""
    mine, theirs = dict(_outcome_shares(view.profile)), dict(_outcome_shares(view.known))
    yield by_label("outcomes of the labelled rows", mine, theirs, "share")
    if confidences := scores(view.profile, view.known):
        yield confidences
    axes = "false positive rate", "true positive rate"
    yield from _drawn("receiver operating characteristic", axes, *map(_characteristic, view[:2]))
    yield from _drawn("calibration", ("mean score", "share of label 1"), *map(_calibration, view[:2]))


def _outcome_shares(profile: ScoreProfile) -> Iterator[tuple[str, float | None]]:
    """The part of the labelled rows of each label that each class was predicted for."""
    names = [f"label {label}, predicted {predicted}" for label in (0, 1) for predicted in (0, 1)]
    rows = profile.judged
    for name, count in zip(names, outcomes(profile).tolist(), strict=True):
        yield name, count / rows if rows else None


def _drawn(title: str, axes: tuple[str, str], mine: Points | None, theirs: Points | None) -> Iterator[Curve]:
    """A hundred points of a curve; nothing where it is undefined."""
    if mine:
        here, there = (thinned(one.across, one.up) if one else () for one in (mine, theirs))
        yield Curve(title=title, across=axes[0], up=axes[1], here=here, baseline=there)


def _characteristic(profile: ScoreProfile) -> Points | None:
    return receiver_operating_characteristic(by_score(profile.known)) if profile.known.scored else None


def _calibration(profile: ScoreProfile) -> Points | None:
    return calibration_curve(profile.known) if profile.known.scored else None


BINARY = Problem(
    kind=ScoreProfile,
    profile=_profile,
    measured=_measured,
    constrained={
        "recall": "smaller", "precision": "smaller", "accuracy": "smaller", "true_positive_rate": "smaller",
        "true_negative_rate": "smaller", "false_positive_rate": "larger", "false_negative_rate": "larger",
        "auc": "smaller", "f0_5": "smaller", "f1": "smaller", "f2": "smaller",
    },
    further={
        "balanced_accuracy": "smaller", "matthews_correlation": "smaller", "average_precision": "smaller",
        "log_loss": "larger", "brier_score": "larger", "expected_calibration_error": "larger",
        "uncertain_prediction_rate": "larger", "label_drift": "drifted",
    },
    statistics=_statistics,
    exhibits=_exhibits,
)  # fmt: skip
