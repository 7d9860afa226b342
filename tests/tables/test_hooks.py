"""A record preprocessor script runs unchanged, and whatever it does to a record is counted and explained."""

import json
import logging
from hashlib import sha256
from pathlib import Path
from textwrap import dedent
from typing import Any

import pytest

from monitor_tasks.inputs import Records
from monitor_tasks.tables.captured import Captured, Source, capture
from monitor_tasks.tables.hooks import MESSAGE, hook_of
from monitor_tasks.tables.ledger import FATES
from monitor_tasks.tables.lines import in_memory
from monitor_tasks.value import UserError
from tests.tables.samples import cells, of_json, reasons, record

NAME = "s3://bucket/scripts/preprocessor.py"


def hooked(script: str, *lines: bytes, **settings: Any) -> Captured:
    known = Records(**settings)
    return capture(Source(in_memory([("o.jsonl", b"\n".join(lines))]), hook_of(dedent(script), NAME, known)), known)


def explanations(found: Captured) -> list[str]:
    return [one.explanation for one in found.quarantine()]


def body(code: str, head: str = "") -> str:
    """A script whose handler has this body."""
    return head + "def preprocess_handler(inference_record):\n" + "\n".join(f"    {line}" for line in code.splitlines())


def test_a_script_of_the_documentations_kind_gives_padded_columns_in_order() -> None:
    script = """
        def preprocess_handler(inference_record):
            output = inference_record.endpoint_output.data.rstrip("\\n")
            cells = (output + "," + inference_record.endpoint_input.data).split(",")
            return {str(number).zfill(20): cell for number, cell in enumerate(cells)}
        """
    found = hooked(script, record("a", ",".join(map(str, range(11))), "0.5\n"))
    names = list(cells(found))
    assert names == [str(number).zfill(20) for number in range(12)]
    assert [column[0] for column in cells(found).values()] == ["0.5", *map(str, range(11))]


def test_columns_that_are_not_padded_come_in_the_order_of_their_letters() -> None:
    found = hooked(body("return {'f2': 1, 'f10': 2, 'f1': 3}"), record())
    assert cells(found) == {"f1": ["3"], "f10": ["2"], "f2": ["1"]}


@pytest.mark.parametrize(
    "path",
    [
        "endpoint_input.data",
        "event_data.endpointInput.data",
        "event_dict['captureData']['endpointInput']['data']",
        "as_dict()['captureData']['endpointInput']['data']",
        "endpoint_input.as_dict()['data']",
        "get('captureData')['endpointInput']['data']",
    ],
)
def test_every_shape_of_the_record_says_the_same(path: str) -> None:
    assert cells(hooked(body(f"return {{'x': inference_record.{path}}}"), record("a", "7"))) == {"x": ["7"]}


def test_the_record_tells_all_that_was_captured() -> None:
    script = body(
        """one, more = inference_record, inference_record.event_metadata
return {
    "id": more.event_id, "time": more.event_time, "custom": ";".join(more.custom_attribute),
    "version": one.event_version, "encoding": one.endpoint_input.encoding, "mode": one.endpoint_input.mode,
    "type": one.endpoint_output.observedContentType, "truth": one.ground_truth, "batch": one.batch_transform_output,
}"""
    )
    assert {name: column[0] for name, column in cells(hooked(script, record(customAttributes=["a=1"]))).items()} == {
        "id": "a", "time": "2026-01-01T00:10:00Z", "custom": "a=1", "version": "0", "encoding": "CSV",
        "mode": None, "type": None, "truth": None, "batch": None,
    }  # fmt: skip


def test_a_side_that_was_not_captured_is_none() -> None:
    script = body("return {'x': str(inference_record.endpoint_output)}")
    assert cells(hooked(script, record(outputs=None), capture_options=["Input"])) == {"x": ["None"]}


@pytest.mark.parametrize(
    "signature",
    [
        "inference_record, logger",
        "inference_record, logger=None",
        "inference_record, *, logger",
        "inference_record, log",
        "inference_record, strict=False, logger=None",
    ],
)
def test_a_logger_is_handed_to_those_who_take_one(signature: str, caplog: pytest.LogCaptureFixture) -> None:
    log = "log" if signature.endswith(" log") else "logger"
    script = f"def preprocess_handler({signature}):\n    {log}.warning('saw one')\n    return {{'x': 1}}"
    with caplog.at_level(logging.INFO):
        assert cells(hooked(script, record())) == {"x": ["1"]}
    assert "saw one" in caplog.text


def test_what_a_script_prints_never_mixes_with_our_output(capsys: pytest.CaptureFixture[str]) -> None:
    hooked("print('begun')\n" + body("print('at work')\nreturn {'x': 1}"), record())
    printed = capsys.readouterr()
    assert (printed.out, printed.err) == ("", "begun\nat work\n")


@pytest.mark.parametrize(
    ("value", "cell"),
    [
        ("1", "1"),
        ("1.0", "1.0"),
        ("'3.0'", "3.0"),
        ("True", "true"),
        ("None", None),
        ("float('nan')", None),
        ("numpy.float64(0.25)", "0.25"),
        ("numpy.int64(7)", "7"),
        ("pandas.NaT", None),
        ("decimal.Decimal('1.10')", "1.10"),
        ("datetime.date(2026, 1, 1)", "2026-01-01"),
    ],
)
def test_a_plain_value_becomes_its_text(value: str, cell: str | None) -> None:
    script = body(f"return {{'x': {value}, 'y': 1}}", "import datetime, decimal, numpy, pandas\n")
    assert cells(hooked(script, record()))["x"] == [cell]


@pytest.mark.parametrize("value", ["[1]", "{'a': 1}", "(1,)", "{1}", "b'1'", "numpy.ones(2).tolist()"])
def test_a_nested_value_is_refused_with_its_column(value: str) -> None:
    found = hooked(body(f"return {{'x': {value}}}", "import numpy\n"), record())
    assert reasons(found) == ["hook_result"]
    assert explanations(found)[0].startswith("column 'x' holds a ")


@pytest.mark.parametrize("answer", ["1", "'text'", "[1]", "[{'x': 1}, {}]", "[[1, 2]]", "{'x': chr(0xd800)}"])
def test_an_answer_that_is_not_rows_is_refused(answer: str) -> None:
    assert reasons(hooked(body(f"return {answer}"), record())) == ["hook_result"]


def test_more_columns_than_the_limit_are_refused() -> None:
    assert reasons(hooked(body("return dict.fromkeys(range(9), 1)"), record(), limits={"columns": 8})) == [
        "too_many_columns"
    ]


def test_several_rows_of_one_record_are_rows() -> None:
    script = body("return [{'x': x} for x in inference_record.endpoint_input.data.split(',')]")
    found = hooked(script, record("a", "1,2,3"), record("b", "4,5"))
    assert cells(found) == {"x": ["1", "2", "3", "4", "5"]}
    assert found.table["@row"].to_pylist() == [0, 1, 2, 0, 1]
    assert found.ledger.totals["used"] == 2


@pytest.mark.parametrize("answer", ["[]", "{}", "None", "()"])
def test_a_skipped_record_is_counted(answer: str) -> None:
    script = body(f"return {{'x': 1}} if inference_record.event_metadata.event_id == 'b' else {answer}")
    found = hooked(script, record("a"), record("b"), record("c"))
    assert reasons(found) == ["hook_skipped"] * 2
    totals = found.ledger.totals
    assert (totals["read"], totals["used"]) == (3, 1) == (sum(totals[fate] for fate in FATES), 1)


def test_a_record_given_back_is_read_as_without_a_script() -> None:
    lines = [record("a"), of_json({"a": 1, "b": 2}, event_id="b"), record("c", "1,2\n3,4", "1\n2")]
    assert reasons(hooked(body("return inference_record"), *lines)) == ["several_rows"]
    assert cells(hooked(body("return inference_record"), lines[0])) == {"_c0": ["0.5"], "_c1": ["1"], "_c2": ["2"]}
    assert cells(hooked(body("return inference_record"), lines[2], split_rows=True))["_c1"] == ["1", "3"]


def test_an_error_carries_exception_line_and_frames_and_the_record_is_in_the_excerpt() -> None:
    script = """\
import json

def row_of(text):
    return json.loads(text)["x"]

def preprocess_handler(inference_record):
    return {"x": row_of(inference_record.endpoint_input.data)}
"""
    found = hooked(script, of_json({"y": 1}, event_id="a"), of_json("{", event_id="b"), of_json({"x": 5}, event_id="c"))
    assert reasons(found) == ["hook_failed"] * 2
    assert cells(found) == {"x": ["5"]}
    first, second = explanations(found)
    assert first == (
        "KeyError: 'x'; "
        'preprocessor.py:7 in preprocess_handler: return {"x": row_of(inference_record.endpoint_input.data)} > '
        'preprocessor.py:4 in row_of: return json.loads(text)["x"]'
    )
    assert second.startswith("JSONDecodeError: Expecting property name")
    assert " > decoder.py:" in second
    assert all('"captureData"' in one.excerpt for one in found.quarantine())


@pytest.mark.parametrize(
    ("code", "told"),
    [
        ("raise SystemExit(3)", "SystemExit: 3; "),
        ("return preprocess_handler(inference_record)", "RecursionError: "),
        ("raise ValueError('x' * 10_000)", "ValueError: xxx"),
        ("raise ValueError('a\\nb\\ud800 =1+1')", r"ValueError: a\nb\ud800 =1+1"),
        ("raise ValueError(object())", "ValueError: <object object>; "),
        ("return {'x': Sly()}", "ZeroDivisionError: "),
    ],
)
def test_no_script_breaks_the_run_or_the_files(code: str, told: str) -> None:
    found = hooked(
        body(code, "class Sly:\n    def __str__(self):\n        return str(1 / 0)\n\n"), record(), record("b")
    )
    (first, _) = explanations(found)
    assert reasons(found) == ["hook_failed"] * 2
    assert first.startswith(told)
    assert len(first) < 6 * (MESSAGE + 100)
    assert "\n" not in first


@pytest.mark.parametrize(
    ("script", "told"),
    [
        ("def other(record):\n    return {}\n", "1: has no function preprocess_handler"),
        ("preprocess_handler = 3\n", "1: has no function preprocess_handler"),
        ("x = 1\ndef preprocess_handler(a:\n", "2: does not run: SyntaxError"),
        ("import json\nimport no_such_module_anywhere\n", "2: does not run: ModuleNotFoundError"),
        ("def f():\n    return 1 / 0\nf()\n", "2: does not run: ZeroDivisionError"),
        ("raise SystemExit", "1: does not run: SystemExit"),
        ("x = '\0'", "1: does not run: "),
        ("\ndef preprocess_handler():\n    pass\n", "2: preprocess_handler() must take"),
        ("\ndef preprocess_handler(a, b, c):\n    pass\n", "2: preprocess_handler(a, b, c) must take"),
    ],
)
def test_a_script_that_cannot_serve_is_one_error_with_its_line(script: str, told: str) -> None:
    with pytest.raises(UserError) as error:
        hook_of(script, NAME, Records())
    assert str(error.value).startswith(f"{NAME}:{told}")
    assert "\n" not in str(error.value)


def test_a_script_may_have_dataclasses_and_annotations() -> None:
    script = """\
from __future__ import annotations
from dataclasses import asdict, dataclass
from typing import ClassVar

@dataclass
class Row:
    seen: ClassVar[int] = 0
    x: str = ""

def preprocess_handler(inference_record) -> dict[str, str]:
    return asdict(Row(x=inference_record.endpoint_input.data))
"""
    assert cells(hooked(script, record("a", "1"))) == {"x": ["1"]}


def test_duplicates_and_times_do_not_depend_on_the_script() -> None:
    found = hooked(body("return {'x': 1}"), record("a"), record("a"), record("b", time="never"))
    assert (found.ledger.totals["duplicate"], reasons(found)) == (1, ["unparsable_time"])


def test_the_script_sees_every_record_of_a_large_block_once() -> None:
    script = "seen = []\n" + body("seen.append(1)\nreturn {'x': len(seen)}")
    found = hooked(script, *(record(str(number)) for number in range(500)))
    assert cells(found)["x"] == [str(number + 1) for number in range(500)]


def test_a_real_capture_goes_through_a_script(shared: Path) -> None:
    script = """
        import json
        def preprocess_handler(inference_record, logger):
            rows = [json.loads(line) for line in inference_record.endpoint_input.data.splitlines()]
            answers = [json.loads(line) for line in inference_record.endpoint_output.data.splitlines()]
            return [
                {"score": answer["score"], **{f"f{n:02}": cell for n, cell in enumerate(row["features"])}}
                for row, answer in zip(rows, answers)
            ]
        """
    content = (shared / "sagemaker/adult/endpoint_jsonlines.capture.jsonl").read_bytes()
    settings = Records()
    found = capture(Source(in_memory([("o.jsonl", content)]), hook_of(dedent(script), NAME, settings)), settings)
    first = json.loads(json.loads(content.splitlines()[0])["captureData"]["endpointInput"]["data"].splitlines()[0])
    assert found.ledger.totals["used"] == 2
    assert [column[0] for column in cells(found).values()][:-1] == [str(cell) for cell in first["features"]]


def test_the_same_script_twice_is_the_same_module() -> None:
    script = body("return {'x': __name__}")
    assert cells(hooked(script, record())) == cells(hooked(script, record()))
    assert sha256(script.encode()).hexdigest()[:12] in str(cells(hooked(script, record()))["x"][0])
