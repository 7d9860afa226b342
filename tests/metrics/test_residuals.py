"""Regression metrics: those of scikit-learn on the rows, why a number is undefined, and how far it would move."""

from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn import metrics as sk

from monitor_tasks.metrics.residuals import measured, median_absolute_error
from monitor_tasks.profiles.replicates import row_hashes
from monitor_tasks.profiles.residuals import RegressionProfile

NUMBERS = st.integers(-20, 20).map(lambda one: one / 4) | st.floats(-1e6, 1e6).map(lambda one: round(one, 6))
SMALL = st.lists(st.tuples(NUMBERS, NUMBERS), min_size=1, max_size=60)


def profile(labels: Any, predicted: Any) -> RegressionProfile:
    table = pa.table({"label": np.asarray(labels, np.float64), "predicted": np.asarray(predicted, np.float64)})
    return RegressionProfile.of(table["label"], table["predicted"], row_hashes(table))


def of_scikit_learn(labels: Any, predicted: Any) -> dict[str, float | None]:
    there = np.abs(labels) > 0
    residuals = predicted - labels
    return {
        "mae": sk.mean_absolute_error(labels, predicted),
        "mse": sk.mean_squared_error(labels, predicted),
        "rmse": sk.root_mean_squared_error(labels, predicted),
        "r2": sk.r2_score(labels, predicted) if len(set(labels.tolist())) > 1 else None,
        "mape": np.mean(np.abs(residuals[there]) / np.abs(labels[there])) if there.any() else None,
        "residual_mean": residuals.mean(),
        "residual_variance": residuals.var(),
        "median_absolute_error": sk.median_absolute_error(labels, predicted),
    }


def values(found: RegressionProfile) -> dict[str, float | None]:
    every = {**measured(found, spread=False), "median_absolute_error": median_absolute_error(found, 0)}
    return {name: one.value for name, one in every.items()}


@given(SMALL)
def test_metrics_are_those_of_scikit_learn_on_the_rows(rows: list[tuple[float, float]]) -> None:
    labels, predicted = (np.array([row[place] for row in rows]) for place in range(2))
    if np.ptp(labels) and np.ptp(labels) < 1e-3 * np.abs(labels).max():
        labels = np.round(labels)  # the oracle's own means are rounded: it cannot tell such labels apart to 1e-9
    found, expected = values(profile(labels, predicted)), of_scikit_learn(labels, predicted)
    assert found.keys() == expected.keys()
    for name, value in expected.items():
        scale = np.abs(predicted - labels).max() ** 2 if name == "residual_variance" else 0
        assert (found[name] is None) == (value is None), name
        assert found[name] == (None if value is None else pytest.approx(value, rel=1e-9, abs=1e-12 + 1e-12 * scale)), (
            name
        )


def test_they_are_on_many_rows_too() -> None:
    chance = np.random.default_rng(3)
    labels = chance.lognormal(3, 1, 100_000)
    predicted = labels * chance.normal(1.02, 0.2, 100_000)
    found, expected = values(profile(labels, predicted)), of_scikit_learn(labels, predicted)
    stated = 1 / 512
    assert found.pop("median_absolute_error") == pytest.approx(expected.pop("median_absolute_error"), rel=stated)
    assert found == pytest.approx(expected, rel=1e-9)


def test_labels_far_from_0_have_their_variance() -> None:
    chance = np.random.default_rng(3)
    labels = 1.7e9 + chance.normal(0, 1, 5000)
    found = measured(profile(labels, labels + chance.normal(0, 0.5, 5000)), ["r2"])["r2"]
    assert found.value == pytest.approx(0.75, abs=0.02)
    assert found.deviation == pytest.approx(0.006, abs=0.002)


NOTHING = dict.fromkeys(values(RegressionProfile()), "no row has both a label and a usable prediction")


@pytest.mark.parametrize(
    ("labels", "predicted", "because"),
    [
        ([], [], NOTHING),
        ([np.nan, 1], [1, np.inf], NOTHING),
        ([2], [1], {"r2": "all labels are the same number, or nearly so"}),
        ([0, 0], [1, 2], {"r2": "all labels are the same number, or nearly so", "mape": "every label is 0"}),
        ([0, 5e-324], [1e149, 0], {"r2": "all labels are the same number, or nearly so", "mape": "every label is 0"}),
    ],
)  # fmt: skip
def test_reasons(labels: Any, predicted: Any, because: dict[str, str]) -> None:
    found = profile(labels, predicted)
    every = {**measured(found), "median_absolute_error": median_absolute_error(found)}
    if labels[1:] == [5e-324]:
        because = {"r2": because["r2"]}
    assert {name: one.because for name, one in every.items() if one.value is None} == because


def test_labels_of_0_are_left_out_of_mape_and_told() -> None:
    found = measured(profile([0, 2, 4], [1, 3, 4]))["mape"]
    assert (found.value, found.details) == (0.25, {"labels_of_0": 1})


def test_the_deviation_is_that_of_other_samples_of_as_many_rows() -> None:
    chance = np.random.default_rng(11)

    def sample() -> dict[str, Any]:
        labels = chance.normal(20, 2, 600)
        known = profile(labels, labels + chance.normal(1, 1, 600))
        return {**measured(known), "median_absolute_error": median_absolute_error(known)}

    first, others = sample(), [sample() for _ in range(60)]
    for name, one in first.items():
        spread = float(np.std([other[name].value for other in others]))
        assert one.deviation == pytest.approx(spread, rel=0.35), name


def test_the_deviation_needs_200_rows_and_is_the_same_in_any_order() -> None:
    labels = np.arange(200.0)
    predicted = labels + np.tile([0.0, 1.0, 3.0, 1.0], 50)
    assert {one.deviation for one in measured(profile(labels[1:], predicted[1:])).values()} == {None}
    found = measured(profile(labels, predicted))
    assert found == measured(profile(labels[::-1], predicted[::-1]))
    assert found["mae"].deviation == pytest.approx(np.std(predicted - labels) / 200**0.5, rel=0.2)


def test_past_the_limit_the_median_says_how_far_it_may_be_off() -> None:
    chance = np.random.default_rng(5)
    labels, predicted = chance.normal(0, 1, (2, 20_001))
    found = median_absolute_error(profile(labels, predicted))
    assert abs(found.value - sk.median_absolute_error(labels, predicted)) <= found.details["error"] < 0.003
    few = median_absolute_error(profile(labels.round(2), predicted.round(2)))
    assert few.value == pytest.approx(sk.median_absolute_error(labels.round(2), predicted.round(2)), abs=1e-9)
    assert few.details == {}
