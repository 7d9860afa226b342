"""Retraining, gate by gate: who stops it and why stands in the record, and the champion stays until all are passed."""

import io
import json
import re
import shutil
import tarfile
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from monitor_tasks import promoting, retraining
from monitor_tasks.evidence import records
from monitor_tasks.exhibit import ModelComparison
from monitor_tasks.gates import Gate, GateRecord
from monitor_tasks.io.executions import digest
from monitor_tasks.io.store import Missing
from monitor_tasks.tables.files import read_table
from monitor_tasks.value import UserError
from tests import trained
from tests.retraining_story import (
    EPISODE,
    HOURS,
    ROWS,
    Change,
    judge,
    retrain,
    site,
    training,
    tree,
    unchanged,
    write,
)  # fmt: skip

WINDOW = HOURS[2]
GATES = list(Gate)
pytestmark = pytest.mark.usefixtures("models_in_this_process")


@pytest.fixture(scope="module")
def handed_over(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three hours, the last of which was handed over to retraining."""
    home = write(tmp_path_factory.mktemp("story") / "home")
    place = site(home)
    verdicts = [judge(place, window) for window in HOURS[:3]]
    assert [(one.action, one.episode) for one in verdicts] == [("rest", ""), ("rest", ""), ("retrain", EPISODE)]
    return home


@pytest.fixture
def home(handed_over: Path, tmp_path: Path) -> Path:
    """A copy that a test may go on with."""
    shutil.copytree(handed_over, tmp_path / "home")
    return tmp_path / "home"


def outcomes(found: list[GateRecord]) -> list[str]:
    return [f"{one.gate} {one.outcome}" for one in found]


def test_a_challenger_that_is_better_takes_the_champions_place(home: Path) -> None:
    place = site(home)
    former, baseline = promoting.champion(place), place.pinned(WINDOW)
    found = retrain(place, WINDOW)
    assert outcomes(found) == [f"{gate} passed" for gate in GATES]
    assert records(place, EPISODE) == found
    after = place.model(HOURS[3])
    assert after is not None
    assert after.address == "python://tests.trained:small_ones_default_in_a"
    assert (place.model(WINDOW), place.pinned(WINDOW)) == (former, baseline)
    assert place.pinned(HOURS[3]) not in ("", baseline)
    assert place.baseline_file(baseline, "model_quality/bounds.json"), "the former baseline is kept"
    evidence, _, learned, compared, promoted = found
    assert evidence.because == "300 rows with 300 labels in 1 windows; 100 rows and 100 labels are needed"
    assert learned.because == "version retrained-000001 learned from 1 of 1 windows"
    assert compared.because.startswith("the challenger is better than the champion: ")
    assert promoted.details["since"] == "2026-01-01T03:00:00Z"
    alias = json.loads(place.store.get(promoting.alias_key(place)))
    assert (alias["kind"], alias["model"]["address"], alias["former_model"]["version"]) == (
        "promoted", after.address, "1",
    )  # fmt: skip
    assert judge(place, HOURS[3]).status == "CompletedWithViolations", "its captures are still the former model's"


def test_the_comparison_is_the_one_that_the_rows_say(home: Path) -> None:
    """Champion and challenger on the same held requests, counted by hand from the two tables."""
    place = site(home)
    compared = retrain(place, WINDOW)[3]
    answered = read_table(place.store.get(compared.details["answered"]), "answered.parquet").to_pandas()
    found = ModelComparison.model_validate(compared.details["comparison"])
    learned = read_table(
        (home / "artifacts/tiny/models/000001/learned/20260101T030000Z.parquet").read_bytes(), "learned.parquet"
    )
    assert not set(learned["@event_id"].to_pylist()) & set(answered["@event_id"])
    assert learned.num_rows + len(answered) == ROWS
    large, label = answered["amount"].astype(float) >= 50, answered["label"].astype(int)
    turned = answered["region"] == "a"
    assert found.deciding.metric == "accuracy"
    assert found.deciding.champion == pytest.approx((large == label).mean(), abs=1e-12)
    assert found.deciding.challenger == pytest.approx(((large ^ turned) == label).mean(), abs=1e-12)
    assert (found.paired, found.rows) == (True, (len(answered), len(answered)))
    assert found.deciding.lower is not None
    assert found.deciding.lower > 0.3


def test_gates_that_are_asked_again_write_nothing(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    place = site(home)
    first, before = retrain(place, WINDOW), tree(home / "artifacts")
    monkeypatch.setattr(trained, "better", lambda _: pytest.fail("trained twice"))
    assert retrain(place, WINDOW) == first
    assert tree(home / "artifacts") == before


def keeps_its_champion(home: Path, change: Change = unchanged) -> list[str]:
    """What the record says of a retraining that is stopped; nobody else has taken the champion's place."""
    place = site(home, change)
    held = promoting.champion(place), place.pinned(HOURS[3])
    with suppress(UserError, RuntimeError):
        retrain(place, WINDOW)
    assert (promoting.champion(place), place.pinned(HOURS[3])) == held
    assert promoting.moves(place) == []
    assert not place.store.has(promoting.alias_key(place))
    return [f"{one.gate} {one.outcome}: {one.because}" for one in records(place, EPISODE)][-1:]


def with_(more: str, name: str = "better") -> Change:
    return lambda text: training(name)(text).replace('"}\n', f'", {more}}}\n') if more else training(name)(text)


STOPPED = {
    "too few rows": (with_("minimum_rows: 301"), r"check_evidence refused: 300 rows .* 301 rows and 100 labels are"),
    "too few labels": (with_("minimum_labels: 301"), r"check_evidence refused: 300 rows with 300 labels .* 301 labels"),
    "cannot tell": (with_("", "same"), r"compare refused: It cannot be told yet whether the challenger is better"),
    "worse": (with_("promote: not_worse", "worst"), r"compare refused: the challenger is worse than the champion"),
    "training fails": (with_("", "broken"), r"train failed: RuntimeError: no memory for the new model"),
    "no such training": (with_("", "nothing"), r"train failed: .*tests.trained.*nothing"),
    "no window used": (with_("", "of_nothing"), r"train failed: tiny: the training used no labelled window"),
    "no such file": (with_("", "missing"), r"train failed: .*nothing.skops: nothing is there"),
    "cannot be loaded": (with_("", "unreadable"), r"compare failed: .*model.skops: not a readable model"),
    "no such metric": (with_("metric: mae"), r"compare failed: compare.metric: BinaryClassification has no 'mae'"),
    "no way to train": (
        lambda text: text.replace('{train: "tests.trained:better"}', "{}"),
        r"check_evidence failed: tiny: nothing says how to retrain; name retraining.train",
    ),
    "no answer": (
        lambda text: text.replace("minimum_rows: 20", "minimum_rows: 20, inference_attribute: region"),
        r"check_evidence failed: tiny: .*model_quality reads region, which is not among .*output_names \(probability\)",
    ),
}


@pytest.mark.parametrize("name", STOPPED)
def test_whatever_stops_it_leaves_the_champion_and_says_why(home: Path, name: str) -> None:
    change, said = STOPPED[name]
    (told,) = keeps_its_champion(home, change)
    assert re.match(said, told), told


def test_not_worse_is_enough_where_the_configuration_says_so(home: Path) -> None:
    found = retrain(site(home, with_("promote: not_worse", "same")), WINDOW)
    assert outcomes(found)[-2:] == ["compare passed", "promote passed"]
    assert found[3].because.startswith("It cannot be told yet")
    assert found[3].by == "retraining.promote: not_worse"


def test_a_retraining_answers_only_to_the_window_that_asked(home: Path) -> None:
    place = site(home)
    with pytest.raises(UserError, match="episode 000001 of tiny was handed over by 2026-01-01T02:00:00Z/PT1H, not by"):
        retraining.check_evidence(place, EPISODE, HOURS[1])


def test_evidence_that_is_gone_is_one_clear_error_that_stands_in_the_record(home: Path) -> None:
    place = site(home)
    place.store.delete(place.evidence_key(EPISODE))
    with pytest.raises(UserError, match=r"000001/retrain.json: the evidence .* is not there, .*; restore the file"):
        retraining.check_evidence(place, EPISODE, WINDOW)
    assert outcomes(records(place, EPISODE)) == ["check_evidence failed"]


def test_an_episode_that_never_was_leaves_no_trace(home: Path) -> None:
    place, before = site(home), tree(home / "artifacts")
    with pytest.raises(UserError, match="the evidence of episode 000009 is not there"):
        retraining.check_evidence(place, "000009", WINDOW)
    assert tree(home / "artifacts") == before


def test_rows_that_are_gone_fail_the_gate_that_needs_them(home: Path) -> None:
    place = site(home)
    retraining.check_evidence(place, EPISODE, WINDOW)
    (table,) = (home / "artifacts/tiny/labelled/2026/01/01/03/revisions").glob("*/labelled.parquet")
    table.unlink()
    with pytest.raises(Missing, match=r"labelled.parquet: nothing is there"):
        retraining.train(place, EPISODE, WINDOW)
    assert "labelled.parquet: nothing is there" in records(place, EPISODE)[-1].because


def test_no_gate_can_be_jumped(home: Path) -> None:
    place = site(home)
    with pytest.raises(UserError, match="episode 000001 has not passed check_evidence; run that gate first"):
        retraining.train(place, EPISODE, WINDOW)
    retraining.check_evidence(place, EPISODE, WINDOW)
    with pytest.raises(UserError, match="has not passed train"):
        retraining.compare(place, EPISODE, WINDOW)
    with pytest.raises(UserError, match="has not passed train"):
        retraining.promote(place, EPISODE, WINDOW)
    assert promoting.moves(place) == []


def test_a_person_who_says_no_is_named(home: Path) -> None:
    place = site(home)
    retraining.check_evidence(place, EPISODE, WINDOW)
    asked = retraining.question(place, EPISODE, WINDOW)
    assert "handed over by 2026-01-01T02:00:00Z/PT1H: a changed world: " in asked
    assert "There are 300 rows with 300 labels in 1 windows to learn from. The champion is version 1;" in asked
    retraining.approve(place, EPISODE, WINDOW, "refused", "ada")
    last = records(place, EPISODE)[-1]
    assert (last.gate, last.outcome, last.by, last.because) == ("approve", "refused", "ada", "not approved")
    assert last.text == "tiny episode 000001: approve refused by ada: not approved"
    for outcome in ("passed", "passed", "refused"):
        retraining.approve(place, EPISODE, WINDOW, outcome, "grace")
    assert [f"{one.outcome} by {one.by}" for one in records(place, EPISODE)[1:]] == [
        "refused by ada", "passed by grace", "refused by grace",
    ]  # fmt: skip


def test_a_training_that_was_mended_is_run_again(home: Path) -> None:
    """Asked again after its challenger was refused, training starts anew; the record keeps both."""
    retrain(site(home, training("same")), WINDOW)
    found = retrain(site(home), WINDOW)
    assert outcomes(found)[-1] == "promote passed"
    assert outcomes(records(site(home), EPISODE))[2:] == [
        "train passed", "compare refused", "check_evidence passed", "approve passed", "train passed", "compare passed",
        "promote passed",
    ]  # fmt: skip


def test_a_challenger_that_answers_other_windows_than_the_champion_proves_nothing(home: Path) -> None:
    place = site(home)
    place.pin("models", {"model": {"version": "1b", "address": "python://a:b"}}, "by hand", HOURS[3].start)
    found = retrain(place, WINDOW)
    assert outcomes(found)[-1] == "compare refused"
    assert found[-1].because == "no window that was learned from was answered by version 1b"


def test_a_new_model_outside_of_the_roots_is_refused(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    place = site(home)
    retraining.check_evidence(place, EPISODE, WINDOW)
    monkeypatch.setenv("MONITOR_TASKS_ROOTS", str(home))
    with pytest.raises(UserError, match=r"python://.* lies outside the configured roots"):
        retraining.train(place, EPISODE, WINDOW)


@pytest.mark.parametrize(
    ("made", "said"),
    [
        (None, "tiny: the training gave back NoneType without an address; it must give back"),
        ({"version": "2"}, "tiny: the training gave back dict without an address"),
        ({"address": "python://a:b", "owner": "me"}, "tiny: the new model's card: owner: Extra inputs"),
    ],
)
def test_what_a_training_gives_back_must_be_a_model(
    home: Path, monkeypatch: pytest.MonkeyPatch, made: Any, said: str
) -> None:
    place = site(home)
    retraining.check_evidence(place, EPISODE, WINDOW)
    monkeypatch.setattr(trained, "better", lambda _: made)
    with pytest.raises(UserError, match=said):
        retraining.train(place, EPISODE, WINDOW)


JOB = """
retraining:
  training_job: {model_file: model.skops, request: {RoleArn: "arn:aws:iam::123456789012:role/train"}}
"""
PIPELINE = """
retraining:
  pipeline: {name: train-tiny, parameters: {Rows: "{rows}", Told: "{evidence}", Out: "{output}/of/{episode}"}}
"""


def trains_with(section: str) -> Change:
    return lambda text: text[: text.index("retraining:")] + section.lstrip()


def test_a_training_job_is_asked_for_with_the_rows_and_its_model_is_taken_out_of_the_archive(home: Path) -> None:
    place = site(home, trains_with(JOB))
    retraining.check_evidence(place, EPISODE, WINDOW)
    asked = retraining.job(place, EPISODE, WINDOW)["config"]
    folder = f"{home}/artifacts/tiny/models/000001"
    assert (asked["TrainingJobName"], asked["RoleArn"]) == ("tiny-000001", "arn:aws:iam::123456789012:role/train")
    assert asked["InputDataConfig"][0]["DataSource"]["S3DataSource"]["S3Uri"] == f"{folder}/learned/"
    assert asked["OutputDataConfig"] == {"S3OutputPath": folder}
    assert [path.name for path in Path(folder, "learned").iterdir()] == ["20260101T030000Z.parquet"]
    found = retraining.take_model(place, EPISODE, WINDOW, archived(home, "./model.skops", b"a model"))
    model = found.details["model"]
    assert Path(model["address"]).read_bytes() == b"a model"
    assert model["sha256"] == digest(b"a model")
    assert model["version"] == "retrained-000001"


def archived(home: Path, name: str, content: bytes) -> str:
    """SageMaker's model.tar.gz with one file in it."""
    held = io.BytesIO()
    with tarfile.open(fileobj=held, mode="w:gz") as archive:
        about = tarfile.TarInfo(name)
        about.size = len(content)
        archive.addfile(about, io.BytesIO(content))
    (home / "model.tar.gz").write_bytes(held.getvalue())
    return str(home / "model.tar.gz")


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (lambda home: archived(home, "other.txt", b"x"), "holds no file model.skops, but other.txt; correct"),
        (lambda home: archived(home, "../model.skops", b"x"), "holds no file model.skops"),
        (lambda home: str(home / "reference.csv"), "is no archive that can be read: .*; run the training again"),
        (lambda home: cut(archived(home, "model.skops", bytes(range(256)) * 99)), "is no archive that can be read"),
        (lambda home: str(home / "nothing.tar.gz"), "nothing.tar.gz: nothing is there"),
    ],
)
def test_an_archive_without_the_model_is_one_clear_error(home: Path, spoil: Callable[[Path], str], said: str) -> None:
    place = site(home, trains_with(JOB))
    retraining.check_evidence(place, EPISODE, WINDOW)
    with pytest.raises(UserError, match=said):
        retraining.take_model(place, EPISODE, WINDOW, spoil(home))
    assert outcomes(records(place, EPISODE))[-1] == "train failed"


def cut(path: str) -> str:
    Path(path).write_bytes(Path(path).read_bytes()[:120])
    return path


def test_a_pipeline_is_told_where_everything_lies_and_leaves_a_card(home: Path) -> None:
    place = site(home, trains_with(PIPELINE))
    retraining.check_evidence(place, EPISODE, WINDOW)
    told = retraining.pipeline(place, EPISODE, WINDOW)
    folder = f"{home}/artifacts/tiny/models/000001"
    parameters = {"Rows": f"{folder}/learned/", "Told": f"{folder}/evidence.json", "Out": f"{folder}/of/000001"}
    assert told == {"name": "train-tiny", "parameters": parameters}
    evidence = json.loads(Path(parameters["Told"]).read_bytes())
    assert evidence["model"]["version"] == "1"
    assert Path(evidence["windows"][0]["address"]).is_file()
    with pytest.raises(Missing, match=r"000001/model.json: nothing is there"):
        retraining.take_model(place, EPISODE, WINDOW)
    Path(folder, "model.json").write_text("{")
    with pytest.raises(UserError, match=r"model.json: the pipeline's card is no JSON"):
        retraining.take_model(place, EPISODE, WINDOW)
    Path(folder, "model.json").write_text(
        '{"address": "python://tests.trained:small_ones_default_in_a", "version": "9"}'
    )
    assert retraining.take_model(place, EPISODE, WINDOW).by == "pipeline train-tiny"
    assert retraining.compare(place, EPISODE, WINDOW).outcome == "passed"
    assert retraining.promote(place, EPISODE, WINDOW).because.startswith("version 9 is the champion from 2026-01-01T03")


def test_a_job_that_failed_stands_in_the_record(home: Path) -> None:
    place = site(home, trains_with(JOB))
    retraining.check_evidence(place, EPISODE, WINDOW)
    retraining.failed(place, EPISODE, WINDOW, "training_job: no\ncapacity " + "x" * 2000)
    last = records(place, EPISODE)[-1]
    assert (last.gate, last.outcome, last.by) == ("train", "failed", "training_job")
    assert last.because.startswith("training_job: no capacity xx")
    assert len(last.because) == 1024


@pytest.mark.parametrize(
    ("section", "said"),
    [
        ("retraining: {train: 'a:b', pipeline: {name: p}}", "retraining: name one of train, training_job, pipeline"),
        ("retraining: {training_job: {request: {}, model_file: ../x}}", "model_file: String should match"),
        ("retraining: {training_job: {request: {TrainingJobName: x}, model_file: x}}", "leave TrainingJobName out"),
        ("retraining: {approval: {timeout: PT0H}}", "retraining.approval.timeout: 'PT0H': leave a person some time"),
        ("retraining: {promote: always}", "retraining.promote: Input should be 'better' or 'not_worse'"),
        ("retraining: {minimum_labels: 0}", "retraining.minimum_labels: Input should be greater than or equal to 1"),
    ],
)
def test_a_mistake_in_the_configuration_names_its_key(home: Path, section: str, said: str) -> None:
    with pytest.raises(UserError, match=said):
        site(home, trains_with(section))
