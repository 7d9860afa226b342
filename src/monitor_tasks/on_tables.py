"""The verbs on files in hand: ingest capture files, suggest a baseline from a table, check a table against one."""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from datetime import datetime
from itertools import accumulate
from math import isnan
from tempfile import TemporaryDirectory, TemporaryFile, gettempdir
from typing import Any, BinaryIO, NamedTuple, TypeAlias

import pyarrow as pa
import pyarrow.compute as pc

from monitor_tasks.baseline import Baseline, Constraint, Constraints, in_order
from monitor_tasks.dialects import Seen, known_statistics, obeying, suggested_files, violation_files
from monitor_tasks.endpoint import Records
from monitor_tasks.exhibit import Exhibit
from monitor_tasks.io.addresses import private_key
from monitor_tasks.io.content import digest
from monitor_tasks.io.errors import as_ours
from monitor_tasks.monitors.data_quality import align, column_names
from monitor_tasks.monitors.settings import MONITORS, AttributionSettings, DataQualitySettings, PredictionSettings
from monitor_tasks.profiles.columns import Edges, TableProfile
from monitor_tasks.profiles.quantiles import edges_of
from monitor_tasks.profiles.sketch import profile_and_block
from monitor_tasks.report import Finding, ModelCard, Report, State, judge, tried
from monitor_tasks.tables.captured import Source, capture
from monitor_tasks.tables.explained import explain, predicted
from monitor_tasks.tables.files import Stored, table_bytes, write_table
from monitor_tasks.tables.labelled import Awaiting, Meeting, meeting, merged_records
from monitor_tasks.tables.labelled import merge as merge_rows
from monitor_tasks.tables.labels import LABELS, Labels, hours_of
from monitor_tasks.tables.ledger import Ledger, quarantine_line
from monitor_tasks.tables.predictions import ADDED, with_uncertainty
from monitor_tasks.tables.private import hidden
from monitor_tasks.tables.readings import Span
from monitor_tasks.tables.sampling import halves, smallest_hashes
from monitor_tasks.value import UserError, Value

WINDOW = "@window"
BOUNDS, VIOLATIONS = "bounds.json", "constraint_violations.json"
HELD = 1 << 26
"""Cells of the largest reference whose rows are held and sorted: about 2 million rows of 30 columns."""

SLICES = 10
"""Into how many slices a reference is cut to try its constraints."""

Rows: TypeAlias = pa.Table | Stored
Files: TypeAlias = dict[str, bytes]


class Known(NamedTuple):
    """A baseline and the edges that its profile is counted on."""

    baseline: Baseline
    edges: Edges


class Checked(NamedTuple):
    """What a check found, and the files that show it."""

    monitor: str
    baseline: str
    rows: int
    findings: tuple[Finding, ...]
    notes: tuple[str, ...]
    artifacts: Mapping[str, bytes]
    exhibits: tuple[Exhibit, ...] = ()
    """What a page shows of the rows beside the baseline."""

    def report(self, endpoint: str, window: str, model: ModelCard | None = None, notes: tuple[str, ...] = ()) -> Report:
        """The report of the check, for one endpoint and window; `notes` are told beside its own."""
        return Report(
            endpoint=endpoint, window=window, monitor=self.monitor, baseline=self.baseline, rows=self.rows,
            findings=self.findings, notes=(*self.notes, *notes), model=model,
        )  # fmt: skip


@contextmanager
def ingested(
    source: Source, span: Span, settings: Records, watch: Callable[[int, int], None] | None = None
) -> Iterator[tuple[Ledger, dict[str, bytes | BinaryIO]]]:
    """The captured table of the source's records, the ledger, and the records in quarantine.

    What is large is an open file, which is closed at the end. `watch` is told how many records were read so far, and
    how many of them are in quarantine.
    """
    with ExitStack() as opened:
        try:
            spill, table, quarantine = (opened.enter_context(TemporaryFile()) for _ in range(3))
            found = capture(source, settings, span, spill, watch)
            write_table(found.batches(), found.schema, table)
            for one in found.quarantine():
                quarantine.write(quarantine_line(one))
            quarantine.flush()
        except OSError as error:
            raise as_ours(gettempdir(), error) from error
        files: dict[str, bytes | BinaryIO] = {
            "captured.parquet": table,
            "ledger.json": found.ledger.to_json(),
            "quarantine.jsonl": quarantine,
        }
        yield found.ledger, files


@contextmanager
def met(lines: pa.Table, windows: Sequence[Awaiting]) -> Iterator[Meeting]:
    """Lines of ground truth and the windows that they belong to; what exceeds the memory lies on disk meanwhile."""
    with TemporaryDirectory() as spill, meeting(lines, windows, spill=spill) as found:
        yield found


def merge(captured: pa.Table, labels: pa.Table, names: tuple[str, ...], record: Records | None = None) -> Files:
    """The captured rows with the labels of their window, and the counts of what matched.

    With the names of a record's cells, the labelled rows are written in the form of SageMaker's merge job, too.
    """
    with TemporaryDirectory() as spill:
        merged = merge_rows(captured, labels, names, spill=spill)
    told = {"coverage": merged.counts.coverage, "newest_hour": max(hours_of(labels), default="") or None}
    counts = {"schema_version": 2, **merged.counts._asdict(), **told}
    files = {"labelled.parquet": table_bytes(merged.table), "labels.json": json.dumps(counts, indent=2).encode()}
    if record is None:
        return files
    lines = merged_records(merged.table, names[0], record.output_names, record.input_names)
    return {**files, "merged.jsonl": b"".join(lines)}


def hash_of_labels(labels: pa.Table) -> str:
    """Hash of a window's labels, in the order in which they count, whatever the files are called that they lie in."""
    columns = [labels[name].to_pylist() for name in ("@label_id", "@label")]
    return digest(json.dumps([*columns, hours_of(labels)]).encode())


def label_files(labels: Labels, **told: Any) -> dict[str, bytes]:
    """What became of each line of ground truth, and those in quarantine."""
    return {
        "ground_truth.json": json.dumps({**labels.ledger.told, **told}, indent=2).encode(),
        "quarantined_labels.jsonl": b"".join(map(quarantine_line, labels.quarantined)),
    }


def together(tables: Mapping[str, pa.Table]) -> bytes:
    """The labels of several windows as one file, each with its window."""
    named = [rows.append_column(WINDOW, pa.array([name] * rows.num_rows, pa.string())) for name, rows in tables.items()]
    return table_bytes(pa.concat_tables([LABELS.append(pa.field(WINDOW, pa.string())).empty_table(), *named]))


def apart(labels: pa.Table, window: str) -> pa.Table:
    """The labels of one window out of those of several."""
    return labels.filter(pc.field(WINDOW) == window).drop_columns([WINDOW]).combine_chunks()


def withheld(checked: Checked, because: str) -> Checked:
    """A check whose window may not be judged yet: every finding is undecided, and nothing is violated."""
    findings = tuple(one.model_copy(update={"state": State.UNDECIDED, "because": because}) for one in checked.findings)
    files = {name: content for name, content in checked.artifacts.items() if name != VIOLATIONS}
    return checked._replace(findings=findings, artifacts={**files, **violation_files(checked.monitor, findings)})


def between(rows: pa.Table, start: datetime, end: datetime) -> pa.Table:
    """The captured rows of a half-open span of time."""
    return rows.filter((pc.field("@time") >= pa.scalar(start)) & (pc.field("@time") < pa.scalar(end)))


def explained(rows: pa.Table, model: Any, features: tuple[str, ...], settings: AttributionSettings) -> pa.Table:
    """The SHAP values of the rows with the smallest hashes."""
    return explain(smallest_hashes(rows, settings.num_samples), model, features, settings.seed)


def without(rows: Rows, names: tuple[str, ...]) -> Rows:
    """The rows without the columns of these names, where they have them."""
    return rows.select([name for name in rows.column_names if name not in names])


def concatenated(tables: Sequence[pa.Table]) -> pa.Table:
    """The rows of all tables; a column that one of them lacks is missing there."""
    return pa.concat_tables(tables, promote_options="default")


def learning_half(rows: pa.Table) -> tuple[bytes, pa.Table]:
    """Half of the rows as a file to learn from, and the other half to judge by what was learned."""
    learned, held = halves(rows)
    return table_bytes(learned), held


def rescored(rows: pa.Table, model: Any, features: tuple[str, ...], outputs: tuple[str, ...]) -> pa.Table:
    """The rows with the first output replaced by what another model predicts for them."""
    if not outputs or outputs[0] not in rows.column_names:
        raise UserError("capture.output_names is not set: it must name the column of the model's prediction")
    answers = predicted(rows, model, features).tolist()
    texts = pa.array([None if isnan(value) else repr(value) for value in answers], pa.string())
    return rows.set_column(rows.column_names.index(outputs[0]), outputs[0], texts)


def suggest(name: str, settings: Value, rows: Rows) -> dict[str, bytes]:
    """The files of one monitor's baseline, suggested from the rows: ours, and SageMaker's beside them."""
    monitor, table, edges = MONITORS[name].monitor(settings), Stored.of(rows), Edges({})
    if isinstance(settings, DataQualitySettings):
        table, edges = _cut(_prepared(table, settings, ()))
    seen = _seen(name, monitor, table, edges)
    constraints = in_order(monitor.suggest([seen.profile]), seen.columns)
    if name == "data_quality":
        constraints = _tried(monitor, constraints, _sliced(monitor, table, edges, seen.profile.rows), edges)
    return {
        BOUNDS: Constraints(monitor=name, constraints=constraints).to_json(),
        "edges.json": edges.to_json(),
        "profile.json": seen.profile.to_json(),
        **suggested_files(name, monitor, seen),
    }


def _cut(table: Stored) -> tuple[Stored, Edges]:
    """The edges of a reference, and its rows: held where they are few, so that they are read once."""
    held = table.held(HELD)
    return (table, edges_of(table.batches)) if held is None else (Stored.of(held), Edges.of(held))


def _prepared(table: Stored, settings: DataQualitySettings, known: Sequence[str]) -> Stored:
    """The rows with what their predictions tell, and without what nobody may read.

    Raises:
        UserError: a private column may be there under another name than one of those that are `known`.
    """
    private, asked = settings.private, settings.predictions
    lost, strange = {*private} - {*table.column_names}, {*table.column_names} - {*known} - {*private}
    if lost and strange:
        raise UserError(
            f"private: no column is called {min(lost)!r}, so it cannot be hidden; the columns are called "
            f"{', '.join(table.column_names)}: name the captured cells in capture.input_names and output_names"
        )
    if not private and asked == PredictionSettings():
        return table
    key = private_key()
    return table.changed(
        lambda rows: hidden(with_uncertainty(rows, asked.probabilities, asked.interval or ()), private, key)
    )


def _sliced(monitor: Any, table: Stored, edges: Edges, rows: int) -> list[TableProfile]:
    """The profiles of up to ten slices of the rows, in their order."""
    size = max(-(-rows // SLICES), 1)
    profiles = [TableProfile() for _ in range(-(-rows // size))]
    start = 0
    for batch in table.batches():
        for cut in range(-(start % size), batch.num_rows, size):
            piece = batch.slice(max(cut, 0), min(cut + size, batch.num_rows) - max(cut, 0))
            profiles[(start + cut) // size] += monitor.profile(piece, edges)
        start += batch.num_rows
    return profiles


def _tried(
    monitor: Any, constraints: tuple[Constraint, ...], slices: list[TableProfile], edges: Edges
) -> tuple[Constraint, ...]:
    """The constraints, each tried in every slice of the reference as all other slices would suggest it."""
    if len(slices) < 2:
        return constraints
    before = list(accumulate(slices, initial=TableProfile()))
    after = list(accumulate(reversed(slices), initial=TableProfile()))[::-1]
    findings = []
    for place, one in enumerate(slices):
        others = before[place] + after[place + 1]
        judged = tuple(rule.model_copy(update={"enabled": True}) for rule in monitor.suggest([others]))
        findings.append(judge(monitor.measure(one, Baseline("", judged, others, edges)), judged))
    return tried(constraints, findings)


def _seen(name: str, monitor: Any, table: Stored, edges: Edges) -> Seen:
    """What a monitor remembers of the rows; data quality reads them batch by batch, with SageMaker's numbers."""
    if name == "data_quality":
        return Seen(table.column_names, *profile_and_block(table.batches, edges, monitor.also))
    return Seen(table.column_names, monitor.profile(table.whole(), edges))


def read_baseline(id_: str, name: str, settings: Value, file: Callable[[str], bytes | None]) -> Known:
    """The baseline in the files that `file` gives by name; edits of SageMaker's own file are obeyed."""
    monitor = MONITORS[name].monitor(settings)
    bounds, profile, edges = file(BOUNDS), file("profile.json"), file("edges.json")
    constraints = obeying(name, Constraints.read(bounds, BOUNDS).constraints if bounds else (), file)
    cut = Edges.from_json(edges) if edges else Edges({})
    if profile is None and (statistics := known_statistics(name, file)):
        return Known(Baseline(id_, constraints, *statistics), statistics[1])
    return Known(Baseline(id_, constraints, monitor.read_profile(profile) if profile else None, cut), cut)


def check(name: str, settings: Value, rows: Rows, known: Known, suite: bytes = b"") -> Checked:
    """The rows against a baseline: findings, and the files of SageMaker's monitoring run beside ours."""
    monitor = MONITORS[name].monitor(settings)
    baseline, table = known.baseline, Stored.of(rows)
    note = ""
    if isinstance(settings, DataQualitySettings):
        table, note = align(table, baseline.constraints, ADDED)
        table = _prepared(table, settings, column_names(baseline.constraints))
    seen = _seen(name, monitor, table, known.edges)
    profile = seen.profile
    metrics = monitor.measure(profile, baseline) if baseline.constraints else []
    findings = judge(metrics, baseline.constraints)
    artifacts = {"profile.json": profile.to_json(), **suggested_files(name, monitor, seen)}
    if name == "data_quality":
        findings, artifacts["expectations.json"] = _validated(profile, findings, suite, table)
    notes = tuple(text for text in (note,) if text)
    files = {**artifacts, **violation_files(name, findings)}
    exhibits = monitor.exhibits(profile, baseline, known.edges)
    return Checked(name, baseline.id, profile.rows, findings, notes, files, exhibits)


def _validated(profile: TableProfile, findings: tuple[Finding, ...], suite: bytes, table: Stored) -> Any:
    from monitor_tasks.monitors.expectations import validate

    try:
        own = json.loads(suite) if suite else None
    except ValueError as error:
        raise UserError(f"the suite is not JSON: {error}; write a JSON file of standard expectations") from error
    return validate(profile, findings, own if profile.rows else None, replace(table, num_rows=profile.rows))
