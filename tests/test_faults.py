"""Killed, full, forbidden, raced: a window's files are whole or not there, and the next run ends where any run ends."""

import json
import os
import re
import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import cycle
from pathlib import Path
from queue import SimpleQueue
from random import Random
from tempfile import TemporaryDirectory, gettempdir

import pytest

from monitor_tasks.io.executions import MANIFEST, newest
from monitor_tasks.io.store import Store
from monitor_tasks.window import parse_time
from tests.io.forked import CLOCK, WRITES, Forker, Ran
from tests.io.harmed import Ground, handed_over, killed, raced
from tests.io.torn import torn as unwhole

WINDOW = "2026-01-01T00:00:00Z/PT1H"
COLUMNS = ("probability", "income", "age", "region")
ENDPOINT = """
endpoint_name: tiny
root: artifacts
capture: {address: capture, output_names: [probability], input_names: [income, age, region]}
baseline: {dataset: reference.csv}
monitors: {data_quality: {minimum_rows: 20}}
"""
PLACES = (
    {"PYTHONHASHSEED": "0", "TZ": "UTC", "LC_ALL": "C.UTF-8"},
    {"PYTHONHASHSEED": "4711", "TZ": "Asia/Kathmandu", "LC_ALL": "tr_TR.UTF-8", "OMP_NUM_THREADS": "1", **CLOCK},
)
SEEN = 20
"""The first write of every box and verb is met, and every twentieth after it."""
SPREAD = 11
"""Every eleventh call is killed by default; they come in fives (write, sync, link, sync, unlink): all kinds are met."""

needs_strace = pytest.mark.skipif(shutil.which("strace") is None, reason="needs strace: apt-get install strace")


@pytest.fixture(scope="module")
def forkers() -> Iterator[list[Forker]]:
    """Two processes that run windows: another hash seed, time zone, locale, number of threads and day each."""
    started = [Forker(place) for place in PLACES]
    yield started
    for one in started:
        one.close()


@pytest.fixture(scope="module")
def unharmed(tmp_path_factory: pytest.TempPathFactory, forkers: list[Forker]) -> dict[str, bytes]:
    """The tree of one run that nothing happened to."""
    home = watched(tmp_path_factory.mktemp("unharmed"))
    assert run(forkers[0], home).code == 0
    return tree(home)


def watched(home: Path, order: int = 1) -> Path:
    """A tiny endpoint in its own folder, with capture files written in an order."""
    random = Random(7)
    rows = [
        (f"{random.random():.3f}", f"{random.gauss(50, 9):.2f}", str(random.randint(18, 80)), random.choice("abc"))
        for _ in range(260)
    ]
    home.mkdir(exist_ok=True)
    (home / "endpoint.yaml").write_text(ENDPOINT)
    (home / "reference.csv").write_text("".join(",".join(row) + "\n" for row in (COLUMNS, *rows[60:])))
    hour = home / "capture/2026/01/01/00"
    hour.mkdir(parents=True)
    for part in (0, 1, 2)[::order]:
        lines = [captured(number, rows[number]) for number in range(part * 20, part * 20 + 20)]
        (hour / f"part-{part}.jsonl").write_text("\n".join(lines) + "\n")
    return home


def captured(number: int, row: Sequence[str]) -> str:
    """One capture record as SageMaker writes it."""
    sides = {"endpointInput": ("INPUT", row[1:]), "endpointOutput": ("OUTPUT", row[:1])}
    data = {
        side: {"observedContentType": "text/csv", "mode": mode, "data": ",".join(cells), "encoding": "CSV"}
        for side, (mode, cells) in sides.items()
    }
    metadata = {"eventId": f"event-{number}", "inferenceTime": f"2026-01-01T00:{number:02d}:00Z"}
    return json.dumps({"captureData": data, "eventMetadata": metadata, "eventVersion": "0"})


def run(forker: Forker, home: Path, *strace: str) -> Ran:
    return forker.run(home / "endpoint.yaml", WINDOW, strace=strace)[0]


def tree(home: Path) -> dict[str, bytes]:
    """Everything that lies below the root, but for unfinished files that no listing shows."""
    root = home / "artifacts"
    files = [path for path in root.rglob("*") if path.is_file() and not re.search(r"#\d+$", path.name)]
    return {str(path.relative_to(root)): path.read_bytes() for path in files}


def torn(home: Path) -> list[str]:
    """What is visible through the store and is not whole, or is there and not visible."""
    store = Store(str(home / "artifacts"))
    return [*sorted({entry.key for entry in store.entries()} ^ set(tree(home))), *unwhole(store)]


def _calls(forker: Forker, home: Path) -> list[str]:
    """Every system call of one run that makes, fills, names, syncs or removes a file: its name and its number."""
    log = home / "strace.log"
    assert run(forker, home, "-e", f"trace={WRITES}", "-o", str(log)).code == 0
    lines = [line.split(maxsplit=1) for line in log.read_text().splitlines()]
    assert len({thread for thread, _ in lines}) == 1  # strace counts each thread's calls apart, and each kind of call
    seen: Counter[str] = Counter()
    calls = []
    for _, call in lines:
        name = call.partition("(")[0]
        seen[name] += 1
        calls.append(f"{name}:signal=KILL:when={seen[name]}")
    return calls


def sweep(tmp_path: Path, forkers: list[Forker], unharmed: dict[str, bytes], step: int) -> str:
    """Kills a run at every `step`-th such call, runs it again, and says how that ended."""
    calls = _calls(forkers[0], watched(tmp_path / "counted"))
    free: SimpleQueue[Forker] = SimpleQueue()
    for one in forkers:
        free.put(one)

    def kill(call: str) -> tuple[bool, list[str], bool]:
        home = watched(tmp_path / call)
        forker = free.get()
        try:
            code = run(forker, home, "-e", f"trace={call.partition(':')[0]}", "-e", f"inject={call}").code
            half = torn(home) if (home / "artifacts").exists() else []
            again = run(forker, home).code
        finally:
            free.put(forker)
        different = again != 0 or tree(home) != unharmed or bool(torn(home))
        shutil.rmtree(home)
        return code == -9, half, different

    with ThreadPoolExecutor(len(forkers)) as pool:
        ends = list(pool.map(kill, calls[::step]))
    killed, half, different = (sum(map(bool, column)) for column in zip(*ends, strict=True))
    return f"{killed} of {len(ends)} killed, {half} torn, {different} different ({len(calls)} calls)"


@pytest.mark.long
@needs_strace
def test_a_killed_run_leaves_nothing_half_written_and_the_next_one_ends_like_any(
    tmp_path: Path, forkers: list[Forker], unharmed: dict[str, bytes], capsys: pytest.CaptureFixture[str]
) -> None:
    _report(sweep(tmp_path, forkers, unharmed, SPREAD), capsys)


@needs_strace
@pytest.mark.long
def test_killed_at_every_single_call(
    tmp_path: Path, forkers: list[Forker], unharmed: dict[str, bytes], capsys: pytest.CaptureFixture[str]
) -> None:
    _report(sweep(tmp_path, forkers, unharmed, 1), capsys)


def _say(figures: str, capsys: pytest.CaptureFixture[str]) -> None:
    with capsys.disabled():
        sys.stdout.write(f"\n{figures}\n")


def _report(figures: str, capsys: pytest.CaptureFixture[str]) -> None:
    _say(figures, capsys)
    found = re.fullmatch(r"(\d+) of (\d+) killed, (\d+) torn, (\d+) different \(\d+ calls\)", figures)
    assert found
    assert found[1] == found[2], figures
    assert int(found[1]) > 0
    assert (found[3], found[4]) == ("0", "0"), figures


def test_four_runs_of_one_window_at_once_end_like_one(
    tmp_path: Path, forkers: list[Forker], unharmed: dict[str, bytes]
) -> None:
    for number in range(2):
        home = watched(tmp_path / str(number))
        ends = forkers[number].run(home / "endpoint.yaml", WINDOW, times=4)
        assert [one.code for one in ends] == [0] * 4, ends
        assert (torn(home), tree(home)) == ([], unharmed)


def test_the_bytes_depend_on_no_hash_seed_time_zone_locale_or_order_of_files(
    tmp_path: Path, forkers: list[Forker], unharmed: dict[str, bytes]
) -> None:
    for number, (forker, order) in enumerate(zip(cycle(forkers), (1, 1, -1, -1), strict=False)):
        home = watched(tmp_path / str(number), order)
        assert run(forker, home).code == 0
        assert tree(home) == unharmed


@pytest.mark.skipif(not CLOCK, reason="needs libfaketime: apt-get install faketime")
def test_one_of_the_processes_believes_that_it_is_tomorrow(tmp_path: Path, forkers: list[Forker]) -> None:
    times = [parse_time(json.loads(one.call(tmp_path, "tests.whole:clock").said)) for one in forkers]
    assert abs((times[1] - times[0]).total_seconds() - 25 * 3600) < 60


def test_killed_at_writes_of_the_whole_sentence_the_next_run_ends_like_one_that_was_not(
    tmp_path: Path, forkers: list[Forker], capsys: pytest.CaptureFixture[str]
) -> None:
    ends = killed([Ground(tmp_path, forkers[0])], "model_quality", SEEN)
    _say(f"whole sentence: {ends}", capsys)
    assert ends.is_well, ends


def test_four_runs_of_one_hour_give_one_verdict_and_one_hand_over(tmp_path: Path, forkers: list[Forker]) -> None:
    ground = Ground(tmp_path, forkers[1])
    ends = raced(ground, 1, "model_quality")
    assert ends.is_well, ends
    assert handed_over(ground.tree) == (1, 1, 1)


def test_who_may_not_write_is_told_where_in_one_clear_line(forkers: list[Forker]) -> None:
    if os.geteuid():
        pytest.skip("needs the right to be somebody else")
    with TemporaryDirectory() as folder:
        home = watched(Path(folder) / "home")
        home.parent.chmod(0o755)
        (home / "artifacts").mkdir()
        ran = forkers[0].run(home / "endpoint.yaml", WINDOW, user=65534)[0]
        assert_one_clear_line(ran, home, "Permission denied")
        assert tree(home) == {}


def test_a_finished_window_run_again_writes_nothing(tmp_path: Path, forkers: list[Forker]) -> None:
    home = watched(tmp_path / "again")
    first = run(forkers[0], home)
    before = {path: path.stat().st_mtime_ns for path in (home / "artifacts").rglob("*")}
    assert run(forkers[1], home) == first
    assert {path: path.stat().st_mtime_ns for path in (home / "artifacts").rglob("*")} == before


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """An endpoint whose root is a file system of its own."""
    home = watched(tmp_path / "small")
    root = home / "artifacts"
    root.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=4k", "none", str(root)]
    if os.geteuid() or subprocess.run(command, capture_output=True, check=False).returncode:
        pytest.skip("needs the right to mount a tmpfs")
    yield home
    subprocess.run(["umount", str(root)], check=True)


def _remount(home: Path, options: str) -> None:
    subprocess.run(["mount", "-o", f"remount,{options}", str(home / "artifacts")], check=True)


def assert_one_clear_line(ran: Ran, home: Path, word: str, where: str = "./artifacts") -> None:
    assert ran.code == 2, ran
    assert len(ran.said.strip().splitlines()) == 1, ran
    assert word in ran.said
    assert where in ran.said
    assert "#" not in ran.said
    assert torn(home) == []


def test_a_full_disk_is_one_clear_line_and_the_run_goes_on_when_there_is_room(
    small_disk: Path, forkers: list[Forker], unharmed: dict[str, bytes]
) -> None:
    for size in ("4k", "48k", "100k"):
        _remount(small_disk, f"size={size}")
        assert_one_clear_line(run(forkers[0], small_disk), small_disk, "the disk is full")
    _remount(small_disk, "size=10m")
    assert run(forkers[0], small_disk).code == 0
    assert tree(small_disk) == unharmed


def test_a_read_only_disk_is_one_clear_line(small_disk: Path, forkers: list[Forker]) -> None:
    _remount(small_disk, "size=10m,ro")
    assert_one_clear_line(run(forkers[0], small_disk), small_disk, "Read-only file system")


def test_a_finished_window_can_be_read_on_a_read_only_disk(small_disk: Path, forkers: list[Forker]) -> None:
    _remount(small_disk, "size=10m")
    first = run(forkers[0], small_disk)
    _remount(small_disk, "ro")
    assert run(forkers[0], small_disk) == first


@needs_strace
@pytest.mark.parametrize(
    ("fault", "told"),
    [
        ("mkdir:error=EACCES:when=1", ("Permission denied", "./artifacts")),
        ("write:error=EDQUOT:when=3", ("the disk is full", gettempdir())),
        ("write:error=EDQUOT:when=12", ("the disk is full", "./artifacts")),
        ("fsync:error=EIO:when=4", ("Input/output error", "./artifacts")),
        ("link,linkat:error=EPERM:when=2", ("Operation not permitted", "./artifacts")),
    ],
)
def test_what_the_disk_refuses_is_one_clear_line(
    fault: str, told: tuple[str, str], tmp_path: Path, forkers: list[Forker], unharmed: dict[str, bytes]
) -> None:
    home = watched(tmp_path / "refused")
    name = fault.partition(":")[0]
    assert_one_clear_line(run(forkers[1], home, "-e", f"trace={name}", "-e", f"inject={fault}"), home, *told)
    assert run(forkers[1], home).code == 0
    assert tree(home) == unharmed


def test_a_file_in_the_place_of_the_root_is_one_clear_line(tmp_path: Path, forkers: list[Forker]) -> None:
    home = watched(tmp_path / "occupied")
    (home / "artifacts").write_text("mine")
    assert_one_clear_line(run(forkers[0], home), home, "a file lies where one of its folders should be")
    assert (home / "artifacts").read_text() == "mine"


def test_damage_after_the_commit_is_one_clear_line_that_names_the_file(tmp_path: Path, forkers: list[Forker]) -> None:
    home = watched(tmp_path / "damaged")
    assert run(forkers[0], home).code == 0
    store = Store(str(home / "artifacts"))
    manifest = newest(store, "tiny/captured/2026/01/01/01")
    assert manifest
    table = manifest.removesuffix(MANIFEST) + "captured.parquet"
    store.put(table, store.get(table)[:-1])
    store.delete(newest(store, "tiny/data_quality/2026/01/01/01") or "")
    ran = run(forkers[0], home)
    assert ran.code == 2
    assert table in ran.said
    assert "changed after it was committed" in ran.said
