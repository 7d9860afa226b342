"""Verdicts: what a window's reports lead to, and the episode that its violations belong to."""

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor_tasks.baseline import Constraint, Metric
from monitor_tasks.report import Finding, Report, State, Status
from monitor_tasks.verdict import Action, Outcome, Permission, Verdict, decide, episode_around
from monitor_tasks.window import Window

YES, NO = Permission(retraining=True), Permission(retraining=False, because="a backfill")
FIRST = Window.parse("2026-01-01T00:00:00Z/PT1H")
HEALTHY, VIOLATED, FAILED = Status.COMPLETED, Status.WITH_VIOLATIONS, Status.FAILED
SKIPPED = (Status.NO_DATA, Status.NOT_ENOUGH_DATA)


def report(
    state: State | None, cause: str = "world", subject: str = "age", rows: int = 10, metric: str = "m"
) -> Report:
    constraint = Constraint.model_validate({"check": "drift", "metric": metric, "subject": subject, "cause": cause})
    measured = Metric(name=metric, subject=subject, value=1.0, n=rows)
    findings = () if state is None else (Finding(constraint=constraint, metric=measured, state=state),)
    return Report(endpoint="e", monitor="m", window="w", baseline="b", rows=rows, findings=findings)


KEPT, DATA, WORLD = report(State.KEPT), report(State.BROKEN, "data"), report(State.BROKEN, "world")
CRASHED, UNSURE, EMPTY = report(State.FAILED), report(State.UNDECIDED), report(None, rows=0)


@pytest.mark.parametrize(
    ("reports", "status", "with_permission", "without"),
    [
        ([KEPT], HEALTHY, Action.REST, Action.REST),
        ([], Status.NO_DATA, Action.REST, Action.REST),
        ([EMPTY], Status.NO_DATA, Action.REST, Action.REST),
        ([EMPTY, KEPT], HEALTHY, Action.REST, Action.REST),
        ([UNSURE, KEPT], Status.NOT_ENOUGH_DATA, Action.REST, Action.REST),
        ([CRASHED, KEPT], FAILED, Action.ALERT, Action.ALERT),
        ([WORLD, KEPT], VIOLATED, Action.RETRAIN, Action.ALERT),
        ([WORLD, CRASHED], VIOLATED, Action.RETRAIN, Action.ALERT),
        ([DATA], VIOLATED, Action.ALERT, Action.ALERT),
        ([DATA, WORLD], VIOLATED, Action.ALERT, Action.ALERT),
    ],
)
def test_deciding(reports: list[Report], status: Status, with_permission: Action, without: Action) -> None:
    for order in (reports, reports[::-1]):
        outcome = Outcome.of(order)
        assert outcome.status is status
        assert [decide(outcome, permission)[0] for permission in (YES, NO)] == [with_permission, without]


def test_an_outcome_names_what_broke_by_metric_and_subject() -> None:
    broken = [report(State.BROKEN, metric="completeness", subject="income"), KEPT]
    broken.append(report(State.BROKEN, metric="recall", subject="", cause="data"))
    assert Outcome.of(broken) == (VIOLATED, {"data", "world"}, ("completeness of income", "recall"))
    assert Outcome.of([KEPT, UNSURE]).what == ()


@pytest.mark.parametrize(
    ("reports", "permission", "because"),
    [
        ([KEPT], YES, "no violations"),
        ([EMPTY], YES, "no data"),
        ([UNSURE], YES, "not enough data to judge"),
        ([CRASHED], YES, "a check failed to run; nothing is known of this window"),
        ([DATA, WORLD], YES, "broken data, so retraining is refused: m of age, m of age"),
        ([WORLD], YES, "a changed world: m of age"),
        ([WORLD], NO, "a changed world, but no retraining (a backfill): m of age"),
        ([report(State.BROKEN, subject=name) for name in ("", *"abcd")], YES, "m, m of a, m of b and 2 more"),
    ],
)
def test_a_decision_says_why(reports: list[Report], permission: Permission, because: str) -> None:
    assert decide(Outcome.of(reports), permission)[1].endswith(because)


def test_a_verdict_is_one_line_and_survives_its_file() -> None:
    verdict = Verdict(endpoint="e", window="w", action=Action.ALERT, because="drift", status=VIOLATED, episode="3")
    assert verdict.text == "e w: alert (episode 3): drift"
    assert verdict.model_copy(update={"episode": ""}).text == "e w: alert: drift"
    assert Verdict.read(verdict.to_json(), "verdict.json") == verdict


def hour(number: int) -> Window:
    return Window(*(moment + timedelta(hours=number) for moment in FIRST))


def episode(statuses: str, around: int) -> list[int]:
    """The numbers of the episode's hours; of the statuses a dot is healthy, a cross violated, - and ? say nothing."""
    words = {".": HEALTHY, "x": VIOLATED, "-": SKIPPED[0], "?": SKIPPED[1]}
    hours = [hour(number) for number in range(len(statuses))]
    found = episode_around(hours[around], hours, lambda window: words[statuses[hours.index(window)]])
    return [hours.index(window) for window in found]


@pytest.mark.parametrize(
    ("statuses", "around", "members"),
    [
        ("x", 0, [0]),
        (".x.", 1, [1]),
        ("xxx", 1, [0, 1, 2]),
        ("x.x.x", 2, [2]),
        ("x-?x", 3, [0, 3]),
        ("x-?x", 0, [0, 3]),
        ("-x-.x", 1, [1]),
        (".xx?-x-", 2, [1, 2, 5]),
    ],
)
def test_an_episode_is_a_run_of_violations(statuses: str, around: int, members: list[int]) -> None:
    assert episode(statuses, around) == members


@given(st.text(".x-?", min_size=1, max_size=12))
def test_every_window_of_an_episode_finds_the_same_episode(statuses: str) -> None:
    for around in (number for number, status in enumerate(statuses) if status == "x"):
        members = episode(statuses, around)
        assert around in members
        assert all(statuses[number] == "x" for number in members)
        assert all(episode(statuses, number) == members for number in members)
        assert "." not in statuses[members[0] : members[-1]]


def test_a_window_without_a_report_of_its_own_joins_the_run_around_it() -> None:
    hours = [hour(0), hour(2)]
    assert episode_around(hour(1), hours, lambda _: VIOLATED) == (hour(0), hour(1), hour(2))


def test_statuses_are_only_asked_as_far_as_the_run_reaches() -> None:
    asked: list[Window] = []
    hours = [hour(number) for number in range(100)]

    def status(window: Window) -> Status:
        asked.append(window)
        return HEALTHY

    assert episode_around(hours[50], hours, status) == (hours[50],)
    assert asked == [hours[49], hours[51]]


def test_a_failed_window_neither_ends_an_episode_nor_belongs_to_it() -> None:
    known = {hour(0): VIOLATED, hour(1): FAILED, hour(2): VIOLATED}
    assert episode_around(hour(2), list(known), known.__getitem__) == (hour(0), hour(2))
