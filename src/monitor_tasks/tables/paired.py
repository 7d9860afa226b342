"""The rows of two models: each one's own, and those that answer the same request, side by side."""

from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from monitor_tasks.tables.captured import features
from monitor_tasks.tables.sampling import EVENT_ID


class Sides(NamedTuple):
    """The rows of a champion and a challenger: features, outputs and labels, and last the id of the request."""

    champion: pa.Table
    challenger: pa.Table
    paired: tuple[pa.Table, pa.Table]
    """The rows of either side whose request both answered, pair by pair."""


def of_variants(rows: pa.Table, column: str, champion: str, challenger: str) -> Sides:
    """The rows of two variants of one endpoint, by the names that the column has for them."""
    named = (rows.filter(pc.equal(rows[column], name)) for name in (champion, challenger))
    return sides_of(*named)


def sides_of(champion: pa.Table, challenger: pa.Table, labels: tuple[str, str] | None = None) -> Sides:
    """The rows of two labelled tables, each in its own order.

    Of rows with one id on one side the first is paired. `labels` names the column of either table's label, where these
    are labels of their own: a pair has the champion's, or the challenger's where that has not arrived.
    """
    mine, theirs = _identified(champion), _identified(challenger)
    both = pa.chunked_array([*mine[EVENT_ID].chunks, *theirs[EVENT_ID].chunks], pa.string()).dictionary_encode()
    codes = np.asarray(both.combine_chunks().indices.to_numpy(zero_copy_only=False))
    ids, others = (np.unique(side, return_index=True) for side in np.split(codes, [mine.num_rows]))
    _, first, second = np.intersect1d(ids[0], others[0], assume_unique=True, return_indices=True)
    pairs = mine.take(pa.array(ids[1][first])), theirs.take(pa.array(others[1][second]))
    return Sides(mine, theirs, pairs if labels is None else _labelled_alike(pairs, labels))


def _identified(rows: pa.Table) -> pa.Table:
    """The rows without what only says where they come from, but for one id: a label's, and the row in its record."""
    inference = rows["@inference_id"].cast(pa.string())
    known = pc.coalesce(pc.if_else(pc.equal(inference, ""), None, inference), rows[EVENT_ID].cast(pa.string()))
    several = pc.greater(rows["@row"], 0)
    numbered = pc.binary_join_element_wise(known, rows["@row"].cast(pa.string()), "#")
    return features(rows).append_column(EVENT_ID, pc.if_else(several, numbered, known))


def _labelled_alike(pairs: tuple[pa.Table, pa.Table], names: tuple[str, str]) -> tuple[pa.Table, pa.Table]:
    columns = [table[name].cast(pa.string()) for table, name in zip(pairs, names, strict=True)]
    label = pc.coalesce(*columns)
    one, two = (
        table.set_column(table.column_names.index(name), name, label) for table, name in zip(pairs, names, strict=True)
    )
    return one, two
