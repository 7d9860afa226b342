"""One captured line to one record: its identity, its time, and the cells of both sides."""

import base64
import binascii
import csv
import hashlib
import io
import json
from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum
from typing import Any, NamedTuple

import orjson

from monitor_tasks.tables.ledger import Reason
from monitor_tasks.window import parse_time

Cells = list[str | None] | dict[str, str | None]
"""A row as a payload gives it: cells in order (CSV, a list), or cells by name (a flat JSON object)."""


class Unusable(Exception):
    """A record that goes to quarantine."""

    def __init__(self, reason: StrEnum, explanation: str) -> None:
        """Why: one reason of the table, and what was seen."""
        super().__init__(explanation)
        self.reason = reason
        self.time: datetime | None = None
        """When it happened, where that much can be read."""


class Record(NamedTuple):
    """One prediction as it was captured."""

    event_id: str
    inference_id: str | None
    time: datetime
    outputs: Cells
    inputs: Cells
    content: bytes
    """Hash of both payloads: tells a repeated record from another one under the same id."""


def parse_record(line: bytes, sides: tuple[str, ...]) -> Record:
    """The record in one line of a capture file; `sides` are those that it must have.

    Raises:
        Unusable: with the reason why it cannot be counted.
    """
    content = envelope(line, "captureData", Reason, Reason.NOT_A_RECORD)
    metadata = content["eventMetadata"]
    time = _time(metadata.get("inferenceTime"))
    try:
        own_id = event_id(metadata, Reason.NO_EVENT_ID)
        outputs, inputs = _sides(content["captureData"], sides)
    except Unusable as error:
        error.time = time
        raise
    inference_id = metadata.get("inferenceId")
    return Record(
        event_id=own_id,
        inference_id=inference_id if isinstance(inference_id, str) else None,
        time=time,
        outputs=outputs,
        inputs=inputs,
        content=hashlib.sha256(repr((outputs, inputs)).encode(errors="replace")).digest(),
    )


def _sides(data: Mapping[str, Any], wanted: tuple[str, ...]) -> tuple[Cells, Cells]:
    """The cells of the output and of the input."""
    found: list[Cells] = []
    for side, key, reason in (
        ("Output", "endpointOutput", Reason.NO_OUTPUT),
        ("Input", "endpointInput", Reason.NO_INPUT),
    ):
        payload = data.get(key)
        if side in wanted and not isinstance(payload, dict):
            raise Unusable(reason, f"captureData.{key} is missing")
        found.append(_cells(payload, key) if isinstance(payload, dict) else [])
    return found[0], found[1]


def envelope(line: bytes, part: str, reasons: type[StrEnum], otherwise: StrEnum) -> dict[str, Any]:
    """The JSON object in a line, which has metadata and the named part.

    Raises:
        Unusable: the line is not UTF-8, not JSON (by `reasons`), or `otherwise` not such an object.
    """
    try:
        line.decode()
    except UnicodeDecodeError as error:
        raise Unusable(reasons("not_utf8"), f"byte {error.start} is not UTF-8") from error
    try:
        content = orjson.loads(line)
    except orjson.JSONDecodeError as error:
        raise Unusable(reasons("not_json"), str(error)) from error
    if not isinstance(content, dict) or not all(isinstance(content.get(key), dict) for key in (part, "eventMetadata")):
        raise Unusable(otherwise, f"expected an object with {part} and eventMetadata")
    return content


def event_id(metadata: Mapping[str, Any], reason: StrEnum) -> str:
    """The event id of a record or of a label.

    Raises:
        Unusable: there is none.
    """
    found = metadata.get("eventId")
    if not isinstance(found, str) or not found:
        raise Unusable(reason, "eventMetadata.eventId is missing or empty")
    return found


def _time(text: object) -> datetime:
    try:
        return parse_time(str(text))
    except (ValueError, OverflowError) as error:
        raise Unusable(Reason.UNPARSABLE_TIME, f"eventMetadata.inferenceTime is {str(text)[:40]!r}") from error


def _cells(payload: Mapping[str, Any], key: str) -> Cells:
    data, encoding = payload.get("data"), payload.get("encoding")
    if not isinstance(data, str):
        raise Unusable(Reason.BAD_PAYLOAD, f"{key}.data is not text")
    if encoding == "BASE64":
        data, encoding = _decoded(data, key), "JSON" if "json" in str(payload.get("observedContentType")) else "CSV"
    if encoding == "CSV":
        return _csv_cells(data, key)
    if encoding == "JSON":
        return _json_cells(data, key)
    raise Unusable(Reason.BAD_ENCODING, f"{key}.encoding is {str(encoding)[:40]!r}, expected CSV, JSON or BASE64")


def _decoded(data: str, key: str) -> str:
    try:
        return base64.b64decode(data, validate=True).decode()
    except (binascii.Error, ValueError) as error:
        raise Unusable(Reason.BAD_PAYLOAD, f"{key}.data is not BASE64 of UTF-8 text: {error}") from error


def _csv_cells(data: str, key: str) -> Cells:
    try:
        rows = [row for row in csv.reader(io.StringIO(data), strict=True) if row]
    except csv.Error as error:
        raise Unusable(Reason.BAD_PAYLOAD, f"{key}.data is not CSV: {error}") from error
    if len(rows) != 1:
        reason = Reason.SEVERAL_ROWS if rows else Reason.BAD_PAYLOAD
        raise Unusable(reason, f"{key}.data holds {len(rows)} rows, expected one")
    return [cell or None for cell in rows[0]]


def _json_cells(data: str, key: str) -> Cells:
    rows = [line for line in data.splitlines() if line.strip()]
    try:
        numbers: dict[str, Any] = dict.fromkeys(("parse_int", "parse_float", "parse_constant"), _Digits)
        cells = _flat(json.loads(data, object_pairs_hook=without_twins, **numbers))
        if "\\u" in data:
            json.dumps(cells, ensure_ascii=False).encode()  # half of a surrogate pair is no text
    except ValueError as error:
        if len(rows) > 1 and all(row.lstrip().startswith(("{", "[")) for row in rows):
            raise Unusable(Reason.SEVERAL_ROWS, f"{key}.data holds {len(rows)} JSON lines, expected one") from error
        raise Unusable(Reason.BAD_PAYLOAD, f"{key}.data is not JSON: {error}") from error
    except RecursionError as error:
        raise Unusable(Reason.BAD_PAYLOAD, f"{key}.data is nested too deep") from error
    return cells


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


def _text(value: object) -> str | None:
    """A JSON value as the text of a cell."""
    if value is None or isinstance(value, str):
        return value if value is None else str(value)
    return json.dumps(value)
