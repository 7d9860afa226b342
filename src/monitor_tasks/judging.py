"""Judging files in hand: a baseline suggested from a table, and a table checked against one."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import reduce
from operator import add
from typing import Any, NamedTuple, TypeAlias

import pyarrow as pa

from monitor_tasks.baseline import Baseline, Constraint, Constraints, in_order
from monitor_tasks.dialects import VIOLATIONS, Seen, known_statistics, obeying, suggested_files, violation_files
from monitor_tasks.exhibit import Exhibit, ModelComparison
from monitor_tasks.io.addresses import private_key
from monitor_tasks.monitors.data_quality import align, column_names
from monitor_tasks.monitors.settings import (
    MONITORS,
    AttributionSettings,
    DataQualitySettings,
    ModelQualitySettings,
    PredictionSettings,
)
from monitor_tasks.profiles.batches import without_cycles
from monitor_tasks.profiles.columns import Edges, TableProfile, with_the_others
from monitor_tasks.profiles.partition import Partition
from monitor_tasks.profiles.quantiles import edges_of
from monitor_tasks.profiles.sketch import profile_and_block
from monitor_tasks.report import ESTIMATED, Estimate, Finding, ModelCard, Report, State, judge, tried
from monitor_tasks.tables.files import Stored
from monitor_tasks.tables.predictions import ADDED, with_uncertainty
from monitor_tasks.tables.private import hidden, hiding
from monitor_tasks.tables.sampling import parted
from monitor_tasks.value import UserError, Value

BOUNDS = "bounds.json"
HELD = 1 << 26
"""Cells of the largest reference whose rows are held and sorted: about 2 million rows of 30 columns."""

SLICES = 10
"""Into how many slices a reference is cut to try its constraints."""

Rows: TypeAlias = pa.Table | Stored


class Known(NamedTuple):
    """A baseline and the edges that its profile is counted on."""

    baseline: Baseline
    edges: Any
    """Of model quality the partition that losses are estimated by, where there is one."""


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
    comparison: ModelComparison | None = None
    """Two variants beside each other, where the settings ask for it."""
    estimates: tuple[Estimate, ...] = ()
    """What metrics of labels are expected to be, told without them."""

    def report(self, endpoint: str, window: str, model: ModelCard | None = None, notes: tuple[str, ...] = ()) -> Report:
        """The report of the check, for one endpoint and window; `notes` are told beside its own."""
        return Report(
            endpoint=endpoint, window=window, monitor=self.monitor, baseline=self.baseline, rows=self.rows,
            findings=self.findings, notes=(*self.notes, *notes), model=model, comparison=self.comparison,
            estimates=self.estimates,
        )  # fmt: skip


def withheld(checked: Checked, because: str) -> Checked:
    """A check whose window may not be judged yet: every finding that rests on labels is undecided, none is violated.

    Estimates rest on no labels: they stand, and wait for enough of them to be graded.
    """
    undecided = {"state": State.UNDECIDED, "because": because}
    findings = tuple(
        one if one.constraint.metric.startswith(ESTIMATED) else one.model_copy(update=undecided)
        for one in checked.findings
    )
    estimates = tuple(one.model_copy(update={"realised": None}) for one in checked.estimates)
    files = {name: content for name, content in checked.artifacts.items() if name != VIOLATIONS}
    files |= violation_files(checked.monitor, findings)
    compared = checked.comparison and checked.comparison.undecided(because)
    return checked._replace(findings=findings, artifacts=files, comparison=compared, estimates=estimates)


def suggest(name: str, settings: Value, rows: Rows) -> dict[str, bytes]:
    """The files of one monitor's baseline, suggested from the rows: ours, and SageMaker's beside them."""
    monitor, table = MONITORS[name].monitor(settings), Stored.of(rows)
    edges: Any = Edges({})
    if isinstance(settings, DataQualitySettings):
        table, edges = _cut(_prepared(table, settings, ()))
    elif name == "model_quality" and (partition := monitor.partition(table.typed())):
        edges = partition
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
    private, asked = hiding(table.column_names, settings.private, known), settings.predictions
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
    return tried(constraints, (_judged(monitor, one, others, edges) for one, others in with_the_others(slices)))


@without_cycles()
def _judged(monitor: Any, one: TableProfile, others: TableProfile, edges: Edges) -> tuple[Finding, ...]:
    """What one slice breaks of all that the others suggest, of what is switched off too."""
    judged = monitor.suggest([others], all_enabled=True)
    return judge(monitor.measure(one, Baseline("", judged, others, edges)), judged)


def _seen(name: str, monitor: Any, table: Stored, edges: Any) -> Seen:
    """What a monitor remembers of the rows, which are read batch by batch; data quality with SageMaker's numbers."""
    if name == "data_quality":
        return Seen(table.column_names, *profile_and_block(table.batches, edges, monitor.also))
    return Seen(table.column_names, reduce(add, (monitor.profile(rows, edges) for rows in table.typed())))


def read_baseline(id_: str, name: str, settings: Value, file: Callable[[str], bytes | None]) -> Known:
    """The baseline in the files that `file` gives by name; edits of SageMaker's own file are obeyed."""
    monitor = MONITORS[name].monitor(settings)
    bounds, profile, edges = file(BOUNDS), file("profile.json"), file("edges.json")
    constraints = obeying(name, Constraints.read(bounds, BOUNDS).constraints if bounds else (), file)
    if isinstance(settings, AttributionSettings) and not bounds:
        constraints = tuple(one.model_copy(update=_bound(one, settings.threshold)) for one in constraints)
    if profile is None and (statistics := known_statistics(name, file)):
        return Known(Baseline(id_, constraints, *statistics), statistics[1])
    kind = Partition if name == "model_quality" and b'"nodes"' in (edges or b"") else Edges
    cut = _of_baseline(id_, "edges.json", kind.from_json, edges) or Edges({})
    return Known(Baseline(id_, constraints, _of_baseline(id_, "profile.json", monitor.read_profile, profile), cut), cut)


def _of_baseline(id_: str, file: str, read: Callable[[bytes], Any], content: bytes | None) -> Any:
    """What a file of the baseline holds; an error names the file."""
    try:
        return read(content) if content else None
    except UserError as error:
        raise UserError(f"{f'baseline {id_}: ' if id_ else ''}{file}: {error}") from error


def _bound(of_clarify: Constraint, threshold: float) -> dict[str, Any]:
    """The settings' bound in place of Clarify's fixed one; nothing where it is the same."""
    if of_clarify.lower == threshold:
        return {}
    return {"lower": threshold, "reason": f"{of_clarify.reason}; by the settings it is {threshold:g}"}


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
    of_segments = monitor.notes(profile, baseline) if name == "model_quality" else ()
    notes = tuple(text for text in (note, *of_segments) if text)
    exhibits = monitor.exhibits(profile, baseline, known.edges)
    if isinstance(settings, ModelQualitySettings) and settings.worst_slices and profile.rows:
        sample, others = parted(table.narrowed(monitor.with_losses), settings.worst_slices.sample_rows)
        told = monitor.worst_slices(sample, others.batches())
        findings, notes = (*findings, *judge(told.metrics, told.constraints)), (*notes, *told.notes)
        exhibits, artifacts = (*exhibits, *told.exhibits), {**artifacts, **told.files}
    files = {**artifacts, **violation_files(name, findings)}
    estimates = monitor.estimates(profile, baseline) if name == "model_quality" else ()
    return Checked(name, baseline.id, profile.rows, findings, notes, files, exhibits, estimates=estimates)


def _validated(profile: TableProfile, findings: tuple[Finding, ...], suite: bytes, table: Stored) -> Any:
    from monitor_tasks.monitors.expectations import validate

    try:
        own = json.loads(suite) if suite else None
    except ValueError as error:
        raise UserError(f"the suite is not JSON: {error}; write a JSON file of standard expectations") from error
    return validate(profile, findings, own if profile.rows else None, replace(table, num_rows=profile.rows))
