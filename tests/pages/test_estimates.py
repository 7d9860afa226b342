"""Estimates in words: clearly estimates, with their band, their grade or the reason why there is none."""

from monitor_tasks.pages.estimates import ASSUMED, sentences
from monitor_tasks.pages.report import report_page
from monitor_tasks.report import Estimate, Realised, Report

WAITING = Estimate(name="estimated_accuracy", value=0.83, lower=0.80, upper=0.86, rows=1500)
OUTSIDE = WAITING.model_copy(
    update={"realised": Realised(value=0.70, rows=300, expected=0.82, lower=0.78, upper=0.86), "name": "estimated_auc"}
)
UNKNOWN = Estimate(name="estimated_mae", value=None, rows=0, because="there is no usable prediction")


def report(*estimates: Estimate) -> Report:
    return Report(
        endpoint="tiny", monitor="model_quality", window="", baseline="id", rows=1500, findings=(), estimates=estimates
    )  # fmt: skip


def test_an_estimate_is_told_with_its_band_and_its_grade() -> None:
    assert list(sentences(report(WAITING, OUTSIDE, UNKNOWN))) == [
        "estimated accuracy is 0.83 (0.8 to 0.86)",
        "estimated area under the curve (AUC) is 0.83 (0.8 to 0.86); 0.7 on 300 rows was realised where "
        "0.82 (0.78 to 0.86) was to be expected: outside the band",
        "estimated mae: there is no usable prediction",
    ]


def test_where_none_could_be_made_one_says_why() -> None:
    assert len(list(sentences(report(UNKNOWN, UNKNOWN)))) == 1
    assert list(sentences(report())) == []


def test_the_page_tells_what_is_assumed_and_shows_nothing_that_was_not_asked_for() -> None:
    page = report_page(report(WAITING, OUTSIDE), ()).decode()
    assert ASSUMED in page
    assert page.count("outside the band") == page.count("no label yet, or too few") == 1
    assert "Estimated" not in report_page(report(), ()).decode()


def test_a_value_on_the_edge_of_the_band_is_inside() -> None:
    known = OUTSIDE.realised
    assert known
    assert not known.inside
    assert known.model_copy(update={"value": 0.78}).inside
