"""SageMaker's constraints.json -> our constraints on data (contract data-quality.md, section 2)."""

from collections.abc import Iterator, Mapping
from typing import Any

from pydantic import AliasChoices, BaseModel, ConfigDict, Field, ValidationError

from monitor_tasks.baseline import Constraint
from monitor_tasks.sagemaker.monitoring_config import DistributionConstraints, MonitoringConfig
from monitor_tasks.sagemaker.words import CHI_SQUARED, NUMERIC, unreadable

_OVERRIDES = AliasChoices("monitoring_config_overrides", "monitoringConfigOverrides")
"""The SDK's spelling and the documentation's; old SDKs wrote it inside string_constraints."""


class _Numbers(BaseModel):
    is_non_negative: bool | None = None


class _Strings(BaseModel):
    domains: tuple[str, ...] | None = None
    overrides: Mapping[str, Any] = Field({}, validation_alias=_OVERRIDES)


class _Feature(BaseModel):
    model_config = ConfigDict(frozen=True)

    name: str
    inferred_type: str
    completeness: float | None = None
    num_constraints: _Numbers = _Numbers()
    string_constraints: _Strings = _Strings()
    overrides: Mapping[str, Any] = Field({}, validation_alias=_OVERRIDES)


class _File(BaseModel):
    features: tuple[_Feature, ...]
    monitoring_config: MonitoringConfig = MonitoringConfig()


def read_constraints(text: bytes, address: str) -> tuple[Constraint, ...]:
    """What a constraints.json asks, as our constraints: column by column, then the number of columns.

    Raises:
        UserError: the text at `address` is no constraints.json of data quality.
    """
    try:
        return tuple(_constraints(_File.model_validate_json(text)))
    except ValidationError as error:
        raise unreadable(address, "constraints.json of data quality", error) from error


def _constraints(file: _File) -> Iterator[Constraint]:
    config, count = file.monitoring_config, float(len(file.features))
    for feature in file.features:
        own = config.overridden({**feature.string_constraints.overrides, **feature.overrides})
        yield from _switched(own, [*_on_data(feature, own), *_on_drift(feature, own)])
    columns = {"metric": "column_count", "cause": "data"}
    missing = Constraint(check="missing_column_check", lower=count, **columns)
    yield from _switched(config, [missing, Constraint(check="extra_column_check", upper=count, **columns)])


def _switched(config: MonitoringConfig, constraints: list[Constraint]) -> Iterator[Constraint]:
    off = {"enabled": False} if config.evaluate_constraints == "Disabled" else {}
    return (constraint.model_copy(update=off) for constraint in constraints)


def _on_data(feature: _Feature, config: MonitoringConfig) -> Iterator[Constraint]:
    common: dict[str, Any] = {"subject": feature.name, "cause": "data"}
    kind, share = (feature.inferred_type,), config.datatype_check_threshold
    yield Constraint(check="data_type_check", metric="type_match", lower=share, expected=kind, **common)
    if feature.completeness is not None:
        yield Constraint(check="completeness_check", metric="completeness", lower=feature.completeness, **common)
    if (domains := feature.string_constraints.domains) is not None:
        known = {"metric": "domain_share", "expected": domains, **common}
        yield Constraint(check="categorical_values_check", lower=config.domain_content_threshold, **known)
    if (non_negative := feature.num_constraints.is_non_negative) is not None:
        lower = 0.0 if non_negative else None
        yield Constraint(check="non_negative_check", metric="minimum", lower=lower, enabled=False, **common)


def _on_drift(feature: _Feature, config: MonitoringConfig) -> Iterator[Constraint]:
    """Numbers and known categories are compared; a column of many texts has no distribution in SageMaker's files."""
    distribution = config.distribution_constraints
    known: dict[str, Any] = {
        "upper": distribution.comparison_threshold,
        "expected": (distribution.comparison_method,),
        "enabled": distribution.perform_comparison == "Enabled",
    }
    if feature.string_constraints.domains is not None:
        known |= _on_categories(distribution)
    elif feature.inferred_type not in NUMERIC:
        return
    yield Constraint(check="baseline_drift_check", metric="drift_linf", subject=feature.name, cause="world", **known)


def _on_categories(distribution: DistributionConstraints) -> dict[str, Any]:
    """What differs where categories are compared."""
    threshold = distribution.categorical_comparison_threshold
    differing: dict[str, Any] = {} if threshold is None else {"upper": threshold}
    if distribution.categorical_drift_method == CHI_SQUARED:
        reason = "ChiSquared is not computed: what SageMaker compares with the threshold is not documented"
        differing |= {"expected": (distribution.comparison_method, CHI_SQUARED), "enabled": False, "reason": reason}
    return differing
