"""What the service answers when it is asked to describe itself, read from JSON; nothing it says is passed over.

``describe-monitoring-schedule``, the four ``describe-…-job-definition``, ``describe-endpoint-config``, ``list-tags``,
and the ``analysis_config.json`` that a definition of Clarify's names. Each is recognised by its keys.
"""

import json
from collections.abc import Mapping
from typing import Any, Literal, NamedTuple

from pydantic import Field, ValidationError

from monitor_tasks.sagemaker.analysis_config import AnalysisConfig
from monitor_tasks.sagemaker.part import Part
from monitor_tasks.value import UserError

Kind = Literal["DataQuality", "ModelQuality", "ModelBias", "ModelExplainability"]
MONITOR_OF: Mapping[Kind, str] = {
    "DataQuality": "data_quality",
    "ModelQuality": "model_quality",
    "ModelBias": "bias",
    "ModelExplainability": "attribution",
}
"""What the service's types of monitoring are called here."""


class Address(Part):
    """Where something lies."""

    s3_uri: str


class Baseline(Part):
    """What a definition compares with."""

    baselining_job_name: str | None = None
    constraints_resource: Address | None = None
    statistics_resource: Address | None = None


class Application(Part):
    """The container of a definition, and its scripts."""

    image_uri: str
    config_uri: str | None = None
    problem_type: str | None = None
    record_preprocessor_source_uri: str | None = None
    post_analytics_processor_source_uri: str | None = None
    environment: dict[str, str] | None = None


class Rows(Part):
    """Which captured rows a definition reads, and where in them it finds what."""

    inference_attribute: str | None = None
    probability_attribute: str | None = None
    probability_threshold_attribute: float | None = None
    features_attribute: str | None = None
    exclude_features_attribute: str | None = None
    start_time_offset: str | None = None
    end_time_offset: str | None = None


class EndpointRows(Rows):
    """Those of an endpoint."""

    endpoint_name: str


class BatchRows(Rows):
    """Those of batch transforms."""

    data_captured_destination_s3_uri: str
    dataset_format: dict[Literal["Csv", "Json", "Parquet"], dict[str, bool]] = Field(min_length=1, max_length=1)


class Input(Part):
    """What a definition reads."""

    endpoint_input: EndpointRows | None = None
    batch_transform_input: BatchRows | None = None
    ground_truth_s3_input: Address | None = None

    @property
    def rows(self) -> EndpointRows | BatchRows | None:
        """The captured rows, of either kind."""
        return self.endpoint_input or self.batch_transform_input


class Output(Part):
    """Where a definition writes."""

    s3_output: Address


class Outputs(Part):
    """All places where a definition writes."""

    monitoring_outputs: tuple[Output, ...] = Field(min_length=1)


class Definition(Part):
    """A definition of any kind, under the names that all of them share."""

    kind: Kind
    name: str = ""
    app: Application
    input: Input
    output: Outputs
    baseline: Baseline | None = None


class When(Part):
    """When a schedule runs."""

    schedule_expression: str | None = None
    data_analysis_start_time: str | None = None
    data_analysis_end_time: str | None = None


class Inline(Part):
    """A definition that stands in its schedule, as the first schedules had it."""

    baseline_config: Baseline | None = None
    monitoring_inputs: tuple[Input, ...] = Field(min_length=1)
    monitoring_output_config: Outputs
    monitoring_app_specification: Application
    environment: dict[str, str] | None = None

    def definition(self, kind: Kind) -> Definition:
        """The same as a definition of its own, with all that was not read."""
        app = self.monitoring_app_specification
        return Definition.model_construct(
            kind=kind, name="", app=app.model_copy(update={"environment": self.environment or app.environment}),
            input=self.monitoring_inputs[0], output=self.monitoring_output_config, baseline=self.baseline_config,
        )  # fmt: skip


class Planned(Part):
    """What a schedule runs: a definition by its name, or one that stands here."""

    schedule_config: When = When()
    monitoring_job_definition: Inline | None = None
    monitoring_job_definition_name: str | None = None
    monitoring_type: Kind = "DataQuality"


class Schedule(Part):
    """A monitoring schedule."""

    monitoring_schedule_name: str
    monitoring_schedule_status: str = ""
    endpoint_name: str | None = None
    monitoring_schedule_config: Planned


class Option(Part):
    """A side of a call that is captured."""

    capture_mode: Literal["Input", "Output", "InputAndOutput"]


class Capturing(Part):
    """What an endpoint captures."""

    enable_capture: bool = True
    initial_sampling_percentage: int = 100
    destination_s3_uri: str
    capture_options: tuple[Option, ...] = ()


class Variant(Part):
    """A model behind an endpoint."""

    variant_name: str
    model_name: str | None = None


class EndpointConfig(Part):
    """What an endpoint is made of."""

    endpoint_config_name: str
    production_variants: tuple[Variant, ...] = Field(min_length=1)
    shadow_production_variants: tuple[Variant, ...] = ()
    data_capture_config: Capturing | None = None


class Tag(Part):
    """A tag."""

    key: str
    value: str


class Tags(Part):
    """What ``list-tags`` answers."""

    tags: tuple[Tag, ...]


class Answer(NamedTuple):
    """One file, and what it holds."""

    source: str
    content: Schedule | Definition | EndpointConfig | Tags | AnalysisConfig


def read_answer(text: bytes, source: str) -> Answer:
    """What one file holds.

    Raises:
        UserError: it is not JSON, cut off, of another kind, or a key is missing or wrong.
    """
    try:
        known = json.loads(text)
    except ValueError as error:
        line = getattr(error, "lineno", 1)
        raise UserError(f"{source}:{line}: not JSON, or cut off: {error}; save the whole answer again") from error
    keys = set(known) if isinstance(known, dict) else set[str]()
    try:
        return Answer(source, _content(known, keys, source))
    except ValidationError as error:
        first = error.errors()[0]
        part, *below = map(str, first["loc"])
        called = f"{_kind(keys)}{_SHARED[part]}" if _kind(keys) and part in _SHARED else part
        key = ".".join((called, *below))
        raise UserError(f"{source}: {key}: {first['msg']}; save the whole answer again") from error


def _content(known: dict[str, Any], keys: set[str], source: str) -> Any:
    if kind := _kind(keys):
        return _definition(known, kind)
    for marks, model in _MARKS:
        if keys & marks:
            return model.model_validate({key: value for key, value in known.items() if key != "ResponseMetadata"})
    raise UserError(
        f"{source}: is no answer that is carried over (it has {', '.join(sorted(keys)[:4]) or 'no keys'}); name what "
        "describe-monitoring-schedule, describe-…-job-definition, describe-endpoint-config or list-tags answered, or "
        "an analysis_config.json"
    )


_MARKS: tuple[tuple[frozenset[str], type[Part]], ...] = (
    (frozenset({"MonitoringScheduleConfig"}), Schedule),
    (frozenset({"ProductionVariants", "EndpointConfigName"}), EndpointConfig),
    (frozenset({"Tags"}), Tags),
    (frozenset({"facet", "methods", "predictor", "label_values_or_threshold"}), AnalysisConfig),
)
"""By which keys an answer is recognised."""


_SHARED = {"App": "AppSpecification", "Input": "JobInput", "Output": "JobOutputConfig", "Baseline": "BaselineConfig"}
"""How the service calls the parts that all kinds of definitions have, after the kind."""


def _definition(known: dict[str, Any], kind: Kind) -> Definition:
    """A definition of any kind under the names that all share; the others stay what they are."""
    shared = {f"{kind}{theirs}": ours for ours, theirs in _SHARED.items()} | {"JobDefinitionName": "Name"}
    said = {shared.get(key, key): value for key, value in known.items() if key != "ResponseMetadata"}
    return Definition.model_validate({**said, "Kind": kind})


def _kind(keys: set[str]) -> Kind | None:
    """Which kind of definition has these keys; None where it is none."""
    return next((kind for kind in MONITOR_OF if keys & {f"{kind}JobInput", f"{kind}AppSpecification"}), None)
