"""The verbs of the retraining DAG: gates, of which each asks one question and records the answer.

What passed is not done twice: a gate that is asked again answers as before, unless a later one has stopped the
retraining. Whatever refuses or fails leaves the champion in place, and the record says why.
"""

import json
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from monitor_tasks import promoting, training
from monitor_tasks.evidence import Asked, called, records
from monitor_tasks.gates import Gate, GateRecord, Outcome
from monitor_tasks.io.executions import digest
from monitor_tasks.monitors.settings import PredictorSettings
from monitor_tasks.report import ModelCard
from monitor_tasks.site import Site
from monitor_tasks.staging import expected_columns, loaded, suggested_baseline
from monitor_tasks.value import UserError
from monitor_tasks.window import Window


class Answer(NamedTuple):
    """What a gate answers."""

    outcome: Outcome
    because: str
    details: Mapping[str, Any] = {}


def check_evidence(site: Site, episode: str, window: Window) -> GateRecord:
    """Whether the episode's labelled windows without broken data hold enough rows and labels to learn from."""
    return _at(Asked(site, episode, window), Gate.CHECK_EVIDENCE, "the configured minimum", _enough)


def question(site: Site, episode: str, window: Window) -> str:
    """What a person is asked who may approve: what changed, and what there is to learn from."""
    asked = Asked(site, episode, window)
    evidence, found = asked.evidence(), asked.found(Gate.CHECK_EVIDENCE)
    return (
        f"Episode {episode} of {site.name}, handed over by {window}: {evidence['because']}.\n\n"
        f"There are {found['rows']} rows with {found['labels']} labels in {len(found['windows'])} windows to learn "
        f"from. The champion is {called(asked.champion)}; a challenger that stands the comparison takes its place."
    )


def approve(site: Site, episode: str, window: Window, outcome: Outcome, by: str) -> GateRecord:
    """Records what a person answered who was asked, or that nobody was; a no stands, whoever said yes before."""
    asked = Asked(site, episode, window)
    if outcome == "passed":
        return _at(asked, Gate.APPROVE, by, lambda _: Answer("passed", "approved"))
    return _noted(asked, Gate.APPROVE, by, Answer(outcome, "not approved"))


def train(site: Site, episode: str, window: Window) -> GateRecord:
    """The challenger that the configured function makes."""
    by = site.endpoint.retraining.train or ""
    return _at(Asked(site, episode, window), Gate.TRAIN, by, lambda asked: _trained(training.by_function(asked)))


def job(site: Site, episode: str, window: Window) -> dict[str, Any]:
    """What the operator of a SageMaker training job is given."""
    return {"config": training.job_request(Asked(site, episode, window))}


def pipeline(site: Site, episode: str, window: Window) -> dict[str, Any]:
    """What the operator of a SageMaker pipeline is given."""
    settings = site.endpoint.retraining.pipeline
    return {"name": settings and settings.name,
            "parameters": training.pipeline_parameters(Asked(site, episode, window))}  # fmt: skip


def take_model(site: Site, episode: str, window: Window, archive: str = "") -> GateRecord:
    """The challenger that a SageMaker training job has left in an `archive`; without one, a pipeline with its card."""

    def take(asked: Asked) -> Answer:
        return _trained(training.by_job(asked, archive) if archive else training.by_pipeline(asked))

    return _at(Asked(site, episode, window), Gate.TRAIN, archive or _pipeline(site), take)


def failed(site: Site, episode: str, window: Window, because: str) -> GateRecord:
    """Records that a SageMaker job or pipeline made no model."""
    by = ", ".join(site.endpoint.retraining.ways)
    return _noted(Asked(site, episode, window), Gate.TRAIN, by, Answer("failed", because))


def compare(site: Site, episode: str, window: Window) -> GateRecord:
    """Whether the challenger is better than the champion on the held half of the windows that it learned from."""
    by = f"retraining.promote: {site.endpoint.retraining.promote}"
    return _at(Asked(site, episode, window), Gate.COMPARE, by, _compared)


def promote(site: Site, episode: str, window: Window) -> GateRecord:
    """Moves the champion's alias to the challenger, with a baseline of its own answers; the former ones are kept."""
    return _at(Asked(site, episode, window), Gate.PROMOTE, "all gates before it", _promoted)


def _at(asked: Asked, gate: Gate, by: str, ask: Callable[[Asked], Answer]) -> GateRecord:
    """What became of a gate; of one that was passed before it is what it was."""
    if done := asked.done(gate):
        return _shown(asked, done)
    try:
        answer = ask(asked)
    except Exception as error:
        because = str(error) if isinstance(error, UserError) else f"{type(error).__name__}: {error}"
        _noted(asked, gate, by, Answer("failed", because))
        raise
    return _noted(asked, gate, by, answer)


def _noted(asked: Asked, gate: Gate, by: str, answer: Answer) -> GateRecord:
    """Adds an answer to the record."""
    found = GateRecord(
        endpoint=asked.site.name, episode=asked.episode, gate=gate, outcome=answer.outcome, by=by,
        because=_line(answer.because), details=answer.details,
    )  # fmt: skip
    return _shown(asked, asked.record(found))


def _shown(asked: Asked, found: GateRecord) -> GateRecord:
    """Shows the record as it stands now on a page."""
    from monitor_tasks.pages.retrained import retraining_page

    if known := records(asked.site, asked.episode):
        key = f"{asked.site.name}/episodes/{asked.episode}/retraining.html"
        asked.site.store.put(key, retraining_page(known))
    return found


def _line(text: str) -> str:
    """A reason in one bounded line, as SageMaker's FailureReason is."""
    return " ".join(text.split())[:1024]


def _pipeline(site: Site) -> str:
    settings = site.endpoint.retraining.pipeline
    return f"pipeline {settings.name}" if settings else "no pipeline"


def _enough(asked: Asked) -> Answer:
    site, settings = asked.site, asked.site.endpoint.retraining
    asked.evidence()
    if not settings.ways:
        raise UserError(
            f"{site.name}: nothing says how to retrain; name retraining.train, a function such as "
            "package.module:train, or retraining.training_job, or retraining.pipeline"
        )
    training.judged_by(site)
    windows = asked.materials()
    rows, labels = (sum(one[what] for one in windows) for what in ("rows", "labels"))
    is_enough = rows >= settings.minimum_rows and labels >= settings.minimum_labels
    needed = f"{settings.minimum_rows} rows and {settings.minimum_labels} labels are needed"
    because = f"{rows} rows with {labels} labels in {len(windows)} windows; {needed}"
    return Answer("passed" if is_enough else "refused", because, {"windows": windows, "rows": rows, "labels": labels})


def _trained(made: training.Challenger) -> Answer:
    because = f"{called(made.model)} learned from {len(made.used)} of {made.windows} windows"
    return Answer("passed", because, {"model": made.model.model_dump(mode="json"), "used": made.used})


def _compared(asked: Asked) -> Answer:
    """The challenger's answers to the held requests beside the champion's, as they were captured."""
    from monitor_tasks.comparing import compare_answers
    from monitor_tasks.explaining import answered
    from monitor_tasks.monitors.model_quality.answers import rescored
    from monitor_tasks.on_tables import concatenated, learning_half
    from monitor_tasks.pages.compared import basis_of, verdict_of
    from monitor_tasks.tables.files import table_bytes

    site, trained = asked.site, asked.found(Gate.TRAIN)
    card, settings = ModelCard.model_validate(trained["model"]), site.endpoint.retraining
    keys = {one["window"]: one["labelled"] for one in asked.found(Gate.CHECK_EVIDENCE)["windows"]}
    held = {one: learning_half(site.table(keys[one], "labelled.parquet"))[1] for one in trained["used"]}
    predictor = getattr(site.endpoint.configured().get("attribution"), "predictor", PredictorSettings())
    rows = concatenated(list(held.values()))
    answers = answered(rows, loaded(site, card), expected_columns(site, card), predictor)
    rows = rescored(rows, training.judged_by(site), answers)
    key = f"{asked.folder}/answered.parquet"
    site.store.put(key, table_bytes(rows))
    place, pairs = 0, []
    for one, table in held.items():
        if site.model(Window.parse(one)) == asked.champion:
            pairs.append((table, rows.slice(place, table.num_rows)))
        place += table.num_rows
    if not pairs:
        return Answer("refused", f"no window that was learned from was answered by {called(asked.champion)}")
    comparison = compare_answers(site, pairs, ("the champion", "the challenger"), settings.metric)
    verdict = comparison.deciding.verdict
    is_promoted = verdict == "better" or (verdict != "worse" and settings.promote == "not_worse")
    because = f"{verdict_of(comparison)}. {basis_of(comparison)}"
    told = {"comparison": comparison.model_dump(mode="json"), "answered": key}
    return Answer("passed" if is_promoted else "refused", because, told)


def _promoted(asked: Asked) -> Answer:
    from monitor_tasks.tables.files import read_table

    site, trained = asked.site, asked.found(Gate.TRAIN)
    card, used = ModelCard.model_validate(trained["model"]), trained["used"]
    rows = read_table(site.store.get(asked.found(Gate.COMPARE)["answered"]), "answered.parquet")
    baseline = suggested_baseline(site, rows, digest(json.dumps([sorted(used), card.sha256]).encode()), card)
    if not baseline:
        return Answer("refused", f"the windows {', '.join(used)} hold too few rows for a baseline")
    because = f"retrained on episode {asked.episode}: {asked.evidence()['because']}"
    moved = promoting.promote(site, asked.episode, card, baseline, (because, "all gates before it"))
    told = {"model": trained["model"], "baseline": moved.baseline, "since": moved.since}
    return Answer("passed", f"{called(card)} is the champion from {moved.since} on", told)
