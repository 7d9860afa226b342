"""What several pages of the dashboard tell: windows, bounds, states, marks, and what a reader can do."""

import json
import shlex
from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Any, NamedTuple

from monitor_tasks.baseline import Constraint
from monitor_tasks.endpoint import Endpoint
from monitor_tasks.history import Mark
from monitor_tasks.pages.board.frame import Place, windowed
from monitor_tasks.pages.board.strips import FORMS, NAMES, strip
from monitor_tasks.pages.charts import Drawing
from monitor_tasks.pages.numbers import NOTHING, apart_on, sentence, text
from monitor_tasks.pages.vocabulary import Word, word
from monitor_tasks.pages.words import STATUSES
from monitor_tasks.report import State, Status
from monitor_tasks.window import Window, format_time

LISTED = 500
"""So many lines of one table a page has room for; more are counted."""
DAYS = (1, 7, 30, 90)
"""How far back a page looks, for a reader to choose."""
LETTERS = {"k": State.KEPT, "b": State.BROKEN, "u": State.UNDECIDED, "f": State.FAILED}
SIGNS: Mapping[str, str] = {
    "model": "◆", "baseline": "▤", "restatement": "↻", "retraining": "⇢", "episode": "▲", "recovery": "▽",
    "maintenance": "⚒",
}  # fmt: skip
"""A sign for each kind of mark."""


class Asked(NamedTuple):
    """What a page is asked about: an endpoint, and how far back."""

    place: Place
    """Where the page lies."""
    endpoint: Endpoint
    yaml: str
    """The endpoint's file."""
    days: int = 7

    @property
    def name(self) -> str:
        """The endpoint's name."""
        return self.endpoint.endpoint_name

    @property
    def monitors(self) -> list[str]:
        """The monitors that watch it."""
        return [*self.endpoint.configured()]

    @property
    def spans(self) -> list[tuple[int, bool]]:
        """How far back a reader may choose to look; nothing where no server could answer."""
        choices = sorted({*DAYS, self.days})
        return [] if self.place.files or self.place.alone else [(one, one == self.days) for one in choices]


class Happened(NamedTuple):
    """Something that happened at a window, in words."""

    window: str
    address: str
    kind: str
    sign: str
    monitor: str
    text: str


class Doing(NamedTuple):
    """Something that a reader can do, outside of the dashboard."""

    title: str
    dag: str
    address: str
    """Where Airflow shows the DAG; empty without Airflow."""
    lines: tuple[tuple[str, str], ...]
    """What to copy: what it is, and its text."""
    note: str = ""


def forms() -> list[tuple[Drawing, str]]:
    """A cell of each form, and what it means."""
    return [(strip([state]), NAMES[state]) for state in FORMS]


def answered(status: Status | None) -> tuple[State | None, str]:
    """A status as a state and a word."""
    return (None, "no result") if status is None else STATUSES[status][:2]


def span(window: Window) -> str:
    """A window as a person reads it.

    >>> span(Window.parse("2026-01-01T05:00:00Z/PT1H")), span(Window.parse("2026-01-01T00:00:00Z/P1D"))
    ('2026-01-01 05:00 to 06:00', '2026-01-01 00:00 to 2026-01-02 00:00')
    """
    same_day = window.start.date() == window.end.date()
    return f"{window.start:%Y-%m-%d %H:%M} to {window.end:{'%H:%M' if same_day else '%Y-%m-%d %H:%M'}}"


def lasting(time: timedelta) -> str:
    """How long something lasts, in its two largest units.

    >>> lasting(timedelta(minutes=5)), lasting(timedelta(hours=30)), lasting(timedelta(days=40))
    ('5 min', '1 d 6 h', '40 d')
    """
    minutes = max(int(time.total_seconds() // 60), 0)
    days, hours = minutes // 1440, minutes // 60 % 24
    if days:
        return f"{days:,} d {hours} h" if hours and days < 7 else f"{days:,} d"
    return f"{hours} h {minutes % 60} min" if hours and minutes % 60 else f"{hours} h" if hours else f"{minutes} min"


def to_window(place: Place, name: str, window: Window) -> str:
    """The way to a window's page."""
    return place.to("endpoints", name, "windows", windowed(window))


def series_step(key: Iterable[str]) -> str:
    """A metric of a monitor as a step of an address: whatever its column is called, it is sixteen digits."""
    return sha256("\0".join(key).encode("utf-8", "surrogatepass")).hexdigest()[:16]


def to_series(place: Place, name: str, key: Iterable[str]) -> str:
    """The way to a metric's page."""
    return place.to("endpoints", name, "metrics", series_step(key))


def worded(check: str, metric: str, subject: str) -> Word:
    """How a metric is told, where only its names are known."""
    return word(Constraint(check=check, metric=metric, subject=subject), None)


def bounded(line: Word, value: float | None, lower: float | None, upper: float | None) -> tuple[str, str]:
    """A value and what is allowed, on the metric's scale, in digits that tell the two apart."""
    known = list(dict.fromkeys(one for one in (value, lower, upper) if one is not None))
    shown = dict(zip(known, apart_on(line.scale, known), strict=True))
    least, most = ("" if one is None else shown[one] for one in (lower, upper))
    if least and most:
        allowed = f"exactly {least}" if least == most else f"{least} to {most}"
    else:
        allowed = f"at least {least}" if least else f"at most {most}" if most else NOTHING
    return NOTHING if value is None else shown[value], allowed


def allowed_by(constraint: Constraint) -> str:
    """What a constraint allows, in words."""
    bound = bounded(word(constraint, None), None, constraint.lower, constraint.upper)[1]
    expected = ", ".join(text(one, 40) for one in constraint.expected[:6])
    more = f" and {len(constraint.expected) - 6:,} more" if len(constraint.expected) > 6 else ""
    return "; ".join(part for part in (bound if bound != NOTHING else "", f"{expected}{more}") if part) or NOTHING


def happened(place: Place, name: str, marks: Iterable[Mark]) -> list[Happened]:
    """Marks in words, the newest first."""
    return [
        Happened(span(one.window), to_window(place, name, one.window), one.kind, SIGNS[one.kind],
                 one.monitor.replace("_", " ") or "all", sentence(one.text))
        for one in reversed(list(marks))
    ]  # fmt: skip


def doing(asked: Asked, window: Window | None) -> list[Doing]:
    """What can be done about an endpoint: its DAG, the configuration to paste there, and the command lines."""
    dag, monitors = f"monitor__{asked.name}", asked.monitors
    address, file = asked.place.dag(dag), shlex.quote(asked.yaml)
    if window is None:
        return []
    start, end, conf = format_time(window.start), format_time(window.end), json.dumps({"window": str(window)})
    last = format_time(asked.endpoint.window_at(window.end).start if asked.endpoint.schedule.hours else window.start)
    again = (
        ("configuration of the run", conf),
        ("with Airflow's command line", f"airflow dags trigger {shlex.quote(dag)} --conf {shlex.quote(conf)}"),
        ("without Airflow", f"monitor-tasks run {file} --window {window}"),
    )
    past = (
        ("with Airflow's command line",
         f"airflow backfill create --dag-id {shlex.quote(dag)} --from-date {start} --to-date {last} "
         "--reprocess-behavior completed"),
        ("without Airflow", f"monitor-tasks backfill {file} --from {start} --to {end}"),
    )  # fmt: skip
    named = monitors[0]
    new = (
        ("1. suggest it from a table that is right",
         f"monitor-tasks suggest TABLE.csv --monitor {named} --output out/baseline"),
        ("2. look at out/baseline/bounds.json, then let it hold from a moment on",
         f"monitor-tasks pin {file} --monitor {named} --baseline out/baseline --from {end}"),
        ("judge one window by another stored baseline: configuration of the run",
         json.dumps({"window": str(window), "baseline_id": "0123456789abcdef0123"})),
    )  # fmt: skip
    return [
        Doing("Run this window again", dag, address, again, "Unchanged inputs give the same revision again."),
        Doing("Backfill past windows", dag, address, past, "Change the two moments; in Airflow, Backfill is beside "
              "Trigger. A backfill hands nothing over to retraining unless asked."),
        Doing("Suggest a new baseline", dag, address, new, "Earlier windows keep the baseline they were judged by."),
    ]  # fmt: skip


def percent(share: float | None) -> str:
    """A share as percent."""
    return NOTHING if share is None else f"{100 * share:.1f} %".replace(".0 %", " %")


def moment_sort(when: datetime | None) -> str:
    """A moment as something that tables are sorted by."""
    return "" if when is None else f"{when.timestamp():.0f}"


def told_number(value: float | None) -> str:
    """A number to sort by; empty where there is none."""
    return "" if value is None else repr(float(value))


def facts(**known: Any) -> list[tuple[str, str]]:
    """Facts by name, without those that are not known."""
    return [(name.replace("_", " "), text(value)) for name, value in known.items() if value not in (None, "", ())]
