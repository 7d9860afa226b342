"""The monitor itself: rows become counts, counts add up, a share is read off them, a bound judges it."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import pyarrow as pa
import pyarrow.compute as pc

from examples.own_monitor import RoundNumbersSettings
from monitor_tasks.baseline import Baseline, Constraint, Metric
from monitor_tasks.exhibit import Comparison, Exhibit, Pair
from monitor_tasks.value import Value

SHARE = "round_share"


class Counts(Value):
    """How many numbers were seen, and how many of them were round; it adds up, and survives its file."""

    rows: int = 0
    numbers: int = 0
    round: int = 0

    def __add__(self, other: "Counts") -> "Counts":
        return Counts(rows=self.rows + other.rows, numbers=self.numbers + other.numbers, round=self.round + other.round)

    @property
    def share(self) -> float | None:
        """The share of round numbers; None without any number."""
        return self.round / self.numbers if self.numbers else None


class RoundNumbers(NamedTuple):
    """The share of round numbers in one column."""

    settings: RoundNumbersSettings

    @staticmethod
    def read_profile(text: bytes) -> Counts:
        """The profile that was stored."""
        return Counts.from_json(text)

    def profile(self, rows: pa.Table, edges: Any) -> Counts:  # noqa: ARG002 - histograms would be cut there
        """What is remembered of the rows: captured cells are text, so numbers are picked out first."""
        column = self.settings.column
        cells = rows[column].cast(pa.string()) if column in rows.column_names else pa.array([], pa.string())
        numbers = pc.cast(cells.filter(pc.match_substring_regex(cells, r"^-?\d{1,15}(\.\d*)?$")), pa.float64())
        parts = pc.divide(numbers, float(self.settings.multiple))
        return Counts(
            rows=rows.num_rows, numbers=len(numbers), round=pc.sum(pc.equal(parts, pc.floor(parts))).as_py() or 0
        )

    def suggest(self, profiles: Sequence[Counts]) -> list[Constraint]:
        """The bound that the reference keeps."""
        known = sum(profiles, Counts())
        if known.share is None:
            return []
        return [
            Constraint(
                check="round_numbers_check",
                metric=SHARE,
                subject=self.settings.column,
                upper=min(known.share + self.settings.allowed_growth, 1.0),
                cause="data",
                rule="Numbers are not rounder than they were",
                reason=f"{known.round} of {known.numbers} numbers of the reference are round",
                minimum_rows=self.settings.minimum_rows,
            )
        ]

    def measure(self, profile: Counts, baseline: Baseline) -> list[Metric]:  # noqa: ARG002 - drift would compare
        """The share, or why there is none."""
        because = "" if profile.numbers else f"the column {self.settings.column} holds no number"
        return [
            Metric(name=SHARE, subject=self.settings.column, value=profile.share, n=profile.numbers, because=because)
        ]

    def exhibits(self, profile: Counts, baseline: Baseline, edges: Any) -> tuple[Exhibit, ...]:  # noqa: ARG002
        """What the page shows: the share beside the reference's."""
        known = baseline.profile or Counts()
        pair = Pair(label="round", here=profile.share, baseline=known.share, unit="share")
        return (Comparison(title="Round numbers", subject=self.settings.column, pairs=(pair,)),)
