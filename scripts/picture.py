"""Make docs/images/dag-graph.png anew, and the README's table of the demo, both from one telling of it.

    .venv/bin/python -m scripts.picture

The picture is the demo's DAG as a real browser sees it in Airflow's own pages. Needs Chromium (Debian: apt-get
install chromium). The demo is told in a temporary folder, which takes a few minutes.
"""

import base64
import json
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
from websockets.sync.client import ClientConnection, connect

from examples.airflow_processes import PROJECT, LocalAirflow, free_port
from examples.demo import DAG, Told, play
from monitor_tasks.monitors.settings import MONITORS
from monitor_tasks.verdict import Action
from monitor_tasks.window import parse_time

PICTURE = PROJECT / "docs" / "images" / "dag-graph.png"
README = PROJECT / "README.md"
BLOCK = re.compile(r"(?<=\n## See it\n)(.*?```text\n).*?(\n```)", re.DOTALL)
"""The README's first block of text below that title."""
TITLES = ("window", "story", "used", "quarantined", "labelled", "status", "verdict", "who saw what")
LARGEST = 200_000
ROWS = 1500
WIDTH, HEIGHT = 1800, 800
PATIENCE = 90.0
BOXES = (
    "ingest_capture", "suggest_baseline", "merge_labels", *(monitor.task for monitor in MONITORS.values()),
    "choose_action", "trigger_retraining", "alert", "rest",
)  # fmt: skip

SWITCHES = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--hide-scrollbars",
    "--disable-background-networking", "--disable-component-update", "--disable-sync", "--no-proxy-server",
    "--remote-debugging-port=0", f"--window-size={WIDTH},{HEIGHT}",
)  # fmt: skip

# What a person would choose in the pages: the graph, and its boxes from left to right.
CHOICES = {"default_dag_view": "graph", f"direction-{DAG}": "RIGHT", "theme": "light"}
REMEMBER = "".join(
    f"localStorage.setItem({json.dumps(key)}, {json.dumps(json.dumps(value) if key != 'theme' else value)});"
    for key, value in CHOICES.items()
)
TEXTS = "JSON.stringify([...document.querySelectorAll('.react-flow__node')].map(node => node.innerText))"
ONLY_THE_GRAPH = "document.querySelector('button[aria-label=\"Collapse Details Panel\"]').click()"
ALL_OF_IT = "document.querySelector('.react-flow__controls-fitview').click()"


class Tab:
    """One page of a browser, asked through the DevTools protocol."""

    def __init__(self, connection: ClientConnection) -> None:
        """The page at the other end of `connection`."""
        self._connection = connection
        self._asked = 0

    def ask(self, method: str, **how: Any) -> dict[str, Any]:
        """The answer to one command; what else the page tells meanwhile is not listened to."""
        self._asked += 1
        self._connection.send(json.dumps({"id": self._asked, "method": method, "params": how}))
        while True:
            told = json.loads(self._connection.recv(timeout=PATIENCE))
            if told.get("id") == self._asked:
                if "error" in told:
                    raise RuntimeError(f"{method}: {told['error']['message']}")
                answer: dict[str, Any] = told["result"]
                return answer

    def value(self, script: str) -> Any:
        """What a script in the page comes to."""
        return self.ask("Runtime.evaluate", expression=script)["result"].get("value")


def main() -> None:
    """Tells the demo, keeps its table, and the picture of the run that was handed over to retraining."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    browser = shutil.which("chromium") or sys.exit("no chromium on this machine; apt-get install chromium")
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        with LocalAirflow(home / "demo", free_port()) as airflow:
            told = play(airflow, home / "demo", ROWS)
            window = next(one.window for one in told if one.verdict.action is Action.RETRAIN)
            runs = airflow.get(f"/dags/{DAG}/dagRuns")["dag_runs"]
            run = next(one for one in runs if parse_time(one["data_interval_start"]) == window.start)
            with opened(browser, home / "browser") as tab:
                picture = seen(tab, f"{airflow.url}/dags/{DAG}/runs/{run['dag_run_id']}")
    if len(picture) > LARGEST:
        sys.exit(f"the picture has {len(picture)} bytes, more than {LARGEST}; make it smaller")
    PICTURE.parent.mkdir(parents=True, exist_ok=True)
    PICTURE.write_bytes(picture)
    lines = table(told)
    README.write_text(BLOCK.sub(lambda block: f"{block[1]}{lines}{block[2]}", README.read_text(), count=1))
    print(f"{PICTURE.relative_to(PROJECT)}: {len(picture)} bytes")


def table(told: list[Told]) -> str:
    """What the demo prints of its windows, without the lines between them."""
    rows: list[tuple[str, ...]] = [TITLES]
    for one in told:
        first, *others = one.saw.splitlines()
        counts = (str(count) for count in (one.used, one.quarantined, one.labelled))
        rows.append((str(one.window), one.story, *counts, str(one.verdict.status), one.triggered, first))
        rows += [(*[""] * 7, other) for other in others]
    widths = [max(len(row[place]) for row in rows) for place in range(len(TITLES))]
    aligned = [str.ljust] * 2 + [str.rjust] * 3 + [str.ljust] * 3
    lines = ("  ".join(put(cell, width) for put, cell, width in zip(aligned, row, widths, strict=True)) for row in rows)
    return "\n".join(line.rstrip() for line in lines)


@contextmanager
def opened(browser: str, profile: Path) -> Iterator[Tab]:
    """A page of a browser of its own, with an empty profile; the browser ends with the block."""
    profile.mkdir()
    command = [browser, *SWITCHES, f"--user-data-dir={profile}", "about:blank"]
    running = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        with connect(_page(profile), max_size=None, proxy=None) as connection:
            yield Tab(connection)
    finally:
        running.terminate()
        try:
            running.wait(10)
        except subprocess.TimeoutExpired:
            running.kill()
            running.wait()


def _page(profile: Path) -> str:
    """Where the browser's first page listens; the browser writes its port into its profile."""
    port = profile / "DevToolsActivePort"
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        if port.exists() and (lines := port.read_text().splitlines()):
            pages = httpx.get(f"http://127.0.0.1:{lines[0]}/json/list", trust_env=False).json()
            if found := [page["webSocketDebuggerUrl"] for page in pages if page["type"] == "page"]:
                return str(found[0])
        time.sleep(0.1)
    raise RuntimeError(f"the browser did not open a page in {PATIENCE:.0f} s")


def seen(tab: Tab, url: str) -> bytes:
    """The picture of the graph at `url`, as PNG, once all of its boxes are drawn.

    Raises:
        RuntimeError: a box is missing.
    """
    tab.ask("Page.enable")
    tab.ask("Page.addScriptToEvaluateOnNewDocument", source=REMEMBER)
    tab.ask("Emulation.setDeviceMetricsOverride", width=WIDTH, height=HEIGHT, deviceScaleFactor=1, mobile=False)
    tab.ask("Page.navigate", url=url)
    deadline = time.monotonic() + PATIENCE
    texts: list[str] = []
    while time.monotonic() < deadline:
        texts = json.loads(tab.value(TEXTS) or "[]")
        if all(any(box in text for text in texts) for box in BOXES):
            for press in (ONLY_THE_GRAPH, ALL_OF_IT):
                tab.value(press)
                time.sleep(2)  # until the boxes have slid to their places
            return base64.b64decode(tab.ask("Page.captureScreenshot", format="png")["data"])
        time.sleep(0.5)
    raise RuntimeError(f"{url} shows {texts} after {PATIENCE:.0f} s, expected {', '.join(BOXES)}")


if __name__ == "__main__":
    main()
