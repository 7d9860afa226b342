"""What a table's profile remembers beside its columns, where it is asked for: whole rows, and correlations."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from monitor_tasks.profiles.cells import Cells
from monitor_tasks.profiles.correlations import Codes, Correlations, codes_of
from monitor_tasks.profiles.rows import HashedColumn, RowSample


@dataclass(frozen=True)
class Also:
    """What is asked for beside the columns."""

    sample: int = 0
    """How many different rows to keep; none at 0."""
    correlations: bool = False
    """Whether to sum up co-moments; there are none without edges."""


class ExtraColumn(NamedTuple):
    """What one column of a piece adds to the parts."""

    hashed: HashedColumn | None
    codes: Codes | None


@dataclass(frozen=True)
class Extras:
    """The parts that were asked for, after the pieces seen so far."""

    sample: RowSample | None
    correlations: Correlations | None

    @classmethod
    def asked(cls, also: Also, edged: Collection[str]) -> Self:
        """The parts before the first piece; `edged` are the columns that have edges."""
        correlations = Correlations.among(edged) if also.correlations and edged else None
        return cls(RowSample(also.sample) if also.sample else None, correlations)

    def correlates(self, name: str) -> bool:
        """Whether a column's numbers are needed by bin."""
        return self.correlations is not None and name in self.correlations.columns

    def of_column(self, name: str, cells: Cells, places: NDArray[np.intp] | None) -> ExtraColumn:
        """What a column adds, by its cells and the bins of its finite numbers."""
        hashed = None if self.sample is None else HashedColumn.of_cells(name, cells)
        return ExtraColumn(hashed, None if places is None else codes_of(cells, places))

    def after(self, rows: int, columns: Mapping[str, ExtraColumn]) -> Self:
        """The parts after the `rows` of the next piece."""
        hashed = {name: column.hashed for name, column in columns.items() if column.hashed is not None}
        codes = {name: column.codes for name, column in columns.items() if column.codes is not None}
        return type(self)(
            None if self.sample is None else self.sample.after(rows, hashed),
            None if self.correlations is None else self.correlations.after(rows, codes),
        )
