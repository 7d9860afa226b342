"""From ground-truth files to one label per id: whatever the order, every line has one fate."""

import gzip
import json
import random
from collections import Counter
from contextlib import suppress
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from monitor_tasks.tables.files import table_bytes
from monitor_tasks.tables.labels import LABELS, LabelReason, Labels, parse_label, read_labels
from monitor_tasks.tables.ledger import quarantine_line
from monitor_tasks.tables.payloads import Unusable
from monitor_tasks.value import UserError


def truth(label_id: Any = "a", data: Any = "1", encoding: Any = "CSV", **more: Any) -> bytes:
    """One line of ground truth; `more` goes into its metadata."""
    metadata = {"eventId": label_id, **more}
    payload = {"data": data, "encoding": encoding}
    return json.dumps({"groundTruthData": payload, "eventMetadata": metadata, "eventVersion": "0"}).encode()


def labels(*lines: bytes) -> Labels:
    return read_labels([("o.jsonl", b"\n".join(lines))])


def of(found: Labels) -> dict[str, str]:
    return dict(zip(found.table["@label_id"].to_pylist(), found.table["@label"].to_pylist(), strict=True))


def test_the_real_files(shared: Path) -> None:
    files = sorted((shared / "sagemaker/ground_truth").glob("*.jsonl"))
    found = read_labels((file.name, file.read_bytes()) for file in files)
    counts = {"read": 20, "accepted": 20, "duplicate": 0, "conflicting": 0, "quarantined": 0}
    assert (len(files), found.ledger.totals, found.quarantined) == (20, counts, [])
    assert found.table["@label_id"].to_pylist() == [file.stem for file in files]
    assert Counter(of(found).values()) == {"0": 18, "1": 2}
    assert found.table["@label_object"].to_pylist() == [file.name for file in files]
    assert set(found.table["@label_line"].to_pylist()) == {1}


@pytest.mark.parametrize(
    ("data", "encoding", "label"),
    [
        ("1", "CSV", "1"),
        ("1\n", "CSV", "1"),
        (" 1 \r\n\n", "CSV", "1"),
        ("False.", "CSV", "False."),
        ('"New York, ""NY"""\n', "CSV", 'New York, "NY"'),
        ("98765432109876543210.0", "CSV", "98765432109876543210.0"),
        ("1", "JSON", "1"),
        ("1.0\n", "JSON", "1.0"),
        ("98765432109876543210", "JSON", "98765432109876543210"),
        ("true", "JSON", "true"),
        ('"yes"', "JSON", "yes"),
        ('{"label": 1}', "JSON", "1"),
        ('{"id": "x", "label": 0.50}', "JSON", "0.50"),
        ('{"churned": "no"}', "JSON", "no"),
        ('{"instances": [{"label": 0}]}', "JSON", "0"),
        ('"\\ud83d\\ude00"', "JSON", "😀"),
    ],
)
def test_a_label_is_the_only_cell(data: str, encoding: str, label: str) -> None:
    assert parse_label(truth("a", data, encoding)) == ("a", label)


def test_more_than_the_form_asks_for_is_fine() -> None:
    line = json.loads(truth("order-17", inferenceTime="2026-01-01T00:00:00Z"))
    line["groundTruthData"]["mode"] = line["source"] = "x"
    del line["eventVersion"]
    assert parse_label(json.dumps(line).encode()) == ("order-17", "1")


BAD = {
    LabelReason.NOT_JSON: [b"{", b"1,2", truth()[:-9], truth() + truth(), b"[" * 100_000, b'{"a": NaN}'],
    LabelReason.NOT_A_LABEL: [
        *(b"1", b"null", b"[]", b"{}", b'{"groundTruthData": {}}'),
        b'{"groundTruthData": "1", "eventMetadata": {"eventId": "a"}}',
        b'{"captureData": {}, "eventMetadata": {"eventId": "a"}}',
    ],
    LabelReason.NO_EVENT_ID: [truth(""), truth(None), truth(17), truth().replace(b"eventId", b"id")],
    LabelReason.BAD_PAYLOAD: [
        *(truth("a", data) for data in ("", " \n", '""', "1,0", "1\n0", "1,", '"1', None, 1, {})),
        *(truth("a", "1", encoding) for encoding in (None, "BASE64", "csv", 1, ["CSV"], {})),
        *(truth("a", data, "JSON") for data in ("", "{", "null", "{}", "[]", "[1, 0]", '""', '" "', '{"label": null}')),
        truth("a", '{"x": 1, "y": 0}', "JSON"),
        truth("a", '{"label": 1, "label": 0}', "JSON"),
        truth("a", '{"label": [1, 0]}', "JSON"),
        truth("a", '"\\ud800"', "JSON"),
        truth("a", "[" * 100_000, "JSON"),
    ],
}


@pytest.mark.parametrize("reason", LabelReason)
def test_a_bad_line_is_quarantined_with_its_reason_and_harms_no_other(reason: LabelReason) -> None:
    for line in BAD[reason]:
        found = labels(truth("before"), line, truth("after"))
        assert [one.reason for one in found.quarantined] == [reason], line[:80]
        assert of(found) == {"before": "1", "after": "1"}
        assert found.ledger.totals == {"read": 3, "accepted": 2, "duplicate": 0, "conflicting": 0, "quarantined": 1}


def test_the_quarantine_names_place_reason_and_a_bounded_excerpt() -> None:
    (line,) = map(quarantine_line, labels(truth(), b"", b"=" * 999).quarantined)
    stored = json.loads(line)
    assert (stored["object"], stored["line"], stored["reason"]) == ("o.jsonl", 3, "not_json")
    assert stored["excerpt"] == "=" * 200


def test_marks_ends_of_lines_and_gzip_do_not_matter() -> None:
    one, two = truth("a"), truth("b", "0")
    for content in (one + b"\n" + two + b"\n", b"\xef\xbb\xbf" + one + b"\r\n" + two, one + b"\n" + two + b"\n \n\n"):
        assert of(read_labels([("o.jsonl", content)])) == {"a": "1", "b": "0"}
        assert of(read_labels([("o.jsonl.gz", gzip.compress(content))])) == {"a": "1", "b": "0"}
    cut = read_labels([("o.jsonl.gz", gzip.compress(one)[:-9])])
    assert [found.reason for found in cut.quarantined] == ["damaged_gzip"]


def test_no_labels_are_a_table_without_rows() -> None:
    for objects in ([], [("o", b"")], [("o", b"\n \n")], [("o", b"{")]):
        assert read_labels(objects).table.schema == LABELS
        assert read_labels(objects).table.num_rows == 0
    assert list(read_labels([("o", b"")]).ledger.objects) == ["o"]


def test_the_first_by_object_and_line_counts_and_is_what_others_repeat_or_contradict() -> None:
    late, early = b"\n".join([truth("a", "0"), truth("b", "0")]), b"\n".join([truth("a"), truth("a", "0"), truth("a")])
    found = read_labels([("2", late), ("1", early)])
    assert of(found) == {"a": "1", "b": "0"}
    assert found.table["@label_object"].to_pylist() == ["1", "2"]
    assert found.ledger.totals == {"read": 5, "accepted": 2, "duplicate": 1, "conflicting": 2, "quarantined": 0}
    assert found.ledger.conflicts == 2


def test_lines_are_ordered_by_number_not_by_text() -> None:
    found = labels(*(truth(str(n)) for n in range(8)), b"", truth("x", "9"), truth("x", "10"))
    assert of(found)["x"] == "9"


def test_the_ledger_counts_per_object() -> None:
    found = read_labels([("b", truth("a") + b"\n{"), ("a", truth("a")), ("c", b"")])
    stored = json.loads(found.ledger.to_json())
    none = dict.fromkeys(("read", "accepted", "duplicate", "conflicting", "quarantined"), 0)
    objects = {name: {key: counts[key] for key in none} for name, counts in stored["objects"].items()}
    assert objects == {
        "a": none | {"read": 1, "accepted": 1},
        "b": none | {"read": 2, "duplicate": 1, "quarantined": 1},
        "c": none,
    }
    assert stored["totals"] == none | {"read": 3, "accepted": 1, "duplicate": 1, "quarantined": 1}
    assert stored["reasons"] == {"not_json": 1}
    assert all(len(counts["sha256"]) == 64 for counts in stored["objects"].values())


ARRIVALS = st.lists(
    st.tuples(
        st.sampled_from("pqrs"),
        st.one_of(st.tuples(st.sampled_from("abcdef"), st.sampled_from("01")), st.none()),
    ),
    max_size=40,
)


@settings(max_examples=30)
@given(ARRIVALS, st.randoms(use_true_random=False))
def test_every_line_has_one_fate_and_the_order_of_objects_does_not_matter(
    arrivals: list[tuple[str, tuple[str, str] | None]], chance: random.Random
) -> None:
    files: dict[str, list[bytes]] = {}
    for name, pair in arrivals:
        files.setdefault(name, []).append(truth(*pair) if pair else b"{")
    objects = [(name, b"\n".join(lines)) for name, lines in files.items()]

    counted: dict[str, str] = {}
    fates = Counter(dict.fromkeys(("accepted", "duplicate", "conflicting", "quarantined"), 0))
    for _, pair in sorted(arrivals, key=lambda arrival: arrival[0]):
        if pair is None:
            fates["quarantined"] += 1
        elif pair[0] in counted:
            fates["duplicate" if counted[pair[0]] == pair[1] else "conflicting"] += 1
        else:
            fates["accepted"] += 1
            counted[pair[0]] = pair[1]

    found, turned = read_labels(objects), read_labels(chance.sample(objects, len(objects)))
    assert of(found) == counted
    assert found.ledger.totals == {"read": len(arrivals), **fates}
    assert found.table.num_rows == fates["accepted"]
    assert len(found.quarantined) == fates["quarantined"]
    assert table_bytes(turned.table) == table_bytes(found.table)
    assert turned.ledger.to_json() == found.ledger.to_json()
    assert turned.quarantined == found.quarantined


TEXT = st.text(st.sampled_from('abz01 ,.-"\\\n\té\u2003{'), max_size=6)
ALIKE = st.builds(truth, TEXT, TEXT | st.integers().map(str), st.sampled_from(["CSV", "JSON"]), note=TEXT)
RAW = '{"groundTruthData":{"data":"%s","encoding":"CSV"},"eventMetadata":{"eventId":"%s"}}'
PLAIN = st.tuples(TEXT | st.integers().map(str), TEXT).map(lambda pair: (RAW % pair).encode())
STRANGE = st.sampled_from([b"{", b"1", b"\xff", truth("a", "1\n"), truth("a") + b" ", b" " + truth("b"), b""])


@settings(max_examples=60)
@given(st.lists(PLAIN | ALIKE | STRANGE, max_size=12), st.sampled_from([b"\n", b"\r\n"]))
def test_lines_that_look_alike_are_what_each_of_them_is_by_itself(lines: list[bytes], end: bytes) -> None:
    text = end.join(lines)
    found, expected = read_labels([("o.jsonl", text)]), list[tuple[int, str, str]]()
    for number, line in enumerate(text.split(b"\n"), 1):
        with suppress(Unusable, UnicodeDecodeError):
            line.decode()
            expected.append((number, *parse_label(line.strip())))
    columns = (found.lines[name].to_pylist() for name in ("@label_line", "@label_id", "@label"))
    assert [*zip(*columns, strict=True)] == expected
    blank = sum(not line.strip() for line in text.split(b"\n"))
    assert len(found.quarantined) == text.count(b"\n") + 1 - blank - len(expected)
    assert [one.place.line for one in found.quarantined] == sorted(one.place.line for one in found.quarantined)


def parquet(**columns: Any) -> bytes:
    return table_bytes(pa.table(columns))


def test_tables_of_labels_are_read_beside_lines() -> None:
    tables = [
        ("2.csv", b"event_id,label,more\na,0,x\nb, 1.0 ,\n,1,\nc,,\n"),
        ("3.parquet", parquet(label=[1, 0, None], event_id=["d", "a", "e"])),
        ("4.parquet", parquet(label=pa.array(["1", "1"]).dictionary_encode(), event_id=[17, None])),
    ]
    found = read_labels([*tables, ("1.jsonl", truth("a"))])
    assert of(found) == {"a": "1", "b": "1.0", "d": "1", "17": "1"}
    assert found.ledger.totals == {"read": 10, "accepted": 4, "duplicate": 0, "conflicting": 2, "quarantined": 4}
    places = [(one.place.object, one.place.line, one.reason, one.excerpt) for one in found.quarantined]
    assert places == [
        ("2.csv", 3, "no_event_id", '[null, "1"]'),
        ("2.csv", 4, "bad_payload", '["c", null]'),
        ("3.parquet", 3, "bad_payload", '["e", null]'),
        ("4.parquet", 2, "no_event_id", '[null, "1"]'),
    ]
    assert found.lines.num_rows == 6
    assert list(found.ledger.objects) == ["1.jsonl", "2.csv", "3.parquet", "4.parquet"]


def test_the_columns_of_a_table_have_the_names_that_are_set() -> None:
    found = read_labels([("t.csv", b"outcome,order\n1,a\n")], ("order", "outcome"))
    assert of(found) == {"a": "1"}


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("t.csv", b"id,label\na,1\n", r"t.csv: has no column 'event_id', only id, label; set ground_truth.id_attrib"),
        ("t.parquet", b"PAR1 and no more", "t.parquet: not readable as parquet"),
    ],
)
def test_a_table_that_cannot_be_read_is_one_clear_error(name: str, content: bytes, said: str) -> None:
    with pytest.raises(UserError, match=said):
        read_labels([(name, content)])
