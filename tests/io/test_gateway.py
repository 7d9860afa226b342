"""What a real S3 server refuses, keeps and promises: Ceph's gateway, started by the project's own script."""

import json
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from random import Random

import pytest

from monitor_tasks.io.content import CHUNK, digest
from monitor_tasks.io.executions import (
    MANIFEST,
    Execution,
    append,
    newest,
    read_artifact,
    read_artifact_to,
    read_log,
    read_manifest,
)
from monitor_tasks.io.store import SINGLE, Exists, Missing, Refused, Store, StoreError
from scripts.s3_gateway import Gateway
from tests.io.conftest import Server
from tests.io.faulty import FaultyProxy

pytestmark = pytest.mark.long
ENDPOINT = """
endpoint_name: remote
root: {root}
capture: {{address: {root}/capture, output_names: [probability]}}
monitors: {{data_quality: {{}}}}
"""


@pytest.fixture
def bucket(ceph: Server) -> str:
    return ceph.bucket()


@pytest.fixture
def store(ceph: Server, bucket: str) -> Store:
    return Store(f"s3://{bucket}/below/it", ceph.credentials)


@pytest.fixture(scope="module")
def guest(gateway: Gateway) -> Server:
    """Somebody to whom nothing belongs."""
    gateway.user("guest")
    return Server(gateway.endpoint, "guest", gateway.keys["guest"])


@pytest.fixture
def shared(ceph: Server, bucket: str, guest: Server) -> str:
    """A bucket of which the guest may read and write one folder, and read another."""
    whole, who = f"arn:aws:s3:::{bucket}", {"AWS": ["arn:aws:iam:::user/guest"]}
    rights = [
        ("Allow", ["s3:ListBucket"], whole),
        ("Allow", ["s3:GetObject", "s3:PutObject", "s3:DeleteObject"], f"{whole}/open/*"),
        ("Allow", ["s3:GetObject"], f"{whole}/readable/*"),
        ("Deny", ["s3:*"], f"{whole}/closed/*"),
    ]
    statements = [
        {"Effect": effect, "Principal": who, "Action": actions, "Resource": resource}
        for effect, actions, resource in rights
    ]
    policy = json.dumps({"Version": "2012-10-17", "Statement": statements})
    ceph.client.put_bucket_policy(Bucket=bucket, Policy=policy)
    for folder in ("open", "readable", "closed"):
        ceph.client.put_object(Bucket=bucket, Key=f"{folder}/a", Body=b"1")
    return bucket


def refused(server: Server, address: str, kind: type[StoreError], **changed: str) -> set[str]:
    """What is said of every question about an object, without its address."""
    store = Store(address, {**server.credentials, **changed})
    said = set()
    for ask in (
        store.get,
        lambda key: store.put(key, b"2"),
        lambda key: store.create(key, b"2"),
        lambda key: store.put(key, b"2" * (SINGLE + 1)),
    ):
        with pytest.raises(kind) as caught:
            ask("a")
        where, _, text = str(caught.value).partition(": ")
        assert where == f"{address}/a"
        assert "\n" not in text
        said.add(text)
    return said


def test_a_wrong_secret(ceph: Server, bucket: str) -> None:
    wrong = {"aws_secret_access_key": "wrong"}
    expected = "the secret does not fit the access key (SignatureDoesNotMatch); check the credentials"
    assert refused(ceph, f"s3://{bucket}", Refused, **wrong) == {expected}
    store = Store(f"s3://{bucket}", {**ceph.credentials, **wrong})
    for ask in (store.entries, store.files, store.holds):
        with pytest.raises(Refused, match="the secret does not fit the access key"):
            ask("a")
    with pytest.raises(Refused, match="check rights or credentials"):
        store.has("a")


def test_an_access_key_of_nobody(ceph: Server, bucket: str) -> None:
    expected = "nobody has that access key (InvalidAccessKeyId); check the credentials and the endpoint"
    assert refused(ceph, f"s3://{bucket}", Refused, aws_access_key_id="nobody") == {expected}


def test_a_bucket_that_is_not_there(ceph: Server) -> None:
    expected = "there is no such bucket (NoSuchBucket); check its name, its region and the endpoint"
    assert refused(ceph, "s3://not-there", Missing) == {expected}
    store = Store("s3://not-there", ceph.credentials)
    for ask in (store.entries, store.files, store.holds):
        with pytest.raises(Missing, match="there is no such bucket"):
            ask("a")


def test_a_denied_prefix(ceph: Server, shared: str, guest: Server) -> None:
    expected = "access was refused (AccessDenied); check rights or credentials"
    assert refused(guest, f"s3://{shared}/closed", Refused) == {expected}
    readable = Store(f"s3://{shared}/readable", guest.credentials)
    assert readable.get("a") == b"1"
    for write in (readable.put, readable.create):
        with pytest.raises(Refused, match=r"readable/a: access was refused \(AccessDenied\)"):
            write("a", b"2")
    free = Store(f"s3://{shared}/open", guest.credentials)
    free.put("a", b"2")
    with pytest.raises(Exists):
        free.create("a", b"3")
    assert Store(f"s3://{shared}", ceph.credentials).get("closed/a") == b"1"


def test_the_command_line_says_each_in_one_line(ceph: Server, bucket: str, tmp_path: Path) -> None:
    cases = {
        "the secret does not fit the access key": (f"s3://{bucket}", "wrong"),
        "there is no such bucket": ("s3://not-there", None),
    }
    for words, (root, secret) in cases.items():
        (tmp_path / "remote.yaml").write_text(ENDPOINT.format(root=root))
        keys = {name.upper(): value for name, value in ceph.credentials.items() if name != "aws_endpoint"}
        keys["AWS_ENDPOINT_URL"] = ceph.endpoint
        keys["AWS_SECRET_ACCESS_KEY"] = secret or keys["AWS_SECRET_ACCESS_KEY"]
        command = "from monitor_tasks.cli import app; app()"
        done = subprocess.run(
            [sys.executable, "-c", command, "run", "remote.yaml", "--window", "2026-01-01T00:00:00Z/PT1H"],
            cwd=tmp_path,
            env={**os.environ, **keys},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 2, done
        assert len(done.stderr.strip().splitlines()) == 1, done
        assert f"{root}/capture: {words}" in done.stderr


def test_a_large_file_goes_in_parts_and_comes_back_in_pieces(store: Store, tmp_path: Path) -> None:
    random = Random(3)
    with (tmp_path / "large").open("w+b") as file, (tmp_path / "back").open("w+b") as back:
        for _ in range(9):
            file.write(random.randbytes(CHUNK))
        assert file.tell() > SINGLE
        one = Execution(store, "e/m/2026/01/01/01", {"a": "1"})
        key = one.commit({"table": file, "report.json": b"{}"}, shown=("report.json",))
        assert one.commit({"table": file, "report.json": b"{}"}) == key
        read_artifact_to(store, key, "table", back)
        assert digest(back) == digest(file) == read_manifest(store, key).artifacts["table"]
    sizes = [len(piece) for piece in store.chunks(key.replace("manifest.json", "table"))]
    assert sizes == [CHUNK] * 9


def test_an_upload_is_invisible_until_its_last_part_has_come(ceph: Server, bucket: str, store: Store) -> None:
    seen = []

    class Slow:
        """Nine parts, between which somebody looks."""

        def __init__(self) -> None:
            self.left = 9

        def seek(self, offset: int, whence: int = 0) -> int:
            return 9 * CHUNK if whence == os.SEEK_END else offset

        def read(self, size: int = -1) -> bytes:
            seen.append(ceph.client.list_objects_v2(Bucket=bucket)["KeyCount"])
            self.left -= 1
            return b"x" * CHUNK if self.left >= 0 else b""

    store.put("large", Slow())  # type: ignore[arg-type]
    assert len(seen) >= 9
    assert not any(seen)
    assert [entry.size for entry in store.entries()] == [9 * CHUNK]


def test_executions_and_logs_are_right_with_many_writers(ceph: Server, bucket: str) -> None:
    def write(number: int) -> list[str]:
        own = Store(f"s3://{bucket}", ceph.credentials)
        for entry in range(5):
            append(own, "log", lambda _, entry=entry: f"{number} {entry}".encode())
        return [
            Execution(own, "e/m", {"a": inputs}).commit({"a.json": inputs.encode()}, shown=("a.json",))
            for inputs in ("1", "2")
        ]

    with ThreadPoolExecutor(4) as pool:
        keys = list(pool.map(write, range(4)))
    assert keys == [keys[0]] * 4
    store = Store(f"s3://{bucket}", ceph.credentials)
    assert sorted(read_log(store, "log")) == sorted(f"{one} {two}".encode() for one in range(4) for two in range(5))
    assert [read_artifact(store, key, "a.json") for key in keys[0]] == [b"1", b"2"]
    last = newest(store, "e/m")
    assert last in keys[0]
    assert store.get("e/m/a.json") == read_artifact(store, last, "a.json")


COMMIT = """
import json, sys
from pathlib import Path
from monitor_tasks.io.executions import Execution
from monitor_tasks.io.store import Store
one = Execution(Store(sys.argv[1], json.loads(sys.argv[2])), "e/m/2026/01/01/01", {"a": "1"})
with Path(sys.argv[3]).open("rb") as table:
    done = one.committed() or one.commit({"a.json": b"{}", "b.json": b"[]", "table": table}, shown=("a.json", "b.json"))
"""


def test_a_commit_killed_at_any_request_is_finished_by_the_next_run(
    ceph: Server, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "table").write_bytes(Random(1).randbytes(SINGLE + 1))

    def run(number: int) -> tuple[dict[str, bytes], int, bool]:
        """The tree after a run that is killed at a request and one that is not; its requests; whether it was killed."""
        bucket = ceph.bucket()
        store = Store(f"s3://{bucket}", ceph.credentials)
        with FaultyProxy(ceph.endpoint) as proxy:
            keys = json.dumps(ceph.through(proxy.address))
            command = [sys.executable, "-c", COMMIT, f"s3://{bucket}", keys, str(tmp_path / "table")]
            with subprocess.Popen(command) as first:
                proxy.heard = lambda count: first.kill() if count == number else None
            asked = len(proxy.asked)
            for entry in store.entries():
                if entry.key.endswith(MANIFEST):
                    for name in read_manifest(store, entry.key).artifacts:
                        read_artifact(store, entry.key, name)
            subprocess.run(command, check=True)
        return {entry.key: store.get(entry.key) for entry in store.entries()}, asked, first.returncode != 0

    expected, requests, _ = run(0)
    ends = [run(number) for number in range(1, requests + 1)]
    different = sum(tree != expected for tree, _, _ in ends)
    killed = sum(killed for _, _, killed in ends)
    with capsys.disabled():
        sys.stdout.write(f"\n{killed} of {requests} killed, {different} different\n")
    assert (killed >= requests - 1, different) == (True, 0)  # the last answer may come before the end


def test_unusual_names_survive_a_real_server(store: Store) -> None:
    names = ["100%/a b", "a?b*c[d]", "k=v~1", ".hidden", "d#e", "ü/一", "a+b", "a&b;c", "d#1"]
    for name in names:
        store.put(name, name.encode())
    assert {entry.key: store.get(entry.key).decode() for entry in store.entries()} == {name: name for name in names}


def test_more_than_a_page_is_listed_whole(ceph: Server, bucket: str) -> None:
    keys = [f"a/{number:04d}" for number in range(1003)]
    store = Store(f"s3://{bucket}", ceph.credentials)
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda key: store.put(key, b""), keys))
    assert [entry.key for entry in store.entries()] == keys
