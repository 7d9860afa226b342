"""Charts as plain SVG: large ones by altair and vl-convert, small ones by hand; colours are the page's own.

Nothing in a chart depends on the fonts of the machine that draws it: its layout is fixed and holds no text but numbers
and axis names. Texts that somebody else chose never come here.
"""

import json
import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import lru_cache
from itertools import pairwise
from typing import Any, Literal, NamedTuple

from monitor_tasks.exhibit import Comparison, Curve
from monitor_tasks.pages.numbers import apart

WIDTH, HEIGHT = 720, 150
SQUARE = 220
SMALL = (132, 30)
LARGEST = 1e150
"""No scale holds larger numbers."""
NOW, THEN, RULE = "var(--now)", "var(--then)", "var(--rule)"
ALLOWED, BROKEN, INK = "var(--allowed)", "var(--broken)", "var(--ink)"
STEPS: Literal["step-after"] = "step-after"


class Drawing(NamedTuple):
    """The inside of an SVG element, and its size."""

    width: int
    height: int
    inside: str


@lru_cache(maxsize=64)
def drawn(exhibit: Comparison | Curve) -> Drawing:
    """The exhibit as a chart: a histogram's bars, or a curve; the baseline is grey, the window a line."""
    return _histogram(exhibit) if isinstance(exhibit, Comparison) else _curve(exhibit)


def sketched(exhibit: Comparison | Curve) -> Drawing:
    """The exhibit as a small picture without axes, at next to no cost."""
    width, height = SMALL
    if isinstance(exhibit, Curve):
        sides = [[(x, y) for x, y in points] for points in (exhibit.baseline, exhibit.here)]
    else:
        top = max((x for pair in exhibit.pairs for x in (pair.here, pair.baseline) if x), default=0) or 1
        n = len(exhibit.pairs) or 1
        both = [[pair.baseline for pair in exhibit.pairs], [pair.here for pair in exhibit.pairs]]
        sides = [
            [((i + end) / n, (value or 0) / top) for i, value in enumerate(values) for end in (0, 1)]
            if any(value is not None for value in values) else []
            for values in both
        ]  # fmt: skip
    then, now = (_path([(x * width, height - 1 - y * (height - 2)) for x, y in points]) for points in sides)
    floor = f"V{height - 1}H0Z" if then and isinstance(exhibit, Comparison) else ""
    kind = "area" if isinstance(exhibit, Comparison) else "line"
    return Drawing(width, height, f'<path class="then-{kind}" d="{then}{floor}"/><path class="now" d="{now}"/>')


def bullet(value: float, lower: float | None, upper: float | None, deviation: float | None) -> Drawing:
    """A value as a mark on the span that its bounds allow, with one deviation to either side; none above 1e150."""
    width, height = 140, 16
    spread = deviation or 0.0
    known = [value - spread, value + spread, *(x for x in (lower, upper) if x is not None)]
    room = max(known) - min(known) or abs(value) or 1.0
    low, high = min(known) - 0.15 * room, max(known) + 0.15 * room

    def place(x: float) -> int:
        return round(4 + (width - 8) * (x - low) / (high - low))

    left, right = (place(lower) if lower is not None else 0), (place(upper) if upper is not None else width)
    x = place(value)
    edges = "".join(
        f'<path class="bound" d="M{place(edge)} 1v{height - 2}"/>' for edge in (lower, upper) if edge is not None
    )
    whisker = f'<path class="whisker" d="M{place(value - spread)} 8H{place(value + spread)}"/>' if spread else ""
    kept = (lower is None or value >= lower) and (upper is None or value <= upper)
    mark = f"M{x - 4} 8a4 4 0 1 0 8 0a4 4 0 1 0-8 0" if kept else f"M{x} 3l5 5-5 5-5-5z"
    allowed = f'<path class="allowed" d="M{left} 4H{max(right, left + 1)}v8H{left}z"/>'
    return Drawing(
        width, height, f'{allowed}{edges}{whisker}<path class="{"mark" if kept else "mark out"}" d="{mark}"/>'
    )


def _path(points: Sequence[tuple[float, float]]) -> str:
    """A line through the points; level steps are written as such."""
    if not points:
        return ""
    corners = [(round(x), round(y)) for x, y in points]
    drawn_ = [f"M{corners[0][0]} {corners[0][1]}"]
    for (x, y), (across, down) in pairwise(corners):
        if down == y:
            drawn_.append(f"H{across}" if across != x else "")
        else:
            drawn_.append(f"V{down}" if across == x else f"L{across} {down}")
    return "".join(drawn_)


def _histogram(shown: Comparison) -> Drawing:
    import altair as alt

    bars = [*shown.pairs, shown.pairs[-1]]  # a step ends where the next one begins
    rows = [{"x": place, "here": pair.here, "then": pair.baseline} for place, pair in enumerate(bars)]
    ticks = range(1, len(shown.cuts) + 1, -(-len(shown.cuts) // 9))
    labels = json.dumps(["", *apart(shown.cuts)])
    across = alt.X(
        "x:Q", title=None, scale=alt.Scale(domain=[0, len(shown.pairs)], nice=False),
        axis=alt.Axis(values=list(ticks), labelExpr=f"{labels}[datum.value]", grid=False),
    )  # fmt: skip
    top = max((x for pair in shown.pairs for x in (pair.here, pair.baseline) if x is not None), default=0) or 1
    scale = alt.Scale(domain=[0, top], nice=3)
    up: dict[str, Any] = {"title": None, "scale": scale, "axis": alt.Axis(format="%", tickCount=3)}
    base = alt.Chart(alt.InlineData(values=rows)).encode(x=across)
    then = base.mark_area(interpolate=STEPS, fill=THEN).encode(y=alt.Y("then:Q", **up))
    now = base.mark_line(interpolate=STEPS, stroke=NOW, strokeWidth=2).encode(y=alt.Y("here:Q", **up))
    return _svg((then + now).properties(width=WIDTH, height=HEIGHT), {"left": 44, "right": 16, "top": 8, "bottom": 22})


def _curve(shown: Curve) -> Drawing:
    import altair as alt

    whole = alt.Scale(domain=[0, 1], nice=False)
    axis: dict[str, Any] = {"scale": whole, "axis": alt.Axis(values=[0, 0.25, 0.5, 0.75, 1], titleFontWeight="normal")}

    def line(points: Sequence[tuple[float, float]], **style: Any) -> Any:
        rows = [{"i": i, "x": round(x, 4), "y": round(y, 4)} for i, (x, y) in enumerate(points)]
        return (
            alt.Chart(alt.InlineData(values=rows))
            .mark_line(**style)
            .encode(x=alt.X("x:Q", title=shown.across, **axis), y=alt.Y("y:Q", title=shown.up, **axis), order="i:Q")
        )

    chance = line([(0, 0), (1, 1)], stroke=RULE, strokeWidth=1)
    then, now = line(shown.baseline, stroke=THEN, strokeWidth=4), line(shown.here, stroke=NOW, strokeWidth=2)
    layers = (chance + then + now).properties(width=SQUARE, height=SQUARE)
    return _svg(layers, {"left": 52, "right": 12, "top": 8, "bottom": 40})


def strips(moments: Sequence[datetime], rows: Mapping[str, Sequence[str | None]]) -> Drawing:
    """What was done at each moment, a strip a row: the line is as high as its action matters, and broken by None."""
    import altair as alt

    heights = {"rest": 0.05, "alert": 0.45, "retrain": 0.85}
    titles = f"{json.dumps([*rows][::-1])}[floor(datum.value)]"
    places = alt.Axis(values=[row + 0.45 for row in range(len(rows))], labelExpr=titles, grid=False, ticks=False)
    across = alt.X("x:T", title=None, scale=alt.Scale(type="utc"), axis=alt.Axis(grid=False, tickCount=8))
    up = alt.Y("y:Q", title=None, scale=alt.Scale(domain=[0, len(rows)], nice=False), axis=places)
    layers = []
    for row, actions, colour in zip(reversed(range(len(rows))), rows.values(), (THEN, NOW), strict=True):
        seen = [None if action is None else row + heights[action] for action in actions]
        points = [{"x": f"{moment:%Y-%m-%dT%H:%M:%SZ}", "y": y} for moment, y in zip(moments, seen, strict=True)]
        line = alt.Chart(alt.InlineData(values=points)).mark_line(interpolate=STEPS, stroke=colour, strokeWidth=1.5)
        layers.append(line.encode(x=across, y=up))
    chart = alt.layer(*layers).properties(width=WIDTH, height=HEIGHT)
    return _svg(chart, {"left": 84, "right": 16, "top": 8, "bottom": 22}, extent=80)


Numbers = Sequence[float | None]


def along(
    moments: Sequence[datetime], values: Numbers, bounds: tuple[Numbers, Numbers], broken: Sequence[bool],
    marks: Sequence[datetime] = (),
) -> Drawing | None:  # fmt: skip
    """A metric along the windows over what its bounds allow: violations are lozenges, what happened is a rule.

    None where no window has a number.
    """
    import altair as alt

    rows, (low, high) = _rows_of(moments, values, *bounds)
    if low is None:
        return None
    for row, is_broken in zip(rows, broken, strict=True):
        row |= {"broken": row["y"] if is_broken else None, "low": _or(row["low"], low), "high": _or(row["high"], high)}
        if row["bounded"] is False:
            row |= {"low": None, "high": None}
    base, up = _over_time(alt, rows, low, high)
    span = base.mark_area(interpolate=STEPS, fill=ALLOWED).encode(y=up("low"), y2="high:Q")
    line = base.mark_line(stroke=NOW, strokeWidth=2, point={"fill": NOW, "size": 14}).encode(y=up("y"))
    points = base.mark_point(shape="diamond", fill=BROKEN, stroke=BROKEN, size=70, opacity=1).encode(y=up("broken"))
    rules = alt.Chart(alt.InlineData(values=[{"x": _instant(one)} for one in marks]))
    layers = [span, rules.mark_rule(stroke=INK, strokeDash=[3, 3]).encode(x="x:T"), line, points]
    return _timeline(alt.layer(*(layers if marks else [span, line, points])))


def banded(
    moments: Sequence[datetime], values: Numbers, bounds: tuple[Numbers, Numbers], realised: Numbers
) -> Drawing | None:
    """An estimate with its band, and as dots what was realised; None where no window has an estimate."""
    import altair as alt

    rows, (low, high) = _rows_of(moments, values, *bounds, realised)
    if low is None:
        return None
    base, up = _over_time(alt, rows, low, high)
    band = base.mark_area(fill=THEN, opacity=0.6).encode(y=up("low"), y2="high:Q")
    line = base.mark_line(stroke=NOW, strokeWidth=2).encode(y=up("y"))
    dots = base.mark_point(fill=INK, stroke=INK, size=40, opacity=1).encode(y=up("realised"))
    return _timeline(alt.layer(band, line, dots))


def _instant(moment: datetime) -> str:
    return f"{moment:%Y-%m-%dT%H:%M:%SZ}"


def _or(value: float | None, other: float | None) -> float | None:
    return other if value is None else value


def _rows_of(moments: Sequence[datetime], *columns: Numbers) -> tuple[list[dict[str, Any]], tuple[Any, Any]]:
    """A row for each window, without what no scale holds; and the span of all numbers, with some air."""
    rows: list[dict[str, Any]] = []
    for moment, *numbers in zip(moments, *columns, strict=True):
        seen = [x if x is not None and abs(x) < LARGEST else None for x in numbers]
        named = dict(zip(("y", "low", "high", "realised"), seen, strict=False))
        rows.append({"x": _instant(moment), **named, "bounded": any(x is not None for x in numbers[1:3])})
    known = [row[name] for row in rows for name in ("y", "low", "high", "realised") if row.get(name) is not None]
    if not any(row["y"] is not None for row in rows):
        return rows, (None, None)
    air = 0.08 * ((max(known) - min(known)) or abs(known[0]) or 1.0)
    return rows, (min(known) - air, max(known) + air)


def _over_time(alt: Any, rows: Sequence[Mapping[str, Any]], low: float, high: float) -> tuple[Any, Any]:
    """A chart of the rows along the time, and what makes an axis of one of their numbers."""
    form = "%H:%M" if rows[0]["x"][:10] == rows[-1]["x"][:10] else "%m-%d %H:%M"
    axis = alt.Axis(grid=False, tickCount=6, format=form)
    across = alt.X("x:T", title=None, scale=alt.Scale(type="utc"), axis=axis)
    base = alt.Chart(alt.InlineData(values=list(rows))).encode(x=across)
    scale = alt.Scale(domain=[low, high], nice=False, zero=False)
    return base, lambda name: alt.Y(f"{name}:Q", title=None, scale=scale, axis=alt.Axis(tickCount=5))


def _timeline(chart: Any) -> Drawing:
    sized = chart.properties(width=WIDTH, height=200)
    return _svg(sized, {"left": 64, "right": 40, "top": 10, "bottom": 24}, extent=60)


def _rounded(attribute: re.Match[str]) -> str:
    return re.sub(r"-?\d+\.\d{2,}", lambda found: f"{float(found[0]):.1f}".removesuffix(".0"), attribute[0])


def _svg(chart: Any, padding: dict[str, int], extent: int = 30) -> Drawing:
    """The chart without anything that is measured, fetched, or named twice on a page."""
    import vl_convert

    words = {"labelColor": "currentColor", "titleColor": "currentColor", "labelFontSize": 11, "titleFontSize": 11}
    still = {"labelOverlap": False, "labelBound": False, "labelFlush": False, "labelLimit": 0, "titleLimit": 0}
    lines = {
        "gridColor": RULE,
        "domainColor": RULE,
        "tickColor": RULE,
        "titlePadding": 8,
        "maxExtent": extent,
        "minExtent": extent,
    }
    spec = chart.to_dict()
    spec |= {"padding": padding, "autosize": {"type": "none"}, "background": None}
    spec["config"] = {"aria": False, "view": {"stroke": None}, "axis": {**words, **still, **lines}}
    svg = vl_convert.vegalite_to_svg(spec)
    head = re.match(r'<svg [^>]*width="(\d+)" height="(\d+)"[^>]*>', svg)
    if head is None:
        raise ValueError(f"not an SVG: {svg[:80]}")
    inside = svg[head.end() :].removesuffix("</svg>")
    inside = re.sub(r' (?:font-family|pointer-events|class|aria-[a-z]+|role|stroke-miterlimit)="[^"]*"', "", inside)
    inside = re.sub(r' (?:d|transform)="[^"]*"', _rounded, inside)
    inside = re.sub(r'<path(?: fill="none")? d="M0,0h0v0h0Z"[^>]*/>|<path d=""[^>]*/>', "", inside)
    while inside != (inside := re.sub(r"<g[^>]*/>|<g[^>]*></g>", "", inside)):
        pass
    return Drawing(int(head[1]), int(head[2]), inside)
