"""Champion and challenger: the metrics of two models on the same windows, their differences, and what these prove."""

from collections.abc import Callable, Collection, Mapping
from math import hypot
from typing import Any, NamedTuple

import pyarrow as pa

from monitor_tasks.baseline import Metric
from monitor_tasks.exhibit import Decision, ModelComparison, ModelDifference
from monitor_tasks.metrics import paired
from monitor_tasks.metrics.comparison import (
    LEVEL,
    Agreement,
    Difference,
    Share,
    by_deviation,
    holm,
    labels_needed,
    of_paired_shares,
    of_shares,
)
from monitor_tasks.metrics.measured import Measured
from monitor_tasks.metrics.performance import outcomes
from monitor_tasks.metrics.resampling import MINIMUM_ROWS
from monitor_tasks.monitors.model_quality.calls import CALLS
from monitor_tasks.monitors.model_quality.monitor import ModelQuality
from monitor_tasks.monitors.model_quality.problem import View, Worse
from monitor_tasks.monitors.settings import ModelQualitySettings, ProblemType
from monitor_tasks.profiles.pairs import PAIR_LIMIT, Cell, PairProfile, VariantProfile
from monitor_tasks.value import UserError

DECIDING: Mapping[ProblemType, str] = {
    "BinaryClassification": "accuracy",
    "MulticlassClassification": "accuracy",
    "Regression": "mae",
}
"""The metric that decides, unless another is named."""
SAME_AS = {
    "true_positive_rate": "recall",
    "false_negative_rate": "recall",
    "false_positive_rate": "true_negative_rate",
    "weighted_recall": "accuracy",
}
"""Metrics that are others by another name, or 1 less them: both are one test."""
MOSTLY = 0.5
"""Rows are compared as pairs where at least so much of the smaller side is paired."""
UNTOLD: Decision = "cannot tell yet"
FEW_ROWS = f"fewer than {MINIMUM_ROWS} rows give no deviation"
TOO_MANY_PAIRS = f"there are more than {PAIR_LIMIT:,} different pairs"


Cells = Mapping[Cell, int]


class Sides(NamedTuple):
    """The monitors that read the rows of either model: of one endpoint twice the same."""

    champion: ModelQuality
    challenger: ModelQuality

    @property
    def problem_type(self) -> ProblemType:
        """What is predicted.

        Raises:
            UserError: the two predict different kinds of things.
        """
        one, other = (side.settings.problem_type for side in self)
        if one != other:
            raise UserError(
                f"model_quality.problem_type: the champion's is {one}, the challenger's {other}; only models of one "
                "problem type can be compared"
            )
        return one

    @property
    def worse(self) -> Mapping[str, Worse]:
        """The metrics that are compared, and which of their directions is worse: all but the drift of labels."""
        problem = self.champion.problem
        known = {**problem.constrained, **problem.further}
        return {name: worse for name, worse in known.items() if worse != "drifted"}

    def nothing(self) -> VariantProfile:
        """The profile of no row."""
        return VariantProfile.nothing(self.champion.problem.kind)

    def read_profile(self, text: bytes) -> VariantProfile:
        """The profile that a file holds."""
        return VariantProfile.from_json(text, self.champion.problem.kind)

    def profile(self, champion: pa.Table, challenger: pa.Table, pairs: tuple[pa.Table, pa.Table]) -> VariantProfile:
        """What is remembered of the rows of both, and of those rows of either that answer the same request."""
        mine, theirs = self.champion.profile(champion), self.challenger.profile(challenger)
        if not pairs[0].num_rows:
            return VariantProfile(mine, theirs, self.nothing().paired)
        calls = [CALLS[self.problem_type](rows, side.settings) for side, rows in zip(self, pairs, strict=True)]
        known = calls[0].usable & calls[1].usable
        one, other = (side.profile(rows.filter(pa.array(known))) for side, rows in zip(self, pairs, strict=True))
        return VariantProfile(mine, theirs, (one, other), PairProfile.of(*(call.where(known) for call in calls)))

    def compare(self, profile: VariantProfile, names: tuple[str, str], metric: str | None = None) -> ModelComparison:
        """Every metric of both, the differences, and what these prove; `metric` decides.

        Raises:
            UserError: the problem type has no such metric.
        """
        deciding = metric or DECIDING[self.problem_type]
        if deciding not in self.worse:
            raise UserError(
                f"compare.metric: {self.problem_type} has no {deciding!r}; name one of {', '.join(self.worse)}"
            )
        view = _View.of(self, profile)
        found = {name: view.difference(name) for name in self.worse}
        told = _told(found, deciding, self.worse, view.labels)
        sides = {name: [one[name].value for one in view.measured] for name in self.worse}
        return ModelComparison(
            champion=names[0],
            challenger=names[1],
            paired=view.pairs is not None,
            rows=view.rows,
            metric=deciding,
            differences=tuple(
                ModelDifference(metric=name, champion=one, challenger=other, **told[name])
                for name, (one, other) in sides.items()
            ),
        )


def metrics_of(comparison: ModelComparison) -> list[Metric]:
    """The differences as metrics such as ``accuracy_difference``, which a constraint may judge."""
    names = {"champion": comparison.champion, "challenger": comparison.challenger}
    return [
        Metric(
            name=f"{one.metric}_difference", value=one.difference, n=min(comparison.rows), because=one.because,
            deviation=one.deviation, details=names,
        )
        for one in comparison.differences
    ]  # fmt: skip


class _View(NamedTuple):
    """The rows that are compared: all of both sides, or their pairs."""

    sides: Sides
    profiles: tuple[Any, Any]
    measured: tuple[Mapping[str, Measured], Mapping[str, Measured]]
    pairs: PairProfile | None = None
    deviations: Mapping[str, float | None] = {}
    """Of the pairs: the deviations of differences, by metric."""

    @classmethod
    def of(cls, sides: Sides, profile: VariantProfile) -> "_View":
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


def _told(
    found: Mapping[str, Difference], deciding: str, worse: Mapping[str, Worse], labels: int
) -> dict[str, dict[str, Any]]:
    """What each difference proves: the deciding one alone, the others adjusted for being several."""
    first = SAME_AS.get(deciding, deciding)
    tests = {SAME_AS.get(name, name): one.p_value for name, one in found.items()}
    adjusted = holm({name: p_value for name, p_value in tests.items() if p_value is not None and name != first})
    told = dict[str, dict[str, Any]]()
    for name, one in found.items():
        test = SAME_AS.get(name, name)
        p_value = one.p_value if test == first else adjusted.get(test)
        more_is_better = worse[name] == "smaller"
        known = {"difference": one.value, **one._asdict(), "p_adjusted": adjusted.get(test)}
        del known["value"]
        told[name] = known | {"more_is_better": more_is_better} | _verdict(one, p_value, more_is_better)
        if told[name]["verdict"] == UNTOLD and (
            needed := labels_needed(one, labels, max(1, len(adjusted)) if test != first else 1)
        ):
            told[name]["more_labels"] = max(1, needed - labels)
    return told


def _verdict(found: Difference, p_value: float | None, more_is_better: bool) -> dict[str, Any]:
    if p_value is None or found.value is None:
        return {"verdict": UNTOLD}
    if p_value < LEVEL:
        return {"verdict": "better" if (found.value > 0) == more_is_better else "worse"}
    holds_0 = found.lower is None or found.upper is None or found.lower <= 0 <= found.upper
    return {
        "verdict": UNTOLD,
        "because": "chance may explain it" if holds_0 else "chance may explain one of so many metrics",
    }
