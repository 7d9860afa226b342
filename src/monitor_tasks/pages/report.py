"""A window's report as one HTML file: what broke, what is undecided, and every column beside its baseline."""

from base64 import b64encode
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from hashlib import sha256
from importlib.resources import files
from typing import Any, NamedTuple

from jinja2 import Environment, PackageLoader, StrictUndefined

from monitor_tasks.baseline import Cause
from monitor_tasks.exhibit import Comparison, Curve, Exhibit
from monitor_tasks.pages.compared import MARKS as DECISIONS
from monitor_tasks.pages.compared import shown as comparison_shown
from monitor_tasks.pages.estimates import ASSUMED, estimates_of
from monitor_tasks.pages.numbers import NOTHING, sentence, text
from monitor_tasks.pages.room import Room
from monitor_tasks.pages.shown import shown
from monitor_tasks.pages.subjects import NAMED, Known, in_a_line, in_full, reasons_of, subjects_of, unmatched_columns
from monitor_tasks.pages.words import CAUSES, MARKS, STATUSES, seen_in, value_and_bound
from monitor_tasks.report import Report, State
from monitor_tasks.value import UserError
from monitor_tasks.window import Window

SIZE_LIMIT = 500_000
"""No page is larger, whatever the rows and columns are."""
FRAMES = 6_000
"""Bytes of the titles and the heads of tables that stand around the pieces."""
CHARTS = 12
"""So many subjects with a violation have a large chart."""
CARDS = 40
"""Up to so many subjects without a violation have a card; more are a line each."""


def report_page(report: Report, exhibits: Sequence[Exhibit]) -> bytes:
    """The report as one self-contained HTML file: no script, nothing remote, under 500 KB.

    What matters most takes its room first: violations in full, further ones as lines, then all other columns; what has
    no room left is counted on the page.
    """
    subjects = subjects_of(report, [one for one in exhibits if isinstance(one, Comparison) and one.subject])
    whole = [one for one in exhibits if isinstance(one, Curve) or not one.subject]
    head = _head(report)
    room = Room(SIZE_LIMIT - FRAMES - len(_page(head, _Body())))
    return _page(head, _body(report, subjects, whole, room))


class _Rows(NamedTuple):
    """Subjects that are told in a line, those by name alone, and how many are left out."""

    rows: Sequence[str] = ()
    names: Sequence[str] = ()
    more: int = 0


class _Body(NamedTuple):
    """The pieces of a page that were given room, and how many of each kind had none."""

    summary: Sequence[tuple[str, Sequence[str], int]] = ()
    untried: int = 0
    broken: Sequence[str] = ()
    broken_rows: _Rows = _Rows()
    compared: str = ""
    reasons: Sequence[str] = ()
    more_reasons: int = 0
    whole: Sequence[str] = ()
    more_whole: int = 0
    others: Sequence[str] = ()
    other_rows: _Rows = _Rows()


def _body(report: Report, subjects: Sequence[Known], whole: Sequence[Exhibit], room: Room) -> _Body:
    """The parts of the page in the order in which they take its room."""
    parts: Any = environment().get_template("parts.html.j2").module
    broken = [one for one in subjects if one.violations]
    others = [one for one in subjects if not one.violations and (one.name or one.findings)]
    unmatched = unmatched_columns(subjects)
    summary = list(_summary(parts, broken, room))
    compared = [] if report.comparison is None else room.fit([parts.compared(comparison_shown(report.comparison))])
    pictures = room.fit((parts.whole(shown(one, bool(broken))) for one in whole), 0.4)
    reasons = list(reasons_of(report))
    because = room.fit(map(parts.reason, reasons), 0.15)
    told = (parts.card(in_full(one, n < CHARTS, unmatched)) for n, one in enumerate(broken))
    cards = room.fit(told, min(0.6, 0.7 * room.beside(_names(parts, subjects), 0.3)))
    broken_rows = _rows(parts, broken[len(cards) :], room, room.beside(_names(parts, others), 0.3))
    closed = None
    if len(others) <= CARDS:
        closed = room.all(parts.closed(in_full(one, False, unmatched)) for one in others)
    rows = _rows(parts, others, room) if closed is None else _Rows()
    return _Body(
        summary=summary,
        untried=sum(not one.constraint.slices for one in report.violations),
        broken=cards,
        broken_rows=broken_rows,
        compared="".join(compared),
        reasons=because,
        more_reasons=len(reasons) - len(because),
        whole=pictures,
        more_whole=len(whole) - len(pictures),
        others=closed or (),
        other_rows=rows,
    )


def _rows(parts: Any, subjects: Sequence[Known], room: Room, part: float = 1.0) -> _Rows:
    """A line for each subject, with a picture if all have room for it; else as many as leave a name to all others."""
    for sketch, findings in ((True, 6), (False, 2)):
        if (rows := room.all((parts.row(in_a_line(one, sketch, findings)) for one in subjects), part)) is not None:
            return _Rows(rows)
    names = _names(parts, subjects)
    rows = room.fit((parts.row(in_a_line(one, False, 1)) for one in subjects), part * room.beside(names, 0.0))
    named = room.fit(names[len(rows) :], part)
    return _Rows(rows, named, len(subjects) - len(rows) - len(named))


def _names(parts: Any, subjects: Sequence[Known]) -> list[str]:
    return [parts.name(text(one.name)) for one in subjects]


def _summary(parts: Any, broken: Sequence[Known], room: Room) -> Iterator[tuple[str, Sequence[str], int]]:
    """What each cause broke, a line for each subject: broken data first, since nothing else is to be trusted then."""
    causes: tuple[Cause, ...] = ("data", "world")
    for cause in causes:
        found = [(one, hits) for one in broken if (hits := [x for x in one.violations if x.constraint.cause == cause])]
        each = max(1, NAMED // (2 * len(found) or 1))
        lines = [
            parts.line(text(one.name), f"s{one.place}", seen_in(hit), value_and_bound(hit)[1], left)
            for one, hits in found
            for hit, left in zip(hits[:each], [0] * (len(hits[:each]) - 1) + [len(hits[each:])], strict=True)
        ]
        if lines:
            fitting = room.fit(lines, 0.1, NAMED)
            yield CAUSES[cause], fitting, len(lines) - len(fitting)


def _head(report: Report) -> dict[str, Any]:
    """What stands above the findings."""
    state, status, meaning = STATUSES[report.status]
    return {
        "endpoint": text(report.endpoint),
        "monitor": text(report.monitor.replace("_", " ")),
        "window": _span(report.window),
        "state": state,
        "status": status,
        "meaning": meaning,
        "counts": [(one, MARKS[one], len(report.having(one))) for one in State],
        "rows": f"{report.rows:,}",
        "baseline": text(report.baseline),
        "model": _model(report),
        "notes": [sentence(note) for note in report.notes[:20]],
        "more_notes": len(report.notes[20:]),
        "estimates": estimates_of(report),
    }


def _page(head: Mapping[str, Any], body: _Body) -> bytes:
    return rendered("report.html.j2", **head, **body._asdict())


def rendered(template: str, **told: Any) -> bytes:
    """A page by its template, in the style of all pages."""
    style = files("monitor_tasks.pages").joinpath("templates/report.css").read_text("utf-8")
    style_hash = b64encode(sha256(style.encode()).digest()).decode()
    page = environment().get_template(template)
    return page.render(**told, style=style, style_hash=style_hash).encode("utf-8", "replace")


@cache
def environment() -> Environment:
    """Where the templates of all pages are: everything is escaped, and a name that is missing is an error."""
    found = Environment(
        loader=PackageLoader("monitor_tasks.pages"), autoescape=True, undefined=StrictUndefined, trim_blocks=True,
        lstrip_blocks=True,
    )  # fmt: skip
    found.globals |= {"marks": MARKS, "nothing": NOTHING, "decisions": DECISIONS, "assumed": ASSUMED}
    return found


def _span(window: str) -> str:
    """The window as a person reads it."""
    try:
        known = Window.parse(window)
    except UserError:
        return text(window)
    same_day = known.start.date() == known.end.date()
    return f"{known.start:%Y-%m-%d %H:%M} to {known.end:{'%H:%M' if same_day else '%Y-%m-%d %H:%M'}} UTC"


def _model(report: Report) -> list[tuple[str, str]]:
    """What was declared of the model."""
    card = report.model
    if card is None:
        return []
    said = {"model": card.name, "version": card.version, "sha256": card.sha256[:12]}
    if card.decision_threshold is not None:
        said["decision threshold"] = f"{card.decision_threshold:g}"
    said |= {name: str(value) for name, value in list(card.hyper_parameters.items())[:20]}
    if more := len(card.hyper_parameters) - 20:
        said |= {"more": f"{more} hyper-parameters in report.json"} if more > 0 else {}
    return [(text(name), text(value)) for name, value in said.items() if value]
