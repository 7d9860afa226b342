"""The dashboard inside Airflow: its plugin costs a task nothing, and each route asks for Airflow's user and DAGs."""

import json
import os
import re
import shutil
import statistics
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import expect

from examples.airflow_processes import LocalAirflow, free_port
from tests.browser import chromium, watching
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
PEOPLE = """
import json
from airflow.providers.fab.auth_manager.cli_commands.utils import get_application_builder
with get_application_builder() as builder:
    sm = builder.sm
    for name in ("churn", "fraud"):
        role = sm.add_role(name)
        views = ("Plugins", "Website", "DAG Runs", "Task Instances", "DAG Versions", f"DAG:monitor__{name}")
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
def guarded(tmp_path_factory: pytest.TempPathFactory) -> LocalAirflow:
    """A migrated Airflow that knows two people, each of whom may read one DAG of two."""
    home = tmp_path_factory.mktemp("guarded")
    shutil.copytree(ROOT / "dags", home / "dags", ignore=shutil.ignore_patterns("endpoints", "__pycache__"))
    for name in ("churn", "fraud"):
        watched(home, name)
    (home / "endpoints").rename(home / "dags/endpoints")
    found = LocalAirflow(home, free_port(), {
        "AIRFLOW__CORE__AUTH_MANAGER": "airflow.providers.fab.auth_manager.fab_auth_manager.FabAuthManager",
        "AIRFLOW__CORE__DAGS_FOLDER": str(home / "dags"),
    })  # fmt: skip
    found.environment["PYTHONPATH"] = os.pathsep.join([str(ROOT / "src"), found.environment["PYTHONPATH"]])
    for words in (("db", "migrate"), ("dags", "reserialize")):
        found.run(*words)
    assert beside(found, PEOPLE) == "done"
    return found


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


@pytest.fixture
def served(guarded: LocalAirflow) -> Iterator[LocalAirflow]:
    """The same, with its pages open."""
    guarded.start("api-server")
    try:
        guarded.wait_until_up()
        yield guarded
    finally:
        guarded.stop()


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
