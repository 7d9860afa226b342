"""How well a number is predicted, from exact sums of residuals (contract model-quality.md, section 5).

A metric is a function of sums, so that one function serves the rows and every resample of them. Deviations are those
of the metric over the profile's Poisson replicates.
"""

from collections.abc import Callable, Collection, Mapping
from fractions import Fraction
from math import sqrt
from typing import NamedTuple

import numpy as np

from monitor_tasks.metrics.curves import Counts, Values
from monitor_tasks.metrics.measured import NO_LABELS, REPLICATES, Measured, rounded
from monitor_tasks.metrics.resampling import MINIMUM_ROWS, deviation
from monitor_tasks.profiles.residuals import LEADING_BITS, RegressionProfile, ResidualTally

ONE_LABEL = "all labels are the same number, or nearly so"


class Sums(NamedTuple):
    """What the metrics are made of, over the rows or over one resample of them."""

    rows: Fraction
    residuals: Fraction
    squares: Fraction
    absolute: Fraction
    has_ratio: Fraction
    ratios: Fraction
    labels: Fraction
    label_squares: Fraction


def mae(sums: Sums) -> float | None:
    """Mean absolute error: mean distance of prediction and label."""
    return _mean(sums.absolute, sums.rows)


def mse(sums: Sums) -> float | None:
    """Mean squared error: mean square of prediction less label."""
    return _mean(sums.squares, sums.rows)


def rmse(sums: Sums) -> float | None:
    """Root of the mean squared error."""
    return sqrt(sums.squares / sums.rows) if sums.rows else None


def r2(sums: Sums) -> float | None:
    """Coefficient of determination: 1 less the residuals' squares over those of the labels' distances to their mean.

    It can be far below 0; it is undefined where all labels are the same.
    """
    if not sums.rows or not (spread := sums.label_squares - sums.labels**2 / sums.rows) > 0:
        return None
    return rounded(1 - sums.squares / spread)


def mape(sums: Sums) -> float | None:
    """Mean absolute percentage error, as a part of 1: mean of the absolute residual over the absolute label.

    Labels of 0 are left out, and those so near 0 that the ratio is no number.
    """
    return _mean(sums.ratios, sums.has_ratio)


def residual_mean(sums: Sums) -> float | None:
    """Bias: mean of prediction less label; above 0 where predictions are too high."""
    return _mean(sums.residuals, sums.rows)


def residual_variance(sums: Sums) -> float | None:
    """Variance of prediction less label: the mean squared error without the bias."""
    return float(sums.squares / sums.rows - (sums.residuals / sums.rows) ** 2) if sums.rows else None


_MEASURES: Mapping[str, Callable[[Sums], float | None]] = {
    "mae": mae,
    "mse": mse,
    "rmse": rmse,
    "r2": r2,
    "mape": mape,
    "residual_mean": residual_mean,
    "residual_variance": residual_variance,
}
_UNDEFINED = {"r2": ONE_LABEL, "mape": "every label is 0"}


def measured(
    profile: RegressionProfile, names: Collection[str] = tuple(_MEASURES), *, spread: bool = True
) -> dict[str, Measured]:
    """Metrics of the labelled predictions by name, all of them if none is named; deviations unless not asked for."""
    wanted = [name for name in _MEASURES if name in names]
    if not profile.judged:
        return {name: Measured(None, because=NO_LABELS) for name in wanted}
    whole = _sums(profile)
    resamples = _resamples(profile) if spread and profile.judged >= MINIMUM_ROWS else []
    return {name: _measured(name, whole, resamples) for name in wanted}


def resampled(profile: RegressionProfile, names: Collection[str]) -> dict[str, Values]:
    """Metrics of every Poisson resample of the labelled rows by name; NaN where one is undefined, none of few rows.

    Two profiles of the same rows, told apart by the same hashes, are resampled alike.
    """
    drawn = _resamples(profile) if profile.judged >= MINIMUM_ROWS else []
    known = {name: [_MEASURES[name](one) for one in drawn] for name in _MEASURES if name in names}
    return {name: np.array([np.nan if one is None else one for one in values]) for name, values in known.items()}


def median_absolute_error(profile: RegressionProfile, replicates: int = REPLICATES) -> Measured:
    """Median distance of prediction and label.

    It is exact up to 4,096 different residuals; past them their leading bits are known, and it is off by 0.2 % at most.

    >>> import pyarrow as pa
    >>> hashes = np.arange(3, dtype=np.uint64)
    >>> median_absolute_error(RegressionProfile.of(pa.array([1, 2, 9]), pa.array([1.5, 2, 4]), hashes)).value
    0.5
    """
    if not profile.judged:
        return Measured(None, because=NO_LABELS)
    values, counts = _absolute(profile.residuals)

    def medians(cells: Counts) -> Values:
        below, rows = np.cumsum(cells, axis=-1), cells.sum(axis=-1)
        middle = [[values[np.searchsorted(line, place, "right")] for place in ((n - 1) // 2, n // 2)]
                  for line, n in zip(below, rows.tolist(), strict=True)]  # fmt: skip
        return np.asarray(np.mean(middle, axis=-1))

    value = medians(counts[np.newaxis]).item()
    details = {} if profile.residuals.exact else {"error": value / 2 ** (LEADING_BITS + 1)}
    return Measured(value, deviation(counts, medians, replicates), details=details)


def _absolute(tally: ResidualTally) -> tuple[Values, Counts]:
    """The residuals' distances from 0, rising, each step by its middle, and how many rows have each."""
    values, place = np.unique(np.abs(tally.scores), return_inverse=True)
    counts = np.bincount(place, tally.counts[:, 0], len(values)).astype(np.int64)
    return values * (1.0 if tally.exact else 1 + 0.5 ** (LEADING_BITS + 1)), counts


def _sums(profile: RegressionProfile) -> Sums:
    errors = profile.errors
    return Sums(
        Fraction(profile.judged), errors.residuals.total.fraction(), errors.residuals.squares.fraction(),
        errors.absolute.fraction(), Fraction(profile.relative), errors.relative.fraction(),
        errors.labels.total.fraction(), errors.labels.squares.fraction(),
    )  # fmt: skip


def _resamples(profile: RegressionProfile) -> list[Sums]:
    known = {name: sums.fractions() for name, sums in profile.replicates.items()}
    known["label_squares"] = [sum(pair, Fraction()) for pair in
                              zip(known["label_squares"], known.pop("label_square_rests"), strict=True)]  # fmt: skip
    return [Sums(*one) for one in zip(*(known[name] for name in Sums._fields), strict=True)]


def _measured(name: str, whole: Sums, resamples: list[Sums]) -> Measured:
    value = _MEASURES[name](whole)
    if value is None:
        return Measured(None, because=_UNDEFINED[name])
    left_out = int(whole.rows - whole.has_ratio) if name == "mape" else 0
    details = {"labels_of_0": left_out} if left_out else {}
    drawn = [one for one in map(_MEASURES[name], resamples) if one is not None]
    enough = len(drawn) > max(1, len(resamples) // 2)
    return Measured(value, float(np.std(drawn, ddof=1)) if enough else None, details=details)


def _mean(total: Fraction, rows: Fraction) -> float | None:
    return float(total / rows) if rows else None
