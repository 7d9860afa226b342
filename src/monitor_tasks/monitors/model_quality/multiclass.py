"""Multiclass classification: counts by label and predicted class, and by the rank of the label's probability."""

from collections.abc import Collection, Iterator, Mapping
from typing import Any

import numpy as np
import pyarrow as pa

from monitor_tasks.exhibit import Comparison, Exhibit
from monitor_tasks.metrics import classes
from monitor_tasks.metrics.distributions import by_label, histogram
from monitor_tasks.metrics.measured import Measured
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
from monitor_tasks.profiles.classes import BARS, Classes, ClassProfile, Shares
from monitor_tasks.profiles.coded import value_text
from monitor_tasks.value import UserError


def given_classes(rows: pa.Table, settings: ModelQualitySettings) -> tuple[Classes, Shares | None]:
    """The class that was predicted for each row, and the probabilities of all classes where there are any."""
    predicted = column(rows, settings.inference_attribute, "inference_attribute")
    key = "class_probability_attributes"
    columns = {value_text(one): column(rows, name, f"{key}.{one}") for one, name in getattr(settings, key).items()}
    if predicted is None and not columns:
        raise UserError(f"model_quality: inference_attribute and {key} are not set; name a prediction's column")
    shares = Shares.of(columns) if columns else None
    return shares.most_probable if shares and predicted is None else Classes.of(predicted), shares


def _profile(rows: pa.Table, settings: ModelQualitySettings) -> ClassProfile:
    return ClassProfile.of(labels(rows, settings), *given_classes(rows, settings))


def _measured(view: View, names: Collection[str]) -> Mapping[str, Measured]:
    profile = view.profile
    found = classes.measured(profile, names, view.replicates)
    if "top_k_accuracy" in names:
        found["top_k_accuracy"] = classes.top_k_accuracy(profile, view.settings.top_k, view.replicates)
    if "log_loss" in names:
        found["log_loss"] = classes.log_loss(profile)
    if "brier_score" in names:
        found["brier_score"] = classes.brier_score(profile)
    if "label_drift" in names:
        known = profile.cells is not None and view.known.cells is not None
        found["label_drift"] = drift_of_classes(view, _labels) if known else Measured(None, because=classes.TOO_MANY)
    return found


def _labels(profile: ClassProfile) -> dict[str, int]:
    names, counts = profile.confusion()
    return dict(zip(names, counts.sum(axis=1).tolist(), strict=True))


def _statistics(profile: ClassProfile, _: ModelQualitySettings) -> dict[str, Any]:
    names, counts = profile.confusion()
    return {
        "confusion_matrix": confusion_matrix(names, counts.tolist()),
        **shown(classes.measured(profile, classes.CONSTANT_MEASURES), classes.CONSTANT_MEASURES),
        **shown(classes.best_constant(profile), classes.CONSTANT_MEASURES, CONSTANT),
    }


def _exhibits(view: View) -> Iterator[Exhibit]:
    """The outcomes and the confidences beside the baseline's."""
    mine, theirs = dict(_outcome_shares(view.profile)), dict(_outcome_shares(view.known))
    if view.profile.cells is None:
        yield Comparison(title="outcomes of the labelled rows", note=classes.TOO_MANY)
    else:
        yield by_label("outcomes of the labelled rows", mine, theirs, "share")
    if any(view.profile.probabilities.confidences):
        cuts = tuple(np.linspace(0, 1, BARS + 1)[1:-1].tolist())
        bars = histogram(*map(_confidence_shares, view[:2]))
        yield Comparison(title="confidences: the largest probability of each prediction", cuts=cuts, pairs=bars)


def _outcome_shares(profile: ClassProfile) -> Iterator[tuple[str, float]]:
    for (label, predicted), count in (profile.cells or {}).items():
        yield f"label {label}, predicted {predicted}", count / profile.judged


def _confidence_shares(profile: ClassProfile) -> list[float | None]:
    counts = profile.probabilities.confidences
    total = sum(counts)
    return [count / total if total else None for count in counts]


MULTICLASS = Problem(
    kind=ClassProfile,
    profile=_profile,
    measured=_measured,
    constrained=dict.fromkeys(classes.CONSTANT_MEASURES, "smaller"),
    further={
        "balanced_accuracy": "smaller", "matthews_correlation": "smaller", "top_k_accuracy": "smaller",
        "log_loss": "larger", "brier_score": "larger", "label_drift": "drifted",
    },
    statistics=_statistics,
    exhibits=_exhibits,
)  # fmt: skip
