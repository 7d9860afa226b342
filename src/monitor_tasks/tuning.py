"""Tuning: bounds that would have raised a wanted part of false alarms, from the metrics of stored reports."""

from collections.abc import Iterable, Mapping, Sequence
from glob import escape
from itertools import chain
from typing import Any, NamedTuple

import yaml

from monitor_tasks.replaying import JUDGED, Raw, read
from monitor_tasks.site import Site
from monitor_tasks.troubles import Key
from monitor_tasks.window import Window

ENOUGH = 20
"""With fewer different values nothing is known of a metric's chance: its bound is never tightened."""


class Side(NamedTuple):
    """One bound of one constraint."""

    key: Key
    side: str
    """``lower`` or ``upper``."""
    bound: float

    @property
    def sign(self) -> int:
        """What turns both sides into an upper one."""
        return 1 if self.side == "upper" else -1


class Tuned(NamedTuple):
    """What tuning found, with what it would have raised in the windows that it was learned from."""

    rate: float
    windows: int
    alarms: int
    """Windows that the present bounds break."""
    alarms_then: int
    """Windows that the proposed bounds break."""
    tried: tuple[int, int]
    """Of how many later windows bounds that were learned from the earlier half broke how many."""
    proposed: Mapping[Side, float]
    """The bounds that change."""

    def to_yaml(self) -> bytes:
        """The bounds, as ``replay --policy`` reads them."""
        lines = [
            {"monitor": one.key[0], "check": escape(one.key[1]), "metric": escape(one.key[2]),
             "subject": escape(one.key[3]), one.side: value} for one, value in self.proposed.items()
        ]  # fmt: skip
        return bytes(yaml.safe_dump({"bounds": merged(lines)}, sort_keys=False, allow_unicode=True), "utf-8")


def merged(lines: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """The lines, both bounds of a constraint in one."""
    found = dict[tuple[Any, ...], dict[str, Any]]()
    for one in lines:
        found.setdefault((one["monitor"], one["check"], one["metric"], one["subject"]), {}).update(one)
    return list(found.values())


Values = Mapping[Side, Mapping[int, float]]
"""Of every side what was measured in each window that judged it, given way to chance, as of an upper bound."""


def tune(site: Site, windows: Sequence[Window], rate: float) -> Tuned | None:
    """Bounds that would have been broken in the part `rate` of these windows, maintenance aside; None without any."""
    stored = read(site, [one for one in windows if not site.endpoint.policy.maintained(one)], compared)
    judged = [found for found in (list(chain(*one)) for one in stored.values()) if found]
    if not judged:
        return None
    values, half = measured(judged), len(judged) // 2
    proposed = chosen(values, range(len(judged)), rate)
    early, late = chosen(values, range(half), rate), range(half, len(judged))
    return Tuned(
        rate,
        len(judged),
        len(broken(values, {side: side.sign * side.bound for side in values}, range(len(judged)))),
        len(broken(values, proposed, range(len(judged)))),
        (len(late), len(broken(values, early, late))) if half else (0, 0),
        {side: side.sign * bound for side, bound in proposed.items() if side.sign * bound != side.bound},
    )


def compared(raw: Raw) -> list[tuple[Side, float]]:
    """Every bound of a report, and what it was compared with, given way to chance: as of an upper bound."""
    found = []
    for key, one in raw.judged():
        constraint, metric = one["constraint"], one["metric"]
        if one["state"] in JUDGED and metric is not None and metric["value"] is not None:
            slack = float(constraint["margin"]) * float(metric["deviation"] or 0.0)
            sides = [
                Side(key, side, float(bound)) for side in ("upper", "lower") if (bound := constraint[side]) is not None
            ]
            found += [(side, side.sign * float(metric["value"]) - slack) for side in sides]
    return found


def measured(judged: Sequence[Sequence[tuple[Side, float]]]) -> Values:
    """What every bound was compared with, by the place of its window; the bound is that of the newest window."""
    found, newest = dict[tuple[Key, str], dict[int, float]](), dict[tuple[Key, str], Side]()
    for place, pairs in enumerate(judged):
        for side, value in pairs:
            found.setdefault((side.key, side.side), {})[place] = value
            newest[side.key, side.side] = side
    return {newest[name]: values for name, values in found.items()}


def broken(values: Values, bounds: Mapping[Side, float], places: Iterable[int]) -> set[int]:
    """The windows among `places` in which a bound is broken."""
    among = set(places)
    return {place for side, bound in bounds.items() for place, x in values[side].items() if x > bound} & among


def chosen(values: Values, places: range, rate: float) -> dict[Side, float]:
    """A bound for every side, as of an upper one: the same number of windows pass each, as many as `rate` allows.

    Together they are broken in at most that part of the windows, where it allows any.
    """
    ranked = {side: sorted((x for place, x in known.items() if place in places), reverse=True)
              for side, known in values.items()}  # fmt: skip
    best = _at(ranked, 0)
    for passing in range(1, len(places)):
        bounds = _at(ranked, passing)
        if len(broken(values, bounds, places)) > rate * len(places):
            break
        best = bounds
    return best


def _at(ranked: Mapping[Side, Sequence[float]], passing: int) -> dict[Side, float]:
    """The bounds that so many of each side's values pass."""
    found = dict[Side, float]()
    for side, values in ranked.items():
        now = side.sign * side.bound
        bound = rounded_up(values[min(passing, len(values) - 1)]) if values else now
        is_known = side.key[4] == "world" and len(set(values)) >= ENOUGH
        found[side] = bound if is_known else max(bound, now)
    return found


def rounded_up(value: float) -> float:
    """The next number of three digits that is not smaller.

    >>> rounded_up(0.12341), rounded_up(-0.98765), rounded_up(0.1)
    (0.124, -0.987, 0.1)
    """
    near = float(f"{value:.3g}")
    if near >= value:
        return near
    step = float(f"1e{int(f'{near:e}'.partition('e')[2]) - 2}")
    return float(f"{near + step:.3g}")
