"""Ground-truth files to one label per id, and the ledger of what became of each line.

The files are SageMaker's (contract model-quality, section 1): one JSON object a line, keyed by the inference id of the
captured record, or by its event id where it has none. Beside them tables are read, CSV and Parquet, one label a row.
"""

import hashlib
import io
import json
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from typing import BinaryIO, NamedTuple, Self

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from monitor_tasks.tables.ahead import ahead
from monitor_tasks.tables.engine import opened
from monitor_tasks.tables.files import Stored
from monitor_tasks.tables.label_lines import LABELS, THREADS, LabelLines
from monitor_tasks.tables.label_records import LabelReason, parse_label
from monitor_tasks.tables.label_shapes import CELL, LineShape
from monitor_tasks.tables.ledger import Ledger, Place, Quarantined
from monitor_tasks.tables.lines import Block, Object, blocks, in_memory
from monitor_tasks.tables.payloads import Unusable
from monitor_tasks.tables.several_labels import SEVERAL
from monitor_tasks.value import UserError

__all__ = ["LABELS", "LabelReason", "Labels", "Truths", "gather", "hours_of", "parse_label", "read_labels"]

_HOUR = re.compile(r"(\d{4})/(\d\d)/(\d\d)/(\d\d)/")
SHAPES = 4
"""How many shapes of lines are looked for; what has none of them is read line by line."""
FATES = ("accepted", "duplicate", "conflicting", "quarantined")


class Labels(NamedTuple):
    """What the lines of ground truth became."""

    table: pa.Table
    """One row per id, in the order object, line: columns of `LABELS`."""
    lines: pa.Table
    """One row per line that can be used, in the order object, line: columns of `LABELS`."""
    ledger: Ledger
    """Read = accepted + duplicate + conflicting + quarantined."""
    quarantined: list[Quarantined]
    """In the order object, line; the reasons are those of `LabelReason` and of `LineReason`."""


class _Found(NamedTuple):
    """What lines that follow each other are."""

    numbers: pa.Array
    ids: pa.Array
    labels: pa.Array
    """Of the lines that can be used."""
    quarantined: list[Quarantined]

    @classmethod
    def of(cls, numbers: Sequence[int], pairs: Sequence[tuple[str, str]], quarantined: list[Quarantined]) -> Self:
        """Lines by their numbers, each with its id and its label."""
        ids, labels = (pa.array([pair[side] for pair in pairs], pa.string()) for side in (0, 1))
        return cls(pa.array(numbers, pa.int64()), ids, labels, quarantined)


def read_labels(objects: Iterable[tuple[str, bytes]], columns: tuple[str, str] = ("event_id", "label")) -> Labels:
    """The labels in ground-truth files in hand, one per id, told as `gather` does."""
    quarantined: list[Quarantined] = []
    with opened("1GB", THREADS) as connection, LabelLines(connection) as lines:
        ledger = gather(Truths(in_memory(objects), columns, io.BytesIO), lines, quarantined.append)
        return Labels(lines.accepted(), lines.lines(), ledger, quarantined)


class Truths(NamedTuple):
    """Ground-truth files."""

    objects: Iterable[Object]
    """What ends in .csv or .parquet is a table, all else is JSON Lines; no object is held whole."""
    columns: tuple[str, str]
    """The tables' columns of the id and of the label; the latter is the path to the label in JSON, too."""
    scratch: Callable[[], BinaryIO]
    """Opens an empty file, into which a table is copied."""


def gather(truths: Truths, lines: LabelLines, refuse: Callable[[Quarantined], object]) -> Ledger:
    """Puts every line of ground truth that can be used into `lines`, and tells what became of each.

    Of the lines with one id the first counts, in the order object, line; the others are duplicates if they bear the
    same label and conflicting if not. Labels are compared as text: 1 and 1.0 are two labels.

    Args:
        truths: The files, in any order.
        lines: Where they are put.
        refuse: Takes what is quarantined, in the order object, line.

    Raises:
        UserError: a table cannot be read, or lacks such a column.
    """
    ledger = Ledger(FATES)
    for one in sorted(truths.objects, key=lambda one: one.name):
        is_table = one.name.endswith((".csv", ".parquet"))
        for found in _in_table(one, truths, ledger) if is_table else _in_lines(one, truths.columns[1], ledger):
            if len(found.numbers):
                lines.put(one.name, found.ids, found.labels, found.numbers)
            for bad in sorted(found.quarantined):
                ledger.note(one.name, "quarantined", bad.reason)
                refuse(bad)
    for name, fate, count in lines.fates():
        ledger.note(name, fate, count=count)
        ledger.conflicts += count * (fate == "conflicting")
    return ledger


def _in_lines(one: Object, path: str, ledger: Ledger) -> Iterator[_Found]:
    """Every line of JSON Lines, block by block; some blocks are read at once."""
    shapes: list[LineShape] = []
    for found in ahead(partial(_in_block, path=path, shapes=shapes), blocks([one], ledger)):
        yield from found


def _in_block(block: Block, path: str, shapes: list[LineShape]) -> list[_Found]:
    """The lines of a block, those that have a shape together; it may be learned from the first that has none yet."""
    found, rest = list[_Found](), np.arange(len(block.lines))
    for number in range(SHAPES):
        if not len(rest):
            break
        if number == len(shapes):
            shape = LineShape.of(str(block.lines[int(rest[0])].as_py()), path, is_wide=bool(shapes))
            if shape is None:
                break
            shapes.append(shape)
        lines = block.lines if len(rest) == len(block.lines) else block.lines.take(pa.array(rest))
        taken = shapes[number].taken(lines)
        found.append(_Found(pa.array(block.numbers[rest[taken.fits]]), taken.ids, taken.labels, []))
        rest = rest[~taken.fits]
    return [*found, _one_by_one(block, path, rest.tolist())]


def _one_by_one(block: Block, path: str, indices: list[int]) -> _Found:
    """Lines of a block, each read by itself, and those that could not be read at all."""
    numbers, pairs, quarantined = list[int](), list[tuple[str, str]](), [*block.quarantined]
    for index in indices:
        line, place = block.line(index), block.place(index)
        try:
            pairs.append(parse_label(line, path))
            numbers.append(place.line)
        except Unusable as error:
            quarantined.append(Quarantined.of(place, line, error.reason, str(error)))
    return _Found.of(numbers, pairs, quarantined)


def _in_table(one: Object, truths: Truths, ledger: Ledger) -> Iterator[_Found]:
    """Every row of a table, numbered from 1; it is copied to disk, where one can go to and fro in it."""
    sha256, start = hashlib.sha256(), 1
    with truths.scratch() as file:
        for chunk in one.chunks():
            sha256.update(chunk)
            file.write(chunk)
        ledger.open(one.name, sha256.hexdigest())
        table = Stored.in_file(file, one.name)
        if lacking := [column for column in truths.columns if column not in table.column_names]:
            raise UserError(
                f"{one.name}: has no column {lacking[0]!r}, only {', '.join(table.column_names)}; "
                "set ground_truth.id_attribute and label_attribute"
            )
        for batch in table.batches(truths.columns):
            cells = (batch[column].cast(pa.string()).combine_chunks() for column in truths.columns)
            yield _of_rows(one.name, start, *cells)
            start += batch.num_rows


def _of_rows(name: str, start: int, ids: pa.Array, labels: pa.Array) -> _Found:
    """The rows from a number on: together where id and label are plain, one by one where they are not."""
    plain = pc.and_(pc.greater(pc.binary_length(ids), 0), pc.match_substring_regex(labels, CELL)).fill_null(False)
    rows, pairs, quarantined = list[int](), list[tuple[str, str]](), list[Quarantined]()
    for row in np.flatnonzero(~plain.to_numpy(zero_copy_only=False)).tolist():
        label_id, label = ids[row].as_py(), labels[row].as_py()
        try:
            pairs.append(_of_row(label_id, label))
            rows.append(start + row)
        except Unusable as error:
            text = json.dumps([label_id, label]).encode()
            quarantined.append(Quarantined.of(Place(name, start + row, 0), text, error.reason, str(error)))
    odd = _Found.of(rows, pairs, quarantined)
    numbers = pa.array(np.arange(start, start + len(ids))).filter(plain)
    return _Found(
        pa.concat_arrays([numbers, odd.numbers]), pa.concat_arrays([ids.filter(plain), odd.ids]),
        pa.concat_arrays([labels.filter(plain), odd.labels]), quarantined,
    )  # fmt: skip


def _of_row(label_id: str | None, label: str | None) -> tuple[str, str]:
    """The id and the label in a row of a table, without the blanks around the label."""
    if not label_id:
        raise Unusable(LabelReason.NO_EVENT_ID, "the id is missing or empty")
    if label is None or not label.strip():
        raise Unusable(LabelReason.BAD_PAYLOAD, "the row holds no label")
    if SEVERAL in label:
        raise Unusable(LabelReason.BAD_PAYLOAD, "the label holds the control character U+001E")
    return label_id, label.strip()


def hours_of(labels: pa.Table) -> pa.ChunkedArray:
    """The hours in which labels were collected, as their folders tell; of other files the text is empty.

    >>> row = {"@label_id": "a", "@label": "1", "@label_object": "2026/01/01/05/x.jsonl", "@label_line": 1}
    >>> hours_of(pa.Table.from_pylist([row, {**row, "@label_object": "all.jsonl"}])).to_pylist()
    ['2026-01-01T05:00:00Z', '']
    """
    names = labels["@label_object"].combine_chunks().dictionary_encode()
    found = [_HOUR.match(name) for name in names.dictionary.to_pylist()]
    hours = ["{}-{}-{}T{}:00:00Z".format(*one.groups()) if one else "" for one in found]
    return pa.chunked_array([pa.array(hours, pa.string()).take(names.indices)])
