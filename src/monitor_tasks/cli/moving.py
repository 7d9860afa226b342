"""Moving in from SageMaker."""

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from monitor_tasks.cli.commands import AsJson, Yaml, address_of, bytes_at, endpoint_in, out, verb
from monitor_tasks.configuration import write_yaml
from monitor_tasks.pages.migrated import head_lines, lost_table, rehearsal_table
from monitor_tasks.rehearsing import Service
from monitor_tasks.rehearsing import rehearse as rehearse_window
from monitor_tasks.site import load_endpoint
from monitor_tasks.value import UserError
from monitor_tasks.window import Window


@verb
def migrate(
    files: Annotated[list[str], typer.Argument(metavar="FILES...", help="What describe-… answered, as JSON.")],
    output: Annotated[Path, typer.Option(help="The endpoint's YAML: a new file.")],
    root: Annotated[str, typer.Option(help="Where new results go; left out, below the service's own.")] = "",
    name: Annotated[str, typer.Option(help="What the endpoint is called; left out, as there.")] = "",
    output_name: Annotated[
        list[str] | None, typer.Option(help="Names of a CSV output's cells, in order; left out, _c0 and so on.")
    ] = None,
    as_json: AsJson = False,
) -> int:
    """Turn what SageMaker says of its schedules into an endpoint's YAML, and say what could not be carried over."""
    from monitor_tasks.dialects import Wanted, carried_over

    found = carried_over(_given(files), Wanted(root, name, tuple(output_name or ())))
    text = write_yaml(found.content, found.comments, [*head_lines(found)])
    known = load_endpoint(str(output), text)
    try:
        with output.open("x", encoding="utf-8") as file:
            file.write(text)
    except OSError as error:
        raise UserError(f"{output}: cannot be written: {error.strerror}; name a new file") from error
    if as_json:
        out.print_json(data={"lost": [one._asdict() for one in found.lost], "results": found.results})
    else:
        out.print(lost_table(found))
        out.print(f"{', '.join(known.configured())} of {known.endpoint_name} -> {output}", soft_wrap=True, markup=False)
    return 0


@verb
def rehearse(
    endpoint: Yaml,
    window: Annotated[str, typer.Option(help="A window that the service has judged: 2026-01-01T00:00:00Z/PT1H")],
    against: Annotated[
        list[str], typer.Option(help="Where the service writes its results; several, one after the other.")
    ],
    tolerance: Annotated[
        float | None, typer.Option(min=0, help="How far numbers may differ; left out, 1e-6, of SHAP values 1e-3.")
    ] = None,
    as_json: AsJson = False,
) -> int:
    """Run a past window, write nothing, and compare it with what the service found in it."""
    service = Service(Window.parse(window), [address_of(one) for one in against], tolerance)
    found = rehearse_window(endpoint_in(endpoint), service)
    if as_json:
        out.print_json(data=[one.told for one in found])
    else:
        out.print(rehearsal_table(found))
    compared = [one for one in found if one.files]
    return int(any(one.differences for one in compared)) if compared else 3


def _given(files: Sequence[str]) -> dict[str, bytes]:
    """The files by name; by their whole address where two have the same one."""
    names = [Path(one).name for one in files]
    called = [one if names.count(name) > 1 else name for one, name in zip(files, names, strict=True)]
    return {name: bytes_at(address_of(one)) for name, one in zip(called, files, strict=True)}
