"""Which features drive the predictions, as numbers: their global SHAP values, and how far the ranking still holds."""

from collections.abc import Callable, Mapping, Sequence
from itertools import zip_longest
from math import fsum, log2
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from monitor_tasks.metrics.resampling import deviation

REPLICATES = 100
"""How often the rows of a sample are drawn again to know how far a number would move."""

ROUNDING = 1e-12
"""A smaller deviation is that of sums, not of chance: the ranking is the same in all resamples."""

Globals = Mapping[str, float | None]
"""One global value a feature; None where there are no rows."""


def mean_abs(values: ArrayLike) -> float | None:
    """Mean of the absolute local values of one feature; None without values.

    Source: contract attribution.md, section 1.

    >>> mean_abs([-1.0, 2.0])
    1.5
    """
    sizes = np.abs(np.asarray(values, np.float64))
    return fsum(sizes) / len(sizes) if len(sizes) else None


def mean_sq(values: ArrayLike) -> float | None:
    """Mean of the squared local values of one feature; None without values.

    Source: contract attribution.md, section 1.

    >>> mean_sq([-1.0, 2.0])
    2.5
    """
    squares = np.square(np.asarray(values, np.float64))
    return fsum(squares) / len(squares) if len(squares) else None


def median(values: ArrayLike) -> float | None:
    """Median of the signed local values of one feature; None without values.

    Source: contract attribution.md, section 1.

    >>> median([-1.0, 2.0, 7.0])
    2.0
    """
    signed = np.asarray(values, np.float64)
    return float(np.median(signed)) if len(signed) else None


AGGREGATIONS: dict[str, Callable[[ArrayLike], float | None]] = {
    "mean_abs": mean_abs,
    "mean_sq": mean_sq,
    "median": median,
}
"""How local values become a global one, by Clarify's name."""


def global_values(
    values: NDArray[np.float64], features: Sequence[str], agg_method: str = "mean_abs"
) -> dict[str, float | None]:
    """The global value of every feature, from local ones of shape (rows, features); None without rows.

    Source: contract attribution.md, section 1.

    >>> global_values(np.array([[-1.0, 0.5], [2.0, 0.5]]), ["age", "income"])
    {'age': 1.5, 'income': 0.5}
    """
    return {name: AGGREGATIONS[agg_method](column) for name, column in zip(features, values.T, strict=True)}


def ndcg(baseline: Globals, current: Globals) -> float | None:
    """How well the current ranking of the features ranks the baseline's values (nDCG), 1 where it is the same.

    Features of equal current value share their average gain. None where ``why_undefined`` has a reason.
    Source: contract attribution.md, section 4; Järvelin and Kekäläinen, 2002; ties as in scikit-learn's ndcg_score.

    >>> baseline = {"age": 0.70, "income": 0.50, "region": 0.05}
    >>> round(ndcg(baseline, {"age": 0.1, "income": 0.2, "region": 0.3}), 4)
    0.6876
    >>> ndcg(baseline, {"age": 3.0, "income": 2.0, "region": 1.0})
    1.0
    """
    if why_undefined(baseline, current):
        return None
    gains, scores = ({name: float(value or 0.0) for name, value in side.items()} for side in (baseline, current))
    return _dcg(gains, scores) / _dcg(gains, gains)


def why_undefined(baseline: Globals, current: Globals) -> str:
    """Why the ranking cannot be compared; empty where it can.

    >>> why_undefined({"age": -0.1, "income": 0.2}, {"age": 0.1, "income": 0.1})
    "the baseline's value of 'age' is negative"
    """
    if not baseline or None in baseline.values():
        return "the baseline has no explained rows"
    if not current or None in current.values():
        return "there are no explained rows"
    differing = sorted({*baseline} ^ {*current})
    if differing:
        return f"only one side has a value of {differing[0]!r}"
    negative = next((name for name, value in baseline.items() if value is not None and value < 0), None)
    if negative is not None:
        return f"the baseline's value of {negative!r} is negative"
    return "" if any(baseline.values()) else "no feature drives the baseline's predictions"


def paired(baseline: Sequence[str], current: Sequence[str]) -> list[tuple[str, str | None]]:
    """Each label of the baseline with the current one of the same name; by position where no name is the same.

    Clarify's container names a label after the first prediction where it is told so, and each run otherwise.
    Source: contract attribution.md, section 2.

    >>> paired(["no", "yes"], ["yes", "no"]), paired(["0.7956"], ["label0"])
    ([('no', 'no'), ('yes', 'yes')], [('0.7956', 'label0')])
    """
    if {*baseline} & {*current}:
        return [(label, label if label in current else None) for label in baseline]
    return list(zip_longest(baseline, current[: len(baseline)]))


class Driver(NamedTuple):
    """What one feature's local values say, each with the standard deviation that follows from the sample's size."""

    value: float
    """The global value, by the aggregation that was asked for."""
    value_error: float
    mean: float
    """Mean of the signed values: which way the feature moves predictions on the whole."""
    mean_error: float
    spread: float
    """Standard deviation of the signed values: how differently it moves them."""
    spread_error: float
    share: float
    """Its part of all features' mean absolute values."""
    share_error: float
    rank: float
    """1 for the largest global value; equal values share the first of their ranks."""
    rank_error: float


def drivers(sample: NDArray[np.float64], features: Sequence[str], agg_method: str, seed: int) -> dict[str, Driver]:
    """Statistics of every feature, from local values of shape (rows, features); empty without two rows.

    Deviations come from 100 resamples of the rows (bootstrap; Efron 1979).

    >>> found = drivers(np.array([[-1.0, 0.5], [3.0, 0.5]]), ["age", "income"], "mean_abs", seed=0)
    >>> found["age"].mean, round(found["age"].share, 3), found["income"].rank, found["income"].mean_error
    (1.0, 0.8, 2.0, 0.0)
    """
    if len(sample) < 2 or not features:
        return {}
    drawn = np.random.default_rng(seed).multinomial(len(sample), np.full(len(sample), 1 / len(sample)), REPLICATES)
    whole = _statistics(sample, np.ones((1, len(sample)), np.int64), agg_method)[:, 0]
    errors = _statistics(sample, drawn, agg_method).std(axis=1, ddof=1)
    both = np.stack([whole, errors], axis=1).reshape(10, -1)
    return {name: Driver._make(column) for name, column in zip(features, both.T.tolist(), strict=True)}


def _statistics(sample: NDArray[np.float64], counts: NDArray[np.int64], agg_method: str) -> NDArray[np.float64]:
    """Global value, mean, spread, share and rank by resample and feature; counts are of shape (resamples, rows)."""
    weights = counts / len(sample)
    mean, sizes = weights @ sample, weights @ np.abs(sample)
    middle = sample.mean(axis=0)
    spread = np.sqrt(np.maximum(weights @ np.square(sample - middle) - (mean - middle) ** 2, 0))
    whole = sizes.sum(axis=1, keepdims=True)
    share = np.divide(sizes, whole, out=np.zeros_like(sizes), where=whole > 0)
    values = _aggregated(sample, counts, agg_method)
    return np.stack([values, mean, spread, share, np.array([*map(_ranks, values)])])


def _ranks(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """1 for the largest value; those that only the rounding of sums tells apart are equal, and share the first."""
    level = np.round(values / (np.abs(values).max() or 1.0), 12)
    return np.asarray(1.0 + len(level) - np.searchsorted(np.sort(level), level, side="right"))


def _aggregated(sample: NDArray[np.float64], counts: NDArray[np.int64], agg_method: str) -> NDArray[np.float64]:
    """The global values by resample, of shape (resamples, features)."""
    if agg_method == "median":
        return np.array([np.median(np.repeat(sample, count, axis=0), axis=0) for count in counts])
    return counts @ (np.abs(sample) if agg_method == "mean_abs" else np.square(sample)) / len(sample)


def ndcg_deviation(baseline: Globals, sample: NDArray[np.float64], agg_method: str, seed: int) -> float | None:
    """Standard deviation of the nDCG over 100 resamples of the rows (bootstrap; Efron 1979); None with few rows.

    Columns of the sample are the baseline's features in the order of their names.

    >>> ndcg_deviation({"age": 0.7, "income": 0.5}, np.ones((500, 2)), "mean_abs", seed=0)
    0.0
    """
    features = sorted(baseline)

    def resampled(counts: NDArray[np.int64]) -> NDArray[np.float64]:
        drawn = _aggregated(sample, counts, agg_method).tolist()
        return np.array([ndcg(baseline, dict(zip(features, values, strict=True))) for values in drawn], np.float64)

    found = deviation(np.ones(len(sample), np.int64), resampled, replicates=REPLICATES, seed=seed)
    return 0.0 if found is not None and found < ROUNDING else found


def _dcg(gains: Mapping[str, float], scores: Mapping[str, float]) -> float:
    """Discounted gains in the falling order of the scores; equal scores share the mean of their gains."""
    levels: dict[float, list[float]] = {}
    for name, score in scores.items():
        levels.setdefault(score, []).append(gains[name])
    total, before = list[float](), 0
    for score in sorted(levels, reverse=True):
        shared = fsum(levels[score]) / len(levels[score])
        total += [shared / log2(place + 2) for place in range(before, before + len(levels[score]))]
        before += len(levels[score])
    return fsum(total)
