"""SageMaker's block: what its statistics file says of every column, folded over the windows in their order."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar, Self

import numpy as np
import orjson
import pyarrow as pa

from monitor_tasks.profiles.batches import each_column, pieces
from monitor_tasks.profiles.cells import Cells, as_text, inferred_type
from monitor_tasks.profiles.columns import NOTHING_ELSE, TEXT_LIMIT, Counts, Edges, TableProfile
from monitor_tasks.profiles.distinct import DistinctTexts
from monitor_tasks.profiles.extras import Also
from monitor_tasks.profiles.kll import KLLSketch, Numbers
from monitor_tasks.value import known_version

Read = Callable[[Sequence[str] | None], Iterable[pa.Table | pa.RecordBatch]]
"""The rows, or some of their columns, batch by batch; it may be asked twice."""

_TILE = 1024
_NUMERIC = ("Integral", "Fractional")


@dataclass(frozen=True, eq=False, slots=True)
class BlockColumn:
    """What SageMaker's statistics say of one column; numbers that are NaN or infinite are present and in no sum."""

    missing: int = 0
    kinds: Counts = field(default_factory=dict)
    """Present cells by kind: Integral, Fractional, Boolean, String."""
    sketch: KLLSketch = field(default_factory=KLLSketch)
    total: float = 0.0
    """Sum from left to right, rounded at every step."""
    mean: float = 0.0
    """Mean as Welford's recursion has it; it differs from total / count in its last bits."""
    squares: float = 0.0
    """Welford's sum of squared deviations."""
    minimum: float | None = None
    maximum: float | None = None
    texts: Counts | None = field(default_factory=dict)
    """Cells by text; None past 65,536 different ones, and where cells were counted as numbers."""
    different: DistinctTexts | None = None
    """The texts past 65,536 different ones; None of fewer, and where cells were counted as numbers."""

    @property
    def present(self) -> int:
        """Cells that are not missing."""
        return sum(self.kinds.values())

    @property
    def inferred_type(self) -> str:
        """The column's type by the kinds of its cells."""
        return inferred_type(self.kinds)

    @property
    def is_numeric(self) -> bool:
        """Whether the column's statistics are those of numbers."""
        return self.inferred_type in _NUMERIC

    @property
    def distinct(self) -> int | None:
        """How many different texts there are, by the hashes past 65,536; None where cells were counted as numbers."""
        if self.texts is not None:
            return len(self.texts)
        return None if self.different is None else self.different.count

    def with_texts(self, texts: Counts) -> Self:
        """The column after cells by text; what was counted as a number before is not known as text."""
        if self.texts is not None:
            counts = {text: self.texts.get(text, 0) + texts.get(text, 0) for text in {**self.texts, **texts}}
            if len(counts) <= TEXT_LIMIT:
                return replace(self, texts=counts)
            return replace(self, texts=None, different=DistinctTexts.of(counts))
        if self.different is None:
            return type(self)(self.missing, texts=None)
        return replace(self, different=self.different + DistinctTexts.of(texts))

    def with_numbers(self, numbers: Numbers) -> Self:
        """The column after `numbers`, all but Welford's two, which are computed across columns."""
        if not len(numbers):
            return replace(self, texts=None, different=None)
        with np.errstate(over="ignore", invalid="ignore"):
            total = float(np.cumsum(np.concatenate([[self.total], numbers]))[-1])
        return replace(
            self,
            sketch=self.sketch.extended(numbers),
            total=total,
            texts=None,
            different=None,
            minimum=min(float(numbers.min()), np.inf if self.minimum is None else self.minimum),
            maximum=max(float(numbers.max()), -np.inf if self.maximum is None else self.maximum),
        )

    def to_dict(self) -> dict[str, Any]:
        """The column as plain values for JSON; sums as text, because they may overflow."""
        return {
            "missing": self.missing,
            "kinds": dict(sorted(self.kinds.items())),
            "levels": [level.tolist() for level in self.sketch.levels],
            "compactions": self.sketch.compactions,
            "sums": [repr(self.total), repr(self.mean), repr(self.squares)],
            "minimum": self.minimum,
            "maximum": self.maximum,
            "texts": None if self.texts is None else dict(sorted(self.texts.items())),
            "different": None if self.different is None else self.different.hashes.tolist(),
        }

    @classmethod
    def from_dict(cls, known: Mapping[str, Any]) -> Self:
        """The column that ``to_dict`` gave."""
        levels = tuple(np.array(level, np.float64) for level in known["levels"])
        sketch = KLLSketch(levels, tuple(known["compactions"]))
        same = {name: known[name] for name in ("missing", "kinds", "minimum", "maximum", "texts")}
        hashes = known["different"]
        different = None if hashes is None else DistinctTexts(np.array(hashes, np.uint64))
        total, mean, squares = map(float, known["sums"])
        return cls(sketch=sketch, total=total, mean=mean, squares=squares, different=different, **same)


@dataclass(frozen=True, eq=False, slots=True)
class SageMakerBlock:
    """SageMaker's numbers of a table, to the last bit: they depend on the order of rows, so this is a fold, no sum."""

    SCHEMA_VERSION: ClassVar[int] = 1

    rows: int = 0
    columns: Mapping[str, BlockColumn] = field(default_factory=dict)
    """In the order of the data set; a column that appears later comes after."""

    @classmethod
    def of(cls, table: pa.Table) -> Self:
        """The block of one table, in file order."""
        return cls().update(table)

    def update(self, table: pa.Table, cells: Mapping[str, Cells] | None = None, *, as_text: bool = False) -> Self:
        """The block after the next window's rows; a column that one side lacks is missing in all its rows.

        `cells` are those of the table's columns, where they have been told apart already. Columns that will turn out
        not to be numeric are counted `as_text` from the start.
        """

        def after(name: str, column: pa.ChunkedArray) -> tuple[BlockColumn, Numbers]:
            before = self.columns.get(name) or BlockColumn(missing=self.rows)
            return _after(before, column, cells[name] if cells else Cells.of(column), as_text)

        lacking = {
            name: replace(column, missing=column.missing + table.num_rows)
            for name, column in self.columns.items()
            if name not in table.column_names
        }
        found = each_column(after, table)
        known = {**lacking, **{name: column for name, (column, _) in found.items()}}
        columns = {name: known[name] for name in dict.fromkeys([*self.columns, *table.column_names])}
        numbers = {name: one for name, (_, one) in found.items()}
        for name, (mean, squares) in _deviations(self.columns, numbers).items():
            columns[name] = replace(columns[name], mean=mean, squares=squares)
        return type(self)(self.rows + table.num_rows, columns)

    def to_json(self) -> bytes:
        """The block as canonical JSON: equal blocks give equal bytes."""
        columns = [{"name": name, **column.to_dict()} for name, column in self.columns.items()]
        return orjson.dumps({"schema_version": self.SCHEMA_VERSION, "rows": self.rows, "columns": columns})

    @classmethod
    def from_json(cls, text: bytes) -> Self:
        """The block that ``to_json`` wrote."""
        known = known_version(orjson.loads(text), cls)
        return cls(known["rows"], {column["name"]: BlockColumn.from_dict(column) for column in known["columns"]})


def profile_and_block(
    read: Read, edges: Edges | None = None, also: Also = NOTHING_ELSE
) -> tuple[TableProfile, SageMakerBlock]:
    """The profile and SageMaker's block of all that is read; cells are told apart once for both.

    Few batches are in memory at a time. Only a column that holds numbers at first and text later is read again, since
    SageMaker counts its numbers by their texts.
    """
    block = SageMakerBlock()

    def seen(piece: pa.Table, cells: Mapping[str, Cells]) -> None:
        nonlocal block
        block = block.update(piece, cells)

    profile = TableProfile.of_batches(read(None), edges, also, seen)
    return profile, _told_as_text(block, read)


def _told_as_text(block: SageMakerBlock, read: Read) -> SageMakerBlock:
    """The block, with the columns that turned out not to be numeric read again as text."""
    names = [name for name, column in block.columns.items() if column.distinct is None and not column.is_numeric]
    if not names:
        return block
    again = SageMakerBlock()
    for piece in pieces(read(names)):
        again = again.update(piece, as_text=True)
    return replace(block, columns={**block.columns, **again.columns})


def _after(before: BlockColumn, column: pa.ChunkedArray, cells: Cells, as_text: bool) -> tuple[BlockColumn, Numbers]:
    """The column after a window's cells, and the finite numbers among them if it still is numeric."""
    kinds = {kind: before.kinds.get(kind, 0) + cells.counts.get(kind, 0) for kind in {**before.kinds, **cells.counts}}
    finite = np.isfinite(cells.numbers)
    numbers = cells.numbers if finite.all() else cells.numbers[finite]
    if inferred_type(kinds) in _NUMERIC and not as_text:
        after = before.with_numbers(numbers)
    else:
        after, numbers = before.with_texts(_tally(cells, column)), np.empty(0)
    return replace(after, missing=before.missing + cells.missing, kinds=kinds), numbers


def _tally(cells: Cells, column: pa.ChunkedArray) -> Counts:
    """How often each text occurs; a number keeps the text that it was written as."""
    if len(cells.numbers):
        cells = replace(cells, texts=as_text(column.combine_chunks().drop_null()))
    texts, counts = cells.tally
    return dict(zip(texts.to_pylist(), counts.tolist(), strict=True))


def _deviations(before: Mapping[str, BlockColumn], numbers: Mapping[str, Numbers]) -> dict[str, tuple[float, float]]:
    """Welford's mean and sum of squared deviations of every column after its `numbers`."""
    names = [name for name, found in numbers.items() if len(found)]
    known = [before.get(name) or BlockColumn() for name in names]
    counts = np.array([column.sketch.count for column in known], np.float64)
    means, squares = np.array([(column.mean, column.squares) for column in known], np.float64).reshape(-1, 2).T.copy()
    lengths = [len(numbers[name]) for name in names]
    for top, bottom in _tiles(lengths):
        active = [index for index, length in enumerate(lengths) if length >= bottom]
        tile = np.array([numbers[names[index]][top:bottom] for index in active]).T.copy()
        steps = counts[active] + np.arange(top + 1.0, bottom + 1.0)[:, None]
        means[active], deviations = _welford(tile, steps, means[active])
        deviations[0] += squares[active]
        squares[active] = np.cumsum(deviations, axis=0)[-1]
    return dict(zip(names, zip(means.tolist(), squares.tolist(), strict=True), strict=True))


def _tiles(lengths: Sequence[int]) -> list[tuple[int, int]]:
    """Spans of rows that every column either fills or has ended before; nulls make columns end at different rows."""
    ends = sorted({*lengths, *range(0, max(lengths, default=0), _TILE)})
    return [(top, bottom) for top, bottom in zip([0, *ends], ends, strict=False) if bottom > top]


def _welford(tile: Numbers, steps: Numbers, mean: Numbers) -> tuple[Numbers, Numbers]:
    """Means after the rows of `tile`, and what each row adds to the squared deviations; `steps` counts the rows.

    Only the mean depends on the row before, so only its three operations run row by row, for all columns at once.
    """
    deltas, step = np.empty_like(tile), np.empty_like(mean)
    with np.errstate(over="ignore", invalid="ignore"):
        for row, delta, count in zip(tile, deltas, steps, strict=True):
            np.subtract(row, mean, delta)
            np.divide(delta, count, step)
            np.add(mean, step, mean)
        return mean, deltas * (deltas - deltas / steps)
