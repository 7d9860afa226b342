"""What capture costs a model server: quantiles of its latency under a steady load, and records a second.

``python -m benchmarks.serving PORT REQUESTS`` is the load: requests due at a steady rate, whatever the answers take.
"""

import asyncio
import json
import subprocess
import sys
import time
from functools import partial
from pathlib import Path
from threading import Thread
from typing import Any

from benchmarks.data import FEATURES
from benchmarks.measure import Call, Cost, Peer, Step, Target

CONNECTIONS = 8
REQUESTS_A_SECOND = 800
WARM_UP = 200
BODY = ",".join(f"{number / 7:.4f}" for number in range(FEATURES)).encode()
QUANTILES = (0.5, 0.99)


def make(folder: Path, _: int) -> None:
    folder.mkdir(exist_ok=True)


def steps(rows: int) -> list[Step]:
    requests = max(rows // 4, 2 * WARM_UP)
    naive = Peer("json.dumps, append, flush", partial(_append_lines, rows))
    limit = Peer("limit: 10,000 records/s", Cost(rows / 10_000), (Target(1, "at most"),))
    latency = [
        Step(
            f"latency, {quantile:.0%} of {requests:,} calls within, all captured",
            partial(_serve, requests, quantile, True),
            (Peer("the same without capture", partial(_serve, requests, quantile, False)),),
        )
        for quantile in QUANTILES
    ]
    return [Step(f"{rows:,} records offered and on disk", partial(_offer_records, rows), (limit, naive)), *latency]


def _offer_records(rows: int, folder: Path) -> Call:
    from monitor_tasks.capture import Call, Payload

    writer = _writer(folder)

    def call() -> int:
        for _ in range(rows):
            writer.offer(Call(Payload(BODY, "text/csv"), Payload(b"0.71", "text/csv")))
        return writer.close().captured

    return call


def _append_lines(rows: int, folder: Path) -> Call:
    """What people write into the request's handler: the same record, one after the other."""
    import uuid
    from datetime import UTC, datetime

    def side(mode: str, data: bytes) -> dict[str, str]:
        return {"observedContentType": "text/csv", "mode": mode, "data": data.decode(), "encoding": "CSV"}

    def call() -> int:
        with (folder / f"{uuid.uuid4()}.jsonl").open("a") as file:
            for _ in range(rows):
                sides = {"endpointInput": side("INPUT", BODY), "endpointOutput": side("OUTPUT", b"0.71")}
                now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
                metadata = {"eventId": str(uuid.uuid4()), "inferenceTime": now}
                record = {"captureData": sides, "eventMetadata": metadata, "eventVersion": "0"}
                file.write(json.dumps(record) + "\n")
                file.flush()
        return rows

    return call


def _serve(requests: int, quantile: float, captured: bool, folder: Path) -> Call:
    """Uvicorn in this process with the load in another; the answer is the quantile of what the clients waited."""
    import socket

    import uvicorn

    writer = _writer(folder, enable_capture=captured)
    listening = socket.socket()
    listening.bind(("127.0.0.1", 0))
    config = uvicorn.Config(_service(writer if captured else None), log_level="warning", access_log=False)
    server = uvicorn.Server(config)
    thread = Thread(target=server.run, kwargs={"sockets": [listening]}, daemon=True)
    thread.start()
    while not server.started:
        time.sleep(0.01)

    def call() -> Cost:
        command = [sys.executable, "-m", "benchmarks.serving", str(listening.getsockname()[1]), str(requests)]
        waited = sorted(json.loads(subprocess.run(command, stdout=subprocess.PIPE, check=True).stdout))
        server.should_exit = True
        thread.join()
        listening.close()
        found = writer.counts
        if captured and (found.captured, found.dropped) != (requests, 0):
            raise AssertionError(f"{requests} requests, but {found}")
        return Cost(waited[int(quantile * len(waited))])

    return call


def _writer(folder: Path, **more: Any) -> Any:
    from monitor_tasks.capture import CaptureWriter, DataCaptureConfig

    wanted = {"initial_sampling_percentage": 100, "file_seconds": 1, "waiting_records": 10**9, **more}
    return CaptureWriter(DataCaptureConfig(endpoint_name="bench", destination=str(folder / "captures"), **wanted))


def _service(writer: Any) -> Any:
    """A FastAPI server with the cheapest of models, so that what capture adds shows most."""
    from fastapi import FastAPI, Request, Response

    from monitor_tasks.capture import CaptureMiddleware

    app = FastAPI()
    if writer is not None:
        app.add_middleware(CaptureMiddleware, writer=writer)

    async def invocations(request: Request) -> Response:
        cells = (await request.body()).split(b",")
        return Response(f"{sum(map(float, cells)) % 1:.4f}", media_type="text/csv")

    app.add_api_route("/invocations", invocations, methods=["POST"])
    return app


async def load(port: int, requests: int) -> list[float]:
    """Seconds that each request took, from when it was due where the one before it was late; the first ones warm up."""
    waited: list[float] = []
    began = time.perf_counter() + 0.1

    async def client(number: int) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        head = f"POST /invocations HTTP/1.1\r\nHost: a\r\nContent-Type: text/csv\r\nContent-Length: {len(BODY)}\r\n\r\n"
        for turn in range(number, requests, CONNECTIONS):
            due = began + turn / REQUESTS_A_SECOND
            if (early := due - time.perf_counter()) > 0:
                await asyncio.sleep(early)
                due = time.perf_counter()
            writer.write(head.encode() + BODY)
            answer = await reader.readuntil(b"\r\n\r\n")
            fields = dict(line.split(b": ", 1) for line in answer.lower().split(b"\r\n")[1:] if line)
            await reader.readexactly(int(fields[b"content-length"]))
            if not answer.startswith(b"HTTP/1.1 200"):
                raise RuntimeError(answer.decode())
            if turn >= WARM_UP:
                waited.append(time.perf_counter() - due)
        writer.close()
        await writer.wait_closed()

    await asyncio.gather(*map(client, range(CONNECTIONS)))
    return waited


if __name__ == "__main__":
    print(json.dumps(asyncio.run(load(int(sys.argv[1]), int(sys.argv[2])))))
