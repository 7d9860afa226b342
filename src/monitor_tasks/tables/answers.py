"""A model of any kind as one function: a data frame of its columns to one number a row and label."""

import re
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from monitor_tasks.tables.model_inputs import Floats
from monitor_tasks.value import UserError

AT_ONCE = 1 << 17
"""Rows that a model is asked about in one call."""


class Answers:
    """What a model answers: of two classes the probability of class 1, of many one a class, of numbers the number."""

    def __init__(self, model: Any) -> None:
        """The answers of a scikit-learn estimator, of a model with ``predict``, or of a function of a data frame.

        Raises:
            UserError: the model predicts neither probabilities nor numbers.
        """
        self._ask = _asking(model)
        self._width = 0

    def __call__(self, frame: Any) -> Floats:
        """One number a row and label.

        Raises:
            UserError: the model fails on the rows, or does not answer a number for each.
        """
        try:
            parts = [self.raw(frame.iloc[start : start + AT_ONCE]) for start in range(0, len(frame), AT_ONCE)]
        except UserError:
            raise
        except Exception as error:  # whatever a model raises
            raise UserError(
                f"the model fails on rows that mix the cells of a row and of the baseline: {said(error)}; give rows "
                "that it takes as attribution's baseline"
            ) from error
        found = np.concatenate(parts) if parts else np.empty((0, max(self._width, 1)))
        if not np.isfinite(found).all():
            raise UserError(
                f"the model answers {np.count_nonzero(~np.isfinite(found).all(axis=1))} of {len(found)} rows with NaN "
                "or infinity, rows that mix the cells of a row and of the baseline; it must answer a number for each"
            )
        return found

    def raw(self, frame: Any) -> Floats:
        """What the model answers as it is, NaN included; it raises what it raises.

        Raises:
            UserError: the answer has the wrong shape, or holds no numbers.
        """
        answer = np.asarray(self._ask(frame))
        if answer.dtype.kind not in "fiub":
            raise UserError("the model answers no numbers but classes or texts; name a function that gives numbers")
        if answer.ndim not in (1, 2) or len(answer) != len(frame) or not answer.size:
            raise UserError(
                f"the model answers numbers of shape {answer.shape} for {len(frame)} rows; "
                "expected one a row, or one a row and label"
            )
        found = answer.astype(np.float64).reshape(len(frame), -1)
        if found.shape[1] == 2 and np.allclose(found.sum(axis=1), 1, rtol=0, atol=1e-3, equal_nan=True):
            found = found[:, 1:]  # both probabilities of two classes
        if self._width not in (0, found.shape[1]):
            raise UserError(f"the model answers {found.shape[1]} numbers a row, before it was {self._width}")
        self._width = found.shape[1]
        return found


def scored_rows(answers: Answers, frame: Any) -> Floats:
    """What the model answers, a line of NaN for a row that it refuses: one damaged row costs itself, not the window.

    Raises:
        UserError: it scores none of them.
    """
    parts = list(_halved(answers, frame))
    width = next((part.shape[1] for _, part, _ in parts if part is not None), 1)
    found = np.concatenate(
        [np.full((rows, width), np.nan) if part is None else part for rows, part, _ in parts] or [np.empty((0, width))]
    )
    if len(frame) and not np.isfinite(found).all(axis=1).any():
        because = next((why for _, _, why in parts if why), "it answers NaN or infinity")
        raise UserError(f"the model scores none of the {len(frame)} rows: {because}; is it the endpoint's model?")
    return found


def _halved(answers: Answers, frame: Any) -> Iterator[tuple[int, Floats | None, str]]:
    """Parts of the rows with what was answered, or a row and why there is no answer; found by halving."""
    if not len(frame):
        return
    try:
        yield len(frame), answers.raw(frame), ""
    except UserError:
        raise
    except Exception as error:  # noqa: BLE001 - whatever a model raises
        half = len(frame) // 2
        if half:
            yield from _halved(answers, frame.iloc[:half])
            yield from _halved(answers, frame.iloc[half:])
        else:
            yield 1, None, said(error)


def said(error: Exception) -> str:
    """What a model's error says, without the cells that libraries quote."""
    line = (f"{type(error).__name__}: {error}".splitlines() or [""])[0]
    return re.sub(r"(['\"]).*\1|\[.*\]", "…", line)[:200]


def _asking(model: Any) -> Callable[[Any], Any]:
    if hasattr(model, "predict_proba"):
        return lambda frame: _of_class_1(model.predict_proba(frame))
    if hasattr(model, "classes_") and hasattr(model, "decision_function"):
        return model.decision_function  # type: ignore[no-any-return]
    if hasattr(model, "predict") and not hasattr(model, "classes_"):
        return model.predict  # type: ignore[no-any-return]
    if callable(model):
        return model  # type: ignore[no-any-return]
    raise UserError(
        f"{type(model).__name__} predicts neither probabilities nor numbers, so it cannot be explained; give the "
        "file of the model that answers"
    )


def _of_class_1(probabilities: Any) -> Any:
    found = np.asarray(probabilities)
    return found[:, 1] if found.ndim == 2 and found.shape[1] == 2 else found
