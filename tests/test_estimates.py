"""Estimates without labels, end to end: told while no label is there, graded when labels have come."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from random import Random

import pytest
from typer.testing import CliRunner

from monitor_tasks import cli, restating
from monitor_tasks.io.executions import newest, read_artifact
from monitor_tasks.report import Estimate, Report, State, Status
from monitor_tasks.site import Site, load_endpoint
from tests.test_restating import HOURS, Labels, captured, deliver, judge, restated

ROWS = 400
ENDPOINT = """
endpoint_name: tiny
root: artifacts
start_date: 2026-01-01T00:00:00Z
capture: {address: capture, output_names: [probability], input_names: [amount, region]}
ground_truth: {address: labels, label_horizon: PT6H, label_coverage: 0.5}
baseline: {dataset: reference.csv}
monitors:
  model_quality:
    probability_attribute: probability
    rule: interval
    estimate: true
    judged_estimates: [accuracy, precision]
"""


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A reference and three hours of a well calibrated model; in the third its scores are near 0.5."""
    random = Random(3)
    (tmp_path / "endpoint.yaml").write_text(ENDPOINT)
    scores = [random.random() for _ in range(2000)]
    lines = [f"{int(random.random() < score)},{score:.3f},1,a" for score in scores]
    (tmp_path / "reference.csv").write_text("\n".join(["label,probability,amount,region", *lines]) + "\n")
    for hour in range(3):
        folder = tmp_path / f"capture/2026/01/01/{hour:02d}"
        folder.mkdir(parents=True)
        scores = [random.random() if hour < 2 else random.uniform(0.4, 0.6) for _ in range(ROWS)]
        lines = [captured(hour, number, f"{score:.3f}", "1", "a") for number, score in enumerate(scores)]
        (folder / "part.jsonl").write_text("\n".join(lines) + "\n")
    return tmp_path


def site(home: Path, change: Callable[[str], str] = lambda text: text) -> Site:
    return Site(load_endpoint("endpoint.yaml", change((home / "endpoint.yaml").read_text()), str(home)))


def truths(home: Path, hour: int, numbers: range, drift: bool = False) -> Labels:
    """What became of the hour's events, as likely as the scores say; with concept drift the contrary."""
    random = Random(hour)
    lines = (home / f"capture/2026/01/01/{hour:02d}/part.jsonl").read_text().splitlines()
    scores = [float(json.loads(line)["captureData"]["endpointOutput"]["data"]) for line in lines]
    labels = [int((random.random() < score) is not drift) for score in scores]
    return {f"event-{hour}-{number}": str(labels[number]) for number in numbers}


def reported(place: Site, hour: int) -> Report:
    return place.report(newest(place.store, place.folder("model_quality", HOURS[hour])) or "")


def estimate(place: Site, hour: int, metric: str = "accuracy") -> Estimate:
    return next(one for one in reported(place, hour).estimates if one.metric == metric)


def test_without_any_label_the_report_tells_what_is_to_be_expected(home: Path) -> None:
    place = site(home)
    judge(place, HOURS[0])
    told, report = estimate(place, 0), reported(place, 0)
    assert told.name == "estimated_accuracy"
    assert (told.rows, told.realised) == (ROWS, None)
    assert told.value
    assert told.lower
    assert told.upper
    assert told.lower < told.value < told.upper
    assert told.value == pytest.approx(0.75, abs=0.03)
    states = {one.constraint.metric: one.state for one in report.findings}
    assert {one for name, one in states.items() if not name.startswith("estimated_")} == {State.UNDECIDED}
    assert states["estimated_accuracy"] is states["estimated_precision"] is State.KEPT
    assert report.status is Status.COMPLETED
    key = newest(place.store, place.folder("model_quality", HOURS[0])) or ""
    page = read_artifact(place.store, key, "report.html").decode()
    words = ("Estimated without labels", "estimated accuracy", "no concept drift", "no label yet, or too few")
    assert [one for one in words if one not in page] == []


def test_a_window_that_the_model_is_unsure_of_is_violated_by_its_estimate_alone(home: Path) -> None:
    place = site(home)
    judge(place, HOURS[2])
    report = reported(place, 2)
    assert [one.constraint.metric for one in report.violations] == ["estimated_precision", "estimated_accuracy"]
    assert all("waits for no label" in one.constraint.reason for one in report.violations)
    assert report.status is Status.WITH_VIOLATIONS
    shutil.rmtree(home / "artifacts")
    unjudged = site(home, lambda text: text.replace("    judged_estimates: [accuracy, precision]\n", ""))
    judge(unjudged, HOURS[2])
    assert reported(unjudged, 2).status is Status.NOT_ENOUGH_DATA


def test_labels_that_come_grade_the_estimate(home: Path) -> None:
    place = site(home)
    for window in HOURS[:2]:
        judge(place, window)
    before = estimate(place, 0)
    deliver(home, 2, "few.jsonl", truths(home, 0, range(150)))
    restated(place)
    assert estimate(place, 0) == before
    deliver(home, 3, "more.jsonl", truths(home, 0, range(150, 300)))
    restated(place)
    partly = estimate(place, 0)
    assert (partly.value, partly.lower, partly.upper) == (before.value, before.lower, before.upper)
    assert partly.realised
    assert before.lower
    assert before.upper
    assert partly.realised.rows == 300
    assert partly.realised.upper - partly.realised.lower > before.upper - before.lower
    deliver(home, 3, "rest.jsonl", truths(home, 0, range(300, ROWS)) | truths(home, 1, range(ROWS), drift=True))
    restated(place)
    realised = estimate(place, 0).realised
    assert realised
    assert (realised.rows, realised.expected, realised.lower) == (ROWS, before.value, before.lower)
    assert realised.inside
    wrong = estimate(place, 1).realised
    assert wrong
    assert not wrong.inside
    assert wrong.value < 0.5 < wrong.lower
    graded = {one["metric"]: one for one in restating.grades(place)}
    assert graded["accuracy"]["outside"] == [str(HOURS[1])]
    assert (graded["accuracy"]["windows"], graded["accuracy"]["inside"], graded["accuracy"]["share"]) == (2, 1, 0.5)


def test_history_and_grade_show_estimate_band_and_share(home: Path) -> None:
    place, yaml = site(home), str(home / "endpoint.yaml")
    judge(place, HOURS[1])
    assert CliRunner().invoke(cli.app, ["grade", yaml]).exit_code == 3
    deliver(home, 3, "all.jsonl", truths(home, 1, range(ROWS), drift=True))
    restated(place)
    first, last = restating.history(place, HOURS[1])
    assert (first["metric"], first["inside"], last["inside"]) == ("auc", None, False)
    assert first["estimate"] == last["estimate"] == last["realised"]["expected"]
    table = CliRunner().invoke(cli.app, ["history", yaml, "--window", str(HOURS[1])], env={"COLUMNS": "240"})
    said = "estimated auc: inside the band in 0 of 1 windows (0.0%, where 95% are to be expected"
    assert [word for word in ("outside", f"{first['estimate']:.4g} (", said) if word not in table.output] == []
    graded = CliRunner().invoke(cli.app, ["grade", yaml])
    assert (graded.exit_code, said in graded.output) == (0, True)
    assert json.loads(CliRunner().invoke(cli.app, ["grade", yaml, "--json"]).output) == restating.grades(place)


def test_estimates_need_to_be_asked_for(home: Path) -> None:
    place = site(
        home, lambda text: text.replace("    estimate: true\n    judged_estimates: [accuracy, precision]\n", "")
    )
    judge(place, HOURS[0])
    assert reported(place, 0).estimates == ()
    assert restating.grades(place) == []
    assert restating.history(place, HOURS[0])[0]["estimate"] is None


def table(problem: str, rows: int, seed: int) -> str:
    """Predictions and labels of a model as CSV; of some rows the label is missing."""
    random = Random(seed)
    lines = ["label,guess,a,b,size"] if problem == "Regression" else ["label,a,b,size"]
    for row in range(rows):
        size, share = random.gauss(0, 1), random.random()
        label: object = random.choices("ab", [share, 1 - share])[0]
        cells = [f"{share:.4f}", f"{1 - share:.4f}", f"{size:.3f}"]
        if problem == "Regression":
            label, cells = f"{size + abs(size) * random.gauss(0, 1):.3f}", [f"{size:.3f}", *cells]
        lines.append(",".join(["" if row % 10 == 0 else str(label), *cells]))
    return "\n".join(lines) + "\n"


@pytest.mark.parametrize(
    ("problem", "settings", "metric"),
    [
        ("MulticlassClassification", "class_probability_attributes: {a: a, b: b}", "accuracy"),
        ("Regression", "inference_attribute: guess\nestimate_attributes: [size]", "rmse"),
    ],
)
def test_tables_of_several_classes_and_of_numbers_are_estimated_in_the_terminal(
    tmp_path: Path, problem: str, settings: str, metric: str
) -> None:
    config, reference, window = (tmp_path / name for name in ("settings.yaml", "reference.csv", "window.csv"))
    config.write_text(
        f"problem_type: {problem}\n{settings}\nestimate: true\nrule: interval\njudged_estimates: [{metric}]"
    )
    reference.write_text(table(problem, 1500, 1))
    window.write_text(table(problem, 400, 2))
    common = ["--monitor", "model_quality", "--config", str(config)]
    baseline, output = str(tmp_path / "baseline"), tmp_path / "window"
    suggested = CliRunner().invoke(cli.app, ["suggest", str(reference), *common, "--output", baseline])
    assert suggested.exit_code == 0, suggested.output
    told = CliRunner().invoke(
        cli.app,
        ["check", str(window), *common, "--baseline", baseline, "--output", str(output)],
        env={"COLUMNS": "200"},
    )
    assert told.exit_code == 0, told.output
    assert f"estimated {metric} is" in told.output
    report = Report.from_json((output / "report.json").read_bytes())
    estimate = next(one for one in report.estimates if one.metric == metric)
    assert estimate.rows == 400
    assert estimate.realised
    assert estimate.realised.rows == 360
    assert estimate.realised.inside
    (finding,) = (one for one in report.findings if one.constraint.check == "estimate_check")
    assert finding.metric
    assert (finding.metric.value, finding.metric.n, finding.state) == (estimate.value, 400, State.KEPT)
