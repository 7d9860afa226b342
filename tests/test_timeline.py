"""Written histories and what a policy makes of them: statuses of windows in, actions out."""

from collections.abc import Iterable, Mapping
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from monitor_tasks.baseline import Constraint, Metric
from monitor_tasks.policy import Maintenance, Policy, Rule
from monitor_tasks.report import Finding, Report, State
from monitor_tasks.timeline import Assessed, fold, handed_over_once, needed
from monitor_tasks.troubles import Seen, effect
from monitor_tasks.verdict import Action, Outcome, Permission, decide, episode_around
from monitor_tasks.window import Window

FIRST = Window.parse("2026-01-05T00:00:00Z/PT1H")
ALLOWED, REFUSED = Permission(retraining=True), Permission(retraining=False, because="a backfill")
WORLD = {"check": "drift_check", "metric": "drift_ks", "subject": "age", "cause": "world", "upper": 0.1}
DATA = {"check": "completeness_check", "metric": "completeness", "subject": "income", "cause": "data", "lower": 1.0}


def hour(number: int) -> Window:
    return Window(*(moment + timedelta(hours=number) for moment in FIRST))


def finding(state: State, constraint: Mapping[str, Any], value: float = 0.3, **details: float) -> Finding:
    metric = Metric(name=constraint["metric"], subject=constraint["subject"], value=value, n=100, details=details)
    return Finding(constraint=Constraint.model_validate(constraint), metric=metric, state=state)


def report(window: Window, monitor: str, rows: int, *findings: Finding) -> Report:
    return Report(endpoint="e", monitor=monitor, window=str(window), baseline="b", rows=rows, findings=findings)


KEPT = finding(State.KEPT, WORLD, 0.0)
LETTERS: dict[str, tuple[int, tuple[Finding, ...]]] = {
    ".": (100, (KEPT,)),
    "w": (100, (finding(State.BROKEN, WORLD),)),
    "b": (100, (finding(State.BROKEN, DATA),)),
    "B": (100, (finding(State.BROKEN, WORLD), finding(State.BROKEN, DATA))),
    "s": (100, (finding(State.BROKEN, WORLD, 0.11),)),
    "-": (0, ()),
    "?": (100, (finding(State.UNDECIDED, WORLD),)),
    "!": (100, (finding(State.FAILED, WORLD), KEPT)),
    "5": (50, (KEPT,)),
    "9": (900, (KEPT,)),
}
"""Healthy, a changed world, broken data, both, a small change, no data, not enough, failed, few rows, many rows;
a space is a window that never ran, and ``m`` one in which only another monitor did."""


def reports(statuses: str) -> dict[Window, dict[str, Report]]:
    """What is stored of hours with these letters: two monitors, of which the second finds what the letter says."""
    stored = dict[Window, dict[str, Report]]()
    for number, letter in enumerate(statuses):
        window = hour(number)
        rows, findings = LETTERS.get(letter, LETTERS["."])
        if letter != " ":
            stored[window] = (
                {"bias": report(window, "bias", rows, KEPT)} if rows else {"bias": report(window, "bias", 0)}
            )
            if letter != "m":
                stored[window]["data_quality"] = report(window, "data_quality", rows, *findings)
    return stored


def told(statuses: str, policy: Policy) -> list[Assessed]:
    """What the policy makes of the hours."""
    stored = reports(statuses)
    windows = [hour(number) for number in range(len(statuses))]

    def look(window: Window) -> Seen:
        return Seen.of(window, stored.get(window, {}), policy)

    return list(handed_over_once(fold(windows, look, policy, ALLOWED, ("bias", "data_quality"))))


def actions(found: Iterable[Assessed]) -> str:
    """One letter a window that ran: rest is a dot, then A and R."""
    return "".join({Action.REST: ".", Action.ALERT: "A", Action.RETRAIN: "R"}[one.action] for one in found)


def policy(**said: Any) -> Policy:
    return Policy.model_validate(said)


ONCE = {"once": True}
TWO_OF_THREE = {"windows": "2 of 3", "once": True}
WARNS = {"rules": [{"cause": "world", "severity": "medium"}]}
NIGHT = {"maintenance": [{"from": "2026-01-05T01:00:00Z", "to": "2026-01-05T03:00:00Z", "because": "release"}]}

HISTORIES = [
    ("today: every window with violations is told, retraining is asked for once", {}, "..ww.w", "..RA.R"),
    ("today: broken data is told and never learned from", {}, ".bBw.", ".AAR."),
    ("today: no data and not enough data are not told, nor do they end an episode", {}, "w-?w.", "R..A."),
    ("today: a check that failed is told, and ends no episode", {}, "w!w!", "RAAA"),
    ("an episode is told once", ONCE, "bbb.bb", "A...A."),
    ("a hand-over tells the episode", ONCE, "www.", "R..."),
    ("a more severe violation is told again", {**ONCE, "rules": [{"cause": "data", "severity": "medium"}]},
     "bbBb.", "A.A.."),
    ("failures in a row are told once, until one is well", ONCE, "!!.!", "A..A"),
    ("one window of three is not enough", TWO_OF_THREE, ".w..w..", "......."),
    ("two of three are, and are told once", TWO_OF_THREE, "ww.w..", ".R.R.."),
    ("windows that could not be judged do not count among the three", TWO_OF_THREE, "w-?w..", "...R.."),
    ("one healthy window does not end an episode of two", {**ONCE, "healthy_windows": 2}, "w.ww..w", "R.....R"),
    ("a severity that only alerts", WARNS, "w.wB", "A.AA"),
    ("a severity that is only recorded ends an episode", {"rules": [{"check": "drift*", "severity": "low"}]},
     "wBbwb", ".AA.A"),
    ("what is smaller than the effect floor does not count", {"rules": [{"metric": "drift_*", "effect_floor": 0.1}]},
     "sws", ".R."),
    ("a cool-down outlasts the episode", {"cool_down": "PT4H"}, "b.b.b.", "A...A."),
    ("a more severe violation breaks the cool-down",
     {"cool_down": "PT9H", "rules": [{"cause": "data", "severity": "medium"}]}, "b.b.w", "A...R"),
    ("nobody is told in maintenance, and an episode stays one", {**NIGHT, **ONCE}, "bbbb", "A..."),
    ("silence is told when it lasts", {"freshness": {"no_data_for": "PT3H"}, **ONCE}, ".-----.---", "...A.....A"),
    ("a monitor that has stopped is told; one that comes back is not", {"stopped": {"windows": 2}, **ONCE},
     ".mmm.m.", "..A...."),
    ("a gap in the schedule is told by the window after it", {"stopped": {"windows": 2}}, ".  .. .", ".A.."),
    ("a rule's own windows beside the others", {"rules": [{"cause": "world", "windows": "2 of 2"}]}, "wbwwB", ".A.RA"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("said", "statuses", "expected"), [one[1:] for one in HISTORIES], ids=[x[0] for x in HISTORIES]
)
def test_a_written_history_leads_to_the_written_actions(said: dict[str, Any], statuses: str, expected: str) -> None:
    assert actions(told(statuses, policy(**said))) == expected


HISTORY = st.text("".join(LETTERS) + " m", min_size=1, max_size=14)
POLICIES = st.sampled_from([policy(**one[1]) for one in HISTORIES])


@settings(max_examples=300)
@given(st.one_of(HISTORY, st.text(".wb", min_size=6, max_size=16)), POLICIES)
def test_as_much_as_is_read_for_a_window_tells_of_it_what_the_whole_history_does(statuses: str, known: Policy) -> None:
    stored = reports(statuses)
    windows = [hour(number) for number in range(len(statuses))]

    def look(window: Window) -> Seen:
        return Seen.of(window, stored.get(window, {}), known)

    names = ("bias", "data_quality")
    whole = {one.window: one for one in fold(windows, look, known, ALLOWED, names)}
    for place, window in enumerate(windows):
        if window in stored:
            few = needed(window, reversed(windows[:place]), look, known, names)
            last = list(fold(few, look, known, ALLOWED, names))[-1]
            assert (last.action, last.severity, last.since, last.episode, last.closes) == (
                whole[window].action, whole[window].severity, whole[window].since, whole[window].episode,
                whole[window].closes,
            )  # fmt: skip


@settings(max_examples=60)
@given(HISTORY, st.booleans())
def test_without_a_policy_a_window_leads_to_what_its_own_outcome_does(statuses: str, allowed: bool) -> None:
    permission = ALLOWED if allowed else REFUSED
    stored = reports(statuses)
    windows = [hour(number) for number in range(len(statuses))]

    def look(window: Window) -> Seen:
        return Seen.of(window, stored.get(window, {}), Policy())

    for one in fold(windows, look, Policy(), permission):
        assert (one.action, one.because) == decide(Outcome.of(list(stored[one.window].values())), permission)


@settings(max_examples=60)
@given(HISTORY, st.integers(1, 3))
def test_the_episodes_of_the_fold_are_the_runs_around_their_windows(statuses: str, healthy: int) -> None:
    stored, known = reports(statuses), policy(healthy_windows=healthy)

    def look(window: Window) -> Seen:
        return Seen.of(window, stored.get(window, {}), known)

    windows = [hour(number) for number in range(len(statuses))]
    for one in fold(windows, look, known, ALLOWED):
        if one.episode:
            run = episode_around(one.window, windows, lambda other: look(other).status, healthy)
            assert one.episode == run[0]


def test_hours_without_traffic_are_learned_from_the_weeks_before() -> None:
    """Three weeks in which the hours 2 to 5 are silent: the fourth week's silence there is none."""
    week = 24 * 7
    statuses = (".." + "----" + "." * (week - 6)) * 3 + "------" + "." * 4
    learns, expects = (policy(freshness={"no_data_for": "PT2H", "weeks": weeks}) for weeks in (3, 0))
    assert actions(told(statuses, learns))[3 * week :] == ".AAAAA....", "two hours that had traffic are silent"
    assert actions(told(statuses, learns))[: 3 * week].count("A") == 3, "only the first week's had to be learned"
    assert actions(told(statuses, expects))[: 3 * week].count("A") == 9


def test_volume_is_compared_with_the_same_hour_of_the_weeks_before() -> None:
    week = 24 * 7
    rest = "." * (week - 3)
    statuses = ("5.." + rest) * 2 + ".5." + rest + "59."
    found = told(statuses, policy(volume={"lower": 0.6, "upper": 1.5}))
    assert actions(found)[: 2 * week].count("A") == 0, "two weeks are needed"
    assert actions(found)[2 * week :][:3] == "AA.", "twice the rows, then half of them"
    assert actions(found)[3 * week :] == ".A.", "the median of 50, 50 and 100, then of 100, 100 and 50"
    assert found[3 * week + 1].because == "900 rows, where the same hour of the week usually has 100"


def test_an_alert_says_what_since_when_and_to_whom() -> None:
    found = told("b-bw.", policy(rules=[{"cause": "data", "severity": "medium", "owner": "feeds"}], once=True))
    first, third, last, end = found[0], found[2], found[3], found[4]
    assert (first.severity, first.since, first.owner, first.episode) == ("medium", hour(0), "feeds", hour(0))
    assert third.because.endswith("(told before, since 2026-01-05T00:00:00Z)")
    assert (last.severity, last.since, last.owner, last.action) == ("high", hour(0), "", Action.RETRAIN)
    assert (end.closes, end.episode, end.because) == (hour(0), None, "no violations")


def test_silent_windows_say_why() -> None:
    assert told("w..", policy(windows="2 of 3"))[0].because == (
        "1 of the 2 windows that are needed had violations: drift_ks of age"
    )
    assert told("bb", policy(cool_down="PT3H"))[1].because.endswith(
        "(told less than the cool-down ago, at 2026-01-05T01:00:00Z)"
    )
    assert told(".b", policy(**NIGHT))[1].because == "nobody is told: release"
    assert told("w", policy(**WARNS))[0].because == (
        "a changed world, but no retraining (the policy only alerts of severity medium): drift_ks of age"
    )
    assert told(".mm", policy(stopped={"windows": 2}))[2].because == (
        "no report since 2026-01-05T01:00:00Z: data_quality (2 windows)"
    )


def test_how_large_a_violation_is() -> None:
    assert effect(finding(State.BROKEN, WORLD, 0.3)) == pytest.approx(0.2)
    assert effect(finding(State.BROKEN, DATA, 0.75)) == 0.25
    assert effect(finding(State.BROKEN, WORLD, 0.3, effect_size=-1.5)) == 1.5
    assert effect(Finding(constraint=Constraint.model_validate(WORLD), metric=None, state=State.BROKEN)) == float("inf")


@pytest.mark.parametrize(
    ("start", "length", "covered"),
    [
        (0, 1, False),
        (1, 1, True),
        (0, 2, True),
        (2, 1, True),
        (3, 1, False),
        (25, 1, True),
        (27, 1, False),
        (23, 3, True),
    ],
)
def test_maintenance_comes_again(start: int, length: int, covered: bool) -> None:
    night = Maintenance.model_validate({"from": "2026-01-05T01:00:00Z", "to": "2026-01-05T03:00:00Z", "every": "P1D"})
    assert night.covers(Window(hour(start).start, hour(start + length - 1).end)) is covered


@pytest.mark.parametrize(
    ("said", "message"),
    [
        ({"windows": "3 of 2"}, "write it as '2 of 3'"),
        ({"windows": "two"}, "pattern"),
        ({"cool_down": "6 hours"}, "is not a duration"),
        ({"cool_down": "-PT6H"}, "not negative"),
        ({"look_back": "P9999D"}, "a year at most"),
        ({"maintenance": [{"from": "2026-01-05T03:00:00Z", "to": "2026-01-05T01:00:00Z"}]}, "must lie before"),
        ({"maintenance": [{"from": "tomorrow", "to": "2026-01-05T01:00:00Z"}]}, "Invalid isoformat"),
        ({"rules": [{"severity": "bad"}]}, "'low', 'medium' or 'high'"),
        ({"rules": [{"metrics": "x"}]}, "Extra inputs"),
    ],
)
def test_a_policy_that_cannot_be_is_refused(said: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        policy(**said)


def test_the_first_rule_that_names_a_violation_decides() -> None:
    rules = [{"subject": "in*", "severity": "low"}, {"monitor": "data_quality", "severity": "medium"}]
    found = told("bwB", policy(rules=rules))
    assert [one.severity for one in found] == [None, "medium", "medium"]
    assert str(Rule(metric="drift_*", cause="world")) == "metric: drift_*, cause: world"
