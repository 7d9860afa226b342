"""Segments: which rows belong to which, how many there may be, and what does not add."""

from typing import Any

import pyarrow as pa
import pytest

from monitor_tasks.profiles import segments
from monitor_tasks.profiles.classes import Classes, ClassProfile
from monitor_tasks.profiles.segments import Segmented, SegmentProfile


def counted(rows: pa.Table) -> ClassProfile:
    return ClassProfile.of(rows["label"], Classes.of(rows["label"]))


def profile(cells: list[Any], cuts: tuple[float, ...] = ()) -> SegmentProfile:
    table = pa.table({"cell": cells, "label": ["a"] * len(cells)})
    return SegmentProfile.of(table, {Segmented("cell", cuts): table["cell"]}, counted)


def rows_of(found: SegmentProfile) -> dict[str, int] | None:
    (parts,) = found.columns.values()
    return None if parts is None else {value: part.rows for value, part in parts.items()}


@pytest.mark.parametrize(
    ("cells", "cuts", "rows"),
    [
        (["x", "y", "x", None], (), {"x": 2, "y": 1, "(missing)": 1}),
        (["1", "1.0", "2", "true"], (), {"1": 2, "2": 1, "true": 1}),
        ([1.0, 2.0, float("nan")], (), {"1": 1, "2": 1, "(missing)": 1}),
        (["(missing)", None, "x"], (), {"(missing)": 2, "x": 1}),
        ([30, 30.5, 45, 46, -1, None], (30.0, 45.0), {"up to 30": 2, "30 to 45": 2, "over 45": 1, "(missing)": 1}),
        (["30", "old", "1e400", "-inf"], (30.0,), {"up to 30": 1, "over 30": 1, "(no number)": 2}),
    ],
)
def test_every_row_is_in_one_segment_of_a_column(
    cells: list[Any], cuts: tuple[float, ...], rows: dict[str, int]
) -> None:
    assert rows_of(profile(cells, cuts)) == rows


def test_more_values_than_can_be_told_apart_are_none_whatever_the_split() -> None:
    limit = segments.VALUE_LIMIT
    most = [str(value) for value in range(limit)]
    assert len(rows_of(profile([*most, None])) or ()) == limit + 1
    assert rows_of(profile([*most, "one more"])) is None
    assert rows_of(profile(most) + profile(["one more"])) is None
    assert rows_of(profile([*most, "one more"]) + profile(["0"])) is None
    assert rows_of(profile([str(value) for value in range(5_000)])) is None


def test_profiles_of_different_segments_do_not_add() -> None:
    with pytest.raises(ValueError, match="different segments do not add: cell and cell"):
        profile(["1"]) + profile(["1"], (3.0,))
    with pytest.raises(ValueError, match="cell and none"):
        profile(["1"]) + SegmentProfile(profile(["1"]).whole)


def test_a_profile_that_was_stored_without_segments_is_read_as_the_whole() -> None:
    whole = profile(["x"]).whole
    assert SegmentProfile.from_json(whole.to_json(), ClassProfile) == SegmentProfile(whole)
