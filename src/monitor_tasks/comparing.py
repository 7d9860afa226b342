"""Comparing models: two variants in a window, and variants or endpoints over any span of windows."""

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from typing import Any, NamedTuple

from monitor_tasks.dialects import violation_files
from monitor_tasks.exhibit import ModelComparison
from monitor_tasks.io.executions import newest, read_artifact
from monitor_tasks.judging import Checked
from monitor_tasks.monitors.model_quality import ModelQuality
from monitor_tasks.monitors.model_quality.sides import Sides
from monitor_tasks.monitors.model_quality.variants import compare, metrics_of
from monitor_tasks.monitors.settings import CompareSettings, ModelQualitySettings
from monitor_tasks.profiles.pairs import VariantProfile
from monitor_tasks.report import judge
from monitor_tasks.site import Site
from monitor_tasks.tables.files import Stored
from monitor_tasks.tables.paired import of_variants, sides_of
from monitor_tasks.value import UserError, Value
from monitor_tasks.window import Window

VARIANTS = "variants.json"
"""The profile of two variants in a window; those of several windows add up."""


class Compared(NamedTuple):
    """What comparing two variants adds to the check of a window; nothing where it is not asked for."""

    comparison: ModelComparison | None = None
    files: Mapping[str, bytes] = {}

    def beside(self, checked: Checked) -> Checked:
        """The check with the comparison, and with the answers of constraints that ask for a difference."""
        if self.comparison is None:
            return checked
        metrics = metrics_of(self.comparison)
        names = {one.name for one in metrics}
        findings = tuple(
            judge(metrics, [one.constraint])[0] if one.constraint.metric in names else one for one in checked.findings
        )
        files = {**checked.artifacts, **violation_files(checked.monitor, findings), **self.files}
        return checked._replace(comparison=self.comparison, findings=findings, artifacts=files)


def compared_in(settings: Value, labelled: Stored) -> Compared:
    """The two variants in the labelled rows of one window, where a monitor's settings ask for it."""
    asked = getattr(settings, "compare", None)
    if not isinstance(settings, ModelQualitySettings) or not asked:
        return Compared()
    monitor = ModelQuality(settings)
    sides = Sides(monitor, monitor)
    profile = sides.profile(*of_variants(labelled.whole(), f"@{asked.by}", asked.champion, asked.challenger))
    return Compared(compare(sides, profile, *_asked(asked)), {VARIANTS: profile.to_json()})


def compare_variants(site: Site, start: datetime, end: datetime, metric: str | None = None) -> ModelComparison:
    """Two variants of one endpoint over all judged windows between two moments: the sum of their profiles."""
    settings = _settings(site)
    if not (asked := settings.compare):
        raise UserError(
            f"{site.name}: model_quality.compare is not set; name champion and challenger there, or name the YAML of a "
            "second endpoint"
        )
    monitor, (names, deciding) = ModelQuality(settings), _asked(asked)
    sides = Sides(monitor, monitor)
    stored = _stored(site, settings.monitoring_schedule_name, names, (start, end))
    return _over(sides, map(sides.read_profile, stored), names, metric or deciding)


def compare_endpoints(
    champion: Site, challenger: Site, start: datetime, end: datetime, metric: str | None = None
) -> ModelComparison:
    """Two endpoints over all windows between two moments that both have labelled."""
    settings = _settings(champion), _settings(challenger)
    sides = Sides(*map(ModelQuality, settings))
    labels = settings[0].ground_truth_attribute, settings[1].ground_truth_attribute
    theirs = set(_between(challenger, "labelled", (start, end)))
    windows = [one for one in _between(champion, "labelled", (start, end)) if one in theirs]
    tables = ((_labelled(champion, one), _labelled(challenger, one)) for one in windows)
    profiles = (sides.profile(*sides_of(one, other, labels)) for one, other in tables)
    return _over(sides, profiles, (champion.name, challenger.name), metric)


def compare_answers(
    site: Site, answers: Iterable[tuple[Any, Any]], names: tuple[str, str], metric: str | None = None
) -> ModelComparison:
    """Two models' answers to the same labelled requests: of each window the rows of either, with ids and labels."""
    monitor = ModelQuality(_settings(site))
    sides = Sides(monitor, monitor)
    return _over(sides, (sides.profile(*sides_of(one, other)) for one, other in answers), names, metric)


def _over(
    sides: Sides, profiles: Iterable[VariantProfile], names: tuple[str, str], metric: str | None
) -> ModelComparison:
    whole, windows = sides.nothing(), 0
    for profile in profiles:
        whole, windows = whole + profile, windows + 1
    return compare(sides, whole, names, metric).model_copy(update={"windows": windows})


def _stored(site: Site, schedule: str, names: tuple[str, str], span: tuple[datetime, datetime]) -> Iterator[bytes]:
    """The stored profiles of windows that were compared by these names."""
    for window in _between(site, schedule, span):
        key = newest(site.store, site.folder(schedule, window))
        known = site.report(key).comparison if key else None
        if key and known and (known.champion, known.challenger) == names:
            yield read_artifact(site.store, key, VARIANTS)


def _between(site: Site, schedule: str, span: tuple[datetime, datetime]) -> list[Window]:
    return [one for one in site.windows(schedule) if span[0] <= one.start and one.end <= span[1]]


def _labelled(site: Site, window: Window) -> Any:
    return site.table(newest(site.store, site.folder("labelled", window)) or "", "labelled.parquet")


def _asked(settings: CompareSettings) -> tuple[tuple[str, str], str | None]:
    return (settings.champion, settings.challenger), settings.metric


def _settings(site: Site) -> ModelQualitySettings:
    settings = site.endpoint.configured().get("model_quality")
    if not isinstance(settings, ModelQualitySettings):
        raise UserError(f"{site.name}: has no monitor model_quality, so there is nothing to compare; add its section")
    return settings
