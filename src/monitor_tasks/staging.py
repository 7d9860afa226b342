"""Staging: the rows as each monitor's stage reads them, and the baseline that they suggest."""

import json
from typing import Any

from monitor_tasks.configuration import without_addresses
from monitor_tasks.endpoint import Endpoint
from monitor_tasks.io.executions import Execution, digest
from monitor_tasks.monitors.settings import MONITORS
from monitor_tasks.report import ModelCard
from monitor_tasks.site import Site
from monitor_tasks.value import UserError, Value


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

    settings = site.endpoint.configured()
    inputs = {
        "reference": source,
        "monitors": hash_of(site.endpoint.monitors),
        "model": hash_of(model) if model else "",
    }
    execution = Execution(site.store, f"{site.name}/baselines", inputs)
    if not execution.committed():
        if any(rows.num_rows < one.minimum_rows for one in settings.values()):
            return ""
        found = {name: suggest(name, one, staged(site, name, rows, model)) for name, one in settings.items()}
        execution.commit({f"{name}/{file}": text for name, files in found.items() for file, text in files.items()})
    return execution.revision


def staged(site: Site, name: str, rows: Any, model: ModelCard | None) -> Any:
    """The rows as a monitor's stage reads them."""
    from monitor_tasks.on_tables import explained, without
    from monitor_tasks.tables.captured import features

    stage = MONITORS[name].stage
    if stage == "explained":
        if model is None:
            raise UserError(f"{site.name}: model is not set; attribution needs its address")
        return explained(rows, loaded(site, model), expected_columns(site, model), site.endpoint.configured()[name])
    return features(rows) if stage == "labelled" else without(features(rows), label_names(site.endpoint))


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
