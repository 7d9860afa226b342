"""Java's numbers, Jackson's and Clarify's JSON."""

import json
import math
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor_tasks.sagemaker.text import clarify, jackson, java_double
from tests.sagemaker.samples import sample


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.0, "0.0"),
        (-0.0, "-0.0"),
        (1.0, "1.0"),
        (-2.5, "-2.5"),
        (1e-3, "0.001"),
        (9.99e-4, "9.99E-4"),
        (1e-4, "1.0E-4"),
        (1e-5, "1.0E-5"),
        (9999999.0, "9999999.0"),
        (9999999.999999998, "9999999.999999998"),
        (1e7, "1.0E7"),
        (2.5e7, "2.5E7"),
        (-2.5e7, "-2.5E7"),
        (123456789.0, "1.23456789E8"),
        (12345678.125, "1.2345678125E7"),
        (1e15, "1.0E15"),
        (1e16, "1.0E16"),
        (1e22, "1.0E22"),
        (1.7976931348623157e308, "1.7976931348623157E308"),
        (2.2250738585072014e-308, "2.2250738585072014E-308"),
        (5e-324, "4.9E-324"),
        (1e-323, "9.9E-324"),
        (1.2345e-310, "1.2345E-310"),
        (99.64592817400101, "99.64592817400101"),
        (math.nan, "NaN"),
        (math.inf, "Infinity"),
        (-math.inf, "-Infinity"),
    ],
)
def test_a_double_is_written_as_java_writes_it(value: float, text: str) -> None:
    assert java_double(value) == text


@given(st.integers(0, 2**64 - 1))
def test_java_text_names_the_same_double(bits: int) -> None:
    value = struct.unpack("<d", struct.pack("<Q", bits))[0]
    read = float(java_double(value))
    assert read == value or (math.isnan(read) and math.isnan(value))


def test_jackson_prints_lists_inline_and_objects_indented() -> None:
    value = {"a": [[1.0, 2], []], "b": {}, "c": [{"d": None}, {"e": True}], "f": math.nan, "g": -math.inf}
    assert jackson(value).decode() == (
        '{\n  "a" : [ [ 1.0, 2 ], [ ] ],\n  "b" : { },\n  "c" : [ {\n    "d" : null\n  }, {\n    "e" : true\n  } ],\n'
        '  "f" : "NaN",\n  "g" : "-Infinity"\n}'
    )


def test_jackson_escapes_as_java_does() -> None:
    assert jackson('a"\\\n\x01\x1fé☃\\u001f').decode() == '"a\\"\\\\\\n\\u0001\\u001Fé☃\\\\u001f"'


@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_jackson_text_is_json(text: str) -> None:
    assert json.loads(jackson({text: [text]})) == {text: [text]}


@pytest.mark.parametrize("name", ["sdk/data_quality/statistics.json", "churn/constraints.json"])
def test_a_real_file_read_and_written_is_the_same(name: str) -> None:
    text = sample(name)
    assert jackson(json.loads(text)) == text.rstrip(b"\n")


def test_clarify_writes_infinities_as_strings_and_undefined_as_null() -> None:
    assert json.loads(clarify({"a": math.inf, "b": [-math.inf, math.nan, 1, "x"]})) == {
        "a": "Infinity",
        "b": ["-Infinity", None, 1, "x"],
    }


def test_a_real_analysis_of_clarify_read_and_written_has_the_same_form() -> None:
    text = sample("adult/bias_baseline.analysis.json")
    assert clarify(json.loads(text)) == json.dumps(json.loads(text), indent=4).encode()
