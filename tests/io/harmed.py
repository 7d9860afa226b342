"""The tiny endpoint, harmed: where it lies, on this disk or in a bucket; how it is killed; and what became of it."""

import json
import re
import shutil
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import count
from pathlib import Path
from queue import SimpleQueue
from typing import Any, NamedTuple

from monitor_tasks.io.store import Store
from tests import whole
from tests.io.conftest import Server
from tests.io.forked import Forker, Ran
from tests.io.torn import torn

Tree = dict[str, bytes]
Only = str | tuple[str, ...]


class Ground:
    """One endpoint's files, below a folder or a bucket's, and what became of them."""

    def __init__(self, home: Path, forker: Forker, root: str = "", server: Server | None = None) -> None:
        """The ground in `home`; with a `root` only what a process needs lies there, and the rest in the bucket."""
        self.home, self.forker, self.root = home, forker, root
        home.mkdir(parents=True, exist_ok=True)
        self.credentials = server and server.credentials
        self.store = Store(root.rstrip("/") or str(home), self.credentials)

    def lay(self, files: Mapping[str, bytes]) -> None:
        """Puts files there, in the order in which they are given."""
        for name, content in files.items():
            self.store.put(name, content)
        whole.written({name: content for name, content in files.items() if name == "endpoint.yaml"}, self.home)

    def call(self, does: str, *arguments: Any, **how: Any) -> Ran:
        """Calls a function of the tiny endpoint in a process of its own."""
        return self.forker.call(self.home, f"tests.whole:{does}", *arguments, **how)

    @property
    def tree(self) -> Tree:
        """All labels, and everything that was written below the root of the artifacts."""
        keys = [entry.key for folder in ("labels", "artifacts") for entry in self.store.entries(folder)]
        return {key: self.store.get(key) for key in keys}

    @property
    def torn(self) -> list[str]:
        """What is there and is not whole."""
        return torn(Store(self.store.address_of("artifacts"), self.credentials))

    @property
    def received(self) -> list[str]:
        """The messages that have arrived, each as often as it did."""
        path = self.home / whole.RECEIVED
        return path.read_text().splitlines() if path.exists() else []

    def restore(self, tree: Tree) -> None:
        """Makes labels and artifacts what they were, and forgets what was received."""
        shutil.rmtree(self.home / "artifacts", ignore_errors=True)  # with unfinished files, which no store shows
        for entry in (one for folder in ("labels", "artifacts") for one in self.store.entries(folder)):
            self.store.delete(entry.key)
        for key, content in tree.items():
            self.store.put(key, content)
        (self.home / whole.RECEIVED).unlink(missing_ok=True)


class Step(NamedTuple):
    """One verb of the story, and the trees before and after it where nothing happens to it."""

    does: tuple[Any, ...]
    before: Tree
    after: Tree
    received: list[str]


class Ends(NamedTuple):
    """What became of faults."""

    injected: int = 0
    survived: int = 0
    lost: int = 0
    torn: int = 0

    @classmethod
    def of(cls, some: Iterable["Ends"]) -> "Ends":
        """All of them together."""
        return cls(*map(sum, zip(cls(), *some, strict=True)))

    def __str__(self) -> str:
        return f"{self.injected} injected, {self.survived} survived, {self.lost} lost, {self.torn} half-written"

    @property
    def is_well(self) -> bool:
        """Whether something was injected, and nothing came of it."""
        return self.injected > 0 and self == Ends(self.injected, self.injected)


LATE = 100
"""So many labels of the hour arrive when it has been judged."""


def story(ground: Ground, only: Only = "") -> list[Step]:
    """An hour of a changed world, told by box; its late labels; its retraining. Nothing happens to it yet."""
    files = whole.laid_out(1, {0: 30.0}, ground.root, wrong=[0], only=only)
    (labels,) = (name for name in files if name.startswith("labels/"))
    lines = files[labels].splitlines(keepends=True)
    ground.lay({**files, labels: b"".join(lines[LATE:])})
    steps = [_step(ground, "sentence", 0, box) for box in json.loads(ground.call("boxes").said)]
    ground.lay({labels.replace("part", "late"): b"".join(lines[:LATE])})
    return [*steps, _step(ground, "restate"), _step(ground, "retrain", 0)]


def _step(ground: Ground, *does: Any) -> Step:
    before = ground.tree
    ground.restore(before)
    ran = ground.call(*does)
    assert ran.code == 0, ran
    return Step(does, before, ground.tree, ground.received)


def killed(grounds: Sequence[Ground], only: Only = "", every: int = 1) -> Ends:
    """Kills each step of the story at its first write and every so many after it, and runs it again."""
    with ThreadPoolExecutor(len(grounds)) as pool:
        told = list(pool.map(lambda ground: story(ground, only), grounds))
        free: SimpleQueue[int] = SimpleQueue()
        for place in range(len(grounds)):
            free.put(place)

        def sweep(number: int) -> Ends:
            place = free.get()
            try:
                return Ends.of(_until_it_ends(grounds[place], told[place][number], every))
            finally:
                free.put(place)

        return Ends.of(pool.map(sweep, range(len(told[0]))))


def _until_it_ends(ground: Ground, step: Step, every: int) -> Iterator[Ends]:
    """The step killed at its first write, at another one after it, …, until it has no such write."""
    for number in count(1, every):
        ground.restore(step.before)
        ran = ground.call(*step.does, dies_at=number)
        if ran.code == 0:
            assert ground.tree == step.after
            return
        assert ran.code == -9, ran
        half, again = ground.torn, ground.call(*step.does)
        is_same = again.code == 0 and ground.tree == step.after and not ground.torn
        yield Ends(1, int(is_same), len({*step.received} - {*ground.received}), len(half))


def raced(ground: Ground, rounds: int, only: Only = "") -> Ends:
    """Four runs of one hour at once, so many times; each round is injected, and ends like one run alone or not."""
    ground.lay(whole.laid_out(1, {0: 30.0}, ground.root, wrong=[0], only=only))
    alone = _step(ground, "sentence", 0)
    return Ends.of(_race(ground, alone) for _ in range(rounds))


def _race(ground: Ground, alone: Step) -> Ends:
    ground.restore(alone.before)
    ends = ground.forker.calls(ground.home, "tests.whole:sentence", 0, times=4)
    is_same = [one.code for one in ends] == [0] * 4 and ground.tree == alone.after
    return Ends(1, int(is_same), len({*alone.received} - {*ground.received}), len(ground.torn))


def handed_over(tree: Tree) -> tuple[int, int, int]:
    """How many verdicts, episodes and hand-overs there are."""
    kinds = (r"/verdict/.*/manifest\.json", r"/episodes/log/\d+", r"/episodes/\d+/retrain\.json")
    verdicts, episodes, hand_overs = (sum(bool(re.search(kind, key)) for key in tree) for kind in kinds)
    return verdicts, episodes, hand_overs
