"""Records of a known shape, all at once: DuckDB takes apart what has the shape of an example.

A shape is learned from one record that was read by itself. Another record fits it only where reading that one by
itself would give the same; whatever fits no shape is left to `monitor_tasks.tables.records`.
"""

import re
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple, Self

import duckdb
import numpy as np
import orjson
import pyarrow as pa
import pyarrow.compute as pc

from monitor_tasks.endpoint import Records
from monitor_tasks.tables.files import read_rows
from monitor_tasks.tables.ledger import Reason
from monitor_tasks.tables.payloads import (
    Unusable,
    by_shape,
    compiled,
    documents,
    kind_of,
    rows_in,
    rows_of_csv,
    rows_of_json,
    text_of,
)
from monitor_tasks.tables.records import envelope
from monitor_tasks.window import Window

Form = tuple[str, ...] | int
"""What the cells of one side are called; or how many there are, where they have no names."""

SIDES = ("output", "input")
"""The sides of a record, in the order of their columns."""
WIDEST = 1024
"""Cells up to which a shape is worth its query."""

_TOKEN = re.compile(r'"[^"]*"(?P<key>\s*:)?|[^\s,:{}\[\]"]+')


class Engine:
    """DuckDB in memory, with a limit."""

    def __init__(self, memory: str) -> None:
        """An engine that holds at most `memory` beside its answers."""
        settings: dict[str, Any] = {"memory_limit": memory, "threads": 1}
        settings |= {"autoinstall_known_extensions": False, "autoload_known_extensions": False}
        self._connection = duckdb.connect(":memory:", config=settings)

    def ask(self, query: str, rows: pa.Table, values: Mapping[str, Any] | None = None) -> pa.Table:
        """The answer to a query over the table `rows`, with its named values."""
        used = set(re.findall(r"\$(\w+)", query))
        with self._connection.cursor() as cursor:
            cursor.register("rows", rows)
            params = {name: value for name, value in (values or {}).items() if name in used}
            return cursor.sql(query, params=params).to_arrow_table()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._connection.close()


# Lines

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
),
split as (select *, {split} from known),
pieces as (select *, {pieces} from split)
select index, event_id, inference_id, time, component, {attributes}
    hash(event_id) as key, hash({payloads}) as content, between, {cells}
    coalesce(known, false) as known, coalesce(wanted, false) as wanted,
    coalesce(known and wanted and {fits}, false) as fits
from pieces
"""


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

    def parts(self, way: int) -> dict[str, str]:
        """The parts of the query that take a line apart."""
        numbers = {path: number for number, (path, _) in enumerate(self.leaves)}
        lengths, extracted = [], []
        for path, number in numbers.items():
            is_data = path[-1] == "data" and path in TEXTS
            form = ESCAPED if is_data else PLAIN if self.leaves[number][1] else "strlen({0})"
            lengths.append(form.format(f"leaf_{number}"))
            value = "read"
            for depth in range(len(path)):
                value = f"struct_extract({value}, $key_{number}_{depth})"
            extracted.append(f"{value} as leaf_{number}")
        found = {role: f"leaf_{numbers[path]}" if path in numbers else "null::varchar" for role, path in ROLES.items()}
        return {
            "reading": READING[way].format(
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


# Payloads


class Text(NamedTuple):
    """How a payload's text is written."""

    kind: str
    encoding: str
    tail: str
    """The ends of lines behind it."""

    @classmethod
    def of(cls, payload: Mapping[str, Any]) -> Self:
        """How the payload is written."""
        text = text_of(payload)
        return cls(kind_of(payload), payload["encoding"], text[len(text.rstrip("\r\n")) :])

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


class Csv(NamedTuple):
    """One row of so many cells: a CSV reader takes all of them apart together."""

    form: int
    has_gaps: bool
    """Whether cells may be empty."""
    has_quotes: bool
    """Whether cells may be in quotes, with commas but no end of a line in them."""

    @property
    def rows(self) -> int:
        """How many rows each text has."""
        return 1

    @classmethod
    def of(cls, text: str) -> Self | None:
        """The shape of a text that was read; None for one that has several rows."""
        found = rows_of_csv(text)
        width = len(found[0])
        if len(found) > 1 or width > WIDEST:
            return None
        has_quotes = '"' in text
        return cls(width, has_quotes or None in found[0], has_quotes)

    def values(self, side: str) -> dict[str, Any]:
        """The values of the query's parts."""
        cell = r'([^",\r\n]*|"([^"\r\n]|"")*")'
        return {f"{side}_row": f"{cell}(,{cell}){{{self.form - 1}}}"} if self.has_quotes else {}

    def split(self, side: str) -> str:
        """What is done with the text first."""
        return f"0 as {side}_split"

    def pieces(self, _: str) -> list[str]:
        """What is done then."""
        return []

    def fits(self, side: str) -> str:
        """Whether the text has this shape."""
        text = f"{side}_text"
        if self.has_quotes:
            return f"{text} <> '' and regexp_full_match({text}, ${side}_row)"
        fits = [f"{text} <> ''", *(f"not contains({text}, {mark})" for mark in ("'\"'", "chr(10)", "chr(13)"))]
        fits.append(f"strlen({text}) - strlen(replace({text}, ',', '')) = {self.form - 1}")
        if not self.has_gaps:
            fits += [f"not contains({text}, ',,')", f"not starts_with({text}, ',')", f"not ends_with({text}, ',')"]
        return " and ".join(fits)

    def cells(self, side: str) -> list[str]:
        """The whole text, as a line."""
        return [f"{side}_text" if self._is_cell else f"{side}_text || chr(10)"]

    def finished(self, cells: list[pa.ChunkedArray]) -> list[pa.ChunkedArray]:
        """The cells of all texts that fit."""
        (lines,) = cells
        if self._is_cell:
            return cells
        if not len(lines):
            return [pa.chunked_array([], pa.string())] * self.form
        text = lines.combine_chunks()
        start, end = (np.frombuffer(text.buffers()[1], np.int32)[text.offset + place] for place in (0, len(text)))
        content = text.buffers()[2].slice(int(start), int(end - start))
        names = [str(number) for number in range(self.form)]
        return list(read_rows(content, names, is_plain=not self.has_quotes, has_gaps=self.has_gaps).columns)

    @property
    def _is_cell(self) -> bool:
        return self.form == 1 and not self.has_quotes


class Json(NamedTuple):
    """JSON of the same keys and brackets around its plain values."""

    before: tuple[str, ...]
    after: tuple[str, ...]
    """What stands around each value, up to the comma."""
    form: Form
    numbers: tuple[tuple[int, ...], ...]
    """For every row the numbers of the values that are its cells."""
    are_numbers: tuple[bool, ...]
    """For every value whether it is a number; a number may be missing."""
    drops_nulls: bool
    """Whether a missing value may change which others are found."""

    @property
    def rows(self) -> int:
        """How many rows each text has."""
        return len(self.numbers)

    @classmethod
    def of(cls, text: str, paths: Mapping[str, str], settings: Records) -> Self | None:
        """The shape of a text that was read before."""
        text = text.rstrip("\r\n")
        if re.search(r"[\\\n\r\t]", text) or not all(by_shape(compiled(path).parsed) for path in paths.values()):
            return None
        tokens = [found for found in _TOKEN.finditer(text) if not found["key"]]
        ends = [0, *(end for found in tokens for end in found.span()), len(text)]
        first, *others = (text[start:end] for start, end in zip(ends[::2], ends[1::2], strict=True))
        outside = first + "".join(others[-1:]) + "".join(found[0] for found in tokens)
        if not 0 < len(tokens) <= WIDEST or "," in outside or any(one.count(",") != 1 for one in others[:-1]):
            return None
        marked = "".join(f'{one}"{MARK}{number}"' for number, one in enumerate([first, *others[:-1]])) + others[-1]
        try:
            rows = [row for one in documents(marked, settings.limits.depth) for row in rows_in(one, paths)]
            numbers = tuple(tuple(map(_number, row.values() if isinstance(row, dict) else row)) for row in rows)
        except (Unusable, ValueError):
            return None
        forms: set[Form] = {tuple(row) if isinstance(row, dict) else len(row) for row in rows}
        if len(forms) != 1 or (len(rows) > 1 and not settings.split_rows):
            return None
        are_numbers = tuple(found[0][0] in "-0123456789" for found in tokens)
        before, after = zip(*(one.split(",") for one in others[:-1]), strict=True) if others[:-1] else ((), ())
        return cls((first, *after), (*before, others[-1]), forms.pop(), numbers, are_numbers, bool(paths))

    def values(self, side: str) -> dict[str, Any]:
        """The values of the query's parts."""
        opened = sum(one.count("[") + one.count("{") for one in self.before)
        values: dict[str, Any] = {f"{side}_opened": opened, f"{side}_value": VALUE}
        values |= {f"{side}_before_{number}": before for number, before in enumerate(self.before)}
        return values | {f"{side}_after_{number}": after for number, after in enumerate(self.after)}

    def split(self, side: str) -> str:
        """What is done with the text first."""
        return f"string_split({side}_text, ',') as {side}_split"

    def pieces(self, side: str) -> list[str]:
        """What is done then."""
        pieces = []
        for number, (before, after) in enumerate(zip(self.before, self.after, strict=True)):
            piece = f"{side}_split[{number + 1}]"
            stands = f"starts_with({piece}, ${side}_before_{number})"
            stands += f" and ends_with({piece}, ${side}_after_{number})" if after else ""
            inner = f"{piece}[{len(before) + 1}:{-len(after) - 1 if after else ''}]"
            pieces.append(f"case when {stands} then {inner} end as {side}_value_{number}")
        return pieces

    def fits(self, side: str) -> str:
        """Whether the text has this shape."""
        fits = [f"len({side}_split) = {len(self.before)}", PLAIN_JSON.format(side=side)]
        for number, is_number in enumerate(self.are_numbers):
            fits.append(
                (NUMBER if is_number else "regexp_full_match({0}, ${1}_value)").format(f"{side}_value_{number}", side)
            )
        fits += [f"not contains({side}_text, 'null')"] if self.drops_nulls else []
        return " and ".join(fits)

    def cells(self, side: str) -> list[str]:
        """The cells, row by row."""
        forms = ["nullif({0}, 'null')" if is_number else CELL for is_number in self.are_numbers]
        return [forms[number].format(f"{side}_value_{number}") for row in self.numbers for number in row]

    def finished(self, cells: list[pa.ChunkedArray]) -> list[pa.ChunkedArray]:
        """The cells of all texts that fit; their rows follow each other."""
        if self.rows == 1:
            return cells
        width = len(self.numbers[0])
        order = pa.array(np.arange(len(cells[0]) * self.rows).reshape(self.rows, -1).T.ravel())
        columns = [[chunk for column in cells[number::width] for chunk in column.chunks] for number in range(width)]
        return [pa.chunked_array(column, pa.string()).take(order) for column in columns]


Payload = Csv | Json

MARK = "\\u0000"
PLAIN_JSON = r"""
not contains({side}_text, '\') and not contains({side}_text, chr(10)) and not contains({side}_text, chr(13))
and not contains({side}_text, chr(9)) and not contains({side}_text, ' ,') and not contains({side}_text, ' }}')
and not contains({side}_text, ' ]') and json_valid({side}_text)
and strlen({side}_text) - strlen(replace(replace({side}_text, '{{', ''), '[', '')) = ${side}_opened
"""
VALUE = r"""-?[0-9][0-9.eE+-]*|true|false|null|"[^"]*\""""
# DuckDB's JSON knows nan and inf, which Python's does not; all else that a number needs, json_valid has seen.
NUMBER = "({0} >= '0' and {0} < ':' or {0} >= '-0' and {0} < '-:' or {0} = 'null')"
CELL = """
case when {0} < ':' and {0} >= '-' then {0} when starts_with({0}, '"') then {0}[2:-2] when {0} <> 'null' then {0} end
"""


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
                side: _payload(payload, settings.paths(side.capitalize()), settings) for side, payload in there.items()
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
            (between,) = shape._ask(rows, 0, engine, settings, None)["between"].to_pylist()
        except duckdb.Error:
            return None
        return shape._replace(between=between) if between is not None else None

    @property
    def rows(self) -> int:
        """How many rows each record has."""
        return next(iter(self.payloads.values())).rows

    def read(self, lines: pa.Table, engine: Engine, settings: Records, window: Window | None) -> Read:
        """The lines (columns index, line) taken apart."""
        for way in range(len(READING)):
            try:
                found = self._ask(lines, way, engine, settings, window)
                break
            except (duckdb.InvalidInputException, duckdb.ConversionException):
                if way == len(READING) - 1:
                    raise
        cells = [name for name in found.column_names if name.startswith("cell_")]
        fitting = found.select(cells) if pc.all(found["fits"]).as_py() else found.select(cells).filter(found["fits"])
        sides = {}
        for side, payload in self.payloads.items():
            own = [fitting[name] for name in cells if name.startswith(f"cell_{side}")]
            sides[side] = payload.finished(own)
        return Read(found.drop_columns(cells), sides)

    def _ask(self, lines: pa.Table, way: int, engine: Engine, settings: Records, window: Window | None) -> pa.Table:
        values = {**self.envelope.values(), "between": self.between}
        values["earliest"] = _microseconds(EARLIEST)
        bounds = (window.start, window.end) if window else (EARLIEST, LATEST)
        values |= dict(zip(("start", "end"), map(_microseconds, bounds), strict=True))
        for number, name in enumerate(settings.custom_attributes):
            values[f"attribute_{number}"] = f'.*"{re.escape(name)}=([^"]*)"'
        decoded, trimmed, split, pieces, fits, cells = [], [], [], ["0 as nothing"], [], []
        known = ["true"]
        for side, payload in self.payloads.items():
            values |= payload.values(side)
            text = self.texts[side]
            values[f"{side}_tail"] = text.tail
            decoded.append(f"{text.decoded(side, careful=way > 0)} as {side}_whole, ")
            trimmed.append(f"{text.trimmed(side)} as {side}_text, ")
            known.append(text.known(side))
            split.append(payload.split(side))
            pieces += payload.pieces(side)
            fits.append(payload.fits(side))
            cells += [f"{cell} as cell_{side}_{number}, " for number, cell in enumerate(payload.cells(side))]
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
            split=", ".join(split),
            pieces=", ".join(pieces),
            fits=" and ".join(fits),
            cells="".join(cells),
            payloads=", ".join(f"{side}_data" for side in SIDES),
            attributes="".join(
                f"nullif(regexp_extract(attributes, $attribute_{number}, 1), '') as attribute_{number}, "
                for number in range(len(settings.custom_attributes))
            ),
        )
        return engine.ask(query, lines, values)


def _payload(payload: Mapping[str, Any], paths: Mapping[str, str], settings: Records) -> Payload | None:
    text = text_of(payload)
    if kind_of(payload) == "CSV":
        return Csv.of(text)
    rows_of_json(text, paths, settings.limits.depth)
    return Json.of(text, paths, settings)


ATTRIBUTES = ROLES["attributes"]
EARLIEST, LATEST = datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC)


def _microseconds(moment: datetime) -> int:
    return (moment - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)


def _number(cell: str | None) -> int:
    """The number of the value that a marked cell is."""
    if cell is None or not cell.startswith("\0"):
        raise ValueError("the cell is not one plain value")
    return int(cell[1:])
