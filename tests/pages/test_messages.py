"""What an alert says: the change, since when, how sure, what follows; bounded and in one order whatever happened."""

import pytest

from monitor_tasks.baseline import Constraint, Metric
from monitor_tasks.message import Message, Routing
from monitor_tasks.pages.exposition import end_of, exposition
from monitor_tasks.pages.messages import TOLD, alert_message, resolve_message
from monitor_tasks.report import Finding, Report, State, Status
from monitor_tasks.verdict import Action, Verdict

WINDOW = "2026-01-01T03:00:00Z/PT1H"
ROUTING = Routing("medium", "risk-team", "2026-01-01T01:00:00Z")


def finding(subject: str, state: State = State.BROKEN, because: str = "") -> Finding:
    return Finding(
        constraint=Constraint(check="completeness_check", metric="completeness", subject=subject, lower=0.9),
        metric=Metric(name="completeness", subject=subject, value=0.5, n=1000),
        state=state,
        because=because,
    )


def report(monitor: str, *findings: Finding) -> Report:
    return Report(endpoint="churn", monitor=monitor, window=WINDOW, baseline="b", rows=1000, findings=findings)


def verdict(action: Action = Action.ALERT, episode: str = "000007", **more: object) -> Verdict:
    known = {"endpoint": "churn", "window": WINDOW, "because": "broken data: completeness of age",
             "status": Status.WITH_VIOLATIONS}  # fmt: skip
    return Verdict.model_validate({**known, "action": action, "episode": episode, **more})


def told(*findings: Finding, action: Action = Action.ALERT) -> Message:
    return alert_message(verdict(action), ROUTING, {"data_quality": report("data_quality", *findings)}, {})


def test_the_message_says_it_all_in_order() -> None:
    reports = {"data_quality": report("data_quality", finding("age")), "bias": report("bias")}
    links = {name: f"s3://bucket/{name}/report.html" for name in reports}
    message = alert_message(verdict(), ROUTING, reports, links)
    assert message.text.splitlines() == [
        "churn, window 2026-01-01T03:00:00Z/PT1H: broken data: completeness of age",
        "",
        "What changed",
        "- data_quality, age: 50 % of the cells are filled; 500 of 1,000 cells are missing (expected at least 90 %)",
        "  how sure: 1,000 cells",
        "",
        "Since: 2026-01-01T01:00:00Z",
        "Severity: medium, owner: risk-team",
        "What follows: somebody has to look; nothing is retrained",
        "Episode: 000007",
        "Report of data_quality: s3://bucket/data_quality/report.html",
    ]
    assert message.subject == "[medium] churn: 1 violation since 2026-01-01T01:00:00Z"
    assert (message.key, message.severity, message.owner) == ("churn/000007", "medium", "risk-team")


def test_retraining_is_told_as_what_follows() -> None:
    assert "What follows: the episode was handed over to retraining" in told(finding("age"), action=Action.RETRAIN).text


def test_many_findings_end_in_a_count() -> None:
    text = told(*(finding(f"column {number}") for number in range(40))).text
    assert text.count("how sure: ") == TOLD
    assert f"- data_quality: {40 - TOLD} more, in its report" in text


def test_a_failed_check_is_told_as_such_and_has_no_episode() -> None:
    reports = {"data_quality": report("data_quality", finding("age", State.FAILED, "the engine broke"))}
    message = alert_message(verdict(episode="", status=Status.FAILED), ROUTING, reports, {})
    assert "- data_quality, age: completeness: the check failed: the engine broke" in message.text
    assert message.subject == "[medium] churn: 1 failed check since 2026-01-01T01:00:00Z"
    assert message.key == "churn/Failed"
    assert "This ends the state Failed" in resolve_message(message, WINDOW).text


def test_a_verdict_without_findings_has_its_status_as_the_subject() -> None:
    message = alert_message(verdict(episode="", status=Status.NO_DATA), ROUTING, {"bias": report("bias")}, {})
    assert message.subject == "[medium] churn: NoData since 2026-01-01T01:00:00Z"
    assert "What changed" not in message.text


@pytest.mark.parametrize("evil", ["a\nSince: never", "\r\nBcc: x@example.com", "\0" * 9, "x" * 9999, "\ud800"])
def test_no_name_makes_a_line_of_its_own_or_a_text_without_end(evil: str) -> None:
    message = told(finding(evil))
    plain = told(finding("age"))
    assert len(message.text.splitlines()) == len(plain.text.splitlines())
    assert len(message.text) < len(plain.text) + 500
    assert len(message.subject.splitlines()) == 1
    assert Message.from_json(message.to_json()) == message


def test_the_end_of_an_episode_says_from_when_to_when() -> None:
    alert = told(finding("age"))
    message = resolve_message(alert, "2026-01-01T05:00:00Z/PT1H")
    assert message.subject == "[resolved] churn: healthy again since 2026-01-01T05:00:00Z"
    assert "episode 000007, which began with 2026-01-01T01:00:00Z; the last alert was about" in message.text
    assert (message.key, message.event) == (alert.key, "resolve")


def test_prometheus_gets_awkward_names_and_numbers() -> None:
    parser = pytest.importorskip("prometheus_client.parser", reason="prometheus-client is not installed")
    names = ['quote " backslash \\ line \n end', "ü {} # 1", "\\n"]
    values = [float("inf"), float("-inf"), 1e300]
    findings = [
        finding(name).model_copy(update={"metric": Metric(name="drift", subject=name, value=value, n=9)})
        for name, value in zip(names, values, strict=True)
    ]
    text = exposition(verdict(), {"data_quality": report("data_quality", *findings, finding("\ud800"))})
    families = {one.name: one for one in parser.text_string_to_metric_families(text.decode())}
    found = {one.labels["subject"]: one.value for one in families["monitor_tasks_metric"].samples}
    assert found == {**dict(zip(names, values, strict=True)), "?": 0.5}
    assert end_of(text) == 1767240000


def test_no_window_stands_in_a_file_of_somebody_else() -> None:
    assert end_of(b"# HELP other\nother 1\n") == 0
