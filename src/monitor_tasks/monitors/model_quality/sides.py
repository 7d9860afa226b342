"""The two models that are compared: how the rows of either are read, and which metrics both have."""

from collections.abc import Mapping
from typing import NamedTuple

import pyarrow as pa

from monitor_tasks.monitors.model_quality.calls import CALLS
from monitor_tasks.monitors.model_quality.monitor import ModelQuality
from monitor_tasks.monitors.model_quality.problem import Worse
from monitor_tasks.monitors.settings import ProblemType
from monitor_tasks.profiles.pairs import PairProfile, VariantProfile
from monitor_tasks.value import UserError


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
