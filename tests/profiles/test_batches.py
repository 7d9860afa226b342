"""Pieces of bounded size: every row is in one of them, in its order, and nothing depends on how they were cut."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from monitor_tasks.profiles import batches
from monitor_tasks.profiles.batches import column_by_column, each_column, pieces
from monitor_tasks.profiles.columns import Edges, TableProfile
from monitor_tasks.profiles.extras import Also
from monitor_tasks.profiles.sketch import SageMakerBlock, profile_and_block

ROWS = 5_000
CHANCE = np.random.default_rng(4)
TABLE = pa.table(
    {
        "number": pa.array(CHANCE.normal(size=ROWS), mask=CHANCE.random(ROWS) < 0.1),
        "text": CHANCE.choice(["red", "green", "7"], ROWS),
        "written": [repr(number) for number in CHANCE.normal(size=ROWS).tolist()],
        "truth": CHANCE.random(ROWS) < 0.5,
    }
)
EDGES = Edges.of(TABLE)


@pytest.fixture
def small_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(batches, "CELLS_AT_ONCE", 4_000)
    monkeypatch.setattr(batches, "ROWS_AT_ONCE", 100)
    monkeypatch.setattr(batches, "_WORTH_THREADS", 1_000)


def test_pieces_hold_every_row_in_its_order(small_pieces: None) -> None:
    found = list(pieces([TABLE, TABLE.slice(0, 0), *TABLE.slice(0, 10).to_batches()]))
    assert [piece.num_rows for piece in found] == [1000] * 5 + [0, 10]
    assert pa.concat_tables(found).equals(pa.concat_tables([TABLE, TABLE.slice(0, 10)]))


def test_threads_find_what_one_after_the_other_finds(small_pieces: None) -> None:
    def work(name: str, column: pa.ChunkedArray) -> tuple[str, int]:
        return name, len(column)

    assert [found["text"] for _, found in column_by_column(work, [TABLE])] == [("text", 1000)] * 5
    assert each_column(work, TABLE) == {name: (name, ROWS) for name in TABLE.column_names}


def test_an_error_in_a_thread_is_raised(small_pieces: None) -> None:
    with pytest.raises(ZeroDivisionError):
        list(column_by_column(lambda _, column: len(column) // 0, [TABLE]))


@pytest.mark.parametrize("dictionary", [[], ["text"], ["text", "written"]])
def test_a_file_read_batch_by_batch_has_the_profile_of_its_table(
    small_pieces: None, tmp_path: Path, dictionary: list[str]
) -> None:
    pq.write_table(TABLE, tmp_path / "table.parquet", row_group_size=1_700)
    file = pq.ParquetFile(tmp_path / "table.parquet", pre_buffer=False, read_dictionary=dictionary)

    def read(names: Sequence[str] | None) -> Iterator[pa.RecordBatch]:
        return file.iter_batches(batch_size=900, columns=names)

    profile, block = profile_and_block(read, EDGES)
    assert profile.to_json() == TableProfile.of(TABLE, EDGES).to_json()
    assert block.to_json() == SageMakerBlock.of(TABLE).to_json()
    assert TableProfile.of_batches(file.iter_batches(batch_size=7 * 123), EDGES).to_json() == profile.to_json()
    more = Also(sample=64, correlations=True)
    assert profile_and_block(read, EDGES, more)[0].to_json() == TableProfile.of(TABLE, EDGES, more).to_json()


def test_no_batch_is_the_zero() -> None:
    profile = TableProfile.of(TABLE, EDGES)
    nothing = TableProfile.of_batches([], EDGES)
    assert (nothing.rows, nothing.columns) == (0, {})
    assert (nothing + profile).to_json() == profile.to_json()
    assert profile_and_block(lambda _: [])[0] == TableProfile()


def test_batches_of_different_columns_add_up() -> None:
    parts = [TABLE.select(["text"]), TABLE.select(["number", "truth"])]
    whole = TableProfile.of(pa.concat_tables(parts, promote_options="default"), EDGES)
    assert TableProfile.of_batches(parts, EDGES).to_json() == whole.to_json()
