"""The sample and its SHAP values on the example's own model, and on models of other kinds."""

import hashlib
import json
import random
from functools import partial
from io import BytesIO
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import GradientBoostingClassifier, HistGradientBoostingClassifier, RandomForestClassifier
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.naive_bayes import GaussianNB
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import OneHotEncoder, OrdinalEncoder, StandardScaler

from examples.loan_scoring import model as example
from examples.loan_scoring.story import BROKEN_FEATURE, HEALTHY
from examples.loan_scoring.world import CATEGORIES, FEATURES, LABEL, NUMBERS, World, draw
from monitor_tasks.profiles.cells import Cells
from monitor_tasks.tables import files, sampling
from monitor_tasks.tables.explained import How, explain, predicted
from monitor_tasks.tables.files import Stored, table_bytes
from monitor_tasks.tables.model_inputs import number
from monitor_tasks.tables.sampling import HASH, parted, smallest_hashes
from monitor_tasks.value import UserError

ROWS = 60


def people(world: World = HEALTHY, rows: int = ROWS, seed: int = 1) -> pd.DataFrame:
    return draw(world, rows, np.random.default_rng(seed))


def captured(frame: pd.DataFrame) -> pa.Table:
    """The rows as capture gives them: an id and cells of text."""
    cells = {name: [None if pd.isna(cell) else str(cell) for cell in frame[name].tolist()] for name in FEATURES}
    ids = [f"loan-{number}" for number in range(len(frame))]
    return pa.table({"@event_id": ids, **{name: pa.array(column, pa.string()) for name, column in cells.items()}})


def shuffled(table: pa.Table, seed: int) -> pa.Table:
    chance = random.Random(seed)
    rows = chance.sample(range(table.num_rows), table.num_rows)
    return table.take(pa.array(rows, pa.int64())).select(chance.sample(table.column_names, table.num_columns))


def metadata(table: pa.Table) -> dict[str, str]:
    return {key.decode(): value.decode() for key, value in table.schema.metadata.items()}


def summed(found: pa.Table) -> Any:
    values = np.column_stack([found[name].to_numpy() for name in found.column_names if name != HASH])
    return values.sum(axis=1) + json.loads(metadata(found)["expected_value"])[0]


def in_order(frame: pd.DataFrame) -> pd.DataFrame:
    """The people in the order of their hashes."""
    numbered = pa.table({"@event_id": [f"loan-{n}" for n in range(len(frame))], "n": list(range(len(frame)))})
    return frame.iloc[smallest_hashes(numbered, len(frame))["n"].to_pylist()]


@pytest.fixture(scope="module")
def pipeline() -> Pipeline:
    return example.train(people(rows=2000, seed=0))


def fitted(columns: Any, last: Any) -> Pipeline:
    table = people(rows=600, seed=0)
    return Pipeline([("columns", columns), ("last", last)]).fit(table[list(FEATURES)], table[LABEL])


def test_the_hash_of_an_event_id_is_the_start_of_its_sha256() -> None:
    found = smallest_hashes(pa.table({"@event_id": ["a", "b", "c"], "x": [1, 2, 3]}), 2)
    known = {name: int.from_bytes(hashlib.sha256(name.encode()).digest()[:8], "big") for name in "abc"}
    names = sorted(known, key=lambda name: known[name])[:2]
    assert found["@event_id"].to_pylist() == names
    assert found[HASH].to_pylist() == [known[name] for name in names]
    assert found.schema.field(HASH).type == pa.uint64()


cells = st.sampled_from(["a", "b", "", None])


@given(st.lists(st.tuples(cells, cells), max_size=30), st.integers(0, 31), st.integers(0, 99))
def test_rows_without_an_id_are_sampled_alike_in_any_order(rows: list[tuple[str, str]], k: int, seed: int) -> None:
    columns = [pa.array([row[side] for row in rows], pa.string()) for side in (0, 1)]
    table = pa.table({"one": columns[0], "two": columns[1], "@line": list(range(len(rows)))})
    found, again = (smallest_hashes(one, k).drop_columns(["@line"]) for one in (table, shuffled(table, seed)))
    assert again.select(found.column_names).equals(found)
    assert found.num_rows == min(k, len(rows)) == len(set(found[HASH].to_pylist()))
    assert smallest_hashes(smallest_hashes(table, 20), 10).equals(smallest_hashes(table, 10))


@pytest.mark.parametrize("ids", ["of its own", "one twice", "one missing", "none"])
def test_a_stored_table_is_sampled_batch_by_batch_as_a_whole_one(ids: str, monkeypatch: pytest.MonkeyPatch) -> None:
    given = [f"id {place}" for place in range(1000)]
    given[-1] = {"one twice": "id 0", "one missing": None}.get(ids, given[-1])
    cells = {"city": [f"city {place % 7}" for place in range(1000)], "x": [place % 50 for place in range(1000)]}
    table = pa.table(cells if ids == "none" else {"@event_id": given, **cells})
    monkeypatch.setattr(files, "CELLS_AT_ONCE", 60)
    monkeypatch.setattr(files, "ROWS_AT_ONCE", 30)
    monkeypatch.setattr(sampling, "_PIECE", 7)
    stored = Stored.in_file(BytesIO(table_bytes(table)), "window.parquet")
    assert len([*stored.batches(["x"])]) > 10
    whole = smallest_hashes(table, 100)
    assert smallest_hashes(stored, 100).equals(whole)
    assert smallest_hashes(stored, 100, ("x", "strange")).equals(whole.select(["x", HASH]))
    sample, others = parted(stored, 100)
    assert sample.equals(whole.drop_columns([HASH]))
    assert sorted(pa.concat_tables([sample, others.whole()]).to_pylist(), key=str) == sorted(table.to_pylist(), key=str)


def test_ids_that_do_not_tell_rows_apart_are_content() -> None:
    twice = pa.table({"@event_id": ["a", "a", None], "x": [1, 2, 1]})
    found, again = smallest_hashes(twice, 2), smallest_hashes(twice.take([2, 1, 0]), 2)
    assert found.equals(again)
    assert len(set(found[HASH].to_pylist())) == 2


@pytest.mark.parametrize("world", [HEALTHY, BROKEN_FEATURE])
def test_values_and_expected_value_add_up_to_the_log_odds(pipeline: Pipeline, world: World) -> None:
    frame = people(world)
    found = explain(captured(frame), pipeline, FEATURES)
    assert found.column_names == [HASH, *FEATURES]
    assert metadata(found)["explainer"] == "tree_path_dependent"
    assert float(metadata(found)["residual"]) < 1e-12
    log_odds = pipeline.decision_function(in_order(frame)[list(FEATURES)])
    assert np.allclose(summed(found), log_odds, rtol=0, atol=1e-10)


def test_same_rows_in_any_order_give_the_same_bytes(pipeline: Pipeline) -> None:
    table = captured(people())
    sliced = pa.concat_tables([table.slice(30), table.slice(0, 30)])
    whole = table_bytes(explain(table, pipeline, FEATURES))
    assert table_bytes(explain(shuffled(table, 1), pipeline, FEATURES)) == whole
    assert table_bytes(explain(sliced, pipeline, FEATURES)) == whole
    part = smallest_hashes(table, 20)
    assert explain(part, pipeline, FEATURES).equals(explain(table, pipeline, FEATURES).slice(0, 20))


def test_typed_columns_and_texts_are_the_same_cells(pipeline: Pipeline) -> None:
    frame = people(BROKEN_FEATURE)
    typed = pa.Table.from_pandas(frame[list(FEATURES)], preserve_index=False)
    typed = typed.append_column("@event_id", captured(frame)["@event_id"])
    assert explain(typed, pipeline, FEATURES).equals(explain(captured(frame), pipeline, FEATURES))


def test_the_order_of_the_features_is_the_callers_and_none_means_the_models(pipeline: Pipeline) -> None:
    table = captured(people())
    found = explain(table, pipeline, FEATURES[::-1])
    assert found.column_names == [HASH, *FEATURES[::-1]]
    assert found.select([HASH, *FEATURES]).equals(explain(table, pipeline, ()))


def test_no_rows_are_no_values(pipeline: Pipeline) -> None:
    found = explain(captured(people()).slice(0, 0), pipeline, FEATURES)
    assert (found.num_rows, found.column_names) == (0, [HASH, *FEATURES])
    assert metadata(found) == {"refused": "0"}
    assert not len(predicted(captured(people()).slice(0, 0), pipeline, FEATURES))


def test_a_feature_that_the_rows_lack_is_named(pipeline: Pipeline) -> None:
    with pytest.raises(UserError, match=r"expects the column 'income', which the captured rows lack \(of 12 they lack"):
        explain(captured(people()).drop_columns(["income"]), pipeline, FEATURES)


def test_a_model_that_expects_other_columns_is_refused(pipeline: Pipeline) -> None:
    table = captured(people())
    with pytest.raises(UserError, match="the model expects the column 'income', which is no feature"):
        explain(table, pipeline, FEATURES[1:])
    with pytest.raises(UserError, match="'@event_id' is a feature and the model was trained on other columns"):
        explain(table, pipeline, ["@event_id", *FEATURES])
    frame = people()
    nameless = LogisticRegression().fit(frame[["income", "open_accounts"]].to_numpy(), frame[LABEL])
    with pytest.raises(UserError, match="expects 2 columns, 12 features are named"):
        explain(table, nameless, FEATURES)
    with pytest.raises(UserError, match="StandardScaler predicts neither probabilities nor numbers"):
        explain(table, StandardScaler().fit(frame[["income"]]), ["income"])


def test_a_damaged_cell_is_missing_and_costs_no_window(pipeline: Pipeline) -> None:
    frame = people()
    frame["income"] = frame["income"].astype(object)
    frame.loc[:3, "income"] = ["n/a", "1e400", "1e300", ".5"]
    damaged = explain(captured(frame), pipeline, FEATURES)
    frame.loc[:3, "income"] = [None] * 4
    assert damaged.equals(explain(captured(frame), pipeline, FEATURES))


def test_rows_that_the_model_refuses_are_counted() -> None:
    frame = people(rows=200)
    picky = GradientBoostingClassifier(n_estimators=3).fit(frame[list(NUMBERS)], frame[LABEL])
    table = captured(people(BROKEN_FEATURE)).select(["@event_id", *NUMBERS])
    missing = table["debt_to_income"].null_count
    found = explain(table, picky, NUMBERS)
    assert missing
    assert (found.num_rows, metadata(found)["refused"]) == (ROWS - missing, str(missing))
    answers = predicted(table, picky, NUMBERS)["0"].to_numpy()
    assert np.array_equal(np.isnan(answers), table["debt_to_income"].is_null().to_numpy())
    with pytest.raises(UserError, match=r"the model scores none of the .* rows: ValueError: "):
        explain(table.filter(table["debt_to_income"].is_null()), picky, NUMBERS)


def test_a_refusal_tells_no_cell() -> None:
    frame = people(rows=200)
    strict = fitted(ColumnTransformer([("home", OrdinalEncoder(), ["home_ownership"])]), LogisticRegression())
    frame["home_ownership"] = "secret place"
    with pytest.raises(UserError, match="Found unknown categories … in column 0") as refused:
        explain(captured(frame), strict, FEATURES)
    assert "secret" not in str(refused.value)


def test_predictions_keep_the_order_of_the_rows(pipeline: Pipeline) -> None:
    frame = people(BROKEN_FEATURE)
    assert np.array_equal(
        predicted(captured(frame), pipeline, FEATURES)["0"], pipeline.predict_proba(frame[list(FEATURES)])[:, 1]
    )


@pytest.mark.parametrize("last", [RandomForestClassifier(10, random_state=0), HistGradientBoostingClassifier()])
def test_other_trees_add_up_on_their_own_scale(last: Any) -> None:
    frame = people(BROKEN_FEATURE)
    table = people(rows=400, seed=0)
    trees = make_pipeline(StandardScaler(), last).fit(table[list(NUMBERS)], table[LABEL])
    found = explain(captured(frame), trees, NUMBERS)
    assert metadata(found)["explainer"] == "tree_path_dependent"
    known = in_order(frame)[list(NUMBERS)]
    answers = trees.decision_function(known) if hasattr(last, "decision_function") else trees.predict_proba(known)[:, 1]
    assert np.allclose(summed(found), answers, rtol=0, atol=1e-10)


one_hot = partial(OneHotEncoder, handle_unknown="ignore", sparse_output=False)
OTHERS = {
    "columns that are no features": (one_hot(), GradientBoostingClassifier(n_estimators=5, random_state=0)),
    "no tree": (OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1), GaussianNB()),
    "an encoder behind another step": (
        make_pipeline(SimpleImputer(strategy="most_frequent"), one_hot()),
        GaussianNB(),
    ),
}


@pytest.mark.parametrize("name", OTHERS)
def test_any_other_model_adds_up_on_its_probability(name: str) -> None:
    encoder, last = OTHERS[name]
    numbers = make_pipeline(SimpleImputer(strategy="median"), StandardScaler())
    columns = [("numbers", numbers, list(NUMBERS)), ("categories", encoder, list(CATEGORIES))]
    frame = people(BROKEN_FEATURE, rows=40)
    fit = fitted(ColumnTransformer(columns), last)
    before = np.random.get_state()[1]  # noqa: NPY002
    found = explain(captured(frame), fit, FEATURES, How(seed=3))
    assert np.array_equal(np.random.get_state()[1], before)  # noqa: NPY002
    assert metadata(found)["explainer"] == "permutation"
    answers = fit.predict_proba(in_order(frame)[list(FEATURES)])[:, 1]
    assert np.allclose(summed(found), answers, rtol=0, atol=1e-9)
    assert table_bytes(explain(shuffled(captured(frame), 2), fit, FEATURES, How(seed=3))) == table_bytes(found)


def test_codes_that_look_like_numbers_stay_the_texts_that_the_model_learned() -> None:
    table = pd.DataFrame({"area": ["01", "02", "1", "2"] * 20, "x": np.arange(80.0)})
    encoder = make_pipeline(SimpleImputer(strategy="most_frequent"), OrdinalEncoder())
    columns = ColumnTransformer([("text", encoder, ["area"]), ("rest", "passthrough", ["x"])])
    label = (table["area"].str.len() == 2).astype(int)
    fit = Pipeline([("columns", columns), ("last", GradientBoostingClassifier(n_estimators=5))]).fit(table, label)
    found = explain(pa.table({"area": ["01", "1"], "x": ["5", "5"]}), fit, ["area", "x"])
    assert [round(abs(value), 3) for value in found["area"].to_pylist()] == [0.857, 0.857]
    assert sum(found["area"].to_pylist()) == pytest.approx(0, abs=1e-9)


def test_truth_values_are_numbers_to_a_model_of_numbers() -> None:
    table = pd.DataFrame({"on": [True, False] * 40, "x": np.arange(80.0)})
    fit = GradientBoostingClassifier(n_estimators=5).fit(table, table["on"].astype(int))
    typed = explain(pa.table({"on": [True, False], "x": [1, 2], "@event_id": ["a", "b"]}), fit, ["on", "x"])
    texts = pa.table({"on": ["true", "false"], "x": ["1", "2"], "@event_id": ["a", "b"]})
    assert explain(texts, fit, ["on", "x"]).equals(typed)


def test_a_model_that_shap_reads_wrongly_is_refused() -> None:
    class Odd(GradientBoostingClassifier):
        def decision_function(self, X: Any) -> Any:  # noqa: N803 - scikit-learn's name
            return super().decision_function(X) + 0.001

    frame = people()
    odd = Odd(n_estimators=3).fit(frame[list(NUMBERS)], frame[LABEL])
    odd.__class__.__module__, odd.__class__.__name__ = "sklearn.ensemble", "GradientBoostingClassifier"
    with pytest.raises(UserError, match=r"differ by 0\.00"):
        explain(captured(frame), odd, NUMBERS)


@given(st.text(alphabet="+- 0123456789.eE٣x", max_size=7))
def test_numbers_are_those_that_the_profile_counts(text: str) -> None:
    known = Cells.of(pa.array([text])).numbers
    assert [repr(number(text) + 0.0)] == [repr(float(number)) for number in known] or (
        not len(known) and np.isnan(number(text))
    )
