"""The page of one endpoint: its windows, episodes, what happened, and the history of every metric."""

from collections.abc import Iterator, Sequence
from itertools import chain
from typing import NamedTuple

from monitor_tasks.episodes import Episode
from monitor_tasks.history import EstimateSeries, History
from monitor_tasks.pages.board import common
from monitor_tasks.pages.board.common import Asked
from monitor_tasks.pages.board.frame import Page, Place, moment, rendered
from monitor_tasks.pages.board.overview import RISK_SIGNS, missed_in
from monitor_tasks.pages.board.strips import Point, line, state_of, strip, strip_in_words, ticks
from monitor_tasks.pages.charts import Drawing
from monitor_tasks.pages.estimates import ASSUMED
from monitor_tasks.pages.numbers import NOTHING, number, sentence, text
from monitor_tasks.report import State
from monitor_tasks.shard import Series, WindowRecord
from monitor_tasks.summary import EndpointSummary, Risk
from monitor_tasks.window import Window

STATES = {Risk.HIGH: State.FAILED, Risk.MEDIUM: State.BROKEN, Risk.LOW: State.KEPT, Risk.UNKNOWN: State.UNDECIDED}
CELLS, POINTS = 140, 240
"""So many windows a strip has, the newest, and a line, along all of them; a metric's own page draws each one."""
Answers = Sequence[tuple[State | None, str]]


class Told(NamedTuple):
    """A metric as a line of the table."""

    monitor: str
    subject: str
    what: str
    check: str
    address: str
    drawing: Drawing
    told: str
    value: str
    sort: str
    allowed: str
    state: State | None
    answer: str
    answers: str
    """Every answer that it had, for the table's filter."""
    violations: int


class _Window(NamedTuple):
    """A window as a line of the table."""

    window: str
    address: str
    cells: Answers
    used: str
    coverage: str


class _Episode(NamedTuple):
    """An episode as a line of the table."""

    number: str
    is_open: bool
    severity: str
    first: str
    first_address: str
    last: str
    last_address: str
    windows: int
    owner: str
    because: str
    retrained: str
    retrained_address: str


class _Estimate(NamedTuple):
    """An estimated metric beside the realised one, as a line of the table."""

    name: str
    drawing: Drawing
    told: str
    value: str
    band: str
    realised: str


def endpoint_page(asked: Asked, summary: EndpointSummary, history: History) -> Page:
    """One endpoint along its windows; everything is also there as a table."""
    place, name, monitors = asked.place, asked.name, asked.monitors
    rows = [_window(place, name, one, monitors) for one in reversed(history.records[-common.LISTED :])]
    series = sorted((told(place, name, one) for one in history.series), key=_order)
    last = summary.last_window or (history.windows[-1] if history.windows else None)
    return rendered(
        "endpoint.html.j2", place, name, trail=[(name, "")], name=text(name), state=STATES[summary.risk],
        sign=RISK_SIGNS[summary.risk], risk=summary.risk.capitalize(), because=sentence(summary.because),
        facts=_facts(summary), views=_views(place, name, last, summary), spans=asked.spans, forms=common.forms(),
        strips=list(_strips(history, monitors)), cells=CELLS, more_cells=len(history.records) > CELLS,
        rows=rows, more_rows=len(history.records) - len(rows),
        monitors=[one.replace("_", " ") for one in monitors],
        episodes=[_episode(place, name, one) for one in reversed(history.episodes)],
        events=common.happened(place, name, history.marks)[: common.LISTED],
        estimates=[_estimate(one) for one in history.estimates], assumed=ASSUMED,
        estimates_address=place.to("endpoints", name, "estimates"), series=series[: common.LISTED],
        more_series=len(series[common.LISTED :]), actions=common.doing(asked, last),
    )  # fmt: skip


def _order(one: Told) -> tuple[bool, bool, int, str]:
    """What is broken now comes first, then what was broken most often."""
    return not one.violations, one.state is not State.BROKEN, -one.violations, one.subject


def told(place: Place, name: str, one: Series) -> Told:
    """A metric's line: its newest value that was judged, and how it went along the windows."""
    words = common.worded(one.check, one.metric, one.subject)
    newest = max(0, *(one.states.rfind(letter) for letter in common.LETTERS))
    value, allowed = common.bounded(words, one.values[newest], one.lower[newest], one.upper[newest])
    state = common.LETTERS.get(one.states[newest])
    broken = one.states.count("b")
    answers = {common.LETTERS[letter] for letter in {*one.states} & {*common.LETTERS}}
    return Told(
        one.monitor.replace("_", " "), text(one.subject), words.what, text(one.check),
        common.to_series(place, name, one.key), line(points(one, POINTS)), _in_words(words.what, one),
        value, common.told_number(one.values[newest]), allowed, state, state or "not judged",
        " ".join(sorted(answers)), broken,
    )  # fmt: skip


def points(one: Series, most: int) -> list[Point]:
    """The windows of a series as what a line is drawn from; of too many those with violations, and some between.

    >>> found = Series("bias", "c", "m", "", [1.0, 2.0, 3.0, 4.0, 5.0], [None] * 5, [None] * 5, "kbkkk")
    >>> [point.value for point in points(found, 3)]
    [2.0, 4.0, 5.0]
    """
    size, step = len(one.states), -(-len(one.states) // most) or 1
    ends = ((start, min(start + step, size)) for start in range(0, size, step))
    broken = ((one.states.find("b", *each), each[1] - 1) for each in ends)
    return [
        Point(one.values[at], one.lower[at], one.upper[at], common.LETTERS.get(one.states[at]))
        for at in (last if first < 0 else first for first, last in broken)
    ]


def _in_words(what: str, one: Series) -> str:
    """What a line shows, for who does not see it."""
    values = [x for x in one.values if x is not None]
    if not values:
        return f"{what}: no number in {len(one.values):,} windows"
    broken = one.states.count("b")
    return (
        f"{what} in {len(values):,} windows, from {number(min(values))} to {number(max(values))}, the newest "
        f"{number(values[-1])}; {broken:,} violations"
    )


def _facts(summary: EndpointSummary) -> list[tuple[str, str]]:
    last, lag = summary.last_window, summary.capture_lag
    return common.facts(
        owner=summary.owner, tags=", ".join(summary.tags), schedule=summary.schedule,
        last_window=moment(last.end) if last else "none yet",
        newest_capture="none" if lag is None else f"{common.lasting(lag)} ago",
        labelled="" if summary.label_coverage is None else common.percent(summary.label_coverage),
        open_episodes=str(len(summary.episodes)), missed_windows=f"{missed_in(summary):,}",
    )  # fmt: skip


def _views(place: Place, name: str, last: Window | None, summary: EndpointSummary) -> list[tuple[str, str]]:
    newest = [("The newest window", common.to_window(place, name, last))] if last else []
    missed = f"Missed windows ({number:,})" if (number := missed_in(summary)) else "Missed windows"
    return [
        *newest, ("Baselines and their constraints", place.to("endpoints", name, "baselines")),
        (missed, place.to("endpoints", name, "missed")),
    ]  # fmt: skip


def _strips(history: History, monitors: Sequence[str]) -> Iterator[tuple[str, Drawing, str]]:
    """A strip for the verdicts and one for each monitor, over the windows that ran or should have run."""
    known = {one.window: one for one in history.records}
    windows = sorted({*known, *(one.window for one in history.missed)})[-CELLS:]
    records = [known.get(window) for window in windows]
    verdicts = [state_of(one.verdict.status if one and one.verdict else None) for one in records]
    of_monitors = (
        (name.replace("_", " "), [state_of(one.monitors[name].status if one and name in one.monitors else None)
                                  for one in records])
        for name in monitors
    )  # fmt: skip
    for name, states in chain([("verdict", verdicts)], of_monitors):
        yield name, strip(states), strip_in_words(states)
    yield from _ticks(history, windows)


def _ticks(history: History, windows: Sequence[Window]) -> Iterator[tuple[str, Drawing, str]]:
    """A strip for each kind of what happened."""
    places = {window: place for place, window in enumerate(windows)}
    for kind, sign in common.SIGNS.items():
        found = sorted({places[one.window] for one in history.marks if one.kind == kind and one.window in places})
        if found:
            told = f"at {len(found):,} of the last {len(windows):,} windows"
            yield f"{sign} {kind}", ticks(found, len(windows)), told


def _window(place: Place, name: str, one: WindowRecord, monitors: Sequence[str]) -> _Window:
    found = [one.monitors.get(monitor) for monitor in monitors]
    verdict = one.verdict
    cells = [
        (common.answered(verdict.status)[0], str(verdict.action)) if verdict else (None, "no verdict"),
        *(common.answered(this.status if this else None) for this in found),
    ]
    used = one.ledger.get("used")
    labels = one.labels
    return _Window(
        common.span(one.window), common.to_window(place, name, one.window), cells,
        NOTHING if used is None else f"{used:,}", common.percent(labels.coverage if labels else None),
    )  # fmt: skip


def _episode(place: Place, name: str, one: Episode) -> _Episode:
    def way(window: Window | None) -> tuple[str, str]:
        return (common.span(window), common.to_window(place, name, window)) if window else ("", "")

    return _Episode(
        text(one.number.lstrip("0") or one.number), one.is_open, text(one.severity), *way(one.first), *way(one.last),
        one.windows, text(one.owner), sentence(one.because), *way(one.retrained),
    )  # fmt: skip


def _estimate(one: EstimateSeries) -> _Estimate:
    """The estimate over its band, what was realised as dots, and the newest of each."""
    name = common.worded("", one.metric, "").what
    graded = [inside for inside in one.inside if inside is not None]
    told_ = f"{sum(graded):,} of {len(graded):,} realised values lie inside their bands" if graded else "none is graded"
    newest = max((at for at, value in enumerate(one.values) if value is not None), default=0)
    columns = (column[-POINTS:] for column in (one.values, one.lower, one.upper))
    drawing = line([Point(*each) for each in zip(*columns, strict=True)], one.realised[-POINTS:], "band")
    return _Estimate(
        name, drawing, told_, number(one.values[newest]),
        f"{number(one.lower[newest])} to {number(one.upper[newest])}", number(one.realised[newest]),
    )  # fmt: skip
