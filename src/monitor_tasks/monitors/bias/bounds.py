"""What a reference allows: its own distance from fair, by the bare number or as far as chance explains more."""

from collections.abc import Callable
from math import isfinite

from monitor_tasks.baseline import Constraint, Metric
from monitor_tasks.metrics.chance import REACH
from monitor_tasks.metrics.fairness import FAIRNESS
from monitor_tasks.monitors.settings import BiasSettings, Rule

CHECK = "bias_drift_check"


def constraint(settings: BiasSettings, metric: Metric) -> Constraint | None:
    """The bounds of one metric of the reference, by the rule of the settings; None where it asks nothing."""
    return _RULES[settings.rule](metric, settings.minimum_rows)


def unknown(metric: Metric) -> Constraint | None:
    """A constraint that stays undecided, where the reference has rows but none of the group; else None."""
    if metric.name != "CI" or metric.details.get("rows_in_group") != 0 or not metric.details.get("rows_outside"):
        return None
    return Constraint(
        check=CHECK, metric=metric.name, subject=metric.subject, rule="the reference has to know the group",
        reason=f"{metric.subject}: the reference has no labelled row of the group, so nothing is known to be usual; "
        "correct value_or_threshold, or suggest from rows that have some",
    )  # fmt: skip


def asks_nothing(one: Constraint) -> bool:
    """Whether it is such a constraint."""
    return one.lower is None and one.upper is None


def _observed(metric: Metric, minimum_rows: int) -> Constraint | None:
    """Clarify's rule (contract bias.md, section 5)."""
    value = metric.value or 0.0
    return _constraint(
        metric, (-abs(value), abs(value)), minimum_rows,
        rule="no farther from 0 than in the reference, by however little (SageMaker's rule)",
        reason=f"the reference has {value}; farther from 0 is a violation",
    )  # fmt: skip


def _interval(metric: Metric, minimum_rows: int) -> Constraint | None:
    """Ours: of a ratio the distance from 1 counts, half as much as twice."""
    value = metric.value or 0.0
    fair = FAIRNESS[metric.name].fair if metric.name in FAIRNESS else 0.0
    low, high = metric.interval or (value, value)
    if fair:
        far = max(high, 1 / low) if low > 0 else float("inf")
        lower, upper, scale = 1 / far, far, " on the logarithm's scale"
    else:
        far = max(abs(low), abs(high))
        lower, upper, scale = -far, far, ""
    if not isfinite(far):
        return None
    sure = f"chance leaves it between {low:.4g} and {high:.4g}" if metric.interval else "its chance is not known"
    found = _constraint(
        metric, (lower, upper), minimum_rows,
        rule=f"no farther from {fair:g}{scale} than in the reference, as far as chance can tell: the whole interval of "
        f"{REACH} standard deviations to either side has to leave the bounds, with {minimum_rows} rows in the group "
        "and outside",
        reason=f"the reference has {value}, {sure}; the bound is the end that is farther from {fair:g}",
    )  # fmt: skip
    return found.model_copy(update={"margin": float(REACH)})


def _constraint(
    metric: Metric, bounds: tuple[float, float], minimum_rows: int, rule: str, reason: str
) -> Constraint:  # fmt: skip
    return Constraint(
        check=CHECK, metric=metric.name, subject=metric.subject, lower=bounds[0], upper=bounds[1], cause="world",
        expected=(repr(metric.value),), rule=rule, reason=reason, minimum_rows=minimum_rows,
    )  # fmt: skip


_RULES: dict[Rule, Callable[[Metric, int], Constraint | None]] = {"observed": _observed, "interval": _interval}
