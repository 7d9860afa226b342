"""Every number is compared with somebody else's, and docs/conformance.md tells what came out."""

import json
from pathlib import Path

import pytest

from benchmarks.measure import NotMeasured
from monitor_tasks.metrics.drift import METHODS
from monitor_tasks.metrics.fairness import FAIRNESS
from monitor_tasks.monitors.model_quality import PROBLEMS
from tests.conformance import clarify
from tests.conformance.case import BYTES, Case
from tests.conformance.page import CASES, SECTIONS, text, told


@pytest.mark.parametrize("key", CASES)
def test_it_differs_by_no_more_than_is_stated_and_the_page_says_so(repository: Path, key: str) -> None:
    case = CASES[key]
    found = case.measured()
    assert case.agrees(found), f"{key}: {found}, stated {case.stated}"
    assert told((repository / "docs/conformance.md").read_text())[key] == found


def test_the_committed_page_is_the_one_of_the_code(repository: Path) -> None:
    page = (repository / "docs/conformance.md").read_text()
    assert page == text(told(page))
    assert "| ? |" not in page


def test_every_metric_of_the_menus_has_a_row() -> None:
    further = PROBLEMS["BinaryClassification"].further.keys() - {"label_drift"}  # of classes, as below
    several, numbers = (
        {*PROBLEMS[one].constrained, *PROBLEMS[one].further} for one in ("MulticlassClassification", "Regression")
    )
    for title, menu in (
        ("Drift", METHODS),
        ("Fairness", {*FAIRNESS, "FT"}),
        ("Model quality", {*PROBLEMS["BinaryClassification"].constrained, *further}),
        ("Model quality, several classes", several),
        ("Model quality, regression", numbers),
    ):
        assert {*menu} - {case.name.strip("`") for case in SECTIONS[title]} == set(), title


def test_rows_are_told_apart() -> None:
    assert len(CASES) == sum(map(len, SECTIONS.values()))


@pytest.mark.parametrize(
    ("pairs", "stated", "found", "agrees"),
    [
        ([(1.0, 1.0), (0.5, 0.5 + 1e-7)], "< 1e-9", "< 1e-6", False),
        ([(1e9, 1e9 + 0.5)], "< 1e-9", "< 1e-9", True),
        ([(1.0, 1.5)], "< 1e-3", "0.3", False),
        ([(None, 0.0)], "< 1e-3", "inf", False),
        ([(float("inf"), float("inf")), (None, None)], "< 1e-9", "< 1e-12", True),
        ([(float("nan"), 1.0)], "< 1e-9", "nan", False),
        ([(b"a", b"a"), (b"a", b"b")], BYTES, "other bytes", False),
        ([(b"a", b"a")], BYTES, BYTES, True),
    ],
)
def test_what_differs_is_told(pairs: list[tuple[object, object]], stated: str, found: str, agrees: bool) -> None:
    case = Case("one", "another", "made up", lambda: pairs, stated)
    assert case.measured() == found
    assert case.agrees(found) is agrees


def test_nothing_compared_is_no_agreement() -> None:
    with pytest.raises(AssertionError, match="nothing is compared"):
        Case("one", "another", "made up", list).measured()


@pytest.mark.long
def test_clarifys_library_says_of_the_tables_what_is_kept() -> None:
    """Asked anew, in an environment of its own; skipped where it cannot be installed."""
    try:
        answers = clarify.asked()
    except NotMeasured as why:
        pytest.skip(f"smclarify: {why}")
    kept = json.loads(clarify.ANSWERS.read_text())
    assert [list(one) for one in answers] == [list(one) for one in kept]
    for name in ("FT", *(one for one, metric in FAIRNESS.items() if metric.stage != "further")):
        case = Case(name, "smclarify", "anew", lambda n=name: clarify.pairs(n, answers))
        assert case.agrees(case.measured()), name
