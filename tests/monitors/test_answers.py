"""A model's answers in the columns of those that were captured, for each problem type."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from monitor_tasks.monitors.model_quality.answers import Answers, answer_columns, rescored
from monitor_tasks.monitors.settings import ModelQualitySettings
from monitor_tasks.value import UserError

TWO: dict[str, Any] = {"probability_attribute": "p", "inference_attribute": "said"}
THREE: dict[str, Any] = {
    "problem_type": "MulticlassClassification",
    "class_probability_attributes": {"1.0": "one", "2": "two", "x": "other"},
    "inference_attribute": "said",
}
NUMBERS: dict[str, Any] = {"problem_type": "Regression", "inference_attribute": "said"}
GONE = [np.nan] * 3


def written(settings: dict[str, Any], values: Sequence[Any], classes: tuple[Any, ...] = ()) -> dict[str, list[Any]]:
    """The columns that answers lead to; the feature beside them stays."""
    asked = ModelQualitySettings.model_validate(settings)
    given = np.array(values, np.float64).reshape(len(values), -1)
    columns = answer_columns(asked)
    rows = pa.table({"age": range(len(values)), **{name: ["old"] * len(values) for name in columns}})
    found = rescored(rows, asked, Answers(given, classes))
    assert found.column_names == rows.column_names
    assert found["age"].to_pylist() == [*range(len(values))]
    return {name: found[name].to_pylist() for name in columns}


def test_two_classes_follow_from_the_probability_of_the_second() -> None:
    assert written(TWO, [0.5, 0.75, np.nan]) == {"p": ["0.5", "0.75", None], "said": ["0", "1", None]}
    assert written({**TWO, "probability_threshold_attribute": 0.4}, [0.5])["said"] == ["1"]
    assert written({"probability_attribute": "p"}, [0.5]) == {"p": ["0.5"]}


def test_several_classes_are_told_by_their_names() -> None:
    answered = [[0.7, 0.2, 0.1], [0.1, 0.1, 0.8], GONE]
    assert written(THREE, answered) == {
        "one": ["0.7", "0.1", None], "two": ["0.2", "0.1", None], "other": ["0.1", "0.8", None],
        "said": ["1", "x", None],
    }  # fmt: skip
    assert written(THREE, answered, ("x", 2, 1.0))["said"] == ["x", "1", None]
    only_said = {**THREE, "class_probability_attributes": {}}
    assert written(only_said, answered, ("a", "b", "c")) == {"said": ["a", "c", None]}


def test_a_class_that_the_model_never_saw_has_no_chance() -> None:
    assert written(THREE, [[0.25, 0.75], GONE[:2]], ("2", "x")) == {
        "one": ["0.0", None], "two": ["0.25", None], "other": ["0.75", None], "said": ["x", None],
    }  # fmt: skip
    assert written(THREE, [0.75], ("2", "x")) == written(THREE, [[0.25, 0.75]], ("2", "x"))


def test_numbers_are_themselves() -> None:
    assert written(NUMBERS, [1, -2.5, np.nan]) == {"said": ["1.0", "-2.5", None]}


@pytest.mark.parametrize(
    ("settings", "values", "classes", "said"),
    [
        (
            TWO,
            [[0.1, 0.2, 0.7]],
            (),
            "a challenger of two classes answers one number a row, the .* this one answers 3",
        ),
        (NUMBERS, [[1, 2]], (), "a challenger of numbers answers one number a row, its prediction; this one answers 2"),
        (TWO, [0.5, -3.0], (), "numbers from -3 to 0.5, which are no probabilities"),
        (THREE, [[2, 0, -1]], (), "numbers from -1 to 2, which are no probabilities"),
        (THREE, [[0.5, 0.5]], (), r"answers 2 numbers a row for 3 classes \(1, 2, x\)"),
        (THREE, [[0.5, 0.5]], ("x", "y"), "knows the class 'y', which has no column"),
    ],
)
def test_answers_of_another_kind_are_one_clear_error(
    settings: dict[str, Any], values: list[Any], classes: tuple[Any, ...], said: str
) -> None:
    with pytest.raises(UserError, match=said):
        written(settings, values, classes)
