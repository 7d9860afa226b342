"""The fairness metrics against formulas on rows, published figures, and what they say where a group lacks something."""

import json
import math
from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.distance import jensenshannon
from scipy.stats import entropy

from monitor_tasks.metrics.fairness import FAIRNESS, Chance, chances
from monitor_tasks.metrics.outcomes import Outcomes
from tests.metrics.fairness_by_rows import ADULT, ALL_FRAUD, FRAUD, GERMAN, by_rows, cells, german_credit, value

rows = st.lists(st.tuples(*(st.integers(0, 1) for _ in range(3)), st.integers(0, 2)), min_size=1, max_size=60)


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


@pytest.mark.parametrize("group", GERMAN)
def test_the_german_credit_data_give_the_published_figures(shared, group: str) -> None:
    counts = german_credit(shared / "german-credit/german.csv", group)
    for name, expected in GERMAN[group].items():
        assert value(name, counts) == pytest.approx(expected, abs=1e-9)


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


def test_the_fraud_data_give_the_published_figures_of_a_model_that_predicts_one_class(shared) -> None:
    analysis = json.loads((shared / "sagemaker/fraud/bias_1.analysis.json").read_text())
    for stage, count in (("post_training", 9), ("pre_training", 7)):
        (group,) = analysis[f"{stage}_bias_metrics"]["facets"]["customer_gender_female"]
        published = {one["name"]: one["value"] for one in group["metrics"] if one["name"] in FAIRNESS}
        defined = {name: value for name, value in published.items() if value is not None}
        assert len(defined) == count
        found = {name: float(FAIRNESS[name].function(*FRAUD)) for name in defined}
        if stage == "pre_training":  # that container still compared with the labels of all rows, not with the mean
            every, *sides = (np.array([one.positives, one.negatives]) / one.rows for one in (ALL_FRAUD, *FRAUD))
            found["JS"] = sum(entropy(side, every) for side in sides) / 2
        assert found == pytest.approx(defined, abs=1e-9)


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
    for stage, count in (("post_training", 12), ("pre_training", 8)):  # and the flip test
        names = [name for name, metric in FAIRNESS.items() if metric.stage == stage]
        assert names == sorted(names)
        assert len(names) == count
    clarifys = [metric for metric in FAIRNESS.values() if metric.stage != "further"]
    assert all(f"({metric.name})" in metric.description for metric in clarifys)
    assert len(FAIRNESS) - len(clarifys) == 3
    assert all((metric.function.__doc__ or "").strip() for metric in FAIRNESS.values())


def test_equal_infinities_differ_by_nothing_and_a_lone_one_is_infinite() -> None:
    both, none = Outcomes.of(1, 0, 1, 1), Outcomes.of(1, 1, 1, 1)
    assert float(FAIRNESS["TE"].function(both, both)) == 0.0
    assert float(FAIRNESS["TE"].function(both, none)) == -math.inf
    assert float(FAIRNESS["TE"].function(none, both)) == math.inf


@pytest.mark.parametrize(
    ("name", "a", "d", "because"),
    [
        ("RD", (3, 1, 2, 4), (0, 3, 0, 5), "no row in the group has a positive label"),
        ("SD", (3, 0, 2, 0), (1, 1, 1, 5), "no row outside the group has a negative label"),
        ("DAR", (3, 1, 2, 4), (0, 0, 2, 5), "no row in the group has a positive prediction"),
        ("DRR", (3, 1, 2, 4), (2, 5, 0, 0), "no row in the group has a negative prediction"),
    ],
)
def test_a_rate_of_no_rows_is_zero_as_clarify_has_it_and_strictly_there_is_none(name, a, d, because) -> None:
    counts = [[[a[3], a[1]], [a[2], a[0]]], [[d[3], d[1]], [d[2], d[0]]]]
    metric = FAIRNESS[name]
    assert metric.undefined(counts) == ""
    assert metric.undefined(counts, strict=True) == because
    assert math.isfinite(float(metric.of(counts)))


def test_ours_are_undefined_where_a_rate_has_no_rows() -> None:
    counts = [[[4, 1], [2, 3]], [[5, 3], [0, 0]]]
    for name in ("equal_opportunity_difference", "average_odds_difference"):
        assert FAIRNESS[name].undefined(counts) == "no row in the group has a positive label"


def test_the_interval_of_a_ratio_is_as_wide_on_either_side_of_its_logarithm() -> None:
    """Against the delta method: the variance of the logarithm of a share is (1 - p) / (n p)."""
    found = chances([FAIRNESS["DI"]], [[[2800, 1200], [400, 600]], [[1600, 400], [100, 400]]])["DI"]
    (low, high), value = found.interval, (800 / 2500) / (1800 / 5000)
    spread = math.sqrt((1 - 0.32) / 800 + (1 - 0.36) / 1800)
    assert math.sqrt(low * high) == pytest.approx(value, rel=1e-3)
    assert math.log(high / low) / 6 == pytest.approx(spread, rel=0.15)


def test_what_was_not_met_in_a_small_group_is_not_taken_for_impossible() -> None:
    none_of_thirty = [[[400, 300], [100, 200]], [[20, 0], [10, 0]]]
    found = chances([FAIRNESS["DI"], FAIRNESS["DPPL"]], none_of_thirty)
    low, high = found["DI"].interval
    assert low == 0.0  # what was found
    assert high > 0.2
    assert found["DPPL"].deviation > math.sqrt(0.5 * 0.5 / 1000)  # of the others alone


def test_few_rows_tell_no_chance() -> None:
    assert chances([FAIRNESS["DI"]], [[[20, 10], [5, 9]], [[3, 3], [3, 3]]]) == {"DI": Chance()}
