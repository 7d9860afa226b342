"""Our constraints on data -> SageMaker's constraints.json (contract data-quality.md, section 2)."""

from collections.abc import Mapping, Sequence
from typing import Any

from monitor_tasks.baseline import Constraint
from monitor_tasks.sagemaker.monitoring_config import common_settings, monitoring_config, overrides
from monitor_tasks.sagemaker.text import jackson
from monitor_tasks.sagemaker.words import CHI_SQUARED, EVALUATED, NUMERIC

Checks = Mapping[str, Constraint]
"""The constraints of one column by their check."""


def constraints_json(constraints: Sequence[Constraint]) -> bytes:
    """The text of constraints.json: one feature per column, in the order of the type checks.

    SageMaker switches whole features: a check that is disabled alone is written with a threshold that nothing breaks.
    """
    columns = _by_column(constraints)
    settings = {name: _settings(checks) for name, checks in columns.items()}
    common = common_settings(list(settings.values()))
    features = [_feature(name, checks, overrides(settings[name], common)) for name, checks in columns.items()]
    return jackson({"version": 0.0, "features": features, "monitoring_config": monitoring_config(common)})


def _by_column(constraints: Sequence[Constraint]) -> dict[str, dict[str, Constraint]]:
    columns: dict[str, dict[str, Constraint]] = {}
    for constraint in sorted(constraints, key=lambda one: one.check != "data_type_check"):
        if constraint.subject:
            columns.setdefault(constraint.subject, {})[constraint.check] = constraint
    return columns


def _feature(name: str, checks: Checks, differences: Mapping[str, Any]) -> dict[str, Any]:
    kind = checks.get("data_type_check")
    feature: dict[str, Any] = {"name": name, "inferred_type": kind.expected[0] if kind else "Unknown"}
    if completeness := checks.get("completeness_check"):
        feature["completeness"] = _lower(completeness, _is_off(checks))
    if minimum := checks.get("non_negative_check"):
        feature["num_constraints"] = {"is_non_negative": minimum.lower is not None and minimum.lower >= 0.0}
    if domain := checks.get("categorical_values_check"):
        feature["string_constraints"] = {"domains": list(domain.expected)}
    if differences:
        feature["monitoring_config_overrides"] = differences
    return feature


def _is_off(checks: Checks) -> bool:
    """Whether nothing that SageMaker evaluates is enabled for the column."""
    return not any(one.enabled for check, one in checks.items() if check in EVALUATED)


def _lower(constraint: Constraint, kept: bool) -> float:
    return constraint.lower if constraint.lower is not None and (constraint.enabled or kept) else 0.0


def _settings(checks: Checks) -> dict[str, Any]:
    """What the column's constraints say of each setting of monitoring_config."""
    off = _is_off(checks)
    settings: dict[str, Any] = {"evaluate_constraints": "Disabled" if off else "Enabled"}
    if kind := checks.get("data_type_check"):
        settings["datatype_check_threshold"] = _lower(kind, off)
    if domain := checks.get("categorical_values_check"):
        settings["domain_content_threshold"] = _lower(domain, off)
    return settings | _distribution_settings(checks, off)


def _distribution_settings(checks: Checks, off: bool) -> dict[str, Any]:
    drift = checks.get("baseline_drift_check")
    if drift is None or drift.upper is None:
        return {"perform_comparison": "Disabled"} if _has_distribution(checks) and not off else {}
    unknown = off or CHI_SQUARED in drift.expected
    settings: dict[str, Any] = {} if unknown else {"perform_comparison": "Enabled" if drift.enabled else "Disabled"}
    settings["comparison_method"] = drift.expected[0] if drift.expected else "Robust"
    if "categorical_values_check" not in checks:
        return settings | {"comparison_threshold": drift.upper}
    method = CHI_SQUARED if CHI_SQUARED in drift.expected else "LInfinity"
    return settings | {"categorical_comparison_threshold": drift.upper, "categorical_drift_method": method}


def _has_distribution(checks: Checks) -> bool:
    kind = checks.get("data_type_check")
    return "categorical_values_check" in checks or (kind is not None and kind.expected[0] in NUMERIC)
