"""Lines of ground truth that look alike, all at once: they are cut where the texts of an example begin and end.

An example is a line that was read by itself. Another one has its shape where all its bytes are the same but for some
texts, and no character of these means anything to JSON: then reading it by itself would give what stands there.
"""

import re
from collections.abc import Callable, Sequence
from typing import NamedTuple, Self

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from monitor_tasks.tables.payloads import Unusable

CELL = r"^[!#-+\--\[\]-~]([ !#-+\--\[\]-~]*[!#-+\--\[\]-~])?$"
"""A cell of CSV that stands for itself: printable, without quote, comma and backslash, and no blank around it."""
NUMBER = r"^(-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?|true|false)$"
"""A document of JSON that stands for itself."""
_TEXT = re.compile(rb':\s*"([^"\\]+)(?=["\\])')
_ENCODING = re.compile(rb'"encoding"\s*:\s*"$')

Read = Callable[[bytes], tuple[str, str]]
"""The id and the label in a line."""
Places = NDArray[np.int64]


class Taken(NamedTuple):
    """What was taken from lines."""

    fits: NDArray[np.bool_]
    """Which lines have the shape."""
    ids: pa.Array
    labels: pa.Array
    """Of those that have it, in their order."""


class LineShape(NamedTuple):
    """What lines have in common."""

    pieces: tuple[bytes, ...]
    """The bytes before, between and after the texts."""
    label_id: int
    label: int
    """Which of the texts is the id, and which the label."""
    plain: str
    """What a label looks like that stands for itself."""

    @classmethod
    def of(cls, line: bytes, read: Read, *, is_wide: bool) -> Self | None:
        """The shape of a line with its end: id and label are free, or in a wide one every text; None without any."""
        found = [one.span(1) for one in _TEXT.finditer(line) if not _ENCODING.search(line[: one.start(1)])]
        try:
            places = _found(_around(line, found), read)
            if not is_wide:
                found = [found[place] for place in sorted(places)]
                places = _found(_around(line, found), read)
        except (Unusable, ValueError):
            return None
        pieces = _around(line, found)
        return cls(pieces, *places, CELL if _is_csv(pieces, places[1], read) else NUMBER)

    def taken(self, lines: pa.LargeStringArray) -> Taken:
        """What stands in the lines that have the shape."""
        bounds, text = _bytes(lines)
        cuts = self._cuts(bounds, text)
        parts = pa.LargeStringArray.from_buffers(cuts.size - 1, pa.py_buffer(cuts), pa.py_buffer(text))
        width = 2 * len(self.pieces) - 1
        fits = _counts(text < ord(" "), bounds) == sum(byte < ord(" ") for piece in self.pieces for byte in piece)
        for place, piece in enumerate(self.pieces):
            same = pc.equal(pc.cast(parts, pa.large_binary()), piece).to_numpy(zero_copy_only=False)
            fits &= same[2 * place :: width]
        starts = np.arange(len(lines)) * width
        labels = parts.take(pa.array(starts + 2 * self.label + 1))
        fits &= cuts[starts + 2 * self.label_id + 2] > cuts[starts + 2 * self.label_id + 1]
        fits &= pc.match_substring_regex(labels, self.plain).to_numpy(zero_copy_only=False)
        ids = parts.take(pa.array((starts + 2 * self.label_id + 1)[fits]))
        return Taken(fits, ids.cast(pa.string()), labels.filter(pa.array(fits)).cast(pa.string()))

    def _cuts(self, bounds: Places, text: NDArray[np.uint8]) -> Places:
        """Where the pieces and the texts of every line begin; those of a line of another shape lie somewhere in it."""
        stops = np.append(np.flatnonzero((text == ord('"')) | (text == ord("\\"))), len(text))
        starts, ends = bounds[:-1], bounds[1:]
        cuts = [starts]
        for piece in self.pieces[:-1]:
            begin = np.minimum(cuts[-1] + len(piece), ends)
            end = np.minimum(stops[np.searchsorted(stops, begin)], ends)
            cuts += [begin, end]
        return np.append(np.stack(cuts, axis=1).ravel(), bounds[-1:])


def _found(pieces: Sequence[bytes], read: Read) -> tuple[int, int]:
    """Which of the texts are id and label, as is seen where each text is another one."""
    texts = [str(number) for number in range(100, 99 + len(pieces))]
    label_id, label = read(_filled(pieces, texts))
    return texts.index(label_id), texts.index(label)


def _is_csv(pieces: Sequence[bytes], label: int, read: Read) -> bool:
    texts = ["1"] * (len(pieces) - 1)
    texts[label] = "no number"
    try:
        return read(_filled(pieces, texts))[1] == "no number"
    except Unusable:
        return False


def _around(line: bytes, found: Sequence[tuple[int, int]]) -> tuple[bytes, ...]:
    """The bytes before, between and after places in a line."""
    ends, starts = [0, *(end for _, end in found)], [*(start for start, _ in found), len(line)]
    return tuple(line[end:start] for end, start in zip(ends, starts, strict=True))


def _filled(pieces: Sequence[bytes], texts: Sequence[str]) -> bytes:
    return pieces[0] + b"".join(text.encode() + piece for text, piece in zip(texts, pieces[1:], strict=True))


def _bytes(lines: pa.LargeStringArray) -> tuple[Places, NDArray[np.uint8]]:
    """Where each line begins in the bytes of all, and these."""
    _, offsets, text = lines.buffers()
    bounds = np.frombuffer(offsets, np.int64)[lines.offset : lines.offset + len(lines) + 1]
    return bounds - bounds[0], np.frombuffer(text, np.uint8)[bounds[0] : bounds[-1]]


def _counts(marked: NDArray[np.bool_], bounds: Places) -> Places:
    """How many of the marked bytes each line has."""
    return np.diff(np.searchsorted(np.flatnonzero(marked), bounds))
