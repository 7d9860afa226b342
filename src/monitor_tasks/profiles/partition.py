"""Rows told apart by the cells of a tree that a baseline pins: rows that are alike in its columns are counted together.

Like the edges of a histogram, the tree is part of the baseline: counts on different trees refuse to add.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from hashlib import sha256
from typing import Any, ClassVar, NamedTuple, Self, TypeAlias

import numpy as np
import orjson
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from monitor_tasks.profiles.cells import as_text
from monitor_tasks.profiles.scores import numbers
from monitor_tasks.value import known_version

Column: TypeAlias = pa.ChunkedArray | pa.Array
Numbers = NDArray[np.float64]
LARGEST = float(np.finfo(np.float32).max)


class Axis(NamedTuple):
    """A column that the tree looks at."""

    name: str
    categories: tuple[str, ...] | None = None
    """Its texts in the tree's order, by which they become numbers; None for a column of numbers."""

    def numbers(self, column: Column) -> Numbers:
        """The column as numbers, NaN where a cell is missing or a text is none of these.

        >>> Axis("fuel", ("gas", "diesel")).numbers(pa.array(["diesel", "coal", "gas"])).tolist()
        [1.0, nan, 0.0]
        """
        if self.categories is None:
            return numbers(column)
        array = column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column
        places = pc.index_in(as_text(array), pa.array(self.categories, pa.string()))
        return np.asarray(pc.cast(places, pa.float64()).to_numpy(zero_copy_only=False))


class Node(NamedTuple):
    """A fork of the tree, or a leaf, which is a cell."""

    axis: int = -1
    """The place of the column that is looked at; -1 for a leaf."""
    cut: float = 0.0
    """A row whose number is not larger goes on to `below`, another to `above`."""
    below: int = 0
    above: int = 0
    missing: int = 0
    """Where a row without a number goes on to."""


@dataclass(frozen=True)
class Partition:
    """A tree over columns; its leaves are the cells, each named by the place of its node."""

    SCHEMA_VERSION: ClassVar[int] = 1

    axes: tuple[Axis, ...]
    nodes: tuple[Node, ...] = (Node(),)

    def lacking(self, columns: Mapping[str, Column]) -> tuple[str, ...]:
        """The tree's columns that are not there."""
        return tuple(axis.name for axis in self.axes if axis.name not in columns)

    def matrix(self, columns: Mapping[str, Column]) -> Numbers:
        """The columns as numbers, a line per row; what single precision does not hold is the largest that it does."""
        return np.clip(np.column_stack([axis.numbers(columns[axis.name]) for axis in self.axes]), -LARGEST, LARGEST)

    def cells(self, matrix: Numbers) -> NDArray[np.int64]:
        """The cell of each row.

        >>> tree = Partition((Axis("age"),), (Node(0, 30.0, 1, 2, 2), Node(), Node()))
        >>> tree.cells(np.array([[20.0], [40.0], [np.nan]])).tolist()
        [1, 2, 2]
        """
        axis, below, above, missing = (np.array(one, np.int64) for one in (self._of(place) for place in (0, 2, 3, 4)))
        cut, rows = np.array(self._of(1), np.float64), np.arange(len(matrix))
        places = np.zeros(len(matrix), np.int64)
        while len(rows := rows[axis[places[rows]] >= 0]):
            nodes = places[rows]
            values = matrix[rows, axis[nodes]]
            sides = np.where(values <= cut[nodes], below[nodes], above[nodes])
            places[rows] = np.where(np.isnan(values), missing[nodes], sides)
        return places

    def _of(self, place: int) -> list[Any]:
        return [node[place] for node in self.nodes]

    @cached_property
    def id(self) -> str:
        """Tells the tree from others."""
        return sha256(self.to_json()).hexdigest()[:16]

    def to_json(self) -> bytes:
        """The tree as canonical JSON."""
        axes, nodes = ([list(one) for one in some] for some in (self.axes, self.nodes))
        return orjson.dumps({"schema_version": self.SCHEMA_VERSION, "axes": axes, "nodes": nodes})

    @classmethod
    def from_json(cls, text: bytes) -> Self:
        """The tree that ``to_json`` wrote."""
        known = known_version(orjson.loads(text), cls)
        axes = (Axis(name, None if texts is None else tuple(texts)) for name, texts in known["axes"])
        return cls(tuple(axes), tuple(Node(*node) for node in known["nodes"]))
