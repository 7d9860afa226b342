"""The S3 server's own script ends with whoever started it; named so that no other server runs beside it yet.

Two of them at once leave neither enough of a small machine to start in time.
"""

import json
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.error import URLError
from urllib.request import urlopen

import pytest

from scripts.s3_gateway import Gateway

pytestmark = pytest.mark.long


@pytest.fixture
def script(repository: Path) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """The gateway's script as people start it, and the address that it prints."""
    if Gateway.missing():
        pytest.skip(f"not here: {', '.join(Gateway.missing())}")
    command = [sys.executable, str(repository / "scripts/s3_gateway.py")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        yield process, json.loads(process.stdout.readline())["aws_endpoint"]
        process.kill()


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGINT, signal.SIGKILL])
def test_the_gateway_ends_with_its_parent_however_that_ends(
    how: signal.Signals, script: tuple[subprocess.Popen[str], str]
) -> None:
    process, address = script
    with urlopen(address) as answer:
        assert answer.status == 200
    process.send_signal(how)
    assert process.wait(20) == (-how if how is signal.SIGKILL else 0)
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        try:
            urlopen(address).close()
        except (URLError, ConnectionError):
            return
        time.sleep(0.1)
    pytest.fail("the gateway still answers")
