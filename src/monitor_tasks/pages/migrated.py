"""What was carried over from the service, and what a window run here and there differs in: tables in a terminal."""

from collections.abc import Iterator, Sequence
from typing import Any

from rich.console import Group
from rich.markup import escape
from rich.table import Column, Table

from monitor_tasks.pages.numbers import text

LONG = 300
"""Characters of a reason that are shown."""
LISTED = 20
"""So many differences of one file a terminal shows; more are counted."""


def head_lines(found: Any) -> Iterator[str]:
    """What stands above the YAML: how it came to be, and what was lost."""
    yield "Carried over from SageMaker by monitor-tasks migrate."
    yield "On AWS add aws_conn_id: the Airflow connection whose credentials open the addresses."
    if found.lost:
        yield "What could not be carried over:"
        yield from (text(f"- {one.what}: {one.because} ({', '.join(one.where)})", LONG) for one in found.lost)


def lost_table(found: Any) -> Group:
    """What could not be carried over, and why."""
    if not found.lost:
        return Group("Everything was carried over.")
    table = Table(*(Column(title, overflow="fold") for title in ("not carried over", "of", "because")))
    for one in found.lost:
        table.add_row(*(escape(text(cell, LONG)) for cell in (one.what, ", ".join(one.where), one.because)))
    return Group(table)


def rehearsal_table(found: Sequence[Any]) -> Group:
    """Of every monitor what its window differs in, the first ones of each; or that it is equal, and by which files."""
    parts: list[Any] = []
    for one in found:
        parts.append(escape(_summary(one)))
        if one.differences:
            parts.append(_differing(one.differences))
    return Group(*parts)


def _summary(one: Any) -> str:
    if not one.files:
        return f"{one.monitor} ({one.status}): no result of the service lies in {one.address}"
    files, within = ", ".join(one.files), f"numbers within {one.tolerance:g}, deviations aside"
    count = len(one.differences)
    said = f"{count:,} differences" if count > 1 else "1 difference" if count else "no difference"
    return f"{one.monitor} ({one.status}): {said} from {files} in {one.address}; {within}"


def _differing(differences: Sequence[Any]) -> Group:
    table = Table(*(Column(title, overflow="fold") for title in ("file", "what", "the service", "here")))
    for one in differences[:LISTED]:
        cells = (one.file, one.what, "–" if one.theirs is None else one.theirs, "–" if one.ours is None else one.ours)
        table.add_row(*(escape(text(cell, LONG)) for cell in cells))
    more = len(differences) - LISTED
    return Group(table, *([f"and {more:,} more; --json tells all"] if more > 0 else []))
