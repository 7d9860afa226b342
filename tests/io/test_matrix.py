"""The matrix of faults, whole: every kill, many races, full and forbidden stores; on disk and on Ceph's gateway."""

import json
import re
import shutil
import sys
from collections.abc import Callable, Iterator
from hashlib import sha256
from itertools import count
from pathlib import Path
from random import Random
from subprocess import run

import pytest

from monitor_tasks import replaying
from monitor_tasks.io.store import Store
from monitor_tasks.policy import Proposal
from scripts.s3_gateway import Gateway
from tests import whole
from tests.io.conftest import Server
from tests.io.forked import CLOCK, Forker
from tests.io.harmed import Ends, Ground, handed_over, killed, raced

pytestmark = pytest.mark.long
HOURS = 50
CHEAP = "model_quality"
"""The monitor of what is run often: it needs neither Great Expectations nor a process that asks the model."""
PLACES = (
    {"PYTHONHASHSEED": "0", "TZ": "UTC", "LC_ALL": "C.UTF-8"},
    {"PYTHONHASHSEED": "4711", "TZ": "Asia/Kathmandu", "LC_ALL": "tr_TR.UTF-8", "OMP_NUM_THREADS": "1"},
    {"PYTHONHASHSEED": "99", "TZ": "America/St_Johns", "LC_ALL": "de_DE.UTF-8", **CLOCK},
)


@pytest.fixture(scope="module")
def say(request: pytest.FixtureRequest) -> Callable[[object], None]:
    """Prints a figure beside pytest's own output."""
    manager = request.config.pluginmanager.getplugin("capturemanager")

    def said(figure: object) -> None:
        with manager.global_and_fixture_disabled():
            sys.stdout.write(f"\n{figure}\n")

    return said


def keys(server: Server) -> dict[str, str]:
    """The environment of somebody who uses the server."""
    known = {name.upper(): value for name, value in server.credentials.items() if name != "aws_endpoint"}
    return {**known, "AWS_ENDPOINT_URL": server.endpoint}


@pytest.fixture(scope="module")
def opened() -> Iterator[Callable[..., Forker]]:
    """Processes that end with the tests."""
    known: dict[str, Forker] = {}

    def forker(name: str, environment: dict[str, str] | None = None) -> Forker:
        if name not in known:
            known[name] = Forker(environment)
        return known[name]

    yield forker
    for one in known.values():
        one.close()


@pytest.fixture(params=["disk", "ceph"])
def grounds(request: pytest.FixtureRequest, tmp_path: Path, opened: Callable[..., Forker]) -> list[Ground]:
    """Two grounds of one kind, each with a process of its own."""
    if request.param == "disk":
        return [Ground(tmp_path / str(place), opened(f"disk {place}")) for place in range(2)]
    server: Server = request.getfixturevalue("ceph")
    bucket, environment = server.bucket(), keys(server)
    return [
        Ground(tmp_path / str(place), opened(f"ceph {place}", environment), f"s3://{bucket}/{place}/", server)
        for place in range(2)
    ]


SWEPT = {"disk": ("", 1), "ceph": (CHEAP, 4)}
"""Which monitors watch where everything is killed, and how many writes lie from one kill to the next."""


def test_killed_at_every_write_the_next_run_ends_like_one_that_was_not(
    grounds: list[Ground], request: pytest.FixtureRequest, say: Callable[[object], None]
) -> None:
    where = request.node.callspec.params["grounds"]
    ends = killed(grounds, *SWEPT[where])
    say(f"kills, {where}: {ends}")
    assert ends.is_well, ends


def test_four_runs_of_one_hour_twenty_times_give_one_verdict_and_one_hand_over(
    grounds: list[Ground], request: pytest.FixtureRequest, say: Callable[[object], None]
) -> None:
    ends = raced(grounds[0], 20, CHEAP)
    say(f"races of four, {request.node.callspec.params['grounds']}: {ends}")
    assert ends.is_well, ends
    assert handed_over(grounds[0].tree) == (1, 1, 1)


FULL = {"fsync": "ENOSPC", "link": "EDQUOT", "mkdir": "EROFS", "unlink": "EACCES", "rename": "EPERM"}
"""What each call is refused with, at its first time and every fortieth after it.

Not ``write``: libraries wake their threads by it, too. What a disk does that is full lies in tests/test_faults.py.
"""


@pytest.mark.skipif(shutil.which("strace") is None, reason="needs strace: apt-get install strace")
def test_what_the_disk_refuses_is_one_clear_line_and_nothing_is_half_written(
    tmp_path: Path, opened: Callable[..., Forker], say: Callable[[object], None]
) -> None:
    ground = Ground(tmp_path, opened("disk 0"))
    ground.lay(whole.laid_out(1, {0: 30.0}, wrong=[0], only=CHEAP))
    before, command = ground.tree, (tmp_path / "endpoint.yaml", str(whole.hour(0)))
    assert ground.forker.run(*command)[0].code == 1
    after, ends = ground.tree, []
    for call, error in FULL.items():
        for number in count(1, 40):
            ground.restore(before)
            fault = ["-e", f"trace={call}", "-e", f"inject={call}:error={error}:when={number}"]
            ran = ground.forker.run(*command, strace=fault)[0]
            if ran.code == 1:
                break
            lines = ran.said.strip().splitlines()
            is_clear = ran.code == 2 and len(lines) == 1 and re.match(r"(\./artifacts|/\S+)(/\S+)*: ", ran.said)
            half, again = ground.torn, ground.forker.run(*command)[0]
            assert is_clear, (call, number, ran)
            ends.append(Ends(1, int(again.code == 1 and ground.tree == after), 0, len(half)))
    say(f"refused by the disk: {Ends.of(ends)}")
    assert Ends.of(ends).is_well, ends


def test_what_the_bucket_refuses_is_one_clear_line_and_nothing_is_written(
    gateway: Gateway, ceph: Server, tmp_path: Path, opened: Callable[..., Forker], say: Callable[[object], None]
) -> None:
    gateway.user("reader")
    bucket = ceph.bucket()
    reader = Server(gateway.endpoint, "reader", gateway.keys["reader"])
    rights = {"Effect": "Allow", "Principal": {"AWS": ["arn:aws:iam:::user/reader"]},
              "Action": ["s3:GetObject", "s3:ListBucket"],
              "Resource": [f"arn:aws:s3:::{bucket}", f"arn:aws:s3:::{bucket}/*"]}  # fmt: skip
    policy = json.dumps({"Version": "2012-10-17", "Statement": [rights]})
    ceph.client.put_bucket_policy(Bucket=bucket, Policy=policy)
    cases = {
        "access was refused (AccessDenied)": keys(reader),
        "the secret does not fit the access key": {**keys(ceph), "AWS_SECRET_ACCESS_KEY": "wrong"},
        "nobody has that access key": {**keys(ceph), "AWS_ACCESS_KEY_ID": "nobody"},
        "this machine's clock is not the server's": {**keys(ceph), **CLOCK},
    }
    for number, (words, environment) in enumerate(cases.items()):
        if environment == keys(ceph):
            pytest.skip("needs libfaketime: apt-get install faketime")
        root = f"s3://{bucket}/{number}/"
        ground = Ground(tmp_path / str(number), opened(words, environment), root, ceph)
        ground.lay(whole.laid_out(1, root=root))
        ran = ground.forker.run(ground.home / "endpoint.yaml", str(whole.hour(0)))[0]
        assert (ran.code, len(ran.said.strip().splitlines())) == (2, 1), ran
        assert ran.said.startswith(root), ran
        assert words in ran.said
        assert not Store(f"{root}artifacts", ceph.credentials).entries()
    say(f"refused by the bucket: {len(cases)} injected, {len(cases)} told in one line, 0 half-written")


@pytest.fixture(scope="module")
def locales(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Turkish (whose lower-case I is none) and German, made for these tests where the machine can make them."""
    folder = tmp_path_factory.mktemp("locales")
    for name in ("tr_TR", "de_DE"):
        made = shutil.which("localedef") and run(
            ["localedef", "-i", name, "-f", "UTF-8", str(folder / f"{name}.UTF-8")], capture_output=True, check=False
        )
        if not made or made.returncode:
            pytest.skip("needs the sources of locales: apt-get install locales")
    return {"LOCPATH": str(folder)}


def test_fifty_hours_told_three_times_have_one_hash_each(
    tmp_path: Path, opened: Callable[..., Forker], locales: dict[str, str], say: Callable[[object], None],
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    """In other order of listings, hours and files, time zone, locale, hash seed, clock and number of workers."""
    files = whole.laid_out(HOURS, {10: 30.0, 11: 30.0, 30: 30.0}, wrong=[20])
    told: dict[str, set[str]] = {}
    timelines = []
    for number, (place, workers) in enumerate(zip(PLACES, (1, 2, 4), strict=True)):
        random = Random(number)
        ground = Ground(tmp_path / str(number), opened(f"place {number}", {**place, **(locales if number else {})}))
        ground.lay(dict(random.sample(list(files.items()), len(files))))
        order = random.sample(range(HOURS), HOURS) if number else list(range(HOURS))
        shares = [[order[share::workers]] for share in range(workers)]
        ends = ground.forker.calls(ground.home, "tests.whole:hours", shares=shares, listing=number)
        assert [one.code for one in ends] == [0] * workers, ends
        assert not ground.torn
        for key, content in ground.tree.items():
            if not re.match(r"artifacts/tiny/(verdict|episodes|alerts)/|labels/", key):  # records of what was known
                told.setdefault(key, set()).add(sha256(content).hexdigest())
        monkeypatch.chdir(ground.home)
        windows = [whole.hour(one) for one in range(HOURS)]
        timelines.append([one.again for one in replaying.replay(whole.site(), Proposal(), windows, whole.ALLOWED)])
    differ = [key for key, hashes in told.items() if len(hashes) > 1]
    say(f"{HOURS} hours x {len(PLACES)} runs: {len(told)} artifacts, {len(differ)} of them differ")
    assert (differ, len(told) > HOURS * 40) == ([], True)
    assert timelines[1:] == timelines[:1] * 2
