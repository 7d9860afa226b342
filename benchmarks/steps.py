"""What is measured: every benchmark makes its inputs in a folder and names its steps with their peers.

Sides import what they need themselves, so that nobody pays for another one's libraries.
"""

from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import NamedTuple

from benchmarks import attribution, bias, expectations, ingest, labels, quality, serving, tables
from benchmarks.measure import Step

PEERS = "peers"
BIAS = "bias"
WINDOW = "window"
INSTALLING = frozenset({PEERS, BIAS})
"""The benchmarks that are slow and install libraries: they run only where they are named."""


class Benchmark(NamedTuple):
    """A benchmark of one subject."""

    make: Callable[[Path, int], None]
    """Writes the inputs."""
    steps: Callable[[int], list[Step]]
    rows: int
    """How many, where nobody says otherwise."""


def _told(module: str, rows: int) -> Benchmark:
    """A benchmark of a module that loads the package itself, which the processes of others need not do."""

    def make(folder: Path, rows: int) -> None:
        import_module(f"benchmarks.{module}").make(folder, rows)

    def steps(rows: int) -> list[Step]:
        found: list[Step] = import_module(f"benchmarks.{module}").steps(rows)
        return found

    return Benchmark(make, steps, rows)


BENCHMARKS = {
    "ingest": Benchmark(ingest.make, ingest.steps, 400_000),
    "profile": Benchmark(tables.make, tables.profile_steps, 1_000_000),
    PEERS: Benchmark(tables.make, tables.peers_steps, 1_000_000),
    "long": Benchmark(tables.make_long, tables.long_steps, 10_000_000),
    "command": Benchmark(tables.make_stored, tables.command_steps, 10_000_000),
    "hours": Benchmark(tables.make, tables.hours_steps, 1_000_000),
    "block": Benchmark(tables.make, tables.block_steps, 400_000),
    "expectations": Benchmark(tables.make, expectations.steps, 400_000),
    BIAS: Benchmark(bias.make, bias.steps, 1_000_000),
    "labels": Benchmark(labels.make, labels.steps, 2_000_000),
    "quality": Benchmark(quality.make, quality.steps, 1_000_000),
    "attribution": Benchmark(attribution.make, attribution.steps, 1_000_000),
    "replay": _told("replay", 2160),
    "dashboard": _told("dashboard", 2160),
    WINDOW: _told("window", 100_000),
    "serving": Benchmark(serving.make, serving.steps, 20_000),
}
