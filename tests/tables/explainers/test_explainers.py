"""Every explainer against Shapley's own formula over all coalitions, and against shap's."""

import json
import warnings
from collections.abc import Callable
from functools import cache
from itertools import combinations
from math import comb
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from sklearn.compose import ColumnTransformer
from sklearn.decomposition import PCA
from sklearn.ensemble import GradientBoostingClassifier, RandomForestClassifier, RandomForestRegressor
from sklearn.linear_model import LinearRegression, LogisticRegression, PoissonRegressor, Ridge
from sklearn.neighbors import KNeighborsClassifier, KNeighborsRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, PolynomialFeatures, StandardScaler

from monitor_tasks.tables.answers import Answers
from monitor_tasks.tables.explained import How, explain
from monitor_tasks.tables.explainers.background import Background, summary
from monitor_tasks.tables.explainers.coalitions import Game, by_kernel, by_permutations
from monitor_tasks.tables.explainers.linear import by_coefficients
from monitor_tasks.tables.sampling import smallest_hashes
from monitor_tasks.value import UserError

GENERATOR = np.random.default_rng(3)
NAMES = ("a", "b", "c", "d", "e")
FRAME = pd.DataFrame(GENERATOR.normal(size=(300, 5)), columns=NAMES)
TEXT = pd.Series(GENERATOR.choice(["red", "green", "blue"], 300), dtype=object)
NUMBER = FRAME["a"] * FRAME["b"] - 2 * FRAME["c"] + 5
CLASSES = pd.cut(NUMBER, [-99, 4, 6, 99], labels=False).to_numpy()
BACKGROUND = Background(FRAME.iloc[200:204].reset_index(drop=True), np.array([0.4, 0.3, 0.2, 0.1]))
ROWS = FRAME.iloc[:6].reset_index(drop=True)
TABLE = pa.table({"@event_id": [str(n) for n in range(300)], **{name: FRAME[name].to_numpy() for name in NAMES}})


def shapley(model: Callable[[Any], Any], rows: Any, background: Background, link: Any = lambda x: x) -> Any:
    """By the formula: over all coalitions of the other features; of shape (rows, features, labels)."""
    names = list(rows.columns)

    @cache
    def worth(row: int, inside: tuple[str, ...]) -> Any:
        mixed = background.frame.assign(**{name: rows[name].iloc[row] for name in inside})
        return link(background.weights @ model(mixed).reshape(len(mixed), -1))

    found = []
    for row in range(len(rows)):
        for name in names:
            others = sorted(one for one in names if one != name)
            found.append(
                sum(
                    (worth(row, tuple(sorted((*chosen, name)))) - worth(row, chosen))
                    / (len(names) * comb(len(others), size))
                    for size in range(len(names))
                    for chosen in combinations(others, size)
                )
            )
    return np.array(found).reshape(len(rows), len(names), -1)


def products(frame: Any) -> Any:
    return (frame["a"] * frame["b"] + 3 * frame["c"] - frame["d"] * frame["e"]).to_numpy()


def chance(frame: Any) -> Any:
    return 1 / (1 + np.exp(-(frame["a"] * frame["b"] * frame["c"] + frame["d"]).to_numpy()))


@pytest.mark.parametrize("by", [by_permutations, by_kernel])
def test_pairs_of_features_are_explained_exactly(by: Any) -> None:
    game = Game(Answers(products), ROWS, BACKGROUND)
    found = by(game, products(ROWS)[:, np.newaxis], None, 0)
    assert np.allclose(found.values, shapley(products, ROWS, BACKGROUND), rtol=0, atol=1e-12)
    assert found.expected == pytest.approx(BACKGROUND.weights @ products(BACKGROUND.frame))
    assert found.residual < 1e-12
    assert found.evaluations == 4 * {"permutation": 8, "kernel": 30}[found.explainer]


@pytest.mark.parametrize("use_logit", [False, True])
def test_kernel_shap_over_all_coalitions_is_shapleys_formula(use_logit: bool) -> None:
    model = KNeighborsClassifier(7).fit(FRAME, CLASSES)
    answers = Answers(model)
    if use_logit:
        answers = Answers(chance)
    game = Game(answers, ROWS, BACKGROUND, use_logit)
    link = (lambda p: np.log(p / (1 - p))) if use_logit else (lambda p: p)
    found = by_kernel(game, answers(ROWS), None, 0)
    known = shapley(chance if use_logit else model.predict_proba, ROWS, BACKGROUND, link)
    assert found.values.shape == (6, 5, 1 if use_logit else 3)
    assert np.allclose(found.values, known, rtol=0, atol=1e-9)


def test_drawn_coalitions_and_more_orders_come_near_to_all_of_them() -> None:
    names = [f"x{place}" for place in range(10)]
    cells = pd.DataFrame(np.random.default_rng(5).normal(size=(9, 10)), columns=names)

    def model(frame: Any) -> Any:
        return np.tanh(frame.to_numpy()[:, :5].sum(axis=1)) * frame["x7"].to_numpy()

    def found(by: Any, num_samples: int | None) -> Any:
        rows, background = cells.iloc[:6], Background(cells.iloc[6:].reset_index(drop=True), np.full(3, 1 / 3))
        return by(Game(Answers(model), rows, background), model(rows)[:, np.newaxis], num_samples, 1).values

    known = found(by_kernel, 1022)
    for by in (by_kernel, by_permutations):
        rough, fine = (np.abs(found(by, num_samples) - known).mean() for num_samples in (60, 1000))
        assert fine < 0.5 * rough
        assert fine < 0.1 * np.abs(known).mean()


def test_kernel_shap_agrees_with_shaps() -> None:
    import shap

    model = KNeighborsRegressor(5).fit(FRAME.to_numpy(), NUMBER)
    rows = FRAME.iloc[:4]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        theirs = shap.KernelExplainer(model.predict, FRAME.iloc[200:205].to_numpy()).shap_values(rows.to_numpy())
        background = Background(FRAME.iloc[200:205].reset_index(drop=True), np.full(5, 0.2))
        game = Game(Answers(lambda frame: model.predict(frame.to_numpy())), rows.reset_index(drop=True), background)
        ours = by_kernel(game, model.predict(rows.to_numpy())[:, np.newaxis], None, 0)
    assert np.allclose(ours.values[:, :, 0], theirs, rtol=0, atol=1e-9)


MIXED = FRAME.assign(text=TEXT)
ONE_HOT = ColumnTransformer(
    [("numbers", StandardScaler(), ["a", "b", "c"]), ("text", OneHotEncoder(handle_unknown="ignore"), ["text"])]
)
LINEAR = {
    "a line": (LinearRegression(), FRAME, NUMBER),
    "two classes behind a scaler": (make_pipeline(StandardScaler(), LogisticRegression()), FRAME, CLASSES > 1),
    "three classes": (LogisticRegression(), FRAME, CLASSES),
    "texts as columns of their own": (make_pipeline(ONE_HOT, Ridge()), MIXED[["a", "b", "c", "text"]], NUMBER),
    "two numbers a row": (Ridge(), FRAME, np.column_stack([NUMBER, -NUMBER * FRAME["a"]])),
}


@pytest.mark.parametrize("name", LINEAR)
def test_linear_models_in_closed_form_are_shapleys_formula_on_the_margin(name: str) -> None:
    model, frame, label = LINEAR[name]
    model.fit(frame, label)
    rows, background = frame.iloc[:4].reset_index(drop=True), frame.iloc[100:103].reset_index(drop=True)
    weights = Background(background, np.array([0.5, 0.25, 0.25]))
    found = by_coefficients(model, rows, weights)
    margin = getattr(model, "decision_function", model.predict)
    assert found is not None
    assert found.residual < 1e-12
    assert np.allclose(found.values, shapley(margin, rows, weights), rtol=0, atol=1e-9)


@pytest.mark.parametrize(
    "model",
    [
        make_pipeline(PolynomialFeatures(2), LinearRegression()),
        make_pipeline(PCA(3), LinearRegression()),
        PoissonRegressor(),
        KNeighborsRegressor(),
    ],
)
def test_what_is_no_sum_over_features_is_not_explained_in_closed_form(model: Any) -> None:
    assert by_coefficients(model.fit(FRAME, NUMBER + 40), ROWS, BACKGROUND) is None


@pytest.mark.parametrize(
    ("model", "label", "explainer", "labels"),
    [
        (RandomForestRegressor(5, random_state=0), NUMBER, "tree_path_dependent", 1),
        (RandomForestClassifier(5, random_state=0), CLASSES, "tree_path_dependent", 3),
        (GradientBoostingClassifier(n_estimators=3), CLASSES, "permutation", 3),
        (LogisticRegression(), CLASSES, "linear", 3),
        (KNeighborsRegressor(), NUMBER, "permutation", 1),
        (KNeighborsClassifier(), CLASSES, "permutation", 3),
        (KNeighborsClassifier(), CLASSES > 1, "permutation", 1),
    ],
)
def test_the_explainer_fits_the_model_and_values_add_up(model: Any, label: Any, explainer: str, labels: int) -> None:
    model.fit(FRAME, label)
    found = explain(TABLE.slice(0, 20), model, NAMES)
    told = {key.decode(): text.decode() for key, text in found.schema.metadata.items()}
    values = np.stack([np.array(found[name].to_pylist()).reshape(20, labels) for name in NAMES], axis=1)
    answers = model.predict_proba(FRAME)[:, -labels:] if hasattr(model, "classes_") else model.predict(FRAME)
    order = smallest_hashes(TABLE.slice(0, 20), 20)["@event_id"].to_pylist()
    known = answers.reshape(300, -1)[[int(one) for one in order]]
    if told["scale"] == "margin":
        known = model.decision_function(FRAME)[[int(one) for one in order]]
    assert (told["explainer"], len(json.loads(told["labels"]))) == (explainer, labels)
    assert np.allclose(values.sum(axis=1) + json.loads(told["expected_value"]), known, rtol=0, atol=1e-9)
    assert explain(TABLE.slice(0, 20), model, NAMES).equals(found)


def test_given_rows_are_the_background_and_a_seed_is_a_seed() -> None:
    given = json.dumps({"names": list(NAMES), "rows": [[0.0] * 5], "weights": []})
    found = explain(TABLE.slice(0, 20), chance, NAMES, How(background=given))
    assert json.loads(found.schema.metadata[b"expected_value"]) == [0.5]
    assert json.loads(found.schema.metadata[b"background"])["rows"] == [[0.0] * 5]
    assert found.schema.metadata[b"evaluations"] == b"8"
    assert explain(TABLE.slice(0, 20), chance, NAMES, How(background=given, seed=1)) != found
    named = explain(TABLE.slice(0, 20), chance, NAMES, How(background=given, label_headers=("yes",)))
    assert named.schema.metadata[b"labels"] == b'["yes"]'


def frames(*parts: Any) -> list[Any]:
    return [getattr(part, "shape", part) for part in parts]


def test_the_summary_is_of_real_cells_and_the_same_every_time() -> None:
    frame = MIXED.assign(b=np.where(np.arange(300) < 200, np.nan, 1.0), a=np.round(MIXED["a"]))
    found, again = summary(frame, 8, 0), summary(frame, 8, 0)
    assert found.to_json() == again.to_json()
    assert frames(found.frame, found.weights) == [(8, 6), (8,)]
    assert found.weights.sum() == pytest.approx(1)
    assert sorted(found.weights, reverse=True) == found.weights.tolist()
    assert all(set(found.frame[name].dropna()) <= set(frame[name]) for name in frame)
    assert found.frame["b"].isna().any()
    back = Background.from_json(found.to_json(), frame)
    assert back.frame.equals(found.frame)
    assert len(summary(frame.iloc[[0] * 5], 8, 0).frame) == 1


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"names": ["a"], "rows": [[1]]}, "has rows of a; expected the features a, b"),
        ({"names": list(NAMES), "rows": [[1, 2]]}, "has rows of a, b, c, d, e; expected"),
        ({"names": list(NAMES), "rows": []}, "holds no rows; give at least one"),
    ],
)
def test_a_baseline_of_other_columns_is_one_clear_error(given: dict[str, Any], message: str) -> None:
    text = json.dumps({"weights": [], **given})
    with pytest.raises(UserError, match=message):
        explain(TABLE.slice(0, 9), chance, NAMES, How(background=text))


def raises(_: Any) -> Any:
    raise RuntimeError("no GPU for 'secret'")


def mixes(frame: Any) -> Any:
    if len(frame) > 100:
        raise RuntimeError("too many")
    return frame["a"].to_numpy()


WRONG = {
    "raises": (raises, "scores none of the 30 rows: RuntimeError: no GPU for …; is it the endpoint's model"),
    "answers NaN": (lambda frame: np.full(len(frame), np.nan), "none of the 30 rows: it answers NaN or infinity"),
    "answers too few": (lambda _: np.zeros(3), r"numbers of shape \(3,\) for 30 rows; expected one a row"),
    "answers a cube": (lambda frame: np.zeros((len(frame), 2, 2)), r"shape \(30, 2, 2\)"),
    "answers nothing": (lambda _: None, "answers no numbers but classes or texts"),
    "answers texts": (lambda frame: np.array(["yes"] * len(frame)), "answers no numbers but classes or texts"),
    "fails on mixed rows": (mixes, "fails on rows that mix the cells .*: RuntimeError: too many"),
    "is NaN on mixed rows": (
        lambda frame: np.where(np.arange(len(frame)) < 100, 0.5, np.nan), r"answers \d+ of \d+ rows with NaN",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", WRONG)
def test_a_function_that_does_wrong_is_one_clear_error(name: str) -> None:
    function, message = WRONG[name]
    with pytest.raises(UserError, match=message) as raised:
        explain(TABLE.slice(0, 30), function, NAMES)
    assert "secret" not in str(raised.value)


def test_settings_that_do_not_fit_the_model_are_named() -> None:
    table = TABLE.slice(0, 9)
    with pytest.raises(UserError, match="label_headers names 2 labels, the model answers 1"):
        explain(table, chance, NAMES, How(label_headers=("no", "yes")))
    with pytest.raises(UserError, match="use_logit explains probabilities"):
        explain(table, products, NAMES, How(use_logit=True))
    with pytest.raises(UserError, match="too few coalitions for 5 features; give at least 20"):
        explain(table, chance, NAMES, How(explainer="kernel", num_samples=4))
    with pytest.raises(UserError, match=r"name them in order under model\.features"):
        explain(table, chance, ())


def test_one_feature_alone_is_all_of_it() -> None:
    for explainer in ("auto", "kernel"):
        found = explain(TABLE.select(["@event_id", "a"]).slice(0, 5), lambda frame: frame["a"] ** 2, ["a"],
                        How(explainer=explainer))  # fmt: skip
        expected = json.loads(found.schema.metadata[b"expected_value"])[0]
        cells = smallest_hashes(TABLE.slice(0, 5), 5)["a"].to_numpy() ** 2
        assert np.allclose(found["a"].to_numpy() + expected, cells)
