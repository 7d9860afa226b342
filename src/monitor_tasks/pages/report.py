"""A window's report as one HTML file: what broke, what is undecided, and every column beside its baseline."""

from base64 import b64encode
from collections.abc import Iterable, Sequence
from functools import cache
from hashlib import sha256
from importlib.resources import files
from itertools import pairwise
from typing import NamedTuple

from jinja2 import Environment, PackageLoader, StrictUndefined

from monitor_tasks.exhibit import Comparison, Curve, Exhibit, Pair
from monitor_tasks.pages.charts import Drawing, drawn, sketched
from monitor_tasks.pages.numbers import NOTHING, apart, in_unit, sentence, text
from monitor_tasks.pages.words import MARKS, STATUSES, Told, told, value_and_bound
from monitor_tasks.report import Finding, Report, State
from monitor_tasks.value import UserError
from monitor_tasks.window import Window

SIZE_LIMIT = 500_000
"""No page is larger, whatever the rows and columns are."""


class Level(NamedTuple):
    """How much of everything a page shows: the first level that fits is taken."""

    charts: int
    """Full charts of what broke."""
    broken: int
    """Columns with a violation that are told in full."""
    cards: int
    """Where there are at most so many other columns, each has all its numbers; else a line of one table."""
    lines: int
    """Lines of that table."""
    reasons: int
    """Reasons why something is undecided."""


LEVELS = (
    Level(12, 60, 40, 400, 60),
    Level(8, 40, 16, 400, 40),
    Level(4, 20, 0, 250, 20),
    Level(2, 12, 0, 60, 12),
    Level(0, 6, 0, 0, 6),
)


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


class Subject(NamedTuple):
    """What a page tells of one column, group or label."""

    name: str
    findings: tuple[Told, ...]
    shown: Shown | None
    short: str
    """All its findings in one line."""
    marks: tuple[tuple[State, int], ...]
    """How many findings are in each state that occurs."""


class Reason(NamedTuple):
    """Why some constraints have no answer."""

    state: State
    because: str
    constraints: str


def report_page(report: Report, exhibits: Sequence[Exhibit]) -> bytes:
    """The report as one self-contained HTML file: no script, nothing remote, under 500 KB."""
    subjects = _subjects(report, [one for one in exhibits if isinstance(one, Comparison) and one.subject])
    whole = [one for one in exhibits if isinstance(one, Curve) or not one.subject]
    for level in LEVELS:
        page = _page(report, subjects, whole, level)
        if len(page) <= SIZE_LIMIT:
            break
    return page


class _Known(NamedTuple):
    """One subject before it is put into words."""

    name: str
    findings: tuple[Finding, ...]
    exhibit: Comparison | None

    @property
    def states(self) -> set[State]:
        return {one.state for one in self.findings}


def _subjects(report: Report, exhibits: Sequence[Comparison]) -> list[_Known]:
    """Every subject with its findings and its exhibit, in the order of the exhibits."""
    by_subject: dict[str, list[Finding]] = {one.subject: [] for one in exhibits}
    for finding in report.findings:
        by_subject.setdefault(finding.constraint.subject, []).append(finding)
    shown = {one.subject: one for one in exhibits}
    return [_Known(name, tuple(found), shown.get(name)) for name, found in by_subject.items()]


def _page(report: Report, subjects: Sequence[_Known], whole: Sequence[Exhibit], level: Level) -> bytes:
    broken = [one for one in subjects if State.BROKEN in one.states]
    others = [one for one in subjects if State.BROKEN not in one.states and (one.name or one.findings)]
    as_cards = len(others) <= level.cards
    others = others if as_cards else others[: level.lines]
    state, status, meaning = STATUSES[report.status]
    style = files("monitor_tasks.pages").joinpath("templates/report.css").read_text("utf-8")
    page = _environment().get_template("report.html.j2").render(
        style=style,
        style_hash=b64encode(sha256(style.encode()).digest()).decode(),
        endpoint=text(report.endpoint),
        monitor=text(report.monitor.replace("_", " ")),
        window=_span(report.window),
        state=state,
        status=status,
        meaning=meaning,
        counts=[(one, MARKS[one], len(report.having(one))) for one in State],
        rows=f"{report.rows:,}",
        baseline=text(report.baseline),
        model=_model(report),
        notes=[sentence(note) for note in report.notes[:20]],
        broken=[_subject(one, place < level.charts) for place, one in enumerate(broken[: level.broken])],
        more_broken=len(broken) - len(broken[: level.broken]),
        whole=[_shown(one, bool(broken) and level.charts > 0) for one in whole],
        reasons=(reasons := list(_reasons(report)))[: level.reasons],
        more_reasons=len(reasons) - len(reasons[: level.reasons]),
        others=[_subject(one, False) for one in others],
        more_others=len(subjects) - len(broken) - len(others),
        as_cards=as_cards,
        marks=MARKS,
        nothing=NOTHING,
    )  # fmt: skip
    return page.encode("utf-8", "replace")


@cache
def _environment() -> Environment:
    loader = PackageLoader("monitor_tasks.pages")
    return Environment(
        loader=loader, autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )  # fmt: skip


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
    return [(text(name), text(value)) for name, value in said.items() if value]


def _reasons(report: Report) -> Iterable[Reason]:
    """Why constraints failed or are undecided, each reason once."""
    for state in (State.FAILED, State.UNDECIDED):
        grouped: dict[str, dict[str, int]] = {}  # a dict keeps an order and knows each name once
        for one in report.having(state):
            metric, subject = one.constraint.metric.replace("_", " "), text(one.constraint.subject, 60)
            grouped.setdefault(one.because, {})[f"{text(metric, 60)} of {subject}" if subject else text(metric, 60)] = 1
        for because, names in grouped.items():
            more = f" and {len(names) - 12:,} more" if len(names) > 12 else ""
            yield Reason(state, sentence(because), ", ".join(list(names)[:12]) + more)


def _subject(known: _Known, chart: bool) -> Subject:
    """The subject in words; what is broken comes first."""
    order = (State.BROKEN, State.FAILED, State.UNDECIDED, State.KEPT)
    findings = sorted(known.findings, key=lambda one: order.index(one.state))
    return Subject(
        name=text(known.name),
        findings=tuple(told(one) for one in findings[:40]),
        shown=_shown(known.exhibit, chart) if known.exhibit else None,
        short="; ".join(_short(one) for one in findings[:6]),
        marks=tuple((state, count) for state in order if (count := sum(one.state is state for one in findings))),
    )


def _short(finding: Finding) -> str:
    value, bound = value_and_bound(finding)
    mark = "" if finding.state is State.KEPT else f" {MARKS[finding.state]} {finding.state}"
    return text(f"{finding.constraint.metric.replace('_', ' ')} {value} ({bound}){mark}")


def _shown(exhibit: Exhibit, chart: bool) -> Shown:
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
        change=_change(labels, exhibit.pairs),
        chart=large,
        sketch=sketched(exhibit),
        lines=tuple(_line(label, pair, top) for label, pair in zip(labels, exhibit.pairs, strict=True)),
        facts=tuple(_line(pair.label, pair, 0) for pair in exhibit.facts),
        is_histogram=bool(exhibit.cuts),
    )


def _line(label: str, pair: Pair, top: float) -> Line:
    here, baseline = (round(100 * abs(x or 0) / top) if top else 0 for x in (pair.here, pair.baseline))
    new = pair.unit == "share" and bool(pair.here) and pair.baseline == 0
    return Line(text(label), in_unit(pair.here, pair.unit), in_unit(pair.baseline, pair.unit), here, baseline, new)


def _bar_labels(cuts: Sequence[float]) -> list[str]:
    shown = apart(cuts)
    return [f"up to {shown[0]}", *(f"{low} to {high}" for low, high in pairwise(shown)), f"over {shown[-1]}"]


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
