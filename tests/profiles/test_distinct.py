"""How many different texts there are: exact while few, close when many, and a sum."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor_tasks.profiles import distinct
from monitor_tasks.profiles.distinct import KEPT, DistinctTexts

TEXTS = st.lists(st.text(max_size=3))


@given(TEXTS, TEXTS, TEXTS)
def test_any_split_counts_the_same_texts(one: list[str], two: list[str], three: list[str]) -> None:
    a, b, c = map(DistinctTexts.of, (one, two, three))
    whole = DistinctTexts.of([*three, *one, *two])
    assert whole.count == len({*one, *two, *three})
    for total in ((a + b) + c, a + (b + c), c + b + a + DistinctTexts()):
        assert np.array_equal(total.hashes, whole.hashes)


def test_past_the_kept_hashes_the_count_is_close(monkeypatch: pytest.MonkeyPatch) -> None:
    many = DistinctTexts.of(f"id{index}" for index in range(3 * KEPT))
    assert len(many.hashes) == KEPT
    assert abs(many.count / (3 * KEPT) - 1) < 3 * 0.0028
    monkeypatch.setattr(distinct, "KEPT", 100)
    halves = [DistinctTexts.of(f"id{index}" for index in range(half, 1000, 2)) for half in (0, 1)]
    assert np.array_equal((halves[0] + halves[1]).hashes, DistinctTexts.of(f"id{n}" for n in range(1000)).hashes)
