"""The model-quality monitor: one for all problem types, whose differences are rows of a table."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import pyarrow as pa

from monitor_tasks.baseline import Baseline, Constraint, Metric
from monitor_tasks.exhibit import Exhibit
from monitor_tasks.metrics.measured import Measured
from monitor_tasks.metrics.resampling import MINIMUM_ROWS
from monitor_tasks.monitors.model_quality import estimation
from monitor_tasks.monitors.model_quality.binary import BINARY
from monitor_tasks.monitors.model_quality.cells import partition_of
from monitor_tasks.monitors.model_quality.multiclass import MULTICLASS
from monitor_tasks.monitors.model_quality.problem import Problem, View, Worse, further_metrics
from monitor_tasks.monitors.model_quality.regression import REGRESSION, profiled
from monitor_tasks.monitors.settings import ModelQualitySettings, ProblemType
from monitor_tasks.profiles.partition import Partition
from monitor_tasks.report import Estimate
from monitor_tasks.value import UserError

MARGIN = 3.0
"""How many standard deviations a bound gives way by the interval rule, on either side."""
PROBLEMS: Mapping[ProblemType, Problem] = {
    "BinaryClassification": BINARY,
    "MulticlassClassification": MULTICLASS,
    "Regression": REGRESSION,
}
_SAGEMAKER: Mapping[Worse, str] = {"smaller": "LessThanThreshold", "larger": "GreaterThanThreshold"}


class ModelQuality(NamedTuple):
    """The model-quality monitor of one endpoint."""

    settings: ModelQualitySettings

    @property
    def problem(self) -> Problem:
        """What is predicted."""
        return PROBLEMS[self.settings.problem_type]

    def read_profile(self, text: bytes) -> Any:
        """The profile that a file holds.

        Raises:
            UserError: it is one of another problem type.
        """
        try:
            return self.problem.kind.from_json(text)
        except (KeyError, TypeError) as error:
            raise UserError(
                f"model_quality.problem_type: the stored profile is not one of {self.settings.problem_type}; "
                "suggest the baseline anew, or set the problem type that it was made with"
            ) from error

    def partition(self, rows: pa.Table) -> Partition | None:
        """The cells by which losses are estimated, to be pinned with the baseline; None where they are not."""
        wanted = self.settings.estimate and self.settings.problem_type == "Regression"
        return partition_of(rows, self.settings) if wanted and rows.num_rows else None

    def profile(self, rows: pa.Table, edges: Any = None) -> Any:
        """What is remembered of the rows: counts and exact sums of predictions and labels.

        Raises:
            UserError: the rows lack a column that the settings name, or the settings name no prediction.
        """
        if rows.num_rows and isinstance(edges, Partition):
            return profiled(rows, self.settings, edges)
        return self.problem.profile(rows, self.settings) if rows.num_rows else self.problem.kind()

    def suggest(self, profiles: Sequence[Any]) -> list[Constraint]:
        """One constraint for every metric that is defined on the reference: no later window may be worse.

        Raises:
            UserError: the settings name a metric that the problem type does not have.
        """
        whole, names = sum(profiles, self.problem.kind()), self._names()
        found = self.problem.measured(View(whole, whole, self.settings), names)
        known = {**self.problem.constrained, **self.problem.further}
        defined = [name for name in names if found[name].value is not None]
        return [*(self._constraint(name, known[name], found[name]) for name in defined), *self._on_estimates(whole)]

    def measure(self, profile: Any, baseline: Baseline) -> list[Metric]:
        """SageMaker's metrics of the labelled rows and what else is judged, each with its deviation."""
        names = self._names(one.metric for one in baseline.constraints)
        found, left_out = self.problem.measured(self._view(profile, baseline), names), _left_out(profile)
        return [
            Metric(
                name=name, value=one.value, n=profile.judged if one.rows is None else one.rows, because=one.because,
                deviation=one.deviation, details={**left_out, **one.details},
            )
            for name, one in ((name, found[name]) for name in names)
        ] + estimation.metrics(self._view(profile, baseline), baseline.constraints)  # fmt: skip

    def estimates(self, profile: Any, baseline: Baseline) -> tuple[Estimate, ...]:
        """What the metrics are expected to be, told without labels; nothing unless the settings ask for it."""
        if not self.settings.estimate:
            return ()
        view = self._view(profile, baseline)
        names = estimation.ESTIMATORS[self.settings.problem_type].names
        return estimation.estimates(view, self.problem.measured(view._replace(replicates=0), names), profile.judged)

    def statistics(self, profile: Any) -> dict[str, Any]:
        """All that SageMaker's statistics.json shows of the labelled rows, in its order; None where undefined."""
        head = {"problem_type": self.settings.problem_type, "item_count": profile.judged}
        return {**head, **self.problem.statistics(profile, self.settings)}

    def exhibits(self, profile: Any, baseline: Baseline, edges: Any = None) -> tuple[Exhibit, ...]:  # noqa: ARG002
        """The problem type's own, and the metrics beside SageMaker's."""
        view = self._view(profile, baseline)
        return (*self.problem.exhibits(view), further_metrics(self.problem, view))

    def _names(self, more: Iterable[str] = ()) -> list[str]:
        """The metrics that are judged, in the order of the problem type's."""
        constrained, further = self.problem.constrained, self.problem.further
        if strange := ", ".join(name for name in self.settings.further_metrics if name not in further):
            raise UserError(
                f"model_quality.further_metrics: {self.settings.problem_type} has no {strange}; "
                f"take it out, or name some of {', '.join(further)}"
            )
        asked = {*constrained, *self.settings.further_metrics, *more}
        return [name for name in (*constrained, *further) if name in asked]

    def _view(self, profile: Any, baseline: Baseline) -> View:
        known = self.problem.kind() if baseline.profile is None else baseline.profile
        return View(profile, known, self.settings)

    def _constraint(self, name: str, worse: Worse, reference: Measured) -> Constraint:
        by_interval, drifted = self.settings.rule == "interval", worse == "drifted"
        value, margin = reference.value or 0.0, MARGIN if by_interval else 0.0
        allowed = margin * (reference.deviation or 0.0)
        limit = self.settings.label_drift_threshold
        bounds: Mapping[Worse, Mapping[str, float]] = {
            "smaller": {"lower": value - allowed},
            "larger": {"upper": value + allowed},
            "farther from 0": {"lower": -abs(value) - allowed, "upper": abs(value) + allowed},
            "drifted": {"upper": limit},
        }
        return Constraint(
            check=_SAGEMAKER.get(worse, f"{name}_check"), metric=name, minimum_rows=self._minimum_rows, margin=margin,
            expected=(repr(value),) if by_interval and not drifted else (),
            reason=f"{name} may reach {limit:g} by the settings" if drifted else _reason(name, reference, by_interval),
            **bounds[worse],
        )  # fmt: skip

    def _on_estimates(self, whole: Any) -> list[Constraint]:
        """The constraints on estimates that the settings ask for."""
        names, known = estimation.judged(self.settings), {**self.problem.constrained, **self.problem.further}
        found = self.problem.measured(View(whole, whole, self.settings), names)
        like = {name: self._constraint(name, known[name], one) for name, one in found.items() if one.value is not None}
        return [estimation.constraint(name, one, MARGIN) for name, one in like.items()]

    @property
    def _minimum_rows(self) -> int:
        """By the interval rule at least as many rows as give a deviation: without one the bare number would decide."""
        asked = self.settings.minimum_rows
        return max(asked, MINIMUM_ROWS) if self.settings.rule == "interval" else asked


def _reason(name: str, reference: Measured, by_interval: bool) -> str:
    known = f"{name} of the reference is {reference.value}"
    if not by_interval:
        return known
    if reference.deviation is None:
        return f"{known}; its own deviation is not known below {MINIMUM_ROWS} rows, so the bound does not allow for it"
    return f"{known}; the bound lies {MARGIN:g} of its own deviations of {reference.deviation} beyond"


def _left_out(profile: Any) -> dict[str, int]:
    """Labels that the metrics do not rest on; nothing where there are none."""
    counts = {"unknown_labels": profile.unknown_labels, "unusable_predictions": profile.labelled - profile.judged}
    return {name: count for name, count in counts.items() if count}
