"""docs/conformance.md: with whom each number and file was compared, and how far the two differ."""

import re
from collections.abc import Mapping, Sequence

from tests.conformance import columns, comparisons, files, predictions, problem_types, rows
from tests.conformance.case import Case
from tests.conformance.unproven import DIFFERENCES, UNPROVEN
from tests.documents import table

INTRODUCTION = """\
# Conformance: who agrees with our numbers

Every metric and every file is compared with somebody who does not share our code: a file that SageMaker wrote, a
library that computes the same from the raw rows, a figure that somebody published, or the contract's formula written
down row by row. This page is written by a test, which makes every comparison anew; it fails where the two differ by
more than is stated, or where the page is not what was measured.

**measured** is the largest difference found: absolute, of numbers beyond 1 in parts of them. It is told in steps
(`1e-12`, `1e-9`, `1e-6`, `1e-3`), so that other machines tell the same. **stated** is what fails the test: `1e-9`
where all digits are known, the last printed digit where few are, `1e-3` for a distance counted on 2,048 bins instead
of rows. `bytes` is equality to the last character.

Published data lies beside the repository; where it is not there, its rows are skipped, and the others are compared.
"""
UNKNOWN = """\
What no sample shows and no document says. The rules are taken from what the open libraries behind SageMaker do, else
from what was inferred; a promise that depends on one of them is not kept by evidence.
"""
DIFFERENT = """\
Where ours is another on purpose, or less.
"""
AGAIN = """\
Write the page anew after a change: `python -m tests.documents`.
"""
SECTIONS: Mapping[str, Sequence[Case]] = {
    "Files of SageMaker": files.CASES,
    "Drift": columns.DRIFT,
    "Cells": columns.CELLS,
    "Rows, texts, predictions and chance": rows.CASES,
    "Model quality": predictions.PERFORMANCE,
    "Model quality, several classes": problem_types.MULTICLASS,
    "Model quality, regression": problem_types.REGRESSION,
    "Champion and challenger": comparisons.COMPARISONS,
    "Fairness": predictions.FAIR,
    "Attribution": predictions.ATTRIBUTED,
    "Sketch": predictions.SKETCH,
}
CASES: Mapping[str, Case] = {case.key: case for cases in SECTIONS.values() for case in cases}
_LINE = re.compile(r"^\| (.*) \| (.*) \| (.*) \| (.*) \| (.*) \|$", re.MULTILINE)


def text(measured: Mapping[str, str] | None = None) -> str:
    """The page, with what was measured by the case's key; measured now where nothing is given."""
    found = {key: case.measured() for key, case in CASES.items()} if measured is None else measured
    head = ("what", "compared with", "on", "measured", "stated")
    parts = [
        f"## {title}\n\n{table(head, [(*case[:3], found.get(case.key, '?'), case.stated) for case in cases])}\n"
        for title, cases in SECTIONS.items()
    ]
    facts = [
        f"## {title}\n\n{says}\n{table(('where', what, 'what we do'), facts)}\n"
        for title, says, what, facts in (
            ("Unproven", UNKNOWN, "what nobody could observe", UNPROVEN),
            ("Known differences", DIFFERENT, "SageMaker and its libraries", DIFFERENCES),
        )
    ]
    return "\n".join([INTRODUCTION, *parts, *facts, AGAIN])


def told(page: str) -> dict[str, str]:
    """What a page says was measured, by the case's key."""
    return {", ".join(cells[:3]): cells[3] for cells in _LINE.findall(page)}
