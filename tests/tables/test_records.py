"""What one captured line says: every way it can fail has its reason, and every cell keeps its text."""

import base64
import json
from typing import Any

import pytest

from monitor_tasks.inputs import Records
from monitor_tasks.tables.ledger import Reason
from monitor_tasks.tables.lines import LineReason
from monitor_tasks.tables.payloads import Cells
from monitor_tasks.tables.records import Broken, Identity, Row, identified, rows_of
from tests.tables.samples import captured, cells, of_json, reasons, record

DEEP = "[" * 10_000 + "]" * 10_000

UNUSABLE = [
    (Reason.NOT_JSON, b"{"),
    (Reason.NOT_JSON, record()[:-9]),
    (Reason.NOT_JSON, b'{"a": NaN}'),
    (Reason.TOO_DEEP, b'{"a": ' + DEEP.encode() + b"}"),
    (Reason.TOO_DEEP, of_json(DEEP)),
    (Reason.TOO_DEEP, of_json('{"a": ' + DEEP + "}")),
    (Reason.DUPLICATE_KEY, record().replace(b'"eventId"', b'"eventId": "x", "eventId"')),
    (Reason.DUPLICATE_KEY, record().replace(b'{"data"', b'{"data": "7", "data"')),
    (Reason.TOO_MANY_COLUMNS, record(inputs="1," * 10_000)),
    (Reason.TOO_MANY_COLUMNS, of_json([1] * 10_000)),
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
    (Reason.BAD_PAYLOAD, record(inputs="%%%", inputs_as="BASE64")),
    (Reason.BAD_PAYLOAD, record(inputs="/w==", inputs_as="BASE64")),
    (Reason.BAD_PAYLOAD, of_json("{")),
    (Reason.BAD_PAYLOAD, of_json("")),
    (Reason.BAD_PAYLOAD, of_json('{"a": 1, "a": 2}')),
    (Reason.BAD_PAYLOAD, of_json('{"a": "\\ud800"}')),
    (Reason.BAD_PAYLOAD, of_json('{"\\ud800": 1}')),
    (Reason.SEVERAL_ROWS, of_json('{"a": 1}\n{"a": 2}\n')),
    (Reason.SEVERAL_ROWS, of_json("[1]\n[2]")),
]


def parsed(line: bytes, **settings: Any) -> tuple[Identity, list[Row]]:
    identity, content = identified(line, Records(**settings))
    rows, _ = rows_of(content, identity.time, Records(**settings))
    return identity, rows


def inputs_of(line: bytes) -> Cells:
    ((_, inputs),) = parsed(line)[1]
    return inputs


@pytest.mark.parametrize(("reason", "line"), UNUSABLE)
def test_what_cannot_be_used_has_its_reason(reason: Reason, line: bytes) -> None:
    with pytest.raises(Broken) as caught:
        parsed(line)
    assert caught.value.reason is reason
    assert len(str(caught.value)) < 300


def test_every_reason_is_reached() -> None:
    of_tables = {Reason.COLUMN_COUNT, Reason.ROW_COUNT}  # told by other records, or with split_rows: test_captured
    of_hooks = {Reason.HOOK_FAILED, Reason.HOOK_RESULT, Reason.HOOK_SKIPPED}  # test_hooks
    assert {reason for reason, _ in UNUSABLE} | of_tables | of_hooks == set(Reason)


def test_the_time_of_an_unusable_record_is_known_where_it_can_be_read() -> None:
    for line, known in (
        (record(None), True),
        (record(outputs=None), True),
        (record(time="{%s}"), False),
        (b"{", False),
    ):
        with pytest.raises(Broken) as caught:
            parsed(line)
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
    assert inputs_of(record(inputs=data)) == row


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
        ('{\n "a": [3.5,\n 4.0]\n}', ["[3.5, 4.0]"]),
    ],
)
def test_json_cells_keep_their_text(data: str, row: list[str | None]) -> None:
    found = inputs_of(of_json(data))
    assert (list(found.values()) if isinstance(found, dict) else found) == row


def test_base64_is_read_by_its_content_type() -> None:
    for kind, text, row in (("text/csv", "1,2", ["1", "2"]), ("application/json", '{"a": 1}', {"a": "1"})):
        line = json.loads(record(inputs=base64.b64encode(text.encode()).decode(), inputs_as="BASE64"))
        line["captureData"]["endpointInput"]["observedContentType"] = kind
        assert inputs_of(json.dumps(line).encode()) == row


def test_a_side_that_is_not_wanted_may_be_absent() -> None:
    assert parsed(record(outputs=None), capture_options=("Input",))[1] == [([], ["1", "2"])]
    assert parsed(record(inputs=None), capture_options=("Output",))[1] == [(["0.5"], [])]


def test_order_of_keys_and_unknown_keys_do_not_matter() -> None:
    turned = json.loads(record(inferenceId="order-17", customAttributes=["x"]))
    turned = {"news": [1], **{key: turned[key] for key in reversed(turned)}}
    identity, rows = parsed(json.dumps(turned).encode())
    assert (identity.event_id, identity.inference_id, rows) == ("a", "order-17", [(["0.5"], ["1", "2"])])


def test_a_poison_never_takes_its_neighbours_along() -> None:
    not_utf8 = [(LineReason.NOT_UTF8, record().replace(b"0.5", one)) for one in (b"\xff\xfe", b"\xed\xa0\x80")]
    poisons = [*UNUSABLE, *not_utf8, (Reason.SEVERAL_ROWS, record("rows", "1,2\n3,4\n"))]
    found = captured(record("good"), *(line.replace(b"\n", b" ") for _, line in poisons), record("fine"))
    assert found.table["@event_id"].to_pylist() == ["good", "fine"]
    assert reasons(found) == [reason.value for reason, _ in poisons]
    assert cells(found) == {"_c0": ["0.5", "0.5"], "_c1": ["1", "1"], "_c2": ["2", "2"]}
