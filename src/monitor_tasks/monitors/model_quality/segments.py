"""The metrics of every segment against the same segment of the baseline, and what a reader must know of segments."""

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import pyarrow as pa

from monitor_tasks.baseline import Baseline, Constraint, Metric
from monitor_tasks.exhibit import Comparison, Pair
from monitor_tasks.metrics.chance import difference_deviation, reach_among
from monitor_tasks.metrics.measured import Measured
from monitor_tasks.metrics.resampling import MINIMUM_ROWS
from monitor_tasks.monitors.model_quality.problem import Problem, View, Worse, column
from monitor_tasks.monitors.settings import ModelQualitySettings
from monitor_tasks.profiles.groups import named
from monitor_tasks.profiles.scores import ScoreProfile
from monitor_tasks.profiles.segments import VALUE_LIMIT, Parts, Segmented, SegmentProfile

LEVEL = 0.01
"""In at most this part of the windows in which nothing changed is any constraint on a segment broken."""
REPLICATES = 200
"""Resamples of a segment's deviation; there are many segments, and its own chance of five percent does no harm."""
TOO_MANY = f"the column has more than {VALUE_LIMIT} different values: name cuts, or a coarser column"
SCORES = 4096
"""How many different scores a segment remembers; past them, steps of [0, 1]."""
NAMED = 8
"""So many values of a column are named in a note."""


class Judged(NamedTuple):
    """What the metrics of segments are read off."""

    problem: Problem
    settings: ModelQualitySettings
    profile: Any
    known: Any = None

    def measured(self, profile: Any, known: Any, names: Collection[str], replicates: int) -> Mapping[str, Measured]:
        """The named metrics of one profile of the problem's kind."""
        return self.problem.measured(View(profile, known, self.settings, replicates), names)


def whole_of(profile: Any) -> Any:
    """The profile of all rows."""
    return profile.whole if isinstance(profile, SegmentProfile) else profile


def of_segment(profile: Any) -> Any:
    """The profile of a segment: there may be many, so that each remembers fewer scores than the whole."""
    return profile.coarser(SCORES) if isinstance(profile, ScoreProfile) else profile


def profiled(rows: pa.Table, settings: ModelQualitySettings, profile: Callable[[pa.Table], Any]) -> SegmentProfile:
    """The profile of rows, there are some, as a whole and by segment.

    Raises:
        UserError: the rows lack a column of the segments.
    """
    segments = (Segmented(one.name, one.cuts) for one in settings.segments)
    cells = {one: column(rows, one.column, "segments") for one in segments}
    return SegmentProfile.of(rows, cells, profile, lambda part: of_segment(profile(part)))


def minimum_rows(settings: ModelQualitySettings) -> int:
    """How many labelled rows a segment needs, here and in the baseline: fewer have no deviation."""
    return max(settings.minimum_rows, MINIMUM_ROWS)


def constraints(
    one: Judged, names: Sequence[str], bound: Callable[[str, Measured], Constraint]
) -> Iterator[Constraint]:
    """One constraint for every metric that is defined on a segment with enough rows.

    All of them give way so far that chance breaks any in one of 100 windows at most: by the more deviations, the more
    constraints there are.
    """
    found = [
        bound(name, measure).model_copy(update={"subject": subject})
        for subject, part in _subjects(one.profile).items()
        if part.judged >= minimum_rows(one.settings)
        for name, measure in one.measured(part, part, names, 0).items()
        if measure.value is not None
    ]
    reach = round(reach_among(len(found), LEVEL), 2)
    chance = f"chance breaks any of {len(found):,} in at most 1 window of {1 / LEVEL:g}"
    told = f"the bound gives way by {reach:g} deviations, so that {chance}"
    for constraint in found:
        yield constraint.model_copy(update={"margin": reach, "reason": f"{constraint.reason}; {told}"})


def metrics(one: Judged, baseline: Sequence[Constraint], drifted: Collection[str]) -> Iterator[Metric]:
    """The metrics that the baseline judges, each with the deviation of its difference from the baseline's.

    `drifted` are those that compare with the baseline by themselves: their deviation is their own.
    """
    asked: dict[str, list[str]] = {}
    for constraint in baseline:
        if constraint.subject:
            asked.setdefault(constraint.subject, []).append(constraint.metric)
    here, there = _subjects(one.profile), _subjects(one.known)
    crowded = {segment.column for segment, parts in one.profile.columns.items() if parts is None}
    empty = one.problem.kind()
    for subject, names in asked.items():
        if crowded and subject not in here and any(subject.startswith(named(column, "")) for column in crowded):
            yield from (Metric(name=name, subject=subject, value=None, n=one.profile.whole.judged, because=TOO_MANY)
                        for name in names)  # fmt: skip
        else:
            yield from _compared(one, subject, (here.get(subject, empty), there.get(subject, empty)), names, drifted)


def _compared(
    one: Judged, subject: str, sides: tuple[Any, Any], names: Sequence[str], drifted: Collection[str]
) -> Iterator[Metric]:
    mine, known = sides
    enough = min(mine.judged, known.judged) >= MINIMUM_ROWS
    replicates, moving = REPLICATES if enough else 0, [name for name in names if name not in drifted]
    found = one.measured(mine, known, names, replicates)
    theirs, both = ((one.measured(side, known, moving, replicates) if enough else {}) for side in (known, mine + known))
    for name in (name for name in names if name in found):
        here, rows = found[name], _rows(found[name], mine)
        deviation = here.deviation
        if name in theirs:
            there = theirs[name]
            deviation = difference_deviation(
                (here.deviation, rows), (there.deviation, _rows(there, known)), both[name].deviation
            )
        details = {"n_baseline": known.judged, **here.details}
        yield Metric(name=name, subject=subject, value=here.value, n=rows, because=here.because,
                     deviation=deviation if enough else None, details=details)  # fmt: skip


def _rows(found: Measured, profile: Any) -> int:
    return int(profile.judged if found.rows is None else found.rows)


def _subjects(profile: SegmentProfile | None) -> dict[str, Any]:
    """The profile of every segment by its name, ``column=value``."""
    columns = profile.columns.items() if profile else ()
    return {
        named(segment.column, value): parts[value]
        for segment, parts in columns
        if parts
        for value in segment.ordered(parts)
    }


def notes(one: Judged, baseline: Baseline) -> Iterator[str]:
    """What the findings do not say: values that came or went, segments that are too small, columns of too many values.

    Nothing where the window has no rows, for there the findings say it.
    """
    if not one.profile.rows or not baseline.constraints:
        return
    for segment, parts in one.profile.columns.items():
        if one.known is None or segment not in one.known.columns:
            yield f"segments of {segment.column}: the baseline does not know them; suggest it anew to have them judged"
        else:
            yield from _changes(segment, parts, one.known.columns[segment], minimum_rows(one.settings))


def _changes(segment: Segmented, mine: Parts | None, theirs: Parts | None, needed: int) -> Iterator[str]:
    for side, parts in (("this window", mine), ("the baseline", theirs)):
        if parts is None:
            yield f"segments of {segment.column}: not judged; in {side} {TOO_MANY}"
    if mine is None or theirs is None:
        return
    few = [f"{one} ({theirs[one].judged:,})" for one in segment.ordered(theirs) if theirs[one].judged < needed]
    told = {
        "values that the baseline has not, so they are not judged": segment.ordered(mine.keys() - theirs.keys()),
        "values of the baseline that no row of this window has": segment.ordered(theirs.keys() - mine.keys()),
        f"not judged, with fewer than {needed:,} labelled rows in the baseline": few,
    }
    for what, values in told.items():
        if values:
            more = f" and {len(values) - NAMED:,} more" if len(values) > NAMED else ""
            yield f"segments of {segment.column}: {what}: {', '.join(values[:NAMED])}{more}"


def exhibits(one: Judged) -> Iterator[Comparison]:
    """For every column one metric by its values, and how many labelled rows each has."""
    name = next(name for name in ("accuracy", "mae") if name in one.problem.constrained)
    nothing = one.problem.kind()
    for segment, mine in one.profile.columns.items():
        theirs = (one.known.columns if one.known else {}).get(segment) or {}
        title = f"{name} by {segment.column}"
        if mine is None:
            yield Comparison(title=title, note=TOO_MANY)
            continue
        values = segment.ordered({*mine, *theirs})
        sides = [(value, mine.get(value, nothing), theirs.get(value, nothing)) for value in values]
        pairs = (
            Pair(
                label=f"{value} ({here.judged:,} rows, {there.judged:,} in the baseline)",
                here=one.measured(here, here, (name,), 0)[name].value,
                baseline=one.measured(there, there, (name,), 0)[name].value,
                unit="value",
            )
            for value, here, there in sides
        )
        yield Comparison(title=title, pairs=tuple(pairs))


def drifted(problem: Problem) -> list[str]:
    """The metrics that compare with the baseline by themselves."""
    worse: Mapping[str, Worse] = {**problem.constrained, **problem.further}
    return [name for name, way in worse.items() if way == "drifted"]
