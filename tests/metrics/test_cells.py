"""Shares of cells, and when they are undefined."""

import pytest

from monitor_tasks.metrics.cells import completeness, domain_share, type_match


@pytest.mark.parametrize(("present", "missing", "share"), [(3, 1, 0.75), (0, 4, 0.0), (4, 0, 1.0), (0, 0, None)])
def test_completeness(present: int, missing: int, share: float | None) -> None:
    assert completeness(present, missing) == share


@pytest.mark.parametrize(
    ("expected", "share"),
    [("Integral", 0.5), ("Fractional", 0.25), ("Boolean", 0.0), ("String", 1.0), ("Unknown", 1.0)],
)
def test_type_match(expected: str, share: float) -> None:
    assert type_match({"Integral": 2, "Fractional": 1, "String": 1}, expected) == share
    assert type_match({}, expected) is None


def test_the_share_of_the_public_churn_run() -> None:
    """Contract data-quality.md, section 3: 1970 of 1977 cells, to the last digit of the message."""
    assert type_match({"Integral": 1970, "Fractional": 7}, "Integral") * 100 == 99.64592817400101  # type: ignore[operator]


def test_domain_share() -> None:
    assert domain_share({"a": 3, "b": 1}, ["a"]) == 0.75
    assert domain_share({"a": 3}, []) == 0.0
    assert domain_share({"a": 3}, {"a", "z"}) == 1.0
    assert domain_share({}, ["a"]) is None
