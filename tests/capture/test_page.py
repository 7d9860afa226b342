"""What docs/serving.md tells people to write works, and its tables are true."""

import asyncio
import json
import re
from datetime import datetime
from pathlib import Path

import pytest
from fastapi import FastAPI

from monitor_tasks.capture import Call, CaptureWriter, DataCaptureConfig, Payload
from monitor_tasks.capture.record import as_line
from tests.capture.test_asgi import CSV, HTTP, answering, attributes, called, part, piece, records, start


@pytest.fixture(scope="module")
def page(repository: Path) -> str:
    return (repository / "docs/serving.md").read_text()


def blocks(page: str, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", page, re.MULTILINE | re.DOTALL)


def keys(page: str, first: str) -> set[str]:
    rows = page.partition(f"| {first} |")[2].partition("\n\n")[0].splitlines()[2:]
    return {key for row in rows for key in re.findall(r"`(\w+)`", row.split("|")[1])}


def test_the_three_lines_and_the_one_without_asgi_capture(page, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    known = {"app": FastAPI()}
    for block in blocks(page, "python"):
        exec(block.replace("s3://my-bucket/captures", "captures"), known)
    writer = known["writer"]
    assert isinstance(writer, CaptureWriter)
    assert writer.config.initial_sampling_percentage == 20
    asyncio.run(known["app"]({**HTTP, "headers": []}, None, send_nothing))
    assert writer.close().sampled <= 2


async def send_nothing(message):
    pass


def test_the_tables_name_every_setting_and_every_attribute(page, tmp_path):
    assert keys(page, "key of `DataCaptureConfig`") == set(DataCaptureConfig.model_fields)
    config = DataCaptureConfig(endpoint_name="churn", destination=str(tmp_path), initial_sampling_percentage=100)
    with CaptureWriter(config) as writer:
        called(answering(start(), piece(b"1")), writer, [part(b"")], headers=[CSV])
    assert keys(page, "attribute") == set(attributes(records(writer)[0]))


def test_the_record_shown_is_the_one_that_is_written(page):
    [shown] = blocks(page, "json")
    metadata = json.loads(shown)["eventMetadata"]
    config = DataCaptureConfig(endpoint_name="churn", destination="captures")
    call = Call(
        Payload(b"3,0.5,red", "text/csv"),
        Payload(b"0.71", "text/csv"),
        inference_id="order-17",
        custom_attributes=tuple(metadata["customAttributes"]),
    )
    time = datetime.fromisoformat(metadata["inferenceTime"])
    assert as_line(call, time, metadata["eventId"], config).decode() == shown
