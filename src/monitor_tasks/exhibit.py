"""Exhibit: what a page shows of a window beside the same of its baseline; numbers only, drawn elsewhere."""

from typing import Literal

from monitor_tasks.value import Value

Unit = Literal["count", "share", "value"]
"""Whether a number counts cells, is a part of 1, or is measured in the subject's own unit."""


class Pair(Value):
    """One number of a window beside the same number of its baseline; None where there is none."""

    label: str
    here: float | None
    baseline: float | None = None
    unit: Unit = "count"
    here_error: float | None = None
    """Standard deviation of the window's number by chance; None where it is not known."""
    baseline_error: float | None = None
    """Standard deviation of the baseline's number by chance; None where it is not known."""


class Comparison(Value):
    """One distribution of a window beside its baseline's: a histogram where it has cuts, else numbers by label."""

    title: str
    subject: str = ""
    """The column it is of, as the constraints name it; empty for the whole table."""
    pairs: tuple[Pair, ...] = ()
    """Of a histogram one more than there are cuts: the first and the last are what lies outside of all cuts."""
    cuts: tuple[float, ...] = ()
    """Where a histogram is cut, rising; a bar is open on the left and closed on the right."""
    facts: tuple[Pair, ...] = ()
    """What else is known of the subject."""
    note: str = ""
    """What a reader must know: what was left out, or why there is nothing to draw."""


class Curve(Value):
    """A curve of a window beside its baseline's; both axes run from 0 to 1."""

    title: str
    across: str
    up: str
    here: tuple[tuple[float, float], ...]
    baseline: tuple[tuple[float, float], ...] = ()


Exhibit = Comparison | Curve
