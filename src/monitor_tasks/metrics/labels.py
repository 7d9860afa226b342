"""How far the labels themselves have moved from the baseline's."""

from collections.abc import Mapping
from fractions import Fraction
from math import sqrt

import numpy as np

from monitor_tasks.metrics.curves import Counts, Values
from monitor_tasks.metrics.measured import NO_LABELS, REPLICATES, Measured, rounded
from monitor_tasks.metrics.resampling import MINIMUM_ROWS, deviation
from monitor_tasks.profiles.moments import Moments

NO_BASELINE = "the baseline has no labelled row"


def class_drift(mine: Mapping[str, int], theirs: Mapping[str, int], replicates: int = REPLICATES) -> Measured:
    """Largest difference of a class's share of the labels, here and in the baseline; 0 to 1 (L-infinity).

    >>> class_drift({"0": 6, "1": 4}, {"0": 8, "1": 2})[0]
    0.2...
    """
    if not sum(theirs.values()) or not sum(mine.values()):
        return Measured(None, because=NO_BASELINE if sum(mine.values()) else NO_LABELS)
    names = sorted({*mine, *theirs})
    counts, known = (np.array([side.get(name, 0) for name in names], np.int64) for side in (mine, theirs))
    expected = known / known.sum()

    def distance(cells: Counts) -> Values:
        return np.asarray(np.abs(cells / cells.sum(axis=-1, keepdims=True) - expected).max(axis=-1))

    place = int(np.argmax(np.abs(counts / counts.sum() - expected)))
    shares = {"share": float(counts[place] / counts.sum()), "baseline": float(expected[place])}
    spread = deviation(counts, distance, replicates)
    return Measured(distance(counts).item(), spread, details={"label": names[place], **shares})


def number_drift(mine: Moments, rows: int, theirs: Moments, known_rows: int) -> Measured:
    """Distance of the labels' mean from the baseline's, in standard deviations of the baseline's labels.

    >>> theirs, mine = Moments.of(np.array([0.0, 2.0])), Moments.of(np.array([2.0, 3.0]))
    >>> number_drift(mine, 2, theirs, 2)[0]
    1.5
    """
    if not rows or not known_rows:
        return Measured(None, because=NO_BASELINE if rows else NO_LABELS)
    (mean, variance), (known, expected) = _of(mine, rows), _of(theirs, known_rows)
    if not expected:
        return Measured(None, because="all labels of the baseline are the same number")
    squares = rounded((mean - known) ** 2 / expected)
    if squares is None:
        return Measured(None, because="the labels of the baseline hardly differ")
    spread = rounded(variance / expected / (rows - 1)) if rows >= MINIMUM_ROWS else None
    details = {"mean": float(mean), "baseline": float(known)}
    return Measured(sqrt(squares), None if spread is None else sqrt(spread), details=details)


def _of(moments: Moments, rows: int) -> tuple[Fraction, Fraction]:
    """Mean and variance of exact sums."""
    mean = moments.total.fraction() / rows
    return mean, moments.squares.fraction() / rows - mean**2
