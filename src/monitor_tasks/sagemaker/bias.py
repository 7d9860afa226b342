"""Bias metrics, constraints, violations <-> Clarify's analysis.json, constraint_violations.json (contract bias.md)."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from math import isfinite
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError

from monitor_tasks.baseline import Constraint, Metric
from monitor_tasks.profiles.groups import parse_subject, subject_of
from monitor_tasks.report import Finding, State
from monitor_tasks.sagemaker.text import clarify, java_double
from monitor_tasks.sagemaker.words import unreadable

CHECK = "bias_drift_check"
VERSION = "1.0"
STAGES = ("post_training", "pre_training")


class _Entry(BaseModel):
    model_config = ConfigDict(frozen=True)

    name: str
    value: float | None = None


class _Group(BaseModel):
    value_or_threshold: str
    metrics: tuple[_Entry, ...]


class _Stage(BaseModel):
    facets: Mapping[str, tuple[_Group, ...]] = {}


class _Analysis(BaseModel):
    post_training_bias_metrics: _Stage = _Stage()
    pre_training_bias_metrics: _Stage = _Stage()


def analysis_json(statistics: Sequence[Metric]) -> bytes:
    """The text of analysis.json, also the constraints file: the bias monitor's statistics by stage and facet."""
    analysis: dict[str, Any] = {"version": VERSION}
    for stage in STAGES:
        metrics = [metric for metric in statistics if metric.details.get("stage") == stage]
        if metrics:
            analysis[f"{stage}_bias_metrics"] = _stage(metrics)
    return clarify(analysis)


def violations_json(findings: Iterable[Finding]) -> bytes | None:
    """The text of constraint_violations.json; None where nothing is broken, as Clarify then writes no file."""
    broken = [_violation(finding) for finding in findings if finding.state is State.BROKEN]
    return clarify({"version": VERSION, "violations": broken}) if broken else None


def read_constraints(text: bytes, address: str) -> tuple[Constraint, ...]:
    """What an analysis.json asks as a baseline: no metric farther from 0 than there; undefined ones ask nothing.

    Raises:
        UserError: the text at `address` is no analysis.json with bias metrics.
    """
    try:
        analysis = _Analysis.model_validate_json(text)
    except ValidationError as error:
        raise unreadable(address, "analysis.json of a bias analysis", error) from error
    return tuple(_constraints(analysis))


def _stage(metrics: Sequence[Metric]) -> dict[str, Any]:
    facets: dict[str, dict[str, list[Metric]]] = {}
    for metric in metrics:
        groups = facets.setdefault(str(metric.details["facet"]), {})
        groups.setdefault(str(metric.details["facet_value"]), []).append(metric)
    return {
        "label": metrics[0].details["label"],
        "facets": {
            facet: [{"value_or_threshold": value, "metrics": _entries(group)} for value, group in groups.items()]
            for facet, groups in facets.items()
        },
        "label_value_or_threshold": metrics[0].details["label_value"],
    }


def _entries(metrics: Iterable[Metric]) -> list[dict[str, Any]]:
    return [
        {"name": metric.name, "description": metric.details["description"], "value": metric.value}
        | ({"error": metric.because} if metric.value is None else {})
        for metric in sorted(metrics, key=lambda metric: metric.name)
    ]


def _violation(finding: Finding) -> dict[str, str]:
    constraint, metric = finding.constraint, finding.metric
    facet, value = parse_subject(constraint.subject)
    details = metric.details if metric else {}
    current = _number(metric.value) if metric and metric.value is not None else "null"
    baseline = ", ".join(_number(float(one)) for one in constraint.expected)
    return {
        "facet": str(details.get("facet", facet)),
        "facet_value": str(details.get("facet_value", value)),
        "metric_name": constraint.metric,
        "constraint_check_type": constraint.check,
        "description": f"Metric value {current} doesn't meet the baseline constraint requirement {baseline}",
    }


def _number(value: float) -> str:
    return repr(value) if isfinite(value) else java_double(value)


def _constraints(analysis: _Analysis) -> Iterator[Constraint]:
    for stage in (analysis.post_training_bias_metrics, analysis.pre_training_bias_metrics):
        for facet, groups in stage.facets.items():
            for group in groups:
                subject = subject_of(facet, group.value_or_threshold)
                yield from (_constraint(subject, one.name, one.value) for one in group.metrics if one.value is not None)


def _constraint(subject: str, name: str, value: float) -> Constraint:
    bound = abs(value)
    reason = f"analysis.json has {_number(value)}; farther from 0 is a violation"
    return Constraint(
        check=CHECK, metric=name, subject=subject, lower=-bound, upper=bound, expected=(repr(value),), reason=reason
    )
