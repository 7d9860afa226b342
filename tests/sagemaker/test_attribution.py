"""Attribution's files: the real analysis.json comes back to the byte, violations in the contract's words."""

import json

import pytest

from monitor_tasks.baseline import Constraint, Metric
from monitor_tasks.report import Finding, State
from monitor_tasks.sagemaker.attribution import GlobalValues, analysis_json, read_analysis, violations_json
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
