"""A row of docs/conformance.md: what is compared, with whom, on which data, and how far the two may differ."""

from collections.abc import Callable, Iterable
from math import isinf
from pathlib import Path
from typing import NamedTuple

import pytest

DATA = Path(__file__).parents[3] / "shared/data"
BYTES = "bytes"
NUMBERS = "< 1e-9"
STEPS = ("1e-12", "1e-9", "1e-6", "1e-3")
"""How differences are told, so that other machines tell the same."""

Pairs = Iterable[tuple[object, object]]


class Case(NamedTuple):
    """What is compared, and how."""

    name: str
    oracle: str
    data: str
    pairs: Callable[[], Pairs]
    """Ours and theirs: bytes or texts that are equal, numbers that differ by less than is stated."""
    stated: str = NUMBERS

    @property
    def key(self) -> str:
        """What tells it from the others of its table."""
        return f"{self.name}, {self.oracle}, {self.data}"

    def measured(self) -> str:
        """The largest difference, as it is told; *absolute*, of numbers above 1 in parts of them."""
        pairs = list(self.pairs())
        assert pairs, f"nothing is compared: {self.key}"
        if self.stated == BYTES:
            return BYTES if all(type(one) is type(other) and one == other for one, other in pairs) else "other bytes"
        return told(max(_difference(one, other) for one, other in pairs))

    def agrees(self, measured: str) -> bool:
        """Whether what was measured is no more than what is stated."""
        return measured == self.stated == BYTES or (
            measured.startswith("< ") and float(measured[2:]) <= float(self.stated[2:])
        )


def told(difference: float) -> str:
    """The step that a difference stays below."""
    return next((f"< {step}" for step in STEPS if difference < float(step)), f"{difference:.1g}")


def _difference(one: object, other: object) -> float:
    if one is None or other is None:
        return 0.0 if one is other else float("inf")
    mine, theirs = float(one), float(other)  # type: ignore[arg-type]
    if isinf(mine) or isinf(theirs):
        return 0.0 if mine == theirs else float("inf")
    return abs(mine - theirs) / max(1.0, abs(theirs))


def shared(name: str) -> bytes:
    """A file of the shared samples; what needs it is skipped where it is not there."""
    if not (DATA / name).is_file():
        pytest.skip(f"no shared sample {name} at {DATA}")
    return (DATA / name).read_bytes()
