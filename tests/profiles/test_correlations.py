"""Rank co-moments are whole sums: pair by pair over the rows that have both numbers, exact under any split."""

import math
import random

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor_tasks.profiles.columns import Edges, TableProfile
from monitor_tasks.profiles.correlations import COLUMNS, Correlations
from monitor_tasks.profiles.extras import Also

CELLS = {
    "number": (pa.float64(), [0.0, 1.5, -2.0, math.nan, math.inf, None]),
    "whole": (pa.int64(), [*range(9), None]),
    "text": (pa.string(), ["1", "2.5", "x", "true", None]),
    "without gaps": (pa.float64(), [0.0, 1.0, 2.0]),
}


@st.composite
def tables(draw: st.DrawFn) -> pa.Table:
    rows = draw(st.integers(1, 30))
    cells = {name: st.lists(st.sampled_from(known), min_size=rows, max_size=rows) for name, (_, known) in CELLS.items()}
    return pa.table({name: pa.array(draw(one), CELLS[name][0]) for name, one in cells.items()})


def profiled(table: pa.Table, edges: Edges) -> Correlations:
    found = TableProfile.of(table, edges, Also(correlations=True)).correlations
    assert found is not None
    return found


def codes(table: pa.Table, edges: Edges, name: str) -> list[int | None]:
    """The bins of a column's cells, each by itself."""
    known = [TableProfile.of(table.slice(row, 1), edges).columns[name].bins for row in range(table.num_rows)]
    return [int(next(iter(bins))) if bins else None for bins in known]


@given(tables())
def test_every_pair_is_summed_over_the_rows_that_have_both(table: pa.Table) -> None:
    edges = Edges.of(table)
    if not edges.by_column:
        return
    found = profiled(table, edges)
    assert found.columns == tuple(sorted(edges.by_column))
    known = [codes(table, edges, name) for name in found.columns]
    for i, mine in enumerate(known):
        for j, theirs in enumerate(known):
            both = [(x, y) for x, y in zip(mine, theirs, strict=True) if x is not None and y is not None]
            sums = [len(both), sum(x for x, _ in both), sum(x * x for x, _ in both), sum(x * y for x, y in both)]
            assert found.sums[:, i, j].tolist() == sums


@given(tables(), st.randoms(use_true_random=False))
def test_any_split_in_any_order_gives_the_same_sums(table: pa.Table, chance: random.Random) -> None:
    edges = Edges.of(table)
    if not edges.by_column:
        return
    whole = profiled(table, edges)
    mixed = table.take(pa.array(chance.sample(range(table.num_rows), table.num_rows)))
    cut = chance.randint(0, table.num_rows)
    parts = [profiled(part, edges) for part in (mixed.slice(0, cut), mixed.slice(cut))]
    assert parts[0] + parts[1] == parts[1] + parts[0] == whole
    assert whole + Correlations() == Correlations() + whole == whole
    assert Correlations.from_dict(whole.to_dict()) == whole
    assert hash(Correlations.from_dict(whole.to_dict())) == hash(whole)


def test_many_rows_are_summed_without_rounding() -> None:
    values = np.random.default_rng(3).normal(size=200_000)
    table = pa.table({"x": values, "y": pa.array(values[::-1], mask=values > 2)})
    edges = Edges.of(table)
    x, y = (np.searchsorted(edges.by_column[name], values_) for name, values_ in (("x", values), ("y", values[::-1])))
    has = values <= 2
    found = profiled(table, edges)
    assert found.sums[:, 0, 1].tolist() == [has.sum(), x[has].sum(), (x[has] ** 2).sum(), (x * y)[has].sum()]
    assert found.sums[:, 1, 0].tolist() == [has.sum(), y[has].sum(), (y[has] ** 2).sum(), (x * y)[has].sum()]
    plain = TableProfile.of(table, edges)
    assert TableProfile.of(table, edges, Also(correlations=True)).columns == plain.columns


def test_the_first_hundred_columns_are_correlated_and_the_others_named() -> None:
    table = pa.table({f"x{n:03}": [float(n), 1.0] for n in range(COLUMNS + 2)} | {"a text": ["a", "b"]})
    found = profiled(table, Edges.of(table))
    assert (found.columns[-1], found.left_out) == ("x099", ("x100", "x101"))


def test_those_of_different_columns_refuse_to_add_and_those_without_rows_do_not() -> None:
    one, two = (pa.table({name: [1.0, 2.0]}) for name in ("a", "b"))
    a, b = profiled(one, Edges.of(one)), profiled(two, Edges.of(two))
    with pytest.raises(ValueError, match="correlations of different columns do not add: a, b"):
        a + b
    empty = profiled(two.slice(0, 0), Edges.of(two))
    assert a + empty == empty + a == a
    assert (empty + Correlations()).columns == (Correlations() + empty).columns == ("b",)


def test_without_edges_there_are_none() -> None:
    table = pa.table({"a": [1.0, 2.0]})
    assert TableProfile.of(table, None, Also(correlations=True)).correlations is None
    assert TableProfile.of(table, Edges({}), Also(correlations=True)).correlations is None


def test_a_column_that_a_window_lacks_is_missing_there() -> None:
    table = pa.table({"a": [1.0, 2.0], "b": [2.0, 1.0]})
    found = profiled(table.select(["b"]), Edges.of(table))
    assert found.sums[0].tolist() == [[0, 0], [0, 2]]
