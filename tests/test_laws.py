"""Laws that every monitor of the table and its profile obey; a new row of MONITORS has to say here what it needs."""

import math
import random
from collections.abc import Callable, Mapping, Sequence
from functools import partial, reduce
from itertools import pairwise
from operator import add
from typing import Any, NamedTuple, get_args

import pyarrow as pa
import pyarrow.compute as pc
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from monitor_tasks.baseline import Baseline, Constraint
from monitor_tasks.judging import check, read_baseline, suggest
from monitor_tasks.monitors.model_quality import PROBLEMS
from monitor_tasks.monitors.settings import MONITORS, CategoricalMethod, NumericMethod
from monitor_tasks.profiles import classes, coded, columns, crossed, facets, residuals, scores, segments
from monitor_tasks.profiles.columns import Edges, TableProfile
from monitor_tasks.profiles.extras import Also
from monitor_tasks.report import Finding, Report, State, judge
from monitor_tasks.value import Value

FEW = settings(max_examples=40)
FEWER = settings(max_examples=12)

ODD_TEXTS = ["", " ", "0", "1", "1.0", " 1", "+1", "- 1", "-0", ".5", "0.5", "2", "1e-1", "1e400", "inf", "NaN", "true"]
CELLS = {
    "number": (pa.float64(), st.floats() | st.sampled_from([0.0, -0.0, 1e308, 5e-324, 7.0])),
    "whole": (pa.int64(), st.integers(-(2**63), 2**63 - 1) | st.integers(0, 3)),
    "truth": (pa.bool_(), st.booleans()),
    "category": (pa.string(), st.sampled_from(["red", "green", "true", ""])),
    "text": (pa.string(), st.text(max_size=5)),
    "digits": (pa.string(), st.sampled_from(["1", "1.0", "- 5", ".5", "1e400", "NaN", "x", "98765432109876543210"])),
    "hash": (pa.uint64(), st.integers(0, 2**64 - 1) | st.integers(0, 3)),
    "share": (pa.float64(), st.floats(0, 1) | st.sampled_from([0.0, -0.0, 0.5, 1.0, 2.0, -1.0, math.nan, math.inf])),
    "code": (pa.int64(), st.integers(0, 1) | st.integers(-2, 12)),
    "float code": (pa.float64(), st.sampled_from([0.0, -0.0, 1.0, 1.0, 0.5, math.nan, math.inf])),
    "digit": (pa.string(), st.sampled_from(["0", "1"])),
    "odd": (pa.string(), st.sampled_from(ODD_TEXTS)),
    "shap": (pa.float64(), st.floats(-10, 10) | st.sampled_from([0.0, -0.0, 3e38, 5e-324, math.nan, -math.inf])),
}
"""Kinds of columns: their type, and what their cells may hold."""

Kinds = Mapping[str, str]
"""The columns of a table, and of which kind each is."""


@st.composite
def tables_of(
    draw: st.DrawFn, shapes: st.SearchStrategy[Kinds], min_rows: int = 0, max_rows: int = 40, *, once: bool = False
) -> pa.Table:
    """A table of such columns with missing cells; unless `once`, now and then so often that deviations are known."""
    size = draw(st.integers(min_rows, max_rows))
    known = {}
    for name, kind in draw(shapes).items():
        type_, cells = CELLS[kind]
        missing = st.none() if name != "@hash" else st.nothing()
        known[name] = pa.array(draw(st.lists(missing | cells, min_size=size, max_size=size)), type_)
    metadata = {"expected_value": draw(st.sampled_from(["0.25", "-0.0"]))} if "@hash" in known else None
    often = 1 if once else draw(st.sampled_from([1, 1, 1, 12]))
    rows = pa.array([row for row in range(size) for _ in range(often)], pa.int64())
    return pa.table(known, metadata=metadata).take(rows)


CAPTURED = st.lists(
    st.sampled_from(["number", "whole", "truth", "category", "text", "digits"]), min_size=1, max_size=4
).map(lambda kinds: {f"{kind} {index}": kind for index, kind in enumerate(kinds)})
LABELLED = st.fixed_dictionaries(
    {
        "score": st.sampled_from(["share", "share", "odd"]),
        "class": st.sampled_from(["digit", "code", "float code", "odd"]),
        "label": st.sampled_from(["digit", "digit", "code", "float code", "truth", "odd"]),
        "sex": st.sampled_from(["digit", "code", "truth", "category", "odd"]),
        "age": st.sampled_from(["code", "whole", "number", "digits", "odd"]),
        "city": st.sampled_from(["category", "odd"]),
    }
)
EXPLAINED = st.just({"@hash": "hash", "age": "shap", "income": "shap", "region": "shap"})

ROWS = 400
EVERY_TENTH = pa.array([row % 10 == 0 for row in range(ROWS)])
EVERY_FOURTH = pa.array([row % 4 == 1 for row in range(ROWS)])
SECOND_GROUP = pa.array([row // 100 % 2 == 1 for row in range(ROWS)])


def _with(rows: pa.Table, **changed: Any) -> pa.Table:
    for name, column in changed.items():
        rows = rows.set_column(rows.column_names.index(name), name, column)
    return rows


def _turned(column: Any, where: pa.Array | bool = True) -> Any:
    """The numbers in [0, 1] from the other end, on the rows named."""
    return pc.if_else(where, pc.subtract(1, column), column)


CAPTURE = pa.table(
    {
        "amount": [math.sin(row) for row in range(ROWS)],
        "count": [row % 17 for row in range(ROWS)],
        "colour": [("red", "green", "blue")[row % 3] for row in range(ROWS)],
        "digits": [f"{row}.5" for row in range(ROWS)],
    }
)
SCORE = [(row * 37 % 100 + 0.5) / 100 for row in range(ROWS)]
LABELS = pa.table(
    {
        "score": SCORE,
        "class": [int(score > 0.5) for score in SCORE],
        "label": [int(score > 0.5) if row % 8 else int(score <= 0.5) for row, score in enumerate(SCORE)],
        "sex": ["f" if row // 100 % 2 else "m" for row in range(ROWS)],
        "age": [20 + row % 50 for row in range(ROWS)],
        "city": [("Bern", "Basel")[row // 50 % 2] for row in range(ROWS)],
    }
)
SHAP = pa.table(
    {
        "@hash": pa.array([row * 7919 for row in range(ROWS)], pa.uint64()),
        "age": [0.1 * math.sin(row + 1) for row in range(ROWS)],
        "income": [3.0 * math.sin(row) for row in range(ROWS)],
        "region": [0.9 * math.cos(row) for row in range(ROWS)],
    }
)


class Need(NamedTuple):
    """What the laws need of one monitor."""

    shapes: st.SearchStrategy[Kinds]
    """Columns of the rows that its stage gives it."""
    healthy: pa.Table
    damaged: Mapping[str, pa.Table]
    """Twins of the healthy table, each with its own damage; every one has to be caught."""
    ways: Sequence[Mapping[str, Any]] = ({},)
    """Settings to build it with: the laws hold for each."""
    fewest: int = 1
    """The smallest number of rows that its settings let it judge."""
    edges: Callable[[pa.Table], Edges] = lambda _: Edges({})

    def tables(self, **more: Any) -> st.SearchStrategy[pa.Table]:
        return tables_of(self.shapes, **more)


FACETS = [{"name": "sex"}, {"name": "age", "value_or_threshold": [40]}, {"name": "city", "value_or_threshold": ["1"]}]
BY_CLASS = {"predicted_label": "class", "facets": FACETS}
BY_SCORE = {
    "predicted_label": "score", "probability_threshold": 0.5, "label_values_or_threshold": [1], "facets": FACETS,
    "group_variable": "city", "intersections": [["sex", "age"]],
}  # fmt: skip


SEGMENTS = ["sex", "city", {"name": "age", "cuts": [1, 40]}]


def every_metric(problem_type: Any, **more: Any) -> dict[str, Any]:
    """Settings of model quality that have all metrics of a problem type judged."""
    return {"problem_type": problem_type, "further_metrics": tuple(PROBLEMS[problem_type].further), **more}


EVERY_METHOD = {"numeric": get_args(NumericMethod), "categorical": get_args(CategoricalMethod)}
NEEDS = {
    "data_quality": Need(
        CAPTURED,
        CAPTURE,
        {
            "nulls": _with(CAPTURE, amount=pc.if_else(EVERY_TENTH, None, CAPTURE["amount"])),
            "an empty column": _with(CAPTURE, colour=pa.nulls(ROWS, pa.string())),
            "a new category": _with(CAPTURE, colour=pc.if_else(EVERY_TENTH, "grey", CAPTURE["colour"])),
            "a lost category": _with(CAPTURE, colour=pc.replace_substring(CAPTURE["colour"], "red", "green")),
            "shifted numbers": _with(CAPTURE, amount=pc.add(CAPTURE["amount"], 0.5)),
            "another unit": _with(CAPTURE, count=pc.multiply(CAPTURE["count"], 1000)),
            "a stuck sensor": _with(CAPTURE, amount=pa.array([0.0] * ROWS)),
            "text among digits": _with(CAPTURE, digits=pc.if_else(EVERY_TENTH, "unknown", CAPTURE["digits"])),
            "a lost column": CAPTURE.drop_columns(["count"]),
            "a new column": CAPTURE.append_column("extra", CAPTURE["count"]),
        },
        ways=(
            {},
            {"comparison_method": "Simple"},
            {"range_check": True, "constant_check": True, "drift": EVERY_METHOD},
        ),
        edges=Edges.of,
    ),
    "model_quality": Need(
        LABELLED,
        LABELS,
        {
            "flipped labels": _with(LABELS, label=_turned(LABELS["label"])),
            "a quarter of the labels flipped": _with(LABELS, label=_turned(LABELS["label"], EVERY_FOURTH)),
            "flipped predictions": _with(
                LABELS, **{"class": _turned(LABELS["class"]), "score": _turned(LABELS["score"])}
            ),
            "one class only": _with(LABELS, **{"class": pa.array([0] * ROWS), "score": pa.array([0.1] * ROWS)}),
        },
        ways=[
            {**predictions, "rule": rule}
            for predictions in (
                {"probability_attribute": "score"},
                {"inference_attribute": "class"},
                {"probability_attribute": "score", "inference_attribute": "class"},
                every_metric("BinaryClassification", probability_attribute="score"),
                {"probability_attribute": "score", "estimate": True, "judged_estimates": ("accuracy", "f1", "auc")},
                every_metric("MulticlassClassification", inference_attribute="class"),
                every_metric(
                    "MulticlassClassification",
                    inference_attribute="class",
                    class_probability_attributes={"0": "score", "1": "score"},
                ),
                every_metric("Regression", inference_attribute="score"),
            )
            for rule in ("observed", "interval")
        ]
        + [
            every_metric("BinaryClassification", probability_attribute="score", segments=SEGMENTS),
            every_metric("MulticlassClassification", inference_attribute="class", segments=SEGMENTS),
            every_metric("Regression", inference_attribute="score", segments=SEGMENTS),
        ],
    ),
    "bias": Need(
        LABELLED,
        LABELS,
        {
            "one group's outcomes flipped": _with(LABELS, label=_turned(LABELS["label"], SECOND_GROUP)),
            "one group's predictions flipped": _with(
                LABELS,
                **{name: _turned(LABELS[name], SECOND_GROUP) for name in ("class", "score")},
            ),
            "one group refused": _with(
                LABELS, **{name: pc.if_else(SECOND_GROUP, 0, LABELS[name]) for name in ("class", "score")}
            ),
            "one group all but gone": LABELS.filter(pc.or_(pc.invert(SECOND_GROUP), pc.less(LABELS["age"], 35))),
        },
        ways=[{**by, "rule": rule} for by in (BY_CLASS, BY_SCORE) for rule in ("observed", "interval")],
    ),
    "attribution": Need(
        EXPLAINED,
        SHAP,
        {
            "swapped features": _with(SHAP, age=SHAP["income"], income=SHAP["age"]),
            "a dead feature": _with(SHAP, income=pa.array([0.0] * ROWS)),
            "a leak": _with(SHAP, age=pc.multiply(SHAP["age"], 1000)),
        },
        ways=({}, {"sample_rows": 30}, {"agg_method": "mean_sq"}),
        fewest=2,
    ),
}

every_monitor = pytest.mark.parametrize("name", NEEDS)
randoms = st.randoms(use_true_random=False)


def test_every_monitor_is_held_to_the_laws() -> None:
    lacking = ", ".join(sorted({*MONITORS} - {*NEEDS}))
    assert not lacking, f"{lacking}: add to NEEDS in tests/test_laws.py which rows, settings and damages try its laws"
    assert {*NEEDS} == {*MONITORS}, "NEEDS of tests/test_laws.py names a monitor that is no row of MONITORS"


def chosen(name: str, **settings_: Any) -> Value:
    return MONITORS[name].settings.model_validate(settings_)


def built(name: str, **settings_: Any) -> Any:
    return MONITORS[name].monitor(chosen(name, **settings_))


def some_monitor(name: str, **more: Any) -> st.SearchStrategy[Any]:
    """The monitor with any of its ways."""
    return st.sampled_from(NEEDS[name].ways).map(lambda way: built(name, **way, **more))


def split(table: pa.Table, chance: random.Random) -> list[pa.Table]:
    cuts = [0, *sorted(chance.randint(0, table.num_rows) for _ in range(3)), table.num_rows]
    return [table.slice(start, end - start) for start, end in pairwise(cuts)]


def shuffled(table: pa.Table, chance: random.Random) -> pa.Table:
    rows = chance.sample(range(table.num_rows), table.num_rows)
    return table.take(pa.array(rows, pa.int64())).select(chance.sample(table.column_names, table.num_columns))


def suggested(name: str, monitor: Any, table: pa.Table) -> tuple[Baseline, Edges]:
    edges = NEEDS[name].edges(table)
    profile = monitor.profile(table, edges)
    return Baseline("id", tuple(monitor.suggest([profile])), profile), edges


def checked(monitor: Any, table: pa.Table, baseline: Baseline, edges: Edges) -> tuple[Finding, ...]:
    return judge(monitor.measure(monitor.profile(table, edges), baseline), baseline.constraints)


def broken(findings: tuple[Finding, ...]) -> set[str]:
    return {finding.constraint.key for finding in findings if finding.state is State.BROKEN}


def adds_up(profile: Callable[[pa.Table], Any], table: pa.Table, chance: random.Random) -> None:
    whole = profile(table).to_json()
    parts = [profile(part) for part in split(shuffled(table, chance), chance)]
    assert reduce(add, parts).to_json() == whole
    assert reduce(add, chance.sample(parts, len(parts))).to_json() == whole


@every_monitor
@FEW
@given(data=st.data(), chance=randoms)
def test_profiling_any_split_in_any_order_gives_the_same_bytes(
    name: str, data: st.DataObject, chance: random.Random
) -> None:
    monitor, table = data.draw(some_monitor(name)), data.draw(NEEDS[name].tables())
    adds_up(partial(monitor.profile, edges=NEEDS[name].edges(table)), table, chance)


@pytest.mark.parametrize("by", [BY_CLASS, BY_SCORE], ids=["by class", "by score"])
def test_rows_of_a_group_called_inf_and_of_an_infinite_number_are_all_counted(by: dict[str, Any]) -> None:
    rows = LABELS.slice(0, 4)
    table = _with(rows, **dict.fromkeys(["sex", "city"], pa.array(["1e400", "inf", "-inf", "-1e400"])))
    monitor = built("bias", **by)
    parts = [monitor.profile(table.slice(row, 1)) for row in range(4)]
    assert reduce(add, parts).to_json() == monitor.profile(table).to_json()


@every_monitor
@FEW
@given(data=st.data(), chance=randoms)
def test_so_it_does_where_there_are_more_values_than_are_kept(
    name: str, data: st.DataObject, chance: random.Random
) -> None:
    monitor, table = data.draw(some_monitor(name)), data.draw(NEEDS[name].tables())
    edges = NEEDS[name].edges(table)
    with pytest.MonkeyPatch.context() as patch:
        for room, limit in (
            *((columns, "TEXT_LIMIT"), (columns, "NUMBER_LIMIT"), (scores, "SCORE_LIMIT")),
            *((classes, "CLASS_LIMIT"), (residuals, "RESIDUAL_LIMIT"), (segments, "VALUE_LIMIT")),
            *((coded, "VALUE_LIMIT"), (crossed, "VALUE_LIMIT"), (facets, "VALUE_LIMIT"), (facets, "PAIR_LIMIT")),
        ):
            patch.setattr(room, limit, 3)
        adds_up(partial(monitor.profile, edges=edges), table, chance)


@every_monitor
@FEW
@given(data=st.data(), chance=randoms)
def test_adding_is_associative_and_commutative_and_has_a_zero(
    name: str, data: st.DataObject, chance: random.Random
) -> None:
    monitor, table = data.draw(some_monitor(name)), data.draw(NEEDS[name].tables())
    edges = chance.choice([NEEDS[name].edges(table), None])
    one, two, three, _ = (monitor.profile(part, edges) for part in split(table, chance))
    assert ((one + two) + three).to_json() == (one + (two + three)).to_json()
    assert (one + two).to_json() == (two + one).to_json()
    zero = monitor.profile(table.slice(0, 0), edges)
    assert (zero + one).to_json() == (one + zero).to_json() == one.to_json()


@FEW
@given(*[tables_of(CAPTURED)] * 3)
def test_tables_of_different_columns_add_up_too(one: pa.Table, two: pa.Table, three: pa.Table) -> None:
    a, b, c = (TableProfile.of(table) for table in (one, two, three))
    assert ((a + b) + c).to_json() == (a + (b + c)).to_json() == ((c + b) + a).to_json()
    assert (a + TableProfile()).to_json() == (TableProfile() + a).to_json() == a.to_json()


EXTRAS = {
    "few rows": Also(sample=3),
    "all rows": Also(sample=10_000),
    "correlations": Also(correlations=True),
    "rows and correlations": Also(sample=5, correlations=True),
}
"""What a table's profile may remember beside its columns: the laws hold for each."""
every_extra = pytest.mark.parametrize("also", EXTRAS.values(), ids=EXTRAS)


@every_extra
@FEWER
@given(table=tables_of(CAPTURED), chance=randoms)
def test_what_is_remembered_beside_columns_is_a_sum_too(also: Also, table: pa.Table, chance: random.Random) -> None:
    edges = chance.choice([Edges.of(table), None])
    profile = partial(TableProfile.of, edges=edges, also=also)
    adds_up(profile, table, chance)
    one, two, three, _ = map(profile, split(table, chance))
    assert ((one + two) + three).to_json() == (one + (two + three)).to_json() == ((three + two) + one).to_json()
    for zero in (TableProfile(), profile(table.slice(0, 0)), TableProfile.of(table.slice(0, 0))):
        assert (zero + one).to_json() == (one + zero).to_json() == one.to_json()
    again = TableProfile.from_json(one.to_json())
    assert again == one
    assert again.to_json() == one.to_json()


@FEW
@given(tables_of(CAPTURED), tables_of(CAPTURED), tables_of(CAPTURED), st.lists(st.booleans(), min_size=3, max_size=3))
def test_samples_of_different_columns_add_up_and_are_dropped_where_one_is_lacking(
    one: pa.Table, two: pa.Table, three: pa.Table, asked: list[bool]
) -> None:
    known = zip((one, two, three), asked, strict=True)
    a, b, c = (TableProfile.of(table, None, Also(sample=5 * ask)) for table, ask in known)
    assert ((a + b) + c).to_json() == (a + (b + c)).to_json() == ((c + b) + a).to_json()
    with_rows = [profile.sample for profile in (a, b, c) if profile.rows]
    assert ((a + b + c).sample is None) == (None in with_rows if with_rows else not any(asked))


@FEW
@given(one=tables_of(CAPTURED, min_rows=1), two=tables_of(CAPTURED, min_rows=1))
def test_profiles_on_different_edges_refuse_to_add(one: pa.Table, two: pa.Table) -> None:
    monitor, mine, theirs = built("data_quality"), Edges.of(one), Edges.of(two)
    assume(mine.id != theirs.id)
    with pytest.raises(ValueError, match="different edges"):
        monitor.profile(one, mine) + monitor.profile(two, theirs)


@every_monitor
@FEWER
@given(data=st.data())
def test_the_table_is_not_changed(name: str, data: st.DataObject) -> None:
    monitor, table = data.draw(some_monitor(name)), data.draw(NEEDS[name].tables())
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema) as stream:
        stream.write_table(table)
    copy = pa.ipc.open_stream(sink.getvalue()).read_all()
    baseline, edges = suggested(name, monitor, table)
    checked(monitor, table, baseline, edges)
    assert str(table.to_pydict()) == str(copy.to_pydict())
    assert table.schema.equals(copy.schema, check_metadata=True)


@every_monitor
@FEW
@given(data=st.data())
def test_a_profile_survives_its_file(name: str, data: st.DataObject) -> None:
    monitor, table = data.draw(some_monitor(name)), data.draw(NEEDS[name].tables())
    edges = NEEDS[name].edges(table)
    profile = monitor.profile(table, edges)
    again = monitor.read_profile(profile.to_json())
    assert again == profile
    assert again.to_json() == profile.to_json()
    assert (again + again).to_json() == (profile + profile).to_json()
    assert Edges.from_json(edges.to_json()).id == edges.id


@every_monitor
@FEWER
@given(data=st.data())
def test_a_baseline_and_a_report_survive_their_files(name: str, data: st.DataObject) -> None:
    settings_ = chosen(name, **data.draw(st.sampled_from(NEEDS[name].ways)), minimum_rows=NEEDS[name].fewest)
    table, window = data.draw(NEEDS[name].tables(min_rows=1)), data.draw(NEEDS[name].tables())
    files = suggest(name, settings_, table)
    known = read_baseline("id", name, settings_, files.get)
    baseline, edges = suggested(name, MONITORS[name].monitor(settings_), table)
    untried = [one.model_copy(update={"slices": 0, "alarms": 0}) for one in known.baseline.constraints]
    assert sorted(map(repr, untried)) == sorted(map(repr, baseline.constraints))
    assert known.baseline.profile == baseline.profile
    assert known.edges.id == edges.id
    for seen in (table, window):
        report = check(name, settings_, seen, known).report("e", "w")
        again = Report.read(report.to_json(), "report.json")
        assert again == report
        assert again.to_json() == report.to_json()


@every_monitor
@FEW
@given(data=st.data())
def test_a_table_never_breaks_the_baseline_it_suggested(name: str, data: st.DataObject) -> None:
    table = data.draw(NEEDS[name].tables())
    for more in ({"minimum_rows": NEEDS[name].fewest}, {}):
        monitor = data.draw(some_monitor(name, **more))
        assert broken(checked(monitor, table, *suggested(name, monitor, table))) == set()


@every_monitor
@FEW
@given(data=st.data(), chance=randoms)
def test_an_empty_or_tiny_window_is_undecided_and_never_broken(
    name: str, data: st.DataObject, chance: random.Random
) -> None:
    monitor, table = data.draw(some_monitor(name)), data.draw(NEEDS[name].tables())
    window = data.draw(NEEDS[name].tables(max_rows=29, once=True))
    baseline, edges = suggested(name, monitor, table)
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
            "margin": constraint.margin * chance.random(),
        }
    )


@every_monitor
@FEW
@given(data=st.data(), chance=randoms)
def test_tightening_a_bound_never_removes_a_violation(name: str, data: st.DataObject, chance: random.Random) -> None:
    monitor = data.draw(some_monitor(name, minimum_rows=NEEDS[name].fewest))
    table, window = data.draw(NEEDS[name].tables()), data.draw(NEEDS[name].tables())
    baseline, edges = suggested(name, monitor, table)
    tighter = baseline._replace(constraints=tuple(tightened(one, chance) for one in baseline.constraints))
    for seen in (window, shuffled(table, chance).slice(0, table.num_rows // 2)):
        assert broken(checked(monitor, seen, baseline, edges)) <= broken(checked(monitor, seen, tighter, edges))


@pytest.mark.parametrize(
    ("name", "damage"), [(name, damage) for name, need in NEEDS.items() for damage in need.damaged]
)
def test_a_damaged_twin_is_caught(name: str, damage: str) -> None:
    need = NEEDS[name]
    for way in need.ways:
        monitor = built(name, **way)
        baseline, edges = suggested(name, monitor, need.healthy)
        assert broken(checked(monitor, need.healthy, baseline, edges)) == set()
        assert broken(checked(monitor, need.damaged[damage], baseline, edges))
