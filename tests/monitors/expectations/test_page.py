"""Every standard expectation is answered as plain Great Expectations answers it, and the page says from what."""

from pathlib import Path

import pytest

from monitor_tasks.monitors.expectations.engine import library
from tests.monitors.expectations import page
from tests.monitors.expectations.compared import EXPECTATIONS, SORTS, answers


@pytest.mark.parametrize("sort", SORTS)
def test_verdicts_and_figures_are_those_of_plain_great_expectations_on_pandas(sort: str) -> None:
    assert [one for one in answers(sort) if not one.agree] == []


def test_every_expectation_that_great_expectations_brings_is_compared() -> None:
    library()
    from great_expectations.expectations.registry import list_registered_expectation_implementations

    assert {*list_registered_expectation_implementations()} - {"expect_metric_to_be_between"} == {*EXPECTATIONS}


def test_at_least_25_types_are_answered_from_the_profile_with_both_verdicts() -> None:
    found = [one for sort in SORTS for one in answers(sort) if one.source == "profile"]
    verdicts = {(one.kind, one.ours["success"]) for one in found}
    assert len({kind for kind, kept in verdicts if (kind, not kept) in verdicts}) >= 25


def test_the_committed_page_is_the_one_that_is_measured(repository: Path) -> None:
    assert (repository / "docs/expectations.md").read_text() == page.text()
