"""The verb that removes what is past its time: first a plan, which only looks, then the removal, which may be killed.

What is removed is noted before it goes, so a later run goes on where a killed one stopped, and a reader of the artifact
is told why it is not there. Baselines, models, pins, logs, manifests and the numbers of reports are never removed.
"""

import re
from collections import defaultdict
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any, Literal, NamedTuple

from monitor_tasks.evidence import records
from monitor_tasks.gates import Gate
from monitor_tasks.io.executions import MANIFEST, REMOVED, newest, note_removed
from monitor_tasks.remembered import Remembered
from monitor_tasks.restating import hour_of_plan, waiting_for_labels
from monitor_tasks.retention import KINDS, Kind
from monitor_tasks.site import Site
from monitor_tasks.value import UserError
from monitor_tasks.verdict import violated
from monitor_tasks.window import HOUR, Window, format_time, parse_duration, parse_time

_REVISION = re.compile(
    r"(?P<folder>[^/]+/[^/]+/(?:(?P<hour>\d{4}/\d\d/\d\d/\d\d)|spans/(?P<span>[^/]+)))/revisions/(?P<id>[0-9a-f]{20})/(?P<name>.+)"
)
_PLAN = re.compile(r"(?P<folder>[^/]+/labels)/revisions/(?P<id>[0-9a-f]{20})/(?P<name>.+)")
_LEARNED = re.compile(
    r"(?P<folder>[^/]+/models/(?P<episode>\d+))/(?P<name>(?:learned/(?P<end>\d{8}T\d{6}Z)|answered)\.parquet)"
)
UNFINISHED: Literal["unfinished"] = "unfinished"
"""What a killed run left behind: it goes with the rows."""


class Removal(NamedTuple):
    """One artifact that is past its time."""

    kind: Kind | Literal["unfinished"]
    """Its key under ``retention``, or ``unfinished``."""
    end: datetime
    """The end of its window."""
    folder: str
    """The revision's folder, or another that notes what was removed."""
    name: str
    copies: tuple[str, ...]
    """The keys of the copies that are shown of it."""
    bytes: int


class Plan(NamedTuple):
    """What a cleaning would do."""

    removals: tuple[Removal, ...]
    kept: Mapping[str, str]
    """The ends of windows of which something is past its time and stays, with the reason."""

    @property
    def told(self) -> dict[str, Any]:
        """By kind how many artifacts of how many windows go, from when until when, with how many bytes; what stays."""
        kinds = {kind: [one for one in self.removals if one.kind == kind] for kind in (*KINDS.values(), UNFINISHED)}
        return {
            "removed": {
                kind: {
                    "artifacts": len(found),
                    "windows": len({one.end for one in found}),
                    "first": format_time(min(one.end for one in found)),
                    "last": format_time(max(one.end for one in found)),
                    "bytes": sum(one.bytes for one in found),
                }
                for kind, found in kinds.items()
                if found
            },
            "kept": dict(self.kept),
        }


class _Keeping(NamedTuple):
    """The windows that are needed still, by their ends, with the reason."""

    whole: Mapping[datetime, str]
    """Nothing of these is removed."""
    rows: Mapping[datetime, str]
    """The rows of these stay."""

    def because(self, end: datetime, kind: str) -> str:
        return self.whole.get(end, "") or (self.rows.get(end, "") if kind == "rows" else "")


def plan(site: Site, moment: datetime) -> Plan:
    """What is past its time at a moment, and what stays although it is.

    Raises:
        UserError: the endpoint says of nothing how long it is kept.
    """
    retention = site.endpoint.retention
    if not any(retention.of(kind) for kind in KINDS.values()):
        raise UserError(
            f"{site.name}: retention is not set, so everything is kept; write retention: {{rows: P90D}} into its YAML"
        )
    keeping, removals, kept = _keeping(site, moment), list[Removal](), dict[str, str]()
    for one in _stored(site):
        kind: Kind = "rows" if one.kind == UNFINISHED else one.kind
        limit = retention.of(kind)
        if limit is None or moment - one.end < limit:
            continue
        if because := keeping.because(one.end, kind):
            kept[format_time(one.end)] = because
        else:
            removals.append(one)
    return Plan(tuple(sorted(removals)), dict(sorted(kept.items())))


def clean(site: Site, found: Plan, moment: datetime) -> None:
    """Removes what a plan names: the note first, then the copies, then the artifact itself."""
    folders = defaultdict[str, list[Removal]](list)
    for one in found.removals:
        folders[one.folder].append(one)
    for folder, removals in folders.items():
        noted = {one.name: _because(site, one.kind) for one in removals if one.kind != UNFINISHED}
        if noted:
            note_removed(site.store, folder, noted, format_time(moment))
        for one in removals:
            for key in (*one.copies, f"{folder}/{one.name}"):
                site.store.delete(key)


def _because(site: Site, kind: str) -> str:
    return f"retention.{kind}: {getattr(site.endpoint.retention, kind)}"


def _stored(site: Site) -> Iterator[Removal]:
    """Every artifact of the endpoint that has a time, whether it is past it or not."""
    watched = [one.monitoring_schedule_name for one in site.endpoint.configured().values()]
    for schedule in dict.fromkeys(("captured", "labelled", "labels", *watched)):
        yield from _of_windows(site, schedule)
    yield from _of_plans(site)
    for entry in site.store.entries(f"{site.name}/models"):
        if (found := _LEARNED.fullmatch(entry.key)) and _is_retrained(site, found["episode"]):
            end = parse_time(found["end"]) if found["end"] else site.handed_over(found["episode"]).end
            yield Removal("rows", end, found["folder"], found["name"], (), entry.size)


def _of_windows(site: Site, schedule: str) -> Iterator[Removal]:
    sizes = {entry.key: entry.size for entry in site.store.entries(f"{site.name}/{schedule}")}
    for key, size in sizes.items():
        if not (found := _REVISION.fullmatch(key)):
            continue
        folder, name = f"{found['folder']}/revisions/{found['id']}", found["name"]
        is_done = f"{folder}/{MANIFEST}" in sizes
        kind = KINDS.get(name) if is_done else UNFINISHED
        if kind and name != REMOVED:
            copies = tuple(copy for copy in [f"{found['folder']}/{name}"] if is_done and copy in sizes)
            total = size + sum(sizes[copy] for copy in copies)
            yield Removal(kind, _end(found["hour"], found["span"]), folder, name, copies, total)


def _of_plans(site: Site) -> Iterator[Removal]:
    """What was read of late labels, but for the newest plan: it is what the next one is told apart from."""
    now = newest(site.store, f"{site.name}/labels") or ""
    for entry in site.store.entries(f"{site.name}/labels/revisions"):
        found = _PLAN.fullmatch(entry.key)
        if not found or found["name"] not in KINDS or found["id"] in now:
            continue
        folder = f"{found['folder']}/revisions/{found['id']}"
        if end := hour_of_plan(site, f"{folder}/{MANIFEST}"):
            yield Removal(KINDS[found["name"]], end, folder, found["name"], (), entry.size)


def _end(hour: str | None, span: str | None) -> datetime:
    """The end of the window that a folder is of."""
    if hour:
        return parse_time("{}-{}-{}T{}:00:00Z".format(*hour.split("/")))
    start, _, length = str(span).partition("_")
    return parse_time(start) + parse_duration(length)


def _keeping(site: Site, moment: datetime) -> _Keeping:
    return _Keeping(
        {one.end: "evidence of an open episode" for one in _of_open_episodes(site)},
        {one.end: "labels may still restate it" for one in _awaited(site, moment)},
    )


def _of_open_episodes(site: Site) -> Iterator[Window]:
    """The windows of the episode that is not over, and of those whose retraining is not done."""
    known = Remembered(site)
    windows = reversed(site.windows("verdict"))
    yield from violated(windows, lambda one: known(one).status, known.policy.healthy_windows)
    for episode in site.store.folders(f"{site.name}/episodes"):
        if site.store.has(site.evidence_key(episode)) and not _is_retrained(site, episode):
            yield from known.run(site.handed_over(episode))


def _is_retrained(site: Site, episode: str) -> bool:
    """Whether nothing more comes of an episode's retraining: its challenger was promoted, or somebody said no."""
    last = records(site, episode)[-1:]
    return any(one.outcome == "refused" or (one.gate, one.outcome) == (Gate.PROMOTE, "passed") for one in last)


def _awaited(site: Site, moment: datetime) -> Iterator[Window]:
    """The windows whose rows labels may still meet: by the clock, or because nobody has looked at some yet."""
    truth = site.endpoint.ground_truth
    if truth is None:
        return
    yield from (one for one in site.windows("captured") if moment - one.end <= truth.longest_wait + 2 * HOUR)
    if truth.start_time_offset is None:
        yield from waiting_for_labels(site)
