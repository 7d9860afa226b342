"""Where marks stand in texts: looked for in the bytes of all texts at once."""

from collections.abc import Mapping

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

Mask = NDArray[np.bool_]
Places = NDArray[np.int64]
Bytes = NDArray[np.uint8]

TILE = 1 << 18
"""Bytes that are looked at together: what is noted of them stays in a processor's cache."""


def places_of(content: Bytes, mark: int) -> Places:
    """Where a byte stands, looked for tile by tile."""
    starts = range(0, len(content), TILE)
    found = [np.flatnonzero(content[start : start + TILE] == mark) + start for start in starts]
    return np.concatenate([np.zeros(0, np.int64), *found])


def in_one_piece(column: pa.ChunkedArray) -> pa.Array:
    """A column as one array, which it mostly is."""
    return column.chunk(0) if column.num_chunks == 1 else column.combine_chunks()


def bytes_of(texts: pa.Array) -> tuple[Bytes, Places]:
    """The bytes of all texts, one after the other, and where each begins and the last one ends."""
    kind = np.int64 if pa.types.is_large_string(texts.type) else np.int32
    _, offsets, content = texts.buffers()
    bounds = np.frombuffer(offsets or b"\0" * 8, kind)[texts.offset : texts.offset + len(texts) + 1]
    return np.frombuffer(content or b"", np.uint8)[bounds[0] : bounds[-1]], bounds - bounds[0]


def firsts(places: Places, bounds: Places) -> Places:
    """For each text, and behind the last, the number of the first place in it; mostly each text has equally many."""
    texts = len(bounds) - 1
    each, others = divmod(len(places), max(texts, 1))
    if each and not others:
        rows = places.reshape(texts, each)
        if (rows[:, 0] >= bounds[:-1]).all() and (rows[:, -1] < bounds[1:]).all():
            return np.arange(texts + 1) * each
    return np.searchsorted(places, bounds)


def counts(places: Places, bounds: Places) -> Places:
    """How many of the places lie in each text."""
    return np.diff(firsts(places, bounds))


def have(texts: pa.ChunkedArray, marks: Mapping[str, int]) -> Mask:
    """Which texts have each mark exactly so many times; a missing one has none."""
    content, bounds = bytes_of(in_one_piece(texts))
    found: Mask = np.ones(len(bounds) - 1, bool)
    for mark, count in marks.items():
        found &= counts(places_of(content, ord(mark)), bounds) == count
    return found


def have_gaps(lines: pa.ChunkedArray) -> Mask:
    r"""Which lines, each with its end, have an empty cell between commas.

    >>> have_gaps(pa.chunked_array([["1,2\n", ",2\n", "1,\n", "1,,2\n"]])).tolist()
    [False, True, True, True]
    """
    content, bounds = bytes_of(in_one_piece(lines))
    ends = np.flatnonzero((content == ord(",")) | (content == ord("\n")))
    return counts(ends[np.diff(ends, prepend=-1) == 1], bounds) > 0
