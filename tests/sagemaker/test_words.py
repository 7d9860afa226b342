"""Statuses and exit messages in SageMaker's words."""

import pytest

from monitor_tasks.baseline import Constraint, Metric
from monitor_tasks.report import Finding, Report, State, Status, judge
from monitor_tasks.sagemaker.words import execution_status, exit_message

_CONSTRAINT = Constraint(check="completeness_check", metric="completeness", subject="a", lower=0.9)


def _report(value: float | None, rows: int = 10, monitor: str = "data_quality") -> Report:
    findings = judge([Metric(name="completeness", subject="a", value=value, n=rows, because="no rows")], [_CONSTRAINT])
    return _with(findings, rows, monitor)


def _with(findings: tuple[Finding, ...], rows: int, monitor: str = "data_quality") -> Report:
    return Report(endpoint="e", monitor=monitor, window="w", baseline="b", rows=rows, findings=findings)


def _failed(because: str) -> Report:
    return _with((Finding(constraint=_CONSTRAINT, metric=None, state=State.FAILED, because=because),), 5)


TOO_LITTLE = "Completed: Job completed successfully, but there was not enough data to judge."
HEALTHY = "Completed: Job completed successfully with no violations."
SAID = [
    (Status.COMPLETED, _report(1.0), HEALTHY),
    (Status.COMPLETED, _report(1.0, monitor="model_quality"), HEALTHY),
    (Status.COMPLETED, _report(1.0, monitor="bias"), "Completed: SageMaker XAI Analyzer ran successfully"),
    (Status.COMPLETED, _report(1.0, monitor="attribution"), "Completed: SageMaker XAI Analyzer ran successfully"),
    (Status.WITH_VIOLATIONS, _report(0.5), "CompletedWithViolations: Job completed successfully with 1 violations."),
    (Status.NOT_ENOUGH_DATA, _report(None), TOO_LITTLE),
    (Status.NOT_ENOUGH_DATA, _report(None, monitor="bias"), TOO_LITTLE),
    (Status.NO_DATA, _report(1.0, rows=0), "Failed: Job inputs had no data"),
    (Status.FAILED, _failed("no model"), "Failed: no model"),
    (Status.FAILED, _failed("x" * 2000), "Failed: " + "x" * 1016),
]  # fmt: skip


@pytest.mark.parametrize(("status", "report", "message"), SAID)
def test_the_exit_message_starts_with_the_status(status: Status, report: Report, message: str) -> None:
    assert report.status is status
    assert exit_message(report) == message
    assert message.partition(":")[0] == execution_status(status)


def test_every_word_of_a_status_has_an_exit_message() -> None:
    assert {status for status, *_ in SAID} == set(Status)


def test_every_status_has_a_word_that_sagemaker_knows() -> None:
    assert {execution_status(status) for status in Status} == {"Completed", "CompletedWithViolations", "Failed"}
