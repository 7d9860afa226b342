"""read = used + quarantined + duplicate + out of window, whatever is thrown at it."""

import json
from pathlib import Path

from monitor_tasks.tables.captured import METADATA, capture
from monitor_tasks.tables.ledger import EXCERPT, Ledger, quarantine_line
from monitor_tasks.tables.lines import in_memory
from monitor_tasks.tables.readings import Span
from monitor_tasks.window import Window
from tests.tables.samples import REAL, captured, cells, objects, reasons, record


def test_the_ledger_names_every_object_and_every_reason() -> None:
    window = Window.parse("2026-01-01T00:00:00Z/PT1H")
    lines = [record("a"), record("a"), record("c", time="2026-02-01T00:00:00Z"), b"{", record("d", "1")]
    ledger = json.loads(
        capture(objects(("b", [record("b")]), ("a", lines), ("0", [])), span=Span(window)).ledger.to_json()
    )
    counts = {"read": 6, "used": 2, "quarantined": 2, "duplicate": 1, "out_of_window": 1}
    assert ledger["totals"] == counts
    assert ledger["reasons"] == {"column_count": 1, "not_json": 1}
    assert list(ledger["objects"]) == ["0", "a", "b"]
    assert [one["read"] for one in ledger["objects"].values()] == [0, 5, 1]
    assert all(len(one["sha256"]) == 64 for one in ledger["objects"].values())
    empty = {"read": 0, "used": 0, "quarantined": 0, "duplicate": 0, "out_of_window": 0}
    assert Ledger().totals == empty


def test_a_quarantined_record_has_place_reason_and_a_bounded_excerpt() -> None:
    found = captured(b"", b'{"\xff\x00\xe2\x80\xa8' + b"x" * 1000)
    (entry,) = (json.loads(quarantine_line(one)) for one in found.quarantine())
    assert list(entry) == ["object", "line", "offset", "reason", "explanation", "excerpt"]
    assert (entry["object"], entry["line"], entry["offset"], entry["reason"]) == ("o.jsonl", 2, 1, "not_utf8")
    assert entry["excerpt"].startswith('{"\\ufffd\\x00\\u2028xx')
    assert len(entry["excerpt"]) <= 6 * EXCERPT


def test_real_records_are_read(shared: Path) -> None:
    found = {name: capture(in_memory([(name, (shared / "sagemaker" / name).read_bytes())])) for name in REAL}
    totals = {name: one.ledger.totals for name, one in found.items()}
    assert (totals[REAL[0]]["used"], found[REAL[0]].table.num_columns) == (3, len(METADATA) + 70)
    assert reasons(found[REAL[1]]) == ["several_rows", "several_rows"]
    split = captured((shared / "sagemaker" / REAL[1]).read_bytes(), split_rows=True)
    assert (split.ledger.totals["used"], cells(split)["_c1"]) == (2, ["1.0", "2.0", "5.0"] * 2)
    assert reasons(found[REAL[2]]) == ["several_rows"]
