"""What is measured: every benchmark makes its inputs in a folder and names its steps with their peers.

Sides import what they need themselves, so that nobody pays for another one's libraries.
"""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

from benchmarks import data
from benchmarks.measure import Cost, Peer, Step, Target

NAIVE = "json + csv + pandas"
SCIPY = "pandas + scipy, raw rows"
HOURS = 24

Call = Callable[[], int | None]


class Benchmark(NamedTuple):
    """A benchmark of one subject."""

    make: Callable[[Path, int], None]
    """Writes the inputs."""
    steps: Callable[[int], list[Step]]
    rows: int
    """How many, where nobody says otherwise."""


def _warm() -> None:
    """Pandas is loaded by pyarrow at its first conversion; libraries are loaded before the clock runs."""
    import pandas as pd  # noqa: F401


# Ingestion


def make_captures(folder: Path, rows: int) -> None:
    for encoding in data.ENCODINGS:
        data.write_captures(folder, rows, encoding)


def ingest_steps(_: int) -> list[Step]:
    tenth = Peer(
        "itself on a tenth of the files", partial(_capture, "CSV", files=1), (Target(1.3, "at most", "memory"),)
    )
    more = {"CSV": (tenth,)}
    steps = [
        Step(
            f"captures to Arrow, {encoding}",
            partial(_capture, encoding),
            (Peer(NAIVE, partial(_naive_capture, encoding), (Target(factor),)), *more.get(encoding, ())),
        )
        for encoding, factor in {"CSV": 15, "JSON": 5, "BASE64": 12}.items()
    ]
    whole = Peer(f"{NAIVE}, to_parquet", _naive_ingest, (Target(8),))
    return [*steps, Step("captures to Parquet, CSV", _ingest, (whole,))]


def _files(folder: Path, encoding: str, files: int = data.FILES) -> list[Path]:
    return sorted((folder / encoding).iterdir())[:files]


def _capture(encoding: str, folder: Path, files: int = data.FILES) -> Call:
    from monitor_tasks.tables.captured import capture

    _warm()

    def call() -> int | None:
        rows = capture((path.name, path.read_bytes()) for path in _files(folder, encoding, files)).table.num_rows
        return rows if files == data.FILES else None  # of fewer files only the memory is asked

    return call


def _ingest(folder: Path) -> Call:
    from monitor_tasks.endpoint import Capture
    from monitor_tasks.on_tables import ingest
    from monitor_tasks.tables.captured import Span

    _warm()

    def call() -> None:
        files = ((path.name, path.read_bytes()) for path in _files(folder, "CSV"))
        found = ingest(files, Span(), Capture(address="s3://bucket/captures"))
        (folder / "ours.parquet").write_bytes(found["captured.parquet"])

    return call


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
    from monitor_tasks.profiles.columns import Edges, TableProfile

    reference, window = data.table(rows, seed=1), data.table(rows, seed=2, drift=1.0)
    edges = Edges.of(reference)
    (folder / "edges.json").write_bytes(edges.to_json())
    (folder / "reference.json").write_bytes(TableProfile.of(reference, edges).to_json())
    for name, table in {"reference": reference, "window": window, "tenth": window.slice(0, rows // 10)}.items():
        data.write_table(table, folder / f"{name}.parquet")
    data.write_table(data.as_text(window.slice(0, rows // 5)), folder / "text.parquet")
    hour = rows // HOURS
    for number in range(HOURS):
        profile = TableProfile.of(window.slice(number * hour, hour), edges)
        (folder / f"hour_{number:02}.json").write_bytes(profile.to_json())


def profile_steps(_: int) -> list[Step]:
    raw = Peer(SCIPY, partial(_scipy, "window"), (Target(20),))
    streamed = Peer("limit: streaming the file", _stream, (Target(5, "at most"),))
    targets = (Target(11, "at most"), Target(1.3, "at most", "memory"))
    tenth = Peer("itself on a tenth of the rows", partial(_profile, "tenth"), targets)
    text = Peer(f"{SCIPY}, to_numeric", partial(_scipy, "text"), (Target(20),))
    return [
        Step("profile + drift", partial(_profile, "window"), (raw, streamed, tenth)),
        Step("profile + drift, a fifth, cells as text", partial(_profile, "text"), (text,)),
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


def _profile(name: str, folder: Path) -> Call:
    """A stored window read, profiled on the pinned edges, and measured against the baseline; answers what drifted."""
    from monitor_tasks.baseline import Baseline
    from monitor_tasks.monitors.data_quality import DataQuality
    from monitor_tasks.monitors.settings import DataQualitySettings
    from monitor_tasks.profiles.columns import Edges, TableProfile
    from monitor_tasks.tables.files import read_table

    _warm()
    edges = Edges.from_json((folder / "edges.json").read_bytes())
    monitor, reference = DataQuality(DataQualitySettings()), TableProfile.from_json(_bytes(folder, "reference.json"))
    baseline = Baseline("", tuple(monitor.suggest([reference])), reference)

    def call() -> int:
        rows = read_table(_bytes(folder, f"{name}.parquet"), f"{name}.parquet")
        metrics = monitor.measure(monitor.profile(rows, edges), baseline)
        return sum(metric.name == "drift_linf" and (metric.value or 0) > 0.1 for metric in metrics)

    return call


def _bytes(folder: Path, name: str) -> bytes:
    return (folder / name).read_bytes()


def _scipy(name: str, folder: Path) -> Call:
    """Describe every column, then KS and chi-square against the reference's rows, which are there already."""
    import pandas as pd
    from scipy.stats import chi2_contingency, ks_2samp

    reference = pd.read_parquet(folder / "reference.parquet")
    if name == "text":
        reference = reference.head(len(reference) // 5)

    def drifted(known: Any, seen: Any) -> bool:
        if pd.api.types.is_numeric_dtype(known):
            return bool(ks_2samp(known.dropna(), seen.dropna(), method="asymp").statistic > 0.2)
        counts = pd.concat([known.value_counts(), seen.value_counts()], axis=1).fillna(0)
        return bool(chi2_contingency(counts.to_numpy()).pvalue < 1e-6)

    def call() -> int:
        window = pd.read_parquet(folder / f"{name}.parquet")
        for column in window.columns.astype(str) if name == "text" else ():
            if not column.startswith("text"):
                window[column] = pd.to_numeric(window[column])
        window.describe(include="all")
        window.isna().sum()
        return sum(drifted(reference[column], window[column]) for column in window)

    return call


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


BENCHMARKS = {
    "ingest": Benchmark(make_captures, ingest_steps, 50_000),
    "profile": Benchmark(make_tables, profile_steps, 400_000),
    "hours": Benchmark(make_tables, hours_steps, 400_000),
    "block": Benchmark(make_tables, block_steps, 400_000),
    "expectations": Benchmark(make_tables, expectations_steps, 400_000),
}
