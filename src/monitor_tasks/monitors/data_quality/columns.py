"""The columns that a baseline knows, and rows under their names."""

import re
from collections.abc import Sequence

import pyarrow as pa

from monitor_tasks.baseline import Constraint


def column_names(constraints: Sequence[Constraint]) -> tuple[str, ...]:
    """The columns that the constraints know, in the order of the reference."""
    return tuple(dict.fromkeys(one.subject for one in constraints if one.check == "data_type_check"))


def align(rows: pa.Table, constraints: Sequence[Constraint], added: Sequence[str] = ()) -> tuple[pa.Table, str]:
    """The rows with the baseline's column names, and what was done: captured CSV cells have no names of their own.

    Columns are matched by name; where there are equally many, and those with a name of the baseline's stand in its
    places, the others by position. Columns of the baseline that are `added` to rows afterwards are not looked for.
    """
    names = tuple(name for name in column_names(constraints) if name not in added)
    shared = set(names) & set(rows.column_names)
    if len(names) == rows.num_columns and _in_places(rows.column_names, names, shared):
        return rows.rename_columns(list(names)), "columns were matched to the baseline by position"
    if not names or shared:
        return rows, ""
    hint = ""
    if rows.num_columns == len(names) - 1:
        hint = (
            f"; if the table holds inputs only, the first column is what is missing: {names[0]!r} (outputs come first)"
        )
    return rows, f"{rows.num_columns} columns cannot be matched by position to the baseline's {len(names)}{hint}"


def _in_places(columns: Sequence[str], names: Sequence[str], shared: set[str]) -> bool:
    """Whether columns may take the baseline's names by position: where some have one, the others have none at all."""
    pairs = list(zip(columns, names, strict=True))
    nameless = all(mine == name or re.fullmatch(r"_c\d+", mine) for mine, name in pairs)
    return list(columns) != list(names) and (nameless or not shared)
