"""Champion and challenger: their metrics are scikit-learn's, their differences move as resampled rows do."""

import random
from collections.abc import Callable, Mapping
from functools import reduce
from itertools import pairwise
from operator import add
from typing import Any, get_args

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import metrics as sk

from monitor_tasks.exhibit import ModelComparison, ModelDifference
from monitor_tasks.metrics.performance import outcomes
from monitor_tasks.monitors.model_quality import ModelQuality
from monitor_tasks.monitors.model_quality.sides import Sides
from monitor_tasks.monitors.model_quality.variants import compare, metrics_of
from monitor_tasks.monitors.settings import ModelQualitySettings, ProblemType
from monitor_tasks.profiles import pairs
from monitor_tasks.value import UserError

CLASSES = ("cat", "dog", "eel")
COLUMNS: Mapping[str, dict[str, Any]] = {
    "BinaryClassification": {"probability_attribute": "score"},
    "MulticlassClassification": {"class_probability_attributes": {name: name for name in CLASSES}, "top_k": 2},
    "Regression": {"inference_attribute": "predicted"},
}
every_type = pytest.mark.parametrize("problem_type", get_args(ProblemType))
Tables = tuple[pa.Table, pa.Table]


def sides(problem_type: str, **chosen: Any) -> Sides:
    one = ModelQuality(ModelQualitySettings(problem_type=problem_type, **COLUMNS[problem_type], **chosen))  # type: ignore[arg-type]
    return Sides(one, one)


def tables(problem_type: str, rows: int, seed: int, noise: tuple[float, float] = (0.5, 1.0)) -> Tables:
    """Two models of the same rows; the more noise the worse."""
    chance = np.random.default_rng(seed)
    ids = {"@event_id": [f"{seed}-{row}" for row in range(rows)]}
    if problem_type == "Regression":
        labels, shared = chance.normal(50, 10, rows), chance.normal(0, 1, rows)
        predicted = [labels + shared + chance.normal(0.2, one, rows) for one in noise]
        return tuple(pa.table({"label": labels, "predicted": one, **ids}) for one in predicted)  # type: ignore[return-value]
    count = 2 if problem_type == "BinaryClassification" else 3
    truth = chance.normal(0, 1.5, (rows, count))
    shares = [_softmax(truth + chance.normal(0, one, truth.shape)) for one in noise]
    labels = (chance.random((rows, 1)) < _softmax(truth).cumsum(axis=1)).argmax(axis=1)
    if count == 2:
        return tuple(pa.table({"label": labels, "score": one[:, 1], **ids}) for one in shares)  # type: ignore[return-value]
    named = [dict(zip(CLASSES, one.T, strict=True)) for one in shares]
    return tuple(pa.table({"label": np.array(CLASSES)[labels], **one, **ids}) for one in named)  # type: ignore[return-value]


def _softmax(values: np.ndarray) -> np.ndarray:
    return np.exp(values) / np.exp(values).sum(axis=1, keepdims=True)


def paired(problem_type: str, known: Tables, **chosen: Any) -> ModelComparison:
    both = sides(problem_type, **chosen)
    return compare(both, both.profile(*known, known), ("old", "new"))


def apart(problem_type: str, champion: pa.Table, challenger: pa.Table, **chosen: Any) -> ModelComparison:
    both = sides(problem_type, **chosen)
    profile = both.profile(champion, challenger, (champion.slice(0, 0), challenger.slice(0, 0)))
    return compare(both, profile, ("old", "new"))


def by_name(found: ModelComparison) -> dict[str, ModelDifference]:
    return {one.metric: one for one in found.differences}


WEIGHTED = {"average": "weighted", "zero_division": 0}
OF_SCIKIT_LEARN: Mapping[str, Mapping[str, Callable[..., float]]] = {
    "BinaryClassification": {
        "accuracy": lambda y, s: sk.accuracy_score(y, s > 0.5),
        "recall": lambda y, s: sk.recall_score(y, s > 0.5),
        "precision": lambda y, s: sk.precision_score(y, s > 0.5),
        "f1": lambda y, s: sk.f1_score(y, s > 0.5),
        "false_negative_rate": lambda y, s: 1 - sk.recall_score(y, s > 0.5),
        "matthews_correlation": lambda y, s: sk.matthews_corrcoef(y, s > 0.5),
        "auc": sk.roc_auc_score,
        "average_precision": sk.average_precision_score,
        "log_loss": sk.log_loss,
        "brier_score": sk.brier_score_loss,
    },
    "MulticlassClassification": {
        "accuracy": lambda y, s: sk.accuracy_score(y, _named(s)),
        "weighted_f1": lambda y, s: sk.f1_score(y, _named(s), **WEIGHTED),
        "weighted_precision": lambda y, s: sk.precision_score(y, _named(s), **WEIGHTED),
        "balanced_accuracy": lambda y, s: sk.balanced_accuracy_score(y, _named(s)),
        "top_k_accuracy": lambda y, s: sk.top_k_accuracy_score(y, s, k=2),
        "log_loss": sk.log_loss,
        "brier_score": lambda y, s: sk.brier_score_loss(y, s, labels=CLASSES, scale_by_half=False),
    },
    "Regression": {
        "mae": sk.mean_absolute_error,
        "mse": sk.mean_squared_error,
        "rmse": sk.root_mean_squared_error,
        "r2": sk.r2_score,
        "mape": sk.mean_absolute_percentage_error,
        "median_absolute_error": sk.median_absolute_error,
        "residual_mean": lambda y, p: abs((p - y).mean()),
    },
}
DRAWN = {"accuracy", "f1", "auc", "log_loss", "top_k_accuracy", "weighted_f1", "mae", "r2", "median_absolute_error"}


def _named(shares: np.ndarray) -> np.ndarray:
    return np.array(CLASSES)[shares.argmax(axis=1)]


def arrays(problem_type: str, rows: pa.Table) -> tuple[np.ndarray, np.ndarray]:
    """Labels and predictions."""
    names = {"BinaryClassification": ["score"], "Regression": ["predicted"]}.get(problem_type, [*CLASSES])
    columns = np.stack([rows[name].to_numpy() for name in names], axis=1)
    return np.array(rows["label"].to_pylist()), columns[:, 0] if len(names) == 1 else columns


@every_type
@pytest.mark.parametrize("as_pairs", [True, False])
def test_the_values_of_either_side_are_those_of_scikit_learn(problem_type: str, as_pairs: bool) -> None:
    known = tables(problem_type, 900, 1)
    found = paired(problem_type, known) if as_pairs else apart(problem_type, *known)
    assert (found.paired, found.rows, found.champion, found.challenger) == (as_pairs, (900, 900), "old", "new")
    values, both = by_name(found), [arrays(problem_type, rows) for rows in known]
    for name, metric in OF_SCIKIT_LEARN[problem_type].items():
        champion, challenger = (metric(*side) for side in both)
        one = values[name]
        assert abs(one.champion or 0) == pytest.approx(champion, abs=1e-9)
        assert abs(one.challenger or 0) == pytest.approx(challenger, abs=1e-9)
        assert one.difference == pytest.approx(challenger - champion, abs=1e-9)


@every_type
@pytest.mark.parametrize("as_pairs", [True, False])
def test_a_deviation_is_that_of_rows_drawn_again(problem_type: str, as_pairs: bool) -> None:
    """Within three tenths: 60 draws leave nine percent to chance, 200 replicates of ours five."""
    known, chance = tables(problem_type, 500, 2), np.random.default_rng(5)
    found = by_name(paired(problem_type, known) if as_pairs else apart(problem_type, *known))
    metrics = {name: metric for name, metric in OF_SCIKIT_LEARN[problem_type].items() if name in DRAWN}
    drawn, (one, other) = [], (arrays(problem_type, rows) for rows in known)
    for _ in range(60):
        mine, theirs = (chance.integers(0, 500, 500) for _ in known)
        theirs = mine if as_pairs else theirs
        drawn.append([
            metric(*(side[theirs] for side in other)) - metric(*(side[mine] for side in one))
            for metric in metrics.values()
        ])  # fmt: skip
    for name, spread in zip(metrics, np.std(drawn, axis=0, ddof=1), strict=True):
        if name == "median_absolute_error" and as_pairs:
            assert (found[name].deviation or 0) > 0.9 * spread  # as if each side had rows of its own
        else:
            assert found[name].deviation == pytest.approx(spread, rel=0.3), name


@every_type
def test_a_better_model_is_better_in_every_way_and_the_same_one_in_none(problem_type: str) -> None:
    worse, better = tables(problem_type, 1200, 3, (3.0, 0.2))
    deciding = paired(problem_type, (worse, better)).deciding
    assert deciding.verdict == "better"
    assert paired(problem_type, (better, worse)).deciding.verdict == "worse"
    found = apart(problem_type, worse, better)
    assert {one.verdict for one in found.differences if one.metric != "uncertain_prediction_rate"} <= {
        "better",
        "cannot tell yet",
    }
    assert [one.verdict for one in found.differences].count("better") > len(found.differences) / 2
    same = paired(problem_type, (worse, worse))
    assert {(one.verdict, one.difference, one.more_labels) for one in same.differences} == {
        ("cannot tell yet", 0.0, None)
    }


def test_what_cannot_be_told_yet_says_how_many_more_labels_would_tell() -> None:
    found = apart(
        "BinaryClassification", *(tables("BinaryClassification", 400, seed, (0.5, 0.7))[seed % 2] for seed in (4, 5))
    )
    one = found.deciding
    assert (one.verdict, one.because) == ("cannot tell yet", "chance may explain it")
    assert one.deviation is not None
    assert one.difference is not None
    expected = 800 * ((1.959964 + 0.841621) * one.deviation / one.difference) ** 2 - 800
    assert one.more_labels == pytest.approx(expected, rel=1e-4, abs=1)


@every_type
def test_few_rows_are_undecided_and_say_why(problem_type: str) -> None:
    few = tables(problem_type, 29, 6)
    assert {one.because for one in paired(problem_type, few).differences} == {
        "not enough data: 29 rows, 30 needed on either side"
    }
    some = by_name(paired(problem_type, tables(problem_type, 100, 6)))
    name = "auc" if problem_type == "BinaryClassification" else "r2" if problem_type == "Regression" else "weighted_f1"
    assert (some[name].verdict, some[name].because) == ("cannot tell yet", "fewer than 200 rows give no deviation")
    if problem_type != "Regression":
        assert some["accuracy"].lower is not None
    none = apart(problem_type, few[0], few[1].slice(0, 0))
    assert none.deciding.because == "challenger: no row has both a label and a usable prediction"


@every_type
@settings(max_examples=12)
@given(chance=st.randoms(use_true_random=False), rows=st.integers(0, 12), limit=st.sampled_from([2, 65_536]))
def test_profiles_of_any_split_of_pairs_add_up_and_survive_their_file(
    problem_type: str, chance: random.Random, rows: int, limit: int
) -> None:
    both = sides(problem_type)
    champion, challenger = tables(problem_type, rows, chance.randint(0, 99))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pairs, "PAIR_LIMIT", limit)
        whole = both.profile(champion, challenger, (champion, challenger))
        order = pa.array(chance.sample(range(rows), rows), pa.int64())
        cuts = [0, *sorted(chance.randint(0, rows) for _ in range(2)), rows]
        parts = [
            both.profile(*cut, cut)
            for start, end in pairwise(cuts)
            for cut in [tuple(one.take(order).slice(start, end - start) for one in (champion, challenger))]
        ]
        assert reduce(add, parts).to_json() == reduce(add, parts[::-1]).to_json() == whole.to_json()
        assert (whole + both.nothing()).to_json() == (both.nothing() + whole).to_json() == whole.to_json()
        again = both.read_profile(whole.to_json())
        assert again == whole
        assert compare(both, again, ("a", "b")) == compare(both, whole, ("a", "b"))


ODD = {
    "BinaryClassification": {
        "label": ["1", "0", "1.0", "maybe", "", None, "0", "1"],
        "score": ["0.9", "0.2", "7", "0.4", "0.5", "0.1", None, "1"],
    },
    "MulticlassClassification": {
        "label": ["cat", "1", "1.0", "", None, "nan", "dog", "eel"],
        "cat": ["0.5", "0.2", "1", "0", "0.1", "0.3", "0.2", "x"],
        "dog": ["0.5", "0.2", "0", "0", "0.1", "0.3", "0.2", "0"],
        "eel": ["0", "0.6", "0", "1", "0.8", "0.4", "0.2", "1"],
    },
    "Regression": {
        "label": ["1", "x", "1e300", None, "2", "0", "-1", "3"],
        "predicted": ["1", "1", "1", "1", "inf", None, "-2", "3.5"],
    },
}  # fmt: skip


@every_type
def test_pairs_count_what_the_profiles_of_either_side_count(problem_type: str) -> None:
    """Of odd cells too: the rows that are judged, their outcomes and their losses."""
    both, odd = sides(problem_type, minimum_rows=1), pa.table(ODD[problem_type])
    usual = tables(problem_type, 60, 7)
    texts = [
        pa.table({name: [str(one) for one in table[name].to_pylist()] for name in odd.column_names}) for table in usual
    ]
    champion, challenger = (pa.concat_tables([odd, text]) for text in texts)
    profile = both.profile(champion, challenger, (champion, challenger))
    assert profile.pairs.rows == profile.champion.judged == profile.paired[0].judged == profile.paired[1].judged
    if problem_type == "BinaryClassification":
        for side, one in enumerate(profile.paired, start=1):
            counts = np.zeros(4, int)
            for cell, count in (profile.pairs.cells or {}).items():
                counts[2 * int(cell[0]) + int(cell[side])] += count
            assert (
                counts.tolist()
                == outcomes(one).tolist()
                == outcomes(profile.champion if side == 1 else profile.challenger).tolist()
            )
    if problem_type != "Regression":
        one, other = (
            float(
                (side.losses if problem_type == "BinaryClassification" else side.probabilities.losses).logarithmic.total
            )
            for side in profile.paired
        )
        assert float(profile.pairs.losses.logarithmic.total) == pytest.approx(other - one, abs=1e-9)


def test_too_many_different_pairs_leave_what_needs_them_undecided() -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pairs, "PAIR_LIMIT", 3)
        found = by_name(paired("BinaryClassification", tables("BinaryClassification", 300, 1)))
    assert found["accuracy"].because == found["auc"].because == "there are more than 65,536 different pairs"
    assert found["log_loss"].lower is not None


def test_a_few_retried_requests_make_no_pairs() -> None:
    both = sides("BinaryClassification")
    champion, challenger = tables("BinaryClassification", 300, 8)
    few = champion.slice(0, 100), challenger.slice(0, 100)
    found = compare(both, both.profile(champion, challenger, few), ("a", "b"))
    assert (found.paired, found.rows) == (False, (300, 300))


def test_metrics_that_are_the_same_test_are_counted_once() -> None:
    found = by_name(apart("BinaryClassification", *tables("BinaryClassification", 500, 9)))
    assert found["accuracy"].p_adjusted is None
    assert found["recall"].p_adjusted == found["false_negative_rate"].p_adjusted
    assert found["recall"].difference == pytest.approx(-(found["false_negative_rate"].difference or 0))
    assert all((one.p_adjusted or 1) >= (one.p_value or 0) for one in found.values())


def test_differences_are_metrics_that_a_constraint_may_judge() -> None:
    found = paired("Regression", tables("Regression", 300, 10))
    (mae, *_) = metrics_of(found)
    assert (mae.name, mae.value, mae.n, mae.deviation) == (
        "mae_difference", found.deciding.difference, 300, found.deciding.deviation,
    )  # fmt: skip
    assert mae.details == {"champion": "old", "challenger": "new"}


def test_models_of_different_kinds_and_unknown_metrics_are_told() -> None:
    one, other = sides("Regression").champion, sides("BinaryClassification").champion
    with pytest.raises(UserError, match=r"the champion's is Regression, the challenger's BinaryClassification"):
        Sides(one, other).problem_type  # noqa: B018
    both = sides("Regression")
    with pytest.raises(UserError, match=r"compare\.metric: Regression has no 'auc'; name one of mae, mse, rmse, r2"):
        compare(both, both.nothing(), ("a", "b"), "auc")
