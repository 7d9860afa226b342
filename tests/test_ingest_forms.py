"""Every form in which traffic may lie, through the verb and the command line: scripts, transforms, tables, variants."""

import hashlib
import json
import shutil
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from typer.testing import CliRunner

from monitor_tasks import tasks
from monitor_tasks.cli import app
from monitor_tasks.endpoint import Endpoint
from monitor_tasks.io.store import Refused, Store, StoreError, list_objects
from monitor_tasks.site import Site
from monitor_tasks.value import UserError
from monitor_tasks.window import Window
from tests.tables.samples import record

WINDOW = Window.parse("2026-01-01T00:00:00Z/PT1H")
NEXT = Window.parse("2026-01-01T01:00:00Z/PT1H")
SCRIPT = """\
def preprocess_handler(inference_record, logger):
    return {"x": inference_record.endpoint_input.data.split(",")[0]}
"""


def put(folder: Path, key: str, content: bytes | str) -> Path:
    path = folder / key
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def site(home: Path, **capture: Any) -> Site:
    said = {
        "endpoint_name": "one", "root": "artifacts", "monitors": {"data_quality": {}},
        "capture": {"address": "capture", **capture},
    }  # fmt: skip
    return Site(Endpoint.parse(json.dumps(said), "one.yaml", str(home)))


def rows(place: Site, window: Window = WINDOW) -> pa.Table:
    return place.table(tasks.ingest_capture(place, window))


def column(place: Site, name: str, window: Window = WINDOW) -> list[Any]:
    return list(rows(place, window)[name].to_pylist())


def ledger(place: Site, window: Window = WINDOW) -> dict[str, Any]:
    return dict(place.ledger(tasks.ingest_capture(place, window)))


def told(*words: object) -> tuple[int, str]:
    done = CliRunner().invoke(app, [str(word) for word in words], env={"COLUMNS": "300"})
    return done.exit_code, done.output


def transform(home: Path, hour: str, outputs: str, inputs: str | None = None, job: str = "job") -> None:
    """A transform of one object, whose data lies below the capture's own folder."""
    data = home / "capture/data" / hour
    for side, content, name in (("output", outputs, "0.csv.out"), ("input", inputs, "0.csv")):
        if content is not None:
            put(data, f"{side}/{name}", content)
            manifest = [{"prefix": f"{data}/{side}/"}, name]
            put(home, f"capture/{side}/2026/01/01/{hour}/{job}.json", json.dumps(manifest, indent=2))


# Record preprocessor scripts


@pytest.fixture
def scripted(tmp_path: Path) -> Path:
    put(tmp_path, "capture/2026/01/01/00/a.jsonl", record("a", "7,8") + b"\n" + record("b", "9,8"))
    put(tmp_path, "scripts/preprocessor.py", SCRIPT)
    return tmp_path


def test_a_script_makes_the_rows(scripted: Path) -> None:
    place = site(scripted, record_preprocessor_script="scripts/preprocessor.py")
    assert column(place, "x") == ["7", "9"]


def test_another_script_is_another_revision_and_the_same_one_is_not_run_again(scripted: Path) -> None:
    place = site(scripted, record_preprocessor_script="scripts/preprocessor.py")
    first = tasks.ingest_capture(place, WINDOW)
    manifest = json.loads(place.store.get(first))
    assert manifest["inputs"]["preprocessor"] == hashlib.sha256(SCRIPT.encode()).hexdigest()
    put(scripted, "elsewhere/preprocessor.py", SCRIPT)
    assert tasks.ingest_capture(site(scripted, record_preprocessor_script="elsewhere/preprocessor.py"), WINDOW) == first
    put(scripted, "scripts/preprocessor.py", SCRIPT.replace("[0]", "[1]"))
    assert tasks.ingest_capture(place, WINDOW) != first
    assert column(place, "x") == ["8", "8"]


def test_a_pinned_script_is_proven(scripted: Path) -> None:
    pinned = {"record_preprocessor_sha256": hashlib.sha256(SCRIPT.encode()).hexdigest()}
    place = site(scripted, record_preprocessor_script="scripts/preprocessor.py", **pinned)
    assert column(place, "x") == ["7", "9"]
    put(scripted, "scripts/preprocessor.py", "import os\nos.abort()\n")
    with pytest.raises(UserError, match=r"capture\.record_preprocessor_sha256 says"):
        tasks.ingest_capture(place, WINDOW)


@pytest.mark.parametrize(
    ("script", "message"),
    [
        (b"x = 1\ny = (", r"preprocessor\.py:2: does not run: SyntaxError"),
        (b"x = 1\n", r"preprocessor\.py:1: has no function preprocess_handler"),
        (b"\xff", r"preprocessor\.py: is no Python script: byte 0"),
        (None, r"preprocessor\.py: nothing is there"),
    ],
)
def test_a_script_that_cannot_serve_is_one_error(scripted: Path, script: bytes | None, message: str) -> None:
    path = scripted / "scripts/preprocessor.py"
    path.unlink() if script is None else path.write_bytes(script)
    with pytest.raises(UserError, match=message):
        tasks.ingest_capture(site(scripted, record_preprocessor_script="scripts/preprocessor.py"), WINDOW)


def test_a_script_may_not_lie_outside_of_the_roots(scripted: Path) -> None:
    said = {
        "endpoint_name": "one", "root": f"{scripted}/artifacts", "monitors": {"data_quality": {}},
        "capture": {"address": f"{scripted}/capture", "record_preprocessor_script": "/usr/share/script.py"},
    }  # fmt: skip
    with pytest.raises(UserError, match=r"record_preprocessor_script: /usr/share/script\.py lies outside"):
        Endpoint.parse(json.dumps(said), "one.yaml", roots=(str(scripted),))


def test_failures_of_a_script_reconcile_and_lie_in_quarantine(scripted: Path) -> None:
    put(scripted, "scripts/preprocessor.py", "def preprocess_handler(one):\n    return {'x': 1 / 0}\n")
    place = site(scripted, record_preprocessor_script="scripts/preprocessor.py")
    counts = ledger(place)
    assert (counts["totals"]["read"], counts["totals"]["quarantined"], counts["reasons"]) == (2, 2, {"hook_failed": 2})
    (folder,) = (scripted / "artifacts/one/captured").rglob("quarantine.jsonl")
    first = json.loads(folder.read_text().splitlines()[0])
    assert first["explanation"].startswith(
        "ZeroDivisionError: division by zero; preprocessor.py:2 in preprocess_handler"
    )
    assert '"data": "7,8"' in first["excerpt"] or "captureData" in first["excerpt"]


def test_the_command_line_runs_a_script_beside_its_configuration(scripted: Path) -> None:
    config = put(scripted, "scripts/capture.yaml", "record_preprocessor_script: preprocessor.py\n")
    put(scripted, "scripts/preprocessor.py", SCRIPT + "print('begun')\n")
    code, _ = told("ingest", scripted / "capture", "--output", scripted / "out", "--config", config)
    assert code == 0
    assert pq.read_table(scripted / "out/captured.parquet")["x"].to_pylist() == ["7", "9"]


# Batch transforms


def test_manifests_lead_to_outputs_and_inputs(tmp_path: Path) -> None:
    transform(tmp_path, "00", "0.5\n0.25\n", "1,x\n2,y\n")
    transform(tmp_path, "01", "0.75\n", "3,z\n")
    place = site(
        tmp_path, dataset_format={"csv": {"header": False}}, output_names=["score"], input_names=["age", "name"]
    )
    assert rows(place).select(["score", "age", "name"]).to_pylist() == [
        {"score": "0.5", "age": "1", "name": "x"},
        {"score": "0.25", "age": "2", "name": "y"},
    ]
    assert column(place, "score", NEXT) == ["0.75"]
    assert set(column(place, "@object", NEXT)) == {f"{tmp_path}/capture/data/01/output/0.csv.out"}


def test_the_ledger_names_every_object_with_its_own_hash(tmp_path: Path) -> None:
    transform(tmp_path, "00", "0.5\n", "1\n")
    found = ledger(site(tmp_path, dataset_format={"csv": {"header": False}}))
    files = {path for path in (tmp_path / "capture").rglob("*") if path.is_file()}
    assert sorted(one["sha256"] for one in found["objects"].values()) == sorted(
        hashlib.sha256(path.read_bytes()).hexdigest() for path in files
    )
    assert sum(one["read"] for one in found["objects"].values()) == found["totals"]["read"] == 1


def test_ids_and_times_of_a_transform_decide(tmp_path: Path) -> None:
    row = {"SageMakerOutput": {"y": 1}, "x": 1}
    early = {"SageMakerInferenceId": "a", "SageMakerInferenceTime": "2026-01-01T00:59:59Z"}
    late = {"SageMakerInferenceId": "b", "SageMakerInferenceTime": "2026-01-01T01:00:00Z"}
    transform(tmp_path, "00", "\n".join(json.dumps({**stamp, **row}) for stamp in (early, late)))
    place = site(tmp_path, dataset_format={"json": {"lines": True}})
    assert (column(place, "@event_id"), column(place, "@event_id", NEXT)) == (["a"], ["b"])
    assert ledger(place)["totals"]["out_of_window"] == 1


def test_an_input_that_is_gone_is_missed_only_where_it_is_needed(tmp_path: Path) -> None:
    transform(tmp_path, "00", json.dumps({"SageMakerOutput": 1, "x": 2}), "{}")
    (tmp_path / "capture/data/00/input/0.csv").unlink()
    assert column(site(tmp_path, dataset_format={"json": {}}), "x") == ["2"]
    assert ledger(site(tmp_path, dataset_format={"csv": {"header": False}}))["reasons"] == {"no_input": 1}


def test_an_output_that_is_gone_is_one_clear_error(tmp_path: Path) -> None:
    transform(tmp_path, "00", "1\n", "1\n")
    (tmp_path / "capture/data/00/output/0.csv.out").unlink()
    with pytest.raises(StoreError, match=r"0\.csv\.out: nothing is there"):
        tasks.ingest_capture(site(tmp_path, dataset_format={"csv": {"header": False}}), WINDOW)


def test_another_file_among_manifests_is_one_clear_error(tmp_path: Path) -> None:
    put(tmp_path, "capture/output/2026/01/01/00/job.json", '{"a": 1}')
    with pytest.raises(UserError, match=r"output/2026/01/01/00/job\.json: is no manifest"):
        tasks.ingest_capture(site(tmp_path, dataset_format={"json": {}}), WINDOW)


@pytest.mark.parametrize("scheme", ["", "file://"])
def test_a_file_of_the_captures_own_folder_is_read_once(tmp_path: Path, scheme: str) -> None:
    put(tmp_path, "capture/data/0.csv.out", "1\n")
    manifest = json.dumps([{"prefix": f"{scheme}{tmp_path}/capture/data/"}, "0.csv.out"])
    put(tmp_path, "capture/output/2026/01/01/00/job.json", manifest)
    more: dict[str, Any] = {"dataset_format": {"csv": {"header": False}}, "capture_options": ["Output"]}
    assert column(site(tmp_path, layout="flat", **more), "_c0") == ["1"]
    assert column(site(tmp_path, **more), "_c0") == ["1"]


@pytest.mark.parametrize(
    "prefix",
    [
        "/etc/",
        "file:///etc/",
        "{capture}/../secret/",
        "{capture}-two/",
        "s3://bucket/",
        "passwd",
        "{capture}/%2e%2e/",
        "",
    ],
)
def test_a_manifest_leads_nobody_out_of_the_roots(tmp_path: Path, prefix: str) -> None:
    for folder in ("secret", "capture-two"):
        put(tmp_path, f"{folder}/0.csv.out", "secret\n")
    manifest = [{"prefix": prefix.format(capture=tmp_path / "capture")}, "0.csv.out"]
    put(tmp_path, "capture/output/2026/01/01/00/job.json", json.dumps(manifest))
    with pytest.raises(Refused):
        tasks.ingest_capture(site(tmp_path, dataset_format={"csv": {"header": False}}), WINDOW)


def test_a_link_leads_nobody_out_of_the_roots(tmp_path: Path) -> None:
    put(tmp_path, "secret/0.csv.out", "secret\n")
    transform(tmp_path, "00", "1\n")
    shutil.rmtree(tmp_path / "capture/data/00/output")
    (tmp_path / "capture/data/00/output").symlink_to(tmp_path / "secret")
    with pytest.raises(Refused, match="a link leads out"):
        tasks.ingest_capture(site(tmp_path, dataset_format={"csv": {"header": False}}), WINDOW)


def test_roots_allow_what_lies_elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    put(tmp_path, "elsewhere/0.csv.out", "1\n")
    manifest = json.dumps([{"prefix": f"{tmp_path}/elsewhere/"}, "0.csv.out"])
    put(tmp_path, "capture/output/2026/01/01/00/job.json", manifest)
    place = site(tmp_path, dataset_format={"csv": {"header": False}}, capture_options=["Output"])
    with pytest.raises(Refused, match="add its root to MONITOR_TASKS_ROOTS"):
        tasks.ingest_capture(place, WINDOW)
    monkeypatch.setenv("MONITOR_TASKS_ROOTS", f"memory://other,{tmp_path}")
    assert column(place, "_c0") == ["1"]


def test_a_manifest_may_name_another_bucket_of_the_same_kind_of_store(tmp_path: Path) -> None:
    capture, data = Store("memory://forms-capture/batch"), Store("memory://forms-data")
    data.put("out/0.csv.out", b"1\n")
    manifest = json.dumps([{"prefix": "memory://forms-data/out/"}, "0.csv.out"])
    capture.put("output/2026/01/01/00/job.json", manifest.encode())
    more: dict[str, Any] = {"dataset_format": {"csv": {"header": False}}, "capture_options": ["Output"]}
    assert column(site(tmp_path, address="memory://forms-capture/batch", **more), "_c0") == ["1"]


def test_a_real_transform_through_the_command_line(shared: Path, tmp_path: Path) -> None:
    name = "test-dataset.jsonl.out"
    put(tmp_path, f"capture/data/{name}", (shared / "sagemaker/adult/batch_transform_output.jsonl").read_bytes())
    head, *names = json.loads((shared / "sagemaker/adult/batch_capture_output_manifest.json").read_bytes())
    manifest = json.dumps([{**head, "prefix": f"{tmp_path}/capture/data/"}, *names])
    put(tmp_path, "capture/output/2023/01/21/01/job.json", manifest)
    config = put(tmp_path, "capture.yaml", "dataset_format: {json: {line: true}}\n")
    window = ("--window", "2023-01-21T01:00:00Z/PT1H")
    code, _ = told("ingest", tmp_path / "capture", "--output", tmp_path / "out", "--config", config, *window)
    totals = json.loads((tmp_path / "out/ledger.json").read_bytes())["totals"]
    assert (code, totals["read"], totals["used"]) == (0, 5, 5)
    table = pq.read_table(tmp_path / "out/captured.parquet")
    assert table.column_names[-16:-14] == ["predicted_label", "score"]
    assert table.num_rows == 5


# Tables without a manifest


@pytest.mark.parametrize("kind", ["csv", "json", "parquet"])
def test_tables_in_hour_folders_are_records(tmp_path: Path, kind: str) -> None:
    table = pa.table({"score": ["0.5", "0.25"], "age": ["1", "2"]})
    path = put(tmp_path, f"capture/2026/01/01/00/part.{kind}", "")
    if kind == "parquet":
        pq.write_table(table, path)
    else:
        lines = {"csv": "score,age\n0.5,1\n0.25,2\n", "json": "\n".join(map(json.dumps, table.to_pylist()))}
        path.write_text(lines[kind])
    place = site(tmp_path, dataset_format={kind: {}}, output_names=["score"])
    assert rows(place).select(["score", "age"]).to_pydict() == table.to_pydict()
    assert column(place, "@event_id")[0] == f"2026/01/01/00/part.{kind}#1"
    assert ledger(place, NEXT)["totals"] == {
        "read": 2, "used": 0, "quarantined": 0, "duplicate": 0, "out_of_window": 2,
    }  # fmt: skip


def test_a_folder_called_output_may_hold_tables_or_manifests(tmp_path: Path) -> None:
    put(tmp_path, "capture/output/2026/01/01/00/table.json", '{"age": 1}\n')
    place = site(tmp_path, address="capture/output", dataset_format={"json": {}}, capture_options=["Output"])
    assert column(place, "age") == ["1"]
    shutil.rmtree(tmp_path / "capture/output")
    put(tmp_path, "capture/output/data/0.json.out", '{"age": 2}\n')
    manifest = json.dumps([{"prefix": f"{tmp_path}/capture/output/data/"}, "0.json.out"])
    put(tmp_path, "capture/output/2026/01/01/00/job.json", manifest)
    assert column(place, "age") == ["2"]


def test_a_table_that_changes_while_it_is_read_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    put(tmp_path, "capture/2026/01/01/00/a.csv", "1,2\n")
    monkeypatch.setattr("monitor_tasks.intake.digest_of", lambda _: "0" * 64)
    with pytest.raises(UserError, match=r"a\.csv: changed while it was read"):
        tasks.ingest_capture(site(tmp_path, dataset_format={"csv": {"header": False}}), WINDOW)


# Variants


def test_variants_are_a_column(tmp_path: Path) -> None:
    for name, data in (("blue", "1,1"), ("green", "2,2")):
        put(tmp_path, f"capture/{name}/2026/01/01/00/a.jsonl", record(f"{name}-0", data))
        put(tmp_path, f"capture/{name}/2026/01/01/05/a.jsonl", record(f"{name}-5", data))
    place = site(tmp_path, layout="variants")
    assert rows(place).select(["@variant", "_c1"]).to_pydict() == {"@variant": ["blue", "green"], "_c1": ["1", "2"]}
    found = ledger(place)["objects"]
    assert list(found) == ["blue/2026/01/01/00/a.jsonl", "green/2026/01/01/00/a.jsonl"]


def test_a_record_in_a_variants_neighbouring_hour_belongs_to_its_own_window(tmp_path: Path) -> None:
    put(tmp_path, "capture/blue/2026/01/01/00/a.jsonl", record("a", time="2026-01-01T01:00:00Z") + b"\nbroken\n")
    place = site(tmp_path, layout="variants")
    assert ledger(place)["totals"]["quarantined"] == 1
    assert ledger(place, NEXT)["totals"] == {
        "read": 2, "used": 1, "quarantined": 0, "duplicate": 0, "out_of_window": 1,
    }  # fmt: skip


def test_folders_are_listed_and_files_are_not(tmp_path: Path) -> None:
    for key in ("blue/2026/01/01/00/a", "green/b", "c"):
        put(tmp_path, f"top/{key}", "x")
        Store("memory://forms-folders/top").put(key, b"x")
    for address in (str(tmp_path / "top"), "memory://forms-folders/top"):
        assert Store(address).folders() == ["blue", "green"]
        assert Store(address).folders("blue") == ["2026"]
        assert Store(address).folders("nowhere") == []
        found = list_objects(address, window=WINDOW, above=None)
        assert [key for _, key in found] == ["blue/2026/01/01/00/a"]


def test_the_command_line_reads_variants(tmp_path: Path) -> None:
    for name in ("blue", "green"):
        put(tmp_path, f"capture/{name}/2026/01/01/00/a.jsonl", record(name))
    config = put(tmp_path, "capture.yaml", "layout: variants\n")
    code, _ = told("ingest", tmp_path / "capture", "--output", tmp_path / "out", "--config", config)
    assert (code, pq.read_table(tmp_path / "out/captured.parquet")["@variant"].to_pylist()) == (0, ["blue", "green"])
