"""Table files: CSV whose cells stay text, Parquet, JSON Lines; what is none of these is one clear error."""

import pyarrow as pa
import pytest

from monitor_tasks.tables.files import read_table, table_bytes
from monitor_tasks.value import UserError


@pytest.mark.parametrize(
    ("content", "table"),
    [
        (b"a,b\n1,x\n", {"a": ["1"], "b": ["x"]}),
        (b"a,b\r\n1,x\r\n", {"a": ["1"], "b": ["x"]}),
        (b"\xef\xbb\xbfa,b\n1,x", {"a": ["1"], "b": ["x"]}),
        (b"\na,b\n1,x\n\n2,y\n", {"a": ["1", "2"], "b": ["x", "y"]}),
        (b"a,b\n3.0,3\n98765432109876543210,NaN\n", {"a": ["3.0", "98765432109876543210"], "b": ["3", "NaN"]}),
        (b'a,b\n,""\nNULL,NA\n', {"a": [None, "NULL"], "b": [None, "NA"]}),
        (b'"a,b",c\n"two\nlines","say ""hi"""\n', {"a,b": ["two\nlines"], "c": ['say "hi"']}),
        (b'"two\nlines",c\n1,2\n', {"two\nlines": ["1"], "c": ["2"]}),
        (b"a,b\n", {"a": [], "b": []}),
        (b"a,b", {"a": [], "b": []}),
        (b",b\n1,2\n", {"": ["1"], "b": ["2"]}),
    ],
)
def test_csv_with_a_header(content: bytes, table: dict[str, list[str]]) -> None:
    found = read_table(content, "t.csv")
    assert found.to_pydict() == table
    assert set(found.schema.types) == {pa.string()}


@pytest.mark.parametrize(
    ("content", "table"),
    [
        (b"1,x\n2,y\n", {"_c0": ["1", "2"], "_c1": ["x", "y"]}),
        (b"1,x", {"_c0": ["1"], "_c1": ["x"]}),
        (b"1,1\n", {"_c0": ["1"], "_c1": ["1"]}),
        (b'"two\nlines",x\n', {"_c0": ["two\nlines"], "_c1": ["x"]}),
        (b"\xef\xbb\xbf1,\n", {"_c0": ["1"], "_c1": [None]}),
    ],
)
def test_csv_without_a_header(content: bytes, table: dict[str, list[str]]) -> None:
    assert read_table(content, "t.csv", header=False).to_pydict() == table


def test_json_lines_keep_the_digits_of_their_numbers() -> None:
    content = b'{"a": 1, "b": "x"}\r\n\n{"a": 1.0, "c": NaN}\n{"a": 98765432109876543210, "b": null, "c": true}'
    assert read_table(content, "t.jsonl").to_pydict() == {
        "a": ["1", "1.0", "98765432109876543210"],
        "b": ["x", None, None],
        "c": [None, "NaN", "true"],
    }


def test_parquet_keeps_its_types() -> None:
    table = pa.table({"a": [1, None], "b": [1.5, 2.5], "c": ["x", None]})
    assert read_table(table_bytes(table), "t.parquet") == table
    assert table_bytes(table) == table_bytes(table.slice(0))


def test_the_kind_may_be_told() -> None:
    assert read_table(b"a\n1\n", "data", "csv").to_pydict() == {"a": ["1"]}
    assert read_table(b'{"a": 1}', "t.csv", "json").to_pydict() == {"a": ["1"]}


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("t.csv", b"", "not readable as csv: the file is empty"),
        ("t.csv", b"\n\n", "not readable as csv: the file is empty"),
        ("t.csv", b"a,b\n1\n", "Expected 2 columns, got 1"),
        ("t.csv", b"a,b\n1,\xff\n", "invalid UTF8"),
        ("t.csv", b"a,b,a\n1,2,3\n", "column 'a' stands there twice"),
        ("t.csv", b",\n1,2\n", "column '' stands there twice"),
        ("t.jsonl", b"{", "not readable as json"),
        ("t.jsonl", b"[1]\n", "expected one object a line"),
        ("t.jsonl", b"\xff", "not readable as json"),
        ("t.jsonl", b'{"a": "\\ud800"}', "not readable as json"),
        ("t.jsonl", b'{"a": ' + b"[" * 100_000, "not readable as json: maximum recursion"),
        ("t.parquet", b"", "not readable as parquet"),
        ("t.parquet", b"PAR1nonsensePAR1", "not readable as parquet"),
        ("t.xlsx", b"x", "unknown kind of table; name it .csv, .parquet or .jsonl"),
        ("t", b"x", "unknown kind of table"),
    ],
)
def test_what_is_no_table_is_one_clear_error(name: str, content: bytes, message: str) -> None:
    with pytest.raises(UserError, match=rf"^{name}: [^\n]*$") as caught:
        read_table(content, name)
    assert message in str(caught.value)


def test_an_unknown_kind_is_refused() -> None:
    with pytest.raises(UserError, match="unknown kind"):
        read_table(b"a\n1\n", "t.csv", "xml")
