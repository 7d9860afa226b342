"""Residuals of a regression: what is remembered of predicted numbers and the labels that have arrived."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from operator import add
from typing import Any, ClassVar, NamedTuple, Self

import numpy as np
import orjson
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from monitor_tasks.profiles.moments import ExactSum, Moments
from monitor_tasks.profiles.partition import Column, Partition
from monitor_tasks.profiles.replicates import ReplicateSums, replicate_sums
from monitor_tasks.profiles.scores import Tally, moments_from_list, moments_to_list, numbers
from monitor_tasks.value import known_version

RESIDUAL_LIMIT = 4_096
"""How many different residuals are counted exactly."""
LEADING_BITS = 8
"""Of the mantissa, beside sign and exponent: what is kept of a residual once there are more."""
LARGEST = 1e150
"""A larger number is not used: its square would leave the doubles."""
COUNTED = ("rows",)

Numbers = NDArray[np.float64]
Flags = NDArray[np.bool_]


class ResidualTally(Tally):
    """Counts by residual: exact up to 4,096 different ones, beyond that by their leading bits (within 1 / 256)."""

    @property
    def limit(self) -> int:
        """How many different residuals are counted exactly."""
        return RESIDUAL_LIMIT

    def stepped(self, scores: Numbers) -> Numbers:
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


class CellLosses(NamedTuple):
    """The rows of one cell of a partition, and what its labelled ones lose; any two add up."""

    rows: int = 0
    """All with a usable prediction, labelled or not."""
    labelled: int = 0
    absolute: Moments = Moments()
    """Of the absolute residual."""
    fourth: ExactSum = ExactSum()
    """Of its fourth power: the squares' own squares."""
    has_ratio: int = 0
    """Labelled rows whose label is not 0, nor so near that a residual over it is no number."""
    relative: Moments = Moments()
    """Of the absolute residual over the absolute label of these."""

    def plus(self, other: "CellLosses") -> "CellLosses":
        """The losses of both."""
        absolute, relative = (
            Moments(*map(add, *pair)) for pair in ((self.absolute, other.absolute), (self.relative, other.relative))
        )
        return CellLosses(
            self.rows + other.rows, self.labelled + other.labelled, absolute, self.fourth + other.fourth,
            self.has_ratio + other.has_ratio, relative,
        )  # fmt: skip


@dataclass(frozen=True)
class LossCells:
    """Losses by the cells of the partition that a baseline pins; any two on the same one add up."""

    partition: str = ""
    """The id of the partition; empty where there is none."""
    lacking: tuple[str, ...] = ()
    """Columns of the partition that some of the rows have not; these are in no cell."""
    cells: Mapping[int, CellLosses] = field(default_factory=dict)

    @classmethod
    def of(
        cls,
        partition: Partition,
        columns: Mapping[str, Any],
        usable: Flags,
        judged: Flags,
        terms: Mapping[str, Numbers],
    ) -> Self:
        """The losses of rows: which of them have a usable prediction and a label, and what is summed up of these.

        `columns` are the rows' by name.
        """
        if lacking := partition.lacking(columns):
            return cls(partition.id, tuple(sorted(lacking)))
        places = partition.cells(partition.matrix(columns))
        rows = np.bincount(places[usable], minlength=len(partition.nodes))
        order = np.argsort(places[judged], kind="stable")
        ends = np.cumsum(np.bincount(places[judged], minlength=len(partition.nodes)))
        losses, has_ratio, ratios = (
            np.split(terms[name][order], ends[:-1]) for name in ("absolute", "has_ratio", "ratios")
        )
        cells = {
            place: _cell(int(rows[place]), losses[place], ratios[place][has_ratio[place] > 0])
            for place in np.flatnonzero(rows).tolist()
        }
        return cls(partition.id, (), cells)

    def __add__(self, other: Self) -> Self:
        if self.partition and other.partition and self.partition != other.partition:
            raise ValueError("losses on the cells of different baselines do not add up")
        places = sorted({*self.cells, *other.cells})
        nothing = CellLosses()
        cells = {place: self.cells.get(place, nothing).plus(other.cells.get(place, nothing)) for place in places}
        lacking = tuple(sorted({*self.lacking, *other.lacking}))
        return type(self)(self.partition or other.partition, lacking, cells)

    def to_dict(self) -> dict[str, Any]:
        """The losses as plain values for JSON."""
        cells = [
            [
                place,
                one.rows,
                one.labelled,
                moments_to_list(one.absolute),
                moments_to_list(Moments(one.fourth))[0],
                one.has_ratio,
                moments_to_list(one.relative),
            ]
            for place, one in sorted(self.cells.items())
        ]
        return {"partition": self.partition, "lacking": self.lacking, "cells": cells}

    @classmethod
    def from_dict(cls, known: Mapping[str, Any]) -> Self:
        """The losses that ``to_dict`` gave; before ratios were summed up there were none."""
        cells = {
            place: CellLosses(
                rows, labelled, moments_from_list(absolute), *moments_from_list([fourth])[:1],
                *((ratios[0], moments_from_list(ratios[1])) if ratios else ()),
            )
            for place, rows, labelled, absolute, fourth, *ratios in known["cells"]
        }  # fmt: skip
        return cls(known["partition"], tuple(known["lacking"]), cells)


def _cell(rows: int, losses: Numbers, ratios: Numbers) -> CellLosses:
    if not len(losses):
        return CellLosses(rows)
    absolute, fourth = Moments.of(losses), ExactSum.of_squares(losses * losses)
    return CellLosses(rows, len(losses), absolute, fourth, len(ratios), Moments.of(ratios))


def _no_residuals() -> ResidualTally:
    return ResidualTally(np.empty(0), np.empty((0, 1), np.int64))


@dataclass(frozen=True)
class RegressionProfile:
    """What is remembered of predicted numbers and the labels that have arrived; any two add up."""

    SCHEMA_VERSION: ClassVar[int] = 2

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
    losses: LossCells = field(default_factory=LossCells)
    """Where a baseline pins cells to estimate by."""

    @classmethod
    def of(
        cls,
        labels: pa.ChunkedArray | pa.Array,
        predictions: pa.ChunkedArray | pa.Array,
        hashes: NDArray[np.uint64],
        partition: Partition | None = None,
        columns: Mapping[str, Column] | None = None,
    ) -> Self:
        """The profile of Arrow columns of text or numbers; `hashes` tell the rows apart, see `row_hashes`.

        With a partition its `columns` are counted by its cells, too.
        """
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
            losses=LossCells.of(partition, columns or {}, usable, judged, terms)
            if partition else LossCells(),
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
            self.losses + other.losses,
        )

    def to_json(self) -> bytes:
        """The profile as canonical JSON: equal profiles give equal bytes."""
        counts = {name: getattr(self, name) for name in _COUNTS}
        replicates = {name: sums.to_list() for name, sums in self.replicates.items()}
        known = {
            "errors": self.errors.to_list(),
            "residuals": self.residuals.to_dict(COUNTED),
            "replicates": replicates,
            "losses": self.losses.to_dict(),
        }
        return orjson.dumps({"schema_version": self.SCHEMA_VERSION, **counts, **known})

    @classmethod
    def from_json(cls, text: bytes) -> Self:
        """The profile that ``to_json`` wrote; the first form had no cells."""
        stored = known_version(orjson.loads(text), cls)
        return cls(
            **{name: stored[name] for name in _COUNTS},
            errors=Errors.from_list(stored["errors"]),
            residuals=ResidualTally.from_dict(stored["residuals"], COUNTED),
            replicates={name: ReplicateSums.from_list(sums) for name, sums in stored["replicates"].items()},
            losses=LossCells.from_dict(stored["losses"]) if "losses" in stored else LossCells(),
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
