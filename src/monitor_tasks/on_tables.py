"""The verbs on files in hand: ingest capture files, suggest a baseline from a table, check a table against one."""

import json
from collections.abc import Callable, Iterable, Mapping
from typing import Any, NamedTuple

import pyarrow as pa

from monitor_tasks.baseline import Baseline, Constraint, Constraints, in_order
from monitor_tasks.endpoint import Capture
from monitor_tasks.monitors.data_quality import align
from monitor_tasks.monitors.settings import MONITORS
from monitor_tasks.profiles.columns import Edges, TableProfile
from monitor_tasks.profiles.sketch import SageMakerBlock
from monitor_tasks.report import Finding, Report, judge
from monitor_tasks.sagemaker.constraints import constraints_json
from monitor_tasks.sagemaker.constraints_reading import read_constraints
from monitor_tasks.sagemaker.statistics import statistics_json
from monitor_tasks.sagemaker.violations import violations_json
from monitor_tasks.tables.captured import Names, Span, capture
from monitor_tasks.tables.files import table_bytes
from monitor_tasks.tables.ledger import quarantine_lines
from monitor_tasks.value import UserError, Value

BOUNDS = "bounds.json"


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

    def report(self, endpoint: str, window: str) -> Report:
        """The report of the check, for one endpoint and window."""
        return Report(
            endpoint=endpoint, window=window, monitor=self.monitor, baseline=self.baseline, rows=self.rows,
            findings=self.findings, notes=self.notes,
        )  # fmt: skip


def ingest(objects: Iterable[tuple[str, bytes]], span: Span, settings: Capture) -> dict[str, bytes]:
    """The captured table of the objects' records, the ledger, and the records in quarantine."""
    names = Names(settings.output_names, settings.input_names)
    found = capture(objects, span, names, settings.capture_options)
    return {
        "captured.parquet": table_bytes(found.table),
        "ledger.json": found.ledger.to_json(),
        "quarantine.jsonl": quarantine_lines(found.quarantined),
    }


def suggest(name: str, settings: Value, rows: pa.Table) -> dict[str, bytes]:
    """The files of one monitor's baseline, suggested from the rows: ours, and SageMaker's beside them."""
    monitor = MONITORS[name].monitor(settings)
    edges = Edges.of(rows)
    profile = monitor.profile(rows, edges)
    constraints = in_order(monitor.suggest([profile]), rows.column_names)
    return {
        BOUNDS: Constraints(monitor=name, constraints=constraints).to_json(),
        "edges.json": edges.to_json(),
        "profile.json": profile.to_json(),
        "statistics.json": statistics_json(SageMakerBlock.of(rows)),
        "constraints.json": constraints_json(constraints),
    }


def read_baseline(id_: str, file: Callable[[str], bytes | None]) -> Known:
    """The baseline in the files that `file` gives by name; edits of SageMaker's constraints.json are obeyed."""
    bounds, theirs, profile = file(BOUNDS), file("constraints.json"), file("profile.json")
    constraints = Constraints.read(bounds, BOUNDS).constraints if bounds else ()
    if theirs:
        constraints = _obeying(read_constraints(theirs, "constraints.json"), constraints)
    edges = file("edges.json")
    return Known(
        Baseline(id_, constraints, TableProfile.from_json(profile) if profile else TableProfile()),
        Edges.from_json(edges) if edges else Edges({}),
    )


def check(name: str, settings: Value, rows: pa.Table, known: Known, suite: bytes = b"") -> Checked:
    """The rows against a baseline: findings, and the files of SageMaker's monitoring run beside ours."""
    monitor = MONITORS[name].monitor(settings)
    baseline = known.baseline
    rows, note = align(rows, baseline.constraints)
    profile = monitor.profile(rows, known.edges)
    findings = judge(monitor.measure(profile, baseline), baseline.constraints)
    findings, results = _validated(profile, findings, suite, rows)
    artifacts = {
        "profile.json": profile.to_json(),
        "statistics.json": statistics_json(SageMakerBlock.of(rows)),
        "constraints.json": constraints_json(in_order(monitor.suggest([profile]), rows.column_names)),
        "constraint_violations.json": violations_json(findings),
        "expectations.json": results,
    }
    notes = tuple(text for text in (note,) if text)
    return Checked(name, baseline.id, profile.rows, findings, notes, artifacts)


def _validated(profile: TableProfile, findings: tuple[Finding, ...], suite: bytes, rows: pa.Table) -> Any:
    from monitor_tasks.monitors.expectations import validate

    try:
        own = json.loads(suite) if suite else None
    except ValueError as error:
        raise UserError(f"the suite is not JSON: {error}; write a JSON file of standard expectations") from error
    return validate(profile, findings, own if rows.num_rows else None, rows)


def _obeying(theirs: tuple[Constraint, ...], ours: tuple[Constraint, ...]) -> tuple[Constraint, ...]:
    """Our constraints with the bounds that stand in SageMaker's file; what a user took out there is gone."""
    known = {one.key: one for one in ours}
    edited = tuple(
        one.model_copy(update={"minimum_rows": known[one.key].minimum_rows, "reason": known[one.key].reason})
        if one.key in known
        else one
        for one in theirs
    )
    spoken = {one.check for one in theirs}
    return (*edited, *(one for one in ours if one.check not in spoken))
