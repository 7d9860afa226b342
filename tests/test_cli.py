"""The command line on real files: what it writes, what it prints, and its four exit codes."""

import json
import re
import shutil
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from typer.testing import CliRunner

from examples.loan_scoring.simulate import simulate
from examples.loan_scoring.story import FIVE
from monitor_tasks.cli import app
from monitor_tasks.endpoint import json_schema
from monitor_tasks.window import parse_time

WINDOW = "2022-04-18T00:00:00Z/PT1H"
CHURN = """\
endpoint_name: churn
root: artifacts
capture: {address: data/capture.csv.jsonl}
baseline: {dataset: data/training-dataset-with-header.csv}
monitors: {data_quality: {}}
"""


def told(*words: object) -> tuple[int, str]:
    """The exit code and all that was printed."""
    done = CliRunner().invoke(app, [str(word) for word in words], env={"COLUMNS": "200"})
    return done.exit_code, done.output


@pytest.fixture
def churn(shared: Path, tmp_path: Path) -> Path:
    """An endpoint over the three real captures of the churn notebook, with its real training table."""
    (tmp_path / "data").mkdir()
    for name in ("capture.csv.jsonl", "training-dataset-with-header.csv"):
        shutil.copy(shared / "sagemaker/churn" / name, tmp_path / "data")
    (tmp_path / "churn.yaml").write_text(CHURN)
    return tmp_path / "churn.yaml"


def test_real_captures_become_a_table_and_a_ledger(shared: Path, tmp_path: Path) -> None:
    code, text = told("ingest", shared / "sagemaker/churn/capture.csv.jsonl", "--output", tmp_path)
    assert (code, "capture.csv.jsonl" in text) == (0, True)
    totals = json.loads((tmp_path / "ledger.json").read_bytes())["totals"]
    assert totals == {"read": 3, "used": 3, "quarantined": 0, "duplicate": 0, "out_of_window": 0}
    assert pq.read_table(tmp_path / "captured.parquet").num_columns == 8 + 70


def test_captures_of_another_window_are_no_data(shared: Path, tmp_path: Path) -> None:
    capture = shared / "sagemaker/churn/capture.csv.jsonl"
    code, text = told("ingest", capture, "--output", tmp_path, "--window", "2022-04-19T00:00:00Z/PT1H", "--json")
    assert (code, json.loads(text)["totals"]["out_of_window"]) == (3, 3)


def test_the_churn_baseline_is_sagemakers_to_the_byte_and_a_missing_label_is_named(
    shared: Path, tmp_path: Path
) -> None:
    folder, config = shared / "sagemaker/churn", tmp_path / "config.yaml"
    config.write_text("dataset_format: {csv: {header: false}}\n")
    table = folder / "training-dataset-with-header.csv"
    assert told("suggest", table, "--monitor", "data_quality", "--output", tmp_path / "base")[0] == 0
    assert (tmp_path / "base/constraints.json").read_bytes() == (folder / "constraints.json").read_bytes().rstrip()
    code, text = told(
        "check", folder / "test-dataset-input-cols.csv", "--monitor", "data_quality", "--baseline", tmp_path / "base",
        "--output", tmp_path / "run", "--config", config,
    )  # fmt: skip
    assert (code, "'Churn'" in text) == (1, True)
    (violation,) = json.loads((tmp_path / "run/constraint_violations.json").read_bytes())["violations"]
    assert violation["constraint_check_type"] == "missing_column_check"
    same = told("check", table, "--monitor", "data_quality", "--baseline", tmp_path / "base", "--output", tmp_path)
    assert same[0] == 0


def test_an_edited_constraint_is_obeyed(shared: Path, tmp_path: Path) -> None:
    table = shared / "sagemaker/churn/training-dataset-with-header.csv"
    told("suggest", table, "--monitor", "data_quality", "--output", tmp_path / "base")
    path = tmp_path / "base/constraints.json"
    constraints = json.loads(path.read_bytes())
    constraints["features"][1]["inferred_type"] = "Fractional"
    path.write_text(json.dumps(constraints))
    code, _ = told(
        "check", table, "--monitor", "data_quality", "--baseline", tmp_path / "base", "--output", tmp_path / "run"
    )
    violations = json.loads((tmp_path / "run/constraint_violations.json").read_bytes())["violations"]
    assert code == 1
    assert [one["feature_name"] for one in violations] == [constraints["features"][1]["name"]]


def test_three_records_are_not_enough_and_an_empty_hour_is_no_data(churn: Path) -> None:
    code, text = told("run", churn, "--window", WINDOW, "--json")
    assert (code, json.loads(text)["status"]) == (3, "NotEnoughData")
    code, text = told("run", churn, "--window", "2022-04-18T05:00:00Z/PT1H", "--json")
    assert (code, json.loads(text)["status"]) == (3, "NoData")
    code, text = told("backfill", churn, "--from", "2022-04-18T00:00:00Z", "--to", "2022-04-18T02:00:00Z")
    assert code == 3
    assert "not enough data to judge" in text


def test_what_was_ingested_can_be_suggested_and_checked(tmp_path: Path) -> None:
    simulate(tmp_path / "home", FIVE[:1], parse_time("2026-01-01T00:00:00Z"), 300, seed=7)
    config = tmp_path / "capture.yaml"
    config.write_text("output_names: [probability]\n")
    capture = tmp_path / "home/capture/loan-scoring/AllTraffic"
    code, text = told("ingest", capture, "--output", tmp_path / "in", "--config", config)
    assert (code, "quarantined because" in text) == (0, True)
    table = tmp_path / "in/captured.parquet"
    assert told("suggest", table, "--monitor", "data_quality", "--output", tmp_path / "base")[0] == 0
    again = ("--monitor", "data_quality", "--baseline", tmp_path / "base", "--output", tmp_path / "run")
    assert told("check", table, *again)[0] == 0


def test_attribution_is_checked_with_the_model_that_the_configuration_names(tmp_path: Path) -> None:
    home, config = tmp_path / "home", tmp_path / "config.yaml"
    simulate(home, FIVE[:1], parse_time("2026-01-01T00:00:00Z"), 50, seed=7)
    sha256 = json.loads((home / "model/model.json").read_bytes())["sha256"]
    model = f"{{address: {home}/model/model.joblib, sha256: {sha256}, allow_pickle: true}}"
    config.write_text(f"sample_rows: 100\nmodel: {model}\n")
    words = (home / "reference.csv", "--monitor", "attribution", "--config", config)
    assert told("suggest", *words, "--output", tmp_path / "base")[0] == 0
    assert told("check", *words, "--baseline", tmp_path / "base", "--output", tmp_path / "run")[0] == 0
    assert "kernel_shap" in (tmp_path / "run/analysis.json").read_text()
    code, text = told("suggest", home / "reference.csv", "--monitor", "attribution", "--output", tmp_path / "none")
    assert (code, "name its address and sha256" in text) == (2, True)


def test_the_printed_schema_is_the_endpoints() -> None:
    code, text = told("schema")
    assert (code, json.loads(text)) == (0, json.loads(json.dumps(json_schema())))


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("run", "{yaml}", "--window", "yesterday"), "is not a time|write it as"),
        (("run", "{yaml}", "--window", "2022-04-18T01:00:00Z/2022-04-18T00:00:00Z"), "is empty"),
        (("run", "{folder}/nothing.yaml", "--window", WINDOW), "nothing.yaml: cannot be read"),
        (("backfill", "{yaml}", "--from", "2022-04-18T00:10:00Z", "--to", "2022-04-18T00:20:00Z"), "no window of"),
        (("backfill", "{yaml}", "--from", "noon", "--to", "2022-04-18T00:20:00Z"), "is not a time"),
        (("ingest", "{folder}/nowhere", "--output", "{folder}/out"), "nowhere: no file is there"),
        (("suggest", "{folder}/nothing.csv", "--monitor", "data_quality", "--output", "x"), "nothing is there"),
        (("suggest", "{yaml}", "--monitor", "data_quality", "--output", "x"), "unknown kind of table"),
        (("suggest", "{table}", "--monitor", "guesses", "--output", "x"), "guesses: unknown monitor"),
        (("suggest", "{table}", "--monitor", "bias", "--output", "x"), "predicted_label: this key is missing"),
        (("suggest", "{table}", "--monitor", "data_quality", "--output", "{yaml}"), "churn.yaml"),
        (("suggest", "{table}", "--monitor", "data_quality", "--output", "x", "--config", "{yaml}"), ":1: .*unknown"),
        (
            ("check", "{table}", "--monitor", "data_quality", "--baseline", "{folder}", "--output", "x"),
            "holds no constraints",
        ),
    ],
)
def test_what_a_person_can_mend_is_one_clear_error_and_exit_code_2(
    churn: Path, words: tuple[str, ...], message: str
) -> None:
    names = {"yaml": churn, "folder": churn.parent, "table": churn.parent / "data/training-dataset-with-header.csv"}
    code, text = told(*(word.format(**names) for word in words))
    assert code == 2
    assert re.search(message, text)
    assert "Traceback" not in text


@pytest.fixture
def watched(tmp_path: Path) -> Path:
    """An endpoint over two captured hours of 40 records each, and the folder of an edited baseline beside it."""
    lines = {
        hour: "".join(
            json.dumps(
                {
                    "captureData": {
                        side: {"observedContentType": "text/csv", "mode": mode, "data": str(value), "encoding": "CSV"}
                        for side, mode, value in (
                            ("endpointInput", "INPUT", row),
                            ("endpointOutput", "OUTPUT", row % 2),
                        )
                    },
                    "eventMetadata": {"eventId": f"{hour}-{row}", "inferenceTime": f"2026-01-01T0{hour}:{row:02}:00Z"},
                    "eventVersion": "0",
                }
            )
            + "\n"
            for row in range(40)
        )
        for hour in (0, 1)
    }
    for hour, text in lines.items():
        folder = tmp_path / f"capture/2026/01/01/0{hour}"
        folder.mkdir(parents=True)
        (folder / "records.jsonl").write_text(text)
    (tmp_path / "watched.yaml").write_text(
        "endpoint_name: watched\nroot: artifacts\n"
        "capture: {address: capture, input_names: [amount], output_names: [answer]}\n"
        "monitors: {data_quality: {}}\n"
    )
    rows = "answer,amount\n" + "".join(f"{row % 2},{row}\n" for row in range(40))
    (tmp_path / "reference.csv").write_text(rows)
    base = tmp_path / "base"
    assert told("suggest", tmp_path / "reference.csv", "--monitor", "data_quality", "--output", base)[0] == 0
    bounds = json.loads((base / "bounds.json").read_bytes())
    for one in bounds["constraints"]:
        if (one["check"], one["subject"], one["metric"]) == ("range_check", "amount", "maximum"):
            one |= {"enabled": True, "upper": 20.0}
    (base / "bounds.json").write_text(json.dumps(bounds))
    return tmp_path / "watched.yaml"


def test_an_edited_baseline_holds_from_the_moment_it_was_pinned_on(watched: Path) -> None:
    first, second = "2026-01-01T00:00:00Z/PT1H", "2026-01-01T01:00:00Z/PT1H"
    assert told("run", watched, "--window", first)[0] == 0
    code, text = told(
        *("pin", watched, "--monitor", "data_quality", "--baseline", watched.parent / "base"),
        *("--from", "2026-01-01T01:00:00Z"),
    )
    assert code == 0, text
    pinned = json.loads(told("run", watched, "--window", second, "--json")[1])
    assert pinned["baseline"] in text
    assert [one["constraint"]["check"] for one in pinned["violations"]] == ["range_check"]
    again = json.loads(told("run", watched, "--window", first, "--json")[1])
    assert (again["status"], again["baseline"] == pinned["baseline"]) == ("Completed", False)
    assert told("pin", watched, "--monitor", "data_quality", "--baseline", watched.parent / "base")[0] == 0
    assert json.loads(told("run", watched, "--window", first, "--json")[1])["baseline"] == pinned["baseline"]


@pytest.mark.parametrize(
    ("monitor", "folder", "told_of"),
    [("bias", "base", "has no monitor 'bias'; it has data_quality"), ("data_quality", "empty", "holds no constraints")],
)
def test_what_cannot_be_pinned_is_one_clear_error(watched: Path, monitor: str, folder: str, told_of: str) -> None:
    (watched.parent / "empty").mkdir()
    code, text = told("pin", watched, "--monitor", monitor, "--baseline", watched.parent / folder)
    assert (code, told_of in " ".join(text.split())) == (2, True), text
