"""Residuals of a regression: what is remembered of predicted numbers and the labels that have arrived."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from operator import add
from typing import Any, NamedTuple, Self

import numpy as np
import orjson
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from monitor_tasks.profiles.moments import ExactSum, Moments
from monitor_tasks.profiles.replicates import ReplicateSums, replicate_sums
from monitor_tasks.profiles.scores import Tally, moments_from_list, moments_to_list, numbers

RESIDUAL_LIMIT = 4_096
"""How many different residuals are counted exactly."""
LEADING_BITS = 8
"""Of the mantissa, beside sign and exponent: what is kept of a residual once there are more."""
LARGEST = 1e150
"""A larger number is not used: its square would leave the doubles."""
COUNTED = ("rows",)

Numbers = NDArray[np.float64]


class ResidualTally(Tally):
    """Counts by residual: exact up to 4,096 different ones, beyond that by their leading bits (within 1 / 256)."""

    @property
    def limit(self) -> int:
        """How many different residuals are counted exactly."""
        return RESIDUAL_LIMIT

    @staticmethod
    def stepped(scores: Numbers) -> Numbers:
        """What names the step that each residual is on: its end nearest to 0."""
        free = np.uint64(52 - LEADING_BITS)
        return np.asarray((scores.view(np.uint64) >> free << free).view(np.float64) + 0.0)


class Errors(NamedTuple):
    """The exact sums that a regression's metrics are made of; any two add up."""

    residuals: Moments = Moments()
    """Of prediction less label."""
    absolute: ExactSum = ExactSum()
    relative: ExactSum = ExactSum()
    """Of the absolute residual over the absolute label, where that is not 0."""
    labels: Moments = Moments()

    def plus(self, other: "Errors") -> "Errors":
        """The sums of both."""
        return Errors(
            Moments(*map(add, self.residuals, other.residuals)),
            self.absolute + other.absolute,
            self.relative + other.relative,
            Moments(*map(add, self.labels, other.labels)),
        )

    def to_list(self) -> list[Any]:
        """The sums as plain values for JSON."""
        absolute, relative = moments_to_list(Moments(self.absolute, self.relative))
        return [moments_to_list(self.residuals), absolute, relative, moments_to_list(self.labels)]

    @classmethod
    def from_list(cls, known: list[Any]) -> "Errors":
        """The sums that ``to_list`` gave."""
        return cls(moments_from_list(known[0]), *moments_from_list(known[1:3]), moments_from_list(known[3]))


def _no_residuals() -> ResidualTally:
    return ResidualTally(np.empty(0), np.empty((0, 1), np.int64))


@dataclass(frozen=True)
class RegressionProfile:
    """What is remembered of predicted numbers and the labels that have arrived; any two add up."""

    rows: int = 0
    labelled: int = 0
    """Rows whose label is a finite number."""
    unknown_labels: int = 0
    """Rows whose label is something else; they are in no sum."""
    unusable_predictions: int = 0
    """Rows whose prediction is no finite number; they are in no sum."""
    judged: int = 0
    """Labelled rows with a usable prediction: those that metrics rest on."""
    relative: int = 0
    """Of these the ones whose label is not 0, nor so near that a residual over it is no number."""
    errors: Errors = field(default_factory=Errors)
    residuals: ResidualTally = field(default_factory=_no_residuals)
    replicates: Mapping[str, ReplicateSums] = field(default_factory=dict)
    """The sums in every resample, from which deviations are read; nothing where no row is judged."""

    @classmethod
    def of(
        cls, labels: pa.ChunkedArray | pa.Array, predictions: pa.ChunkedArray | pa.Array, hashes: NDArray[np.uint64]
    ) -> Self:
        """The profile of Arrow columns of text or numbers; `hashes` tell the rows apart, see `row_hashes`."""
        label, prediction = numbers(labels), numbers(predictions)
        has_label, usable = np.abs(label) <= LARGEST, np.abs(prediction) <= LARGEST
        judged = has_label & usable
        terms = _terms(label[judged], prediction[judged])
        residual = terms["residuals"]
        return cls(
            rows=len(label),
            labelled=int(has_label.sum()),
            unknown_labels=int((pc.is_valid(labels).to_numpy(zero_copy_only=False) & ~has_label).sum()),
            unusable_predictions=int((~usable).sum()),
            judged=len(residual),
            relative=int(terms["has_ratio"].sum()),
            errors=Errors(
                Moments.of(residual), ExactSum.of(terms["absolute"]), ExactSum.of(terms["ratios"]),
                Moments.of(terms["labels"]),
            ),
            residuals=ResidualTally.of(residual, np.zeros(len(residual), np.int64), 1),
            replicates=replicate_sums(hashes[judged], terms) if len(residual) else {},
        )  # fmt: skip

    def __add__(self, other: Self) -> Self:
        mine, theirs = self.replicates, other.replicates
        both = {name: one + theirs[name] for name, one in mine.items()} if mine and theirs else mine or theirs
        return type(self)(
            self.rows + other.rows,
            self.labelled + other.labelled,
            self.unknown_labels + other.unknown_labels,
            self.unusable_predictions + other.unusable_predictions,
            self.judged + other.judged,
            self.relative + other.relative,
            self.errors.plus(other.errors),
            self.residuals + other.residuals,
            both,
        )

    def to_json(self) -> bytes:
        """The profile as canonical JSON: equal profiles give equal bytes."""
        counts = {name: getattr(self, name) for name in _COUNTS}
        replicates = {name: sums.to_list() for name, sums in self.replicates.items()}
        known = {
            "errors": self.errors.to_list(),
            "residuals": self.residuals.to_dict(COUNTED),
            "replicates": replicates,
        }
        return orjson.dumps({"schema_version": 1, **counts, **known})

    @classmethod
    def from_json(cls, text: bytes) -> Self:
        """The profile that ``to_json`` wrote."""
        stored = orjson.loads(text)
        return cls(
            **{name: stored[name] for name in _COUNTS},
            errors=Errors.from_list(stored["errors"]),
            residuals=ResidualTally.from_dict(stored["residuals"], COUNTED),
            replicates={name: ReplicateSums.from_list(sums) for name, sums in stored["replicates"].items()},
        )


_COUNTS = ("rows", "labelled", "unknown_labels", "unusable_predictions", "judged", "relative")


def _terms(label: Numbers, prediction: Numbers) -> dict[str, Numbers]:
    """The numbers of every row that are summed up.

    A label's square has two parts, the rounded one and what rounding took: the variance of labels that lie far from 0
    would else be lost.
    """
    residual = prediction - label + 0.0
    absolute = np.abs(residual)
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        ratio = absolute / np.abs(label)
    has_ratio = ratio <= LARGEST
    square = label * label
    upper = (label.view(np.uint64) >> np.uint64(27) << np.uint64(27)).view(np.float64)
    lower = label - upper
    return {
        "residuals": residual,
        "absolute": absolute,
        "squares": residual * residual,
        "has_ratio": has_ratio.astype(np.float64),
        "ratios": np.where(has_ratio, ratio, 0.0),
        "labels": label,
        "label_squares": square,
        "label_square_rests": ((upper * upper - square) + 2.0 * upper * lower) + lower * lower,
    }
