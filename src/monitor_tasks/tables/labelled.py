"""The captured table with the ground truth that has arrived, and which windows a label belongs to.

Only ids and labels go through DuckDB, which joins them and spills to disk where memory is short; the other columns
are not touched, whatever their names and types.
"""

import csv
import io
import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import NamedTuple

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from monitor_tasks.tables.engine import opened
from monitor_tasks.tables.labels import LABELS
from monitor_tasks.value import UserError
from monitor_tasks.window import format_time

THREADS = 2
ROWS = 1 << 14
"""Rows that are written as records at a time."""

KEY = """coalesce(nullif("@inference_id"::varchar, ''), "@event_id"::varchar)"""
"""What a label's id is compared with."""
JOIN = f"""
create temp table joined as
with accepted as (
    select "@label_id" as key, min_by("@label", ("@label_object", "@label_line", "@label")) as label
    from labels group by key
), predictions as (
    select row, {KEY} as key from captured
)
select row, key, label from predictions left join accepted using (key)
"""  # noqa: S608 - nothing of it comes from outside

COUNT = """
select
    count(*) as predictions,
    count(label) as matched,
    count(*) - count(label) as unlabelled,
    count(key) - count(distinct key) as shared_id,
    count(distinct key) filter (label is not null) as matched_labels,
    (
        select count(*) from (select distinct "@label_id", "@label" from labels semi join joined on "@label_id" = key)
    ) - matched_labels as conflicting
from joined
"""

PUT = f"insert into predictions select distinct ?, {KEY} from batch"  # noqa: S608 - nothing of it comes from outside
MEET = """
create temp table objects as
    select object, row_number() over (order by object) as number
    from (select distinct "@label_object" as object from lines);
create temp table reachable as
    select place, object, number from objects join reaches on (object >= start and object < stop)
        or not regexp_matches(object, '^[0-9]{4}/[0-9]{2}/[0-9]{2}/[0-9]{2}/');
create temp table met as
    select predictions.place as place, "@label_id", "@label", min(number * (1::bigint << 40) + "@label_line") as first
    from lines join predictions on "@label_id" = key
    join reachable on reachable.place = predictions.place and object = "@label_object"
    group by predictions.place, "@label_id", "@label"
"""
"""A line's object and number are one integer, so that the first one is found without comparing names."""
OF_WINDOW = """
select "@label_id", "@label", object as "@label_object", first & ((1::bigint << 40) - 1) as "@label_line"
from met join objects on number = first >> 40 where place = ?
order by "@label_id", first, "@label"
"""


class Counts(NamedTuple):
    """How predictions and labels met: predictions = matched + unlabelled, labels = matched_labels + conflicting."""

    predictions: int
    matched: int
    """Predictions with a label."""
    unlabelled: int
    """Predictions whose label has not arrived."""
    shared_id: int
    """Predictions, labelled or not, whose id an earlier one bears too: each gets the label and counts as its own."""
    matched_labels: int
    """Labels that at least one prediction bears."""
    conflicting: int
    """Other labels of the same ids, which came later and do not count."""

    @property
    def coverage(self) -> float | None:
        """The share of the predictions that have a label; None without predictions."""
        return self.matched / self.predictions if self.predictions else None


class Merged(NamedTuple):
    """The captured table and its labels."""

    table: pa.Table
    """The captured rows in their order and all their columns, then the label under every name, as text."""
    counts: Counts


class Awaiting(NamedTuple):
    """A window whose labels are looked for."""

    ids: Callable[[], Iterable[pa.Table]]
    """The columns ``@event_id`` and ``@inference_id`` of its captured rows, batch by batch."""
    start: str
    """The first hour folder in which its labels may lie."""
    stop: str
    """The hour folder after the last one."""


class Meeting:
    """Lines of ground truth that have met the predictions of many windows at once."""

    def __init__(self, connection: duckdb.DuckDBPyConnection) -> None:
        """Reads off a database in which they have met."""
        self._connection = connection

    def labels(self, place: int) -> pa.Table:
        """The labels of one window, by its place: columns of `LABELS`, one row an id and label, sorted by id."""
        found: pa.Table = self._connection.sql(OF_WINDOW, params=[place]).to_arrow_table()
        return found.cast(LABELS).combine_chunks()

    @property
    def matched_labels(self) -> int:
        """How many ids with a label at least one prediction of any window bears."""
        ((count,),) = self._connection.execute('select count(distinct "@label_id") from met').fetchall()
        return int(count)


@contextmanager
def meeting(
    lines: pa.Table, windows: Sequence[Awaiting], memory_limit: str = "1GB", spill: str = ""
) -> Iterator[Meeting]:
    """Lets lines of ground truth meet the predictions that they belong to, window by window.

    Args:
        lines: Rows of `monitor_tasks.tables.labels.LABELS`; in hour folders or, in one file, of every window.
        windows: The windows, told by their places; one label may belong to several.
        memory_limit: How much DuckDB may hold in memory.
        spill: A folder for what exceeds it, which the caller makes and removes; empty: nothing is spilled.

    Raises:
        UserError: the memory does not suffice.
    """
    with opened(memory_limit, THREADS, spill) as connection:
        try:
            connection.execute("create temp table predictions (place integer, key varchar)")
            for place, window in enumerate(windows):
                for batch in window.ids():
                    connection.register("batch", batch)
                    connection.execute(PUT, [place])
            columns = [list(range(len(windows))), [one.start for one in windows], [one.stop for one in windows]]
            types = (pa.int32(), pa.string(), pa.string())
            reaches = [pa.array(column, type_) for column, type_ in zip(columns, types, strict=True)]
            connection.register("reaches", pa.table(reaches, ["place", "start", "stop"]))
            connection.register("lines", lines)
            connection.execute(MEET)
        except (duckdb.OutOfMemoryException, duckdb.IOException) as error:
            raise _too_much(f"{len(windows)} windows", lines.num_rows, memory_limit, spill, error) from error
        yield Meeting(connection)


def merge(
    captured: pa.Table, labels: pa.Table, names: Sequence[str], memory_limit: str = "1GB", spill: str = ""
) -> Merged:
    """Every captured row with its label; none (null) where it has not arrived yet.

    A label belongs to all rows whose inference id it bears, or whose event id where a row has no inference id. Of
    several labels of one id, as in tables put together, the first counts, in the order object, line.

    Args:
        captured: Rows with the columns ``@event_id`` and ``@inference_id`` and any others.
        labels: Rows of `monitor_tasks.tables.labels.LABELS`.
        names: What the label is called; a name that comes twice is one column.
        memory_limit: How much DuckDB may hold in memory.
        spill: A folder for what exceeds it, which the caller makes and removes; empty: nothing is spilled.

    Raises:
        UserError: the captured table has a column of such a name, or the memory does not suffice.
    """
    for name in names:
        if name in captured.column_names:
            raise UserError(
                f"the captured table has a column {name!r} already, so the label cannot be called that; give the label "
                "another name (ground_truth_attribute of model_quality, label of bias) or rename the captured column"
            )
    ids = captured.select(["@event_id", "@inference_id"]).append_column("row", pa.array(np.arange(captured.num_rows)))
    try:
        label, counts = _joined(ids, labels, memory_limit, spill)
    except (duckdb.OutOfMemoryException, duckdb.IOException) as error:
        raise _too_much(f"{captured.num_rows} predictions", labels.num_rows, memory_limit, spill, error) from error
    table = captured
    for name in dict.fromkeys(names):
        table = table.append_column(pa.field(name, pa.string()), label)
    return Merged(table, counts)


def merged_records(rows: pa.Table, label: str, outputs: Sequence[str], inputs: Sequence[str]) -> Iterator[bytes]:
    """The labelled rows as lines of SageMaker's merge job (contract model-quality, section 2), payloads as CSV.

    Args:
        rows: A merged table; a row without a label is left out, as that job does.
        label: The column of the label.
        outputs: The columns that the model answered, in order.
        inputs: The columns that it was asked with, in order.
    """
    sides = (("endpointInput", "INPUT", inputs), ("endpointOutput", "OUTPUT", outputs))
    for batch in rows.filter(pc.is_valid(rows[label])).to_batches(max_chunksize=ROWS):
        for row in batch.to_pylist():
            known = {"eventId": row["@event_id"], "inferenceId": row["@inference_id"]}
            known |= {"inferenceTime": format_time(row["@time"])}
            payloads = {
                side: {"data": _csv([row[name] for name in names]), "encoding": "CSV", "mode": mode,
                       "observedContentType": "text/csv"}
                for side, mode, names in sides
            }  # fmt: skip
            record = {
                "eventVersion": "0",
                "groundTruthData": {"data": _csv([row[label]]), "encoding": "CSV"},
                "captureData": payloads,
                "eventMetadata": {name: value for name, value in known.items() if value is not None},
            }
            yield json.dumps(record).encode() + b"\n"


def _csv(cells: Sequence[str | None]) -> str:
    """The cells as a line of CSV without its end."""
    line = io.StringIO()
    csv.writer(line, lineterminator="").writerow(cells)
    return line.getvalue()


def _joined(ids: pa.Table, labels: pa.Table, memory_limit: str, spill: str) -> tuple[pa.Array, Counts]:
    """The label of every row, in the order of the rows and in one piece, so that the same rows give the same bytes."""
    with opened(memory_limit, THREADS, spill) as connection:
        connection.register("captured", ids)
        connection.register("labels", labels)
        connection.execute(JOIN)
        (counts,) = connection.execute(COUNT).fetchall()
        label = connection.sql("select label from joined order by row").to_arrow_table()["label"]
    return label.combine_chunks(), Counts(*counts)


def _too_much(what: str, labels: int, memory_limit: str, spill: str, error: Exception) -> UserError:
    return UserError(
        f"joining {what} with {labels} labels needs more than {memory_limit} of memory and there is no room in "
        f"{spill or '(no folder)'} for the rest; raise the limit or make room: {str(error).splitlines()[0]}"
    )
