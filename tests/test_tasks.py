"""The verbs on the simulated endpoint: what is missing, wrong or late is said, and never read as health."""

import hashlib
import json
import shutil
from collections.abc import Callable
from itertools import permutations
from pathlib import Path
from typing import Any

import pytest

from examples.loan_scoring.simulate import simulate
from examples.loan_scoring.story import EIGHT
from monitor_tasks import reading, retraining, tasks
from monitor_tasks.indexing import compact
from monitor_tasks.io.store import Missing
from monitor_tasks.monitors.settings import MONITORS
from monitor_tasks.report import Report, State, Status
from monitor_tasks.site import Site, load_endpoint
from monitor_tasks.staging import label_names
from monitor_tasks.tables.files import read_table
from monitor_tasks.value import UserError
from monitor_tasks.verdict import Action, Permission, Verdict
from monitor_tasks.window import Window, parse_time

ROOT = Path(__file__).resolve().parents[1]
YAML = (ROOT / "dags/endpoints/loan-scoring.yaml").read_text()
START = parse_time("2026-01-01T00:00:00Z")
HOURS = [Window(START.replace(hour=hour), START.replace(hour=hour + 1)) for hour in range(8)]
ALLOWED = Permission(retraining=True)


@pytest.fixture(scope="session")
def told(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four hours of the story: healthy, a broken feature, no traffic, a slow shift."""
    home = tmp_path_factory.mktemp("told")
    simulate(home, EIGHT[:4], START, 600, seed=7)
    shutil.copy(ROOT / "examples/loan_scoring/suite.json", home)
    return home


@pytest.fixture
def home(told: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of the story that a test may spoil."""
    shutil.copytree(told, tmp_path / "home")
    monkeypatch.setenv("MONITOR_TASKS_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


def site(home: Path, change: Callable[[str], str] = lambda text: text) -> Site:
    return Site(load_endpoint("loan-scoring.yaml", change(YAML), str(home)))


def reports(place: Site, window: Window) -> dict[str, str]:
    captured = tasks.ingest_capture(place, window)
    baseline = tasks.suggest_baseline(place, window, captured)
    rows = {"captured": captured, "explained": captured}
    if label_names(place.endpoint):
        rows["labelled"] = tasks.merge_labels(place, window, captured)
    return {
        name: tasks.run_monitor(place, name, window, rows[MONITORS[name].stage], baseline)
        for name in place.endpoint.configured()
    }


def report(place: Site, window: Window, name: str) -> Report:
    return place.report(reports(place, window)[name])


def decided(place: Site, window: Window, permission: Permission = ALLOWED) -> Verdict:
    return tasks.choose_action(place, window, reports(place, window), permission)


def relabel(home: Path, label: str) -> None:
    for path in (home / "ground-truth").rglob("*.jsonl"):
        lines = [json.loads(line) for line in path.read_text().splitlines()]
        changed = [{**line, "groundTruthData": {"data": label, "encoding": "CSV"}} for line in lines]
        path.write_text("\n".join(json.dumps(line) for line in changed))


def test_a_healthy_hour_is_kept_by_all_four_monitors(home: Path) -> None:
    place = site(home)
    found = {name: place.report(key) for name, key in reports(place, HOURS[0]).items()}
    assert {name: one.status for name, one in found.items()} == dict.fromkeys(MONITORS, Status.COMPLETED)
    card = json.loads((home / "model/model.json").read_text())
    told = found["attribution"].model
    assert told is not None
    assert (told.version, told.sha256, told.decision_threshold) == ("1", card["sha256"], 0.5)
    assert told.hyper_parameters == card["hyper_parameters"]


def test_without_labels_quality_and_bias_are_undecided(home: Path) -> None:
    shutil.rmtree(home / "ground-truth")
    place = site(home)
    found = {name: place.report(key) for name, key in reports(place, HOURS[0]).items()}
    assert found["model_quality"].status is Status.NOT_ENOUGH_DATA
    assert found["bias"].status is Status.NOT_ENOUGH_DATA
    assert found["data_quality"].status is Status.COMPLETED
    verdict = decided(place, HOURS[0])
    assert (verdict.action, verdict.status) == (Action.REST, Status.NOT_ENOUGH_DATA)
    counts = json.loads((home / "artifacts/loan-scoring/labelled/2026/01/01/01/labels.json").read_bytes())
    assert (counts["matched"], counts["coverage"], counts["newest_hour"]) == (0, 0.0, None)
    assert counts["predictions"] == counts["unlabelled"] == found["data_quality"].rows


def test_labels_are_counted_and_reconcile(home: Path) -> None:
    stranger = {"groundTruthData": {"data": "1", "encoding": "CSV"}, "eventMetadata": {"eventId": "nobody"}}
    folder = home / "ground-truth/2026/01/01/02"
    (folder / "stray.jsonl").write_text(json.dumps(stranger) + "\nnot json\n")
    reports(site(home), HOURS[0])
    counts = json.loads((home / "artifacts/loan-scoring/labelled/2026/01/01/01/labels.json").read_bytes())
    labels = json.loads((home / "artifacts/loan-scoring/labels/2026/01/01/01/ground_truth.json").read_bytes())["totals"]
    assert counts["predictions"] == counts["matched"] + counts["unlabelled"]
    assert labels["accepted"] > counts["matched_labels"] > 0
    assert labels["quarantined"] == 1
    assert labels["read"] == sum(value for fate, value in labels.items() if fate != "read")


def test_labels_of_one_class_only_leave_what_needs_two_undecided(home: Path) -> None:
    relabel(home, "0")
    found = report(site(home), HOURS[0], "model_quality")
    states = {one.constraint.metric: one.state for one in found.findings}
    assert states["auc"] is State.UNDECIDED
    assert states["recall"] is State.UNDECIDED


def test_labels_outside_the_known_classes_are_counted_and_never_a_class(home: Path) -> None:
    relabel(home, "maybe")
    found = report(site(home), HOURS[0], "model_quality")
    assert found.status is Status.NOT_ENOUGH_DATA
    assert {one.state for one in found.findings} == {State.UNDECIDED}


def test_a_facet_value_that_no_row_bears_is_undecided(home: Path) -> None:
    place = site(home, lambda text: text.replace('["60+"]', '["120+"]'))
    assert report(place, HOURS[0], "bias").status is Status.NOT_ENOUGH_DATA


def test_a_facet_column_that_is_missing_is_one_clear_error(home: Path) -> None:
    place = site(home, lambda text: text.replace("name: age_group, value", "name: shoe_size, value"))
    with pytest.raises(UserError, match="shoe_size"):
        reports(place, HOURS[0])


@pytest.mark.parametrize(
    ("spoil", "error", "message"),
    [
        (lambda home: (home / "model/model.joblib").unlink(), Missing, "model.joblib: nothing is there"),
        (lambda home: (home / "model/model.joblib").write_bytes(b"other"), UserError, "sha256"),
    ],
)
def test_a_model_that_is_not_the_pinned_one_is_never_loaded(
    home: Path, spoil: Callable[[Path], Any], error: type[Exception], message: str
) -> None:
    spoil(home)
    with pytest.raises(error, match=message):
        reports(site(home), HOURS[0])


def test_a_model_that_expects_other_columns_says_which(home: Path) -> None:
    card = json.loads((home / "model/model.json").read_text())
    (home / "model/model.json").write_text(json.dumps({**card, "features": [*card["features"][:-1], "shoe_size"]}))
    with pytest.raises(UserError, match=r"the model expects|shoe_size"):
        reports(site(home), HOURS[0])


def test_monitors_of_labels_need_the_address_of_the_labels(home: Path) -> None:
    head, _, tail = YAML.partition("ground_truth:")
    place = site(home, lambda _: head + tail[tail.index("model:") :])
    with pytest.raises(UserError, match="ground_truth is not set"):
        reports(place, HOURS[0])


def test_without_a_reference_the_first_window_with_enough_rows_becomes_the_baseline(home: Path) -> None:
    place = site(home, lambda text: text.replace("baseline:\n  dataset: reference_labelled.csv\n", ""))
    empty = tasks.ingest_capture(place, HOURS[2])
    assert tasks.suggest_baseline(place, HOURS[2], empty) == ""
    assert place.report(reports(place, HOURS[2])["data_quality"]).status is Status.NO_DATA
    first = report(place, HOURS[0], "data_quality")
    assert first.status is Status.COMPLETED
    assert report(place, HOURS[3], "data_quality").baseline == first.baseline


def test_a_baseline_that_is_asked_for_must_exist(home: Path) -> None:
    place = site(home)
    captured = tasks.ingest_capture(place, HOURS[0])
    with pytest.raises(Missing, match="0000"):
        tasks.suggest_baseline(place, HOURS[0], captured, "0" * 20)


def test_capture_that_arrives_late_restates_its_window_and_no_other(home: Path) -> None:
    """A clock-skewed record in the next hour's folder, delivered after both windows were committed."""
    place = site(home)
    first, neighbour = (tasks.ingest_capture(place, HOURS[hour]) for hour in (0, 1))
    (capture,) = {path.parent for path in (home / "capture").rglob("01/*.jsonl")}
    line = json.loads(next(iter(sorted(capture.glob("*.jsonl")))).read_text().splitlines()[0])
    line["eventMetadata"] |= {"eventId": "late", "inferenceTime": "2026-01-01T00:59:59Z"}
    (capture / "late.jsonl").write_text(json.dumps(line) + "\n")
    again, beside = (tasks.ingest_capture(place, HOURS[hour]) for hour in (0, 1))
    before, after = (place.ledger(key)["totals"] for key in (first, again))
    assert again != first
    assert after["used"] == before["used"] + 1
    assert "late" in place.table(again)["@event_id"].to_pylist()
    assert "late" not in place.table(first)["@event_id"].to_pylist()
    assert place.table(beside).equals(place.table(neighbour))
    assert place.ledger(beside)["totals"]["out_of_window"] == place.ledger(neighbour)["totals"]["out_of_window"] + 1
    shown = json.loads(place.store.get(f"{place.folder('captured', HOURS[0])}/ledger.json"))
    assert shown["totals"] == after


ORDERS = list(permutations((1, 2, 3)))


@pytest.mark.parametrize("order", [*ORDERS[::5], *(pytest.param(one, marks=pytest.mark.long) for one in ORDERS[1:5])])
def test_any_order_of_windows_gives_one_episode_and_one_retraining(home: Path, order: tuple[int, ...]) -> None:
    place = site(home)
    found = {hour: decided(place, HOURS[hour]) for hour in order}
    assert {hour: one.action for hour, one in found.items()} == {
        1: Action.ALERT,
        2: Action.REST,
        3: Action.RETRAIN,
    }
    assert {found[1].episode, found[3].episode} == {"000001"}
    assert [decided(place, HOURS[hour]) for hour in order] == list(found.values())


def test_a_backfill_hands_over_only_when_asked(home: Path) -> None:
    place = site(home)
    assert tasks.permission(place.endpoint, None, backfill=False).retraining
    assert tasks.permission(place.endpoint, True, backfill=True).retraining
    refused = tasks.permission(place.endpoint, None, backfill=True)
    verdict = decided(place, HOURS[3], refused)
    assert (verdict.action, "not allowed" in verdict.because) == (Action.ALERT, True)
    assert not place.store.has(place.evidence_key(verdict.episode))


def test_a_training_that_fails_leaves_the_old_model_and_says_why(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    place = site(home)
    verdict = decided(place, HOURS[3])
    before = place.model(HOURS[4])

    def fails(_: Any) -> Any:
        raise RuntimeError("no memory for the new model")

    with monkeypatch.context() as patched:
        patched.setattr("examples.loan_scoring.retrain.train", fails)
        with pytest.raises(RuntimeError, match="no memory"):
            retraining.retrain(place, verdict.episode, HOURS[3])
    assert place.model(HOURS[4]) == before
    assert not place.store.has("loan-scoring/episodes/000001/retrained.json")

    address = retraining.retrain(place, verdict.episode, HOURS[3])
    after = place.model(HOURS[4])
    assert after is not None
    assert (after.version, after.address) == ("2", address)
    assert after.sha256 == hashlib.sha256(Path(address).read_bytes()).hexdigest()
    assert place.model(HOURS[3]) == before
    assert place.pinned(HOURS[3]) != place.pinned(HOURS[4])
    assert retraining.retrain(place, verdict.episode, HOURS[3]) == address
    record = json.loads(place.store.get("loan-scoring/episodes/000001/retrained.json"))
    assert record["used"] == [str(HOURS[3])]
    assert [one["window"] for one in record["windows"]] == [str(HOURS[3])]
    learned = place.table(
        tasks.merge_labels(place, HOURS[3], tasks.ingest_capture(place, HOURS[3])), "labelled.parquet"
    )
    half = read_table(Path(record["windows"][0]["address"]).read_bytes(), "learned.parquet")
    held = json.loads(place.baseline_file(record["baseline"], "data_quality/profile.json") or b"")["rows"]
    assert half.num_rows + held == learned.num_rows
    assert abs(half.num_rows - held) < 100


def test_retraining_answers_only_to_the_window_that_asked(home: Path) -> None:
    place = site(home)
    verdict = decided(place, HOURS[3])
    with pytest.raises(UserError, match="was handed over by"):
        retraining.retrain(place, verdict.episode, HOURS[1])
    with pytest.raises(Missing):
        retraining.retrain(place, "000009", HOURS[3])


def test_a_changed_model_is_an_event_in_the_report(home: Path) -> None:
    place = site(home)
    card = place.model(HOURS[0])
    assert card is not None
    newer = {**card.model_dump(mode="json"), "version": "7", "decision_threshold": 0.4}
    place.pin("models", {"model": newer}, "by hand", HOURS[1].start)
    notes = report(place, HOURS[1], "data_quality").notes
    assert notes == (
        "the model's version changed from 1 to 7",
        "the model's decision_threshold changed from 0.5 to 0.4",
    )
    assert report(place, HOURS[0], "data_quality").notes == ()


def test_moving_the_whole_home_changes_no_byte(home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    reports(site(home), HOURS[1])
    first = _tree(home / "artifacts")
    shutil.copytree(home, tmp_path / "moved", ignore=shutil.ignore_patterns("artifacts"))
    monkeypatch.setenv("MONITOR_TASKS_HOME", str(tmp_path / "moved"))
    reports(site(tmp_path / "moved"), HOURS[1])
    second = _tree(tmp_path / "moved/artifacts")
    assert second == first


def test_the_index_holds_what_the_verbs_have_written(home: Path) -> None:
    place, window = site(home), HOURS[0]
    keys, verdict = reports(place, window), decided(place, window)
    assert [one.windows for one in compact(place)] == [1]
    (record,) = reading.history(place, window.start, window.end).records
    assert record.ledger == place.ledger(tasks.ingest_capture(place, window))["totals"]
    assert {name: one.key for name, one in record.monitors.items()} == keys
    assert {name: one.rows for name, one in record.monitors.items()} == {
        name: place.report(key).rows for name, key in keys.items()
    }
    labels = json.loads((home / "artifacts/loan-scoring/labelled/2026/01/01/01/labels.json").read_bytes())
    assert record.labels
    assert (record.labels.matched, record.labels.coverage) == (labels["matched"], labels["coverage"])
    assert record.verdict
    assert (record.verdict.action, record.verdict.because) == (verdict.action, verdict.because)
    (pinned,) = reading.baselines(place)
    assert {one.baseline for one in record.monitors.values()} == {pinned.id}
    assert set(pinned.constraints) == {*keys}
    assert reading.diff(place, pinned.id, pinned.id) == ()
    with pytest.raises(UserError, match="has no baseline 'none'; there are"):
        reading.diff(place, pinned.id, "none")
    place.store.delete(place.baseline_key(pinned.id))
    (gone,) = reading.baselines(place)
    assert "is gone, and windows are judged by it" in gone.error


def test_a_hurt_group_is_named_by_its_segment_and_found_by_the_search_for_worst_slices(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MONITOR_TASKS_HOME", str(tmp_path))
    simulate(tmp_path, [EIGHT[0], EIGHT[5]], START, 1500, seed=7)
    quality = "    rule: interval\n    segments: [age_group]\n    worst_slices: {}\n"

    def alone(text: str) -> str:
        head, _, rest = text.partition("  data_quality:\n")
        section = rest[rest.index("  model_quality:") : rest.index("  bias:")].replace("    rule: interval\n", quality)
        return f"{head}{section}"

    place = site(tmp_path, alone)
    healthy, hurt = (report(place, HOURS[hour], "model_quality") for hour in (0, 5))
    assert (healthy.status, {one.constraint.subject for one in healthy.violations}) == (Status.COMPLETED, set())
    less_accurate = {one.constraint.subject for one in hurt.violations if one.constraint.metric == "accuracy"}
    assert less_accurate == {"", "age_group=60+"}, "the others' files went to people of 60+, so their recall fell too"
    found = [note for note in hurt.notes if note.startswith("worst slices: age_group=60+")]
    assert ["confirmed: accuracy 0." in note for note in found] == [True]


def _tree(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_a_named_baseline_stands_beside_those_that_are_suggested(home: Path) -> None:
    def named(root: str) -> Site:
        bias = "  bias:\n    baseline_constraints: analysis.json\n"
        return site(home, lambda text: text.replace("root: artifacts", f"root: {root}").replace("  bias:\n", bias))

    first = site(home)
    suggested = tasks.suggest_baseline(first, HOURS[0], tasks.ingest_capture(first, HOURS[0]))
    known = first.baseline_file(suggested, "bias/analysis.json")
    assert known
    (home / "analysis.json").write_bytes(known)
    place = named("other")
    found = tasks.suggest_baseline(place, HOURS[0], tasks.ingest_capture(place, HOURS[0]))
    assert found != suggested
    assert [place.baseline_file(found, f"bias/{name}") for name in ("analysis.json", "bounds.json")] == [known, None]
    bounds = "data_quality/bounds.json"
    assert place.baseline_file(found, bounds) == first.baseline_file(suggested, bounds)
    (home / "analysis.json").write_bytes(b"{}")
    assert tasks.suggest_baseline(place, HOURS[0], "") == found
    with pytest.raises(UserError, match=r"monitors\.bias\.baseline_constraints: .*json: holds no constraints of this"):
        tasks.suggest_baseline(named("third"), HOURS[0], "")
