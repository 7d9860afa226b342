"""The share of repeated rows: pandas' own where all different rows are kept, else within its standard error."""

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor_tasks.metrics.duplicates import duplicate_rows
from monitor_tasks.profiles.rows import RowSample

SIZE = 40_000


def truth(table: pa.Table) -> float:
    return float(table.to_pandas().duplicated().mean())


@given(st.lists(st.tuples(st.sampled_from(["a", "b", None]), st.integers(0, 4) | st.none()), min_size=1, max_size=60))
def test_it_is_pandas_where_all_different_rows_are_kept(rows: list[tuple[str | None, int | None]]) -> None:
    table = pa.table({"x": [x for x, _ in rows], "y": pa.array([y for _, y in rows], pa.int64())})
    expected = float(pd.DataFrame(rows, dtype=object).duplicated().mean())
    for k in (15, 1000):  # no more than fifteen different rows can be made of these cells
        found = duplicate_rows(RowSample.of(table, k))
        assert found is not None
        assert (found.value, found.deviation) == (pytest.approx(expected, abs=1e-12), 0.0)


def repeated(chance: np.random.Generator, share: float) -> pa.Table:
    """Rows of which about this share repeats one of the others, twice or more often."""
    rows = chance.integers(0, 2**62, int(SIZE * (1 - share)))
    return pa.table({"x": chance.permutation(np.append(rows, chance.choice(rows, SIZE - len(rows)))).astype(float)})


@pytest.mark.parametrize("share", [0.001, 0.01, 0.1, 0.5, 0.9])
@pytest.mark.parametrize("seed", range(5))
def test_beyond_that_it_is_within_four_standard_errors_of_pandas(share: float, seed: int) -> None:
    table = repeated(np.random.default_rng(seed), share)
    found = duplicate_rows(RowSample.of(table))
    assert found is not None
    assert 0 < found.deviation < 0.02
    assert abs(found.value - truth(table)) < 4 * found.deviation


def test_the_standard_error_is_the_scatter_of_the_estimates() -> None:
    tables = [repeated(np.random.default_rng(seed), 0.2) for seed in range(40)]
    found = [duplicate_rows(RowSample.of(table, 256)) for table in tables]
    assert None not in found
    off = [(one.value - truth(table)) / one.deviation for one, table in zip(found, tables, strict=True) if one]
    assert np.std(off) == pytest.approx(1, abs=0.3)
    assert abs(np.mean(off)) < 4 / np.sqrt(len(off))


def test_without_repeats_it_is_exactly_zero_and_owns_up_to_an_error() -> None:
    found = duplicate_rows(RowSample.of(pa.table({"x": np.arange(100_000.0)})))
    assert found is not None
    assert found.value == 0
    assert found.deviation == pytest.approx(1 / 1024, rel=0.02)


def test_one_row_that_fills_half_the_table_is_seen_though_it_is_one_different_row() -> None:
    values = np.arange(SIZE, dtype=float)
    values[: SIZE // 2] = -1
    table = pa.table({"x": values})
    sample = RowSample.of(table)
    assert sum(sample.counts) == 1024  # it is not among the kept rows
    found = duplicate_rows(sample)
    assert found is not None
    assert abs(found.value - truth(table)) < 4 * found.deviation


def test_nor_does_such_a_row_count_for_a_thousandth_of_all_where_it_is_kept_by_chance() -> None:
    values = np.arange(SIZE, dtype=float)
    smallest = RowSample.of(pa.table({"x": values}), 1).cells[0][0]
    values[1 : SIZE // 2] = float(str(smallest))
    table = pa.table({"x": values})
    sample = RowSample.of(table)
    assert sample.counts[0] >= SIZE // 2 - 1
    found = duplicate_rows(sample)
    assert found is not None
    assert abs(found.value - truth(table)) < 4 * found.deviation < 0.1


def test_no_rows_have_no_share() -> None:
    assert duplicate_rows(RowSample()) is None
    assert duplicate_rows(RowSample.of(pa.table({"x": pa.array([], pa.int64())}))) is None
