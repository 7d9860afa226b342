"""Live endpoints as models: rows are sent in batches, no faster than agreed, and again where the endpoint fails."""

import csv
import io
import json
import re
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from importlib import import_module
from math import isnan
from queue import Empty, SimpleQueue
from threading import Thread
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from tenacity import RetryCallState, Retrying, retry_if_exception_type, stop_after_attempt, wait_random_exponential

from monitor_tasks.io.remote import Credentials
from monitor_tasks.value import UserError

SAGEMAKER = "sagemaker://"
LIVE = (SAGEMAKER, "http://", "https://")
"""How addresses of live endpoints begin."""
SECRET = "MONITOR_TASKS_AUTHORIZATION"  # noqa: S105 - the variable's name
"""The environment variable with what is sent as HTTP header ``Authorization``; no YAML holds it."""
LONGEST_WAIT = 20.0
"""Seconds between two attempts, at most."""
_AGAIN = {408, 425, 429, 500, 502, 503, 504}
"""HTTP answers that may be others a moment later."""
_THROTTLED = {"ThrottlingException", "ServiceUnavailable", "InternalFailure", "InternalDependencyException",
              "ModelNotReadyException", "TooManyRequestsException", "RequestTimeout"}  # fmt: skip

Send = Callable[[bytes], bytes]


class Requests(NamedTuple):
    """How a live endpoint is asked: the part of the settings' ``predictor`` that is about requests."""

    content_type: str = "text/csv"
    accept_type: str | None = None
    probability: str | None = None
    batch_rows: int = 500
    timeout: float = 60.0
    attempts: int = 5
    requests_per_second: float = 10.0


class Busy(Exception):
    """The endpoint may answer a moment later: throttled, failing, or silent."""


class LiveModel:
    """The model behind a live endpoint."""

    names = ()
    width = None

    def __init__(self, address: str, send: Send, settings: Requests, wait: Any = None) -> None:
        """The model that `send` asks; `wait` between attempts is tenacity's."""
        self.address, self._send, self._settings = address, send, settings
        self._next = 0.0
        self._retrying = Retrying(
            retry=retry_if_exception_type(Busy), stop=stop_after_attempt(settings.attempts),
            wait=wait or wait_random_exponential(0.5, max=LONGEST_WAIT), retry_error_callback=self._gave_up,
        )  # fmt: skip

    def predict(self, frame: Any) -> NDArray[np.float64]:
        """What the endpoint answers for the rows, one line a row.

        Raises:
            UserError: it refuses, stays busy, or does not answer one line a row.
        """
        step = self._settings.batch_rows
        parts = [self._asked(frame.iloc[start : start + step]) for start in range(0, len(frame), step)]
        return np.concatenate(parts) if parts else np.empty((0, 1))

    def _asked(self, frame: Any) -> NDArray[np.float64]:
        text = self._retrying(self._in_turn, written(frame, self._settings.content_type))
        rows = read_answer(text, self._settings, self.address)
        if len(rows) != len(frame) or len({len(row) for row in rows}) > 1:
            raise UserError(
                f"{self.address}: answered {len(rows)} lines of {sorted({len(row) for row in rows})} numbers to "
                f"{len(frame)} rows; expected one line a row, all alike: name where they stand in predictor.probability"
            )
        return np.array(rows, np.float64)

    def _in_turn(self, body: bytes) -> bytes:
        """Sends one request, not before its turn."""
        time.sleep(max(0.0, self._next - time.monotonic()))
        self._next = time.monotonic() + 1 / self._settings.requests_per_second
        return _in_time(self._send, body, self._settings.timeout)

    def _gave_up(self, state: RetryCallState) -> bytes:
        error = state.outcome.exception() if state.outcome else None
        raise UserError(
            f"{self.address}: {error} ({state.attempt_number} attempts); lower predictor.requests_per_second or "
            "predictor.batch_rows, or raise predictor.timeout or predictor.attempts"
        ) from error


def _in_time(send: Send, body: bytes, seconds: float) -> bytes:
    """The whole answer, if it has come after so many seconds: one that drips keeps every single read within its time.

    A thread waits for it, which is left to itself when the time is over; it never keeps the process from ending.
    """
    found: SimpleQueue[bytes | BaseException] = SimpleQueue()

    def wait() -> None:
        try:
            found.put(send(body))
        except BaseException as error:  # noqa: BLE001 - it is raised where the answer is waited for
            found.put(error)

    Thread(target=wait, daemon=True).start()
    try:
        answer = found.get(timeout=seconds)
    except Empty:
        raise Busy(f"no whole answer in {seconds:g} s") from None
    if isinstance(answer, BaseException):
        raise answer
    return answer


def live_model(address: str, settings: Requests, credentials: Credentials | None = None) -> LiveModel:
    """The model behind ``sagemaker://endpoint[/variant]`` or a URL that rows are posted to.

    Raises:
        UserError: the address names no endpoint.
    """
    if address.startswith(SAGEMAKER):
        return LiveModel(address, _sagemaker(address, settings, credentials or {}), settings)
    return LiveModel(address, _http(address, settings), settings)


def _sagemaker(address: str, settings: Requests, credentials: Credentials) -> Send:
    """Through ``invoke_endpoint``; tries again by itself never, since the rate is ours."""
    name, _, variant = address.removeprefix(SAGEMAKER).partition("/")
    if not re.fullmatch(r"[a-zA-Z0-9](-*[a-zA-Z0-9]){0,62}", name):
        raise UserError(f"{address}: is no endpoint; write it as sagemaker://endpoint-name")
    boto3, errors = import_module("boto3"), import_module("botocore.exceptions")
    config = import_module("botocore.config").Config(
        connect_timeout=settings.timeout, read_timeout=settings.timeout, retries={"total_max_attempts": 1}
    )
    try:
        client = boto3.client("sagemaker-runtime", config=config, **_keys(credentials))
    except errors.BotoCoreError as error:
        raise UserError(f"{address}: {error}; name an Airflow connection with its region, or set AWS_REGION") from error
    more = {"TargetVariant": variant} if variant else {}

    def send(body: bytes) -> bytes:
        try:
            answer = client.invoke_endpoint(
                EndpointName=name, Body=body, ContentType=settings.content_type, Accept=_accepted(settings), **more
            )
            return bytes(answer["Body"].read())
        except errors.ClientError as error:
            code = str(error.response["Error"]["Code"])
            status = error.response["ResponseMetadata"].get("HTTPStatusCode")
            if code in _THROTTLED or {status, error.response.get("OriginalStatusCode")} & _AGAIN:
                raise Busy(f"the endpoint is busy: {code}") from error
            raise UserError(f"{address}: {code}: {_line(error.response['Error'].get('Message', ''))}") from error
        except (errors.NoCredentialsError, errors.NoRegionError) as error:
            raise UserError(f"{address}: {error}; name an Airflow connection, or set AWS_ACCESS_KEY_ID") from error
        except (errors.BotoCoreError, errors.HTTPClientError) as error:
            raise Busy(f"no answer: {type(error).__name__}") from error

    return send


def _keys(credentials: Credentials) -> dict[str, Any]:
    """What opens our addresses, by boto3's names; without any, boto3 looks for its own."""
    known: dict[str, Any] = dict(credentials)
    provider = known.get("credential_provider")
    held = provider() if callable(provider) else {}
    named = {
        "aws_access_key_id": known.get("aws_access_key_id") or held.get("access_key_id"),
        "aws_secret_access_key": known.get("aws_secret_access_key") or held.get("secret_access_key"),
        "aws_session_token": known.get("aws_session_token") or held.get("token"),
        "region_name": known.get("aws_region"),
    }
    return {name: value for name, value in named.items() if value}


def _http(address: str, settings: Requests) -> Send:
    """By POST; the certificate is checked, and no other address is followed to."""
    from os import environ

    headers = {"Content-Type": settings.content_type, "Accept": _accepted(settings)}
    if secret := environ.get(SECRET):
        headers["Authorization"] = secret
    opener = urllib.request.build_opener(_NoRedirects)

    def send(body: bytes) -> bytes:
        request = urllib.request.Request(address, body, headers, method="POST")  # noqa: S310 - LIVE's schemes only
        try:
            with opener.open(request, timeout=settings.timeout) as answer:
                return bytes(answer.read())
        except urllib.error.HTTPError as error:
            with error:
                if error.code in _AGAIN:
                    raise Busy(f"the endpoint is busy: HTTP status {error.code}") from error
                raise UserError(
                    f"{address}: the endpoint refused the rows: HTTP status {error.code}; check the address, "
                    f"predictor.content_type and the rights ({SECRET})"
                ) from error
        except (OSError, import_module("http.client").HTTPException) as error:
            raise Busy(f"no answer: {_line(str(getattr(error, 'reason', error))) or type(error).__name__}") from error

    return send


class _NoRedirects(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_: Any) -> None:
        """Rows go where the configuration says, and nowhere else."""


def written(frame: Any, content_type: str) -> bytes:
    """The rows as a request's body; a missing cell is empty in CSV and null in JSON.

    ``application/json``: ``{"instances": [{"features": [..]}]}``; ``application/jsonlines``: ``{"features": [..]}``.
    """
    rows = [[_cell(cell) for cell in row] for row in frame.itertuples(index=False)]
    if content_type == "text/csv":
        text = io.StringIO()
        csv.writer(text, lineterminator="\n").writerows(
            [["" if cell is None else cell for cell in row] for row in rows]
        )
        return text.getvalue().encode()
    features = [{"features": row} for row in rows]
    if content_type == "application/json":
        return json.dumps({"instances": features}).encode()
    return b"".join(json.dumps(one).encode() + b"\n" for one in features)


def _cell(cell: Any) -> Any:
    """A whole number without its point, as most models were trained on it."""
    if isinstance(cell, float):
        return None if isnan(cell) else int(cell) if cell.is_integer() and abs(cell) < 2**53 else cell
    return cell


def _found(path: str | None, value: Any) -> Any:
    return import_module("jmespath").search(path, value) if path else value


def read_answer(text: bytes, settings: Requests, address: str) -> list[list[float]]:
    """The numbers of an answer, one line a row.

    Raises:
        UserError: it holds something else.
    """
    kind, path = _accepted(settings), settings.probability
    try:
        if kind == "text/csv":
            return [[float(cell) for cell in row] for row in csv.reader(io.StringIO(text.decode())) if row]
        if kind == "application/json":
            value = json.loads(text)
            return [_numbers(row) for row in _found(path, value if path else _predictions(value))]
        lines = [json.loads(line) for line in text.splitlines() if line.strip()]
        return [_numbers(_found(path, line)) for line in lines]
    except (ValueError, TypeError, KeyError) as error:
        raise UserError(
            f"{address}: its answer cannot be read as {kind}: {type(error).__name__}; set predictor.accept_type, and "
            "predictor.probability to the JMESPath of the numbers"
        ) from error


def _predictions(value: Any) -> Any:
    return value["predictions"] if isinstance(value, dict) else value


def _numbers(row: Any) -> list[float]:
    """A number, a list of them, or an object that calls them as the usual model servers do."""
    if isinstance(row, dict):
        names = ("probabilities", "probability", "score", "scores", "prediction", "predictions", "predicted_label")
        row = row[next(name for name in names if name in row)] if any(name in row for name in names) else None
    if isinstance(row, list):
        return [float(one) for one in row]
    return [float(row)]


def _accepted(settings: Requests) -> str:
    return settings.accept_type or settings.content_type


def _line(text: str) -> str:
    """The first line of what a server said, without what it may quote of the rows."""
    return re.sub(r"(['\"]).*\1|\[.*\]", "…", (text.strip().splitlines() or [""])[0])[:200]
