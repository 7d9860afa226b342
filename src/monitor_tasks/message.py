"""Message: what somebody is told of an episode, and who is told."""

from collections.abc import Mapping
from typing import Literal, NamedTuple

from pydantic import Field

from monitor_tasks.endpoint import Target
from monitor_tasks.policy import Severity
from monitor_tasks.value import Artifact


class Routing(NamedTuple):
    """What decides who is told of a verdict, and since when it holds."""

    severity: Severity
    owner: str = ""
    since: str = ""
    """The start of the first window that it holds of."""


class Message(Artifact):
    """One message, as it lies in the outbox until it is delivered."""

    endpoint: str
    incident: str
    """The episode; of an alert without one what it is about, such as ``Failed``."""
    event: Literal["alert", "resolve"]
    severity: Severity
    owner: str = ""
    window: str
    """The window that is told of."""
    since: str
    subject: str
    """One line."""
    text: str
    links: Mapping[str, str] = Field(default_factory=dict)
    """Where the reports lie, by monitor."""
    about: str = ""
    """The hash of the verdict that is told of: one verdict is told once."""

    @property
    def key(self) -> str:
        """What receivers tell one incident from another by; the same in all its messages."""
        return f"{self.endpoint}/{self.incident}"


def is_for(target: Target, routing: Routing) -> bool:
    """Whether a target is told of alerts with this severity and owner.

    >>> is_for(Target(kind="slack", conn_id="chat", severities=(Severity.HIGH,)), Routing(Severity.LOW))
    False
    """
    return routing.severity in target.severities and target.owner in ("", routing.owner)
