"""Every metric of one group: its value, its chance, both sizes, and why it is undefined where it is."""

from collections.abc import Iterable, Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from monitor_tasks.baseline import Metric
from monitor_tasks.metrics.chance import REACH
from monitor_tasks.metrics.fairness import FAIRNESS, Chance, Fairness, chances
from monitor_tasks.metrics.flip import FLIP_TEST, Described
from monitor_tasks.metrics.measured import Measured
from monitor_tasks.monitors.bias.groups import Group, Label

NO_GROUP = "Group variable is empty or not provided"
"""Clarify's words in analysis.json (contract bias.md, section 2)."""

Counts = NDArray[np.int64]
_UNKNOWN = Chance()


class Measuring(NamedTuple):
    """What the metrics of all groups have in common."""

    label: Label
    group_variable: str | None
    strict: bool
    """Whether a rate of no rows is undefined, which Clarify takes for 0."""
    with_chance: bool
    """Whether it is told how far each would move, which takes most of the time."""

    def of_counts(self, group: Group) -> Iterator[Metric]:
        """The metrics that are read off the group's counts."""
        if group.counts is None:
            yield from (self._metric(one, group, _unknown(group)) for one in FAIRNESS.values())
            return
        for (labels_alone, by_subgroup), metrics in _ALIKE.items():
            yield from self._alike(group, _cells(group.counts, labels_alone, by_subgroup), metrics)

    def flip_test(self, group: Group, measured: Measured) -> Metric:
        """The flip test, which was measured on the sample."""
        return self._metric(FLIP_TEST, group, _unknown(group) if group.counts is None else measured, _plain(measured))

    def _alike(self, group: Group, cells: Counts, metrics: Iterable[Fairness]) -> Iterator[Metric]:
        """Metrics that look at the same counts."""
        outside, inside = (int(one) for one in cells.reshape(-1, 2, 4).sum(axis=(0, 2)))
        sizes = {"rows_in_group": inside, "rows_outside": outside}
        reasons = {metric: self._undefined(metric, group, cells) for metric in metrics}
        defined = (metric for metric, because in reasons.items() if not because)
        known = chances(defined, cells) if self.with_chance else {}
        for metric, because in reasons.items():
            value = None if because else float(metric.of(cells))
            found = Measured(value, because=because, rows=min(inside, outside), details=sizes)
            yield self._metric(metric, group, found, known.get(metric.name, _UNKNOWN))

    def _metric(self, metric: Fairness | Described, group: Group, found: Measured, chance: Chance = _UNKNOWN) -> Metric:
        told = {
            "stage": metric.stage, "description": metric.description, "facet": group.facet, "facet_value": group.value,
            "label": self.label.name, "label_value": self.label.value,
        }  # fmt: skip
        return Metric(
            name=metric.name, subject=group.subject, value=found.value, n=found.rows or 0, because=found.because,
            deviation=chance.deviation, interval=chance.interval, details={**found.details, **told},
        )  # fmt: skip

    def _undefined(self, metric: Fairness, group: Group, cells: Counts) -> str:
        if metric.by_subgroup and not group.grouped:
            return f"{self.group_variable} has too many different values to keep the groups apart"
        if metric.by_subgroup and not cells.any():
            return NO_GROUP
        because = metric.undefined(cells, self.strict)
        return f"{group.subject}: {because}" if because else ""


def _unknown(group: Group) -> Measured:
    return Measured(None, because=f"{group.facet} has too many different values to know them all", rows=0)


def _plain(measured: Measured) -> Chance:
    value, spread = measured.value, measured.deviation
    if value is None or spread is None:
        return _UNKNOWN
    return Chance(spread, (value - REACH * spread, value + REACH * spread))


def _cells(counts: Counts, labels_alone: bool, by_subgroup: bool) -> Counts:
    """The counts that a metric looks at: by subgroup or all together, by label alone or with predictions only."""
    by_group = np.moveaxis(counts[:, 1:], 0, 1) if by_subgroup else counts.sum(axis=1)
    if not labels_alone:
        return by_group[..., 1:]
    return np.asarray(by_group.sum(axis=-1)[..., np.newaxis] * np.eye(2, dtype=np.int64))


_ALIKE: dict[tuple[bool, bool], list[Fairness]] = {}
for _metric in FAIRNESS.values():
    _ALIKE.setdefault((_metric.stage == "pre_training", _metric.by_subgroup), []).append(_metric)
