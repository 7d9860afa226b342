"""Whatever befalls a record: nothing crashes, every count adds up, and with others it is read as it is alone."""

import random
from collections.abc import Callable
from pathlib import Path

import pytest

from monitor_tasks.inputs import Records
from monitor_tasks.tables.captured import capture
from monitor_tasks.tables.files import read_table, table_bytes
from monitor_tasks.tables.lines import in_memory
from monitor_tasks.tables.readings import Span
from monitor_tasks.window import Window
from tests.tables.samples import REAL, every_way, of_json, told, written

MUTATIONS = 10_000
TOGETHER = 100
MARKS = (
    *(bytes([mark]) for mark in b',"\\{}[]: \t\r\0\x1f0.-+'),
    *rb"\" \n \u0041 00 e5 nan null true".split(),
    *b"\xef\xbb\xbf \xc3\xa9 \xff \xe2\x80\xa8".split(),
)
"""What means something in JSON, in CSV, between lines, or in UTF-8."""


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


def _mark(line: bytes, chance: random.Random) -> bytes:
    """Puts a mark anywhere, or in place of a byte."""
    at = chance.randrange(len(line) + 1)
    return line[:at] + chance.choice(MARKS) + line[at + chance.randrange(2) :]


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


HOW = ({}, {"custom_attributes": ("n", "m")}, {"split_rows": True})


def _in(encoding: str) -> Callable[[random.Random], list[bytes]]:
    return lambda chance: [
        written([chance.choice(["{:.3f}", "{}"]).format(chance.random()), str(chance.randrange(99)), "x y"], encoding)
        for _ in range(24)
    ]


def _nested(chance: random.Random) -> list[bytes]:
    payload = '{{"a": {}, "b": {{"c": {}, "d": "t{}"}}, "e": [1.5, {}]}}'
    return [
        of_json(payload.format(chance.random(), n, n, -n), event_id=f"e{n}", customAttributes=[f"n={n}", f"m=a,{n}"])
        for n in range(24)
    ]


@pytest.mark.parametrize("cases", [6, pytest.param(60, marks=pytest.mark.long)])
@pytest.mark.parametrize("kind", ["CSV", "JSON", "BASE64 of CSV", "BASE64 of JSON", "nested", *REAL])
def test_mutated_records_are_read_together_as_alone(request: pytest.FixtureRequest, kind: str, cases: int) -> None:
    """Cut at commas where that can be, taken apart by a parser, and each by itself: table, ledger and quarantine."""
    chance = random.Random(f"{kind} {cases}")
    if kind in REAL:
        lines = (request.getfixturevalue("shared") / "sagemaker" / kind).read_bytes().splitlines()[:24]
    for _ in range(cases):
        if kind not in REAL:
            lines = _nested(chance) if kind == "nested" else _in(kind)(chance)
        share, found = chance.choice([0.1, 0.3, 1]), list(lines)
        for number in range(len(found)):
            while found[number] and chance.random() < share / 2:
                found[number] = chance.choice([_mark, _mark, _flip, _cut, _swap, _insert])(found[number], chance)
        end = chance.choice([b"", b"", b"", b"\r"])
        cut, parsed, alone = map(told, every_way([line + end for line in found], Span(), **chance.choice(HOW)))
        assert cut == parsed == alone
