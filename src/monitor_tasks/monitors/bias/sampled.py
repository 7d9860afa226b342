"""The kept rows as the flip test reads them: features as numbers, who is in the group, who is predicted positive."""

from math import isnan
from typing import NamedTuple

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from monitor_tasks.metrics.flip import Sampled, flip_test
from monitor_tasks.metrics.measured import Measured
from monitor_tasks.monitors.bias.groups import Group, Part
from monitor_tasks.profiles.coded import Column, value_text
from monitor_tasks.profiles.groups import PREDICTION
from monitor_tasks.profiles.rows import RowSample


class Kept(NamedTuple):
    """The sample of a profile, column by column."""

    columns: dict[str, Column]
    counts: NDArray[np.int64]
    positive: NDArray[np.bool_]
    rows: int
    """All rows that the sample was taken from."""

    @classmethod
    def of(cls, sample: RowSample, positive: int) -> "Kept":
        """The sample; `positive` says which prediction is: 1 a named value, 2 more than the named number."""
        cells = list(zip(*sample.cells, strict=True)) or [()] * len(sample.columns)
        arrays = (pa.chunked_array([pa.array(one, pa.string())]) for one in cells)
        columns = {name: Column.of(array) for name, array in zip(sample.columns, arrays, strict=True)}
        states = columns.pop(PREDICTION, None)
        predicted = np.empty(0) if states is None else states.numbers[states.codes]
        return cls(
            columns, np.array(sample.counts, np.int64), (predicted.astype(np.int64) - 1) & positive > 0, sample.rows
        )

    def flip_test(self, group: Group, with_chance: bool) -> Measured:
        """The flip test of one group on the sample; its own facets are no features (contract bias.md, section 2)."""
        if not self.rows:
            return Measured(None, because=f"{group.subject}: no labelled row has a prediction", rows=0)
        own = {part.name for part in group.parts}
        features = {name: column for name, column in self.columns.items() if name not in own}
        if texts := sorted(name for name, column in features.items() if _holds_text(column)):
            names = ", ".join(texts[:5]) + (f" and {len(texts) - 5} more" if len(texts) > 5 else "")
            return Measured(
                None, rows=0,
                because=f"the flip test needs numbers, and {names} hold text: name them in excluded_columns",
            )  # fmt: skip
        if not features:
            return Measured(None, because="the flip test needs features, and the table has none", rows=0)
        matrix = np.column_stack([_numbers(column) for column in features.values()])
        inside = np.logical_and.reduce([_inside(self.columns[part.name], part) for part in group.parts])
        found = flip_test(Sampled(matrix, inside, self.positive, self.counts), with_chance)
        because = f"{group.subject}: {found.because}" if found.because else ""
        return found._replace(because=because, details={**found.details, "rows_sampled_from": self.rows})


def _holds_text(column: Column) -> bool:
    return bool(set(column.texts.drop_null().to_pylist()) - {"true", "false"})


def _numbers(column: Column) -> NDArray[np.float64]:
    """The cells as numbers, truth values as 1 and 0, missing ones as NaN."""
    texts = column.texts.to_pylist()
    truths = np.array([{"true": 1.0, "false": 0.0}.get(text, np.nan) for text in texts])
    return np.where(np.isnan(column.numbers), truths, column.numbers)[column.codes]


def _inside(column: Column, part: Part) -> NDArray[np.bool_]:
    """The rows whose cell belongs to the group."""
    if part.threshold is not None:
        return np.asarray((column.numbers > part.threshold)[column.codes])
    cells = zip(column.numbers.tolist(), column.texts.to_pylist(), strict=True)
    names = [text if isnan(number) else value_text(number) for number, text in cells]
    return np.array([name in part.meant for name in names])[column.codes]
