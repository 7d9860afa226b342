"""Staging: the rows as each monitor's stage reads them, and the baseline that they suggest."""

import json
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from monitor_tasks.configuration import without_addresses
from monitor_tasks.endpoint import Endpoint
from monitor_tasks.io.executions import Execution, digest, read_manifest
from monitor_tasks.monitors.settings import MONITORS
from monitor_tasks.report import ModelCard
from monitor_tasks.site import Site
from monitor_tasks.value import UserError, Value
from monitor_tasks.window import Window


def label_names(endpoint: Endpoint) -> tuple[str, ...]:
    """The columns under which the monitors look for the label."""
    keys = {"model_quality": "ground_truth_attribute", "bias": "label"}
    named = [getattr(one, keys[name]) for name, one in endpoint.configured().items() if name in keys]
    return tuple(dict.fromkeys(named))


def hash_of(value: Value) -> str:
    """Hash of all that a value says, but for where things lie."""
    return digest(json.dumps(without_addresses(value), sort_keys=True).encode())


def suggested_baseline(site: Site, rows: Any, source: str, model: ModelCard | None) -> str:
    """The id of the baseline that the rows suggest for every monitor; empty where they are too few."""
    from monitor_tasks.on_tables import suggest
    from monitor_tasks.tables.files import Stored

    table, settings = Stored.of(rows), site.endpoint.configured()
    inputs = {
        "reference": source,
        "monitors": hash_of(site.endpoint.monitors),
        "model": hash_of(model) if model else "",
    }
    execution = Execution(site.store, f"{site.name}/baselines", inputs)
    if not execution.committed():
        if not table.holds(max((one.minimum_rows for one in settings.values()), default=0)):
            return ""
        found = {name: suggest(name, one, staged(site, name, table, model)) for name, one in settings.items()}
        execution.commit({f"{name}/{file}": text for name, files in found.items() for file, text in files.items()})
    return execution.revision


def pin_baseline(site: Site, name: str, files: Mapping[str, bytes], since: datetime) -> str:
    """Lets the files of one monitor's baseline hold from a moment on, the other monitors keep theirs; the new id.

    Raises:
        UserError: the files hold no constraints of this monitor, or it does not watch the endpoint.
    """
    from monitor_tasks.on_tables import read_baseline

    if name not in site.endpoint.configured():
        raise UserError(f"{site.name}: has no monitor {name!r}; it has {', '.join(site.endpoint.configured())}")
    if not read_baseline("", name, site.endpoint.configured()[name], files.get).baseline.constraints:
        raise UserError(f"{name}: the folder holds no constraints; name the folder that `monitor-tasks suggest` wrote")
    former = site.pinned(Window.of(since, since + timedelta(hours=1)))
    kept = read_manifest(site.store, site.baseline_key(former)).artifacts if former else {}
    others = {file: site.baseline_file(former, file) for file in kept if not file.startswith(f"{name}/")}
    named = {f"{name}/{file}": content for file, content in files.items()}
    whole = {file: content for file, content in {**others, **named}.items() if content is not None}
    inputs = {f"file {file}": digest(content) for file, content in whole.items()}
    execution = Execution(site.store, f"{site.name}/baselines", inputs)
    execution.commit(whole)
    site.pin("baselines", {"baseline": execution.revision}, f"{name} was pinned by hand", since)
    return execution.revision


def staged(site: Site, name: str, table: Any, model: ModelCard | None) -> Any:
    """The rows of a stored table as a monitor's stage reads them."""
    from monitor_tasks.on_tables import explained, without
    from monitor_tasks.tables.captured import features

    stage = MONITORS[name].stage
    if stage == "explained":
        if model is None:
            raise UserError(f"{site.name}: model is not set; attribution needs its address")
        settings = site.endpoint.configured()[name]
        return explained(table.whole(), loaded(site, model), expected_columns(site, model), settings)
    return features(table) if stage == "labelled" else without(features(table), label_names(site.endpoint))


def expected_columns(site: Site, model: ModelCard) -> tuple[str, ...]:
    """The columns that the model expects, in order."""
    return model.features or site.endpoint.capture.input_names


def loaded(site: Site, model: ModelCard) -> Any:
    """The model itself, proven by its pinned hash."""
    from monitor_tasks.io.predictor import load_model

    if not model.address or not model.sha256:
        raise UserError(f"{site.name}: the model has no address or no sha256; name both under model, or in its card")
    allowed = site.endpoint.model is not None and site.endpoint.model.allow_pickle
    return load_model(model.address, model.sha256, site.credentials, allow_pickle=allowed)
