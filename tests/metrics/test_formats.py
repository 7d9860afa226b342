"""The share of texts that are written as they should be: of all texts, or of none."""

import pyarrow as pa
import pytest

from monitor_tasks.metrics.formats import format_share
from monitor_tasks.profiles.columns import ColumnProfile


@pytest.mark.parametrize(
    ("expected", "share"),
    [(["date"], 0.5), (["date", "timestamp"], 0.75), (["padded", "text"], 0.25), (["uuid"], 0.0), ([], 0.0)],
)
def test_it_is_the_share_of_the_text_cells(expected: list[str], share: float) -> None:
    cells = ["2026-01-31", "2026-02-01", "2026-02-01 12:00", " 2026-02-02", "1", "1.5", "true", None]
    column = ColumnProfile.of(pa.array(cells), None)
    assert format_share(column.formats, expected, column.kinds["String"]) == share


@pytest.mark.parametrize(("formats", "texts"), [({}, 0), ({}, 3), ({"date": 2}, 3)])
def test_without_texts_or_without_all_their_formats_there_is_none(formats: dict[str, int], texts: int) -> None:
    assert format_share(formats, ["date"], texts) is None
