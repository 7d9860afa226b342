"""A window's files -> SageMaker's CloudWatch metrics (contract operations.md, section 5).

Names, namespaces and dimensions are those that working alarms use. What the contract marks as unverified is left out,
but for ``ExpectedValue``.
"""

import json
from collections.abc import Callable, Iterator, Mapping
from math import isfinite, isnan, nan
from typing import Any, NamedTuple

from monitor_tasks.report import Report
from monitor_tasks.sagemaker.monitoring_config import MonitoringConfig

LARGEST = 2.348543e108
"""An infinity is published as this: CloudWatch takes no larger number."""
_STAGES = {"pre_training_bias_metrics": "Pre-training", "post_training_bias_metrics": "Post-Training"}
_KINDS = {"data_quality": "data", "model_quality": "model", "bias": "bias", "attribution": "explainability"}

Datum = dict[str, Any]
Labels = Mapping[str, str]


class Source(NamedTuple):
    """Whose numbers they are: an endpoint's, or a batch transform's, which has no dimension ``Endpoint``."""

    endpoint: str
    schedule: str
    time: str
    """The window's end, as ``2026-01-01T01:00:00Z``."""
    is_batch: bool = False


def namespace(monitor: str, source: Source) -> str:
    """Where a monitor's metrics stand.

    >>> namespace("bias", Source("churn", "bias", ""))
    'aws/sagemaker/Endpoints/bias-metrics'
    """
    return f"aws/sagemaker/{'ModelMonitoring' if source.is_batch else 'Endpoints'}/{_KINDS[monitor]}-metrics"


def cloudwatch_metrics(
    monitor: str, report: Report, file: bytes, source: Source, switches: bytes | None = None
) -> list[Datum]:
    """The metrics of one monitor's window, each as a custom container writes it to its metrics folder.

    Args:
        monitor: Which monitor.
        report: Its report: the distances from the baseline stand there.
        file: Its ``statistics.json``, or ``analysis.json`` of bias and attribution.
        source: Whose numbers they are.
        switches: The baseline's ``constraints.json``, whose ``emit_metrics`` is obeyed.
    """
    if report.rows == 0:
        return []
    content = json.loads(file)
    found = {"model_quality": _model, "bias": _bias, "attribution": _attribution}
    pairs = _data(content, report, switches) if monitor == "data_quality" else found[monitor](content)
    common = {} if source.is_batch else {"Endpoint": source.endpoint}
    common["MonitoringSchedule"] = source.schedule
    return [
        {
            "MetricName": _name(name),
            "Timestamp": source.time,
            "Dimensions": [{"Name": key, "Value": _name(value)} for key, value in {**common, **labels}.items()],
            **value,
        }
        for name, labels, value in pairs
    ]


def _data(statistics: Any, report: Report, switches: bytes | None) -> Iterator[tuple[str, Labels, Datum]]:
    """Of every column how many cells are filled, of numbers a statistic set, and how far it lies from the baseline."""
    is_silent = _silenced(json.loads(switches) if switches else {})
    for feature in statistics["features"]:
        if is_silent(name := feature["name"]):
            continue
        numbers = feature.get("numerical_statistics")
        present = (numbers or feature["string_statistics"])["common"]["num_present"]
        yield f"feature_non_null_{name}", {}, {"Value": float(present)}
        values = [_float(numbers[key]) for key in ("sum", "min", "max")] if numbers else []
        if present and values and all(map(isfinite, values)):
            total, least, most = map(_bounded, values)
            told = {"SampleCount": float(present), "Sum": total, "Minimum": least, "Maximum": most}
            yield f"feature_data_{name}", {}, {"StatisticValues": told}
    for one in report.findings:
        is_drift = one.constraint.check == "baseline_drift_check" and not is_silent(one.constraint.subject)
        if is_drift and one.metric and one.metric.value is not None:
            yield f"feature_baseline_drift_{one.constraint.subject}", {}, {"Value": _bounded(one.metric.value)}


def column_numbers(statistics: bytes) -> dict[str, dict[str, float]]:
    """The numbers of every column that stand in a statistics.json of data quality, by OpenLineage's names."""
    found = dict[str, dict[str, float]]()
    for feature in json.loads(statistics)["features"]:
        numbers = feature.get("numerical_statistics", {})
        texts = feature.get("string_statistics", {})
        common = (numbers or texts)["common"]
        known = {"sum": numbers.get("sum"), "min": numbers.get("min"), "max": numbers.get("max")}
        told = {name: _float(value) for name, value in known.items()} | {"count": float(common["num_present"])}
        whole = {"nullCount": _float(common["num_missing"]), "distinctCount": _float(texts.get("distinct_count"))}
        found[feature["name"]] = {name: value for name, value in told.items() if isfinite(value)} | {
            name: int(value) for name, value in whole.items() if isfinite(value)
        }
    return found


def _silenced(constraints: Any) -> Callable[[str], bool]:
    """Whether ``emit_metrics`` of a constraints.json is off for a column."""
    common = MonitoringConfig.model_validate(constraints.get("monitoring_config", {}))
    own = {one["name"]: one.get("monitoring_config_overrides", {}) for one in constraints.get("features", ())}
    return lambda name: common.overridden(own.get(name, {})).emit_metrics == "Disabled"


def _model(statistics: Any) -> Iterator[tuple[str, Labels, Datum]]:
    for kind in (key for key in statistics if key.endswith("_metrics")):
        for name, metric in statistics[kind].items():
            value = _float(metric.get("value"))
            if isfinite(value):
                yield name, {}, {"Value": _bounded(value)}


def _bias(analysis: Any) -> Iterator[tuple[str, Labels, Datum]]:
    for key, stage in _STAGES.items():
        found = analysis.get(key, {})
        labelled = {
            "BiasStage": stage,
            "Label": found.get("label"),
            "LabelValue": found.get("label_value_or_threshold"),
        }
        for facet, groups in found.get("facets", {}).items():
            for group in groups:
                labels = {**labelled, "Facet": facet, "FacetValue": group["value_or_threshold"]}
                for metric in group["metrics"]:
                    value = _float(metric["value"])
                    if not isnan(value):
                        told = {name: str(one) for name, one in labels.items()}
                        yield f"bias_metric_{metric['name']}", told, {"Value": _bounded(value)}


def _attribution(analysis: Any) -> Iterator[tuple[str, Labels, Datum]]:
    for label, found in analysis["explanations"]["kernel_shap"].items():
        common = {"ExplainabilityMethod": "KernelShap", "Label": str(label)}
        expected = {"ExpectedValue": ("ExpectedValue", found.get("expected_value"))}
        shap = {f"feature_{name}": ("GlobalShapValues", value) for name, value in found["global_shap_values"].items()}
        for name, (kind, value) in {**shap, **expected}.items():
            if isfinite(_float(value)):
                yield name, {**common, "ValueType": kind}, {"Value": _bounded(float(value))}


def _float(value: Any) -> float:
    """A number of a file; null and the text NaN are undefined."""
    return nan if value is None else float(value)


def _bounded(value: float) -> float:
    return max(-LARGEST, min(LARGEST, value))


def _name(text: str) -> str:
    r"""A name as CloudWatch takes it: ASCII, at most 255 characters; other letters are written as Python escapes them.

    >>> _name("größe")
    'gr\\xf6\\xdfe'
    """
    return ascii(text)[1:-1][:255] or "-"
