"""The dashboard's verbs: what is asked of it, read from the endpoints that may be seen, as pages; and all as files."""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from functools import cache, partial
from itertools import pairwise
from pathlib import Path
from threading import Lock
from typing import Any, NamedTuple

from monitor_tasks import reading
from monitor_tasks.endpoint import Endpoint
from monitor_tasks.exhibit import Exhibit
from monitor_tasks.history import History, WindowView
from monitor_tasks.io.executions import read_artifact
from monitor_tasks.io.store import Missing
from monitor_tasks.monitors.settings import MONITORS
from monitor_tasks.pages.board.baselines import baseline_page, baselines_page, difference_page
from monitor_tasks.pages.board.common import Asked, series_step
from monitor_tasks.pages.board.endpoint import endpoint_page
from monitor_tasks.pages.board.estimated import estimates_page
from monitor_tasks.pages.board.frame import Page, Place, hashed, rendered, window_named, windowed
from monitor_tasks.pages.board.metric import metric_page
from monitor_tasks.pages.board.missed import missed_page
from monitor_tasks.pages.board.overview import overview_page
from monitor_tasks.pages.board.window import HANDED_OUT, Around, window_page
from monitor_tasks.report import Report
from monitor_tasks.site import Site, load_endpoint
from monitor_tasks.summary import EndpointSummary
from monitor_tasks.value import UserError
from monitor_tasks.window import Window, now

DAYS = 7
"""How far back a page looks, where nobody says otherwise."""
FRESH = timedelta(minutes=5)
"""How long an endpoint is used before its file and its connection are looked at anew, changed or not."""
PICTURES = 8
"""So many metrics of an endpoint have a page of their own in a site of files: those that broke first."""
_STYLE = re.compile(rb"<style>(.*?)</style>", re.DOTALL)


class Watched(NamedTuple):
    """An endpoint that may be seen: opened, or why it cannot be."""

    yaml: str
    """The file that describes it."""
    site: Site | None = None
    error: str = ""


Known = Mapping[str, Watched]
Steps = tuple[str, ...]


class Outside(NamedTuple):
    """What is known of Airflow, where the dashboard stands in it."""

    airflow: str
    """Where its own pages begin."""
    run_of: Callable[[str, Window], str]
    """The newest run of a DAG in a window; empty where there is none."""


class Past(NamedTuple):
    """How the past of an endpoint is read: anew for each page, or once for all pages of a site of files."""

    summary: Callable[[Site], EndpointSummary]
    history: Callable[[Site, int], History]


class Endpoints:
    """The endpoints of a folder of YAML files, or of one file; one that has not changed is read once."""

    def __init__(self, path: Path, opened: Callable[[Endpoint], Site] = Site) -> None:
        """The endpoints at `path`; `opened` gives each of them its credentials."""
        self.path, self._opened = path, opened
        self._known: dict[Path, tuple[Any, str, Watched]] = {}
        self._lock = Lock()

    def __call__(self) -> dict[str, Watched]:
        """Every endpoint by its name; one whose file is broken says why, and costs only itself."""
        paths = sorted(self.path.glob("*.yaml")) if self.path.is_dir() else [self.path]
        with self._lock:
            self._known = {path: self._of(path) for path in paths}
            found: dict[str, Watched] = {}
            for _, name, watched in self._known.values():
                found[name] = watched if name not in found else _twice(found[name], watched)
            return found

    def _of(self, path: Path) -> tuple[Any, str, Watched]:
        """What is known of a file, read again where it was changed."""
        try:
            stat = path.stat()
            stamp = stat.st_mtime_ns, stat.st_size, now().timestamp() // FRESH.total_seconds()
            if (known := self._known.get(path)) and known[0] == stamp:
                return known
            endpoint = load_endpoint(str(path), path.read_text(encoding="utf-8"))
        except (UserError, OSError, UnicodeDecodeError) as error:
            return None, path.stem, Watched(str(path), error=str(error))
        try:
            watched = Watched(str(path), self._opened(endpoint))
        except UserError as error:
            watched = Watched(str(path), error=str(error))
        return stamp, endpoint.endpoint_name, watched


def _twice(first: Watched, other: Watched) -> Watched:
    return first._replace(site=None, error=f"{other.yaml} and {first.yaml} describe an endpoint of the same name")


class Dashboard:
    """What the dashboard answers: a page for each question, about the endpoints that may be seen."""

    def __init__(self, known: Known, place: Place, outside: Outside | None = None, past: Past | None = None) -> None:
        """The dashboard of the `known` endpoints, whose page lies at `place`."""
        self.known, self.place, self.outside = known, place, outside
        self.past = past or Past(_summary, _history)

    def overview(self) -> Page:
        """All endpoints."""
        sites = [one.site for one in self.known.values() if one.site]
        broken = [EndpointSummary(name, error=one.error) for name, one in self.known.items() if not one.site]
        return overview_page(self.place, [*reading.overview(sites), *broken])

    def endpoint(self, name: str, days: int = DAYS) -> Page:
        """One endpoint: its windows, episodes and the history of every metric."""
        site, asked = self._asked(name, days)
        return endpoint_page(asked, self.past.summary(site), self.past.history(site, days))

    def metric(self, name: str, step: str, days: int = DAYS) -> Page:
        """One metric of one endpoint, drawn large."""
        site, asked = self._asked(name, days)
        history = self.past.history(site, days)
        for one in history.series:
            if series_step(one.key) == step:
                return metric_page(asked, one, history)
        raise Missing(f"{name}: no such metric was judged in {days} days; look at the endpoint's page, or further back")

    def estimates(self, name: str, days: int = DAYS) -> Page:
        """What metrics were expected to be without labels, beside what was realised."""
        site, asked = self._asked(name, days)
        return estimates_page(asked, self.past.history(site, days))

    def window(self, name: str, step: str) -> Page:
        """One window: its ledger and what every monitor found."""
        site, asked = self._asked(name)
        view = _view(site, step)
        run = self.outside.run_of(f"monitor__{name}", view.record.window) if self.outside else ""
        return window_page(asked, view, _exhibits(site, view), Around(*_neighbours(site, view.record.window), run))

    def baselines(self, name: str) -> Page:
        """The baselines, and from when each of them holds."""
        site, asked = self._asked(name)
        return baselines_page(asked, reading.baselines(site), self.past.summary(site).last_window)

    def baseline(self, name: str, id_: str) -> Page:
        """One baseline's constraints and their reasons."""
        site, _ = self._asked(name)
        known = {one.id: one for one in reading.baselines(site)}
        if id_ not in known:
            raise Missing(f"{name}: has no baseline {id_!r}; look at the list of its baselines")
        return baseline_page(self.place, name, known[id_], [*known])

    def difference(self, name: str, after: str, before: str) -> Page:
        """What differs between two baselines."""
        site, _ = self._asked(name)
        known = [one.id for one in reading.baselines(site)]
        if lost := {before, after} - {*known}:
            raise Missing(f"{name}: has no baseline {min(lost)!r}; look at the list of its baselines")
        return difference_page(self.place, name, before, after, reading.diff(site, before, after))

    def missed(self, name: str, days: int = DAYS) -> Page:
        """The windows that should have a result, and those that have one: of the days before the newest, till now."""
        site, asked = self._asked(name, days)
        since = _newest(self.past.summary(site)) - timedelta(days=days)
        return missed_page(asked, reading.happened(site, since, now()))

    def report(self, name: str, step: str, monitor: str) -> Page:
        """A monitor's report as it was written: as a page that can run nothing and load nothing."""
        content = self.artifact(name, step, monitor, "report.html")
        styles = (hashed(one.decode("utf-8", "replace")) for one in _STYLE.findall(content))
        known = " ".join(f"'{one}'" for one in styles) or "'none'"
        policy = f"sandbox; default-src 'none'; style-src {known}; frame-ancestors 'self'"
        return Page(content, policy)

    def artifact(self, name: str, step: str, monitor: str, file: str) -> bytes:
        """A file that one monitor wrote in a window, proven by its manifest."""
        site, _ = self._asked(name)
        record = _view(site, step).record.monitors.get(monitor)
        if record is None or file not in HANDED_OUT:
            raise Missing(f"{name}: {monitor} has no {file} in this window that is handed out")
        return read_artifact(site.store, record.key, file)

    def trouble(self, words: str) -> Page:
        """Why a page cannot be shown."""
        return rendered("trouble.html.j2", self.place, "Not to be shown", words=words)

    def _asked(self, name: str, days: int = DAYS) -> tuple[Site, Asked]:
        """An endpoint that may be seen, and what is asked about it."""
        watched = self.known.get(name)
        if watched is None:
            raise Missing(f"no endpoint {name!r} is there that you may see")
        if watched.site is None:
            raise UserError(watched.error)
        return watched.site, Asked(self.place, watched.site.endpoint, watched.yaml, days)


def _summary(site: Site) -> EndpointSummary:
    """One endpoint's line of the overview.

    Raises:
        UserError: nothing of it can be read.
    """
    (summary,) = reading.overview([site])
    if summary.error:
        raise UserError(summary.error)
    return summary


def _history(site: Site, days: int) -> History:
    """What happened in the days up to the newest window."""
    until = _newest(_summary(site))
    return reading.history(site, until - timedelta(days=days), until)


def _newest(summary: EndpointSummary) -> datetime:
    """The end of the newest window that is known of; of none the present."""
    known = [one.end for one in (*summary.windows, summary.last_window) if one]
    return max(known, default=now())


def _neighbours(site: Site, window: Window) -> tuple[str, str]:
    """The steps to the windows of the schedule before and after one; empty where there is none that ever ran."""
    schedule, far = site.endpoint.schedule, 2 * (window.end - window.start)
    if not schedule.hours or not schedule.has(window):
        return "", ""
    before = [*schedule.windows(window.start - far, window.start)][-1]
    after = next(schedule.windows(window.end, window.end + far))
    return _step_to(site, before), _step_to(site, after)


def _step_to(site: Site, window: Window) -> str:
    return windowed(window) if site.store.holds(site.folder("captured", window)) else ""


def _view(site: Site, step: str) -> WindowView:
    """All that is known of a window that an address names."""
    window = window_named(step)
    try:
        return reading.window_of(site, window)
    except UserError as error:
        raise error if type(error) is not UserError else Missing(str(error)) from error


def _exhibits(site: Site, view: WindowView) -> dict[str, Sequence[Exhibit]]:
    """What each monitor's report was drawn from; nothing of a monitor whose files no longer tell it."""
    found: dict[str, Sequence[Exhibit]] = {}
    for name, report in view.reports.items():
        try:
            found[name] = _exhibits_of(site, name, view.record.monitors[name].key, report)
        except (UserError, ValueError, LookupError):  # written under other settings: the report itself has them
            continue
    return found


def _exhibits_of(site: Site, name: str, key: str, report: Report) -> Sequence[Exhibit]:
    from monitor_tasks.judging import read_baseline

    settings = site.endpoint.configured()[name]
    monitor = MONITORS[name].monitor(settings)
    known = read_baseline(
        report.baseline, name, settings, lambda file: site.baseline_file(report.baseline, f"{name}/{file}")
    )
    profile = monitor.read_profile(read_artifact(site.store, key, "profile.json"))
    return monitor.exhibits(profile, known.baseline, known.edges) if report.rows else ()


def site_of_files(known: Known) -> Iterator[tuple[str, bytes]]:
    """The same pages as files that a browser opens without a server: names and contents, the overview first."""
    pages: dict[Steps, Callable[[Dashboard], Page]] = {(): Dashboard.overview}
    past = Past(cache(_summary), cache(_history))
    for name, one in known.items():
        pages |= dict(_pages(name, one.site, past.history(one.site, DAYS))) if one.site else {}
    place = Place(files=True, theirs=frozenset("/".join(steps) for steps in pages))
    for steps, page in pages.items():
        yield "/".join([*steps, "index.html"]), page(Dashboard(known, place.at(*steps), past=past)).content


def _pages(name: str, site: Site, history: History) -> Iterator[tuple[Steps, Callable[[Dashboard], Page]]]:
    """Every page of an endpoint: its windows, baselines, and the metrics that matter most."""
    here = ("endpoints", name)
    yield here, partial(Dashboard.endpoint, name=name)
    yield (*here, "missed"), partial(Dashboard.missed, name=name)
    yield (*here, "baselines"), partial(Dashboard.baselines, name=name)
    if history.estimates:
        yield (*here, "estimates"), partial(Dashboard.estimates, name=name)
    for series in sorted(history.series, key=lambda one: -one.states.count("b"))[:PICTURES]:
        step = series_step(series.key)
        yield (*here, "metrics", step), partial(Dashboard.metric, name=name, step=step)
    for record in history.records:
        step = windowed(record.window)
        yield (*here, "windows", step), partial(Dashboard.window, name=name, step=step)
        for monitor in record.monitors:
            yield (*here, "windows", step, monitor), partial(Dashboard.report, name=name, step=step, monitor=monitor)
    stored = [one.id for one in reading.baselines(site)]
    for one in stored:
        yield (*here, "baselines", one), partial(Dashboard.baseline, name=name, id_=one)
    for before, after in pairwise(stored):
        yield (
            (*here, "baselines", after, "against", before),
            partial(Dashboard.difference, name=name, after=after, before=before),
        )
