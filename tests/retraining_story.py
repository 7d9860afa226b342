"""A small endpoint whose world turns round in one region: its model is wrong there from the third hour on."""

import json
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Any

import pytest

from monitor_tasks import retraining, tasks
from monitor_tasks.gates import GateRecord
from monitor_tasks.io.store import Store
from monitor_tasks.monitors.settings import MONITORS
from monitor_tasks.site import Site, load_endpoint
from monitor_tasks.verdict import Permission, Verdict
from monitor_tasks.window import Window, parse_time

START = parse_time("2026-01-01T00:00:00Z")
HOURS = [Window(START.replace(hour=hour), START.replace(hour=hour + 1)) for hour in range(6)]
ROWS = 300
ALLOWED = Permission(retraining=True)
EPISODE = "000001"
ENDPOINT = """
endpoint_name: tiny
root: artifacts
start_date: 2026-01-01T00:00:00Z
capture: {address: capture, output_names: [probability], input_names: [amount, region]}
ground_truth: {address: labels, label_horizon: PT6H}
baseline: {dataset: reference.csv}
model: {address: "python://tests.trained:large_ones_default", version: "1", features: [amount, region]}
monitors:
  model_quality: {probability_attribute: probability, minimum_rows: 20, rule: interval}
retraining: {train: "tests.trained:better"}
"""
Change = Callable[[str], str]
Answer = Callable[[str, str], float]


def unchanged(text: str) -> str:
    return text


def training(name: str) -> Change:
    return lambda text: text.replace("tests.trained:better", f"tests.trained:{name}")


def large_ones(amount: str, _: str) -> float:
    """What the first model answers."""
    return 0.9 if float(amount) >= 50 else 0.1


def large_ones_but_in_a(amount: str, region: str) -> float:
    """What a model answers that has seen the turn."""
    return large_ones(amount, region) if region == "b" else 1 - large_ones(amount, region)


def write(home: Path, hours: range = range(5), turned: range = range(2, 4)) -> Path:
    """Hours of traffic with their labels, and a reference; in the `turned` ones small amounts default in region a."""
    random = Random(7)
    home.mkdir(parents=True, exist_ok=True)
    (home / "endpoint.yaml").write_text(ENDPOINT)
    rows = [(f"{random.gauss(50, 9):.2f}", random.choice("ab")) for _ in range(1000)]
    lines = [
        f"{truth(amount, False, random)},{large_ones(amount, region)},{amount},{region}" for amount, region in rows
    ]
    (home / "reference.csv").write_text("\n".join(["label,probability,amount,region", *lines]) + "\n")
    for hour in hours:
        write_hour(home, hour, hour in turned, random)
    return home


def write_hour(home: Path, hour: int, turned: bool, random: Random, answer: Answer = large_ones) -> None:
    """One hour of traffic as a model answers it, with its labels."""
    people = [(f"{random.gauss(50, 9):.2f}", random.choice("ab")) for _ in range(ROWS)]
    capture, labels = (home / f"{what}/2026/01/01/{hour:02d}" for what in ("capture", "labels"))
    capture.mkdir(parents=True)
    labels.mkdir(parents=True)
    lines = [captured(hour, number, *one, answer(*one)) for number, one in enumerate(people)]
    (capture / "part.jsonl").write_text("\n".join(lines) + "\n")
    truths = [truth(amount, turned and region == "a", random) for amount, region in people]
    lines = [labelled(hour, number, one) for number, one in enumerate(truths)]
    (labels / "part.jsonl").write_text("\n".join(lines) + "\n")


def truth(amount: str, turned: bool, random: Random) -> int:
    """Large amounts default, or small ones; one in fifty is another case."""
    return int(((float(amount) >= 50) is not turned) is not (random.random() < 0.02))


def captured(hour: int, number: int, amount: str, region: str, score: float | str) -> str:
    sides = {"endpointInput": ("INPUT", f"{amount},{region}"), "endpointOutput": ("OUTPUT", str(score))}
    data = {side: {"observedContentType": "text/csv", "mode": mode, "data": text, "encoding": "CSV"}
            for side, (mode, text) in sides.items()}  # fmt: skip
    time = f"2026-01-01T{hour:02d}:{number // 60:02d}:{number % 60:02d}Z"
    metadata = {"eventId": f"event-{hour}-{number}", "inferenceTime": time}
    return json.dumps({"captureData": data, "eventMetadata": metadata, "eventVersion": "0"})


def labelled(hour: int, number: int, label: float | str) -> str:
    truth_ = {"data": str(label), "encoding": "CSV"}
    return json.dumps({"groundTruthData": truth_, "eventMetadata": {"eventId": f"event-{hour}-{number}"}})


def site(home: Path, change: Change = unchanged) -> Site:
    return Site(load_endpoint("endpoint.yaml", change((home / "endpoint.yaml").read_text()), str(home)))


def reports(place: Site, window: Window) -> dict[str, str]:
    captures = tasks.ingest_capture(place, window)
    baseline = tasks.suggest_baseline(place, window, captures)
    rows = {"captured": captures, "explained": captures, "labelled": tasks.merge_labels(place, window, captures)}
    return {
        name: tasks.run_monitor(place, name, window, rows[MONITORS[name].stage], baseline)
        for name in place.endpoint.configured()
    }


def judge(place: Site, window: Window, permission: Permission = ALLOWED) -> Verdict:
    """The whole sentence for one window."""
    return tasks.choose_action(place, window, reports(place, window), permission)


def retrain(place: Site, window: Window, episode: str = EPISODE) -> list[GateRecord]:
    """Every gate in turn, up to the first that does not pass; nobody is asked."""
    found = list[GateRecord]()
    asks = (
        retraining.check_evidence,
        lambda *asked: retraining.approve(*asked, "passed", "nobody"),
        retraining.train,
        retraining.compare,
        retraining.promote,
    )
    for ask in asks:
        found.append(ask(place, episode, window))
        if found[-1].outcome != "passed":
            break
    return found


def tree(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


class Killed(BaseException):
    """The process ends here."""


def killing(monkeypatch: pytest.MonkeyPatch, at: int) -> list[str]:
    """Ends the process before the write with this number; the keys that were to be written so far."""
    written, write_ = list[str](), Store._write

    def write_or_die(self: Store, key: str, content: Any, *, new: bool) -> None:
        written.append(key)
        if len(written) == at:
            raise Killed
        write_(self, key, content, new=new)

    monkeypatch.setattr(Store, "_write", write_or_die)
    return written
