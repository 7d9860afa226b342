"""Every standard expectation over columns of every sort, asked of us and of plain GX on plain pandas."""

import json
import math
import warnings
from collections.abc import Collection, Mapping, Sequence
from functools import cache
from typing import Any, NamedTuple

import pandas as pd
import pyarrow as pa

from monitor_tasks.monitors.expectations import validate
from monitor_tasks.monitors.expectations.results import Result, canonical, failed_result, plain_result
from monitor_tasks.profiles.columns import TableProfile
from monitor_tasks.report import State

ROWS, MANY_NUMBERS, MANY_TEXTS = 200, 3_000, 66_000
NAMES = ("x", "y", "z")
WORDS = ["A-1", "B-22", "[7]", "{", "2026-01-31", "2026-02-30", "", "naïve", "a b", "A-1", "A-1", "x"]
DOCUMENTS = ['{"a": 1}', "[]", "[1, 2]", '"x"']
MIXED = ["7", "+7", "7.0", "x", "true", "1e3", "-2", "7"]


def _numbers(rows: int) -> list[int]:
    return [row * 7 % 10 for row in range(rows)]


def _words(rows: int) -> list[str]:
    return [WORDS[row * 5 % len(WORDS)] for row in range(rows)]


def _with_holes(cells: Sequence[Any]) -> list[Any]:
    return [None if place % 4 == 1 else cell for place, cell in enumerate(cells)]


def _not_finite(rows: int) -> list[float | None]:
    return [[1.5, float("nan"), float("inf"), None, 2.0][row % 5] for row in range(rows)]


class Sort(NamedTuple):
    """A sort of column, which stands in its table with two others of its kind."""

    numeric: bool
    """Whether it is asked what makes sense of numbers, or what makes sense of texts."""
    what: str
    cells: Sequence[Any]
    large: bool = False
    """Whether it is not asked what takes GX long on many cells."""


SORTS: Mapping[str, Sort] = {
    "numbers": Sort(True, f"{ROWS} whole numbers, ten different ones", _numbers(ROWS)),
    "with holes": Sort(True, "the same, every fourth cell missing", _with_holes(_numbers(ROWS))),
    "many": Sort(
        True, f"{MANY_NUMBERS:,} different fractional numbers, more than a profile knows one by one (1,024)",
        [1 + row / 7 for row in range(MANY_NUMBERS)],
    ),
    "not finite": Sort(True, "numbers with NaN, infinities and missing cells", _not_finite(ROWS)),
    "texts": Sort(False, f"{ROWS} texts, ten different ones: codes, dates, JSON, an empty one", _words(ROWS)),
    "texts with holes": Sort(False, "the same, every fourth cell missing", _with_holes(_words(ROWS))),
    "JSON": Sort(False, f"{ROWS} JSON texts, four different ones", [DOCUMENTS[row % 4] for row in range(ROWS)]),
    "many texts": Sort(
        False, f"{MANY_TEXTS:,} different JSON texts, more than a profile knows one by one (65,536)",
        [f'["id-{row}"]' for row in range(MANY_TEXTS)], large=True,
    ),
    "mixed": Sort(
        False, f"{ROWS} texts, most of which are numbers (`7`, `+7`, `7.0`)", [MIXED[row % 8] for row in range(ROWS)]
    ),
    "all missing": Sort(False, f"{ROWS} missing cells", [None] * ROWS),
}  # fmt: skip


class Asked(NamedTuple):
    """What an expectation is asked with, of numbers and of texts; None where it makes no sense of them."""

    numbers: Mapping[str, Any] | None
    texts: Mapping[str, Any] | None


def _both(**kwargs: Any) -> Asked:
    return Asked(kwargs, kwargs)


def _column(**kwargs: Any) -> Asked:
    return _both(column="x", **kwargs)


def _of_numbers(**kwargs: Any) -> Asked:
    return Asked({"column": "x", **kwargs}, None)


def _of_texts(**kwargs: Any) -> Asked:
    return Asked(None, {"column": "x", **kwargs})


def _by_kind(numbers: Any, texts: Any, name: str, **more: Any) -> Asked:
    return Asked({"column": "x", name: numbers, **more}, {"column": "x", name: texts, **more})


_SET = [0, 1, 2, 3, 1.5], ["A-1", "x", "7", "[]"]
_PARTITION = {"bins": [0, 2, 5, 10], "weights": [0.2, 0.3, 0.5]}
_LIST = _both(column_list=["x", "y", "z"])
EXPECTATIONS: Mapping[str, Asked] = {
    "expect_column_distinct_values_to_be_in_set": _by_kind(*_SET, "value_set"),
    "expect_column_distinct_values_to_contain_set": _by_kind([0, 1], ["A-1", "x"], "value_set"),
    "expect_column_distinct_values_to_equal_set": _by_kind(list(range(10)), sorted(set(WORDS)), "value_set"),
    "expect_column_kl_divergence_to_be_less_than": _of_numbers(partition_object=_PARTITION, threshold=0.1),
    "expect_column_max_to_be_between": _of_numbers(max_value=100),
    "expect_column_mean_to_be_between": _of_numbers(min_value=4, max_value=5),
    "expect_column_median_to_be_between": _of_numbers(min_value=4, max_value=5),
    "expect_column_min_to_be_between": _of_numbers(min_value=0, strict_min=True),
    "expect_column_most_common_value_to_be_in_set": _by_kind(*_SET, "value_set"),
    "expect_column_pair_values_a_to_be_greater_than_b": Asked({"column_A": "x", "column_B": "y"}, None),
    "expect_column_pair_values_to_be_equal": _both(column_A="x", column_B="y"),
    "expect_column_pair_values_to_be_in_set": Asked(
        {"column_A": "x", "column_B": "y", "value_pairs_set": [(0, 0), (7, 7)]},
        {"column_A": "x", "column_B": "y", "value_pairs_set": [("A-1", "A-1")]},
    ),
    "expect_column_proportion_of_non_null_values_to_be_between": _column(min_value=0.8),
    "expect_column_proportion_of_unique_values_to_be_between": _column(min_value=0.06),
    "expect_column_quantile_values_to_be_between": _of_numbers(
        quantile_ranges={"quantiles": [0.1, 0.5, 0.9], "value_ranges": [[0, 2], [4, 5], [7, 9]]}
    ),
    "expect_column_stdev_to_be_between": _of_numbers(max_value=3),
    "expect_column_sum_to_be_between": _of_numbers(min_value=900, max_value=900),
    "expect_column_to_exist": _column(),
    "expect_column_type_to_be": _by_kind("int64", "object", "type_"),
    "expect_column_unique_value_count_to_be_between": _column(max_value=9),
    "expect_column_value_lengths_to_be_between": _of_texts(min_value=1, max_value=4, mostly=0.7),
    "expect_column_value_lengths_to_equal": _of_texts(value=3),
    "expect_column_value_z_scores_to_be_less_than": _of_numbers(threshold=1.5, double_sided=True),
    "expect_column_values_to_be_between": _of_numbers(min_value=1, max_value=9, mostly=0.88),
    "expect_column_values_to_be_dateutil_parseable": _of_texts(mostly=0.2),
    "expect_column_values_to_be_decreasing": _of_numbers(mostly=0.3),
    "expect_column_values_to_be_in_set": _by_kind(*_SET, "value_set", mostly=0.35),
    "expect_column_values_to_be_in_type_list": _by_kind(["int64", "object"], ["str"], "type_list"),
    "expect_column_values_to_be_increasing": _of_numbers(strictly=True),
    "expect_column_values_to_be_json_parseable": _of_texts(mostly=0.5),
    "expect_column_values_to_be_null": _column(mostly=0.2),
    "expect_column_values_to_be_of_type": _by_kind("float64", "str", "type_"),
    "expect_column_values_to_be_unique": _column(mostly=0.5),
    "expect_column_values_to_match_json_schema": _of_texts(json_schema={"type": "array"}),
    "expect_column_values_to_match_like_pattern": _of_texts(like_pattern="A%"),
    "expect_column_values_to_match_like_pattern_list": _of_texts(like_pattern_list=["A%"]),
    "expect_column_values_to_match_regex": _of_texts(regex=r"^[A-Z]-\d+$", mostly=0.3),
    "expect_column_values_to_match_regex_list": _of_texts(regex_list=["^A", "^x", r"\d$"]),
    "expect_column_values_to_match_strftime_format": _of_texts(strftime_format="%Y-%m-%d"),
    "expect_column_values_to_not_be_in_set": _by_kind(*_SET, "value_set", mostly=0.65),
    "expect_column_values_to_not_be_null": _column(mostly=0.75),
    "expect_column_values_to_not_be_outliers": _of_numbers(method="iqr", multiplier=1.5),
    "expect_column_values_to_not_match_like_pattern": _of_texts(like_pattern="A%"),
    "expect_column_values_to_not_match_like_pattern_list": _of_texts(like_pattern_list=["A%"]),
    "expect_column_values_to_not_match_regex": _of_texts(regex="^A"),
    "expect_column_values_to_not_match_regex_list": _of_texts(regex_list=["^A", "^q"]),
    "expect_compound_columns_to_be_unique": _LIST,
    "expect_multicolumn_sum_to_equal": Asked({"column_list": ["x", "y", "z"], "sum_total": 10}, None),
    "expect_multicolumn_values_to_be_equal": _LIST,
    "expect_query_results_to_match_comparison": _both(
        base_query="SELECT 1", comparison_data_source_name="other", comparison_query="SELECT 1"
    ),
    "expect_select_column_values_to_be_unique_within_record": _LIST,
    "expect_table_column_count_to_be_between": _both(min_value=2, max_value=3),
    "expect_table_column_count_to_equal": _both(value=4),
    "expect_table_columns_to_match_ordered_list": _both(column_list=["x", "z", "y"]),
    "expect_table_columns_to_match_set": _both(column_set=["y", "z", "x"]),
    "expect_table_row_count_to_be_between": _both(min_value=201),
    "expect_table_row_count_to_equal": _both(value=ROWS),
    "expect_table_row_count_to_equal_other_table": _both(other_table_name="other"),
    "unexpected_rows_expectation": _both(unexpected_rows_query="SELECT * FROM {batch} WHERE x > 3"),
}
"""Every expectation that GX brings, by its type."""
SLOW = ("expect_column_values_to_match_json_schema", "expect_column_values_to_be_dateutil_parseable")
FIGURES = (
    *("element_count", "unexpected_count", "unexpected_percent", "unexpected_percent_total"),
    *("unexpected_percent_nonmissing", "missing_count", "missing_percent", "observed_value"),
)


class Answer(NamedTuple):
    """What one expectation says of one sort of column, by us and by plain GX."""

    kind: str
    ours: Result
    plain: Result
    because: str
    """Why the rows were asked; nothing where the profile answered."""

    @property
    def source(self) -> str:
        """What it was answered from."""
        if self.ours["exception_info"]["raised_exception"]:
            return "neither"
        return "rows" if self.because else "profile"

    @property
    def agree(self) -> bool:
        """Whether both say the same, or both raise an error."""
        ours, plain = (
            [one["exception_info"]["raised_exception"], one["success"], *map(one["result"].get, FIGURES)]
            for one in (self.ours, self.plain)
        )
        return _same(ours, plain)


def _same(one: Any, other: Any) -> bool:
    """Whether two figures are equal, but for a fraction's last digits: our sums are exact, those of pandas are not."""
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(_same, one, other))
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(_same(one[key], other[key]) for key in one)
    if isinstance(one, float) and isinstance(other, float):
        return math.isclose(one, other, rel_tol=1e-12, abs_tol=0)
    return bool(one == other)


def suite(sort: str) -> list[dict[str, Any]]:
    """All expectations that make sense of a sort of column."""
    asked = {kind: one.numbers if SORTS[sort].numeric else one.texts for kind, one in EXPECTATIONS.items()}
    return [
        {"type": kind, "kwargs": dict(kwargs)}
        for kind, kwargs in asked.items()
        if kwargs is not None and not (SORTS[sort].large and ("column" not in kwargs or kind in SLOW))
    ]


def columns(sort: str) -> dict[str, Sequence[Any]]:
    """The column under test, and two beside it."""
    cells = SORTS[sort].cells
    return dict(zip(NAMES, (cells, cells[::-1], [*cells[1:], cells[0]]), strict=True))


def frame(cells: Mapping[str, Sequence[Any]], numeric: Collection[str]) -> pd.DataFrame:
    """The cells as pandas holds them: numbers as it finds best, texts as Python's own."""
    dtypes = {name: None if name in numeric else object for name in cells}
    return pd.DataFrame({name: pd.Series(list(each), dtype=dtypes[name]) for name, each in cells.items()})


def plainly(suite: Sequence[Mapping[str, Any]], data: pd.DataFrame) -> list[Result]:
    """What plain GX says on a frame that pandas made, each expectation asked alone."""
    import great_expectations as gx

    context = gx.get_context(mode="ephemeral")
    context.variables.progress_bars = {"globally": False, "metric_calculations": False}
    asset = context.data_sources.add_pandas("plain").add_dataframe_asset("plain")
    batch = asset.add_batch_definition_whole_dataframe("plain").get_batch(batch_parameters={"dataframe": data})
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found = {number: _plain(batch, {**item, "meta": {"number": number}}) for number, item in enumerate(suite)}
    return results(canonical(expectations=found))


def _plain(batch: Any, item: dict[str, Any]) -> Result:
    from great_expectations.exceptions import GreatExpectationsError
    from great_expectations.expectations.expectation_configuration import ExpectationConfiguration

    shown = {"result_format": "BASIC", "partial_unexpected_count": 20}
    try:
        found = batch.validate(ExpectationConfiguration(**item).to_domain_obj(), result_format=shown)
    except (GreatExpectationsError, ValueError) as error:
        return failed_result(item, error)
    return plain_result(found.to_json_dict())


@cache
def answers(sort: str) -> Sequence[Answer]:
    """Both answers on every expectation that makes sense of a sort of column."""
    asked, cells, numeric = suite(sort), columns(sort), SORTS[sort].numeric
    rows = pa.table({name: pa.array(each, None if numeric else pa.string()) for name, each in cells.items()})
    profile = TableProfile.of(rows)
    reasons = [
        one.because if one.state is State.UNDECIDED else "" for one in validate(profile, (), asked, None).findings
    ]
    ours = results(validate(profile, (), asked, rows).results)
    plain = plainly(asked, frame(cells, NAMES if numeric else ()))
    kinds = [item["type"] for item in asked]
    return tuple(Answer(*each) for each in zip(kinds, ours, plain, reasons, strict=True))


def results(text: bytes) -> list[dict[str, Any]]:
    """The results on the user's suite, as they are stored."""
    found: list[dict[str, Any]] = json.loads(text)["expectations"]["results"]
    return found
