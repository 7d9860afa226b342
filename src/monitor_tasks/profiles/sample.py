"""The k rows with the smallest hashes: a sample that is itself a sum; and values known without their rows."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple, Self

import numpy as np
import orjson
import pyarrow as pa
from numpy.typing import NDArray

from monitor_tasks.value import known_version

HASH = "@hash"
LABEL = "label0"
"""Clarify's name of the only label."""


class Entry(NamedTuple):
    """One sampled row."""

    hash: int
    values: tuple[float, ...]
    """One value a feature, in the order of the profile's features; then those of the next label."""
    expected: tuple[float, ...] = ()
    """What the row's values add up from, one a label, where the table said so."""


class Explained(NamedTuple):
    """How rows were explained."""

    explainer: str
    scale: str
    """What was explained: the model's answer, its margin, or the log-odds of its probability."""
    evaluations: int
    """How many answers of the model one row took."""
    residual: float
    """How far values may lie beside the answers that they add up to, relative to the largest answer."""


@dataclass(frozen=True)
class SampleProfile:
    """What is remembered of explained rows: up to `k` of them, those with the smallest hashes; all, up to k."""

    SCHEMA_VERSION: ClassVar[int] = 2

    rows: int = 0
    """All rows seen, the sampled ones and the others."""
    k: int | None = None
    """How many rows are kept at most; None keeps all."""
    features: tuple[str, ...] = ()
    """Names of the values, sorted."""
    entries: tuple[Entry, ...] = ()
    """The sampled rows by hash, then values; equal ones are as many rows."""
    labels: tuple[str, ...] = (LABEL,)
    """The model's outputs, in their order."""
    explained: tuple[Explained, ...] = ()
    """How the rows were explained: once, where all were by the same."""
    background: str = ""
    """The rows that values are relative to, as JSON; empty where the explainer needs none."""

    @classmethod
    def of(cls, table: pa.Table, k: int | None = None) -> Self:
        """The sample of a table with the columns ``@hash`` and one number a feature, or one a feature and label.

        A row with an undefined or infinite value is counted and not kept; of a table without hashes nothing is kept.
        """
        if HASH not in table.column_names:
            return cls(table.num_rows, k)
        told = {key.decode(): text.decode() for key, text in (table.schema.metadata or {}).items()}
        labels = tuple(orjson.loads(told["labels"])) if "labels" in told else (LABEL,)
        features = tuple(sorted(name for name in table.column_names if not name.startswith("@")))
        hashes, values = table[HASH].to_numpy(), _matrix(table, features, len(labels))
        expected = _expected(orjson.loads(told["expected_value"])) if "expected_value" in told else ()
        kept = np.flatnonzero(np.isfinite(values).all(axis=1))
        entries = [Entry(int(hashes[row]), tuple(values[row].tolist()), expected) for row in kept]
        how = (
            Explained(told["explainer"], told["scale"], int(told["evaluations"]), float(told["residual"])),
        ) if "explainer" in told else ()  # fmt: skip
        return cls(table.num_rows, k, features, _smallest(entries, k), labels, how, told.get("background", ""))

    def __add__(self, other: Self) -> Self:
        """The sample of both parts' rows; of two limits the smaller holds.

        Raises:
            ValueError: the two hold values of different features or labels.
        """
        if self.features and other.features and self.features != other.features:
            differing = sorted({*self.features} ^ {*other.features})
            raise ValueError(f"samples of different features do not add: {', '.join(differing)}")
        if self.features and other.features and self.labels != other.labels:
            raise ValueError(f"samples of different labels do not add: {self.labels} and {other.labels}")
        k = min((one for one in (self.k, other.k) if one is not None), default=None)
        entries = _smallest([*self.entries, *other.entries], k)
        known = self if self.features else other
        return type(self)(
            self.rows + other.rows, k, known.features, entries, known.labels,
            tuple(sorted({*self.explained, *other.explained})), max(self.background, other.background),
        )  # fmt: skip

    @property
    def values(self) -> NDArray[np.float64]:
        """The sampled values of the first label, of shape (sampled rows, features)."""
        return self.values_of(self.labels[0])

    def values_of(self, label: str) -> NDArray[np.float64]:
        """The sampled values of one label, of shape (sampled rows, features)."""
        shape = (len(self.entries), len(self.labels), len(self.features))
        known = np.array([entry.values for entry in self.entries], np.float64).reshape(shape)
        return known[:, self.labels.index(label)]

    def expected_of(self, label: str) -> list[float]:
        """What each sampled row's values of one label add up from, where the table said so."""
        place = self.labels.index(label)
        return [entry.expected[place] for entry in self.entries if entry.expected]

    def to_json(self) -> bytes:
        """The profile as canonical JSON: equal profiles give equal bytes."""
        known = {"rows": self.rows, "k": self.k, "features": self.features, "labels": self.labels,
                 "explained": [one._asdict() for one in self.explained], "background": self.background,
                 "entries": [[entry.hash, entry.values, entry.expected] for entry in self.entries]}  # fmt: skip
        return orjson.dumps({"schema_version": self.SCHEMA_VERSION, **known})

    @classmethod
    def from_json(cls, text: bytes) -> Self:
        """The profile that ``to_json`` wrote; before version 2 there was one label, and nothing of how."""
        known = known_version(orjson.loads(text), cls)
        entries = tuple(Entry(hash_, tuple(values), _expected(rest)) for hash_, values, rest in known["entries"])
        how = tuple(Explained(**one) for one in known.get("explained", ()))
        return cls(
            known["rows"], known["k"], tuple(known["features"]), entries, tuple(known.get("labels", (LABEL,))), how,
            known.get("background", ""),
        )  # fmt: skip


@dataclass(frozen=True)
class GlobalProfile:
    """What Clarify's analysis.json alone tells of a baseline: the global value of each feature by label, no row."""

    values: Mapping[str, Mapping[str, float | None]]

    @property
    def labels(self) -> tuple[str, ...]:
        """The labels, in the file's order."""
        return tuple(self.values)


def _expected(known: Any) -> tuple[float, ...]:
    """One number a label, from a list, a number or nothing."""
    return () if known is None else tuple(known) if isinstance(known, list) else (float(known),)


def _matrix(table: pa.Table, features: tuple[str, ...], labels: int) -> NDArray[np.float64]:
    """The features' values by label, a missing one as NaN and -0.0 as 0.0; of shape (rows, labels x features)."""
    columns = [_numbers(table[name].combine_chunks()).reshape(table.num_rows, labels) for name in features]
    found = np.stack(columns, axis=2) if columns else np.empty((table.num_rows, labels, 0))
    return found.reshape(table.num_rows, labels * len(features)) + 0.0


def _numbers(column: Any) -> NDArray[np.float64]:
    cells = column.flatten() if pa.types.is_fixed_size_list(column.type) else column
    return np.asarray(cells.to_numpy(zero_copy_only=False), np.float64)


def _smallest(entries: list[Entry], k: int | None) -> tuple[Entry, ...]:
    return tuple(sorted(entries)[:k])
