"""Tables and files in hand: capture read, baselines suggested, tables checked."""

import json
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import typer

from monitor_tasks.cli.commands import (
    EXIT,
    AsJson,
    Output,
    Yaml,
    address_of,
    bytes_at,
    endpoint_in,
    err,
    moment_of,
    out,
    text_in,
    verb,
    write,
)
from monitor_tasks.configuration import read_yaml
from monitor_tasks.endpoint import Model, json_schema, on_a_table
from monitor_tasks.inputs import Capture, DatasetFormat
from monitor_tasks.io.addresses import private_key
from monitor_tasks.io.store import Missing, Store, home
from monitor_tasks.monitors.settings import MONITORS
from monitor_tasks.pages.terminal import (
    ReadingProgress,
    ledger_table,
    report_table,
)
from monitor_tasks.site import Site, opened
from monitor_tasks.staging import pin_baseline
from monitor_tasks.value import UserError, Value
from monitor_tasks.window import Window, format_time

Config = Annotated[Path | None, typer.Option("--config", help="YAML: the monitor's section, and dataset_format.")]


MonitorName = Annotated[str, typer.Option("--monitor", help=f"One of {', '.join(MONITORS)}.")]


TableAddress = Annotated[str, typer.Argument(metavar="TABLE", callback=address_of, help="CSV, Parquet or JSON Lines.")]


BaselineAddress = Annotated[
    str, typer.Option("--baseline", callback=address_of, help="Folder that `suggest` wrote, or SageMaker's baseline.")
]


@verb
def ingest(
    capture_address: Annotated[
        str, typer.Argument(metavar="CAPTURE_ADDRESS", callback=address_of, help="Capture file or folder.")
    ],
    output: Output,
    window: Annotated[str | None, typer.Option(help="Only records of this window.")] = None,
    config: Annotated[Path | None, typer.Option("--config", help="YAML: the endpoint's capture section.")] = None,
    as_json: AsJson = False,
) -> int:
    """Read capture files into a table, with a ledger of what became of each record."""
    from monitor_tasks.intake import intake
    from monitor_tasks.on_tables import ingested

    text, name = (text_in(config), str(config)) if config else ("", "--config")
    read = read_yaml(Capture, f"address: {json.dumps(capture_address)}\n{text}", name)
    settings = read.settled(home() or str(Path(name).absolute().parent)).value
    found = intake(settings)
    span = found.span(Window.parse(window) if window else None)
    with ReadingProgress(err, len(found.objects)) as progress:
        source = found.source(lambda one: one._replace(chunks=partial(progress.passed, one.chunks)))
        with ingested(source, span, settings, progress.tell) as (ledger, files):
            found.prove(ledger)
            write(output, files)
    if as_json:
        out.print_json(data=ledger.told)
    else:
        out.print(ledger_table(ledger.told))
    return 0 if ledger.totals["used"] else 3


@verb
def suggest(table: TableAddress, monitor: MonitorName, output: Output, config: Config = None) -> int:
    """Suggest a baseline from a table: statistics and constraints, each with its reason."""
    from monitor_tasks.judging import suggest as suggest_on

    with _table_and_settings(table, monitor, config) as (settings, found):
        rows = _staged(monitor, found, settings)
        if not rows.holds(1):
            raise UserError(f"{table}: holds no rows; a baseline needs some")
        files = suggest_on(monitor, settings, rows)
    write(output, files)
    count = MONITORS[monitor].monitor(settings).read_profile(files["profile.json"]).rows
    constraints = json.loads(files["bounds.json"])["constraints"]
    out.print(f"{count} rows, {rows.num_columns} columns, {len(constraints)} constraints -> {output}")
    return 0


@verb
def check(
    table: TableAddress,
    monitor: MonitorName,
    baseline: BaselineAddress,
    output: Output,
    config: Config = None,
    as_json: AsJson = False,
) -> int:
    """Check a table against a baseline: statistics and violations."""
    from monitor_tasks.judging import check as check_on
    from monitor_tasks.judging import read_baseline
    from monitor_tasks.pages.report import report_page

    folder = Store(baseline)
    with _table_and_settings(table, monitor, config) as (settings, found):
        known = read_baseline(baseline, monitor, settings, lambda name: folder.get(name) if folder.has(name) else None)
        if not known.baseline.constraints:
            raise Missing(f"{baseline}: holds no constraints; name the folder that `monitor-tasks suggest` wrote")
        rows = _staged(monitor, found, settings, known.baseline.profile)
        address = getattr(settings, "suite", None)
        checked = check_on(monitor, settings, rows, known, bytes_at(address) if address else b"")
    report = checked.report("", "")
    page = report_page(report, checked.exhibits)
    write(output, {**checked.artifacts, "report.json": report.to_json(), "report.html": page})
    if as_json:
        out.print_json(report.to_json().decode())
    else:
        out.print(report_table(report))
    return EXIT[report.status]


@verb
def pin(
    endpoint: Yaml,
    baseline: BaselineAddress,
    monitor: MonitorName,
    start: Annotated[str | None, typer.Option("--from", help="Left out: all windows.")] = None,
) -> int:
    """Let a baseline that you edited, or SageMaker's, hold from a moment on; earlier windows keep theirs."""
    site, folder = Site(endpoint_in(endpoint)), Store(baseline)
    files = {name: folder.get(name) for name in folder.files("")}
    since = moment_of(start) if start else site.endpoint.start_date
    baseline_id = pin_baseline(site, monitor, files, since)
    out.print(f"from {format_time(since)} on {site.name} is judged by baseline {baseline_id}", soft_wrap=True)
    return 0


@verb
def schema() -> int:
    """Print the JSON Schema of an endpoint's YAML."""
    sys.stdout.write(json.dumps(json_schema(), indent=2) + "\n")
    return 0


@contextmanager
def _table_and_settings(table: str, monitor: str, config: Path | None) -> Iterator[tuple[Value, Any]]:
    from monitor_tasks.tables.files import Stored

    if monitor not in MONITORS:
        raise UserError(f"--monitor {monitor}: unknown monitor; expected one of {', '.join(MONITORS)}")
    model = on_a_table(MONITORS[monitor].settings)
    text, source = (text_in(config), str(config)) if config else ("{}", "--config")
    settings: Any = read_yaml(model, text, source).settled(home() or str(Path(source).absolute().parent)).value
    format_: DatasetFormat | None = settings.dataset_format
    with opened(table) as file:
        rows = Stored.in_file(file, table, *(format_.reading if format_ else (None, True)))
        yield settings, rows if monitor == "data_quality" else _hidden(rows, settings.private)


def _hidden(rows: Any, private: Mapping[str, Any]) -> Any:
    """A table without what nobody may read; data quality hides it by itself."""
    from monitor_tasks.tables.private import hidden, hiding

    known = hiding(rows.column_names, private, rows.column_names)
    return rows.changed(partial(hidden, private=known, key=private_key())) if known else rows


def _staged(monitor: str, rows: Any, settings: Any, known: Any = None) -> Any:
    """A table's rows as the monitor reads them; SHAP values by the model that ``--config`` names."""
    from monitor_tasks.explaining import background_in, explained, known_of, located
    from monitor_tasks.tables.captured import features
    from monitor_tasks.tables.files import Stored

    if MONITORS[monitor].stage != "explained":
        return features(rows)
    model: Model | None = settings.model
    if model is None:
        raise UserError("attribution explains a model: name its address and sha256 under model: in --config")
    where = located(model.address, model.sha256, allow_pickle=model.allow_pickle)
    learned = known_of(known)
    if isinstance(settings.baseline, str):
        given = background_in(bytes_at(settings.baseline), settings.baseline, model.features)
        learned = learned._replace(background=given)
    return Stored.of(explained(rows, where, model.features, settings, learned))
