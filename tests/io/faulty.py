"""A proxy before an S3 server that remembers every request and, with a seeded chance, treats some of them badly."""

import socket
import threading
import time
from collections import Counter
from collections.abc import Callable
from http.client import HTTPConnection, HTTPResponse
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from random import Random
from typing import Any, NamedTuple, Self
from urllib.parse import urlsplit

FAULTS = ("slow down", "dropped before", "dropped after", "cut", "stalled")
"""Answered 503; hung up on before or after the server did it; half of the answer's body; silence in mid-body."""

BUSY = b"<Error><Code>SlowDown</Code><Message>Reduce your request rate.</Message></Error>"


class Asked(NamedTuple):
    """One request as the server saw it."""

    method: str
    target: str
    fault: str
    port: int = 0
    """Whose connection it came by."""


class FaultyProxy:
    """Passes requests on to `server`; a share of them meets a fault of the list."""

    def __init__(self, server: str, share: float = 0.0, seed: int = 0, stall: float = 0.3) -> None:
        """A proxy that is not open yet; see ``with``."""
        self.server = urlsplit(server)
        self.share, self.stall, self.faults = share, stall, FAULTS
        self.asked: list[Asked] = []
        self.next: list[str] = []
        """The faults that the next requests meet, whatever the dice say."""
        self.heard: Callable[[int], object] = lambda number: None
        """Told the number of each request before it is passed on."""
        self._random, self._lock = Random(seed), threading.Lock()
        self._http = _Server(("127.0.0.1", 0), _Passing)
        self._http.proxy = self
        self.address = f"http://127.0.0.1:{self._http.server_port}"

    def __enter__(self) -> Self:
        threading.Thread(target=self._http.serve_forever, args=(0.05,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._http.shutdown()
        self._http.server_close()

    @property
    def injected(self) -> Counter[str]:
        """How often each fault was met."""
        return Counter(one.fault for one in self.asked if one.fault)

    def fate(self, method: str, target: str, port: int = 0) -> str:
        """The fault that a request meets; empty for none."""
        with self._lock:
            unlucky = self._random.random() < self.share
            fault = self.next.pop(0) if self.next else self._random.choice(self.faults) if unlucky else ""
            self.asked.append(Asked(method, target, fault, port))
            self.heard(len(self.asked))
        return fault


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    proxy: FaultyProxy

    def handle_error(self, *_: Any) -> None:
        """A client that hangs up is no news here."""


class _Passing(BaseHTTPRequestHandler):
    """One connection: each request is read whole, met by its fate, and answered."""

    protocol_version = "HTTP/1.1"
    server: _Server

    def log_message(self, *_: object) -> None: ...

    def _pass(self) -> None:
        body = self.rfile.read(int(self.headers.get("content-length") or 0))
        proxy = self.server.proxy
        fault = proxy.fate(self.command, self.path, self.client_address[1])
        if fault == "slow down":
            return self._say(503, [], BUSY)
        if fault == "dropped before":
            return self._hang_up()
        code, headers, answer = self._ask(proxy.server.netloc, body)
        if fault == "dropped after":
            return self._hang_up()
        if fault == "cut":
            self._say(code, headers, answer, answer[: len(answer) // 2])
            return self._hang_up()
        pause = (lambda: time.sleep(proxy.stall)) if fault == "stalled" else None
        return self._say(code, headers, answer, pause=pause)

    def _ask(self, server: str, body: bytes) -> tuple[int, list[tuple[str, str]], bytes]:
        connection = HTTPConnection(server, timeout=60)
        try:
            connection.putrequest(self.command, self.path, skip_host=True, skip_accept_encoding=True)
            for name, value in self.headers.items():
                connection.putheader(name, value)
            connection.endheaders(body)
            answer: HTTPResponse = connection.getresponse()
            return answer.status, answer.getheaders(), answer.read()
        finally:
            connection.close()

    def _say(
        self,
        code: int,
        headers: list[tuple[str, str]],
        body: bytes,
        part: bytes | None = None,
        pause: Callable[[], None] | None = None,
    ) -> None:
        """Answers with the headers of the whole body and a part of it."""
        self.send_response_only(code)
        ours = ("content-length", "transfer-encoding", "connection")
        known = {name.lower(): value for name, value in headers}
        for name, value in headers:
            if name.lower() not in ours:
                self.send_header(name, value)
        if code != 204:
            length = known.get("content-length", "0") if self.command == "HEAD" else str(len(body))
            self.send_header("content-length", length)
        self.end_headers()
        if self.command == "HEAD":
            return
        half = len(body) // 2 if pause else 0
        self.wfile.write(body[:half])
        if pause:
            self.wfile.flush()
            pause()
        self.wfile.write(body[half:] if part is None else part)

    def _hang_up(self) -> None:
        self.wfile.flush()
        self.close_connection = True
        self.connection.shutdown(socket.SHUT_RDWR)

    do_GET = do_PUT = do_HEAD = do_POST = do_DELETE = _pass  # noqa: N815 - the names that http.server looks for
