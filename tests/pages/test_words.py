"""The words of a finding: every check and every detail of a metric in plain words; unknown ones still read well."""

from typing import Any

import pytest

from monitor_tasks.baseline import Constraint, Metric
from monitor_tasks.metrics.drift import METHODS
from monitor_tasks.metrics.multivariate import MULTIVARIATE
from monitor_tasks.monitors.data_quality.measures import MEASURES
from monitor_tasks.monitors.data_quality.rules import COLUMN_RULES, TABLE_RULES
from monitor_tasks.pages.evidence import evidence, false_alarms
from monitor_tasks.pages.vocabulary import WORDS, word
from monitor_tasks.pages.words import LOOK_AT, seen_in, told, value_and_bound, why_undecided
from monitor_tasks.report import Finding, State, judge

SIDES = {"n_baseline": 6000}


def found(name: str, value: float | None, check: str = "", n: int = 1650, **more: Any) -> Finding:
    """A judged metric; what begins with a bound's name goes to the constraint, details and deviation to the metric."""
    known = {key: more.pop(key) for key in ("details", "deviation", "because") if key in more}
    constraint = Constraint(check=check or f"{name}_check", metric=name, subject="age", **more)
    return judge([Metric(name=name, subject="age", value=value, n=n, **known)], [constraint])[0]


def sure(finding: Finding) -> str:
    assert finding.metric is not None
    return evidence(word(finding.constraint, finding.metric), finding.metric, finding.constraint)


@pytest.mark.parametrize(
    ("finding", "sentence"),
    [
        (found("column_count", 13, upper=12), "the rows have 13 columns"),
        (found("completeness", 0.6, lower=0.98), "60 % of the cells are filled; 660 of 1,650 cells are missing"),
        (
            found("type_match", 0.9, lower=1, expected=("Integral",)),
            "90 % of the cells are Integral; 165 of 1,650 cells are not",
        ),
        (
            found("domain_share", 0.9915, lower=1, expected=("a", "b")),
            "99.2 % of the cells have a value that the baseline knows; 14 of 1,650 cells do not",
        ),
        (found("minimum", -24044.6, lower=0), "the smallest number is -24,045"),
        (found("maximum", 214, upper=85), "the largest number is 214"),
        (found("different_values", 1, lower=2), "it has the same value in every cell"),
        (found("different_values", 7, lower=20), "it has 7 different values"),
        (
            found("format_share", 0.8, lower=1, expected=("date", "email_address")),
            "80 % of the texts are written as date or email address; 330 of 1,650 texts are not",
        ),
        (
            found("encoding_share", 0.888, lower=1),
            "88.8 % of the texts are sound; 185 of 1,650 texts have damaged characters",
        ),
        (
            found("class_balance", 0.155, lower=0.5, details={"class": "yes", "share": 0.032, "share_baseline": 0.207}),
            "the class yes has 3.2 % of the rows, 20.7 % in the baseline: 15.5 % of its share is left",
        ),
        (found("duplicate_rows", 0.09, upper=0.01), "9 % of the rows repeat another"),
        (
            found(
                "correlation_shift", 1.3, upper=0.2, details={"column": "debt", "correlation": -0.6, "reference": 0.7}
            ),
            "its rank correlation with debt was 0.7 and is -0.6: a change of 1.3",
        ),
        (found("drift_linf", 0.13, upper=0.1), "its distribution lies 0.13 from the baseline's, as SageMaker measures"),
        (found("drift_l_infinity", 0.13, upper=0.1), "its distribution differs by up to 0.13 from the baseline's"),
        (found("drift_ks", 0.18, upper=0.1), "its cumulative distribution differs by up to 0.18 from the baseline's"),
        (found("drift_psi", 0.2154, upper=0.2), "population stability index 0.2154"),
        (found("drift_jensen_shannon", 0.2, upper=0.1), "Jensen-Shannon distance 0.2, where 1 is nothing in common"),
        (found("drift_kullback_leibler", 0.2, upper=0.1), "Kullback-Leibler divergence 0.2 nats"),
        (found("drift_hellinger", 0.2, upper=0.1), "Hellinger distance 0.2, where 1 is nothing in common"),
        (found("drift_wasserstein", 0.54, upper=0.1), "its numbers lie 0.54 standard deviations of the baseline from"),
        (found("drift_chi_square", 2e-55, lower=0.05), "chance alone does that with probability below 0.0001"),
        (found("drift_chi_square", 0.0451, lower=0.05), "chance alone does that with probability 0.0451"),
        (found("drift_cramers_v", 0.3, upper=0.1), "Cramér's V 0.3, where 1 is the most"),
        (
            found("drift_mean_shift", -1.137, lower=-0.2, upper=0.2, details={"direction": "down"}),
            "its mean has moved down: -1.137 standard deviations of the baseline",
        ),
        (
            found("drift_variance_shift", 0.8075, lower=-0.4, upper=0.4),
            "its variance is 2.242 times the baseline's, in natural logarithms 0.8075",
        ),
        (found("drift_variance_shift", 1e9, upper=0.4), "its variance is – times the baseline's"),
        (found("drift_mmd", 0.003, lower=0.01), "the rows as a whole have changed; chance alone does that with"),
        (found("drift_domain_classifier", 0.9986, upper=0.55), "its area under the curve is 0.9986, where 0.5 is a"),
        (found("shap", 0.7, lower=0.9), "the ranking of the features agrees with the baseline's by 0.7"),
        (found("auc", 0.7, lower=0.9), "area under the curve (AUC) is 0.7"),
        (found("DPL", 0.7, upper=0.1, details={"description": "Difference in Positive Proportions"}), "Proportions is"),
        (found("time_lag", 3.5, upper=1), "time lag is 3.5"),
        (found("drift_time_lag", 3.5, upper=1), "drift (time lag) is 3.5"),
    ],
)  # fmt: skip
def test_what_was_seen_is_a_sentence(finding: Finding, sentence: str) -> None:
    assert finding.state is State.BROKEN
    assert sentence in seen_in(finding)


def test_every_metric_of_data_quality_has_its_words() -> None:
    assert MEASURES.keys() <= WORDS.keys()
    assert {f"drift_{method}" for method in (*METHODS, *MULTIVARIATE)} <= WORDS.keys()
    assert all(one.seen != "{what} is {value}" for name, one in WORDS.items() if name in MEASURES)


@pytest.mark.parametrize(
    "check",
    [
        "range_check", "constant_check", "format_check", "encoding_check", "class_balance_check",
        "duplicate_rows_check", "correlation_drift_check", "mmd_drift_check", "domain_classifier_drift_check",
        "data_type_check", "completeness_check", "baseline_drift_check", "missing_column_check", "extra_column_check",
        "categorical_values_check",
    ],
)  # fmt: skip
def test_every_check_says_what_to_look_at(check: str) -> None:
    assert told(found("maximum", 2, check, upper=1)).look_at == LOOK_AT[check]


def test_a_named_drift_leads_to_the_picture_and_an_unknown_check_to_its_source() -> None:
    assert "picture" in told(found("drift_psi", 1, "psi_drift_check", upper=0.2)).look_at
    assert told(found("time_lag", 2, upper=1)).look_at == "the numbers below, and what sends them"


@pytest.mark.parametrize(
    ("finding", "words"),
    [
        (found("drift_psi", 1, details=SIDES), "1,650 cells against 6,000 of the baseline"),
        (found("column_count", 1), "1,650 rows"),
        (found("DPL", 1, details={"rows_in_group": 40, "rows_outside": 1600}), "40 rows in the group, 1,600 outside"),
        (found("shap", 1, n=500, details={"sample_size": 500, "n_baseline": 900}), "500 explained rows against 900 of"),
        (found("drift_psi", 1, details={"p_value": 0.003}), "p = 0.003"),
        (found("drift_psi", 1, details={"p_value": 0.003, "p_adjusted": 0.04}), "p = 0.003, 0.04 adjusted for all"),
        (found("drift_psi", 1, details={"p_value": 1e-9, "p_adjusted": 1e-8}), "p below 0.0001, also when adjusted"),
        (found("drift_psi", 1, details={"p_value": 0.0, "p_adjusted": 0.0}), "p below 0.0001, also when adjusted"),
        (found("drift_ks", 1, details={"effect_size": 0.54}), "effect size 0.54 standard deviations of the baseline"),
        (found("drift_psi", 1, details={"effect_size": 0.3, "category": "x"}), "effect size 0.3 (Cramér's V)"),
        (found("drift_chi_square", 1, details={"effect_size": 0.3}), "effect size 0.3 (Cramér's V)"),
        (found("correlation_shift", 1, details={"effect_size": 0.3}), "Cohen's q 0.3"),
        (found("drift_mmd", 1, details={"effect_size": 1.8, "bandwidth": 2.5}), "kernel width 2.5"),
        (found("drift_ks", 1, details={"direction": "up"}), "the mean went up"),
        (found("drift_ks", 1, details={"direction": "none"}), "the mean stayed"),
        (found("drift_psi", 1, details={"direction": "down", "category": "basic"}), "most of all 'basic' went down"),
        (found("drift_linf", 0.1, details={"distance": 0.18}, expected=("Robust",)), "0.18 before chance is taken off"),
        (found("drift_wasserstein", 1, details={"distance": 6.3, "distance_error": 0.2}), "6.3 in the column's own"),
        (found("drift_wasserstein", 1, details={"distance_error": 0.2}), "the bins make that uncertain by at most 0.2"),
        (
            found("drift_variance_shift", 1, details={"interval_lower": 0.5, "interval_upper": 1.5}),
            "95 % interval 0.5 to 1.5, if the numbers are normal",
        ),
        (found("drift_domain_classifier", 1, details={"drivers": "debt 0.3"}), "told apart by debt 0.3"),
        (
            found("drift_chi_square", 1, details={"statistic": 282.64, "degrees_of_freedom": 9}),
            "test statistic 282.6; 9 degrees of freedom",
        ),
        (found("auc", 1, details={"unknown_labels": 4}), "4 labels are neither 0 nor 1 and left out"),
        (found("auc", 1, details={"unusable_predictions": 1234}), "1,234 predictions cannot be used"),
        (found("auc", 1, details={"error": 0.001}), "uncertain by at most 0.001"),
        (found("lag", 1, details={"slowest_column": "a_b", "hours_behind": 2.25}), "slowest column a_b; hours behind"),
        (found("completeness", 0.6, deviation=0.0), "chance explains none of it"),
        (found("recall", 0.5, lower=0.9, deviation=0.1), "one standard deviation by chance is 0.1; the value lies 4"),
        (
            found("class_balance", 0.2, lower=0.5, deviation=0.05, margin=3.0),
            "one standard deviation by chance is 5.0 %; the bound gives way by 3 of them, 15.0 %; the value lies 6 of",
        ),
    ],
)  # fmt: skip
def test_how_sure_says_every_detail(finding: Finding, words: str) -> None:
    assert words in sure(finding)


def test_what_the_sentence_says_is_not_said_again() -> None:
    shift = found("drift_mean_shift", 0.5, upper=0.2, details={"direction": "up", "effect_size": 0.5})
    assert sure(shift) == "1,650 cells"
    simple = found("drift_linf", 0.18, upper=0.1, details={"distance": 0.18}, expected=("Simple",))
    assert sure(simple) == "1,650 cells"
    pair = {"column": "b", "correlation": 0.1, "reference": 0.9, "direction": "down"}
    assert sure(found("correlation_shift", 0.8, upper=0.2, details=pair)) == "1,650 rows"


@pytest.mark.parametrize(
    ("finding", "value", "bound"),
    [
        (found("completeness", 0.6, lower=0.97933), "60 %", "at least 97.9 %"),
        (found("completeness", 0.9999999, lower=1.0), "99.99999 %", "at least 100 %"),
        (found("drift_mmd", 0.00499, lower=0.005), "0.00499", "at least 0.005"),
        (found("drift_mmd", 1e-30, lower=1e-20), "1e-30", "at least 1e-20"),
        (found("drift_mean_shift", 0.5, lower=-0.2, upper=0.2), "0.5", "-0.2 to 0.2"),
        (found("column_count", 13, lower=12, upper=12), "13", "exactly 12"),
        (found("maximum", 1234567.0, upper=85), "1,234,567", "at most 85"),
        (found("maximum", None, upper=85), "–", "at most 85"),
        (found("maximum", 3.0), "3", "–"),
    ],
)
def test_value_and_bound_stand_on_the_metrics_scale(finding: Finding, value: str, bound: str) -> None:
    assert value_and_bound(finding) == (value, bound)


def test_a_rule_a_reason_and_false_alarms_are_told() -> None:
    rule, *_ = (*COLUMN_RULES, *TABLE_RULES)
    one = told(found("completeness", 0.6, lower=1, rule=rule, reason="0 of 6000 are missing", slices=10, alarms=1))
    assert (one.rule, one.reason) == (rule, "0 of 6000 are missing")
    assert one.false_alarms == "1 of 10 slices of the reference"
    assert false_alarms(Constraint(check="c", metric="m")) == ""


def test_an_expectation_is_told_in_great_expectations_words() -> None:
    constraint = Constraint(check="expectation", metric="expect_column_values_to_be_unique", subject="id")
    metric = Metric(name=constraint.metric, subject="id", value=0.5, n=10)
    broken = Finding(constraint=constraint, metric=metric, state=State.BROKEN, because="5 of 10 are unexpected")
    assert seen_in(broken) == "expect column values to be unique: 5 of 10 are unexpected"
    assert value_and_bound(broken) == ("50 %", "–")


def test_too_few_rows_say_how_many_are_needed() -> None:
    few = found("drift_psi", 0.5, upper=0.2, minimum_rows=3207)
    assert why_undecided(few) == ("not enough data", "1,650 of 3,207 cells")
    undefined = found("maximum", None, because="there are no numbers")
    assert why_undecided(undefined) == ("there are no numbers", "")
    assert why_undecided(judge([], [Constraint(check="c", metric="lag", subject="a")])[0]) == (
        "lag of a was not measured", "",
    )  # fmt: skip


def test_a_text_of_the_data_is_never_read_as_a_template() -> None:
    nasty = {"column": "{value}{n.__class__}", "correlation": 0.1, "reference": 0.2, "{0}": "{}"}
    broken = found("correlation_shift", 0.8, upper=0.2, details=nasty, expected=("{wrong}",))
    assert "with {value}{n.__class__} was 0.2" in seen_in(broken)
    assert "{0} {}" in sure(broken)


def test_an_interval_is_told_in_place_of_the_deviation() -> None:
    sizes = {"rows_in_group": 90, "rows_outside": 400, "rows_sampled": 490, "rows_sampled_from": 5000}
    metric = Metric(name="DI", value=0.5, n=90, deviation=0.1, interval=(0.25, 1.0), details=sizes)
    constraint = Constraint(check="bias_drift_check", metric="DI", subject="sex=0", lower=0.8, margin=3.0)
    line = told(Finding(constraint=constraint, metric=metric, state=State.KEPT))
    assert line.chance == "chance: 0.25 and 1"
    assert line.sure == (
        "90 rows in the group, 400 outside; by chance between 0.25 and 1 (three standard deviations to either side); "
        "a violation is where all of that lies outside the bounds; found in a sample of 490 rows; "
        "the sample is of 5,000 rows that have both outcomes"
    )
