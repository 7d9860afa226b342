"""The page of the windows that should have a result, and those that have one."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from monitor_tasks.coverage import Missed
from monitor_tasks.endpoint import Endpoint
from monitor_tasks.history import History
from monitor_tasks.pages.board import common
from monitor_tasks.pages.board.common import Asked
from monitor_tasks.pages.board.frame import Page, Place, rendered
from monitor_tasks.pages.board.strips import strip, strip_in_words
from monitor_tasks.pages.numbers import sentence
from monitor_tasks.report import State
from monitor_tasks.window import Window

SHOWN = 24 * 7
"""So many expected windows the strip has; the sentence counts all."""


class _Row(NamedTuple):
    """Windows without a result, one after another."""

    windows: str
    address: str
    number: int
    because: str
    maintenance: str


def missed_page(asked: Asked, history: History) -> Page:
    """Expected against actual windows: what has no verdict, how far it came, and how to run it."""
    place, name, missed = asked.place, asked.name, history.missed
    lacking = {one.window for one in missed}
    expected = sorted({*lacking, *(one.window for one in history.records if asked.endpoint.schedule.has(one.window))})
    states = [None if one in lacking else State.KEPT for one in expected[-SHOWN:]]
    rows = [_row(place, name, run) for run in reversed(list(_runs(missed)))]
    return rendered(
        "missed.html.j2", place, f"Missed windows of {name}",
        trail=[(name, place.to("endpoints", name)), ("missed windows", "")],
        told=_told(asked.endpoint, expected, missed), schedule=asked.endpoint.schedule_expression,
        drawing=strip(states), strip_told=strip_in_words(states).replace("healthy", "with a result"),
        rows=rows[: common.LISTED], more_rows=len(rows[common.LISTED :]), spans=asked.spans,
        forms=[(common.forms()[0][0], "with a result"), common.forms()[-1]],
        actions=common.doing(asked, Window.of(missed[0].window.start, missed[-1].window.end) if missed else None)[1:2],
    )  # fmt: skip


def _runs(missed: Sequence[Missed]) -> Iterator[list[Missed]]:
    """Windows that follow each other and lack the same."""
    run: list[Missed] = []
    for one in missed:
        if run and (run[-1].window.end, *run[-1][1:]) != (one.window.start, *one[1:]):
            yield run
            run = []
        run.append(one)
    if run:
        yield run


def _row(place: Place, name: str, run: Sequence[Missed]) -> _Row:
    first, last = run[0], run[-1]
    alone = len(run) == 1 and first.because != "never ran"
    return _Row(
        common.span(Window.of(first.window.start, last.window.end)),
        common.to_window(place, name, first.window) if alone else "", len(run), sentence(first.because),
        sentence(first.maintenance),
    )  # fmt: skip


def _told(endpoint: Endpoint, expected: Sequence[Window], missed: Sequence[Missed]) -> str:
    if not endpoint.schedule.hours:
        return "Its windows are made on demand, so none is expected."
    quiet = sum(bool(one.maintenance) for one in missed)
    if not expected:
        return "No window was expected in this time."
    told = f"{len(expected):,} windows were expected, {len(expected) - len(missed):,} have a verdict"
    return f"{told}, {len(missed):,} have none" + (f", {quiet:,} of these in a maintenance." if quiet else ".")
