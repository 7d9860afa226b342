"""History: what happened to an endpoint along its windows, and all that is known of one; read off their records."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Literal, NamedTuple

from monitor_tasks.coverage import Missed
from monitor_tasks.episodes import Episode
from monitor_tasks.policy import Policy, Severity
from monitor_tasks.report import Report
from monitor_tasks.shard import Broken, Series, WindowRecord
from monitor_tasks.verdict import Verdict
from monitor_tasks.window import Window

MarkKind = Literal["model", "baseline", "restatement", "retraining", "episode", "recovery", "maintenance"]


class Mark(NamedTuple):
    """Something that happened at a window of a history."""

    window: Window
    kind: MarkKind
    text: str
    monitor: str = ""
    """The one that it concerns; empty where it is all of them."""


class EstimateSeries(NamedTuple):
    """An estimated metric beside the one that was realised once labels had arrived; one entry for each window."""

    monitor: str
    metric: str
    values: Sequence[float | None]
    lower: Sequence[float | None]
    upper: Sequence[float | None]
    realised: Sequence[float | None]
    inside: Sequence[bool | None]
    """Whether what was realised lay in the band in which it was to be expected."""


class History(NamedTuple):
    """What happened to one endpoint over a span of time."""

    endpoint: str
    windows: tuple[Window, ...]
    records: tuple[WindowRecord, ...]
    """One for each of the windows."""
    series: tuple[Series, ...]
    """Values, bounds and states of every metric, one entry for each of the windows."""
    estimates: tuple[EstimateSeries, ...]
    marks: tuple[Mark, ...]
    episodes: tuple[Episode, ...]
    missed: tuple[Missed, ...]


class Violated(NamedTuple):
    """A violation of one window, with what only other windows and the policy tell."""

    monitor: str
    broken: Broken
    severity: Severity | None
    """None where the policy does not count it."""
    since: Window
    """The first window of those in a row in which it was broken; undecided ones between them are passed over."""


class WindowView(NamedTuple):
    """All that is known of one window."""

    record: WindowRecord
    ledger: Mapping[str, Any]
    """The whole ledger, reasons and objects included; empty where none was ingested."""
    labels: Mapping[str, Any]
    reports: Mapping[str, Report]
    """By monitor."""
    violations: tuple[Violated, ...]
    verdicts: tuple[Verdict, ...]
    """All that were given, the oldest first."""
    artifacts: Mapping[str, Mapping[str, str]]
    """The address of every artifact by schedule and name."""
    revisions: Mapping[str, tuple[str, ...]]
    """The manifests of all revisions by schedule, the oldest first."""


def marks(records: Sequence[WindowRecord], found: Sequence[Episode], policy: Policy) -> tuple[Mark, ...]:
    """What happened at the windows: changes of models and baselines, restatements, episodes, retraining."""
    told = [*_changed(records, "model"), *_changed(records, "baseline")]
    for record in records:
        told += [
            Mark(record.window, "restatement", f"judged again: revision {one.restatements + 1}", name)
            for name, one in record.monitors.items() if one.restatements
        ]  # fmt: skip
        if why := policy.maintained(record.window):
            told.append(Mark(record.window, "maintenance", why))
    for one in found:
        told.append(Mark(one.first, "episode", f"episode {one.number} began: {one.because}"))
        if one.retrained:
            told.append(Mark(one.retrained, "retraining", f"episode {one.number} was handed over to retraining"))
        if one.closed_by:
            told.append(Mark(one.closed_by, "recovery", f"episode {one.number} ended"))
    return tuple(sorted(told))


def _changed(records: Sequence[WindowRecord], what: Literal["model", "baseline"]) -> Iterator[Mark]:
    """Where a monitor's model or baseline is another one than before."""
    before: dict[str, str] = {}
    for record in records:
        for name, one in record.monitors.items():
            now = getattr(one, what)
            if now and before.get(name, now) != now:
                yield Mark(record.window, what, f"the {what} changed from {before[name]} to {now}", name)
            before[name] = now or before.get(name, "")


def estimates(records: Sequence[WindowRecord]) -> tuple[EstimateSeries, ...]:
    """Every estimated metric beside what was realised."""
    columns: dict[tuple[str, str], list[tuple[Any, ...]]] = {}
    nothing = (None,) * 5
    for place, record in enumerate(records):
        for name, monitor in record.monitors.items():
            for one in monitor.estimates:
                column = columns.setdefault((name, one.metric), [nothing] * len(records))
                realised = one.realised
                told = (realised.value, realised.inside) if realised else (None, None)
                column[place] = (one.value, one.lower, one.upper, *told)
    return tuple(EstimateSeries(*key, *zip(*column, strict=True)) for key, column in sorted(columns.items()))


def begun(states: str) -> tuple[int | None, bool]:
    """Where the broken ones at the end of some states begin, if there are any, and whether they were kept before.

    Where nothing was decided, or judged, what was goes on.

    >>> begun("kbkbub"), begun("bb.u"), begun("k.")
    ((3, True), (0, False), (None, True))
    """
    kept = states.rfind("k")
    first = states.find("b", kept + 1)
    return None if first < 0 else first, kept >= 0
