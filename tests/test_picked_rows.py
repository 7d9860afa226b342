"""Rows picked as a window is written: attribution of a window of any size reads these alone, and finds the same."""

import json
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from monitor_tasks import tasks
from monitor_tasks.io.executions import read_artifact, read_manifest
from monitor_tasks.on_tables import of_judged
from monitor_tasks.site import Site, load_endpoint
from monitor_tasks.tables.files import Stored
from monitor_tasks.tables.sampling import LARGEST, PICKED, Picking, smallest_hashes
from monitor_tasks.window import Window
from tests.io.models.test_live import Endpoint as Answering
from tests.io.models.test_live import endpoint

__all__ = ["endpoint"]

HOUR = Window.parse("2026-01-01T00:00:00Z/PT1H")
ENDPOINT = """
endpoint_name: tiny
root: {root}
capture: {{address: capture, input_names: [age, income], output_names: [score], split_rows: true}}
model: {{address: "{address}", features: [age, income]}}
monitors:
  attribution:
    sample_rows: {sample_rows}
    baseline: [[0, 0]]
    predictor: {{requests_per_second: 1000, batch_rows: 10000}}
"""
EVENTS = LARGEST // 3 + 10


def capture(home: Path) -> None:
    """Events of three rows each, some more rows than are picked."""
    folder = home / "capture/2026/01/01/00"
    folder.mkdir(parents=True)
    lines = []
    for number in range(EVENTS):
        cells = "\n".join(f"{(number * 7 + row) % 90},{number * 13 % 100 / 10}" for row in range(3))
        sides = {"endpointInput": cells, "endpointOutput": "0.1\n0.2\n0.3"}
        data = {side: {"encoding": "CSV", "data": text} for side, text in sides.items()}
        moment = {"eventId": f"event {number}", "inferenceTime": "2026-01-01T00:10:00Z"}
        lines.append(json.dumps({"captureData": data, "eventMetadata": moment, "eventVersion": "0"}))
    (folder / "a.jsonl").write_text("\n".join(lines))


def site(home: Path, address: str, root: str, sample_rows: int) -> Site:
    text = ENDPOINT.format(root=root, address=address, sample_rows=sample_rows)
    return Site(load_endpoint(str(home / "tiny.yaml"), text, str(home)))


def judged(place: Site, captured: str) -> dict[str, bytes]:
    baseline = tasks.suggest_baseline(place, HOUR, captured)
    done = tasks.run_monitor(place, "attribution", HOUR, captured, baseline)
    return {name: read_artifact(place.store, done, name) for name in ("report.json", "profile.json", "analysis.json")}


def test_attribution_reads_the_picked_rows_alone_and_finds_what_all_of_them_tell(
    tmp_path: Path, endpoint: Answering, monkeypatch: pytest.MonkeyPatch
) -> None:
    def score(_: str, body: bytes) -> tuple[int, bytes]:
        rows = [[float(cell) for cell in line.split(",")] for line in body.decode().splitlines()]
        return 200, "".join(f"{age + 2 * income!r}\n" for age, income in rows).encode()

    endpoint.usual = score
    capture(tmp_path)
    place = site(tmp_path, endpoint.address, "picked", 100)
    captured = tasks.ingest_capture(place, HOUR)
    picked, whole = place.table(captured, PICKED), place.table(captured)
    assert (picked.num_rows, whole.num_rows) == (LARGEST, 3 * EVENTS)
    assert picked.equals(smallest_hashes(whole, LARGEST))
    assert {0, 1, 2} == set(picked["@row"].to_pylist())
    assert set(read_manifest(place.store, captured).artifacts) == {
        "captured.parquet", "ledger.json", "quarantine.jsonl", PICKED,
    }  # fmt: skip
    tasks.suggest_baseline(place, HOUR, captured)
    (tmp_path / "picked/tiny" / captured.removeprefix("tiny/").replace("manifest.json", "captured.parquet")).unlink()
    found = judged(place, captured)
    assert len(json.loads(found["profile.json"])["entries"]) == 100

    monkeypatch.setattr(Picking, "table", None)
    other = site(tmp_path, endpoint.address, "all", 100)
    rows = tasks.ingest_capture(other, HOUR)
    assert PICKED not in read_manifest(other.store, rows).artifacts
    assert judged(other, rows) == found


def test_of_a_larger_sample_all_rows_are_read(tmp_path: Path, endpoint: Answering) -> None:
    endpoint.usual = lambda _, body: (200, b"".join(line.split(b",")[0] + b"\n" for line in body.splitlines()))
    capture(tmp_path)
    place = site(tmp_path, endpoint.address, "large", LARGEST + 10)
    found = judged(place, tasks.ingest_capture(place, HOUR))
    assert len(json.loads(found["profile.json"])["entries"]) == LARGEST + 10


def test_picked_rows_hide_what_the_window_hides(tmp_path: Path) -> None:
    capture(tmp_path)
    text = ENDPOINT.format(root="hidden", address="https://models.example", sample_rows=100)
    text = text.replace("split_rows: true", "split_rows: true, private: {income: drop}")
    place = Site(load_endpoint("tiny.yaml", text, str(tmp_path)))
    picked = place.table(tasks.ingest_capture(place, HOUR), PICKED)
    assert picked.num_rows == LARGEST
    assert "income" not in picked.column_names


ROWS = st.lists(
    st.tuples(st.integers(0, 30), st.integers(0, 2), st.sampled_from(["blue", "green", None])),
    max_size=40, unique_by=lambda row: row[:2],
)  # fmt: skip


def table(rows: list[tuple[int, int, str | None]]) -> pa.Table:
    events, places, variants = zip(*rows, strict=True) if rows else ((), (), ())
    columns = {
        "@event_id": pa.array([f"event {number}" for number in events], pa.string()),
        "@row": pa.array(places, pa.int64()),
        "@variant": pa.array(variants, pa.string()),
    }
    return pa.table({**columns, "x": pa.array([float(number) for number in events], pa.float64())})


def cut(rows: pa.Table, size: int) -> Iterator[pa.Table]:
    return (rows.slice(start, size) for start in range(0, rows.num_rows, size))


def picked(rows: pa.Table, k: int, size: int) -> pa.Table:
    picking = Picking(k)
    assert sum(piece.num_rows for piece in picking.passing(cut(rows, size))) == rows.num_rows
    return smallest_hashes(rows, rows.num_rows) if picking.table is None else picking.table


@settings(max_examples=40)
@given(ROWS, st.integers(1, 12), st.integers(1, 12), st.integers(1, 9))
def test_however_a_window_is_cut_its_picked_rows_are_the_sample_of_any_of_its_variants(
    rows: list[tuple[int, int, str | None]], k: int, asked: int, size: int
) -> None:
    whole, asked = table(rows), min(asked, k)
    found = picked(whole, k, size)
    assert smallest_hashes(found, asked).equals(smallest_hashes(whole, asked))
    for shadow, named in ((["blue"], []), ([], ["green"])):
        sample, all_ = (of_judged(Stored.of(one), shadow, named) for one in (found, whole))
        assert smallest_hashes(sample, asked).equals(smallest_hashes(all_, asked))


@settings(max_examples=40)
@given(ROWS, st.integers(0, 40), st.integers(1, 12))
def test_the_picked_rows_of_two_windows_hold_the_sample_of_both(
    rows: list[tuple[int, int, str | None]], first: int, k: int
) -> None:
    parts = [picked(table(part), k, 5) for part in (rows[:first], rows[first:])]
    assert smallest_hashes(pa.concat_tables(parts), k).equals(smallest_hashes(table(rows), k))
