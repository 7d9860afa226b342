"""Ground-truth files to one label per id, and the ledger of what became of each line.

The files are SageMaker's (contract model-quality, section 1): one JSON object a line, keyed by the inference id of the
captured record, or by its event id where it has none.
"""

import csv
import io
import json
from collections.abc import Iterable
from enum import StrEnum
from typing import Any, NamedTuple

import pyarrow as pa

from monitor_tasks.tables.ledger import Ledger, Place, Quarantined
from monitor_tasks.tables.lines import blocks, in_memory
from monitor_tasks.tables.payloads import Unusable, without_twins
from monitor_tasks.tables.records import envelope, event_id

LABELS = pa.schema(
    [
        ("@label_id", pa.string()),
        ("@label", pa.string()),
        ("@label_object", pa.string()),
        ("@label_line", pa.int64()),
    ]
)
FATES = ("accepted", "duplicate", "conflicting", "quarantined")


class LabelReason(StrEnum):
    """Why a line of ground truth is quarantined."""

    NOT_JSON = "not_json"
    NOT_A_LABEL = "not_a_label"
    NO_EVENT_ID = "no_event_id"
    BAD_PAYLOAD = "bad_payload"


class Labels(NamedTuple):
    """What the lines of ground truth became."""

    table: pa.Table
    """One row per id, in the order object, line: columns of `LABELS`."""
    ledger: Ledger
    """Read = accepted + duplicate + conflicting + quarantined."""
    quarantined: list[Quarantined]
    """In the order object, line; the reasons are those of `LabelReason` and of `LineReason`."""


def read_labels(objects: Iterable[tuple[str, bytes]]) -> Labels:
    """The labels in ground-truth files, one per id.

    Of the lines with one id the first counts, in the order object, line; the others are duplicates if they bear the
    same label and conflicting if not. Labels are compared as text: 1 and 1.0 are two labels.
    """
    ledger, quarantined = Ledger(FATES), list[Quarantined]()
    read: list[tuple[Place, str, str]] = []
    for block in blocks(in_memory(objects), ledger):
        quarantined += block.quarantined
        for index in range(len(block.lines)):
            line, place = block.line(index), block.place(index)
            try:
                read.append((place, *parse_label(line)))
            except Unusable as error:
                quarantined.append(Quarantined.of(place, line, error.reason, str(error)))
    for one in quarantined:
        ledger.note(one.place.object, "quarantined", one.reason)
    first: dict[str, tuple[Place, str]] = {}
    for place, label_id, label in sorted(read):
        _, counted = first.setdefault(label_id, (place, label))
        fate = _fate(first[label_id][0] is place, counted == label)
        ledger.note(place.object, fate)
        ledger.conflicts += fate == "conflicting"
    return Labels(_table(first), ledger, sorted(quarantined))


def parse_label(line: bytes) -> tuple[str, str]:
    """The id and the label in one line of a ground-truth file.

    Raises:
        Unusable: with the reason why it cannot be counted.

    >>> parse_label(b'{"groundTruthData": {"data": "1", "encoding": "CSV"}, "eventMetadata": {"eventId": "order-17"}}')
    ('order-17', '1')
    """
    content = envelope(line, "groundTruthData", LabelReason, LabelReason.NOT_A_LABEL)
    return event_id(content["eventMetadata"], LabelReason.NO_EVENT_ID), _label(content["groundTruthData"])


def _label(payload: dict[str, Any]) -> str:
    """The label as text, without the blanks around it."""
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


def _fate(is_first: bool, is_same: bool) -> str:
    if is_first:
        return "accepted"
    return "duplicate" if is_same else "conflicting"


def _table(first: dict[str, tuple[Place, str]]) -> pa.Table:
    """The labels that count; they were met in the order object, line."""
    columns: list[list[Any]] = [
        list(first),
        [label for _, label in first.values()],
        [place.object for place, _ in first.values()],
        [place.line for place, _ in first.values()],
    ]
    arrays = [pa.array(column, field.type) for column, field in zip(columns, LABELS, strict=True)]
    return pa.Table.from_arrays(arrays, schema=LABELS)
