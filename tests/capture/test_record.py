import base64
import json
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from monitor_tasks.capture import Call, DataCaptureConfig, Payload
from monitor_tasks.capture.record import as_line

TIME = datetime(2026, 1, 2, 3, 4, 5, 999_999, tzinfo=UTC)
CONFIG = DataCaptureConfig(endpoint_name="churn", destination="captures")
EXAMPLE = Call(
    Payload(b"3,0.5,red\n", "text/csv"), Payload(b"0.71", "text/csv; charset=utf-8"), inference_id="order-17"
)
GOLDEN = (
    b'{"captureData":{"endpointInput":{"observedContentType":"text/csv","mode":"INPUT","data":"3,0.5,red\\n",'
    b'"encoding":"CSV"},"endpointOutput":{"observedContentType":"text/csv; charset=utf-8","mode":"OUTPUT",'
    b'"data":"0.71","encoding":"CSV"}},"eventMetadata":{"eventId":"11111111-2222-4333-8444-555555555555",'
    b'"inferenceId":"order-17","inferenceTime":"2026-01-02T03:04:05Z"},"eventVersion":"0"}\n'
)


def written(call: Call, **settings: object) -> dict:
    return json.loads(as_line(call, TIME, "an-id", CONFIG.model_copy(update=settings)))


def side(data: bytes, content_type: str | None, **settings: object) -> dict:
    return written(Call(Payload(data, content_type)), **settings)["captureData"]["endpointInput"]


def test_the_contracts_example_comes_out_to_the_byte():
    assert as_line(EXAMPLE, TIME, "11111111-2222-4333-8444-555555555555", CONFIG) == GOLDEN


def test_the_contract_says_so_itself(shared: Path):
    contract = (shared.parent / "contracts/capture.md").read_text()
    assert GOLDEN.decode().strip() in contract


@pytest.mark.parametrize(
    ("content_type", "data", "encoding"),
    [
        ("text/csv", b"1,2", "CSV"),
        ("TEXT/CSV ; header=absent", b"1,2", "CSV"),
        ("application/json;charset=utf-8", b'{"a":1}', "JSON"),
        ("application/jsonlines", b'{"a":1}', "BASE64"),
        ("text/html; charset=utf-8", b"<p>", "BASE64"),
        ("text/csvs", b"1,2", "BASE64"),
        (None, b"1,2", "BASE64"),
        ("", b"1,2", "BASE64"),
        ("text/csv", b"caf\xe9", "BASE64"),
        ("application/json", b"\xff\xfe", "BASE64"),
    ],
)
def test_content_types_choose_the_encoding_and_bytes_that_are_no_text_go_as_base64(content_type, data, encoding):
    found = side(data, content_type)
    assert list(found) == ["observedContentType", "mode", "data", "encoding"]
    assert (found["observedContentType"], found["encoding"]) == (content_type, encoding)
    assert found["data"] == (base64.b64encode(data).decode() if encoding == "BASE64" else data.decode())


def test_lists_of_content_types_are_the_users():
    assert side(b"{}", "application/jsonlines", json_content_types=("application/jsonlines",))["encoding"] == "JSON"
    assert side(b"1", "text/csv", csv_content_types=())["encoding"] == "BASE64"


def test_a_type_in_both_lists_is_csv():
    both = {"csv_content_types": ("text/plain",), "json_content_types": ("text/plain",)}
    assert side(b"1", "text/plain", **both)["encoding"] == "CSV"


@pytest.mark.parametrize("options", [("Input",), ("Output",), ("Input", "Output")])
def test_only_the_chosen_sides_are_there(options):
    assert list(written(EXAMPLE, capture_options=options)["captureData"]) == [f"endpoint{side}" for side in options]


def test_what_the_caller_did_not_send_is_absent_and_attributes_are_a_list():
    assert list(written(Call())["eventMetadata"]) == ["eventId", "inferenceTime"]
    full = written(Call(inference_id="a", custom_attributes=("trace=9", "status=200")))["eventMetadata"]
    assert list(full) == ["eventId", "inferenceId", "customAttributes", "inferenceTime"]
    assert full["customAttributes"] == ["trace=9", "status=200"]


@given(st.binary(), st.sampled_from(["text/csv", "application/json", "image/png", None]))
def test_any_bytes_come_back(data, content_type):
    line = as_line(Call(Payload(data, content_type)), TIME, "an-id", CONFIG)
    assert line.count(b"\n") == 1
    found = json.loads(line)["captureData"]["endpointInput"]
    back = base64.b64decode(found["data"]) if found["encoding"] == "BASE64" else found["data"].encode()
    assert back == data


@pytest.mark.parametrize(
    "mistake",
    [
        {"endpoint_name": "../up"},
        {"variant_name": "a/b"},
        {"destination": "captures/../up"},
        {"initial_sampling_percentage": 101},
        {"initial_sampling_percentage": -1},
        {"capture_options": ()},
        {"capture_options": ("Both",)},
        {"csv_content_types": ("text/csv; charset=utf-8",)},
        {"json_content_types": tuple(f"text/{number}" for number in range(11))},
        {"json_content_types": ("text/" + "a" * 256,)},
        {"sampling": 5},
    ],
)
def test_a_mistake_in_the_settings_is_told_at_once(mistake):
    with pytest.raises(ValidationError):
        DataCaptureConfig(**{"endpoint_name": "churn", "destination": "captures", **mistake})


def test_the_defaults_are_the_sdks():
    assert (CONFIG.enable_capture, CONFIG.initial_sampling_percentage, CONFIG.variant_name) == (True, 20, "AllTraffic")
    assert (CONFIG.capture_options, CONFIG.csv_content_types) == (("Input", "Output"), ("text/csv",))
    assert CONFIG.json_content_types == ("application/json",)
