"""Bias from captured records to the page: several rows a record taken out of JSON by JMESPath, labels, both rules."""

import json
import random
from math import isfinite
from pathlib import Path

import pytest

from monitor_tasks import tasks
from monitor_tasks.endpoint import Endpoint
from monitor_tasks.io.executions import read_artifact
from monitor_tasks.report import Report, State, Status
from monitor_tasks.site import Site
from monitor_tasks.window import Window
from tests.tables.samples import record

HOURS = [Window.parse(f"2026-01-01T0{hour}:00:00Z/PT1H") for hour in range(2)]
FEATURES = ["age", "sex", "race", "income"]
Person = tuple[list[float], float, int]
"""Features, score and label."""


def applicants(seed: int, unfair: float, size: int = 600) -> list[Person]:
    """`unfair` is taken from the score of those whose sex is 0 and whose race is 1."""
    chance, found = random.Random(seed), []
    for _ in range(size):
        age, income = 18 + int(60 * chance.random()), chance.random()
        sex, race = int(2 * chance.random()), int(2 * chance.random())
        score = min(max(income + 0.4 * (chance.random() - 0.5) - unfair * (sex == 0 and race == 1), 0.0), 1.0)
        found.append(([age, sex, race, income], score, int(income + 0.3 * (chance.random() - 0.5) > 0.5)))
    return found


def write_hour(home: Path, hour: int, people: list[Person]) -> None:
    """Records of up to three rows, in JSON lists below keys, and the labels of their rows in files beside them."""
    parts = [people[start : start + 3] for start in range(0, len(people), 3)]
    records, labels = [], []
    for number, part in enumerate(parts):
        inputs = {"instances": [{"x": features} for features, *_ in part]}
        outputs = {"predictions": [{"score": score, "class": int(score > 0.5)} for _, score, _ in part]}
        sides = json.dumps(inputs), json.dumps(outputs), f"2026-01-01T0{hour}:10:00Z"
        records.append(record(f"{hour}-{number}", *sides, inputs_as="JSON", outputs_as="JSON"))
        data = json.dumps({"instances": [{"person": number, "outcome": label} for *_, label in part]})
        truth = {"groundTruthData": {"data": data, "encoding": "JSON"}, "eventVersion": "0"}
        labels.append(json.dumps({**truth, "eventMetadata": {"eventId": f"{hour}-{number}"}}).encode())
    for where, lines in (("capture", records), ("labels", labels)):
        folder = home / where / f"2026/01/01/0{hour}"
        folder.mkdir(parents=True)
        (folder / "a.jsonl").write_bytes(b"\n".join(lines))


def site(home: Path, rule: str) -> Site:
    bias = {
        "label": "label", "facets": [{"name": "sex", "value_or_threshold": [0]}, {"name": "race"}],
        "predicted_label": "score", "probability_threshold": 0.5, "excluded_columns": ["class"],
        "intersections": [["sex", "race"]], "rule": rule,
    }  # fmt: skip
    said = {
        "endpoint_name": "loans", "root": f"artifacts-{rule}", "monitors": {"bias": bias},
        "ground_truth": {"address": "labels", "label_attribute": "instances[*].outcome"},
        "capture": {
            "address": "capture", "split_rows": True, "features_attribute": "instances[*].x", "input_names": FEATURES,
            "output_attributes": {"score": "predictions[*].score", "class": "predictions[*].class"},
        },
    }  # fmt: skip
    return Site(Endpoint.parse(json.dumps(said), "loans.yaml", str(home)))


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    home = tmp_path_factory.mktemp("bias")
    write_hour(home, 0, applicants(1, 0.0))
    write_hour(home, 1, applicants(2, 0.5))
    return home


def judged(place: Site, window: Window) -> tuple[Report, str]:
    captured = tasks.ingest_capture(place, window)
    baseline = tasks.suggest_baseline(place, window, captured)
    key = tasks.run_monitor(place, "bias", window, tasks.merge_labels(place, window, captured), baseline)
    return place.report(key), read_artifact(place.store, key, "report.html").decode()


@pytest.mark.parametrize("rule", ["observed", "interval"])
def test_unfair_predictions_of_one_intersection_are_found_and_told(home: Path, rule: str) -> None:
    place = site(home, rule)
    healthy, _ = judged(place, HOURS[0])
    report, page = judged(place, HOURS[1])
    assert healthy.status is Status.COMPLETED
    assert report.rows == 600
    broken = {(one.constraint.metric, one.constraint.subject) for one in report.violations}
    assert {("DPPL", "sex & race=0 & 1"), ("FT", "sex & race=0 & 1")} <= broken
    assert (("DI", "sex & race=0 & 1") in broken) is (rule == "interval")  # it left 1 for 0: only one rule minds
    for finding in report.findings:
        metric = finding.metric
        assert metric is not None
        if metric.value is not None and isfinite(metric.value):
            assert metric.interval is not None, metric.name
            assert metric.interval[0] <= metric.value <= metric.interval[1]
            assert metric.details["rows_in_group"] + metric.details["rows_outside"] == 600
    undecided = {one.constraint.metric for one in report.having(State.UNDECIDED)}
    assert undecided <= {"CDDL", "CDDPL", "TE"}  # there are no subgroups; TE may be infinite
    said = "by however little" if rule == "observed" else "as far as chance can tell"
    assert said in page
    assert "found in a sample of 600 rows" in page
    assert "rows in the group" in page
    assert "three standard deviations to either side" in page
    assert "Statistical Parity Difference" in page
