"""Bias: every group's outcomes against those of all other rows, before and after the model (Clarify's metrics)."""

from collections.abc import Collection, Iterator, Sequence
from typing import NamedTuple

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from monitor_tasks.baseline import Baseline, Constraint, Metric
from monitor_tasks.exhibit import Exhibit
from monitor_tasks.metrics.fairness import FAIRNESS, Fairness
from monitor_tasks.metrics.resampling import deviation
from monitor_tasks.monitors.settings import BiasSettings
from monitor_tasks.profiles.coded import SELECTED, Mark
from monitor_tasks.profiles.columns import Edges
from monitor_tasks.profiles.groups import Asked, FacetCounts, GroupProfile, parse_subject, subject_of
from monitor_tasks.value import UserError

CHECK = "bias_drift_check"
DEVIATIONS = 3.0
NO_GROUP = "Group variable is empty or not provided"
"""Clarify's words in analysis.json (contract bias.md, section 2)."""


class Group(NamedTuple):
    """One group of rows: its facet, what it is called, and its counts."""

    subject: str
    """``facet=value``, the same in every window."""
    facet: str
    value: str
    """As Clarify writes it: values joined by commas, or an interval up to the largest number of these rows."""
    counts: NDArray[np.int64] | None
    """By outside and in the group, subgroup (rows without one first), label, prediction (none first); None: unknown."""
    grouped: bool


class Bias(NamedTuple):
    """The bias monitor of one endpoint.

    A metric's subject is the group: ``facet=value``, values joined by commas, ``facet=(threshold, max]`` for the
    numbers above a threshold; ``%`` and ``=`` in the facet's name are written as ``%25`` and ``%3D``.
    """

    settings: BiasSettings

    def profile(self, rows: pa.Table, edges: Edges | None = None) -> GroupProfile:  # noqa: ARG002
        """What is remembered of the rows: outcomes by facet; nothing is counted on edges.

        Raises:
            UserError: the table lacks a column of the settings.
        """
        return GroupProfile.of(rows, self._asked)

    def read_profile(self, text: bytes) -> GroupProfile:
        """A profile that was stored."""
        return GroupProfile.from_json(text)

    def suggest(self, profiles: Sequence[GroupProfile]) -> list[Constraint]:
        """One constraint per group and metric that the reference defines: not farther from fair than there.

        Raises:
            UserError: a facet of which no value is named has too many.
        """
        whole = sum(profiles, GroupProfile())
        for name, mark in self._asked.facets:
            if not mark.values and whole.facets.get((name, None), FacetCounts()).cells is None:
                raise UserError(f"facet {name!r} has too many values to compare each; name some in value_or_threshold")
        return [self._constraint(metric) for metric in self.statistics(whole) if metric.value is not None]

    def measure(self, profile: GroupProfile, baseline: Baseline) -> list[Metric]:
        """Every metric of every group that the settings name or the baseline knows, over the labelled rows.

        Whether a number in the settings is a value or a threshold is the baseline's to say.
        """
        known = baseline.profile if baseline.profile is not None and baseline.profile.rows else profile
        return self._metrics(profile, known, {one.subject for one in baseline.constraints})

    def exhibits(self, profile: GroupProfile, baseline: Baseline, edges: Edges | None = None) -> tuple[Exhibit, ...]:  # noqa: ARG002
        """Nothing but the findings: they are differences of rates, each with its group."""
        return ()

    def statistics(self, profile: GroupProfile) -> list[Metric]:
        """Every metric of every group: what analysis.json shows."""
        return self._metrics(profile, profile, frozenset())

    @property
    def _asked(self) -> Asked:
        settings = self.settings
        return Asked(
            settings.label,
            Mark.of(settings.label_values_or_threshold),
            settings.predicted_label,
            settings.probability_threshold,
            tuple((facet.name, Mark.of(facet.value_or_threshold)) for facet in settings.facets),
            settings.group_variable,
        )

    def _metrics(self, profile: GroupProfile, known: GroupProfile, subjects: Collection[str]) -> list[Metric]:
        label = _Label.of(self._asked, profile, known)
        groups = [
            group
            for name, mark in self._asked.facets
            for group in _groups(profile, known, _Facet(name, mark, label, subjects))
        ]
        stages = dict.fromkeys(metric.stage for metric in FAIRNESS.values())
        return [
            self._metric(metric, group, label)
            for stage in stages
            for group in groups
            for metric in FAIRNESS.values()
            if metric.stage == stage
        ]

    def _metric(self, metric: Fairness, group: Group, label: "_Label") -> Metric:
        details = {
            "stage": metric.stage, "description": metric.description, "facet": group.facet, "facet_value": group.value,
            "label": label.name, "label_value": label.value,
        }  # fmt: skip
        unknown = Metric(name=metric.name, subject=group.subject, value=None, n=0, details=details)
        if group.counts is None:
            return unknown.model_copy(
                update={"because": f"{group.facet} has too many different values to know them all"}
            )
        cells = _cells(metric, group.counts)
        outside, inside = (int(one) for one in cells.reshape(-1, 2, 4).sum(axis=(0, 2)))
        sizes = {"rows_in_group": inside, "rows_outside": outside, **details}
        sized = unknown.model_copy(update={"n": min(inside, outside), "details": sizes})
        if because := self._undefined(metric, group, cells):
            return sized.model_copy(update={"because": because})
        found = {"value": float(metric.of(cells)), "deviation": _deviation(metric, cells)}
        return sized.model_copy(update=found)

    def _undefined(self, metric: Fairness, group: Group, cells: NDArray[np.int64]) -> str:
        if metric.by_subgroup and not group.grouped:
            return f"{self.settings.group_variable} has too many different values to keep the groups apart"
        if metric.by_subgroup and not cells.any():
            return NO_GROUP
        because = metric.undefined(cells)
        return f"{group.subject}: {because}" if because else ""

    def _constraint(self, metric: Metric) -> Constraint:
        value = metric.value or 0.0
        lower, upper, reason = -abs(value), abs(value), f"the reference has {value}; farther from 0 is a violation"
        if self.settings.rule == "interval":
            fair, slack = float(metric.name == "DI"), DEVIATIONS * (metric.deviation or 0.0)
            distance = abs(value - fair) + slack
            lower, upper = min(fair - distance, value), max(fair + distance, value)
            reason = (
                f"the reference has {value}; farther from {fair:g} by more than {DEVIATIONS:g} standard deviations "
                f"of either ({slack:.4g} there) is a violation"
            )
        return Constraint(
            check=CHECK, metric=metric.name, subject=metric.subject, lower=lower, upper=upper, cause="world",
            expected=(repr(value),), reason=reason, minimum_rows=self.settings.minimum_rows,
            margin=DEVIATIONS if self.settings.rule == "interval" else 0.0,
        )  # fmt: skip


class _Label(NamedTuple):
    """The label's name and positive values, and how the profile tells them: by value 1, by threshold 2."""

    name: str
    value: str
    positive: int
    predicted: int

    @classmethod
    def of(cls, asked: Asked, profile: GroupProfile, known: GroupProfile) -> "_Label":
        """The label as the known profile reads it."""
        name, mark = asked.label, asked.positive
        if mark.threshold is not None and known.is_scale(name, mark):
            return cls(name, profile.interval(name, mark.threshold), 2, 2)
        return cls(name, ",".join(mark.values), 1, 1)


class _Facet(NamedTuple):
    name: str
    mark: Mark
    label: _Label
    subjects: Collection[str]
    """What the baseline's constraints judge."""

    def is_scale(self, known: GroupProfile) -> bool:
        """Whether its number is a threshold: as the constraints have it, or as the known rows have it."""
        if self.mark.threshold is None:
            return False
        if subject_of(self.name, f"({self.mark.threshold}, max]") in self.subjects:
            return True
        return subject_of(self.name, ",".join(self.mark.values)) not in self.subjects and known.is_scale(
            self.name, self.mark
        )


def _groups(profile: GroupProfile, known: GroupProfile, facet: _Facet) -> Iterator[Group]:
    """The groups of one facet: those above its threshold, of its values, or of each value."""
    if facet.mark.threshold is not None and facet.is_scale(known):
        counts = profile.facets.get((facet.name, facet.mark.threshold), FacetCounts())
        yield from _counted(facet, counts, {profile.interval(facet.name, facet.mark.threshold): {SELECTED}})
        return
    counts = profile.facets.get((facet.name, None), FacetCounts())
    if facet.mark.values:
        yield from _counted(facet, counts, {",".join(facet.mark.values): facet.mark.meant})
        return
    judged = (parse_subject(subject) for subject in facet.subjects)
    values = {value for name, value in judged if name == facet.name}
    values |= {*counts.values, *known.facets.get((facet.name, None), FacetCounts()).values}
    yield from _counted(facet, counts, {value: {value} for value in sorted(values)})


def _counted(facet: _Facet, counts: FacetCounts, named: dict[str, Collection[str]]) -> Iterator[Group]:
    """The named groups with their counts, each against all other rows."""
    values = counts.values
    cells = None if counts.cells is None else counts.outcomes(values, facet.label.positive, facet.label.predicted)
    for value, meant in named.items():
        found = None
        if cells is not None:
            inside = cells[[place for place, one in enumerate(values) if one in meant]].sum(axis=0)
            found = np.stack([cells.sum(axis=0) - inside, inside])
        yield Group(subject_of(facet.name, value), facet.name, value, found, counts.grouped)


def _cells(metric: Fairness, counts: NDArray[np.int64]) -> NDArray[np.int64]:
    """The counts that the metric looks at: by subgroup or all together, by label alone or with predictions only."""
    by_group = np.moveaxis(counts[:, 1:], 0, 1) if metric.by_subgroup else counts.sum(axis=1)
    if metric.stage == "post_training":
        return by_group[..., 1:]
    return np.asarray(by_group.sum(axis=-1)[..., np.newaxis] * np.eye(2, dtype=np.int64))


def _deviation(metric: Fairness, cells: NDArray[np.int64]) -> float | None:
    return deviation(cells.ravel(), lambda drawn: metric.of(drawn.reshape(-1, *cells.shape)))
