"""Findings in words: the value, its bound, how many rows, how sure, why the bound is there, and what to look at."""

from math import isfinite
from typing import NamedTuple

from monitor_tasks.baseline import Constraint, Metric
from monitor_tasks.pages.charts import Drawing, bullet
from monitor_tasks.pages.numbers import NOTHING, apart, number, sentence, text
from monitor_tasks.report import Finding, State, Status

STATUSES = {
    Status.COMPLETED: (State.KEPT, "Healthy", "every constraint that could be decided is kept"),
    Status.WITH_VIOLATIONS: (State.BROKEN, "Violations", "at least one constraint is broken"),
    Status.FAILED: (State.FAILED, "Failed", "a check failed to run, so this window is not known to be healthy"),
    Status.NO_DATA: (State.UNDECIDED, "No data", "the window holds no rows, so there was nothing to judge"),
    Status.NOT_ENOUGH_DATA: (
        State.UNDECIDED,
        "Not enough data",
        "nothing was decided, so it is not known to be healthy",
    ),
}
MARKS = {State.KEPT: "✓", State.BROKEN: "✕", State.UNDECIDED: "?", State.FAILED: "!"}
CAUSES = {
    "data": "broken data: mend the source; retraining on it would teach the model the fault",
    "world": "a changed world: the data may be right and the model out of date",
}
SHARES = ("completeness", "domain_share", "type_match")
"""Metrics that are a part of the cells."""
LOOK_AT = {
    "data_type_check": "the kinds of cells below, and what changed in the code or schema that sends this column",
    "completeness_check": "the source of this column: a join, a default or a job upstream that stopped filling it",
    "categorical_values_check": "the values below that the baseline has not, and who began to send them",
    "baseline_drift_check": "where this window leaves the baseline in the picture below, and since when",
    "missing_column_check": "the columns below that this window has not, and the capture's input_names",
    "extra_column_check": "the columns below that the baseline has not, and the capture's input_names",
    "feature_attribution_drift_check": "the features that changed places below, and their data quality in this window",
    "bias_drift_check": "how many rows the group has, and its data quality in this window",
    "LessThanThreshold": "the outcomes below, and the data quality of the same window",
    "GreaterThanThreshold": "the outcomes below, and the data quality of the same window",
    "expectation": "the result of this expectation in expectations.json",
}


ABOUT = {
    "column_count": "how many columns the rows have",
    "domain_share": "the share of cells whose value the baseline knows",
    "drift_linf": "the largest difference between this window's distribution and the baseline's (L-infinity)",
    "shap": "how well the ranking of the features agrees with the baseline's (nDCG; 1 is the same ranking)",
    "type_match": "the share of cells that have the baseline's type",
}


class Told(NamedTuple):
    """One finding as a page tells it."""

    state: State
    what: str
    about: str
    """What the metric is, where its name does not say it."""
    value: str
    bound: str
    rows: str
    sure: str
    because: str
    reason: str
    cause: str
    look_at: str
    picture: Drawing | None


def told(finding: Finding) -> Told:
    """The finding in words."""
    constraint, metric = finding.constraint, finding.metric
    value, bound = value_and_bound(finding)
    return Told(
        state=finding.state,
        what=text(constraint.metric.replace("_", " ")),
        about=ABOUT.get(constraint.metric) or text((metric.details if metric else {}).get("description", "")),
        value=value,
        bound=bound,
        rows=_rows(metric) if metric else NOTHING,
        sure=_sure(metric, constraint) if metric else NOTHING,
        because=sentence(finding.because),
        reason=sentence(constraint.reason),
        cause=CAUSES[constraint.cause],
        look_at=LOOK_AT.get(constraint.check, "the column below, and what sends it"),
        picture=_picture(metric, constraint) if metric else None,
    )


def value_and_bound(finding: Finding) -> tuple[str, str]:
    """What was measured and what is allowed, in digits that tell the two apart."""
    constraint, value = finding.constraint, finding.metric.value if finding.metric else None
    lower, upper = constraint.lower, constraint.upper
    known = [one for one in (value, lower, upper) if one is not None]
    shown = dict(zip(known, apart(known), strict=True))
    least, most = (None if bound is None else shown[bound] for bound in (lower, upper))
    if least and most:
        bound = f"{least} to {most}"
    else:
        bound = f"at least {least}" if least else f"at most {most}" if most else NOTHING
    return NOTHING if value is None else shown[value], bound


def _rows(metric: Metric) -> str:
    if metric.name in SHARES and metric.value is not None:
        return f"{round((1 - metric.value) * metric.n):,} of {metric.n:,} cells"
    groups = [metric.details.get(name) for name in ("rows_in_group", "rows_outside")]
    if None not in groups:
        return f"{groups[0]:,} in the group, {groups[1]:,} outside"
    return f"{metric.n:,} rows"


def _sure(metric: Metric, constraint: Constraint) -> str:
    details, known = metric.details, []
    if isinstance(p_value := details.get("p_value"), float):
        known.append(f"p = {number(p_value)}")
    if metric.deviation is not None:
        known.append(f"± {number(metric.deviation)} is one standard deviation by chance")
        if (beyond := _beyond(metric, constraint)) is not None:
            known.append(f"{number(beyond, 2)} of them beyond the bound")
    if isinstance(distance := details.get("distance"), float) and "n_baseline" in details:
        sizes = f"{metric.n:,} cells against {details['n_baseline']:,}"
        robust = constraint.expected[:1] == ("Robust",)
        known.append(f"{number(distance)} apart{' before chance is taken off' if robust else ''}, {sizes}")
    if isinstance(size := details.get("sample_size"), int):
        known.append(f"on a sample of {size:,} explained rows")
    if constraint.margin:
        known.append(f"{constraint.margin:g} are allowed")
    return "; ".join(known) or f"every one of {metric.n:,} was counted; nothing is put down to chance"


def _beyond(metric: Metric, constraint: Constraint) -> float | None:
    """How many deviations outside; None where it is inside, or where the deviation is 0."""
    value, deviation = metric.value, metric.deviation
    if value is None or not deviation:
        return None
    below = constraint.lower - value if constraint.lower is not None else 0.0
    above = value - constraint.upper if constraint.upper is not None else 0.0
    outside = max(below, above) / deviation
    return outside if outside > 0 and isfinite(outside) else None


def _picture(metric: Metric, constraint: Constraint) -> Drawing | None:
    bounds = [bound for bound in (constraint.lower, constraint.upper) if bound is not None]
    if metric.value is None or not bounds:
        return None
    if not all(abs(one) < 1e150 for one in (metric.value, *bounds, metric.deviation or 0.0)):
        return None  # no scale holds them
    return bullet(metric.value, constraint.lower, constraint.upper, metric.deviation)
