"""The verb of the retraining DAG: a new model and its baseline from an episode's evidence."""

import json
from collections.abc import Iterator, Mapping
from importlib import import_module
from typing import Any

from monitor_tasks.io.executions import digest, newest
from monitor_tasks.monitors.settings import PredictorSettings
from monitor_tasks.remembered import Remembered
from monitor_tasks.report import ModelCard
from monitor_tasks.site import Site
from monitor_tasks.staging import expected_columns, loaded, suggested_baseline
from monitor_tasks.value import UserError
from monitor_tasks.window import Window, format_time, parse_time


def retrain(site: Site, episode: str, window: Window) -> str:
    """Retrains on an episode's labelled windows, suggests their baseline, and points the next windows at both; once."""
    evidence = json.loads(site.store.get(site.evidence_key(episode)))
    if evidence["window"] != str(window):
        raise UserError(f"episode {episode} of {site.name} was handed over by {evidence['window']}, not by {window}")
    record = f"{site.name}/episodes/{episode}/retrained.json"
    if not site.store.has(record):
        site.store.create(record, json.dumps(_retrained(site, window, evidence), indent=2).encode())
    done = json.loads(site.store.get(record))
    since, because = parse_time(done["since"]), f"retrained on episode {episode}: {evidence['because']}"
    site.pin("models", {"model": done["model"]}, because, since)
    site.pin("baselines", {"baseline": done["baseline"]}, because, since)
    return str(done["model"]["address"])


def _retrained(site: Site, window: Window, evidence: Mapping[str, Any]) -> dict[str, Any]:
    """What became of the evidence: the new model, its baseline, and since when both hold.

    The model learns from half of each window's rows; the baseline is what it predicts for the other half.
    """
    from monitor_tasks.explaining import answered
    from monitor_tasks.on_tables import concatenated, learning_half, rescored

    module, _, function = (site.endpoint.retraining.train or "").partition(":")
    if not function:
        raise UserError(f"{site.name}: retraining.train is not set; name a function such as package.module:train")
    folder = f"{site.name}/models/{evidence['episode']}"
    held, windows = dict[str, Any](), list[dict[str, Any]]()
    for one, violations, rows in _materials(site, window):
        file, held[str(one)] = learning_half(rows)
        key = f"{folder}/learned_{one.end:%Y%m%dT%H%M%SZ}.parquet"
        site.store.put(key, file)
        windows.append({"window": str(one), "address": site.store.address_of(key), "violations": violations})
    former = site.model(window)
    told = {"windows": windows, "output": site.store.address_of(folder), "model": former and former.model_dump()}
    said = dict(getattr(import_module(module), function)({**evidence, **told}))
    used = [name for name in said.pop("windows", list(held)) if name in held]
    if not used:
        raise UserError(f"{site.name}: {site.endpoint.retraining.train} used no labelled window; nothing to judge by")
    card = ModelCard.model_validate(said)
    outputs = site.endpoint.capture.output_names
    rows = concatenated([held[name] for name in used])
    predictor = getattr(site.endpoint.configured().get("attribution"), "predictor", PredictorSettings())
    rows = rescored(rows, answered(rows, loaded(site, card), expected_columns(site, card), predictor), outputs)
    source = digest(json.dumps([sorted(used), card.sha256]).encode())
    baseline = suggested_baseline(site, rows, source, card)
    if not baseline:
        raise UserError(f"{site.name}: the windows {', '.join(used)} hold too few rows for a baseline")
    since = format_time(site.reported()[-1].end)
    return {**evidence, "windows": windows, "used": used, "model": card.model_dump(), "baseline": baseline,
            "since": since}  # fmt: skip


def _materials(site: Site, window: Window) -> Iterator[tuple[Window, list[str], Any]]:
    """The episode's windows that may be learned from, labelled and not broken data: what was violated, and the rows."""
    known = Remembered(site)
    for one in known.run(window):
        outcome, key = known(one).outcome, newest(site.store, site.folder("labelled", one))
        if key and "data" not in outcome.causes:
            yield one, list(outcome.what), site.table(key, "labelled.parquet")
