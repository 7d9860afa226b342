"""What share of a column's cells is as it should be, from its counts."""

from collections.abc import Collection, Mapping
from typing import NamedTuple

from monitor_tasks.profiles.cells import inferred_type
from monitor_tasks.profiles.columns import NUMBER_LIMIT, ColumnProfile


def completeness(present: int, missing: int) -> float | None:
    """Share of rows whose cell is present; None without rows.

    >>> completeness(3, 1)
    0.75
    """
    return present / (present + missing) if present + missing else None


def type_match(kinds: Mapping[str, int], expected: str) -> float | None:
    """Share of the present cells that are of the expected kind. None without a present cell.

    Text takes anything, as long as the column is one of texts: a column of numbers alone is none of them.
    Source: contract data-quality.md, section 3, and the SDK's edited sample, which has to be violated.

    >>> type_match({"Integral": 3, "Fractional": 1}, "Integral")
    0.75
    >>> type_match({"Integral": 3, "String": 1}, "String"), type_match({"Integral": 3, "Fractional": 1}, "String")
    (1.0, 0.0)
    """
    present = sum(kinds.values())
    if not present:
        return None
    if expected == "String":
        return float(inferred_type(dict(kinds)) == "String")
    return 1.0 if expected == "Unknown" else kinds.get(expected, 0) / present


def chance_of_no_text(kinds: Mapping[str, int], n: int) -> float:
    """The chance that n cells of a column of texts are numbers alone, or Booleans alone.

    >>> round(chance_of_no_text({"String": 20, "Integral": 980}, 60), 3), chance_of_no_text({"String": 1000}, 60)
    (0.298, 0.0)
    """
    present = sum(kinds.values())
    numbers = kinds.get("Integral", 0) + kinds.get("Fractional", 0)
    return float((numbers / present) ** n + (kinds.get("Boolean", 0) / present) ** n)


def domain_share(values: Mapping[str, int], domain: Collection[str]) -> float | None:
    """Share of the present cells whose value is one of the domain; None without a present cell.

    >>> domain_share({"a": 3, "b": 1}, ["a"])
    0.75
    """
    present = sum(values.values())
    return sum(count for value, count in values.items() if value in domain) / present if present else None


def variety(column: ColumnProfile) -> int:
    """How many different values a column has, NaN and infinities as one; where not all are known, how many at least.

    >>> variety(ColumnProfile(texts={"a": 3}, numbers={"1": 2, "2": 1}))
    3
    """
    if column.texts is None or column.numbers is None:
        return NUMBER_LIMIT + 1
    return len(column.texts) + len(column.numbers) + bool(column.not_finite)


def unseen_share(values: Mapping[str, int]) -> float:
    """Share of further cells whose value is none of the known ones, as the values seen once let expect.

    Source: Good 1953.

    >>> unseen_share({"a": 7, "b": 2, "c": 1})
    0.1
    """
    return sum(count == 1 for count in values.values()) / max(sum(values.values()), 1)


class Rarest(NamedTuple):
    """The class that has lost most of its share."""

    name: str
    ratio: float
    """Its share in part of its share in the reference."""


def class_balance(values: Mapping[str, int], reference: Mapping[str, int]) -> Rarest | None:
    """The class of the reference that lost most of its share; None without a cell on either side.

    >>> class_balance({"no": 95, "yes": 5}, {"no": 80, "yes": 20})
    Rarest(name='yes', ratio=0.25)
    """
    n, m = sum(values.values()), sum(reference.values())
    if not n or not m:
        return None
    lost = [Rarest(name, values.get(name, 0) * m / (count * n)) for name, count in sorted(reference.items())]
    return min(lost, key=lambda one: one.ratio)
