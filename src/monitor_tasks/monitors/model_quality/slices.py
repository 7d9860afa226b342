"""The worst slices of a window: searched in a sample of its labelled rows, confirmed on all others."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, NamedTuple

import numpy as np
import orjson
import pyarrow as pa
from numpy.typing import NDArray

from monitor_tasks.baseline import Constraint, Metric
from monitor_tasks.exhibit import Comparison, Pair
from monitor_tasks.metrics.chance import reach_among
from monitor_tasks.metrics.slices import Candidate, Contrast, Slice, contrasts, first_slice, search
from monitor_tasks.monitors.model_quality.multiclass import given_classes
from monitor_tasks.monitors.model_quality.problem import column, labels
from monitor_tasks.monitors.settings import ModelQualitySettings, ProblemType, WorstSlices
from monitor_tasks.profiles.classes import Classes
from monitor_tasks.profiles.coded import Column
from monitor_tasks.profiles.residuals import LARGEST
from monitor_tasks.profiles.scores import numbers
from monitor_tasks.value import STORED

CHECK, LOSS = "worst_slice_check", "@loss"
FILE = "slices.json"

Values = NDArray[np.float64]


class Confirmed(NamedTuple):
    """One slice that the search has found, and what the rows that were not searched say of it."""

    candidate: Candidate
    contrast: Contrast | None
    p_adjusted: float
    """Of the contrast, adjusted for the number of candidates (Bonferroni)."""
    is_confirmed: bool

    @property
    def name(self) -> str:
        """Its conditions."""
        return str(self.candidate.slice)


class Told(NamedTuple):
    """What a window's worst slices add to its check."""

    metrics: tuple[Metric, ...]
    constraints: tuple[Constraint, ...]
    """One a slice, where the settings say how much worse one may be."""
    notes: tuple[str, ...]
    exhibits: tuple[Comparison, ...]
    files: Mapping[str, bytes]


def with_losses(rows: pa.Table, settings: ModelQualitySettings) -> pa.Table:
    """The rows that have a label and a usable prediction, and what each of them loses as the column ``@loss``.

    A loss is 1 for a wrong class and 0 for the right one; of numbers it is the distance of prediction and label.
    """
    losses = _LOSSES[settings.problem_type](rows, settings)
    known = rows.append_column(LOSS, pa.array(losses))
    return known.filter(pa.array(~np.isnan(losses)))


def worst_slices(
    sample: pa.Table, others: Iterable[pa.Table], settings: ModelQualitySettings, asked: WorstSlices
) -> Told:
    """What is worst in the sample, tested on the batches of the other rows; both with their losses.

    What is held of a row that was not searched is its loss, and which slice it belongs to.
    """
    names = _features(sample, settings, asked)
    features = {name: Column.of(sample[name]) for name in names}
    found = search(features, sample[LOSS].to_numpy(), asked.minimum_rows, asked.level, asked.candidates)
    candidates = [one.slice for one in found.candidates]
    parts = [(_belonging(rows, candidates), rows[LOSS].to_numpy()) for rows in others]
    belongs, losses = (np.concatenate([nothing, *part]) for nothing, part in
                       zip((np.empty(0, np.uint8), np.empty(0)), zip(*parts, strict=True), strict=True))  # fmt: skip
    slices = [
        _confirmed(candidate, contrast, asked.level, len(candidates))
        for candidate, contrast in zip(found.candidates, contrasts(len(candidates), belongs, losses), strict=True)
    ]
    scale = _Scale.of(settings)
    looked = f"worst slices: {found.looked_at:,} looked at in {sample.num_rows:,} labelled rows"
    nothing = "none is worse than the others beyond chance" if found.looked_at else "none has enough rows"
    notes = [_note(one, scale) for one in slices] or [f"{looked}, {nothing}"]
    return Told(
        tuple(_metric(one, scale) for one in slices),
        tuple(_constraints(slices, scale, asked)),
        tuple(notes),
        tuple(_exhibit(slices, scale, looked)),
        {FILE: _file(slices, scale, {"looked_at": found.looked_at, "rows_searched": sample.num_rows,
                                     "rows_held": len(losses), "level": asked.level})},
    )  # fmt: skip


def _belonging(rows: pa.Table, slices: list[Slice]) -> NDArray[np.uint8]:
    """Which of the slices each row belongs to."""
    names = {condition.column for one in slices for condition in one.conditions}
    return first_slice(slices, {name: Column.of(rows[name]) for name in names}, rows.num_rows)


class _Scale(NamedTuple):
    """The metric that mean losses are told as."""

    metric: str
    is_accuracy: bool

    @classmethod
    def of(cls, settings: ModelQualitySettings) -> "_Scale":
        numeric = settings.problem_type == "Regression"
        return cls("mae" if numeric else "accuracy", not numeric)

    def value(self, loss: float) -> float:
        return 1.0 - loss if self.is_accuracy else loss

    def interval(self, contrast: Contrast) -> tuple[float, float]:
        low, high = sorted(map(self.value, (contrast.lower, contrast.upper)))
        return low, high


def _confirmed(candidate: Candidate, contrast: Contrast | None, level: float, count: int) -> Confirmed:
    adjusted = min(1.0, contrast.p_value * count) if contrast else 1.0
    return Confirmed(candidate, contrast, adjusted, adjusted <= level)


def _metric(one: Confirmed, scale: _Scale) -> Metric:
    contrast = one.contrast
    if contrast is None:
        return Metric(name=scale.metric, subject=one.name, value=None, n=0, because="no further row is in the slice")
    value, outside, (low, high) = *map(scale.value, (contrast.mean, contrast.mean_outside)), scale.interval(contrast)
    not_sure = f"{contrast.rows:,} rows that were not searched do not confirm it: {scale.metric} {value:.3g}, " \
               f"{outside:.3g} outside, {_p(one.p_adjusted)}"  # fmt: skip
    return Metric(
        name=scale.metric, subject=one.name, value=value if one.is_confirmed else None, n=contrast.rows,
        because="" if one.is_confirmed else not_sure, deviation=contrast.deviation,
        details={"outside": outside, "rows_of_others": contrast.rows_outside, "interval_from": low, "interval_to": high,
                 "p_value": contrast.p_value, "p_adjusted": one.p_adjusted},
    )  # fmt: skip


def _constraints(slices: list[Confirmed], scale: _Scale, asked: WorstSlices) -> Iterator[Constraint]:
    """One bound a slice: so much worse than the rows outside of it, and as far beyond as chance may reach."""
    allowed = asked.allowed_difference
    for one in slices if allowed is not None else ():
        outside = scale.value(one.contrast.mean_outside) if one.contrast else None
        bounds = {} if outside is None or allowed is None else (
            {"lower": outside - allowed} if scale.is_accuracy else {"upper": outside + allowed}
        )  # fmt: skip
        yield Constraint(
            check=CHECK, metric=scale.metric, subject=one.name, **bounds,
            margin=round(reach_among(len(slices), asked.level), 2),
            rule=f"{scale.metric} of a slice is at most {allowed:g} worse than outside of it",
            reason="" if outside is None else f"{scale.metric} outside of the slice is {outside}",
        )  # fmt: skip


def _note(one: Confirmed, scale: _Scale) -> str:
    """One slice in a line."""
    contrast, candidate = one.contrast, one.candidate
    if contrast is None or not one.is_confirmed:
        return f"worst slices: {one.name}: found in the sample, not confirmed by the other rows"
    low, high = scale.interval(contrast)
    value, outside, seen = map(scale.value, (contrast.mean, contrast.mean_outside, candidate.mean))
    return (
        f"worst slices: {one.name}: confirmed: {scale.metric} {value:.3g} in {contrast.rows:,} rows that were not "
        f"searched (95 % interval {low:.3g} to {high:.3g}; {seen:.3g} in {candidate.rows:,} of the sample), "
        f"{outside:.3g} outside, {_p(one.p_adjusted)}"
    )


def _p(p_value: float) -> str:
    """A p-value in words; below 0.0001 its digits say nothing."""
    return "adjusted p below 0.0001" if p_value < 0.0001 else f"adjusted p = {p_value:.2g}"


def _exhibit(slices: list[Confirmed], scale: _Scale, looked: str) -> Iterator[Comparison]:
    """The confirmed slices beside the rows outside of them."""
    pairs = tuple(
        Pair(label=f"{one.name} ({one.contrast.rows:,} rows)", here=scale.value(one.contrast.mean),
             baseline=scale.value(one.contrast.mean_outside), unit="value")
        for one in slices if one.is_confirmed and one.contrast
    )  # fmt: skip
    if pairs:
        note = f"{looked}; these were confirmed by rows that were not searched. Rows of slices above are left out"
        title = f"worst slices: {scale.metric} in each, and outside of it"
        yield Comparison(title=title, pairs=pairs, note=note, sides=("in the slice", "outside"))


def _file(slices: list[Confirmed], scale: _Scale, told: Mapping[str, Any]) -> bytes:
    """All of it for a program, as JSON."""
    known = [
        {
            "slice": one.name,
            "conditions": [condition._asdict() for condition in one.candidate.slice.conditions],
            "confirmed": one.is_confirmed,
            "sample": {"rows": one.candidate.rows, "value": scale.value(one.candidate.mean),
                       "outside": scale.value(one.candidate.mean_outside), "p_adjusted": one.candidate.p_adjusted},
            "others": one.contrast and {
                "rows": one.contrast.rows, "value": scale.value(one.contrast.mean),
                "interval": scale.interval(one.contrast), "rows_outside": one.contrast.rows_outside,
                "outside": scale.value(one.contrast.mean_outside), "p_value": one.contrast.p_value,
                "p_adjusted": one.p_adjusted,
            },
        }
        for one in slices
    ]  # fmt: skip
    return orjson.dumps(
        {"schema_version": STORED["slices.json"], "metric": scale.metric, **told, "slices": known},
        option=orjson.OPT_INDENT_2,
    )


def _features(rows: pa.Table, settings: ModelQualitySettings, asked: WorstSlices) -> list[str]:
    """The columns to look through: those that are named, or all that say neither the label nor the prediction."""
    if asked.columns:
        return [_name(rows, name, "worst_slices.columns") for name in asked.columns]
    keys = ("inference_attribute", "probability_attribute", "ground_truth_attribute")
    roles = {key: getattr(settings, key) for key in keys} | {
        f"class_probability_attributes.{one}": name for one, name in settings.class_probability_attributes.items()
    }
    taken = {_name(rows, name, key) for key, name in roles.items() if name is not None}
    label = labels(rows, settings)
    return [
        name for name in rows.column_names
        if name not in taken and not name.startswith("@") and not rows[name].equals(label)
    ]  # fmt: skip


def _name(rows: pa.Table, name: str, key: str) -> str:
    """The name of a column that a setting names, perhaps by its place."""
    column(rows, name, key)
    return name if name in rows.column_names else rows.column_names[int(name)]


def _of_numbers(rows: pa.Table, settings: ModelQualitySettings) -> Values:
    label, predicted = numbers(labels(rows, settings)), numbers(_named(rows, settings, "inference_attribute"))
    known = (np.abs(label) <= LARGEST) & (np.abs(predicted) <= LARGEST)
    return np.where(known, np.abs(predicted - label), np.nan)


def _of_two_classes(rows: pa.Table, settings: ModelQualitySettings) -> Values:
    label = numbers(labels(rows, settings))
    known = np.isin(label, (0.0, 1.0))
    predicted = np.full(len(label), np.nan)
    if settings.probability_attribute is not None:
        score = numbers(_named(rows, settings, "probability_attribute"))
        predicted = (score > settings.probability_threshold_attribute).astype(np.float64)
        known &= (score >= 0) & (score <= 1)
    if settings.inference_attribute is not None:
        predicted = numbers(_named(rows, settings, "inference_attribute"))
        known &= np.isin(predicted, (0.0, 1.0))
    return np.where(known, predicted != label, np.nan)


def _of_classes(rows: pa.Table, settings: ModelQualitySettings) -> Values:
    label, predicted = Classes.of(labels(rows, settings)), given_classes(rows, settings)[0]
    place = {name: index for index, name in enumerate({**dict.fromkeys(label.names), **dict.fromkeys(predicted.names)})}
    known = (label.codes >= 0) & (predicted.codes >= 0)
    codes = (np.array([*(place[name] for name in one.names), -1, -2])[one.codes] for one in (label, predicted))
    return np.where(known, np.not_equal(*codes), np.nan)


def _named(rows: pa.Table, settings: ModelQualitySettings, key: str) -> pa.ChunkedArray:
    return column(rows, getattr(settings, key), key)


_LOSSES: Mapping[ProblemType, Callable[[pa.Table, ModelQualitySettings], Values]] = {
    "BinaryClassification": _of_two_classes,
    "MulticlassClassification": _of_classes,
    "Regression": _of_numbers,
}
