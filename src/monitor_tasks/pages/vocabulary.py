"""How each metric is told: its name, its scale, what it counts, and the sentence that says what was seen."""

from collections.abc import Mapping
from math import exp
from string import Formatter
from typing import NamedTuple

from monitor_tasks.baseline import Constraint, Metric
from monitor_tasks.pages.numbers import NOTHING, Scale, in_unit, number, text


class Word(NamedTuple):
    """One metric's line."""

    what: str
    """Its name in the field's words."""
    seen: str = "{what} is {value}"
    """The sentence that tells it. In braces: value, n, what is wrong of them, what is expected, and any detail."""
    scale: Scale = "value"
    of: str = "rows"
    """What is counted in n."""

    @property
    def fields(self) -> frozenset[str]:
        """What stands in braces."""
        return frozenset(field for _, field, _, _ in Formatter().parse(self.seen) if field)


_SHARES = "the shares of its values have changed"

WORDS: Mapping[str, Word] = {
    "column_count": Word("number of columns", "the rows have {value} columns", "count"),
    "completeness": Word(
        "completeness", "{value} of the cells are filled; {wrong} of {n} cells are missing", "share", "cells"
    ),
    "type_match": Word(
        "type", "{value} of the cells are {expected}; {wrong} of {n} cells are not", "share", "cells"
    ),
    "domain_share": Word(
        "known values", "{value} of the cells have a value that the baseline knows; {wrong} of {n} cells do not",
        "share", "cells",
    ),
    "minimum": Word("smallest number", "the smallest number is {value}", of="numbers"),
    "maximum": Word("largest number", "the largest number is {value}", of="numbers"),
    "different_values": Word("different values", "it has {values}", "count", "cells"),
    "format_share": Word(
        "format", "{value} of the texts are written as {expected}; {wrong} of {n} texts are not", "share", "texts"
    ),
    "encoding_share": Word(
        "encoding", "{value} of the texts are sound; {wrong} of {n} texts have damaged characters", "share", "texts"
    ),
    "class_balance": Word(
        "class balance", "the class {class} has {share} of the rows, {share_baseline} in the baseline: "
        "{value} of its share is left", "share",
    ),
    "duplicate_rows": Word("repeated rows", "{value} of the rows repeat another", "share"),
    "correlation_shift": Word(
        "changed correlation",
        "its rank correlation with {column} was {reference} and is {correlation}: a change of {value}",
    ),
    "drift_linf": Word(
        "drift (L-infinity)", "its distribution lies {value} from the baseline's, as SageMaker measures it", of="cells"
    ),
    "drift_l_infinity": Word(
        "drift (L-infinity)", "its distribution differs by up to {value} from the baseline's", of="cells"
    ),
    "drift_ks": Word(
        "drift (Kolmogorov-Smirnov)", "its cumulative distribution differs by up to {value} from the baseline's",
        of="cells",
    ),
    "drift_psi": Word(
        "drift (population stability index)", f"{_SHARES}: population stability index {{value}}", of="cells"
    ),
    "drift_jensen_shannon": Word(
        "drift (Jensen-Shannon)", f"{_SHARES}: Jensen-Shannon distance {{value}}, where 1 is nothing in common",
        of="cells",
    ),
    "drift_kullback_leibler": Word(
        "drift (Kullback-Leibler)", f"{_SHARES}: Kullback-Leibler divergence {{value}} nats", of="cells"
    ),
    "drift_hellinger": Word(
        "drift (Hellinger)", f"{_SHARES}: Hellinger distance {{value}}, where 1 is nothing in common", of="cells"
    ),
    "drift_wasserstein": Word(
        "drift (earth mover)", "its numbers lie {value} standard deviations of the baseline from where they lay",
        of="cells",
    ),
    "drift_chi_square": Word(
        "drift (chi-square)", f"{_SHARES}; chance alone does that with probability {{value}}", "probability", "cells"
    ),
    "drift_cramers_v": Word("drift (Cramér's V)", f"{_SHARES}: Cramér's V {{value}}, where 1 is the most", of="cells"),
    "drift_mean_shift": Word(
        "shift of the mean", "its mean has moved {direction}: {value} standard deviations of the baseline", of="cells"
    ),
    "drift_variance_shift": Word(
        "shift of the variance", "its variance is {ratio} times the baseline's, in natural logarithms {value}",
        of="cells",
    ),
    "drift_mmd": Word(
        "drift of all columns (MMD)",
        "the rows as a whole have changed; chance alone does that with probability {value}", "probability",
    ),
    "drift_domain_classifier": Word(
        "drift of all columns (classifier)",
        "a classifier tells these rows from the baseline's: its area under the curve is {value}, where 0.5 is a guess "
        "and 1 always right",
    ),
    "shap": Word(
        "ranking of the features",
        "the ranking of the features agrees with the baseline's by {value} (nDCG; 1 is the same ranking)",
    ),
    "auc": Word("area under the curve (AUC)"),
    "f0_5": Word("F0.5 score"),
    "f1": Word("F1 score"),
    "f2": Word("F2 score"),
}  # fmt: skip
"""By the name of the metric."""
DESCRIBED = Word("", "{description} is {value}")
"""A metric of no line here that says itself what it is."""


def word(constraint: Constraint, metric: Metric | None) -> Word:
    """The metric's line; of one that has none, its name in words.

    >>> word(Constraint(check="lag_check", metric="drift_time_lag"), None).what
    'drift (time lag)'
    """
    name = constraint.metric
    if constraint.check == "expectation":
        return Word(text(name.replace("_", " ")), scale="share")
    if name in WORDS:
        return WORDS[name]
    plain = text(name.replace("_", " "))
    if metric is not None and "description" in metric.details:
        return DESCRIBED._replace(what=plain)
    return Word(f"drift ({plain.removeprefix('drift ')})" if name.startswith("drift_") else plain)


def seen(line: Word, value: str, constraint: Constraint, metric: Metric) -> str:
    """What was seen, as a sentence; `value` is shown as it is. A detail that is not there is a dash.

    >>> seen(
    ...     WORDS["completeness"],
    ...     "50 %",
    ...     Constraint(check="c", metric="completeness"),
    ...     Metric(name="completeness", value=0.5, n=1000),
    ... )
    '50 % of the cells are filled; 500 of 1,000 cells are missing'
    """
    known = {name: in_unit(x, "share") if name in _PARTS and not isinstance(x, str) else shown(x)
             for name, x in metric.details.items()}  # fmt: skip
    known |= {"what": line.what, "value": value, "n": f"{metric.n:,}"}
    known["values"] = "the same value in every cell" if metric.value == 1 else f"{value} different values"
    known["expected"] = text(" or ".join(constraint.expected) or "as expected").replace("_", " ")
    if metric.value is not None:
        known["wrong"] = f"{round((1 - metric.value) * metric.n):,}" if line.scale == "share" else NOTHING
        known["ratio"] = number(exp(metric.value)) if abs(metric.value) < _LARGEST else NOTHING
    return line.seen.format_map({name: known.get(name, NOTHING) for name in line.fields})


_PARTS = ("share", "share_baseline")
_LARGEST = 700
"""Of a larger number the exponential is no double."""


def shown(detail: float | int | str) -> str:
    """A detail of a metric: a number in few digits, a text with an end."""
    return text(detail, 240) if isinstance(detail, str) else number(detail)
