"""Captures to tables: in every encoding, with bad lines, to Parquet, and ten times as many."""

import shutil
from functools import partial
from pathlib import Path
from typing import Any

from benchmarks import data
from benchmarks.measure import Call, Cost, Peer, Step, Target, warm

NAIVE = "json + csv + pandas"
STORE = ("monitor_tasks.io.store", "pyarrow.pandas_compat")
"""What our readers load at their first use."""


def make(folder: Path, rows: int) -> None:
    for encoding in data.ENCODINGS:
        data.write_captures(folder, rows, encoding)
    data.spoil(folder / "CSV", folder / "spoiled")
    data.multiply(folder / "CSV", folder / "tenfold", 10)


def steps(_: int) -> list[Step]:
    encodings = [
        Step(
            f"captures to Arrow, {encoding}",
            partial(_capture, encoding),
            (Peer(NAIVE, partial(_naive_capture, encoding), (Target(factor),)),),
        )
        for encoding, factor in {"CSV": 15, "JSON": 5, "BASE64": 12}.items()
    ]
    spoiled = Peer("the same without bad lines", partial(_capture, "CSV", says=False), (Target(1.3, "at most"),))
    whole = Peer(f"{NAIVE}, to_parquet", _naive_ingest, (Target(8),))
    tenth = Peer("itself on a tenth of the files", partial(_ingest, "CSV"), (Target(1.3, "at most", "memory"),))
    cap = Peer("limit: 600 MB", Cost(1, 600), (Target(1, "at most", "memory"),))
    return [
        *encodings,
        Step("captures to Arrow, 1 % bad lines", partial(_capture, "spoiled", says=False), (spoiled,)),
        Step("captures to Parquet, CSV", partial(_ingest, "CSV"), (whole,)),
        Step("captures to Parquet, ten times the files", partial(_ingest, "tenfold"), (tenth, cap)),
    ]


def _objects(folder: Path) -> list[Any]:
    """The files of a folder as objects that are read in pieces."""
    from monitor_tasks.io.store import Store
    from monitor_tasks.tables.lines import Object

    store = Store(str(folder))
    return [Object(entry.key, partial(store.chunks, entry.key)) for entry in store.entries()]


def _capture(name: str, folder: Path, says: bool = True) -> Call:
    from monitor_tasks.tables.captured import capture

    warm(*STORE)

    def call() -> int | None:
        rows = capture(_objects(folder / name)).table.num_rows
        return rows if says else None

    return call


def _ingest(name: str, folder: Path) -> Call:
    from monitor_tasks.inputs import Records
    from monitor_tasks.on_tables import ingested
    from monitor_tasks.tables.captured import Source
    from monitor_tasks.tables.readings import Span

    warm(*STORE)

    def call() -> None:
        with ingested(Source(_objects(folder / name)), Span(), Records()) as (_, files):
            table: Any = files["captured.parquet"]
            table.seek(0)
            with (folder / "ours.parquet").open("wb") as file:
                shutil.copyfileobj(table, file)

    return call


def _files(folder: Path, encoding: str) -> list[Path]:
    return sorted((folder / encoding).iterdir())


def _naive_frame(encoding: str, folder: Path) -> Any:
    """What people write: one record after the other; cells stay text as in ours, and the first of an id counts."""
    import base64
    import csv
    import json

    import pandas as pd

    rows = []
    for path in _files(folder, encoding):
        with path.open() as lines:
            for line in lines:
                record = json.loads(line)
                text = record["captureData"]["endpointInput"]["data"]
                if encoding == "JSON":
                    cells = list(json.loads(text, parse_float=str, parse_int=str).values())
                else:
                    cells = next(csv.reader([base64.b64decode(text).decode() if encoding == "BASE64" else text]))
                prediction = record["captureData"]["endpointOutput"]["data"]
                rows.append([*record["eventMetadata"].values(), prediction, *cells])
    frame = pd.DataFrame(rows).drop_duplicates(0)
    frame[1] = pd.to_datetime(frame[1])
    return frame


def _naive_capture(encoding: str, folder: Path) -> Call:
    warm()
    return lambda: len(_naive_frame(encoding, folder))


def _naive_ingest(folder: Path) -> Call:
    import pyarrow.parquet as pq  # noqa: F401

    warm()
    return lambda: _naive_frame("CSV", folder).rename(columns=str).to_parquet(folder / "theirs.parquet")
