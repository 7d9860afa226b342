"""Outcomes by group: what a cell counts as, limits that hold when profiles add up, values against thresholds."""

from itertools import pairwise

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from monitor_tasks.profiles import coded, facets
from monitor_tasks.profiles.coded import Mark
from monitor_tasks.profiles.facets import FacetCounts
from monitor_tasks.profiles.groups import Asked, GroupProfile, parse_subject, subject_of
from monitor_tasks.value import UserError

ASKED = Asked("y", Mark.of([1]), "p", None, (("sex", Mark.of(["0"])), ("age", Mark.of([40.0]))), "city")

CELLS = {
    "y": st.sampled_from([None, 0.0, 1.0, 2.5, float("nan")]),
    "p": st.sampled_from([None, "1", "1.0", "0", "true", "x"]),
    "sex": st.sampled_from([None, "0", "1", "1.0", "female"]),
    "age": st.none() | st.integers(18, 90),
    "city": st.sampled_from([None, "Bern", "Basel", "Chur", "Thun", "Genf", "Lugano"]),
}
TYPES = {"y": pa.float64(), "age": pa.int64()}


@st.composite
def tables(draw: st.DrawFn, max_rows: int = 40) -> pa.Table:
    size = draw(st.integers(0, max_rows))
    return pa.table(
        {
            name: pa.array(draw(st.lists(cell, min_size=size, max_size=size)), TYPES.get(name, pa.string()))
            for name, cell in CELLS.items()
        }
    )


def table(**columns: list[object]) -> pa.Table:
    size = len(next(iter(columns.values()), [None]))
    usual = {"y": [1] * size, "p": [1] * size, "sex": ["0"] * size, "age": [50] * size, "city": ["Bern"] * size}
    return pa.table({**usual, **columns})


def values(profile: GroupProfile, facet: str = "sex") -> list[str]:
    return profile.facets[facet, None].values


@settings(max_examples=60)
@given(rows=tables(), chance=st.randoms(use_true_random=False), small=st.booleans())
def test_any_split_in_any_order_adds_up_to_the_same_bytes(rows, chance, small) -> None:
    with pytest.MonkeyPatch.context() as patch:
        if small:
            patch.setattr(coded, "VALUE_LIMIT", 4)
            patch.setattr(facets, "VALUE_LIMIT", 4)
            patch.setattr(facets, "PAIR_LIMIT", 9)
            patch.setattr(facets, "_DENSE", 20)
        whole = GroupProfile.of(rows, ASKED)
        mixed = rows.take(pa.array(chance.sample(range(rows.num_rows), rows.num_rows), pa.int64()))
        cuts = [0, *sorted(chance.randint(0, rows.num_rows) for _ in range(2)), rows.num_rows]
        one, two, three = (GroupProfile.of(mixed.slice(a, b - a), ASKED) for a, b in pairwise(cuts))
        assert ((one + two) + three).to_json() == (one + (two + three)).to_json() == whole.to_json()
        assert (three + (two + one)).to_json() == whole.to_json()
        assert (GroupProfile() + whole).to_json() == (whole + GroupProfile()).to_json() == whole.to_json()
        assert GroupProfile.from_json(whole.to_json()) == whole
        assert GroupProfile.from_json(whole.to_json()).to_json() == whole.to_json()


@settings(max_examples=60)
@given(tables())
def test_counts_are_those_of_the_rows(rows) -> None:
    profile = GroupProfile.of(rows, ASKED)
    lines = rows.to_pylist()
    labelled = [line for line in lines if line["y"] is not None and line["y"] == line["y"]]
    for key, kind in ((("age", 40.0), "selected"), (("sex", None), "1")):
        counts = profile.facets[key].outcomes([kind], 1, 1)
        older = kind == "selected"
        inside = [line for line in labelled if ((line["age"] or 0) > 40 if older else line["sex"] in ("1", "1.0"))]
        assert counts.sum() == len(labelled)
        assert counts[0].sum() == len(inside)
        assert counts[0, :, 1].sum() == sum(line["y"] == 1 for line in inside)
        assert counts[0, :, 1, 2].sum() == sum(line["y"] == 1 and line["p"] in ("1", "1.0", "true") for line in inside)
        assert counts[0, :, :, 0].sum() == sum(line["p"] is None for line in inside)
        assert counts[0, 0].sum() == sum(line["city"] is None for line in inside)


def test_one_and_one_point_zero_are_the_same_value_in_text_and_in_typed_columns() -> None:
    assert values(GroupProfile.of(table(sex=["1", "1.0", "1.00", "x"]), ASKED)) == ["1", "x"]
    assert values(GroupProfile.of(table(sex=[1.0, 1.0, 0.5, float("nan")]), ASKED)) == ["0.5", "1"]
    assert values(GroupProfile.of(table(sex=pa.array(["a", None, "b"]).dictionary_encode()), ASKED)) == ["a", "b"]
    assert values(GroupProfile.of(table(sex=[[1], None, [2]]), ASKED)) == ["[1]", "[2]"]
    assert values(GroupProfile.of(table(sex=pa.nulls(3)), ASKED)) == []


def test_truth_values_are_what_one_and_zero_stand_for() -> None:
    profile = GroupProfile.of(table(y=[True, False], p=["true", "false"], sex=[True, False]), ASKED)
    assert values(profile) == ["false", "true"]
    assert Mark.of([0]).meant == {"0", "false"}
    counts = profile.facets["sex", None].outcomes(["true"], 1, 1)
    assert counts[0].sum(axis=0).tolist() == [[0, 0, 0], [0, 0, 1]]


def test_a_probability_stands_for_class_one_where_it_is_strictly_larger() -> None:
    rows = table(p=[0.5, 0.6, 0.4, None])
    for positive, expected in (("1", [1, 2, 1]), ("yes", [1, 2, 1]), ("0", [1, 1, 2])):
        asked = ASKED._replace(positive=Mark.of([positive]), probability_threshold=0.5)
        counts = GroupProfile.of(rows, asked).facets["sex", None].outcomes(["0"], 1, 1)
        assert counts.sum(axis=(0, 1, 2)).tolist() == expected


def test_too_many_values_are_unknown_and_too_many_groups_are_not_kept_apart() -> None:
    many = [f"v{index}" for index in range(coded.VALUE_LIMIT)]
    first = GroupProfile.of(table(sex=many), ASKED)
    assert len(values(first)) == coded.VALUE_LIMIT
    both = first + GroupProfile.of(table(sex=["one more"]), ASKED)
    assert both.facets["sex", None].cells is None
    assert GroupProfile.of(table(sex=[*many, "one more"]), ASKED).to_json() == both.to_json()
    apart = GroupProfile.of(table(city=many), ASKED)
    assert apart.facets["sex", None].grouped
    together = apart + GroupProfile.of(table(city=["one more"]), ASKED)
    assert together.facets["sex", None] == FacetCounts({("0", None, 2, 2): coded.VALUE_LIMIT + 1}, grouped=False)
    assert together.facets["sex", None].outcomes(["0"], 1, 1).sum() == coded.VALUE_LIMIT + 1


@pytest.mark.parametrize(
    ("numbers", "named", "scale"),
    [
        ([0, 1] * 5, 0, False),  # few values, however few rows
        (list(range(20, 75)), 40, True),
        (list(range(11)) * 20, 4, True),  # 11 of 220: 0.05
        (list(range(11)) * 30, 4, False),
        ([0.0, 1.0, 0.5], 1, True),  # not whole numbers
        ([0, 1, 2], 0.5, True),  # no whole number can be that value
        (["1", "2", "x"], 1.5, False),
        (list(range(2000)), 3, True),
        ([], 1, False),
        (list(range(20, 75)), "40", False),  # text is a value
    ],
)
def test_one_number_on_a_column_of_many_numbers_is_a_threshold(numbers, named, scale) -> None:
    mark = Mark.of([named])
    asked = ASKED._replace(facets=(("sex", mark),))
    assert GroupProfile.of(table(sex=numbers), asked).is_scale("sex", mark) is scale
    texts = pa.array([str(number) for number in numbers], pa.string())
    assert GroupProfile.of(table(sex=texts), asked).is_scale("sex", mark) is scale


@pytest.mark.parametrize(
    ("numbers", "threshold", "text", "subject"),
    [
        ([18, 75], 40.0, "(40, 75]", "sex=(40, max]"),
        ([18.5, 75.0], 40.0, "(40.0, 75.0]", "sex=(40, max]"),
        ([0, 1], 0.5, "(0.5, 1.0]", "sex=(0.5, max]"),
        ([3, 4], 5.0, "(4, 5]", "sex=(4, max]"),
    ],
)
def test_the_interval_ends_at_the_largest_labelled_number(numbers, threshold, text, subject) -> None:
    asked = ASKED._replace(facets=(("sex", Mark.of([threshold])),))
    rows = table(sex=[*numbers, 99], y=[*(1 for _ in numbers), None])
    assert GroupProfile.of(rows, asked).interval("sex", threshold) == text
    assert subject_of("sex", text) == subject


@given(st.text(), st.text(alphabet="ab1=%,."))
def test_a_subject_names_its_facet_and_value(facet: str, value: str) -> None:
    assert parse_subject(subject_of(facet, value)) == (facet, value)


def test_a_missing_column_is_named_with_those_that_are_there() -> None:
    with pytest.raises(UserError, match=r"no column 'sex', 'city'; the table has 'y', 'p', 'age'"):
        GroupProfile.of(table().drop_columns(["sex", "city"]), ASKED)


def test_profiles_of_other_questions_refuse_to_add() -> None:
    other = ASKED._replace(positive=Mark.of([0]))
    assert ASKED.id != other.id
    with pytest.raises(ValueError, match="otherwise"):
        GroupProfile.of(table(), ASKED) + GroupProfile.of(table(), other)


def test_without_a_group_variable_nothing_is_kept_by_group() -> None:
    profile = GroupProfile.of(table().drop_columns(["city"]), ASKED._replace(group=None))
    assert profile.facets["sex", None].outcomes(["0"], 1, 1).shape == (2, 1, 2, 3)
    assert np.array_equal(profile.facets["sex", None].outcomes([], 1, 1).shape, (1, 1, 2, 3))
