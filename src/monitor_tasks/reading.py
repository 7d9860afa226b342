"""Reading: what pages ask of endpoints, from their shards and, where none holds it yet, from what stands.

So a reader is never behind: a mark says of every execution that no shard holds, and its window is read by itself.
"""

import json
from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from functools import cached_property, partial
from itertools import chain
from threading import Lock
from typing import Any, NamedTuple

from monitor_tasks import summary
from monitor_tasks.baseline import Constraint, Constraints
from monitor_tasks.indexing import (
    READERS,
    by_day,
    days_of,
    key_in,
    numbers_at,
    numbers_below,
    overlaid,
    read_marked,
    read_places,
    schedules,
    unanswered,
)
from monitor_tasks.io.executions import (
    MANIFEST,
    last_number,
    numbered,
    place_of,
    read_artifact,
    read_log,
    read_manifest,
)
from monitor_tasks.io.index import Index
from monitor_tasks.monitors.settings import MONITORS
from monitor_tasks.shard import Damaged, Key, Packed, Shard, ShardHead, WindowRecord, joined
from monitor_tasks.site import Site
from monitor_tasks.summary import (
    LATE,
    BaselineChange,
    BaselineView,
    Coverage,
    EndpointSummary,
    History,
    Missed,
    Violated,
    WindowView,
)
from monitor_tasks.troubles import DECIDED
from monitor_tasks.value import UserError
from monitor_tasks.verdict import Verdict
from monitor_tasks.window import Window, now, parse_duration

STRIP = 48
"""So many windows a strip shows."""
HELD = 2048
"""So many days' windows are held in memory once they were read."""


def overview(sites: Sequence[Site], windows: int = STRIP, moment: datetime | None = None) -> list[EndpointSummary]:
    """One line for each endpoint, over its last windows; one that cannot be read says why, and costs only itself."""
    with ThreadPoolExecutor(READERS) as pool:
        return list(pool.map(partial(_summary, windows=windows, moment=moment or now()), sites))


def history(
    site: Site, since: datetime, until: datetime, monitor: str | None = None, metric: str | None = None
) -> History:
    """What happened between two moments: every metric, or those that are named, with what marks the way."""
    past, asked = _Past(site), (monitor, metric)
    first = past.first
    with ThreadPoolExecutor(READERS) as pool:
        shards = [_Part.of(site, one, since, until) for one in pool.map(past.shard, past.between(since, until))]
    records = tuple(chain.from_iterable(one.records for one in shards))
    policy, found = site.endpoint.policy, summary.episodes(records, site.endpoint.policy)
    series = joined([(len(one.records), one.series(*asked)) for one in shards])
    return History(
        site.name, tuple(one.window for one in records), records, series, summary.estimates(records),
        summary.marks(records, found, policy), found, past.coverage(max(since, first or since), until).missed,
    )  # fmt: skip


def window_of(site: Site, window: Window) -> WindowView:
    """All that is known of one window.

    Raises:
        UserError: nothing was executed in it.
    """
    places = {one: numbers_at(site, one, schedules(site)) for one in (place_of(window, own) for own in (True, False))}
    found = [record for record, _ in read_places(site, places) if record.window == window]
    if not found:
        raise UserError(f"{site.name}: {window} has no execution; run the window first, or look another one up")
    record = found[0]
    revisions = {name: _revisions(site, name, record.place) for name in record.numbers}
    artifacts = {name: _artifacts(site, keys[-1]) for name, keys in revisions.items()}
    labels = revisions.get("labelled", ())
    readable = {name: one for name, one in record.monitors.items() if one.schedule not in record.unreadable}
    return WindowView(
        record,
        site.ledger(revisions["captured"][-1]) if record.ledger else {},
        site.told(labels[-1], "labels.json") if record.labels else {},
        {name: site.report(one.key) for name, one in readable.items()},
        tuple(_violated(site, record)),
        tuple(_verdicts(site, revisions["verdict"])) if record.verdict else (),
        artifacts,
        revisions,
    )


def missed(site: Site, since: datetime | None = None, until: datetime | None = None) -> tuple[Missed, ...]:
    """The schedule's windows between two moments that have no verdict, and how far they came."""
    return coverage(site, since, until).missed


def coverage(site: Site, since: datetime | None = None, until: datetime | None = None) -> Coverage:
    """The schedule's windows between two moments, and which of them have no verdict.

    Left out, the first moment is that of the first window that has an execution; the last is never later than that of
    the newest window that may be over.
    """
    past = _Past(site)
    since = since or past.first
    return past.coverage(since, until or now()) if since else Coverage(0, ())


def baselines(site: Site) -> tuple[BaselineView, ...]:
    """Every stored baseline; the pinned ones first, in the order of their pins."""
    pins = [json.loads(entry) for entry in read_log(site.store, f"{site.name}/baselines/pins")]
    stored = [name for name in site.store.folders(f"{site.name}/baselines/revisions") if name != "log"]
    ids = dict.fromkeys([*(one["baseline"] for one in pins), *stored])
    return tuple(_baseline(site, id_, [one for one in pins if one["baseline"] == id_]) for id_ in ids)


def diff(site: Site, before: str, after: str) -> tuple[BaselineChange, ...]:
    """In which constraints two stored baselines differ, by their ids.

    Raises:
        UserError: there is no baseline of that id.
    """
    known = {one.id: one for one in baselines(site)}
    for id_ in (before, after):
        if id_ not in known:
            raise UserError(f"{site.name}: has no baseline {id_!r}; there are {', '.join(known) or 'none'}")
    return summary.differences(known[before].constraints, known[after].constraints)


def _summary(site: Site, windows: int, moment: datetime) -> EndpointSummary:
    endpoint = site.endpoint
    try:
        past = _Past(site)
        records = [one for one in past.last_records(windows, moment) if one.own or not endpoint.schedule.hours]
    except UserError as error:
        told = (site.name, endpoint.owner, endpoint.tags, endpoint.schedule_expression, tuple(endpoint.configured()))
        return EndpointSummary(*told, because=str(error), error=str(error))
    return summary.summarise(endpoint, _strip(site, records, windows, moment), records, moment)


def _strip(site: Site, records: Sequence[WindowRecord], windows: int, moment: datetime) -> list[Window]:
    """The last windows that there are: of the schedule where one of them is known, else those before the last known."""
    known = {one.window for one in records}
    if not known or not site.endpoint.schedule.hours:
        return sorted(known)[-windows:]
    for end in (moment, max(known).end):
        expected = summary.expected(site.endpoint, max(min(known).start, end - _span(site, windows)), end)
        found = [one for one in expected if one in known or one.end <= moment - LATE][-windows:]
        if known & {*found}:
            break
    return found


def _span(site: Site, windows: int) -> timedelta:
    """A time that so many windows of the schedule do not fill."""
    return timedelta(days=windows // max(len(site.endpoint.schedule.hours), 1) + 2)


class _Past:
    """What is remembered of an endpoint, at one moment: its shards, and over them what no shard holds yet."""

    def __init__(self, site: Site) -> None:
        self.site, self.index = site, Index(site.store, site.name)
        self.looked = self.index.look()
        self.changed = by_day(self.looked.marks)

    @cached_property
    def days(self) -> list[str]:
        """Every day on which a window ends that has an execution, in order."""
        if not self.looked.begun:
            return days_of(self.site)
        return sorted({*self.looked.shards, *self.changed})

    def between(self, since: datetime, until: datetime) -> list[str]:
        """Those of a span of time."""
        return [day for day in self.days if f"{since:%Y-%m-%d}" <= day <= f"{until:%Y-%m-%d}"]

    def shard(self, day: str) -> Shard:
        """All that stands of a day."""
        return self._overlaid(day, self._stored(day))

    def records(self, day: str) -> tuple[WindowRecord, ...]:
        """The windows of a day, without their metrics; a day that has not changed is only read once."""
        if not self.looked.begun:
            return self.shard(day).windows
        marks = self.changed.get(day, [])
        key = (self.site.store.address, self.looked.shards.get(day, day), *sorted(marks))
        return _HEADS.get(key, lambda: self.shard(day).head, lambda head: not unanswered(head, marks)).windows

    @cached_property
    def first(self) -> datetime | None:
        """When the first window begins that has an execution; None where none has."""
        return min(one.window.start for one in self.records(self.days[0])) if self.days else None

    def coverage(self, since: datetime, until: datetime) -> Coverage:
        """How many windows the schedule has between two moments that may be over, and which have no verdict."""
        until = min(until, now() - LATE)
        records = {one.window: one for day in self.between(since, until) for one in self.records(day) if one.own}
        windows = tuple(summary.expected(self.site.endpoint, since, until))
        return Coverage(len(windows), summary.missed(self.site.endpoint, windows, records))

    def last_records(self, windows: int, moment: datetime) -> list[WindowRecord]:
        """The records of the last windows, and of those before them back to one that was decided."""
        found: list[WindowRecord] = []
        days = self.days
        start = f"{moment - _span(self.site, windows):%Y-%m-%d}"
        for day in reversed(days):
            found = [*self.records(day), *found]
            decided = any(one.verdict and one.verdict.status in DECIDED for one in found)
            if decided and (day <= start or len(found) >= windows):
                break
        return found

    def _stored(self, day: str) -> Shard | None:
        """The day's shard; None where there is none that can be read, so that the day is read from what stands."""
        key = key_in(self.looked, day) if self.looked.begun else ""
        while key:
            text = self.index.get(key)
            if text is not None:
                try:
                    return Shard.read(text, self.site.store.address_of(key))
                except Damaged:
                    return None
            key = key_in(self.index.shards(), day)  # a newer one has just taken its place
        return Shard.of(self.site.name, day, ()) if self.looked.begun else None

    def _overlaid(self, day: str, shard: Shard | None) -> Shard:
        """The shard with what it does not hold yet."""
        if shard is None:
            return Shard.of(self.site.name, day, read_places(self.site, numbers_below(self.site, day)))
        marks = self.changed.get(day)
        return overlaid(shard, read_marked(self.site, marks, shard)) if marks else shard


class _Memory:
    """The windows of days by what they were read from, which never changes; those not asked for longest go first."""

    def __init__(self, most: int) -> None:
        self.most, self.known, self.lock = most, OrderedDict[tuple[object, ...], ShardHead](), Lock()

    def get(
        self, key: tuple[object, ...], read: Callable[[], ShardHead], stays: Callable[[ShardHead], bool]
    ) -> ShardHead:
        """What is known, or what is read now; that is held if it stays as it is."""
        with self.lock:
            if found := self.known.get(key):
                self.known.move_to_end(key)
                return found
        found = read()
        with self.lock:
            if stays(found):
                self.known[key] = found
            while len(self.known) > self.most:
                self.known.popitem(last=False)
        return found


_HEADS = _Memory(HELD)


class _Part(NamedTuple):
    """The windows of a shard that lie in a span."""

    shard: Shard
    places: Sequence[int]
    """Which of the shard's windows they are."""

    @classmethod
    def of(cls, site: Site, shard: Shard, since: datetime, until: datetime) -> "_Part":
        """Those that lie between two moments."""
        hours = site.endpoint.schedule.hours
        return cls(shard, [
            place for place, one in enumerate(shard.windows)
            if since <= one.window.start and one.window.end <= until and (one.own or not hours)
        ])  # fmt: skip

    @property
    def records(self) -> list[WindowRecord]:
        """The windows."""
        return [self.shard.windows[place] for place in self.places]

    def series(self, monitor: str | None = None, metric: str | None = None) -> Iterator[Packed]:
        """Their metrics, those of a monitor and of a name where these are given."""
        whole = len(self.places) == len(self.shard.windows)
        for one in self.shard.packed if self.places else ():
            if monitor in (None, one.key[0]) and metric in (None, one.key[2]):
                yield one if whole else one.picked(self.places)


def _violated(site: Site, record: WindowRecord) -> Iterator[Violated]:
    """A window's violations, with their severity and since when each of them lasts."""
    broken = {
        (name, one.check, one.metric, one.subject): one
        for name, monitor in record.monitors.items() for one in monitor.broken
    }  # fmt: skip
    first = _lasting(site, record.window, broken)
    for key, one in broken.items():
        yield Violated(key[0], one, summary.severity_of(site.endpoint.policy, key[0], one), first[key])


def _lasting(site: Site, window: Window, keys: Iterable[Key]) -> dict[Key, Window]:
    """Since when violations of a window last; days are read back as far as one of them does, and the policy looks."""
    first, past = dict.fromkeys(keys, window), _Past(site)
    lasting, start = set(first), window.start - parse_duration(site.endpoint.policy.look_back)
    for day in reversed(past.between(start, window.end)):
        if not lasting:
            break
        part = _Part.of(site, past.shard(day), start, window.start)
        states = {one.key: one.states for one in part.series()}
        for key in tuple(lasting):
            place, is_over = summary.begun(states.get(key, ""))
            if place is not None:
                first[key] = part.records[place].window
            if is_over:
                lasting.remove(key)
    return first


def _revisions(site: Site, schedule: str, place: str) -> tuple[str, ...]:
    """The manifests of all revisions of a schedule in one window, the oldest first."""
    folder = f"{site.name}/{schedule}/{place}"
    return tuple(numbered(site.store, folder, one + 1) for one in range(last_number(site.store, folder)))


def _verdicts(site: Site, keys: Iterable[str]) -> Iterator[Verdict]:
    for key in keys:
        yield Verdict.read(read_artifact(site.store, key, "verdict.json"), site.store.address_of(key))


def _artifacts(site: Site, key: str) -> Mapping[str, str]:
    """The address of every artifact that a manifest names."""
    try:
        names = read_manifest(site.store, key).artifacts
    except UserError:
        return {}
    return {name: site.store.address_of(key.removesuffix(MANIFEST) + name) for name in names}


def _baseline(site: Site, id_: str, pins: Sequence[Mapping[str, Any]]) -> BaselineView:
    """A stored baseline, with when it was pinned and why."""
    from monitor_tasks.judging import BOUNDS  # loads what measures; pages that ask for no baseline need none of it

    key, told = site.baseline_key(id_), tuple((one["since"] or "", one["because"]) for one in pins)
    address = site.store.address_of(key)
    if not site.store.has(key):
        return BaselineView(id_, told, {}, {}, address, f"{address}: is gone, and windows are judged by it")
    files = {name: site.baseline_file(id_, f"{name}/{BOUNDS}") for name in MONITORS}
    constraints: dict[str, tuple[Constraint, ...]] = {
        name: Constraints.read(text, f"{id_}/{name}/{BOUNDS}").constraints for name, text in files.items() if text
    }
    return BaselineView(id_, told, constraints, read_manifest(site.store, key).inputs, address)
