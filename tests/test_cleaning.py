"""Retention: what is past its time goes, once; what is needed still stays, and what went is told."""

import json
import shutil
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from typer.testing import CliRunner

from monitor_tasks import cleaning, restating, tasks
from monitor_tasks.cli import app
from monitor_tasks.endpoint import Endpoint
from monitor_tasks.evidence import Asked
from monitor_tasks.gates import Gate, GateRecord
from monitor_tasks.io.executions import newest, read_artifact, removed_from
from monitor_tasks.io.store import Store
from monitor_tasks.report import Status
from monitor_tasks.retention import KEPT, KINDS
from monitor_tasks.site import Site
from monitor_tasks.value import UserError
from monitor_tasks.window import Window
from tests import test_restating
from tests.test_readme import column
from tests.test_restating import ALLOWED, ENDPOINT, HOURS, ROWS, deliver, judge, traffic, truths

ROOT = Path(__file__).parents[1]
RETENTION = "retention: {rows: P2D, quarantine: P1D, samples: P3D, reports: P4D}\n"
DAY = timedelta(days=1)
END = HOURS[0].end


def site(home: Path, change: Callable[[str], str] = lambda text: text) -> Site:
    return test_restating.site(home, lambda text: change(text + RETENTION))


@pytest.fixture(scope="session")
def judged(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two healthy hours whose labels came and are known."""
    home = traffic(tmp_path_factory.mktemp("judged"))
    for hour in range(2):
        deliver(home, hour, "right", truths(home, hour, range(ROWS)))
    for window in HOURS[:2]:
        judge(site(home), window)
    deliver(home, 2, "strange", {"nobody": "1"})
    meet(site(home))
    return home


@pytest.fixture
def tiny(judged: Path, tmp_path: Path) -> Path:
    """A copy of it that a test may spoil."""
    shutil.copytree(judged, tmp_path / "home")
    return tmp_path / "home"


@pytest.fixture
def place(tiny: Path) -> Site:
    return site(tiny)


def meet(place: Site) -> None:
    if plan := restating.meet_labels(place):
        restating.restate(place, plan, ALLOWED)
        restating.settle_labels(place, plan)


def cleaned(place: Site, moment: datetime) -> cleaning.Plan:
    found = cleaning.plan(place, moment)
    cleaning.clean(place, found, moment)
    return found


def listed(place: Site) -> dict[str, bytes]:
    return {one.key: place.store.get(one.key) for one in place.store.entries(place.name)}


def names(place: Site) -> set[str]:
    return {key.rpartition("/")[2] for key in listed(place) if "/baselines/" not in key}


def test_each_kind_goes_when_its_time_has_come_and_the_numbers_stay(place: Site) -> None:
    before = names(place)
    assert not cleaned(place, END + DAY / 2).removals
    for days, kind in enumerate(("quarantine", "rows", "samples", "reports"), 1):
        found = cleaned(place, HOURS[1].end + days * DAY)
        assert {one.kind for one in found.removals} == {kind}
        gone = {name.rpartition("/")[2] for name, one in KINDS.items() if one == kind} & before
        assert gone
        assert not gone & (names(place) - {"touched.parquet", "quarantined_labels.jsonl"}), "the newest plan's stay"
        assert not cleaned(place, HOURS[1].end + days * DAY).removals, "run twice, it removes nothing more"
    assert {*KEPT, "manifest.json", "removed.json"} <= names(place)


def test_what_was_removed_is_noted_beside_its_manifest_and_told_to_who_asks_for_it(place: Site) -> None:
    key = newest(place.store, place.folder("captured", HOURS[0])) or ""
    cleaned(place, END + 2 * DAY)
    taken = removed_from(place.store, key)
    assert {name: one.because for name, one in taken.items()} == {
        "captured.parquet": "retention.rows: P2D",
        "quarantine.jsonl": "retention.quarantine: P1D",
    }
    assert json.loads(place.store.get(key))["artifacts"].keys() >= taken.keys(), "the manifest says what was there"
    with pytest.raises(
        UserError, match=r"was removed by `monitor-tasks clean` at 2026-01-03T01:00:00Z \(retention.rows"
    ):
        read_artifact(place.store, key, "captured.parquet")


def test_a_window_that_was_cleaned_is_still_done_and_still_in_history(place: Site) -> None:
    known = restating.history(place, HOURS[0])
    cleaned(place, END + 9 * DAY)
    shown = place.store.files(place.folder("data_quality", HOURS[0]))
    assert shown == ["report.json"], "no copy is left of what was removed"
    captured = tasks.ingest_capture(place, HOURS[0])
    baseline = tasks.suggest_baseline(place, HOURS[0], captured)
    again = tasks.run_monitor(place, "data_quality", HOURS[0], captured, baseline)
    assert again == newest(place.store, place.folder("data_quality", HOURS[0]))
    with pytest.raises(UserError, match=r"captured\.parquet: was removed by `monitor-tasks clean`"):
        tasks.merge_labels(place, HOURS[0], captured)
    assert place.store.files(place.folder("data_quality", HOURS[0])) == shown
    assert restating.history(place, HOURS[0]) == known
    assert place.outcome(HOURS[0]).status is Status.COMPLETED


@pytest.mark.parametrize("deletions", [0, 1, 5, 17])
def test_killed_midway_it_goes_on_and_ends_as_if_it_never_was(
    place: Site, judged: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, deletions: int
) -> None:
    moment = END + 9 * DAY
    shutil.copytree(judged, tmp_path / "unkilled")
    whole = site(tmp_path / "unkilled")
    cleaned(whole, moment)
    real, left = Store.delete, iter(range(deletions))

    def delete(store: Store, key: str) -> None:
        if next(left, None) is None:
            raise KeyboardInterrupt
        real(store, key)

    monkeypatch.setattr(Store, "delete", delete)
    with pytest.raises(KeyboardInterrupt):
        cleaned(place, moment)
    monkeypatch.undo()
    assert listed(place) != listed(whole)
    cleaned(place, moment)
    assert listed(place).keys() == listed(whole).keys()
    assert {key: text for key, text in listed(place).items() if key.endswith("removed.json")} == {
        key: text for key, text in listed(whole).items() if key.endswith("removed.json")
    }


def test_in_how_many_steps_it_is_cleaned_makes_no_difference_to_what_is_left(
    place: Site, judged: Path, tmp_path: Path
) -> None:
    shutil.copytree(judged, tmp_path / "steps")
    steps = site(tmp_path / "steps")
    for days in (1, 3, 2, 5):
        cleaned(steps, END + days * DAY)
    cleaned(place, END + 5 * DAY)
    assert listed(place).keys() == listed(steps).keys()


def test_a_dry_run_removes_nothing(place: Site) -> None:
    before = listed(place)
    assert cleaning.plan(place, END + 9 * DAY).removals
    assert listed(place) == before


def test_baselines_and_their_pins_are_never_removed(place: Site) -> None:
    before = {key: text for key, text in listed(place).items() if "/baselines/" in key}
    cleaned(place, END + 9999 * DAY)
    assert {key: text for key, text in listed(place).items() if "/baselines/" in key} == before
    assert any(key.endswith("profile.json") for key in before)


def test_the_evidence_of_an_episode_stays_until_it_is_over_and_retrained(place: Site, tiny: Path) -> None:
    deliver(tiny, 3, "wrong", truths(tiny, 2, range(ROWS), right=False))
    assert judge(place, HOURS[2]).episode == "000001"
    meet(place)
    late, kept = END + 9 * DAY, {"2026-01-01T03:00:00Z": "evidence of an open episode"}
    assert cleaned(place, late).kept == kept
    assert place.table(newest(place.store, place.folder("labelled", HOURS[2])) or "", "labelled.parquet").num_rows
    for name in ("learned/20260101T030000Z", "answered"):
        place.store.put(f"tiny/models/000001/{name}.parquet", b"rows that were learned from, or compared by")
    assert not cleaned(place, late).removals, "nobody has learned from it yet"
    promoted = GateRecord(endpoint="tiny", episode="000001", gate=Gate.PROMOTE, outcome="passed", because="", by="x")
    Asked(place, "000001", HOURS[2]).record(promoted)
    assert cleaned(place, late).kept == kept, "retrained, but not over yet"
    (tiny / "labels/2026/01/01/03/wrong").unlink()
    deliver(tiny, 3, "right", truths(tiny, 2, range(ROWS)))
    assert judge(place, HOURS[2]).status is Status.COMPLETED
    assert cleaned(place, late).kept == {"2026-01-01T03:00:00Z": "labels may still restate it"}, "these are not met yet"
    meet(place)
    found = cleaned(place, late)
    assert found.kept == {}
    assert {one.name for one in found.removals} >= {
        "labelled.parquet",
        "learned/20260101T030000Z.parquet",
        "answered.parquet",
    }


def test_rows_stay_while_there_are_labels_that_nobody_has_looked_at(place: Site, tiny: Path) -> None:
    deliver(tiny, 3, "late", truths(tiny, 0, range(5), right=False))
    found = cleaned(place, END + 9 * DAY)
    assert {*found.kept.values()} == {"labels may still restate it"}
    assert {one.kind for one in found.removals} == {"quarantine", "samples", "reports"}
    meet(place)
    assert restating.history(place, HOURS[0])[-1]["conflicting"] == 5
    assert {one.kind for one in cleaned(place, END + 9 * DAY).removals} >= {"rows"}


def test_a_label_that_comes_after_the_rows_have_gone_is_an_orphan_and_no_error(tiny: Path) -> None:
    place = site(tiny, lambda text: text.replace("rows: P2D", "rows: PT6H"))
    gone = cleaned(place, END + timedelta(hours=8, minutes=30)).removals
    assert {one.end for one in gone if one.kind == "rows"} == {END}, "the second hour may still be restated"
    late = {**truths(tiny, 0, range(9), right=False), **truths(tiny, 1, range(9), right=False)}
    deliver(tiny, 0, "early", late)
    meet(place)
    told = json.loads(place.store.get("tiny/labels/ground_truth.json"))
    assert (told["matched_labels"], told["touched"]) == (ROWS, [str(HOURS[1])])


def test_windows_of_ones_own_and_what_a_killed_run_left_behind_go_too(place: Site) -> None:
    asked = Window.parse("2026-01-01T00:00:00Z/PT2H")
    key = tasks.ingest_capture(place, asked)
    left = f"{place.folder('captured', HOURS[0])}/revisions/{'0' * 20}/captured.parquet"
    place.store.put(left, b"half a table")
    found = cleaned(place, END + 9 * DAY)
    assert {one.kind for one in found.removals if one.folder in left} == {"unfinished"}
    assert not place.store.has(left)
    assert "captured.parquet" in removed_from(place.store, key)


def test_every_artifact_is_of_one_kind_or_stays(place: Site) -> None:
    found = {key.rpartition("/")[2] for key in listed(place) if "/revisions/" in key and "/baselines/" not in key}
    numbered = {name for name in found if name.isdecimal()}
    found -= numbered | {"manifest.json"} | {key.rpartition("/")[2] for key in listed(place) if "/settled/" in key}
    assert found <= {*KINDS, *KEPT}
    told = column((ROOT / "docs/artifacts.md").read_text(), "artifact")
    documented = {name.strip(" `") for cell in told for name in cell.split(",")}
    of_baselines = {"bounds.json", "edges.json"}
    assert {name.rpartition("/")[2] for name in documented} - of_baselines == {
        name.rpartition("/")[2] for name in (*KINDS, *KEPT)
    }


@pytest.mark.parametrize(
    ("said", "wrong"),
    [
        (
            "{rows: PT1H}",
            r"endpoint.yaml:1: .*retention.rows: PT1H is shorter than labels may take \(PT6H, by ground_tr",
        ),
        ("{rows: P9D, reports: P8D}", "reports are kept longest: reports: P8D is shorter than rows"),
        ("{rows: 90}", "retention.rows: Input should be a valid string"),
        ("{rows: P0D}", "retention.rows: 'P0D': keep it for an hour at least"),
        ("{row: P9D}", "retention.row: unknown key; did you mean rows?"),
    ],
)
def test_a_retention_that_cannot_be_meant_is_one_line(said: str, wrong: str) -> None:
    with pytest.raises(UserError, match=wrong):
        Endpoint.parse(f"{ENDPOINT}retention: {said}\n", "endpoint.yaml")


def test_offsets_need_the_rows_for_longer() -> None:
    text = ENDPOINT.replace("label_horizon: PT6H", "start_time_offset: -P8D, end_time_offset: -P1D")
    with pytest.raises(UserError, match="shorter than labels may take"):
        Endpoint.parse(text + RETENTION, "endpoint.yaml")


def test_the_command_line_shows_first_and_removes_when_told_to(place: Site, tiny: Path) -> None:
    file = tiny / "endpoint.yaml"
    silent = CliRunner().invoke(app, ["clean", str(file)])
    assert (silent.exit_code, "retention is not set, so everything is kept" in silent.output) == (2, True)
    file.write_text(ENDPOINT + RETENTION)
    asked = ["clean", str(file), "--at", "2026-01-10T00:00:00Z"]
    shown = CliRunner().invoke(app, asked, env={"COLUMNS": "200"})
    assert shown.exit_code == 0
    assert "nothing is removed without --apply" in shown.output
    told = json.loads(CliRunner().invoke(app, [*asked, "--json"]).output)
    assert told["removed"]["rows"]["windows"] == 2
    size = sum(one.size for one in place.store.entries("tiny"))
    done = CliRunner().invoke(app, [*asked, "--apply"], env={"COLUMNS": "200"})
    assert f"{sum(one['bytes'] for one in told['removed'].values()):,} bytes were removed" in done.output
    after = [one for one in place.store.entries("tiny") if not one.key.endswith("removed.json")]
    assert size - sum(one.size for one in after) == sum(one["bytes"] for one in told["removed"].values())
    assert "nothing is past its time" in CliRunner().invoke(app, asked).output
