"""Room: how many bytes a page has left, and which pieces still fit."""

from collections.abc import Iterable
from itertools import islice


def size(piece: str) -> int:
    """Bytes of a piece of a page, on a line of its own."""
    return len(piece.encode("utf-8", "replace")) + 1


class Room:
    """The bytes that are left on a page."""

    def __init__(self, left: int) -> None:
        """So many bytes."""
        self.left = left

    def fit(self, pieces: Iterable[str], part: float = 1.0, most: int | None = None) -> list[str]:
        """The first pieces that fit into this part of what is left; pieces after them are not even asked for.

        >>> Room(12).fit(["abc", "def", "too long", "g"])
        ['abc', 'def']
        """
        fitting, budget = list[str](), int(self.left * part)
        for piece in islice(pieces, most):
            budget -= size(piece)
            if budget < 0:
                break
            fitting.append(piece)
            self.left -= size(piece)
        return fitting

    def beside(self, later: Iterable[str], least: float) -> float:
        """The part of what is left that leaves a place for the later pieces, or the least part.

        >>> Room(100).beside(["abcd"], 0.2), Room(100).beside(["abcd"] * 99, 0.2)
        (0.95, 0.2)
        """
        return max(least, 1 - sum(map(size, later)) / max(self.left, 1))

    def all(self, pieces: Iterable[str], part: float = 1.0) -> list[str] | None:
        """All pieces, if this part of what is left holds them; else none, and no room is taken."""
        before, asked = self.left, 0

        def counted() -> Iterable[str]:
            nonlocal asked
            for piece in pieces:
                asked += 1
                yield piece

        if len(fitting := self.fit(counted(), part)) == asked:
            return fitting
        self.left = before
        return None
