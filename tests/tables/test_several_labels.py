"""Ground truth of records of several rows: each row its own label, as text, whatever else lies in the files."""

import json
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from monitor_tasks.on_tables import merged
from monitor_tasks.tables.files import Stored, table_bytes
from monitor_tasks.tables.labelled import merge
from monitor_tasks.tables.labels import parse_label, read_labels
from monitor_tasks.tables.payloads import Unusable
from monitor_tasks.tables.several_labels import SEVERAL, together
from tests.tables.test_labels import truth

Record = tuple[str, int]


def rows(*records: Record) -> pa.Table:
    """Captured rows of records with so many rows each."""
    found = [(name, row) for name, size in records for row in range(size)]
    names, places = zip(*found, strict=True) if found else ((), ())
    ids = pa.array(names, pa.string())
    return pa.table({"@event_id": ids, "@inference_id": pa.nulls(len(ids), pa.string()), "@row": pa.array(places)})


def said(label_id: str, *labels: Any) -> bytes:
    return truth(label_id, json.dumps({"instances": [{"label": one} for one in labels]}), "JSON")


@pytest.mark.parametrize(
    ("data", "path", "labels"),
    [
        ('{"instances": [{"label": 0}, {"label": 1.50}]}', "label", ["0", "1.50"]),
        ('[{"label": "a", "id": 7}, {"label": null}]', "label", ["a", ""]),
        ('{"instances": [[1], [0]]}', "label", ["1", "0"]),
        ('{"rows": [{"y": 1, "x": 2}, {"y": true, "x": 3}]}', "rows[*].y", ["1", "true"]),
        ('{"label": [1, 0]}', "label[*]", ["1", "0"]),
        ('{"the outcome": [" yes ", "no"], "by": "me"}', "the outcome", ["yes", "no"]),
    ],
)
def test_each_form_of_several_labels(data: str, path: str, labels: list[str]) -> None:
    assert parse_label(truth("a", data, "JSON"), path) == ("a", together(labels))


@pytest.mark.parametrize(
    ("data", "path", "label"),
    [
        ('{"y": 1, "x": 2}', "y", "1"),
        ('{"deep": {"y": 0.10}, "x": 2}', "deep.y", "0.10"),
        ('{"label": 1, "x": 2}', "no such", "1"),
        ("1", "y", "1"),
    ],
)
def test_a_path_names_one_label_and_what_it_does_not_find_is_read_as_usual(data: str, path: str, label: str) -> None:
    assert parse_label(truth("a", data, "JSON"), path) == ("a", label)


@pytest.mark.parametrize(
    "data", ['[{"label": null}, {}]', '{"y": {"a": 1, "b": 2}, "x": 1}', '[{"x": 1, "y": 0}, {"label": 1}]',
             '{"label": "\\u001e1\\u001e0"}', '{"y": [], "x": 1}'],
)  # fmt: skip
def test_what_holds_no_label_is_refused(data: str) -> None:
    with pytest.raises(Unusable, match=r"groundTruthData\.data|a label holds"):
        parse_label(truth("a", data, "JSON"), "y")


def test_each_row_has_its_own_label_and_one_label_is_every_rows() -> None:
    labels = read_labels([("o", b"\n".join([said("a", 1, 0, None), truth("b", "2"), said("d", 5, 6)]))]).table
    found = merge(rows(("a", 3), ("b", 2), ("c", 1), ("d", 2)), labels, ["y"])
    assert found.table["y"].to_pylist() == ["1", "0", None, "2", "2", None, "5", "6"]
    assert (found.counts.matched, found.counts.unlabelled, found.counts.matched_labels, found.strange) == (6, 2, 3, 0)


@pytest.mark.parametrize("size", [1, 2, 4])
def test_a_record_of_another_number_of_rows_stays_without_and_is_counted(size: int) -> None:
    labels = read_labels([("o", b"\n".join([said("a", 1, 0, 1), said("b", 1, 0)]))]).table
    found = merge(rows(("a", size), ("b", 2)), labels, ["y"])
    assert found.table["y"].to_pylist() == [*[None] * size, "1", "0"]
    assert (found.counts.matched, found.counts.unlabelled, found.strange) == (2, size, size)
    plain = rows(("a", 1)).drop_columns(["@row"])
    assert merge(plain, labels, ["y"]).strange == 1


def test_what_stays_without_is_told_beside_the_other_counts() -> None:
    labels = read_labels([("o", b"\n".join([said("a", 1, 0, 1), said("b", 1, 0)]))]).table
    with merged(Stored.of(rows(("a", 2), ("b", 2), ("c", 1))), labels, ("y",)) as files:
        told = json.loads(files["labels.json"])
    assert (told["predictions"], told["matched"], told["unlabelled"], told["strange"]) == (5, 2, 3, 2)
    with merged(Stored.of(rows(("b", 2))), labels, ("y",)) as files:
        assert "strange" not in json.loads(files["labels.json"])


def test_of_two_labels_of_one_record_the_first_counts() -> None:
    files = [("1", said("a", 1, 0)), ("2", said("a", 0, 0)), ("3", said("a", 1, 0))]
    found = read_labels(files)
    assert found.ledger.totals == {"read": 3, "accepted": 1, "duplicate": 1, "conflicting": 1, "quarantined": 0}
    both = merge(rows(("a", 2)), found.lines, ["y"])
    assert both.table["y"].to_pylist() == ["1", "0"]
    assert both.counts.conflicting == 1


def test_a_table_of_labels_holds_no_several() -> None:
    content = table_bytes(pa.table({"event_id": ["a", "b"], "label": [f"{SEVERAL}1{SEVERAL}0", "1"]}))
    found = read_labels([("t.parquet", content)])
    assert found.table["@label_id"].to_pylist() == ["b"]
    assert [one.reason for one in found.quarantined] == ["bad_payload"]


LABEL = st.sampled_from([0, 1, "a", None, "x,y"])
SIZES = st.lists(st.lists(LABEL, min_size=1, max_size=4).filter(any), min_size=1, max_size=12)


@settings(max_examples=25)
@given(SIZES, st.integers(0, 12))
def test_lines_read_together_and_joined_are_what_each_says_by_itself(records: list[list[Any]], cut: int) -> None:
    lines = [said(f"r{number}", *labels) for number, labels in enumerate(records)]
    found = read_labels([("1", b"\n".join(lines[:cut])), ("2", b"\n".join(lines[cut:]))])
    captured = rows(*((f"r{number}", len(labels)) for number, labels in enumerate(records)))
    known = [None if one is None else str(one) for labels in records for one in labels]
    both = merge(captured, found.table, ["y"])
    assert both.table["y"].to_pylist() == known
    assert both.counts.matched == len(known) - known.count(None)
