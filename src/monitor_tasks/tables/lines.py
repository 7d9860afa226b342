"""Objects to blocks of whole lines in bounded memory: a gzip unfolds as it is read, and no line too long is held."""

import hashlib
import zlib
from collections.abc import Callable, Iterable, Iterator
from enum import StrEnum
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from monitor_tasks.inputs import Limits
from monitor_tasks.tables.ledger import EXCERPT, Ledger, Place, Quarantined
from monitor_tasks.tables.marks import places_of

BLOCK = 4 << 20
"""Bytes of text that are looked at together, but for a line that is longer."""
MARK = b"\xef\xbb\xbf"
"""What some editors put before UTF-8."""
LINES = 1 << 17
"""Lines that are looked at together."""
PIECE = 1 << 20
"""Bytes that a gzip unfolds to at a time, and may unfold to whatever its size."""


class LineReason(StrEnum):
    """Why a line, or the rest of an object, is quarantined before anybody looks into it."""

    NOT_UTF8 = "not_utf8"
    TOO_LONG = "too_long"
    DAMAGED_GZIP = "damaged_gzip"
    GZIP_BOMB = "gzip_bomb"


class Object(NamedTuple):
    """One object of a store."""

    name: str
    chunks: Callable[[], Iterable[bytes]]
    """Opens it: its bytes, in pieces."""
    variant: str | None = None
    """The production variant whose traffic it holds, where objects tell."""
    is_made: bool = False
    """Whether its text was made from another object's: then its name tells nothing of its form."""


class Block(NamedTuple):
    """Lines of one object that follow each other."""

    object: str
    lines: pa.LargeStringArray
    """Every line that is not blank, with its end."""
    numbers: npt.NDArray[np.int64]
    """The lines' numbers, from 1."""
    offsets: npt.NDArray[np.int64]
    """The byte at which each line starts, in the object's unfolded text."""
    quarantined: list[Quarantined]
    """Lines of the same stretch that cannot be read."""

    def place(self, index: int) -> Place:
        """Where a line stands."""
        return Place(self.object, int(self.numbers[index]), int(self.offsets[index]))

    def line(self, index: int) -> bytes:
        """A line without the blanks around it."""
        return str(self.lines[index].as_py()).encode().strip()


def in_memory(objects: Iterable[tuple[str, bytes]]) -> list[Object]:
    """Objects whose content is in hand."""
    return [Object(name, lambda content=content: [content]) for name, content in objects]  # type: ignore[misc]


def blocks(objects: Iterable[Object], ledger: Ledger, limits: Limits = Limits()) -> Iterator[Block]:
    """The lines of all objects, in order of their names; the ledger notes each object with its sha256."""
    for one in sorted(objects, key=lambda one: one.name):
        sha256 = hashlib.sha256()
        lines = _Lines(one.name, limits.record_bytes)
        pieces = _hashed(one.chunks(), sha256.update)
        try:
            packed = one.name.endswith(".gz") and not one.is_made
            for piece in unfolded(pieces, limits.unfolding) if packed else pieces:
                yield from lines.take(piece)
            yield from lines.end()
        except Unreadable as error:
            for _ in pieces:  # the rest is only hashed
                pass
            yield from lines.end(error)
        ledger.open(one.name, sha256.hexdigest())


class Unreadable(Exception):
    """The rest of an object cannot be read."""

    def __init__(self, reason: StrEnum, explanation: str) -> None:
        """Why: one reason of a table, and what was seen."""
        super().__init__(explanation)
        self.reason = reason


def _hashed(chunks: Iterable[bytes], update: Callable[[bytes], None]) -> Iterator[bytes]:
    for chunk in chunks:
        update(chunk)
        yield chunk


def unfolded(chunks: Iterable[bytes], most: int) -> Iterator[bytes]:
    """The text in a gzip of one or several members."""
    read = written = 0
    member = _gzip()
    for chunk in chunks:
        rest, read = chunk, read + len(chunk)
        piece = b""
        while rest or len(piece) == PIECE:
            if member.eof:
                member = _gzip()
            try:
                piece = member.decompress(rest, PIECE)
            except zlib.error as error:
                raise Unreadable(LineReason.DAMAGED_GZIP, f"from here on the gzip is damaged: {error}") from error
            written += len(piece)
            if written > PIECE and written > most * read:
                raise Unreadable(LineReason.GZIP_BOMB, f"the gzip unfolds to more than {most} times its size")
            yield piece
            rest = member.unused_data if member.eof else member.unconsumed_tail
    if read and not member.eof:
        raise Unreadable(LineReason.DAMAGED_GZIP, "here the gzip was cut short")


def _gzip() -> "zlib._Decompress":
    return zlib.decompressobj(zlib.MAX_WBITS | 16)


class _Lines:
    """The text of one object on its way into blocks."""

    def __init__(self, name: str, longest: int) -> None:
        self._name, self._longest = name, longest
        self._held: list[bytes] = []
        self._skipped = 0
        self._excerpt = b""
        self._number, self._offset = 1, 0
        self._quarantined: list[Quarantined] = []

    def take(self, piece: bytes) -> Iterator[Block]:
        """Takes in what follows; gives a block when there is enough."""
        self._held.append(piece)
        if sum(map(len, self._held)) >= BLOCK:
            text = b"".join(self._held)
            yield from self._cut(text, text.rfind(b"\n") + 1)

    def end(self, error: Unreadable | None = None) -> Iterator[Block]:
        """The last block; where the object broke off, its last line is the record that is lost."""
        text = b"".join(self._held)
        if error is not None:
            end = text.rfind(b"\n") + 1
            begun, self._skipped = (0, self._skipped) if end else (self._skipped, 0)
            place = Place(self._name, self._number + text.count(b"\n"), self._offset + self._skipped + end)
            excerpt = self._excerpt if begun else text[end:]
            self._quarantined.append(Quarantined.of(place, excerpt, error.reason, str(error)))
            text = text[:end]
        if self._skipped and b"\n" not in text:
            text += b"\n"
        yield from self._cut(text, len(text))

    def _cut(self, text: bytes, end: int) -> Iterator[Block]:
        """The blocks of the text up to an end; the rest is held."""
        self._held = [text[end:]]
        if not end and (self._skipped or len(text) > self._longest):
            self._excerpt = self._excerpt or text[:EXCERPT]
            self._skipped += len(text)
            self._held = []
        if not end and text:
            return
        if self._skipped:
            first = text.find(b"\n") + 1
            self._refuse(Place(self._name, self._number, self._offset), self._excerpt, self._skipped + first - 1)
            self._number, self._offset = self._number + 1, self._offset + self._skipped + first
            text, end, self._skipped, self._excerpt = text[first:], end - first, 0, b""
        yield from self._blocks(text, end)

    def _blocks(self, text: bytes, size: int) -> Iterator[Block]:
        """The blocks of the whole lines at the beginning of a text."""
        marked, end = len(MARK) if self._offset == 0 and text.startswith(MARK) else 0, size
        is_ended = text.endswith(b"\n", 0, size)
        if marked or not is_ended:
            text = text[marked:size] + b"\n" * (not is_ended)
            end = len(text)
        bounds = np.append(0, places_of(np.frombuffer(text, np.uint8)[:end], ord("\n")) + 1)
        if not size:
            bounds = bounds[:1]
        for first in range(0, max(len(bounds) - 1, 1), LINES):
            yield self._block(text, bounds[first : first + LINES + 1], self._offset + marked)
        self._offset += size

    def _block(self, text: bytes, bounds: npt.NDArray[np.int64], offset: int) -> Block:
        """The block of the lines between the bounds."""
        starts, lengths = bounds[:-1], np.diff(bounds)
        numbers, offsets = self._number + np.arange(len(starts)), offset + starts
        offsets[numbers == 1] = 0  # the mark belongs to the first line
        self._number += len(starts)
        kept = lengths > 1
        blank = np.frombuffer(text, np.uint8)[starts] <= ord(" ")
        for index in np.flatnonzero(kept & blank).tolist():
            kept[index] &= bool(text[bounds[index] : bounds[index + 1]].strip())
        long = kept & (lengths - 1 > self._longest)
        for index in np.flatnonzero(long).tolist():
            place = Place(self._name, int(numbers[index]), int(offsets[index]))
            self._refuse(place, text[bounds[index] : bounds[index] + EXCERPT], int(lengths[index]) - 1)
        kept &= ~long
        lines = pa.LargeStringArray.from_buffers(len(starts), pa.py_buffer(bounds), pa.py_buffer(text))
        try:
            lines.validate(full=True)
        except pa.ArrowInvalid:
            for index in np.flatnonzero(kept).tolist():
                line = text[bounds[index] : bounds[index + 1]].strip()
                place = Place(self._name, int(numbers[index]), int(offsets[index]))
                kept[index] = self._is_utf8(place, line)
        quarantined, self._quarantined = self._quarantined, []
        if not kept.all():
            lines, numbers, offsets = lines.filter(pa.array(kept)), numbers[kept], offsets[kept]
        return Block(self._name, lines, numbers, offsets, quarantined)

    def _is_utf8(self, place: Place, line: bytes) -> bool:
        try:
            line.decode()
        except UnicodeDecodeError as error:
            explanation = f"byte {error.start} is not UTF-8"
            self._quarantined.append(Quarantined.of(place, line, LineReason.NOT_UTF8, explanation))
            return False
        return True

    def _refuse(self, place: Place, text: bytes, length: int) -> None:
        explanation = f"{length} bytes, at most {self._longest} are read"
        self._quarantined.append(Quarantined.of(place, text, LineReason.TOO_LONG, explanation))
