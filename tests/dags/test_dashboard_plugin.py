"""The dashboard inside Airflow: its plugin costs a task nothing, and each route asks for Airflow's user and DAGs."""

import json
import os
import re
import shutil
import statistics
import subprocess
import sys
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any
from urllib.parse import quote

import boto3
import httpx
import pytest
import schemathesis
from playwright.sync_api import expect

from examples.airflow_processes import LocalAirflow, free_port
from tests.browser import chromium, watching
from tests.fuzzing import answers
from tests.watched import step, watched

ROOT = Path(__file__).resolve().parents[2]
PLUGIN = ROOT / "plugins/model_dashboard/model_dashboard.py"
HEAVY = ("fastapi", "airflow.api_fastapi", "jinja2", "altair", "pandas", "obstore", "sqlalchemy", "monitor_tasks")
COST = f"""
import json, sys, time
import airflow.plugins_manager
before, began = {{*sys.modules}}, time.process_time()
from importlib.util import module_from_spec, spec_from_file_location
spec = spec_from_file_location("model_dashboard", {str(PLUGIN)!r})
module = module_from_spec(spec)
spec.loader.exec_module(module)
took = time.process_time() - began
print(json.dumps([took, [name for name in {{*sys.modules}} - before if name.startswith({HEAVY!r})]]))
"""
PEOPLE = {"churn": ["churn"], "fraud": ["fraud"], "cloud": ["cloud", "denied", "gone", "unnamed"]}
"""Who may read which DAGs."""
ADDING = """
import json
from airflow.providers.fab.auth_manager.cli_commands.utils import get_application_builder
with get_application_builder() as builder:
    sm = builder.sm
    for name, dags in PEOPLE.items():
        role = sm.add_role(name)
        own = [f"DAG:monitor__{dag}" for dag in dags]
        views = ("Plugins", "Website", "DAG Runs", "Task Instances", "DAG Versions", *own)
        for action, view in (*(("can_read", one) for one in views), ("menu_access", "DAGs")):
            sm.add_permission_to_role(role, sm.create_permission(action, view))
        sm.add_user(name, name, name, f"{name}@example.com", role, password=name)
print(json.dumps("done"))
"""
ASKING = """
import json
from airflow.api_fastapi.app import create_app
from fastapi.testclient import TestClient
client, here, found = TestClient(create_app()), "/model-dashboard", {}
for name in ("", "churn", "fraud"):
    token = client.post("/auth/token", json={"username": name, "password": name}).json().get("access_token")
    headers = {"Authorization": f"Bearer {token}"} if name else {}
    for way in WAYS:
        answer = client.get(here + way, headers=headers, follow_redirects=False)
        found[f"{name} {way}"] = [answer.status_code, "churn" in answer.text, answer.headers.get("location", "")]
print(json.dumps(found))
"""
WAYS = (
    "/", "/openapi.json", "/endpoints/churn/", f"/endpoints/churn/windows/{step(1)}/", "/endpoints/churn/baselines/",
    f"/endpoints/churn/windows/{step(1)}/data_quality/", f"/endpoints/churn/windows/{step(1)}/bias/report.json",
    "/endpoints/churn/missed/", "/dags/monitor__churn/", "/dags/monitor__churn/runs/nothing/",
)  # fmt: skip


NAUGHTY = ("..", "%2e%2e", "monitor__", "monitor__\x00", "monitor__churn\n", "'; drop table dag_run; --", "a" * 3000)


def test_the_plugin_costs_a_task_less_than_50_ms_and_loads_nothing() -> None:
    took, loaded = [], []
    for _ in range(3):
        done = subprocess.run([sys.executable, "-W", "ignore", "-c", COST], capture_output=True, text=True, check=True)
        seconds, names = json.loads(done.stdout.splitlines()[-1])
        took.append(seconds)
        loaded += names
    assert loaded == []
    assert statistics.median(took) < 0.05


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory, moto: str, forbidding: str) -> LocalAirflow:
    """A migrated Airflow that knows three people, none of whom may read another's DAGs."""
    home = tmp_path_factory.mktemp("guarded")
    shutil.copytree(ROOT / "dags", home / "dags", ignore=shutil.ignore_patterns("endpoints", "__pycache__"))
    for name in ("churn", "fraud"):
        watched(home, name)
    in_cloud(home, moto, forbidding)
    (home / "endpoints").rename(home / "dags/endpoints")
    found = LocalAirflow(home, free_port(), {
        "AIRFLOW__CORE__AUTH_MANAGER": "airflow.providers.fab.auth_manager.fab_auth_manager.FabAuthManager",
        "AIRFLOW__CORE__DAGS_FOLDER": str(home / "dags"),
    })  # fmt: skip
    found.environment["PYTHONPATH"] = os.pathsep.join([str(ROOT / "src"), found.environment["PYTHONPATH"]])
    found.run_all(("db", "migrate"), ("dags", "reserialize"), *(
        ("connections", "add", name, "--conn-json", json.dumps(one))
        for name, one in (("right", keys(moto)), ("wrong", keys(forbidding)))
    ))  # fmt: skip
    assert beside(found, ADDING.replace("PEOPLE", repr(PEOPLE))) == "done"
    return found


@pytest.fixture(scope="module")
def forbidding() -> Iterator[str]:
    """The address of an S3 that refuses whatever it is asked."""
    with ThreadingHTTPServer(("127.0.0.1", 0), Forbidding) as server:
        Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


class Forbidding(BaseHTTPRequestHandler):
    """Answers as S3 does to who has no right."""

    def do_GET(self) -> None:
        content = b"<Error><Code>AccessDenied</Code><Message>Access Denied</Message></Error>"
        self.send_response(403)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def do_HEAD(self) -> None:
        self.do_GET()

    def log_message(self, *_: object) -> None: ...


def keys(address: str) -> dict[str, Any]:
    """An Airflow connection to an S3 of one's own."""
    extra = {"region_name": "us-east-1", "endpoint_url": address}
    return {"conn_type": "aws", "login": "key", "password": "secret", "extra": extra}


def in_cloud(home: Path, moto: str, forbidding: str) -> None:
    """An endpoint whose windows lie in a bucket, and three whose do not answer: refused, no bucket, no connection."""
    site, bucket = watched(home, "cloud"), "monitored"
    client = boto3.client("s3", endpoint_url=moto, aws_access_key_id="a", aws_secret_access_key="b",
                          region_name="us-east-1")  # fmt: skip
    client.create_bucket(Bucket=bucket)
    for entry in site.store.entries(site.name):
        client.put_object(Bucket=bucket, Key=f"models/{entry.key}", Body=site.store.get(entry.key))
    path = home / "endpoints/cloud.yaml"
    text = path.read_text()
    for name, root, connection in (
        ("cloud", "s3://monitored/models", "right"), ("denied", "s3://monitored/models", "wrong"),
        ("gone", "s3://nowhere/models", "right"), ("unnamed", "s3://monitored/models", "nothing"),
    ):  # fmt: skip
        own = text.replace("endpoint_name: cloud", f"endpoint_name: {name}")
        path.with_stem(name).write_text(own.replace("root: artifacts", f"root: {root}\naws_conn_id: {connection}"))


def beside(airflow: LocalAirflow, code: str) -> Any:
    """The last line that a piece of Python prints beside Airflow, in a process of its own, as JSON."""
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", code],
        env=airflow.environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-4000:]
    return json.loads(done.stdout.strip().splitlines()[-1])


@pytest.mark.long
def test_nobody_gets_401_and_everybody_sees_the_endpoints_of_their_dags_alone(guarded: LocalAirflow) -> None:
    found = beside(guarded, ASKING.replace("WAYS", repr(WAYS)))
    assert {way: found[f" {way}"][0] for way in WAYS} == dict.fromkeys(WAYS, 401)
    assert [found[f"churn {way}"][0] for way in WAYS] == [200] * 8 + [307] * 2
    assert found["churn /dags/monitor__churn/"][2] == "/model-dashboard/endpoints/churn/"
    assert [found[f"fraud {way}"][0] for way in WAYS] == [200, 200] + [404] * 8
    assert found["fraud /"][1] is False


@pytest.fixture(scope="module")
def served(guarded: LocalAirflow) -> Iterator[LocalAirflow]:
    """The same, with its pages open."""
    guarded.start("api-server")
    try:
        guarded.wait_until_up()
        yield guarded
    finally:
        guarded.stop()


@pytest.fixture
def asking(served: LocalAirflow) -> Callable[[str], httpx.Client]:
    """A person's client of the served pages."""

    def client(name: str) -> httpx.Client:
        login = {"username": name, "password": name}
        token = httpx.post(f"{served.url}/auth/token", json=login, timeout=60).raise_for_status().json()
        headers = {"Authorization": f"Bearer {token['access_token']}"}
        return httpx.Client(base_url=f"{served.url}/model-dashboard", headers=headers, timeout=120)

    return client


@pytest.mark.long
def test_an_endpoint_in_a_bucket_is_shown_and_one_that_cannot_be_read_says_why(
    asking: Callable[[str], httpx.Client],
) -> None:
    with asking("cloud") as client:
        overview = client.get("/").text
        assert "monitor__" not in overview
        assert re.search(r'aria-label="data quality: of the last \d+ windows 1 healthy, 2 with violations', overview)
        told = " ".join(re.findall('<p class="failed">(.*?)</p>', overview))
        for reason in ("access was refused", "there is no such bucket", "Airflow has no such connection"):
            assert reason in told
        for way in ("", f"windows/{step(1)}/", "baselines/", "missed/", f"windows/{step(1)}/data_quality/"):
            assert client.get(f"/endpoints/cloud/{way}").status_code == 200
        assert "50 %" in client.get(f"/endpoints/cloud/windows/{step(1)}/").text
        for name in ("denied", "gone", "unnamed"):
            for way in ("", f"windows/{step(1)}/", "baselines/", "missed/"):
                answer = client.get(f"/endpoints/{name}/{way}")
                assert answer.status_code in {404, 422}, (name, way, answer.text)
                assert "<main" in answer.text


@pytest.mark.long
def test_thousands_of_cases_have_no_answer_of_5xx_from_airflows_own_server(
    asking: Callable[[str], httpx.Client],
) -> None:
    with asking("churn") as client:
        schema = schemathesis.openapi.from_dict(client.get("/openapi.json").raise_for_status().json())
        found = answers(schema, client, 500)
        for text in NAUGHTY:
            for way in (f"/dags/{quote(text, safe='')}/", f"/dags/monitor__churn/runs/{quote(text, safe='')}/"):
                found[client.get(way).status_code] += 1
    assert max(found) < 500
    assert found.total() >= 5000
    assert found[200] > 400


@pytest.mark.long
def test_a_person_logs_in_and_walks_from_airflows_navigation_to_a_report(served: LocalAirflow) -> None:
    with chromium() as browser, watching(browser) as (page, wrong):
        page.set_default_timeout(60_000)
        expect.set_options(timeout=60_000)
        page.goto(f"{served.url}/")
        page.fill("input[name=username]", "churn")
        page.fill("input[name=password]", "churn")
        page.click("input[type=submit]")
        page.get_by_role("link", name="Models").click()
        frame = page.frame_locator("iframe")
        frame.get_by_role("link", name="churn", exact=True).click()
        frame.get_by_role("link", name="2026-01-01 01:00 to 02:00").first.click()
        expect(frame.locator("#violations + div")).to_contain_text("50 % of the cells are filled")
        frame.get_by_role("link", name="The report").first.click()
        expect(frame.locator("#broken")).to_have_text("What broke")
        page.goto(f"{served.url}/dags/monitor__churn")
        page.get_by_role("link", name="Model", exact=True).click()
        frame.get_by_text("Run this window again").click()
        frame.get_by_role("link", name="Open monitor__churn").first.click()
        page.wait_for_url(re.compile(r"/dags/monitor__churn$"))
        expect(page.locator("iframe")).to_have_count(0)
        assert [one for one in wrong if "dialog" in one or "Content Security" in one] == []


def test_a_run_is_of_the_window_that_it_was_asked_for_or_of_its_interval(
    in_airflow: Callable[..., Any], tmp_path: Path
) -> None:
    code = f"""
import json, sys
from datetime import datetime, timezone
from types import SimpleNamespace
sys.path.insert(0, {str(PLUGIN.parent)!r})
import model_dashboard as plugin
from monitor_tasks.window import Window
window = Window.parse("2026-01-01T00:00:00Z/PT1H")
asked = SimpleNamespace(conf={{"window": str(window)}}, data_interval_start=None, data_interval_end=None)
scheduled = SimpleNamespace(conf=None, data_interval_start=window.start, data_interval_end=window.end)
other = SimpleNamespace(
    conf={{"window": "2026-01-01T01:00:00Z/PT1H"}}, data_interval_start=window.start, data_interval_end=window.end
)
found = [plugin._is_of(one, window) for one in (asked, scheduled, other)]
found += [plugin.run_of("monitor__nothing", window), plugin.window_of(None, "monitor__nothing", "run")]
print(json.dumps(found))
"""
    assert in_airflow(code) == [True, True, False, "", None]
