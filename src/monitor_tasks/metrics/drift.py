"""How far a column has drifted from its reference: by which method, how sure, in which direction, on how many cells."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from fractions import Fraction
from math import isfinite, log, sqrt
from typing import NamedTuple

from monitor_tasks.metrics import distance, significance
from monitor_tasks.metrics.distance import Counts, Placed, Values
from monitor_tasks.metrics.significance import Sums
from monitor_tasks.profiles.bins import Bins
from monitor_tasks.profiles.columns import ColumnProfile

NUMERIC = ("Integral", "Fractional")
Details = dict[str, float | int | str]


class Drift(NamedTuple):
    """The answer of one method."""

    value: float | None
    details: Details
    """What else is known: effect size, direction, p-value, cells of the reference."""
    because: str = ""
    """Why there is no value."""


class Undecided(Exception):
    """A method has no number for these columns, and why."""


@dataclass(frozen=True)
class Pair:
    """A column and its reference; the reference's kind of cells says how the two are compared."""

    column: ColumnProfile
    reference: ColumnProfile
    comparable: bool = True
    """Whether both are counted on the same edges."""
    edges: Values | None = None

    @property
    def numeric(self) -> bool:
        """Whether numbers are compared."""
        return self.reference.inferred_type in NUMERIC

    @property
    def sizes(self) -> tuple[int, int]:
        """How many cells are compared, of the column and of its reference."""
        sides = self.column, self.reference
        n, m = (side.finite if self.numeric else side.present for side in sides)
        return n, m

    @property
    def values(self) -> tuple[Counts, Counts] | None:
        """All values of both sides: numbers alone where these are compared; None where not all are known."""
        sides = self.column, self.reference
        mine, theirs = (side.numbers if self.numeric else side.values for side in sides)
        return None if mine is None or theirs is None else (mine, theirs)

    @property
    def bins(self) -> tuple[Bins, Bins]:
        """The numbers of both sides on the same edges."""
        if not self.comparable:
            raise Undecided("it is counted on other edges than the baseline")
        return self.column.bins, self.reference.bins

    @property
    def cells(self) -> tuple[Counts, Counts]:
        """The categories of both sides; of numbers about ten groups, equally large in the reference."""
        if self.numeric:
            return distance.coarse(*self.bins)
        if (known := self.values) is None:
            raise Undecided("too many different values to know them all")
        return known

    def sums(self, method: str) -> tuple[Sums, Sums]:
        """The exact moments of both sides."""
        if not self.numeric:
            raise Undecided(f"{method} compares numbers, the reference's cells are {self.reference.inferred_type}")
        return Sums.of(self.column), Sums.of(self.reference)


def drift(method: str, pair: Pair) -> Drift:
    """The drift of a column by one of METHODS, with everything that a reader wants to know beside the number.

    Details: ``n_baseline``; ``direction`` in which the mean or the ``category`` that changed most has moved;
    ``effect_size``, of numbers in the reference's standard deviations, of categories Cramér's V; ``p_value``.
    """
    try:
        value, known = _found(method, pair)
    except Undecided as why:
        return Drift(None, {"n_baseline": pair.sizes[1]}, str(why))
    return Drift(value, {"n_baseline": pair.sizes[1], **known})


def rows_needed(method: str, difference: float, reference: ColumnProfile) -> int:
    """With how many cells chance alone gives such a difference at most once in 100 columns, about; 1 for a test.

    By the chi-square approximation of each method on two samples of one distribution; normal numbers are supposed for
    ``variance_shift`` and ``wasserstein``.
    """
    if method not in _NOISE or not difference:
        return 1
    pair = Pair(reference, reference)
    noise = _NOISE[method](difference)
    on_cells = method in ("psi", "jensen_shannon", "kullback_leibler", "hellinger", "cramers_v")
    try:
        degrees = len(pair.cells[0]) - 1 if on_cells else 1
    except Undecided:
        return 1
    return significance.rows_beyond_chance(noise, degrees, pair.sizes[1])


_NOISE: Mapping[str, Callable[[float], float]] = {
    "ks": lambda bound: 2.5 * bound**2,  # D exceeds 1.63 (1 / n + 1 / m) ** 0.5 once in 100
    "l_infinity": lambda bound: 2.5 * bound**2,
    "psi": lambda bound: bound,
    "jensen_shannon": lambda bound: 8 * log(2) * bound**2,
    "kullback_leibler": lambda bound: 2 * bound,
    "hellinger": lambda bound: 8 * bound**2,
    "wasserstein": lambda bound: 0.85 * bound**2,
    "cramers_v": lambda bound: 4 * bound**2,
    "mean_shift": lambda bound: bound**2,
    "variance_shift": lambda bound: bound**2 / 2,
}
"""A method's difference as a multiple of 1 / n + 1 / m that follows chi-square by chance."""


def _found(method: str, pair: Pair) -> tuple[float, Details]:
    n, m = pair.sizes
    if not n or not m:
        raise Undecided(f"nothing to compare: {n} cells against {m}")
    value, known = METHODS[method](pair)
    if value is None:
        raise Undecided(f"{method} is undefined here: there are too few cells, or they do not vary")
    return value, {**(_moved_numbers(pair) if pair.numeric else _moved_categories(pair)), **known}


def _moved_numbers(pair: Pair) -> Details:
    """Where the mean has moved, and by how many of the reference's standard deviations."""
    mine, theirs = pair.sums("direction")
    shift = significance.mean_shift(mine, theirs)
    return {"direction": _word(mine.mean - theirs.mean), **({"effect_size": shift.effect} if shift else {})}


def _moved_categories(pair: Pair) -> Details:
    """Where the category moved whose share has changed most, and Cramér's V of all of them."""
    (mine, theirs), (n, m) = pair.cells, pair.sizes
    moves = {one: mine.get(one, 0) * m - theirs.get(one, 0) * n for one in sorted({*mine, *theirs})}
    most = max(moves, key=lambda one: abs(moves[one]))
    tested = significance.chi_square(mine, theirs)
    known: Details = {"direction": _word(moves[most]), "category": most}
    return {**known, "effect_size": tested.cramers_v} if tested else known


def _word(moved: Fraction | int) -> str:
    return "none" if not moved else "up" if moved > 0 else "down"


Found = tuple[float | None, Details]


def _on_cells(measure: Callable[[Counts, Counts], float | None]) -> Callable[[Pair], Found]:
    """A distance of shares; the p-value is that of the chi-square test on the same cells."""

    def found(pair: Pair) -> Found:
        tested = significance.chi_square(*pair.cells)
        return measure(*pair.cells), {"p_value": tested.p_value} if tested else {}

    return found


def _kolmogorov_smirnov(pair: Pair) -> Found:
    if not pair.numeric:
        raise Undecided(f"ks compares numbers, the reference's cells are {pair.reference.inferred_type}")
    if pair.values is None:
        return distance.l_infinity_of_bins(*pair.bins), {}
    found = significance.kolmogorov_smirnov(*pair.values)
    return (found[0], {"p_value": found[1]}) if found else (None, {})


def _l_infinity(pair: Pair) -> Found:
    if pair.numeric:
        return distance.l_infinity_of_bins(*pair.bins), {}
    return _on_cells(distance.l_infinity_of_categories)(pair)


def _wasserstein(pair: Pair) -> Found:
    mine, theirs = pair.sums("wasserstein")
    unit = sqrt(significance.rounded(theirs.variance)) if theirs.n > 1 else 0.0
    one, two = _placed(pair)
    found = distance.wasserstein(one, two)
    if not unit or found is None:
        return None, {}
    apart = max(found, abs(significance.rounded(mine.mean - theirs.mean)))  # no distance is smaller than the means'
    error = one.error + two.error
    known: Details = {"distance": apart, **({"distance_error": error} if isfinite(error) else {})}
    return (apart / unit, known) if isfinite(apart / unit) else (None, {})


def _placed(pair: Pair) -> tuple[Placed, Placed]:
    if pair.values is not None:
        one, two = map(Placed.of_values, pair.values)
        return one, two
    bins, edges, sides = pair.bins, pair.edges, (pair.column, pair.reference)
    if edges is None:
        raise Undecided(
            "the baseline's edges are not at hand, and there are too many different values to know them all"
        )
    one, two = (
        Placed.of_bins(known, edges, (side.minimum or 0.0, side.maximum or 0.0))
        for known, side in zip(bins, sides, strict=True)
    )
    return one, two


def _chi_square(pair: Pair) -> Found:
    tested = significance.chi_square(*pair.cells)
    if tested is None:
        return None, {}
    more: Details = {"p_value": tested.p_value, "statistic": tested.statistic, "degrees_of_freedom": tested.degrees}
    return tested.p_value, {**more, "effect_size": tested.cramers_v}


def _cramers_v(pair: Pair) -> Found:
    value, more = _chi_square(pair)
    return (None, {}) if value is None else (float(more["effect_size"]), more)


def _mean_shift(pair: Pair) -> Found:
    shift = significance.mean_shift(*pair.sums("mean_shift"))
    return (None, {}) if shift is None or shift.p_value is None else (shift.effect, {"p_value": shift.p_value})


def _variance_shift(pair: Pair) -> Found:
    shift = significance.variance_shift(*pair.sums("variance_shift"))
    if shift is None or shift.lower is None or shift.upper is None:
        return None, {}
    return shift.effect, {"interval_lower": shift.lower, "interval_upper": shift.upper}


METHODS: Mapping[str, Callable[[Pair], Found]] = {
    "ks": _kolmogorov_smirnov,
    "l_infinity": _l_infinity,
    "psi": _on_cells(distance.population_stability_index),
    "jensen_shannon": _on_cells(distance.jensen_shannon),
    "kullback_leibler": _on_cells(distance.kullback_leibler),
    "hellinger": _on_cells(distance.hellinger),
    "wasserstein": _wasserstein,
    "chi_square": _chi_square,
    "cramers_v": _cramers_v,
    "mean_shift": _mean_shift,
    "variance_shift": _variance_shift,
}
"""By the name that a setting gives it."""
