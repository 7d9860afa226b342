"""Whatever comes late: labels in any batches end in the same bytes, and a backfill re-opens no episode."""

import sys
from collections.abc import Callable, Iterable
from itertools import pairwise
from pathlib import Path
from random import Random

import pytest

from monitor_tasks.io.executions import newest
from monitor_tasks.site import Site
from monitor_tasks.verdict import Action, Verdict
from tests import whole

HOURS = 2
COLLECTED = ("2026/01/01/03", "2026/01/01/04", "2026/01/01/05")
"""When the labels were collected; of two about one event the first counts, so a batching may not move them."""
Lines = dict[str, list[bytes]]


@pytest.fixture
def say(capsys: pytest.CaptureFixture[str]) -> Callable[[str], None]:
    def said(figure: str) -> None:
        with capsys.disabled():
            sys.stdout.write(f"\n{figure}\n")

    return said


def labels(random: Random) -> Lines:
    """The labels of every hour, some of them twice, some contrary, some of nobody, by when they were collected."""
    events = [(number, one) for number in range(HOURS) for one in range(whole.ROWS)]
    told = [*random.sample(events, len(events) - 40), *random.sample(events, 60), (9, 9)]
    lines = [whole.labelled(*one, random.choice("01")).encode() for one in told]
    cuts = [0, *sorted(random.sample(range(len(lines)), 2)), len(lines)]
    return {when: lines[start:end] for when, (start, end) in zip(COLLECTED, pairwise(cuts), strict=True)}


def batches(known: Lines, random: Random) -> list[dict[str, bytes]]:
    """The same labels cut into files of any size, which arrive in any order and company."""
    files = {}
    for when, lines in known.items():
        cuts = sorted({0, len(lines), *random.sample(range(1, len(lines)), 3)})
        for number, (start, end) in enumerate(pairwise(cuts)):
            files[f"labels/{when}/part-{number:03d}.jsonl"] = b"".join(lines[start:end])
    names = random.sample(sorted(files), len(files))
    ends = sorted({0, len(names), *random.sample(range(1, len(names)), random.randint(0, 3))})
    return [{name: files[name] for name in names[start:end]} for start, end in pairwise(ends)]


def ended(place: Site) -> dict[str, bytes]:
    """The newest manifests of everything that labels touch: each names all of its artifacts with their hashes."""
    schedules = ("labelled", "model_quality", "bias")
    keys = [newest(place.store, place.folder(one, whole.hour(hour))) for one in schedules for hour in range(HOURS)]
    return {key: place.store.get(key) for key in keys if key}


@pytest.mark.parametrize("times", [2, pytest.param(12, marks=pytest.mark.long)])
def test_any_batching_of_the_labels_ends_in_the_same_bytes(
    times: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, say: Callable[[str], None]
) -> None:
    random, files = Random(5), whole.laid_out(HOURS, only=("model_quality", "bias"))
    known = labels(random)
    unlabelled = {name: content for name, content in files.items() if not name.startswith("labels/")}
    at_once = {f"labels/{when}/part.jsonl": b"".join(lines) for when, lines in known.items()}
    expected = told(tmp_path / "at once", unlabelled | at_once, (), monkeypatch)
    assert len(expected) == 3 * HOURS
    ways = [batches(known, random) for _ in range(times)]
    ends = [told(tmp_path / str(number), unlabelled, way, monkeypatch) for number, way in enumerate(ways)]
    arrived = sum(map(len, ways))
    different = sum(end != expected for end in ends)
    say(f"{times} batchings ({arrived} batches) injected, {times - different} survived, {different} different")
    assert (different, arrived >= times) == (0, True)


def told(
    home: Path, files: dict[str, bytes], late: Iterable[dict[str, bytes]], monkeypatch: pytest.MonkeyPatch
) -> dict[str, bytes]:
    """What the hours end in that are judged at first, and again with every batch."""
    monkeypatch.chdir(whole.written(files, home))
    for number in range(HOURS):
        whole.sentence(number)
    for batch in late:
        whole.written(batch, home)
        whole.restate()
    return ended(whole.site())


def verdict(number: int, allowed: bool = True) -> Verdict:
    """An hour's verdict by a live run, or by a backfill."""
    whole.sentence(number, permission=whole.ALLOWED if allowed else whole.BACKFILL)
    return whole.site().verdicts(whole.hour(number))[-1]


def acted(place: Site) -> dict[str, bytes]:
    """What the house has done: hand-overs and messages."""
    keys = [one.key for folder in ("episodes", "alerts") for one in place.store.entries(f"{place.name}/{folder}")]
    return {key: place.store.get(key) for key in keys if "/log/" not in key or "/alerts/" in key}


def late_capture(home: Path, number: int, one: int) -> None:
    """A record of an hour that comes when the hour has been judged: the hour has a new revision."""
    row = next(iter(whole.predictions(1000 + one)))
    name = f"capture/{whole.hour(number).start:%Y/%m/%d/%H}/late-{one}.jsonl"
    line = whole.captured(number, one, row).replace(f"event-{number}-{one}", f"late-{one}")
    whole.written({name: line.encode()}, home)


def test_a_backfill_reopens_no_episode_and_hands_nothing_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, say: Callable[[str], None]
) -> None:
    """Hours 1 and 3 are violated; hours 0 and 1 were never run live, and come with the backfill."""
    wrong = (1, 3)
    home = whole.written(whole.laid_out(5, wrong=wrong, only="model_quality"), tmp_path)
    monkeypatch.chdir(home)
    live = {number: verdict(number) for number in (2, 3, 4)}
    assert [one.action for one in live.values()] == [Action.REST, Action.RETRAIN, Action.REST]
    assert (live[3].episode, live[4].closes) == ("000001", "000001")
    place, done = whole.site(), acted(whole.site())
    assert [key for key in done if "/resolved/" in key]
    backfilled = []
    for number in (1, 0, 3, 2, 4, 3):
        late_capture(home, number, len(backfilled))
        backfilled.append((number, verdict(number, allowed=False)))
    episodes = {number: one.episode for number, one in backfilled if one.episode}
    assert episodes == {1: "000002", 3: "000001"}
    assert {one.action for number, one in backfilled if number in wrong} == {Action.ALERT}
    assert acted(place) == done
    evidence = place.store.get(place.evidence_key("000001"))
    late_capture(home, 3, 99)
    assert verdict(3).episode == "000001"
    assert place.store.get(place.evidence_key("000001")) == evidence
    assert not place.store.has(place.evidence_key("000002"))
    say(f"{len(backfilled)} hours backfilled, 0 episodes re-opened, 0 hand-overs, 0 messages")
