"""The k rows with the smallest hashes: a sample that is itself a sum."""

from dataclasses import dataclass
from typing import Any, NamedTuple, Self

import numpy as np
import orjson
import pyarrow as pa
from numpy.typing import NDArray

HASH = "@hash"
EXPECTED = b"expected_value"


class Entry(NamedTuple):
    """One sampled row."""

    hash: int
    values: tuple[float, ...]
    """One value a feature, in the order of the profile's features."""
    expected: float | None = None
    """What the row's values add up from, where the table said so."""


@dataclass(frozen=True)
class SampleProfile:
    """What is remembered of explained rows: up to `k` of them, those with the smallest hashes; all, up to k."""

    rows: int = 0
    """All rows seen, the sampled ones and the others."""
    k: int | None = None
    """How many rows are kept at most; None keeps all."""
    features: tuple[str, ...] = ()
    """Names of the values, sorted."""
    entries: tuple[Entry, ...] = ()
    """The sampled rows by hash, then values; equal ones are as many rows."""

    @classmethod
    def of(cls, table: pa.Table, k: int | None = None) -> Self:
        """The sample of a table with the columns ``@hash`` and one number a feature.

        A row with an undefined or infinite value is counted and not kept; of a table without hashes nothing is kept.
        """
        if HASH not in table.column_names:
            return cls(table.num_rows, k)
        features = tuple(sorted(name for name in table.column_names if not name.startswith("@")))
        hashes, values = table[HASH].to_numpy(), _matrix(table, features)
        said = (table.schema.metadata or {}).get(EXPECTED)
        expected = None if said is None else float(said)
        kept = np.flatnonzero(np.isfinite(values).all(axis=1))
        entries = [Entry(int(hashes[row]), tuple(values[row].tolist()), expected) for row in kept]
        return cls(table.num_rows, k, features, _smallest(entries, k))

    def __add__(self, other: Self) -> Self:
        """The sample of both parts' rows; of two limits the smaller holds.

        Raises:
            ValueError: the two hold values of different features.
        """
        if self.features and other.features and self.features != other.features:
            differing = sorted({*self.features} ^ {*other.features})
            raise ValueError(f"samples of different features do not add: {', '.join(differing)}")
        k = min((one for one in (self.k, other.k) if one is not None), default=None)
        entries = _smallest([*self.entries, *other.entries], k)
        return type(self)(self.rows + other.rows, k, self.features or other.features, entries)

    @property
    def values(self) -> NDArray[np.float64]:
        """The sampled values, of shape (sampled rows, features)."""
        shape = (len(self.entries), len(self.features))
        return np.array([entry.values for entry in self.entries], np.float64).reshape(shape)

    def to_json(self) -> bytes:
        """The profile as canonical JSON: equal profiles give equal bytes."""
        entries = [[entry.hash, entry.values, entry.expected] for entry in self.entries]
        known = {"rows": self.rows, "k": self.k, "features": self.features, "entries": entries}
        return orjson.dumps({"schema_version": 1, **known})

    @classmethod
    def from_json(cls, text: bytes) -> Self:
        """The profile that ``to_json`` wrote."""
        known = orjson.loads(text)
        entries = tuple(Entry(hash_, tuple(values), expected) for hash_, values, expected in known["entries"])
        return cls(known["rows"], known["k"], tuple(known["features"]), entries)


def _matrix(table: pa.Table, features: tuple[str, ...]) -> NDArray[np.float64]:
    """The features' values, a missing one as NaN and -0.0 as 0.0."""
    columns = [table[name].to_numpy().astype(np.float64) for name in features]
    return np.column_stack(columns) + 0.0 if columns else np.empty((table.num_rows, 0))


def _smallest(entries: list[Entry], k: int | None) -> tuple[Entry, ...]:
    return tuple(sorted(entries, key=_place)[:k])


def _place(entry: Entry) -> tuple[Any, ...]:
    return entry.hash, entry.values, entry.expected is not None, entry.expected or 0.0
