"""A replayed policy as a table in a terminal, and as a page with a plot; and proposed bounds as a table."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Protocol

from rich.console import Group
from rich.markup import escape
from rich.table import Table

from monitor_tasks.pages.charts import Drawing, strips
from monitor_tasks.pages.numbers import number, text
from monitor_tasks.pages.report import rendered
from monitor_tasks.verdict import Action
from monitor_tasks.window import Window

SHOWN, LISTED = 500, 100
"""So many windows a page and a terminal show; more are counted."""


class Replayed(Protocol):
    """A window of history: what was done, and what would have been."""

    @property
    def window(self) -> Window:
        """Which one."""

    @property
    def done(self) -> Action | None:
        """What was done; None where that is not known."""

    @property
    def again(self) -> Any:
        """What would have been: action, severity, since and because."""

    @property
    def differs(self) -> bool:
        """Whether the two are different."""


def replay_summary(found: Sequence[Replayed]) -> list[str]:
    """What would have been told, and how that differs from what was done, in sentences."""
    if not found:
        return ["No report lies in this span."]
    known = [one for one in found if one.done is not None]
    then, now = (Counter(actions) for actions in ([one.done for one in known], [one.again.action for one in found]))
    lines = [f"{len(found):,} windows would be: {_counts(now)}."]
    lines.append(f"{len(known):,} have a verdict, which was: {_counts(then)}.")
    differ = [one for one in found if one.differs]
    first = f", the first in {differ[0].window}" if differ else ""
    return [*lines, f"{len(differ):,} differ{first}."]


def _counts(actions: Mapping[Any, int]) -> str:
    return ", ".join(f"{action} {actions.get(action, 0):,}" for action in Action)


def _lines(found: Sequence[Replayed]) -> Iterator[tuple[str, ...]]:
    """Every window that would have been told, or that differs: its cells."""
    for one in found:
        if one.differs or one.again.action is not Action.REST:
            since = str(one.again.since) if one.again.since else ""
            done, mark = str(one.done or "not known"), "≠" if one.differs else ""
            yield str(one.window), done, mark, one.again.action, one.again.severity or "", since, one.again.because


TITLES = ("window", "was done", "", "would be", "severity", "since", "because")


def replay_table(found: Sequence[Replayed]) -> Group:
    """The windows that would have been told, or in which something else would have been done; and in short."""
    lines = list(_lines(found))
    table = Table(*TITLES)
    for cells in lines[:LISTED]:
        table.add_row(*(escape(text(cell)) for cell in cells))
    more = [f"and {len(lines) - LISTED:,} more"] if len(lines) > LISTED else []
    return Group(*([table] if lines else []), *more, *map(escape, replay_summary(found)))


def replay_page(endpoint: str, found: Sequence[Replayed]) -> bytes:
    """The same as one self-contained HTML file, with both rows of actions along the time."""
    lines = [tuple(map(text, cells)) for cells in _lines(found)]
    return rendered(
        "replay.html.j2", endpoint=text(endpoint), summary=replay_summary(found), picture=_picture(found),
        titles=TITLES, lines=lines[:SHOWN], more=max(0, len(lines) - SHOWN),
    )  # fmt: skip


def _picture(found: Sequence[Replayed]) -> Drawing | None:
    rows = {"was done": [one.done for one in found], "would be": [one.again.action for one in found]}
    return strips([one.window.start for one in found], rows) if found else None


def tuning_table(found: Any) -> Group:
    """The bounds that change, and the alarms of now and then."""
    table = Table("monitor", "constraint", "column", "bound", "now", "proposed")
    for side, bound in found.proposed.items():
        monitor, check, metric, subject, _ = side.key
        cells = (monitor, f"{metric}\n{check}", subject, side.side, number(side.bound), number(bound))
        table.add_row(*(escape(text(cell)) for cell in cells))
    told = [
        f"{found.windows:,} windows: the bounds of now are broken in {found.alarms:,}, those proposed in "
        f"{found.alarms_then:,}; {found.rate:.2%} were wanted."
    ]
    later, alarms = found.tried
    if later:
        told.append(f"Learned from the earlier half alone, they would be broken in {alarms:,} of the later {later:,}.")
    if found.rate * found.windows < 1:
        told.append(f"So few windows cannot show a rate below {1 / found.windows:.2%}; choose a longer span.")
    return Group(*([table] if found.proposed else ["No bound changes."]), *map(escape, told))
