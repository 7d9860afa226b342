"""The verbs of the DAGs: each reads, asks one pure question, and writes. Only addresses travel between them."""

import json
import logging
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from monitor_tasks.endpoint import Endpoint
from monitor_tasks.io import store as storage
from monitor_tasks.io.executions import append, digest, read_artifact, read_manifest
from monitor_tasks.monitors.settings import MONITORS
from monitor_tasks.policy import Policy
from monitor_tasks.remembered import Remembered
from monitor_tasks.report import Report
from monitor_tasks.site import Site, opened
from monitor_tasks.staging import (
    awaiting,
    coverage,
    given,
    hash_of,
    hidden_as_captured,
    judged,
    label_inputs,
    label_names,
    label_objects,
    labels_in,
    merged,
    named_baselines,
    sources,
    staged,
    suggested_baseline,
    table_of,
)
from monitor_tasks.timeline import not_handed_over
from monitor_tasks.troubles import nameless, rules_in
from monitor_tasks.value import STORED
from monitor_tasks.verdict import Action, Outcome, Permission, Verdict
from monitor_tasks.window import Window

log = logging.getLogger(__name__)


def permission(endpoint: Endpoint, asked: bool | None, backfill: bool) -> Permission:
    """Whether a run may start retraining: its policy allows it, and a backfill only when asked to."""
    if not endpoint.retraining.enabled:
        return Permission(retraining=False, because="the endpoint's configuration does not allow it")
    if asked is False or (backfill and not asked):
        return Permission(retraining=False, because="this run was not allowed to")
    return Permission(retraining=True)


def ingest_capture(site: Site, window: Window) -> str:
    """Captured records to one row per prediction, and the ledger of what became of each record."""
    from monitor_tasks.intake import intake
    from monitor_tasks.on_tables import ingested

    settings = site.endpoint.capture
    found = intake(settings, site.credentials, window)
    execution = site.execution(
        "captured", window, {**found.inputs, "window": str(window), "capture": hash_of(settings)}
    )
    if done := execution.committed():
        return done
    with ingested(found.source(), found.span(window), settings) as (ledger, files):
        found.prove(ledger)
        return execution.commit(files, shown=("ledger.json",))


def merge_labels(site: Site, window: Window, captured: str) -> str:
    """The captured rows with the labels that have arrived, and the counts of what matched."""
    from monitor_tasks.on_tables import label_files

    span, captures = site.endpoint.labelled_span(window), sources(site, window, captured)
    with labels_in(site, label_objects(site, span)) as found:
        read = site.execution("labels", window, label_inputs(site, found.ledger.objects))
        if not read.committed():
            read.commit(label_files(found), shown=("ground_truth.json",))
        labels = found.met([awaiting(site, span, captures)]).labels(0)
    return merged(site, window, captures, labels)


def suggest_baseline(site: Site, window: Window, captured: str, wanted: str = "") -> str:
    """The baseline of the window: the one asked for, the one pinned, or one suggested now; empty where none can be."""
    if pinned := wanted or site.pinned(window):
        read_manifest(site.store, site.baseline_key(pinned))
        return pinned
    named = named_baselines(site)
    if named.keys() == site.endpoint.configured().keys():
        baseline, because = suggested_baseline(site, None, "", None, named), "named by the endpoint"
    else:
        with _reference(site, window, captured) as (rows, source):
            baseline = suggested_baseline(site, rows, source, site.model(window), named)
        because = f"suggested from {'the reference' if site.endpoint.baseline else f'the window {window}'}"
    if baseline:
        site.pin("baselines", {"baseline": baseline}, because)
    return site.pinned(window)


def run_monitor(site: Site, name: str, window: Window, rows: str, baseline: str) -> str:
    """One monitor's report of the window; `rows` is the execution whose table it reads."""
    from monitor_tasks.comparing import compared_in
    from monitor_tasks.judging import check, read_baseline, withheld
    from monitor_tasks.pages.report import report_page

    settings, model = site.endpoint.configured()[name], site.model(window)
    suite = site.read(settings.suite) if getattr(settings, "suite", None) else b""
    inputs = {
        "rows": rows,
        "baseline": baseline,
        "settings": hash_of(settings),
        "suite": digest(suite),
        **given(site, settings),
    }
    because = coverage(site, rows) if MONITORS[name].stage == "labelled" else ""
    inputs = {**inputs, "withheld": because} if because else inputs
    execution = site.execution(
        settings.monitoring_schedule_name, window, {**inputs, "model": hash_of(model) if model else ""}
    )
    if done := execution.committed():
        return done
    known = read_baseline(baseline, name, settings, lambda file: site.baseline_file(baseline, f"{name}/{file}"))
    with site.stored(rows, table_of(site, name, rows)) as table:
        compared = compared_in(settings, table)
        mine = staged(site, name, judged(site, table), model, known.baseline.profile)
        checked = check(name, settings, mine, known, suite)
    checked = compared.beside(checked)
    checked = withheld(checked, because) if because else checked
    told = model.model_copy(update={"address": None}) if model else None  # where a model lies changes no report
    notes = (*_changes(site, window, baseline), *filter(None, [site.endpoint.variants.told]))
    report = checked.report(site.name, str(window), told, notes)
    shown = tuple(file for file in checked.artifacts if file in SHOWN)
    files = {"report.json": report.to_json(), "report.html": report_page(report, checked.exhibits)}
    return execution.commit({**checked.artifacts, **files}, (*shown, *files))


def choose_action(site: Site, window: Window, reports: Mapping[str, str], permission: Permission) -> Verdict:
    """What is done about the window; an episode gets its number once, and asks for retraining once."""
    policy, found = site.endpoint.policy, {name: site.report(key) for name, key in reports.items()}
    inputs = {**reports, "permission": hash_of(permission)}
    execution = site.execution("verdict", window, inputs | ({} if policy == Policy() else {"policy": hash_of(policy)}))
    if done := execution.committed():
        return Verdict.read(read_artifact(site.store, done, "verdict.json"), done)
    _tell_of_nameless(site, found)
    known = Remembered(site, {window: found})
    assessed = known.assessed(window, permission)
    episodes = _episodes(site, window) if assessed.episode else []
    if assessed.action is Action.RETRAIN and not _claim(site, window, episodes, reports, assessed.because):
        assessed = not_handed_over(assessed)
    verdict = Verdict(
        endpoint=site.name,
        window=str(window),
        action=assessed.action,
        because=assessed.because,
        status=Outcome.of(list(found.values())).status,
        episode=episodes[0] if episodes else "",
        severity=assessed.severity or "",
        since=str(assessed.since or ""),
        owner=assessed.owner or site.endpoint.owner,
        closes=_number(site, known.run(window)[:-1]) if assessed.closes else "",
    )
    execution.commit({"verdict.json": verdict.to_json()}, shown=("verdict.json",))
    return verdict


def _tell_of_nameless(site: Site, found: Mapping[str, Report]) -> None:
    """Warns of rules that name nothing: a window is judged in any case, and some constraints come and go."""
    if found.keys() == site.endpoint.configured().keys() and all(one.findings for one in found.values()):
        each = ((name, one.constraint) for name, report in found.items() for one in report.findings)
        known = {(name, one.check, one.metric, one.subject, one.cause) for name, one in each}
        for text in nameless(rules_in(site.endpoint.policy), known):
            log.warning("%s: %s", site.name, text)


SHOWN = ("statistics.json", "constraints.json", "constraint_violations.json", "analysis.json")
"""What SageMaker's users look for in a window's folder."""


def _changes(site: Site, window: Window, baseline: str) -> tuple[str, ...]:
    """What the window was judged by that the window before it was not."""
    if not site.endpoint.schedule.has(window):
        return ()
    before = site.endpoint.schedule.ending(window.start)
    model, former = site.model(window), site.model(before)
    notes = model.changes(former) if model and former else ()
    changed = site.pinned(before) not in ("", baseline)
    return (*notes, f"the baseline changed from {site.pinned(before)} to {baseline}") if changed else notes


@contextmanager
def _reference(site: Site, window: Window, captured: str) -> Iterator[tuple[Any, str]]:
    """The rows that a baseline is suggested from, and a hash that tells them from others."""
    from monitor_tasks.tables.files import Stored

    reference = site.endpoint.baseline
    if reference is not None:
        written = reference.dataset_format.reading if reference.dataset_format else (None, True)
        with opened(reference.dataset, site.credentials) as file:
            yield hidden_as_captured(site, Stored.in_file(file, reference.dataset, *written), digest(file))
        return
    labelled = merge_labels(site, window, captured) if label_names(site.endpoint) else ""
    with site.stored(labelled or captured, "labelled.parquet" if labelled else "captured.parquet") as table:
        yield table, labelled or captured


def _episodes(site: Site, window: Window) -> list[str]:
    """The numbers of the episodes around the window, its own first; one is given once and kept when windows join.

    A window that labels restate may join two episodes, or be violated again after a restatement had cleared it.
    """
    joined: list[int] = []
    belonged = {int(one.episode) for one in site.verdicts(window) if one.episode}

    def open_episode(entries: list[bytes]) -> bytes | None:
        known = Remembered(site)  # what others have stored until now
        run = known.run(window)
        names = {str(one) for one in run}
        opened = {number for number, entry in enumerate(entries, 1) if json.loads(entry)["opened_by"] in names}
        if known.is_cut(run, window) and (number := _number(site, run)):
            opened.add(int(number))
        joined[:] = [*sorted(belonged), *sorted(opened - belonged)]
        return None if joined else json.dumps({"opened_by": str(window)}).encode()

    entries = append(site.store, f"{site.name}/episodes/log", open_episode)
    return [f"{number:06d}" for number in joined or [len(entries)]]


def _number(site: Site, run: Sequence[Window]) -> str:
    """The number of the episode that a run of windows was given; empty where none was."""
    numbers = [one.episode for window in reversed(run) for one in site.verdicts(window)[-1:] if one.episode]
    return numbers[0] if numbers else ""


def _claim(site: Site, window: Window, episodes: list[str], reports: Mapping[str, str], because: str) -> bool:
    """Writes the evidence of the episode's one retraining; False when another window did so before."""
    episode, *others = episodes
    if any(site.store.has(site.evidence_key(other)) for other in others):
        return False
    evidence = {
        "schema_version": STORED["retrain.json"],
        "endpoint": site.name,
        "episode": episode,
        "window": str(window),
        "because": because,
        "reports": dict(reports),
        "baseline": site.pinned(window),
        "config": site.endpoint.config_hash,
    }
    try:
        site.store.create(site.evidence_key(episode), json.dumps(evidence, indent=2).encode())
    except storage.Exists:
        claimed: dict[str, Any] = json.loads(site.store.get(site.evidence_key(episode)))
        return bool(claimed["window"] == str(window))
    return True
