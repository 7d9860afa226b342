"""Records of a known shape are read together, and the outcome is what reading each by itself gives."""

import base64
import json
import random
from time import sleep
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from monitor_tasks.tables import captured as captured_module
from monitor_tasks.tables import lines as lines_module
from monitor_tasks.tables import pieces, readings, shapes
from monitor_tasks.tables.csv_shapes import Csv
from monitor_tasks.tables.readings import Span
from monitor_tasks.window import Window
from tests.tables.samples import captured, cells, every_way, of_json, record, told, written

HOUR = Window.parse("2026-01-01T00:00:00Z/PT1H")


@pytest.fixture(params=[True, False], ids=["together", "alone"])
def together(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> bool:
    monkeypatch.setattr(readings, "FEW", 1 if request.param else 10**9)
    return bool(request.param)


TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=6)
PLAIN = st.one_of(
    st.integers().map(str), st.floats().map(repr), st.sampled_from(["", "a", "NaN", "null", " ", "-", "é"])
)
QUOTED = TEXT.map(lambda text: '"' + text.replace('"', '""') + '"')
TAIL = st.sampled_from(["", "\n", "\r\n", "\n\n", "\r", " "])
CSV = st.builds(
    lambda row, tail: ",".join(row) + tail, st.lists(st.one_of(PLAIN, QUOTED), min_size=1, max_size=3), TAIL
)
SCALAR = st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), TEXT)
FLAT = st.dictionaries(st.sampled_from(["a", "b", "finance", "é", "input.a", "@time"]), SCALAR, min_size=1)
ROWS = st.builds(
    lambda key, rows: {key: rows}, st.sampled_from(["instances", "predictions", "features"]), st.lists(SCALAR)
)
NESTED = st.recursive(
    SCALAR, lambda one: st.one_of(st.lists(one), st.dictionaries(st.sampled_from("ab"), one)), max_leaves=5
)
JSON = st.builds(
    lambda value, separators, tail: json.dumps(value, separators=separators) + tail,
    st.one_of(FLAT, ROWS, NESTED),
    st.sampled_from([(",", ":"), (", ", ": "), (" , ", " : ")]),
    TAIL,
)
ODD_JSON = st.sampled_from(
    [
        *('{"a": nan}', '{"a": -inf}', '{"a": 1,}', '{"a": 01}', '{"a": 1.}', '{"a": .5}', '{"a": +1}', '{"A": 1}'),
        *('{"a": 1e5}', '{"a": 0.10}', '{"a":  1}', '{"a": 1 }', '{"a": "1", "a": 2}', "[1]", "[[1], [2]]"),
        *('{"a": 1}{"a": 2}', '{"a": 1}\n{"a": 2}'),
    ]
)


@st.composite
def payloads(draw: Any) -> dict[str, Any]:
    kind = draw(st.sampled_from(["CSV", "JSON"]))
    data = draw(CSV if kind == "CSV" else st.one_of(JSON, ODD_JSON))
    form = {"observedContentType": draw(st.sampled_from([f"text/{kind.lower()}", None])), "mode": "INPUT"}
    if draw(st.integers(0, 4)) == 0:
        encoded = base64.b64encode(data.encode()).decode()
        return {**form, "data": draw(st.sampled_from([encoded, encoded + "=", encoded[:-1]])), "encoding": "BASE64"}
    return {**form, "data": draw(st.one_of(*[st.just(data)] * 9, SCALAR)), "encoding": kind}


@st.composite
def records(draw: Any) -> bytes:
    """A line that is a record, or nearly one."""
    sides = {key: draw(payloads()) for key in ("endpointInput", "endpointOutput")}
    for key in draw(st.sampled_from([(), (), (), ("endpointInput",), ("endpointOutput",)])):
        del sides[key]
    metadata = {
        "eventId": draw(st.sampled_from(["a", "b", "c", "é", "", 7, "\n"])),
        "inferenceTime": draw(st.sampled_from(MOMENTS)),
    }
    more = draw(
        st.sampled_from(
            [{}, {}, {"inferenceId": "x"}, {"inferenceId": 1}, {"customAttributes": ["n=1", 'm="2"', "n=3"]}]
        )
    )
    whole = {"captureData": sides, "eventMetadata": {**metadata, **more}, "eventVersion": "0", **draw(EXTRA)}
    line = json.dumps(
        whole, ensure_ascii=draw(st.booleans()), separators=draw(st.sampled_from([(",", ":"), (", ", ": ")]))
    )
    odd = draw(
        st.sampled_from(
            [None] * 9
            + [('"eventId"', '"eventId": "z", "eventId"'), ("}", ",}"), ("eventId", "EventId"), ('"0"', "NaN")]
        )
    )
    return (line if odd is None else line.replace(*odd)).encode(errors="replace")


MOMENTS = (
    *("2026-01-01T00:10:00Z", "2026-01-01T00:20:00Z", "2026-01-01T02:00:00Z", "2026-01-01T00:10:60Z", "now", 20260101),
    *(
        "2026-01-01T00:10:00.25Z",
        "2026-01-01T01:20:00+01:00",
        "2026-01-01",
        "20260101T001000Z",
        "9999-12-31T23:59:59-23:00",
    ),
)
EXTRA = st.sampled_from([{}, {}, {"more": 1.5}, {"more": "x"}, {"more": [1, {"data": 2}]}, {"data": "x"}])
HOW = st.sampled_from(
    [
        {},
        {"split_rows": True},
        {"capture_options": ("Input",)},
        {"custom_attributes": ("n", "m")},
        {"features_attribute": "a"},
        {"features_attribute": "instances[?@ > `1`]", "split_rows": True},
        {"output_attributes": {"x": "a", "y": "b"}},
    ]
)


@given(st.lists(records(), min_size=1, max_size=4), st.integers(1, 3), HOW, st.sampled_from([Span(), Span(HOUR)]))
def test_reading_together_gives_what_reading_alone_gives(
    lines: list[bytes], times: int, how: dict[str, Any], span: Span
) -> None:
    cut, parsed, alone = map(told, every_way(lines * times, span, **how))
    assert cut == alone
    assert parsed == alone


ODD_LINES = {
    "a carriage return behind": b"%b\r",
    "two of them": b"%b\r\r",
    "one before": b"\r%b",
    "one within": b"%b\r%b",
    "a byte order mark": b"\xef\xbb\xbf%b",
    "blanks": b" %b\t",
    "a comma": b"%b,",
    "a null": b"%b\0",
    "a letter": b"%bx",
}


@pytest.mark.parametrize("odd", ODD_LINES.values(), ids=ODD_LINES)
@pytest.mark.parametrize("which", [slice(None), slice(0, 1), slice(None, None, 3)], ids=["all", "first", "third"])
def test_what_stands_around_a_record_is_read_as_it_is_alone(odd: bytes, which: slice) -> None:
    lines = [record(str(n), f"{n},2") for n in range(9)]
    lines[which] = [odd.replace(b"%b", line[: len(line) // odd.count(b"%b")]) for line in lines[which]]
    cut, parsed, alone = map(told, every_way(lines, Span()))
    assert cut == parsed == alone


@pytest.mark.parametrize("tail", ["", "\\n", "\\r\\n"])
@pytest.mark.parametrize("encoding", ["CSV", "JSON", "BASE64 of CSV", "BASE64 of JSON"])
def test_a_payload_is_the_same_however_it_is_read(encoding: str, tail: str) -> None:
    """Of two records of one id, one is cut and one, in other words, is parsed or read alone: they do not conflict."""
    lines = [written([str(n), "w", "-1"], encoding).replace(b'"0.5"', f'"0.5{tail}"'.encode()) for n in range(9)]
    again = [json.dumps(json.loads(line), indent=None, separators=(",", ":")).encode() for line in lines]
    other = [line.replace(b'"0.5', b'"0.7') for line in again[:2]]
    for found in every_way([*lines, *again[2:], *other], Span()):
        assert found.ledger.totals["duplicate"] == 9
        assert found.ledger.conflicts == 2


@pytest.mark.parametrize("length", range(20, 24))
def test_a_complaint_that_is_cut_within_a_character_is_one(length: int) -> None:
    """DuckDB quotes the beginning of the object that lacks a key, by bytes."""
    lines = [json.loads(record("x" * length + "é" * 30)) for _ in range(5)]
    for number, line in enumerate(lines):
        line["eventMetadata"]["eventId"] += str(number)
        line["captureData"]["endpointInput"]["data"] = f'"{number}",2'
    del lines[2]["eventMetadata"]["inferenceTime"]
    written = [
        json.dumps(line, ensure_ascii=False, separators=(", ", ": "[number % 2 :])).encode()
        for number, line in enumerate(lines)
    ]
    cut, parsed, alone = map(told, every_way(written, Span()))
    assert cut == parsed == alone


CELL = st.one_of(st.floats(allow_nan=False).map(repr), st.integers().map(str), st.sampled_from(["a", "é", "x y"]))
ENCODINGS = ("CSV", "JSON", "BASE64 of CSV", "BASE64 of JSON")


@settings(max_examples=15)
@given(st.lists(st.lists(CELL, min_size=3, max_size=3), min_size=1, max_size=5))
def test_the_same_rows_through_every_encoding_give_the_same_table(rows: list[list[str]]) -> None:
    names = {"output_names": ("p",), "input_names": ("x", "y", "z")}
    tables = []
    for encoding in ENCODINGS:
        for found in every_way([written(row, encoding) for row in rows], Span(), **names):
            assert found.ledger.totals["quarantined"] == 0
            tables.append(found.table)
    assert all(table == tables[0] for table in tables)
    mixed = [written(row, encoding) for row in rows for encoding in ENCODINGS]
    for found in every_way(mixed, Span(), **names):
        assert cells(found) == cells_of(tables[0])


def cells_of(table: Any) -> dict[str, list[str | None]]:
    return {name: table[name].to_pylist() for name in table.column_names if not name.startswith("@")}


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_records_of_one_shape_are_never_read_alone(monkeypatch: pytest.MonkeyPatch, encoding: str) -> None:
    def alone(*_: Any) -> None:
        raise AssertionError("a record was read by itself")

    monkeypatch.setattr(readings, "identified", alone)
    lines = [written([f"{n}.5", f"w{n % 3}", str(-n)], encoding) for n in range(600)]
    found = captured(*lines, output_names=("p",), input_names=("x", "y", "z"))
    assert cells(found)["x"] == [f"{n}.5" for n in range(600)]
    assert cells(found)["y"] == [f"w{n % 3}" for n in range(600)]


@pytest.mark.parametrize("ends", ["", "\n", "\r\n"])
@pytest.mark.parametrize("encoding", ENCODINGS)
def test_records_written_alike_are_cut_without_a_parser(
    monkeypatch: pytest.MonkeyPatch, encoding: str, ends: str
) -> None:
    """The first line teaches; what is escaped in a line, and attributes that change, are cut as well."""

    def parsed(*_: Any) -> None:
        raise AssertionError("a record was parsed")

    lines = []
    for n in range(600):
        line = json.loads(written([f"{n}.5", f"w{n % 3}", str(-n)], encoding))
        line["captureData"]["endpointOutput"]["data"] += ends
        told = [f"team=t{n}", f"latency_ms={n}", f'tags={n},"y",{n}']
        line["eventMetadata"] |= {"inferenceId": f"i{n}", "customAttributes": told}
        lines.append(json.dumps(line).encode())
    monkeypatch.setattr(readings, "identified", parsed)
    monkeypatch.setattr(shapes.Shape, "read", parsed)
    asked = ("latency_ms", "tags")
    found = captured(*lines, output_names=("p",), input_names=("x", "y", "z"), custom_attributes=asked)
    assert cells(found)["x"] == [f"{n}.5" for n in range(600)]
    assert cells(found)["latency_ms"] == [str(n) for n in range(600)]
    assert cells(found)["tags"] == [f'{n},"y",{n}' for n in range(600)]
    assert found.table["@inference_id"].to_pylist() == [f"i{n}" for n in range(600)]


@pytest.mark.parametrize(("has_gaps", "fits"), [(False, "x.....x."), (True, "x..x..xx")])
def test_lines_of_csv_are_read_once_whichever_of_them_fit(
    monkeypatch: pytest.MonkeyPatch, has_gaps: bool, fits: str
) -> None:
    """A cell too many or too few, an empty one, quotes, and the end of a line within: the others' cells are found."""
    passes = list[object]()

    def counted(*arguments: Any) -> Any:
        passes.append(arguments)
        return read(*arguments)

    read = pieces._read
    monkeypatch.setattr(pieces, "_read", counted)
    lines = ["1,2\n", "1,2,3\n", "1\n", "1,\n", '1,"2"\n', "1,2\r\n", "x,y\n", ",2\n"]
    found, mask = Csv(2, has_gaps, has_quotes=False).taken(pa.chunked_array([lines]))
    assert mask.tolist() == [mark == "x" for mark in fits]
    rows = [line.rstrip().split(",") for line, mark in zip(lines, fits, strict=True) if mark == "x"]
    assert [column.to_pylist() for column in found] == [[row[n] or None for row in rows] for n in (0, 1)]
    assert len(passes) == 1


def test_of_lines_of_csv_none_may_fit() -> None:
    for lines in (["1\n", "2\n"], ['"1",2\n'], []):
        found, mask = Csv(2, has_gaps=False, has_quotes=False).taken(pa.chunked_array([lines], pa.string()))
        assert [column.to_pylist() for column in found] == [[], []]
        assert mask.tolist() == [False] * len(lines)


@pytest.mark.parametrize("size", [1, 1000])
def test_lines_are_cut_alike_however_many_bytes_are_looked_at_together(
    monkeypatch: pytest.MonkeyPatch, size: int
) -> None:
    lines = [of_json(f'{{"a": {n}, "b": "{"xyz"[n % 3] * n}", "c": {"null" if n % 5 else n}}}') for n in range(300)]
    lines[100], lines[200] = b"{", lines[200].replace(b"}", b",}", 1)
    found = told(captured(*lines))
    monkeypatch.setattr(pieces, "BLOCK", size)
    assert told(captured(*lines)) == found


def test_a_csv_reader_reads_what_is_in_quotes(together: bool) -> None:
    rows = ['1,"a, b"', '2,"say ""hi"""', '"3",c', '4,""', '5,"x"', "6,y"] * 30
    lines = [record(str(n), row, "0.5\n") for n, row in enumerate(rows)]
    lines.append(record("two lines", '7,"two\nlines"'))
    found = captured(*lines)
    assert cells(found)["_c1"] == [*("1", "2", "3", "4", "5", "6") * 30, "7"]
    assert cells(found)["_c2"] == [*("a, b", 'say "hi"', "c", None, "x", "y") * 30, "two\nlines"]


def test_several_rows_are_one_by_default_as_sagemaker_has_it(together: bool) -> None:
    batched = [record(f"b{n}", f"1,2\n3,{n}\n", "0.1\n0.2") for n in range(5)]
    single = [record(f"s{n}") for n in range(3)]
    found = captured(*batched, *single)
    assert cells(found) == {"_c0": ["0.1"] * 5}
    assert [one.reason for one in found.quarantine()] == ["column_count"] * 3
    fewer = captured(*batched[:2], *single)
    assert [one.reason for one in fewer.quarantine()] == ["several_rows"] * 2
    assert cells(fewer)["_c0"] == ["0.5"] * 3


def test_rows_are_split_on_demand(together: bool) -> None:
    lines = [
        *(record(f"c{n}", f"1,2\n3,{n}\n", "0.1\n0.2") for n in range(3)),
        of_json({"instances": [[5, 6], [7, 8]]}, event_id="j", outputs="0.3\n0.4\n"),
        of_json(
            {"instances": [{"features": [9, 10]}]}, event_id="f", outputs='{"predictions": [0.5]}', outputs_as="JSON"
        ),
        of_json("[11, 12]\n[13, 14]", event_id="l", outputs="0.6\n0.7\n"),
    ]
    found = captured(*lines, split_rows=True)
    assert cells(found) == {
        "_c0": ["0.1", "0.2"] * 3 + ["0.3", "0.4", "0.5", "0.6", "0.7"],
        "_c1": ["1", "3"] * 3 + ["5", "7", "9", "11", "13"],
        "_c2": ["2", "0", "2", "1", "2", "2", "6", "8", "10", "12", "14"],
    }
    assert found.table["@row"].to_pylist() == [0, 1] * 4 + [0, 0, 1]
    assert found.ledger.totals["used"] == 6
    uneven = captured(record("a", "1,2\n3,4\n", "0.5"), split_rows=True)
    assert [one.reason for one in uneven.quarantine()] == ["row_count"]


def test_jmespath_finds_features_and_answers(together: bool) -> None:
    lines = [
        of_json(
            {"rows": [{"x": [n, 2.0]}, {"x": [n, 4.0]}]},
            event_id=str(n),
            outputs=json.dumps({"out": [{"label": "a", "p": 0.5}, {"label": "b", "p": n / 8}]}),
            outputs_as="JSON",
        )
        for n in range(4)
    ]
    paths = {"features_attribute": "rows[*].x", "output_attributes": {"label": "out[*].label", "score": "out[*].p"}}
    found = captured(*lines, split_rows=True, **paths)
    assert cells(found) == {
        "label": ["a", "b"] * 4,
        "score": [text for n in range(4) for text in ("0.5", str(n / 8))],
        "_c0": [text for n in range(4) for text in (str(n), str(n))],
        "_c1": ["2.0", "4.0"] * 4,
    }
    nothing = captured(of_json({"x": 1}), features_attribute="rows")
    assert [one.explanation for one in nothing.quarantine()] == ["endpointInput: 'rows' finds nothing in data"]


def test_custom_attributes_are_columns_on_demand(together: bool) -> None:
    lines = [record(str(n), customAttributes=[f"latency_ms={n}", "x", "latency_ms=2.5"]) for n in range(3)]
    lines.append(record("none"))
    found = captured(*lines, custom_attributes=("latency_ms", "_c1"))
    assert cells(found)["latency_ms"] == ["2.5", "2.5", "2.5", None]
    assert cells(found)["attribute._c1"] == [None] * 4


def test_components_and_inference_ids_are_columns(together: bool) -> None:
    found = captured(*(record(str(n), inferenceId=f"i{n}", inferenceComponentName="c") for n in range(3)))
    assert found.table["@inference_id"].to_pylist() == ["i0", "i1", "i2"]
    assert found.table["@component"].to_pylist() == ["c"] * 3


def test_names_of_inputs_never_hide_each_other(together: bool) -> None:
    lines = [of_json({"a": 1, "input.a": 2}, event_id=str(n), outputs='{"a": 3}', outputs_as="JSON") for n in range(3)]
    assert cells(captured(*lines)) == {"a": ["3"] * 3, "input.a": ["2"] * 3, "input.input.a": ["1"] * 3}


@pytest.mark.parametrize(
    ("inputs", "outputs"),
    [
        ({"a": 1, "input.a": 2}, {"a": 3, "input.a": 4}),
        ({"@time": 1, "input@time": 2}, {"@line": 3, "input@line": 4}),
        ({"@a": 1, "input@a": 2, "input.input@a": 3}, {"input@a": 4}),
    ],
)
def test_no_cell_is_lost_under_the_name_of_another(
    inputs: dict[str, int], outputs: dict[str, int], together: bool
) -> None:
    lines = [of_json(inputs, event_id=str(n), outputs=json.dumps(outputs), outputs_as="JSON") for n in range(3)]
    found = cells(captured(*lines))
    assert sorted(column[0] or "" for column in found.values()) == ["1", "2", "3", "4"]


def test_no_threads_haste_changes_what_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """More widths than may be read alone: what is read together decides what goes to quarantine."""
    chance, read = random.Random(3), readings.Reader.read
    lines = [record(f"{n}", ",".join("1" * (1 + (n + n // 100) % 20))) for n in range(900)]
    monkeypatch.setattr(lines_module, "LINES", 100)
    for room in (readings, captured_module):
        monkeypatch.setattr(room, "SHAPES", 6)
    monkeypatch.setattr(readings, "FEW", 2)
    monkeypatch.setattr(readings, "FORMS", 8)

    def hasty(*args: Any) -> readings.Reading:
        sleep(chance.random() / 50)
        return read(*args)

    monkeypatch.setattr(readings.Reader, "read", hasty)
    outcomes = [told(captured(*lines)) for _ in range(6)]
    assert all(one == outcomes[0] for one in outcomes)


def test_every_way_to_write_a_moment_is_read_with_the_others(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(readings.Reader, "_single", lambda *_: pytest.fail("a record was read by itself"))
    times = [f"2026-01-01T00:{n % 60:02}:00{('Z', '.000125Z', '+00:00')[n % 3]}" for n in range(999)]
    found = captured(*(record(str(n), "1,2", time=time) for n, time in enumerate(times)))
    assert found.ledger.totals["used"] == 999
    assert [one.microsecond for one in found.table["@time"].to_pylist()] == [0, 125, 0] * 333


def test_what_the_first_record_teaches_is_learned_once(monkeypatch: pytest.MonkeyPatch) -> None:
    learned, of = list[str](), shapes.Shape.of
    monkeypatch.setattr(shapes.Shape, "of", lambda line, *more: learned.append(line) or of(line, *more))
    monkeypatch.setattr(lines_module, "LINES", 500)
    assert captured(*(record(str(n), f"{n},{n % 7}") for n in range(5000))).ledger.totals["used"] == 5000
    assert len(learned) == 1


def test_blocks_make_no_difference(monkeypatch: pytest.MonkeyPatch) -> None:
    chance = random.Random(7)
    lines = [
        record(str(chance.randrange(900)), f"{n},{n % 7}", time=f"2026-01-01T00:{n % 60:02}:00Z") for n in range(1000)
    ]
    lines += [b"{", record("x", "1"), of_json({"a": 1, "b": 2}, event_id="z"), record("y", '"a,b",c')]
    chance.shuffle(lines)
    whole = told(captured(*lines))
    monkeypatch.setattr(lines_module, "BLOCK", 20_000)
    parts = captured(*lines)
    assert parts.table == captured(*lines).table
    assert told(parts)[1:] == whole[1:]
    monkeypatch.setattr(lines_module, "LINES", 17)
    assert told(captured(*lines))[1:] == whole[1:]
