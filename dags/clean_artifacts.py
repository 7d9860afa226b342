"""What is past its time goes, once per endpoint: one DAG ``clean__<endpoint>`` for every file that says a retention.

    remove_what_is_past

It runs once a day, one run at a time. Killed anywhere, the next run goes on; run twice, it removes nothing more.
"""

import json
import logging
from pathlib import Path

from airflow.sdk import DAG, CronDataIntervalTimetable, Param, get_current_context, get_parsing_context, task
from monitor_connections import site
from monitor_patience import of_endpoint

from monitor_tasks import cleaning
from monitor_tasks.endpoint import Endpoint
from monitor_tasks.retention import Retention
from monitor_tasks.site import load_endpoints
from monitor_tasks.window import now

ENDPOINTS = Path(__file__).parent / "endpoints"
log = logging.getLogger(__name__)


def clean_dag(endpoint: Endpoint) -> DAG:
    """The cleaning of one endpoint."""
    with DAG(
        f"clean__{endpoint.endpoint_name}",
        schedule=CronDataIntervalTimetable("@daily", timezone="UTC"),
        start_date=endpoint.start_date,
        catchup=False,
        max_active_runs=1,
        params={
            "dry_run": Param(False, type="boolean", title="Dry run", description="Only log what would be removed"),
        },
        tags=["model-monitor", "retention", *endpoint.tags],
        default_args=of_endpoint(endpoint),
        doc_md=f"{__doc__}\nConfiguration `{endpoint.config_hash}`",
    ) as dag:

        @task
        def remove_what_is_past() -> None:
            place, moment = site(endpoint), now()
            found = cleaning.plan(place, moment)
            log.info("%s", json.dumps(found.told))
            if not get_current_context()["params"]["dry_run"]:
                cleaning.clean(place, found, moment)

        remove_what_is_past()
    return dag


wanted = get_parsing_context().dag_id
for endpoint in load_endpoints(ENDPOINTS).values():
    is_wanted = isinstance(endpoint, Endpoint) and wanted in (None, f"clean__{endpoint.endpoint_name}")
    if is_wanted and endpoint.retention != Retention():
        made = clean_dag(endpoint)
        globals()[made.dag_id] = made
