"""Two models, two policies, other bounds: what would have been."""

from pathlib import Path
from typing import Annotated

import typer

from monitor_tasks import replaying, restating, tasks, tuning
from monitor_tasks.cli.commands import (
    AsJson,
    End,
    Start,
    Yaml,
    endpoint_in,
    moment_of,
    out,
    text_in,
    verb,
    windows_between,
    write,
)
from monitor_tasks.configuration import read_yaml
from monitor_tasks.pages.replayed import replay_page, replay_table, tuning_table
from monitor_tasks.pages.terminal import (
    comparison_table,
    graded,
)
from monitor_tasks.policy import Proposal
from monitor_tasks.site import Site
from monitor_tasks.verdict import Action


@verb
def compare(
    endpoint: Yaml,
    start: Start,
    end: End,
    challenger: Annotated[
        Path | None, typer.Argument(metavar="[CHALLENGER.yaml]", help="Another endpoint; left out, the variants.")
    ] = None,
    metric: Annotated[str | None, typer.Option(help="The metric that decides.")] = None,
    as_json: AsJson = False,
) -> int:
    """Compare two variants of an endpoint, or two endpoints, on all windows that were labelled between two moments."""
    from monitor_tasks.comparing import compare_endpoints, compare_variants

    site, span = Site(endpoint_in(endpoint)), (moment_of(start), moment_of(end))
    if challenger is None:
        found = compare_variants(site, *span, metric)
    else:
        found = compare_endpoints(site, Site(endpoint_in(challenger)), *span, metric)
    if as_json:
        out.print_json(found.to_json().decode())
    else:
        out.print(comparison_table(found))
    return {"better": 0, "worse": 1}.get(found.deciding.verdict, 3)


@verb
def grade(endpoint: Yaml, as_json: AsJson = False) -> int:
    """Grade the estimates of all windows: by metric, the share of realised values inside their 95 % bands."""
    found = restating.grades(Site(endpoint_in(endpoint)))
    if as_json:
        out.print_json(data=found)
    else:
        lines = [graded(one) for one in found if one["windows"]]
        out.print("\n".join(lines) or "no window has both an estimate and enough labels", markup=False, soft_wrap=True)
    return 0 if any(one["windows"] for one in found) else 3


@verb
def replay(
    endpoint: Yaml,
    start: Start,
    end: End,
    policy: Annotated[Path | None, typer.Option(help="YAML: policy and bounds; left out, the endpoint's own.")] = None,
    html: Annotated[Path | None, typer.Option(help="Write what is found there too, as a page with a plot.")] = None,
    as_json: AsJson = False,
) -> int:
    """Judge stored reports again under another policy and other bounds, and say what would have been told."""
    known, allowed = endpoint_in(endpoint), tasks.permission
    proposal = read_yaml(Proposal, text_in(policy), str(policy)).value if policy else Proposal()
    windows = windows_between(known, start, end)
    found = replaying.replay(Site(known), proposal, windows, allowed(known, asked=None, backfill=False))
    if html:
        write(str(html.absolute().parent), {html.name: replay_page(known.endpoint_name, found)})
    if as_json:
        out.print_json(data=[one.told for one in found])
    else:
        out.print(replay_table(found))
    return 3 if not found else int(any(one.again.action is not Action.REST for one in found))


@verb
def tune(
    endpoint: Yaml,
    start: Start,
    end: End,
    rate: Annotated[float, typer.Option("--false-alarms", min=0, max=1, help="Share of the windows: 0.01.")],
    output: Annotated[Path | None, typer.Option(help="Write the bounds there, for `replay --policy`.")] = None,
) -> int:
    """Propose bounds that would have alarmed in so large a part of windows in which nothing was wrong."""
    site = Site(endpoint_in(endpoint))
    found = tuning.tune(site, windows_between(site.endpoint, start, end), rate)
    if found is None:
        out.print("no report lies in this span")
        return 3
    if output:
        write(str(output.absolute().parent), {output.name: found.to_yaml()})
    out.print(tuning_table(found))
    return 0
