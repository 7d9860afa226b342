"""Which features drive the predictions, as numbers: their global SHAP values, and how far the ranking still holds."""

from collections.abc import Callable, Mapping, Sequence
from math import fsum, log2

import numpy as np
from numpy.typing import ArrayLike, NDArray

from monitor_tasks.metrics.resampling import deviation

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


def ndcg_deviation(baseline: Globals, sample: NDArray[np.float64], agg_method: str, seed: int) -> float | None:
    """Standard deviation of the nDCG over 100 resamples of the rows (bootstrap; Efron 1979); None with few rows.

    Columns of the sample are the baseline's features in the order of their names.

    >>> round(ndcg_deviation({"age": 0.7, "income": 0.5}, np.ones((500, 2)), "mean_abs", seed=0), 12)
    0.0
    """
    features = sorted(baseline)

    def resampled(counts: NDArray[np.int64]) -> NDArray[np.float64]:
        drawn = (global_values(np.repeat(sample, count, axis=0), features, agg_method) for count in counts)
        return np.array([ndcg(baseline, values) for values in drawn], np.float64)

    return deviation(np.ones(len(sample), np.int64), resampled, replicates=100, seed=seed)


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
