"""What is remembered of a column: exact counts, bins that tell a shift, and limits that hold when profiles add up."""

import math
from collections import Counter
from functools import reduce
from operator import add
from weakref import WeakValueDictionary

import numpy as np
import orjson
import pyarrow as pa
import pytest
from numpy.typing import NDArray
from scipy.stats import ks_2samp

from monitor_tasks.metrics.distance import l_infinity_of_bins
from monitor_tasks.profiles.columns import (
    NUMBER_LIMIT,
    STEPS,
    TEXT_LIMIT,
    ColumnProfile,
    Edges,
    TableProfile,
    add_up,
    with_the_others,
)
from monitor_tasks.profiles.extras import Also


def of(*cells: object) -> ColumnProfile:
    return ColumnProfile.of(pa.array(cells), None)


def edges_of(values: NDArray[np.float64]) -> NDArray[np.float64]:
    return Edges.of(pa.table({"x": values})).by_column["x"]


def test_a_column_of_everything_is_counted() -> None:
    profile = of("1", "1.0", "2.5", "NaN", "1e400", "x", "x", "true", None)
    assert (profile.missing, profile.present, profile.not_finite, profile.finite) == (1, 8, 1, 3)
    assert profile.kinds == {"Integral": 1, "Fractional": 3, "Boolean": 1, "String": 3}
    assert (profile.texts, profile.numbers) == ({"NaN": 1, "x": 2, "true": 1}, {"1": 2, "2.5": 1})
    assert (profile.minimum, profile.maximum, float(profile.total), float(profile.squares)) == (1.0, 2.5, 4.5, 8.25)
    assert (profile.inferred_type, profile.values) == ("String", None)


def test_a_column_without_numbers_has_no_extremes() -> None:
    for profile in (of(), of(None), of("x"), of(math.nan)):
        assert (profile.minimum, profile.maximum, float(profile.total), profile.numbers) == (None, None, 0.0, {})


def test_equal_numbers_are_one_value_however_they_are_written() -> None:
    assert of("1", "1.0", "+1", "01", "1e0").numbers == {"1": 5}
    assert of(-0.0, 0.0).numbers == {"0": 2}
    assert of(1e15, 1e-7, 2.0**60).numbers == {"1e-07": 1, "1000000000000000.0": 1, "1.152921504606847e+18": 1}


def test_edges_are_quantiles_and_a_heavy_value_has_a_bin_of_its_own() -> None:
    values = np.concatenate([np.zeros(5000), np.full(3000, 7.0), np.linspace(1, 2, 2000)])
    edges = edges_of(values)
    assert len(edges) <= 2 * STEPS
    for heavy in (0.0, 7.0):
        own = np.searchsorted(edges, heavy)
        for near in (np.nextafter(heavy, -np.inf), np.nextafter(heavy, np.inf)):
            assert np.searchsorted(edges, near) != own


@pytest.mark.parametrize("value", [-np.finfo(np.float64).max, np.finfo(np.float64).max, 5e-324, 0.0])
def test_edges_of_extreme_values_survive_their_file(value: float) -> None:
    edges = Edges.of(pa.table({"x": [value] * 3000 + [1.0], "y": ["a"] * 3001}))
    assert np.isfinite(edges.by_column["x"]).all()
    assert Edges.from_json(edges.to_json()).id == edges.id
    assert list(edges.by_column) == ["x"]


def test_edges_are_told_apart_by_names_and_numbers() -> None:
    tables = [{"x": [1.0, 2.0]}, {"x": [1.0, 3.0]}, {"y": [1.0, 2.0]}, {}, {"x": [1.0, 2.0], "y": [1.0, 1.0]}]
    assert len({Edges.of(pa.table(table)).id for table in tables}) == len(tables)


CHANCE = np.random.default_rng(20260101)
SIZE = 20_000
SHAPES = {
    "normal": (CHANCE.normal(0, 1, SIZE), CHANCE.normal(0.2, 1, SIZE)),
    "same": (CHANCE.normal(0, 1, SIZE), CHANCE.normal(0, 1, SIZE // 3)),
    "wider": (CHANCE.normal(0, 1, SIZE), CHANCE.normal(0, 1.4, SIZE)),
    "lognormal": (CHANCE.lognormal(0, 2, SIZE), CHANCE.lognormal(0.3, 2, SIZE)),
    "integers": (CHANCE.integers(0, 50, SIZE).astype(float), CHANCE.integers(3, 53, SIZE).astype(float)),
    "many integers": (CHANCE.poisson(5000, SIZE).astype(float), CHANCE.poisson(5010, SIZE).astype(float)),
    "constant": (np.full(SIZE, 3.0), np.full(SIZE, 3.0)),
    "constant moved": (np.full(SIZE, 3.0), np.full(SIZE, np.nextafter(3.0, 4.0))),
    "constant moved down": (np.full(SIZE, 3.0), np.full(SIZE, np.nextafter(3.0, 2.0))),
    "two tight clusters": (
        np.concatenate([CHANCE.normal(0, 1e-9, SIZE), CHANCE.normal(1e9, 1e-3, SIZE)]),
        np.concatenate([CHANCE.normal(5e-10, 1e-9, SIZE), CHANCE.normal(1e9, 1e-3, SIZE)]),
    ),
    "timestamps": (CHANCE.uniform(1.7e9, 1.7e9 + 3600, SIZE), CHANCE.uniform(1.7e9 + 60, 1.7e9 + 3660, SIZE)),
    "heavy zeros": (
        np.concatenate([np.zeros(SIZE), CHANCE.exponential(1, SIZE)]),
        np.concatenate([np.zeros(SIZE), CHANCE.exponential(1.2, 2 * SIZE)]),
    ),
    "outside": (CHANCE.uniform(0, 1, SIZE), CHANCE.uniform(5, 6, SIZE)),
    "one row": (CHANCE.normal(0, 1, SIZE), np.array([0.5])),
    "small reference": (CHANCE.normal(0, 1, 50), CHANCE.normal(0.5, 1, SIZE)),
}


@pytest.mark.parametrize("shape", sorted(set(SHAPES) - {"small reference"}))
def test_the_distance_on_bins_is_that_of_the_rows(shape: str) -> None:
    reference, window = SHAPES[shape]
    edges = edges_of(reference)
    mine, theirs = (ColumnProfile.of(pa.array(values), edges).bins for values in (window, reference))
    exact = ks_2samp(window, reference, method="asymp").statistic
    found = l_infinity_of_bins(mine, theirs)
    assert found is not None
    assert exact - 0.001 < found <= exact + 1e-12


def test_a_small_reference_misses_no_more_than_one_of_its_rows() -> None:
    reference, window = SHAPES["small reference"]
    edges = edges_of(reference)
    mine, theirs = (ColumnProfile.of(pa.array(values), edges).bins for values in (window, reference))
    exact = ks_2samp(window, reference, method="asymp").statistic
    assert exact - 1 / len(reference) <= l_infinity_of_bins(mine, theirs) <= exact + 1e-12


def test_every_finite_number_is_in_a_bin() -> None:
    edges = edges_of(np.arange(10.0))
    profile = ColumnProfile.of(pa.array([-1e308, 0.0, 4.5, 9.0, 1e308, math.inf, math.nan, None]), edges)
    assert (sum(profile.bins.values()), profile.finite, profile.not_finite) == (5, 5, 2)
    assert profile.bins == {"0": 2, "5": 1, "9": 1, "10": 1}


def test_past_the_limits_values_are_not_known_and_everything_else_is() -> None:
    texts = [f"t{n}" for n in range(TEXT_LIMIT + 1)]
    at, past = of(*texts[:-1]), of(*texts)
    assert at.texts is not None
    assert (len(at.texts), past.texts, past.values, past.present) == (TEXT_LIMIT, None, None, TEXT_LIMIT + 1)
    numbers = list(range(NUMBER_LIMIT + 1))
    at, past = of(*numbers[:-1]), of(*numbers)
    assert at.numbers is not None
    assert (len(at.numbers), past.numbers, past.values) == (NUMBER_LIMIT, None, None)
    assert (past.minimum, past.maximum, past.finite) == (0.0, NUMBER_LIMIT, NUMBER_LIMIT + 1)


def test_the_limits_hold_when_profiles_add_up() -> None:
    half = NUMBER_LIMIT // 2
    low, middle, high = of(*range(half)), of(*range(half, 2 * half)), of(2 * half)
    assert (low + middle).numbers == of(*range(NUMBER_LIMIT)).numbers
    for sum_ in ((low + middle) + high, low + (middle + high), (high + low) + middle):
        assert sum_ == of(*range(NUMBER_LIMIT + 1))
        assert sum_ + low == low + sum_
        assert (sum_ + low).numbers is None
    texts = [f"t{n}" for n in range(TEXT_LIMIT + 1)]
    assert of(*texts[:9]) + of(*texts[9:]) == of(*texts)


def test_a_column_that_a_part_lacks_is_missing_there() -> None:
    whole = TableProfile.of(pa.table({"a": [1]})) + TableProfile.of(pa.table({"b": ["x", "y"]}))
    assert whole == TableProfile.of(pa.table({"a": [1, None, None], "b": [None, "x", "y"]}))


def test_profiles_on_different_edges_refuse_to_add() -> None:
    table, empty = pa.table({"a": [1.0, 2.0]}), pa.table({"a": pa.array([], pa.float64())})
    one, two = Edges.of(table), Edges.of(pa.table({"a": [5.0]}))
    with pytest.raises(ValueError, match="different edges do not add"):
        TableProfile.of(table, one) + TableProfile.of(table, two)
    with pytest.raises(ValueError, match="different edges do not add"):
        TableProfile.of(table, one) + TableProfile.of(table)
    for nothing in (TableProfile.of(empty, two), TableProfile.of(empty), TableProfile()):
        for profile in (TableProfile.of(table, one), TableProfile.of(table)):
            assert (nothing + profile).to_json() == (profile + nothing).to_json() == profile.to_json()
    nobody = TableProfile.of(empty, one), TableProfile.of(empty, two)
    assert (nobody[0] + nobody[1]).to_json() == (nobody[1] + nobody[0]).to_json()


def test_a_year_of_hours_adds_up() -> None:
    table = pa.table({"a": [0.1, 0.2, None]})
    edges = Edges.of(table)
    whole = add_up([TableProfile.of(table, edges)] * 100)
    assert whole.to_json() == TableProfile.of(pa.concat_tables([table] * 100), edges).to_json()
    assert add_up([]) == TableProfile()


@pytest.mark.parametrize("also", [Also(), Also(sample=8, correlations=True)])
def test_many_at_once_add_up_to_what_one_after_the_other_does(also: Also) -> None:
    """Of these hours some have no rows, some lack a column or the sample, and others have other values."""
    chance = np.random.default_rng(7)
    edges = Edges.of(pa.table({"a": chance.normal(size=300), "b": np.arange(300.0)}))
    hours = []
    for hour, rows in enumerate([0, 3, *[100] * 20, 0]):
        numbers = chance.normal(hour % 3, 2.0**hour, rows)
        texts = [f"t{hour % 2}", *("x" for _ in range(rows))][:rows]
        table = pa.table({"a": numbers, "b": [99 * hour + n for n in range(rows)], "c": pa.array(texts, pa.string())})
        some = table.drop_columns(["a"]) if hour % 5 == 0 else table
        hours.append(TableProfile.of(some, edges, Also() if hour == 22 else also))
    for some in (hours, hours[1:9], hours[:1], hours[21:]):
        assert add_up(some).to_json() == reduce(add, some, TableProfile()).to_json()
    assert add_up(hours).columns["b"].numbers is None


def test_a_profile_of_the_first_form_is_read() -> None:
    table = pa.table({"x": np.arange(5000.0) % 700, "y": ["a", "b"] * 2500})
    profile = TableProfile.of(table, Edges.of(table))
    stored = orjson.loads(profile.to_json())
    for name, column in stored["columns"].items():
        column["bins"] = dict(profile.columns[name].bins)
    assert TableProfile.from_json(orjson.dumps({**stored, "schema_version": 1})) == profile


@pytest.mark.parametrize(
    "numbers",
    [[0.5, 0.25, 0.5], [-3.0, 1e5, -3.0], [1e300, -1e300], [1e17, 1e17 + 16], [-0.3, 0.7, 2.7], [5e-324, -0.0, 0.0]],
)
def test_few_numbers_are_known_by_value_wherever_they_lie(numbers: list[float]) -> None:
    assert of(*numbers).numbers == Counter(
        str(int(one)) if one % 1 == 0 and abs(one) < 1e15 else repr(one) for one in numbers
    )


def test_each_profile_stands_beside_the_sum_of_all_others_and_few_sums_are_held(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    profiles = [
        TableProfile.of(pa.table({"x": [number, 1.5 * number], "t": ["a", str(number)]})) for number in range(10)
    ]
    alone = [reduce(add, [*profiles[:place], *profiles[place + 1 :]]) for place in range(10)]
    sums, added, held = WeakValueDictionary[int, TableProfile](), TableProfile.sum_of, list[int]()

    def counted(many: list[TableProfile]) -> TableProfile:
        found = added(many)
        sums[id(found)] = found
        return found

    monkeypatch.setattr(TableProfile, "sum_of", counted)
    for one, others in with_the_others(profiles):
        place = len(held)
        assert (one, others.to_json()) == (profiles[place], alone[place].to_json())
        held.append(len(sums))
    assert len(held) == 10
    assert max(held) <= 5, "one for each halving of ten, and the one that is told"
    assert [*with_the_others([])] == []
