"""How strictly SageMaker checks: monitoring_config of constraints.json, for all features and for one of them."""

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict

Switch = Literal["Enabled", "Disabled"]
Settings = Mapping[str, Any]
"""What is said of each setting, on one storey: all names of MonitoringConfig and of DistributionConstraints."""

_METHODS = {"linf_robust": "Robust", "linf_simple": "Simple"}
"""The documentation's other names of the two formulas."""
_SWITCHES = ("evaluate_constraints", "perform_comparison")
_FALLBACK = {"categorical_drift_method": "LInfinity"}
_DISTRIBUTION = "distribution_constraints"

Method = Annotated[Literal["Robust", "Simple"], BeforeValidator(lambda name: _METHODS.get(str(name), name))]


class DistributionConstraints(BaseModel):
    """How distributions are compared; the defaults are what every generated file says."""

    model_config = ConfigDict(frozen=True)

    perform_comparison: Switch = "Enabled"
    comparison_threshold: float = 0.1
    comparison_method: Method = "Robust"
    categorical_comparison_threshold: float | None = None
    """For categories; without it the common threshold counts."""
    categorical_drift_method: Literal["LInfinity", "ChiSquared"] | None = None


class MonitoringConfig(BaseModel):
    """SageMaker's monitoring_config; both thresholds of shares are ratios that must be reached."""

    model_config = ConfigDict(frozen=True)

    evaluate_constraints: Switch = "Enabled"
    emit_metrics: Switch = "Enabled"
    datatype_check_threshold: float = 1.0
    domain_content_threshold: float = 1.0
    distribution_constraints: DistributionConstraints = DistributionConstraints()

    def overridden(self, overrides: Mapping[str, Any]) -> "MonitoringConfig":
        """The configuration of a feature that overrides any part of the common one."""
        own = overrides.get(_DISTRIBUTION, {})
        distribution = {**self.distribution_constraints.model_dump(), **own} if isinstance(own, Mapping) else own
        return MonitoringConfig.model_validate({**self.model_dump(), **overrides, _DISTRIBUTION: distribution})


_DEFAULTS: dict[str, Any] = {
    **MonitoringConfig().model_dump(exclude={_DISTRIBUTION}),
    **DistributionConstraints().model_dump(),
}


def common_settings(features: Sequence[Settings]) -> dict[str, Any]:
    """What most features say of each setting, generated defaults for the rest; a switch is off where all are off."""
    said = {key: [settings[key] for settings in features if key in settings] for key in _DEFAULTS}
    common = {key: max(values, key=values.count) for key, values in said.items() if values}
    common |= {switch: "Enabled" for switch in _SWITCHES if "Enabled" in said[switch]}
    if "categorical_comparison_threshold" in common:
        common.setdefault("comparison_threshold", common["categorical_comparison_threshold"])
    return {**_DEFAULTS, **common}


def monitoring_config(common: Settings) -> dict[str, Any]:
    """The common settings as SageMaker's file has them; what only repeats a fallback is left out."""
    fallbacks = {"categorical_comparison_threshold": common["comparison_threshold"], **_FALLBACK}
    return _nested({key: value for key, value in common.items() if fallbacks.get(key) != value})


def overrides(feature: Settings, common: Settings) -> dict[str, Any]:
    """What one feature says differently from the common settings, as SageMaker's file has it."""
    fallbacks = {"categorical_comparison_threshold": common["comparison_threshold"], **_FALLBACK}
    effective = {key: fallbacks.get(key) if value is None else value for key, value in common.items()}
    return _nested({key: value for key, value in feature.items() if value != effective[key]})


def _nested(settings: Settings) -> dict[str, Any]:
    """Settings in the order and on the two storeys of SageMaker's file."""
    said = {key: settings[key] for key in _DEFAULTS if settings.get(key) is not None}
    inner = {key: value for key, value in said.items() if key in DistributionConstraints.model_fields}
    outer = {key: value for key, value in said.items() if key not in inner}
    return {**outer, _DISTRIBUTION: inner} if inner else outer
