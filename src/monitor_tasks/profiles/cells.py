"""What kind of thing each cell of a column is: by its text for text, by its type for typed columns."""

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

KINDS = ("Integral", "Fractional", "Boolean", "String")

INTEGRAL = r"^[+-]? ?[0-9]+$"
FRACTIONAL = r"^[+-]? ?[0-9]+(\.[0-9]+([eE][+-]?[0-9]+)?|[eE][+-]?[0-9]+)$"
BOOLEAN = r"^(true|false)$"
"""What the text of a cell of each kind looks like (contract data-quality.md, type inference)."""


@dataclass(frozen=True, slots=True)
class Cells:
    """The present cells of one column, sorted by what they are."""

    missing: int
    counts: dict[str, int]
    """Present cells by kind."""
    texts: pa.Array
    """The cells that are text or truth values, as text."""
    numbers: NDArray[np.float64]
    """The cells that are numbers, infinities and NaN included; -0.0 is 0.0."""

    @classmethod
    def of(cls, column: pa.ChunkedArray | pa.Array) -> "Cells":
        """The cells of an Arrow column of any type; null is missing."""
        if isinstance(column, pa.ChunkedArray):
            column = column.combine_chunks()
        if pa.types.is_dictionary(column.type):
            column = column.dictionary_decode()
        missing = column.null_count
        present = column.drop_null()
        kind = _kind_of_type(column.type)
        if kind is None:
            return _by_text(missing, as_text(present))
        nothing = pa.array([], pa.string())
        if kind == "Boolean":
            return cls(missing, {"Boolean": len(present)}, pc.cast(present, pa.string()), np.empty(0))
        numbers = present.to_numpy(zero_copy_only=False).astype(np.float64) + 0.0
        return cls(missing, {kind: len(present)}, nothing, numbers)


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


def _by_text(missing: int, present: pa.Array) -> Cells:
    integral = pc.match_substring_regex(present, INTEGRAL)
    fractional = pc.match_substring_regex(present, FRACTIONAL)
    numeric = pc.or_(integral, fractional)
    texts = present.filter(pc.invert(numeric))
    counts = {
        "Integral": pc.sum(integral).as_py() or 0,
        "Fractional": pc.sum(fractional).as_py() or 0,
        "Boolean": pc.sum(pc.match_substring_regex(texts, BOOLEAN)).as_py() or 0,
    }
    counts["String"] = len(texts) - counts["Boolean"]
    return Cells(missing, {kind: n for kind, n in counts.items() if n}, texts, _parse(present.filter(numeric)))


def _parse(texts: pa.Array) -> NDArray[np.float64]:
    """The numbers that the texts name; digits that a double cannot hold are rounded, a sign may stand apart."""
    plain = pc.replace_substring_regex(texts, r"^([+-]?) ?", r"\1")
    plain = pc.replace_substring_regex(plain, r"^\+", "")
    try:
        numbers = pc.cast(plain, pa.float64()).to_numpy(zero_copy_only=False)
    except pa.ArrowInvalid:
        numbers = [float(text) for text in plain.to_pylist()]
    return np.asarray(numbers, np.float64) + 0.0
