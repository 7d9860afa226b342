"""Window: a half-open span of hours in UTC. The only room that knows the clock."""

import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import NamedTuple, Self

from monitor_tasks.value import UserError

HOUR = timedelta(hours=1)

_DURATION = re.compile(
    r"(?P<sign>-)?P(?:(?P<days>\d+)D)?(?:T(?:(?P<hours>\d+)H)?(?:(?P<minutes>\d+)M)?(?:(?P<seconds>\d+)S)?)?"
)
_SAGEMAKER_CRON = re.compile(r"cron\(0 (?P<hours>\S+) \? \* \* \*\)")
_STANDARD_CRON = re.compile(r"0 (?P<hours>\S+) \* \* \*")


def now() -> datetime:
    """The present moment in UTC; called at the edges of the house only."""
    return datetime.now(UTC)


def parse_time(text: str) -> datetime:
    """An ISO-8601 moment in UTC.

    >>> parse_time("2026-01-01T00:00:00Z").isoformat()
    '2026-01-01T00:00:00+00:00'

    Raises:
        ValueError: not a time, or a time without a zone.
    """
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        raise ValueError(f"{text!r} has no time zone; write it as 2026-01-01T00:00:00Z")
    return moment.astimezone(UTC)


def format_time(moment: datetime) -> str:
    """The moment as SageMaker writes it: ``2026-01-01T00:00:00Z``."""
    return moment.astimezone(UTC).isoformat().replace("+00:00", "Z")


def parse_duration(text: str) -> timedelta:
    """An ISO-8601 duration of days, hours, minutes and seconds, with SageMaker's leading minus.

    >>> parse_duration("-P1DT2H")
    datetime.timedelta(days=-2, seconds=79200)

    Raises:
        ValueError: not such a duration.
    """
    found = _DURATION.fullmatch(text)
    if found is None or not any(found[part] for part in ("days", "hours", "minutes", "seconds")):
        raise ValueError(f"{text!r} is not a duration such as PT1H, P1D or -PT6H")
    parts = {name: int(value) for name, value in found.groupdict().items() if value and name != "sign"}
    try:
        return timedelta(**parts) * (-1 if found["sign"] else 1)
    except OverflowError as error:
        raise ValueError(f"{text!r} is longer than any calendar") from error


def format_duration(span: timedelta) -> str:
    """The duration as ISO-8601 text in whole days or hours where it is that.

    >>> format_duration(timedelta(hours=1)), format_duration(timedelta(days=1)), format_duration(timedelta(minutes=90))
    ('PT1H', 'P1D', 'PT1H30M')
    """
    seconds = int(span.total_seconds())
    days, rest = divmod(seconds, 86400)
    hours, rest = divmod(rest, 3600)
    minutes, seconds = divmod(rest, 60)
    time = "".join(f"{count}{unit}" for count, unit in ((hours, "H"), (minutes, "M"), (seconds, "S")) if count)
    return "P" + (f"{days}D" if days else "") + (f"T{time}" if time else "" if days else "T0S")


class Window(NamedTuple):
    """A half-open span of time ``[start, end)`` in UTC.

    >>> window = Window.parse("2026-01-01T00:00:00Z/PT1H")
    >>> str(window), window.contains(window.start), window.contains(window.end)
    ('2026-01-01T00:00:00Z/PT1H', True, False)
    """

    start: datetime
    end: datetime

    @classmethod
    def of(cls, start: datetime, end: datetime) -> Self:
        """The window from `start` to `end`.

        Raises:
            UserError: the window is empty or runs backwards.
        """
        if not start < end:
            raise UserError(
                f"window {format_time(start)} to {format_time(end)} is empty; its start must lie before its end"
            )
        return cls(start.astimezone(UTC), end.astimezone(UTC))

    @classmethod
    def parse(cls, text: str) -> Self:
        """The window written as ``START/DURATION`` or ``START/END``.

        Raises:
            UserError: the text is not a window.
        """
        start_text, _, end_text = text.partition("/")
        try:
            start = parse_time(start_text)
            end = start + parse_duration(end_text) if end_text.startswith("P") else parse_time(end_text)
            _check_writable(start, end)
        except (ValueError, OverflowError) as error:
            raise UserError(
                f"window {text!r}: {error}; write it as 2026-01-01T00:00:00Z/PT1H or as START/END in UTC"
            ) from error
        return cls.of(start, end)

    def __str__(self) -> str:
        return f"{format_time(self.start)}/{format_duration(self.end - self.start)}"

    def contains(self, moment: datetime) -> bool:
        """Whether the moment lies in the window; its end does not."""
        return self.start <= moment < self.end

    def hours(self, around: int = 0) -> list[datetime]:
        """The UTC hours that the window touches, with `around` more hours on either side."""
        first = self.start.replace(minute=0, second=0, microsecond=0) - around * HOUR
        last = self.end + around * HOUR
        return [first + step * HOUR for step in range(-(-(last - first) // HOUR))]


def _check_writable(*moments: datetime) -> None:
    if any(moment.microsecond or not 1 < moment.year < 9999 for moment in moments):
        raise ValueError("it must begin and end on a whole second, between the years 2 and 9998")


class Schedule(NamedTuple):
    """When an endpoint's windows end: hours of the day in UTC, or only on demand.

    >>> Schedule.parse("cron(0 2/8 ? * * *)")
    Schedule(hours=(2, 10, 18))
    >>> Schedule.parse("@hourly").cron
    '0 * * * *'
    >>> Schedule.parse("NOW").cron is None
    True
    """

    hours: tuple[int, ...]

    @classmethod
    def parse(cls, expression: str) -> Self:
        """The schedule in SageMaker's words, as ``@hourly`` or ``@daily``, or as a cron line on the full hour.

        Raises:
            ValueError: the expression is none of these.
        """
        words = {"NOW": "", "@hourly": "*", "@daily": "0"}
        found = _SAGEMAKER_CRON.fullmatch(expression) or _STANDARD_CRON.fullmatch(expression)
        field = words.get(expression, found["hours"] if found else None)
        hours = None if field is None else _hours(field)
        if hours is None:
            raise ValueError(
                f"{expression!r} is not a schedule: write cron(0 * ? * * *), cron(0 H ? * * *), cron(0 H/N ? * * *), "
                "@hourly, @daily, a cron line on the full hour such as '0 */6 * * *', or NOW"
            )
        return cls(hours)

    @property
    def cron(self) -> str | None:
        """The same as a standard cron line; None when windows are only made on demand."""
        if not self.hours:
            return None
        return f"0 {'*' if len(self.hours) == 24 else ','.join(map(str, self.hours))} * * *"

    def windows(self, start: datetime, end: datetime) -> Iterator[Window]:
        """Every window of the schedule that lies wholly in ``[start, end)``, in order."""
        ends = [hour for hour in Window.of(start, end).hours(around=1) if hour.hour in self.hours]
        for first, last in pairwise(ends):
            if start <= first and last <= end:
                yield Window(first, last)

    def ending(self, end: datetime) -> Window:
        """The window that ends at one of the schedule's hours.

        Raises:
            UserError: no window of the schedule ends then.
        """
        for window in self.windows(end - timedelta(days=1), end):
            if window.end == end:
                return window
        raise UserError(f"no window of the schedule {self.cron or 'NOW'} ends at {format_time(end)}")

    def has(self, window: Window) -> bool:
        """Whether the window is one of the schedule's own."""
        return [window] == list(self.windows(window.start, window.end))


def _hours(field: str) -> tuple[int, ...] | None:
    """The hours that a cron line's second field names, or None when it is not one that we take."""
    if not field:
        return ()
    chosen: set[int] = set()
    for part in field.split(","):
        found = re.fullmatch(r"(\*|\d{1,2})(?:/(\d{1,2}))?", part)
        if found is None:
            return None
        first = 0 if found[1] == "*" else int(found[1])
        step = int(found[2]) if found[2] else 1 if found[1] == "*" else 24
        if first > 23 or not 1 <= step <= 24:
            return None
        chosen.update(range(first, 24, step))
    return tuple(sorted(chosen))
