"""The sentence of this room: compile, ask the profile, ask the rows for the rest, give verdicts."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import pyarrow as pa

from monitor_tasks.monitors.expectations.batchwise import Rows, of_rows
from monitor_tasks.monitors.expectations.constraints import expectation_of
from monitor_tasks.monitors.expectations.engine import run
from monitor_tasks.monitors.expectations.known import NEEDS, Known
from monitor_tasks.monitors.expectations.results import Expectation, Results, canonical, exception
from monitor_tasks.monitors.expectations.suite import Suite, beyond_metrics, lacking_column, user_expectations
from monitor_tasks.monitors.expectations.verdicts import Reason, user_finding, verdict
from monitor_tasks.profiles.columns import TableProfile
from monitor_tasks.report import Finding, State


class Validation(NamedTuple):
    """What Great Expectations found: findings with its verdicts, and its results as canonical JSON."""

    findings: tuple[Finding, ...]
    """The given findings with GX's verdict, in their order, then one for every expectation of the user's suite."""
    results: bytes
    """GX's validation results without times and ids: the same input gives the same bytes."""


def validate(
    profile: TableProfile, findings: Sequence[Finding], user_suite: Suite | None, rows: pa.Table | Rows | None
) -> Validation:
    """Great Expectations' verdict on every decided finding, and on every expectation of the user's suite.

    `user_suite` is GX's suite JSON, or only its list of expectations; `rows` are asked for what the profile cannot say,
    if they are all rows of the profile: of a sample nothing is told.

    Raises:
        UserError: an expectation of the user's suite is of no known type, or its arguments do not fit.
    """
    asked = user_expectations(user_suite, profile)
    judged = _answer_ours(profile, findings)
    answers, reasons = _answer_user(profile, asked, rows)
    return Validation(
        tuple(verdict(finding, judged.get(n)) for n, finding in enumerate(findings))
        + tuple(user_finding(item, answers.get(n), reasons.get(n), profile.rows) for n, item in asked.items()),
        canonical(constraints=judged, expectations=answers),
    )


def _answer_ours(profile: TableProfile, findings: Sequence[Finding]) -> Results:
    """GX's results on the constraints of the decided findings, by the finding's index."""
    decided = {n: finding for n, finding in enumerate(findings) if finding.state in (State.KEPT, State.BROKEN)}
    metrics = [finding.metric for finding in decided.values() if finding.metric]
    measured = {(metric.name, metric.subject): metric.value for metric in metrics}
    compiled = {n: expectation_of(finding, n) for n, finding in decided.items()}
    return run(compiled, Known(profile, measured, as_text=True))


def _answer_user(
    profile: TableProfile, asked: Mapping[int, Expectation], rows: pa.Table | Rows | None
) -> tuple[Results, dict[int, Reason]]:
    """GX's results by expectation, first from the profile and then from the rows; and why the others have none."""
    if not profile.rows:
        return {}, dict.fromkeys(asked, (State.UNDECIDED, "not enough data: 0 rows"))
    lacking = {n: (State.FAILED, lack) for n, item in asked.items() if (lack := lacking_column(item, profile))}
    possible = {n: item for n, item in asked.items() if n not in lacking}
    needy = {n: f"{NEEDS}: {why}" for n, item in possible.items() if (why := beyond_metrics(item, profile))}
    first = run({n: item for n, item in possible.items() if n not in needy}, Known(profile))
    needy |= {n: why for n, result in first.items() if NEEDS in (why := exception(result))}
    answered = {n: result for n, result in first.items() if n not in needy}
    if rows is None or rows.num_rows != profile.rows:
        part = "" if rows is None else f"; {rows.num_rows} of {profile.rows} are a part, which proves nothing of all"
        return answered, lacking | {n: (State.UNDECIDED, why + part) for n, why in needy.items()}
    return answered | of_rows({n: possible[n] for n in needy}, rows, profile), lacking
