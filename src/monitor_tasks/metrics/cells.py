"""What share of a column's cells is as it should be, from its counts."""

from collections.abc import Collection, Mapping


def completeness(present: int, missing: int) -> float | None:
    """Share of rows whose cell is present; None without rows.

    >>> completeness(3, 1)
    0.75
    """
    return present / (present + missing) if present + missing else None


def type_match(kinds: Mapping[str, int], expected: str) -> float | None:
    """Share of the present cells that are of the expected kind; text takes anything. None without a present cell.

    Source: contract data-quality.md, section 3.

    >>> type_match({"Integral": 3, "Fractional": 1}, "Integral")
    0.75
    """
    present = sum(kinds.values())
    if not present:
        return None
    return 1.0 if expected in ("String", "Unknown") else kinds.get(expected, 0) / present


def domain_share(values: Mapping[str, int], domain: Collection[str]) -> float | None:
    """Share of the present cells whose value is one of the domain; None without a present cell.

    >>> domain_share({"a": 3, "b": 1}, ["a"])
    0.75
    """
    present = sum(values.values())
    return sum(count for value, count in values.items() if value in domain) / present if present else None


def different_values(texts: Mapping[str, int] | None, numbers: Mapping[str, int] | None, not_finite: int) -> int | None:
    """How many different values the present cells have, NaN and infinities as one; None where not all are known.

    >>> different_values({"a": 3}, {"1": 2, "2": 1}, 0)
    3
    """
    if texts is None or numbers is None:
        return None
    return len(texts) + len(numbers) + bool(not_finite)
