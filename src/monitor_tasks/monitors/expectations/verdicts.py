"""Results as findings: GX's word beside the constraint's own, and a finding for each of the user's expectations."""

from monitor_tasks.baseline import Constraint, Metric
from monitor_tasks.monitors.expectations.results import Expectation, Result, exception
from monitor_tasks.report import Finding, State

Reason = tuple[State, str]
"""Why an expectation has no result."""


def verdict(finding: Finding, result: Result | None) -> Finding:
    """The finding with GX's word: a verdict that differs from the constraint's own is a failure, never a choice."""
    if result is None:
        return finding
    if raised := exception(result):
        return finding.model_copy(update={"state": State.FAILED, "because": raised})
    state = State.KEPT if result["success"] else State.BROKEN
    if state is finding.state:
        return finding
    because = (
        f"Great Expectations and the constraint disagree: {result['expectation_config']['type']} says {state}, "
        f"the constraint says {finding.state}"
    )
    return finding.model_copy(update={"state": State.FAILED, "because": because})


def user_finding(expectation: Expectation, result: Result | None, reason: Reason | None, rows: int) -> Finding:
    """The finding on one of the user's expectations, or the `reason` why it has no result."""
    kind, subject = expectation["type"], expectation["kwargs"].get("column") or ""
    constraint = Constraint(check="expectation", metric=kind, subject=subject, cause="data", reason="the user's suite")
    if result is None or (raised := exception(result)):
        state, because = reason or (State.FAILED, raised if result else "Great Expectations gave no result")
        return Finding(constraint=constraint, metric=None, state=state, because=because)
    value, n, because = _measured(result, rows)
    metric = Metric(name=kind, subject=subject, value=value, n=n)
    if result["success"]:
        return Finding(constraint=constraint, metric=metric, state=State.KEPT)
    return Finding(constraint=constraint, metric=metric, state=State.BROKEN, because=because)


def _measured(result: Result, rows: int) -> tuple[float, int, str]:
    """Success ratio, cells or rows it rests on, and what to say if it broke."""
    known = result["result"]
    if known.get("unexpected_count") is None or "element_count" not in known:
        observed = known.get("observed_value")
        return float(result["success"]), rows, "" if observed is None else f"observed {observed}"
    n = known["element_count"]
    considered = n - known.get("missing_count", 0)
    value = (considered - known["unexpected_count"]) / considered if considered else 1.0
    return value, n, f"{known['unexpected_count']} of {considered} are unexpected"
