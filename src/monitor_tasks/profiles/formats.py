"""In which recognised format a text is written: a date, an address, a damaged encoding; each text has exactly one."""

from functools import cache, reduce
from operator import or_
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from monitor_tasks.profiles.cells import bytes_of

TEXT = "text"
"""The format of texts that have no other."""

_TRUTHS = ("true", "false")
_AT_ONCE = 1 << 16
"""Texts whose bytes are looked at in one go: they stay in the processor's cache."""
_GROUPS = {
    "digit": b"0123456789",
    "hex": b"abcdefABCDEF",
    "x": b"xX",
    "letter": b"ghijklmnopqrstuvwyzGHIJKLMNOPQRSTUVWYZ",
    "dash": b"-",
    "plus": b"+",
    "colon": b":",
    "dot": b".",
    "mark": b",'_",
    "slash": b"/",
    "at": b"@",
    "space": b" ",
    "white": b"\t\n\r\f\v",
    "control": bytes({*range(32), 127} - {*b"\t\n\r\f\v"}),
    "high": bytes(range(128, 256)),
}
"""Groups of bytes. Those that a text has rule out most formats before any pattern is tried."""
_BITS = {name: 1 << place for place, name in enumerate(_GROUPS)}
_OTHER = 1 << len(_GROUPS)
"""The group of all other bytes."""


class Format(NamedTuple):
    """One recognised format: its pattern, and which groups of bytes its texts have."""

    name: str
    pattern: str
    """Of RE2."""
    every: str = ""
    """Groups, of each of which all its texts have a byte."""
    some: str = ""
    """Groups, of one of which all its texts have a byte."""
    only: str = ""
    """Groups, beside which none of its texts has a byte; empty where there may be any."""

    def possible(self, groups: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Whether a text may have the format, by the groups of its bytes."""
        every, some, only = _bits(self.every), _bits(self.some), _bits(self.only)
        fits: NDArray[np.bool_] = groups & every == every
        if some:
            fits &= groups & some != 0
        return fits & (groups & ~only == 0) if only else fits


_WHITE = r"[\s\v\p{Z}]"
_CONTINUED = r"[\x{80}-\x{bf}€‚ƒ„…†‡ˆ‰Š‹ŒŽ‘’“”•–—˜™š›œžŸ]"
"""Bytes that continue a letter in UTF-8, as Latin-1 and Windows-1252 show them."""
_DAY, _MONTH = "(?:0?[1-9]|[12][0-9]|3[01])", "(?:0?[1-9]|1[0-2])"
_DATE = (
    rf"(?:[0-9]{{4}}(?:-{_MONTH}-|/{_MONTH}/|\.{_MONTH}\.){_DAY}"
    rf"|{_DAY}(?:-{_MONTH}-|/{_MONTH}/|\.{_MONTH}\.)[0-9]{{4}}|{_MONTH}(?:-{_DAY}-|/{_DAY}/)[0-9]{{4}})"
)
_TIME = r"(?:[01]?[0-9]|2[0-3]):[0-5][0-9](?::(?:[0-5][0-9]|60)(?:[.,][0-9]+)?)?(?: ?[AaPp][Mm])?"
_ZONE = r"(?: ?(?:Z|UTC|GMT|[+-][01][0-9](?::?[0-5][0-9])?))?"
_BYTE = "(?:25[0-5]|2[0-4][0-9]|1[0-9]{2}|[1-9]?[0-9])"
_V4 = rf"{_BYTE}(?:\.{_BYTE}){{3}}"
_PART = "[0-9A-Fa-f]{1,4}"
_V6 = "|".join(
    (
        f"(?:{_PART}:){{7}}{_PART}",
        f"(?:{_PART}:){{1,7}}:",
        *(f"(?:{_PART}:){{1,{left}}}(?::{_PART}){{1,{7 - left}}}" for left in range(1, 7)),
        f":(?:(?::{_PART}){{1,7}}|:)",
        f"(?:{_PART}:){{6}}{_V4}",
        f"::(?:{_PART}:){{0,5}}{_V4}",
    )
)
_GROUPED = "|".join(
    f"[0-9]{{1,3}}(?:{mark}[0-9]{{3}})+(?:{point}[0-9]+)?"
    for mark, point in ((",", r"\."), (r"\.", ","), ("['’_]", r"\."), (r"[ \x{a0}\x{202f}]", "[.,]"))
)

FORMATS = (
    Format("replacement_character", "\N{REPLACEMENT CHARACTER}", "high"),
    Format(
        "mojibake",
        rf"[ÂÃÄÅÎÏÐÑ]{_CONTINUED}|â[\x{{80}}\x{{82}}\x{{84}}€‚„]{_CONTINUED}|[à-ô][\x{{80}}-\x{{9f}}]|ï»¿|ðŸ",
        "high",
    ),
    Format("control_character", r"[\x00-\x08\x0e-\x1f\x7f\x{80}-\x{9f}]", some="control high"),
    Format("blank", f"^{_WHITE}*$", only="space white high"),
    Format("padded", f"^{_WHITE}|{_WHITE}$", some="space white high"),
    Format("uuid", "^[0-9A-Fa-f]{8}(?:-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}$", "dash", only="digit hex dash"),
    Format(
        "timestamp",
        rf"^{_DATE}(?:[Tt ]|, ?){_TIME}{_ZONE}$",
        "digit colon",
        "dash slash dot",
        "digit hex letter dash plus colon dot mark slash space",
    ),
    Format("date", f"^{_DATE}$", "digit", "dash slash dot", "digit dash slash dot"),
    Format("time", f"^{_TIME}{_ZONE}$", "digit colon", only="digit hex letter dash plus colon dot mark space"),
    Format("ip_address", f"^{_V4}$", "digit dot", only="digit dot"),
    Format("ip_address", f"^(?:{_V6})$", "colon", only="digit hex colon dot"),
    Format("url", r"^[A-Za-z][A-Za-z0-9+.-]*://\S+$", "colon slash"),
    Format("email", r'^[^\s@:/,;<>()"]+@[^\s@:/,;<>()".]+(?:\.[^\s@:/,;<>()".]+)+$', "at dot"),
    Format(
        "number_with_separators",
        f"^[+-]?(?:{_GROUPED}|[0-9]+,[0-9]+)$",
        "digit",
        "mark dot space high",
        "digit dash plus mark dot space high",
    ),
    Format("hexadecimal", "^(?:0[xX][0-9A-Fa-f]+|[0-9A-Fa-f]{8,})$", some="hex x", only="digit hex x"),
)
"""Every format but plain text; the first whose pattern fits is the text's. Damage comes before what it has damaged.

Dates and times are those of ISO 8601 with separators, and days, months and years (or months first) of four digits;
digits without separators are numbers to the profile, and no text. Hexadecimal is 0x and digits, or eight and more.
Mojibake is UTF-8 that was read as Latin-1 or Windows-1252: pairs that hardly any language writes.
"""
NAMES = (*dict.fromkeys(one.name for one in FORMATS), TEXT)
_PLACES = [NAMES.index(one.name) for one in FORMATS]


def format_counts(texts: pa.Array, counts: NDArray[np.int64]) -> dict[str, int]:
    """How many text cells are written in each format, by the different texts' counts; truth values are no text here.

    >>> format_counts(pa.array(["2026-01-31", "soon", "true"]), np.array([2, 1, 9]))
    {'date': 2, 'text': 1}
    """
    truths = pc.is_in(texts, pa.array(_TRUTHS)).to_numpy(zero_copy_only=False)
    if truths.any():
        texts, counts = texts.filter(pa.array(~truths)), counts[~truths]
    found = np.bincount(formats_of(texts), counts, len(NAMES)).astype(np.int64).tolist()
    return {name: count for name, count in zip(NAMES, found, strict=True) if count}


def formats_of(texts: pa.Array) -> NDArray[np.intp]:
    """The format of every text, as a place in NAMES.

    >>> [NAMES[one] for one in formats_of(pa.array(["2026-01-31", "10.0.0.1", "cafÃ©", " x", "1,5", "", "x1"]))]
    ['date', 'ip_address', 'mojibake', 'padded', 'number_with_separators', 'blank', 'text']
    """
    starts = range(0, len(texts), _AT_ONCE)
    return np.concatenate([np.zeros(0, np.intp), *(_formats_of(texts.slice(start, _AT_ONCE)) for start in starts)])


def _formats_of(texts: pa.Array) -> NDArray[np.intp]:
    formats = np.full(len(texts), NAMES.index(TEXT))
    possible = _possible()[_groups_in(texts)]
    anywhere = int(np.bitwise_or.reduce(possible))
    for place, one in enumerate(FORMATS):
        tried = np.flatnonzero(possible & (1 << place)) if anywhere & (1 << place) else ()
        if len(tried):
            chosen = texts if len(tried) == len(texts) else texts.take(pa.array(tried))
            found = tried[pc.match_substring_regex(chosen, one.pattern).to_numpy(zero_copy_only=False)]
            formats[found] = _PLACES[place]
            possible[found] = 0
    return formats


def _groups_in(texts: pa.Array) -> NDArray[np.uint16]:
    """The groups of bytes in every text, a bit for each."""
    content, places = bytes_of(texts)
    groups = np.zeros(len(texts), np.uint16)
    filled = np.flatnonzero(places[1:] > places[:-1])
    if len(filled):
        groups[filled] = np.bitwise_or.reduceat(_group_of_bytes()[content], places[filled])
    return groups


@cache
def _group_of_bytes() -> NDArray[np.uint16]:
    groups = np.full(256, _OTHER, np.uint16)
    for name, content in _GROUPS.items():
        groups[list(content)] = _BITS[name]
    return groups


@cache
def _possible() -> NDArray[np.uint16]:
    """For all groups of bytes that a text may have, the formats that are possible, a bit for each."""
    groups = np.arange(2 * _OTHER)
    possible = [one.possible(groups).astype(np.uint16) << np.uint16(place) for place, one in enumerate(FORMATS)]
    return reduce(or_, possible)


def _bits(names: str) -> int:
    return reduce(or_, (_BITS[name] for name in names.split()), 0)
