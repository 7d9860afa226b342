"""A tiny endpoint with all that one can have: the whole sentence, the restating and the retraining in seconds."""

import json
import math
import re
from collections.abc import Callable, Iterator, Sequence
from importlib import import_module
from pathlib import Path
from random import Random
from typing import Any

from monitor_tasks import explaining, restating, retraining, sending, tasks
from monitor_tasks.endpoint import Target
from monitor_tasks.io.store import Credentials
from monitor_tasks.message import Message
from monitor_tasks.monitors.settings import MONITORS
from monitor_tasks.site import Site, load_endpoint
from monitor_tasks.verdict import Permission
from monitor_tasks.window import HOUR, Window, format_time, now, parse_time

START = parse_time("2026-01-01T00:00:00Z")
ALLOWED, BACKFILL = Permission(retraining=True), Permission(retraining=False, because="this run was not allowed to")
ROWS = 240
"""Predictions an hour."""
RECEIVED = "received.txt"
NAMES = ("probability", "income", "age", "region")
YAML = """
endpoint_name: tiny
root: {root}artifacts
start_date: 2026-01-01T00:00:00Z
capture: {{address: {root}capture, output_names: [probability], input_names: [income, age, region]}}
ground_truth: {{address: {root}labels, label_horizon: PT6H}}
baseline: {{dataset: {root}reference.csv}}
model: {{address: "python://tests.scoring:chance", features: [income, age]}}
monitors:
  data_quality: {{minimum_rows: 20, monitoring_schedule_name: data}}
  model_quality: {{probability_attribute: probability, minimum_rows: 10, rule: interval}}
  bias:
    predicted_label: probability
    probability_threshold: 0.5
    facets: [{{name: region, value_or_threshold: [a]}}]
    minimum_rows: 5
    rule: interval
  attribution: {{minimum_rows: 20, sample_rows: 20, baseline: [[50, 49]]}}
retraining: {{train: "tests.whole:train", minimum_rows: 20, minimum_labels: 20, promote: not_worse}}
alerts: [{{kind: webhook, conn_id: desk}}]
"""


def hour(number: int) -> Window:
    return Window(START + number * HOUR, START + (number + 1) * HOUR)


def predictions(number: int, shift: float = 0.0) -> Iterator[tuple[str, ...]]:
    """What an hour's requests were answered, cell by cell; a shift is a changed world."""
    random = Random(1000 + number)
    for _ in range(ROWS):
        income, age = random.gauss(50 + shift, 9), random.randint(18, 80)
        chance = 1 / (1 + math.exp(-(income - 50) / 9))
        yield f"{chance:.3f}", f"{income:.2f}", str(age), random.choice("ab")


def laid_out(
    hours: int,
    shifts: dict[int, float] | None = None,
    root: str = "",
    wrong: Sequence[int] = (),
    only: str | tuple[str, ...] = "",
) -> dict[str, bytes]:
    """Every file that is there before a run, by its address below the root.

    Args:
        hours: So many hours of traffic, and of labels beside them.
        shifts: By how much incomes are higher in some hours.
        root: What all addresses begin with.
        wrong: The hours in which the model is wrong every time.
        only: The monitors that watch; left out, all.
    """
    reference = [row for number in range(-10, 0) for row in predictions(number)]
    lines = [",".join(("label", *NAMES)), *(",".join((str(int(float(row[0]) > 0.5)), *row)) for row in reference)]
    files = {"endpoint.yaml": _watched(YAML.format(root=root), only), "reference.csv": "\n".join(lines) + "\n"}
    for number in range(hours):
        rows = list(predictions(number, (shifts or {}).get(number, 0.0)))
        folder = f"{START + number * HOUR:%Y/%m/%d/%H}"
        for part in range(3):
            some = range(part, ROWS, 3)
            files[f"capture/{folder}/part-{part}.jsonl"] = "".join(captured(number, one, rows[one]) for one in some)
        files[f"labels/{folder}/part.jsonl"] = "".join(
            labelled(number, one, str(int((float(row[0]) > 0.5) != (number in wrong)))) for one, row in enumerate(rows)
        )
    return {name: text.encode() for name, text in files.items()}


def _watched(text: str, only: str | tuple[str, ...]) -> str:
    """The endpoint with some of its monitors alone."""
    head, _, rest = text.partition("monitors:\n")
    sections = re.split(r"(?m)^  (?=\w)", rest.partition("retraining:")[0])[1:]
    kept = [one for one in sections if one.startswith(only)]
    return f"{head}monitors:\n{''.join(f'  {one}' for one in kept)}retraining:{rest.partition('retraining:')[2]}"


def captured(number: int, one: int, row: tuple[str, ...]) -> str:
    sides = {"endpointInput": ("INPUT", row[1:]), "endpointOutput": ("OUTPUT", row[:1])}
    data = {
        side: {"observedContentType": "text/csv", "mode": mode, "data": ",".join(cells), "encoding": "CSV"}
        for side, (mode, cells) in sides.items()
    }
    moment = START + number * HOUR
    metadata = {
        "eventId": f"event-{number}-{one}",
        "inferenceTime": f"{moment:%Y-%m-%dT%H}:{one // 60:02d}:{one % 60:02d}Z",
    }
    return json.dumps({"captureData": data, "eventMetadata": metadata, "eventVersion": "0"}) + "\n"


def labelled(number: int, one: int, label: str) -> str:
    truth = {
        "groundTruthData": {"data": label, "encoding": "CSV"},
        "eventMetadata": {"eventId": f"event-{number}-{one}"},
    }
    return json.dumps(truth) + "\n"


def written(files: dict[str, bytes], home: Path) -> Path:
    """The files below a folder, in the order in which they are given."""
    for name, content in files.items():
        (home / name).parent.mkdir(parents=True, exist_ok=True)
        (home / name).write_bytes(content)
    return home


def site(credentials: Credentials | None = None) -> Site:
    """The endpoint in the folder that we are in: its addresses are relative, so trees can be compared."""
    return Site(load_endpoint("endpoint.yaml", Path("endpoint.yaml").read_text()), credentials)


def verbs(place: Site, window: Window, permission: Permission = ALLOWED) -> dict[str, Callable[[], Any]]:
    """The boxes of the DAG in their order; each finds what those before it have returned."""
    said: dict[str, Any] = {}

    def box(name: str, verb: Callable[[], Any]) -> Callable[[], Any]:
        def done() -> Any:
            said[name] = verb()
            return said[name]

        return done

    def monitor(name: str) -> str:
        rows = said["merge_labels" if MONITORS[name].stage == "labelled" else "ingest_capture"]
        return tasks.run_monitor(place, name, window, rows, said["suggest_baseline"])

    def choose_action() -> Any:
        reports = {name: said[MONITORS[name].task] for name in place.endpoint.configured()}
        verdict = tasks.choose_action(place, window, reports, permission)
        if permission != BACKFILL:
            sending.announce(place, window)
        return verdict

    found: dict[str, Callable[[], Any]] = {
        "ingest_capture": lambda: tasks.ingest_capture(place, window),
        "suggest_baseline": lambda: tasks.suggest_baseline(place, window, said["ingest_capture"]),
        "merge_labels": lambda: tasks.merge_labels(place, window, said["ingest_capture"]),
        **{MONITORS[name].task: lambda name=name: monitor(name) for name in place.endpoint.configured()},  # type: ignore[misc]
        "choose_action": choose_action,
        "alert": lambda: sending.deliver(place, receive),
    }
    return {name: box(name, verb) for name, verb in found.items()}


def receive(target: Target, message: Message) -> None:
    """A receiver that writes down what it gets: one line a message, however often it comes."""
    with Path(RECEIVED).open("a") as file:
        file.write(f"{target.label} {message.event} {message.key} {message.window}\n")


def sentence(number: int, last: str = "alert", permission: Permission = ALLOWED) -> None:
    """One hour through all boxes, up to the last."""
    for name, verb in verbs(site(), hour(number), permission).items():
        verb()
        if name == last:
            break


def hours(numbers: list[int]) -> None:
    """Several hours one after another; the model is asked in this process, which is quicker."""
    explaining.in_a_process = asked_here
    for number in numbers:
        sentence(number)


def asked_here(work: str, parts: Sequence[bytes], *_: Any) -> bytes:
    """What a process of its own would answer."""
    module, _, name = work.partition(":")
    answer: bytes = getattr(import_module(module), name)(*parts)
    return answer


def clock() -> str:
    """What time a process believes it is."""
    return format_time(now())


def boxes() -> list[str]:
    """The boxes of the sentence, in their order."""
    return list(verbs(site(), hour(0)))


def restate() -> list[str]:
    """Late labels: from the first verb of their DAG to the last; the windows that were judged again."""
    place = site()
    plan = restating.meet_labels(place)
    verdicts = restating.restate(place, plan, ALLOWED) if plan else []
    sending.announce(place, *(Window.parse(one.window) for one in verdicts))
    sending.deliver(place, receive)
    if plan:
        restating.settle_labels(place, plan)
    return [one.window for one in verdicts]


def retrain(number: int) -> str:
    """The retraining that an hour was handed over to, gate by gate; every one has to be passed."""
    for gate in (retraining.check_evidence, retraining.train, retraining.compare, retraining.promote):
        found = gate(site(), "000001", hour(number))
        assert found.outcome == "passed", found.text
    return found.text


def train(evidence: dict[str, Any]) -> dict[str, Any]:
    """A new model: another function of the same columns."""
    return {"address": "python://tests.scoring:chance", "version": "2", "features": ["income", "age"]}
