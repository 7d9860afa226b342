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

from monitor_tasks.tables.ahead import ahead
from monitor_tasks.tables.engine import Engine, opened
from monitor_tasks.tables.files import SAMPLE, Stored
from monitor_tasks.tables.hash_index import NOWHERE, Hashes, HashIndex, Rows
from monitor_tasks.tables.label_lines import PIECE, THREADS, LabelLines, in_pieces
from monitor_tasks.tables.marks import Mask, in_one_piece
from monitor_tasks.tables.several_labels import numbered, shared_out
from monitor_tasks.value import UserError
from monitor_tasks.window import format_time

ROWS = 1 << 14
"""Rows that are written as records at a time."""

HASH = "select hash(id) as hash from rows"
DIFFERENT = "select count(distinct key) from alone"
JOIN = """
create temp table joined as
with accepted as (
    select "@label_id" as key, min_by("@label", ("@label_object", "@label_line", "@label")) as label
    from labels group by key
)
select row, key, label from captured left join accepted using (key)
"""

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


def keys_of(ids: pa.Table) -> pa.ChunkedArray:
    """What a label's id is compared with: the inference id of each row, or its event id where it has none."""
    events, inferences = (ids[name].cast(pa.string()) for name in ("@event_id", "@inference_id"))
    if inferences.null_count == len(inferences):
        return events
    return pc.if_else(pc.equal(inferences, "").fill_null(True), events, inferences)


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
        label, counts = _joined(_Ids(rows), labels, memory_limit, spill)
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


class _Ids:
    """What the labels' ids are compared with, row by row: read as often as it is asked for, never held whole."""

    def __init__(self, rows: Stored) -> None:
        self._rows = rows
        counts = (len(keys) for keys in self) if rows.num_rows is None else iter([rows.num_rows])
        self.count = sum(counts)

    def __iter__(self) -> Iterator[pa.ChunkedArray]:
        return map(keys_of, self._rows.batches(["@event_id", "@inference_id"]))

    def numbered(self, wanted: Mask | None = None) -> pa.RecordBatchReader:
        """The ids with the numbers of their rows, or of the wanted ones of them; to be read once."""
        schema = pa.schema([("key", pa.string()), ("row", pa.int32())])

        def batches(start: int = 0) -> Iterator[pa.RecordBatch]:
            for keys in self:
                rows = pa.Table.from_arrays(
                    [keys, pa.array(np.arange(start, start + len(keys), dtype=np.int32))], schema=schema
                )
                start += len(keys)
                here = rows if wanted is None else rows.filter(pa.array(wanted[start - len(keys) : start]))
                yield from here.to_batches(PIECE)

        return pa.RecordBatchReader.from_batches(schema, batches())


def _joined(ids: _Ids, labels: pa.Table, memory_limit: str, spill: str) -> tuple[pa.Array, Counts]:
    """The label of every row, in the order of the rows and in one piece, so that the same rows give the same bytes."""
    if (found := _met_once(ids, labels, memory_limit)) is not None:
        return found
    with opened(memory_limit, THREADS, spill) as connection:
        connection.execute("set preserve_insertion_order = false")  # rows are told by their numbers
        connection.register("labels", in_pieces(labels))
        connection.register("captured", ids.numbered())
        connection.execute(JOIN)
        (counts,) = connection.execute(COUNT).fetchall()
        label = connection.sql("select label from joined order by row").to_arrow_table()["label"]
    return label.combine_chunks(), Counts(*counts)


class _Met(NamedTuple):
    """What some predictions have met."""

    label: pa.Array
    place: Rows
    """The places of their labels."""
    alone: Hashes
    """The hashes of the ids that have met none."""


def _met_once(ids: _Ids, labels: pa.Table, memory_limit: str) -> tuple[pa.Array, Counts] | None:
    """What the join says where no prediction has met two labels, as is usual; None where one has.

    They meet by hashes of their ids, which is a fraction of the work, and then show their ids; where two ids turn out
    to have one hash it is None, too. The ids of the predictions are read once.
    """
    label_ids, label = in_one_piece(labels["@label_id"]), _repeating(in_one_piece(labels["@label"]))
    pieces, alone, named = [pa.array([], pa.string())], [np.empty(0, np.uint64)], np.zeros(len(label), bool)
    with Engine(memory_limit) as engine:

        def hashes_of(piece: pa.ChunkedArray) -> Hashes:
            hashes: Hashes = engine.ask(HASH, pa.Table.from_arrays([piece], ["id"]))["hash"].to_numpy()
            return hashes

        index = HashIndex(np.concatenate([alone[0], *ahead(hashes_of, _pieces(labels["@label_id"]))]))
        is_repeated = np.zeros(len(label), bool)
        is_repeated[index.repeated] = True

        def meet_them(keys: pa.ChunkedArray) -> _Met | None:
            hashes, is_known = hashes_of(keys), keys.is_valid().to_numpy()
            place = index.places(hashes)
            has = (place != NOWHERE) & is_known
            places = pa.array(place, mask=~has)
            place = place[has]
            if is_repeated[place].any() or pc.all(pc.equal(keys, label_ids.take(places))).as_py() is False:
                return None
            return _Met(label.take(places).cast(pa.string()), place, hashes[is_known & ~has])

        for met in ahead(meet_them, (piece for keys in ids for piece in _pieces(keys))):
            if met is None:
                return None
            pieces.append(met.label)
            alone.append(met.alone)
            named[met.place] = True
    found, hashes, matched_labels = pa.concat_arrays(pieces), np.concatenate(alone), int(np.count_nonzero(named))
    matched, different = ids.count - found.null_count, len(np.unique(hashes))
    if different < len(hashes):
        with opened(memory_limit, THREADS) as connection:
            connection.register("alone", ids.numbered(found.is_null().to_numpy(zero_copy_only=False)))
            ((different,),) = connection.execute(DIFFERENT).fetchall()
    shared = matched - matched_labels + len(hashes) - different
    return found, Counts(ids.count, matched, ids.count - matched, shared, matched_labels, conflicting=0)


def _pieces(column: pa.ChunkedArray) -> Iterator[pa.ChunkedArray]:
    """A column in pieces that a thread looks at together."""
    return (column.slice(start, PIECE) for start in range(0, len(column), PIECE))


def _repeating(label: pa.Array) -> pa.Array:
    """The labels by a dictionary, where they repeat: each is then one number to fetch."""
    first = label.slice(0, SAMPLE)
    return label.dictionary_encode() if len(first.unique()) <= len(first) // 2 else label


def too_much(what: str, memory_limit: str, spill: str, error: Exception) -> UserError:
    """What is said where memory does not suffice."""
    return UserError(
        f"{what} needs more than {memory_limit} of memory and there is no room in "
        f"{spill or '(no folder)'} for the rest; raise the limit or make room: {str(error).splitlines()[0]}"
    )
