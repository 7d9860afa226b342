"""Predictions meet their labels: every one is counted, whatever the order and whatever the ids."""

import json
import random
import uuid
from collections.abc import Sequence
from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor_tasks.tables import joining
from monitor_tasks.tables.captured import METADATA, capture
from monitor_tasks.tables.files import table_bytes
from monitor_tasks.tables.joining import Counts
from monitor_tasks.tables.labelled import Awaiting, Merged, meeting, merge
from monitor_tasks.tables.labels import LABELS, read_labels
from monitor_tasks.value import UserError
from tests.tables.samples import captured, record

Ids = tuple[str, str | None]


def predictions(*ids: Ids) -> pa.Table:
    events, inferences = [event for event, _ in ids], [inference for _, inference in ids]
    arrays = [pa.array(column, pa.string()) for column in (events, inferences, [str(n) for n in range(len(ids))])]
    return pa.Table.from_arrays(arrays, ["@event_id", "@inference_id", "x"])


def truths(*pairs: tuple[str, str], name: str = "o") -> pa.Table:
    columns = [[key for key, _ in pairs], [label for _, label in pairs], [name] * len(pairs), range(len(pairs))]
    return pa.Table.from_arrays([pa.array(c, f.type) for c, f in zip(columns, LABELS, strict=True)], schema=LABELS)


def found(merged: Merged) -> list[str | None]:
    return list(merged.table["label"].to_pylist())


def test_the_real_files(shared: Path) -> None:
    files = sorted((shared / "sagemaker/ground_truth").glob("*.jsonl"))
    labels = read_labels((file.name, file.read_bytes()) for file in files)
    lines = [record(file.stem) for file in files[5:]] + [record("unlabelled")]
    merged = merge(captured(*lines).table, labels.table, ["label"])
    assert merged.counts == Counts(16, matched=15, unlabelled=1, shared_id=0, matched_labels=15, conflicting=0)
    assert found(merged) == [*labels.table["@label"].to_pylist()[5:], None]


def test_an_inference_id_takes_precedence_over_the_event_id() -> None:
    rows = predictions(("e1", "i1"), ("e2", None), ("e3", ""), ("e4", "e2"))
    merged = merge(rows, truths(("e1", "no"), ("i1", "yes"), ("e2", "two"), ("e3", "three"), ("e4", "no")), ["label"])
    assert found(merged) == ["yes", "two", "three", "two"]
    assert merged.counts == Counts(4, matched=4, unlabelled=0, shared_id=1, matched_labels=3, conflicting=0)


def test_predictions_that_share_an_id_all_get_its_label() -> None:
    rows = predictions(("1", "i"), ("2", "i"), ("3", "i"), ("4", "j"), ("5", "j"), ("6", None))
    merged = merge(rows, truths(("i", "1")), ["label"])
    assert found(merged) == ["1", "1", "1", None, None, None]
    assert merged.counts == Counts(6, matched=3, unlabelled=3, shared_id=3, matched_labels=1, conflicting=0)


def test_the_captured_table_stays_as_it_is_and_labels_stand_at_its_end() -> None:
    rows = captured(record("b"), record("a", inferenceId="i")).table
    rows = rows.append_column("Age", pa.array([1.5, None])).append_column("age", pa.array([[1], []]))
    before = table_bytes(rows)
    merged = merge(rows, truths(("i", "1")), ["label", "outcome", "label"])
    assert merged.table.schema.names == [*rows.schema.names, "label", "outcome"]
    assert merged.table.select(rows.schema.names) == rows
    assert merged.table["outcome"].to_pylist() == found(merged) == [None, "1"]
    assert merged.table.schema.field("label").type == pa.string()
    assert table_bytes(rows) == before
    assert merge(rows, truths(("i", "1")), []).table == rows


def test_a_name_that_is_taken_is_one_clear_error() -> None:
    rows = captured(record()).table.append_column("churn", pa.array(["1"]))
    with pytest.raises(UserError, match=r"column 'churn' already.*give the label another name \(ground_truth_attr"):
        merge(rows, truths(), ["label", "churn"])
    assert merge(rows, truths(), ["Churn"]).table.schema.names[-2:] == ["churn", "Churn"]


def test_no_labels_and_no_predictions() -> None:
    none = Counts(0, 0, 0, 0, 0, 0)
    assert merge(predictions(), truths(), ["label"]).counts == none
    unlabelled = merge(predictions(("a", None)), read_labels([]).table, ["label"])
    assert (found(unlabelled), unlabelled.counts) == ([None], none._replace(predictions=1, unlabelled=1))
    orphans = merge(capture([]).table, truths(("a", "1")), ["label"])
    assert orphans.counts == none
    assert orphans.table.schema == METADATA.append(pa.field("label", pa.string()))


def test_naughty_ids_meet_themselves_only(shared: Path) -> None:
    naughty = json.loads((shared / "naughty-strings/blns.json").read_text())
    ids = [one for one in dict.fromkeys(naughty) if one] + [
        "a\0b",
        "a",
        "é",
        "e\u0301",
        "A",
        "x'; drop table labels --",
    ]
    ids = list(dict.fromkeys(ids))
    lines = [
        json.dumps({"groundTruthData": {"data": f"{n}", "encoding": "CSV"}, "eventMetadata": {"eventId": one}})
        for n, one in enumerate(ids)
    ]
    labels = read_labels([("o", "\n".join(lines).encode())])
    assert labels.ledger.totals["accepted"] == len(ids) > 500
    rows = captured(*(record(one) for one in ids)).table
    merged = merge(rows, labels.table, ["label", "'); drop table joined; --", 'say "hi"', ""])
    assert found(merged) == [str(n) for n in range(len(ids))]
    assert merged.counts == Counts(len(ids), len(ids), 0, 0, len(ids), 0)
    assert merged.table.schema.names[-3:] == ["'); drop table joined; --", 'say "hi"', ""]


def test_naughty_labels_survive(shared: Path) -> None:
    naughty = json.loads((shared / "naughty-strings/blns.json").read_text())
    rows = predictions(*((str(n), None) for n in range(len(naughty))))
    assert found(merge(rows, truths(*((str(n), one) for n, one in enumerate(naughty))), ["label"])) == naughty


KEYS = st.sampled_from(["a", "b", "c", "d", "e'", 'f"', "é", "e\u0301"])
PREDICTIONS = st.lists(st.tuples(KEYS, st.none() | st.just("") | KEYS), max_size=20)
TRUTHS = st.lists(st.tuples(KEYS, st.sampled_from("01")), max_size=20, unique_by=lambda pair: pair[0])


@given(PREDICTIONS, TRUTHS)
def test_counts_reconcile_with_a_plain_dictionary(ids: list[Ids], pairs: list[tuple[str, str]]) -> None:
    labels, keys = dict(pairs), [inference or event for event, inference in ids]
    merged = merge(predictions(*ids), truths(*pairs), ["label"])
    counts = merged.counts
    assert found(merged) == [labels.get(key) for key in keys]
    assert counts.matched == sum(key in labels for key in keys)
    assert counts.shared_id == len(keys) - len(set(keys))
    assert counts.matched_labels == len(labels.keys() & set(keys))
    assert counts.coverage == (counts.matched / len(ids) if ids else None)
    assert counts.predictions == len(ids) == counts.matched + counts.unlabelled
    assert counts.conflicting == 0


@given(PREDICTIONS, TRUTHS, st.randoms(use_true_random=False))
def test_the_order_of_rows_does_not_matter(ids: list[Ids], pairs: list[tuple[str, str]], chance: random.Random) -> None:
    rows, labels = predictions(*ids), truths(*pairs)
    usual = merge(rows, labels, ["label"])
    order = chance.sample(range(len(ids)), len(ids))
    other = labels.take(pa.array(chance.sample(range(len(pairs)), len(pairs)), pa.int64()))
    turned = merge(rows.take(pa.array(order, pa.int64())), other, ["label"])
    assert turned.counts == usual.counts
    assert table_bytes(turned.table) == table_bytes(usual.table.take(pa.array(order, pa.int64())))


@given(st.permutations(range(3)))
def test_of_labels_put_together_the_first_by_object_and_line_counts(order: Sequence[int]) -> None:
    parts = [truths(("a", "1"), name="1"), truths(("b", "0"), ("a", "0"), name="2"), truths(("a", "2"), name="3")]
    merged = merge(predictions(("a", None)), pa.concat_tables([parts[n] for n in order]), ["label"])
    assert (found(merged), merged.counts) == (["1"], Counts(1, 1, 0, 0, matched_labels=1, conflicting=2))


def identifiers(count: int) -> list[str]:
    chance = random.Random(17)
    return [str(uuid.UUID(int=chance.getrandbits(128), version=4)) for _ in range(count)]


def test_many_ids_meet_in_the_order_of_the_predictions() -> None:
    ids = identifiers(220_000)
    mixed = random.Random(18).sample(ids[20_000:], 200_000)
    rows, labels = predictions(*((one, None) for one in ids[:200_000])), truths(*((one, one[:2]) for one in mixed))
    merged = merge(rows, labels, ["label"])
    assert merged.counts == Counts(200_000, 180_000, 20_000, 0, 180_000, 0)
    assert found(merged) == [None] * 20_000 + [one[:2] for one in ids[20_000:200_000]]
    assert table_bytes(merge(rows, labels, ["label"]).table) == table_bytes(merged.table)


def test_what_exceeds_the_memory_is_spilled_and_nothing_else_changes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(joining, "THREADS", 1)  # of two, one may need a block that the other has not given back yet
    ids = identifiers(200_000)
    rows, twice = predictions(*((one, None) for one in ids)), (ids[7], "another label")
    labels = truths(*((one, one[:2]) for one in reversed(ids)), twice)
    usual = merge(rows, labels, ["label"])
    spilled = merge(rows, labels, ["label"], memory_limit="52MB", spill=str(tmp_path))
    assert table_bytes(spilled.table) == table_bytes(usual.table)
    assert spilled.counts == usual.counts == Counts(200_000, 200_000, 0, 0, 200_000, conflicting=1)
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(UserError, match=r"200000 predictions with 200001 labels needs more than 52MB of memory"):
        merge(rows, labels, ["label"], memory_limit="52MB")


def test_ids_that_wait_twice_are_counted_with_little_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(joining, "THREADS", 1)
    ids = identifiers(400_000)
    rows = predictions(*((one, None) for one in [*ids, *ids[:100]]))
    merged = merge(rows, truths((ids[0], "1")), ["label"], memory_limit="24MB", spill=str(tmp_path))
    assert merged.counts == Counts(400_100, 2, 400_098, 100, 1, conflicting=0)
    with pytest.raises(UserError, match="400100 predictions with 1 labels needs more than 24MB of memory"):
        merge(rows, truths((ids[0], "1")), ["label"], memory_limit="24MB")


def test_two_ids_of_one_hash_are_told_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(joining, "HASH", joining.HASH.replace("hash(id)", "1::ubigint"))
    for ids, pairs in (("a", "b"), ("ab", "b"), ("b", "ab"), ("ba", "abc")):
        rows, labels = predictions(*((one, None) for one in ids)), truths(*((one, one * 2) for one in pairs))
        merged = merge(rows, labels, ["label"])
        assert found(merged) == [one * 2 if one in pairs else None for one in ids]
        met = len({*ids} & {*pairs})
        assert merged.counts == Counts(len(ids), met, len(ids) - met, 0, met, 0)


def awaiting(ids: list[str], start: str = "2026/01/01/00", stop: str = "2026/01/01/05", size: int = 50_000) -> Awaiting:
    rows = predictions(*((one, None) for one in ids)).select(["@event_id", "@inference_id"])
    return Awaiting(lambda: (rows.slice(at, size) for at in range(0, max(len(ids), 1), size)), start, stop)


def of(rows: pa.Table) -> list[tuple[str, str]]:
    return list(zip(rows["@label_id"].to_pylist(), rows["@label"].to_pylist(), strict=True))


def test_each_label_belongs_to_every_window_that_bears_its_id_and_waits_for_it() -> None:
    lines = pa.concat_tables(
        [
            truths(("a", "1"), ("b", "0"), ("a", "0"), ("a", "1"), name="2026/01/01/04/x"),
            truths(("a", "1"), ("b", "1"), ("nobody", "1"), name="2026/01/01/05/x"),
            truths(("c", "1"), name="2026/01/01/03/x"),
        ]
    )
    windows = [
        awaiting(["a", "b"]),
        awaiting(["b"], stop="2026/01/01/06"),
        awaiting([]),
        awaiting(["c"], "2026/01/01/04"),
    ]
    with meeting(lines, windows) as found:
        labels = [found.labels(place) for place in range(len(windows))]
        assert [of(rows) for rows in labels] == [
            [("a", "1"), ("a", "0"), ("b", "0")],
            [("b", "0"), ("b", "1")],
            [],
            [],
        ]
        assert found.matched_labels == 2
        assert {rows.schema for rows in labels} == {LABELS}
    merged = merge(predictions(("a", None), ("b", None)), labels[0], ["label"])
    assert merged.counts == Counts(2, 2, 0, 0, matched_labels=2, conflicting=1)


def test_a_meeting_that_exceeds_the_memory_is_spilled(tmp_path: Path) -> None:
    ids = identifiers(200_000)
    lines = truths(*((one, one[:2]) for one in reversed(ids)), name="2026/01/01/00/x")
    with meeting(lines, [awaiting(ids[:120_000]), awaiting(ids[80_000:])], "64MB", str(tmp_path)) as found:
        assert of(found.labels(0)) == sorted((one, one[:2]) for one in ids[:120_000])
        assert found.matched_labels == 200_000
    assert list(tmp_path.iterdir()) == []
    said = r"joining 1 windows with 200000 labels needs more than 24MB of memory"
    with pytest.raises(UserError, match=said), meeting(lines, [awaiting(ids)], "24MB"):
        pass
