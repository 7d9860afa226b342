"""The bias monitor: what it counts, what it suggests, what it measures, and what its files and pages show."""

from collections.abc import Collection, Iterator, Sequence
from typing import NamedTuple

import pyarrow as pa

from monitor_tasks.baseline import Baseline, Constraint, Metric
from monitor_tasks.exhibit import Exhibit
from monitor_tasks.monitors.bias.bounds import asks_nothing, constraint, unknown
from monitor_tasks.monitors.bias.groups import AND, Group, Label, Search
from monitor_tasks.monitors.bias.measured import NO_GROUP, Measuring
from monitor_tasks.monitors.bias.sampled import Kept
from monitor_tasks.monitors.bias.shown import exhibits
from monitor_tasks.monitors.settings import BiasSettings
from monitor_tasks.profiles.coded import Mark
from monitor_tasks.profiles.columns import Edges
from monitor_tasks.profiles.facets import FacetCounts
from monitor_tasks.profiles.groups import Asked, GroupProfile
from monitor_tasks.value import UserError

__all__ = ["NO_GROUP", "Bias"]
STAGES = ("post_training", "pre_training", "further")
"""In the order of Clarify's files."""


class Bias(NamedTuple):
    """The bias monitor of one endpoint.

    A metric's subject is the group: ``facet=value``, values joined by commas, ``facet=(threshold, max]`` for the
    numbers above a threshold; ``%`` and ``=`` in the facet's name are written as ``%25`` and ``%3D``. Facets that are
    looked at together are ``one & other=value & value``.
    """

    settings: BiasSettings

    def profile(self, rows: pa.Table, edges: Edges | None = None) -> GroupProfile:  # noqa: ARG002
        """What is remembered of the rows: outcomes by facet, and a sample; nothing is counted on edges.

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
        self._check(whole)
        metrics = self._metrics(whole, whole, frozenset(), self._strict)
        found = (constraint(self.settings, one) if self._judges(one) else unknown(one) for one in metrics)
        return [one for one in found if one]

    def measure(self, profile: GroupProfile, baseline: Baseline) -> list[Metric]:
        """Every metric of every group that the settings name or the baseline knows, over the labelled rows.

        Whether a number in the settings is a value or a threshold is the baseline's to say.
        """
        return self._measured(profile, baseline)

    def _measured(self, profile: GroupProfile, baseline: Baseline, with_chance: bool = True) -> list[Metric]:
        known = baseline.profile if baseline.profile is not None and baseline.profile.rows else profile
        subjects = {one.subject for one in baseline.constraints}
        metrics = self._metrics(profile, known, subjects, self._strict, with_chance)
        unjudged = {(one.subject, one.metric): one.reason for one in baseline.constraints if asks_nothing(one)}
        return [
            _undefined(one, because) if (because := unjudged.get((one.subject, one.name))) else one for one in metrics
        ]

    def exhibits(self, profile: GroupProfile, baseline: Baseline, edges: Edges | None = None) -> tuple[Exhibit, ...]:  # noqa: ARG002
        """Each group's sizes and rates beside the baseline's, and the metrics that nothing judges."""
        here, *then = (
            self._measured(one, baseline, with_chance=False) for one in (profile, baseline.profile) if one is not None
        )
        return exhibits(here, then[0] if then else [], {(one.subject, one.metric) for one in baseline.constraints})

    def statistics(self, profile: GroupProfile) -> list[Metric]:
        """Every metric of every group by the contract's formulas: what analysis.json shows."""
        return self._metrics(profile, profile, frozenset(), strict=False)

    @property
    def _strict(self) -> bool:
        return self.settings.rule == "interval"

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
            settings.intersections,
            settings.sample_rows,
            settings.excluded_columns,
        )

    def _judges(self, metric: Metric) -> bool:
        asked = metric.details["stage"] != "further" or metric.name in self.settings.further_metrics
        return asked and metric.value is not None

    def _check(self, whole: GroupProfile) -> None:
        known = {name: whole.facets.get((name, None), FacetCounts()) for name, _ in self._asked.facets}
        for name, mark in self._asked.facets:
            if not mark.values and known[name].cells is None:
                raise UserError(f"facet {name!r} has too many values to compare each; name some in value_or_threshold")
        for names, counts in whole.crossed.items():
            if counts.cells is None:
                raise UserError(f"intersection {AND.join(names)}: too many values; name some in value_or_threshold")

    def _metrics(
        self,
        profile: GroupProfile,
        known: GroupProfile,
        subjects: Collection[str],
        strict: bool,
        with_chance: bool = True,
    ) -> list[Metric]:
        label = Label.of(self._asked, profile, known)
        measuring = Measuring(label, self.settings.group_variable, strict, with_chance)
        kept = Kept.of(profile.sample, label.positive)
        groups = Search(self._asked, profile, known, label, subjects).groups()
        found = [sorted(self._of(one, measuring, kept), key=lambda metric: metric.name) for one in groups]
        return [one for stage in STAGES for some in found for one in some if one.details["stage"] == stage]

    def _of(self, group: Group, measuring: Measuring, kept: Kept) -> Iterator[Metric]:
        yield from measuring.of_counts(group)
        if self.settings.sample_rows:
            yield measuring.flip_test(group, kept.flip_test(group, measuring.with_chance))


def _undefined(metric: Metric, because: str) -> Metric:
    return metric.model_copy(update={"value": None, "deviation": None, "interval": None, "because": because})
