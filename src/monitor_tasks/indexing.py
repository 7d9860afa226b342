"""Indexing: the shards of an endpoint's days, written from the manifests and reports that stand.

A shard is a function of what stands, so it is equal whoever writes it, in whatever order windows were executed.
"""

import re
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from itertools import chain
from typing import Any, NamedTuple, TypeVar

from monitor_tasks.io.executions import last_number, numbered, read_artifact
from monitor_tasks.io.index import Index, Looked, Mark, number_of
from monitor_tasks.io.store import Exists, Missing, StoreError
from monitor_tasks.report import ModelCard, Report, State, Status
from monitor_tasks.shard import (
    Damaged,
    Judged,
    Labels,
    MonitorRecord,
    Shard,
    ShardHead,
    VerdictRecord,
    WindowRecord,
    broken_in,
    judged_in,
)
from monitor_tasks.site import Site
from monitor_tasks.value import UserError, read_stored
from monitor_tasks.verdict import Verdict
from monitor_tasks.window import HOUR, Window, parse_duration, parse_time

T = TypeVar("T")
READERS = 16
OTHERS = ("alerts", "baselines", "emitted", "episodes", "index", "models")
"""Folders of an endpoint that hold no executions of windows."""
NO_MONITORS = {"captured", "labelled", "labels", "verdict"}
"""Schedules of executions that have no report."""
_LOGGED = re.compile(r"^[^/]+/([^/]+)/(\d{4}/\d\d/\d\d/\d\d|spans/[^/]+)/revisions/log/(\d+)$")
_SPAN = re.compile(r"spans/(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z_(\w+)")

Remembered = tuple[WindowRecord, Sequence[Judged]]
Read = tuple[Shard, int]
"""A shard, and how many windows were read for it."""
Through = Callable[[Sequence[str]], Iterable[str]]
Numbers = Mapping[str, Mapping[str, int]]
"""How many revisions there are, by a window's place and by schedule."""


class Written(NamedTuple):
    """One day of an index."""

    day: str
    is_new: bool
    """Whether a shard was written; else the one that was there is right."""
    windows: int
    """The windows that were read for it."""


def compact(site: Site, through: Through = iter) -> list[Written]:
    """Writes the shards of every day in which something has changed since the last time; the first time, of all.

    Safe beside others that do the same: the one that comes second reads what the first has written.
    `through` is handed the days and gives them back one by one, so that a person can be shown how far it is.
    """
    index = Index(site.store, site.name)
    looked = index.look()
    if not looked.begun:
        return reindex(site, through)
    changed = by_day(looked.marks)
    return [
        _written(index, day, changed[day], partial(_renewed, site, day, changed[day])) for day in through([*changed])
    ]


def reindex(site: Site, through: Through = iter) -> list[Written]:
    """Writes the shards of all days from what stands, whatever the index says; a day that is right keeps its shard."""
    index = Index(site.store, site.name)
    looked = index.look()
    changed = by_day(looked.marks)
    days = sorted({*days_of(site), *looked.shards, *changed})
    done = [_written(index, day, changed.get(day, ()), partial(_whole, site, day)) for day in through(days)]
    index.begin()
    return done


def _written(index: Index, day: str, marks: Iterable[Mark], read: Callable[[Shard | None], Read]) -> Written:
    """Writes one day's shard, unless it is right, and takes the marks away that it answers.

    `read` is asked after the former shard was seen, and again where another writer was first: what it finds is never
    older than that shard.
    """
    while True:
        key = key_in(index.shards(), day)
        if (text := index.get(key) if key else b"") is None:
            continue  # another writer has just replaced it
        shard, windows = read(_former(text, index.store.address_of(key)))
        content = shard.to_bytes()
        try:
            newest = key if content == text else index.create(day, key, content)
        except Exists:
            continue
        answered = {*marks} - {*unanswered(shard.head, marks)}
        former = index.shards().former.get(day, ())
        index.settle(answered, [one for one in former if number_of(one) < number_of(newest)])
        return Written(day, newest != key, windows)


def unanswered(head: ShardHead, marks: Iterable[Mark]) -> list[Mark]:
    """The marks of executions that had no number yet when a day was read."""
    numbers = {one.place: one.numbers for one in head.windows}
    return [one for one in marks if numbers.get(one.place, {}).get(one.schedule, 0) < one.number]


def _former(text: bytes, address: str) -> Shard | None:
    """The shard in a file; None where there is none, or a damaged one: it is written again."""
    try:
        return Shard.read(text, address) if text else None
    except Damaged:
        return None


def _renewed(site: Site, day: str, marks: Sequence[Mark], former: Shard | None) -> Read:
    """A day's shard in which the windows that are marked are read, and all others are as they were."""
    if former is None:
        return _whole(site, day, None)
    return overlaid(former, changed := read_marked(site, marks, former)), len(changed)


def _whole(site: Site, day: str, _: Shard | None) -> Read:
    """A day's shard, all of it read."""
    found = read_places(site, numbers_below(site, day))
    return Shard.of(site.name, day, found), len(found)


def overlaid(former: Shard, changed: Iterable[Remembered]) -> Shard:
    """A shard in which some windows are replaced."""
    known, judged = {one.place: one for one in former.windows}, former.judged()
    new = {record.place: (record, found) for record, found in changed}
    kept = [(record, judged[place]) for place, record in known.items() if place not in new]
    return Shard.of(former.head.endpoint, former.head.day, [*kept, *new.values()])


def schedules(site: Site) -> list[str]:
    """The schedules that have, or may have, executions: those of monitors that were taken away as well."""
    return [name for name in site.store.folders(site.name) if name not in OTHERS]


def days_of(site: Site) -> list[str]:
    """Every day on which a window ends that has an execution, in order, by the folders that there are."""
    with ThreadPoolExecutor(READERS) as pool:
        found = {f"{site.name}/{schedule}": "" for schedule in schedules(site)}
        spans = chain.from_iterable(pool.map(site.store.folders, [f"{one}/spans" for one in found]))
        days = {day_of_place(f"spans/{name}") for name in spans}
        for _ in ("year", "month", "day"):
            below = pool.map(site.store.folders, found)
            found = {
                f"{folder}/{name}": f"{day}-{name}"
                for (folder, day), names in zip(found.items(), below, strict=True) for name in names if name.isdecimal()
            }  # fmt: skip
    return sorted({*days, *(day.removeprefix("-") for day in found.values())})


def numbers_below(site: Site, day: str) -> Numbers:
    """How many revisions every window has that ends on a day."""
    found: dict[str, dict[str, int]] = defaultdict(dict)
    below = (day.replace("-", "/"), "spans")
    folders = [f"{site.name}/{schedule}/{folder}" for schedule in schedules(site) for folder in below]
    with ThreadPoolExecutor(READERS) as pool:
        for entries in pool.map(site.store.entries, folders):
            for match in filter(None, (_LOGGED.match(one.key) for one in entries)):
                schedule, place, number = match.groups()
                found[place][schedule] = max(int(number), found[place].get(schedule, 0))
    return {place: one for place, one in found.items() if day_of_place(place) == day}


def numbers_at(site: Site, place: str, several: Iterable[str]) -> Mapping[str, int]:
    """How many revisions each of several schedules has in one window; one that has none is left out."""
    found = {one: last_number(site.store, f"{site.name}/{one}/{place}") for one in several}
    return {schedule: number for schedule, number in found.items() if number}


def key_in(looked: Looked, day: str) -> str:
    """The key of a day's newest shard; empty where there is none."""
    entry = looked.shards.get(day)
    return entry.key if entry else ""


def by_day(marks: Iterable[Mark]) -> dict[str, list[Mark]]:
    """Marks by the day of their windows."""
    found: dict[str, list[Mark]] = defaultdict(list)
    for one in marks:
        found[day_of_place(one.place)].append(one)
    return dict(sorted(found.items()))


def day_of_place(place: str) -> str:
    """The day of a window by its folder: that of its end.

    >>> day_of_place("2026/01/05/13"), day_of_place("spans/20260105T233000Z_PT1H")
    ('2026-01-05', '2026-01-06')
    """
    span = _span(place)
    return f"{span.end:%Y-%m-%d}" if span else place.rpartition("/")[0].replace("/", "-")


def _span(place: str) -> Window | None:
    """The window of a span's folder; None of an hour's, whose schedule alone knows its beginning."""
    match = _SPAN.fullmatch(place)
    if match is None:
        return None
    start = parse_time("{}-{}-{}T{}:{}:{}Z".format(*match.groups()[:6]))
    return Window.of(start, start + parse_duration(match[7]))


def read_marked(site: Site, marks: Iterable[Mark], former: Shard) -> list[Remembered]:
    """The windows that are marked, as they stand; what is not marked has not changed since the former shard."""
    known = {one.place: one.numbers for one in former.windows}
    asked: dict[str, set[str]] = defaultdict(set)
    for one in marks:
        asked[one.place].add(one.schedule)
    return read_places(site, {
        place: {**known.get(place, {}), **numbers_at(site, place, several)} for place, several in asked.items()
    })  # fmt: skip


def read_places(site: Site, numbers: Numbers) -> list[Remembered]:
    """What stands of the windows, each read from its newest manifests; a place without an execution is left out."""
    with ThreadPoolExecutor(READERS) as pool:
        return list(pool.map(partial(_read, site), [(place, one) for place, one in numbers.items() if one]))


def _read(site: Site, found: tuple[str, Mapping[str, int]]) -> Remembered:
    """What stands of one window."""
    reading = _Reading(site, *found)
    ledger, labels, monitors, verdict = reading.ledger(), reading.labels(), reading.monitors(), reading.verdict()
    record = WindowRecord(
        place=found[0], text=reading.text(), numbers=dict(sorted(found[1].items())), ledger=ledger, labels=labels,
        monitors=monitors, verdict=verdict, unreadable=reading.unreadable,
    )  # fmt: skip
    return record, reading.judged


class _Reading:
    """One window while it is read: what was found in its newest executions."""

    def __init__(self, site: Site, place: str, numbers: Mapping[str, int]) -> None:
        self.site, self.place, self.numbers = site, place, numbers
        self.names = {one.monitoring_schedule_name: name for name, one in site.endpoint.configured().items()}
        self.unreadable: dict[str, str] = {}
        self.judged: list[Judged] = []
        self.said: list[str] = []

    def ledger(self) -> dict[str, int]:
        """The totals of the ledger."""
        return self._found("captured", "ledger.json", _totals) or {}

    def labels(self) -> Labels | None:
        """How many predictions are labelled."""
        return self._found("labelled", "labels.json", _labels)

    def verdict(self) -> VerdictRecord | None:
        """The newest verdict."""
        return self._found("verdict", "verdict.json", self._verdict)

    def monitors(self) -> dict[str, MonitorRecord]:
        """The newest report of every monitor; of two schedules of one monitor the one that is configured counts."""
        several = sorted({*self.numbers} - NO_MONITORS, key=lambda one: (one in self.names, one))
        return dict(sorted(dict(map(self._monitor, several)).items()))

    def text(self) -> str:
        """The window: as its reports have it, else by its folder."""
        if self.said:
            return self.said[0]
        if span := _span(self.place):
            return str(span)
        end = parse_time("{}-{}-{}T{}:00:00Z".format(*self.place.split("/")))
        try:
            return str(self.site.endpoint.schedule.ending(end))
        except UserError:  # the schedule was another one then
            return str(Window(end - HOUR, end))

    def _verdict(self, text: bytes, key: str) -> VerdictRecord:
        one = Verdict.read(text, key)
        self.said.append(one.window)
        names = VerdictRecord.model_fields.keys() - {"key"}
        return VerdictRecord(**{name: getattr(one, name) for name in names}, key=key)

    def _monitor(self, schedule: str) -> tuple[str, MonitorRecord]:
        told = {"schedule": schedule, "restatements": self.numbers[schedule] - 1}
        found = self._found(schedule, "report.json", lambda text, key: (Report.read(text, key), key))
        if found is None:
            failed = MonitorRecord(**told, status=Status.FAILED, because=self.unreadable[schedule])
            return self.names.get(schedule, schedule), failed
        report, key = found
        self.said.append(report.window)
        self.judged += judged_in(report)
        told |= {"key": key, "revision": key.split("/")[-2], **told_by(report)}
        return report.monitor, MonitorRecord.model_validate(told)

    def _found(self, schedule: str, name: str, read: Callable[[bytes, str], T]) -> T | None:
        """What `read` makes of an artifact of a schedule's newest revision, and of its manifest's key.

        None where there is none; where it cannot be read, it is noted why.
        """
        if schedule not in self.numbers:
            return None
        try:
            key = numbered(self.site.store, f"{self.site.name}/{schedule}/{self.place}", self.numbers[schedule])
            return read(read_artifact(self.site.store, key, name), key)
        except UserError as error:
            if isinstance(error, StoreError) and not isinstance(error, Missing):
                raise  # it may be there, and is not to be had now
            self.unreadable[schedule] = str(error)
            return None


def _totals(text: bytes, key: str) -> dict[str, int]:
    """What became of all records, by ``ledger.json``."""
    return dict(read_stored(text, "ledger.json", key)["totals"])


def _labels(text: bytes, key: str) -> Labels:
    """How many predictions are labelled, by ``labels.json``."""
    told = read_stored(text, "labels.json", key)
    return Labels.model_validate({name: told[name] for name in Labels.model_fields if name in told})


def told_by(report: Report) -> dict[str, Any]:
    """What is remembered of a report."""
    states = Counter(one.state for one in report.findings)
    reasons = (one.because for state in (State.FAILED, State.UNDECIDED) for one in report.having(state))
    model = report.model or ModelCard()
    return {
        "status": report.status, "baseline": report.baseline, "rows": report.rows,
        "counts": dict(sorted(states.items())), "broken": broken_in(report), "because": next(reasons, ""),
        "model": model.version or model.sha256 or model.name, "notes": report.notes, "estimates": report.estimates,
    }  # fmt: skip
