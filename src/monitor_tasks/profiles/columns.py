"""Counts, exact moments, histogram and categories of every column of a table."""

import hashlib
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property, reduce
from itertools import islice
from operator import add
from typing import Any, ClassVar, Self, TypeVar

import numpy as np
import orjson
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from monitor_tasks.profiles.batches import column_by_column, each_column
from monitor_tasks.profiles.bins import Bins, Grid
from monitor_tasks.profiles.cells import FEW, Cells, inferred_type, number_text
from monitor_tasks.profiles.correlations import Correlations
from monitor_tasks.profiles.extras import Also, ExtraColumn, Extras
from monitor_tasks.profiles.formats import format_counts
from monitor_tasks.profiles.moments import ExactSum, Moments
from monitor_tasks.profiles.rows import RowSample
from monitor_tasks.value import known_version

STEPS = 2048
TEXT_LIMIT = 65_536
NUMBER_LIMIT = 1_024
_CODES = 1 << 16
_TOGETHER = 8
"""So many profiles are held until they are added at once."""
_LARGEST = np.finfo(np.float64).max

Counts = dict[str, int]
Different = tuple[NDArray[np.float64], NDArray[np.int64]]
Part = TypeVar("Part", RowSample, Correlations)
Seen = Callable[[pa.Table, Mapping[str, Cells]], None]
"""Is told of a piece of a table and the cells of its columns."""
NOTHING_ELSE = Also()


@dataclass(frozen=True)
class Edges:
    """Where the histograms of a baseline's columns are cut: its quantiles, pinned for every later window.

    A value ``x`` falls in the bin ``searchsorted(edges, x, "left")``: bins are open on the left, closed on the right.
    """

    by_column: Mapping[str, NDArray[np.float64]]

    @classmethod
    def of(cls, table: pa.Table) -> Self:
        """The edges of every column of `table` that holds finite numbers."""
        cut = each_column(lambda _, column: _quantiles(Cells.of(column).finite), table)
        return cls({name: edges for name, edges in sorted(cut.items()) if len(edges)})

    @cached_property
    def grids(self) -> Mapping[str, Grid]:
        """What tells the bins of a column's numbers."""
        return {name: Grid(edges) for name, edges in self.by_column.items()}

    @cached_property
    def id(self) -> str:
        """Hash of all edges; profiles counted on other edges refuse to add."""
        digest = hashlib.sha256()
        for name, edges in sorted(self.by_column.items()):
            digest.update(name.encode(errors="surrogatepass") + b"\0" + edges.astype("<f8").tobytes())
        return digest.hexdigest()

    def to_json(self) -> bytes:
        """The edges as canonical JSON."""
        return orjson.dumps({name: edges.tolist() for name, edges in sorted(self.by_column.items())})

    @classmethod
    def from_json(cls, text: bytes) -> Self:
        """The edges that ``to_json`` wrote."""
        return cls({name: np.array(edges, np.float64) for name, edges in orjson.loads(text).items()})


def _quantiles(numbers: NDArray[np.float64]) -> NDArray[np.float64]:
    """The edges of numbers that are all at hand."""
    return edges_at(np.sort(numbers), np.arange(1, len(numbers) + 1))


def edges_at(ordered: NDArray[np.float64], places: NDArray[np.int64]) -> NDArray[np.float64]:
    """Up to 2,048 quantiles; a value that fills more than one step is cut out on both sides, so it has its own bin.

    `ordered` are rising numbers, `places` how many of all numbers there are up to and with each of them.

    >>> edges_at(np.array([1.0, 2.0, 5.0]), np.array([1, 2, 3])).tolist()
    [1.0, 2.0, 5.0]
    """
    if not len(ordered):
        return ordered
    steps = np.linspace(0, places[-1] - 1, min(STEPS, int(places[-1]))).round().astype(np.int64)
    edges, repeats = np.unique(ordered[np.searchsorted(places, steps, side="right")], return_counts=True)
    heavy = edges[repeats > 1]
    return np.unique(np.concatenate([edges, np.nextafter(heavy[heavy > -_LARGEST], -np.inf)]))


@dataclass(frozen=True)
class ColumnProfile:
    """What is remembered of one column; any two of the same column add up."""

    missing: int = 0
    kinds: Counts = field(default_factory=dict)
    """Present cells by kind: Integral, Fractional, Boolean, String."""
    not_finite: int = 0
    """Numbers that are NaN or infinite; they are in no sum and no bin."""
    total: ExactSum = ExactSum()
    squares: ExactSum = ExactSum()
    minimum: float | None = None
    maximum: float | None = None
    texts: Counts | None = field(default_factory=dict)
    """Cells that are text or truth values, by value; None past 65,536 different ones."""
    numbers: Counts | None = field(default_factory=dict)
    """Cells that are finite numbers, by value; None past 1,024 different ones."""
    bins: Bins = field(default_factory=Bins)
    """Finite numbers by bin of the baseline's edges, empty bins left out."""
    formats: Counts = field(default_factory=dict)
    """Text cells by recognised format, all of them; fewer where an older file did not know all."""

    @classmethod
    def of(cls, column: pa.ChunkedArray | pa.Array, edges: NDArray[np.float64] | None) -> Self:
        """The profile of one Arrow column, counted on `edges` where there are any."""
        return cls.of_cells(Cells.of(column), None if edges is None else Grid(edges))

    @classmethod
    def of_cells(cls, cells: Cells, grid: Grid | None, places: NDArray[np.intp] | None = None) -> Self:
        """The profile of a column whose cells were told apart, counted on `grid` where there is one.

        `places` are the bins of the finite numbers, where they are known already.
        """
        finite = cells.finite
        known = cls(
            missing=cells.missing,
            kinds=cells.counts,
            not_finite=len(cells.numbers) - len(finite),
            texts=_text_counts(cells),
            formats=format_counts(*cells.tally) if cells.counts.get("String") else {},
        )
        if not len(finite):
            return known
        values = _different(finite)
        return replace(
            known,
            **Moments.of(finite)._asdict(),
            minimum=float(finite.min()),
            maximum=float(finite.max()),
            numbers=None
            if values is None
            else dict(zip(map(number_text, values[0].tolist()), values[1].tolist(), strict=True)),
            bins=Bins.of(places) if places is not None else _bins(finite, values, grid),
        )

    @classmethod
    def sum_of(cls, many: Sequence[Self]) -> Self:
        """The profile of all their rows together."""
        many = [one for one in many if one.missing or one.kinds] or many[:1]
        if len(many) == 1:
            return many[0]
        return cls(
            missing=sum(one.missing for one in many),
            kinds=reduce(_sum, (one.kinds for one in many)),
            not_finite=sum(one.not_finite for one in many),
            total=ExactSum.sum_of([one.total for one in many]),
            squares=ExactSum.sum_of([one.squares for one in many]),
            minimum=min((one.minimum for one in many if one.minimum is not None), default=None),
            maximum=max((one.maximum for one in many if one.maximum is not None), default=None),
            texts=_bounded_sum([one.texts for one in many], TEXT_LIMIT),
            numbers=_bounded_sum([one.numbers for one in many], NUMBER_LIMIT),
            bins=Bins.sum_of([one.bins for one in many]),
            formats=reduce(_sum, (one.formats for one in many)),
        )

    def __add__(self, other: Self) -> Self:
        return self.sum_of([self, other])

    @property
    def present(self) -> int:
        """Cells that are not missing."""
        return sum(self.kinds.values())

    @property
    def finite(self) -> int:
        """Cells that are finite numbers."""
        return self.kinds.get("Integral", 0) + self.kinds.get("Fractional", 0) - self.not_finite

    @property
    def inferred_type(self) -> str:
        """The column's type by the kinds of its cells."""
        return inferred_type(self.kinds)

    @property
    def values(self) -> Counts | None:
        """Every present cell by its value, where all are known; None where there are too many different ones."""
        if self.texts is None or self.numbers is None or self.not_finite:
            return None
        return {**self.texts, **self.numbers}

    def to_dict(self) -> dict[str, Any]:
        """The profile as plain values for JSON."""
        return {
            "missing": self.missing,
            "kinds": dict(sorted(self.kinds.items())),
            "not_finite": self.not_finite,
            "total": [str(self.total.mantissa), self.total.exponent],
            "squares": [str(self.squares.mantissa), self.squares.exponent],
            "minimum": self.minimum,
            "maximum": self.maximum,
            "texts": None if self.texts is None else dict(sorted(self.texts.items())),
            "numbers": None if self.numbers is None else dict(sorted(self.numbers.items())),
            "bins": self.bins.to_dict(),
            "formats": dict(sorted(self.formats.items())),
        }

    @classmethod
    def from_dict(cls, known: Mapping[str, Any]) -> Self:
        """The profile that ``to_dict`` gave; before its third form it had no formats, which known texts tell."""
        formats = known["formats"] if "formats" in known else _formats_of(known["texts"] or {})
        sums = {name: ExactSum(int(known[name][0]), known[name][1]) for name in ("total", "squares")}
        return cls(**{**known, **sums, "bins": Bins.from_dict(known["bins"]), "formats": formats})


@dataclass(frozen=True)
class TableProfile:
    """What is remembered of a table: every column, in the order of their names, and what else was asked for."""

    SCHEMA_VERSION: ClassVar[int] = 3

    rows: int = 0
    edges: str = ""
    """Id of the edges that the histograms are counted on; empty where there are none."""
    columns: Mapping[str, ColumnProfile] = field(default_factory=dict)
    sample: RowSample | None = None
    """Whole rows; None where they were not asked for, in this table or in one that was added."""
    correlations: Correlations | None = None
    """Co-moments of the columns that have edges; None as with the sample, and without edges."""

    @classmethod
    def of(cls, table: pa.Table, edges: Edges | None = None, also: Also = NOTHING_ELSE) -> Self:
        """The profile of an Arrow table; cost grows with its rows once."""
        return cls.of_batches([table], edges, also)

    @classmethod
    def of_batches(
        cls,
        batches: Iterable[pa.Table | pa.RecordBatch],
        edges: Edges | None = None,
        also: Also = NOTHING_ELSE,
        seen: Seen | None = None,
    ) -> Self:
        """The profile of all batches together, of which few are in memory at a time.

        `seen` is told of every piece, with the cells of its columns, so that others need not tell them apart again.
        """
        known, grids = (edges.id, edges.grids) if edges else ("", {})
        profile, extras = cls(edges=known), Extras.asked(also, grids)

        def of_column(name: str, column: pa.ChunkedArray) -> tuple[Cells | None, ColumnProfile, ExtraColumn]:
            cells, grid = Cells.of(column), grids.get(name)
            places = grid.places(cells.finite) if grid and extras.correlates(name) else None
            profile = ColumnProfile.of_cells(cells, grid, places)
            return cells if seen else None, profile, extras.of_column(name, cells, places)

        for piece, found in column_by_column(of_column, batches):
            profile += cls(piece.num_rows, known, {name: column for name, (_, column, _) in found.items()})
            extras = extras.after(piece.num_rows, {name: extra for name, (_, _, extra) in found.items()})
            if seen:
                seen(piece, {name: cells for name, (cells, _, _) in found.items() if cells is not None})
        return replace(profile, sample=extras.sample, correlations=extras.correlations)

    @classmethod
    def sum_of(cls, many: Sequence[Self]) -> Self:
        """The profile of all tables together; a column that one of them lacks is missing in all its rows.

        A sample, or correlations, that one of them lacks are dropped, unless that one has no rows.

        Raises:
            ValueError: they were counted on different edges.
        """
        counted = sorted({one.edges for one in many if one.rows})
        if len(counted) > 1:
            raise ValueError(f"profiles on different edges do not add: {counted[0][:12]!r} and {counted[1][:12]!r}")
        empty = [ColumnProfile(missing=one.rows) for one in many]
        names = sorted({name for one in many for name in one.columns})
        return cls(
            sum(one.rows for one in many),
            max(counted or {one.edges for one in many}, default=""),
            {
                name: ColumnProfile.sum_of([one.columns.get(name, none) for one, none in zip(many, empty, strict=True)])
                for name in names
            },
            _of_all([(one.rows, one.sample) for one in many]),
            _of_all([(one.rows, one.correlations) for one in many]),
        )

    def __add__(self, other: Self) -> Self:
        return self.sum_of([self, other])

    def to_json(self) -> bytes:
        """The profile as canonical JSON: equal profiles give equal bytes."""
        columns = {name: column.to_dict() for name, column in self.columns.items()}
        parts = {"sample": self.sample, "correlations": self.correlations}
        extras = {name: part.to_dict() for name, part in parts.items() if part is not None}
        known = {"rows": self.rows, "edges": self.edges, "columns": columns}
        return orjson.dumps({"schema_version": self.SCHEMA_VERSION, **known, **extras})

    @classmethod
    def from_json(cls, text: bytes) -> Self:
        """The profile that ``to_json`` wrote, in the present form or an earlier one.

        The first form had other bins, and neither it nor the second had formats, samples and correlations.
        """
        known = known_version(orjson.loads(text), cls)
        columns = {name: ColumnProfile.from_dict(column) for name, column in known["columns"].items()}
        sample = RowSample.from_dict(known["sample"]) if "sample" in known else None
        correlations = Correlations.from_dict(known["correlations"]) if "correlations" in known else None
        return cls(known["rows"], known["edges"], columns, sample, correlations)


def _of_all(parts: Sequence[tuple[int, Part | None]]) -> Part | None:
    """A part of profiles of so many rows, all together; None where it was not asked for in rows of one of them."""
    if any(rows and part is None for rows, part in parts):
        return None
    known = [part for _, part in parts if part is not None]
    return reduce(add, known) if known else None


def _bins(numbers: NDArray[np.float64], values: Different | None, grid: Grid | None) -> Bins:
    """The numbers by bin; those of few different values by their values."""
    if grid is None:
        return Bins()
    return grid.bins(numbers) if values is None else Bins.of(np.searchsorted(grid.edges, values[0]), values[1])


def _different(numbers: NDArray[np.float64]) -> Different | None:
    """The different numbers, and how often each occurs; None past 1,024, which the first few mostly show."""
    if len(numbers) > FEW and len(np.unique(numbers[: 3 * NUMBER_LIMIT // 2])) > NUMBER_LIMIT:
        return None
    values, counts = _tally_of_few(numbers) or _tally_of_codes(numbers) or _tally_of_measures(numbers)
    return (values, counts) if len(values) <= NUMBER_LIMIT else None


def _tally_of_few(numbers: NDArray[np.float64]) -> Different | None:
    """The tally of few numbers; None of more."""
    if len(numbers) > FEW:
        return None
    found = Counter(numbers.tolist())
    return np.array(list(found)), np.array(list(found.values()))


def _tally_of_codes(numbers: NDArray[np.float64]) -> Different | None:
    """The tally of whole numbers that lie close together; None of others."""
    lowest = numbers.min()
    if numbers.max() >= lowest + _CODES:
        return None
    codes = (numbers - lowest).astype(np.intp)
    if not np.array_equal(codes + lowest, numbers):
        return None
    counts = np.bincount(codes)
    found = np.flatnonzero(counts)
    return found + lowest, counts[found]


def _tally_of_measures(numbers: NDArray[np.float64]) -> Different:
    found = pc.value_counts(pa.array(numbers))
    return found.field("values").to_numpy(), found.field("counts").to_numpy()


def _text_counts(cells: Cells) -> Counts | None:
    texts, counts = cells.tally
    return dict(zip(texts.to_pylist(), counts.tolist(), strict=True)) if len(texts) <= TEXT_LIMIT else None


def _formats_of(texts: Counts) -> Counts:
    return format_counts(pa.array(list(texts), pa.string()), np.array(list(texts.values()), np.int64))


def _sum(mine: Counts, theirs: Counts) -> Counts:
    if mine.keys() == theirs.keys():
        return dict(zip(mine, map(add, mine.values(), map(theirs.__getitem__, mine)), strict=True))
    return {**mine, **{key: mine.get(key, 0) + count for key, count in theirs.items()}}


def _bounded_sum(many: Sequence[Counts | None], limit: int) -> Counts | None:
    known = [one for one in many if one is not None]
    total = reduce(_sum, known) if len(known) == len(many) else None
    return total if total is not None and len(total) <= limit else None


_NOTHING = TableProfile()


def add_up(profiles: Iterable[TableProfile]) -> TableProfile:
    """The profile of all of them together, of which a few are in memory at a time."""
    waiting, total = iter(profiles), TableProfile()
    while some := list(islice(waiting, _TOGETHER)):
        total = TableProfile.sum_of([total, *some])
    return total


def with_the_others(
    profiles: Sequence[TableProfile], beside: TableProfile = _NOTHING
) -> Iterator[tuple[TableProfile, TableProfile]]:
    """Each of them, in their order, and the profile of all others, with what is `beside` them.

    Each half is told apart beside the sum of the other one, so few sums are in memory at a time: log2(n) of n profiles.
    """
    if len(profiles) < 2:
        yield from ((one, beside) for one in profiles)
        return
    middle = len(profiles) // 2
    halves = profiles[:middle], profiles[middle:]
    for mine, theirs in (halves, halves[::-1]):
        yield from with_the_others(mine, TableProfile.sum_of([beside, *theirs]))
