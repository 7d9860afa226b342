"""Shard: what is remembered of all windows of an endpoint that end on one day, small enough to be read for a page.

Its file has two lines of JSON: the windows, and every metric of the day. A page of all endpoints reads the first alone.
"""

import json
from collections.abc import Iterable, Sequence
from functools import cached_property
from hashlib import sha256
from itertools import repeat
from math import isnan
from typing import Any, NamedTuple

from pydantic import Field, TypeAdapter

from monitor_tasks.baseline import Cause
from monitor_tasks.report import Estimate, Report, State, Status, bounds
from monitor_tasks.troubles import effect
from monitor_tasks.value import Artifact, UserError, Value
from monitor_tasks.verdict import Action
from monitor_tasks.window import Window

LETTERS = {State.KEPT: "k", State.BROKEN: "b", State.UNDECIDED: "u", State.FAILED: "f"}
"""A finding's state in a line of states; where nothing was judged stands a dot."""
NOT_JUDGED = "."


class Broken(Value):
    """A violation, as a line of a page needs it; the report has the rest."""

    check: str
    metric: str
    subject: str = ""
    cause: Cause = "world"
    value: float | None = None
    lower: float | None = None
    upper: float | None = None
    """The bounds that decided, as far as they gave way to chance."""
    n: int = 0
    effect: float = 0.0
    """How large it is, as the policy's ``effect_floor`` counts it."""
    because: str = ""


class MonitorRecord(Value):
    """What the newest revision of one monitor said of a window."""

    schedule: str
    status: Status
    key: str = ""
    """The manifest of the execution; empty where it cannot be read."""
    revision: str = ""
    restatements: int
    """How many revisions came before it."""
    baseline: str = ""
    rows: int = 0
    counts: dict[State, int] = Field(default_factory=dict)
    """Constraints by state; a state that none has is left out."""
    broken: tuple[Broken, ...] = ()
    because: str = ""
    """Why something is undecided or failed; the first reason of the report, or why it cannot be read."""
    model: str = ""
    """Name, version or hash of the model, as far as it was declared."""
    notes: tuple[str, ...] = ()
    estimates: tuple[Estimate, ...] = ()


class VerdictRecord(Value):
    """What was done about a window."""

    action: Action
    status: Status
    because: str
    episode: str = ""
    severity: str = ""
    since: str = ""
    owner: str = ""
    closes: str = ""
    key: str = ""
    """The manifest of the execution."""


class Labels(Value):
    """How many predictions of a window have a label."""

    predictions: int
    matched: int
    newest_hour: str | None = None
    """The newest hour in which a label of the window was collected."""

    @property
    def coverage(self) -> float | None:
        """The share of the predictions that are labelled; None where there are none."""
        return self.matched / self.predictions if self.predictions else None


class WindowRecord(Value):
    """What is remembered of one window."""

    place: str
    """Where its executions lie: ``2026/01/05/13``, or ``spans/20260105T120000Z_PT30M``."""
    text: str
    """The window as text."""
    numbers: dict[str, int]
    """How many revisions each schedule has: what was remembered is what stood then."""
    ledger: dict[str, int] = Field(default_factory=dict)
    """What became of the captured records; empty where none were ingested."""
    labels: Labels | None = None
    monitors: dict[str, MonitorRecord] = Field(default_factory=dict)
    verdict: VerdictRecord | None = None
    unreadable: dict[str, str] = Field(default_factory=dict)
    """Why an execution cannot be read, by its schedule."""

    @property
    def own(self) -> bool:
        """Whether it lies among the hours of a schedule; else it was asked for as a span."""
        return not self.place.startswith("spans/")

    @cached_property
    def window(self) -> Window:
        """The window itself."""
        return Window.parse(self.text)


Key = tuple[str, str, str, str]
"""Monitor, check, metric and subject."""
Column = list[float | None]


class Series(NamedTuple):
    """One constraint's metric over some windows: one entry for each of them."""

    monitor: str
    check: str
    metric: str
    subject: str
    values: Sequence[float | None]
    lower: Sequence[float | None]
    upper: Sequence[float | None]
    states: str
    """One letter for a window: k kept, b broken, u undecided, f failed; a dot where nothing was judged."""

    @property
    def key(self) -> Key:
        """What tells it from all others of its endpoint."""
        return self[:4]


class Packed(NamedTuple):
    """A series as a shard's file has it: a bound that never moves stands once, and what is not finite is a word."""

    key: Key
    columns: Sequence[Any]
    states: str

    def column(self, place: int, size: int) -> Column:
        """Its values, or its lower or upper bounds."""
        column = self.columns[place]
        return column if isinstance(column, list) else [column] * size

    def picked(self, places: Sequence[int]) -> "Packed":
        """The same in some of its windows."""
        columns = [[one[place] for place in places] if isinstance(one, list) else one for one in self.columns]
        return Packed(self.key, columns, "".join(self.states[place] for place in places))


class Judged(NamedTuple):
    """One finding of one window, as a series holds it."""

    key: Key
    state: State
    value: float | None
    lower: float | None
    upper: float | None


class ShardHead(Artifact):
    """A shard's first line."""

    endpoint: str
    day: str
    sha256: str
    """Of the second line."""
    windows: tuple[WindowRecord, ...]


class Shard(NamedTuple):
    """All windows of one endpoint that end on one day, in order, and their metrics."""

    head: ShardHead
    metrics: bytes
    """The second line, parsed only when it is asked for."""

    @property
    def windows(self) -> tuple[WindowRecord, ...]:
        """The windows."""
        return self.head.windows

    @property
    def packed(self) -> list[Packed]:
        """Every metric of the day, in the order of monitor, check, metric and subject."""
        has_words = b'Infinity"' in self.metrics or b'"NaN"' in self.metrics
        found = (
            Packed((monitor, check, metric, subject), columns, states)
            for monitor, check, metric, subject, *columns, states in _ANY.validate_json(self.metrics)
        )
        return [one._replace(columns=_unworded(one.columns)) for one in found] if has_words else list(found)

    def judged(self) -> dict[str, list[Judged]]:
        """The same by the windows' places, to be put together anew."""
        found: dict[str, list[Judged]] = {one.place: [] for one in self.windows}
        states = {letter: state for state, letter in LETTERS.items()}
        for one in self.packed:
            columns = [one.column(place, len(self.windows)) for place in range(3)]
            for window, letter, *told in zip(self.windows, one.states, *columns, strict=True):
                if letter != NOT_JUDGED:
                    found[window.place].append(Judged(one.key, states[letter], *told))
        return found

    def to_bytes(self) -> bytes:
        """Its file: the same windows always give the same bytes."""
        return self.head.model_dump_json().encode() + b"\n" + self.metrics + b"\n"

    @classmethod
    def of(cls, endpoint: str, day: str, windows: Iterable[tuple[WindowRecord, Sequence[Judged]]]) -> "Shard":
        """The shard of a day's windows, each with what was judged in it, in whatever order."""
        ordered = sorted(windows, key=lambda pair: (pair[0].window, pair[0].place))
        metrics = _series_bytes([judged for _, judged in ordered])
        records = tuple(record for record, _ in ordered)
        return cls(ShardHead(endpoint=endpoint, day=day, sha256=sha256(metrics).hexdigest(), windows=records), metrics)

    @classmethod
    def read(cls, text: bytes, address: str, head: ShardHead | None = None) -> "Shard":
        """The shard in a file; `head` is its first line, where that was read before.

        Raises:
            Damaged: the file was cut short or is none.
            UserError: a newer version wrote it.
        """
        first, _, rest = text.partition(b"\n")
        metrics = rest.removesuffix(b"\n")
        head = head or _head(first, address)
        if sha256(metrics).hexdigest() != head.sha256:
            raise Damaged(f"{address}: the file was cut short or changed; monitor-tasks reindex writes it again")
        return cls(head, metrics)


class Damaged(UserError):
    """A shard's file that cannot be read, and can be written again from manifests and reports."""


def _head(line: bytes, address: str) -> ShardHead:
    try:
        return ShardHead.read(line, address)
    except UserError as error:
        if error.__cause__ is None:  # a newer version wrote it
            raise
        raise Damaged(f"{address}: not a readable shard; monitor-tasks reindex writes it again") from error


_ANY = TypeAdapter(Any)


def judged_in(report: Report) -> list[Judged]:
    """What a report's constraints found, as series hold it."""
    return [
        Judged(
            (report.monitor, one.constraint.check, one.constraint.metric, one.constraint.subject),
            one.state,
            one.metric.value if one.metric else None,
            *(bounds(one.constraint, one.metric) if one.metric else (one.constraint.lower, one.constraint.upper)),
        )
        for one in report.findings
    ]


def broken_in(report: Report) -> tuple[Broken, ...]:
    """A report's violations."""
    found = []
    for one in report.violations:
        said, metric = one.constraint, one.metric
        lower, upper = bounds(said, metric) if metric else (said.lower, said.upper)
        found.append(
            Broken(
                check=said.check, metric=said.metric, subject=said.subject, cause=said.cause, lower=lower, upper=upper,
                value=metric.value if metric else None, n=metric.n if metric else 0, effect=effect(one),
                because=one.because,
            )
        )  # fmt: skip
    return tuple(found)


def _series_bytes(windows: Sequence[Sequence[Judged]]) -> bytes:
    """Every series over the windows: a bound that never moves stands once."""
    size = len(windows)
    found: dict[Key, list[Any]] = {}
    for place, judged in enumerate(windows):
        for one in judged:
            columns = found.setdefault(one.key, [[None] * size, [None] * size, [None] * size, [NOT_JUDGED] * size])
            for column, value in zip(columns, (one.value, one.lower, one.upper), strict=False):
                column[place] = _number(value)
            columns[3][place] = LETTERS[one.state]
    told = [
        [*key, values, _run(lower, states), _run(upper, states), "".join(states)]
        for key, (values, lower, upper, states) in sorted(found.items())
    ]
    return json.dumps(told, separators=(",", ":"), allow_nan=False).encode()


def _run(column: list[Any], states: list[str]) -> Any:
    """A column's one value in all windows that were judged, else the column."""
    values = [value for value, state in zip(column, states, strict=True) if state != NOT_JUDGED]
    return values[0] if all(value == values[0] for value in values) else column


def _number(value: float | None) -> float | str | None:
    """A number as JSON has it: what is not finite is a word."""
    if value is None or -float("inf") < value < float("inf"):
        return value
    return "NaN" if isnan(value) else "Infinity" if value > 0 else "-Infinity"


def _unworded(columns: Sequence[Any]) -> list[Any]:
    """Columns in which some numbers may be words."""
    return [[_unword(each) for each in one] if isinstance(one, list) else _unword(one) for one in columns]


def _unword(told: Any) -> float | None:
    return None if told is None else float(told)


def joined(parts: Iterable[tuple[int, Iterable[Packed]]]) -> tuple[Series, ...]:
    """The series of parts one after another: of each the number of its windows, and its series."""
    told = [(number, list(series)) for number, series in parts]
    size, start = sum(number for number, _ in told), 0
    found: dict[Key, tuple[tuple[Column, Column, Column], list[str]]] = {}
    for number, series in told:
        for one in series:
            columns, states = found.setdefault(one.key, (([], [], []), []))
            _reach(columns, states, start)
            for column, values in zip(columns, one.columns, strict=True):
                column.extend(values if isinstance(values, list) else repeat(values, number))
            states.append(one.states)
        start += number
    for columns, states in found.values():
        _reach(columns, states, size)
    return tuple(Series(*key, *columns, "".join(states)) for key, (columns, states) in sorted(found.items()))


def _reach(columns: Sequence[Column], states: list[str], size: int) -> None:
    """Fills up a series with windows in which it was not judged, until it has so many."""
    if lacking := size - len(columns[0]):
        states.append(NOT_JUDGED * lacking)
        for column in columns:
            column.extend(repeat(None, lacking))
