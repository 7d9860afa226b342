"""SageMaker's files of each monitor: what is written beside ours, and what is read back when a user has edited it."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from monitor_tasks.baseline import Constraint, in_order
from monitor_tasks.profiles.columns import Edges
from monitor_tasks.profiles.sample import GlobalProfile
from monitor_tasks.profiles.sketch import SageMakerBlock
from monitor_tasks.report import Finding
from monitor_tasks.sagemaker import attribution, bias, constraints, constraints_reading, model_quality, violations
from monitor_tasks.sagemaker.cloudwatch import Source, cloudwatch_metrics, column_numbers, namespace
from monitor_tasks.sagemaker.described import read_answer
from monitor_tasks.sagemaker.differences import COMPARED, Difference, differences
from monitor_tasks.sagemaker.migrating import Migration, Wanted, migrated
from monitor_tasks.sagemaker.statistics import statistics_json
from monitor_tasks.sagemaker.statistics_reading import read_statistics
from monitor_tasks.sagemaker.words import exit_message

__all__ = [
    "BASELINE_FILES", "COMPARED", "VIOLATIONS", "Difference", "Migration", "Seen", "Source", "Wanted", "carried_over",
    "cloudwatch_metrics", "column_numbers", "differences", "exit_message", "known_statistics", "namespace", "obeying",
    "suggested_files", "violation_files",
]  # fmt: skip

Files = dict[str, bytes]
Reader = Callable[[bytes, str], tuple[Constraint, ...]]
Writer = Callable[[Sequence[Constraint]], bytes]
VIOLATIONS = "constraint_violations.json"


class Seen(NamedTuple):
    """What is remembered of a table once its rows have been read."""

    columns: Sequence[str]
    profile: Any
    block: SageMakerBlock = SageMakerBlock()
    """SageMaker's numbers, which only data quality needs."""


def suggested_files(name: str, monitor: Any, seen: Seen) -> Files:
    """SageMaker's statistics and suggested constraints of a table."""
    return _SUGGESTED[name](monitor, seen, in_order(monitor.suggest([seen.profile]), seen.columns))


def violation_files(name: str, findings: Sequence[Finding]) -> Files:
    """SageMaker's list of violations; Clarify's monitors write none where there is none."""
    content = _VIOLATIONS[name](findings)
    return {} if content is None else {VIOLATIONS: content}


def obeying(name: str, ours: tuple[Constraint, ...], file: Callable[[str], bytes | None]) -> tuple[Constraint, ...]:
    """Our constraints with the bounds that a user has edited in SageMaker's file; a baseline of theirs alone is read.

    What the file says as we would write it stays ours; what a user took out there is gone.
    """
    where, read, write = _CONSTRAINTS[name]
    content = file(where)
    if not content or (ours and write is None):
        return ours
    theirs = {one.key: one for one in read(content, where)}
    if write is None or not ours:
        return tuple(theirs.values())
    written = {one.key: one for one in read(write(ours), where)}
    kept = tuple(_edited(one, written, theirs) for one in ours if one.key in theirs or one.key not in written)
    known = {one.key for one in ours}
    return (*kept, *(one for key, one in theirs.items() if key not in known))


def known_statistics(name: str, file: Callable[[str], bytes | None]) -> tuple[Any, Edges] | None:
    """What SageMaker's statistics tell of the rows that a baseline was made from; None where there are none."""
    if name == "attribution" and (analysis := file("analysis.json")):
        read = attribution.read_analysis(analysis, "analysis.json")
        return GlobalProfile({label: known.global_shap_values for label, known in read.items()}), Edges({})
    content = file("statistics.json") if name == "data_quality" else None
    return read_statistics(content, "statistics.json") if content else None


def carried_over(files: Mapping[str, bytes], wanted: Wanted) -> Migration:
    """What the service answered about one endpoint, by file, as the content of its YAML.

    Raises:
        UserError: a file is none of these answers, or they do not belong together.
    """
    return migrated([read_answer(text, source) for source, text in files.items()], wanted)


def _edited(mine: Constraint, written: dict[str, Constraint], theirs: dict[str, Constraint]) -> Constraint:
    said = theirs.get(mine.key)
    if said is None or said == written.get(mine.key):
        return mine
    return mine.model_copy(update=said.model_dump(include={"lower", "upper", "expected", "enabled", "margin"}))


def _data_quality(_: Any, seen: Seen, suggested: tuple[Constraint, ...]) -> Files:
    return {
        "statistics.json": statistics_json(seen.block),
        "constraints.json": constraints.constraints_json(suggested),
    }


def _model_quality(monitor: Any, seen: Seen, suggested: tuple[Constraint, ...]) -> Files:
    return dict(model_quality.files(monitor.statistics(seen.profile), suggested))


def _bias(monitor: Any, seen: Seen, _: tuple[Constraint, ...]) -> Files:
    return {"analysis.json": bias.analysis_json(monitor.statistics(seen.profile))}


def _attribution(monitor: Any, seen: Seen, _: tuple[Constraint, ...]) -> Files:
    profile = seen.profile
    files = {"analysis.json": attribution.analysis_json(monitor.statistics(profile), seen.columns)}
    if profile.background:
        files["explanations_shap/baseline.csv"] = attribution.baseline_csv(profile.background)
    if monitor.settings.save_local_shap_values:
        rows = (entry.values for entry in profile.entries)
        files["explanations_shap/out.csv"] = attribution.local_values_csv(profile.features, profile.labels, rows)
    return files


_SUGGESTED = {
    "data_quality": _data_quality,
    "model_quality": _model_quality,
    "bias": _bias,
    "attribution": _attribution,
}
_VIOLATIONS: dict[str, Callable[[Sequence[Finding]], bytes | None]] = {
    "data_quality": violations.violations_json,
    "model_quality": model_quality.violations_json,
    "bias": bias.violations_json,
    "attribution": attribution.violations_json,
}
_CONSTRAINTS: dict[str, tuple[str, Reader, Writer | None]] = {
    "data_quality": ("constraints.json", constraints_reading.read_constraints, constraints.constraints_json),
    "model_quality": ("constraints.json", model_quality.read_constraints, model_quality.constraints_json),
    "bias": ("analysis.json", bias.read_constraints, None),
    "attribution": ("analysis.json", attribution.read_constraints, None),
}
BASELINE_FILES = {name: {"baseline_constraints": where} for name, (where, _, _) in _CONSTRAINTS.items()}
BASELINE_FILES["data_quality"] |= {"baseline_statistics": "statistics.json"}
"""The files of a baseline of SageMaker's, by the setting that says where each lies."""
