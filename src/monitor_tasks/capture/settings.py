"""What is captured, where it goes, and how much may wait for it."""

from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from monitor_tasks.value import Address, Value

Side = Literal["Input", "Output"]
Name = Annotated[str, Field(pattern=r"^[a-zA-Z0-9]([-_]*[a-zA-Z0-9]){0,62}$")]
MediaTypes = Annotated[
    tuple[Annotated[str, Field(pattern=r"^[^\s;/]+/[^\s;/]+$", max_length=256), AfterValidator(str.lower)], ...],
    Field(max_length=10),
]


class DataCaptureConfig(Value):
    """SageMaker's ``DataCaptureConfig`` for a server of one's own, and the bounds of what waits in memory."""

    endpoint_name: Name
    destination: Address
    """The folder or URL below which ``endpoint_name/variant_name/yyyy/MM/dd/HH`` lie."""
    variant_name: Name = "AllTraffic"
    enable_capture: bool = True
    initial_sampling_percentage: int = Field(20, ge=0, le=100)
    """How many calls of a hundred are captured; every call is drawn for by itself."""
    capture_options: tuple[Side, ...] = Field(("Input", "Output"), min_length=1)
    """Which sides of a call its record has."""
    csv_content_types: MediaTypes = ("text/csv",)
    """Media types, without parameters, whose payloads are stored as text with the encoding ``CSV``."""
    json_content_types: MediaTypes = ("application/json",)
    """The same for ``JSON``; a payload that neither list names is stored as ``BASE64``."""
    body_bytes: int = Field(1 << 20, ge=1)
    """The largest payload, in bytes; a call with a larger one is dropped as too large."""
    file_bytes: int = Field(4 << 20, ge=1)
    """A file is sent when it has so many bytes."""
    file_seconds: float = Field(60, gt=0)
    """A file is sent when its first record is so old; one never holds records of two hours."""
    waiting_bytes: int = Field(64 << 20, ge=1)
    """So many bytes of records may wait in memory; what comes on top is dropped."""
    waiting_records: int = Field(100_000, ge=1)
    """So many records may wait in memory."""
    closing_seconds: float = Field(10, ge=0)
    """How long closing may take to send what still waits."""
