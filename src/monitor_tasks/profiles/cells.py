"""What kind of thing each cell of a column is: by its text for text, by its type for typed columns."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TypeVar

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

FEW = 64
"""So few cells are looked at one by one: to make a library ready for all of them takes longer."""
KINDS = ("Integral", "Fractional", "Boolean", "String")

INTEGRAL = r"^[+-]? ?[0-9]+$"
FRACTIONAL = r"^[+-]? ?[0-9]+(\.[0-9]+([eE][+-]?[0-9]+)?|[eE][+-]?[0-9]+)$"
BOOLEAN = r"^(true|false)$"
"""What the text of a cell of each kind looks like (contract data-quality.md, type inference)."""


Numbers = NDArray[np.float64]
Places = NDArray[np.intp]
One = TypeVar("One", bound=np.generic)

_SAMPLE = 1_024
"""Cells that tell whether a column's text repeats."""
_INTEGRAL, _FRACTIONAL, _BOOLEAN, _STRING = range(4)
"""The kinds as numbers: their places in KINDS."""
_PATTERNS = [re.compile(pattern) for pattern in (INTEGRAL, FRACTIONAL, BOOLEAN)]


@dataclass(frozen=True)
class Cells:
    """The present cells of one column, sorted by what they are."""

    missing: int
    counts: dict[str, int]
    """Present cells by kind."""
    texts: pa.Array
    """The cells that are text or truth values, as text; encoded by a dictionary where they repeat."""
    numbers: Numbers
    """The cells that are numbers, infinities and NaN included; -0.0 is 0.0."""
    is_present: pa.Array | None = None
    """By row, whether the cell is present; None where all are."""
    is_number: NDArray[np.bool_] | None = None
    """By present cell, whether it is a number; None where all are or none is."""

    @classmethod
    def of(cls, column: pa.ChunkedArray | pa.Array) -> "Cells":
        """The cells of an Arrow column of any type; null is missing."""
        if isinstance(column, pa.ChunkedArray):
            column = column.combine_chunks()
        if pa.types.is_dictionary(column.type):
            column = _encoded_once(column)
        missing = column.null_count
        if missing:
            return replace(cls._of_present(missing, column.drop_null()), is_present=column.is_valid())
        return cls._of_present(0, column)

    @classmethod
    def _of_present(cls, missing: int, present: pa.Array) -> "Cells":
        if pa.types.is_dictionary(present.type):
            return _sorted(missing, _told_apart(present.dictionary), present)
        kind = _kind_of_type(present.type)
        if kind is None:
            return _by_text(missing, as_text(present))
        nothing = pa.array([], pa.string())
        if kind == "Boolean":
            return cls(missing, {"Boolean": len(present)}, pc.cast(present, pa.string()), np.empty(0))
        numbers = np.add(present.to_numpy(zero_copy_only=False), 0.0, dtype=np.float64)
        return cls(missing, {kind: len(present)}, nothing, numbers)

    @cached_property
    def tally(self) -> tuple[pa.Array, NDArray[np.int64]]:
        """The different texts, and how often each occurs."""
        if not len(self.texts):
            return self.texts, np.zeros(0, np.int64)
        if pa.types.is_dictionary(self.texts.type):
            counts = np.bincount(self.texts.indices, minlength=len(self.texts.dictionary))
            found = np.flatnonzero(counts)
            return self.texts.dictionary.take(pa.array(found)), counts[found]
        tally = pc.value_counts(self.texts)
        return tally.field("values"), tally.field("counts").to_numpy()

    @cached_property
    def finite(self) -> Numbers:
        """The numbers that are not infinite or NaN."""
        finite = np.isfinite(self.numbers)
        return self.numbers if finite.all() else self.numbers[finite]

    @property
    def rows(self) -> int:
        """All cells, the missing ones among them."""
        return self.missing + sum(self.counts.values())

    @cached_property
    def places(self) -> tuple[Places, Places]:
        """The rows of the numbers, and those of the texts."""
        present = np.arange(self.rows)
        if self.is_present is not None:
            present = present[self.is_present.to_numpy(zero_copy_only=False)]
        if self.is_number is not None:
            return present[self.is_number], present[~self.is_number]
        return (present, present[:0]) if len(self.numbers) else (present[:0], present)

    def by_row(self, of_numbers: NDArray[One], of_texts: NDArray[One], of_missing: One) -> NDArray[One]:
        """One value a row: those of the numbers, those of the texts, and that of a missing cell."""
        for whole in (of_numbers, of_texts):
            if len(whole) == self.rows:
                return whole
        values = np.full(self.rows, of_missing, of_numbers.dtype)
        for rows, known in zip(self.places, (of_numbers, of_texts), strict=True):
            values[rows] = known
        return values

    def as_texts(self, rows: Places) -> list[str | None]:
        """The cells of some rows as text, None where missing; equal numbers are equal texts."""
        texts = np.full(len(rows), None, np.object_)
        of_numbers, of_texts = self.places
        here, at = _among(of_numbers, rows)
        texts[here] = [number_text(number) for number in self.numbers[at].tolist()]
        here, at = _among(of_texts, rows)
        texts[here] = self.texts.take(pa.array(at)).to_pylist()
        known: list[str | None] = texts.tolist()
        return known


def _among(places: Places, rows: Places) -> tuple[Places, Places]:
    """Which of the rows are among rising places, and where these are."""
    if not len(places):
        return places, places
    at = np.searchsorted(places, rows)
    here = np.flatnonzero(places.take(at, mode="clip") == rows)
    return here, at[here]


def number_text(value: float) -> str:
    """A number as text, whole ones without a point: 1 and 1.0 are the same value.

    >>> number_text(1.0), number_text(0.5), number_text(1e300)
    ('1', '0.5', '1e+300')
    """
    return str(int(value)) if value.is_integer() and abs(value) < 1e15 else repr(value)


def inferred_type(counts: dict[str, int]) -> str:
    """The column's type by the kinds of its cells, as deequ infers it (contract data-quality.md, section 1).

    >>> inferred_type({"Integral": 5, "Fractional": 1}), inferred_type({"Boolean": 1, "Integral": 1}), inferred_type({})
    ('Fractional', 'String', 'Unknown')
    """
    kinds = {kind for kind, count in counts.items() if count}
    if not kinds:
        return "Unknown"
    if "String" in kinds or ("Boolean" in kinds and len(kinds) > 1):
        return "String"
    if kinds == {"Boolean"}:
        return "Boolean"
    return "Fractional" if "Fractional" in kinds else "Integral"


def _kind_of_type(kind: pa.DataType) -> str | None:
    if pa.types.is_boolean(kind):
        return "Boolean"
    if pa.types.is_integer(kind):
        return "Integral"
    return "Fractional" if pa.types.is_floating(kind) else None


def as_text(present: pa.Array) -> pa.Array:
    """The cells as text, whatever their type."""
    if pa.types.is_string(present.type):
        return present
    try:
        return pc.cast(present, pa.string())
    except (pa.ArrowNotImplementedError, pa.ArrowInvalid):
        return pa.array([str(value) for value in present.to_pylist()], pa.string())


def _encoded_once(column: pa.DictionaryArray) -> pa.Array:
    """The column by the different texts of its dictionary; decoded where that is not one of texts, or has many."""
    texts = column.dictionary
    if not pa.types.is_string(texts.type) or texts.null_count or len(texts) > len(column) // 2:
        return column.dictionary_decode()
    encoded = texts.dictionary_encode()
    return pa.DictionaryArray.from_arrays(encoded.indices.take(column.indices), encoded.dictionary)


def _by_text(missing: int, present: pa.Array) -> Cells:
    if len(present) > FEW and _repeats(present):
        encoded = present.dictionary_encode()
        return _sorted(missing, _told_apart(encoded.dictionary), encoded)
    plain = _plain_numbers(missing, present) if len(present) > FEW else None
    return plain or _sorted(missing, _told_apart(present), present)


def _repeats(texts: pa.Array) -> bool:
    """Whether a sample holds most of its texts twice."""
    sample = texts.take(pa.array(np.linspace(0, len(texts) - 1, min(len(texts), _SAMPLE)).astype(np.int64)))
    return len(sample.unique()) <= len(sample) // 2


def _told_apart(texts: pa.Array) -> tuple[NDArray[np.intp], Numbers]:
    """The kind of each text, as a place in KINDS, and the number it is, where it is one."""
    if len(texts) <= FEW:
        few = [_told(text) for text in texts.to_pylist()]
        return np.array([kind for kind, _ in few], np.intp), np.array([number for _, number in few], np.float64)
    integral, fractional, boolean = (
        pc.match_substring_regex(texts, pattern).to_numpy(zero_copy_only=False)
        for pattern in (INTEGRAL, FRACTIONAL, BOOLEAN)
    )
    kinds = np.select([integral, fractional, boolean], [_INTEGRAL, _FRACTIONAL, _BOOLEAN], _STRING)
    numbers = np.full(len(texts), np.nan)
    numeric = kinds < _BOOLEAN
    numbers[numeric] = _parse(texts.filter(pa.array(numeric)))
    return kinds, numbers


def _told(text: str) -> tuple[int, float]:
    """The kind of one text, and the number it is, where it is one."""
    kind = next((kind for kind, pattern in enumerate(_PATTERNS) if pattern.fullmatch(text)), _STRING)
    return kind, float(text.replace(" ", "")) + 0.0 if kind < _BOOLEAN else np.nan


def _sorted(missing: int, known: tuple[NDArray[np.intp], Numbers], cells: pa.Array) -> Cells:
    """The cells by what is `known` of each of them; of a dictionary's different texts where they are encoded."""
    kinds, numbers = known
    if pa.types.is_dictionary(cells.type):
        codes = cells.indices.to_numpy()
        kinds, numbers = kinds[codes], numbers[codes]
    numeric = kinds < _BOOLEAN
    counts = _counts(np.bincount(kinds, minlength=len(KINDS)).tolist())
    if not numeric.any():
        return Cells(missing, counts, cells, numbers[:0])
    return Cells(missing, counts, cells.filter(pa.array(~numeric)), numbers[numeric], is_number=numeric)


def _counts(by_kind: Sequence[int]) -> dict[str, int]:
    return {kind: count for kind, count in zip(KINDS, by_kind, strict=True) if count}


def _plain_numbers(missing: int, present: pa.Array) -> Cells | None:
    """The cells of a column of numbers, most of which have no more than a sign, digits and a point; else None.

    Arrow reads such numbers much faster than a pattern tells them apart, so only the other cells meet patterns.
    """
    odd = _odd_cells(*bytes_of(present))
    if len(odd) > len(present) // 4:
        return None
    odd_texts = present.take(pa.array(odd))
    kinds, _ = _told_apart(odd_texts)
    is_text = kinds >= _BOOLEAN
    numeric, keep = present, None
    if is_text.any():
        keep = np.ones(len(present), np.bool_)
        keep[odd[is_text]] = False
        numeric = present.filter(pa.array(keep))
    try:
        numbers = pc.cast(numeric, pa.float64()).to_numpy() + 0.0
    except pa.ArrowInvalid:  # "1-2" and "1.2.3" are text, "- 5" is a number that Arrow does not know
        return None
    points = _points(numeric) - _points(odd_texts.filter(pa.array(~is_text)))
    by_kind = np.bincount(kinds, minlength=len(KINDS))
    by_kind[:2] += len(present) - len(odd) - points, points
    return Cells(missing, _counts(by_kind.tolist()), odd_texts.filter(pa.array(is_text)), numbers, is_number=keep)


def _points(texts: pa.Array) -> int:
    return int(np.count_nonzero(bytes_of(texts)[0] == ord(".")))


def bytes_of(texts: pa.Array) -> tuple[NDArray[np.uint8], NDArray[np.int32]]:
    """All texts' bytes in a row, and where each text begins; the last one's end comes last."""
    _, offsets, content = texts.buffers()
    if not len(texts) or content is None:
        return np.zeros(0, np.uint8), np.zeros(len(texts) + 1, np.int32)
    places = np.frombuffer(offsets, np.int32)[texts.offset : texts.offset + len(texts) + 1]
    return np.frombuffer(content, np.uint8)[places[0] : places[-1]], places - places[0]


def _odd_cells(content: NDArray[np.uint8], places: NDArray[np.int32]) -> NDArray[np.intp]:
    """Which texts have more than ASCII digits, signs and points, or do not end, or after a sign begin, with a digit."""
    starts, ends = places[:-1], places[1:]
    if not len(content):
        return np.arange(len(starts))
    first, second, last = (content.take(at, mode="clip") for at in (starts, starts + 1, ends - 1))
    point, minus = ord("."), ord("-")
    odd = (ends == starts) | (last <= point) | (first == point) | (first == minus) & (second == point)
    if content.min() < minus or content.max() > ord("9"):
        strange = np.flatnonzero(content - minus > ord("9") - minus)
        if len(strange) > len(odd):
            return np.arange(len(odd))
        odd[np.searchsorted(ends, strange, side="right")] = True
    return np.flatnonzero(odd)


def _parse(texts: pa.Array) -> NDArray[np.float64]:
    """The numbers that the texts name; digits that a double cannot hold are rounded, a sign may stand apart."""
    plain = pc.replace_substring_regex(texts, r"^([+-]?) ?", r"\1")
    plain = pc.replace_substring_regex(plain, r"^\+", "")
    try:
        numbers = pc.cast(plain, pa.float64()).to_numpy(zero_copy_only=False)
    except pa.ArrowInvalid:
        numbers = [float(text) for text in plain.to_pylist()]
    return np.asarray(numbers, np.float64) + 0.0
