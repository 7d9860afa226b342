"""Model quality, fairness, attribution and the sketch: libraries and formulas on the rows, and published figures."""

import io
import json
from collections import Counter
from collections.abc import Iterator

import numpy as np
import pandas as pd
import pyarrow as pa
from sklearn import metrics as sk
from sklearn.calibration import calibration_curve as of_scikit_learn

from monitor_tasks.metrics.attribution import global_values, ndcg
from monitor_tasks.metrics.curves import by_score, precision_recall, receiver_operating_characteristic
from monitor_tasks.metrics.fairness import FAIRNESS
from monitor_tasks.metrics.flip import flip_test
from monitor_tasks.metrics.outcomes import Outcomes
from monitor_tasks.metrics.performance import best_constant, measured
from monitor_tasks.metrics.probabilities import calibration_curve, uncertain_prediction_rate
from monitor_tasks.monitors.bias import Bias
from monitor_tasks.monitors.settings import BiasSettings
from monitor_tasks.profiles.kll import KLLSketch
from monitor_tasks.profiles.scores import Predictions, ScoreProfile
from tests.conformance import clarify
from tests.conformance.case import BYTES, DATA, Case, Pairs, shared
from tests.metrics import test_flip
from tests.metrics.fairness_by_rows import ADULT, FRAUD, GERMAN, by_rows, cells, german_credit, value
from tests.profiles.plain_sketch import PlainSketch

Rows = tuple[np.ndarray, np.ndarray, np.ndarray]
"""Labels, scores and classes."""
CHURN, GENERATED = "churn, 201 predictions", "generated, 3,000 predictions"


def _churn() -> Rows:
    table = pd.read_csv(io.BytesIO(shared("sagemaker/churn/validation_with_predictions.csv")))
    return table["label"].to_numpy(), table["probability"].to_numpy(), table["prediction"].to_numpy()


def _generated() -> Rows:
    chance = np.random.default_rng(12)
    scores = chance.random(3000).round(3)
    return (chance.random(3000) < scores).astype(int), scores, (scores > 0.4).astype(int)


def _profile(rows: Rows) -> ScoreProfile:
    labels, scores, classes = rows
    return ScoreProfile.of(pa.array(labels), Predictions(pa.array(scores), pa.array(classes.astype(float))))


SCIKIT_LEARN = {
    "recall": lambda y, _, p: sk.recall_score(y, p),
    "precision": lambda y, _, p: sk.precision_score(y, p),
    "accuracy": lambda y, _, p: sk.accuracy_score(y, p),
    "true_positive_rate": lambda y, _, p: sk.recall_score(y, p),
    "true_negative_rate": lambda y, _, p: sk.recall_score(y, p, pos_label=0),
    "false_positive_rate": lambda y, _, p: 1 - sk.recall_score(y, p, pos_label=0),
    "false_negative_rate": lambda y, _, p: 1 - sk.recall_score(y, p),
    "f0_5": lambda y, _, p: sk.fbeta_score(y, p, beta=0.5),
    "f1": lambda y, _, p: sk.fbeta_score(y, p, beta=1),
    "f2": lambda y, _, p: sk.fbeta_score(y, p, beta=2),
    "balanced_accuracy": lambda y, _, p: sk.balanced_accuracy_score(y, p),
    "matthews_correlation": lambda y, _, p: sk.matthews_corrcoef(y, p),
    "auc": lambda y, s, _: sk.roc_auc_score(y, s),
    "average_precision": lambda y, s, _: sk.average_precision_score(y, s),
    "log_loss": lambda y, s, _: sk.log_loss(y, s),
    "brier_score": lambda y, s, _: sk.brier_score_loss(y, s),
    "expected_calibration_error": lambda y, s, _: _by_bin(y, s),
}


def _by_bin(labels: np.ndarray, scores: np.ndarray) -> float:
    """The expected calibration error of 16 bins, bin by bin."""
    bins = np.minimum(np.floor(scores * 16), 15)
    parts = [bins == place for place in range(16)]
    return sum(abs(scores[part].mean() - labels[part].mean()) * part.mean() for part in parts if part.any())


def _performance() -> Iterator[Case]:
    for name in measured(_profile(_generated())):
        for data, rows in ((CHURN, _churn), (GENERATED, _generated)):
            oracle = "the formula, bin by bin" if name == "expected_calibration_error" else "scikit-learn"
            yield Case(name, oracle, data, lambda n=name, r=rows: _measured(n, r()))
    yield Case("calibration curve", "scikit-learn `calibration_curve`", CHURN, lambda: _calibration(_churn()))
    yield Case("uncertain_prediction_rate", "numpy", GENERATED, lambda: _uncertain(_generated()))
    yield Case("receiver operating characteristic", "scikit-learn `roc_curve`", CHURN, lambda: _roc(_churn()))
    yield Case("precision-recall curve", "scikit-learn `precision_recall_curve`", CHURN, lambda: _recalls(_churn()))
    yield Case(
        "best constant classifier", "scikit-learn on constant predictions", GENERATED, lambda: _constant(_generated())
    )
    yield Case("metrics of the outcomes", "file of SageMaker's SDK, 14 digits", DOCUMENTED, _documented_metrics)
    yield Case(
        "all metrics of a printed run", "published by SageMaker, all digits", "churn, 1,817 predictions", _printed
    )


DOCUMENTED = "the documentation's example, 4 predictions; all but the best constant classifier's"


def _documented_metrics() -> Pairs:
    """The file that model cards read: its confusion matrix, and the metrics that follow from it."""
    card = json.loads(shared("sagemaker/sdk/model_card/model_quality_binary.json"))["binary_classification_metrics"]
    matrix = card["confusion_matrix"]
    counts = [matrix[label][predicted] for label in "01" for predicted in "01"]
    labels, classes = np.repeat([0, 0, 1, 1], counts), np.repeat([0, 1, 0, 1], counts)
    found = measured(_profile((labels, classes.astype(float), classes)))
    return ((found[name].value, card[name]["value"]) for name in SCIKIT_LEARN if name in card and name != "auc")


def _measured(name: str, rows: Rows) -> Pairs:
    yield measured(_profile(rows))[name].value, SCIKIT_LEARN[name](*rows)


def _roc(rows: Rows) -> Pairs:
    curve = receiver_operating_characteristic(by_score(_profile(rows).known))
    across, up, _ = sk.roc_curve(rows[0], rows[1], drop_intermediate=False)
    assert curve is not None
    yield from zip((*curve.across, *curve.up), (*across, 1.0, *up, 1.0), strict=True)


def _calibration(rows: Rows) -> Pairs:
    curve = calibration_curve(_profile(rows).known)
    up, across = of_scikit_learn(rows[0], rows[1], n_bins=16)
    yield from zip((*curve.across, *curve.up), (*across, *up), strict=True)


def _uncertain(rows: Rows) -> Pairs:
    yield uncertain_prediction_rate(_profile(rows), 0.4, 0.05, 0).value, (np.abs(rows[1] - 0.4) <= 0.05).mean()


def _recalls(rows: Rows) -> Pairs:
    curve = precision_recall(by_score(_profile(rows).known))
    precisions, recalls, _ = sk.precision_recall_curve(rows[0], rows[1])
    assert curve is not None
    yield from zip((*curve.across, *curve.up[1:]), (0.0, *recalls[-2::-1], *precisions[-2::-1]), strict=True)


def _constant(rows: Rows) -> Pairs:
    more = np.full(3000, int(rows[0].mean() > 0.5))
    for name, found in best_constant(_profile(rows)).items():
        yield found.value, (SCIKIT_LEARN[name](rows[0], rows[1], more) if more.any() or name != "precision" else None)


def _printed() -> Pairs:
    labels = np.repeat([0, 1], [499, 1318])
    classes = np.repeat([0, 1, 0, 1], [434, 65, 1167, 151])
    found = measured(_profile((labels, classes.astype(float), classes)))
    published = {
        "recall": 0.11456752655538695, "precision": 0.6990740740740741, "accuracy": 0.3219592735277931,
        "true_negative_rate": 0.8697394789579158, "false_positive_rate": 0.13026052104208416,
        "false_negative_rate": 0.8854324734446131, "f1": 0.196870925684485, "f2": 0.1375728862973761,
    }  # fmt: skip
    return ((found[name].value, expected) for name, expected in published.items())


ADULT_DATA = {
    "pre_training": "Adult, 666 rows",
    "post_training": "Adult, 666 rows; predictions unpublished, counts fitted to all 11 figures",
}

FRAUD_DATA = "fraud, 4,000 rows; unpublished, counts fitted to its figures"
CLARIFYS = f"generated, {clarify.TABLES} tables: values, thresholds, each value"


def _fairness() -> Iterator[Case]:
    for name, metric in FAIRNESS.items():
        yield Case(
            name, "the contract's formula, row by row", "generated, 600 rows in 3 subgroups", lambda n=name: _by_rows(n)
        )
        if name in GERMAN["foreign"]:
            yield Case(name, "published (smclarify 0.5)", "German credit, 2 facets", lambda n=name: _german(n))
        if metric.stage == "further":
            continue
        yield Case(name, "smclarify 0.5", CLARIFYS, lambda n=name: clarify.pairs(n))
        if not metric.by_subgroup:
            yield Case(name, "published by Clarify", ADULT_DATA[metric.stage], lambda n=name: _adult(n))
            if name not in ("GE", "SD", "JS"):  # which that container lacks, or computed otherwise
                yield Case(name, "published by Clarify", FRAUD_DATA, lambda n=name: _fraud(n))
    yield Case("FT", "smclarify 0.5", CLARIFYS, lambda: clarify.pairs("FT"))
    yield Case("FT", "scikit-learn `KNeighborsClassifier`", "generated, 200 rows of 3 features", _flip)
    yield Case(
        "DPPL, DI, RD, SD", "published by fairlearn, six digits", "its user guide, 18 rows", _fairlearn, "< 1e-6"
    )
    yield Case("pre-training metrics from the file's rows", "published by Clarify", "Adult, 666 rows", _adult_rows)


def _by_rows(name: str) -> Pairs:
    chance = np.random.default_rng(8)
    lines = [tuple(map(int, chance.integers(0, (2, 2, 2, 3)))) for _ in range(600)]
    yield value(name, cells(lines)), by_rows(lines)[name]


def _german(name: str) -> Pairs:
    shared("german-credit/german.csv")
    for group, figures in GERMAN.items():
        yield value(name, german_credit(DATA / "german-credit/german.csv", group)), figures[name]


def _adult(name: str) -> Pairs:
    published = _published()
    yield FAIRNESS[name].function(*ADULT), published[name]


def _fraud(name: str) -> Pairs:
    yield FAIRNESS[name].function(*FRAUD), _published("fraud/bias_1", "customer_gender_female")[name]


def _flip() -> Pairs:
    sampled = test_flip.rows(200, 3, 8)
    yield flip_test(sampled).value, test_flip.by_scikit_learn(sampled)


def _published(file: str = "adult/bias_baseline", facet: str = "Sex") -> dict[str, float]:
    analysis = json.loads(shared(f"sagemaker/{file}.analysis.json"))
    stages = ("pre_training_bias_metrics", "post_training_bias_metrics")
    return {one["name"]: one["value"] for stage in stages for one in analysis[stage]["facets"][facet][0]["metrics"]}


def _adult_rows() -> Pairs:
    config = json.loads(shared("sagemaker/adult/bias_analysis_config.json"))
    lines = map(json.loads, shared("sagemaker/adult/validation-dataset.jsonl").splitlines())
    rows = pa.Table.from_pylist(
        [dict(zip(config["headers"], (one["label"], *one["features"]), strict=True)) for one in lines]
    )
    facets = [
        {"name": one["name_or_index"], "value_or_threshold": one["value_or_threshold"]} for one in config["facet"]
    ]
    settings = BiasSettings.model_validate(
        {
            **{name: config[name] for name in ("label", "label_values_or_threshold", "group_variable")},
            "facets": facets, "predicted_label": "p",
        }
    )  # fmt: skip
    monitor = Bias(settings)
    published = _published()
    for one in monitor.statistics(monitor.profile(rows.append_column("p", rows[config["label"]]))):
        if one.details["stage"] == "pre_training":
            yield one.value, published[one.name]


def _fairlearn() -> Pairs:
    case = json.loads(shared("fairlearn-toy/cases.json"))
    lines = list(zip(case["group"], case["y_true"], case["y_pred"], strict=True))

    def of(group: str) -> Outcomes:
        tally = Counter((y, p) for name, y, p in lines if name == group)
        return Outcomes.of(tally[1, 1], tally[0, 1], tally[1, 0], tally[0, 0])

    difference, ratio = case["expected"]["difference"], case["expected"]["ratio"]
    yield FAIRNESS["DPPL"].function(of("a"), of("b")), difference["selection_rate"]
    yield FAIRNESS["DI"].function(of("a"), of("b")), ratio["selection_rate"]
    yield FAIRNESS["RD"].function(of("b"), of("c")), difference["tpr"]
    yield FAIRNESS["SD"].function(of("a"), of("b")), difference["fpr"]


def _attribution() -> Iterator[Case]:
    yield Case("nDCG", "scikit-learn `ndcg_score`", "generated, 50 rankings of 12 features, with ties", _ndcg)
    yield Case("nDCG", "example of SageMaker's documentation, five digits", "3 features", _documented, "< 1e-5")
    for method, theirs in (
        ("mean_abs", lambda x: np.abs(x).mean(axis=0)),
        ("mean_sq", lambda x: np.square(x).mean(axis=0)),
        ("median", lambda x: np.median(x, axis=0)),
    ):
        yield Case(
            f"global value by `{method}`", "numpy", "generated, 500 rows", lambda m=method, t=theirs: _global(m, t)
        )


def _ndcg() -> Pairs:
    chance = np.random.default_rng(3)
    for _ in range(50):
        baseline, current = chance.random(12).round(2), chance.normal(size=12).round(1)
        ours = (dict(_named(side)) for side in (baseline, current))
        yield ndcg(*ours), sk.ndcg_score([baseline], [current])


def _named(values: np.ndarray) -> Iterator[tuple[str, float]]:
    """Values by the names of features."""
    return ((f"feature {place}", float(each)) for place, each in enumerate(values))


def _documented() -> Pairs:
    yield ndcg({"a": 0.70, "b": 0.50, "c": 0.05}, {"a": 0.1, "b": 0.2, "c": 0.3}), 0.68764


def _global(method: str, theirs: object) -> Pairs:
    values = np.random.default_rng(9).normal(size=(500, 3))
    found = global_values(values, list("abc"), method)  # type: ignore[arg-type]
    return zip(found.values(), theirs(values), strict=True)  # type: ignore[operator]


def _sketch() -> Pairs:
    numbers = np.random.default_rng(7).lognormal(size=40_000)
    for count in (2050, 2051, 3365, 40_000):
        plain = PlainSketch()
        for each in numbers[:count].tolist():
            plain.add(each)
        yield [level.tolist() for level in KLLSketch().extended(numbers[:count]).levels], plain.levels


PERFORMANCE, FAIR, ATTRIBUTED = tuple(_performance()), tuple(_fairness()), tuple(_attribution())
SKETCH = (
    Case("KLL sketch", "the contract's rule, value by value", "generated, 40,000 numbers, all levels", _sketch, BYTES),
)
