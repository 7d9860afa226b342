"""A column as codes of its different cells: which are numbers, which are texts, and which of them a setting means."""

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple, Self

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from monitor_tasks.profiles.cells import FRACTIONAL, INTEGRAL, Cells, as_text

VALUE_LIMIT = 1_024
"""A facet with more different values is not counted; a group variable with more is not kept."""
SELECTED, OTHER = "selected", "other"

Named = Sequence[str | float]
Codes = NDArray[np.int64]


def value_text(value: str | float) -> str:
    """A cell as text: 1, 1.0 and "1.00" are the same value.

    >>> value_text(1.0), value_text("1.00"), value_text(0.5), value_text("A201")
    ('1', '1', '0.5', 'A201')
    """
    if isinstance(value, str):
        if not re.match(f"{INTEGRAL}|{FRACTIONAL}", value):
            return value
        value = float(value.replace(" ", ""))
    return str(int(value)) if float(value).is_integer() and abs(value) < 1e15 else repr(float(value))


class Mark(NamedTuple):
    """Which cells of a column are meant: those of some values, or, where one number is named, those above it."""

    values: tuple[str, ...]
    threshold: float | None

    @classmethod
    def of(cls, named: Named) -> "Mark":
        """The mark that settings name; a number may be a value or a threshold, text is a value."""
        number = named[0] if len(named) == 1 and not isinstance(named[0], str) else None
        return cls(tuple(map(value_text, named)), None if number is None else float(number))

    @property
    def meant(self) -> frozenset[str]:
        """The values, and the truth values that 1 and 0 stand for."""
        return frozenset(self.values) | {truth for one, truth in (("1", "true"), ("0", "false")) if one in self.values}


@dataclass(frozen=True)
class Numbers:
    """The labelled rows of a column on which one number was named: tells a value from a threshold; any two add up."""

    count: int = 0
    """Cells that are finite numbers."""
    fractions: int = 0
    """Of these the ones that are written with a fraction, or of a floating type."""
    others: int = 0
    """Cells that are text or truth values."""
    values: Mapping[str, int] | None = field(default_factory=dict)
    """The finite numbers by value; None past 1,024 different ones."""
    maximum: float | None = None

    def __add__(self, other: Self) -> Self:
        values: Counter[str] | None = None
        if self.values is not None and other.values is not None:
            values = Counter(self.values) + Counter(other.values)
        return type(self)(
            self.count + other.count,
            self.fractions + other.fractions,
            self.others + other.others,
            None if values is None or len(values) > VALUE_LIMIT else dict(values),
            max((one for one in (self.maximum, other.maximum) if one is not None), default=None),
        )

    @property
    def plain(self) -> dict[str, Any]:
        """The values for JSON, in canonical order."""
        values = None if self.values is None else dict(sorted(self.values.items()))
        return {**vars(self), "values": values}


class Coded(NamedTuple):
    """A column whose cells are numbers of a list of texts, the first of which is None for a missing cell."""

    codes: Codes
    texts: list[str | None]


ALL = Coded(np.zeros(1, np.int64), [None])
"""No column: every row has the same code, that of a missing cell."""


class Column(NamedTuple):
    """A column by its different cells: what a cell is, is asked once for all that are alike."""

    codes: Codes
    """Which of the different cells; the last one is a missing cell."""
    numbers: NDArray[np.float64]
    """The different cells that are numbers; NaN for the others."""
    texts: pa.Array
    """The different cells that are text or truth values; null for the others."""
    fractional: NDArray[np.bool_]
    """The different cells that are written with a fraction, or of a floating type."""

    @classmethod
    def of(cls, column: pa.ChunkedArray) -> "Column":
        """The column of any Arrow type; NaN is missing."""
        array = _plain(column)
        if pa.types.is_floating(array.type):  # measures repeat too seldom to be worth encoding
            numbers = np.append(array.to_numpy(zero_copy_only=False).astype(np.float64) + 0.0, np.nan)
            nothing = pa.nulls(len(numbers), pa.string())
            return cls(np.arange(len(array)), numbers, nothing, np.full(len(numbers), fill_value=True))
        encoded = array.dictionary_encode()
        different = encoded.dictionary
        codes = encoded.indices.fill_null(len(different)).to_numpy(zero_copy_only=False).astype(np.int64)
        if pa.types.is_integer(different.type):
            numbers = np.append(different.to_numpy(zero_copy_only=False).astype(np.float64), np.nan)
            return cls(codes, numbers, pa.nulls(len(numbers), pa.string()), np.full(len(numbers), fill_value=False))
        return cls(codes, *_told_apart(as_text(different)))

    @property
    def present(self) -> NDArray[np.bool_]:
        """Which of the different cells are not missing."""
        return ~np.isnan(self.numbers) | self._is_text

    @property
    def _is_text(self) -> NDArray[np.bool_]:
        return np.asarray(self.texts.is_valid().to_numpy(zero_copy_only=False))

    def states(self, mark: Mark) -> Codes:
        """Each row's outcome: 0 missing, else 1, +1 where the value is meant, +2 where it is above the number."""
        named = [float(value) for value in mark.values if re.fullmatch(f"{INTEGRAL}|{FRACTIONAL}", value)]
        texts = pc.is_in(self.texts, pa.array(sorted(mark.meant), pa.string())).to_numpy(zero_copy_only=False)
        states = 1 + (np.isin(self.numbers, named) | (texts & self._is_text)).astype(np.int64)
        if mark.threshold is not None:
            states += 2 * (self.numbers > mark.threshold)
        return np.where(self.present, states, 0)[self.codes]

    def by_value(self) -> Coded | None:
        """The cells by value; None past 1,024 different ones."""
        is_number, is_text = ~np.isnan(self.numbers), self._is_text
        values, places = np.unique(self.numbers[is_number], return_inverse=True)
        if len(values) + is_text.sum() > VALUE_LIMIT + 2:  # inf and -inf may be there as a number and as a text
            return None
        names = [*map(value_text, values.tolist()), *self.texts.drop_null().to_pylist()]
        place = {name: index for index, name in enumerate(dict.fromkeys(names), start=1)}
        if len(place) > VALUE_LIMIT:
            return None
        coded = np.array([place[name] for name in names], np.int64)
        code = np.zeros(len(self.numbers), np.int64)
        code[is_number] = coded[: len(values)][places]
        code[is_text] = coded[len(values) :]
        return Coded(code[self.codes], [None, *place])

    def labelled_numbers(self, labels: Codes) -> Numbers:
        """What tells whether a number named on the column is a value or a threshold."""
        counts = np.bincount(self.codes[labels > 0], minlength=len(self.numbers))
        finite = np.isfinite(self.numbers) & (counts > 0)
        if not finite.any():
            return Numbers(others=int(counts[self._is_text].sum()))
        values, places = np.unique(self.numbers[finite], return_inverse=True)
        known = None
        if len(values) <= VALUE_LIMIT:
            sums = np.bincount(places, weights=counts[finite]).astype(np.int64).tolist()
            known = dict(zip(map(value_text, values.tolist()), sums, strict=True))
        fractions, others = counts[finite & self.fractional].sum(), counts[self._is_text].sum()
        return Numbers(int(counts[finite].sum()), int(fractions), int(others), known, float(values[-1]))

    def by_threshold(self, threshold: float) -> Coded:
        """The cells above a number, and the others."""
        code = np.where(self.present, np.where(self.numbers > threshold, 1, 2), 0)
        return Coded(code[self.codes], [None, SELECTED, OTHER])


def _told_apart(texts: pa.Array) -> tuple[NDArray[np.float64], pa.Array, NDArray[np.bool_]]:
    """The numbers, the other texts, and which are fractions, with a missing cell at the end of each."""
    fractional = pc.match_substring_regex(texts, FRACTIONAL)
    numeric = pc.or_(fractional, pc.match_substring_regex(texts, INTEGRAL))
    numbers = np.full(len(texts) + 1, np.nan)
    numbers[:-1][numeric.to_numpy(zero_copy_only=False)] = Cells.of(texts).numbers
    others = pa.concat_arrays([pc.if_else(numeric, None, texts), pa.nulls(1, pa.string())])
    return numbers, others, np.append(fractional.to_numpy(zero_copy_only=False), False)


def _plain(column: pa.ChunkedArray) -> pa.Array:
    """The column as one array that Arrow can encode: numbers, truth values or text."""
    array = column.combine_chunks()
    if pa.types.is_dictionary(array.type):
        array = array.dictionary_decode()
    kind = array.type
    if pa.types.is_string(kind) or pa.types.is_boolean(kind) or pa.types.is_integer(kind) or pa.types.is_floating(kind):
        return array
    if pa.types.is_nested(kind):
        return pa.array([None if value is None else str(value) for value in array.to_pylist()], pa.string())
    return pc.cast(array, pa.string())
