"""Rehearsing: a past window run here into nothing, beside what the service found in it."""

from collections.abc import Iterator, Mapping, Sequence
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

from monitor_tasks import tasks
from monitor_tasks.dialects import COMPARED, Difference, differences
from monitor_tasks.endpoint import Endpoint
from monitor_tasks.io.executions import read_artifact, read_manifest
from monitor_tasks.io.store import Store, hour_folder
from monitor_tasks.monitors.settings import MONITORS
from monitor_tasks.site import Site
from monitor_tasks.staging import label_names
from monitor_tasks.window import Window

TOLERANCE = 1e-6
TOLERANCES = {"attribution": 1e-3}
"""SHAP values are drawn: two runs of the service differ in the third digit."""


class Judged(NamedTuple):
    """One window through the verbs that the DAG calls, up to the reports."""

    captured: str
    baseline: str
    reports: dict[str, str]


class Rehearsed(NamedTuple):
    """One monitor's window, here and there."""

    monitor: str
    status: str
    address: str
    """Where the service's result lies, or all places where it was looked for."""
    files: tuple[str, ...]
    """What was found there and compared; nothing where there is no result."""
    tolerance: float
    differences: tuple[Difference, ...] = ()

    @property
    def told(self) -> dict[str, Any]:
        """The same as JSON has it."""
        return {**self._asdict(), "differences": [one._asdict() for one in self.differences]}


def judge_window(site: Site, window: Window) -> Judged:
    """The window's reports by every monitor."""
    captured = tasks.ingest_capture(site, window)
    baseline = tasks.suggest_baseline(site, window, captured)
    rows = dict.fromkeys(("captured", "explained"), captured)
    if label_names(site.endpoint):
        rows["labelled"] = tasks.merge_labels(site, window, captured)
    reports = {
        name: tasks.run_monitor(site, name, window, rows[MONITORS[name].stage], baseline)
        for name in site.endpoint.configured()
    }
    return Judged(captured, baseline, reports)


class Service(NamedTuple):
    """What the service found of a window, and how near one has to come to it."""

    window: Window
    against: Sequence[str]
    """Below which addresses its results may lie."""
    tolerance: float | None = None
    """How far numbers may differ; None means the monitor's own."""


def rehearse(endpoint: Endpoint, service: Service) -> list[Rehearsed]:
    """Every monitor's window beside the service's result; nothing is kept of the run."""
    with TemporaryDirectory() as folder:
        site = Site(endpoint.model_copy(update={"root": folder}))
        reports = judge_window(site, service.window).reports
        return [_compared(site, name, key, service) for name, key in reports.items()]


def _compared(site: Site, name: str, key: str, service: Service) -> Rehearsed:
    allowed = TOLERANCES.get(name, TOLERANCE) if service.tolerance is None else service.tolerance
    status, places = str(site.report(key).status), list(_places(site.endpoint, name, service))
    for address in places:
        if theirs := _files(Store(address)):
            artifacts = read_manifest(site.store, key).artifacts
            ours = {file: read_artifact(site.store, key, file) for file in COMPARED if file in artifacts}
            found = differences(theirs, ours, address, allowed)
            return Rehearsed(name, status, address, tuple(theirs), allowed, found)
    return Rehearsed(name, status, ", ".join(places), (), allowed)


def _places(endpoint: Endpoint, name: str, service: Service) -> Iterator[str]:
    """Where the service puts a monitor's results: of endpoints below their name, of batch transforms without."""
    schedule = endpoint.configured()[name].monitoring_schedule_name
    for address in service.against:
        for owner in (f"{endpoint.endpoint_name}/{schedule}", schedule):
            yield f"{address.rstrip('/')}/{owner}/{hour_folder(service.window.end)}"


def _files(store: Store) -> Mapping[str, bytes]:
    there = store.files("")
    return {file: store.get(file) for file in COMPARED if file in there}
