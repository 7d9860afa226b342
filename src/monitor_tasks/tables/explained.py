"""The sampled rows to their SHAP values: how much each feature moved each prediction."""

import re
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from monitor_tasks.tables.sampling import HASH, smallest_hashes
from monitor_tasks.value import UserError

Floats = NDArray[np.float64]

NUMBER = re.compile(r"[+-]? ?[0-9]+(\.[0-9]+)?([eE][+-]?[0-9]+)?", re.ASCII)
"""What the text of a number looks like: what the profile counts as Integral or Fractional."""
LARGEST = float(np.finfo(np.float32).max)
"""Trees of scikit-learn take no larger number."""
TOLERANCE = 1e-6
"""How far the values may sum beside the prediction, relative to the largest prediction (at least 1)."""
BACKGROUND = 64
"""Rows that stand for what is not known, where the model is no tree; their noise is what a mean over rows keeps."""
PERMUTATIONS = 1
"""Forward and backward, a row: exact where at most two features act together; other noise a mean over rows evens out."""


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
    expected = _expected_columns(model, features)
    with _quiet():
        frame = _model_inputs(sample, model, expected)
        scored = _scored(model, frame)
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
    with _quiet():
        frame = _model_inputs(table, model, _expected_columns(model, features))
        scored = _scored(model, frame)
        answers = np.full(len(frame), np.nan)
        if scored.any():
            answers[scored] = model.predict_proba(frame[scored])[:, 1]
    return answers


@contextmanager
def _quiet() -> Iterator[None]:
    """Data frames are given to every model, whether or not it learned names."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "X (has|does not have valid) feature names", UserWarning)
        yield


def _expected_columns(model: Any, features: Sequence[str]) -> list[str]:
    """The features in the order that the model learned them."""
    if not hasattr(model, "predict_proba") or len(getattr(model, "classes_", (0, 1))) != 2:
        raise UserError("only a classifier of two classes with predict_proba can be explained; give its model file")
    expected = [str(name) for name in getattr(model, "feature_names_in_", features)]
    other = sorted({*expected} ^ {*features})
    if other and features:
        side = "the model expects the column {!r}, which is no feature" if other[0] in expected else "{!r} is a feature"
        raise UserError(
            f"{side.format(other[0])} and the model was trained on other columns: {', '.join(expected)}; "
            "give the model that answers at the endpoint, or correct the names of the features"
        )
    count = getattr(model, "n_features_in_", len(expected))
    if count != len(expected):
        raise UserError(f"the model expects {count} columns, {len(expected)} features are named; correct their names")
    return expected


def _model_inputs(table: pa.Table, model: Any, names: Sequence[str]) -> Any:
    """The cells as the model takes them: a data frame of numbers and texts; a missing cell is NaN."""
    import pandas as pd

    lost = [name for name in names if name not in table.column_names]
    if lost:
        raise UserError(
            f"the model expects the column {lost[0]!r}, which the captured rows lack (of {len(names)} they lack "
            f"{len(lost)}); name the captured cells in capture.input_names as the model was trained on them"
        )
    texts = set(_learned_as_text(model))
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
    numbers = _within(np.array([_number(cell) for cell in present], np.float64))
    if is_text or 2 * np.count_nonzero(~np.isnan(numbers)) < sum(cell is not None for cell in present):
        return np.array([np.nan if cell is None else cell for cell in present], object)
    return numbers


def _number(cell: str | None) -> float:
    if cell is None:
        return np.nan
    truth = {"true": 1.0, "false": 0.0}.get(cell)
    return truth if truth is not None else float(cell.replace(" ", "")) if NUMBER.fullmatch(cell) else np.nan


def _within(numbers: Floats) -> Floats:
    """The numbers without those that no tree takes: one damaged cell costs no window."""
    return np.where(np.abs(numbers) <= LARGEST, numbers, np.nan) + 0.0


def _scored(model: Any, frame: Any) -> NDArray[np.bool_]:
    """Which rows the model scores: one damaged row costs itself and not the window."""
    accepted = _accepted(model, frame)
    if len(frame) and not accepted.any():
        said = _refusal(model, frame)
        raise UserError(f"the model scores none of the {len(frame)} rows: {said}; is it the endpoint's model?")
    return accepted


def _accepted(model: Any, frame: Any) -> NDArray[np.bool_]:
    """Found by halving what is refused."""
    if not len(frame) or _refusal(model, frame) is None:
        return np.ones(len(frame), np.bool_)
    half = len(frame) // 2
    halves = (frame.iloc[:half], frame.iloc[half:]) if half else ()
    return np.concatenate([_accepted(model, one) for one in halves]) if halves else np.zeros(1, np.bool_)


def _refusal(model: Any, frame: Any) -> str | None:
    try:
        model.predict_proba(frame)
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        return f"{type(error).__name__}: {error}".splitlines()[0]
    return None


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
