"""The verbs of the DAGs: each reads, asks one pure question, and writes. Only addresses travel between them."""

import json
from collections.abc import Mapping
from importlib import import_module
from typing import Any

from monitor_tasks.endpoint import Endpoint
from monitor_tasks.io import store as storage
from monitor_tasks.io.executions import Execution, append, digest, read_artifact, read_manifest
from monitor_tasks.site import Site
from monitor_tasks.value import UserError, Value
from monitor_tasks.verdict import Action, Outcome, Permission, Verdict, decide, episode_around
from monitor_tasks.window import Window


def permission(endpoint: Endpoint, asked: bool | None, backfill: bool) -> Permission:
    """Whether a run may start retraining: its policy allows it, and a backfill only when asked to."""
    if not endpoint.retraining.enabled:
        return Permission(retraining=False, because="the endpoint's configuration does not allow it")
    if asked is False or (backfill and not asked):
        return Permission(retraining=False, because="this run was not allowed to")
    return Permission(retraining=True)


def ingest_capture(site: Site, window: Window) -> str:
    """Captured records to one row per prediction, and the ledger of what became of each record."""
    from monitor_tasks.on_tables import ingest
    from monitor_tasks.tables.captured import Span

    settings = site.endpoint.capture
    hours = window if settings.layout == "hours" else None
    found = storage.list_objects(settings.address, site.credentials, hours)
    objects = [(key, store.get(key)) for store, key in found]
    inputs = {f"object {key}": digest(content) for key, content in objects}
    execution = site.execution("captured", window, {**inputs, "window": str(window), "capture": _hash(settings)})
    if done := execution.committed():
        return done
    own = {storage.hour_folder(hour) for hour in window.hours()}
    around = tuple({storage.hour_folder(hour) for hour in window.hours(around=1)} - own)
    span = Span(window, frozenset(key for key, _ in objects if key.startswith(around)))
    return execution.commit(ingest(objects, span, settings), shown=("ledger.json",))


def suggest_baseline(site: Site, window: Window, captured: str, wanted: str = "") -> str:
    """The baseline of the window: the one asked for, the one pinned, or one suggested now; empty where none can be."""
    from monitor_tasks.on_tables import suggest

    if pinned := wanted or site.pinned(window):
        read_manifest(site.store, site.baseline_key(pinned))
        return pinned
    rows, source = _reference(site, captured)
    settings = site.endpoint.configured()
    execution = Execution(
        site.store, f"{site.name}/baselines", {"reference": source, "monitors": _hash(site.endpoint.monitors)}
    )
    if not execution.committed():
        if any(rows.num_rows < one.minimum_rows for one in settings.values()):
            return ""
        files = {
            f"{name}/{file}": content
            for name, one in settings.items()
            for file, content in suggest(name, one, rows).items()
        }
        execution.commit(files)
    because = f"suggested from {'the reference' if site.endpoint.baseline else f'the window {window}'}"
    site.pin(execution.revision, because)
    return site.pinned(window)


def validate_data(site: Site, window: Window, captured: str, baseline: str) -> str:
    """The data-quality report of the window, validated by Great Expectations."""
    from monitor_tasks.on_tables import check, read_baseline
    from monitor_tasks.tables.captured import features

    settings = site.endpoint.configured()["data_quality"]
    suite = site.read(settings.suite) if settings.suite else b""
    inputs = {"captured": captured, "baseline": baseline, "settings": _hash(settings), "suite": digest(suite)}
    execution = site.execution(settings.monitoring_schedule_name, window, inputs)
    if done := execution.committed():
        return done
    known = read_baseline(baseline, lambda file: site.baseline_file(baseline, f"data_quality/{file}"))
    rows = features(site.table(captured))
    checked = check("data_quality", settings, rows, known, suite)
    report = checked.report(site.name, str(window))
    shown = tuple(name for name in checked.artifacts if name in SHOWN)
    return execution.commit({**checked.artifacts, "report.json": report.to_json()}, (*shown, "report.json"))


def choose_action(site: Site, window: Window, reports: Mapping[str, str], permission: Permission) -> Verdict:
    """What is done about the window; an episode gets its number once, and asks for retraining once."""
    outcome = Outcome.of([site.report(key) for key in reports.values()])
    execution = site.execution("verdict", window, {**reports, "permission": _hash(permission)})
    if done := execution.committed():
        return Verdict.read(read_artifact(site.store, done, "verdict.json"), done)
    if not site.endpoint.schedule.has(window):
        permission = Permission(retraining=False, because="not one of the schedule's own windows")
    action, because = decide(outcome, permission)
    episode = _episode(site, window) if outcome.causes and site.endpoint.schedule.has(window) else ""
    if action is Action.RETRAIN and not _claim(site, window, episode, reports, because):
        action, because = Action.ALERT, f"retraining was handed over before in this episode; {because}"
    verdict = Verdict(
        endpoint=site.name, window=str(window), action=action, because=because, status=outcome.status, episode=episode
    )
    execution.commit({"verdict.json": verdict.to_json()}, shown=("verdict.json",))
    return verdict


def retrain(site: Site, episode: str, window: Window) -> str:
    """Retrains on an episode's evidence through the endpoint's own function, and records the new model; once."""
    evidence = json.loads(site.store.get(site.evidence_key(episode)))
    if evidence["window"] != str(window):
        raise UserError(f"episode {episode} of {site.name} was handed over by {evidence['window']}, not by {window}")
    record = f"{site.name}/episodes/{episode}/retrained.json"
    if not site.store.has(record):
        module, _, function = (site.endpoint.retraining.train or "").partition(":")
        if not function:
            raise UserError(f"{site.name}: retraining.train is not set; name a function such as package.module:train")
        output = site.store.address_of(f"{site.name}/models/{episode}")
        model = getattr(import_module(module), function)({**evidence, "root": site.endpoint.root, "output": output})
        site.store.create(record, json.dumps({"schema_version": 1, "model": model, **evidence}, indent=2).encode())
    return str(json.loads(site.store.get(record))["model"])


SHOWN = ("statistics.json", "constraints.json", "constraint_violations.json", "analysis.json")
"""What SageMaker's users look for in a window's folder."""


def _hash(value: Value) -> str:
    return digest(value.to_json())


def _reference(site: Site, captured: str) -> tuple[Any, str]:
    """The rows that a baseline is suggested from, and a hash that tells them from others."""
    from monitor_tasks.tables.captured import features
    from monitor_tasks.tables.files import read_table

    reference = site.endpoint.baseline
    if reference is None:
        return features(site.table(captured)), captured
    content = site.read(reference.dataset)
    kind, header = reference.dataset_format.reading if reference.dataset_format else (None, True)
    return read_table(content, reference.dataset, kind, header), digest(content)


def _episode(site: Site, window: Window) -> str:
    """The number of the episode around the window; it is given once and kept when other windows join."""
    joined: list[int] = []

    def open_episode(entries: list[bytes]) -> bytes | None:
        run = {str(one) for one in episode_around(window, site.reported(), lambda other: site.outcome(other).status)}
        joined[:] = [number for number, entry in enumerate(entries, 1) if json.loads(entry)["opened_by"] in run]
        return None if joined else json.dumps({"opened_by": str(window)}).encode()

    entries = append(site.store, f"{site.name}/episodes/log", open_episode)
    return f"{(joined or [len(entries)])[0]:06d}"


def _claim(site: Site, window: Window, episode: str, reports: Mapping[str, str], because: str) -> bool:
    """Writes the evidence of the episode's one retraining; False when another window did so before."""
    evidence = {
        "schema_version": 1,
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
