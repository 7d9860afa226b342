"""SageMaker's files: written from the published data, or read and written again."""

import json
import re
from collections.abc import Iterator
from typing import Any

import pyarrow as pa

from monitor_tasks.baseline import Baseline, Constraint, Metric, in_order
from monitor_tasks.monitors.data_quality import DataQuality
from monitor_tasks.monitors.model_quality import ModelQuality
from monitor_tasks.monitors.settings import DataQualitySettings, ModelQualitySettings
from monitor_tasks.profiles.columns import Edges
from monitor_tasks.profiles.sketch import SageMakerBlock
from monitor_tasks.report import judge
from monitor_tasks.sagemaker import attribution, bias, constraints, model_quality, violations
from monitor_tasks.sagemaker.constraints_reading import read_constraints
from monitor_tasks.sagemaker.statistics import statistics_json
from monitor_tasks.sagemaker.text import java_double
from tests.conformance.case import BYTES, Case, Pairs
from tests.sagemaker import churn_run
from tests.sagemaker.analysed import KEPT, statistics
from tests.sagemaker.samples import sample, table

SDK, CHURN = "SDK sample, 100 rows, 6 columns", "churn, 2,333 rows, 70 columns"
QUALITY = DataQuality(DataQualitySettings())


def _sdk() -> pa.Table:
    return table("sdk/data_quality/baseline_dataset.csv", header=False)


def _churn() -> pa.Table:
    return table("churn/training-dataset-with-header.csv", header=True)


def _suggested(rows: pa.Table) -> tuple[Constraint, ...]:
    return in_order(QUALITY.suggest([QUALITY.profile(rows, Edges.of(rows))]), rows.column_names)


def _sdk_statistics() -> Pairs:
    yield statistics_json(SageMakerBlock.of(_sdk())), sample("sdk/data_quality/statistics.json")


def _churn_statistics() -> Pairs:
    golden, rows = sample("churn/statistics.features-00-14.json").rstrip(b"\n"), _churn()
    yield _first_features(SageMakerBlock.of(rows)), golden
    yield _first_features(SageMakerBlock.of(rows.slice(0, 700)).update(rows.slice(700))), golden


def _first_features(block: SageMakerBlock) -> bytes:
    return statistics_json(SageMakerBlock(block.rows, dict(list(block.columns.items())[:15])))


def _sdk_constraints() -> Pairs:
    yield constraints.constraints_json(_suggested(_sdk())), sample("sdk/data_quality/constraints.good.json")


def _churn_constraints() -> Pairs:
    yield constraints.constraints_json(_suggested(_churn())), sample("churn/constraints.json").rstrip(b"\n")


def _edited_constraints() -> Pairs:
    text = sample("sdk/data_quality/constraints.bad.json")
    yield constraints.constraints_json(read_constraints(text, "constraints.json")), text.rstrip(b"\n")


def _edited_violations() -> Pairs:
    """The sample against its edited constraints, which the SDK's own test expects to break."""
    known = read_constraints(sample("sdk/data_quality/constraints.bad.json"), "constraints.json")
    profile = QUALITY.profile(_sdk(), Edges({}))
    findings = judge(QUALITY.measure(profile, Baseline("id", tuple(known), profile, Edges({}))), known)
    found = json.loads(violations.violations_json(findings))["violations"]
    yield [(one["feature_name"], one["constraint_check_type"]) for one in found], [("_c5", "data_type_check")]


TRAFFIC = {"99.64592817400101%": 1977, "99.65534219596258%": 2031, "99.63446475195823%": 1915}
"""Rows of the runs that the published match percentages come from (contract data-quality.md, section 3)."""


def _churn_violations() -> Pairs:
    """Every run again: the first 120 rows of the inputs, then passes over all 334; as a set, by column."""
    theirs = json.loads(sample("churn/data_quality_violations.first10.json"))["violations"]
    runs = {_rows_of(one["description"]) for one in theirs}
    ours = [one for rows in runs for one in _violations(rows)]
    for one in theirs:
        yield (one in ours), True


def _churn_count() -> Pairs:
    """The exit message of the runs of 2021 and 2022."""
    yield len(_violations(1977)), 60


def _rows_of(description: str) -> int:
    return next((rows for share, rows in TRAFFIC.items() if share in description), 1977)


def _violations(rows: int) -> list[dict[str, str]]:
    reference, inputs = _churn(), table("churn/test-dataset-input-cols.csv", header=False)
    window = pa.concat_tables([inputs.slice(0, 120), *[inputs] * 6]).slice(0, rows)
    window = window.add_column(0, "score", pa.array(["0.5"] * rows)).rename_columns(reference.column_names)
    edges = Edges.of(reference)
    profile = QUALITY.profile(reference, edges)
    baseline = Baseline("id", tuple(QUALITY.suggest([profile])), profile, edges)
    findings = judge(QUALITY.measure(QUALITY.profile(window, edges), baseline), baseline.constraints)
    found: list[dict[str, str]] = json.loads(violations.violations_json(findings))["violations"]
    return found


def _model_quality_statistics() -> Pairs:
    """The values of the printed baseline, which has six digits."""
    printed = sample("churn/model_quality_baseline.printed.txt").decode().partition("\n\n")[0].splitlines()[1:]
    expected = dict(re.split(r" {2,}", line, maxsplit=1) for line in printed)
    monitor = _model_quality()
    profile = monitor.profile(table("churn/validation_with_predictions.csv", header=True))
    text = model_quality.files(monitor.statistics(profile), monitor.suggest([profile]))["statistics.json"]
    found = dict(_flat(json.loads(text)["binary_classification_metrics"]))
    for name, value in expected.items():
        if name in found and not name.endswith("standard_deviation"):
            yield found[name], float(value)


def _model_quality_constraints() -> Pairs:
    """Thresholds to six digits, in the printed order, each with its operator."""
    printed = sample("churn/model_quality_baseline.printed.txt").decode().partition("\n\n")[2].splitlines()[1:]
    expected = {name: (float(threshold), operator) for name, threshold, operator in map(str.split, printed)}
    monitor = _model_quality()
    profile = monitor.profile(table("churn/validation_with_predictions.csv", header=True))
    text = model_quality.files(monitor.statistics(profile), monitor.suggest([profile]))["constraints.json"]
    found = json.loads(text)["binary_classification_constraints"]
    yield list(found) == list(expected), True
    for name, (threshold, operator) in expected.items():
        yield found[name]["comparison_operator"] == operator, True
        yield found[name]["threshold"], threshold


def _model_quality() -> ModelQuality:
    columns = {"probability_attribute": "probability", "inference_attribute": "prediction"}
    return ModelQuality(ModelQualitySettings(**columns))  # type: ignore[arg-type]


def _flat(value: Any, name: str = "") -> Iterator[tuple[str, Any]]:
    if isinstance(value, dict):
        for inner, one in value.items():
            yield from _flat(one, f"{name}.{inner}".strip("."))
    elif not isinstance(value, list):
        yield name, value


VIOLATED = re.compile(r"Metric \w+ with (\S+) \+/- (\S+) was (\w+) '(\S+)'")


def _model_quality_violations() -> Pairs:
    theirs = json.loads(sample("churn/model_quality_violations.run1.json"))["violations"]
    findings = []
    for one in theirs:
        value, deviation, operator, threshold = VIOLATED.fullmatch(one["description"]).groups()  # type: ignore[union-attr]
        name = re.sub(r"(?<=[a-z])(?=[A-Z])", "_", one["metric_name"]).lower()
        bound = {"lower" if operator == "LessThanThreshold" else "upper": float(threshold)}
        metric = Metric(name=name, value=float(value), n=1817, deviation=float(deviation))
        findings += judge([metric], [Constraint(check=operator, metric=name, **bound)])  # type: ignore[arg-type]
    yield json.loads(model_quality.violations_json(findings))["violations"], theirs


def _model_quality_thresholds() -> Pairs:
    """The thresholds that the violations of the real run name, in all their digits."""
    monitor = _model_quality()
    suggested = monitor.suggest([monitor.profile(table("churn/validation_with_predictions.csv", header=True))])
    ours = {one.metric: java_double(model_quality.threshold_of(one)) for one in suggested}
    for one in json.loads(sample("churn/model_quality_violations.run1.json"))["violations"]:
        name = re.sub(r"(?<=[a-z])(?=[A-Z])", "_", one["metric_name"]).lower()
        yield ours[name], VIOLATED.fullmatch(one["description"])[4]  # type: ignore[index]


def _model_quality_run() -> Pairs:
    yield churn_run.violations(model_quality.violations_json(churn_run.findings(strict=True))), churn_run.published()


def _bias_analyses() -> Pairs:
    """The text of the notebooks, where a whole number stands without its point."""
    for name in ("adult/bias_baseline.analysis.json", "fraud/bias_1.analysis.json"):
        text = sample(name)
        written = bias.analysis_json(statistics(json.loads(text)))
        yield written, text.replace(b'"value": 0\n', b'"value": 0.0\n').rstrip(b"\n")


def _bias_violations() -> Pairs:
    published = json.loads(sample("adult/batch_bias_violations.json"))
    known = bias.read_constraints(sample("adult/bias_baseline.analysis.json"), "analysis.json")
    current = {
        one["metric_name"]: float(re.search(r"value (\S+) doesn't", one["description"])[1])  # type: ignore[index]
        for one in published["violations"]
    }
    values = {**current, **KEPT}
    metrics = [Metric(name=name, subject="Sex=0", value=value, n=334) for name, value in values.items()]
    yield json.loads(bias.violations_json(judge(metrics, known)) or b""), published


def _attribution(name: str) -> Case:
    def pairs() -> Pairs:
        ((label, known),) = attribution.read_analysis(sample(name), name).items()
        values = known.global_shap_values
        metrics = [Metric(name="mean_abs_shap", subject=each, value=value, n=9) for each, value in values.items()]
        expected = Metric(name="expected_value", subject=label, value=known.expected_value, n=9)
        yield attribution.analysis_json([*metrics, expected], list(values)), sample(name)

    return Case(
        "attribution: `analysis.json`", GOLDEN, f"Adult, `{name.partition('/')[2]}`, read, written", pairs, BYTES
    )


GOLDEN, PRINTED = "golden file of SageMaker", "printed in a notebook of SageMaker"
CASES = (
    Case("data quality: `statistics.json`", GOLDEN, SDK, _sdk_statistics, BYTES),
    Case("data quality: `statistics.json`", GOLDEN, f"{CHURN}; the first 15 are published", _churn_statistics, BYTES),
    Case("data quality: `constraints.json`", GOLDEN, SDK, _sdk_constraints, BYTES),
    Case("data quality: `constraints.json`", GOLDEN, CHURN, _churn_constraints, BYTES),
    Case("data quality: `constraints.json`", GOLDEN, "SDK sample, edited, read, written", _edited_constraints, BYTES),
    Case(
        "data quality: `constraint_violations.json`", "the SDK's own test", "SDK sample, edited: one type is violated",
        _edited_violations, BYTES,
    ),
    Case(
        "data quality: `constraint_violations.json`", PRINTED,
        "churn traffic of the real runs; the first ten texts and percentages, as a set", _churn_violations, BYTES,
    ),
    Case(
        "data quality: `constraint_violations.json`", "exit message of the runs of 2021 and 2022",
        "churn traffic, 1,977 rows: 60 violations", _churn_count, BYTES,
    ),
    Case(
        "model quality: `statistics.json`", PRINTED, "churn, 201 predictions; six digits, without deviations",
        _model_quality_statistics, "< 1e-6",
    ),
    Case(
        "model quality: `constraints.json`", PRINTED, "churn, 201 predictions; six digits, names, operators, order",
        _model_quality_constraints, "< 1e-6",
    ),
    Case(
        "model quality: `constraint_violations.json`", PRINTED, "churn; all ten texts of a real run",
        _model_quality_violations, BYTES,
    ),
    Case(
        "model quality: thresholds", PRINTED, "churn, 201 predictions; the texts of ten thresholds, all digits",
        _model_quality_thresholds, BYTES,
    ),
    Case(
        "model quality: `constraint_violations.json`, `strict_compatibility`", PRINTED,
        "churn, 1,817 predictions whose probabilities have the printed AUC; all ten, in order, without deviations",
        _model_quality_run, BYTES,
    ),
    Case("bias: `analysis.json`", GOLDEN, "Adult and fraud, two files read, written", _bias_analyses, BYTES),
    Case(
        "bias: `constraint_violations.json`", PRINTED, "Adult, 334 rows; eight flagged, three kept", _bias_violations,
        BYTES,
    ),
    _attribution("adult/attribution_baseline.analysis.json"),
    _attribution("adult/full_explainability.analysis.json"),
)  # fmt: skip
