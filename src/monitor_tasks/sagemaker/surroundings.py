"""What stands around the monitors: captured rows, labels, schedule, what goes out; and what nothing is made of."""

from typing import Any

from monitor_tasks.sagemaker import clarify_settings
from monitor_tasks.sagemaker.analysis_config import AnalysisConfig
from monitor_tasks.sagemaker.clarify_settings import feature_names
from monitor_tasks.sagemaker.described import BatchRows, Capturing
from monitor_tasks.sagemaker.draft import Draft
from monitor_tasks.sagemaker.planned import Plan, Planned
from monitor_tasks.value import UserError
from monitor_tasks.window import format_duration, parse_duration

REASONS = clarify_settings.REASONS | {
    "RoleArn": "the connection in aws_conn_id has the rights; docs/storage.md names the least",
    "NetworkConfig": "tasks run where Airflow's workers do: put those into the network",
    "JobResources": "tasks run on Airflow's workers, and need no instance of their own",
    "MonitoringResources": "tasks run on Airflow's workers, and need no instance of their own",
    "StoppingCondition": "a task's time is limited in Airflow",
    "KmsKeyId": "objects are written under their bucket's default key: set it there",
    "ContainerEntrypoint": "there is no container",
    "ContainerArguments": "there is no container",
    "FailureReason": "it is told of the past",
}
"""Why a key is not carried over: by its end."""
SILENT = (
    *("CreationTime", "LastModifiedTime", "Arn", "LocalPath", "S3InputMode", "S3DataDistributionType", "S3UploadMode"),
    *("LastMonitoringExecutionSummary", "MonitoringType", "CaptureContentTypeHeader"),
)
"""What an answer says of itself, of its container's folders, or of the endpoint that goes on capturing as it does."""
_ENVIRONMENT = ("publish_cloudwatch_metrics", "dataset_format", "analysis_type", "problem_type")
"""Variables of the container that are known here, or set by the service."""


def captured(known: Planned, draft: Draft, comments: dict[str, str]) -> None:
    """Where the captured rows lie and how they are read."""
    rows = known.plans[0].rows
    if isinstance(rows, BatchRows):
        ((kind, said),) = rows.dataset_format.items()
        written = {key.lower(): value for key, value in said.items()}
        draft.capture |= {"address": _folder(rows.data_captured_destination_s3_uri)}
        draft.capture |= {"dataset_format": {kind.lower(): written}}
    else:
        draft.capture |= _of_endpoint(known, draft, comments)
    draft.capture |= {"output_names": list(draft.output_names)} if draft.output_names else {}
    names = [feature_names(config) for _, config in known.analyses.values()]
    sources = [source for source, _ in known.analyses.values()]
    for source, features in zip(sources, names, strict=True):
        draft.agree(draft.capture, "input_names", list(features) or None, source)
    for one in known.plans:
        if one.monitor != "data_quality":
            draft.features(one.rows.features_attribute, one.source)
        draft.agree(draft.capture, "record_preprocessor_script", one.definition.app.record_preprocessor_source_uri,
                    one.source)  # fmt: skip
    if "record_preprocessor_script" in draft.capture:
        comments["capture.record_preprocessor_script"] = "makes the rows of all monitors; pin its sha256"


def _of_endpoint(known: Planned, draft: Draft, comments: dict[str, str]) -> dict[str, Any]:
    """The capture of an endpoint, one folder above the variants where it has several."""
    if known.config is None:
        raise UserError(
            f"nothing says where {known.endpoint} captures to; add what "
            "`aws sagemaker describe-endpoint-config` answers"
        )
    source, config = known.config
    capturing = config.data_capture_config
    if capturing is None:
        raise UserError(f"{source}: DataCaptureConfig: the endpoint captures nothing, so there is nothing to monitor")
    share = f"InitialSamplingPercentage = {capturing.initial_sampling_percentage}"
    draft.lose(source, share, "the endpoint goes on capturing so many calls of a hundred; it is not set here")
    if not capturing.enable_capture:
        draft.lose(source, "EnableCapture = false", "the endpoint captures nothing now: switch it on there")
    for path, _ in capturing.unread("DataCaptureConfig."):
        if not path.endswith(SILENT):
            draft.lose(source, path, because(path))
    variants = [one.variant_name for one in (*config.production_variants, *config.shadow_production_variants)]
    folder = f"{_folder(capturing.destination_s3_uri)}/{known.endpoint}"
    comments["capture.address"] = f"as {source} says"
    if len(variants) == 1:
        return {"address": f"{folder}/{variants[0]}"} | _sides(capturing)
    return {"address": folder, "layout": "variants"} | _sides(capturing)


def _sides(capturing: Capturing) -> dict[str, Any]:
    """Which sides of a call a record has, where it is not both."""
    modes = {one.capture_mode for one in capturing.capture_options}
    return {"capture_options": sorted(modes)} if len(modes) == 1 and modes <= {"Input", "Output"} else {}


def labels(known: Planned, draft: Draft) -> dict[str, Any]:
    """Where labels arrive, and which rows wait for them: those of another span only where the first monitor says so."""
    section: dict[str, Any] = {}
    span: dict[str, str] | None = None
    for one in known.plans:
        if truth := one.definition.input.ground_truth_s3_input:
            draft.agree(section, "address", _folder(truth.s3_uri), one.source)
            span = _offsets(one) if span is None else span
        if _offsets(one) != (span if truth else {}):
            told = f"StartTimeOffset = {one.rows.start_time_offset}, EndTimeOffset = {one.rows.end_time_offset}"
            draft.lose(one.source, told, "all labelled rows are of one span, and all others of the window itself")
    return {"ground_truth": section | (span or {}) | _path_of_labels(known)} if section else {}


def _path_of_labels(known: Planned) -> dict[str, str]:
    """The JMESPath by which bias finds labels in JSON; none where they are called so, which is usual."""
    _, config = known.analyses.get("bias", ("", AnalysisConfig()))
    label = str(config.label)
    is_path = label not in config.headers and any(mark in label for mark in ".[")
    return {"label_attribute": label} if is_path and not label.endswith(".label") else {}


def _offsets(plan: Plan) -> dict[str, str]:
    """The span of the rows, where it is not the window itself; their labels may arrive until the window ends."""
    start, end, hours = plan.rows.start_time_offset or "", plan.rows.end_time_offset or "-PT0H", plan.hours
    if not start:
        return {}
    spans = {(after - before) % 24 or 24 for before, after in zip(hours, (*hours[1:], *hours[:1]), strict=True)}
    try:
        first, last = parse_duration(start), parse_duration(end)
    except ValueError as error:
        raise UserError(f"{plan.source}: StartTimeOffset, EndTimeOffset: {error}") from error
    if not last and {-first.total_seconds() / 3600} == spans:
        return {}
    waiting = {"label_horizon": format_duration(-last)} if last else {}
    return {**waiting, "start_time_offset": start, "end_time_offset": end}


def when(known: Planned, draft: Draft, comments: dict[str, str]) -> dict[str, Any]:
    """The one schedule of all monitors: the most frequent of theirs."""
    plans = [one for one in known.plans if one.schedule]
    if not plans:
        draft.lose("the schedule", "ScheduleExpression", "no schedule was given: windows are hours")
        return {}
    often = max(plans, key=lambda one: len(one.hours))
    said = often.when
    for one in plans:
        if one.hours != often.hours:
            told = f"ScheduleExpression = {one.when.schedule_expression}"
            draft.lose(one.source, told, f"all monitors run by one: {said.schedule_expression}")
        if one.hours and (one.when.data_analysis_start_time or one.when.data_analysis_end_time):
            told = "DataAnalysisStartTime, DataAnalysisEndTime"
            draft.lose(one.source, told, "windows that recur lie between one run and the next")
        status = one.schedule.monitoring_schedule_status if one.schedule else ""
        if status not in ("", "Scheduled"):
            draft.lose(one.source, f"MonitoringScheduleStatus = {status}", "whether it runs is the DAG's switch")
    if said.schedule_expression is None:
        draft.lose(often.source, "ScheduleExpression", "daily, at a time that the service picked; here at midnight")
    comments["schedule_expression"] = f"as {often.source} says; UTC"
    span = {"data_analysis_start_time": said.data_analysis_start_time,
            "data_analysis_end_time": said.data_analysis_end_time}  # fmt: skip
    known_span = {key: value for key, value in span.items() if value and not often.hours}
    return {"schedule_expression": said.schedule_expression or "cron(0 0 ? * * *)", **known_span}


def beside(known: Planned, draft: Draft, comments: dict[str, str]) -> dict[str, Any]:
    """What goes out, what retrains, and the tags."""
    emit: dict[str, Any] = {}
    for one in known.plans:
        environment = one.definition.app.environment or {}
        if environment.get("publish_cloudwatch_metrics") == "Enabled":
            emit["cloudwatch"] = True
        script = one.definition.app.post_analytics_processor_source_uri
        draft.agree(emit, "post_analytics_processor_script", script, one.source)
        for key in sorted(environment.keys() - {*_ENVIRONMENT}):
            draft.lose(one.source, f"Environment.{key}", "only your scripts can read it: set it for Airflow's workers")
    comments["retraining"] = "the service retrains nothing"
    tags = {"tags": list(known.tags)} if known.tags else {}
    return ({"emit": emit} if emit else {}) | {"retraining": {"enabled": False}} | tags


def tell_unread(plan: Plan, draft: Draft) -> None:
    """Tells every key of a schedule and its definition that nothing was made of."""
    parts = [part for part in (plan.schedule, plan.definition if plan.definition.name else None) if part]
    for path, value in (one for part in parts for one in part.unread()):
        if not path.endswith(SILENT) or path.endswith("RoleArn"):
            shown = f" = {value}" if isinstance(value, str | int | float) and "Environment" not in path else ""
            draft.lose(plan.source, path.removeprefix("App.").removeprefix("Output.") + shown, because(path))


def because(path: str) -> str:
    """Why nothing is made of a key."""
    end = path.rpartition(".")[2]
    return REASONS.get(path) or REASONS.get(end) or "nothing here reads it"


def result(plan: Plan) -> str:
    """Where a monitor of the service writes its results."""
    return _folder(plan.definition.output.monitoring_outputs[0].s3_output.s3_uri)


def _folder(address: str) -> str:
    return address.rstrip("/")
