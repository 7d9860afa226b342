"""Time and peak memory of a call in a fresh process, and how the costs of two of them compare."""

import gc
import resource
import sys
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from importlib import import_module
from multiprocessing import get_context
from pathlib import Path
from statistics import median
from time import perf_counter, process_time
from typing import Literal, NamedTuple

Call = Callable[[], "int | Cost | None"]
"""What is timed. One that answers with a cost has measured the time itself, and the memory where it ran elsewhere."""
Side = Callable[[Path], Call]
"""From the folder of inputs to the call: libraries and what was stored before are loaded outside it."""


def warm(*more: str) -> None:
    """Pandas is loaded by pyarrow at its first conversion, others at their first use: all before the clock runs."""
    for name in ("pandas", *more):
        import_module(name)


class Cost(NamedTuple):
    """What one call took."""

    seconds: float
    megabytes: float = 0.0
    """Peak of the whole process: libraries and what was loaded before the call included."""
    answer: int | None = None
    """What was found; two sides that both say so must say the same, else they did not do the same work."""
    note: str = ""
    """What a reader should know of it: versions, what was not counted."""
    busy: float = 0.0
    """Seconds of the processors, all threads together: where others use the machine they say more than the clock."""

    def __str__(self) -> str:
        time = f"{self.seconds:.2f} s" if self.seconds >= 1 else f"{self.seconds * 1000:.3g} ms"
        time += f" ({self.busy:.3g} s busy)" if self.busy else ""
        return f"{time}, {self.megabytes:.0f} MB" if self.megabytes else time


class NotMeasured(Exception):
    """A peer that cannot be had here, and why."""


class Target(NamedTuple):
    """What performance.md asks of a ratio: so many times better than a peer, or within so many times of a limit."""

    number: float
    kind: Literal["at least", "at most"] = "at least"
    of: Literal["time", "memory"] = "time"

    @property
    def text(self) -> str:
        """The target for a person."""
        return f"at most {self.number:g}× its {self.of}" if self.kind == "at most" else f"{self.number:g}×"

    def ratio(self, ours: Cost, theirs: Cost) -> float:
        """Theirs to ours where we want to be better, ours to theirs where we want to stay near."""
        mine, other = (ours.seconds, theirs.seconds) if self.of == "time" else (ours.megabytes, theirs.megabytes)
        return other / mine if self.kind == "at least" else mine / other

    def is_met(self, ratio: float) -> bool:
        """Whether the ratio is as good as was asked."""
        return ratio >= self.number if self.kind == "at least" else ratio <= self.number


class Peer(NamedTuple):
    """Whom we compare with: another way to do it, or a fixed cost; without targets the ratio is only shown."""

    name: str
    side: Side | Cost
    targets: tuple[Target, ...] = ()


class Step(NamedTuple):
    """One thing that the monitor does, and its peers."""

    name: str
    ours: Side
    peers: tuple[Peer, ...]


class Row(NamedTuple):
    """One line of the benchmark's table."""

    step: str
    ours: Cost
    peer: str
    theirs: Cost | None
    ratio: float | None
    """None, as the peer's cost, where it could not be measured; the verdict then says why."""
    target: str
    verdict: str

    @property
    def is_judged(self) -> bool:
        """Whether a target was there and could be held against a ratio."""
        return self.verdict in {"met", "not yet"}


def apart(side: Side, folder: Path) -> Cost:
    """The cost of one side in a fresh process."""
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        return pool.submit(here, side, folder).result()


def here(side: Side, folder: Path) -> Cost:
    """The cost of one side in this process."""
    call = side(folder)
    gc.collect()
    start, busy = perf_counter(), process_time()
    answer = call()
    if isinstance(answer, Cost):
        return answer._replace(megabytes=answer.megabytes or peak())
    return Cost(perf_counter() - start, peak(), answer, busy=process_time() - busy)


def compare(step: Step, folder: Path, rounds: int, cost: Callable[[Side, Path], Cost] = apart) -> list[Row]:
    """The rows of one step: all sides take turns, so that a busy minute of the machine meets each of them."""
    sides = [step.ours, *(peer.side for peer in step.peers)]
    turns = [[_tried(side, folder, cost) for side in sides] for _ in range(rounds)]
    ours, *theirs = [_middle(costs) for costs in zip(*turns, strict=True)]
    if isinstance(ours, NotMeasured):
        raise ours
    names = ("ours", *(peer.name for peer in step.peers))
    known = zip(names, (ours, *theirs), strict=True)
    answers = {name: one.answer for name, one in known if isinstance(one, Cost) and one.answer is not None}
    if len(set(answers.values())) > 1:
        raise AssertionError(f"{step.name}: the sides found different things: {answers}")
    return [
        _row(step.name, ours, peer, its, target)
        for peer, its in zip(step.peers, theirs, strict=True)
        for target in peer.targets or (None,)
    ]


def _tried(side: Side | Cost, folder: Path, cost: Callable[[Side, Path], Cost]) -> Cost | NotMeasured:
    try:
        return side if isinstance(side, Cost) else cost(side, folder)
    except NotMeasured as why:
        return why


def _row(step: str, ours: Cost, peer: Peer, theirs: Cost | NotMeasured, target: Target | None) -> Row:
    if isinstance(theirs, NotMeasured):
        return Row(step, ours, peer.name, None, None, target.text if target else "", f"not measured: {theirs}")
    if target is None:
        return Row(step, ours, peer.name, theirs, Target(0).ratio(ours, theirs), "", "")
    ratio = target.ratio(ours, theirs)
    return Row(step, ours, peer.name, theirs, ratio, target.text, "met" if target.is_met(ratio) else "not yet")


def _middle(costs: Sequence[Cost | NotMeasured]) -> Cost | NotMeasured:
    """The medians; what could not be measured in one of the turns was not measured."""
    known = [one for one in costs if isinstance(one, Cost)]
    if len(known) < len(costs):
        return next(one for one in costs if isinstance(one, NotMeasured))
    seconds, megabytes = median(one.seconds for one in known), median(one.megabytes for one in known)
    return known[0]._replace(seconds=seconds, megabytes=megabytes, busy=median(one.busy for one in known))


def peak(process: str = "self") -> float:
    """Peak resident megabytes; Linux's ru_maxrss would begin with what the parent held, its VmHWM does not."""
    status = Path(f"/proc/{process}/status")
    if status.exists():
        marks = dict(line.split(":", 1) for line in status.read_text().splitlines() if ":" in line)
        if "VmHWM" in marks:
            return int(marks["VmHWM"].split()[0]) / 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (2**20 if sys.platform == "darwin" else 2**10)
