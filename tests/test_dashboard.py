"""The dashboard as it is served and as files: every page, who may ask, and what is refused."""

import json
import re
import time
from collections.abc import Iterator
from datetime import timedelta
from html.parser import HTMLParser
from pathlib import Path

import pytest
from fastapi import HTTPException
from fastapi.testclient import TestClient
from typer.testing import CliRunner

from monitor_tasks import reading, serving
from monitor_tasks.cli import app as commands
from monitor_tasks.dashboard import Dashboard, Endpoints, Outside, site_of_files
from monitor_tasks.endpoint import Endpoint
from monitor_tasks.history import History
from monitor_tasks.indexing import compact
from monitor_tasks.io.store import Unreachable
from monitor_tasks.pages.board.common import Asked
from monitor_tasks.pages.board.endpoint import endpoint_page
from monitor_tasks.pages.board.frame import Place, script, style
from monitor_tasks.serving import dashboard_app
from monitor_tasks.shard import Series
from monitor_tasks.site import Site
from monitor_tasks.summary import EndpointSummary
from monitor_tasks.value import UserError
from tests.watched import START, step, watched, window_at

HOME = "endpoints/churn"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two endpoints with stored windows, one of them with shards; and a file that describes none."""
    folder = tmp_path_factory.mktemp("watched")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MONITOR_TASKS_HOME", str(folder))
        compact(watched(folder))
        watched(folder, "fraud", windows=1)
        (folder / "endpoints/broken.yaml").write_text("endpoint_name: [\n")
        yield folder


@pytest.fixture
def client(folder: Path) -> TestClient:
    return TestClient(dashboard_app(Endpoints(folder / "endpoints")), raise_server_exceptions=True)


class Links(HTMLParser):
    """The addresses that a page leads to, the names of its elements, and what a screen reader needs."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.found: list[str] = []
        self.tags: list[str] = []
        self.unnamed: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        known = dict(attrs)
        self.tags.append(tag)
        if tag == "a" and known.get("href"):
            self.found.append(known["href"] or "")
        if tag == "svg" and not known.get("aria-label") and known.get("aria-hidden") != "true":
            self.unnamed.append(tag)


LABELS = ("aria-label", "aria-labelledby")
VOID = {"meta", "link", "input", "br", "hr", "col"}


class Reader(HTMLParser):
    """What would stop a person who hears a page, or walks through it by the keyboard."""

    NAMED = ("a", "button", "label", "caption", "summary", "th", "title", "h1", "h2", "h3", "h4", "option")
    """Elements whose words are their name."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.wrong: list[str] = []
        self.names, self.meant = list[str](), list[str]()
        self._open: list[tuple[str, dict[str, str | None]]] = []
        self._words: list[str] = []
        self._level = 0
        self.feed(text)
        self.wrong += [f"twice: #{name}" for name in {*self.names} if self.names.count(name) > 1]
        self.wrong += [f"nowhere: #{name}" for name in {*self.meant} - {*self.names}]

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        known = dict(attrs)
        self.names += filter(None, [known.get("id")])
        self.meant += (known.get("aria-labelledby") or "").split()
        if (known.get("href") or "").startswith("#"):
            self.meant.append((known["href"] or "")[1:])
        within = [name for name, _ in self._open]
        tells = (
            (tag == "html" and not known.get("lang"), "no language"),
            (tag == "nav" and not known.get("aria-label"), "a nav without a name"),
            (known.get("role") in {"region", "textbox", "search", "img"} and not any(map(known.get, LABELS)),
             "a role without a name"),
            ((known.get("tabindex") or "0") not in {"0", "-1"}, "an order of its own"),
            (tag in {"input", "select"} and "label" not in within, "a field without a label"),
            (tag == "th" and known.get("scope") not in {"row", "col"}, "a title of nothing"),
            (tag == "img" and "alt" not in known, "a picture without words"),
            (any(name.startswith("on") for name in known), "a handler in the page"),
        )  # fmt: skip
        self.wrong += [f"{why}: <{tag} {known}>" for is_so, why in tells if is_so]
        if re.fullmatch("h[1-6]", tag):
            if int(tag[1]) > self._level + 1:
                self.wrong.append(f"{tag} follows h{self._level}")
            self._level = int(tag[1])
        if tag not in VOID:
            self._open.append((tag, known))
            self._words.append(known.get("aria-label") or "")

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """A part of a drawing."""

    def handle_data(self, data: str) -> None:
        self._words = [words + data for words in self._words]

    def handle_endtag(self, tag: str) -> None:
        name, known = self._open.pop()
        words = self._words.pop()
        if name != tag:
            self.wrong.append(f"</{tag}> ends <{name} {known}>")
        if name in self.NAMED and not words.strip():
            self.wrong.append(f"no words: <{name} {known}>")


def test_the_reader_of_these_tests_hears_what_is_wrong() -> None:
    text = """<html><nav></nav><h1>a</h1><h3 id="x">b</h3><a id="x" href="#y"></a><th>c</th><input>
    <svg role="img"><path/></svg><p tabindex="2" onclick="f()">d</b>"""
    heard = [one.partition(":")[0] for one in Reader(text).wrong]
    assert sorted(heard) == sorted([
        "no language", "a nav without a name", "h3 follows h1", "twice", "nowhere", "no words", "a title of nothing",
        "a field without a label", "a role without a name", "an order of its own", "a handler in the page",
        "</b> ends <p {'tabindex'",
    ])  # fmt: skip


def walked(client: TestClient) -> Iterator[tuple[str, str]]:
    """Every page that can be reached from the overview, with its text."""
    waiting, seen = ["/"], set[str]()
    while waiting:
        address = waiting.pop()
        if address in seen:
            continue
        seen.add(address)
        answer = client.get(address)
        assert answer.status_code == 200, (address, answer.text[-300:])
        if not answer.headers["content-type"].startswith("text/html"):
            continue
        yield address, answer.text
        ways = [link for link in Links(answer.text).found if not link.startswith(("?", "#"))]
        waiting += [answer.url.join(link).path for link in ways]


def test_every_way_from_the_overview_leads_to_a_page_with_landmarks_and_named_pictures(client: TestClient) -> None:
    pages = dict(walked(client))
    kinds = {re.sub(r"churn|fraud|[0-9a-f]{16,20}|\d{8}T\d{6}Z_PT1H|data_quality|bias", "*", one) for one in pages}
    assert kinds == {
        "/", "/endpoints/*/", "/endpoints/*/missed/", "/endpoints/*/estimates/", "/endpoints/*/metrics/*/",
        "/endpoints/*/windows/*/", "/endpoints/*/windows/*/*/", "/endpoints/*/baselines/", "/endpoints/*/baselines/*/",
        "/endpoints/*/baselines/*/against/*/",
    }  # fmt: skip
    for address, text in pages.items():
        page = Links(text)
        assert {"main", "header", "h1"} <= {*page.tags}, address
        assert page.unnamed == [], address
        assert page.tags.count("table") == page.tags.count("caption"), address
        assert Reader(text).wrong == [], address


def test_the_overview_tells_risk_episodes_and_a_broken_file_in_words(client: TestClient) -> None:
    text = client.get("/").text
    assert "high" in text
    assert "episode 1" in text
    assert "broken.yaml" in text
    assert re.search(r'aria-label="data quality: of the last \d+ windows 1 healthy, 2 with violations', text)


def test_a_window_tells_value_bound_direction_rows_and_since_when(client: TestClient) -> None:
    text = client.get(f"/{HOME}/windows/{step(1)}/").text
    seen = ("50 %", "at least 90 %", "below", "10 cells", "2026-01-01 01:00 to 02:00", "12 read", "counts add up")
    commands = ("airflow dags trigger", "monitor-tasks run", "monitor-tasks pin")
    assert [said for said in (*seen, *commands) if said not in text] == []


def test_a_window_leads_to_its_run_its_dag_and_its_stored_files(folder: Path) -> None:
    outside = Outside("/airflow/", lambda dag, window: f"run of {dag} at {window.end:%H:%M}")
    client = TestClient(dashboard_app(Endpoints(folder / "endpoints"), outside))
    page = client.get(f"/{HOME}/windows/{step(1)}/")
    ways = Links(page.text).found
    assert "/airflow/dags/monitor__churn/runs/run%20of%20monitor__churn%20at%2002%3A00" in ways
    assert "/airflow/dags/monitor__churn" in ways
    (stored,) = {way for way in ways if way.endswith("data_quality/report.json")}
    assert client.get(str(page.url.join(stored))).json()["monitor"] == "data_quality"
    assert "artifacts/churn/data_quality/2026/01/01/02/revisions/" in page.text


def test_baselines_are_told_with_their_reasons_and_what_differs(client: TestClient) -> None:
    text = client.get(f"/{HOME}/baselines/").text
    (difference,) = re.findall(r'href="[^"]*(baselines/\w+/against/\w+/)"', text)
    told = client.get(f"/{HOME}/{difference}").text
    assert "2 constraints differ: 0 added, 0 removed, 2 changed" in told
    assert "at least 90 %" in told
    assert "at least 80 %" in told


def test_an_endpoint_tells_its_estimates_in_the_fields_words_and_marks_what_happened_along_its_windows(
    client: TestClient,
) -> None:
    text = client.get(f"/{HOME}/").text
    assert "estimated area under the curve (AUC): 3 of 3 realised values lie inside their bands" in text
    assert 'aria-label="▲ episode: at 1 of the last 4 windows"' in text
    told = client.get(f"/{HOME}/estimates/").text
    assert ">area under the curve (AUC)</h2>" in told
    assert re.findall(r">(\d\d:\d\d)</text>", told)[:3] == ["00:00", "00:30", "01:00"]


def test_an_endpoint_that_never_ran_says_so_and_shows_no_empty_table(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MONITOR_TASKS_HOME", str(tmp_path))
    watched(tmp_path, windows=0)
    client = TestClient(dashboard_app(Endpoints(tmp_path / "endpoints")))
    text = client.get(f"/{HOME}/").text
    assert "no window was judged yet" in text
    assert "No window ran in this time." in text
    assert "<table" not in text
    assert Reader(text).wrong == []


def test_what_was_never_run_is_told_as_one_run_of_windows(client: TestClient) -> None:
    text = client.get(f"/{HOME}/missed/").text
    assert "2026-01-01 02:00 to 03:00" in text
    assert "never ran" in text
    assert "airflow backfill create" in text


def test_a_report_is_shown_as_it_was_written_and_can_run_nothing(client: TestClient, folder: Path) -> None:
    answer = client.get(f"/{HOME}/windows/{step(0)}/data_quality/")
    stored = folder.glob("artifacts/churn/data_quality/2026/01/01/01/revisions/*/report.html")
    assert answer.content == next(stored).read_bytes()
    policy = answer.headers["content-security-policy"]
    assert policy.startswith("sandbox; default-src 'none'; style-src 'sha256-")
    assert "unsafe" not in policy


def test_rows_and_samples_are_never_handed_out(client: TestClient) -> None:
    folder = f"/{HOME}/windows/{step(0)}/data_quality"
    saved = client.get(f"{folder}/report.json")
    assert saved.headers["content-disposition"] == 'attachment; filename="report.json"'
    assert json.loads(saved.content)["monitor"] == "data_quality"
    for file in ("profile.json", "captured.parquet", "manifest.json", "..", "%2e%2e"):
        assert client.get(f"{folder}/{file}").status_code == 404 or file in ("..", "%2e%2e")
    assert client.get(f"{folder}/%2e%2e%2f%2e%2e%2fmanifest.json").status_code == 404


@pytest.mark.parametrize(
    ("address", "code"),
    [
        ("endpoints/nobody/", 404),
        ("endpoints/broken/", 422),
        (f"{HOME}/windows/20260101T220000Z_PT1H/", 404),
        (f"{HOME}/windows/99999999T999999Z_PT1H/", 422),
        (f"{HOME}/windows/nonsense/", 422),
        (f"{HOME}/metrics/0123456789abcdef/", 404),
        (f"{HOME}/baselines/nothing/", 404),
        (f"{HOME}/baselines/nothing/against/nowhere/", 404),
        (f"{HOME}/?days=0", 422),
        (f"{HOME}/windows/{'0' * 8}T{'0' * 6}Z_P{'9' * 30}D/", 422),
    ],
)
def test_what_is_not_there_is_refused_in_words(client: TestClient, address: str, code: int) -> None:
    answer = client.get(f"/{address}")
    assert answer.status_code == code
    assert len(answer.text) > 60


def test_a_store_that_does_not_answer_is_no_error_of_ours(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def unreachable(*_: object) -> None:
        raise Unreachable("s3://bucket: does not answer; try again")

    monkeypatch.setattr(Dashboard, "endpoint", unreachable)
    answer = TestClient(dashboard_app(Endpoints(folder / "endpoints"))).get(f"/{HOME}/")
    assert answer.status_code == 503
    assert "does not answer; try again" in answer.text


def test_every_page_has_a_policy_that_knows_its_style_and_script_by_hash(client: TestClient) -> None:
    answer = client.get("/")
    policy = answer.headers["content-security-policy"]
    assert "unsafe" not in policy
    assert "default-src 'none'" in policy
    assert f"<style>{style()}</style>" in answer.text
    assert f"<script>{script()}</script>" in answer.text
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert re.findall(r'(?:src|href)="(?:https?:)?//', answer.text) == []


def test_all_words_stand_out_from_what_is_behind_them_in_light_and_in_dark() -> None:
    """WCAG 2.2, 1.4.3: text has a contrast of 4.5 at least; 1.4.11: fields and marks of 3."""
    for theme in re.findall(r":root\{([^}]*--page[^}]*)\}", style())[:2]:
        colours = {name: _light(colour) for name, colour in re.findall(r"--(\w+):(#[0-9a-f]+)", theme)}
        for name in ("ink", "soft", "now", "kept", "broken", "undecided", "failed"):
            for behind in ("page", "panel"):
                low, high = sorted((colours[name], colours[behind]))
                assert (high + 0.05) / (low + 0.05) >= 4.5, (name, behind, theme)


def _light(colour: str) -> float:
    """The relative luminance of a colour."""
    digits = colour[1:] if len(colour) == 7 else "".join(2 * one for one in colour[1:])
    parts = [int(digits[at : at + 2], 16) / 255 for at in (0, 2, 4)]
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return float(sum(share * part for share, part in zip((0.2126, 0.7152, 0.0722), linear, strict=True)))


def test_every_route_asks_who_is_there(folder: Path) -> None:
    def nobody() -> None:
        raise HTTPException(401, "who is there?")

    app = dashboard_app(nobody)
    client = TestClient(app)
    paths = [*app.openapi()["paths"], "/openapi.json"]
    assert len(paths) >= 12
    for path in paths:
        named = path.format(endpoint="churn", window=step(0), monitor="bias", file="report.json", series="0" * 16,
                            baseline="a", other="b")  # fmt: skip
        assert client.get(named).status_code == 401, path
        assert client.post(named).status_code == 405, path


def test_who_may_see_one_endpoint_finds_no_trace_of_another(folder: Path) -> None:
    everything = Endpoints(folder / "endpoints")
    client = TestClient(dashboard_app(lambda: {"fraud": everything()["fraud"]}))
    assert "churn" not in client.get("/").text
    assert client.get(f"/{HOME}/").status_code == client.get("/endpoints/nobody/").status_code == 404
    assert client.get(f"/{HOME}/windows/{step(0)}/data_quality/report.json").status_code == 404


@pytest.mark.parametrize(
    ("address", "name"),
    [
        ("", "endpoints"),
        (f"{HOME}/?days=30", "endpoints-churn"),
        (f"{HOME}/windows/{step(1)}/", f"endpoints-churn-windows-{step(1)}"),
        (f"{HOME}/baselines/", "endpoints-churn-baselines"),
    ],
)
def test_the_last_line_of_a_page_keeps_what_is_shown_as_one_file_that_leads_nowhere(
    client: TestClient, address: str, name: str
) -> None:
    page = client.get(f"/{address}")
    (way,) = (link for link in Links(page.text).found if "alone=true" in link)
    answer = client.get(str(page.url.join(way)))
    assert answer.headers["content-disposition"] == f'attachment; filename="{name}.html"'
    assert [link for link in Links(answer.text).found if not link.startswith("#")] == []
    assert "days=30" not in address or "days=30&" in way
    assert re.findall("<h[12].*", answer.text) == re.findall("<h[12].*", page.text)


def test_endpoints_are_read_again_when_they_change_and_a_name_is_taken_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MONITOR_TASKS_HOME", str(tmp_path))
    watched(tmp_path, windows=0)
    opened: list[Endpoint] = []

    def opening(endpoint: Endpoint) -> Site:
        opened.append(endpoint)
        if endpoint.owner == "nobody":
            raise UserError("aws_conn_id: there is no such connection")
        return Site(endpoint)

    endpoints = Endpoints(tmp_path / "endpoints", opening)
    assert endpoints()["churn"].site is endpoints()["churn"].site
    assert len(opened) == 1
    path = tmp_path / "endpoints/churn.yaml"
    path.write_text(path.read_text().replace("owner: team", "owner: nobody"))
    assert endpoints()["churn"].error == "aws_conn_id: there is no such connection"
    path.write_text(path.read_text().replace("owner: nobody", "owner: again"))
    (tmp_path / "endpoints/other.yaml").write_text(path.read_text())
    assert "describe an endpoint of the same name" in endpoints()["churn"].error


def test_an_endpoint_outside_of_the_configured_roots_is_never_opened(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MONITOR_TASKS_HOME", str(tmp_path))
    watched(tmp_path, windows=1)
    monkeypatch.setenv("MONITOR_TASKS_ROOTS", "s3://bucket/models")
    client = TestClient(dashboard_app(Endpoints(tmp_path / "endpoints")))
    assert "s3://bucket/models" in client.get("/").text
    assert client.get(f"/{HOME}/windows/{step(0)}/").status_code == 422
    assert client.get(f"/{HOME}/windows/{step(0)}/data_quality/report.json").status_code == 422


def test_a_site_of_files_leads_only_to_files_that_are_there(folder: Path) -> None:
    files = dict(site_of_files(Endpoints(folder / "endpoints")()))
    assert "index.html" in files
    for name, content in files.items():
        if content.startswith(b"<!doctype"):
            for link in Links(content.decode()).found:
                target = (Path("/") / name).parent / link
                assert link.startswith("#") or str(target.resolve())[1:] in files, (name, link)


def test_the_command_line_writes_the_site_and_the_schema(folder: Path, tmp_path: Path) -> None:
    done = CliRunner().invoke(commands, ["report", str(folder / "endpoints/fraud.yaml"), "--output", str(tmp_path)])
    assert done.exit_code == 0
    assert (tmp_path / "endpoints/fraud/index.html").is_file()
    told = CliRunner().invoke(commands, ["dashboard", str(folder / "endpoints"), "--openapi"])
    assert "/endpoints/{endpoint}/windows/{window}/" in json.loads(told.output)["paths"]


def test_a_taken_port_is_one_clear_error(folder: Path) -> None:
    with serving.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        port = listener.getsockname()[1]
        done = CliRunner().invoke(commands, ["dashboard", str(folder / "endpoints"), "--port", str(port)])
    assert done.exit_code == 2
    assert f"port {port}" in done.output


def test_a_name_of_this_machine_that_somebody_else_gives_is_refused(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    served = []
    monkeypatch.setattr("uvicorn.Server.run", lambda self, sockets: served.append(self.config.app))
    serving.serve(Endpoints(folder / "endpoints"), 0, served.append)
    assert served[0].startswith("http://127.0.0.1:")
    assert TestClient(served[1], base_url="http://127.0.0.1").get("/").status_code == 200
    assert TestClient(served[1], base_url="http://rebound.example").get("/").status_code == 400


def test_a_page_does_not_grow_with_the_days_that_it_tells_of(folder: Path) -> None:
    site = Endpoints(folder / "endpoints")()["churn"].site
    assert site
    (record,) = reading.history(site, START, START + timedelta(hours=1)).records

    windows, metrics = 2400, 510
    several = tuple(window_at(hour) for hour in range(windows))
    records = tuple(record.model_copy(update={"text": str(one)}) for one in several)
    numbers, bounds = [0.5 + hour % 7 / 10 for hour in range(windows)], [0.6] * windows
    series = tuple(
        Series("bias", "check", "accuracy", f"column {place}", numbers, bounds, [None] * windows, "b" * windows)
        for place in range(metrics)
    )
    history = History(site.name, several, records, series, (), (), (), ())
    asked = Asked(Place(("endpoints", "churn")), site.endpoint, "churn.yaml", 100)
    text = endpoint_page(asked, EndpointSummary("churn"), history).content.decode()
    assert len(text) < 9_000_000, "500 metrics that broke in every window"
    assert "And 1,900 earlier windows." in text
    assert "And 10 more" in text


def test_a_history_of_shards_is_quick(folder: Path) -> None:
    board = Dashboard(Endpoints(folder / "endpoints")(), Place(("endpoints", "churn")))
    board.endpoint("churn")
    began = time.process_time()
    board.endpoint("churn")
    assert time.process_time() - began < 0.5
