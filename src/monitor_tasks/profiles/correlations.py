"""How the columns' numbers rise together: sums of products of their bins' numbers, which add up exactly."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from monitor_tasks.profiles.cells import Cells

COLUMNS = 100
"""No more columns are correlated; the first ones by name are."""
_MISSING = -1
_BLOCK = 1 << 11
"""Rows whose products are summed in one go: they stay in the processor's cache, and doubles hold the sums exactly."""
_SUMS = ("rows", "totals", "squares", "products")
"""How the sums are called in a file."""

Codes = NDArray[np.int16]
Sums = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Correlations:
    """Rank co-moments of numeric columns, pair by pair over the rows that have a finite number in both columns.

    A number is replaced by the number of its bin on the baseline's edges, which is its rank among the baseline's
    quantiles: an integer up to 2,048. So all sums are integers, and any two profiles on the same edges add up.
    """

    columns: tuple[str, ...] = ()
    """The columns that are correlated, sorted."""
    left_out: tuple[str, ...] = ()
    """Numeric columns past the first 100 by name."""
    sums: Sums = field(default_factory=lambda: np.zeros((4, 0, 0), np.int64))
    """Of shape (4, columns, columns), by pair x, y: rows, and the sums of x, of x squared and of x times y."""

    @classmethod
    def among(cls, names: Iterable[str]) -> Self:
        """No rows yet of the columns that have edges."""
        known = tuple(sorted(names))
        kept = known[:COLUMNS]
        return cls(kept, known[COLUMNS:], np.zeros((4, len(kept), len(kept)), np.int64))

    def after(self, rows: int, codes: Mapping[str, Codes]) -> Self:
        """The co-moments after the `rows` of the next piece, by the codes of its cells; an absent column is missing."""
        if not self.columns:
            return self
        absent = np.full(rows, _MISSING, np.int16)
        known = [codes.get(name, absent) for name in self.columns]
        sums = self.sums.copy()
        for start in range(0, rows, _BLOCK):
            sums += _sums(np.array([column[start : start + _BLOCK] for column in known]))
        return type(self)(self.columns, self.left_out, sums)

    def __add__(self, other: Self) -> Self:
        """The co-moments of both parts' rows; of a part without any, the other's.

        Raises:
            ValueError: the two are of different columns, because their edges are.
        """
        counted = [one for one in (self, other) if one.sums.any()]
        names = {one._names for one in counted}
        if len(names) > 1:
            differing = ", ".join(sorted({*self.columns} ^ {*other.columns}))
            raise ValueError(f"correlations of different columns do not add: {differing}")
        columns, left_out = max(names or {self._names, other._names})
        nothing = np.zeros((4, len(columns), len(columns)), np.int64)
        return type(self)(columns, left_out, sum((one.sums for one in counted), nothing))

    @property
    def _names(self) -> tuple[tuple[str, ...], tuple[str, ...]]:
        return self.columns, self.left_out

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Correlations):
            return NotImplemented
        return self._names == other._names and np.array_equal(self.sums, other.sums)

    def __hash__(self) -> int:
        return hash((self._names, self.sums.tobytes()))

    def to_dict(self) -> dict[str, Any]:
        """The co-moments as plain values for JSON."""
        sums = dict(zip(_SUMS, self.sums.tolist(), strict=True))
        return {"columns": self.columns, "left_out": self.left_out, **sums}

    @classmethod
    def from_dict(cls, known: Mapping[str, Any]) -> Self:
        """The co-moments that ``to_dict`` gave."""
        sums = [known[name] for name in _SUMS]
        columns = tuple(known["columns"])
        return cls(columns, tuple(known["left_out"]), np.array(sums, np.int64).reshape(4, len(columns), len(columns)))


def codes_of(cells: Cells, places: NDArray[np.intp]) -> Codes:
    """The bin of every row's number, by the bins of the finite ones; -1 where there is none."""
    codes = places.astype(np.int16)
    if len(places) < len(cells.numbers):
        codes = np.full(len(cells.numbers), _MISSING, np.int16)
        codes[np.isfinite(cells.numbers)] = places
    nothing = np.full(len(cells.texts), _MISSING, np.int16)
    return cells.by_row(codes, nothing, np.int16(_MISSING))


def _sums(codes: Codes) -> Sums:
    """The sums of a block of shape (columns, rows), by products of matrices; a missing cell is 0 in them."""
    has = codes != _MISSING
    partner = np.where(has.all(axis=1), 0, np.cumsum(~has.all(axis=1)))  # of a column without gaps: every row
    gaps = np.flatnonzero(partner)
    there = np.concatenate([np.ones((1, codes.shape[1]), np.bool_), has[gaps]]).astype(np.float64)
    numbers = codes.astype(np.float64)
    numbers[gaps] *= there[1:]
    rows = (there @ there.T)[partner][:, partner]
    totals = (numbers @ there.T)[:, partner]
    squares = ((numbers * numbers) @ there.T)[:, partner]
    return np.stack([rows, totals, squares, numbers @ numbers.T]).astype(np.int64)
