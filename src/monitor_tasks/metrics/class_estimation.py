"""What a classifier's metrics are expected to be while labels are missing, of several classes.

Each class's probability is calibrated by itself, as one class against all others, and what a predicted class is
expected to be is made to add up to its rows. That assumes that there is no concept drift. Source: NannyML's CBPE.
"""

from collections.abc import Collection, Mapping
from typing import NamedTuple

import numpy as np

from monitor_tasks.metrics.classes import OF_CONFUSION, TOO_MANY
from monitor_tasks.metrics.curves import Counts, Values, share
from monitor_tasks.metrics.estimation import FEW_LABELS, NO_PREDICTIONS, NO_SCORES, REPLICATES, Calibration, spread
from monitor_tasks.metrics.measured import Measured
from monitor_tasks.metrics.resampling import MINIMUM_ROWS
from monitor_tasks.profiles.classes import STEPS, ClassProfile, class_order
from monitor_tasks.profiles.scores import Tally

MIDDLES = (np.arange(STEPS) + 0.5) / STEPS
OLD = "the baseline does not know how often each class is right; suggest the baseline anew"


class Known(NamedTuple):
    """A profile's steps as arrays."""

    names: tuple[str, ...]
    """The classes that have a probability, or were predicted."""
    counts: Counts
    """Of shape (classes, predicted classes, steps, 3): labels of the class, others, none yet."""

    @classmethod
    def of(cls, profile: ClassProfile, names: Collection[str]) -> "Known":
        """The steps of a profile among these classes."""
        place = {name: index for index, name in enumerate(names)}
        counts = np.zeros((len(place), len(place), STEPS, 3), np.int64)
        for (one, predicted, step), rows in (profile.steps or {}).items():
            counts[place[one], place[predicted], step] = rows
        return cls(tuple(place), counts)


def estimated_classes(
    profile: ClassProfile, known: ClassProfile, names: Collection[str], *, labelled: bool = False
) -> dict[str, Measured]:
    """The named metrics as they are to be expected of all predictions, or of the labelled ones alone.

    The deviation is that of realised less estimated over drawn worlds, as it is for two classes.

    >>> steps = {("a", "a", 63): (180, 20, 0), ("b", "a", 0): (20, 180, 0)}
    >>> taught = ClassProfile(steps=steps)
    >>> estimated_classes(taught, taught, ["accuracy"])["accuracy"].value
    0.9
    """
    wanted = [name for name in OF_CONFUSION if name in names]
    classes = sorted({one for side in (profile, known) for key in side.steps or {} for one in key[:2]}, key=class_order)
    window, taught = (Known.of(side, classes).counts for side in (profile, known))
    counts = window[..., :2].sum(axis=-1) if labelled else window.sum(axis=-1)
    rows = int(counts.sum(axis=(1, 2)).max(initial=0))
    if because := _why_not(profile, known, rows, taught):
        return {name: Measured(None, because=because, rows=rows) for name in wanted}
    calibrations = {place: _calibration(one) for place, one in enumerate(taught.sum(axis=1)) if one[..., :2].any()}
    cells = _expected(counts, {place: one.at(MIDDLES) for place, one in calibrations.items()})
    errors = _errors(counts, calibrations)
    return {name: spread(OF_CONFUSION[name], cells, errors, rows) for name in wanted}


def _why_not(profile: ClassProfile, known: ClassProfile, rows: int, taught: Counts) -> str:
    if profile.steps is None or known.steps is None:
        return TOO_MANY
    if not rows:
        return NO_SCORES if profile.rows > profile.unusable_predictions else NO_PREDICTIONS
    if known.judged and not known.steps:
        return OLD
    enough = taught[..., :2].sum(axis=(1, 2, 3)).max(initial=0) >= MINIMUM_ROWS
    return "" if enough else FEW_LABELS


def _calibration(steps: Counts) -> Calibration:
    """What the probability of one class means, by its labels and all others."""
    held = steps[:, :2].any(axis=1)
    own, others = steps[held, 0], steps[held, 1]
    nothing = np.zeros_like(own)
    return Calibration.of(Tally(MIDDLES[held], np.stack([others, nothing, own, nothing], axis=1)))


def _expected(counts: Counts, shares: Mapping[int, Values]) -> Values:
    """Rows by label and predicted class that are to be expected; `shares` are of shape (..., steps), by class."""
    replicates = next(iter(shares.values())).shape[:-1]
    cells = np.zeros((*replicates, len(counts), len(counts)))
    for place, one in shares.items():
        cells[..., place, :] = one @ counts[place].T
    rows = counts.sum(axis=-1).max(axis=0)
    return np.asarray(np.nan_to_num(cells * share(rows, cells.sum(axis=-2))[..., np.newaxis, :]))


def _errors(counts: Counts, calibrations: Mapping[int, Calibration]) -> tuple[Values, Values]:
    """Rows by label and predicted class as they were realised and as they were estimated, in as many drawn worlds."""
    generator = np.random.default_rng(0)
    true = {place: one._replace(shares=one.cautious) for place, one in calibrations.items()}
    learned = {place: one.taught_again(generator, MIDDLES) for place, one in calibrations.items()}
    shares = {place: one.at(MIDDLES) for place, one in true.items()}
    cells = _expected(counts, shares)
    realised = np.zeros((REPLICATES, *cells.shape))
    for place, column in enumerate(cells.T):
        rows = round(column.sum())
        raw = (counts[place, place] * shares[place]).sum() if place in shares else 0.0
        scale = column[place] / raw if raw else 0.0
        right = np.minimum(shares[place] * scale, 1.0) if place in shares else np.zeros(STEPS)
        hits = generator.binomial(counts[place, place], right, size=(REPLICATES, STEPS)).sum(axis=1)
        others = np.where(np.arange(len(column)) == place, 0.0, column)
        if others.sum() > 0:
            realised[:, :, place] = generator.multinomial(rows - hits, others / others.sum())
        realised[:, place, place] = hits
    return realised, _expected(counts, learned)
