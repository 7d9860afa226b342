"""A block of captured lines to groups of rows that look alike, and to what cannot be used."""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from collections.abc import Set as AbstractSet
from datetime import datetime
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from monitor_tasks.inputs import Records
from monitor_tasks.tables.csv_shapes import Form
from monitor_tasks.tables.engine import Engine
from monitor_tasks.tables.envelopes import SIDES
from monitor_tasks.tables.ledger import Place, Quarantined, Reason
from monitor_tasks.tables.lines import Block
from monitor_tasks.tables.payloads import Cells
from monitor_tasks.tables.records import Broken, Identity, Row, identified, rows_of
from monitor_tasks.tables.shapes import MOMENT, Shape, attributes_of, content_of_payload, where
from monitor_tasks.window import Window

FEW = 256
"""Records up to which each is read by itself: a query costs more."""
SAMPLE = 64
"""Lines that tell whether a new shape is worth cutting all by it."""
CELLS = 1 << 22
"""Cells that are held of records that are read by themselves, where most of them are missing."""
FORMS = 64
"""How many different numbers of cells records may have that are read by themselves."""
SHAPES = 64
"""How many shapes are known at once."""
TRIES = 8
"""How many examples of a block may fail to give a shape that others have."""

Lines = npt.NDArray[np.int64]
Widths = tuple[int, int]
"""How many cells without a name the outputs and the inputs have; none where cells bear names."""
Hook = Callable[[dict[str, Any]], list[Row]]
"""Makes rows of a whole record: a user's own preprocessing."""


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


class Group(NamedTuple):
    """Rows whose cells have one form."""

    outputs: Form
    inputs: Form
    batched: bool
    """Whether each is what SageMaker sees of a CSV with several rows."""
    rows: pa.Table
    """Columns of `HEAD` and of the custom attributes, then ``output_0``, …, ``input_0``, … as text."""


HEAD = pa.schema(
    [
        ("index", pa.int64()),
        ("row", pa.int64()),
        ("event_id", pa.string()),
        ("inference_id", pa.string()),
        ("time", MOMENT),
        ("component", pa.string()),
    ]
)


IDENTITY = pa.schema(
    [
        ("index", pa.int64()),
        ("event_id", pa.string()),
        ("time", MOMENT),
        ("key", pa.uint64()),
        ("content", pa.uint64()),
        ("wanted", pa.bool_()),
    ]
)
"""A record's line in its block, who it is, hashes of its id and of its payloads, and whether its window is ours."""


class Reading(NamedTuple):
    """What the lines of a block are."""

    identities: pa.Table
    """Columns of `IDENTITY`: every record that can be used."""
    groups: list[Group]
    """The rows of those that are wanted."""
    quarantined: list[Quarantined]
    elsewhere: int
    """How many cannot be used, and are another window's to quarantine."""
    learned: list[Shape]
    """The shapes that were met and not known before."""


class _Single(NamedTuple):
    """A record that was read by itself."""

    line: int
    identity: Identity
    wanted: bool
    rows: list[Row]
    batched: bool


class Reader:
    """Reads blocks, several at once if need be."""

    def __init__(self, settings: Records, span: Span, engine: Engine, hook: Hook | None = None) -> None:
        """A reader of the records of a span; their rows come from the `hook` where there is one."""
        self._settings, self._span, self._engine, self._hook = settings, span, engine, hook

    def read(self, block: Block, shapes: Sequence[Shape] = ()) -> Reading:
        """What the lines of the block are, and those that nobody could read; some have known shapes."""
        alone: Lines = np.arange(len(block.lines))
        identities, groups, learned = list[pa.Table](), list[Group](), list[Shape]()
        if self._hook is None and len(alone) > FEW:
            identities, groups, alone, learned = self._alike(block, shapes)
        singles, broken = list[_Single](), list[tuple[Quarantined, datetime | None]]()
        for index in alone.tolist():
            try:
                singles.append(self._single(block, index))
            except Broken as error:
                broken.append(
                    (Quarantined.of(block.place(index), block.line(index), error.reason, str(error)), error.time)
                )
        unruly = set()
        for one, reason, explanation in _unruly(singles, self._settings.limits.columns):
            unruly.add(one.line)
            broken.append((Quarantined.of(block.place(one.line), block.line(one.line), reason, explanation), None))
        singles = [one for one in singles if one.line not in unruly]
        broken += [(one, None) for one in block.quarantined]
        ours = [one for one, time in broken if self._span.has(one.place, time)]
        if singles or not identities:
            identities.append(self._identities(singles))
        groups += _by_form([one for one in singles if one.wanted], self._settings)
        return Reading(pa.concat_tables(identities), groups, ours, len(broken) - len(ours), learned)

    def first_shape(self, block: Block) -> list[Shape]:
        """The shape of the first record of a block, where most of the next ones have it too."""
        lines = pa.table({"index": np.arange(len(block.lines)), "line": block.lines})
        if self._hook is not None or len(lines) <= FEW:
            return []
        shape = Shape.of(lines["line"][0].as_py(), self._engine, self._settings)
        return [shape] if shape is not None and self._is_common(shape, lines) else []

    def _single(self, block: Block, index: int) -> _Single:
        identity, content = identified(block.line(index), self._settings)
        if not self._span.has(block.place(index), identity.time):
            return _Single(index, identity, False, [], False)
        rows, batched = rows_of(content, identity.time, self._settings, self._hook)
        return _Single(index, identity, True, rows, batched)

    def _identities(self, singles: list[_Single]) -> pa.Table:
        """The identities of records that were read by themselves, hashed as the others are."""
        payloads = [f"payload_{number}" for number in range(len(SIDES))]
        columns = {
            "index": pa.array([one.line for one in singles], pa.int64()),
            "event_id": pa.array([one.identity.event_id for one in singles], pa.string()),
            "time": pa.array([one.identity.time for one in singles], MOMENT),
            "wanted": pa.array([one.wanted for one in singles], pa.bool_()),
            **{
                name: pa.array([one.identity.payloads[number] for one in singles], pa.string())
                for number, name in enumerate(payloads)
            },
        }
        contents = ", ".join(map(content_of_payload, payloads))
        query = f"select *, hash(event_id) as key, hash({contents}) as content from rows"  # noqa: S608 constants
        return self._engine.ask(query, pa.table(columns)).select(IDENTITY.names).cast(IDENTITY)

    def _is_common(self, shape: Shape, lines: pa.Table) -> bool:
        """Whether most of the first lines are cut by a new shape; if not, cutting all would be in vain."""
        first = lines.slice(0, SAMPLE)
        read = shape.cut(first, self._engine, self._settings, self._span.window)
        return read is not None and 2 * read.rest.num_rows < first.num_rows

    def _alike(self, block: Block, shapes: Sequence[Shape]) -> tuple[list[pa.Table], list[Group], Lines, list[Shape]]:
        """The records of the block that have a shape, the lines of those that have none, and what shapes are new."""
        rest = pa.table({"index": np.arange(len(block.lines)), "line": block.lines})
        identities, groups, learned = list[pa.Table](), list[Group](), list[Shape]()

        def take(shape: Shape) -> int:
            nonlocal rest
            before: int = rest.num_rows
            for way in (shape.cut, shape.read) if shape in shapes or self._is_common(shape, rest) else (shape.read,):
                read = way(rest, self._engine, self._settings, self._span.window) if rest.num_rows > FEW else None
                if read is not None:
                    rest = read.rest
                    identities.append(read.found.select(IDENTITY.names))
                    if (rows := where(read.found, read.found["fits"])).num_rows:
                        groups.append(_group(shape, rows, read.cells, self._settings))
            return before - len(rest)

        for shape in shapes:
            if rest.num_rows > FEW:
                take(shape)
        tries = 0
        while rest.num_rows > max(FEW, tries) and tries < TRIES and len(shapes) + len(learned) < SHAPES:
            shape_ = Shape.of(rest["line"][tries].as_py(), self._engine, self._settings)
            if shape_ is not None and shape_ not in (*shapes, *learned) and take(shape_) > FEW:
                learned.append(shape_)
                tries = 0
            else:
                tries += 1
        return identities, groups, rest["index"].to_numpy(), learned


def _group(shape: Shape, rows: pa.Table, cells: dict[str, list[pa.ChunkedArray]], settings: Records) -> Group:
    """The rows of records of one shape."""
    count = shape.rows
    each = pa.array(np.repeat(np.arange(rows.num_rows), count))
    head = rows.select(["index", *HEAD.names[2:], *attributes_of(settings)])
    head = head if count == 1 else head.take(each)
    head = head.add_column(1, "row", pa.array(np.tile(np.arange(count), rows.num_rows)))
    found = {f"{side}_{number}": column for side, columns in cells.items() for number, column in enumerate(columns)}
    head = pa.Table.from_arrays([*head.columns, *found.values()], [*head.column_names, *found])
    outputs, inputs = (shape.payloads[side].form if side in shape.payloads else 0 for side in SIDES)
    return Group(outputs, inputs, False, head)


def _unruly(singles: list[_Single], most: int) -> Iterator[tuple[_Single, Reason, str]]:
    """Records that have a form of their own, where so many have that memory would not hold a column for each."""
    widths, names = Counter[Widths](), Counter[str]()
    for one in singles:
        for outputs, inputs in one.rows:
            widths[_width(outputs), _width(inputs)] += 1
            names.update(_names(outputs) | _names(inputs))
    common = {width for width, _ in sorted(widths.items(), key=commonest)[:FORMS]}
    columns = max(min(most, CELLS // max(len(singles), 1)), 1)
    known = {name for name, _ in sorted(names.items(), key=commonest)[:columns]}
    if len(common) == len(widths) and len(known) == len(names):
        return
    for one in list(singles):
        if not all(_names(outputs) | _names(inputs) <= known for outputs, inputs in one.rows):
            yield one, Reason.TOO_MANY_COLUMNS, f"has columns beyond the {columns} commonest"
        elif not all((_width(outputs), _width(inputs)) in common for outputs, inputs in one.rows):
            yield one, Reason.COLUMN_COUNT, f"the number of its cells is not among the {FORMS} commonest"


def _by_form(singles: list[_Single], settings: Records) -> Iterator[Group]:
    """The rows of records that were read by themselves, together where their cells have one form."""
    forms: dict[tuple[int | None, int | None, bool], list[tuple[_Single, int]]] = {}
    for one in singles:
        for row, cells in enumerate(one.rows):
            widths = [None if isinstance(side, dict) else len(side) for side in cells]
            forms.setdefault((widths[0], widths[1], one.batched), []).append((one, row))
    for (*widths, batched), rows in forms.items():
        columns: dict[str, Any] = {
            "index": [one.line for one, _ in rows],
            "row": [row for _, row in rows],
            "event_id": [one.identity.event_id for one, _ in rows],
            "inference_id": [one.identity.inference_id for one, _ in rows],
            "time": [one.identity.time for one, _ in rows],
            "component": [one.identity.component for one, _ in rows],
        }
        for number, name in enumerate(attributes_of(settings)):
            columns[name] = [one.identity.attributes[number] for one, _ in rows]
        found = list[Form]()
        for number, (side, width) in enumerate(zip(SIDES, widths, strict=True)):
            form, texts = _columns([one.rows[row][number] for one, row in rows], width)
            columns |= {f"{side}_{place}": column for place, column in enumerate(texts)}
            found.append(form)
        types = {field.name: field.type for field in HEAD}
        arrays = {name: pa.array(column, types.get(name, pa.string())) for name, column in columns.items()}
        yield Group(found[0], found[1], batched, pa.table(arrays))


def _columns(rows: list[Cells], width: int | None) -> tuple[Form, list[list[str | None]]]:
    """The form of rows of one width, or of rows whose cells have names; and their columns."""
    if width is not None:
        return width, [list(column) for column in zip(*rows, strict=True)] if width else []
    names = tuple(dict.fromkeys(name for row in rows for name in row if name is not None))
    return names, [[row.get(name) if isinstance(row, dict) else None for row in rows] for name in names]


def _width(cells: Cells) -> int:
    return len(cells) if isinstance(cells, list) else 0


def _names(cells: Cells) -> AbstractSet[str]:
    return cells.keys() if isinstance(cells, dict) else frozenset()


def commonest(item: tuple[Any, int]) -> tuple[int, Any]:
    """For sorting what was counted: the most frequent first."""
    name, count = item
    return -count, name
