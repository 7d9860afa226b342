"""The captured table with the ground truth that has arrived, and which windows a label belongs to.

Only ids and labels are joined, by `monitor_tasks.tables.joining`; the other columns are not touched, whatever their
names and types. Lines of ground truth meet the windows in DuckDB, which spills to disk where memory is short.
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
from monitor_tasks.tables.files import Stored
from monitor_tasks.tables.joining import Counts, Ids, joined, keys_of
from monitor_tasks.tables.label_lines import PIECE, THREADS, LabelLines
from monitor_tasks.tables.several_labels import numbered, shared_out
from monitor_tasks.value import UserError
from monitor_tasks.window import format_time

ROWS = 1 << 14
"""Rows that are written as records at a time."""

REACHABLE = """
create temp table reachable as
    select owner, number from objects join reaches on (object >= start and object < stop)
        or not regexp_matches(object, '^[0-9]{4}/[0-9]{2}/[0-9]{2}/[0-9]{2}/')
"""
MET = """
create temp table met as
    select owner, key, label, min(place) as place
    from lines join predictions using (key) join reachable using (owner)
    where number = place >> 40
    group by owner, key, label
"""
OF_WINDOW = """
select key::varchar as "@label_id", label as "@label", place from met where owner = ? order by key, place, label
"""


class Merged(NamedTuple):
    """The captured table and its labels."""

    rows: Stored
    """The captured rows in their order and all their columns, then the label under every name, as text."""
    counts: Counts
    strange: int = 0
    """Unlabelled rows whose record has another number of rows than its ground truth has labels."""

    @property
    def table(self) -> pa.Table:
        """All rows in memory."""
        return self.rows.whole()


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

    def __init__(self, lines: LabelLines) -> None:
        """Reads off a database in which they have met."""
        self._lines = lines

    def labels(self, owner: int) -> pa.Table:
        """The labels of one window, by its number: columns of `LABELS`, one row an id and label, sorted by id."""
        return self._lines.named(self._lines.connection.sql(OF_WINDOW, params=[owner]).to_arrow_table())

    @property
    def matched_labels(self) -> int:
        """How many ids with a label at least one prediction of any window bears."""
        ((count,),) = self._lines.connection.execute("select count(distinct key) from met").fetchall()
        return int(count)


def meet(lines: LabelLines, windows: Sequence[Awaiting]) -> Meeting:
    """Lets lines of ground truth meet the predictions that they belong to, window by window.

    Args:
        lines: In hour folders or, in one file, of every window.
        windows: The windows, told by their numbers; one label may belong to several.
    """
    lines.settle()
    for owner, window in enumerate(windows):
        for batch in window.ids():
            lines.expect(owner, keys_of(batch))
    reaches = {"owner": [*range(len(windows))], "start": [one.start for one in windows],
               "stop": [one.stop for one in windows]}  # fmt: skip
    types = {"owner": pa.int32(), "start": pa.string(), "stop": pa.string()}
    objects = {"object": pa.array(lines.objects, pa.string()), "number": pa.array(np.arange(len(lines.objects)))}
    connection = lines.connection
    connection.register("reaches", pa.table({name: pa.array(reaches[name], type_) for name, type_ in types.items()}))
    connection.register("objects", pa.table(objects))
    connection.execute(REACHABLE)
    connection.execute(MET)
    return Meeting(lines)


@contextmanager
def bounded(what: Callable[[], str], memory_limit: str, spill: str) -> Iterator[LabelLines]:
    """An empty database for lines of ground truth.

    Args:
        what: Tells what it was needed for.
        memory_limit: How much DuckDB may hold in memory.
        spill: A folder for what exceeds it, which the caller makes and removes; empty: nothing is spilled.

    Raises:
        UserError: the memory does not suffice.
    """
    try:
        with opened(memory_limit, THREADS, spill) as connection, LabelLines(connection) as lines:
            yield lines
    except (duckdb.OutOfMemoryException, duckdb.IOException) as error:
        raise too_much(what(), memory_limit, spill, error) from error


@contextmanager
def meeting(
    labels: pa.Table, windows: Sequence[Awaiting], memory_limit: str = "1GB", spill: str = ""
) -> Iterator[Meeting]:
    """Rows of `monitor_tasks.tables.labels.LABELS` that have met predictions, as in `meet`.

    Raises:
        UserError: the memory does not suffice.
    """
    told = f"joining {len(windows)} windows with {labels.num_rows} labels"
    with bounded(lambda: told, memory_limit, spill) as lines:
        for name in sorted(labels["@label_object"].unique().to_pylist()):
            of_object = labels.filter(pc.field("@label_object") == name).combine_chunks()
            for rows in of_object.to_batches(PIECE):
                lines.put(name, rows["@label_id"], rows["@label"], rows["@label_line"])
        yield meet(lines, windows)


def merge(
    captured: pa.Table | Stored, labels: pa.Table, names: Sequence[str], memory_limit: str = "1GB", spill: str = ""
) -> Merged:
    """Every captured row with its label; none (null) where it has not arrived yet.

    A label belongs to all rows whose inference id it bears, or whose event id where a row has no inference id; of the
    labels of a record's rows each row has its own, and none where there is another number of rows than of labels. Of
    several labels of one id, as in tables put together, the first counts, in the order object, line. Of the captured
    rows only the ids are read here, a batch at a time and again where they are to be compared.

    Args:
        captured: Rows with the columns ``@event_id`` and ``@inference_id`` and any others.
        labels: Rows of `monitor_tasks.tables.labels.LABELS`.
        names: What the label is called; a name that comes twice is one column.
        memory_limit: How much DuckDB may hold in memory.
        spill: A folder for what exceeds it, which the caller makes and removes; empty: nothing is spilled.

    Raises:
        UserError: the captured table has a column of such a name, or the memory does not suffice.
    """
    rows = Stored.of(captured)
    for name in names:
        if name in rows.column_names:
            raise UserError(
                f"the captured table has a column {name!r} already, so the label cannot be called that; give the label "
                "another name (ground_truth_attribute of model_quality, label of bias) or rename the captured column"
            )
    labels, several = numbered(labels)
    try:
        label, counts = joined(Ids(rows), labels, memory_limit, spill)
    except (duckdb.OutOfMemoryException, duckdb.IOException) as error:
        told = f"joining {rows.num_rows or 'the'} predictions with {labels.num_rows} labels"
        raise too_much(told, memory_limit, spill, error) from error
    strange = 0
    if several is not None:
        label, strange = shared_out(rows, label, several)
        matched = len(label) - label.null_count
        counts = counts._replace(matched=matched, unlabelled=len(label) - matched)
    return Merged(rows.appended(dict.fromkeys(names, label)), counts, strange)


def merged_records(rows: Stored, label: str, outputs: Sequence[str], inputs: Sequence[str]) -> Iterator[bytes]:
    """The labelled rows as lines of SageMaker's merge job (contract model-quality, section 2), payloads as CSV.

    Args:
        rows: A merged table; a row without a label is left out, as that job does.
        label: The column of the label.
        outputs: The columns that the model answered, in order.
        inputs: The columns that it was asked with, in order.
    """
    sides = (("endpointInput", "INPUT", inputs), ("endpointOutput", "OUTPUT", outputs))
    known_rows = (batch.filter(pc.is_valid(batch[label])) for batch in rows.batches())
    for piece in (piece for batch in known_rows for piece in batch.to_batches(max_chunksize=ROWS)):
        for row in piece.to_pylist():
            known = {"eventId": row["@event_id"], "inferenceId": row["@inference_id"]}
            known |= {"inferenceTime": format_time(row["@time"])}
            payloads = {
                side: {"data": _csv([row.get(name) for name in names]), "encoding": "CSV", "mode": mode,
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


def too_much(what: str, memory_limit: str, spill: str, error: Exception) -> UserError:
    """What is said where memory does not suffice."""
    return UserError(
        f"{what} needs more than {memory_limit} of memory and there is no room in "
        f"{spill or '(no folder)'} for the rest; raise the limit or make room: {str(error).splitlines()[0]}"
    )
