"""Replaying: stored reports judged again under another policy and other bounds, without reading a row."""

from collections.abc import Callable, Iterable, Iterator, Sequence, Set
from concurrent.futures import ThreadPoolExecutor
from functools import cache, partial
from typing import Any, NamedTuple, TypeVar

import orjson

from monitor_tasks.baseline import Constraint, Metric
from monitor_tasks.io.store import Missing
from monitor_tasks.policy import Bound, Named, Policy, Proposal
from monitor_tasks.remembered import Remembered
from monitor_tasks.report import Report, State, Status, judge
from monitor_tasks.site import Site
from monitor_tasks.timeline import Assessed, fold, handed_over_once
from monitor_tasks.troubles import Key, is_named, nameless, rules_in
from monitor_tasks.value import UserError
from monitor_tasks.verdict import Action, Permission, Verdict
from monitor_tasks.window import Window

T = TypeVar("T")
READERS = 16
JUDGED = (State.KEPT, State.BROKEN)


class Replayed(NamedTuple):
    """A window of history: what was done, and what the proposal would have done."""

    window: Window
    status: Status
    """Under the proposal's bounds, as far as its policy counts."""
    done: Action | None
    """None where no verdict is stored."""
    again: Assessed

    @property
    def differs(self) -> bool:
        """Whether something else would have been done."""
        return self.done is not None and self.done is not self.again.action

    @property
    def told(self) -> dict[str, str]:
        """The same as JSON holds it."""
        again = self.again
        return {
            "window": str(self.window), "status": self.status, "done": self.done or "", "action": again.action,
            "severity": again.severity or "", "since": str(again.since or ""), "because": again.because,
        }  # fmt: skip


class Raw(NamedTuple):
    """A stored report as it was read: its findings are told apart before they are made into values."""

    monitor: str
    said: dict[str, Any]

    def judged(self) -> Iterator[tuple[Key, dict[str, Any]]]:
        """Its findings, each with what tells its constraint from all others of its baseline."""
        for one in self.said["findings"]:
            said = one["constraint"]
            yield (self.monitor, said["check"], said["metric"], said["subject"], said["cause"]), one


def replay(site: Site, proposal: Proposal, windows: Sequence[Window], permission: Permission) -> list[Replayed]:
    """What the proposal would have done in every window that has a report, beside what was done.

    Raises:
        UserError: a pattern names no constraint of these reports.
    """
    policy, known = proposal.policy or site.endpoint.policy, set[Key]()
    bound_of = cache(lambda key: next((one for one in proposal.bounds if is_named(one, key)), None))
    reports = read(site, windows, lambda raw: judged_again(raw, bound_of, known))
    check_names(policy, proposal.bounds, known)
    other = Site(site.endpoint.model_copy(update={"policy": policy}), site.credentials)
    look = Remembered(other, {one: {x.monitor: x for x in reports.get(one, ())} for one in windows})
    again = handed_over_once(fold(windows, look, policy, permission, list(site.endpoint.configured())))
    done = dict(zip(reports, in_threads(partial(_done, site), reports), strict=True))
    return [Replayed(one.window, look(one.window).status, done[one.window], one) for one in again]


def read(site: Site, windows: Sequence[Window], take: Callable[[Raw], T]) -> dict[Window, list[T]]:
    """What `take` makes of the reports that the windows' folders show; a window without one is left out.

    Each report is taken as soon as it was read, so that they are never all in memory.
    """
    found = zip(windows, in_threads(partial(_shown, site, take), windows), strict=True)
    return {window: taken for window, taken in found if taken}


def in_threads(ask: Callable[[Window], T], windows: Iterable[Window]) -> list[T]:
    """What is found for every window, in their order; many are asked for at once."""
    with ThreadPoolExecutor(READERS) as pool:
        return list(pool.map(ask, windows))


def _shown(site: Site, take: Callable[[Raw], T], window: Window) -> list[T]:
    found = []
    for name, settings in site.endpoint.configured().items():
        key = f"{site.folder(settings.monitoring_schedule_name, window)}/report.json"
        try:
            found.append(take(Raw(name, orjson.loads(site.store.get(key)))))
        except Missing:
            continue
        except (ValueError, KeyError, TypeError) as error:
            told = str(error).splitlines()[0]
            raise UserError(f"{site.store.address_of(key)}: not a report: {told}; run the window again") from error
    return found


def _done(site: Site, window: Window) -> Action | None:
    """What the newest verdict did."""
    key = f"{site.folder('verdict', window)}/verdict.json"
    try:
        return Verdict.read(site.store.get(key), site.store.address_of(key)).action
    except Missing:
        return None


def judged_again(raw: Raw, bound_of: Callable[[Key], Bound | None], known: set[Key]) -> Report:
    """A stored report under other bounds, thinned: of findings that are no violations one of a state.

    What was undecided or has failed stays so. What tells its constraints apart is added to `known`.
    """
    kept, rest = list[Any](), dict[str, Any]()
    for key, one in raw.judged():
        known.add(key)
        bound = bound_of(key) if one["state"] in JUDGED else None
        finding = one if bound is None else _judged(one, bound)
        if (state := finding["state"]) == State.BROKEN:
            kept.append(finding)
        else:
            rest.setdefault(state, finding)
    told = {name: value for name, value in raw.said.items() if name != "findings"}
    return Report.model_validate({**told, "findings": (*kept, *rest.values())})


def _judged(one: dict[str, Any], bound: Bound) -> dict[str, Any]:
    """A stored finding, its metric judged by other bounds."""
    changed = {**one["constraint"], **bound.changes}
    (finding,) = judge([Metric.model_validate(one["metric"])], [Constraint.model_validate(changed)])
    return {**one, "constraint": changed, "state": finding.state, "because": finding.because}


def check_names(policy: Policy, bounds: Sequence[Bound], known: Set[Key]) -> None:
    """Refuses a pattern that names nothing.

    Raises:
        UserError: it names the pattern, and what comes close to it.
    """
    asked: dict[str, Named] = {f"bounds.{place}": one for place, one in enumerate(bounds)}
    if told := next(nameless({**asked, **rules_in(policy)}, known), ""):
        raise UserError(told)
