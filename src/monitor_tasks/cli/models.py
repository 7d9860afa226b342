"""What became of an endpoint's models."""

from getpass import getuser
from typing import Annotated

import typer

from monitor_tasks import promoting
from monitor_tasks.cli.commands import AsJson, Yaml, endpoint_in, out, verb
from monitor_tasks.evidence import called, records
from monitor_tasks.pages.terminal import (
    gates_table,
)
from monitor_tasks.site import Site


@verb
def rollback(
    endpoint: Yaml,
    because: Annotated[str, typer.Option(help="Why, for the record.")],
    by: Annotated[str | None, typer.Option(help="Who, for the record; left out, your user name.")] = None,
) -> int:
    """Go back to the former model and baseline from the next window on; earlier windows keep theirs."""
    site = Site(endpoint_in(endpoint))
    move = promoting.rollback(site, because, by or getuser())
    baseline = f" and baseline {move.baseline}" if move.baseline else ""
    out.print(
        f"from {move.since} on {site.name} has {called(move.model)}{baseline} again; {called(move.former_model)} of "
        f"episode {move.episode} was taken back",
        soft_wrap=True, markup=False,
    )  # fmt: skip
    return 0


@verb
def episode(
    endpoint: Yaml,
    number: Annotated[int, typer.Argument(min=1, help="The episode's number.")],
    as_json: AsJson = False,
) -> int:
    """Show what became of an episode's retraining, gate by gate: who decided, why, and on what."""
    site = Site(endpoint_in(endpoint))
    found = records(site, f"{number:06d}")
    if as_json:
        out.print_json(data=[one.model_dump(mode="json") for one in found])
    else:
        out.print(gates_table(found))
    return {"passed": 0, "refused": 1, "failed": 2}[found[-1].outcome] if found else 3
