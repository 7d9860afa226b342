"""SageMaker's words: statuses, exit messages, and the names that its files share."""

from pydantic import ValidationError

from monitor_tasks.report import Report, State, Status
from monitor_tasks.value import UserError

NUMERIC = ("Integral", "Fractional")
"""Inferred types whose statistics are those of numbers."""
EVALUATED = ("data_type_check", "completeness_check", "categorical_values_check", "baseline_drift_check")
"""Checks of one feature that SageMaker evaluates; is_non_negative is none of them."""
CHI_SQUARED = "ChiSquared"
"""SageMaker's other categorical distance: what it compares is unverified, so it is kept and not judged."""

CLARIFY = ("bias", "attribution")
"""The monitors whose container is Clarify's."""
LONGEST = 1024
"""Characters of a FailureReason."""

_EXECUTION = {Status.NO_DATA: "Failed", Status.NOT_ENOUGH_DATA: "Completed"}


def execution_status(status: Status) -> str:
    """Our status as MonitoringExecutionStatus: no data is a failure, too little to decide is none (operations.md, 2).

    >>> execution_status(Status.NO_DATA), execution_status(Status.WITH_VIOLATIONS)
    ('Failed', 'CompletedWithViolations')
    """
    return _EXECUTION.get(status, status.value)


def exit_message(report: Report) -> str:
    """What the container leaves as its last words; the one before the colon is the execution's status.

    SageMaker's words are those of operations.md, section 2; it has none for too little data, which are ours.
    """
    status, found = execution_status(report.status), len(report.violations)
    if report.status is Status.NO_DATA:
        said = "Job inputs had no data"
    elif report.status is Status.FAILED:
        said = report.having(State.FAILED)[0].because
    elif report.status is Status.NOT_ENOUGH_DATA:
        said = "Job completed successfully, but there was not enough data to judge."
    elif report.monitor in CLARIFY and not found:
        said = "SageMaker XAI Analyzer ran successfully"
    else:
        said = f"Job completed successfully with {found or 'no'} violations."
    return f"{status}: {said}"[:LONGEST]


def unreadable(address: str, kind: str, error: ValidationError) -> UserError:
    """The error for one of SageMaker's files that does not have its form."""
    first = error.errors()[0]
    key = ".".join(map(str, first["loc"])) or "(whole file)"
    return UserError(f"{address}: not a readable {kind}: {key}: {first['msg']}; correct it or restore the file")
