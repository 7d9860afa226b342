"""Worst slices of a window, from the settings to the report: found in a sample, confirmed by the other rows."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.csv as pa_csv
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import accuracy_score, mean_absolute_error
from typer.testing import CliRunner

from monitor_tasks.cli import app
from monitor_tasks.judging import Checked, check, read_baseline, suggest
from monitor_tasks.monitors.model_quality import ModelQuality
from monitor_tasks.monitors.settings import ModelQualitySettings
from monitor_tasks.report import State
from monitor_tasks.value import UserError

COLUMNS = {
    "BinaryClassification": {"probability_attribute": "p"},
    "MulticlassClassification": {"inference_attribute": "p"},
    "Regression": {"inference_attribute": "p"},
}
every_type = pytest.mark.parametrize("problem_type", COLUMNS)
HURT = "age over 71 & city=Bern"


def sample(problem_type: str, seed: int, hurt: float = 0.0, rows: int = 4000) -> pa.Table:
    """Rows of a model that is `hurt` where people in Bern are older than 71; a tenth has no label yet."""
    chance = np.random.default_rng(seed)
    ages = np.where(chance.random(rows) < 0.2, 71, chance.integers(5, 95, rows))  # so the upper quartile is 71
    columns = {"city": chance.choice(["Bern", "Basel", "Chur", "Genf"], rows), "age": ages,
               "job": chance.choice(list("abcdef"), rows), "income": chance.lognormal(8, 1, rows)}  # fmt: skip
    bad = hurt * ((columns["city"] == "Bern") & (ages > 71))
    late = chance.random(rows) < 0.1
    if problem_type == "Regression":
        labels = chance.normal(50, 10, rows)
        predicted = labels + chance.standard_t(3, rows) * (1 + 6 * bad)
    elif problem_type == "BinaryClassification":
        predicted = chance.beta(0.3, 0.3, rows).round(2)
        labels = (chance.random(rows) < np.where(chance.random(rows) < bad, 1 - predicted, predicted)).astype(int)
    else:
        labels = chance.integers(0, 4, rows)
        predicted = np.where(chance.random(rows) < 0.15 + 0.6 * bad, chance.integers(0, 4, rows), labels)
    return pa.table({"label": pa.array(labels, mask=late), "p": predicted, **columns})


def chosen(problem_type: Any, **asked: Any) -> ModelQualitySettings:
    known = {"problem_type": problem_type, **COLUMNS[problem_type], "worst_slices": asked}
    return ModelQualitySettings.model_validate(known)


def checked(asked: ModelQualitySettings, window: pa.Table, files: dict[str, bytes] | None = None) -> Checked:
    return check("model_quality", asked, window, read_baseline("", "model_quality", asked, (files or {}).get))


def told(found: Checked) -> dict[str, Any]:
    known: dict[str, Any] = json.loads(found.artifacts["slices.json"])
    return known


@every_type
def test_a_hurt_slice_is_confirmed_by_its_own_metric_on_rows_that_were_not_searched(problem_type: str) -> None:
    asked, window = chosen(problem_type, sample_rows=1500), sample(problem_type, 1, 0.9)
    found = checked(asked, window)
    known = told(found)
    (worst,) = [one for one in known["slices"] if one["confirmed"]]
    assert worst["slice"] == HURT
    assert known["rows_searched"] == 1500
    judged = ModelQuality(asked).with_losses(window)
    assert known["rows_searched"] + known["rows_held"] == judged.num_rows == window["label"].drop_null().length()

    frame = window.to_pandas().dropna()
    inside = (frame["city"] == "Bern") & (frame["age"] > 71)
    assert worst["sample"]["rows"] + worst["others"]["rows"] == inside.sum()
    predicted = frame["p"] > 0.5 if problem_type == "BinaryClassification" else frame["p"]
    metric = mean_absolute_error if problem_type == "Regression" else accuracy_score
    whole = metric(frame["label"][inside], predicted[inside])
    parts = sum(worst[side]["rows"] * worst[side]["value"] for side in ("sample", "others"))
    assert parts / inside.sum() == pytest.approx(whole, abs=1e-9)
    assert worst["others"]["interval"][0] < worst["others"]["value"] < worst["others"]["interval"][1]
    assert any(note.startswith(f"worst slices: {HURT}: confirmed: {known['metric']} ") for note in found.notes)
    assert [one.pairs[0].label for one in found.exhibits if one.title.startswith("worst slices")] == [
        f"{HURT} ({worst['others']['rows']} rows)"
    ]


ODD = st.none() | st.sampled_from(["0", "1", "1.0", " 1", "0.5", "2", "-1", "1e400", "NaN", "cat", "", "true"])


@settings(max_examples=40)
@given(
    cells=st.lists(st.tuples(ODD, ODD, ODD), min_size=1, max_size=12),
    way=st.sampled_from(
        [
            ("BinaryClassification", {"probability_attribute": "score"}),
            ("BinaryClassification", {"inference_attribute": "class"}),
            ("BinaryClassification", {"probability_attribute": "score", "inference_attribute": "class"}),
            ("MulticlassClassification", {"inference_attribute": "class"}),
            ("MulticlassClassification", {"class_probability_attributes": {"1": "score", "cat": "class"}}),
            ("Regression", {"inference_attribute": "score"}),
        ]
    ),
)
def test_losses_are_those_of_the_rows_that_the_metrics_rest_on(cells: list[Any], way: Any) -> None:
    names = ("label", "score", "class")
    rows = pa.table({name: pa.array([row[place] for row in cells], pa.string()) for place, name in enumerate(names)})
    one = ModelQuality(ModelQualitySettings.model_validate({"problem_type": way[0], **way[1]}))
    profile, losses = one.profile(rows), one.with_losses(rows)["@loss"].to_numpy()
    assert len(losses) == profile.judged
    name = "mae" if way[0] == "Regression" else "accuracy"
    value = one.statistics(profile)[name]["value"]
    if len(losses):
        assert (losses.mean() if name == "mae" else 1 - losses.mean()) == pytest.approx(value, abs=1e-9)
    else:
        assert value is None


@every_type
def test_no_slice_of_fifty_tables_without_one_is_confirmed(problem_type: str) -> None:
    """The level is 5 %, of which the search's own correction leaves hardly anything."""
    one = ModelQuality(chosen(problem_type))
    alarms = 0
    for seed in range(50):
        rows = one.with_losses(sample(problem_type, 100 + seed, rows=1000))
        found = one.worst_slices(rows.slice(0, 450), [rows.slice(450)])
        alarms += any(slice_["confirmed"] for slice_ in json.loads(found.files["slices.json"])["slices"])
    assert alarms <= 1


def test_a_slice_breaks_what_the_settings_allow_and_nothing_else_does() -> None:
    window, files = (
        sample("Regression", 3, 0.9),
        suggest("model_quality", chosen("Regression"), sample("Regression", 4)),
    )
    states = {}
    for allowed in (None, 0.5, 100.0):
        found = checked(chosen("Regression", allowed_difference=allowed), window, files)
        states[allowed] = {
            one.constraint.subject: one.state for one in found.findings if one.constraint.check == "worst_slice_check"
        }
    assert states == {None: {}, 0.5: {HURT: State.BROKEN}, 100.0: {HURT: State.KEPT}}


def test_what_the_other_rows_do_not_confirm_is_undecided_and_told_so() -> None:
    one = ModelQuality(chosen("MulticlassClassification", allowed_difference=0.0))
    hurt, healthy = (one.with_losses(sample("MulticlassClassification", 5, how)) for how in (0.9, 0.0))
    found = one.worst_slices(hurt, [healthy])
    assert found.notes == (f"worst slices: {HURT}: found in the sample, not confirmed by the other rows",)
    assert [(one.value, one.subject) for one in found.metrics] == [(None, HURT)]
    assert "rows that were not searched do not confirm it: accuracy 0." in found.metrics[0].because
    assert found.exhibits == ()


def test_a_window_without_a_bad_slice_says_how_many_were_looked_at() -> None:
    found = checked(chosen("BinaryClassification"), sample("BinaryClassification", 6))
    (note,) = [note for note in found.notes if note.startswith("worst slices")]
    assert note.endswith("labelled rows, none is worse than the others beyond chance")
    assert f"{told(found)['looked_at']:,} looked at in {told(found)['rows_searched']:,}" in note
    few = checked(chosen("BinaryClassification"), sample("BinaryClassification", 6, 0.9, rows=60))
    assert (told(few)["looked_at"], told(few)["slices"]) == (0, [])
    assert few.notes[-1].endswith("labelled rows, none has enough rows")
    empty = checked(chosen("BinaryClassification"), sample("BinaryClassification", 6).slice(0, 0))
    assert "slices.json" not in empty.artifacts


def test_neither_order_nor_the_label_under_another_name_changes_what_is_found() -> None:
    window = sample("Regression", 7, 0.9)
    mixed = window.take(pa.array(np.random.default_rng(0).permutation(window.num_rows)))
    asked = chosen("Regression")
    assert checked(asked, mixed).artifacts["slices.json"] == checked(asked, window).artifacts["slices.json"]
    again = window.append_column("truth", window["label"])
    names = {one["column"] for found in told(checked(asked, again))["slices"] for one in found["conditions"]}
    assert names == {"age", "city"}
    (named,) = told(checked(chosen("Regression", columns=["city", "job"]), window))["slices"]
    assert [one["column"] for one in named["conditions"]] == ["city"]
    with pytest.raises(UserError, match=r"model_quality.worst_slices.columns: the rows have no column 'town'"):
        checked(chosen("Regression", columns=["town"]), window)


def test_from_a_terminal_and_on_the_page_a_confirmed_slice_is_told(tmp_path: Path) -> None:
    (tmp_path / "c.yaml").write_text(
        "probability_attribute: p\nrule: interval\nworst_slices: {allowed_difference: 0.1}\n"
    )
    for name, hurt in (("reference", 0.0), ("window", 0.9)):
        pa_csv.write_csv(sample("BinaryClassification", 8, hurt), tmp_path / f"{name}.csv")
    words = ["--monitor", "model_quality", "--config", str(tmp_path / "c.yaml"), "--output"]
    for verb, table, more in (("suggest", "reference", ["base"]), ("check", "window", ["out", "--baseline", "base"])):
        paths = [str(tmp_path / one) if not one.startswith("-") else one for one in more]
        done = CliRunner().invoke(app, [verb, str(tmp_path / f"{table}.csv"), *words, *paths], env={"COLUMNS": "200"})
    assert done.exit_code == 1, done.output
    assert f"note: worst slices: {HURT}: confirmed: accuracy" in done.output
    assert "worst_slice_check" in done.output
    report = json.loads((tmp_path / "out/report.json").read_text())
    (broken,) = [one for one in report["findings"] if one["constraint"]["check"] == "worst_slice_check"]
    assert (broken["state"], broken["constraint"]["subject"]) == ("broken", HURT)
    page = (tmp_path / "out/report.html").read_text()
    shown = (
        *("worst slices: accuracy in each, and outside of it", "the upper bar is in the slice, the lower one outside"),
        *("age over 71 &amp; city=Bern", "also when adjusted for all slices that were tried", "outside of the slice"),
    )
    assert all(text in page for text in shown)
