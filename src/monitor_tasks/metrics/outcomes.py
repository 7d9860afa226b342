"""The outcomes of two groups: how they are counted, compared, and what they lack (contract bias.md, section 2)."""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

Numbers = NDArray[np.float64]


class Outcomes(NamedTuple):
    """The rows of one group by label and prediction; arrays where there are several resamples or subgroups.

    >>> outcomes = Outcomes.of(3, 1, 2, 4)
    >>> float(outcomes.rows), float(outcomes.positives), float(outcomes.predicted_positives)
    (10.0, 5.0, 4.0)
    """

    true_positives: Numbers
    false_positives: Numbers
    false_negatives: Numbers
    true_negatives: Numbers

    @classmethod
    def of(cls, tp: ArrayLike, fp: ArrayLike, fn: ArrayLike, tn: ArrayLike) -> "Outcomes":
        """The outcomes of these counts."""
        return cls(*(np.asarray(count, np.float64) for count in (tp, fp, fn, tn)))

    @property
    def positives(self) -> Numbers:
        """Rows whose label is positive."""
        return self.true_positives + self.false_negatives

    @property
    def negatives(self) -> Numbers:
        """Rows whose label is negative."""
        return self.true_negatives + self.false_positives

    @property
    def predicted_positives(self) -> Numbers:
        """Rows whose prediction is positive."""
        return self.true_positives + self.false_positives

    @property
    def predicted_negatives(self) -> Numbers:
        """Rows whose prediction is negative."""
        return self.true_negatives + self.false_negatives

    @property
    def rows(self) -> Numbers:
        """All rows."""
        return self.positives + self.negatives


def outcomes_of(counts: Numbers) -> Outcomes:
    """The outcomes of counts whose last axes are label and prediction, negative first.

    >>> outcomes_of(np.array([[4.0, 1.0], [2.0, 3.0]])) == Outcomes.of(3, 1, 2, 4)
    True
    """
    return Outcomes.of(counts[..., 1, 1], counts[..., 0, 1], counts[..., 1, 0], counts[..., 0, 0])


def lacks(a: Outcomes, d: Outcomes) -> Iterator[tuple[str, str]]:
    """What these counts lack, and how to say it (contract bias.md, sections 2 and 4)."""
    if not d.rows:
        yield "group", "the group has no labelled row"
    if not a.rows:
        yield "group", "there is no labelled row outside the group"
    if not a.predicted_positives + d.predicted_positives:
        yield "post_training", "no labelled row is predicted positive"
    if not a.positives + d.positives:
        yield "labels", "no label is positive"
    if not a.negatives + d.negatives:
        yield "both labels", "no label is negative"
    if not a.predicted_negatives + d.predicted_negatives:
        yield "both predictions", "no labelled row is predicted negative"
    if not (a.positives * d.positives + a.negatives * d.negatives):
        yield "shared label", "the group and the rest share no label"


def ratio(over: Numbers, under: Numbers) -> Numbers:
    """One number over another: 0 where both are 0, infinite where only the lower one is.

    >>> ratio(np.array([1.0, -1.0, 0.0]), np.array([0.0, 0.0, 0.0])).tolist()
    [inf, -inf, 0.0]
    """
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where((over == 0) & (under == 0), 0.0, np.divide(over, under))


def difference(one: Numbers, other: Numbers) -> Numbers:
    """The difference of two rates: 0 where they are equal, infinities too."""
    with np.errstate(invalid="ignore"):
        return np.where(one == other, 0.0, one - other)


def disparity(a: tuple[Numbers, Numbers], d: tuple[Numbers, Numbers]) -> Numbers:
    """Share of the rejected less share of the accepted who are in the group, averaged by the subgroups' rows."""
    (a_accepted, a_rejected), (d_accepted, d_rejected) = a, d
    accepted, rejected = a_accepted + d_accepted, a_rejected + d_rejected
    rows = accepted + rejected
    differences = ratio(d_rejected, rejected) - ratio(d_accepted, accepted)
    return ratio(np.sum(rows * differences, axis=-1), np.sum(rows, axis=-1))
