"""Where marks stand in texts: looked for in the bytes of all texts at once."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

Mask = NDArray[np.bool_]
Places = NDArray[np.int64]
Bytes = NDArray[np.uint8]

FIRST_PRINTED = ord(" ")
TILE = 1 << 19
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


def lengths_of(texts: pa.Array) -> NDArray[np.integer[Any]]:
    """How many bytes each text has."""
    return np.diff(bytes_of(texts)[1])


def are_plain(texts: pa.Array) -> Mask:
    """Which texts hold nothing that JSON would escape."""
    content, bounds = bytes_of(texts)
    found = (content == ord('"')) | (content == ord("\\")) | (content < FIRST_PRINTED)
    return counts(np.flatnonzero(found), bounds) == 0 if found.any() else np.ones(len(texts), bool)


def have(texts: pa.ChunkedArray, marks: Mapping[str, int]) -> Mask:
    """Which texts have each mark exactly so many times; a missing one has none."""
    content, bounds = bytes_of(in_one_piece(texts))
    found: Mask = np.ones(len(bounds) - 1, bool)
    for mark, count in marks.items():
        found &= counts(places_of(content, ord(mark)), bounds) == count
    return found


def between(content: Bytes, starts: Places, ends: Places) -> list[pa.StringArray]:
    """The texts from starts to ends, which lie behind each other row by row: an array for each column.

    >>> both = between(np.frombuffer(b"<a=1><b=2>", np.uint8), np.array([[1, 3], [6, 8]]), np.array([[2, 4], [7, 9]]))
    >>> [texts.to_pylist() for texts in both]
    [['a', 'b'], ['1', '2']]
    """
    bounds = np.append(np.stack([starts, ends], axis=2).ravel(), len(content)).astype(np.int32)
    pieces = pa.StringArray.from_buffers(len(bounds) - 1, pa.py_buffer(bounds), pa.py_buffer(content))
    columns = starts.shape[1]
    return [pieces.take(pa.array(np.arange(2 * place, len(pieces), 2 * columns))) for place in range(columns)]


def stand(content: Bytes, places: Places, expected: bytes) -> Mask:
    """Whether the expected bytes stand at each place, from which on so many bytes are there."""
    width = len(expected)
    if not width:
        return np.ones(len(places), bool)
    stretches = np.ndarray((max(len(content) - width + 1, 0),), f"V{width}", content.data, strides=(1,))
    found = stretches[places]
    if found.tobytes() == expected * len(places):
        return np.ones(len(places), bool)
    same: Mask = (found.view(np.uint8).reshape(-1, width) == np.frombuffer(expected, np.uint8)).all(axis=1)
    return same
