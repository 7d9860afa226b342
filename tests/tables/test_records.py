"""What one captured line says: every way it can fail has its reason, and every cell keeps its text."""

import base64
import json

import pytest

from monitor_tasks.tables.ledger import Reason
from monitor_tasks.tables.records import Unusable, parse_record
from tests.tables.samples import captured, cells, of_json, reasons, record

BOTH = ("Input", "Output")
DEEP = "[" * 10_000 + "]" * 10_000

UNUSABLE = [
    (Reason.NOT_UTF8, record().replace(b"0.5", b"\xff\xfe")),
    (Reason.NOT_UTF8, record().replace(b"0.5", b"\xed\xa0\x80")),
    (Reason.NOT_JSON, b"{"),
    (Reason.NOT_JSON, record()[:-9]),
    (Reason.NOT_JSON, b'{"a": NaN}'),
    (Reason.NOT_JSON, b'{"a": ' + DEEP.encode() + b"}"),
    (Reason.NOT_JSON, record().replace(b"0.5", b"\\ud800")),
    (Reason.NOT_A_RECORD, b"[]"),
    (Reason.NOT_A_RECORD, b"5"),
    (Reason.NOT_A_RECORD, b'{"captureData": {}, "eventMetadata": null}'),
    (Reason.NO_EVENT_ID, record(None)),
    (Reason.NO_EVENT_ID, record("")),
    (Reason.NO_EVENT_ID, record(7)),
    (Reason.UNPARSABLE_TIME, record(time="{%s}")),
    (Reason.UNPARSABLE_TIME, record(time="2026-01-01T00:00:00")),
    (Reason.UNPARSABLE_TIME, record(time=None)),
    (Reason.UNPARSABLE_TIME, record(time=1767225600)),
    (Reason.UNPARSABLE_TIME, record(time="0001-01-01T00:00:00+23:59")),
    (Reason.NO_INPUT, record(inputs=None)),
    (Reason.NO_OUTPUT, record(outputs=None)),
    (Reason.BAD_ENCODING, record(inputs_as="XML")),
    (Reason.BAD_ENCODING, record(inputs_as=None)),
    (Reason.BAD_PAYLOAD, record(inputs=5)),
    (Reason.BAD_PAYLOAD, record(inputs="")),
    (Reason.BAD_PAYLOAD, record(inputs='1,"2')),
    (Reason.BAD_PAYLOAD, record(inputs="1\r2")),
    (Reason.BAD_PAYLOAD, record(inputs="x" * 200_000)),
    (Reason.BAD_PAYLOAD, record(inputs="%%%", inputs_as="BASE64")),
    (Reason.BAD_PAYLOAD, record(inputs="/w==", inputs_as="BASE64")),
    (Reason.BAD_PAYLOAD, of_json("{")),
    (Reason.BAD_PAYLOAD, of_json("")),
    (Reason.BAD_PAYLOAD, of_json(DEEP)),
    (Reason.BAD_PAYLOAD, of_json('{"a": ' + DEEP + "}")),
    (Reason.BAD_PAYLOAD, of_json('{"a": 1, "a": 2}')),
    (Reason.BAD_PAYLOAD, of_json('{"a": "\\ud800"}')),
    (Reason.BAD_PAYLOAD, of_json('{"\\ud800": 1}')),
    (Reason.SEVERAL_ROWS, record(inputs="1,2\n3,4\n")),
    (Reason.SEVERAL_ROWS, of_json('{"a": 1}\n{"a": 2}\n')),
    (Reason.SEVERAL_ROWS, of_json("[1]\n[2]")),
]


@pytest.mark.parametrize(("reason", "line"), UNUSABLE)
def test_what_cannot_be_used_has_its_reason(reason: Reason, line: bytes) -> None:
    with pytest.raises(Unusable) as caught:
        parse_record(line, BOTH)
    assert caught.value.reason is reason
    assert len(str(caught.value)) < 300


def test_every_reason_is_reached() -> None:
    of_tables = {Reason.COLUMN_COUNT}  # told by other records only: test_captured
    assert {reason for reason, _ in UNUSABLE} | of_tables == set(Reason)


def test_the_time_of_an_unusable_record_is_known_where_it_can_be_read() -> None:
    for line, known in (
        (record(None), True),
        (record(outputs=None), True),
        (record(time="{%s}"), False),
        (b"{", False),
    ):
        with pytest.raises(Unusable) as caught:
            parse_record(line, BOTH)
        assert (caught.value.time is not None) is known


@pytest.mark.parametrize(
    ("data", "row"),
    [
        ("1,2\n", ["1", "2"]),
        ("1,2\r\n", ["1", "2"]),
        ("\n1,2\n\n", ["1", "2"]),
        ('"a,b","say ""hi""","two\nlines"', ["a,b", 'say "hi"', "two\nlines"]),
        (",,", [None, None, None]),
        ('"",x', [None, "x"]),
        ("1,1.0,01,1e5,98765432109876543210", ["1", "1.0", "01", "1e5", "98765432109876543210"]),
        (" 1, x ", [" 1", " x "]),
        ("NaN,inf,null", ["NaN", "inf", "null"]),
        ("é,日本", ["é", "日本"]),
    ],
)
def test_csv_cells_keep_their_text(data: str, row: list[str | None]) -> None:
    assert parse_record(record(inputs=data), BOTH).inputs == row


@pytest.mark.parametrize(
    ("data", "row"),
    [
        ('{"a": 1, "b": 1.0, "c": 98765432109876543210, "d": 1e400}', ["1", "1.0", "98765432109876543210", "1e400"]),
        ('{"a": NaN, "b": Infinity, "c": -Infinity}', ["NaN", "Infinity", "-Infinity"]),
        ('{"a": null, "b": true, "c": false, "d": ""}', [None, "true", "false", ""]),
        ('{"a": "\\u00e9", "b": "\\ud83d\\ude00"}', ["é", "😀"]),
        ('{"a": [], "b": {}}', ["[]", "{}"]),
        ("[1, 1.0, null]", ["1", "1.0", None]),
        ("0.25", ["0.25"]),
        ('{\n "a": [3.5,\n 4.0]\n}', ['["3.5", "4.0"]']),
    ],
)
def test_json_cells_keep_their_text(data: str, row: list[str | None]) -> None:
    found = parse_record(of_json(data), BOTH).inputs
    assert (list(found.values()) if isinstance(found, dict) else found) == row


def test_base64_is_read_by_its_content_type() -> None:
    for kind, text, row in (("text/csv", "1,2", ["1", "2"]), ("application/json", '{"a": 1}', {"a": "1"})):
        line = json.loads(record(inputs=base64.b64encode(text.encode()).decode(), inputs_as="BASE64"))
        line["captureData"]["endpointInput"]["observedContentType"] = kind
        assert parse_record(json.dumps(line).encode(), BOTH).inputs == row


def test_a_side_that_is_not_wanted_may_be_absent() -> None:
    assert parse_record(record(outputs=None), ("Input",)).outputs == []
    assert parse_record(record(inputs=None), ("Output",)).inputs == []


def test_order_of_keys_and_unknown_keys_do_not_matter() -> None:
    turned = json.loads(record(inferenceId="order-17", customAttributes=["x"]))
    turned = {"news": [1], **{key: turned[key] for key in reversed(turned)}}
    found = parse_record(json.dumps(turned).encode(), BOTH)
    assert (found.event_id, found.inference_id, found.inputs) == ("a", "order-17", ["1", "2"])


def test_a_poison_never_takes_its_neighbours_along() -> None:
    lines = [line.replace(b"\n", b" ") for _, line in UNUSABLE]
    found = captured(record("good"), *lines, record("fine"))
    assert found.table["@event_id"].to_pylist() == ["good", "fine"]
    assert reasons(found) == [reason.value for reason, _ in UNUSABLE]
    assert cells(found) == {"_c0": ["0.5", "0.5"], "_c1": ["1", "1"], "_c2": ["2", "2"]}
