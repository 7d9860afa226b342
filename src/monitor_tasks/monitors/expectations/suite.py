"""The user's suite: its expectations one by one, each tried for its type and arguments before anything is asked."""

from collections.abc import Mapping, Sequence
from typing import Any

from monitor_tasks.monitors.expectations.engine import expectation_object, library
from monitor_tasks.monitors.expectations.results import Expectation
from monitor_tasks.profiles.columns import TableProfile
from monitor_tasks.value import UserError

Suite = Mapping[str, Any] | Sequence[Mapping[str, Any]]

_OURS_TO_CHOOSE = ("result_format", "catch_exceptions", "batch_id")


def user_expectations(suite: Suite | None, profile: TableProfile) -> dict[int, Expectation]:
    """The suite's expectations by their index.

    Raises:
        UserError: the suite has no list of expectations, or one of them is of no known type or has unfit arguments.
    """
    if suite is None:
        return {}
    given = suite.get("expectations") if isinstance(suite, Mapping) else suite
    if not isinstance(given, Sequence) or isinstance(given, str):
        raise UserError('the suite has no list "expectations"; expected [{"type": ..., "kwargs": {...}}, ...] under it')
    return {number: _as_cells(_tried(number, _read(number, item)), profile) for number, item in enumerate(given)}


def _read(number: int, item: Any) -> Expectation:
    known = item if isinstance(item, Mapping) else {}
    kind, kwargs = known.get("type") or known.get("expectation_type"), known.get("kwargs", {})
    if not isinstance(kind, str) or not isinstance(kwargs, Mapping):
        raise UserError(f'expectation {number} of the suite is not {{"type": ..., "kwargs": {{...}}}}: {item!r}')
    chosen = {key: value for key, value in kwargs.items() if key not in _OURS_TO_CHOOSE}
    return {"type": kind, "kwargs": chosen, "meta": {"number": number}}


def _tried(number: int, expectation: Expectation) -> Expectation:
    gx, name = library(), f"expectation {number} of the suite, {expectation['type']}"
    try:
        parameters = expectation_object(expectation).suite_parameter_options
    except (gx.exceptions.GreatExpectationsError, ValueError, TypeError) as error:
        raise UserError(f"{name}: {' '.join(str(error).split())}; mend its type or its kwargs") from error
    if parameters:
        raise UserError(f"{name}: parameters are not supported: {parameters}")
    return expectation


def _as_cells(expectation: Expectation, profile: TableProfile) -> Expectation:
    """Truth values are cells of text here, whatever the file called them."""
    kwargs = expectation["kwargs"]
    column = profile.columns.get(str(kwargs.get("column")))
    if "value_set" not in kwargs or column is None or column.inferred_type != "Boolean":
        return expectation
    cells = [str(value).lower() if isinstance(value, bool) else value for value in kwargs["value_set"] or ()]
    return expectation | {"kwargs": kwargs | {"value_set": cells}}


def lacking_column(expectation: Expectation, profile: TableProfile) -> str:
    """The column that the expectation asks about and the table does not have, as a sentence."""
    if expectation["type"].startswith("expect_table_") or expectation["type"] == "expect_column_to_exist":
        return ""
    kwargs = expectation["kwargs"]
    named = [kwargs.get("column"), kwargs.get("column_A"), kwargs.get("column_B"), *(kwargs.get("column_list") or ())]
    missing = [name for name in named if name is not None and name not in profile.columns]
    return f"column {missing[0]!r} is not in the table" if missing else ""


def beyond_metrics(expectation: Expectation, profile: TableProfile) -> str:
    """Why the expectation needs rows although its metrics do not show it: order of columns, NaN that pandas drops."""
    kwargs = expectation["kwargs"]
    if expectation["type"] == "expect_table_columns_to_match_ordered_list" or kwargs.get("column_index") is not None:
        return "a profile knows no order of columns"
    column = profile.columns.get(kwargs.get("column", ""))
    if column is not None and column.not_finite:
        return f"column {kwargs['column']!r} holds {column.not_finite} numbers that are not finite"
    return ""
