"""Gates: what stands between an episode and a new champion, and the records of both."""

from collections.abc import Mapping
from enum import StrEnum
from typing import Any, Literal

from pydantic import Field

from monitor_tasks.report import ModelCard
from monitor_tasks.value import Artifact


class Gate(StrEnum):
    """The gates of a retraining, in their order."""

    CHECK_EVIDENCE = "check_evidence"
    APPROVE = "approve"
    TRAIN = "train"
    COMPARE = "compare"
    PROMOTE = "promote"


Outcome = Literal["passed", "refused", "failed"]
"""What may become of a gate; only a passed one leads to the next, and all others leave the champion in place."""


class GateRecord(Artifact):
    """What became of one gate: who or what decided, why, and on what."""

    endpoint: str
    episode: str
    gate: Gate
    outcome: Outcome
    because: str
    by: str
    """Who decided: a person, or the setting, function or job."""
    details: Mapping[str, Any] = Field(default_factory=dict)
    """What later gates build on: the windows of the evidence, the new model's card, the comparison."""

    @property
    def text(self) -> str:
        """The record as one line."""
        return f"{self.endpoint} episode {self.episode}: {self.gate} {self.outcome} by {self.by}: {self.because}"


class Move(Artifact):
    """The champion's alias moved: to a challenger that was promoted, or back."""

    endpoint: str
    kind: Literal["promoted", "rolled back"]
    episode: str
    """The episode whose challenger was promoted or is taken back."""
    model: ModelCard | None
    """The champion from now on."""
    baseline: str
    """The baseline that goes with it."""
    former_model: ModelCard | None
    former_baseline: str
    since: str
    """Windows that begin at this moment or later are this champion's; earlier ones keep theirs."""
    because: str
    by: str


def standing(moves: list[Move]) -> list[Move]:
    """The promotions that were not taken back, the oldest first.

    >>> def move(kind: str, episode: str) -> Move:
    ...     same = dict.fromkeys(("endpoint", "baseline", "former_baseline", "since", "because", "by"), "")
    ...     return Move(kind=kind, episode=episode, model=None, former_model=None, **same)
    >>> [one.episode for one in standing([move("promoted", "1"), move("promoted", "2"), move("rolled back", "2")])]
    ['1']
    """
    found = list[Move]()
    for one in moves:
        if one.kind == "promoted":
            found.append(one)
        else:
            found.pop()
    return found
