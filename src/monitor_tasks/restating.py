"""Late labels restate exactly the windows that they touch: the verbs of the DAG ``labels__<endpoint>``.

What arrived is told apart from what was known by a log of plans, each of which names the windows that its labels touch.
A plan that was not settled hands its windows on to the next one, so a run that is killed anywhere loses none.
"""

import json
import logging
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from typing import Any, NamedTuple

from monitor_tasks import tasks
from monitor_tasks.io.content import digest_of
from monitor_tasks.io.executions import Execution, newest, read_artifact, read_manifest
from monitor_tasks.io.store import Exists, hour_folder
from monitor_tasks.monitors.settings import MONITORS
from monitor_tasks.site import Site
from monitor_tasks.staging import awaiting, label_inputs, label_objects, labelled, labels_in, merged
from monitor_tasks.value import UserError
from monitor_tasks.verdict import Permission, Verdict
from monitor_tasks.window import Window

PLAN, TOUCHED = "ground_truth.json", "touched.parquet"
REPLACED = Permission(retraining=False, because="the model was replaced after this window")
log = logging.getLogger(__name__)
_HOUR = re.compile(r"object (\d{4}/\d\d/\d\d/\d\d)/")


class Judged(NamedTuple):
    """What the newest verdict of a window rests on."""

    reports: dict[str, str]
    """The reports by monitor."""
    rows: frozenset[str]
    """The labelled tables that the monitors of labels have read."""
    captured: str
    """The captured rows in them."""


def meet_labels(site: Site) -> str:
    """Which windows the labels touch that arrived since the last time: the plan; empty where there is nothing to do."""
    from monitor_tasks.on_tables import label_files, together

    if site.endpoint.ground_truth and site.endpoint.ground_truth.start_time_offset:
        raise UserError(f"{site.name}: ground_truth has offsets: labelled windows lie in the past, none is restated")
    former = newest(site.store, _folder(site)) or ""
    windows = _awaited(site, former)
    if not windows:
        return ""
    captures = {**{one: judged.captured for one, judged in windows.items()}, **_neighbours(site, windows)}
    objects = label_objects(site, Window(min(windows).start, max(windows).end))
    hashes = {one.name: digest_of(one.chunks()) for one in objects}
    inputs = label_inputs(site, hashes) | {
        f"captured {'' if one in windows else 'beside '}{one}": key for one, key in captures.items()
    }
    before = read_manifest(site.store, former).inputs if former else {}
    if {**before, "after": ""} == {**inputs, "after": ""}:
        plan = Execution(site.store, _folder(site), before).committed() or former
        if not _left_over(site, plan):
            return plan if _unsettled(site, plan) else ""
    with labels_in(site, objects) as found:
        _prove(found.ledger.objects, hashes)
        unread: dict[str, str] = {}
        meeting = found.met([_expecting(site, one, key, unread) for one, key in captures.items()])
        matched, known = meeting.matched_labels, _unsettled(site, former)
        labels = ((one, meeting.labels(owner)) for owner, one in enumerate(windows) if str(one) not in unread)
        touched = {str(one): rows for one, rows in labels
                   if str(one) in known or not _rests_on(site, one, windows[one], rows)}  # fmt: skip
        told = {"matched_labels": matched, "orphan": found.ledger.totals["accepted"] - matched,
                "touched": [*touched], "unread": unread}  # fmt: skip
        files = {**label_files(found, **told), TOUCHED: together(touched)}
        execution = Execution(site.store, _folder(site), {**inputs, "after": former})
        plan = execution.commit(files, shown=(PLAN, "quarantined_labels.jsonl"))
    return plan if touched or unread else ""


class NotRestated(UserError):
    """Some windows of a plan could not be judged again; the others were."""

    def __init__(self, failed: Mapping[str, str], verdicts: Sequence[Verdict] = ()) -> None:
        """Why, by window; and the verdicts of the others."""
        told = "; ".join(f"{window}: {because}" for window, because in failed.items())
        super().__init__(f"not judged again with their labels, and left to the next plan: {told}")
        self.failed, self.verdicts = dict(failed), list(verdicts)


def restate(site: Site, plan: str, permission: Permission) -> list[Verdict]:
    """Every window that the plan names, with its labels, judged again; run again, it executes nothing.

    Raises:
        NotRestated: some could not be; those are left to the next plan where `settle_labels` is told of them.
    """
    from monitor_tasks.on_tables import apart

    labels, verdicts, now = site.table(plan, TOUCHED), [], site.model(site.reported()[-1])
    failed = _unread(site, plan)
    for name in _touched(site, plan):
        window = Window.parse(name)
        try:
            is_past = permission.retraining and site.model(window) != now
            if former := _judged(site, window):
                allowed = REPLACED if is_past else permission
                verdicts.append(_judged_again(site, window, former, apart(labels, name), allowed))
        except Exception as error:
            log.exception("%s: %s could not be judged again", site.name, name)
            failed[name] = str(error) if isinstance(error, UserError) else f"{type(error).__name__}: {error}"
    if failed:
        raise NotRestated(failed, verdicts)
    return verdicts


def settle_labels(site: Site, plan: str, left_over: Iterable[str] = ()) -> None:
    """Notes that what the plan's windows led to was handed over; until then the next plan names them again.

    It names those again, too, that are left over: they could not be judged.
    """
    with suppress(Exists):
        site.store.create(_settled(site, plan), "\n".join([plan, *left_over]).encode())


def history(site: Site, window: Window) -> list[dict[str, Any]]:
    """What was known of a window, revision by revision of its monitors of labels: how much was labelled, what came out.

    One row a revision, the oldest first; ``known`` is the newest hour in which a label of the window was collected.
    """
    return [
        _remembered(site, name, key) for name, schedule in _of_labels(site).items()
        for key in site.revisions(schedule, window)
    ]  # fmt: skip


def grades(site: Site) -> list[dict[str, Any]]:
    """How well estimates have stood the test: by metric the share of realised values inside their bands.

    Of every window the newest revision counts, if it has both an estimate and enough labels to grade it.
    """
    found: dict[tuple[str, str], dict[str, bool]] = {}
    for name, schedule in _of_labels(site).items():
        for window in site.windows(schedule):
            if key := newest(site.store, site.folder(schedule, window)):
                for one in site.report(key).estimates:
                    known = found.setdefault((name, one.metric), {})
                    known |= {str(window): one.realised.inside} if one.realised else {}
    return [
        {"monitor": name, "metric": metric, "windows": len(graded), "inside": sum(graded.values()),
         "share": sum(graded.values()) / len(graded) if graded else None,
         "outside": [window for window, inside in graded.items() if not inside]}
        for (name, metric), graded in found.items()
    ]  # fmt: skip


HEADLINES = ("auc", "accuracy", "rmse")
"""The metric that a row of history shows where it was judged; else the first one that was."""


def _remembered(site: Site, monitor: str, key: str) -> dict[str, Any]:
    counts = site.told(read_manifest(site.store, key).inputs["rows"], "labels.json")
    report = site.report(key)
    metrics = {one.metric.name: one.metric for one in reversed(report.findings) if one.metric}
    shown = next((metrics[name] for name in (*HEADLINES, *reversed(metrics)) if name in metrics), None)
    told = {name: counts.get(name) for name in ("predictions", "matched", "coverage", "conflicting")}
    estimate = next((one for one in report.estimates if shown and one.metric == shown.name), None)
    realised = estimate.realised if estimate else None
    return {
        "monitor": monitor,
        "known": counts.get("newest_hour"),
        **told,
        "status": report.status,
        "violations": len(report.violations),
        "metric": shown.name if shown else None,
        "subject": shown.subject if shown else None,
        "value": shown.value if shown else None,
        "estimate": estimate.value if estimate else None,
        "band": [estimate.lower, estimate.upper] if estimate else None,
        "realised": realised.model_dump(mode="json") if realised else None,
        "inside": realised.inside if realised else None,
        "report": site.store.address_of(key),
    }


def _judged_again(site: Site, window: Window, former: Judged, labels: Any, permission: Permission) -> Verdict:
    """The verdict of a window after its monitors of labels have read these; the other monitors stand by theirs."""
    rows, reports = merged(site, window, {"captured": former.captured}, labels), dict(former.reports)
    for name in _of_labels(site):
        if name in reports:
            baseline = read_manifest(site.store, reports[name]).inputs["baseline"] or site.pinned(window)
            reports[name] = tasks.run_monitor(site, name, window, rows, baseline)
    return tasks.choose_action(site, window, reports, permission)


def _judged(site: Site, window: Window) -> Judged | None:
    """What the newest verdict rests on; None without one, or where no monitor of labels had run."""
    verdict = newest(site.store, site.folder("verdict", window))
    inputs = read_manifest(site.store, verdict).inputs if verdict else {}
    reports = {name: inputs[name] for name in site.endpoint.configured() if name in inputs}
    rows = {read_manifest(site.store, reports[name]).inputs["rows"] for name in _of_labels(site) if name in reports}
    if not rows:
        return None
    return Judged(reports, frozenset(rows), read_manifest(site.store, min(rows)).inputs["captured"])


def _rests_on(site: Site, window: Window, judged: Judged, labels: Any) -> bool:
    """Whether the window was judged with these very labels."""
    return {labelled(site, window, {"captured": judged.captured}, labels).key} == judged.rows


def _awaited(site: Site, former: str) -> dict[Window, Judged]:
    """The judged windows whose labels may have arrived since the former plan, or whose plan was never settled."""
    windows, known = site.windows("verdict"), _unsettled(site, former)
    since = min(_newest_hour(site, former), hour_folder(windows[-1].end)) if windows else ""
    chosen = [one for one in windows if awaiting(site, one, {}).stop > since or str(one) in known]
    found = {one: _judged(site, one) for one in chosen}
    return {one: judged for one, judged in found.items() if judged is not None}


def _newest_hour(site: Site, former: str) -> str:
    """The newest hour folder of the label files that a plan knows; empty where there is none, or no such folders."""
    names = read_manifest(site.store, former).inputs if former else {}
    hours = [found[1] for name in names if (found := _HOUR.match(name))]
    return max(hours, default="")


def _neighbours(site: Site, windows: Iterable[Window]) -> dict[Window, str]:
    """Other captured windows whose labels may lie among those of the windows: their labels are no orphans."""
    own = set(windows)
    start = awaiting(site, min(own), {}).start
    near = [one for one in site.windows("captured") if one not in own and awaiting(site, one, {}).stop > start]
    found = {one: newest(site.store, site.folder("captured", one)) for one in near}
    return {one: key for one, key in found.items() if key}


def _unsettled(site: Site, plan: str) -> frozenset[str]:
    """The windows of a plan that was not settled, or those that a settled one has left over."""
    is_open = plan and not site.store.has(_settled(site, plan))
    return frozenset((*_touched(site, plan), *_unread(site, plan))) if is_open else _left_over(site, plan)


def _left_over(site: Site, plan: str) -> frozenset[str]:
    """The windows that a settled plan has left over."""
    is_settled = plan and site.store.has(_settled(site, plan))
    return frozenset(site.store.get(_settled(site, plan)).decode().split("\n")[1:] if is_settled else ())


def _expecting(site: Site, window: Window, captured: str, unread: dict[str, str]) -> Any:
    """A window whose labels are looked for; one whose rows cannot be read is noted with the reason, and has none."""
    found = awaiting(site, window, {"captured": captured})

    def ids() -> Iterator[Any]:
        try:
            yield from found.ids()
        except UserError as error:
            unread[str(window)] = str(error)

    return found._replace(ids=ids)


def _prove(found: Mapping[str, str], hashes: Mapping[str, str]) -> None:
    """Lets no label file pass that is not what it was when it was hashed."""
    if changed := next((name for name, sha256 in found.items() if sha256 != hashes[name]), ""):
        raise UserError(f"{changed}: changed while it was read; meet the labels again when it is complete")


def _told(site: Site, plan: str) -> dict[str, Any]:
    """What a plan says."""
    told: dict[str, Any] = json.loads(read_artifact(site.store, plan, PLAN))
    return told


def _touched(site: Site, plan: str) -> list[str]:
    """The windows that a plan names, in order."""
    touched: list[str] = _told(site, plan)["touched"]
    return touched


def _unread(site: Site, plan: str) -> dict[str, str]:
    """The windows of which a plan does not know whether labels touch them, and why."""
    unread: dict[str, str] = _told(site, plan).get("unread", {})
    return unread


def _settled(site: Site, plan: str) -> str:
    """Where it is noted that a plan is settled."""
    return f"{_folder(site)}/settled/{read_manifest(site.store, plan).revision}"


def _of_labels(site: Site) -> dict[str, str]:
    """The monitors of labels that watch the endpoint, with their schedules."""
    configured = site.endpoint.configured().items()
    return {name: one.monitoring_schedule_name for name, one in configured if MONITORS[name].stage == "labelled"}


def _folder(site: Site) -> str:
    return f"{site.name}/labels"
