"""Rows of two sides as one matrix: hand values, numpy's quantiles on rows written out, and what is undecided."""

from collections.abc import Sequence

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor_tasks.metrics.drift import Undecided
from monitor_tasks.metrics.encoding import CATEGORIES, MOST, Encoded, encoded
from monitor_tasks.profiles.rows import RowSample

APART = 0.5**0.5
numbers = st.lists(st.integers(-50, 50), min_size=5, max_size=20, unique=True)


def sample(counts: Sequence[int] | None = None, **columns: Sequence[str | None]) -> RowSample:
    """A whole sample of different rows; of one count, 10 occurrences of each."""
    cells = tuple(zip(*columns.values(), strict=True))
    known = tuple(counts or [10] * len(cells))
    return RowSample(len(cells) + 1, sum(known), tuple(columns), tuple(range(len(cells))), known, cells)


def columns_of(rows: Encoded, name: str) -> np.ndarray:
    return rows.matrix[:, np.array(rows.names) == name]


@given(numbers, st.data())
def test_numbers_are_scaled_by_the_median_and_range_of_the_rows_written_out(values: list[int], data) -> None:
    counts = data.draw(st.lists(st.integers(6, 9), min_size=len(values), max_size=len(values)))
    reference = sample(counts, a=[str(value) for value in values])
    rows = encoded(sample(a=["1000", "1001", "-1000"]), reference)
    low, middle, high = np.quantile(np.repeat(values, counts), [0.25, 0.5, 0.75], method="inverted_cdf")
    expected = (np.array([1000, 1001, -1000, *values]) - middle) / (high - low)
    assert rows.matrix[:, 0] == pytest.approx(expected, rel=1e-9, abs=1e-9)
    assert rows.current.tolist() == [10, 10, 10, *[0] * len(values)]
    assert rows.reference.tolist() == [0, 0, 0, *counts]


def test_a_range_of_zero_gives_way_to_the_standard_deviation() -> None:
    values = [5.0] * 9 + [7.0]
    rows = encoded(sample(a=["5", "6", "7"]), sample([9, 1, 20], a=["5", "7", None], b=["x", "y", "z"]))
    assert columns_of(rows, "a")[:3, 0] == pytest.approx(np.array([0, 1, 2]) / np.std(values), rel=1e-12)


def test_of_a_constant_reference_only_the_side_counts() -> None:
    rows = encoded(sample(a=["4", "5", "900"]), sample(a=["5"] * 3))
    assert rows.matrix.tolist() == [[-1], [0], [1], [0], [0], [0]]


def test_a_reference_of_zeros_alone_is_a_constant_one() -> None:
    assert encoded(sample(a=["-4", "0", "7"]), sample(a=["0"] * 3)).matrix[:3].tolist() == [[-1], [0], [1]]


def test_missing_cells_and_text_among_numbers_are_indicators() -> None:
    rows = encoded(sample(a=["2", None, "x", "inf", "1e999"]), sample(a=["1", "2", "3", "x", None]))
    assert rows.matrix[1:5].tolist() == [[0, 1, 0], [0, 0, 1], [0, 0, 1], [0, 0, 1]]
    assert rows.names == ("a", "a", "a")


@pytest.mark.parametrize(("texts", "width"), [(["1", "2", "x", "y"], 3), (["1", "x", "y", None], 5)])
def test_half_of_the_present_cells_make_a_column_numeric(texts: list[str | None], width: int) -> None:
    rows = encoded(sample(a=["1", "7", "z", None]), sample(a=texts))
    assert rows.matrix.shape[1] == width


def test_a_number_is_what_the_profile_takes_for_one() -> None:
    rows = encoded(sample(a=["+ 5", "1_0", "5.", "nan", "٣"]), sample(a=["1", "3", "5"]))
    assert rows.matrix[:5].tolist() == [[0.5, 0], *[[0, 1]] * 4]


def test_two_categories_lie_as_far_apart_as_numbers_one_range_apart() -> None:
    rows = encoded(sample(a=["x", "y", None, "new"]), sample(a=["x", "y", "y", "x"]))
    distances = np.linalg.norm(rows.matrix[:4, None] - rows.matrix[None, :4], axis=2)
    assert distances == pytest.approx(1 - np.eye(4), abs=1e-12)


def test_only_the_commonest_categories_have_a_place_of_their_own() -> None:
    names = [f"category {number:02}" for number in range(CATEGORIES + 10)]
    rows = encoded(sample(a=["category 19", "category 20", "new"]), sample(a=names))
    assert rows.matrix.shape[1] == CATEGORIES + 1
    assert rows.matrix[0].argmax() == CATEGORIES - 1
    assert rows.matrix[1].tolist() == rows.matrix[2].tolist() == [0] * CATEGORIES + [APART]


def test_the_commonest_are_those_of_the_reference_by_its_rows() -> None:
    names = [f"category {number:02}" for number in range(CATEGORIES + 1)]
    rows = encoded(sample(a=names[::-1]), sample([1, *range(2, CATEGORIES + 2)], a=names))
    assert rows.matrix[0].tolist() == [APART] + [0] * CATEGORIES
    assert rows.matrix[CATEGORIES].tolist() == [0] * CATEGORIES + [APART]


def test_what_does_not_vary_and_what_one_side_lacks_is_left_out() -> None:
    current = sample(a=["1", "2", "3"], b=["x"] * 3, mine=["1", "2", "3"])
    reference = sample(a=["1", "2", "3"], b=["x"] * 3, theirs=["1", "2", "3"])
    assert encoded(current, reference).names == ("a",)


@pytest.mark.parametrize("size", [1e300, 1e-300])
def test_numbers_at_the_ends_of_the_doubles_stay_finite(size: float) -> None:
    reference = sample(a=[repr(number * size) for number in (-2, -1, 0, 1, 2)])
    rows = encoded(sample(a=["1.7e308", "-1.7e308", "1e-308"]), reference)
    assert np.abs(rows.matrix).max() <= 1e6
    assert rows.matrix[3:, 0] == pytest.approx(np.array([-2, -1, 0, 1, 2]) / 2, rel=1e-9)


@given(st.permutations(range(12)), st.permutations(["a", "b", "c"]))
def test_the_order_of_rows_and_columns_does_not_matter(way: list[int], names: list[str]) -> None:
    cells = {"a": [str(number) for number in range(12)], "b": list("xyxyxyzzxyzx"), "c": [None, "2", "3"] * 4}
    table = pa.table({**cells})
    mixed = table.select(names).take(way)
    many, also = (RowSample.of(pa.concat_tables([one] * 6), k=8) for one in (table, mixed))
    again, expected = encoded(also, also), encoded(many, many)
    assert again.names == expected.names
    assert again.matrix.tobytes() == expected.matrix.tobytes()


def test_no_more_rows_are_compared_than_a_kernel_holds() -> None:
    many = sample([1] * (MOST + 5), a=[str(number) for number in range(MOST + 5)])
    rows = encoded(many, many)
    assert rows.current.sum() == rows.reference.sum() == MOST


def test_billions_of_occurrences_are_scaled_down_and_none_is_lost() -> None:
    rows = encoded(sample([10**12, 3 * 10**12, 1], a=["1", "2", "3"]), sample(a=["1", "2", "3"]))
    assert rows.current.tolist() == [25_000_000, 75_000_000, 1, 0, 0, 0]


def parts(current: int, reference: int, counts: tuple[int, int] = (4, 4)) -> tuple[RowSample, RowSample]:
    """Samples of the rows of 40 and of 40 smallest hashes, each a tenth or less of all."""
    cells = tuple((str(number),) for number in range(40))
    return tuple(
        RowSample(40, 4000, ("a",), tuple(step * place for place in range(40)), (count,) * 40, cells)
        for step, count in zip((current, reference), counts, strict=True)
    )


def test_where_rows_repeat_only_the_hashes_that_both_samples_cover_are_compared() -> None:
    rows = encoded(*parts(10, 20))
    assert (rows.current.sum(), rows.reference.sum()) == (4 * 39, 4 * 20)


def test_where_rows_do_not_repeat_all_are_compared() -> None:
    rows = encoded(*parts(10, 20, (1, 1)))
    assert (rows.current.sum(), rows.reference.sum()) == (40, 40)


def test_repeated_rows_of_different_columns_are_not_comparable() -> None:
    current, reference = parts(10, 10)
    other = RowSample(
        40, 4000, ("a", "b"), reference.hashes, reference.counts, tuple((*row, "1") for row in current.cells)
    )
    with pytest.raises(Undecided, match="rows repeat, and samples of different columns do not hold the same ones"):
        encoded(current, other)


@pytest.mark.parametrize(
    ("current", "reference", "because"),
    [
        (sample(a=["1", "2", "3"]), sample(b=["1", "2", "3"]), "no column in common"),
        (sample(a=["1", "2"]), sample(a=["1", "2", "3"]), "20 comparable rows against 30: it takes 30"),
        (sample(a=["1", "2", "3"]), sample([29], a=["1"]), "30 comparable rows against 29"),
        (sample(a=["1"] * 3, b=[None] * 3), sample(a=["1"] * 3, b=[None] * 3), "nothing varies"),
        (RowSample(9, 0, ("a",), (), (), ()), sample(a=["1", "2", "3"]), "0 comparable rows against 30"),
    ],
)
def test_why_rows_are_not_compared(current: RowSample, reference: RowSample, because: str) -> None:
    with pytest.raises(Undecided, match=because):
        encoded(current, reference)
