"""Every text has exactly one format, and it is the one that a person, or Python's own library, would name."""

import ipaddress
import math
import re
import uuid
from collections import Counter
from datetime import UTC, date, datetime, time

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor_tasks.profiles.columns import ColumnProfile
from monitor_tasks.profiles.formats import FORMATS, NAMES, formats_of

EXAMPLES = {
    "date": ["2026-01-31", "2026-1-9", "2026/01/31", "31.01.2026", "1/31/2026", "31/1/2026", "31-12-1999"],
    "time": ["12:30", "9:05 am", "23:59:59", "23:59:60", "12:00:00.123", "12:00Z", "07:15+02:00"],
    "timestamp": [
        *("2026-01-31T12:30:00Z", "2026-01-31 12:30", "2026-01-31 12:30:00.123456+02:00", "31.01.2026, 9:05"),
        *("2026-01-31 12:30:00 UTC", "1/31/2026 9:05 PM"),
    ],
    "uuid": ["123e4567-e89b-12d3-a456-426614174000", "123E4567-E89B-12D3-A456-426614174000"],
    "email": ["a@b.ch", "first.last+tag@mail.example.com", "ü@müller.de"],
    "url": ["https://example.com/a?b=c", "s3://bucket/key", "http://user@host.org", "file:///tmp/x"],
    "ip_address": ["10.0.0.1", "192.168.100.200", "::", "::1", "fe80::1", "2001:db8::ff00:42:8329", "::ffff:10.0.0.1"],
    "number_with_separators": ["1,000", "1.000.000", "12,5", "-1'234.50", "1 000 000", "1_000", "1\u202f000,5"],
    "hexadecimal": ["0xff", "0X1A", "d41d8cd98f00b204e9800998ecf8427e", "DEADBEEF"],
    "blank": ["", " ", "\t\n", "\u00a0", "\u3000 "],
    "padded": [" x", "x ", "x\n", "\u00a0x", " 2026-01-31", "5 ", " a@b.ch"],
    "replacement_character": ["caf\ufffd", " \ufffd", "\ufffd"],
    "control_character": ["a\x00b", "\x1b[0m", "a\x7f", "x\x85"],
    "mojibake": ["cafÃ©", "â€™", "itâ\x80\x99s", "Â°C", "ðŸ˜€", "ï»¿id", "MÃ¼ller", "å\x8c\x97", "ÐŸ"],
    "text": [
        *("red", "x1", "user-000001", "a:b", "a@b", "https://", "1,00a", "31.13.2026", "2026-13-01", "24:00"),
        *("256.0.0.1", "1.2.3", "1.2.3.4.", "01.2.3.4", ":::", "12345:1", "face", "dead", "0x", "a b", "-", "NaN"),
        *("café", "«CAFÉ»", "naïve", "raté…»", "Ångström", "Đorđe", "北京", "Ωmega", "a\tb", "line\nline"),
        *("123e4567-e89b-12d3-a456-42661417400", "1.5.2x", "a@b@c.d", "mailto:a@b.ch", "+", ",5"),
    ],
}


def named(*texts: str) -> list[str]:
    return [NAMES[place] for place in formats_of(pa.array(texts, pa.string()))]


@pytest.mark.parametrize(("name", "text"), [(name, text) for name, texts in EXAMPLES.items() for text in texts])
def test_a_text_has_its_format(name: str, text: str) -> None:
    assert named(text) == [name]


def test_every_format_has_its_examples() -> None:
    assert EXAMPLES.keys() == {*NAMES}


def test_many_texts_at_once_have_the_formats_of_each() -> None:
    texts = [text for texts in EXAMPLES.values() for text in texts] * 1000
    assert len(texts) > 1 << 16
    names = [name for name, texts in EXAMPLES.items() for _ in texts] * 1000
    assert named(*texts) == names
    assert [NAMES[one] for one in formats_of(pa.array(texts).slice(70_001, 99))] == names[70_001:70_100]


texts = st.text(max_size=8) | st.text("0123456789abfxTZ-:./, @\u00a0\u00e9\ufffd\x00", max_size=24)


@given(st.lists(texts, max_size=20))
def test_the_glance_at_bytes_rules_out_no_text_that_a_pattern_fits(known: list[str]) -> None:
    def slowly(text: str) -> str:
        fits = (one.name for one in FORMATS if pc.match_substring_regex(pa.scalar(text), one.pattern).as_py())
        return next(fits, "text")

    assert named(*known) == [slowly(text) for text in known]


@given(st.ip_addresses())
def test_every_address_is_known(address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> None:
    assert named(str(address), address.exploded) == ["ip_address"] * 2


@given(st.text("0123456789abf:.", min_size=2, max_size=24).filter(lambda text: re.search("[:.].*[:.]", text)))
def test_what_is_called_an_address_is_one(text: str) -> None:
    if named(text) == ["ip_address"]:
        ipaddress.ip_address(text)


@given(st.uuids(), st.dates(), st.datetimes(), st.times())
def test_what_python_writes_is_known(one: uuid.UUID, day: date, moment: datetime, hour: time) -> None:
    moments = moment.isoformat(), str(moment), moment.replace(tzinfo=UTC).isoformat()
    assert named(str(one), day.isoformat(), hour.isoformat(), *moments) == ["uuid", "date", "time", *["timestamp"] * 3]


@given(st.text(st.characters(min_codepoint=0xA1, max_codepoint=0xFF), min_size=1, max_size=9))
def test_letters_of_western_europe_are_caught_when_their_bytes_are_misread(text: str) -> None:
    assert named(text.encode().decode("latin-1")) == ["mojibake"]


@given(st.lists(texts | st.none() | st.sampled_from(["true", "false", "1", "1.5"]), max_size=40))
def test_the_formats_of_a_column_are_those_of_its_text_cells(cells: list[str | None]) -> None:
    profile = ColumnProfile.of(pa.array(cells, pa.string()), None)
    assert sum(profile.formats.values()) == profile.kinds.get("String", 0)
    only = [cell for cell in cells if cell is not None and "String" in ColumnProfile.of(pa.array([cell]), None).kinds]
    assert profile.formats == Counter(named(*only))


@pytest.mark.parametrize(
    ("column", "format_"),
    [
        (pa.array([datetime(2026, 1, 31, 12, tzinfo=UTC)]), "timestamp"),
        (pa.array([date(2026, 1, 31)]), "date"),
        (pa.array([time(12, 30)]), "time"),
        (pa.array(["2026-01-31"]).dictionary_encode(), "date"),
    ],
)
def test_typed_moments_are_texts_of_their_format(column: pa.Array, format_: str) -> None:
    assert ColumnProfile.of(column, None).formats == {format_: 1}


def test_numbers_and_truth_values_have_no_format() -> None:
    for column in (pa.array([1, 2]), pa.array([True, False]), pa.array(["true", "1"]), pa.array([math.nan, None])):
        assert ColumnProfile.of(column, None).formats == {}


def test_past_the_limit_of_values_formats_are_still_counted() -> None:
    profile = ColumnProfile.of(pa.array(np.char.add("user-", np.arange(70_000).astype(str))), None)
    assert (profile.texts, profile.formats) == (None, {"text": 70_000})
    assert (profile + ColumnProfile.of(pa.array(["a@b.ch"]), None)).formats == {"text": 70_000, "email": 1}
