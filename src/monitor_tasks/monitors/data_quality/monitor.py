"""The data-quality monitor: what it remembers, suggests and measures."""

from collections.abc import Sequence
from typing import NamedTuple

import pyarrow as pa

from monitor_tasks.baseline import Baseline, Constraint, Metric
from monitor_tasks.exhibit import Exhibit
from monitor_tasks.metrics.distributions import compared
from monitor_tasks.metrics.significance import benjamini_hochberg
from monitor_tasks.monitors.data_quality.columns import column_names
from monitor_tasks.monitors.data_quality.measures import Compared, Sides, measured
from monitor_tasks.monitors.data_quality.rules import BY_P_VALUE, suggested
from monitor_tasks.monitors.settings import DataQualitySettings
from monitor_tasks.profiles.columns import ColumnProfile, Edges, TableProfile, add_up
from monitor_tasks.profiles.extras import Also


class DataQuality(NamedTuple):
    """The data-quality monitor of one endpoint."""

    settings: DataQualitySettings

    @property
    def also(self) -> Also:
        """What the settings need of a profile beside its columns."""
        asked = self.settings.drift
        sampled = asked.table or self.settings.duplicate_rows_check
        return Also(asked.sample_rows if sampled else 0, asked.correlation)

    @staticmethod
    def read_profile(text: bytes) -> TableProfile:
        """The profile that was stored."""
        return TableProfile.from_json(text)

    def profile(self, rows: pa.Table, edges: Edges | None) -> TableProfile:
        """What is remembered of the rows, counted on the baseline's edges."""
        return TableProfile.of(rows, edges, self.also)

    def suggest(self, profiles: Sequence[TableProfile], all_enabled: bool = False) -> list[Constraint]:
        """The constraints that the reference keeps, each with the value it was learned from; `all_enabled` to try them.

        The settings switch some of them off, which `all_enabled` overrules.
        """
        return list(suggested(add_up(profiles), self.settings, all_enabled))

    def measure(self, profile: TableProfile, baseline: Baseline) -> list[Metric]:
        """The metrics that the baseline's constraints judge, read off the profile."""
        wanted = {(one.metric, one.subject): one for one in baseline.constraints if one.enabled}
        known: TableProfile = baseline.profile or TableProfile()
        names = column_names(baseline.constraints)
        lost = bool(names) and not any(name in profile.columns for name in names)
        sides = Sides(profile, known, baseline.edges)
        found = [Compared(one, sides) for one in wanted.values()]
        return _adjusted([_lost(one) if lost and one.constraint.subject else measured(one) for one in found])

    def exhibits(self, profile: TableProfile, baseline: Baseline, edges: Edges) -> tuple[Exhibit, ...]:
        """Every column's distribution beside the baseline's, in the baseline's order; columns it has not come last."""
        known: TableProfile = baseline.profile or TableProfile()
        names = dict.fromkeys((*column_names(baseline.constraints), *known.columns, *profile.columns))
        return tuple(_beside(name, profile, known, edges) for name in names)


def _beside(name: str, profile: TableProfile, known: TableProfile, edges: Edges) -> Exhibit:
    """One column beside the baseline's; a histogram only where both are counted on the same edges."""
    column, reference = profile.columns.get(name), known.columns.get(name)
    cut = edges.by_column.get(name) if profile.edges == known.edges else None
    found = compared(name, column or ColumnProfile(missing=profile.rows), reference, cut)
    if column is None and profile.rows:
        return found.model_copy(update={"note": "this window has no such column"})
    if reference is None and known.columns:
        return found.model_copy(update={"note": f"the baseline has no such column; {found.note}".removesuffix("; ")})
    return found


def _lost(one: Compared) -> Metric:
    because = "the columns cannot be matched: no name is shared and there are not equally many"
    return one.metric(None, one.window.rows, because)


def _adjusted(metrics: Sequence[Metric]) -> list[Metric]:
    """The metrics, with the p-values of all columns adjusted together."""
    tested = {
        place: float(one.details["p_value"])
        for place, one in enumerate(metrics)
        if one.value is not None and "p_value" in one.details
    }
    adjusted = dict(zip(tested, benjamini_hochberg(list(tested.values())), strict=True))
    return [_with_p_value(one, adjusted.get(place)) for place, one in enumerate(metrics)]


def _with_p_value(metric: Metric, adjusted: float | None) -> Metric:
    if adjusted is None:
        return metric
    details = {**metric.details, "p_adjusted": adjusted}
    if metric.name.removeprefix("drift_") not in BY_P_VALUE:
        return metric.model_copy(update={"details": details})
    return metric.model_copy(update={"value": adjusted, "details": {"statistic": metric.value, **details}})
