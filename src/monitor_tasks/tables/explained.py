"""The sampled rows to their SHAP values: how much each feature moved each prediction."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa

from monitor_tasks.tables.model_inputs import Floats, expected_columns, model_inputs, quiet, scored_rows
from monitor_tasks.tables.sampling import HASH, smallest_hashes
from monitor_tasks.value import UserError

TOLERANCE = 1e-6
"""How far the values may sum beside the prediction, relative to the largest prediction (at least 1)."""
BACKGROUND = 64
"""Rows that stand for what is not known, where the model is no tree; their noise is what a mean over rows keeps."""
PERMUTATIONS = 1
"""Each forward and backward: exact where at most two features act together; the mean over rows evens out the rest."""


class Explanation(NamedTuple):
    """SHAP values and what they have to add up to."""

    values: Floats
    """Of shape (rows, features)."""
    expected: float
    """What the model answers where nothing is known of a row."""
    explainer: str
    residual: float
    """Largest difference between a prediction and the sum of its values and `expected`."""


def explain(table: pa.Table, model: Any, features: Sequence[str], seed: int = 0) -> pa.Table:
    """The SHAP value of every feature in every row, beside the row's hash: columns ``@hash``, then `features`.

    For a scikit-learn classifier of two classes, or a pipeline around one; without `features`, the model's own names.
    Trees whose pipeline keeps one column a feature: exact, along the trees' own paths, on the scale of the trees
    (log-odds for boosted ones, probability for forests). Any other model: by permutations, on the probability of
    class 1, against the 64 rows with the smallest hashes. Rows come out in the order of their hashes, without those
    that the model refuses. Metadata of the schema: ``refused`` rows, ``expected_value``, ``explainer``, ``residual``.

    Source: Lundberg et al., From local explanations to global understanding with explainable AI for trees, 2020.

    Raises:
        UserError: the model expects other columns, scores no row, or its values do not add up to its predictions.
    """
    sample = smallest_hashes(table, table.num_rows)
    expected = expected_columns(model, features)
    with quiet():
        frame = model_inputs(sample, model, expected)
        scored = scored_rows(model, frame)
        found = _explanation(model, frame[scored], seed) if scored.any() else None
    columns = found.values.T if found else np.empty((len(expected), 0))
    by_name = dict(zip(expected, columns, strict=True))
    says = {"refused": str(np.count_nonzero(~scored))}
    if found:
        says |= {"expected_value": repr(found.expected), "explainer": found.explainer, "residual": repr(found.residual)}
    hashes = sample[HASH].filter(pa.array(scored, pa.bool_()))
    return pa.table({HASH: hashes, **{name: by_name[name] for name in features or expected}}, metadata=says)


def predicted(table: pa.Table, model: Any, features: Sequence[str]) -> Floats:
    """The model's probability of class 1 for every row, in the rows' order; NaN for a row that it refuses.

    Raises:
        UserError: the model expects other columns, or scores no row.
    """
    with quiet():
        frame = model_inputs(table, model, expected_columns(model, features))
        scored = scored_rows(model, frame)
        answers = np.full(len(frame), np.nan)
        if scored.any():
            answers[scored] = model.predict_proba(frame[scored])[:, 1]
    return answers


def _explanation(model: Any, frame: Any, seed: int) -> Explanation:
    found = _by_trees(model, frame) or _by_permutations(model, frame, seed)
    if not found.residual <= TOLERANCE:
        raise UserError(
            f"the SHAP values ({found.explainer}) and the predictions differ by {found.residual}: shap reads this "
            "model wrongly; use a model that it supports"
        )
    return found


def _by_trees(model: Any, frame: Any) -> Explanation | None:
    """Exact values; None where the model is no tree that shap knows, or its columns are not the features."""
    import shap

    former, trees = (model[:-1], model[-1]) if len(getattr(model, "steps", ())) > 1 else (None, model)
    places = list(range(frame.shape[1])) if former is None else _places(former, list(frame.columns))
    if places is None:
        return None
    try:
        explainer = shap.TreeExplainer(trees, feature_perturbation="tree_path_dependent")
    except (ValueError, TypeError, AssertionError):
        return None
    inputs = frame if former is None else former.transform(frame)
    values = np.asarray(explainer.shap_values(np.asarray(inputs, np.float64), check_additivity=False))
    values = values[..., 1] if values.ndim == 3 else values
    expected = float(np.ravel(explainer.expected_value)[-1])
    total = values.sum(axis=1) + expected
    if hasattr(trees, "decision_function"):
        answers = trees.decision_function(inputs)
    else:
        answers = trees.predict_proba(inputs)[:, 1]
        total = np.exp(-np.logaddexp(0, -total)) if explainer.model.tree_output == "log_odds" else total
    return Explanation(values[:, places] + 0.0, expected, "tree_path_dependent", _residual(total, answers))


def _places(former: Any, names: Sequence[str]) -> list[int] | None:
    """Which column of the transformed ones is which feature; None where they are not one to one."""
    try:
        columns = [str(column) for column in former.get_feature_names_out()]
    except (AttributeError, ValueError, TypeError):
        return None
    owners = [max((n for n in names if f"__{column}".endswith(f"__{n}")), key=len, default="") for column in columns]
    return [owners.index(name) for name in names] if sorted(owners) == sorted(names) else None


def _by_permutations(model: Any, frame: Any, seed: int) -> Explanation:
    """Values on the probability of class 1, whatever the model is; cells travel as the numbers of their values."""
    import pandas as pd
    import shap

    coded = [pd.factorize(frame[name], use_na_sentinel=False) for name in frame.columns]
    codes = np.column_stack([numbers for numbers, _ in coded]).astype(np.float64)

    def probability(masked: Floats) -> Floats:
        chosen = masked.astype(np.int64).T
        cells = {name: known[1][row] for name, known, row in zip(frame.columns, coded, chosen, strict=True)}
        return np.asarray(model.predict_proba(pd.DataFrame(cells))[:, 1], np.float64)

    before = np.random.get_state()  # noqa: NPY002 - shap draws from numpy's global generator
    try:
        masker = shap.maskers.Independent(codes[:BACKGROUND], max_samples=BACKGROUND)
        explainer = shap.explainers.Permutation(probability, masker, seed=seed)
        once = 2 * codes.shape[1] + 1
        found = explainer(codes, max_evals=PERMUTATIONS * once, batch_size=once, silent=True)
    finally:
        np.random.set_state(before)  # noqa: NPY002
    expected = float(np.mean(probability(codes[:BACKGROUND])))
    residual = _residual(found.values.sum(axis=1) + expected, probability(codes))
    return Explanation(np.asarray(found.values, np.float64) + 0.0, expected, "permutation", residual)


def _residual(total: Floats, answers: Floats) -> float:
    return float(np.max(np.abs(total - answers)) / max(1.0, np.max(np.abs(answers))))
