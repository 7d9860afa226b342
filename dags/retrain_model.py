"""What a violation may trigger; yours to replace. It receives ids and derives every address from configuration.

    check_evidence --> approve --> train -+-----------------+-> compare --> promote
                                          +-> training_job -+
                                          +-> pipeline -----+

Every box is a gate: too little evidence, a rejection or no answer in time, a challenger that is not better than the
champion skip what follows; an error fails. Both leave the champion in place, and the episode's record says why.
The boxes training_job and pipeline are there if an endpoint trains that way.
"""

from pathlib import Path
from typing import Any

from airflow.providers.standard.operators.hitl import ApprovalOperator
from airflow.sdk import DAG, Param, get_current_context, task
from airflow.sdk.exceptions import AirflowFailException
from monitor_connections import site
from monitor_patience import PATIENCE

from monitor_tasks import retraining
from monitor_tasks.endpoint import Endpoint
from monitor_tasks.gates import GateRecord
from monitor_tasks.io.store import StoreError
from monitor_tasks.monitors.settings import NAME
from monitor_tasks.site import Site, load_endpoints
from monitor_tasks.value import UserError
from monitor_tasks.window import Window, parse_duration, parse_time

ENDPOINTS = Path(__file__).parent / "endpoints"
CHECK_SECONDS = 30
"""How often SageMaker is asked whether it is done."""


def request(asked: Any = None) -> tuple[Site, str, Window]:
    """The endpoint, the episode and the window that the run was asked for."""
    asked = asked or get_current_context()["params"]
    for endpoint in load_endpoints(ENDPOINTS, asked["endpoint"]).values():
        if getattr(endpoint, "endpoint_name", None) == asked["endpoint"]:
            return site(endpoint), asked["episode"], Window.parse(asked["window"])
    raise UserError(f"no readable file in {ENDPOINTS.name}/ describes the endpoint {asked['endpoint']}")


def at(gate: Any, *more: Any) -> Any:
    """What a gate answers; a mistake that a person has to mend fails at once."""
    try:
        return gate(*request(), *more)
    except StoreError:
        raise
    except UserError as error:
        raise AirflowFailException(str(error)) from error


def is_open(found: GateRecord) -> str:
    """What the next gate is opened by: nothing where this one was not passed."""
    return found.because if found.outcome == "passed" else ""


class Approve(ApprovalOperator):
    """Asks a person where the endpoint's configuration wants one, and records who answered what."""

    def execute(self, context: Any) -> Any:
        """Asks, or lets pass."""
        place, episode, window = request()
        asked = place.endpoint.retraining.approval
        if asked is None:
            return at(retraining.approve, "passed", "the configuration, which asks nobody").because
        self.subject = f"Retrain {place.name} on episode {episode}?"
        self.body = retraining.question(place, episode, window)  # never a template: it holds names of columns
        self.response_timeout = parse_duration(asked.timeout)
        self.assigned_users = [{"id": one, "name": one} for one in asked.users] or None
        return super().execute(context)

    def execute_complete(self, context: Any, event: dict[str, Any]) -> Any:
        """Records the answer; whatever is no approval skips all that follows."""
        person, chosen = event.get("responded_by_user"), event.get("chosen_options")
        by = str(person["name"] or person["id"]) if person else "nobody, in time"
        at(retraining.approve, "passed" if chosen == [self.APPROVE] else "refused", by)
        return super().execute_complete(context, event)


def note_failure(context: Any) -> None:
    """Records that SageMaker could not train."""
    retraining.failed(*request(context["params"]), f"{context['task'].task_id}: {context.get('exception')}")


def trains_by(way: str) -> bool:
    """Whether any endpoint trains that way."""
    found = [one for one in load_endpoints(ENDPOINTS).values() if isinstance(one, Endpoint)]
    return any(way in one.retraining.ways for one in found)


def training_job(told: Any) -> Any:
    """The box of SageMaker's training job."""
    from airflow.providers.amazon.aws.operators.sagemaker import SageMakerTrainingOperator

    return SageMakerTrainingOperator(
        task_id="training_job",
        config=told["config"],
        aws_conn_id=told["connection"],
        check_interval=CHECK_SECONDS,
        on_failure_callback=note_failure,
    )


def pipeline(told: Any) -> Any:
    """The box of SageMaker's pipeline."""
    from airflow.providers.amazon.aws.operators.sagemaker import SageMakerStartPipelineOperator

    return SageMakerStartPipelineOperator(
        task_id="pipeline",
        pipeline_name=told["name"],
        pipeline_params=told["parameters"],
        aws_conn_id=told["connection"],
        wait_for_completion=True,
        check_interval=CHECK_SECONDS,
        verbose=False,
        on_failure_callback=note_failure,
    )


SAGEMAKER = {"training_job": training_job, "pipeline": pipeline}

with DAG(
    "retrain_model",
    schedule=None,
    start_date=parse_time("2020-01-01T00:00:00Z"),
    catchup=False,
    max_active_runs=4,
    tags=["model-monitor"],
    default_args=PATIENCE,
    doc_md=__doc__,
    params={
        "endpoint": Param(type="string", pattern=NAME.replace("$", r"(?!\n)$"), title="Endpoint"),
        "episode": Param(type="string", pattern=r"^[0-9]{6}(?!\n)$", title="Episode"),
        "window": Param(type="string", pattern=r"^[0-9TZ:-]{20}/P[0-9DTHMS]{1,20}(?!\n)$", title="Window"),
    },
) as dag:

    @task.short_circuit
    def check_evidence() -> str:
        """Whether there is enough to learn from."""
        return is_open(at(retraining.check_evidence))

    @task.branch(retries=0)
    def train() -> str:
        """The new model, or which box makes it."""
        place, *_ = request()
        (way,) = place.endpoint.retraining.ways
        if way == "train":
            at(retraining.train)
            return "compare"
        told = at(retraining.job if way == "training_job" else retraining.pipeline)
        for key, value in {**told, "connection": place.endpoint.aws_conn_id}.items():
            get_current_context()["ti"].xcom_push(key, value)
        return way

    @task.short_circuit(trigger_rule="none_failed_min_one_success")
    def compare() -> str:
        """Whether the challenger is better than the champion."""
        for way in boxes:
            if result := get_current_context()["ti"].xcom_pull(way):
                made = result["Training"]["ModelArtifacts"]["S3ModelArtifacts"] if way == "training_job" else ""
                at(retraining.take_model, made)
        return is_open(at(retraining.compare))

    @task
    def promote() -> str:
        """The challenger becomes the champion."""
        return at(retraining.promote).because

    approve = Approve(
        task_id="approve", subject="Retrain?", defaults=ApprovalOperator.REJECT, ignore_downstream_trigger_rules=True
    )
    trained, compared = train(), compare()
    check_evidence() >> approve >> trained >> compared >> promote()
    boxes = {way: box(trained) for way, box in SAGEMAKER.items() if trains_by(way)}
    for box in boxes.values():
        trained >> box >> compared
