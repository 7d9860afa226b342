"""CaptureWriter: records wait in memory for one thread that sends them as whole files; a call never waits for it.

offer -> drawn for -> a line of its hour's open file -> ready (large enough, old enough, closing) -> sent, or dropped
"""

import atexit
import logging
import os
import secrets
from collections import deque
from collections.abc import Mapping
from datetime import UTC, datetime
from threading import Condition, Thread
from time import monotonic
from typing import Literal, NamedTuple, Self
from uuid import uuid4
from weakref import WeakSet

from tenacity import RetryCallState, Retrying, wait_random_exponential

from monitor_tasks.capture.record import Call, as_line
from monitor_tasks.capture.settings import DataCaptureConfig
from monitor_tasks.io.store import Store, hour_folder
from monitor_tasks.window import now

log = logging.getLogger(__name__)

Drop = Literal["too_large", "overflowed", "undelivered", "unwritable"]
SAYS = {
    "working": "capture to %s works again; %d records were dropped so far",
    "failing": "capture to %s fails and is tried again, up to %d bytes wait for it: %s",
    "dropping": "capture to %s does not keep up and records are dropped: %s",
}


class Counts(NamedTuple):
    """What became of the calls of this process: sampled = captured + waiting + dropped at any moment."""

    sampled: int = 0
    captured: int = 0
    """Records in files that the store has taken."""
    waiting: int = 0
    too_large: int = 0
    """Dropped: a payload has more than ``body_bytes``."""
    overflowed: int = 0
    """Dropped: as much waits as may."""
    undelivered: int = 0
    """Dropped: the store did not say that it took the file, or the writer was closed."""
    unwritable: int = 0
    """Dropped: no record could be made of the call."""

    @property
    def dropped(self) -> int:
        """All that were sampled and will not be in any file."""
        return self.too_large + self.overflowed + self.undelivered + self.unwritable


DOUBTS = 1000
"""Files that were given up and are looked for later, at most."""


class _File:
    """The lines of one file to be."""

    def __init__(self, key: str, due: float) -> None:
        self.key = key
        self.due = due
        self.lines: list[bytes] = []
        self.size = 0


class CaptureWriter:
    """Writes sampled calls as rotating JSON Lines files; safe to use from any thread, and in forked workers.

    As a context manager it closes itself; it does so too when the process ends.
    """

    def __init__(self, config: DataCaptureConfig, credentials: Mapping[str, str] | None = None) -> None:
        """The writer of one endpoint's variant; `credentials` are the store's.

        Raises:
            StoreError: no kind of store is known for the destination.
        """
        self.config = config
        self._store = Store(config.destination, credentials)
        self._start_over()
        _WRITERS.add(self)
        atexit.register(self.close)

    def _start_over(self) -> None:
        """Nothing waits and no thread runs: so it begins, and so it is in a forked child, whose parent has the rest."""
        self._changed = Condition()
        self._counts = dict.fromkeys(Counts._fields, 0)
        self._bytes = 0
        self._open: dict[str, _File] = {}
        self._ready: deque[_File] = deque()
        self._doubts: deque[tuple[str, int]] = deque(maxlen=DOUBTS)
        self._is_full = False
        self._state = "working"
        self._thread: Thread | None = None
        self._deadline: float | None = None
        self._is_closed = False

    @property
    def counts(self) -> Counts:
        """What became of the calls so far."""
        with self._changed:
            return Counts(**self._counts)

    def offer(self, call: Call) -> None:
        """Draws for the call, and takes it if the draw says so; never waits for the store, never raises."""
        if self.sample():
            self.keep(call)

    def sample(self) -> bool:
        """Draws whether one call is captured."""
        return self.config.enable_capture and secrets.randbelow(100) < self.config.initial_sampling_percentage

    def keep(self, call: Call) -> None:
        """Takes a call that was drawn; never waits for the store, never raises."""
        try:
            if call.largest > self.config.body_bytes:
                self.drop("too_large")
            else:
                moment = (call.time or now()).astimezone(UTC)
                self._take(moment, as_line(call, moment, str(uuid4()), self.config))
        except Exception:  # noqa: BLE001 - whatever it is, it is no reason to fail a request
            self.drop("unwritable")

    def drop(self, why: Drop) -> None:
        """Counts a call that was drawn and will not be captured."""
        with self._changed:
            self._counts["sampled"] += 1
            self._counts[why] += 1

    def close(self) -> Counts:
        """Sends what waits, for at most ``closing_seconds``, and drops the rest; calls after it are dropped."""
        with self._changed:
            if self._deadline is None:
                self._deadline = monotonic() + self.config.closing_seconds
                self._changed.notify()
        if self._thread is not None:
            self._thread.join(max(0, self._deadline - monotonic()))
        with self._changed:
            is_first, self._is_closed = not self._is_closed, True
            self._counts["undelivered"] += self._counts["waiting"]
            self._counts["waiting"] = self._bytes = 0
            self._open.clear()
            self._ready.clear()
        atexit.unregister(self.close)
        if is_first and self.counts.dropped:
            log.warning("capture to %s is closed: %s", self._store.address, self.counts)
        return self.counts

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _take(self, moment: datetime, line: bytes) -> None:
        config, counts = self.config, self._counts
        with self._changed:
            if self._deadline is not None:
                self.drop("undelivered")
            elif self._bytes + len(line) > config.waiting_bytes or counts["waiting"] >= config.waiting_records:
                self._is_full = True
                self._changed.notify()
                self.drop("overflowed")
            else:
                self._append(moment, line)

    def _append(self, moment: datetime, line: bytes) -> None:
        """Adds the line to its hour's file; the thread is woken for a new file and for a large enough one only."""
        if self._thread is None:
            thread = Thread(target=self._send_files, name="capture-writer", daemon=True)
            thread.start()
            self._thread = thread
        folder = hour_folder(moment)
        file = self._open.get(folder)
        if file is None:
            name = f"{moment:%M-%S}-{moment.microsecond // 1000:03d}-{uuid4()}.jsonl"
            key = f"{self.config.endpoint_name}/{self.config.variant_name}/{folder}/{name}"
            file = self._open[folder] = _File(key, monotonic() + self.config.file_seconds)
            self._changed.notify()
        file.lines.append(line)
        file.size += len(line)
        self._bytes += len(line)
        self._counts["sampled"] += 1
        self._counts["waiting"] += 1
        if file.size >= self.config.file_bytes:
            self._ready.append(self._open.pop(folder))
            self._changed.notify()

    def _send_files(self) -> None:
        while file := self._next_file():
            self._send(file)

    def _next_file(self) -> _File | None:
        """The next file that is ready, waiting for it; None when the writer closes and none is left."""
        with self._changed:
            while not self._ready:
                at_once = self._is_full or self._deadline is not None
                for folder, file in list(self._open.items()):
                    if at_once or file.due <= monotonic():
                        self._ready.append(self._open.pop(folder))
                if not self._ready:
                    if self._deadline is not None:
                        return None
                    first = min((file.due for file in self._open.values()), default=None)
                    self._changed.wait(None if first is None else max(0, first - monotonic()))
            return self._ready.popleft()

    def _send(self, file: _File) -> None:
        """Sends the file, tried again while memory lasts for what comes meanwhile."""
        again = Retrying(
            wait=wait_random_exponential(0.5, max=30),
            stop=self._gives_up,
            sleep=self._pause,
            before_sleep=self._failed,
            reraise=True,
        )
        try:
            again(self._store.put, file.key, b"".join(file.lines))
        except Exception as error:  # noqa: BLE001 - the thread outlives whatever a store may raise
            self._settle(file, "undelivered", error)
            self._doubts.append((file.key, len(file.lines)))
        else:
            self._settle(file, "captured")
            self._settle_doubts()

    def _gives_up(self, _: RetryCallState) -> bool:
        return self._is_full or (self._deadline is not None and monotonic() >= self._deadline)

    def _pause(self, seconds: float) -> None:
        """Waits before the next attempt, until memory is full or the writer closes."""
        with self._changed:
            before = self._deadline
            longest = seconds if before is None else min(seconds, 0.2)
            self._changed.wait_for(lambda: self._is_full or self._deadline is not before, longest)

    def _failed(self, attempt: RetryCallState) -> None:
        error = attempt.outcome.exception() if attempt.outcome else None
        if self._state == "working":
            self._say("failing", self.config.waiting_bytes, error)

    def _settle(self, file: _File, fate: Literal["captured", "undelivered"], error: Exception | None = None) -> None:
        """Counts the file's records, unless closing has given them up."""
        with self._changed:
            if self._is_closed:
                return
            self._counts[fate] += len(file.lines)
            self._counts["waiting"] -= len(file.lines)
            self._bytes -= file.size
            was_full, self._is_full = self._is_full, False
        if was_full or error:
            self._say("dropping", error or "more comes than it takes")
        else:
            self._say("working", self.counts.dropped)

    def _settle_doubts(self) -> None:
        """Finds, now that the store answers, the files of which only its answer was lost: they are captured."""
        while self._doubts:
            key, records = self._doubts[0]
            try:
                has_arrived = self._store.has(key)
            except Exception:  # noqa: BLE001 - as in _send; it is asked again after the next file
                return
            self._doubts.popleft()
            with self._changed:
                if has_arrived and not self._is_closed:
                    self._counts["undelivered"] -= records
                    self._counts["captured"] += records

    def _say(self, state: str, *facts: object) -> None:
        """One warning for each change of state; by the thread, so that no request waits for a log."""
        if state != self._state:
            self._state = state
            log.warning(SAYS[state], self._store.address, *facts)


_WRITERS: WeakSet[CaptureWriter] = WeakSet()


def _start_over_in_child() -> None:
    for writer in _WRITERS:
        writer._start_over()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_start_over_in_child)
