"""Room: never more bytes than there are, the first pieces in their order, and nothing rendered that cannot fit."""

from hypothesis import given
from hypothesis import strategies as st

from monitor_tasks.pages.room import Room, size

PIECES = st.lists(st.text(max_size=9), max_size=20)


@given(PIECES, st.integers(0, 100), st.floats(0, 1), st.integers(0, 20) | st.none())
def test_the_first_pieces_that_fit_are_taken(pieces: list[str], left: int, part: float, most: int | None) -> None:
    room = Room(left)
    fitting = room.fit(pieces, part, most)
    taken = sum(map(size, fitting))
    assert fitting == pieces[: len(fitting)]
    assert taken == left - room.left
    assert taken <= left * part
    if len(fitting) < len(pieces[:most]):
        assert taken + size(pieces[len(fitting)]) > int(left * part)


@given(PIECES, st.integers(0, 100))
def test_all_or_none(pieces: list[str], left: int) -> None:
    room, whole = Room(left), sum(map(size, pieces))
    assert room.all(pieces) == (pieces if whole <= left else None)
    assert room.left == (left - whole if whole <= left else left)


@given(PIECES, PIECES, st.integers(0, 100))
def test_beside_leaves_a_place_for_what_comes_later(first: list[str], later: list[str], left: int) -> None:
    room = Room(left)
    room.fit(first, room.beside(later, 0.0))
    assert room.left >= min(left, sum(map(size, later)))


def test_pieces_after_the_first_that_does_not_fit_are_not_asked_for() -> None:
    asked = list[int]()

    def pieces() -> object:
        for i in range(1000):
            asked.append(i)
            yield "four"

    assert len(Room(12).fit(pieces())) == 2  # type: ignore[arg-type]
    assert asked == [0, 1, 2]
