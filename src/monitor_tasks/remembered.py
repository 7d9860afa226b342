"""Remembered: the stored reports of an endpoint's windows, each read once, and only when a policy asks for it."""

from collections.abc import Mapping, Sequence
from functools import cache

from monitor_tasks.io.executions import newest
from monitor_tasks.io.store import hour_folder
from monitor_tasks.report import Report
from monitor_tasks.site import Site
from monitor_tasks.timeline import Assessed, fold, needed
from monitor_tasks.troubles import Seen
from monitor_tasks.verdict import Action, Permission, decide, episode_around
from monitor_tasks.window import Window, parse_duration


class Remembered:
    """What is stored of an endpoint's windows at one moment: a look into its past."""

    def __init__(self, site: Site, known: Mapping[Window, Mapping[str, Report]] | None = None) -> None:
        """The windows of the site; of those that are `known` these reports count."""
        self.site, self.policy = site, site.endpoint.policy
        self.schedules = {name: one.monitoring_schedule_name for name, one in site.endpoint.configured().items()}
        self._seen = {one: Seen.of(one, reports, self.policy) for one, reports in (known or {}).items()}
        self._days, self._hours = cache(self._days_of), cache(self._hours_of)

    def __call__(self, window: Window) -> Seen:
        """What the newest reports of a window say under the endpoint's policy."""
        if window not in self._seen:
            self._seen[window] = Seen.of(window, self.reports(window), self.policy)
        return self._seen[window]

    def reports(self, window: Window) -> dict[str, Report]:
        """The newest report of every monitor that has one."""
        keys = {name: self._newest(schedule, window) for name, schedule in self.schedules.items()}
        return {name: self.site.report(key) for name, key in keys.items() if key}

    def assessed(self, window: Window, permission: Permission) -> Assessed:
        """What the endpoint's policy makes of a window, by what was stored of those before it."""
        if not self.site.endpoint.schedule.has(window):
            alone = Permission(retraining=False, because="not one of the schedule's own windows")
            action, because = decide(self(window).outcome, alone)
            return Assessed(window, action, action is Action.ALERT, because)
        names = list(self.schedules)
        windows = needed(window, reversed(self.before(window)), self, self.policy, names)
        return list(fold(windows, self, self.policy, permission, names))[-1]

    def run(self, window: Window) -> tuple[Window, ...]:
        """The run of violated windows around a window, itself in it."""
        around = [*self.before(window), *self.after(window)]
        return episode_around(window, around, lambda one: self(one).status, self.policy.healthy_windows)

    def is_cut(self, run: Sequence[Window], window: Window) -> bool:
        """Whether a run may go on before everything that is looked at."""
        return list(run[:1]) == self.before(window)[:1]

    def before(self, window: Window) -> list[Window]:
        """The schedule's windows before a window, as far as the policy looks back."""
        start = window.start - parse_duration(self.policy.look_back)
        return list(self.site.endpoint.schedule.windows(start, window.start)) if start < window.start else []

    def after(self, window: Window) -> list[Window]:
        """The schedule's windows after a window, as far as the policy looks back from them."""
        end = window.end + parse_duration(self.policy.look_back)
        return list(self.site.endpoint.schedule.windows(window.end, end)) if window.end < end else []

    def _newest(self, schedule: str, window: Window) -> str | None:
        end = window.end
        is_there = f"{end:%d}" in self._days(schedule, f"{end:%Y/%m}") and (
            f"{end:%H}" in self._hours(schedule, f"{end:%Y/%m/%d}")
        )
        return newest(self.site.store, f"{self.site.name}/{schedule}/{hour_folder(end)}") if is_there else None

    def _days_of(self, schedule: str, month: str) -> list[str]:
        return self.site.store.folders(f"{self.site.name}/{schedule}/{month}")

    def _hours_of(self, schedule: str, day: str) -> list[str]:
        return self.site.store.folders(f"{self.site.name}/{schedule}/{day}")
