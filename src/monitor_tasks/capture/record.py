"""Record: one call of a model server as the line that SageMaker's data capture writes."""

import base64
from collections.abc import Mapping
from contextlib import suppress
from datetime import datetime
from typing import Literal, NamedTuple

import orjson

from monitor_tasks.capture.settings import DataCaptureConfig
from monitor_tasks.window import format_time


class Payload(NamedTuple):
    """One side of a call."""

    data: bytes
    content_type: str | None = None
    """The ``Content-Type`` with its parameters, as it was seen."""


class Call(NamedTuple):
    """One call of a model server and its answer."""

    input: Payload | None = None
    output: Payload | None = None
    """The answer; None where there was none that is a prediction."""
    time: datetime | None = None
    """When the call came, with its zone; None means now."""
    inference_id: str | None = None
    custom_attributes: tuple[str, ...] = ()

    @property
    def largest(self) -> int:
        """The bytes of the larger payload."""
        return max(len(payload.data) if payload else 0 for payload in (self.input, self.output))


def as_line(call: Call, time: datetime, event_id: str, config: DataCaptureConfig) -> bytes:
    r"""The call's record in the service's order of keys, without blanks, and a newline.

    >>> config = DataCaptureConfig(endpoint_name="churn", destination="captures", capture_options=("Output",))
    >>> call, time = Call(output=Payload(b"0.71", "text/csv")), datetime.fromisoformat("2026-01-02T03:04:05.9Z")
    >>> as_line(call, time, "1", config).decode()
    '{"captureData":{"endpointOutput":{"observedContentType":"text/csv","mode":"OUTPUT","data":"0.71","encoding":"CSV"}},"eventMetadata":{"eventId":"1","inferenceTime":"2026-01-02T03:04:05Z"},"eventVersion":"0"}\n'

    Raises:
        orjson.JSONEncodeError: an attribute or a content type is no Unicode text.
    """
    inputs = _side(call.input, "INPUT", config) if "Input" in config.capture_options else None
    outputs = _side(call.output, "OUTPUT", config) if "Output" in config.capture_options else None
    metadata = {
        "eventId": event_id,
        "inferenceId": call.inference_id,
        "customAttributes": call.custom_attributes,
        "inferenceTime": format_time(time.replace(microsecond=0)),
    }
    record = {
        "captureData": _present({"endpointInput": inputs, "endpointOutput": outputs}),
        "eventMetadata": _present(metadata),
        "eventVersion": "0",
    }
    return orjson.dumps(record, option=orjson.OPT_APPEND_NEWLINE)


def _present(values: Mapping[str, object]) -> dict[str, object]:
    return {key: value for key, value in values.items() if value}


def _side(payload: Payload | None, mode: Literal["INPUT", "OUTPUT"], config: DataCaptureConfig) -> object:
    if payload is None:
        return None
    data, encoding = _encoded(payload, config)
    return {"observedContentType": payload.content_type, "mode": mode, "data": data, "encoding": encoding}


def _encoded(payload: Payload, config: DataCaptureConfig) -> tuple[str, str]:
    """The payload as text; bytes that are no UTF-8 go as BASE64 whatever their content type says."""
    media_type = (payload.content_type or "").partition(";")[0].strip().lower()
    for encoding, media_types in (("CSV", config.csv_content_types), ("JSON", config.json_content_types)):
        if media_type in media_types:
            with suppress(UnicodeDecodeError):
                return payload.data.decode(), encoding
            break
    return base64.b64encode(payload.data).decode(), "BASE64"
