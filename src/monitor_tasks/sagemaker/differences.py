"""What SageMaker's files of a window say, against ours of the same window: violations as a set, numbers one by one."""

import json
import re
from collections.abc import Iterator, Mapping
from functools import partial
from typing import Any, NamedTuple

from monitor_tasks.sagemaker.violations import read_violations
from monitor_tasks.value import UserError

COMPARED = ("constraint_violations.json", "statistics.json", "analysis.json")
"""The files of an execution that say what was found."""
_NO_VIOLATIONS = b'{"violations": []}'
_DRAWN = re.compile(r"\+/- \S+")
"""The deviations of model quality: the service draws samples for them, so no two runs agree."""
_PASSED_OVER = ("standard_deviation", "evaluation_time")
_NUMBER = re.compile(r"-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?")
_NAMES = ("name", "value_or_threshold")
"""By which of their keys the entries of a list are told apart."""


class Difference(NamedTuple):
    """Something that the two do not say alike."""

    file: str
    what: str
    theirs: str | None
    """None where only ours says it."""
    ours: str | None


def differences(
    theirs: Mapping[str, bytes], ours: Mapping[str, bytes], address: str, tolerance: float
) -> tuple[Difference, ...]:
    """All that the files of one window differ in; numbers may by `tolerance`, of those beyond 1 in parts of them.

    Where a folder has no file of violations, there were none.

    Raises:
        UserError: a file at `address` is not what its name says.
    """
    found: list[Difference] = []
    for name in COMPARED:
        if name == COMPARED[0]:
            known = theirs.get(name, _NO_VIOLATIONS), ours.get(name, _NO_VIOLATIONS)
            sides = [_violations(text, f"{address}/{name}") for text in known]
        elif name in theirs:
            sides = [dict(_leaves(_read(text, f"{address}/{name}"))) for text in (theirs[name], ours.get(name, b"{}"))]
        else:
            continue
        found += (Difference(name, *one) for one in _differing(tolerance, *sides))
    return tuple(found)


def _violations(text: bytes, address: str) -> dict[str, Any]:
    return {one.what: one.description for one in read_violations(text, address)}


def _read(text: bytes, address: str) -> Any:
    try:
        return json.loads(text)
    except ValueError as error:
        raise UserError(f"{address}: not JSON, or cut off: {error}; restore the file") from error


def _leaves(value: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """Every plain value under its path; entries of a list are told apart by their names where they have some."""
    if isinstance(value, Mapping):
        for key, one in value.items():
            if key not in _PASSED_OVER:
                yield from _leaves(one, f"{path}.{key}".strip("."))
    elif isinstance(value, list):
        for place, one in enumerate(value):
            named = [str(one[key]) for key in _NAMES if isinstance(one, Mapping) and isinstance(one.get(key), str)]
            yield from _leaves(one, f"{path}[{named[0] if named else place}]")
    else:
        yield path, value


def _differing(
    tolerance: float, theirs: Mapping[str, Any], ours: Mapping[str, Any]
) -> Iterator[tuple[str, str | None, str | None]]:
    for what in dict.fromkeys((*theirs, *ours)):
        if what not in ours:
            yield what, str(theirs[what]), None
        elif what not in theirs:
            yield what, None, str(ours[what])
        elif not _alike(theirs[what], ours[what], tolerance):
            yield what, str(theirs[what]), str(ours[what])


def _alike(one: Any, another: Any, tolerance: float) -> bool:
    """Whether two plain values say the same: texts have the same words, and numbers that are close.

    >>> _alike("0.9 is low", "0.9000000001 is low", 1e-6), _alike("NaN", "NaN", 0.0), _alike(1, 2, 0.5)
    (True, True, False)
    """
    if isinstance(one, bool) or isinstance(another, bool) or one is None or another is None:
        return one is another
    texts = [_DRAWN.sub("", str(side)) for side in (one, another)]
    words = [_NUMBER.split(side) for side in texts]
    mine, yours = ([float(number) for number in _NUMBER.findall(side)] for side in texts)
    return words[0] == words[1] and all(map(partial(_close, tolerance), mine, yours))


def _close(tolerance: float, one: float, another: float) -> bool:
    return abs(one - another) <= tolerance * max(1.0, abs(one))
