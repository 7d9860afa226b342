"""From objects to the captured table: whatever the order, one row per prediction."""

import gzip
import random
from collections.abc import Sequence

from hypothesis import given, settings
from hypothesis import strategies as st

from monitor_tasks.tables.captured import METADATA, capture
from monitor_tasks.tables.files import table_bytes
from monitor_tasks.tables.ledger import Place
from monitor_tasks.tables.lines import in_memory
from monitor_tasks.tables.readings import Span
from monitor_tasks.window import Window, parse_time
from tests.tables.samples import captured, cells, objects, of_json, reasons, record

HOUR = Window.parse("2026-01-01T00:00:00Z/PT1H")


def test_outputs_come_first_and_rows_stand_in_order_of_object_and_line() -> None:
    found = capture(objects(("b", [record("3")]), ("a", [record("2"), b"", record("1", "7,8", "0.1")])))
    assert found.table.schema.names == [*METADATA.names, "_c0", "_c1", "_c2"]
    assert found.table["@event_id"].to_pylist() == ["2", "1", "3"]
    assert list(zip(found.table["@object"].to_pylist(), found.table["@line"].to_pylist(), strict=True)) == [
        *(("a", 1), ("a", 3), ("b", 1)),
    ]
    assert cells(found) == {"_c0": ["0.5", "0.1", "0.5"], "_c1": ["1", "7", "1"], "_c2": ["2", "8", "2"]}
    assert set(found.table["@time"].to_pylist()) == {parse_time("2026-01-01T00:10:00Z")}


def test_nothing_is_a_table_without_rows() -> None:
    assert capture([]).table.schema == METADATA
    named = captured(b"", output_names=("p",), input_names=("x",))
    assert (named.table.num_rows, named.table.schema.names[len(METADATA) :]) == (0, ["p", "x"])


def test_marks_ends_of_lines_and_blank_lines_do_not_matter() -> None:
    one, two = record("a"), record("b", "3,4")
    plain = captured(one, two)
    for content in (
        b"\xef\xbb\xbf" + one + b"\n" + two + b"\n",
        one + b"\r\n" + two + b"\r\n",
        one + b"\n" + two + b"\n  \n\n",
    ):
        other = capture(in_memory([("o.jsonl", content)]))
        assert (other.table, other.ledger.totals) == (plain.table, plain.ledger.totals)
    spaced = capture(in_memory([("o.jsonl", b"\n\n" + one + b"\n \t\r\n" + two)]))
    assert (cells(spaced), spaced.table["@line"].to_pylist()) == (cells(plain), [3, 5])


def test_places_are_byte_offsets() -> None:
    found = capture(in_memory([("o", b"\xef\xbb\xbf{\n\r\n" + record() + b"\n{")]))
    assert [one.place for one in list(found.quarantine())] == [Place("o", 1, 0), Place("o", 4, 8 + len(record()))]


def test_a_gzip_is_read_as_far_as_it_goes() -> None:
    packed = gzip.compress(b"".join(record(str(n)) + b"\n" for n in range(9)))
    assert capture(in_memory([("o.jsonl.gz", packed)])).table.num_rows == 9
    assert capture(in_memory([("o.jsonl.gz", packed + packed)])).ledger.totals["duplicate"] == 9
    assert capture(in_memory([("o.jsonl.gz", b"")])).ledger.totals["read"] == 0
    for damaged in (packed[:-9], packed[:5], record(), packed[:40] + b"\0\0\0" + packed[43:]):
        found = capture(in_memory([("o.jsonl.gz", damaged), ("p.jsonl", record("x"))]))
        assert reasons(found)[-1:] == ["damaged_gzip"]
        assert "x" in found.table["@event_id"].to_pylist()
        assert found.ledger.totals["read"] == found.table.num_rows + len(reasons(found))


def test_a_gzip_that_unfolds_too_far_is_given_up() -> None:
    bomb = gzip.compress(record() + b"\n" + b" " * 50_000_000)
    found = capture(in_memory([("o.jsonl.gz", bomb)]))
    assert (found.table.num_rows, reasons(found)) == (1, ["gzip_bomb"])


def test_event_time_decides_what_lies_in_the_window() -> None:
    times = ("2025-12-31T23:59:59Z", "2026-01-01T00:00:00Z", "2026-01-01T00:59:59Z", "2026-01-01T01:00:00Z")
    found = captured(*(record(time, time=time) for time in times), span=Span(HOUR))
    assert found.table["@event_id"].to_pylist() == list(times[1:3])
    assert found.ledger.totals == {"read": 4, "used": 2, "quarantined": 0, "duplicate": 0, "out_of_window": 2}


def test_an_unreadable_record_is_quarantined_in_one_window_only() -> None:
    other = {"time": "2026-01-01T01:00:00Z"}
    lines = [record(outputs=None), record(outputs=None, **other), record(time="{%s}"), b"{"]
    own = capture(objects(("own", lines)), span=Span(HOUR))
    assert reasons(own) == ["no_output", "unparsable_time", "not_json"]
    next_door = capture(objects(("next", lines)), span=Span(HOUR, frozenset(["next"])))
    assert reasons(next_door) == ["no_output"]
    assert next_door.ledger.totals["out_of_window"] == 3


def test_a_repeated_record_counts_once_and_another_under_its_id_is_a_conflict() -> None:
    late = {"time": "2026-01-01T00:20:00Z"}
    found = captured(record("a", "9,9", **late), record("a"), record("a"), record("b"))
    assert (cells(found)["_c1"], found.table["@line"].to_pylist()) == (["1", "1"], [2, 4])
    assert (found.ledger.totals["duplicate"], found.ledger.conflicts) == (2, 1)


@settings(max_examples=25)
@given(st.randoms(use_true_random=False))
def test_the_order_of_objects_does_not_matter(chance: random.Random) -> None:
    lines = [
        *(record(str(n % 7), f"{n},{n}", time=f"2026-01-01T00:{n % 3:02}:00Z") for n in range(20)),
        *(b"{", record("x", "1"), record("y", time="2026-01-01T02:00:00Z"), of_json({"a": 1, "b": 2}, event_id="z")),
    ]
    parts = [(f"o{n}", b"\n".join(lines[n::5])) for n in range(5)]
    usual = capture(in_memory(parts), span=Span(HOUR))
    turned = capture(in_memory(chance.sample(parts, len(parts))), span=Span(HOUR))
    assert table_bytes(turned.table) == table_bytes(usual.table)
    assert turned.ledger.to_json() == usual.ledger.to_json()
    assert sorted(turned.quarantine()) == sorted(usual.quarantine())


@settings(max_examples=25)
@given(st.permutations(range(12)))
def test_the_order_of_lines_changes_only_their_numbers(order: Sequence[int]) -> None:
    lines = [record(str(n % 5), f"{n},{n}", time=f"2026-01-01T00:{n:02}:00Z") for n in range(11)]
    lines.append(record("0", "0,0", time="2026-01-01T00:00:00Z"))
    usual, turned = captured(*lines), captured(*(lines[n] for n in order))
    columns = ["@event_id", "_c0", "_c1", "_c2"]
    assert turned.table.select(columns).sort_by("@event_id") == usual.table.select(columns).sort_by("@event_id")
    assert (turned.ledger.totals, turned.ledger.conflicts) == (usual.ledger.totals, usual.ledger.conflicts)


def test_a_record_with_other_columns_is_quarantined_and_moves_nobody() -> None:
    good = [record(str(n)) for n in range(3)]
    for odd in (record("x", "1,2,3"), record("x", "1,2", "0.5,0.6"), record("x", "2", "0.5,1")):
        found = captured(*good, odd, output_names=("p",), input_names=("x", "y"))
        assert reasons(found) == ["column_count"]
        assert cells(found) == {"p": ["0.5"] * 3, "x": ["1"] * 3, "y": ["2"] * 3}
    assert "2 output and 1 input cells" in next(iter(found.quarantine())).explanation


def test_of_equally_many_widths_the_larger_is_usual() -> None:
    assert reasons(captured(record("a", "1"), record("b", "1,2"))) == ["column_count"]
    assert list(cells(captured(record("a", "1"), record("b", "1,2")))) == ["_c0", "_c1", "_c2"]


def test_a_side_that_some_records_lack_is_missing_there() -> None:
    found = captured(
        record("a"), record("b", outputs=None), output_names=("p",), input_names=("x", "y"), capture_options=("Input",)
    )
    assert cells(found) == {"p": ["0.5", None], "x": ["1", "1"], "y": ["2", "2"]}
    assert cells(captured(record("a"), record("b", outputs=None), capture_options=("Input",)))["_c1"] == ["1", "1"]
    only = captured(record("a", outputs=None), output_names=("p",), input_names=("x", "y"), capture_options=("Input",))
    assert cells(only) == {"p": [None], "x": ["1"], "y": ["2"]}


def test_flat_json_may_leave_keys_out() -> None:
    lines = [record("a", None, '{"z": 1}', outputs_as="JSON"), record("b", None, '{"z": 1, "y": 2}', outputs_as="JSON")]
    assert cells(captured(*lines, capture_options=("Output",))) == {"y": [None, "2"], "z": ["1", "1"]}


def test_names_put_csv_and_json_into_the_same_columns() -> None:
    lines = [record("a"), record("b", '{"y": 4, "x": 3}', '{"p": 0.1}', inputs_as="JSON", outputs_as="JSON")]
    found = captured(*lines, output_names=("p",), input_names=("x", "y"))
    assert cells(found) == {"p": ["0.5", "0.1"], "x": ["1", "3"], "y": ["2", "4"]}
    inputs = captured(*lines[:1], input_names=("x", "y"))
    assert cells(inputs) == {"_c0": ["0.5"], "x": ["1"], "y": ["2"]}


def test_names_that_do_not_fit_leave_positions() -> None:
    assert list(cells(captured(record(), output_names=("p",), input_names=("x",)))) == ["_c0", "_c1", "_c2"]


def test_outputs_come_before_inputs_whatever_their_names() -> None:
    line = record("a", '{"a": 1, "b": 2}', '{"z": 0.5}', inputs_as="JSON", outputs_as="JSON")
    assert list(cells(captured(line))) == ["z", "a", "b"]
    assert list(cells(captured(record("a", "1,2", '{"z": 0.5}', outputs_as="JSON")))) == ["z", "_c0", "_c1"]


def test_positions_stand_in_order_of_their_number() -> None:
    found = cells(captured(record("a", ",".join(str(n) for n in range(1, 12)), "0")))
    assert [(name, value) for name, (value,) in found.items()] == [(f"_c{n}", str(n)) for n in range(12)]


def test_names_that_only_look_like_ours() -> None:
    strange = {"@time": 1, "_c²": 2, "_c01": 3, "_c1": 4, "_c" + "9" * 5000: 5, "": 6}
    found = captured(of_json(strange, outputs='{"p": 1}', outputs_as="JSON"))
    assert found.table["@time"].to_pylist() == [parse_time("2026-01-01T00:10:00Z")]
    assert cells(found) == {
        "p": ["1"],
        "_c01": ["3"],
        "_c1": ["4"],
        "": ["6"],
        "_c" + "9" * 5000: ["5"],
        "_c²": ["2"],
        "input@time": ["1"],
    }
    assert list(cells(found))[1:3] == ["_c01", "_c1"]


def test_the_same_name_on_both_sides_gives_two_columns() -> None:
    line = record("a", '{"score": 7, "x": 1}', '{"score": 0.5}', inputs_as="JSON", outputs_as="JSON")
    assert cells(captured(line)) == {"score": ["0.5"], "input.score": ["7"], "x": ["1"]}
