"""Table files: CSV whose cells stay text, Parquet, JSON Lines; what is none of these is one clear error."""

from io import BytesIO

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from monitor_tasks.tables import files
from monitor_tasks.tables.files import Stored, read_table, table_bytes, write_table
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
        ("t.jsonl", b'{"a": ' + b"[" * 100_000, "not readable as json: too many lists"),
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


TABLE = pa.table(
    {
        "n": pa.array([1, None, 3] * 40_000),
        "s": pa.array(["x", "y", None] * 40_000),
        "t": pa.array([f"{row}" for row in range(120_000)]),
    },
    metadata={"expected_value": "0.25"},
)


def parquet(table: pa.Table, **how: object) -> BytesIO:
    file = BytesIO()
    pq.write_table(table, file, **how)
    return file


def test_a_parquet_file_is_read_in_pieces_of_bounded_size_as_often_as_it_is_asked() -> None:
    stored = Stored.in_file(parquet(TABLE, row_group_size=50_000), "t.parquet")
    assert (stored.column_names, stored.num_columns, stored.num_rows) == (["n", "s", "t"], 3, 120_000)
    for _ in range(2):
        assert stored.whole().equals(TABLE, check_metadata=True)
    found = list(stored.select(["t", "n"]).batches())
    assert [batch.column_names for batch in found] == [["t", "n"]] * len(found)
    assert pa.concat_tables(found).cast(TABLE.select(["t", "n"]).schema).equals(TABLE.select(["t", "n"]))


def test_batches_hold_few_rows_and_repeated_texts_by_a_dictionary(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "CELLS_AT_ONCE", 90_000)
    monkeypatch.setattr(files, "ROWS_AT_ONCE", 1_000)
    stored = Stored.in_file(parquet(TABLE, use_dictionary=["s"]), "t.parquet")
    found = list(stored.batches())
    assert {batch.num_rows for batch in found} == {30_000}
    assert [str(one) for one in found[0].schema.types] == [
        "int64", "dictionary<values=string, indices=int32, ordered=0>", "string",
    ]  # fmt: skip
    assert {batch.num_rows for batch in stored.batches(["t"])} == {90_000, 30_000}


def test_columns_are_selected_and_renamed_as_in_memory() -> None:
    for stored in (Stored.in_file(parquet(TABLE), "t.parquet"), Stored.of(TABLE)):
        renamed = stored.select(["t", "n"]).rename_columns(["a", "b"])
        assert renamed.column_names == ["a", "b"]
        assert renamed.select(["b"]).whole().equals(TABLE.select(["n"]).rename_columns(["b"]))
        assert Stored.of(renamed) is renamed


def test_no_more_is_held_or_read_than_is_asked_for() -> None:
    csv = Stored.in_file(BytesIO(b"a,b\n" + b"1,2\n" * 10), "t.csv")
    for stored in (csv, Stored.in_file(parquet(csv.whole()), "t.parquet")):
        held = stored.held(20)
        assert held is not None
        assert held.num_rows == 10
        assert stored.held(19) is None
        assert [stored.holds(rows) for rows in (0, 10, 11)] == [True, True, False]


@pytest.mark.parametrize(
    ("name", "content"),
    [("t.csv", b"a,b\n"), ("t.parquet", table_bytes(pa.table({"a": pa.array([], pa.int64()), "b": ["x"][:0]})))],
)
def test_no_rows_are_one_empty_piece_with_its_columns(name: str, content: bytes) -> None:
    stored = Stored.in_file(BytesIO(content), name)
    assert [(batch.num_rows, batch.column_names) for batch in stored.batches()] == [(0, ["a", "b"])]
    assert not stored.holds(1)


def test_a_table_without_columns_is_read() -> None:
    for name, content in {"t.parquet": table_bytes(pa.table({})), "t.jsonl": b""}.items():
        stored = Stored.in_file(BytesIO(content), name)
        assert ([batch.num_rows for batch in stored.batches()], stored.column_names) == ([0], [])


CELL = st.text(st.sampled_from('ab,"\n\r é'), max_size=9)


@settings(max_examples=50, deadline=None)
@given(st.lists(st.tuples(CELL, CELL), min_size=1, max_size=30), st.booleans(), st.sampled_from([48, 100, 1 << 20]))
def test_quoted_newlines_of_a_csv_cross_the_borders_of_its_batches(
    rows: list[tuple[str, str]], header: bool, block: int
) -> None:
    quoted = [",".join('"' + cell.replace('"', '""') + '"' for cell in row) for row in [("one", "two")] * header + rows]
    names = ("one", "two") if header else ("_c0", "_c1")
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(files, "LONGEST_ROW", block)
        stored = Stored.in_file(BytesIO("\n".join(quoted).encode()), "t.csv", header=header)
        batches = list(stored.batches())
    expected = [dict(zip(names, (cell or None for cell in row), strict=True)) for row in rows]
    assert pa.concat_tables(batches).to_pylist() == expected
    assert len(batches) > 1 or block > 48 or len(rows) < 12


def test_a_row_of_a_csv_is_not_longer_than_it_may_be(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "LONGEST_ROW", 50)
    with pytest.raises(
        UserError, match=r"t.csv: not readable as csv: its first row is longer than 50 bytes; is a quote"
    ):
        Stored.in_file(BytesIO(b'"a,b\n' + b"1,2\n" * 50), "t.csv")
    with pytest.raises(UserError, match=r"t.csv: not readable as csv: .*straddling"):
        Stored.in_file(BytesIO(b"a,b\n" + b"1,2\n" * 50 + b'"' + b"1,2\n" * 50), "t.csv").whole()


def test_what_is_damaged_inside_is_one_clear_error_when_it_is_read() -> None:
    content = bytearray(parquet(TABLE, compression="zstd").getvalue())
    content[1_000:90_000] = bytes(89_000)
    stored = Stored.in_file(BytesIO(bytes(content)), "t.parquet")
    with pytest.raises(UserError, match=r"^t.parquet: not readable as parquet: [^\n]*$"):
        list(stored.batches())
    late = Stored.in_file(BytesIO(b"a,b\n1,2\n3\n"), "t.csv")
    with pytest.raises(UserError, match=r"^t.csv: not readable as csv: .*Expected 2 columns, got 1"):
        list(late.batches())


def _stored(table: pa.Table) -> Stored:
    file = BytesIO()
    write_table([table], table.schema, file)
    return Stored.in_file(file, "t.parquet")


def test_tables_that_follow_each_other_are_one() -> None:
    first, other = pa.table({"a": ["x"], "b": [1]}), pa.table({"c": ["z", "w"], "a": ["y", None]})
    both = _stored(first).followed([_stored(other)])
    assert both.num_rows == 3
    assert both.whole().to_pydict() == {"a": ["x", "y", None], "b": [1, None, None], "c": [None, "z", "w"]}
    assert [batch.to_pydict() for batch in both.batches(["b"])] == [{"b": [1]}, {"b": [None, None]}]
    assert _stored(first).followed([]).whole() == first


def test_columns_are_appended_in_the_order_of_the_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "CELLS_AT_ONCE", 1)
    monkeypatch.setattr(files, "ROWS_AT_ONCE", 2)
    more = _stored(pa.table({"a": [1, 2, 3]})).appended(
        {"label": pa.array(["x", None, "z"]), "again": pa.array([*"xyz"])}
    )
    assert len(list(more.batches())) == 2
    assert more.whole().to_pydict() == {"a": [1, 2, 3], "label": ["x", None, "z"], "again": ["x", "y", "z"]}
    assert pa.concat_tables(more.batches(["label"])).to_pydict() == {"label": ["x", None, "z"]}
    assert pa.concat_tables(more.batches(["again", "a"])).to_pydict() == {"again": ["x", "y", "z"], "a": [1, 2, 3]}
