"""The captured cells to what a model takes: its columns in its order, numbers or texts."""

import re
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from monitor_tasks.value import UserError

Floats = NDArray[np.float64]

NUMBER = re.compile(r"[+-]? ?[0-9]+(\.[0-9]+)?([eE][+-]?[0-9]+)?", re.ASCII)
"""What the text of a number looks like: what the profile counts as Integral or Fractional."""
LARGEST = float(np.finfo(np.float32).max)
"""Trees of scikit-learn take no larger number."""


@contextmanager
def quiet() -> Iterator[None]:
    """Data frames are given to every model, whether or not it learned names."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "X (has|does not have valid) feature names", UserWarning)
        yield


def expected_columns(model: Any, features: Sequence[str]) -> list[str]:
    """The features in the order that the model learned them.

    Raises:
        UserError: it learned other columns, or nobody says which.
    """
    learned = getattr(model, "feature_names_in_", None)
    expected = [str(name) for name in (getattr(model, "names", ()) if learned is None else learned)] or [*features]
    other = sorted({*expected} ^ {*features})
    if other and features:
        side = "the model expects the column {!r}, which is no feature" if other[0] in expected else "{!r} is a feature"
        raise UserError(
            f"{side.format(other[0])} and the model was trained on other columns: {', '.join(expected)}; "
            "give the model that answers at the endpoint, or correct the names of the features"
        )
    count = getattr(model, "n_features_in_", getattr(model, "width", None)) or len(expected)
    if count != len(expected):
        raise UserError(f"the model expects {count} columns, {len(expected)} features are named; correct their names")
    if not expected:
        raise UserError("the model does not say which columns it takes; name them in order under model.features")
    return expected


def model_inputs(table: pa.Table, model: Any, names: Sequence[str]) -> Any:
    """The cells as the model takes them: a data frame of numbers and texts; a missing cell is NaN.

    Raises:
        UserError: the table lacks a column.
    """
    import pandas as pd

    lost = [name for name in names if name not in table.column_names]
    if lost:
        raise UserError(
            f"the model expects the column {lost[0]!r}, which the captured rows lack (of {len(names)} they lack "
            f"{len(lost)}); name the captured cells in capture.input_names as the model was trained on them"
        )
    texts = {*_learned_as_text(model), *getattr(model, "texts", ())}
    return pd.DataFrame({name: _cells(table[name], name in texts) for name in names})


def _learned_as_text(model: Any, given: Sequence[str] = ()) -> Iterator[str]:
    """The features that an encoder of the model knows as categories of text; a step of a pipeline has its names."""
    names, categories = getattr(model, "feature_names_in_", given), getattr(model, "categories_", ())
    if len(names) == len(categories):
        yield from (str(name) for name, known in zip(names, categories, strict=True) if any(map(_is_text, known)))
    for part in (*getattr(model, "steps", ()), *getattr(model, "transformers_", ())):
        yield from _learned_as_text(part[1], names)


def _is_text(value: object) -> bool:
    return isinstance(value, str)


def _cells(column: pa.ChunkedArray, is_text: bool) -> NDArray[Any]:
    """Numbers where the model wants no text and at least half of the present cells are numbers; else texts."""
    kind = column.type
    if not is_text and (pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_boolean(kind)):
        return _within(pc.cast(column, pa.float64(), safe=False).to_numpy().astype(np.float64))
    present = [cell if cell is None or isinstance(cell, str) else str(cell) for cell in column.to_pylist()]
    numbers = _within(np.array([number(cell) for cell in present], np.float64))
    if is_text or 2 * np.count_nonzero(~np.isnan(numbers)) < sum(cell is not None for cell in present):
        return np.array([np.nan if cell is None else cell for cell in present], object)
    return numbers


def number(cell: str | None) -> float:
    """The number that a text is written as; NaN where it is none."""
    if cell is None:
        return np.nan
    truth = {"true": 1.0, "false": 0.0}.get(cell)
    return truth if truth is not None else float(cell.replace(" ", "")) if NUMBER.fullmatch(cell) else np.nan


def _within(numbers: Floats) -> Floats:
    """The numbers without those that no tree takes: one damaged cell costs no window."""
    return np.where(np.abs(numbers) <= LARGEST, numbers, np.nan) + 0.0
