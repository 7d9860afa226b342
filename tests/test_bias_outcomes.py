"""Bias where the outcome is no yes or no: some of several classes, one class by its probability, a number above one."""

import json
import random
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from monitor_tasks.cli import app
from tests.metrics.fairness_by_rows import by_rows

CLASSES = ("gold", "silver", "bronze")
Row = dict[str, Any]


def customers(seed: int, moved: float = 0.0, size: int = 900) -> list[Row]:
    """Who was offered which card; so many of the women who would have been offered gold are predicted silver."""
    chance, found = random.Random(seed), []
    for _ in range(size):
        sex, income = chance.choice("fm"), 100 * chance.random()
        offered, predicted = (CLASSES[2 - int((income + 15 * chance.random()) // 45)] for _ in range(2))
        if sex == "f" and predicted == "gold" and chance.random() < moved:
            predicted = "silver"
        probability = 0.5 + (0.3 if predicted == "gold" else -0.3) * chance.random()
        estimate = income + 20 * chance.random() - 10
        found.append({"sex": sex, "branch": chance.choice("xyz"), "offered": offered, "predicted": predicted,
                      "p_gold": probability, "income": income, "estimate": estimate})  # fmt: skip
    return found


def written(folder: Path, name: str, rows: list[Row]) -> Path:
    lines = [",".join(rows[0]), *(",".join(str(cell) for cell in row.values()) for row in rows)]
    (folder / name).write_text("\n".join(lines) + "\n")
    return folder / name


def run(*words: object) -> int:
    return CliRunner().invoke(app, [str(word) for word in words]).exit_code


def configured(folder: Path, said: dict[str, Any]) -> Path:
    groups = {"facets": [{"name": "sex", "value_or_threshold": ["f"]}], "group_variable": "branch", "sample_rows": 0}
    (folder / "bias.yaml").write_text(json.dumps({**groups, **said}))
    return folder / "bias.yaml"


CARD = {"label": "offered", "predicted_label": "predicted"}
SOME = {**CARD, "label_values_or_threshold": ["gold", "silver"]}
ONE = {**CARD, "label_values_or_threshold": ["gold"]}
BY_PROBABILITY = {**ONE, "predicted_label": "p_gold", "probability_threshold": 0.5}
ABOVE = {"label": "income", "label_values_or_threshold": [40], "predicted_label": "estimate"}


@pytest.mark.parametrize(
    ("said", "label", "predicted", "text"),
    [
        (SOME, lambda row: row["offered"] != "bronze", lambda row: row["predicted"] != "bronze", "gold,silver"),
        (ONE, lambda row: row["offered"] == "gold", lambda row: row["predicted"] == "gold", "gold"),
        (BY_PROBABILITY, lambda row: row["offered"] == "gold", lambda row: row["p_gold"] > 0.5, "gold"),
        (ABOVE, lambda row: row["income"] > 40, lambda row: row["estimate"] > 40, "(40.0, "),
    ],
    ids=["several classes", "one against the rest", "by its probability", "above a number"],
)
def test_every_metric_is_that_of_the_favourable_outcomes_against_all_others(
    tmp_path: Path, said: dict[str, Any], label: Any, predicted: Any, text: str
) -> None:
    rows = customers(1)
    config, table = configured(tmp_path, said), written(tmp_path, "table.csv", rows)
    assert run("suggest", table, "--monitor", "bias", "--config", config, "--output", tmp_path / "base") == 0
    analysis = json.loads((tmp_path / "base/analysis.json").read_text())
    branches = {"x": 0, "y": 1, "z": 2}
    known = by_rows(
        [(int(row["sex"] == "f"), int(label(row)), int(predicted(row)), branches[row["branch"]]) for row in rows]
    )
    found: dict[str, float] = {}
    for stage in ("pre_training_bias_metrics", "post_training_bias_metrics"):
        assert analysis[stage]["label_value_or_threshold"].startswith(text)
        (group,) = analysis[stage]["facets"]["sex"]
        assert group["value_or_threshold"] == "f"
        found |= {one["name"]: one["value"] for one in group["metrics"]}
    assert {*found} >= {"CI", "DPL", "AD", "CDDL", "CDDPL", "DI", "GE", "TE"}
    for name, value in found.items():
        if name != "FT":
            assert float(value) == pytest.approx(known[name], rel=1e-9, abs=1e-9), name


def test_what_moves_between_favourable_classes_is_seen_by_the_one_alone(tmp_path: Path) -> None:
    reference, window = (written(tmp_path, f"{name}.csv", customers(1, moved)) for name, moved in
                         (("reference", 0.0), ("window", 0.9)))  # fmt: skip
    broken = {}
    for name, said in (("one", ONE), ("some", SOME)):
        config = configured(tmp_path, {**said, "rule": "interval"})
        base, done = tmp_path / f"{name}-base", tmp_path / name
        assert run("suggest", reference, "--monitor", "bias", "--config", config, "--output", base) == 0
        run("check", window, "--monitor", "bias", "--config", config, "--baseline", base, "--output", done)
        report = json.loads((done / "report.json").read_text())
        broken[name] = {one["constraint"]["metric"] for one in report["findings"] if one["state"] == "broken"}
    assert {"DI", "RD"} <= broken["one"]
    assert not broken["some"]
