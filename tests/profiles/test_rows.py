"""The sample of whole rows is a sum: exact under any split and order, and the same on any machine."""

import os
import random
import subprocess
import sys
from collections import Counter
from functools import reduce
from itertools import pairwise
from operator import add
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from monitor_tasks.profiles.cells import Cells, number_text
from monitor_tasks.profiles.rows import Row, RowSample

CELLS = {
    "number": (pa.float64(), [0.0, -0.0, 1.0, 0.5, float("nan"), -float("nan"), float("inf"), None]),
    "whole": (pa.int64(), [0, 1, 7, None]),
    "text": (pa.string(), ["", "1", "1.0", "a", "é", "NaN", "1e400", "true", None]),
    "mostly digits": (pa.string(), [*map(str, range(50)), *[f"{n}.5" for n in range(50)], "x", None]),
    "truth": (pa.bool_(), [True, False, None]),
    "category": (pa.dictionary(pa.int8(), pa.string()), ["a", "b", "1", None]),
    "list": (pa.list_(pa.int64()), [[1], [], None]),
}


@st.composite
def tables(draw: st.DrawFn) -> pa.Table:
    rows = draw(st.integers(0, 60))
    kinds = draw(st.lists(st.sampled_from(sorted(CELLS)), unique=True, max_size=4))
    cells = {kind: st.lists(st.sampled_from(CELLS[kind][1]), min_size=rows, max_size=rows) for kind in kinds}
    known = {kind: pa.array(draw(one), CELLS[kind][0]) for kind, one in cells.items()}
    return pa.table(known) if known else pa.table({"x": pa.nulls(rows)}).select([])


def row_by_row(table: pa.Table) -> Counter[frozenset[tuple[str, str, str]]]:
    """The rows as a person would count them: present cells by column, kind and value."""

    def told(name: str, cell: pa.Scalar) -> tuple[str, str, str] | None:
        cells = Cells.of(pa.array([cell.as_py()], cell.type))
        if cells.missing:
            return None
        return (
            name,
            *(
                ("number", number_text(*cells.numbers.tolist()))
                if len(cells.numbers)
                else ("text", *cells.texts.to_pylist())
            ),
        )

    columns = [[told(name, cell) for cell in table[name]] for name in table.column_names]
    rows = zip(*columns, strict=True) if columns else [()] * table.num_rows
    return Counter(frozenset(cell for cell in row if cell) for row in rows)


@settings(max_examples=60)
@given(tables(), st.integers(1, 12), st.randoms(use_true_random=False))
def test_any_split_in_any_order_gives_the_same_sample(table: pa.Table, k: int, chance: random.Random) -> None:
    whole = RowSample.of(table, k)
    mixed = table.take(pa.array(chance.sample(range(table.num_rows), table.num_rows), pa.int64()))
    mixed = mixed.select(chance.sample(table.column_names, table.num_columns))
    cuts = [0, *sorted(chance.randint(0, table.num_rows) for _ in range(2)), table.num_rows]
    parts = [RowSample.of(mixed.slice(start, end - start), k) for start, end in pairwise(cuts)]
    assert reduce(add, parts) == reduce(add, chance.sample(parts, 3)) == whole
    assert (parts[0] + parts[1]) + parts[2] == parts[0] + (parts[1] + parts[2])
    assert whole + RowSample() == RowSample() + whole == whole
    assert RowSample.from_dict(whole.to_dict()) == whole


@settings(max_examples=60)
@given(tables(), st.integers(1, 12))
def test_rows_are_equal_where_all_their_present_cells_are(table: pa.Table, k: int) -> None:
    expected = row_by_row(table)
    all_rows = RowSample.of(table, 100)
    assert sorted(all_rows.counts) == sorted(expected.values())
    kept = RowSample.of(table, k)
    assert (kept.hashes, kept.counts, kept.cells) == (all_rows.hashes[:k], all_rows.counts[:k], all_rows.cells[:k])
    assert len(kept.hashes) == min(k, len(expected))
    assert (kept.rows, kept.columns) == (table.num_rows, tuple(sorted(table.column_names)))
    shown, meant = Counter[Row](), Counter[Row]()  # a number and a text may look alike: inf and "inf" are two rows
    for cells, count in zip(all_rows.cells, all_rows.counts, strict=True):
        shown[cells] += count
    for row, count in expected.items():
        texts = {name: text for name, _, text in row}
        meant[tuple(map(texts.get, all_rows.columns))] += count
    assert shown == meant


@pytest.mark.parametrize(
    "column", [pa.array([3, 3]), pa.array([3.0, 3]), pa.array(["3", "3.0"]), pa.array(["03", "3"]).dictionary_encode()]
)
def test_a_number_is_the_same_however_it_came(column: pa.Array) -> None:
    assert RowSample.of(pa.table({"a": column})) == RowSample.of(pa.table({"a": [3, 3]}))


def test_a_column_that_one_part_lacks_is_missing_there() -> None:
    parts = pa.table({"b": [1, 2]}), pa.table({"b": [1, 2], "a": ["x", None]})
    whole = pa.table({"a": [None, None, "x", None], "b": [1, 2, 1, 2]})
    found = RowSample.of(parts[0]) + RowSample.of(parts[1])
    assert found == RowSample.of(whole)
    assert dict(zip(found.cells, found.counts, strict=True)) == {(None, "1"): 1, (None, "2"): 2, ("x", "1"): 1}


def test_cells_that_change_columns_are_another_row() -> None:
    rows: list[dict[str, Any]] = [
        {"a": 1, "b": 2},
        {"a": 2, "b": 1},
        {"a": 1, "b": None},
        {"a": None, "b": 1},
        {"a": 1},
    ]
    sample = RowSample.of(pa.Table.from_pylist(rows))
    assert sorted(sample.counts) == [1, 1, 1, 2]


def test_of_two_limits_the_smaller_holds_and_one_without_rows_has_none() -> None:
    table = pa.table({"a": range(9)})
    five, seven = RowSample.of(table, 5), RowSample.of(table, 7)
    assert five + seven == seven + five == RowSample.of(pa.concat_tables([table] * 2), 5)
    assert RowSample(3) + seven == seven
    assert (RowSample(3) + RowSample(2)).k == 2


def test_the_hashes_are_pinned_on_every_machine_and_in_every_process() -> None:
    code = (
        "import pyarrow as pa; from monitor_tasks.profiles.rows import RowSample;"
        "print(*RowSample.of(pa.table({'a': ['x', '3', None], 'é': [-0.0, float('nan'), None]})).hashes)"
    )
    for seed in ("1", "2"):
        ran = subprocess.run(
            [sys.executable, "-c", code],
            capture_output=True,
            check=True,
            text=True,
            env={**os.environ, "PYTHONHASHSEED": seed},
        )
        assert ran.stdout == "3903402888734907088 15032833695856565822 16294208416658607535\n"


def test_many_rows_in_pieces_are_those_of_all_rows_sorted() -> None:
    chance = np.random.default_rng(7)
    table = pa.table(
        {f"x{n}": chance.integers(0, 30, 300_000) for n in range(2)} | {"y": chance.random(300_000).round(2)}
    )
    sample, everything = RowSample.of(table.slice(0, 1), 64), RowSample.of(table, 200_000)
    sample += RowSample.of(table.slice(1), 64)
    assert (sample.hashes, sample.counts) == (everything.hashes[:64], everything.counts[:64])
    assert sum(everything.counts) == 300_000
    counts = table.to_pandas().value_counts()
    for row, count in zip(sample.cells, sample.counts, strict=True):
        assert counts[tuple(map(float, row))] == count
