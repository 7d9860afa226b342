"""Retention: how long each kind of artifact is kept, and which artifact is of which kind."""

from datetime import timedelta
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, model_validator

from monitor_tasks.value import Artifact, Value
from monitor_tasks.window import parse_duration

Kind = Literal["rows", "quarantine", "samples", "reports"]

KINDS: dict[str, Kind] = {
    "captured.parquet": "rows",
    "sample.parquet": "rows",
    "labelled.parquet": "rows",
    "merged.jsonl": "rows",
    "touched.parquet": "rows",
    "quarantine.jsonl": "quarantine",
    "quarantined_labels.jsonl": "quarantine",
    "profile.json": "samples",
    "expectations.json": "samples",
    "slices.json": "samples",
    "explanations_shap/baseline.csv": "samples",
    "explanations_shap/out.csv": "samples",
    "report.html": "reports",
    "statistics.json": "reports",
    "constraints.json": "reports",
    "constraint_violations.json": "reports",
    "analysis.json": "reports",
    "variants.json": "reports",
}
KEPT = ("report.json", "verdict.json", "ledger.json", "labels.json", "ground_truth.json")
"""Counts and numbers without a row: what history, replay, episodes and the dashboard are read off. Never removed."""


def _is_a_time(text: str) -> str:
    if parse_duration(text) < timedelta(hours=1):
        raise ValueError(f"{text!r}: keep it for an hour at least, as PT12H or P90D")
    return text


Time = Annotated[str, AfterValidator(_is_a_time)]


class Retention(Value):
    """How long what was stored of a window is kept, counted from the window's end; a kind that is not named stays."""

    rows: Time | None = None
    """Captured and labelled rows, and those that a retraining learned from: P90D."""
    quarantine: Time | None = None
    """Records and label lines that could not be used, with their excerpts: P30D."""
    samples: Time | None = None
    """Profiles and the sampled rows in them, explained rows, worst slices, examples that Great Expectations gives."""
    reports: Time | None = None
    """Pages and SageMaker's files; the numbers in ``report.json`` stay. Kept at least as long as everything else."""

    @model_validator(mode="after")
    def _keeps_reports_longest(self) -> Self:
        known = {kind: span for kind in KINDS.values() if (span := self.of(kind))}
        if longer := [kind for kind, span in known.items() if span > known.get("reports", span)]:
            raise ValueError(f"reports are kept longest: reports: {self.reports} is shorter than {longer[0]}")
        return self

    def of(self, kind: Kind) -> timedelta | None:
        """How long a kind is kept; None: for ever."""
        text = getattr(self, kind)
        return parse_duration(text) if text else None


class Taken(Value):
    """One artifact that was removed."""

    because: str
    """The key of the configuration and how long it says: ``retention.rows: P90D``."""
    when: str
    """When it was removed."""


class Removed(Artifact):
    """What was removed of a revision: it stays where the artifacts were, beside the manifest that names them."""

    artifacts: dict[str, Taken]
