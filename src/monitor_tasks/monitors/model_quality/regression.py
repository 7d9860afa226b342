"""Regression: exact sums of residuals, and the same sums over resampled rows."""

from collections.abc import Collection, Iterator, Mapping
from typing import Any

import numpy as np
import pyarrow as pa

from monitor_tasks.exhibit import Comparison, Exhibit
from monitor_tasks.metrics.distributions import cut, histogram
from monitor_tasks.metrics.labels import number_drift
from monitor_tasks.metrics.measured import Measured
from monitor_tasks.metrics.residuals import measured, median_absolute_error
from monitor_tasks.monitors.model_quality.problem import Problem, View, column, labels, shown
from monitor_tasks.monitors.settings import ModelQualitySettings
from monitor_tasks.profiles.partition import Partition
from monitor_tasks.profiles.replicates import row_hashes
from monitor_tasks.profiles.residuals import RegressionProfile, ResidualTally
from monitor_tasks.value import UserError

PREDICTION = "@prediction"
"""The name under which a partition looks at the prediction, whatever its column is called."""


def profiled(rows: pa.Table, settings: ModelQualitySettings, partition: Partition | None = None) -> RegressionProfile:
    """What is remembered of the rows, with their losses by the cells of a partition where there is one."""
    predicted = column(rows, settings.inference_attribute, "inference_attribute")
    if predicted is None:
        raise UserError("model_quality: inference_attribute is not set; name the column of the predicted number")
    columns = {**dict(zip(rows.column_names, rows.columns, strict=True)), PREDICTION: predicted}
    return RegressionProfile.of(labels(rows, settings), predicted, row_hashes(rows), partition, columns)


def _measured(view: View, names: Collection[str]) -> Mapping[str, Measured]:
    found = measured(view.profile, names, spread=bool(view.replicates))
    if "median_absolute_error" in names:
        found["median_absolute_error"] = median_absolute_error(view.profile, view.replicates)
    if "label_drift" in names:
        sides = ((one.errors.labels, one.judged) for one in (view.profile, view.known))
        (mine, rows), (theirs, known) = sides
        found["label_drift"] = number_drift(mine, rows, theirs, known)
    return found


def _statistics(profile: RegressionProfile, _: ModelQualitySettings) -> dict[str, Any]:
    names = tuple(REGRESSION.constrained)
    return shown(measured(profile, names), names)


def _exhibits(view: View) -> Iterator[Exhibit]:
    """The residuals beside the baseline's."""
    reference = next((one.residuals for one in (view.known, view.profile) if one.judged), None)
    if reference is None or not view.profile.judged:
        return
    below = np.cumsum(reference.counts[:, 0]) / reference.counts.sum()
    cuts = cut(reference.scores, below)
    bars = histogram(*(_bars(one.residuals, cuts) for one in view[:2]))
    yield Comparison(title="residuals: prediction less label", cuts=tuple(cuts.tolist()), pairs=bars)


def _bars(tally: ResidualTally, cuts: np.ndarray[Any, np.dtype[np.float64]]) -> list[float | None]:
    counts = np.bincount(np.searchsorted(cuts, tally.scores, "left"), tally.counts[:, 0], len(cuts) + 1)
    total = counts.sum()
    return (counts / total).tolist() if total else [None] * len(counts)


REGRESSION = Problem(
    kind=RegressionProfile,
    profile=profiled,
    measured=_measured,
    constrained={"mae": "larger", "mse": "larger", "rmse": "larger", "r2": "smaller"},
    further={
        "mape": "larger", "median_absolute_error": "larger", "residual_mean": "farther from 0",
        "residual_variance": "larger", "label_drift": "drifted",
    },
    statistics=_statistics,
    exhibits=_exhibits,
)  # fmt: skip
