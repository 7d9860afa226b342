"""Staging: the rows as each monitor's stage reads them, and the baseline that they suggest."""

import json
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack
from datetime import datetime, timedelta
from functools import partial
from typing import Any

from monitor_tasks.configuration import without_addresses
from monitor_tasks.endpoint import Endpoint
from monitor_tasks.inputs import GroundTruth, Records
from monitor_tasks.io import store as storage
from monitor_tasks.io.executions import Execution, digest, newest, read_manifest
from monitor_tasks.monitors.settings import MONITORS
from monitor_tasks.report import ModelCard
from monitor_tasks.site import Site
from monitor_tasks.value import UserError, Value
from monitor_tasks.window import HOUR, Window, parse_duration

Files = Mapping[str, bytes]


def label_names(endpoint: Endpoint) -> tuple[str, ...]:
    """The columns under which the monitors look for the label: what the setting says that is called ``label``."""
    keys = {"model_quality": "ground_truth_attribute"}
    named = [getattr(one, keys.get(name, "label"), "") for name, one in endpoint.configured().items()]
    return tuple(dict.fromkeys(filter(None, named)))


def label_objects(site: Site, span: Window) -> list[Any]:
    """Every label file that may hold labels of the rows in a span, as objects that are read in pieces."""
    from monitor_tasks.tables.lines import Object

    settings = _ground_truth(site)
    try:
        found = storage.list_objects(settings.address, site.credentials, _until_labelled(settings, span))
    except storage.Missing:
        return []
    return [Object(key, partial(store.chunks, key)) for store, key in found]


def label_inputs(site: Site, hashes: Mapping[str, str]) -> dict[str, str]:
    """All that the labels in label files are a function of; `hashes` are the files' by their names."""
    return {f"object {key}": sha256 for key, sha256 in hashes.items()} | {"columns": ",".join(_columns(site))}


def labels_in(site: Site, objects: list[Any]) -> AbstractContextManager[Any]:
    """The labels in label files, and what became of each line."""
    from monitor_tasks.on_tables import ground_truth

    return ground_truth(objects, _columns(site))


def _columns(site: Site) -> tuple[str, str]:
    """Which columns of a table of labels are the id and the label."""
    settings = _ground_truth(site)
    return settings.id_attribute, settings.label_attribute


def awaiting(site: Site, span: Window, captured: Mapping[str, str]) -> Any:
    """The rows of a span, by the ids in its captured tables, and where their labels may lie."""
    from monitor_tasks.tables.labelled import Awaiting

    def ids() -> Iterator[Any]:
        for key in (key for name, key in captured.items() if name.startswith("captured")):
            yield from site.columns(key, ["@event_id", "@inference_id"])

    end = _until_labelled(_ground_truth(site), span).end
    first, last = (Window(moment, moment + HOUR).hours(around=1) for moment in (span.start, end - HOUR))
    return Awaiting(ids, storage.hour_folder(first[0]), storage.hour_folder(last[-1] + HOUR))


def sources(site: Site, window: Window, captured: str) -> dict[str, str]:
    """The captured tables whose rows are labelled for a window, by input: its own, or those that its span touches."""
    span = site.endpoint.labelled_span(window)
    if span == window:
        return {"captured": captured}
    day = timedelta(days=1)
    found = {one: newest(site.store, site.folder("captured", one))
             for one in site.endpoint.schedule.windows(span.start - day, span.end + day)
             if one.start < span.end and span.start < one.end}  # fmt: skip
    there = {f"captured {one}": key for one, key in found.items() if key}
    return {"span": str(span), **(there or {"captured": captured})}


def labelled(site: Site, window: Window, captures: Mapping[str, str], labels: Any) -> Execution:
    """The execution that labels a window: keyed by its captured rows and its own labels, whatever else arrives."""
    from monitor_tasks.on_tables import hash_of_labels

    inputs = {**captures, "labels": hash_of_labels(labels), "names": ",".join(label_names(site.endpoint))}
    if (record := _merging(site)) is not None:
        inputs["merged_records"] = json.dumps([record.output_names, record.input_names])
    return site.execution("labelled", window, inputs)


def merged(site: Site, window: Window, captures: Mapping[str, str], labels: Any) -> str:
    """The captured rows of a window with its labels."""
    from monitor_tasks import on_tables

    execution = labelled(site, window, captures, labels)
    if done := execution.committed():
        return done
    span = site.endpoint.labelled_span(window)
    with ExitStack() as opened:
        keys = [key for name, key in captures.items() if name.startswith("captured")]
        first, *others = (opened.enter_context(site.stored(key)) for key in keys)
        rows = first.followed(others)
        rows = rows if span == window else on_tables.between(rows, *span)
        files = opened.enter_context(on_tables.merged(rows, labels, label_names(site.endpoint), _merging(site)))
        return execution.commit(files, shown=("labels.json",))


def _merging(site: Site) -> Records | None:
    """The names of a record's cells, where labelled rows are to be written as SageMaker's merge job writes them."""
    return site.endpoint.capture if _ground_truth(site).merged_records else None


def coverage(site: Site, rows: str) -> str:
    """Why too few predictions of a labelled table have a label to judge by it; empty where they are enough."""
    counts, least = site.told(rows, "labels.json"), _ground_truth(site).label_coverage
    matched, predictions = counts["matched"], counts["predictions"]
    if not predictions or matched >= least * predictions:
        return ""
    return (
        f"labels of {matched} of {predictions} predictions have arrived ({matched / predictions:.1%}), "
        f"{least:.1%} needed"
    )


def _ground_truth(site: Site) -> GroundTruth:
    settings = site.endpoint.ground_truth
    if settings is None:
        raise UserError(f"{site.name}: ground_truth is not set; the monitors of labels need its address")
    return settings


def _until_labelled(settings: GroundTruth, span: Window) -> Window:
    return Window(span.start, span.end + parse_duration(settings.label_horizon))


def hash_of(value: Value) -> str:
    """Hash of all that a value says, but for where things lie."""
    return digest(json.dumps(without_addresses(value), sort_keys=True).encode())


def hidden_as_captured(site: Site, rows: Any, source: str) -> tuple[Any, str]:
    """The rows of a reference with the private columns hidden as in captured rows, and the hash of what they are."""
    from monitor_tasks.io.addresses import private_key
    from monitor_tasks.tables.private import POSITION, fingerprint, hidden, hiding

    private, key = site.endpoint.capture.private, private_key()
    if not private:
        return rows, source
    names = [name for name in rows.column_names if not POSITION.fullmatch(name)]
    known = hiding(rows.column_names, private, names)
    told = {"source": source, "private": dict(private), **fingerprint(private, key)}
    return rows.changed(partial(hidden, private=known, key=key)), digest(json.dumps(told, sort_keys=True).encode())


def suggested_baseline(
    site: Site, rows: Any, source: str, model: ModelCard | None, named: Mapping[str, Files] | None = None
) -> str:
    """The id of the baseline that the rows suggest for every monitor; empty where they are too few.

    A monitor whose files are `named` has those; where all are, there need be no rows.
    """
    from monitor_tasks.judging import suggest
    from monitor_tasks.tables.files import Stored

    known, settings = named or {}, site.endpoint.configured()
    inputs = {
        "reference": source,
        "monitors": hash_of(site.endpoint.monitors),
        "model": hash_of(model) if model else "",
        **{f"{name} {what}": text for name, one in settings.items() for what, text in given(site, one).items()},
        **{f"{name}/{file}": digest(text) for name, files in known.items() for file, text in files.items()},
    }
    execution = Execution(site.store, f"{site.name}/baselines", inputs)
    if not execution.committed():
        found, open_ = dict(known), {name: one for name, one in settings.items() if name not in known}
        if open_:
            table = judged(site, Stored.of(rows))
            if not table.holds(max(one.minimum_rows for one in open_.values())):
                return ""
            found |= {name: suggest(name, one, staged(site, name, table, model)) for name, one in open_.items()}
        execution.commit({f"{name}/{file}": text for name, files in found.items() for file, text in files.items()})
    return execution.revision


def named_baselines(site: Site) -> dict[str, Files]:
    """The files of every monitor whose settings say where its baseline lies.

    Raises:
        UserError: a file is none of this monitor's, or holds no constraints.
    """
    from monitor_tasks.dialects import BASELINE_FILES
    from monitor_tasks.judging import read_baseline

    found: dict[str, Files] = {}
    for name, settings in site.endpoint.configured().items():
        address = getattr(settings, "baseline_constraints", None)  # a monitor of somebody's own need not have it
        if address is None:
            continue
        named = {file: getattr(settings, key) for key, file in BASELINE_FILES[name].items()}
        found[name] = {file: site.read(where) for file, where in named.items() if where}
        try:
            constraints = read_baseline("", name, settings, found[name].get).baseline.constraints
        except UserError as error:
            raise UserError(f"monitors.{name}.baseline_constraints: {address}: {error}") from error
        if not constraints:
            raise UserError(f"monitors.{name}.baseline_constraints: {address}: holds no constraints of this monitor")
    return found


def pin_baseline(site: Site, name: str, files: Mapping[str, bytes], since: datetime) -> str:
    """Lets the files of one monitor's baseline hold from a moment on, the other monitors keep theirs; the new id.

    Raises:
        UserError: the files hold no constraints of this monitor, or it does not watch the endpoint.
    """
    from monitor_tasks.judging import read_baseline

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


def judged(site: Site, table: Any) -> Any:
    """The rows of the variants that the monitors judge."""
    from monitor_tasks.on_tables import of_judged

    return of_judged(table, site.endpoint.variants.shadow, site.endpoint.variants.judged)


def table_of(site: Site, name: str, rows: str) -> str:
    """Which table of an execution a monitor reads; to explain rows those that were picked as they were written do."""
    stage = MONITORS[name].stage
    if stage == "explained":
        from monitor_tasks.tables.sampling import LARGEST, PICKED

        is_enough = site.endpoint.configured()[name].sample_rows <= LARGEST
        if is_enough and PICKED in read_manifest(site.store, rows).artifacts:
            return PICKED
    return "labelled.parquet" if stage == "labelled" else "captured.parquet"


def staged(site: Site, name: str, table: Any, model: ModelCard | None, known: Any = None) -> Any:
    """The rows of a stored table as a monitor's stage reads them; SHAP values relative to a `known` profile's rows.

    Labelled rows keep their event id, as the last column: by it, resamples draw a row as often whatever its cells say.
    """
    from monitor_tasks.explaining import background_in, explained, known_of
    from monitor_tasks.on_tables import without
    from monitor_tasks.tables.captured import features
    from monitor_tasks.tables.sampling import EVENT_ID

    stage = MONITORS[name].stage
    if stage == "explained":
        if model is None:
            raise UserError(f"{site.name}: model is not set; attribution needs its address")
        settings, columns = site.endpoint.configured()[name], expected_columns(site, model)
        learned = known_of(known)
        if isinstance(settings.baseline, str):
            given = background_in(site.read(settings.baseline), settings.baseline, columns)
            learned = learned._replace(background=given)
        return explained(table, loaded(site, model), columns, settings, learned)
    if stage == "labelled":
        return table.select([*features(table).column_names, *(name for name in table.column_names if name == EVENT_ID)])
    return without(features(table), label_names(site.endpoint))


def given(site: Site, settings: Value) -> dict[str, str]:
    """What the files that a monitor's settings name hold, and which variants count: what its results depend on, too."""
    address, variants = getattr(settings, "baseline", None), site.endpoint.variants.told
    return {
        **({"background": digest(site.read(address))} if isinstance(address, str) else {}),
        **({"variants": variants} if variants else {}),
    }


def expected_columns(site: Site, model: ModelCard) -> tuple[str, ...]:
    """The columns that the model expects, in order.

    Raises:
        UserError: one of them is hidden.
    """
    names = model.features or site.endpoint.capture.input_names
    if lost := next((name for name in names if name in site.endpoint.capture.private), ""):
        raise UserError(
            f"{site.name}: capture.private hides {lost!r}, which the model needs to see; take it out of there, "
            "or name the model's features under model.features, or leave attribution and retraining out"
        )
    return names


def loaded(site: Site, model: ModelCard) -> Any:
    """Where the model is; a file is proven by its pinned hash."""
    from monitor_tasks.explaining import located

    allowed = site.endpoint.model is not None and site.endpoint.model.allow_pickle
    return located(model.address, model.sha256, site.credentials, allow_pickle=allowed)
