"""The rules by which a reference suggests constraints, each named by a sentence."""

from collections.abc import Callable, Iterator, Mapping

from monitor_tasks.baseline import Constraint
from monitor_tasks.metrics.cells import completeness, type_match, variety
from monitor_tasks.metrics.drift import NUMERIC, rows_needed
from monitor_tasks.monitors.settings import DataQualitySettings, NumericMethod
from monitor_tasks.profiles.columns import NUMBER_LIMIT, ColumnProfile, TableProfile

SIGNED = ("mean_shift", "variance_shift")
"""Methods whose number has a sign: it is bound on both sides."""
BY_P_VALUE = ("chi_square",)
"""Methods whose number is an adjusted p-value: it is bound below."""
THRESHOLDS = {
    "ks": 0.1, "l_infinity": 0.1, "psi": 0.2, "jensen_shannon": 0.1, "kullback_leibler": 0.1, "hellinger": 0.1,
    "wasserstein": 0.1, "chi_square": 0.05, "cramers_v": 0.1, "mean_shift": 0.2, "variance_shift": 0.4,
}  # fmt: skip
"""The usual bound of each method, where the settings name none."""
MARGIN = 3.0
"""How many deviations of its metric a bound gives way under ``rule: interval``."""

Suggested = Iterator[Constraint]
ColumnRule = Callable[[str, ColumnProfile, DataQualitySettings], Suggested]
TableRule = Callable[[TableProfile, DataQualitySettings], Suggested]


def suggested(reference: TableProfile, settings: DataQualitySettings) -> Suggested:
    """The constraints of a reference, those of the whole table first; each says by which rule it is there."""
    for sentence, on_table in TABLE_RULES.items():
        for one in on_table(reference, settings):
            yield _finished(one, sentence, settings)
    for name, column in reference.columns.items():
        for sentence, on_column in COLUMN_RULES.items():
            for one in on_column(name, column, settings):
                yield _finished(one.model_copy(update={"subject": name}), sentence, settings)


def _finished(constraint: Constraint, sentence: str, settings: DataQualitySettings) -> Constraint:
    fewest = max(settings.minimum_rows, constraint.minimum_rows)
    return constraint.model_copy(update={"rule": sentence, "minimum_rows": fewest})


def _by_share(settings: DataQualitySettings) -> float:
    """How far a share's bound gives way to chance."""
    return MARGIN if settings.rule == "interval" else 0.0


def _columns_stay(reference: TableProfile, _: DataQualitySettings) -> Suggested:
    count = len(reference.columns)
    reason = f"the reference has {count} columns"
    for check, bounds in (("missing_column_check", {"lower": count}), ("extra_column_check", {"upper": count})):
        yield Constraint(check=check, metric="column_count", cause="data", reason=reason, **bounds)


def _type_stays(_: str, column: ColumnProfile, settings: DataQualitySettings) -> Suggested:
    kind = column.inferred_type
    found = type_match(column.kinds, kind)
    yield Constraint(
        check="data_type_check", metric="type_match", cause="data", expected=(kind,), margin=_by_share(settings),
        lower=min(settings.datatype_check_threshold, 1.0 if found is None else found),
        reason=f"{column.kinds.get(kind, 0)} of {column.present} present cells of the reference are {kind}",
    )  # fmt: skip


def _completeness_stays(_: str, column: ColumnProfile, settings: DataQualitySettings) -> Suggested:
    if share := completeness(column.present, column.missing):
        reason = f"{column.missing} of {column.present + column.missing} cells of the reference are missing"
        yield Constraint(
            check="completeness_check", metric="completeness", cause="data", lower=share, margin=_by_share(settings),
            reason=reason,
        )  # fmt: skip


def _domain_stays(_: str, column: ColumnProfile, settings: DataQualitySettings) -> Suggested:
    if domain := _domain(column, settings):
        yield Constraint(
            check="categorical_values_check", metric="domain_share", cause="data", expected=domain,
            lower=settings.domain_content_threshold, margin=_by_share(settings),
            reason=f"the reference has {len(domain)} categories",
        )  # fmt: skip


def _domain(column: ColumnProfile, settings: DataQualitySettings) -> tuple[str, ...]:
    """The categories of a text column, the commonest first; none where there are too many."""
    values = column.values
    if column.inferred_type != "String" or not values or len(values) > settings.domain_limit:
        return ()
    return tuple(sorted(values, key=lambda value: (-values[value], value)))


def _sign_stays(_: str, column: ColumnProfile, __: DataQualitySettings) -> Suggested:
    """SageMaker writes the sign of a column and never judges it; a user may enable the check."""
    if column.minimum is not None and column.inferred_type in NUMERIC:
        reason = f"the smallest value of the reference is {column.minimum}"
        yield Constraint(
            check="non_negative_check", metric="minimum", cause="data", enabled=False,
            lower=0.0 if column.minimum >= 0 else None, reason=reason,
        )  # fmt: skip


def _shape_stays(_: str, column: ColumnProfile, settings: DataQualitySettings) -> Suggested:
    if column.inferred_type in NUMERIC or _domain(column, settings):
        method, threshold = settings.comparison_method, settings.comparison_threshold
        reason = f"SageMaker's {method} L-infinity distance; its usual bound is 0.1"
        yield Constraint(
            check="baseline_drift_check", metric="drift_linf", upper=threshold, expected=(method,), reason=reason
        )


def _drift_stays(name: str, column: ColumnProfile, settings: DataQualitySettings) -> Suggested:
    """Named methods of drift, each a check of its own beside SageMaker's."""
    for method in _methods(name, column, settings):
        bound = settings.drift.thresholds.get(method, THRESHOLDS[method])
        by_p_value = method in BY_P_VALUE
        yield Constraint(
            check=f"{method}_drift_check", metric=f"drift_{method}", upper=None if by_p_value else bound,
            lower=-bound if method in SIGNED else bound if by_p_value else None,
            minimum_rows=rows_needed(method, bound, column),
            reason=f"drift by {method} is asked for; its usual bound is {THRESHOLDS[method]}",
        )  # fmt: skip


def _methods(name: str, column: ColumnProfile, settings: DataQualitySettings) -> tuple[NumericMethod, ...]:
    """The methods that the settings name for the column."""
    asked = settings.drift
    if name in asked.columns:
        return asked.columns[name]
    if column.inferred_type in NUMERIC:
        return asked.numeric
    few = column.values is not None and 0 < len(column.values) <= settings.domain_limit
    return asked.categorical if few else ()


def _range_stays(_: str, column: ColumnProfile, settings: DataQualitySettings) -> Suggested:
    if column.inferred_type in NUMERIC and column.finite:
        low, high = column.minimum, column.maximum
        reason = f"the numbers of the reference lie between {low} and {high}"
        for metric, bounds in (("minimum", {"lower": low}), ("maximum", {"upper": high})):
            yield Constraint(
                check="range_check", metric=metric, cause="data", reason=reason, enabled=settings.range_check, **bounds
            )


def _variety_stays(_: str, column: ColumnProfile, settings: DataQualitySettings) -> Suggested:
    if (count := variety(column)) > 1:
        known = "at least " if count > NUMBER_LIMIT else ""
        yield Constraint(
            check="constant_check", metric="different_values", lower=2, cause="data", enabled=settings.constant_check,
            reason=f"the reference has {known}{count} different values",
        )  # fmt: skip


TABLE_RULES: Mapping[str, TableRule] = {
    "The table keeps its columns": _columns_stay,
}
COLUMN_RULES: Mapping[str, ColumnRule] = {
    "A column keeps its type": _type_stays,
    "A column is as complete as it was": _completeness_stays,
    "A column of few texts has no new ones": _domain_stays,
    "Numbers that were never negative stay so": _sign_stays,
    "A column keeps its distribution, as SageMaker measures it": _shape_stays,
    "A column keeps its distribution, by the methods that were asked for": _drift_stays,
    "Numbers stay between the smallest and the largest": _range_stays,
    "A column that varied goes on varying": _variety_stays,
}
