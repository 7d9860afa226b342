"""The verbs that make tables of files in hand: ingest capture files, merge labels, retrain."""

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from datetime import datetime
from functools import partial
from hashlib import sha256
from tempfile import TemporaryDirectory, TemporaryFile, gettempdir
from typing import Any, BinaryIO, NamedTuple, TypeAlias

import pyarrow as pa
import pyarrow.compute as pc

from monitor_tasks.inputs import Records
from monitor_tasks.io.addresses import private_key
from monitor_tasks.io.errors import as_ours
from monitor_tasks.tables.captured import Source, capture, features
from monitor_tasks.tables.files import Stored, table_bytes, write_table
from monitor_tasks.tables.label_lines import LabelLines
from monitor_tasks.tables.labelled import Awaiting, Meeting, bounded, meet, merged_records
from monitor_tasks.tables.labelled import merge as merge_rows
from monitor_tasks.tables.labels import LABELS, Truths, gather, hours_of
from monitor_tasks.tables.ledger import Ledger, quarantine_line
from monitor_tasks.tables.lines import Object
from monitor_tasks.tables.private import hidden, hiding
from monitor_tasks.tables.readings import Span
from monitor_tasks.tables.sampling import PICKED, VARIANT, Picking, halves
from monitor_tasks.value import STORED, UserError

WINDOW = "@window"
PLAIN = r"^[ !#-\[\]-~]*$"
"""A text that JSON writes as it is."""
_PIECE = 1 << 16
"""Texts that are written together."""
Files: TypeAlias = dict[str, bytes]


@contextmanager
def ingested(
    source: Source, span: Span, settings: Records, watch: Callable[[int, int], None] | None = None
) -> Iterator[tuple[Ledger, dict[str, bytes | BinaryIO]]]:
    """The captured table of the source's records, its sample, the ledger, and the records in quarantine.

    What is large is an open file, which is closed at the end. `watch` is told how many records were read so far, and
    how many of them are in quarantine.
    """
    with ExitStack() as opened:
        try:
            spill, table, quarantine = (opened.enter_context(TemporaryFile()) for _ in range(3))
            found = capture(source, settings, span, spill, watch)
            hide = _hiding(found.schema.empty_table(), settings)
            picking = Picking()
            write_table(picking.passing(map(hide, found.batches())), hide(found.schema.empty_table()).schema, table)
            for one in found.quarantine():
                quarantine.write(quarantine_line(one.without_its_text() if settings.private else one))
            quarantine.flush()
        except OSError as error:
            raise as_ours(gettempdir(), error) from error
        files: dict[str, bytes | BinaryIO] = {
            "captured.parquet": table,
            "ledger.json": found.ledger.to_json(),
            "quarantine.jsonl": quarantine,
        }
        if (picked := picking.table) is not None:
            files[PICKED] = table_bytes(picked)
        yield found.ledger, files


def _hiding(captured: pa.Table, settings: Records) -> Callable[[pa.Table], pa.Table]:
    """What hides the private columns of captured rows.

    Raises:
        UserError: a private column has another name, or nothing keys its hashes.
    """
    key = private_key()
    if "hash" in settings.private.values() and not key:
        raise UserError(
            "capture.private: MONITOR_TASKS_PRIVATE_KEY is not set, so anyone could try what a hash is the hash of; "
            "set it for every process that ingests, or drop the columns"
        )
    return partial(hidden, private=hiding(features(captured).column_names, settings.private, settings.named), key=key)


class GroundTruth(NamedTuple):
    """The lines of label files."""

    lines: LabelLines
    """Those that can be used."""
    ledger: Ledger
    """What became of each."""
    quarantine: BinaryIO
    """The others: an open file."""

    def met(self, windows: Sequence[Awaiting]) -> Meeting:
        """The lines and the windows that they belong to."""
        return meet(self.lines, windows)


@contextmanager
def ground_truth(
    objects: Iterable[Object], columns: tuple[str, str], memory_limit: str = "1GB"
) -> Iterator[GroundTruth]:
    """The lines of label files of any size; what exceeds the memory lies on disk meanwhile."""
    told = "joining the lines of the label files with the predictions"
    with ExitStack() as opened:
        try:
            spill, quarantine = opened.enter_context(TemporaryDirectory()), opened.enter_context(TemporaryFile())
            lines = opened.enter_context(bounded(lambda: told, memory_limit, spill))
            ledger = gather(
                Truths(objects, columns, TemporaryFile), lines, lambda one: quarantine.write(quarantine_line(one))
            )
            quarantine.flush()
        except OSError as error:
            raise as_ours(gettempdir(), error) from error
        yield GroundTruth(lines, ledger, quarantine)


@contextmanager
def merged(
    captured: Stored, labels: pa.Table, names: tuple[str, ...], record: Records | None = None
) -> Iterator[dict[str, bytes | BinaryIO]]:
    """The captured rows with the labels of their window, and the counts of what matched.

    With the names of a record's cells, the labelled rows are written in the form of SageMaker's merge job, too.
    What is large is an open file, which is closed at the end.
    """
    with ExitStack() as opened:
        try:
            spill = opened.enter_context(TemporaryDirectory())
            table, records = (opened.enter_context(TemporaryFile()) for _ in range(2))
            found = merge_rows(captured, labels, names, spill=spill)
            write_table(found.rows.typed(), found.rows.form, table)
            if record is not None:
                records.writelines(merged_records(found.rows, names[0], record.output_names, record.input_names))
                records.flush()
        except OSError as error:
            raise as_ours(gettempdir(), error) from error
        told = {"coverage": found.counts.coverage, "newest_hour": pc.max(hours_of(labels)).as_py() or None}
        told |= {"strange": found.strange} if found.strange else {}
        counts = {"schema_version": STORED["labels.json"], **found.counts._asdict(), **told}
        files: dict[str, bytes | BinaryIO] = {
            "labelled.parquet": table,
            "labels.json": json.dumps(counts, indent=2).encode(),
        }
        yield files if record is None else {**files, "merged.jsonl": records}


def hash_of_labels(labels: pa.Table) -> str:
    """Hash of a window's labels, in the order in which they count, whatever the files are called that they lie in."""
    found = sha256()
    columns = (labels["@label_id"], labels["@label"], hours_of(labels))
    for place, column in enumerate(columns):
        lists = (_json_list(piece) for chunk in column.chunks for piece in _pieces(chunk))
        found.update(b", [" if place else b"[[")
        for number, text in enumerate(lists):
            found.update(b", " * (number > 0) + text)
        found.update(b"]")
    found.update(b"]")
    return found.hexdigest()


def _pieces(column: pa.Array) -> Iterator[pa.Array]:
    return (column.slice(start, _PIECE) for start in range(0, len(column), _PIECE))


def _json_list(texts: pa.Array) -> bytes:
    """What stands between the brackets of a JSON list."""
    if pc.all(pc.match_substring_regex(texts, PLAIN)).as_py():
        joined: str = pc.binary_join(pa.ListArray.from_arrays([0, len(texts)], texts), '", "')[0].as_py()
        return f'"{joined}"'.encode()
    return json.dumps(texts.to_pylist())[1:-1].encode()


def label_files(found: GroundTruth, **told: Any) -> dict[str, bytes | BinaryIO]:
    """What became of each line of ground truth, and those in quarantine."""
    return {
        "ground_truth.json": json.dumps({**found.ledger.told, **told}, indent=2).encode(),
        "quarantined_labels.jsonl": found.quarantine,
    }


def together(tables: Mapping[str, pa.Table]) -> bytes:
    """The labels of several windows as one file, each with its window."""
    named = [rows.append_column(WINDOW, pa.array([name] * rows.num_rows, pa.string())) for name, rows in tables.items()]
    return table_bytes(pa.concat_tables([LABELS.append(pa.field(WINDOW, pa.string())).empty_table(), *named]))


def apart(labels: pa.Table, window: str) -> pa.Table:
    """The labels of one window out of those of several."""
    return labels.filter(pc.field(WINDOW) == window).drop_columns([WINDOW]).combine_chunks()


def between(rows: Stored, start: datetime, end: datetime) -> Stored:
    """The captured rows of a half-open span of time."""
    inside = (pc.field("@time") >= pa.scalar(start)) & (pc.field("@time") < pa.scalar(end))
    return rows.narrowed(lambda batch: batch.filter(inside))


def of_judged(rows: Stored, shadow: Sequence[str], judged: Sequence[str] = ()) -> Stored:
    """The rows of the variants that are judged: the named ones, or else all but the shadow ones."""
    names = pa.array(judged or shadow, pa.string())
    if VARIANT not in rows.column_names or not len(names):
        return rows

    def of_some(batch: pa.Table) -> pa.Table:
        among = pc.is_in(pc.cast(batch[VARIANT], pa.string()), value_set=names)
        return batch.filter(among if judged else pc.invert(among))

    return rows.narrowed(of_some)


def without(rows: pa.Table | Stored, names: tuple[str, ...]) -> pa.Table | Stored:
    """The rows without the columns of these names, where they have them."""
    return rows.select([name for name in rows.column_names if name not in names])


def concatenated(tables: Sequence[pa.Table]) -> pa.Table:
    """The rows of all tables; a column that one of them lacks is missing there."""
    return pa.concat_tables(tables, promote_options="default")


def learning_half(rows: pa.Table) -> tuple[bytes, pa.Table]:
    """Half of the rows as a file to learn from, and the other half to judge by what was learned."""
    learned, held = halves(rows)
    return table_bytes(learned), held
