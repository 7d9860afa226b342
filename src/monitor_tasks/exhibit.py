"""Exhibit: what a page shows of a window beside the same of its baseline; numbers only, drawn elsewhere."""

from typing import Literal, Self

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
    sides: tuple[str, str] = ("this window", "baseline")
    """What is compared with what."""


class Curve(Value):
    """A curve of a window beside its baseline's; both axes run from 0 to 1."""

    title: str
    across: str
    up: str
    here: tuple[tuple[float, float], ...]
    baseline: tuple[tuple[float, float], ...] = ()


Decision = Literal["better", "worse", "cannot tell yet"]
"""What is known of a challenger beside its champion."""


class ModelDifference(Value):
    """One metric of a challenger less that of its champion, and how sure that is."""

    metric: str
    champion: float | None
    challenger: float | None
    more_is_better: bool = True
    difference: float | None = None
    lower: float | None = None
    """Where the 95 % interval of the difference begins."""
    upper: float | None = None
    deviation: float | None = None
    """Standard deviation of the difference over other samples of as many rows."""
    p_value: float | None = None
    p_adjusted: float | None = None
    """Adjusted for all metrics but the deciding one (Holm)."""
    verdict: Decision = "cannot tell yet"
    more_labels: int | None = None
    """While it cannot be told: how many more labels would tell a difference as large as this, four times in five."""
    because: str = ""
    """Why it cannot be told."""


class ModelComparison(Value):
    """A challenger beside its champion on the labelled rows of the same windows."""

    champion: str
    challenger: str
    paired: bool
    """Whether the rows are pairs of answers to the same request; else each side has rows of its own."""
    rows: tuple[int, int]
    """Labelled rows of the champion and of the challenger that are compared."""
    metric: str
    """The metric that decides; the others are looked at beside it, adjusted for being several."""
    differences: tuple[ModelDifference, ...]
    windows: int = 1
    """Over how many windows."""

    @property
    def deciding(self) -> ModelDifference:
        """The difference of the metric that decides."""
        return next(one for one in self.differences if one.metric == self.metric)

    def undecided(self, because: str) -> Self:
        """The same, where nothing may be told yet."""
        left = {"verdict": "cannot tell yet", "because": because, "more_labels": None}
        return self.model_copy(update={"differences": tuple(one.model_copy(update=left) for one in self.differences)})


Exhibit = Comparison | Curve
