"""What a problem type is to the monitor: its profile, its metrics and which of their directions is worse."""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import Any, Literal, NamedTuple

import pyarrow as pa

from monitor_tasks.exhibit import Comparison, Exhibit, Pair
from monitor_tasks.metrics.labels import class_drift
from monitor_tasks.metrics.measured import REPLICATES, Measured
from monitor_tasks.monitors.settings import ModelQualitySettings
from monitor_tasks.value import UserError

Worse = Literal["smaller", "larger", "farther from 0", "drifted"]
"""What makes a metric worse; one that drifted is bound by a setting and not by its value in the reference."""
CONSTANT = "_best_constant_classifier"


class View(NamedTuple):
    """What metrics are read off."""

    profile: Any
    known: Any
    """The baseline's profile, an empty one where there is none."""
    settings: ModelQualitySettings
    replicates: int = REPLICATES
    """Resamples of a deviation; 0 asks for none."""


class Problem(NamedTuple):
    """One problem type; every function takes profiles of its own kind."""

    kind: Any
    """The class of its profiles."""
    profile: Callable[[pa.Table, ModelQualitySettings], Any]
    measured: Callable[[View, Collection[str]], Mapping[str, Measured]]
    """The named metrics."""
    constrained: Mapping[str, Worse]
    """The metrics that get a constraint, in SageMaker's order (contract model-quality.md, section 6)."""
    further: Mapping[str, Worse]
    """Metrics beside SageMaker's, which get a constraint where the settings name them."""
    statistics: Callable[[Any, ModelQualitySettings], dict[str, Any]]
    """What SageMaker's statistics.json shows, in its order."""
    exhibits: Callable[[View], Iterable[Exhibit]]


def column(rows: pa.Table, name: str | None, key: str) -> pa.ChunkedArray | None:
    """The column that a setting names, by name or by its place; None where it names none.

    Raises:
        UserError: the rows have no such column.
    """
    if name is None:
        return None
    if (found := find_column(rows, name)) is None:
        has = ", ".join(rows.column_names) or "none"
        raise UserError(f"model_quality.{key}: the rows have no column {name!r}; correct the name. They have: {has}")
    return found


def find_column(rows: pa.Table, name: str) -> pa.ChunkedArray | None:
    """The column of that name, or at that place counted from 0 where no column has the name; None without one."""
    if name in rows.column_names:
        return rows[name]
    by_place = name.isascii() and name.isdigit() and int(name) < rows.num_columns
    return rows.column(int(name)) if by_place else None


def labels(rows: pa.Table, settings: ModelQualitySettings) -> pa.ChunkedArray:
    """The column of the labels."""
    return column(rows, settings.ground_truth_attribute, "ground_truth_attribute")


def shown(found: Mapping[str, Measured], names: Sequence[str], suffix: str = "") -> dict[str, Any]:
    """Metrics as SageMaker lists them: value and standard deviation by name."""
    return {
        f"{name}{suffix}": {"value": found[name].value, "standard_deviation": found[name].deviation} for name in names
    }


def confusion_matrix(names: Sequence[str], counts: Sequence[Sequence[int]]) -> dict[str, dict[str, int]]:
    """Rows by label, then by predicted class."""
    return {name: dict(zip(names, line, strict=True)) for name, line in zip(names, counts, strict=True)}


def further_metrics(problem: Problem, view: View) -> Comparison:
    """The metrics beside SageMaker's, judged or not."""
    names = tuple(problem.further)
    mine, theirs = (problem.measured(view._replace(profile=side, replicates=0), names) for side in view[:2])
    pairs = (
        Pair(label=name.replace("_", " "), here=mine[name].value, baseline=theirs[name].value, unit="value")
        for name in names
    )
    return Comparison(title="metrics beside SageMaker's", pairs=tuple(pairs))


def drift_of_classes(view: View, counts: Callable[[Any], Mapping[str, int]]) -> Measured:
    """The drift of labels that are classes, counted by `counts`."""
    return class_drift(counts(view.profile), counts(view.known), view.replicates)
