"""Records of a known shape, all at once: cut at their commas where they are written alike, else parsed by DuckDB.

A shape is learned from one record that was read by itself. Another record fits it only where reading that one by
itself would give the same; whatever fits no shape is left to `monitor_tasks.tables.records`.
"""

import re
from collections.abc import Collection, Iterable, Mapping
from datetime import UTC, datetime, timedelta
from functools import lru_cache, partial
from typing import Any, NamedTuple, Self

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from monitor_tasks.inputs import Records
from monitor_tasks.tables.engine import Engine
from monitor_tasks.tables.envelopes import ATTRIBUTES, READING, ROLES, SIDES, Envelope
from monitor_tasks.tables.ledger import Reason
from monitor_tasks.tables.marks import Mask, in_one_piece
from monitor_tasks.tables.payload_shapes import Payload, Text, payload_of
from monitor_tasks.tables.payloads import Unusable
from monitor_tasks.tables.pieces import Piece
from monitor_tasks.tables.records import Broken, envelope, identified
from monitor_tasks.tables.templates import Path, Role, Template
from monitor_tasks.window import Window, parse_time

CUT_OUT: dict[Path, str] = {
    path: role for role, path in ROLES.items() if path[-1] not in ("observedContentType", "encoding", *ATTRIBUTES)
}
"""The texts that a template cuts out of a line."""

IDS = ("event_id", "inference_id", "component")
"""What tells who a record is."""
MOMENT = pa.timestamp("us", "UTC")
Pieces = Mapping[str, list[pa.StringArray]]
CUT = "named as (select {roles} from rows)"
CONTENT = """case when contains({0}, '"') or suffix({0}, chr(10)) or suffix({0}, chr(13))
    then rtrim(replace({0}, '"', '\\"'), chr(13) || chr(10)) else {0} end"""
"""A payload as JSON writes it, without the ends of lines behind it: it tells records that bear one id apart."""

KEYS = "select hash(event_id) as key, hash({contents}) as content, event_id <> '' as known, known as fits from rows"
LINES = """
with {named},
decoded as (select {decoded} * from named),
known as (select {trimmed} *, event_id <> '' and {known} as known from decoded)
select {texts} hash(event_id) as key, hash({contents}) as content,
    coalesce(known, false) as known, coalesce(known and {fits}, false) as fits
from known
"""


class Read(NamedTuple):
    """What became of lines that were read by a shape."""

    found: pa.Table
    """Those whose records are known, in their order: who they are, when, whether that is wanted, and fits."""
    cells: dict[str, list[pa.ChunkedArray]]
    """The cells of either side, of those that fit."""
    rest: pa.Table
    """The other lines."""


class Shape(NamedTuple):
    """How whole records look alike."""

    envelope: Envelope
    texts: dict[str, Text]
    """How the payload of either side that is there is written."""
    payloads: dict[str, Payload]
    """Its shape."""
    template: Template | None = None
    """The bytes around the texts of those that say the same in the same order."""
    between: int = -1

    @classmethod
    def of(cls, line: str, engine: Engine, settings: Records) -> Self | None:
        """The shape of a line; None where it has none that others could have too."""
        try:
            content = envelope(line.encode(), "captureData", Reason, Reason.NOT_A_RECORD, settings.limits.depth)
            whole = Envelope.of(content)
            if whole is None or any(not whole.has(side.lower()) for side in settings.capture_options):
                return None
            there = {side: content["captureData"][f"endpoint{side.capitalize()}"] for side in SIDES if whole.has(side)}
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
        pieces = {side: payload.pieces for side, payload in known.items() if texts[side].encoding != "BASE64"}
        shape = cls(whole, texts, known, _template(line, settings, pieces))
        rows = pa.table({"index": [0], "line": pa.array([line], pa.large_string())})
        try:
            found = engine.ask(shape._reading(0, settings), rows, shape._values(settings))
        except duckdb.Error:
            return None
        (between,) = found["between"].to_pylist()
        return shape._replace(between=between) if between is not None else None

    @property
    def rows(self) -> int:
        """How many rows each record has."""
        return next(iter(self.payloads.values())).rows

    def cut(self, lines: pa.Table, engine: Engine, settings: Records, window: Window | None) -> Read | None:
        """The lines (columns index, line) cut at their commas; None where that cannot be."""
        if self.template is None:
            return None
        among, (texts, pieces) = self.template.cut(in_one_piece(lines["line"]))
        if not among.any():
            return None
        for name in texts.keys() & {*attributes_of(settings)}:
            texts[name] = pc.if_else(pc.equal(texts[name], ""), None, texts[name])
        sides = [side for side in self.payloads if f"{side}_data" not in pieces]
        if sides:
            named, lines_of = self._named(texts, sides), self._lines(sides)
            queries = (self._query(named, ["true"], lines_of, sides, careful) for careful in (False, True))
            found = _answer(engine, queries, pa.table(texts), self._values(settings))
        else:
            found = engine.ask(KEYS.format(contents=self._contents(sides)), pa.table(texts))
        # What is at hand is not asked for: all that comes in one answer stays in memory as long as a part of it does.
        found = found.append_column("index", lines["index"].filter(pa.array(among)))
        for name in (*IDS, "moment", *attributes_of(settings)):
            found = found.append_column(name, texts.get(name, pa.nulls(found.num_rows, pa.string())))
        return self._taken(found, pieces, lines, among, window)

    def read(self, lines: pa.Table, engine: Engine, settings: Records, window: Window | None) -> Read:
        """The lines taken apart by a parser."""
        queries = (self._reading(number, settings) for number in range(len(READING)))
        found = _answer(engine, queries, lines, self._values(settings))
        return self._taken(found, {}, lines, np.ones(lines.num_rows, bool), window)

    def _taken(self, found: pa.Table, pieces: Pieces, lines: pa.Table, among: Mask, window: Window | None) -> Read:
        """What was found of those lines that are among them; of some payloads the pieces are at hand."""
        times, are_times = times_of(found["moment"])
        known, wanted = are_times & np.asarray(found["known"]), are_times
        if window is not None:
            wanted = wanted & (times >= _microseconds(window.start)) & (times < _microseconds(window.end))
        found = found.append_column("time", pa.array(times).cast(MOMENT)).append_column("wanted", pa.array(wanted))
        cells, fits = self._cells(found, pieces, known & wanted & np.asarray(found["fits"]))
        found = found.set_column(found.column_names.index("fits"), "fits", pa.array(fits))
        done = known & (fits | ~wanted)
        among[among] = done
        found = found.drop_columns([name for name in found.column_names if name.endswith("_line")])
        return Read(where(found, pa.array(done)), cells, where(lines, pa.array(~among)))

    def _cells(self, found: pa.Table, pieces: Pieces, fits: Mask) -> tuple[dict[str, list[pa.ChunkedArray]], Mask]:
        """The cells of the lines that may fit, looked at all together, and which of them do."""
        cells = dict[str, list[pa.ChunkedArray]]()
        for side, payload in self.payloads.items():
            columns = pieces.get(f"{side}_data") or [found[f"{side}_line"]]
            if not fits.all():
                columns = [column.filter(pa.array(fits)) for column in columns]
            taken, stand = payload.cells(columns, escaped=True) if f"{side}_data" in pieces else payload.taken(*columns)
            if not stand.all():
                rows = pa.array(np.repeat(stand, self.rows))
                cells = {name: [column.filter(rows) for column in columns] for name, columns in cells.items()}
                fits[fits] = stand
            cells[side] = taken
        return cells, fits

    def _values(self, settings: Records) -> dict[str, Any]:
        """The values of the query's parts."""
        values = {**self.envelope.values(), "between": self.between}
        for number, name in enumerate(settings.custom_attributes):
            values[f"attribute_{number}"] = f'.*"{re.escape(name)}=([^"]*)"'
        for side, payload in self.payloads.items():
            text = self.texts[side]
            values |= payload.values(side)
            values |= {f"{side}_tail": text.tail, f"{side}_type": text.type, f"{side}_encoding": text.encoding}
        return values

    def _named(self, cut: Collection[str], sides: Collection[str]) -> str:
        """The part of the query that names what was cut out of lines; what was not is as in the template's line.

        Payloads of some sides are looked into, so they are whole.
        """
        roles = {**dict.fromkeys(ROLES, "null::varchar"), **{one: one for one in cut}}
        for side, text in self.texts.items():
            roles |= {f"{side}_{name}": f"${side}_{name}" for name in ("type", "encoding")}
            if text.tail and side in sides and text.encoding != "BASE64":
                roles[f"{side}_data"] = f"{side}_data || ${side}_tail"
        return CUT.format(roles=", ".join(f"{found} as {role}" for role, found in roles.items()))

    def _reading(self, number: int, settings: Records) -> str:
        """The query over lines that are read in one of the ways of `READING`."""
        leaves = enumerate(self.envelope.leaves)
        known = ["between = $between"] + [
            f"not coalesce(regexp_matches(leaf_{number}, '(?i)nan|inf'), false)"
            for number, (path, is_text) in leaves if not is_text and path != ATTRIBUTES
        ]  # fmt: skip
        if settings.custom_attributes and ATTRIBUTES in dict(self.envelope.leaves):
            known.append(r"""regexp_full_match(attributes, '\["[^"\\]*"(,"[^"\\]*")*\]')""")
        attributes = {name: f"nullif(regexp_extract(attributes, ${name}, 1), '')" for name in attributes_of(settings)}
        names = ("index", "between", "moment", *IDS)
        texts = {**dict(zip(names, names, strict=True)), **attributes, **self._lines(self.payloads)}
        return self._query(self.envelope.named(READING[number]), known, texts, self.payloads, careful=number > 0)

    def _lines(self, sides: Iterable[str]) -> dict[str, str]:
        """How the payloads of some sides are asked for, as lines."""
        return {f"{side}_line": self.payloads[side].line(side) for side in sides}

    def _query(
        self, named: str, known: list[str], texts: Mapping[str, str], sides: Collection[str], careful: bool
    ) -> str:
        """The query over rows whose columns are named: which are known, and the texts that are asked for.

        Of some sides payloads are looked into; those of the others stand there as in their lines.
        """
        found = {side: (self.texts[side], self.payloads[side]) for side in sides}
        return LINES.format(
            named=named,
            decoded="".join(f"{text.decoded(side, careful)} as {side}_whole, " for side, (text, _) in found.items()),
            trimmed="".join(f"{text.trimmed(side)} as {side}_text, " for side, (text, _) in found.items()),
            known=" and ".join([*known, *(text.known(side) for side, (text, _) in found.items())]),
            fits=" and ".join(["true", *(payload.fits(side) for side, (_, payload) in found.items())]),
            texts="".join(f"{text} as {name}, " for name, text in texts.items()),
            contents=self._contents(sides),
        )

    def _contents(self, sides: Collection[str]) -> str:
        """What tells a record's payloads from another's; those of some sides are as they are meant, not as in JSON."""
        found = {side: f"{side}_data" if side in self.payloads else "null::varchar" for side in SIDES}
        return ", ".join(content_of_payload(text) if side in sides else text for side, text in found.items())


def content_of_payload(payload: str) -> str:
    """The part of a query that tells a payload from another one, of records that bear one id."""
    return CONTENT.format(payload)


def attributes_of(settings: Records) -> list[str]:
    """What the columns of the custom attributes are called."""
    return [f"attribute_{number}" for number in range(len(settings.custom_attributes))]


def where(rows: pa.Table, mask: pa.Array | pa.ChunkedArray) -> pa.Table:
    """The rows where the mask is true; mostly these are all of them, or none."""
    if pc.all(mask).as_py():
        return rows
    return rows.filter(mask) if pc.any(mask).as_py() else rows.slice(0, 0)


def _answer(engine: Engine, queries: Iterable[str], rows: pa.Table, values: Mapping[str, Any]) -> pa.Table:
    """The answer of the first query that no row is too strange for."""
    error: duckdb.Error | None = None
    for query in queries:
        try:
            return engine.ask(query, rows, values)
        except (duckdb.InvalidInputException, duckdb.ConversionException) as strange:
            error = strange
    raise error or AssertionError


def _template(line: str, settings: Records, pieces: Mapping[str, tuple[Piece, ...] | None]) -> Template | None:
    """The template of a line; None where it would cut out something else than what is read by itself."""
    try:
        identity, _ = identified(line.encode().strip(), settings)
    except Broken:
        return None
    found = Template.of(line, partial(_role, settings=settings, pieces=pieces))
    if found is None:
        return None
    _, (texts, _) = found.cut(pa.array([line], pa.large_string()))
    cut = {name: text.to_pylist()[0] for name, text in texts.items()}
    attributes = tuple(cut.get(name) or None for name in attributes_of(settings))
    read = *(getattr(identity, name) for name in IDS), identity.attributes
    return found if read == (*map(cut.get, IDS), attributes) else None


def _role(path: Path, text: str, settings: Records, pieces: Mapping[str, tuple[Piece, ...] | None]) -> Role | None:
    """What a text of a line is for; None for one that is the same in all lines of a template."""
    if path[: len(ATTRIBUTES)] == ATTRIBUTES:
        name, is_given, _ = text.partition("=")
        wanted = name in settings.custom_attributes
        role = attributes_of(settings)[settings.custom_attributes.index(name)] if wanted else ""
        return Role(role, len(f"{name}=")) if is_given else None
    role = CUT_OUT.get(path, "")
    if role or path[0] == ATTRIBUTES[0]:
        return Role(role, is_payload=path[-1] == "data", pieces=pieces.get(role.removesuffix("_data")))
    return None


def times_of(moments: pa.ChunkedArray) -> tuple[NDArray[np.int64], Mask]:
    """Moments as text in microseconds since 1970, and which of them are such: read as those of single records are.

    Many records happen in one second, so each text is read once.
    """
    found = in_one_piece(moments).dictionary_encode()
    known = pa.array(map(_time, found.dictionary.to_pylist()), pa.int64()).take(found.indices)
    return known.fill_null(0).to_numpy(), known.is_valid().to_numpy(zero_copy_only=False)


@lru_cache(1 << 14)
def _time(text: str) -> int | None:
    try:
        return _microseconds(parse_time(text))
    except (ValueError, OverflowError):
        return None


def _microseconds(moment: datetime) -> int:
    return (moment - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)
