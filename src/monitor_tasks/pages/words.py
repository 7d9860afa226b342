"""Findings in words: what was seen, what was expected, how sure that is, what it means, and what to look at."""

from typing import NamedTuple

from monitor_tasks.baseline import Constraint, Metric
from monitor_tasks.pages.charts import Drawing, bullet
from monitor_tasks.pages.evidence import evidence, false_alarms, interval, sizes
from monitor_tasks.pages.numbers import NOTHING, apart_on, sentence, text
from monitor_tasks.pages.vocabulary import seen, word
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
LOOK_AT = {
    "data_type_check": "the kinds of cells below, and what changed in the code or schema that sends this column",
    "completeness_check": "the source of this column: a join, a default or a job upstream that stopped filling it",
    "categorical_values_check": "the values below that the baseline has not, and who began to send them",
    "baseline_drift_check": "where this window leaves the baseline in the picture below, and since when",
    "range_check": "the smallest and the largest number below, and the unit that the source sends",
    "constant_check": "whether the source still measures, or sends a default",
    "format_check": "how the texts are written below, and what changed in the code that writes them",
    "encoding_check": "how the source's bytes are decoded: UTF-8 read as Latin-1, or texts that were cut",
    "class_balance_check": "the shares of the classes below; of a prediction the model's own inputs too",
    "duplicate_rows_check": "whether records are sent or captured twice: the ledger of the same window",
    "correlation_drift_check": "the other column of the pair too, and how each of them is filled",
    "mmd_drift_check": "the columns below that drift by themselves; if none does, how they go together",
    "domain_classifier_drift_check": "the columns that tell the rows apart, the strongest first",
    "missing_column_check": "the columns below that this window has not, and the capture's input_names",
    "extra_column_check": "the columns below that the baseline has not, and the capture's input_names",
    "feature_attribution_drift_check": "the features that changed places below, and their data quality in this window",
    "bias_drift_check": "how many rows the group has, and its data quality in this window",
    "LessThanThreshold": "the outcomes below, and the data quality of the same window",
    "GreaterThanThreshold": "the outcomes below, and the data quality of the same window",
    "worst_slice_check": "what the rows of this slice have in common, and how many like them the model learned from",
    "estimate_check": "the data quality of the same window, and its labels as they arrive: this is an estimate",
    "expectation": "the result of this expectation in expectations.json",
}
_LOOK_AT = "the numbers below, and what sends them"
_LOOK_AT_DRIFT = LOOK_AT["baseline_drift_check"]


class Told(NamedTuple):
    """One finding as a page tells it."""

    state: State
    what: str
    """The metric's name in words."""
    check: str
    seen: str
    """What was seen, as a sentence."""
    value: str
    chance: str
    """Where it lies by chance; empty where nobody knows."""
    bound: str
    rule: str
    """What was expected, as the sentence that suggested it."""
    reason: str
    """What that was learned from."""
    sure: str
    false_alarms: str
    """In how many slices of the reference it would have been one; empty where that was not tried."""
    because: str
    cause: str
    look_at: str
    rows: str
    picture: Drawing | None


def told(finding: Finding) -> Told:
    """The finding in words."""
    constraint, metric = finding.constraint, finding.metric
    line = word(constraint, metric)
    value, bound = value_and_bound(finding)
    return Told(
        state=finding.state,
        what=line.what,
        check=text(constraint.check),
        seen=seen_in(finding),
        value=value,
        chance=f"chance: {interval(metric)}" if metric and metric.interval else "",
        bound=bound,
        rule=sentence(constraint.rule),
        reason=sentence(constraint.reason),
        sure=evidence(line, metric, constraint) if metric else NOTHING,
        false_alarms=false_alarms(constraint),
        because=sentence(finding.because),
        cause=CAUSES[constraint.cause],
        look_at=LOOK_AT.get(constraint.check, _LOOK_AT_DRIFT if metric_drifts(constraint) else _LOOK_AT),
        rows=sizes(line, metric) if metric else NOTHING,
        picture=_picture(metric, constraint) if metric else None,
    )


def metric_drifts(constraint: Constraint) -> bool:
    """Whether a constraint compares a distribution with the baseline's."""
    return constraint.metric.startswith("drift_")


def seen_in(finding: Finding) -> str:
    """What was seen, as a sentence; of an expectation what Great Expectations says."""
    constraint, metric = finding.constraint, finding.metric
    line = word(constraint, metric)
    if metric is None or constraint.check == "expectation":
        return f"{line.what}: {sentence(finding.because or finding.state)}"
    return seen(line, value_and_bound(finding)[0], constraint, metric)


def value_and_bound(finding: Finding) -> tuple[str, str]:
    """What was measured and what is allowed, on the metric's scale, in digits that tell the two apart."""
    constraint, value = finding.constraint, finding.metric.value if finding.metric else None
    lower, upper = constraint.lower, constraint.upper
    known = [one for one in (value, lower, upper) if one is not None]
    shown = dict(zip(known, apart_on(word(constraint, finding.metric).scale, known), strict=True))
    least, most = (None if bound is None else shown[bound] for bound in (lower, upper))
    if least and most:
        bound = f"exactly {least}" if least == most else f"{least} to {most}"
    else:
        bound = f"at least {least}" if least else f"at most {most}" if most else NOTHING
    return NOTHING if value is None else shown[value], bound


def why_undecided(finding: Finding) -> tuple[str, str]:
    """Why there is no answer, and what of it holds for this constraint alone."""
    needed, metric = finding.constraint.minimum_rows, finding.metric
    if finding.state is State.UNDECIDED and metric is not None and metric.n < needed:
        return "not enough data", f"{metric.n:,} of {needed:,} {word(finding.constraint, metric).of}"
    return sentence(finding.because), ""


def _picture(metric: Metric, constraint: Constraint) -> Drawing | None:
    bounds = [bound for bound in (constraint.lower, constraint.upper) if bound is not None]
    if metric.value is None or not bounds:
        return None
    if not all(abs(one) < 1e150 for one in (metric.value, *bounds, metric.deviation or 0.0)):
        return None  # no scale holds them
    return bullet(metric.value, constraint.lower, constraint.upper, metric.deviation)
