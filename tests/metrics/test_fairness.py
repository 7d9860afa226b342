"""The fairness metrics against formulas on rows, published figures, and what they say where a group lacks something."""

import csv
import json
import math
from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.distance import jensenshannon
from scipy.stats import entropy

from monitor_tasks.metrics.fairness import FAIRNESS
from monitor_tasks.metrics.outcomes import Outcomes

rows = st.lists(st.tuples(*(st.integers(0, 1) for _ in range(3)), st.integers(0, 2)), min_size=1, max_size=60)


def cells(lines: list[tuple[int, int, int, int]]) -> np.ndarray:
    """Rows of (in the group, label, prediction, subgroup) as counts by subgroup, group, label, prediction."""
    counts = np.zeros((3, 2, 2, 2), np.int64)
    for inside, label, predicted, subgroup in lines:
        counts[subgroup, inside, label, predicted] += 1
    return counts


def div(x: float, y: float) -> float:
    return x / y if y else 0.0 if x == 0 else math.copysign(math.inf, x)


def minus(x: float, y: float) -> float:
    return 0.0 if x == y else x - y


def by_rows(lines: list[tuple[int, int, int, int]]) -> dict[str, float]:
    """The contract's formulas, row by row."""
    a, d = ([line for line in lines if line[0] == inside] for inside in (0, 1))

    def n(group, label=None, predicted=None) -> int:
        return sum((label is None or y == label) and (predicted is None or p == predicted) for _, y, p, _ in group)

    def rate(group, top, bottom) -> float:
        return div(n(group, *top), n(group, *bottom))

    def disparity(which: int) -> float:
        total = 0.0
        for subgroup in {line[3] for line in lines}:
            own = [line for line in lines if line[3] == subgroup]
            shares = [
                div(sum(line[0] for line in own if line[which] == outcome), sum(line[which] == outcome for line in own))
                for outcome in (0, 1)
            ]
            total += len(own) / len(lines) * (shares[0] - shares[1])
        return total

    shares = [(n(a, y) / len(a), n(d, y) / len(d)) for y in (0, 1) if n(a, y) and n(d, y)] if a and d else []
    benefits = np.array([p - y + 1 for _, y, p, _ in lines])
    some, other = (None, 1), (None, 0)
    return {
        "CI": (len(a) - len(d)) / len(lines),
        "DPL": minus(rate(a, (1,), ()), rate(d, (1,), ())),
        "KL": sum(x * math.log(x / y) for x, y in shares),
        "JS": sum(x * math.log(2 * x / (x + y)) + y * math.log(2 * y / (x + y)) for x, y in shares) / 2,
        "LP": math.sqrt(sum((x - y) ** 2 for x, y in shares)),
        "TVD": sum(abs(x - y) for x, y in shares) / 2,
        "KS": max((abs(x - y) for x, y in shares), default=0.0),
        "CDDL": disparity(1),
        "CDDPL": disparity(2),
        "AD": div(n(a, 1, 1) + n(a, 0, 0), len(a)) - div(n(d, 1, 1) + n(d, 0, 0), len(d)),
        "DAR": minus(rate(a, (1, 1), some), rate(d, (1, 1), some)),
        "DCA": minus(rate(a, (1,), some), rate(d, (1,), some)),
        "DCR": minus(rate(d, (0,), other), rate(a, (0,), other)),
        "DI": div(rate(d, some, ()), rate(a, some, ())),
        "DPPL": minus(rate(a, some, ()), rate(d, some, ())),
        "DRR": minus(rate(d, (0, 0), other), rate(a, (0, 0), other)),
        "GE": float((np.square(benefits / benefits.mean()) - 1).sum() / (2 * len(lines))) if benefits.any() else 0.0,
        "RD": minus(rate(a, (1, 1), (1,)), rate(d, (1, 1), (1,))),
        "SD": minus(rate(d, (0, 0), (0,)), rate(a, (0, 0), (0,))),
        "TE": minus(div(n(d, 1, 0), n(d, 0, 1)), div(n(a, 1, 0), n(a, 0, 1))),
    }


@settings(max_examples=300)
@given(rows)
def test_every_metric_is_its_formula_on_rows(lines) -> None:
    counts, expected = cells(lines), by_rows(lines)
    for name, metric in FAIRNESS.items():
        own = counts if metric.by_subgroup else counts.sum(axis=0)
        if not metric.undefined(own):
            assert float(metric.of(own)) == pytest.approx(expected[name], abs=1e-12), name


@given(st.lists(rows, min_size=1, max_size=5))
def test_resamples_give_what_each_gives_alone(samples) -> None:
    counts = np.stack([cells(lines) for lines in samples])
    for metric in FAIRNESS.values():
        own = counts if metric.by_subgroup else counts.sum(axis=1)
        np.testing.assert_array_equal(metric.of(own), [float(metric.of(one)) for one in own])


@given(st.tuples(*(st.integers(1, 1000) for _ in range(4))))
def test_divergences_are_those_of_scipy(counts) -> None:
    a, d = np.array(counts[:2]) / sum(counts[:2]), np.array(counts[2:]) / sum(counts[2:])
    both = Outcomes.of(counts[1], 0, 0, counts[0]), Outcomes.of(counts[3], 0, 0, counts[2])
    assert float(FAIRNESS["KL"].function(*both)) == pytest.approx(entropy(a, d), abs=1e-12)
    assert float(FAIRNESS["JS"].function(*both)) == pytest.approx(jensenshannon(a, d) ** 2, abs=1e-12)


GERMAN = {
    "foreign": {
        "CDDL": 0.0329040012335, "CI": -0.926, "DPL": 0.199264685246, "JS": 0.0311855410362, "KL": 0.112552192137,
        "KS": 0.199264685246, "LP": 0.281802820377, "TVD": 0.199264685246,
    },
    "over 40": {
        "CDDL": -0.0601777806494, "CI": 0.452, "DPL": -0.0512758641491, "JS": 0.00160298534232, "KL": 0.0065318840129,
        "KS": 0.0512758641491, "LP": 0.0725150225021, "TVD": 0.0512758641491,
    },
}  # fmt: skip


@pytest.mark.parametrize("group", GERMAN)
def test_the_german_credit_data_give_the_published_figures(shared, group: str) -> None:
    lines = []
    for row in csv.reader((shared / "german-credit/german.csv").read_text().splitlines()):
        inside = row[19] == "A201" if group == "foreign" else int(row[12]) > 40
        lines.append((int(inside), int(row[20] == "1"), 0, ["A151", "A152", "A153"].index(row[14])))
    by_label = cells(lines)
    counts = by_label.sum(axis=-1)[..., np.newaxis] * np.eye(2, dtype=np.int64)
    for name, expected in GERMAN[group].items():
        metric = FAIRNESS[name]
        assert float(metric.of(counts if metric.by_subgroup else counts.sum(axis=0))) == pytest.approx(
            expected, abs=1e-9
        )


# Published by Clarify without its predictions: the only counts that fit the eleven figures (label: 1 of 666 rows).
ADULT = Outcomes.of(86, 36, 57, 277), Outcomes.of(8, 2, 9, 191)


def test_the_adult_data_give_the_published_figures_after_training(shared) -> None:
    analysis = json.loads((shared / "sagemaker/adult/bias_baseline.analysis.json").read_text())
    published = {
        one["name"]: one["value"] for one in analysis["post_training_bias_metrics"]["facets"]["Sex"][0]["metrics"]
    }
    named = [name for name, metric in FAIRNESS.items() if name in published and not metric.by_subgroup]
    labels = Counter()
    for line in (shared / "sagemaker/adult/validation-dataset.jsonl").read_text().splitlines():
        row = json.loads(line)
        labels[row["features"][9], row["label"]] += 1
    for sex, group in ((1, ADULT[0]), (0, ADULT[1])):
        assert (labels[sex, 1], labels[sex, 0]) == (float(group.positives), float(group.negatives))
    assert len([name for name in named if FAIRNESS[name].stage == "post_training"]) == 11
    for name in named:
        assert float(FAIRNESS[name].function(*ADULT)) == pytest.approx(published[name], abs=1e-12), name


def test_a_real_run_of_one_class_of_mistakes_is_reproduced() -> None:
    a, d = Outcomes.of(36, 13, 128, 47), Outcomes.of(2, 0, 78, 30)
    published = {
        "DAR": -0.26530612244897955, "DCA": -36.6530612244898, "DCR": -0.06507936507936507, "GE": 0.9027966400080482,
        "RD": 0.19451219512195123, "SD": 0.21666666666666667, "TE": math.inf,
    }  # fmt: skip
    assert {name: float(FAIRNESS[name].function(a, d)) for name in published} == pytest.approx(published, abs=1e-12)


def test_fairlearns_example_gives_its_figures(shared) -> None:
    case = json.loads((shared / "fairlearn-toy/cases.json").read_text())
    lines = list(zip(case["group"], case["y_true"], case["y_pred"], strict=True))

    def of(group: str) -> Outcomes:
        tally = Counter((y, p) for name, y, p in lines if name == group)
        return Outcomes.of(tally[1, 1], tally[0, 1], tally[1, 0], tally[0, 0])

    a, b, c = map(of, "abc")
    difference, ratio = case["expected"]["difference"], case["expected"]["ratio"]
    for name, (one, other), expected in (
        ("DPPL", (a, b), difference["selection_rate"]),
        ("DI", (a, b), ratio["selection_rate"]),
        ("RD", (b, c), difference["tpr"]),
        ("SD", (a, b), difference["fpr"]),
    ):
        assert float(FAIRNESS[name].function(one, other)) == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize(
    ("lines", "names", "because"),
    [
        ([(0, 1, 1, 0), (0, 0, 0, 0)], {"DPL", "DI", "CI", "CDDL", "AD"}, "the group has no labelled row"),
        ([(1, 1, 1, 0), (1, 0, 0, 0)], {"DPL", "DI", "CI", "CDDL", "AD"}, "no labelled row outside"),
        ([(1, 1, 0, 0), (0, 0, 0, 0)], {"DI", "DPPL", "AD", "GE", "CDDPL"}, "predicted positive"),
        ([(1, 0, 1, 0), (0, 0, 0, 0)], {"DPL", "RD", "AD", "KL", "CDDL"}, "no label is positive"),
        ([(1, 1, 1, 0), (0, 1, 0, 0)], {"CDDL"}, "no label is negative"),
        ([(1, 1, 1, 0), (0, 0, 1, 0)], {"CDDPL"}, "predicted negative"),
        ([(1, 1, 1, 0), (0, 0, 1, 0)], {"KL", "JS", "LP", "TVD", "KS"}, "share no label"),
    ],
)
def test_what_is_undefined_says_why(lines, names, because) -> None:
    for name in names:
        metric = FAIRNESS[name]
        assert because in metric.undefined(cells(lines) if metric.by_subgroup else cells(lines).sum(axis=0)), name


def test_the_table_is_in_the_order_of_the_files() -> None:
    for stage, count in (("post_training", 12), ("pre_training", 8)):
        names = [name for name, metric in FAIRNESS.items() if metric.stage == stage]
        assert names == sorted(names)
        assert len(names) == count
    assert all(f"({name})" in metric.description for name, metric in FAIRNESS.items())
    assert all((metric.function.__doc__ or "").strip() for metric in FAIRNESS.values())


def test_equal_infinities_differ_by_nothing_and_a_lone_one_is_infinite() -> None:
    both, none = Outcomes.of(1, 0, 1, 1), Outcomes.of(1, 1, 1, 1)
    assert float(FAIRNESS["TE"].function(both, both)) == 0.0
    assert float(FAIRNESS["TE"].function(both, none)) == -math.inf
    assert float(FAIRNESS["TE"].function(none, both)) == math.inf
