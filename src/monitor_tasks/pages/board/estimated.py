"""The page of estimates: what metrics were expected to be without labels, beside what was realised once they came."""

from collections.abc import Sequence
from typing import NamedTuple

from monitor_tasks.history import EstimateSeries, History
from monitor_tasks.pages.board import common
from monitor_tasks.pages.board.common import Asked
from monitor_tasks.pages.board.frame import Page, rendered
from monitor_tasks.pages.charts import Drawing, banded
from monitor_tasks.pages.estimates import ASSUMED
from monitor_tasks.pages.numbers import NOTHING, number
from monitor_tasks.pages.words import MARKS
from monitor_tasks.report import State
from monitor_tasks.window import Window

DRAWN = 6
"""So many estimated metrics have a picture; the others their numbers."""


class _Estimate(NamedTuple):
    """An estimated metric beside the realised one."""

    name: str
    drawing: Drawing | None
    told: str
    rows: Sequence[tuple[str, ...]]


def estimates_page(asked: Asked, history: History) -> Page:
    """Every estimated metric, drawn large with its band and with what was realised."""
    place, name = asked.place, asked.name
    return rendered(
        "estimates.html.j2", place, f"Estimated quality of {name}",
        trail=[(name, place.to("endpoints", name)), ("estimates", "")], assumed=ASSUMED,
        spans=asked.spans,
        estimates=[_estimate(one, history.windows, at < DRAWN) for at, one in enumerate(history.estimates)],
    )  # fmt: skip


def _estimate(one: EstimateSeries, windows: Sequence[Window], is_drawn: bool) -> _Estimate:
    graded = [inside for inside in one.inside if inside is not None]
    told = f"{sum(graded):,} of {len(graded):,} realised values lie inside their bands" if graded else "none is graded"
    moments = [window.start for window in windows]
    drawing = banded(moments, one.values, (one.lower, one.upper), one.realised) if is_drawn else None
    columns = zip(windows, one.values, one.lower, one.upper, one.realised, one.inside, strict=True)
    rows = [
        (common.span(window), number(value), f"{number(lower)} to {number(upper)}", number(realised), _grade(inside))
        for window, value, lower, upper, realised, inside in columns
    ]
    return _Estimate(common.worded("", one.metric, "").what, drawing, told, rows[::-1][: common.LISTED])


def _grade(inside: bool | None) -> str:
    if inside is None:
        return NOTHING
    return f"{MARKS[State.KEPT]} inside" if inside else f"{MARKS[State.BROKEN]} outside"
