"""Estimates in words: what a metric is expected to be, in which band, and whether what was realised lies in it."""

from collections.abc import Iterator
from typing import NamedTuple

from monitor_tasks.pages.numbers import NOTHING, apart_on, sentence
from monitor_tasks.pages.vocabulary import WORDS
from monitor_tasks.report import Estimate, Report

ASSUMED = (
    "Estimates are told from the predictions alone: no label of this window is in them. They hold as long as there is "
    "no concept drift, that is while predictions like these are right as often as they were in the baseline."
)


class Told(NamedTuple):
    """One estimate as a page tells it."""

    what: str
    value: str
    band: str
    realised: str
    """What it was on the rows whose labels have arrived."""
    expected: str
    """What was to be expected of these very rows."""
    grade: str
    because: str


def estimates_of(report: Report) -> list[Told]:
    """The estimates in words; where none could be made, one of them says why."""
    found = [_told(one) for one in report.estimates]
    return found if any(one.value is not None for one in report.estimates) else found[:1]


def sentences(report: Report) -> Iterator[str]:
    """The estimates as sentences, one each."""
    for one in estimates_of(report):
        if one.because:
            yield f"{one.what}: {one.because}"
        else:
            known = f"; {one.realised} was realised where {one.expected} was to be expected: {one.grade}"
            yield f"{one.what} is {one.value} ({one.band}){known if one.grade else ''}"


def grade(estimate: Estimate) -> str:
    """Where the realised value lies; empty until it is known."""
    realised = estimate.realised
    return "" if realised is None else "inside the band" if realised.inside else "outside the band"


def _told(one: Estimate) -> Told:
    line = WORDS.get(one.metric)
    what = f"estimated {line.what if line else one.metric.replace('_', ' ')}"
    if one.value is None:
        return Told(what, NOTHING, NOTHING, NOTHING, NOTHING, "", sentence(one.because))
    value, band = _banded(one.value, one.lower, one.upper)
    if one.realised is None:
        return Told(what, value, band, NOTHING, NOTHING, "", "")
    known = one.realised
    expected = " (".join(_banded(known.expected, known.lower, known.upper))
    realised = f"{apart_on('value', [known.value])[0]} on {known.rows:,} rows"
    return Told(what, value, band, realised, f"{expected})", grade(one), "")


def _banded(value: float, lower: float | None, upper: float | None) -> tuple[str, str]:
    """A value and its band, in digits that tell them apart."""
    if lower is None or upper is None:
        return apart_on("value", [value])[0], "band not known"
    low, middle, high = apart_on("value", [lower, value, upper])
    return middle, f"{low} to {high}"
