"""Metrics, events and hooks going out: clients of other systems, each asked again before it is an error."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

from monitor_tasks.io.content import digest
from monitor_tasks.io.store import Credentials, Missing, Store, open_object
from monitor_tasks.value import UserError

BATCH = 500
"""So many metrics go to CloudWatch in one request; it takes 1,000 and 1 MB of them."""
PATIENCE = 600.0
"""Seconds that a postprocess script may take."""
_RUN = """
import runpy, sys
handler = runpy.run_path(sys.argv[1]).get("postprocess_handler")
sys.exit("it has no function postprocess_handler(); add it") if handler is None else handler()
"""


class Receipts(NamedTuple):
    """What was confirmed of several requests that are one message together, by the hash of each."""

    store: Store
    prefix: str
    """What the receipts' keys begin with."""

    def has(self, content: str) -> bool:
        """Whether the request with this hash was confirmed."""
        return self.store.has(f"{self.prefix}-{content}")

    def note(self, content: str) -> None:
        """Notes that it was."""
        self.store.put(f"{self.prefix}-{content}", b"")


def put_metrics(
    options: Mapping[str, Any], namespace: str, metrics: Sequence[Mapping[str, Any]], receipts: Receipts
) -> None:
    """Puts metrics into CloudWatch in batches, each of which is sent until it was confirmed, and not again then.

    Args:
        options: What the client is made with.
        namespace: Where the metrics stand.
        metrics: The metrics, in an order that is the same every time.
        receipts: Which batches were confirmed before; every further one is noted there.

    Raises:
        UserError: CloudWatch cannot be reached, or takes them not; what was confirmed until then is noted.
    """
    with _client("cloudwatch", options) as client:
        for start in range(0, len(metrics), BATCH):
            batch = list(metrics[start : start + BATCH])
            content = digest(json.dumps([namespace, batch]).encode())
            if not receipts.has(content):
                client.put_metric_data(Namespace=namespace, MetricData=batch)
                receipts.note(content)


def put_event(options: Mapping[str, Any], bus: str, kind: str, detail: Mapping[str, Any]) -> None:
    """Puts one event of the source ``monitor-tasks`` on an EventBridge bus.

    Raises:
        UserError: EventBridge cannot be reached, or takes it not.
    """
    entry = {"Source": "monitor-tasks", "DetailType": kind, "Detail": json.dumps(detail), "EventBusName": bus}
    with _client("events", options) as client:
        for tries_left in (2, 1, 0):
            failed = [one for one in client.put_events(Entries=[entry])["Entries"] if "ErrorCode" in one]
            if failed and not tries_left:
                said = f"{failed[0]['ErrorCode']}: {failed[0].get('ErrorMessage', '')}"
                raise UserError(f"EventBridge, bus {bus}: {said}; check the bus and its rights")
            if not failed:
                return


@contextmanager
def _client(service: str, options: Mapping[str, Any]) -> Iterator[Any]:
    """A client of an AWS service that asks again where it is throttled or cut off."""
    import boto3
    from botocore.config import Config
    from botocore.exceptions import BotoCoreError, ClientError

    patience = Config(retries={"mode": "standard", "max_attempts": 5}, connect_timeout=10, read_timeout=30)
    try:
        yield boto3.client(service, config=patience, **options)
    except (BotoCoreError, ClientError) as error:
        raise UserError(f"{service}: {error}; check the connection's rights, region and endpoint") from error


def text_at(address: str, credentials: Credentials | None) -> bytes:
    """What lies at an address; nothing where nothing does."""
    store, key = open_object(address, credentials)
    try:
        return store.get(key)
    except Missing:
        return b""


def put_text(address: str, credentials: Credentials | None, text: bytes) -> None:
    """Writes one object at an address, never visible half-written."""
    store, key = open_object(address, credentials)
    store.put(key, text)


def postprocess(script: bytes, address: str, files: Mapping[str, bytes], environment: Mapping[str, str]) -> str:
    """Runs a script's ``postprocess_handler()`` in a process and a folder of its own; why it failed, or nothing.

    Args:
        script: The script.
        address: Where it lies, for messages.
        files: What it finds in its folder, which is also its ``output_path``.
        environment: Further variables, as SageMaker's container has them.
    """
    with TemporaryDirectory() as folder:
        output, code = Path(folder) / "output", Path(folder) / "script.py"
        output.mkdir()
        code.write_bytes(script)
        for name, content in files.items():
            (output / name).write_bytes(content)
        known = {**os.environ, **environment, "output_path": str(output)}
        try:
            done = subprocess.run(  # noqa: S603 running it is what the user asks for
                [sys.executable, "-c", _RUN, str(code)],
                cwd=output, env=known, capture_output=True, timeout=PATIENCE, check=False,
            )  # fmt: skip
        except subprocess.TimeoutExpired:
            return f"{address}: postprocess_handler took longer than {PATIENCE:.0f} s and was ended"
    said = (done.stderr.decode("utf-8", "replace").strip().splitlines() or [f"exit code {done.returncode}"])[-1]
    return f"{address}: postprocess_handler failed: {said[:500]}" if done.returncode else ""
