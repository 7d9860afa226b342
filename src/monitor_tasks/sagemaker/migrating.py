"""What the service runs -> the content of an endpoint's YAML, and what could not be carried over (operations.md)."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from pydantic.alias_generators import to_pascal

from monitor_tasks.sagemaker import clarify_settings
from monitor_tasks.sagemaker.clarify_settings import attribution_settings, bias_settings, feature_names
from monitor_tasks.sagemaker.described import Answer
from monitor_tasks.sagemaker.draft import Draft, Lost
from monitor_tasks.sagemaker.planned import Plan, Planned, planned
from monitor_tasks.sagemaker.surroundings import because, beside, captured, labels, result, tell_unread, when
from monitor_tasks.value import UserError

_ANSWERS = ("inference_attribute", "probability_attribute", "probability_threshold_attribute")
_ATTRIBUTES = (*_ANSWERS, "features_attribute", "exclude_features_attribute")
_USED: Mapping[str, tuple[str, ...]] = {
    "data_quality": (),
    "model_quality": (*_ANSWERS, "features_attribute"),
    "bias": _ATTRIBUTES,
    "attribution": ("features_attribute",),
}
"""Which attributes of the rows become a part of a monitor's settings, or of the capture's."""


class Wanted(NamedTuple):
    """What the service does not know."""

    root: str = ""
    """Where new results go; empty: below the service's own."""
    name: str = ""
    """What the endpoint is called; empty: as there."""
    output_names: tuple[str, ...] = ()
    """What the cells of a CSV output are called; empty: by their place."""


class Migration(NamedTuple):
    """What is carried over."""

    content: dict[str, Any]
    """What stands in the YAML."""
    comments: dict[str, str]
    """Why it stands there, by key."""
    lost: tuple[Lost, ...]
    results: tuple[str, ...]
    """Where the service writes its results."""


def migrated(answers: Sequence[Answer], wanted: Wanted) -> Migration:
    """One endpoint, out of what the service says of itself, in any order.

    Raises:
        UserError: the answers are of several endpoints, or lack what is needed.
    """
    known = planned(answers)
    schedules = [one.schedule.monitoring_schedule_name for one in known.plans if one.schedule]
    called = wanted.name or known.endpoint or next(iter(schedules), "")
    if not called:
        raise UserError("nothing says what the batch transform is called; add --name")
    draft, comments = Draft({}, wanted.output_names), dict[str, str]()
    captured(known, draft, comments)
    results = tuple(dict.fromkeys(result(one) for one in known.plans))
    root = wanted.root.rstrip("/") or f"{results[0]}/monitor-tasks"
    if root in results:
        raise UserError(f"--root {root}: there the service's own results lie; choose a folder that is empty")
    comments["root"] = f"the service's own results stay in {', '.join(results)}"
    content: dict[str, Any] = {"endpoint_name": called, "root": root, "capture": draft.capture}
    content |= labels(known, draft) | when(known, draft, comments)
    content["monitors"] = _monitors(known, draft)
    content |= _model(known, content["monitors"])
    content |= beside(known, draft, comments)
    for one in known.plans:
        tell_unread(one, draft)
    return Migration(content, comments, draft.lost, results)


def _monitors(known: Planned, draft: Draft) -> dict[str, Any]:
    """The section of each monitor that could be carried over."""
    found: dict[str, Any] = {}
    for one in known.plans:
        own = _own_settings(one, known, draft)
        _tell_unused(one, draft)
        if own is not None:
            schedule = {"monitoring_schedule_name": one.schedule.monitoring_schedule_name} if one.schedule else {}
            found[one.monitor] = {**schedule, **_baseline(one, draft), **own}
    if not found:
        lost = [one for one in draft.lost if one.what.startswith("monitors.")]
        told = "; ".join(f"{one.where[0]}: {one.what}: {one.because}" for one in lost)
        raise UserError(f"no monitor can be carried over: {told}")
    return found


def _baseline(plan: Plan, draft: Draft) -> dict[str, Any]:
    """Where the service's baseline lies."""
    said = plan.definition.baseline
    if said is None or said.constraints_resource is None:
        job = said.baselining_job_name if said else None
        told = f"BaseliningJobName = {job}" if job else "a baseline"
        draft.lose(plan.source, told, "no ConstraintsResource is given: the first window with enough rows becomes it")
        return {}
    found = {"baseline_constraints": said.constraints_resource.s3_uri}
    if said.statistics_resource and plan.monitor == "data_quality":
        found["baseline_statistics"] = said.statistics_resource.s3_uri
    elif said.statistics_resource:
        draft.lose(plan.source, "StatisticsResource", "its bounds stand in the constraints")
    return found


def _own_settings(plan: Plan, known: Planned, draft: Draft) -> dict[str, Any] | None:
    """What the monitor says beside its schedule and baseline; None where it cannot be carried over."""
    if lacking := _lacking(plan, known):
        draft.lose(plan.source, f"monitors.{plan.monitor}", lacking)
        return None
    if plan.monitor == "data_quality":
        return {"rule": "observed"}
    if plan.monitor == "model_quality":
        return _model_quality(plan, draft)
    source, config = known.analyses[plan.monitor]
    for path, said in config.unread():
        if path not in clarify_settings.SILENT and said != clarify_settings.ALL:
            draft.lose(source, path, because(path))
    if plan.monitor == "bias":
        return bias_settings(config, plan.rows, draft, source)
    draft.features(config.features, source)
    return {"explainer": "kernel"} | attribution_settings(config, feature_names(config), draft, source)


def _tell_unused(plan: Plan, draft: Draft) -> None:
    """Tells the attributes that the service lets anybody set, and this monitor makes nothing of."""
    for name in _ATTRIBUTES:
        value = getattr(plan.rows, name)
        if value is not None and name not in _USED[plan.monitor]:
            draft.lose(plan.source, f"{to_pascal(name)} = {value}", f"{plan.monitor} makes nothing of it")


def _lacking(plan: Plan, known: Planned) -> str:
    """What a monitor cannot be carried over without; empty where all is there."""
    if plan.monitor in ("model_quality", "bias") and not plan.definition.input.ground_truth_s3_input:
        return "it reads labels, and no GroundTruthS3Input is given"
    if plan.monitor in ("bias", "attribution") and plan.monitor not in known.analyses:
        where = plan.definition.app.config_uri or "its analysis_config.json"
        return f"its configuration is not among the files: add {where}"
    if plan.monitor == "attribution" and not known.endpoint:
        return "a batch transform is no endpoint that could be asked: add the monitor with a model of yours"
    return ""


def _model_quality(plan: Plan, draft: Draft) -> dict[str, Any]:
    """Problem type, columns and threshold; a binary output without attributes is a score, as the service takes it."""
    rows, kind = plan.rows, plan.definition.app.problem_type or "BinaryClassification"
    named = rows.inference_attribute is not None
    is_binary = kind == "BinaryClassification"
    settings: dict[str, Any] = {"problem_type": kind, "strict_compatibility": True}
    if named or not is_binary:
        settings["inference_attribute"] = draft.output(rows.inference_attribute, rows)
    if is_binary and (rows.probability_attribute is not None or not named):
        settings["probability_attribute"] = draft.output(rows.probability_attribute, rows)
        threshold = rows.probability_threshold_attribute
        settings |= {} if threshold is None else {"probability_threshold_attribute": threshold}
    elif rows.probability_attribute is not None:
        told = f"ProbabilityAttribute = {rows.probability_attribute}"
        draft.lose(plan.source, told, "of several classes each has a column: name them in class_probability_attributes")
    return settings


def _model(known: Planned, monitors: Mapping[str, Any]) -> dict[str, Any]:
    """The endpoint as the model that attribution asks."""
    if "attribution" not in monitors or not known.endpoint:
        return {}
    models = [one.model_name for one in known.config[1].production_variants if one.model_name] if known.config else []
    features = list(feature_names(known.analyses["attribution"][1]))
    said = {"address": f"sagemaker://{known.endpoint}", "version": ",".join(models), "features": features}
    return {"model": {key: value for key, value in said.items() if value}}
