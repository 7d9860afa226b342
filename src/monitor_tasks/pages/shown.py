"""Exhibits as a page shows them: a picture, its numbers in words, and where the window differs most."""

from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple

from monitor_tasks.exhibit import Curve, Exhibit, Pair, Unit
from monitor_tasks.pages.charts import Drawing, drawn, sketched
from monitor_tasks.pages.numbers import apart, in_unit, sentence, text

BESIDE = ("this window", "baseline")


class Line(NamedTuple):
    """One number of the window beside the baseline's, and both as bars of at most 100."""

    label: str
    here: str
    baseline: str
    here_bar: int
    baseline_bar: int
    new: bool
    """Whether the baseline has nothing there."""


class Shown(NamedTuple):
    """One exhibit: its picture if it has one, and its numbers."""

    title: str
    subject: str
    note: str
    change: str
    """Where the window differs most from its baseline."""
    chart: Drawing | None
    sketch: Drawing
    lines: tuple[Line, ...]
    facts: tuple[Line, ...]
    is_histogram: bool
    sides: tuple[str, str] = BESIDE
    """What the two numbers of a line are of."""


def shown(exhibit: Exhibit, chart: bool) -> Shown:
    """The exhibit in words, with a large picture if it is to have one."""
    large = drawn(exhibit) if chart and (isinstance(exhibit, Curve) or (exhibit.cuts and exhibit.pairs)) else None
    if isinstance(exhibit, Curve):
        lines = tuple(
            Line(f"{x:.2f}", _height(exhibit.here, x), _height(exhibit.baseline, x), 0, 0, False)
            for x in (0.05, 0.1, 0.2, 0.3, 0.5, 0.7, 0.9)
        )
        note = f"across: {exhibit.across}; up: {exhibit.up}"
        return Shown(exhibit.title, exhibit.title, note, "", large, sketched(exhibit), lines, (), False)
    labels = _bar_labels(exhibit.cuts) if exhibit.cuts else [pair.label for pair in exhibit.pairs]
    top = max((abs(x) for pair in exhibit.pairs for x in (pair.here, pair.baseline) if x is not None), default=0) or 1
    return Shown(
        title=text(exhibit.title),
        subject=text(exhibit.subject or exhibit.title),
        note=sentence(exhibit.note),
        change=_change(labels, exhibit.pairs) if exhibit.sides == BESIDE else "",
        chart=large,
        sketch=sketched(exhibit),
        lines=tuple(_line(label, pair, top) for label, pair in zip(labels, exhibit.pairs, strict=True)),
        facts=tuple(_line(pair.label, pair, 0) for pair in exhibit.facts),
        is_histogram=bool(exhibit.cuts),
        sides=exhibit.sides,
    )


def _line(label: str, pair: Pair, top: float) -> Line:
    here, baseline = (round(100 * abs(x or 0) / top) if top else 0 for x in (pair.here, pair.baseline))
    new = pair.unit == "share" and bool(pair.here) and pair.baseline == 0
    said = (_told(pair.here, pair.here_error, pair.unit), _told(pair.baseline, pair.baseline_error, pair.unit))
    return Line(text(label), *said, here, baseline, new)


def _told(number: float | None, error: float | None, unit: Unit) -> str:
    """The number, and two of its standard deviations where they are known."""
    reach = "" if number is None or not error else f" ± {in_unit(2 * error, unit)}"
    return in_unit(number, unit) + reach


def _bar_labels(cuts: Sequence[float]) -> list[str]:
    places = apart(cuts)
    return [f"up to {places[0]}", *(f"{low} to {high}" for low, high in pairwise(places)), f"over {places[-1]}"]


def _change(labels: Sequence[str], pairs: Sequence[Pair]) -> str:
    """Where the two differ most; nothing where they do not, or where one is unknown."""
    known = [(abs(pair.here - pair.baseline), place) for place, pair in enumerate(pairs)
             if pair.here is not None and pair.baseline is not None]  # fmt: skip
    if not known or (most := max(known, key=lambda one: (one[0], -one[1])))[0] == 0:
        return ""
    pair = pairs[most[1]]
    here, baseline = in_unit(pair.here, pair.unit), in_unit(pair.baseline, pair.unit)
    return f"largest change: {text(labels[most[1]], 60)}, {here} here and {baseline} in the baseline"


def _height(points: Sequence[tuple[float, float]], x: float) -> str:
    """How high a rising curve stands at `x`, in percent."""
    for (left, low), (right, high) in pairwise(points):
        if left <= x <= right and left < right:
            return in_unit(low + (high - low) * (x - left) / (right - left), "share")
    return in_unit(None, "share")
