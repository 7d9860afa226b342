"""One small store for every address: what it finds, what it refuses, and what it says."""

import errno
import os
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from io import BytesIO
from pathlib import Path
from threading import Thread
from typing import ClassVar
from urllib.parse import parse_qs, urlsplit
from uuid import uuid4

import pytest

from monitor_tasks.io import disk, remote
from monitor_tasks.io import store as rooms
from monitor_tasks.io.content import CHUNK
from monitor_tasks.io.store import (
    Entry,
    Exists,
    Missing,
    Refused,
    Store,
    StoreError,
    Unreachable,
    list_objects,
    open_object,
)
from monitor_tasks.window import Window
from tests.io.conftest import Server
from tests.io.faulty import FaultyProxy


@pytest.fixture(params=["disk", "file", "memory", "memory folder", "s3"])
def address(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """An address of every kind."""
    name = uuid4().hex
    if request.param == "s3":
        return f"s3://{request.getfixturevalue('in_environment').bucket()}/below/it"
    return {
        "disk": str(tmp_path / "not yet" / "there"),
        "file": f"file://{tmp_path}/a%20folder",
        "memory": f"memory://{name}",
        "memory folder": f"memory://{name}/below/it",
    }[request.param]


@pytest.fixture
def store(address: str) -> Store:
    return Store(address)


def test_what_is_put_is_there(store: Store) -> None:
    store.put("a/b.json", b"1")
    store.put("a/b.json", b"2")
    assert store.get("a/b.json") == b"2"
    assert store.has("a/b.json")
    assert not store.has("a")
    assert not store.has("a/b.json/c")
    store.delete("a/b.json")
    store.delete("a/b.json")
    assert not store.has("a/b.json")


def test_nothing_there_is_missing_and_an_empty_listing(store: Store) -> None:
    assert not store.has("a")
    assert (store.entries(), store.entries("a"), store.files("a"), store.holds()) == ([], [], [], False)
    store.delete("a")
    with pytest.raises(Missing, match="nothing is there; check the address") as caught:
        store.get("a/b")
    assert store.address_of("a/b") in str(caught.value)


def test_create_never_overwrites_and_takes_its_own_bytes_as_written(store: Store) -> None:
    store.create("a/b", b"first")
    store.create("a/b", b"first")
    with pytest.raises(Exists, match="never overwritten") as caught:
        store.create("a/b", b"second")
    assert store.address_of("a/b") in str(caught.value)
    assert store.get("a/b") == b"first"


LARGE = b"0123456789abcde\n" * (CHUNK // 16 + 1)
"""One piece, and a little of the next."""


def test_a_large_object_comes_in_pieces(store: Store) -> None:
    store.put("large", LARGE)
    assert [len(piece) for piece in store.chunks("large")] == [CHUNK, 16]
    assert b"".join(store.chunks("large")) == store.get("large") == LARGE
    store.put("empty", b"")
    assert b"".join(store.chunks("empty")) == store.get("empty") == b""
    with pytest.raises(Missing, match="nothing is there"):
        next(store.chunks("other"))


def test_an_object_that_changes_while_it_is_read_is_one_clear_error(store: Store) -> None:
    store.put("large", LARGE)
    pieces = store.chunks("large")
    next(pieces)
    store.put("large", LARGE[::-1])
    with pytest.raises(Unreachable, match="it was changed while it was being read; run again"):
        next(pieces)


@pytest.mark.parametrize("single", [CHUNK, 2 * CHUNK])
def test_an_open_file_is_written_like_its_bytes(
    single: int, store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In one request and in parts; a file that no system knows as well."""
    monkeypatch.setattr(rooms, "SINGLE", single)
    (tmp_path / "large").write_bytes(LARGE)
    with (tmp_path / "large").open("rb") as file:
        for write in (store.create, store.create, store.put):
            file.seek(7)
            write("a", file)
            assert store.get("a") == LARGE
    with pytest.raises(Exists, match="never overwritten"):
        store.create("a", BytesIO(LARGE[1:]))
    store.create("b", BytesIO(LARGE))
    store.create("b", LARGE)
    store.put("b", BytesIO(b""))
    assert (store.get("a"), store.get("b")) == (LARGE, b"")
    assert [entry.key for entry in store.entries()] == ["a", "b"]


def test_a_listing_begins_after_a_key_whether_it_is_there_or_not(store: Store) -> None:
    for name in ("2026-01-05.000001", "2026-01-06.000001", "2026-01-07.000001", "begun"):
        store.put(f"index/days/{name}", b"1")
    for after, first in (("2026-01-06", "2026-01-06.000001"), ("2026-01-06.000001", "2026-01-07.000001")):
        keys = [entry.key for entry in store.entries("index/days", f"index/days/{after}")]
        assert (keys[0], keys[-1]) == (f"index/days/{first}", "index/days/begun")
    assert store.entries("index/days", "index/days/z") == []


def test_a_folder_does_not_hold_what_its_siblings_hold(store: Store) -> None:
    for key in ("2026/01/01/1/a", "2026/01/01/10/b", "2026/01/01/1.csv", "2026/01/01/1/c/d"):
        store.put(key, b"x")
    assert store.entries("2026/01/01/1") == [Entry("2026/01/01/1/a", 1), Entry("2026/01/01/1/c/d", 1)]
    assert store.entries("2026/01/01/1/") == store.entries("2026/01/01/1")
    assert store.entries("2026/01/01/1/a") == []
    assert store.files("2026/01/01/1") == ["a"]
    assert store.files("2026/01/01") == ["1.csv"]
    assert (store.holds("2026/01/01/10"), store.holds("2026/01/01/0")) == (True, False)


def test_listings_are_in_the_order_of_code_points(store: Store) -> None:
    names = ["Z", "a", "a-b", "a/b", "a0", "ä", "é", "İ", "一"]
    for name in reversed(names):
        store.put(name if name != "a" else "a.", b"")
    keys = [entry.key for entry in store.entries()]
    assert keys == sorted(keys)
    assert store.files("") == [key for key in keys if "/" not in key]


def test_unusual_names_survive(store: Store) -> None:
    names = ["100%/a b", "a?b*c[d]", "k=v~1", ".hidden", "part-00000.c000.csv", "d#e", "ü"]
    for name in names:
        store.put(name, name.encode())
    assert {entry.key: store.get(entry.key).decode() for entry in store.entries()} == {name: name for name in names}


@pytest.mark.parametrize("key", ["../a", "a/../../b", "a/%2e%2e/b", "%2E%2e/a", "a%2fb", "a\0b", "a%00", "..\\a", ""])
def test_no_key_steps_out(key: str, store: Store) -> None:
    ask: list[Callable[[], object]] = [
        lambda: store.get(key),
        lambda: store.has(key),
        lambda: store.put(key, b""),
        lambda: store.create(key, b""),
        lambda: store.delete(key),
    ]
    if key:
        ask += [lambda: store.entries(key), lambda: store.files(key), lambda: store.holds(key)]
    for one in ask:
        with pytest.raises(Refused):
            one()


@pytest.mark.parametrize("address", ["", "/tmp/../etc", "s3://bucket/%2e%2e/x", "file:///tmp/a\0b", "memory://a/../b"])
def test_no_address_steps_out(address: str) -> None:
    for ask in (Store, open_object, list_objects):
        with pytest.raises(Refused):
            ask(address)


def assert_refused_as_a_link(store: Store, key: str) -> None:
    for ask in (
        store.get,
        store.has,
        store.delete,
        lambda key: store.put(key, b""),
        lambda key: store.create(key, b""),
    ):
        with pytest.raises(Refused, match="a link leads out"):
            ask(key)


def test_no_link_leads_out_of_a_local_root(tmp_path: Path) -> None:
    (tmp_path / "secret").mkdir()
    (tmp_path / "secret/file").write_bytes(b"secret")
    root = tmp_path / "root"
    early = Store(str(root))  # opened before the folder is there
    root.mkdir()
    (root / "out").symlink_to(tmp_path / "secret")
    (root / "file").symlink_to("../secret/file")
    (root / "inside").mkdir()
    (root / "within").symlink_to("inside")
    for store in (early, Store(str(root))):
        for key in ("out/file", "file"):
            assert_refused_as_a_link(store, key)
        with pytest.raises(Refused, match="a link leads out"):
            store.entries("out")
        with pytest.raises(Refused, match="a link leads out"):
            store.put("out/new", b"")
        store.put("within/new", b"fine")
        assert store.get("inside/new") == b"fine"
    assert [path.name for path in (tmp_path / "secret").iterdir()] == ["file"]


def test_links_that_run_in_a_circle_are_one_clear_error(tmp_path: Path) -> None:
    (tmp_path / "circle").symlink_to("circle")
    store = Store(str(tmp_path))
    for ask in (store.get, store.has, lambda _: store.entries()):
        with pytest.raises(StoreError, match=str(tmp_path)):
            ask("circle")


def test_a_root_that_is_a_link_itself_is_fine(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to("real")
    Store(str(tmp_path / "link")).put("a", b"1")
    assert (tmp_path / "real/a").read_bytes() == b"1"


def test_unfinished_files_are_invisible_and_cannot_be_named(tmp_path: Path) -> None:
    (tmp_path / "manifest.json#1").write_bytes(b"{")
    (tmp_path / "a").mkdir()
    (tmp_path / "a/b#4711").write_bytes(b"{")
    store = Store(str(tmp_path))
    assert (store.entries(), store.files(""), store.files("a"), store.holds()) == ([], [], [], False)
    for ask in (store.get, store.has, lambda key: store.put(key, b"")):
        with pytest.raises(Refused, match="end in # and a number"):
            ask("manifest.json#1")


def test_a_write_that_fails_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = Store(str(tmp_path))
    store.put("a/b", b"old")

    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(disk.os, "fsync", full)
    for write in (store.put, store.create):
        with pytest.raises(Unreachable, match="the disk is full") as caught:
            write("a/c", b"new")
        assert str(tmp_path / "a/c") in str(caught.value)
    with pytest.raises(Unreachable, match="free some space"):
        store.put("a/b", b"new")
    assert [(path.name, path.read_bytes()) for path in (tmp_path / "a").iterdir()] == [("b", b"old")]


@pytest.mark.parametrize(
    ("number", "kind", "words"),
    [
        (errno.EACCES, Refused, "check rights or credentials"),
        (errno.EROFS, Refused, "check rights or credentials"),
        (errno.EDQUOT, Unreachable, "free some space"),
        (errno.EIO, Unreachable, "try again"),
    ],
)
def test_every_fault_of_the_disk_is_one_of_ours(
    number: int, kind: type[StoreError], words: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(*_: object) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(disk.os, "link", fails)
    with pytest.raises(kind, match=words) as caught:
        Store(str(tmp_path)).create("a", b"")
    assert str(caught.value).startswith(f"{tmp_path}/a: ")
    assert "\n" not in str(caught.value)


def test_files_and_folders_in_each_others_place(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("mine")
    store = Store(str(tmp_path))
    store.put("folder/a", b"1")
    assert not store.has("file/a")
    for ask in (store.get, lambda key: store.put(key, b""), lambda key: store.create(key, b"")):
        with pytest.raises(Missing, match="a file lies where one of its folders should be"):
            ask("file/a")
    with pytest.raises(Refused, match="a folder lies where the file should be"):
        store.put("folder", b"")
    with pytest.raises(Exists):
        store.create("folder", b"")
    on_a_file = Store(str(tmp_path / "file"))
    assert on_a_file.entries() == []
    with pytest.raises(Missing, match="a file lies"):
        on_a_file.put("a", b"")
    assert (tmp_path / "file").read_text() == "mine"


@pytest.mark.parametrize("address", ["nosuch://a/b", "s3://", "file://host/share", "s3:///key"])
def test_an_address_of_no_known_kind_says_what_is_expected(address: str) -> None:
    with pytest.raises(Unreachable, match=r"expected a folder or an address|write it as file:///folder"):
        Store(address)


def test_file_addresses_name_folders_of_this_machine(tmp_path: Path) -> None:
    (tmp_path / "a b").mkdir()
    for prefix in ("file://", "file://localhost"):
        Store(f"{prefix}{tmp_path}/a%20b/").put("c", prefix.encode())
        assert (tmp_path / "a b/c").read_text() == prefix
    assert Store("file:///").address_of("etc") == "file:///etc"
    assert Store("/").address_of("etc") == "/etc"


def test_one_object_is_found_by_its_own_address(address: str, store: Store) -> None:
    store.put("x/1.csv", b"1")
    opened, key = open_object(f"{address}/x/1.csv")
    assert (opened.get(key), key) == (b"1", "1.csv")
    for text in (f"{address}/x/1.csv", f"{address}/x/", f"{address}/x"):
        assert [(one.get(key), key) for one, key in list_objects(text)] == [(b"1", "1.csv")]


def test_an_address_without_an_object_is_missing(address: str, store: Store) -> None:
    for text in (address, f"{address}/x"):
        with pytest.raises(Missing, match="no file is there"):
            list_objects(text)
    store.put("x", b"")
    with pytest.raises(Missing, match="no file is there"):
        list_objects(f"{address}/y")


def test_a_window_reads_its_hours_and_their_neighbours(store: Store, address: str) -> None:
    for hour in ("2025/12/31/22", "2025/12/31/23", "2026/01/01/00", "2026/01/01/01", "2026/01/01/02", "2026/01/01/10"):
        store.put(f"{hour}/a.jsonl", b"")
    found = [key[:13] for _, key in list_objects(address, window=Window.parse("2026-01-01T00:00:00Z/PT1H"))]
    assert found == ["2025/12/31/23", "2026/01/01/00", "2026/01/01/01"]
    assert list_objects(address, window=Window.parse("2030-01-01T00:00:00Z/PT1H")) == []


def test_a_window_asks_for_its_hours_only(in_environment: Server) -> None:
    bucket = in_environment.bucket()
    for hour in range(24):
        in_environment.client.put_object(Bucket=bucket, Key=f"capture/2026/01/01/{hour:02d}/a", Body=b"")
    with FaultyProxy(in_environment.endpoint) as proxy:
        found = list_objects(
            f"s3://{bucket}/capture", in_environment.through(proxy.address), Window.parse("2026-01-01T05:00:00Z/PT2H")
        )
    assert [key[11:13] for _, key in found] == ["04", "05", "06", "07"]
    asked = [parse_qs(urlsplit(one.target).query) for one in proxy.asked]
    assert [one["prefix"] for one in asked[1:]] == [[f"capture/2026/01/01/{hour:02d}/"] for hour in (4, 5, 6, 7)]
    assert (asked[0]["prefix"], asked[0].get("max-keys")) == (["capture/"], None)


def test_a_listing_of_more_than_a_page_is_whole(in_environment: Server) -> None:
    bucket = in_environment.bucket()
    keys = [f"a/{number:04d}" for number in range(1003)]
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda key: in_environment.client.put_object(Bucket=bucket, Key=key, Body=b"x"), keys))
    with FaultyProxy(in_environment.endpoint) as proxy:
        store = Store(f"s3://{bucket}", in_environment.through(proxy.address))
        assert [entry.key for entry in store.entries()] == keys
        assert len(proxy.asked) == 2
        assert len(store.files("a")) == 1003


def test_relative_addresses_begin_where_we_are(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    store = Store("a")
    store.put("b", b"1")
    monkeypatch.chdir("/")
    assert store.get("b") == b"1"


class Answers(BaseHTTPRequestHandler):
    """An S3 that gives one answer to everything; the last one stays."""

    protocol_version = "HTTP/1.1"
    answers: ClassVar[list[tuple[int, bytes, int]]] = []

    def log_message(self, *_: object) -> None: ...

    def _answer(self) -> None:
        self.rfile.read(int(self.headers.get("content-length") or 0))
        code, body, missing = self.answers[0] if len(self.answers) == 1 else self.answers.pop(0)
        self.send_response(code)
        self.send_header("content-length", str(len(body) + missing))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)
        self.close_connection = bool(missing)

    do_GET = do_PUT = do_HEAD = do_POST = _answer  # noqa: N815 - the names that http.server looks for


KEYS = {"aws_access_key_id": "key", "aws_secret_access_key": "secret", "aws_region": "us-east-1"}


@pytest.fixture
def answering() -> Iterator[str]:
    """A server on plain HTTP that answers as `Answers.answers` say."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), Answers)
    Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


@pytest.fixture
def s3(answering: str, monkeypatch: pytest.MonkeyPatch) -> Store:
    """A bucket on it; nobody waits for its retries."""
    monkeypatch.setattr(remote, "RETRY", {"max_retries": 0, "retry_timeout": timedelta(seconds=1)})
    return Store("s3://bucket/prefix", {**KEYS, "aws_endpoint": answering})


@pytest.mark.parametrize(("code", "kind"), [(401, Refused), (403, Refused), (500, Unreachable), (507, Unreachable)])
def test_what_a_bucket_answers_is_one_of_ours(code: int, kind: type[StoreError], s3: Store) -> None:
    Answers.answers = [(code, b"<Error><Code>Some</Code></Error>", 0)]
    for ask in (s3.get, s3.has, s3.files, s3.entries, s3.holds, s3.delete, lambda key: s3.put(key, b"")):
        with pytest.raises(kind, match="s3://bucket/prefix/a: ") as caught:
            ask("a")
        assert "\n" not in str(caught.value)
        assert "secret" not in str(caught.value)


def test_a_clock_that_is_off_is_said_to_be(s3: Store) -> None:
    Answers.answers = [(403, b"<Error><Code>RequestTimeTooSkewed</Code></Error>", 0)]
    with pytest.raises(Refused, match=r"/a: this machine's clock is not the server's \(RequestTimeTooSkewed\); set it"):
        s3.get("a")


def test_a_bucket_that_is_not_there_is_missing(s3: Store) -> None:
    Answers.answers = [(404, b'<?xml version="1.0" encoding="UTF-8"?>\n<Error><Code>NoSuchBucket</Code></Error>', 0)]
    for ask in (s3.get, s3.entries, s3.files, s3.holds, lambda key: s3.put(key, b""), lambda key: s3.create(key, b"")):
        with pytest.raises(Missing, match=r"s3://bucket/prefix/a: there is no such bucket \(NoSuchBucket\)"):
            ask("a")
    assert not s3.has("a")


LISTING = b"""<?xml version="1.0"?><ListBucketResult><Contents><Key>prefix/a/b</Key><Size>3</Size><ETag>"e"</ETag>
<LastModified>2026-01-01T00:00:00.000Z</LastModified></Contents></ListBucketResult>"""


def test_a_listing_that_is_cut_is_asked_for_again(s3: Store) -> None:
    Answers.answers = [(200, LISTING[:50], 100), (200, LISTING[:90], 100), (200, LISTING, 0)]
    assert s3.entries("a") == [Entry("a/b", 3)]
    Answers.answers = [(200, LISTING[:50], 100)]
    with pytest.raises(Unreachable, match=r"s3://bucket/prefix/a: .*list response body"):
        s3.entries("a")


def test_a_server_that_is_busy_is_asked_again(answering: str) -> None:
    Answers.answers = [(429, b"", 0), (503, b"", 0), (500, b"", 0), (200, LISTING, 0)]
    assert Store("s3://bucket/prefix", {**KEYS, "aws_endpoint": answering}).entries("a") == [Entry("a/b", 3)]
    assert len(Answers.answers) == 1


def test_amazons_credentials_are_for_amazons_kind_of_address_only() -> None:
    assert Store("gs://bucket/a", {**KEYS, "aws_endpoint": "http://127.0.0.1:9"}).address_of("b") == "gs://bucket/a/b"


def test_nobody_listening_is_unreachable(s3: Store) -> None:
    Answers.answers = [(200, b"", 0)]
    gone = Store("s3://bucket", {**KEYS, "aws_endpoint": "http://127.0.0.1:9"})
    for ask in (gone.get, gone.entries):
        with pytest.raises(Unreachable, match="s3://bucket/a: "):
            ask("a")
