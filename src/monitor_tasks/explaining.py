"""Asking the model: the sampled rows explained, or answered again; what a file holds is loaded in a process apart."""

import json
import logging
from time import perf_counter
from typing import Any, NamedTuple

import pyarrow as pa

from monitor_tasks.io.limited import Limits, in_a_process
from monitor_tasks.io.models import (
    LIVE,
    PYTHON,
    ModelFile,
    Requests,
    fetch,
    function_at,
    is_file,
    libraries,
    live_model,
    read_model,
)
from monitor_tasks.io.store import Credentials
from monitor_tasks.monitors.model_quality.answers import Answers
from monitor_tasks.monitors.settings import AttributionSettings, PredictorSettings
from monitor_tasks.profiles.sample import SampleProfile
from monitor_tasks.tables.explained import How, explain, predicted
from monitor_tasks.tables.files import Stored, read_table
from monitor_tasks.tables.sampling import smallest_hashes
from monitor_tasks.value import UserError

LOG = logging.getLogger(__name__)


class Located(NamedTuple):
    """Where a model is: the proven bytes of a file, or the address of what is none."""

    address: str
    content: bytes = b""
    credentials: Credentials | None = None


class Known(NamedTuple):
    """What the baseline was explained by, as JSON: the same is taken again, so that both can be compared."""

    background: str = ""
    """The rows that its values are relative to."""
    dependence: str = ""
    """Its partial dependence: features, values, and the mean answers."""


NOTHING_KNOWN = Known()


def located(
    address: str | None, sha256: str | None, credentials: Credentials | None = None, allow_pickle: bool = False
) -> Located:
    """The model at an address: a file only by its pinned hash; functions and endpoints have none.

    Raises:
        Missing, Refused, Unreachable: the file cannot be had.
        UserError: there is no address, no hash of a file, or another file.
    """
    if address and not is_file(address) and address.startswith((PYTHON, *LIVE)):
        return Located(address, b"", credentials)
    if not address or not sha256:
        raise UserError("the model has no address or no sha256; name its address and sha256 under model, or in a card")
    return Located(address, fetch(address, sha256, credentials, allow_pickle).content)


def explained(
    rows: pa.Table | Stored,
    model: Located,
    features: tuple[str, ...],
    settings: AttributionSettings,
    known: Known = NOTHING_KNOWN,
) -> pa.Table:
    """The SHAP values of the rows with the smallest hashes, relative to the settings' rows or to the known background.

    Partial dependence is told, where the settings ask for it, of the same features and values as the known one.
    """
    said = settings.model_dump(include={*How._fields})
    background = _given(settings, features, known.background)
    headers = settings.predictor.label_headers
    how = How(**said, label_headers=headers, background=background, dependence=known.dependence)
    sample, start = smallest_hashes(rows, settings.sample_rows, features), perf_counter()
    found = _asked(sample, model, features, settings.predictor, how)
    told = {key.decode(): text.decode() for key, text in (found.schema.metadata or {}).items()}
    LOG.info("%s rows explained by %s in %.1f s", found.num_rows, told.get("explainer"), perf_counter() - start)
    return found


def answered(rows: pa.Table, model: Located, features: tuple[str, ...], predictor: PredictorSettings) -> Answers:
    """What the model answers for each row, in their order."""
    return Answers.of(_asked(rows, model, features, predictor, None), predictor.label_headers)


def known_of(profile: Any) -> Known:
    """What a baseline's profile says of how its rows were explained; nothing where it does not say."""
    return Known(profile.background, profile.dependence) if isinstance(profile, SampleProfile) else NOTHING_KNOWN


def background_in(text: bytes, address: str, features: tuple[str, ...]) -> str:
    """The rows of a table file as a background: CSV with a line of names, Parquet or JSON Lines."""
    table = read_table(text, address)
    names = [name for name in features if name in table.column_names] if features else table.column_names
    rows = [list(row.values()) for row in table.select(names).to_pylist()]
    return _background(names, rows)


def _given(settings: AttributionSettings, features: tuple[str, ...], background: str) -> str:
    """The rows that the settings name; an address among them was read before, and is the `background`."""
    if isinstance(settings.baseline, tuple):
        return _background(list(features), [list(row) for row in settings.baseline])
    return background


def _background(names: list[str], rows: list[list[Any]]) -> str:
    return json.dumps({"names": names, "rows": rows, "weights": []})


def _asked(
    rows: pa.Table, model: Located, features: tuple[str, ...], predictor: PredictorSettings, how: How | None
) -> pa.Table:
    """A live endpoint is asked from here; a file or a function is loaded in a process of its own, and asked there."""
    if model.address.startswith(LIVE) and not model.content:
        requests = Requests(**predictor.model_dump(include={*Requests._fields}))
        return _work(rows, live_model(model.address, requests, model.credentials), features, how)
    told = {"address": model.address, "features": features, "how": how and how._asdict()}
    trusted = model.address.startswith(PYTHON)
    limits = Limits(predictor.time_limit, predictor.memory_limit, trusted)
    parts = [json.dumps(told).encode(), model.content, _to_bytes(rows)]
    return _from_bytes(in_a_process(f"{__name__}:apart", parts, model.address, limits, libraries(model.address)))


def apart(told: bytes, content: bytes, rows: bytes) -> bytes:
    """What the process of its own does: it loads the model, and explains or answers the rows."""
    known = json.loads(told)
    address, how = known["address"], known["how"]
    model = function_at(address) if address.startswith(PYTHON) else read_model(ModelFile(address, content))
    found = _work(_from_bytes(rows), model, tuple(known["features"]), How(**how) if how else None)
    return _to_bytes(found)


def _work(rows: pa.Table, model: Any, features: tuple[str, ...], how: How | None) -> pa.Table:
    return explain(rows, model, features, how) if how else predicted(rows, model, features)


def _to_bytes(table: pa.Table) -> bytes:
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)
    return bytes(sink.getvalue())


def _from_bytes(content: bytes) -> pa.Table:
    with pa.ipc.open_stream(content) as reader:
        return reader.read_all()
