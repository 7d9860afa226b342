"""Tables to profiles and drift: against libraries, in length and in width, from the command line; hours to a day."""

from collections.abc import Callable, Iterator
from contextlib import redirect_stdout
from functools import partial
from io import StringIO
from pathlib import Path
from typing import Any

from benchmarks import data
from benchmarks.environments import LIBRARIES
from benchmarks.measure import Call, Cost, Peer, Step, Target, warm

SCIPY = "pandas + scipy, raw rows"
TESTS = "pandas + scipy, KS and chi-square alone"
HOURS = 24


def make(folder: Path, rows: int) -> None:
    from monitor_tasks.profiles.columns import TableProfile

    reference, window = data.table(rows, seed=1), data.table(rows, seed=2, drift=1.0)
    edges = _learn(folder, "reference", reference)
    for name, table in {"reference": reference, "window": window}.items():
        data.write_table([table], folder / f"{name}.parquet")
    data.write_table([data.as_text(window.slice(0, rows // 5))], folder / "text.parquet")
    hour = rows // HOURS
    for number in range(HOURS):
        profile = TableProfile.of(window.slice(number * hour, hour), edges)
        (folder / f"hour_{number:02}.json").write_bytes(profile.to_json())


def _learn(folder: Path, name: str, reference: Any) -> Any:
    """The edges of a reference, which are stored with its profile."""
    from monitor_tasks.profiles.columns import Edges, TableProfile

    edges = Edges.of(reference)
    (folder / f"{name}_edges.json").write_bytes(edges.to_json())
    (folder / f"{name}.json").write_bytes(TableProfile.of(reference, edges).to_json())
    return edges


def profile_steps(rows: int) -> list[Step]:
    raw = Peer(SCIPY, partial(_scipy, "window", distances=True), (Target(20),))
    tests = Peer(TESTS, partial(_scipy, "window"))
    streamed = Peer("limit: streaming the file", _stream, (Target(5, "at most"),))
    text = Peer(f"{SCIPY}, to_numeric", partial(_scipy, "text", distances=True), (Target(20),))
    return [
        Step(f"profile + drift, {rows:,} x 30", partial(_profile, "window", "reference"), (raw, tests, streamed)),
        Step("profile + drift, a fifth, cells as text", partial(_profile, "text", "reference"), (text,)),
    ]


def peers_steps(rows: int) -> list[Step]:
    """What a window costs once the reference is known, by the libraries that do the same; each judges all columns."""
    peers = tuple(Peer(library.name, library.side, (Target(factor),)) for library, factor in LIBRARIES.items())
    ours = partial(_profile, "window", "reference", found=_judged, domain_limit=4**data.TEXT_COLUMNS)
    return [Step(f"profile + drift, {rows:,} x 30, reference known", ours, peers)]


def make_long(folder: Path, rows: int) -> None:
    """The same tenth ten times over, and its rows with 300 columns; each with a tenth to compare with."""
    tenth = rows // 10
    for name, copies, times in (("long", 1, 10), ("wide", 10, 1)):
        part = data.wide(data.table(tenth // 10, seed=2, drift=1.0), copies)
        _learn(folder, name, data.wide(data.table(min(tenth, 100_000), seed=1), copies))
        data.write_table([part] * (10 * times), folder / f"{name}.parquet")
        data.write_table([part] * times, folder / f"{name}_tenth.parquet")


def long_steps(rows: int) -> list[Step]:
    targets = (Target(11, "at most"), Target(1.3, "at most", "memory"))
    shapes = {"long": f"{rows:,} x 30", "wide": f"{rows // 10:,} x 300"}
    return [
        Step(
            f"profile + drift, {shape}",
            partial(_profile, name, name),
            (Peer("itself on a tenth of the rows", partial(_profile, f"{name}_tenth", name), targets),),
        )
        for name, shape in shapes.items()
    ]


def make_stored(folder: Path, rows: int) -> None:
    """The long table and its tenth, and what `suggest` learns from another one."""
    from monitor_tasks.judging import suggest
    from monitor_tasks.monitors.settings import DataQualitySettings

    tenth = rows // 10
    parts = [data.table(tenth // 10, seed=seed, drift=1.0) for seed in range(10)]
    data.write_table(parts * 10, folder / "long.parquet")
    data.write_table(parts, folder / "long_tenth.parquet")
    (folder / "base").mkdir()
    for name, content in suggest("data_quality", DataQualitySettings(), data.table(tenth, seed=99)).items():
        (folder / "base" / name).write_bytes(content)


def command_steps(rows: int) -> list[Step]:
    targets = (Target(11, "at most"), Target(1.3, "at most", "memory"))
    options = {"check": ("--baseline", "base", "--output", "checked"), "suggest": ("--output", "suggested")}
    return [
        Step(
            f"monitor-tasks {verb}, {rows:,} x 30",
            partial(_command, verb, "long", more),
            (Peer("itself on a tenth of the rows", partial(_command, verb, "long_tenth", more), targets),),
        )
        for verb, more in options.items()
    ]


def hours_steps(_: int) -> list[Step]:
    return [Step("a day from 24 stored hours", _hours, (Peer("limit: 50 ms", Cost(0.05), (Target(1, "at most"),)),))]


def block_steps(rows: int) -> list[Step]:
    name, target = "limit: 3 s per 1M rows", (Target(1, "at most"),)
    typed, text = (Peer(name, Cost(3 * count / 1e6), target) for count in (rows, rows // 5))
    return [
        Step("SageMaker's block", partial(_block, "window"), (typed,)),
        Step("SageMaker's block, a fifth, cells as text", partial(_block, "text"), (text,)),
    ]


def _drifted(metrics: list[Any]) -> int:
    """How many columns drifted."""
    return sum(metric.name == "drift_linf" and (metric.value or 0) > 0.1 for metric in metrics)


def _judged(metrics: list[Any]) -> int:
    """How many columns have a drift."""
    return len({metric.subject for metric in metrics if metric.name.startswith("drift_") and metric.value is not None})


def _profile(
    name: str, reference: str, folder: Path, found: Callable[[list[Any]], int] = _drifted, **settings: Any
) -> Call:
    """A stored window read, profiled on the pinned edges, and measured against the baseline; answers what was found."""
    from monitor_tasks.baseline import Baseline
    from monitor_tasks.monitors.data_quality import DataQuality
    from monitor_tasks.monitors.settings import DataQualitySettings
    from monitor_tasks.profiles.columns import Edges, TableProfile

    warm("scipy.special")
    edges = Edges.from_json((folder / f"{reference}_edges.json").read_bytes())
    monitor = DataQuality(DataQualitySettings(**settings))
    known = TableProfile.from_json((folder / f"{reference}.json").read_bytes())
    baseline = Baseline("", tuple(monitor.suggest([known])), known)

    def call() -> int | None:
        metrics = monitor.measure(
            TableProfile.of_batches(_batches(folder / f"{name}.parquet"), edges, monitor.also), baseline
        )
        return None if name.endswith("_tenth") else found(metrics)  # of a tenth of few rows another shift is certain

    return call


def _command(verb: str, table: str, more: tuple[str, ...], folder: Path) -> Call:
    """A verb of the command line on a stored table: everything that a user waits for, but for loading libraries."""
    from monitor_tasks.cli import app
    from monitor_tasks.monitors.expectations.engine import library

    warm("scipy.special")
    library()
    paths = [one if one.startswith("--") else str(folder / one) for one in more]

    def call() -> None:
        with redirect_stdout(StringIO()):
            app([verb, str(folder / f"{table}.parquet"), "--monitor", "data_quality", *paths], standalone_mode=False)

    return call


def _batches(path: Path) -> Iterator[Any]:
    """The file's rows, batch by batch: read ahead by no more than a buffer, repeated texts by their dictionary."""
    import pyarrow.parquet as pq

    from monitor_tasks.profiles.batches import rows_at_once

    with pq.ParquetFile(path) as file:
        names, first = file.schema_arrow.names, file.metadata.row_group(0)
    repeated = [name for place, name in enumerate(names) if first.column(place).has_dictionary_page]
    with pq.ParquetFile(path, pre_buffer=False, buffer_size=1 << 17, read_dictionary=repeated) as file:
        yield from file.iter_batches(batch_size=rows_at_once(len(names)))


def _scipy(name: str, folder: Path, distances: bool = False) -> Call:
    """Describe every column, then test it against the reference's rows, which are there already.

    With `distances` it also takes those that we take: earth mover on the rows, the others on bins of the reference.
    """
    import numpy as np
    import pandas as pd
    from scipy.stats import chi2_contingency, ks_2samp, wasserstein_distance

    reference = pd.read_parquet(folder / "reference.parquet")
    if name == "text":
        reference = reference.head(len(reference) // 5)
    numbers = [column for column in reference if pd.api.types.is_numeric_dtype(reference[column])]
    edges = {column: np.unique(reference[column].quantile(np.linspace(0, 1, 11))[1:-1]) for column in numbers}

    def drifted(column: str, seen: Any) -> bool:
        known = reference[column]
        if column in edges:
            known, seen = known.dropna(), seen.dropna()
            if distances:
                wasserstein_distance(known, seen)
                both = [np.bincount(np.searchsorted(edges[column], one), minlength=11) for one in (known, seen)]
                _distances(pd.DataFrame({"known": both[0], "seen": both[1]}))
            return bool(ks_2samp(known, seen, method="asymp").statistic > 0.2)
        counts = pd.concat([known.value_counts(), seen.value_counts()], axis=1).fillna(0)
        if distances:
            _distances(counts)
        return bool(chi2_contingency(counts.to_numpy()).pvalue < 1e-6)

    def call() -> int:
        window = pd.read_parquet(folder / f"{name}.parquet")
        for column in window.columns.astype(str) if name == "text" else ():
            if not column.startswith("text"):
                window[column] = pd.to_numeric(window[column])
        window.describe(include="all")
        window.isna().sum()
        return sum(drifted(column, window[column]) for column in window.columns.astype(str))

    return call


def _distances(counts: Any) -> list[float]:
    """PSI, Jensen-Shannon, Kullback-Leibler, Hellinger, L-infinity and total variation of two columns of counts."""
    import numpy as np
    from scipy.spatial.distance import jensenshannon
    from scipy.stats import entropy

    known, seen = ((counts.iloc[:, side] + 0.5) / (counts.iloc[:, side] + 0.5).sum() for side in (0, 1))
    apart = np.abs(known - seen)
    return [
        ((seen - known) * np.log(seen / known)).sum(), jensenshannon(known, seen), entropy(seen, known),
        np.sqrt(((np.sqrt(known) - np.sqrt(seen)) ** 2).sum() / 2), apart.max(), apart.sum() / 2,
    ]  # fmt: skip


def _stream(folder: Path) -> Call:
    import pyarrow.parquet as pq

    def call() -> None:
        for _ in pq.ParquetFile(folder / "window.parquet", pre_buffer=False).iter_batches(batch_size=131_072):
            pass

    return call


def _hours(folder: Path) -> Call:
    from monitor_tasks.profiles.columns import TableProfile, add_up

    warm()
    stored = [path.read_bytes() for path in sorted(folder.glob("hour_*.json"))]
    return lambda: add_up(map(TableProfile.from_json, stored)).rows


def _block(name: str, folder: Path) -> Call:
    from monitor_tasks.profiles.sketch import SageMakerBlock
    from monitor_tasks.tables.files import read_table

    warm()
    rows = read_table((folder / f"{name}.parquet").read_bytes(), f"{name}.parquet")
    return lambda: SageMakerBlock.of(rows).rows
