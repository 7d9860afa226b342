"""One payload to its rows: CSV, JSON, JSON Lines, BASE64 of any of them."""

import base64
import binascii
import csv
import io
import json
import re
from collections.abc import Mapping
from enum import StrEnum
from functools import lru_cache
from typing import Any

import jmespath

from monitor_tasks.tables.ledger import Reason

Cells = list[str | None] | dict[str, str | None]
"""A row as a payload gives it: cells in order (CSV, a list), or cells by name (an object)."""

WRAPPINGS = ("features", "instances", "predictions")
"""Keys under which servers put rows; an object that has one of them and nothing else is its value."""

BY_VALUE = {
    *("not_expression", "or_expression", "and_expression", "comparator", "filter_projection", "function_expression"),
}
"""What a JMESPath may say that depends on values."""

csv.field_size_limit(16 << 20)  # as long as a line may be; Python's own limit is lower

_BRACKETS = re.compile(r'"(?:[^"\\]|\\.)*"|[\[{]|[\]}]')


class Unusable(Exception):
    """A record that goes to quarantine."""

    def __init__(self, reason: StrEnum, explanation: str) -> None:
        """Why: one reason of the table, and what was seen."""
        super().__init__(explanation)
        self.reason = reason


def kind_of(payload: Mapping[str, Any]) -> str:
    """What a payload's text is once it is decoded: ``CSV`` or ``JSON``; else its encoding as it stands there."""
    encoding = str(payload.get("encoding"))
    if encoding != "BASE64":
        return encoding
    return "JSON" if "json" in str(payload.get("observedContentType")) else "CSV"


def text_of(payload: Mapping[str, Any]) -> str:
    """The payload's text.

    Raises:
        Unusable: it is no text, or not BASE64 of UTF-8.
    """
    data, encoding = payload.get("data"), payload.get("encoding")
    if not isinstance(data, str):
        raise Unusable(Reason.BAD_PAYLOAD, "data is not text")
    if encoding not in ("CSV", "JSON", "BASE64"):
        raise Unusable(Reason.BAD_ENCODING, f"encoding is {str(encoding)[:40]!r}, expected CSV, JSON or BASE64")
    if encoding != "BASE64":
        return data
    try:
        return base64.b64decode(data, validate=True).decode()
    except (binascii.Error, ValueError) as error:
        raise Unusable(Reason.BAD_PAYLOAD, f"data is not BASE64 of UTF-8 text: {error}") from error


def rows_of_csv(text: str) -> list[list[str | None]]:
    r"""The rows of a CSV text; an empty cell is missing.

    >>> rows_of_csv('3,,"a, b"\n')
    [['3', None, 'a, b']]

    Raises:
        Unusable: it is not CSV, or has no row.
    """
    try:
        rows = [row for row in csv.reader(io.StringIO(text), strict=True) if row]
    except csv.Error as error:
        raise Unusable(Reason.BAD_PAYLOAD, f"data is not CSV: {error}") from error
    if not rows:
        raise Unusable(Reason.BAD_PAYLOAD, "data holds no row")
    return [[cell or None for cell in row] for row in rows]


def rows_of_json(text: str, paths: Mapping[str, str], depth: int) -> list[Cells]:
    """The rows of a JSON text, or of JSON Lines; numbers keep their digits.

    Args:
        text: One JSON document, or one a line.
        paths: JMESPath to each column of the rows, by its name; the name ``""`` finds whole rows. Empty: the usual
            forms are known (a flat object, a list of cells, and `WRAPPINGS` of either).
        depth: How deep it may be nested.

    >>> rows_of_json('{"instances": [[1.0, "a"], [2, null]]}', {}, 9)
    [['1.0', 'a'], ['2', None]]
    >>> rows_of_json('{"a": [{"b": 1}, {"b": 2}]}', {"x": "a[*].b"}, 9)
    [{'x': '1'}, {'x': '2'}]

    Raises:
        Unusable: it is not JSON, or holds no row.
    """
    rows = [row for document in documents(text, depth) for row in rows_in(document, paths)]
    if not rows:
        raise Unusable(Reason.BAD_PAYLOAD, "data holds no row")
    return rows


def documents(text: str, depth: int) -> list[Any]:
    """The JSON documents in a text: one, or one a line; numbers are text with all their digits."""
    if text.count("[") + text.count("{") > depth and nesting(text, depth) > depth:
        raise Unusable(Reason.TOO_DEEP, f"data is nested more than {depth} deep")
    try:
        return [_document(text)]
    except ValueError as error:
        lines = [line for line in text.splitlines() if line.strip()]
        if len(lines) < 2 or not all(line.lstrip().startswith(("{", "[")) for line in lines):
            raise Unusable(Reason.BAD_PAYLOAD, f"data is not JSON: {error}") from error
    try:
        return [_document(line) for line in lines]
    except ValueError as error:
        raise Unusable(Reason.BAD_PAYLOAD, f"data is not JSON: {error}") from error


def _document(text: str) -> Any:
    numbers: dict[str, Any] = dict.fromkeys(("parse_int", "parse_float", "parse_constant"), _Digits)
    document = json.loads(text, object_pairs_hook=without_twins, **numbers)
    if "\\u" in text:
        json.dumps(document, ensure_ascii=False).encode()  # half of a surrogate pair is no text
    return document


def nesting(text: str, most: int) -> int:
    """How deep a JSON text is nested; counting stops above `most`.

    >>> nesting('{"a": [1, "[[["]}', 9)
    2
    """
    deep = deepest = 0
    for found in _BRACKETS.finditer(text):
        mark = found[0]
        deep += (mark in "[{") - (mark in "]}")
        deepest = max(deep, deepest)
        if deepest > most:
            break
    return deepest


def rows_in(document: Any, paths: Mapping[str, str]) -> list[Cells]:
    """The rows in a JSON document."""
    if not paths:
        return _usual_rows(document)
    found = {name: _searched(document, path) for name, path in paths.items()}
    if "" in found:
        return _as_rows(found[""])
    columns = {name: value if isinstance(value, list) else [value] for name, value in found.items()}
    lengths = {len(column) for column in columns.values()}
    if len(lengths) > 1:
        told = ", ".join(f"{name} {len(column)}" for name, column in columns.items())
        raise Unusable(Reason.BAD_PAYLOAD, f"the attributes find different numbers of values: {told}")
    return [{name: _text(column[row]) for name, column in columns.items()} for row in range(lengths.pop())]


def _searched(document: Any, path: str) -> Any:
    try:
        expression = compiled(path)
        found = expression.search(document if by_shape(expression.parsed) else _as_numbers(document))
    except (jmespath.exceptions.JMESPathError, TypeError) as error:
        raise Unusable(Reason.BAD_PAYLOAD, f"{path!r} does not fit data: {error}") from error
    if found is None:
        raise Unusable(Reason.BAD_PAYLOAD, f"{path!r} finds nothing in data")
    return found


@lru_cache
def compiled(path: str) -> Any:
    """The compiled JMESPath."""
    return jmespath.compile(path)


def by_shape(expression: Mapping[str, Any]) -> bool:
    """Whether what a JMESPath finds depends on the shape of a document alone."""
    return expression["type"] not in BY_VALUE and all(map(by_shape, expression["children"]))


def _usual_rows(document: Any) -> list[Cells]:
    if isinstance(document, dict) and len(document) == 1:
        ((key, value),) = document.items()
        if key in WRAPPINGS and isinstance(value, list):
            many = key != "features"
            return [row for one in value for row in _usual_rows(one)] if many else _as_rows(value)
    return _as_rows(document)


def _as_rows(found: Any) -> list[Cells]:
    """A list of lists or of objects is rows; anything else is one."""
    if isinstance(found, list) and found and all(isinstance(one, list | dict) for one in found):
        return [row for one in found for row in _usual_rows(one)]
    return [_flat(found)]


def _flat(value: object) -> Cells:
    if isinstance(value, dict):
        return {name: _text(cell) for name, cell in value.items()}
    return [_text(cell) for cell in value] if isinstance(value, list) else [_text(value)]


def without_twins(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """A JSON object's pairs as a mapping; a key that stands there twice is an error, where JSON keeps the last."""
    known = dict(pairs)
    if len(known) < len(pairs):
        raise ValueError("an object has the same key twice")
    return known


class _Digits(str):
    """A JSON number as it was written: 1 and 1.0 stay apart, and no digit is lost."""

    __slots__ = ()


class _Number(float):
    """The same for a JMESPath that compares and computes."""

    text: str


def _as_numbers(value: Any) -> Any:
    """A document whose numbers are numbers."""
    if isinstance(value, dict):
        return {name: _as_numbers(one) for name, one in value.items()}
    if isinstance(value, list):
        return [_as_numbers(one) for one in value]
    if not isinstance(value, _Digits):
        return value
    number = _Number(value)
    number.text = str(value)
    return number


def _text(value: object) -> str | None:
    """A JSON value as the text of a cell."""
    return value if value is None or type(value) is str else _json(value)


def _json(value: Any) -> str:
    """A value as JSON, its numbers as they were written."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{json.dumps(name)}: {_json(one)}" for name, one in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(_json, value)) + "]"
    if isinstance(value, _Number):
        return value.text
    return str(value) if isinstance(value, _Digits) else json.dumps(value)
