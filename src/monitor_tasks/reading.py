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

from monitor_tasks.baseline import Constraint, Constraints
from monitor_tasks.coverage import LATE, Coverage, Missed, expected
from monitor_tasks.coverage import missed as without_verdict
from monitor_tasks.episodes import episodes, severity_of
from monitor_tasks.history import History, Violated, WindowView, begun, estimates, marks
from monitor_tasks.indexing import (
    READERS,
    by_day,
    days_of,
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
from monitor_tasks.io.store import Entry
from monitor_tasks.monitors.settings import MONITORS
from monitor_tasks.shard import Damaged, Key, Packed, Shard, ShardHead, WindowRecord, joined
from monitor_tasks.site import Site
from monitor_tasks.summary import BaselineChange, BaselineView, EndpointSummary, differences, summarise
from monitor_tasks.troubles import DECIDED
from monitor_tasks.value import UserError
from monitor_tasks.verdict import Verdict
from monitor_tasks.window import Window, now, parse_duration

STRIP = 48
"""So many windows a strip shows."""
HELD = 768
"""So many days' windows are held in memory once they were read."""


def overview(sites: Sequence[Site], windows: int = STRIP, moment: datetime | None = None) -> list[EndpointSummary]:
    """One line for each endpoint, over its last windows; one that cannot be read says why, and costs only itself."""
    with ThreadPoolExecutor(READERS) as pool:
        return list(pool.map(partial(_summary, windows=windows, moment=moment or now()), sites))


def history(
    site: Site, since: datetime, until: datetime, monitor: str | None = None, metric: str | None = None
) -> History:
    """What happened between two moments: every metric, or those that are named, with what marks the way."""
    past = _Past(site)
    parts = _parts(past, past.shard, since, until)
    series = joined([(len(one.records), one.series(monitor, metric)) for one in parts])
    return _told(past, parts, since, until)._replace(series=series)


def happened(site: Site, since: datetime, until: datetime) -> History:
    """What happened between two moments, without its metrics."""
    past = _Past(site)
    return _told(past, _parts(past, past.without_metrics, since, until), since, until)


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
    return differences(known[before].constraints, known[after].constraints)


def _parts(past: "_Past", read: Callable[[str], Shard], since: datetime, until: datetime) -> list["_Part"]:
    """The days between two moments, each as it is read."""
    with ThreadPoolExecutor(READERS) as pool:
        return [_Part.of(past.site, one, since, until) for one in pool.map(read, past.between(since, until))]


def _told(past: "_Past", parts: Sequence["_Part"], since: datetime, until: datetime) -> History:
    """What the windows of some days tell, without their metrics."""
    records, first = tuple(chain.from_iterable(one.records for one in parts)), past.first
    policy = past.site.endpoint.policy
    found = episodes(records, policy)
    return History(
        past.site.name, tuple(one.window for one in records), records, (), estimates(records),
        marks(records, found, policy), found, past.coverage(max(since, first or since), until).missed,
    )  # fmt: skip


def _summary(site: Site, windows: int, moment: datetime) -> EndpointSummary:
    endpoint = site.endpoint
    try:
        found = _last_records(site, windows, moment)
        records = [one for one in found if one.own or not endpoint.schedule.hours]
    except UserError as error:
        told = (site.name, endpoint.owner, endpoint.tags, endpoint.schedule_expression, tuple(endpoint.configured()))
        return EndpointSummary(*told, because=str(error), error=str(error))
    return summarise(endpoint, _strip(site, records, windows, moment), records, moment)


def _strip(site: Site, records: Sequence[WindowRecord], windows: int, moment: datetime) -> list[Window]:
    """The last windows that there are: of the schedule where one of them is known, else those before the last known."""
    known = {one.window for one in records}
    if not known or not site.endpoint.schedule.hours:
        return sorted(known)[-windows:]
    for end in (moment, max(known).end):
        scheduled = expected(site.endpoint, max(min(known).start, end - _span(site, windows)), end)
        found = [one for one in scheduled if one in known or one.end <= moment - LATE][-windows:]
        if known & {*found}:
            break
    return found


def _span(site: Site, windows: int) -> timedelta:
    """A time that so many windows of the schedule do not fill."""
    return timedelta(days=windows // max(len(site.endpoint.schedule.hours), 1) + 2)


def _last_records(site: Site, windows: int, moment: datetime) -> list[WindowRecord]:
    """The records of the last windows, and of those before them back to one that was decided.

    Only the last days are looked at, unless none of them has a decided window.
    """
    start = f"{moment - _span(site, windows):%Y-%m-%d}"
    found: list[WindowRecord] = []
    for since in (start, ""):
        past, found = _Past(site, since), []
        for day in reversed(past.days):
            found = [*past.records(day), *found]
            decided = any(one.verdict and one.verdict.status in DECIDED for one in found)
            if decided and (day <= start or len(found) >= windows):
                return found
        if not past.looked.begun:  # all days were looked at
            break
    return found


class _Past:
    """What is remembered of an endpoint, at one moment: its shards, and over them what no shard holds yet."""

    def __init__(self, site: Site, since: str = "") -> None:
        """What is remembered of the day `since` and of later ones."""
        self.site, self.index, self.since = site, Index(site.store, site.name), since
        self.looked = self.index.look(since)
        self.changed = by_day(self.looked.marks)

    @cached_property
    def days(self) -> list[str]:
        """Every day on which a window ends that has an execution, in order."""
        if not self.looked.begun:
            return days_of(self.site)
        return sorted(day for day in {*self.looked.shards, *self.changed} if day >= self.since)

    def between(self, since: datetime, until: datetime) -> list[str]:
        """Those of a span of time."""
        return [day for day in self.days if f"{since:%Y-%m-%d}" <= day <= f"{until:%Y-%m-%d}"]

    def shard(self, day: str) -> Shard:
        """All that stands of a day."""
        return self._overlaid(day, self._stored(day))

    def records(self, day: str) -> tuple[WindowRecord, ...]:
        """The windows of a day, without their metrics; a day that has not changed is only read once."""
        return self.without_metrics(day).windows

    def without_metrics(self, day: str) -> Shard:
        """All that stands of a day but its metrics; a day that has not changed is only read once."""
        if not self.looked.begun:
            return self.shard(day)
        marks = self.changed.get(day, [])
        key = (self.site.store.address, self.looked.shards.get(day, day), *sorted(marks))
        head = _HEADS.known(key)
        if head is None:
            head = self.shard(day).head
            if not unanswered(head, marks):
                _HEADS.keep(key, head)
        return Shard(head, b"[]")

    @cached_property
    def first(self) -> datetime | None:
        """When the first window begins that has an execution; None where none has."""
        return min(one.window.start for one in self.records(self.days[0])) if self.days else None

    def coverage(self, since: datetime, until: datetime) -> Coverage:
        """How many windows the schedule has between two moments that may be over, and which have no verdict."""
        until = min(until, now() - LATE)
        records = {one.window: one for day in self.between(since, until) for one in self.records(day) if one.own}
        windows = tuple(expected(self.site.endpoint, since, until))
        return Coverage(len(windows), without_verdict(self.site.endpoint, windows, records))

    def _stored(self, day: str) -> Shard | None:
        """The day's shard; None where there is none that can be read, so that the day is read from what stands."""
        if not self.looked.begun:
            return None
        looked = self.looked
        while entry := looked.shards.get(day):
            text = self.index.get(entry.key)
            if text is not None:
                return self._read(entry, text)
            looked = self.index.shards()  # a newer one has just taken its place
        return Shard.of(self.site.name, day, ())

    def _read(self, entry: Entry, text: bytes) -> Shard | None:
        """The shard in a file, its windows from memory where they were read before; None where it is damaged."""
        key = (self.site.store.address, entry)
        try:
            shard = Shard.read(text, self.site.store.address_of(entry.key), _HEADS.known(key))
        except Damaged:
            return None
        _HEADS.keep(key, shard.head)
        return shard

    def _overlaid(self, day: str, shard: Shard | None) -> Shard:
        """The shard with what it does not hold yet."""
        if shard is None:
            return Shard.of(self.site.name, day, read_places(self.site, numbers_below(self.site, day)))
        marks = self.changed.get(day)
        return overlaid(shard, read_marked(self.site, marks, shard)) if marks else shard


class _Memory:
    """The windows of days by what they were read from, which never changes; those not asked for longest go first."""

    def __init__(self, most: int) -> None:
        self.most, self.lock, self._known = most, Lock(), OrderedDict[tuple[object, ...], ShardHead]()

    def known(self, key: tuple[object, ...]) -> ShardHead | None:
        """What is held; None where nothing is."""
        with self.lock:
            if key in self._known:
                self._known.move_to_end(key)
            return self._known.get(key)

    def keep(self, key: tuple[object, ...], head: ShardHead) -> None:
        """Holds what will stay as it is."""
        with self.lock:
            self._known[key] = head
            self._known.move_to_end(key)
            while len(self._known) > self.most:
                self._known.popitem(last=False)


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
        yield Violated(key[0], one, severity_of(site.endpoint.policy, key[0], one), first[key])


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
            place, is_over = begun(states.get(key, ""))
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
