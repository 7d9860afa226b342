"""Story: what happens to the endpoint, hour by hour."""

from dataclasses import dataclass
from enum import StrEnum

from examples.loan_scoring.formula import Formula
from examples.loan_scoring.world import World

HEALTHY = World()
BROKEN_FEATURE = World(missing_debt=0.3, unseen_home=0.15)
SHIFTED = World(income_scale=1.6, amount_scale=1.7)
SLOWLY_SHIFTED = World(income_scale=1.25, amount_scale=1.3)
NEW_RELATION = World(formula=Formula(debt_stress=-1.5, term_stress=-0.8, late_payments=-0.3, employment_years=0.08))
HURT_GROUP = World(mixed_up_group="60+")
NEW_DRIVERS = World(purpose_habit=-0.99)

HISTORY = ((HEALTHY, 0.82), (NEW_DRIVERS, 0.18))
"""The worlds that the model learned from, with their shares of the training table."""


@dataclass(frozen=True)
class Chapter:
    """One hour of the story."""

    name: str
    hour: int
    """Whole hours after the start of the story."""
    world: World
    traffic: float = 1.0
    """Applicants as a share of the usual number an hour."""

    def applicants(self, rows_per_hour: int) -> int:
        """How many people apply in this hour."""
        return round(self.traffic * rows_per_hour)


FIVE = (
    Chapter("healthy", 0, HEALTHY),
    Chapter("broken feature", 1, BROKEN_FEATURE),
    Chapter("no traffic", 2, HEALTHY, traffic=0.0),
    Chapter("shifted", 3, SHIFTED),
    Chapter("healthy again", 4, HEALTHY),
)

EIGHT = (
    Chapter("healthy", 0, HEALTHY),
    Chapter("broken feature", 1, BROKEN_FEATURE),
    Chapter("no traffic", 2, HEALTHY, traffic=0.0),
    Chapter("slow shift", 3, SLOWLY_SHIFTED),
    Chapter("new relation to the label", 4, NEW_RELATION),
    Chapter("one group hurt", 5, HURT_GROUP),
    Chapter("new drivers of the score", 6, NEW_DRIVERS),
    Chapter("healthy under a new baseline", 7, SLOWLY_SHIFTED),
)


class StoryName(StrEnum):
    """The stories that the command line knows."""

    five = "five"
    eight = "eight"


STORIES = {StoryName.five: FIVE, StoryName.eight: EIGHT}
