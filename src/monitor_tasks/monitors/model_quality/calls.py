"""What a model said of each row: what two of them are compared by where both answered the same requests."""

from collections.abc import Callable, Mapping

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from monitor_tasks.monitors.model_quality.problem import column, labels
from monitor_tasks.monitors.settings import ModelQualitySettings, ProblemType
from monitor_tasks.profiles.classes import Classes, Shares
from monitor_tasks.profiles.coded import value_text
from monitor_tasks.profiles.pairs import NO_STEP, Call, log_odds_step
from monitor_tasks.profiles.residuals import LARGEST
from monitor_tasks.profiles.scores import SMALLEST, numbers

NUMBER = ("",)
"""The one class of what has none."""


def _of_two_classes(rows: pa.Table, settings: ModelQualitySettings) -> Call:
    """As `ScoreProfile` counts them: classes are 0 and 1, probabilities lie in [0, 1]."""
    label = numbers(labels(rows, settings))
    scores, classes = (column(rows, getattr(settings, f"{key}_attribute"), key) for key in ("probability", "inference"))
    score = np.full(len(label), np.nan) if scores is None else numbers(scores)
    said = (
        (score > settings.probability_threshold_attribute).astype(np.float64) if classes is None else numbers(classes)
    )
    fits = (score >= 0) & (score <= 1) if scores is not None else np.full(len(label), True)
    given = np.where(label == 1, score, 1.0 - score)
    said = np.where(fits, said, np.nan)
    known = np.where(fits, score, np.nan)
    return Call(_zero_or_one(label), _zero_or_one(said), log_odds_step(known), _losses(given, np.square(score - label)))


def _zero_or_one(values: NDArray[np.float64]) -> Classes:
    return Classes(("0", "1"), np.where(np.isin(values, (0.0, 1.0)), values, -1).astype(np.int64))


def _losses(given: NDArray[np.float64], squared: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.stack([-np.log(np.clip(given, SMALLEST, 1.0 - SMALLEST)), squared], axis=1)


def _of_several_classes(rows: pa.Table, settings: ModelQualitySettings) -> Call:
    """As `ClassProfile` counts them; the step is 1 where the label is among the most probable classes, else 0."""
    label, named = Classes.of(labels(rows, settings)), settings.class_probability_attributes
    predicted = column(rows, settings.inference_attribute, "inference_attribute")
    nothing = np.full(len(label.codes), NO_STEP), np.full((len(label.codes), 2), np.nan)
    if not named:
        return Call(label, Classes.of(predicted), *nothing)
    shares = Shares.of({value_text(one): column(rows, name, one) for one, name in named.items()})
    said = shares.most_probable if predicted is None else Classes.of(predicted)
    place = {name: index for index, name in enumerate(shares.names)}
    mine = np.array([*(place.get(name, -1) for name in label.names), -1, -1], np.int64)[label.codes]
    judged = shares.usable & (mine >= 0)
    own = np.take_along_axis(shares.values, np.maximum(mine, 0)[:, np.newaxis], axis=1)
    later = np.arange(len(place)) > mine[:, np.newaxis]
    above = ((shares.values > own) | ((shares.values == own) & later)).sum(axis=1)
    lacking = shares.values - (np.arange(len(place)) == mine[:, np.newaxis])
    losses = _losses(own[:, 0], np.square(lacking).sum(axis=1))
    step = np.where(judged, above < settings.top_k, NO_STEP).astype(np.int64)
    return Call(label, said, step, np.where(judged[:, np.newaxis], losses, np.nan))


def _of_numbers(rows: pa.Table, settings: ModelQualitySettings) -> Call:
    """Numbers have no classes: what is counted is that there are two."""
    predicted = column(rows, settings.inference_attribute, "inference_attribute")
    fits = (np.where(np.abs(numbers(one)) <= LARGEST, 0, -1) for one in (labels(rows, settings), predicted))
    label, said = (Classes(NUMBER, one.astype(np.int64)) for one in fits)
    rows_ = len(label.codes)
    return Call(label, said, np.full(rows_, NO_STEP), np.full((rows_, 2), np.nan))


CALLS: Mapping[ProblemType, Callable[[pa.Table, ModelQualitySettings], Call]] = {
    "BinaryClassification": _of_two_classes,
    "MulticlassClassification": _of_several_classes,
    "Regression": _of_numbers,
}
"""How the rows of each problem type are read, one by one."""
