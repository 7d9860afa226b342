"""Live endpoints, over real HTTP and through real boto3: batches, rates, throttling, silence and nonsense."""

import json
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import pytest
from tenacity import wait_none

from monitor_tasks.io.models import Requests, live_model
from monitor_tasks.io.models.live import LiveModel, written
from monitor_tasks.value import UserError

FRAME = pd.DataFrame({"x": [1.0, 2.0, np.nan, 4.5], "kind": ["a", "b,c", "d", np.nan]})
Answer = Callable[[str, bytes], tuple[int, bytes]]


class Seen(NamedTuple):
    path: str
    headers: Any
    body: bytes
    at: float


class Endpoint:
    """An endpoint that answers as it is told, and remembers what it was asked."""

    def __init__(self) -> None:
        self.asked: list[Seen] = []
        self.answers: list[Any] = []
        self.usual: Answer = lambda _, body: (200, b"".join(b"0.25\n" for _ in body.splitlines()))
        self.body: Callable[[BaseHTTPRequestHandler], None] | None = None
        endpoint = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                endpoint.asked.append(Seen(self.path, self.headers, body, time.monotonic()))
                answer = endpoint.answers.pop(0) if endpoint.answers else endpoint.usual
                status, text = answer(self.path, body) if callable(answer) else answer
                self.send_response(status)
                self.send_header("Content-Length", str(1 << 20 if endpoint.body else len(text)))
                self.end_headers()
                if endpoint.body:
                    endpoint.body(self)
                else:
                    self.wfile.write(text)

            def log_message(self, *_: Any) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.address = f"http://127.0.0.1:{self.server.server_port}/invocations"
        threading.Thread(target=self.server.serve_forever, args=(0.01,), daemon=True).start()


@pytest.fixture
def endpoint() -> Iterator[Endpoint]:
    found = Endpoint()
    yield found
    found.server.shutdown()
    found.server.server_close()


def at(endpoint: Endpoint, **more: Any) -> LiveModel:
    found = live_model(endpoint.address, Requests(**{"requests_per_second": 1000.0, **more}))
    found._retrying.wait = wait_none()
    return found


def test_rows_are_sent_in_batches_and_answered_one_line_a_row(endpoint: Endpoint) -> None:
    assert at(endpoint, batch_rows=3).predict(FRAME).tolist() == [[0.25]] * 4
    assert [seen.body for seen in endpoint.asked] == [b'1,a\n2,"b,c"\n,d\n', b"4.5,\n"]
    assert endpoint.asked[0].headers["Content-Type"] == "text/csv"


@pytest.mark.parametrize(
    ("content_type", "body"),
    [
        ("application/json", b'{"instances": [{"features": [1, "a"]}, {"features": [null, "d"]}]}'),
        ("application/jsonlines", b'{"features": [1, "a"]}\n{"features": [null, "d"]}\n'),
    ],
)
def test_rows_as_json_are_those_of_sagemakers_containers(content_type: str, body: bytes) -> None:
    assert written(FRAME.iloc[[0, 2]], content_type) == body


@pytest.mark.parametrize(
    ("kind", "path", "text", "known"),
    [
        ("text/csv", None, b"0.1,0.9\n0.2,0.8\n", [[0.1, 0.9], [0.2, 0.8]]),
        ("application/json", None, b'{"predictions": [{"score": 0.1}, {"score": 0.2}]}', [[0.1], [0.2]]),
        ("application/json", None, b"[[0.1, 0.9], [0.2, 0.8]]", [[0.1, 0.9], [0.2, 0.8]]),
        ("application/json", "out[*].p", b'{"out": [{"p": 0.1}, {"p": 0.2}]}', [[0.1], [0.2]]),
        ("application/jsonlines", None, b'{"probability": 0.1}\n{"probability": 0.2}\n', [[0.1], [0.2]]),
        ("application/jsonlines", "a.b", b'{"a": {"b": [1, 2]}}\n{"a": {"b": [3, 4]}}', [[1.0, 2.0], [3.0, 4.0]]),
    ],
)
def test_answers_in_the_usual_forms(endpoint: Endpoint, kind: str, path: str, text: bytes, known: Any) -> None:
    endpoint.answers = [(200, text)]
    assert at(endpoint, accept_type=kind, probability=path).predict(FRAME.iloc[:2]).tolist() == known


@pytest.mark.parametrize("status", [429, 503])
def test_an_endpoint_that_throttles_is_asked_again(endpoint: Endpoint, status: int) -> None:
    endpoint.answers = [(status, b"")] * 3
    assert at(endpoint).predict(FRAME).shape == (4, 1)
    assert len(endpoint.asked) == 4


def test_one_that_stays_busy_is_one_clear_error(endpoint: Endpoint) -> None:
    endpoint.usual = lambda *_: (429, b"")
    with pytest.raises(UserError, match=r"busy: HTTP status 429 \(3 attempts\); lower predictor.requests_per_second"):
        at(endpoint, attempts=3).predict(FRAME)
    assert len(endpoint.asked) == 3


def test_one_that_is_silent_is_one_clear_error(endpoint: Endpoint) -> None:
    def wait(*_: Any) -> tuple[int, bytes]:
        time.sleep(0.5)
        return 200, b""

    endpoint.usual = wait
    with pytest.raises(
        UserError, match=r"no (answer: .*timed out|whole answer in 0.1 s).*\(2 attempts\).*raise predictor.timeout"
    ):
        at(endpoint, timeout=0.1, attempts=2).predict(FRAME)


def test_one_whose_answer_drips_is_left_when_its_time_is_over(endpoint: Endpoint) -> None:
    ended = threading.Event()

    def drip(handler: BaseHTTPRequestHandler) -> None:
        while not ended.wait(0.02):
            handler.wfile.write(b"0")
            handler.wfile.flush()

    endpoint.body = drip
    began = time.monotonic()
    with pytest.raises(UserError, match=r"no whole answer in 0.3 s \(2 attempts\); .*predictor.timeout"):
        at(endpoint, timeout=0.3, attempts=2).predict(FRAME)
    assert 0.6 <= time.monotonic() - began < 10
    ended.set()


def test_one_that_is_not_there_is_one_clear_error() -> None:
    model = LiveModel("http://127.0.0.1:9/x", live_model("http://127.0.0.1:9/x", Requests())._send,
                      Requests(attempts=2), wait_none())  # fmt: skip
    with pytest.raises(UserError, match=r"no answer: .*refused"):
        model.predict(FRAME)


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        ((400, b"no such column"), "refused the rows: HTTP status 400"),
        ((302, b""), "refused the rows: HTTP status 302"),
        ((200, b"0.1\n"), "answered 1 lines .* to 4 rows; expected one line a row"),
        ((200, b"1\n2\n3\n4,5\n"), "answered 4 lines of .1, 2. numbers"),
        ((200, b"<html>"), "cannot be read as text/csv: ValueError; set predictor.accept_type"),
    ],
)
def test_nonsense_is_asked_for_once_and_named(endpoint: Endpoint, answer: Any, message: str) -> None:
    endpoint.answers = [answer]
    with pytest.raises(UserError, match=message):
        at(endpoint).predict(FRAME)
    assert len(endpoint.asked) == 1


def test_no_more_requests_are_sent_than_agreed(endpoint: Endpoint) -> None:
    at(endpoint, batch_rows=1, requests_per_second=20.0).predict(FRAME)
    times = [seen.at for seen in endpoint.asked]
    assert times[-1] - times[0] >= 0.14


def test_a_secret_is_sent_from_the_environment(endpoint: Endpoint, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MONITOR_TASKS_AUTHORIZATION", "Bearer 123")
    at(endpoint).predict(FRAME)
    assert endpoint.asked[0].headers["Authorization"] == "Bearer 123"


def sagemaker(endpoint: Endpoint, monkeypatch: pytest.MonkeyPatch, name: str = "churn/blue", **more: Any) -> LiveModel:
    monkeypatch.setenv("AWS_ENDPOINT_URL_SAGEMAKER_RUNTIME", endpoint.address.removesuffix("/invocations"))
    keys = {"aws_access_key_id": "id", "aws_secret_access_key": "secret", "aws_region": "eu-west-1"}
    found = live_model(f"sagemaker://{name}", Requests(**{"requests_per_second": 1000.0, **more}), keys)
    found._retrying.wait = wait_none()
    return found


def test_sagemaker_is_asked_by_invoke_endpoint(endpoint: Endpoint, monkeypatch: pytest.MonkeyPatch) -> None:
    throttled = (400, json.dumps({"__type": "ThrottlingException", "Code": "ThrottlingException"}).encode())
    endpoint.answers = [throttled, (503, b"{}")]
    assert sagemaker(endpoint, monkeypatch).predict(FRAME).tolist() == [[0.25]] * 4
    assert len(endpoint.asked) == 3
    seen = endpoint.asked[-1]
    assert (seen.path, seen.body) == ("/endpoints/churn/invocations", b'1,a\n2,"b,c"\n,d\n4.5,\n')
    assert seen.headers["X-Amzn-SageMaker-Target-Variant"] == "blue"
    assert "Credential=id/" in seen.headers["Authorization"]


def test_what_sagemaker_refuses_is_one_clear_error(endpoint: Endpoint, monkeypatch: pytest.MonkeyPatch) -> None:
    endpoint.usual = lambda *_: (400, b'{"__type": "ValidationError", "Message": "Endpoint churn not found."}')
    with pytest.raises(UserError, match=r"sagemaker://churn/blue: ValidationError: Endpoint churn not found"):
        sagemaker(endpoint, monkeypatch).predict(FRAME)
    with pytest.raises(UserError, match="is no endpoint; write it as sagemaker://endpoint-name"):
        live_model("sagemaker://", Requests())
