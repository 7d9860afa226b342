"""The sampled rows to their SHAP values: how much each feature moved each prediction."""

import json
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa

from monitor_tasks.tables.answers import Answers, scored_rows
from monitor_tasks.tables.explainers.background import Background, summary
from monitor_tasks.tables.explainers.coalitions import Game, by_kernel, by_permutations
from monitor_tasks.tables.explainers.dependence import dependences, written
from monitor_tasks.tables.explainers.explanation import Explanation
from monitor_tasks.tables.explainers.linear import by_coefficients
from monitor_tasks.tables.explainers.trees import by_library, by_trees
from monitor_tasks.tables.model_inputs import Floats, expected_columns, model_inputs, quiet
from monitor_tasks.tables.sampling import HASH, smallest_hashes
from monitor_tasks.value import UserError


class How(NamedTuple):
    """How rows are explained: the settings of attribution, and the background of its baseline."""

    label_headers: tuple[str, ...] = ()
    explainer: str = "auto"
    num_clusters: int = 12
    num_samples: int | None = None
    use_logit: bool = False
    seed: int = 0
    background: str = ""
    """Rows that stand for what is not known, as JSON; empty: a summary of the rows that are explained."""
    partial_dependence: Mapping[str, Any] | None = None
    """Its settings, where it is asked for."""
    dependence: str = ""
    """That of the baseline, as JSON: the same features and grids are taken again."""


USUAL = How()


def explain(table: pa.Table, model: Any, features: Sequence[str], how: How = USUAL) -> pa.Table:
    """The SHAP value of every feature in every row, beside the row's hash: columns ``@hash``, then `features`.

    Without `features`, the model's own names. A model of several labels has as many values in a cell, in their order.
    The explainer fits the model: boosters of XGBoost and LightGBM by their own contributions, trees of scikit-learn
    along their paths, linear models in closed form, any other one by permutations, or by Kernel SHAP where asked for.
    Rows come out in the order of their hashes, without those that the model refuses. Metadata of the schema:
    ``refused`` rows, ``labels``, ``expected_value``, ``explainer``, ``scale``, ``evaluations`` of the model for one
    row, ``residual``, the ``background`` that values are relative to, and the partial ``dependence``.

    Raises:
        UserError: the model expects other columns, scores no row, or its values do not add up to its predictions.
    """
    sample = smallest_hashes(table, table.num_rows)
    expected = expected_columns(model, features)
    with quiet():
        frame = model_inputs(sample, model, expected)
        scored, found, background = _explained(model, frame, how)
        depends = _depends(model, frame[scored].reset_index(drop=True), found, how)
    says = {"refused": str(np.count_nonzero(~scored)), **depends}
    columns: Sequence[Any] = [pa.array([], pa.float64())] * len(expected)
    if found:
        columns = [_cells(found.values[:, place]) for place in range(len(expected))]
        says |= _told(found, how, background)
    by_name = dict(zip(expected, columns, strict=True))
    hashes = sample[HASH].filter(pa.array(scored, pa.bool_()))
    return pa.table({HASH: hashes, **{name: by_name[name] for name in features or expected}}, metadata=says)


def predicted(table: pa.Table, model: Any, features: Sequence[str]) -> pa.Table:
    """What the model answers for every row, in the rows' order: a column a number; NaN where it refuses a row.

    Metadata of the schema: the model's ``classes`` as JSON, where it names them.

    Raises:
        UserError: the model expects other columns, or scores no row.
    """
    with quiet():
        frame = model_inputs(table, model, expected_columns(model, features))
        answers = scored_rows(Answers(model), frame)
    classes = np.asarray(getattr(model, "classes_", ()))
    told = {"classes": json.dumps(classes.tolist())} if classes.ndim == 1 else None
    return pa.table({f"{place}": column for place, column in enumerate(answers.T)}, metadata=told)


def _explained(model: Any, frame: Any, how: How) -> tuple[Any, Explanation | None, Background | None]:
    """Which rows were scored, their values, and what these are relative to."""
    if hasattr(model, "contributions") and how.explainer == "auto":
        found = _added_up(by_library(model, frame)) if len(frame) else None
        return np.ones(len(frame), np.bool_), found, None
    answers = Answers(model)
    scores = scored_rows(answers, frame)
    scored = np.isfinite(scores).all(axis=1)
    frame, scores = frame[scored].reset_index(drop=True), scores[scored]
    if not len(frame):
        return scored, None, None
    if how.explainer == "auto" and (by_paths := by_trees(model, frame)):
        return scored, _added_up(by_paths), None
    background = Background.from_json(how.background, frame) if how.background else _summary(frame, how)
    if how.explainer == "auto" and (in_closed_form := by_coefficients(model, frame, background)):
        return scored, _added_up(in_closed_form), background
    explainer = by_kernel if how.explainer == "kernel" else by_permutations
    game = Game(answers, frame, background, how.use_logit)
    return scored, _added_up(explainer(game, scores, how.num_samples, how.seed)), background


def _depends(model: Any, frame: Any, found: Explanation | None, how: How) -> dict[str, str]:
    """The partial dependence, where it is asked for and there are rows."""
    if not found or how.partial_dependence is None:
        return {}
    return {"dependence": written(dependences(model, frame, found, how.partial_dependence, how.dependence))}


def _summary(frame: Any, how: How) -> Background:
    return summary(frame, how.num_clusters, how.seed)


def _added_up(found: Explanation) -> Explanation:
    if not found.residual <= found.tolerance:
        raise UserError(
            f"the SHAP values ({found.explainer}) and the predictions differ by {found.residual}: the explainer reads "
            "this model wrongly; set explainer: permutation"
        )
    return found


def _told(found: Explanation, how: How, background: Background | None) -> dict[str, str]:
    count = found.values.shape[2]
    if how.label_headers and len(how.label_headers) != count:
        raise UserError(f"predictor.label_headers names {len(how.label_headers)} labels, the model answers {count}")
    return {
        "labels": json.dumps(how.label_headers or [f"label{place}" for place in range(count)]),
        "expected_value": json.dumps([float(one) for one in found.expected]),
        "explainer": found.explainer,
        "scale": found.scale,
        "evaluations": str(found.evaluations),
        "residual": repr(found.residual),
        **({"background": background.to_json()} if background else {}),
    }


def _cells(values: Floats) -> pa.Array:
    """One feature's values, of shape (rows, labels): a number, or as many as there are labels."""
    if values.shape[1] == 1:
        return pa.array(values[:, 0])
    return pa.FixedSizeListArray.from_arrays(pa.array(values.ravel()), values.shape[1])
