"""What kind of thing each cell of a column is: by its text for text, by its type for typed columns."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

KINDS = ("Integral", "Fractional", "Boolean", "String")

INTEGRAL = r"^[+-]? ?[0-9]+$"
FRACTIONAL = r"^[+-]? ?[0-9]+(\.[0-9]+([eE][+-]?[0-9]+)?|[eE][+-]?[0-9]+)$"
BOOLEAN = r"^(true|false)$"
"""What the text of a cell of each kind looks like (contract data-quality.md, type inference)."""


Numbers = NDArray[np.float64]

_SAMPLE = 1_024
"""Cells that tell whether a column's text repeats."""
_INTEGRAL, _FRACTIONAL, _BOOLEAN, _STRING = range(4)
"""The kinds as numbers: their places in KINDS."""


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

    @classmethod
    def of(cls, column: pa.ChunkedArray | pa.Array) -> "Cells":
        """The cells of an Arrow column of any type; null is missing."""
        if isinstance(column, pa.ChunkedArray):
            column = column.combine_chunks()
        if pa.types.is_dictionary(column.type):
            column = _encoded_once(column)
        missing = column.null_count
        present = column.drop_null() if missing else column
        if pa.types.is_dictionary(column.type):
            return _sorted(missing, _told_apart(present.dictionary), present)
        kind = _kind_of_type(column.type)
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
        if pa.types.is_dictionary(self.texts.type):
            counts = np.bincount(self.texts.indices, minlength=len(self.texts.dictionary))
            found = np.flatnonzero(counts)
            return self.texts.dictionary.take(pa.array(found)), counts[found]
        tally = pc.value_counts(self.texts)
        return tally.field("values"), tally.field("counts").to_numpy()


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
    if _repeats(present):
        encoded = present.dictionary_encode()
        return _sorted(missing, _told_apart(encoded.dictionary), encoded)
    return _plain_numbers(missing, present) or _sorted(missing, _told_apart(present), present)


def _repeats(texts: pa.Array) -> bool:
    """Whether a sample holds most of its texts twice."""
    sample = texts.take(pa.array(np.linspace(0, len(texts) - 1, min(len(texts), _SAMPLE)).astype(np.int64)))
    return len(sample.unique()) <= len(sample) // 2


def _told_apart(texts: pa.Array) -> tuple[NDArray[np.intp], Numbers]:
    """The kind of each text, as a place in KINDS, and the number it is, where it is one."""
    integral, fractional, boolean = (
        pc.match_substring_regex(texts, pattern).to_numpy(zero_copy_only=False)
        for pattern in (INTEGRAL, FRACTIONAL, BOOLEAN)
    )
    kinds = np.select([integral, fractional, boolean], [_INTEGRAL, _FRACTIONAL, _BOOLEAN], _STRING)
    numbers = np.full(len(texts), np.nan)
    numeric = kinds < _BOOLEAN
    numbers[numeric] = _parse(texts.filter(pa.array(numeric)))
    return kinds, numbers


def _sorted(missing: int, known: tuple[NDArray[np.intp], Numbers], cells: pa.Array) -> Cells:
    """The cells by what is `known` of each of them; of a dictionary's different texts where they are encoded."""
    kinds, numbers = known
    if pa.types.is_dictionary(cells.type):
        codes = cells.indices.to_numpy()
        kinds, numbers = kinds[codes], numbers[codes]
    numeric = kinds < _BOOLEAN
    texts = cells.filter(pa.array(~numeric)) if numeric.any() else cells
    return Cells(missing, _counts(np.bincount(kinds, minlength=len(KINDS)).tolist()), texts, numbers[numeric])


def _counts(by_kind: Sequence[int]) -> dict[str, int]:
    return {kind: count for kind, count in zip(KINDS, by_kind, strict=True) if count}


def _plain_numbers(missing: int, present: pa.Array) -> Cells | None:
    """The cells of a column of numbers, most of which have no more than a sign, digits and a point; else None.

    Arrow reads such numbers much faster than a pattern tells them apart, so only the other cells meet patterns.
    """
    odd = _odd_cells(*_bytes_of(present))
    if len(odd) > len(present) // 4:
        return None
    odd_texts = present.take(pa.array(odd))
    kinds, _ = _told_apart(odd_texts)
    is_text = kinds >= _BOOLEAN
    numeric = present
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
    return Cells(missing, _counts(by_kind.tolist()), odd_texts.filter(pa.array(is_text)), numbers)


def _points(texts: pa.Array) -> int:
    return int(np.count_nonzero(_bytes_of(texts)[0] == ord(".")))


def _bytes_of(texts: pa.Array) -> tuple[NDArray[np.uint8], NDArray[np.int32]]:
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
