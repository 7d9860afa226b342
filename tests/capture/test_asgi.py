"""The middleware, driven message by message."""

import asyncio
import json
from pathlib import Path

import pytest
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response, StreamingResponse
from starlette.routing import Route

from monitor_tasks.capture import CaptureMiddleware, CaptureWriter, Counts, DataCaptureConfig

HTTP = {
    "type": "http", "asgi": {"version": "3.0"}, "http_version": "1.1", "method": "POST", "scheme": "http",
    "path": "/invocations", "raw_path": b"/invocations", "query_string": b"", "root_path": "",
}  # fmt: skip
CSV = (b"content-type", b"text/csv; charset=utf-8")


@pytest.fixture
def writer(tmp_path: Path):
    with CaptureWriter(config(tmp_path)) as writer:
        yield writer


def config(folder: Path, **more) -> DataCaptureConfig:
    wanted = {"initial_sampling_percentage": 100, **more}
    return DataCaptureConfig(endpoint_name="churn", destination=str(folder), **wanted)


def part(body: bytes, more: bool = False) -> dict:
    return {"type": "http.request", "body": body, "more_body": more}


def start(status: int = 200, content_type: bytes = b"text/csv") -> dict:
    return {"type": "http.response.start", "status": status, "headers": [(b"Content-Type", content_type)]}


def piece(body: bytes, more: bool = False) -> dict:
    return {"type": "http.response.body", "body": body, "more_body": more}


LEFT = {"type": "http.disconnect"}


def called(app, writer, messages, **scope) -> list[dict]:
    """What reaches the server when `app` behind the middleware gets these messages."""
    sent: list[dict] = []
    arriving = iter(messages)

    async def receive():
        return next(arriving)

    async def send(message):
        sent.append(message)

    asked = {**HTTP, "headers": [CSV], **scope}
    asyncio.run(CaptureMiddleware(app, writer)(asked, receive, send))
    return sent


def answering(*messages, reads: int = 1):
    """An application that reads so many messages and sends these."""

    async def app(scope, receive, send):
        for _ in range(reads):
            await receive()
        for message in messages:
            if isinstance(message, Exception):
                raise message
            await send(message)

    return app


def records(writer: CaptureWriter) -> list[dict]:
    writer.close()
    found = sorted(Path(writer.config.destination).rglob("*.jsonl"))
    return [json.loads(line) for path in found for line in path.read_text().splitlines()]


def attributes(record: dict) -> dict[str, float]:
    pairs = (text.partition("=") for text in record["eventMetadata"]["customAttributes"])
    return {name: float(value) for name, _, value in pairs}


def data(record: dict, side: str) -> str | None:
    return record["captureData"].get(side, {}).get("data")


def test_messages_pass_by_themselves_and_both_sides_are_captured(writer):
    answer = [start(), piece(b"0.", more=True), piece(b"71")]
    app = answering(*answer, reads=2)
    sent = called(app, writer, [part(b"1,", more=True), part(b"2")])
    assert all(one is other for one, other in zip(sent, answer, strict=True))
    [record] = records(writer)
    assert record["captureData"] == {
        "endpointInput": {
            "observedContentType": "text/csv; charset=utf-8", "mode": "INPUT", "data": "1,2", "encoding": "CSV",
        },
        "endpointOutput": {"observedContentType": "text/csv", "mode": "OUTPUT", "data": "0.71", "encoding": "CSV"},
    }  # fmt: skip
    found = attributes(record)
    assert 0 < found.pop("latency_ms") < 1000
    assert found == {"status": 200, "request_bytes": 3, "complete": 1}


def test_the_callers_headers_come_first(writer):
    headers = [
        CSV,
        (b"X-Amzn-SageMaker-Inference-Id", b"order-17"),
        (b"x-amzn-sagemaker-custom-attributes", b"trace=9;user=\xe9"),
    ]
    called(answering(start(), piece(b"1")), writer, [part(b"")], headers=headers)
    [record] = records(writer)
    assert record["eventMetadata"]["inferenceId"] == "order-17"
    first, *ours = record["eventMetadata"]["customAttributes"]
    assert first == "trace=9;user=é"
    assert [text.partition("=")[0] for text in ours] == ["latency_ms", "status", "request_bytes", "complete"]


def test_latency_is_measured_to_the_last_byte(writer):
    async def app(scope, receive, send):
        await send(start())
        await asyncio.sleep(0.05)
        await send(piece(b"1"))
        await asyncio.sleep(0.2)

    called(app, writer, [])
    assert 50 <= attributes(records(writer)[0])["latency_ms"] < 200


@pytest.mark.parametrize(
    "scope",
    [
        {"path": "/ping"},
        {"path": "/invocations/"},
        {"method": "GET"},
        {"type": "websocket"},
        {"type": "lifespan"},
        {"type": "something.new"},
    ],
)
def test_everything_else_passes_by_unseen(writer, scope):
    answer = [start(), piece(b"1")]
    sent = called(answering(*answer), writer, [part(b"")], **scope)
    assert all(one is other for one, other in zip(sent, answer, strict=True))
    assert writer.counts == Counts()


def test_what_is_not_drawn_is_not_even_wrapped(tmp_path):
    seen = []

    async def app(scope, receive, send):
        seen.extend((scope, receive, send))

    async def nothing(*_):
        pass

    with CaptureWriter(config(tmp_path, initial_sampling_percentage=0)) as writer:
        scope = {**HTTP, "headers": []}
        asyncio.run(CaptureMiddleware(app, writer)(scope, nothing, nothing))
    assert seen == [scope, nothing, nothing]


def test_an_error_is_raised_on_and_captured_without_an_answer(writer):
    with pytest.raises(ZeroDivisionError):
        called(answering(ZeroDivisionError()), writer, [part(b"1,2")])
    [record] = records(writer)
    assert (data(record, "endpointInput"), data(record, "endpointOutput")) == ("1,2", None)
    assert attributes(record).items() >= {"status": 500, "complete": 0, "request_bytes": 3}.items()


def test_an_error_in_mid_answer_keeps_the_status_that_was_sent(writer):
    with pytest.raises(ZeroDivisionError):
        called(answering(start(), piece(b"0.", more=True), ZeroDivisionError()), writer, [part(b"1")])
    [record] = records(writer)
    assert data(record, "endpointOutput") is None
    assert attributes(record).items() >= {"status": 200, "complete": 0}.items()


@pytest.mark.parametrize("status", [400, 422, 500, 503])
def test_the_text_of_an_error_is_no_prediction(writer, status):
    sent = called(answering(start(status), piece(b"no")), writer, [part(b"1")])
    assert [message.get("status") for message in sent] == [status, None]
    [record] = records(writer)
    assert list(record["captureData"]) == ["endpointInput"]
    assert attributes(record).items() >= {"status": status, "complete": 1}.items()


def test_a_client_that_leaves_before_the_answer_is_told_apart(writer):
    with pytest.raises(ZeroDivisionError):
        called(answering(ZeroDivisionError(), reads=2), writer, [part(b"1,2", more=True), LEFT])
    [record] = records(writer)
    assert record["captureData"] == {}
    assert attributes(record).items() >= {"status": 499, "complete": 0, "request_bytes": 3}.items()


def test_a_server_that_refuses_the_answer_is_an_incomplete_call(writer):
    async def receive():
        return part(b"1")

    async def send(message):
        if message["type"] == "http.response.body":
            raise OSError("the client has left")

    app = CaptureMiddleware(answering(start(), piece(b"2")), writer)
    with pytest.raises(OSError, match="has left"):
        asyncio.run(app({**HTTP, "headers": [CSV]}, receive, send))
    [record] = records(writer)
    assert data(record, "endpointOutput") is None
    assert attributes(record)["complete"] == 0


def test_a_call_cut_off_by_the_server_is_captured(writer):
    async def app(scope, receive, send):
        await asyncio.sleep(10)

    async def main():
        task = asyncio.create_task(CaptureMiddleware(app, writer)({**HTTP, "headers": []}, None, None))
        await asyncio.sleep(0.01)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(main())
    assert attributes(records(writer)[0]).items() >= {"status": 500, "complete": 0}.items()


@pytest.mark.parametrize(("options", "dropped"), [(("Input", "Output"), 1), (("Input",), 1), (("Output",), 0)])
def test_a_body_beyond_the_bound_passes_whole_and_is_dropped_where_it_is_wanted(tmp_path, options, dropped):
    with CaptureWriter(config(tmp_path, body_bytes=100, capture_options=options)) as writer:
        parts = [part(b"x" * 60, more=True), part(b"x" * 60, more=True), part(b"x")]
        got = []

        async def app(scope, receive, send):
            got.extend([await receive(), await receive(), await receive()])
            await send(start())
            await send(piece(b"1"))

        called(app, writer, parts)
    assert all(one is other for one, other in zip(got, parts, strict=True))
    assert writer.counts == Counts(sampled=1, captured=1 - dropped, too_large=dropped)


def test_a_long_stream_is_not_kept(tmp_path):
    kept = []

    async def app(scope, receive, send):
        await send(start())
        for number in range(2000):
            await send(piece(b"x" * 1000, more=True))
            if number % 100 == 99:
                kept.append(sum(map(len, send.__self__._output._parts)))
        await send(piece(b""))

    with CaptureWriter(config(tmp_path, body_bytes=50_500)) as writer:
        sent = called(app, writer, [part(b"")])
    assert sum(len(message.get("body", b"")) for message in sent) == 2_000_000
    assert max(kept) <= 50_500
    assert writer.counts == Counts(sampled=1, too_large=1)


def test_an_application_that_never_reads_has_no_input(writer):
    called(answering(start(), piece(b"1"), reads=0), writer, [])
    [record] = records(writer)
    assert list(record["captureData"]) == ["endpointOutput"]
    assert attributes(record)["request_bytes"] == 0


@pytest.mark.parametrize("end", ["lifespan.shutdown.complete", "lifespan.shutdown.failed"])
def test_the_end_of_the_lifespan_closes_the_writer_first(writer, end):
    waiting = []

    async def app(scope, receive, send):
        await send({"type": "lifespan.startup.complete"})
        await CaptureMiddleware(answering(start(), piece(b"1")), writer)({**HTTP, "headers": []}, one, nothing)
        await send({"type": end})

    async def one():
        return part(b"")

    async def nothing(_):
        pass

    async def send(message):
        waiting.append((message["type"], writer.counts.waiting))

    asyncio.run(CaptureMiddleware(app, writer)({"type": "lifespan"}, one, send))
    assert waiting == [("lifespan.startup.complete", 0), (end, 0)]
    assert writer.counts == Counts(sampled=1, captured=1)


def test_starlette_applications_of_every_kind_answer_the_same_with_it(writer):
    async def streamed(request: Request) -> Response:
        chunks = [chunk async for chunk in request.stream()]

        async def answer():
            for chunk in chunks:
                yield chunk

        return StreamingResponse(answer(), media_type="text/csv")

    async def plain(request: Request) -> Response:
        return PlainTextResponse(await request.body(), headers={"x-one": "1"})

    for endpoint in (streamed, plain):
        routes = [Route("/invocations", endpoint, methods=["POST"])]
        watched = Starlette(routes=routes, middleware=[Middleware(CaptureMiddleware, writer=writer)])
        parts = [part(b"1,", more=True), part(b"2"), LEFT]
        bare: list[dict] = called(
            Starlette(routes=routes),
            CaptureWriter(config(Path(writer.config.destination), enable_capture=False)),
            parts,
        )
        assert called_without(watched, parts) == bare
    assert [data(one, "endpointInput") for one in records(writer)] == ["1,2", "1,2"]


def called_without(app, messages) -> list[dict]:
    sent: list[dict] = []
    arriving = iter(messages)

    async def receive():
        return next(arriving)

    async def send(message):
        sent.append(message)

    asyncio.run(app({**HTTP, "headers": [CSV]}, receive, send))
    return sent
