"""Predictions counted by score, label and predicted class: what is remembered of a binary classifier's outcomes."""

from dataclasses import dataclass, field, replace
from operator import add
from typing import Any, ClassVar, NamedTuple, Self

import numpy as np
import orjson
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from monitor_tasks.profiles.cells import as_text
from monitor_tasks.profiles.moments import ExactSum, Moments
from monitor_tasks.value import known_version

SCORE_LIMIT = 65_536
"""How many different scores are counted exactly."""
STEPS = 65_536
"""Steps of equal width that [0, 1] has once there are more: a score is then known to 1 / 131,072."""
NUMBER = r"^[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?$"

LABELLED = ("0_as_0", "0_as_1", "1_as_0", "1_as_1")
UNLABELLED = ("as_0", "as_1")
"""What the counts of a score stand for: the label, and the class that was predicted."""
SMALLEST = float(np.finfo(np.float64).eps)
"""No probability is taken for less when its logarithm is, nor for more than 1 less this: scikit-learn's rule."""


@dataclass(frozen=True, eq=False)
class Tally:
    """Counts by score: exact up to 65,536 different scores, beyond that on as many steps of [0, 1]; two of them add."""

    scores: NDArray[np.float64]
    """Rising; NaN, always the last, stands for predictions without a score."""
    counts: NDArray[np.int64]
    """One line per score, one column per outcome."""
    exact: bool = True
    """False once scores are steps, each named by its middle."""
    steps: int = STEPS
    """How many steps [0, 1] has then, and the most scores that are counted exactly; of two tallies the fewer."""

    @classmethod
    def of(cls, scores: NDArray[np.float64], outcomes: NDArray[np.int64], width: int) -> Self:
        """The counts of rows: a score and the number of an outcome, below `width`, for each."""
        known, place = np.unique(scores, return_inverse=True)
        counts = np.bincount(place * width + outcomes, minlength=len(known) * width)
        return cls(known, counts.reshape(-1, width).astype(np.int64))._within_limit()

    def __add__(self, other: Self) -> Self:
        mine, theirs = self.coarser(other.steps), other.coarser(self.steps)
        if not (mine.exact and theirs.exact):
            mine, theirs = mine._stepped(), theirs._stepped()
        return mine._joined(theirs)._within_limit()

    def __eq__(self, other: object) -> bool:
        return (
            isinstance(other, Tally)
            and (self.exact, self.steps) == (other.exact, other.steps)
            and np.array_equal(self.scores, other.scores, equal_nan=True)
            and np.array_equal(self.counts, other.counts)
        )

    def __hash__(self) -> int:
        return hash((self.exact, self.scores.tobytes(), self.counts.tobytes()))

    @property
    def scored(self) -> bool:
        """Whether every prediction has a score, and there is one."""
        return bool(len(self.scores)) and not np.isnan(self.scores[-1])

    def to_dict(self, names: tuple[str, ...]) -> dict[str, Any]:
        """The counts as plain values for JSON, a column by its name; a missing score is null."""
        columns = {name: column.tolist() for name, column in zip(names, self.counts.T, strict=True)}
        scores = [None if np.isnan(score) else score for score in self.scores.tolist()]
        steps = {} if self.steps == STEPS else {"steps": self.steps}
        return {"exact": self.exact, **steps, "scores": scores, **columns}

    @classmethod
    def from_dict(cls, known: dict[str, Any], names: tuple[str, ...]) -> Self:
        """The counts that ``to_dict`` gave."""
        counts = np.array([known[name] for name in names], np.int64).T
        return cls(np.array(known["scores"], np.float64), counts, known["exact"], known.get("steps", STEPS))

    @property
    def limit(self) -> int:
        """How many different scores are counted exactly."""
        return min(SCORE_LIMIT, self.steps)

    def coarser(self, steps: int) -> Self:
        """The same counts with no more than so many scores, a power of 2: on as many steps, where there are more."""
        if steps >= self.steps:
            return self
        known = type(self)(self.scores, self.counts, self.exact, steps)
        return known._within_limit() if self.exact else known._on_steps()

    def stepped(self, scores: NDArray[np.float64]) -> NDArray[np.float64]:
        """What names the step that each score is on: its middle."""
        return np.asarray((np.minimum(np.floor(scores * self.steps), self.steps - 1) + 0.5) / self.steps)

    def _within_limit(self) -> Self:
        return self._stepped() if self.exact and len(self.scores) > self.limit else self

    def _stepped(self) -> Self:
        return self._on_steps() if self.exact else self

    def _on_steps(self) -> Self:
        steps = self.stepped(self.scores)
        nothing = type(self)(steps[:0], self.counts[:0], exact=False, steps=self.steps)
        return type(self)(steps, self.counts, exact=False, steps=self.steps)._joined(nothing)

    def _joined(self, other: Self) -> Self:
        scores, place = np.unique(np.concatenate([self.scores, other.scores]), return_inverse=True)
        counts = np.zeros((len(scores), self.counts.shape[1]), np.int64)
        np.add.at(counts, place, np.concatenate([self.counts, other.counts]))
        return type(self)(scores, counts, self.exact, self.steps)


class Losses(NamedTuple):
    """What probabilities cost, summed up exactly over the labelled rows; any two add up."""

    logarithmic: Moments = Moments()
    """Minus the natural logarithm of the probability that the label was given."""
    squared: Moments = Moments()
    """Squares of what the probabilities of all classes lack or exceed; of two classes those of one."""

    @classmethod
    def of(cls, given: NDArray[np.float64], squared: NDArray[np.float64]) -> "Losses":
        """The losses of rows, by the probability that each label was given and the squares."""
        clipped = np.clip(given, SMALLEST, 1.0 - SMALLEST)
        return cls(Moments.of(-np.log(np.ascontiguousarray(clipped))), Moments.of(squared))

    def plus(self, other: "Losses") -> "Losses":
        """The losses of both."""
        return Losses(*(Moments(*map(add, *pair)) for pair in zip(self, other, strict=True)))

    def to_list(self) -> list[list[Any]]:
        """The losses as plain values for JSON."""
        return [moments_to_list(moments) for moments in self]

    @classmethod
    def from_list(cls, known: list[list[Any]]) -> "Losses":
        """The losses that ``to_list`` gave."""
        return cls(*map(moments_from_list, known))


def moments_to_list(moments: Moments) -> list[Any]:
    """Exact sums as plain values for JSON, which knows no large integers."""
    return [[str(one.mantissa), one.exponent] for one in moments]


def moments_from_list(known: list[Any]) -> Moments:
    """The moments that ``moments_to_list`` gave."""
    return Moments(*(ExactSum(int(mantissa), exponent) for mantissa, exponent in known))


def _nothing(width: int) -> Tally:
    return Tally(np.empty(0), np.empty((0, width), np.int64))


class Predictions(NamedTuple):
    """The columns of a table that say what was predicted: a probability of class 1, a class, or both."""

    scores: pa.ChunkedArray | pa.Array | None = None
    classes: pa.ChunkedArray | pa.Array | None = None
    """The predicted class; left out, class 1 is predicted where the score is larger than `cut`."""
    cut: float = 0.5


@dataclass(frozen=True)
class ScoreProfile:
    """What is remembered of predictions and the labels that have arrived; any two add up."""

    SCHEMA_VERSION: ClassVar[int] = 2

    rows: int = 0
    labelled: int = 0
    """Rows whose label is 0 or 1."""
    unknown_labels: int = 0
    """Rows whose label is something else; they are in no count of outcomes."""
    unusable_predictions: int = 0
    """Rows whose score is no number in [0, 1], or whose class is neither 0 nor 1; they are in no count of outcomes."""
    known: Tally = field(default_factory=lambda: _nothing(4))
    """Labelled predictions: by score, then label 0 as class 0, label 0 as class 1, label 1 as 0, label 1 as 1."""
    waiting: Tally = field(default_factory=lambda: _nothing(2))
    """Predictions without a label yet: by score and predicted class; apart, so that they change no metric of labels."""
    losses: Losses = field(default_factory=Losses)
    """Of the labelled predictions that have a score."""

    @classmethod
    def of(cls, labels: pa.ChunkedArray | pa.Array, predictions: Predictions) -> Self:
        """The profile of Arrow columns of text or numbers; a label that is null has not arrived."""
        label, arrived = numbers(labels), pc.is_valid(labels).to_numpy(zero_copy_only=False)
        score, predicted, usable = _predicted(predictions, len(label))
        has_label = _is_class(label)
        known, waiting = usable & has_label, usable & ~arrived
        outcomes = 2 * label[known].astype(np.int64) + predicted[known].astype(np.int64)
        scored = known & ~np.isnan(score)
        return cls(
            rows=len(label),
            labelled=int(has_label.sum()),
            unknown_labels=int((arrived & ~has_label).sum()),
            unusable_predictions=int((~usable).sum()),
            known=Tally.of(score[known], outcomes, 4),
            waiting=Tally.of(score[waiting], predicted[waiting].astype(np.int64), 2),
            losses=_losses(score[scored], label[scored]),
        )

    def __add__(self, other: Self) -> Self:
        return type(self)(
            self.rows + other.rows,
            self.labelled + other.labelled,
            self.unknown_labels + other.unknown_labels,
            self.unusable_predictions + other.unusable_predictions,
            self.known + other.known,
            self.waiting + other.waiting,
            self.losses.plus(other.losses),
        )

    @property
    def judged(self) -> int:
        """Labelled rows with a usable prediction: those that metrics rest on."""
        return int(self.known.counts.sum())

    def coarser(self, steps: int) -> Self:
        """The same profile with no more than so many scores: where there are more, they are known by their step."""
        return replace(self, known=self.known.coarser(steps), waiting=self.waiting.coarser(steps))

    def to_json(self) -> bytes:
        """The profile as canonical JSON: equal profiles give equal bytes."""
        return orjson.dumps(
            {
                "schema_version": self.SCHEMA_VERSION,
                "rows": self.rows,
                "labelled": self.labelled,
                "unknown_labels": self.unknown_labels,
                "unusable_predictions": self.unusable_predictions,
                "known": self.known.to_dict(LABELLED),
                "waiting": self.waiting.to_dict(UNLABELLED),
                "losses": self.losses.to_list(),
            }
        )

    @classmethod
    def from_json(cls, text: bytes) -> Self:
        """The profile that ``to_json`` wrote; the first form had no losses, which its scores tell."""
        stored = known_version(orjson.loads(text), cls)
        del stored["schema_version"]
        known = stored["known"] = Tally.from_dict(stored["known"], LABELLED)
        stored["waiting"] = Tally.from_dict(stored["waiting"], UNLABELLED)
        stored["losses"] = Losses.from_list(stored["losses"]) if "losses" in stored else _losses_of(known)
        return cls(**stored)


def _losses(scores: NDArray[np.float64], labels: NDArray[np.float64]) -> Losses:
    given = np.where(labels == 1, scores, 1.0 - scores)
    return Losses.of(given, np.square(scores - labels))


def _losses_of(tally: Tally) -> Losses:
    """The losses of rows whose scores are known by their counts."""
    has = ~np.isnan(tally.scores)
    by_label = np.stack([tally.counts[has, :2].sum(axis=1), tally.counts[has, 2:].sum(axis=1)], axis=1)
    scores, labels = np.repeat(tally.scores[has], 2), np.tile([0.0, 1.0], int(has.sum()))
    rows = by_label.ravel()
    return _losses(np.repeat(scores, rows), np.repeat(labels, rows))


def numbers(column: pa.ChunkedArray | pa.Array) -> NDArray[np.float64]:
    """The number in every cell, row by row; NaN where there is none. Truth values are no numbers.

    >>> numbers(pa.array(["1", " .5", "1e-1", "yes", "NaN", None])).tolist()
    [1.0, 0.5, 0.1, nan, nan, nan]
    """
    if isinstance(column, pa.ChunkedArray):
        column = column.combine_chunks()
    if pa.types.is_dictionary(column.type):
        column = column.dictionary_decode()
    if not (pa.types.is_integer(column.type) or pa.types.is_floating(column.type)):
        distinct = as_text(column).dictionary_encode()
        column = _parsed(distinct.dictionary).take(distinct.indices)
    return np.asarray(pc.cast(column, pa.float64(), safe=False).to_numpy(zero_copy_only=False)) + 0.0


def _parsed(texts: pa.Array) -> pa.Array:
    plain = pc.utf8_trim_whitespace(texts)
    plain = pc.if_else(pc.match_substring_regex(plain, NUMBER), pc.utf8_ltrim(plain, "+"), None)
    return pc.cast(plain, pa.float64())


def _is_class(values: NDArray[np.float64]) -> NDArray[np.bool_]:
    return np.isin(values, (0.0, 1.0))


def _predicted(predictions: Predictions, rows: int) -> tuple[NDArray[np.float64], NDArray[np.bool_], NDArray[np.bool_]]:
    """Score, class and usability of every prediction."""
    scores, classes, cut = predictions
    score = np.full(rows, np.nan) if scores is None else numbers(scores)
    fits = (score >= 0) & (score <= 1)
    if classes is None:
        return score, score > cut, fits
    predicted = numbers(classes)
    return score, predicted == 1, _is_class(predicted) & (fits if scores is not None else True)
