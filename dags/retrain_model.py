"""What a violation may trigger; yours to replace. It receives ids and derives every address from configuration.

check_evidence -> refit_model
"""

from pathlib import Path

from airflow.sdk import DAG, Param, get_current_context, task
from monitor_connections import site

from monitor_tasks.monitors.settings import NAME
from monitor_tasks.retraining import retrain
from monitor_tasks.site import Site, load_endpoints
from monitor_tasks.value import UserError
from monitor_tasks.window import Window, parse_time

ENDPOINTS = Path(__file__).parent / "endpoints"


def request() -> tuple[Site, str, Window]:
    """The endpoint, the episode and the window that the run was asked for."""
    asked = get_current_context()["params"]
    for endpoint in load_endpoints(ENDPOINTS, asked["endpoint"]).values():
        if getattr(endpoint, "endpoint_name", None) == asked["endpoint"]:
            return site(endpoint), asked["episode"], Window.parse(asked["window"])
    raise UserError(f"no readable file in {ENDPOINTS.name}/ describes the endpoint {asked['endpoint']}")


with DAG(
    "retrain_model",
    schedule=None,
    start_date=parse_time("2020-01-01T00:00:00Z"),
    catchup=False,
    max_active_runs=4,
    tags=["model-monitor"],
    doc_md=__doc__,
    params={
        "endpoint": Param(type="string", pattern=NAME.replace("$", r"(?!\n)$"), title="Endpoint"),
        "episode": Param(type="string", pattern=r"^[0-9]{6}(?!\n)$", title="Episode"),
        "window": Param(type="string", pattern=r"^[0-9TZ:-]{20}/P[0-9DTHMS]{1,20}(?!\n)$", title="Window"),
    },
) as dag:

    @task
    def check_evidence() -> str:
        """The evidence's address; a request without evidence fails here."""
        place, episode, _ = request()
        address = place.evidence_key(episode)
        place.store.get(address)
        return address

    @task
    def refit_model() -> str:
        """The new model's address."""
        return retrain(*request())

    check_evidence() >> refit_model()
