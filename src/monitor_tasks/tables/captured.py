"""Captured records to one row per prediction, and the ledger of what became of each record."""

import gzip
import hashlib
import io
import re
import zlib
from collections import Counter
from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import NamedTuple

import pyarrow as pa

from monitor_tasks.tables.ledger import Ledger, Place, Quarantined, Reason
from monitor_tasks.tables.records import Cells, Record, Unusable, parse_record
from monitor_tasks.value import UserError
from monitor_tasks.window import Window

METADATA = pa.schema(
    [
        ("@event_id", pa.string()),
        ("@inference_id", pa.string()),
        ("@time", pa.timestamp("us", "UTC")),
        ("@object", pa.string()),
        ("@line", pa.int64()),
    ]
)


class Names(NamedTuple):
    """What the cells of CSV payloads are called, in order; empty means ``_c0``, ``_c1``, … with outputs first."""

    outputs: tuple[str, ...] = ()
    inputs: tuple[str, ...] = ()


class Span(NamedTuple):
    """Which records are wanted."""

    window: Window | None = None
    """The event times that count; None means all."""
    neighbours: frozenset[str] = frozenset()
    """Objects of other hours' folders: a record there whose time cannot be read is that hour's to quarantine."""

    def has(self, place: Place, moment: datetime | None) -> bool:
        """Whether a record lies in the span: by its event time, or by its folder where that cannot be read."""
        if self.window is None:
            return True
        return place.object not in self.neighbours if moment is None else self.window.contains(moment)


class Captured(NamedTuple):
    """What the records of a window became."""

    table: pa.Table
    """One row per used record, in the order object, line: columns of `METADATA`, then outputs, then inputs, as text."""
    ledger: Ledger
    quarantined: list[Quarantined]


Row = tuple[Place, Record]
NamedCells = dict[str, str | None]
Widths = tuple[int, int]
"""How many cells without a name the outputs and the inputs have; none where cells bear names."""

LARGEST_OBJECT = 1 << 30
"""Bytes that a compressed object may unfold to."""


def capture(
    objects: Iterable[tuple[str, bytes]],
    span: Span = Span(),
    names: Names = Names(),
    sides: tuple[str, ...] = ("Input", "Output"),
) -> Captured:
    """The captured table of the objects' records; event time decides what lies in the window.

    Of records with one event id the earliest counts (by inference time, then object, then line).
    """
    ledger, quarantined = Ledger(), list[Quarantined]()
    rows = list[Row]()
    for place, line in lines_of(objects, ledger):
        try:
            rows.append((place, parse_record(line, sides)))
        except Unusable as error:
            if span.has(place, error.time):
                quarantined.append(Quarantined.of(place, line, error.reason, str(error)))
                ledger.note(place, "quarantined", error.reason)
            else:
                ledger.note(place, "out_of_window")
    rows.sort(key=lambda row: (row[1].time, row[0]))
    used = sorted(_in_span(_once(rows, ledger), span, ledger))
    usual = _usual_widths([_widths(record) for _, record in used])
    kept: list[Row] = []
    for place, record in used:
        found = _widths(record)
        if any(width not in (0, wanted) for width, wanted in zip(found, usual, strict=True)):
            explanation = "{} output and {} input cells, most records have {} and {}".format(*found, *usual)
            text = repr((record.outputs, record.inputs)).encode(errors="replace")
            quarantined.append(Quarantined.of(place, text, Reason.COLUMN_COUNT, explanation))
            ledger.note(place, "quarantined", Reason.COLUMN_COUNT)
        else:
            ledger.note(place, "used")
            kept.append((place, record))
    return Captured(_table(kept, names, usual), ledger, quarantined)


def features(table: pa.Table) -> pa.Table:
    """The captured table without the columns that only say where a row comes from."""
    return table.select([name for name in table.column_names if not name.startswith("@")])


def lines_of(objects: Iterable[tuple[str, bytes]], ledger: Ledger) -> Iterator[tuple[Place, bytes]]:
    """Every line of the objects that is not blank; the ledger notes each object."""
    for name, content in objects:
        ledger.open(name, hashlib.sha256(content).hexdigest())
        yield from _lines(name, content)


def _lines(name: str, content: bytes) -> Iterator[tuple[Place, bytes]]:
    """Every line that is not blank, with its number (from 1) and its byte offset."""
    if name.endswith(".gz"):
        try:
            content = gzip.GzipFile(fileobj=io.BytesIO(content)).read(LARGEST_OBJECT + 1)
        except (OSError, EOFError, zlib.error) as error:
            raise UserError(f"{name}: not a whole gzip file ({error}); deliver it again or move it away") from error
        if len(content) > LARGEST_OBJECT:
            raise UserError(f"{name}: unfolds to more than {LARGEST_OBJECT} bytes; split it or move it away")
    offset = 0
    for number, line in enumerate(content.split(b"\n"), start=1):
        text = line.removeprefix(b"\xef\xbb\xbf") if number == 1 else line
        if text.strip():
            yield Place(name, number, offset), text.strip()
        offset += len(line) + 1


def _once(rows: list[Row], ledger: Ledger) -> Iterator[Row]:
    """The first row of every event id; the others are duplicates, in conflict where their content differs."""
    first: dict[str, bytes] = {}
    for place, record in rows:
        if record.event_id not in first:
            first[record.event_id] = record.content
            yield place, record
        else:
            ledger.note(place, "duplicate")
            ledger.conflicts += first[record.event_id] != record.content


def _in_span(rows: Iterable[Row], span: Span, ledger: Ledger) -> Iterator[Row]:
    for place, record in rows:
        if span.has(place, record.time):
            yield place, record
        else:
            ledger.note(place, "out_of_window")


def _widths(record: Record) -> Widths:
    outputs, inputs = (len(cells) if isinstance(cells, list) else 0 for cells in (record.outputs, record.inputs))
    return outputs, inputs


def _usual_widths(found: list[Widths]) -> Widths:
    """For either side the width that most records have; of equally many, the larger."""
    outputs, inputs = (Counter(widths[side] for widths in found if widths[side]) for side in (0, 1))
    return _most(outputs), _most(inputs)


def _most(counts: Counter[int]) -> int:
    return max(counts, key=lambda width: (counts[width], width), default=0)


def _table(rows: list[Row], names: Names, usual: Widths) -> pa.Table:
    fitting = names if _fit(usual, names) else Names()
    cells = [_named(record, fitting, usual[0]) for _, record in rows]
    columns: list[str] = []
    for side, wanted in enumerate(fitting):
        known = {*columns, *fitting.outputs, *fitting.inputs}
        columns += [*wanted, *sorted({name for row in cells for name in row[side]} - known, key=_natural)]
    data = {
        "@event_id": [record.event_id for _, record in rows],
        "@inference_id": [record.inference_id for _, record in rows],
        "@time": [record.time for _, record in rows],
        "@object": [place.object for place, _ in rows],
        "@line": [place.line for place, _ in rows],
    }
    arrays = [pa.array(data[field.name], field.type) for field in METADATA]
    arrays += [
        pa.array([inputs.get(name, outputs.get(name)) for outputs, inputs in cells], pa.string()) for name in columns
    ]
    fields = [*METADATA, *(pa.field(name, pa.string()) for name in columns)]
    return pa.Table.from_arrays(arrays, schema=pa.schema(fields))


def _fit(usual: Widths, names: Names) -> bool:
    """Whether the configured names fit the cells that are there; else columns keep their positions as names."""
    return all(not wanted or width in (0, len(wanted)) for width, wanted in zip(usual, names, strict=True))


def _named(record: Record, names: Names, before: int) -> tuple[NamedCells, NamedCells]:
    """The cells of outputs and inputs by name; an input that bears an output's name says so."""
    outputs = _by_name(record.outputs, names.outputs, 0)
    inputs = _by_name(record.inputs, names.inputs, before)
    return outputs, {f"input.{name}" if name in outputs else name: cell for name, cell in inputs.items()}


def _by_name(cells: Cells, names: tuple[str, ...], first: int) -> NamedCells:
    """The cells by name or else by position; none is called like a column of `METADATA`."""
    if isinstance(cells, dict):
        return {f"input{name}" if name.startswith("@") else name: cell for name, cell in cells.items()}
    if not cells:
        return {}
    return dict(zip(names or [f"_c{first + index}" for index in range(len(cells))], cells, strict=True))


def _natural(name: str) -> tuple[int, int, str]:
    """Positional names in order of their number, before all others."""
    position = re.fullmatch(r"_c(\d{1,9})", name, re.ASCII)
    return (0, int(position[1]), name) if position else (1, 0, name)
