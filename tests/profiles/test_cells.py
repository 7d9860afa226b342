"""What kind of thing a cell is: by its text for text, by its type for typed columns."""

import math
from collections import Counter
from datetime import UTC, datetime
from decimal import Decimal

import numpy as np
import pyarrow as pa
import pytest

from monitor_tasks.profiles.cells import FEW, KINDS, Cells, inferred_type

INTEGRAL = {
    "0": 0,
    "5": 5,
    "+5": 5,
    "-5": -5,
    "- 5": -5,
    " 5": 5,
    "007": 7,
    "98765432109876543210": 98765432109876543210,
}
FRACTIONAL = {"1.0": 1, "-1.50": -1.5, "+ 0.5": 0.5, "1e5": 1e5, "1E-2": 0.01, "2.5e+3": 2500, "1e400": math.inf}
BOOLEAN = ("true", "false")
STRING = (
    *("", ".5", "5.", "1,000", "NaN", "nan", "inf", "-Infinity", "True", "FALSE", "1e", "1.e5", "--5", "5 ", "-  5"),
    *("5\n", "0x10", "1_000", "٣", "１", "null", "1.5.2", "e5", "-", "+", " "),
)


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        *((text, "Integral") for text in INTEGRAL),
        *((text, "Fractional") for text in FRACTIONAL),
        *((text, "Boolean") for text in BOOLEAN),
        *((text, "String") for text in STRING),
    ],
)
def test_a_text_has_its_kind(text: str, kind: str) -> None:
    cells = Cells.of(pa.array([text, None, text]))
    assert (cells.counts, cells.missing) == ({kind: 2}, 1)
    assert cells.texts.to_pylist() == ([] if kind in ("Integral", "Fractional") else [text, text])
    known = {**INTEGRAL, **FRACTIONAL}
    assert cells.numbers.tolist() == ([float(known[text])] * 2 if text in known else [])


def test_kinds_are_kept_apart_within_a_column() -> None:
    cells = Cells.of(pa.array(["1", "x", "1.5", None, "true", "-0.0"]))
    assert cells.counts == {"Integral": 1, "Fractional": 2, "Boolean": 1, "String": 1}
    assert cells.numbers.tolist() == [1.0, 1.5, 0.0]
    assert math.copysign(1, cells.numbers[2]) == 1
    assert cells.texts.to_pylist() == ["x", "true"]


@pytest.mark.parametrize(
    ("kinds", "name"),
    [
        ((), "Unknown"),
        (("Integral",), "Integral"),
        (("Fractional",), "Fractional"),
        (("Integral", "Fractional"), "Fractional"),
        (("Boolean",), "Boolean"),
        (("Boolean", "Integral"), "String"),
        (("Boolean", "Fractional"), "String"),
        (("String",), "String"),
        (("String", "Integral"), "String"),
        (KINDS, "String"),
    ],
)
def test_a_column_has_the_type_that_deequ_infers(kinds: tuple[str, ...], name: str) -> None:
    assert inferred_type(dict.fromkeys(kinds, 1)) == name
    assert inferred_type({**dict.fromkeys(KINDS, 0), **dict.fromkeys(kinds, 1)}) == name


MOMENT = datetime(2026, 1, 2, tzinfo=UTC)
TYPED = {
    "int64": (pa.array([1, None, -2]), {"Integral": 2}, [1.0, -2.0], []),
    "uint8": (pa.array([255], pa.uint8()), {"Integral": 1}, [255.0], []),
    "float64": (pa.array([1.0, None, math.inf, -0.0]), {"Fractional": 3}, [1.0, math.inf, 0.0], []),
    "float16": (pa.array([np.float16(0.5)]), {"Fractional": 1}, [0.5], []),
    "bool": (pa.array([True, None, False]), {"Boolean": 2}, [], ["true", "false"]),
    "timestamp": (pa.array([MOMENT, None]), {"String": 1}, [], ["2026-01-02 00:00:00.000000Z"]),
    "decimal": (pa.array([Decimal("1.50"), None]), {"Fractional": 1}, [1.5], []),
    "decimal without a point": (pa.array([Decimal(15)]), {"Integral": 1}, [15.0], []),
    "dictionary": (pa.array(["a", None, "7"]).dictionary_encode(), {"Integral": 1, "String": 1}, [7.0], ["a"]),
    "dictionary of numbers": (pa.array([2, 2]).dictionary_encode(), {"Integral": 2}, [2.0, 2.0], []),
    "large text": (pa.array(["a", "1"], pa.large_string()), {"Integral": 1, "String": 1}, [1.0], ["a"]),
    "bytes": (pa.array([b"a", b"\xff"]), {"String": 2}, [], ["b'a'", "b'\\xff'"]),
    "list": (pa.array([[1, 2], None]), {"String": 1}, [], ["[1, 2]"]),
    "struct": (pa.array([{"a": 1}]), {"String": 1}, [], ["{'a': 1}"]),
    "null": (pa.nulls(3), {}, [], []),
    "nothing": (pa.array([], pa.string()), {}, [], []),
}


@pytest.mark.parametrize("name", TYPED)
def test_a_typed_column_keeps_its_type(name: str) -> None:
    column, counts, numbers, texts = TYPED[name]
    for cells in (Cells.of(column), Cells.of(pa.chunked_array([column.slice(0, 1), column.slice(1)]))):
        assert {kind: count for kind, count in cells.counts.items() if count} == counts
        assert (cells.numbers.tolist(), cells.texts.to_pylist()) == (numbers, texts)
        assert cells.missing == column.null_count


def test_nan_is_a_number_that_is_not_missing() -> None:
    cells = Cells.of(pa.array([math.nan, None]))
    assert (cells.missing, cells.counts, np.isnan(cells.numbers).tolist()) == (1, {"Fractional": 1}, [True])


MANY = [f"{number / 7:.6f}" for number in range(1, 2000)]
"""Numbers enough, and different enough, to be read at once and not text by text."""


@pytest.mark.parametrize("odd", [*INTEGRAL, *FRACTIONAL, *BOOLEAN, *STRING, "1-2", "1.2.3", "-.5", "2024-01-02"])
def test_a_cell_among_many_numbers_is_what_it_is_alone(odd: str) -> None:
    alone, among = Cells.of(pa.array([odd])), Cells.of(pa.array([*MANY[:1000], None, odd, *MANY[1000:]]))
    counts = {kind: alone.counts.get(kind, 0) + (len(MANY) if kind == "Fractional" else 0) for kind in KINDS}
    assert {kind: among.counts.get(kind, 0) for kind in KINDS} == counts
    numbers = [float(text) for text in MANY]
    assert among.numbers.tolist() == [*numbers[:1000], *alone.numbers.tolist(), *numbers[1000:]]
    assert (among.texts.to_pylist(), among.missing) == (alone.texts.to_pylist(), 1)


def test_a_slice_of_texts_is_read_as_its_own_cells() -> None:
    column = pa.array([*MANY, "x", *MANY])
    for start, count in ((3, 1500), (1500, 1000), (2000, 0), (len(MANY), 1)):
        part = column.slice(start, count)
        cells = Cells.of(part)
        expected = [text for text in part.to_pylist() if text != "x"]
        assert (cells.numbers.tolist(), len(cells.texts)) == ([float(text) for text in expected], count - len(expected))


def test_a_dictionary_may_hold_a_text_twice_or_never_use_one() -> None:
    texts = pa.DictionaryArray.from_arrays(pa.array([0, 1, None, 2, 2, 2, 1, 0, 0]), pa.array(["a", "a", "5", "z"]))
    cells = Cells.of(texts)
    assert (cells.missing, cells.counts, cells.numbers.tolist()) == (1, {"Integral": 3, "String": 5}, [5.0] * 3)
    values, counts = cells.tally
    assert (values.to_pylist(), counts.tolist()) == (["a"], [5])


@pytest.mark.parametrize("texts", [["b", "a", "b"], [f"t{number}" for number in range(2000)] + ["t1", "t1"]])
def test_the_tally_counts_every_text_once(texts: list[str]) -> None:
    values, counts = Cells.of(pa.array(texts)).tally
    assert dict(zip(values.to_pylist(), counts.tolist(), strict=True)) == Counter(texts)


MIXED = pa.array(["1", None, "x", "2.50", "true", None, "x"])


@pytest.mark.parametrize(
    "column", [MIXED, MIXED.dictionary_encode(), pa.chunked_array([MIXED.slice(0, 3), MIXED.slice(3)])]
)
def test_cells_know_their_rows(column: pa.Array | pa.ChunkedArray) -> None:
    cells = Cells.of(column)
    assert cells.rows == 7
    assert [places.tolist() for places in cells.places] == [[0, 3], [2, 4, 6]]
    assert cells.by_row(np.array([10, 20]), np.array([1, 2, 3]), np.int64(-1)).tolist() == [10, -1, 1, 20, 2, -1, 3]
    assert cells.as_texts(np.array([6, 1, 3, 0, 4])) == ["x", None, "2.5", "1", "true"]
    assert Cells.of(pa.nulls(2)).as_texts(np.array([1])) == [None]


def test_a_word_among_many_digits_knows_its_row() -> None:
    cells = Cells.of(pa.array([*map(str, range(100)), "x", *map(str, range(100, 200))]))
    assert cells.places[1].tolist() == [100]
    assert cells.as_texts(np.array([99, 100, 101])) == ["99", "x", "100"]
    assert cells.is_number is not None


def test_few_cells_are_told_apart_as_many_are() -> None:
    texts = [*INTEGRAL, *FRACTIONAL, *BOOLEAN, *STRING]
    few, many = Cells.of(pa.array(texts)), Cells.of(pa.array(texts + [f"text {number}" for number in range(10 * FEW)]))
    assert len(texts) <= FEW
    assert many.counts == few.counts | {"String": few.counts["String"] + 10 * FEW}
    assert many.numbers.tolist() == few.numbers.tolist()
    assert many.texts.to_pylist()[: len(few.texts)] == few.texts.to_pylist()
