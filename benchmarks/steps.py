"""What is measured: every benchmark makes its inputs in a folder and names its steps with their peers.

Sides import what they need themselves, so that nobody pays for another one's libraries.
"""

import shutil
from collections.abc import Callable, Iterator
from contextlib import redirect_stdout
from functools import partial
from importlib import import_module
from io import StringIO
from pathlib import Path
from typing import Any, NamedTuple

from benchmarks import attribution, data, labels, quality, serving
from benchmarks.environments import FAIRLEARN, LIBRARIES
from benchmarks.measure import Cost, Peer, Step, Target

NAIVE = "json + csv + pandas"
SCIPY = "pandas + scipy, raw rows"
TESTS = "pandas + scipy, KS and chi-square alone"
HOURS = 24
PEERS = "peers"
BIAS = "bias"
WINDOW = "window"
INSTALLING = frozenset({PEERS, BIAS})
"""The benchmarks that are slow and install libraries: they run only where they are named."""

Call = Callable[[], int | None]


class Benchmark(NamedTuple):
    """A benchmark of one subject."""

    make: Callable[[Path, int], None]
    """Writes the inputs."""
    steps: Callable[[int], list[Step]]
    rows: int
    """How many, where nobody says otherwise."""


def _warm(*more: str) -> None:
    """Pandas is loaded by pyarrow at its first conversion, others at their first use: all before the clock runs."""
    for name in ("pandas", *more):
        import_module(name)


# Ingestion

STORE = ("monitor_tasks.io.store", "pyarrow.pandas_compat")
"""What our readers load at their first use."""


def make_captures(folder: Path, rows: int) -> None:
    for encoding in data.ENCODINGS:
        data.write_captures(folder, rows, encoding)
    data.spoil(folder / "CSV", folder / "spoiled")
    data.multiply(folder / "CSV", folder / "tenfold", 10)


def ingest_steps(_: int) -> list[Step]:
    steps = [
        Step(
            f"captures to Arrow, {encoding}",
            partial(_capture, encoding),
            (Peer(NAIVE, partial(_naive_capture, encoding), (Target(factor),)),),
        )
        for encoding, factor in {"CSV": 15, "JSON": 5, "BASE64": 12}.items()
    ]
    spoiled = Peer("the same without bad lines", partial(_capture, "CSV", says=False), (Target(1.3, "at most"),))
    whole = Peer(f"{NAIVE}, to_parquet", _naive_ingest, (Target(8),))
    tenth = Peer("itself on a tenth of the files", partial(_ingest, "CSV"), (Target(1.3, "at most", "memory"),))
    cap = Peer("limit: 600 MB", Cost(1, 600), (Target(1, "at most", "memory"),))
    return [
        *steps,
        Step("captures to Arrow, 1 % bad lines", partial(_capture, "spoiled", says=False), (spoiled,)),
        Step("captures to Parquet, CSV", partial(_ingest, "CSV"), (whole,)),
        Step("captures to Parquet, ten times the files", partial(_ingest, "tenfold"), (tenth, cap)),
    ]


def _objects(folder: Path) -> list[Any]:
    """The files of a folder as objects that are read in pieces."""
    from monitor_tasks.io.store import Store
    from monitor_tasks.tables.lines import Object

    store = Store(str(folder))
    return [Object(entry.key, partial(store.chunks, entry.key)) for entry in store.entries()]


def _capture(name: str, folder: Path, says: bool = True) -> Call:
    from monitor_tasks.tables.captured import capture

    _warm(*STORE)

    def call() -> int | None:
        rows = capture(_objects(folder / name)).table.num_rows
        return rows if says else None

    return call


def _ingest(name: str, folder: Path) -> Call:
    from monitor_tasks.inputs import Records
    from monitor_tasks.on_tables import ingested
    from monitor_tasks.tables.captured import Source
    from monitor_tasks.tables.readings import Span

    _warm(*STORE)

    def call() -> None:
        with ingested(Source(_objects(folder / name)), Span(), Records()) as (_, files):
            table: Any = files["captured.parquet"]
            table.seek(0)
            with (folder / "ours.parquet").open("wb") as file:
                shutil.copyfileobj(table, file)

    return call


def _files(folder: Path, encoding: str) -> list[Path]:
    return sorted((folder / encoding).iterdir())


def _naive_frame(encoding: str, folder: Path) -> Any:
    """What people write: one record after the other; cells stay text as in ours, and the first of an id counts."""
    import base64
    import csv
    import json

    import pandas as pd

    rows = []
    for path in _files(folder, encoding):
        with path.open() as lines:
            for line in lines:
                record = json.loads(line)
                text = record["captureData"]["endpointInput"]["data"]
                if encoding == "JSON":
                    cells = list(json.loads(text, parse_float=str, parse_int=str).values())
                else:
                    cells = next(csv.reader([base64.b64decode(text).decode() if encoding == "BASE64" else text]))
                prediction = record["captureData"]["endpointOutput"]["data"]
                rows.append([*record["eventMetadata"].values(), prediction, *cells])
    frame = pd.DataFrame(rows).drop_duplicates(0)
    frame[1] = pd.to_datetime(frame[1])
    return frame


def _naive_capture(encoding: str, folder: Path) -> Call:
    _warm()
    return lambda: len(_naive_frame(encoding, folder))


def _naive_ingest(folder: Path) -> Call:
    import pyarrow.parquet as pq  # noqa: F401

    _warm()
    return lambda: _naive_frame("CSV", folder).rename(columns=str).to_parquet(folder / "theirs.parquet")


# Tables: profile, drift, hours, SageMaker's block, expectations


def make_tables(folder: Path, rows: int) -> None:
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


def expectations_steps(_: int) -> list[Step]:
    peers = (Peer("limit: 2 s", Cost(2), (Target(1, "at most"),)), Peer("Great Expectations on pandas", _gx_on_pandas))
    return [Step("150 expectations from the profile", _expectations, peers)]


def make_groups(folder: Path, rows: int) -> None:
    import pyarrow.parquet as pq

    pq.write_table(data.groups(rows), folder / "reference.parquet")
    shutil.copy(folder / "reference.parquet", folder / "window.parquet")


def bias_steps(rows: int) -> list[Step]:
    peers = (Peer("fairlearn: 6 rates", FAIRLEARN.side, (Target(100),)),)
    return [
        Step(f"20 metrics + 3 with intervals, 5 facets x {rows:,}", partial(_bias, 0), peers),
        Step(f"the same and the flip test, 5 facets x {rows:,}", partial(_bias, 1024), peers),
    ]


def _bias(sample_rows: int, folder: Path) -> Call:
    """Rows in memory profiled, and every metric of every group; answers what those say that the peer has, too."""
    import pyarrow.parquet as pq

    from benchmarks.peers.fairlearn import FACETS, RATES
    from monitor_tasks.monitors.bias import Bias
    from monitor_tasks.monitors.settings import BiasSettings

    _warm("scipy.spatial.distance")
    facets = [{"name": name, "value_or_threshold": [value]} for name, value in (FACETS | {"age": 40}).items()]
    outcomes = {"label": "y", "predicted_label": "p", "excluded_columns": ["sex", "race"]}
    monitor = Bias(BiasSettings.model_validate({**outcomes, "facets": facets, "sample_rows": sample_rows}))
    table = pq.read_table(folder / "reference.parquet")

    def call() -> int:
        found = monitor.statistics(monitor.profile(table))
        return round(1e9 * sum(one.value or 0.0 for one in found if one.name in RATES))

    return call


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

    _warm("scipy.special")
    edges = Edges.from_json(_bytes(folder, f"{reference}_edges.json"))
    monitor = DataQuality(DataQualitySettings(**settings))
    known = TableProfile.from_json(_bytes(folder, f"{reference}.json"))
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

    _warm("scipy.special")
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


def _bytes(folder: Path, name: str) -> bytes:
    return (folder / name).read_bytes()


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

    _warm()
    stored = [path.read_bytes() for path in sorted(folder.glob("hour_*.json"))]
    return lambda: add_up(map(TableProfile.from_json, stored)).rows


def _block(name: str, folder: Path) -> Call:
    from monitor_tasks.profiles.sketch import SageMakerBlock
    from monitor_tasks.tables.files import read_table

    _warm()
    rows = read_table(_bytes(folder, f"{name}.parquet"), f"{name}.parquet")
    return lambda: SageMakerBlock.of(rows).rows


def _suite() -> list[dict[str, Any]]:
    """Five expectations on each of the 30 columns."""
    words = [f"word_{number:03}" for number in range(4**data.TEXT_COLUMNS)]
    of_text: dict[str, dict[str, Any]] = {
        "expect_column_values_to_be_in_set": {"value_set": words},
        "expect_column_values_to_not_be_in_set": {"value_set": ["nothing"]},
        "expect_column_value_lengths_to_be_between": {"min_value": 1, "max_value": 9},
        "expect_column_values_to_match_regex": {"regex": "^word_"},
    }
    measures = ("min", "max", "mean", "sum")
    of_numbers = {f"expect_column_{name}_to_be_between": {"min_value": -1e15, "max_value": 1e15} for name in measures}
    return [
        {"type": kind, "kwargs": {"column": column, **more}}
        for column in data.table(1, seed=1).column_names
        for kind, more in {
            "expect_column_values_to_not_be_null": {"mostly": 0.5},
            **(of_text if column.startswith("text") else of_numbers),
        }.items()
    ]


def _expectations(folder: Path) -> Call:
    from monitor_tasks.monitors.expectations import validate
    from monitor_tasks.profiles.columns import TableProfile

    profile, suite = TableProfile.from_json(_bytes(folder, "reference.json")), _suite()
    validate(TableProfile(), (), suite[:1], None)  # loads the library
    return lambda: sum(finding.state == "kept" for finding in validate(profile, (), suite, None).findings)


def _gx_on_pandas(folder: Path) -> Call:
    import os

    os.environ["GX_ANALYTICS_ENABLED"] = "false"
    import great_expectations as gx
    import pandas as pd
    from great_expectations.expectations.expectation_configuration import ExpectationConfiguration

    frame = pd.read_parquet(folder / "reference.parquet")
    suite = gx.ExpectationSuite("data", [ExpectationConfiguration(**item).to_domain_obj() for item in _suite()])
    context = gx.get_context(mode="ephemeral")
    context.variables.progress_bars = {"globally": False, "metric_calculations": False}
    asset = context.data_sources.add_pandas("data").add_dataframe_asset("data")
    batch = asset.add_batch_definition_whole_dataframe("data").get_batch({"dataframe": frame})
    return lambda: sum(result.success for result in batch.validate(suite, result_format="BASIC").results)


def _told(module: str, rows: int) -> Benchmark:
    """A benchmark of a module that loads the package itself, which the processes of others need not do."""

    def make(folder: Path, rows: int) -> None:
        import_module(f"benchmarks.{module}").make(folder, rows)

    def steps(rows: int) -> list[Step]:
        found: list[Step] = import_module(f"benchmarks.{module}").steps(rows)
        return found

    return Benchmark(make, steps, rows)


BENCHMARKS = {
    "ingest": Benchmark(make_captures, ingest_steps, 400_000),
    "profile": Benchmark(make_tables, profile_steps, 1_000_000),
    PEERS: Benchmark(make_tables, peers_steps, 1_000_000),
    "long": Benchmark(make_long, long_steps, 10_000_000),
    "command": Benchmark(make_stored, command_steps, 10_000_000),
    "hours": Benchmark(make_tables, hours_steps, 1_000_000),
    "block": Benchmark(make_tables, block_steps, 400_000),
    "expectations": Benchmark(make_tables, expectations_steps, 400_000),
    BIAS: Benchmark(make_groups, bias_steps, 1_000_000),
    "labels": Benchmark(labels.make, labels.steps, 2_000_000),
    "quality": Benchmark(quality.make, quality.steps, 1_000_000),
    "attribution": Benchmark(attribution.make, attribution.steps, 1_000_000),
    "replay": _told("replay", 2160),
    "dashboard": _told("dashboard", 2160),
    WINDOW: _told("window", 100_000),
    "serving": Benchmark(serving.make, serving.steps, 20_000),
}
