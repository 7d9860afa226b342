"""A server of the tests' own that answers as AWS does."""

from collections.abc import Iterator
from contextlib import contextmanager
from urllib.request import Request, urlopen

from moto.server import ThreadedMotoServer


@contextmanager
def moto_server() -> Iterator[str]:
    """The address of a server that forgets all and stops when it is left; all servers of a process share one memory."""
    server = ThreadedMotoServer(port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    address = f"http://{host}:{port}"
    try:
        yield address
    finally:
        forget(address)
        server.stop()


def forget(address: str) -> None:
    """Lets the server at an address, and any other of its process, forget what it was told."""
    urlopen(Request(f"{address}/moto-api/reset", method="POST")).close()
