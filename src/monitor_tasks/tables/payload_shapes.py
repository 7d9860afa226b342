"""How payloads are written, and the shape of each: what others must look like to be taken apart together with it."""

from collections.abc import Mapping
from typing import Any, NamedTuple, Self

from monitor_tasks.inputs import Records
from monitor_tasks.tables.csv_shapes import Csv
from monitor_tasks.tables.json_shapes import Json
from monitor_tasks.tables.payloads import kind_of, rows_of_json, text_of

Payload = Csv | Json


class Text(NamedTuple):
    """How a payload's text is written."""

    kind: str
    type: str
    """What the server said it is."""
    encoding: str
    tail: str
    """The ends of lines behind it."""

    @classmethod
    def of(cls, payload: Mapping[str, Any]) -> Self:
        """How the payload is written."""
        text = text_of(payload)
        told = str(payload.get("observedContentType") or "")
        return cls(kind_of(payload), told, payload["encoding"], text[len(text.rstrip("\r\n")) :])

    def decoded(self, side: str, careful: bool) -> str:
        """The whole text."""
        if self.encoding != "BASE64":
            return f"{side}_data"
        return f"try(decode(from_base64({side}_data)))" if careful else f"decode(from_base64({side}_data))"

    def trimmed(self, side: str) -> str:
        """The text without its tail."""
        return f"{side}_whole[:{-len(self.tail) - 1}]" if self.tail else f"{side}_whole"

    def known(self, side: str) -> str:
        """Whether the text is written in this way."""
        said = f"{side}_encoding = '{self.encoding}' and {side}_whole is not null"
        said += f" and ends_with({side}_whole, ${side}_tail)" if self.tail else ""
        if self.encoding != "BASE64":
            return said
        return f"{said} and {'not ' if self.kind == 'CSV' else ''}coalesce(contains({side}_type, 'json'), false)"


def payload_of(payload: Mapping[str, Any], paths: Mapping[str, str], settings: Records) -> Payload | None:
    """The shape of a payload; None where it has none that others could have too."""
    text = text_of(payload)
    if kind_of(payload) == "CSV":
        return Csv.of(text)
    rows_of_json(text, paths, settings.limits.depth)
    return Json.of(text, paths, settings)
