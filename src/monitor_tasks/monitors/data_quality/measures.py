"""The metrics of data quality, each read off the profile of a window."""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from functools import cached_property, partial
from math import hypot, sqrt
from typing import Any

from monitor_tasks.baseline import Constraint, Metric
from monitor_tasks.metrics.cells import (
    chance_of_no_text,
    class_balance,
    completeness,
    domain_share,
    type_match,
    unseen_share,
    variety,
)
from monitor_tasks.metrics.chance import REACH, share_deviation
from monitor_tasks.metrics.correlation import CorrelationShift, correlation_shift
from monitor_tasks.metrics.distance import l_infinity_of_bins, l_infinity_of_categories, robust
from monitor_tasks.metrics.drift import METHODS, NUMERIC, Pair, drift
from monitor_tasks.metrics.duplicates import duplicate_rows
from monitor_tasks.metrics.formats import SOUND, format_share
from monitor_tasks.metrics.multivariate import MULTIVARIATE
from monitor_tasks.profiles.columns import ColumnProfile, Edges, TableProfile

RARELY = 1e-6
"""A chance that no window is believed to have met."""


@dataclass(frozen=True)
class Sides:
    """A window and its reference."""

    window: TableProfile
    reference: TableProfile
    edges: Edges | None = None
    """Where the histograms are cut; None where nobody has that at hand."""

    @cached_property
    def shifts(self) -> Mapping[str, CorrelationShift | None]:
        """How each column's correlations have changed, where both sides know theirs."""
        mine, theirs = self.window.correlations, self.reference.correlations
        return correlation_shift(mine, theirs) if mine and theirs else {}


@dataclass(frozen=True)
class Compared:
    """The two sides as one constraint looks at them."""

    constraint: Constraint
    sides: Sides

    @property
    def window(self) -> TableProfile:
        """What is judged."""
        return self.sides.window

    @property
    def reference(self) -> TableProfile:
        """What it is compared with."""
        return self.sides.reference

    @cached_property
    def column(self) -> ColumnProfile:
        """The column that the constraint judges; of a column that is not there every cell is missing."""
        return self.window.columns.get(self.constraint.subject) or ColumnProfile(missing=self.window.rows)

    @cached_property
    def former(self) -> ColumnProfile | None:
        """The same column of the reference."""
        return self.reference.columns.get(self.constraint.subject)

    def metric(self, value: float | None, n: int, because: str, **more: Any) -> Metric:
        """The metric that the constraint judges; `because` is told where there is no value."""
        one = self.constraint
        why = because if value is None else ""
        return Metric(name=one.metric, subject=one.subject, value=value, n=n, because=why, **more)


def measured(compared: Compared) -> Metric:
    """The metric that the constraint judges.

    Raises:
        ValueError: data quality has no such metric.
    """
    measure = MEASURES.get(compared.constraint.metric)
    if measure is None:
        raise ValueError(f"data_quality measures no {compared.constraint.metric!r}; check the constraints file")
    return measure(compared)


def _column_count(one: Compared) -> Metric:
    return one.metric(len(one.window.columns), one.window.rows, "")


def _completeness(one: Compared) -> Metric:
    column, former = one.column, one.former
    n = column.present + column.missing
    return one.metric(
        completeness(column.present, column.missing), n, "there are no rows",
        deviation=former and share_deviation(column.present, n, former.present, former.present + former.missing),
    )  # fmt: skip


def _type_match(one: Compared) -> Metric:
    column, former, kind = one.column, one.former, one.constraint.expected[0]
    found = type_match(column.kinds, kind)
    known_texts = former.kinds if former is not None and former.inferred_type == "String" else {}
    if kind == "String" and found == 0.0 and known_texts and chance_of_no_text(known_texts, column.present) > RARELY:
        return one.metric(None, column.present, "in the reference numbers and texts mix; so few cells may lack a text")
    known = None if former is None else type_match(former.kinds, kind)
    deviation = 0.0 if found == 1.0 else None
    if former is not None and found is not None and known is not None:
        n, m = column.present, former.present
        deviation = share_deviation(round(found * n), n, known * m, m)
    return one.metric(found, column.present, "every cell is missing", deviation=deviation)


def _domain_share(one: Compared) -> Metric:
    values, former, n = one.column.values, one.former, one.column.present
    if values is None:
        return one.metric(None, n, "too many different values to know them all")
    found, deviation = domain_share(values, frozenset(one.constraint.expected)), None
    if former is not None and former.values is not None and found is not None:
        unseen = unseen_share(former.values)
        by_chance = share_deviation(round(found * n), n, former.present * (1 - unseen), former.present)
        deviation = None if by_chance is None else by_chance + unseen / REACH
    return one.metric(found, n, "every cell is missing", deviation=deviation)


def _minimum(one: Compared) -> Metric:
    return one.metric(one.column.minimum, one.column.finite, "there are no numbers")


def _maximum(one: Compared) -> Metric:
    return one.metric(one.column.maximum, one.column.finite, "there are no numbers")


def _different_values(one: Compared) -> Metric:
    present = one.column.present
    return one.metric(variety(one.column) if present else None, present, "every cell is missing")


def _sagemakers_distance(one: Compared) -> Metric:
    """L-infinity between a column and its reference: on bins for numbers, on categories for the rest."""
    column, former, n = one.column, one.former, one.column.present
    if former is None:
        return one.metric(None, n, _NOT_IN_BASELINE)
    if former.inferred_type in NUMERIC:
        if one.window.edges != one.reference.edges:
            return one.metric(None, n, _OTHER_EDGES)
        n, m, distance = column.finite, former.finite, l_infinity_of_bins(column.bins, former.bins)
    elif column.values is None or former.values is None:
        return one.metric(None, n, "too many different values to know them all")
    else:
        m, distance = former.present, l_infinity_of_categories(column.values, former.values)
    if distance is None:
        return one.metric(None, n, f"nothing to compare: {n} cells against {m}")
    value = robust(distance, n, m) if one.constraint.expected[:1] != ("Simple",) else distance
    return one.metric(value, n, "", details={"distance": distance, "n_baseline": m})


def _drift_by(method: str, one: Compared) -> Metric:
    """The drift between a column and its reference by a method of its own."""
    if one.former is None:
        return one.metric(None, one.column.present, _NOT_IN_BASELINE)
    cut = None if one.sides.edges is None else one.sides.edges.by_column.get(one.constraint.subject)
    pair = Pair(one.column, one.former, one.window.edges == one.reference.edges, cut)
    (n, m), least = pair.sizes, one.constraint.minimum_rows
    found = drift(method, pair)
    if found.value is not None and m < least:
        because = f"the baseline has too few cells to tell drift from chance: {m}, {least} needed"
        return one.metric(None, n, because, details=found.details)
    return one.metric(found.value, n, found.because, details=found.details)


def _format_share(one: Compared) -> Metric:
    return _of_texts(one, one.constraint.expected)


def _encoding_share(one: Compared) -> Metric:
    return _of_texts(one, SOUND)


def _of_texts(one: Compared, expected: Collection[str]) -> Metric:
    """The share of the texts that are written in one of these formats."""
    texts = one.column.kinds.get("String", 0)
    found = format_share(one.column.formats, expected, texts)
    known, m = None, 0
    if one.former is not None:
        m = one.former.kinds.get("String", 0)
        known = format_share(one.former.formats, expected, m)
    sure = None if found is None or known is None else share_deviation(round(found * texts), texts, known * m, m)
    because = "the formats are not known: it was counted by an earlier version" if texts else "there is no text"
    return one.metric(found, texts, because, deviation=sure)


def _class_balance(one: Compared) -> Metric:
    n, values = one.column.present, one.column.values
    known = None if one.former is None else one.former.values
    if values is None or known is None:
        return one.metric(None, n, "too many different values to know them all")
    found = class_balance(values, known)
    if found is None:
        return one.metric(None, n, "there is no cell to compare")
    m, least = sum(known.values()), known[found.name]
    sure = share_deviation(values.get(found.name, 0), n, least, m)
    details = {"class": found.name, "share": values.get(found.name, 0) / n, "share_baseline": least / m}
    return one.metric(found.ratio, n, "", deviation=None if sure is None else sure * m / least, details=details)


def _duplicate_rows(one: Compared) -> Metric:
    sample, known = one.window.sample, one.reference.sample
    if sample is None:
        return one.metric(None, one.window.rows, "no rows were sampled; set duplicate_rows_check")
    found, former = duplicate_rows(sample), None if known is None else duplicate_rows(known)
    if found is None:
        return one.metric(None, one.window.rows, "there are no rows")
    by_chance = sqrt(found.value * (1 - found.value) / one.window.rows)
    sure = hypot(found.deviation, former.deviation if former else 0.0, by_chance)
    return one.metric(found.value, one.window.rows, "", deviation=sure)


def _correlation_shift(one: Compared) -> Metric:
    if one.window.correlations is None or one.reference.correlations is None:
        return one.metric(None, one.column.finite, "correlations were not summed up; set drift.correlation")
    if one.window.edges != one.reference.edges:
        return one.metric(None, one.column.finite, _OTHER_EDGES)
    found = one.sides.shifts.get(one.constraint.subject)
    if found is None:
        return one.metric(None, one.column.finite, "no pair of columns varies in enough rows")
    details = found._asdict() | {"n_baseline": found.m}
    value, n = details.pop("value"), details.pop("n")
    del details["m"]
    return one.metric(value, n, "", details=details)


def _together(method: str, one: Compared) -> Metric:
    """The drift of all columns together, on the rows that were sampled."""
    if one.window.sample is None or one.reference.sample is None:
        return one.metric(None, one.window.rows, "no rows were sampled; name the method in drift.table")
    found = MULTIVARIATE[method](one.window.sample, one.reference.sample)
    details = dict(found.details)
    n, deviation = int(details.pop("n", one.window.rows)), details.pop("deviation", None)
    return one.metric(found.value, n, found.because, deviation=deviation, details=details)


_NOT_IN_BASELINE = "the baseline has no statistics of this column"
_OTHER_EDGES = "it is counted on other edges than the baseline"

MEASURES: Mapping[str, Callable[[Compared], Metric]] = {
    "column_count": _column_count,
    "completeness": _completeness,
    "type_match": _type_match,
    "domain_share": _domain_share,
    "minimum": _minimum,
    "maximum": _maximum,
    "different_values": _different_values,
    "drift_linf": _sagemakers_distance,
    "format_share": _format_share,
    "encoding_share": _encoding_share,
    "class_balance": _class_balance,
    "duplicate_rows": _duplicate_rows,
    "correlation_shift": _correlation_shift,
    **{f"drift_{method}": partial(_drift_by, method) for method in METHODS},
    **{f"drift_{method}": partial(_together, method) for method in MULTIVARIATE},
}
"""By the name of the metric that a constraint judges."""
