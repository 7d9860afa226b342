"""A retraining's record as a page: questions, answers, and nothing that is not text."""

import pytest

from monitor_tasks.gates import Gate, GateRecord, Outcome
from monitor_tasks.pages.retrained import in_short, retraining_page
from tests.pages.test_compared import compared


def record(gate: Gate, outcome: Outcome = "passed", because: str = "so it is", **details: object) -> GateRecord:
    return GateRecord(
        endpoint="churn", episode="000007", gate=gate, outcome=outcome, because=because, by="ada", details=details
    )


@pytest.mark.parametrize(
    ("last", "said"),
    [
        (record(Gate.TRAIN), "train was passed; the next gate has not answered yet."),
        (record(Gate.APPROVE, "refused"), "approve refused, and the champion stays in place."),
        (record(Gate.COMPARE, "failed"), "compare failed, and the champion stays in place."),
        (record(Gate.PROMOTE, because="version 2 is it from T on"), "Version 2 is it from T on."),
    ],
)
def test_it_says_first_how_it_stands(last: GateRecord, said: str) -> None:
    assert in_short([record(Gate.CHECK_EVIDENCE), last]) == said


def test_every_gate_has_its_line_and_the_newest_comparison_is_shown() -> None:
    both = [compared(metric).model_dump(mode="json") for metric in ("log_loss", "auc")]
    known = [*map(record, Gate), *(record(Gate.COMPARE, comparison=one) for one in both)]
    page = retraining_page(known).decode()
    assert page.count('<th scope="row">May it take the champion&#39;s place?</th>') == 3
    assert page.count("Challenger and champion") == 1
    assert "new is better than old: area under the curve (AUC) 0.84 against 0.8" in page


def test_what_others_wrote_is_text() -> None:
    evil = "<script>alert(1)</script>{{ 7 * 7 }}"
    page = retraining_page([record(Gate.TRAIN, "failed", evil)]).decode()
    assert "<script>" not in page
    assert "&lt;script&gt;alert(1)&lt;/script&gt;{{ 7 * 7 }}" in page
    assert "default-src 'none'" in page
