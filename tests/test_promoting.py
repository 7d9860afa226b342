"""The champion's alias: promoted once, moved back by one command, and every move stands in a record."""

import json
import shutil
from contextlib import suppress
from pathlib import Path

import pytest
from typer.testing import CliRunner

from monitor_tasks import cli, promoting
from monitor_tasks.gates import standing
from monitor_tasks.report import ModelCard
from monitor_tasks.site import Site
from monitor_tasks.value import UserError
from tests.retraining_story import HOURS, Killed, judge, killing, retrain, site, tree, write

TOLD = ("because", "me")
pytestmark = pytest.mark.usefixtures("models_in_this_process")


@pytest.fixture(scope="module")
def judged(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three hours, the last of which was handed over to retraining."""
    home = write(tmp_path_factory.mktemp("story") / "home")
    assert [judge(site(home), window).action for window in HOURS[:3]][-1] == "retrain"
    return home


@pytest.fixture
def home(judged: Path, tmp_path: Path) -> Path:
    """A copy that a test may go on with."""
    shutil.copytree(judged, tmp_path / "home")
    return tmp_path / "home"


def card(version: str) -> ModelCard:
    return ModelCard(version=version, address=f"python://tests.trained:{version}")


def versions(place: Site) -> list[str]:
    return [model.version if (model := place.model(window)) else "" for window in HOURS]


def baselines(place: Site) -> list[str]:
    return [place.pinned(window)[:1] for window in HOURS]


def test_a_promotion_holds_from_the_next_window_on_and_is_made_once(home: Path) -> None:
    place = site(home)
    first = place.pinned(HOURS[0])
    moved = promoting.promote(place, "000001", card("two"), "b" * 20, TOLD)
    assert (moved.since, moved.former_baseline) == ("2026-01-01T03:00:00Z", first)
    before = tree(home / "artifacts")
    assert promoting.promote(place, "000001", card("three"), "c" * 20, TOLD) == moved
    assert tree(home / "artifacts") == before
    assert versions(place) == ["1", "1", "1", "two", "two", "two"]
    assert baselines(place) == [first[0]] * 3 + ["b"] * 3
    assert promoting.champion(place) == card("two")


def test_rolling_back_goes_through_the_promotions_from_the_last_to_the_first(home: Path) -> None:
    place = site(home)
    first = place.pinned(HOURS[0])
    for number, version in (("000001", "two"), ("000002", "three")):
        promoting.promote(place, number, card(version), version[0] * 20, TOLD)
    assert (versions(place)[3], baselines(place)[3]) == ("three", "t")
    back = promoting.rollback(place, "it is slow", "ada")
    assert (back.episode, back.by, back.because) == ("000002", "ada", "it is slow")
    assert (versions(place)[3], baselines(place)[3]) == ("two", "t")
    promoting.promote(place, "000003", card("four"), "f" * 20, TOLD)
    assert [one.episode for one in standing(promoting.moves(place))] == ["000001", "000003"]
    assert [promoting.rollback(place, "again", "ada").episode for _ in range(2)] == ["000003", "000001"]
    assert (versions(place), {place.pinned(window) for window in HOURS}) == (["1"] * 6, {first})
    with pytest.raises(UserError, match="tiny: no promotion stands that could be rolled back"):
        promoting.rollback(place, "once more", "ada")
    assert [one.kind for one in promoting.moves(place)] == [
        "promoted", "promoted", "rolled back", "promoted", "rolled back", "rolled back",
    ]  # fmt: skip


def test_windows_that_the_new_model_has_answered_keep_it(home: Path) -> None:
    place = site(home)
    promoting.promote(place, "000001", card("two"), place.pinned(HOURS[0]), TOLD)
    judge(place, HOURS[3])
    assert promoting.rollback(place, "it is slow", "ada").since == "2026-01-01T04:00:00Z"
    assert versions(place) == ["1", "1", "1", "two", "1", "1"]


def test_a_promotion_that_was_taken_back_stays_so_whatever_is_retried(home: Path) -> None:
    place = site(home)
    retrain(place, HOURS[2])
    promoting.rollback(place, "it is slow", "ada")
    before = tree(home / "artifacts")
    assert retrain(place, HOURS[2])[-1].outcome == "passed", "it was"
    assert tree(home / "artifacts") == before
    assert versions(place) == ["1"] * 6


@pytest.mark.parametrize("what", ["promote", "rollback"])
def test_a_move_that_was_killed_at_any_write_is_finished_by_the_next_try(
    judged: Path, tmp_path: Path, what: str, capsys: pytest.CaptureFixture[str]
) -> None:
    def act(place: Site) -> None:
        if what == "promote":
            promoting.promote(place, "000001", card("two"), "b" * 20, TOLD)
        else:
            promoting.rollback(place, "it is slow", "ada")

    def prepared(name: str) -> Path:
        shutil.copytree(judged, tmp_path / name)
        if what == "rollback":
            promoting.promote(site(tmp_path / name), "000001", card("two"), "b" * 20, TOLD)
        return tmp_path / name

    unharmed, at, killed = prepared("unharmed"), 0, 0
    act(site(unharmed))
    while True:
        at += 1
        folder = prepared(f"killed-{at}")
        with pytest.MonkeyPatch.context() as patched:
            killing(patched, at)
            with suppress(Killed):
                act(site(folder))
                break
        killed += 1
        act(site(folder))
        assert tree(folder / "artifacts") == tree(unharmed / "artifacts"), f"killed at write {at}"
    with capsys.disabled():
        print(f"\n{what}: {killed} injected, {killed} survived, 0 lost")  # noqa: T201
    assert killed == 4


def test_the_command_line_rolls_back_and_shows_an_episode(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MONITOR_TASKS_HOME", str(home))
    yaml, runner = str(home / "endpoint.yaml"), CliRunner()
    assert runner.invoke(cli.app, ["episode", yaml, "1"]).exit_code == 3
    nothing = runner.invoke(cli.app, ["rollback", yaml, "--because", "it is slow"])
    assert (nothing.exit_code, "no promotion stands" in nothing.output) == (2, True)
    retrain(site(home), HOURS[2])
    shown = runner.invoke(cli.app, ["episode", yaml, "1"])
    assert shown.exit_code == 0
    assert [word in shown.output for word in ("check_evidence", "nobody", "challenger", "promote")] == [True] * 4
    as_json = json.loads(runner.invoke(cli.app, ["episode", yaml, "1", "--json"]).output)
    assert [one["gate"] for one in as_json] == ["check_evidence", "approve", "train", "compare", "promote"]
    done = runner.invoke(cli.app, ["rollback", yaml, "--because", "it is slow", "--by", "ada"])
    assert done.exit_code == 0
    assert done.output.startswith("from 2026-01-01T03:00:00Z on tiny has version 1 and baseline ")
    assert "again; version retrained-000001 of episode 000001 was taken back" in done.output
    assert promoting.moves(site(home))[-1].by == "ada"
