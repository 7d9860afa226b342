"""One captured line to one record: its identity, its time, and the rows in it."""

import json
from collections.abc import Callable, Mapping
from datetime import datetime
from enum import StrEnum
from typing import Any, NamedTuple

import orjson

from monitor_tasks.inputs import Records
from monitor_tasks.tables.ledger import Reason
from monitor_tasks.tables.payloads import Cells, Unusable, kind_of, nesting, rows_of_csv, rows_of_json, text_of
from monitor_tasks.window import parse_time

KNOWN = {
    "": ("captureData", "eventMetadata"),
    "captureData": ("endpointInput", "endpointOutput"),
    "eventMetadata": ("eventId", "inferenceId", "inferenceTime", "customAttributes", "inferenceComponentName"),
    "endpointInput": ("observedContentType", "data", "encoding"),
    "endpointOutput": ("observedContentType", "data", "encoding"),
}
"""The keys of a record that mean something to us, by the object in which they stand."""
SIDES = (("Output", "endpointOutput", Reason.NO_OUTPUT), ("Input", "endpointInput", Reason.NO_INPUT))
"""The sides of a record, in the order of their columns."""

Row = tuple[Cells, Cells]
"""The cells of one row: outputs, then inputs."""


class Identity(NamedTuple):
    """Who a record is."""

    event_id: str
    inference_id: str | None
    time: datetime
    component: str | None
    attributes: tuple[str | None, ...]
    """The custom attributes that were asked for."""
    payloads: tuple[str | None, ...]
    """The data of either side: they tell a repeated record from another one under the same id."""


class Broken(Exception):
    """A record that cannot be used."""

    def __init__(self, error: Unusable, time: datetime | None) -> None:
        """Why, and when it happened, where that much can be read."""
        super().__init__(str(error))
        self.reason = error.reason
        self.time = time


def identified(line: bytes, settings: Records) -> tuple[Identity, dict[str, Any]]:
    """Who the record in a line of a capture file is, and all that it says.

    Raises:
        Broken: the line is no record.
    """
    time = None
    try:
        content = envelope(line, "captureData", Reason, Reason.NOT_A_RECORD, settings.limits.depth)
        time = _time(content["eventMetadata"].get("inferenceTime"))
        return _identity(content, time, settings.custom_attributes), content
    except Unusable as error:
        raise Broken(error, time) from error


def rows_of(
    content: Mapping[str, Any], time: datetime, settings: Records, hook: Callable[[Any], list[Row]] | None = None
) -> tuple[list[Row], bool]:
    """The rows of a record; and whether its CSV held several, of which SageMaker's data quality sees one cell.

    Args:
        content: All that the record says.
        time: When it happened.
        settings: How records are read.
        hook: What makes rows of the whole record in our place.

    Raises:
        Broken: they cannot be read.
    """
    try:
        data = content["captureData"]
        _has(data, settings.capture_options)
        return (hook(content), False) if hook is not None else _rows(data, settings)
    except Unusable as error:
        raise Broken(error, time) from error


def _has(data: Mapping[str, Any], wanted: tuple[str, ...]) -> None:
    for side, key, reason in SIDES:
        if side in wanted and not isinstance(data.get(key), dict):
            raise Unusable(reason, f"captureData.{key} is missing")


def envelope(
    line: bytes, part: str, reasons: type[StrEnum], otherwise: StrEnum, depth: int | None = None
) -> dict[str, Any]:
    """The JSON object in a line, which has metadata and the named part.

    Raises:
        Unusable: the line is not JSON (by `reasons`), nested too deep, or `otherwise` not such an object.
    """
    if depth is not None and line.count(b"[") + line.count(b"{") > depth and nesting(line.decode(), depth) > depth:
        raise Unusable(Reason.TOO_DEEP, f"the line is nested more than {depth} deep")
    try:
        content = orjson.loads(line)
    except orjson.JSONDecodeError as error:
        raise Unusable(reasons("not_json"), str(error)) from error
    if not isinstance(content, dict) or not all(isinstance(content.get(key), dict) for key in (part, "eventMetadata")):
        raise Unusable(otherwise, f"expected an object with {part} and eventMetadata")
    if depth is not None and any(line.count(b'"%s"' % key) > most for key, most in _ONCE.items()):
        json.loads(line, object_pairs_hook=_once)
    return content


_ONCE = {
    key.encode(): sum(key in keys for keys in KNOWN.values())
    for key in (key for keys in KNOWN.values() for key in keys)
}
"""How often a key of ours may stand in a line before one looks closer."""


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    names = [name for name, _ in pairs]
    for name in set(names):
        if names.count(name) > 1 and name.encode() in _ONCE:
            raise Unusable(Reason.DUPLICATE_KEY, f"the key {name} stands twice in one object")
    return dict(pairs)


def event_id(metadata: Mapping[str, Any], reason: StrEnum) -> str:
    """The event id of a record or of a label.

    Raises:
        Unusable: there is none.
    """
    found = metadata.get("eventId")
    if not isinstance(found, str) or not found:
        raise Unusable(reason, "eventMetadata.eventId is missing or empty")
    return found


def attribute(attributes: object, name: str) -> str | None:
    """The value in the last of the custom attributes that reads ``name=value``: what a server adds comes last.

    >>> attribute(["latency_ms=0", "team=a", "latency_ms=12.5"], "latency_ms")
    '12.5'
    """
    texts = attributes if isinstance(attributes, list) else [attributes]
    found = [text for text in texts if isinstance(text, str) and text.startswith(f"{name}=")]
    return found[-1][len(name) + 1 :] or None if found else None


def _identity(content: Mapping[str, Any], time: datetime, attributes: tuple[str, ...]) -> Identity:
    metadata, data = content["eventMetadata"], content["captureData"]
    inference_id, component = metadata.get("inferenceId"), metadata.get("inferenceComponentName")
    payloads = [payload if isinstance(payload := data.get(key), dict) else {} for _, key, _ in SIDES]
    return Identity(
        event_id=event_id(metadata, Reason.NO_EVENT_ID),
        inference_id=inference_id if isinstance(inference_id, str) else None,
        time=time,
        component=component if isinstance(component, str) else None,
        attributes=tuple(attribute(metadata.get("customAttributes"), name) for name in attributes),
        payloads=tuple(None if (found := one.get("data")) is None else str(found) for one in payloads),
    )


def _time(text: object) -> datetime:
    try:
        return parse_time(str(text))
    except (ValueError, OverflowError) as error:
        raise Unusable(Reason.UNPARSABLE_TIME, f"eventMetadata.inferenceTime is {str(text)[:40]!r}") from error


def _rows(data: Mapping[str, Any], settings: Records) -> tuple[list[Row], bool]:
    outputs, inputs = (_side(data.get(key), side, key, settings) for side, key, _ in SIDES)
    count = max(len(outputs), len(inputs))
    if count > 1 and not settings.split_rows:
        if any(kind_of(data[key]) != "CSV" for _, key, _ in SIDES if isinstance(data.get(key), dict)):
            raise Unusable(Reason.SEVERAL_ROWS, f"holds {count} rows; set capture.split_rows to read each of them")
        return [([*(outputs or inputs)[0]][:1], [])], True  # Spark's reader stops at the first end of a line
    for rows in (outputs, inputs):
        if rows and len(rows) != count:
            raise Unusable(Reason.ROW_COUNT, f"{len(outputs)} rows of output and {len(inputs)} rows of input")
    empty: list[Cells] = [[]] * count
    return list(zip(outputs or empty, inputs or empty, strict=True)), False


def _side(payload: object, side: str, key: str, settings: Records) -> list[Cells]:
    """The rows of one side; none where it is missing."""
    if not isinstance(payload, dict):
        return []
    try:
        text = text_of(payload)
        if kind_of(payload) == "CSV":
            rows: list[Cells] = [*rows_of_csv(text)]
        else:
            rows = rows_of_json(text, settings.paths(side), settings.limits.depth)
    except Unusable as error:
        raise Unusable(error.reason, f"{key}: {error}") from error
    if any(len(row) > settings.limits.columns for row in rows):
        raise Unusable(Reason.TOO_MANY_COLUMNS, f"{key}: more than {settings.limits.columns} columns")
    return rows
