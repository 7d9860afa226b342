"""A challenger of every problem type: a real model is trained, compared on held rows, and promoted or told why not."""

from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from random import Random
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import pytest
import skops.io
from sklearn import metrics as sk
from sklearn.compose import ColumnTransformer
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import OrdinalEncoder
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor

from monitor_tasks import promoting, retraining
from monitor_tasks.evidence import records
from monitor_tasks.exhibit import ModelComparison
from monitor_tasks.gates import Gate
from monitor_tasks.site import Site
from monitor_tasks.tables.files import read_table
from monitor_tasks.value import UserError
from tests.retraining_story import ENDPOINT, EPISODE, HOURS, captured, judge, labelled, retrain, site

CLASSES = ("high", "low", "mid")
pytestmark = pytest.mark.usefixtures("models_in_this_process")


class Kind(NamedTuple):
    """A problem type: what is captured, what is true, and what a model of it learns."""

    outputs: tuple[str, ...]
    section: str
    truth: Callable[[float, bool], Any]
    """The label of an amount, before the world turned and after."""
    answer: Callable[[Any], str]
    """What the champion, who knows the former world, was captured with."""
    tree: Any


def of_two(amount: float, turned: bool) -> int:
    return int((amount >= 50) is not turned)


def of_three(amount: float, turned: bool) -> str:
    order = ("low", "mid", "high")
    place = (amount >= 46) + (amount >= 54)
    return order[2 - place if turned else place]


def number(amount: float, turned: bool) -> float:
    return 200 - 2 * amount if turned else 2 * amount


def shares(name: str) -> str:
    return ",".join([name, *("0.8" if one == name else "0.1" for one in CLASSES)])


KINDS: Mapping[str, Kind] = {
    "BinaryClassification": Kind(
        ("said", "probability"), "inference_attribute: said, probability_attribute: probability",
        of_two, lambda said: f"{said},{0.9 if said else 0.1}", DecisionTreeClassifier,
    ),
    "MulticlassClassification": Kind(
        ("said", *CLASSES),
        "inference_attribute: said, class_probability_attributes: {low: low, mid: mid, high: high}",
        of_three, shares, DecisionTreeClassifier,
    ),
    "Regression": Kind(
        ("predicted",), "inference_attribute: predicted", number, str, DecisionTreeRegressor
    ),
}  # fmt: skip
every_type = pytest.mark.parametrize("problem_type", KINDS)


def write(home: Path, problem_type: str, rows: int = 500) -> Site:
    """A reference, and one hour after the world has turned round in region a."""
    kind, random = KINDS[problem_type], Random(7)
    home.mkdir()
    section = f"problem_type: {problem_type}, {kind.section}, minimum_rows: 20, rule: interval"
    text = ENDPOINT.replace("probability_attribute: probability, minimum_rows: 20, rule: interval", section)
    text = text.replace("output_names: [probability]", f"output_names: [{', '.join(kind.outputs)}]")
    (home / "endpoint.yaml").write_text(text.replace("tests.trained:better", f"{__name__}:learn"))
    people = [(round(random.gauss(50, 9), 2), random.choice("ab")) for _ in range(600)]
    noisy = [other(kind, kind.truth(amount, False), random) for amount, _ in people]
    lines = [
        f"{label},{kind.answer(kind.truth(one[0], False))},{one[0]},{one[1]}"
        for label, one in zip(noisy, people, strict=True)
    ]
    (home / "reference.csv").write_text("\n".join([",".join(["label", *kind.outputs, "amount,region"]), *lines]) + "\n")
    write_hour(home, kind, 0, rows, lambda amount, _: kind.answer(kind.truth(amount, False)))
    return site(home)


def write_hour(home: Path, kind: Kind, hour: int, rows: int, answer: Callable[[float, str], str]) -> None:
    random = Random(hour)
    people = [(round(random.gauss(50, 9), 2), random.choice("ab")) for _ in range(rows)]
    labels = [other(kind, kind.truth(amount, region == "a"), random) for amount, region in people]
    lines = {
        "capture": [captured(hour, at, str(one[0]), one[1], answer(*one)) for at, one in enumerate(people)],
        "labels": [labelled(hour, at, label) for at, label in enumerate(labels)],
    }
    for what, said in lines.items():
        (folder := home / f"{what}/2026/01/01/{hour:02d}").mkdir(parents=True)
        (folder / "part.jsonl").write_text("\n".join(said) + "\n")


def other(kind: Kind, label: Any, random: Random) -> Any:
    """The label, and in one of fifty cases another one; a number has some noise."""
    if isinstance(label, float):
        return round(label + random.gauss(0, 2), 3)
    return kind.truth(random.gauss(50, 9), False) if random.random() < 0.02 else label


def learn(evidence: Mapping[str, Any]) -> str:
    """A training as a user may have it: scikit-learn on the rows that it is given, saved with skops."""
    rows = pd.concat([pd.read_parquet(one["address"]) for one in evidence["windows"]])
    kind = next(one for one in KINDS.values() if {*one.outputs} <= {*rows.columns})
    columns = ColumnTransformer([("amount", "passthrough", ["amount"]), ("region", OrdinalEncoder(), ["region"])])
    model = Pipeline([("columns", columns), ("tree", kind.tree(max_depth=5, min_samples_leaf=5, random_state=0))])
    labels = rows["label"].astype(float) if kind.truth is not of_three else rows["label"]
    model.fit(inputs(rows), labels)
    skops.io.dump(model, f"{evidence['output']}/model.skops")
    return f"{evidence['output']}/model.skops"


def inputs(rows: Any) -> Any:
    return rows[["amount", "region"]].astype({"amount": float, "region": object})


@every_type
def test_a_real_model_is_compared_as_scikit_learn_compares_it_and_promoted(tmp_path: Path, problem_type: str) -> None:
    place, kind = write(tmp_path / "home", problem_type), KINDS[problem_type]
    assert judge(place, HOURS[0]).action == "retrain"
    found = retrain(place, HOURS[0])
    assert [(one.gate, one.outcome) for one in found] == [(gate, "passed") for gate in Gate]
    comparison = ModelComparison.model_validate(found[3].details["comparison"])
    held = read_table(place.store.get(found[3].details["answered"]), "answered.parquet").to_pandas()
    model = skops.io.load(promoting.champion(place).address, trusted=["sklearn.tree._tree.Tree", "numpy.dtype"])  # type: ignore[union-attr]
    former = [kind.truth(amount, False) for amount in held["amount"].astype(float)]
    values = {one.metric: (one.champion, one.challenger) for one in comparison.differences}
    for name, sides in expected(problem_type, held, model, former).items():
        assert values[name] == pytest.approx(sides, abs=1e-9), name
    assert comparison.paired
    assert comparison.deciding.verdict == "better"

    def answered(amount: float, region: str) -> str:
        row = pd.DataFrame({"amount": [amount], "region": [region]})
        if problem_type == "Regression":
            return repr(float(model.predict(row)[0]))
        chances = model.predict_proba(row)[0].tolist()
        return ",".join(map(str, [model.classes_[np.argmax(chances)], *(chances if len(chances) > 2 else chances[1:])]))

    write_hour(tmp_path / "home", kind, 1, 300, answered)
    assert judge(place, HOURS[1]).status == "Completed", "it is judged by a baseline of its own answers"


def expected(problem_type: str, held: Any, model: Any, former: list[Any]) -> dict[str, tuple[float, float]]:
    """The metrics of champion and challenger on the held rows, by scikit-learn."""
    said, frame = model.predict(inputs(held)), inputs(held)
    if problem_type == "Regression":
        label = held["label"].astype(float)
        names = {"mae": sk.mean_absolute_error, "mse": sk.mean_squared_error, "r2": sk.r2_score}
        return {name: (metric(label, former), metric(label, said)) for name, metric in names.items()}
    if problem_type == "BinaryClassification":
        label, score = held["label"].astype(int), model.predict_proba(frame)[:, 1]
        return {
            "accuracy": (sk.accuracy_score(label, former), sk.accuracy_score(label, score > 0.5)),
            "auc": (sk.roc_auc_score(label, former), sk.roc_auc_score(label, score)),
        }
    label, chances = held["label"], np.array([[0.8 if one == name else 0.1 for one in CLASSES] for name in former])
    clipped = model.predict_proba(frame)
    return {
        "accuracy": (sk.accuracy_score(label, former), sk.accuracy_score(label, said)),
        "weighted_f1": (sk.f1_score(label, former, average="weighted"), sk.f1_score(label, said, average="weighted")),
        "brier_score": tuple(
            float(np.square(one - (label.to_numpy()[:, None] == np.array(CLASSES))).sum(axis=1).mean())
            for one in (chances, clipped)
        ),
    }


def sure(frame: Any, turned: bool = True) -> Any:
    """The probabilities of high, low and mid, in another order than the settings have them."""
    said = [of_three(one.amount, turned and one.region == "a") for one in frame.itertuples()]
    return np.array([[0.8 if one == name else 0.1 for one in ("low", "mid", "high")] for name in said])


def same(frame: Any) -> Any:
    """What the champion answers."""
    return sure(frame, turned=False)


def of_four(frame: Any) -> Any:
    """One class too many."""
    return np.full((len(frame), 4), 0.25)


def margins(frame: Any) -> Any:
    """No probabilities."""
    return sure(frame) * 5 - 2


@pytest.mark.parametrize(
    ("name", "outcome", "said"),
    [
        ("sure", "passed", "the challenger is better than the champion: accuracy"),
        ("same", "refused", "It cannot be told yet whether the challenger is better or worse than the champion"),
        ("of_four", "failed", r"answers 4 numbers a row for 3 classes (low, mid, high); it must answer one a class"),
        ("margins", "failed", "answers numbers from -1.5 to 2, which are no probabilities"),
    ],
)
def test_several_classes_are_compared_or_it_is_said_why_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, outcome: str, said: str
) -> None:
    place = write(tmp_path / "home", "MulticlassClassification")
    judge(place, HOURS[0])
    monkeypatch.setattr(f"{__name__}.learn", lambda _: f"python://{__name__}:{name}")
    with suppress(UserError):
        retrain(place, HOURS[0])
    last = [one for one in records(place, EPISODE) if one.gate is Gate.COMPARE][-1]
    assert (last.outcome, said in last.because) == (outcome, True), last.because
    assert len(promoting.moves(place)) == (outcome == "passed")


def test_numbers_need_enough_held_rows_for_an_interval(tmp_path: Path) -> None:
    place = write(tmp_path / "home", "Regression", rows=300)
    judge(place, HOURS[0])
    last = retrain(place, HOURS[0])[-1]
    assert (last.gate, last.outcome) == ("compare", "refused")
    assert last.because.startswith(
        "It cannot be told yet whether the challenger is better or worse than the champion: mae"
    )
    assert "fewer than 200 rows give no deviation" in last.because


@pytest.mark.parametrize(
    ("written", "instead", "said"),
    [
        ("output_names: [said, probability]", "output_names: [said]", "reads probability, which is not among capture"),
        ("monitors:\n", "monitors:\n  bias: {predicted_label: said, facets: [{name: region}]}\n", ""),
        (
            "monitors:\n  model_quality: {problem_type: BinaryClassification, inference_attribute: said, ",
            "monitors:\n  bias: {predicted_label: said, facets: [{name: region}]}\n  model_quality: {",
            "monitors.bias reads said, which no challenger answers",
        ),
    ],
)
def test_what_a_challenger_does_not_answer_is_named_before_anything_is_trained(
    tmp_path: Path, written: str, instead: str, said: str
) -> None:
    write(tmp_path / "home", "BinaryClassification")
    changed = site(tmp_path / "home", lambda text: text.replace(written, instead))
    judge(site(tmp_path / "home"), HOURS[0])
    if not said:
        assert retraining.check_evidence(changed, EPISODE, HOURS[0]).outcome == "passed"
        return
    with pytest.raises(UserError, match=said):
        retraining.check_evidence(changed, EPISODE, HOURS[0])
