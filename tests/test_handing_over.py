"""An episode is handed over to retraining exactly once, whatever is killed, retried, backfilled, resent or late."""

import shutil
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from monitor_tasks import restating, sending, tasks
from monitor_tasks.site import Site
from monitor_tasks.value import UserError
from monitor_tasks.verdict import Permission, Verdict
from tests.retraining_story import ALLOWED, HOURS, Killed, judge, killing, reports, site, tree, write

ASKING, BESIDE, LATE = HOURS[2], HOURS[3], HOURS[1]
REFUSED = Permission(retraining=False, because="this run was not allowed to")
Reports = dict[str, str]
ROOT = Path(__file__).resolve().parents[1]
WRITES = 7
"""What ``choose_action`` writes to hand an episode over."""


class Airflow:
    """What ``TriggerDagRunOperator`` does with ``skip_when_already_exists``: a run's id is taken once."""

    def __init__(self) -> None:
        self.runs, self.asked = dict[str, tuple[str, str]](), 0

    def trigger(self, verdict: Verdict) -> None:
        if verdict.action == "retrain":
            self.asked += 1
            self.runs.setdefault(f"retrain__{verdict.endpoint}__{verdict.episode}", (verdict.episode, verdict.window))


class Story(NamedTuple):
    """The endpoint with the reports of all hours, and nothing decided yet."""

    place: Site
    found: dict[Any, Reports]
    airflow: Airflow

    def choose(self, window: Any, permission: Permission = ALLOWED) -> Verdict:
        return tasks.choose_action(self.place, window, self.found[window], permission)

    def run(self, window: Any, permission: Permission = ALLOWED) -> None:
        """The window's last two boxes."""
        self.airflow.trigger(self.choose(window, permission))


@pytest.fixture(scope="module")
def reported(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[Any, Reports]]:
    """Every hour's reports; the labels of the second, in which the world turned already, are late."""
    home = write(tmp_path_factory.mktemp("story") / "home", turned=range(1, 4))
    shutil.move(home / "labels/2026/01/01/01", home / "late")
    return home, {window: reports(site(home), window) for window in HOURS[:5]}


@pytest.fixture
def copies(reported: tuple[Path, dict[Any, Reports]], tmp_path: Path) -> Callable[[str], Story]:
    """The story from its beginning, in the folder with this name."""

    def copy(name: str) -> Story:
        shutil.rmtree(tmp_path / name, ignore_errors=True)
        shutil.copytree(reported[0], tmp_path / name)
        return Story(site(tmp_path / name), reported[1], Airflow())

    return copy


def killed_after_the_verdict(story: Story) -> int:
    """The verdict is written, the scheduler dies, and the task that asks for the run never ran."""
    story.choose(ASKING)
    story.run(ASKING)
    return 1


def retried_three_times(story: Story) -> int:
    for _ in range(3):
        story.run(ASKING)
    return 3


def backfilled_twice(story: Story) -> int:
    story.run(ASKING)
    for permission in (REFUSED, REFUSED, ALLOWED, ALLOWED):
        story.run(ASKING, permission)
    return 4


def backfilled_first(story: Story) -> int:
    story.run(ASKING, REFUSED)
    assert story.airflow.runs == {}
    story.run(ASKING)
    return 1


def the_others_of_the_episode(story: Story) -> int:
    for window in (BESIDE, ASKING, BESIDE):
        story.run(window)
    return 2


def all_at_once(story: Story) -> int:
    with ThreadPoolExecutor(8) as pool:
        for verdict in pool.map(story.choose, [ASKING, BESIDE] * 4):
            story.airflow.trigger(verdict)
    return 8


def alert_resent(story: Story) -> int:
    """The receiver refuses five times, and every time the whole window is run again."""
    text = (Path(story.place.endpoint.root).parent / "endpoint.yaml").read_text()
    told = text + "alerts: [{kind: webhook, conn_id: hook}]\n"
    place = site(Path(story.place.endpoint.root).parent, lambda _: told)
    sent = list[str]()

    def send(_: Any, message: Any) -> None:
        sent.append(message.key)
        if len(sent) <= 5:
            raise ConnectionError("down")

    for _ in range(6):
        story.run(ASKING)
        sending.announce(place, ASKING)
        with suppress(UserError):
            sending.deliver(place, send)
    assert sent == ["tiny/000001"] * 6
    return 6


def late_labels_move_the_beginning(story: Story) -> int:
    """The episode was handed over; then labels show that it began an hour earlier."""
    story.run(LATE)
    story.run(ASKING)
    home = Path(story.place.endpoint.root).parent
    shutil.copytree(home / "late", home / "labels/2026/01/01/01")
    plan = restating.meet_labels(story.place)
    for _ in range(2):
        again = restating.restate(story.place, plan, ALLOWED)
        assert [(one.window, one.status, one.episode) for one in again] == [
            (str(LATE), "CompletedWithViolations", "000001")
        ]
        for verdict in again:
            story.airflow.trigger(verdict)
    restating.settle_labels(story.place, plan)
    story.run(BESIDE)
    return 3


SCENARIOS = [
    killed_after_the_verdict, retried_three_times, backfilled_twice, backfilled_first, the_others_of_the_episode,
    all_at_once, alert_resent, late_labels_move_the_beginning,
]  # fmt: skip


def test_an_episode_is_handed_over_exactly_once(
    copies: Callable[[str], Story], capsys: pytest.CaptureFixture[str]
) -> None:
    lines, counts = list[str](), list[int]()
    for scenario in SCENARIOS:
        story = copies(scenario.__name__)
        injected = scenario(story)
        ((run, (episode, window)),) = story.airflow.runs.items()
        assert (run, episode) == ("retrain__tiny__000001", "000001"), scenario.__name__
        assert window in {str(ASKING), str(BESIDE)}
        evidence = list((Path(story.place.endpoint.root) / "tiny/episodes").glob("*/retrain.json"))
        assert len(evidence) == 1, scenario.__name__
        counts.append(injected)
        lines.append(f"{scenario.__name__}: {injected} injected, 1 handed over, 0 lost, 0 twice")
    with capsys.disabled():
        print("\n" + "\n".join(lines))  # noqa: T201
    table = (ROOT / "docs/retraining.md").read_text().partition("| injected |")[2].partition("\n\n")[0]
    assert [int(line.split("|")[2]) for line in table.splitlines()[2:]] == [WRITES, *counts], "the page tells these"
    reliability = (ROOT / "docs/reliability.md").read_text()
    assert f"(retraining.md#exactly-once)) | disk | {WRITES + sum(counts)} injected, " in reliability


def test_killed_at_any_write_the_next_try_hands_over_once(
    copies: Callable[[str], Story], capsys: pytest.CaptureFixture[str]
) -> None:
    story, at, keys = copies("home"), 0, list[str]()
    story.run(ASKING)
    unharmed, runs = tree(Path(story.place.endpoint.root)), story.airflow.runs
    while True:
        at += 1
        story = copies("home")
        with pytest.MonkeyPatch.context() as patched:
            keys = killing(patched, at)
            with suppress(Killed):
                story.run(ASKING)
                break
        assert story.airflow.runs == {}
        story.run(ASKING)
        assert story.airflow.runs == runs, f"killed before {keys[-1]}"
        assert tree(Path(story.place.endpoint.root)) == unharmed
    with capsys.disabled():
        print(f"\n{at - 1} injected, {at - 1} survived, 0 lost: {', '.join(keys)}")  # noqa: T201
    assert at - 1 == len(keys) == WRITES


def test_the_next_episode_is_handed_over_for_itself(tmp_path: Path) -> None:
    home = write(tmp_path / "home", turned=range(2, 5, 2))
    verdicts = [judge(site(home), window) for window in HOURS[:5]]
    assert [(one.action, one.episode) for one in verdicts[2:]] == [
        ("retrain", "000001"), ("rest", ""), ("retrain", "000002"),
    ]  # fmt: skip
