import json
import logging
import re
import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from threading import Thread

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from monitor_tasks.capture import Call, CaptureWriter, Counts, DataCaptureConfig, Payload
from monitor_tasks.io import disk
from tests.capture.servers import Outage, fake_s3

HOUR = datetime(2026, 1, 2, 3, 4, 5, 678_000, tzinfo=UTC)
CALL = Call(Payload(b"1,2", "text/csv"), Payload(b"3", "text/csv"), HOUR)
NAME = re.compile(r"\d\d-\d\d-\d\d\d-[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}\.jsonl")


def writer_to(destination: Path | str, credentials=None, **more) -> CaptureWriter:
    wanted = {"endpoint_name": "churn", "initial_sampling_percentage": 100, "closing_seconds": 5, **more}
    return CaptureWriter(DataCaptureConfig(destination=str(destination), **wanted), credentials)


def files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.is_file())


def records(folder: Path) -> list[dict]:
    return [json.loads(line) for path in files(folder) for line in path.read_text().splitlines()]


def reconcile(counts: Counts) -> bool:
    return counts.sampled == counts.captured + counts.waiting + counts.dropped


def until(condition, seconds=10.0):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not come to be in time"
        time.sleep(0.01)


def test_files_lie_in_sagemakers_layout_by_the_hour_of_the_call(tmp_path):
    with writer_to(tmp_path) as writer:
        writer.offer(CALL)
        writer.offer(CALL._replace(time=HOUR.astimezone() + timedelta(hours=1)))
        writer.offer(CALL)
    first, second = files(tmp_path)
    assert first.parent == tmp_path / "churn/AllTraffic/2026/01/02/03"
    assert second.parent == tmp_path / "churn/AllTraffic/2026/01/02/04"
    assert NAME.fullmatch(first.name)
    assert first.name.startswith("04-05-678-")
    assert [len(path.read_text().splitlines()) for path in (first, second)] == [2, 1]
    assert len({one["eventMetadata"]["eventId"] for one in records(tmp_path)}) == 3
    assert writer.counts == Counts(sampled=3, captured=3)


def test_a_file_is_sent_when_it_is_old_enough(tmp_path):
    with writer_to(tmp_path, file_seconds=0.1) as writer:
        writer.offer(CALL)
        until(lambda: writer.counts.captured == 1)
        writer.offer(CALL)
        until(lambda: writer.counts.captured == 2)
    assert len(files(tmp_path)) == 2


def test_a_file_is_sent_when_it_is_large_enough(tmp_path):
    with writer_to(tmp_path, file_bytes=1000) as writer:
        for _ in range(100):
            writer.offer(CALL)
        until(lambda: writer.counts.captured > 90)
    assert len(files(tmp_path)) > 20
    line = len(files(tmp_path)[0].read_bytes().splitlines()[0]) + 1
    assert all(path.stat().st_size < 1000 + line for path in files(tmp_path))


def test_a_time_without_a_writer_of_it_is_now(tmp_path):
    with writer_to(tmp_path) as writer:
        writer.offer(CALL._replace(time=None))
    [record] = records(tmp_path)
    age = datetime.now(UTC) - datetime.fromisoformat(record["eventMetadata"]["inferenceTime"])
    assert timedelta(seconds=-1) < age < timedelta(seconds=30)


@pytest.mark.parametrize("percentage", [0, 1, 20, 50, 100])
def test_sampling_is_a_fair_draw(tmp_path, percentage):
    draws = 40_000
    writer = writer_to(tmp_path, initial_sampling_percentage=percentage)
    share = percentage / 100
    six_deviations = 6 * (share * (1 - share) / draws) ** 0.5
    taken = sum(writer.sample() for _ in range(draws)) / draws
    assert abs(taken - share) <= six_deviations
    writer.close()


def test_a_switched_off_writer_takes_nothing(tmp_path):
    with writer_to(tmp_path, enable_capture=False) as writer:
        writer.offer(CALL)
    assert (files(tmp_path), writer.counts) == ([], Counts())


def test_payloads_have_a_largest_size_of_their_own_count(tmp_path):
    with writer_to(tmp_path, body_bytes=10) as writer:
        for size in (9, 10, 11, 12):
            writer.offer(Call(output=Payload(b"x" * size)))
    assert writer.counts == Counts(sampled=4, captured=2, too_large=2)
    assert len(records(tmp_path)) == 2


def test_what_cannot_be_written_is_counted_and_never_raised(tmp_path):
    with writer_to(tmp_path) as writer:
        writer.offer(CALL._replace(custom_attributes=("\ud800",)))
        writer.offer(CALL._replace(time="yesterday"))
        writer.offer(CALL)
    assert writer.counts == Counts(sampled=3, captured=1, unwritable=2)


def test_after_closing_calls_are_dropped_and_closing_again_changes_nothing(tmp_path):
    writer = writer_to(tmp_path)
    writer.offer(CALL)
    assert writer.close() == Counts(sampled=1, captured=1)
    writer.offer(CALL)
    assert writer.close() == writer.counts == Counts(sampled=2, captured=1, undelivered=1)


@pytest.mark.parametrize("bound", [{"waiting_bytes": 5000}, {"waiting_records": 20}])
def test_what_waits_is_bounded_while_the_store_hangs(bound):
    with fake_s3() as store, writer_to("s3://bucket", store.credentials, file_bytes=1000, **bound) as writer:
        store.hangs.clear()
        for _ in range(500):
            writer.offer(CALL)
            assert writer._bytes <= bound.get("waiting_bytes", 1e9)
            assert writer.counts.waiting <= bound.get("waiting_records", 1e9)
        counts = writer.counts
        assert reconcile(counts)
        assert counts.waiting > 10
        assert counts.overflowed == 500 - counts.waiting
        store.hangs.set()
    assert writer.counts == counts._replace(captured=counts.waiting, waiting=0)
    assert sum(content.count(b"\n") for content in store.objects.values()) == counts.waiting


def test_a_store_that_comes_back_in_time_loses_nothing_and_each_change_is_said_once(tmp_path, caplog):
    outage = Outage(tmp_path)
    outage.begin()
    with caplog.at_level(logging.INFO), writer_to(outage.folder, file_seconds=0.05) as writer:
        for _ in range(50):
            writer.offer(CALL)
        until(lambda: caplog.records)
        time.sleep(0.5)
        outage.end()
        until(lambda: writer.counts.captured == 50, 40)
    assert writer.counts == Counts(sampled=50, captured=50)
    assert len(records(outage.folder)) == 50
    assert [one.levelname for one in caplog.records] == ["WARNING"] * 2
    assert "fails and is tried again" in caplog.messages[0]
    assert "works again" in caplog.messages[1]


def test_a_store_that_stays_away_costs_whole_files_and_the_newest_wait(tmp_path, caplog):
    outage = Outage(tmp_path)
    outage.begin()
    with (
        caplog.at_level(logging.INFO),
        writer_to(outage.folder, file_bytes=1000, waiting_bytes=10_000, closing_seconds=1) as writer,
    ):
        for _ in range(400):
            writer.offer(CALL)
            time.sleep(0.001)
        counts = writer.counts
        assert reconcile(counts)
        assert counts.undelivered > 0
        assert counts.captured == 0
    assert [one.levelname for one in caplog.records] == ["WARNING"] * len(caplog.records)
    assert any("does not keep up" in message for message in caplog.messages)
    assert len(caplog.records) <= 4
    assert writer.counts.dropped == writer.counts.sampled == 400


def test_a_file_that_arrived_without_an_answer_is_captured_once_the_store_answers_again(tmp_path, monkeypatch):
    answers, sync = [False], disk._sync
    monkeypatch.setattr(disk, "_sync", lambda folder: sync(folder if answers[0] else folder / "gone"))
    with writer_to(tmp_path, file_bytes=1, waiting_bytes=600) as writer:
        for _ in range(4):
            writer.offer(CALL)
        until(lambda: writer.counts.undelivered)
        assert reconcile(writer.counts)
        assert writer.counts.captured == 0
        answers[0] = True
        writer.offer(CALL)
    assert writer.counts.undelivered == 0
    assert reconcile(writer.counts)
    assert len(records(tmp_path)) == writer.counts.captured >= 2


def test_closing_keeps_its_deadline_and_gives_the_rest_up():
    with fake_s3() as store:
        writer = writer_to("s3://bucket", store.credentials, closing_seconds=0.5)
        store.hangs.clear()
        writer.offer(CALL)
        began = time.monotonic()
        assert writer.close() == Counts(sampled=1, undelivered=1)
        assert time.monotonic() - began < 2
        store.hangs.set()
        until(lambda: store.objects)
        time.sleep(0.1)
        assert writer.counts == Counts(sampled=1, undelivered=1)


def test_logs_hold_no_values(tmp_path, caplog):
    outage = Outage(tmp_path)
    outage.begin()
    with caplog.at_level(logging.DEBUG), writer_to(outage.folder, closing_seconds=0.3) as writer:
        writer.offer(Call(Payload(b"a very private value", "text/csv"), inference_id="person-9"))
    assert caplog.messages
    assert not any("private" in message or "person-9" in message for message in caplog.messages)


@settings(max_examples=25)
@given(
    st.lists(st.tuples(st.binary(max_size=400), st.integers(0, 3)), max_size=60),
    st.integers(200, 4000),
    st.integers(1, 40),
)
def test_whatever_comes_the_counts_reconcile_and_every_captured_call_is_in_a_file(tmp_path_factory, calls, size, most):
    folder = tmp_path_factory.mktemp("captures")
    bounds = {"file_bytes": size, "waiting_bytes": 5 * size, "waiting_records": most, "body_bytes": 300}
    with writer_to(folder, **bounds) as writer:
        for data, hours in calls:
            writer.offer(Call(Payload(data, "text/csv"), time=HOUR + timedelta(hours=hours)))
            assert reconcile(writer.counts)
    counts = writer.counts
    assert (counts.sampled, counts.waiting) == (len(calls), 0)
    assert counts.captured + counts.dropped == counts.sampled
    assert counts.too_large == sum(len(data) > 300 for data, _ in calls)
    assert len(records(folder)) == counts.captured


def test_threads_may_share_a_writer(tmp_path):
    with writer_to(tmp_path, file_bytes=20_000) as writer:
        threads = [Thread(target=lambda: [writer.offer(CALL) for _ in range(500)]) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert writer.counts == Counts(sampled=4000, captured=4000)
    assert len({one["eventMetadata"]["eventId"] for one in records(tmp_path)}) == 4000


FORKS = """
import os, sys
from monitor_tasks.capture import Call, CaptureWriter, DataCaptureConfig, Payload
destination, warm, credentials = sys.argv[1], int(sys.argv[2]), eval(sys.argv[3])
config = DataCaptureConfig(endpoint_name="churn", destination=destination, initial_sampling_percentage=100)
writer = CaptureWriter(config, credentials)
offer = lambda who, times: [writer.offer(Call(Payload(who, "text/csv"))) for _ in range(times)]
offer(b"before", warm)
children = []
for number in range(3):
    if (child := os.fork()) == 0:
        offer(b"child", 100)
        sys.exit(0 if writer.counts.sampled == 100 else 1)
    children.append(child)
offer(b"parent", 10)
codes = [os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children]
print(codes, writer.close())
"""


def forked(*words: object) -> str:
    command = [sys.executable, "-c", FORKS, *map(str, words)]
    return subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True, timeout=60).stdout


@pytest.mark.parametrize("warm", [0, 5])
def test_forked_workers_send_their_own_and_nothing_twice(tmp_path, warm):
    said = forked(tmp_path, warm, None)
    assert said.startswith("[0, 0, 0]")
    data = [one["captureData"]["endpointInput"]["data"] for one in records(tmp_path)]
    assert (data.count("before"), data.count("parent"), data.count("child")) == (warm, 10, 300)


def test_forked_workers_send_to_s3():
    with fake_s3() as store:
        assert forked("s3://bucket", 0, store.credentials).startswith("[0, 0, 0]")
    assert sum(content.count(b"\n") for content in store.objects.values()) == 310


def test_a_process_that_ends_without_closing_sends_what_waits(tmp_path):
    text = FORKS.partition("children =")[0]
    subprocess.run([sys.executable, "-c", text, str(tmp_path), "7", "None"], check=True, timeout=60)
    assert len(records(tmp_path)) == 7
