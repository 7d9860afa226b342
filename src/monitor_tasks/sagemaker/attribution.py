"""Feature attribution <-> SageMaker's analysis.json and constraint_violations.json (contract attribution.md)."""

import csv
import io
import json
from collections.abc import Iterable, Mapping, Sequence

from pydantic import ConfigDict, Field, ValidationError

from monitor_tasks.baseline import Constraint, Metric
from monitor_tasks.report import Finding, State
from monitor_tasks.sagemaker.text import clarify
from monitor_tasks.sagemaker.words import unreadable
from monitor_tasks.value import Value

CHECK = "feature_attribution_drift_check"
THRESHOLD = 0.9
"""Clarify's: fixed, and not part of its file."""
_VERSION = "1.0"


class GlobalValues(Value):
    """What analysis.json says of one label: features in the file's order, and the output that they add up from."""

    model_config = ConfigDict(extra="ignore")

    global_shap_values: Mapping[str, float | None]
    expected_value: float | None = None


class _Explanations(Value):
    model_config = ConfigDict(extra="ignore")

    kernel_shap: Mapping[str, GlobalValues] = Field(min_length=1)


class _File(Value):
    model_config = ConfigDict(extra="ignore")

    explanations: _Explanations


def analysis_json(statistics: Iterable[Metric], headers: Sequence[str] = (), dependence: str = "") -> bytes:
    """The text of analysis.json, which is the baseline's constraints too: features in the order of the `headers`.

    `statistics` are the monitor's: one metric a feature and label, and one ``expected_value`` a label, its subject.
    `dependence` is a list of partial dependences as JSON, each of which gets the names of the labels.
    """
    place = {name: index for index, name in enumerate(headers)}
    known = sorted(statistics, key=lambda metric: place.get(metric.subject, len(place)))
    found = {
        one.subject: {"global_shap_values": _values(known, one.subject), "expected_value": one.value}
        for one in known
        if one.name == "expected_value"
    }
    partial = [{**one, "label_headers": list(found)} for one in json.loads(dependence or "[]")]
    told = {"kernel_shap": found, **({"pdp": partial} if partial else {})}
    return clarify({"version": _VERSION, "explanations": told})


def _values(statistics: Sequence[Metric], label: str) -> dict[str, float | None]:
    """The global value of each feature for one label."""
    return {
        metric.subject: metric.value
        for metric in statistics
        if metric.name != "expected_value" and metric.details.get("label", label) == label
    }


def local_values_csv(features: Sequence[str], labels: Sequence[str], rows: Iterable[Sequence[float]]) -> bytes:
    """The text of explanations_shap/out.csv: one line a row, one column ``{feature}_{label}`` a feature and label.

    Each row holds the values of the first label, then those of the next.
    """
    return _csv([f"{feature}_{label}" for label in labels for feature in features], rows)


def baseline_csv(background: str) -> bytes:
    """The text of explanations_shap/baseline.csv: the rows that values are relative to, features in a first line."""
    known = json.loads(background)
    return _csv(known["names"], known["rows"])


def _csv(names: Sequence[str], rows: Iterable[Sequence[object]]) -> bytes:
    """Texts that a spreadsheet would take for formulas are quoted by an apostrophe."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow([_harmless(name) for name in names])
    writer.writerows([[_harmless(cell) for cell in row] for row in rows])
    return text.getvalue().encode()


def _harmless(cell: object) -> object:
    return f"'{cell}" if isinstance(cell, str) and cell[:1] in ("=", "+", "-", "@", "\t", "\r") else cell


def read_analysis(text: bytes, address: str) -> dict[str, GlobalValues]:
    """The global values by label, in the file's order; containers name the label as they like (``label0``).

    Raises:
        UserError: the text at `address` is no analysis.json of feature attribution.
    """
    try:
        return dict(_File.from_json(text).explanations.kernel_shap)
    except ValidationError as error:
        raise unreadable(address, "analysis.json of feature attribution", error) from error


def read_constraints(text: bytes, address: str) -> tuple[Constraint, ...]:
    """What an analysis.json alone asks for: each label's features rank as in it, by Clarify's fixed bound."""
    return tuple(
        Constraint(
            check=CHECK, metric="shap", subject=label, cause="world", lower=THRESHOLD,
            reason=f"nDCG of the ranking of {len(known.global_shap_values)} features in Clarify's {address}; "
            f"its fixed bound is {THRESHOLD}",
        )
        for label, known in read_analysis(text, address).items()
    )  # fmt: skip


def violations_json(findings: Iterable[Finding]) -> bytes | None:
    """The text of constraint_violations.json; None without a violation, when SageMaker writes no file."""
    broken = [_violation(one) for one in findings if one.state is State.BROKEN and one.constraint.check == CHECK]
    return clarify({"version": _VERSION, "violations": broken}) if broken else None


def _violation(finding: Finding) -> dict[str, str]:
    """SageMaker says "exceeds" although a violation is an nDCG below the threshold."""
    constraint, value = finding.constraint, finding.metric.value if finding.metric else None
    return {
        "label": constraint.subject,
        "metric_name": constraint.metric,
        "constraint_check_type": constraint.check,
        "description": f"Feature attribution drift {value} exceeds threshold {constraint.lower}",
    }
