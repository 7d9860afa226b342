"""What the service says of its schedules becomes an endpoint's YAML, whole, and what is lost is told."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import botocore.session
import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor_tasks.configuration import write_yaml
from monitor_tasks.dialects import Migration, Wanted, carried_over
from monitor_tasks.endpoint import Endpoint
from monitor_tasks.sagemaker.described import MONITOR_OF, Definition, read_answer
from monitor_tasks.sagemaker.surroundings import SILENT, because
from monitor_tasks.value import UserError
from tests.sagemaker.samples import sample

FOLDER = Path(__file__).parents[2] / "docs/examples/sagemaker"
FILES = {path.name: path.read_bytes() for path in sorted(FOLDER.glob("*.json"))}
MODEL = botocore.session.get_session().get_service_model("sagemaker")
ANSWERS = {
    "DescribeMonitoringSchedule": ("data-quality-schedule.json", "model-quality-schedule.json", "bias-schedule.json"),
    "DescribeDataQualityJobDefinition": ("data-quality.json",),
    "DescribeModelQualityJobDefinition": ("model-quality.json",),
    "DescribeModelBiasJobDefinition": ("bias.json",),
    "DescribeModelExplainabilityJobDefinition": (),
    "DescribeEndpointConfig": ("endpoint-config.json",),
    "ListTags": ("tags.json",),
}
EXPLAINED = {
    "MonitoringScheduleName": "loan-attribution",
    "MonitoringType": "ModelExplainability",
    "EndpointName": "loan-scoring",
    "MonitoringScheduleConfig": {
        "ScheduleConfig": {"ScheduleExpression": "cron(0 0/6 ? * * *)"},
        "MonitoringJobDefinitionName": "loan-attribution-1",
        "MonitoringType": "ModelExplainability",
    },
}


def changed(name: str, change: Callable[[Any], object]) -> dict[str, bytes]:
    """The example's files, one of them changed."""
    content = json.loads(FILES[name])
    change(content)
    return {**FILES, name: json.dumps(content).encode()}


def endpoint(found: Migration) -> Endpoint:
    """What is carried over, written and read again."""
    return Endpoint.parse(write_yaml(found.content, found.comments), "written")


def lost(found: Migration) -> list[str]:
    return [one.what for one in found.lost]


def strange(value: Any, shape: Any, path: str = "") -> Iterator[str]:
    """The keys of a value that the service's own model of the answer does not have."""
    if shape.type_name == "structure":
        for key, one in value.items():
            if key not in shape.members:
                yield path + key
            else:
                yield from strange(one, shape.members[key], f"{path}{key}.")
    elif shape.type_name == "list":
        for one in value:
            yield from strange(one, shape.member, path)


def example(shape: Any, depth: int = 0) -> Any:
    """A value with every key that the service's model of an answer has."""
    if shape.type_name == "structure":
        members = dict([*shape.members.items()][:1]) if shape.name == "MonitoringDatasetFormat" else shape.members
        return {key: example(one, depth + 1) for key, one in members.items() if depth < 9}
    plain = {"string": "1", "integer": 1, "long": 1, "float": 1.0, "double": 1.0, "boolean": True, "timestamp": "1"}
    if shape.type_name == "list":
        return [example(shape.member, depth + 1)]
    if shape.type_name == "map":
        return {"KEY": "1"}
    return shape.enum[0] if getattr(shape, "enum", None) else plain[shape.type_name]


@pytest.mark.parametrize(("operation", "name"), [(op, name) for op, names in ANSWERS.items() for name in names])
def test_the_examples_are_answers_as_the_services_own_model_has_them(operation: str, name: str) -> None:
    assert list(strange(json.loads(FILES[name]), MODEL.operation_model(operation).output_shape)) == []


@pytest.mark.parametrize("operation", [one for one in ANSWERS if "JobDefinition" in one or "Schedule" in one])
def test_every_key_that_the_service_knows_is_carried_over_or_has_a_reason(operation: str) -> None:
    whole = example(MODEL.operation_model(operation).output_shape)
    read = read_answer(json.dumps(whole).encode(), operation).content
    unread = [path for path, _ in read.unread() if not path.endswith(SILENT) or path.endswith("RoleArn")]
    assert unread
    assert [path for path in unread if because(path) == "nothing here reads it"] == []


def test_the_example_is_carried_over_whole() -> None:
    found = carried_over(FILES, Wanted())
    known = endpoint(found)
    assert (known.endpoint_name, known.root) == ("loan-scoring", "service/results/monitor-tasks")
    assert known.capture.address == "capture/loan-scoring/AllTraffic"
    assert known.capture.input_names[0] == "income"
    assert known.ground_truth
    assert (known.ground_truth.address, known.ground_truth.start_time_offset) == ("ground-truth", None)
    assert (known.schedule_expression, known.tags, known.emit.cloudwatch) == ("cron(0 * ? * * *)", ("team=risk",), True)
    quality, model, bias = known.configured().values()
    assert quality.baseline_statistics == "service/baseline/data_quality/statistics.json"
    assert (model.probability_attribute, model.problem_type) == ("_c0", "BinaryClassification")
    assert (bias.predicted_label, bias.probability_threshold, bias.facets[0].name) == ("_c0", 0.5, "age_group")
    assert bias.label == "default"
    assert [one.monitoring_schedule_name for one in (quality, model, bias)] == [
        *("loan-data-quality", "loan-model-quality", "loan-bias")
    ]
    assert not known.retraining.enabled
    assert lost(found) == [
        "InitialSamplingPercentage = 100", "DataCaptureConfig.KmsKeyId", "ScheduleExpression = cron(0 0 ? * * *)",
        "methods.report", "Environment.TEAM_CALENDAR", "JobResources", "NetworkConfig",
        "RoleArn = arn:aws:iam::111122223333:role/monitoring", "StoppingCondition", "KmsKeyId = alias/monitoring",
    ]  # fmt: skip
    assert "retail" not in json.dumps(found)


@given(st.permutations(list(FILES)))
def test_the_order_of_the_files_does_not_matter(names: list[str]) -> None:
    found, usual = (carried_over({name: FILES[name] for name in order}, Wanted()) for order in (names, list(FILES)))
    assert (found.content, found.comments, sorted(lost(found))) == (usual.content, usual.comments, sorted(lost(usual)))


@pytest.mark.parametrize("kept", ["data-quality", "model-quality", "bias"])
def test_any_one_monitor_is_enough(kept: str) -> None:
    files = {name: text for name, text in FILES.items() if name.startswith((kept, "endpoint"))}
    (name,) = endpoint(carried_over(files, Wanted())).configured()
    assert name == kept.replace("-", "_")


def test_a_definition_that_stands_in_its_schedule_is_the_same() -> None:
    apart = {name: text for name, text in FILES.items() if name.startswith(("data-quality", "endpoint"))}
    definition, schedule = (json.loads(apart.pop(f"data-quality{end}.json")) for end in ("", "-schedule"))
    application = definition["DataQualityAppSpecification"]
    schedule["MonitoringScheduleConfig"] = {
        "ScheduleConfig": {"ScheduleExpression": "cron(0 * ? * * *)"},
        "MonitoringJobDefinition": {
            "BaselineConfig": definition["DataQualityBaselineConfig"],
            "MonitoringInputs": [definition["DataQualityJobInput"]],
            "MonitoringOutputConfig": definition["DataQualityJobOutputConfig"],
            "MonitoringResources": definition["JobResources"],
            "MonitoringAppSpecification": {"ImageUri": application["ImageUri"]},
            "Environment": application["Environment"],
            "RoleArn": definition["RoleArn"],
        },
    }
    inline = carried_over({**apart, "inline.json": json.dumps(schedule).encode()}, Wanted())
    own = carried_over({name: FILES[name] for name in FILES if name.startswith(("data-q", "endpoint"))}, Wanted())
    assert inline.content == own.content
    assert any(one.endswith("RoleArn = arn:aws:iam::111122223333:role/monitoring") for one in lost(inline))


def test_hooks_offsets_several_variants_and_names_of_outputs() -> None:
    def hooked(content: Any) -> None:
        rows = content["ModelQualityJobInput"]["EndpointInput"]
        rows |= {"StartTimeOffset": "-P8D", "EndTimeOffset": "-P1D"}
        script = {"RecordPreprocessorSourceUri": "s3://b/pre.py", "PostAnalyticsProcessorSourceUri": "s3://b/post.py"}
        content["ModelQualityAppSpecification"] |= script

    files = changed("model-quality.json", hooked)
    shadow = [{"VariantName": "Shadow", "ModelName": "next"}]
    files["endpoint-config.json"] = changed(
        "endpoint-config.json", lambda content: content.update(ShadowProductionVariants=shadow)
    )["endpoint-config.json"]
    found = carried_over(files, Wanted("s3://b/new", "loans", ("score",)))
    known = endpoint(found)
    truth = known.ground_truth
    assert truth
    assert (truth.start_time_offset, truth.end_time_offset, truth.label_horizon) == ("-P8D", "-P1D", "P1D")
    (told,) = [one for one in found.lost if one.what.startswith("StartTimeOffset")]
    assert (told.what, told.where) == ("StartTimeOffset = None, EndTimeOffset = None", ("bias.json",))
    assert (known.capture.layout, known.capture.address) == ("variants", "capture/loan-scoring")
    assert known.capture.record_preprocessor_script == "s3://b/pre.py"
    assert known.emit.post_analytics_processor_script == "s3://b/post.py"
    assert (known.root, known.endpoint_name, known.capture.output_names) == ("s3://b/new", "loans", ("score",))
    assert known.configured()["bias"].predicted_label == "score"


def test_batch_transforms_have_their_format_and_a_name() -> None:
    rows = {"DataCapturedDestinationS3Uri": "s3://b/batch/", "DatasetFormat": {"Csv": {"Header": True}},
            "InferenceAttribute": "predicted"}  # fmt: skip
    files = changed("model-quality.json", lambda content: content["ModelQualityJobInput"].update(
        EndpointInput=None, BatchTransformInput=rows))  # fmt: skip
    known = endpoint(carried_over({name: files[name] for name in files if name.startswith("model-q")}, Wanted()))
    assert known.endpoint_name == "loan-model-quality"
    assert known.capture.dataset_format
    assert (known.capture.address, known.capture.dataset_format.reading) == ("s3://b/batch", ("csv", True))
    assert known.configured()["model_quality"].inference_attribute == "predicted"


def test_paths_into_json_become_columns_and_attribution_asks_the_endpoint() -> None:
    definition = json.loads(FILES["data-quality.json"].replace(b"DataQuality", b"ModelExplainability"))
    definition |= {"JobDefinitionName": "loan-attribution-1"}
    definition["ModelExplainabilityAppSpecification"] = {
        "ImageUri": "1.dkr.ecr.eu-west-1.amazonaws.com/sagemaker-clarify-processing:1.0", "ConfigUri": "s3://b/c.json",
    }  # fmt: skip
    definition["ModelExplainabilityBaselineConfig"] = {"ConstraintsResource": {"S3Uri": "s3://b/analysis.json"}}
    rows = definition["ModelExplainabilityJobInput"]["EndpointInput"]
    rows |= {"FeaturesAttribute": "instances[*].features", "InferenceAttribute": "predictions[*].score"}
    texts = {"d.json": definition, "s.json": EXPLAINED}
    files = {name: json.dumps(one).encode() for name, one in texts.items()}
    config = json.loads(sample("adult/attribution_analysis_config.json"))
    config["methods"]["pdp"] = {"features": ["Age", 4], "grid_resolution": 20}
    files |= {"c.json": json.dumps(config).encode(), "e.json": FILES["endpoint-config.json"]}
    found = carried_over(files, Wanted())
    known = endpoint(found)
    settings, model = known.configured()["attribution"], known.model
    assert model
    assert (model.address, model.version) == ("sagemaker://loan-scoring", "loan-scoring-2025-10")
    assert model.features == known.capture.input_names
    assert (len(model.features), model.features[-1]) == (14, "Country")
    assert (known.capture.features_attribute, known.capture.split_rows) == ("instances[*].features", True)
    assert (settings.num_samples, settings.agg_method, settings.explainer) == (100, "mean_abs", "kernel")
    assert settings.baseline[0][:3] == (39, 2, 184870)
    assert (settings.predictor.probability, settings.predictor.content_type) == (
        *("predictions[*].score", "application/json"),
    )
    assert settings.partial_dependence
    assert settings.partial_dependence.features == ("Age", "Education-Num")
    assert (settings.partial_dependence.grid_resolution, settings.partial_dependence.top_k_features) == (20, 10)
    assert not [one for one in lost(found) if "pdp" in one]
    assert known.schedule.hours == (0, 6, 12, 18)
    assert {"predictor.content_template", "InferenceAttribute = predictions[*].score"} <= {*lost(found)}


def test_where_labels_lie_in_json_is_carried_over() -> None:
    for path, attribute in (("instances[*].outcome", "instances[*].outcome"), ("instances[*].label", "label")):
        found = endpoint(carried_over(changed("bias-analysis_config.json", said(path, "label")), Wanted()))
        assert found.ground_truth
        assert found.ground_truth.label_attribute == attribute


def test_a_schedule_that_runs_once_and_a_baseline_without_an_address() -> None:
    files = {name: text for name, text in FILES.items() if name.startswith(("data-quality", "endpoint"))}
    once = {"ScheduleExpression": "NOW", "DataAnalysisStartTime": "-PT3H", "DataAnalysisEndTime": "-PT1H"}
    files |= {
        name: changed(name, change)[name]
        for name, change in {
            "data-quality-schedule.json": said(once, "MonitoringScheduleConfig", "ScheduleConfig"),
            "data-quality.json": said({"BaseliningJobName": "first"}, "DataQualityBaselineConfig"),
            "endpoint-config.json": said([{"CaptureMode": "Output"}], "DataCaptureConfig", "CaptureOptions"),
        }.items()
    }
    found = carried_over(files, Wanted())
    known = endpoint(found)
    assert (known.schedule_expression, known.data_analysis_start_time, known.data_analysis_end_time) == (
        *("NOW", "-PT3H", "-PT1H"),
    )
    assert known.capture.capture_options == ("Output",)
    assert known.configured()["data_quality"].baseline_constraints is None
    assert "BaseliningJobName = first" in lost(found)


def test_what_stopped_or_shifted_is_told_and_variables_in_their_order() -> None:
    def shifted(content: Any) -> None:
        content["MonitoringScheduleStatus"] = "Stopped"
        content["MonitoringScheduleConfig"]["ScheduleConfig"] |= {"DataAnalysisStartTime": "-PT3H"}

    files = changed("data-quality-schedule.json", shifted)
    many = {f"KEY_{number}": "secret" for number in (3, 1, 2)}
    files |= changed("data-quality.json", said(many, "DataQualityAppSpecification", "Environment"))
    files |= {
        "data-quality-schedule.json": changed("data-quality-schedule.json", shifted)["data-quality-schedule.json"]
    }
    told = lost(carried_over(files, Wanted()))
    assert {"MonitoringScheduleStatus = Stopped", "DataAnalysisStartTime, DataAnalysisEndTime"} <= {*told}
    assert [one for one in told if "KEY" in one] == [f"Environment.KEY_{number}" for number in (1, 2, 3)]


def test_without_its_configuration_a_monitor_is_lost_and_told() -> None:
    files = {name: text for name, text in FILES.items() if "analysis_config" not in name}
    found = carried_over(files, Wanted())
    assert list(endpoint(found).configured()) == ["data_quality", "model_quality"]
    (told,) = [one for one in found.lost if one.what == "monitors.bias"]
    assert told.because == "its configuration is not among the files: add service/bias/analysis_config.json"
    with pytest.raises(UserError, match=r"^no monitor can be carried over: bias\.json: monitors\.bias: its"):
        carried_over({name: files[name] for name in files if name.startswith(("bias", "endpoint"))}, Wanted())


def test_what_somebody_else_wrote_begins_no_line_of_its_own() -> None:
    files = changed("endpoint-config.json", lambda content: content["DataCaptureConfig"].update(
        DestinationS3Uri="s3://b/capture\nowner: mallory"))  # fmt: skip
    known = endpoint(carried_over(files, Wanted()))
    assert (known.owner, known.capture.address.partition("\n")[2]) == ("", "owner: mallory/loan-scoring/AllTraffic")
    assert write_yaml({"a": 1}, {"a": "x\nowner: mallory"}, ["y\nb: 2"]) == "# y b: 2\na: 1  # x owner: mallory\n"


def gone(*path: str) -> Callable[[Any], object]:
    """Takes a key away."""

    def change(content: Any) -> None:
        for key in path[:-1]:
            content = content[key]
        del content[path[-1]]

    return change


def said(value: Any, *path: str) -> Callable[[Any], object]:
    """Writes another value."""

    def change(content: Any) -> None:
        for key in path[:-1]:
            content = content[key]
        content[path[-1]] = value

    return change


WHEN = ("MonitoringScheduleConfig", "ScheduleConfig", "ScheduleExpression")


@pytest.mark.parametrize(
    ("files", "error"),
    [
        ({"a.json": b'{"violations": []}'}, "a.json: is no answer that is carried over (it has violations); name what"),
        ({"a.json": b"[1]"}, "a.json: is no answer that is carried over (it has no keys)"),
        ({"a.json": FILES["bias.json"][:12]}, "a.json:2: not JSON, or cut off"),
        ({"a.json": b"\xff{"}, "a.json:1: not JSON, or cut off"),
        ({}, "no file says what is monitored"),
        ({"endpoint-config.json": FILES["endpoint-config.json"]}, "no file says what is monitored"),
        ({"data-quality.json": FILES["data-quality.json"]}, "nothing says where loan-scoring captures to; add what"),
        (
            {name: FILES[name] for name in ("data-quality-schedule.json", "endpoint-config.json")},
            "data-quality-schedule.json: its definition 'loan-data-quality-1' is not among the files; add what "
            "`aws sagemaker describe-data-quality-job-definition --job-definition-name loan-data-quality-1` answers",
        ),
        ({**FILES, "again.json": FILES["bias-schedule.json"]}, "bias.json and bias.json are all of bias; name one"),
        (
            {**FILES, "2.json": FILES["bias.json"]},
            "bias.json and 2.json are all of the definition loan-bias-1; name one",
        ),
        (
            {**FILES, "2.json": FILES["endpoint-config.json"]},
            "endpoint-config.json and 2.json are all of the",
        ),
        (
            changed("bias.json", said("other", "ModelBiasJobInput", "EndpointInput", "EndpointName")),
            "the files are of several endpoints: loan-scoring (model-quality.json), other (bias.json); carry over one",
        ),
        (
            changed("data-quality.json", said("1.dkr.ecr.x/mine:1", "DataQualityAppSpecification", "ImageUri")),
            "data-quality.json: ImageUri: 1.dkr.ecr.x/mine:1 is not SageMaker's own sagemaker-model-monitor-analyzer",
        ),
        (
            changed("bias-schedule.json", said("cron(0 9 ? * MON *)", *WHEN)),
            "bias.json: ScheduleExpression: 'cron(0 9 ? * MON *)' is not a schedule: write cron(0 * ? * * *)",
        ),
        (
            changed("model-quality.json", said("a day", "ModelQualityJobInput", "EndpointInput", "StartTimeOffset")),
            "model-quality.json: StartTimeOffset, EndTimeOffset: 'a day' is not a duration",
        ),
        (
            changed("endpoint-config.json", gone("DataCaptureConfig")),
            "endpoint-config.json: DataCaptureConfig: the endpoint captures nothing",
        ),
        (
            changed("data-quality.json", gone("DataQualityAppSpecification", "ImageUri")),
            "data-quality.json: DataQualityAppSpecification.ImageUri: Field required",
        ),
        (
            changed("data-quality.json", gone("DataQualityJobInput", "EndpointInput")),
            "data-quality.json: reads neither an endpoint nor batch transforms",
        ),
        (
            changed(
                "bias.json",
                said(
                    {"DataCapturedDestinationS3Uri": "b", "DatasetFormat": {}},
                    "ModelBiasJobInput",
                    "BatchTransformInput",
                ),
            ),
            "bias.json: ModelBiasJobInput.BatchTransformInput.DatasetFormat: Dictionary should have at least 1 item",
        ),
        (
            changed("bias-analysis_config.json", gone("facet")),
            "bias-analysis_config.json: facet: names no group to compare",
        ),
        (
            changed("bias-analysis_config.json", said([{"name_or_index": 40}], "facet")),
            "bias-analysis_config.json: column 40 has no name: add the names of all columns as headers",
        ),
    ],
)
def test_what_is_wrong_is_one_clear_error(files: dict[str, bytes], error: str) -> None:
    with pytest.raises(UserError) as raised:
        carried_over(files, Wanted())
    assert str(raised.value).startswith(error)


def test_every_kind_of_definition_is_recognised() -> None:
    for kind, monitor in MONITOR_OF.items():
        whole = example(MODEL.operation_model(f"Describe{kind}JobDefinition").output_shape)
        read = read_answer(json.dumps(whole).encode(), "whole").content
        assert isinstance(read, Definition)
        assert MONITOR_OF[read.kind] == monitor
