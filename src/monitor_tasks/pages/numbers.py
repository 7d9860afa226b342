"""Numbers and texts as a page shows them: few digits, never misleading ones, and no text without an end."""

import re
from collections.abc import Sequence
from math import floor, isinf, isnan, log10
from typing import Literal

from monitor_tasks.exhibit import Unit

Scale = Unit | Literal["probability"]

TEXT_LIMIT = 120
"""Characters of a text that somebody else chose: a column, a category, a reason."""
NOTHING = "–"
RARE = 1e-4
"""A smaller probability is told as below this one: its digits say nothing."""


def text(words: object, limit: int = TEXT_LIMIT) -> str:
    r"""A text as a page can hold it: cut where it is long, with a mark for every character that no page can show.

    >>> text("a" * 9, 5), text("a" + chr(0) + "b")
    ('aaaa…', 'a\ufffdb')
    """
    whole = str(words)
    short = whole if len(whole) <= limit else whole[: limit - 1] + "…"
    return "".join("\ufffd" if _unshown(ord(letter)) else letter for letter in short)


def sentence(words: str) -> str:
    """A sentence of ours with the facts in it: its numbers in six digits.

    >>> sentence("0.7090545938748336 is below 1.0")
    '0.709055 is below 1.0'
    """
    return text(re.sub(r"\d+\.\d{6,}(?:e[+-]?\d+)?", lambda found: f"{float(found[0]):.6g}", words), 240)


def _unshown(code: int) -> bool:
    control = code < 0x20 or 0x7F <= code < 0xA0
    return control or 0xD800 <= code < 0xE000 or 0xFDD0 <= code < 0xFDF0 or code & 0xFFFE == 0xFFFE


def number(value: float | None, digits: int = 4) -> str:
    """A number in so many significant digits, whole ones in all of them.

    >>> number(1234567), number(0.123456), number(12345.678), number(1e-9), number(float("inf")), number(None)
    ('1,234,567', '0.1235', '12,346', '1e-09', '∞', '–')
    """
    if value is None or isnan(value):
        return NOTHING
    if isinf(value):
        return "∞" if value > 0 else "-∞"
    if abs(value) < 1e15 and value == int(value):
        return f"{int(value):,}"
    if not 1e-4 <= abs(value) < 1e15:
        return f"{value:.{digits}g}"
    shown = f"{value:,.{max(digits - 1 - floor(log10(abs(value))), 0)}f}"
    return shown.rstrip("0").rstrip(".") if "." in shown else shown


def apart(values: Sequence[float], first: int = 4) -> list[str]:
    """Numbers in as few digits as tell different ones apart: 0.99999 beside 1 is never shown as 1.

    >>> apart([0.99999, 1.0]), apart([20.0, 25.0])
    (['0.99999', '1'], ['20', '25'])
    """
    for digits in range(first, 18):
        shown = [number(value, digits) for value in values]
        if len(set(shown)) == len(set(values)):
            return shown
    return [repr(value) for value in values]


def in_unit(value: float | None, unit: Unit) -> str:
    """A number in its unit: a share as percent.

    >>> in_unit(0.1234, "share"), in_unit(0.00001, "share"), in_unit(3, "count")
    ('12.3 %', '0.001 %', '3')
    """
    if value is None or unit != "share":
        return number(value)
    percent = 100 * value
    return f"{percent:.1f} %" if percent == 0 or abs(percent) >= 0.1 else f"{number(percent, 1)} %"


def probability(value: float) -> str:
    """A probability in three digits; a tiny one as no more than tiny.

    >>> probability(0.012345), probability(2e-55)
    ('0.0123', 'below 0.0001')
    """
    return f"below {RARE:.4f}" if value < RARE else number(value, 3)


def apart_on(scale: Scale, values: Sequence[float]) -> list[str]:
    """Numbers on their scale, in as few digits as tell different ones apart.

    >>> apart_on("share", [0.99999, 1.0]), apart_on("probability", [2e-55, 0.05]), apart_on("value", [1.5])
    (['99.999 %', '100 %'], ['below 0.0001', '0.05'], ['1.5'])
    """
    if scale == "share":
        return [f"{shown} %" for shown in apart([100 * value for value in values], 3)]
    if scale == "probability" and sum(value < RARE for value in values) <= 1:
        several = zip(values, apart(values, 3), strict=True)
        return [probability(value) if value < RARE else shown for value, shown in several]
    return apart(values)
