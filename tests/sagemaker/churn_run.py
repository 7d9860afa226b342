"""The real model-quality run on the churn endpoint (contract model-quality.md, section 7), window and answers."""

import json
import re

import pyarrow as pa

from monitor_tasks.baseline import Baseline
from monitor_tasks.monitors.model_quality import ModelQuality
from monitor_tasks.monitors.settings import ModelQualitySettings
from monitor_tasks.report import Finding, judge
from tests.sagemaker.samples import sample, table

OUTCOMES = {("0", "1", "0.9"): 65, ("0", "0", "0.1"): 434, ("1", "1", "0.95"): 29, ("1", "1", "0.9"): 122,
            ("1", "0", "0.2"): 66, ("1", "0", "0.1"): 1101}  # fmt: skip
"""Rows by label, class and probability. Labels and classes follow from the printed metrics; the probabilities were not
published, these have the printed area under the curve: 338,945 of 499 * 1,318 pairs."""
VIOLATED = re.compile(r"(Metric \w+ with \S+) \+/- \S+ (was .*)")


def findings(*, strict: bool) -> tuple[Finding, ...]:
    """What our monitor finds in that window, by the baseline of the published 201 predictions."""
    columns = {"probability_attribute": "probability", "inference_attribute": "prediction"}
    monitor = ModelQuality(ModelQualitySettings(**columns, strict_compatibility=strict))  # type: ignore[arg-type]
    reference = monitor.profile(table("churn/validation_with_predictions.csv", header=True))
    baseline = Baseline("id", tuple(monitor.suggest([reference])), reference)
    cells = [cell for cell, count in OUTCOMES.items() for _ in range(count)]
    window = pa.table(dict(zip(("label", "prediction", "probability"), zip(*cells, strict=True), strict=True)))
    return judge(monitor.measure(monitor.profile(window), baseline), baseline.constraints)


def violations(text: bytes) -> list[dict[str, str]]:
    """The violations of a file without the deviations, which are random in SageMaker's."""
    known = json.loads(text)["violations"]
    return [{**one, "description": " ".join(VIOLATED.fullmatch(one["description"]).groups())} for one in known]  # type: ignore[union-attr]


def published() -> list[dict[str, str]]:
    """The violations of the real run."""
    return violations(sample("churn/model_quality_violations.run1.json"))
