"""The dashboard in a real browser: from the overview to a violation to its report, and texts that try to break it."""

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from monitor_tasks.indexing import compact
from tests.browser import chromium, watching
from tests.watched import step, watched

OWN = (
    "<img src=x onerror=alert(1)>",
    "</script><script>alert(2)</script>",
    "{{ 7 * 7 }}",
    "a\u202eb",
    "\ufffd",
    "'\"`",
)


@pytest.fixture(scope="module")
def naughty(shared: Path) -> list[str]:
    """Texts that have broken programs before."""
    texts = json.loads((shared / "naughty-strings/blns.json").read_text())
    return list(dict.fromkeys([*OWN, *filter(None, texts)]))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, naughty: list[str]) -> Path:
    """Three endpoints, one of them with texts that try to break its pages, and a file that is none."""
    folder = tmp_path_factory.mktemp("watched")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MONITOR_TASKS_HOME", str(folder))
        compact(watched(folder, "churn", owner="churn-team"))
        compact(watched(folder, "fraud", owner="fraud-team"))
        compact(watched(folder, "naughty", 2, naughty[::6], json.dumps(OWN[0])))
    (folder / "endpoints" / f"{OWN[0]}.yaml").write_text("not an endpoint")
    return folder


@pytest.fixture(scope="module")
def address(folder: Path) -> Iterator[str]:
    """The dashboard of the folder, served by the command line on a free port."""
    environment = {**os.environ, "MONITOR_TASKS_HOME": str(folder), "PYTHONPATH": os.pathsep.join(sys.path)}
    command = ["-c", "from monitor_tasks.cli import app; app()", "dashboard", str(folder / "endpoints"), "--port", "0"]
    with subprocess.Popen([sys.executable, *command], env=environment, stdout=subprocess.PIPE, text=True) as running:
        assert running.stdout
        yield running.stdout.readline().split()[-1]
        running.terminate()


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as browser:
        yield browser


def whole(page: Page) -> None:
    """A page is whole: it has its heading, one main part and its last words, and nothing of the template is left."""
    expect(page.locator("h1")).to_have_count(1)
    expect(page.locator("main")).to_have_count(1)
    expect(page.locator("footer")).to_contain_text("All times are UTC")
    assert "Undefined" not in page.locator("main").inner_text()


def test_a_person_walks_from_the_overview_to_a_violation_to_its_report(browser: Browser, address: str) -> None:
    with watching(browser) as (page, wrong):
        page.goto(address)
        whole(page)
        page.get_by_label("Owner").select_option(label="churn-team")
        expect(page.locator("#endpoints tbody tr:visible")).to_have_count(1)
        page.get_by_label("Owner").select_option(label="anybody")
        page.get_by_label("Search").fill("fraud")
        expect(page.locator("output")).to_have_text("1 of 4")
        page.get_by_role("button", name="Endpoint").click()
        expect(page.locator("th[aria-sort=ascending]")).to_have_count(1)
        page.get_by_role("link", name="fraud", exact=True).click()
        whole(page)
        page.get_by_role("link", name="2026-01-01 01:00 to 02:00").first.click()
        whole(page)
        expect(page.locator("#violations + div")).to_contain_text("50 % of the cells are filled")
        page.get_by_text("Run this window again").click()
        page.get_by_role("button", name="Copy").first.click()
        expect(page.get_by_role("button", name=re.compile("Copied|Selected")).first).to_be_visible()
        page.get_by_role("link", name="The report").first.click()
        expect(page.locator("#broken")).to_have_text("What broke")
        assert wrong == []


def test_the_keyboard_reaches_the_content_first(browser: Browser, address: str) -> None:
    with watching(browser) as (page, wrong):
        page.goto(address)
        page.keyboard.press("Tab")
        expect(page.locator(":focus")).to_have_text("Skip to the content")
        page.keyboard.press("Enter")
        page.keyboard.press("Tab")
        assert page.evaluate("document.querySelector('main').contains(document.activeElement)")
        assert wrong == []


def walk(browser: Browser, here: str) -> None:
    """Opens every page of an endpoint: each is whole, and nothing goes wrong."""
    with watching(browser) as (page, wrong):
        for way in ("", f"windows/{step(1)}/", "baselines/", "missed/", "estimates/"):
            page.goto(here + way)
            whole(page)
        for start, way in (("baselines/", "a[href*=against]"), ("baselines/", "th a"), ("", "#series a")):
            page.goto(here + start)
            page.locator(f"main {way}").first.click()
            whole(page)
        page.goto(f"{here}windows/{step(1)}/data_quality/")
        expect(page.locator("#broken")).to_be_visible()
        assert wrong == []


def test_naughty_texts_open_no_dialog_and_break_no_page(browser: Browser, address: str) -> None:
    walk(browser, f"{address}endpoints/naughty/")


@pytest.mark.long
def test_none_of_all_naughty_texts_opens_a_dialog_or_breaks_a_page(
    browser: Browser, address: str, folder: Path, naughty: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MONITOR_TASKS_HOME", str(folder))
    for number, text in enumerate(naughty[:: len(naughty) // 12]):
        watched(folder, f"owned-{number}", windows=1, owner=json.dumps(text))
    compact(watched(folder, "naughtiest", 2, naughty))
    walk(browser, f"{address}endpoints/naughtiest/")
    with watching(browser) as (page, wrong):
        page.goto(address)
        whole(page)
        assert wrong == []
