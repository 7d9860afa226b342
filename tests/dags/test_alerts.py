"""Airflow's real notifiers against servers that are not ours, and an episode told by the DAG from begin to end."""

import json
import shutil
import socketserver
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import boto3
import pytest

ROOT = Path(__file__).resolve().parents[2]
WINDOW = "2026-01-01T01:00:00Z/PT1H"
EVIL = "{{ 7 * 7 }} <!channel> <b>ü</b>"
"""What a column may be called: nothing of it is rendered, mentions anybody or becomes markup."""

SEND = """
import json, sys
sys.path.append({folder!r})
from uuid import uuid4
from monitor_notifiers import send
from monitor_tasks.endpoint import Target
from monitor_tasks.io.notify import Outbox, deliver
from monitor_tasks.io.store import Store
from monitor_tasks.message import Message

targets = {{one.label: one for one in (Target.model_validate(one) for one in json.loads({targets!r}))}}
outbox = Outbox(Store("memory://" + uuid4().hex), "churn/alerts")
alert = Message(endpoint="churn", incident="000001", event="alert", severity="high", owner="team", window={window!r},
    since="2026-01-01T01:00:00Z", subject="[high] churn: 1 violation of " + {evil!r}, text={evil!r}, about="a")
for target in targets:
    outbox.announce(target, alert)
    for letter in outbox.unresolved():
        outbox.resolve(letter, alert.model_copy(update={{"event": "resolve"}}))
rounds = [{{one.target: one.because for one in deliver(outbox, targets, send)}} for _ in range({rounds})]
print(json.dumps(rounds))
"""


class Receiver(ThreadingHTTPServer):
    """Takes what is posted, but for the first requests, which it refuses in different ways."""

    def __init__(self, refusals: int = 0) -> None:
        super().__init__(("127.0.0.1", 0), Taking)
        self.refusals, self.tried = refusals, 0
        self.got = list[tuple[str, dict[str, str], Any]]()

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


class Taking(BaseHTTPRequestHandler):
    server: Receiver

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.tried += 1
        if self.server.tried <= self.server.refusals:
            if self.server.tried % 2:
                self.connection.close()
                return
            self.send_error(503)
            return
        self.server.got.append((self.path, dict(self.headers), json.loads(body)))
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b'{"dedup_key": "k"}' if "enqueue" in self.path else b"ok")

    def log_message(self, *_: Any) -> None:
        """Says nothing."""


class Mailbox(socketserver.ThreadingTCPServer):
    """The least that a mail server says."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Taken)
        self.mails = list[str]()


class Taken(socketserver.StreamRequestHandler):
    server: Mailbox

    def handle(self) -> None:
        self.wfile.write(b"220 here\r\n")
        for line in iter(self.rfile.readline, b""):
            word = line[:4].upper().strip()
            if word == b"DATA":
                self.wfile.write(b"354 go on\r\n")
                mail = b"".join(iter(self.rfile.readline, b".\r\n"))
                self.server.mails.append(mail.decode())
            self.wfile.write(b"221 bye\r\n" if word == b"QUIT" else b"250 ok\r\n")
            if word == b"QUIT":
                return


def served(server: Any) -> Iterator[Any]:
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield server
    server.shutdown()
    server.server_close()


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    yield from served(Receiver())


@pytest.fixture
def failing() -> Iterator[Receiver]:
    yield from served(Receiver(refusals=3))


@pytest.fixture
def mailbox() -> Iterator[Mailbox]:
    yield from served(Mailbox())


def sending(targets: list[dict[str, Any]], rounds: int = 1) -> str:
    told = {"targets": json.dumps(targets), "window": WINDOW, "evil": EVIL, "rounds": rounds}
    return SEND.format(folder=str(ROOT / "dags"), **told)


def test_a_topic_a_mailbox_and_a_webhook_get_the_message_as_it_is(
    in_airflow: Callable[..., Any], moto: str, receiver: Receiver, mailbox: Mailbox
) -> None:
    keys = {"endpoint_url": moto, "region_name": "eu-central-1",
            "aws_access_key_id": "a", "aws_secret_access_key": "b"}  # fmt: skip
    topics, queues = boto3.client("sns", **keys), boto3.client("sqs", **keys)
    topic = topics.create_topic(Name="alerts")["TopicArn"]
    url = queues.create_queue(QueueName="alerts")["QueueUrl"]
    arn = queues.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    topics.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn)
    targets = [
        {"kind": "sns", "conn_id": "cloud", "to": topic},
        {"kind": "email", "conn_id": "mail", "to": "a@example.com, b@example.com"},
        {"kind": "webhook", "conn_id": "hook", "to": "/tickets"},
        {"kind": "webhook", "conn_id": "nobody"},
    ]
    mail = {"conn_type": "smtp", "host": "127.0.0.1", "port": mailbox.server_address[1],
            "extra": {"disable_ssl": True, "disable_tls": True, "from_email": "monitor@example.com"}}  # fmt: skip
    cloud = {"conn_type": "aws", "login": "a", "password": "b", "extra": {"endpoint_url": moto}}
    (failed,) = in_airflow(
        sending(targets),
        AIRFLOW_CONN_CLOUD=json.dumps(cloud),
        AIRFLOW_CONN_MAIL=json.dumps(mail),
        AIRFLOW_CONN_HOOK=receiver.address,
    )
    got = queues.receive_message(QueueUrl=url, MaxNumberOfMessages=10)["Messages"]
    assert list(failed) == ["nobody"]
    assert "churn: alerts: nobody: Airflow has no connection nobody; add it" in failed["nobody"]
    noted = [json.loads(one["Body"]) for one in got]
    assert sorted(one["MessageAttributes"]["event"]["Value"] for one in noted) == ["alert", "resolve"]
    assert {one["Message"] for one in noted} == {EVIL}
    assert {one["MessageAttributes"]["key"]["Value"] for one in noted} == {"churn/000001"}
    assert [(path, body["event"], body["key"], body["text"]) for path, _, body in receiver.got] == [
        ("/tickets", event, "churn/000001", EVIL) for event in ("alert", "resolve")
    ]
    assert len(mailbox.mails) == 2
    assert all("References: <churn.000001@monitor-tasks>" in one for one in mailbox.mails)
    assert all("To: a@example.com, b@example.com" in one for one in mailbox.mails)


def test_a_receiver_that_fails_at_times_gets_everything_in_the_end(
    in_airflow: Callable[..., Any], failing: Receiver
) -> None:
    targets = [{"kind": "webhook", "conn_id": "hook", "name": name} for name in ("one", "two")]
    rounds = in_airflow(sending(targets, 5), AIRFLOW_CONN_HOOK=failing.address)
    assert [sorted(one) for one in rounds] == [["one", "two"], ["one"], [], [], []]
    assert [body["event"] for _, _, body in failing.got] == ["alert", "resolve"] * 2
    keys = [headers["Idempotency-Key"] for _, headers, _ in failing.got]
    assert len(set(keys)) == 2
    assert failing.tried == 7


def test_slack_and_pagerduty_get_it_or_their_package_is_named(
    in_airflow: Callable[..., Any], receiver: Receiver
) -> None:
    targets = [{"kind": "slack", "conn_id": "chat"}, {"kind": "pagerduty", "conn_id": "duty"}]
    chat = {"conn_type": "slackwebhook", "host": f"{receiver.address}/services", "password": "T0/B0/secret"}
    elsewhere = f"import pagerduty; pagerduty.EventsApiV2Client.url = property(lambda _: {receiver.address!r}, print)\n"
    there = {one for one in ("slack", "pagerduty") if find_spec(f"airflow.providers.{one}")}
    (failed,) = in_airflow(
        (elsewhere if "pagerduty" in there else "") + sending(targets),
        AIRFLOW_CONN_CHAT=json.dumps(chat),
        AIRFLOW_CONN_DUTY=json.dumps({"conn_type": "pagerduty_events", "password": "k" * 32}),
    )
    assert set(failed) == {"chat", "duty"} - {{"slack": "chat", "pagerduty": "duty"}[one] for one in there}
    for label, kind in (("chat", "slack"), ("duty", "pagerduty")):
        assert kind in there or f"{kind} needs apache-airflow-providers-{kind}; install it" in failed[label]
    told = [body for path, _, body in receiver.got if "services" in path]
    assert all("&lt;!channel&gt;" in one["text"] and "{{ 7 * 7 }}" in one["text"] for one in told)
    events = [body for path, _, body in receiver.got if "enqueue" in path]
    assert [(one["event_action"], one["dedup_key"]) for one in events] == (
        [("trigger", "churn/000001"), ("resolve", "churn/000001")] if "pagerduty" in there else []
    )


RUN = """
import json, sys
sys.path.append({folder!r})
import monitor_endpoints
from monitor_tasks.window import parse_time
from airflow.models.asset import AssetEvent
from airflow.models.taskinstance import TaskInstance
from airflow.utils.session import create_session
dag, states = vars(monitor_endpoints)["monitor__loan-scoring"], []
for hour in (2, 5):
    run = dag.test(logical_date=parse_time(f"2026-01-01T0{{hour}}:00:00Z"))
    with create_session() as session:
        found = session.query(TaskInstance).filter_by(run_id=run.run_id).all()
        states.append({{one.task_id: str(one.state) for one in found}})
with create_session() as session:
    told = session.query(AssetEvent).filter_by(source_dag_id=dag.dag_id).order_by(AssetEvent.id)
    events = [one.extra for one in told]
print(json.dumps({{"states": states, "events": events,
    "after": sorted(dag.get_task("choose_action").downstream_task_ids)}}))
"""


def test_the_dag_tells_an_episode_and_its_end(
    in_airflow: Callable[..., Any], airflow: Any, receiver: Receiver, tmp_path: Path
) -> None:
    shutil.copytree(ROOT / "dags", tmp_path / "dags")
    path = tmp_path / "dags/endpoints/loan-scoring.yaml"
    text = path.read_text().replace("root: artifacts", "root: told").replace("reference_labelled", "reference")
    head, _, tail = text.partition("  model_quality:")  # data quality alone: it is enough for an episode
    path.write_text(
        head + tail[tail.index("retraining:") :]
        + "alerts: [{kind: webhook, conn_id: hook}]\n"
        + "emit: {asset: true, prometheus: told/loan.prom}\n"
    )  # fmt: skip
    shutil.copytree(tmp_path / "dags", (bundle := tmp_path / "bundle"))
    airflow.run("dags", "reserialize")
    told = in_airflow(
        RUN.format(folder=str(bundle)), AIRFLOW_CONN_HOOK=receiver.address, AIRFLOW__CORE__DAGS_FOLDER=str(bundle)
    )
    assert told["after"] == ["alert", "emit_metrics", "rest", "trigger_retraining"]
    boxes = [{box: one[box] for box in told["after"]} for one in told["states"]]
    assert boxes == [
        {"alert": "success", "emit_metrics": "success", "rest": "skipped", "trigger_retraining": "skipped"},
        {"alert": "success", "emit_metrics": "success", "rest": "success", "trigger_retraining": "skipped"},
    ]
    assert [(body["event"], body["window"], body["key"]) for _, _, body in receiver.got] == [
        ("alert", WINDOW, "loan-scoring/000001"),
        ("resolve", "2026-01-01T04:00:00Z/PT1H", "loan-scoring/000001"),
    ]
    assert [(one["window"], one["action"]) for one in told["events"]] == [
        (WINDOW, "alert"),
        ("2026-01-01T04:00:00Z/PT1H", "rest"),
    ]
    home = Path(airflow.environment["MONITOR_TASKS_HOME"])
    assert (
        b'monitor_tasks_status{endpoint="loan-scoring",status="Completed"} 1' in (home / "told/loan.prom").read_bytes()
    )
