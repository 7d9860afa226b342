"""Constraints and the user's suite as Great Expectations over a profile; the only room that knows the library.

    findings --compile--> suite --.
                                   >-- engine that answers from the profile --> verdicts --> findings
    user's suite -----------------'                     | NeedsRows
                                                        '--> plain pandas pass over the rows

One expectation is answered wholly from the profile or wholly from one set of rows, never both: the engine raises for
what it cannot answer exactly. The hook is not public API of GX; it is tried on 1.24.
"""

import json
import logging
import math
import os
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from fractions import Fraction
from functools import cache
from typing import TYPE_CHECKING, Any, ClassVar, Literal, NamedTuple

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from monitor_tasks.baseline import Constraint, Metric
from monitor_tasks.profiles.cells import BOOLEAN, FRACTIONAL, INTEGRAL, Cells, as_text, inferred_type
from monitor_tasks.profiles.columns import ColumnProfile, TableProfile
from monitor_tasks.report import Finding, State
from monitor_tasks.value import UserError

if TYPE_CHECKING:
    import pandas as pd

Suite = Mapping[str, Any] | Sequence[Mapping[str, Any]]
Expectation = dict[str, Any]
Result = Mapping[str, Any]
Results = Mapping[int, Result]

_REGEXES = {"Integral": INTEGRAL, "Fractional": FRACTIONAL, "Boolean": BOOLEAN}
_SPECIMENS = {"Integral": "0", "Fractional": "0.5", "Boolean": "true", "String": "text"}
_NUMBERS = ("Integral", "Fractional")
_EXACT_INTEGERS = 2.0**53
_SHOWN = 20
_NEEDS = "needs the rows"
_OURS_TO_CHOOSE = ("result_format", "catch_exceptions", "batch_id")


class Validation(NamedTuple):
    """What Great Expectations found: findings with its verdicts, and its results as canonical JSON."""

    findings: tuple[Finding, ...]
    """The given findings with GX's verdict, in their order, then one for every expectation of the user's suite."""
    results: bytes
    """GX's validation results without times and ids: the same input gives the same bytes."""


class NeedsRows(Exception):
    """The profile cannot answer exactly; the message says why."""


def validate(
    profile: TableProfile, findings: Sequence[Finding], user_suite: Suite | None, rows: pa.Table | None
) -> Validation:
    """Great Expectations' verdict on every decided finding, and on every expectation of the user's suite.

    `user_suite` is GX's suite JSON, or only its list of expectations; `rows` are asked for what the profile cannot say.

    Raises:
        UserError: an expectation of the user's suite is of no known type, or its arguments do not fit.
    """
    asked = _user_expectations(user_suite, profile)
    decided = {n: finding for n, finding in enumerate(findings) if finding.state in (State.KEPT, State.BROKEN)}
    metrics = [finding.metric for finding in decided.values() if finding.metric]
    measured = {(metric.name, metric.subject): metric.value for metric in metrics}
    compiled = {n: _compile(finding.constraint) | _meta(n, finding) for n, finding in decided.items()}
    judged = _run(compiled, _Known(profile, measured, as_text=True))
    answers, reasons = _answer_user(profile, asked, rows)
    return Validation(
        tuple(_verdict(finding, judged.get(n)) for n, finding in enumerate(findings))
        + tuple(_user_finding(item, answers.get(n), reasons.get(n), profile.rows) for n, item in asked.items()),
        _canonical({"constraints": _in_order(judged), "expectations": _in_order(answers)}),
    )


def _meta(number: int, finding: Finding) -> Expectation:
    return {"meta": {"number": number, "constraint": finding.constraint.key}}


def _in_order(results: Results) -> list[Result]:
    return [results[number] for number in sorted(results)]


# Constraints as expectations


def _compile(constraint: Constraint) -> Expectation:
    """The expectation that says what the constraint says: a standard one where there is one, else on the metric."""
    standard = _STANDARD.get(constraint.metric)
    return (standard(constraint) if standard else None) or {
        "type": "expect_metric_to_be_between",
        "kwargs": {
            "metric": constraint.metric,
            "subject": constraint.subject,
            "min_value": constraint.lower,
            "max_value": constraint.upper,
        },
    }


def _is_share(constraint: Constraint) -> bool:
    """Whether the bounds are one that GX's `mostly` can say."""
    return constraint.upper is None and constraint.lower is not None and 0 <= constraint.lower <= 1


def _on_column(constraint: Constraint, kind: str, **more: Any) -> Expectation | None:
    if not _is_share(constraint):
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
    bounds = (constraint.lower, constraint.upper)
    if bounds == (None, None) or not all(bound is None or math.isfinite(bound) for bound in bounds):
        return None
    lower, upper = bounds
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


def _verdict(finding: Finding, result: Result | None) -> Finding:
    """The finding with GX's word: a verdict that differs from the constraint's own is a failure, never a choice."""
    if result is None:
        return finding
    if exception := _exception(result):
        return finding.model_copy(update={"state": State.FAILED, "because": exception})
    state = State.KEPT if result["success"] else State.BROKEN
    if state is finding.state:
        return finding
    because = (
        f"Great Expectations and the constraint disagree: {result['expectation_config']['type']} says {state}, "
        f"the constraint says {finding.state}"
    )
    return finding.model_copy(update={"state": State.FAILED, "because": because})


# The user's suite


def _user_expectations(suite: Suite | None, profile: TableProfile) -> dict[int, Expectation]:
    """The suite's expectations by their index, each tried for its type and arguments."""
    if suite is None:
        return {}
    given = suite.get("expectations") if isinstance(suite, Mapping) else suite
    if not isinstance(given, Sequence) or isinstance(given, str):
        raise UserError('the suite has no list "expectations"; expected [{"type": ..., "kwargs": {...}}, ...] under it')
    return {number: _user_expectation(number, item, profile) for number, item in enumerate(given)}


def _user_expectation(number: int, item: Any, profile: TableProfile) -> Expectation:
    kind = (item.get("type") or item.get("expectation_type")) if isinstance(item, Mapping) else None
    kwargs = item.get("kwargs", {}) if isinstance(item, Mapping) else None
    if not isinstance(kind, str) or not isinstance(kwargs, Mapping):
        raise UserError(f'expectation {number} of the suite is not {{"type": ..., "kwargs": {{...}}}}: {item!r}')
    chosen = {key: value for key, value in kwargs.items() if key not in _OURS_TO_CHOOSE}
    expectation = {"type": kind, "kwargs": chosen, "meta": {"number": number}}
    gx = _library()
    try:
        parameters = _expectation(expectation).suite_parameter_options
    except (gx.exceptions.GreatExpectationsError, ValueError, TypeError) as error:
        said = " ".join(str(error).split())
        raise UserError(f"expectation {number} of the suite, {kind}: {said}; mend its type or its kwargs") from error
    if parameters:
        raise UserError(f"expectation {number} of the suite, {kind}: parameters are not supported: {parameters}")
    column = profile.columns.get(str(chosen.get("column")))
    if "value_set" in chosen and column is not None and column.inferred_type == "Boolean":
        chosen["value_set"] = [_truth_as_text(value) for value in chosen["value_set"] or ()]
    return expectation


def _truth_as_text(value: Any) -> Any:
    """Truth values are cells of text here, whatever the file called them."""
    return str(value).lower() if isinstance(value, bool) else value


def _answer_user(
    profile: TableProfile, asked: Mapping[int, Expectation], rows: pa.Table | None
) -> tuple[Results, dict[int, tuple[State, str]]]:
    """GX's results by expectation, first from the profile and then from the rows; and why the others have none."""
    if not profile.rows:
        return {}, dict.fromkeys(asked, (State.UNDECIDED, "not enough data: 0 rows"))
    lacking = {n: (State.FAILED, lack) for n, item in asked.items() if (lack := _lacking(item, profile))}
    possible = {n: item for n, item in asked.items() if n not in lacking}
    needy = {n: f"{_NEEDS}: {why}" for n, item in possible.items() if (why := _beyond_metrics(item, profile))}
    first = _run({n: item for n, item in possible.items() if n not in needy}, _Known(profile))
    needy |= {n: why for n, result in first.items() if _NEEDS in (why := _exception(result))}
    answered = {n: result for n, result in first.items() if n not in needy}
    if rows is None:
        return answered, lacking | {n: (State.UNDECIDED, why) for n, why in needy.items()}
    return answered | _run({n: possible[n] for n in needy}, rows), lacking


def _lacking(expectation: Expectation, profile: TableProfile) -> str:
    """The column that the expectation asks about and the table does not have, as a sentence."""
    if expectation["type"].startswith("expect_table_") or expectation["type"] == "expect_column_to_exist":
        return ""
    kwargs = expectation["kwargs"]
    named = [kwargs.get("column"), kwargs.get("column_A"), kwargs.get("column_B"), *(kwargs.get("column_list") or ())]
    missing = [name for name in named if name is not None and name not in profile.columns]
    return f"column {missing[0]!r} is not in the table" if missing else ""


def _beyond_metrics(expectation: Expectation, profile: TableProfile) -> str:
    """Why the expectation needs rows although its metrics do not show it: order of columns, NaN that pandas drops."""
    kwargs = expectation["kwargs"]
    if expectation["type"] == "expect_table_columns_to_match_ordered_list" or kwargs.get("column_index") is not None:
        return "a profile knows no order of columns"
    column = profile.columns.get(kwargs.get("column", ""))
    if column is not None and column.not_finite:
        return f"column {kwargs['column']!r} holds {column.not_finite} numbers that are not finite"
    return ""


def _user_finding(
    expectation: Expectation, result: Result | None, reason: tuple[State, str] | None, rows: int
) -> Finding:
    kind, subject = expectation["type"], expectation["kwargs"].get("column") or ""
    constraint = Constraint(check="expectation", metric=kind, subject=subject, cause="data", reason="the user's suite")
    if result is None or (exception := _exception(result)):
        state, because = reason or (State.FAILED, exception if result else "Great Expectations gave no result")
        return Finding(constraint=constraint, metric=None, state=state, because=because)
    value, n, because = _measured(result, rows)
    metric = Metric(name=kind, subject=subject, value=value, n=n)
    if result["success"]:
        return Finding(constraint=constraint, metric=metric, state=State.KEPT)
    return Finding(constraint=constraint, metric=metric, state=State.BROKEN, because=because)


def _measured(result: Result, rows: int) -> tuple[float, int, str]:
    """Success ratio, cells or rows it rests on, and what to say if it broke."""
    known = result["result"]
    if known.get("unexpected_count") is None or "element_count" not in known:
        observed = known.get("observed_value")
        return float(result["success"]), rows, "" if observed is None else f"observed {observed}"
    n = known["element_count"]
    considered = n - known.get("missing_count", 0)
    value = (considered - known["unexpected_count"]) / considered if considered else 1.0
    return value, n, f"{known['unexpected_count']} of {considered} are unexpected"


# Great Expectations


@cache
def _library() -> Any:
    """The library, loaded once: no telemetry, and no warning for what a finding says anyway."""
    os.environ["GX_ANALYTICS_ENABLED"] = "false"
    import great_expectations as gx

    logging.getLogger("great_expectations.validator").setLevel(logging.CRITICAL)
    _define_metric_expectation()
    _define_profile_source()
    return gx


@contextmanager
def _quiet() -> Iterator[None]:
    """Warnings that the library and pandas give each other are nothing that our user could mend."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


@_quiet()
def _expectation(item: Expectation) -> Any:
    from great_expectations.expectations.expectation_configuration import ExpectationConfiguration

    return ExpectationConfiguration(**item).to_domain_obj()


def _run(asked: Mapping[int, Expectation], source: "_Known | pa.Table") -> dict[int, Result]:
    """GX's result for every expectation, all answered from one source."""
    return _validated(asked, _batch(_library(), source)) if asked else {}


@_quiet()
def _validated(asked: Mapping[int, Expectation], batch: Any) -> dict[int, Result]:
    """GX's results on a batch; an expectation that would break the whole run is found by running each alone."""
    gx = _library()
    suite = gx.ExpectationSuite(name="data", expectations=[_expectation(item) for item in asked.values()])
    shown = {"result_format": "BASIC", "partial_unexpected_count": _SHOWN}
    broken = (gx.exceptions.GreatExpectationsError, ArithmeticError, AttributeError, LookupError, TypeError, ValueError)
    try:
        results = [
            _plain_result(result.to_json_dict()) for result in batch.validate(suite, result_format=shown).results
        ]
    except broken as error:
        if len(asked) > 1:
            return {number: _validated({number: item}, batch)[number] for number, item in asked.items()}
        return {number: _failed(item, error) for number, item in asked.items()}
    return {result["expectation_config"]["meta"]["number"]: result for result in results}


def _batch(gx: Any, source: "_Known | pa.Table") -> Any:
    """The rows as a batch of pandas, or an empty frame that carries the profile."""
    import pandas as pd
    from great_expectations.data_context.types.base import DataContextConfig, InMemoryStoreBackendDefaults

    # Without a config of its own every context leaves a directory for a docs site in the temporary folder.
    config = DataContextConfig(
        store_backend_defaults=InMemoryStoreBackendDefaults(init_temp_docs_sites=False),
        progress_bars={"globally": False, "metric_calculations": False},
        analytics_enabled=False,
    )
    context = gx.get_context(mode="ephemeral", project_config=config)
    if isinstance(source, _Known):
        frame, over = pd.DataFrame(), context.data_sources.add_profile("data")
        frame.attrs["known"] = source
    else:
        frame, over = _frame(source), context.data_sources.add_pandas("data")
    whole = over.add_dataframe_asset("data").add_batch_definition_whole_dataframe("data")
    return whole.get_batch(batch_parameters={"dataframe": frame})


def _failed(item: Expectation, error: Exception) -> Result:
    info = _exception_info(str(error) or type(error).__name__)
    return {"expectation_config": item, "success": False, "result": {}, "exception_info": info}


def _exception_info(message: str) -> dict[str, Any]:
    return {"raised_exception": bool(message), "exception_message": message or None}


def _plain_result(result: dict[str, Any]) -> Result:
    """A validation result without ids, tracebacks and times."""
    config = result["expectation_config"]
    kwargs = {key: value for key, value in config["kwargs"].items() if key != "batch_id"}
    return {
        "expectation_config": {"type": config["type"], "kwargs": kwargs, "meta": config["meta"]},
        "success": result["success"],
        "result": result["result"],
        "exception_info": _exception_info(_message(result["exception_info"])),
    }


def _message(info: Mapping[str, Any]) -> str:
    """The messages of an exception, or of the exceptions by metric."""
    if "exception_message" in info:
        return (info["exception_message"] or "unnamed exception") if info["raised_exception"] else ""
    return "; ".join(sorted({each["exception_message"] for each in info.values()}))


def _exception(result: Result) -> str:
    return result["exception_info"]["exception_message"] or ""


def _canonical(results: Any) -> bytes:
    return json.dumps(_finite(results), indent=2, sort_keys=True, default=_plain).encode()


def _plain(value: Any) -> Any:
    """A number of numpy as Python's own, anything else as text."""
    return value.item() if isinstance(value, np.generic) else str(value)


def _finite(value: Any) -> Any:
    """JSON knows no infinities and no NaN: they become text."""
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    if isinstance(value, dict):
        return {key: _finite(each) for key, each in value.items()}
    return [_finite(each) for each in value] if isinstance(value, list | tuple) else value


@cache
def _define_metric_expectation() -> None:
    """Register `expect_metric_to_be_between`: bounds on a metric that was measured before."""
    from great_expectations.execution_engine import PandasExecutionEngine
    from great_expectations.expectations.expectation import BatchExpectation
    from great_expectations.expectations.metrics.metric_provider import metric_value
    from great_expectations.expectations.metrics.table_metric_provider import TableMetricProvider

    class MeasuredMetric(TableMetricProvider):  # type: ignore[misc]
        metric_name = _MEASURED
        value_keys = ("metric", "subject")

        @metric_value(engine=PandasExecutionEngine)  # type: ignore[untyped-decorator]
        def _pandas(*_: Any, **__: Any) -> float:
            raise NeedsRows("a measured metric is known to a profile only")

    class ExpectMetricToBeBetween(BatchExpectation):  # type: ignore[misc]
        """Expect a metric that was measured before to lie between two optional bounds."""

        metric: str
        subject: str = ""
        min_value: float | None = None
        max_value: float | None = None
        metric_dependencies: ClassVar[tuple[str, ...]] = (_MEASURED,)
        success_keys: ClassVar[tuple[str, ...]] = ("metric", "subject", "min_value", "max_value")

        def _validate(self, metrics: dict[str, Any], **more: Any) -> Any:
            return self._validate_metric_value_between(metric_name=_MEASURED, metrics=metrics, **more)


@cache
def _define_profile_source() -> None:
    """Register the datasource `profile`, whose engine asks the profile instead of a frame."""
    from great_expectations.datasource.fluent import PandasDatasource
    from great_expectations.exceptions import MetricResolutionError
    from great_expectations.execution_engine import PandasExecutionEngine

    class ProfileEngine(PandasExecutionEngine):  # type: ignore[misc]
        records: Any = None

        def get_domain_records(self, domain_kwargs: Any) -> Any:  # noqa: ARG002
            return self.records

        def resolve_metrics(
            self, metrics_to_resolve: Any, metrics: Any = None, runtime_configuration: Any = None
        ) -> Any:
            metrics, resolved, failure = {} if metrics is None else metrics, {}, None
            for metric in metrics_to_resolve:
                try:
                    resolved[metric.id] = self._resolve(metric, metrics, runtime_configuration)
                except NeedsRows as error:
                    failure = MetricResolutionError(message=f"{_NEEDS}: {error}", failed_metrics=(metric,))
                except MetricResolutionError as error:
                    failure = error
            if failure is not None:
                # GX forgets the metrics that were resolved beside a failed one; they are kept for its next try.
                metrics.update(resolved)
                raise failure
            return resolved

        def _resolve(self, metric: Any, metrics: Any, runtime_configuration: Any) -> Any:
            inputs = {name: metrics.get(needed.id) for name, needed in metric.metric_dependencies.items()}

            def compute(records: Any) -> Any:
                self.records = records
                return super(ProfileEngine, self).resolve_metrics([metric], metrics, runtime_configuration)[metric.id]

            known = self.batch_manager.active_batch_data.dataframe.attrs["known"]
            return _answer(metric, known, inputs, compute)

    class ProfileDatasource(PandasDatasource):  # type: ignore[misc]
        type: Literal["profile"] = "profile"
        execution_engine_override: ClassVar[Any] = ProfileEngine


# Answers from the profile


@dataclass(frozen=True)
class _Known:
    """What the engine may answer from; it travels in the attributes of an empty frame."""

    profile: TableProfile
    measured: Mapping[tuple[str, str], float | None] = field(default_factory=dict)
    as_text: bool = False
    """Whether cells are compared as the profile's text, as constraints do, or as the rows' own numbers."""

    def __deepcopy__(self, memo: Any) -> "_Known":
        return self

    def measure(self, metric: str, subject: str) -> float | None:
        """The value of a metric that was measured before."""
        if (metric, subject) not in self.measured:
            raise NeedsRows(f"{metric} of {subject or 'the table'} was not measured")
        return self.measured[metric, subject]

    def column(self, name: Any) -> ColumnProfile:
        """The column's profile; a column that the table lacks is missing in all its rows."""
        return self.profile.columns.get(name) or ColumnProfile(missing=self.profile.rows)

    def cells(self, metric: Any) -> tuple["pd.Series[Any]", NDArray[np.int64]]:
        """The different cells of the metric's column, a missing one included, and how often each occurs."""
        name = metric.metric_domain_kwargs["column"]
        column = self.column(name)
        counts, dtype = column.values, "object" if self.as_text else _dtype_of(column)
        if self.as_text and metric.metric_name.startswith(_TYPE_MATCH):
            counts = {_SPECIMENS[kind]: count for kind, count in column.kinds.items()}
        if counts is None:
            raise NeedsRows(f"column {name!r} has too many different values to know them all")
        if not self.as_text and dtype == "object" and column.numbers:
            raise NeedsRows(f"column {name!r} holds numbers whose text a profile does not keep")
        cells = sorted(counts.items())
        if column.missing:
            cells.append((None, column.missing))  # type: ignore[arg-type]
        return _series([cell for cell, _ in cells], dtype), np.array([count for _, count in cells], np.int64)


def _answer(metric: Any, known: _Known, inputs: Mapping[str, Any], compute: Callable[[Any], Any]) -> Any:
    """The metric's value; GX's own function computes it on the different cells where that gives the same.

    Raises:
        NeedsRows: the profile cannot give exactly what the rows would give.
    """
    name, domain = metric.metric_name, metric.metric_domain_kwargs
    if beyond := sorted(key for key, value in domain.items() if value and key not in _OF_DOMAIN):
        raise NeedsRows(f"a profile knows no {', '.join(beyond)}")
    if name == _MEASURED:
        return known.measure(metric.metric_value_kwargs["metric"], metric.metric_value_kwargs["subject"])
    if name in _OF_TABLE:
        return _OF_TABLE[name](known.profile)
    if name in _OF_METRICS:
        return compute(None)
    return _answer_column(metric, known, inputs, compute)


def _answer_column(metric: Any, known: _Known, inputs: Mapping[str, Any], compute: Callable[[Any], Any]) -> Any:
    name, domain = metric.metric_name, metric.metric_domain_kwargs
    base, _, part = name.rpartition(".")
    if name in _OF_COLUMN:
        return _OF_COLUMN[name](_numeric(known, domain["column"]))
    if name == "column.non_null_count":
        return known.column(domain["column"]).present
    if base in ("column_values.nonnull", "column_values.null"):
        return _of_missing(known.column(domain["column"]), base, part)
    if name in _OF_DISTINCT or (base in _PER_VALUE and part in ("condition", "map")):
        return compute(known.cells(metric)[0].to_frame(domain["column"]))
    if base in _PER_VALUE and part in ("unexpected_count", "unexpected_values"):
        return _unexpected(part, known, metric, inputs["unexpected_condition"][0])
    raise NeedsRows(f"{name} is not known to a profile")


def _unexpected(part: str, known: _Known, metric: Any, condition: Any) -> Any:
    """How many cells are unexpected, or the first of them in their order."""
    cells, counts = known.cells(metric)
    mask, present = np.asarray(condition, dtype=bool), cells.notna().to_numpy()
    cells, counts = cells[present][mask], counts[present][mask]
    if part == "unexpected_count":
        return int(counts.sum())
    if known.as_text and metric.metric_name.startswith(_TYPE_MATCH):
        return []
    shown = cells[:_SHOWN].repeat(np.minimum(counts[:_SHOWN], _SHOWN))
    return shown[:_SHOWN].tolist()


def _of_missing(column: ColumnProfile, base: str, part: str) -> Any:
    if part == "unexpected_count":
        return column.missing if base == "column_values.nonnull" else column.present
    if part in ("condition", "unexpected_values"):
        return []
    raise NeedsRows(f"{base}.{part} is not known to a profile")


def _numeric(known: _Known, name: str) -> ColumnProfile:
    column = known.column(name)
    if column.inferred_type not in _NUMBERS or _dtype_of(column) == "object":
        raise NeedsRows(f"column {name!r} is not one of exactly known numbers")
    return column


def _whole(column: ColumnProfile, value: float | Fraction) -> float:
    return int(value) if column.inferred_type == "Integral" else float(value)


def _column_types(profile: TableProfile) -> list[dict[str, Any]]:
    import pandas as pd

    types = {name: pd.api.types.pandas_dtype(_dtype_of(column)) for name, column in profile.columns.items()}
    return [{"name": name, "type": dtype} for name, dtype in types.items()]


_MEASURED = "monitor_tasks.measured"
_TYPE_MATCH = "column_values.match_regex."
_OF_DOMAIN = {"batch_id", "column", "condition_parser"}
_OF_TABLE: Mapping[str, Callable[[TableProfile], Any]] = {
    "table.row_count": lambda profile: profile.rows,
    "table.columns": lambda profile: list(profile.columns),
    "table.column_types": _column_types,
}
_OF_COLUMN: Mapping[str, Callable[[ColumnProfile], Any]] = {
    "column.min": lambda column: _whole(column, column.minimum or 0.0),
    "column.max": lambda column: _whole(column, column.maximum or 0.0),
    "column.sum": lambda column: _whole(column, column.total.fraction()),
    "column.mean": lambda column: float(column.total.fraction() / column.finite),
}
_OF_METRICS = {"table.column_count", "column.unique_proportion", "column.non_null_proportion"}
_OF_DISTINCT = {
    "column.distinct_values",
    "column.distinct_values.count",
    "column.distinct_values.not_in_set",
    "column.distinct_values.not_in_set.count",
    "column.distinct_values.missing_from_column",
    "column.distinct_values.missing_from_column.count",
}
_PER_VALUE = {
    f"column_values.{kind}"
    for kind in [
        *("in_set", "not_in_set", "between", "of_type", "in_type_list"),
        *("value_length", "value_length.equals", "value_length.between"),
        *("match_regex", "not_match_regex", "match_regex_list", "not_match_regex_list"),
        *("match_strftime_format", "dateutil_parseable", "json_parseable", "match_json_schema"),
    ]
}


# Rows as pandas sees them


def _dtype(kind: str, missing: int, largest: float) -> str:
    """How pandas holds a column: numbers where all cells are, whole ones past the exact doubles as Python's own."""
    if kind == "Integral" and largest < _EXACT_INTEGERS:
        return "float64" if missing else "int64"
    return "float64" if kind == "Fractional" else "object"


def _dtype_of(column: ColumnProfile) -> str:
    return _dtype(column.inferred_type, column.missing, max(abs(column.minimum or 0), abs(column.maximum or 0)))


def _series(cells: Sequence[Any], dtype: Any) -> "pd.Series[Any]":
    import pandas as pd

    if dtype == "object":
        return pd.Series(list(cells), dtype="object")
    return pd.Series([math.nan if cell is None else float(cell) for cell in cells], dtype="float64").astype(dtype)


def _frame(rows: pa.Table) -> "pd.DataFrame":
    import pandas as pd

    return pd.DataFrame({name: _row_series(rows[name].combine_chunks()) for name in rows.column_names})


def _row_series(column: pa.Array) -> "pd.Series[Any]":
    """A column as numbers where every cell is one, else as text."""
    import pandas as pd

    if pa.types.is_dictionary(column.type):
        column = column.dictionary_decode()
    cells = Cells.of(column)
    kind = inferred_type(cells.counts)
    dtype: Any = _dtype(kind, cells.missing, float(np.abs(cells.numbers).max(initial=0.0)))
    if dtype != "object":
        numbers = np.full(len(column), math.nan)
        numbers[column.is_valid().to_numpy(zero_copy_only=False)] = cells.numbers
        return pd.Series(numbers).astype(dtype)
    texts = as_text(column).to_pylist()
    if kind == "Integral":
        texts = [None if text is None else int(text.replace(" ", "")) for text in texts]
    return _series(texts, dtype)
