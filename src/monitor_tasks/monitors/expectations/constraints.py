"""Our constraints as expectations: a standard one where there is one, else bounds on the metric."""

import math
from collections.abc import Callable, Mapping

from monitor_tasks.baseline import Constraint
from monitor_tasks.monitors.expectations.results import Expectation
from monitor_tasks.profiles.cells import BOOLEAN, FRACTIONAL, INTEGRAL
from monitor_tasks.report import Finding, bounds

_REGEXES = {"Integral": INTEGRAL, "Fractional": FRACTIONAL, "Boolean": BOOLEAN}


def expectation_of(finding: Finding, number: int) -> Expectation:
    """The expectation that says what the constraint says, chance included; its `number` finds its result again."""
    constraint, metric = finding.constraint, finding.metric
    if metric is not None:
        lower, upper = bounds(constraint, metric)
        constraint = constraint.model_copy(update={"lower": lower, "upper": upper})
    expectation = _STANDARD.get(constraint.metric, _on_metric)(constraint) or _on_metric(constraint)
    return expectation | {"meta": {"number": number, "constraint": constraint.key}}


def _on_metric(constraint: Constraint) -> Expectation:
    kwargs = {
        "metric": constraint.metric,
        "subject": constraint.subject,
        "min_value": constraint.lower,
        "max_value": constraint.upper,
    }
    return {"type": "expect_metric_to_be_between", "kwargs": kwargs}


def _on_column(constraint: Constraint, kind: str, **more: object) -> Expectation | None:
    """None where the bounds are not one that GX's `mostly` can say."""
    if constraint.upper is not None or constraint.lower is None or not 0 <= constraint.lower <= 1:
        return None
    return {"type": kind, "kwargs": {"column": constraint.subject, "mostly": constraint.lower, **more}}


def _completeness(constraint: Constraint) -> Expectation | None:
    return _on_column(constraint, "expect_column_values_to_not_be_null")


def _type_match(constraint: Constraint) -> Expectation | None:
    regex = _REGEXES.get(constraint.expected[0]) if len(constraint.expected) == 1 else None
    return _on_column(constraint, "expect_column_values_to_match_regex", regex=regex) if regex else None


def _domain_share(constraint: Constraint) -> Expectation | None:
    if not constraint.expected:
        return None
    return _on_column(constraint, "expect_column_values_to_be_in_set", value_set=list(constraint.expected))


def _column_count(constraint: Constraint) -> Expectation | None:
    lower, upper = constraint.lower, constraint.upper
    given = [bound for bound in (lower, upper) if bound is not None]
    if not given or not all(map(math.isfinite, given)):
        return None
    limits = {
        "min_value": None if lower is None else math.ceil(lower),
        "max_value": None if upper is None else math.floor(upper),
    }
    return {"type": "expect_table_column_count_to_be_between", "kwargs": limits}


_STANDARD: Mapping[str, Callable[[Constraint], Expectation | None]] = {
    "completeness": _completeness,
    "type_match": _type_match,
    "domain_share": _domain_share,
    "column_count": _column_count,
}
