"""Which label belongs to each prediction: by an index of the ids, or by DuckDB where one has several labels."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from monitor_tasks.tables.ahead import ahead
from monitor_tasks.tables.engine import Engine, opened
from monitor_tasks.tables.files import SAMPLE, Stored
from monitor_tasks.tables.hash_index import NOWHERE, PIECE, Hashes, HashIndex, Rows
from monitor_tasks.tables.label_lines import THREADS, in_pieces
from monitor_tasks.tables.marks import Mask, bytes_of, in_one_piece

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


def keys_of(ids: pa.Table) -> pa.ChunkedArray:
    """What a label's id is compared with: the inference id of each row, or its event id where it has none."""
    events, inferences = (ids[name].cast(pa.string()) for name in ("@event_id", "@inference_id"))
    if inferences.null_count == len(inferences):
        return events
    return pc.if_else(pc.equal(inferences, "").fill_null(True), events, inferences)


class Ids:
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
                yield from here.to_batches()

        return pa.RecordBatchReader.from_batches(schema, batches())


def joined(ids: Ids, labels: pa.Table, memory_limit: str, spill: str) -> tuple[pa.Array, Counts]:
    """The label of every row, in the order of the rows and in one piece, so that the same rows give the same bytes."""
    if (found := _met_once(ids, labels, memory_limit, spill)) is not None:
        return found
    with opened(memory_limit, THREADS, spill) as connection:
        connection.execute("set preserve_insertion_order = false")  # rows are told by their numbers
        connection.register("labels", in_pieces(labels))
        connection.register("captured", ids.numbered())
        connection.execute(JOIN)
        (counts,) = connection.execute(COUNT).fetchall()
        label = connection.sql("select label from joined order by row").to_arrow_table()["label"]
    return label.combine_chunks(), Counts(*counts)


def _met_once(ids: Ids, labels: pa.Table, memory_limit: str, spill: str) -> tuple[pa.Array, Counts] | None:
    """What the join says where no prediction has met two labels, as is usual; None where one has.

    They meet by hashes of their ids, which is a fraction of the work, and then show their ids; where two ids turn out
    to have one hash it is None, too. The ids of the predictions are read once.
    """
    found = _met_by_hashes(ids, labels, memory_limit)
    if found is None:
        return None
    label, hashes = pa.concat_arrays([pa.array([], pa.string()), *found.labels]), np.concatenate([_NONE, *found.alone])
    matched, different = ids.count - label.null_count, len(np.unique(hashes))
    if different < len(hashes):
        different = _different(ids, label.is_null().to_numpy(zero_copy_only=False), memory_limit, spill)
    shared = matched - found.matched_labels + len(hashes) - different
    return label, Counts(ids.count, matched, ids.count - matched, shared, found.matched_labels, conflicting=0)


class _AllMet(NamedTuple):
    """What all predictions have met."""

    labels: list[pa.Array]
    """Of each its label, or none (null)."""
    alone: list[Hashes]
    """The hashes of the ids that have met none."""
    matched_labels: int


def _met_by_hashes(ids: Ids, labels: pa.Table, memory_limit: str) -> _AllMet | None:
    """What all predictions have met; the index, which takes more memory than that, ends with the call."""
    found, alone, is_met = list[pa.Array](), list[Hashes](), np.zeros(labels.num_rows, bool)
    with Engine(memory_limit) as engine:
        for met in ahead(_Labels(labels, engine).met, (piece for keys in ids for piece in _pieces(keys))):
            if met is None:
                return None
            found.append(met.label)
            alone.append(met.alone)
            is_met[met.places] = True
    return _AllMet(found, alone, int(np.count_nonzero(is_met)))


class _Met(NamedTuple):
    """What some predictions have met."""

    label: pa.Array
    """Of each its label, or none (null)."""
    places: Rows
    """Where these labels stand."""
    alone: Hashes
    """The hashes of the ids that have met none."""


class _Labels:
    """Labels that are found by their ids; several threads may ask at once."""

    def __init__(self, labels: pa.Table, engine: Engine) -> None:
        self._engine, self._ids = engine, in_one_piece(labels["@label_id"])
        self._binaries = _of_one_size(self._ids)
        with ThreadPoolExecutor(1) as aside:
            label = aside.submit(_repeating, in_one_piece(labels["@label"]))
            self._index = HashIndex(np.concatenate([_NONE, *ahead(self._hashes, _pieces(labels["@label_id"]))]))
        self._label = label.result()
        self._is_repeated = np.zeros(labels.num_rows, bool)
        self._is_repeated[self._index.repeated] = True

    def met(self, keys: pa.ChunkedArray) -> _Met | None:
        """The labels of predictions with these ids; None where one has met two, or one whose id is another."""
        hashes, is_known = self._hashes(keys), keys.is_valid().to_numpy()
        place = self._index.places(hashes)
        has = (place != NOWHERE) & is_known
        places = pa.array(place, mask=~has)
        if self._is_repeated[place[has]].any() or not self._are_these(in_one_piece(keys), places):
            return None
        return _Met(self._label.take(places).cast(pa.string()), place[has], hashes[is_known & ~has])

    def _are_these(self, keys: pa.Array, places: pa.Array) -> bool:
        """Whether the ids at the places are those of the predictions; where there is no place nothing is compared."""
        ids = self._binaries
        if (shown := _of_one_size(keys)).type != ids.type:
            shown, ids = keys, self._ids
        return pc.all(pc.equal(shown, ids.take(places))).as_py() is not False

    def _hashes(self, ids: pa.ChunkedArray) -> Hashes:
        hashes: Hashes = self._engine.ask(HASH, pa.Table.from_arrays([ids], ["id"]))["hash"].to_numpy()
        return hashes


def _different(ids: Ids, wanted: Mask, memory_limit: str, spill: str) -> int:
    """How many different ids the wanted rows have."""
    with opened(memory_limit, THREADS, spill) as connection:
        connection.register("alone", ids.numbered(wanted))
        ((count,),) = connection.execute(DIFFERENT).fetchall()
    return int(count)


def _pieces(column: pa.ChunkedArray) -> Iterator[pa.ChunkedArray]:
    """A column in pieces that a thread looks at together."""
    return (column.slice(start, PIECE) for start in range(0, len(column), PIECE))


def _of_one_size(ids: pa.Array) -> pa.Array:
    """The ids as binaries of one size, which are fetched three times as fast; as they are where they differ in it.

    >>> _of_one_size(pa.array(["ab", "cd"])).type, _of_one_size(pa.array(["ab", "c"])).type
    (FixedSizeBinaryType(fixed_size_binary[2]), DataType(string))
    """
    content, bounds = bytes_of(ids)
    size = int(bounds[-1]) // max(len(ids), 1)
    if not size or ids.null_count or (np.diff(bounds) != size).any():
        return ids
    return pa.FixedSizeBinaryArray.from_buffers(pa.binary(size), len(ids), [None, pa.py_buffer(content)])


def _repeating(label: pa.Array) -> pa.Array:
    """The labels by a dictionary, where they repeat: each is then one number to fetch."""
    first = label.slice(0, SAMPLE)
    return label.dictionary_encode() if len(first.unique()) <= len(first) // 2 else label


_NONE = np.empty(0, np.uint64)
