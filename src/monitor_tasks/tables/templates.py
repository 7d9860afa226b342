"""Lines that are alike but for some of their texts: all of them are taken apart at once, without a parser of JSON.

A template is learned from a line that a parser has read. A line fits it where every byte around its varying texts is
that line's: then a parser would find the same keys, and each varying text under the key it has there.
"""

import json
import re
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple, Self

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from monitor_tasks.tables.marks import Mask, are_plain, between
from monitor_tasks.tables.pieces import Piece, cut

Path = tuple[str | int, ...]

VARYING = "\0"
"""Stands for a varying text; no line of JSON holds it."""
ESCAPED = r'^(?:[^"\\\x00-\x1f]|\\")*$'
"""A text of JSON in which nothing is escaped but quotes."""
_QUOTES = re.compile(r'(?<!\\)"')
_ENDS = re.compile(r"(?:\\[rn])*$")


class Role(NamedTuple):
    """What a varying text is for."""

    name: str = ""
    """What its column is called; empty for a text that nobody asks for."""
    skipped: int = 0
    """How many characters at its beginning are the same in all lines."""
    is_payload: bool = False
    """Whether ends of lines may stand behind it, which are the same in all lines."""
    pieces: tuple[Piece, ...] | None = None
    """What stands between its commas, as it is meant, where it is wanted in pieces.

    Then who takes them sees to it that what varies in them is a text of JSON.
    """


class Varying(NamedTuple):
    """A text that differs from line to line."""

    role: Role
    first: int
    """The piece of the line in which it begins."""
    before: int
    """How many bytes of that piece stand before it."""
    last: int
    """The piece in which it ends."""
    behind: int
    """How many bytes of that piece stand behind it."""


class Taken(NamedTuple):
    """What stands in the lines that fit."""

    texts: dict[str, pa.StringArray]
    """The varying texts by name, as they are meant; but those in pieces as they stand there."""
    pieces: dict[str, list[pa.StringArray]]
    """The varying texts of the pieces, as they stand there."""


class Template(NamedTuple):
    """The bytes of a line around its varying texts."""

    texts: tuple[Varying, ...]
    """In the order of the line."""
    pieces: tuple[Piece, ...]
    """What stands between its commas."""

    @classmethod
    def of(cls, line: str, role: Callable[[Path, str], Role | None]) -> Self | None:
        """The template of a line of JSON with its end; `role` tells by path and text which texts vary, and as what.

        None where a varying text holds a backslash that neither escapes a quote nor ends a line behind a payload.
        """
        if "\\\\" in line:  # then a backslash before a quote need not escape it
            return None
        pieces = _QUOTES.split(line.rstrip("\r\n"))
        marked = [f"\\u0000{number}" if _is_value(pieces, number) else piece for number, piece in enumerate(pieces)]
        texts = list[Varying]()
        for path, number in sorted(_marks(json.loads('"'.join(marked)), ()), key=lambda found: found[1]):
            text = pieces[number]
            if (known := role(path, text)) is not None:
                tail = "".join(_ENDS.findall(text)) if known.is_payload else ""
                inner = known.pieces or [Piece()] * (text.count(",", known.skipped) + 1)
                before = '"'.join([*pieces[:number], text[: known.skipped]]).split(",")
                behind = '"'.join([tail, *pieces[number + 1 :]]).split(",")[0]
                edges = len(before[-1].encode()), len(behind.encode())
                texts.append(Varying(known, len(before) - 1, edges[0], len(before) + len(inner) - 2, edges[1]))
                varying = ",".join(f"{piece.before}{VARYING}{piece.after}" for piece in inner).replace('"', '\\"')
                pieces[number] = f"{text[: known.skipped]}{varying}{tail}"
        parts = [part.split(VARYING) for part in '"'.join(pieces).split(",")]
        if not texts or max(map(len, parts)) > 2:
            return None
        found = cls(tuple(texts), tuple(Piece(part[0], part[1] if part[1:] else None) for part in parts))
        return found if found.cut(pa.array([line], pa.large_string()))[0].all() else None

    def cut(self, lines: pa.LargeStringArray) -> tuple[Mask, Taken]:
        """Which lines fit, and what stands in those."""
        fits, (content, columns, places) = cut(lines, self.pieces)
        starts = [places[one.first] + one.before for one in self.texts]
        ends = [places[one.last + 1] - 1 - one.behind for one in self.texts]
        found = between(content, np.stack(starts, axis=1), np.stack(ends, axis=1))
        stand, texts, pieces = np.ones(len(found[0]), bool), dict[str, pa.Array](), dict[str, list[pa.Array]]()
        for (role, first, _, last, _), text in zip(self.texts, found, strict=True):
            meant, are_meant = (text, stand) if role.pieces else _unescaped(text)
            stand &= are_meant
            if role.name:
                texts[role.name] = meant
            if role.pieces:
                numbers = range(first, last + 1)
                pieces[role.name] = [self.pieces[number].within(columns[number]) for number in numbers]
        if not stand.all():
            fits[fits] = stand
            kept = pa.array(stand)
            texts = {name: text.filter(kept) for name, text in texts.items()}
            pieces = {name: [column.filter(kept) for column in both] for name, both in pieces.items()}
        return fits, Taken(texts, pieces)


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


def _unescaped(texts: pa.StringArray) -> tuple[pa.StringArray, Mask]:
    """Texts of JSON without the backslashes before their quotes, and which of them are such and hold no others."""
    fits = are_plain(texts)
    if fits.all():
        return texts, fits
    fits = pc.match_substring_regex(texts, ESCAPED).to_numpy(zero_copy_only=False)
    return pc.replace_substring(texts, '\\"', '"'), fits
