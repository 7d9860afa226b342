"""Captured records to one row per prediction, and the ledger of what became of each record."""

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import Any, BinaryIO, NamedTuple

import jmespath
import numpy as np
import numpy.typing as npt
import pyarrow as pa

from monitor_tasks.inputs import Records
from monitor_tasks.tables.ahead import ahead
from monitor_tasks.tables.csv_shapes import Form
from monitor_tasks.tables.engine import Engine
from monitor_tasks.tables.envelopes import SIDES
from monitor_tasks.tables.hash_index import NOWHERE, HashIndex
from monitor_tasks.tables.ledger import Ledger, Place, Quarantined, Reason
from monitor_tasks.tables.lines import Block, Object, blocks
from monitor_tasks.tables.naming import Naming, free
from monitor_tasks.tables.payloads import compiled
from monitor_tasks.tables.readings import SHAPES, Group, Hook, Reader, Reading, Span, Widths, commonest
from monitor_tasks.tables.shapes import MOMENT, Shape
from monitor_tasks.tables.spill import Kept, Spill
from monitor_tasks.value import UserError

METADATA = pa.schema(
    [
        ("@event_id", pa.string()),
        ("@inference_id", pa.string()),
        ("@time", MOMENT),
        ("@object", pa.string()),
        ("@line", pa.int64()),
        ("@row", pa.int64()),
        ("@variant", pa.string()),
        ("@component", pa.string()),
    ]
)

QUARANTINE = pa.schema(
    [
        ("line", pa.int64()),
        ("offset", pa.int64()),
        ("reason", pa.string()),
        ("explanation", pa.string()),
        ("excerpt", pa.string()),
    ]
)

Lines = npt.NDArray[np.integer[Any]]


class _Group(NamedTuple):
    """A group of rows that was put aside."""

    outputs: Form
    inputs: Form
    batched: bool
    lines: npt.NDArray[np.int32]
    """The line of each row, as its index in the block."""
    rows: Kept

    @property
    def widths(self) -> Widths:
        """How many cells without a name either side has."""
        outputs, inputs = (form if isinstance(form, int) else 0 for form in (self.outputs, self.inputs))
        return outputs, inputs


class _Read(NamedTuple):
    """A block that was put aside."""

    object: str
    keys: npt.NDArray[np.uint64]
    """Hashes of the event ids: with the lines of its rows, all that is held in memory of a record."""
    identities: Kept
    elsewhere: int
    """How many records lie in another window."""
    groups: list[_Group]
    quarantined: Kept


class Captured:
    """What the records of a window became."""

    def __init__(self, settings: Records, variants: Mapping[str, str | None], spill: Spill) -> None:
        """Nothing yet; `variants` are those of the objects, and `spill` will hold what is read."""
        self.ledger = Ledger()
        self.lines = 0
        """How many records were read so far."""
        self._settings, self._variants, self._spill = settings, variants, spill
        self._reads: list[_Read] = []
        self._lost: dict[int, list[int]] = {}
        self._odd: dict[tuple[int, int], tuple[Reason, Lines]] = {}
        self._usual: Widths = (0, 0)
        self._usually_batched = False
        self._naming = Naming((), (), 0, ((), ()))
        self._attributes: list[str] = []
        self._columns: list[str] = []

    @property
    def schema(self) -> pa.Schema:
        """`METADATA`, then outputs, inputs and custom attributes as text."""
        return pa.schema([*METADATA, *(pa.field(name, pa.string()) for name in self._columns)])

    @property
    def table(self) -> pa.Table:
        """One row per used record, or per row in it; in the order object, line, row."""
        return pa.concat_tables([self.schema.empty_table(), *self.batches()])

    def batches(self) -> Iterator[pa.Table]:
        """The table, block by block."""
        for number, read in enumerate(self._reads):
            parts = []
            for position, group in enumerate(read.groups):
                kept = self._kept(number, position)
                if kept.any():
                    rows = self._spill.get(group.rows)
                    parts.append(self._final(read.object, group, rows if kept.all() else rows.filter(pa.array(kept))))
            if parts:
                order = [("@line", "ascending"), ("@row", "ascending")]
                yield parts[0] if len(parts) == 1 else pa.concat_tables(parts).sort_by(order)

    def quarantine(self) -> Iterator[Quarantined]:
        """All that is in quarantine, in the order object, line."""
        for number, read in enumerate(self._reads):
            found = [
                Quarantined(Place(read.object, line, offset), reason, explanation, excerpt)
                for line, offset, reason, explanation, excerpt in _tuples(self._spill.get(read.quarantined))
            ]
            for position, group in enumerate(read.groups):
                if (number, position) in self._odd:
                    found += self._explained(read.object, group, *self._odd[number, position])
            yield from sorted(found)

    def put(self, block: Block, reading: Reading) -> None:
        """Puts a block aside."""
        self.lines += len(block.lines) + len(block.quarantined)
        for one in reading.quarantined:
            self.ledger.note(block.object, "quarantined", one.reason)
        self.ledger.note(block.object, "out_of_window", count=reading.elsewhere)
        quarantined = [
            (one.place.line, one.place.offset, one.reason, one.explanation, one.excerpt) for one in reading.quarantined
        ]
        columns = [list(column) for column in zip(*quarantined, strict=True)] or [[]] * len(QUARANTINE)
        arrays = [pa.array(column, field.type) for column, field in zip(columns, QUARANTINE, strict=True)]
        wanted = np.asarray(reading.identities["wanted"])
        self._reads.append(
            _Read(
                block.object,
                np.array(reading.identities["key"].to_numpy()),  # a view would hold the whole answer in memory
                self._spill.put(reading.identities),
                int((~wanted).sum()),
                [self._group(block, group) for group in reading.groups],
                self._spill.put(pa.Table.from_arrays(arrays, schema=QUARANTINE)),
            )
        )

    def _group(self, block: Block, group: Group) -> _Group:
        lines = np.asarray(group.rows["index"])
        rows = group.rows.append_column("line", pa.array(block.numbers[lines]))
        rows = rows.append_column("offset", pa.array(block.offsets[lines]))
        return _Group(group.outputs, group.inputs, group.batched, lines.astype(np.int32), self._spill.put(rows))

    def settle(self, engine: Engine) -> None:
        """Decides what becomes of each record, once all are there."""
        self._find_duplicates(engine)
        widths, batched = Counter[Widths](), Counter[bool]()
        names: tuple[Counter[str], Counter[str]] = (Counter(), Counter())
        for number, read in enumerate(self._reads):
            for position, group in enumerate(read.groups):
                count = _different(group.lines[self._kept(number, position)])
                widths[group.widths] += 0 if group.batched else count
                batched[group.batched] += count * any(group.widths)
                for found, form in zip(names, (group.outputs, group.inputs), strict=True):
                    found.update(dict.fromkeys(form, count) if isinstance(form, tuple) and count else {})
        self._usually_batched = batched[True] > batched[False]
        self._usual = (1, 0) if self._usually_batched else _usual(widths)
        most = self._settings.limits.columns
        outputs, inputs = ({name for name, _ in sorted(found.items(), key=commonest)[:most]} for found in names)
        for number, read in enumerate(self._reads):
            used: list[Lines] = [_NONE]
            for position, group in enumerate(read.groups):
                self._find_odd(number, position, group, (outputs, inputs))
                if (number, position) in self._odd:
                    reason, odd = self._odd[number, position]
                    self.ledger.note(read.object, "quarantined", reason, _different(odd))
                used.append(group.lines[self._kept(number, position)])
            self.ledger.note(read.object, "used", count=_different(np.sort(np.concatenate(used))))
        self._name_columns((outputs, inputs))

    def _find_duplicates(self, engine: Engine) -> None:
        """The records whose event id an earlier one bears too."""
        keys = np.concatenate([np.array([], np.uint64), *(read.keys for read in self._reads)])
        twice = HashIndex(keys[HashIndex(keys).repeated])
        del keys
        candidates = []
        for number, read in enumerate(self._reads):
            among = twice.places(read.keys) != NOWHERE
            if among.any():
                found = self._spill.get(read.identities).filter(pa.array(among))
                candidates.append(found.append_column("block", pa.array(np.full(found.num_rows, number))))
        found = engine.ask(DUPLICATES, pa.concat_tables(candidates)) if candidates else None
        self._reads = [read._replace(keys=np.array([], np.uint64)) for read in self._reads]
        elsewhere = {number: read.elsewhere for number, read in enumerate(self._reads)}
        for block, line, conflicts, wanted in _tuples(found) if found else ():
            self.ledger.note(self._reads[block].object, "duplicate")
            self.ledger.conflicts += conflicts
            elsewhere[block] -= not wanted
            self._lost.setdefault(block, []).append(line)
        for number, count in elsewhere.items():
            self.ledger.note(self._reads[number].object, "out_of_window", count=count)

    def _find_odd(self, number: int, position: int, group: _Group, known: Sequence[Collection[str]]) -> None:
        """The records of a group that are not like most of the window's."""
        kept = group.lines[self._kept(number, position)]
        if not len(kept):
            return
        if group.batched and not self._usually_batched:
            self._odd[number, position] = Reason.SEVERAL_ROWS, kept
        elif (self._usually_batched > group.batched and any(group.widths)) or any(
            width not in (0, usual) for width, usual in zip(group.widths, self._usual, strict=True)
        ):
            self._odd[number, position] = Reason.COLUMN_COUNT, kept
        elif strange := _strange(group, known):
            rows = self._spill.get(group.rows)
            has = np.logical_or.reduce([np.asarray(rows[name].is_valid()) for name in strange])
            if (has & self._kept(number, position)).any():
                self._odd[number, position] = Reason.TOO_MANY_COLUMNS, np.intersect1d(group.lines[has], kept)

    def _kept(self, number: int, position: int) -> npt.NDArray[np.bool_]:
        """Which rows of a group are used."""
        lines = self._reads[number].groups[position].lines
        _, odd = self._odd.get((number, position), (None, _NONE))
        lost = self._lost.get(number, [])
        gone = np.concatenate([np.array(lost, np.int64), odd])
        return ~np.isin(lines, gone) if len(gone) else np.ones(len(lines), bool)

    def _explained(self, name: str, group: _Group, reason: Reason, odd: Lines) -> Iterator[Quarantined]:
        """The records of a group that are in quarantine because of the others."""
        rows = self._spill.get(group.rows)
        rows = rows.filter(pa.array(np.isin(group.lines, odd) & (np.asarray(rows["row"]) == 0)))
        found = "{} output and {} input cells, most records have {} and {}".format(*group.widths, *self._usual)
        explanation = {
            Reason.SEVERAL_ROWS: "holds several rows; set capture.split_rows to read each of them",
            Reason.TOO_MANY_COLUMNS: f"has columns beyond the {self._settings.limits.columns} commonest",
        }.get(reason, found)
        sides = [[column for column in rows.column_names if column.startswith(f"{side}_")] for side in SIDES]
        for row in rows.to_pylist():
            text = repr(tuple([row[column] for column in side] for side in sides)).encode(errors="replace")
            yield Quarantined.of(Place(name, row["line"], row["offset"]), text, reason, explanation)

    def _name_columns(self, known: tuple[Collection[str], Collection[str]]) -> None:
        settings = self._settings
        names = (settings.output_names, settings.input_names)
        fit = all(not wanted or width in (0, len(wanted)) for width, wanted in zip(self._usual, names, strict=True))
        outputs, inputs = names if fit else ((), ())
        self._naming = Naming(outputs, inputs, self._usual[0], known)
        used = (
            group
            for number, read in enumerate(self._reads)
            for position, group in enumerate(read.groups)
            if self._kept(number, position).any()
        )
        columns = self._naming.columns(self._naming.of(group.outputs, group.inputs) for group in used)
        self._attributes = [free(name, "attribute.", columns) for name in settings.custom_attributes]
        self._columns = [*columns, *self._attributes]

    def _final(self, name: str, group: _Group, rows: pa.Table) -> pa.Table:
        """The rows of a group as rows of the table."""
        cells = {final: f"attribute_{number}" for number, final in enumerate(self._attributes)}
        for side, places in zip(SIDES, self._naming.of(group.outputs, group.inputs), strict=True):
            cells |= {final: f"{side}_{number}" for final, number in places.items()}
        columns = {
            f"@{column}": rows[column] for column in ("event_id", "inference_id", "time", "line", "row", "component")
        }
        columns["@object"] = pa.repeat(pa.scalar(name), rows.num_rows)
        columns["@variant"] = pa.repeat(pa.scalar(self._variants.get(name), pa.string()), rows.num_rows)
        nothing = pa.nulls(rows.num_rows, pa.string())
        arrays = [columns[field.name] for field in METADATA]
        arrays += [rows[cells[column]] if column in cells else nothing for column in self._columns]
        return pa.Table.from_arrays(arrays, schema=self.schema)


DUPLICATES = """
select block, index, content is distinct from first_value(content) over same as conflicts, wanted
from rows
window same as (partition by event_id order by time, block, index)
qualify row_number() over same > 1
order by block, index
"""
_NONE = np.array([], np.int64)


class Source(NamedTuple):
    """What is captured."""

    objects: Iterable[Object]
    hook: Hook | None = None
    """What makes rows of a whole record, in place of us."""
    made_from: Mapping[str, str] = MappingProxyType({})
    """The sha256 of every object from whose rows records were made; the ledger tells these."""


def capture(
    source: Source | Iterable[Object],
    settings: Records = Records(),
    span: Span = Span(),
    spill: BinaryIO | None = None,
    watch: Callable[[int, int], None] | None = None,
) -> Captured:
    """The captured table of the objects' records; event time decides what lies in the window.

    Of records with one event id the earliest counts (by inference time, then object, then line).

    Args:
        source: Objects in any order, or more than they.
        settings: How records are read.
        span: Which of them are wanted.
        spill: An open file for what memory would not hold; without one all rows are held.
        watch: Is told, after every block, how many records were read and how many are in quarantine.

    Raises:
        UserError: a JMESPath of the settings is none.
    """
    for path in (*settings.paths("Output").values(), *settings.paths("Input").values()):
        try:
            compiled(path)
        except jmespath.exceptions.JMESPathError as error:
            raise UserError(f"{path!r} is no JMESPath: {str(error).splitlines()[0]}") from error
    objects, hook, made_from = source if isinstance(source, Source) else Source(source)
    known = list(objects)
    found = Captured(settings, {one.name: one.variant for one in known}, Spill(spill))
    with Engine(settings.limits.memory) as engine:
        reader = Reader(settings, span, engine, hook)
        for block, reading in _together(reader, blocks(known, found.ledger, settings.limits)):
            found.put(block, reading)
            if watch is not None:
                watch(found.lines, found.ledger.totals["quarantined"])
        found.settle(engine)
    for name, sha256 in made_from.items():
        found.ledger.open(name, sha256)
    return found


def _together(reader: Reader, found: Iterator[Block]) -> Iterator[tuple[Block, Reading]]:
    """The blocks and what they are, in their order; some are read at once.

    A block is read by the shapes of those that were given before it, so that no thread's haste changes an outcome.
    """
    shapes = list[Shape]()

    def read(one: tuple[Block, tuple[Shape, ...]]) -> tuple[Block, Reading]:
        return one[0], reader.read(*one)

    def known() -> Iterator[tuple[Block, tuple[Shape, ...]]]:
        for number, block in enumerate(found):
            if not number:
                shapes.extend(reader.first_shape(block))
            yield block, tuple(shapes)

    for block, reading in ahead(read, known()):
        shapes.extend([shape for shape in reading.learned if shape not in shapes][: SHAPES - len(shapes)])
        yield block, reading


def features(table: pa.Table) -> pa.Table:
    """The captured table without the columns that only say where a row comes from."""
    return table.select([name for name in table.column_names if not name.startswith("@")])


def _tuples(table: pa.Table) -> Iterator[tuple[Any, ...]]:
    return zip(*(column.to_pylist() for column in table.columns), strict=True)


def _strange(group: _Group, known: Sequence[Collection[str]]) -> list[str]:
    """The columns of a group whose names are too rare to be columns of the window."""
    return [
        f"{side}_{number}"
        for side, form, names in zip(SIDES, (group.outputs, group.inputs), known, strict=True)
        if isinstance(form, tuple)
        for number, name in enumerate(form)
        if name not in names
    ]


def _different(lines: Lines) -> int:
    """How many lines these are; each may stand there for several rows, one after the other."""
    return len(lines) and 1 + int(np.count_nonzero(np.diff(lines)))


def _usual(found: Counter[Widths]) -> Widths:
    """For either side the width that most records have; of equally many, the larger."""
    sides: tuple[Counter[int], Counter[int]] = (Counter(), Counter())
    for widths, count in found.items():
        for side, width in zip(sides, widths, strict=True):
            if width:
                side[width] += count
    outputs, inputs = (max(side, key=lambda width: (side[width], width), default=0) for side in sides)
    return outputs, inputs
