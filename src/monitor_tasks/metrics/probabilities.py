"""What a binary classifier's probabilities are worth: their losses, their calibration, and how many are uncertain."""

from typing import NamedTuple

import numpy as np

from monitor_tasks.metrics.curves import Counts, Curve, Values, by_score, share
from monitor_tasks.metrics.measured import NO_LABELS, REPLICATES, Measured, mean_of
from monitor_tasks.metrics.resampling import deviation
from monitor_tasks.profiles.scores import ScoreProfile, Tally

CALIBRATION_BINS = 16
"""Bins of equal width, closed on the left; past 65,536 scores every step lies in one of them, so counts stay exact."""
NO_SCORES = "there are no probabilities"


class Calibration(NamedTuple):
    """Labelled rows by bin of their score."""

    rows: Counts
    """Of shape (bins, 2): rows of label 0 and of label 1."""
    totals: Values
    """The sum of their scores, of the same shape."""


def unscored(profile: ScoreProfile) -> str:
    """Why nothing can be said of the labelled rows' scores; empty where it can."""
    if not len(profile.known.scores):
        return NO_LABELS
    return "" if profile.known.scored else NO_SCORES


def log_loss(profile: ScoreProfile) -> Measured:
    """Mean of minus the natural logarithm of the probability that the label was given (Good 1952).

    Probabilities of 0 and 1 are taken for 2.2e-16 and 1 less that, as scikit-learn does.

    >>> import pyarrow as pa
    >>> from monitor_tasks.profiles.scores import Predictions
    >>> log_loss(ScoreProfile.of(pa.array([1, 0]), Predictions(pa.array([0.5, 0.5])))).value  # ln 2
    0.6931471805599453
    """
    because = unscored(profile)
    return Measured(None, because=because) if because else mean_of(profile.losses.logarithmic, profile.judged)


def brier_score(profile: ScoreProfile) -> Measured:
    """Mean square of the difference of score and label (Brier 1950).

    >>> import pyarrow as pa
    >>> from monitor_tasks.profiles.scores import Predictions
    >>> brier_score(ScoreProfile.of(pa.array([1, 0]), Predictions(pa.array([0.5, 0.0])))).value
    0.125
    """
    because = unscored(profile)
    return Measured(None, because=because) if because else mean_of(profile.losses.squared, profile.judged)


def calibration(tally: Tally) -> Calibration:
    """The labelled rows on 16 bins of [0, 1]."""
    counts = by_score(tally)
    bins = np.minimum((tally.scores * CALIBRATION_BINS).astype(np.int64), CALIBRATION_BINS - 1)
    rows, totals = np.zeros((CALIBRATION_BINS, 2), np.int64), np.zeros((CALIBRATION_BINS, 2))
    np.add.at(rows, bins, counts)
    np.add.at(totals, bins, counts * tally.scores[:, np.newaxis])
    return Calibration(rows, totals)


def calibration_curve(tally: Tally) -> Curve:
    """Mean score across, share of label 1 up, of every bin that holds rows.

    >>> calibration_curve(Tally(np.array([0.25, 0.75]), np.array([[3, 0, 1, 0], [0, 2, 0, 2]])))
    Curve(across=(0.25, 0.75), up=(0.25, 0.5))
    """
    rows, totals = calibration(tally)
    held = rows.sum(axis=1) > 0
    whole = rows[held].sum(axis=1)
    across, up = totals[held].sum(axis=1) / whole, rows[held, 1] / whole
    return Curve(tuple(across.tolist()), tuple(up.tolist()))


def expected_calibration_error(profile: ScoreProfile, replicates: int = REPLICATES) -> Measured:
    """Mean distance of mean score and share of label 1 over 16 bins, each weighing as its rows (Naeini et al. 2015).

    Past 65,536 different scores it may be off by half a step, 1 / 131,072. The deviation draws rows anew by bin and
    label, each with the mean score of its kind.

    >>> import pyarrow as pa
    >>> from monitor_tasks.profiles.scores import Predictions
    >>> expected_calibration_error(ScoreProfile.of(pa.array([1, 0]), Predictions(pa.array([0.75, 0.25])))).value
    0.25
    """
    if because := unscored(profile):
        return Measured(None, because=because)
    rows, totals = calibration(profile.known)
    means = np.nan_to_num(share(totals, rows))

    def error(cells: Counts) -> Values:
        drawn = cells.reshape(-1, CALIBRATION_BINS, 2)
        off = np.abs(drawn[..., 1] - (drawn * means).sum(axis=-1)).sum(axis=-1)
        return np.asarray(off / drawn.sum(axis=(-1, -2)))

    details = {} if profile.known.exact else {"error": 0.5 / profile.known.steps}
    return Measured(error(rows).item(), deviation(rows.ravel(), error, replicates), details=details)


def uncertain_prediction_rate(
    profile: ScoreProfile, threshold: float, margin: float, replicates: int = REPLICATES
) -> Measured:
    """Share of all predictions, labelled or not, whose score is no farther than the margin from the threshold.

    Past 65,536 different scores it may be off by the rows on the steps that the band's ends cut.

    >>> import pyarrow as pa
    >>> from monitor_tasks.profiles.scores import Predictions
    >>> predictions = Predictions(pa.array([0.1, 0.45, 0.6, 0.9]))
    >>> uncertain_prediction_rate(ScoreProfile.of(pa.nulls(4, pa.int64()), predictions), 0.5, 0.1).value
    0.5
    """
    scores = np.concatenate([profile.known.scores, profile.waiting.scores])
    counts = np.concatenate([tally.counts.sum(axis=1) for tally in (profile.known, profile.waiting)])
    rows = int(counts.sum())
    if not rows or np.isnan(scores).any():
        return Measured(None, because=NO_SCORES if rows else "there is no usable prediction", rows=rows)
    inside = int(counts[np.abs(scores - threshold) <= margin].sum())
    exact = profile.known.exact and profile.waiting.exact
    steps = min(profile.known.steps, profile.waiting.steps)
    cut = counts[np.abs(np.abs(scores - threshold) - margin) <= 0.5 / steps].sum() / rows  # steps that an end cuts
    return Measured(
        inside / rows, deviation([inside, rows - inside], _first_share, replicates), rows=rows,
        details={} if exact else {"error": float(cut)},
    )  # fmt: skip


def _first_share(cells: Counts) -> Values:
    return share(cells[..., 0], cells.sum(axis=-1))
