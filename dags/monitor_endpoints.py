"""The sentence, once per endpoint: one DAG ``monitor__<endpoint>`` for every file in ``endpoints/``.

    ingest_capture -+-> suggest_baseline -+-> validate_data -----+
                    |                     |                      |                     +-> trigger_retraining
                    +-> merge_labels -----+-> measure_quality ---+--> choose_action ---+-> alert
                    |                     +-> check_bias --------+                     +-> rest
                    +---------------------+-> check_attribution -+                     +-> emit_metrics

A monitor that is not configured has no box, without labels to merge there is no merge_labels, and without anything to
emit no emit_metrics. The box alert also runs beside another one, where an episode is over or a message still waits.
Only addresses travel between the tasks. A task says whether a check ran; violations are data.
"""

import logging
from pathlib import Path
from typing import Any

from airflow.providers.standard.operators.empty import EmptyOperator
from airflow.providers.standard.operators.trigger_dagrun import TriggerDagRunOperator
from airflow.sdk import DAG, CronDataIntervalTimetable, Param, get_current_context, get_parsing_context, task
from airflow.sdk.exceptions import AirflowSkipException
from monitor_connections import site
from monitor_emitting import emits, send_out, verdicts
from monitor_notifiers import send
from monitor_patience import of_endpoint

from monitor_tasks import sending, tasks
from monitor_tasks.endpoint import Endpoint
from monitor_tasks.monitors.settings import MONITORS
from monitor_tasks.site import load_endpoints, share_of
from monitor_tasks.window import Window

ENDPOINTS = Path(__file__).parent / "endpoints"
MOMENT = r"[0-9]{4}-[0-9]{2}-[0-9]{2}(T[0-9Z:.+-]{2,25})?"
log = logging.getLogger(__name__)


def params(endpoint: Endpoint) -> dict[str, Param]:
    """The trigger form: ids and a window only, each of a strict pattern."""
    return {
        "window": Param(
            None,
            type=["null", "string"],
            pattern=rf"^{MOMENT}/(P[0-9A-Z.]{{1,20}}|{MOMENT})(?!\n)$",
            title="Window",
            description="START/DURATION in UTC, such as 2026-01-01T00:00:00Z/PT1H; empty: the run's own interval",
        ),
        "monitors": Param(
            None,
            type=["null", "array"],
            items={"type": "string", "enum": list(endpoint.configured())},
            minItems=1,
            title="Monitors",
            description="Which monitors run; empty: all that are configured",
        ),
        "baseline_id": Param(
            None,
            type=["null", "string"],
            pattern=r"^[0-9a-f]{20}(?!\n)$",
            title="Baseline",
            description="Judge by this baseline; empty: the one that is pinned",
        ),
        "allow_retraining": Param(
            None,
            type=["null", "boolean"],
            title="Allow retraining",
            description="Empty: as the endpoint's configuration says, and never in a backfill",
        ),
    }


def window(endpoint: Endpoint) -> Window:
    """The window of the running task, right in scheduled, manual, API and backfill runs."""
    context = get_current_context()
    run = context["dag_run"]
    start, end = run.data_interval_start, run.data_interval_end
    interval = (start, end) if start and end else None
    return endpoint.window_for(
        context["params"]["window"], getattr(run, "partition_key", None), interval, run.run_after
    )


def only(monitor: str) -> None:
    """Skips the running task where the run was asked for other monitors."""
    asked = get_current_context()["params"]["monitors"]
    if asked and monitor not in asked:
        raise AirflowSkipException(f"this run was asked for {', '.join(asked)} only")


def monitor_dag(endpoint: Endpoint) -> DAG:
    """The sentence for one endpoint."""
    cron = endpoint.schedule.cron
    with DAG(
        f"monitor__{endpoint.endpoint_name}",
        schedule=CronDataIntervalTimetable(cron, timezone="UTC") if cron else None,
        start_date=endpoint.start_date,
        catchup=False,
        max_active_runs=8,
        tags=["model-monitor", *endpoint.tags],
        owner_links={},
        default_args=of_endpoint(endpoint),
        doc_md=f"{__doc__}\nConfiguration `{endpoint.config_hash}`",
    ) as dag:

        @task
        def ingest_capture() -> str:
            return tasks.ingest_capture(site(endpoint), window(endpoint))

        @task
        def suggest_baseline(captured: str) -> str:
            wanted = get_current_context()["params"]["baseline_id"] or ""
            return tasks.suggest_baseline(site(endpoint), window(endpoint), captured, wanted)

        @task
        def merge_labels(captured: str) -> str:
            return tasks.merge_labels(site(endpoint), window(endpoint), captured)

        @task
        def run_monitor(name: str, rows: str, baseline: str) -> str:
            only(name)
            return tasks.run_monitor(site(endpoint), name, window(endpoint), rows, baseline)

        @task.branch(trigger_rule="none_failed")
        def choose_action(reports: dict[str, str | None]) -> list[str]:
            context, place = get_current_context(), site(endpoint)
            backfill = context["dag_run"].run_type == "backfill"
            allowed = tasks.permission(endpoint, context["params"]["allow_retraining"], backfill)
            done = {name: key for name, key in reports.items() if key}
            verdict = tasks.choose_action(place, window(endpoint), done, allowed)
            waits = not backfill and sending.announce(place, window(endpoint))
            context["ti"].xcom_push("episode", verdict.episode)
            context["ti"].xcom_push("window", verdict.window)
            context["ti"].xcom_push("text", verdict.text)
            also = {"alert": waits, "emit_metrics": emits(endpoint)}
            return list(dict.fromkeys([BOXES[verdict.action], *(box for box, wanted in also.items() if wanted)]))

        @task
        def alert() -> None:
            log.warning("%s", get_current_context()["ti"].xcom_pull("choose_action", key="text"))
            if endpoint.alerts:
                sending.deliver(site(endpoint), send)

        captured = ingest_capture()
        baseline = suggest_baseline(captured)
        monitors = [MONITORS[name] for name in endpoint.configured()]
        rows = dict.fromkeys(("captured", "explained"), captured)
        if any(monitor.stage == "labelled" for monitor in monitors):
            rows["labelled"] = merge_labels(captured)
        reports = {
            monitor.name: run_monitor.override(task_id=monitor.task)(monitor.name, rows[monitor.stage], baseline)
            for monitor in monitors
        }
        chosen = choose_action(reports)
        chosen >> [trigger_retraining(endpoint), alert(), EmptyOperator(task_id="rest")]
        if emits(endpoint):
            chosen >> emitting(endpoint)
    dag.params.update(params(endpoint))  # last, or each task copies the form: five times the cost of a DAG's reading
    return dag


BOXES = {"retrain": "trigger_retraining", "alert": "alert", "rest": "rest"}


def emitting(endpoint: Endpoint) -> Any:
    """The box that sends a window's numbers and its verdict to other systems, and lets an asset know."""
    asset = verdicts(endpoint)

    @task(outlets=[asset] if endpoint.emit.asset else [])
    def emit_metrics(*, outlet_events: Any = None) -> None:
        place, asked = site(endpoint), window(endpoint)
        if endpoint.emit.asset:
            outlet_events[asset].extra = sending.event_of(place, sending.judged(place, asked))
        send_out(endpoint, [asked])

    return emit_metrics()


def trigger_retraining(endpoint: Endpoint) -> TriggerDagRunOperator:
    """Hands over to the retraining DAG, once per endpoint and episode: the run's id is made of both."""
    episode = "{{ ti.xcom_pull('choose_action', key='episode') }}"
    return TriggerDagRunOperator(
        task_id="trigger_retraining",
        trigger_dag_id=endpoint.retraining.dag_id,
        trigger_run_id=f"retrain__{endpoint.endpoint_name}__{episode}",
        conf={
            "endpoint": endpoint.endpoint_name,
            "episode": episode,
            "window": "{{ ti.xcom_pull('choose_action', key='window') }}",
        },
        logical_date=None,
        skip_when_already_exists=True,
    )


def broken_dag(path: str, error: Exception) -> DAG:
    """The DAG in the place of a configuration that cannot be read: it runs, fails, and says file, line and key."""
    with DAG(
        f"monitor__{Path(path).stem}",
        schedule=CronDataIntervalTimetable("@hourly", timezone="UTC"),
        start_date=Endpoint.model_fields["start_date"].default,
        catchup=False,
        max_active_runs=1,
        tags=["model-monitor", "broken-configuration"],
        doc_md=f"This endpoint's configuration cannot be read:\n\n```\n{error}\n```",
    ) as dag:

        @task
        def read_configuration() -> None:
            raise error

        read_configuration()
    return dag


def dag_id(path: str, endpoint: Any) -> str:
    """The id of the DAG that a configuration file makes."""
    return f"monitor__{endpoint.endpoint_name if isinstance(endpoint, Endpoint) else Path(path).stem}"


wanted = get_parsing_context().dag_id
name = wanted and wanted.removeprefix("monitor__")
for path, endpoint in load_endpoints(ENDPOINTS, name, share_of(__file__)).items():
    if wanted in (None, dag_id(path, endpoint)):
        made = monitor_dag(endpoint) if isinstance(endpoint, Endpoint) else broken_dag(path, endpoint)
        globals()[made.dag_id] = made
