"""Stored histories: any order of execution ends in one timeline, and another policy is replayed and tuned on it."""

import json
import re
from collections.abc import Iterable
from itertools import count
from pathlib import Path
from random import Random

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

from monitor_tasks import replaying, tasks
from monitor_tasks.baseline import Constraint, Metric
from monitor_tasks.cli import app
from monitor_tasks.configuration import read_yaml
from monitor_tasks.policy import Policy, Proposal
from monitor_tasks.report import Report, judge
from monitor_tasks.site import Site, load_endpoint
from monitor_tasks.tuning import rounded_up, tune
from monitor_tasks.value import UserError
from monitor_tasks.verdict import Action, Permission, Verdict
from monitor_tasks.window import Window, parse_time

START = parse_time("2026-01-05T00:00:00Z")
ALLOWED = Permission(retraining=True)
YAML = """\
endpoint_name: history
root: {root}
capture: {{address: capture}}
monitors: {{data_quality: {{}}}}
owner: churn-team
"""
SPAN = ("--from", "2026-01-05T00:00:00Z", "--to", "2026-01-07T00:00:00Z")
ROOMS = count()


def site(root: str, policy: str = "") -> Site:
    return Site(load_endpoint("history.yaml", YAML.format(root=root) + policy, "/"))


def hours(number: int) -> list[Window]:
    return list(site("memory://none").endpoint.schedule.windows(START, START.replace(day=8)))[:number]


def reported(place: Site, window: Window, drift: float | None, filled: float = 1.0) -> str:
    """The stored report of a window in which a column drifts and another is filled so far; None is no data."""
    constraints = [
        Constraint(check="drift_check", metric="drift_ks", subject="age", upper=0.1),
        Constraint(check="completeness_check", metric="completeness", subject="income", lower=0.9, cause="data"),
    ]
    values = {"drift_ks": drift, "completeness": filled}
    rows = 0 if drift is None else 100
    metrics = [Metric(name=x.metric, subject=x.subject, value=values[x.metric], n=rows) for x in constraints]
    told = {"endpoint": place.name, "monitor": "data_quality", "window": str(window), "baseline": "b", "rows": rows}
    report = Report(**told, findings=judge(metrics, constraints))
    execution = place.execution("data_quality", window, {"drift": str(drift), "filled": str(filled)})
    return execution.commit({"report.json": report.to_json()}, shown=("report.json",))


def run(place: Site, window: Window, drift: float | None, filled: float = 1.0) -> Verdict:
    return tasks.choose_action(place, window, {"data_quality": reported(place, window, drift, filled)}, ALLOWED)


POLICIES = st.sampled_from([
    "",
    "policy: {once: true}\n",
    "policy: {windows: 2 of 3, once: true, healthy_windows: 2}\n",
    "policy: {cool_down: PT3H, rules: [{cause: data, severity: medium}]}\n",
])  # fmt: skip
DRIFTS = st.lists(st.sampled_from([0.0, 0.3, None]), min_size=2, max_size=7)


@settings(max_examples=12)
@given(DRIFTS, POLICIES, st.randoms(use_true_random=False))
def test_any_order_of_execution_ends_in_the_same_timeline(
    drifts: list[float | None], policy: str, random: Random
) -> None:
    windows = hours(len(drifts))
    shuffled = random.sample(range(len(drifts)), len(drifts))
    timelines = []
    for order in (range(len(drifts)), shuffled):
        place = site(f"memory://replaying-{next(ROOMS)}", policy)
        verdicts = {place_: run(place, windows[place_], drifts[place_]) for place_ in order}
        handed = [one.episode for one in verdicts.values() if one.action is Action.RETRAIN]
        assert len(set(handed)) == len(handed), "an episode is handed over once"
        timelines.append([one.again for one in replaying.replay(place, Proposal(), windows, ALLOWED)])
        if order is not shuffled:
            assert [one.action for one in verdicts.values()] == [one.action for one in timelines[0]]
    assert timelines[0] == timelines[1]


def test_a_verdict_says_how_severe_since_when_whose_and_what_it_ends() -> None:
    place = site("memory://verdicts", "policy: {once: true, rules: [{cause: data, severity: medium, owner: feeds}]}\n")
    first, second, third, fourth = hours(4)
    found = [run(place, first, 0.0, 0.5), run(place, second, 0.3), run(place, third, 0.3), run(place, fourth, 0.0)]
    assert [(one.action, one.severity, one.owner) for one in found] == [
        (Action.ALERT, "medium", "feeds"),
        (Action.RETRAIN, "high", "churn-team"),
        (Action.REST, "high", "churn-team"),
        (Action.REST, "", "churn-team"),
    ]
    assert {one.since for one in found[:3]} == {str(first)}
    assert [(one.episode, one.closes) for one in found] == [("000001", "")] * 3 + [("", "000001")]
    assert found[2].because.startswith("retraining was handed over before in this episode; a changed world: drift_ks")


def test_only_as_many_reports_are_read_as_the_policy_looks_back(monkeypatch: pytest.MonkeyPatch) -> None:
    place, windows = site("memory://bounded"), hours(40)
    for window in windows[:-1]:
        reported(place, window, 0.0)
    read = list[str]()
    report = Site.report
    monkeypatch.setattr(Site, "report", lambda self, key: read.append(key) or report(self, key))
    assert run(place, windows[-1], 0.3).action is Action.RETRAIN
    assert len(set(read)) == 2, "the window and the healthy one before it"


def test_an_episode_longer_than_the_look_back_keeps_its_number() -> None:
    place = site("memory://long", "policy: {look_back: PT3H}\n")
    verdicts = [run(place, window, 0.3) for window in hours(8)]
    assert {one.episode for one in verdicts} == {"000001"}
    assert [one.action for one in verdicts] == [Action.RETRAIN] + [Action.ALERT] * 7


@pytest.fixture(scope="module")
def stored(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The YAML of an endpoint with two days of hours: drift by chance, and a real change on the second noon."""
    home, text, random = tmp_path_factory.mktemp("stored"), YAML.format(root="results"), Random(3)
    (home / "history.yaml").write_text(text)
    place = Site(load_endpoint(str(home / "history.yaml"), text, str(home)))
    for number, window in enumerate(hours(48)):
        run(place, window, 0.9 if 36 <= number < 40 else 0.12 if number == 5 else random.uniform(0.0, 0.099))
    return home / "history.yaml"


def told(*words: object) -> tuple[int, str]:
    """The exit code and all that was printed, as one line."""
    done = CliRunner().invoke(app, [str(word) for word in words], env={"COLUMNS": "240"})
    return done.exit_code, " ".join(done.output.split())


def actions(text: str) -> Iterable[tuple[str, str]]:
    return [(one["done"], one["action"]) for one in json.loads(text)]


def test_history_is_replayed_under_another_policy_and_other_bounds(stored: Path, tmp_path: Path) -> None:
    code, text = told("replay", stored, *SPAN, "--json")
    done = ["rest"] * 5 + ["retrain"] + ["rest"] * 30 + ["retrain", "alert", "alert", "alert"] + ["rest"] * 8
    assert (code, list(actions(text))) == (1, [(one, one) for one in done])
    (tmp_path / "new.yaml").write_text("policy: {once: true}\nbounds: [{metric: drift_*, upper: 0.2}]\n")
    code, text = told("replay", stored, *SPAN, "--policy", tmp_path / "new.yaml", "--json")
    again = ["rest"] * 36 + ["retrain"] + ["rest"] * 11
    assert (code, list(actions(text))) == (1, list(zip(done, again, strict=True)))
    (tmp_path / "new.yaml").write_text("bounds: [{subject: age, upper: null}]\n")
    assert told("replay", stored, *SPAN, "--policy", tmp_path / "new.yaml")[0] == 0
    assert told("replay", stored, "--from", "2026-02-01T00:00:00Z", "--to", "2026-02-02T00:00:00Z")[0] == 3


def test_a_replay_is_told_as_a_table_and_as_a_page(stored: Path, tmp_path: Path) -> None:
    (tmp_path / "new.yaml").write_text("bounds: [{metric: drift_ks, upper: 0.2}]\n")
    code, text = told("replay", stored, *SPAN, "--policy", tmp_path / "new.yaml", "--html", tmp_path / "new.html")
    assert (code, "48 windows would be: rest 44, alert 3, retrain 1." in text) == (1, True)
    assert "48 have a verdict, which was: rest 43, alert 3, retrain 2." in text
    assert "1 differ, the first in 2026-01-05T05:00:00Z/PT1H." in text
    page = (tmp_path / "new.html").read_text()
    assert "1 differ, the first in 2026-01-05T05:00:00Z/PT1H." in page
    assert page.count("<td>2026-01-05T05:00:00Z/PT1H</td>") == 1
    assert ">was done</text>" in page
    assert "<script" not in page
    assert len(page) < 100_000


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("bounds: [{metric: drift_kss, upper: 1}]\n", "bounds.0: metric: drift_kss: .* did you mean drift_ks?"),
        ("policy: {rules: [{subject: agee}]}\n", "policy.rules.0: subject: agee: names no constraint .* mean age?"),
        ("policy: {rules: [{monitor: bias}]}\n", "policy.rules.0: monitor: bias: names no .* look the names up"),
        ("bounds: [{metric: drift_ks}]\n", "new.yaml:1: bounds.0: name lower, upper or both"),
        ("policy: {window: 2 of 3}\n", "new.yaml:1: policy.window: unknown key; did you mean windows?"),
        ("thresholds: []\n", "new.yaml:1: thresholds: unknown key"),
    ],
)  # fmt: skip
def test_a_proposal_that_means_nothing_is_one_clear_error(
    stored: Path, tmp_path: Path, text: str, message: str
) -> None:
    (tmp_path / "new.yaml").write_text(text)
    code, said = told("replay", stored, *SPAN, "--policy", tmp_path / "new.yaml")
    assert code == 2
    assert re.search(message, said), said


def test_tuning_proposes_bounds_that_replay_confirms(stored: Path, tmp_path: Path) -> None:
    code, text = told("tune", stored, *SPAN, "--false-alarms", "0.125", "--output", tmp_path / "tuned.yaml")
    assert code == 0
    assert "48 windows: the bounds of now are broken in 5, those proposed in 6; 12.50% were wanted." in text
    (proposed,) = yaml.safe_load((tmp_path / "tuned.yaml").read_text())["bounds"]
    assert (proposed["metric"], 0.08 < proposed["upper"] < 0.1) == ("drift_ks", True)
    code, text = told("replay", stored, *SPAN, "--policy", tmp_path / "tuned.yaml", "--json")
    assert sum(action != "rest" for _, action in actions(text)) == 6


def test_a_short_history_is_said_to_be_too_short_and_none_is_no_data(stored: Path) -> None:
    code, text = told("tune", stored, *SPAN[:3], "2026-01-05T06:00:00Z", "--false-alarms", "0.01")
    assert (code, "│ 0.1 │ 0.12" in text) == (0, True)
    assert "So few windows cannot show a rate below 16.67%" in text
    nothing = ("--from", "2026-02-01T00:00:00Z", "--to", "2026-02-02T00:00:00Z", "--false-alarms", "0")
    assert told("tune", stored, *nothing)[0] == 3


@settings(max_examples=15)
@given(st.lists(st.floats(0, 1).map(lambda x: round(x, 4)), min_size=20, max_size=40), st.floats(0, 1))
def test_tuned_bounds_are_broken_in_at_most_the_wanted_part(drifts: list[float], rate: float) -> None:
    place = site(f"memory://tuning-{next(ROOMS)}")
    windows = hours(len(drifts))
    for window, drift in zip(windows, drifts, strict=True):
        reported(place, window, drift)
    found = tune(place, windows, rate)
    assert found is not None
    (upper,) = [one for side, one in found.proposed.items() if side.side == "upper"] or [0.1]
    assert found.alarms_then == sum(drift > upper for drift in drifts) <= rate * len(drifts)
    assert found.alarms == sum(drift > 0.1 for drift in drifts)


@given(st.floats(-1e6, 1e6))
def test_rounding_up_never_lies_below(value: float) -> None:
    assert value <= rounded_up(value) <= value + max(abs(value) * 0.01, 1e-300)


def test_a_policy_is_part_of_the_verdicts_key_and_none_is_not() -> None:
    places = [site("memory://keys", policy) for policy in ("", "policy: {}\n", "policy: {once: true}\n")]
    found = [run(place, hours(1)[0], 0.0) for place in places]
    assert found[0] == found[1]
    assert len(places[0].revisions("verdict", hours(1)[0])) == 2
    assert places[0].endpoint.policy == Policy()


def test_a_rule_for_a_monitor_that_does_not_watch_is_one_clear_error() -> None:
    with pytest.raises(UserError, match=r"policy.rules.0: no monitor 'biass' watches it; there are data_quality"):
        site("memory://none", "policy: {rules: [{monitor: biass}]}\n")


def test_a_rule_that_names_no_constraint_is_warned_of_and_the_window_is_judged(
    caplog: pytest.LogCaptureFixture,
) -> None:
    rules = "policy: {rules: [{metric: drift_kss, severity: low}, {subject: income, severity: medium}]}\n"
    place = site("memory://nameless", rules)
    assert run(place, hours(1)[0], 0.3).severity == "high"
    assert [one.getMessage() for one in caplog.records] == [
        "history: policy.rules.0: metric: drift_kss: names no constraint of these reports; did you mean drift_ks?"
    ]


def test_the_policies_of_the_documents_are_policies(repository: Path) -> None:
    (said,) = re.findall(r"```yaml\n(policy:.*?)```", (repository / "docs/policy.md").read_text(), re.DOTALL)
    known = site("memory://none", said).endpoint.policy
    assert (known.once, known.rules[1].owner, known.stopped and known.stopped.windows) == (True, "feature-team", 2)
    example = (repository / "docs/examples/policy.yaml").read_text()
    assert read_yaml(Proposal, example, "policy.yaml").value.bounds[0].changes == {"upper": 0.3}


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"findings": [{}], "rows": 3}', '{"findings": [], "rows": "x"}'])
def test_a_damaged_report_is_one_clear_error(tmp_path: Path, text: str) -> None:
    (tmp_path / "history.yaml").write_text(YAML.format(root="results"))
    place = Site(load_endpoint(str(tmp_path / "history.yaml"), YAML.format(root="results"), str(tmp_path)))
    place.store.put(f"{place.folder('data_quality', hours(1)[0])}/report.json", text.encode())
    code, said = told("replay", tmp_path / "history.yaml", *SPAN)
    assert (code, "report.json: not a report: " in said, "run the window again" in said) == (2, True, True), said
