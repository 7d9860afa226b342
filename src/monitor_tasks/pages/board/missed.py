"""The page of the windows that should have a result, and those that have one."""

from collections.abc import Sequence
from typing import NamedTuple

from monitor_tasks.endpoint import Endpoint
from monitor_tasks.pages.board import common
from monitor_tasks.pages.board.common import Asked
from monitor_tasks.pages.board.frame import Page, rendered
from monitor_tasks.pages.board.strips import strip, strip_in_words
from monitor_tasks.pages.numbers import sentence
from monitor_tasks.report import State
from monitor_tasks.summary import History, Missed
from monitor_tasks.window import Window

SHOWN = 24 * 7
"""So many expected windows the strip has; the sentence counts all."""


class _Row(NamedTuple):
    """A window without a result."""

    window: str
    address: str
    because: str
    maintenance: str


def missed_page(asked: Asked, history: History) -> Page:
    """Expected against actual windows: what has no verdict, how far it came, and how to run it."""
    place, name, missed = asked.place, asked.name, history.missed
    lacking = {one.window for one in missed}
    expected = sorted({*lacking, *(one.window for one in history.records if asked.endpoint.schedule.has(one.window))})
    states = [None if one in lacking else State.KEPT for one in expected[-SHOWN:]]
    rows = [
        _Row(common.span(one.window), common.to_window(place, name, one.window) if one.because != "never ran" else "",
             sentence(one.because), sentence(one.maintenance))
        for one in reversed(missed)
    ]  # fmt: skip
    return rendered(
        "missed.html.j2", place, f"Missed windows of {name}",
        trail=[(name, place.to("endpoints", name)), ("missed windows", "")],
        told=_told(asked.endpoint, expected, missed), schedule=asked.endpoint.schedule_expression,
        drawing=strip(states),
        strip_told=strip_in_words(states).replace("healthy", "with a result"), rows=rows[: common.LISTED],
        more_rows=len(rows[common.LISTED :]), forms=[(common.forms()[0][0], "with a result"), common.forms()[-1]],
        spans=asked.spans,
        actions=common.doing(asked, missed[0].window if missed else None),
    )  # fmt: skip


def _told(endpoint: Endpoint, expected: Sequence[Window], missed: Sequence[Missed]) -> str:
    if not endpoint.schedule.hours:
        return "Its windows are made on demand, so none is expected."
    quiet = sum(bool(one.maintenance) for one in missed)
    if not expected:
        return "No window was expected in this time."
    told = f"{len(expected):,} windows were expected, {len(expected) - len(missed):,} have a verdict"
    return f"{told}, {len(missed):,} have none" + (f", {quiet:,} of these in a maintenance." if quiet else ".")
