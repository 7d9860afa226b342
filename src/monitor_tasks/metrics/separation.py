"""Whether a classifier can tell two sides' rows apart, how sure that is, and by which columns: a two-sample test."""

from collections.abc import Sequence
from contextlib import AbstractContextManager
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from monitor_tasks.metrics.encoding import Counts, Encoded, Values

FOLDS = 5
DRIVERS = 5
"""How many columns are named."""
_LEAF = 10
"""Rows of which a classifier learns something: not of fewer."""
_SHUFFLES = 2
"""How often each column is shuffled in each fold."""


class Area(NamedTuple):
    """Area under the receiver operating characteristic, and its variances."""

    auc: float
    variance: float
    """DeLong's: of the area as it is."""
    null_variance: float
    """That of Mann and Whitney's statistic, ties counted: of the area where the scores tell nothing."""


class Separation(NamedTuple):
    """How well current rows are told from those of the reference."""

    auc: float
    """0.5 where they cannot be told apart, 1 where they always can; below it is chance, or the same rows on both."""
    deviation: float
    """Standard deviation of the area (DeLong's of each fold, and Nadeau and Bengio's of their mean)."""
    p_value: float
    """How rarely chance gives as large an area: one-sided, against 0.5."""
    drivers: tuple[tuple[str, float], ...]
    """Up to five columns, and by how much the area falls when one's cells are shuffled; only where it falls."""
    n: int
    n_baseline: int


class Fold(NamedTuple):
    """A classifier and the rows that it has not seen."""

    model: Any
    unseen: Encoded

    def area(self, matrix: Values) -> Area:
        """The area under its curve on these rows, or on others that are labelled like them."""
        return area(self.model.decision_function(matrix), self.unseen.current, self.unseen.reference)


def domain_classifier(rows: Encoded, seed: int = 0) -> Separation:
    """Area under the curve of a classifier that tells current rows from the reference's, cross-validated (C2ST).

    The mean over five stratified folds of gradient-boosted trees; the larger, the easier the sides are told apart: an
    area of 0.8 says that a current row looks more current than one of the reference in 80 of 100 pairs. A row that
    occurs several times is dealt to the folds one by one. The same rows and seed give the same numbers.
    Folds learn from each other's rows, so their mean varies more than that of five samples: by 1 / 5 + 1 / 4 of a
    fold's variance instead of 1 / 5 (on equal sides the area's measured deviation is 0.6 to 1.1 times this one).
    Source: Lopez-Paz and Oquab 2017, Revisiting Classifier Two-Sample Tests; DeLong et al. 1988; Nadeau and Bengio
    2003, Inference for the Generalization Error.

    >>> numbers = np.linspace([0.0, 0.0], [1.0, 0.0], 40)
    >>> sides = np.repeat([[1, 0], [0, 1]], 40, axis=1)
    >>> domain_classifier(Encoded(np.vstack([numbers + 2, numbers]), ("age", "income"), *sides))
    Separation(auc=1.0, deviation=0.0, p_value=3.8...e-09, drivers=(('age', 0.4...),), n=40, n_baseline=40)
    """
    from scipy.special import ndtr

    with _one_thread():
        folds = cross_validated(rows, seed)
        areas = np.array([fold.area(fold.unseen.matrix) for fold in folds])
        drivers = _drivers(folds, seed)
    auc = float(areas[:, 0].mean())
    deviation, chance = np.sqrt(areas[:, 1:].mean(axis=0) * (1 / FOLDS + 1 / (FOLDS - 1)))
    p_value = float(ndtr((0.5 - auc) / chance)) if chance else 1.0
    sizes = int(rows.current.sum()), int(rows.reference.sum())
    return Separation(auc, float(deviation), p_value, drivers, *sizes)


def cross_validated(rows: Encoded, seed: int = 0) -> list[Fold]:
    """Five classifiers, each with the rows that it has not seen: about a fifth of either side.

    >>> rows = Encoded(np.array([[0.0], [1.0]]), ("age",), np.array([50, 0]), np.array([0, 30]))
    >>> unseen = cross_validated(rows)[0].unseen
    >>> unseen.current.tolist(), unseen.reference.tolist()
    ([10, 0], [0, 6])
    """
    generator = np.random.default_rng(seed)
    rows = rows._replace(matrix=_rounded(rows.matrix, rows.current + rows.reference))
    dealt = zip(*(_dealt(side, generator) for side in (rows.current, rows.reference)), strict=True)
    with _one_thread():
        return [_fold(rows, mine, theirs) for mine, theirs in dealt]


def area(scores: Values, current: Counts, reference: Counts) -> Area:
    """Area under the curve of scores that are larger for current rows, each occurring so often on either side.

    Source: DeLong, DeLong and Clarke-Pearson 1988; Mann and Whitney 1947. NaN where a side has fewer than two rows.

    >>> area(np.array([1.0, 2.0, 3.0]), np.array([0, 1, 2]), np.array([2, 1, 0]))
    Area(auc=0.944..., variance=0.00617..., null_variance=0.0592...)
    """
    _, places = np.unique(scores, return_inverse=True)
    mine, theirs = (np.bincount(places, weights=side) for side in (current, reference))
    n, m = mine.sum(), theirs.sum()
    below, above = (np.cumsum(theirs) - theirs / 2) / m, 1 - (np.cumsum(mine) - mine / 2) / n
    auc = (mine * below).sum() / n
    spread = (mine * (below - auc) ** 2).sum() / (n - 1), (theirs * (above - auc) ** 2).sum() / (m - 1)
    both, tied = n + m, mine + theirs
    ties = (tied**3 - tied).sum() / (both * (both - 1))
    return Area(float(auc), float(spread[0] / n + spread[1] / m), float((both + 1 - ties) / (12 * n * m)))


def _one_thread() -> AbstractContextManager[None]:
    """On so few rows scikit-learn's threads mostly wait for each other; where cores are shared, 10 times as long."""
    from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

    limits: AbstractContextManager[None] = threadpool_limits(1, "openmp")
    return limits


def _rounded(matrix: Values, occurring: Counts) -> Values:
    """Each number, rounded up to one of 129 quantiles of both sides: scikit-learn takes long to find weighted ones."""
    steps = np.quantile(matrix, np.linspace(0, 1, 129), axis=0, weights=occurring, method="inverted_cdf")
    columns = zip(steps.T, matrix.T, strict=True)
    return np.column_stack([step[np.searchsorted(step, column)] for step, column in columns])


def _dealt(counts: Counts, generator: np.random.Generator) -> list[Counts]:
    """The occurrences of all rows dealt to the folds by chance."""
    dealt, left = list[Counts](), counts
    for folds in range(FOLDS, 0, -1):
        dealt.append(generator.multivariate_hypergeometric(left, int(left.sum()) // folds))
        left = left - dealt[-1]
    return dealt


def _fold(rows: Encoded, current: Counts, reference: Counts) -> Fold:
    """The fold of these occurrences, its classifier fitted to all others."""
    held = np.flatnonzero(current + reference)
    model = _fitted(rows.matrix, rows.current - current, rows.reference - reference)
    return Fold(model, Encoded(rows.matrix[held], rows.names, current[held], reference[held]))


def _fitted(matrix: Values, current: Counts, reference: Counts) -> Any:
    """A classifier for which both sides weigh the same."""
    from sklearn.ensemble import HistGradientBoostingClassifier

    model = HistGradientBoostingClassifier(
        max_iter=50, max_leaf_nodes=8, min_samples_leaf=_LEAF, l2_regularization=1, early_stopping=False, random_state=0
    )
    (mine, of_mine), (theirs, of_theirs) = (_repeated(side) for side in (current, reference))
    is_current = np.repeat([1, 0], [len(mine), len(theirs)])
    weights = np.concatenate([of_mine, of_theirs]) * len(is_current) / 2
    return model.fit(matrix[np.concatenate([mine, theirs])], is_current, weights)


def _repeated(counts: Counts) -> tuple[NDArray[np.intp], Values]:
    """The places of one side's rows and their weights, of sum 1; as often as they occur, up to what makes a leaf."""
    copies = np.minimum(counts, _LEAF)
    places = np.repeat(np.arange(len(counts)), copies)
    return places, counts[places] / copies[places] / counts.sum()


def _drivers(folds: Sequence[Fold], seed: int) -> tuple[tuple[str, float], ...]:
    """The columns by how much the area falls, on average, when one's cells come from rows drawn by chance."""
    generator = np.random.default_rng(seed)
    falls = [_falls(fold, generator) for fold in folds for _ in range(_SHUFFLES)]
    means = {name: float(np.mean([fall[name] for fall in falls])) for name in falls[0]}
    falling = ((name, mean) for name, mean in means.items() if mean > 0)
    return tuple(sorted(falling, key=lambda one: (-one[1], one[0]))[:DRIVERS])


def _falls(fold: Fold, generator: np.random.Generator) -> dict[str, float]:
    """By how much the area of one fold falls for each column."""
    matrix, names = fold.unseen.matrix, np.array(fold.unseen.names)
    occurring = fold.unseen.current + fold.unseen.reference
    falls, whole = dict[str, float](), fold.area(matrix).auc
    for name in dict.fromkeys(fold.unseen.names):
        givers = generator.choice(len(matrix), len(matrix), p=occurring / occurring.sum())
        shuffled = np.where(names == name, matrix[givers], matrix)
        falls[name] = whole - fold.area(shuffled).auc
    return falls
