"""The page of one metric: drawn large along the windows, with its bounds, what happened meanwhile, and its numbers."""

from collections.abc import Sequence
from typing import NamedTuple

from monitor_tasks.history import History
from monitor_tasks.pages.board import common
from monitor_tasks.pages.board.common import Asked
from monitor_tasks.pages.board.endpoint import told
from monitor_tasks.pages.board.frame import Page, Place, rendered
from monitor_tasks.pages.charts import along
from monitor_tasks.pages.numbers import text
from monitor_tasks.report import State
from monitor_tasks.shard import Series


class _Row(NamedTuple):
    """One window's number."""

    window: str
    address: str
    value: str
    allowed: str
    state: State | None
    answer: str


def metric_page(asked: Asked, series: Series, history: History) -> Page:
    """One metric of one endpoint."""
    place, name = asked.place, asked.name
    line = told(place, name, series)
    marks = [one for one in history.marks if one.monitor in ("", series.monitor)]
    moments = [one.start for one in history.windows]
    broken = [letter == "b" for letter in series.states]
    happened = [one.window.start for one in marks]
    drawing = along(moments, series.values, (series.lower, series.upper), broken, happened)
    rows = _rows(place, name, series, history)
    return rendered(
        "metric.html.j2", place, f"{line.what} of {line.subject or 'the whole window'}",
        trail=[(name, place.to("endpoints", name)), (line.what, "")], what=line.what[:1].upper() + line.what[1:],
        subject=line.subject, told=line.told, drawing=drawing, spans=asked.spans,
        facts=common.facts(endpoint=name, monitor=line.monitor, check=text(series.check), newest=line.value,
                           allowed=line.allowed, answer=line.answer),
        events=common.happened(place, name, marks)[: common.LISTED], rows=rows[: common.LISTED],
    )  # fmt: skip


def _rows(place: Place, name: str, one: Series, history: History) -> Sequence[_Row]:
    words = common.worded(one.check, one.metric, one.subject)
    found = []
    for window, value, lower, upper, letter in zip(
        history.windows, one.values, one.lower, one.upper, one.states, strict=True
    ):
        state = common.LETTERS.get(letter)
        shown = common.bounded(words, value, lower, upper)
        address = common.to_window(place, name, window)
        found.append(_Row(common.span(window), address, *shown, state, state or "not judged"))
    return found[::-1]
