"""How sure a finding is: rows on both sides, p-values, effect size, direction, chance, and what else is known."""

from collections.abc import Iterator, Mapping
from math import isfinite

from monitor_tasks.baseline import Constraint, Metric
from monitor_tasks.pages.numbers import in_unit, number, probability, text
from monitor_tasks.pages.vocabulary import Word, shown

Details = Mapping[str, float | int | str]

SAID: Mapping[str, str] = {
    "statistic": "test statistic {}",
    "degrees_of_freedom": "{} degrees of freedom",
    "distance_error": "the bins make that uncertain by at most {}",
    "drivers": "told apart by {}: how much worse it is without each",
    "bandwidth": "kernel width {}",
    "unknown_labels": "{} labels are neither 0 nor 1 and left out",
    "unusable_predictions": "{} predictions cannot be used and are left out",
    "outside": "{} outside of the slice",
    "rows_of_others": "{} rows outside of it",
    "interval_from": "95 % interval from {}",
    "interval_to": "to {}",
    "rows_sampled": "found in a sample of {} rows",
    "rows_sampled_from": "the sample is of {} rows that have both outcomes",
    "explainer": "explained by {}",
    "scale": "explained is the model's {}",
    "evaluations": "{} answers of the model were needed for that",
    "residual": "values add up to the answers within {} of the largest",
    "baseline_explained_by": "the baseline was explained otherwise ({}), so suggest it again",
    "error": "scores are counted in steps, which makes it uncertain by at most {}",
}
"""How a detail is told that is told by itself; one that is not here is told by its name."""
TOLD_ELSEWHERE = frozenset({
    "n_baseline", "rows_in_group", "rows_outside", "sample_size", "p_value", "p_adjusted", "effect_size", "direction",
    "category", "distance", "interval_lower", "interval_upper",
    "description", "stage", "facet", "facet_value", "label", "label_value",
})  # fmt: skip
"""Details that stand in another sentence, or in the name of what is judged."""


def evidence(line: Word, metric: Metric, constraint: Constraint) -> str:
    """Everything that says how sure the number is, in one line."""
    told = (
        *_p_values(metric), *_effect(metric), *_direction(line, metric), *_distance(metric, constraint),
        *_chance(line, metric, constraint),
    )  # fmt: skip
    elsewhere = TOLD_ELSEWHERE | line.fields
    rest = (_said(name, value) for name, value in metric.details.items() if name not in elsewhere and value != 0)
    return "; ".join([sizes(line, metric), *told, *rest])


def _said(name: str, value: float | int | str) -> str:
    if name in SAID:
        return SAID[name].format(shown(value))
    return f"{text(name.replace('_', ' '), 40)} {shown(value)}"


def sizes(line: Word, metric: Metric) -> str:
    """How many rows or cells the number rests on, on both sides where both are known."""
    details = metric.details
    if isinstance(inside := details.get("rows_in_group"), int):
        return f"{inside:,} rows in the group, {details.get('rows_outside', 0):,} outside"
    of = "explained rows" if "sample_size" in details else line.of
    baseline = details.get("n_baseline")
    return f"{metric.n:,} {of}" + (f" against {baseline:,} of the baseline" if isinstance(baseline, int) else "")


def _p_values(metric: Metric) -> Iterator[str]:
    single, adjusted = (_float(metric.details, name) for name in ("p_value", "p_adjusted"))
    among = "slices that were tried" if "rows_of_others" in metric.details else "columns"
    if adjusted is not None and single is not None and probability(adjusted) == probability(single):
        yield f"p {_equals(adjusted)}, also when adjusted for all {among}"
    elif single is not None:
        yield f"p {_equals(single)}" + (f", {probability(adjusted)} adjusted for all {among}" if adjusted else "")


def _equals(p_value: float) -> str:
    told = probability(p_value)
    return told if told.startswith("below") else f"= {told}"


def _effect(metric: Metric) -> Iterator[str]:
    size = _float(metric.details, "effect_size")
    if size is None or size == metric.value:
        return
    if metric.name == "correlation_shift":
        yield f"Cohen's q {number(size)}"
    elif "category" in metric.details or metric.name in ("drift_chi_square", "drift_cramers_v"):
        yield f"effect size {number(size)} (Cramér's V)"
    else:
        of = "" if metric.name == "drift_mmd" else " of the baseline"
        yield f"effect size {number(size)} standard deviations{of}"


def _direction(line: Word, metric: Metric) -> Iterator[str]:
    way, category = metric.details.get("direction"), metric.details.get("category")
    if way is None or "direction" in line.fields or metric.name == "correlation_shift":  # the sentence says it
        return
    if category is None:
        yield "the mean stayed" if way == "none" else f"the mean went {text(way, 20)}"
    elif way != "none":
        yield f"most of all {text(category, 60)!r} went {text(way, 20)}"


def _distance(metric: Metric, constraint: Constraint) -> Iterator[str]:
    distance = _float(metric.details, "distance")
    if distance is not None and metric.name != "drift_linf":
        yield f"{number(distance)} in the column's own unit"
    elif distance is not None and constraint.expected[:1] != ("Simple",):
        yield f"{number(distance)} before chance is taken off"
    low, high = (_float(metric.details, f"interval_{side}") for side in ("lower", "upper"))
    if low is not None and high is not None:
        yield f"95 % interval {number(low)} to {number(high)}, if the numbers are normal"


def _chance(line: Word, metric: Metric, constraint: Constraint) -> Iterator[str]:
    """One deviation, by how many the bound gave way, and how far beyond that the value lies."""
    deviation = metric.deviation
    if metric.interval is not None:
        yield f"by chance between {interval(metric)} (three standard deviations to either side)"
        if constraint.margin:
            yield "a violation is where all of that lies outside the bounds"
        return
    if deviation is None:
        return
    if deviation == 0:
        yield "chance explains none of it"
        return
    one, away = (_far(line, far) for far in (deviation, constraint.margin * deviation))
    yield f"one standard deviation by chance is {one}"
    if constraint.margin:
        yield f"the bound gives way by {constraint.margin:g} of them, {away}"
    if (beyond := _beyond(metric, constraint)) is not None:
        yield f"the value lies {number(beyond, 2)} of them outside the bound"


def interval(metric: Metric) -> str:
    """Where the number lies by chance; empty where nobody knows.

    >>> interval(Metric(name="RD", value=0.5, n=9, interval=(0.25, 0.75)))
    '0.25 and 0.75'
    """
    return "" if metric.interval is None else " and ".join(map(number, metric.interval))


def _far(line: Word, far: float) -> str:
    return in_unit(far, "share") if line.scale == "share" else number(far)


def _beyond(metric: Metric, constraint: Constraint) -> float | None:
    """How many deviations outside; None where it is inside, or where the deviation is 0."""
    value, deviation = metric.value, metric.deviation
    if value is None or not deviation:
        return None
    below = constraint.lower - value if constraint.lower is not None else 0.0
    above = value - constraint.upper if constraint.upper is not None else 0.0
    outside = max(below, above) / deviation
    return outside if outside > 0 and isfinite(outside) else None


def _float(details: Details, name: str) -> float | None:
    found = details.get(name)
    return float(found) if isinstance(found, float | int) else None


def false_alarms(constraint: Constraint) -> str:
    """How often the constraint would have been a false alarm in the reference; empty where that was not tried.

    >>> false_alarms(Constraint(check="c", metric="m", slices=10))
    '0 of 10 slices of the reference'
    """
    if not constraint.slices:
        return ""
    return f"{constraint.alarms:,} of {constraint.slices:,} slices of the reference"
