"""A network that fails: every request that can be helped is helped, and the rest is one clear error."""

import json
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from io import BytesIO
from random import Random

import pytest

from monitor_tasks import tasks
from monitor_tasks.io import remote
from monitor_tasks.io import store as rooms
from monitor_tasks.io.content import CHUNK
from monitor_tasks.io.store import Credentials, Exists, Refused, Store, Unreachable
from monitor_tasks.site import Site, load_endpoint
from monitor_tasks.window import Window
from tests.io.conftest import Server
from tests.io.faulty import FAULTS, FaultyProxy

ENDPOINT = """
endpoint_name: remote
root: s3://{bucket}/{root}
capture: {{address: "s3://{bucket}/capture", output_names: [probability], input_names: [income, age]}}
monitors: {{data_quality: {{minimum_rows: 20}}}}
"""
ROWS = 25
"""Records in each object of the capture; an hour has two."""


def captured(name: str, minute: int) -> str:
    """One capture record as SageMaker writes it."""
    sides = {"endpointInput": ("INPUT", f"{minute}.5,40"), "endpointOutput": ("OUTPUT", "0.5")}
    data = {
        side: {"observedContentType": "text/csv", "mode": mode, "data": cells, "encoding": "CSV"}
        for side, (mode, cells) in sides.items()
    }
    when = f"{name[:4]}-{name[5:7]}-{name[8:10]}T{name[11:13]}:{minute:02d}:00Z"
    metadata = {"eventId": f"{name} {minute}", "inferenceTime": when}
    return json.dumps({"captureData": data, "eventMetadata": metadata, "eventVersion": "0"})


def filled(server: Server, hours: int) -> str:
    """A bucket with the capture of the first hours of a day."""
    bucket = server.bucket()
    for hour in range(hours):
        for part in (0, 1):
            name = f"2026/01/01/{hour:02d}/part-{part}.jsonl"
            lines = [captured(name, minute) for minute in range(part * ROWS, part * ROWS + ROWS)]
            server.client.put_object(Bucket=bucket, Key=f"capture/{name}", Body="\n".join(lines).encode())
    return bucket


def ingested(bucket: str, root: str, credentials: Credentials, hours: int) -> int:
    """Ingests every hour and tells how many records were used."""
    endpoint = load_endpoint("remote.yaml", ENDPOINT.format(bucket=bucket, root=root))
    site = Site(endpoint, credentials)
    windows = [Window.parse(f"2026-01-01T{hour:02d}:00:00Z/PT1H") for hour in range(hours)]
    return sum(site.ledger(tasks.ingest_capture(site, window))["totals"]["used"] for window in windows)


def tree(bucket: str, root: str, credentials: Credentials) -> dict[str, bytes]:
    store = Store(f"s3://{bucket}/{root}", credentials)
    return {entry.key: store.get(entry.key) for entry in store.entries()}


def survives(server: Server, hours: int, capsys: pytest.CaptureFixture[str]) -> None:
    """Every window of a run through 30 % faults equals the window of a run without."""
    bucket = filled(server, hours)
    expected = ingested(bucket, "calm", server.credentials, hours)
    assert expected == hours * 2 * ROWS
    with FaultyProxy(server.endpoint, share=0.3, seed=11) as proxy:
        used = ingested(bucket, "rough", server.through(proxy.address), hours)
    injected = proxy.injected
    with capsys.disabled():
        kinds = ", ".join(f"{count} {fault}" for fault, count in sorted(injected.items()))
        sys.stdout.write(
            f"\n{injected.total()} injected, {injected.total()} survived, {expected - used} lost "
            f"({len(proxy.asked)} requests, {hours} windows; {kinds})\n"
        )
    assert used == expected
    assert tree(bucket, "rough", server.credentials) == tree(bucket, "calm", server.credentials)
    assert set(injected) == set(FAULTS)
    assert 0.2 < injected.total() / len(proxy.asked) < 0.4


def test_three_in_ten_requests_fail_and_nothing_is_lost(moto: Server, capsys: pytest.CaptureFixture[str]) -> None:
    survives(moto, 2, capsys)


@pytest.mark.long
def test_three_in_ten_requests_to_a_real_gateway_fail_and_nothing_is_lost(
    ceph: Server, capsys: pytest.CaptureFixture[str]
) -> None:
    survives(ceph, 24, capsys)


@pytest.fixture(params=["moto", pytest.param("ceph", marks=pytest.mark.long)])
def server(request: pytest.FixtureRequest) -> Server:
    """Both servers in turn; the real one in the long suite."""
    found: Server = request.getfixturevalue(request.param)
    return found


@pytest.fixture
def rough(server: Server, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[Store, FaultyProxy]]:
    """A store behind a proxy that stalls longer than anybody waits."""
    monkeypatch.setattr(remote, "TIMEOUT", timedelta(seconds=2))
    with FaultyProxy(server.endpoint, stall=2.5) as proxy:
        yield Store(f"s3://{server.bucket()}/below", server.through(proxy.address)), proxy


BODY = Random(5).randbytes(3 * CHUNK + 5)


@pytest.mark.parametrize("fault", [*FAULTS[:-1], pytest.param(FAULTS[-1], marks=pytest.mark.long)])
def test_every_question_survives_every_fault(
    fault: str, rough: tuple[Store, FaultyProxy], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each of the requests that a question needs is hit, one after the other."""
    store, proxy = rough
    monkeypatch.setattr(rooms, "SINGLE", CHUNK)
    store.put("there", b"1")
    store.put("large", BODY)

    def hit(number: int) -> None:
        proxy.asked.clear()
        proxy.next = [*[""] * number, fault]

    hit(0)
    assert store.get("there") == b"1"
    hit(0)
    assert store.has("there")
    hit(0)
    assert [entry.key for entry in store.entries()] == ["large", "there"]
    hit(0)
    assert store.files("") == ["large", "there"]
    hit(0)
    store.create("new", b"2")
    assert store.get("new") == b"2"
    hit(0)
    with pytest.raises(Exists):
        store.create("new", b"3")
    hit(0)
    store.put("new", b"4")
    assert store.get("new") == b"4"
    hit(0)
    store.delete("new")
    assert not store.has("new")
    for number in range(4):
        hit(number)
        store.put("sent", BytesIO(BODY))
    hit(2)
    assert store.get("large") == BODY
    assert store.get("sent") == BODY


def test_the_answer_of_a_create_is_lost_and_it_counts_as_written(rough: tuple[Store, FaultyProxy]) -> None:
    store, proxy = rough
    proxy.next = ["dropped after"]
    store.create("a", b"1")
    assert [one.method for one in proxy.asked] == ["PUT", "PUT", "GET"]
    proxy.next = ["dropped after"]
    with pytest.raises(Exists):
        store.create("a", b"2")
    assert store.get("a") == b"1"


def test_of_two_writers_at_once_one_wins_and_the_other_hears_of_it(server: Server) -> None:
    bucket, start = server.bucket(), threading.Barrier(2)
    stores = [Store(f"s3://{bucket}", server.credentials) for _ in range(2)]

    def write(number: int, key: str) -> bool:
        start.wait()
        try:
            stores[number].create(key, str(number).encode() * 100_000)
        except Exists:
            return False
        return True

    with ThreadPoolExecutor(2) as pool:
        for turn in range(20):
            won = list(pool.map(write, (0, 1), [str(turn)] * 2))
            assert sorted(won) == [False, True]
            assert stores[0].get(str(turn)) == str(won.index(True)).encode() * 100_000


def test_a_server_that_stays_broken_is_one_clear_error(
    rough: tuple[Store, FaultyProxy], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(remote, "RETRY", {"max_retries": 2})
    _, proxy = rough
    proxy.share, proxy.faults = 1.0, ("slow down",)
    store = Store("s3://bucket", {**remote_keys(), "aws_endpoint": proxy.address})
    for ask in (store.get, store.has, store.files, lambda key: store.create(key, b"")):
        with pytest.raises(Unreachable, match=r"s3://bucket/a: .*; check the address and try again") as caught:
            ask("a")
        assert "\n" not in str(caught.value)


def remote_keys() -> dict[str, str]:
    return {"aws_access_key_id": "a", "aws_secret_access_key": "b", "aws_region": "us-east-1"}


def test_a_role_that_is_no_longer_given_is_one_clear_error(moto: Server) -> None:
    def denied() -> None:
        raise RuntimeError("denied by STS\n(request 4711)")

    store = Store("s3://bucket", {"credential_provider": denied, "aws_endpoint": moto.endpoint, "aws_region": "r"})
    for ask in (store.get, store.has, store.files, lambda key: store.create(key, b"")):
        with pytest.raises(Refused, match=r"s3://bucket/a: access was refused \(.*denied by STS\)") as caught:
            ask("a")
        assert "\n" not in str(caught.value)
