"""Captured records made by hand, and what became of them."""

import json
from collections.abc import Iterable
from typing import Any

from monitor_tasks.inputs import Records
from monitor_tasks.tables.captured import Captured, capture, features
from monitor_tasks.tables.lines import Object, in_memory
from monitor_tasks.tables.readings import Span

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
