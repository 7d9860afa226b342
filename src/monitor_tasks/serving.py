"""Serving: the dashboard's pages over HTTP, read only; who may see which endpoint is said by who mounts it."""

from collections.abc import Callable
from socket import SO_REUSEADDR, SOL_SOCKET, socket
from typing import Annotated, Any

from fastapi import Depends, FastAPI, Query, Request
from fastapi import Path as Step
from fastapi.responses import HTMLResponse, JSONResponse, Response

from monitor_tasks.dashboard import Dashboard, Endpoints, Known, Outside
from monitor_tasks.io.errors import Unreachable
from monitor_tasks.io.store import Missing
from monitor_tasks.pages.board.frame import Page, Place
from monitor_tasks.value import UserError

LOOPBACK = ("127.0.0.1", "localhost")
HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
}
NAME = r"^[^/\\\x00]{1,200}$"

Endpoint = Annotated[str, Step(pattern=NAME, description="The endpoint's name.")]
WindowStep = Annotated[str, Step(pattern=r"^\d{8}T\d{6}Z_P[0-9DTHMS]{1,30}$", description="20260101T000000Z_PT1H")]
Name = Annotated[str, Step(pattern=NAME)]
Days = Annotated[int, Query(ge=1, le=366, description="How many days back from the newest window.")]
Alone = Annotated[bool, Query(description="As one file to keep, that leads nowhere.")]
"""What an address may hold; anything else is refused before a store is asked."""


def dashboard_app(known: Callable[..., Known], outside: Outside | None = None) -> FastAPI:
    """The dashboard as an application to be mounted or served.

    `known` is a dependency of every route: the endpoints that the caller may see, or it refuses the caller.
    """
    app = FastAPI(
        title="Model dashboard", docs_url=None, redoc_url=None, openapi_url=None, dependencies=[Depends(known)],
        default_response_class=HTMLResponse, responses=_TROUBLES,
    )  # fmt: skip
    seen = Annotated[Known, Depends(known)]

    @app.exception_handler(UserError)
    def trouble(request: Request, error: Exception) -> Response:
        """Why a page cannot be shown, as a page."""
        code = 404 if isinstance(error, Missing) else 503 if isinstance(error, Unreachable) else 422
        return _answer(Dashboard({}, _place(request, outside)).trouble(str(error)), status=code)

    def board(request: Request, endpoints: seen, alone: Alone = False) -> Dashboard:
        return Dashboard(endpoints, _place(request, outside)._replace(alone=alone), outside)

    asked = Annotated[Dashboard, Depends(board)]
    _pages(app, asked)
    _files(app, asked)

    @app.get("/openapi.json", include_in_schema=False)
    def schema(_: seen) -> JSONResponse:
        return JSONResponse(app.openapi(), headers=HEADERS)

    return app


def _pages(app: FastAPI, asked: Any) -> None:
    """Every page of the dashboard, by its address."""

    @app.get("/")
    def overview(board: asked) -> Response:
        """All endpoints."""
        return _answer(board.overview(), board)

    @app.get("/endpoints/{endpoint}/")
    def endpoint(board: asked, endpoint: Endpoint, days: Days = 7) -> Response:
        """One endpoint: its windows, episodes and the history of every metric."""
        return _answer(board.endpoint(endpoint, days), board)

    @app.get("/endpoints/{endpoint}/metrics/{series}/")
    def metric(
        board: asked, endpoint: Endpoint, series: Annotated[str, Step(pattern="^[0-9a-f]{16}$")], days: Days = 7
    ) -> Response:
        """One metric of one endpoint, drawn large."""
        return _answer(board.metric(endpoint, series, days), board)

    @app.get("/endpoints/{endpoint}/estimates/")
    def estimates(board: asked, endpoint: Endpoint, days: Days = 7) -> Response:
        """What metrics were expected to be without labels, beside what was realised."""
        return _answer(board.estimates(endpoint, days), board)

    @app.get("/endpoints/{endpoint}/windows/{window}/")
    def window(board: asked, endpoint: Endpoint, window: WindowStep) -> Response:
        """One window: its ledger and what every monitor found."""
        return _answer(board.window(endpoint, window), board)

    @app.get("/endpoints/{endpoint}/baselines/")
    def baselines(board: asked, endpoint: Endpoint) -> Response:
        """The baselines, and from when each of them holds."""
        return _answer(board.baselines(endpoint), board)

    @app.get("/endpoints/{endpoint}/baselines/{baseline}/")
    def baseline(board: asked, endpoint: Endpoint, baseline: Name) -> Response:
        """One baseline's constraints and their reasons."""
        return _answer(board.baseline(endpoint, baseline), board)

    @app.get("/endpoints/{endpoint}/baselines/{baseline}/against/{other}/")
    def difference(board: asked, endpoint: Endpoint, baseline: Name, other: Name) -> Response:
        """What differs between two baselines."""
        return _answer(board.difference(endpoint, baseline, other), board)

    @app.get("/endpoints/{endpoint}/missed/")
    def missed(board: asked, endpoint: Endpoint, days: Days = 7) -> Response:
        """The windows that should have a result, and those that have one."""
        return _answer(board.missed(endpoint, days), board)


def _files(app: FastAPI, asked: Any) -> None:
    """What is handed out as it was stored."""

    @app.get("/endpoints/{endpoint}/windows/{window}/{monitor}/")
    def report(board: asked, endpoint: Endpoint, window: WindowStep, monitor: Name) -> Response:
        """A monitor's report as it was written."""
        return _answer(board.report(endpoint, window, monitor), board)

    @app.get("/endpoints/{endpoint}/windows/{window}/{monitor}/{file}", response_class=Saved)
    def artifact(board: asked, endpoint: Endpoint, window: WindowStep, monitor: Name, file: Name) -> Response:
        """A stored file, to be saved; tables of rows are not handed out."""
        saved = {"Content-Disposition": f'attachment; filename="{file}"', "Content-Security-Policy": "sandbox"}
        content = board.artifact(endpoint, window, monitor, file)
        return Saved(content, headers={**HEADERS, **saved})


class Saved(Response):
    """What a browser saves and never shows."""

    media_type = "application/octet-stream"


_TROUBLES: dict[int | str, dict[str, Any]] = {
    404: {"description": "There is no such thing, or it is not yours to see.", "content": {"text/html": {}}},
    422: {"description": "The address cannot be right."},
    503: {"description": "A store does not answer.", "content": {"text/html": {}}},
}


def _place(request: Request, outside: Outside | None) -> Place:
    """Where the asked page lies, from the address alone."""
    path = request.url.path.removeprefix(request.scope.get("root_path", ""))
    days = request.query_params.get("days", "")
    airflow = outside.airflow if outside else ""
    return Place(tuple(filter(None, path.split("/"))), airflow=airflow, days=days if days.isdecimal() else "")


def _answer(page: Page, board: Dashboard | None = None, status: int = 200) -> Response:
    headers = {**HEADERS, "Content-Security-Policy": page.policy}
    if board is not None and board.place.alone:
        headers["Content-Disposition"] = f'attachment; filename="{"-".join(board.place.steps) or "endpoints"}.html"'
    return HTMLResponse(page.content, status, headers)


def serve(endpoints: Endpoints, port: int, tell: Callable[[str], None]) -> None:
    """Serves the dashboard to this machine alone until Ctrl-C; it asks nobody who they are.

    `tell` hears the address. A page elsewhere that gives this machine another name is refused.

    Raises:
        UserError: the port is taken.
    """
    import uvicorn
    from starlette.middleware.trustedhost import TrustedHostMiddleware

    app = dashboard_app(endpoints)
    app.add_middleware(TrustedHostMiddleware, allowed_hosts=[*LOOPBACK])
    with socket() as listener:
        listener.setsockopt(SOL_SOCKET, SO_REUSEADDR, 1)
        try:
            listener.bind((LOOPBACK[0], port))
            listener.listen()
        except OSError as error:
            raise UserError(f"port {port}: {error.strerror}; choose another one with --port") from error
        tell(f"http://{LOOPBACK[0]}:{listener.getsockname()[1]}/")
        uvicorn.Server(uvicorn.Config(app, log_level="warning")).run([listener])
