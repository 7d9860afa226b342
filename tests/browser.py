"""A real browser for tests: Debian's Chromium, without a window, a network of its own, or a screen."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

SWITCHES = (
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
)  # fmt: skip


@contextmanager
def chromium() -> Iterator[Browser]:
    """The browser; a test that needs it is skipped where it is not installed."""
    program = shutil.which("chromium")
    if program is None:
        pytest.skip("no chromium on this machine; apt-get install chromium")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=[*SWITCHES])
        yield browser
        browser.close()


@contextmanager
def watching(browser: Browser) -> Iterator[tuple[Page, list[str]]]:
    """A page, and everything that went wrong in it: dialogs, errors, and what its policy refused."""
    wrong: list[str] = []
    page = browser.new_page()
    page.on("dialog", lambda dialog: (wrong.append(f"dialog: {dialog.message}"), dialog.dismiss()))
    page.on("pageerror", lambda error: wrong.append(f"error: {error}"))
    page.on("console", lambda said: wrong.append(f"console: {said.text}") if said.type == "error" else None)
    yield page, wrong
    page.close()
