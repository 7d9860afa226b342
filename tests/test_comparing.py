"""Champion and challenger end to end: a shadow variant in every window, spans of windows, and two endpoints."""

import json
import re
import shutil
from pathlib import Path
from random import Random
from typing import Any

import pytest
from typer.testing import CliRunner

from monitor_tasks.cli import app
from monitor_tasks.endpoint import Endpoint
from monitor_tasks.report import Report
from monitor_tasks.value import UserError

ROWS = 250
SPAN = ("--from", "2026-01-01T00:00:00Z", "--to", "2026-01-01T02:00:00Z")
WINDOWS = ("2026-01-01T00:00:00Z/PT1H", "2026-01-01T01:00:00Z/PT1H")
ENDPOINT = """
endpoint_name: {name}
root: artifacts
capture: {{address: {capture}, output_names: [probability], input_names: [amount]{more}}}
ground_truth: {{address: labels, label_horizon: PT6H, label_coverage: {coverage}}}
baseline: {{dataset: reference.csv}}
monitors:
  model_quality: {{probability_attribute: probability, minimum_rows: 10, rule: interval{compare}}}
"""
COMPARE = ", compare: {champion: AllTraffic, challenger: shadow}"


@pytest.fixture(scope="session")
def traffic(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two hours of requests that a champion and a better shadow answered, with their labels."""
    home, random = tmp_path_factory.mktemp("traffic"), Random(7)
    lines = [f"{label},{0.3 + 0.4 * label},{random.gauss(50, 9):.2f}" for label in [0, 1] * 300]
    (home / "reference.csv").write_text("\n".join(["label,probability,amount", *lines]) + "\n")
    for hour in range(2):
        requests = [f"request-{hour}-{number}" for number in range(ROWS)]
        labels = [random.randint(0, 1) for _ in requests]
        for variant, noise in (("AllTraffic", 0.5), ("shadow", 0.2)):
            scores = [min(max(random.gauss(0.2 + 0.6 * label, noise), 0), 1) for label in labels]
            records = [captured(hour, number, variant, f"{score:.3f}") for number, score in enumerate(scores)]
            write(home / f"capture/{variant}/2026/01/01/{hour:02d}/part.jsonl", records)
        truths = [{"groundTruthData": {"data": str(label), "encoding": "CSV"}, "eventMetadata": {"eventId": request}}
                  for request, label in zip(requests, labels, strict=True)]  # fmt: skip
        write(home / f"labels/2026/01/01/{hour:02d}/part.jsonl", truths)
    return home


def captured(hour: int, number: int, variant: str, score: str) -> dict[str, Any]:
    sides = {"endpointInput": ("INPUT", "50.0"), "endpointOutput": ("OUTPUT", score)}
    data = {side: {"observedContentType": "text/csv", "mode": mode, "data": text, "encoding": "CSV"}
            for side, (mode, text) in sides.items()}  # fmt: skip
    metadata = {
        "eventId": f"{variant}-{hour}-{number}", "inferenceId": f"request-{hour}-{number}",
        "inferenceTime": f"2026-01-01T{hour:02d}:{number // 60:02d}:{number % 60:02d}Z",
    }  # fmt: skip
    return {"captureData": data, "eventMetadata": metadata, "eventVersion": "0"}


def write(path: Path, lines: list[dict[str, Any]]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(f"{json.dumps(line)}\n" for line in lines))


@pytest.fixture
def home(traffic: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    shutil.copytree(traffic, tmp_path, dirs_exist_ok=True)
    monkeypatch.setenv("MONITOR_TASKS_HOME", str(tmp_path))
    return tmp_path


def endpoint(home: Path, name: str = "both", capture: str = "capture", compare: str = COMPARE, **more: Any) -> Path:
    layout = ", layout: variants" if capture == "capture" else ""
    chosen = {"coverage": 0, "more": layout, **more}
    path = home / f"{name}.yaml"
    path.write_text(ENDPOINT.format(name=name, capture=capture, compare=compare, **chosen))
    return path


def told(*words: object) -> tuple[int, str]:
    """The exit code and all that was printed."""
    done = CliRunner().invoke(app, [str(word) for word in words], env={"COLUMNS": "220"})
    return done.exit_code, done.output


def run(path: Path) -> list[tuple[int, str]]:
    done = [told("run", path, "--window", window, "--json") for window in WINDOWS]
    assert all(code in (0, 1, 3) for code, _ in done), done
    return done


def report_of(home: Path, name: str = "both") -> Report:
    return Report.from_json((home / f"artifacts/{name}/model_quality/2026/01/01/01/report.json").read_bytes())


def test_a_shadow_variant_is_compared_in_every_window_and_over_any_span(home: Path) -> None:
    path = endpoint(home)
    assert {code for code, _ in run(path)} <= {0, 1}
    found = report_of(home).comparison
    assert found is not None
    assert (found.paired, found.rows, found.windows) == (True, (ROWS, ROWS), 1)
    page = (home / "artifacts/both/model_quality/2026/01/01/01/report.html").read_text()
    assert "Both answered the same 250 labelled requests, which are compared pair by pair." in page
    assert re.search(
        r"shadow is better than AllTraffic: accuracy 0\.\d+ against 0\.\d+, a difference of \+0\.\d+", page
    )
    assert page.count('class="whisker"') >= len(found.differences)
    code, text = told("compare", path, *SPAN)
    assert (code, "shadow is better than AllTraffic" in text, "in 2 windows" in text) == (0, True, True)
    code, text = told("compare", path, *SPAN, "--json")
    both = json.loads(text)
    assert (both["windows"], both["rows"], both["metric"]) == (2, [2 * ROWS, 2 * ROWS], "accuracy")
    assert both["differences"][2]["deviation"] < (found.differences[2].deviation or 0)


@pytest.mark.parametrize(
    ("variants", "folder", "told_so"),
    [
        ("shadow: [shadow]", "AllTraffic", "rows of the variants shadow are not judged"),
        ("judged: [shadow]", "shadow", "only rows of the variants shadow are judged"),
    ],
)
def test_a_shadow_is_compared_and_judged_by_no_constraint(home: Path, variants: str, folder: str, told_so: str) -> None:
    run(endpoint(home))
    assert report_of(home).rows == 2 * ROWS
    both = endpoint(home, "apart")
    both.write_text(both.read_text() + f"variants: {{{variants}}}\n")
    run(both)
    run(endpoint(home, "alone", f"capture/{folder}", ""))
    apart, alone = report_of(home, "apart"), report_of(home, "alone")
    assert apart.rows == ROWS
    assert apart.findings == alone.findings
    assert any(told_so in note for note in apart.notes)
    assert told_so in (home / "artifacts/apart/model_quality/2026/01/01/01/report.html").read_text()
    assert apart.comparison == report_of(home).comparison


def test_variants_that_no_folder_tells_apart_are_refused(home: Path) -> None:
    path = endpoint(home, "alone", "capture/AllTraffic", "")
    path.write_text(path.read_text() + "variants: {shadow: [shadow]}\n")
    code, text = told("run", path, "--window", WINDOWS[0])
    assert (code, "variants needs capture.layout: variants" in text) == (2, True)


def test_two_endpoints_are_compared_as_two_variants_of_one_are(home: Path) -> None:
    variants = endpoint(home)
    champion = endpoint(home, "champion", "capture/AllTraffic", "")
    challenger = endpoint(home, "challenger", "capture/shadow", "")
    for path in (variants, champion, challenger):
        run(path)
    mine, theirs = (
        json.loads(told("compare", *paths, *SPAN, "--json", "--metric", "auc")[1])
        for paths in ((variants,), (champion, challenger))
    )
    assert (theirs["champion"], theirs["challenger"]) == ("champion", "challenger")
    names = {"champion": "", "challenger": ""}
    assert {**mine, **names} == {**theirs, **names}
    assert told("compare", challenger, champion, *SPAN)[0] == 1
    assert told("compare", champion, champion, *SPAN)[0] == 3


def test_a_comparison_breaks_nothing_unless_a_constraint_asks_for_it(home: Path) -> None:
    path = endpoint(home, compare=", compare: {champion: shadow, challenger: AllTraffic, metric: auc}")
    run(path)
    assert {one.constraint.metric for one in report_of(home).findings}.isdisjoint({"auc_difference"})
    (folder,) = (home / "artifacts/both/baselines/revisions").glob("*/model_quality")
    files = home / "mine"
    files.mkdir()
    for file in folder.iterdir():
        (files / file.name).write_bytes(file.read_bytes())
    bounds = json.loads((files / "bounds.json").read_bytes())
    asked = {"check": "challenger_check", "metric": "auc_difference", "lower": -0.01, "margin": 2}
    bounds["constraints"].append(asked)
    (files / "bounds.json").write_text(json.dumps(bounds))
    pinned = told("pin", path, "--monitor", "model_quality", "--baseline", files, "--from", "2026-01-01T00:00:00Z")
    assert pinned[0] == 0
    assert run(path)[0][0] == 1
    (broken,) = [one for one in report_of(home).violations if one.constraint.metric == "auc_difference"]
    assert broken.metric is not None
    assert broken.metric.details == {"champion": "shadow", "challenger": "AllTraffic"}
    text = (home / "artifacts/both/model_quality/2026/01/01/01/constraint_violations.json").read_text()
    assert "auc_difference" in text


def test_before_enough_labels_nothing_is_told(home: Path) -> None:
    shutil.rmtree(home / "labels")
    path = endpoint(home, coverage=0.5)
    run(path)
    found = report_of(home).comparison
    assert found is not None
    assert {one.verdict for one in found.differences} == {"cannot tell yet"}
    assert "labels of 0 of 500 predictions have arrived" in found.deciding.because
    assert told("compare", path, *SPAN)[0] == 3


def test_windows_that_were_compared_under_other_names_do_not_count(home: Path) -> None:
    run(endpoint(home))
    turned = endpoint(home, compare=", compare: {champion: shadow, challenger: AllTraffic}")
    assert json.loads(told("compare", turned, *SPAN, "--json")[1])["windows"] == 0
    code, text = told("compare", turned, *SPAN)
    assert (code, "It cannot be told yet whether AllTraffic is better or worse than shadow" in text) == (3, True)


def test_what_cannot_be_compared_is_one_clear_line(home: Path) -> None:
    code, text = told("compare", endpoint(home, compare=""), *SPAN)
    assert (code, "both: model_quality.compare is not set" in text) == (2, True)
    code, text = told("compare", endpoint(home), *SPAN, "--metric", "mae")
    assert (code, "BinaryClassification has no 'mae'" in text) == (2, True)
    wrong = ENDPOINT.format(name="a", capture="c", more="", coverage=0, compare=COMPARE)
    with pytest.raises(UserError, match=r"compare needs capture\.layout: variants"):
        Endpoint.parse(wrong, "a.yaml")
    Endpoint.parse(wrong.replace("challenger: shadow", "challenger: shadow, by: component"), "a.yaml")
    bias = "  bias: {predicted_label: probability, facets: [{name: region}]}\n"
    only = home / "only.yaml"
    only.write_text(wrong.partition("  model_quality")[0] + bias)
    code, text = told("compare", only, *SPAN)
    assert (code, "a: has no monitor model_quality" in text) == (2, True)
