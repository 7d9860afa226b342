"""The ledger of what became of each captured record: read = used + quarantined + duplicate + out of window."""

import json
from collections import Counter
from collections.abc import Collection
from enum import StrEnum
from typing import NamedTuple

FATES = ("used", "quarantined", "duplicate", "out_of_window")
EXCERPT = 200


class Reason(StrEnum):
    """Why a record is quarantined."""

    NOT_UTF8 = "not_utf8"
    NOT_JSON = "not_json"
    NOT_A_RECORD = "not_a_record"
    NO_EVENT_ID = "no_event_id"
    UNPARSABLE_TIME = "unparsable_time"
    NO_INPUT = "no_input"
    NO_OUTPUT = "no_output"
    BAD_ENCODING = "bad_encoding"
    BAD_PAYLOAD = "bad_payload"
    SEVERAL_ROWS = "several_rows"
    COLUMN_COUNT = "column_count"


class Place(NamedTuple):
    """Where a record stands: orders records as SageMaker reads them."""

    object: str
    line: int
    offset: int


class Quarantined(NamedTuple):
    """One record that could not be used, and why."""

    place: Place
    reason: StrEnum
    explanation: str
    excerpt: str

    @classmethod
    def of(cls, place: Place, text: bytes, reason: StrEnum, explanation: str) -> "Quarantined":
        """The record with a bounded excerpt of its text in which nothing can break a line or run as a formula."""
        return cls(place, reason, explanation, ascii(text[:EXCERPT].decode(errors="replace"))[1:-1])


class Ledger:
    """Counts per object; every record has exactly one fate."""

    def __init__(self, fates: tuple[str, ...] = FATES) -> None:
        """An empty ledger; `fates` are what may become of a record."""
        self._known = fates
        self._fates: Counter[tuple[str, str]] = Counter()
        self._reasons: Counter[str] = Counter()
        self._objects: dict[str, str] = {}
        self.conflicts = 0
        """Duplicates whose content differs from the record that counted."""

    def open(self, name: str, sha256: str) -> None:
        """Notes an object that is read, even when it holds no record."""
        self._objects[name] = sha256

    def note(self, place: Place, fate: str, reason: StrEnum | None = None) -> None:
        """Notes what became of one record."""
        self._fates[place.object, fate] += 1
        if reason is not None:
            self._reasons[reason.value] += 1

    @property
    def totals(self) -> dict[str, int]:
        """The counts of all objects; `read` is their sum by construction."""
        return self._counts(self.objects)

    @property
    def objects(self) -> dict[str, str]:
        """The sha256 of every object that was read, by its name."""
        return dict(sorted(self._objects.items()))

    def to_json(self) -> bytes:
        """The ledger as canonical JSON."""
        content = {
            "schema_version": 1,
            "totals": self.totals,
            "conflicts": self.conflicts,
            "reasons": dict(sorted(self._reasons.items())),
            "objects": {name: {"sha256": sha256, **self._counts([name])} for name, sha256 in self.objects.items()},
        }
        return json.dumps(content, indent=2).encode()

    def _counts(self, names: Collection[str]) -> dict[str, int]:
        counts = {fate: sum(self._fates[name, fate] for name in names) for fate in self._known}
        return {"read": sum(counts.values()), **counts}


def quarantine_lines(quarantined: list[Quarantined]) -> bytes:
    """The quarantined records as JSON Lines, in the order in which they were read."""
    lines = [
        json.dumps({**one.place._asdict(), **dict(zip(Quarantined._fields[1:], one[1:], strict=True))})
        for one in sorted(quarantined)
    ]
    return "".join(line + "\n" for line in lines).encode()
