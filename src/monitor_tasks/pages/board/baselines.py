"""The pages of baselines: which holds from when, the constraints with their reasons, and what differs between two."""

from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple

from monitor_tasks.baseline import Constraint
from monitor_tasks.pages.board import common
from monitor_tasks.pages.board.common import Asked
from monitor_tasks.pages.board.frame import Page, Place, moment, rendered
from monitor_tasks.pages.evidence import false_alarms
from monitor_tasks.pages.numbers import NOTHING, sentence, text
from monitor_tasks.pages.vocabulary import word
from monitor_tasks.summary import BaselineChange, BaselineView
from monitor_tasks.window import Window, parse_time

MEANS = {"data": "broken data", "world": "a changed world"}
KINDS = {"added": "+", "removed": "−", "changed": "≠"}


class _Baseline(NamedTuple):
    """A baseline as a line of the table."""

    id: str
    address: str
    since: str
    because: str
    constraints: str
    differs: str
    against: str


class _Constraint(NamedTuple):
    """A constraint as a line of the table."""

    subject: str
    what: str
    check: str
    allowed: str
    rule: str
    reason: str
    means: str
    alarms: str
    judged: str


class _Change(NamedTuple):
    """A constraint in which two baselines differ."""

    monitor: str
    subject: str
    what: str
    check: str
    kind: str
    sign: str
    fields: str
    before: str
    after: str
    reason: str


def baselines_page(asked: Asked, baselines: Sequence[BaselineView], window: Window | None) -> Page:
    """Every stored baseline, the newest pin first."""
    place, name = asked.place, asked.name
    before = {later.id: earlier for earlier, later in pairwise(baselines)}
    rows = [_baseline(place, name, one, before.get(one.id)) for one in reversed(baselines)]
    return rendered(
        "baselines.html.j2", place, f"Baselines of {name}",
        trail=[(name, place.to("endpoints", name)), ("baselines", "")], rows=rows,
        actions=common.doing(asked, window)[-1:],
    )  # fmt: skip


def baseline_page(place: Place, name: str, one: BaselineView, others: Sequence[str]) -> Page:
    """One baseline's constraints, each with the rule and the reason that it has its bounds by."""
    monitors = [
        (monitor.replace("_", " "), [_constraint(each) for each in several[: common.LISTED]],
         len(several[common.LISTED :]))
        for monitor, several in one.constraints.items() if several
    ]  # fmt: skip
    ways = [
        (f"Compare with {other}", place.to("endpoints", name, "baselines", one.id, "against", other))
        for other in others if other != one.id
    ]  # fmt: skip
    return rendered(
        "baseline.html.j2", place, f"Baseline {one.id}", trail=_trail(place, name, one.id), monitors=monitors,
        others=ways[:20],
        facts=common.facts(holds_from=_since(one), because=_because(one), lies_at=one.address,
                           **{what: digest[:12] for what, digest in [*one.inputs.items()][:6]}),
    )  # fmt: skip


def difference_page(place: Place, name: str, before: str, after: str, changes: Sequence[BaselineChange]) -> Page:
    """In which constraints two baselines differ."""
    rows = [_change(one) for one in changes[: common.LISTED]]
    counts = {kind: sum(one.kind == kind for one in changes) for kind in KINDS}
    told = ", ".join(f"{counts[kind]:,} {kind}" for kind in KINDS)
    return rendered(
        "difference.html.j2", place, f"From baseline {before} to {after}",
        trail=_trail(place, name, f"{before} to {after}"), rows=rows, more=len(changes[common.LISTED :]),
        told=f"{len(changes):,} constraints differ: {told}.",
    )  # fmt: skip


def _trail(place: Place, name: str, last: str) -> list[tuple[str, str]]:
    return [
        (name, place.to("endpoints", name)), ("baselines", place.to("endpoints", name, "baselines")), (last, ""),
    ]  # fmt: skip


def _baseline(place: Place, name: str, one: BaselineView, before: BaselineView | None) -> _Baseline:
    against = place.to("endpoints", name, "baselines", one.id, "against", before.id) if before else ""
    return _Baseline(
        text(one.id), place.to("endpoints", name, "baselines", one.id), _since(one), _because(one),
        f"{sum(map(len, one.constraints.values())):,}", f"what differs from {before.id}" if before else NOTHING,
        against,
    )  # fmt: skip


def _since(one: BaselineView) -> str:
    since = (moment(parse_time(when)) if when else "the first window" for when, _ in one.pins)
    return "; ".join(since) or "not pinned"


def _because(one: BaselineView) -> str:
    return "; ".join(sentence(because) for _, because in one.pins) or NOTHING


def _constraint(one: Constraint) -> _Constraint:
    return _Constraint(
        text(one.subject), word(one, None).what, text(one.check), common.allowed_by(one), sentence(one.rule),
        sentence(one.reason), MEANS[one.cause], false_alarms(one) or "not tried", "yes" if one.enabled else "no",
    )  # fmt: skip


def _change(one: BaselineChange) -> _Change:
    newest = one.after or one.before
    assert newest is not None  # noqa: S101 - a change has at least one side
    before, after = (NOTHING if side is None else common.allowed_by(side) for side in (one.before, one.after))
    return _Change(
        one.monitor.replace("_", " "), text(newest.subject), word(newest, None).what, text(newest.check), one.kind,
        KINDS[one.kind], ", ".join(field.replace("_", " ") for field in one.fields), before, after,
        sentence(newest.reason or newest.rule),
    )  # fmt: skip
