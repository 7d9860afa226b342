"""Ground-truth files to one label per id, and the ledger of what became of each line.

The files are SageMaker's (contract model-quality, section 1): one JSON object a line, keyed by the inference id of the
captured record, or by its event id where it has none. Beside them tables are read, CSV and Parquet, one label a row.
"""

import csv
import hashlib
import io
import json
import re
from collections.abc import Iterable, Iterator
from enum import StrEnum
from typing import Any, NamedTuple

import pyarrow as pa

from monitor_tasks.tables.files import Stored
from monitor_tasks.tables.ledger import Ledger, Place, Quarantined
from monitor_tasks.tables.lines import blocks, in_memory
from monitor_tasks.tables.payloads import Unusable, without_twins
from monitor_tasks.tables.records import envelope, event_id
from monitor_tasks.value import UserError

LABELS = pa.schema(
    [
        ("@label_id", pa.string()),
        ("@label", pa.string()),
        ("@label_object", pa.string()),
        ("@label_line", pa.int64()),
    ]
)
_HOUR = re.compile(r"(\d{4})/(\d\d)/(\d\d)/(\d\d)/")
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
    lines: pa.Table
    """One row per line that can be used, in the order object, line: columns of `LABELS`."""
    ledger: Ledger
    """Read = accepted + duplicate + conflicting + quarantined."""
    quarantined: list[Quarantined]
    """In the order object, line; the reasons are those of `LabelReason` and of `LineReason`."""


class Line(NamedTuple):
    """A line that can be used."""

    place: Place
    label_id: str
    label: str


def read_labels(objects: Iterable[tuple[str, bytes]], columns: tuple[str, str] = ("event_id", "label")) -> Labels:
    """The labels in ground-truth files, one per id.

    Of the lines with one id the first counts, in the order object, line; the others are duplicates if they bear the
    same label and conflicting if not. Labels are compared as text: 1 and 1.0 are two labels.

    Args:
        objects: Names and contents; what ends in .csv or .parquet is a table, all else is JSON Lines.
        columns: The tables' columns of the id and of the label.

    Raises:
        UserError: a table cannot be read, or lacks such a column.
    """
    ledger, tables, texts = Ledger(FATES), list[tuple[str, bytes]](), list[tuple[str, bytes]]()
    for name, content in objects:
        (tables if name.endswith((".csv", ".parquet")) else texts).append((name, content))
    found = [*_in_lines(texts, ledger), *_in_tables(tables, columns, ledger)]
    read = sorted(one for one in found if isinstance(one, Line))
    quarantined = sorted(one for one in found if isinstance(one, Quarantined))
    for one in quarantined:
        ledger.note(one.place.object, "quarantined", one.reason)
    first: dict[str, tuple[Place, str]] = {}
    for place, label_id, label in read:
        _, counted = first.setdefault(label_id, (place, label))
        fate = _fate(first[label_id][0] is place, counted == label)
        ledger.note(place.object, fate)
        ledger.conflicts += fate == "conflicting"
    counting = [Line(place, label_id, label) for label_id, (place, label) in first.items()]
    return Labels(_table(counting), _table(read), ledger, quarantined)


def parse_label(line: bytes) -> tuple[str, str]:
    """The id and the label in one line of a ground-truth file.

    Raises:
        Unusable: with the reason why it cannot be counted.

    >>> parse_label(b'{"groundTruthData": {"data": "1", "encoding": "CSV"}, "eventMetadata": {"eventId": "order-17"}}')
    ('order-17', '1')
    """
    content = envelope(line, "groundTruthData", LabelReason, LabelReason.NOT_A_LABEL)
    return event_id(content["eventMetadata"], LabelReason.NO_EVENT_ID), _label(content["groundTruthData"])


def _in_lines(objects: list[tuple[str, bytes]], ledger: Ledger) -> Iterator[Line | Quarantined]:
    """Every line of JSON Lines."""
    for block in blocks(in_memory(objects), ledger):
        yield from block.quarantined
        for index in range(len(block.lines)):
            line, place = block.line(index), block.place(index)
            try:
                yield Line(place, *parse_label(line))
            except Unusable as error:
                yield Quarantined.of(place, line, error.reason, str(error))


def _in_tables(
    objects: list[tuple[str, bytes]], columns: tuple[str, str], ledger: Ledger
) -> Iterator[Line | Quarantined]:
    """Every row of tables, numbered from 1."""
    for name, content in objects:
        ledger.open(name, hashlib.sha256(content).hexdigest())
        for number, (label_id, label) in enumerate(_rows(name, content, columns), 1):
            try:
                yield Line(Place(name, number, 0), *_of_row(label_id, label))
            except Unusable as error:
                text = json.dumps([label_id, label]).encode()
                yield Quarantined.of(Place(name, number, 0), text, error.reason, str(error))


def _rows(name: str, content: bytes, columns: tuple[str, str]) -> Iterator[tuple[str | None, str | None]]:
    """The id and the label of every row of a table, as text."""
    table = Stored.in_file(io.BytesIO(content), name)
    lacking = [column for column in columns if column not in table.column_names]
    if lacking:
        raise UserError(
            f"{name}: has no column {lacking[0]!r}, only {', '.join(table.column_names)}; "
            "set ground_truth.id_attribute and label_attribute"
        )
    for batch in table.batches(columns):
        yield from zip(*(batch[column].cast(pa.string()).to_pylist() for column in columns), strict=True)


def _of_row(label_id: str | None, label: str | None) -> tuple[str, str]:
    """The id and the label in a row of a table, without the blanks around the label."""
    if not label_id:
        raise Unusable(LabelReason.NO_EVENT_ID, "the id is missing or empty")
    if label is None or not label.strip():
        raise Unusable(LabelReason.BAD_PAYLOAD, "the row holds no label")
    return label_id, label.strip()


def hours_of(labels: pa.Table) -> list[str]:
    """The hours in which labels were collected, as their folders tell; of other files the text is empty.

    >>> row = {"@label_id": "a", "@label": "1", "@label_object": "2026/01/01/05/x.jsonl", "@label_line": 1}
    >>> hours_of(pa.Table.from_pylist([row, {**row, "@label_object": "all.jsonl"}]))
    ['2026-01-01T05:00:00Z', '']
    """
    found = [_HOUR.match(name) for name in labels["@label_object"].to_pylist()]
    return ["{}-{}-{}T{}:00:00Z".format(*one.groups()) if one else "" for one in found]


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


def _table(lines: list[Line]) -> pa.Table:
    """Lines with their ids and labels, in the order in which they stand here."""
    columns: list[list[Any]] = [
        [label_id for _, label_id, _ in lines],
        [label for _, _, label in lines],
        [place.object for place, _, _ in lines],
        [place.line for place, _, _ in lines],
    ]
    arrays = [pa.array(column, field.type) for column, field in zip(columns, LABELS, strict=True)]
    return pa.Table.from_arrays(arrays, schema=LABELS)
