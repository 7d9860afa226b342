"""Worst slices: where the losses of rows are larger than elsewhere, searched in a sample and tested on other rows.

A slice is made of one or two conditions, each on one column. The search looks at all of them at once, so chance finds
some; what it finds is believed only after it was tested on rows that the search has not seen. Source: Chung et al.
2019 (Slice Finder) on slices and tests, Lavrač et al. 2004 (CN2-SD) on taking covered rows out.
"""

from collections.abc import Iterator, Mapping, Sequence
from math import sqrt
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from monitor_tasks.metrics.significance import benjamini_hochberg
from monitor_tasks.profiles.coded import Column, Mark

FEW = 10
"""A column of more different numbers than this is cut at its quartiles."""
CONDITIONS = 512
"""So many conditions are combined at most, those that the most rows meet; their pairs are about 130,000."""

Features = Mapping[str, Column]
Losses = NDArray[np.float64]
Rows = NDArray[np.bool_]
Places = NDArray[np.uint8]


class Condition(NamedTuple):
    """What a cell must be: one of a column's values, missing, or a number above one and up to another."""

    column: str
    value: str | None = None
    above: float | None = None
    up_to: float | None = None

    def rows(self, features: Features) -> Rows:
        """Which rows meet it."""
        column = features[self.column]
        if self.value is not None:
            met = column.states(Mark((self.value,), None)) > 1
        elif self.above is None and self.up_to is None:
            met = ~column.present[column.codes]
        else:
            above = ~np.isnan(column.numbers) if self.above is None else column.numbers > self.above
            met = (above if self.up_to is None else above & (column.numbers <= self.up_to))[column.codes]
        return np.asarray(met)

    def __str__(self) -> str:
        """As a person writes it.

        >>> print(Condition("city", "Bern"), Condition("age", above=30.0, up_to=45.0), Condition("age"), sep=", ")
        city=Bern, age 30 to 45, age is missing
        """
        if self.value is not None:
            return f"{self.column}={self.value}"
        if self.above is None:
            return f"{self.column} is missing" if self.up_to is None else f"{self.column} up to {self.up_to:g}"
        return f"{self.column} {'over ' if self.up_to is None else ''}{self.above:g}" + (
            "" if self.up_to is None else f" to {self.up_to:g}"
        )


class Slice(NamedTuple):
    """Rows that meet all of some conditions."""

    conditions: tuple[Condition, ...]

    def rows(self, features: Features) -> Rows:
        """Which rows belong to it."""
        return np.asarray(np.logical_and.reduce([one.rows(features) for one in self.conditions]))

    def __str__(self) -> str:
        """As a person writes it."""
        return " & ".join(map(str, self.conditions))


class Contrast(NamedTuple):
    """The mean loss of a slice against that of the rows outside of it."""

    rows: int
    mean: float
    lower: float
    upper: float
    """The mean's interval of 95 %."""
    rows_outside: int
    mean_outside: float
    deviation: float
    """Of the difference of both means."""
    p_value: float
    """How likely chance makes the slice's mean so much larger."""


class Candidate(NamedTuple):
    """A slice that the search has found; rows of the candidates before it are neither in it nor outside."""

    slice: Slice
    rows: int
    mean: float
    mean_outside: float
    p_adjusted: float
    """Adjusted for all slices that were looked at."""


class Found(NamedTuple):
    """What a search has found."""

    candidates: tuple[Candidate, ...]
    looked_at: int
    """How many slices it compared with the rows outside of them."""


def search(features: Features, losses: Losses, minimum: int, level: float, count: int) -> Found:
    """The worst slices of a sample, the surest first: up to `count` that chance does not explain at `level`.

    All slices of one and two conditions with at least `minimum` rows in and outside are looked at; their p-values of
    Welch's test are adjusted by Benjamini and Hochberg. Rows of a slice that was found are taken out before the next
    is looked for, so that a slice is not found again in its parts or in what contains it.

    >>> import pyarrow as pa
    >>> colour, losses = Column.of(pa.chunked_array([["red", "blue"] * 200])), np.tile([1.0, 0.0, 0.0, 0.0], 100)
    >>> found = search({"colour": colour}, losses, 50, 0.05, 3)
    >>> found.looked_at, [(str(one.slice), one.mean, one.mean_outside) for one in found.candidates]
    (2, [('colour=red', 0.5, 0.0)])
    """
    conditions = _conditions(features, len(losses), minimum)
    met = np.stack([rows for _, rows in conditions], axis=1).astype(np.float64) if conditions else np.empty((0, 0))
    columns = np.array([condition.column for condition, _ in conditions])
    left, found, looked_at = np.ones(len(losses), np.bool_), list[Candidate](), 0
    while conditions and len(found) < count:
        table = _contrasts(met[left], losses[left], columns, minimum)
        looked_at = max(looked_at, len(table.p_values))
        if (best := table.best) is None or (adjusted := benjamini_hochberg(table.p_values.tolist())[best]) > level:
            break
        places = sorted({int(table.first[best]), int(table.second[best])})
        worst = Slice(tuple(sorted((conditions[place][0] for place in places), key=str)))
        numbers = int(table.rows[best]), float(table.means[best]), float(table.means_outside[best])
        found.append(Candidate(worst, *numbers, adjusted))
        left &= ~worst.rows(features)
    return Found(tuple(found), looked_at)


def confirm(slices: Sequence[Slice], features: Features, losses: Losses) -> list[Contrast | None]:
    """The contrast of each slice in rows that were not searched; None where fewer than two are in or outside of it.

    Rows of the slices before it are left out. Losses that are all 0 or 1 are tested exactly (Fisher 1935, one-sided),
    with the interval of Clopper and Pearson; others by Welch's test, with Student's interval.

    >>> import pyarrow as pa
    >>> colour, losses = Column.of(pa.chunked_array([["red", "blue"] * 200])), np.tile([1.0, 0.0, 0.0, 0.0], 100)
    >>> confirm([Slice((Condition("colour", "red"),))], {"colour": colour}, losses)[0][:4]
    (200, 0.5, 0.428..., 0.571...)
    """
    return contrasts(len(slices), first_slice(slices, features, len(losses)), losses)


def first_slice(slices: Sequence[Slice], features: Features, rows: int) -> Places:
    """Which slice each row belongs to: the first whose conditions it meets, by its place; their number where none.

    >>> import pyarrow as pa
    >>> colour = Column.of(pa.chunked_array([["red", "blue"]]))
    >>> first_slice([Slice((Condition("colour", "red"),))], {"colour": colour}, 2).tolist()
    [0, 1]
    """
    found = np.full(rows, len(slices), np.uint8)
    for place in reversed(range(len(slices))):
        found[slices[place].rows(features)] = place
    return found


def contrasts(count: int, belongs: Places, losses: Losses) -> list[Contrast | None]:
    """The contrast of each of so many slices, by which of them each row belongs to; the order of rows is nothing to it.

    >>> contrasts(1, np.array([0, 0, 1, 1]), np.array([1.0, 1.0, 0.0, 0.0]))[0][:2]
    (2, 1.0)
    """
    inside = [np.sort(losses[belongs == place]) for place in range(count)]
    return [_contrast(one, np.sort(losses[belongs > place])) for place, one in enumerate(inside)]


def _contrast(inside: Losses, outside: Losses) -> Contrast | None:
    from scipy.special import stdtr, stdtrit
    from scipy.stats import hypergeom

    n, m = len(inside), len(outside)
    if min(n, m) < 2:
        return None
    here, there = float(inside.mean()), float(outside.mean())
    parts = float(inside.var(ddof=1)) / n, float(outside.var(ddof=1)) / m
    spread = sqrt(sum(parts))
    if np.isin(inside, (0, 1)).all() and np.isin(outside, (0, 1)).all():
        wrong, wrong_outside = int(inside.sum()), int(outside.sum())
        p_value = float(hypergeom.sf(wrong - 1, n + m, wrong + wrong_outside, n))
        return Contrast(n, here, *_clopper_pearson(wrong, n), m, there, spread, p_value)
    half = float(stdtrit(n - 1, 0.975)) * sqrt(parts[0])
    if not spread:
        return Contrast(n, here, here, here, m, there, 0.0, float(here <= there))
    degrees = sum(parts) ** 2 / (parts[0] ** 2 / (n - 1) + parts[1] ** 2 / (m - 1))
    p_value = float(stdtr(degrees, (there - here) / spread))
    return Contrast(n, here, here - half, here + half, m, there, spread, p_value)


def _clopper_pearson(hits: int, rows: int) -> tuple[float, float]:
    from scipy.special import betaincinv

    lower = 0.0 if not hits else float(betaincinv(hits, rows - hits + 1, 0.025))
    return lower, 1.0 if hits == rows else float(betaincinv(hits + 1, rows - hits, 0.975))


class _Table(NamedTuple):
    """All slices that are looked at, by the places of their conditions; of one condition both are the same."""

    first: NDArray[np.intp]
    second: NDArray[np.intp]
    rows: NDArray[np.float64]
    means: Losses
    means_outside: Losses
    statistics: Losses
    p_values: Losses

    @property
    def best(self) -> int | None:
        """The place of the surest; of equally sure ones that with fewer conditions. None where there is none."""
        order = np.lexsort((self.first != self.second, -self.statistics, self.p_values))
        return int(order[0]) if len(order) else None


def _contrasts(met: NDArray[np.float64], losses: Losses, columns: NDArray[np.str_], minimum: int) -> _Table:
    """Welch's test of every slice at once, from the sums of losses and of their squares."""
    from scipy.special import stdtr

    centre = losses.mean() if len(losses) else 0.0
    moved, total = losses - centre, len(losses)
    rows = met.T @ met
    apart = (columns[:, np.newaxis] != columns) | np.eye(len(columns), dtype=bool)
    first, second = np.nonzero(np.triu((rows >= minimum) & (total - rows >= minimum) & apart))
    n, sums, squares = (
        weighed[first, second] for weighed in (rows, *((met * values[:, np.newaxis]).T @ met
                                                        for values in (moved, moved**2)))
    )  # fmt: skip
    m, rest, rest_squares = total - n, moved.sum() - sums, (moved**2).sum() - squares
    means, means_outside = sums / n, rest / m
    parts = [np.maximum(two - one**2 / many, 0) / (many - 1) / many
             for one, two, many in ((sums, squares, n), (rest, rest_squares, m))]  # fmt: skip
    spread = np.sqrt(parts[0] + parts[1])
    with np.errstate(divide="ignore", invalid="ignore"):
        statistics = np.nan_to_num((means - means_outside) / spread, nan=0.0)
        degrees = (parts[0] + parts[1]) ** 2 / (parts[0] ** 2 / (n - 1) + parts[1] ** 2 / (m - 1))
    p_values = stdtr(np.nan_to_num(degrees, nan=1.0), -statistics)
    return _Table(first, second, n, means + centre, means_outside + centre, statistics, p_values)


def _conditions(features: Features, total: int, minimum: int) -> list[tuple[Condition, Rows]]:
    """The conditions that enough rows meet and enough do not, and which rows do; those of the most rows first."""
    known = (
        (one, one.rows(features)) for name, column in features.items() for one in _of_column(name, column, minimum)
    )
    useful = ((one, rows) for one, rows in known if minimum <= rows.sum() <= total - minimum)
    return sorted(useful, key=lambda one: (-one[1].sum(), str(one[0])))[:CONDITIONS]


def _of_column(name: str, column: Column, minimum: int) -> Iterator[Condition]:
    """A column's conditions: its quartiles where it has many different numbers, else its values; and being missing."""
    yield Condition(name)
    numbers = column.numbers[column.codes]
    finite = numbers[np.isfinite(numbers)]
    coded = column.by_value()
    if len(finite) * 2 > column.present[column.codes].sum() and len(np.unique(finite)) > FEW:
        cuts = np.unique(np.quantile(finite, (0.25, 0.5, 0.75), method="inverted_cdf")).tolist()
        for above, up_to in zip([None, *cuts], [*cuts, None], strict=True):
            yield Condition(name, None, above, up_to)
    elif coded is not None:
        often = np.bincount(coded.codes, minlength=len(coded.texts)) >= minimum
        yield from (Condition(name, coded.texts[place]) for place in np.flatnonzero(often) if place)
