"""Data quality: column set, types, completeness, domains and drift of every column against the baseline."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

import pyarrow as pa

from monitor_tasks.baseline import Baseline, Constraint, Metric
from monitor_tasks.exhibit import Exhibit
from monitor_tasks.metrics.cells import completeness, different_values, domain_share, type_match
from monitor_tasks.metrics.distance import l_infinity_of_bins, l_infinity_of_categories, robust
from monitor_tasks.metrics.distributions import compared
from monitor_tasks.metrics.drift import Pair, drift, rows_needed
from monitor_tasks.metrics.significance import benjamini_hochberg
from monitor_tasks.monitors.settings import DataQualitySettings, NumericMethod
from monitor_tasks.profiles.columns import NUMBER_LIMIT, ColumnProfile, Edges, TableProfile, add_up

NUMERIC = ("Integral", "Fractional")
SIGNED = ("mean_shift", "variance_shift")
"""Methods whose number has a sign: it is bound on both sides."""
BY_P_VALUE = "chi_square"
"""The method whose number is its adjusted p-value: it is bound below."""
THRESHOLDS = {
    "ks": 0.1, "l_infinity": 0.1, "psi": 0.2, "jensen_shannon": 0.1, "kullback_leibler": 0.1, "hellinger": 0.1,
    "wasserstein": 0.1, "chi_square": 0.05, "cramers_v": 0.1, "mean_shift": 0.2, "variance_shift": 0.4,
}  # fmt: skip
"""The usual bound of each method, where the settings name none."""


class DataQuality(NamedTuple):
    """The data-quality monitor of one endpoint."""

    settings: DataQualitySettings

    @staticmethod
    def read_profile(text: bytes) -> TableProfile:
        """The profile that was stored."""
        return TableProfile.from_json(text)

    def profile(self, rows: pa.Table, edges: Edges | None) -> TableProfile:
        """What is remembered of the rows, counted on the baseline's edges."""
        return TableProfile.of(rows, edges)

    def profile_batches(self, batches: Iterable[pa.Table | pa.RecordBatch], edges: Edges | None) -> TableProfile:
        """What is remembered of all batches together, of which few are in memory at a time."""
        return TableProfile.of_batches(batches, edges)

    def suggest(self, profiles: Sequence[TableProfile]) -> list[Constraint]:
        """The constraints that the reference keeps, each with the value it was learned from."""
        whole = add_up(profiles)
        suggested = list(_columns_stay(len(whole.columns)))
        for name, column in whole.columns.items():
            rules = (
                *(self._type_stays, self._completeness_stays, self._domain_stays, _sign_stays, self._shape_stays),
                *(self._drift_stays, self._range_stays, self._variety_stays),
            )
            suggested += [constraint for rule in rules for constraint in rule(name, column)]
        fewest = self.settings.minimum_rows
        return [one.model_copy(update={"minimum_rows": max(fewest, one.minimum_rows)}) for one in suggested]

    def measure(self, profile: TableProfile, baseline: Baseline) -> list[Metric]:
        """The metrics that the baseline's constraints judge, read off the profile."""
        wanted = {(one.metric, one.subject): one for one in baseline.constraints}
        names = column_names(baseline.constraints)
        lost = bool(names) and not any(name in profile.columns for name in names)
        return _adjusted([_measure(one, profile, baseline, lost) for one in wanted.values()], baseline.constraints)

    def exhibits(self, profile: TableProfile, baseline: Baseline, edges: Edges) -> tuple[Exhibit, ...]:
        """Every column's distribution beside the baseline's, in the baseline's order; columns it has not come last."""
        known: TableProfile = baseline.profile or TableProfile()
        names = dict.fromkeys((*column_names(baseline.constraints), *known.columns, *profile.columns))
        return tuple(_beside(name, profile, known, edges) for name in names)

    def _type_stays(self, name: str, column: ColumnProfile) -> Iterator[Constraint]:
        kind = column.inferred_type
        found = type_match(column.kinds, kind)
        share = min(self.settings.datatype_check_threshold, 1.0 if found is None else found)
        reason = f"{column.kinds.get(kind, 0)} of {column.present} present cells of the reference are {kind}"
        yield Constraint(
            check="data_type_check", metric="type_match", subject=name, lower=share, cause="data", expected=(kind,),
            reason=reason,
        )  # fmt: skip

    def _completeness_stays(self, name: str, column: ColumnProfile) -> Iterator[Constraint]:
        share = completeness(column.present, column.missing)
        if share:
            reason = f"{column.missing} of {column.present + column.missing} cells of the reference are missing"
            yield Constraint(
                check="completeness_check", metric="completeness", subject=name, lower=share, cause="data",
                reason=reason,
            )  # fmt: skip

    def _domain_stays(self, name: str, column: ColumnProfile) -> Iterator[Constraint]:
        values = column.values
        if column.inferred_type == "String" and values and len(values) <= self.settings.domain_limit:
            domain = sorted(values, key=lambda value: (-values[value], value))
            reason = f"the reference has {len(domain)} categories"
            yield Constraint(
                check="categorical_values_check", metric="domain_share", subject=name, cause="data",
                lower=self.settings.domain_content_threshold, expected=tuple(domain), reason=reason,
            )  # fmt: skip

    def _shape_stays(self, name: str, column: ColumnProfile) -> Iterator[Constraint]:
        if column.inferred_type in NUMERIC or any(self._domain_stays(name, column)):
            method, threshold = self.settings.comparison_method, self.settings.comparison_threshold
            reason = f"SageMaker's {method} L-infinity distance; its usual bound is 0.1"
            yield Constraint(
                check="baseline_drift_check", metric="drift_linf", subject=name, upper=threshold, expected=(method,),
                reason=reason,
            )  # fmt: skip

    def _drift_stays(self, name: str, column: ColumnProfile) -> Iterator[Constraint]:
        """Named methods of drift, each a check of its own beside SageMaker's."""
        for method in self._methods(name, column):
            bound = self.settings.drift.thresholds.get(method, THRESHOLDS[method])
            lower = -bound if method in SIGNED else bound if method == BY_P_VALUE else None
            yield Constraint(
                check=f"{method}_drift_check", metric=f"drift_{method}", subject=name, lower=lower,
                upper=None if method == BY_P_VALUE else bound, minimum_rows=rows_needed(method, bound, column),
                reason=f"drift by {method} is asked for; its usual bound is {THRESHOLDS[method]}",
            )  # fmt: skip

    def _methods(self, name: str, column: ColumnProfile) -> tuple[NumericMethod, ...]:
        """The methods that the settings name for the column."""
        asked = self.settings.drift
        if name in asked.columns:
            return asked.columns[name]
        if column.inferred_type in NUMERIC:
            return asked.numeric
        few = column.values is not None and 0 < len(column.values) <= self.settings.domain_limit
        return asked.categorical if few else ()

    def _range_stays(self, name: str, column: ColumnProfile) -> Iterator[Constraint]:
        if self.settings.range_check and column.inferred_type in NUMERIC and column.finite:
            low, high = column.minimum, column.maximum
            reason = f"the numbers of the reference lie between {low} and {high}"
            for metric, bounds in (("minimum", {"lower": low}), ("maximum", {"upper": high})):
                yield Constraint(
                    check="range_check", metric=metric, subject=name, cause="data", reason=reason, **bounds
                )

    def _variety_stays(self, name: str, column: ColumnProfile) -> Iterator[Constraint]:
        if self.settings.constant_check and (count := _variety(column)) > 1:
            known = "at least " if count > NUMBER_LIMIT else ""
            yield Constraint(
                check="constant_check", metric="different_values", subject=name, lower=2, cause="data",
                reason=f"the reference has {known}{count} different values",
            )  # fmt: skip


def _variety(column: ColumnProfile) -> int:
    """How many different values a column has; where they are not all known, how many at least."""
    count = different_values(column.texts, column.numbers, column.not_finite)
    return NUMBER_LIMIT + 1 if count is None else count


def _beside(name: str, profile: TableProfile, known: TableProfile, edges: Edges) -> Exhibit:
    """One column beside the baseline's; a histogram only where both are counted on the same edges."""
    column, reference = profile.columns.get(name), known.columns.get(name)
    cut = edges.by_column.get(name) if profile.edges == known.edges else None
    found = compared(name, column or ColumnProfile(missing=profile.rows), reference, cut)
    if column is None and profile.rows:
        return found.model_copy(update={"note": "this window has no such column"})
    if reference is None and known.columns:
        return found.model_copy(update={"note": f"the baseline has no such column; {found.note}".removesuffix("; ")})
    return found


def column_names(constraints: Sequence[Constraint]) -> tuple[str, ...]:
    """The columns that the constraints know, in the order of the reference."""
    return tuple(dict.fromkeys(one.subject for one in constraints if one.check == "data_type_check"))


def align(rows: pa.Table, constraints: Sequence[Constraint]) -> tuple[pa.Table, str]:
    """The rows with the baseline's column names, and what was done: captured CSV cells have no names of their own.

    Columns are matched by name; where no name is shared and there are equally many, by position.
    """
    names = column_names(constraints)
    if not names or set(names) & set(rows.column_names):
        return rows, ""
    if len(names) == rows.num_columns:
        return rows.rename_columns(list(names)), "columns were matched to the baseline by position"
    hint = ""
    if rows.num_columns == len(names) - 1:
        hint = (
            f"; if the table holds inputs only, the first column is what is missing: {names[0]!r} (outputs come first)"
        )
    return rows, f"{rows.num_columns} columns cannot be matched by position to the baseline's {len(names)}{hint}"


def _columns_stay(count: int) -> Iterator[Constraint]:
    reason = f"the reference has {count} columns"
    for check, bounds in (("missing_column_check", {"lower": count}), ("extra_column_check", {"upper": count})):
        yield Constraint(check=check, metric="column_count", cause="data", reason=reason, **bounds)


def _sign_stays(name: str, column: ColumnProfile) -> Iterator[Constraint]:
    """SageMaker writes the sign of a column and never judges it; a user may enable the check."""
    if column.minimum is not None and column.inferred_type in NUMERIC:
        reason = f"the smallest value of the reference is {column.minimum}"
        yield Constraint(
            check="non_negative_check", metric="minimum", subject=name, cause="data", enabled=False,
            lower=0.0 if column.minimum >= 0 else None, reason=reason,
        )  # fmt: skip


def _measure(constraint: Constraint, profile: TableProfile, baseline: Baseline, lost: bool) -> Metric:
    """The metric that one constraint judges."""
    name, metric = constraint.subject, constraint.metric
    column = profile.columns.get(name, ColumnProfile(missing=profile.rows))
    if metric == "column_count":
        return Metric(name=metric, value=len(profile.columns), n=profile.rows)
    if lost:
        because = "the columns cannot be matched: no name is shared and there are not equally many"
        return Metric(name=metric, subject=name, value=None, n=profile.rows, because=because)
    if metric == "drift_linf":
        return _drift(profile, baseline.profile, constraint)
    if (method := metric.removeprefix("drift_")) in THRESHOLDS and method != metric:
        return _drift_by(method, profile, baseline, constraint)
    if metric == "domain_share":
        return _domain_share(name, column, constraint)
    if metric not in _SIMPLE:
        raise ValueError(f"data_quality measures no {metric!r}; check the constraints file")
    value, n, because = _SIMPLE[metric](column, constraint)
    return Metric(name=metric, subject=name, value=value, n=n, because=because)


_SIMPLE: Mapping[str, Callable[[ColumnProfile, Constraint], tuple[float | None, int, str]]] = {
    "completeness": lambda column, _: (
        *(completeness(column.present, column.missing), column.present + column.missing, "there are no rows"),
    ),
    "type_match": lambda column, one: (
        *(type_match(column.kinds, one.expected[0]), column.present, "every cell is missing"),
    ),
    "minimum": lambda column, _: (column.minimum, column.finite, "there are no numbers"),
    "maximum": lambda column, _: (column.maximum, column.finite, "there are no numbers"),
    "different_values": lambda column, _: (
        *(_variety(column) if column.present else None, column.present, "every cell is missing"),
    ),
}
"""What is read off one column alone: value, cells, and why there would be none."""


def _domain_share(name: str, column: ColumnProfile, constraint: Constraint) -> Metric:
    values = column.values
    known = values is not None
    return Metric(
        name="domain_share", subject=name, n=column.present,
        value=domain_share(values, frozenset(constraint.expected)) if values is not None else None,
        because="every cell is missing" if known else "too many different values to know them all",
    )  # fmt: skip


def _drift(profile: TableProfile, known: TableProfile, constraint: Constraint) -> Metric:
    """The distance between a column and its reference: on bins for numbers, on categories for the rest."""
    name = constraint.subject
    column, reference = profile.columns.get(name, ColumnProfile(missing=profile.rows)), known.columns.get(name)
    unknown = Metric(name="drift_linf", subject=name, value=None, n=column.present)
    if reference is None:
        return unknown.model_copy(update={"because": "the baseline has no statistics of this column"})
    if reference.inferred_type in NUMERIC:
        if profile.edges != known.edges:
            return unknown.model_copy(update={"because": "it is counted on other edges than the baseline"})
        n, m, distance = column.finite, reference.finite, l_infinity_of_bins(column.bins, reference.bins)
    elif column.values is None or reference.values is None:
        return unknown.model_copy(update={"because": "too many different values to know them all"})
    else:
        n, m = column.present, reference.present
        distance = l_infinity_of_categories(column.values, reference.values)
    if distance is None:
        return unknown.model_copy(update={"n": n, "because": f"nothing to compare: {n} cells against {m}"})
    value = robust(distance, n, m) if constraint.expected[:1] != ("Simple",) else distance
    details = {"distance": distance, "n_baseline": m}
    return unknown.model_copy(update={"value": value, "n": n, "details": details})


def _drift_by(method: str, profile: TableProfile, baseline: Baseline, constraint: Constraint) -> Metric:
    """The drift between a column and its reference by a method of its own."""
    name, metric, known = constraint.subject, constraint.metric, baseline.profile or TableProfile()
    column, reference = profile.columns.get(name, ColumnProfile(missing=profile.rows)), known.columns.get(name)
    if reference is None:
        because = "the baseline has no statistics of this column"
        return Metric(name=metric, subject=name, value=None, n=column.present, because=because)
    edges = None if baseline.edges is None else baseline.edges.by_column.get(name)
    pair = Pair(column, reference, profile.edges == known.edges, edges)
    found = drift(method, pair)
    if found.value is not None and pair.sizes[1] < (least := constraint.minimum_rows):
        because = f"the baseline has too few cells to tell drift from chance: {pair.sizes[1]}, {least} needed"
        found = found._replace(value=None, because=because)
    return Metric(name=metric, subject=name, n=pair.sizes[0], **found._asdict())


def _adjusted(metrics: Sequence[Metric], constraints: Sequence[Constraint]) -> list[Metric]:
    """The metrics, with the p-values of all columns that are judged adjusted together."""
    judged = {(one.metric, one.subject) for one in constraints if one.enabled}
    tested = {
        place: float(one.details["p_value"])
        for place, one in enumerate(metrics)
        if one.value is not None and "p_value" in one.details and (one.name, one.subject) in judged
    }
    adjusted = dict(zip(tested, benjamini_hochberg(list(tested.values())), strict=True))
    return [_with_p_value(one, adjusted.get(place)) for place, one in enumerate(metrics)]


def _with_p_value(metric: Metric, adjusted: float | None) -> Metric:
    if adjusted is None:
        return metric
    changes: dict[str, object] = {"details": {**metric.details, "p_adjusted": adjusted}}
    return metric.model_copy(update=changes | ({"value": adjusted} if metric.name == f"drift_{BY_P_VALUE}" else {}))
