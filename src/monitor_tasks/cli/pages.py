"""The dashboard without Airflow."""

from pathlib import Path
from typing import Annotated

import typer
from rich.progress import track

from monitor_tasks.cli.commands import Output, err, out, verb
from monitor_tasks.io.store import Store

Endpoints = Annotated[
    Path, typer.Argument(metavar="ENDPOINTS", exists=True, help="Folder of endpoints' YAML files, or one such file.")
]


@verb
def dashboard(
    endpoints: Endpoints,
    port: Annotated[int, typer.Option(min=0, max=65535, help="0 takes a free one.")] = 8088,
    openapi: Annotated[bool, typer.Option("--openapi", help="Print what can be asked as OpenAPI, and end.")] = False,
) -> int:
    """Serve the dashboard's pages on this machine alone, until Ctrl-C; inside Airflow they need no such thing."""
    from monitor_tasks.dashboard import Endpoints as Watching
    from monitor_tasks.serving import dashboard_app, serve

    if openapi:
        out.print_json(data=dashboard_app(Watching(endpoints)).openapi())
        return 0
    serve(Watching(endpoints), port, lambda address: out.print(f"the dashboard is at {address}", soft_wrap=True))
    return 0


@verb
def report(endpoints: Endpoints, output: Output) -> int:
    """Write the dashboard's pages as files that a browser opens without a server."""
    from monitor_tasks.dashboard import Endpoints as Watching
    from monitor_tasks.dashboard import site_of_files

    store, count = Store(output), 0
    for name, content in track(site_of_files(Watching(endpoints)()), "pages", console=err, transient=True):
        store.put(name, content)
        count += 1
    out.print(f"{count} pages -> {store.address_of('index.html')}", soft_wrap=True)
    return 0
