"""Strips and lines as plain SVG: states by colour, height and form at once, values inside and outside their bounds."""

from collections import Counter
from collections.abc import Sequence
from itertools import groupby
from typing import NamedTuple, TypeGuard

from monitor_tasks.pages.charts import LARGEST, Drawing
from monitor_tasks.pages.words import STATUSES
from monitor_tasks.report import State, Status

CELL, HEIGHT = 7, 24
LINE = (260, 44)
FORMS = {
    State.KEPT: "M{x} 15h5v7h-5z",
    State.BROKEN: "M{x} 1h5v21h-5z",
    State.UNDECIDED: "M{x}.5 9.5h4v12h-4z",
    State.FAILED: "M{x} 1h5v8h-5zm0 13h5v8h-5z",
    None: "M{x} 21h5v1h-5z",
}
"""How each state looks in a strip: low, high, hollow, cut in two, and a line where there is nothing."""
NAMES = {
    State.KEPT: "healthy",
    State.BROKEN: "with violations",
    State.UNDECIDED: "undecided or without data",
    State.FAILED: "failed",
    None: "without a result",
}


class Point(NamedTuple):
    """One window's value of a metric."""

    value: float | None
    lower: float | None = None
    upper: float | None = None
    state: State | None = None


def state_of(status: Status | None) -> State | None:
    """What a status means for a reader; None where there is no result."""
    return None if status is None else STATUSES[status][0]


def strip(states: Sequence[State | None]) -> Drawing:
    """A cell for each window, the newest at the right."""
    paths = []
    for state, form in FORMS.items():
        cells = "".join(form.format(x=CELL * place) for place, one in enumerate(states) if one is state)
        if cells:
            paths.append(f'<path class="cell {state or "missed"}" d="{cells}"/>')
    return Drawing(max(CELL * len(states), 1), HEIGHT, "".join(paths))


def ticks(places: Sequence[int], size: int) -> Drawing:
    """A strip of so many cells in which some places are marked."""
    marked = "".join(f"M{CELL * place + 2.5:g} 7l3.5 4.5-3.5 4.5-3.5-4.5z" for place in places)
    return Drawing(max(CELL * size, 1), HEIGHT, f'<path class="mark" d="{marked}"/>')


def strip_in_words(states: Sequence[State | None]) -> str:
    """What a strip shows, for who does not see it.

    >>> strip_in_words([State.KEPT, State.KEPT, None])
    'of the last 3 windows 2 healthy, 1 without a result'
    """
    counts = Counter(states)
    told = [f"{counts[state]:,} {name}" for state, name in NAMES.items() if counts[state]]
    return f"of the last {len(states):,} windows {', '.join(told)}" if told else "no window yet"


class _Scale(NamedTuple):
    """Where values and windows lie in a picture."""

    low: float
    high: float
    step: float
    """How far apart two windows are."""

    @classmethod
    def of(cls, values: Sequence[float], windows: int) -> "_Scale":
        """A scale with some air that holds all values."""
        room = (max(values) - min(values)) or abs(values[0]) or 1.0
        return cls(min(values) - 0.06 * room, max(values) + 0.06 * room, (LINE[0] - 12) / max(windows - 1, 1))

    def across(self, place: float) -> str:
        """Where a window lies."""
        return f"{6 + self.step * place:.1f}"

    def up(self, value: float) -> str:
        """Where a value lies."""
        share = (self.high - min(max(value, self.low), self.high)) / (self.high - self.low)
        return f"{4 + (LINE[1] - 8) * share:.1f}"

    def at(self, place: int, value: float) -> str:
        """Where a window's value lies."""
        return f"{self.across(place)} {self.up(value)}"


def line(points: Sequence[Point], beside: Sequence[float | None] = (), band: str = "allowed") -> Drawing:
    """Values in window order over the span that their bounds allow; what is broken has a mark, a gap is a gap.

    Values `beside` them are dots.
    """
    seen = [*beside, *(x for one in points for x in (one.value, one.lower, one.upper))]
    known = [x for x in seen if _is_drawn(x)]
    if not known:
        return Drawing(*LINE, "")
    scale = _Scale.of(known, len(points))
    paths = {
        band: _spans(scale, points),
        "now": _lines(scale, [one.value for one in points]),
        "dot": [f"M{scale.at(place, x)}m-3 0a3 3 0 1 0 6 0a3 3 0 1 0-6 0"
                for place, x in enumerate(beside) if _is_drawn(x)],
        "mark out": [f"M{scale.at(place, one.value)}m0-4.5l4.5 4.5-4.5 4.5-4.5-4.5z"
                     for place, one in enumerate(points) if one.state is State.BROKEN and _is_drawn(one.value)],
    }  # fmt: skip
    drawn = ((kind, "".join(pieces)) for kind, pieces in paths.items())
    return Drawing(*LINE, "".join(f'<path class="{kind}" d="{path}"/>' for kind, path in drawn if path))


def _is_drawn(value: float | None) -> TypeGuard[float]:
    """Whether a number can be drawn: it is known, and a scale can hold it."""
    return value is not None and abs(value) < LARGEST


def _spans(scale: _Scale, points: Sequence[Point]) -> list[str]:
    """What the bounds allow: an area for each run of windows with the same ones, half way to its neighbours."""
    pieces, place, last = list[str](), 0, max(len(points) - 1, 0.5)
    for (lower, upper), run in groupby(points, key=lambda one: (one.lower, one.upper)):
        start, place = place, place + len(list(run))
        if lower is None and upper is None:
            continue
        top, bottom = (scale.high if upper is None else upper), (scale.low if lower is None else lower)
        left, right = scale.across(max(start - 0.5, 0)), scale.across(min(place - 0.5, last))
        pieces.append(f"M{left} {scale.up(top)}H{right}V{scale.up(bottom)}H{left}z")
    return pieces


def _lines(scale: _Scale, values: Sequence[float | None]) -> list[str]:
    """A line through the values, begun anew after a gap; a value alone is a dot."""
    pieces, is_open = list[str](), False
    for place, value in enumerate(values):
        if _is_drawn(value):
            pieces.append(f"L{scale.at(place, value)}" if is_open else f"M{scale.at(place, value)}h.1")
        is_open = _is_drawn(value)
    return pieces
