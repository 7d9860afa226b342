"""docs/expectations.md: which expectation is answered from what, as it was measured against plain GX."""

import re
from collections.abc import Mapping, Sequence

from tests.documents import table
from tests.monitors.expectations.compared import EXPECTATIONS, FIGURES, SORTS, Answer, answers

MARKS = {"profile": "P", "rows": "R", "neither": "E"}
INTRODUCTION = """\
# Great Expectations: what is answered from where

The data is validated with [Great Expectations](https://greatexpectations.io) 1.24, at the price of a profile where
that is possible. One expectation is answered **wholly from the profile or wholly from the rows**, never from both.
The profile answers where it knows exactly what the rows would say; else it refuses, and the rows are asked, all of
them. Without rows, or with a part of them, the expectation is *undecided* and says why: a sample proves no pass.

This page is written by a test, which asks every standard expectation twice on the same rows: of us, and of plain
Great Expectations on a plain pandas frame. The verdict has to be the same and the figures equal, fractions to twelve
digits, since our sums are exact and those of pandas are not: {figures}.
"""
LEGEND = """\
**P**: the profile answered. **R**: the rows were asked. **E**: plain Great Expectations raises an error on pandas
(the expectation is for SQL, or the cells are not JSON), and so do we: the check is *failed*. Empty: not asked, as it
makes no sense of such cells, or takes Great Expectations long. The last column counts the verdicts, which are the
same on both sides.
"""
REST = """\
## Also good to know

- Every `row_condition` needs the rows, whatever the expectation.
- The examples of unexpected cells (`partial_unexpected_list`) are the first in the order of the rows, or the smallest
  where the profile answers.
- Results are stored in `expectations.json`, as two suites: `constraints`, the suggested ones, and `expectations`,
  your own. Each is read by `ExpectationSuiteValidationResult`'s schema of Great Expectations. They carry no time and
  no id: the same rows give the same bytes.
- Nothing is sent anywhere: analytics are off, and a test refuses every connection.

Write the page anew after a change: `python -m tests.documents`.
"""


def text() -> str:
    """The page."""
    by_sort = {sort: {one.kind: one for one in answers(sort)} for sort in SORTS}
    figures = ", ".join(f"`{name}`" for name in FIGURES)
    return "\n".join(
        [
            INTRODUCTION.format(figures=figures),
            "## The columns\n",
            table(["column", "cells"], [[f"**{name}**", sort.what] for name, sort in SORTS.items()]),
            "\n## The expectations\n",
            LEGEND,
            table(["expectation", *SORTS, "kept, broken"], [_line(kind, by_sort) for kind in EXPECTATIONS]),
            f"\n{_summary(by_sort)}\n",
            "## Why the rows are asked\n",
            table(["reason", "expectations"], _reasons(by_sort)),
            "",
            REST,
        ]
    )


def _line(kind: str, by_sort: Mapping[str, Mapping[str, Answer]]) -> Sequence[str]:
    asked = {sort: found[kind] for sort, found in by_sort.items() if kind in found}
    marks = [MARKS[asked[sort].source] if sort in asked else "" for sort in SORTS]
    answered = [one.ours["success"] for one in asked.values() if one.source != "neither"]
    return [f"`{kind}`", *marks, f"{sum(answered)}, {len(answered) - sum(answered)}" if answered else ""]


def _summary(by_sort: Mapping[str, Mapping[str, Answer]]) -> str:
    every = [one for found in by_sort.values() for one in found.values()]
    count = {source: len({one.kind for one in every if one.source == source}) for source in MARKS}
    only = len(EXPECTATIONS) - len({one.kind for one in every if one.source != "neither"})
    return (
        f"{len(EXPECTATIONS)} types, {len(every)} comparisons, all equal. {count['profile']} types are answered from\n"
        f"the profile of some column, {count['rows']} from the rows of some; {only} have no answer on pandas at all."
    )


def _reasons(by_sort: Mapping[str, Mapping[str, Answer]]) -> Sequence[Sequence[str]]:
    found: dict[str, dict[str, None]] = {}
    for answered in by_sort.values():
        for one in answered.values():
            if one.source == "rows":
                found.setdefault(_plain(one.because), {})[one.kind] = None
    return [
        [reason, f"{len(kinds)} types" if len(kinds) > 6 else ", ".join(f"`{kind}`" for kind in sorted(kinds))]
        for reason, kinds in sorted(found.items())
    ]


def _plain(because: str) -> str:
    """The reason without the name of the column."""
    first = because.removeprefix("needs the rows: ").partition("; ")[0]
    return re.sub(r"\d+ numbers", "numbers", first.replace("column 'x'", "the column")).strip()
