"""Late labels, once per endpoint: one DAG ``labels__<endpoint>`` for every file in ``endpoints/`` with labels.

    meet_labels --> restate_windows -+-> trigger_retraining -+-> settle_labels
                                     +-> alert --------------+
                                     +-> emit_metrics -------+

``meet_labels`` finds the windows that labels have reached since the last time; without any, the rest is skipped.
Until ``settle_labels`` has run, the next run is told of the same windows again. A window that could not be judged
holds up no other: ``settle_labels`` fails with its name, and the next run is told of it again. Only addresses and ids
travel. Without anything to emit there is no emit_metrics.
"""

import logging
from pathlib import Path
from typing import Any

from airflow.providers.standard.operators.trigger_dagrun import TriggerDagRunOperator
from airflow.sdk import (
    DAG,
    Asset,
    AssetAlias,
    AssetOrTimeSchedule,
    CronDataIntervalTimetable,
    Param,
    get_current_context,
    get_parsing_context,
    task,
)
from airflow.sdk.exceptions import AirflowFailException, AirflowSkipException
from monitor_connections import site
from monitor_emitting import emits, send_out, verdicts
from monitor_notifiers import send
from monitor_patience import of_endpoint

from monitor_tasks import restating, sending, tasks
from monitor_tasks.endpoint import Endpoint
from monitor_tasks.site import load_endpoints, share_of
from monitor_tasks.staging import label_names
from monitor_tasks.window import Window

ENDPOINTS = Path(__file__).parent / "endpoints"
log = logging.getLogger(__name__)


def when(endpoint: Endpoint) -> CronDataIntervalTimetable | AssetOrTimeSchedule | list[Asset] | None:
    """As often as windows end, and whenever an asset tells that labels have come."""
    cron, told = endpoint.schedule.cron, endpoint.ground_truth and endpoint.ground_truth.asset
    timed, assets = CronDataIntervalTimetable(cron, timezone="UTC") if cron else None, [Asset(told)] if told else None
    return AssetOrTimeSchedule(timetable=timed, assets=assets) if timed and assets else timed or assets


def labels_dag(endpoint: Endpoint) -> DAG:
    """The restating of one endpoint; one run at a time."""
    with DAG(
        f"labels__{endpoint.endpoint_name}",
        schedule=when(endpoint),
        start_date=endpoint.start_date,
        catchup=False,
        max_active_runs=1,
        tags=["model-monitor", "labels", *endpoint.tags],
        default_args=of_endpoint(endpoint),
        doc_md=f"{__doc__}\nConfiguration `{endpoint.config_hash}`",
    ) as dag:

        @task
        def meet_labels() -> str:
            plan = restating.meet_labels(site(endpoint))
            if not plan:
                raise AirflowSkipException("no labels have arrived since the last time")
            return plan

        @task
        def restate_windows(plan: str) -> list[dict[str, str]]:
            context = get_current_context()
            allowed = tasks.permission(
                endpoint, context["params"]["allow_retraining"], context["dag_run"].run_type == "backfill"
            )
            place = site(endpoint)
            try:
                verdicts, failed = restating.restate(place, plan, allowed), {}
            except restating.NotRestated as error:
                verdicts, failed = error.verdicts, error.failed
            if failed:
                context["ti"].xcom_push("failed", failed)
            sending.announce(place, *(Window.parse(one.window) for one in verdicts))
            context["ti"].xcom_push("alerts", [one.text for one in verdicts if one.action == "alert"])
            context["ti"].xcom_push("windows", [one.window for one in verdicts])
            return [
                {
                    "trigger_run_id": f"retrain__{endpoint.endpoint_name}__{one.episode}",
                    "conf": {"endpoint": endpoint.endpoint_name, "episode": one.episode, "window": one.window},
                }
                for one in verdicts
                if one.action == "retrain"
            ]

        @task(trigger_rule="none_failed")
        def settle_labels(plan: str | None) -> None:
            if plan:
                failed = get_current_context()["ti"].xcom_pull("restate_windows", key="failed") or {}
                settle(endpoint, plan, failed)

        plan = meet_labels()
        asked = restate_windows(plan)
        handed_over = TriggerDagRunOperator.partial(
            task_id="trigger_retraining",
            trigger_dag_id=endpoint.retraining.dag_id,
            logical_date=None,
            skip_when_already_exists=True,
        ).expand_kwargs(asked)
        asked >> alerting(endpoint) >> (settled := settle_labels(plan))
        handed_over >> settled
        if emits(endpoint):
            asked >> emitting(endpoint) >> settled
    dag.params["allow_retraining"] = Param(  # last, or each task copies the form
        None,
        type=["null", "boolean"],
        title="Allow retraining",
        description="Empty: as the endpoint's configuration says, and never in a backfill",
    )
    return dag


def alerting(endpoint: Endpoint) -> Any:
    """The box that sends what waits to be told."""

    @task
    def alert() -> None:
        for text in get_current_context()["ti"].xcom_pull("restate_windows", key="alerts"):
            log.warning("%s", text)
        if endpoint.alerts:
            sending.deliver(site(endpoint), send)

    return alert()


def emitting(endpoint: Endpoint) -> Any:
    """The box that sends the new numbers and verdicts of the windows; an alias takes several events of one task."""
    alias = AssetAlias(f"restated__{endpoint.endpoint_name}")

    @task(outlets=[alias] if endpoint.emit.asset else [])
    def emit_metrics(*, outlet_events: Any = None) -> None:
        place, asked = site(endpoint), get_current_context()["ti"].xcom_pull("restate_windows", key="windows")
        windows = [Window.parse(one) for one in asked]
        for window in windows if endpoint.emit.asset else []:
            told = sending.event_of(place, sending.judged(place, window))
            outlet_events[alias].add(verdicts(endpoint), extra=told)
        send_out(endpoint, windows)

    return emit_metrics()


def settle(endpoint: Endpoint, plan: str, failed: dict[str, str]) -> None:
    """Notes that a plan is settled but for the windows that failed, which are an error then."""
    restating.settle_labels(site(endpoint), plan, failed)
    if failed:
        raise AirflowFailException(str(restating.NotRestated(failed)))


wanted = get_parsing_context().dag_id
name = wanted and wanted.removeprefix("labels__")
for endpoint in load_endpoints(ENDPOINTS, name, share_of(__file__)).values():
    is_late = isinstance(endpoint, Endpoint) and endpoint.ground_truth and not endpoint.ground_truth.start_time_offset
    if is_late and label_names(endpoint) and wanted in (None, f"labels__{endpoint.endpoint_name}"):
        made = labels_dag(endpoint)
        globals()[made.dag_id] = made
