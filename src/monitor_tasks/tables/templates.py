"""Lines that are alike but for some of their texts: all of them are cut at their quotes at once, without a parser.

A template is learned from a line that a parser has read. A line fits it where every byte around its varying texts is
that line's: then a parser would find the same keys, and each varying text under the key it has there.
"""

import json
import re
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple, Self

import numpy as np
import pyarrow as pa

from monitor_tasks.tables.marks import (
    FIRST_PRINTED,
    TILE,
    Bytes,
    Mask,
    Places,
    between,
    bytes_of,
    counts,
    firsts,
    places_of,
    stand,
)

Path = tuple[str | int, ...]

QUOTE, ESCAPE = ord('"'), ord("\\")
RARE = 4
"""Lines of which every so many-th byte is a quote are not looked at."""
_QUOTES = re.compile(r'(?<!\\)"')
_ODD = re.compile(rb'\\(?!")')
_ENDS = re.compile(r"(?:\\[rn])*$")
_NONE = np.array([], np.int64)


class Role(NamedTuple):
    """What a varying text is for."""

    name: str = ""
    """What its column is called; empty for a text that nobody asks for."""
    skipped: int = 0
    """How many bytes at its beginning are the same in all lines."""
    is_payload: bool = False
    """Whether ends of lines may stand behind it, which are the same in all lines."""


class Varying(NamedTuple):
    """A text that differs from line to line."""

    role: Role
    number: int
    """The quote that ends it, of those in its line that are not escaped."""
    tail: int
    """How many bytes the ends of lines behind it have."""


class Template(NamedTuple):
    """The bytes of a line around its varying texts."""

    texts: tuple[Varying, ...]
    """In the order of the line."""
    fixed: tuple[bytes, ...]
    """What stands before, between and behind them."""
    quotes: int
    """How many quotes a line has that are not escaped."""

    @classmethod
    def of(cls, line: str, role: Callable[[Path, str], Role | None]) -> Self | None:
        """The template of a line of JSON with its end; `role` tells by path and text which texts vary, and as what.

        None where a varying text holds a backslash that neither escapes a quote nor ends a line behind a payload.
        """
        if "\\\\" in line:  # then a backslash before a quote need not escape it
            return None
        pieces = _QUOTES.split(line)
        marked = [f"\\u0000{number}" if _is_value(pieces, number) else piece for number, piece in enumerate(pieces)]
        texts, fixed, last = list[Varying](), list[str](), 0
        for path, number in sorted(_marks(json.loads('"'.join(marked)), ()), key=lambda found: found[1]):
            if (known := role(path, pieces[number])) is not None:
                tail = "".join(_ENDS.findall(pieces[number])) if known.is_payload else ""
                texts.append(Varying(known, number, len(tail)))
                fixed.append('"'.join([*pieces[last:number], pieces[number][: known.skipped]]))
                pieces[number], last = tail, number
        found = cls(tuple(texts), tuple(one.encode() for one in (*fixed, '"'.join(pieces[last:]))), len(pieces) - 1)
        lines = pa.array([line], pa.large_string())
        return found if texts and found.cut(lines)[0].all() else None

    def cut(self, lines: pa.LargeStringArray) -> tuple[Mask, dict[str, pa.StringArray]]:
        """Which lines fit, and the varying texts of those by name, quotes as they are meant."""
        content, bounds = bytes_of(lines)
        found = _marks_in(content, bounds)
        if found is None:
            return np.zeros(len(lines), bool), self._texts(content, *[[_NONE] * len(self.texts)] * 2)
        quotes, odd, blanks = found
        first = firsts(quotes, bounds)
        fits = np.diff(first) == self.quotes
        fits &= counts(blanks, bounds) == sum(one < FIRST_PRINTED for one in self.fixed[-1])
        fits &= counts(odd, bounds) == sum(len(_ODD.findall(one)) for one in self.fixed)
        left, right, first = bounds[:-1][fits], bounds[1:][fits], first[:-1][fits]
        starts = [quotes[first + one.number - 1] + 1 + one.role.skipped for one in self.texts]
        ends = [quotes[first + one.number] - one.tail for one in self.texts]
        alike = self._are_alike(content, [left, *ends], [*starts, right])
        if not alike.all():
            fits[fits] = alike
            starts, ends = ([place[alike] for place in side] for side in (starts, ends))
        return fits, self._texts(content, starts, ends)

    def _are_alike(self, content: Bytes, lefts: list[Places], rights: list[Places]) -> Mask:
        """Whether nothing but the fixed bytes stands between the places, line by line."""
        alike: Mask = np.ones(len(lefts[0]), bool)
        for one, left, right in zip(self.fixed, lefts, rights, strict=True):
            alike &= right - left == len(one)
        for one, left in zip(self.fixed, lefts, strict=True):
            alike[alike] = stand(content, left if alike.all() else left[alike], one)
        return alike

    def _texts(self, content: Bytes, starts: list[Places], ends: list[Places]) -> dict[str, pa.StringArray]:
        """The texts between the places that somebody asks for, by name."""
        found = between(content, np.stack(starts, axis=1), np.stack(ends, axis=1))
        return {one.role.name: _unescaped(texts) for one, texts in zip(self.texts, found, strict=True) if one.role.name}


def _is_value(pieces: list[str], number: int) -> bool:
    """Whether a piece of a line is a text that is no key."""
    return bool(number % 2) and not pieces[number + 1].lstrip().startswith(":")


def _marks(value: Any, path: Path) -> Iterator[tuple[Path, int]]:
    """The path of every marked text, and its number."""
    if isinstance(value, dict | list):
        for key, one in value.items() if isinstance(value, dict) else enumerate(value):
            yield from _marks(one, (*path, key))
    elif isinstance(value, str):
        yield path, int(value[1:])


def _marks_in(content: Bytes, bounds: Places) -> tuple[Places, Places, Places] | None:
    """Where in lines quotes stand that are not escaped, escapes of something else, and what is not printed.

    None where these are so many that their places would fill the memory.
    """
    found: tuple[list[Places], ...] = ([_NONE], [_NONE], [_NONE])
    start, room = 0, len(content) // RARE
    for piece in np.split(content, np.unique(bounds[np.searchsorted(bounds, np.arange(TILE, len(content), TILE))])):
        is_quote, is_escape = piece == QUOTE, piece == ESCAPE
        is_odd = np.zeros(0, bool)
        if is_escape.any():
            is_odd = np.greater(is_escape[:-1], is_quote[1:])
            np.greater(is_quote[1:], is_escape[:-1], out=is_quote[1:])
        for known, are_there in zip(found, (is_quote, is_odd, piece < FIRST_PRINTED), strict=True):
            places = np.flatnonzero(are_there)
            room -= len(places)
            if room < 0:
                return None
            known.append(places + start)
        start += len(piece)
    quotes, odd, blanks = map(np.concatenate, found)
    return quotes, odd, blanks


def _unescaped(texts: pa.StringArray) -> pa.StringArray:
    """Texts whose only backslashes are those before quotes, without these."""
    content, bounds = bytes_of(texts)
    escapes = places_of(content, ESCAPE)
    if not len(escapes):
        return texts
    bounds = (bounds - firsts(escapes, bounds)).astype(np.int32)
    kept = content.tobytes().translate(None, b"\\")
    return pa.StringArray.from_buffers(len(texts), pa.py_buffer(bounds), pa.py_buffer(kept))
