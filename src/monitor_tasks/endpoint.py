"""Endpoint: what is watched, from one YAML. Imports nothing heavy."""

import hashlib
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from fnmatch import fnmatchcase
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, Field, create_model, field_validator, model_validator

from monitor_tasks.configuration import read_yaml
from monitor_tasks.inputs import Capture, DatasetFormat, DurationText, GroundTruth, Records, Reference, Variants
from monitor_tasks.monitors.settings import MONITORS, NAME
from monitor_tasks.policy import Policy, Severity, Wait
from monitor_tasks.retention import Retention
from monitor_tasks.value import Address, Value
from monitor_tasks.window import Schedule, Window, format_duration, parse_duration


def _is_schedule(text: str) -> str:
    Schedule.parse(text)
    return text


def _has_zone(moment: datetime) -> datetime:
    if moment.tzinfo is None:
        raise ValueError("needs a time zone; write it as 2026-01-01T00:00:00Z")
    return moment


ScheduleText = Annotated[str, AfterValidator(_is_schedule)]
Moment = Annotated[datetime, AfterValidator(_has_zone)]


class Model(Value):
    """The model behind the endpoint."""

    address: Address
    """The model file, ``python://module:function``, ``sagemaker://endpoint``, or the URL of a live endpoint."""
    card: Address | None = None
    """A JSON file beside it: name, version, sha256, decision_threshold, hyper_parameters, features."""
    sha256: str | None = Field(None, pattern="^[0-9a-f]{64}$")
    """The pinned hash of the model file; left out, the card's. What is no file needs none."""
    version: str = ""
    decision_threshold: float | None = Field(None, ge=0, le=1)
    hyper_parameters: dict[str, float | int | str | bool | None] = Field(default_factory=dict)
    features: tuple[str, ...] = ()
    """The columns that the model expects, in order; left out, the card's, or the capture's input names."""
    allow_pickle: bool = False
    """Whether a joblib or pickle file may be loaded: it can run any code, so only where you wrote it yourself."""


class Approval(Value):
    """A person's consent, asked for in Airflow before anything is trained."""

    timeout: Wait = "P1D"
    """After so long without an answer it is refused."""
    users: tuple[str, ...] = ()
    """The ids of the Airflow users who may answer; left out, whoever may act on the DAG."""

    @field_validator("timeout")
    @classmethod
    def _waits(cls, text: str) -> str:
        if not parse_duration(text):
            raise ValueError(f"{text!r}: leave a person some time to answer, such as PT4H")
        return text


class TrainingJob(Value):
    """A SageMaker training job that makes the new model."""

    request: Mapping[str, Any]
    """What ``create_training_job`` takes; its name, input and output are ours: the channel ``train`` is Parquet."""
    model_file: str = Field(pattern=r"^\w[\w.-]{0,199}$")
    """The file in the job's ``model.tar.gz`` that is the model: ``model.ubj``, say."""

    @field_validator("request")
    @classmethod
    def _leaves_to_us(cls, request: Mapping[str, Any]) -> Mapping[str, Any]:
        ours = ("TrainingJobName", "InputDataConfig", "OutputDataConfig")
        if twice := [name for name in ours if name in request]:
            raise ValueError(f"leave {twice[0]} out: it is made of the endpoint and the episode")
        return request


class Pipeline(Value):
    """A SageMaker pipeline that makes the new model, and leaves its card as ``model.json`` in ``{output}``."""

    name: str = Field(pattern=NAME)
    """The pipeline's name."""
    parameters: Mapping[str, str] = Field(default_factory=dict)
    """Its parameters; in them ``{evidence}``, ``{rows}``, ``{output}`` become addresses, ``{episode}`` the number."""


class Retraining(Value):
    """What a changed world may trigger."""

    enabled: bool = True
    """Whether a violation may start retraining at all."""
    dag_id: str = Field("retrain_model", pattern=r"^[\w.-]{1,200}$")
    """The DAG that takes the hand-off."""
    minimum_rows: int = Field(100, ge=1)
    """With fewer rows in the episode's windows nothing is trained."""
    minimum_labels: int = Field(100, ge=1)
    """With fewer labels for them nothing is trained."""
    approval: Approval | None = None
    """Whether a person is asked, ``{}`` is enough; left out, nobody is."""
    train: str | None = Field(None, pattern=r"^[A-Za-z_][\w.]*:[A-Za-z_]\w*$")
    """A function, as ``module:function``: ``train(evidence) -> address of the new model``, or its whole card."""
    training_job: TrainingJob | None = None
    """A SageMaker training job in its place."""
    pipeline: Pipeline | None = None
    """A SageMaker pipeline in its place."""
    metric: str | None = None
    """The metric that decides between challenger and champion; left out, ``accuracy``, of numbers ``mae``."""
    promote: Literal["better", "not_worse"] = "better"
    """What a challenger must be to be promoted; ``not_worse``: also one that cannot be told from the champion yet."""

    @model_validator(mode="after")
    def _trains_in_one_way(self) -> Self:
        if len(self.ways) > 1:
            raise ValueError(f"name one of train, training_job, pipeline; got {', '.join(self.ways)}")
        return self

    @property
    def ways(self) -> tuple[str, ...]:
        """How a new model is made: at most one of the three."""
        return tuple(name for name in ("train", "training_job", "pipeline") if getattr(self, name))


class Target(Value):
    """Who is told: one connection of Airflow, and the alerts that go there."""

    kind: Literal["sns", "slack", "pagerduty", "email", "webhook"]
    """Which of Airflow's notifiers sends the message."""
    conn_id: str = Field(pattern=r"^\w[\w.-]{0,199}$")
    """The Airflow connection that knows host and secrets."""
    to: str = ""
    """The topic's ARN (sns), the addresses with commas between them (email), or the path below the host (webhook)."""
    severities: tuple[Severity, ...] = Field(tuple(Severity), min_length=1)
    """Only alerts of these severities; the message that ends an episode goes wherever its alerts went."""
    owner: str = ""
    """Only alerts of this owner; left out, of every owner."""
    name: str = Field("", pattern=r"^(\w[\w.-]{0,199})?$")
    """Tells the targets apart, also in the store; left out, the connection's id."""

    @model_validator(mode="after")
    def _knows_where_to(self) -> Self:
        if bool(self.to) is (self.kind in ("slack", "pagerduty")) and self.kind != "webhook":
            needed = {"sns": "the topic's ARN", "email": "the addresses"}.get(self.kind)
            raise ValueError(f"to: write {needed}" if needed else f"to: of {self.kind} the connection says where to")
        return self

    @property
    def label(self) -> str:
        """What the target is called."""
        return self.name or self.conn_id


def _tell_apart(targets: tuple[Target, ...]) -> tuple[Target, ...]:
    labels = [one.label for one in targets]
    if twice := next((label for label in labels if labels.count(label) > 1), ""):
        raise ValueError(f"two targets are called {twice}; give each a name of its own")
    return targets


class Emit(Value):
    """What else goes out of every judged window; nothing that is not named."""

    cloudwatch: bool = False
    """Whether every number goes to CloudWatch under SageMaker's names, namespaces and dimensions."""
    eventbridge: str | None = Field(None, pattern=r"^[\w./:-]+$", max_length=1600)
    """The event bus, by name or ARN, that gets an event of every verdict: ``default`` is the account's own."""
    prometheus: Address | None = None
    """A text file, such as ``/var/lib/node_exporter/churn.prom``, that holds the newest window's numbers."""
    asset: bool = False
    """Whether every verdict is an event of the Airflow asset ``monitor__<endpoint>``, to schedule DAGs on."""
    openlineage: bool = False
    """Whether findings go out as OpenLineage's data-quality facets; needs apache-airflow-providers-openlineage."""
    post_analytics_processor_script: Address | None = None
    """A Python script whose ``postprocess_handler()`` runs after data quality and model quality, in their folder."""
    post_analytics_processor_sha256: str | None = Field(None, pattern="^[0-9a-f]{64}$")
    """The pinned hash of that script; it runs with the rights of the task."""


Monitors = create_model(
    "Monitors",
    __base__=Value,
    __doc__="The monitors that watch the endpoint; one that is not named does not run.",
    **{row.name: (row.settings | None, Field(None, description=row.settings.__doc__)) for row in MONITORS.values()},  # type: ignore[call-overload]
)


def _watches(monitors: Value) -> Value:
    if not any(getattr(monitors, name) for name in MONITORS):
        raise ValueError("name at least one, with its settings or {}: " + ", ".join(MONITORS))
    return monitors


class Endpoint(Value):
    """One watched endpoint."""

    endpoint_name: str = Field(pattern=NAME)
    """The endpoint's name: part of addresses, of the DAG's id and of run ids."""
    root: Address
    """Where everything that we write goes, below a folder of the endpoint's name."""
    capture: Capture
    monitors: Annotated[Monitors, AfterValidator(_watches)]
    variants: Variants = Variants()
    """Which variants are judged, with ``capture.layout: variants``; left out, the rows of all together."""
    ground_truth: GroundTruth | None = None
    """Needed by the monitors that look at labels."""
    model: Model | None = None
    """Needed by attribution; its version is recorded in every report."""
    baseline: Reference | None = None
    """Left out, the first window with enough rows becomes the baseline."""
    schedule_expression: ScheduleText = "cron(0 * ? * * *)"
    """When windows end: SageMaker's cron forms, ``@hourly``, ``@daily``, ``0 */6 * * *``, or ``NOW``."""
    data_analysis_start_time: DurationText = "-PT1H"
    """With ``NOW``: where the window starts, counted from the run."""
    data_analysis_end_time: DurationText = "-PT0H"
    """With ``NOW``: where the window ends, counted from the run."""
    start_date: Moment = datetime.fromisoformat("2020-01-01T00:00:00+00:00")
    """No window before this moment is scheduled."""
    retraining: Retraining = Retraining()
    policy: Policy = Policy()
    """Which violations count, how severe they are and what follows; left out, every one does."""
    alerts: Annotated[tuple[Target, ...], AfterValidator(_tell_apart)] = ()
    """Who is told when an episode of violations begins and ends, and when a check fails."""
    emit: Emit = Emit()
    retention: Retention = Retention()
    """How long what was stored of a window is kept; ``monitor-tasks clean`` removes what is past it."""
    aws_conn_id: str | None = Field(None, pattern=r"^[\w.-]{1,200}$")
    """The Airflow connection whose credentials open the addresses; never a secret itself."""
    owner: str = ""
    tags: tuple[str, ...] = ()
    pool: str = Field("default_pool", pattern=r"^[\w.-]+$", max_length=250)
    """The Airflow pool in which its tasks wait for a slot; it has to be there, or they wait for ever."""

    @model_validator(mode="after")
    def _names_what_it_merges(self) -> Self:
        truth, capture = self.ground_truth, self.capture
        if truth and truth.merged_records and not (capture.output_names and capture.input_names):
            raise ValueError("ground_truth.merged_records needs capture.output_names and capture.input_names")
        return self

    @model_validator(mode="after")
    def _hides_no_column_that_is_measured(self) -> Self:
        for name, settings in self.configured().items():
            if getattr(settings, "private", None):
                raise ValueError(
                    f"monitors.{name}.private hides columns of a table from {name} alone; in an endpoint write "
                    "capture.private, which hides them from every monitor and everything that is stored"
                )
            for column in getattr(settings, "plain", ()):
                if column in self.capture.private:
                    raise ValueError(
                        f"capture.private: {column!r} cannot be hidden, monitors.{name} measures its cells; "
                        "take it out of one of the two"
                    )
        return self

    @model_validator(mode="after")
    def _keeps_rows_as_long_as_labels_may_come(self) -> Self:
        rows, truth = self.retention.of("rows"), self.ground_truth
        if rows and truth and rows < truth.longest_wait:
            raise ValueError(
                f"retention.rows: {self.retention.rows} is shorter than labels may take "
                f"({format_duration(truth.longest_wait)}, by ground_truth); keep the rows longer"
            )
        return self

    @model_validator(mode="after")
    def _tells_apart_what_it_compares(self) -> Self:
        compare = getattr(self.configured().get("model_quality"), "compare", None)
        if compare and compare.by == "variant" and self.capture.layout != "variants":
            raise ValueError("monitors.model_quality.compare needs capture.layout: variants, which tells them apart")
        if self.variants.told and self.capture.layout != "variants":
            raise ValueError("variants needs capture.layout: variants, which tells them apart")
        return self

    @model_validator(mode="after")
    def _has_the_monitors_of_its_policy(self) -> Self:
        for place, rule in enumerate(self.policy.rules):
            if not any(fnmatchcase(name, rule.monitor) for name in self.configured()):
                known = ", ".join(self.configured())
                raise ValueError(f"policy.rules.{place}: no monitor {rule.monitor!r} watches it; there are {known}")
        return self

    @property
    def schedule(self) -> Schedule:
        """When windows end."""
        return Schedule.parse(self.schedule_expression)

    @property
    def config_hash(self) -> str:
        """Hash of everything that the YAML says."""
        return hashlib.sha256(self.to_json()).hexdigest()

    def labelled_span(self, window: Window) -> Window:
        """The span of the rows that are labelled for a window: itself, or where its offsets point."""
        truth = self.ground_truth
        if truth is None or truth.start_time_offset is None or truth.end_time_offset is None:
            return window
        start, end = parse_duration(truth.start_time_offset), parse_duration(truth.end_time_offset)
        return Window.of(window.end + start, window.end + end)

    def configured(self) -> dict[str, Any]:
        """The settings of every monitor that watches this endpoint, by name, in the order of the sentence."""
        named = {name: getattr(self.monitors, name) for name in MONITORS}
        return {name: settings for name, settings in named.items() if settings is not None}

    def window_at(self, moment: datetime) -> Window:
        """The newest window that is over at `moment`: the schedule's, or by the offsets where it has none."""
        if not self.schedule.hours:
            start, end = parse_duration(self.data_analysis_start_time), parse_duration(self.data_analysis_end_time)
            hour = moment.replace(minute=0, second=0, microsecond=0)
            return Window.of(hour + start, hour + end)
        return list(self.schedule.windows(moment - timedelta(days=2), moment))[-1]

    def window_for(
        self, asked: str | None, key: str | None, interval: tuple[datetime, datetime] | None, moment: datetime
    ) -> Window:
        """The window of a run: the one asked for, else its partition key's, else its data interval, else the newest.

        Raises:
            UserError: what was asked for is not a window.
        """
        if text := asked or key:
            return Window.parse(text)
        if interval is not None and interval[0] < interval[1]:
            return Window.of(*interval)
        return self.window_at(moment)

    @classmethod
    def parse(cls, text: str, source: str, home: str = "", roots: Sequence[str] = ()) -> Self:
        """The endpoint that a YAML text describes.

        Relative addresses begin at `home`; with `roots`, every address must lie below one of them.

        Raises:
            UserError: one line for each mistake, naming `source`, line and key.
        """
        return read_yaml(cls, text, source).settled(home).confined(roots).value


def on_a_table(settings: type[Value]) -> type[Value]:
    """A monitor's settings, the table's format, private columns and the model, for ``--config`` of the command line."""
    more: dict[str, Any] = {"dataset_format": (DatasetFormat | None, None), "model": (Model | None, None)}
    if "private" not in settings.model_fields:
        more["private"] = Records.__annotations__["private"], Field(default_factory=dict)
    return create_model(f"{settings.__name__}OnATable", __base__=settings, **more)


def json_schema() -> dict[str, Any]:
    """The JSON Schema of an endpoint's YAML, for completion and checks in an editor."""
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **Endpoint.model_json_schema()}
