"""Seeded inputs: capture records in the three encodings, and tables of 30 columns."""

import base64
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

FEATURES = 30
FILES = 4
ENCODINGS = ("CSV", "JSON", "BASE64")
TEXT_COLUMNS = 4
WHOLE_COLUMNS = 6
DRIFTED = ("number_00", "number_01", "whole_00", "text_00")
"""The columns whose distribution is another one in a drifted table."""

_START = datetime(2025, 1, 1, tzinfo=UTC)


def write_captures(folder: Path, rows: int, encoding: str) -> None:
    """Four capture files of one encoding; every hundredth record is delivered twice."""
    numbers = np.random.default_rng(7).normal(size=(rows, FEATURES)).round(4).tolist()
    lines = [_line(number, cells, encoding) for number, cells in enumerate(numbers)]
    lines += lines[::100]
    (folder / encoding).mkdir()
    for part in range(FILES):
        text = "".join(line + "\n" for line in lines[part * len(lines) // FILES : (part + 1) * len(lines) // FILES])
        (folder / encoding / f"{part:02}.jsonl").write_text(text)


def spoil(clean: Path, folder: Path) -> None:
    """The same files with one line in a hundred cut short, or with a cell too many."""
    folder.mkdir()
    for path in clean.iterdir():
        lines = path.read_bytes().splitlines(keepends=True)
        lines[::200] = [line[: len(line) // 2] + b"\n" for line in lines[::200]]
        lines[100::200] = [line.replace(b'"data": "', b'"data": "7,', 1) for line in lines[100::200]]
        (folder / path.name).write_bytes(b"".join(lines))


def multiply(once: Path, folder: Path, times: int) -> None:
    """The same files so many times over, each with event ids of its own."""
    folder.mkdir()
    for path in once.iterdir():
        content = path.read_bytes()
        for time in range(times):
            (folder / f"{time}-{path.name}").write_bytes(content.replace(b'"event-', b'"time%d-' % time))


def _line(number: int, cells: list[float], encoding: str) -> str:
    if encoding == "JSON":
        data = json.dumps({f"feature_{index:02}": cell for index, cell in enumerate(cells)})
    else:
        data = ",".join(map(str, cells))
    if encoding == "BASE64":
        data = base64.b64encode(data.encode()).decode()
    kinds = {"observedContentType": "application/json" if encoding == "JSON" else "text/csv", "encoding": encoding}
    output = {"observedContentType": "text/csv", "mode": "OUTPUT", "data": str(number % 97 / 97), "encoding": "CSV"}
    time = _START + timedelta(seconds=number % 3600)
    record = {
        "captureData": {"endpointInput": {**kinds, "mode": "INPUT", "data": data}, "endpointOutput": output},
        "eventMetadata": {"eventId": f"event-{number:010}", "inferenceTime": time.strftime("%Y-%m-%dT%H:%M:%SZ")},
        "eventVersion": "0",
    }
    return json.dumps(record)


def table(rows: int, seed: int, drift: float = 0.0) -> pa.Table:
    """20 columns of doubles, 6 of whole numbers, 4 of text; every fifth lacks 2 % of its cells."""
    random = np.random.default_rng(seed)
    columns: dict[str, np.ndarray] = {}
    for index in range(FEATURES - TEXT_COLUMNS - WHOLE_COLUMNS):
        name = f"number_{index:02}"
        columns[name] = random.normal(size=rows) + (drift if name in DRIFTED else 0)
    for index in range(WHOLE_COLUMNS):
        name = f"whole_{index:02}"
        columns[name] = random.integers(0, 10 ** (index + 1), rows) + (int(drift * 4) if name in DRIFTED else 0)
    for index in range(TEXT_COLUMNS):
        name, words = f"text_{index:02}", np.array([f"word_{word:03}" for word in range(4 ** (index + 1))])
        columns[name] = words[random.integers(0, len(words) // (4 if drift and name in DRIFTED else 1), rows)]
    missing = random.random(rows) < 0.02
    return pa.table(
        {name: pa.array(cells, mask=missing if i % 5 == 0 else None) for i, (name, cells) in enumerate(columns.items())}
    )


def as_text(rows: pa.Table) -> pa.Table:
    """The table as captured: every cell is text."""
    return pa.table({name: rows[name].cast(pa.string()) for name in rows.column_names})


def wide(rows: pa.Table, copies: int) -> pa.Table:
    """The table's columns so many times, the first ones by their own names."""
    names = [name if copy == 0 else f"{name}_{copy}" for copy in range(copies) for name in rows.column_names]
    return pa.table(rows.columns * copies, names)


def write_table(parts: list[pa.Table], path: Path) -> None:
    """The rows of all parts as Parquet, a row group for each."""
    repeated = [name for name in parts[0].column_names if name.startswith("text")]
    with pq.ParquetWriter(path, parts[0].schema, compression="lz4", use_dictionary=repeated) as file:
        for part in parts:
            file.write_table(part)


def groups(rows: int) -> pa.Table:
    """Labels and predictions of people in five facets: texts, codes, ages and truth values."""
    chance = np.random.default_rng(11)
    columns = {
        "sex": chance.choice(["f", "m"], rows),
        "race": chance.choice(list("abcde"), rows),
        "region": chance.integers(0, 12, rows),
        "age": chance.integers(18, 90, rows) + 0.5,
        "union": chance.choice([True, False], rows),
    }
    return pa.table({**columns, "y": chance.integers(0, 2, rows), "p": chance.integers(0, 2, rows)})
