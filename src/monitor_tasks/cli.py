"""The same verbs from a terminal. Exit codes: 0 no violations, 1 violations, 2 error, 3 no data or not enough."""

import json
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial, wraps
from pathlib import Path
from typing import Annotated, Any, BinaryIO

import typer
from rich.console import Console
from rich.progress import track

from monitor_tasks import indexing, reading, replaying, restating, tasks, tuning
from monitor_tasks.configuration import read_yaml, write_yaml
from monitor_tasks.endpoint import Capture, DatasetFormat, Endpoint, Model, json_schema, on_a_table
from monitor_tasks.io.store import Missing, Store, home, open_object
from monitor_tasks.monitors.settings import MONITORS
from monitor_tasks.pages.migrated import head_lines, lost_table, rehearsal_table
from monitor_tasks.pages.replayed import replay_page, replay_table, tuning_table
from monitor_tasks.pages.terminal import (
    ReadingProgress,
    comparison_table,
    coverage_table,
    graded,
    history_table,
    ledger_table,
    report_table,
    windows_table,
)
from monitor_tasks.policy import Proposal
from monitor_tasks.rehearsing import Service, judge_window
from monitor_tasks.rehearsing import rehearse as rehearse_window
from monitor_tasks.report import Status
from monitor_tasks.site import Site, load_endpoint, load_endpoints, opened
from monitor_tasks.staging import pin_baseline
from monitor_tasks.value import UserError, Value
from monitor_tasks.verdict import Action, Permission
from monitor_tasks.window import Window, format_time, parse_time

app = typer.Typer(help="The open model monitor, without Airflow.", no_args_is_help=True, pretty_exceptions_enable=False)
out = Console()
err = Console(stderr=True)

EXIT = {
    Status.COMPLETED: 0,
    Status.WITH_VIOLATIONS: 1,
    Status.FAILED: 2,
    Status.NO_DATA: 3,
    Status.NOT_ENOUGH_DATA: 3,
}


NO_AIRFLOW = Permission(retraining=False, because="only Airflow hands over to retraining")


def _address(text: str) -> str:
    """An address as a person types it: a local path may lead anywhere from here."""
    return text if "://" in text else str(Path(text).resolve())


Yaml = Annotated[Path, typer.Argument(metavar="ENDPOINT.yaml", help="The endpoint's configuration.")]
Output = Annotated[str, typer.Option("--output", callback=_address, help="Folder or address that the files go to.")]
Config = Annotated[Path | None, typer.Option("--config", help="YAML: the monitor's section, and dataset_format.")]
MonitorName = Annotated[str, typer.Option("--monitor", help=f"One of {', '.join(MONITORS)}.")]
TableAddress = Annotated[str, typer.Argument(metavar="TABLE", callback=_address, help="CSV, Parquet or JSON Lines.")]
CaptureAddress = Annotated[
    str, typer.Argument(metavar="CAPTURE_ADDRESS", callback=_address, help="Capture file or folder.")
]
BaselineAddress = Annotated[
    str, typer.Option("--baseline", callback=_address, help="Folder that `suggest` wrote, or SageMaker's baseline.")
]
Start = Annotated[str, typer.Option("--from", help="First moment, in UTC.")]
End = Annotated[str, typer.Option("--to", help="Last moment, in UTC.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")]


def verb(function: Callable[..., int]) -> Callable[..., None]:
    """A command: its number is the exit code, and what a person can mend is one clear line and exit code 2."""

    @wraps(function)
    def command(*args: Any, **kwargs: Any) -> None:
        try:
            code = function(*args, **kwargs)
        except UserError as error:
            err.print(str(error), style="red", markup=False, soft_wrap=True)
            code = 2
        raise typer.Exit(code)

    app.command()(command)
    return command


@verb
def run(
    endpoint: Yaml,
    window: Annotated[str, typer.Option(help="START/DURATION in UTC: 2026-01-01T00:00:00Z/PT1H")],
    as_json: AsJson = False,
) -> int:
    """Run the whole sentence for one window; retraining is only ever handed over by Airflow."""
    return _show([_run(_endpoint(endpoint), Window.parse(window))], as_json)


@verb
def backfill(
    endpoint: Yaml,
    start: Start,
    end: End,
    as_json: AsJson = False,
) -> int:
    """Run every window of the schedule between two moments, in order."""
    known = _endpoint(endpoint)
    windows = _windows(known, start, end)
    return _show([_run(known, one) for one in track(windows, "windows", console=err, transient=True)], as_json)


@verb
def restate(endpoint: Yaml, as_json: AsJson = False) -> int:
    """Judge again every window that labels have reached since; retraining is only ever handed over by Airflow."""
    site = Site(_endpoint(endpoint))
    plan = restating.meet_labels(site)
    failed = None
    try:
        verdicts = restating.restate(site, plan, NO_AIRFLOW) if plan else []
    except restating.NotRestated as error:
        verdicts, failed = error.verdicts, error
    if plan:
        restating.settle_labels(site, plan, failed.failed if failed else ())
    if as_json:
        out.print_json(data=[one.model_dump(mode="json") for one in verdicts])
    elif verdicts or not failed:
        out.print("\n".join(one.text for one in verdicts) or "no window was touched", markup=False, soft_wrap=True)
    if failed:
        raise failed
    return _worst([EXIT[one.status] for one in verdicts]) if verdicts else 0


@verb
def history(
    endpoint: Yaml,
    window: Annotated[str, typer.Option(help="START/DURATION in UTC: 2026-01-01T00:00:00Z/PT1H")],
    as_json: AsJson = False,
) -> int:
    """Show what was known of a window as its labels arrived, one line a revision."""
    site = Site(_endpoint(endpoint))
    known = restating.history(site, Window.parse(window))
    if as_json:
        out.print_json(data=known)
    else:
        out.print(history_table(known))
        metrics = {one["metric"] for one in known if one["estimate"] is not None}
        for one in restating.grades(site) if metrics else ():
            if one["metric"] in metrics:
                out.print(graded(one), markup=False, soft_wrap=True)
    return 0 if known else 3


@verb
def coverage(
    endpoint: Annotated[Path, typer.Argument(metavar="ENDPOINT.yaml", help="The configuration, or a folder of them.")],
    start: Annotated[str | None, typer.Option("--from", help="Left out: the first window that was executed.")] = None,
    end: Annotated[str | None, typer.Option("--to", help="Left out: the newest window that may be over.")] = None,
    as_json: AsJson = False,
) -> int:
    """List the windows of the schedule that have no verdict, and how far they came."""
    span = (_time(start) if start else None, _time(end) if end else None)
    sites = [Site(one) for one in _endpoints(endpoint)]
    found = {one.name: reading.coverage(one, *span) for one in track(sites, "endpoints", console=err, transient=True)}
    if as_json:
        out.print_json(data=[one.told | {"endpoint": name} for name, one in found.items()])
    else:
        out.print(coverage_table(found))
    if not any(one.expected for one in found.values()):
        return 3
    return int(any(one.missed for one in found.values()))


@verb
def reindex(
    endpoint: Yaml,
    changed: Annotated[
        bool, typer.Option("--changed", help="Only the days in which something has changed since the last time.")
    ] = False,
) -> int:
    """Write the index that pages are read from, from the manifests and reports that stand."""
    done = (indexing.compact if changed else indexing.reindex)(
        Site(_endpoint(endpoint)), partial(track, description="days", console=err, transient=True)
    )
    new, windows = sum(one.is_new for one in done), sum(one.windows for one in done)
    out.print(f"{windows} windows of {len(done)} days were read, {new} days written anew")
    return 0 if done or changed else 3


@verb
def compare(
    endpoint: Yaml,
    start: Start,
    end: End,
    challenger: Annotated[
        Path | None, typer.Argument(metavar="[CHALLENGER.yaml]", help="Another endpoint; left out, the variants.")
    ] = None,
    metric: Annotated[str | None, typer.Option(help="The metric that decides.")] = None,
    as_json: AsJson = False,
) -> int:
    """Compare two variants of an endpoint, or two endpoints, on all windows that were labelled between two moments."""
    from monitor_tasks.comparing import compare_endpoints, compare_variants

    site, span = Site(_endpoint(endpoint)), (_time(start), _time(end))
    if challenger is None:
        found = compare_variants(site, *span, metric)
    else:
        found = compare_endpoints(site, Site(_endpoint(challenger)), *span, metric)
    if as_json:
        out.print_json(found.to_json().decode())
    else:
        out.print(comparison_table(found))
    return {"better": 0, "worse": 1}.get(found.deciding.verdict, 3)


@verb
def grade(endpoint: Yaml, as_json: AsJson = False) -> int:
    """Grade the estimates of all windows: by metric, the share of realised values inside their 95 % bands."""
    found = restating.grades(Site(_endpoint(endpoint)))
    if as_json:
        out.print_json(data=found)
    else:
        lines = [graded(one) for one in found if one["windows"]]
        out.print("\n".join(lines) or "no window has both an estimate and enough labels", markup=False, soft_wrap=True)
    return 0 if any(one["windows"] for one in found) else 3


@verb
def replay(
    endpoint: Yaml,
    start: Start,
    end: End,
    policy: Annotated[Path | None, typer.Option(help="YAML: policy and bounds; left out, the endpoint's own.")] = None,
    html: Annotated[Path | None, typer.Option(help="Write what is found there too, as a page with a plot.")] = None,
    as_json: AsJson = False,
) -> int:
    """Judge stored reports again under another policy and other bounds, and say what would have been told."""
    known, allowed = _endpoint(endpoint), tasks.permission
    proposal = read_yaml(Proposal, _text(policy), str(policy)).value if policy else Proposal()
    windows = _windows(known, start, end)
    found = replaying.replay(Site(known), proposal, windows, allowed(known, asked=None, backfill=False))
    if html:
        _write(str(html.absolute().parent), {html.name: replay_page(known.endpoint_name, found)})
    if as_json:
        out.print_json(data=[one.told for one in found])
    else:
        out.print(replay_table(found))
    return 3 if not found else int(any(one.again.action is not Action.REST for one in found))


@verb
def tune(
    endpoint: Yaml,
    start: Start,
    end: End,
    rate: Annotated[float, typer.Option("--false-alarms", min=0, max=1, help="Share of the windows: 0.01.")],
    output: Annotated[Path | None, typer.Option(help="Write the bounds there, for `replay --policy`.")] = None,
) -> int:
    """Propose bounds that would have alarmed in so large a part of windows in which nothing was wrong."""
    site = Site(_endpoint(endpoint))
    found = tuning.tune(site, _windows(site.endpoint, start, end), rate)
    if found is None:
        out.print("no report lies in this span")
        return 3
    if output:
        _write(str(output.absolute().parent), {output.name: found.to_yaml()})
    out.print(tuning_table(found))
    return 0


@verb
def ingest(
    capture_address: Annotated[
        str, typer.Argument(metavar="CAPTURE_ADDRESS", callback=_address, help="Capture file or folder.")
    ],
    output: Output,
    window: Annotated[str | None, typer.Option(help="Only records of this window.")] = None,
    config: Annotated[Path | None, typer.Option("--config", help="YAML: the endpoint's capture section.")] = None,
    as_json: AsJson = False,
) -> int:
    """Read capture files into a table, with a ledger of what became of each record."""
    from monitor_tasks.intake import intake
    from monitor_tasks.on_tables import ingested

    text, name = (_text(config), str(config)) if config else ("", "--config")
    read = read_yaml(Capture, f"address: {json.dumps(capture_address)}\n{text}", name)
    settings = read.settled(home() or str(Path(name).absolute().parent)).value
    found = intake(settings)
    span = found.span(Window.parse(window) if window else None)
    with ReadingProgress(err, len(found.objects)) as progress:
        source = found.source(lambda one: one._replace(chunks=partial(progress.passed, one.chunks)))
        with ingested(source, span, settings, progress.tell) as (ledger, files):
            found.prove(ledger)
            _write(output, files)
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
    _write(output, files)
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
        checked = check_on(monitor, settings, rows, known, _bytes(address) if address else b"")
    report = checked.report("", "")
    page = report_page(report, checked.exhibits)
    _write(output, {**checked.artifacts, "report.json": report.to_json(), "report.html": page})
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
    site, folder = Site(_endpoint(endpoint)), Store(baseline)
    files = {name: folder.get(name) for name in folder.files("")}
    since = _time(start) if start else site.endpoint.start_date
    baseline_id = pin_baseline(site, monitor, files, since)
    out.print(f"from {format_time(since)} on {site.name} is judged by baseline {baseline_id}", soft_wrap=True)
    return 0


Endpoints = Annotated[
    Path, typer.Argument(metavar="ENDPOINTS", exists=True, help="Folder of endpoints' YAML files, or one such file.")
]


@verb
def dashboard(
    endpoints: Endpoints,
    port: Annotated[int, typer.Option(min=0, max=65535, help="0 takes a free one.")] = 8088,
    openapi: Annotated[bool, typer.Option("--openapi", help="Print what can be asked as OpenAPI, and end.")] = False,
) -> int:
    """Serve the dashboard's pages on this machine alone, until Ctrl-C; inside Airflow they need no such thing."""
    from monitor_tasks.dashboard import Endpoints as Watching
    from monitor_tasks.serving import dashboard_app, serve

    if openapi:
        out.print_json(data=dashboard_app(Watching(endpoints)).openapi())
        return 0
    serve(Watching(endpoints), port, lambda address: out.print(f"the dashboard is at {address}", soft_wrap=True))
    return 0


@verb
def report(endpoints: Endpoints, output: Output) -> int:
    """Write the dashboard's pages as files that a browser opens without a server."""
    from monitor_tasks.dashboard import Endpoints as Watching
    from monitor_tasks.dashboard import site_of_files

    store, count = Store(output), 0
    for name, content in track(site_of_files(Watching(endpoints)()), "pages", console=err, transient=True):
        store.put(name, content)
        count += 1
    out.print(f"{count} pages -> {store.address_of('index.html')}", soft_wrap=True)
    return 0


@verb
def migrate(
    files: Annotated[list[str], typer.Argument(metavar="FILES...", help="What describe-… answered, as JSON.")],
    output: Annotated[Path, typer.Option(help="The endpoint's YAML: a new file.")],
    root: Annotated[str, typer.Option(help="Where new results go; left out, below the service's own.")] = "",
    name: Annotated[str, typer.Option(help="What the endpoint is called; left out, as there.")] = "",
    output_name: Annotated[
        list[str] | None, typer.Option(help="Names of a CSV output's cells, in order; left out, _c0 and so on.")
    ] = None,
    as_json: AsJson = False,
) -> int:
    """Turn what SageMaker says of its schedules into an endpoint's YAML, and say what could not be carried over."""
    from monitor_tasks.dialects import Wanted, carried_over

    found = carried_over(_given(files), Wanted(root, name, tuple(output_name or ())))
    text = write_yaml(found.content, found.comments, [*head_lines(found)])
    known = load_endpoint(str(output), text)
    try:
        with output.open("x", encoding="utf-8") as file:
            file.write(text)
    except OSError as error:
        raise UserError(f"{output}: cannot be written: {error.strerror}; name a new file") from error
    if as_json:
        out.print_json(data={"lost": [one._asdict() for one in found.lost], "results": found.results})
    else:
        out.print(lost_table(found))
        out.print(f"{', '.join(known.configured())} of {known.endpoint_name} -> {output}", soft_wrap=True, markup=False)
    return 0


@verb
def rehearse(
    endpoint: Yaml,
    window: Annotated[str, typer.Option(help="A window that the service has judged: 2026-01-01T00:00:00Z/PT1H")],
    against: Annotated[
        list[str], typer.Option(help="Where the service writes its results; several, one after the other.")
    ],
    tolerance: Annotated[
        float | None, typer.Option(min=0, help="How far numbers may differ; left out, 1e-6, of SHAP values 1e-3.")
    ] = None,
    as_json: AsJson = False,
) -> int:
    """Run a past window, write nothing, and compare it with what the service found in it."""
    service = Service(Window.parse(window), [_address(one) for one in against], tolerance)
    found = rehearse_window(_endpoint(endpoint), service)
    if as_json:
        out.print_json(data=[one.told for one in found])
    else:
        out.print(rehearsal_table(found))
    compared = [one for one in found if one.files]
    return int(any(one.differences for one in compared)) if compared else 3


@verb
def schema() -> int:
    """Print the JSON Schema of an endpoint's YAML."""
    sys.stdout.write(json.dumps(json_schema(), indent=2) + "\n")
    return 0


def _windows(endpoint: Endpoint, start: str, end: str) -> list[Window]:
    windows = list(endpoint.schedule.windows(_time(start), _time(end)))
    if not windows:
        raise UserError(f"no window of {endpoint.schedule_expression} lies between {start} and {end}; widen the span")
    return windows


def _run(endpoint: Endpoint, window: Window) -> dict[str, Any]:
    """One window through the verbs that the DAG calls."""
    site = Site(endpoint)
    captured, baseline, reports = judge_window(site, window)
    verdict = tasks.choose_action(site, window, reports, NO_AIRFLOW)
    totals = site.ledger(captured)["totals"]
    found = {name: site.report(key) for name, key in reports.items()}
    return {
        "window": str(window),
        "ledger": totals,
        "baseline": baseline,
        "status": verdict.status,
        "action": verdict.action,
        "because": verdict.because,
        "reports": {name: site.store.address_of(key) for name, key in reports.items()},
        "violations": [one.model_dump(mode="json") for report in found.values() for one in report.violations],
    }


def _show(results: list[dict[str, Any]], as_json: bool) -> int:
    if as_json:
        out.print_json(data=results[0] if len(results) == 1 else results)
    else:
        out.print(windows_table(results))
        for name, address in results[-1]["reports"].items():
            out.print(f"{name}: {address}", soft_wrap=True, markup=False)
    return _worst([EXIT[one["status"]] for one in results])


def _worst(codes: list[int]) -> int:
    return next((code for code in (2, 1) if code in codes), 0 if 0 in codes else 3)


def _endpoint(path: Path) -> Endpoint:
    return load_endpoint(str(path), _text(path))


def _endpoints(path: Path) -> list[Endpoint]:
    """The endpoint of a file, or all of a folder.

    Raises:
        UserError: one of them cannot be read, or there is none.
    """
    if not path.is_dir():
        return [_endpoint(path)]
    known = load_endpoints(path)
    broken = [one for one in known.values() if isinstance(one, UserError)]
    if broken or not known:
        raise UserError("\n".join(map(str, broken)) or f"{path}: holds no endpoint's .yaml; name another folder")
    return [one for one in known.values() if isinstance(one, Endpoint)]


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"{path}: cannot be read: {error}") from error


def _time(text: str) -> Any:
    try:
        return parse_time(text)
    except ValueError as error:
        raise UserError(f"{text!r} is not a time in UTC such as 2026-01-01T00:00:00Z: {error}") from error


def _given(files: Sequence[str]) -> dict[str, bytes]:
    """The files by name; by their whole address where two have the same one."""
    names = [Path(one).name for one in files]
    called = [one if names.count(name) > 1 else name for one, name in zip(files, names, strict=True)]
    return {name: _bytes(_address(one)) for name, one in zip(called, files, strict=True)}


def _bytes(address: str) -> bytes:
    store, key = open_object(address)
    return store.get(key)


@contextmanager
def _table_and_settings(table: str, monitor: str, config: Path | None) -> Iterator[tuple[Value, Any]]:
    from monitor_tasks.tables.files import Stored

    if monitor not in MONITORS:
        raise UserError(f"--monitor {monitor}: unknown monitor; expected one of {', '.join(MONITORS)}")
    model = on_a_table(MONITORS[monitor].settings)
    text, source = (_text(config), str(config)) if config else ("{}", "--config")
    settings: Any = read_yaml(model, text, source).settled(home() or str(Path(source).absolute().parent)).value
    format_: DatasetFormat | None = settings.dataset_format
    with opened(table) as file:
        rows = Stored.in_file(file, table, *(format_.reading if format_ else (None, True)))
        yield settings, rows


def _staged(monitor: str, rows: Any, settings: Any, known: Any = None) -> Any:
    """A table's rows as the monitor reads them; SHAP values by the model that ``--config`` names."""
    from monitor_tasks.explaining import background_in, background_of, explained, located
    from monitor_tasks.tables.captured import features
    from monitor_tasks.tables.files import Stored

    if MONITORS[monitor].stage != "explained":
        return features(rows)
    model: Model | None = settings.model
    if model is None:
        raise UserError("attribution explains a model: name its address and sha256 under model: in --config")
    where = located(model.address, model.sha256, allow_pickle=model.allow_pickle)
    background = background_of(known)
    if isinstance(settings.baseline, str):
        background = background_in(_bytes(settings.baseline), settings.baseline, model.features)
    return Stored.of(explained(rows, where, model.features, settings, background))


def _write(output: str, files: Mapping[str, bytes | BinaryIO]) -> None:
    store = Store(output)
    for name, content in files.items():
        store.put(name, content)
