"""What share of a column's texts is written as it should be."""

from collections.abc import Collection, Mapping

from monitor_tasks.profiles.formats import NAMES

DAMAGED = ("replacement_character", "mojibake", "control_character")
"""Formats of texts that were read in another encoding than they were written in, or were cut."""
SOUND = tuple(name for name in NAMES if name not in DAMAGED)
"""All others."""


def format_share(formats: Mapping[str, int], expected: Collection[str], texts: int) -> float | None:
    """Share of the text cells whose recognised format is one of the expected.

    `formats` are the cells by format and `texts` how many there are; numbers and truth values are none. None without
    a text, and where the formats of some texts are not known, because an earlier form of the profile had none.

    >>> format_share({"date": 3, "text": 1}, ["date", "timestamp"], 4)
    0.75
    >>> format_share({"date": 3}, ["date"], 4) is None
    True
    """
    if not texts or sum(formats.values()) != texts:
        return None
    return sum(count for name, count in formats.items() if name in expected) / texts
