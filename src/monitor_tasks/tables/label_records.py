"""One line of ground truth to its id and its label: the law that reading many lines together has to obey."""

import csv
import io
import json
from enum import StrEnum
from typing import Any

import jmespath

from monitor_tasks.tables.payloads import Unusable, compiled, without_twins
from monitor_tasks.tables.records import envelope, event_id
from monitor_tasks.tables.several_labels import SEVERAL, together

LABEL = "label"
"""What the label is called in JSON, where nobody says otherwise."""


class LabelReason(StrEnum):
    """Why a line of ground truth is quarantined."""

    NOT_JSON = "not_json"
    NOT_A_LABEL = "not_a_label"
    NO_EVENT_ID = "no_event_id"
    BAD_PAYLOAD = "bad_payload"


def parse_label(line: bytes, path: str = LABEL) -> tuple[str, str]:
    """The id and the label in one line of a ground-truth file.

    The labels of a record of several rows are one text (`several_labels`); `path` is the JMESPath to them in JSON.

    Raises:
        Unusable: with the reason why it cannot be counted.

    >>> parse_label(b'{"groundTruthData": {"data": "1", "encoding": "CSV"}, "eventMetadata": {"eventId": "order-17"}}')
    ('order-17', '1')
    """
    content = envelope(line, "groundTruthData", LabelReason, LabelReason.NOT_A_LABEL)
    return event_id(content["eventMetadata"], LabelReason.NO_EVENT_ID), label_of(content["groundTruthData"], path)


def label_of(payload: dict[str, Any], path: str = LABEL) -> str:
    """The label in a payload as text, without the blanks around it, or those of several rows as one text.

    Raises:
        Unusable: it holds none, or several.
    """
    data, encoding = payload.get("data"), payload.get("encoding")
    if not isinstance(data, str):
        raise _bad("data is not text")
    if encoding not in ("CSV", "JSON"):
        raise _bad(f"encoding is {str(encoding)[:40]!r}, expected CSV or JSON")
    try:
        labels = [one.strip() for one in ([_of_csv(data)] if encoding == "CSV" else _of_json(data, path))]
        "".join(labels).encode()  # half of a surrogate pair is no text
    except (csv.Error, ValueError, RecursionError) as error:
        raise _bad(f"data is not {encoding} of one label: {error}") from error
    if not any(labels):
        raise _bad("data holds no label")
    if any(SEVERAL in one for one in labels):
        raise _bad("a label holds the control character U+001E")
    return labels[0] if len(labels) == 1 else together(labels)


def _of_csv(data: str) -> str:
    rows = [row for row in csv.reader(io.StringIO(data.strip()), strict=True) if row]
    cells = [cell for row in rows for cell in row]
    if len(cells) > 1:
        raise ValueError(f"{len(rows)} rows with {len(cells)} cells")
    return cells[0] if cells else ""


def _of_json(data: str, path: str) -> list[str]:
    """What the path finds; else the only value there is, or the one called ``label``, of a list of rows of each.

    Numbers keep their digits.
    """
    document = json.loads(data, object_pairs_hook=without_twins, parse_int=str, parse_float=str, parse_constant=str)
    found = _at(path, document)
    if found is not None:
        return [*map(_only, found)] if isinstance(found, list) else [_only(found)]
    value = document
    while isinstance(value, dict) and len(value) == 1 and LABEL not in value:
        (value,) = value.values()
    has_rows = isinstance(value, list) and len(value) > 1 and all(isinstance(one, dict | list) for one in value)
    return [*map(_only, value)] if has_rows else [_only(document)]


def _at(path: str, document: Any) -> Any:
    """What lies at a path of the settings; None where nothing does, and for the usual one."""
    if path == LABEL:
        return None
    if isinstance(document, dict) and path in document:
        return document[path]
    try:
        return compiled(path).search(document)
    except (jmespath.exceptions.JMESPathError, TypeError):  # the name of a column, in tables of labels
        return None


def _only(value: Any) -> str:
    """The label that a value holds; none is empty."""
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
