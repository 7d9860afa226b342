"""Attribution's files: the real analysis.json comes back to the byte, violations in the contract's words."""

import json

import pytest

from monitor_tasks.baseline import Constraint, Metric
from monitor_tasks.report import Finding, State
from monitor_tasks.sagemaker.attribution import (
    GlobalValues,
    analysis_json,
    baseline_csv,
    local_values_csv,
    read_analysis,
    read_constraints,
    violations_json,
)
from monitor_tasks.value import UserError
from tests.sagemaker.samples import sample

GOLDEN = ["adult/attribution_baseline.analysis.json", "adult/full_explainability.analysis.json"]
CHECK = "feature_attribution_drift_check"


def statistics(label: str, known: GlobalValues) -> list[Metric]:
    drivers = [Metric(name="mean_abs_shap", subject=f, value=v, n=9) for f, v in known.global_shap_values.items()]
    return [*drivers, Metric(name="expected_value", subject=label, value=known.expected_value, n=9)]


def finding(value: float, state: State) -> Finding:
    constraint = Constraint(check=CHECK, metric="shap", subject="label0", lower=0.9)
    return Finding(constraint=constraint, metric=Metric(name="shap", subject="label0", value=value, n=9), state=state)


@pytest.mark.parametrize("name", GOLDEN)
def test_a_real_analysis_comes_back_to_the_byte(name: str) -> None:
    text = sample(name)
    ((label, known),) = read_analysis(text, name).items()
    metrics = statistics(label, known)
    assert label == "label0"
    assert analysis_json(metrics) == text
    assert analysis_json(sorted(metrics, key=lambda one: one.subject), list(known.global_shap_values)) == text


def test_45_features_are_read_in_the_files_order() -> None:
    known = read_analysis(sample("fraud/explainability.analysis.json"), "analysis.json")["label0"]
    assert len(known.global_shap_values) == 45
    assert next(iter(known.global_shap_values)) == "vehicle_claim"


def test_any_label_is_read_and_undefined_values_are_null() -> None:
    known = {"0.7956": GlobalValues(global_shap_values={"é": None}, expected_value=None)}
    text = analysis_json(statistics("0.7956", known["0.7956"]))
    assert json.loads(text)["explanations"]["kernel_shap"]["0.7956"]["global_shap_values"] == {"é": None}
    assert read_analysis(text, "analysis.json") == known


@pytest.mark.parametrize("text", [b"{}", b"[]", b"", b'{"explanations": {"kernel_shap": {}}}', b'{"explanations": 1}'])
def test_a_file_that_is_none_is_named(text: bytes) -> None:
    with pytest.raises(UserError, match=r"s3://b/analysis.json: not a readable analysis.json of feature attribution"):
        read_analysis(text, "s3://b/analysis.json")


def test_violations_in_the_words_of_the_contract() -> None:
    text = violations_json([finding(0.76, State.BROKEN), finding(0.95, State.KEPT)])
    assert text is not None
    assert json.loads(text) == {
        "version": "1.0",
        "violations": [
            {
                "label": "label0",
                "metric_name": "shap",
                "constraint_check_type": CHECK,
                "description": "Feature attribution drift 0.76 exceeds threshold 0.9",
            }
        ],
    }
    assert text.startswith(b'{\n    "version": "1.0",\n    "violations": [\n        {\n            "label": "label0",')


def test_no_violation_is_no_file() -> None:
    assert violations_json([finding(0.95, State.KEPT), finding(0.5, State.UNDECIDED)]) is None
    assert violations_json([]) is None


def test_several_labels_stand_beside_each_other() -> None:
    metrics = [
        *(Metric(name="mean_abs_shap", subject=feature, value=value, n=9, details={"label": label})
          for label, feature, value in (("no", "a", 0.5), ("no", "b", 0.1), ("yes", "a", 0.2), ("yes", "b", 0.3))),
        *(Metric(name="expected_value", subject=label, value=0.5, n=9) for label in ("no", "yes")),
    ]  # fmt: skip
    found = read_analysis(analysis_json(metrics, ["b", "a"]), "analysis.json")
    assert {label: dict(one.global_shap_values) for label, one in found.items()} == {
        "no": {"b": 0.1, "a": 0.5},
        "yes": {"b": 0.3, "a": 0.2},
    }


def test_an_analysis_is_a_baselines_constraints() -> None:
    (constraint,) = read_constraints(sample(GOLDEN[0]), "analysis.json")
    assert (constraint.check, constraint.metric, constraint.subject) == (CHECK, "shap", "label0")
    assert (constraint.lower, constraint.cause) == (0.9, "world")
    assert "14 features in Clarify's analysis.json" in constraint.reason


def test_local_values_and_the_baseline_are_tables_without_formulas() -> None:
    text = local_values_csv(["a", "=b"], ["no", "yes"], [(1.0, -2.0, 3.0, 4.0)])
    assert text == b"a_no,'=b_no,a_yes,'=b_yes\n1.0,-2.0,3.0,4.0\n"
    known = json.dumps({"names": ["a", "kind"], "rows": [[-1.5, "@x"], [None, "y"]], "weights": [0.5, 0.5]})
    assert baseline_csv(known) == b"a,kind\n-1.5,'@x\n,y\n"
