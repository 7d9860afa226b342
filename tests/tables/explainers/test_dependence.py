"""Partial dependence against scikit-learn's own, by brute force on the same values."""

import json
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import GradientBoostingRegressor, HistGradientBoostingClassifier
from sklearn.inspection import partial_dependence
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder

from monitor_tasks.tables.explained import How, explain
from monitor_tasks.tables.explainers.dependence import Dependence, read
from monitor_tasks.value import UserError

GENERATOR = np.random.default_rng(6)
NAMES = ("age", "income", "region")
FRAME = pd.DataFrame({
    "age": GENERATOR.integers(18, 25, 200).astype(float),
    "income": GENERATOR.normal(50, 9, 200),
    "region": GENERATOR.choice(["north", "south", "west"], 200, p=[0.5, 0.3, 0.2]).astype(object),
})  # fmt: skip
SCORE = FRAME["age"] / 10 + FRAME["income"] / 9 + (FRAME["region"] == "west") + GENERATOR.normal(0, 1, 200)
CLASSES = pd.cut(SCORE, [-99, 7, 8.5, 99], labels=False).to_numpy()
WANTED = {"features": (), "grid_resolution": 9, "top_k_features": 2}


def pipeline(last: Any, target: Any) -> Any:
    columns = ColumnTransformer([("region", OneHotEncoder(sparse_output=False), ["region"])], remainder="passthrough")
    return make_pipeline(columns, last).fit(FRAME, target)


MODELS = {
    "numbers": pipeline(GradientBoostingRegressor(n_estimators=20, random_state=0), SCORE),
    "two classes": pipeline(HistGradientBoostingClassifier(max_iter=20), SCORE.median() < SCORE),
    "three classes": pipeline(LogisticRegression(max_iter=5000), CLASSES),
}


def told(model: Any, wanted: dict[str, Any], known: str = "", frame: pd.DataFrame = FRAME) -> list[Dependence]:
    table = pa.table({name: pa.array(frame[name].to_numpy(), from_pandas=True) for name in NAMES})
    found = explain(table, model, NAMES, How(partial_dependence=wanted, dependence=known))
    return read(found.schema.metadata[b"dependence"].decode())


@pytest.mark.parametrize("kind", MODELS)
def test_means_are_those_of_scikit_learn(kind: str) -> None:
    model = MODELS[kind]
    found = told(model, {**WANTED, "features": NAMES})
    assert [one.feature_name for one in found] == [*NAMES]
    for one in found:
        known = partial_dependence(
            model, FRAME, [one.feature_name], custom_values={one.feature_name: np.array(one.feature_values)},
            method="brute", response_method="auto" if kind == "numbers" else "predict_proba", kind="average",
        )  # fmt: skip
        assert np.allclose(one.model_predictions, known["average"], rtol=0, atol=1e-9)
        assert sum(one.data_distribution) == pytest.approx(1)


def test_few_numbers_are_all_tried_many_are_cut_and_texts_fall_by_frequency() -> None:
    age, income, region = told(MODELS["numbers"], {**WANTED, "features": NAMES})
    assert (age.data_type, age.feature_values) == ("numerical", sorted(set(FRAME["age"])))
    assert age.data_distribution == [(FRAME["age"] == value).mean() for value in age.feature_values]
    assert np.allclose(income.feature_values, np.linspace(FRAME["income"].min(), FRAME["income"].max(), 9))
    nearest = [np.argmin(np.abs(np.array(income.feature_values) - value)) for value in FRAME["income"]]
    assert income.data_distribution == [nearest.count(place) / 200 for place in range(9)]
    assert (region.data_type, region.feature_values) == ("categorical", ["north", "south", "west"])


def test_left_out_those_that_drive_most_are_told_or_those_of_the_baseline() -> None:
    model = MODELS["numbers"]
    found = told(model, WANTED)
    assert len(found) == 2
    assert found[0].feature_name == "income"
    known = told(model, {**WANTED, "features": ("region", "income")})
    text = json.dumps([one._asdict() for one in known])
    moved = FRAME.assign(income=FRAME["income"] + 5, region="west")
    again = told(model, WANTED, text, moved)
    assert [(one.feature_name, one.feature_values) for one in again] == [
        (one.feature_name, one.feature_values) for one in known
    ]
    assert again[0].data_distribution == [0, 0, 1]
    assert again[1].data_distribution[-1] > known[1].data_distribution[-1]


def test_a_feature_that_is_never_there_has_no_values() -> None:
    model = HistGradientBoostingClassifier(max_iter=5).fit(FRAME[["age", "income"]].assign(region=0.0), SCORE > 8)
    empty = FRAME.assign(region=np.nan)
    (found,) = told(model, {**WANTED, "features": ("region",)}, frame=empty.astype(float))
    assert found == Dependence("region", "numerical", [], [], [])


def test_a_feature_that_the_model_does_not_take_is_named() -> None:
    with pytest.raises(UserError, match=r"takes no 'town'; name some of .*age"):
        told(MODELS["numbers"], {**WANTED, "features": ("town",)})
