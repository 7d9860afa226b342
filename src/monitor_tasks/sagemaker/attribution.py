"""Feature attribution <-> SageMaker's analysis.json and constraint_violations.json (contract attribution.md)."""

from collections.abc import Iterable, Mapping, Sequence

from pydantic import ConfigDict, Field, ValidationError

from monitor_tasks.baseline import Metric
from monitor_tasks.report import Finding, State
from monitor_tasks.sagemaker.text import clarify
from monitor_tasks.sagemaker.words import unreadable
from monitor_tasks.value import Value

CHECK = "feature_attribution_drift_check"
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


def analysis_json(statistics: Iterable[Metric], headers: Sequence[str] = ()) -> bytes:
    """The text of analysis.json, which is the baseline's constraints too: features in the order of the `headers`.

    `statistics` are the monitor's: one metric a feature, and ``expected_value``, whose subject is the label.
    """
    place = {name: index for index, name in enumerate(headers)}
    known = sorted(statistics, key=lambda metric: place.get(metric.subject, len(place)))
    values = {metric.subject: metric.value for metric in known if metric.name != "expected_value"}
    label, expected = next((m.subject, m.value) for m in known if m.name == "expected_value")
    found = {label: {"global_shap_values": values, "expected_value": expected}}
    return clarify({"version": _VERSION, "explanations": {"kernel_shap": found}})


def read_analysis(text: bytes, address: str) -> dict[str, GlobalValues]:
    """The global values by label, in the file's order; containers name the label as they like (``label0``).

    Raises:
        UserError: the text at `address` is no analysis.json of feature attribution.
    """
    try:
        return dict(_File.from_json(text).explanations.kernel_shap)
    except ValidationError as error:
        raise unreadable(address, "analysis.json of feature attribution", error) from error


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
