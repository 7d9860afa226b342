"""What every explainer answers with."""

from typing import Any, NamedTuple

import numpy as np

from monitor_tasks.tables.model_inputs import Floats


class Explanation(NamedTuple):
    """SHAP values and what they have to add up to."""

    values: Floats
    """Of shape (rows, features, labels)."""
    expected: Floats
    """One a label: what the model answers where nothing is known of a row."""
    explainer: str
    scale: str
    """What is explained: the model's answer, its margin, or the log-odds of its probability."""
    evaluations: int
    """How many answers of the model one row took; 0 where they are read off the model."""
    residual: float
    """Largest difference between an answer and the sum of its values and `expected`, relative to the largest answer."""
    tolerance: float = 1e-6
    """How large the residual may be."""


def residual(values: Floats, expected: Floats, answers: Floats) -> float:
    """How far sums lie beside the answers, relative to the largest of these (at least 1)."""
    total = values.sum(axis=1) + expected
    return float(np.max(np.abs(total - answers), initial=0.0) / max(1.0, np.max(np.abs(answers), initial=0.0)))


def last_step(model: Any) -> tuple[Any, Any]:
    """The steps of a pipeline before its last one, or None, and the last one."""
    return (model[:-1], model[-1]) if len(getattr(model, "steps", ())) > 1 else (None, model)
