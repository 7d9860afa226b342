"""Executions: one manifest each, the newest shown; and logs in which nothing is lost."""

import hashlib
import json
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from io import BytesIO
from pathlib import Path
from threading import Barrier
from uuid import uuid4

import pytest

from monitor_tasks.io import executions
from monitor_tasks.io.content import CHUNK
from monitor_tasks.io.executions import (
    MANIFEST,
    Execution,
    append,
    digest,
    folder_of,
    newest,
    read_artifact,
    read_artifact_to,
    read_log,
    read_manifest,
    revision_of,
)
from monitor_tasks.io.store import Missing, Store
from monitor_tasks.value import UserError
from monitor_tasks.window import Window

FOLDER = "endpoint/monitor/2026/01/01/01"
HOUR = Window.parse("2026-01-01T00:00:00Z/PT1H")


@pytest.fixture(params=["disk", "memory", "s3"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Store:
    if request.param == "s3":
        return Store(f"s3://{request.getfixturevalue('in_environment').bucket()}/root")
    return Store(str(tmp_path / "root") if request.param == "disk" else f"memory://{uuid4().hex}")


def execution(store: Store, **inputs: str) -> Execution:
    return Execution(store, FOLDER, inputs)


def shown(store: Store) -> dict[str, bytes]:
    return {name: store.get(f"{FOLDER}/{name}") for name in store.files(FOLDER)}


def test_the_revision_is_the_hash_of_the_inputs_in_any_order() -> None:
    assert revision_of({"a": "1", "b": "2"}) == revision_of({"b": "2", "a": "1"})
    assert revision_of({"a": "1"}) != revision_of({"a": "2"})


def test_the_folder_is_the_hour_of_the_windows_end_or_a_span() -> None:
    assert folder_of("e", "s", HOUR, own=True) == "e/s/2026/01/01/01"
    assert folder_of("e", "s", HOUR, own=False) == "e/s/spans/20260101T000000Z_PT1H"


def test_a_commit_names_every_artifact_with_its_sha256(store: Store) -> None:
    one = execution(store, a="1")
    assert one.committed() is None
    key = one.commit({"report.json": b"{}", "deep/table.csv": b"x"}, shown=("report.json",))
    assert one.committed() == key == one.key == newest(store, FOLDER)
    manifest = read_manifest(store, key)
    assert manifest.inputs == {"a": "1"}
    assert manifest.artifacts == {
        "report.json": hashlib.sha256(b"{}").hexdigest(),
        "deep/table.csv": hashlib.sha256(b"x").hexdigest(),
    }
    assert read_artifact(store, key, "deep/table.csv") == b"x"
    assert shown(store) == {"report.json": b"{}"}


def test_the_first_manifest_of_a_revision_wins(store: Store) -> None:
    first, second = execution(store, a="1"), execution(store, a="1")
    first.commit({"report.json": b"first"}, shown=("report.json",))
    key = second.commit({"report.json": b"second", "more": b""}, shown=("report.json",))
    assert read_artifact(store, key, "report.json") == b"first"
    assert shown(store) == {"report.json": b"first"}
    assert read_log(store, f"{FOLDER}/revisions/log") == [first.revision.encode()]


def test_what_a_killed_run_of_another_release_left_is_replaced(store: Store) -> None:
    one = execution(store, a="1")
    store.put(one.key.removesuffix(MANIFEST) + "report.json", b"of another release")
    assert read_artifact(store, one.commit({"report.json": b"ours"}), "report.json") == b"ours"


def test_a_new_revision_lies_beside_the_old_and_is_shown(store: Store) -> None:
    old = execution(store, a="1").commit({"report.json": b"old", "gone.json": b""}, shown=("report.json", "gone.json"))
    new = execution(store, a="2").commit({"report.json": b"new"}, shown=("report.json",))
    assert newest(store, FOLDER) == new
    assert shown(store) == {"report.json": b"new"}
    assert (read_artifact(store, old, "report.json"), read_artifact(store, new, "report.json")) == (b"old", b"new")


def test_inputs_that_come_back_are_the_newest_again(store: Store) -> None:
    for inputs in ("1", "2"):
        execution(store, a=inputs).commit({"report.json": inputs.encode()}, shown=("report.json",))
    first = execution(store, a="1")
    assert first.committed() == newest(store, FOLDER) == first.key
    assert shown(store) == {"report.json": b"1"}
    assert first.committed() == first.key
    assert len(read_log(store, f"{FOLDER}/revisions/log")) == 3


def test_a_revision_that_comes_while_another_is_being_shown_is_shown_in_the_end(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The slow one must not leave its own files over the newer ones."""
    newer = execution(store, a="2")
    read, waiting = read_artifact, [newer]

    def slow(where: Store, key: str, name: str) -> bytes:
        content = read(where, key, name)
        if waiting:
            waiting.pop().commit({"report.json": b"new"}, shown=("report.json",))
        return content

    monkeypatch.setattr(executions, "read_artifact", slow)
    execution(store, a="1").commit({"report.json": b"old", "more.json": b"old"}, shown=("report.json", "more.json"))
    assert newest(store, FOLDER) == newer.key
    assert shown(store) == {"report.json": b"new"}


def test_a_kill_between_manifest_and_showing_is_mended_by_the_next_run(store: Store) -> None:
    one = execution(store, a="1")
    one.commit({"report.json": b"x"}, shown=("report.json",))
    store.delete(f"{FOLDER}/revisions/log/000001")
    store.delete(f"{FOLDER}/report.json")
    assert one.committed() == one.key == newest(store, FOLDER)
    assert shown(store) == {"report.json": b"x"}


def test_a_damaged_artifact_is_caught(store: Store) -> None:
    key = execution(store, a="1").commit({"report.json": b"whole"})
    damaged = key.removesuffix(MANIFEST) + "report.json"
    store.put(damaged, b"whol")
    with pytest.raises(UserError, match="changed after it was committed") as caught:
        read_artifact(store, key, "report.json")
    assert store.address_of(damaged) in str(caught.value)
    store.delete(damaged)
    with pytest.raises(Missing, match="nothing is there"):
        read_artifact(store, key, "report.json")
    with pytest.raises(Missing, match="names no artifact 'other'"):
        read_artifact(store, key, "other")


def test_an_artifact_may_be_an_open_file_and_goes_into_one(store: Store, tmp_path: Path) -> None:
    """Its manifest is that of the same bytes; a run after a kill and one of another release write it like bytes."""
    content = b"0123456789abcde\n" * (CHUNK // 8)
    with (tmp_path / "large").open("w+b") as file, (tmp_path / "back").open("w+b") as back:
        file.write(content)
        one = execution(store, a="1")
        key = one.key.removesuffix(MANIFEST) + "table"
        store.put(key, BytesIO(b"of another release"))
        assert one.commit({"table": file, "small": b"x"}) == one.commit({"small": b"x", "table": content})
        assert read_manifest(store, one.key).artifacts["table"] == digest(content) == digest(file)
        read_artifact_to(store, one.key, "table", back)
        back.seek(0)
        assert back.read() == content == read_artifact(store, one.key, "table")
        store.put(key, content[1:])
        with pytest.raises(UserError, match="changed after it was committed"):
            read_artifact_to(store, one.key, "table", back)


def test_a_newer_or_damaged_manifest_is_refused(store: Store) -> None:
    key = execution(store, a="1").commit({})
    manifest = json.loads(store.get(key))
    store.put(key, json.dumps({**manifest, "schema_version": 2}).encode())
    with pytest.raises(UserError, match="upgrade monitor-tasks") as caught:
        read_manifest(store, key)
    assert store.address_of(key) in str(caught.value)
    store.put(key, b'{"revision": ')
    with pytest.raises(UserError, match="not a readable Manifest"):
        read_manifest(store, key)


def test_eight_threads_lose_no_entry_and_take_no_number_twice(store: Store) -> None:
    start, each = Barrier(8), 2 if store.address.startswith("s3:") else 20

    def write(thread: int) -> None:
        start.wait()
        for number in range(each):
            entry = f"{thread} {number}".encode()
            entries = append(store, "log", lambda _, entry=entry: entry)
            assert entries[-1] == entry

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(write, range(8)))
    assert store.files("log") == [f"{number:06d}" for number in range(1, 8 * each + 1)]
    entries = read_log(store, "log")
    assert sorted(entries) == sorted(f"{thread} {number}".encode() for thread in range(8) for number in range(each))
    for thread in range(8):
        own = [entry for entry in entries if entry.startswith(b"%d " % thread)]
        assert own == [b"%d %d" % (thread, number) for number in range(each)]


def test_whoever_decides_sees_all_entries_and_may_say_no(store: Store) -> None:
    assert append(store, "log", lambda known: b"a" if not known else None) == [b"a"]
    assert append(store, "log", lambda known: b"b" if known == [b"a"] else None) == [b"a", b"b"]
    assert append(store, "log", lambda _: None) == [b"a", b"b"]


def test_a_log_with_a_hole_is_an_error_and_no_endless_loop(store: Store) -> None:
    for entry in (b"a", b"b", b"c"):
        append(store, "log", lambda _, entry=entry: entry)
    store.put("log/README", b"put here by someone")
    assert read_log(store, "log") == [b"a", b"b", b"c"]
    store.delete("log/000002")
    with pytest.raises(Missing, match="log/000002: nothing is there"):
        append(store, "log", lambda _: b"d")


def test_a_log_goes_on_past_a_million(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    store.put(f"{FOLDER}/revisions/log/999999", b"old")
    store.put(f"{FOLDER}/revisions/log/1000000", b"new")
    assert newest(store, FOLDER) == f"{FOLDER}/revisions/new/{MANIFEST}"


COMMIT = """
import sys
from monitor_tasks.io.executions import Execution
from monitor_tasks.io.store import Store
store = Store(sys.argv[1])
for line in sys.stdin:
    number = line.strip()
    files = {f"{name}.json": (name + number).encode() * 5000 for name in "abcdef"}
    for inputs in (number, number + " late"):
        print(Execution(store, "e/m/" + number, {"a": inputs}).commit(files, shown=("a.json", "b.json")), flush=True)
"""


def test_four_processes_that_commit_the_same_end_with_one_manifest(tmp_path: Path) -> None:
    rounds = 8
    lines = "".join(f"{number}\n" for number in range(rounds))
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", COMMIT, str(tmp_path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        for _ in range(4)
    ]
    with ThreadPoolExecutor(4) as pool:
        said = list(pool.map(lambda one: one.communicate(lines)[0].split(), processes))
    assert [one.returncode for one in processes] == [0] * 4
    assert len(said[0]) == 2 * rounds
    assert all(one == said[0] for one in said)
    store = Store(str(tmp_path))
    for key in said[0]:
        for name in read_manifest(store, key).artifacts:
            read_artifact(store, key, name)
    for number in range(rounds):
        folder = f"e/m/{number}"
        last = newest(store, folder)
        assert last in said[0]
        assert store.files(folder) == ["a.json", "b.json"]
        assert [store.get(f"{folder}/{name}") for name in ("a.json", "b.json")] == [
            read_artifact(store, last, name) for name in ("a.json", "b.json")
        ]
    assert len([entry for entry in store.entries() if entry.key.endswith(MANIFEST)]) == 2 * rounds
    assert not list(tmp_path.rglob("*#*"))
