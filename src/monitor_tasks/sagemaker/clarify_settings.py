"""Clarify's analysis_config.json -> the settings of bias and of attribution."""

from collections.abc import Mapping, Sequence
from typing import Any

from monitor_tasks.sagemaker.analysis_config import AnalysisConfig, PartialDependence
from monitor_tasks.sagemaker.draft import Draft, Rows
from monitor_tasks.value import UserError

REASONS = {
    "methods.pre_training_bias": "all metrics are computed",
    "methods.post_training_bias": "all metrics are computed",
    "methods.report": "report.html is written in any case",
    "predictor.model_name": "the endpoint itself is asked, no copy of it; its answers are captured, too, as all are",
    "predictor.instance_type": "no copy of the endpoint is started",
    "predictor.initial_instance_count": "no copy of the endpoint is started",
    "predictor.content_template": "rows are sent in one of the usual forms, by content_type",
    "predictor.record_template": "rows are sent in one of the usual forms, by content_type",
}
"""Why a key of the file is not carried over."""
ALL = {"methods": "all"}
"""What a stage of bias says where nothing is left out."""
SILENT = ("version", "dataset_type", "dataset_uri")
"""What the file says of itself and of the data set that the baseline was made from."""


def feature_names(config: AnalysisConfig) -> tuple[str, ...]:
    """The names of the captured input's cells: the headers without label and predicted label.

    In JSON, where these are paths, they stand last.

    >>> feature_names(AnalysisConfig(headers=("y", "age", "sex"), label="y"))
    ('age', 'sex')
    >>> feature_names(AnalysisConfig(headers=("age", "sex", "y"), label="instances[*].label"))
    ('age', 'sex')
    """
    names, paths = list(config.headers), 0
    for known in (config.label, config.predicted_label):
        if known is None:
            continue
        name = _header(known, config.headers)
        if name in names:
            names.remove(name)
        else:
            paths += 1
    return tuple(names[: len(names) - paths])


def bias_settings(config: AnalysisConfig, rows: Rows, draft: Draft, source: str) -> dict[str, Any]:
    """The section of bias; the rest of what it needs stands in the definition's input.

    Raises:
        UserError: it compares no groups, or a facet is a number that no header names.
    """
    if not config.facet:
        raise UserError(f"{source}: facet: names no group to compare; add it")
    label = str(_named(config.label, config, source)) if isinstance(config.label, int) else config.label
    is_probability = rows.inference_attribute is None
    predicted = draft.output(rows.inference_attribute or rows.probability_attribute, rows)
    threshold = rows.probability_threshold_attribute
    known = config.probability_threshold if threshold is None else threshold
    facets = [
        {"name": _named(one.name_or_index, config, source), "value_or_threshold": list(one.value_or_threshold)}
        for one in config.facet
    ]
    return _said(
        label=_label(label, config, (predicted, *draft.capture.get("output_attributes", ()))),
        label_values_or_threshold=list(config.label_values_or_threshold),
        predicted_label=predicted,
        probability_threshold=(0.5 if known is None else known) if is_probability else None,
        facets=facets,
        group_variable=_named(config.group_variable, config, source),
        excluded_columns=_excluded(config, rows, source),
    )


def attribution_settings(config: AnalysisConfig, features: Sequence[str], draft: Draft, source: str) -> dict[str, Any]:
    """The section of attribution: how the model is explained and asked."""
    shap, asked = config.methods.shap, config.predictor
    said = shap.model_dump(exclude={"baseline"}, exclude_none=True) if shap else {}
    probability = asked.probability or (asked.label if isinstance(asked.label, str) else None)
    predictor = _said(
        label_headers=list(asked.label_headers),
        content_type=asked.content_type,
        accept_type=asked.accept_type,
        probability=probability,
    )
    extras = shap.model_extra or {} if shap else {}
    known = {key: value for key, value in said.items() if key not in extras}
    baseline = _background(shap.baseline if shap else None)
    if isinstance(baseline, list) and any(len(row) != len(features) for row in baseline):
        draft.lose(source, "methods.shap.baseline", f"its rows do not have the {len(features)} features; a summary is")
        baseline = None
    said = _said(baseline=baseline, **known, predictor=predictor)
    partial = config.methods.pdp
    return said if partial is None else said | {"partial_dependence": _partial_dependence(partial, config, source)}


def _partial_dependence(asked: PartialDependence, config: AnalysisConfig, source: str) -> dict[str, Any]:
    """What answers are shown to change with; empty where nothing but that is said."""
    return _said(
        features=[_named(one, config, source) for one in asked.features],
        grid_resolution=asked.grid_resolution,
        top_k_features=asked.top_k_features,
    )


def _background(given: Any) -> Any:
    """The rows that SHAP values are relative to, out of the form that the model takes; or their address."""
    if isinstance(given, Mapping):
        given = given.get("instances", [given])
    if not isinstance(given, list):
        return given
    return [one.get("features", []) if isinstance(one, Mapping) else one for one in given]


def _excluded(config: AnalysisConfig, rows: Rows, source: str) -> list[Any]:
    """The columns that are no features, by name; of the definition they are columns of the input."""
    names, features = [_named(one, config, source) for one in config.excluded_columns], feature_names(config)
    for one in filter(None, (rows.exclude_features_attribute or "").split(",")):
        place = one.strip()
        is_place = place.isdecimal() and int(place) < len(features)
        names.append(features[int(place)] if is_place else place)
    return names


def _label(label: str | None, config: AnalysisConfig, taken: Sequence[str]) -> str | None:
    """What the merged label is called: its header, or the end of its path; no captured column has that name."""
    if label is None:
        return None
    name = label if label in config.headers else label.rpartition(".")[2]
    return f"ground_truth_{name}" if name in taken else name


def _header(known: str | int, headers: Sequence[str]) -> str:
    return headers[known] if isinstance(known, int) and known < len(headers) else str(known)


def _named(known: str | int | None, config: AnalysisConfig, source: str) -> str | None:
    if isinstance(known, int) and known >= len(config.headers):
        raise UserError(f"{source}: column {known} has no name: add the names of all columns as headers")
    return None if known is None else _header(known, config.headers)


def _said(**known: Any) -> dict[str, Any]:
    """What is said at all."""
    return {key: value for key, value in known.items() if value not in (None, [], (), {}, "")}
