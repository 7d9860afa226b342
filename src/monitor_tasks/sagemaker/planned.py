"""Answers of the service -> what it runs: one plan for each monitor of one endpoint, or of one batch transform."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from monitor_tasks.sagemaker.analysis_config import AnalysisConfig
from monitor_tasks.sagemaker.described import (
    MONITOR_OF,
    Answer,
    Definition,
    EndpointConfig,
    EndpointRows,
    Kind,
    Schedule,
    Tags,
    When,
)
from monitor_tasks.sagemaker.draft import Rows
from monitor_tasks.value import UserError
from monitor_tasks.window import Schedule as Hours

_IMAGES: Mapping[Kind, str] = {
    "DataQuality": "sagemaker-model-monitor-analyzer",
    "ModelQuality": "sagemaker-model-monitor-analyzer",
    "ModelBias": "sagemaker-clarify-processing",
    "ModelExplainability": "sagemaker-clarify-processing",
}
_COMMAND: Mapping[Kind, str] = {
    "DataQuality": "data-quality",
    "ModelQuality": "model-quality",
    "ModelBias": "model-bias",
    "ModelExplainability": "model-explainability",
}


class Plan(NamedTuple):
    """What the service runs as one monitor."""

    source: str
    definition: Definition
    schedule: Schedule | None
    """None where the definition was given alone."""

    @property
    def monitor(self) -> str:
        """The monitor's name."""
        return MONITOR_OF[self.definition.kind]

    @property
    def rows(self) -> Rows:
        """The captured rows that it reads."""
        if (rows := self.definition.input.rows) is None:
            raise UserError(
                f"{self.source}: reads neither an endpoint nor batch transforms; save the whole answer again"
            )
        return rows

    @property
    def when(self) -> When:
        """When it runs; says nothing where no schedule was given."""
        return self.schedule.monitoring_schedule_config.schedule_config if self.schedule else When()

    @property
    def hours(self) -> tuple[int, ...]:
        """The hours at which it runs; none where it runs once.

        Raises:
            UserError: they are written in a way that is not read.
        """
        try:
            return Hours.parse(self.when.schedule_expression or ("@daily" if self.schedule else "@hourly")).hours
        except ValueError as error:
            raise UserError(f"{self.source}: ScheduleExpression: {error}") from error


class Planned(NamedTuple):
    """All that was given of one endpoint."""

    plans: tuple[Plan, ...]
    config: tuple[str, EndpointConfig] | None
    tags: tuple[str, ...]
    analyses: Mapping[str, tuple[str, AnalysisConfig]]
    """The analysis_config.json of bias and of attribution, with their files."""
    endpoint: str
    """The endpoint's name; empty of batch transforms."""


def planned(answers: Sequence[Answer]) -> Planned:
    """What the service runs, out of its answers in any order.

    Raises:
        UserError: they are of several endpoints, a definition is missing, or one runs what is not carried over.
    """
    given = [(one.source, one.content) for one in answers if isinstance(one.content, Definition)]
    _only_one([(f"the definition {one.name}", source) for source, one in given])
    known = {(one.kind, one.name): (source, one) for source, one in given}
    plans = [_scheduled(one.source, one.content, known) for one in answers if isinstance(one.content, Schedule)]
    used = {(one.definition.kind, one.definition.name) for one in plans}
    plans += [Plan(source, one, None) for key, (source, one) in known.items() if key not in used]
    plans.sort(key=lambda one: [*MONITOR_OF].index(one.definition.kind))
    for one in plans:
        _refuse_foreign(one)
    _only_one([(one.monitor, one.source) for one in plans])
    if not plans:
        raise UserError("no file says what is monitored: add what describe-…-job-definition answered for each monitor")
    configs = [(one.source, one.content) for one in answers if isinstance(one.content, EndpointConfig)]
    analyses = [(one.content.monitor, (one.source, one.content)) for one in answers
                if isinstance(one.content, AnalysisConfig)]  # fmt: skip
    _only_one([(f"{name}'s analysis_config.json", source) for name, (source, _) in analyses])
    _only_one([("the endpoint's configuration", source) for source, _ in configs])
    tags = [tag for one in answers if isinstance(one.content, Tags) for tag in one.content.tags]
    return Planned(
        tuple(plans), configs[0] if configs else None, tuple(f"{one.key}={one.value}" for one in tags), dict(analyses),
        _endpoint(plans),
    )  # fmt: skip


def _scheduled(source: str, schedule: Schedule, known: Mapping[tuple[Kind, str], tuple[str, Definition]]) -> Plan:
    """A schedule with its definition, which stands in it or in a file of its own."""
    said = schedule.monitoring_schedule_config
    if said.monitoring_job_definition is not None:
        return Plan(source, said.monitoring_job_definition.definition(said.monitoring_type), schedule)
    kind, name = said.monitoring_type, said.monitoring_job_definition_name or ""
    found = known.get((kind, name))
    if found is None:
        command = f"aws sagemaker describe-{_COMMAND[kind]}-job-definition --job-definition-name {name}"
        raise UserError(f"{source}: its definition {name!r} is not among the files; add what `{command}` answers")
    return Plan(found[0], found[1], schedule)


def _refuse_foreign(plan: Plan) -> None:
    """A container of one's own does what nobody can read off its description."""
    image, expected = plan.definition.app.image_uri, _IMAGES[plan.definition.kind]
    if expected not in image:
        raise UserError(
            f"{plan.source}: ImageUri: {image} is not SageMaker's own {expected}, so what it checks is not known here; "
            "leave this file out, and write its checks as a suite or a monitor of your own"
        )


def _only_one(named: Sequence[tuple[str, str]]) -> None:
    """Two files for one place are an error: nothing tells which of them counts."""
    for name in dict.fromkeys(name for name, _ in named):
        sources = [source for one, source in named if one == name]
        if len(sources) > 1:
            raise UserError(f"{' and '.join(sources)} are all of {name}; name one of them")


def _endpoint(plans: Sequence[Plan]) -> str:
    """The one endpoint that all monitors read; empty of one batch transform."""
    read = {
        one.rows.endpoint_name
        if isinstance(one.rows, EndpointRows)
        else one.rows.data_captured_destination_s3_uri: one.source
        for one in plans
    }
    if len(read) > 1:
        told = ", ".join(f"{name} ({source})" for name, source in read.items())
        raise UserError(f"the files are of several endpoints: {told}; carry over one at a time")
    first = plans[0].rows
    return first.endpoint_name if isinstance(first, EndpointRows) else ""
