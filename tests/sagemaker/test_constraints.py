"""constraints.json: written to the byte, and read with every way to loosen it."""

import json
from typing import Any

import pytest

from monitor_tasks.baseline import Constraint
from monitor_tasks.profiles.sketch import SageMakerBlock
from monitor_tasks.sagemaker.constraints import constraints_json
from monitor_tasks.sagemaker.constraints_reading import read_constraints
from monitor_tasks.value import UserError
from tests.sagemaker.samples import sample, table

GOLDEN = ["sdk/data_quality/constraints.good.json", "sdk/data_quality/constraints.bad.json", "churn/constraints.json"]


def _numeric(column: str, kind: str = "Integral", *, minimum: float = 0.0) -> list[Constraint]:
    lower = 0.0 if minimum >= 0 else None
    data: dict[str, Any] = {"subject": column, "cause": "data"}
    return [
        Constraint(check="data_type_check", metric="type_match", lower=1.0, expected=(kind,), **data),
        Constraint(check="completeness_check", metric="completeness", lower=1.0, **data),
        Constraint(check="non_negative_check", metric="minimum", lower=lower, enabled=False, **data),
        Constraint(check="baseline_drift_check", metric="drift_linf", subject=column, upper=0.1, expected=("Robust",)),
    ]


def _textual(column: str, *domains: str) -> list[Constraint]:
    data: dict[str, Any] = {"subject": column, "cause": "data"}
    return [
        Constraint(check="data_type_check", metric="type_match", lower=1.0, expected=("String",), **data),
        Constraint(check="completeness_check", metric="completeness", lower=0.75, **data),
        Constraint(check="categorical_values_check", metric="domain_share", lower=1.0, expected=domains, **data),
        Constraint(check="baseline_drift_check", metric="drift_linf", subject=column, upper=0.1, expected=("Robust",)),
    ]


def _columns(count: int) -> list[Constraint]:
    return [
        Constraint(check="missing_column_check", metric="column_count", lower=float(count), cause="data"),
        Constraint(check="extra_column_check", metric="column_count", upper=float(count), cause="data"),
    ]


def _changed(constraints: list[Constraint], check: str, **changes: Any) -> list[Constraint]:
    return [one.model_copy(update=changes) if one.check == check else one for one in constraints]


def _again(constraints: list[Constraint]) -> list[Constraint]:
    return list(read_constraints(constraints_json(constraints), "constraints.json"))


def _file(feature: dict[str, Any], **config: Any) -> bytes:
    numeric = {
        "name": "a",
        "inferred_type": "Integral",
        "completeness": 1.0,
        "num_constraints": {"is_non_negative": True},
    }
    return json.dumps({"features": [{**numeric, **feature}], "monitoring_config": config}).encode()


def _by_check(text: bytes) -> dict[str, Constraint]:
    return {constraint.check: constraint for constraint in read_constraints(text, "constraints.json")}


def test_constraints_of_the_sdk_sample_are_the_same_bytes() -> None:
    block = SageMakerBlock.of(table("sdk/data_quality/baseline_dataset.csv", header=False))
    suggested = [one for name, column in block.columns.items() for one in _numeric(name, column.inferred_type)]
    assert constraints_json([*suggested, *_columns(6)]) == sample("sdk/data_quality/constraints.good.json")


def test_constraints_of_the_churn_table_are_the_same_bytes() -> None:
    block = SageMakerBlock.of(table("churn/training-dataset-with-header.csv", header=True))
    suggested = [one for name, column in block.columns.items() for one in _numeric(name, column.inferred_type)]
    assert len(block.columns) == 70
    assert constraints_json(suggested) == sample("churn/constraints.json").rstrip(b"\n")


@pytest.mark.parametrize("name", GOLDEN)
def test_a_real_file_read_and_written_is_the_same(name: str) -> None:
    text = sample(name)
    assert constraints_json(read_constraints(text, name)) == text.rstrip(b"\n")


def test_the_edited_sample_expects_text_in_its_last_column() -> None:
    constraints = read_constraints(sample("sdk/data_quality/constraints.bad.json"), "bad")
    kinds = [one.expected for one in constraints if one.check == "data_type_check"]
    assert kinds == [("Fractional",)] * 5 + [("String",)]


def test_the_form_of_text_columns() -> None:
    assert json.loads(constraints_json(_textual("s", "x", "y")))["features"] == [
        {
            "name": "s",
            "inferred_type": "String",
            "completeness": 0.75,
            "string_constraints": {"domains": ["x", "y"]},
        }
    ]


def test_features_are_in_the_order_of_the_type_checks() -> None:
    mixed = [_numeric("b")[3], *_columns(2), _numeric("b")[1], *_numeric("z"), _numeric("b")[0]]
    assert [feature["name"] for feature in json.loads(constraints_json(mixed))["features"]] == ["z", "b"]


def test_nothing_at_all_is_a_file_too() -> None:
    assert [one.lower for one in read_constraints(constraints_json([]), "constraints.json")] == [0.0, None]


CHI_SQUARED = {
    "expected": ("Robust", "ChiSquared"),
    "enabled": False,
    "reason": "ChiSquared is not computed: what SageMaker compares with the threshold is not documented",
}
MIXED = [*_numeric("a"), *_numeric("b", "Fractional", minimum=-1.0), *_textual("s", "x", "y"), *_columns(3)]


@pytest.mark.parametrize(
    "constraints",
    [
        MIXED,
        [one.model_copy(update={"enabled": False}) for one in MIXED],
        _changed(MIXED, "data_type_check", lower=0.95),
        _changed(MIXED, "categorical_values_check", lower=0.5),
        _changed(MIXED, "baseline_drift_check", upper=0.3),
        _changed(MIXED, "baseline_drift_check", expected=("Simple",)),
        _changed(MIXED, "baseline_drift_check", enabled=False),
        [one.model_copy(update={"enabled": False}) if one.subject == "a" else one for one in MIXED],
        [*_changed(_numeric("a"), "data_type_check", lower=0.9), *MIXED[4:]],
        [*_changed(_numeric("a"), "baseline_drift_check", upper=0.4, expected=("Simple",)), *MIXED[4:]],
        [*_changed(_numeric("a"), "baseline_drift_check", enabled=False), *MIXED[4:]],
        [*MIXED[:8], *_changed(_textual("s", "x"), "baseline_drift_check", upper=0.0), *_columns(3)],
        [*MIXED[:8], *_changed(_textual("s", "x"), "baseline_drift_check", **CHI_SQUARED), *_columns(3)],
        [*_textual("s", "x"), *_changed(_textual("t"), "baseline_drift_check", upper=0.2), *_columns(2)],
    ],
)
def test_constraints_survive_sagemakers_file(constraints: list[Constraint]) -> None:
    assert {one.key: one for one in _again(constraints)} == {one.key: one for one in constraints}
    assert constraints_json(_again(constraints)) == constraints_json(constraints)


def test_a_check_disabled_alone_cannot_be_broken_afterwards() -> None:
    constraints = _changed(_numeric("a") + _numeric("b"), "completeness_check", enabled=False)
    read = {one.key: one for one in _again(constraints)}
    assert read["completeness_check:completeness:a"].lower == 0.0


def test_a_number_without_a_drift_check_is_not_compared() -> None:
    read = {one.key: one for one in _again([*_numeric("a")[:3], *_numeric("b"), *_columns(2)])}
    assert not read["baseline_drift_check:drift_linf:a"].enabled
    assert read["baseline_drift_check:drift_linf:b"].enabled


def test_columns_of_many_texts_and_unknown_ones_are_not_compared() -> None:
    for kind in ("String", "Unknown"):
        assert "baseline_drift_check" not in _by_check(_file({"inferred_type": kind}))


def test_the_common_configuration_is_honoured() -> None:
    distribution = {"perform_comparison": "Disabled", "comparison_threshold": 0.25, "comparison_method": "Simple"}
    read = _by_check(_file({}, datatype_check_threshold=0.9, distribution_constraints=distribution))
    assert read["data_type_check"].lower == 0.9
    drift = read["baseline_drift_check"]
    assert (drift.upper, drift.expected, drift.enabled, drift.cause) == (0.25, ("Simple",), False, "world")


def test_a_file_without_configuration_has_the_generated_one() -> None:
    read = _by_check(b'{"features": [{"name": "a", "inferred_type": "Integral"}]}')
    assert sorted(read) == ["baseline_drift_check", "data_type_check", "extra_column_check", "missing_column_check"]
    assert (read["data_type_check"].lower, read["baseline_drift_check"].upper) == (1.0, 0.1)


def test_categories_have_a_threshold_of_their_own_and_fall_back() -> None:
    feature = {"inferred_type": "String", "string_constraints": {"domains": ["x"]}}
    own = _by_check(
        _file(
            feature,
            domain_content_threshold=0.5,
            distribution_constraints={
                "comparison_threshold": 0.2,
                "categorical_comparison_threshold": 0.7,
                "categorical_drift_method": "ChiSquared",
            },
        )
    )
    assert (own["categorical_values_check"].lower, own["categorical_values_check"].expected) == (0.5, ("x",))
    assert (own["baseline_drift_check"].upper, own["baseline_drift_check"].expected) == (0.7, ("Robust", "ChiSquared"))
    assert not own["baseline_drift_check"].enabled
    assert (
        _by_check(_file(feature, distribution_constraints={"comparison_threshold": 0.2}))["baseline_drift_check"].upper
        == 0.2
    )


def test_evaluation_disabled_for_all_disables_all() -> None:
    assert not any(one.enabled for one in read_constraints(_file({}, evaluate_constraints="Disabled"), "here"))


@pytest.mark.parametrize(
    "spelling",
    [
        lambda part: {"monitoring_config_overrides": part},
        lambda part: {"monitoringConfigOverrides": part},
        lambda part: {"string_constraints": {"monitoring_config_overrides": part}},
    ],
)
def test_a_feature_overrides_in_three_spellings(spelling: Any) -> None:
    read = _by_check(_file(spelling({"evaluate_constraints": "Disabled"})))
    assert {check for check, one in read.items() if one.enabled} == {"missing_column_check", "extra_column_check"}
    loose = _by_check(_file(spelling({"distribution_constraints": {"comparison_threshold": 0.5}})))
    assert (loose["baseline_drift_check"].upper, loose["baseline_drift_check"].expected) == (0.5, ("Robust",))


def test_the_documentations_names_of_the_methods_are_understood() -> None:
    read = _by_check(_file({}, distribution_constraints={"comparison_method": "linf_simple"}))
    assert read["baseline_drift_check"].expected == ("Simple",)


@pytest.mark.parametrize(
    ("text", "key"),
    [
        (b"{", r"\(whole file\)"),
        (b'{"regression_constraints": {}}', "features: Field required"),
        (b'{"features": [{"name": "a"}]}', r"features\.0\.inferred_type: Field required"),
        (_file({}, evaluate_constraints="yes"), r"monitoring_config\.evaluate_constraints"),
        (_file({"monitoring_config_overrides": {"distribution_constraints": 1}}), "distribution_constraints"),
        (_file({}, distribution_constraints={"comparison_method": ["x"]}), "comparison_method"),
        (_file({"monitoring_config_overrides": {"datatype_check_threshold": "x"}}), "datatype_check_threshold"),
    ],
)
def test_a_damaged_file_names_its_address_and_key(text: bytes, key: str) -> None:
    with pytest.raises(UserError, match=rf"s3://b/constraints\.json: .*{key}"):
        read_constraints(text, "s3://b/constraints.json")
