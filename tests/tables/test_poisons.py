"""What is poison to readers of text: each has its reason, harms no neighbour, and is read in little memory."""

import gzip
import json
import subprocess
import sys
import zlib
from collections.abc import Iterator

import pytest

from monitor_tasks.inputs import Limits, Records
from monitor_tasks.tables.captured import Captured, capture
from monitor_tasks.tables.lines import LineReason, in_memory
from tests.tables.samples import cells, of_json, record

FINE = b"".join(record(f"fine {n}") + b"\n" for n in range(100))
DEEP = "[" * 100_000 + "]" * 100_000
CAP = 500
"""Megabytes that reading poison may take, libraries included."""

POISONS: dict[str, tuple[bytes, dict[str, int], int]] = {
    # what is put between fine records, the reasons it is quarantined for, how many of its records are used
    "NaN and Infinity": (of_json('{"_c1": NaN, "_c2": -Infinity}', event_id="x") + b"\n", {}, 1),
    "NaN around the payload": (record().replace(b'"0"', b"NaN"), {"not_json": 1}, 0),
    "1e308 and more": (of_json('{"_c1": 1e308, "_c2": 1e999}', event_id="x") + b"\n", {}, 1),
    "integers over 2^63": (record("x", f"{2**63},{-(2**64)}") + b"\n", {}, 1),
    "invalid UTF-8": (record().replace(b"0.5", b"\xff") + b"\n", {"not_utf8": 1}, 0),
    "ends of lines as Windows writes them": (record("x") + b"\r\n" + record("y") + b"\r\n", {}, 2),
    "a line that was cut": (record("x")[:-30] + b"\n", {"not_json": 1}, 0),
    "a record of 10 MB": (record("x", "1," + "9" * 10_000_000) + b"\n", {"too_long": 1}, 0),
    "100,000 deep JSON": (of_json(DEEP, event_id="x") + b"\n", {"too_deep": 1}, 0),
    "100,000 deep line": (b'{"a": ' + DEEP.encode() + b"}\n", {"too_deep": 1}, 0),
    "a key twice": (of_json('{"_c1": 1, "_c1": 2}', event_id="x") + b"\n", {"bad_payload": 1}, 0),
    "a key of ours twice": (record("x").replace(b'"eventId"', b'"eventId": "y", "eventId"'), {"duplicate_key": 1}, 0),
    "10,000 columns": (record("x", ",".join("1" * 10_000)) + b"\n", {"too_many_columns": 1}, 0),
    "null bytes": (b"\x00" * 1000 + b"\n", {"not_json": 1}, 0),
    "half of a surrogate pair": (of_json('{"_c1": "\\ud800"}', event_id="x") + b"\n", {"bad_payload": 1}, 0),
}


def read(*objects: tuple[str, bytes], **how: object) -> Captured:
    return capture(in_memory(objects), Records.model_validate(how))


def adds_up(found: Captured) -> bool:
    totals = found.ledger.totals
    rest = sum(totals[fate] for fate in ("used", "quarantined", "duplicate", "out_of_window"))
    return totals["read"] == rest and totals["quarantined"] == sum(1 for _ in found.quarantine())


@pytest.mark.parametrize("name", POISONS)
def test_a_poison_has_its_reason_and_harms_no_neighbour(name: str) -> None:
    poison, reasons, used = POISONS[name]
    for content in (FINE + poison.rstrip(b"\n") + b"\n" + FINE.replace(b"fine", b"good"), poison):
        found = read(("o", content))
        fine = content.count(b'"fine ') + content.count(b'"good ')
        assert found.ledger.told["reasons"] == reasons
        assert found.ledger.totals["used"] == fine + used
        assert adds_up(found)


def test_a_mark_before_the_first_line_and_a_last_line_without_end() -> None:
    found = read(("a", b"\xef\xbb\xbf" + FINE.rstrip()), ("b", FINE.replace(b"fine", b"good") + record("x")[:-9]))
    assert (found.ledger.totals["used"], found.ledger.told["reasons"]) == (200, {"not_json": 1})


def test_a_gzip_that_was_cut_short_gives_what_it_has() -> None:
    packed = gzip.compress(FINE, mtime=0)
    for end in (1, 9, 20, len(packed) // 2, len(packed) - 9, len(packed) - 1):
        found = read(("o.gz", packed[:end]), ("p", FINE.replace(b"fine", b"good")))
        assert found.ledger.told["reasons"] == {"damaged_gzip": 1}
        assert adds_up(found)
        whole = zlib.decompressobj(31).decompress(packed[:end]).count(b"\n")
        assert found.ledger.totals["used"] == 100 + whole


def test_a_gzip_bomb_is_given_up() -> None:
    found = read(("o.gz", gzip.compress(FINE + b"\n" * 100_000_000)), ("p", FINE.replace(b"fine", b"good")))
    assert found.ledger.told["reasons"] == {"gzip_bomb": 1}
    assert found.ledger.totals["used"] == 200
    far = read(("o.gz", gzip.compress(FINE * 30)), limits=Limits(unfolding=10))
    assert far.ledger.told["reasons"] == {}


def test_limits_are_the_users_to_set() -> None:
    long = record("x", "1," + "9" * 10_000_000)
    assert read(("o", long), limits=Limits(record_bytes=16 << 20)).ledger.totals["used"] == 1
    assert read(("o", FINE), limits=Limits(record_bytes=50)).ledger.told["reasons"] == {"too_long": 100}
    deep = of_json({"a": [[[1]]]})
    assert read(("o", deep), limits=Limits(depth=3)).ledger.told["reasons"] == {"too_deep": 1}
    wide = record("x", "1,2,3")
    assert read(("o", wide), limits=Limits(columns=2)).ledger.told["reasons"] == {"too_many_columns": 1}


def test_every_reason_for_a_line_is_reached() -> None:
    reached = {reason for _, reasons, _ in POISONS.values() for reason in reasons} | {"damaged_gzip", "gzip_bomb"}
    assert set(LineReason) <= reached


def test_names_that_are_too_many_cost_only_their_records() -> None:
    lines = [of_json({"_c1": 1, f"once {n}": 2}, event_id=str(n)) for n in range(300)]
    found = read(("o", b"\n".join([*lines, FINE])), limits=Limits(columns=9))
    assert (found.ledger.totals["used"], found.ledger.told["reasons"]) == (108, {"too_many_columns": 292})
    assert len(cells(found)) <= 2 + 9 + 2
    assert adds_up(found)


def nasty() -> Iterator[tuple[str, bytes]]:
    """Objects that fill memory unless somebody minds."""
    for number, (poison, _, _) in enumerate(POISONS.values()):
        yield f"{number}", poison
    yield "bomb.gz", gzip.compress(b" " * 1_000_000_000, 1)
    yield "many bombs.gz", gzip.compress(b"{\n" * 300_000, 1)
    yield "junk", b"{\n" * 300_000
    yield "one line", b"x" * 200_000_000
    yield "names", b"\n".join(of_json({f"{n}": 1}, event_id=str(n)) for n in range(40_000))


MEASURE = """
import json, sys
from pathlib import Path
from tempfile import TemporaryFile
from monitor_tasks.inputs import Records
from monitor_tasks.tables.captured import capture
from monitor_tasks.tables.lines import Object

def chunks(path):
    with path.open("rb") as file:
        while piece := file.read(1 << 20):
            yield piece

objects = [Object(path.name, lambda path=path: chunks(path)) for path in Path(sys.argv[1]).iterdir()]
with TemporaryFile() as spill:
    found = capture(objects, Records(), spill=spill)
    rows = sum(batch.num_rows for batch in found.batches())
    lines = sum(1 for _ in found.quarantine())
peak = next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM"))
print(json.dumps({**found.ledger.totals, "rows": rows, "lines": lines, "megabytes": int(peak.split()[1]) // 1024}))
"""


@pytest.mark.long
@pytest.mark.skipif(sys.platform != "linux", reason="reads its peak memory from /proc")
def test_poison_is_read_in_little_memory(tmp_path_factory: pytest.TempPathFactory) -> None:
    folder = tmp_path_factory.mktemp("poison")
    for name, content in nasty():
        (folder / name).write_bytes(content)
    run = subprocess.run([sys.executable, "-c", MEASURE, folder], capture_output=True, text=True, check=True)
    found = json.loads(run.stdout)
    assert found["read"] == sum(found[fate] for fate in ("used", "quarantined", "duplicate", "out_of_window"))
    assert (found["rows"], found["lines"]) == (found["used"], found["quarantined"])
    assert found["megabytes"] < CAP, f"{found}"
