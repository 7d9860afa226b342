"""Artifacts as tables in a terminal."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

from rich.console import Console, Group
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Column, Table

from monitor_tasks.coverage import Coverage
from monitor_tasks.exhibit import ModelComparison
from monitor_tasks.gates import GateRecord
from monitor_tasks.pages.compared import shown
from monitor_tasks.pages.estimates import sentences
from monitor_tasks.pages.numbers import sentence, text
from monitor_tasks.pages.words import seen_in, value_and_bound, why_undecided
from monitor_tasks.report import Report, State

FATES = ("read", "used", "quarantined", "duplicate", "out_of_window")


def windows_table(results: Sequence[Mapping[str, Any]]) -> Group:
    """One line a window: what was read, what was found, and what is done; then why, where something is."""
    titles = ("window", "used", "quarantined", "status", "action")
    table = Table(*(Column(title, no_wrap=True) for title in titles))
    for one in results:
        counts = one["ledger"]
        cells = (one["window"], counts["used"], counts["quarantined"], one["status"], one["action"])
        table.add_row(*(escape(str(cell)) for cell in cells))
    return Group(table, *(escape(f"{one['window']}: {one['because']}") for one in results))


def ledger_table(ledger: Mapping[str, Any]) -> Group:
    """What became of the records of each object, and why some are in quarantine."""
    table = Table("object", *(fate.replace("_", " ") for fate in FATES))
    for name, counts in [*ledger["objects"].items(), ("total", ledger["totals"])]:
        table.add_row(escape(name), *(str(counts[fate]) for fate in FATES))
    return Group(table, *(f"quarantined because {reason}: {count}" for reason, count in ledger["reasons"].items()))


def cleaning_table(told: Mapping[str, Any], done: bool) -> Group:
    """What retention removes, by kind, and what stays although its time is over."""
    removed, kept = told["removed"], Counter(told["kept"].values())
    table = Table("kind", "artifacts", "windows", "of windows that end from", "to", "bytes")
    for kind, one in removed.items():
        table.add_row(kind, *(f"{cell:,}" if isinstance(cell, int) else escape(cell) for cell in one.values()))
    total = sum(one["bytes"] for one in removed.values())
    head = f"{total:,} bytes {'were removed' if done else 'would go; nothing is removed without --apply'}"
    stays = (f"past its time, but kept: {count} windows, {because}" for because, count in kept.items())
    return Group(*([table, head] if removed else ["nothing is past its time"]), *map(escape, stays))


def report_table(report: Report) -> Group:
    """The status, what broke in plain words, and why others could not be decided."""
    counts = ", ".join(f"{len(report.having(state)):,} {state}" for state in State)
    table = Table(
        *(Column(title, overflow="fold") for title in ("column", "what was seen, and by which check", "allowed"))
    )
    for one in sorted(report.violations, key=lambda one: one.constraint.cause):
        told = f"{seen_in(one)}\n{text(one.constraint.check)}"
        cells = (text(one.constraint.subject), told, value_and_bound(one)[1])
        table.add_row(*map(escape, cells))
    head = f"{report.status}: {report.rows:,} rows; constraints: {counts}"
    notes = (*_undecided(report), *map(sentence, report.notes))
    lines = (*(f"note: {one}" for one in notes), *sentences(report))
    return Group(head, *([table] if report.violations else []), *map(escape, lines))


def comparison_table(comparison: ModelComparison) -> Group:
    """What the deciding metric says, then a line for each metric."""
    known = shown(comparison)
    titles = ("metric", known.champion, known.challenger, "difference, 95 % interval", "p", "verdict")
    table = Table(*(Column(escape(title), overflow="fold") for title in titles))
    for one in known.lines:
        difference = f"{one.difference}\n{one.interval}"
        told = f"{one.verdict}: {one.because}" if one.because else one.verdict
        what = f"{one.what} (decides)" if one.decides else one.what
        table.add_row(*map(escape, (what, one.champion, one.challenger, difference, one.chance, told)))
    return Group(escape(f"{known.verdict}."), escape(f"{known.basis}."), table)


def coverage_table(found: Mapping[str, Coverage]) -> Group:
    """How many windows of each endpoint have a verdict, then a line for each that has none."""
    table = Table(*(Column(title, overflow="fold") for title in ("endpoint", "window", "how far it came")))
    for name, coverage in found.items():
        for one in coverage.missed:
            why = f"{one.because} (maintenance: {one.maintenance})" if one.maintenance else one.because
            table.add_row(*map(escape, (name, str(one.window), why)))
    heads = (
        f"{name}: {one.expected - len(one.missed):,} of {one.expected:,} windows have a verdict"
        for name, one in found.items()
    )
    return Group(*map(escape, heads), *([table] if table.row_count else []))


def gates_table(known: Sequence[GateRecord]) -> Table | str:
    """One line a gate: what became of it, who or what decided, and why."""
    if not known:
        return "nothing is recorded of its retraining"
    table = Table("gate", "outcome", *(Column(title, overflow="fold") for title in ("decided by", "because")))
    for one in known:
        table.add_row(*(escape(text(cell, 1024)) for cell in (one.gate, one.outcome, one.by, one.because)))
    return table


def history_table(known: Sequence[Mapping[str, Any]]) -> Table:
    """One line a revision: how many predictions had a label, until which hour, what came out, and what was expected."""
    rows = [_remembered(one) for one in known]
    columns = [name for name in (rows[0] if rows else ()) if any(row[name] for row in rows)]
    table = Table(*columns)
    for row in rows:
        table.add_row(*(escape(row[name]) for name in columns))
    return table


def _remembered(one: Mapping[str, Any]) -> dict[str, str]:
    """What one revision knew, by the columns of the table; those that are empty in all revisions are left out."""
    realised = one["realised"]
    cells = {
        "monitor": one["monitor"],
        "known until": one["known"],
        "labelled": one["matched"],
        "coverage": None if one["coverage"] is None else f"{one['coverage']:.1%}",
        "status": one["status"],
        "metric": one["metric"],
        "value": None if one["value"] is None else f"{one['value']:.4g}",
        "estimate": None if one["estimate"] is None else _banded(one["estimate"], *one["band"]),
        "expected": _banded(realised["expected"], realised["lower"], realised["upper"]) if realised else None,
        "graded": {None: None, True: "inside", False: "outside"}[one["inside"]],
    }
    return {name: "" if cell is None else str(cell) for name, cell in cells.items()}


def _banded(value: float, lower: float | None, upper: float | None) -> str:
    return f"{value:.4g}" if lower is None or upper is None else f"{value:.4g} ({lower:.4g} to {upper:.4g})"


def graded(one: Mapping[str, Any]) -> str:
    """How often the estimates of one metric held what their bands say."""
    if not one["windows"]:
        return f"estimated {one['metric']}: no window has enough labels to grade it"
    share = f"{one['share']:.1%}, where 95% are to be expected without concept drift"
    newest = ", ".join(one["outside"][-3:])
    outside = f"; outside, the newest last: {newest}" if newest else ""
    return (
        f"estimated {one['metric']}: inside the band in {one['inside']} of {one['windows']} windows ({share}){outside}"
    )


def _undecided(report: Report) -> Iterator[str]:
    """Why constraints failed or are undecided, each reason once."""
    for state in (State.FAILED, State.UNDECIDED):
        for because, count in Counter(why_undecided(one)[0] for one in report.having(state)).items():
            yield f"{count:,} {state}: {because}"


class ReadingProgress(Progress):
    """Files and records that were read so far, how fast, and how many records are in quarantine."""

    def __init__(self, console: Console, files: int) -> None:
        """Nothing of so many files."""
        columns = (BarColumn(), MofNCompleteColumn(), TextColumn("files"), TimeElapsedColumn())
        told = TextColumn("{task.fields[told]}")
        super().__init__(*columns, told, console=console, transient=True, disable=not console.is_terminal)
        self._files = self.add_task("", total=files, told="")

    def passed(self, chunks: Callable[[], Iterable[bytes]]) -> Iterator[bytes]:
        """The chunks of one file on their way; at their end it is done."""
        yield from chunks()
        self.advance(self._files)

    def tell(self, records: int, quarantined: int) -> None:
        """How many records were read, and how many are in quarantine."""
        elapsed = self.tasks[self._files].elapsed or 0
        speed = f", {records / elapsed:,.0f} a second" if elapsed >= 1 else ""
        self.update(self._files, told=f"{records:,} records{speed}, {quarantined:,} in quarantine")
