"""What this room adds to GX: a datasource whose engine asks a profile, and bounds on a metric measured before.

Importing it imports the library and registers both; `engine.library` does so, once.
"""

from typing import Any, ClassVar, Literal

from great_expectations.datasource.fluent import PandasDatasource
from great_expectations.exceptions import MetricResolutionError
from great_expectations.execution_engine import PandasExecutionEngine
from great_expectations.expectations.expectation import BatchExpectation
from great_expectations.expectations.metrics.metric_provider import metric_value
from great_expectations.expectations.metrics.table_metric_provider import TableMetricProvider

from monitor_tasks.monitors.expectations.answers import MEASURED, answer
from monitor_tasks.monitors.expectations.known import NEEDS, NeedsRows


class MeasuredMetric(TableMetricProvider):  # type: ignore[misc]
    """A metric of ours, by name and subject."""

    metric_name = MEASURED
    value_keys = ("metric", "subject")

    @metric_value(engine=PandasExecutionEngine)  # type: ignore[untyped-decorator]
    def _pandas(*_: Any, **__: Any) -> float:
        raise NeedsRows("a measured metric is known to a profile only")


class ExpectMetricToBeBetween(BatchExpectation):  # type: ignore[misc]
    """Expect a metric that was measured before to lie between two optional bounds."""

    metric: str
    subject: str = ""
    min_value: float | None = None
    max_value: float | None = None
    metric_dependencies: ClassVar[tuple[str, ...]] = (MEASURED,)
    success_keys: ClassVar[tuple[str, ...]] = ("metric", "subject", "min_value", "max_value")

    def _validate(self, metrics: dict[str, Any], **more: Any) -> Any:
        return self._validate_metric_value_between(metric_name=MEASURED, metrics=metrics, **more)


class ProfileEngine(PandasExecutionEngine):  # type: ignore[misc]
    """An engine that asks the profile instead of a frame."""

    records: Any = None

    def get_domain_records(self, domain_kwargs: Any) -> Any:  # noqa: ARG002
        """The different cells that GX's own function is computed on."""
        return self.records

    def resolve_metrics(
        self, metrics_to_resolve: Any, metrics: Any = None, runtime_configuration: Any = None
    ) -> dict[Any, Any]:
        """The metrics' values by their ids."""
        metrics, resolved, failure = {} if metrics is None else metrics, {}, None
        for metric in metrics_to_resolve:
            try:
                resolved[metric.id] = self._resolve(metric, metrics, runtime_configuration)
            except NeedsRows as error:
                failure = MetricResolutionError(message=f"{NEEDS}: {error}", failed_metrics=(metric,))
            except MetricResolutionError as error:
                failure = error
        if failure is not None:
            # GX forgets the metrics that were resolved beside a failed one; they are kept for its next try.
            metrics.update(resolved)
            raise failure
        return resolved

    def _resolve(self, metric: Any, metrics: Any, runtime_configuration: Any) -> Any:
        inputs = {name: metrics.get(needed.id) for name, needed in metric.metric_dependencies.items()}

        def compute(records: Any) -> Any:
            self.records = records
            return super(ProfileEngine, self).resolve_metrics([metric], metrics, runtime_configuration)[metric.id]

        known = self.batch_manager.active_batch_data.dataframe.attrs["known"]
        return answer(metric, known, inputs, compute)


class ProfileDatasource(PandasDatasource):  # type: ignore[misc]
    """The datasource that `context.data_sources.add_profile` adds."""

    type: Literal["profile"] = "profile"
    execution_engine_override: ClassVar[Any] = ProfileEngine
