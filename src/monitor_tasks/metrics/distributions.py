"""Distributions as a person looks at them: a window's counts beside its baseline's, on a few dozen common bars."""

from collections.abc import Mapping, Sequence
from math import ceil, floor, inf, isfinite, log10

import numpy as np
from numpy.typing import ArrayLike, NDArray

from monitor_tasks.exhibit import Comparison, Pair, Unit
from monitor_tasks.profiles.cells import KINDS
from monitor_tasks.profiles.columns import ColumnProfile
from monitor_tasks.profiles.scores import ScoreProfile

BARS = 24
"""A histogram has at most this many bars between its tails."""
CATEGORIES = 12
"""So many categories are shown; the others are one."""
TAIL = 0.005
"""Part of the baseline that each tail of a histogram may hold where the middle would else be squeezed."""
NUMERIC = ("Integral", "Fractional")

Values = NDArray[np.float64]
NOTHING = ColumnProfile()


def compared(name: str, column: ColumnProfile, known: ColumnProfile | None, edges: Values | None) -> Comparison:
    """One column beside its baseline: `edges` are those that both are counted on, none where there are none."""
    reference = known or NOTHING
    kind = reference.inferred_type if known else column.inferred_type
    facts = _facts(column, known)
    found = Comparison(title=f"{kind} column" if kind != "Unknown" else "no cells", subject=name, facts=facts)
    if kind not in NUMERIC:
        return _categories(found, column.values, reference.values)
    few = {*(column.numbers or ()), *(reference.numbers or ())}
    if column.numbers is not None and reference.numbers is not None and len(few) <= BARS:
        pairs = _pairs(sorted(few, key=float), column.numbers, reference.numbers)
        return found.model_copy(update={"pairs": pairs})
    if edges is None or not len(edges):
        return found.model_copy(update={"note": "no histogram: there is no baseline to cut it by"})
    cuts = cut(edges, _below(reference, edges, edges), whole=kind == "Integral")
    mine, theirs = (_bars(_below(one, edges, cuts), len(cuts)) for one in (column, reference))
    return found.model_copy(update={"cuts": tuple(cuts.tolist()), "pairs": histogram(mine, theirs)})


def cut(edges: Values, below: Values | None, whole: bool = False) -> Values:
    """Round numbers that cut a column into at most 24 bars of equal width, and two tails.

    `below` is the part of the baseline up to each edge. The tails take up to 0.5 % each where they are long.

    >>> cut(np.array([0.0, 99.0]), None).tolist()[:3], cut(np.array([1.0, 3.0]), None, whole=True).tolist()
    ([0.0, 5.0, 10.0], [1.0, 2.0, 3.0])
    """
    low, high = float(edges[0]), float(edges[-1])
    if below is not None:
        near, far = (float(edges[np.searchsorted(below, part)]) for part in (TAIL, 1 - TAIL))
        if near < far and 2 * (far / 2 - near / 2) < high / 2 - low / 2:
            low, high = near, far
    raw = max(high / BARS - low / BARS, 1.0 if whole else 0.0)
    if raw < 1e-290:
        return np.unique([low, high])
    power = floor(log10(raw))
    step = next(one for one in (1, 2, 5, 10) if float(f"{one}e{power}") >= raw * (1 - 1e-9))
    width = float(f"{step}e{power}")
    if not max(abs(low), abs(high)) / width < 2**53:
        return np.unique([low, high])
    places = range(ceil(low / width), floor(high / width) + 1)
    return np.unique([float(f"{place * step}e{power}") for place in places] or [low, high])


def histogram(mine: Sequence[float | None], theirs: Sequence[float | None]) -> tuple[Pair, ...]:
    """The parts of both in each bar."""
    return tuple(
        Pair(label="", here=here, baseline=there, unit="share") for here, there in zip(mine, theirs, strict=True)
    )


def scores(profile: ScoreProfile, known: ScoreProfile | None) -> Comparison | None:
    """The scores of all predictions, labelled or not, beside the baseline's; None without scores."""
    cuts = np.linspace(0.05, 0.95, 19)
    mine, theirs = _scores(profile, cuts), _scores(known or ScoreProfile(), cuts)
    if mine[0] is None:
        return None
    return Comparison(title="scores of the predictions", cuts=tuple(cuts.tolist()), pairs=histogram(mine, theirs))


def by_label(
    title: str, mine: Mapping[str, float | None], theirs: Mapping[str, float | None], unit: Unit
) -> Comparison:
    """Numbers by label, those with the largest in the baseline first; at most 24 of them."""
    labels = sorted({*mine, *theirs}, key=lambda label: (-(theirs.get(label) or 0), -(mine.get(label) or 0), label))
    pairs = tuple(
        Pair(label=label, here=mine.get(label), baseline=theirs.get(label), unit=unit) for label in labels[:BARS]
    )
    left = len(labels) - len(pairs)
    return Comparison(title=title, pairs=pairs, note=f"{left} more are left out" if left else "")


def thinned(across: ArrayLike, up: ArrayLike, most: int = 100) -> tuple[tuple[float, float], ...]:
    """At most so many points of a curve, its first and its last among them."""
    points = np.column_stack([np.asarray(across, np.float64), np.asarray(up, np.float64)])
    places = np.unique(np.linspace(0, len(points) - 1, min(most, len(points))).round().astype(np.int64))
    return tuple((float(x), float(y)) for x, y in points[places])


def _facts(column: ColumnProfile, known: ColumnProfile | None) -> tuple[Pair, ...]:
    """What both columns are told by; kinds of cells only where there are several."""
    mine, theirs = _numbers(column), _numbers(known) if known else {}
    several = len({*column.kinds, *(known.kinds if known else ())}) > 1
    pairs = (
        Pair(label=name, here=mine[name], baseline=theirs.get(name), unit=_UNITS.get(name, "count")) for name in mine
    )
    return tuple(
        pair
        for pair in pairs
        if pair.label in ALWAYS
        or ((pair.here is not None or pair.baseline is not None) and pair.unit == "value")
        or ((pair.here or pair.baseline) and (several or not pair.label.endswith(" cells")))
    )


ALWAYS = ("missing cells", "complete")
_UNITS: Mapping[str, Unit] = {"complete": "share", "smallest": "value", "mean": "value", "largest": "value"}


def _numbers(column: ColumnProfile) -> dict[str, float | None]:
    cells = column.present + column.missing
    mean = float(column.total) / column.finite if column.finite else inf
    return {
        "missing cells": column.missing,
        "complete": column.present / cells if cells else None,
        **{f"{kind} cells": column.kinds.get(kind, 0) for kind in KINDS},
        "infinite or NaN": column.not_finite,
        "smallest": column.minimum,
        "mean": mean if isfinite(mean) else None,
        "largest": column.maximum,
    }


def _categories(found: Comparison, mine: Mapping[str, int] | None, theirs: Mapping[str, int] | None) -> Comparison:
    if mine is None or theirs is None:
        return found.model_copy(update={"note": "too many different values to show them"})
    n, m = sum(mine.values()) or 1, sum(theirs.values()) or 1
    ordered = sorted({*mine, *theirs}, key=lambda one: (-max(mine.get(one, 0) / n, theirs.get(one, 0) / m), one))
    pairs = _pairs(ordered[:CATEGORIES], mine, theirs)
    if not (left := len(ordered) - CATEGORIES) > 0:
        return found.model_copy(update={"pairs": pairs})
    rest = [sum(counts.get(one, 0) for one in ordered[CATEGORIES:]) for counts in (mine, theirs)]
    pairs += (_share(f"{left:,} others", rest, (sum(mine.values()), sum(theirs.values()))),)
    note = f"{len(ordered):,} different values; the {CATEGORIES} most frequent of them are shown"
    return found.model_copy(update={"pairs": pairs, "note": note})


def _pairs(labels: Sequence[str], mine: Mapping[str, int], theirs: Mapping[str, int]) -> tuple[Pair, ...]:
    totals = sum(mine.values()), sum(theirs.values())
    return tuple(_share(one, (mine.get(one, 0), theirs.get(one, 0)), totals) for one in labels)


def _share(label: str, counts: Sequence[int], totals: Sequence[int]) -> Pair:
    here, there = (part / whole if whole else None for part, whole in zip(counts, totals, strict=True))
    return Pair(label=label, here=here, baseline=there, unit="share")


def _below(column: ColumnProfile, edges: Values, cuts: Values) -> Values | None:
    """The part of the numbers up to each cut, read straight between the edges; None where there is none.

    Edges and cuts are quartered, so that no difference of them overflows.
    """
    counts = np.zeros(len(edges) + 1)
    for place, cells in column.bins.items():
        counts[int(place)] = cells
    if not (total := counts.sum()):
        return None
    return np.asarray(np.interp(cuts / 4, edges / 4, np.cumsum(counts)[:-1]) / total)


def _bars(below: Values | None, cuts: int) -> list[float | None]:
    return [None] * (cuts + 1) if below is None else np.diff(below, prepend=0.0, append=1.0).tolist()


def _scores(profile: ScoreProfile, cuts: Values) -> list[float | None]:
    bars = np.zeros(len(cuts) + 1)
    for tally in (profile.known, profile.waiting):
        has = ~np.isnan(tally.scores)
        np.add.at(bars, np.searchsorted(cuts, tally.scores[has], "left"), tally.counts[has].sum(axis=1))
    total = bars.sum()
    return (bars / total).tolist() if total else [None] * len(bars)
