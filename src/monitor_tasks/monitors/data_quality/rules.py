"""The rules by which a reference suggests constraints, each named by a sentence."""

from collections.abc import Callable, Iterator, Mapping

from monitor_tasks.baseline import Constraint
from monitor_tasks.metrics.cells import completeness, type_match, variety
from monitor_tasks.metrics.chance import REACH
from monitor_tasks.metrics.drift import NUMERIC, rows_needed
from monitor_tasks.metrics.duplicates import duplicate_rows
from monitor_tasks.metrics.formats import DAMAGED, SOUND, format_share
from monitor_tasks.monitors.settings import DataQualitySettings, NumericMethod
from monitor_tasks.profiles.columns import NUMBER_LIMIT, ColumnProfile, TableProfile
from monitor_tasks.profiles.formats import TEXT

SIGNED = ("mean_shift", "variance_shift")
"""Methods whose number has a sign: it is bound on both sides."""
BY_P_VALUE = ("chi_square", "mmd")
"""Methods whose number is an adjusted p-value: it is bound below."""
THRESHOLDS = {
    "ks": 0.1, "l_infinity": 0.1, "psi": 0.2, "jensen_shannon": 0.1, "kullback_leibler": 0.1, "hellinger": 0.1,
    "wasserstein": 0.1, "chi_square": 0.05, "cramers_v": 0.1, "mean_shift": 0.2, "variance_shift": 0.4,
    "correlation": 0.2, "mmd": 0.01, "domain_classifier": 0.55,
}  # fmt: skip
"""The usual bound of each method, where the settings name none."""
MARGIN = float(REACH)
"""How many deviations of its metric a bound gives way under ``rule: interval``."""
COMMON = 0.01
"""Share of a column's texts that must be written in a format for it to be one of the column's."""

Suggested = Iterator[Constraint]
ColumnRule = Callable[[str, ColumnProfile, DataQualitySettings], Suggested]
TableRule = Callable[[TableProfile, DataQualitySettings], Suggested]


def suggested(reference: TableProfile, settings: DataQualitySettings, all_enabled: bool = False) -> Suggested:
    """The constraints of a reference, those of the whole table first; each says by which rule it is there."""
    for sentence, on_table in TABLE_RULES.items():
        for one in on_table(reference, settings):
            yield _finished(one, one.subject, sentence, settings, all_enabled)
    for name, column in reference.columns.items():
        for sentence, on_column in COLUMN_RULES.items():
            for one in on_column(name, column, settings):
                yield _finished(one, name, sentence, settings, all_enabled)


def _finished(
    constraint: Constraint, subject: str, sentence: str, settings: DataQualitySettings, all_enabled: bool
) -> Constraint:
    known = {
        "subject": subject, "rule": sentence, "enabled": constraint.enabled or all_enabled,
        "minimum_rows": max(settings.minimum_rows, constraint.minimum_rows),
    }  # fmt: skip
    return constraint.model_copy(update=known)


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


def _formats_stay(_: str, column: ColumnProfile, settings: DataQualitySettings) -> Suggested:
    texts = column.kinds.get("String", 0)
    usual = tuple(name for name, count in column.formats.items() if count >= COMMON * texts and name not in DAMAGED)
    share = format_share(column.formats, usual, texts)
    if share and TEXT not in usual:
        yield Constraint(
            check="format_check", metric="format_share", cause="data", lower=share, expected=usual,
            margin=_by_share(settings), enabled=settings.format_check,
            reason=f"{share:.2%} of {texts} texts of the reference are written as {' or '.join(usual)}",
        )  # fmt: skip


def _encoding_stays(_: str, column: ColumnProfile, settings: DataQualitySettings) -> Suggested:
    texts = column.kinds.get("String", 0)
    if share := format_share(column.formats, SOUND, texts):
        damaged = sum(column.formats.get(name, 0) for name in DAMAGED)
        yield Constraint(
            check="encoding_check", metric="encoding_share", cause="data", lower=share, margin=_by_share(settings),
            enabled=settings.encoding_check,
            reason=f"{damaged} of {texts} texts of the reference have damaged characters",
        )  # fmt: skip


def _balance_stays(name: str, column: ColumnProfile, settings: DataQualitySettings) -> Suggested:
    classes = column.values
    if name in settings.class_balance and classes and 1 < len(classes) <= settings.domain_limit:
        rarest = min(sorted(classes), key=lambda one: classes[one])
        yield Constraint(
            check="class_balance_check", metric="class_balance", lower=settings.class_balance_threshold,
            margin=_by_share(settings),
            reason=f"the rarest of {len(classes)} classes, {rarest!r}, has {classes[rarest]} of {column.present} rows",
        )  # fmt: skip


def _rows_stay_different(reference: TableProfile, settings: DataQualitySettings) -> Suggested:
    if reference.sample is not None and (found := duplicate_rows(reference.sample)):
        yield Constraint(
            check="duplicate_rows_check", metric="duplicate_rows", cause="data", enabled=settings.duplicate_rows_check,
            upper=found.value + settings.duplicate_rows_threshold, margin=_by_share(settings),
            reason=f"{found.value:.2%} of the reference's rows repeat another",
        )  # fmt: skip


def _table_stays(reference: TableProfile, settings: DataQualitySettings) -> Suggested:
    """Methods of drift for all columns together."""
    for method in settings.drift.table if reference.sample is not None else ():
        bound = settings.drift.thresholds.get(method, THRESHOLDS[method])
        by_p_value = method in BY_P_VALUE
        yield Constraint(
            check=f"{method}_drift_check", metric=f"drift_{method}", lower=bound if by_p_value else None,
            upper=None if by_p_value else bound, margin=0.0 if by_p_value else MARGIN,
            reason=f"drift by {method} is asked for; its usual bound is {THRESHOLDS[method]}",
        )  # fmt: skip


def _correlations_stay(reference: TableProfile, settings: DataQualitySettings) -> Suggested:
    known = reference.correlations.columns if settings.drift.correlation and reference.correlations else ()
    bound = settings.drift.thresholds.get("correlation", THRESHOLDS["correlation"])
    for name in known if len(known) > 1 else ():
        yield Constraint(
            check="correlation_drift_check", metric="correlation_shift", subject=name, upper=bound,
            reason=f"changed correlations are asked for; their usual bound is {THRESHOLDS['correlation']}",
        )  # fmt: skip


TABLE_RULES: Mapping[str, TableRule] = {
    "The table keeps its columns": _columns_stay,
    "Rows repeat as seldom as they did": _rows_stay_different,
    "All columns together keep their distribution": _table_stays,
    "Numbers go on rising and falling together": _correlations_stay,
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
    "Texts are written as they were": _formats_stay,
    "Texts have no damaged characters": _encoding_stays,
    "No class grows much rarer": _balance_stays,
}
