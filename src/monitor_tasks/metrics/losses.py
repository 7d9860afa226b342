"""What a regression's losses are expected to be while labels are missing: direct loss estimation.

Rows that are alike, by the cells of a tree over their columns and the prediction, are expected to be predicted as badly
as the baseline's labelled rows of the same cell. That assumes that there is no concept drift. Source: NannyML's DLE,
whose model of losses is a boosted one; a single tree's leaves are counts and sums, which add up.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from functools import partial
from math import isfinite, sqrt
from typing import NamedTuple

import numpy as np

from monitor_tasks.metrics.curves import Counts, Values
from monitor_tasks.metrics.estimation import FEW_LABELS, NO_PREDICTIONS
from monitor_tasks.metrics.measured import Measured
from monitor_tasks.metrics.resampling import MINIMUM_ROWS
from monitor_tasks.profiles.moments import ExactSum
from monitor_tasks.profiles.partition import Node
from monitor_tasks.profiles.residuals import CellLosses, LossCells

CELLS = 64
SMALLEST = 50
"""Rows of a cell, at least; of large baselines one in five hundred."""
FEWEST = 2
"""Labelled rows of a cell that a mean and its deviation are told from, at least."""
ANEW = "suggest the baseline anew with estimate: true"


class Cells(NamedTuple):
    """A window beside its baseline, cell by cell; cells without any row of the window are left out."""

    rows: Counts
    """Of the window."""
    taught: Counts
    """Labelled rows of the baseline."""
    sums: Mapping[int, Values]
    """Of the baseline's absolute residuals to the power of 1, 2 and 4."""
    has_ratio: Counts
    """Of these rows the ones whose label is not 0."""
    ratios: Mapping[int, Values]
    """Of their absolute residuals over the absolute label, to the power of 1 and 2."""

    @classmethod
    def of(cls, losses: LossCells, known: LossCells, labelled: bool) -> "Cells":
        """All usable predictions of the window, or the labelled ones alone."""
        rows = {place: one.labelled if labelled else one.rows for place, one in losses.cells.items()}
        places = [place for place in sorted(rows) if rows[place]]
        theirs = [known.cells.get(place, CellLosses()) for place in places]
        sums = {1: [one.absolute.total for one in theirs], 2: [one.absolute.squares for one in theirs],
                4: [one.fourth for one in theirs]}  # fmt: skip
        ratios = {1: [one.relative.total for one in theirs], 2: [one.relative.squares for one in theirs]}
        return cls(
            np.array([rows[place] for place in places], np.int64),
            np.array([one.labelled for one in theirs], np.int64),
            _as_numbers(sums),
            np.array([one.has_ratio for one in theirs], np.int64),
            _as_numbers(ratios),
        )


def _as_numbers(sums: Mapping[int, Sequence[ExactSum]]) -> dict[int, Values]:
    return {power: np.array(list(map(float, exact)), np.float64) for power, exact in sums.items()}


def grown(matrix: Values, losses: Values) -> tuple[Node, ...]:
    """The tree whose cells tell the losses best: up to 64 cells of at least 50 rows, grown by least squares.

    `matrix` is of shape (rows, columns), NaN where a number is missing; it is grown where it gains most.

    >>> grown(np.repeat([[1.0], [2.0]], 50, axis=0), np.repeat([0.0, 5.0], 50))[0]
    Node(axis=0, cut=1.5, below=1, above=2, missing=2)
    """
    from sklearn.tree import DecisionTreeRegressor

    smallest = max(SMALLEST, len(losses) // 500)
    model = DecisionTreeRegressor(max_leaf_nodes=CELLS, min_samples_leaf=smallest, random_state=0)
    tree = model.fit(matrix, losses).tree_
    lines = zip(tree.feature, tree.threshold, tree.children_left, tree.children_right, tree.missing_go_to_left,
                strict=True)  # fmt: skip
    return tuple(
        Node(int(axis), float(cut), int(left), int(right), int(left if to_left else right)) if left >= 0 else Node()
        for axis, cut, left, right, to_left in lines
    )


def estimated_losses(
    losses: LossCells, known: LossCells, names: Collection[str], *, labelled: bool = False
) -> dict[str, Measured]:
    """The named metrics as they are to be expected of all predictions, or of the labelled ones alone.

    The deviation is that of realised less estimated: the chance of losses within each cell, and the error of the means
    that so many rows of the baseline gave.

    >>> from monitor_tasks.profiles.moments import ExactSum, Moments
    >>> cell = CellLosses(300, 300, Moments.of(np.repeat([1.0, 3.0], 150)), ExactSum.of(np.repeat([1.0, 81.0], 150)))
    >>> known, window = LossCells("a", (), {0: cell}), LossCells("a", (), {0: CellLosses(100)})
    >>> estimated_losses(window, known, ["mae", "rmse"])["rmse"].value ** 2
    5.0...
    """
    wanted, cells = [name for name in ESTIMATED if name in names], Cells.of(losses, known, labelled)
    rows = int(cells.rows.sum())
    if because := _why_not(losses, known, cells):
        return {name: Measured(None, because=because, rows=rows) for name in wanted}
    return {name: ESTIMATED[name](cells) for name in wanted}


def _why_not(losses: LossCells, known: LossCells, cells: Cells) -> str:
    if not known.partition:
        return f"the baseline does not know how losses depend on the rows: {ANEW}"
    if losses.lacking:
        names = ", ".join(losses.lacking)
        return f"the rows lack {names}, which losses are told from: name others in estimate_attributes and {ANEW}"
    if sum(one.labelled for one in known.cells.values()) < MINIMUM_ROWS:
        return FEW_LABELS
    if losses.partition != known.partition and losses.cells:
        return f"the rows were counted on the cells of another baseline: {ANEW}"
    if not len(cells.rows):
        return NO_PREDICTIONS
    strange = cells.rows[cells.taught < FEWEST].sum() / cells.rows.sum()
    return f"{strange:.1%} of the predictions are like none of the baseline's labelled ones" if strange else ""


def _mean(cells: Cells, power: int) -> Measured:
    """The mean of absolute residuals to a power."""
    return _weighed(cells.rows.astype(np.float64), cells.taught, (cells.sums[power], cells.sums[2 * power]))


def _mape(cells: Cells) -> Measured:
    """The mean of residuals over labels: of as many rows in each cell as have a label there that is not 0."""
    if not (cells.has_ratio >= FEWEST).all():
        because = "some predictions are like rows of the baseline of which hardly any has a label that is not 0"
        because = because if cells.has_ratio.any() else f"the baseline does not know residuals over labels: {ANEW}"
        return Measured(None, because=because, rows=int(cells.rows.sum()))
    return _weighed(cells.rows * (cells.has_ratio / cells.taught), cells.has_ratio, (cells.ratios[1], cells.ratios[2]))


def _weighed(rows: Values, taught: Counts, sums: tuple[Values, Values]) -> Measured:
    """The mean of cells' means, by the window's rows in each: from the sums of what is averaged and of its squares."""
    total = float(rows.sum())
    means, shares = sums[0] / taught, rows / total
    with np.errstate(over="ignore", invalid="ignore"):
        variances = np.maximum(sums[1] / taught - np.square(means), 0.0) * taught / (taught - 1)
        chance, error = (shares * variances).sum() / total, (np.square(shares) * variances / taught).sum()
    value, deviation = float((shares * means).sum()), sqrt(chance + error)
    if not isfinite(deviation):
        return Measured(None, because="the baseline has residuals whose powers leave the doubles", rows=round(total))
    return Measured(value, deviation, rows=round(total))


def _root(cells: Cells) -> Measured:
    """The root of the mean square; its deviation follows from that of the square."""
    square = _mean(cells, 2)
    if square.value is None or square.deviation is None:
        return square
    value = sqrt(square.value)
    return square._replace(value=value, deviation=square.deviation / (2 * value) if value else 0.0)


ESTIMATED: Mapping[str, Callable[[Cells], Measured]] = {
    "mae": partial(_mean, power=1),
    "mse": partial(_mean, power=2),
    "rmse": _root,
    "mape": _mape,
}
"""The metrics that can be estimated."""
