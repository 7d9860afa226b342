"""Partial dependence: how a model's answers change with one feature alone, all other cells being as they are."""

import json
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from monitor_tasks.tables.answers import Answers
from monitor_tasks.tables.explainers.explanation import Explanation
from monitor_tasks.tables.model_inputs import Floats
from monitor_tasks.value import UserError


class Dependence(NamedTuple):
    """How the answers depend on one feature, as Clarify's file lists it."""

    feature_name: str
    data_type: str
    """``numerical`` or ``categorical``."""
    feature_values: list[float] | list[str]
    """The grid: numbers rise, texts fall by how many rows have them."""
    model_predictions: list[list[float]]
    """The mean answer with each of these values in every row, a list a label."""
    data_distribution: list[float]
    """Share of the rows whose own cell is this value, of a number the nearest one."""


def dependences(
    model: Any, frame: Any, found: Explanation, wanted: Mapping[str, Any], known: str = ""
) -> list[Dependence]:
    """The partial dependence of the `wanted` features on the explained rows; of none named those that drive most.

    A baseline's dependences are `known`: their features and grids are taken again, so that both can be compared.

    Source: Friedman, Greedy function approximation, 2001.

    Raises:
        UserError: the model takes no such feature, or does not answer the changed rows.
    """
    grids = {one.feature_name: one.feature_values for one in read(known)}
    names = list(wanted["features"]) or list(grids) or _drivers(frame, found, wanted["top_k_features"])
    if strange := [name for name in names if name not in frame.columns]:
        raise UserError(
            f"partial_dependence.features: the model takes no {strange[0]!r}; name some of {', '.join(frame.columns)}"
        )
    answers = Answers(model)
    return [_of(answers, frame, name, grids.get(name, []), wanted["grid_resolution"]) for name in names]


def read(text: str) -> list[Dependence]:
    """The dependences in a text of JSON; none in an empty one."""
    return [Dependence(**one) for one in json.loads(text or "[]")]


def written(found: Sequence[Dependence]) -> str:
    """The dependences as JSON."""
    return json.dumps([one._asdict() for one in found])


def _drivers(frame: Any, found: Explanation, count: int) -> list[str]:
    """The features with the largest mean of sizes over rows and labels."""
    sizes = np.abs(found.values).mean(axis=(0, 2))
    return [str(frame.columns[place]) for place in np.argsort(-sizes, kind="stable")[:count]]


def _of(answers: Answers, frame: Any, name: str, known: Sequence[Any], resolution: int) -> Dependence:
    import pandas as pd

    cells = frame[name].to_numpy()
    is_text = cells.dtype == object
    same_kind = bool(known) and is_text == isinstance(known[0], str)
    grid = list(known) if same_kind else _texts(cells, resolution) if is_text else _numbers(cells, resolution)
    means = []
    for value in grid:
        column = np.full(len(frame), value, object) if is_text else np.full(len(frame), value)
        means.append(answers(pd.DataFrame({**{one: frame[one] for one in frame.columns}, name: column})).mean(axis=0))
    shares = _shares(cells, np.array(grid, object if is_text else np.float64))
    predictions = np.stack(means, axis=1) if means else np.empty((0, 0))
    kind = "categorical" if is_text else "numerical"
    return Dependence(name, kind, grid, predictions.tolist(), shares.tolist())


def _numbers(cells: Floats, resolution: int) -> list[float]:
    """Every number where there are so few, else as many from the smallest to the largest."""
    different = np.unique(cells[np.isfinite(cells)])
    few = len(different) <= resolution
    return [float(one) for one in (different if few else np.linspace(different[0], different[-1], resolution))]


def _texts(cells: NDArray[Any], resolution: int) -> list[str]:
    """The most frequent texts."""
    texts, counts = np.unique(np.array([cell for cell in cells if isinstance(cell, str)], str), return_counts=True)
    return [str(text) for text in texts[np.argsort(-counts, kind="stable")[:resolution]]]


def _shares(cells: NDArray[Any], grid: NDArray[Any]) -> Floats:
    """Which part of the cells is each value of the grid, or of numbers nearest to it; missing ones are none."""
    if grid.dtype == object or not len(grid):
        return np.array([np.mean(cells == value) for value in grid], np.float64)
    nearest = np.searchsorted((grid[1:] + grid[:-1]) / 2, cells[np.isfinite(cells)])
    return np.bincount(nearest, minlength=len(grid)) / len(cells)
