"""Trees explained exactly, along their own paths: by their own library, or by SHAP's TreeExplainer for scikit-learn."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from monitor_tasks.tables.explainers.explanation import Explanation, last_step, residual
from monitor_tasks.tables.model_inputs import Floats
from monitor_tasks.value import UserError


def by_library(model: Any, frame: Any) -> Explanation:
    """What XGBoost or LightGBM say themselves that each feature contributed to the margin.

    Raises:
        UserError: a column holds texts.
    """
    texts = [name for name in frame.columns if frame[name].dtype == object]
    if texts:
        raise UserError(
            f"the model takes numbers, and the column {texts[0]!r} holds texts; explain the pipeline that encodes them "
            "(save it with skops), or capture the encoded column"
        )
    found = model.contributions(frame)
    return Explanation(
        found.values, found.expected, found.explainer, "margin", 0,
        residual(found.values, found.expected, found.margins), found.tolerance,
    )  # fmt: skip


def by_trees(model: Any, frame: Any) -> Explanation | None:
    """Exact values; None where the model is no tree that shap knows, or its columns are not the features.

    Boosted trees are explained on their margin (log-odds), forests on the probability, regression on the number.

    Source: Lundberg et al., From local explanations to global understanding with explainable AI for trees, 2020.
    """
    former, trees = last_step(model)
    if not type(trees).__module__.startswith(("sklearn.tree", "sklearn.ensemble", "xgboost", "lightgbm")):
        return None
    places = list(range(frame.shape[1])) if former is None else _places(former, list(frame.columns))
    if places is None:
        return None
    import shap

    try:
        explainer = shap.TreeExplainer(trees, feature_perturbation="tree_path_dependent")
    except (ValueError, TypeError, AssertionError):
        return None
    inputs = frame if former is None else former.transform(frame)
    found = np.asarray(explainer.shap_values(np.asarray(inputs, np.float64), check_additivity=False))
    values = found if found.ndim == 3 else found[:, :, np.newaxis]
    expected = np.ravel(np.asarray(explainer.expected_value, np.float64))
    if len(getattr(trees, "classes_", ())) == 2:  # both classes mirror each other
        values, expected = values[:, :, -1:], expected[-1:]
    answers, scale = _scale(trees, inputs)
    total = values.sum(axis=1) + expected
    if scale == "answer" and hasattr(trees, "predict_proba") and explainer.model.tree_output == "log_odds":
        answers = np.log(answers) - np.log1p(-answers)
        scale = "margin"
    if total.shape != answers.shape:
        return None
    single = type(trees).__module__.startswith("xgboost")  # counts in single precision
    return Explanation(
        values[:, places] + 0.0, expected, "tree_path_dependent", scale, 0, residual(values, expected, answers),
        1e-4 if single else 1e-6,
    )  # fmt: skip


def _scale(trees: Any, inputs: Any) -> tuple[Floats, str]:
    """What the values have to add up to, of shape (rows, labels), and what that is."""
    if hasattr(trees, "decision_function"):
        return np.asarray(trees.decision_function(inputs), np.float64).reshape(len(inputs), -1), "margin"
    if hasattr(trees, "predict_proba"):
        answers = np.asarray(trees.predict_proba(inputs), np.float64)
        return answers[:, 1:] if answers.shape[1] == 2 else answers, "answer"
    return np.asarray(trees.predict(inputs), np.float64).reshape(len(inputs), -1), "answer"


def _places(former: Any, names: Sequence[str]) -> list[int] | None:
    """Which column of the transformed ones is which feature; None where they are not one to one."""
    try:
        columns = [str(column) for column in former.get_feature_names_out()]
    except (AttributeError, ValueError, TypeError):
        return None
    owners = [max((n for n in names if f"__{column}".endswith(f"__{n}")), key=len, default="") for column in columns]
    return [owners.index(name) for name in names] if sorted(owners) == sorted(names) else None
