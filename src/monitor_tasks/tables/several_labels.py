"""The labels of one record's rows: one text while they look for their predictions, and then each row's own.

A text that begins with `SEVERAL` is as many labels as it parts. While ids are joined a number stands for it, so that
a record of a thousand rows is not a thousand copies of a thousand labels.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from monitor_tasks.tables.files import Stored
from monitor_tasks.tables.marks import in_one_piece
from monitor_tasks.tables.sampling import ROW

SEVERAL = "\x1e"
"""ASCII's separator of records: no label holds it."""


class SharedOut(NamedTuple):
    """The label of every row."""

    label: pa.Array
    strange: int
    """Rows of records that have another number of rows than of labels: these stay without."""


def together(labels: Sequence[str]) -> str:
    """The labels of a record's rows as one text; a missing one is empty.

    >>> together(["1", "", "0"]).split(SEVERAL)
    ['', '1', '', '0']
    """
    return "".join(SEVERAL + one for one in labels)


def numbered(labels: pa.Table) -> tuple[pa.Table, pa.ListArray | None]:
    """Ground truth with a number for every text of several labels, and these by number; None where there is none."""
    label = in_one_piece(labels["@label"])
    several = pc.starts_with(label, SEVERAL)
    if not pc.any(several).as_py():
        return labels, None
    texts = label.filter(several).dictionary_encode()
    numbers = pc.binary_join_element_wise(SEVERAL, texts.indices.cast(pa.string()), "")
    place = labels.column_names.index("@label")
    replaced = labels.set_column(place, "@label", pc.replace_with_mask(label, several, numbers))
    return replaced, pc.split_pattern(texts.dictionary, SEVERAL)


def shared_out(rows: Stored, label: pa.Array, texts: pa.ListArray) -> SharedOut:
    """Each row's own label, by its number in its record, in place of the numbers that `numbered` put there."""
    several = pc.starts_with(label, SEVERAL).fill_null(False)
    mask = several.to_numpy(zero_copy_only=False)
    text = pc.utf8_slice_codeunits(label.filter(several), 1).cast(pa.int32()).to_numpy()
    place, size = (one[mask] for one in _places(rows, len(label)))
    starts = texts.offsets.to_numpy()
    fits = np.diff(starts)[text] == size + 1  # an empty text comes first
    own = texts.values.take(pa.array(starts[text] + 1 + place, mask=~fits))
    own = pc.if_else(pc.equal(own, ""), None, own)
    return SharedOut(pc.replace_with_mask(label, several, own), int(np.count_nonzero(~fits)))


def _places(rows: Stored, count: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Each row's number in its record, and how many rows that has; the rows of a record follow each other."""
    if ROW not in rows.column_names:
        return np.zeros(count, np.int64), np.ones(count, np.int64)
    place = np.concatenate([batch[ROW].to_numpy() for batch in rows.batches([ROW])])
    sizes = np.diff(np.flatnonzero(place == 0), append=count)
    return place, np.repeat(sizes, sizes)
