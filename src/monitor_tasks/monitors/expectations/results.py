"""Expectations and what GX says of them as plain values: no ids, no times, the same bytes in any run."""

import json
import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

Expectation = dict[str, Any]
"""``{"type": ..., "kwargs": {...}, "meta": {"number": ...}}``."""
Result = Mapping[str, Any]
Results = Mapping[int, Result]
"""By the number of the expectation."""


def plain_result(result: dict[str, Any]) -> Result:
    """A validation result without ids, tracebacks and times."""
    config = result["expectation_config"]
    kwargs = {key: value for key, value in config["kwargs"].items() if key != "batch_id"}
    return {
        "expectation_config": {"type": config["type"], "kwargs": kwargs, "meta": config["meta"]},
        "success": result["success"],
        "result": result["result"],
        "exception_info": _exception_info(_message(result["exception_info"])),
    }


def failed_result(item: Expectation, error: Exception) -> Result:
    """The result of an expectation that broke the whole run."""
    info = _exception_info(str(error) or type(error).__name__)
    return {"expectation_config": item, "success": False, "result": {}, "exception_info": info}


def exception(result: Result) -> str:
    """What was raised, or nothing."""
    return result["exception_info"]["exception_message"] or ""


def canonical(**parts: Results) -> bytes:
    """Results as canonical JSON, in the order of their numbers; each part is what GX stores of a suite."""
    suites = {
        name: _suite_result(name, [results[number] for number in sorted(results)]) for name, results in parts.items()
    }
    return json.dumps(_finite(suites), indent=2, sort_keys=True, default=_plain).encode()


def _suite_result(name: str, results: Sequence[Result]) -> dict[str, Any]:
    kept = sum(result["success"] for result in results)
    statistics = {
        "evaluated_expectations": len(results),
        "successful_expectations": kept,
        "unsuccessful_expectations": len(results) - kept,
        "success_percent": 100 * kept / len(results) if results else None,
    }
    return {"suite_name": name, "success": kept == len(results), "statistics": statistics, "results": results}


def _exception_info(message: str) -> dict[str, Any]:
    return {"raised_exception": bool(message), "exception_message": message or None}


def _message(info: Mapping[str, Any]) -> str:
    """The messages of an exception, or of the exceptions by metric."""
    if "exception_message" in info:
        return (info["exception_message"] or "unnamed exception") if info["raised_exception"] else ""
    return "; ".join(sorted({each["exception_message"] for each in info.values()}))


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
