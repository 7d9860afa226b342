"""Training: what a challenger learns from, and how it is made: by a function, a SageMaker job or a pipeline."""

import json
from collections.abc import Mapping
from typing import Any, NamedTuple

from pydantic import ValidationError

from monitor_tasks.evidence import Asked
from monitor_tasks.gates import Gate
from monitor_tasks.io import store as storage
from monitor_tasks.io.executions import digest
from monitor_tasks.monitors.settings import BiasSettings, ModelQualitySettings
from monitor_tasks.report import ModelCard
from monitor_tasks.site import Site
from monitor_tasks.value import UserError
from monitor_tasks.window import Window


class Challenger(NamedTuple):
    """A new model, and which of the episode's windows it learned from."""

    model: ModelCard
    used: list[str]
    windows: int
    """How many there were."""


def by_function(asked: Asked) -> Challenger:
    """What the configured function makes of the evidence."""
    from monitor_tasks.io.models import PYTHON, function_at

    return _challenger(asked, function_at(f"{PYTHON}{asked.site.endpoint.retraining.train}")(_laid_out(asked)))


def by_pipeline(asked: Asked) -> Challenger:
    """The model whose card a pipeline has left."""
    key = f"{asked.folder}/model.json"
    try:
        return _challenger(asked, json.loads(asked.site.store.get(key)))
    except ValueError as error:
        raise UserError(f"{asked.site.store.address_of(key)}: the pipeline's card is no JSON: {error}") from error


def by_job(asked: Asked, archive: str) -> Challenger:
    """The model in the archive that a training job has left."""
    from monitor_tasks.io.models import member

    settings = asked.site.endpoint.retraining.training_job
    name = settings.model_file if settings else ""
    key = f"{asked.folder}/{name}"
    asked.site.store.put(key, member(archive, name, asked.site.credentials))
    return _challenger(asked, asked.site.store.address_of(key))


def job_request(asked: Asked) -> dict[str, Any]:
    """What a SageMaker training job is asked for; its rows lie ready then."""
    settings, told = asked.site.endpoint.retraining.training_job, _laid_out(asked)
    source = {"S3DataType": "S3Prefix", "S3Uri": told["rows"], "S3DataDistributionType": "FullyReplicated"}
    return {
        **(settings.request if settings else {}),
        "TrainingJobName": f"{asked.site.name.replace('_', '-')[:40]}-{asked.episode}",
        "InputDataConfig": [{"ChannelName": "train", "DataSource": {"S3DataSource": source}}],
        "OutputDataConfig": {"S3OutputPath": told["output"]},
    }


def pipeline_parameters(asked: Asked) -> dict[str, str]:
    """What a SageMaker pipeline is told; its rows lie ready then."""
    settings, told = asked.site.endpoint.retraining.pipeline, _laid_out(asked)
    known = {"{rows}": told["rows"], "{output}": told["output"], "{episode}": asked.episode,
             "{evidence}": asked.site.store.address_of(f"{asked.folder}/evidence.json")}  # fmt: skip
    parameters = dict(settings.parameters) if settings else {}
    for word, text in known.items():
        parameters = {name: value.replace(word, text) for name, value in parameters.items()}
    return parameters


def judged_by(site: Site) -> ModelQualitySettings:
    """What a challenger is compared by: the metrics of model quality, which reads nothing but the model's answers.

    Raises:
        UserError: model quality does not watch the endpoint, or a column of answers is not captured as one.
    """
    from monitor_tasks.monitors.model_quality.answers import answer_columns

    known, outputs = site.endpoint.configured(), site.endpoint.capture.output_names
    quality, bias = known.get("model_quality"), known.get("bias")
    if not isinstance(quality, ModelQualitySettings):
        raise UserError(f"{site.name}: monitors.model_quality is not set; a challenger is compared by its metrics")
    replaced = answer_columns(quality)
    if strange := next((name for name in replaced if name not in outputs), "" if replaced else "nothing"):
        raise UserError(
            f"{site.name}: a challenger's answers take the place of those that were captured; monitors.model_quality "
            f"reads {strange}, which is not among capture.output_names ({', '.join(outputs) or 'not set'})"
        )
    read = bias.predicted_label if isinstance(bias, BiasSettings) else ""
    if read in outputs and read not in replaced:
        raise UserError(
            f"{site.name}: monitors.bias reads {read}, which no challenger answers, as monitors.model_quality does not "
            "read it; name it there as inference_attribute or probability_attribute"
        )
    return quality


def _laid_out(asked: Asked) -> dict[str, Any]:
    """What a training is given: half of the rows of each window, to learn from; the other half is held."""
    from monitor_tasks.on_tables import learning_half

    store, windows = asked.site.store, list[dict[str, Any]]()
    for one in asked.found(Gate.CHECK_EVIDENCE)["windows"]:
        key = f"{asked.folder}/learned/{Window.parse(one['window']).end:%Y%m%dT%H%M%SZ}.parquet"
        store.put(key, learning_half(asked.site.table(one["labelled"], "labelled.parquet"))[0])
        windows.append({**one, "address": store.address_of(key)})
    told = {
        **asked.evidence(),
        "windows": windows,
        "rows": store.address_of(f"{asked.folder}/learned/"),
        "output": store.address_of(asked.folder),
        "model": asked.champion and asked.champion.model_dump(mode="json"),
    }
    store.put(f"{asked.folder}/evidence.json", json.dumps(told, indent=2).encode())
    return told


def _challenger(asked: Asked, made: Any) -> Challenger:
    """The new model, by its address or by what is said of it, and the windows that it learned from."""
    said = {"address": made} if isinstance(made, str) else made
    if not isinstance(said, Mapping) or not said.get("address"):
        raise UserError(
            f"{asked.site.name}: the training gave back {type(made).__name__} without an address; it must give back "
            "the new model's address, or its card with address and sha256"
        )
    known = [one["window"] for one in asked.found(Gate.CHECK_EVIDENCE)["windows"]]
    used = [one for one in known if one in said.get("windows", known)]
    if not used:
        raise UserError(f"{asked.site.name}: the training used no labelled window; there is nothing to judge it by")
    return Challenger(_card(asked, said), used, len(known))


def _card(asked: Asked, said: Mapping[str, Any]) -> ModelCard:
    """The new model's card: what is not said is as the champion's, and the file that lies there now is pinned."""
    from monitor_tasks.io.models import is_file

    kept = {"name", "decision_threshold", "features", "categories"}
    former = asked.champion.model_dump(include=kept) if asked.champion else {}
    told = {name: value for name, value in said.items() if name != "windows"}
    try:
        card = ModelCard.model_validate({**former, "version": f"retrained-{asked.episode}", **told})
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(map(str, first["loc"]))
        raise UserError(f"{asked.site.name}: the new model's card: {key}: {first['msg']}; mend the training") from error
    address = _confined(card.address or "")
    if not card.sha256 and is_file(address):
        card = card.model_copy(update={"sha256": digest(asked.site.read(address))})
    return card


def _confined(address: str) -> str:
    """The address, if it lies where addresses may lie."""
    roots = storage.roots()
    if roots and not any(f"{address}/".startswith(f"{root.rstrip('/')}/") for root in roots):
        raise UserError(
            f"{address}: the new model lies outside the configured roots ({', '.join(roots)}); let the training leave "
            "it below the evidence's output"
        )
    return address
