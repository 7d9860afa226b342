"""Predictions of one class among several: counted by label and predicted class, and what their probabilities tell."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import zip_longest
from operator import add
from typing import Any, ClassVar, NamedTuple, Self, TypeAlias

import numpy as np
import orjson
import pyarrow as pa
from numpy.typing import NDArray

from monitor_tasks.profiles.cells import as_text
from monitor_tasks.profiles.coded import value_text
from monitor_tasks.profiles.scores import Losses, numbers
from monitor_tasks.value import known_version

CLASS_LIMIT = 128
"""With more different classes, labels and predictions taken together, outcomes are not kept."""
BARS = 20
"""Confidences are counted on so many steps of equal width."""
TOLERANCE = 0.01
"""How far from 1 the probabilities of a row may add up."""
STEPS = 64
"""Probabilities are calibrated on so many steps of equal width."""
ESTIMATED_CLASSES = 32
"""With more classes, those predicted counted like those with a probability, steps are not kept."""
NO_CLASS = r"^\s*$|^\s*[+-]?(nan|inf|infinity)\s*$"
"""What a cell without a class looks like, whatever its case."""

Column: TypeAlias = pa.ChunkedArray | pa.Array
Cells = Mapping[tuple[str, str], int]
Steps = Mapping[tuple[str, str, int], tuple[int, int, int]]
"""By a class, the predicted class and the step of the former's probability: labels of the class, others, none yet."""
Codes = NDArray[np.int64]


def class_order(name: str) -> tuple[bool, float, str]:
    """Where a class stands among others: numbers by their size, then texts.

    >>> sorted(["b", "10", "9", "a"], key=class_order)
    ['9', '10', 'a', 'b']
    """
    try:
        return False, float(name), name
    except ValueError:
        return True, 0.0, name


class Classes(NamedTuple):
    """A column's classes and which of them each row has: -1 where its cell names none, -2 where it is missing."""

    names: tuple[str, ...]
    codes: Codes

    @classmethod
    def of(cls, column: Column) -> "Classes":
        """The classes of an Arrow column; 1, 1.0 and "1.00" are one class."""
        array = column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column
        different = as_text(array).dictionary_encode()
        named = [None if re.match(NO_CLASS, text, re.IGNORECASE) else value_text(text.strip())
                 for text in different.dictionary.to_pylist()]  # fmt: skip
        names = tuple(sorted({name for name in named if name is not None}, key=class_order))
        place = {name: index for index, name in enumerate(names)}
        code = np.array([-1 if name is None else place[name] for name in named] + [-2], np.int64)
        rows = different.indices.fill_null(len(named)).to_numpy(zero_copy_only=False)
        return cls(names, code[rows])


class Shares(NamedTuple):
    """The probabilities of classes: a line per row and a column per class, in the order of the classes."""

    names: tuple[str, ...]
    values: NDArray[np.float64]

    @classmethod
    def of(cls, columns: Mapping[str, Column]) -> "Shares":
        """The probabilities of Arrow columns, by the class that each is of; at least one."""
        names = tuple(sorted(columns, key=class_order))
        return cls(names, np.column_stack([numbers(columns[name]) for name in names]))

    @property
    def usable(self) -> NDArray[np.bool_]:
        """The rows whose probabilities are numbers in [0, 1] that add up to 1, within a hundredth."""
        between = ((self.values >= 0) & (self.values <= 1)).all(axis=1)
        return np.asarray(between & (np.abs(self.values.sum(axis=1) - 1) <= TOLERANCE))

    @property
    def most_probable(self) -> Classes:
        """The class with the largest probability of each row; of equally probable ones the last in order."""
        last = len(self.names) - 1 - np.argmax(self.values[:, ::-1], axis=1)
        return Classes(self.names, np.where(self.usable, last, -1))


@dataclass(frozen=True)
class ProbabilityProfile:
    """What is remembered of the probabilities of all classes; any two of the same classes add up."""

    ranks: tuple[int, ...] = ()
    """Labelled rows by how many classes are more probable than their label; of equally probable ones the last leads."""
    losses: Losses = field(default_factory=Losses)
    confidences: tuple[int, ...] = (0,) * BARS
    """All rows, labelled or not, by the largest of their probabilities, from 0 to 1."""
    unusable: int = 0
    """Rows, labelled or not, whose probabilities are no numbers in [0, 1] that add up to 1, within a hundredth."""
    unknown_labels: int = 0
    """Labelled rows whose label is none of the classes that have a probability."""

    @property
    def judged(self) -> int:
        """Labelled rows with usable probabilities, that of their label among them."""
        return sum(self.ranks)

    @classmethod
    def of(cls, labels: Classes, shares: Shares) -> Self:
        """The profile of rows with their labels."""
        names, values = shares
        usable, place = shares.usable, {name: index for index, name in enumerate(names)}
        of_name = np.array([*(place.get(name, -1) for name in labels.names), -1, -1], np.int64)
        given = of_name[labels.codes]
        judged = usable & (given >= 0)
        known, mine = values[judged], given[judged]
        own = known[np.arange(len(known)), mine]
        later = np.arange(len(names)) > mine[:, np.newaxis]
        above = (known > own[:, np.newaxis]) | ((known == own[:, np.newaxis]) & later)
        lacking = known - (np.arange(len(names)) == mine[:, np.newaxis])
        return cls(
            ranks=_trimmed(np.bincount(above.sum(axis=1), minlength=1).tolist()),
            losses=Losses.of(own, np.square(lacking).sum(axis=1)),
            confidences=_confidences(values[usable]),
            unusable=int((~usable).sum()),
            unknown_labels=int((usable & (labels.codes >= 0) & (given < 0)).sum()),
        )

    def __add__(self, other: Self) -> Self:
        ranks = [one + two for one, two in zip_longest(self.ranks, other.ranks, fillvalue=0)]
        confidences = [one + two for one, two in zip(self.confidences, other.confidences, strict=True)]
        return type(self)(
            tuple(ranks),
            self.losses.plus(other.losses),
            tuple(confidences),
            self.unusable + other.unusable,
            self.unknown_labels + other.unknown_labels,
        )

    def to_dict(self) -> dict[str, Any]:
        """The profile as plain values for JSON."""
        return {**vars(self), "losses": self.losses.to_list()}

    @classmethod
    def from_dict(cls, known: dict[str, Any]) -> Self:
        """The profile that ``to_dict`` gave."""
        tuples = {name: tuple(known[name]) for name in ("ranks", "confidences")}
        return cls(**{**known, **tuples, "losses": Losses.from_list(known["losses"])})


@dataclass(frozen=True)
class ClassProfile:
    """What is remembered of predicted classes and the labels that have arrived; any two add up."""

    SCHEMA_VERSION: ClassVar[int] = 2

    rows: int = 0
    labelled: int = 0
    """Rows whose label is a class."""
    unknown_labels: int = 0
    """Rows whose label is blank, NaN or infinite; they are in no count of outcomes."""
    unusable_predictions: int = 0
    """Rows whose prediction is missing, blank, NaN or infinite; they are in no count of outcomes."""
    judged: int = 0
    """Labelled rows with a usable prediction: those that metrics rest on."""
    cells: Cells | None = field(default_factory=dict)
    """Rows by label and predicted class; None past 128 classes."""
    probabilities: ProbabilityProfile = field(default_factory=ProbabilityProfile)
    steps: Steps | None = field(default_factory=dict)
    """Rows with usable probabilities by what tells estimates; None past 32 classes."""

    @classmethod
    def of(cls, labels: Column, predicted: Classes, shares: Shares | None = None) -> Self:
        """The profile of a column of labels, the predicted classes, and the probabilities where there are any."""
        label = Classes.of(labels)
        judged = (label.codes >= 0) & (predicted.codes >= 0)
        return cls(
            rows=len(label.codes),
            labelled=int((label.codes >= 0).sum()),
            unknown_labels=int((label.codes == -1).sum()),
            unusable_predictions=int((predicted.codes < 0).sum()),
            judged=int(judged.sum()),
            cells=_cells(label, predicted, judged),
            probabilities=ProbabilityProfile() if shares is None else ProbabilityProfile.of(label, shares),
            steps={} if shares is None else _steps(label, predicted, shares),
        )

    def __add__(self, other: Self) -> Self:
        return type(self)(
            self.rows + other.rows,
            self.labelled + other.labelled,
            self.unknown_labels + other.unknown_labels,
            self.unusable_predictions + other.unusable_predictions,
            self.judged + other.judged,
            _sum(self.cells, other.cells),
            self.probabilities + other.probabilities,
            _sum_of_steps(self.steps, other.steps),
        )

    def confusion(self) -> tuple[tuple[str, ...], NDArray[np.int64]]:
        """The classes in their order, and the rows by label and predicted class; nothing where there are too many."""
        names = tuple(sorted(_names(self.cells or {}), key=class_order))
        place = {name: index for index, name in enumerate(names)}
        counts = np.zeros((len(names), len(names)), np.int64)
        for (label, predicted), count in (self.cells or {}).items():
            counts[place[label], place[predicted]] = count
        return names, counts

    def to_json(self) -> bytes:
        """The profile as canonical JSON: equal profiles give equal bytes."""
        cells = None if self.cells is None else [[*pair, self.cells[pair]] for pair in sorted(self.cells)]
        steps = None if self.steps is None else [[*key, *self.steps[key]] for key in sorted(self.steps)]
        known = {**vars(self), "cells": cells, "probabilities": self.probabilities.to_dict(), "steps": steps}
        return orjson.dumps({"schema_version": self.SCHEMA_VERSION, **known})

    @classmethod
    def from_json(cls, text: bytes) -> Self:
        """The profile that ``to_json`` wrote; the first form had no steps."""
        stored = known_version(orjson.loads(text), cls)
        del stored["schema_version"]
        lines, steps = stored["cells"], stored.get("steps", [])
        cells = None if lines is None else {(label, predicted): count for label, predicted, count in lines}
        known = None if steps is None else {tuple(line[:3]): tuple(line[3:]) for line in steps}
        probabilities = ProbabilityProfile.from_dict(stored["probabilities"])
        return cls(**{**stored, "cells": cells, "probabilities": probabilities, "steps": known})


def _confidences(shares: NDArray[np.float64]) -> tuple[int, ...]:
    places = np.minimum((shares.max(axis=1, initial=0.0) * BARS).astype(np.int64), BARS - 1)
    return tuple(np.bincount(places, minlength=BARS).tolist())


def _trimmed(counts: list[int]) -> tuple[int, ...]:
    """The counts up to the last that is not 0, so that equal ones are equal however they were added up."""
    return tuple(counts[: max((place for place, count in enumerate(counts, start=1) if count), default=0)])


def _cells(label: Classes, predicted: Classes, judged: NDArray[np.bool_]) -> Cells | None:
    width = len(predicted.names) or 1
    found, counts = np.unique(label.codes[judged] * width + predicted.codes[judged], return_counts=True)
    if len(found) > CLASS_LIMIT**2:
        return None
    pairs = [(label.names[pair // width], predicted.names[pair % width]) for pair in found.tolist()]
    return _within_limit(dict(zip(pairs, counts.tolist(), strict=True)))


def _steps(label: Classes, predicted: Classes, shares: Shares) -> Steps | None:
    """The steps of rows with usable probabilities and a predicted class; labels that are no class are left out."""
    kept = shares.usable & (predicted.codes >= 0) & (label.codes != -1)
    codes, found = predicted.codes[kept], dict[tuple[str, str, int], tuple[int, int, int]]()
    places = np.minimum((shares.values[kept] * STEPS).astype(np.int64), STEPS - 1)
    names = np.array([*label.names, "", ""], object)[label.codes[kept]]
    for name, place in zip(shares.names, places.T, strict=True):
        fate = np.where(label.codes[kept] == -2, 2, (names != name).astype(np.int64))
        width = len(predicted.names) * STEPS
        counts = np.bincount((codes * STEPS + place) * 3 + fate, minlength=3 * width).reshape(-1, 3)
        for cell in np.flatnonzero(counts.any(axis=1)).tolist():
            own, others, waiting = counts[cell].tolist()
            found[name, predicted.names[cell // STEPS], cell % STEPS] = own, others, waiting
    return _of_few_classes(found) if len(shares.names) <= ESTIMATED_CLASSES else None


def _sum_of_steps(mine: Steps | None, theirs: Steps | None) -> Steps | None:
    if mine is None or theirs is None:
        return None
    nothing = (0, 0, 0)
    both = {key: tuple(map(add, mine.get(key, nothing), theirs.get(key, nothing))) for key in {**mine, **theirs}}
    return _of_few_classes(both)


def _of_few_classes(steps: Mapping[tuple[str, str, int], tuple[int, ...]]) -> Steps | None:
    few = len({predicted for _, predicted, _ in steps}) <= ESTIMATED_CLASSES
    return {key: (own, others, waiting) for key, (own, others, waiting) in steps.items()} if few else None


def _sum(mine: Cells | None, theirs: Cells | None) -> Cells | None:
    if mine is None or theirs is None:
        return None
    return _within_limit({**mine, **{pair: mine.get(pair, 0) + count for pair, count in theirs.items()}})


def _within_limit(cells: Cells) -> Cells | None:
    return cells if len(_names(cells)) <= CLASS_LIMIT else None


def _names(cells: Cells) -> set[str]:
    return {name for pair in cells for name in pair}
