"""What a model answers, in the place of what another one was captured with: each problem type has its columns."""

import json
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from monitor_tasks.monitors.settings import ModelQualitySettings, ProblemType
from monitor_tasks.profiles.coded import value_text
from monitor_tasks.value import UserError

Cells = list[str | None]
OF_ONE = "a challenger of {} answers one number a row, {}; this one answers {}"


class Answers(NamedTuple):
    """What a model answers for rows."""

    values: NDArray[np.float64]
    """A line a row: one number, or the probability of each class; NaN where it refuses the row."""
    classes: tuple[Any, ...] = ()
    """The classes in the order of the numbers, where anybody names them."""

    @classmethod
    def of(cls, table: pa.Table, named: tuple[str, ...] = ()) -> "Answers":
        """The answers in a table's columns; their classes are the model's own, or else those that are `named`."""
        own = json.loads((table.schema.metadata or {}).get(b"classes", b"[]"))
        return cls(np.column_stack([column.to_numpy() for column in table.columns]), tuple(own) or named)


def answer_columns(settings: ModelQualitySettings) -> tuple[str, ...]:
    """The columns that hold what a model answered.

    >>> answer_columns(ModelQualitySettings(probability_attribute="score", inference_attribute="said"))
    ('score', 'said')
    """
    several = settings.class_probability_attributes.values()
    read = {
        "BinaryClassification": (settings.probability_attribute, settings.inference_attribute),
        "MulticlassClassification": (*several, settings.inference_attribute),
        "Regression": (settings.inference_attribute,),
    }
    return tuple(name for name in read[settings.problem_type] if name)


def rescored(rows: pa.Table, settings: ModelQualitySettings, answers: Answers) -> pa.Table:
    """The rows with a model's answers in the columns that hold what another one answered.

    Raises:
        UserError: the answers are not of the kind that the problem type takes.
    """
    for name, cells in _WRITTEN[settings.problem_type](settings, answers).items():
        rows = rows.set_column(rows.column_names.index(name), name, pa.array(cells, pa.string()))
    return rows


def _of_two_classes(settings: ModelQualitySettings, answers: Answers) -> Mapping[str, Cells]:
    score = _one(answers, "two classes", "the probability of class 1")
    _proven(score)
    said = np.where(score > settings.probability_threshold_attribute, "1", "0")
    columns = {settings.probability_attribute: _texts(score), settings.inference_attribute: _known(said, score)}
    return {name: cells for name, cells in columns.items() if name}


def _of_several_classes(settings: ModelQualitySettings, answers: Answers) -> Mapping[str, Cells]:
    """A class that the model does not know has no chance; one that has no column is an error."""
    columns = {value_text(one): name for one, name in settings.class_probability_attributes.items()}
    names, values = [value_text(one) for one in answers.classes or columns], answers.values
    if values.shape[1] == 1 and len(names) == 2:
        values = np.column_stack([1 - values, values])
    if len(names) != values.shape[1]:
        raise UserError(
            f"the challenger answers {values.shape[1]} numbers a row for {len(names)} classes ({', '.join(names)}); "
            "it must answer one a class: name its classes in order in monitors.attribution.predictor.label_headers"
        )
    found = dict[str, Cells]()
    if columns:
        _proven(values)
        if strange := [name for name in names if name not in columns]:
            raise UserError(
                f"the challenger knows the class {strange[0]!r}, which has no column; name one under "
                f"model_quality.class_probability_attributes, or train it on {', '.join(columns)} only"
            )
        shares = dict(zip(names, values.T, strict=True))
        nothing = np.where(np.isnan(values[:, 0]), np.nan, 0.0)
        found = {column: _texts(shares.get(name, nothing)) for name, column in columns.items()}
    if settings.inference_attribute:
        said = np.array(names, object)[np.nan_to_num(values).argmax(axis=1)]
        found[settings.inference_attribute] = _known(said, values[:, 0])
    return found


def _of_numbers(settings: ModelQualitySettings, answers: Answers) -> Mapping[str, Cells]:
    return {settings.inference_attribute or "": _texts(_one(answers, "numbers", "its prediction"))}


def _one(answers: Answers, kind: str, what: str) -> NDArray[np.float64]:
    if answers.values.shape[1] != 1:
        raise UserError(OF_ONE.format(kind, what, answers.values.shape[1]))
    return np.asarray(answers.values[:, 0])


def _proven(values: NDArray[np.float64]) -> None:
    """Lets no number pass that is no probability: a margin looks like one until it is compared."""
    known = values[~np.isnan(values)]
    if known.size and not 0 <= known.min() <= known.max() <= 1:
        raise UserError(
            f"the challenger answers numbers from {known.min():g} to {known.max():g}, which are no probabilities; let "
            "the training leave a model that answers probabilities"
        )


def _texts(values: NDArray[np.float64]) -> Cells:
    return [None if np.isnan(value) else repr(float(value)) for value in values]


def _known(said: NDArray[Any], values: NDArray[np.float64]) -> Cells:
    """What was said of the rows that were answered."""
    return [None if np.isnan(value) else str(one) for one, value in zip(said, values, strict=True)]


_WRITTEN: Mapping[ProblemType, Callable[[ModelQualitySettings, Answers], Mapping[str, Cells]]] = {
    "BinaryClassification": _of_two_classes,
    "MulticlassClassification": _of_several_classes,
    "Regression": _of_numbers,
}
