"""Model quality of several classes and of numbers: scikit-learn on the rows, and figures that NannyML published."""

import gzip
import io
from collections.abc import Callable, Iterator, Mapping

import numpy as np
import pandas as pd
import pyarrow as pa
from sklearn import metrics as sk

from monitor_tasks.metrics import classes, residuals
from monitor_tasks.metrics.labels import class_drift, number_drift
from monitor_tasks.profiles.classes import Classes, ClassProfile, Shares
from monitor_tasks.profiles.moments import Moments
from monitor_tasks.profiles.replicates import row_hashes
from monitor_tasks.profiles.residuals import RegressionProfile
from tests.conformance.case import Case, Pairs, shared

NAMES = ("ape", "bee", "cat", "dog")
SEVERAL, NUMBERS, CARS = (
    "generated, 3,000 rows of 4 classes",
    "generated, 3,000 rows",
    "car prices, 20 windows of 6,000",
)
SIX_DIGITS = "< 1e-3"
"""A sixth digit of the published figures is more than 1e-6 of them."""

Array = np.ndarray
WEIGHTED = {"average": "weighted", "zero_division": 0}


def _several() -> tuple[Array, Array, Array]:
    chance = np.random.default_rng(5)
    shares = chance.dirichlet([0.3, 0.3, 0.4, 0.5], 3000)
    labels = (chance.random((3000, 1)) < shares.cumsum(axis=1)).argmax(axis=1)
    return labels, np.where(chance.random(3000) < 0.3, chance.integers(0, 4, 3000), shares.argmax(axis=1)), shares


def _classes() -> ClassProfile:
    labels, predicted, shares = _several()
    columns = [pa.array([NAMES[one] for one in side]) for side in (labels, predicted)]
    return ClassProfile.of(columns[0], Classes.of(columns[1]), Shares(NAMES, shares))


OF_CLASSES: Mapping[str, Callable[[Array, Array, Array], float]] = {
    "accuracy": lambda y, p, _: sk.accuracy_score(y, p),
    "weighted_recall": lambda y, p, _: sk.recall_score(y, p, **WEIGHTED),
    "weighted_precision": lambda y, p, _: sk.precision_score(y, p, **WEIGHTED),
    "weighted_f0_5": lambda y, p, _: sk.fbeta_score(y, p, beta=0.5, **WEIGHTED),
    "weighted_f1": lambda y, p, _: sk.fbeta_score(y, p, beta=1, **WEIGHTED),
    "weighted_f2": lambda y, p, _: sk.fbeta_score(y, p, beta=2, **WEIGHTED),
    "balanced_accuracy": lambda y, p, _: sk.balanced_accuracy_score(y, p),
    "matthews_correlation": lambda y, p, _: sk.matthews_corrcoef(y, p),
    "top_k_accuracy": lambda y, _, s: sk.top_k_accuracy_score(y, s, k=2),
    "log_loss": lambda y, _, s: sk.log_loss(y, s),
    "brier_score": lambda y, _, s: sk.brier_score_loss(y, s, labels=range(4), scale_by_half=False),
    "label_drift": lambda y, p, _: np.abs(np.bincount(y) / len(y) - np.bincount(p) / len(p)).max(),
}
OF_NUMBERS: Mapping[str, Callable[[Array, Array], float]] = {
    "mae": sk.mean_absolute_error,
    "mse": sk.mean_squared_error,
    "rmse": sk.root_mean_squared_error,
    "r2": sk.r2_score,
    "mape": sk.mean_absolute_percentage_error,
    "residual_mean": lambda y, p: (p - y).mean(),
    "residual_variance": lambda y, p: (p - y).var(),
    "median_absolute_error": sk.median_absolute_error,
    "label_drift": lambda y, p: abs(y.mean() - p.mean()) / p.std(),
}


def _of_classes(name: str) -> Pairs:
    labels, predicted, shares = _several()
    profile = _classes()
    found = {
        **{one: known.value for one, known in classes.measured(profile, replicates=0).items()},
        "top_k_accuracy": classes.top_k_accuracy(profile, 2, 0).value,
        "log_loss": classes.log_loss(profile).value,
        "brier_score": classes.brier_score(profile).value,
        "label_drift": class_drift(_counts(labels), _counts(predicted), 0).value,
    }
    yield found[name], OF_CLASSES[name](labels, predicted, shares)


def _counts(codes: Array) -> dict[str, int]:
    return dict(zip(NAMES, np.bincount(codes).tolist(), strict=True))


def _constant() -> Pairs:
    labels, _, shares = _several()
    most = np.full(3000, np.bincount(labels).argmax())
    for name, found in classes.best_constant(_classes(), 0).items():
        yield found.value, OF_CLASSES[name](labels, most, shares)


def _numbers(labels: Array, predicted: Array) -> RegressionProfile:
    table = pa.table({"label": labels, "predicted": predicted})
    return RegressionProfile.of(table["label"], table["predicted"], row_hashes(table))


def _of_numbers(name: str) -> Pairs:
    chance = np.random.default_rng(6)
    labels = chance.lognormal(3, 0.5, 3000)
    predicted = labels * chance.normal(1, 0.1, 3000)
    profile = _numbers(labels, predicted)
    found = {
        **{one: known.value for one, known in residuals.measured(profile, spread=False).items()},
        "median_absolute_error": residuals.median_absolute_error(profile, 0).value,
        "label_drift": number_drift(Moments.of(labels), 3000, Moments.of(predicted), 3000).value,
    }
    yield found[name], OF_NUMBERS[name](labels, predicted)


def _windows() -> Iterator[tuple[pd.Series, Array, Array]]:
    """Every window's line of published figures, its labels and its predictions."""
    folder = "nannyml-car-price"
    reference, analysis, targets = (
        pd.read_csv(io.BytesIO(gzip.decompress(shared(f"{folder}/regression_synthetic_{name}.csv.gz"))))
        for name in ("reference", "analysis", "analysis_targets")
    )
    published = pd.read_csv(io.BytesIO(shared(f"{folder}/expected-metrics.csv")))
    parts = {"reference": reference, "analysis": analysis.merge(targets, on="id")}
    for _, line in published.iterrows():
        start, end = map(int, line["chunk.key"].strip("[]").split(":"))
        rows = parts[line["chunk.period"]].iloc[start : end + 1]
        yield line, rows["y_true"].to_numpy(float), rows["y_pred"].to_numpy(float)


def _cars() -> Pairs:
    for line, labels, predicted in _windows():
        found = residuals.measured(_numbers(labels, predicted), spread=False)
        for name in ("mae", "mape", "mse", "rmse"):
            yield found[name].value, line[f"{name}.value"]


def _cars_again() -> Pairs:
    """Every metric of every window, with all digits: the published figures have six."""
    for _, labels, predicted in _windows():
        profile = _numbers(labels, predicted)
        found = {**residuals.measured(profile, spread=False)}
        found["median_absolute_error"] = residuals.median_absolute_error(profile, 0)
        for name, metric in OF_NUMBERS.items():
            if name in found and (name != "median_absolute_error" or profile.residuals.exact):
                yield found[name].value, metric(labels, predicted)


def _several_classes() -> Iterator[Case]:
    for name in OF_CLASSES:
        oracle = "numpy" if name == "label_drift" else "scikit-learn"
        yield Case(name, oracle, SEVERAL, lambda n=name: _of_classes(n))
    yield Case("best constant classifier of several", "scikit-learn on constant predictions", SEVERAL, _constant)


def _regression() -> Iterator[Case]:
    for name in OF_NUMBERS:
        oracle = "numpy" if name in {"residual_mean", "residual_variance", "label_drift"} else "scikit-learn"
        yield Case(name, oracle, NUMBERS, lambda n=name: _of_numbers(n))
    yield Case("mae, mape, mse, rmse", "published by NannyML, six digits", CARS, _cars, SIX_DIGITS)
    yield Case("all metrics, r2 among them", "scikit-learn, numpy", CARS, _cars_again)


MULTICLASS, REGRESSION = tuple(_several_classes()), tuple(_regression())
