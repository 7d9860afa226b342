"""The difference of two models in each metric, by what its chance is known from: shares, resamples, or deviations."""

from collections.abc import Callable, Collection, Mapping
from math import hypot
from typing import Any, NamedTuple

from monitor_tasks.metrics import paired
from monitor_tasks.metrics.comparison import (
    Agreement,
    Difference,
    Share,
    by_deviation,
    of_paired_shares,
    of_shares,
)
from monitor_tasks.metrics.measured import Measured
from monitor_tasks.metrics.performance import outcomes
from monitor_tasks.metrics.resampling import MINIMUM_ROWS
from monitor_tasks.monitors.model_quality.problem import View
from monitor_tasks.monitors.model_quality.sides import Sides
from monitor_tasks.monitors.settings import ModelQualitySettings, ProblemType
from monitor_tasks.profiles.pairs import PAIR_LIMIT, Cell, PairProfile, VariantProfile

MOSTLY = 0.5
"""Rows are compared as pairs where at least so much of the smaller side is paired."""
FEW_ROWS = f"fewer than {MINIMUM_ROWS} rows give no deviation"
TOO_MANY_PAIRS = f"there are more than {PAIR_LIMIT:,} different pairs"
Cells = Mapping[Cell, int]


class SideBySide(NamedTuple):
    """The rows that are compared: all of both sides, or their pairs."""

    sides: Sides
    profiles: tuple[Any, Any]
    measured: tuple[Mapping[str, Measured], Mapping[str, Measured]]
    pairs: PairProfile | None = None
    deviations: Mapping[str, float | None] = {}
    """Of the pairs: the deviations of differences, by metric."""

    @classmethod
    def of(cls, sides: Sides, profile: VariantProfile) -> "SideBySide":
        """The pairs where most rows are paired, else all rows of both."""
        own = profile.champion, profile.challenger
        if not profile.pairs.rows or profile.pairs.rows < MOSTLY * min(one.judged for one in own):
            return cls(sides, own, (_measured(sides, 0, own[0]), _measured(sides, 1, own[1])))
        deviations, one, other = _deviations(sides, profile), *profile.paired
        alone = [name for name in sides.worse if name not in deviations]
        found = (_measured(sides, 0, one, alone), _measured(sides, 1, other, alone))
        return cls(sides, profile.paired, found, profile.pairs, deviations)

    @property
    def rows(self) -> tuple[int, int]:
        """The labelled rows of either side."""
        return self.profiles[0].judged, self.profiles[1].judged

    @property
    def labels(self) -> int:
        """How many labels that took: one serves both rows of a pair."""
        return self.rows[0] if self.pairs else sum(self.rows)

    def difference(self, name: str) -> Difference:
        """The challenger's value less the champion's."""
        values = [one[name].value for one in self.measured]
        for side, one in zip(Sides._fields, self.measured, strict=True):
            if one[name].value is None:
                return Difference(None, because=f"{side}: {one[name].because}")
        sizes = [abs(one) if self.sides.worse[name] == "farther from 0" else one for one in values if one is not None]
        least, value = max(side.settings.minimum_rows for side in self.sides), sizes[1] - sizes[0]
        if min(self.rows) < least:
            return Difference(value, because=f"not enough data: {min(self.rows)} rows, {least} needed on either side")
        if (found := self._of_shares(name)) is not None:
            return found
        if name in self.deviations:
            because = TOO_MANY_PAIRS if self.pairs and self.pairs.cells is None else ""
            return by_deviation(value, self.deviations[name], because or self._too_few())
        spreads = [one[name].deviation for one in self.measured]
        known = [one for one in spreads if one is not None]
        return by_deviation(value, hypot(*known) if len(known) == len(spreads) else None, self._too_few())

    def _too_few(self) -> str:
        return FEW_ROWS if min(self.rows) < MINIMUM_ROWS else ""

    def _of_shares(self, name: str) -> Difference | None:
        """The difference of shares of counted rows; None where the metric is none."""
        kind = self.sides.problem_type
        if self.pairs is None:
            one, other = (_SHARES[kind](side.settings, rows, name) for side, rows in zip(*self[:2], strict=True))
            return None if one is None or other is None else of_shares(one, other)
        agreement = None if self.pairs.cells is None else _AGREEMENTS[kind](self.pairs.cells, name)
        return agreement and of_paired_shares(agreement)


def _measured(sides: Sides, place: int, profile: Any, spread: Collection[str] | None = None) -> Mapping[str, Measured]:
    """The metrics of one side; with deviations all, or those that are named."""
    problem, settings = sides[place].problem, sides[place].settings
    wanted = sides.worse if spread is None else spread
    plain = problem.measured(View(profile, problem.kind(), settings, 0), tuple(sides.worse))
    return {**plain, **problem.measured(View(profile, problem.kind(), settings), tuple(wanted))}


def _deviations(sides: Sides, profile: VariantProfile) -> dict[str, float | None]:
    """How far the differences move on resamples of the pairs, by metric: of those for which pairs are enough."""
    names, cells = tuple(sides.worse), profile.pairs.cells
    if sides.problem_type == "Regression":
        absolute = [name for name in names if sides.worse[name] == "farther from 0"]
        return paired.of_numbers(*profile.paired, names, absolute)
    of_cells = paired.of_two_classes if sides.problem_type == "BinaryClassification" else paired.of_several_classes
    return {**of_cells(cells or {}, names), **paired.losses(profile.pairs)}


def _shares_of_two(_: ModelQualitySettings, profile: Any, name: str) -> Share | None:
    return paired.share_of(outcomes(profile), name) if name in paired.PARTS else None


def _shares_of_several(settings: ModelQualitySettings, profile: Any, name: str) -> Share | None:
    if name == "top_k_accuracy":
        return Share(sum(profile.probabilities.ranks[: settings.top_k]), profile.probabilities.judged)
    return Share(int(profile.confusion()[1].trace()), profile.judged) if name in paired.HITS else None


def _agreements_of_several(cells: Cells, name: str) -> Agreement | None:
    if name == "top_k_accuracy":
        return paired.agreement_of_ranks(cells)
    return paired.agreement_of_hits(cells) if name in paired.HITS else None


_SHARES: Mapping[ProblemType, Callable[[ModelQualitySettings, Any, str], Share | None]] = {
    "BinaryClassification": _shares_of_two,
    "MulticlassClassification": _shares_of_several,
    "Regression": lambda *_: None,
}
_AGREEMENTS: Mapping[ProblemType, Callable[[Cells, str], Agreement | None]] = {
    "BinaryClassification": lambda cells, name: (
        paired.agreement_of_two(cells, name) if name in paired.BY_LABEL else None
    ),
    "MulticlassClassification": _agreements_of_several,
    "Regression": lambda *_: None,
}
