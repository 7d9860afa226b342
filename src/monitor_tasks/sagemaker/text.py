"""SageMaker's two texts of JSON: Jackson's, with Java's numbers, and Clarify's (contract README.md, text formats)."""

import json
from collections.abc import Mapping
from decimal import Decimal
from math import isfinite, isnan
from typing import Any

_INDENT = "  "
_PLAIN_FROM, _PLAIN_BELOW = 1e-3, 1e7
_SHORT_ESCAPES = {'"': '\\"', "\\": "\\\\", "\b": "\\b", "\f": "\\f", "\n": "\\n", "\r": "\\r", "\t": "\\t"}
_ESCAPES = str.maketrans({chr(code): f"\\u{code:04X}" for code in range(32)} | _SHORT_ESCAPES)


def java_double(value: float) -> str:
    """A double as Java's ``Double.toString`` writes it: always with a fraction, exponents as E-4.

    >>> [java_double(value) for value in (1.0, 0.001, 1e-4, 2.5e7, float("nan"))]
    ['1.0', '0.001', '1.0E-4', '2.5E7', 'NaN']
    """
    if not isfinite(value):
        return "NaN" if isnan(value) else "Infinity" if value > 0 else "-Infinity"
    if value == 0 or _PLAIN_FROM <= abs(value) < _PLAIN_BELOW:
        return repr(value)
    sign = "-" if value < 0 else ""
    digits, exponent = _digits(abs(value))
    return f"{sign}{digits[0]}.{digits[1:] or '0'}E{exponent}"


def _digits(size: float) -> tuple[str, int]:
    """The shortest digits that name a double, and the power of ten of the first one."""
    _, digits, exponent = Decimal(repr(size)).normalize().as_tuple()
    if len(digits) == 1:
        # Java always writes two digits, and takes the closest two: its smallest double is 4.9E-324, not 5E-324.
        closest = f"{size:.1e}"
        if float(closest) == size:
            mantissa, _, power = closest.partition("e")
            return mantissa.replace(".", "").rstrip("0"), int(power)
    return "".join(map(str, digits)), int(exponent) + len(digits) - 1


def jackson(value: Any) -> bytes:
    """A value as Jackson's default pretty printer writes it; undefined and infinite numbers are strings.

    >>> print(jackson({"version": 0.0, "features": [{"name": "a"}, {}]}).decode())
    {
      "version" : 0.0,
      "features" : [ {
        "name" : "a"
      }, { } ]
    }
    """
    return _jackson(value, "\n").encode()


def _jackson(value: Any, line: str) -> str:
    if isinstance(value, str):
        return f'"{value.translate(_ESCAPES)}"'
    if isinstance(value, float):
        return java_double(value) if isfinite(value) else f'"{java_double(value)}"'
    if isinstance(value, Mapping):
        return _object(value, line)
    if isinstance(value, list | tuple):
        return f"[ {', '.join(_jackson(item, line) for item in value)} ]" if value else "[ ]"
    return json.dumps(value)


def _object(value: Mapping[str, Any], line: str) -> str:
    if not value:
        return "{ }"
    inner = line + _INDENT
    entries = (f"{inner}{_jackson(key, inner)} : {_jackson(item, inner)}" for key, item in value.items())
    return "{" + ",".join(entries) + line + "}"


def clarify(value: Any) -> bytes:
    """A value as Clarify's container writes it: Python's JSON, infinities as strings, undefined numbers as null.

    >>> clarify([float("inf"), float("nan"), 0.5]).decode().split()
    ['[', '"Infinity",', 'null,', '0.5', ']']
    """
    return json.dumps(_named(value), indent=4, allow_nan=False).encode()


def _named(value: Any) -> Any:
    if isinstance(value, float) and not isfinite(value):
        return None if isnan(value) else java_double(value)
    if isinstance(value, Mapping):
        return {key: _named(item) for key, item in value.items()}
    return [_named(item) for item in value] if isinstance(value, list | tuple) else value
