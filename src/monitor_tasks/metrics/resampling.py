"""How far a number would move on other samples of as many rows: counts drawn again, many times."""

from collections.abc import Callable

import numpy as np
from numpy.typing import ArrayLike, NDArray

MINIMUM_ROWS = 200
"""With fewer rows SageMaker gives no deviation, and neither do we (contract model-quality.md, section 5)."""
_DRAWN_AT_ONCE = 1 << 22
"""How many cells of replicates are held in memory at a time."""

Statistic = Callable[[NDArray[np.int64]], NDArray[np.float64]]
"""Counts of shape (replicates, cells) -> one value each, or a line of them; NaN or infinite where it is undefined."""


def deviation(counts: ArrayLike, statistic: Statistic, replicates: int = 200, seed: int = 0) -> float | None:
    """Standard deviation of a statistic over multinomial resamples of the counts (bootstrap; Efron 1979).

    `counts` are rows by cell, in one dimension and an order that does not depend on chance: same counts, same number.
    None with fewer than 200 rows, or where the statistic is undefined on the counts or on most of their resamples;
    the few resamples that leave it undefined are not counted. The statistic may divide by zero.

    >>> share_of_first = lambda cells: cells[:, 0] / cells.sum(axis=1)
    >>> round(deviation([500, 500], share_of_first, replicates=5000), 3)  # (0.25 / 1000) ** 0.5 = 0.0158
    0.016
    >>> deviation([50, 50], share_of_first) is None
    True
    """
    found = deviations(counts, lambda drawn: statistic(drawn)[:, np.newaxis], replicates, seed)
    return found[0] if found else None


def deviations(
    counts: ArrayLike, statistics: Statistic, replicates: int = 200, seed: int = 0, prior: float = 0.0
) -> list[float | None]:
    """Standard deviations of several statistics over the same resamples, as `deviation` has them; none of few rows.

    With a `prior` the rows are drawn as if every cell held so many more: then an empty one may be met, too.

    >>> shares = lambda cells: cells / cells.sum(axis=1, keepdims=True)
    >>> [round(spread, 3) for spread in deviations([500, 500], shares, replicates=5000)]
    [0.016, 0.016]
    """
    cells = np.asarray(counts, np.int64)
    rows = int(cells.sum())
    if rows < MINIMUM_ROWS or not replicates:
        return []
    generator = np.random.default_rng(seed)
    step = max(1, _DRAWN_AT_ONCE // len(cells))
    parts = [min(step, replicates - start) for start in range(0, replicates, step)]
    whole = _values(cells[np.newaxis], statistics)[0]
    shares = np.asarray((cells + prior) / (rows + prior * len(cells)), np.float64)
    values = np.concatenate([_values(_resampled(shares, rows, part, generator), statistics) for part in parts])
    return [_spread(drawn) if np.isfinite(value) else None for value, drawn in zip(whole, values.T, strict=True)]


def _spread(values: NDArray[np.float64]) -> float | None:
    defined = values[np.isfinite(values)]
    return float(np.std(defined, ddof=1)) if len(defined) > max(1, len(values) // 2) else None


def _resampled(
    shares: NDArray[np.float64], rows: int, replicates: int, generator: np.random.Generator
) -> NDArray[np.int64]:
    """Replicates of as many rows, drawn from the shares of the cells; one without a share stays empty."""
    held = np.flatnonzero(shares)
    drawn = np.zeros((replicates, len(shares)), np.int64)
    drawn[:, held] = generator.multinomial(rows, shares[held], size=replicates)
    return drawn


def _values(cells: NDArray[np.int64], statistic: Statistic) -> NDArray[np.float64]:
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.asarray(statistic(cells), np.float64)
