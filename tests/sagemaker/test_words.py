"""Statuses and exit messages in SageMaker's words."""

import pytest

from monitor_tasks.baseline import Constraint, Metric
from monitor_tasks.report import Finding, Report, State, Status, judge
from monitor_tasks.sagemaker.words import execution_status, exit_message

_CONSTRAINT = Constraint(check="completeness_check", metric="completeness", subject="a", lower=0.9)


def _report(value: float | None, rows: int = 10) -> Report:
    findings = judge([Metric(name="completeness", subject="a", value=value, n=rows, because="no rows")], [_CONSTRAINT])
    return _with(findings, rows)


def _with(findings: tuple[Finding, ...], rows: int) -> Report:
    return Report(endpoint="e", monitor="m", window="w", baseline="b", rows=rows, findings=findings)


@pytest.mark.parametrize(
    ("report", "message"),
    [
        (_report(1.0), "Completed: Job completed successfully with no violations."),
        (_report(0.5), "CompletedWithViolations: Job completed successfully with 1 violations."),
        (_report(None), "Completed: Job completed successfully with no violations."),
        (_report(1.0, rows=0), "Failed: Job inputs had no data"),
        (
            _with((Finding(constraint=_CONSTRAINT, metric=None, state=State.FAILED, because="no model"),), 5),
            "Failed: no model",
        ),
    ],
)
def test_the_exit_message_starts_with_the_status(report: Report, message: str) -> None:
    assert exit_message(report) == message
    assert message.partition(":")[0] == execution_status(report.status)


def test_every_status_has_a_word_that_sagemaker_knows() -> None:
    assert {execution_status(status) for status in Status} == {"Completed", "CompletedWithViolations", "Failed"}
