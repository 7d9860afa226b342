"""Two models beside each other in words: a verdict that can be read, and what is missing is told."""

from monitor_tasks.exhibit import ModelComparison, ModelDifference
from monitor_tasks.pages.compared import basis_of, shown, verdict_of
from monitor_tasks.pages.report import report_page
from monitor_tasks.report import Report

AUC = ModelDifference(
    metric="auc", champion=0.8, challenger=0.84, difference=0.04, lower=0.01, upper=0.07, deviation=0.015,
    p_value=0.008, verdict="better",
)  # fmt: skip
LOSS = ModelDifference(
    metric="log_loss", champion=0.5, challenger=0.51, more_is_better=False, difference=0.01, lower=-0.02, upper=0.04,
    deviation=0.015, p_value=0.5, p_adjusted=0.9, more_labels=12_345, because="chance may explain it",
)  # fmt: skip
NONE = ModelDifference(metric="recall", champion=None, challenger=1.0, because="champion: no label is 1")


def compared(metric: str = "auc", **more: object) -> ModelComparison:
    usual = {"champion": "old", "challenger": "new", "paired": True, "rows": (900, 900), "metric": metric}
    return ModelComparison.model_validate({**usual, "differences": (AUC, LOSS, NONE), **more})


def test_the_verdict_is_a_sentence_with_the_figures_in_it() -> None:
    assert verdict_of(compared()) == (
        "new is better than old: area under the curve (AUC) 0.84 against 0.8, a difference of +0.04 "
        "(95 % interval +0.01 to +0.07)"
    )
    assert verdict_of(compared("log_loss")) == (
        "It cannot be told yet whether new is better or worse than old: log loss 0.51 against 0.5, a difference of "
        "+0.01 (95 % interval -0.02 to +0.04); chance may explain it; about 12,000 more labels would tell a difference "
        "of this size"
    )
    assert verdict_of(compared("recall")) == (
        "It cannot be told yet whether new is better or worse than old: recall 1 against –, a difference of –; "
        "champion: no label is 1"
    )


def test_what_was_compared_is_told() -> None:
    assert basis_of(compared()) == "Both answered the same 900 labelled requests, which are compared pair by pair"
    assert basis_of(compared(paired=False, rows=(1200, 300), windows=24)) == (
        "1,200 labelled rows of old and 300 of new in 24 windows, each of its own requests"
    )


def test_better_lies_to_the_right_whatever_the_metrics_direction() -> None:
    auc, loss, none = shown(compared()).lines
    assert auc.picture is not None
    assert loss.picture is not None
    assert none.picture is None
    assert 'd="M118 8' in auc.picture.inside  # the mark's left edge, 0.04 of 0.07 right of the middle at 80
    assert 'd="M58 8' in loss.picture.inside  # 0.01 of 0.04 left of it
    assert (auc.chance, loss.chance, none.chance) == ("0.008", "0.9", "–")
    assert [one.decides for one in (auc, loss, none)] == [True, False, False]


def test_names_of_variants_are_text_on_the_page() -> None:
    known = {"endpoint": "e", "monitor": "model_quality", "window": "w", "baseline": "b", "rows": 900, "findings": ()}
    page = report_page(Report(**known, comparison=compared(champion="<script>")), ()).decode()
    assert "<script>" not in page
    assert "new is better than &lt;script&gt;" in page
    assert "Challenger and champion" not in report_page(Report(**known), ()).decode()


def test_what_may_not_be_told_yet_keeps_its_numbers() -> None:
    found = compared().undecided("labels of 3 of 900 predictions have arrived")
    assert {one.verdict for one in found.differences} == {"cannot tell yet"}
    assert found.deciding.difference == 0.04
    assert "labels of 3 of 900 predictions have arrived" in verdict_of(found)
