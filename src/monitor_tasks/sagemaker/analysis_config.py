"""Clarify's analysis_config.json (contracts bias.md, section 3, and attribution.md, section 1)."""

from typing import Any

from pydantic import ConfigDict

from monitor_tasks.sagemaker.part import Part


class _Own(Part):
    """Keys as they are written."""

    model_config = ConfigDict(alias_generator=None)


class Facet(_Own):
    """A group whose outcomes Clarify compares."""

    name_or_index: str | int
    value_or_threshold: tuple[float | str, ...] = ()


class Predictor(_Own):
    """How Clarify asks the model."""

    content_type: str | None = None
    accept_type: str | None = None
    probability: str | None = None
    label: str | int | None = None
    label_headers: tuple[str, ...] = ()


class Shap(_Own):
    """How Clarify explains it."""

    baseline: Any = None
    num_clusters: int | None = None
    num_samples: int | None = None
    agg_method: str | None = None
    use_logit: bool | None = None
    save_local_shap_values: bool | None = None
    seed: int | None = None


class PartialDependence(_Own):
    """How Clarify shows what answers change with."""

    features: tuple[str | int, ...] = ()
    grid_resolution: int | None = None
    top_k_features: int | None = None


class Methods(_Own):
    """What Clarify computes."""

    shap: Shap | None = None
    pdp: PartialDependence | None = None


class AnalysisConfig(_Own):
    """Clarify's analysis_config.json, of bias or of attribution."""

    headers: tuple[str, ...] = ()
    features: str | None = None
    label: str | int | None = None
    predicted_label: str | int | None = None
    label_values_or_threshold: tuple[float | str, ...] = ()
    facet: tuple[Facet, ...] = ()
    group_variable: str | int | None = None
    probability_threshold: float | None = None
    excluded_columns: tuple[str | int, ...] = ()
    predictor: Predictor = Predictor()
    methods: Methods = Methods()

    @property
    def monitor(self) -> str:
        """The monitor that it configures: one that explains has SHAP's settings."""
        return "attribution" if self.methods.shap is not None else "bias"
