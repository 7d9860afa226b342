"""Captured records made by hand, and what became of them."""

import base64
import json
from collections.abc import Iterable
from typing import Any

import pytest

from monitor_tasks.inputs import Records
from monitor_tasks.tables import readings, shapes
from monitor_tasks.tables.captured import Captured, capture, features
from monitor_tasks.tables.files import table_bytes
from monitor_tasks.tables.lines import Object, in_memory
from monitor_tasks.tables.readings import Span

REAL = ("churn/capture.csv.jsonl", "sdk/captured-data.json-encoding.jsonl", "adult/endpoint_jsonlines.capture.jsonl")
"""Real capture files, in the shared data."""
TIME = "2026-01-01T00:10:00Z"


def record(event_id: Any = "a", inputs: Any = "1,2", outputs: Any = "0.5", time: Any = TIME, **more: Any) -> bytes:
    """One line; `inputs` and `outputs` are the payloads' data, or None for no such side."""
    encodings = {"endpointInput": more.pop("inputs_as", "CSV"), "endpointOutput": more.pop("outputs_as", "CSV")}
    sides = {"endpointInput": inputs, "endpointOutput": outputs}
    data = {key: {"data": text, "encoding": encodings[key]} for key, text in sides.items() if text is not None}
    metadata = {"eventId": event_id, "inferenceTime": time, **more}
    return json.dumps({"captureData": data, "eventMetadata": metadata, "eventVersion": "0"}).encode()


def of_json(data: Any, **more: Any) -> bytes:
    """One line whose input is JSON: the text itself, or a value to write as such."""
    return record(inputs=data if isinstance(data, str) else json.dumps(data), inputs_as="JSON", **more)


def captured(*lines: bytes, span: Span = Span(), **settings: Any) -> Captured:
    return capture(in_memory([("o.jsonl", b"\n".join(lines))]), Records(**settings), span)


def cells(found: Captured) -> dict[str, list[str | None]]:
    return dict(features(found.table).to_pydict())


def reasons(found: Captured) -> list[str]:
    return [one.reason for one in list(found.quarantine())]


def objects(*named: tuple[str, Iterable[bytes]]) -> list[Object]:
    return in_memory([(name, b"\n".join(lines)) for name, lines in named])


def told(found: Captured) -> tuple[bytes, bytes, list[Any]]:
    return table_bytes(found.table), found.ledger.to_json(), list(found.quarantine())


def every_way(lines: list[bytes], span: Span, **how: Any) -> list[Captured]:
    """The records cut at their commas where that can be, parsed together, and each read by itself."""
    found = []
    for few, is_cut in ((0, True), (0, False), (10**9, False)):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(readings, "FEW", few)
            if not is_cut:
                patch.setattr(shapes.Shape, "cut", lambda *_: None)
            found.append(capture(in_memory([("o", b"\n".join(lines))]), Records(**how), span))
    return found


def in_base64(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


def written(row: list[str], encoding: str) -> bytes:
    """A record whose input holds the row, in one of the encodings."""
    number = json.dumps(dict(zip(("x", "y", "z"), row, strict=True))) if "JSON" in encoding else ",".join(row)
    line = json.loads(record("-".join(row), in_base64(number) if "BASE64" in encoding else number))
    side = line["captureData"]["endpointInput"]
    side["encoding"] = encoding.split(maxsplit=1)[0]
    side["observedContentType"] = "application/json" if "JSON" in encoding else "text/csv"
    return json.dumps(line).encode()
