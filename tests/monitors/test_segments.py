"""Segments of model quality: scikit-learn's numbers group by group, what is judged, and what is told."""

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from textwrap import dedent
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.csv as pa_csv
import pytest
from sklearn import metrics as sk
from typer.testing import CliRunner

from monitor_tasks.baseline import Baseline
from monitor_tasks.cli import app
from monitor_tasks.configuration import read_yaml
from monitor_tasks.endpoint import on_a_table
from monitor_tasks.judging import check, read_baseline, suggest
from monitor_tasks.monitors.model_quality import PROBLEMS, ModelQuality
from monitor_tasks.monitors.model_quality.segments import LEVEL, SCORES
from monitor_tasks.monitors.settings import ModelQualitySettings
from monitor_tasks.profiles.groups import parse_subject
from monitor_tasks.report import Finding, State, judge
from monitor_tasks.value import UserError

CUTS = [30, 45, 60]
SEGMENTS: list[Any] = ["city", {"name": "age", "cuts": CUTS}]
CITIES = ("Bern", "Basel", "Chur = GR")
FURTHER = {
    "BinaryClassification": ("balanced_accuracy", "average_precision", "log_loss", "brier_score"),
    "MulticlassClassification": ("balanced_accuracy", "matthews_correlation"),
    "Regression": ("mape", "median_absolute_error", "residual_mean"),
}  # fmt: skip
every_type = pytest.mark.parametrize("problem_type", FURTHER)
Frame = pd.DataFrame


def sample(problem_type: str, rows: int, seed: int, hurt: str = "") -> pa.Table:
    """Rows of a model that is right as often as it says, but for one city."""
    chance = np.random.default_rng(seed)
    columns = {"city": chance.choice(CITIES, rows, p=[0.5, 0.3, 0.2]), "age": chance.integers(18, 90, rows)}
    bad = columns["city"] == hurt
    if problem_type == "Regression":
        labels = chance.normal(50, 10, rows)
        return pa.table({"label": labels, "p": labels + chance.normal(0, 2 + 3 * bad, rows), **columns})
    if problem_type == "BinaryClassification":
        scores = chance.beta(0.5, 0.5, rows).round(2)
        return pa.table(
            {"label": (chance.random(rows) < np.where(bad, 0.5, scores)).astype(int), "p": scores, **columns}
        )
    labels, others = chance.integers(0, 4, rows), chance.integers(0, 4, rows)
    return pa.table({"label": labels, "p": np.where(chance.random(rows) < 0.2 + 0.4 * bad, others, labels), **columns})


def chosen(problem_type: Any, **more: Any) -> ModelQualitySettings:
    name = "probability_attribute" if problem_type == "BinaryClassification" else "inference_attribute"
    known = {"problem_type": problem_type, name: "p", "segments": SEGMENTS, "further_metrics": FURTHER[problem_type]}
    return ModelQualitySettings.model_validate({**known, **more})


def learned(settings: ModelQualitySettings, table: pa.Table) -> tuple[ModelQuality, Baseline]:
    one = ModelQuality(settings)
    profile = one.profile(table)
    return one, Baseline("id", tuple(one.suggest([profile])), profile)


def findings(one: ModelQuality, window: pa.Table, baseline: Baseline) -> tuple[Finding, ...]:
    found = judge(one.measure(one.profile(window), baseline), baseline.constraints)
    return tuple(finding for finding in found if finding.constraint.subject)


def broken(found: tuple[Finding, ...]) -> set[str]:
    return {one.constraint.subject for one in found if one.state is State.BROKEN}


def binary(rows: Frame) -> dict[str, float]:
    label, score = rows["label"], rows["p"]
    predicted = (score > 0.5).astype(int)
    return {
        "recall": sk.recall_score(label, predicted),
        "precision": sk.precision_score(label, predicted),
        "accuracy": sk.accuracy_score(label, predicted),
        "false_positive_rate": 1 - sk.recall_score(label, predicted, pos_label=0),
        "auc": sk.roc_auc_score(label, score),
        "f2": sk.fbeta_score(label, predicted, beta=2),
        "balanced_accuracy": sk.balanced_accuracy_score(label, predicted),
        "average_precision": sk.average_precision_score(label, score),
        "log_loss": sk.log_loss(label, score),
        "brier_score": sk.brier_score_loss(label, score),
    }


def multiclass(rows: Frame) -> dict[str, float]:
    label, predicted = rows["label"], rows["p"]
    return {
        "accuracy": sk.accuracy_score(label, predicted),
        "weighted_recall": sk.recall_score(label, predicted, average="weighted"),
        "weighted_precision": sk.precision_score(label, predicted, average="weighted"),
        "weighted_f0_5": sk.fbeta_score(label, predicted, beta=0.5, average="weighted"),
        "balanced_accuracy": sk.balanced_accuracy_score(label, predicted),
        "matthews_correlation": sk.matthews_corrcoef(label, predicted),
    }


def regression(rows: Frame) -> dict[str, float]:
    label, predicted = rows["label"], rows["p"]
    return {
        "mae": sk.mean_absolute_error(label, predicted),
        "mse": sk.mean_squared_error(label, predicted),
        "rmse": sk.root_mean_squared_error(label, predicted),
        "r2": sk.r2_score(label, predicted),
        "mape": sk.mean_absolute_percentage_error(label, predicted),
        "median_absolute_error": sk.median_absolute_error(label, predicted),
        "residual_mean": float((predicted - label).mean()),
    }


ORACLES: Mapping[str, Callable[[Frame], dict[str, float]]] = {
    "BinaryClassification": binary,
    "MulticlassClassification": multiclass,
    "Regression": regression,
}


@every_type
def test_every_segment_has_the_metrics_of_scikit_learn_on_its_own_rows(problem_type: str) -> None:
    window = sample(problem_type, 4000, 2)
    one, baseline = learned(chosen(problem_type), sample(problem_type, 4000, 1))
    found = {(metric.subject, metric.name): metric for metric in one.measure(one.profile(window), baseline)}
    rows = window.to_pandas()
    bands = pd.cut(rows["age"], [-np.inf, *CUTS, np.inf], labels=["up to 30", "30 to 45", "45 to 60", "over 60"])
    compared = 0
    for column, by in (("city", rows["city"]), ("age", bands)):
        for value, part in rows.groupby(by, observed=True):
            subject = f"{column}={value}"
            assert parse_subject(subject) == (column, str(value))
            for name, expected in ORACLES[problem_type](part).items():
                assert found[subject, name].value == pytest.approx(expected, abs=1e-9), (subject, name)
                assert found[subject, name].n == len(part)
                compared += 1
    assert compared == 7 * len(ORACLES[problem_type](rows))


def test_a_segment_of_continuous_scores_stays_small_and_says_how_exact_it_is() -> None:
    asked, chance = chosen("BinaryClassification"), np.random.default_rng(5)
    table = sample("BinaryClassification", 12_000, 4).set_column(1, "p", pa.array(chance.random(12_000)))
    one, baseline = learned(asked, table)
    profile = one.profile(table)
    sizes = [len(part.known.scores) for parts in profile.columns.values() for part in parts.values()]
    assert SCORES / 2 < max(sizes) <= SCORES
    assert len(profile.whole.known.scores) == 12_000
    bern = table.to_pandas().query("city == 'Bern'")
    found = {metric.name: metric for metric in one.measure(profile, baseline) if metric.subject == "city=Bern"}
    for name, expected in ORACLES["BinaryClassification"](bern).items():
        off = found[name].details.get("error", 1e-9)
        assert found[name].value == pytest.approx(expected, abs=off), name
    assert 0 < float(found["auc"].details["error"]) < 1e-3


@every_type
def test_chance_breaks_no_segment_and_a_hurt_one_is_named(problem_type: str) -> None:
    one, baseline = learned(chosen(problem_type, further_metrics=()), sample(problem_type, 3000, 100))
    margins = {constraint.margin for constraint in baseline.constraints if constraint.subject}
    count = 7 * len(PROBLEMS[problem_type].constrained)
    assert len(margins) == 1
    assert sum(bool(constraint.subject) for constraint in baseline.constraints) == count
    healthy = [findings(one, sample(problem_type, 2500, seed), baseline) for seed in range(4)]
    assert [broken(found) for found in healthy] == [set()] * 4
    assert {finding.state for found in healthy for finding in found} == {State.KEPT}
    assert "city=Bern" in broken(findings(one, sample(problem_type, 2500, 7, hurt="Bern"), baseline))
    assert f"any of {count} in at most 1 window of {1 / LEVEL:g}" in baseline.constraints[-1].reason


def test_a_share_of_1_in_a_few_rows_is_no_proof_of_a_change() -> None:
    """Of 3 positives of a small segment none is found, where all 5 of the baseline's were: 1 in 56 by chance alone."""
    label = [1] * 5 + [0] * 295
    reference = pa.table({"label": label, "p": [0.9] * 5 + [0.1] * 295, "city": ["Bern"] * 300})
    window = pa.table({"label": [1] * 3 + [0] * 297, "p": [0.1] * 300, "city": ["Bern"] * 300})
    one, baseline = learned(chosen("BinaryClassification", segments=["city"]), reference)
    recall = next(found for found in findings(one, window, baseline) if found.constraint.metric == "recall")
    assert recall.metric
    assert (recall.state, recall.metric.value, recall.constraint.lower) == (State.KEPT, 0.0, 1.0)


def notes(one: ModelQuality, window: pa.Table, baseline: Baseline) -> str:
    return "\n".join(one.notes(one.profile(window), baseline))


def test_values_that_came_went_or_are_rare_are_told() -> None:
    reference, window = sample("Regression", 1500, 1), sample("Regression", 1500, 2)
    rename = {"Bern": "Bern", "Basel": "Basel", "Chur = GR": "Genf"}
    cities = pa.array([rename[city] for city in window["city"].to_pylist()])
    window = window.set_column(2, "city", cities)
    rare = pa.array([city if row else "Thun" for row, city in enumerate(reference["city"].to_pylist())])
    one, baseline = learned(chosen("Regression", segments=["city"]), reference.set_column(2, "city", rare))
    told = notes(one, window, baseline)
    assert "segments of city: values that the baseline has not, so they are not judged: Genf" in told
    assert "values of the baseline that no row of this window has: Chur = GR, Thun" in told
    assert "not judged, with fewer than 200 labelled rows in the baseline: Thun (1)" in told
    lost = [found for found in findings(one, window, baseline) if found.constraint.subject == "city=Chur = GR"]
    assert {(found.state, found.because) for found in lost} == {
        (State.UNDECIDED, "not enough data: 0 rows, 200 needed")
    }
    assert notes(one, window, Baseline("", (), None)) == ""
    assert notes(one, window.slice(0, 0), baseline) == ""


def test_too_many_values_are_undecided_and_the_reason_says_what_to_do() -> None:
    reference = sample("MulticlassClassification", 2000, 1)
    many = pa.array([str(row % 40) for row in range(2000)])
    settings = chosen("MulticlassClassification", segments=["city"])
    one, baseline = learned(settings, reference)
    window = reference.set_column(2, "city", many)
    found = findings(one, window, baseline)
    assert {found.state for found in found} == {State.UNDECIDED}
    assert all("more than 32 different values: name cuts, or a coarser column" in one.because for one in found)
    assert "in this window the column has more than 32" in notes(one, window, baseline)
    other, crowded = learned(settings, window)
    assert findings(other, reference, crowded) == ()
    assert "in the baseline the column has more than 32" in notes(other, reference, crowded)
    assert [one.note for one in one.exhibits(one.profile(window), baseline) if one.title == "accuracy by city"] != [""]


def test_a_baseline_that_was_stored_without_segments_is_still_judged_as_a_whole() -> None:
    table = sample("BinaryClassification", 1000, 1)
    plain = chosen("BinaryClassification", segments=[])
    files = suggest("model_quality", plain, table)
    assert "segments" not in json.loads(files["profile.json"])
    for stored, asked in ((plain, chosen("BinaryClassification")), (chosen("BinaryClassification"), plain)):
        known = read_baseline("id", "model_quality", asked, suggest("model_quality", stored, table).get)
        checked = check("model_quality", asked, table, known)
        kept = [one for one in checked.findings if one.state is State.KEPT]
        assert {one.constraint.subject for one in kept} == {""}
        assert len(kept) == 11 + len(FURTHER["BinaryClassification"])
        told = "the baseline does not know them; suggest it anew" in " ".join(checked.notes)
        assert told == bool(asked.segments)


CONFIG = """\
probability_attribute: p
rule: interval
segments: [city, {name: age, cuts: [30, 45, 60]}]
"""


def test_from_a_terminal_a_hurt_segment_is_a_violation_in_words(tmp_path: Path) -> None:
    (tmp_path / "c.yaml").write_text(CONFIG)
    for name, seed, hurt in (("reference", 1, ""), ("window", 2, "Basel")):
        pa_csv.write_csv(sample("BinaryClassification", 3000, seed, hurt), tmp_path / f"{name}.csv")
    words = ["--monitor", "model_quality", "--config", str(tmp_path / "c.yaml")]
    base, out = str(tmp_path / "base"), str(tmp_path / "out")
    assert (
        CliRunner().invoke(app, ["suggest", str(tmp_path / "reference.csv"), *words, "--output", base]).exit_code == 0
    )
    done = CliRunner().invoke(
        app, ["check", str(tmp_path / "window.csv"), *words, "--baseline", base, "--output", out],
        env={"COLUMNS": "200"},
    )  # fmt: skip
    assert (done.exit_code, "city=Basel" in done.output, "city=Bern" in done.output) == (1, True, False), done.output
    theirs = json.loads((tmp_path / "base/constraints.json").read_text())["binary_classification_constraints"]
    whole = [
        one for one in json.loads((tmp_path / "base/bounds.json").read_text())["constraints"] if not one["subject"]
    ]
    assert {one["metric"]: float(one["expected"][0]) for one in whole} == {
        name: bound["threshold"] for name, bound in theirs.items()
    }
    violations = json.loads((tmp_path / "out/constraint_violations.json").read_text())["violations"]
    assert "recall of city=Basel" in [one["metric_name"] for one in violations]
    page = (tmp_path / "out/report.html").read_text()
    assert all(
        told in page
        for told in ("accuracy by city", "accuracy by age", "city=Basel", "Bern (1,499 rows, 1,529 in the baseline)")
    )


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("segments: [{name: age, cuts: [45, 30]}]", "c.yaml:1: segments.0.cuts: cuts must rise, as 30, 45, 60 do"),
        ("segments: [city, city]", "c.yaml:1: segments: 'city' stands there twice"),
        ("segments: [{column: city}]", "c.yaml:1: segments.0.name: this key is missing"),
        ("worst_slices: {sample_rows: 1}", "c.yaml:1: worst_slices.sample_rows: Input should be greater"),
    ],
)
def test_what_a_person_can_mend_in_the_settings_is_one_line(text: str, told: str) -> None:
    with pytest.raises(UserError) as error:
        read_yaml(on_a_table(ModelQualitySettings), text, "c.yaml")
    assert str(error.value).splitlines()[0].startswith(told)


def test_the_settings_in_the_documentation_can_be_read(repository: Path) -> None:
    page = (repository / "docs/model-quality.md").read_text().partition("## Segments")[2]
    text = page.partition("```yaml\n")[2].partition("```")[0].partition("  model_quality:\n")[2]
    known = read_yaml(on_a_table(ModelQualitySettings), dedent(text), "model-quality.md").value
    assert [one["name"] for one in known.model_dump()["segments"]] == ["contract", "tenure"]


def test_a_column_that_is_not_there_is_named() -> None:
    one = ModelQuality(chosen("Regression", segments=["town"]))
    with pytest.raises(UserError, match=r"model_quality.segments: the rows have no column 'town'; correct the name"):
        one.profile(sample("Regression", 10, 1))
