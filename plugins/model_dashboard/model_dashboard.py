"""The model dashboard inside Airflow: an entry in the navigation, and a tab on each DAG and on its runs.

Airflow imports plugins in every process of a task, so nothing is loaded here but the plugin's own few lines: the
pages, the stores and FastAPI come with the first request.
"""

from functools import cache
from typing import Any

from airflow.plugins_manager import AirflowPlugin

PREFIX = "/model-dashboard"
RUNS = 500
"""So many of a DAG's newest runs are looked through for the one of a window."""


async def dashboard(scope: Any, receive: Any, send: Any) -> None:
    """The dashboard as Airflow mounts it; it is made when it is asked for the first time."""
    await application()(scope, receive, send)


@cache
def application() -> Any:
    """The dashboard, in which every route asks Airflow who is there and which DAGs they may read."""
    from typing import Annotated
    from urllib.parse import urlsplit

    from airflow.api_fastapi.app import get_auth_manager
    from airflow.api_fastapi.core_api.security import GetUserDep
    from airflow.configuration import conf
    from fastapi import Depends, Request
    from fastapi.responses import RedirectResponse, Response

    from monitor_tasks.dashboard import Known, Outside
    from monitor_tasks.io.store import Missing
    from monitor_tasks.pages.board.frame import windowed
    from monitor_tasks.serving import dashboard_app

    endpoints = watched()

    def readable(user: GetUserDep) -> Known:
        """The endpoints whose DAGs the user may read."""
        dags = get_auth_manager().get_authorized_dag_ids(user=user, method="GET")
        return {name: one for name, one in endpoints().items() if f"monitor__{name}" in dags}

    airflow = urlsplit(conf.get("api", "base_url", fallback="")).path.rstrip("/") + "/"
    app = dashboard_app(readable, Outside(airflow, run_of))

    @app.get("/dags/{dag_id}/", response_class=Response, include_in_schema=False)
    @app.get("/dags/{dag_id}/runs/{run_id}/", response_class=Response, include_in_schema=False)
    def tab(request: Request, dag_id: str, known: Annotated[Known, Depends(readable)], run_id: str = "") -> Response:
        """Where the tab of a DAG or of its run leads: its endpoint's page, or its window's."""
        prefix, name = request.scope.get("root_path", ""), dag_id.partition("__")[2]
        site = known[name].site if name in known else None
        if site is None:
            raise Missing(f"the DAG {dag_id} watches no endpoint that you may see; DAGs called monitor__… do")
        window = window_of(site.endpoint, dag_id, run_id) if run_id else None
        folder = f"windows/{windowed(window)}/" if window else ""
        return RedirectResponse(f"{prefix}/endpoints/{name}/{folder}")

    return app


def watched() -> Any:
    """The endpoints beside Airflow's DAGs, opened with the credentials of their connections."""
    from importlib.util import module_from_spec, spec_from_file_location
    from pathlib import Path

    from airflow.configuration import conf

    from monitor_tasks.dashboard import Endpoints

    dags = Path(conf.get("core", "dags_folder"))
    spec = spec_from_file_location("monitor_connections", dags / "monitor_connections.py")
    if spec is None or spec.loader is None:
        raise ImportError(f"{dags}: holds no monitor_connections.py; set [core] dags_folder to this project's dags")
    connections = module_from_spec(spec)
    spec.loader.exec_module(connections)
    return Endpoints(dags / "endpoints", connections.site)


def window_of(endpoint: Any, dag_id: str, run_id: str) -> Any:
    """The window that a run of a DAG was about; None where there is no such run, or it named none."""
    from airflow.models.dagrun import DagRun
    from airflow.utils.session import create_session
    from sqlalchemy import select

    from monitor_tasks.value import UserError

    with create_session() as session:
        run = session.scalar(select(DagRun).where(DagRun.dag_id == dag_id, DagRun.run_id == run_id))
        try:
            return _window(endpoint, run) if run else None
        except UserError:
            return None


def run_of(dag_id: str, window: Any) -> str:
    """The newest run of a DAG that was about a window; empty where there is none."""
    from airflow.models.dagrun import DagRun
    from airflow.utils.session import create_session
    from sqlalchemy import select

    with create_session() as session:
        runs = session.scalars(
            select(DagRun).where(DagRun.dag_id == dag_id).order_by(DagRun.run_after.desc()).limit(RUNS)
        )
        return next((str(one.run_id) for one in runs if _is_of(one, window)), "")


def _window(endpoint: Any, run: Any) -> Any:
    """The window of a run, as its tasks chose it."""
    start, end = run.data_interval_start, run.data_interval_end
    interval = (start, end) if start and end else None
    return endpoint.window_for((run.conf or {}).get("window"), getattr(run, "partition_key", None), interval,
                               run.run_after)  # fmt: skip


def _is_of(run: Any, window: Any) -> bool:
    """Whether a run was about a window: asked for it, or had its interval."""
    asked = (run.conf or {}).get("window")
    interval = (run.data_interval_start, run.data_interval_end)
    return bool(asked == str(window)) if asked else interval == (window.start, window.end)


class ModelDashboard(AirflowPlugin):
    """An entry in the navigation, and a tab on each DAG and on its runs."""

    name = "model_dashboard"
    fastapi_apps = [{"app": dashboard, "url_prefix": PREFIX, "name": "Model dashboard"}]  # noqa: RUF012 - Airflow's own form
    external_views = [  # noqa: RUF012
        {"name": "Models", "href": f"{PREFIX}/", "destination": "nav", "url_route": "models", "nav_top_level": True},
        {"name": "Model", "href": f"{PREFIX}/dags/{{DAG_ID}}/", "destination": "dag", "url_route": "model"},
        {"name": "Model window", "href": f"{PREFIX}/dags/{{DAG_ID}}/runs/{{RUN_ID}}/", "destination": "dag_run",
         "url_route": "model-window"},
    ]  # fmt: skip
