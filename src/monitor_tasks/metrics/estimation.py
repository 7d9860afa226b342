"""What a binary classifier's metrics are expected to be while labels are missing: confidence-based estimation.

The scores of all predictions, labelled or not, are turned into probabilities of label 1 by what the baseline's labelled
scores have taught, and these into the outcomes that are to be expected. That assumes that a score still means what it
meant in the baseline: that there is no concept drift. Source: NannyML's CBPE; Guo et al. 2017, "On calibration of
modern neural networks", for isotonic calibration.
"""

from collections.abc import Callable, Collection
from math import isqrt
from typing import NamedTuple

import numpy as np

from monitor_tasks.metrics.curves import Counts, Values, area_under_curve, average_precision
from monitor_tasks.metrics.measured import Measured
from monitor_tasks.metrics.performance import OF_OUTCOMES
from monitor_tasks.metrics.resampling import MINIMUM_ROWS
from monitor_tasks.profiles.scores import SMALLEST, ScoreProfile, Tally

REPLICATES = 500
GROUPS = 256
"""A calibration is learned on so many groups of neighbouring scores at most, and a band drawn on as many."""
FEW_LABELS = f"the baseline has fewer than {MINIMUM_ROWS} labelled predictions to learn from"
NO_PREDICTIONS = "there is no usable prediction"
NO_SCORES = "there are no probabilities"
NEAR_THE_ENDS = "there are so many scores that those nearest to 0 and 1 are known by their step only"

Statistic = Callable[[Values], Values]
"""Outcomes by score, of shape (..., scores, 4) -> a metric."""
Loss = Callable[[Values], Values]
"""Scores -> what each costs a row of label 0, and of label 1, of shape (scores, 2)."""


class Calibration(NamedTuple):
    """What a score means: the share of label 1 among the baseline's rows of about that score."""

    scores: Values
    """The mean scores of groups of neighbours, rising."""
    shares: Values
    """The share of label 1 at each, never falling; between two of them it is interpolated."""
    rows: Counts
    """How many labelled rows each group has."""

    @classmethod
    def of(cls, known: Tally) -> "Calibration":
        """The calibration that labelled rows teach: isotonic, on groups of about as many rows as there are groups.

        Single rows would be followed too closely: of the same rows the area under the curve would come out too large.

        >>> Calibration.of(Tally(np.array([0.2, 0.8]), np.array([[3, 0, 1, 0], [0, 1, 0, 4]]))).shares.tolist()
        [0.25, 0.8]
        """
        scores, counts = grouped(known.scores, known.counts, isqrt(int(known.counts.sum())))
        rows = counts.sum(axis=1)
        return cls(scores, _isotonic(counts[:, 2:].sum(axis=1), rows), rows)

    def at(self, scores: Values) -> Values:
        """The probability of label 1 at each score."""
        return np.interp(scores, self.scores, self.shares)

    def taught_again(self, generator: np.random.Generator, scores: Values) -> Values:
        """The probabilities at scores that drawn labels would have taught, of shape (replicates, scores)."""
        ones = generator.binomial(self.rows, self.cautious, size=(REPLICATES, len(self.rows)))
        return np.stack([self._replace(shares=_isotonic(one, self.rows)).at(scores) for one in ones])

    @property
    def cautious(self) -> Values:
        """The shares less sure of themselves, so that chance is left where all labels are alike (Jeffreys's prior)."""
        _, level = np.unique(self.shares, return_inverse=True)
        rows, ones = np.bincount(level, self.rows), np.bincount(level, self.rows * self.shares)
        return np.asarray(((ones + 0.5) / (rows + 1))[level])


def estimated(predictions: Tally, known: Tally, names: Collection[str]) -> dict[str, Measured]:
    """The named metrics as they are to be expected of predictions, with the deviation of what will be realised.

    `predictions` counts by score those of class 0 and of class 1. The deviation is that of realised less estimated
    over drawn worlds in which the baseline's labels and the window's fall anew: the chance of the window's labels, and
    the error of a calibration that was learned from so many rows.

    >>> known = Tally(np.array([0.2, 0.8]), np.array([[90, 0, 10, 0], [0, 20, 0, 80]]))
    >>> estimated(Tally(np.array([0.2, 0.8]), np.array([[50, 0], [0, 50]])), known, ["accuracy"])["accuracy"].value
    0.85
    """
    wanted, rows = [name for name in OF_SCORES if name in names], int(predictions.counts.sum())
    if because := _why_not(predictions, known):
        return {name: Measured(None, because=because, rows=rows) for name in wanted}
    calibration = Calibration.of(known)
    cells = _expected(predictions.counts, calibration.at(predictions.scores))
    errors = _errors(predictions, calibration)
    found = {name: spread(ESTIMATED[name], cells, errors, rows) for name in wanted if name in ESTIMATED}
    for name in (name for name in wanted if name in LOSSES):
        here, drawn = (_mean_loss(LOSSES[name](one)) for one in (predictions.scores, _grouped(predictions)[0]))
        found[name] = spread(here, cells, errors, rows, drawn)
    if "log_loss" in found and not predictions.exact and _reaches_the_ends(predictions):
        found["log_loss"] = Measured(None, because=NEAR_THE_ENDS, rows=rows)
    return found


def all_predictions(profile: ScoreProfile) -> Tally:
    """The usable predictions by score and class, labelled or not."""
    return labelled_predictions(profile) + profile.waiting


def labelled_predictions(profile: ScoreProfile) -> Tally:
    """The labelled predictions by score and class, without their labels."""
    known = profile.known
    return Tally(known.scores, known.counts[:, :2] + known.counts[:, 2:], known.exact, known.steps)


def grouped(scores: Values, counts: Counts, groups: int) -> tuple[Values, Counts]:
    """Neighbouring scores put together until there are so many groups at most, of about as many rows each.

    >>> grouped(np.array([0.1, 0.3, 0.9]), np.array([[1], [1], [2]]), 2)
    (array([0.2, 0.9]), array([[2],
           [2]]))
    """
    rows, limit = counts.sum(axis=1), min(groups, GROUPS)
    if len(scores) <= limit:
        return scores, counts
    group = (np.cumsum(rows) - rows) * limit // rows.sum()
    starts = np.unique(group, return_index=True)[1]
    whole = np.add.reduceat(rows, starts)
    return np.add.reduceat(scores * rows, starts) / whole, np.add.reduceat(counts, starts)


def _why_not(predictions: Tally, known: Tally) -> str:
    if known.counts.sum() < MINIMUM_ROWS:
        return FEW_LABELS
    if not len(predictions.scores):
        return NO_PREDICTIONS
    return "" if known.scored and predictions.scored else NO_SCORES


def _grouped(predictions: Tally) -> tuple[Values, Counts]:
    """The scores that drawn worlds have."""
    return grouped(predictions.scores, predictions.counts, GROUPS)


def _reaches_the_ends(predictions: Tally) -> bool:
    """Whether a score lies on the first or the last step, where its logarithm may be any."""
    first, last = predictions.scores[[0, -1]]
    return bool(first < 1 / predictions.steps or last > 1 - 1 / predictions.steps)


def _isotonic(ones: Values, rows: Counts) -> Values:
    from scipy.optimize import isotonic_regression

    return np.asarray(isotonic_regression(ones / rows, weights=rows).x)


def _expected(predicted: Counts, shares: Values) -> Values:
    """The outcomes by score to be expected: predictions of class 0 and 1, and the probability of label 1."""
    ones = predicted * shares[..., np.newaxis]
    return np.concatenate([predicted - ones, ones], axis=-1)


def _errors(predictions: Tally, calibration: Calibration) -> tuple[Values, Values]:
    """Outcomes by score as they were realised and as they were estimated, in as many drawn worlds."""
    generator = np.random.default_rng(0)
    scores, predicted = _grouped(predictions)
    true = calibration._replace(shares=calibration.cautious).at(scores)[:, np.newaxis]
    ones = generator.binomial(predicted, true, size=(REPLICATES, *predicted.shape))
    realised = np.concatenate([predicted - ones, ones], axis=-1).astype(np.float64)
    return realised, _expected(predicted, calibration.taught_again(generator, scores))


def spread(
    statistic: Statistic, cells: Values, errors: tuple[Values, Values], rows: int, drawn: Statistic | None = None
) -> Measured:
    """A metric of the outcomes to be expected, and how far drawn worlds realise something else than they estimate.

    `drawn` is the metric of these worlds where it depends on their scores.
    """
    with np.errstate(divide="ignore", invalid="ignore"):
        value = float(statistic(cells))
        off = np.subtract(*map(drawn or statistic, errors))
    if np.isnan(value):
        return Measured(None, because="it is undefined for the outcomes that are to be expected", rows=rows)
    known = off[np.isfinite(off)]
    enough = len(known) > REPLICATES // 2
    return Measured(value, float(np.sqrt(np.mean(np.square(known)))) if enough else None, rows=rows)


def _of_outcomes(name: str) -> Statistic:
    return lambda cells: OF_OUTCOMES[name](cells.sum(axis=-2))


def _by_label(statistic: Callable[[Values], Values]) -> Statistic:
    return lambda cells: statistic(_labels(cells))


def _labels(outcomes: Values) -> Values:
    """Rows by score and label."""
    return np.stack([outcomes[..., :2].sum(axis=-1), outcomes[..., 2:].sum(axis=-1)], axis=-1)


def _mean_loss(losses: Values) -> Statistic:
    """The mean of what rows cost by score and label."""

    def of(cells: Values) -> Values:
        rows = _labels(cells)
        return np.asarray((rows * losses).sum(axis=(-2, -1)) / rows.sum(axis=(-2, -1)))

    return of


def _logarithmic(scores: Values) -> Values:
    """Minus the natural logarithm of the probability that each label is given, clipped as it is for labels (Good)."""
    given = np.clip(np.stack([1.0 - scores, scores], axis=-1), SMALLEST, 1.0 - SMALLEST)
    return np.asarray(-np.log(given))


def _squared(scores: Values) -> Values:
    """The square of the difference of score and label (Brier)."""
    return np.asarray(np.square(np.stack([scores, 1.0 - scores], axis=-1)))


ESTIMATED: dict[str, Statistic] = {
    **{name: _of_outcomes(name) for name in OF_OUTCOMES},
    "auc": _by_label(area_under_curve),
    "average_precision": _by_label(average_precision),
}
"""The metrics that can be estimated of the outcomes in the order of their scores."""
LOSSES: dict[str, Loss] = {"log_loss": _logarithmic, "brier_score": _squared}
"""Those of the scores themselves: what they cost by label."""
OF_SCORES = (*ESTIMATED, *LOSSES)
"""The metrics that can be estimated."""
