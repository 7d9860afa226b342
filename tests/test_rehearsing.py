"""Moving in, end to end: the service's answers become a YAML, and a past window is run beside what it found there."""

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from typer.testing import CliRunner

from monitor_tasks.cli import app
from monitor_tasks.judging import suggest
from monitor_tasks.monitors.settings import ModelQualitySettings
from monitor_tasks.sagemaker.differences import differences
from monitor_tasks.value import UserError
from tests.sagemaker.churn_run import OUTCOMES
from tests.sagemaker.samples import sample, table
from tests.sagemaker.test_migrating import FILES

WINDOW = "2026-01-01T00:00:00Z/PT1H"
HOUR = "2026/01/01"


class Call(NamedTuple):
    """One call of an endpoint, and what turned out to be right."""

    given: str
    answer: str
    label: str = ""


def told(*words: object) -> tuple[int, str]:
    """The exit code and all that was printed."""
    done = CliRunner().invoke(app, [str(word) for word in words], env={"COLUMNS": "200"})
    return done.exit_code, done.output


def captured(folder: Path, calls: Iterable[Call]) -> None:
    """The calls as an endpoint captures them, in the first hour; the labels collected in the second."""
    records, labels = [], []
    for number, one in enumerate(calls):
        sides = {
            side: {"observedContentType": "text/csv", "mode": mode, "data": data, "encoding": "CSV"}
            for side, mode, data in (("endpointInput", "INPUT", one.given), ("endpointOutput", "OUTPUT", one.answer))
        }
        time = f"2026-01-01T00:{number // 60:02}:{number % 60:02}Z"
        metadata = {"eventId": f"{number:05}", "inferenceTime": time}
        records.append(json.dumps({"captureData": sides, "eventMetadata": metadata, "eventVersion": "0"}))
        truth = {"groundTruthData": {"data": one.label, "encoding": "CSV"}, "eventVersion": "0"}
        labels.append(json.dumps({**truth, "eventMetadata": {"eventId": f"{number:05}"}}))
    for path, lines in (("capture/loan-scoring/AllTraffic", records), ("ground-truth", labels)):
        (folder / path / HOUR / "00").mkdir(parents=True)
        (folder / path / HOUR / "00/00.jsonl").write_text("\n".join(lines))


def moved(folder: Path, monitor: str, files: Mapping[str, bytes], **changes: Any) -> Path:
    """The YAML that `migrate` makes of one monitor's answers, with its baseline's files in the place that they name."""
    home = folder / "service/baseline" / monitor.replace("-", "_")
    home.mkdir(parents=True)
    for name, content in files.items():
        (home / name).write_bytes(content)
    known = {name: json.loads(text) for name, text in FILES.items() if name.startswith((monitor, "endpoint"))}
    definition = known[f"{monitor}.json"]
    (rows,) = [one["EndpointInput"] for key, one in definition.items() if key.endswith("JobInput")]
    rows.update(changes)
    answers = [folder / name for name in known]
    for path, one in zip(answers, known.values(), strict=True):
        path.write_text(json.dumps(one))
    output = folder / "there.yaml"
    code, text = told("migrate", *answers, "--output", output)
    assert code == 0, text
    return output


def found_by_the_service(folder: Path, schedule: str, files: Mapping[str, bytes]) -> Path:
    """The service's results of the window."""
    results = folder / "service/results"
    (results / "loan-scoring" / schedule / HOUR / "01").mkdir(parents=True)
    for name, content in files.items():
        (results / "loan-scoring" / schedule / HOUR / "01" / name).write_bytes(content)
    return results


def rehearsed(yaml: Path, results: Path) -> tuple[int, dict[str, Any]]:
    """The exit code, and what the only monitor's window differs in."""
    code, text = told("rehearse", yaml, "--window", WINDOW, "--against", results, "--json")
    (found,) = json.loads(text)
    return code, found


def split(rows: Iterable[str]) -> list[Call]:
    """Rows of a table as calls: the first cell is the answer."""
    return [Call(given, answer) for answer, _, given in (row.partition(",") for row in rows)]


@pytest.fixture
def sdk(tmp_path: Path) -> Path:
    """The 100 rows whose statistics SageMaker's own container wrote, as captured traffic."""
    captured(tmp_path, split(sample("sdk/data_quality/baseline_dataset.csv").decode().splitlines()))
    return tmp_path


def test_the_containers_own_statistics_are_met_in_every_number(sdk: Path) -> None:
    statistics = sample("sdk/data_quality/statistics.json")
    baseline = {"constraints.json": sample("sdk/data_quality/constraints.good.json"), "statistics.json": statistics}
    yaml = moved(sdk, "data-quality", baseline)
    results = found_by_the_service(sdk, "loan-data-quality", {"statistics.json": statistics})
    there = {path: path.read_bytes() for path in sdk.rglob("*.json*")}
    code, found = rehearsed(yaml, results)
    assert (code, found["status"], found["differences"]) == (0, "Completed", [])
    assert found["files"] == ["statistics.json"]
    assert {path: path.read_bytes() for path in sdk.rglob("*.json*")} == there
    code, text = told("rehearse", yaml, "--window", WINDOW, "--against", results)
    assert (code, "data_quality (Completed): no difference from statistics.json" in " ".join(text.split())) == (0, True)


def test_an_edited_type_and_another_number_are_told(sdk: Path) -> None:
    statistics = sample("sdk/data_quality/statistics.json")
    edited = sample("sdk/data_quality/constraints.good.json").replace(b'"Fractional"', b'"Integral"', 1)
    yaml = moved(sdk, "data-quality", {"constraints.json": edited, "statistics.json": statistics})
    other = json.loads(statistics)
    other["features"][0]["numerical_statistics"]["mean"] += 0.5
    results = found_by_the_service(sdk, "loan-data-quality", {"statistics.json": json.dumps(other).encode()})
    code, found = rehearsed(yaml, results)
    violation, number = found["differences"]
    assert (code, violation["file"], violation["theirs"]) == (1, "constraint_violations.json", None)
    assert violation["what"].startswith("data_type_check _c")
    assert number["what"] == "features[_c0].numerical_statistics.mean"
    assert float(number["theirs"]) == float(number["ours"]) + 0.5
    assert told("rehearse", yaml, "--window", WINDOW, "--against", results, "--tolerance", 1)[0] == 1


def test_every_published_violation_of_the_churn_traffic_is_found_again(tmp_path: Path) -> None:
    """The run of 1,915 rows, of whose violations the first ten were printed."""
    inputs = sample("churn/test-dataset-input-cols.csv").decode().splitlines()
    captured(tmp_path, [Call(row, "0.5") for row in (inputs[:120] + inputs * 6)[:1915]])
    yaml = moved(tmp_path, "data-quality", {"constraints.json": sample("churn/constraints.json")} | NO_STATISTICS)
    published = {"constraint_violations.json": sample("churn/data_quality_violations.first10.json")}
    code, found = rehearsed(yaml, found_by_the_service(tmp_path, "loan-data-quality", published))
    assert (code, [one for one in found["differences"] if one["theirs"] is not None]) == (1, [])
    assert len(found["differences"]) == 50


NO_STATISTICS = {"statistics.json": b'{"dataset": {"item_count": 0}, "features": []}'}


def test_the_published_run_of_model_quality_is_met_whole(tmp_path: Path) -> None:
    cells = [Call("1", probability, label) for (label, _, probability), count in OUTCOMES.items() for _ in range(count)]
    captured(tmp_path, cells)
    columns = ModelQualitySettings(probability_attribute="probability", inference_attribute="prediction")
    baseline = suggest("model_quality", columns, table("churn/validation_with_predictions.csv", header=True))
    changes = {"ProbabilityAttribute": "0", "ProbabilityThresholdAttribute": 0.8}
    yaml = moved(tmp_path, "model-quality", {"constraints.json": baseline["constraints.json"]}, **changes)
    published = {"constraint_violations.json": sample("churn/model_quality_violations.run1.json")}
    code, found = rehearsed(yaml, found_by_the_service(tmp_path, "loan-model-quality", published))
    assert (code, found["differences"]) == (0, [])
    assert found["status"] == "CompletedWithViolations"


def test_where_the_service_has_no_result_nothing_is_compared(sdk: Path) -> None:
    statistics = sample("sdk/data_quality/statistics.json")
    baseline = {"constraints.json": sample("sdk/data_quality/constraints.good.json"), "statistics.json": statistics}
    code, text = told(
        "rehearse", moved(sdk, "data-quality", baseline), "--window", WINDOW, "--against", sdk / "service/results"
    )
    assert (code, "no result of the service lies in" in text) == (3, True)


def test_a_baseline_of_another_kind_names_its_key_and_address(sdk: Path) -> None:
    yaml = moved(sdk, "data-quality", {"constraints.json": b'{"version": 0.0}'} | NO_STATISTICS)
    code, text = told("run", yaml, "--window", WINDOW)
    assert code == 2
    assert "monitors.data_quality.baseline_constraints: " in text
    assert "not a readable constraints.json of data quality: features: Field required" in text


def test_nothing_is_overwritten(tmp_path: Path) -> None:
    names = sorted((Path(__file__).parents[1] / "docs/examples/sagemaker").glob("*.json"))
    (tmp_path / "there.yaml").write_text("mine")
    code, text = told("migrate", *names, "--output", tmp_path / "there.yaml")
    assert (code, "there.yaml: cannot be written: File exists; name a new file" in text) == (2, True)
    code, text = told("migrate", *names, "--output", tmp_path / "other.yaml", "--root", "service/results/")
    assert (code, "--root" in text, (tmp_path / "other.yaml").exists()) == (2, True, False)


BIAS = {"facet": "Sex", "facet_value": "0", "metric_name": "DPL", "constraint_check_type": "bias_drift_check"}
TEXT = "Metric value 0.25 doesn't meet the baseline constraint requirement 0.1"


@pytest.mark.parametrize(
    ("theirs", "ours", "found"),
    [
        (TEXT, TEXT, []),
        (TEXT, TEXT.replace("0.25", "0.2500000001"), []),
        (TEXT, TEXT.replace("0.25", "0.26"), [("bias_drift_check Sex=0 DPL", True, True)]),
        (TEXT, TEXT.replace("doesn't", "does not"), [("bias_drift_check Sex=0 DPL", True, True)]),
        ("recall with 0.5 +/- 0.01 was low", "recall with 0.5 +/- 0.02 was low", []),
        (TEXT, None, [("bias_drift_check Sex=0 DPL", True, False)]),
        (None, TEXT, [("bias_drift_check Sex=0 DPL", False, True)]),
    ],
)
def test_violations_are_compared_as_a_set_with_their_texts(
    theirs: str | None, ours: str | None, found: list[tuple[str, bool, bool]]
) -> None:
    sides = [
        {"constraint_violations.json": json.dumps({"violations": [BIAS | {"description": one}]}).encode()}
        if one
        else {}
        for one in (theirs, ours)
    ]
    known = differences(*sides, "here", 1e-6)  # type: ignore[arg-type]
    assert [(one.what, one.theirs is not None, one.ours is not None) for one in known] == found


def test_a_result_that_is_cut_off_names_its_address() -> None:
    with pytest.raises(UserError, match=r"s3://b/analysis\.json: not JSON, or cut off"):
        differences({"analysis.json": b"{"}, {"analysis.json": b"{}"}, "s3://b", 1e-6)
    text = json.dumps({"violations": [{"constraint_check_type": "x", "description": ""}]}).encode()
    with pytest.raises(UserError, match=r"violations\.0: Value error, names neither a feature nor a metric"):
        differences({"constraint_violations.json": text}, {}, "s3://b", 1e-6)
