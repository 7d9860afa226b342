"""The outbox: every message arrives at least once and in order, whatever fails, and what has arrived stays away."""

from collections.abc import Callable
from contextlib import suppress
from uuid import uuid4

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from monitor_tasks.io.notify import Outbox, deliver
from monitor_tasks.io.store import Store
from monitor_tasks.message import Message

WINDOW = "2026-01-01T00:00:00Z/PT1H"


class Killed(BaseException):
    """The process is gone."""


def outbox() -> Outbox:
    return Outbox(Store(f"memory://{uuid4().hex}"), "churn/alerts")


def message(about: str = "a", incident: str = "000001") -> Message:
    return Message(
        endpoint="churn", incident=incident, event="alert", severity="high", window=WINDOW, since="", subject="s",
        text=about, about=about,
    )  # fmt: skip


def resolved(place: Outbox) -> None:
    for letter in place.unresolved():
        place.resolve(letter, place.read(letter).model_copy(update={"event": "resolve"}))


def told(place: Outbox, *targets: str, failing: Callable[[str], bool] = lambda _: False) -> list[tuple[str, str, str]]:
    arrived = list[tuple[str, str, str]]()

    def send(target: str, one: Message) -> None:
        if failing(target):
            raise ConnectionError("down\nfor an hour")
        arrived.append((target, one.event, one.text))

    failures = deliver(place, {one: one for one in targets}, send)
    assert all(one.because == "ConnectionError: down for an hour" for one in failures)
    assert all(failing(one.target) for one in failures)
    return arrived


def test_the_same_verdict_is_told_once() -> None:
    place = outbox()
    for _ in range(3):
        place.announce("chat", message())
        told(place, "chat")
    place.announce("chat", message("b"))
    assert told(place, "chat") == [("chat", "alert", "b")]
    assert told(place, "chat") == []


def test_a_failed_target_holds_up_no_other_and_is_told_later_in_order() -> None:
    place = outbox()
    for about in "ab":
        for target in ("chat", "mail"):
            place.announce(target, message(about))
    resolved(place)
    every = [("alert", "a"), ("alert", "b"), ("resolve", "b")]
    assert told(place, "chat", "mail", failing=lambda one: one == "chat") == [("mail", *one) for one in every]
    assert told(place, "chat", "mail") == [("chat", *one) for one in every]
    assert place.waiting() == []


def test_a_receiver_that_is_down_for_an_hour_misses_nothing_and_gets_nothing_twice() -> None:
    """A window every five minutes, by a clock of the test: each lays an alert into the outbox and sends what waits."""
    place, clock, arrived = outbox(), [0], dict[int, list[tuple[str, str, str]]]()
    for minute in range(0, 90, 5):
        clock[0] = minute
        for target in ("chat", "mail"):
            place.announce(target, message(f"{minute:02d}"))
        arrived[minute] = told(place, "chat", "mail", failing=lambda one: one == "chat" and 10 <= clock[0] < 70)
    mails = [("mail", "alert", f"{minute:02d}") for minute in range(0, 90, 5)]
    assert [one for found in arrived.values() for one in found if one[0] == "mail"] == mails
    chats = {minute: [text for target, _, text in found if target == "chat"] for minute, found in arrived.items()}
    assert chats.pop(70) == [f"{minute:02d}" for minute in range(10, 75, 5)], "all that had waited, in order"
    assert {minute: found for minute, found in chats.items() if found} == {
        minute: [f"{minute:02d}"] for minute in (0, 5, 75, 80, 85)
    }


def test_an_incident_that_comes_back_is_told_and_resolved_again() -> None:
    place = outbox()
    for about in "ab":
        place.announce("chat", message(about))
        resolved(place)
        resolved(place)
        assert place.unresolved() == []
    assert told(place, "chat") == [(("chat", event, about)) for about in "ab" for event in ("alert", "resolve")]


def test_the_end_goes_only_where_the_alert_went() -> None:
    place = outbox()
    place.announce("chat", message())
    place.announce("mail", message("other", "Failed"))
    resolved(place)
    assert [(one.target, one.incident, one.event) for one in place.waiting()] == [
        ("chat", "000001", "alert"), ("chat", "000001", "resolve"),
        ("mail", "Failed", "alert"), ("mail", "Failed", "resolve"),
    ]  # fmt: skip


def test_a_target_that_is_no_longer_configured_gets_nothing() -> None:
    place = outbox()
    place.announce("chat", message())
    assert told(place, "mail") == []
    assert told(place, "chat") == [("chat", "alert", "a")]


def test_a_kill_between_delivery_and_receipt_tells_again() -> None:
    place, arrived = outbox(), list[str]()
    place.announce("chat", message())

    def dying(_: str, one: Message) -> None:
        arrived.append(one.key)
        raise Killed

    with pytest.raises(Killed):
        deliver(place, {"chat": "chat"}, dying)
    deliver(place, {"chat": "chat"}, lambda _, one: arrived.append(one.key))
    assert arrived == ["churn/000001", "churn/000001"]
    assert told(place, "chat") == []


class Moody:
    """A receiver, and a process that delivers to it, each of which may fail at any message."""

    def __init__(self, moods: list[str]) -> None:
        self.moods = iter(moods)
        self.arrived = list[tuple[str, str, str]]()

    def __call__(self, _: str, one: Message) -> None:
        mood = next(self.moods, "works")
        if mood == "dies before":
            raise Killed
        if mood == "refuses":
            raise ConnectionError
        self.arrived.append((one.incident, one.event, one.text))
        if mood == "dies after":
            raise Killed

    def run(self, place: Outbox) -> None:
        with suppress(Killed):
            deliver(place, {"chat": "chat"}, self)


@settings(max_examples=25)
@given(
    st.lists(st.tuples(st.sampled_from(["alert", "resolve", "deliver"]), st.integers(0, 2)), max_size=25),
    st.lists(st.sampled_from(["works", "refuses", "dies before", "dies after"]), min_size=1, max_size=40),
)
def test_every_message_arrives_at_least_once_and_in_order(steps: list[tuple[str, int]], moods: list[str]) -> None:
    place, receiver, laid = outbox(), Moody(moods), list[tuple[str, str, str]]()
    for number, (step, incident) in enumerate(steps):
        if step == "alert":
            place.announce("chat", message(str(number), f"{incident:06d}"))
            laid.append((f"{incident:06d}", "alert", str(number)))
        elif step == "resolve":
            laid += [(one.incident, "resolve", place.read(one).text) for one in place.unresolved()]
            resolved(place)
        else:
            receiver.run(place)
    for _ in range(len(moods) + 1):
        receiver.run(place)
    assert place.waiting() == []
    for incident in {one[0] for one in laid}:
        mine = [one for one in receiver.arrived if one[0] == incident]
        assert list(dict.fromkeys(mine)) == [one for one in laid if one[0] == incident]
