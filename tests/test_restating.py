"""Late labels: a small endpoint whose labels arrive in batches; exactly the windows they touch are judged again."""

import json
import shutil
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from itertools import permutations
from pathlib import Path
from random import Random
from typing import Any

import pytest
from typer.testing import CliRunner

from monitor_tasks import cli, restating, tasks
from monitor_tasks.io.executions import Execution, newest, read_artifact
from monitor_tasks.io.store import Store
from monitor_tasks.monitors.settings import MONITORS
from monitor_tasks.report import State, Status
from monitor_tasks.site import Site, load_endpoint
from monitor_tasks.value import UserError
from monitor_tasks.verdict import Action, Permission, Verdict
from monitor_tasks.window import HOUR, Window, parse_time

START = parse_time("2026-01-01T00:00:00Z")
HOURS = [Window(START.replace(hour=hour), START.replace(hour=hour + 1)) for hour in range(4)]
ROWS = 300
ALLOWED = Permission(retraining=True)
ENDPOINT = """
endpoint_name: tiny
root: artifacts
start_date: 2026-01-01T00:00:00Z
capture: {address: capture, output_names: [probability], input_names: [amount, region]}
ground_truth: {address: labels, label_horizon: PT6H}
baseline: {dataset: reference.csv}
monitors:
  data_quality: {minimum_rows: 20}
  model_quality: {probability_attribute: probability, minimum_rows: 10, rule: interval}
  bias:
    predicted_label: probability
    probability_threshold: 0.5
    facets: [{name: region, value_or_threshold: [a]}]
    minimum_rows: 5
    rule: interval
"""
Labels = dict[str, str]


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return traffic(tmp_path)


def traffic(tmp_path: Path) -> Path:
    """Three hours of traffic that a model answers well, and a reference."""
    random = Random(7)
    (tmp_path / "endpoint.yaml").write_text(ENDPOINT)
    rows = [(*row(random), random.choice("ab")) for _ in range(1000)]
    lines = [f"{int(score > '0.5')},{score},{amount},{region}" for score, amount, region in rows]
    (tmp_path / "reference.csv").write_text("\n".join(["label,probability,amount,region", *lines]) + "\n")
    for hour in range(3):
        folder = tmp_path / f"capture/2026/01/01/{hour:02d}"
        folder.mkdir(parents=True)
        lines = [captured(hour, number, *row(random), random.choice("ab")) for number in range(ROWS)]
        (folder / "part.jsonl").write_text("\n".join(lines) + "\n")
    return tmp_path


def row(random: Random) -> tuple[str, str]:
    return f"{random.random():.3f}", f"{random.gauss(50, 9):.2f}"


def captured(hour: int, number: int, score: str, amount: str, region: str) -> str:
    sides = {"endpointInput": ("INPUT", f"{amount},{region}"), "endpointOutput": ("OUTPUT", score)}
    data = {side: {"observedContentType": "text/csv", "mode": mode, "data": text, "encoding": "CSV"}
            for side, (mode, text) in sides.items()}  # fmt: skip
    metadata = {
        "eventId": f"event-{hour}-{number}",
        "inferenceTime": f"2026-01-01T{hour:02d}:{number // 60:02d}:{number % 60:02d}Z",
    }
    return json.dumps({"captureData": data, "eventMetadata": metadata, "eventVersion": "0"})


def site(home: Path, change: Callable[[str], str] = lambda text: text) -> Site:
    return Site(load_endpoint("endpoint.yaml", change((home / "endpoint.yaml").read_text()), str(home)))


def judge(place: Site, window: Window) -> Verdict:
    """The whole sentence for one window."""
    captured = tasks.ingest_capture(place, window)
    baseline = tasks.suggest_baseline(place, window, captured)
    rows = {"captured": captured, "labelled": tasks.merge_labels(place, window, captured)}
    reports = {
        name: tasks.run_monitor(place, name, window, rows[MONITORS[name].stage], baseline)
        for name in place.endpoint.configured()
    }
    return tasks.choose_action(place, window, reports, ALLOWED)


def truths(home: Path, hour: int, numbers: range, right: bool = True) -> Labels:
    """What became of the hour's events: what the model says, or the contrary."""
    (path,) = home.glob(f"*/2026/01/01/{hour:02d}/part.jsonl")
    lines = path.read_text().splitlines()
    scores = [float(json.loads(line)["captureData"]["endpointOutput"]["data"]) for line in lines]
    return {f"event-{hour}-{number}": str(int((scores[number] > 0.5) is right)) for number in numbers}


def deliver(home: Path, hour: int, name: str, labels: Labels) -> None:
    """A file of labels that were collected in an hour."""
    folder = home / f"labels/2026/01/01/{hour:02d}"
    folder.mkdir(parents=True, exist_ok=True)
    lines = [
        json.dumps({"groundTruthData": {"data": label, "encoding": "CSV"}, "eventMetadata": {"eventId": event}})
        for event, label in labels.items()
    ]
    (folder / name).write_text("\n".join(lines) + "\n")


def restated(place: Site) -> list[str]:
    """The hours that are judged again, from the first verb of the DAG to the last."""
    plan = restating.meet_labels(place)
    verdicts = restating.restate(place, plan, ALLOWED) if plan else []
    if plan:
        restating.settle_labels(place, plan)
    return [verdict.window[11:13] for verdict in verdicts]


def counts(place: Site, hour: int) -> dict[str, Any]:
    key = newest(place.store, place.folder("labelled", HOURS[hour]))
    found: dict[str, Any] = json.loads(read_artifact(place.store, key or "", "labels.json"))
    assert found["predictions"] == found["matched"] + found["unlabelled"]
    return found


def horizon(place: Site) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(place.store.get("tiny/labels/ground_truth.json"))
    assert found["totals"]["accepted"] == found["matched_labels"] + found["orphan"]
    assert found["totals"]["read"] == sum(found["totals"].values()) - found["totals"]["read"]
    return found


@pytest.fixture
def executed(monkeypatch: pytest.MonkeyPatch) -> Counter[str]:
    """How many executions of each schedule and hour were really done."""
    done: Counter[str] = Counter()
    commit = Execution.commit

    def counted(self: Execution, *args: Any, **kwargs: Any) -> str:
        if not self.folder.endswith("/labels"):
            done[f"{self.folder.split('/')[1]} {self.folder[-2:]}"] += 1
        return commit(self, *args, **kwargs)

    monkeypatch.setattr(Execution, "commit", counted)
    return done


AGAIN = ("labelled", "model_quality", "bias", "verdict")


def test_each_batch_restates_exactly_the_windows_that_it_touches(home: Path, executed: Counter[str]) -> None:
    place = site(home)
    for window in HOURS[:3]:
        assert judge(place, window).status is Status.NOT_ENOUGH_DATA
    executed.clear()
    assert restated(place) == []
    shutil.move(home / "capture", home / "gone")  # no capture file is read again

    deliver(home, 3, "both.jsonl", truths(home, 0, range(240)) | truths(home, 1, range(210)))
    assert restated(place) == ["00", "01"]
    assert executed == {f"{one} {end}": 1 for one in AGAIN for end in ("01", "02")}
    assert [counts(place, hour)["matched"] for hour in range(3)] == [240, 210, 0]
    assert counts(place, 0)["coverage"] == 0.8
    assert counts(place, 0)["newest_hour"] == "2026-01-01T03:00:00Z"
    assert place.outcome(HOURS[0]).status is Status.COMPLETED
    executed.clear()

    deliver(home, 4, "contrary.jsonl", truths(home, 1, range(5), right=False))
    assert restated(place) == ["01"]
    assert executed == {f"{one} 02": 1 for one in AGAIN}
    assert (counts(place, 1)["matched"], counts(place, 1)["conflicting"]) == (210, 5)
    executed.clear()

    deliver(home, 4, "orphan.jsonl", {"nobody": "1"})
    deliver(home, 4, "twice.jsonl", truths(home, 0, range(240)))
    assert restated(place) == []
    assert executed == {}
    assert (horizon(place)["matched_labels"], horizon(place)["orphan"]) == (450, 1)
    assert (horizon(place)["totals"]["conflicting"], horizon(place)["totals"]["duplicate"]) == (5, 240)
    assert restated(place) == []
    assert restating.meet_labels(place) == ""


BATCHES = (
    (2, "early.jsonl", {f"event-0-{number}": "1" for number in range(120)}),
    (3, "late.jsonl", {**{f"event-0-{number}": "0" for number in range(60, 200)}, "event-1-7": "1"}),
    (4, "last.jsonl", {"event-1-7": "0", "event-2-1": "1", "nobody": "1"}),
)


def test_any_order_of_the_batches_and_any_number_of_runs_end_in_the_same_files(home: Path) -> None:
    place, ends = site(home), []
    for window in HOURS[:3]:
        judge(place, window)
    shutil.copytree(home / "artifacts", home / "aside")
    for order in (*permutations([batch] for batch in BATCHES), [BATCHES])[::2]:
        shutil.rmtree(home / "labels", ignore_errors=True)
        shutil.rmtree(home / "artifacts")
        shutil.copytree(home / "aside", home / "artifacts")
        for batches in order:
            for batch in batches:
                deliver(home, *batch)
            restated(place)
        ends.append({f"{one} {window}": shown(place, one, window) for one in AGAIN[:3] for window in HOURS[:3]})
    assert len(ends) == 4
    assert all(end == ends[0] for end in ends)


def day(home: Path, hours: int) -> tuple[Site, list[Window]]:
    """A site with so many judged hours of wide rows that only model quality watches."""
    random, windows = Random(8), [Window(START + hour * HOUR, START + (hour + 1) * HOUR) for hour in range(hours)]
    for hour in range(hours):
        folder = home / f"capture/2026/01/01/{hour:02d}"
        folder.mkdir(parents=True, exist_ok=True)
        wide = [captured(hour, number, row(random)[0], "1", random.randbytes(4000).hex()) for number in range(200)]
        (folder / "part.jsonl").write_text("\n".join(wide) + "\n")
    place = site(home, lambda _: ENDPOINT.partition("  data_quality")[0].replace("PT6H", "P2D") + MODEL_QUALITY)
    for window in windows:
        judge(place, window)
    return place, windows


MODEL_QUALITY = "  model_quality: {probability_attribute: probability, minimum_rows: 10}\n"


@pytest.mark.parametrize("hours", [3, pytest.param(24, marks=pytest.mark.long)])
def test_a_day_reads_no_capture_file_again_and_only_ids_of_what_no_label_touches(
    home: Path, hours: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    place, windows = day(home, hours)
    touched = [*range(0, hours, 2)]
    deliver(home, min(hours, 23), "batch.jsonl", {f"event-{hour}-7": "1" for hour in touched})
    read = Counter[str]()

    def counted(fetch: Callable[..., Any]) -> Callable[..., Any]:
        def fetched(self: Store, *asked: Any) -> Any:
            found = fetch(self, *asked)
            read[f"{self.address}/{asked[-1]}"] += len(found[0] if isinstance(found, tuple) else found)
            return found

        return fetched

    for name in ("_first", "_part"):
        monkeypatch.setattr(Store, name, counted(getattr(Store, name)))
    assert restated(place) == [f"{hour:02d}" for hour in touched]
    tables = {address: size for address, size in read.items() if address.endswith("captured.parquet")}
    assert len(tables) == hours
    assert not [address for address in read if address.startswith(f"{home}/capture")]
    for hour, window in enumerate(windows):
        (table,) = (address for address in tables if f"/{window.end:%Y/%m/%d/%H}/" in address)
        whole = Path(table).stat().st_size
        assert whole > 200 * 4000
        assert (tables[table] >= whole) if hour in touched else (tables[table] < whole / 2)


def test_a_window_that_fails_holds_up_no_other_and_is_told_again(home: Path) -> None:
    place = site(home)
    for window in HOURS[:3]:
        judge(place, window)
    (broken,) = home.glob("artifacts/tiny/captured/2026/01/01/02/revisions/*/captured.parquet")
    (unreadable,) = home.glob("artifacts/tiny/captured/2026/01/01/03/revisions/*/captured.parquet")
    sound = {path: path.read_bytes() for path in (broken, unreadable)}
    last_cell = len(sound[broken]) - 12 - int.from_bytes(sound[broken][-8:-4], "little")
    broken.write_bytes(sound[broken][:last_cell] + b"?" + sound[broken][last_cell + 1 :])
    unreadable.write_bytes(b"no table")
    for hour in range(3):
        deliver(home, 3, f"{hour}.jsonl", truths(home, hour, range(240)))
    plan = restating.meet_labels(place)
    for _ in range(2):
        with pytest.raises(restating.NotRestated) as told:
            restating.restate(place, plan, ALLOWED)
        assert [one.window for one in told.value.verdicts] == [str(HOURS[0])]
        assert [*told.value.failed] == [str(HOURS[2]), str(HOURS[1])]
        assert f"{HOURS[1]}: " in str(told.value)
        assert "its manifest says" in told.value.failed[str(HOURS[1])]
        assert "captured.parquet: not readable as parquet" in told.value.failed[str(HOURS[2])]
    assert restating.meet_labels(place) == plan
    restating.settle_labels(place, plan, told.value.failed)
    again = restating.meet_labels(place)
    assert again != plan
    with pytest.raises(restating.NotRestated) as told:
        restating.restate(place, again, ALLOWED)
    assert told.value.verdicts == []
    for path, content in sound.items():
        path.write_bytes(content)
    ended = CliRunner().invoke(cli.app, ["restate", str(home / "endpoint.yaml")])
    assert (ended.exit_code, str(HOURS[2]) in ended.output) == (2, True)  # by then it is not known what touches it
    assert restated(place) == ["02"]
    assert restated(place) == []
    assert [counts(place, hour)["matched"] for hour in range(3)] == [240, 240, 240]


def shown(place: Site, schedule: str, window: Window) -> dict[str, str]:
    """The hashes of the newest revision's artifacts."""
    key = newest(place.store, place.folder(schedule, window))
    assert key
    found: dict[str, str] = json.loads(place.store.get(key))["artifacts"]
    return found


def test_a_window_is_not_judged_before_enough_labels_are_there(home: Path) -> None:
    place = site(home, lambda text: text.replace("PT6H}", "PT6H, label_coverage: 0.75}"))
    judge(place, HOURS[0])
    deliver(home, 2, "some.jsonl", truths(home, 0, range(220), right=False))
    assert restated(place) == ["00"]
    waiting = place.report(newest(place.store, place.folder("model_quality", HOURS[0])) or "")
    assert {one.state for one in waiting.findings} == {State.UNDECIDED}
    assert waiting.status is Status.NOT_ENOUGH_DATA
    assert {one.because for one in waiting.findings} == {
        "labels of 220 of 300 predictions have arrived (73.3%), 75.0% needed"
    }
    violations = place.store.get(f"{place.folder('model_quality', HOURS[0])}/constraint_violations.json")
    assert json.loads(violations) == {"violations": []}
    deliver(home, 3, "more.jsonl", truths(home, 0, range(220, 225), right=False))
    assert restated(place) == ["00"]
    assert place.report(newest(place.store, place.folder("model_quality", HOURS[0])) or "").violations
    without = site(home)
    judge(without, HOURS[0])
    assert without.outcome(HOURS[0]).status is Status.WITH_VIOLATIONS


def test_the_history_is_the_curve_that_matures(home: Path) -> None:
    place = site(home)
    judge(place, HOURS[0])
    for hour, numbers, right in ((2, range(220), True), (3, range(220, 300), False)):
        deliver(home, hour, "part.jsonl", truths(home, 0, numbers, right))
        restated(place)
    known = [one for one in restating.history(place, HOURS[0]) if one["monitor"] == "model_quality"]
    assert [one["known"] for one in known] == [None, "2026-01-01T02:00:00Z", "2026-01-01T03:00:00Z"]
    assert [one["matched"] for one in known] == [0, 220, 300]
    assert [one["coverage"] for one in known] == [0.0, 220 / 300, 1.0]
    assert [one["metric"] for one in known[1:]] == ["auc", "auc"]
    assert known[1]["value"] == 1.0 > known[2]["value"]
    command = ["history", str(home / "endpoint.yaml"), "--window", str(HOURS[0])]
    told = CliRunner().invoke(cli.app, [*command, "--json"])
    assert (told.exit_code, json.loads(told.output)) == (0, restating.history(place, HOURS[0]))
    table = CliRunner().invoke(cli.app, command, env={"COLUMNS": "200"})
    assert [word for word in ("73.3%", "100.0%", "2026-01-01T03:00:00Z") if word not in table.output] == []
    assert CliRunner().invoke(cli.app, [*command[:-1], str(HOURS[1])]).exit_code == 3
    assert {one["monitor"] for one in restating.history(place, HOURS[0])} == {"model_quality", "bias"}
    assert restating.history(place, HOURS[1]) == []


class Killed(BaseException):
    """The process is gone."""


def tree(home: Path) -> dict[str, bytes]:
    root = home / "artifacts"
    return {str(path.relative_to(root)): path.read_bytes() for path in root.rglob("*") if path.is_file()}


def killed_at(number: int, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """From now on the process dies before its n-th write to the store, counted from 0; what it wrote until then."""
    written: list[str] = []

    def dying(write: Callable[..., None]) -> Callable[..., None]:
        def guarded(self: Store, key: str, *content: Any) -> None:
            if len(written) == number:
                raise Killed
            written.append(key)
            write(self, key, *content)

        return guarded

    for name in ("create", "put", "delete"):
        monkeypatch.setattr(Store, name, dying(getattr(Store, name)))
    return written


@pytest.mark.parametrize("step", [pytest.param(1, marks=pytest.mark.long), 9])
def test_killed_between_any_two_writes_the_next_run_ends_like_one_that_was_not(home: Path, step: int) -> None:
    place, root, aside = site(home), home / "artifacts", home / "aside"
    judge(place, HOURS[0])
    judge(place, HOURS[1])
    deliver(home, 3, "both.jsonl", truths(home, 0, range(240), right=False) | {"event-1-7": "1", "nobody": "1"})
    shutil.copytree(root, aside)
    with pytest.MonkeyPatch.context() as patched:
        written = killed_at(-1, patched)
        assert restated(place) == ["00", "01"]
    unharmed = tree(home)
    for number in range(0, len(written), step):
        shutil.rmtree(root)
        shutil.copytree(aside, root)
        with pytest.MonkeyPatch.context() as patched:
            killed_at(number, patched)
            with pytest.raises(Killed):
                restated(place)
        assert restated(place) == ["00", "01"], written[number]
        assert tree(home) == unharmed, written[number]
    assert len(written) > 60


def test_a_restated_violation_joins_the_episode_around_it_and_is_handed_over_once(home: Path) -> None:
    place = site(home)
    for hour in (0, 2):
        deliver(home, 1, f"wrong-{hour}.jsonl", truths(home, hour, range(300), right=False))
    first, middle, last = (judge(place, window) for window in HOURS[:3])
    assert [one.action for one in (first, middle, last)] == [Action.RETRAIN, Action.REST, Action.ALERT]
    assert [one.episode for one in (first, middle, last)] == ["000001", "", "000001"]
    deliver(home, 4, "wrong-1.jsonl", truths(home, 1, range(300), right=False))
    plan = restating.meet_labels(place)
    for _ in range(2):
        (again,) = restating.restate(place, plan, ALLOWED)
        assert (again.window, again.action, again.episode) == (str(HOURS[1]), Action.ALERT, "000001")
    assert len(place.store.files("tiny/episodes/log")) == 1


def test_a_window_between_two_episodes_opens_no_third_and_asks_for_nothing_twice(home: Path) -> None:
    place = site(home)
    for hour in (0, 2):
        deliver(home, 1, f"{hour}.jsonl", truths(home, hour, range(300), right=False))
    deliver(home, 1, "1.jsonl", truths(home, 1, range(300)))
    found = [judge(place, window) for window in HOURS[:3]]
    assert [(one.action, one.episode) for one in found] == [("retrain", "000001"), ("rest", ""), ("retrain", "000002")]
    (home / "labels/2026/01/01/01/1.jsonl").unlink()
    deliver(home, 2, "corrected.jsonl", truths(home, 1, range(300), right=False))
    (again,) = restating.restate(place, restating.meet_labels(place), ALLOWED)
    assert (again.window, again.action, again.episode) == (str(HOURS[1]), Action.ALERT, "000001")
    assert len(place.store.files("tiny/episodes/log")) == 2


def test_a_window_that_was_cleared_and_is_violated_again_comes_back_to_its_episode(home: Path) -> None:
    place, wrong = site(home), home / "labels/2026/01/01/02/wrong.jsonl"
    judge(place, HOURS[0])
    deliver(home, 2, "wrong.jsonl", truths(home, 0, range(300), right=False))
    plan = restating.meet_labels(place)
    (first,) = restating.restate(place, plan, ALLOWED)
    assert (first.action, first.episode) == (Action.RETRAIN, "000001")
    held = wrong.read_text()
    deliver(home, 2, "wrong.jsonl", truths(home, 0, range(300)))
    assert restated(place) == ["00"]
    assert place.verdicts(HOURS[0])[-1].action is Action.REST
    wrong.write_text(held)
    (back,) = restating.restate(place, restating.meet_labels(place), ALLOWED)
    assert back == first
    assert len(place.store.files("tiny/episodes/log")) == 1


def test_a_plan_that_was_not_settled_is_told_again_with_what_came_since(home: Path) -> None:
    place = site(home)
    judge(place, HOURS[0])
    judge(place, HOURS[1])
    deliver(home, 2, "first.jsonl", truths(home, 0, range(240)))
    plan = restating.meet_labels(place)
    assert [one.window for one in restating.restate(place, plan, ALLOWED)] == [str(HOURS[0])]
    assert restating.meet_labels(place) == plan
    deliver(home, 3, "second.jsonl", truths(home, 1, range(240)))
    assert restated(place) == ["00", "01"]
    assert restated(place) == []


def test_retraining_is_refused_where_another_model_holds_by_now(home: Path) -> None:
    place = site(home)
    judge(place, HOURS[0])
    judge(place, HOURS[1])
    place.pin("models", {"model": {"name": "newer"}}, "by hand", HOURS[1].start)
    deliver(home, 2, "wrong.jsonl", truths(home, 0, range(300), right=False))
    (again,) = restating.restate(place, restating.meet_labels(place), ALLOWED)
    assert again.action is Action.ALERT
    assert "the model was replaced after this window" in again.because


def test_one_file_of_labels_without_hours_serves_every_window(home: Path) -> None:
    place = site(home, lambda text: text.replace("address: labels", "address: all.jsonl"))
    for window in HOURS[:2]:
        judge(place, window)
    deliver(home, 2, "part.jsonl", truths(home, 0, range(240)) | truths(home, 1, range(240)))
    shutil.copy(home / "labels/2026/01/01/02/part.jsonl", home / "all.jsonl")
    assert restated(place) == ["00", "01"]
    assert counts(place, 0)["newest_hour"] is None


def test_labels_that_come_after_the_horizon_are_orphans(home: Path) -> None:
    place = site(home)
    judge(place, HOURS[0])
    deliver(home, 7, "just.jsonl", truths(home, 0, range(200)))
    deliver(home, 8, "late.jsonl", truths(home, 0, range(200, 300)))
    assert restated(place) == ["00"]
    assert counts(place, 0)["matched"] == 200


def test_an_endpoint_with_offsets_looks_back_and_restates_nothing(home: Path) -> None:
    place = site(home, lambda text: text.replace("PT6H}", "PT6H, start_time_offset: -PT3H, end_time_offset: -PT1H}"))
    deliver(home, 2, "labels.jsonl", truths(home, 0, range(300)) | truths(home, 1, range(250)))
    for window in HOURS[:2]:
        tasks.ingest_capture(place, window)
    judge(place, HOURS[2])
    found = counts(place, 2)
    assert (found["predictions"], found["matched"]) == (600, 550)
    with pytest.raises(UserError, match="offsets"):
        restating.meet_labels(place)


def test_the_command_says_which_windows_were_judged_again(home: Path) -> None:
    command = ["restate", str(home / "endpoint.yaml")]
    judge(site(home), HOURS[0])
    assert CliRunner().invoke(cli.app, command).output == "no window was touched\n"
    deliver(home, 2, "wrong.jsonl", truths(home, 0, range(300), right=False))
    told = CliRunner().invoke(cli.app, [*command, "--json"])
    (verdict,) = json.loads(told.output)
    assert (told.exit_code, verdict["window"], verdict["action"]) == (1, str(HOURS[0]), "alert")
    assert "only Airflow hands over to retraining" in verdict["because"]
    again = CliRunner().invoke(cli.app, command)
    assert (again.exit_code, again.output) == (0, "no window was touched\n")


def test_merged_records_have_the_form_of_sagemakers_merge_job(home: Path) -> None:
    place = site(home, lambda text: text.replace("PT6H}", "PT6H, merged_records: true}"))
    deliver(home, 1, "labels.jsonl", truths(home, 0, range(40)))
    judge(place, HOURS[0])
    merged = read_artifact(place.store, newest(place.store, place.folder("labelled", HOURS[0])) or "", "merged.jsonl")
    lines = [json.loads(line) for line in merged.splitlines()]
    records = [json.loads(line) for line in (home / "capture/2026/01/01/00/part.jsonl").read_text().splitlines()[:40]]
    assert [one["captureData"] for one in lines] == [one["captureData"] for one in records]
    assert [one["eventMetadata"] for one in lines] == [one["eventMetadata"] for one in records]
    assert [one["groundTruthData"]["data"] for one in lines] == list(truths(home, 0, range(40)).values())
    assert list(lines[0]) == ["eventVersion", "groundTruthData", "captureData", "eventMetadata"]


def test_two_runs_at_once_end_like_one(home: Path) -> None:
    place, root, aside = site(home), home / "artifacts", home / "aside"
    judge(place, HOURS[0])
    judge(place, HOURS[1])
    deliver(home, 3, "both.jsonl", truths(home, 0, range(240), right=False) | {"event-1-7": "1"})
    shutil.copytree(root, aside)
    restated(place)
    alone = tree(home)
    shutil.rmtree(root)
    shutil.move(aside, root)
    with ThreadPoolExecutor(2) as pool:
        list(pool.map(restated, [site(home), site(home)]))
    assert restated(place) == []
    assert tree(home) == alone
