"""Laws that every profile and every monitor of the table obeys; a new row of MONITORS is held to them by itself."""

import math
import random
from functools import reduce
from itertools import pairwise
from operator import add
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from monitor_tasks.baseline import Baseline, Constraint
from monitor_tasks.monitors.settings import MONITORS
from monitor_tasks.profiles.columns import Edges, TableProfile
from monitor_tasks.report import Finding, State, judge

FEW = settings(max_examples=40)

CELLS = {
    "number": (pa.float64(), st.floats() | st.sampled_from([0.0, -0.0, 1e308, 5e-324, 7.0])),
    "whole": (pa.int64(), st.integers(-(2**63), 2**63 - 1) | st.integers(0, 3)),
    "truth": (pa.bool_(), st.booleans()),
    "category": (pa.string(), st.sampled_from(["red", "green", "true", ""])),
    "text": (pa.string(), st.text(max_size=5)),
    "digits": (pa.string(), st.sampled_from(["1", "1.0", "- 5", ".5", "1e400", "NaN", "x", "98765432109876543210"])),
}


@st.composite
def tables(draw: st.DrawFn, min_rows: int = 0, max_rows: int = 30) -> pa.Table:
    """A table of any kinds of columns, with missing cells."""
    kinds = draw(st.lists(st.sampled_from(sorted(CELLS)), min_size=1, max_size=4))
    size = draw(st.integers(min_rows, max_rows))
    columns = {}
    for index, kind in enumerate(kinds):
        type_, cells = CELLS[kind]
        values = draw(st.lists(st.none() | cells, min_size=size, max_size=size))
        columns[f"{kind} {index}"] = pa.array(values, type_)
    return pa.table(columns)


randoms = st.randoms(use_true_random=False)


def split(table: pa.Table, chance: random.Random) -> list[pa.Table]:
    cuts = [0, *sorted(chance.randint(0, table.num_rows) for _ in range(3)), table.num_rows]
    return [table.slice(start, end - start) for start, end in pairwise(cuts)]


def shuffled(table: pa.Table, chance: random.Random) -> pa.Table:
    rows = chance.sample(range(table.num_rows), table.num_rows)
    return table.take(pa.array(rows, pa.int64())).select(chance.sample(table.column_names, table.num_columns))


def build(name: str, **chosen: Any) -> Any:
    """The monitor with its usual settings, and those chosen ones that it has."""
    row = MONITORS[name]
    return row.monitor(
        row.settings(**{key: value for key, value in chosen.items() if key in row.settings.model_fields})
    )


def suggested(monitor: Any, table: pa.Table) -> tuple[Baseline, Edges]:
    edges = Edges.of(table)
    profile = monitor.profile(table, edges)
    return Baseline("id", tuple(monitor.suggest([profile])), profile), edges


def checked(monitor: Any, table: pa.Table, baseline: Baseline, edges: Edges) -> tuple[Finding, ...]:
    return judge(monitor.measure(monitor.profile(table, edges), baseline), baseline.constraints)


def broken(findings: tuple[Finding, ...]) -> set[str]:
    return {finding.constraint.key for finding in findings if finding.state is State.BROKEN}


every_monitor = pytest.mark.parametrize("name", MONITORS)


@every_monitor
@FEW
@given(table=tables(), chance=randoms)
def test_profiling_any_split_in_any_order_gives_the_same_bytes(
    name: str, table: pa.Table, chance: random.Random
) -> None:
    monitor, edges = build(name), Edges.of(table)
    whole = monitor.profile(table, edges).to_json()
    parts = [monitor.profile(part, edges) for part in split(shuffled(table, chance), chance)]
    assert reduce(add, parts).to_json() == whole
    assert reduce(add, chance.sample(parts, len(parts))).to_json() == whole


@every_monitor
@FEW
@given(table=tables(), chance=randoms)
def test_adding_is_associative_and_commutative_and_has_a_zero(
    name: str, table: pa.Table, chance: random.Random
) -> None:
    monitor, edges = build(name), chance.choice([Edges.of(table), None])
    one, two, three, _ = (monitor.profile(part, edges) for part in split(table, chance))
    assert ((one + two) + three).to_json() == (one + (two + three)).to_json()
    assert (one + two).to_json() == (two + one).to_json()
    zero = monitor.profile(table.slice(0, 0), edges)
    assert (zero + one).to_json() == (one + zero).to_json() == one.to_json()


@FEW
@given(tables(), tables(), tables())
def test_tables_of_different_columns_add_up_too(one: pa.Table, two: pa.Table, three: pa.Table) -> None:
    a, b, c = (TableProfile.of(table) for table in (one, two, three))
    assert ((a + b) + c).to_json() == (a + (b + c)).to_json() == ((c + b) + a).to_json()
    assert (a + TableProfile()).to_json() == (TableProfile() + a).to_json() == a.to_json()


@every_monitor
@FEW
@given(one=tables(min_rows=1), two=tables(min_rows=1))
def test_profiles_on_different_edges_refuse_to_add(name: str, one: pa.Table, two: pa.Table) -> None:
    monitor, mine, theirs = build(name), Edges.of(one), Edges.of(two)
    assume(mine.id != theirs.id)
    with pytest.raises(ValueError, match="different edges"):
        monitor.profile(one, mine) + monitor.profile(two, theirs)


@every_monitor
@FEW
@given(table=tables())
def test_the_table_is_not_changed(name: str, table: pa.Table) -> None:
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema) as stream:
        stream.write_table(table)
    copy = pa.ipc.open_stream(sink.getvalue()).read_all()
    monitor = build(name)
    baseline, edges = suggested(monitor, table)
    checked(monitor, table, baseline, edges)
    assert str(table.to_pydict()) == str(copy.to_pydict())
    assert table.schema == copy.schema


@every_monitor
@FEW
@given(table=tables())
def test_what_a_monitor_learned_survives_its_file(name: str, table: pa.Table) -> None:
    baseline, edges = suggested(build(name), table)
    assert Edges.from_json(edges.to_json()).id == edges.id
    again = type(baseline.profile).from_json(baseline.profile.to_json())
    assert again == baseline.profile
    assert again.to_json() == baseline.profile.to_json()
    assert all(Constraint.from_json(one.to_json()) == one for one in baseline.constraints)
    assert (again + again).to_json() == (baseline.profile + baseline.profile).to_json()


@every_monitor
@settings(max_examples=80)
@given(table=tables())
def test_a_table_never_breaks_the_baseline_it_suggested(name: str, table: pa.Table) -> None:
    for chosen in ({"minimum_rows": 1}, {"minimum_rows": 1, "comparison_method": "Simple"}, {}):
        monitor = build(name, **chosen)
        assert broken(checked(monitor, table, *suggested(monitor, table))) == set()


@every_monitor
@FEW
@given(table=tables(), window=tables(max_rows=29), chance=randoms)
def test_an_empty_or_tiny_window_is_undecided_and_never_broken(
    name: str, table: pa.Table, window: pa.Table, chance: random.Random
) -> None:
    monitor = build(name)
    baseline, edges = suggested(monitor, table)
    for tiny in (table.slice(0, 0), window, table.slice(0, chance.randint(0, 29))):
        findings = checked(monitor, tiny, baseline, edges)
        assert {finding.state for finding in findings} <= {State.UNDECIDED}
        assert all(finding.because for finding in findings)


def tightened(constraint: Constraint, chance: random.Random) -> Constraint:
    lower, upper = constraint.lower, constraint.upper
    return constraint.model_copy(
        update={
            "lower": None if lower is None else lower + chance.random(),
            "upper": None if upper is None else upper - chance.random(),
        }
    )


@every_monitor
@FEW
@given(table=tables(), window=tables(), chance=randoms)
def test_tightening_a_bound_never_removes_a_violation(
    name: str, table: pa.Table, window: pa.Table, chance: random.Random
) -> None:
    monitor = build(name, minimum_rows=1)
    baseline, edges = suggested(monitor, table)
    tighter = baseline._replace(constraints=tuple(tightened(one, chance) for one in baseline.constraints))
    for seen in (window, shuffled(table, chance).slice(0, table.num_rows // 2)):
        assert broken(checked(monitor, seen, baseline, edges)) <= broken(checked(monitor, seen, tighter, edges))


ROWS = 400
HEALTHY = pa.table(
    {
        "amount": [math.sin(row) for row in range(ROWS)],
        "count": [row % 17 for row in range(ROWS)],
        "colour": [("red", "green", "blue")[row % 3] for row in range(ROWS)],
        "digits": [f"{row}.5" for row in range(ROWS)],
    }
)


def _with(name: str, column: Any) -> pa.Table:
    return HEALTHY.set_column(HEALTHY.column_names.index(name), name, column)


EVERY_TENTH = pa.array([row % 10 == 0 for row in range(ROWS)])
DAMAGES = {
    "nulls": _with("amount", pc.if_else(EVERY_TENTH, None, HEALTHY["amount"])),
    "an empty column": _with("colour", pa.nulls(ROWS, pa.string())),
    "a new category": _with("colour", pc.if_else(EVERY_TENTH, "grey", HEALTHY["colour"])),
    "a lost category": _with("colour", pc.if_else(pc.equal(HEALTHY["colour"], "red"), "green", HEALTHY["colour"])),
    "shifted numbers": _with("amount", pc.add(HEALTHY["amount"], 0.5)),
    "another unit": _with("count", pc.multiply(HEALTHY["count"], 1000)),
    "a stuck sensor": _with("amount", pa.array([0.0] * ROWS)),
    "text among digits": _with("digits", pc.if_else(EVERY_TENTH, "unknown", HEALTHY["digits"])),
    "a lost column": HEALTHY.drop_columns(["count"]),
    "a new column": HEALTHY.append_column("extra", HEALTHY["count"]),
}
BLIND: dict[str, set[str]] = {"data_quality": set()}
"""Damages that are not a monitor's to catch; one that is not named here has to catch all."""


@every_monitor
@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_twin_is_caught(name: str, damage: str) -> None:
    monitor = build(name)
    baseline, edges = suggested(monitor, HEALTHY)
    assert broken(checked(monitor, HEALTHY, baseline, edges)) == set()
    assert bool(broken(checked(monitor, DAMAGES[damage], baseline, edges))) is (damage not in BLIND.get(name, set()))
