"""Airflow's notifiers, one for each kind of target: the package below writes the text and knows none of them.

A notifier is never called as a function: that would render its texts as templates, and they hold names of columns.
"""

from hashlib import sha256
from html import escape
from typing import Any

from monitor_tasks.endpoint import Target
from monitor_tasks.message import Message
from monitor_tasks.value import UserError

SECONDS = 30
"""How long a receiver may take to answer."""
URGENCY = {"low": "info", "medium": "warning", "high": "critical"}
"""PagerDuty's words for our severities."""


def send(target: Target, message: Message) -> None:
    """Delivers one message, or raises.

    Raises:
        UserError: Airflow has no such connection, or the notifier's package is not installed.
    """
    from airflow.sdk import BaseHook
    from airflow.sdk.exceptions import AirflowNotFoundException

    said = f"{message.endpoint}: alerts: {target.label}"
    notifier, package = NOTIFIERS[target.kind]
    try:
        BaseHook.get_connection(target.conn_id)  # some hooks would fall back to another in silence
        notifier(target, message).notify({})
    except AirflowNotFoundException as error:
        told = f"{said}: Airflow has no connection {target.conn_id}; add it, or correct conn_id in the endpoint's file"
        raise UserError(told) from error
    except ImportError as error:
        told = f"{said}: {target.kind} needs {package}; install it where Airflow's tasks run ({error})"
        raise UserError(told) from error


def sns(target: Target, message: Message) -> Any:
    """A topic's message; its attributes are what subscriptions filter by. A subject there is ASCII and short."""
    from airflow.providers.amazon.aws.notifications.sns import SnsNotifier

    known = ("endpoint", "event", "severity", "owner", "key")
    return SnsNotifier(
        aws_conn_id=target.conn_id,
        target_arn=target.to,
        subject=message.subject.encode("ascii", "replace").decode()[:99],
        message=message.text,
        message_attributes={name: value for name in known if (value := getattr(message, name))},
        region_name=target.to.split(":")[3] if target.to.count(":") >= 5 else None,
    )


def slack(target: Target, message: Message) -> Any:
    """A message in the channel of the incoming webhook; nothing in it can mention anybody."""
    from airflow.providers.slack.notifications.slack_webhook import SlackWebhookNotifier

    subject, text = (escape(one, quote=False) for one in (message.subject, message.text))
    return SlackWebhookNotifier(slack_webhook_conn_id=target.conn_id, text=f"*{subject}*\n{text}", timeout=SECONDS)


def pagerduty(target: Target, message: Message) -> Any:
    """An event of one PagerDuty incident per episode, which the end of the episode resolves."""
    from airflow.providers.pagerduty.notifications.pagerduty import PagerdutyNotifier

    return PagerdutyNotifier(
        pagerduty_events_conn_id=target.conn_id,
        summary=message.subject[:1024],
        severity=URGENCY[message.severity],
        source=message.endpoint,
        action="trigger" if message.event == "alert" else "resolve",
        dedup_key=message.key,
        custom_details={"text": message.text, "window": message.window, "owner": message.owner, **message.links},
    )


def email(target: Target, message: Message) -> Any:
    """An e-mail; all mails of an incident are one conversation. The sender is the connection's."""
    from airflow.providers.smtp.notifications.smtp import SmtpNotifier

    return SmtpNotifier(
        smtp_conn_id=target.conn_id,
        to=[one.strip() for one in target.to.split(",")],
        subject=message.subject,
        html_content=f"<pre>{escape(message.text)}</pre>",
        custom_headers={"References": f"<{message.key.replace('/', '.')}@monitor-tasks>"},
    )


def webhook(target: Target, message: Message) -> Any:
    """The message as JSON, posted to the connection's host; a header that is the same when it is sent again."""
    from airflow.providers.http.notifications.http import HttpNotifier

    return HttpNotifier(
        http_conn_id=target.conn_id,
        endpoint=target.to,
        json={"key": message.key, **message.model_dump(mode="json")},
        headers={"Idempotency-Key": sha256(message.to_json()).hexdigest()[:32]},
        extra_options={"timeout": SECONDS},
    )


NOTIFIERS = {
    "sns": (sns, "apache-airflow-providers-amazon"),
    "slack": (slack, "apache-airflow-providers-slack"),
    "pagerduty": (pagerduty, "apache-airflow-providers-pagerduty"),
    "email": (email, "apache-airflow-providers-smtp"),
    "webhook": (webhook, "apache-airflow-providers-http"),
}
