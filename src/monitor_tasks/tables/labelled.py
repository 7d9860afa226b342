"""The captured table with the ground truth that has arrived.

Only ids and labels go through DuckDB, which joins them and spills to disk where memory is short; the other columns
are not touched, whatever their names and types.
"""

from collections.abc import Sequence
from typing import NamedTuple

import duckdb
import numpy as np
import pyarrow as pa

from monitor_tasks.tables.engine import opened
from monitor_tasks.value import UserError

THREADS = 2

JOIN = """
create temp table joined as
with accepted as (
    select "@label_id" as key, min_by("@label", ("@label_object", "@label_line", "@label")) as label
    from labels group by key
), predictions as (
    select row, coalesce(nullif("@inference_id", ''), "@event_id") as key from captured
)
select row, key, label from predictions left join accepted using (key)
"""

COUNT = """
select
    count(*) as predictions,
    count(label) as matched,
    count(*) - count(label) as unlabelled,
    count(key) - count(distinct key) as shared_id,
    count(distinct key) filter (label is not null) as matched_labels,
    (select count(distinct "@label_id") from labels) - matched_labels as orphan
from joined
"""


class Counts(NamedTuple):
    """How predictions and labels met: predictions = matched + unlabelled, labels = matched_labels + orphan."""

    predictions: int
    matched: int
    """Predictions with a label."""
    unlabelled: int
    """Predictions whose label has not arrived."""
    shared_id: int
    """Predictions, labelled or not, whose id an earlier one bears too: each gets the label and counts as its own."""
    matched_labels: int
    """Labels that at least one prediction bears."""
    orphan: int
    """Labels whose id no prediction of this table bears."""


class Merged(NamedTuple):
    """The captured table and its labels."""

    table: pa.Table
    """The captured rows in their order and all their columns, then the label under every name, as text."""
    counts: Counts


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
        raise UserError(
            f"joining {captured.num_rows} predictions with {labels.num_rows} labels needs more than {memory_limit} of "
            f"memory and there is no room in {spill or '(no folder)'} for the rest; raise the limit or make room: "
            f"{str(error).splitlines()[0]}"
        ) from error
    table = captured
    for name in dict.fromkeys(names):
        table = table.append_column(pa.field(name, pa.string()), label)
    return Merged(table, counts)


def _joined(ids: pa.Table, labels: pa.Table, memory_limit: str, spill: str) -> tuple[pa.Array, Counts]:
    """The label of every row, in the order of the rows and in one piece, so that the same rows give the same bytes."""
    with opened(memory_limit, THREADS, spill) as connection:
        connection.register("captured", ids)
        connection.register("labels", labels)
        connection.execute(JOIN)
        (counts,) = connection.execute(COUNT).fetchall()
        label = connection.sql("select label from joined order by row").to_arrow_table()["label"]
    return label.combine_chunks(), Counts(*counts)
