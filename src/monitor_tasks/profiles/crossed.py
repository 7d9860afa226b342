"""Several facets at once: a row's values of all of them as one."""

from collections.abc import Sequence
from functools import reduce

import numpy as np
import orjson

from monitor_tasks.profiles.coded import VALUE_LIMIT, Coded, Column, Mark

Part = str | int | None
"""What is kept of a cell: its text where each value is compared, else 0 missing, 1, +1 where it is a value that was
named, +2 where it is above the number that was named."""


def crossed(facets: Sequence[tuple[Column, Mark]]) -> Coded | None:
    """The cells of several columns as one text of all their parts; None past 1,024 different ones."""
    parts = [_part(column, mark) for column, mark in facets]
    known = [part for part in parts if part is not None]
    if len(known) < len(parts):
        return None
    codes = reduce(lambda one, other: one * len(other[1]) + other[0], known[1:], known[0][0])
    different, places = np.unique(codes, return_inverse=True)
    if len(different) > VALUE_LIMIT:
        return None
    return Coded(places + 1, [None, *(_text(int(code), [part[1] for part in known]) for code in different)])


def parts_of(text: str) -> tuple[Part, ...]:
    """The parts of a text that ``crossed`` made.

    >>> parts_of('["white",2]')
    ('white', 2)
    """
    return tuple(orjson.loads(text))


def _part(column: Column, mark: Mark) -> tuple[np.ndarray, list[Part]] | None:
    if mark.values:
        return column.states(mark), [0, 1, 2, 3, 4]
    by_value = column.by_value()
    return None if by_value is None else (by_value.codes, [*by_value.texts])


def _text(code: int, kinds: Sequence[Sequence[Part]]) -> str:
    parts: list[Part] = []
    for texts in reversed(kinds):
        code, place = divmod(code, len(texts))
        parts.append(texts[place])
    return orjson.dumps(parts[::-1]).decode()
