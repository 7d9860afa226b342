"""A real server under load, with a store that fails in between: no request notices, and every record is counted.

The figures are logged: ``--log-cli-level=info`` shows them.
"""

import asyncio
import http.client
import json
import logging
import time
from collections import Counter
from collections.abc import Iterable
from contextlib import closing
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from fastapi import FastAPI, Request, Response
from typer.testing import CliRunner

from monitor_tasks import cli
from monitor_tasks.capture import CaptureMiddleware, CaptureWriter, DataCaptureConfig
from tests.capture.servers import Load, Outage, fake_s3, post, served

log = logging.getLogger(__name__)

SERVED = """\
capture_options: [Input]
output_names: [sum]
input_names: [first, second]
custom_attributes: [latency_ms, status, request_bytes, complete]
"""


def service(writer: CaptureWriter) -> FastAPI:
    """Adds the numbers of a CSV row."""
    app = FastAPI()
    app.add_middleware(CaptureMiddleware, writer=writer)

    @app.post("/invocations")
    async def invocations(request: Request) -> Response:
        cells = (await request.body()).split(b",")
        return Response(b"%d" % sum(map(int, cells)), media_type="text/csv")

    return app


def writer_to(destination: str, credentials=None, **more) -> CaptureWriter:
    wanted = {"endpoint_name": "adder", "initial_sampling_percentage": 100, "file_seconds": 0.2, **more}
    return CaptureWriter(DataCaptureConfig(destination=destination, **wanted), credentials)


def check(writer: CaptureWriter, load: Load, contents: Iterable[bytes], title: str) -> None:
    """Prints the figures, and holds them against each other."""
    counts = writer.counts
    lines = [json.loads(line) for content in contents for line in content.splitlines()]
    log.info("%s: %d requests, %d failed; %s, %d in files", title, load.requests, load.failed, counts, len(lines))
    assert load.failed == 0
    assert load.requests == counts.sampled > 200
    assert counts.waiting == 0
    assert counts.captured + counts.dropped == counts.sampled
    assert len(lines) == len({line["eventMetadata"]["eventId"] for line in lines}) == counts.captured
    for line in lines:
        sides = line["captureData"]
        assert int(sides["endpointOutput"]["data"]) == sum(map(int, sides["endpointInput"]["data"].split(",")))


def contents(folder: Path) -> list[bytes]:
    return [path.read_bytes() for path in folder.rglob("*.jsonl")]


def test_a_folder_that_is_away_for_a_while_costs_nothing(tmp_path):
    outage = Outage(tmp_path)
    writer = writer_to(str(outage.folder))
    with served(service(writer)) as port, Load(port) as load:
        time.sleep(0.8)
        outage.begin()
        time.sleep(1.2)
        outage.end()
        time.sleep(0.5)
    check(writer, load, contents(outage.folder), "folder away for 1.2 s, much memory")
    assert writer.counts.dropped == 0


def test_a_folder_that_is_away_for_longer_than_memory_lasts_costs_what_is_counted(tmp_path):
    outage = Outage(tmp_path)
    writer = writer_to(str(outage.folder), waiting_bytes=60_000)
    with served(service(writer)) as port, Load(port) as load:
        time.sleep(0.8)
        outage.begin()
        time.sleep(1.2)
        outage.end()
        time.sleep(0.8)
    check(writer, load, contents(outage.folder), "folder away for 1.2 s, 60 kB of memory")
    assert writer.counts.dropped > 0
    assert writer.counts.captured > 0


@pytest.mark.parametrize("memory", [64 << 20, 60_000])
def test_an_s3_that_answers_503_for_a_while(memory):
    with fake_s3() as store:
        writer = writer_to("s3://bucket", store.credentials, waiting_bytes=memory)
        with served(service(writer)) as port, Load(port) as load:
            time.sleep(0.8)
            store.down = True
            time.sleep(1.2)
            store.down = False
            time.sleep(0.8)
        check(writer, load, store.objects.values(), f"S3 answers 503 for 1.2 s, {memory:,} bytes of memory")
        assert store.refused > 0
        assert bool(writer.counts.dropped) == (memory == 60_000)


def test_a_store_that_never_answers_lets_the_server_end_in_time():
    with fake_s3() as store:
        store.hangs.clear()
        writer = writer_to("s3://bucket", store.credentials, closing_seconds=1)
        with served(service(writer)) as port, Load(port) as load:
            time.sleep(0.8)
            load._stop.set()
            ended = time.monotonic()
        assert time.monotonic() - ended < 3
        check(writer, load, (), "S3 that never answers")
        assert writer.counts.undelivered == writer.counts.sampled


def test_errors_and_clients_that_leave_are_captured_by_a_real_server(tmp_path):
    writer = writer_to(str(tmp_path))
    app = service(writer)

    @app.post("/slow")
    async def slow(request: Request) -> Response:
        while not await request.is_disconnected():
            await asyncio.sleep(0.01)
        raise ConnectionError("nobody is there any more")

    app.user_middleware[0].kwargs["paths"] = ("/invocations", "/slow")
    with served(app, log_config=None) as port, closing(http.client.HTTPConnection("127.0.0.1", port)) as connection:
        assert post(connection, "/invocations", b"1,2", content_type="text/csv")[0] == 200
        assert post(connection, "/invocations", b"1,two", content_type="text/csv")[0] == 500
        connection.close()
        connection.request("POST", "/slow", b"1")
        time.sleep(0.2)
        connection.close()
        time.sleep(0.2)
    lines = [json.loads(line) for content in contents(tmp_path) for line in content.splitlines()]
    found = sorted(one["eventMetadata"]["customAttributes"][1:] for one in lines)
    assert found == [
        ["status=200", "request_bytes=3", "complete=1"],
        ["status=499", "request_bytes=1", "complete=0"],
        ["status=500", "request_bytes=5", "complete=0"],
    ]


def test_the_command_line_reads_what_was_served(tmp_path):
    writer = writer_to(str(tmp_path / "captures"))
    with served(service(writer)) as port, closing(http.client.HTTPConnection("127.0.0.1", port)) as connection:
        for number in range(20):
            headers = {"content_type": "text/csv", "x_amzn_sagemaker_inference_id": f"order-{number}"}
            assert post(connection, "/invocations", b"%d,1" % number, **headers) == (200, b"%d" % (number + 1))
        for body in (b"1,two", b"three,4"):
            assert post(connection, "/invocations", body, content_type="text/csv")[0] == 500
            connection.close()  # as the server does after an error
    strict, counts = ingested(tmp_path, "")
    assert (strict.num_rows, counts) == (20, {"read": 22, "used": 20, "quarantined": 2})
    assert strict["@inference_id"].to_pylist() == [f"order-{number}" for number in range(20)]
    every, counts = ingested(tmp_path, SERVED)
    assert (every.num_rows, counts) == (22, {"read": 22, "used": 22, "quarantined": 0})
    assert Counter(every["status"].to_pylist()) == {"200": 20, "500": 2}
    assert every["sum"].null_count == 2
    assert all(0 < float(cell) < 10_000 for cell in every["latency_ms"].to_pylist())


def ingested(folder: Path, settings: str) -> tuple[pa.Table, dict[str, int]]:
    """The table that the command line makes of the captures, and the counts of its ledger that are not always 0."""
    (folder / "capture.yaml").write_text(settings)
    words = ["ingest", folder / "captures/adder", "--output", folder / "table", "--config", folder / "capture.yaml"]
    done = CliRunner().invoke(cli.app, [str(word) for word in words])
    assert done.exit_code == 0, done.output
    totals = json.loads((folder / "table/ledger.json").read_bytes())["totals"]
    assert not totals["duplicate"]
    assert not totals["out_of_window"]
    counts = {fate: totals[fate] for fate in ("read", "used", "quarantined")}
    return pq.read_table(folder / "table/captured.parquet"), counts
