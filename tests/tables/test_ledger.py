"""read = used + quarantined + duplicate + out of window, whatever is thrown at it."""

import json
import random
from collections.abc import Callable
from pathlib import Path

import pytest

from monitor_tasks.inputs import Records
from monitor_tasks.tables.captured import METADATA, capture
from monitor_tasks.tables.files import read_table, table_bytes
from monitor_tasks.tables.ledger import EXCERPT, Ledger, quarantine_line
from monitor_tasks.tables.lines import in_memory
from monitor_tasks.tables.readings import Span
from monitor_tasks.window import Window
from tests.tables.samples import captured, cells, objects, reasons, record

REAL = ("churn/capture.csv.jsonl", "sdk/captured-data.json-encoding.jsonl", "adult/endpoint_jsonlines.capture.jsonl")
MUTATIONS = 10_000
TOGETHER = 100


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


def _flip(line: bytes, chance: random.Random) -> bytes:
    at = chance.randrange(len(line))
    return line[:at] + bytes([chance.randrange(256)]) + line[at + 1 :]


def _cut(line: bytes, chance: random.Random) -> bytes:
    return line[: chance.randrange(len(line) + 1)]


def _double(line: bytes, chance: random.Random) -> bytes:
    return line + chance.choice([b"\n", b"", b"\r\n", b"\n\n"]) + line


def _swap(line: bytes, chance: random.Random) -> bytes:
    old = chance.choice([b'"', b",", b"CSV", b"JSON", b":", b"}", b"0", b"eventId", b"Z", b"\\", b"{", b"[", b"data"])
    new = chance.choice([b"NaN", b"", b"\\ud800", b"BASE64", b"\xff", b"1e999", b"null", b"[[", b"\\n", b"9" * 5000])
    return line.replace(old, new, chance.randrange(1, 4))


def _insert(line: bytes, chance: random.Random) -> bytes:
    at = chance.randrange(len(line) + 1)
    return line[:at] + bytes(chance.randrange(256) for _ in range(chance.randrange(1, 9))) + line[at:]


@pytest.mark.parametrize("mutate", [_flip, _cut, _double, _swap, _insert], ids=lambda one: one.__name__[1:])
def test_mutated_real_records_never_crash_and_always_add_up(
    shared: Path, mutate: Callable[[bytes, random.Random], bytes]
) -> None:
    """10,000 mutated records in all: 0 crashes, 0 records lost."""
    chance = random.Random(mutate.__name__)
    lines = [line for name in REAL for line in (shared / "sagemaker" / name).read_bytes().splitlines() if line]
    spans = [Span(), Span(Window.parse("2022-04-18T00:00:00Z/PT1H"))]
    for number in range(MUTATIONS // 5 // TOGETHER):
        mutated = [mutate(chance.choice(lines), chance) for _ in range(TOGETHER)]
        content = b"\n".join([*mutated, *lines])
        found = capture(in_memory([("o", content)]), Records(split_rows=number % 2 == 1), chance.choice(spans))
        totals = found.ledger.totals
        assert totals["read"] == sum(bool(line.strip(b"\xef\xbb\xbf \t\r\n\x0b\x0c")) for line in content.split(b"\n"))
        assert totals["used"] == len(set(found.table["@line"].to_pylist()))
        assert totals["quarantined"] == len(list(found.quarantine()))
        assert totals["read"] == sum(totals[fate] for fate in ("used", "quarantined", "duplicate", "out_of_window"))
    assert read_table(table_bytes(found.table), "captured.parquet") == found.table
