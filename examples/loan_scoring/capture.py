"""Capture: one scored applicant as the line that SageMaker's data capture writes."""

import csv
import io
from collections.abc import Mapping
from datetime import datetime
from typing import Any, NamedTuple

import orjson

Cell = float | str | None


class Request(NamedTuple):
    """One call of the endpoint and its answer."""

    inference_id: str
    event_id: str
    time: datetime
    cells: Mapping[str, Cell]
    probability: float
    as_json: bool
    end: str
    """What closes a CSV payload: a newline or nothing."""


def record(request: Request) -> dict[str, Any]:
    """The record with its keys in the order in which the service writes them."""
    sides = _json_sides(request) if request.as_json else _csv_sides(request)
    metadata = {
        "eventId": request.event_id,
        "inferenceId": request.inference_id,
        "inferenceTime": request.time.strftime("%Y-%m-%dT%H:%M:%SZ"),
    }
    return {"captureData": sides, "eventMetadata": metadata, "eventVersion": "0"}


def line(document: Mapping[str, Any]) -> str:
    """The document as one line of JSON without blanks."""
    return orjson.dumps(document).decode()


def csv_row(cells: Mapping[str, Cell]) -> str:
    """The cells as one CSV row without its newline; a missing value is an empty cell."""
    text = io.StringIO()
    csv.writer(text, lineterminator="").writerow(cells.values())
    return text.getvalue()


def _csv_sides(request: Request) -> dict[str, Any]:
    return {
        "endpointInput": _side("text/csv", "INPUT", csv_row(request.cells) + request.end, "CSV"),
        "endpointOutput": _side("text/csv; charset=utf-8", "OUTPUT", f"{request.probability}{request.end}", "CSV"),
    }


def _json_sides(request: Request) -> dict[str, Any]:
    return {
        "endpointInput": _side("application/json", "INPUT", line(request.cells), "JSON"),
        "endpointOutput": _side("application/json", "OUTPUT", line({"probability": request.probability}), "JSON"),
    }


def _side(content_type: str, mode: str, data: str, encoding: str) -> dict[str, str]:
    return {"observedContentType": content_type, "mode": mode, "data": data, "encoding": encoding}
