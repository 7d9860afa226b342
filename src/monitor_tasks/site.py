"""Site: one endpoint, the credentials that open its addresses, and what lies where below its root."""

import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from functools import cached_property
from pathlib import Path
from tempfile import TemporaryFile, gettempdir
from typing import Any, BinaryIO

from monitor_tasks.endpoint import Endpoint
from monitor_tasks.io import store as storage
from monitor_tasks.io.errors import as_ours
from monitor_tasks.io.executions import (
    MANIFEST,
    Execution,
    append,
    folder_of,
    newest,
    read_artifact,
    read_artifact_to,
    read_log,
    read_manifest,
)
from monitor_tasks.report import ModelCard, Report
from monitor_tasks.value import UserError, read_stored
from monitor_tasks.verdict import Outcome, Verdict
from monitor_tasks.window import Window, format_time, parse_time

_LOGGED = re.compile(r"/(\d{4})/(\d\d)/(\d\d)/(\d\d)/revisions/log/\d+$")


class Site:
    """One endpoint and the credentials that open its addresses: what every verb works on."""

    def __init__(self, endpoint: Endpoint, credentials: storage.Credentials | None = None) -> None:
        """The site of `endpoint`."""
        self.endpoint = endpoint
        self.credentials = credentials
        self.name = endpoint.endpoint_name

    @cached_property
    def store(self) -> storage.Store:
        """Where everything that we write goes."""
        return storage.Store(self.endpoint.root, self.credentials)

    def execution(self, schedule: str, window: Window, inputs: Mapping[str, str]) -> Execution:
        """The execution of one schedule in one window, keyed by what it reads."""
        return Execution(self.store, self.folder(schedule, window), inputs)

    def folder(self, schedule: str, window: Window) -> str:
        """Where the executions of one schedule in one window lie."""
        return folder_of(self.name, schedule, window, self.endpoint.schedule.has(window))

    def read(self, address: str) -> bytes:
        """One object that the configuration names."""
        store, key = storage.open_object(address, self.credentials)
        return store.get(key)

    @contextmanager
    def stored(self, key: str, name: str = "captured.parquet") -> Iterator[Any]:
        """A table that an execution wrote, to be read batch by batch."""
        from monitor_tasks.tables.files import Stored

        with in_a_file(lambda file: read_artifact_to(self.store, key, name, file)) as file:
            yield Stored.in_file(file, name)

    def columns(self, key: str, columns: Sequence[str], name: str = "captured.parquet") -> Iterator[Any]:
        """Some columns of a table that an execution wrote, batch by batch: no more of its file is read than they take.

        So its hash is not proven; whoever writes something down reads it by ``stored``.
        """
        from monitor_tasks.tables.files import Stored

        with self.store.ranged(key.removesuffix(MANIFEST) + name) as file:
            yield from Stored.in_file(file, name).batches(columns)

    def table(self, key: str, name: str = "captured.parquet") -> Any:
        """A table that an execution wrote, as an Arrow table."""
        with self.stored(key, name) as table:
            return table.whole()

    def ledger(self, captured: str) -> dict[str, Any]:
        """The ledger of an ingested window."""
        return self.told(captured, "ledger.json")

    def told(self, key: str, name: str) -> dict[str, Any]:
        """An artifact of an execution that is plain JSON."""
        return read_stored(read_artifact(self.store, key, name), name, self.store.address_of(key))

    def report(self, key: str) -> Report:
        """The report of an execution."""
        return Report.read(read_artifact(self.store, key, "report.json"), self.store.address_of(key))

    def outcome(self, window: Window) -> Outcome:
        """What the newest reports of all monitors say of a window."""
        schedules = [one.monitoring_schedule_name for one in self.endpoint.configured().values()]
        found = [newest(self.store, self.folder(schedule, window)) for schedule in schedules]
        return Outcome.of([self.report(key) for key in found if key])

    def verdicts(self, window: Window) -> list[Verdict]:
        """Every verdict that was given of a window, the oldest first."""
        found = [read_artifact(self.store, key, "verdict.json") for key in self.revisions("verdict", window)]
        return [Verdict.read(text, f"{self.name}: a verdict of {window}") for text in found]

    def revisions(self, schedule: str, window: Window) -> list[str]:
        """The manifests of all revisions of one schedule in one window, the oldest first."""
        folder = f"{self.folder(schedule, window)}/revisions"
        return [f"{folder}/{name.decode()}/{MANIFEST}" for name in read_log(self.store, f"{folder}/log")]

    def reported(self) -> list[Window]:
        """Every window of the schedule that has a report, in order."""
        return self.windows(*(one.monitoring_schedule_name for one in self.endpoint.configured().values()))

    def windows(self, *schedules: str) -> list[Window]:
        """Every window of the endpoint's schedule that has an execution of one of these, in order."""
        entries = [entry.key for one in schedules for entry in self.store.entries(f"{self.name}/{one}")]
        found = [match for key in entries if (match := _LOGGED.search(key))]
        ends = {parse_time("{}-{}-{}T{}:00:00Z".format(*match.groups())) for match in found}
        return [self.endpoint.schedule.ending(end) for end in sorted(ends)]

    def baseline_key(self, baseline: str) -> str:
        """The manifest of a baseline."""
        return f"{self.name}/baselines/revisions/{baseline}/{MANIFEST}"

    def baseline_file(self, baseline: str, file: str) -> bytes | None:
        """One file of a baseline; None where it has none of that name."""
        key = self.baseline_key(baseline)
        if not baseline or file not in read_manifest(self.store, key).artifacts:
            return None
        return read_artifact(self.store, key, file)

    def pinned(self, window: Window) -> str:
        """The baseline that holds for the window; empty where none is pinned."""
        return str((self._held("baselines", window) or {}).get("baseline", ""))

    def model(self, window: Window) -> ModelCard | None:
        """The model that the endpoint points at in the window: the newest pin, else what the configuration says."""
        pin = self._held("models", window)
        if pin is not None:
            return ModelCard.model_validate(pin["model"])
        settings = self.endpoint.model
        if settings is None:
            return None
        card = json.loads(self.read(settings.card)) if settings.card else {}
        said = settings.model_dump(exclude_defaults=True, exclude={"card", "allow_pickle"})
        return ModelCard.model_validate({**card, **said})

    def _held(self, what: str, window: Window) -> dict[str, Any] | None:
        """The newest pin that is not from later than the window."""
        pins = [json.loads(entry) for entry in read_log(self.store, f"{self.name}/{what}/pins")]
        held = [pin for pin in pins if pin["since"] is None or parse_time(pin["since"]) <= window.start]
        return held[-1] if held else None

    def pin(self, what: str, content: Mapping[str, Any], because: str, since: datetime | None = None) -> None:
        """Lets a baseline or a model hold from a moment on, earlier windows keep theirs; with none, the first holds."""
        start = None if since is None else format_time(since)
        pin = json.dumps({**content, "since": start, "because": because}).encode()
        append(
            self.store, f"{self.name}/{what}/pins", lambda pins: None if pin in pins or (pins and not start) else pin
        )

    def evidence_key(self, episode: str) -> str:
        """Where the evidence of an episode's retraining lies."""
        return f"{self.name}/episodes/{episode}/retrain.json"


@contextmanager
def in_a_file(write: Callable[[BinaryIO], None]) -> Iterator[BinaryIO]:
    """A temporary file that `write` has filled: what is large is never whole in memory."""
    with TemporaryFile() as file:
        try:
            write(file)
            file.flush()
        except OSError as error:
            raise as_ours(gettempdir(), error) from error
        yield file


@contextmanager
def opened(address: str, credentials: storage.Credentials | None = None) -> Iterator[BinaryIO]:
    """The object at any address, in a temporary file."""
    store, key = storage.open_object(address, credentials)
    with in_a_file(lambda file: file.writelines(store.chunks(key))) as file:
        yield file


def load_endpoint(path: str, text: str, home: str = "") -> Endpoint:
    """The endpoint in a YAML file; relative addresses begin at `home`, ``MONITOR_TASKS_HOME``, or the file's folder."""
    return Endpoint.parse(text, path, home or storage.home() or path.rpartition("/")[0] or ".", storage.roots())


def load_endpoints(folder: Path) -> dict[str, Endpoint | UserError]:
    """Every endpoint of a folder of YAML files, by the file's path; a broken file costs only itself."""
    found: dict[str, Endpoint | UserError] = {}
    for path in sorted(folder.glob("*.yaml")):
        try:
            found[str(path)] = load_endpoint(str(path), path.read_text(encoding="utf-8"))
        except (UserError, OSError, UnicodeDecodeError) as error:
            found[str(path)] = error if isinstance(error, UserError) else UserError(f"{path}: {error}")
    names: dict[str, str] = {}
    for path_, endpoint in found.items():
        if isinstance(endpoint, Endpoint) and names.setdefault(endpoint.endpoint_name, path_) != path_:
            found[path_] = UserError(
                f"{path_}: endpoint_name: {endpoint.endpoint_name} is taken by {names[endpoint.endpoint_name]}"
            )
    return found
