"""What goes out of a judged window: who is told, what arrives where, and that nothing is lost or said twice."""

import json
import re
import shutil
from collections.abc import Callable, Iterator, Mapping
from datetime import timedelta
from itertools import count
from pathlib import Path
from typing import Any

import boto3
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from examples.loan_scoring.simulate import simulate
from examples.loan_scoring.story import EIGHT, HEALTHY, Chapter
from monitor_tasks import sending, tasks
from monitor_tasks.endpoint import Target
from monitor_tasks.io import emit as outside
from monitor_tasks.io.executions import digest
from monitor_tasks.message import Message
from monitor_tasks.monitors.settings import MONITORS
from monitor_tasks.report import State, Status
from monitor_tasks.sagemaker.cloudwatch import Source, namespace
from monitor_tasks.site import Site, load_endpoint
from monitor_tasks.value import UserError
from monitor_tasks.verdict import Action, Permission, Verdict
from monitor_tasks.window import Window, format_time, parse_time
from tests.io.faulty import FaultyProxy
from tests.moto_server import moto_server
from tests.retraining_story import Killed

ROOT = Path(__file__).resolve().parents[1]
YAML = (ROOT / "dags/endpoints/loan-scoring.yaml").read_text()
START = parse_time("2026-01-01T00:00:00Z")
HOURS = [Window(START.replace(hour=hour), START.replace(hour=hour + 1)) for hour in range(4)]
FIRST, BROKEN, EMPTY, AFTER = HOURS
STORY = [*EIGHT[:3], Chapter("healthy again", 3, HEALTHY)]
REFUSED = ["slow down"] * 6
"""So often a request is tried before it has failed."""
NO_RETRAINING = Permission(retraining=False, because="a test")
THREE = """
alerts:
  - {kind: slack, conn_id: chat}
  - {kind: pagerduty, conn_id: on-call, severities: [high], owner: risk-team}
  - {kind: email, conn_id: mail, to: data@example.com, owner: data-team}
"""
TOLD = """
endpoint_name: e
root: memory://events-{root}
capture: {{address: capture}}
monitors: {{data_quality: {{}}}}
emit: {{eventbridge: default}}
"""
ROOMS = count()


@pytest.fixture(scope="module")
def judged_once(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four hours, healthy, broken, empty and healthy again, with all that the verbs wrote."""
    home = tmp_path_factory.mktemp("judged")
    simulate(home, STORY, START, 400, seed=7)
    shutil.copy(ROOT / "examples/loan_scoring/suite.json", home)
    for window in HOURS:
        judge(site(home), window)
    return home


@pytest.fixture
def home(judged_once: Path, tmp_path: Path) -> Path:
    """A copy that a test may add to."""
    shutil.copytree(judged_once, tmp_path / "home")
    return tmp_path / "home"


def site(home: Path, more: str = "") -> Site:
    return Site(load_endpoint("loan-scoring.yaml", YAML + more, str(home)))


def judge(place: Site, window: Window) -> None:
    captured = tasks.ingest_capture(place, window)
    baseline = tasks.suggest_baseline(place, window, captured)
    rows = {"captured": captured, "explained": captured, "labelled": tasks.merge_labels(place, window, captured)}
    reports = {
        name: tasks.run_monitor(place, name, window, rows[MONITORS[name].stage], baseline)
        for name in place.endpoint.configured()
    }
    tasks.choose_action(place, window, reports, NO_RETRAINING)


def up_to(home: Path, window: Window) -> None:
    """Puts the verdicts of later hours aside: they are not known yet."""
    for hour in HOURS:
        there, aside = (home / one / f"{hour.end:%Y/%m/%d/%H}" for one in ("artifacts/loan-scoring/verdict", "aside"))
        source, goal = (aside, there) if hour <= window else (there, aside)
        if source.exists():
            goal.parent.mkdir(parents=True, exist_ok=True)
            source.rename(goal)


class Receiver:
    """Takes messages, but for those to a target that is down."""

    def __init__(self) -> None:
        self.down = set[str]()
        self.got = list[tuple[str, Message]]()

    def __call__(self, target: Target, message: Message) -> None:
        if target.label in self.down:
            raise ConnectionError("no route")
        self.got.append((target.label, message))

    @property
    def events(self) -> list[tuple[str, str, str]]:
        return [(label, one.event, one.window) for label, one in self.got]


def test_an_episode_is_told_to_those_it_is_for_and_ends_with_a_message(home: Path) -> None:
    place, receiver, waits = site(home, THREE), Receiver(), list[bool]()
    up_to(home, FIRST)
    for window in (*HOURS, *HOURS):  # every task once more: nothing is said twice
        up_to(home, max(window, place.windows("verdict")[-1]))
        waits.append(sending.announce(place, window))
        sending.deliver(place, receiver)
    assert receiver.events == [
        *((label, "alert", str(BROKEN)) for label in ("chat", "on-call")),
        *((label, "resolve", str(AFTER)) for label in ("chat", "on-call")),
    ]
    assert waits == [False, True, False, True, *[False] * 4]
    assert {one.key for _, one in receiver.got} == {"loan-scoring/000001"}


def test_the_text_says_what_since_when_how_sure_and_where(home: Path) -> None:
    place, receiver = site(home, THREE), Receiver()
    sending.announce(place, BROKEN)
    sending.deliver(place, receiver)
    told = receiver.got[0][1]
    assert told.subject == "[high] loan-scoring: 2 violations since 2026-01-01T01:00:00Z"
    seen = (
        r"- data_quality, debt_to_income: 7\d\.\d % of the cells are filled; 1\d\d of 40\d cells are missing \(expected"
    )
    assert re.search(rf"{seen}.*\n  how sure: 40\d cells", told.text)
    assert "Since: 2026-01-01T01:00:00Z" in told.text
    link = re.search("^Report of data_quality: (.+)$", told.text, re.MULTILINE)
    assert link
    assert b"debt_to_income" in place.read(link[1])


def test_what_a_target_that_was_down_missed_comes_with_a_later_run(home: Path) -> None:
    place, receiver = site(home, THREE), Receiver()
    up_to(home, EMPTY)
    receiver.down = {"chat"}
    sending.announce(place, BROKEN)
    for _ in range(3):
        with pytest.raises(UserError, match=r"waits for the next run: chat: ConnectionError: no route"):
            sending.deliver(place, receiver)
    assert receiver.events == [("on-call", "alert", str(BROKEN))]
    receiver.down = set()
    assert sending.announce(place, EMPTY)
    sending.deliver(place, receiver)
    assert receiver.events[1:] == [("chat", "alert", str(BROKEN))]


def test_a_new_target_is_not_told_of_the_past_and_what_is_told_late_ends_at_once(home: Path) -> None:
    receiver = Receiver()
    sending.announce(site(home, THREE.replace("conn_id: chat", "conn_id: old")), BROKEN)
    place = site(home, THREE)
    assert sending.announce(place, AFTER)
    sending.deliver(place, receiver)
    assert receiver.events == [("on-call", event, str(one)) for event, one in (("alert", BROKEN), ("resolve", AFTER))]


def test_without_targets_nothing_is_laid_anywhere(home: Path) -> None:
    assert not sending.announce(site(home), BROKEN)
    assert not (home / "artifacts/loan-scoring/alerts").exists()


def test_a_window_without_a_verdict_is_one_clear_error(home: Path) -> None:
    with pytest.raises(UserError, match="has no verdict; run the window first"):
        sending.emit(site(home), Window(AFTER.end, AFTER.end.replace(hour=5)), no_options)


def no_options(service: str) -> Mapping[str, Any]:
    raise AssertionError(f"nobody asked for {service}")


def test_prometheus_reads_the_newest_window(home: Path) -> None:
    parser = pytest.importorskip("prometheus_client.parser", reason="prometheus-client is not installed")
    place = site(home, "\nemit: {prometheus: out/loan.prom}")
    assert sending.emit(place, BROKEN, no_options) == []
    text = (home / "out/loan.prom").read_text()
    families = {one.name: one for one in parser.text_string_to_metric_families(text)}
    values = {
        name: {tuple(one.labels[key] for key in one.labels if key != "endpoint"): one.value for one in family.samples}
        for name, family in families.items()
    }
    found = sending.judged(place, BROKEN)
    assert all(one.type == "gauge" and one.documentation for one in families.values())
    assert values["monitor_tasks_window_end_seconds"][()] == BROKEN.end.timestamp()
    assert values["monitor_tasks_status"][("CompletedWithViolations",)] == 1.0
    assert values["monitor_tasks_rows"] == {(name,): one.rows for name, one in found.reports.items()}
    assert values["monitor_tasks_findings"] == {
        (name, state): len(one.having(state)) for name, one in found.reports.items() for state in State
    }
    known = {
        (name, one.metric.name, one.metric.subject): one.metric.value
        for name, report in found.reports.items()
        for one in report.findings
        if one.metric and one.metric.value is not None
    }
    assert values["monitor_tasks_metric"] == known
    sending.emit(place, FIRST, no_options)
    assert (home / "out/loan.prom").read_text() == text
    sending.emit(place, AFTER, no_options)
    assert (
        f'monitor_tasks_window_end_seconds{{endpoint="loan-scoring"}} {AFTER.end.timestamp():.0f}'
        in (home / "out/loan.prom").read_text()
    )


@pytest.fixture(scope="module")
def aws() -> Iterator[Callable[[str], dict[str, str]]]:
    """What a client of moto's server is made with."""
    keys = {"aws_access_key_id": "a", "aws_secret_access_key": "b", "region_name": "us-east-1"}
    with moto_server() as address:
        yield lambda _: {**keys, "endpoint_url": address}


def published(options: Callable[[str], dict[str, str]], space: str) -> list[dict[str, Any]]:
    pages = boto3.client("cloudwatch", **options("")).get_paginator("list_metrics").paginate(Namespace=space)
    return [one for page in pages for one in page["Metrics"]]


def test_cloudwatch_has_every_monitors_numbers_once(
    home: Path, aws: Callable[[str], dict[str, str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    place = site(home, "\nemit: {cloudwatch: true}")
    assert any("more than two weeks old" in note for note in sending.emit(place, FIRST, no_options))
    monkeypatch.setattr(sending, "now", lambda: AFTER.end)
    for _ in range(2):
        assert sending.emit(place, BROKEN, aws) == []
    spaces = {name: namespace(name, Source("", "", "")) for name in MONITORS}
    names = {monitor: {one["MetricName"] for one in published(aws, space)} for monitor, space in spaces.items()}
    columns = json.loads((home / "artifacts/loan-scoring/data_quality/2026/01/01/02/statistics.json").read_bytes())
    assert {f"feature_non_null_{one['name']}" for one in columns["features"]} <= names["data_quality"]
    assert "feature_baseline_drift_income" in names["data_quality"]
    assert {"auc", "recall", "f2"} <= names["model_quality"]
    assert {"bias_metric_DPPL", "bias_metric_AD"} <= names["bias"]
    assert {"feature_income", "ExpectedValue"} <= names["attribution"]
    (income,) = [one for one in columns["features"] if one["name"] == "income"]
    told = boto3.client("cloudwatch", **aws("")).get_metric_statistics(
        Namespace=spaces["data_quality"], MetricName="feature_data_income", Period=3600,
        Dimensions=[{"Name": "Endpoint", "Value": "loan-scoring"},
                    {"Name": "MonitoringSchedule", "Value": "data_quality"}],
        StartTime=BROKEN.start, EndTime=AFTER.end, Statistics=["Sum", "Minimum", "Maximum", "SampleCount"],
    )["Datapoints"]  # fmt: skip
    known = income["numerical_statistics"]
    assert [(one["Sum"], one["Minimum"], one["Maximum"], one["SampleCount"]) for one in told] == [
        (known["sum"], known["min"], known["max"], known["common"]["num_present"])
    ]


def test_a_request_that_was_confirmed_is_not_counted_again(
    home: Path, aws: Callable[[str], dict[str, str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """On every try the second request fails for good; what was confirmed before it is counted once all the same."""
    monkeypatch.setattr(sending, "now", lambda: AFTER.end)
    monkeypatch.setattr(outside, "BATCH", 9)
    monkeypatch.setattr("botocore.retries.standard.ExponentialBackoff.delay_amount", lambda *_: 0)
    place, tries = site(home, "\nemit: {cloudwatch: true}"), 0
    with FaultyProxy(aws("")["endpoint_url"]) as proxy:
        proxy.next = ["", *REFUSED]
        while not is_sent(place, lambda _: {**aws(""), "endpoint_url": proxy.address}):
            tries += 1
            proxy.next = ["", *REFUSED]
    assert (tries, proxy.injected["slow down"]) == (3, 3 * len(REFUSED))
    counts = counted(aws, FIRST)
    columns = json.loads((home / "artifacts/loan-scoring/data_quality/2026/01/01/01/statistics.json").read_bytes())
    sets = {
        f"feature_data_{one['name']}": one["numerical_statistics"]["common"]["num_present"]
        for one in columns["features"] if "numerical_statistics" in one
    }  # fmt: skip
    assert len(counts) > 9 * tries
    assert {name: count for name, count in counts.items() if count != 1} == sets


def is_sent(place: Site, options: Callable[[str], dict[str, str]]) -> bool:
    try:
        sending.emit(place, FIRST, options)
    except UserError:
        return False
    return True


def counted(options: Callable[[str], dict[str, str]], window: Window) -> dict[str, float]:
    """How many samples CloudWatch has of every metric at the end of a window."""
    client, found = boto3.client("cloudwatch", **options("")), dict[str, float]()
    for space in (namespace(name, Source("", "", "")) for name in MONITORS):
        for one in published(options, space):
            told = client.get_metric_statistics(
                Namespace=space, MetricName=one["MetricName"], Dimensions=one["Dimensions"], Period=3600,
                StartTime=window.end, EndTime=window.end + timedelta(hours=1), Statistics=["SampleCount"],
            )["Datapoints"]  # fmt: skip
            if told:
                found[one["MetricName"] if "data" in space else f"{space} {one}"] = told[0]["SampleCount"]
    return found


def test_the_alarms_of_the_documentation_watch_what_is_published(
    home: Path, aws: Callable[[str], dict[str, str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sending, "now", lambda: AFTER.end)
    sending.emit(site(home, "\nemit: {cloudwatch: true}"), AFTER, aws)
    page = (ROOT / "docs/alerts.md").read_text()
    alarms = [json.loads(one) for one in re.findall(r"```json\n(\{\n  \"AlarmName\".*?)```", page, re.DOTALL)]
    assert [one["Namespace"].rpartition("/")[2] for one in alarms] == [
        "data-metrics", "model-metrics", "bias-metrics", "explainability-metrics",
    ]  # fmt: skip
    client = boto3.client("cloudwatch", **aws(""))
    for alarm in alarms:
        client.put_metric_alarm(**alarm)
        known = [(one["MetricName"], one["Dimensions"]) for one in published(aws, alarm["Namespace"])]
        assert (alarm["MetricName"], alarm["Dimensions"]) in known
    assert len(client.describe_alarms()["MetricAlarms"]) == 4


def test_an_event_of_every_verdict_reaches_the_bus(home: Path, aws: Callable[[str], dict[str, str]]) -> None:
    queues, events = (boto3.client(one, **aws(one)) for one in ("sqs", "events"))
    url = queues.create_queue(QueueName="verdicts")["QueueUrl"]
    arn = queues.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    pattern = {"source": ["monitor-tasks"], "detail": {"status": ["CompletedWithViolations"]}}
    events.put_rule(Name="violations", EventPattern=json.dumps(pattern))
    events.put_targets(Rule="violations", Targets=[{"Id": "1", "Arn": arn}])
    place = site(home, "\nemit: {eventbridge: default}")
    for window in (FIRST, BROKEN, BROKEN):
        sending.emit(place, window, aws)
    got = queues.receive_message(QueueUrl=url, MaxNumberOfMessages=10)["Messages"]
    (event,) = [json.loads(one["Body"]) for one in got]
    detail = event["detail"]
    assert (event["detail-type"], detail["window"], detail["action"]) == ("Model Monitor Verdict", str(BROKEN), "alert")
    assert detail["exit_messages"]["data_quality"] == (
        "CompletedWithViolations: Job completed successfully with 2 violations."
    )
    assert [one["subject"] for one in detail["violations"]] == ["debt_to_income", "home_ownership"]
    assert (detail["violation_count"], detail["since"]) == (2, format_time(BROKEN.start))


class Bus:
    """Takes events, but for moods: it refuses, or the process ends before or after it has taken one."""

    def __init__(self, moods: list[str]) -> None:
        self.moods, self.got = iter(moods), list[dict[str, Any]]()

    def __call__(self, _: Any, bus: str, kind: str, detail: dict[str, Any]) -> None:
        mood = next(self.moods, "works")
        if mood == "refuses":
            raise UserError(f"{bus}: no")
        if mood == "dies before":
            raise Killed
        self.got.append(detail)
        if mood == "dies after":
            raise Killed


@settings(max_examples=12)
@given(
    st.lists(st.tuples(st.sampled_from(["judge", "restate", "emit"]), st.integers(0, 1)), max_size=8),
    st.lists(st.sampled_from(["works", "refuses", "dies before", "dies after"]), max_size=8),
)
def test_every_verdict_is_told_at_least_once_and_by_one_key(steps: list[tuple[str, int]], moods: list[str]) -> None:
    """Judged, run again, restated and told in any order, with faults between: the first time and every later one."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(outside, "put_event", bus := Bus(moods))
        place, known = Site(load_endpoint("e.yaml", TOLD.format(root=next(ROOMS)), "/")), dict[Window, int]()
        for step, number in steps:
            window = HOURS[number]
            known[window] = known.get(window, 0) + (step == "restate" or window not in known)
            decided(place, window, known[window])
            if step == "emit":
                told(place, window)
        for window in known:
            while not told(place, window):
                """The next try."""
        newest = {str(window): f"e/{window}/{sending.judged(place, window).revision}" for window in known}
        assert {one["window"]: one["key"] for one in bus.got} == newest, "the last that was heard of each is its newest"
        different = {one["key"]: one for one in bus.got}
        assert all(one == different[one["key"]] for one in bus.got)
        assert len(bus.got) - len(different) <= moods.count("dies after")


def test_what_a_bus_that_was_down_missed_comes_with_a_later_run(monkeypatch: pytest.MonkeyPatch) -> None:
    place = Site(load_endpoint("e.yaml", TOLD.format(root=next(ROOMS)), "/"))
    monkeypatch.setattr(outside, "put_event", bus := Bus(["refuses"] * 3))
    monkeypatch.setattr(sending, "now", lambda: AFTER.end)
    for window in HOURS:
        decided(place, window, 1)
        assert told(place, window) is (window == AFTER)
    assert [one["window"] for one in bus.got] == [str(one) for one in (AFTER, FIRST, BROKEN, EMPTY)]
    assert place.store.entries("e/emitted/waiting") == []


def test_what_can_never_be_sent_holds_up_no_other_window_and_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    place = Site(load_endpoint("e.yaml", TOLD.format(root=next(ROOMS)), "/"))
    monkeypatch.setattr(outside, "put_event", Bus(["refuses"]))
    decided(place, FIRST, 1)
    assert not told(place, FIRST)
    for entry in place.store.entries("e/verdict"):
        place.store.delete(entry.key)  # as if somebody had removed it
    decided(place, AFTER, 1)
    for hours, left in ((1, 1), (24 * 14, 0)):
        monkeypatch.setattr(sending, "now", lambda hours=hours: AFTER.end + timedelta(hours=hours))
        (note,) = sending.emit(place, AFTER, lambda _: {})
        assert note == f"{FIRST}: not sent yet: e: {FIRST} has no verdict; run the window first"
        assert len(place.store.entries("e/emitted/waiting")) == left


def decided(place: Site, window: Window, number: int) -> None:
    """The verdict of a window; one with another number is another revision."""
    verdict = Verdict(
        endpoint=place.name, window=str(window), action=Action.REST, because=f"{number}", status=Status.COMPLETED
    )
    place.execution("verdict", window, {"number": f"{number}"}).commit({"verdict.json": verdict.to_json()})


def told(place: Site, window: Window) -> bool:
    """Whether a window was sent, by a process that may be killed."""
    try:
        sending.emit(place, window, lambda _: {})
    except (UserError, Killed):
        return False
    return True


def test_what_cannot_be_sent_is_one_error_and_the_rest_is_sent(home: Path) -> None:
    place = site(home, "\nemit: {eventbridge: default, prometheus: out/loan.prom}")
    gone = {"aws_access_key_id": "a", "aws_secret_access_key": "b", "region_name": "us-east-1",
            "endpoint_url": "http://127.0.0.1:9"}  # fmt: skip
    with pytest.raises(UserError, match="not everything was sent: eventbridge: events: Could not connect"):
        sending.emit(place, BROKEN, lambda _: gone)
    assert (home / "out/loan.prom").exists()


SCRIPT = """
import json, os
def postprocess_handler():
    found = json.load(open("constraint_violations.json"))["violations"]
    assert json.load(open(os.path.join(os.environ["output_path"], "statistics.json")))
    with open(os.environ["HEARD"], "a") as file:
        file.write(os.environ["sagemaker_monitoring_schedule_name"] + f" {len(found)}\\n")
    print("said by a script")
"""


def test_a_postprocess_script_runs_once_beside_the_files(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HEARD", str(home / "heard"))
    (home / "post.py").write_text(SCRIPT)
    place = site(home, "\nemit: {post_analytics_processor_script: post.py}")
    for _ in range(2):
        assert sending.emit(place, BROKEN, no_options) == []
    assert sending.emit(place, EMPTY, no_options) == []
    assert (home / "heard").read_text() == "data_quality 2\nmodel_quality 0\n"


@pytest.mark.parametrize(
    ("script", "said"),
    [
        ("def postprocess_handler():\n    raise ValueError('boom')\n", "ValueError: boom"),
        ("import sys\ndef postprocess_handler():\n    sys.exit(3)\n", "exit code 3"),
        ("import os\ndef postprocess_handler():\n    os.kill(os.getpid(), 9)\n", "exit code -9"),
        ("def preprocess_handler(record):\n    return record\n", "it has no function postprocess_handler(); add it"),
        ("def postprocess_handler(:\n", "SyntaxError"),
    ],
)
def test_a_postprocess_script_that_fails_is_told_and_harmless(home: Path, script: str, said: str) -> None:
    (home / "post.py").write_text(script)
    notes = sending.emit(site(home, "\nemit: {post_analytics_processor_script: post.py}"), BROKEN, no_options)
    assert len(notes) == 2
    assert all("post.py: postprocess_handler failed: " in note and said in note for note in notes)


def test_a_postprocess_script_that_was_changed_does_not_run(home: Path) -> None:
    (home / "post.py").write_text("raise SystemExit")
    pinned = f"post_analytics_processor_script: post.py, post_analytics_processor_sha256: {digest(b'other')}"
    with pytest.raises(UserError, match="post_analytics_processor_sha256 is another"):
        sending.emit(site(home, f"\nemit: {{{pinned}}}"), BROKEN, no_options)


def test_findings_go_out_as_openlineage_facets(home: Path, tmp_path: Path) -> None:
    client = pytest.importorskip("openlineage.client", reason="openlineage-python is not installed").OpenLineageClient
    log = tmp_path / "events"
    transport = {"type": "file", "log_file_path": str(log), "append": True}
    place = site(home, "\nemit: {openlineage: true}")
    for _ in range(2):
        sending.emit(place, BROKEN, no_options, client(config={"transport": transport}))
    (line,) = log.read_text().splitlines()
    event = json.loads(line)
    (dataset,) = event["inputs"]
    facets = dataset["inputFacets"]
    assert (event["eventType"], dataset["namespace"]) == ("COMPLETE", "file")
    assert facets["dataQualityMetrics"]["rowCount"] == sending.judged(place, BROKEN).reports["data_quality"].rows
    assert 100 < facets["dataQualityMetrics"]["columnMetrics"]["debt_to_income"]["nullCount"] < 200
    failed = [one["column"] for one in facets["dataQualityAssertions"]["assertions"] if not one["success"]]
    assert failed == ["debt_to_income", "home_ownership"]
    assert facets["dataQualityAssertions"]["_schemaURL"].startswith("https://openlineage.io/spec/facets/")
