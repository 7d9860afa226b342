"""Real servers on loopback: uvicorn in a thread with many clients, and stores that can be told to fail."""

import http.client
import socket
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Event, Thread
from typing import Any

import uvicorn

CLIENTS = 6


@contextmanager
def served(app: Any, **options: Any) -> Iterator[int]:
    """The port of a uvicorn that serves `app`, and has shut down when the block ends."""
    with closing(socket.socket()) as listening:
        listening.bind(("127.0.0.1", 0))
        server = uvicorn.Server(uvicorn.Config(app, log_level="error", ws="none", **options))
        thread = Thread(target=server.run, kwargs={"sockets": [listening]})
        thread.start()
        while not server.started:
            time.sleep(0.01)
        try:
            yield listening.getsockname()[1]
        finally:
            server.should_exit = True
            thread.join()


def post(connection: http.client.HTTPConnection, path: str, body: bytes, **headers: str) -> tuple[int, bytes]:
    connection.request("POST", path, body, {name.replace("_", "-"): value for name, value in headers.items()})
    answer = connection.getresponse()
    return answer.status, answer.read()


class Load:
    """Clients that call ``/invocations`` one request after the other until told to stop; every answer is checked."""

    def __init__(self, port: int) -> None:
        self.requests = self.failed = 0
        self._stop = Event()
        self._port = port
        self._pool = ThreadPoolExecutor(CLIENTS)
        self._clients = [self._pool.submit(self._client, number) for number in range(CLIENTS)]

    def __enter__(self) -> "Load":
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._pool.shutdown()
        for client in self._clients:
            requests, failed = client.result()
            self.requests += requests
            self.failed += failed

    def _client(self, number: int) -> tuple[int, int]:
        requests = failed = 0
        with closing(http.client.HTTPConnection("127.0.0.1", self._port, timeout=20)) as connection:
            while not self._stop.is_set():
                answer = post(connection, "/invocations", b"%d,%d\n" % (number, requests), content_type="text/csv")
                failed += answer != (200, b"%d" % (number + requests))
                requests += 1
        return requests, failed


class Outage:
    """A folder on a disk that comes and goes at one stroke: its mount is a link, to a folder or to a file."""

    def __init__(self, root: Path) -> None:
        self.folder = root / "mount" / "captures"
        (root / "disk").mkdir()
        (root / "nothing").touch()
        self._root = root
        self.end()

    def begin(self) -> None:
        self._mount("nothing")

    def end(self) -> None:
        self._mount("disk")

    def _mount(self, name: str) -> None:
        link = self._root / "link"
        link.symlink_to(self._root / name)
        link.replace(self._root / "mount")


class FakeS3(ThreadingHTTPServer):
    """Takes objects; answers 503 while it is `down`, and holds its answer back while it `hangs`."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _S3Handler)
        self.objects: dict[str, bytes] = {}
        self.down, self.refused = False, 0
        self.hangs = Event()
        self.hangs.set()

    @property
    def credentials(self) -> dict[str, str]:
        keys = {"aws_access_key_id": "nobody", "aws_secret_access_key": "nothing", "aws_region": "us-east-1"}
        return {**keys, "aws_endpoint": f"http://127.0.0.1:{self.server_port}"}


class _S3Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: FakeS3

    def do_PUT(self) -> None:
        content = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.hangs.wait(20)
        if self.server.down:
            self.server.refused += 1
        else:
            self.server.objects[self.path.removeprefix("/bucket/")] = content
        self.send_response(503 if self.server.down else 200)
        self.send_header("ETag", '"0"')
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


@contextmanager
def fake_s3() -> Iterator[FakeS3]:
    with FakeS3() as server:
        thread = Thread(target=server.serve_forever)
        thread.start()
        try:
            yield server
        finally:
            server.hangs.set()
            server.shutdown()
            thread.join()
