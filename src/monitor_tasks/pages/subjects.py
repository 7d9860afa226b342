"""What a page tells of one column, group or label: in full, in a line; and why some constraints have no answer."""

from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from monitor_tasks.exhibit import Comparison
from monitor_tasks.pages.numbers import sentence, text
from monitor_tasks.pages.shown import Shown, shown
from monitor_tasks.pages.vocabulary import word
from monitor_tasks.pages.words import MARKS, Told, told, value_and_bound, why_undecided
from monitor_tasks.report import Finding, Report, State

TOLD = 20
"""So many findings of one subject are told."""
NAMED = 12
"""So many names stand in one row of the summary and of the reasons."""
_ORDER = (State.BROKEN, State.FAILED, State.UNDECIDED, State.KEPT)


class Subject(NamedTuple):
    """What a page tells of one column, group or label."""

    name: str
    anchor: str
    findings: tuple[Told, ...]
    more: Mapping[State, int]
    """How many findings in each state are not told."""
    shown: Shown | None
    marks: tuple[tuple[State, int], ...]
    """How many findings are in each state that occurs."""
    unmatched: tuple[str, ...]
    """Of the whole table: columns that only one side has."""


class Row(NamedTuple):
    """One subject as a line of a table."""

    name: str
    anchor: str
    """Where the summary leads to; empty where it does not."""
    sketch: Shown | None
    short: str
    """Its findings in one line."""
    marks: tuple[tuple[State, int], ...]
    """How many findings are in each state that occurs."""


class Reason(NamedTuple):
    """Why some constraints have no answer."""

    state: State
    because: str
    constraints: str


class Known(NamedTuple):
    """One subject before it is put into words."""

    name: str
    place: int
    findings: tuple[Finding, ...]
    exhibit: Comparison | None

    @property
    def violations(self) -> list[Finding]:
        """Its broken constraints."""
        return [one for one in self.findings if one.state is State.BROKEN]

    @property
    def ordered(self) -> list[Finding]:
        """Its findings, the broken ones first, and of these what broken data means."""
        return sorted(self.findings, key=lambda one: (_ORDER.index(one.state), one.constraint.cause))

    @property
    def marks(self) -> tuple[tuple[State, int], ...]:
        """How many findings are in each state that occurs."""
        states = [one.state for one in self.findings]
        return tuple((state, count) for state in _ORDER if (count := states.count(state)))


def subjects_of(report: Report, exhibits: Sequence[Comparison]) -> list[Known]:
    """Every subject with its findings and its exhibit: the whole table, then the order of the exhibits."""
    by_subject: dict[str, list[Finding]] = {"": [], **{one.subject: [] for one in exhibits}}
    for finding in report.findings:
        by_subject.setdefault(finding.constraint.subject, []).append(finding)
    drawings = {one.subject: one for one in exhibits}
    return [
        Known(name, place, tuple(found), drawings.get(name)) for place, (name, found) in enumerate(by_subject.items())
    ]


def unmatched_columns(subjects: Sequence[Known]) -> tuple[str, ...]:
    """The columns that only one side has, and which: what a broken number of columns is about."""
    lone = [one for one in subjects if one.exhibit is not None and "no such column" in one.exhibit.note]
    more = (f"and {len(lone) - NAMED:,} more",) if len(lone) > NAMED else ()
    said = (f"{text(one.name, 60)}: {sentence(one.exhibit.note.split('; ')[0])}" for one in lone[:NAMED] if one.exhibit)
    return (*said, *more)


def reasons_of(report: Report) -> Iterator[Reason]:
    """Why constraints failed or are undecided, each reason once."""
    for state in (State.FAILED, State.UNDECIDED):
        grouped: dict[str, dict[str, int]] = {}  # a dict keeps an order and knows each name once
        for one in report.having(state):
            because, alone = why_undecided(one)
            metric, subject = word(one.constraint, one.metric).what, text(one.constraint.subject, 60)
            name = f"{metric} of {subject}" if subject else metric
            grouped.setdefault(because, {})[f"{name} ({alone})" if alone else name] = 1
        for because, names in grouped.items():
            more = f" and {len(names) - NAMED:,} more, all in report.json" if len(names) > NAMED else ""
            yield Reason(state, because, ", ".join(list(names)[:NAMED]) + more)


def in_full(known: Known, chart: bool, unmatched: tuple[str, ...]) -> Subject:
    """The subject in words."""
    findings = known.ordered
    left = [one.state for one in findings[TOLD:]]
    return Subject(
        name=text(known.name),
        anchor=f"s{known.place}",
        findings=tuple(map(told, findings[:TOLD])),
        more={state: left.count(state) for state in _ORDER if state in left},
        marks=known.marks,
        shown=shown(known.exhibit, chart) if known.exhibit else None,
        unmatched=() if known.name else unmatched,
    )


def in_a_line(known: Known, sketch: bool, findings: int) -> Row:
    """The subject in one line."""
    picture = shown(known.exhibit, False) if sketch and known.exhibit else None
    more = len(known.findings) - findings
    short = [*map(_short, known.ordered[:findings]), *([f"{more} more"] if more > 0 else [])]
    note = [sentence(known.exhibit.note)] if known.exhibit and known.exhibit.note else []
    anchor = f"s{known.place}" if known.violations else ""
    return Row(text(known.name), anchor, picture, "; ".join([*short, *note]), known.marks)


def _short(finding: Finding) -> str:
    value, bound = value_and_bound(finding)
    mark = "" if finding.state is State.KEPT else f" {MARKS[finding.state]}"
    return f"{word(finding.constraint, finding.metric).what} {value} ({bound}){mark}"
