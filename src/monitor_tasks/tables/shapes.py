"""Records of a known shape, all at once: DuckDB takes apart what has the shape of an example.

A shape is learned from one record that was read by itself. Another record fits it only where reading that one by
itself would give the same; whatever fits no shape is left to `monitor_tasks.tables.records`.
"""

import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple, Self

import duckdb
import orjson
import pyarrow as pa
import pyarrow.compute as pc

from monitor_tasks.endpoint import Records
from monitor_tasks.tables.engine import Engine
from monitor_tasks.tables.ledger import Reason
from monitor_tasks.tables.payload_shapes import Payload, Text, payload_of
from monitor_tasks.tables.payloads import Unusable
from monitor_tasks.tables.records import SIDES as WHOLE
from monitor_tasks.tables.records import envelope
from monitor_tasks.window import Window

SIDES = tuple(side.lower() for side, _, _ in WHOLE)
"""The sides of a record, in the order of their columns."""

ROLES = {
    "event_id": ("eventMetadata", "eventId"),
    "inference_id": ("eventMetadata", "inferenceId"),
    "moment": ("eventMetadata", "inferenceTime"),
    "component": ("eventMetadata", "inferenceComponentName"),
    "attributes": ("eventMetadata", "customAttributes"),
    **{
        f"{side}_{name}": ("captureData", f"endpoint{side.capitalize()}", key)
        for side in SIDES
        for name, key in (("type", "observedContentType"), ("encoding", "encoding"), ("data", "data"))
    },
}
"""Where in a record the values stand that mean something to us."""
TEXTS = {path for role, path in ROLES.items() if role != "attributes"}
"""The paths where only a text will do."""

READING = (
    "from_json_strict(line, $structure)",
    "from_json_strict(case when json_valid(line) then line end, $structure)",
    "from_json_strict(case when json_valid(line) and {keys} then line end, $structure)",
    "try(from_json_strict(case when json_valid(line) and {keys} then line end, $structure))",
)
"""Ways to read lines of one structure, each more forgiving and slower: a query ends at the first line of another."""

# A text is as long in its line as it is by itself, with two quotes and a backslash before some of its characters.
PLAIN = "coalesce(strlen({0}) + 2, 4)"
ESCAPED = """coalesce(strlen({0}) + 2 + case when contains({0}, '"') or contains({0}, '\\') or contains({0}, chr(10))
    then 3 * strlen({0}) - strlen(replace({0}, '"', '')) - strlen(replace({0}, '\\', ''))
        - strlen(replace({0}, chr(10), '')) else 0 end, 4)"""

LINES = """
with reading as (select index, line, {reading} as read from rows),
leaves as (select index, line, {leaves} from reading),
named as (select * exclude (line), strlen(line) - ({length}) as between, {roles} from leaves),
decoded as (
    select *, {decoded} epoch_us(try_strptime(moment, '%Y-%m-%dT%H:%M:%SZ')) as time from named
),
known as (
    select *, {trimmed} time >= $start and time < $end as wanted,
        between = $between and event_id <> '' and strlen(moment) = 20 and time >= $earliest and {known} as known
    from decoded
)
select index, event_id, inference_id, time, component, {attributes}
    hash(event_id) as key, hash({payloads}) as content, between, {texts}
    coalesce(known, false) as known, coalesce(wanted, false) as wanted,
    coalesce(known and wanted and {fits}, false) as fits
from known
"""


class Way(NamedTuple):
    """How lines are read."""

    reading: int
    """Which of `READING`."""
    is_plain: bool
    """Whether no line holds a backslash: then texts are in their lines as they are."""


class Envelope(NamedTuple):
    """The shape of a line but for its texts: its keys, and how many bytes stand between the texts."""

    structure: str
    leaves: tuple[tuple[tuple[str, ...], bool], ...]
    """The path to every value that is no object, and whether it is a text."""

    @classmethod
    def of(cls, content: Any) -> Self | None:
        """The shape of what was read from a line; None where it is too strange to be one."""
        leaves = dict(_leaves(content, ()))
        if len(leaves) > 64 or any(path in TEXTS and not is_text for path, is_text in leaves.items()):
            return None
        return cls(orjson.dumps(_structure(content)).decode(), tuple(leaves.items()))

    def values(self) -> dict[str, Any]:
        """The values of the query's parts."""
        values: dict[str, Any] = {"structure": self.structure}
        for number, (path, _) in enumerate(self.leaves):
            values |= {f"key_{number}_{depth}": key for depth, key in enumerate(path)}
            values[f"quoted_{number}"] = f'"{path[-1]}"'
        return values

    def parts(self, way: Way) -> dict[str, str]:
        """The parts of the query that take a line apart."""
        numbers = {path: number for number, (path, _) in enumerate(self.leaves)}
        lengths, extracted = [], []
        for path, number in numbers.items():
            is_data = path[-1] == "data" and path in TEXTS
            form = ESCAPED if is_data and not way.is_plain else PLAIN if self.leaves[number][1] else "strlen({0})"
            lengths.append(form.format(f"leaf_{number}"))
            value = "read"
            for depth in range(len(path)):
                value = f"struct_extract({value}, $key_{number}_{depth})"
            extracted.append(f"{value} as leaf_{number}")
        found = {role: f"leaf_{numbers[path]}" if path in numbers else "null::varchar" for role, path in ROLES.items()}
        return {
            "reading": READING[way.reading].format(
                keys=" and ".join(f"contains(line, $quoted_{number})" for number in numbers.values())
            ),
            "leaves": ", ".join(extracted),
            "length": " + ".join(lengths),
            "roles": ", ".join(f"{leaf} as {role}" for role, leaf in found.items()),
        }

    def has(self, side: str) -> bool:
        """Whether the line has a payload of the side."""
        return ROLES[f"{side}_data"] in dict(self.leaves)


def _leaves(value: Any, path: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], bool]]:
    if isinstance(value, dict) and value:
        for key, one in value.items():
            yield from _leaves(one, (*path, key))
    else:
        yield path, isinstance(value, str | None)


def _structure(value: Any) -> Any:
    return {key: _structure(one) for key, one in value.items()} if isinstance(value, dict) and value else "VARCHAR"


class Read(NamedTuple):
    """What became of lines that were read by a shape."""

    found: pa.Table
    """The lines in their order: who they are, whether that is known, wanted, and fits."""
    cells: dict[str, list[pa.ChunkedArray]]
    """The cells of either side, of those that fit."""


class Shape(NamedTuple):
    """How whole records look alike."""

    envelope: Envelope
    texts: dict[str, Text]
    """How the payload of either side that is there is written."""
    payloads: dict[str, Payload]
    """Its shape."""
    between: int = -1

    @classmethod
    def of(cls, line: str, engine: Engine, settings: Records) -> Self | None:
        """The shape of a line; None where it has none that others could have too."""
        try:
            content = envelope(line.encode(), "captureData", Reason, Reason.NOT_A_RECORD, settings.limits.depth)
            found = Envelope.of(content)
            if found is None or any(not found.has(side.lower()) for side in settings.capture_options):
                return None
            there = {side: content["captureData"][f"endpoint{side.capitalize()}"] for side in SIDES if found.has(side)}
            payloads = {
                side: payload_of(payload, settings.paths(side.capitalize()), settings)
                for side, payload in there.items()
            }
            texts = {side: Text.of(payload) for side, payload in there.items()}
        except Unusable:
            return None
        known = {side: payload for side, payload in payloads.items() if payload is not None}
        widths = [len(one.form) if isinstance(one.form, tuple) else one.form for one in known.values()]
        alike = len({payload.rows for payload in known.values()}) == 1
        if len(known) < len(payloads) or not alike or max(widths) > settings.limits.columns:
            return None
        shape = cls(found, texts, known)
        rows = pa.table({"index": [0], "line": pa.array([line], pa.large_string())})
        try:
            (between,) = shape._ask(rows, Way(0, False), engine, settings, None)["between"].to_pylist()
        except duckdb.Error:
            return None
        return shape._replace(between=between) if between is not None else None

    @property
    def rows(self) -> int:
        """How many rows each record has."""
        return next(iter(self.payloads.values())).rows

    def read(
        self, lines: pa.Table, engine: Engine, settings: Records, window: Window | None, *, is_plain: bool = False
    ) -> Read:
        """The lines (columns index, line) taken apart; plain ones have no backslash."""
        for reading in range(len(READING)):
            try:
                found = self._ask(lines, Way(reading, is_plain), engine, settings, window)
                break
            except (duckdb.InvalidInputException, duckdb.ConversionException):
                if reading == len(READING) - 1:
                    raise
        sides = self._sides(found)
        if sides is None:
            found = found.set_column(found.column_names.index("fits"), "fits", self._sifted(found))
            sides = self._sides(found)
        return Read(found.drop_columns([f"{side}_line" for side in self.payloads]), sides or {})

    def _sides(self, found: pa.Table) -> dict[str, list[pa.ChunkedArray]] | None:
        """The cells of the lines that fit; None where some of these do not."""
        all_fit, sides = pc.all(found["fits"]).as_py(), {}
        for side, payload in self.payloads.items():
            lines = found[f"{side}_line"]
            cells = payload.finished(lines if all_fit else lines.filter(found["fits"]))
            if cells is None:
                return None
            sides[side] = cells
        return sides

    def _sifted(self, found: pa.Table) -> pa.ChunkedArray:
        """Which lines fit, looked at one by one."""
        fits = found["fits"]
        for side, payload in self.payloads.items():
            seen = payload.sifted(found[f"{side}_line"])
            fits = fits if seen is None else pc.and_(fits, seen)
        return fits

    def _ask(self, lines: pa.Table, way: Way, engine: Engine, settings: Records, window: Window | None) -> pa.Table:
        values = {**self.envelope.values(), "between": self.between}
        values["earliest"] = _microseconds(EARLIEST)
        bounds = (window.start, window.end) if window else (EARLIEST, LATEST)
        values |= dict(zip(("start", "end"), map(_microseconds, bounds), strict=True))
        for number, name in enumerate(settings.custom_attributes):
            values[f"attribute_{number}"] = f'.*"{re.escape(name)}=([^"]*)"'
        decoded, trimmed, fits, texts = (list[str]() for _ in range(4))
        known = ["true"]
        for side, payload in self.payloads.items():
            values |= payload.values(side)
            text = self.texts[side]
            values[f"{side}_tail"] = text.tail
            decoded.append(f"{text.decoded(side, careful=way.reading > 0)} as {side}_whole, ")
            trimmed.append(f"{text.trimmed(side)} as {side}_text, ")
            known.append(text.known(side))
            fits.append(payload.fits(side))
            texts.append(f"{payload.line(side)} as {side}_line, ")
        for number, (path, is_text) in enumerate(self.envelope.leaves):
            if not is_text and path != ATTRIBUTES:
                known.append(f"not coalesce(regexp_matches(leaf_{number}, '(?i)nan|inf'), false)")
        if settings.custom_attributes and ATTRIBUTES in dict(self.envelope.leaves):
            known.append(r"""regexp_full_match(attributes, '\["[^"\\]*"(,"[^"\\]*")*\]')""")
        query = LINES.format(
            **self.envelope.parts(way),
            decoded="".join(decoded),
            trimmed="".join(trimmed),
            known=" and ".join(known),
            fits=" and ".join(fits),
            texts="".join(texts),
            payloads=", ".join(f"{side}_data" for side in SIDES),
            attributes="".join(
                f"nullif(regexp_extract(attributes, $attribute_{number}, 1), '') as attribute_{number}, "
                for number in range(len(settings.custom_attributes))
            ),
        )
        return engine.ask(query, lines, values)


ATTRIBUTES = ROLES["attributes"]
EARLIEST, LATEST = datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC)


def _microseconds(moment: datetime) -> int:
    return (moment - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)
