"""One line of ground truth to its id and its label: the law that reading many lines together has to obey."""

import csv
import io
import json
from enum import StrEnum
from typing import Any

from monitor_tasks.tables.payloads import Unusable, without_twins
from monitor_tasks.tables.records import envelope, event_id


class LabelReason(StrEnum):
    """Why a line of ground truth is quarantined."""

    NOT_JSON = "not_json"
    NOT_A_LABEL = "not_a_label"
    NO_EVENT_ID = "no_event_id"
    BAD_PAYLOAD = "bad_payload"


def parse_label(line: bytes) -> tuple[str, str]:
    """The id and the label in one line of a ground-truth file.

    Raises:
        Unusable: with the reason why it cannot be counted.

    >>> parse_label(b'{"groundTruthData": {"data": "1", "encoding": "CSV"}, "eventMetadata": {"eventId": "order-17"}}')
    ('order-17', '1')
    """
    content = envelope(line, "groundTruthData", LabelReason, LabelReason.NOT_A_LABEL)
    return event_id(content["eventMetadata"], LabelReason.NO_EVENT_ID), label_of(content["groundTruthData"])


def label_of(payload: dict[str, Any]) -> str:
    """The label in a payload as text, without the blanks around it.

    Raises:
        Unusable: it holds none, or several.
    """
    data, encoding = payload.get("data"), payload.get("encoding")
    if not isinstance(data, str):
        raise _bad("data is not text")
    if encoding not in ("CSV", "JSON"):
        raise _bad(f"encoding is {str(encoding)[:40]!r}, expected CSV or JSON")
    try:
        label = (_of_csv(data) if encoding == "CSV" else _of_json(data)).strip()
        label.encode()  # half of a surrogate pair is no text
    except (csv.Error, ValueError, RecursionError) as error:
        raise _bad(f"data is not {encoding} of one label: {error}") from error
    if not label:
        raise _bad("data holds no label")
    return label


def _of_csv(data: str) -> str:
    rows = [row for row in csv.reader(io.StringIO(data.strip()), strict=True) if row]
    cells = [cell for row in rows for cell in row]
    if len(cells) > 1:
        raise ValueError(f"{len(rows)} rows with {len(cells)} cells")
    return cells[0] if cells else ""


def _of_json(data: str) -> str:
    """The only value there is, or the one called ``label``; numbers keep their digits."""
    value = json.loads(data, object_pairs_hook=without_twins, parse_int=str, parse_float=str, parse_constant=str)
    while isinstance(value, dict | list):
        if isinstance(value, dict) and "label" in value:
            value = value["label"]
        elif len(value) == 1:
            (value,) = value.values() if isinstance(value, dict) else value
        else:
            raise ValueError(f"{len(value)} values and none is called label")
    if value is None:
        return ""
    return value if isinstance(value, str) else json.dumps(value)


def _bad(explanation: str) -> Unusable:
    return Unusable(LabelReason.BAD_PAYLOAD, f"groundTruthData.{explanation}")
