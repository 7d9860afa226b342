"""A table, constraints on it, and suites for it, sorted by whether its profile knows the answer."""

from typing import Any

import pyarrow as pa

from monitor_tasks.baseline import Constraint, Metric
from monitor_tasks.metrics.cells import completeness, domain_share, type_match
from monitor_tasks.monitors.expectations import validate
from monitor_tasks.profiles.columns import ColumnProfile, TableProfile
from monitor_tasks.report import Finding, judge

CELLS: dict[str, list[Any]] = {
    "age": [31, 45, None, 45, 60, 18],
    "visits": [1, 2, 2, 3, 3, 3],
    "weight": [60.5, 72.25, 80.0, None, 99.5, 60.5],
    "plan": ["basic", "gold", "basic", None, "basic", "Gold"],
    "code": ["A-1", "A-2", "B-1", "A-1", "x", "A-2"],
    "day": ["2026-01-01", "2026-02-30", "2026-03-01", None, "soon", "2026-01-01"],
    "note": ['{"a": 1}', "[]", "{", None, "[7]", "{}"],
    "mixed": ["1", "2.5", "true", "text", "7", None],
}
TABLE = pa.table(CELLS)
PROFILE = TableProfile.of(TABLE)


def expect(kind: str, **kwargs: Any) -> dict[str, Any]:
    return {"type": kind, "kwargs": kwargs}


def constraint(metric: str, subject: str = "", **more: Any) -> Constraint:
    return Constraint(check=f"{metric}_check", metric=metric, subject=subject, **more)


def measure(constraint: Constraint, profile: TableProfile) -> Metric:
    column = profile.columns.get(constraint.subject, ColumnProfile(missing=profile.rows))
    value: float | None = {
        "completeness": lambda: completeness(column.present, column.missing),
        "type_match": lambda: type_match(column.kinds, constraint.expected[0]),
        "domain_share": lambda: domain_share(column.values or {}, constraint.expected),
        "column_count": lambda: float(len(profile.columns)),
    }.get(constraint.metric, lambda: 0.2)()
    return Metric(name=constraint.metric, subject=constraint.subject, value=value, n=profile.rows)


def judged(profile: TableProfile, *constraints: Constraint) -> tuple[Finding, ...]:
    return tuple(finding for one in constraints for finding in judge([measure(one, profile)], [one]))


def asked(*suite: dict[str, Any], rows: pa.Table | None = TABLE, table: pa.Table = TABLE) -> tuple[Finding, ...]:
    return validate(TableProfile.of(table), (), {"name": "mine", "expectations": list(suite)}, rows).findings


FROM_PROFILE = [
    expect("expect_column_values_to_not_be_null", column="age", mostly=0.8),
    expect("expect_column_values_to_be_null", column="plan"),
    expect("expect_column_values_to_be_in_set", column="plan", value_set=["basic", "gold"], mostly=0.8),
    expect("expect_column_values_to_be_in_set", column="visits", value_set=[2, 3]),
    expect("expect_column_values_to_not_be_in_set", column="age", value_set=[45]),
    expect("expect_column_values_to_be_between", column="age", min_value=20, max_value=50, mostly=0.6),
    expect("expect_column_values_to_be_between", column="weight", min_value=61),
    expect("expect_column_values_to_match_regex", column="code", regex=r"^[A-Z]-\d$", mostly=0.8),
    expect("expect_column_values_to_not_match_regex", column="code", regex="^B"),
    expect("expect_column_values_to_match_regex", column="visits", regex="^[12]$"),
    expect("expect_column_values_to_match_regex_list", column="code", regex_list=["^A", "^x"]),
    expect("expect_column_values_to_not_match_regex_list", column="code", regex_list=["^B", "^x"]),
    expect("expect_column_value_lengths_to_equal", column="code", value=3),
    expect("expect_column_value_lengths_to_be_between", column="plan", min_value=5),
    expect("expect_column_values_to_match_strftime_format", column="day", strftime_format="%Y-%m-%d"),
    expect("expect_column_values_to_be_dateutil_parseable", column="day"),
    expect("expect_column_values_to_be_json_parseable", column="note"),
    expect("expect_column_values_to_be_of_type", column="code", type_="str"),
    expect("expect_column_values_to_be_in_type_list", column="visits", type_list=["int64"]),
    expect("expect_column_min_to_be_between", column="age", min_value=20),
    expect("expect_column_max_to_be_between", column="weight", max_value=99.5),
    expect("expect_column_mean_to_be_between", column="weight", min_value=74.55, max_value=74.56),
    expect("expect_column_sum_to_be_between", column="visits", min_value=14, max_value=14),
    expect("expect_column_distinct_values_to_be_in_set", column="plan", value_set=["basic", "gold"]),
    expect("expect_column_distinct_values_to_equal_set", column="visits", value_set=[1, 2, 3]),
    expect("expect_column_distinct_values_to_contain_set", column="code", value_set=["A-1"]),
    expect("expect_column_unique_value_count_to_be_between", column="plan", max_value=3),
    expect("expect_column_proportion_of_unique_values_to_be_between", column="plan", max_value=0.5),
    expect("expect_column_proportion_of_non_null_values_to_be_between", column="plan", min_value=0.8),
    expect("expect_table_row_count_to_equal", value=6),
    expect("expect_table_row_count_to_be_between", min_value=7),
    expect("expect_table_column_count_to_equal", value=8),
    expect("expect_table_columns_to_match_set", column_set=["age"], exact_match=False),
    expect("expect_column_to_exist", column="plan"),
    expect("expect_column_to_exist", column="lost"),
]


FROM_ROWS = [
    expect("expect_column_values_to_be_unique", column="code"),
    expect("expect_column_values_to_be_increasing", column="visits"),
    expect("expect_column_median_to_be_between", column="age", min_value=40, max_value=50),
    expect("expect_column_stdev_to_be_between", column="age", max_value=10),
    expect("expect_column_value_z_scores_to_be_less_than", column="age", threshold=1, double_sided=True),
    expect("expect_column_most_common_value_to_be_in_set", column="plan", value_set=["basic"]),
    expect("expect_column_quantile_values_to_be_between", column="weight",
           quantile_ranges={"quantiles": [0.5], "value_ranges": [[60, 70]]}),
    expect("expect_column_pair_values_a_to_be_greater_than_b", column_A="age", column_B="visits"),
    expect("expect_compound_columns_to_be_unique", column_list=["plan", "code"]),
    expect("expect_column_values_to_be_in_set", column="plan", value_set=["basic"], row_condition="visits > 1",
           condition_parser="pandas"),
    expect("expect_column_values_to_match_regex", column="mixed", regex=r"^\d(\.\d)?$"),
    expect("expect_table_columns_to_match_ordered_list", column_list=list(CELLS)),
    expect("expect_column_to_exist", column="visits", column_index=1),
]  # fmt: skip


def everything(table: pa.Table) -> bytes:
    findings = judged(PROFILE, constraint("completeness", "age", lower=0.5), constraint("drift_linf", "age", upper=0.1))
    return validate(PROFILE, findings, FROM_PROFILE + FROM_ROWS, table).results
