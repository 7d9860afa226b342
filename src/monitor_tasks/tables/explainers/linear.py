"""Linear models explained in closed form: coefficient times what the value lies beside the background's mean."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from monitor_tasks.tables.explainers.background import Background
from monitor_tasks.tables.explainers.explanation import Explanation, last_step, residual
from monitor_tasks.tables.model_inputs import Floats

TOLERANCE = 1e-9
"""How far coefficients may give another margin than the model: more, and it is no linear one."""


def by_coefficients(model: Any, frame: Any, background: Background) -> Explanation | None:
    """Exact values on the margin; None where the model is not linear in its last step.

    A pipeline may come before it, as long as each of its columns depends on one feature alone: scaling, imputing,
    encoding, but no products of features and no principal components.

    Source: Štrumbelj and Kononenko, Explaining prediction models and individual predictions, 2014.
    """
    import pandas as pd

    former, last = last_step(model)
    weights = getattr(last, "coef_", None)
    if weights is None or getattr(last, "intercept_", None) is None or hasattr(weights, "tocsr"):
        return None
    both = pd.concat([frame, background.frame], ignore_index=True)
    columns = _transformed(former, both)
    weights = np.atleast_2d(np.asarray(weights, np.float64))
    if columns is None or weights.shape[1] != columns.shape[1]:
        return None
    margins = columns @ weights.T + np.asarray(last.intercept_, np.float64)
    known = _margins(model, frame)
    rows = len(frame)
    if known.shape != margins[:rows].shape or np.max(np.abs(known - margins[:rows]), initial=0.0) > (
        TOLERANCE * max(1.0, np.max(np.abs(known), initial=0.0))
    ):
        return None
    owners = _owners(former, both, columns)
    if owners is None:
        return None
    beside = columns[:rows] - background.weights @ columns[rows:]
    values = np.stack([(beside * one) @ owners for one in weights], axis=2)
    expected = background.weights @ margins[rows:]
    scale = "margin" if hasattr(last, "decision_function") else "answer"
    return Explanation(values + 0.0, expected, "linear", scale, 0, residual(values, expected, known))


def _margins(model: Any, frame: Any) -> Floats:
    ask = model.decision_function if hasattr(model, "decision_function") else model.predict
    return np.asarray(ask(frame), np.float64).reshape(len(frame), -1)


def _transformed(former: Any, frame: Any) -> Floats | None:
    """The columns that the last step sees; None where they are no numbers."""
    found = frame if former is None else former.transform(frame)
    found = found.toarray() if hasattr(found, "toarray") else found
    try:
        return np.asarray(found, np.float64)
    except (ValueError, TypeError):
        return None


def _owners(former: Any, frame: Any, columns: Floats) -> NDArray[np.float64] | None:
    """Of shape (columns, features): 1 where a column depends on the feature; None where one depends on several.

    Found by trying: each feature's cells are moved down by a row, and a column that is not the same in all rows must
    then change if it depends on the feature. A column that is the same in all rows contributes nothing.
    """
    moved = np.zeros((columns.shape[1], frame.shape[1]))
    for place, name in enumerate(frame.columns):
        tried = frame.assign(**{name: np.roll(frame[name].to_numpy(), 1)})
        found = _transformed(former, tried)
        if found is None or found.shape != columns.shape:
            return None
        moved[:, place] = (found != columns).any(axis=0)
    return None if (moved.sum(axis=1) > 1).any() else moved
