"""The model-quality monitor: one for all problem types, whose differences are rows of a table."""

from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from typing import Any, NamedTuple

import pyarrow as pa

from monitor_tasks.baseline import Baseline, Constraint, Metric
from monitor_tasks.exhibit import Exhibit
from monitor_tasks.metrics.measured import Measured
from monitor_tasks.metrics.resampling import MINIMUM_ROWS
from monitor_tasks.monitors.model_quality import estimation, segments, slices
from monitor_tasks.monitors.model_quality.binary import BINARY
from monitor_tasks.monitors.model_quality.cells import partition_of
from monitor_tasks.monitors.model_quality.multiclass import MULTICLASS
from monitor_tasks.monitors.model_quality.problem import Problem, View, Worse, further_metrics
from monitor_tasks.monitors.model_quality.regression import REGRESSION, profiled
from monitor_tasks.monitors.model_quality.segments import Judged, whole_of
from monitor_tasks.monitors.settings import ModelQualitySettings, ProblemType, WorstSlices
from monitor_tasks.profiles.partition import Partition
from monitor_tasks.profiles.segments import SegmentProfile
from monitor_tasks.report import Estimate
from monitor_tasks.value import UserError

MARGIN = 3.0
"""How many standard deviations a bound gives way by the interval rule, on either side."""
NOT_EVALUATED = ("f0_5",)
"""What SageMaker's container writes into its constraints and never judges (contract model-quality.md, section 7)."""
STRICTLY = "SageMaker's container does not judge it, and strict_compatibility is set"
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
            stored = SegmentProfile.from_json(text, self.problem.kind)
        except (KeyError, TypeError) as error:
            raise UserError(
                f"model_quality.problem_type: the stored profile is not one of {self.settings.problem_type}; "
                "suggest the baseline anew, or set the problem type that it was made with"
            ) from error
        return stored if self.settings.segments else stored.whole

    def partition(self, batches: Iterable[pa.Table]) -> Partition | None:
        """The cells by which losses are estimated, to be pinned with the baseline; None where they are not."""
        wanted = self.settings.estimate and self.settings.problem_type == "Regression"
        return partition_of(batches, self.settings) if wanted else None

    def profile(self, rows: pa.Table, edges: Any = None) -> Any:
        """What is remembered of the rows: counts and exact sums of predictions and labels.

        Raises:
            UserError: the rows lack a column that the settings name, or the settings name no prediction.
        """
        if not rows.num_rows:
            return self._nothing
        of_rows = partial(profiled, partition=edges) if isinstance(edges, Partition) else self.problem.profile
        if self.settings.segments:
            return segments.profiled(rows, self.settings, lambda part: of_rows(part, self.settings))
        return of_rows(rows, self.settings)

    def suggest(self, profiles: Sequence[Any]) -> list[Constraint]:
        """One constraint for every metric that is defined on the reference, and on each segment with enough rows.

        Raises:
            UserError: the settings name a metric that the problem type does not have.
        """
        reference, names = sum(profiles, self._nothing), self._names()
        whole = whole_of(reference)
        found = self.problem.measured(View(whole, whole, self.settings), names)
        defined = [name for name in names if found[name].value is not None]
        of_whole = [*(self._constraint(name, found[name]) for name in defined), *self._on_estimates(whole)]
        if not self.settings.segments:
            return of_whole
        return [*of_whole, *segments.constraints(self._by_segment(reference), names, self._constraint_of_segment)]

    def measure(self, profile: Any, baseline: Baseline) -> list[Metric]:
        """SageMaker's metrics of the labelled rows and what else is judged, each with its deviation."""
        names, whole = self._names(one.metric for one in baseline.constraints), whole_of(profile)
        found, left_out = self.problem.measured(self._view(profile, baseline), names), _left_out(whole)
        if self.settings.strict_compatibility:
            found = {**found, **dict.fromkeys(NOT_EVALUATED, Measured(None, because=STRICTLY))}
        of_whole = [
            Metric(
                name=name, value=one.value, n=whole.judged if one.rows is None else one.rows, because=one.because,
                deviation=one.deviation, details={**left_out, **one.details},
            )
            for name, one in ((name, found[name]) for name in names)
        ] + estimation.metrics(self._view(profile, baseline), baseline.constraints)  # fmt: skip
        if not self.settings.segments:
            return of_whole
        judged = self._by_segment(profile, baseline)
        return [*of_whole, *segments.metrics(judged, baseline.constraints, segments.drifted(self.problem))]

    def notes(self, profile: Any, baseline: Baseline) -> tuple[str, ...]:
        """What a reader must know of the segments beside the findings."""
        return tuple(segments.notes(self._by_segment(profile, baseline), baseline)) if self.settings.segments else ()

    def estimates(self, profile: Any, baseline: Baseline) -> tuple[Estimate, ...]:
        """What the metrics are expected to be, told without labels; nothing unless the settings ask for it."""
        if not self.settings.estimate:
            return ()
        view = self._view(profile, baseline)
        names = estimation.ESTIMATORS[self.settings.problem_type].names
        realised = self.problem.measured(view._replace(replicates=0), names)
        return estimation.estimates(view, realised, view.profile.judged)

    def statistics(self, profile: Any) -> dict[str, Any]:
        """All that SageMaker's statistics.json shows of the labelled rows, in its order; None where undefined."""
        whole = whole_of(profile)
        head = {"problem_type": self.settings.problem_type, "item_count": whole.judged}
        return {**head, **self.problem.statistics(whole, self.settings)}

    def exhibits(self, profile: Any, baseline: Baseline, edges: Any = None) -> tuple[Exhibit, ...]:  # noqa: ARG002
        """The problem type's own, the metrics beside SageMaker's, and one metric by the values of each segment."""
        view = self._view(profile, baseline)
        by_segment = segments.exhibits(self._by_segment(profile, baseline)) if self.settings.segments else ()
        return (*self.problem.exhibits(view), further_metrics(self.problem, view), *by_segment)

    def with_losses(self, rows: pa.Table) -> pa.Table:
        """The rows that have a label and a usable prediction, each with its loss: what slices are made of."""
        return slices.with_losses(rows, self.settings)

    def worst_slices(self, sample: pa.Table, others: Iterable[pa.Table]) -> slices.Told:
        """The slices in which a sample's predictions are worst, and what the batches of the other rows say of them.

        Raises:
            UserError: the rows lack a column that the settings name.
        """
        return slices.worst_slices(sample, others, self.settings, self.settings.worst_slices or WorstSlices())

    @property
    def _nothing(self) -> Any:
        """The profile of no rows."""
        return SegmentProfile(self.problem.kind()) if self.settings.segments else self.problem.kind()

    def _by_segment(self, profile: Any, baseline: Baseline | None = None) -> Judged:
        return Judged(self.problem, self.settings, profile, baseline.profile if baseline else None)

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
        return View(whole_of(profile), whole_of(known), self.settings)

    def _constraint_of_segment(self, name: str, reference: Measured) -> Constraint:
        """A bound at the bare number: how far it gives way is the same for all segments, whatever the rule."""
        observed = ModelQuality(self.settings.model_copy(update={"rule": "observed"}))
        needed = {"minimum_rows": segments.minimum_rows(self.settings)}
        return observed._constraint(name, reference).model_copy(update=needed)

    def _constraint(self, name: str, reference: Measured) -> Constraint:
        worse: Worse = {**self.problem.constrained, **self.problem.further}[name]
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
        names = estimation.judged(self.settings)
        found = self.problem.measured(View(whole, whole, self.settings), names)
        like = {name: self._constraint(name, one) for name, one in found.items() if one.value is not None}
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
