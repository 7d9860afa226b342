"""What the engine may answer from: a profile, and the metrics that were measured before."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from monitor_tasks.monitors.expectations.rows import dtype_of, series
from monitor_tasks.profiles.columns import ColumnProfile, Counts, TableProfile

if TYPE_CHECKING:
    import pandas as pd

NEEDS = "needs the rows"

_SPECIMENS = {"Integral": "0", "Fractional": "0.5", "Boolean": "true", "String": "text"}
_NUMBERS = ("Integral", "Fractional")


class NeedsRows(Exception):
    """The profile cannot answer exactly; the message says why."""


@dataclass(frozen=True)
class Known:
    """It travels to the engine in the attributes of an empty frame."""

    profile: TableProfile
    measured: Mapping[tuple[str, str], float | None] = field(default_factory=dict)
    as_text: bool = False
    """Whether cells are compared as the profile's text, as constraints do, or as the rows' own numbers."""

    def __deepcopy__(self, memo: Any) -> "Known":
        # pandas copies the attributes deeply with every frame that it makes of a frame.
        return self

    def measure(self, metric: str, subject: str) -> float | None:
        """The value of a metric that was measured before."""
        if (metric, subject) not in self.measured:
            raise NeedsRows(f"{metric} of {subject or 'the table'} was not measured")
        return self.measured[metric, subject]

    def column(self, name: Any) -> ColumnProfile:
        """The column's profile; a column that the table lacks is missing in all its rows."""
        return self.profile.columns.get(name) or ColumnProfile(missing=self.profile.rows)

    def numbers(self, name: Any) -> ColumnProfile:
        """The profile of a column whose every present cell is an exactly known number."""
        column = self.column(name)
        if column.inferred_type not in _NUMBERS or dtype_of(column) == "object":
            raise NeedsRows(f"column {name!r} is not one of exactly known numbers")
        return column

    def is_type_match(self, metric: Any) -> bool:
        """Whether the metric belongs to a constraint on types: only those ask for a regex on the profile's text."""
        return self.as_text and metric.metric_name.startswith("column_values.match_regex.")

    def cells(self, metric: Any) -> tuple["pd.Series[Any]", NDArray[np.int64]]:
        """The different cells of the metric's column, a missing one included, and how often each occurs."""
        name = metric.metric_domain_kwargs["column"]
        column, dtype = self.column(name), "object"
        counts = _specimens(column) if self.is_type_match(metric) else column.values
        if counts is None:
            raise NeedsRows(f"column {name!r} has too many different values to know them all")
        if not self.as_text and (dtype := dtype_of(column)) == "object" and column.numbers:
            raise NeedsRows(f"column {name!r} holds numbers whose text a profile does not keep")
        cells: list[tuple[str | None, int]] = [*sorted(counts.items())]
        if column.missing:
            cells.append((None, column.missing))
        return series([cell for cell, _ in cells], dtype), np.array([count for _, count in cells], np.int64)


def _specimens(column: ColumnProfile) -> Counts:
    """One cell for all of a kind: they match the regexes of types alike."""
    return {_SPECIMENS[kind]: count for kind, count in column.kinds.items()}
