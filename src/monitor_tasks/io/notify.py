"""The outbox: messages wait in the store until their target has confirmed them; who sends them is handed in.

Of every target and incident there are the alerts ``log/000001`` and on, for the last of them ``resolved/000002`` when
the incident is over, and a receipt of each message that was delivered. Nothing is ever changed, so a run that is killed
anywhere loses no message, and at worst one is delivered twice.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from typing import NamedTuple, TypeVar

from monitor_tasks.io.executions import append
from monitor_tasks.io.store import Exists, Store
from monitor_tasks.message import Message

T = TypeVar("T")

_BOX = r"(?P<box>log|resolved|receipts)/((?P<event>[a-z]+)-)?(?P<number>\d+)"
_KEY = re.compile(rf"(?P<target>[^/]+)/(?P<incident>[^/]+)/{_BOX}")
_EVENTS = {"log": "alert", "resolved": "resolve"}


class Letter(NamedTuple):
    """One message to one target: where it lies, below the outbox."""

    target: str
    incident: str
    number: int
    event: str
    """``alert`` or ``resolve``; in a sorted list an alert comes before the message that resolves it."""

    @property
    def key(self) -> str:
        """Where the message lies."""
        box = next(box for box, event in _EVENTS.items() if event == self.event)
        return f"{self.target}/{self.incident}/{box}/{self.number:06d}"

    @property
    def receipt(self) -> str:
        """Where it is noted that the message was delivered."""
        return f"{self.target}/{self.incident}/receipts/{self.event}-{self.number:06d}"


class Failure(NamedTuple):
    """A target that could not be reached, and why."""

    target: str
    because: str


class Outbox(NamedTuple):
    """The messages of one endpoint."""

    store: Store
    folder: str

    def announce(self, target: str, message: Message) -> None:
        """Lays an alert into the outbox; the same verdict, told again, is one."""

        def next_one(known: list[bytes]) -> bytes | None:
            is_told = any(Message.read(one, log).about == message.about for one in known)
            return None if is_told else message.to_json()

        log = f"{self.folder}/{target}/{message.incident}/log"
        append(self.store, log, next_one)

    def resolve(self, alert: Letter, message: Message) -> None:
        """Lays the message into the outbox that ends an incident after its last alert."""
        with suppress(Exists):
            self.store.create(f"{self.folder}/{alert._replace(event='resolve').key}", message.to_json())

    def read(self, letter: Letter) -> Message:
        """One message."""
        key = f"{self.folder}/{letter.key}"
        return Message.read(self.store.get(key), self.store.address_of(key))

    def unresolved(self) -> list[Letter]:
        """The last alert of every target's incidents that are not over."""
        letters = set(self._letters("log", "resolved"))
        last = {(one.target, one.incident): one for one in sorted(letters) if one.event == "alert"}
        return [one for one in last.values() if one._replace(event="resolve") not in letters]

    def waiting(self) -> list[Letter]:
        """The messages that no target has confirmed, each incident's in their order."""
        confirmed = {one.receipt for one in self._letters("receipts")}
        return sorted(one for one in self._letters("log", "resolved") if one.receipt not in confirmed)

    def confirm(self, letter: Letter) -> None:
        """Notes that a message was delivered."""
        with suppress(Exists):
            self.store.create(f"{self.folder}/{letter.receipt}", letter.key.encode())

    def _letters(self, *boxes: str) -> Iterator[Letter]:
        for entry in self.store.entries(self.folder):
            found = _KEY.fullmatch(entry.key.removeprefix(f"{self.folder}/"))
            if found and found["box"] in boxes:
                event = _EVENTS.get(found["box"], found["event"])
                yield Letter(found["target"], found["incident"], int(found["number"]), event)


def deliver(outbox: Outbox, targets: Mapping[str, T], send: Callable[[T, Message], None]) -> list[Failure]:
    """Sends every message that waits for one of the `targets`; one that fails keeps what is left for the next time.

    Args:
        outbox: Where the messages lie.
        targets: Those that are still configured, by what they are called.
        send: Delivers one message, or raises.
    """
    failures: dict[str, Failure] = {}
    for letter in outbox.waiting():
        if letter.target in failures or letter.target not in targets:
            continue
        try:
            send(targets[letter.target], outbox.read(letter))
        except Exception as error:  # noqa: BLE001 whatever a notifier raises, the other targets are told
            failures[letter.target] = Failure(letter.target, _line(error))
        else:
            outbox.confirm(letter)
    return list(failures.values())


def _line(error: Exception) -> str:
    """An error in one bounded line."""
    return " ".join(f"{type(error).__name__}: {error}".split())[:500]
