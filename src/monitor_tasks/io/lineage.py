"""Findings as OpenLineage's data-quality facets, on the dataset that was captured; openlineage-python is optional."""

from collections.abc import Mapping
from typing import Any, NamedTuple
from uuid import NAMESPACE_URL, uuid5

from monitor_tasks.io.addresses import split
from monitor_tasks.report import Report, State
from monitor_tasks.value import UserError

PRODUCER = "https://pypi.org/project/monitor-tasks"


class Traced(NamedTuple):
    """One judged window as a run of OpenLineage."""

    endpoint: str
    revision: str
    """The verdict's: the same verdict is the same run."""
    capture: str
    """The address of the captured rows."""
    time: str
    reports: Mapping[str, Report]
    columns: Mapping[str, Mapping[str, float]]
    """Numbers of the captured columns, by OpenLineage's names."""


def send_findings(client: Any, traced: Traced) -> None:
    """Sends one complete run whose input dataset carries an assertion for every decided constraint.

    Raises:
        UserError: openlineage-python is not installed, or the receiver does not answer.
    """
    try:
        from openlineage.client import event_v2 as events
    except ImportError as error:
        raise UserError("emit.openlineage needs apache-airflow-providers-openlineage; install it") from error
    run = events.Run(runId=str(uuid5(NAMESPACE_URL, f"{PRODUCER}/{traced.endpoint}/{traced.revision}")))
    namespace, name = dataset_of(traced.capture)
    event = events.RunEvent(
        eventType=events.RunState.COMPLETE,
        eventTime=traced.time,
        run=run,
        job=events.Job(namespace="monitor-tasks", name=f"monitor__{traced.endpoint}"),
        inputs=[events.InputDataset(namespace=namespace, name=name, inputFacets=_facets(traced))],
        producer=PRODUCER,
    )
    try:
        client.emit(event)
    except Exception as error:  # the transport is the user's choice, and so are its errors
        raise UserError(f"OpenLineage: {type(error).__name__}: {error}; check its transport") from error


def dataset_of(address: str) -> tuple[str, str]:
    """A dataset's namespace and name, as OpenLineage names what lies at an address.

    >>> dataset_of("s3://bucket/capture/churn"), dataset_of("/data/churn")
    (('s3://bucket', 'capture/churn'), ('file', '/data/churn'))
    """
    scheme, rest = split(address)
    bucket, _, key = rest.partition("/")
    return (scheme + bucket, key or "/") if scheme and scheme != "file://" else ("file", rest)


def _facets(traced: Traced) -> dict[str, Any]:
    from openlineage.client.facet_v2 import data_quality_assertions_dataset as asserted
    from openlineage.client.facet_v2 import data_quality_metrics_input_dataset as measured

    rows = max((report.rows for report in traced.reports.values()), default=0)
    column: Any = measured.ColumnMetrics  # its fields are named as our numbers are
    columns = {name: column(**numbers) for name, numbers in traced.columns.items()}
    assertions = [
        asserted.Assertion(
            assertion=f"{monitor}: {one.constraint.check} of {one.constraint.metric}",
            success=one.state is State.KEPT,
            column=one.constraint.subject or None,
        )
        for monitor, report in traced.reports.items()
        for one in report.findings
        if one.state in (State.KEPT, State.BROKEN)
    ]
    return {
        "dataQualityMetrics": measured.DataQualityMetricsInputDatasetFacet(rowCount=rows, columnMetrics=columns),
        "dataQualityAssertions": asserted.DataQualityAssertionsDatasetFacet(assertions=assertions),
    }
