"""How far the difference of two models moves by chance where both answered the same requests, from their pairs."""

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from monitor_tasks.metrics import classes, performance
from monitor_tasks.metrics.comparison import Agreement, Share
from monitor_tasks.metrics.curves import Counts, Values, area_under_curve, average_precision
from monitor_tasks.metrics.measured import REPLICATES, mean_of
from monitor_tasks.metrics.resampling import deviations
from monitor_tasks.metrics.residuals import resampled
from monitor_tasks.profiles.classes import class_order
from monitor_tasks.profiles.pairs import LAST_STEP, Cell, PairProfile
from monitor_tasks.profiles.residuals import RegressionProfile

Statistic = Callable[[ArrayLike], Values]
Cells = Mapping[Cell, int]


class Part(NamedTuple):
    """A metric of two classes that is a share of counted rows, by the place of an outcome among the four."""

    of: frozenset[int]
    hits: frozenset[int]


ALL, ONES, ZEROS = frozenset({0, 1, 2, 3}), frozenset({2, 3}), frozenset({0, 1})
PARTS: Mapping[str, Part] = {
    "accuracy": Part(ALL, frozenset({0, 3})),
    "recall": Part(ONES, frozenset({3})),
    "true_positive_rate": Part(ONES, frozenset({3})),
    "false_negative_rate": Part(ONES, frozenset({2})),
    "true_negative_rate": Part(ZEROS, frozenset({0})),
    "false_positive_rate": Part(ZEROS, frozenset({1})),
    "precision": Part(frozenset({1, 3}), frozenset({3})),
}
"""The outcomes that make a share, and its hits: label 0 as class 0, label 0 as 1, label 1 as 0, label 1 as 1."""
BY_LABEL = frozenset(PARTS) - {"precision"}
"""Shares of the same rows for both models: which rows these are follows from their labels."""
HITS = frozenset({"accuracy", "weighted_recall"})
"""Metrics of several classes that are the share of hits."""


def share_of(outcomes: ArrayLike, name: str) -> Share:
    """The share that a metric of the four outcomes is.

    >>> share_of([6, 2, 1, 3], "precision")
    Share(hits=3, rows=5)
    """
    counts, part = np.asarray(outcomes), PARTS[name]
    return Share(*(int(counts[sorted(places)].sum()) for places in (part.hits, part.of)))


def agreement_of_two(cells: Cells, name: str) -> Agreement:
    """How the pairs agree in a share of two classes.

    >>> agreement_of_two({("1", "0", "1", 3, 30): 5, ("0", "0", "1", 3, 30): 2}, "recall")
    Agreement(both=0, champion=0, challenger=5, neither=0)
    """
    part = PARTS[name]
    known = ((_outcome(cell, 1), _outcome(cell, 2), count) for cell, count in cells.items())
    return _agreement((one in part.hits, two in part.hits, count) for one, two, count in known if one in part.of)


def agreement_of_hits(cells: Cells) -> Agreement:
    """How the pairs agree in predicting the label itself.

    >>> agreement_of_hits({("cat", "cat", "dog", -1, -1): 4, ("dog", "cat", "dog", -1, -1): 1})
    Agreement(both=0, champion=4, challenger=1, neither=0)
    """
    return _agreement((cell[1] == cell[0], cell[2] == cell[0], count) for cell, count in cells.items())


def agreement_of_ranks(cells: Cells) -> Agreement:
    """How the pairs agree in having the label among the most probable classes, where both have probabilities.

    >>> agreement_of_ranks(
    ...     {("cat", "cat", "dog", 1, 1): 4, ("cat", "cat", "dog", 1, 0): 3, ("cat", "cat", "cat", 1, -1): 2}
    ... )
    Agreement(both=4, champion=3, challenger=0, neither=0)
    """
    return _agreement((cell[3] > 0, cell[4] > 0, count) for cell, count in cells.items() if min(cell[3:]) >= 0)


def of_two_classes(cells: Cells, names: Collection[str]) -> dict[str, float | None]:
    """The deviations of the differences of the named metrics of two classes, over resamples of the pairs.

    Those of the area under the curve and of the average precision take scores by their step of half a log-odd.
    """
    named = {name: one for name, one in performance.OF_OUTCOMES.items() if name in names}
    found = _of_outcomes(cells, 4, _outcome, named, (4,))
    curves = {"auc": area_under_curve, "average_precision": average_precision}
    scored = {cell: count for cell, count in cells.items() if min(cell[3:]) >= 0}
    width = 2 * (2 * LAST_STEP + 1)
    wanted = {name: one for name, one in curves.items() if name in names}
    return {**found, **_of_outcomes(scored, width, _score_and_label, wanted, (-1, 2))}


def of_several_classes(cells: Cells, names: Collection[str]) -> dict[str, float | None]:
    """The deviations of the differences of the named metrics of several classes, over resamples of the pairs."""
    known = sorted({name for cell in cells for name in cell[:3]}, key=class_order)
    place, width = {name: index for index, name in enumerate(known)}, len(known)
    named = {name: one for name, one in classes.OF_CONFUSION.items() if name in names}
    return _of_outcomes(
        cells, width**2, lambda cell, side: place[cell[0]] * width + place[str(cell[side])], named, (width, width)
    )


def of_numbers(
    champion: RegressionProfile, challenger: RegressionProfile, names: Collection[str], absolute: Collection[str] = ()
) -> dict[str, float | None]:
    """The deviations of the differences of the named metrics of a regression, over resamples that both share.

    Of the `absolute` ones it is the difference of their sizes.
    """
    mine, theirs = (resampled(one, names) for one in (champion, challenger))
    found = dict[str, float | None]()
    for name, one in mine.items():
        other = theirs[name]
        found[name] = _spread(np.abs(other) - np.abs(one) if name in absolute else other - one)
    return found


def losses(profile: PairProfile) -> dict[str, float | None]:
    """The deviations of the differences of the mean losses, from exact sums over the pairs."""
    kinds = {"log_loss": profile.losses.logarithmic, "brier_score": profile.losses.squared}
    return {name: mean_of(moments, profile.scored).deviation for name, moments in kinds.items()}


def _of_outcomes(
    cells: Cells, width: int, place: Callable[[Cell, int], int], metrics: Mapping[str, Statistic], shape: Sequence[int]
) -> dict[str, float | None]:
    """The deviations of differences of metrics, each of counts of that shape; `place` says where a pair is counted."""
    from scipy.sparse import csr_array

    known = sorted(cells)
    counts = np.array([cells[cell] for cell in known], np.int64)
    places = [np.array([place(cell, side) for cell in known], np.int64) for side in (1, 2)]
    ones = np.ones(len(known), np.int64), np.arange(len(known))
    sides = [csr_array((ones[0], (ones[1], one)), shape=(len(known), width)) for one in places]

    def differences(drawn: Counts) -> Values:
        champion, challenger = ((drawn @ side).reshape(len(drawn), *shape) for side in sides)
        return np.stack([metric(challenger) - metric(champion) for metric in metrics.values()], axis=-1)

    spreads = deviations(counts, differences, REPLICATES) if metrics and known else []
    return dict(zip(metrics, spreads or [None] * len(metrics), strict=True))


def _outcome(cell: Cell, side: int) -> int:
    return 2 * int(cell[0]) + int(cell[side])


def _score_and_label(cell: Cell, side: int) -> int:
    return 2 * int(cell[2 + side]) + int(cell[0])


def _agreement(pairs: Iterator[tuple[bool, bool, int]]) -> Agreement:
    counts = {(True, True): 0, (True, False): 0, (False, True): 0, (False, False): 0}
    for one, two, count in pairs:
        counts[one, two] += count
    return Agreement(*counts.values())


def _spread(values: NDArray[np.float64]) -> float | None:
    """The deviation of resamples, most of which have to be defined."""
    known = values[np.isfinite(values)]
    return float(np.std(known, ddof=1)) if len(known) > max(1, len(values) // 2) else None
