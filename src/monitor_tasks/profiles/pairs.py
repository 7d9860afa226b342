"""Pairs: what two models said of the same requests, counted together with the label."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar, NamedTuple, Self, TypeAlias

import numpy as np
import orjson
from numpy.typing import NDArray

from monitor_tasks.profiles.classes import Classes
from monitor_tasks.profiles.moments import Moments
from monitor_tasks.profiles.scores import Losses
from monitor_tasks.value import known_version

PAIR_LIMIT = 65_536
"""With more different pairs, taken as they are counted, none are kept."""
STEPS_PER_LOG_ODD = 2
LAST_STEP = 24
"""Steps of the log-odds reach from -12 to 12: from a probability of 0.000006 to one of 0.999994."""
NO_STEP = -1

Cell: TypeAlias = tuple[str, str, str, int, int]
"""The label, the class that the champion and the challenger predicted, and the step that either was on."""
Codes: TypeAlias = NDArray[np.int64]
Numbers: TypeAlias = NDArray[np.float64]


class Call(NamedTuple):
    """What one model said, row by row, and what was right."""

    label: Classes
    """The class that is right; of numbers the class ``""``."""
    said: Classes
    """The predicted class."""
    step: Codes
    """How sure it was: a step of log-odds, whether the label was a hit, or -1."""
    losses: Numbers
    """Of shape (rows, 2): logarithmic and squared; NaN where there is no probability."""

    @property
    def usable(self) -> NDArray[np.bool_]:
        """The rows that have a label and a usable prediction."""
        return np.asarray((self.label.codes >= 0) & (self.said.codes >= 0))

    def where(self, rows: NDArray[np.bool_]) -> "Call":
        """Some of the rows."""
        label, said = (Classes(one.names, one.codes[rows]) for one in (self.label, self.said))
        return Call(label, said, self.step[rows], self.losses[rows])


def log_odds_step(probabilities: Numbers) -> Codes:
    """Which of 49 steps of the log-odds each probability is on; -1 where it is NaN.

    >>> log_odds_step(np.array([0.0, 0.5, 0.9, 1.0, np.nan])).tolist()
    [0, 24, 28, 48, -1]
    """
    with np.errstate(divide="ignore"):
        steps = np.rint(STEPS_PER_LOG_ODD * (np.log(probabilities) - np.log1p(-probabilities)))
    return np.where(np.isnan(steps), NO_STEP, np.clip(np.nan_to_num(steps), -LAST_STEP, LAST_STEP) + LAST_STEP).astype(
        np.int64
    )


@dataclass(frozen=True)
class PairProfile:
    """What is remembered of pairs of predictions whose label has arrived; any two add up."""

    rows: int = 0
    cells: Mapping[Cell, int] | None = field(default_factory=dict)
    """How many pairs are alike in label, classes and steps; None past 65,536 different ones."""
    scored: int = 0
    """Pairs of which both predictions have probabilities."""
    losses: Losses = field(default_factory=Losses)
    """By how much the challenger's losses exceed the champion's, over the scored pairs."""

    @classmethod
    def of(cls, champion: Call, challenger: Call) -> Self:
        """The profile of pairs, all of which have a label and two usable predictions; the label is the champion's."""
        more = challenger.losses - champion.losses
        scored = ~np.isnan(more).any(axis=1)
        return cls(
            rows=len(champion.label.codes),
            cells=_counted(champion, challenger),
            scored=int(scored.sum()),
            losses=Losses(*map(Moments.of, np.ascontiguousarray(more[scored].T))),
        )

    def __add__(self, other: Self) -> Self:
        return type(self)(
            self.rows + other.rows,
            _sum(self.cells, other.cells),
            self.scored + other.scored,
            self.losses.plus(other.losses),
        )

    def to_dict(self) -> dict[str, Any]:
        """The profile as plain values for JSON."""
        cells = None if self.cells is None else [[*cell, self.cells[cell]] for cell in sorted(self.cells)]
        return {"rows": self.rows, "cells": cells, "scored": self.scored, "losses": self.losses.to_list()}

    @classmethod
    def from_dict(cls, known: Mapping[str, Any]) -> Self:
        """The profile that ``to_dict`` gave."""
        lines = known["cells"]
        cells = None if lines is None else {tuple(line[:-1]): line[-1] for line in lines}
        return cls(known["rows"], cells, known["scored"], Losses.from_list(known["losses"]))


@dataclass(frozen=True)
class VariantProfile:
    """What is remembered of two models that are compared; any two of one problem type add up."""

    SCHEMA_VERSION: ClassVar[int] = 1

    champion: Any
    """The profile of the champion's rows, of the problem type's own kind."""
    challenger: Any
    paired: tuple[Any, Any]
    """The profiles of those rows of either side that answer the same request, pair by pair, and have a label."""
    pairs: PairProfile = field(default_factory=PairProfile)

    def __add__(self, other: Self) -> Self:
        return type(self)(
            self.champion + other.champion,
            self.challenger + other.challenger,
            (self.paired[0] + other.paired[0], self.paired[1] + other.paired[1]),
            self.pairs + other.pairs,
        )

    @classmethod
    def nothing(cls, kind: Any) -> Self:
        """The profile of no row; `kind` is the class of the problem type's profiles."""
        return cls(kind(), kind(), (kind(), kind()))

    def to_json(self) -> bytes:
        """The profile as canonical JSON: equal profiles give equal bytes."""
        sides = (self.champion, self.challenger, *self.paired)
        known = {name: orjson.loads(one.to_json()) for name, one in zip(_SIDES, sides, strict=True)}
        return orjson.dumps({"schema_version": self.SCHEMA_VERSION, **known, "pairs": self.pairs.to_dict()})

    @classmethod
    def from_json(cls, text: bytes, kind: Any) -> Self:
        """The profile that ``to_json`` wrote; `kind` is the class of the problem type's profiles."""
        stored = known_version(orjson.loads(text), cls)
        champion, challenger, *paired = (kind.from_json(orjson.dumps(stored[name])) for name in _SIDES)
        return cls(champion, challenger, tuple(paired), PairProfile.from_dict(stored["pairs"]))


_SIDES = ("champion", "challenger", "paired_champion", "paired_challenger")


def _counted(champion: Call, challenger: Call) -> Mapping[Cell, int] | None:
    """The different pairs and how many there are of each."""
    classes = champion.label, champion.said, challenger.said
    names = tuple(one.names for one in classes)
    codes = (*(one.codes for one in classes), champion.step + 1, challenger.step + 1)
    shape = (*(len(one) or 1 for one in names), *[2 * LAST_STEP + 2] * 2)
    found, counts = np.unique(np.ravel_multi_index(codes, shape), return_counts=True)
    return _within_limit(dict(_named(np.stack(np.unravel_index(found, shape), axis=1), names, counts.tolist())))


def _named(codes: Codes, names: tuple[tuple[str, ...], ...], counts: list[int]) -> Iterator[tuple[Cell, int]]:
    for (label, one, other, step, step_other), count in zip(codes.tolist(), counts, strict=True):
        yield (names[0][label], names[1][one], names[2][other], step - 1, step_other - 1), count


def _sum(mine: Mapping[Cell, int] | None, theirs: Mapping[Cell, int] | None) -> Mapping[Cell, int] | None:
    if mine is None or theirs is None:
        return None
    return _within_limit({**mine, **{cell: mine.get(cell, 0) + count for cell, count in theirs.items()}})


def _within_limit(cells: Mapping[Cell, int]) -> Mapping[Cell, int] | None:
    return cells if len(cells) <= PAIR_LIMIT else None
