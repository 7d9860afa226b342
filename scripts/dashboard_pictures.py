"""Make docs/images/dashboard-endpoint.png and dashboard-window.png anew, from what `make demo` has left in .demo.

    MONITOR_TASKS_HOME=.demo .venv/bin/python -m scripts.dashboard_pictures

Needs Chromium (Debian: apt-get install chromium).
"""

import shutil
import sys
import tempfile
from pathlib import Path

from playwright.sync_api import sync_playwright

from monitor_tasks.dashboard import Endpoints, site_of_files

PROJECT = Path(__file__).resolve().parents[1]
SWITCHES = ("--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update")
HERE = "endpoints/loan-scoring"
PICTURES = {
    "dashboard-endpoint.png": (f"{HERE}/index.html", "light"),
    "dashboard-window.png": (f"{HERE}/windows/20260101T010000Z_PT1H/index.html", "dark"),
}
WIDTH, HEIGHT = 1120, 760
LARGEST = 150_000


def main() -> None:
    """Writes the dashboard as files into a temporary folder, and takes the pictures."""
    browser = shutil.which("chromium") or sys.exit("no chromium on this machine; apt-get install chromium")
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        for name, content in site_of_files(Endpoints(PROJECT / "dags/endpoints")()):
            path = Path(folder) / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
        opened = playwright.chromium.launch(executable_path=browser, args=[*SWITCHES])
        for picture, (page, scheme) in PICTURES.items():
            seen = opened.new_page(viewport={"width": WIDTH, "height": HEIGHT}, color_scheme=scheme)
            seen.goto(f"file://{folder}/{page}")
            found = seen.screenshot()
            if len(found) > LARGEST:
                sys.exit(f"{picture} has {len(found)} bytes, more than {LARGEST}; make it smaller")
            (PROJECT / "docs/images" / picture).write_bytes(found)
            print(f"docs/images/{picture}: {len(found)} bytes")
        opened.close()


if __name__ == "__main__":
    main()
