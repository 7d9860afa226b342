"""Estimates of a regression's losses: against raw rows, on NannyML's windows, and where they cannot be told."""

from functools import reduce
from operator import add
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import mean_absolute_percentage_error

from monitor_tasks.baseline import Baseline
from monitor_tasks.judging import Known, check, read_baseline, suggest
from monitor_tasks.metrics.estimation import FEW_LABELS, NO_PREDICTIONS
from monitor_tasks.monitors.model_quality import ModelQuality
from monitor_tasks.monitors.model_quality.estimation import SPREAD
from monitor_tasks.monitors.settings import ModelQualitySettings
from monitor_tasks.profiles.partition import Axis, Node, Partition
from monitor_tasks.profiles.residuals import RegressionProfile
from monitor_tasks.report import Estimate
from monitor_tasks.value import UserError

SETTINGS = ModelQualitySettings(
    problem_type="Regression", inference_attribute="guess", ground_truth_attribute="truth", estimate=True
)
MONITOR = ModelQuality(SETTINGS)


def rows(chance: np.random.Generator, size: int, shift: float = 0.0, drift: float = 1.0) -> pa.Table:
    """A model that errs more for large numbers and for one fuel; a few cells are missing."""
    number, fuel = chance.normal(shift, 1, size), chance.choice(["gas", "diesel", "electric"], size)
    guess = 3 * number + chance.normal(0, 1, size)
    error = np.exp(0.4 * number) * (1 + (fuel == "diesel")) * chance.normal(0, 1, size)
    return pa.table(
        {
            "number": pa.array(number, mask=chance.random(size) < 0.05),
            "fuel": pa.array(fuel, mask=chance.random(size) < 0.05),
            "guess": guess,
            "truth": guess + drift * error,
        }
    )


def estimates(window: pa.Table, baseline: pa.Table, monitor: ModelQuality = MONITOR) -> dict[str, Estimate]:
    partition = monitor.partition([baseline])
    known = Baseline("id", (), monitor.profile(baseline, partition))
    return {one.metric: one for one in monitor.estimates(monitor.profile(window, partition), known)}


def test_the_estimate_is_the_mean_loss_of_the_cells_that_the_rows_lie_in() -> None:
    chance = np.random.default_rng(1)
    known, window = rows(chance, 3000), rows(chance, 800, shift=0.3)
    partition = MONITOR.partition([known])
    assert partition
    fuels = next(axis.categories for axis in partition.axes if axis.name == "fuel")
    assert fuels
    assert fuels[2] == "diesel"
    frames = [table.to_pandas() for table in (known, window)]
    for frame in frames:
        matrix = np.column_stack([
            frame[name if name != "@prediction" else "guess"].map(dict(zip(texts, range(3), strict=True)))
            if texts else frame[name if name != "@prediction" else "guess"]
            for name, texts in partition.axes
        ]).astype(float)  # fmt: skip
        frame["cell"] = [walked(partition, line) for line in matrix]
        frame["loss"] = (frame["guess"] - frame["truth"]).abs()
    taught, seen = frames
    assert 10 < taught["cell"].nunique() <= 64
    found = estimates(window, known)
    for name, power in (("mae", 1), ("mse", 2)):
        by_cell = (taught["loss"] ** power).groupby(taught["cell"]).agg(["mean", "var", "size"])
        mine = by_cell.loc[seen["cell"]]
        shares = seen["cell"].value_counts() / 800
        error = (shares**2 * (by_cell["var"] / by_cell["size"]).reindex(shares.index)).sum()
        one, value = found[name], mine["mean"].mean()
        assert one.value == pytest.approx(value, rel=1e-9)
        assert one.upper
        assert (one.upper - value) / 1.96 == pytest.approx(np.sqrt(mine["var"].mean() / 800 + error), rel=1e-9)
    square = found["mse"].value
    assert found["rmse"].value == pytest.approx(np.sqrt(square or 0), rel=1e-9)


def walked(partition: Partition, line: Any) -> int:
    place = 0
    while (node := partition.nodes[place]).axis >= 0:
        value = line[node.axis]
        place = node.missing if np.isnan(value) else node.below if value <= node.cut else node.above
    return place


PUBLISHED = (1067.212885, 1063.129715, 1054.158749, 1060.665742, 1055.230227, 928.513388, 928.915961, 927.915836,
             930.426206)  # fmt: skip
"""What NannyML's DLE expects of the root mean squared error of the first nine windows (its tutorial "Estimating
Performance - Regression", commit 268398a7824e)."""


@pytest.fixture(scope="module")
def cars(shared: Path) -> tuple[pd.DataFrame, pd.DataFrame]:
    folder = shared / "nannyml-car-price"
    reference, analysis, truth = (
        pd.read_csv(folder / f"regression_synthetic_{one}.csv.gz")
        for one in ("reference", "analysis", "analysis_targets")
    )
    return reference, analysis.merge(truth, on="id")


@pytest.fixture(scope="module")
def of_cars(cars: tuple[pd.DataFrame, pd.DataFrame]) -> tuple[ModelQualitySettings, Known]:
    features = ("car_age", "km_driven", "price_new", "accident_count", "door_count", "fuel", "transmission")
    named = {"inference_attribute": "y_pred", "ground_truth_attribute": "y_true", "estimate_attributes": features}
    settings = SETTINGS.model_copy(update=named)
    files = suggest("model_quality", settings, pa.Table.from_pandas(cars[0], preserve_index=False))
    return settings, read_baseline("id", "model_quality", settings, files.get)


def test_cars_are_estimated_nearer_to_the_truth_than_published(
    cars: tuple[pd.DataFrame, pd.DataFrame], of_cars: tuple[ModelQualitySettings, Known]
) -> None:
    settings, known = of_cars
    inside, mine, theirs = [], [], []
    for place, published in enumerate(PUBLISHED):
        window = cars[1].iloc[6000 * place : 6000 * (place + 1)]
        found = check("model_quality", settings, pa.Table.from_pandas(window, preserve_index=False), known).estimates
        unlabelled = pa.Table.from_pandas(window.assign(y_true=None), preserve_index=False)
        assert [one.value for one in check("model_quality", settings, unlabelled, known).estimates] == [
            one.value for one in found
        ]
        rmse = next(one for one in found if one.metric == "rmse")
        assert rmse.value
        assert rmse.value == pytest.approx(published, rel=0.02)
        assert rmse.realised
        inside += [one.realised.inside for one in found if one.realised and one.metric != "mape"]
        mine.append(abs(rmse.value - rmse.realised.value))
        theirs.append(abs(published - rmse.realised.value))
    assert np.mean(inside) >= 0.85
    assert np.mean(mine) < 0.7 * np.mean(theirs)


def test_the_band_holds_losses_without_drift_and_not_larger_ones() -> None:
    chance, inside, drifted = np.random.default_rng(3), [], []
    for _ in range(12):
        known = rows(chance, 3000)
        for drift, found in ((1.0, inside), (1.4, drifted)):
            window = estimates(rows(chance, 1000, drift=drift), known)
            graded = [window[name].realised for name in ("mae", "mse", "rmse")]
            found += [one.inside for one in graded if one]
    assert len(inside) == len(drifted) == 36
    assert np.mean(inside) >= 0.85
    assert not any(drifted)


def priced(chance: np.random.Generator, size: int, shift: float = 0.0, drift: float = 1.0) -> pa.Table:
    """The same with labels far from 0, but for one in ten that is 0."""
    table = rows(chance, size, shift, drift)
    truth = np.where(chance.random(size) < 0.1, 0.0, table["truth"].to_numpy() + 60)
    return table.set_column(3, "truth", pa.array(truth)).set_column(
        2, "guess", pa.array(table["guess"].to_numpy() + 60)
    )


def test_percentage_errors_are_estimated_from_the_rows_that_have_one() -> None:
    chance, inside, drifted = np.random.default_rng(13), [], []
    for _ in range(12):
        known = priced(chance, 3000)
        mine = estimates(known, known)["mape"]
        truth, guess = (known[name].to_numpy()[known["truth"].to_numpy() != 0] for name in ("truth", "guess"))
        assert mine.value == pytest.approx(mean_absolute_percentage_error(truth, guess), rel=1e-9)
        for drift, found in ((1.0, inside), (1.4, drifted)):
            graded = estimates(priced(chance, 1000, drift=drift), known)["mape"].realised
            found.append(graded is not None and graded.inside)
    assert np.mean(inside) >= 0.8
    assert len(drifted) == 12
    assert not any(drifted)


def test_what_predictions_do_not_tell_is_undecided() -> None:
    known = rows(np.random.default_rng(14), 400)
    found = estimates(known, known)
    assert (found["r2"].value, found["r2"].rows) == (None, 400)
    assert found["r2"].because == SPREAD
    zeros = known.set_column(3, "truth", pa.array(np.zeros(400)))
    assert estimates(zeros, zeros)["mape"].because.startswith("the baseline does not know residuals over labels")


def test_rows_that_are_like_hard_ones_are_expected_to_lose_more() -> None:
    chance = np.random.default_rng(4)
    known = rows(chance, 5000)
    usual, hard = (estimates(rows(chance, 1000, shift), known)["mae"] for shift in (0.0, 0.7))
    assert usual.upper
    assert hard.value
    assert usual.upper < hard.value


def test_what_cannot_be_estimated_says_why() -> None:
    chance = np.random.default_rng(5)
    known, window = rows(chance, 400), rows(chance, 100)

    def because(window: pa.Table, known: pa.Table) -> str:
        (mae, *_) = estimates(window, known).values()
        assert (mae.value, mae.lower, mae.realised) == (None, None, None)
        return mae.because

    assert because(window, rows(chance, 199)) == FEW_LABELS
    assert because(window.slice(0, 0), known) == NO_PREDICTIONS
    assert because(window.drop_columns(["fuel"]), known) == (
        "the rows lack fuel, which losses are told from: name others in estimate_attributes and suggest the baseline "
        "anew with estimate: true"
    )
    old = Baseline("id", (), MONITOR.profile(known))
    assert "suggest the baseline anew" in MONITOR.estimates(MONITOR.profile(window), old)[0].because
    other = MONITOR.profile(window, MONITOR.partition([rows(chance, 500)]))
    mine = Baseline("id", (), MONITOR.profile(known, MONITOR.partition([known])))
    assert "another baseline" in MONITOR.estimates(other, mine)[0].because
    with pytest.raises(ValueError, match="different baselines"):
        other + mine.profile
    with pytest.raises(UserError, match="estimate_attributes: the rows have no column colour"):
        ModelQuality(SETTINGS.model_copy(update={"estimate_attributes": ("colour",)})).partition([known])
    assert ModelQuality(SETTINGS.model_copy(update={"estimate": False})).partition([known]) is None


def test_losses_too_large_for_doubles_are_undefined() -> None:
    known = rows(np.random.default_rng(10), 300)
    huge = known.set_column(known.column_names.index("truth"), "truth", pa.array([1e140] * 300))
    found = estimates(huge, huge)
    assert found["mae"].value == pytest.approx(1e140)
    for name in ("mse", "rmse"):
        assert found[name].value is None
        assert found[name].because == "the baseline has residuals whose powers leave the doubles"


def test_the_settings_name_only_estimates_that_there_are() -> None:
    known = rows(np.random.default_rng(6), 300)

    def suggested(**more: Any) -> list[str]:
        monitor = ModelQuality(SETTINGS.model_copy(update=more))
        return [one.metric for one in monitor.suggest([monitor.profile(known, monitor.partition([known]))])]

    assert suggested(judged_estimates=("rmse",))[-1] == "estimated_rmse"
    with pytest.raises(UserError, match="r2 of Regression is not estimated; take it out, or name some of mae, mse"):
        suggested(judged_estimates=("r2",))
    with pytest.raises(UserError, match="set estimate: true beside it"):
        suggested(judged_estimates=("rmse",), estimate=False)


TREE = Partition((Axis("number"), Axis("fuel", ("gas", "coal"))), (Node(0, 0.5, 1, 2, 2), Node(), Node(1, 0, 3, 4, 4),
                                                                  Node(), Node()))  # fmt: skip
CELLS = st.none() | st.floats() | st.sampled_from([0.0, -0.0, 1.0, 1e200])


@settings(max_examples=40)
@given(
    st.lists(st.tuples(CELLS, st.sampled_from(["gas", "coal", "oil", None]), CELLS, CELLS), max_size=20),
    st.integers(0, 20),
)
def test_losses_of_parts_add_up_to_those_of_the_whole_and_survive_their_file(lines: list[Any], cut: int) -> None:
    names, kinds = ("number", "fuel", "guess", "truth"), (pa.float64(), pa.string(), pa.float64(), pa.float64())
    columns = zip(*lines, strict=True) if lines else ((),) * 4
    table = pa.table(
        {name: pa.array(list(one), kind) for name, one, kind in zip(names, columns, kinds, strict=True)}
    )  # fmt: skip
    whole = MONITOR.profile(table, TREE)
    parts = [MONITOR.profile(part, TREE) for part in (table.slice(cut), table.slice(0, cut))]
    assert reduce(add, parts).to_json() == whole.to_json()
    assert RegressionProfile.from_json(whole.to_json()) == whole
    assert sum(one.rows for one in whole.losses.cells.values()) == whole.rows - whole.unusable_predictions
    assert sum(one.labelled for one in whole.losses.cells.values()) == whole.judged


def test_a_tree_survives_its_file_and_is_the_same_for_rows_in_any_order() -> None:
    assert Partition.from_json(TREE.to_json()) == TREE
    table = rows(np.random.default_rng(7), 600)
    order = np.random.default_rng(8).permutation(600)
    mixed = table.take(pa.array(order)).select(table.column_names[::-1])
    assert MONITOR.partition([table]) == MONITOR.partition([mixed.slice(0, 7), mixed.slice(7, 0), mixed.slice(7)])


def test_r2_is_not_estimated_since_the_baselines_labels_need_not_spread_as_the_windows_do() -> None:
    """The mse is estimated rightly; over the variance of the baseline's labels it would be another r2 than comes."""
    chance = np.random.default_rng(4)

    def table(spread: float) -> pa.Table:
        number = chance.normal(0, spread, 20_000)
        return pa.table({"number": number, "guess": 3 * number, "truth": 3 * number + chance.normal(0, 1, 20_000)})

    known, window = table(1.0), table(1.5)
    found = estimates(window, known)
    mse = found["mse"]
    assert mse.value
    assert mse.lower < float(np.mean(np.square(window["guess"].to_numpy() - window["truth"].to_numpy()))) < mse.upper
    realised, told = (1 - mse.value / float(one["truth"].to_numpy().var()) for one in (window, known))
    assert (round(realised, 2), round(told, 2)) == (0.95, 0.90)
    assert (found["r2"].value, found["r2"].because) == (None, SPREAD)


def test_profiles_that_were_stored_before_are_still_read() -> None:
    import orjson

    known = orjson.loads(MONITOR.profile(rows(np.random.default_rng(9), 50)).to_json())
    del known["losses"]
    known["schema_version"] = 1
    assert RegressionProfile.from_json(orjson.dumps(known)).losses.cells == {}
    baseline = rows(np.random.default_rng(9), 400)
    partition = MONITOR.partition([baseline])
    of_before = orjson.loads(MONITOR.profile(baseline, partition).to_json())
    of_before["losses"]["cells"] = [cell[:5] for cell in of_before["losses"]["cells"]]
    stored = Baseline("id", (), RegressionProfile.from_json(orjson.dumps(of_before)))
    found = {one.metric: one for one in MONITOR.estimates(MONITOR.profile(baseline, partition), stored)}
    assert found["mae"].value is not None
    assert "suggest the baseline anew" in found["mape"].because
