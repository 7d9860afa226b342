"""constraint_violations.json: SageMaker's words for what our findings say."""

import json

import pytest

from monitor_tasks.baseline import Constraint, Metric
from monitor_tasks.report import Finding, State, judge
from monitor_tasks.sagemaker.violations import Violation, read_violations, violation_of, violations_json
from monitor_tasks.value import UserError
from tests.sagemaker.samples import sample


def _finding(constraint: Constraint, value: float) -> Finding:
    metric = Metric(name=constraint.metric, subject=constraint.subject, value=value, n=1000)
    return judge([metric], [constraint])[0]


def _type_match(column: str, passed: int, cells: int) -> Finding:
    kind = ("Integral",)
    constraint = Constraint(check="data_type_check", metric="type_match", subject=column, lower=1.0, expected=kind)
    return _finding(constraint, passed / cells)


def _ratio_of(description: str) -> tuple[int, int]:
    """The share behind a sentence: 1970 of 1977 cells, as the contract found out."""
    known = {"99.64592817400101%": (1970, 1977), "99.65534219596258%": (2024, 2031), "99.63446475195823%": (1908, 1915)}
    return next((share for text, share in known.items() if text in description), (0, 1915))


def test_the_violations_of_the_churn_run_are_the_same_texts() -> None:
    theirs = json.loads(sample("churn/data_quality_violations.first10.json"))["violations"]
    findings = [_type_match(one["feature_name"], *_ratio_of(one["description"])) for one in theirs]
    assert json.loads(violations_json(findings))["violations"] == theirs


def test_the_sentence_of_the_contract() -> None:
    assert violation_of(_type_match("a", 1970, 1977)).description == (
        "Data type match requirement is not met. Expected data type: Integral, Expected match: 100.0%. "
        "Observed: Only 99.64592817400101% of data is Integral."
    )


@pytest.mark.parametrize(
    ("constraint", "value", "feature", "description"),
    [
        (
            Constraint(check="completeness_check", metric="completeness", subject="a", lower=1.0),
            0.0,
            "a",
            "Value: 0.0 does not meet the constraint requirement! ",
        ),
        (
            Constraint(check="categorical_values_check", metric="domain_share", subject="a", lower=1.0),
            0.009009009009009009,
            "a",
            "Value: 0.009009009009009009 does not meet the constraint requirement! ",
        ),
        (
            Constraint(check="baseline_drift_check", metric="drift_linf", subject="a", upper=0.1),
            0.25,
            "a",
            "Baseline drift distance: 0.25 exceeds threshold: 0.1",
        ),
        (
            Constraint(check="missing_column_check", metric="column_count", lower=9.0),
            8.0,
            "Missing columns",
            "There are missing columns in current dataset. Number of columns in current dataset: 8, "
            "Number of columns in baseline constraints: 9",
        ),
        (
            Constraint(check="extra_column_check", metric="column_count", upper=9.0),
            10.0,
            "Extra columns",
            "There are extra columns in current dataset. Number of columns in current dataset: 10, "
            "Number of columns in baseline constraints: 9",
        ),
        (
            Constraint(check="our_own_check", metric="mmd", subject="a", upper=0.5),
            0.75,
            "a",
            "0.75 is above 0.5",
        ),
    ],
)
def test_every_check_has_its_sentence(constraint: Constraint, value: float, feature: str, description: str) -> None:
    violation = violation_of(_finding(constraint, value))
    assert (violation.feature_name, violation.constraint_check_type) == (feature, constraint.check)
    assert violation.description == description


def test_only_broken_findings_are_written() -> None:
    kept = _type_match("a", 5, 5)
    undecided = Finding(constraint=kept.constraint, metric=None, state=State.UNDECIDED)
    assert violations_json([kept, undecided]) == b'{\n  "violations" : [ ]\n}'


def test_the_drift_of_a_column_of_another_type_is_not_told() -> None:
    drift = Constraint(check="baseline_drift_check", metric="drift_linf", upper=0.1)
    drifts = [_finding(drift.model_copy(update={"subject": name}), 0.5) for name in ("a", "b")]
    told = json.loads(violations_json([_type_match("a", 4, 5), _type_match("b", 5, 5), *drifts]))["violations"]
    assert [(one["feature_name"], one["constraint_check_type"]) for one in told] == [
        *(("a", "data_type_check"), ("b", "baseline_drift_check")),
    ]


def test_a_file_of_2019_is_read_and_written_the_same() -> None:
    text = sample("sdk/constraint_violations.taxi.json")
    violations = read_violations(text, "taxi")
    assert [one.feature_name for one in violations[:2]] == ["store_and_fwd_flag", "fare_amount"]
    assert len(violations) == 7


def test_what_was_written_can_be_read() -> None:
    finding = _type_match("a", 1, 2)
    (read,) = read_violations(violations_json([finding]), "here")
    assert read.model_dump(include={*Violation.model_fields}) == violation_of(finding).model_dump()


def test_a_damaged_file_names_its_address_and_key() -> None:
    with pytest.raises(UserError, match=r"s3://b/violations\.json: .*violations\.0: .*names neither"):
        read_violations(
            b'{"violations": [{"constraint_check_type": "x", "description": ""}]}', "s3://b/violations.json"
        )
