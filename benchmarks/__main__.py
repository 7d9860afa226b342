"""``python -m benchmarks [NAME ...]``: ours against its peers, in one table."""

import json
import os
import platform
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from benchmarks.measure import Row, apart, compare
from benchmarks.steps import BENCHMARKS, INSTALLING


def measured(names: Iterable[str], rows: int | None, rounds: int, cost: Any = apart) -> Iterator[Row]:
    """The rows of the named benchmarks; those with the same inputs share them."""
    with TemporaryDirectory(prefix="benchmarks-") as top:
        made: dict[tuple[Callable[..., None], int], Path] = {}
        for name in names:
            benchmark = BENCHMARKS[name]
            size = rows or benchmark.rows
            if (benchmark.make, size) not in made:
                folder = made[benchmark.make, size] = Path(top) / name
                folder.mkdir()
                benchmark.make(folder, size)
            for step in benchmark.steps(size):
                yield from compare(step, made[benchmark.make, size], rounds, cost)


def main(
    names: Annotated[
        list[str] | None,
        typer.Argument(metavar="NAME", help=f"{', '.join(BENCHMARKS)}; all but {', '.join(sorted(INSTALLING))}"),
    ] = None,
    rows: Annotated[int | None, typer.Option(min=1000, help="Records or rows, for all of them.")] = None,
    rounds: Annotated[int, typer.Option(min=1, help="Turns that every side takes; medians count.")] = 2,
    json_file: Annotated[Path | None, typer.Option("--json", help="Write the rows there too.")] = None,
) -> None:
    """Measure speed and memory against peers; the targets are those of performance.md."""
    if unknown := sorted({*(names or ())} - {*BENCHMARKS}):
        raise typer.BadParameter(f"no benchmark {unknown[0]!r}; there are {', '.join(BENCHMARKS)}")
    console = Console()
    found = []
    for row in measured(names or [name for name in BENCHMARKS if name not in INSTALLING], rows, rounds):
        found.append(row)
        typer.echo(f"{row.step}, {row.peer}: {_ratio(row) or row.verdict}", err=True)
    console.print(as_table(found))
    met, judged = sum(row.verdict == "met" for row in found), sum(row.is_judged for row in found)
    load = ", ".join(f"{mean:.1f}" for mean in os.getloadavg())
    console.print(
        f"{met} of {judged} targets met; Python {platform.python_version()}, {os.cpu_count()} cores, load {load}"
    )
    if json_file:
        json_file.write_text(json.dumps([as_dict(row) for row in found], indent=2) + "\n")


def as_table(rows: Iterable[Row]) -> Table:
    """The rows for a person; a step's own cost is said once, what is to be known of a cost below."""
    rows = list(rows)
    sides = [(name, cost) for row in rows for name, cost in ((row.step, row.ours), (row.peer, row.theirs))]
    notes = dict.fromkeys(f"{name}: {cost.note}" for name, cost in sides if cost and cost.note)
    table = Table("step", "ours", "peer", "its cost", "ratio", "target", "verdict", caption="\n".join(notes))
    last = None
    for row in rows:
        own = ("", "") if row.step == last else (row.step, str(row.ours))
        colour = {"met": "green", "not yet": "yellow"}.get(row.verdict)
        table.add_row(*own, row.peer, str(row.theirs or ""), _ratio(row), row.target, row.verdict, style=colour)
        last = row.step
    return table


def as_dict(row: Row) -> dict[str, Any]:
    """The row as plain values."""
    return {**row._asdict(), "ours": row.ours._asdict(), "theirs": row.theirs and row.theirs._asdict()}


def _ratio(row: Row) -> str:
    return "" if row.ratio is None else f"{row.ratio:.3g}×"


if __name__ == "__main__":
    typer.run(main)
