"""What the scripts have in common: load the library, learn the reference, judge the window, say what it took.

Run as ``python -m benchmarks.peers.NAME FOLDER``, so that a script may have its library's name. Standard library only.
"""

import json
import sys
from collections.abc import Callable, Iterable
from importlib.metadata import version
from pathlib import Path
from time import perf_counter
from typing import Any

from benchmarks.measure import peak


def report(
    packages: Iterable[str],
    load: Callable[[Path], Any],
    learn: Callable[[Path], Any],
    judge: Callable[[Any, Path], int],
) -> None:
    """Print the seconds of the three, how many columns were judged, the peak in megabytes and the packages' versions.

    `load` is given the folder; `learn` the reference's file, whatever it returns is known when `judge` is given the
    window's file. What `judge` takes is what every window costs.
    """
    folder, seconds = Path(sys.argv[1]), {}

    def timed(name: str, call: Callable[..., Any], *given: Any) -> Any:
        start = perf_counter()
        answer = call(*given)
        seconds[name] = perf_counter() - start
        return answer

    timed("import", load, folder)
    known = timed("reference", learn, folder / "reference.parquet")
    columns = timed("window", judge, known, folder / "window.parquet")
    versions = {name: version(name) for name in packages}
    print(json.dumps({"seconds": seconds, "columns": columns, "megabytes": _peak(), "versions": versions}))


def _peak() -> float:
    """The peaks of this process and of those that it started (Spark's is Java) together."""
    started = (path.read_text().split() for path in Path("/proc/self/task").glob("*/children"))
    return sum(map(peak, ("self", *(process for some in started for process in some))))
