"""The index that pages are read from: one DAG for all files in ``endpoints/``, off the way of any window.

    compact_days

It writes the shards of the days in which something has changed since the last time. Pages are right without it, and
slow: what no shard holds yet they read by itself. An endpoint whose store does not answer holds up no other.
"""

import logging
from pathlib import Path

from airflow.sdk import DAG, CronDataIntervalTimetable, task
from monitor_connections import site
from monitor_patience import PATIENCE

from monitor_tasks import indexing
from monitor_tasks.endpoint import Endpoint
from monitor_tasks.site import load_endpoints
from monitor_tasks.value import UserError
from monitor_tasks.window import parse_time

ENDPOINTS = Path(__file__).parent / "endpoints"
log = logging.getLogger(__name__)


def compacted(endpoint: Endpoint) -> str:
    """Writes an endpoint's shards; why that could not be done, or empty."""
    try:
        done = indexing.compact(site(endpoint))
    except UserError as error:
        return f"{endpoint.endpoint_name}: {error}"
    log.info("%s: %d days, %d windows", endpoint.endpoint_name, len(done), sum(one.windows for one in done))
    return ""


with DAG(
    "index_windows",
    schedule=CronDataIntervalTimetable("*/30 * * * *", timezone="UTC"),
    start_date=parse_time("2020-01-01T00:00:00Z"),
    catchup=False,
    max_active_runs=1,
    tags=["model-monitor"],
    default_args=PATIENCE,
    doc_md=__doc__,
) as dag:

    @task
    def compact_days() -> None:
        """Every endpoint that can be read; those that cannot are named at the end."""
        found = load_endpoints(ENDPOINTS).values()
        failed = [compacted(one) for one in found if isinstance(one, Endpoint)]
        if told := "; ".join(filter(None, failed)):
            raise UserError(told)

    compact_days()
