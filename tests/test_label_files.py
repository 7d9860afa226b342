"""Label files of any size: what is read of them is bounded, and what becomes of their lines is not."""

import hashlib
import json
from collections.abc import Callable, Iterator

import numpy as np
import pyarrow as pa
import pytest

from monitor_tasks.endpoint import Endpoint
from monitor_tasks.on_tables import ground_truth, hash_of_labels
from monitor_tasks.site import Site
from monitor_tasks.staging import staged
from monitor_tasks.tables.files import Stored
from monitor_tasks.tables.labelled import Awaiting
from monitor_tasks.tables.labels import LABELS
from monitor_tasks.tables.lines import Object
from monitor_tasks.value import UserError

LINE = '{"groundTruthData": {"data": "%d", "encoding": "CSV"}, "eventMetadata": {"eventId": "%s"}, "note": "%s"}\n'
PIECE, PIECES = 20_000, 20


def order(number: int) -> str:
    return f"order-{number:08d}-of-a-shop-whose-name-is-long"


def large(read: list[int]) -> Iterator[bytes]:
    """A file of 100 MB, every 1000th line of which is broken; `read` gets the sizes of its pieces."""
    for start in range(0, PIECE * PIECES, PIECE):
        numbers, note = range(start, start + PIECE), "n" * 160
        text = "".join(LINE % (one % 2, order(one), note) if one % 1000 else "{\n" for one in numbers).encode()
        read.append(len(text))
        yield text


def expecting(*numbers: int) -> Awaiting:
    rows = pa.table(
        {"@event_id": [order(one) for one in numbers], "@inference_id": pa.nulls(len(numbers), pa.string())}
    )
    return Awaiting(lambda: [rows], "2026/01/01/00", "2026/01/01/05")


def test_a_label_file_larger_than_the_memory_is_read() -> None:
    sizes: list[int] = []
    found = Object("2026/01/01/03/all.jsonl", lambda: large(sizes))
    with ground_truth([found], ("event_id", "label"), memory_limit="56MB") as truths:
        assert sum(sizes) > 95e6
        bad = PIECE * PIECES // 1000
        counts = {"read": PIECE * PIECES, "accepted": PIECE * PIECES - bad, "quarantined": bad}
        assert truths.ledger.totals == {**counts, "duplicate": 0, "conflicting": 0}
        truths.quarantine.seek(0)
        quarantined = [json.loads(line) for line in truths.quarantine]
        assert [one["line"] for one in quarantined] == list(range(1, PIECE * PIECES, 1000))
        assert {(one["object"], one["reason"]) for one in quarantined} == {(found.name, "not_json")}
        labels = truths.met([expecting(7, 399_999, 500_000), expecting(1000, 8)]).labels(0)
    assert labels.to_pylist() == [
        {"@label_id": order(one), "@label": "1", "@label_object": found.name, "@label_line": one + 1}
        for one in (7, 399_999)
    ]


def test_what_does_not_fit_even_on_disk_is_one_clear_error() -> None:
    found = Object("all.jsonl", lambda: large([]))
    said = "joining the lines of the label files with the predictions needs more than 8MB of memory"
    with pytest.raises(UserError, match=said), ground_truth([found], ("event_id", "label"), memory_limit="8MB"):
        pass


@pytest.mark.parametrize("texts", [["a", "b c"], ['a"b', "\\", "é", "\n"], [], ["x"] * 70_000 + ["é"]])
def test_the_hash_of_labels_is_that_of_their_json(texts: list[str]) -> None:
    columns = [texts, ["1"] * len(texts), ["2026/01/01/05/x.jsonl"] * len(texts), list(range(len(texts)))]
    labels = pa.table([pa.array(one, field.type) for one, field in zip(columns, LABELS, strict=True)], schema=LABELS)
    whole = json.dumps([texts, ["1"] * len(texts), ["2026-01-01T05:00:00Z"] * len(texts)])
    assert hash_of_labels(labels) == hashlib.sha256(whole.encode()).hexdigest()


ENDPOINT = """
endpoint_name: prices
root: artifacts
start_date: 2026-01-01T00:00:00Z
capture: {address: capture}
ground_truth: {address: labels}
monitors:
  model_quality: {problem_type: Regression, inference_attribute: "0", ground_truth_attribute: price}
"""


def test_the_same_event_weighs_the_same_in_every_resample_whatever_else_its_row_says() -> None:
    from monitor_tasks.monitors.model_quality import ModelQuality

    site, chance = Site(Endpoint.parse(ENDPOINT, "endpoint.yaml", ".", {})), np.random.default_rng(1)
    settings = site.endpoint.configured()["model_quality"]

    def profile(change: Callable[[pa.Table], pa.Table]) -> bytes:
        rows = change(table)
        read = staged(site, "model_quality", Stored.of(rows), None)
        assert read.column_names[:1] == ["predicted"]
        assert [name for name in read.column_names if name.startswith("@")] == [
            name for name in rows.column_names if name == "@event_id"
        ]
        found: bytes = ModelQuality(settings).profile(read.whole()).to_json()
        return found

    table = pa.table(
        {
            "@event_id": [f"event-{one}" for one in range(300)],
            "@line": range(300),
            "predicted": chance.normal(size=300),
            "size": chance.normal(size=300),
            "price": chance.normal(size=300),
        }
    )
    resized = table.set_column(3, "size", pa.array(range(300)))
    assert profile(lambda _: resized) == profile(lambda _: table)
    assert profile(lambda _: resized.drop_columns("@event_id")) != profile(lambda one: one.drop_columns("@event_id"))
