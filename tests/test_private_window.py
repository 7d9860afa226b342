"""A secret in private columns, planted in a whole window: no artifact, page, message or log holds it."""

import csv
import io
import json
import logging
import shutil
from pathlib import Path

import pytest
from typer.testing import CliRunner

from examples.loan_scoring.simulate import simulate
from examples.loan_scoring.story import EIGHT
from monitor_tasks import tasks
from monitor_tasks.cli import app
from monitor_tasks.endpoint import Endpoint
from monitor_tasks.report import ModelCard
from monitor_tasks.sending import announce
from monitor_tasks.site import Site, load_endpoint
from monitor_tasks.staging import expected_columns
from monitor_tasks.tables.files import read_table
from monitor_tasks.value import UserError
from monitor_tasks.window import Window, parse_time

ROOT = Path(__file__).parents[1]
START = parse_time("2026-01-01T00:00:00Z")
WINDOW = Window.parse("2026-01-01T01:00:00Z/PT1H")
SECRET, PIN = "Planted-Secret", "planted-pin"
CHANGES = {
    "  input_names:\n": "  private: {email: hash, pin: drop}\n  input_names:\n    - email\n    - pin\n",
    "  label_horizon: PT4H": "  label_horizon: PT4H\n  merged_records: true",
    "    estimate: true": "    estimate: true\n    segments: [region, email]\n    worst_slices: {}",
    "    suite: suite.json": "    suite: suite.json\n    drift: {table: [mmd], sample_rows: 100}\n"
    "    duplicate_rows_check: true\n    format_check: true\n    encoding_check: true",
    "    facets: [{name: age_group, value_or_threshold: [\"60+\"]}]": "    facets: [{name: age_group, "
    "value_or_threshold: [\"60+\"]}, {name: email}]\n    group_variable: email",
    "    sample_rows: 500": "    sample_rows: 100\n    save_local_shap_values: true",
    "retraining:\n": "alerts: [{kind: slack, conn_id: chat}]\nemit: {prometheus: out.prom}\nretraining:\n",
}  # fmt: skip


@pytest.fixture(scope="module")
def planted(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An hour of the demo's traffic whose every record holds a secret, and records that cannot be used, too."""
    home = tmp_path_factory.mktemp("planted")
    simulate(home, EIGHT[1:2], START, 300, seed=7)
    suite = ROOT / "examples/loan_scoring/suite.json"
    shutil.copy(suite, home)
    for path in (home / "capture").rglob("*.jsonl"):
        lines = [planted_in(line, number) for number, line in enumerate(path.read_text().splitlines())]
        record = json.loads(lines[-1] if lines[-1].endswith("}") else lines[-2])
        strange = [
            {**record, "eventMetadata": {"eventId": "a", "inferenceTime": SECRET}},
            {**record, "eventMetadata": {**record["eventMetadata"], "eventId": ""}},
        ]
        path.write_text("\n".join([f"{{{SECRET}{PIN}", *lines, *map(json.dumps, strange)]) + "\n")
    path = home / "reference_labelled.csv"
    head, *rows = csv.reader(path.read_text().splitlines()[:601])
    with path.open("w", newline="") as file:
        csv.writer(file).writerows([[*head, "email", "pin"], *([*row, cell(n), PIN] for n, row in enumerate(rows))])
    return home


def cell(number: int) -> str:
    return f"{SECRET}-{number % 3}@example.org"


def planted_in(line: str, number: int) -> str:
    try:
        record = json.loads(line)
        side = record["captureData"]["endpointInput"]
        (cells,) = csv.reader(io.StringIO(side["data"]))
    except (ValueError, KeyError, TypeError):
        return line + SECRET + PIN
    text = io.StringIO()
    csv.writer(text, lineterminator="").writerow([cell(number), PIN, *cells])
    return json.dumps(
        {**record, "captureData": {**record["captureData"], "endpointInput": {**side, "data": text.getvalue()}}}
    )


def endpoint(home: Path) -> str:
    text = (ROOT / "dags/endpoints/loan-scoring.yaml").read_text()
    for old, new in CHANGES.items():
        assert old in text
        text = text.replace(old, new)
    (home / "endpoint.yaml").write_text(text)
    return text


def stored(home: Path, root: str) -> dict[str, str]:
    """Everything that was written, tables as the text of their cells."""
    files = [path for path in [*(home / root).rglob("*"), home / "out.prom"] if path.is_file()]
    return {
        str(path.relative_to(home)): str(read_table(path.read_bytes(), path.name).to_pydict())
        if path.suffix == ".parquet"
        else path.read_text()
        for path in files
    }


@pytest.mark.long
def test_a_secret_in_a_private_column_is_in_nothing_that_is_written_or_said(
    planted: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("MONITOR_TASKS_HOME", str(planted))
    monkeypatch.setenv("MONITOR_TASKS_PRIVATE_KEY", "key")
    caplog.set_level(logging.DEBUG)
    endpoint(planted)
    said = CliRunner().invoke(app, ["run", str(planted / "endpoint.yaml"), "--window", str(WINDOW), "--json"])
    assert said.exit_code == 1, said.output
    place = Site(load_endpoint(str(planted / "endpoint.yaml"), (planted / "endpoint.yaml").read_text(), str(planted)))
    assert announce(place, WINDOW)
    found = stored(planted, "artifacts")
    kinds = {name.rpartition("/")[2] for name in found}
    assert {"captured.parquet", "labelled.parquet", "merged.jsonl", "quarantine.jsonl", "slices.json", "report.html",
            "profile.json", "expectations.json", "out.csv"} <= kinds  # fmt: skip
    assert any("/alerts/" in name for name in found)
    assert {name.split("/")[2] for name in found if name.endswith("/report.json")} == {*place.endpoint.configured()}
    for what, text in {**found, "printed": said.output, "logged": caplog.text}.items():
        assert SECRET not in text, what
        assert PIN not in text, what
    quarantined = [text for name, text in found.items() if name.endswith("quarantine.jsonl")]
    reasons = {json.loads(line)["reason"] for text in quarantined for line in text.splitlines()}
    assert {"not_json", "unparsable_time", "no_event_id"} <= reasons
    rows = next(text for name, text in found.items() if name.endswith("captured.parquet"))
    assert "'#" in rows
    assert "'pin'" not in rows


def test_no_private_cell_of_a_record_is_stored(planted: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MONITOR_TASKS_PRIVATE_KEY", "key")
    text = endpoint(planted).replace("root: artifacts", "root: records")
    tasks.ingest_capture(Site(load_endpoint("endpoint.yaml", text, str(planted))), WINDOW)
    found = stored(planted, "records")
    assert any("quarantine.jsonl" in name for name in found)
    assert [name for name, text in found.items() if SECRET in text or PIN in text] == []


def test_the_same_hour_holds_the_secret_where_nothing_is_private(planted: Path, tmp_path: Path) -> None:
    text = (
        endpoint(planted).replace("  private: {email: hash, pin: drop}\n", "").replace("root: artifacts", "root: plain")
    )
    place = Site(load_endpoint("endpoint.yaml", text, str(planted)))
    key = tasks.ingest_capture(place, WINDOW)
    assert SECRET in str(place.table(key).to_pydict())
    assert SECRET in place.store.get(key.replace("manifest.json", "quarantine.jsonl")).decode()


def test_without_a_key_nothing_is_hashed(planted: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MONITOR_TASKS_PRIVATE_KEY", raising=False)
    place = Site(load_endpoint("endpoint.yaml", endpoint(planted), str(planted)))
    with pytest.raises(UserError, match="MONITOR_TASKS_PRIVATE_KEY is not set"):
        tasks.ingest_capture(place, WINDOW)


def test_another_key_is_another_revision(planted: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text = endpoint(planted).replace("root: artifacts", "root: keys")
    place, keys = Site(load_endpoint("endpoint.yaml", text, str(planted))), set()
    for key in ("one", "two"):
        monkeypatch.setenv("MONITOR_TASKS_PRIVATE_KEY", key)
        keys.add(tasks.ingest_capture(place, WINDOW))
    assert len(keys) == 2
    assert all("'one'" not in place.store.get(key).decode() for key in keys)


def test_a_private_column_under_another_name_stops_the_window(planted: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MONITOR_TASKS_PRIVATE_KEY", "key")
    text = endpoint(planted).replace("    - email\n", "    - e_mail\n").replace("{email: hash", "{email: drop")
    place = Site(load_endpoint("endpoint.yaml", text.replace("    - pin\n", ""), str(planted)))
    with pytest.raises(UserError, match="private: no column is called 'email', so it cannot be hidden") as caught:
        tasks.ingest_capture(place, WINDOW)
    assert SECRET not in str(caught.value)


@pytest.mark.parametrize(
    ("private", "said"),
    [
        ("{probability: hash}", "capture.private: 'probability' cannot be hidden, monitors.model_quality measures"),
        ("{age_group: drop}", "capture.private: 'age_group' cannot be hidden, monitors.bias measures its cells"),
        ("{'@time': drop}", "names of columns may not begin with '@'"),
        ("{pin: mask}", "capture.private.pin: Input should be 'hash' or 'drop'"),
    ],
)
def test_what_is_measured_cannot_be_hidden(planted: Path, private: str, said: str) -> None:
    text = endpoint(planted).replace("private: {email: hash, pin: drop}", f"private: {private}")
    with pytest.raises(UserError, match=said):
        Endpoint.parse(text, "endpoint.yaml")


def test_a_column_that_is_hidden_from_one_monitor_alone_is_told_where_it_belongs(planted: Path) -> None:
    text = endpoint(planted).replace("    duplicate_rows_check", "    private: {email: hash}\n    duplicate_rows_check")
    with pytest.raises(UserError, match=r"in an endpoint write capture\.private"):
        Endpoint.parse(text, "endpoint.yaml")


def test_a_model_needs_to_see_its_features(planted: Path) -> None:
    text = endpoint(planted).replace("{email: hash", "{income: hash, email: hash")
    place = Site(load_endpoint("endpoint.yaml", text, str(planted)))
    with pytest.raises(UserError, match=r"capture\.private hides 'income', which the model needs to see"):
        expected_columns(place, ModelCard(features=("income",)))
    assert expected_columns(place, ModelCard(features=("region",))) == ("region",)


@pytest.mark.parametrize(
    ("private", "shown"), [("{}", True), ("{age_group: hash}", False), ("{age_group: drop}", False)]
)
def test_a_table_in_hand_is_hidden_from_every_monitor_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, private: str, shown: bool
) -> None:
    monkeypatch.setenv("MONITOR_TASKS_PRIVATE_KEY", "key")
    segments = "" if "drop" in private else "segments: [age_group]\n"
    text = (ROOT / "docs/examples/model_quality.yaml").read_text() + f"private: {private}\n{segments}"
    (tmp_path / "quality.yaml").write_text(text)
    words = [
        "--monitor",
        "model_quality",
        "--config",
        str(tmp_path / "quality.yaml"),
        "--output",
        str(tmp_path / "out"),
    ]
    done = CliRunner().invoke(app, ["suggest", str(ROOT / "docs/examples/reference.csv"), *words])
    assert done.exit_code == 0, done.output
    assert any("45-59" in path.read_text() for path in (tmp_path / "out").rglob("*.json")) is shown
