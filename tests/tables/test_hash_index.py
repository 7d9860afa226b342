"""Hashes find their places as a dictionary would tell them."""

from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor_tasks.tables import ahead, hash_index
from monitor_tasks.tables.hash_index import NOWHERE, HashIndex

HASHES = st.one_of(st.integers(0, 7), st.integers(0, 2**64 - 1), st.integers(0, 15).map(lambda number: number << 60))


def places_by_dictionary(known: list[int], asked: list[int]) -> list[int]:
    last = {one: place for place, one in enumerate(known)}
    return [last.get(one, NOWHERE) for one in asked]


@given(st.lists(HASHES), st.lists(HASHES))
def test_each_hash_is_found_at_its_last_place(known: list[int], others: list[int]) -> None:
    index = HashIndex(np.array(known, np.uint64))
    asked = [*others, *known]
    assert index.places(np.array(asked, np.uint64)).tolist() == places_by_dictionary(known, asked)
    counts = Counter(known)
    assert index.repeated.tolist() == [
        place for place, one in enumerate(known) if counts[one] > 1 and one not in known[place + 1 :]
    ]


def test_many_hashes_are_looked_at_piece_by_piece(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hash_index, "PIECE", 1000)
    chance = np.random.default_rng(5)
    known = chance.integers(0, 2**64, 100_000, np.uint64)
    known[70_000:70_100] = known[:100]
    index, asked = HashIndex(known), chance.permutation(known)[:50_000]
    assert index.repeated.tolist() == [*range(70_000, 70_100)]
    assert (known[index.places(asked)] == asked).all()
    assert index.places(known).max() == 99_999
    assert (index.places(chance.integers(0, 2**64, 1000, np.uint64)) == NOWHERE).all()


def test_what_goes_wrong_with_one_item_is_raised_in_its_turn() -> None:
    found = ahead.ahead(lambda number: 1 / number, [4, 2, 0, 1])
    assert [next(found), next(found)] == [0.25, 0.5]
    with pytest.raises(ZeroDivisionError):
        next(found)
