"""The ledger of what became of each captured record: read = used + quarantined + duplicate + out of window."""

import json
from collections import Counter
from collections.abc import Collection
from enum import StrEnum
from typing import Any, NamedTuple

from monitor_tasks.value import STORED

FATES = ("used", "quarantined", "duplicate", "out_of_window")
EXCERPT = 200


class Reason(StrEnum):
    """Why a record is quarantined."""

    NOT_JSON = "not_json"
    NOT_A_RECORD = "not_a_record"
    DUPLICATE_KEY = "duplicate_key"
    TOO_DEEP = "too_deep"
    NO_EVENT_ID = "no_event_id"
    UNPARSABLE_TIME = "unparsable_time"
    NO_INPUT = "no_input"
    NO_OUTPUT = "no_output"
    BAD_ENCODING = "bad_encoding"
    BAD_PAYLOAD = "bad_payload"
    SEVERAL_ROWS = "several_rows"
    ROW_COUNT = "row_count"
    TOO_MANY_COLUMNS = "too_many_columns"
    COLUMN_COUNT = "column_count"
    HOOK_SKIPPED = "hook_skipped"
    HOOK_RESULT = "hook_result"
    HOOK_FAILED = "hook_failed"


class Place(NamedTuple):
    """Where a record stands: orders records as SageMaker reads them."""

    object: str
    line: int
    offset: int


class Quarantined(NamedTuple):
    """One record that could not be used, and why."""

    place: Place
    reason: str
    explanation: str
    excerpt: str

    @classmethod
    def of(cls, place: Place, text: bytes, reason: StrEnum, explanation: str) -> "Quarantined":
        """The record with a bounded excerpt of its text in which nothing can break a line or run as a formula."""
        return cls(place, reason.value, explanation, ascii(text[:EXCERPT].decode(errors="replace"))[1:-1])


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

    def note(self, name: str, fate: str, reason: str | None = None, count: int = 1) -> None:
        """Notes what became of records of the object `name`."""
        self._fates[name, fate] += count
        if reason is not None:
            self._reasons[str(reason)] += count

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
        return json.dumps(self.told, indent=2).encode()

    @property
    def told(self) -> dict[str, Any]:
        """All that the ledger says."""
        return {
            "schema_version": STORED["ledger.json"],
            "totals": self.totals,
            "conflicts": self.conflicts,
            "reasons": dict(sorted(self._reasons.items())),
            "objects": {name: {"sha256": sha256, **self._counts([name])} for name, sha256 in self.objects.items()},
        }

    def _counts(self, names: Collection[str]) -> dict[str, int]:
        counts = {fate: sum(self._fates[name, fate] for name in names) for fate in self._known}
        return {"read": sum(counts.values()), **counts}


def quarantine_line(one: Quarantined) -> bytes:
    """A quarantined record as a line of JSON Lines."""
    told = {**one.place._asdict(), **dict(zip(Quarantined._fields[1:], one[1:], strict=True))}
    return json.dumps(told).encode() + b"\n"
