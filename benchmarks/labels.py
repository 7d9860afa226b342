"""Labels that find their predictions: the join alone, and from label files to the labelled table.

Ids are UUIDs, as servers make them; `--rows 10000000` is the size of the target.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from benchmarks.measure import Call, Cost, Peer, Step, Target, warm

PIECE, LIMIT = 1 << 17, "256MB"
HOUR = "2026/01/01/00"
LINE = (
    b'{"groundTruthData": {"data": "%d", "encoding": "CSV"}, "eventMetadata": {"eventId": "%s"}, "eventVersion": "0"}\n'
)


def make(folder: Path, rows: int) -> None:
    """Predictions, and their labels in another order: as a table, and as lines of JSON in one file."""
    from monitor_tasks.tables.files import write_table

    ids, order = _uuids(rows), np.random.default_rng(2).permutation(rows)
    nothing = pa.nulls(rows, pa.string())
    predictions = pa.table({"@event_id": ids, "@inference_id": nothing, "score": np.arange(rows) / rows})
    with (folder / "predictions.parquet").open("wb") as file:
        write_table([predictions], predictions.schema, file)
    (folder / HOUR).mkdir(parents=True)
    names = ("@label_id", "@label", "@label_object", "@label_line")
    schema = pa.schema(zip(names, (pa.string(), pa.string(), pa.string(), pa.int64()), strict=True))
    with (folder / HOUR / "labels.jsonl").open("wb") as lines, pq.ParquetWriter(folder / "l.parquet", schema) as table:
        for start in range(0, rows, PIECE):
            places = order[start : start + PIECE]
            found, labels = ids.take(pa.array(places)), places % 2
            pairs = zip(labels.tolist(), found.to_pylist(), strict=True)
            lines.write(b"".join(LINE % (label, one.encode()) for label, one in pairs))
            columns = [found, pa.array(labels).cast(pa.string()), pa.array([f"{HOUR}/labels.jsonl"] * len(places))]
            table.write_batch(pa.record_batch([*columns, pa.array(start + np.arange(len(places)))], schema=schema))


def _uuids(rows: int) -> pa.Array:
    digits = np.frombuffer(np.random.default_rng(1).bytes(16 * rows).hex().encode(), np.uint8).reshape(rows, 32)
    parts = [digits[:, start:end] for start, end in ((0, 8), (8, 12), (12, 16), (16, 20), (20, 32))]
    dash = np.full((rows, 1), ord("-"), np.uint8)
    texts = np.hstack([one for part in parts for one in (part, dash)][:-1])
    offsets = np.arange(0, 36 * (rows + 1), 36, dtype=np.int32)
    return pa.StringArray.from_buffers(rows, pa.py_buffer(offsets), pa.py_buffer(texts.tobytes()))


def steps(rows: int) -> list[Step]:
    """The join with its targets; the way from the files, whose time is only shown, and what it holds in memory."""
    targets = (Target(6), Target(0.25, "at most", "memory"))
    limit = Peer("limit: 750 MB", Cost(1, 750), (Target(1, "at most", "memory"),))
    return [
        Step(f"{rows:,} labels joined", _joined, (Peer("pandas merge", _merged, targets),)),
        Step(f"{rows:,} labels, from JSON to the labelled table", _labelled, (Peer("json + pandas", _naive),)),
        Step(f"{rows:,} lines of labels read, with {LIMIT} for DuckDB", _gathered, (limit,)),
    ]


def _joined(folder: Path) -> Call:
    """As a window is labelled: the labels that were found are in memory, the predictions' ids are read as they lie.

    Each column of the labels is in one piece, as DuckDB's answer is, and of reading them nothing is left over.
    """
    from monitor_tasks.tables.files import Stored
    from monitor_tasks.tables.labelled import merge

    file = pq.ParquetFile(folder / "l.parquet", read_dictionary=["@label_object"])
    names = file.schema_arrow.names
    labels = pa.table({name: file.read([name])[name].combine_chunks() for name in names})
    pa.default_memory_pool().release_unused()
    warm("duckdb")

    def call() -> int:
        with (folder / "predictions.parquet").open("rb") as file:
            return merge(Stored.in_file(file, file.name), labels, ["label"]).counts.matched

    return call


def _merged(folder: Path) -> Call:
    import pandas as pd

    predictions = pd.read_parquet(folder / "predictions.parquet")
    labels = pd.read_parquet(folder / "l.parquet", columns=["@label_id", "@label"])

    def call() -> int:
        found = predictions.merge(labels, how="left", left_on="@event_id", right_on="@label_id")
        return int(found["@label"].notna().sum())

    return call


@contextmanager
def _ground_truth(folder: Path, limit: str) -> Iterator[Any]:
    from monitor_tasks.io.store import Store
    from monitor_tasks.on_tables import ground_truth
    from monitor_tasks.tables.lines import Object

    store, name = Store(str(folder)), f"{HOUR}/labels.jsonl"
    with ground_truth([Object(name, partial(store.chunks, name))], ("event_id", "label"), limit) as found:
        yield found


def _labelled(folder: Path) -> Call:
    """As the box ``merge_labels`` does it, but for writing the table down."""
    from monitor_tasks.on_tables import hash_of_labels
    from monitor_tasks.tables.files import Stored
    from monitor_tasks.tables.labelled import Awaiting, merge

    warm("duckdb")

    def call() -> int:
        with (folder / "predictions.parquet").open("rb") as file:
            table = Stored.in_file(file, file.name)
            waiting = Awaiting(lambda: table.batches(["@event_id", "@inference_id"]), HOUR, "2026/01/01/02")
            with _ground_truth(folder, "1GB") as found:
                labels = found.met([waiting]).labels(0)
            hash_of_labels(labels)
            return merge(table, labels, ["label"]).counts.matched

    return call


def _naive(folder: Path) -> Call:
    import json

    import pandas as pd

    def call() -> int:
        rows = []
        with (folder / HOUR / "labels.jsonl").open() as lines:
            for line in lines:
                record = json.loads(line)
                rows.append((record["eventMetadata"]["eventId"], record["groundTruthData"]["data"]))
        labels = pd.DataFrame(rows, columns=["@event_id", "label"]).drop_duplicates("@event_id")
        predictions = pd.read_parquet(folder / "predictions.parquet")
        return int(predictions.merge(labels, how="left", on="@event_id")["label"].notna().sum())

    return call


def _gathered(folder: Path) -> Call:
    warm("duckdb")

    def call() -> int:
        with _ground_truth(folder, LIMIT) as found:
            accepted: int = found.ledger.totals["accepted"]
            return accepted

    return call
