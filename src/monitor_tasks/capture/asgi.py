"""CaptureMiddleware: captures the calls of an ASGI server (FastAPI, Starlette) as they pass by, unchanged."""

from collections.abc import Awaitable, Callable, Collection, Iterator, MutableMapping
from time import perf_counter
from typing import Any

from monitor_tasks.capture.record import Call, Payload
from monitor_tasks.capture.writer import CaptureWriter
from monitor_tasks.window import now

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[MutableMapping[str, Any], Receive, Send], Awaitable[None]]

INFERENCE_ID = b"x-amzn-sagemaker-inference-id"
CUSTOM_ATTRIBUTES = b"x-amzn-sagemaker-custom-attributes"
NO_ANSWER, CLIENT_LEFT = 500, 499


class CaptureMiddleware:
    """Offers every call of certain paths to a writer, with latency, status and size; closes it at shutdown."""

    def __init__(
        self,
        app: App,
        writer: CaptureWriter,
        paths: Collection[str] = ("/invocations",),
        methods: Collection[str] = ("POST",),
    ) -> None:
        """The application `app`, watched; everything but the named paths and methods passes by unseen."""
        self.app = app
        self.writer = writer
        self.paths = frozenset(paths)
        self.methods = frozenset(methods)

    async def __call__(self, scope: MutableMapping[str, Any], receive: Receive, send: Send) -> None:
        """One connection, as ASGI has it."""
        kind = scope["type"]
        if kind == "lifespan":
            await self.app(scope, receive, self._closing(send))
        elif (
            kind == "http" and scope["path"] in self.paths and scope["method"] in self.methods and self.writer.sample()
        ):
            seen = _Seen(scope, receive, send, self.writer)
            try:
                await self.app(scope, seen.receive, seen.send)
            finally:
                seen.hand_over()
        else:
            await self.app(scope, receive, send)

    def _closing(self, send: Send) -> Send:
        """Closes the writer when the application has shut down: no request is left that could wait for it."""

        async def sending(message: Message) -> None:
            if message["type"].startswith("lifespan.shutdown."):
                self.writer.close()
            await send(message)

        return sending


class _Body:
    """A body that passes by: its size, and its parts while they are few enough to be kept."""

    def __init__(self, limit: int) -> None:
        self.size = 0
        self.is_whole = False
        self.limit = limit
        self._parts: list[bytes] = []

    def see(self, part: bytes) -> None:
        self.size += len(part)
        if self.size <= self.limit:
            self._parts.append(bytes(part))
        else:
            self._parts.clear()

    def payload(self, content_type: str | None) -> Payload:
        return Payload(b"".join(self._parts), content_type)


class _Seen:
    """One call as it passes by."""

    def __init__(self, scope: MutableMapping[str, Any], receive: Receive, send: Send, writer: CaptureWriter) -> None:
        self._began, self._time = perf_counter(), now()
        self._scope, self._receive, self._send, self._writer = scope, receive, send, writer
        options, limit = writer.config.capture_options, writer.config.body_bytes
        self._input = _Body(limit if "Input" in options else 0)
        self._output = _Body(limit if "Output" in options else 0)
        self._status = 0
        self._content_type: str | None = None
        self._has_left = False
        self._ended = 0.0

    async def receive(self) -> Message:
        message = await self._receive()
        if message["type"] == "http.request":
            self._input.see(message.get("body") or b"")
            self._input.is_whole = not message.get("more_body", False)
        elif message["type"] == "http.disconnect":
            self._has_left = True
        return message

    async def send(self, message: Message) -> None:
        is_last = False
        if message["type"] == "http.response.start":
            self._status = message["status"]
            self._content_type = next(_values(message, b"content-type"), None)
        elif message["type"] == "http.response.body":
            self._output.see(message.get("body") or b"")
            is_last = not message.get("more_body", False)
        await self._send(message)
        if is_last:
            self._output.is_whole, self._ended = True, perf_counter()

    def hand_over(self) -> None:
        """Gives the call to the writer; a side that did not pass whole, or is an error's text, is left out."""
        options, status = self._writer.config.capture_options, self._status
        has_input = "Input" in options and self._input.is_whole
        has_output = "Output" in options and self._output.is_whole and status < 400
        sides = [body for body, there in ((self._input, has_input), (self._output, has_output)) if there]
        if any(body.size > body.limit for body in sides):
            self._writer.drop("too_large")
            return
        measured = {
            "latency_ms": f"{((self._ended or perf_counter()) - self._began) * 1000:.3f}",
            "status": status or (CLIENT_LEFT if self._has_left else NO_ANSWER),
            "request_bytes": self._input.size,
            "complete": int(self._output.is_whole),
        }
        self._writer.keep(
            Call(
                self._input.payload(next(_values(self._scope, b"content-type"), None)) if has_input else None,
                self._output.payload(self._content_type) if has_output else None,
                self._time,
                next(_values(self._scope, INFERENCE_ID), None),
                (
                    *_values(self._scope, CUSTOM_ATTRIBUTES),
                    *(f"{name}={value}" for name, value in measured.items()),
                ),
            )
        )


def _values(message: MutableMapping[str, Any], name: bytes) -> Iterator[str]:
    """Every value of a header, whatever the case of its name."""
    return (value.decode("latin-1") for key, value in message.get("headers", ()) if key.lower() == name)
