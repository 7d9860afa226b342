"""Coverage: which windows a schedule has, and which of them have no verdict; read off the windows' records."""

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from monitor_tasks.endpoint import Endpoint
from monitor_tasks.shard import WindowRecord
from monitor_tasks.window import Window

LATE = timedelta(hours=1)
"""So long after its end a window may still run before it counts as missed."""


class Missed(NamedTuple):
    """A window of the schedule without a verdict."""

    window: Window
    because: str
    """How far it came: ``never ran``, ``no report of bias``, ``reports, but no verdict``."""
    maintenance: str = ""
    """Why nobody would have been told."""


class Coverage(NamedTuple):
    """How many windows a schedule has in a span of time, and which of them have no verdict."""

    expected: int
    missed: tuple[Missed, ...]

    @property
    def told(self) -> dict[str, Any]:
        """The same as JSON holds it."""
        lacking = [
            {"window": str(one.window), "because": one.because, "maintenance": one.maintenance} for one in self.missed
        ]
        return {"expected": self.expected, "missed": lacking}


def expected(endpoint: Endpoint, since: datetime, until: datetime) -> Iterator[Window]:
    """Every window that the schedule has between two moments; none where windows are made on demand."""
    return endpoint.schedule.windows(since, until) if endpoint.schedule.hours and since < until else iter(())


def number_expected(endpoint: Endpoint, since: datetime, until: datetime) -> int:
    """How many windows the schedule has between two moments, without a look at each of many days."""
    days = max((until - since).days - 2, 0)
    return days * len(endpoint.schedule.hours) + len(list(expected(endpoint, since + timedelta(days=days), until)))


def missed(endpoint: Endpoint, windows: Iterable[Window], records: Mapping[Window, WindowRecord]) -> tuple[Missed, ...]:
    """Which of the windows have no verdict, and how far they came."""
    found = ((window, _lacks(endpoint, records.get(window))) for window in windows)
    return tuple(Missed(window, why, endpoint.policy.maintained(window)) for window, why in found if why)


def _lacks(endpoint: Endpoint, record: WindowRecord | None) -> str:
    """What a window lacks; empty where it has its verdict."""
    if record is None:
        return "never ran"
    if record.verdict is not None:
        return ""
    lacking = [name for name in endpoint.configured() if name not in record.monitors]
    if not lacking:
        return "reports, but no verdict"
    return f"no report of {', '.join(lacking)}" if record.monitors or record.ledger else "began, but wrote nothing"
